"""Puts a run together: settings -> live sources -> runner -> report. The one place that knows both ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from checker.account import SignedIn, TestAccount
from checker.answers import CmdletRunner, Network, Reason, Target
from checker.assembling import Sources, given_facts, run_request, selected_words
from checker.debug_log import Both, DebugLog, open_debug_log
from checker.facts.network import RPC_HEALTH, RPC_PROXY
from checker.facts.run import GivenNames, MailboxScope, ServerSelection, TrustStore
from checker.facts.urls import usable_host
from checker.host import HostData
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_nameserver, parse_resolve
from checker.network.no_account import NoAccount
from checker.network.signed_in import AccountSettings, LiveAccount, schemes_of_credential
from checker.network.trust import load_trust
from checker.password import AccountCredential
from checker.plugins import Registry, find_checks
from checker.powershell.nothing import NoPowerShell
from checker.powershell.session import PowerShellSettings, PowerShellSource
from checker.results import Report, Stage
from checker.runner import Gathered, Progress, audit, gather
from checker.secrets import Secret
from checker.settings import Settings
from checker.snapshot.recording import About, Recorder
from checker.watching import WATCHER, waiting_for

__all__ = ["Gathering", "Outcome", "audit_organisation", "gather_organisation"]

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


@dataclass(frozen=True, slots=True)
class Gathering:
    """What came of a gathering: what was looked at, what the sources have to say, and the snapshot."""

    gathered: Gathered
    notes: tuple[str, ...]
    written: Path


def audit_organisation(
    settings: Settings,
    password: Secret | None,
    progress: Progress,
    emit: Callable[[Report], tuple[Path, ...]],
    keep: Path | None = None,
    credential: AccountCredential | None = None,
) -> Outcome:
    """Audits an organisation and hands the report to `emit`, which shows or writes it; `keep` is the snapshot to write,
    `credential` that of the test account.

    Ctrl-C ends the gathering: `emit` gets the report of what is known, then the sessions are closed as far as that
    goes.

    Raises:
        UserError: an option that cannot be used, before anything is sent.
        OutputError: a file could not be written; the others have been.
        KeyboardInterrupt: Ctrl-C before there was anything to report, or a second one.
    """
    registry = find_checks()
    with (
        open_debug_log(settings, password, credential) as log,
        _recording(keep, _secrets(password, credential)) as recorder,
    ):
        watching = Both(progress, log) if log else progress
        return asyncio.run(_audit(_Run(settings, password, credential, watching, registry, log, recorder), emit))


def gather_organisation(
    settings: Settings,
    password: Secret | None,
    progress: Progress,
    keep: Path,
    credential: AccountCredential | None = None,
) -> Gathering:
    """Gathers all that any check wants to know, and writes it to the snapshot `keep`; judges nothing.

    Ctrl-C and the deadline end the gathering; what is known by then is kept.

    Raises:
        UserError: an option that cannot be used, before anything is sent.
        OutputError: the snapshot could not be written.
        KeyboardInterrupt: Ctrl-C before there was anything to keep, or a second one.
    """
    registry = find_checks()
    with (
        open_debug_log(settings, password, credential) as log,
        Recorder(keep, _secrets(password, credential)) as recorder,
    ):
        watching = Both(progress, log) if log else progress
        run = _Run(settings, password, credential, watching, registry, log, recorder)
        return asyncio.run(_gather(run, recorder))


def _recording(keep: Path | None, secrets: tuple[Secret, ...]) -> AbstractContextManager[Recorder | None]:
    return nullcontext() if keep is None else Recorder(keep, secrets)


def _secrets(password: Secret | None, credential: AccountCredential | None) -> tuple[Secret, ...]:
    """What must not stand in a snapshot, even where a server sends it back."""
    given = (password, credential.password if credential else None, credential.token if credential else None)
    return tuple(secret for secret in given if secret is not None)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run is made of, before its sources are opened."""

    settings: Settings
    password: Secret | None
    credential: AccountCredential | None
    progress: Progress
    registry: Registry
    log: DebugLog | None
    recorder: Recorder | None


class _Live:
    """The live sources of a run; made inside its event loop."""

    def __init__(self, run: _Run) -> None:
        _end_on_terminate()
        WATCHER.set(run.progress)
        settings, log, recorder = run.settings, run.log, run.recorder
        self._ends = time.monotonic() + settings.deadline
        self.started = datetime.now(UTC)
        resolve = dict(parse_resolve(entry) for entry in settings.resolve)
        trust = load_trust(settings.ca_file)
        powershell = _powershell(settings, run.password, resolve, run.registry) if settings.server else None
        self.shell = PowerShellSource(powershell) if powershell else NoPowerShell()
        self._network = LiveNetwork(
            NetworkSettings(
                resolve=resolve,
                nameserver=parse_nameserver(settings.nameserver) if settings.nameserver else None,
                timeout=settings.timeout,
            )
        )
        runner: CmdletRunner = self.shell
        network: Network = self._network
        given = None if run.credential is None else _account(settings, run.credential, trust, resolve)
        self._account = None if given is None else LiveAccount(given)
        account: SignedIn = self._account or NoAccount()
        self._keeps_probe = recorder is not None and not settings.server
        if recorder is not None:
            runner = recorder.runner(self.shell) if isinstance(self.shell, PowerShellSource) else runner
            network = recorder.network(network)
            account = recorder.account(account)
        self.sources = Sources(
            runner=log.watch(runner, "powershell") if log else runner,
            network=log.watch(network, "network") if log else network,
            account=log.watch(account, "account") if log and self._account else account,
            test_account=TestAccount(
                given=given is not None,
                mailbox=settings.mailbox,
                schemes=() if given is None else schemes_of_credential(given),
            ),
            hosts=HostData(given=False, exports=(), missing=()),
            trust=trust,
            vantage=settings.vantage,
            given_names=GivenNames(settings.name),
            mailboxes=MailboxScope(settings.mailboxes),
            servers=ServerSelection(frozenset(settings.servers) or None),
        )

    def about(self, run: _Run, stage: Stage | None, narrowed: tuple[str, ...]) -> About:
        """What the snapshot says of the run."""
        sources = self.sources
        return About(
            started=self.started,
            vantage=sources.vantage,
            given_names=sources.given_names,
            servers=sources.servers,
            mailboxes=sources.mailboxes,
            stage=stage,
            narrowed=narrowed,
            test_account=sources.test_account,
            trust=sources.trust,
            asked=run.settings.server,
        )

    async def _ask_for_others(self) -> None:
        """A probe that is kept may be judged with what others know of the organisation: what only that makes a
        question is asked, too."""
        if not self._keeps_probe:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._ends - time.monotonic())):
                targets = [Target(host) for name in self.sources.given_names.names if (host := usable_host(name))]
                network = self.sources.network
                await asyncio.gather(
                    *(network.get(target, path) for target in targets for path in (RPC_PROXY, RPC_HEALTH))
                )

    async def close(self, interrupted: bool) -> None:
        """Ends what is under way; the sessions only when there is time for it."""
        if not interrupted:
            await self._ask_for_others()
        if self._account is not None:
            await self._account.close()
        await self._network.close()
        if not interrupted:
            left = self._ends - time.monotonic()
            with waiting_for("the end of the sessions"):
                await self.shell.close(min(_CLOSE_SECONDS, max(_CLOSE_SECONDS_LATE, left)))


async def _audit(run: _Run, emit: Callable[[Report], tuple[Path, ...]]) -> Outcome:
    settings, log = run.settings, run.log
    live = _Live(run)
    shell = live.shell
    narrowed = _narrowed(settings)
    request = run_request(settings, run.registry, started=live.started, stage=settings.stage, narrowed=narrowed)
    given = given_facts(settings, live.sources, live.started)
    report = await audit(
        run.registry, given, request, progress=run.progress, notes=lambda: shell.notes, close=live.close
    )
    told = len(shell.notes)
    run.progress.ended()
    try:
        written = emit(report)
        if report.interrupted:
            await shell.close(_CLOSE_SECONDS_INTERRUPTED)
    finally:
        # After the report, which is what is waited for; also when that could not be written.
        kept = (
            ()
            if run.recorder is None
            else (run.recorder.write(live.about(run, settings.stage, narrowed), shell.notes),)
        )
    late = list(shell.notes[told:])
    if log is not None:
        log.report(report)
        late += [log.problem] if log.problem else []
    return Outcome(report, (*written, *kept), tuple(late))


async def _gather(run: _Run, recorder: Recorder) -> Gathering:
    live = _Live(run)
    given = given_facts(run.settings, live.sources, live.started)
    gathered = await gather(run.registry, given, run.settings.deadline, progress=run.progress, close=live.close)
    if gathered.stopped is not None and gathered.stopped.reason is Reason.INTERRUPTED:
        await live.shell.close(_CLOSE_SECONDS_INTERRUPTED)
    run.progress.ended()
    selected = replace(run.settings, only=(), skip=())  # everything is gathered, whatever is to be judged
    about = live.about(run, None, _narrowed(selected))
    written = recorder.write(about, (*gathered.problems, *live.shell.notes))
    late = (run.log.problem,) if run.log is not None and run.log.problem else ()
    return Gathering(gathered, (*run.registry.problems, *gathered.problems, *live.shell.notes, *late), written)


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


def _account(
    settings: Settings,
    credential: AccountCredential,
    trust: TrustStore,
    resolve: Mapping[tuple[str, int], tuple[str, int | None]],
) -> AccountSettings:
    return AccountSettings(
        user=None if settings.account_ticket else settings.account or settings.mailbox,
        password=credential.password,
        token=credential.token,
        ticket=settings.account_ticket,
        mailbox=settings.mailbox,
        trust=trust,
        resolve=resolve,
        nameserver=parse_nameserver(settings.nameserver) if settings.nameserver else None,
        timeout=settings.timeout,
    )


def _narrowed(settings: Settings) -> tuple[str, ...]:
    """How the user narrowed the run, in the words of the options."""
    if not settings.server:
        return ("probe", *selected_words(settings))
    return selected_words(settings)
