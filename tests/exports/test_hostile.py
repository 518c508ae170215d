"""Files that are broken or mean harm: one sentence that names the file, soon and in little memory."""

import os
import re
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from checker.errors import UserError
from checker.exports import ExportsError, read_exports
from tests import without_rights
from tests.exports.writing import document, organisation, server, write
from tests.test_architecture import ROOT

START = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
CYCLE = (
    f'{START}<Obj RefId="0"><TN RefId="0"><T>Microsoft.Exchange.Data.Directory.Management.OrganizationConfig</T></TN>'
    '<MS><S N="Name">Contoso</S><Ref N="Self" RefId="0"/><Ref N="MapiHttpEnabled" RefId="0"/></MS></Obj></Objs>'
)

HOSTILE = {
    "empty": b"",
    "text": b"this is no export",
    "web page": b"<!DOCTYPE html><html><body>401</body></html>",
    "other xml": b"<configuration/>",
    "doctype": b"<!DOCTYPE Objs SYSTEM 'file:///etc/passwd'>" + START.encode() + b"</Objs>",
    "entity bomb": (
        '<!DOCTYPE Objs [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
        + f"]>{START}<S>&j;</S></Objs>"
    ).encode(),
    "ten thousand levels": (START + "<Obj><LST>" * 10_000 + "</LST></Obj>" * 10_000 + "</Objs>").encode(),
    "ten thousand elements within": (START + "<a>" * 10_000).encode(),
    "missing table of types": (START + '<Obj RefId="0"><TNRef RefId="7"/></Obj></Objs>').encode(),
    "missing object": (START + '<Ref RefId="7"/></Objs>').encode(),
    "cut": document(organisation())[:-30],
    "not utf-8": START.encode() + b"<S>\xff\xfe\xff</S></Objs>",
    "declared otherwise": b'<?xml version="1.0" encoding="utf-16"?>' + document(organisation())[3:],
    "zeros": bytes(10_000),
    "zip": b"PK\x03\x04" + bytes(100),
    "no objects": (START + "</Objs>").encode(),
    "lone values": (START + "<S>a</S><Nil/><I32>5</I32></Objs>").encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_sentence_that_names_the_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "given.xml"
    file.write_bytes(HOSTILE[name])
    with pytest.raises(ExportsError) as told:
        read_exports([file])
    sentence = str(told.value)
    assert isinstance(told.value, UserError)
    assert "given.xml" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400
    assert sentence.isprintable()


def test_lone_surrogates_and_cycles_are_only_values(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(CYCLE)
    assert read_exports([file]).found == ("a.xml: Get-OrganizationConfig (1).",)
    write(tmp_path, "b.xml", server("EX01_xD800_"))
    assert read_exports([tmp_path]).found[1] == "b.xml: Get-ExchangeServer (1)."


def test_a_flood_of_blanks_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "blank.xml"
    with file.open("wb") as stream:
        stream.write(START.encode())
        for _ in range(256):
            stream.write(b" " * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ExportsError, match=r"blank\.xml"):
            read_exports([file])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 160 << 20


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    file = tmp_path / "large.xml"
    with file.open("wb") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(ExportsError, match=r"large\.xml is larger than 1024 MB"):
        read_exports([file])


@pytest.mark.parametrize("name", ["nothing.xml", "nothing-*.xml"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportsError, match="there is no such file"):
        read_exports([tmp_path / name])


def test_a_folder_without_exports(tmp_path: Path) -> None:
    with pytest.raises(ExportsError, match="holds no file ending in"):
        read_exports([tmp_path])


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.xml", organisation())
    file.chmod(0)
    done = subprocess.run(
        [*without_rights.python(), "-m", "checker", "judge", str(file)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "1000"},
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"mapiready: .*a\.xml cannot be read\b.*\n", done.stderr)
