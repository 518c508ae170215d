"""Where reports go: standard output or files, whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from checker.errors import MapireadyError
from checker.settings import SettingsError

if TYPE_CHECKING:
    from reports import Explanation, RenderOptions

__all__ = ["OutputError", "OutputPlan", "plan_output", "print_text", "write_atomically", "write_report"]

FILE_STEM = "mapiready-report"


class OutputError(MapireadyError):
    """A report that could not be written; the sentence says where and why."""


class Offered(Protocol):
    """What is to be known of a format to plan its output."""

    @property
    def suffix(self) -> str:
        """The ending of its files."""

    @property
    def binary(self) -> bool:
        """Whether it is bytes that no terminal can show."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """The formats for standard output and those for files."""

    stdout: tuple[str, ...]
    files: tuple[tuple[str, Path], ...]


def plan_output(
    formats: tuple[str, ...],
    output: str | None,
    offered: Mapping[str, Offered] | None = None,
    stem: str = FILE_STEM,
) -> OutputPlan:
    """Decides where each format goes, and makes sure that it can be written, before anything is audited.

    One format goes to standard output, or to the file named. Several go into a folder, apart from the one for the
    terminal, which is shown. Without --format the ending of the file decides; a folder gets what people read most.
    `offered` are the formats that there are (those of reports), `stem` the name of a file in a folder.

    Raises:
        SettingsError: the options do not go together, or the place cannot be written to.
    """
    if offered is None:
        from reports import FORMATS

        offered = FORMATS
    for name in formats:
        if name not in offered:
            raise SettingsError(f"--format must be one of {', '.join(offered)}; {name!r} is not.")
    if output in (None, "-"):
        if len(formats) > 1:
            raise SettingsError(f"Several formats ({', '.join(formats)}) need a folder: --output FOLDER.")
        plan = OutputPlan(formats or ("terminal",), ())
        if offered[plan.stdout[0]].binary and sys.stdout.isatty():
            raise SettingsError(f"--format {formats[0]} is no text that a terminal can show: give --output FILE.")
        return plan
    assert output is not None
    path = Path(output).expanduser()
    is_folder = path.is_dir() or output.endswith(("/", os.sep)) or len(formats) > 1
    if not formats:
        named = _by_ending(path.name, offered)
        if not is_folder and named is None:
            raise SettingsError(f"--output {output}: say which format with --format ({', '.join(offered)}).")
        formats = (named,) if named is not None and not is_folder else _USUAL
    if not is_folder:
        _probe(path.parent, path)
        return OutputPlan((), ((formats[0], path),))
    _probe(path, path)
    files = tuple((name, path / (stem + offered[name].suffix)) for name in formats if name != "terminal")
    return OutputPlan(tuple(name for name in formats if name == "terminal"), files)


_USUAL = ("terminal", "html", "json")
"""What a folder gets without --format."""


def _by_ending(file: str, offered: Mapping[str, Offered]) -> str | None:
    """The format whose ending, the longest, the file has: "x.junit.xml" is JUnit, "x.xml" could be anything."""
    fitting = [name for name, form in offered.items() if file.lower().endswith(form.suffix)]
    return max(fitting, key=lambda name: len(offered[name].suffix), default=None)


def _probe(folder: Path, named: Path) -> None:
    try:
        if folder == named:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise SettingsError(f"--output {named} cannot be written: {error.strerror or error}.") from error


def write_report(
    plan: OutputPlan, render: Callable[[str, RenderOptions], str | bytes], options: RenderOptions
) -> tuple[Path, ...]:
    """Renders and writes each format; gives the files written. `options` are for standard output; a file has no width
    and no colour.

    Raises:
        OutputError: a file could not be written; the others have been, and the report is on standard output at least.
    """
    for name in plan.stdout:
        print_text(render(name, options))
    written = []
    problems = []
    for name, path in plan.files:
        try:
            content = render(name, replace(options, width=100, colour=False, ascii_only=False))
            write_atomically(path, _ended(content))
        except OutputError as error:
            problems.append(str(error))
        except OSError as error:  # a workbook is put together in temporary files
            problems.append(f"{path} could not be written: {error.strerror or error}.")
        else:
            written.append(path)
    if problems:
        if not plan.stdout:
            print_text(render("terminal", options))
        raise OutputError(" ".join(problems) + " The report is shown above instead.")
    return tuple(written)


def _ended(content: str | bytes) -> str | bytes:
    """A text ends with a line break; bytes are as they are."""
    return content if isinstance(content, bytes) or content.endswith("\n") else content + "\n"


def terminal_options(explanations: Mapping[str, Explanation], *, verbose: bool) -> RenderOptions:
    """How wide standard output is, and what it can show."""
    from reports import RenderOptions

    interactive = sys.stdout.isatty()
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return RenderOptions(
        width=shutil.get_terminal_size((100, 24)).columns,
        verbose=verbose,
        colour=interactive and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        ascii_only=interactive and not encoding.startswith("utf"),
        explanations=explanations,
    )


def print_text(content: str | bytes) -> None:
    """Prints a rendered report: bytes as they are; a text as UTF-8 where standard output is a pipe or a UTF-8 terminal,
    so that nothing is lost; replaced characters only on a terminal that cannot show them."""
    content = _ended(content)
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        if isinstance(content, bytes):
            raise OutputError("This standard output takes text alone: give --output FILE.")
        sys.stdout.write(content)
        return
    if isinstance(content, str):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        content = content.encode(encoding or "utf-8", errors="replace")
    sys.stdout.flush()
    try:
        buffer.write(content)
        buffer.flush()
    except BrokenPipeError:
        # Whoever read the report has seen enough; the exit code still tells the verdict.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all: to a temporary file beside it, then by renaming. A text becomes UTF-8.

    Raises:
        OutputError: with the path and the reason.
    """
    data = content if isinstance(content, bytes) else content.encode("utf-8", errors="backslashreplace")
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise OutputError(f"{path} could not be written: {error.strerror or error}.") from error
