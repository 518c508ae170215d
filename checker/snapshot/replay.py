"""A snapshot as sources of a run: the same answers to the same questions, asked of a file.

A question that the file does not hold is NOT_GIVEN, with the advice to gather again; in a snapshot of a run that was
stopped it is what stopped it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final, TypeVar

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
)
from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    CmdletError,
    Handshake,
    HttpAnswer,
    Keep,
    NotCollected,
    Offer,
    PSObject,
    PSValue,
    Reason,
    Resolved,
    Services,
    Target,
    TlsVersion,
)
from checker.errors import UserError
from checker.facts.run import TrustStore
from checker.host import HostData
from checker.powershell.clixml import ClixmlError, read_fragment
from checker.powershell.records import MOST_RECORDS, Stream, read_error, read_warning
from checker.saved import SavedView
from checker.snapshot.archive import Archive
from checker.snapshot.format import (
    ACCOUNT,
    FORMAT,
    MANIFEST,
    NETWORK,
    SCHEMA_VERSION,
    AccountExchange,
    AccountLook,
    AccountQuestion,
    Call,
    CallKey,
    FormatError,
    Manifest,
    NetworkExchange,
    NetworkLook,
    NetworkQuestion,
    SavedHandshake,
    call_key,
    certificate_entry,
    read_json,
    structure,
)

__all__ = ["SnapshotAccount", "SnapshotError", "SnapshotNetwork", "SnapshotRunner", "is_snapshot", "open_snapshot"]

T = TypeVar("T")

_MOST_MANIFEST: Final = 128 << 20
_MOST_CERTIFICATE: Final = 1 << 20
_MOST_CERTIFICATES: Final = 64 << 20
_MOST_LOOKS: Final = 256 << 20  # bytes of network.jsonl and of account.jsonl
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class SnapshotError(UserError):
    """A snapshot that cannot be read; the sentence names the file and says why."""


def is_snapshot(archive: Archive) -> bool:
    """Whether a zip is a snapshot, of whatever version."""
    return MANIFEST in archive


@contextmanager
def open_snapshot(archive: Archive) -> Iterator[SavedView]:
    """A snapshot as a view. Its sources read the archive, which must stay open while they are asked.

    Raises:
        ArchiveError, SnapshotError: it cannot be read; on leaving, what was found to be damaged while it was asked.
    """
    file = archive.path
    manifest = _manifest(archive)
    name = f"The snapshot {file.name} of {_when(manifest)}"
    unheld = _Unheld(name, manifest.narrowed, manifest.stopped)
    certificates = _certificates(archive)
    network = _network(archive, certificates)
    account = _account(archive)
    runner = SnapshotRunner(archive, manifest.calls, unheld) if manifest.has_powershell else None
    yield SavedView(
        files=(str(file),),
        gathered=manifest.started,
        vantage=manifest.vantage,
        runner=runner,
        network=SnapshotNetwork(network, unheld),
        account=SnapshotAccount(account, unheld) if manifest.test_account.given else None,
        test_account=manifest.test_account,
        hosts=HostData(given=False, exports=(), missing=()),
        given_names=manifest.given_names,
        mailboxes=manifest.mailboxes,
        servers=manifest.servers,
        found=(_found(manifest, file, len(network)),),
        missing=manifest.notes,
        incomplete=manifest.narrowed,
        whole=True,
        trust=_trust(archive, manifest, certificates),
        stage=manifest.stage,
        asked=manifest.asked,
        interrupted=manifest.stopped is not None and manifest.stopped.reason is Reason.INTERRUPTED,
    )
    if runner is not None and runner.problem is not None:
        raise runner.problem


def _found(manifest: Manifest, file: Path, looks: int) -> str:
    had = sum(call.not_collected is None for call in manifest.calls)
    parts = [f"{had} of {len(manifest.calls)} answers of cmdlets"] if manifest.has_powershell else []
    parts.append(f"{looks} looks at the network from {manifest.vantage}")
    return f"{file.name}: {' and '.join(parts)}, gathered {_when(manifest)}."


def _when(manifest: Manifest) -> str:
    return f"{manifest.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


# --- reading the parts ------------------------------------------------------------------------------------------------


def _manifest(archive: Archive) -> Manifest:
    file = archive.path
    try:
        plain = read_json(archive.read(MANIFEST, _MOST_MANIFEST))
        if not isinstance(plain, dict) or plain.get("format") != FORMAT:
            raise SnapshotError(f"{file} is no snapshot of mapiready: its {MANIFEST} is something else's.")
        version = plain.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise SnapshotError(
                f"{file} was made by a newer mapiready (its schema_version is {version}, this one reads"
                f" {SCHEMA_VERSION}); update mapiready."
            )
        if version != SCHEMA_VERSION:
            raise SnapshotError(f"{file} is no snapshot of mapiready: its schema_version is {str(version)[:40]!r}.")
        manifest = structure(plain, Manifest)
    except FormatError as error:
        raise _damaged(archive, MANIFEST, error) from error
    for call in manifest.calls:
        if call.entry not in archive:
            raise SnapshotError(f"{file} is not whole: {call.entry[:100]}, which its {MANIFEST} names, is missing.")
    return manifest


def _damaged(archive: Archive, name: str, error: Exception, line: int | None = None) -> SnapshotError:
    where = f"{name}, line {line}," if line is not None else name
    return SnapshotError(f"{archive.path} is not read: {where} is not as mapiready writes it ({error}).")


def _certificates(archive: Archive) -> dict[str, bytes]:
    found = {}
    total = 0
    for name in archive.names:
        folder, _, rest = name.partition("/")
        digest = rest.removesuffix(".der")
        if folder == "certificates" and name == certificate_entry(digest) and _DIGEST.fullmatch(digest):
            found[digest] = der = archive.read(name, _MOST_CERTIFICATE)
            total += len(der)
            if total > _MOST_CERTIFICATES:
                raise SnapshotError(f"{archive.path} is refused: it holds more certificates than any snapshot does.")
    return found


def _trust(archive: Archive, manifest: Manifest, certificates: Mapping[str, bytes]) -> TrustStore:
    roots = tuple(_certificate(archive, certificates, digest) for digest in manifest.trust.roots)
    return TrustStore(roots, manifest.trust.source, manifest.trust.given)


def _certificate(archive: Archive, certificates: Mapping[str, bytes], digest: str) -> bytes:
    if digest not in certificates:
        raise SnapshotError(f"{archive.path} is not whole: {certificate_entry(digest[:80])} is missing.")
    return certificates[digest]


def _exchanges(archive: Archive, name: str, kind: type[T]) -> Iterator[T]:
    """The lines of network.jsonl or account.jsonl; one without such an entry saw nothing."""
    if name not in archive:
        return
    read = 0
    for number, line in enumerate(archive.lines(name), 1):
        read += len(line)
        if read > _MOST_LOOKS:
            raise SnapshotError(f"{archive.path} is refused: its {name} is longer than that of any snapshot.")
        try:
            yield structure(read_json(line), kind)
        except FormatError as error:
            raise _damaged(archive, name, error, number) from error


_Seen = Resolved | Handshake | Offer | HttpAnswer | Services | NotCollected
_Got = AccountProof | SignedAnswer | MapiConversation | RpcEcho | NotCollected


def _network(archive: Archive, certificates: Mapping[str, bytes]) -> dict[NetworkQuestion, _Seen]:
    seen: dict[NetworkQuestion, _Seen] = {}
    for exchange in _exchanges(archive, NETWORK, NetworkExchange):
        told = exchange.answer
        answer: _Seen = _whole(archive, told, certificates) if isinstance(told, SavedHandshake) else told
        if not isinstance(answer, (_ANSWERS[exchange.question.look], NotCollected)):
            raise _damaged(archive, NETWORK, FormatError("an answer that does not belong to its question"))
        seen[exchange.question] = answer
    return seen


def _whole(archive: Archive, told: SavedHandshake, certificates: Mapping[str, bytes]) -> Handshake:
    return Handshake(
        target=told.target,
        address=told.address,
        version=told.version,
        cipher=told.cipher,
        certificates=tuple(_certificate(archive, certificates, digest) for digest in told.certificates),
        attempts=told.attempts,
        seconds=told.seconds,
    )


_ANSWERS: Final[Mapping[NetworkLook, type]] = {
    NetworkLook.RESOLVE: Resolved,
    NetworkLook.HANDSHAKE: Handshake,
    NetworkLook.OFFERS: Offer,
    NetworkLook.GET: HttpAnswer,
    NetworkLook.AUTODISCOVER: HttpAnswer,
    NetworkLook.PLAIN: HttpAnswer,
    NetworkLook.SERVICES: Services,
}
_SIGNED: Final[Mapping[AccountLook, type]] = {
    AccountLook.PROVE: AccountProof,
    AccountLook.SIGN_IN: SignedAnswer,
    AccountLook.MAPI: MapiConversation,
    AccountLook.RPC_ECHO: RpcEcho,
    AccountLook.AUTODISCOVER: SignedAnswer,
}


def _account(archive: Archive) -> dict[AccountQuestion, _Got]:
    got: dict[AccountQuestion, _Got] = {}
    for exchange in _exchanges(archive, ACCOUNT, AccountExchange):
        fits = (_SIGNED[exchange.question.look], NotCollected)
        if not isinstance(exchange.answer, fits[:1] if exchange.question.look is AccountLook.PROVE else fits):
            raise _damaged(archive, ACCOUNT, FormatError("an answer that does not belong to its question"))
        got[exchange.question] = exchange.answer
    return got


# --- the sources ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unheld:
    """What to say of a question that the snapshot does not hold."""

    name: str
    narrowed: tuple[str, ...]
    stopped: NotCollected | None

    def because(self, what: str) -> NotCollected:
        if self.stopped is not None:
            return self.stopped
        if self.narrowed:
            why = f": its run was narrowed ({'; '.join(self.narrowed)})."
        else:
            why = "; gather again with this version."
        return NotCollected(Reason.NOT_GIVEN, f"{self.name} does not hold {what}{why}")


class SnapshotRunner:
    """A `checker.answers.CmdletRunner` that asks a snapshot. `keep` reduces in a worker thread.

    `problem` is the first damage that was found; from then on nothing is read any more.
    """

    def __init__(self, archive: Archive, calls: tuple[Call, ...], unheld: _Unheld) -> None:
        self._archive = archive
        self._unheld = unheld
        self.problem: UserError | None = None
        self._calls: dict[CallKey, Call] = {call_key(call.call): call for call in calls}

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """What came when it was asked for."""
        held = self._calls.get(call_key(call))
        if held is None:
            # In the same words for every server, so that it is told once.
            return self._unheld.because(f"the answers of {call.name}")
        if held.not_collected is not None:
            return held.not_collected
        if self.problem is None:
            try:
                return await asyncio.to_thread(self._read, call, held, keep)
            except UserError as error:
                self._broken(error)
        return NotCollected(Reason.MALFORMED, str(self.problem))

    def _broken(self, error: UserError) -> None:
        self.problem = self.problem or error

    def _read(self, call: CmdletCall, held: Call, keep: Keep | None) -> CmdletAnswer:
        objects: list[PSValue] = []
        errors: list[CmdletError] = []
        warnings: list[str] = []
        for number, line in enumerate(self._archive.lines(held.entry), 1):
            try:
                stream, value = _message(line)
            except (FormatError, ClixmlError) as error:
                raise _damaged(self._archive, held.entry, error, number) from error
            match stream:
                case Stream.OUTPUT:
                    objects.append(value if keep is None else keep(value))
                case Stream.ERROR if isinstance(value, PSObject) and len(errors) + len(warnings) < MOST_RECORDS:
                    errors.append(read_error(value))
                case Stream.WARNING if value is not None and len(errors) + len(warnings) < MOST_RECORDS:
                    warnings.append(read_warning(value))
                case _:
                    pass  # how it ended is in the manifest; what a later version writes is not known here
        return CmdletAnswer(call, held.server or "", tuple(objects), tuple(errors), tuple(warnings), held.seconds)


def _message(line: bytes) -> tuple[Stream | None, PSValue]:
    plain = read_json(line)
    if not isinstance(plain, dict):
        raise FormatError("must be an object")
    for stream in Stream:
        text = plain.get(stream.value)
        if isinstance(text, str):
            return stream, None if stream is Stream.STATE else read_fragment(text)
        if text is not None:
            raise FormatError(f"{stream.value} must be a text")
    return None, None


class SnapshotNetwork:
    """A `checker.answers.Network` that asks a snapshot."""

    def __init__(self, seen: Mapping[NetworkQuestion, _Seen], unheld: _Unheld) -> None:
        self._seen = seen
        self._unheld = unheld

    def _answer(self, question: NetworkQuestion, kind: type[T]) -> T | NotCollected:
        answer = self._seen.get(question)
        if isinstance(answer, (kind, NotCollected)):
            return answer
        return self._unheld.because(str(question))

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.RESOLVE, target), Resolved)

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.HANDSHAKE, target), Handshake)

    async def offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.OFFERS, target, version=version), Offer)

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.GET, target, path=path), HttpAnswer)

    async def autodiscover(self, target: Target) -> HttpAnswer | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.AUTODISCOVER, target), HttpAnswer)

    async def plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.PLAIN, target, path=path), HttpAnswer)

    async def services(self, name: str) -> Services | NotCollected:
        """As it was."""
        return self._answer(NetworkQuestion(NetworkLook.SERVICES, name=name), Services)


class SnapshotAccount:
    """A `checker.account.SignedIn` that asks a snapshot."""

    def __init__(self, got: Mapping[AccountQuestion, _Got], unheld: _Unheld) -> None:
        self._got = got
        self._unheld = unheld

    def _answer(self, question: AccountQuestion, kind: type[T]) -> T | NotCollected:
        answer = self._got.get(question)
        if isinstance(answer, (kind, NotCollected)):
            return answer
        return self._unheld.because(str(question))

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:  # noqa: ARG002 - it was asked once
        """As it was."""
        proof = self._answer(AccountQuestion(AccountLook.PROVE), AccountProof)
        return AccountProof(Proof.UNPROVEN, None, 0, proof) if isinstance(proof, NotCollected) else proof

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        """As it was."""
        return self._answer(AccountQuestion(AccountLook.SIGN_IN, target, at=at, scheme=scheme), SignedAnswer)

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        """As it was."""
        question = AccountQuestion(AccountLook.MAPI, target, endpoint=endpoint, scheme=scheme, mailbox=mailbox)
        return self._answer(question, MapiConversation)

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        """As it was."""
        return self._answer(AccountQuestion(AccountLook.RPC_ECHO, target, scheme=scheme), RpcEcho)

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        """As it was."""
        question = AccountQuestion(AccountLook.AUTODISCOVER, target, path=path, address=address, scheme=scheme)
        return self._answer(question, SignedAnswer)
