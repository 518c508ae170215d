"""Finds the files that were given and reads the objects in each, hostile ones with one sentence."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from checker.answers import PSObject, PSValue
from checker.errors import UserError
from checker.powershell.clixml import ClixmlError, Limits, read_document

__all__ = ["ENDINGS", "ExportFile", "ExportsError", "find_files", "read_objects"]

_LIMITS = Limits()
_MOST_FILES = 10_000
_MOST_OBJECTS = 1_000_000
ENDINGS = frozenset({".xml", ".clixml", ".clix"})


class ExportsError(UserError):
    """Exports that cannot be judged; the sentence names the file and says why."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file. `named` is False for one that was only found in a folder: what else lies there is nobody's fault."""

    path: Path
    named: bool

    def __str__(self) -> str:
        return str(self.path)


def find_files(given: Sequence[Path | ExportFile]) -> tuple[ExportFile, ...]:
    """The files themselves, those in folders, and those that a pattern stands for; each once.

    Raises:
        ExportsError: there is no such file, or a folder holds none.
    """
    found: dict[Path, ExportFile] = {}
    for path in given:
        files = (path,) if isinstance(path, ExportFile) else tuple(_files(path))
        if not files:
            raise ExportsError(f"{path} holds no file ending in {', '.join(sorted(ENDINGS))}; give exports.")
        for file in files:
            found.setdefault(file.path.resolve(), file)
        if len(found) > _MOST_FILES:
            raise ExportsError(f"{path}: there are more than {_MOST_FILES:,} files, more than are read.")
    return tuple(found.values())


def _files(path: Path) -> Iterator[ExportFile]:
    if path.is_dir():
        inside = (file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        yield from (ExportFile(file, named=False) for file in sorted(inside))
    elif path.is_file():
        yield ExportFile(path, named=True)
    elif path.exists():
        raise ExportsError(f"{path} is no file.")
    elif glob.has_magic(str(path)):
        matching = sorted(glob.glob(str(path)))  # noqa: PTH207 - Path.glob takes no pattern from the root
        if not matching:
            raise ExportsError(f"{path}: there is no such file.")
        yield from (ExportFile(Path(file), named=True) for file in matching)
    else:
        raise ExportsError(f"{path}: there is no such file.")


def read_objects(file: ExportFile) -> Iterator[PSValue]:
    """The objects of a file one at a time, a list taken apart.

    Raises:
        ExportsError: while iterating, when it cannot be read, is no CLIXML, or holds more than any export.
    """
    count = 0
    try:
        with file.path.open("rb") as stream:
            size = file.path.stat().st_size
            if not size:
                raise ExportsError(f"{file} is empty.")
            if size > _LIMITS.size:
                raise ExportsError(f"{file} is larger than {_LIMITS.size >> 20} MB, more than is read.")
            for value in read_document(stream, _LIMITS):
                for item in _apart(value):
                    count += 1
                    if count > _MOST_OBJECTS:
                        raise ExportsError(f"{file} holds more than {_MOST_OBJECTS:,} objects, more than are read.")
                    yield item
    except ClixmlError as error:
        raise ExportsError(f"{file} is not what Export-Clixml writes. {error}") from error
    except OSError as error:
        raise ExportsError(f"{file} cannot be read: {error.strerror or error}.") from error


def _apart(value: PSValue) -> Iterable[PSValue]:
    """`Export-Clixml -InputObject $all` writes one object that is a list."""
    if isinstance(value, list):
        return value
    if isinstance(value, PSObject) and isinstance(value.value, list) and not value.properties:
        return value.value
    return (value,)
