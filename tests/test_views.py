"""Views from inside and outside in one report: findings say from where, and each answers what the other could not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from checker.audit import audit_organisation
from checker.results import Readiness, Report, Status
from checker.runner import NoProgress
from checker.settings import load_settings
from checker.views import ViewsError, merge
from lab.organisation import RunningLab, start
from reports.json_report import parse, render
from tests.lab_audit import audit_running

MAIL = "mail.fabrikam.example"


def probe(lab: RunningLab, *hosts: str) -> Report:
    """What somebody outside sees of these hosts."""
    options = {
        "name": list(hosts),
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now,
        "vantage": "outside:home",
    }
    return audit_organisation(load_settings(options, None, probe=True), None, NoProgress(), lambda _report: ()).report


@pytest.fixture(scope="module")
def views() -> Iterator[tuple[Report, Report]]:
    with start("enabled", faults=[f"name-refused:{MAIL}"]) as lab:
        yield audit_running(lab), probe(lab, MAIL)


def test_what_is_seen_from_outside_counts(views: tuple[Report, Report]) -> None:
    inside, outside = views
    assert inside.readiness is Readiness.READY  # from inside, a name for the outside need not answer
    merged = merge(views)
    assert merged.readiness is Readiness.NOT_READY
    failing = [finding for finding in merged.findings if finding.status is Status.FAIL]
    assert {(finding.check, finding.subject.name, finding.subject.vantage) for finding in failing} == {
        ("endpoint-reachable", MAIL, "outside:home")
    }
    assert merged.vantage == "inside and outside:home"
    assert merged.organisation == inside.organisation
    assert outside.organisation is None


def test_nothing_that_one_view_answered_is_not_run(views: tuple[Report, Report]) -> None:
    inside, _ = views
    merged = merge(views)
    answered = {finding.check for finding in inside.findings if finding.status is not Status.NOT_RUN}
    left = {finding.check for finding in merged.findings if finding.status is Status.NOT_RUN}
    assert not answered & {check for check in left if check.startswith(("org-", "server-", "vdir-", "mailbox-"))}
    assert f"endpoint-reachable {MAIL}" not in {
        f"{finding.check} {finding.subject.name}" for finding in merged.findings if finding.status is Status.NOT_RUN
    }


def test_what_is_folded_stays_under_the_failure_of_its_own_view(views: tuple[Report, Report]) -> None:
    folded = [finding for finding in merge(views).findings if finding.because is not None]
    assert folded
    assert {finding.because.subject.vantage for finding in folded if finding.because} == {"outside:home"}


def test_a_merged_report_is_a_report(views: tuple[Report, Report]) -> None:
    merged = merge(views)
    assert parse(render(merged)) == merged
    assert merge([merged]) == merged


def test_views_of_two_organisations_or_of_one_place_are_refused(views: tuple[Report, Report]) -> None:
    inside, _ = views
    with pytest.raises(ViewsError, match="Contoso, Fabrikam"):
        merge([inside, replace(inside, organisation="Contoso")])
    with pytest.raises(ViewsError, match="--vantage inside:LABEL"):
        merge([inside, inside])
