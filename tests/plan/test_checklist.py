"""The checklist: who ticks what, and that all formats show the same, whatever the names are."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.plan.checklist import BY_HAND, Checklist, Section, Tick, make_checklist
from checker.plan.state import Hand, PlanError, extended, item_id, read
from checker.results import Advice, Category, Report, Stage, Status
from reports.checklist import html, markdown, xlsx
from reports.text import visible
from tests.plan.test_scripts import NASTY, report_of
from tests.reports.samples import empty_report, healthy_report, hostile_report, large_report, rich_report

CHECK = "vdir-mapi-internal-url"
REPORTS = pytest.mark.parametrize(
    "report",
    [empty_report(), rich_report(), healthy_report(), hostile_report(), large_report(300)],
    ids=["empty", "rich", "healthy", "hostile", "large"],
)


def with_statuses(statuses: Sequence[Status]) -> Report:
    report = report_of(*((Category.VIRTUAL_DIRECTORIES, Advice("a", "b")) for _ in statuses))
    findings = tuple(replace(finding, status=status) for finding, status in zip(report.findings, statuses, strict=True))
    return replace(report, findings=findings)


@pytest.mark.parametrize(
    ("statuses", "tick"),
    [
        ((Status.PASS,), Tick.DONE),
        ((Status.PASS, Status.NOT_APPLICABLE), Tick.DONE),
        ((Status.PASS, Status.FAIL), Tick.FAILED),
        ((Status.FAIL, Status.UNKNOWN), Tick.FAILED),
        ((Status.PASS, Status.UNKNOWN), Tick.OPEN),
        ((Status.PASS, Status.ERROR), Tick.OPEN),
        ((Status.PASS, Status.NOT_RUN), Tick.OPEN),
        ((Status.ACCEPTED, Status.NOT_RUN), Tick.OPEN),
        ((Status.PASS, Status.ACCEPTED), Tick.ACCEPTED),
        ((Status.NOT_APPLICABLE,), Tick.NOT_APPLICABLE),
    ],
)
@pytest.mark.parametrize("said", [False, True], ids=["not ticked by hand", "ticked by hand"])
def test_what_mapiready_judged_is_ticked_by_its_findings_alone(
    statuses: tuple[Status, ...], tick: Tick, said: bool
) -> None:
    checklist = make_checklist(with_statuses(statuses), {CHECK: Hand(done=said, owner="Ann")})
    item = next(item for item in checklist.items if item.id == CHECK)
    assert (item.tick, item.judged, item.hand.owner) == (tick, True, "Ann")
    assert any("by hand" in detail for detail in item.details) is (said and tick is not Tick.DONE)
    if tick in (Tick.OPEN, Tick.FAILED):
        assert any("is wrong" in detail for detail in item.details)


@pytest.mark.parametrize(
    ("status", "stage", "tick"),
    [
        (Status.NOT_APPLICABLE, Stage.PREPARE, Tick.OPEN),
        (Status.NOT_APPLICABLE, Stage.VERIFY, Tick.NOT_APPLICABLE),
        (Status.PASS, Stage.PREPARE, Tick.DONE),
        (Status.FAIL, Stage.PREPARE, Tick.FAILED),
    ],
)
def test_what_is_asked_after_the_switch_is_open_before_it(status: Status, stage: Stage, tick: Tick) -> None:
    checklist = make_checklist(replace(with_statuses([status]), stage=stage), {}, later=[CHECK])
    assert next(item.tick for item in checklist.items if item.id == CHECK) is tick


def test_people_tick_the_others() -> None:
    checklist = make_checklist(empty_report(), {"pilot": Hand(done=True)})
    assert {item.id for item in checklist.items} == {name for name, _, _ in BY_HAND}
    assert [item.id for item in checklist.items if item.tick is Tick.DONE] == ["pilot"]
    assert all(not item.judged for item in checklist.items)


def test_ids_are_one_each_and_plain() -> None:
    ids = [name for name, _, _ in BY_HAND]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in ids)


def test_every_section_has_an_item_and_no_id_is_a_checks() -> None:
    from checker.plugins import find_checks

    assert {section for _, section, _ in BY_HAND} == set(Section)
    assert not {name for name, _, _ in BY_HAND} & set(find_checks(plugins=False).checks)


# --- the formats ------------------------------------------------------------------------------------------------------


def in_xlsx(data: bytes) -> dict[str, tuple[str, str]]:
    sheet = openpyxl.load_workbook(io.BytesIO(data))["Checklist"]
    rows = list(sheet.iter_rows(min_row=4))
    assert all(cell.data_type in ("s", "inlineStr", "n") for row in rows for cell in row)
    assert all(cell.value is None or isinstance(cell.value, str) for row in rows for cell in row)
    return {str(row[8].value): (str(row[2].value)[2:], str(row[5].value or "")) for row in rows}


def in_html(text: str) -> list[tuple[str, str]]:
    import html as library

    pattern = r'<span class="state">(.*?)</span>.*?<code>(.*?)</code>'
    return [(library.unescape(found[2]), found[1].lower()) for found in re.finditer(pattern, text)]


def check_formats(checklist: Checklist) -> None:
    shown = [(visible(item.id), item.tick.value) for section in Section for item in checklist.of(section)]
    assert in_html(html.render(checklist)) == shown
    assert [(name, state) for name, (state, _) in in_xlsx(xlsx.render(checklist)).items()] == shown
    lines = [line for line in markdown.render(checklist).splitlines() if line.startswith("- [")]
    assert len(lines) == len(shown)
    assert [line.startswith("- [x]") for line in lines] == [state == "done" for _, state in shown]


@REPORTS
def test_all_formats_show_the_same(report: Report) -> None:
    check_formats(make_checklist(report, {"pilot": Hand(True, "Ann", "2026-12-01", "went well")}))


@pytest.mark.fuzz
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(NASTY, NASTY, NASTY)
def test_no_name_becomes_markup_or_a_formula(title: str, summary: str, note: str) -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, Advice("a", "b")), organisation=title, headline=summary)
    finding = replace(report.findings[0], title=title or "x", summary=summary)
    checklist = make_checklist(replace(report, findings=(finding,)), {"pilot": Hand(True, note, note, note)})
    check_formats(checklist)
    page = html.render(checklist)
    assert page.count("<script") == 0
    assert page.count('<li class="item') == len(checklist.items)


def test_markup_in_a_name_stays_text() -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, Advice("a", "b")), organisation="<script>alert(1)</script>")
    finding = replace(report.findings[0], summary='=HYPERLINK("http://evil.test") <b> | [x](http://evil.test)')
    checklist = make_checklist(replace(report, findings=(finding,)), {})
    assert "<script>" not in html.render(checklist)
    assert "\\[x\\](http" in markdown.render(checklist)
    book = openpyxl.load_workbook(io.BytesIO(xlsx.render(checklist)))["Checklist"]
    assert not [cell for row in book.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]


def test_the_page_asks_nobody_for_anything() -> None:
    page = html.render(make_checklist(rich_report(), {}))
    assert "Content-Security-Policy" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)


# --- the state --------------------------------------------------------------------------------------------------------


@pytest.mark.fuzz
@given(st.dictionaries(NASTY, NASTY, max_size=4))
def test_items_of_any_name_can_be_added_and_read(items: dict[str, str]) -> None:
    shown = {item_id(name): title for name, title in items.items()}
    first = extended(None, shown.items())
    assert read(first) == dict.fromkeys(shown, Hand())
    assert extended(first, shown.items()) == first
    more = extended(first, [("one-more", "a\ntitle")])
    assert more.startswith(first)
    assert read(more) == dict.fromkeys((*shown, "one-more"), Hand())


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(PlanError):
        assert isinstance(read(content), dict)


def test_a_file_as_notepad_saves_it() -> None:
    content = b"\xef\xbb\xbf" + extended(None, [("pilot", "A pilot.")]).replace(b"\n", b"\r\n").replace(
        b"false", b"true"
    )
    assert read(content) == {"pilot": Hand(done=True)}
    assert read(extended(content, [("more", "More.")])).keys() == {"pilot", "more"}
