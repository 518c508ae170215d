"""The default sign-in against a real KDC: a ticket, http with message encryption, no password anywhere; and https."""

from pathlib import Path

import pytest

from checker.audit import audit_organisation
from checker.results import Readiness, Report, Status
from checker.runner import NoProgress
from checker.settings import load_settings
from lab.organisation import RunningLab, start
from tests.kdc import Kdc


def audited(lab: RunningLab, **changes: object) -> Report:
    """What the command would give with its defaults: the ticket cache signs in, nobody is asked for anything."""

    def emit(_report: Report) -> tuple[Path, ...]:
        return ()

    options = {
        "server": list(lab.server_names[:1]),
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now,
        "deadline": 60,
        **changes,
    }
    return audit_organisation(load_settings(options, None), None, NoProgress(), emit).report


@pytest.mark.parametrize("changes", [{}, {"scheme": "https", "port": 5986}], ids=["http, encrypted", "https"])
def test_a_ticket_is_all_that_the_default_needs(kerberos: Kdc, changes: dict[str, object]) -> None:
    kerberos.kinit("audit")
    with start("healthy", faults=["powershell-as-installed"]) as lab:
        report = audited(lab, **changes)
        schemes = {seen.authorization for seen in lab.journal if seen.authorization}
    assert report.readiness is Readiness.READY, report.findings
    assert schemes == {"Negotiate"}


def test_without_a_ticket_it_says_what_to_do(kerberos: Kdc) -> None:
    with start("healthy", faults=["powershell-as-installed"]) as lab:
        report = audited(lab)
    assert report.readiness is Readiness.INCONCLUSIVE
    sentences = {finding.summary for finding in report.findings if finding.status is Status.UNKNOWN}
    assert any("kinit" in sentence for sentence in sentences)
