"""Reads the scripts of a plan with another parser of PowerShell than anything of ours: tree-sitter's grammar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checker.results import CmdletValue
from tests.reports.needed import module
from tests.reports.test_quoting import Reader

# What the scripts themselves call, whatever is in the report.
OF_THE_SCRIPT = {
    "Sort-Object",
    "Write-Warning",
    "Write-Host",
    "Get-Command",
    "ConvertTo-ComparableText",
    "Assert-Single",
    "Get-SettingState",
    "Test-StepOpen",
}


@dataclass(frozen=True)
class Command:
    """A command with its parameters; a variable as a value is "$name" in a tuple of its own kind."""

    name: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Variable:
    name: str


@dataclass(frozen=True)
class Step:
    """A try block: what it reads, what it compares, and what it runs when the comparison says so."""

    guarded: bool  # the organisation's switch
    commands: tuple[Command, ...]

    def of(self, name: str) -> list[Command]:
        return [command for command in self.commands if command.name == name]

    @property
    def look(self) -> Command:
        return next(command for command in self.commands if command.name.startswith("Get-"))

    @property
    def change(self) -> Command:
        return self.commands[-1]


def root_of(script: str) -> Any:
    """The tree, in which nothing may be unreadable."""
    tree_sitter, grammar = module("tree_sitter"), module("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    root = parser.parse(script.encode("ascii")).root_node
    assert not root.has_error
    return root


def below(node: Any, kind: str) -> Iterator[Any]:
    """All nodes of a kind, in order, not looking into one that was found."""
    if node.type == kind:
        yield node
        return
    for child in node.children:
        yield from below(child, kind)


def every(node: Any, *kinds: str) -> list[Any]:
    """All nodes of these kinds, in order, those within each other too."""
    found, todo = [], [node]
    while todo:
        current = todo.pop()
        if current.type in kinds:
            found.append(current)
        todo.extend(reversed(current.children))
    return found


def names_in(script: str) -> list[str]:
    """The commands of a script, in order, apart from those that every script has."""
    names = [node.text.decode() for node in every(root_of(script), "command_name")]
    return [name for name in names if name not in OF_THE_SCRIPT]


def commands_of(node: Any) -> list[Command]:
    return [_command(found) for found in every(node, "command")]


def _command(node: Any) -> Command:
    name = node.child_by_field_name("command_name") or node.children[0]
    parameters: dict[str, Any] = {}
    current: str | None = None
    for element in every(node, "command_elements")[:1]:
        for child in element.children:
            if child.type == "command_parameter":
                current = child.text.decode()[1:]
                parameters[current] = True
            elif child.type != "command_argument_sep":
                assert current is not None, child.text
                parameters[current] = _value(child.text.decode())
                current = None
    return Command(name.text.decode(), parameters)


def _value(text: str) -> CmdletValue | Variable:
    """A literal argument, or a variable of the script."""
    if text in ("$true", "$false"):
        return text == "$true"
    if text.startswith("$") and text != "$null":
        return Variable(text[1:])
    if text.startswith("SilentlyContinue"):
        return text
    reader = Reader(text)
    value = reader.value()
    assert reader.at == len(text), text
    return value


def steps_of(script: str) -> list[Step]:
    root = root_of(script)
    steps = []
    for node in below(root, "try_statement"):
        block = node.children[1]
        assert block.type == "statement_block"
        guarded = any(parent.type == "else_clause" for parent in _parents(node))
        steps.append(Step(guarded, tuple(commands_of(block))))
    return steps


def _parents(node: Any) -> Iterator[Any]:
    while node.parent is not None:
        node = node.parent
        yield node
