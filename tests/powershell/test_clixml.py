"""The CLIXML reader: by value, against psrpcore's reader, and against those who mean harm."""

from __future__ import annotations

import enum
import io
import math
import os
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

import psrpcore.types
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psrpcore._crypto import PSRemotingCrypto

from checker.answers import PSObject, PSValue
from checker.powershell.clixml import SECURE_STRING, ClixmlError, Limits, read_document, read_fragment

EXPORTS = Path(__file__).parents[3] / "shared/data/exchange2016-exports"
FILES = sorted(EXPORTS.glob("*.xml"))
NAMESPACE = "http://schemas.microsoft.com/powershell/2004/04"


def document(inner: str) -> bytes:
    return f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">{inner}</Objs>'.encode()


def read(inner: str) -> list[PSValue]:
    return list(read_document(document(inner)))


def bag(value: PSValue) -> PSObject:
    assert isinstance(value, PSObject), value
    return value


@pytest.fixture
def real_exports() -> list[Path]:
    """The recorded files of Exchange 2016; where they are absent the test is skipped, but never on CI."""
    if not FILES:
        reason = "the recorded exports are not beside the repository"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return FILES


# --- primitives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<Nil />", None),
        ("<S>text</S>", "text"),
        ("<S />", ""),
        ("<S>  two  </S>", "  two  "),
        ("<S>a&lt;b&#x41;<![CDATA[<c>]]></S>", "a<bA<c>"),
        ("<S>_x000D__x000A_</S>", "\r\n"),
        ("<S>_X0041_</S>", "A"),
        ("<S>_x005F_x0041_</S>", "_x0041_"),
        ("<S>_xD83D__xDE00_</S>", "\N{GRINNING FACE}"),
        ("<S>_xD83D_</S>", "\ufffd"),
        ("<S>a_xDE00_b</S>", "a\ufffdb"),
        ("<S>_xDE00__xD83D_</S>", "\ufffd\ufffd"),
        ("<S>_x00_ _xGGGG_ _x_</S>", "_x00_ _xGGGG_ _x_"),
        ("<S>_x0000_</S>", "\0"),
        ("<C>65</C>", "A"),
        ("<C>55357</C>", "\ufffd"),
        ("<B>true</B>", True),
        ("<B>False</B>", False),
        ("<By>255</By>", 255),
        ("<SB>-128</SB>", -128),
        ("<U16>65535</U16>", 65535),
        ("<I16>-32768</I16>", -32768),
        ("<U32>4294967295</U32>", 4294967295),
        ("<I32> 7 </I32>", 7),
        ("<U64>18446744073709551615</U64>", 18446744073709551615),
        ("<I64>-9223372036854775808</I64>", -9223372036854775808),
        ("<Sg>1.5</Sg>", 1.5),
        ("<Db>INF</Db>", math.inf),
        ("<Db>-Infinity</Db>", -math.inf),
        ("<Db>1E-05</Db>", 1e-05),
        ("<D>79228162514264337593543950335</D>", Decimal(79228162514264337593543950335)),
        ("<D>-1.50</D>", Decimal("-1.50")),
        ("<BA>AAEC</BA>", b"\0\1\2"),
        ("<BA>\n AA\n EC\n</BA>", b"\0\1\2"),
        ("<BA />", b""),
        ("<G>792e5b37-4505-47ef-b7d2-8711bb7affa8</G>", UUID("792e5b37-4505-47ef-b7d2-8711bb7affa8")),
        ("<URI>https://mail.contoso.test/mapi</URI>", "https://mail.contoso.test/mapi"),
        ("<Version>15.2.986.5</Version>", "15.2.986.5"),
        ("<XD>&lt;a/&gt;</XD>", "<a/>"),
        ("<SBK>Get-X</SBK>", "Get-X"),
        ("<SS>01000000d08c9ddf</SS>", SECURE_STRING),
        ("<DT>2021-09-28T17:20:22.6495752Z</DT>", datetime(2021, 9, 28, 17, 20, 22, 649575, UTC)),
        ("<DT>2018-11-23T18:34:03-06:00</DT>", datetime(2018, 11, 23, 18, 34, 3, 0, timezone(timedelta(hours=-6)))),
        ("<TS>PT9.0269026S</TS>", timedelta(seconds=9, microseconds=26902)),
        ("<TS>-P1DT2H3M4S</TS>", -timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("<TS>P10675199DT2H48M5.4775807S</TS>", timedelta(days=10675199, hours=2, minutes=48, seconds=5.477580)),
    ],
)
def test_primitives(xml: str, value: PSValue) -> None:
    assert read(xml) == [value]
    found = read_fragment(xml)
    assert found == value
    assert type(found) is type(value)


def test_a_time_without_a_zone_stays_without() -> None:
    (moment,) = read("<DT>0001-01-01T00:00:00</DT>")
    assert isinstance(moment, datetime)
    assert moment.tzinfo is None


def test_nan() -> None:
    (number,) = read("<Db>NaN</Db>")
    assert isinstance(number, float)
    assert math.isnan(number)


# --- objects ----------------------------------------------------------------------------------------------------------


def test_an_object() -> None:
    (found,) = read(
        '<Obj RefId="0"><TN RefId="0"><T>Deserialized.A.B</T><T>Deserialized.System.Object</T></TN>'
        "<ToString>EX01</ToString>"
        '<Props><S N="Name">adapted</S><I32 N="_x0041_ge">5</I32></Props><MS><S N="Name">extended</S></MS></Obj>'
    )
    found = bag(found)
    assert found.types == ("A.B", "System.Object")
    assert (found.text, found.value) == ("EX01", None)
    assert found.properties == {"Name": "extended", "Age": 5}


def test_extended_properties_win_in_either_order() -> None:
    (found,) = read('<Obj><MS><S N="a">ms</S></MS><Props><S N="a">props</S><S N="b">props</S></Props></Obj>')
    assert bag(found).properties == {"a": "ms", "b": "props"}


@pytest.mark.parametrize("tag", ["LST", "IE", "STK", "QUE"])
def test_lists(tag: str) -> None:
    (found,) = read(f'<Obj RefId="0"><{tag}><S>a</S><Nil /><Obj><{tag} /></Obj></{tag}></Obj>')
    value = bag(found).value
    assert isinstance(value, list)
    assert value[:2] == ["a", None]
    assert bag(value[2]).value == []


def test_dictionaries() -> None:
    entries = [("<S N='Key'>a</S>", "a"), ("<I32 N='Key'>1</I32>", 1), ("<D N='Key'>1.5</D>", "1.5")]
    entries.append(("<Obj N='Key'><ToString>Ntlm</ToString><I32>2</I32></Obj>", "Ntlm"))
    xml = "".join(f"<En>{key}<S N='Value'>v</S></En>" for key, _ in entries)
    (found,) = read(f'<Obj RefId="0"><DCT>{xml}</DCT></Obj>')
    assert bag(found).value == {key: "v" for _, key in entries}


def test_an_enumeration() -> None:
    (found,) = read("<Obj><TN RefId='0'><T>X.Method</T></TN><ToString>Ntlm</ToString><I32>2</I32></Obj>")
    assert (bag(found).types, bag(found).text, bag(found).value) == (("X.Method",), "Ntlm", 2)


def test_one_table_for_the_whole_document() -> None:
    first, second = read(
        '<Obj RefId="7"><TN RefId="0"><T>A</T></TN>'
        '<Props><Obj N="Id" RefId="8"><ToString>x</ToString></Obj></Props></Obj>'
        '<Obj RefId="9"><TNRef RefId="0" /><Props><Ref N="Id" RefId="8" /></Props></Obj>'
    )
    assert bag(second).types == ("A",)
    assert bag(second).properties["Id"] is bag(first).properties["Id"]


def test_cycles() -> None:
    (found,) = read(
        '<Obj RefId="0"><MS><Ref N="me" RefId="0" /><Obj N="l" RefId="1"><LST><Ref RefId="1" /></LST></Obj></MS></Obj>'
    )
    assert bag(found).properties["me"] is found
    inner = bag(bag(found).properties["l"])
    assert inner.value == [inner]
    assert len(repr(found)) < 100


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", [False, True])
def test_encodings(encoding: str, declared: bool) -> None:
    name = "utf-16" if "16" in encoding else "utf-8"
    text = f'<?xml version="1.0" encoding="{name}"?>\n' if declared else ""
    data = (text + document("<S>Zürich – \N{GRINNING FACE}</S>").decode()).encode(encoding)
    assert list(read_document(data)) == ["Zürich – \N{GRINNING FACE}"]
    assert list(read_document(io.BytesIO(data))) == ["Zürich – \N{GRINNING FACE}"]


@pytest.mark.parametrize("inner", ["", "\n  \n", "<!-- nothing -->"])
def test_nothing(inner: str) -> None:
    assert read(inner) == []
    assert list(read_document(f'<Objs xmlns="{NAMESPACE}" />'.encode())) == []


# --- hostile ----------------------------------------------------------------------------------------------------------

BOMB = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;" * 10}">' for n in range(9)
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (f"{BOMB}]><Objs><S>&a8;</S></Objs>", "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><Objs/>', "document type"),
        ("<Objs>&unknown;</Objs>", "undefined entity"),
        ("", "no element found"),
        ("   ", "no element found"),
        ("not xml", "syntax error"),
        ("<html><body/></html>", "outermost element is <html>"),
        ("<a:Objs xmlns:a='x'/>", "outermost element is <a:Objs>"),
        ("<Objs><S>text", "no element found"),
        ("<Objs><S>text</Objs>", "mismatched tag"),
        ("<Objs/><Objs/>", "junk after document element"),
        ("<Objs><S>&#xD800;</S></Objs>", "invalid character"),
        ("<Objs><S>\x01</S></Objs>", "not well-formed"),
        ("<Objs><What/></Objs>", "<What> is unknown"),
        ("<Objs><T>x</T></Objs>", "<T> is unknown or stands where"),
        ("<Objs><Props/></Objs>", "<Props> is unknown or stands where"),
        ("<Objs><Obj><En/></Obj></Objs>", "<En> is unknown or stands where"),
        ("<Objs><Obj><Props><Props/></Props></Obj></Objs>", "<Props> is unknown or stands where"),
        ("<Objs><Obj><DCT><S>x</S></DCT></Obj></Objs>", "where none may stand"),
        ("<Objs><Obj><TN><S>x</S></TN></Obj></Objs>", "where none may stand"),
        ("<Objs><Obj><TNRef RefId='0'/></Obj></Objs>", "type names with the number '0', which never came"),
        ("<Objs><Obj><TNRef/></Obj></Objs>", "which never came"),
        ("<Objs><Ref RefId='5'/></Objs>", "an object with the number '5', which never came"),
        ("<Objs><Ref/></Objs>", "which never came"),
        ("<Objs><Obj RefId='0'/><Ref RefId='0'><S>x</S></Ref></Objs>", "where none may stand"),
        ("<Objs><S>a<S>b</S></S></Objs>", "holds text alone"),
        ("<Objs><Obj><Props><S>x</S></Props></Obj></Objs>", "no name"),
        ("<Objs><Obj><Props><Obj/></Props></Obj></Objs>", "no name"),
        ("<Objs><Obj><I32>1</I32><I32>2</I32></Obj></Objs>", "more than one value"),
        ("<Objs><Obj><DCT><En><S N='Key'>a</S></En></DCT></Obj></Objs>", "not one key and one value"),
        ("<Objs><Obj><DCT><En><Nil N='Key'/><S N='Value'/></En></DCT></Obj></Objs>", "not a plain value"),
        ("<Objs><Obj><DCT><En><BA N='Key'/><S N='Value'/></En></DCT></Obj></Objs>", "not a plain value"),
        ("<Objs><I32>abc</I32></Objs>", "<I32> holds 'abc', which is not a whole number of 32 bits"),
        ("<Objs><I32></I32></Objs>", "<I32> holds ''"),
        ("<Objs><I32>2147483648</I32></Objs>", "<I32> holds '2147483648'"),
        ("<Objs><I32>1_000</I32></Objs>", "<I32> holds"),
        ("<Objs><I32>\u0661</I32></Objs>", "<I32> holds"),
        (f"<Objs><I64>{'9' * 10_000}</I64></Objs>", "<I64> holds"),
        ("<Objs><By>-1</By></Objs>", "<By> holds"),
        ("<Objs><B>yes</B></Objs>", "<B> holds 'yes', which is not true or false"),
        ("<Objs><C>65536</C></Objs>", "<C> holds"),
        ("<Objs><Db>1_0</Db></Objs>", "<Db> holds"),
        ("<Objs><D>1E+999999</D></Objs>", "<D> holds"),
        ("<Objs><D>NaN</D></Objs>", "<D> holds"),
        ("<Objs><BA>*</BA></Objs>", "<BA> holds"),
        ("<Objs><BA>AAA</BA></Objs>", "<BA> holds"),
        ("<Objs><G>no</G></Objs>", "<G> holds"),
        ("<Objs><G>{792e5b37-4505-47ef-b7d2-8711bb7affa8}</G></Objs>", "<G> holds"),
        ("<Objs><DT>yesterday</DT></Objs>", "<DT> holds"),
        ("<Objs><DT>2021-02-30T00:00:00</DT></Objs>", "<DT> holds"),
        ("<Objs><TS>P1Y</TS></Objs>", "<TS> holds"),
        ("<Objs><TS>P999999999DT999999999999H</TS></Objs>", "<TS> holds"),
        ("<Objs><TS>PT</TS></Objs>", "<TS> holds"),
        ("<Objs><Nil>x</Nil></Objs>", "<Nil> holds 'x'"),
        ("<Objs>" + "<Obj><LST>" * 10_000 + "</LST></Obj>" * 10_000 + "</Objs>", "deeper than 100 levels"),
        ("<Objs>" + "<a>" * 10_000, "<a> is unknown"),
    ],
)
def test_hostile(data: str, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(ClixmlError) as caught:
        list(read_document(data.encode()))
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith(".")
    assert time.monotonic() - began < 1


def test_an_error_says_where() -> None:
    with pytest.raises(ClixmlError, match="line 3, column 9"):
        read("\n<Obj>\n<I32>abc</I32></Obj>")


@pytest.mark.parametrize(
    ("inner", "limits", "words"),
    [
        ("<Obj><LST><Obj/><Obj/></LST></Obj>", Limits(objects=2), "more than 2 objects"),
        ("<Obj><LST><Obj/></LST></Obj>", Limits(depth=1), "deeper than 1 levels"),
        (f"<S>{'x' * 200_000}</S>", Limits(text=100_000), "longer than 100000 characters"),
        ("<S>x</S>" * 100, Limits(size=200), "longer than 200 bytes"),
        (f"<Obj><LST>{'<S>x</S>' * 100_000}</LST></Obj>", Limits(object_size=200_000), "longer than 200000 bytes"),
        (f"<Obj>{' ' * 1_000_000}</Obj>", Limits(object_size=200_000), "longer than 200000 bytes"),
    ],
)
def test_limits(inner: str, limits: Limits, words: str) -> None:
    with pytest.raises(ClixmlError, match=words):
        list(read_document(document(inner), limits))


def test_limits_count_per_object() -> None:
    assert len(list(read_document(document("<Obj><S>x</S></Obj>" * 1000), Limits(objects=1)))) == 1000


def test_as_deep_as_powershell_goes() -> None:
    (value,) = read("<Obj><LST>" * 100 + "</LST></Obj>" * 100)
    depth = 0
    while isinstance(value, PSObject):
        assert isinstance(value.value, list)
        value = value.value[0] if value.value else None
        depth += 1
    assert depth == 100


def test_a_million_spaces() -> None:
    space = " " * 1_000_000
    began = time.monotonic()
    found, text, number = read(
        f"{space}<Obj>{space}<Props>{space}<S N='a'>x</S></Props></Obj><S>{space}</S><I32>{space}1</I32>"
    )
    assert bag(found).properties == {"a": "x"}
    assert (text, number) == (space, 1)
    assert time.monotonic() - began < 2


def test_a_search_for_references_is_not_fooled() -> None:
    inner = '<Obj RefId="&#49;"/><Obj RefId="2"/><S>&lt;Ref RefId="7"/></S>'
    inner += '<Ref\n N="x"\n RefId = "&#49;" /><Ref RefId=\'2\'/>'
    data = document(f"{inner}<!-- {'<Ref ' * 300_000} -->{' ' * 8_500_000}")
    for source in (data, io.BytesIO(data)):
        began = time.monotonic()
        one, two, _, again, same = read_document(source)
        assert (again, same) == (one, two)
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("xml", ["", "<S>a</S><S>b</S>", "<Objs><S>a</S></Objs>", "<Props/>", "text", "<S>\udc00"])
def test_a_message_is_one_value(xml: str) -> None:
    with pytest.raises(ClixmlError):
        read_fragment(xml)


def test_a_message_with_half_a_pair() -> None:
    assert read_fragment("<S>a\udc00b\ud83d\ude00</S>") == "a\ufffdb\N{GRINNING FACE}"


@given(st.text(alphabet="<>/&;=\"' OSbjTNRefIdPropsLMCKn0123_xD8\n", max_size=200) | st.text(max_size=50))
def test_garbage_is_one_clear_error(text: str) -> None:
    for data in (text.encode("utf-8", "replace"), document(text.encode("utf-8", "replace").decode())):
        try:
            list(read_document(data))
        except ClixmlError as error:
            assert str(error).startswith("The CLIXML cannot be read at line ")  # noqa: PT017 - nothing is as good as an error


# --- memory -----------------------------------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    """A stream of many objects, made as they are read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.size = 0
        self._position = 0
        self._pieces = self._all()

    def _all(self) -> Iterator[bytes]:
        yield f'<Objs Version="1.1.0.1" xmlns="{NAMESPACE}">'.encode()
        yield b'<Obj RefId="0"><TN RefId="0"><T>A</T></TN><ToString>kept</ToString></Obj>'
        for number in range(1, self.count):
            properties = "".join(f'<S N="Property{n}">value {number} {n}</S>' for n in range(60))
            nested = f'<Obj N="Nested" RefId="n{number}"><LST><S>a</S></LST></Obj><Ref N="First" RefId="0" />'
            yield f'<Obj RefId="{number}"><TNRef RefId="0" /><Props>{properties}{nested}</Props></Obj>'.encode()
        yield b"</Objs>"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        assert (offset, whence) == (0, 0)
        self._pieces, self._position, self.size = self._all(), 0, 0
        return 0

    def read(self, size: int = -1) -> bytes:
        piece = next(self._pieces, b"")
        self._position += len(piece)
        self.size += len(piece)
        return piece


def test_a_large_file_needs_little_memory() -> None:
    stream = Endless(3000)
    tracemalloc.start()
    try:
        first: PSValue = None
        for number, value in enumerate(read_document(cast("BinaryIO", stream))):
            if number == 0:
                first = value
            else:
                assert bag(value).properties["First"] is first
                assert len(bag(value).properties) == 62
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert number == 2999
    assert stream.size > 6_000_000
    assert peak < 3_000_000


# --- psrpcore's reader as the oracle ----------------------------------------------------------------------------------

CIPHER = PSRemotingCrypto()


def same(ours: PSValue, theirs: Any, seen: set[int], path: str = "") -> None:
    """Deep comparison; psrpcore names types anew and keeps adapted and extended properties apart."""
    if isinstance(ours, PSObject) and id(ours) in seen:
        return
    meta = getattr(theirs, "PSObject", None)
    if not isinstance(ours, PSObject):
        plain(ours, theirs, path)
        return
    seen.add(id(ours))
    assert meta is not None, path
    names = tuple(name.removeprefix("Deserialized.") for name in meta.type_names)
    if ours.types:
        assert ours.types == names, path
    if ours.text is not None and meta.to_string is not None:
        assert ours.text == meta.to_string, path
    merged = {p.name: p for p in meta.adapted_properties} | {p.name: p for p in meta.extended_properties}
    if ours.properties:
        assert set(ours.properties) == set(merged), path
    for name, value in ours.properties.items():
        same(value, merged[name].get_value(theirs), seen, f"{path}.{name}")
    if isinstance(ours.value, list):
        items = list(theirs.queue) if hasattr(theirs, "queue") else list(theirs)
        assert len(ours.value) == len(items), path
        for number, (mine, other) in enumerate(zip(ours.value, items, strict=True)):
            same(mine, other, seen, f"{path}[{number}]")
    elif isinstance(ours.value, dict):
        entries = {key.value if isinstance(key, enum.Enum) else key: value for key, value in theirs.items()}
        assert {str(key) for key in ours.value} == {str(key) for key in entries}, path
        by_text = {str(key): value for key, value in entries.items()}
        for key, value in ours.value.items():
            same(value, by_text[str(key)], seen, f"{path}[{key}]")
    elif ours.value is not None:
        plain(ours.value, theirs, path)


def plain(ours: PSValue, theirs: Any, path: str) -> None:
    if isinstance(ours, float):
        assert ours == float(theirs) or (math.isnan(ours) and math.isnan(float(theirs))), path
    elif isinstance(ours, timedelta | datetime):
        assert ours == theirs, path
        if isinstance(ours, datetime):
            assert ours.utcoffset() == theirs.utcoffset(), path
    elif isinstance(ours, bool) or ours is None:
        assert ours is theirs, path
    elif isinstance(ours, str):
        assert ours == (str(theirs) if not isinstance(theirs, psrpcore.types.PSChar) else chr(int(theirs))), path
    elif isinstance(ours, bytes):
        assert ours == bytes(theirs), path
    else:
        kind: Any = type(ours)
        # An enumeration prints its name, and has its number.
        assert ours == kind(theirs if kind is int else str(theirs)), path


def oracle(data: str) -> list[Any]:
    return psrpcore.types.deserialize_clixml(data, CIPHER)


@pytest.mark.parametrize("name", [file.name for file in FILES] or ["absent"])
def test_real_exports_as_psrpcore_reads_them(real_exports: list[Path], name: str) -> None:
    data = (EXPORTS / name).read_bytes()
    theirs = oracle(data.decode("utf-8-sig"))
    ours = list(read_document(data))
    streamed = list(read_document(io.BytesIO(data)))
    assert len(ours) == len(theirs) == len(streamed) > 0
    for mine, again, other in zip(ours, streamed, theirs, strict=True):
        same(mine, other, set())
        same(again, other, set())


def test_real_exports_by_value(real_exports: list[Path]) -> None:
    def objects(name: str) -> list[PSObject]:
        with (EXPORTS / f"{name}.xml").open("rb") as stream:
            return [bag(value) for value in read_document(stream)]

    (server, *_) = objects("GetExchangeServer")
    assert server.types[0].startswith("Microsoft.Exchange.Data.Directory.")
    assert server.properties["Name"] == "SOLO-E16A"
    version = server.properties["AdminDisplayVersion"]
    assert isinstance(version, PSObject)
    assert str(version.text).startswith("Version 15.1 (Build ")
    (organisation,) = objects("GetOrganizationConfig")
    assert isinstance(organisation.properties["MapiHttpEnabled"], bool)
    (directory, *_) = objects("GetOwaVirtualDirectory")
    methods = bag(directory.properties["InternalAuthenticationMethods"])
    assert isinstance(methods.value, list)
    assert [str(bag(method).text) for method in methods.value] == ["Basic", "Fba"]
    certificates = objects("GetExchangeCertificate")
    assert all(isinstance(certificate.properties["RawData"], bytes) for certificate in certificates)
    components = {
        str(found.properties["Component"]): bag(found.properties["State"]).text
        for found in objects("GetServerComponentState")
    }
    assert components["MapiProxy"] == "Active"
    (tls, *_) = objects("GetAllTlsSettings")
    assert isinstance(bag(tls.properties["Registry"]).properties["TLS"], PSObject)


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    TEXTS,
    st.binary(max_size=20),
    st.integers(-(2**31), 2**31 - 1).map(psrpcore.types.PSInt),
    st.integers(-(2**63), 2**63 - 1).map(psrpcore.types.PSInt64),
    st.integers(0, 2**64 - 1).map(psrpcore.types.PSUInt64),
    st.integers(0, 255).map(psrpcore.types.PSByte),
    st.floats(width=32).map(psrpcore.types.PSSingle),
    st.floats().map(psrpcore.types.PSDouble),
    st.decimals(min_value=-(10**20), max_value=10**20, places=6).map(psrpcore.types.PSDecimal),
    st.uuids(),
    st.datetimes(min_value=datetime(1000, 1, 1)),  # noqa: DTZ001 - times without a zone are meant
    st.datetimes(min_value=datetime(1000, 1, 2), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(min_value=timedelta(days=-10000), max_value=timedelta(days=10000)),
    TEXTS.map(psrpcore.types.PSUri),
    TEXTS.map(psrpcore.types.PSXml),
    st.integers(0, 0xD7FF).map(psrpcore.types.PSChar),
)


def custom(properties: dict[str, Any]) -> Any:
    found = psrpcore.types.PSCustomObject()
    for name, value in properties.items():
        psrpcore.types.add_note_property(found, name, value)
    return found


def shared(value: Any) -> Any:
    return psrpcore.types.PSList([value, value])


VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(psrpcore.types.PSList),
        st.lists(inner, max_size=4).map(psrpcore.types.PSStack),
        st.dictionaries(TEXTS, inner, max_size=4).map(psrpcore.types.PSDict),
        st.dictionaries(TEXTS.filter(bool), inner, max_size=4).map(custom),
        inner.map(shared),
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, min_size=1, max_size=4))  # of nothing at all it makes no document that it can read
@example([psrpcore.types.PSDouble("NaN"), "_x0041_", "_X", "\U0001f600\x85\x7f"])
@settings(deadline=None)
def test_generated_objects_as_psrpcore_reads_them(values: list[Any]) -> None:
    written = psrpcore.types.serialize_clixml(values, CIPHER)
    theirs = oracle(written)
    ours = list(read_document(written.encode()))
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        same(mine, other, set())


# --- speed ------------------------------------------------------------------------------------------------------------


def test_is_much_faster_than_psrpcore(real_exports: list[Path]) -> None:
    """The benchmark asks for more; here, on whatever machine this is, it is only to be noticed when that is lost."""
    data = [file.read_bytes() for file in real_exports]
    texts = [each.decode("utf-8-sig") for each in data]

    def best(work: Any) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        return min(times)

    ours = best(lambda: [list(read_document(each)) for each in data])
    theirs = best(lambda: [oracle(each) for each in texts])
    assert theirs / ours > 4
