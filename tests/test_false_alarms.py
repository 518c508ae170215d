"""Healthy organisations of many kinds: no failing blocker, and no failing finding that an experienced administrator
would call wrong. What fails all the same is listed with each, and is right."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from checker.results import Readiness, Severity, Status
from lab.scenario import parse
from tests.lab_audit import audit, key
from tests.test_matrix import told

POWERSHELL = '[powershell]\nhttp = ["kerberos", "ntlm"]\nhttps = ["kerberos", "ntlm", "basic"]\n'
SE = 'build = "15.2.2562.17"\nupdate = "15.2.2562.37"\n'
NOW = "now = 2026-03-02T09:00:00Z\n"


@dataclass(frozen=True)
class Organisation:
    """A scenario in its file's words, faults that are none here, what is rightly told, what nobody here can know."""

    name: str
    text: str
    faults: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    readiness: Readiness = Readiness.READY
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


ORGANISATIONS = [
    Organisation("a single server", f"{NOW}[servers.EX01]\n{SE}"),
    Organisation(
        "two sites, one not published",
        f"""{NOW}
[servers.EX01]
{SE}site = "Berlin"
[servers.EX02]
{SE}site = "Oslo"
[[servers.EX02.mapi]]
internal_url = "https://oslo.contoso.test/mapi"
external_url = ""
[servers.EX02.outlook_anywhere]
internal_hostname = "oslo.contoso.test"
external_hostname = ""
[names."mail.contoso.test"]
servers = ["EX01"]
[names."oslo.contoso.test"]
servers = ["EX02"]
vantage = "inside"
""",
    ),
    Organisation("the internal name is the external name", f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}"),
    Organisation("a wildcard certificate", f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}", ("certificate-wildcard",)),
    Organisation(
        "2013 only, in its own time",
        """now = 2016-02-10T08:00:00Z
[servers.EX13A]
build = "15.0.1156.6"
update = "15.0.1156.6"
[servers.EX13B]
build = "15.0.1156.6"
update = "15.0.1156.6"
""",
    ),
    Organisation(
        "Subscription Edition only, after the switch",
        f"{NOW}[organisation]\nmapi_http_enabled = true\n[servers.EX01]\n{SE}",
    ),
    Organisation("no access from outside", f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}", ("nothing-published",)),
    Organisation(
        "hybrid with OAuth",
        f"{NOW}[organisation]\nmodern_authentication = true\nmapi_http_enabled = true\n"
        f"[servers.EX01]\n{SE}[servers.EX02]\n{SE}",
    ),
    Organisation(
        "Extended Protection on", f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}", ("mapi-extended-protection:*",)
    ),
    Organisation(
        "old names kept in the certificate",
        f"""{NOW}
[servers.EX01]
{SE}
[certificates.main]
names = ["mail.contoso.test", "autodiscover.contoso.test", "legacy.contoso.test", "owa.contoso.test"]
""",
    ),
    Organisation(
        "one of four servers in maintenance",
        f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}[servers.EX03]\n{SE}[servers.EX04]\n{SE}",
        ("server-in-maintenance:EX03",),
        # It takes no clients, and says so itself and on its health page: told as warnings, with "end it if it is over".
        told=frozenset({"server-mapi-components-active EX03", "server-mapi-answers EX03"}),
    ),
    Organisation(
        "2010 beside 2016",
        """now = 2019-06-01T12:00:00+02:00
[servers.EX16]
build = "15.1.1713.5"
update = "15.1.1713.6"
[servers.EX10]
build = "14.3.123.4"
update = "14.3.123.4"
[names."mail.contoso.test"]
servers = ["EX16"]
[names."autodiscover.contoso.test"]
servers = ["EX16"]
""",
    ),
    Organisation(
        "a company authority that this machine does not know",
        f"{NOW}[servers.EX01]\n{SE}[servers.EX02]\n{SE}",
        unknown=frozenset({"cert-trusted", "cert-chain-complete"}),
        readiness=Readiness.INCONCLUSIVE,
        options={"trust": "system"},
    ),
]


@pytest.mark.parametrize("organisation", ORGANISATIONS, ids=str)
def test_nothing_is_wrong_with_it(organisation: Organisation) -> None:
    scenario = parse(organisation.text + POWERSHELL, "test", faults=organisation.faults)
    report = audit(scenario, **organisation.options)
    failing = [finding for finding in report.findings if finding.status in (Status.FAIL, Status.ERROR)]
    unknown = [finding for finding in report.findings if finding.status is Status.UNKNOWN]
    assert not [finding for finding in failing if finding.severity is Severity.BLOCKER], told(failing)
    assert {key(finding) for finding in failing} == organisation.told, told(failing)
    assert {finding.check for finding in unknown} == organisation.unknown, told(unknown)
    assert report.readiness is organisation.readiness
