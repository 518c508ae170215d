"""Who is let in, how, and what the answer to the others is."""

from __future__ import annotations

import base64
import http.client
import os
import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pypsrp.complex_objects import RunspacePoolState
from pypsrp.exceptions import AuthenticationError, WSManFaultError

from lab.pki import Authority
from lab.powershell import Endpoint
from lab.scenario import Authentication, Certificate, PowerShell, Scenario, User, load
from tests.kdc import Kdc
from tests.lab.powershell.client import call, session
from tests.lab.powershell.conftest import EVERY, USER, Starter, Trust


def settings(scenario: Scenario, **changes: Any) -> Scenario:
    return replace(scenario, powershell=replace(scenario.powershell, **changes))


@pytest.mark.parametrize(
    ("scheme", "options", "signed_in", "encrypted"),
    [
        ("https", {"auth": "basic"}, "basic", False),
        ("https", {"auth": "basic", "username": "audit@contoso.test"}, "basic", False),
        ("http", {"auth": "basic", "encryption": "never"}, "basic", False),
        ("http", {"auth": "ntlm"}, "ntlm", True),
        ("http", {"auth": "ntlm", "username": "audit@contoso.test"}, "ntlm", True),
        ("http", {"auth": "ntlm", "encryption": "never"}, "ntlm", False),
        ("http", {"auth": "negotiate"}, "ntlm", True),
        ("https", {"auth": "ntlm"}, "ntlm", False),
        ("https", {"auth": "ntlm", "encryption": "always"}, "ntlm", True),
        ("https", {"auth": "negotiate"}, "ntlm", False),
    ],
)
def test_signs_in(
    start: Starter, trust: Trust, scheme: str, options: dict[str, Any], signed_in: str, encrypted: bool
) -> None:
    endpoint = start()
    with session(endpoint, scheme, ca_file=trust.ca_file, **options) as pool:
        assert call(pool, "Get-OrganizationConfig").texts == ["Contoso"]
        assert endpoint.open_shells == 1
    assert endpoint.open_shells == 0
    steps = [seen for seen in endpoint.journal if seen.step]
    assert (steps[0].step, steps[-1].step) == ("create", "delete")
    assert {(seen.signed_in, seen.encrypted, seen.scheme) for seen in steps} == {(signed_in, encrypted, scheme)}


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
@pytest.mark.parametrize("who", [{"password": "wrong"}, {"username": "CONTOSO\\nobody"}])
def test_refuses_what_is_wrong(start: Starter, trust: Trust, auth: str, who: dict[str, str]) -> None:
    endpoint = start()
    with pytest.raises(AuthenticationError), session(endpoint, "https", auth=auth, ca_file=trust.ca_file, **who):
        pass
    assert {seen.status for seen in endpoint.journal} == {401}
    assert endpoint.open_shells == 0


@pytest.mark.parametrize(
    ("methods", "challenges"),
    [
        ({Authentication.KERBEROS}, ["Negotiate"]),  # as installed
        ({Authentication.NTLM}, ["Negotiate", "NTLM"]),
        ({Authentication.BASIC}, ['Basic realm="contoso.test"']),
        (EVERY, ["Negotiate", "NTLM", 'Basic realm="contoso.test"']),
    ],
)
def test_challenges(start: Starter, scenario: Scenario, methods: set[Authentication], challenges: list[str]) -> None:
    endpoint = start(settings(scenario, http=frozenset(methods)))
    answer = asked(endpoint, "POST", "/powershell?serializationLevel=Full")
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == challenges
    assert answer.headers["Server"] == "Microsoft-IIS/10.0"
    assert answer.headers["X-FEServer"] == "EX01"


def test_as_installed_takes_neither_ntlm_nor_basic(start: Starter, trust: Trust, scenario: Scenario) -> None:
    as_installed = replace(scenario, powershell=PowerShell(users=(USER,)))
    endpoint = start(as_installed)
    for scheme, auth in (("http", "ntlm"), ("https", "ntlm"), ("https", "basic"), ("http", "negotiate")):
        with pytest.raises(AuthenticationError), session(endpoint, scheme, auth=auth, ca_file=trust.ca_file):
            pass
    assert {seen.status for seen in endpoint.journal} == {401}


def test_a_token_that_is_none_is_refused(start: Starter) -> None:
    endpoint = start()
    for authorization in ("Negotiate AAAA", "NTLM !!", "Kerberos YQ==", "Basic YQ==", "Negotiate", "Digest x"):
        assert asked(endpoint, "POST", "/PowerShell/", {"Authorization": authorization}).status == 401


def test_a_connection_stays_signed_in(start: Starter) -> None:
    endpoint = start()
    with session(endpoint, "http", auth="ntlm") as pool:
        call(pool, "Get-OrganizationConfig")
    offered = [seen.offered for seen in endpoint.journal]
    assert offered[:3] == ["", "Negotiate", "Negotiate"]
    assert set(offered[3:]) == {""}


def test_the_accounts_file_goes_with_the_last_endpoint(start: Starter) -> None:
    before = os.environ.get("NTLM_USER_FILE")
    first, second = start(), start(server="EX02")
    path = Path(os.environ["NTLM_USER_FILE"])
    assert path.exists()
    first.stop()
    with session(second, "http") as pool:
        assert call(pool, "Get-OrganizationConfig").output
    second.stop()
    assert os.environ.get("NTLM_USER_FILE") == before
    assert not path.exists()


def test_two_passwords_of_one_ntlm_user_are_refused(start: Starter, scenario: Scenario) -> None:
    start()
    with pytest.raises(ValueError, match="different passwords"):
        start(settings(scenario, users=(replace(USER, password="other"),)))


def test_channel_bindings_can_be_required(start: Starter, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = Authority(now, now, tmp_path / "root.pem")
    identity = authority.issue(Certificate("localhost", ("localhost",)))
    (tmp_path / "identity.pem").write_bytes(identity.key_pem + identity.chain_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "identity.pem")
    endpoint = start(tls=tls, certificate=identity.chain[0])
    with session(endpoint, "https", auth="ntlm", ca_file=tmp_path / "root.pem") as pool:
        assert call(pool, "Get-OrganizationConfig").output
    unbound: dict[str, Any] = {"auth": "ntlm", "negotiate_send_cbt": False, "ca_file": tmp_path / "root.pem"}
    with pytest.raises(AuthenticationError), session(endpoint, "https", **unbound):
        pass


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_who_is_not_enabled_is_denied(start: Starter, scenario: Scenario, locale: str) -> None:
    endpoint = start(settings(scenario, users=(replace(USER, remote_powershell=False),), locale=locale))
    with pytest.raises(WSManFaultError) as raised, session(endpoint):
        pass
    assert raised.value.code == 5
    assert "FailureCategory=AuthZ-CmdletAccessDeniedException" in str(raised.value.reason)
    assert endpoint.open_shells == 0


def test_too_many_shells_are_throttled(start: Starter, scenario: Scenario) -> None:
    endpoint = start(settings(scenario, sessions=2))
    with session(endpoint), session(endpoint):
        with pytest.raises(WSManFaultError) as raised, session(endpoint):
            pass
        assert raised.value.code == 2150859173
    with session(endpoint) as pool:
        assert call(pool, "Get-OrganizationConfig").output


def test_a_shell_belongs_to_its_user(start: Starter, scenario: Scenario) -> None:
    other = User("CONTOSO\\other", "Other-Passw0rd")
    endpoint = start(settings(scenario, users=(USER, other)))
    with session(endpoint) as pool, session(endpoint, username=other.name, password=other.password) as theirs:
        theirs.shell._selector_set = pool.shell._selector_set
        with pytest.raises(WSManFaultError) as raised:
            call(theirs, "Get-OrganizationConfig")
        assert raised.value.code == 2150858843
        theirs.state = RunspacePoolState.CLOSED  # it would delete the other's


# --- Kerberos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("http", {"auth": "kerberos"}),
        ("http", {"auth": "negotiate"}),
        ("https", {"auth": "kerberos"}),
        ("https", {"auth": "kerberos", "encryption": "always"}),
    ],
)
@pytest.mark.parametrize("challenges", [None, ("Kerberos",)])
def test_kerberos(
    start: Starter, trust: Trust, kerberos: Kdc, scheme: str, options: dict[str, Any], challenges: tuple[str] | None
) -> None:
    as_installed = replace(load("healthy"), powershell=PowerShell(users=(USER,)))
    endpoint = start(as_installed, challenges=challenges)
    who = {"username": kerberos.principal("audit"), "password": kerberos.passwords["audit"]}
    given = {**who, **options, "negotiate_service": "HTTP", "ca_file": trust.ca_file}
    with session(endpoint, scheme, **given) as pool:
        assert call(pool, "Get-OrganizationConfig").texts == ["Contoso"]
    steps = [seen for seen in endpoint.journal if seen.step]
    assert {seen.signed_in for seen in steps} == {"kerberos"}
    assert {seen.user for seen in steps} == {"audit@CONTOSO.TEST"}
    assert {seen.encrypted for seen in steps} == {scheme == "http" or "encryption" in options}
    assert "Kerberos" in {seen.offered for seen in endpoint.journal} or challenges is None


def test_kerberos_from_the_ticket_cache(start: Starter, kerberos: Kdc) -> None:
    kerberos.kinit("audit")
    endpoint = start(replace(load("healthy"), powershell=PowerShell(users=(USER,))))
    who: dict[str, Any] = {"username": None, "password": None, "auth": "kerberos", "negotiate_service": "HTTP"}
    with session(endpoint, "http", **who) as pool:
        assert call(pool, "Get-OrganizationConfig").texts == ["Contoso"]


def test_a_kerberos_user_without_a_role_is_denied(start: Starter, kerberos: Kdc) -> None:
    endpoint = start(replace(load("healthy"), powershell=PowerShell(users=(USER,))))
    who = {"username": kerberos.principal("admin"), "password": kerberos.passwords["admin"]}
    with (
        pytest.raises(WSManFaultError) as raised,
        session(endpoint, "http", auth="kerberos", negotiate_service="HTTP", **who),
    ):
        pass
    assert raised.value.code == 5


def asked(
    endpoint: Endpoint, method: str, target: str, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.http_port, timeout=5)
    try:
        connection.request(method, target, body=b"", headers=headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


def test_basic_is_asked_for_each_time(start: Starter) -> None:
    endpoint = start()
    right = base64.b64encode(b"CONTOSO\\audit:Lab-Passw0rd").decode()
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.http_port, timeout=5)
    try:
        statuses = []
        for headers in ({"Authorization": f"Basic {right}"}, {}):
            connection.request("POST", "/PowerShell", body=b"", headers=headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    finally:
        connection.close()
    assert statuses == [200, 401]
