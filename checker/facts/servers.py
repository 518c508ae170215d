"""Exchange servers and what they are, from Get-ExchangeServer and Get-ClientAccessService."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from checker.answers import (
    NOT_GIVEN_ERROR,
    CmdletAnswer,
    CmdletCall,
    CmdletError,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    Missing,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.reading import Bag, bags, boolean, shown, strings, text, url, version
from checker.facts.run import ServerSelection
from checker.facts.versions import SP1, Product, Version
from checker.results import Subject, SubjectKind

__all__ = [
    "SP1",
    "ClientAccessService",
    "ExchangeServer",
    "MapiHttpSupport",
    "Product",
    "ServerIndex",
    "Version",
    "client_access_services",
    "exchange_servers",
    "mapi_http_support",
    "missing_because",
    "missing_by_errors",
    "unknown_cmdlet",
]


@dataclass(frozen=True, slots=True)
class ExchangeServer:
    """Get-ExchangeServer, one server; Edge servers are left out where the fact is made.

    `version` is AdminDisplayVersion, which moves with cumulative updates only. `site` is the name of the AD site.
    """

    name: str
    fqdn: str
    version: Version | NotCollected
    site: str | NotCollected
    is_client_access: bool | NotCollected
    is_mailbox: bool | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.SERVER, self.name, server=self.name)


@dataclass(frozen=True, slots=True)
class ClientAccessService:
    """Get-ClientAccessService (2016 and later) or Get-ClientAccessServer (before), one server.

    `autodiscover_uri` is AutoDiscoverServiceInternalUri, the service connection point; None when it is empty.
    """

    name: str
    fqdn: str | NotCollected
    autodiscover_uri: str | None | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.SERVER, self.name, server=self.name)


@dataclass(frozen=True, slots=True)
class MapiHttpSupport:
    """What the client-access servers can do, taken together.

    `anywhere`: at least one of them is of a version that has MAPI over HTTP. NotCollected when none is known to be and
    not all of them are known.
    """

    anywhere: bool | NotCollected


class ServerIndex:
    """Finds the servers of a set by the name, FQDN or directory path with which an answer names them."""

    def __init__(self, servers: Collected[ExchangeServer]) -> None:
        self._servers: dict[str, ExchangeServer] = {}
        for server in servers.items:
            self._servers.setdefault(server.name.casefold(), server)
            self._servers.setdefault(server.fqdn.casefold(), server)

    def find(self, name: str) -> ExchangeServer | None:
        """The server of this name or FQDN."""
        return self._servers.get(name.casefold())

    def behind(self, target: str | None) -> ExchangeServer | None:
        """The server in the target of an error: EX01, EX01\\mapi (Default Web Site), CN=EX01,CN=Servers,…"""
        for part in re.split(r"[\\/,]", target or ""):
            server = self.find(re.sub(r"(?i)^cn=", "", part.strip()))
            if server is not None:
                return server
        return None


# --- what fact functions share ----------------------------------------------------------------------------------------


def missing_because(error: CmdletError, answer: CmdletAnswer, about: str) -> NotCollected:
    """A non-terminating error, as the reason why something is not known."""
    if error.error_id == NOT_GIVEN_ERROR:
        return NotCollected(Reason.NOT_GIVEN, error.message)
    return NotCollected(
        Reason.CMDLET_ERROR,
        f"{answer.call.name}, run by {answer.server}, reported an error about {about} ({shown(error.message)});"
        " run it in the Exchange Management Shell to see it whole.",
    )


def missing_by_errors(
    answer: CmdletAnswer, servers: Collected[ExchangeServer], selection: ServerSelection, having: Collection[str]
) -> tuple[Missing, ...]:
    """A Missing for each server that an error of a cmdlet about all servers concerns.

    An error that names none leaves every client-access server in doubt of which nothing came (`having` are the names of
    the others). One that names a server outside the selection concerns nobody.
    """
    index = ServerIndex(servers)
    found: dict[str, Missing] = {}
    for error in answer.errors:
        named = index.behind(error.target)
        if named is not None:
            concerned = [named]
        elif error.target and selection.names is not None:
            continue
        else:
            open_to_doubt = [server for server in servers.items if server.is_client_access is not False]
            concerned = [server for server in open_to_doubt if server.name not in having] or open_to_doubt
        for server in concerned:
            because = missing_because(error, answer, error.target or server.name)
            found.setdefault(server.name, Missing(server.subject, because))
    return tuple(found.values())


def unknown_cmdlet(call: CmdletCall, servers: Collected[ExchangeServer], since: str) -> NotCollected:
    """Nobody knows the cmdlet in this session; the sentence names the newest server, which most likely does."""
    known = [server for server in servers.items if not isinstance(server.version, NotCollected)]
    newest = max(known, key=lambda server: (server.version, server.name), default=None)
    name = f" (the newest here is {newest.fqdn}, {newest.version})" if newest else ""
    return NotCollected(
        Reason.CMDLET_UNKNOWN,
        f"{call.name} is not known in the session, whose server is older than {since} or whose account has no role with"
        f" it; connect to a server of {since} or newer{name} with an account in View-Only Organization Management.",
    )


# --- Get-ExchangeServer -----------------------------------------------------------------------------------------------


@fact(cmdlets=(CmdletSpec("Get-ExchangeServer"),))
async def exchange_servers(
    runner: CmdletRunner, selection: ServerSelection
) -> Collected[ExchangeServer] | NotCollected:
    """Every server but Edge servers, or the chosen ones of those; a chosen one that is not there is Missing."""
    answer = await runner.run(CmdletCall.of("Get-ExchangeServer"))
    if isinstance(answer, NotCollected):
        return answer
    found: list[ExchangeServer] = []
    missing: list[Missing] = []
    objects = bags(answer)
    by_old_server = _answered_by_2010(answer, objects)
    for bag in objects:
        name = text(bag, "Name")
        fqdn = text(bag, "Fqdn")
        if not isinstance(name, str):
            missing.append(Missing(Subject(SubjectKind.SERVER, "a server without a name"), _unnamed(bag, "name", name)))
        elif _is_edge(bag) or not selection.holds(name, fqdn if isinstance(fqdn, str) else None):
            continue
        elif not isinstance(fqdn, str):
            missing.append(Missing(Subject(SubjectKind.SERVER, name, server=name), _unnamed(bag, name, fqdn)))
        else:
            found.append(_server(bag, name, fqdn, by_old_server=by_old_server))
    for error in answer.errors:
        about = error.target or "a server"
        missing.append(Missing(Subject(SubjectKind.SERVER, about), missing_because(error, answer, about)))
    missing.extend(_not_there(selection, found, missing, answer))
    if not found and not missing:
        return NotCollected(
            Reason.MALFORMED,
            f"Get-ExchangeServer, run by {answer.server}, named no mailbox or client-access server, not even itself;"
            " see that the account may view servers (role View-Only Configuration, organisation-wide).",
        )
    return Collected(tuple(found), tuple(missing))


def _server(bag: Bag, name: str, fqdn: str, *, by_old_server: bool) -> ExchangeServer:
    its_version = version(bag, "AdminDisplayVersion")
    is_2013 = isinstance(its_version, Version) and its_version[:2] == (15, 0)
    return ExchangeServer(
        name=name,
        fqdn=fqdn,
        version=its_version,
        site=_site(bag),
        is_client_access=_told_by_2010(bag, name)
        if by_old_server and is_2013
        else _has_role(bag, "IsClientAccessServer", "ClientAccess", its_version),
        is_mailbox=_has_role(bag, "IsMailboxServer", "Mailbox", its_version),
    )


def _has_role(bag: Bag, flag: str, role: str, its_version: Version | NotCollected) -> bool | NotCollected:
    told = boolean(bag, flag)
    roles = strings(bag, "ServerRole")
    if isinstance(told, bool) or isinstance(roles, NotCollected) or not any(word.isalpha() for word in roles):
        return told
    words = {word.casefold() for word in roles}
    # From 2016 on every mailbox server has the client-access services, and the role's text says Mailbox alone.
    both = isinstance(its_version, Version) and its_version >= Version(15, 1, 0, 0) and "mailbox" in words
    return both or role.casefold() in words


def _is_edge(bag: Bag) -> bool:
    roles = strings(bag, "ServerRole")
    words = () if isinstance(roles, NotCollected) else roles
    return boolean(bag, "IsEdgeServer") is True or "edge" in {word.casefold() for word in words}


def _site(bag: Bag) -> str | NotCollected:
    """The name out of contoso.test/Configuration/Sites/Graz, CN=Graz,CN=Sites,… or Graz."""
    path = text(bag, "Site")
    if isinstance(path, NotCollected):
        return path
    if path is None:
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{bag.cmdlet}, run by {bag.server}, gave a server without an AD site; see that its subnet belongs to one.",
        )
    name = re.sub(r"(?i)^cn=([^,]*),.*$", r"\1", path)
    return re.sub(r"(?i)^.*/Sites/", "", name) or path


def _answered_by_2010(answer: CmdletAnswer, objects: Iterable[Bag]) -> bool:
    """Whether the server that ran the cmdlet is older than Exchange 2013."""
    for bag in objects:
        names = {name.casefold() for name in (text(bag, "Name"), text(bag, "Fqdn")) if isinstance(name, str)}
        if answer.server.casefold() in names:
            its_version = version(bag, "AdminDisplayVersion")
            return isinstance(its_version, Version) and its_version.major < 15
    return False


def _told_by_2010(bag: Bag, name: str) -> NotCollected:
    # Exchange 2013 gave the bits of msExchCurrentServerRoles another meaning (its mailbox role keeps the old bit of
    # client access), so that 2010 takes a 2013 mailbox server for a client-access server and the other way round.
    return NotCollected(
        Reason.PROPERTY_ABSENT,
        f"{bag.server} is Exchange 2010, which cannot tell the roles of {name}, an Exchange 2013 server;"
        f" connect to {name} or another newer server first.",
    )


def _unnamed(bag: Bag, name: str, read: str | None | NotCollected) -> NotCollected:
    if isinstance(read, NotCollected):
        return read
    return NotCollected(
        Reason.MALFORMED,
        f"{bag.cmdlet}, run by {bag.server}, gave an empty Name or Fqdn ({name});"
        " look at it with Get-ExchangeServer | Format-List Name,Fqdn.",
    )


def _not_there(
    selection: ServerSelection, found: Sequence[ExchangeServer], missing: Sequence[Missing], answer: CmdletAnswer
) -> Iterable[Missing]:
    """The chosen servers that no object is about."""
    there = {name.casefold() for server in found for name in (server.name, server.fqdn)}
    there |= {entry.subject.name.casefold() for entry in missing}
    for name in sorted(selection.names or ()):
        if name.casefold() not in there:
            sentence = (
                f"Get-ExchangeServer, run by {answer.server}, names no mailbox or client-access server {name};"
                " correct --servers."
            )
            yield Missing(Subject(SubjectKind.SERVER, name, server=name), NotCollected(Reason.OTHER, sentence))


@fact()
def mapi_http_support(servers: Collected[ExchangeServer], selection: ServerSelection) -> MapiHttpSupport:
    """Whether any client-access server has MAPI over HTTP; a narrowed or incomplete set never proves that none has."""
    doubts: list[NotCollected] = [missing.because for missing in servers.missing]
    if selection.names is not None:
        doubts.append(
            NotCollected(
                Reason.NOT_GIVEN, "Only some servers are looked at; without --servers the others are known as well."
            )
        )
    for server in servers.items:
        if server.is_client_access is False:
            continue
        if isinstance(server.version, NotCollected):
            doubts.append(server.version)
        elif server.version >= SP1:
            if server.is_client_access is True:
                return MapiHttpSupport(anywhere=True)
            doubts.append(server.is_client_access)
    return MapiHttpSupport(anywhere=doubts[0] if doubts else False)


# --- Get-ClientAccessService ------------------------------------------------------------------------------------------


_OLDER = CmdletUse(instead_of="Get-ClientAccessService")


@fact(cmdlets=(CmdletSpec("Get-ClientAccessService"), CmdletSpec("Get-ClientAccessServer", (), (_OLDER,))))
async def client_access_services(
    runner: CmdletRunner, servers: Collected[ExchangeServer], selection: ServerSelection
) -> Collected[ClientAccessService] | NotCollected:
    """The service of every client-access server, by the cmdlet's newer or older name (Exchange 2013 and 2010)."""
    call = CmdletCall.of("Get-ClientAccessService")
    answer = await runner.run(call)
    if isinstance(answer, NotCollected) and answer.reason is Reason.CMDLET_UNKNOWN:
        older = await runner.run(CmdletCall.of("Get-ClientAccessServer"))
        if isinstance(older, NotCollected) and older.reason is Reason.CMDLET_UNKNOWN:
            return unknown_cmdlet(call, servers, "Exchange 2016")
        answer = older
    if isinstance(answer, NotCollected):
        return answer
    index = ServerIndex(servers)
    found: dict[str, ClientAccessService] = {}
    for bag in bags(answer):
        name = text(bag, "Name")
        server = index.find(name) if isinstance(name, str) else None
        if server is not None:
            found[server.name] = _service(bag, server)
    missing = {entry.subject.key: entry for entry in missing_by_errors(answer, servers, selection, found)}
    for server in servers.items:
        if server.name in found or server.is_client_access is False:
            continue
        silent = NotCollected(
            Reason.OTHER,
            f"{answer.call.name}, run by {answer.server}, said nothing of {server.name};"
            f" run {answer.call.name} -Identity {server.name} in the Exchange Management Shell.",
        )
        missing.setdefault(server.subject.key, Missing(server.subject, silent))
    return Collected(tuple(found.values()), (*servers.missing, *missing.values()))


def _service(bag: Bag, server: ExchangeServer) -> ClientAccessService:
    fqdn = text(bag, "Fqdn")
    return ClientAccessService(
        name=server.name,
        fqdn=server.fqdn if fqdn is None else fqdn,
        autodiscover_uri=url(bag, "AutoDiscoverServiceInternalUri"),
    )
