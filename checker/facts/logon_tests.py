"""What Exchange's own probes say of a logon to a mailbox by MAPI over HTTP, from Test-OutlookConnectivity.

The deep test asks the mailbox server itself; the client-access test comes in by the front end, as Outlook does. Both
log on to a health mailbox of the server's first database.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import CmdletCall, CmdletRunner, CmdletSpec, Collected, NotCollected, Reason
from checker.declare import fact
from checker.facts.connectivity import ProbeResult, has_mapi_self_test
from checker.facts.reading import Bag, bags, shown, text
from checker.facts.servers import ExchangeServer
from checker.gathering import gather_each
from checker.results import Subject

__all__ = ["MapiLogonTest", "mapi_logon_tests"]

_HEALTH_SET = "OutlookMapiHttp.Protocol"
_PROBES = ("OutlookMapiHttpDeepTestProbe", "OutlookMapiHttpCtpProbe")
_DECIDED = frozenset({"succeeded", "failed"})


@dataclass(frozen=True, slots=True)
class MapiLogonTest:
    """The first logon probe that a server knows: every result, each Succeeded, or at least one of them Failed."""

    server: ExchangeServer
    results: tuple[ProbeResult, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact(cmdlets=(CmdletSpec("Test-OutlookConnectivity", ("ProbeIdentity", "RunFromServerId")),))
async def mapi_logon_tests(runner: CmdletRunner, servers: Collected[ExchangeServer]) -> Collected[MapiLogonTest]:
    """The logon test of each mailbox server that speaks MAPI over HTTP."""

    async def look(server: ExchangeServer) -> MapiLogonTest | NotCollected:
        for doubt in (server.version, server.is_mailbox):
            if isinstance(doubt, NotCollected):
                return doubt
        results = await _test(runner, server.name)
        return results if isinstance(results, NotCollected) else MapiLogonTest(server, results)

    tested = [
        server
        for server in servers.items
        if server.is_mailbox is not False
        and (isinstance(server.version, NotCollected) or has_mapi_self_test(server.version))
    ]
    return await gather_each("MAPI logon test", tested, look, lambda server: server.subject)


async def _test(runner: CmdletRunner, server: str) -> tuple[ProbeResult, ...] | NotCollected:
    """Asks for each probe by the name with the health set, then by the bare name that older versions know."""
    told: str | None = None
    for identity in (name for probe in _PROBES for name in (f"{_HEALTH_SET}\\{probe}", probe)):
        call = CmdletCall.of("Test-OutlookConnectivity", ProbeIdentity=identity, RunFromServerId=server)
        answer = await runner.run(call)
        if isinstance(answer, NotCollected):
            if answer.reason is not Reason.CMDLET_ERROR:
                return answer
            told = told or answer.sentence
            continue
        objects = bags(answer)
        if objects:
            return _results(objects, server, identity)
        told = told or next((error.message for error in answer.errors), None)
        if any(_says_unreachable(error.exception_types) for error in answer.errors):
            break
    why = shown(told or "no result and no error")
    return NotCollected(
        Reason.CMDLET_ERROR,
        f"{server} gave no result of the probes {' and '.join(_PROBES)} ({why}); see"
        f" that its service MSExchangeHM runs and that Get-MonitoringItemIdentity -Server {server} -Identity"
        f" {_HEALTH_SET} lists one of them.",
    )


def _says_unreachable(exception_types: tuple[str, ...]) -> bool:
    """The server's Managed Availability does not answer: it would not by another name either."""
    return any(name.rpartition(".")[2] == "ActiveMonitoringServerException" for name in exception_types)


def _results(objects: tuple[Bag, ...], server: str, identity: str) -> tuple[ProbeResult, ...] | NotCollected:
    results: list[ProbeResult] = []
    for bag in objects:
        result = text(bag, "Result")
        if isinstance(result, NotCollected):
            return result
        probe = text(bag, "MonitorIdentity")
        name = probe if isinstance(probe, str) else identity
        results.append(ProbeResult(server, name, result or "", _said(bag, "Error"), _said(bag, "Exception")))
    undecided = [result for result in results if result.result.casefold() not in _DECIDED]
    if undecided and not any(result.failed for result in results):
        return NotCollected(
            Reason.OTHER,
            f"{identity} on {server} ended with the result {shown(undecided[0].result, 40) or 'nothing'}, which says"
            " neither that it works nor that it fails; run Test-OutlookConnectivity -ProbeIdentity"
            f" '{identity}' -RunFromServerId {server} again.",
        )
    return tuple(results)


def _said(bag: Bag, name: str) -> str:
    read = text(bag, name)
    return shown(read, 2000) if isinstance(read, str) else ""
