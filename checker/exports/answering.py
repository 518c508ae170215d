"""Answers the facts' own calls from exported objects: a CmdletRunner that was never connected.

    of the organisation    one answer for all calls                       Get-OrganizationConfig, Get-ExchangeServer …
    of servers, at once    the objects; an error of the id NOT_GIVEN_ERROR for each server of which there is none
    of one server          the objects of the server that -Server or -Identity names

What was not given is NotCollected(NOT_GIVEN) with the command that exports it. An export does not say with which
parameters it was made: that Get-MapiVirtualDirectory holds nothing of a server may as well come from -Server, so it
never says that the server has no directory.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checker.answers import (
    NOT_GIVEN_ERROR,
    CmdletAnswer,
    CmdletCall,
    CmdletError,
    Keep,
    NotCollected,
    PSObject,
    PSValue,
    Reason,
)
from checker.exports.values import member, said, short

__all__ = ["DIRECTORIES", "OF_ONE_SERVER", "ExportRunner", "Exported", "read_from_iis", "server_of", "without_lost"]

DIRECTORIES = frozenset({"Get-MapiVirtualDirectory", "Get-OutlookAnywhere"})
_OF_ALL_SERVERS = frozenset({*DIRECTORIES, "Get-ClientAccessService", "Get-MailboxServer"})
OF_ONE_SERVER = {
    "Get-ExchangeCertificate": "Server",
    "Get-HealthReport": "Identity",
    "Get-ServerComponentState": "Identity",
    "Test-ServiceHealth": "Server",
}
"""The cmdlets that answer for one server, with the parameter that names it."""

_NOT_READ = frozenset({"Test-OutlookConnectivity"})  # its objects do not say of which probe they are

_NAMING = ("Server", "Identity")
_SCOPE = "IgnoreDefaultScope"
_ACCOUNT = "AlternateServiceAccountConfiguration"
_NAMES = {
    "Get-ClientAccessService": ("Name", "Identity"),
    "Get-ExchangeServer": ("Name", "Identity"),
    "Get-HealthReport": ("Server",),
    "Get-MailboxServer": ("Name", "Identity"),
    "Get-ServerComponentState": ("Identity", "ServerFqdn"),
    **dict.fromkeys(DIRECTORIES, ("Server", "ServerName")),
}
# Where the depth of an export made a text of a list: its items joined by blanks, or the name of its type.
_LISTS = frozenset(
    {
        "certificatedomains",
        "iisauthenticationmethods",
        "localstates",
        "remotestates",
        "servicesnotrunning",
        "servicesrunning",
    }
)
_TYPE_NAME = re.compile(r"(?:System|Microsoft)\.[\w.+]+(?:`\d+)?(?:\[.*\])?")


@dataclass(frozen=True, slots=True)
class Exported:
    """An object of an export: the cmdlet that gave it, the server that it is about (a short name in folded case, None
    when it is about none), the file."""

    cmdlet: str
    value: PSObject
    server: str | None
    source: str


def server_of(cmdlet: str, value: PSObject) -> str | None:
    """The server that an object names itself, None when it names none."""
    for name in _NAMES.get(cmdlet, ()):
        told = said(member(value, name))
        if told is not None:
            return short(told)
    identity = said(member(value, "Identity")) or ""
    if cmdlet in DIRECTORIES or cmdlet == "Get-ExchangeCertificate":
        return short(identity.partition("\\")[0]) if "\\" in identity else None
    return None


def without_lost(value: PSObject) -> PSObject:
    """The object with the lists that an export of small depth made texts of: taken apart, or left out when lost."""
    changed: dict[str, PSValue | None] = {}
    for name, part in value.properties.items():
        if name.casefold() not in _LISTS or not isinstance(part, str):
            continue
        lost = not part.strip() or _TYPE_NAME.fullmatch(part.strip())
        changed[name] = None if lost else [*re.split(r"[\s,]+", part.strip().strip("{}"))]
    if not changed:
        return value
    properties = {name: changed.get(name, part) for name, part in value.properties.items()}
    left = {name: part for name, part in properties.items() if name not in changed or part is not None}
    return PSObject(value.types, value.text, left, value.value)


def read_from_iis(value: PSObject) -> bool:
    """Whether a virtual directory was read from IIS too: only IIS knows the folder."""
    return said(member(value, "Path")) is not None


class ExportRunner:
    """The cmdlets of which exports were given. `servers` are the client-access servers known, by short name;
    `too_old` are those of them that never had a MAPI directory; `nobodys` names, by cmdlet, the files that were left
    out since nothing says of which server they are."""

    def __init__(
        self,
        exported: Mapping[str, Sequence[Exported]],
        servers: Mapping[str, str],
        too_old: Collection[str],
        nobodys: Mapping[str, Sequence[str]],
    ) -> None:
        self._exported = exported
        self._servers = servers
        self._too_old = too_old
        self._nobodys = nobodys

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """The answer, or that no export of it was given."""
        parameters = {name.casefold(): value for name, value in call.parameters}
        # Exchange 2013 has the older name for what later is Get-ClientAccessService.
        cmdlet = "Get-ClientAccessService" if call.name == "Get-ClientAccessServer" else call.name
        exported = self._exported.get(cmdlet, ())
        if cmdlet in self._nobodys and (not exported or not self._tells_of(exported, parameters)):
            return _nobodys(call, self._nobodys[cmdlet])
        if not exported:
            return _none_given(call)
        named = parameters.get("server", parameters.get("identity"))
        errors: tuple[CmdletError, ...] = ()
        if cmdlet in DIRECTORIES:
            if isinstance(named, str):
                return self._of_iis(call, exported, named)
            exported = _of_directory(exported)
            errors = self._silent(cmdlet, exported)
        elif cmdlet == "Get-ClientAccessService" and "includealternateserviceaccountcredentialstatus" in parameters:
            exported = [one for one in exported if member(one.value, _ACCOUNT) is not None]
        elif cmdlet in _OF_ALL_SERVERS:
            errors = self._silent(cmdlet, exported)
        if isinstance(named, str) and cmdlet not in DIRECTORIES:
            exported = [one for one in exported if _is_of(one, named)]
            if not exported:
                return _not_given(call)
        if "recipienttypedetails" in parameters:
            exported = [one for one in exported if _is_a(one.value, str(parameters["recipienttypedetails"]))]
        if parameters.get("archive") is True:
            exported = [one for one in exported if (said(member(one.value, "ArchiveGuid")) or "").strip("0-{}")]
        return _answer(call, exported, errors, keep)

    def _tells_of(self, exported: Sequence[Exported], parameters: Mapping[str, object]) -> bool:
        named = parameters.get("server", parameters.get("identity"))
        return not isinstance(named, str) or any(_is_of(one, named) for one in exported)

    def _of_iis(self, call: CmdletCall, exported: Sequence[Exported], server: str) -> CmdletAnswer | NotCollected:
        """What IIS holds: only of objects that were read from there. A list that stands for Active Directory already
        is not given a second time, for it would agree with itself."""
        own = [one for one in exported if one.server == short(server)]
        from_iis = [one for one in own if read_from_iis(one.value)]
        if not from_iis:
            return _not_given(call)
        of_directory = {id(one.value) for one in _of_directory(own)}
        kept = [
            Exported(one.cmdlet, _without(one.value, "IISAuthenticationMethods"), one.server, one.source)
            if id(one.value) in of_directory
            else one
            for one in from_iis
        ]
        return _answer(call, kept, (), None)

    def _silent(self, cmdlet: str, exported: Sequence[Exported]) -> tuple[CmdletError, ...]:
        """One error for each server of which the exports of a cmdlet about all servers hold nothing."""
        having = {one.server for one in exported}
        having |= set(self._too_old) if cmdlet == "Get-MapiVirtualDirectory" else set()
        return tuple(
            CmdletError(
                NOT_GIVEN_ERROR,
                "NotSpecified",
                f"The exports of {cmdlet} hold nothing of {name}: whether there is nothing, or they were made of other"
                f" servers alone, they do not say. Add one: {cmdlet} -{_parameter(cmdlet)} {name} | Export-Clixml"
                f" {cmdlet}-{name}.xml; what it then still does not hold is told by mapiready check.",
                name,
                (),
            )
            for key, name in self._servers.items()
            if key not in having
        )


def _parameter(cmdlet: str) -> str:
    return "Server" if cmdlet in DIRECTORIES else "Identity"


def _of_directory(exported: Sequence[Exported]) -> list[Exported]:
    """One object for each directory: the one of Active Directory, where there is one."""
    chosen: dict[str, Exported] = {}
    for one in exported:
        identity = (said(member(one.value, "Identity")) or one.value.text or str(id(one.value))).casefold()
        if identity not in chosen or (read_from_iis(chosen[identity].value) and not read_from_iis(one.value)):
            chosen[identity] = one
    return list(chosen.values())


def _without(value: PSObject, name: str) -> PSObject:
    left = {key: part for key, part in value.properties.items() if key.casefold() != name.casefold()}
    return PSObject(value.types, value.text, left, value.value)


def _is_of(one: Exported, named: str) -> bool:
    if one.server is not None:
        return one.server == short(named)
    names = (said(member(one.value, name)) for name in ("Identity", "DistinguishedName", "Name", "PrimarySmtpAddress"))
    return named.casefold() in {name.casefold() for name in names if name is not None}


def _is_a(value: PSObject, wanted: str) -> bool:
    told = said(member(value, "RecipientTypeDetails"))
    return told is not None and told.casefold() == wanted.casefold()


def _not_given(call: CmdletCall) -> NotCollected:
    named = [(name, value) for name, value in call.parameters if name in _NAMING]
    of = f" of {named[0][1]}" if named else ""
    if call.name in DIRECTORIES and named:
        of += " with what IIS holds (without -ADPropertiesOnly)"
    command = str(CmdletCall(call.name, tuple(pair for pair in call.parameters if pair[0] != _SCOPE)))
    return NotCollected(
        Reason.NOT_GIVEN,
        f"No export of {call.name}{of} was given; add one, made in the Exchange Management Shell:"
        f" {command} | Export-Clixml {call.name}.xml.",
    )


def _nobodys(call: CmdletCall, files: Sequence[str]) -> NotCollected:
    return NotCollected(
        Reason.NOT_GIVEN,
        f"Nothing says of which server {', '.join(files[:3])} is, with the objects of {call.name}; put the server's"
        " name into the name of the file.",
    )


def _none_given(call: CmdletCall) -> NotCollected:
    """There is no export of the cmdlet whatsoever: one sentence for all servers, so that it is told once."""
    if call.name in _NOT_READ:
        return NotCollected(
            Reason.NOT_GIVEN,
            f"Exports do not hold the answers of {call.name}; mapiready collector, run on a server, or mapiready gather"
            " asks for them.",
        )
    named = "".join(f" -{name} NAME" for name, _ in call.parameters if name in _NAMING)
    given = CmdletCall(call.name, tuple(pair for pair in call.parameters if pair[0] not in (*_NAMING, _SCOPE)))
    file = f"{call.name}-NAME.xml for each server" if named else f"{call.name}.xml"
    return NotCollected(
        Reason.NOT_GIVEN,
        f"No export of {call.name} was given; add one, made in the Exchange Management Shell:"
        f" {given}{named} | Export-Clixml {file}.",
    )


def _answer(
    call: CmdletCall, exported: Sequence[Exported], errors: tuple[CmdletError, ...], keep: Keep | None
) -> CmdletAnswer:
    ran = next((name for one in exported if (name := said(member(one.value, "PSComputerName"))) is not None), None)
    source = Path(exported[0].source).name if exported else "its export"
    objects = (one.value for one in exported)
    return CmdletAnswer(
        call=call,
        server=ran or f"a server that {source} does not name",
        objects=tuple(objects if keep is None else (keep(value) for value in objects)),
        errors=errors,
        warnings=(),
        seconds=0.0,
    )
