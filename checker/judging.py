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
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from checker.answers import CmdletAnswer, CmdletCall, CmdletRunner, Keep, NotCollected, Reason
from checker.assembling import Sources, given_facts, run_request, selected_words
from checker.errors import UserError
from checker.facts.reading import bags, text
from checker.facts.run import ServerSelection, TrustStore
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
from checker.views import merge
from checker.watching import WATCHER

__all__ = ["JudgingError", "expand", "judge_files", "judge_views"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_EXPORTS = frozenset({".xml", ".clixml"})
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
    files = expand(patterns)
    with ExitStack() as stack:
        return judge_views(_views(files, stack), settings, registry, progress)


def judge_views(
    views: Sequence[SavedView], settings: Settings, registry: Registry, progress: Progress | None = None
) -> Report:
    """The report of several views of one organisation.

    Raises:
        UserError: they do not belong together.
    """
    return asyncio.run(_judge(views, settings, registry, progress or NoProgress()))


# --- which files ------------------------------------------------------------------------------------------------------


def expand(patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files that are meant: patterns are expanded (Windows' shells do not), a folder means what lies in it, but
    the folder that the collector wrote is one thing.

    Raises:
        JudgingError: there is nothing of that name.
    """
    found: dict[Path, Path] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir() and _is_unpacked(path):
            files = [path]
        elif path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if file.suffix.casefold() in {".zip", *_EXPORTS}]
            if not inside:
                raise JudgingError(f"The folder {pattern} holds no .zip, .xml or .clixml.")
            files = [file for file in inside if file.is_file()]
        elif path.exists():
            files = [path]
        else:
            files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
            files = [file for file in files if file.is_file()]
            if not files:
                missing = "No file matches" if glob.has_magic(pattern) else "There is no file"
                raise JudgingError(f"{missing} {pattern}.")
        for file in files:
            found.setdefault(Path(os.path.realpath(file)), file)
    return tuple(found.values())


def _is_unpacked(folder: Path) -> bool:
    from checker.collected import is_collected

    return is_collected(folder)


def _views(files: Sequence[Path], stack: ExitStack) -> tuple[SavedView, ...]:
    """Each file told by what is in it, not by its name."""
    views: list[SavedView] = []
    exports: list[Path] = []
    for file in files:
        if file.is_dir():
            views.append(_collected(file, stack))
            continue
        try:
            zipped = is_zip(file)
        except OSError as error:
            raise JudgingError(f"{file} cannot be read: {error.strerror or error}.") from error
        if not zipped:
            if file.suffix.casefold() == ".zip":
                raise JudgingError(f"{file} is not a zip, whatever its name says; copy it again.")
            exports.append(file)
            continue
        archive = stack.enter_context(Archive(file))
        if is_snapshot(archive):
            views.append(stack.enter_context(open_snapshot(archive)))
        else:
            views.append(_collected(file, stack))
    if exports:
        from checker.exports import read_exports

        views.append(read_exports(exports))
    return tuple(views)


def _collected(file: Path, stack: ExitStack) -> SavedView:
    from checker.collected import is_collected, open_collected

    if not is_collected(file):
        raise JudgingError(
            f"{file} is neither a snapshot of mapiready nor what its collector wrote; give the zip that one of them"
            " made."
        )
    return stack.enter_context(open_collected(file))


# --- what goes together -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Settled:
    """A view that is judged: with whose answers of remote PowerShell (`organisation`), and which hosts."""

    view: SavedView
    organisation: SavedView | None
    runner: CmdletRunner | None
    hosts: HostData


class _Together:
    """Several sources of remote PowerShell as one: the first that holds the answer to a question gives it."""

    def __init__(self, runners: Sequence[CmdletRunner]) -> None:
        self._runners = runners

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """The first answer; without one the first reason that is more than not held."""
        lacking: NotCollected | None = None
        for runner in self._runners:
            answer = await runner.run(call, keep=keep)
            if isinstance(answer, CmdletAnswer):
                return answer
            if lacking is None or (lacking.reason is Reason.NOT_GIVEN and answer.reason is not Reason.NOT_GIVEN):
                lacking = answer
        assert lacking is not None
        return lacking


def _settled(views: Sequence[SavedView]) -> tuple[_Settled, ...]:
    """Which views are judged, and with what. The one that knows the organisation comes first."""
    newest = sorted(views, key=lambda view: view.gathered or _LONG_AGO, reverse=True)
    seeing = [view for view in views if view.network is not None]
    _refuse_twice(seeing)
    hosts = HostData(
        given=any(view.hosts.given for view in views),
        exports=tuple(export for view in newest for export in view.hosts.exports),
        missing=tuple(missing for view in newest for missing in view.hosts.missing),
    )
    # Exports complement what a snapshot of the same place does not hold; by themselves they are a view of their own.
    exports = [view for view in newest if view.network is None]
    knowing = [view for view in seeing if view.runner is not None]
    main = next(iter([*knowing, *(view for view in exports if view.runner is not None)]), None)
    settled = []
    for view in seeing:
        organisation = view if view.runner is not None else main
        runners = [one.runner for one in (organisation, *exports) if one is not None and one.runner is not None]
        settled.append(_Settled(view, organisation, _joined(runners), hosts))
    vantages = {str(view.vantage) for view in seeing}
    alone = [view for view in exports if str(view.vantage) not in vantages]
    if alone:
        joined = _one(alone)
        settled.insert(0 if not knowing else len(settled), _Settled(joined, joined, joined.runner, hosts))
    return tuple(sorted(settled, key=lambda each: each.view is not main and each.view.runner is None))


def _joined(runners: Sequence[CmdletRunner]) -> CmdletRunner | None:
    unique = list(dict.fromkeys(runners))
    if len(unique) < 2:
        return next(iter(unique), None)
    return _Together(unique)


def _one(views: Sequence[SavedView]) -> SavedView:
    """Exports of one organisation, the newest first, as one view."""
    first = views[0]
    if len(views) == 1:
        return first
    return replace(
        first,
        files=tuple(file for view in views for file in view.files),
        runner=_joined([view.runner for view in views if view.runner is not None]),
        hosts=first.hosts,
        found=tuple(sentence for view in views for sentence in view.found),
        missing=tuple(sentence for view in views for sentence in view.missing),
        incomplete=tuple(dict.fromkeys(words for view in views for words in view.incomplete)),
    )


def _refuse_twice(views: Iterable[SavedView]) -> None:
    known: dict[str, SavedView] = {}
    for view in views:
        other = known.setdefault(str(view.vantage), view)
        if other is not view:
            raise JudgingError(
                f"{_names(other)} and {_names(view)} were both seen from {view.vantage}: judge each by itself"
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


async def _judge(views: Sequence[SavedView], settings: Settings, registry: Registry, progress: Progress) -> Report:
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
    return replace(report, notes=(*rest, *report.notes))


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

    async def close(_interrupted: bool) -> None:
        """Nothing was opened."""

    given = given_facts(settings, sources, started)
    return await audit(registry, given, request, progress=progress, notes=lambda: notes, close=close)
