"""Facts read from exports by the fact functions themselves."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checker.answers import CmdletAnswer, CmdletCall, CmdletRunner, NotCollected
from checker.declare import read_fact
from checker.exports import read_exports
from checker.facts.run import MailboxScope, ServerSelection
from checker.facts.servers import ExchangeServer, exchange_servers
from checker.host import HostData
from checker.saved import SavedView


class Facts:
    """The facts of the files given."""

    def __init__(self, *paths: Path) -> None:
        self.view: SavedView = read_exports(paths)

    def run(self, cmdlet: str, **parameters: str | bool) -> CmdletAnswer | NotCollected:
        assert self.view.runner is not None
        return asyncio.run(self.view.runner.run(CmdletCall.of(cmdlet, **parameters)))

    def ask(self, function: Callable[..., Any], **needs: Any) -> Any:
        """One fact; the sources of the run are the view's, servers are read, everything else is given."""
        source = read_fact(function)
        assert source is not None
        given: dict[type, Any] = {
            CmdletRunner: self.view.runner,
            ServerSelection: self.view.servers,
            HostData: self.view.hosts,
            MailboxScope: self.view.mailboxes,
        }
        arguments: dict[str, Any] = {}
        for need in source.needs:
            if need.type in given:
                arguments[need.parameter] = given[need.type]
            elif need.type is ExchangeServer:
                arguments[need.parameter] = self.ask(exchange_servers)
        made = source.make(**{**arguments, **needs})
        return asyncio.run(made) if inspect.iscoroutine(made) else made
