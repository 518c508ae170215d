"""Healthy organisations of many kinds, audited with the test account: nothing fails, breaks or stays unknown that does
not without it, and the account is judged wherever it can be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from checker.answers import Reason
from checker.audit import audit_organisation
from checker.password import AccountCredential
from checker.results import Category, Finding, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from lab.organisation import RunningLab, start
from lab.scenario import Vantage, parse
from tests.lab_audit import audit_running, key, settings_for
from tests.test_false_alarms import NOW, ORGANISATIONS, POWERSHELL, SE
from tests.test_matrix import told

SERVERS = f"[servers.EX01]\n{SE}[servers.EX02]\n{SE}"
SWITCHED = f"{NOW}[organisation]\nmapi_http_enabled = true\n"
TWO, TWO_SWITCHED = NOW + SERVERS, SWITCHED + SERVERS
MIXED = """[servers.EX16]
build = "15.1.2507.6"
update = "15.1.2507.61"
[servers.EX13]
build = "15.0.1497.2"
update = "15.0.1497.48"
"""
TROUBLE = (Status.FAIL, Status.ERROR, Status.UNKNOWN)
AGREED = frozenset({"signin-mapi", "protocol-emsmdb"})
"""What passes by every name, when nothing is wrong."""


@dataclass(frozen=True)
class Organisation:
    """A scenario in its file's words, faults that are none here, and how the account is given.

    `passes` are checks with nothing but passes, at least one; none where this machine does not trust the certificates
    (`untrusted`), and so sends nothing.
    """

    name: str
    text: str
    faults: tuple[str, ...] = ()
    token: bool = False
    account: str | None = None
    vantage: Vantage = Vantage.BOTH
    passes: frozenset[str] = AGREED
    untrusted: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


HERE = [
    Organisation(
        each.name,
        each.text,
        each.faults,
        untrusted=bool(each.unknown),
        options=each.options,
    )
    for each in ORGANISATIONS
]
"""Those that are healthy without an account, at the present."""

MORE = [
    Organisation("OAuth alone, with a token", TWO, ("mapi-oauth-only:*",), token=True),
    Organisation(
        "a token where passwords do as well",
        TWO_SWITCHED,
        token=True,
        passes=AGREED | {"autodiscover-offers-mapi-http", "autodiscover-urls-match"},
    ),
    Organisation("Negotiate alone", TWO, ("mapi-negotiate-only:*",)),
    Organisation("the account as user@domain", TWO, account="user1@contoso.test"),
    Organisation("layer 4, one server after the other", TWO, ("name-round-robin",)),
    Organisation("a reverse proxy with the same certificate", TWO, ("proxy",)),
    Organisation("the same, with Extended Protection", TWO, ("proxy", "mapi-extended-protection:*")),
    Organisation("layer 4 with Extended Protection", TWO, ("name-round-robin", "mapi-extended-protection:*")),
    Organisation(
        "Extended Protection everywhere",
        TWO,
        ("mapi-extended-protection:*", "rpc-extended-protection:*"),
        passes=AGREED | {"signin-rpc", "protocol-rpc-echo"},
    ),
    Organisation("a proxy with another certificate, where bindings are not checked", TWO, ("proxy-own-certificate",)),
    Organisation("2013 beside 2016", NOW + MIXED),
    Organisation(
        "2013 beside 2016, after the switch", SWITCHED + MIXED, passes=AGREED | {"autodiscover-offers-mapi-http"}
    ),
    Organisation(
        "after the switch",
        TWO_SWITCHED,
        passes=AGREED | {"autodiscover-offers-mapi-http", "autodiscover-urls-match", "autodiscover-only-mapi-http"},
    ),
    Organisation(
        "after the switch, from outside", TWO_SWITCHED, vantage=Vantage.OUTSIDE, options={"vantage": "outside"}
    ),
    Organisation("before the switch, from outside", TWO, vantage=Vantage.OUTSIDE, options={"vantage": "outside"}),
    Organisation("before the switch, the account goes first", TWO, ("account-mapi-http-on",)),
    Organisation("no Outlook Anywhere", TWO, ("rpc-directory-missing:*",)),
    Organisation("Outlook Anywhere not told to anybody", TWO, ("rpc-hostnames-missing:*",)),
    Organisation("Autodiscover by an SRV record", TWO_SWITCHED, ("autodiscover-by-srv",)),
    Organisation("Autodiscover by a redirect of plain http", TWO_SWITCHED, ("autodiscover-by-http-redirect",)),
    Organisation("Autodiscover with Basic alone", TWO_SWITCHED, ("autodiscover-basic-only:*",)),
    Organisation("slow answers, told as pending", TWO, ("mapi-pending:*",)),
    Organisation("a wildcard, and Extended Protection", TWO, ("certificate-wildcard", "mapi-extended-protection:*")),
]


def found(report: Report, *statuses: Status) -> dict[str, Finding]:
    return {key(finding): finding for finding in report.findings if finding.status in statuses}


def with_token(lab: RunningLab, options: Mapping[str, Any]) -> Report:
    settings = settings_for(lab, **{"mailbox": lab.account.address, **options})
    credential = AccountCredential(None, Secret(lab.account.token))
    return audit_organisation(settings, Secret(lab.password), NoProgress(), lambda _: (), credential=credential).report


def audited(organisation: Organisation) -> tuple[Report, Report]:
    """Without the account, and with it."""
    scenario = parse(organisation.text + POWERSHELL, "test", faults=organisation.faults)
    with start(scenario, now=datetime.now(UTC), vantage=organisation.vantage) as lab:
        options = organisation.options
        if organisation.vantage is Vantage.OUTSIDE:
            options = {**options, "resolve": [*lab.resolve, *inside(lab)]}
        without = audit_running(lab, **options)
        if organisation.account:
            options = {**options, "account": organisation.account}
        account = with_token(lab, options) if organisation.token else audit_running(lab, signed_in=True, **options)
        assert lab.bad_passwords == 0
        assert lab.open_sessions == ()
    return without, account


def inside(lab: RunningLab) -> list[str]:
    """How the administrator, who looks from outside, gets to remote PowerShell all the same."""
    return [
        entry
        for fqdn, endpoint in lab.endpoints.items()
        for entry in (
            f"{fqdn}:80:127.0.0.1:{endpoint.http_port}",
            f"{fqdn}:{lab.powershell_https_port}:127.0.0.1:{endpoint.https_port}",
        )
    ]


@pytest.mark.parametrize("organisation", [*HERE, *MORE], ids=str)
def test_the_account_makes_nothing_wrong(organisation: Organisation) -> None:
    without, account = audited(organisation)
    before, now = found(without, *TROUBLE), found(account, *TROUBLE)
    new = [finding for name, finding in now.items() if name not in before and finding.because is None]
    if organisation.untrusted:
        assert {finding.category for finding in new} == {Category.SIGN_IN}
        assert {finding.reason for finding in new} == {Reason.UNTRUSTED_CERTIFICATE}, told(new)
    else:
        assert new == [], told(new)
        for check in organisation.passes:
            said = [finding for finding in account.findings if finding.check == check]
            well = {finding.status for finding in said}
            assert Status.PASS in well, told(said)
            assert well <= {Status.PASS, Status.NOT_APPLICABLE, Status.NOT_RUN}, told(said)
    assert all(finding.status is Status.NOT_RUN for finding in without.findings if finding.category is Category.SIGN_IN)
