"""The JSON report: what a script reads, what the schema promises, and back again without a loss."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from checker.results import Cmdlet, Report
from reports.json_report import ReportFileError, parse, render, schema
from tests.reports.samples import empty_report, healthy_report, hostile_report, large_report, rich_report
from tests.reports.strategies import REPORTS

SCHEMA = json.loads(schema())
VALIDATOR = Draft202012Validator(SCHEMA)


def strict(node: Any) -> Any:
    """The schema without its promise to let other keys pass: what we write ourselves must all be described."""
    if isinstance(node, dict):
        closed = {key: strict(value) for key, value in node.items()}
        return closed | {"additionalProperties": False} if "properties" in node and "type" in node else closed
    return [strict(item) for item in node] if isinstance(node, list) else node


STRICT = Draft202012Validator(strict(SCHEMA))


def document(report: Report) -> Any:
    return json.loads(render(report))


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", [rich_report(), healthy_report(), empty_report(), hostile_report()])
def test_reports_fit_the_schema_and_hold_nothing_beside_it(report: Report) -> None:
    STRICT.validate(document(report))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("readiness",), "fine"),
        (("started",), "yesterday"),
        (("counts", "passed"), -1),
        (("findings", 0, "status"), "ok"),
        (("findings", 0, "remedy", 0, "kind"), "script"),
        (("findings", 0, "subject"), "EX01"),
        (("schema_version",), 2),
    ],
)
def test_the_schema_refuses_what_is_no_report(path: tuple[Any, ...], value: object) -> None:
    broken = document(rich_report())
    place = broken
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(broken)


def test_what_a_script_reads() -> None:
    report = document(rich_report())
    assert report["schema_version"] == 1
    assert (report["readiness"], report["stage"]) == ("not-ready", "prepare")
    assert report["counts"]["failed_blockers"] == 2
    assert report["started"] == "2026-11-21T09:00:00+00:00"
    first = report["findings"][0]
    assert (first["check"], first["severity"], first["status"]) == ("cert-names-cover", "blocker", "fail")
    assert first["subject"]["name"] == "autodiscover.contoso.test"
    assert first["remedy"][2] == {
        "kind": "cmdlet",
        "where": "Exchange Management Shell",
        "name": "Enable-ExchangeCertificate",
        "parameters": [
            {"name": "Thumbprint", "value": "<thumbprint of the new certificate>"},
            {"name": "Services", "value": "IIS"},
        ],
        "command": "Enable-ExchangeCertificate -Thumbprint '<thumbprint of the new certificate>' -Services 'IIS'",
        "undo": None,
    }
    folded = next(item for item in report["findings"] if item["check"] == "endpoint-rpc-proxy")
    assert folded["reason"] == "http-error"
    assert folded["because"]["check"] == "endpoint-mapi-challenge"


def test_the_order_is_that_of_the_report() -> None:
    report = rich_report()
    assert [item["check"] for item in document(report)["findings"]] == [item.check for item in report.findings]


@pytest.mark.parametrize("report", [rich_report(), hostile_report(), empty_report(), large_report(200)])
def test_reading_gives_the_same_report(report: Report) -> None:
    text = render(report)
    assert text.isascii()
    assert parse(text) == report
    assert render(parse(text)) == text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTS)
def test_any_report_survives_the_way(report: Report) -> None:
    text = render(report)
    assert text.isascii()
    assert parse(text) == report
    STRICT.validate(json.loads(text))


def _changed(change: Callable[[Any], object]) -> str:
    content = document(rich_report())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 10_000, "not JSON"),
        ("[]", "the document must be an object"),
        ("{}", "schema_version is missing"),
        (_changed(lambda content: content.update(schema_version=2)), "schema_version 2; this mapiready reads 1"),
        (_changed(lambda content: content.update(schema_version=True)), "schema_version must be a whole number"),
        (_changed(lambda content: content.pop("counts")), "counts is missing"),
        (_changed(lambda content: content["counts"].pop("error")), "counts.error is missing"),
        (_changed(lambda content: content.update(started="2026-01-01T00:00:00")), "started must be a time with its"),
        (_changed(lambda content: content.update(started=None)), "started must be a text"),
        (_changed(lambda content: content.update(seconds=float("nan"))), "seconds must be a number"),
        (_changed(lambda content: content.update(seconds=10**400)), "seconds must be a number"),
        (_changed(lambda content: content.update(readiness="fine")), "readiness must be one of ready, not-ready"),
        (_changed(lambda content: content.update(readiness=[])), "readiness must be one of ready, not-ready"),
        (_changed(lambda content: content.update(findings={})), "findings must be a list"),
        (_changed(lambda content: content["findings"][1].pop("subject")), "findings[1].subject is missing"),
        (_changed(lambda content: content["findings"][0]["found"].append(1)), "findings[0].found[2] must be a text"),
        (_changed(lambda content: content["findings"][0].update(reason="because")), "findings[0].reason must be one"),
        (
            _changed(lambda content: content["findings"][0]["remedy"][0].update(name="Get-It; Remove-It")),
            "findings[0].remedy[0] must be a command",
        ),
        (
            _changed(lambda content: content["findings"][0]["remedy"][0]["parameters"][0].update(name="A;B")),
            "findings[0].remedy[0] must be a command",
        ),
        (
            _changed(lambda content: content["findings"][0]["remedy"][0]["parameters"][0].update(name="where")),
            "findings[0].remedy[0] must be a command",
        ),
        (
            _changed(lambda content: content["findings"][0]["remedy"][0]["parameters"][0].update(value=1.5)),
            "parameters[0].value must be a text",
        ),
        (_changed(lambda content: content["findings"][0]["remedy"][0].update(kind="x")), "remedy[0].kind must be"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_the_key(text: str, sentence: str) -> None:
    with pytest.raises(ReportFileError) as caught:
        parse(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_command_of_a_file_is_never_believed() -> None:
    text = _changed(lambda content: content["findings"][0]["remedy"][0].update(command="Remove-Mailbox *"))
    assert "Remove-Mailbox" not in render(parse(text))


def test_keys_of_a_later_tool_are_passed_over() -> None:
    assert parse(_changed(lambda content: content.update(new_key=1))) == rich_report()


def _paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from _paths(value, (*path, key))


@pytest.mark.parametrize("wrong", [None, 1, "x", [], {}, [[]], True])
def test_no_value_anywhere_breaks_the_reader(wrong: object) -> None:
    original = document(rich_report())
    for path in _paths(original):
        if not path:
            continue
        content = json.loads(json.dumps(original))
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = wrong
        try:
            read = parse(json.dumps(content))
        except ReportFileError:
            continue
        render(read)


def test_how_a_step_is_undone_comes_back() -> None:
    report = rich_report()
    step = Cmdlet("Set-MapiVirtualDirectory", Identity="EX1", InternalUrl="https://a.test/mapi", Values=("a", "b"))
    step = step.replacing(InternalUrl=None, Values=("a",))
    changed = replace(report, findings=(replace(report.findings[0], remedy=(step,)),))
    read = parse(render(changed)).findings[0].remedy[0]
    assert isinstance(read, Cmdlet)
    assert (read, read.undo) == (step, step.undo)
    assert VALIDATOR.is_valid(document(changed))


def test_a_report_that_does_not_say_how_a_step_is_undone() -> None:
    text = document(rich_report())
    del text["findings"][0]["remedy"][2]["undo"]
    step = parse(json.dumps(text)).findings[0].remedy[2]
    assert isinstance(step, Cmdlet)
    assert step.undo is None
