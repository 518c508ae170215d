"""Reads what the collector script wrote (`checker.collector`): a zip, or the folder, as sources of a run.

    index.xml       what was asked: each call with its file, the server that answered, its errors and warnings
    call-00001.xml  the objects of one call, as Export-Clixml writes them
    host-memory.xml one item of what only the host knows

The same questions get the same answers as live. The files may be anybody's: only names that the script gives are
opened, nothing is unpacked, and what is damaged costs itself.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from checker.account import TestAccount
from checker.answers import CmdletAnswer, CmdletCall, CmdletError, Keep, NotCollected, PSKey, PSValue, Reason
from checker.collector import FORMAT, SCHEMA_VERSION
from checker.errors import UserError
from checker.exports.hosts import web_bindings
from checker.exports.values import inside, items, member, said
from checker.facts.run import GivenNames, MailboxMode, MailboxScope, ServerSelection, Vantage, VantagePoint
from checker.host import HostData, HostExport, HostItem
from checker.powershell.clixml import ClixmlError, Limits, read_document
from checker.powershell.failures import one_line
from checker.powershell.records import MOST_RECORDS, terminated
from checker.saved import SavedView
from checker.snapshot.archive import Archive, ArchiveError, is_zip

__all__ = ["CollectedError", "CollectedRunner", "is_collected", "open_collected"]

_INDEX: Final = "index.xml"
_NAME: Final = re.compile(r"call-[0-9]{5,9}\.xml|host-[a-z-]{1,40}\.xml")
_INDEX_LIMITS: Final = Limits(size=512 << 20, object_size=512 << 20, objects=10_000_000)
_HOST_LIMITS: Final = Limits(size=64 << 20, object_size=64 << 20)
_START: Final = 4096
_MOST_CALLS: Final = 1_000_000
_MOST_MESSAGE: Final = 2000
_MOST_TOLD: Final = 20


class CollectedError(UserError):
    """An export of the collector that cannot be read; the sentence names it and says why."""


class _Held(Protocol):
    """Where the files are."""

    @property
    def path(self) -> Path: ...

    def holds(self, name: str) -> bool: ...

    def open(self, name: str) -> BinaryIO: ...


def is_collected(path: Path) -> bool:
    """Whether a zip or a folder is what the collector wrote. One that cannot be read is not."""
    try:
        with ExitStack() as stack:
            held = _held(path, stack)
            if held is None:
                return False
            with held.open(_INDEX) as index:
                start = index.read(_START)
    except (OSError, ArchiveError):
        return False
    return FORMAT.encode() in start or FORMAT.encode("utf-16-le") in start


@contextmanager
def open_collected(path: Path) -> Iterator[SavedView]:
    """What was collected, as a view. Its sources read the file, which must stay there while they are asked.

    Raises:
        ArchiveError, CollectedError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            held = _held(path, stack)
        except OSError as error:
            raise CollectedError(f"{path} cannot be read: {error.strerror or error}.") from error
        if held is None:
            raise CollectedError(f"{path} is not what the collector wrote: it holds no {_INDEX}.")
        yield _view(held, _read_index(held))


# --- where the files are ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def holds(self, name: str) -> bool:
        return (self.path / name).is_file()

    def open(self, name: str) -> BinaryIO:
        return (self.path / name).open("rb")


@dataclass(frozen=True, slots=True)
class _Zip:
    """A zip of the files, or of the folder with the files."""

    path: Path
    archive: Archive
    prefix: str

    def holds(self, name: str) -> bool:
        return self.prefix + name in self.archive

    def open(self, name: str) -> BinaryIO:
        return io.BufferedReader(_Entry(lambda: self.archive.chunks(self.prefix + name)))


class _Entry(io.RawIOBase):
    """An entry of a zip that can be read again from its start, and so twice without being held."""

    def __init__(self, chunks: Callable[[], Iterator[bytes]]) -> None:
        super().__init__()
        self._chunks = chunks
        self._coming = chunks()
        self._rest = b""
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._at):
            raise io.UnsupportedOperation("only the start can be gone back to")
        if offset != self._at:
            self._coming, self._rest, self._at = self._chunks(), b"", 0
        return self._at

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type] # typeshed's Buffer is not in Python 3.11
        if not self._rest:
            self._rest = next(self._coming, b"")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._at += count
        return count


def _held(path: Path, stack: ExitStack) -> _Held | None:
    """The files; None when there is no index among them."""
    if path.is_dir():
        return _Folder(path) if (path / _INDEX).is_file() else None
    if not is_zip(path):
        return None
    archive = stack.enter_context(Archive(path))
    for name in archive.names:
        prefix, slash, last = name.rpartition("/")
        if last == _INDEX and "/" not in prefix:
            return _Zip(path, archive, prefix + slash)
    return None


# --- the index --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the index. `failed`: it ended with the last of its errors."""

    call: CmdletCall
    server: str
    file: str
    seconds: float
    objects: int
    failed: bool
    errors: tuple[CmdletError, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """A look at the host."""

    item: HostItem
    file: str
    failed: bool
    errors: tuple[CmdletError, ...]


@dataclass(frozen=True, slots=True)
class _Index:
    """The index, read."""

    computer: str
    user: str
    begun: datetime | None
    complete: bool
    host_only: bool
    mailboxes: MailboxMode
    calls: tuple[_Call, ...]
    items: tuple[_Item, ...]


_Key = tuple[str, frozenset[tuple[str, str]]]


def _read_index(held: _Held) -> _Index:
    path = held.path
    try:
        with held.open(_INDEX) as stream:
            objects = list(read_document(stream, _INDEX_LIMITS))
    except ClixmlError as error:
        raise CollectedError(f"{path} is not read: its {_INDEX} is not what Export-Clixml writes. {error}") from error
    except OSError as error:
        raise CollectedError(f"{path} cannot be read: {error.strerror or error}.") from error
    index = objects[0] if len(objects) == 1 else None
    if said(member(index, "Format")) != FORMAT:
        raise CollectedError(f"{path} is not what the collector wrote: its {_INDEX} is something else's.")
    version = member(index, "SchemaVersion")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise CollectedError(
            f"{path} was made by the collector of a newer mapiready (its schema version is {version}, this one reads"
            f" {SCHEMA_VERSION}); update mapiready."
        )
    if version != SCHEMA_VERSION:
        raise CollectedError(f"{path} is not what the collector wrote: its schema version is no number that is known.")
    begun, mode = member(index, "Begun"), said(member(index, "Mailboxes")) or ""
    modes = {mode.value: mode for mode in MailboxMode}
    calls = items(member(index, "Calls"))
    if len(calls) > _MOST_CALLS:
        raise CollectedError(f"{path} is refused: its {_INDEX} names more calls than any organisation needs.")
    return _Index(
        computer=_short_text(member(index, "Computer")) or "a server without a name",
        user=_short_text(member(index, "User")) or "the user",
        begun=begun if isinstance(begun, datetime) and begun.tzinfo is not None else None,
        complete=member(index, "Complete") is True,
        host_only=member(index, "HostOnly") is True,
        mailboxes=modes.get(mode.casefold(), MailboxMode.AUTO),
        calls=tuple(_call(path, call) for call in calls),
        items=tuple(item for entry in items(member(index, "Items")) if (item := _item(path, entry)) is not None),
    )


def _call(path: Path, value: PSValue) -> _Call:
    name = said(member(value, "Cmdlet"))
    if name is None:
        raise CollectedError(f"{path} is not read: its {_INDEX} names a call without its cmdlet.")
    parameters = inside(member(value, "Parameters"))
    seconds, objects = member(value, "Seconds"), member(value, "Objects")
    warnings = (said(warning) for warning in items(member(value, "Warnings"))[:MOST_RECORDS])
    return _Call(
        call=CmdletCall(name[:200], tuple((key, _argument(part)) for key, part in parameters.items())),
        server=_short_text(member(value, "Server")) or "the server",
        file=_file_name(path, value),
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        objects=objects if isinstance(objects, int) else 0,
        failed=member(value, "Failed") is not False,
        errors=_errors(value),
        warnings=tuple(warning[:_MOST_MESSAGE] for warning in warnings if warning),
    )


def _item(path: Path, value: PSValue) -> _Item | None:
    """A look at the host; None for one that this version does not know."""
    known = {item.value: item for item in HostItem}
    item = known.get(said(member(value, "Item")) or "")
    if item is None:
        return None
    return _Item(item, _file_name(path, value), member(value, "Failed") is not False, _errors(value))


def _file_name(path: Path, value: PSValue) -> str:
    name = said(member(value, "File")) or ""
    if not _NAME.fullmatch(name):
        raise CollectedError(f"{path} is refused: its {_INDEX} names a file that the collector never writes.")
    return name


def _errors(value: PSValue) -> tuple[CmdletError, ...]:
    return tuple(_error(error) for error in items(member(value, "Errors"))[:MOST_RECORDS])


def _error(value: PSValue) -> CmdletError:
    types = (said(name) for name in items(member(value, "Types"))[:20])
    return CmdletError(
        error_id=(said(member(value, "Id")) or "")[:_MOST_MESSAGE],
        category=(said(member(value, "Category")) or "NotSpecified")[:100],
        message=(said(member(value, "Message")) or "")[:_MOST_MESSAGE],
        target=(said(member(value, "Target")) or "")[:_MOST_MESSAGE] or None,
        exception_types=tuple(name.removeprefix("Deserialized.") for name in types if name),
    )


def _argument(value: PSValue) -> str | int | bool:
    return value if isinstance(value, str | int) else said(value) or ""


def _short_text(value: PSValue) -> str:
    return one_line(said(value) or "", 200)


def _key(call: CmdletCall) -> _Key:
    """Calls are the same whatever the order and the case of their parameters."""
    return call.name.casefold(), frozenset((name.casefold(), str(value).casefold()) for name, value in call.parameters)


# --- the cmdlets ------------------------------------------------------------------------------------------------------


class CollectedRunner:
    """A `checker.answers.CmdletRunner` that was asked before, by the script."""

    def __init__(self, held: _Held, index: _Index) -> None:
        self._held = held
        self._index = index
        self._calls: dict[_Key, _Call] = {}
        for call in index.calls:
            self._calls.setdefault(_key(call.call), call)
        # A zip has one place to read from.
        self._reading = asyncio.Lock()

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """What the script got, or why it got nothing. The file is read in a thread.

        Raises:
            Exception: what `keep` raised.
        """
        entry = self._calls.get(_key(call))
        if entry is None:
            return self._not_asked(call)
        if entry.failed:
            return terminated(call, entry.server, self._index.user, entry.errors[-1] if entry.errors else None)
        async with self._reading:
            objects = await asyncio.to_thread(_objects, self._held, entry, keep)
        if isinstance(objects, NotCollected):
            return objects
        return CmdletAnswer(call, entry.server, objects, entry.errors, entry.warnings, entry.seconds)

    def _not_asked(self, call: CmdletCall) -> NotCollected:
        file = self._held.path.name
        if not self._index.complete:
            return NotCollected(
                Reason.INTERRUPTED, f"The collector was interrupted before it ran {call}; run it again ({file})."
            )
        return NotCollected(
            Reason.NOT_GIVEN,
            f"{file} does not hold {call}: it was collected by another version, or from other servers; run the script"
            " that mapiready collector gives now.",
        )


def _objects(held: _Held, entry: _Call, keep: Keep | None) -> tuple[PSValue, ...] | NotCollected:
    if not held.holds(entry.file) and entry.objects == 0:
        return ()
    found: list[PSValue] = []
    try:
        with held.open(entry.file) as stream:
            found.extend(keep(value) if keep else value for value in read_document(stream))
    except (ClixmlError, ArchiveError, OSError) as error:
        return _damaged(held, entry, one_line(str(error)).rstrip("."))
    if len(found) != entry.objects:
        return _damaged(held, entry, f"it holds {len(found)} objects, and {entry.objects} were written")
    return tuple(found)


def _damaged(held: _Held, entry: _Call, why: str) -> NotCollected:
    return NotCollected(
        Reason.MALFORMED,
        f"{entry.file} in {held.path.name}, with what {entry.call} gave, cannot be read ({why}); copy the file again,"
        " or collect again.",
    )


# --- the host ---------------------------------------------------------------------------------------------------------


def _host(held: _Held, index: _Index) -> HostExport:
    found: dict[HostItem, PSValue | NotCollected] = {}
    for item in index.items:
        found[item.item] = _host_item(held, index, item)
    return HostExport(index.computer, held.path.name, found)


def _host_item(held: _Held, index: _Index, item: _Item) -> PSValue | NotCollected:
    what = _HOST_WORDS[item.item]
    if item.failed:
        why = one_line(item.errors[-1].message) if item.errors else "it did not say why"
        return NotCollected(
            Reason.CMDLET_ERROR,
            f"The collector could not read {what} of {index.computer} ({why.rstrip('. ')}); run it there as an"
            " administrator.",
        )
    values: list[PSValue] = []
    try:
        if held.holds(item.file):
            with held.open(item.file) as stream:
                values = [value for value in read_document(stream, _HOST_LIMITS) if value is not None]
    except (ClixmlError, ArchiveError, OSError) as error:
        return NotCollected(
            Reason.MALFORMED,
            f"{item.file} in {held.path.name}, with {what} of {index.computer}, cannot be read"
            f" ({one_line(str(error)).rstrip('.')}); copy the file again, or collect again.",
        )
    shaped = _SHAPES[item.item](values)
    if shaped is None:
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"The collector found nothing of {what} on {index.computer}; run it there as an administrator.",
        )
    return shaped


def _only_number(values: list[PSValue]) -> PSValue:
    number = values[0] if len(values) == 1 else None
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def _pools(values: list[PSValue]) -> PSValue:
    return [
        {name: said(member(value, name)) for name in ("Name", "State", "CLRConfigFile")} for value in values
    ] or None


def _configurations(values: list[PSValue]) -> PSValue:
    found: dict[PSKey, PSValue] = {}
    for value in values:
        name, xml = said(member(value, "Name")), member(value, "Xml")
        if name is not None and isinstance(xml, str):
            found[name] = xml
    return {**found}


def _bindings(values: list[PSValue]) -> PSValue:
    found = web_bindings(values).get(HostItem.WEB_BINDINGS)
    return found if isinstance(found, list) else None


def _tls(values: list[PSValue]) -> PSValue:
    found: dict[PSKey, PSValue] = {}
    for value in values:
        match = re.search(r"\\SCHANNEL\\Protocols\\(TLS 1\.[0-9])\\Server$", said(member(value, "Key")) or "")
        if match:
            found[match[1]] = {
                "ServerEnabled": _yes_no(member(value, "Enabled")),
                "ServerDisabledByDefault": _yes_no(member(value, "DisabledByDefault")),
            }
    return {**found}


def _yes_no(value: PSValue) -> bool | None:
    """A DWORD of the registry: any but 0 is yes (it may be stored as -1)."""
    return bool(value) if isinstance(value, int) else None


def _tokens(values: list[PSValue]) -> PSValue:
    found: dict[PSKey, PSValue] = {}
    for value in values:
        path, checking = said(member(value, "Path")), said(member(value, "TokenChecking"))
        if path and checking:
            found[path] = checking
    return {**found} or None


_SHAPES: Final[Mapping[HostItem, Callable[[list[PSValue]], PSValue]]] = {
    HostItem.DOTNET_RELEASE: _only_number,
    HostItem.MEMORY: _only_number,
    HostItem.APP_POOLS: _pools,
    HostItem.CLR_CONFIGURATIONS: _configurations,
    HostItem.WEB_BINDINGS: _bindings,
    HostItem.TLS_SETTINGS: _tls,
    HostItem.EXTENDED_PROTECTION: _tokens,
}
_HOST_WORDS: Final[Mapping[HostItem, str]] = {
    HostItem.DOTNET_RELEASE: "the release of .NET",
    HostItem.MEMORY: "the memory",
    HostItem.APP_POOLS: "the app pools",
    HostItem.CLR_CONFIGURATIONS: "the CLR configurations",
    HostItem.WEB_BINDINGS: "the bindings of IIS",
    HostItem.TLS_SETTINGS: "the TLS settings",
    HostItem.EXTENDED_PROTECTION: "Extended Protection in IIS",
}


# --- the view ---------------------------------------------------------------------------------------------------------


def _view(held: _Held, index: _Index) -> SavedView:
    host = _host(held, index)
    runner = None if index.host_only else CollectedRunner(held, index)
    return SavedView(
        files=(str(held.path),),
        gathered=index.begun,
        vantage=Vantage(VantagePoint.INSIDE, None),
        runner=runner,
        network=None,
        account=None,
        test_account=TestAccount(given=False, mailbox=None, schemes=()),
        hosts=HostData(given=True, exports=(host,), missing=()),
        given_names=GivenNames(()),
        mailboxes=MailboxScope(index.mailboxes),
        servers=ServerSelection(None),
        found=(_found(held, index, host),),
        missing=tuple(_missing(held, index, host)),
        incomplete=_incomplete(held, index),
        whole=not index.host_only,
    )


def _found(held: _Held, index: _Index, host: HostExport) -> str:
    when = f", collected {index.begun:%Y-%m-%d %H:%M} UTC" if index.begun else ""
    had = sum(not isinstance(item, NotCollected) for item in host.items.values())
    parts = [] if index.host_only else [f"{sum(not call.failed for call in index.calls)} answers of cmdlets"]
    parts.append(f"{had} of {len(HostItem)} looks at the host {index.computer}")
    return f"{held.path.name}: {' and '.join(parts)}{when}."


def _missing(held: _Held, index: _Index, host: HostExport) -> Iterator[str]:
    """What the collector says that it could not get."""
    if not index.complete:
        yield f"{held.path.name}: the collector was interrupted; what came after that is not in it."
    # What a version or a role does not have is no failure; a check that needs it says so.
    failures = [call for call in index.calls if call.failed and not _is_unknown(call)]
    first = {call.call.name: call for call in reversed(failures)}
    for name, count in list(Counter(call.call.name for call in failures).items())[:_MOST_TOLD]:
        error = first[name].errors[-1] if first[name].errors else None
        why = one_line(error.message, 200).rstrip(". ") if error else "it did not say why"
        times = f" {count} times" if count > 1 else ""
        yield f"{held.path.name}: {name} failed{times} ({why})."
    yield from (item.sentence for item in host.items.values() if isinstance(item, NotCollected))


def _is_unknown(call: _Call) -> bool:
    return bool(call.errors) and call.errors[-1].error_id.partition(",")[0] == "CommandNotFoundException"


def _incomplete(held: _Held, index: _Index) -> tuple[str, ...]:
    """A host alone is an addition: without the organisation no server is judged, and with it nothing is lacking."""
    return () if index.complete else (f"a collection that was interrupted ({held.path.name})",)
