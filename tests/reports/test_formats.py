"""What each format for machines promises beyond parity: its schema or grammar, and that no text can break out of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import pytest
from hypothesis import HealthCheck, given, settings
from openpyxl import load_workbook
from prometheus_client.parser import text_string_to_metric_families

from checker.answers import PSObject
from checker.nagios import NagiosState, nagios_state
from checker.powershell.clixml import read_document
from checker.quoting import is_hidden
from checker.results import Advice, Cmdlet, Finding, Readiness, Report, Severity, Status, Subject, SubjectKind
from reports import FORMATS, RenderOptions
from reports.flat import COLUMNS, utc
from reports.nagios import problem_line
from reports.view import subject_text
from tests.reports.reading import NAGIOS, cells_of, html_of_markdown, objects
from tests.reports.samples import (
    AUTODISCOVER,
    MAIL,
    empty_report,
    finding,
    healthy_report,
    hostile_report,
    large_report,
    report,
    rich_report,
)
from tests.reports.strategies import REPORTS

SAMPLES = [rich_report(), healthy_report(), empty_report(), hostile_report()]
generated = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def text(name: str, shown: Report, **options: object) -> str:
    content = FORMATS[name].render(shown, RenderOptions(**options))  # type: ignore[arg-type]
    assert isinstance(content, str)
    return content


def workbook(shown: Report) -> Any:
    content = FORMATS["xlsx"].render(shown, RenderOptions())
    assert isinstance(content, bytes)
    return load_workbook(io.BytesIO(content))


def saying(said: str) -> Report:
    """A report in which a server says this wherever it can."""
    subject = Subject(SubjectKind.DIRECTORY, said, said, said)
    one = finding(
        "check-one",
        subject,
        Status.FAIL,
        said,
        title=said,
        found=(said, said),
        expected=(said,),
        remedy=(Advice(said, said), Cmdlet("Set-It", where=said, Identity=said)),
        evidence=((said, said),),
    )
    return replace(report([one], readiness=Readiness.NOT_READY, headline="NOT READY"), organisation=said, notes=(said,))


@pytest.mark.parametrize("name", FORMATS)
def test_a_huge_report_is_written_whole(name: str) -> None:
    content = FORMATS[name].render(large_report(20_000), RenderOptions(verbose=True))
    assert len(content) < 60_000_000


# --- JUnit ------------------------------------------------------------------------------------------------------------

_INSIDE_SUITE = ["properties", "testcase", "system-out", "system-err"]
_NUMBER = re.compile(r"\d+")
_DECIMAL = re.compile(r"\d+(\.\d+)?")


def refuse_unless_ant_would_take_it(root: Element) -> None:
    """The rules of the JUnit schema of Ant (Windy Road), which that of Jenkins is wider than."""
    assert (root.tag, root.attrib) == ("testsuites", {})
    for number, suite in enumerate(root):
        assert suite.tag == "testsuite"
        assert set(suite.attrib) == {
            "id", "name", "package", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"
        }  # fmt: skip
        assert suite.get("id") == str(number)
        assert suite.get("name", "").strip()
        assert suite.get("hostname", "").strip()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
        assert all(_NUMBER.fullmatch(suite.get(key, "")) for key in ("tests", "failures", "errors", "skipped"))
        assert _DECIMAL.fullmatch(suite.get("time", ""))
        tags = [child.tag for child in suite]
        assert [tag for tag in tags if tag != "testcase"] == ["properties", "system-out", "system-err"]
        assert tags == sorted(tags, key=_INSIDE_SUITE.index)
        for each in suite.iter("property"):
            assert set(each.attrib) == {"name", "value"}
        cases = suite.findall("testcase")
        for case in cases:
            assert set(case.attrib) == {"name", "classname", "time"}
            assert len(case) <= 1
            for outcome in case:
                assert outcome.tag in ("failure", "error", "skipped")
                assert set(outcome.attrib) == {"type", "message"}
                assert not len(outcome)
        counted = [outcome.tag for case in cases for outcome in case]
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(counted.count("failure"))
        assert suite.get("errors") == str(counted.count("error"))
        assert suite.get("skipped") == str(counted.count("skipped"))


@pytest.mark.parametrize("shown", SAMPLES)
def test_ci_systems_take_the_junit_file(shown: Report) -> None:
    root = defusedxml.ElementTree.fromstring(text("junit", shown))
    refuse_unless_ant_would_take_it(root)
    assert len(list(root.iter("testcase"))) == len(shown.findings) + 1


@generated
@given(REPORTS)
def test_any_report_is_junit(shown: Report) -> None:
    refuse_unless_ant_would_take_it(defusedxml.ElementTree.fromstring(text("junit", shown)))


@pytest.mark.parametrize(
    ("readiness", "outcome"),
    [
        (Readiness.READY, None),
        (Readiness.PARTIAL, None),
        (Readiness.NOT_READY, "failure"),
        (Readiness.INCONCLUSIVE, "error"),
    ],
)
def test_a_run_that_saw_nothing_is_no_success_of_ci(readiness: Readiness, outcome: str | None) -> None:
    root = defusedxml.ElementTree.fromstring(text("junit", replace(empty_report(), readiness=readiness)))
    (case,) = root.iter("testcase")
    assert [child.tag for child in case] == ([outcome] if outcome else [])


# --- Prometheus -------------------------------------------------------------------------------------------------------


def samples(shown: Report) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text("prometheus", shown)):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, "Prometheus refuses a series that stands twice"
            assert sample.timestamp is None, "node_exporter refuses a time of our own"
            found[key] = sample.value
    return found


def test_the_metrics() -> None:
    run = (("organisation", "contoso.test"), ("vantage", "inside"))
    found = samples(rich_report())
    assert found["mapiready_ready", run] == 0
    assert samples(healthy_report())["mapiready_ready", run] == 1
    assert found["mapiready_readiness", tuple(sorted((*run, ("readiness", "not-ready"))))] == 1
    assert found["mapiready_failed_findings", tuple(sorted((*run, ("severity", "blocker"))))] == 2
    assert found["mapiready_findings", tuple(sorted((*run, ("status", "unknown"))))] == 12
    assert found["mapiready_last_run_timestamp_seconds", run] == datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()
    assert found["mapiready_last_run_duration_seconds", run] == pytest.approx(41.2)
    assert sum(1 for name, _ in found if name == "mapiready_finding_status") == len(rich_report().findings)


def test_a_certificate_tells_when_it_ends() -> None:
    dates = "from 2026-03-01T00:00:00+00:00 until 2027-03-01T00:00:00+00:00"
    evidence = ("valid", f"mail.contoso.test (thumbprint {'A' * 40}) {dates}")
    one = finding("cert-in-date", MAIL, Status.PASS, "ok", evidence=(evidence,))
    two = replace(one, subject=AUTODISCOVER)
    found = samples(report([one, two], readiness=Readiness.READY, headline="READY"))
    (ends,) = [value for (name, _), value in found.items() if name.startswith("mapiready_certificate")]
    assert ends == datetime(2027, 3, 1, tzinfo=UTC).timestamp()


def test_a_summary_makes_no_series() -> None:
    one = finding("cert-expires-soon", MAIL, Status.FAIL, "in 12 days")
    today = samples(report([one], readiness=Readiness.READY, headline="READY"))
    tomorrow = samples(report([replace(one, summary="in 11 days")], readiness=Readiness.READY, headline="READY"))
    assert today == tomorrow


@generated
@given(REPORTS)
def test_any_report_is_metrics_with_bounded_labels(shown: Report) -> None:
    for _, labels in samples(shown):
        for _, value in labels:
            assert len(value) <= 200
            assert not any(map(is_hidden, value))


# --- Nagios -----------------------------------------------------------------------------------------------------------

_FIGURE = r"[a-z_]+=\d+(\.\d+)?s?;\d*;\d*;\d*"
_FIRST = re.compile(rf"MAPIREADY (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| {_FIGURE}( {_FIGURE})*")


@pytest.mark.parametrize("shown", [*SAMPLES, large_report(2_000)])
def test_a_monitoring_system_gets_one_line_and_few_more(shown: Report) -> None:
    first, *more = text("nagios", shown).splitlines()
    assert _FIRST.fullmatch(first)
    assert first.startswith(f"MAPIREADY {nagios_state(shown).name} - {shown.headline}")
    assert len(more) <= 41
    assert not any("|" in line for line in more)
    assert not any("passed" in line for line in more)
    assert not any("endpoint-rpc-proxy" in line for line in more)  # folded under what it is hidden by


@generated
@given(REPORTS)
def test_no_text_ends_the_line_or_begins_the_figures(shown: Report) -> None:
    lines = text("nagios", shown, verbose=True).split("\n")
    assert lines.pop() == ""
    assert lines[0].count("|") == 1
    assert not any(map(is_hidden, "".join(lines)))
    assert not any("|" in line for line in lines[1:])
    assert len(lines) == 1 + len(shown.findings)
    assert len(list(NAGIOS("\n".join(lines)))) == len(shown.findings)


@pytest.mark.parametrize(
    ("readiness", "warnings", "state"),
    [
        (Readiness.READY, 0, NagiosState.OK),
        (Readiness.READY, 1, NagiosState.WARNING),
        (Readiness.PARTIAL, 0, NagiosState.OK),
        (Readiness.PARTIAL, 2, NagiosState.WARNING),
        (Readiness.NOT_READY, 0, NagiosState.CRITICAL),
        (Readiness.INCONCLUSIVE, 0, NagiosState.UNKNOWN),
        (Readiness.INCONCLUSIVE, 3, NagiosState.UNKNOWN),
    ],
)
def test_the_state_of_a_service(readiness: Readiness, warnings: int, state: NagiosState) -> None:
    shown = replace(empty_report(), readiness=readiness)
    shown = replace(shown, counts=replace(shown.counts, failed_warnings=warnings, failed_advice=5))
    assert nagios_state(shown) is state


def test_what_could_not_be_run_is_unknown() -> None:
    assert problem_line("No server: a|b\nsecond") == "MAPIREADY UNKNOWN - No server: a\u00a6b \u21b5 second"


# --- CSV --------------------------------------------------------------------------------------------------------------

FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    '"=1',
    "x;=1",
    'x;"=1"',
    "x,\t-1",
    "=cmd|' /C calc'!A0",
    "\uff1d1",
)
_FORMULA = re.compile(r"""[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]""")


def fields(content: str) -> Iterator[str]:
    """Every field that any spreadsheet could see, whatever its locale takes for the separator."""
    for delimiter in (",", ";", "\t"):
        for line in csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""), delimiter=delimiter):
            yield from line


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(formula: str) -> None:
    content = text("csv", saying(formula))
    assert not [field for field in fields(content) if _FORMULA.match(field)]


@generated
@given(REPORTS)
def test_any_report_is_csv(shown: Report) -> None:
    content = text("csv", shown)
    assert content.endswith("\r\n")
    assert "\n" not in content.replace("\r\n", "")
    assert not [field for field in fields(content) if _FORMULA.match(field)]
    told = cells_of("csv", content)
    assert len(told) == len(shown.findings)
    for line, item in zip(told, shown.findings, strict=True):
        for name, column in COLUMNS.items():
            assert line[name].replace("'", "") == column(item).replace("'", "")


# --- Markdown ---------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Which elements a document has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs or tag in ("ol", "code"), f"<{tag} {attrs}>"
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


MARKUP = (
    "# heading",
    "**bold** _it_ ~~gone~~",
    "[link](https://evil.test) ![image](https://evil.test)",
    "<script>alert(1)</script> <https://evil.test> &lt; &amp;",
    "`code` ``more`` ```fence```",
    "a|b \\| c \\\\| d",
    "1. one",
    "- item",
    "+ item",
    "> quote",
    "---",
    "===",
    "$x$ \\",
    "ends with a backslash\\",
    "`",
    "x #",
)


@pytest.mark.parametrize("markup", MARKUP)
def test_no_text_becomes_markup(markup: str) -> None:
    plain = Outline(html_of_markdown(text("markdown", saying("word"))))
    shown = Outline(html_of_markdown(text("markdown", saying(markup))))
    assert [tag for tag in shown.tags if tag != "span"] == plain.tags
    squashed = "".join(shown.words.split())
    # The note, the summary in the table and above the remedy, and the advice; the names and values in code.
    assert squashed.count("".join(markup.split())) >= 9


def test_nobody_is_mentioned() -> None:
    content = text("markdown", saying("ask @admin, not user@contoso.test"))
    prose = [line for line in content.splitlines() if line.startswith("- ask")]
    assert prose == ["- ask <span>@</span>admin, not user@contoso.test"]


@generated
@given(REPORTS)
def test_any_report_is_markdown_with_its_own_elements_alone(shown: Report) -> None:
    outline = Outline(html_of_markdown(text("markdown", shown)))
    assert outline.tags.count("table") == 1
    assert outline.tags.count("tr") == 1 + len(shown.findings)
    assert outline.tags.count("h1") == 1
    failed = sum(item.status is Status.FAIL for item in shown.findings)
    assert outline.tags.count("h3") == failed
    assert set(outline.tags) <= {
        "h1", "h2", "h3", "p", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "span"
    }  # fmt: skip


# --- Excel ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [*SAMPLES, *map(saying, ("=1+1", "https://evil.test", "007", "_x0041_"))])
def test_a_workbook_holds_texts_alone(shown: Report) -> None:
    book = workbook(shown)
    assert book.sheetnames == ["Summary", "Findings", "Remedies"]
    for sheet in book:
        for line in sheet.iter_rows():
            for cell in line:
                assert cell.data_type in ("s", "inlineStr", "n")
                assert cell.data_type != "n" or cell.value is None
                assert cell.hyperlink is None
    findings = book["Findings"]
    assert findings.freeze_panes == "A2"
    assert findings.auto_filter.ref is not None
    assert findings.max_row == 1 + len(shown.findings)


def test_the_sheet_of_remedies_has_each_step() -> None:
    book = workbook(rich_report())
    lines = list(book["Remedies"].iter_rows(values_only=True))
    steps = [step for item in rich_report().findings if item.status is Status.FAIL for step in item.remedy]
    assert len(lines) == 1 + len(steps)
    assert lines[1][3:5] == ("1", "Exchange Management Shell")
    assert str(lines[1][5]).startswith("New-ExchangeCertificate -GenerateRequest:$true")


def test_a_cell_is_never_longer_than_excel_takes() -> None:
    one = finding(
        "check-one",
        Subject(SubjectKind.SERVER, "EX01"),
        Status.FAIL,
        "x" * 100_000,
        found=["f" * 1_900] * 100,
        remedy=[Advice("administrator", "a" * 1_900)] * 100,
    )
    book = workbook(report([one], readiness=Readiness.NOT_READY, headline="NOT READY"))
    lengths = [len(str(value)) for line in book["Findings"].iter_rows(values_only=True) for value in line]
    assert 30_000 < max(lengths) <= 32_767


@generated
@given(REPORTS)
def test_any_report_is_a_workbook(shown: Report) -> None:
    content = FORMATS["xlsx"].render(shown, RenderOptions())
    told = cells_of("xlsx", content)
    assert len(told) == len(shown.findings)
    for line, item in zip(told, shown.findings, strict=True):
        for name, column in COLUMNS.items():
            assert line[name] == column(item)


# --- PowerShell -------------------------------------------------------------------------------------------------------


def expected(item: Finding, shown: Report) -> dict[str, Any]:
    because = item.because
    return {
        "Status": item.status.value,
        "Severity": item.severity.value,
        "Category": item.category.value,
        "Check": item.check,
        "Subject": subject_text(item.subject),
        "SubjectKind": item.subject.kind.value,
        "SubjectName": item.subject.name,
        "Server": item.subject.server,
        "Note": item.subject.note,
        "Title": item.title,
        "Summary": item.summary,
        "Found": list(item.found),
        "Expected": list(item.expected),
        "Evidence": [{"Name": name, "Value": value} for name, value in item.evidence],
        "Reason": item.reason.value if item.reason else None,
        "BecauseCheck": because.check if because else None,
        "BecauseSubject": subject_text(because.subject) if because else None,
        "Organisation": shown.organisation,
        "Vantage": shown.vantage,
        "Readiness": shown.readiness.value,
    }


def told(shown: Report) -> Sequence[dict[str, Any]]:
    found = objects(text("clixml", shown))
    for item in found:
        assert item.pop("Started") == utc(shown.started)
        assert item.pop("JudgedAt") == utc(shown.judged_at)
        assert all(isinstance(step, str) for step in item.pop("Remedy"))
    return found


@pytest.mark.parametrize("shown", SAMPLES)
def test_powershell_gets_an_object_for_each_finding(shown: Report) -> None:
    assert told(shown) == [expected(item, shown) for item in shown.findings]


@generated
@given(REPORTS)
def test_any_report_is_clixml_without_a_loss(shown: Report) -> None:
    assert told(shown) == [expected(item, shown) for item in shown.findings]


@pytest.mark.parametrize("shown", [*SAMPLES, saying("_x0041_ _X \x00 \ud800 \U0001f600")])
def test_our_own_reader_of_clixml_reads_it_too(shown: Report) -> None:
    found = list(read_document(text("clixml", shown).encode()))
    assert len(found) == len(shown.findings)
    for item, wanted in zip(found, shown.findings, strict=True):
        assert isinstance(item, PSObject)
        assert item.types[:2] == ("Mapiready.Finding", "System.Management.Automation.PSCustomObject")
        assert item.properties["Summary"] == re.sub("[\ud800-\udfff]", "\ufffd", wanted.summary)
        assert item.properties["JudgedAt"] == shown.judged_at
        values = item.properties["Found"]
        assert isinstance(values, PSObject)
        assert isinstance(values.value, list)
        assert len(values.value) == len(wanted.found)


def test_a_blocker_is_told_apart_from_advice_everywhere() -> None:
    """The severity stands in every format that has rows."""
    for severity in Severity:
        one = replace(rich_report().findings[0], severity=severity)
        shown = report([one], readiness=Readiness.NOT_READY, headline="NOT READY")
        assert told(shown)[0]["Severity"] == severity.value
        for name in ("csv", "markdown", "xlsx"):
            assert cells_of(name, FORMATS[name].render(shown, RenderOptions()))[0]["severity"] == severity.value
        assert f"[fail {severity.value}]" in text("nagios", shown)
        assert f'type="{severity.value}"' in text("junit", shown)
        assert f'severity="{severity.value}",status="fail"' in text("prometheus", shown)


def test_what_is_shown_is_visible() -> None:
    for name in ("junit", "prometheus", "nagios", "csv", "markdown"):
        shown = text(name, hostile_report(), verbose=True)
        hidden = {sign for sign in shown if is_hidden(sign)} - set("\r\n\ufeff")
        assert not hidden, name
        assert "<U+202E>" in shown.replace("&lt;", "<").replace("&gt;", ">").replace("\\", "")


def test_the_page_on_formats_names_each_of_them_and_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, form in FORMATS.items():
        assert f"| `{name}` | `{form.suffix}` |" in page
    for metric in {name for name, _ in samples(rich_report())}:
        assert f"`{metric}`" in page
    for key in objects(text("clixml", rich_report()))[0]:
        assert key in page
