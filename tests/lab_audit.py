"""The tool against the lab, as `mapiready check` runs it: one call that starts an organisation and gives the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from checker.audit import audit_organisation
from checker.password import AccountCredential
from checker.results import Finding, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import Settings, load_settings
from lab.organisation import RunningLab, start
from lab.scenario import Scenario

__all__ = ["audit", "audit_running", "audit_signed_in", "by_status", "key", "settings_for"]


def settings_for(lab: RunningLab, **options: Any) -> Settings:
    """The settings of an administrator of this lab: Basic over https, its CA, its DNS, its now; with `trust="system"`
    of one who knows nothing of its CA, and signs in by NTLM."""
    trusting = {"auth": "basic", "scheme": "https", "port": lab.powershell_https_port, "ca-file": str(lab.ca_file)}
    if options.pop("trust", "given") == "system":
        trusting = {"auth": "ntlm"}
    return load_settings(
        {
            "server": list(lab.server_names[:2]),
            "user": lab.user,
            **trusting,
            "nameserver": lab.nameserver,
            "resolve": list(lab.resolve),
            "now": lab.now,
            "timeout": 12,
            "deadline": 60,
            **{name.replace("_", "-"): value for name, value in options.items()},
        },
        None,
    )


def audit_running(lab: RunningLab, *, signed_in: bool = False, **options: Any) -> Report:
    """The report of a run against a lab that is up; `signed_in` with its test account."""

    def emit(_report: Report) -> tuple[Path, ...]:
        return ()

    credential = None
    if signed_in:
        options = {"mailbox": lab.account.address, "account": lab.account.user, **options}
        credential = AccountCredential(Secret(lab.account.password), None)
    settings = settings_for(lab, **options)
    return audit_organisation(settings, Secret(lab.password), NoProgress(), emit, credential=credential).report


def audit(scenario: str | Scenario, faults: Sequence[str] = (), **options: Any) -> Report:
    """Starts a scenario with faults, audits it, stops it."""
    with start(scenario, faults=faults) as lab:
        return audit_running(lab, **options)


def audit_signed_in(scenario: str | Scenario, faults: Sequence[str] = (), **options: Any) -> Report:
    """The same with the lab's test account. Who sends a credential verifies by the real clock, so the scenario is moved
    to the present."""
    with start(scenario, faults=faults, now=datetime.now(UTC)) as lab:
        return audit_running(lab, signed_in=True, **options)


def key(finding: Finding) -> str:
    """A finding as the tables write it: "check subject"."""
    return f"{finding.check} {finding.subject.name}"


def by_status(report: Report, status: Status) -> set[str]:
    """The findings that ended so."""
    return {key(finding) for finding in report.findings if finding.status is status}
