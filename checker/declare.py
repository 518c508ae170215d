"""How a check and a fact are declared: one decorator each, nothing to register.

    @check(INFO)     a pure function of facts -> Verdict; its annotated parameters are its needs
    @fact(...)       a function that makes a fact; its annotated parameters are its needs, its annotated result the fact

What a parameter may be, for a fact type T:

    T                        the one fact of that type, or, when T is a fact about many subjects, each of them in turn
    Collected[T]             the whole set
    T | NotCollected         the same, but called also when it could not be had (the function decides)

and, for facts only, the sources of a run: CmdletRunner, Network and the values that the runner was given (Now …).
A fact function returns T (or T | NotCollected), or Collected[T] (or Collected[T] | NotCollected) for many subjects.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, TypeVar

from checker.answers import CmdletSpec, Collected, Layer, Missing, NotCollected
from checker.errors import MapireadyError
from checker.results import Category, Severity, Stage, Verdict

__all__ = [
    "Check",
    "CheckInfo",
    "DeclarationError",
    "FactSource",
    "Need",
    "Outcome",
    "Over",
    "check",
    "fact",
    "read_check",
    "read_fact",
]

Outcome: TypeAlias = Verdict | Missing
Judged: TypeAlias = Verdict | Iterator[Outcome]
Function = TypeVar("Function", bound=Callable[..., Any])
JudgeFunction = TypeVar("JudgeFunction", bound=Callable[..., Judged])

_CHECK_MARK = "__mapiready_check__"
_FACT_MARK = "__mapiready_fact__"


class DeclarationError(MapireadyError):
    """A check or fact that is declared wrongly; the sentence names the file (law 15)."""


class Over(Enum):
    """What a check over a set asks, which decides what an incomplete set allows (law 4)."""

    EVERY = "every"  # "is every one …": a FAIL stands, a PASS becomes UNKNOWN
    ANY = "any"  # "is there one …": a PASS stands, a FAIL becomes UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInfo:
    """What there is to say of a check, apart from its title (the docstring of its module) and its judge.

    `why` it matters, `how` it is judged, `mend` how to mend it, `undo` how to take the remedy back; `sources` are
    https links. `owns` names the layers whose failures this check tells: findings that are unknown because of such a
    failure are folded under it.
    """

    id: str
    severity: Severity
    category: Category
    why: str
    how: str
    mend: str
    undo: str
    sources: tuple[str, ...]
    stages: frozenset[Stage] = frozenset(Stage)
    owns: frozenset[Layer] = frozenset()
    over: Over = Over.EVERY


def check(info: CheckInfo) -> Callable[[JudgeFunction], JudgeFunction]:
    """Declares the judge of a check. The function stays an ordinary function."""

    def mark(function: JudgeFunction) -> JudgeFunction:
        setattr(function, _CHECK_MARK, info)
        return function

    return mark


def fact(*, cmdlets: tuple[CmdletSpec, ...] = ()) -> Callable[[Function], Function]:
    """Declares a function that makes a fact. `cmdlets` are the cmdlets and parameters it may send (the allow-list)."""

    def mark(function: Function) -> Function:
        setattr(function, _FACT_MARK, cmdlets)
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Need:
    """One annotated parameter: the fact type, whether the whole set is wanted, and whether NotCollected is welcome."""

    parameter: str
    type: type
    whole_set: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A check as found: its texts, its judge, its needs, and where it is from ("checks.names.name_resolves")."""

    info: CheckInfo
    title: str
    judge: Callable[..., Judged]
    needs: tuple[Need, ...]
    module: str


@dataclass(frozen=True, slots=True)
class FactSource:
    """A fact function as found. `many` is True when it makes a Collected of facts, one a subject."""

    type: type
    many: bool
    make: Callable[..., Awaitable[object] | object]
    needs: tuple[Need, ...]
    cmdlets: tuple[CmdletSpec, ...]
    module: str


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, SyntaxError) as error:
        raise DeclarationError(f"{_where(function)}: an annotation cannot be read: {error}.") from error


def _where(function: Callable[..., Any]) -> str:
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    return f"{file or function.__module__}, function {function.__qualname__}"


def _alternatives(annotation: object) -> tuple[object, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _split(annotation: object, where: str) -> tuple[type, bool, bool]:
    """A type annotation as (fact type, whole set, NotCollected allowed)."""
    parts = [part for part in _alternatives(annotation) if part is not NotCollected]
    optional = len(parts) < len(_alternatives(annotation))
    if len(parts) != 1:
        raise DeclarationError(
            f"{where}: {annotation!r} is neither a fact type T nor Collected[T] (or | NotCollected)."
        )
    part = parts[0]
    if typing.get_origin(part) is Collected:
        (inner,) = typing.get_args(part)
        if not isinstance(inner, type):
            raise DeclarationError(f"{where}: {annotation!r} is not a Collected of a fact type.")
        return inner, True, optional
    if not isinstance(part, type):
        raise DeclarationError(f"{where}: {annotation!r} is not a fact type.")
    return part, False, optional


def _needs(function: Callable[..., Any]) -> tuple[Need, ...]:
    hints = _hints(function)
    needs = []
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"{_where(function)}, parameter {name}"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DeclarationError(f"{where}: only plain parameters can be needs.")
        if parameter.default is not parameter.empty:
            raise DeclarationError(f"{where}: a need has no default value (missing is not false).")
        if name not in hints:
            raise DeclarationError(f"{where}: has no annotation, so nothing says what it needs.")
        kind, whole_set, optional = _split(hints[name], where)
        needs.append(Need(name, kind, whole_set, optional))
    return tuple(needs)


def read_check(function: Callable[..., Any]) -> Check | None:
    """The declaration behind a function, None when it is not a check.

    Raises:
        DeclarationError: when the signature or a text is not as it must be; the sentence names the file.
    """
    info = getattr(function, _CHECK_MARK, None)
    if info is None:
        return None
    where = _where(function)
    if not isinstance(info, CheckInfo):
        raise DeclarationError(f"{where}: @check takes a CheckInfo.")
    module = sys.modules.get(function.__module__)
    title = ((module.__doc__ if module else None) or "").strip().split("\n\n")[0].replace("\n", " ")
    texts = {"id": info.id, "why": info.why, "how": info.how, "mend": info.mend, "undo": info.undo}
    empty = [name for name, text in texts.items() if not text.strip()]
    if not title:
        empty.append("title (the docstring of the module)")
    if not info.sources:
        empty.append("sources")
    if empty:
        raise DeclarationError(f"{where}: the check {info.id!r} leaves empty: {', '.join(empty)}.")
    if any(not source.startswith("https://") for source in info.sources):
        raise DeclarationError(f"{where}: each source of the check {info.id!r} must be an https link.")
    needs = _needs(function)
    if not needs:
        raise DeclarationError(f"{where}: the check {info.id!r} needs no fact, so it has nothing to judge.")
    return Check(info, title, function, needs, function.__module__)


def read_fact(function: Callable[..., Any]) -> FactSource | None:
    """The declaration behind a fact function, None when it is not one.

    Raises:
        DeclarationError: when the signature is not as it must be, or a cmdlet has another verb than Get or Test.
    """
    cmdlets = getattr(function, _FACT_MARK, None)
    if cmdlets is None:
        return None
    where = _where(function)
    for spec in cmdlets:
        if spec.name.split("-", 1)[0].casefold() not in ("get", "test"):
            raise DeclarationError(f"{where}: declares {spec.name}; only Get and Test cmdlets may be sent.")
    hints = _hints(function)
    if "return" not in hints:
        raise DeclarationError(f"{where}: has no annotated result, so nothing says which fact it makes.")
    kind, many, _ = _split(hints["return"], f"{where}, result")
    return FactSource(kind, many, function, _needs(function), tuple(cmdlets), function.__module__)
