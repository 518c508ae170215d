"""Saved data to a report: which file is what, what goes together, and that nothing is connected to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checker.answers import CmdletAnswer, CmdletCall, NotCollected, Reason
from checker.errors import UserError
from checker.facts.run import GivenNames, Vantage, VantagePoint
from checker.gathering import RUN, RunState
from checker.judging import JudgingError, expand, judge_files
from checker.powershell.records import Stream
from checker.results import Finding, Readiness, Report, Status
from checker.settings import Settings
from checker.snapshot.archive import Archive
from checker.snapshot.replay import open_snapshot
from lab.organisation import start
from lab.scenario import Vantage as Place
from tests.lab_audit import settings_for
from tests.snapshot.making import GATHERED, ORGANIZATION, snapshot
from tests.snapshot.test_equality import kept, probe_settings
from tests.test_architecture import ROOT, reach

OUTSIDE = Vantage(VantagePoint.OUTSIDE, None)


def judged(*patterns: Path | str, **options: Any) -> Report:
    return judge_files([str(pattern) for pattern in patterns], replace(Settings(server=()), **options))


def of(report: Report, check: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.check == check]


def refused(*patterns: Path | str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        judged(*patterns, **options)
    return str(caught.value)


# --- which files ------------------------------------------------------------------------------------------------------


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        (["a.zip"], ["a.zip"]),
        (["a.zip", "a.zip", "./a.zip"], ["a.zip"]),
        (["*.zip"], ["a.zip", "b.zip"]),
        (["HealthChecker-EX0?-*.xml"], ["HealthChecker-EX01-1.xml", "HealthChecker-EX02-1.xml"]),
        (["exports"], ["exports/d.XML", "exports/deep/c.clixml"]),
        (["**/*.clixml"], ["exports/deep/c.clixml"]),
        (["[odd].xml"], ["[odd].xml"]),
        (["exports [1]/*.xml"], ["exports [1]/e.xml"]),
        (["exports [1]/*.zip", "exports [1]"], ["exports [1]/[f].zip", "exports [1]/e.xml"]),
        (["exports*"], ["exports/d.XML", "exports/deep/c.clixml", "exports [1]/[f].zip", "exports [1]/e.xml"]),
        (["exports/deep/../d.XML", "exports"], ["exports/deep/../d.XML", "exports/deep/c.clixml"]),
    ],
)
def test_patterns_are_expanded(
    patterns: Sequence[str], files: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched(tmp_path, "a.zip", "b.zip", "HealthChecker-EX01-1.xml", "HealthChecker-EX02-1.xml", "[odd].xml")
    touched(tmp_path, "exports/deep/c.clixml", "exports/d.XML", "exports/notes.txt")
    touched(tmp_path, "exports [1]/e.xml", "exports [1]/[f].zip", "1/g.xml")
    monkeypatch.chdir(tmp_path)
    assert sorted(file.path for file in expand(patterns).files) == sorted(Path(file) for file in files)


def test_what_is_named_counts_as_named_though_its_folder_is_given_too(tmp_path: Path) -> None:
    touched(tmp_path, "a.xml", "b.xml")
    for order in ((tmp_path, tmp_path / "a.xml"), (tmp_path / "a.xml", tmp_path)):
        named = {file.path.name: file.named for file in expand([str(path) for path in order]).files}
        assert named == {"a.xml": True, "b.xml": False}


def test_links_in_a_folder_lead_nowhere_twice(tmp_path: Path) -> None:
    touched(tmp_path, "a/a.xml", "elsewhere/d.xml")
    try:
        (tmp_path / "a" / "elsewhere").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "a" / "again").symlink_to(tmp_path / "a", target_is_directory=True)
        (tmp_path / "a" / "b.xml").symlink_to(tmp_path / "a" / "a.xml")
        (tmp_path / "a" / "c.xml").symlink_to(tmp_path / "nothing")
    except OSError:
        pytest.skip("links need a right here")
    assert [file.path.name for file in expand([str(tmp_path / "a")]).files] == ["a.xml"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none on Windows")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    touched(tmp_path, "a.zip")
    os.mkfifo(tmp_path / "pipe.zip")
    assert f"{tmp_path / 'pipe.zip'} is no file." == refused(tmp_path / "pipe.zip")
    assert [file.path.name for file in expand([str(tmp_path)]).files] == ["a.zip"]


def test_a_folder_that_is_called_a_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").mkdir()
    assert refused(tmp_path / "x.zip") == f"The folder {tmp_path / 'x.zip'} holds no .zip, .xml or .clixml."
    (tmp_path / "x.zip" / "config.xml").write_text(EXPORT, encoding="utf-8")
    assert judged(tmp_path / "x.zip", now=GATHERED).organisation == "Contoso"


@pytest.mark.parametrize("name", ["a\0b.xml", "x" * 5000 + ".zip", "~nobody-of-that-name/x.zip"])
def test_a_name_that_is_none(name: str) -> None:
    assert refused(name).endswith(".")


def test_what_lies_in_a_folder_and_is_not_ours_is_told_and_left_out(tmp_path: Path) -> None:
    snapshot(tmp_path)
    (tmp_path / "settings.xml").write_text("<configuration/>")
    (tmp_path / "other.clixml").write_text(EXPORT.replace("OrganizationConfig", "Nothing"), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    report = judged(tmp_path)
    assert report.organisation == "Contoso"
    assert report.findings == judged(tmp_path / "org.mapiready.zip").findings
    assert sum("photos.zip is left out" in note for note in report.notes) == 1
    assert any("settings.xml" in note or "2 files holds anything" in note for note in report.notes)
    # Named, each is an error.
    assert "settings.xml is not what Export-Clixml writes" in refused(tmp_path, tmp_path / "settings.xml")
    assert "photos.zip is neither a snapshot" in refused(tmp_path, tmp_path / "photos.zip")


def test_a_folder_of_nothing_that_is_ours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    assert refused(tmp_path).startswith("There is nothing to judge: ")
    (tmp_path / "settings.xml").write_text("<configuration/>")
    assert "settings.xml" in refused(tmp_path)


def test_a_snapshot_that_is_cut_is_an_error_wherever_it_lies(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    (tmp_path / "cut.mapiready.zip").write_bytes(file.read_bytes()[:-100])
    assert "cut.mapiready.zip" in refused(tmp_path)


def test_nothing_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for pattern, words in (
        (tmp_path / "org.zip", "There is no file"),
        (tmp_path / "HealthChecker-*.xml", "No file matches"),
        (tmp_path / "empty", "holds no .zip, .xml or .clixml"),
    ):
        with pytest.raises(JudgingError, match=words):
            expand([str(pattern)])
    assert "at least one file" in refused()


# --- one view ---------------------------------------------------------------------------------------------------------


def test_now_is_the_time_of_the_gathering_unless_another_is_given(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    report = judged(file)
    assert (report.started, report.judged_at) == (GATHERED, GATHERED)
    later = GATHERED + timedelta(days=400)
    assert judged(file, now=later).judged_at == later


def test_the_report_says_what_was_found_in_which_file(tmp_path: Path) -> None:
    (note,) = judged(snapshot(tmp_path)).notes
    assert note == (
        "org.mapiready.zip: 1 of 1 answers of cmdlets and 4 looks at the network from inside, gathered 2027-03-01 08:30"
        " UTC."
    )


def test_a_question_that_the_snapshot_does_not_hold_is_not_run(tmp_path: Path) -> None:
    report = judged(snapshot(tmp_path))
    (finding,) = of(report, "server-builds-match")
    assert finding.status is Status.NOT_RUN
    assert finding.summary == (
        "The snapshot org.mapiready.zip of 2027-03-01 08:30 UTC does not hold the answers of Get-ExchangeServer; gather"
        " again with this version."
    )
    assert report.readiness is not Readiness.READY


def test_what_was_narrowed_when_gathering_is_never_ready(tmp_path: Path) -> None:
    report = judged(snapshot(tmp_path, narrowed=("--only mailboxes",)))
    assert report.narrowed == ("--only mailboxes",)
    (finding,) = of(report, "server-builds-match")
    assert "the answers of Get-ExchangeServer: its run was narrowed (--only mailboxes)." in finding.summary


def test_an_interrupted_gathering_stays_one(tmp_path: Path) -> None:
    stopped = NotCollected(Reason.INTERRUPTED, "The run was interrupted (Ctrl-C) before this was known.")
    token = RUN.set(RunState(stopped=stopped))
    try:
        file = snapshot(tmp_path)
    finally:
        RUN.reset(token)
    report = judged(file)
    assert report.interrupted
    assert report.readiness is Readiness.INCONCLUSIVE
    (finding,) = of(report, "server-builds-match")
    assert (finding.status, finding.reason) == (Status.UNKNOWN, Reason.INTERRUPTED)


def test_errors_and_warnings_are_read_from_the_messages(tmp_path: Path) -> None:
    record = (
        '<Obj RefId="0"><ToString>gone</ToString><MS><S N="FullyQualifiedErrorId">X,Y</S>'
        '<I32 N="ErrorCategory_Category">13</I32><S N="ErrorCategory_TargetName">EX09</S></MS></Obj>'
    )
    notice = '<Obj RefId="0"><MS><S N="InformationalRecord_Message">beware</S></MS></Obj>'
    messages = [(Stream.WARNING, notice), (Stream.OUTPUT, ORGANIZATION), (Stream.ERROR, record)]
    with Archive(snapshot(tmp_path, says={"Get-OrganizationConfig": messages})) as archive:
        answer = asyncio.run(asked(archive))
    assert isinstance(answer, CmdletAnswer)
    assert answer.warnings == ("beware",)
    assert [(error.error_id, error.category, error.message, error.target) for error in answer.errors] == [
        ("X,Y", "ObjectNotFound", "gone", "EX09")
    ]
    assert (answer.server, answer.seconds, len(answer.objects)) == ("ex01.contoso.test", 0.125, 1)


async def asked(archive: Archive) -> CmdletAnswer | NotCollected:
    """The answer of a snapshot to a call whose words are in another case."""
    with open_snapshot(archive) as view:
        assert view.runner is not None
        return await view.runner.run(CmdletCall.of("GET-organizationCONFIG"))


# --- several ----------------------------------------------------------------------------------------------------------


def test_inside_and_outside_become_one_report(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside.mapiready.zip", tmp_path / "outside.mapiready.zip"
    with start("healthy") as lab:
        alone = kept(settings_for(lab), lab.password, inside)
    with start("healthy", vantage=Place.OUTSIDE) as lab:
        kept(probe_settings(lab), None, outside)
    for order in ((inside, outside), (outside, inside)):
        report = judged(*order, now=lab.now)
        assert report.organisation == "Contoso"
        assert report.vantage == "inside and outside"
        assert report.narrowed == ()
        assert report.servers == alone.servers
        assert not of_status(report, Status.FAIL)
        assert of_status(report, Status.NOT_RUN) == of_status(alone, Status.NOT_RUN)
        # The outside is judged with what the organisation says, which the probe could not know.
        seen = {(finding.subject.vantage, finding.status) for finding in of(report, "endpoint-reachable")}
        assert ("outside", Status.PASS) in seen
        assert ("inside", Status.PASS) in seen


def of_status(report: Report, status: Status) -> set[tuple[str, str]]:
    return {(finding.check, finding.subject.name) for finding in report.findings if finding.status is status}


def test_two_snapshots_from_the_same_place_are_not_one_report(tmp_path: Path) -> None:
    first = snapshot(tmp_path, "monday.zip")
    second = snapshot(tmp_path, "tuesday.zip", started=GATHERED + timedelta(days=1))
    sentence = refused(first, second)
    assert "monday.zip and tuesday.zip were both seen from inside" in sentence
    assert "--vantage inside:LABEL" in sentence


def test_two_organisations_are_not_one_report(tmp_path: Path) -> None:
    other = [(Stream.OUTPUT, ORGANIZATION.replace("Contoso", "Fabrikam"))]
    first = snapshot(tmp_path, "one.zip")
    second = snapshot(tmp_path, "two.zip", says={"Get-OrganizationConfig": other}, vantage=OUTSIDE)
    assert "different organisations (one.zip of Contoso and two.zip of Fabrikam)" in refused(first, second)


def test_a_name_that_only_the_outside_asked_for_is_judged_there_alone(tmp_path: Path) -> None:
    inside = snapshot(tmp_path, "inside.zip", given_names=GivenNames(()))
    outside = snapshot(tmp_path, "outside.zip", vantage=OUTSIDE, powershell=False, narrowed=("probe",))
    report = judged(inside, outside)
    resolved = [finding for finding in of(report, "name-resolves") if finding.subject.name == "mail.contoso.test"]
    assert [(finding.subject.vantage, finding.status) for finding in resolved] == [("outside", Status.PASS)]
    assert report.organisation == "Contoso"


EXPORT = (
    '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    + ORGANIZATION.replace("<T>", "<T>Deserialized.")
    + "</Objs>"
)


def test_an_export_is_told_by_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "whatever.xml"
    file.write_text(EXPORT, encoding="utf-8-sig")
    report = judged(file, now=GATHERED)
    assert report.organisation == "Contoso"
    assert report.readiness is not Readiness.READY
    assert any("whatever.xml" in note for note in report.notes)


def test_an_export_and_a_probe_are_one_organisation(tmp_path: Path) -> None:
    file = tmp_path / "config.xml"
    file.write_text(EXPORT, encoding="utf-16")
    outside = snapshot(tmp_path, "outside.zip", vantage=OUTSIDE, powershell=False, narrowed=("probe",))
    report = judged(file, outside, now=GATHERED)
    assert report.organisation == "Contoso"
    assert "outside" in report.vantage
    assert any(finding.status is Status.PASS for finding in of(report, "name-resolves"))


def test_an_export_adds_to_a_snapshot_of_any_place_that_knows_the_organisation(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(EXPORT, encoding="utf-8")
    outside = snapshot(tmp_path, "outside.zip", vantage=OUTSIDE)
    labelled = snapshot(tmp_path, "berlin.zip", vantage=Vantage(VantagePoint.INSIDE, "berlin"))
    for file, vantage in ((outside, "outside"), (labelled, "inside:berlin")):
        report = judged(file, tmp_path / "config.xml", now=GATHERED)
        assert report.vantage == vantage
        assert {each.subject.vantage for each in report.findings} == {None}


def test_an_export_adds_to_a_snapshot_of_the_same_place(tmp_path: Path) -> None:
    file = tmp_path / "config.xml"
    file.write_text(EXPORT, encoding="utf-8")
    inside = snapshot(tmp_path, "inside.zip", powershell=False)
    report = judged(inside, file, now=GATHERED)
    assert report.organisation == "Contoso"
    assert report.vantage == "inside"


# --- no connection ----------------------------------------------------------------------------------------------------


def test_judging_reaches_no_source_that_connects() -> None:
    assert not reach(ROOT / "checker" / "judging.py").keys() & {
        "checker.audit",
        "checker.network.http",
        "checker.network.live",
        "checker.network.signed_in",
        "checker.powershell.session",
    }


WATCHED = """
import sys
from pathlib import Path
from checker.judging import judge_files
from checker.settings import Settings
from checker.snapshot.archive import Archive
from checker.snapshot.replay import open_snapshot

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen"):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(watch)
report = judge_files(sys.argv[1:], Settings(server=()))
print(report.organisation, len(report.findings) > 50)
heavy = {"pypsrp", "httpx", "httpcore", "requests", "spnego", "OpenSSL", "dns", "keyring"}
print(sorted(heavy & set(sys.modules)))
"""


def test_judging_opens_no_connection_and_loads_nothing_that_could(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(snapshot(tmp_path))], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "Contoso True\n[]\n", done.stderr
    assert done.returncode == 0


def test_the_time_is_that_of_the_machine_where_no_file_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "whatever.xml"
    file.write_text(EXPORT, encoding="utf-8")
    before = datetime.now(UTC)
    report = judged(file)
    assert before <= report.judged_at <= datetime.now(UTC) or any("gathered" in note for note in report.notes)
