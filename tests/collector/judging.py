"""A lab organisation judged from what was collected, the network looked at live: only remote PowerShell differs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from checker.account import TestAccount
from checker.assembling import Sources, given_facts, run_request
from checker.facts.run import GivenNames, ServerSelection
from checker.host import HostData
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_nameserver, parse_resolve
from checker.network.no_account import NoAccount
from checker.network.trust import load_trust
from checker.plugins import find_checks
from checker.results import Report
from checker.runner import NoProgress, audit
from checker.saved import SavedView
from lab.organisation import RunningLab
from tests.lab_audit import settings_for

__all__ = ["judge"]


def judge(lab: RunningLab, view: SavedView, hosts: HostData | None = None, **options: Any) -> Report:
    """The report; without `hosts` nothing of them is given, as live."""
    return asyncio.run(_judge(lab, view, hosts or HostData(given=False, exports=(), missing=()), options))


async def _judge(lab: RunningLab, view: SavedView, hosts: HostData, options: dict[str, Any]) -> Report:
    settings = settings_for(lab, **options)
    assert view.runner is not None
    assert settings.nameserver is not None
    network = LiveNetwork(
        NetworkSettings(
            resolve=dict(parse_resolve(entry) for entry in settings.resolve),
            nameserver=parse_nameserver(settings.nameserver),
            timeout=settings.timeout,
        )
    )
    sources = Sources(
        runner=view.runner,
        network=network,
        account=NoAccount(),
        test_account=TestAccount(given=False, mailbox=None, schemes=()),
        hosts=hosts,
        trust=load_trust(settings.ca_file),
        vantage=view.vantage,
        given_names=GivenNames(settings.name),
        mailboxes=view.mailboxes,
        servers=ServerSelection(None),
    )
    registry, started = find_checks(), datetime.now(UTC)

    async def close(_interrupted: bool) -> None:
        await network.close()

    return await audit(
        registry,
        given_facts(settings, sources, started),
        run_request(settings, registry, started=started, stage=settings.stage, narrowed=()),
        progress=NoProgress(),
        notes=lambda: (),
        close=close,
    )
