"""Reads a zip that anybody may have made: bounded in memory and time, nothing is ever unpacked to the disk.

What is refused, each in one sentence: no zip, cut short, damaged (CRC), encrypted, an entry twice, names that lead out
of the archive, links, more entries or bytes than any snapshot has, entries that are packed beyond reason.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from checker.errors import UserError

__all__ = ["Archive", "ArchiveError", "ArchiveLimits", "is_zip"]

_CHUNK: Final = 1 << 18
_TAIL: Final = 22 + 0xFFFF  # the end of the central directory, and the longest comment behind it
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED: Final = 0x41  # flags of an entry


class ArchiveError(UserError):
    """A zip that is not read; the sentence names the file and says why."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What is read. `ratio` counts for entries above `ratio_from` bytes: deflate makes at most 1,032 of one."""

    entries: int = 200_000
    directory: int = 32 << 20  # bytes of the list of entries
    entry: int = 8 << 30  # bytes of an entry, unpacked
    total: int = 16 << 30
    ratio: int = 400
    ratio_from: int = 16 << 20
    line: int = 256 << 20


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip does.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", _END)


class Archive:
    """An open zip; close it, or leave its `with`.

    Raises:
        ArchiveError: it is refused.
    """

    def __init__(self, path: Path, limits: ArchiveLimits = ArchiveLimits()) -> None:
        self.path = path
        self._limits = limits
        try:
            with path.open("rb") as file:
                self._refuse_large_directory(file)
            self._zip = zipfile.ZipFile(path)
        except (OSError, *_BROKEN) as error:
            raise self._error(error) from error
        try:
            self._entries = self._checked(self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The file is closed; nothing more can be read."""
        self._zip.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The entries that are files, in the order of the archive."""
        return tuple(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def read(self, name: str, most: int) -> bytes:
        """An entry as a whole.

        Raises:
            ArchiveError: there is none of that name, it is longer than `most`, or damaged.
        """
        data = bytearray()
        for chunk in self.chunks(name):
            data += chunk
            if len(data) > most:
                raise ArchiveError(f"{self.path} is refused: {name} is longer than {most} bytes.")
        return bytes(data)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of an entry, without their ends.

        Raises:
            ArchiveError: while iterating, as `read`; a line is longer than any that is read.
        """
        rest = bytearray()
        for chunk in self.chunks(name):
            first, *others = chunk.split(b"\n")
            rest += first
            if len(rest) > self._limits.line:
                raise ArchiveError(f"{self.path} is refused: a line of {name} is longer than any of a snapshot.")
            if others:
                yield bytes(rest)
                yield from others[:-1]
                rest = bytearray(others[-1])
        if rest:
            yield bytes(rest)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry, a few at a time.

        Raises:
            ArchiveError: while iterating, as `read`.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise ArchiveError(f"{self.path} is not whole: {name} is missing.")
        try:
            with self._zip.open(entry) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (OSError, *_BROKEN) as error:
            raise self._error(error, name) from error

    def _refuse_large_directory(self, file: IO[bytes]) -> None:
        """The library would read the whole list of entries before anybody could say that it is too long."""
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            return  # the library says that it is none
        entries, directory = struct.unpack_from("<HI", tail, at + 10)
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR64:
            (where,) = struct.unpack_from("<Q", tail, at - 12)
            file.seek(min(where, size))
            record = file.read(56)
            if len(record) == 56 and record[:4] == _END64:
                entries, directory = struct.unpack_from("<QQ", record, 32)
        if entries > self._limits.entries or directory > self._limits.directory:
            raise ArchiveError(f"{self.path} is refused: it holds more entries than any snapshot does.")

    def _checked(self, entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        limits = self._limits
        if len(entries) > limits.entries:
            raise ArchiveError(f"{self.path} is refused: it holds more entries than any snapshot does.")
        known: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        total = 0
        for entry in entries:
            why = _refusal(entry, limits)
            name = entry.filename
            total += entry.file_size
            if not why and name.casefold() in folded:
                why = "stands in it twice"
            if not why and total > limits.total:
                why = f"and what stands before it are more than {limits.total >> 30} GiB, unpacked"
            if why:
                raise ArchiveError(f"{self.path} is refused: the entry {name[:200]!r} {why}.")
            folded.add(name.casefold())
            if not entry.is_dir():
                known[name] = entry
        return known

    def _error(self, error: Exception, name: str | None = None) -> ArchiveError:
        if isinstance(error, ArchiveError):
            return error
        if isinstance(error, OSError) and error.strerror:
            return ArchiveError(f"{self.path} cannot be read: {error.strerror}.")
        what = f"its entry {name}" if name else "it"
        return ArchiveError(
            f"{self.path} cannot be read: {what} is damaged or cut short, or it is no zip at all; copy it again."
        )


_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""What the library raises for a damaged zip."""


def _refusal(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> str:
    """Why an entry is not read, in words that follow its name; "" when it is."""
    # As it stands in the file: the library makes a slash of the separator of this platform.
    names = (entry.filename, entry.orig_filename)
    if any(_leads_out(name) for name in names):
        return "has a name that leads out of the archive"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted; unpack it with its password, and give what was in it"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that mapiready does not read (only deflate)"
    if entry.file_size > limits.entry:
        return f"is longer than {limits.entry >> 30} GiB, unpacked"
    if entry.file_size > limits.ratio_from and entry.file_size > limits.ratio * max(1, entry.compress_size):
        return "is packed beyond reason (a zip bomb?)"
    return ""


def _leads_out(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return (
        name.startswith(("/", "\\"))
        or _DRIVE.match(name) is not None
        or ".." in parts
        or any(ord(character) < 32 for character in name)
    )
