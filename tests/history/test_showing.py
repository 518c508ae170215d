"""What `mapiready history` prints."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from checker.errors import UserError
from checker.history.location import SqliteFile
from checker.history.showing import list_json, list_text, parse_age, pruned_text, trend_json, trend_text
from checker.history.store import KeptRun, Trend, open_history
from checker.quoting import is_hidden
from checker.results import Status
from tests.history.runs import CHALLENGE, run_of
from tests.reports.samples import hostile_report


@pytest.fixture
def asked(tmp_path: Path) -> tuple[tuple[KeptRun, ...], Trend, Trend]:
    with open_history(SqliteFile(tmp_path / "runs.db")) as history:
        for day, status in enumerate([Status.PASS, Status.FAIL]):
            history.keep(run_of(day, status))
        history.keep(run_of(2, findings=(), narrowed=("--only names",), interrupted=True))
        return history.list(), history.trend(CHALLENGE), history.trend("mail.contoso.test")


def test_a_line_for_each_run(asked: tuple[tuple[KeptRun, ...], Trend, Trend]) -> None:
    runs = asked[0]
    heading, *lines = list_text(runs, width=120, colour=False).splitlines()
    assert heading.split() == [
        *("run", "started", "(UTC)", "organisation", "seen", "from", "readiness", "blockers", "warnings", "unknown")
    ]
    assert [line.split()[0] for line in lines] == [run.past.run[:10] for run in runs]
    assert "inside (--only names)" in lines[0]
    assert "READY (interrupted)" in lines[0]
    assert lines[1].split()[1:] == ["2026-11-02", "06:00", "contoso.test", "inside", "NOT", "READY", "1", "0", "0"]


def test_the_trend_says_where_there_is_nothing(asked: tuple[tuple[KeptRun, ...], Trend, Trend]) -> None:
    _, check, subject = asked
    title, _, *lines = trend_text(check, width=120, colour=False).splitlines()
    assert title == f"check {CHALLENGE}"
    assert lines[0].split()[3:] == ["0", "0", "0", "1", "0"]
    assert lines[1].split()[3:] == ["1", "0", "0", "0", "0", "mail.contoso.test"]
    assert lines[2].split()[3:] == ["-", "-", "-", "-", "-", "no", "finding"]
    assert trend_text(subject, width=120, colour=False).startswith("subject mail.contoso.test\n")


def test_scripts_get_the_same(asked: tuple[tuple[KeptRun, ...], Trend, Trend]) -> None:
    runs, check, subject = asked
    listed = json.loads(list_json(runs))
    assert [run["run"] for run in listed["runs"]] == [run.past.run for run in runs]
    assert listed["runs"][1]["counts"]["failed_blockers"] == 1
    told = json.loads(trend_json(check))
    assert told["check"] == CHALLENGE
    assert [run["statuses"]["fail"] for run in told["runs"]] == [0, 1, 0]
    assert json.loads(trend_json(subject))["runs"][1]["failing"] == [CHALLENGE]


def test_an_empty_history_says_so() -> None:
    assert list_text((), width=100, colour=True) == "The history has no run yet.\n"
    assert json.loads(list_json(()))["runs"] == []


@pytest.mark.parametrize("width", [20, 80, 120])
def test_texts_of_servers_do_no_harm(tmp_path: Path, width: int) -> None:
    with open_history(SqliteFile(tmp_path / "runs.db")) as history:
        history.keep(hostile_report())
        runs = history.list()
        trend = history.trend("hostile-ansi")
    for text in (list_text(runs, width=width, colour=False), trend_text(trend, width=width, colour=False)):
        assert not [character for character in text if is_hidden(character) and character != "\n"]
    ascii_only = list_text(runs, width=width, colour=False, ascii_only=True)
    assert ascii_only.isascii()
    assert "\x1b[" in list_text(runs, width=width, colour=True)


@pytest.mark.parametrize(
    ("text", "age"),
    [("400d", timedelta(days=400)), (" 12w ", timedelta(weeks=12)), ("36h", timedelta(hours=36))],
)
def test_an_age(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "400", "d", "-1d", "0d", "1.5d", "1m", "9999999d", "٣d", "1d 2h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be a number of days, weeks or hours"):
        parse_age(text)


def test_what_pruning_did() -> None:
    assert [pruned_text(count) for count in (0, 1, 1_200)] == [
        "0 runs forgotten.\n",
        "1 run forgotten.\n",
        "1,200 runs forgotten.\n",
    ]
