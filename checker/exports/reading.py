"""Exports to a SavedView: sorts the objects of all files, says of which server each is, and what was found where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from checker.account import TestAccount
from checker.answers import CmdletAnswer, CmdletCall, Missing, NotCollected, PSObject, PSValue, Reason
from checker.exports.answering import (
    DIRECTORIES,
    OF_ONE_SERVER,
    Exported,
    ExportRunner,
    read_from_iis,
    server_of,
    without_lost,
)
from checker.exports.files import ExportFile, ExportsError, find_files, read_objects
from checker.exports.healthchecker import HealthCheck, read_health_check
from checker.exports.hosts import app_pools, extended_protection, tls_settings, web_bindings
from checker.exports.recognising import Part, reduced, type_shown, what_is
from checker.exports.values import member, said, short
from checker.facts.reading import bags, version
from checker.facts.run import GivenNames, MailboxMode, MailboxScope, ServerSelection, Vantage, VantagePoint
from checker.facts.versions import SP1, Version
from checker.host import HostData, HostExport, HostItem
from checker.results import Subject, SubjectKind
from checker.saved import SavedView

__all__ = ["NothingKnownError", "read_exports"]

_ONE_FOR_ALL = ("Get-OrganizationConfig", "Get-AuthConfig")
_WHOLE_SERVER = ("Get-MapiVirtualDirectory", "Get-ServerComponentState", "Get-ExchangeCertificate")
_DEFAULT_RESULT_SIZE = 1000
_MOST_KINDS = 100  # that are not known and told apart


@dataclass(slots=True)
class _File:
    """One file, sorted: its objects by what they are."""

    file: ExportFile
    cmdlets: dict[str, list[PSObject]] = field(default_factory=dict)
    bindings: list[PSValue] = field(default_factory=list)
    parts: list[tuple[Part, PSObject]] = field(default_factory=list)
    checks: list[HealthCheck] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    why_not: str | None = None

    @property
    def name(self) -> str:
        return self.file.path.name

    @property
    def useful(self) -> bool:
        return bool(self.cmdlets or self.bindings or self.parts or self.checks)


class NothingKnownError(ExportsError):
    """Nothing in any of the files is known."""


def read_exports(given: Sequence[Path | ExportFile]) -> SavedView:
    """What the files, and those in the folders, hold together.

    Raises:
        NothingKnownError: nothing in any of them is known.
        ExportsError: a file that was named cannot be read or is no export, or they are of more than one organisation.
    """
    files = [_sorted(file) for file in find_files(given)]
    if not any(file.useful for file in files):
        unknown = sorted({kind for file in files for kind in file.unknown})
        held = f" ({', '.join(unknown[:3])})" if unknown else ""
        many = f"None of the {len(files)} files holds" if len(files) > 1 else f"{files[0].file} does not hold"
        raise NothingKnownError(
            f"{many} anything that mapiready judges{held}; give exports such as Get-ExchangeServer | Export-Clixml"
            " servers.xml, or the XML of HealthChecker."
        )
    return _Together(files).view()


def _sorted(file: ExportFile) -> _File:
    found = _File(file)
    stem = file.path.stem
    try:
        for value in read_objects(file):
            _sort(found, reduced(value, stem), stem)
    except ExportsError as error:
        if file.named:
            raise
        return _File(file, why_not=str(error))
    return found


def _sort(found: _File, value: PSValue, stem: str) -> None:
    kind = what_is(value, stem)
    if not isinstance(value, PSObject) or kind is None:
        found.unknown[type_shown(value) if len(found.unknown) < _MOST_KINDS else "other things"] += 1
    elif isinstance(kind, str):
        found.cmdlets.setdefault(kind, []).append(without_lost(value))
    elif kind is Part.WEB_BINDING:
        found.bindings.append(value)
    elif kind is Part.HEALTH_CHECKER:
        check = read_health_check(value, found.name)
        if check is None:
            found.unknown["an object of HealthChecker without its data"] += 1
        else:
            found.checks.append(check)
    else:
        found.parts.append((kind, value))


class _Together:
    """The files of one run, put together."""

    def __init__(self, files: Sequence[_File]) -> None:
        self.files = files
        self.found: list[str] = []
        self.missing: list[str] = []
        self.nobodys: dict[str, list[str]] = {}  # by cmdlet, "" for what is told of a host
        self.checks = self._newest_checks()
        self.names = self._names()

    def view(self) -> SavedView:
        exported = self._exported()
        exports = self._host_exports()
        self._tell_files()
        times = [check.generated for _, check in self.checks if check.generated is not None]
        listed = self._listed(exported)
        hosts = HostData(
            given=bool(exports or self.nobodys.get("")), exports=exports, missing=self._without_host(listed, exports)
        )
        return SavedView(
            files=tuple(str(file.file) for file in self.files),
            gathered=max(times).astimezone(UTC) if times else None,
            vantage=Vantage(VantagePoint.INSIDE, None),
            runner=ExportRunner(exported, listed, self._too_old(exported), self.nobodys),
            network=None,
            account=None,
            test_account=TestAccount(given=False, mailbox=None, schemes=()),
            hosts=hosts,
            given_names=GivenNames(()),
            mailboxes=MailboxScope(MailboxMode.ALL),
            servers=ServerSelection(None),
            found=tuple(self.found),
            missing=tuple(self.missing),
            incomplete=tuple(self._incomplete(exported, listed)),
        )

    # --- of which server --------------------------------------------------------------------------------------------

    def _newest_checks(self) -> list[tuple[_File, HealthCheck]]:
        """The newest HealthChecker object of each server."""
        oldest = datetime.min.replace(tzinfo=UTC)
        every = [(file, check) for file in self.files for check in file.checks]
        every.sort(key=lambda entry: entry[1].generated or oldest, reverse=True)
        newest: dict[str, tuple[_File, HealthCheck]] = {}
        for file, check in every:
            first = newest.setdefault(short(check.server), (file, check))
            if first[1] is not check:
                self.missing.append(
                    f"{file.name} is left out: {first[0].name} tells of {check.server}, too, and later."
                )
        return list(newest.values())

    def _names(self) -> dict[str, str]:
        """Every server that any object names: its short name as spelled, by the name in folded case."""
        names: dict[str, str] = {}
        for _, check in self.checks:
            names.setdefault(short(check.server), check.server)
        for cmdlet, value in self._objects():
            key = server_of(cmdlet, value)
            if key:
                told = said(member(value, "Name")) if cmdlet == "Get-ExchangeServer" else None
                names[key] = told or names.get(key, key.upper())
        for file in self.files:
            for kind, value in file.parts:
                computer = said(member(value, "ComputerName")) if kind is Part.EXTENDED_PROTECTION else None
                if computer:
                    names.setdefault(short(computer), computer.partition(".")[0])
        return names

    def _objects(self) -> Iterable[tuple[str, PSObject]]:
        for file in self.files:
            for cmdlet, values in file.cmdlets.items():
                yield from ((cmdlet, value) for value in values)
        for _, check in self.checks:
            for cmdlet, objects in check.objects:
                yield from ((cmdlet, value) for value in objects)

    def _owner(self, file: _File, what: str, cmdlet: str = "") -> str | None:
        """The server of objects that name none: the one in the name of the file or its folder, or the only one."""
        places = (file.file.path.stem.casefold(), file.file.path.parent.name.casefold())
        for place in places:
            said_there = [key for key in self.names if re.search(rf"(?<![a-z0-9]){re.escape(key)}(?![a-z0-9])", place)]
            longest = max(said_there, key=len, default=None)
            if longest is not None and all(key in longest for key in said_there):
                return longest
        if len(self.names) == 1:
            return next(iter(self.names))
        self.nobodys.setdefault(cmdlet, []).append(file.name)
        servers = ", ".join(sorted(self.names.values())[:5])
        of_which = (
            f"it may be any of {servers}" if self.names else "no export of Get-ExchangeServer says which there are"
        )
        self.missing.append(
            f"{file.name} is left out: {what} in it name no server, and {of_which}; put the server's name into the"
            " name of the file."
        )
        return None

    # --- the answers ------------------------------------------------------------------------------------------------

    def _exported(self) -> dict[str, list[Exported]]:
        """The objects by cmdlet. Of what two files hold the first one's counts, HealthChecker's last."""
        found: dict[str, list[Exported]] = {}
        taken: dict[tuple[str, ...], tuple[str, int]] = {}
        for index, (cmdlet, value, server, source) in enumerate(self._in_order()):
            key = _key(cmdlet, value, server, index)
            # Everything that one source says of one server belongs together; other objects stand for themselves.
            first = taken.setdefault(key, (source, index))
            if first == (source, index) or (cmdlet in OF_ONE_SERVER and first[0] == source):
                found.setdefault(cmdlet, []).append(Exported(cmdlet, value, server, source))
            elif first[0] != source:
                self._tell_twice(cmdlet, key, first[0], source)
        for cmdlet in _ONE_FOR_ALL:
            self._refuse_two(cmdlet, found.get(cmdlet, ()))
        return found

    def _in_order(self) -> Iterable[tuple[str, PSObject, str | None, str]]:
        for file in self.files:
            for cmdlet, values in file.cmdlets.items():
                owner: str | None = None
                if cmdlet in OF_ONE_SERVER and any(server_of(cmdlet, value) is None for value in values):
                    owner = self._owner(file, f"the objects of {cmdlet}", cmdlet)
                if cmdlet == "Get-ExchangeCertificate" and len(values) == 1:
                    self.missing.append(
                        f"{file.name} is left out: it holds one certificate, while every server has several; made with"
                        " -Thumbprint, it says nothing of the others."
                    )
                    continue
                for value in values:
                    server = server_of(cmdlet, value) or owner
                    if server is not None or cmdlet not in OF_ONE_SERVER:
                        yield cmdlet, value, server, str(file.file)
        for file, check in self.checks:
            for cmdlet, objects in check.objects:
                for value in objects:
                    own = short(check.server) if cmdlet in OF_ONE_SERVER else server_of(cmdlet, value)
                    yield cmdlet, without_lost(value), own, str(file.file)

    def _tell_twice(self, cmdlet: str, key: tuple[str, ...], first: str, second: str) -> None:
        sentence = (
            f"{cmdlet} ({key[1] if len(key) > 1 else 'the same'}) is in {first} and in {second}; the first counts."
        )
        if cmdlet not in _ONE_FOR_ALL and sentence not in self.missing:
            self.missing.append(sentence)

    def _refuse_two(self, cmdlet: str, exported: Sequence[Exported]) -> None:
        names: dict[str, tuple[str, str]] = {}
        for one in exported:
            name = said(member(one.value, "Name")) or ""
            names.setdefault(name.casefold(), (name, one.source))
        if cmdlet == "Get-OrganizationConfig" and len(names) > 1:
            told = " and ".join(f"{name} ({source})" for name, source in list(names.values())[:2])
            raise ExportsError(f"The exports are of more than one organisation: {told}; judge them one at a time.")

    # --- the hosts --------------------------------------------------------------------------------------------------

    def _host_exports(self) -> tuple[HostExport, ...]:
        exports: list[HostExport] = []
        for file in self.files:
            found: dict[str, dict[HostItem, PSValue | NotCollected]] = {}
            for kind, value in file.parts:
                computer = said(member(value, "ComputerName")) if kind is Part.EXTENDED_PROTECTION else None
                owner = short(computer) if computer else self._owner(file, f"the {kind.value}")
                if owner is not None:
                    found.setdefault(owner, {}).update(_items_of(kind, value))
            if file.bindings:
                owner = self._owner(file, f"the {Part.WEB_BINDING.value}")
                if owner is not None:
                    found.setdefault(owner, {}).update(web_bindings(file.bindings))
            exports += [HostExport(self.names[owner], file.name, of) for owner, of in found.items() if of]
        exports += [HostExport(self.names[short(check.server)], file.name, check.host) for file, check in self.checks]
        return tuple(exports)

    def _without_host(self, listed: dict[str, str], exports: Sequence[HostExport]) -> tuple[Missing, ...]:
        having = {short(export.server) for export in exports}
        nobodys = ", ".join(self.nobodys.get("", ())[:3])

        def because(name: str) -> str:
            if nobodys:
                return (
                    f"Nothing says of which server {nobodys} tells; where it is {name}, put that into the name of the"
                    " file."
                )
            return f"No export tells of the host of {name}: it needs mapiready collector, or HealthChecker's XML."

        return tuple(
            Missing(Subject(SubjectKind.SERVER, name, server=name), NotCollected(Reason.NOT_GIVEN, because(name)))
            for key, name in listed.items()
            if key not in having
        )

    # --- what is told -----------------------------------------------------------------------------------------------

    def _listed(self, exported: dict[str, list[Exported]]) -> dict[str, str]:
        """The client-access servers that Get-ExchangeServer names, by their short names in folded case."""
        return {
            one.server: self.names[one.server]
            for one in exported.get("Get-ExchangeServer", ())
            if one.server is not None
            and member(one.value, "IsEdgeServer") is not True
            and member(one.value, "IsClientAccessServer") is not False
        }

    def _too_old(self, exported: dict[str, list[Exported]]) -> frozenset[str]:
        """The servers of a version that has no MAPI over HTTP, nor components in service."""
        versions = {
            one.server: version(bag, "AdminDisplayVersion")
            for one in exported.get("Get-ExchangeServer", ())
            for bag in bags(CmdletAnswer(CmdletCall.of(one.cmdlet), one.source, (one.value,), (), (), 0.0))
        }
        return frozenset(
            server
            for server, its_version in versions.items()
            if server is not None and isinstance(its_version, Version) and its_version < SP1
        )

    def _tell_files(self) -> None:
        for file in self.files:
            told = [_counted(cmdlet, len(values)) for cmdlet, values in file.cmdlets.items()]
            if file.bindings:
                told.append(f"{len(file.bindings)} {Part.WEB_BINDING.value}")
            told += [kind.value for kind, _ in file.parts]
            for check in file.checks:
                version = f" {check.version}" if check.version else ", an unknown version"
                held = [cmdlet for cmdlet, _ in check.objects]
                held += [_HOST_WORDS[item] for item in HostItem if not _lacks(check, item)]
                self.found.append(
                    f"{file.name}: {check.server} (HealthChecker{version}): {', '.join(held) or 'nothing'}."
                )
                self._tell_lacking(file, check)
            told += [_not_used(kind, count) for kind, count in file.unknown.most_common(5)]
            if told:
                self.found.append(f"{file.name}: {', '.join(told)}.")
            if file.why_not:
                self.missing.append(file.why_not)
            for cmdlet in ("Get-CASMailbox", "Get-Mailbox", "Get-User"):
                if len(file.cmdlets.get(cmdlet, ())) == _DEFAULT_RESULT_SIZE:
                    self.missing.append(
                        f"{file.name} holds exactly {_DEFAULT_RESULT_SIZE:,} objects of {cmdlet}, as many as it gives"
                        " without -ResultSize Unlimited: there may be more."
                    )

    def _tell_lacking(self, file: _File, check: HealthCheck) -> None:
        if check.lacking:
            self.missing.append(
                f"{file.name} holds nothing of {', '.join(check.lacking)} for {check.server}: HealthChecker could not"
                " read it, there is none, or its version does not write it; the file does not say which."
            )

    def _incomplete(self, exported: dict[str, list[Exported]], listed: dict[str, str]) -> Iterable[str]:
        plain = any("Get-ExchangeServer" in file.cmdlets for file in self.files)
        names = ", ".join(sorted(self.names.values())[:5]) or "servers that they do not name"
        servers = {one.server for one in exported.get("Get-ExchangeServer", ())}
        if not plain:
            yield f"exports of {names} alone: no export of Get-ExchangeServer lists the organisation's servers"
        beyond = sorted(name for key, name in self.names.items() if key not in servers)
        if plain and beyond:
            yield f"Get-ExchangeServer does not name {', '.join(beyond[:5])}, of which there are other exports"
        too_old = self._too_old(exported)
        for cmdlet in _WHOLE_SERVER:
            having = {one.server for one in exported.get(cmdlet, ())}
            lacking = sorted(name for key, name in listed.items() if key not in having | too_old)
            if lacking:
                more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
                yield f"no export of {cmdlet} for {', '.join(lacking[:5])}{more}"
        for file in self.files:
            if any(len(values) == _DEFAULT_RESULT_SIZE for values in file.cmdlets.values()):
                yield f"{file.name} may have been cut at {_DEFAULT_RESULT_SIZE:,} objects"


_HOST_WORDS = {
    HostItem.DOTNET_RELEASE: ".NET",
    HostItem.MEMORY: "memory",
    HostItem.APP_POOLS: "app pools",
    HostItem.CLR_CONFIGURATIONS: "CLR configurations",
    HostItem.WEB_BINDINGS: "IIS bindings",
    HostItem.TLS_SETTINGS: "TLS settings",
    HostItem.EXTENDED_PROTECTION: "Extended Protection",
}


def _lacks(check: HealthCheck, item: HostItem) -> bool:
    return isinstance(check.host.get(item), NotCollected) or item not in check.host


def _not_used(kind: str, count: int) -> str:
    if kind.startswith("Microsoft.Exchange."):
        return f"{kind.rpartition('.')[2]} ({count:,}), which no check needs"
    return f"not recognised: {kind} ({count:,})"


def _counted(cmdlet: str, count: int) -> str:
    return f"{cmdlet} ({count:,})"


def _items_of(kind: Part, value: PSObject) -> dict[HostItem, PSValue | NotCollected]:
    if kind is Part.APP_POOLS:
        return app_pools(value)
    if kind is Part.TLS_SETTINGS:
        return tls_settings(value)
    return extended_protection(value)


def _key(cmdlet: str, value: PSObject, server: str | None, index: int) -> tuple[str, ...]:
    """What makes an object the same as one in another file."""
    if cmdlet in OF_ONE_SERVER:
        return cmdlet, server or ""
    if cmdlet in _ONE_FOR_ALL:
        return cmdlet, said(member(value, "Name")) or ""
    identity = next(
        (told for name in ("DistinguishedName", "Identity", "Name") if (told := said(member(value, name))) is not None),
        None,
    )
    if identity is None:
        return cmdlet, "", str(index)
    if cmdlet in DIRECTORIES:
        return cmdlet, (said(member(value, "Identity")) or identity).casefold(), str(read_from_iis(value))
    if cmdlet == "Get-ClientAccessService":
        return cmdlet, identity.casefold(), str(member(value, "AlternateServiceAccountConfiguration") is not None)
    if cmdlet == "Get-ExchangeServer" and server is not None:
        return cmdlet, server
    return cmdlet, identity.casefold()
