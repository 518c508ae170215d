"""The alternate service account, with which a name that several servers share can take Kerberos tickets."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from checker.answers import (
    Asked,
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.asking import ask_each_server, parts
from checker.facts.reading import Bag, bags, text
from checker.facts.servers import ExchangeServer
from checker.results import Subject

__all__ = ["AlternateServiceAccount", "alternate_service_accounts"]

_STATUS = "IncludeAlternateServiceAccountCredentialStatus"
_USE = CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Identity", fixed=((_STATUS, True),))
# "Latest: 1/12/2016 10:19:22 AM, tailspin\EXCH2016ASA$": whatever the language, an account has a backslash, and
# "<Not set>" has none.
_ACCOUNT = re.compile(r"([^\s,;\\<>]+\\[^\s,;\\<>]+)")


@dataclass(frozen=True, slots=True)
class AlternateServiceAccount:
    """The account of one client-access server ("CONTOSO\\EXCHASA$"), None when it has none."""

    server: ExchangeServer
    account: str | None

    NOTHING = "there is no client-access server of Exchange 2013 or newer"

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact(
    cmdlets=(
        CmdletSpec("Get-ClientAccessService", ("Identity", _STATUS), (_USE,)),
        CmdletSpec(
            "Get-ClientAccessServer",
            ("Identity", _STATUS),
            (replace(_USE, instead_of="Get-ClientAccessService"),),
        ),
    )
)
async def alternate_service_accounts(
    runner: CmdletRunner, servers: Collected[ExchangeServer]
) -> Collected[AlternateServiceAccount] | NotCollected:
    """The account of every client-access server: its name and date. Its password is never asked for."""

    def call(cmdlet: str, server: ExchangeServer) -> CmdletCall:
        return CmdletCall(cmdlet, (("Identity", server.name), (_STATUS, True)))

    what = "alternate service accounts"
    newer = await ask_each_server(
        what, runner, servers, lambda server: call("Get-ClientAccessService", server), _read, since_name="Exchange 2016"
    )
    if isinstance(newer, NotCollected) and newer.reason is Reason.CMDLET_UNKNOWN:
        return await ask_each_server(
            what, runner, servers, lambda server: call("Get-ClientAccessServer", server), _read
        )
    return newer


def _read(server: ExchangeServer, answer: CmdletAnswer) -> AlternateServiceAccount | NotCollected:
    bag = bags(answer)[0]
    name = "AlternateServiceAccountConfiguration"
    read = text(bag, name)
    if isinstance(read, NotCollected):
        return read
    if read is None:
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{answer.call}, run by {answer.server}, gave no {name}; see that the registry of {server.name} can be"
            " read from there.",
        )
    account = _ACCOUNT.search(read) or _ACCOUNT.search(_effective(bag, name))
    return AlternateServiceAccount(server, account[1] if account else None)


def _effective(bag: Bag, name: str) -> str:
    """The account where the object says it in a property instead of its text."""
    for part in parts(bag, name):
        for credential in parts(part, "EffectiveCredentials"):
            read = text(credential, "QualifiedUserName")
            if isinstance(read, str):
                return read
    return ""
