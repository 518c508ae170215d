"""Finds checks and facts: the built-in ones by walking their folders, those of others by the entry-point group.

An installed package adds checks (with facts, cmdlets and probes of its own) by naming a module or package in the group
"mapiready.checks"; every module below it is looked at. A built-in that is declared wrongly stops the start; a plugin
that is broken costs only itself and is named in `Registry.problems`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from checker.account import SignedIn, TestAccount
from checker.answers import CmdletRunner, CmdletSpec, Network
from checker.declare import Check, DeclarationError, FactSource, Need, read_check, read_fact
from checker.facts.builds import BuildTable
from checker.facts.run import GivenNames, MailboxScope, Now, ServerSelection, Thresholds, TrustStore, Vantage
from checker.host import HostData

__all__ = ["ENTRY_POINT_GROUP", "GIVEN", "Registry", "find_checks"]

ENTRY_POINT_GROUP = "mapiready.checks"

GIVEN: frozenset[type] = frozenset(
    {
        BuildTable,
        CmdletRunner,
        GivenNames,
        HostData,
        MailboxScope,
        Network,
        Now,
        ServerSelection,
        SignedIn,
        TestAccount,
        Thresholds,
        TrustStore,
        Vantage,
    }
)
"""The sources and facts that a run is handed; everything else is made by a fact function."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All checks by id, all fact functions by the fact they make, and a sentence for each plugin that is left out."""

    checks: Mapping[str, Check]
    facts: Mapping[type, FactSource]
    problems: tuple[str, ...]

    def allowed(self, checks: Mapping[str, Check] | None = None) -> tuple[CmdletSpec, ...]:
        """The allow-list: each cmdlet that the facts behind these checks (default: all) declare, parameters merged."""
        merged: dict[str, tuple[str, dict[str, str]]] = {}
        for source in self.facts_behind((checks or self.checks).values()):
            for spec in source.cmdlets:
                _, parameters = merged.setdefault(spec.name.casefold(), (spec.name, {}))
                parameters.update({parameter.casefold(): parameter for parameter in spec.parameters})
        return tuple(
            CmdletSpec(name, tuple(sorted(parameters.values())))
            for name, parameters in sorted(merged.values(), key=lambda entry: entry[0])
        )

    def facts_behind(self, checks: Iterable[Check]) -> tuple[FactSource, ...]:
        """The fact functions that these checks need, directly or through others."""
        seen: dict[type, FactSource] = {}
        todo: list[Need] = [need for check in checks for need in check.needs]
        while todo:
            need = todo.pop()
            source = self.facts.get(need.type)
            if source is not None and need.type not in seen:
                seen[need.type] = source
                todo.extend(source.needs)
        return tuple(seen.values())


def find_checks(*, plugins: bool = True) -> Registry:
    """Every check and fact there is, read and validated.

    Raises:
        DeclarationError: when a built-in is declared wrongly or a foreign package hides one of ours.
    """
    checks: dict[str, Check] = {}
    facts: dict[type, FactSource] = {}
    for package in ("checker.facts", "checks"):
        _collect(_own(package), checks, facts)
    _validate(checks, facts)
    problems: list[str] = []
    if plugins:
        _add_plugins(checks, facts, problems)
    ordered = dict(sorted(checks.items()))
    return Registry(ordered, facts, tuple(problems))


def _own(name: str) -> ModuleType:
    """One of our own packages, sure not to be somebody else's of the same name."""
    module = importlib.import_module(name)
    here = Path(__file__).resolve().parent.parent
    if module.__file__ is None or here not in Path(module.__file__).resolve().parents:
        raise DeclarationError(
            f"Another installed package is called {name!r} ({module.__file__ or 'a folder without __init__.py'}) and"
            f" hides mapiready's own. Install mapiready apart from it, with pipx or uv tool."
        )
    return module


def _modules(root: ModuleType) -> Iterator[ModuleType]:
    yield root
    for info in pkgutil.walk_packages(getattr(root, "__path__", ()), root.__name__ + "."):
        yield importlib.import_module(info.name)


def _collect(root: ModuleType, checks: dict[str, Check], facts: dict[type, FactSource]) -> None:
    for module in _modules(root):
        for function in vars(module).values():
            if not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            check = read_check(function)
            if check is not None:
                if check.info.id in checks:
                    raise DeclarationError(
                        f"{module.__file__}: the check id {check.info.id!r} is taken by {checks[check.info.id].module}."
                    )
                checks[check.info.id] = check
            source = read_fact(function)
            if source is not None:
                if source.type in facts:
                    raise DeclarationError(
                        f"{module.__file__}: the fact {source.type.__name__} is made by"
                        f" {facts[source.type].module} already."
                    )
                facts[source.type] = source


def _validate(new: Mapping[str, Check], facts: Mapping[type, FactSource]) -> None:
    """Each need can be met, in the form in which it is wanted, and no fact waits for itself."""
    for check in new.values():
        each = [need for need in check.needs if _is_each(need, facts)]
        if len(each) > 1:
            names = ", ".join(need.parameter for need in each)
            raise DeclarationError(
                f"{check.module}: the check {check.info.id!r} is about more than one subject ({names})."
            )
        for need in check.needs:
            if need.type in (CmdletRunner, Network, SignedIn):
                raise DeclarationError(f"{check.module}: a check judges facts; {need.parameter!r} is a connection.")
            _meet(need, facts, check.module, ())
    for source in facts.values():
        for need in source.needs:
            if _is_each(need, facts):
                raise DeclarationError(
                    f"{source.module}: the fact {source.type.__name__} needs {need.type.__name__} of many subjects;"
                    f" it can only take Collected[{need.type.__name__}]."
                )
            _meet(need, facts, source.module, (source.type,))


def _is_each(need: Need, facts: Mapping[type, FactSource]) -> bool:
    source = facts.get(need.type)
    return source is not None and source.many and not need.whole_set


def _meet(need: Need, facts: Mapping[type, FactSource], module: str, path: tuple[type, ...]) -> None:
    if need.type in path:
        raise DeclarationError(f"{module}: the fact {need.type.__name__} needs itself.")
    if need.type in GIVEN:
        return
    source = facts.get(need.type)
    if source is None:
        raise DeclarationError(
            f"{module}: nothing makes the fact {need.type.__name__} that {need.parameter!r} asks for."
        )
    if need.whole_set and not source.many:
        raise DeclarationError(
            f"{module}: {need.type.__name__} is one fact, not a set; {need.parameter!r} asks for a set."
        )
    for inner in source.needs:
        _meet(inner, facts, source.module, (*path, need.type))


def _add_plugins(checks: dict[str, Check], facts: dict[type, FactSource], problems: list[str]) -> None:
    from importlib.metadata import entry_points

    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else entry.value
        more_checks, more_facts = dict(checks), dict(facts)
        try:
            root = entry.load()
            if not isinstance(root, ModuleType):
                raise DeclarationError(f"the entry point {entry.name!r} names {entry.value!r}, which is no module.")
            _collect(root, more_checks, more_facts)
            added = {key: check for key, check in more_checks.items() if key not in checks}
            if not added:
                raise DeclarationError(f"the module {entry.value!r} holds no check.")
            _validate(added, more_facts)
        except Exception as error:  # noqa: BLE001 - whatever a plugin does at import costs only the plugin
            problems.append(f"The plugin {package} is left out: {type(error).__name__}: {error}")
            continue
        checks.update(more_checks)
        facts.update(more_facts)
