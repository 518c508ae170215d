"""Names in use (namespaces): which, by whom they are named, and for whom they are meant.

A name is in use because a MAPI InternalUrl or ExternalUrl, an Outlook Anywhere host name or an
AutoDiscoverServiceInternalUri says so, or --name. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from checker.answers import Collected, Missing, NotCollected, Reason
from checker.declare import fact
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.run import GivenNames, VantagePoint
from checker.facts.servers import ClientAccessService
from checker.facts.urls import read_mapi_url, usable_host
from checker.results import Subject, SubjectKind

__all__ = [
    "ORGANISATION",
    "NameInUse",
    "NameUse",
    "Source",
    "UseKind",
    "mapi_source",
    "missing_names",
    "names_in_use",
    "outlook_anywhere_source",
]

ORGANISATION = Subject(SubjectKind.ORGANISATION, "organisation")


class UseKind(Enum):
    """Which setting names it."""

    MAPI_INTERNAL_URL = "InternalUrl of MAPI"
    MAPI_EXTERNAL_URL = "ExternalUrl of MAPI"
    OUTLOOK_ANYWHERE_INTERNAL = "InternalHostname of Outlook Anywhere"
    OUTLOOK_ANYWHERE_EXTERNAL = "ExternalHostname of Outlook Anywhere"
    AUTODISCOVER_URI = "AutoDiscoverServiceInternalUri"
    GIVEN = "you"  # with --name, or as HOST of a probe

    @property
    def serves_mapi(self) -> bool:
        """Clients reach /mapi by this name."""
        return self in (UseKind.MAPI_INTERNAL_URL, UseKind.MAPI_EXTERNAL_URL, UseKind.GIVEN)

    @property
    def serves_rpc(self) -> bool:
        """Clients reach /rpc by this name."""
        return self in (UseKind.OUTLOOK_ANYWHERE_INTERNAL, UseKind.OUTLOOK_ANYWHERE_EXTERNAL, UseKind.GIVEN)


@dataclass(frozen=True, slots=True)
class NameUse:
    """One setting of one server that names a host; `server` is None for --name."""

    kind: UseKind
    server: str | None


@dataclass(frozen=True, slots=True)
class NameInUse:
    """A host name (lower case, A-labels, no trailing dot) with every use of it, and the vantages it is meant for.

    A name of --name is meant for every vantage. `note` tells in short who names it.
    """

    host: str
    uses: tuple[NameUse, ...]
    vantages: frozenset[VantagePoint]

    @property
    def note(self) -> str:
        """Who names it, in short: the settings, and their servers (by number, if many settings or servers do)."""
        settings = list(dict.fromkeys(use.kind.value for use in self.uses))
        servers = sorted({use.server for use in self.uses if use.server})
        if (len(settings) > 1 and len(servers) > 1) or len(servers) > 3:
            of = f" of {len(servers)} servers"
        else:
            of = f" of {', '.join(servers)}" if servers else ""
        return f"named by {', '.join(settings)}{of}"

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.NAME, self.host, note=self.note)


_VANTAGES = {
    UseKind.MAPI_INTERNAL_URL: frozenset({VantagePoint.INSIDE}),
    UseKind.MAPI_EXTERNAL_URL: frozenset({VantagePoint.OUTSIDE}),
    UseKind.OUTLOOK_ANYWHERE_INTERNAL: frozenset({VantagePoint.INSIDE}),
    UseKind.OUTLOOK_ANYWHERE_EXTERNAL: frozenset({VantagePoint.OUTSIDE}),
    UseKind.AUTODISCOVER_URI: frozenset({VantagePoint.INSIDE}),
    UseKind.GIVEN: frozenset(VantagePoint),
}


_Setting: TypeAlias = tuple[UseKind, str, "str | None | NotCollected"]
"""A setting that may name a host: which, of which server, and its value."""


@dataclass(frozen=True, slots=True)
class Source:
    """A set of objects whose settings may name hosts: what to call it, and the settings that could be read."""

    what: str
    objects: Collected[object] | NotCollected
    settings: tuple[_Setting, ...]


@fact()
def names_in_use(
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    outlook_anywhere: Collected[OutlookAnywhere] | NotCollected,
    services: Collected[ClientAccessService] | NotCollected,
    given: GivenNames,
) -> Collected[NameInUse]:
    """Every host that a setting or --name names. What is no DNS name (an address, an unreadable URL) is none here:
    the checks of the settings themselves tell that. Where names may be missing, the set says so."""
    sources = (mapi_source(directories), outlook_anywhere_source(outlook_anywhere), _autodiscover_source(services))
    uses: dict[str, dict[NameUse, None]] = {}
    for kind, server, value in (setting for source in sources for setting in source.settings):
        host = _host(kind, value) if isinstance(value, str) else None
        if host is not None:
            uses.setdefault(host, {})[NameUse(kind, server)] = None
    for name in given.names:
        host = usable_host(name)
        if host is not None:
            uses.setdefault(host, {})[NameUse(UseKind.GIVEN, None)] = None
    names = (
        NameInUse(host, tuple(named), frozenset[VantagePoint]().union(*(_VANTAGES[use.kind] for use in named)))
        for host, named in uses.items()
    )
    return Collected(tuple(names), missing_names(*sources))


def mapi_source(directories: Collected[MapiVirtualDirectory] | NotCollected) -> Source:
    """The URLs of the MAPI virtual directories."""
    items = directories.items if isinstance(directories, Collected) else ()
    settings = (
        setting
        for item in items
        for setting in (
            (UseKind.MAPI_INTERNAL_URL, item.server, item.internal_url),
            (UseKind.MAPI_EXTERNAL_URL, item.server, item.external_url),
        )
    )
    return Source("MAPI virtual directories", directories, tuple(settings))


def outlook_anywhere_source(outlook_anywhere: Collected[OutlookAnywhere] | NotCollected) -> Source:
    """The host names of Outlook Anywhere."""
    items = outlook_anywhere.items if isinstance(outlook_anywhere, Collected) else ()
    settings = (
        setting
        for item in items
        for setting in (
            (UseKind.OUTLOOK_ANYWHERE_INTERNAL, item.server, item.internal_hostname),
            (UseKind.OUTLOOK_ANYWHERE_EXTERNAL, item.server, item.external_hostname),
        )
    )
    return Source("Outlook Anywhere", outlook_anywhere, tuple(settings))


def _autodiscover_source(services: Collected[ClientAccessService] | NotCollected) -> Source:
    items = services.items if isinstance(services, Collected) else ()
    settings = ((UseKind.AUTODISCOVER_URI, item.name, item.autodiscover_uri) for item in items)
    return Source("Autodiscover's service connection points", services, tuple(settings))


def missing_names(*sources: Source) -> tuple[Missing, ...]:
    """What of these sources could not be had, as Missing on the organisation; one cause is told once."""
    causes: dict[NotCollected, dict[str, None]] = {}
    for source in sources:
        for because in _causes(source):
            causes.setdefault(because, {})[source.what] = None
    return tuple(
        Missing(
            ORGANISATION,
            replace(because, sentence=f"Names set on {' and '.join(named)} may be missing: {because.sentence}"),
        )
        for because, named in causes.items()
    )


def _causes(source: Source) -> Iterator[NotCollected]:
    if isinstance(source.objects, NotCollected):
        yield source.objects
        return
    yield from (missing.because for missing in source.objects.missing)
    for _, _, value in source.settings:
        # A property that the product does not have (Exchange 2010 has no InternalHostname) names nobody.
        if isinstance(value, NotCollected) and value.reason is not Reason.PROPERTY_ABSENT:
            yield value


def _host(kind: UseKind, value: str) -> str | None:
    if kind in (UseKind.OUTLOOK_ANYWHERE_INTERNAL, UseKind.OUTLOOK_ANYWHERE_EXTERNAL):
        return usable_host(value)
    return read_mapi_url(value).host
