"""Whatever a value holds, the line stays one command with literal arguments, and the arguments are the values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.quoting import is_hidden, powershell_line, powershell_words, quoted
from checker.results import Cmdlet, CmdletValue
from tests.reports.needed import module
from tests.reports.samples import HOSTILE

QUOTES = "'\u2018\u2019\u201a\u201b"
TEXTS = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp"]),
        st.sampled_from(QUOTES + '$`"(){};|&<>#@%\\, -\u2013\u2014\u2015\n\r\t\0'),
    ),
    max_size=40,
)
VALUES: st.SearchStrategy[CmdletValue] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**31), 2**31 - 1), TEXTS, st.lists(TEXTS, max_size=4).map(tuple)
)
CMDLETS = st.builds(
    lambda verb, noun, parameters: Cmdlet(f"{verb}-{noun}", **parameters),
    st.sampled_from(["Set", "Get", "Enable"]),
    st.from_regex(r"[A-Z][A-Za-z0-9]{0,9}", fullmatch=True),
    st.dictionaries(st.from_regex(r"[A-Z][A-Za-z0-9]{0,9}", fullmatch=True), VALUES, max_size=4),
)


class Reader:
    """Reads a command line by the rules of about_Parsing and about_Quoting_Rules, and refuses all else.

    Written for this test alone, from PowerShell's rules and not from what our writer happens to write.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0

    def take(self, pattern: str) -> str:
        match = re.compile(pattern).match(self.line, self.at)
        assert match, f"expected {pattern} at {self.line[self.at : self.at + 30]!r}"
        self.at = match.end()
        return match[0]

    def ahead(self, text: str) -> bool:
        return self.line.startswith(text, self.at)

    def string(self) -> str:
        assert self.line[self.at] in QUOTES
        self.at += 1
        value = ""
        while True:
            character = self.line[self.at]
            self.at += 1
            if character not in QUOTES:
                value += character
            elif self.at < len(self.line) and self.line[self.at] in QUOTES:
                value += character
                self.at += 1
            else:
                return value

    def text(self) -> str:
        if not self.ahead("("):
            return self.string()
        self.take(r"\(")
        value = self.string()
        while self.ahead(" + "):
            self.take(r" \+ ")
            value += chr(int(self.take(r"\[char\]0x[0-9A-F]{2,4}")[8:], 16)) if self.ahead("[char]") else self.string()
        self.take(r"\)")
        return value

    def value(self) -> CmdletValue:
        if self.ahead("$null"):
            self.take(r"\$null")
            return None
        if self.ahead("@()"):
            self.take(r"@\(\)")
            return ()
        if self.line[self.at] in "-0123456789":
            return int(self.take(r"-?\d+"))
        items = [self.text()]
        while self.ahead(", "):
            self.take(", ")
            items.append(self.text())
        return tuple(items)

    def command(self) -> tuple[str, dict[str, CmdletValue]]:
        name = self.take(r"[A-Za-z]+-[A-Za-z0-9]+")
        parameters: dict[str, CmdletValue] = {}
        while self.at < len(self.line):
            parameter = self.take(r" -[A-Za-z][A-Za-z0-9]*")[2:]
            if self.ahead(":"):
                parameters[parameter] = self.take(r":\$(true|false)") == ":$true"
            else:
                self.take(" ")
                parameters[parameter] = self.value()
        return name, parameters


def as_powershell(text: str) -> str:
    """A .NET string is UTF-16, in which a character beyond U+FFFF is two."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def expected(value: CmdletValue) -> CmdletValue:
    """One text and a list of one text are the same to PowerShell's binder."""
    match value:
        case str():
            return (as_powershell(value),)
        case tuple():
            return tuple(as_powershell(item) for item in value)
        case _:
            return value


def normal(value: CmdletValue) -> CmdletValue:
    return tuple(as_powershell(item) for item in value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("value", "argument"),
    [
        ("EX01\\mapi (Default Web Site)", "-P 'EX01\\mapi (Default Web Site)'"),
        ("it's", "-P 'it''s'"),
        ("\u2018a\u2019\u201ab\u201b", "-P '\u2018\u2018a\u2019\u2019\u201a\u201ab\u201b\u201b'"),
        ("$(Remove-Mailbox *); `whoami`", "-P '$(Remove-Mailbox *); `whoami`'"),
        ("a\nb", "-P ('a' + [char]0x0A + 'b')"),
        ("\x1b[2J", "-P ('' + [char]0x1B + '[2J')"),
        ("\0", "-P ('' + [char]0x00)"),
        ("\ud800", "-P ('' + [char]0xD800)"),
        ("x\U000e0041", "-P ('x' + [char]0xDB40 + [char]0xDC41)"),
        ("", "-P ''"),
        ("<thumbprint of the new certificate>", "-P '<thumbprint of the new certificate>'"),
        (None, "-P $null"),
        (True, "-P:$true"),
        (False, "-P:$false"),
        (-7, "-P -7"),
        (("Ntlm", "OAuth"), "-P 'Ntlm', 'OAuth'"),
        (("one",), "-P 'one'"),
        ((), "-P @()"),
    ],
)
def test_each_kind_of_value(value: CmdletValue, argument: str) -> None:
    assert powershell_line(Cmdlet("Set-Thing", P=value)) == f"Set-Thing {argument}"


@given(CMDLETS)
def test_the_line_reads_back_as_the_values(cmdlet: Cmdlet) -> None:
    name, parameters = Reader(powershell_line(cmdlet)).command()
    assert name == cmdlet.name
    wanted = {parameter: expected(value) for parameter, value in cmdlet.parameters}
    assert {parameter: normal(value) for parameter, value in parameters.items()} == wanted


@given(CMDLETS)
def test_the_line_holds_nothing_unseen(cmdlet: Cmdlet) -> None:
    line = powershell_line(cmdlet)
    assert not [character for character in line if is_hidden(character)]
    assert " ".join(powershell_words(cmdlet)) == line


@given(TEXTS)
def test_ascii_only_keeps_the_value(text: str) -> None:
    line = quoted(text, ascii_only=True)
    assert line.isascii()
    assert as_powershell(Reader(line).text()) == as_powershell(text)


def _nodes(node: Any) -> list[Any]:
    return [node, *(below for child in node.children for below in _nodes(child))]


def _parsed(text: str) -> Any:
    tree_sitter, grammar = module("tree_sitter"), module("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    return parser.parse(text.encode()).root_node


def _is_one_harmless_command(text: str, name: str) -> None:
    root = _parsed(text)
    assert not root.has_error
    nodes = _nodes(root)
    assert [node.text.decode() for node in nodes if node.type == "command_name"] == [name]
    assert {node.text.decode() for node in nodes if node.type == "variable"} <= {"$true", "$false", "$null"}
    active = {"sub_expression", "script_block", "expandable_string_literal", "invokation_expression", "redirection"}
    assert not active & {node.type for node in nodes}
    # Each sum of strings in parentheses is a pipeline of its own to the grammar; nothing else may be one.
    kinds = [node.type for node in nodes]
    assert kinds.count("pipeline_chain") == 1 + kinds.count("parenthesized_expression")


@settings(deadline=None)
@given(st.tuples(VALUES, VALUES))
def test_another_parser_sees_one_command(values: tuple[CmdletValue, CmdletValue]) -> None:
    # The grammar knows no digit in the name of a parameter; the values are what matters here.
    _is_one_harmless_command(powershell_line(Cmdlet("Set-Thing", Identity=values[0], Url=values[1])), "Set-Thing")


@pytest.mark.parametrize("label", [label for label in HOSTILE if label != "long"])
def test_hostile_values_for_another_parser(label: str) -> None:
    root = _parsed(powershell_line(Cmdlet("Set-Thing", Identity=HOSTILE[label], Values=(HOSTILE[label], "x"))))
    assert not root.has_error
    assert [node.text for node in _nodes(root) if node.type == "command_name"] == [b"Set-Thing"]


def test_another_parser_would_notice_code() -> None:
    with pytest.raises(AssertionError):
        _is_one_harmless_command("Set-Thing -Identity ''; Remove-Mailbox '*'", "Set-Thing")


@pytest.mark.parametrize("name", ["Set-Thing; Remove-Mailbox", "", "& calc", "Set-Thing\n", "$x", "Set-Th\u0456ng"])
def test_a_name_that_is_code_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a command"):
        powershell_line(Cmdlet(name))


@pytest.mark.parametrize("parameter", ["A B", "A;B", "", "A:$x", "-A", "A\n"])
def test_a_parameter_that_is_code_is_refused(parameter: str) -> None:
    with pytest.raises(ValueError, match="no name of a parameter"):
        powershell_line(Cmdlet("Set-Thing", **{parameter: "x"}))


@pytest.mark.parametrize("name", ["iisreset", "w32tm.exe", "Set-MapiVirtualDirectory"])
def test_programs_are_commands_too(name: str) -> None:
    assert powershell_line(Cmdlet(name)) == name
