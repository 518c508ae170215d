"""The folder of a plan: what is written there, and what is never overwritten.

`plan.json` marks the folder as a plan's and holds what was written, by hash. A file that somebody has edited since is
kept beside the new one ("enable.edited-1.ps1"), and so is each earlier rollback.ps1, since a newer report does not hold
what was found before. checklist.toml, which people are meant to edit, is only added to. All files are written to a
folder of their own first and then renamed, one by one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from checker.output import OutputError
from checker.plan.checklist import make_checklist
from checker.plan.registry import FILES, registry_file
from checker.plan.scripts import enable_script, rollback_script
from checker.plan.state import FILE, PlanError, extended, read
from checker.plan.steps import make_plan
from checker.results import Report, Stage

__all__ = ["MARK", "plan_report", "write_plan"]

MARK = "plan.json"
_KIND = "mapiready plan"
_ROLLBACK = "rollback.ps1"
_README = """\
The plan of a migration to MAPI over HTTP, made by mapiready from a report.

enable.ps1              What the report says is to be done, in order. Read it first, then run it in the Exchange
                        Management Shell with -WhatIf. It switches the organisation on with -SwitchOrganization alone.
rollback.ps1            Puts back the values that the report found. A newer report knows only what it found itself, so
                        the one before is kept as rollback.earlier-1.ps1 and so on: to go back all the way, run
                        rollback.ps1, and then the earlier ones from the highest number down.
checklist.html, .md,    The checklist, to read, to print and to filter. They are made anew each time.
checklist.xlsx
checklist.toml          What people keep of the checklist by hand: done, owner, date, note. Edit it here and make the
                        plan again; what stands in it is never changed.
MapiHttpDisabled-1.reg  For tests only: keeps the Outlook of one user on RPC over HTTP.
MapiHttpDisabled-0.reg  Lets it go again. Outlook is restarted after either.
plan.json               How mapiready knows this folder, and files that were edited by hand.

The scripts are parsed by mapiready's tests and have never been run by it. A file that somebody edited is kept beside
the new one, with "edited" in its name.
"""


def plan_report(report_path: str, folder: str | Path, pilots: Sequence[str] = ()) -> tuple[Path, ...]:
    """Makes the plan of a JSON report ("-" is standard input) in a folder, anew if there is one; gives the files
    written. `pilots` are mailboxes that go first.

    Raises:
        UserError: the report cannot be read, the folder holds something else, or checklist.toml cannot be read.
        OutputError: a file could not be written.
    """
    from checker.plugins import find_checks
    from checker.render import read_report

    checks = find_checks().checks
    undos = {check_id: check.info.undo for check_id, check in checks.items()}
    later = [check_id for check_id, check in checks.items() if Stage.PREPARE not in check.info.stages]
    return write_plan(read_report(report_path), Path(folder).expanduser(), undos, pilots, later)


def write_plan(
    report: Report,
    folder: Path,
    undos: Mapping[str, str],
    pilots: Sequence[str] = (),
    later: Sequence[str] = (),
) -> tuple[Path, ...]:
    """The same of a report that has been read. `undos` say by check how it is undone, `later` are the checks that are
    asked only after the switch.

    Raises:
        PlanError: the folder holds something else, or checklist.toml cannot be read.
        OutputError: a file could not be written.
    """
    try:
        written = _written(folder, report)
        kept = _kept(folder)
    except OSError as error:
        raise PlanError(f"{folder} cannot be read: {error.strerror or error}.") from error
    content = _files(report, kept, undos, pilots, later)
    try:
        return _write(folder, report, content, written, kept)
    except OSError as error:
        raise OutputError(f"{folder} could not be written: {error.strerror or error}.") from error


def _written(folder: Path, report: Report) -> Mapping[str, str]:
    """The hashes of what was written into this folder before.

    Raises:
        PlanError: it is no folder, or not that of a plan of this organisation.
    """
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise PlanError(f"{folder} is no folder; give the folder of a plan, or a new one.")
    path = folder / MARK
    if not path.is_file():
        if any(folder.iterdir()):
            raise PlanError(f"{folder} is not empty and not the folder of a plan (it has no {MARK}); give another one.")
        return {}
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{path} is not what mapiready wrote; give another folder.") from error
    if not isinstance(document, dict) or document.get("kind") != _KIND or not isinstance(document.get("files"), dict):
        raise PlanError(f"{path} is not what mapiready wrote; give another folder.")
    organisation = document.get("organisation")
    if organisation != report.organisation:
        raise PlanError(
            f"{folder} holds the plan of {organisation or 'an organisation that is not known'}, and the report is of"
            f" {report.organisation or 'one that is not known'}; give another folder."
        )
    return {name: digest for name, digest in document["files"].items() if isinstance(digest, str)}


def _files(
    report: Report, kept: bytes | None, undos: Mapping[str, str], pilots: Sequence[str], later: Sequence[str]
) -> dict[str, bytes]:
    """Everything that a plan is, by name."""
    from reports.checklist import html, markdown, xlsx

    checklist = make_checklist(report, read(kept), later)
    plan = make_plan(report, pilots)
    return {
        FILE: extended(kept, ((item.id, item.title) for item in checklist.items)),
        "enable.ps1": enable_script(plan, report).encode("ascii"),
        _ROLLBACK: rollback_script(plan, report, undos).encode("ascii"),
        **{name: registry_file(value) for name, value in FILES.items()},
        "checklist.html": html.render(checklist).encode(),
        "checklist.md": markdown.render(checklist).encode(),
        "checklist.xlsx": xlsx.render(checklist),
        "README.txt": _README.encode("ascii"),
    }


def _kept(folder: Path) -> bytes | None:
    """What people keep by hand, if there is anything yet."""
    path = folder / FILE
    return path.read_bytes() if path.exists() else None


def _write(
    folder: Path, report: Report, content: Mapping[str, bytes], written: Mapping[str, str], kept: bytes | None
) -> tuple[Path, ...]:
    """Writes all files to a folder of their own, keeps aside what was edited, and renames; the mark comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = {
        "kind": _KIND,
        "organisation": report.organisation,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
    }
    everything = {**content, MARK: json.dumps(mark, indent=1).encode("ascii")}
    temporary = Path(tempfile.mkdtemp(prefix=".plan-", dir=folder))
    try:
        for name, data in everything.items():
            _store(temporary / name, data)
        aside = [_keep_aside(folder / name, data, written.get(name)) for name, data in content.items()]
        if _kept(folder) != kept:
            raise PlanError(f"{folder / FILE} was changed at this very moment; try again. It was not overwritten.")
        for name in everything:
            (temporary / name).replace(folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return (*(folder / name for name in everything), *(path for path in aside if path is not None))


def _store(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep_aside(path: Path, data: bytes, written: str | None) -> Path | None:
    """Copies a file that somebody edited, and a way back that is no longer the newest; gives the copy."""
    if path.name == FILE or not path.exists():
        return None
    there = path.read_bytes()
    is_ours = hashlib.sha256(there).hexdigest() == written
    if there == data or (is_ours and path.name != _ROLLBACK):
        return None
    word, number = "earlier" if is_ours else "edited", 1
    while (aside := path.with_name(f"{path.stem}.{word}-{number}{path.suffix}")).exists():
        number += 1
    _store(aside, there)
    return aside
