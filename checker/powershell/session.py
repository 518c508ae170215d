"""Live remote PowerShell as a CmdletRunner: servers in their order, a few sessions, one cmdlet at a time in each.

    PowerShellSource (event loop)   refuses, opens, hands out, gives up, takes over; all decisions are here
      └─ _Lane (thread)             one session; everything of pypsrp happens there, in one thread per session
           └─ PsrpSession           checker.powershell._pypsrp_seam, loaded with the first cmdlet

The first session is opened alone, others only when a cmdlet waits and none is idle. A rejected sign-in ends all
signing in, on every server: each try counts towards the lock-out of the account. When a server is lost, the next one
takes over, and the cmdlets in flight are sent again there, once; Get and Test may be repeated.
"""

from __future__ import annotations

import asyncio
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    CmdletSpec,
    Keep,
    Layer,
    NotCollected,
    Reason,
)
from checker.powershell.failures import Failure, Next, Place, explain, one_line
from checker.powershell.records import Heard, Tap, read_error, terminated
from checker.secrets import Secret
from checker.settings import Authentication, Scheme, SettingsError
from checker.watching import WATCHER, waiting_for

if TYPE_CHECKING:
    from checker.powershell._pypsrp_seam import Outcome, PsrpSession

__all__ = ["PowerShellSettings", "PowerShellSource"]

T = TypeVar("T")

_CMDLET = re.compile(r"(?:Get|Test)-[A-Za-z0-9]+", re.IGNORECASE)
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_OVERTIME: Final = 2.0  # seconds after its deadline at which a session is cut off
_GIVEN_UP: Final = 1.0  # seconds after that at which a thread that still does not come back is left behind
_DELETE_SECONDS: Final = 5.0
_UNSURE_DELETE_SECONDS: Final = 2.0  # of a shell that could not be opened, but may be there
_MOST_LOSSES: Final = 3  # of one server, before it is given up
_MOST_NOTES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerShellSettings:
    """How to reach remote PowerShell, and what may be sent.

    `servers` are tried in their order. `user` None is the logged-on user or the ticket cache. `resolve` maps host and
    port to an address (and another port). `timeout` is the time of one step in seconds: opening, or one cmdlet.

    Raises:
        SettingsError: something that the user can mend.
        ValueError: `allowed` holds something that is not a cmdlet of the verbs Get and Test.
    """

    servers: tuple[str, ...]
    user: str | None
    password: Secret | None
    auth: Authentication
    scheme: Scheme
    port: int
    path: str
    ca_file: Path | None
    resolve: Mapping[tuple[str, int], tuple[str, int | None]]
    sessions: int
    timeout: float
    allowed: tuple[CmdletSpec, ...]

    def __post_init__(self) -> None:
        if not self.servers:
            raise SettingsError("No SERVER was given: name at least one Exchange server.")
        if not 1 <= self.sessions <= 8:
            raise SettingsError("--sessions must be from 1 to 8: Exchange allows a user 18, and others need some.")
        if self.auth is Authentication.BASIC and self.scheme is Scheme.HTTP:
            raise SettingsError(
                "--auth basic would send the password in clear text over http: take --scheme https, or another --auth."
            )
        if self.auth is Authentication.BASIC and (self.user is None or self.password is None):
            raise SettingsError("--auth basic needs --user and a password.")
        for spec in self.allowed:
            if not _CMDLET.fullmatch(spec.name):
                raise ValueError(
                    f"{spec.name} may not be allowed: mapiready sends cmdlets of the verbs Get and Test alone"
                )
            for parameter in spec.parameters:
                if not _PARAMETER.fullmatch(parameter):
                    raise ValueError(f"{parameter!r} of {spec.name} is not the name of a parameter")


class PowerShellSource:
    """Sends cmdlets to the first server that answers. Belongs to one event loop; see the module's docstring."""

    def __init__(self, settings: PowerShellSettings) -> None:
        self._settings = settings
        self._allowed = {
            spec.name.casefold(): frozenset(name.casefold() for name in spec.parameters) for spec in settings.allowed
        }
        self._notes: list[str] = []
        self._server = 0  # the index of the server in use
        self._failures: list[str] = []
        self._over: NotCollected | None = None  # set once nothing more can be asked
        self._lanes: set[_Lane] = set()
        self._idle: list[_Lane] = []
        self._waiting: deque[asyncio.Future[_Lane | None]] = deque()
        self._opening: asyncio.Lock = asyncio.Lock()
        self._most = settings.sessions
        self._losses = 0
        self._tidying = 0
        self._chores: set[asyncio.Task[None]] = set()
        self._left: set[str] = set()
        self._answered_by: str | None = None
        self._signed_in_by: str | None = None
        self._supported_versions: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened that the reader of the report should know, one sentence each."""
        return tuple(self._notes)

    @property
    def answered_by(self) -> str | None:
        """The server that is being asked; None before one has answered."""
        return self._answered_by

    @property
    def signed_in_by(self) -> str | None:
        """What really signed the user in: "Kerberos", "NTLM" or "Basic"; None before, or if nobody asked."""
        return self._signed_in_by

    @property
    def supported_versions(self) -> str | None:
        """The versions of clients that the endpoint says it supports, if it says so."""
        return self._supported_versions

    async def run(
        self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
    ) -> CmdletAnswer | NotCollected:
        """The answer, or why there is none. A cmdlet that is waited for no longer (cancelled) is stopped.

        `keep` reduces each object in the session's thread; `tap` is told there of what came, as it came.

        Raises:
            Exception: what `keep` raised.
        """
        refused = self._refusal(call)
        if refused is not None:
            return refused
        again = False
        while True:
            lane = await self._lane()
            if isinstance(lane, NotCollected):
                return lane
            started = time.monotonic()
            outcome = await self._run_on(lane, call, keep, tap() if tap else None)
            if not isinstance(outcome, Failure):
                if outcome.raised is not None:
                    raise outcome.raised
                if outcome.dropped:
                    self._note(f"{call.name} gave {outcome.dropped} more errors and warnings than are kept.")
                return _answer(call, lane.place(call), outcome, time.monotonic() - started)
            if outcome.then is not Next.ANOTHER_SERVER:
                return NotCollected(outcome.reason, outcome.sentence, Layer.CMDLET)
            self._lost(lane, outcome)
            if again:
                return NotCollected(outcome.reason, outcome.sentence, Layer.SESSION)
            again = True

    async def close(self, grace: float) -> None:
        """Delete all shells within `grace` seconds. What may be left on the server is said in `notes`."""
        self._finish(NotCollected(Reason.INTERRUPTED, "The remote PowerShell sessions were closed.", Layer.SESSION))
        for lane in tuple(self._lanes):
            if lane.is_busy and not lane.ending:
                lane.cut_off()
            self._dispose(lane, grace)
        if self._chores:
            await asyncio.wait(tuple(self._chores), timeout=grace)
        for lane in tuple(self._lanes):
            lane.cut_off()
        if self._chores:
            await asyncio.wait(tuple(self._chores), timeout=_GIVEN_UP)
        for lane in tuple(self._lanes):
            self._lanes.discard(lane)
            self._left.add(lane.server)
        for server in sorted(self._left):
            self._note(
                f"A remote PowerShell session may be left on {server}; Exchange ends it by itself when it has been"
                " idle."
            )
        self._left.clear()

    def abandon(self) -> None:
        """Break off whatever is being waited for, at once; shells are deleted by `close`, if there is time for it."""
        self._finish(NotCollected(Reason.INTERRUPTED, "The run was interrupted.", Layer.SESSION))
        for lane in tuple(self._lanes):
            lane.cut_off()

    # --- what may be sent ---

    def _refusal(self, call: CmdletCall) -> NotCollected | None:
        parameters = self._allowed.get(call.name.casefold())
        if parameters is None:
            what = call.name
        else:
            what = next(
                (f"{call.name} -{name}" for name, _ in call.parameters if name.casefold() not in parameters), ""
            )
        if not what:
            return None
        sentence = f"{one_line(what, 100)} is not on the list of what mapiready sends, and was not sent."
        return NotCollected(Reason.REFUSED_BY_TOOL, sentence, Layer.CMDLET)

    # --- sessions ---

    async def _lane(self) -> _Lane | NotCollected:
        """An idle session of the server in use: one that there is, a new one, or the next that becomes idle."""
        while self._over is None:
            if self._idle:
                return self._idle.pop()
            if not self._has_session():
                # The first session is opened alone: whoever else waits learns from it.
                async with self._opening:
                    if not self._has_session():
                        lane = await self._open_first()
                        if lane is not None:
                            return lane
                continue
            # A session that is being tidied up is sooner there than a new one.
            if self._count() < self._most and len(self._waiting) >= self._tidying:
                lane = await self._open_another()
            else:
                lane = await self._next_idle()
            if lane is not None:
                return lane
        return self._over

    def _has_session(self) -> bool:
        """Whether a session of the server in use is open."""
        return any(lane.is_open and not lane.ending and lane.server_index == self._server for lane in self._lanes)

    def _count(self) -> int:
        """How many sessions are open or being opened."""
        return sum(not lane.ending for lane in self._lanes)

    async def _next_idle(self) -> _Lane | None:
        waiting: asyncio.Future[_Lane | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and (lane := waiting.result()) is not None:
                self._release(lane)
            raise

    async def _open_first(self) -> _Lane | None:
        """A session of the first server that gives one, from the one in use on."""
        while self._over is None:
            lane = _Lane(self._settings, self._settings.servers[self._server], self._server)
            failure = await self._open(lane)
            if failure is None:
                self._greet(lane)
                return lane
            self._failures.append(failure.sentence)
            self._server += 1
            if failure.then is Next.NOTHING or self._server >= len(self._settings.servers):
                sentence = " ".join(self._failures) if failure.then is not Next.NOTHING else failure.sentence
                self._finish(NotCollected(failure.reason, sentence, Layer.SESSION))
            else:
                self._note(f"{failure.sentence} {self._settings.servers[self._server]} was asked instead.")
                self._losses = 0
        return None

    async def _open_another(self) -> _Lane | None:
        """One more session of the server in use; without it the work is done by those that there are."""
        lane = _Lane(self._settings, self._settings.servers[self._server], self._server)
        failure = await self._open(lane)
        if failure is None:
            if lane.server_index == self._server:
                return lane
            self._dispose(lane)
            return None
        if lane.server_index == self._server:
            # Those that there are do the work; if there is none any more, `_open_first` says what is the matter.
            self._most = max(1, self._count())
            self._note(f"Fewer remote PowerShell sessions were used at a time than allowed. {failure.sentence}")
            if failure.then is Next.NOTHING and not self._has_session():
                self._finish(NotCollected(failure.reason, failure.sentence, Layer.SESSION))
        return None

    async def _open(self, lane: _Lane) -> Failure | None:
        self._lanes.add(lane)
        try:
            with waiting_for(f"a session of remote PowerShell on {lane.server}"):
                failure = await lane.open()
        except asyncio.CancelledError:
            lane.cut_off()
            self._dispose(lane)
            raise
        if failure is not None:
            self._dispose(lane, _UNSURE_DELETE_SECONDS)
        return failure

    def _greet(self, lane: _Lane) -> None:
        self._answered_by = lane.server
        self._signed_in_by = lane.signed_in_by
        self._supported_versions = lane.supported_versions
        if self._settings.auth is Authentication.NEGOTIATE and lane.signed_in_by == "NTLM":
            self._note(
                f"{lane.server} was signed in to by NTLM, not by Kerberos, because --auth negotiate allows it and"
                " Kerberos was not possible."
            )

    async def _run_on(self, lane: _Lane, call: CmdletCall, keep: Keep | None, heard: Heard | None) -> Outcome | Failure:
        try:
            with waiting_for(_told(call, lane.server)):
                outcome = await lane.run(call, keep, heard)
        except asyncio.CancelledError:
            # Deleting the shell stops the cmdlet, whatever state its connection is in.
            lane.cut_off()
            self._dispose(lane)
            raise
        if isinstance(outcome, Failure) and outcome.then is not Next.ANOTHER_CMDLET:
            self._dispose(lane)
            if outcome.then is Next.NOTHING:
                self._finish(NotCollected(outcome.reason, outcome.sentence, Layer.SESSION))
        else:
            self._tidying += 1
            self._chore(self._tidy(lane))
        return outcome

    def _lost(self, lane: _Lane, failure: Failure) -> None:
        """A server ended a session in mid-run: the next server takes over; the last one is tried again a few times."""
        if lane.server_index != self._server:
            return
        self._losses += 1
        last = self._server + 1 >= len(self._settings.servers)
        if last and self._losses < _MOST_LOSSES:
            self._note(f"{failure.sentence} A new session was opened.")
        elif last:
            self._finish(NotCollected(failure.reason, f"{failure.sentence} It was given up.", Layer.SESSION))
        else:
            self._server += 1
            self._losses = 0
            self._most = self._settings.sessions
            self._note(f"{failure.sentence} {self._settings.servers[self._server]} took over.")
            for idle in tuple(self._idle):
                self._dispose(idle)
        self._wake()

    async def _tidy(self, lane: _Lane) -> None:
        """After a cmdlet: make the session ready for the next one."""
        failure = await lane.tidy()
        self._tidying -= 1
        if failure is not None or lane.server_index != self._server or self._over is not None:
            self._dispose(lane)
        else:
            self._release(lane)

    def _release(self, lane: _Lane) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(lane)
                return
        self._idle.append(lane)

    def _dispose(self, lane: _Lane, seconds: float = _DELETE_SECONDS) -> None:
        """Delete a session's shell, in its own thread and time."""
        if lane in self._lanes and not lane.ending:
            lane.ending = True
            if lane in self._idle:
                self._idle.remove(lane)
            self._chore(self._end(lane, seconds))
            self._wake()

    async def _end(self, lane: _Lane, seconds: float) -> None:
        deleted = await lane.delete(seconds)
        self._lanes.discard(lane)
        if not deleted:
            self._left.add(lane.server)
        self._wake()

    def _finish(self, why: NotCollected) -> None:
        """Nothing more can be asked, and why."""
        if self._over is None:
            self._over = why
        self._wake()

    def _wake(self) -> None:
        """Whoever waits for an idle session looks again at what there is."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def _chore(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def _note(self, sentence: str) -> None:
        if sentence not in self._notes and len(self._notes) < _MOST_NOTES:
            self._notes.append(sentence)


def _told(call: CmdletCall, server: str) -> str:
    """A cmdlet in a few words: whatever it looks at comes first, since a display has little room."""
    values = {name.casefold(): value for name, value in call.parameters}
    if "identity" in values:
        return f"{call.name} of {values['identity']}"
    return f"{call.name} on {values.get('runfromserverid') or values.get('server') or server}"


# --- one session in its thread ----------------------------------------------------------------------------------------


class _Lane:
    """One session and the daemon thread that does its work; no caller waits for it beyond its time."""

    def __init__(self, settings: PowerShellSettings, server: str, server_index: int) -> None:
        self.server = server
        self.server_index = server_index
        self.is_open = False
        self.is_busy = False  # the thread is doing something
        self.ending = False
        self.signed_in_by: str | None = None
        self.supported_versions: str | None = None
        self._settings = settings
        self._session: PsrpSession | None = None
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stuck = False  # the thread did not come back, not even without its connection

    def place(self, call: CmdletCall | None) -> Place:
        """Where this is, for sentences."""
        settings, session = self._settings, self._session
        return Place(
            server=self.server,
            port=settings.port,
            tls=settings.scheme is Scheme.HTTPS,
            path=settings.path,
            auth=settings.auth.value,
            user=settings.user,
            timeout=settings.timeout,
            call=call,
            offered=session.challenges if session else (),
            tried=session.tried if session else False,
            cut=session.was_cut if session else False,
        )

    async def open(self) -> Failure | None:
        """Sign in and make the shell."""
        result = await self._do(self._open, None, self._settings.timeout)
        if isinstance(result, Failure):
            return result
        self.is_open = True
        return None

    async def run(self, call: CmdletCall, keep: Keep | None, heard: Heard | None) -> Outcome | Failure:
        """Send a cmdlet and wait for its end, at most its time."""
        session, seconds = self._session, self._settings.timeout
        assert session is not None
        return await self._do(lambda: session.run(call, seconds, keep, heard), call, seconds)

    async def tidy(self) -> Failure | None:
        """Make the session ready for the next cmdlet."""
        session = self._session
        assert session is not None
        result = await self._do(session.tidy, None, self._settings.timeout)
        return result if isinstance(result, Failure) else None

    async def delete(self, seconds: float) -> bool:
        """Delete the shell and end the thread; False if the shell may be left on the server."""
        session = self._session
        if self._thread is None:
            return True
        try:
            if self._stuck or session is None:
                return not self._stuck
            result = await self._do(lambda: session.delete(seconds), None, seconds)
            return not isinstance(result, Failure)
        finally:
            self._work.put(None)
            if not self.is_busy:
                self._thread.join()

    def cut_off(self) -> None:
        """End what the thread is waiting for."""
        if self._session is not None:
            self._session.cut_off()

    def _open(self) -> None:
        # Loaded here, and not before: it costs half a second.
        from checker.powershell._pypsrp_seam import PsrpSession, SessionOptions

        settings = self._settings
        self._session = session = PsrpSession(
            SessionOptions(
                server=self.server,
                port=settings.port,
                tls=settings.scheme is Scheme.HTTPS,
                path=settings.path,
                auth=settings.auth.value,
                user=settings.user,
                password=settings.password,
                ca_file=settings.ca_file,
                timeout=settings.timeout,
                resolve={(host.casefold(), port): to for (host, port), to in settings.resolve.items()},
            )
        )
        session.open()
        self.signed_in_by = session.signed_in_by
        self.supported_versions = session.supported_versions

    async def _do(self, work: Callable[[], T], call: CmdletCall | None, seconds: float) -> T | Failure:
        """Do something in the thread. When its time is over by far, the connection is cut, then the thread given up."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T | Failure] = loop.create_future()
        watcher = WATCHER.get()

        def deliver(result: T | Failure) -> None:
            self.is_busy = False
            if not done.done():
                done.set_result(result)

        def in_thread() -> None:
            result: T | Failure
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - the one boundary: every exception of the libraries ends here
                result = explain(error, self.place(call))
                if watcher is not None:
                    watcher.failed(f"{call or 'a session'} on {self.server}", error)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(deliver, result)

        self.is_busy = True
        self._work.put(in_thread)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"mapiready {self.server}", daemon=True)
            self._thread.start()
        await asyncio.wait({done}, timeout=seconds + _OVERTIME)
        if not done.done():
            self.cut_off()
            await asyncio.wait({done}, timeout=_GIVEN_UP)
        if done.done():
            return done.result()
        self._stuck = True
        place = self.place(call)
        sentence = f"{place.address} did not answer within {seconds:g} s, and its connection could not be ended."
        return Failure(Reason.TIMED_OUT, sentence, Next.NEW_SESSION if call else Next.ANOTHER_SERVER)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()


# --- what a cmdlet gave -----------------------------------------------------------------------------------------------


def _answer(call: CmdletCall, place: Place, outcome: Outcome, seconds: float) -> CmdletAnswer | NotCollected:
    errors = tuple(read_error(record) for record in outcome.errors)
    if outcome.failed:
        return terminated(call, place.server, place.who, errors[-1] if errors else None)
    return CmdletAnswer(
        call=call,
        server=place.server,
        objects=outcome.objects,
        errors=errors,
        warnings=outcome.warnings,
        seconds=seconds,
    )
