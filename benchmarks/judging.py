"""Judging a snapshot of a very large organisation. `python -m benchmarks.judging make|judge FILE` is the child.

The snapshot is gathered by the tool's own facts and recorder, from the lab's cmdlets and certificates in memory: what
would take an hour over sockets takes minutes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import ROOT, Measure, python, run

if TYPE_CHECKING:
    from lab.pki import Authority
    from lab.scenario import Scenario

__all__ = ["thousand_servers"]

_SERVERS = 1_000
_MAILBOXES = 50_000
_SECONDS = 75
_MEGABYTES = 350


def thousand_servers() -> Iterator[Measure]:
    """A snapshot of 1,000 servers and 50,000 mailboxes, judged by every check."""
    with tempfile.TemporaryDirectory(prefix="mapiready-bench-") as folder:
        file = Path(folder, "large.mapiready.zip")
        subprocess.run(python("-m", "benchmarks.judging", "make", str(file)), cwd=ROOT, check=True)
        size = file.stat().st_size / 1e6
        child = run(python("-m", "benchmarks.judging", "judge", str(file)))
    if child.exit_code:
        raise RuntimeError("the snapshot could not be judged")
    what = f"judging a snapshot of {_SERVERS:,} servers and {_MAILBOXES:,} mailboxes"
    detail = f"{child.seconds:.0f} s on the clock, a file of {size:.0f} MB"
    yield Measure(f"{what}, processor time", child.processor_seconds, _SECONDS, unit="s", detail=detail)
    yield Measure(f"{what}, peak memory", child.peak_megabytes, _MEGABYTES, unit="MB")


# --- the snapshot -----------------------------------------------------------------------------------------------------


def _make(file: Path) -> None:
    from checker.account import TestAccount
    from checker.assembling import Sources, given_facts
    from checker.facts.run import (
        GivenNames,
        MailboxMode,
        MailboxScope,
        ServerSelection,
        TrustStore,
        Vantage,
        VantagePoint,
    )
    from checker.host import HostData
    from checker.network.no_account import NoAccount
    from checker.plugins import find_checks
    from checker.runner import NoProgress, gather
    from checker.settings import Settings
    from checker.snapshot.recording import About, Recorder
    from lab.pki import Authority
    from lab.scenario import Mailboxes, load

    scenario = replace(load("large", servers=_SERVERS), mailboxes=Mailboxes(_MAILBOXES))
    authority = Authority(scenario.now, datetime.now(UTC), file.with_suffix(".pem"))
    trust = TrustStore((_der(file.with_suffix(".pem").read_text()),), "lab-root.pem", given=True)

    async def work(recorder: Recorder) -> None:
        sources = Sources(
            runner=recorder.runner(_Cmdlets(scenario, authority)),
            network=recorder.network(_Web(scenario, authority)),
            account=NoAccount(),
            test_account=TestAccount(given=False, mailbox=None, schemes=()),
            hosts=HostData(given=False, exports=(), missing=()),
            trust=trust,
            vantage=Vantage(VantagePoint.INSIDE, None),
            given_names=GivenNames(()),
            mailboxes=MailboxScope(MailboxMode.ALL),
            servers=ServerSelection(None),
        )

        async def close(_interrupted: bool) -> None:
            """Nothing was opened."""

        given = given_facts(Settings(server=()), sources, scenario.now)
        gathered = await gather(find_checks(plugins=False), given, 3600, progress=NoProgress(), close=close)
        if len(gathered.servers) != _SERVERS or gathered.problems:
            raise RuntimeError(f"{len(gathered.servers)} servers were gathered; {gathered.problems[:3]}")
        recorder.write(
            About(
                started=scenario.now,
                vantage=sources.vantage,
                given_names=sources.given_names,
                servers=sources.servers,
                mailboxes=sources.mailboxes,
                stage=None,
                narrowed=(),
                test_account=sources.test_account,
                trust=trust,
                asked=(scenario.servers[0].fqdn,),
            ),
            (),
        )

    with Recorder(file) as recorder:
        asyncio.run(work(recorder))


def _der(pem: str) -> bytes:
    import ssl

    return ssl.PEM_cert_to_DER_cert(pem)


class _Cmdlets:
    """The lab's cmdlets as a session of remote PowerShell: the messages that they would send."""

    def __init__(self, scenario: Scenario, authority: Authority) -> None:
        from lab.powershell.cmdlets import ScenarioCmdlets
        from lab.powershell.iis_cmdlets import IisCmdlets
        from lab.powershell.mailbox_cmdlets import MailboxCmdlets
        from lab.powershell.server_cmdlets import ServerCmdlets

        server = scenario.servers[0]
        self._user = scenario.powershell.users[0]
        self._server = server.fqdn
        served = cache(lambda certificate: authority.identity(certificate).chain[0])
        behind: Any = IisCmdlets(scenario, server, ScenarioCmdlets(scenario, server))
        self._cmdlets = MailboxCmdlets(scenario, server, ServerCmdlets(scenario, server, behind, served))

    async def run(self, call: Any, *, keep: Any = None, tap: Any = None) -> Any:
        from checker.answers import CmdletAnswer, NotCollected, Reason
        from checker.powershell.clixml import read_fragment
        from checker.powershell.records import Stream
        from lab.powershell.cmdlet import Call, Output, Problem, bind

        signature = self._cmdlets.signature(call.name, self._user)
        if signature is None:
            return NotCollected(Reason.CMDLET_UNKNOWN, f"{self._server} does not know {call.name}.")
        parameters, _ = bind(signature, call.parameters)
        heard, objects = tap(), []
        for said in self._cmdlets.run(Call(signature.name, parameters, self._user.name)):
            if isinstance(said, Problem):
                return NotCollected(Reason.CMDLET_ERROR, said.message)
            if isinstance(said, Output):
                clixml = said.clixml.decode("utf-8")
                heard(Stream.OUTPUT, clixml)
                value = read_fragment(clixml)
                objects.append(keep(value) if keep else value)
        return CmdletAnswer(call, self._server, tuple(objects), (), (), 0.3)


class _Web:
    """What the lab's web sites say, with the certificates of the lab."""

    def __init__(self, scenario: Scenario, authority: Authority) -> None:
        self._certificates = {name.host.casefold(): name.certificate for name in scenario.names}
        self._certificates |= {server.fqdn.casefold(): server.certificate for server in scenario.servers}
        self._chain = cache(lambda key: tuple(authority.identity(scenario.certificates[key]).chain))

    async def resolve(self, target: Any) -> Any:
        from checker.answers import Resolved

        return Resolved(target, ("192.0.2.1",), given=False, seconds=0.01)

    async def handshake(self, target: Any) -> Any:
        from checker.answers import Handshake, Layer, NotCollected, Reason

        key = self._certificates.get(target.host.casefold())
        if key is None:
            return NotCollected(Reason.NOT_RESOLVED, f"{target.host} does not exist.", Layer.RESOLVE)
        cipher = "TLS_AES_256_GCM_SHA384"
        return Handshake(target, "192.0.2.1", "TLSv1.3", cipher, self._chain(key), (), 0.02)

    async def offers(self, target: Any, version: Any) -> Any:
        from checker.answers import Offer, TlsVersion

        return Offer(target, version, version in (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3), "the lab's")

    async def get(self, target: Any, path: str) -> Any:
        return self._page(target, "GET", path)

    async def autodiscover(self, target: Any) -> Any:
        return self._page(target, "POST", "/autodiscover/autodiscover.xml")

    async def plain(self, target: Any, path: str) -> Any:
        return self._page(target, "GET", path)

    async def services(self, name: str) -> Any:
        from checker.answers import NotCollected, Reason

        return NotCollected(Reason.NOT_RESOLVED, f"{name} does not exist.")

    def _page(self, target: Any, method: str, path: str) -> Any:
        from checker.answers import HttpAnswer

        well = path.endswith("healthcheck.htm")
        body = f"200 OK<br/>{target.host}".encode() if well else b"401 - Unauthorized" * 70
        challenges = () if well else tuple(("www-authenticate", scheme) for scheme in ("Negotiate", "NTLM"))
        headers = (("server", "Microsoft-IIS/10.0"), ("x-feserver", target.host.partition(".")[0]), *challenges)
        status, reason = (200, "OK") if well else (401, "Unauthorized")
        return HttpAnswer(
            target, method, path, "192.0.2.1", status, reason, "HTTP/1.1", headers, body, truncated=False, seconds=0.03
        )


# --- judging ----------------------------------------------------------------------------------------------------------


def _judge(file: Path) -> None:
    from checker.judging import judge_files
    from checker.settings import Settings

    report = judge_files([str(file)], Settings(server=()))
    summaries = " ".join(finding.summary for finding in report.findings if finding.category.value == "mailboxes")
    if len(report.servers) != _SERVERS or f"{_MAILBOXES:,}" not in summaries:
        sys.exit(f"{len(report.servers)} servers were judged, {summaries[:500]}")


if __name__ == "__main__":
    {"make": _make, "judge": _judge}[sys.argv[1]](Path(sys.argv[2]))
