"""The HTML page as a file: nothing from outside, a policy that fits, each finding, no text taken for markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings

from checker.quoting import is_hidden, powershell_line
from checker.results import Cmdlet, Report
from reports import Explanation
from reports.html import render
from tests.reports.samples import empty_report, healthy_report, hostile_report, large_report, rich_report
from tests.reports.strategies import REPORTS

VOID = {"meta", "link", "input", "br", "img", "hr", "wbr"}
SAMPLES = [rich_report(), healthy_report(), empty_report(), hostile_report()]


class Page(HTMLParser):
    """The elements of a page with their attributes and texts; complains about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, dict(attrs), list[str]())
        assert len(element[1]) == len(attrs), f"an attribute stands twice in <{tag}>"
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(texts) for name, _, texts in self.elements if name == tag]

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes, _ in self.elements for key, value in attributes.items() if key == name]

    def findings(self) -> list[tuple[list[str], str]]:
        """The filters and the text of each finding."""
        return [
            ((attributes["data-f"] or "").split("|"), "".join(texts))
            for _, attributes, texts in self.elements
            if "data-f" in attributes
        ]


@pytest.mark.parametrize("report", SAMPLES)
def test_nothing_is_loaded_from_anywhere(report: Report) -> None:
    text = render(report)
    page = Page(text)
    assert not {name for name, _, _ in page.elements} & {"img", "iframe", "object", "embed", "base", "video", "audio"}
    assert not page.attributes("src") + page.attributes("srcset") + page.attributes("style") + page.attributes("action")
    assert all(href.startswith(("#", "data:image/svg+xml,")) for href in page.attributes("href"))
    assert [a for _, a, _ in page.elements if any(key.startswith("on") for key in a)] == []
    (style,) = page.texts("style")
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("report", SAMPLES)
def test_the_policy_allows_this_style_and_script_and_nothing_else(report: Report) -> None:
    page = Page(render(report))
    (policy,) = (
        attributes["content"] for _, attributes, _ in page.elements if attributes.get("http-equiv") is not None
    )
    hashes = {
        kind: "'sha256-" + base64.b64encode(hashlib.sha256(page.texts(kind)[0].encode()).digest()).decode() + "'"
        for kind in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert len(page.texts("style")) == len(page.texts("script")) == 1


def test_the_verdict_and_the_counts_stand_first() -> None:
    text = render(rich_report())
    page = Page(text)
    assert page.texts("h1") == ["NOT READY"]
    assert "".join(page.texts("title")) == "NOT READY · contoso.test · mapiready"
    for words in ("✗ 2 blockers", "✗ 3 warnings", "? 12 unknown", "? 1 error", "✓ 10 passed", "– 1 not applicable"):
        assert words in page.texts("a")
    assert text.index("<h1>") < text.index('class="tiles"') < text.index('id="matrix"') < text.index('id="findings"')


@pytest.mark.parametrize("report", [*SAMPLES, large_report(3_000)])
def test_every_finding_is_there_once(report: Report) -> None:
    shown = sorted(filters[:3] for filters, _ in Page(render(report)).findings())
    assert shown == sorted([item.status.value, item.severity.value, item.category.value] for item in report.findings)


def test_found_expected_and_remedy_are_shown() -> None:
    filters, text = next(pair for pair in Page(render(rich_report())).findings() if "does not name it" in pair[1])
    assert filters == ["fail", "blocker", "certificates", "n:autodiscover.contoso.test"]
    for words in (
        "named by AutoDiscoverServiceInternalUri of EX01",
        "owa.contoso.test",
        "New-ExchangeCertificate -GenerateRequest:$true -SubjectName 'CN=mail.contoso.test'",
        "Have the request signed",
        "issuer      CN=Contoso Issuing CA 1, O=Contoso\n",
    ):
        assert words in text


@pytest.mark.parametrize("report", [rich_report(), hostile_report()])
def test_commands_are_whole_and_unchanged(report: Report) -> None:
    wanted = {
        powershell_line(step)
        for item in report.findings
        if item.status.value == "fail"
        for step in item.remedy
        if isinstance(step, Cmdlet)
    }
    shown = set(Page(render(report)).texts("code"))
    assert {line for line in wanted if len(line) < 20_000} <= shown
    assert not [line for line in wanted if len(line) >= 20_000 and line in shown]


@pytest.mark.parametrize("report", SAMPLES)
def test_every_anchor_leads_somewhere(report: Report) -> None:
    page = Page(render(report))
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href") if href.startswith("#")} - set(ids) <= {"s-unjudged"}


def _text_of(page: Page) -> str:
    return "".join(text for name, _, texts in page.elements if name == "body" for text in texts)


def test_hostile_text_stays_text() -> None:
    report = hostile_report()
    text = render(report)
    page = Page(text)
    assert {name for name, _, _ in page.elements} == {name for name, _, _ in Page(render(rich_report())).elements}
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>" in _text_of(page)
    assert "{{ 7*7 }} {% raw %} ]]> -->" in _text_of(page)
    assert {character for character in text if is_hidden(character)} == {"\n"}
    assert "(cut: 100,012 characters in all)" in text
    assert len(text) < 1_000_000
    assert text.encode("utf-8")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTS)
def test_any_report_is_a_sound_page(report: Report) -> None:
    text = render(report)
    page = Page(text)
    assert len(page.findings()) == len(report.findings)
    assert len(page.texts("script")) == 1
    assert {character for character in text if is_hidden(character)} == {"\n"}


def test_explanations_are_shown_folded_with_https_sources_only() -> None:
    explanation = Explanation(
        why="Outlook <keeps> prompting.",
        how="It asks.",
        mend="Publish it.",
        undo=None,
        sources=("https://learn.microsoft.com/exchange", "javascript:alert(1)"),
    )
    page = Page(render(rich_report(), explanations={"endpoint-mapi-challenge": explanation}))
    (folded,) = [text for text in page.texts("details") if text.startswith("Why, and how it is judged")]
    assert "Outlook <keeps> prompting." in folded
    assert "How to mend it" in folded
    assert "How to undo that" not in folded
    assert "https://learn.microsoft.com/exchange" in page.attributes("href")
    assert "javascript:alert(1)" not in page.attributes("href")


def test_the_matrix_tells_each_cell_in_words() -> None:
    labels = Page(render(rich_report())).attributes("aria-label")
    assert "mail.contoso.test, Endpoints: 1 blocker failed, 2 not judged, 1 passed" in labels
    assert "EX01, Servers: 3 not judged, 1 passed" in labels


def test_without_script_everything_is_readable() -> None:
    """What only a script could use is hidden until the script is there; no finding is."""
    page = Page(render(rich_report()))
    hidden = [attributes.get("id") for _, attributes, _ in page.elements if "hidden" in attributes]
    assert hidden == ["filters", "clear", "none"]


def test_the_page_of_a_large_organisation_is_not_huge() -> None:
    text = render(large_report(20_000))
    assert len(text) < 9_000_000
    assert "the evidence of these is in the JSON report" in text
    assert len(re.findall('data-f="', text)) == 20_000
