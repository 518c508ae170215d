"""The detection matrix of organisation and servers: for every fault exactly these checks' expected findings fail.

Other checks see some of these faults too; here only the checks named below are looked at, each with all its findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from checker.results import Report, Status
from tests.lab_audit import audit, by_status

CHECKS = frozenset(
    {
        "org-modern-authentication-consistent",
        "org-authentication-policy",
        "org-auth-certificate-valid",
        "server-mailbox-supports-mapi-http",
        "server-in-support",
        "server-build-current",
        "server-builds-match",
        "site-has-active-server",
        "server-mapi-components-active",
        "server-rpc-component-active",
        "server-mapi-health-set",
        "server-services-running",
        "kerberos-asa-consistent",
        "kerberos-asa-present",
        "legacy-mailboxes-keep-outlook-anywhere",
    }
)
NAMES = ("mail.contoso.test", "autodiscover.contoso.test")


@dataclass(frozen=True)
class Row:
    """Faults of a scenario, the findings that must fail ("check subject"), and those that must be unknown."""

    scenario: str
    faults: tuple[str, ...]
    fails: frozenset[str]
    unknown: frozenset[str]

    def __str__(self) -> str:
        return " + ".join((self.scenario, *self.faults))


def row(faults: str, fails: Sequence[str] = (), unknown: Sequence[str] = (), scenario: str = "healthy") -> Row:
    return Row(scenario, tuple(faults.split()), frozenset(fails), frozenset(unknown))


def names(check: str) -> list[str]:
    return [f"{check} {name}" for name in NAMES]


BOTH_SITES_DOWN = [
    *(f"server-mapi-components-active EX0{number}" for number in (1, 2, 3)),
    "site-has-active-server Berlin",
    "site-has-active-server Hamburg",
]
OLD10 = "server-in-support OLD10"

ROWS = [
    row(""),
    row("", scenario="enabled"),
    row("", [OLD10], scenario="mixed"),
    # components
    row("server-in-maintenance:EX02", ["server-mapi-components-active EX02"]),
    row("server-in-maintenance:EX03", ["server-mapi-components-active EX03", "site-has-active-server Hamburg"]),
    row("server-in-maintenance:*", BOTH_SITES_DOWN),
    row("mapi-proxy-inactive:EX02", ["server-mapi-components-active EX02"]),
    row("mapi-proxy-inactive:*", BOTH_SITES_DOWN),
    row("autodiscover-proxy-inactive:EX02", ["server-mapi-components-active EX02"]),
    row("rpc-proxy-inactive:EX02", ["server-rpc-component-active EX02"]),
    row(
        "server-in-maintenance:EX02 rpc-proxy-inactive:EX02",  # one hides the other, until the maintenance is over
        ["server-mapi-components-active EX02", "server-rpc-component-active EX02"],
    ),
    row(
        "powershell-denies:Get-ServerComponentState",
        (),
        [
            "server-mapi-components-active Contoso",
            "server-rpc-component-active Contoso",
            "site-has-active-server Contoso",
        ],
    ),
    # health and services
    row("mapi-health-set-unhealthy:EX02", ["server-mapi-health-set EX02"]),
    row("search-health-set-unhealthy:EX02"),
    row("powershell-denies:Get-HealthReport", (), ["server-mapi-health-set Contoso"]),
    row("service-host-stopped:EX02", ["server-services-running EX02"]),
    row("transport-stopped:EX02"),
    row("powershell-german service-host-stopped:EX02", ["server-services-running EX02"]),
    row("powershell-german transport-stopped:EX02"),
    row("powershell-denies:Test-ServiceHealth", (), ["server-services-running Contoso"]),
    # Kerberos
    row("alternate-service-account-missing:EX02", names("kerberos-asa-consistent")),
    row("powershell-german alternate-service-account-missing:EX02", names("kerberos-asa-consistent")),
    row("alternate-service-account-other:EX02", names("kerberos-asa-consistent")),
    row("alternate-service-account-missing:*", ["kerberos-asa-present mail.contoso.test"]),
    # builds
    row("server-lacks-security-update:EX02", ["server-build-current EX02"]),
    row(
        "server-is-2019-cu14:EX02",
        ["server-build-current EX02", "server-in-support EX02", "server-builds-match DAG1"],
    ),
    row(
        "server-is-2019-cu15:EX01 server-is-2019-cu14:EX02",
        [
            "server-build-current EX02",
            "server-builds-match Berlin",
            "server-builds-match DAG1",
            "server-in-support EX01",
            "server-in-support EX02",
        ],
    ),
    row("powershell-denies:Get-MailboxServer", (), ["server-builds-match database availability groups"]),
    row(
        "server-is-2013-cu3:EX03",
        ["server-build-current EX03", "server-in-support EX03", "server-mailbox-supports-mapi-http EX03"],
    ),
    row("server-is-2010:EX03", ["server-in-support EX03"]),
    # sign-in
    row("mapi-lacks-oauth:EX02"),
    row(
        "mapi-lacks-oauth:MBX2",
        ["org-modern-authentication-consistent MBX2\\mapi (Default Web Site)"],
        scenario="enabled",
    ),
    row("authentication-policy-blocks-legacy"),
    row("authentication-policy-blocks-legacy mapi-lacks-oauth:EX02", ["org-authentication-policy Contoso"]),
    row("authentication-policy-blocks-modern"),
    row("authentication-policy-blocks-modern mapi-oauth-only:EX02", ["org-authentication-policy Contoso"]),
    row("authentication-policy-blocks-nothing"),
    row("oauth-certificate-expired"),
    row("oauth-certificate-expired", ["org-auth-certificate-valid Fabrikam"], scenario="enabled"),
    row("oauth-certificate-not-yet-valid", ["org-auth-certificate-valid Fabrikam"], scenario="enabled"),
    row("oauth-certificate-missing:MBX2", ["org-auth-certificate-valid MBX2"], scenario="enabled"),
    row("oauth-certificate-missing:*", ["org-auth-certificate-valid Fabrikam"], scenario="enabled"),
    row("powershell-denies:Get-ExchangeCertificate"),
    row("powershell-denies:Get-ExchangeCertificate", (), ["org-auth-certificate-valid Fabrikam"], scenario="enabled"),
    # 2010 behind newer servers
    row("rpc-directory-missing:NEW16", [OLD10, "legacy-mailboxes-keep-outlook-anywhere NEW16"], scenario="mixed"),
    row("rpc-hostnames-missing:MID13", [OLD10, "legacy-mailboxes-keep-outlook-anywhere MID13"], scenario="mixed"),
]


def of_these(report: Report, status: Status) -> set[str]:
    return {found for found in by_status(report, status) if found.partition(" ")[0] in CHECKS}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_matrix(row: Row) -> None:
    report = audit(row.scenario, row.faults)
    assert of_these(report, Status.FAIL) == row.fails
    assert of_these(report, Status.UNKNOWN) == row.unknown
    assert not of_these(report, Status.ERROR)


def test_every_one_of_these_checks_fails_somewhere() -> None:
    assert {found.partition(" ")[0] for row in ROWS for found in row.fails} == CHECKS
