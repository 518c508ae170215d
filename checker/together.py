"""Several sources of remote PowerShell as one: the first that holds the answer to a question gives it.

What is asked of all servers at once is put together server by server: of each the first source counts that speaks of
it. Which servers there are says the newest source that asked the whole organisation; exports add those that it could
not know yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    CmdletError,
    CmdletRunner,
    Keep,
    NotCollected,
    PSObject,
    PSValue,
    Reason,
)
from checker.exports.answering import DIRECTORIES, server_of
from checker.exports.values import short
from checker.saved import SavedView

__all__ = ["Together", "together"]

_SERVERS = CmdletCall.of("Get-ExchangeServer")
_OF_SERVERS = {
    name.casefold(): name
    for name in (_SERVERS.name, "Get-ClientAccessServer", "Get-ClientAccessService", "Get-MailboxServer", *DIRECTORIES)
}
_NAMING = frozenset({"identity", "server"})


def together(*views: SavedView | None) -> Together | None:
    """The sources of these views, each once, in their order; None when none of them has any."""
    found: dict[int, SavedView] = {}
    for view in views:
        if view is not None and view.runner is not None:
            found.setdefault(id(view.runner), view)
    return Together(tuple(found.values())) if found else None


class Together:
    """A `CmdletRunner` that asks one view after the other. `left_out` has a sentence for each server that is gone."""

    def __init__(self, views: Sequence[SavedView]) -> None:
        self._views = views
        self._listed: dict[int, frozenset[str]] = {}
        self._there: frozenset[str] | None = None
        self.left_out: list[str] = []

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """The first answer; without one the first reason that is more than not held."""
        if len(self._views) == 1:
            return await _runner(self._views[0]).run(call, keep=keep)
        if call.name.casefold() in _OF_SERVERS and not _NAMING & {name.casefold() for name, _ in call.parameters}:
            return await self._of_servers(call, keep)
        lacking: NotCollected | None = None
        for view in self._views:
            answer = await _runner(view).run(call, keep=keep)
            if isinstance(answer, CmdletAnswer):
                return answer
            lacking = _better(lacking, answer)
        assert lacking is not None
        return lacking

    async def _of_servers(self, call: CmdletCall, keep: Keep | None) -> CmdletAnswer | NotCollected:
        cmdlet = _OF_SERVERS[call.name.casefold()]
        known = await self._all() if cmdlet != _SERVERS.name else None
        first: tuple[SavedView, CmdletAnswer] | None = None
        lacking: NotCollected | None = None
        objects: list[PSValue] = []
        errors: list[CmdletError] = []
        doubts: dict[str, CmdletError] = {}
        spoken: set[str] = set()
        for view in self._views:
            answer = await _runner(view).run(call)
            if isinstance(answer, NotCollected):
                lacking = _better(lacking, answer)
                continue
            told = [(_server(cmdlet, value), value) for value in answer.objects]
            named = {server for server, _ in told if server is not None}
            listed = await self._servers_of(view)
            silent: set[str] = set()
            for error in answer.errors:
                server = _behind(error.target, listed | named | (known or frozenset()))
                if server is None:
                    errors += [error] if first is None else []
                elif server in named and server not in spoken:
                    errors.append(error)
                elif server not in spoken:
                    silent.add(server)
                    doubts.setdefault(server, error)
            for server, value in told:
                if first is None or self._adds(server, spoken, known, view, first[0]):
                    objects.append(value)
            spoken |= named | ((listed - silent) if view.whole else frozenset())
            first = first or (view, answer)
        if first is None:
            assert lacking is not None
            return lacking
        errors += [error for server, error in doubts.items() if server not in spoken]
        kept = tuple(objects if keep is None else (keep(value) for value in objects))
        return replace(first[1], objects=kept, errors=tuple(errors))

    def _adds(
        self, server: str | None, spoken: set[str], known: frozenset[str] | None, view: SavedView, first: SavedView
    ) -> bool:
        """Whether an object of a later view belongs to the answer: its server is there, and nobody has spoken of it."""
        if server is None or server in spoken:
            return False
        return self._may_add(view, first, server) if known is None else server in known

    async def _all(self) -> frozenset[str] | None:
        """Every server there is, by its short name; None when nobody says."""
        if self._there is None:
            answer = await self._of_servers(_SERVERS, None)
            if isinstance(answer, NotCollected):
                return None
            self._there = frozenset(
                name for value in answer.objects if (name := _server(_SERVERS.name, value)) is not None
            )
        return self._there

    async def _servers_of(self, view: SavedView) -> frozenset[str]:
        """The servers that one view lists."""
        if id(view) not in self._listed:
            answer = await _runner(view).run(_SERVERS)
            objects = answer.objects if isinstance(answer, CmdletAnswer) else ()
            names = (_server(_SERVERS.name, value) for value in objects)
            self._listed[id(view)] = frozenset(name for name in names if name is not None)
        return self._listed[id(view)]

    def _may_add(self, view: SavedView, first: SavedView, server: str) -> bool:
        """Whether a server is there that the first list does not name: it may be newer than that, or gone by then."""
        if view.gathered is not None and first.gathered is not None and view.gathered < first.gathered:
            sentence = (
                f"{server.upper()} is left out: {', '.join(view.files[:3])} tells of it, and the servers were listed"
                " later without it."
            )
            if sentence not in self.left_out:
                self.left_out.append(sentence)
            return False
        return True


def _runner(view: SavedView) -> CmdletRunner:
    assert view.runner is not None
    return view.runner


def _server(cmdlet: str, value: PSValue) -> str | None:
    return server_of(cmdlet, value) if isinstance(value, PSObject) else None


def _better(known: NotCollected | None, other: NotCollected) -> NotCollected:
    """Of two reasons the one that says more than that something is not held."""
    if known is None or (known.reason is Reason.NOT_GIVEN and other.reason is not Reason.NOT_GIVEN):
        return other
    return known


def _behind(target: str | None, servers: frozenset[str]) -> str | None:
    """The server in the target of an error: EX01, EX01\\mapi (Default Web Site), CN=EX01,CN=Servers,…"""
    parts = (re.sub(r"(?i)^cn=", "", part.strip()) for part in re.split(r"[\\/,]", target or ""))
    return next((name for part in parts if (name := short(part)) in servers), None)
