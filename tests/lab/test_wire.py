"""The lab on the wire: what a client meets, as it should be and with each fault."""

from __future__ import annotations

import gzip
import socket
import ssl
from datetime import timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.organisation import RunningLab, start
from tests.lab.asking import ask, chain_of, port_of

MAIL = "mail.contoso.test"
NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME; the ssl module has no name for it
AUTODISCOVER = "autodiscover.contoso.test"
HEALTH, EMSMDB, RPC_HEALTH, RPC = "/mapi/healthcheck.htm", "/mapi/emsmdb/", "/rpc/healthcheck.htm", "/rpc/rpcproxy.dll"


def lab_with(*faults: str, scenario: str = "healthy") -> RunningLab:
    return start(scenario, faults=faults, powershell=False)


# --- as it should be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [MAIL, AUTODISCOVER])
def test_a_client_that_trusts_the_labs_root_is_content(host: str) -> None:
    with lab_with("proxy:autodiscover.contoso.test") as lab:
        assert verify_code(lab, host) == 0


@pytest.mark.parametrize("path", [HEALTH, RPC_HEALTH, "/autodiscover/healthcheck.htm", "/MAPI/HealthCheck.htm"])
def test_a_health_page_names_the_server_that_answers(path: str) -> None:
    with lab_with() as lab:
        by_name, straight = ask(lab, MAIL, path), ask(lab, "ex02.contoso.test", path)
    assert (by_name.status_code, by_name.text) == (200, "200 OK<br/>EX01.CONTOSO.TEST")
    assert (straight.status_code, straight.text) == (200, "200 OK<br/>EX02.CONTOSO.TEST")


@pytest.mark.parametrize(
    ("path", "schemes"),
    [
        (EMSMDB, ["Negotiate", "NTLM"]),
        ("/mapi/nspi/", ["Negotiate", "NTLM"]),
        ("/mapi/", ["Negotiate", "NTLM"]),
        ("/mapi/emsmdb/?MailboxId=1@contoso.test", ["Negotiate", "NTLM"]),
        (RPC, ["Negotiate", "NTLM", f'Basic realm="{MAIL}"']),
        ("/autodiscover/autodiscover.xml", ["Negotiate", "NTLM", f'Basic realm="{MAIL}"']),
    ],
)
def test_what_is_protected_is_challenged_as_exchange_does(path: str, schemes: list[str]) -> None:
    with lab_with() as lab:
        response = ask(lab, MAIL, path)
    assert response.status_code == 401
    assert response.headers.get_list("www-authenticate") == schemes
    assert response.headers["x-owa-version"] == "15.2.2562.37"
    assert response.headers["x-feserver"] == "EX01"
    assert response.headers["x-failurecontext"] == "FrontEnd;401;VW5hdXRob3JpemVk;;;;"
    assert response.headers["server"] == "Microsoft-IIS/10.0"
    assert len(response.headers["request-id"]) == 36
    assert response.content == b""


def test_oauth_is_shown_to_those_who_know_it() -> None:
    with lab_with() as lab:
        shown = ask(lab, MAIL, EMSMDB, headers={"Authorization": "Bearer"}).headers.get_list("www-authenticate")
    assert [scheme.partition(" ")[0] for scheme in shown] == ["Negotiate", "NTLM", "Bearer"]


def test_methods_and_compression() -> None:
    with lab_with() as lab:
        head = ask(lab, MAIL, HEALTH, "HEAD")
        packed = ask(lab, MAIL, HEALTH, headers={"Accept-Encoding": "gzip"})
        plain = ask(lab, MAIL, HEALTH, headers={"Accept-Encoding": "identity"})
        posted = ask(lab, MAIL, EMSMDB, "POST")
        odd = ask(lab, MAIL, RPC, "RPC_IN_DATA")
        nothing = ask(lab, MAIL, "/nothing")
    assert (head.status_code, head.content) == (200, b"")
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(gzip.compress(packed.content))
    assert "content-encoding" not in plain.headers
    assert (posted.status_code, odd.status_code, nothing.status_code) == (401, 401, 404)


def test_one_connection_carries_many_requests() -> None:
    with lab_with() as lab, httpx.Client(verify=False, trust_env=False) as client:
        url = f"https://127.0.0.1:{port_of(lab, MAIL)}"
        ports = set()
        for path in (HEALTH, EMSMDB, "/nothing", RPC):
            response = client.get(url + path, extensions={"sni_hostname": MAIL}, headers={"Host": MAIL})
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1


def test_the_journal_has_every_request_and_no_credentials() -> None:
    with lab_with() as lab:
        ask(lab, MAIL, EMSMDB, headers={"Authorization": "Basic c2VjcmV0OnNlY3JldA=="})
        ask(lab, "ex02.contoso.test", HEALTH)
    first, second = lab.journal
    assert (first.listener, first.method, first.path) == ("https ex01.contoso.test", "GET", EMSMDB)
    assert first.authorization == "Basic"
    assert "c2VjcmV0" not in repr(lab.journal)
    assert (second.listener, second.path, second.authorization) == ("https ex02.contoso.test", HEALTH, None)


def test_generations_answer_differently() -> None:
    with lab_with(scenario="mixed") as lab:
        old = ask(lab, "old10.litware.test", EMSMDB)
        old_rpc = ask(lab, "old10.litware.test", RPC)
        middle = ask(lab, "mid13.litware.test", EMSMDB)
    assert (old.status_code, old.headers["x-owa-version"]) == (404, "14.3.513.0")
    assert old_rpc.status_code == 401
    assert (middle.status_code, middle.headers["x-owa-version"]) == (401, "15.0.1497.36")


def test_an_edge_server_has_no_web_site() -> None:
    with lab_with(scenario="enabled") as lab:
        assert not [entry for entry in lab.resolve if entry.startswith("edge1.")]


# --- servers with faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "path", "status"),
    [
        ("mapi-directory-missing", EMSMDB, 404),
        ("mapi-directory-missing", HEALTH, 404),
        ("mapi-application-missing", EMSMDB, 404),
        ("mapi-pool-stopped", EMSMDB, 503),
        ("server-is-2013-cu3", EMSMDB, 404),
        ("server-is-2010", HEALTH, 404),
        ("rpc-application-missing", RPC, 404),
        ("rpc-pool-stopped", RPC_HEALTH, 503),
        ("rpc-open", RPC, 200),
        ("mapi-proxy-inactive", EMSMDB, 401),  # the component takes away the health page alone
    ],
)
def test_a_server_with_a_fault_answers(fault: str, path: str, status: int) -> None:
    with lab_with(fault) as lab:
        assert ask(lab, "ex01.contoso.test", path).status_code == status
        assert ask(lab, "ex02.contoso.test", path).status_code in (200, 401)


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ("mapi-proxy-inactive", HEALTH),
        ("mapi-health-dropped", HEALTH),
        ("server-in-maintenance", HEALTH),
        ("server-in-maintenance", RPC_HEALTH),
        ("rpc-proxy-inactive", RPC_HEALTH),
    ],
)
def test_an_inactive_component_gives_no_answer(fault: str, path: str) -> None:
    with lab_with(fault) as lab, pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        ask(lab, "ex01.contoso.test", path)


def test_what_a_directory_offers_is_what_is_shown() -> None:
    with lab_with("mapi-basic-only:EX01", "mapi-oauth-only:EX02", "mapi-authentication-unknown:EX03") as lab:
        shown = [
            ask(lab, f"ex0{number}.contoso.test", EMSMDB).headers.get_list("www-authenticate") for number in (1, 2, 3)
        ]
    assert shown == [['Basic realm="ex01.contoso.test"'], [], ["Negotiate", "NTLM"]]


def test_a_balancer_leaves_out_servers_that_are_not_well() -> None:
    with lab_with("mapi-proxy-inactive:EX01") as lab:
        assert ask(lab, MAIL, HEALTH).text == "200 OK<br/>EX02.CONTOSO.TEST"


def test_one_client_meets_one_server_unless_the_balancer_turns() -> None:
    with lab_with() as lab:
        assert {ask(lab, MAIL, HEALTH).text for _ in range(4)} == {"200 OK<br/>EX01.CONTOSO.TEST"}
    with lab_with("name-round-robin") as lab:
        assert len({ask(lab, MAIL, HEALTH).text for _ in range(3)}) == 3


def test_a_name_may_lead_to_an_old_server() -> None:
    with lab_with("name-leads-to:mail.litware.test=OLD10", scenario="mixed") as lab:
        response = ask(lab, "mail.litware.test", EMSMDB)
    assert (response.status_code, response.headers["x-owa-version"]) == (404, "14.3.513.0")


# --- before HTTP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "host"), [("name", MAIL), ("server", "ex01.contoso.test")])
def test_refused(kind: str, host: str) -> None:
    with lab_with(f"{kind}-refused") as lab, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5)


@pytest.mark.parametrize(("kind", "host"), [("name", MAIL), ("server", "ex01.contoso.test")])
def test_reset(kind: str, host: str) -> None:
    # The reset may be as fast as the connection.
    with (
        lab_with(f"{kind}-reset") as lab,
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5) as connection,
    ):
        connection.recv(1)


@pytest.mark.parametrize(("kind", "host"), [("name", MAIL), ("server", "ex01.contoso.test")])
def test_silent(kind: str, host: str) -> None:
    with (
        lab_with(f"{kind}-silent") as lab,
        socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=0.3) as connection,
        pytest.raises(TimeoutError),
    ):
        ssl.create_default_context().wrap_socket(connection, server_hostname=host)


@pytest.mark.parametrize(("kind", "host"), [("name", MAIL), ("server", "ex01.contoso.test")])
def test_plain_http_where_tls_is_expected(kind: str, host: str) -> None:
    with lab_with(f"{kind}-plain-http") as lab:
        with (
            socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5) as connection,
            pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number|record layer failure"),
        ):
            ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        plain = httpx.get(f"http://127.0.0.1:{port_of(lab, host)}{HEALTH}", trust_env=False)
    assert plain.text == "200 OK<br/>EX01.CONTOSO.TEST"


# --- reverse proxies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "path", "status", "shows"),
    [
        ("proxy-mapi-403", EMSMDB, 403, "nginx"),
        ("proxy-mapi-404", "/mapi/nspi/", 404, "nginx"),
        ("proxy-mapi-503", EMSMDB, 503, "No server is available"),
        ("proxy-mapi-httpsys-503", HEALTH, 503, "HTTP Error 503"),
        ("proxy-mapi-login-page", EMSMDB, 200, 'type="password"'),
        ("proxy-mapi-login-redirect", EMSMDB, 302, ""),
        ("proxy-mapi-basic-only", EMSMDB, 401, ""),
        ("proxy-nspi-403", "/mapi/nspi/", 403, "nginx"),
        ("proxy-nspi-403", EMSMDB, 401, ""),
        ("proxy-mapi-health-403", HEALTH, 403, "nginx"),
        ("proxy-mapi-health-403", EMSMDB, 401, ""),
        ("proxy-mapi-health-other-body", HEALTH, 200, "IIS Windows Server"),
        ("proxy-rpc-health-403", RPC_HEALTH, 403, "nginx"),
        ("proxy-rpc-health-other-body", RPC_HEALTH, 200, "IIS Windows Server"),
        ("proxy-rpc-404", RPC, 404, "nginx"),
        ("proxy-rpc-open", RPC, 200, ""),
        ("proxy", HEALTH, 200, "200 OK<br/>EX01.CONTOSO.TEST"),
        ("proxy", EMSMDB, 401, ""),
    ],
)
def test_a_proxy_answers_by_name_and_the_server_as_before(fault: str, path: str, status: int, shows: str) -> None:
    with lab_with(fault) as lab:
        by_name, straight = ask(lab, MAIL, path), ask(lab, "ex01.contoso.test", path)
    assert by_name.status_code == status
    assert shows in by_name.text
    assert straight.status_code in (200, 401)
    assert "x-owa-version" in straight.headers


@pytest.mark.parametrize("fault", ["proxy-mapi-health-dropped", "proxy-rpc-health-dropped"])
def test_a_proxy_that_drops(fault: str) -> None:
    path = HEALTH if "mapi" in fault else RPC_HEALTH
    with lab_with(fault) as lab:
        assert ask(lab, "ex01.contoso.test", path).status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            ask(lab, MAIL, path)


def test_a_proxy_may_hide_who_answers_or_change_the_challenge() -> None:
    with lab_with("proxy-strips-headers") as lab:
        hidden = ask(lab, MAIL, EMSMDB)
    assert hidden.status_code == 401
    assert hidden.headers.get_list("www-authenticate") == ["Negotiate", "NTLM"]
    assert not {"x-feserver", "x-owa-version", "request-id", "server"}.intersection(hidden.headers)
    with lab_with("proxy-strips-challenge") as lab:
        assert "www-authenticate" not in ask(lab, MAIL, EMSMDB).headers
    with lab_with("proxy-offers-basic-only") as lab:
        assert ask(lab, MAIL, EMSMDB).headers.get_list("www-authenticate") == ["Basic"]


def test_a_proxy_whose_servers_are_gone_says_so() -> None:
    with lab_with("proxy", "server-refused:*") as lab:
        assert ask(lab, MAIL, EMSMDB).status_code == 503


# --- certificates -----------------------------------------------------------------------------------------------------


def leaf(*faults: str, host: str = MAIL) -> tuple[x509.Certificate, RunningLab]:
    with lab_with(*faults) as lab:
        return x509.load_der_x509_certificate(chain_of(lab, host)), lab


def names_of(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_certificates_are_relative_to_the_scenarios_now_to_the_second() -> None:
    certificate, lab = leaf("certificate-expired")
    assert certificate.not_valid_after_utc == lab.now - timedelta(seconds=1)
    certificate, lab = leaf("certificate-not-yet-valid")
    assert certificate.not_valid_before_utc == lab.now + timedelta(seconds=1)
    certificate, lab = leaf("certificate-expires-soon")
    assert certificate.not_valid_after_utc == lab.now + timedelta(days=20)


def test_names_of_certificates() -> None:
    assert names_of(leaf("certificate-lacks-name", host=AUTODISCOVER)[0]) == [MAIL]
    assert names_of(leaf("certificate-wildcard")[0]) == ["*.contoso.test", "contoso.test"]
    only, _ = leaf("certificate-name-only-in-cn")
    assert only.subject.rfc4514_string() == f"CN={MAIL}"
    with pytest.raises(x509.ExtensionNotFound):
        names_of(only)


def test_a_name_can_have_a_certificate_of_its_own() -> None:
    with lab_with("certificate-expired:autodiscover.contoso.test") as lab:
        own = x509.load_der_x509_certificate(chain_of(lab, AUTODISCOVER))
        shared = x509.load_der_x509_certificate(chain_of(lab, MAIL))
    assert own.not_valid_after_utc < lab.now < shared.not_valid_after_utc
    assert names_of(own) == [AUTODISCOVER]


def test_issuers_usages_and_keys() -> None:
    self_signed, _ = leaf("certificate-self-signed")
    assert self_signed.issuer == self_signed.subject
    self_signed.verify_directly_issued_by(self_signed)
    wrong, _ = leaf("certificate-wrong-usage")
    usages = wrong.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    weak = leaf("certificate-rsa-1024")[0].public_key()
    assert isinstance(weak, rsa.RSAPublicKey)
    assert weak.key_size == 1024


VERIFY_CODES = {
    "certificate-self-signed": {18},  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    "certificate-unknown-root": {19},  # X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    "certificate-company-root": {20, 21},  # no issuer to be found
    "certificate-intermediate-not-sent": {20, 21},
    "certificate-broken-signature": {7},  # X509_V_ERR_CERT_SIGNATURE_FAILURE
    "certificate-wrong-usage": {26},  # X509_V_ERR_INVALID_PURPOSE
    "certificate-lacks-name:mail.contoso.test": {62},  # X509_V_ERR_HOSTNAME_MISMATCH
    "certificate-wildcard": {0},
    "certificate-any-usage": {0},
    "certificate-with-root": {0},
    "certificate-rsa-2048": {0},
}


@pytest.mark.parametrize("fault", sorted(VERIFY_CODES))
def test_what_openssl_says_of_a_chain(fault: str) -> None:
    with lab_with(fault) as lab:
        assert verify_code(lab, MAIL) in VERIFY_CODES[fault]


def verify_code(lab: RunningLab, host: str) -> int:
    """OpenSSL's verdict, leaving time aside (the scenario has its own now); 0 is content."""
    context = ssl.create_default_context(cafile=str(lab.ca_file))
    context.verify_flags |= NO_CHECK_TIME
    with socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5) as connection:
        try:
            context.wrap_socket(connection, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            return error.verify_code
    return 0
