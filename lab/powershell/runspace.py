"""One shell: a PSRP runspace pool on psrpcore's server side, its pipelines, and what waits to be received.

Everything of a shell happens in one event loop, for psrpcore is not thread-safe. Of psrpcore only the public interface
is used. Two things it has no call for are made here from the specification: objects as the lab wrote them, framed by
our own hands ([MS-PSRP] 2.2.1 and 2.2.4), so that they owe nothing to its serialiser; and the state Failed, as a
PipelineState message.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psrpcore
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    ErrorRecord,
    NETException,
    PipelineState,
    PSInvocationState,
    PSRPMessageType,
)

from lab.powershell.cmdlet import Call, Cmdlets, Notice, Output, Pause, Problem, Progress, UnboundError, bind
from lab.powershell.problems import command_not_found, parameter_missing, parameter_not_found, scripts_not_allowed
from lab.scenario import User

__all__ = ["PowerShellError", "Shell"]

_FRAGMENT = 32768
_ENVELOPE = 4096  # room for everything of an envelope that is not a stream
_OWN_MESSAGES = 1 << 32  # psrpcore counts its messages from 1; ours must not meet them
_TURN = 50  # after so many things said, others of the event loop get their turn


class PowerShellError(Exception):
    """What the client sent is not PSRP."""


@dataclass(slots=True)
class _Command:
    pipeline: Any
    task: asyncio.Task[None] | None = None
    finished: bool = False


@dataclass(slots=True)
class Shell:
    """A runspace pool of one user.

    `latency` gives the time a cmdlet takes, `called` is told of each call that was bound.
    """

    shell_id: str
    owner: str
    user: User
    cmdlets: Cmdlets
    language: str
    latency: Callable[[str], float]
    called: Callable[[Call], None]
    _pool: Any = field(init=False)
    _commands: dict[UUID, _Command] = field(init=False, default_factory=dict)
    _waiting: defaultdict[UUID | None, deque[bytes]] = field(init=False)
    _changed: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _messages: Iterator[int] = field(init=False)
    _runspaces: asyncio.Semaphore = field(init=False)
    _closed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._pool = psrpcore.ServerRunspacePool(
            application_private_data={"SupportedVersions": "14.0.0.0-15.2.9999.9999"}
        )
        self._waiting = defaultdict(deque)
        self._messages = itertools.count(_OWN_MESSAGES)
        self._runspaces = asyncio.Semaphore(1)

    # --- what the client asks ---

    def feed(self, data: bytes, command: UUID | None = None) -> None:
        """Take in fragments.

        Raises:
            PowerShellError: they are none.
        """
        try:
            self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, command))
            while (event := self._pool.next_event()) is not None:
                self._happened(event)
        except (psrpcore.PSRPCoreError, ValueError, KeyError, AttributeError, struct.error, SyntaxError) as error:
            # SyntaxError is ElementTree's ParseError; the others are what a malformed message makes of psrpcore.
            raise PowerShellError(f"{type(error).__name__}: {error}") from error
        self._notify()

    def begin(self, command: UUID, data: bytes) -> None:
        """Make a pipeline and take in its first fragments.

        Raises:
            PowerShellError: they are none.
        """
        self._commands[command] = _Command(psrpcore.ServerPipeline(self._pool, command))
        self.feed(data, command)

    def knows(self, command: UUID) -> bool:
        """Whether there is such a pipeline."""
        return command in self._commands

    async def receive(
        self, command: UUID | None, seconds: float, envelope_size: int
    ) -> tuple[list[bytes], bool] | None:
        """What was said, as much as one envelope holds, and whether that was all; None when nothing came in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._collect()
                    ended = command is not None and (command not in self._commands or self._commands[command].finished)
                    if self._waiting[command] or ended or self._closed:
                        chunks = self._taken(command, envelope_size)
                        return chunks, ended and not self._waiting[command]
                    await self._changed.wait()
        except TimeoutError:
            return None

    def stop(self, command: UUID) -> None:
        """Ctrl+C: the pipeline ends as Stopped."""
        known = self._commands.get(command)
        if known is None or known.finished:
            return
        if known.task is not None:
            known.task.cancel()
        if known.pipeline.state == PSInvocationState.Running:
            known.pipeline.stop()
        known.finished = True
        self._notify()

    def end(self, command: UUID) -> None:
        """Terminate: the pipeline is gone, whatever it was doing."""
        self.stop(command)
        known = self._commands.pop(command, None)
        if known is not None:
            self._collect()
            self._waiting.pop(command, None)
            self._pool.pipeline_table.pop(command, None)
        self._notify()

    async def close(self) -> None:
        """Delete: everything is gone."""
        self._closed = True
        tasks = [known.task for known in self._commands.values() if known.task is not None]
        for command in list(self._commands):
            self.end(command)
        await asyncio.gather(*tasks, return_exceptions=True)
        self._notify()

    # --- what happens then ---

    def _happened(self, event: Any) -> None:
        match event:
            case psrpcore.InitRunspacePoolEvent():
                self._runspaces = asyncio.Semaphore(max(1, self._pool.max_runspaces))
            case psrpcore.CreatePipelineEvent():
                known = self._commands[event.pipeline_id]
                known.pipeline.start()
                known.task = asyncio.get_running_loop().create_task(self._run(known, event.pipeline.commands))
            case psrpcore.GetCommandMetadataEvent():
                # NoLanguage does not hide what there is, but nothing that speaks to the lab asks.
                known = self._commands[event.pipeline_id]
                known.pipeline.start()
                self._fail(known, command_not_found(self.language, "Get-Command"))
            case psrpcore.GetAvailableRunspacesEvent():
                self._pool.runspace_availability_response(event.ci, self._pool.max_runspaces)
            case psrpcore.SetMaxRunspacesEvent() | psrpcore.SetMinRunspacesEvent() | psrpcore.ResetRunspaceStateEvent():
                self._pool.runspace_availability_response(event.ci, True)

    async def _run(self, command: _Command, commands: Sequence[Any]) -> None:
        async with self._runspaces:
            problem = await self._statements(command, commands)
        if problem is not None:
            self._fail(command, problem)
        else:
            command.pipeline.complete()
            command.finished = True
        self._notify()

    async def _statements(self, command: _Command, commands: Sequence[Any]) -> Problem | None:
        """Run the statements; the problem that ended them, if one did."""
        for each in commands:
            if each.is_script:
                return scripts_not_allowed(self.language)
            if self.cmdlets.signature(each.command_text, self.user) is None:
                return command_not_found(self.language, each.command_text)
        for each in commands:
            if not each.end_of_statement:
                # Exchange would pipe one cmdlet into the next; this endpoint has no pipes.
                return scripts_not_allowed(self.language)
            if (problem := await self._cmdlet(command, each)) is not None:
                return problem
        return None

    async def _cmdlet(self, command: _Command, each: Any) -> Problem | None:
        signature = self.cmdlets.signature(each.command_text, self.user)
        if signature is None:
            return command_not_found(self.language, each.command_text)
        try:
            parameters, common = bind(signature, each.parameters)
        except UnboundError as error:
            report = parameter_missing if error.missing else parameter_not_found
            return report(self.language, signature.name, error.parameter)
        call = Call(signature.name, parameters, self.owner)
        self.called(call)
        await asyncio.sleep(self.latency(signature.name))
        for count, said in enumerate(self.cmdlets.run(call)):
            if count % _TURN == _TURN - 1:
                self._notify()
                await asyncio.sleep(0)
            if isinstance(said, Problem) and (
                said.terminating or common.get("ErrorAction", "").casefold() in ("stop", "1")
            ):
                return said.as_terminating()
            if isinstance(said, Pause):
                self._notify()
                await asyncio.sleep(said.seconds)
            else:
                self._say(command.pipeline, said)
        return None

    def _say(self, pipeline: Any, said: Output | Notice | Progress | Problem) -> None:
        match said:
            case Output(clixml):
                self._output(pipeline.pipeline_id, clixml)
            case Notice(text):
                pipeline.write_warning(text)
            case Progress(activity, status, percent):
                pipeline.write_progress(activity, 0, status, percent_complete=percent)
            case Problem():
                record = _record(said)
                pipeline.write_error(
                    record.Exception,
                    category_info=record.CategoryInfo,
                    fully_qualified_error_id=record.FullyQualifiedErrorId,
                )

    def _fail(self, command: _Command, problem: Problem) -> None:
        command.pipeline.prepare_message(
            PipelineState(PipelineState=PSInvocationState.Failed.value, ExceptionAsErrorRecord=_record(problem))
        )
        command.pipeline.state = PSInvocationState.Failed
        command.finished = True

    # --- what waits ---

    def _output(self, command: UUID, clixml: bytes) -> None:
        self._collect()
        message = (
            struct.pack("<II", 1, PSRPMessageType.PipelineOutput.value)
            + self._pool.runspace_pool_id.bytes_le
            + command.bytes_le
            + b"\xef\xbb\xbf"
            + clixml
        )
        number, size = next(self._messages), _FRAGMENT - 21
        pieces = [message[start : start + size] for start in range(0, len(message), size)]
        for index, piece in enumerate(pieces):
            flags = (index == 0) | (index == len(pieces) - 1) << 1
            self._waiting[command].append(struct.pack(">QQBI", number, index, flags, len(piece)) + piece)

    def _collect(self) -> None:
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            if payload.pipeline_id is None or payload.pipeline_id in self._commands:
                self._waiting[payload.pipeline_id].append(payload.data)

    def _taken(self, command: UUID | None, envelope_size: int) -> list[bytes]:
        """What one envelope holds; small pieces share a stream element."""
        room = envelope_size - _ENVELOPE
        waiting, chunks = self._waiting[command], list[bytes]()
        while waiting:
            joined = bool(chunks) and len(chunks[-1]) + len(waiting[0]) <= _FRAGMENT
            room -= len(waiting[0]) * 4 // 3 + 4 + (0 if joined else 120)
            if room < 0 and chunks:
                break
            if joined:
                chunks[-1] += waiting.popleft()
            else:
                chunks.append(waiting.popleft())
        return chunks

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _record(problem: Problem) -> ErrorRecord:
    exception = NETException(Message=problem.message, HResult=-2146233087)
    exception.PSObject.type_names = list(problem.exception_types)
    return ErrorRecord(
        Exception=exception,
        CategoryInfo=ErrorCategoryInfo(
            Category=ErrorCategory(problem.category),
            Activity=problem.activity,
            Reason=problem.reason,
            TargetName=problem.target_name,
            TargetType=problem.target_type,
        ),
        FullyQualifiedErrorId=problem.error_id,
    )
