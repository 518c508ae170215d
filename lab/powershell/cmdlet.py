"""What the endpoint needs of cmdlets: a call, what a cmdlet says, and the protocol of whoever answers.

The endpoint finds and binds (names and parameters without regard to case, abbreviations, positions, switches, common
parameters); a `Cmdlets` only runs what was bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from lab.scenario import User

__all__ = [
    "Call",
    "Category",
    "Cmdlets",
    "Notice",
    "Output",
    "Pause",
    "Problem",
    "Progress",
    "Said",
    "Signature",
    "UnboundError",
    "bind",
]


class Category:
    """The numbers of System.Management.Automation.ErrorCategory that are used here."""

    NOT_SPECIFIED = 0
    INVALID_ARGUMENT = 5
    INVALID_OPERATION = 7
    NOT_INSTALLED = 12
    OBJECT_NOT_FOUND = 13
    PARSER_ERROR = 17


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a cmdlet: those with a value, those without (switches), and those that a position fills."""

    name: str
    values: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    mandatory: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A bound call: names as the signature spells them; a switch is True or False, any other value a text or None."""

    name: str
    parameters: Mapping[str, str | bool | None]
    user: str


@dataclass(frozen=True, slots=True)
class Output:
    """One object, serialised."""

    clixml: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress record."""

    activity: str
    status: str
    percent: int = -1


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is said for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Problem:
    """An error record. A terminating one ends the pipeline as Failed."""

    message: str
    error_id: str
    category: int
    activity: str
    reason: str  # the exception's short name
    exception_types: tuple[str, ...]
    target_name: str = ""
    target_type: str = ""
    terminating: bool = False

    def as_terminating(self) -> Problem:
        """The same, ending the pipeline."""
        return replace(self, terminating=True)


Said: TypeAlias = "Output | Notice | Progress | Pause | Problem"


class Cmdlets(Protocol):
    """Whoever has the cmdlets of one server."""

    def signature(self, name: str, user: User) -> Signature | None:
        """The cmdlet of this name that the user's roles grant; None is an unknown cmdlet."""

    def run(self, call: Call) -> Iterable[Said]:
        """What the cmdlet says, in order."""


_COMMON_VALUES = (
    "ErrorAction",
    "ErrorVariable",
    "InformationAction",
    "InformationVariable",
    "OutBuffer",
    "OutVariable",
    "PipelineVariable",
    "WarningAction",
    "WarningVariable",
)
_COMMON_SWITCHES = ("Debug", "Verbose")


class UnboundError(Exception):
    """A parameter does not exist, or one that must be given was not."""

    def __init__(self, parameter: str, *, missing: bool = False) -> None:
        super().__init__(parameter)
        self.parameter = parameter
        self.missing = missing


def bind(
    signature: Signature, arguments: Sequence[tuple[str | None, object]]
) -> tuple[dict[str, str | bool | None], dict[str, str]]:
    """The parameters of a cmdlet and the common ones, as PowerShell would bind them.

    Raises:
        UnboundError: there is no such parameter (or several begin so), or a mandatory one is missing.
    """
    bound: dict[str, str | bool | None] = {}
    common: dict[str, str] = {}
    positions = list(signature.positions)
    for name, value in arguments:
        if name is None:
            free = [position for position in positions if position not in bound]
            if not free:
                raise UnboundError(str(value))
            bound[free[0]] = _value(value)
            continue
        full = _full_name(signature, name.rstrip(":"))
        if full in (*_COMMON_VALUES, *_COMMON_SWITCHES):
            common[full] = str(value)
        elif full in signature.switches:
            bound[full] = value is None or str(value).casefold() == "true"
        else:
            bound[full] = _value(value)
    for name in signature.mandatory:
        if bound.get(name) is None:
            raise UnboundError(name, missing=True)
    return bound, common


def _value(value: object) -> str | None:
    return None if value is None else str(value)


def _full_name(signature: Signature, name: str) -> str:
    known = (*signature.values, *signature.switches, *_COMMON_VALUES, *_COMMON_SWITCHES)
    for candidate in known:
        if candidate.casefold() == name.casefold():
            return candidate
    begins = [candidate for candidate in known if candidate.casefold().startswith(name.casefold())]
    if len(begins) != 1:
        raise UnboundError(name)
    return begins[0]
