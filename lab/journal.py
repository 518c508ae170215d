"""What was asked of a running lab: the journal, written by every server and read by tests."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["Journal", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived. Of credentials only the scheme is kept, of headers only the names."""

    listener: str  # "https ex01.contoso.test", "proxy mail.contoso.test", "powershell http ex01.contoso.test"
    method: str
    path: str  # as sent, with its query
    headers: tuple[str, ...]  # names in lower case
    authorization: str | None  # "Basic", "Negotiate" …; None without the header
    betrayed: bool = False  # something that is watched for stood in it


class Journal:
    """Every request that was seen, in order; may be written and read from any thread."""

    def __init__(self) -> None:
        self.watched: tuple[bytes, ...] = ()
        """What no request should hold; of what is found, only that it was is kept."""
        self._lock = threading.Lock()
        self._entries: list[Seen] = []

    def add(self, seen: Seen) -> None:
        """Note one request."""
        with self._lock:
            self._entries.append(seen)

    @property
    def entries(self) -> tuple[Seen, ...]:
        """What was seen so far."""
        with self._lock:
            return tuple(self._entries)
