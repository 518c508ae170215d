"""The folder of a plan: whose it is, what is kept, and that nothing is lost or half written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from checker.output import OutputError
from checker.plan.folder import MARK, plan_report, write_plan
from checker.plan.state import FILE, PlanError
from checker.results import Report
from reports.json_report import ReportFileError, render
from tests.reports.samples import healthy_report, hostile_report, rich_report

FILES = {
    "enable.ps1", "rollback.ps1", "MapiHttpDisabled-1.reg", "MapiHttpDisabled-0.reg", "checklist.html", "checklist.md",
    "checklist.xlsx", FILE, "README.txt", MARK,
}  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_plan_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(render(rich_report()), encoding="utf-8")
    written = plan_report(str(tmp_path / "report.json"), tmp_path / "plan" / "spring")
    assert {path.name for path in written} == FILES
    assert set(contents(tmp_path / "plan" / "spring")) == FILES
    rollback = (tmp_path / "plan" / "spring" / "rollback.ps1").read_text("ascii")
    assert "# How (cert-names-cover): " in rollback  # as the check says


def test_a_file_that_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ReportFileError):
        plan_report(str(tmp_path / "report.json"), tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize(
    "report", [rich_report(), hostile_report(), healthy_report()], ids=["rich", "hostile", "healthy"]
)
def test_the_same_report_gives_the_same_files(tmp_path: Path, report: Report) -> None:
    write_plan(report, tmp_path, {})
    first = contents(tmp_path)
    write_plan(report, tmp_path, {})
    assert contents(tmp_path) == first


def test_a_folder_that_is_not_a_plans_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "enable.ps1").write_text("mine")
    with pytest.raises(PlanError, match=r"not the folder of a plan"):
        write_plan(rich_report(), tmp_path, {})
    assert contents(tmp_path) == {"enable.ps1": b"mine"}


@pytest.mark.parametrize("mark", [b"", b"[]", b"{}", b'{"kind": "x", "files": {}}', b"[" * 100_000, b"\xff"])
def test_a_mark_that_is_not_ours(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / MARK).write_bytes(mark)
    with pytest.raises(PlanError, match=r"not what mapiready wrote"):
        write_plan(rich_report(), tmp_path, {})
    assert contents(tmp_path) == {MARK: mark}


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("mine")
    with pytest.raises(PlanError, match="is no folder"):
        write_plan(rich_report(), tmp_path / "plan", {})


def test_the_plan_of_another_organisation(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    before = contents(tmp_path)
    with pytest.raises(PlanError, match=r"holds the plan of .*, and the report is of Fabrikam"):
        write_plan(replace(rich_report(), organisation="Fabrikam"), tmp_path, {})
    assert contents(tmp_path) == before


def test_what_somebody_edited_is_kept_beside(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    (tmp_path / "enable.ps1").write_bytes(b"mine")
    (tmp_path / "checklist.xlsx").write_bytes(b"ticked here")
    (tmp_path / "notes.txt").write_bytes(b"not of the plan")
    written = write_plan(rich_report(), tmp_path, {})
    after = contents(tmp_path)
    assert after["enable.edited-1.ps1"] == b"mine"
    assert after["checklist.edited-1.xlsx"] == b"ticked here"
    assert after["notes.txt"] == b"not of the plan"
    assert {"enable.edited-1.ps1", "checklist.edited-1.xlsx"} <= {path.name for path in written}
    (tmp_path / "enable.ps1").write_bytes(b"mine again")
    write_plan(rich_report(), tmp_path, {})
    assert contents(tmp_path)["enable.edited-2.ps1"] == b"mine again"
    assert contents(tmp_path)["enable.edited-1.ps1"] == b"mine"


def test_what_is_kept_by_hand_survives_a_newer_report(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    text = (tmp_path / FILE).read_text("utf-8")
    mine = text.replace(
        '[items.communication-restart]\ndone = false\nowner = ""\ndate = ""\nnote = ""',
        '[items.communication-restart]\ndone = true\nowner = "J\u00fcrgen"\ndate = 2026-12-01\nnote = "by mail" # 2',
    )
    assert mine != text
    mine += '\n[items.vanished]\ndone = true\nowner = "Ann"\nnote = "of an earlier report"\nticket = 4711\n'
    (tmp_path / FILE).write_bytes(mine.encode())
    write_plan(healthy_report(), tmp_path, {})
    after = (tmp_path / FILE).read_text("utf-8")
    assert after.startswith(mine)
    assert not list(tmp_path.glob("checklist.edited*"))
    markdown = (tmp_path / "checklist.md").read_text("utf-8")
    line = next(line for line in markdown.splitlines() if "communication-restart" in line)
    assert line.startswith("- [x] ")
    assert "owner: J\u00fcrgen; date: 2026-12-01; note: by mail" in markdown
    assert "J\u00fcrgen" in (tmp_path / "checklist.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"done = \xff", "not UTF-8"),
        (b"version = 1\n[items.a\n", "not TOML"),
        (b"", "version = 1"),
        (b"version = 2", "version = 1"),
        (b"version = 1\nitems = 3", "items must be a table"),
        (b"version = 1\n[items]\na = 3", "items.a must be a table"),
        (b'version = 1\n[items.a]\ndone = "yes"', "items.a.done must be true or false"),
        (b"version = 1\n[items.a]\nowner = 3", "items.a.owner must be a text"),
        (b"version = 1\nitems = {}", "cannot be added to|not TOML"),
    ],
)
def test_a_state_that_cannot_be_read_changes_nothing(tmp_path: Path, content: bytes, sentence: str) -> None:
    write_plan(rich_report(), tmp_path, {})
    (tmp_path / FILE).write_bytes(content)
    before = contents(tmp_path)
    with pytest.raises(PlanError, match=sentence):
        write_plan(healthy_report(), tmp_path, {})
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    if os.name == "nt" or os.geteuid() == 0:
        place = tmp_path / "file"
        place.write_text("")
        with pytest.raises((OutputError, PlanError)):
            write_plan(rich_report(), place / "plan", {})
        return
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="could not be written"):
        write_plan(rich_report(), tmp_path / "plan", {})
    tmp_path.chmod(0o700)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"), [("MapiHttpDisabled-1.reg", "00000001"), ("MapiHttpDisabled-0.reg", "00000000")]
)
def test_the_registry_files_are_as_regedit_wants_them(tmp_path: Path, name: str, value: str) -> None:
    write_plan(hostile_report(), tmp_path, {})
    data = (tmp_path / name).read_bytes()
    assert data[:2] == b"\xff\xfe"
    assert data.decode("utf-16").split("\r\n") == [
        "Windows Registry Editor Version 5.00",
        "",
        "[HKEY_CURRENT_USER\\Software\\Microsoft\\Exchange]",
        f'"MapiHttpDisabled"=dword:{value}',
        "",
        "",
    ]


def test_the_readme_names_every_file(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    text = (tmp_path / "README.txt").read_text("ascii")
    for name in FILES - {"README.txt", "checklist.md"}:
        assert name in text
    assert "For tests only" in text
    assert "have never been run" in text


def test_the_way_back_of_an_earlier_report_is_kept(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    first = contents(tmp_path)["rollback.ps1"]
    write_plan(rich_report(), tmp_path, {})
    assert not list(tmp_path.glob("*.earlier-*"))
    later = replace(healthy_report(), organisation=rich_report().organisation)
    assert tmp_path / "rollback.earlier-1.ps1" in write_plan(later, tmp_path, {})
    assert contents(tmp_path)["rollback.earlier-1.ps1"] == first
    assert set(contents(tmp_path)) == FILES | {"rollback.earlier-1.ps1"}


def test_what_cannot_be_replaced_leaves_all_as_it_was(tmp_path: Path) -> None:
    write_plan(rich_report(), tmp_path, {})
    (tmp_path / "checklist.md").unlink()
    (tmp_path / "checklist.md").mkdir()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(OutputError, match="could not be written"):
        write_plan(replace(rich_report(), headline="ANOTHER"), tmp_path, {})
    assert before.items() <= {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}.items()
