"""What Export-Clixml and Select-Object do to objects, for the interpreter.

One file has one table of type names and one of objects, while every message of remote PowerShell had its own.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["Thing", "export_clixml", "select_properties"]

_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f]|_(?=[xX][0-9a-fA-F]{4}_)")


class Thing:
    """An object of the script's own side: a type, and properties by name without regard to case."""

    def __init__(self, kind: str, properties: Mapping[str, Any]) -> None:
        self.kind = kind
        self.properties = dict(properties)

    def get(self, name: str) -> Any:
        return next((value for key, value in self.properties.items() if key.casefold() == name.casefold()), None)

    def set(self, name: str, value: Any) -> None:
        known = next((key for key in self.properties if key.casefold() == name.casefold()), name)
        self.properties[known] = value


def export_clixml(values: Sequence[Any], depth: int) -> bytes:
    """The file: UTF-8 with its mark, as Windows PowerShell writes it."""
    root = ET.Element("Objs", {"Version": "1.1.0.1", "xmlns": "http://schemas.microsoft.com/powershell/2004/04"})
    writer = _Writer()
    for value in values:
        clixml = getattr(value, "clixml", None)
        if clixml is None:
            root.append(writer.element(value, None))
        else:
            root.append(_Message(writer, ET.fromstring(clixml), depth).whole())
    return b"\xef\xbb\xbf" + _text(root)


def select_properties(clixml: bytes, patterns: Sequence[str]) -> bytes:
    """Select-Object -Property with patterns: an object of notes alone; a pattern that fits none adds none."""
    message = ET.fromstring(clixml)
    copy = _Message(_Writer(), message, 100)
    selected = ET.Element("Obj", {"RefId": copy.writer.reference()})
    selected.append(copy.writer.types(("Selected.System.Management.Automation.PSCustomObject", "System.Object")))
    notes = ET.SubElement(selected, "MS")
    for members in message:
        if members.tag in ("Props", "MS"):
            for member in members:
                if any(fnmatchcase(member.get("N", "").casefold(), pattern) for pattern in patterns):
                    notes.append(copy.copied(member, 100))
    return _text(selected)


def _text(element: ET.Element) -> bytes:
    text: bytes = ET.tostring(element, encoding="utf-8", xml_declaration=False)
    return text


class _Writer:
    """The tables of one file."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, ...], str] = {}
        self._count = 0

    def reference(self) -> str:
        self._count += 1
        return str(self._count - 1)

    def types(self, names: tuple[str, ...]) -> ET.Element:
        if names in self._types:
            return ET.Element("TNRef", {"RefId": self._types[names]})
        self._types[names] = number = str(len(self._types))
        element = ET.Element("TN", {"RefId": number})
        for name in names:
            ET.SubElement(element, "T").text = name
        return element

    def element(self, value: Any, name: str | None) -> ET.Element:
        """A value of the script's own side."""
        attributes = {} if name is None else {"N": name}
        match value:
            case None:
                return ET.Element("Nil", attributes)
            case bool():
                return _leaf("B", attributes, str(value).lower())
            case int():
                return _leaf("I32" if abs(value) < 1 << 31 else "U64", attributes, str(value))
            case float():
                return _leaf("Db", attributes, repr(value))
            case str():
                return _leaf("S", attributes, _ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", value))
            case datetime():
                return _leaf("DT", attributes, value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"))
        element = ET.Element("Obj", {**attributes, "RefId": self.reference()})
        match value:
            case list():
                element.append(self.types(("System.Collections.ArrayList", "System.Object")))
                items = ET.SubElement(element, "LST")
                items.extend(self.element(item, None) for item in value)
            case dict():
                element.append(self.types(("System.Collections.Hashtable", "System.Object")))
                table = ET.SubElement(element, "DCT")
                for key, item in value.items():
                    entry = ET.SubElement(table, "En")
                    entry.extend((self.element(key, "Key"), self.element(item, "Value")))
            case Thing():
                element.append(self.types(("System.Management.Automation.PSCustomObject", "System.Object")))
                notes = ET.SubElement(element, "MS")
                notes.extend(self.element(item, key) for key, item in value.properties.items())
            case _:
                raise NotImplementedError(type(value).__name__)
        return element


class _Message:
    """One object of a message on its way into a file."""

    def __init__(self, writer: _Writer, root: ET.Element, depth: int) -> None:
        self.writer = writer
        self._root, self._depth = root, depth
        self._objects = {each.attrib["RefId"]: each for each in root.iter("Obj")}
        self._type_names = {each.attrib["RefId"]: tuple(name.text or "" for name in each) for each in root.iter("TN")}
        self._numbers: dict[tuple[str, int], str] = {}

    def whole(self) -> ET.Element:
        return self.copied(self._root, self._depth)

    def copied(self, element: ET.Element, depth: int) -> ET.Element:
        if element.tag == "Ref":
            copy = self._object(self._objects[element.attrib["RefId"]], depth)
            copy.attrib.pop("N", None)
            if "N" in element.attrib:
                copy.set("N", element.attrib["N"])
            return copy
        if element.tag == "Obj":
            return self._object(element, depth)
        if element.tag in ("TN", "TNRef"):
            return self.writer.types(self._type_names[element.attrib["RefId"]])
        copy = ET.Element(element.tag, element.attrib)
        copy.text = element.text
        below = depth - 1 if element.tag in ("Props", "MS") else depth
        copy.extend(self.copied(child, below) for child in element)
        return copy

    def _object(self, element: ET.Element, depth: int) -> ET.Element:
        name = {"N": element.attrib["N"]} if "N" in element.attrib else {}
        text = element.findtext("ToString")
        if depth <= 0 and text is not None:
            return _leaf("S", name, text)
        copy = ET.Element("Obj", {**name, "RefId": self.writer.reference()})
        copy.extend(self.copied(child, depth) for child in element)
        return copy


def _leaf(tag: str, attributes: dict[str, str], text: str) -> ET.Element:
    element = ET.Element(tag, attributes)
    element.text = text
    return element
