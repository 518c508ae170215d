"""The one place where a remedy becomes PowerShell text.

The values in a remedy come from servers and from files: a directory may be called `'; Remove-Mailbox *; '`. What leaves
this module is one line that PowerShell reads as one command with literal arguments, whatever they hold:

- text stands in single quotes, in which PowerShell expands nothing; each character that PowerShell takes for a single
  quote (U+0027 and the typographic U+2018, U+2019, U+201A, U+201B) is doubled, as
  `CodeGeneration.EscapeSingleQuotedStringContent` does;
- a character that cannot be seen (control, bidirectional, zero-width, line break, lone surrogate …) never stands in the
  line, because a console acts on some of them when they are pasted: `'a'` + line break + `'b'` is written
  `('a' + [char]0x0A + 'b')`;
- `$true` and `$false` are bound with a colon (`-Force:$true`), the one spelling that both a switch and a Boolean
  parameter accept.

Source: https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules
"""

from __future__ import annotations

import re
from typing import assert_never

from checker.results import Cmdlet, CmdletValue

__all__ = ["is_hidden", "powershell_comment", "powershell_line", "powershell_words", "quoted"]

_SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
_DOUBLED = str.maketrans({quote: quote * 2 for quote in _SINGLE_QUOTES})

# A cmdlet or a program (Set-X, iisreset, w32tm.exe) and a parameter: nothing that would need quotes.
_COMMAND = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z][A-Za-z0-9]*)*(\.exe)?")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# Characters that Unicode calls printable and that show nothing: combining joiner, fillers, blanks, variation selectors.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)


def is_hidden(character: str) -> bool:
    """Whether a reader could not see this character, or a console or browser would act on it instead of showing it."""
    return not character.isprintable() or character in _BLANK


def _is_plain(text: str, *, ascii_only: bool) -> bool:
    return text.isprintable() and (text.isascii() if ascii_only else _BLANK.isdisjoint(text))


def _literal(text: str) -> str:
    return f"'{text.translate(_DOUBLED)}'"


def _utf16(character: str) -> str:
    """The expression for one hidden character; two for one beyond U+FFFF, which .NET stores as two."""
    code = ord(character)
    if code <= 0xFFFF:
        return f"[char]0x{code:02X}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"[char]0x{0xD800 + high:X} + [char]0x{0xDC00 + low:X}"


def quoted(text: str, *, ascii_only: bool = False) -> str:
    """The PowerShell expression, on one line of visible characters, whose value is this text.

    With `ascii_only` whatever is not ASCII is spelled as its number too, so that no terminal or file changes the value.
    """
    if _is_plain(text, ascii_only=ascii_only):
        return _literal(text)
    parts: list[str] = []
    visible = ""
    for character in text:
        if not is_hidden(character) and not (ascii_only and not character.isascii()):
            visible += character
            continue
        # The sum starts with a string, so that PowerShell joins texts instead of adding numbers.
        if visible or not parts:
            parts.append(_literal(visible))
            visible = ""
        parts.append(_utf16(character))
    if visible:
        parts.append(_literal(visible))
    return f"({' + '.join(parts)})"


def _argument(name: str, value: CmdletValue, *, ascii_only: bool) -> tuple[str, ...]:
    """The words of one parameter. A list is broken into a word per item, so that a long one can be wrapped."""
    match value:
        case None:
            return (f"-{name} $null",)
        case bool():
            return (f"-{name}:${str(value).lower()}",)
        case int():
            return (f"-{name} {value}",)
        case str():
            return (f"-{name} {quoted(value, ascii_only=ascii_only)}",)
        case tuple():
            items = [quoted(item, ascii_only=ascii_only) for item in value] or ["@()"]
            items[0] = f"-{name} {items[0]}"
            return (*(f"{item}," for item in items[:-1]), items[-1])
        case _:
            assert_never(value)


def powershell_words(cmdlet: Cmdlet, *, ascii_only: bool = False) -> tuple[str, ...]:
    """The command in pieces between which a line may be broken; with a space between them they are the command.

    Raises:
        ValueError: the command or a parameter has a name that PowerShell would not take for one.
    """
    if not _COMMAND.fullmatch(cmdlet.name):
        raise ValueError(f"{cmdlet.name!r} is no name of a command; write the remedy as Cmdlet('Set-Something', …).")
    words = [cmdlet.name]
    for name, value in cmdlet.parameters:
        if not _PARAMETER.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a parameter of {cmdlet.name}; use letters and digits.")
        words.extend(_argument(name, value, ascii_only=ascii_only))
    return tuple(words)


def powershell_line(cmdlet: Cmdlet) -> str:
    """The command as one line that can be pasted into the shell.

    Raises:
        ValueError: the command or a parameter has a name that PowerShell would not take for one.
    """
    return " ".join(powershell_words(cmdlet))


def powershell_comment(text: str) -> str:
    """A text for a comment: one line of visible ASCII, the rest spelled as its number. Behind a # it ends nothing; in a
    comment of several lines (<# #>) nothing from a server may stand."""
    return "".join(sign if " " <= sign <= "~" else f"<U+{ord(sign):04X}>" for sign in text)
