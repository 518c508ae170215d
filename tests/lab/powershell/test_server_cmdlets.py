"""The cmdlets about single servers: who has them, whom they know, and that certificates are those really served."""

from __future__ import annotations

import socket
import ssl
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from lab.organisation import start
from lab.pki import Authority
from lab.powershell.cmdlet import Call, Output, Problem
from lab.powershell.cmdlets import ScenarioCmdlets
from lab.powershell.server_cmdlets import ServerCmdlets
from lab.scenario import Certificate, Scenario, User, load
from tests.lab.powershell.client import call, session
from tests.lab.powershell.test_clixml import read

USER = User("CONTOSO\\audit", "secret")


def cmdlets(scenario: Scenario, server: str, authority: Authority | None = None) -> ServerCmdlets:
    answering = scenario.server(server)

    def served(certificate: Certificate) -> bytes:
        assert authority is not None
        return authority.identity(certificate).chain[0]

    others = ScenarioCmdlets(scenario, answering)
    return ServerCmdlets(scenario, answering, others, served if authority else None)


def objects(of: ServerCmdlets, cmdlet: str, **parameters: str | bool) -> list[Any]:
    """The objects of a cmdlet, read by psrpcore."""
    return read(*(each.clixml for each in of.run(Call(cmdlet, parameters, USER.name)) if isinstance(each, Output)))


@pytest.mark.parametrize(
    ("cmdlet", "old", "middle", "new"),
    [
        ("Get-ServerComponentState", False, True, True),
        ("Get-HealthReport", False, True, True),
        ("Test-ServiceHealth", True, True, True),
        ("Get-MailboxServer", True, True, True),
        ("Get-AuthenticationPolicy", False, False, False),
        ("Get-ExchangeServer", True, True, True),
        ("Get-AuthConfig", False, False, False),  # without certificates to tell
    ],
)
def test_who_has_which_cmdlet(cmdlet: str, old: bool, middle: bool, new: bool) -> None:
    mixed = load("mixed")
    found = [cmdlets(mixed, name).signature(cmdlet, USER) is not None for name in ("OLD10", "MID13", "NEW16")]
    assert found == [old, middle, new]
    denied = User(USER.name, "secret", denied=(cmdlet.upper(),))
    assert cmdlets(mixed, "NEW16").signature(cmdlet, denied) is None


def test_policies_came_with_exchange_2019() -> None:
    assert cmdlets(load("healthy"), "EX01").signature("get-authenticationpolicy", USER) is not None
    (organisation,) = objects(
        cmdlets(load("healthy", faults=["authentication-policy-blocks-legacy"]), "EX01"), "Get-OrganizationConfig"
    )
    assert str(organisation.DefaultAuthenticationPolicy) == "Block legacy"
    (policy,) = objects(
        cmdlets(load("healthy", faults=["authentication-policy-blocks-legacy"]), "EX01"), "Get-AuthenticationPolicy"
    )
    assert (policy.BlockLegacyAuthMapi, policy.BlockModernAuthMapi) == (True, False)


def test_a_server_that_is_not_there() -> None:
    of = cmdlets(load("healthy"), "EX01")
    for cmdlet, parameter in (("Get-ServerComponentState", "Identity"), ("Test-ServiceHealth", "Server")):
        (said,) = of.run(Call(cmdlet, {parameter: "EX99"}, USER.name))
        assert isinstance(said, Problem)
        assert "EX99" in said.message


def test_a_server_in_maintenance_has_every_component_down_with_it() -> None:
    of = cmdlets(load("healthy", faults=["server-in-maintenance:EX02"]), "EX01")
    states = {str(state.Component): state for state in objects(of, "Get-ServerComponentState", Identity="ex02")}
    assert str(states["MapiProxy"].State) == "Inactive"
    assert list(states["MapiProxy"].LocalStates) == []
    assert [str(state.Requester) for state in states["ServerWideOffline"].LocalStates] == ["Maintenance"]
    assert str(states["Monitoring"].State) == "Active"
    assert states["MapiProxy"].ServerWideOfflineIsOffline is True


def test_the_account_is_told_only_when_asked_for() -> None:
    of = cmdlets(load("healthy"), "EX01")
    status = "IncludeAlternateServiceAccountCredentialStatus"
    (asked,) = objects(of, "Get-ClientAccessService", Identity="EX02", **{status: True})
    (silent,) = objects(of, "Get-ClientAccessService", Identity="EX02")
    assert "CONTOSO\\EXCHASA$" in str(asked.AlternateServiceAccountConfiguration)
    assert silent.AlternateServiceAccountConfiguration is None


def test_oauth_settings_name_a_certificate_that_servers_have(tmp_path: Path) -> None:
    scenario = load("healthy", faults=["oauth-certificate-missing:EX02"])
    authority = Authority(scenario.now, scenario.now, tmp_path / "ca.pem")
    of = cmdlets(scenario, "EX01", authority)
    (config,) = objects(of, "Get-AuthConfig")
    having = {
        server: {str(found.Thumbprint) for found in objects(of, "Get-ExchangeCertificate", Server=server)}
        for server in ("EX01", "EX02")
    }
    assert config.CurrentCertificateThumbprint in having["EX01"]
    assert config.CurrentCertificateThumbprint not in having["EX02"]


def served_by(entry: str) -> bytes:
    """What TLS presents at an entry of resolve (HOST:PORT:ADDRESS:PORT)."""
    host, _, address, port = entry.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, int(port)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_the_certificate_of_iis_is_the_one_that_is_served() -> None:
    with start("healthy") as lab:
        entry = next(entry for entry in lab.resolve if entry.startswith("ex02.contoso.test:443:"))
        thumbprint = sha1(served_by(entry), usedforsecurity=False).hexdigest().upper()
        with session(lab.endpoints["ex01.contoso.test"], "https") as pool:
            said = call(pool, "Get-ExchangeCertificate", Server="EX02")
    found = {item.adapted_properties["Thumbprint"]: item.adapted_properties["Services"] for item in said.output}
    assert found[thumbprint] == "IIS, SMTP"
    assert sorted(found.values()) == ["IIS, SMTP", "SMTP"]
