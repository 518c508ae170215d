"""What may go wrong on the way, step by step: "receive:2:drop" drops the connection at the second Receive.

    STEP:WHEN:WHAT      STEP  create, command, send, receive, signal, delete, or any
                        WHEN  2 (the second one), 2+ (from the second on), * (every one)
                        WHAT  http:CODE[:empty|:proxy]
                                                  that status with the page that IIS (503: http.sys) would send
                              drop                the connection ends without an answer
                              reset               the same, by a TCP reset
                              hang:SECONDS        nothing for so long, then the connection ends
                              slow:SECONDS        the answer, so much later
                              truncate            half of the answer's body
                              garbage             200 with something that is not XML
                              relates-to          an answer to another question
                              wsman:CODE          that WSMan fault
                              trickle:SECONDS     the answer, byte by byte, that far apart
                              trickle-body:SECONDS  the same, but its head at once
                              endless             a body without end
                              endless-head        headers without end
                              bomb                a small answer that unpacks to gigabytes
                              not-http            something that is not HTTP
                              login               200 with a login page
                              redirect            302 to another server's /steal
                              echo                500 with the client's own headers in head and body

Counted over the whole endpoint. The first fault of the list that applies is taken. What breaks the answer (slow,
truncate, garbage, relates-to, trickle, trickle-body) happens after the request was carried out; everything else before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

__all__ = ["STEPS", "Breakage", "Injected", "Injector"]

STEPS = ("create", "command", "send", "receive", "signal", "delete")


class Breakage(Enum):
    """The kinds of faults."""

    HTTP = "http"
    DROP = "drop"
    RESET = "reset"
    HANG = "hang"
    SLOW = "slow"
    TRUNCATE = "truncate"
    GARBAGE = "garbage"
    RELATES_TO = "relates-to"
    WSMAN = "wsman"
    TRICKLE = "trickle"
    TRICKLE_BODY = "trickle-body"
    ENDLESS = "endless"
    ENDLESS_HEAD = "endless-head"
    BOMB = "bomb"
    NOT_HTTP = "not-http"
    LOGIN = "login"
    REDIRECT = "redirect"
    ECHO = "echo"


_PATTERN = re.compile(
    r"(?P<step>[a-z]+):(?P<when>[0-9]+\+?|\*):(?P<kind>[a-z-]+)(?::(?P<number>[0-9]+(?:\.[0-9]+)?))?(?::(?P<body>empty|proxy))?"
)
_NUMBERED = {
    Breakage.HTTP,
    Breakage.HANG,
    Breakage.SLOW,
    Breakage.WSMAN,
    Breakage.TRICKLE,
    Breakage.TRICKLE_BODY,
}


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault, read."""

    step: str
    first: int
    repeats: bool
    kind: Breakage
    number: float = 0
    body: str = ""  # of an HTTP status: "", "empty", "proxy"

    @classmethod
    def read(cls, text: str) -> Injected:
        """From its text.

        Raises:
            ValueError: it is not a fault; the text says what is.
        """
        match = _PATTERN.fullmatch(text)
        kinds = {kind.value: kind for kind in Breakage}
        if match is None or match["step"] not in (*STEPS, "any") or match["kind"] not in kinds:
            raise ValueError(
                f"{text!r} is not a fault of the PowerShell endpoint: write STEP:WHEN:WHAT, such as receive:2:drop;"
                f" STEP is one of {', '.join(STEPS)}, any; WHAT one of {', '.join(kinds)}"
            )
        kind = kinds[match["kind"]]
        if (kind in _NUMBERED) != (match["number"] is not None):
            wanted = "needs a number" if kind in _NUMBERED else "takes no number"
            raise ValueError(f"{text!r} is not a fault of the PowerShell endpoint: {kind.value} {wanted}")
        when = match["when"]
        return cls(
            step=match["step"],
            first=1 if when == "*" else int(when.rstrip("+")),
            repeats=when == "*" or when.endswith("+"),
            kind=kind,
            number=float(match["number"] or 0),
            body=match["body"] or "",
        )

    def applies(self, step: str, count: int, total: int) -> bool:
        """Whether this is its moment: the count-th request of the step, the total-th of all."""
        if self.step not in (step, "any"):
            return False
        number = total if self.step == "any" else count
        return number >= self.first if self.repeats else number == self.first


class Injector:
    """Counts the steps of one endpoint and says which fault is due."""

    def __init__(self, faults: Iterable[str]) -> None:
        self._faults = tuple(Injected.read(fault) for fault in faults)
        self._counts: Counter[str] = Counter()

    def due(self, step: str) -> Injected | None:
        """The fault of this request, if any. Call once for each."""
        self._counts[step] += 1
        for fault in self._faults:
            if fault.applies(step, self._counts[step], self._counts.total()):
                return fault
        return None
