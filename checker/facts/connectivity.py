"""What Exchange's own probes say of its servers, from Test-OutlookConnectivity.

A self test needs no mailbox: Managed Availability asks the protocol of the server itself for a sign of life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from checker.answers import Asked, CmdletCall, CmdletRunner, CmdletSpec, CmdletUse, Collected, NotCollected, Reason
from checker.declare import fact
from checker.facts.reading import Bag, bags, shown, text
from checker.facts.servers import ExchangeServer
from checker.facts.versions import SP1, Version
from checker.gathering import gather_each
from checker.results import Subject

__all__ = [
    "MapiSelfTest",
    "ProbeResult",
    "RpcSelfTest",
    "ask_probes",
    "has_mapi_self_test",
    "has_rpc_self_test",
    "mapi_self_tests",
    "probe_spec",
    "rpc_self_tests",
]

T = TypeVar("T")

_MAPI_HEALTH_SET, _MAPI_PROBES = "OutlookMapiHttp.Protocol", ("OutlookMapiHttpSelfTestProbe",)
_RPC_HEALTH_SET, _RPC_PROBES = "Outlook.Protocol", ("OutlookRpcSelfTestProbe",)
_SUCCEEDED = "succeeded"
_FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One result of a probe, as the server spells it. `error` and `exception` are empty when it succeeded."""

    server: str
    probe: str
    result: str
    error: str
    exception: str

    @property
    def failed(self) -> bool:
        return self.result.casefold() == _FAILED


@dataclass(frozen=True, slots=True)
class MapiSelfTest:
    """OutlookMapiHttpSelfTestProbe on one server: every result, each Succeeded, or at least one of them Failed."""

    server: ExchangeServer
    results: tuple[ProbeResult, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class RpcSelfTest:
    """OutlookRpcSelfTestProbe on one server: every result, each Succeeded, or at least one of them Failed."""

    server: ExchangeServer
    results: tuple[ProbeResult, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


def has_mapi_self_test(version: Version) -> bool:
    """Whether servers of this version have the probe: 2013 SP1, with MAPI over HTTP itself."""
    return version >= SP1


def has_rpc_self_test(version: Version) -> bool:
    """Whether servers of this version have the probe: 2013, with Managed Availability."""
    return version.major >= 15


def _identities(health_set: str, probes: tuple[str, ...]) -> tuple[str, ...]:
    """Each by the name with the health set, then by the bare name that older versions know."""
    return tuple(name for probe in probes for name in (f"{health_set}\\{probe}", probe))


def probe_spec(health_set: str, probes: tuple[str, ...]) -> CmdletSpec:
    """What `ask_probes` sends."""
    first_of = ("ProbeIdentity", _identities(health_set, probes))
    use = CmdletUse(asked=Asked.MAILBOX_2013, by="RunFromServerId", first_of=first_of)
    return CmdletSpec("Test-OutlookConnectivity", ("ProbeIdentity", "RunFromServerId"), (use,))


@fact(cmdlets=(probe_spec(_MAPI_HEALTH_SET, _MAPI_PROBES),))
async def mapi_self_tests(runner: CmdletRunner, servers: Collected[ExchangeServer]) -> Collected[MapiSelfTest]:
    """The MAPI self test of each mailbox server that has one."""
    return await ask_probes(runner, servers, _MAPI_HEALTH_SET, _MAPI_PROBES, has_mapi_self_test, MapiSelfTest)


@fact(cmdlets=(probe_spec(_RPC_HEALTH_SET, _RPC_PROBES),))
async def rpc_self_tests(runner: CmdletRunner, servers: Collected[ExchangeServer]) -> Collected[RpcSelfTest]:
    """The RPC self test of each mailbox server that has one."""
    return await ask_probes(runner, servers, _RPC_HEALTH_SET, _RPC_PROBES, has_rpc_self_test, RpcSelfTest)


async def ask_probes(
    runner: CmdletRunner,
    servers: Collected[ExchangeServer],
    health_set: str,
    probes: tuple[str, ...],
    has_it: Callable[[Version], bool],
    make: Callable[[ExchangeServer, tuple[ProbeResult, ...]], T],
) -> Collected[T]:
    """The first of these probes that a server knows, of each mailbox server whose version has one."""

    async def look(server: ExchangeServer) -> T | NotCollected:
        for doubt in (server.version, server.is_mailbox):
            if isinstance(doubt, NotCollected):
                return doubt
        results = await _test(runner, server.name, health_set, probes)
        return results if isinstance(results, NotCollected) else make(server, results)

    tested = [
        server
        for server in servers.items
        if server.is_mailbox is not False and (isinstance(server.version, NotCollected) or has_it(server.version))
    ]
    return await gather_each(probes[0], tested, look, lambda server: server.subject)


async def _test(
    runner: CmdletRunner, server: str, health_set: str, probes: tuple[str, ...]
) -> tuple[ProbeResult, ...] | NotCollected:
    """The first answer, of the names in their turn."""
    problems: list[str] = []
    for identity in _identities(health_set, probes):
        call = CmdletCall.of("Test-OutlookConnectivity", ProbeIdentity=identity, RunFromServerId=server)
        answer = await runner.run(call)
        if isinstance(answer, NotCollected):
            if answer.reason is Reason.PARAMETER_UNKNOWN:
                return NotCollected(
                    Reason.PARAMETER_UNKNOWN,
                    "Test-OutlookConnectivity has no -ProbeIdentity in the session, whose server is older than Exchange"
                    f" 2013; connect to {server} or another newer server first.",
                )
            if answer.reason is not Reason.CMDLET_ERROR:
                return answer
            problems.append(answer.sentence)
        elif objects := bags(answer):
            return _results(objects, server, identity)
        else:
            problems.extend(error.message for error in answer.errors)
            if any(_says_unreachable(error.exception_types) for error in answer.errors):
                break
    told = shown(problems[0]) if problems else "no result and no error"
    return NotCollected(
        Reason.CMDLET_ERROR,
        f"{server} gave no result of the probe {' or '.join(probes)} ({told}); see that its service MSExchangeHM runs"
        f" and that Get-MonitoringItemIdentity -Server {server} -Identity {health_set} lists it.",
    )


def _says_unreachable(exception_types: tuple[str, ...]) -> bool:
    """The server's Managed Availability does not answer: it would not by the probe's other name either."""
    return any(name.rpartition(".")[2] == "ActiveMonitoringServerException" for name in exception_types)


def _results(objects: Iterable[Bag], server: str, identity: str) -> tuple[ProbeResult, ...] | NotCollected:
    results: list[ProbeResult] = []
    for bag in objects:
        result = text(bag, "Result")
        if isinstance(result, NotCollected):
            return result
        probe = text(bag, "MonitorIdentity")
        results.append(
            ProbeResult(
                server=server,
                probe=probe if isinstance(probe, str) else identity,
                result=result or "",
                error=_said(bag, "Error"),
                exception=_said(bag, "Exception"),
            )
        )
    odd = [result for result in results if result.result.casefold() not in (_SUCCEEDED, _FAILED)]
    if any(result.failed for result in results) or not odd:
        return tuple(results)
    said = shown(odd[0].error or odd[0].exception)
    return NotCollected(
        Reason.OTHER,
        f"{identity} on {server} ended with the result {shown(odd[0].result, 40) or 'nothing'}"
        f"{f' ({said})' if said else ''}, which says neither that it works nor that it fails; run"
        f" Test-OutlookConnectivity -ProbeIdentity '{identity}' -RunFromServerId {server} again.",
    )


def _said(bag: Bag, name: str) -> str:
    read = text(bag, name, 1 << 16)
    return shown(read, 2000) if isinstance(read, str) else ""
