"""Files that mean harm, judged in a process of their own: one sentence, soon, in little memory."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checker.collector import FORMAT
from tests import without_rights
from tests.snapshot.making import snapshot
from tests.test_architecture import ROOT

START = b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
END = b"</Objs>"
MEGABYTE = b" " * (1 << 20)
MEMORY = 500 << 20
"""Bytes of address space: Python, the checks, and what is allowed of one object."""
SECONDS = 110

JUDGE = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
except (ImportError, OSError, ValueError):
    pass
from checker.errors import UserError
from checker.judging import judge_files
from checker.settings import Settings
try:
    report = judge_files(sys.argv[2:], Settings(server=()))
except UserError as error:
    raise SystemExit(str(error))
print(report.organisation, len(report.findings))
"""


def judge(*files: Path) -> tuple[int, str]:
    """The exit code and what stands on standard error; it comes in bounded time and memory."""
    done = subprocess.run(
        [*without_rights.python(), "-c", JUDGE, str(MEMORY), *map(str, files)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stderr


def refused(*files: Path) -> str:
    """The one sentence of a refusal, which names the file."""
    code, said = judge(*files)
    assert code == 1, said
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert files[0].name in said
    assert said.strip().endswith(".")
    assert len(said) < 600
    return said


# --- exports ----------------------------------------------------------------------------------------------------------


def blanks() -> Iterator[bytes]:
    yield START
    for _ in range(600):
        yield MEGABYTE
    yield END


def long_text() -> Iterator[bytes]:
    yield START + b"<S>"
    for _ in range(100):
        yield MEGABYTE.replace(b" ", b"a")
    yield b"</S>" + END


def attributes() -> Iterator[bytes]:
    yield START + b"<Obj "
    for number in range(100):
        yield b"".join(b'a%d_%d="x" ' % (number, each) for each in range(10_000))
    yield b"/>" + END


def objects(number: int, made: bytes = b'<Obj RefId="0"><MS><S N="Name">x</S></MS></Obj>') -> Iterator[bytes]:
    yield START
    for _ in range(number // 5_000):
        yield made * 5_000
    yield END


def of_a_kind_each() -> Iterator[bytes]:
    yield START
    for number in range(200):
        kinds = (b'<Obj RefId="0"><TN RefId="0"><T>A%d.B%d</T></TN></Obj>' % (number, each) for each in range(1_000))
        yield b"".join(kinds)
    yield END


def entities() -> Iterator[bytes]:
    yield b'<!DOCTYPE Objs [<!ENTITY a "aaaaaaaaaa">'
    for number in range(20):
        yield b'<!ENTITY %c "%b">' % (98 + number, b"&%c;" % (97 + number) * 10)
    yield b"]>" + START + b"<S>&u;</S>" + END


EXPORTS: dict[str, Callable[[], Iterator[bytes]]] = {
    "more blanks than memory": blanks,
    "a text of a hundred megabytes": long_text,
    "a million attributes": attributes,
    "a million objects": lambda: objects(1_005_000, b"<Nil/>"),
    "objects that nobody knows": lambda: objects(300_000),
    "kinds without end": of_a_kind_each,
    "entities of entities": entities,
    "a DTD": lambda: iter([b'<!DOCTYPE a SYSTEM "file:///dev/zero">' + START + END]),
    "ten thousand levels": lambda: iter([START, b"<Obj><LST>" * 10_000, b"</LST></Obj>" * 10_000, END]),
    "a type that is nowhere": lambda: iter([START + b'<Obj RefId="0"><TNRef RefId="7"/></Obj>' + END]),
    "an object that is nowhere": lambda: iter([START + b'<Ref RefId="7"/>' + END]),
    "a cycle of nothing": lambda: iter([START + b'<Obj RefId="0"><LST><Ref RefId="0"/></LST></Obj>' + END]),
    "cut": lambda: iter([START + b"<Obj><MS>"]),
    "zeros": lambda: iter([bytes(1 << 20)]),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports(name: str, tmp_path: Path) -> None:
    file = tmp_path / "given.xml"
    with file.open("wb") as stream:
        for chunk in EXPORTS[name]():
            stream.write(chunk)
    refused(file)


def test_a_sparse_file_of_a_terabyte(tmp_path: Path) -> None:
    file = tmp_path / "given.xml"
    with file.open("wb") as stream:
        stream.write(START)
        try:
            stream.truncate(1 << 40)
        except OSError:
            pytest.skip("this file system has no such files")
    assert "larger than" in refused(file)


@pytest.mark.parametrize("text", ["_xD800_", "_xDFFF__xD800_", "_xD83D__xDE00_", "&#x10FFFF;"])
def test_halves_of_characters_are_only_text(text: str, tmp_path: Path) -> None:
    file = tmp_path / "given.xml"
    organisation = (
        '<Obj RefId="0"><TN RefId="0"><T>Deserialized.Microsoft.Exchange.Data.Directory.Management.OrganizationConfig'
        f'</T></TN><MS><S N="Name">{text}</S><B N="MapiHttpEnabled">true</B></MS></Obj>'
    )
    file.write_bytes(START + organisation.encode() + END)
    code, said = judge(file)
    assert (code, said) == (0, "")


# --- zips -------------------------------------------------------------------------------------------------------------


def bomb(name: str) -> Callable[[Path], None]:
    """An entry of blanks without end."""

    def make(file: Path) -> None:
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open(name, "w", force_zip64=True) as entry,
        ):
            for _ in range(300):
                entry.write(MEGABYTE)

    return make


def holding(**entries: bytes) -> Callable[[Path], None]:
    def make(file: Path) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in entries.items():
                archive.writestr(name.replace("__", "/").replace("_", "."), data)

    return make


def zip_in_zip(file: Path) -> None:
    inner = io.BytesIO()
    snapshot(file.parent, "inner.zip").read_bytes()
    inner.write((file.parent / "inner.zip").read_bytes())
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("org.mapiready.zip", inner.getvalue())


def leading_out(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        archive.writestr("../../evil.xml", b"x")


def newer(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", b'{"format": "mapiready-snapshot", "schema_version": 99}')


def newer_collector(file: Path) -> None:
    index = f'<Obj RefId="0"><MS><S N="Format">{FORMAT}</S><I32 N="SchemaVersion">99</I32></MS></Obj>'.encode()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.xml", START + index + END)


def many_entries(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(210_000):
            archive.writestr(f"{number}", b"")


def truncated(file: Path) -> None:
    whole = snapshot(file.parent, "whole.zip").read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])


def page(file: Path) -> None:
    file.write_text("<html>not found</html>")


ZIPS: dict[str, Callable[[Path], None]] = {
    "a bomb as manifest": bomb("manifest.json"),
    "a bomb as index": bomb("index.xml"),
    "a bomb beside": bomb("powershell/000001.jsonl"),
    "a zip in a zip": zip_in_zip,
    "a name that leads out": leading_out,
    "a newer version": newer,
    "a newer collector": newer_collector,
    "too many entries": many_entries,
    "cut": truncated,
    "deep JSON": holding(manifest_json=b"[" * 1_000_000),
    "deep XML": holding(index_xml=START + FORMAT.encode() + b"<Obj><LST>" * 10_000),
    "nothing": holding(),
    "no zip": page,
}


@pytest.mark.parametrize("name", ZIPS)
def test_zips(name: str, tmp_path: Path) -> None:
    file = tmp_path / "given.zip"
    ZIPS[name](file)
    refused(file)
    assert not [*tmp_path.parent.parent.glob("evil.xml"), *tmp_path.parent.glob("evil.xml")]


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.zip").mkdir()
    assert "holds no" in refused(tmp_path / "x.zip")
    refused(tmp_path / "nothing.zip")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.xml")
        assert "is no file" in refused(tmp_path / "pipe.xml")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    for name in ("a.xml", "a.zip"):
        (tmp_path / name).write_bytes(b"x")
        (tmp_path / name).chmod(0)
        assert "cannot be read" in refused(tmp_path / name)
    (tmp_path / "closed").mkdir(mode=0)
    assert "cannot be read" in refused(tmp_path / "closed")
