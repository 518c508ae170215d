"""Text from servers made harmless and short: what every format for human eyes shows instead of the raw string.

Not escaping: HTML escapes on top of this (autoescape), the terminal takes it as plain `rich.text.Text`.
"""

from __future__ import annotations

from checker.quoting import is_hidden

__all__ = ["EVIDENCE_LIMIT", "LIMIT", "duration", "number_of", "plain_ascii", "visible"]

LIMIT = 2_000
EVIDENCE_LIMIT = 20_000

_LINE_BREAKS = str.maketrans({"\u2028": "\n", "\u2029": "\n", "\x85": "\n", "\r": "\n"})


def _shown(character: str) -> str:
    """What stands for a character that cannot be seen: a sign for a line break, a blank, or its number."""
    if character == "\n":
        return " \u21b5 "
    if character == "\t" or (character.isspace() and ord(character) >= 0xA0):
        return " "  # a tab, and the typographic spaces of localised texts ("Nom :")
    return f"<U+{ord(character):04X}>"


def visible(text: str, *, limit: int = LIMIT, lines: bool = False) -> str:
    """The text with everything unseen made visible, and cut with a note when it is longer than the limit.

    Line breaks stay only with `lines`; without it a break becomes a visible sign, so that no text fakes a second line.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    cut = text[:limit]
    if not cut.isprintable():
        cut = cut.replace("\r\n", "\n").translate(_LINE_BREAKS)
    shown = "".join(
        character if (lines and character == "\n") or not is_hidden(character) else _shown(character)
        for character in cut
    )
    return shown if len(text) <= limit else f"{shown} \u2026 (cut: {len(text):,} characters in all)"


_ASCII = str.maketrans({
    "\u00b7": "-", "\u2026": "...", "\u21b5": "/", "\u2013": "-", "\u2014": "-",
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
})  # fmt: skip


def plain_ascii(text: str) -> str:
    """The text in ASCII alone, for terminals and files that can hold nothing else; the rest is spelled `\\xfc`."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def number_of(count: int, one: str, many: str | None = None) -> str:
    """ "1 server", "2 servers", "20,000 findings"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """ "0.4 s", "41 s", "3 min 5 s", "1 h 2 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
