"""Saved data to a report: which file is what, whose answers go together, and the same judgement as live.

    snapshots                   each a view of its own: its network, its vantage
    exports of cmdlets          (the collector's, HealthChecker's, Export-Clixml's) one organisation together

A view without remote PowerShell (a probe) is judged with the organisation's settings that another file holds; what the
hosts know is everybody's. Several views become one report (`checker.views`). No connection is made.
"""

from __future__ import annotations

import asyncio
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from checker.answers import CmdletAnswer, CmdletCall
from checker.assembling import Sources, given_facts, run_request, selected_words
from checker.errors import UserError
from checker.exports.files import ENDINGS, ExportFile
from checker.facts.reading import bags, text
from checker.facts.run import ServerSelection, TrustStore, VantagePoint
from checker.host import HostData
from checker.network.no_account import NoAccount
from checker.network.no_network import NoNetwork
from checker.plugins import Registry, find_checks
from checker.powershell.nothing import NoPowerShell
from checker.results import Report
from checker.runner import NoProgress, Progress, audit
from checker.saved import SavedView
from checker.settings import Settings
from checker.snapshot.archive import Archive, is_zip
from checker.snapshot.replay import is_snapshot, open_snapshot
from checker.together import Together, together
from checker.views import merge
from checker.watching import WATCHER

__all__ = ["Expanded", "JudgingError", "expand", "judge_files", "judge_views"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_KNOWN = ENDINGS | {".zip"}
_MOST_FILES = 10_000
_NO_TRUST = TrustStore((), "nobody's", given=False)


class JudgingError(UserError):
    """Files that cannot be judged, or not together; the sentence names them."""


def judge_files(patterns: Sequence[str], settings: Settings, progress: Progress | None = None) -> Report:
    """The report of saved data. Of the settings those count that judge: now, stage, only, skip, servers, thresholds,
    waivers, deadline.

    "Now" is the time of the gathering, unless the settings give another; of exports that do not tell theirs it is now.

    Raises:
        UserError: a file that cannot be read, or files that do not belong together.
    """
    registry = find_checks()
    expanded = expand(patterns)
    with ExitStack() as stack:
        views, left_out = _views(expanded, stack)
        return judge_views(views, settings, registry, progress, notes=left_out)


def judge_views(
    views: Sequence[SavedView],
    settings: Settings,
    registry: Registry,
    progress: Progress | None = None,
    *,
    notes: Sequence[str] = (),
) -> Report:
    """The report of several views of one organisation; `notes` are told with it.

    Raises:
        UserError: they do not belong together.
    """
    return asyncio.run(_judge(views, settings, registry, progress or NoProgress(), notes))


# --- which files ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expanded:
    """What is judged: files, and folders that the collector wrote. `left_out` has a sentence for each other file that
    only lay in a folder: nobody named it."""

    files: tuple[ExportFile, ...]
    left_out: tuple[str, ...]


def expand(patterns: Sequence[str]) -> Expanded:
    """The files that are meant: patterns are expanded (Windows' shells do not), a folder means what lies in it, but
    a folder that the collector wrote is one thing, and nothing beside its zip.

    Raises:
        JudgingError: there is nothing of that name, or no file.
    """
    found: dict[Path, ExportFile] = {}
    for pattern in patterns:
        try:
            files = tuple(_meant(pattern))
        except (OSError, RuntimeError, ValueError) as error:  # no right to look, nobody's home, a name that is none
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise JudgingError(f"{pattern} cannot be read: {why}.") from error
        for file in files:
            key = Path(os.path.realpath(file.path))
            if key not in found or file.named:
                found[key] = file
            if len(found) > _MOST_FILES:
                raise JudgingError(f"{pattern}: there are more than {_MOST_FILES:,} files, more than are read.")
    zips = {str(path.with_suffix("")).casefold() for path in found if path.suffix.casefold() == ".zip"}
    kept = [file for path, file in found.items() if not (file.path.is_dir() and str(path).casefold() in zips)]
    return Expanded(tuple(kept), ())


def _meant(pattern: str) -> Iterator[ExportFile]:
    path = Path(pattern).expanduser()
    if path.exists():
        yield from _at(path)
        return
    # What is there as it is written is no pattern, whatever characters it has.
    literal = next(above for above in (*path.parents, Path()) if above.exists())
    rest = path.relative_to(literal)
    whole = os.path.join(glob.escape(str(literal)), str(rest)) if literal != Path() else str(rest)  # noqa: PTH118
    matching = [Path(name) for name in sorted(glob.glob(whole, recursive=True))]  # noqa: PTH207
    if not matching:
        missing = "No file matches" if glob.has_magic(str(rest)) else "There is no file"
        raise JudgingError(f"{missing} {pattern}.")
    files = [file for match in matching if match.is_file() or match.is_dir() for file in _at(match, empty=True)]
    if not files:
        raise JudgingError(f"No file matches {pattern}.")
    yield from files


def _at(path: Path, *, empty: bool = False) -> Iterator[ExportFile]:
    """What stands there; a folder may be `empty`."""
    if path.is_file():
        yield ExportFile(path, named=True)
    elif not path.is_dir():
        raise JudgingError(f"{path} is no file.")
    elif _is_unpacked(path):
        yield ExportFile(path, named=True)
    else:
        inside = tuple(_inside(path))
        if not inside and not empty:
            raise JudgingError(f"The folder {path} holds no .zip, .xml or .clixml.")
        yield from inside


def _inside(folder: Path) -> Iterator[ExportFile]:
    """What lies in a folder, in order; not by way of links to other folders."""
    entries = sorted(folder.iterdir())
    for entry in entries:
        if entry.is_file():
            if entry.suffix.casefold() in _KNOWN:
                yield ExportFile(entry, named=False)
        elif entry.is_dir() and not entry.is_symlink():
            if _is_unpacked(entry):
                yield ExportFile(entry, named=False)
            else:
                yield from _inside(entry)


def _is_unpacked(folder: Path) -> bool:
    from checker.collected import is_collected

    return is_collected(folder)


def _views(expanded: Expanded, stack: ExitStack) -> tuple[tuple[SavedView, ...], tuple[str, ...]]:
    """Each file told by what is in it, not by its name; and the sentences about those that are left out."""
    views: list[SavedView] = []
    exports: list[ExportFile] = []
    left_out = [*expanded.left_out]
    for file in expanded.files:
        kind = _kind(file)
        if kind is _Kind.EXPORT:
            exports.append(file)
        elif kind is _Kind.STRANGE:
            left_out.append(f"{file} is left out: it is neither a snapshot nor what the collector wrote.")
        else:
            views.append(_open(file.path, kind, stack))
    if exports:
        from checker.exports import NothingKnownError, read_exports

        try:
            views.append(read_exports(exports))
        except NothingKnownError as error:
            if not views or any(file.named for file in exports):
                raise
            left_out.append(str(error))
    if not views and left_out:
        raise JudgingError(f"There is nothing to judge: {left_out[0]}")
    return tuple(views), tuple(left_out)


class _Kind(Enum):
    SNAPSHOT = "snapshot"
    COLLECTED = "collected"
    EXPORT = "export"
    STRANGE = "strange"  # a zip of something else that only lay in a folder


def _kind(file: ExportFile) -> _Kind:
    if file.path.is_dir():
        return _Kind.COLLECTED
    try:
        zipped = is_zip(file.path)
    except OSError as error:
        raise JudgingError(f"{file} cannot be read: {error.strerror or error}.") from error
    if not zipped:
        if file.path.suffix.casefold() == ".zip":
            raise JudgingError(f"{file} is not a zip, whatever its name says; copy it again.")
        return _Kind.EXPORT
    with Archive(file.path) as archive:
        if is_snapshot(archive):
            return _Kind.SNAPSHOT
    if _is_unpacked(file.path):
        return _Kind.COLLECTED
    if file.named:
        raise JudgingError(
            f"{file} is neither a snapshot of mapiready nor what its collector wrote; give the zip that one of them"
            " made."
        )
    return _Kind.STRANGE


def _open(path: Path, kind: _Kind, stack: ExitStack) -> SavedView:
    if kind is _Kind.SNAPSHOT:
        return stack.enter_context(open_snapshot(stack.enter_context(Archive(path))))
    from checker.collected import open_collected

    return stack.enter_context(open_collected(path))


# --- what goes together -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Settled:
    """A view that is judged: with whose answers of remote PowerShell (`organisation`), and which hosts."""

    view: SavedView
    organisation: SavedView | None
    runner: Together | None
    hosts: HostData


def _settled(views: Sequence[SavedView]) -> tuple[_Settled, ...]:
    """Which views are judged, and with what. The one that knows the organisation comes first."""
    newest = sorted(views, key=lambda view: view.gathered or _LONG_AGO, reverse=True)
    seeing = [view for view in newest if view.network is not None]
    _refuse_twice(seeing)
    hosts = HostData(
        given=any(view.hosts.given for view in views),
        exports=tuple(export for view in newest for export in view.hosts.exports),
        missing=tuple(missing for view in newest for missing in view.hosts.missing),
    )
    # Exports complement what a snapshot does not hold; by themselves they are a view of their own. Of several the
    # newest that asked the whole organisation counts most.
    exports = sorted(
        (view for view in newest if view.network is None), key=lambda view: (view.runner is None, not view.whole)
    )
    knowing = [view for view in seeing if view.runner is not None]
    main = next(iter([*knowing, *(view for view in exports if view.runner is not None)]), None)
    settled = []
    for view in seeing:
        organisation = view if view.runner is not None else main
        settled.append(_Settled(view, organisation, together(organisation, *exports), hosts))
    if exports and not knowing and not any(view.vantage.point is VantagePoint.INSIDE for view in seeing):
        joined = _one(exports)
        settled.insert(0, _Settled(joined, joined, together(*exports), hosts))
    return tuple(sorted(settled, key=lambda each: each.organisation is not each.view))


def _one(views: Sequence[SavedView]) -> SavedView:
    """Exports of one organisation as one view; what the first asked the whole organisation counts most."""
    first = views[0]
    times = [view.gathered for view in views if view.gathered is not None]
    knowing = [view for view in views if view.runner is not None] or views
    whole = [view for view in knowing if view.whole] or knowing
    incomplete = dict.fromkeys(words for view in whole for words in view.incomplete)
    return replace(
        first,
        files=tuple(file for view in views for file in view.files),
        gathered=max(times, default=None),
        found=tuple(sentence for view in views for sentence in view.found),
        missing=tuple(sentence for view in views for sentence in view.missing),
        incomplete=tuple(incomplete) if all(view.incomplete for view in whole) else (),
    )


def _refuse_twice(views: Iterable[SavedView]) -> None:
    known: dict[str, SavedView] = {}
    for view in views:
        other = known.setdefault(str(view.vantage), view)
        if other is not view:
            raise JudgingError(
                f"{_names(view)} and {_names(other)} were both seen from {view.vantage}: judge each by itself"
                " (mapiready diff compares their reports), or tell the places apart with --vantage"
                f" {view.vantage.point.value}:LABEL when gathering."
            )


def _names(view: SavedView) -> str:
    names = [Path(file).name for file in view.files]
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    return ", ".join(names[:3] + more)


async def _refuse_strangers(views: Iterable[SavedView]) -> None:
    """Files of two organisations would make one report of both."""
    known: dict[str, tuple[str, SavedView]] = {}
    for view in views:
        answer = await view.runner.run(CmdletCall.of("Get-OrganizationConfig")) if view.runner else None
        if not isinstance(answer, CmdletAnswer):
            continue
        for bag in bags(answer):
            name = text(bag, "Name")
            if isinstance(name, str):
                known.setdefault(name.casefold(), (name, view))
    if len(known) > 1:
        told = " and ".join(f"{_names(view)} of {name}" for name, view in known.values())
        raise JudgingError(f"These files are of different organisations ({told}): judge each by itself.")


# --- judging ----------------------------------------------------------------------------------------------------------


async def _judge(
    views: Sequence[SavedView], settings: Settings, registry: Registry, progress: Progress, notes: Sequence[str]
) -> Report:
    if not views:
        raise JudgingError("Name at least one file to judge: mapiready judge org.mapiready.zip.")
    WATCHER.set(progress)
    settled = _settled(views)
    await _refuse_strangers(views)
    reports = [await _judge_one(each, settings, registry, progress) for each in settled]
    report = merge(reports)
    told = {words for each in settled for words in (*each.view.found, *each.view.missing)}
    # What was found in files that are no view of their own.
    rest = [words for view in views for words in (*view.found, *view.missing) if words not in told]
    return replace(report, notes=(*notes, *rest, *report.notes))


async def _judge_one(each: _Settled, settings: Settings, registry: Registry, progress: Progress) -> Report:
    view, organisation = each.view, each.organisation
    shaping = organisation or view  # what shaped the questions to remote PowerShell shapes them again
    started = view.gathered or datetime.now(UTC)
    sources = Sources(
        runner=each.runner or NoPowerShell(),
        network=view.network or NoNetwork(),
        account=view.account or NoAccount(),
        test_account=view.test_account,
        hosts=each.hosts,
        trust=view.trust or _NO_TRUST,
        vantage=view.vantage,
        given_names=view.given_names,
        mailboxes=shaping.mailboxes,
        servers=ServerSelection(frozenset(settings.servers)) if settings.servers else shaping.servers,
    )
    narrowed = tuple(dict.fromkeys((*view.incomplete, *selected_words(settings))))
    request = run_request(
        settings,
        registry,
        started=started,
        stage=settings.stage or shaping.stage,
        narrowed=narrowed,
        interrupted=view.interrupted,
    )
    notes = (*view.found, *view.missing)
    if view.gathered is None and settings.now is None:
        notes = (*notes, f"When {_names(view)} was written is not known; dates are judged as of today (--now).")
    left_out = each.runner.left_out if each.runner else []

    async def close(_interrupted: bool) -> None:
        """Nothing was opened."""

    given = given_facts(settings, sources, started)
    return await audit(registry, given, request, progress=progress, notes=lambda: (*notes, *left_out), close=close)
