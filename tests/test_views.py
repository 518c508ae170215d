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


def copied(report: Report, **changed: object) -> Report:
    """The same report from another place, its findings of these checks with another status."""
    statuses = {name.replace("_", "-"): status for name, status in changed.items()}
    findings = [replace(each, status=statuses.get(each.check, each.status)) for each in report.findings]  # type: ignore[arg-type] # the statuses of this test
    return replace(report, vantage="inside:elsewhere", findings=tuple(findings))


def standing(report: Report, check: str) -> set[tuple[str, str | None, Status]]:
    return {
        (finding.subject.name, finding.subject.vantage, finding.status)
        for finding in report.findings
        if finding.check == check
    }


def test_what_does_not_depend_on_the_place_stands_once(views: tuple[Report, Report]) -> None:
    inside, _ = views
    merged = merge([inside, copied(inside)])
    for check in ("vdir-mapi-authentication-consistent", "kerberos-asa-consistent", "server-services-running"):
        assert standing(merged, check) == standing(inside, check), check
    names = standing(merged, "name-resolves")
    assert {vantage for _, vantage, _ in names} == {"inside", "inside:elsewhere"}
    assert len({(each.check, each.subject.key) for each in merged.findings}) == len(merged.findings)


def test_of_one_subject_the_view_counts_that_saw_most(views: tuple[Report, Report]) -> None:
    inside, _ = views
    # Another view saw less of the servers, or more.
    for check in ("server-build-current", "server-services-running"):
        servers = {name for name, _, _ in standing(inside, check)}
        for status in (Status.UNKNOWN, Status.NOT_RUN):
            other = copied(inside, **{check.replace("-", "_"): status})
            for order in ((inside, other), (other, inside)):
                assert standing(merge(order), check) == {(name, None, Status.PASS) for name in servers}
    failing = copied(inside, server_build_current=Status.FAIL, server_services_running=Status.FAIL)
    for order in ((inside, failing), (failing, inside)):
        merged = merge(order)
        assert {status for _, _, status in standing(merged, "server-build-current")} == {Status.FAIL}
        # Remote PowerShell says the same wherever it is judged: the main view counts.
        services = {status for _, _, status in standing(merged, "server-services-running")}
        assert services == ({Status.PASS} if order[0] is inside else {Status.FAIL})
