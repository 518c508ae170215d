"""The detection matrix of directories compared, Outlook Anywhere, logon probes and mailboxes.

Other checks see some of these faults too; here only the checks named below are looked at, each with all its findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from checker.results import Readiness, Report, Status
from tests.lab_audit import audit, by_status

CHECKS = frozenset(
    {
        "vdir-mapi-urls-consistent",
        "vdir-mapi-authentication-recommended",
        "vdir-mapi-authentication-consistent",
        "vdir-mapi-metabase-matches",
        "vdir-extended-protection-certificate",
        "vdir-extended-protection-consistent",
        "oa-hostnames",
        "oa-authentication",
        "oa-ssl-offloading",
        "name-shared",
        "connectivity-mapi-logon",
        "mailbox-overrides-off",
        "mailbox-overrides-on",
        "mailbox-blocked-by-switch",
        "mailbox-mapi-disabled",
        "mailbox-upn-matches-address",
        "mailbox-upn-matches-address-modern",
    }
)
MAIL = "mail.contoso.test"
SERVERS = ("EX01", "EX02", "EX03")


@dataclass(frozen=True)
class Row:
    """Faults of a scenario, the findings that must fail ("check subject"), and those unknown or not run."""

    scenario: str
    faults: tuple[str, ...]
    fails: frozenset[str]
    unknown: frozenset[str]
    not_run: frozenset[str]
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " + ".join((self.scenario, *self.faults, *(f"--{key} {value}" for key, value in self.options.items())))


def row(
    faults: str,
    fails: Sequence[str] = (),
    *,
    unknown: Sequence[str] = (),
    not_run: Sequence[str] = (),
    scenario: str = "healthy",
    **options: Any,
) -> Row:
    return Row(scenario, tuple(faults.split()), frozenset(fails), frozenset(unknown), frozenset(not_run), options)


def mapi(check: str, *servers: str) -> list[str]:
    return [rf"{check} {server}\mapi (Default Web Site)" for server in servers]


def rpc(check: str, *servers: str) -> list[str]:
    return [rf"{check} {server}\Rpc (Default Web Site)" for server in servers]


def of(subject: str, *checks: str) -> list[str]:
    return [f"{check} {subject}" for check in checks]


EVERY_MAILBOX = (
    "mailbox-blocked-by-switch",
    "mailbox-mapi-disabled",
    "mailbox-overrides-off",
    "mailbox-overrides-on",
    "mailbox-upn-matches-address",
)
OF_CAS_MAILBOX = EVERY_MAILBOX[:-1]
RECOMMENDED, CONSISTENT = "vdir-mapi-authentication-recommended", "vdir-mapi-authentication-consistent"
METABASE = "vdir-mapi-metabase-matches"
PROTECTION, PROTECTED_ALIKE = "vdir-extended-protection-certificate", "vdir-extended-protection-consistent"

ROWS = [
    row(""),
    row("", scenario="enabled"),
    row("", scenario="mixed"),
    # URLs, names
    row("mapi-internal-url-other-host:EX02", of("Berlin", "vdir-mapi-urls-consistent")),
    row("mapi-external-url-other-host:EX02", of("Berlin", "vdir-mapi-urls-consistent")),
    row("mapi-internal-url-other-host:EX03"),  # the only server of its site
    row("mapi-internal-url-http:EX02"),  # told by the check of that URL
    row("mapi-internal-url-missing:EX02"),
    row("mapi-own-name"),
    row("mapi-own-name name-nxdomain:mapi.contoso.test", of("mapi.contoso.test", "name-shared")),
    row("mapi-own-name certificate-lacks-name:mapi.contoso.test", of("mapi.contoso.test", "name-shared")),
    row(
        "mapi-own-name name-refused:mapi.contoso.test",
        unknown=of("mapi.contoso.test", "name-shared"),
    ),
    # methods
    row("mapi-lacks-oauth:*", mapi(RECOMMENDED, *SERVERS)),
    row("mapi-lacks-oauth:EX02", [*mapi(RECOMMENDED, "EX02"), *of(MAIL, CONSISTENT)]),
    row("mapi-offers-basic:EX02", [*mapi(RECOMMENDED, "EX02"), *of(MAIL, CONSISTENT)]),
    row("mapi-basic-only:*"),  # told by vdir-mapi-authentication
    row("mapi-iis-lacks-negotiate:EX02", mapi(METABASE, "EX02")),
    row("powershell-german mapi-iis-lacks-negotiate:EX02", mapi(METABASE, "EX02")),
    # Extended Protection
    row("mapi-extended-protection:*"),
    row("mapi-extended-protection:*", scenario="enabled"),
    row("mapi-extended-protection:EX02", of(MAIL, PROTECTED_ALIKE)),
    row("mapi-extended-protection:* mapi-extended-protection-allow:EX02", of(MAIL, PROTECTED_ALIKE)),
    row("mapi-extended-protection:* proxy:mail.contoso.test"),  # with the servers' own certificate
    row("proxy-own-certificate:mail.contoso.test"),  # off: any certificate will do
    row(
        "mapi-extended-protection:* proxy-own-certificate:mail.contoso.test",
        mapi(PROTECTION, *SERVERS),
    ),
    row(
        "mapi-extended-protection-allow:* proxy-own-certificate:mail.contoso.test",
        mapi(PROTECTION, *SERVERS),
    ),
    row("mapi-extended-protection:* rpc-ssl-offloading:EX02", mapi(PROTECTION, "EX02")),
    row("mapi-extended-protection:* name-refused:mail.contoso.test", unknown=mapi(PROTECTION, *SERVERS)),
    row(
        "iis-unreadable:*",
        not_run=[check for each in (METABASE, PROTECTION, PROTECTED_ALIKE) for check in mapi(each, *SERVERS)],
    ),
    row(
        "powershell-german iis-unreadable:EX02",
        not_run=[*mapi(METABASE, "EX02"), *mapi(PROTECTION, "EX02"), *of(MAIL, PROTECTED_ALIKE)],
    ),
    row(
        "iis-unreadable:EX02 mapi-extended-protection:EX03",  # what is known already differs
        of(MAIL, PROTECTED_ALIKE),
        not_run=[*mapi(METABASE, "EX02"), *mapi(PROTECTION, "EX02")],
    ),
    row(
        "server-refused:EX02",
        unknown=[*mapi(METABASE, "EX02"), *mapi(PROTECTION, "EX02"), *of(MAIL, PROTECTED_ALIKE)],
    ),
    # Outlook Anywhere
    row("rpc-internal-hostname-missing:EX02", rpc("oa-hostnames", "EX02")),
    row("rpc-external-hostname-missing:EX02", rpc("oa-hostnames", "EX02")),
    row("rpc-hostnames-missing:EX02", rpc("oa-hostnames", "EX02")),
    row("nothing-published"),
    row("rpc-client-method-not-offered:EX02", rpc("oa-authentication", "EX02")),
    row("rpc-ssl-offloading:EX02"),
    row("rpc-extended-protection:EX02"),
    row("rpc-ssl-offloading:EX02 rpc-extended-protection:EX02", rpc("oa-ssl-offloading", "EX02")),
    row(
        "rpc-ssl-offloading:EX02 iis-unreadable:EX02",
        not_run=[
            *rpc("oa-ssl-offloading", "EX02"),
            *mapi(METABASE, "EX02"),
            *mapi(PROTECTION, "EX02"),
            *of(MAIL, PROTECTED_ALIKE),
        ],
    ),
    row("rpc-directory-missing:*"),
    # logon
    row("mapi-logon-failed:EX02", of("EX02", "connectivity-mapi-logon")),
    row("mapi-logon-timed-out:EX02", unknown=of("EX02", "connectivity-mapi-logon")),
    row("mapi-logon-unknown:EX02", unknown=of("EX02", "connectivity-mapi-logon")),
    row("mapi-logon-bare-name:EX02"),
    # mailboxes
    row("mailbox-mapi-http-off:30", of("Contoso", "mailbox-overrides-off")),
    row("mailbox-mapi-http-off", of("Fabrikam", "mailbox-overrides-off"), scenario="enabled"),
    row("mailbox-mapi-http-on:3"),
    row("mailbox-mapi-http-on-with-archive:2", of("Contoso", "mailbox-overrides-on")),
    row("mailbox-mapi-http-on-with-archive:2", scenario="enabled"),
    row("mailbox-blocks-rpc", of("Contoso", "mailbox-blocked-by-switch")),
    row("mailbox-blocks-rpc", scenario="enabled"),
    row("mailbox-blocks-external", of("Contoso", "mailbox-blocked-by-switch")),
    row("mailbox-blocks-external nothing-published"),
    row("mailbox-blocks-new-outlook", of("Contoso", "mailbox-blocked-by-switch")),
    row("mailbox-blocks-old-outlook"),
    row("mailbox-mapi-disabled:2", of("Contoso", "mailbox-mapi-disabled")),
    row("mailbox-upn-other-domain:2", of("Contoso", "mailbox-upn-matches-address")),
    row("mailbox-upn-other-name", of("Contoso", "mailbox-upn-matches-address")),
    row("mailbox-upn-other-name", of("Fabrikam", "mailbox-upn-matches-address-modern"), scenario="enabled"),
    row("mailboxes:0"),
    row("mailboxes:5001", not_run=of("Contoso", *EVERY_MAILBOX)),
    row("mailboxes:5001 mailbox-mapi-http-off", of("Contoso", "mailbox-overrides-off"), mailboxes="all", timeout=50),
    row("mailbox-mapi-http-off", not_run=of("Contoso", *EVERY_MAILBOX), mailboxes="none"),
    row("powershell-denies:Get-CASMailbox", unknown=of("Contoso", *OF_CAS_MAILBOX)),
    row("powershell-denies:Get-User", unknown=of("Contoso", "mailbox-upn-matches-address")),
    row("powershell-denies:Get-AcceptedDomain", unknown=of("Contoso", "mailbox-upn-matches-address")),
    row(
        "powershell-denies:Get-Mailbox mailbox-mapi-http-on",
        unknown=of("Contoso", "mailbox-overrides-on"),
    ),
]


def ours(report: Report, status: Status) -> set[str]:
    return {entry for entry in by_status(report, status) if entry.partition(" ")[0] in CHECKS}


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_exactly_the_expected_findings(case: Row) -> None:
    report = audit(case.scenario, case.faults, **case.options)
    assert ours(report, Status.FAIL) == case.fails
    assert ours(report, Status.UNKNOWN) == case.unknown
    assert ours(report, Status.NOT_RUN) == case.not_run
    assert not ours(report, Status.ERROR)
    assert not report.notes


def test_every_check_here_is_seen_to_fail() -> None:
    assert {entry.partition(" ")[0] for case in ROWS for entry in case.fails} == CHECKS


def test_an_account_that_may_not_read_iis_is_told_beside_the_answer() -> None:
    report = audit("healthy", ["iis-unreadable:*"])
    assert report.readiness is Readiness.READY
    assert PROTECTION in report.not_proven


def test_all_mailboxes_concerned_are_in_the_data() -> None:
    report = audit("healthy", ["mailbox-mapi-http-off:300"])
    (finding,) = [finding for finding in report.findings if finding.check == "mailbox-overrides-off"]
    named = {name for _, piece in finding.evidence for name in piece.split(", ")}
    assert named == {f"off{number}@contoso.test" for number in range(1, 301)}
