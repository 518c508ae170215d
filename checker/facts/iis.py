"""What IIS of each server holds of its virtual directories: the same cmdlets without -ADPropertiesOnly.

The server that runs the cmdlet asks IIS of the other one. Where the account may not read IIS, Exchange reports an error
and gives no object; where IIS has no such directory, it gives what Active Directory says, with an empty Path. Neither
says anything of IIS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from checker.answers import (
    Asked,
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
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.hosts import extended_protection_of
from checker.facts.reading import Bag, bags, shown, strings, text
from checker.facts.servers import missing_because
from checker.facts.token_checking import TokenChecking, read_token_checking
from checker.gathering import gather_each
from checker.host import HostData
from checker.results import Subject, SubjectKind

__all__ = [
    "MapiDirectoryInIis",
    "OutlookAnywhereInIis",
    "TokenChecking",
    "mapi_directories_in_iis",
    "outlook_anywhere_in_iis",
]


@dataclass(frozen=True, slots=True)
class MapiDirectoryInIis:
    """Get-MapiVirtualDirectory -Server, one directory. `directory` is what Active Directory says of it."""

    NOTHING: ClassVar[str] = "there is no MAPI virtual directory"

    directory: MapiVirtualDirectory
    authentication_methods: tuple[str, ...] | NotCollected
    token_checking: TokenChecking | NotCollected

    @property
    def subject(self) -> Subject:
        return self.directory.subject


@dataclass(frozen=True, slots=True)
class OutlookAnywhereInIis:
    """Get-OutlookAnywhere -Server, one directory. `directory` is what Active Directory says of it."""

    NOTHING: ClassVar[str] = "no server has Outlook Anywhere"

    directory: OutlookAnywhere
    token_checking: TokenChecking | NotCollected

    @property
    def subject(self) -> Subject:
        return self.directory.subject


@fact(
    cmdlets=(
        CmdletSpec("Get-MapiVirtualDirectory", ("Server",), (CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Server"),)),
    )
)
async def mapi_directories_in_iis(
    runner: CmdletRunner, directories: Collected[MapiVirtualDirectory], hosts: HostData
) -> Collected[MapiDirectoryInIis]:
    """IIS of every server that has a MAPI directory, each asked by a call of its own; where the account may not read
    it, or nobody can be asked, what an export of the host tells of it."""
    collected = await _in_iis(runner, "Get-MapiVirtualDirectory", directories, _mapi)
    return _with_exports(collected, directories.items, hosts, MapiDirectoryInIis)


@fact(cmdlets=(CmdletSpec("Get-OutlookAnywhere", ("Server",), (CmdletUse(asked=Asked.CLIENT_ACCESS, by="Server"),)),))
async def outlook_anywhere_in_iis(
    runner: CmdletRunner, directories: Collected[OutlookAnywhere], hosts: HostData
) -> Collected[OutlookAnywhereInIis]:
    """IIS of every server that has Outlook Anywhere, each asked by a call of its own; else as above."""
    collected = await _in_iis(runner, "Get-OutlookAnywhere", directories, _outlook_anywhere)
    return _with_exports(collected, directories.items, hosts, lambda it, _why, mode: OutlookAnywhereInIis(it, mode))


# --- asking -----------------------------------------------------------------------------------------------------------


class _Directory(Protocol):
    """What both kinds of directories have."""

    @property
    def identity(self) -> str: ...
    @property
    def server(self) -> str: ...
    @property
    def subject(self) -> Subject: ...


D = TypeVar("D", bound=_Directory)
Held = TypeVar("Held")


async def _in_iis(
    runner: CmdletRunner, cmdlet: str, directories: Collected[D], make: Callable[[D, Bag], Held]
) -> Collected[Held]:
    on_server: dict[str, list[D]] = {}
    for directory in directories.items:
        on_server.setdefault(directory.server, []).append(directory)

    async def look(server: str) -> tuple[tuple[Held, ...], tuple[Missing, ...]] | NotCollected:
        answer = await runner.run(CmdletCall.of(cmdlet, Server=server))
        if isinstance(answer, NotCollected):
            return _not_given(server, answer.sentence) if answer.reason is Reason.FORBIDDEN else answer
        return _read(answer, server, on_server[server], make)

    collected = await gather_each(
        f"{cmdlet} (IIS)", on_server, look, lambda server: Subject(SubjectKind.SERVER, server, server=server)
    )
    found = [item for items, _ in collected.items for item in items]
    missing = [*directories.missing, *(entry for _, entries in collected.items for entry in entries)]
    for entry in collected.missing:
        missing += [Missing(directory.subject, entry.because) for directory in on_server[entry.subject.name]]
    return Collected(tuple(found), tuple(missing))


def _with_exports(
    collected: Collected[Held],
    directories: Sequence[D],
    hosts: HostData,
    make: Callable[[D, NotCollected, TokenChecking], Held],
) -> Collected[Held]:
    """What was not given by a cmdlet and is told by the IIS configuration of an export."""
    found, missing = list(collected.items), []
    by_key = {directory.subject.key: directory for directory in directories}
    for entry in collected.missing:
        directory = by_key.get(entry.subject.key)
        path = _path_in_iis(directory.identity) if directory else None
        mode = extended_protection_of(directory.server, path, hosts) if directory and path else None
        if entry.because.reason is Reason.NOT_GIVEN and directory and isinstance(mode, TokenChecking):
            found.append(make(directory, entry.because, mode))
        else:
            missing.append(entry)
    return Collected(tuple(found), tuple(missing))


def _path_in_iis(identity: str) -> str | None:
    """EX01\\mapi (Default Web Site) -> Default Web Site/mapi."""
    match = re.fullmatch(r"[^\\]+\\(.+?)\s*\(([^()]+)\)", identity)
    return f"{match[2].strip()}/{match[1]}" if match else None


def _read(
    answer: CmdletAnswer, server: str, directories: Sequence[D], make: Callable[[D, Bag], Held]
) -> tuple[tuple[Held, ...], tuple[Missing, ...]]:
    given: dict[str, Bag] = {}
    for bag in bags(answer):
        identity = text(bag, "Identity")
        if isinstance(identity, str):
            given[identity.casefold()] = bag
    found: list[Held] = []
    missing: list[Missing] = []
    for directory in directories:
        its_bag = given.get(directory.identity.casefold())
        if its_bag is None:
            missing.append(Missing(directory.subject, _why_absent(answer, server, directory)))
        elif not isinstance(text(its_bag, "Path"), str):
            # Only IIS knows the folder: without it the values are those of Active Directory, or defaults.
            missing.append(Missing(directory.subject, _not_in_iis(answer, server, directory)))
        else:
            found.append(make(directory, its_bag))
    return tuple(found), tuple(missing)


def _why_absent(answer: CmdletAnswer, server: str, directory: _Directory) -> NotCollected:
    own = [error for error in answer.errors if (error.target or "").casefold() == directory.identity.casefold()]
    for error in own or answer.errors:
        if _says_forbidden(error):
            return _not_given(server, f"{answer.server} says: {shown(error.message)}")
        return missing_because(error, answer, error.target or f"IIS of {server}")
    if not answer.objects:
        return _not_given(server, f"{answer.call}, run by {answer.server}, gave nothing")
    return NotCollected(
        Reason.OTHER,
        f"{answer.call}, run by {answer.server}, said nothing of {directory.identity};"
        " run it in the Exchange Management Shell.",
    )


def _says_forbidden(error: CmdletError) -> bool:
    """Exchange's own error for everything that IIS refuses is IISGeneralCOMException, of the category NotInstalled.

    A server whose IIS cannot be reached is IISNotReachableException instead.
    """
    names = {name.rpartition(".")[2] for name in error.exception_types}
    return error.category in ("PermissionDenied", "SecurityError", "AuthenticationError") or bool(
        names & {"IISGeneralCOMException", "UnauthorizedAccessException", "SecurityException"}
    )


def _not_given(server: str, told: str) -> NotCollected:
    return NotCollected(
        Reason.NOT_GIVEN,
        f"What IIS of {server} holds is not known: it needs an account that may read IIS, or the collector's export"
        f" ({told.rstrip('. ')}).",
    )


def _not_in_iis(answer: CmdletAnswer, server: str, directory: _Directory) -> NotCollected:
    return NotCollected(
        Reason.PROPERTY_ABSENT,
        f"{answer.call}, run by {answer.server}, gave {directory.identity} without its Path in IIS: IIS of {server} has"
        f" no such directory, or could not be asked; look at it in IIS Manager on {server}.",
    )


# --- reading ----------------------------------------------------------------------------------------------------------


def _mapi(directory: MapiVirtualDirectory, bag: Bag) -> MapiDirectoryInIis:
    methods = strings(bag, "IISAuthenticationMethods")
    if isinstance(methods, NotCollected) and methods.reason is Reason.PROPERTY_ABSENT:
        # Saved data that hold one answer alone give its list to what is said of Active Directory.
        methods = NotCollected(
            Reason.NOT_GIVEN,
            f"What IIS holds of IISAuthenticationMethods of {directory.identity} was not given apart from what Active"
            f" Directory holds: it needs {bag.cmdlet} both with and without -ADPropertiesOnly.",
        )
    elif methods == ():
        methods = NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{bag.cmdlet}, run by {bag.server}, gave an empty list of IISAuthenticationMethods for"
            f" {directory.identity}, which proves nothing; look at its authentication in IIS Manager.",
        )
    return MapiDirectoryInIis(directory, methods, read_token_checking(bag, "ExtendedProtectionTokenChecking"))


def _outlook_anywhere(directory: OutlookAnywhere, bag: Bag) -> OutlookAnywhereInIis:
    return OutlookAnywhereInIis(directory, read_token_checking(bag, "ExtendedProtectionTokenChecking"))
