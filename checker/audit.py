"""Puts a run together: settings -> live sources -> runner -> report. The one place that knows both ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from checker import __version__
from checker.account import SignedIn, TestAccount
from checker.answers import CmdletRunner, Network
from checker.builds import load_builds
from checker.debug_log import Both, DebugLog, open_debug_log
from checker.facts.builds import BuildTable
from checker.facts.run import GivenNames, MailboxScope, Now, ServerSelection, Thresholds, Vantage
from checker.host import HostData
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_nameserver, parse_resolve
from checker.network.no_account import NoAccount
from checker.network.trust import load_trust
from checker.plugins import Registry, find_checks
from checker.powershell.nothing import NoPowerShell
from checker.powershell.session import PowerShellSettings, PowerShellSource
from checker.results import Report
from checker.runner import Progress, RunRequest, audit, choose
from checker.secrets import Secret
from checker.settings import Settings, SettingsError
from checker.waivers import Waiver, refuse_far_ends
from checker.watching import WATCHER, waiting_for

__all__ = ["Outcome", "audit_organisation"]

_CLOSE_SECONDS = 5.0
_CLOSE_SECONDS_LATE = 1.0
"""For closing the sessions when the run's deadline has come."""
_CLOSE_SECONDS_INTERRUPTED = 3.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: the report, the files written, and what is to be told after the report."""

    report: Report
    written: tuple[Path, ...]
    left_behind: tuple[str, ...]


def audit_organisation(
    settings: Settings,
    password: Secret | None,
    progress: Progress,
    emit: Callable[[Report], tuple[Path, ...]],
) -> Outcome:
    """Audits an organisation and hands the report to `emit`, which shows or writes it.

    Ctrl-C ends the gathering: `emit` gets the report of what is known, then the sessions are closed as far as that
    goes.

    Raises:
        UserError: an option that cannot be used, before anything is sent.
        KeyboardInterrupt: Ctrl-C before there was anything to report, or a second one.
    """
    registry = find_checks()
    with open_debug_log(settings, password) as log:
        return asyncio.run(_run(settings, password, Both(progress, log) if log else progress, emit, registry, log))


async def _run(
    settings: Settings,
    password: Secret | None,
    progress: Progress,
    emit: Callable[[Report], tuple[Path, ...]],
    registry: Registry,
    log: DebugLog | None,
) -> Outcome:
    _end_on_terminate()
    WATCHER.set(progress)
    started = datetime.now(UTC)
    ends = time.monotonic() + settings.deadline
    selection = choose(registry, settings.only, settings.skip)
    resolve = dict(parse_resolve(entry) for entry in settings.resolve)
    trust = load_trust(settings.ca_file)
    shell = PowerShellSource(_powershell(settings, password, resolve, registry)) if settings.server else NoPowerShell()
    network = LiveNetwork(
        NetworkSettings(
            resolve=resolve,
            nameserver=parse_nameserver(settings.nameserver) if settings.nameserver else None,
            timeout=settings.timeout,
        )
    )
    given: dict[type, object] = {
        CmdletRunner: log.watch(shell, "powershell") if log else shell,
        Network: log.watch(network, "network") if log else network,
        SignedIn: NoAccount(),
        TestAccount: TestAccount(given=False, mailbox=None, schemes=()),
        HostData: HostData(given=False, exports=(), missing=()),
        Now: Now(settings.now or started),
        Vantage: settings.vantage,
        BuildTable: load_builds(),
        GivenNames: GivenNames(settings.name),
        MailboxScope: MailboxScope(settings.mailboxes),
        ServerSelection: ServerSelection(frozenset(settings.servers) or None),
        Thresholds: Thresholds(settings.certificate_days, settings.build_table_days),
        type(trust): trust,
    }
    request = RunRequest(
        selection=selection,
        stage=settings.stage,
        deadline=settings.deadline,
        started=started,
        tool_version=__version__,
        narrowed=_narrowed(settings),
        waivers=_waivers(settings, settings.now or started),
    )

    async def close(interrupted: bool) -> None:
        await network.close()
        if not interrupted:
            left = ends - time.monotonic()
            with waiting_for("the end of the sessions"):
                await shell.close(min(_CLOSE_SECONDS, max(_CLOSE_SECONDS_LATE, left)))

    report = await audit(registry, given, request, progress=progress, notes=lambda: shell.notes, close=close)
    told = len(shell.notes)
    progress.ended()
    written = emit(report)
    if report.interrupted:
        await shell.close(_CLOSE_SECONDS_INTERRUPTED)
    late = list(shell.notes[told:])
    if log is not None:
        log.report(report)
        late += [log.problem] if log.problem else []
    return Outcome(report, written, tuple(late))


def _end_on_terminate() -> None:
    """SIGTERM (a scheduler's stop) ends the gathering as Ctrl-C does, where the platform has it."""
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError, ValueError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _powershell(
    settings: Settings,
    password: Secret | None,
    resolve: Mapping[tuple[str, int], tuple[str, int | None]],
    registry: Registry,
) -> PowerShellSettings:
    return PowerShellSettings(
        servers=settings.server,
        user=settings.user,
        password=password,
        auth=settings.auth,
        scheme=settings.scheme,
        port=settings.powershell_port,
        path=settings.path,
        ca_file=settings.ca_file,
        resolve=resolve,
        sessions=settings.sessions,
        timeout=settings.timeout,
        allowed=registry.allowed(),
    )


def _waivers(settings: Settings, now: datetime) -> tuple[Waiver, ...]:
    if not settings.waivers:
        return ()
    try:
        refuse_far_ends(settings.waiver, now)
    except ValueError as error:
        raise SettingsError(f"A waiver {error}.") from error
    return settings.waiver


def _narrowed(settings: Settings) -> tuple[str, ...]:
    """How the user narrowed the run, in the words of the options."""
    if not settings.server:
        return ("probe", *_selected(settings))
    return _selected(settings)


def _selected(settings: Settings) -> tuple[str, ...]:
    chosen = {"--only": settings.only, "--skip": settings.skip, "--servers": settings.servers}
    return tuple(f"{option} {', '.join(values)}" for option, values in chosen.items() if values)
