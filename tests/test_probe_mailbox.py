"""`mapiready probe --mailbox ADDRESS HOST…` from outside: the whole chain, and what a new user reads of each fault."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checker.audit import audit_organisation
from checker.password import AccountCredential
from checker.results import Finding, Readiness, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import load_settings
from lab.organisation import RunningLab, start
from lab.scenario import Vantage
from reports import FORMATS, RenderOptions
from tests.lab_audit import audit_running, key
from tests.test_matrix import told

MAIL, AUTODISCOVER = "mail.contoso.test", "autodiscover.contoso.test"
BOTH = (MAIL, AUTODISCOVER)
TIMES = ("resolve", "connect", "tls", "sign-in", "protocol")


@contextmanager
def outside(*faults: str) -> Iterator[RunningLab]:
    with start("healthy", faults=faults, vantage=Vantage.OUTSIDE, now=datetime.now(UTC)) as lab:
        yield lab


def probe(lab: RunningLab, hosts: Sequence[str] = BOTH, password: str | None = None, **options: Any) -> Report:
    settings = load_settings(
        {
            "name": list(hosts),
            "mailbox": lab.account.address,
            "account": lab.account.user,
            "vantage": "outside",
            "ca-file": str(lab.ca_file),
            "nameserver": lab.nameserver,
            "resolve": list(lab.resolve),
            "timeout": 8,
            "deadline": 40,
            **options,
        },
        None,
        probe=True,
    )
    credential = AccountCredential(Secret(password or lab.account.password), None)
    return audit_organisation(settings, None, NoProgress(), lambda _: (), credential=credential).report


def of(report: Report, check: str, *statuses: Status) -> list[Finding]:
    return [f for f in report.findings if f.check == check and (not statuses or f.status in statuses)]


def screen(report: Report) -> str:
    """What a terminal of 80 columns shows, as one line."""
    text = FORMATS["terminal"].render(report, RenderOptions(width=80))
    assert isinstance(text, str)
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


# --- the chain --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["prepare", "verify"])
def test_the_whole_chain(stage: str) -> None:
    with outside("mapi-http-on") as lab:
        report = probe(lab, stage=stage)
        assert lab.open_sessions == ()
    assert report.readiness is Readiness.PARTIAL
    assert not [f for f in report.findings if f.status in (Status.FAIL, Status.ERROR, Status.UNKNOWN)]
    for check in ("signin-mapi", "protocol-emsmdb", "protocol-nspi"):
        assert {finding.subject.name for finding in of(report, check, Status.PASS)} == {*BOTH}
    offers = of(report, "autodiscover-offers-mapi-http", Status.PASS)
    assert len(offers) == (1 if stage == "verify" else 0)
    assert all(MAIL in finding.summary for finding in offers)


@pytest.mark.parametrize(
    ("hosts", "known"),
    [((AUTODISCOVER,), False), ((AUTODISCOVER, MAIL), True), ((AUTODISCOVER, "MAIL.contoso.test."), True)],
)
def test_where_autodiscover_leads_is_told_when_nobody_looked_there(hosts: tuple[str, ...], known: bool) -> None:
    with outside("mapi-http-on") as lab:
        report = probe(lab, hosts, stage="verify")
    (finding,) = of(report, "autodiscover-urls-match")
    assert finding.status is Status.NOT_RUN
    assert (f"mapiready probe … {MAIL}" in finding.summary) is not known
    assert (f"Autodiscover sends Outlook to {MAIL}" in screen(report)) is not known


def test_times_of_every_step_are_evidence_and_in_the_page() -> None:
    with outside("proxy-balances-per-request") as lab:
        report = probe(lab)
    (finding,) = of(report, "signin-mapi", Status.FAIL)
    assert [name for name, _ in finding.evidence if name.startswith("time")] == [f"time {step}" for step in TIMES]
    page = FORMATS["html"].render(report, RenderOptions())
    assert isinstance(page, str)
    for step in TIMES:
        assert f"time {step}" in page


# --- the words --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Faults, the check that tells them, and what must be on the screen: step, party, cause and remedy."""

    faults: tuple[str, ...]
    check: str
    words: tuple[str, ...]
    status: Status = Status.FAIL
    password: str | None = None

    def __str__(self) -> str:
        return ", ".join(self.faults) or f"password {self.password}"


TOLD = [
    Told(
        (),
        "signin-mapi",
        ("refused the sign-in", "by NTLM", "Either user or password are wrong", "Check the password", "not sent again"),
        Status.UNKNOWN,
        "wrong-Passw0rd",
    ),
    Told(
        ("proxy-own-certificate", "mapi-extended-protection:*"),
        "signin-mapi",
        (
            "after the last step",
            "Exchange (EX0",
            "Extended Protection",
            "load balancer: Serve at mail.contoso.test the very",
        ),
    ),
    Told(
        ("proxy-balances-per-request",),
        "signin-mapi",
        ("one sign-in was answered by", "chooses a server for each request", "load balancer: Keep all requests of one"),
    ),
    Told(
        ("proxy-mapi-basic-only",),
        "signin-mapi",
        ("after the credential was sent", "asks for a sign-in of its own", "reverse proxy: Exempt /mapi/*"),
    ),
    Told(
        ("proxy-mapi-login-page-after-sign-in",),
        "signin-mapi",
        ("after the credential was sent", "a login page", "reverse proxy: Exempt /mapi/*"),
    ),
    Told(
        ("proxy-withholds-authorization",),
        "signin-mapi",
        (
            "the first message of the sign-in",
            "Exchange (EX0",
            "had been taken out",
            "reverse proxy: Pass Authorization",
        ),
    ),
    Told(
        ("proxy-mapi-404",),
        "endpoint-mapi-challenge",
        ("404 by nginx", "without a challenge", "load balancer: Publish /mapi/*", "not looked at: 5 findings"),
    ),
    Told(
        ("proxy-mapi-login-redirect",),
        "endpoint-mapi-challenge",
        ("302", "a login page", "reverse proxy: Exempt /mapi/*"),
    ),
    Told(
        ("proxy-strips-mapi-headers",),
        "protocol-emsmdb",
        ("PING is answered with 200", "takes out headers", "reverse proxy: Pass the answers"),
    ),
    Told(
        ("account-mapi-disabled",),
        "protocol-emsmdb",
        ("Connect is refused", "ecProtocolDisabled", "MAPI is turned off for this mailbox", "Get-CASMailbox -Identity"),
    ),
    Told(
        ("mapi-connect-refused:*",),
        "protocol-emsmdb",
        (
            "Connect is refused",
            "ecAccessDenied",
            "not the owner of this mailbox",
            "administrator: Give the test account",
        ),
    ),
    Told(
        ("proxy-strips-cookies",),
        "protocol-emsmdb",
        ("session", "load balancer: Pass the cookies"),
    ),
    Told(("name-reset",), "endpoint-reachable", (MAIL,)),
]


@pytest.mark.parametrize("case", TOLD, ids=str)
def test_a_fault_is_told_with_step_party_cause_and_remedy(case: Told) -> None:
    with outside(*case.faults) as lab:
        report = probe(lab, password=case.password)
        assert lab.bad_passwords == (0 if case.password is None else 1)
    assert case.check in {finding.check for finding in report.findings if finding.status is case.status}
    shown = screen(report)
    assert [word for word in case.words if word not in shown] == [], shown
    assert report.readiness is (Readiness.INCONCLUSIVE if case.status is Status.UNKNOWN else Readiness.NOT_READY)


def test_the_command(tmp_path: Path) -> None:
    """As a user runs it, with the password in a file."""
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    with outside("proxy-balances-per-request") as lab:
        secret.write_text(lab.account.password)
        words = ["probe", "--mailbox", lab.account.address, "--account", lab.account.user, *BOTH]
        words += ["--account-password-file", str(secret), "--ca-file", str(lab.ca_file), "--nameserver", lab.nameserver]
        words += [word for entry in lab.resolve for word in ("--resolve", entry)]
        done = subprocess.run(
            [sys.executable, "-m", "checker", *words],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert lab.open_sessions == ()
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "chooses a server for each request" in " ".join(done.stdout.split())


# --- without PowerShell, and narrowed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [("powershell-refused",), ("powershell-user-not-enabled",)])
def test_a_check_without_powershell_proves_the_account_by_the_names_that_are_given(faults: tuple[str, ...]) -> None:
    with start("healthy", faults=faults, now=datetime.now(UTC)) as lab:
        report = audit_running(lab, signed_in=True, name=[MAIL, AUTODISCOVER])
        assert lab.open_sessions == ()
        assert lab.bad_passwords == 0
    assert {finding.subject.name for finding in of(report, "signin-mapi", Status.PASS)} == {*BOTH}
    assert not [f for f in report.findings if f.status is Status.ERROR]
    assert not [f for f in report.findings if f.status is Status.FAIL and f.subject.name in BOTH], told(report.findings)
    assert report.readiness is Readiness.INCONCLUSIVE


@pytest.mark.parametrize(
    "only",
    ["signin-mapi", "signin-mapi-each-scheme", "signin-rpc", "protocol-emsmdb", "protocol-nspi", "protocol-rpc-echo"],
)
def test_one_check_alone_has_all_that_it_needs(only: str) -> None:
    with start("healthy", now=datetime.now(UTC)) as lab:
        report = audit_running(lab, signed_in=True, only=[only])
    judged = [finding for finding in report.findings if finding.status is not Status.NOT_RUN]
    assert {key(finding) for finding in judged} >= {f"{only} {MAIL}"}
    assert {finding.status for finding in judged} == {Status.PASS}, told(judged)
    assert report.readiness is Readiness.PARTIAL
