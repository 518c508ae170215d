"""A small snapshot without a lab: sources in memory, recorded as live ones are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from checker.account import TestAccount
from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    Handshake,
    HttpAnswer,
    Keep,
    Network,
    NotCollected,
    Reason,
    Resolved,
    Target,
)
from checker.facts.run import (
    GivenNames,
    MailboxMode,
    MailboxScope,
    ServerSelection,
    TrustStore,
    Vantage,
    VantagePoint,
)
from checker.network.no_network import NoNetwork
from checker.powershell.clixml import read_fragment
from checker.powershell.records import Stream, Tap
from checker.snapshot.recording import About, Recorder

__all__ = ["ABOUT", "GATHERED", "ORGANIZATION", "Pipeline", "snapshot"]

GATHERED = datetime(2027, 3, 1, 8, 30, tzinfo=UTC)
ROOT = b"\x30\x03\x02\x01\x05"
ORGANIZATION = (
    '<Obj RefId="0"><TN RefId="0"><T>Microsoft.Exchange.Data.Directory.Management.OrganizationConfig</T></TN>'
    '<ToString>Contoso</ToString><Props><S N="Name">Contoso</S><B N="MapiHttpEnabled">false</B>'
    '<B N="OAuth2ClientProfileEnabled">true</B></Props></Obj>'
)
ABOUT = About(
    started=GATHERED,
    vantage=Vantage(VantagePoint.INSIDE, None),
    given_names=GivenNames(("mail.contoso.test",)),
    servers=ServerSelection(None),
    mailboxes=MailboxScope(MailboxMode.AUTO),
    stage=None,
    narrowed=(),
    test_account=TestAccount(given=False, mailbox=None, schemes=()),
    trust=TrustStore((ROOT,), "ca.pem", given=True),
    asked=("ex01.contoso.test",),
)


@dataclass
class Pipeline:
    """Remote PowerShell in memory: messages by cmdlet, told to the tap and to `keep` as a session does."""

    says: Mapping[str, Sequence[tuple[Stream, str]]]
    sent: list[CmdletCall] = field(default_factory=list)

    async def run(
        self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
    ) -> CmdletAnswer | NotCollected:
        self.sent.append(call)
        if call.name not in self.says:
            return NotCollected(Reason.CMDLET_UNKNOWN, f"Nobody knows {call.name}.")
        heard = tap() if tap else None
        objects = []
        for stream, clixml in self.says[call.name]:
            if heard is not None:
                heard(stream, clixml)
            if stream is Stream.OUTPUT:
                value = read_fragment(clixml)
                objects.append(keep(value) if keep else value)
        return CmdletAnswer(call, "ex01.contoso.test", tuple(objects), (), (), 0.125)


class Seen(NoNetwork):
    """A network that shakes hands with everybody and says little."""

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        return Resolved(target, ("192.0.2.1",), given=False, seconds=0.01)

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        return Handshake(target, "192.0.2.1", "TLSv1.3", "TLS_AES_256_GCM_SHA384", (b"leaf", ROOT), (), 0.02)

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        headers = (("www-authenticate", "Negotiate"), ("server", "Microsoft-IIS/10.0"))
        return HttpAnswer(target, "GET", path, "192.0.2.1", 401, "No", "HTTP/1.1", headers, b"\xff\0", False, 0.03)


def snapshot(
    folder: Path,
    name: str = "org.mapiready.zip",
    *,
    says: Mapping[str, Sequence[tuple[Stream, str]]] | None = None,
    network: Network | None = None,
    powershell: bool = True,
    **about: Any,
) -> Path:
    """A snapshot of a run that asked for the organisation, and looked at mail.contoso.test."""

    async def run(recorder: Recorder) -> None:
        if powershell:
            runner = recorder.runner(Pipeline(says or {"Get-OrganizationConfig": [(Stream.OUTPUT, ORGANIZATION)]}))
            for cmdlet in says or ("Get-OrganizationConfig",):
                await runner.run(CmdletCall.of(cmdlet))
        seen = recorder.network(network or Seen())
        target = Target("mail.contoso.test")
        await seen.resolve(target)
        await seen.handshake(target)
        await seen.get(target, "/mapi/emsmdb/")
        await seen.services("_autodiscover._tcp.contoso.test")

    with Recorder(folder / name) as recorder:
        asyncio.run(run(recorder))
        return recorder.write(replace(ABOUT, **about), ())
