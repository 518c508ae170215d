"""Reads each format back by somebody else's parser: what it tells of every finding, and all its words."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import defusedxml.ElementTree
import psrpcore
from markdown_it import MarkdownIt
from openpyxl import load_workbook
from prometheus_client.parser import text_string_to_metric_families
from psrpcore.types import deserialize_clixml

from checker.results import Finding
from reports.text import visible
from reports.view import subject_text
from tests.reports.test_html import Page

__all__ = ["CELLS", "NAGIOS", "ROWS", "Row", "cells_of", "html_of_markdown", "objects", "row", "words"]


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """What every format tells of a finding. Not all have room for the summary."""

    status: str
    check: str
    subject: str
    summary: str | None


def row(finding: Finding) -> Row:
    return Row(
        finding.status.value,
        visible(finding.check),
        visible(subject_text(finding.subject)),
        visible(finding.summary),
    )


# --- rows -------------------------------------------------------------------------------------------------------------


def _json(text: str) -> Iterator[Row]:
    from reports.json_report import parse

    return (row(finding) for finding in parse(text).findings)


def _junit(text: str) -> Iterator[Row]:
    for suite in defusedxml.ElementTree.fromstring(text).findall("testsuite")[1:]:
        passed = iter((suite.findtext("system-out") or "").split("\n"))
        for case in suite.findall("testcase"):
            check = case.get("classname", "").removeprefix(suite.get("name", "") + ".")
            subject = case.get("name", "")
            outcome = next(iter(case), None)
            if outcome is None:
                yield Row("pass", check, subject, next(passed).removeprefix(f"{check} {subject}: "))
            else:
                kind = outcome.get("type", "")
                yield Row("fail" if outcome.tag == "failure" else kind, check, subject, outcome.get("message"))


def _prometheus(text: str) -> Iterator[Row]:
    for family in text_string_to_metric_families(text):
        if family.name == "mapiready_finding_status":
            for sample in family.samples:
                assert sample.value == 1
                yield Row(sample.labels["status"], sample.labels["check"], sample.labels["subject"], None)


_LINE = re.compile(r"\[(?P<status>[a-z-]+) (?P<severity>[a-z]+)\] (?P<rest>.*)")


def _nagios(text: str) -> Iterator[tuple[str, str]]:
    """The status of each line, and the rest of it."""
    for line in text.splitlines()[1:]:
        match = _LINE.fullmatch(line)
        assert match is not None, line
        yield match["status"], match["rest"]


def _of_table(lines: Sequence[Mapping[str, str]]) -> Iterator[Row]:
    return (Row(line["status"], line["check"], line["subject"], line["summary"]) for line in lines)


def _clixml(text: str) -> Iterator[Row]:
    for item in objects(text):
        yield Row(item["Status"], *(visible(item[name]) for name in ("Check", "Subject", "Summary")))


def objects(text: str) -> list[dict[str, Any]]:
    """The properties of each object, as psrpcore reads them; objects in a list become the same."""
    return [_properties(item) for item in deserialize_clixml(text, psrpcore.PSRemotingCrypto())]


def _properties(item: Any) -> dict[str, Any]:
    return {
        member.name: [
            _properties(inner) if hasattr(inner, "PSObject") and inner.PSObject.extended_properties else inner
            for inner in value
        ]
        if isinstance(value := member.get_value(item), list)
        else value
        for member in item.PSObject.extended_properties
    }


ROWS: Mapping[str, Callable[[Any], Iterator[Row]]] = {
    "json": _json,
    "junit": _junit,
    "prometheus": _prometheus,
    "csv": lambda text: _of_table(cells_of("csv", text)),
    "markdown": lambda text: _of_table(cells_of("markdown", text)),
    "xlsx": lambda content: _of_table(cells_of("xlsx", content)),
    "clixml": _clixml,
}
"""Those whose findings can be told apart by a parser."""
NAGIOS = _nagios


# --- tables -----------------------------------------------------------------------------------------------------------


def _csv_cells(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))


class _Table(HTMLParser):
    """The cells of the first table of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def html_of_markdown(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def _markdown_cells(text: str) -> list[list[str]]:
    return _Table(html_of_markdown(text)).rows


def _xlsx_cells(content: bytes) -> list[list[str]]:
    sheet = load_workbook(io.BytesIO(content), read_only=True)["Findings"]
    return [["" if value is None else str(value) for value in line] for line in sheet.iter_rows(values_only=True)]


CELLS: Mapping[str, Callable[[Any], list[list[str]]]] = {
    "csv": _csv_cells,
    "markdown": _markdown_cells,
    "xlsx": _xlsx_cells,
}


def cells_of(name: str, content: str | bytes) -> list[dict[str, str]]:
    """The rows of a table under its headings."""
    head, *lines = CELLS[name](content)
    return [dict(zip((title.lower() for title in head), line, strict=True)) for line in lines]


# --- words ------------------------------------------------------------------------------------------------------------


def _xml_words(text: str) -> str:
    found: list[str] = []
    for element in defusedxml.ElementTree.fromstring(text).iter():
        found += [*element.attrib.values(), element.text or ""]
    return "\n".join(found)


def _workbook_words(content: bytes) -> str:
    book = load_workbook(io.BytesIO(content), read_only=True)
    return "\n".join(
        str(value)
        for sheet in book
        for line in sheet.iter_rows(values_only=True)
        for value in line
        if value is not None
    )


def _metric_words(text: str) -> str:
    return "\n".join(
        f"{' '.join(sample.labels.values())} {sample.value:.0f}"
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


def _object_words(text: str) -> str:
    return "\n".join(visible(str(value)) for item in objects(text) for value in item.values())


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "html": lambda text: Page(text).texts("body")[0],
    "json": lambda text: "\n".join(_json_words(json.loads(text))),
    "junit": _xml_words,
    "prometheus": _metric_words,
    "csv": lambda text: "\n".join(cell for line in _csv_cells(text) for cell in line),
    "markdown": lambda text: "".join(Page(f"<body>{html_of_markdown(text)}</body>").texts("body")),
    "xlsx": _workbook_words,
    "clixml": _object_words,
}


def _json_words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _json_words(value)
    elif isinstance(node, list):
        for value in node:
            yield from _json_words(value)
    else:
        yield visible(str(node))


def words(name: str, content: str | bytes) -> str:
    """All that a reader of the format sees."""
    read = _WORDS.get(name)
    if read is not None:
        return read(content)
    assert isinstance(content, str)
    return content
