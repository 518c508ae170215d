"""The summary over several organisations says the same in each format, and hostile names do no harm in any."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checker.results import Counts, ExitCode, Readiness
from checker.summary import Ending, OrganisationRun, Summary, Verdict, summarise
from reports import RenderOptions
from reports.summary import SUMMARY_FORMATS, render_html, render_json, render_terminal

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"
COUNTS = Counts(
    total=10,
    passed=5,
    failed_blockers=1,
    failed_warnings=2,
    failed_advice=0,
    not_applicable=0,
    unknown=2,
    error=0,
    not_run=0,
    accepted=0,
    checks=8,
    checks_known=80,
)


def reported(name: str, readiness: Readiness, code: ExitCode, organisation: str | None = None) -> OrganisationRun:
    return OrganisationRun(
        name=name,
        ending=Ending.REPORTED,
        code=code,
        verdict=Verdict(
            organisation=organisation,
            readiness=readiness,
            headline=readiness.value.replace("-", " ").upper(),
            counts=COUNTS,
        ),
        seconds=41.0,
        reports=(("html", f"{name}/mapiready-report.html"),),
    )


RUNS = (
    reported("contoso", Readiness.READY, ExitCode.OK),
    reported("fabrikam", Readiness.NOT_READY, ExitCode.NOT_READY, HOSTILE),
    reported("strict", Readiness.READY, ExitCode.NOT_READY),  # --fail-on warning
    OrganisationRun(name="nobody", ending=Ending.FAILED, code=ExitCode.USAGE, told=(f"No password: {HOSTILE}.",)),
    OrganisationRun(name="late", ending=Ending.NOT_STARTED, code=ExitCode.INCONCLUSIVE),
    OrganisationRun(name="other", ending=Ending.NOT_CHOSEN, code=None),
)


def summary(*runs: OrganisationRun) -> Summary:
    return summarise(datetime(2027, 1, 31, 8, tzinfo=UTC), 60.0, "1.2.3", runs or RUNS)


def test_the_headline_and_the_exit_code_count_everyone() -> None:
    made = summary()
    assert made.headline == "6 ORGANISATIONS: 1 not ready, 2 ready, 1 without a report, 1 not started, 1 not chosen"
    assert made.code is ExitCode.USAGE
    assert summary(RUNS[0]).headline == "1 ORGANISATION: 1 ready"
    assert summary(RUNS[0], RUNS[5]).code is ExitCode.OK


@pytest.mark.parametrize("name", SUMMARY_FORMATS)
def test_each_format_names_every_organisation_with_what_came_of_it(name: str) -> None:
    text = SUMMARY_FORMATS[name].render(summary(), RenderOptions())
    for run in RUNS:
        assert run.name in text
        for _, link in run.reports:
            assert link in text
    assert summary().headline in text
    assert "No password" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_page_runs_and_asks_for_nothing() -> None:
    page = render_html(summary())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src &#39;none&#39;" in page
    assert 'href="contoso/mapiready-report.html"' in page


def test_json_holds_every_value_as_it_is() -> None:
    read = json.loads(render_json(summary()))
    assert (read["schema_version"], read["kind"], read["exit_code"]) == (1, "summary", 2)
    assert [run["exit_code"] for run in read["organisations"]] == [0, 1, 1, 2, 3, None]
    assert read["organisations"][1]["organisation"] == HOSTILE
    assert read["organisations"][0]["counts"]["failed_warnings"] == 2


def test_a_failure_that_counts_is_no_good_sign_although_the_verdict_is_ready() -> None:
    lines = render_terminal(summary(), width=100, colour=False, ascii_only=True).splitlines()
    signs = {line.split()[1]: line.split()[0] for line in lines if line.startswith("  ") and line[2] in "+x?-"}
    assert signs == {"contoso": "+", "fabrikam": "x", "strict": "x", "nobody": "?", "late": "?", "other": "-"}


@pytest.mark.parametrize("width", [20, 40, 300])
def test_any_number_and_any_width(width: int) -> None:
    many = [replace(RUNS[0], name=f"organisation-{number:03}") for number in range(100)]
    text = render_terminal(summary(*many), width=width, colour=True)
    assert text.count("READY") == 100
    assert render_html(summary(*many)).count("<article") == 100
