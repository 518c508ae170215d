"""Stands for the sources of a run, and writes down what they say.

    Recorder            the file: what was heard is spooled beside it, compressed, and becomes a zip at the end
    RecordingRunner, RecordingNetwork, RecordingAccount
                        the same sources, overheard

A cmdlet's messages are written as they come, in the session's thread, and never held whole. A disk that is full costs
the snapshot, not the run.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self, TypeVar

from checker import __version__
from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignedIn,
    SignInAt,
    SignInScheme,
    TestAccount,
)
from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    Handshake,
    HttpAnswer,
    Keep,
    Network,
    NotCollected,
    Offer,
    Reason,
    Resolved,
    Services,
    Target,
    TlsVersion,
)
from checker.facts.run import GivenNames, MailboxScope, ServerSelection, TrustStore, Vantage
from checker.gathering import RUN, RunState
from checker.output import OutputError
from checker.powershell.records import Heard, Stream, Tap
from checker.results import Stage
from checker.secrets import Secret
from checker.settings import SettingsError
from checker.snapshot.discretion import Discretion, not_kept
from checker.snapshot.format import (
    ACCOUNT,
    FORMAT,
    MANIFEST,
    NETWORK,
    SCHEMA_VERSION,
    AccountAnswer,
    AccountExchange,
    AccountLook,
    AccountQuestion,
    Call,
    Manifest,
    NetworkExchange,
    NetworkLook,
    NetworkQuestion,
    Trust,
    call_key,
    certificate_entry,
    saved,
    unstructure,
    write_json,
)

__all__ = ["About", "Recorder", "RecordingAccount", "RecordingNetwork", "RecordingRunner", "TappedRunner"]

A = TypeVar("A")

_IN_MEMORY: Final = 1 << 20
"""Bytes of a cmdlet's answer, compressed, up to which it needs no file of its own while it comes."""
_CHUNK: Final = 1 << 18
_QUICK: Final = 1  # zlib's level: the spool is packed again for good
_WHEN: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: the manifest tells the time


class TappedRunner(Protocol):
    """A `CmdletRunner` that tells of the messages as they come: remote PowerShell."""

    async def run(
        self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
    ) -> CmdletAnswer | NotCollected:
        """As `CmdletRunner.run`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the manifest says of the run besides what was heard. `asked` are the servers of remote PowerShell."""

    started: datetime
    vantage: Vantage
    given_names: GivenNames
    servers: ServerSelection
    mailboxes: MailboxScope
    stage: Stage | None
    narrowed: tuple[str, ...]
    test_account: TestAccount
    trust: TrustStore
    asked: tuple[str, ...]


# --- the spool --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Piece:
    """Where the messages of a cmdlet lie in the spool."""

    start: int
    length: int


class _Attempt:
    """The messages of one attempt at a cmdlet, compressed as they come; from the session's thread."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._packer = zlib.compressobj(_QUICK)
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._lock = threading.Lock()
        self._over = False
        self.objects = 0
        self.forbidden = False

    def heard(self, stream: Stream, clixml: str) -> None:
        """One message. What a thread that was left behind still says is not wanted any more."""
        with self._lock:
            if self._over:
                return
            self.objects += stream is Stream.OUTPUT
            line = write_json({stream.value: clixml})
            if self._recorder.discretion.forbids(line):
                self.forbidden = True
                self._end()
                return
            try:
                if self._file is None:
                    self._file = self._recorder.room()
                self._file.write(self._packer.compress(line + b"\n"))
            except OSError as error:
                self._recorder.fail(error)
                self._end()

    def finish(self, spool: Callable[[Iterator[bytes]], _Piece]) -> _Piece | None:
        """Hands over what was heard; None if it could not be kept."""
        with self._lock:
            if self._over:
                return None
            try:
                if self._file is None:
                    return spool(iter((self._packer.flush(),)))
                self._file.write(self._packer.flush())
                self._file.seek(0)
                return spool(_chunks(self._file))
            except OSError as error:
                self._recorder.fail(error)
                return None
            finally:
                self._end()

    def drop(self) -> None:
        """Nobody wants it any more."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._over = True
        if self._file is not None:
            with suppress(OSError):  # what is buffered does not fit on the disk; it is not wanted
                self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class _Heard:
    """A cmdlet that was asked, and what came of it."""

    call: CmdletCall
    server: str | None
    seconds: float
    objects: int
    not_collected: NotCollected | None
    piece: _Piece


class Recorder:
    """Writes a snapshot to `path`. Enter it before the run; `write` when it is over; leaving it removes the spool.

    An answer that holds one of the `secrets` of the run is not kept, and what stands in its place says so.

    Raises:
        SettingsError: on entering, when nothing can be written there.
    """

    def __init__(self, path: Path, secrets: Iterable[Secret] = ()) -> None:
        self.path = path
        self.discretion = Discretion(secrets)
        self._spool: IO[bytes] | None = None
        self._end = 0
        self._lock = threading.Lock()
        self._problem: OSError | None = None
        self._calls: dict[Any, _Heard] = {}
        self._looks: dict[NetworkQuestion, Any] = {}
        self._signed: dict[AccountQuestion, Any] = {}
        self._has_powershell = False
        self._run: RunState | None = None

    def __enter__(self) -> Self:
        try:
            if self.path.is_dir():
                raise IsADirectoryError("it is a folder")
            # Beside the snapshot, where there is room for it; /tmp may be memory.
            self._spool = tempfile.TemporaryFile(dir=self.path.parent, prefix=self.path.name + ".")
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spool is not None:
            with suppress(OSError):
                self._spool.close()

    # --- the sources ---

    def runner(self, source: TappedRunner) -> RecordingRunner:
        """Remote PowerShell, overheard."""
        self._has_powershell = True
        return RecordingRunner(source, self)

    def network(self, source: Network) -> RecordingNetwork:
        """The network, overheard."""
        return RecordingNetwork(source, self)

    def account(self, source: SignedIn) -> RecordingAccount:
        """The test account, overheard."""
        return RecordingAccount(source, self)

    # --- what they tell ---

    def room(self) -> tempfile.SpooledTemporaryFile[bytes]:
        """For the messages of a cmdlet while they come."""
        return tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.path.parent))

    def fail(self, error: OSError) -> None:
        """Nothing more can be kept."""
        self._problem = self._problem or error

    def looked(self, question: NetworkQuestion, answer: object) -> None:
        """An answer of the network."""
        self._looks.setdefault(question, answer)

    def signed(self, question: AccountQuestion, answer: object) -> None:
        """An answer that the test account got."""
        self._signed.setdefault(question, answer)

    def watch_run(self) -> NotCollected:
        """Why a question that was broken off has no answer. Learns from the first who asks which run this is."""
        self._run = self._run or RUN.get(None)
        stopped = self._run.stopped if self._run else None
        return stopped or NotCollected(Reason.INTERRUPTED, "The run was stopped before this was answered.")

    def answered(self, call: CmdletCall, answer: CmdletAnswer | NotCollected, attempt: _Attempt | None) -> None:
        """What came of a cmdlet. Of two answers to one question the first is kept, or the one that is good."""
        key = call_key(call)
        known = self._calls.get(key)
        worse = isinstance(answer, NotCollected) or (known is not None and known.not_collected is None)
        if self._problem is not None or (known is not None and worse):
            if attempt is not None:
                attempt.drop()
            return
        attempt = attempt or _Attempt(self)
        if attempt.forbidden:
            answer, attempt = not_kept(str(call)), _Attempt(self)
        piece = attempt.finish(self._keep)
        if piece is None:
            return
        if isinstance(answer, CmdletAnswer):
            heard = _Heard(call, answer.server, answer.seconds, attempt.objects, None, piece)
        else:
            heard = _Heard(call, None, 0.0, attempt.objects, answer, piece)
        self._calls[key] = heard

    def _keep(self, chunks: Iterator[bytes]) -> _Piece:
        """Appends to the spool."""
        assert self._spool is not None
        with self._lock:
            start = self._end
            self._spool.seek(start)
            for chunk in chunks:
                self._spool.write(chunk)
                self._end += len(chunk)
            return _Piece(start, self._end - start)

    # --- the file ---

    def write(self, about: About, notes: Iterable[str]) -> Path:
        """Makes the snapshot, whole or not at all: in a temporary file beside it, then by renaming.

        Raises:
            OutputError: with the path and the reason.
        """
        temporary: str | None = None
        try:
            if self._problem is not None:
                raise self._problem
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name + ".", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                self._fill(file, about, tuple(notes))
                file.flush()
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
            Path(temporary).replace(self.path)
        except OSError as error:
            raise OutputError(f"{self.path} could not be written: {error.strerror or error}.") from error
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)  # it is gone where it was renamed
        return self.path

    def _fill(self, file: IO[bytes], about: About, notes: tuple[str, ...]) -> None:
        order = sorted(self._calls.values(), key=lambda heard: (heard.call.name.casefold(), _spelled(heard.call)))
        entries = [f"powershell/{number:06}.jsonl" for number in range(1, len(order) + 1)]
        certificates = {hashlib.sha256(der).hexdigest(): der for der in about.trust.roots}
        manifest = Manifest(
            format=FORMAT,
            schema_version=SCHEMA_VERSION,
            tool_version=__version__,
            started=about.started,
            ended=datetime.now(UTC),
            vantage=about.vantage,
            given_names=about.given_names,
            servers=about.servers,
            mailboxes=about.mailboxes,
            stage=about.stage,
            narrowed=about.narrowed,
            test_account=about.test_account,
            trust=Trust(tuple(certificates), about.trust.source, about.trust.given),
            has_powershell=self._has_powershell,
            asked=about.asked,
            stopped=self._run.stopped if self._run else None,
            notes=tuple(note for note in notes if not self.discretion.forbids(write_json(note))),
            calls=tuple(self._call(entry, heard) for entry, heard in zip(entries, order, strict=True)),
        )
        looks = []
        for question, answer in self._looks.items():
            if self.discretion.forbids_within(answer):
                answer = not_kept(str(question))  # noqa: PLW2901 - as it is written
            if isinstance(answer, Handshake):
                certificates.update((hashlib.sha256(der).hexdigest(), der) for der in answer.certificates)
                answer = saved(answer)  # noqa: PLW2901 - as it is written
            line = write_json(unstructure(NetworkExchange(question, answer)))
            if self.discretion.forbids(line):
                line = write_json(unstructure(NetworkExchange(question, not_kept(str(question)))))
            looks.append(line)
        signed = [self._signed_line(question, answer) for question, answer in self._signed.items()]
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED))
            _put(archive, MANIFEST, iter((write_json(unstructure(manifest)) + b"\n",)))
            for entry, heard in zip(entries, order, strict=True):
                _put(archive, entry, self._unpacked(heard.piece))
            for entry, lines in ((NETWORK, looks), (ACCOUNT, signed)):
                _put(archive, entry, (line + b"\n" for line in sorted(lines)))
            for digest, der in sorted(certificates.items()):
                _put(archive, certificate_entry(digest), iter((der,)))

    def _call(self, entry: str, heard: _Heard) -> Call:
        why = heard.not_collected
        if why is not None and self.discretion.forbids(write_json(why.sentence)):
            why = not_kept(str(heard.call))
        return Call(
            entry=entry,
            name=heard.call.name,
            parameters=heard.call.parameters,
            server=heard.server,
            seconds=heard.seconds,
            objects=heard.objects,
            not_collected=why,
        )

    def _signed_line(self, question: AccountQuestion, answer: AccountAnswer) -> bytes:
        line = write_json(unstructure(AccountExchange(question, answer)))
        if not self.discretion.forbids(line) and not self.discretion.forbids_within(answer):
            return line
        why = not_kept(str(question))
        proof = question.look is AccountLook.PROVE
        instead = AccountProof(Proof.UNPROVEN, None, 0, why) if proof else why
        return write_json(unstructure(AccountExchange(question, instead)))

    def _unpacked(self, piece: _Piece) -> Iterator[bytes]:
        assert self._spool is not None
        unpacker = zlib.decompressobj()
        self._spool.seek(piece.start)
        left = piece.length
        while left and (chunk := self._spool.read(min(_CHUNK, left))):
            left -= len(chunk)
            while chunk:
                yield unpacker.decompress(chunk, _CHUNK)
                chunk = unpacker.unconsumed_tail
        yield unpacker.flush()


def _put(archive: zipfile.ZipFile, name: str, chunks: Iterator[bytes]) -> None:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # the same on every platform
    entry.external_attr = 0o100644 << 16
    with archive.open(entry, "w", force_zip64=True) as file:
        for chunk in chunks:
            file.write(chunk)


def _chunks(file: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_CHUNK), b"")


def _spelled(call: CmdletCall) -> str:
    """One form for each call, so that files of the same answers are the same."""
    return write_json([[name.casefold(), value] for name, value in call.parameters]).decode("ascii")


# --- the sources, overheard -------------------------------------------------------------------------------------------


class RecordingRunner:
    """A `checker.answers.CmdletRunner` that writes down what another one hears."""

    def __init__(self, source: TappedRunner, recorder: Recorder) -> None:
        self._source = source
        self._recorder = recorder

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """As the source."""
        attempts: list[_Attempt] = []

        def tap() -> Heard:
            while attempts:
                attempts.pop().drop()
            attempts.append(_Attempt(self._recorder))
            return attempts[0].heard

        self._recorder.watch_run()
        answer: CmdletAnswer | NotCollected | None = None
        try:
            answer = await self._source.run(call, keep=keep, tap=tap)
        except asyncio.CancelledError:
            answer = self._recorder.watch_run()
            raise
        finally:
            if answer is not None:
                self._recorder.answered(call, answer, attempts[0] if attempts else None)
            else:
                # `keep` raised: the question was not answered to its end.
                for attempt in attempts:
                    attempt.drop()
        return answer


class RecordingNetwork:
    """A `checker.answers.Network` that writes down what another one sees."""

    def __init__(self, source: Network, recorder: Recorder) -> None:
        self._source = source
        self._recorder = recorder

    async def _seen(self, question: NetworkQuestion, answer: Awaitable[A]) -> A:
        self._recorder.watch_run()
        try:
            told = await answer
        except asyncio.CancelledError:
            self._recorder.looked(question, self._recorder.watch_run())
            raise
        self._recorder.looked(question, told)
        return told

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.RESOLVE, target), self._source.resolve(target))

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.HANDSHAKE, target), self._source.handshake(target))

    async def offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:
        """As the source."""
        question = NetworkQuestion(NetworkLook.OFFERS, target, version=version)
        return await self._seen(question, self._source.offers(target, version))

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.GET, target, path=path), self._source.get(target, path))

    async def autodiscover(self, target: Target) -> HttpAnswer | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.AUTODISCOVER, target), self._source.autodiscover(target))

    async def plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.PLAIN, target, path=path), self._source.plain(target, path))

    async def services(self, name: str) -> Services | NotCollected:
        """As the source."""
        return await self._seen(NetworkQuestion(NetworkLook.SERVICES, name=name), self._source.services(name))


class RecordingAccount:
    """A `checker.account.SignedIn` that writes down what another one gets."""

    def __init__(self, source: SignedIn, recorder: Recorder) -> None:
        self._source = source
        self._recorder = recorder

    async def _got(self, question: AccountQuestion, answer: Awaitable[A]) -> A:
        self._recorder.watch_run()
        try:
            told = await answer
        except asyncio.CancelledError:
            if question.look is not AccountLook.PROVE:
                self._recorder.signed(question, self._recorder.watch_run())
            raise
        self._recorder.signed(question, told)
        return told

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        """As the source."""
        return await self._got(AccountQuestion(AccountLook.PROVE), self._source.prove(targets, schemes))

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        """As the source."""
        question = AccountQuestion(AccountLook.SIGN_IN, target, at=at, scheme=scheme)
        return await self._got(question, self._source.sign_in(target, at, scheme))

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        """As the source."""
        question = AccountQuestion(AccountLook.MAPI, target, endpoint=endpoint, scheme=scheme, mailbox=mailbox)
        return await self._got(question, self._source.mapi(target, endpoint, scheme, mailbox))

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        """As the source."""
        question = AccountQuestion(AccountLook.RPC_ECHO, target, scheme=scheme)
        return await self._got(question, self._source.rpc_echo(target, scheme))

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        """As the source."""
        question = AccountQuestion(AccountLook.AUTODISCOVER, target, path=path, address=address, scheme=scheme)
        return await self._got(question, self._source.autodiscover(target, path, address, scheme))
