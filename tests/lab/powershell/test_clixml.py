"""What the writer writes and the replay rewrites, read by psrpcore's own reader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import psrpcore
import pytest
from hypothesis import given
from hypothesis import strategies as some
from psrpcore.types import deserialize_clixml

from lab.powershell.clixml import Byte, Enumeration, Int64, Many, Record, UInt32, Uri, Value, write
from lab.powershell.replay import recorded
from tests.lab.powershell.conftest import exports

NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"


def read(*elements: bytes) -> list[Any]:
    body = b"".join(elements).decode()
    text = f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">{body}</Objs>'
    return list(deserialize_clixml(text, psrpcore.PSRemotingCrypto()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (False, False),
        (-7, -7),
        (Int64(25_920_000_000_000), 25_920_000_000_000),
        (UInt32(25), 25),
        (Byte(10), 10),
        (0.25, 0.25),
        ("", ""),
        ("a < b & \"c\" 'd' ü", "a < b & \"c\" 'd' ü"),
        ("one\r\ntwo\tthree\x00", "one\r\ntwo\tthree\x00"),
        ("_x000A_ and _x005F_ are texts", "_x000A_ and _x005F_ are texts"),
        (b"\x00\xff", b"\x00\xff"),
        (UUID("caa261bf-5660-4562-9848-1bdc78841a63"), UUID("caa261bf-5660-4562-9848-1bdc78841a63")),
        (Uri("https://mail.contoso.test/mapi?a=1&b=2"), "https://mail.contoso.test/mapi?a=1&b=2"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), timedelta(days=2, hours=3, minutes=4, seconds=5)),
        (timedelta(0), timedelta(0)),
        (
            datetime(2021, 9, 28, 11, 39, 25, tzinfo=timezone(timedelta(hours=-5))),
            datetime(2021, 9, 28, 16, 39, 25, tzinfo=UTC),
        ),
        (datetime(2021, 9, 28, 16, 39, 25, 120000, tzinfo=UTC), datetime(2021, 9, 28, 16, 39, 25, 120000, tzinfo=UTC)),
    ],
)
def test_simple_values(value: Value, expected: object) -> None:
    (result,) = read(write(value))
    assert result == expected


@given(some.text(some.characters(codec="utf-8")))
def test_any_text(text: str) -> None:
    assert read(write(text)) == [text]


def test_a_date_without_its_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        write(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_a_complex_object() -> None:
    identity = Record(("Microsoft.Exchange.Data.Directory.ADObjectId", "System.Object"), "EX01", {"Depth": 9})
    method = "Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthenticationMethod"
    methods = Many(("ADMultiValuedProperty", "System.Object"), [Enumeration(method, "Ntlm", 2), "plain", None])
    (result,) = read(
        write(
            Record(
                ("Microsoft.Exchange.ADMapiVirtualDirectory", "System.Object"),
                "EX01\\mapi",
                {"Identity": identity, "Methods": methods, "None": Many(("List",), ()), "Id": identity},
                {"RunspaceId": UUID(int=1)},
            )
        )
    )
    properties = result.PSObject
    assert properties.to_string == "EX01\\mapi"
    assert properties.type_names == [
        "Deserialized.Microsoft.Exchange.ADMapiVirtualDirectory",
        "Deserialized.System.Object",
    ]
    assert result.Identity is result.Id
    assert result.Identity.Depth == 9
    assert str(result.Methods[0]) == "Ntlm"
    assert list(result.Methods)[1:] == ["plain", None]
    assert list(result["None"]) == []
    assert result.RunspaceId == UUID(int=1)


def test_type_names_are_written_once() -> None:
    version = [Record(("Version", "System.Object"), str(number)) for number in range(3)]
    text = write(Many(("List",), version)).decode()
    assert text.count("<T>Version</T>") == 1
    assert text.count("<TNRef") == 2


# --- replay -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_exports")
def test_every_export_stays_what_it_is() -> None:
    for path in exports():
        text = path.read_text(encoding="utf-8-sig")
        whole = list(deserialize_clixml(text[text.index("<Objs") :], psrpcore.PSRemotingCrypto()))
        single = [element for piece in recorded(path) for element in read(piece)]
        assert len(single) == len(whole) > 0, path.name
        for one, other in zip(single, whole, strict=True):
            assert plain(one) == plain(other), path.name


def test_what_is_no_clixml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.xml"
    for content in ("<a/>", "not XML", "", f'<Objs xmlns="{NAMESPACE}"><Ref RefId="7" /></Objs>'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"other\.xml"):
            list(recorded(path))


def test_objects_of_one_file_become_independent(tmp_path: Path) -> None:
    path = tmp_path / "shared.xml"
    path.write_text(
        f"""<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">
          <Obj RefId="0"><TN RefId="0"><T>A</T></TN><Props>
            <Obj N="Inner" RefId="1"><TN RefId="1"><T>B</T></TN><ToString>  kept  </ToString></Obj></Props></Obj>
          <Obj RefId="2"><TNRef RefId="0" /><Props><Ref N="Other" RefId="1" /><Ref N="Again" RefId="1" />
            <Ref N="Self" RefId="2" /></Props></Obj>
        </Objs>""",
        encoding="utf-16",
    )
    first, second = recorded(path)
    (one,), (two,) = read(first), read(second)
    assert str(one.Inner) == str(two.Other) == "  kept  "
    assert two.Other is two.Again
    assert two.Self is two
    assert two.Other.PSObject.type_names == ["Deserialized.B"]


def plain(value: Any, above: tuple[int, ...] = ()) -> object:
    """A value as comparable data, whatever psrpcore made of it; cycles end where they close."""
    if id(value) in above:
        return "cycle"
    inner = (*above, id(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item, inner) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, inner) for item in value]
    about = getattr(value, "PSObject", None)
    if about is None:
        return value
    members = (*about.adapted_properties, *about.extended_properties)
    if not members:
        return (tuple(about.type_names), str(value))
    properties = {member.name: plain(member.get_value(value), inner) for member in members}
    return (tuple(about.type_names), about.to_string, properties)
