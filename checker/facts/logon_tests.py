"""What Exchange's own probes say of a logon to a mailbox by MAPI over HTTP, from Test-OutlookConnectivity.

The deep test asks the mailbox server itself; the client-access test comes in by the front end, as Outlook does. Both
log on to a health mailbox of the server's first database.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import CmdletRunner, Collected
from checker.declare import fact
from checker.facts.connectivity import ProbeResult, ask_probes, has_mapi_self_test, probe_spec
from checker.facts.servers import ExchangeServer
from checker.results import Subject

__all__ = ["MapiLogonTest", "mapi_logon_tests"]

_HEALTH_SET = "OutlookMapiHttp.Protocol"
_PROBES = ("OutlookMapiHttpDeepTestProbe", "OutlookMapiHttpCtpProbe")


@dataclass(frozen=True, slots=True)
class MapiLogonTest:
    """The first logon probe that a server knows: every result, each Succeeded, or at least one of them Failed."""

    server: ExchangeServer
    results: tuple[ProbeResult, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact(cmdlets=(probe_spec(_HEALTH_SET, _PROBES),))
async def mapi_logon_tests(runner: CmdletRunner, servers: Collected[ExchangeServer]) -> Collected[MapiLogonTest]:
    """The logon test of each mailbox server that speaks MAPI over HTTP."""
    return await ask_probes(runner, servers, _HEALTH_SET, _PROBES, has_mapi_self_test, MapiLogonTest)
