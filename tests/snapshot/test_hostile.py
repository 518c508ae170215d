"""Zips that anybody may have made: each is refused in one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import UserError
from checker.judging import judge_files
from checker.settings import Settings
from checker.snapshot.archive import Archive, ArchiveError, ArchiveLimits
from checker.snapshot.format import MANIFEST, write_json
from tests.snapshot.making import ORGANIZATION, snapshot


def refusal(file: Path) -> str:
    """The one sentence with which judging ends."""
    with pytest.raises(UserError) as caught:
        judge_files([str(file)], Settings(server=()))
    sentence = str(caught.value)
    assert file.name in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 600
    return sentence


def parts(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(file: Path, entries: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file


def with_manifest(file: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    entries = parts(file)
    manifest = json.loads(entries[MANIFEST])
    change(manifest)
    return rewrite(file, {**entries, MANIFEST: json.dumps(manifest).encode()})


def test_the_example_itself_is_read(tmp_path: Path) -> None:
    report = judge_files([str(snapshot(tmp_path))], Settings(server=()))
    assert report.organisation == "Contoso"
    assert report.findings


# --- the zip ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_zip(share: float, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    assert "is damaged or cut short" in refusal(file) or "is not a zip" in refusal(file)


def test_a_bad_checksum_is_found_while_it_is_judged(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with zipfile.ZipFile(file) as archive:
        entry = archive.getinfo("powershell/000001.jsonl")
    data = bytearray(file.read_bytes())
    # The first byte behind the local header, its name and its extra field (APPNOTE 4.3.7).
    name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
    data[entry.header_offset + 30 + name + extra + 20] ^= 0xFF
    file.write_bytes(data)
    assert "powershell/000001.jsonl is damaged" in refusal(file)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "C:\\windows\\x", "C:x", "..\\evil", "a\x01b"])
def test_names_that_lead_out(name: str, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    entries = parts(file)
    rewrite(file, {**entries, name: b"x"})
    assert "a name that leads out of the archive" in refusal(file)
    assert not (tmp_path.parent / "evil").exists()


def test_a_link(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo("powershell/link")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link or a device" in refusal(file)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("name", [MANIFEST, "MANIFEST.json"])
def test_an_entry_twice(name: str, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"{}")
    assert "stands in it twice" in refusal(file)


def test_an_encrypted_entry(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    data = bytearray(file.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    file.write_bytes(data)
    assert "is encrypted" in refusal(file)


def test_another_compression(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("more.json", b"{}")
    assert "packed in a way" in refusal(file)


def test_a_bomb(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with (
        zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("powershell/bomb.jsonl", "w") as bomb,
    ):
        for _ in range(40):
            bomb.write(b" " * (1 << 20))
    assert "packed beyond reason" in refusal(file)


def test_an_entry_that_says_it_is_smaller_than_it_is(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("certificates/" + "0" * 64 + ".der", b" " * (200 << 20))
    data = bytearray(file.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1000)
    file.write_bytes(data)
    tracemalloc.start()
    try:
        sentence = refusal(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "is damaged" in sentence
    assert peak < 50e6


@pytest.mark.parametrize(("entries", "directory"), [(0xFFFE, 0x7FFFFFFF), (0xFFFF, 0xFFFFFFFE)])
def test_a_list_of_entries_without_end_is_not_read(entries: int, directory: int, tmp_path: Path) -> None:
    file = tmp_path / "long.mapiready.zip"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, entries, entries, directory, 0, 0)
    file.write_bytes(b"PK\x03\x04" + b"\0" * 1000 + end)
    assert "more entries than any snapshot" in refusal(file) or "cut short" in refusal(file)


def test_too_many_entries_and_too_many_bytes(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    with pytest.raises(ArchiveError, match="more entries than any snapshot"):
        Archive(file, ArchiveLimits(entries=2))
    with pytest.raises(ArchiveError, match="unpacked"):
        Archive(file, ArchiveLimits(total=10))
    with pytest.raises(ArchiveError, match="unpacked"):
        Archive(file, ArchiveLimits(entry=10))
    with Archive(file, ArchiveLimits(line=20)) as archive, pytest.raises(ArchiveError, match="a line of"):
        list(archive.lines(MANIFEST))


def test_not_a_zip(tmp_path: Path) -> None:
    file = tmp_path / "org.mapiready.zip"
    file.write_bytes(b"<html>not found</html>")
    assert "is not a zip, whatever its name says" in refusal(file)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    file = rewrite(tmp_path / "holiday.zip", {"photo.jpg": b"\xff\xd8"})
    assert "neither a snapshot of mapiready nor what its collector wrote" in refusal(file)


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_a_newer_version(tmp_path: Path) -> None:
    file = with_manifest(snapshot(tmp_path), lambda manifest: manifest.update(schema_version=2, new={"a": 1}))
    assert "was made by a newer mapiready (its schema_version is 2, this one reads 1); update mapiready" in refusal(
        file
    )


def test_keys_and_entries_that_are_not_known_are_passed_over(tmp_path: Path) -> None:
    file = with_manifest(snapshot(tmp_path), lambda manifest: manifest.update(weather="fair"))
    rewrite(file, {**parts(file), "more/of/it.json": b"{}"})
    assert judge_files([str(file)], Settings(server=())).organisation == "Contoso"


@pytest.mark.parametrize("version", [None, "1", 0, -1, 1.5, True, [1]])
def test_a_version_that_is_none(version: object, tmp_path: Path) -> None:
    file = with_manifest(snapshot(tmp_path), lambda manifest: manifest.update(schema_version=version))
    assert "schema_version" in refusal(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("started", "yesterday"),
        ("started", "2027-01-01T00:00:00"),
        ("started", 5),
        ("vantage", "inside"),
        ("vantage", {"point": "above", "label": None}),
        ("given_names", {"names": "mail.contoso.test"}),
        ("given_names", {"names": [5]}),
        ("servers", {"names": 5}),
        ("servers", []),
        ("mailboxes", {"mode": "some"}),
        ("stage", "later"),
        ("narrowed", "probe"),
        ("narrowed", {"a": 1}),
        ("test_account", {"given": "no", "mailbox": None, "schemes": []}),
        ("test_account", {"given": 1, "mailbox": None, "schemes": []}),
        ("trust", {"roots": [5], "source": "x", "given": False}),
        ("trust", None),
        ("has_powershell", "yes"),
        ("stopped", {"reason": "tired", "sentence": "x", "layer": None, "behind": None}),
        ("stopped", {"reason": "deadline", "sentence": 5, "layer": None, "behind": None}),
        ("stopped", {"reason": "deadline"}),
        ("stopped", 5),
        ("notes", [None]),
        ("calls", {}),
        ("calls", [5]),
        ("calls", [{"entry": "powershell/000001.jsonl"}]),
    ],
)
def test_a_manifest_with_something_else_in_it(key: str, value: object, tmp_path: Path) -> None:
    file = with_manifest(snapshot(tmp_path), lambda manifest: manifest.update({key: value}))
    assert "manifest.json is not as mapiready writes it" in refusal(file)


@pytest.mark.parametrize("key", ["started", "vantage", "calls", "trust", "tool_version"])
def test_a_manifest_without_a_key(key: str, tmp_path: Path) -> None:
    file = with_manifest(snapshot(tmp_path), lambda manifest: manifest.pop(key))
    assert key in refusal(file)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"5", b"[" * 200_000, b'{"a":' * 200_000, b"\xff\xfe", b"NaN", b"9" * 5000],
    ids=lambda data: str(data[:8]),
)  # fmt: skip
@pytest.mark.parametrize("entry", [MANIFEST, "network.jsonl", "powershell/000001.jsonl"])
def test_json_that_is_none_or_too_deep(data: bytes, entry: str, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    rewrite(file, {**parts(file), entry: data})
    if not data and entry != MANIFEST:
        assert judge_files([str(file)], Settings(server=())).findings  # nothing was said: nothing is known
    else:
        assert entry in refusal(file)


@pytest.mark.parametrize(
    "clixml",
    ["", "<Obj", "<!DOCTYPE a [<!ENTITY b 'c'>]><S>&b;</S>", "<Obj RefId='0'><LST>" * 10_000, "x", "<Nothing/>"],
    ids=lambda clixml: clixml[:12],
)
def test_clixml_that_is_none(clixml: str, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    rewrite(file, {**parts(file), "powershell/000001.jsonl": write_json({"output": clixml}) + b"\n"})
    assert "powershell/000001.jsonl, line 1, is not as mapiready writes it" in refusal(file)


@pytest.mark.parametrize("line", [{"output": 5}, {"error": ["x"]}, 5, "x", None])
def test_a_message_of_a_cmdlet_that_is_none(line: object, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    rewrite(file, {**parts(file), "powershell/000001.jsonl": write_json(line)})
    assert "powershell/000001.jsonl, line 1" in refusal(file)


def test_messages_of_a_stream_that_is_not_known_are_passed_over(tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    lines = [{"information": "<S>x</S>"}, {"output": ORGANIZATION}]
    rewrite(file, {**parts(file), "powershell/000001.jsonl": b"\n".join(map(write_json, lines))})
    assert judge_files([str(file)], Settings(server=())).organisation == "Contoso"


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"question": {}, "answer": {}},
        {"question": {"look": "resolve"}, "answer": {"kind": "resolved"}},
        {"question": {"look": "taste"}, "answer": {"kind": "resolved"}},
        {
            "question": {"look": "services", "target": None, "version": None, "path": None, "name": "x"},
            "answer": {"kind": "offer", "target": {"host": "x", "port": 443, "via": None, "turn": 0}},
        },
    ],
    ids=str,
)
def test_a_look_at_the_network_that_is_none(line: object, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    rewrite(file, {**parts(file), "network.jsonl": write_json(line)})
    assert "network.jsonl, line 1, is not as mapiready writes it" in refusal(file)


@pytest.mark.parametrize("gone", ["powershell/000001.jsonl", "certificates"])
def test_an_entry_that_is_missing(gone: str, tmp_path: Path) -> None:
    file = snapshot(tmp_path)
    rewrite(file, {name: data for name, data in parts(file).items() if not name.startswith(gone)})
    assert f"is not whole: {gone}" in refusal(file)


@pytest.mark.fuzz
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = snapshot(tmp_path_factory.mktemp("damaged"))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 9999)) % len(content)] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    sentence = "".join(refused(file))
    assert "\n" not in sentence


def refused(file: Path) -> tuple[str, ...]:
    """The refusal of a file that may as well be judged."""
    try:
        assert judge_files([str(file)], Settings(server=())).findings
    except UserError as error:
        return (str(error),)
    return ()


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_any_bytes_are_no_archive(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "any.zip"
    file.write_bytes(b"PK\x03\x04" + content)
    with pytest.raises(ArchiveError):
        Archive(file)
