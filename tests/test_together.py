"""Several files as one source: each server once, none lost, of each what the first source says that speaks of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checker.answers import (
    NOT_GIVEN_ERROR,
    CmdletAnswer,
    CmdletCall,
    CmdletError,
    Keep,
    NotCollected,
    PSObject,
    PSValue,
    Reason,
)
from checker.exports import read_exports
from checker.exports.answering import server_of
from checker.judging import judge_files, judge_views
from checker.plugins import find_checks
from checker.results import Readiness, Report, Status
from checker.saved import SavedView
from checker.settings import Settings
from checker.together import Together, together
from tests.exports.writing import anywhere, health_check, mailbox_server, mapi, organisation, server, write

TUESDAY = datetime(2027, 3, 2, 8, tzinfo=UTC)
DIRECTORIES = CmdletCall.of("Get-MapiVirtualDirectory", ADPropertiesOnly=True)
SERVERS = CmdletCall.of("Get-ExchangeServer")
CLASSES = {SERVERS.name: "ExchangeServer", DIRECTORIES.name: "ADMapiVirtualDirectory"}


@dataclass(frozen=True)
class Asked:
    """An organisation that was asked; of a cmdlet that is not there it got nothing. An answer is the names of servers,
    spelled with whose answer it is."""

    whose: str
    servers: Mapping[str, tuple[str, ...]]
    errors: Mapping[str, tuple[CmdletError, ...]]

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        if call.name not in self.servers:
            return NotCollected(Reason.CMDLET_ERROR, f"{self.whose} got nothing.")
        objects = [self.made(call.name, name) for name in self.servers[call.name]]
        kept = tuple(keep(each) if keep else each for each in objects)
        return CmdletAnswer(call, self.whose, kept, self.errors.get(call.name, ()), (), 0.0)

    def made(self, cmdlet: str, name: str) -> PSObject:
        kind = f"Microsoft.Exchange.Data.Directory.Management.{CLASSES.get(cmdlet, 'Thing')}"
        return PSObject((kind,), self.whose, {"Name": name, "Server": name, "Identity": f"{name}\\mapi"})


def error(target: str | None, error_id: str = "X,Y") -> CmdletError:
    return CmdletError(error_id, "NotSpecified", f"about {target}", target, ())


@pytest.fixture
def exported(tmp_path: Path) -> SavedView:
    """A list of EX01 and EX02, and the directory of EX01 alone; when, it does not say."""
    return read_exports([write(tmp_path, "a.xml", server("EX01"), server("EX02"), mapi("EX01"))])


def asked(
    blank: SavedView,
    whose: str = "dc",
    *,
    directories: Iterable[str] | None = None,
    errors: Iterable[CmdletError] = (),
    when: datetime = TUESDAY,
    servers: Iterable[str] | None = ("EX01", "EX02"),
) -> SavedView:
    """What a collector or a snapshot holds of these servers."""
    had = {SERVERS.name: servers, DIRECTORIES.name: directories}
    runner = Asked(
        whose,
        {name: tuple(names) for name, names in had.items() if names is not None},
        {DIRECTORIES.name: tuple(errors)},
    )
    return replace(blank, runner=runner, whole=True, gathered=when, files=(f"{whose}.zip",))


def ask(call: CmdletCall, *views: SavedView, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
    source = together(*views)
    assert source is not None
    return asyncio.run(source.run(call, keep=keep))


def told(answer: CmdletAnswer | NotCollected) -> dict[str, str | None]:
    """Which servers an answer tells of, and whose words these are: "dc", or None for an export."""
    assert isinstance(answer, CmdletAnswer)
    named = [(server_of(answer.call.name, value), value) for value in answer.objects if isinstance(value, PSObject)]
    assert len({name for name, _ in named}) == len(named)  # no server twice
    return {name or "?": value.text if value.text in ("dc", "old") else None for name, value in named}


def targets(answer: CmdletAnswer | NotCollected) -> list[str | None]:
    assert isinstance(answer, CmdletAnswer)
    return [each.target for each in answer.errors]


# --- server by server -------------------------------------------------------------------------------------------------


def test_what_one_export_lacks_another_file_completes(exported: SavedView) -> None:
    alone = ask(DIRECTORIES, exported)
    assert (told(alone), targets(alone)) == ({"ex01": None}, ["EX02"])
    older = asked(exported, directories=("EX01", "EX02"))
    both = ask(DIRECTORIES, exported, older)
    assert (told(both), targets(both)) == ({"ex01": None, "ex02": "dc"}, [])


def test_who_was_asked_and_has_nothing_has_nothing(exported: SavedView) -> None:
    # The organisation was asked: EX02 has no directory, and an export that lies about does not give it one.
    answer = ask(DIRECTORIES, asked(exported, directories=("EX01",)), asked(exported, "old", directories=("EX02",)))
    assert (told(answer), targets(answer)) == ({"ex01": "dc"}, [])
    # The export does not know: whoever was asked does.
    answer = ask(DIRECTORIES, exported, asked(exported, directories=("EX01",)))
    assert (told(answer), targets(answer)) == ({"ex01": None}, [])


@pytest.mark.parametrize("target", ["EX02", "EX02\\mapi (Default Web Site)", "CN=EX02,CN=Servers,DC=test", "ex02.x.y"])
def test_an_error_about_a_server_is_made_good_by_another_file(exported: SavedView, target: str) -> None:
    failing = asked(exported, directories=("EX01",), errors=[error(target)])
    assert targets(ask(DIRECTORIES, failing, exported)) == [target]  # the export lacks EX02, too
    other = asked(exported, "old", directories=("EX01", "EX02"), when=TUESDAY - timedelta(days=1))
    answer = ask(DIRECTORIES, failing, other)
    assert (told(answer), targets(answer)) == ({"ex01": "dc", "ex02": "old"}, [])


def test_an_error_beside_an_object_stays_as_live(exported: SavedView) -> None:
    failing = asked(exported, directories=("EX01", "EX02"), errors=[error("EX02"), error(None)])
    answer = ask(DIRECTORIES, failing, exported)
    assert told(answer) == {"ex01": "dc", "ex02": "dc"}
    assert targets(answer) == ["EX02", None]


def test_without_any_answer_the_better_reason_is_told(exported: SavedView, tmp_path: Path) -> None:
    nothing = read_exports([write(tmp_path, "b.xml", organisation())])
    answer = ask(DIRECTORIES, nothing, asked(exported))
    assert isinstance(answer, NotCollected)
    assert answer.reason is Reason.CMDLET_ERROR
    answer = ask(CmdletCall.of("Get-AuthConfig"), nothing, replace(exported, runner=exported.runner))
    assert isinstance(answer, NotCollected)
    assert answer.reason is Reason.NOT_GIVEN


def test_what_is_kept_of_an_object_is_kept_of_all(exported: SavedView) -> None:
    def name(value: PSValue) -> PSValue:
        assert isinstance(value, PSObject)
        return value.properties["Server"]

    answer = ask(DIRECTORIES, exported, asked(exported, directories=("EX01", "EX02")), keep=name)
    assert isinstance(answer, CmdletAnswer)
    assert answer.objects == ("EX01", "EX02")


def test_a_question_about_one_server_goes_to_the_first_who_knows(exported: SavedView) -> None:
    call = CmdletCall.of("Get-ExchangeServer", Identity="EX01")
    assert told(ask(call, asked(exported, servers=None), exported)) == {"ex01": None}


def test_a_single_source_is_asked_as_it_is(exported: SavedView) -> None:
    source = together(exported, exported, None)
    assert source is not None
    assert [each.error_id for each in getattr(asyncio.run(source.run(DIRECTORIES)), "errors", ())] == [NOT_GIVEN_ERROR]
    assert together(None, replace(exported, runner=None)) is None


# --- which servers there are ------------------------------------------------------------------------------------------


def test_of_lists_that_differ_the_newest_of_the_organisation_counts(exported: SavedView) -> None:
    new = asked(exported, servers=("EX02", "EX03"), directories=("EX02", "EX03"))
    old = asked(exported, "old", when=TUESDAY - timedelta(days=30), directories=("EX01", "EX02"))
    source = Together((new, old))
    assert told(asyncio.run(source.run(SERVERS))) == {"ex02": "dc", "ex03": "dc"}
    assert told(asyncio.run(source.run(DIRECTORIES))) == {"ex02": "dc", "ex03": "dc"}
    assert source.left_out == ["EX01 is left out: old.zip tells of it, and the servers were listed later without it."]


def test_a_server_that_came_after_a_snapshot_is_there(exported: SavedView) -> None:
    source = Together((asked(exported), asked(exported, "old", when=TUESDAY + timedelta(days=9), servers=("EX03",))))
    assert told(asyncio.run(source.run(SERVERS))) == {"ex01": "dc", "ex02": "dc", "ex03": "old"}
    assert not source.left_out


@pytest.mark.parametrize(("days", "there"), [(None, True), (1, True), (-1, False)])
def test_a_server_that_only_an_export_names(exported: SavedView, days: int | None, *, there: bool) -> None:
    when = None if days is None else TUESDAY + timedelta(days=days)
    other = asked(exported, servers=("EX02",), directories=("EX02",))
    source = Together((other, replace(exported, gathered=when)))
    for call in (SERVERS, DIRECTORIES):
        answer = asyncio.run(source.run(call))
        assert told(answer) == {"ex02": "dc", **({"ex01": None} if there else {})}
    assert bool(source.left_out) is not there


# --- files, end to end ------------------------------------------------------------------------------------------------


def judged(*files: Path, **options: Any) -> Report:
    return judge_files([str(file) for file in files], replace(Settings(server=()), **options))


def standing(report: Report, check: str) -> dict[str, Status]:
    found = [finding for finding in report.findings if finding.check == check]
    assert len({finding.subject.key for finding in found}) == len(found)
    return {finding.subject.name: finding.status for finding in found}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The exports of each server in a folder of its own, as somebody collects them by hand."""
    write(tmp_path, "organisation.xml", organisation())
    for name in ("EX01", "EX02"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "Get-ExchangeServer.xml", server(name))
        write(tmp_path / name, "mapi.xml", mapi(name))
        write(tmp_path / name, "oa.xml", anywhere(name))
        write(tmp_path / name, "mailbox.xml", mailbox_server(name))
    return tmp_path


def test_exports_of_two_servers_in_two_folders(folders: Path) -> None:
    for given in ((folders,), (folders / "EX02", folders / "EX01", folders / "organisation.xml", folders / "EX0*")):
        report = judged(*given)
        assert report.servers == ("EX01", "EX02")
        assert standing(report, "vdir-mapi-present") == {"EX01": Status.PASS, "EX02": Status.PASS}
        assert not report.narrowed or "alone" not in report.narrowed[0]


def test_a_server_that_one_folder_lacks_is_not_run_and_says_how(folders: Path) -> None:
    (folders / "EX02" / "mapi.xml").unlink()
    report = judged(folders)
    assert standing(report, "vdir-mapi-present") == {"EX01": Status.PASS, "EX02": Status.NOT_RUN}
    (finding,) = (each for each in report.findings if each.subject.name == "EX02" and each.check == "vdir-mapi-present")
    assert "Get-MapiVirtualDirectory -Server EX02 | Export-Clixml" in finding.summary


def test_the_look_at_a_host_makes_no_organisation_of_an_export(exported: SavedView) -> None:
    host = replace(exported, runner=None, incomplete=(), gathered=TUESDAY, files=("host.zip",))
    for order in ((exported, host), (host, exported)):
        report = judge_views(order, Settings(server=()), find_checks())
        assert report.narrowed == exported.incomplete != ()
        assert report.readiness is not Readiness.READY
        assert report.judged_at == TUESDAY
    whole = asked(exported, directories=("EX01", "EX02"))
    report = judge_views((exported, whole), Settings(server=()), find_checks())
    assert report.narrowed == whole.incomplete == exported.incomplete
    assert not judge_views((exported, replace(whole, incomplete=())), Settings(server=()), find_checks()).narrowed


def test_health_checker_of_each_server_in_a_folder(tmp_path: Path) -> None:
    for name in ("EX01", "EX02", "EX03"):
        write(tmp_path, f"HealthChecker-{name}-20260301123000.xml", health_check(2025, name))
    (tmp_path / "web.config.xml").write_text("<configuration/>")
    (tmp_path / "HealthChecker-EX01-20260301123000.txt").write_text("the same as text")
    for given in ((tmp_path,), (tmp_path / "HealthChecker-*.xml", tmp_path / "HealthChecker-EX0?-*.xml")):
        report = judged(*given)
        assert report.servers == ("EX01", "EX02", "EX03")
        assert set(standing(report, "host-dotnet")) == {"EX01", "EX02", "EX03"}
        assert set(standing(report, "vdir-mapi-present").values()) == {Status.PASS}
    assert any("web.config.xml" in note for note in judged(tmp_path).notes)
