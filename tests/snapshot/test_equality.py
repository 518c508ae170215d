"""Live and from the snapshot that the same run kept: the same findings, word by word."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checker.audit import audit_organisation, gather_organisation
from checker.judging import judge_files
from checker.password import AccountCredential
from checker.results import Finding, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import Settings, load_settings
from lab.organisation import RunningLab, start
from lab.scenario import Vantage
from tests.faults.test_secrets import forms
from tests.lab_audit import settings_for

FILE = "org.mapiready.zip"


@dataclass(frozen=True)
class Twice:
    """A run, and the judgement of what it kept."""

    live: Report
    judged: Report


def kept(settings: Settings, password: str | None, file: Path) -> Report:
    """The report of a live run that keeps a snapshot."""
    secret = None if password is None else Secret(password)
    outcome = audit_organisation(settings, secret, NoProgress(), lambda _report: (), keep=file)
    assert outcome.written == (file,)
    return outcome.report


def judged(*files: Path, **options: Any) -> Report:
    """The report of saved files."""
    return judge_files([str(file) for file in files], replace(Settings(server=()), **options))


def twice(lab: RunningLab, file: Path, **options: Any) -> Twice:
    """Live, with its snapshot; then the snapshot."""
    live = kept(settings_for(lab, **options), lab.password, file)
    return Twice(live, judged(file, now=lab.now))


def differences(one: Report, other: Report) -> list[Finding]:
    """Findings of one report that are not word by word in the other one, too."""
    return [
        *(finding for finding in one.findings if finding not in other.findings),
        *(finding for finding in other.findings if finding not in one.findings),
    ]


def assert_alike(both: Twice) -> None:
    """All that a report says but what the clock says of the run itself, and what was found in which file."""
    live, again = both.live, both.judged
    assert not differences(live, again)
    assert live.findings == again.findings
    for name in (
        "organisation", "started", "judged_at", "tool_version", "vantage", "stage", "stage_reason", "servers", "names",
        "narrowed", "interrupted", "readiness", "headline", "not_proven", "counts",
    ):  # fmt: skip
        assert getattr(live, name) == getattr(again, name), name
    assert set(live.notes) <= set(again.notes)


@pytest.mark.parametrize(
    ("scenario", "faults"),
    [
        ("healthy", ()),
        ("broken", ()),
        ("mixed", ()),
        ("enabled", ()),
        ("healthy", ("certificate-expired",)),
    ],
)
def test_a_snapshot_is_judged_as_the_run_that_kept_it(scenario: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    with start(scenario, faults=faults) as lab:
        assert_alike(twice(lab, tmp_path / FILE))


@pytest.mark.parametrize(
    "faults",
    [
        ("create:*:http:401",),
        ("create:*:http:503",),
        ("create:*:garbage",),
        ("command:3:http:500",),
        ("command:4+:http:500",),
        ("receive:5:garbage",),
        ("receive:4+:garbage",),
        ("receive:9:drop",),
        ("receive:5:wsman:2150858843",),
        ("EX01=receive:7+:reset",),
        ("command:6:relates-to",),
    ],
    ids=lambda faults: ",".join(faults),
)
def test_faults_of_remote_powershell_are_kept_with_the_answers(faults: tuple[str, ...], tmp_path: Path) -> None:
    with start("healthy", powershell_faults=faults) as lab:
        both = twice(lab, tmp_path / FILE, sessions=1, timeout=5)
    assert_alike(both)
    if "*" in faults[0] or "+" in faults[0]:  # one that strikes once may strike what nobody needs
        assert both.live.notes or any(finding.status is Status.UNKNOWN for finding in both.live.findings)


def test_what_is_not_reached_is_kept(tmp_path: Path) -> None:
    with start("healthy") as lab:
        gone = [entry for entry in lab.resolve if not entry.startswith(("mail.contoso.test:443", "ex02"))]
        closed = "ex02.contoso.test:443:127.0.0.1:9"
        both = twice(lab, tmp_path / FILE, resolve=[*gone, closed])
    assert_alike(both)
    assert any(finding.status is Status.FAIL for finding in both.live.findings)


def test_one_who_trusts_other_roots_keeps_that(tmp_path: Path) -> None:
    with start("healthy") as lab:
        both = twice(lab, tmp_path / FILE, trust="system")
    assert_alike(both)
    assert both.live.findings


@pytest.mark.parametrize(
    "options",
    [
        {"stage": "verify"},
        {"only": ["mailboxes"]},
        {"mailboxes": "none"},
        {"vantage": "outside:home"},
        {"servers": ["EX02"]},
    ],
    ids=str,
)
def test_what_shaped_the_questions_is_kept(options: dict[str, Any], tmp_path: Path) -> None:
    with start("healthy") as lab:
        live = kept(settings_for(lab, **options), lab.password, tmp_path / FILE)
    again = judged(tmp_path / FILE, now=lab.now, **({"only": ("mailboxes",)} if "only" in options else {}))
    assert_alike(Twice(live, again))


def test_a_probe_is_judged_as_it_was(tmp_path: Path) -> None:
    with start("broken", vantage=Vantage.OUTSIDE) as lab:
        live = kept(probe_settings(lab), None, tmp_path / FILE)
    again = judged(tmp_path / FILE, now=lab.now)
    assert_alike(Twice(live, again))
    assert again.narrowed == ("probe",)


def probe_settings(lab: RunningLab, **options: Any) -> Settings:
    """Of somebody outside, who has the root of the lab."""
    return load_settings(
        {
            "name": ["mail.contoso.test", "autodiscover.contoso.test"],
            "ca-file": str(lab.ca_file),
            "nameserver": lab.nameserver,
            "resolve": list(lab.resolve),
            "vantage": "outside",
            "now": lab.now,
            "timeout": 8,
            "deadline": 30,
            **options,
        },
        None,
        probe=True,
    )


def timeless(report: Report) -> Report:
    """Without how long an answer took: two runs are compared."""

    def plain(finding: Finding) -> Finding:
        evidence = tuple((name, "…" if name == "time" else value) for name, value in finding.evidence)
        return replace(finding, summary=re.sub(r"in [0-9.]+ s", "in … s", finding.summary), evidence=evidence)

    return replace(report, findings=tuple(plain(finding) for finding in report.findings))


@pytest.mark.parametrize("scenario", ["healthy", "broken", "mixed", "enabled"])
def test_gathered_then_judged_is_as_checked(scenario: str, tmp_path: Path) -> None:
    with start(scenario) as lab:
        settings = settings_for(lab)
        live = audit_organisation(settings, Secret(lab.password), NoProgress(), lambda _report: ()).report
        gathering = gather_organisation(settings, Secret(lab.password), NoProgress(), tmp_path / FILE)
    assert gathering.written == tmp_path / FILE
    assert gathering.gathered.stopped is None
    again = judged(tmp_path / FILE, now=lab.now)
    assert gathering.gathered.servers == again.servers
    assert gathering.gathered.names == again.names
    assert_alike(Twice(replace(timeless(live), started=again.started), timeless(again)))


def test_a_gathering_knows_both_stages(tmp_path: Path) -> None:
    with start("healthy") as lab:
        settings = settings_for(lab)
        gather_organisation(settings, Secret(lab.password), NoProgress(), tmp_path / FILE)
    for stage in ("prepare", "verify"):
        report = judged(tmp_path / FILE, now=lab.now, stage=load_settings({"server": "x", "stage": stage}, None).stage)
        assert not [finding for finding in report.findings if "does not hold" in finding.summary]


def test_the_deadline_keeps_what_is_there(tmp_path: Path) -> None:
    with start("healthy", latency_per_cmdlet=0.4) as lab:
        settings = settings_for(lab, deadline=2.5, sessions=1)
        live = kept(settings, lab.password, tmp_path / FILE)
    again = judged(tmp_path / FILE, now=lab.now)
    late = {finding.check for finding in live.findings if finding.reason and finding.reason.value == "deadline"}
    assert late
    assert again.readiness is live.readiness
    assert again.organisation == live.organisation is not None
    # What was answered just before it may tell more than the run had time to say; nothing else is another.
    assert {finding.check for finding in differences(live, again)} <= late


@pytest.mark.parametrize("faults", [(), ("create:*:http:401",)], ids=str)
def test_what_the_test_account_got_is_kept_and_its_password_is_not(faults: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / FILE
    with start("enabled", now=datetime.now(UTC), powershell_faults=faults) as lab:
        settings = settings_for(lab, mailbox=lab.account.address, account=lab.account.user)
        credential = AccountCredential(Secret(lab.account.password), None)
        live = audit_organisation(
            settings, Secret(lab.password), NoProgress(), lambda _report: (), keep=file, credential=credential
        ).report
        secrets = (*forms(lab.account.password), *forms(lab.password))
    assert_alike(Twice(live, judged(file, now=lab.now)))
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            assert not [form for form in secrets if form in archive.read(name)], name
        signed = archive.read("account.jsonl")
    assert (b'"kind":"mapi-conversation"' in signed) == (not faults)
    # The source has taken out the values of cookies, and what stands behind NTLM and Negotiate.
    assert {value[:6] for value in signed.split(b"MapiContext=")[1:]} <= {rb"\u2026"}
    assert not re.findall(rb'"www-authenticate","(?:NTLM|Negotiate) ', signed)
