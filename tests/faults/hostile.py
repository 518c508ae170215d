"""What a hostile server may send: texts, objects, certificates; and what every format must make of a report of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from jsonschema import Draft202012Validator

from checker.quoting import is_hidden
from checker.results import Report
from lab.pki import Identity
from lab.powershell.cmdlet import Call, Cmdlets, Notice, Output, Problem, Said, Signature
from lab.scenario import User
from reports import FORMATS, RenderOptions
from reports.json_report import parse, schema
from tests.reports.test_html import Page

__all__ = ["CERTIFICATES", "OBJECTS", "TEXTS", "Always", "Tainted", "formats"]

TEXTS: Final[Mapping[str, str]] = {
    "markup": '<script>alert("x")</script><img src=x onerror=alert(1)></title></pre>-->]]>&lt;&amp;',
    "rich": "[bold red]x[/bold red][link=https://evil.example]y[/link][/]",
    "shell": "$(Remove-Mailbox -Identity *) `$(calc) ; & calc | iex \"'\u2018\u201c \u2014x",
    "ansi": "\x1b[2J\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\\x9b31m\x7f",
    "bidi": "\u202eTSET\u202c \u2066x\u2069 \u200e\u200f\u061c\u200b\ufeff\u00ad",
    "lines": "first\r\nHTTP/1.1 200 OK\r\n\r\nREADY\n\u2028\u2029\x85\x0b\x0c",
    "format": "{0} {name!r} %s %(x)d {{}} \\x00 \\N{BULLET} C:\\new\\table",
    "surrogates": "_xD800_ _xDFFF__xD83D_ _xD83D__xDE00_ _x0000_ _x001B_[31m _x202E_",
    "long": "A" * 40_000,  # more than a cell of Excel holds
    "wide": "漢\u0301\u0301" * 500 + "👩‍👩‍👧‍👦" * 100,
}
"""As they are in memory, "surrogates" apart: that stands in CLIXML as it is, where it is escapes."""


# --- objects ----------------------------------------------------------------------------------------------------------


def _deep(levels: int) -> bytes:
    opened = '<Obj RefId="{0}"><MS><Obj N="Name" RefId="x{0}"><MS>'
    return "".join(map(opened.format, range(levels))).encode() + b"</MS></Obj></MS></Obj>" * levels


def _listed(levels: int) -> bytes:
    return b"<Obj><LST>" * levels + b"</LST></Obj>" * levels


_ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
OBJECTS: Final[Mapping[str, bytes]] = {
    "nothing at all": b"",
    "an empty object": b'<Obj RefId="0" />',
    "nil": b"<Nil />",
    "a number": b"<I32>7</I32>",
    "a text": b"<S>EX01</S>",
    "an object without types": b'<Obj RefId="0"><MS><S N="Name">EX01</S></MS></Obj>',
    "other kinds of values": b'<Obj RefId="0"><MS><I32 N="Name">5</I32><B N="Fqdn">true</B><DT N="Server">'
    b'2026-01-01T00:00:00Z</DT><BA N="Identity">AAAA</BA><Nil N="AdminDisplayVersion" />'
    b'<Obj N="ServerRole" RefId="1"><LST><Nil /></LST></Obj><Db N="InternalUrl">NaN</Db>'
    b'<D N="MapiHttpEnabled">1E-28</D></MS></Obj>',
    "10,000 levels": _deep(10_000),
    "10,000 levels of lists": _listed(10_000),
    "a cycle": b'<Obj RefId="0"><MS><Ref N="Name" RefId="0" /><Ref N="Fqdn" RefId="0" /><Ref N="Identity" RefId="0" />'
    b'<Ref N="Server" RefId="0" /><Obj N="IISAuthenticationMethods" RefId="1"><LST><Ref RefId="1" /><Ref RefId="0" />'
    b"</LST></Obj></MS></Obj>",
    "more paths than can be counted": b'<Obj RefId="60"><LST>'
    + b"".join(
        b'<Obj RefId="%d"><MS>%s</MS></Obj>'
        % (n, b'<Ref N="Name" RefId="%d" /><Ref N="Fqdn" RefId="%d" />' % (n - 1, n - 1) if n else b"")
        for n in range(50)
    )
    + b"</LST></Obj>",
    "an entity bomb": f'<!DOCTYPE x [<!ENTITY e0 "lol">{_ENTITIES}]><S>&e9;</S>'.encode(),
    "an outside entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><S>&e;</S>',
    "a reference to nobody": b'<Obj RefId="0"><TNRef RefId="9" /><MS><Ref N="Name" RefId="77" /></MS></Obj>',
    "half an object": b'<Obj RefId="0"><MS><S N="Name">EX',
    "no XML": b"{'Name': 'EX01'}\x00\xff\xfe",
    "not UTF-8": b'<S N="Name">\xff\xfe\xc0\x80</S>',
    "a number without end": b"<I32>" + b"9" * 100_000 + b"</I32>",
    "a date that is none": b"<DT>9999-99-99T99:99:99Z</DT>",
    "a time span without end": b"<TS>P999999999DT999999999999H</TS>",
    "a decimal of gigabytes": b"<D>1E+999999999</D>",
    "200,000 values": b'<Obj RefId="0"><MS><Obj N="Name" RefId="1"><LST>'
    + b"<S>x</S>" * 200_000
    + b"</LST></Obj></MS></Obj>",
    "100,000 properties": b'<Obj RefId="0"><MS>'
    + b"".join(b'<S N="P%d">x</S>' % number for number in range(100_000))
    + b"</MS></Obj>",
    "a name of 100 kB": b'<Obj RefId="0"><MS><S N="' + b"N" * 100_000 + b'">x</S></MS></Obj>',
    "a secure string": b'<Obj RefId="0"><MS><SS N="Name">deadbeef</SS></MS></Obj>',
}


@dataclass(frozen=True)
class Always:
    """Cmdlets that all put out the same, whatever they are asked."""

    real: Cmdlets
    clixml: bytes
    times: int = 1

    def signature(self, name: str, user: User) -> Signature | None:
        return self.real.signature(name, user)

    def run(self, call: Call) -> Iterable[Said]:
        return [Output(self.clixml)] * self.times


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT = re.compile(rb"(<(S|URI|ToString)(?: N=\"([^\"]*)\")?>)([^<]*)(</\2>)")


@dataclass(frozen=True)
class Tainted:
    """Cmdlets whose texts all end with something hostile: names, URLs, builds, errors, warnings.

    `beside` are the properties that stay as they are, so that the audit gets further than its first step.
    """

    real: Cmdlets
    text: str
    beside: frozenset[str] = frozenset()
    raw: bool = False

    def signature(self, name: str, user: User) -> Signature | None:
        return self.real.signature(name, user)

    def run(self, call: Call) -> Iterable[Said]:
        # What carries messages here writes some of their texts without the escapes that controls need.
        message = _CONTROLS.sub("", self.text)
        yield Notice(message)
        for said in self.real.run(call):
            match said:
                case Output(clixml):
                    yield Output(_TEXT.sub(self._tainted, clixml))
                case _:
                    yield said
        yield Problem(
            message=message,
            error_id=message,
            category=13,
            activity=message,
            reason=message,
            exception_types=("System.Exception",),
            target_name=message,
        )

    def _tainted(self, match: re.Match[bytes]) -> bytes:
        opening, _, name, text, closing = match.groups()
        if (name or b"").decode() in self.beside or (not name and self.beside):
            return match[0]
        return opening + text + self._escaped().encode() + closing

    def _escaped(self) -> str:
        if self.raw:
            return self.text
        return escape(_CONTROLS.sub(lambda found: f"_x{ord(found[0]):04X}_", self.text))


# --- certificates -----------------------------------------------------------------------------------------------------


def _certificate(
    common_name: str = "mail.contoso.test", names: Iterable[str] = (), san: bytes | None = None
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x1122334455667788)
        .not_valid_before(datetime(2026, 1, 1))  # noqa: DTZ001 - the library takes UTC
        .not_valid_after(datetime(2027, 1, 1))  # noqa: DTZ001
    )
    if san is not None:
        oid = ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, san), critical=False)
    listed = [x509.DNSName(each) for each in names]
    if listed:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=False)
    der = builder.sign(key, SHA256()).public_bytes(Encoding.DER)
    return Identity((der,), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _patched(old: str, new: str) -> Identity:
    """The certificate with some of its bytes (in hex) replaced."""
    made = _certificate()
    (der,) = made.chain
    assert der.count(bytes.fromhex(old)) == 1
    return Identity((der.replace(bytes.fromhex(old), bytes.fromhex(new)),), made.key_pem)


CERTIFICATES: Final[Mapping[str, Callable[[], Identity]]] = {
    "of version 4": lambda: _patched("a003020102", "a003020103"),
    "with a negative serial": lambda: _patched("02081122334455667788", "02089122334455667788"),
    "of no day": lambda: _patched(b"260101000000Z".hex(), b"269901000000Z".hex()),
    "with an address of five bytes": lambda: _certificate(san=bytes.fromhex("300787050102030405")),
    "with markup": lambda: _certificate(
        "<script>alert(1)</script>", ["<script>alert(1)</script>.contoso.test", "[bold]x"]
    ),
    "with controls": lambda: _certificate("\x1b[31mred\u202e", ["\x1b[31m.contoso.test", "a\nb", "*", "*.*", "", "."]),
    "with 2,500 names": lambda: _certificate("many", [f"name{number}.contoso.test" for number in range(2_500)]),
    "with a name of 60 kB": lambda: _certificate("long", ["a" * 60_000, "b." * 10_000 + "test"]),
}


# --- formats ----------------------------------------------------------------------------------------------------------

_SGR = re.compile("\x1b\\[[0-9;]*m")
_SCHEMA = Draft202012Validator(json.loads(schema()))


def formats(report: Report) -> dict[str, str]:
    """The report in every format, each of them sound."""
    shown = {
        name: str(FORMATS[form].render(report, options))
        for name, form, options in (
            ("terminal", "terminal", RenderOptions()),
            ("verbose", "terminal", RenderOptions(width=80, verbose=True)),
            ("colour", "terminal", RenderOptions(width=200, colour=True, verbose=True)),
            ("ascii", "terminal", RenderOptions(ascii_only=True, verbose=True)),
            ("html", "html", RenderOptions()),
            ("json", "json", RenderOptions()),
        )
    }
    for name in ("terminal", "verbose", "ascii"):
        _assert_nothing_hidden(shown[name])
    _assert_nothing_hidden(_SGR.sub("", shown["colour"]))
    assert shown["ascii"].isascii()
    _assert_sound_page(shown["html"])
    document: Any = json.loads(shown["json"])
    _SCHEMA.validate(document)
    assert parse(shown["json"]) == report
    for text in shown.values():
        assert len(text) < 40 << 20
        text.encode(errors="backslashreplace")
    return shown


def _assert_nothing_hidden(text: str) -> None:
    hidden = {character for character in text if is_hidden(character)} - {"\n"}
    assert not hidden, f"it holds {hidden!r}"


def _assert_sound_page(text: str) -> None:
    page = Page(text)
    tags = [tag for tag, _, _ in page.elements]
    assert not {"img", "iframe", "object", "embed", "base"} & set(tags)
    for once in ("script", "title", "main", "form"):  # the page's own
        assert tags.count(once) == 1
    assert not page.attributes("action") + page.attributes("src")
    assert not [key for _, attributes, _ in page.elements for key in attributes if key.startswith("on")]
    assert all(link.startswith(("https://", "#", "data:image/svg+xml,")) for link in page.attributes("href"))
    body = text[text.index("<body") :]
    _assert_nothing_hidden(body.replace("\t", ""))
