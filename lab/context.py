"""What every server of a running lab shares: the journal, the certificates, and how slow it is to be."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Context", "Journal", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived. Of credentials only the scheme is kept, of headers only the names."""

    listener: str  # "https ex01.contoso.test", "proxy mail.contoso.test", "powershell ex01.contoso.test"
    method: str
    path: str
    headers: tuple[str, ...]  # names in lower case
    authorization: str | None  # "Basic", "Negotiate" …; None without the header


class Journal:
    """Every request that the lab saw, in order; may be written and read from any thread."""

    def __init__(self) -> None:
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


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to each server when it starts.

    `powershell_tls` gives the TLS settings of a server's PowerShell endpoint over https: a certificate for this host
    from the lab's root, valid in real time whatever the scenario's now is.
    """

    journal: Journal
    powershell_tls: Callable[[str], ssl.SSLContext]
    latency_per_request: float = 0.0
    latency_per_cmdlet: float = 0.0
