"""Two answers to the same question beside each other: by name, and straight of a server."""

import re
from collections.abc import Iterable

from checker import Collected, HttpAnswer, NotCollected
from checker.facts.behind import NameCompared, Page
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.network import ANY_SCHEME, challenges
from checker.facts.party import schemes_of

__all__ = [
    "Directories",
    "InIis",
    "configured",
    "good",
    "iis_offers",
    "named",
    "page_of",
    "realm",
    "scheme_set",
    "told",
]

Directories = Collected[MapiVirtualDirectory] | NotCollected
InIis = Collected[MapiDirectoryInIis] | NotCollected

_REALM = re.compile(r"basic\s+realm\s*=\s*\"?([^\",]{1,255})", re.IGNORECASE)
_NAMES = {"ntlm": "NTLM", "negotiate": "Negotiate", "basic": "Basic", "digest": "Digest", "bearer": "Bearer"}
_METHODS = {
    "ntlm": ("ntlm",),
    "negotiate": ("negotiate",),
    "kerberos": ("negotiate",),
    "windowsintegrated": ("ntlm", "negotiate"),
    "basic": ("basic",),
    "digest": ("digest",),
}


def scheme_set(answer: HttpAnswer) -> frozenset[str]:
    """The schemes of a challenge, in lower case, without Bearer: Exchange shows OAuth only to clients that know it."""
    return frozenset(scheme.casefold() for scheme in schemes_of(answer)) - {"bearer"}


def configured(methods: Iterable[str]) -> frozenset[str]:
    """The schemes by which IISAuthenticationMethods show to a client that has not said that it knows OAuth."""
    return frozenset(scheme for method in methods for scheme in _METHODS.get(method.casefold(), ()))


def named(schemes: Iterable[str]) -> str:
    """Schemes as they are spelled, in one order."""
    found = set(schemes)
    known = [name for scheme, name in _NAMES.items() if scheme in found]
    return ", ".join([*known, *sorted(found - set(_NAMES))]) or "no scheme"


def realm(answer: HttpAnswer) -> str | None:
    """The realm of Basic, which is the Host that the server was asked for, unless someone set another one."""
    matches = (_REALM.match(value.strip()) for value in answer.all("www-authenticate"))
    return next((match[1].strip().casefold() for match in matches if match), None)


def page_of(compared: NameCompared, path: str) -> Page | None:
    """One page of those compared."""
    return next((page for page in compared.pages if page.path == path), None)


def good(page: Page, answer: HttpAnswer | NotCollected) -> bool:
    """Whether an answer is the challenge that this page should give."""
    return challenges(answer, page.accepted or ANY_SCHEME)


def iis_offers(server: str, schemes: frozenset[str], in_iis: InIis) -> bool:
    """Whether IIS of a server was read and offers these; where that is not what Active Directory says,
    vdir-mapi-metabase-matches tells it."""
    return isinstance(in_iis, Collected) and any(
        item.directory.server == server
        and not isinstance(item.authentication_methods, NotCollected)
        and configured(item.authentication_methods) == schemes
        for item in in_iis.items
    )


def told(server: str, schemes: frozenset[str], directories: Directories, in_iis: InIis) -> bool:
    """Whether the checks of virtual directories tell that this server offers these schemes on /mapi, or may."""
    if isinstance(directories, NotCollected) or iis_offers(server, schemes, in_iis):
        return True
    own = [item.authentication_methods for item in directories.items if item.server == server]
    return not own or any(isinstance(methods, NotCollected) or configured(methods) == schemes for methods in own)
