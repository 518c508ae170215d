"""Recorded Exchange output, made fit for the wire.

Export-Clixml keeps one table of type names and of objects for a whole file; a PSRP message has tables of its own. So
every object of a file is written anew with all that it refers to: each type name where it is first used, each object
where it is first referred to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

__all__ = ["recorded"]

_NAMESPACE = "{http://schemas.microsoft.com/powershell/2004/04}"
_CONTAINERS = frozenset({"Obj", "Props", "MS", "LST", "IE", "QUE", "STK", "DCT", "En", "TN"})


def recorded(path: Path) -> Iterator[bytes]:
    """The objects of an Export-Clixml file, each complete in itself (UTF-8, without a namespace).

    Raises:
        ValueError: the file is not CLIXML, or refers to what it does not hold.
    """
    # The files are given by whoever starts the lab; the parser reads UTF-8 and UTF-16, with and without a mark.
    try:
        root = ET.parse(path).getroot()  # noqa: S314
    except ET.ParseError as error:
        raise ValueError(f"{path} is not XML: {error}") from error
    if root.tag != f"{_NAMESPACE}Objs":
        raise ValueError(f"{path} is not CLIXML: its root is {root.tag}")
    types: dict[str, ET.Element] = {}
    objects: dict[str, ET.Element] = {}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)
        reference = element.get("RefId")
        if reference is not None and element.tag == "TN":
            types[reference] = element
        elif reference is not None and element.tag == "Obj":
            objects[reference] = element
    for element in root:
        yield ET.tostring(_Copy(path, types, objects).copied(element), encoding="utf-8")


class _Copy:
    """One object on its way into one message."""

    def __init__(self, path: Path, types: dict[str, ET.Element], objects: dict[str, ET.Element]) -> None:
        self._path = path
        self._types, self._objects = types, objects
        self._type_numbers: dict[str, str] = {}
        self._object_numbers: dict[str, str] = {}

    def copied(self, element: ET.Element) -> ET.Element:
        reference = element.get("RefId", "")
        match element.tag:
            case "TN" | "TNRef":
                return self._type(reference)
            case "Ref":
                return self._referred(element, reference)
            case "Obj" if reference in self._object_numbers:
                return self._referred(element, reference)
            case _:
                return self._element(element, dict(element.attrib))

    def _type(self, reference: str) -> ET.Element:
        if reference in self._type_numbers:
            return ET.Element("TNRef", {"RefId": self._type_numbers[reference]})
        if reference not in self._types:
            raise ValueError(f"{self._path} refers to type names {reference}, which it does not hold")
        self._type_numbers[reference] = number = str(len(self._type_numbers))
        return self._element(self._types[reference], {"RefId": number})

    def _referred(self, element: ET.Element, reference: str) -> ET.Element:
        name = {"N": element.attrib["N"]} if "N" in element.attrib else {}
        if reference in self._object_numbers:
            return ET.Element("Ref", {**name, "RefId": self._object_numbers[reference]})
        if reference not in self._objects:
            raise ValueError(f"{self._path} refers to object {reference}, which it does not hold")
        # The first mention in this message: the object itself stands here, under the name that it has here.
        return self._element(self._objects[reference], {**name, "RefId": reference})

    def _element(self, element: ET.Element, attributes: dict[str, str]) -> ET.Element:
        if element.tag == "Obj" and "RefId" in attributes:
            reference = attributes["RefId"]
            attributes["RefId"] = self._object_numbers[reference] = str(len(self._object_numbers))
        copy = ET.Element(element.tag, attributes)
        copy.text = None if element.tag in _CONTAINERS else element.text
        copy.extend(self.copied(child) for child in element)
        return copy
