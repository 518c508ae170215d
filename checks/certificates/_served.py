"""What is wrong with the certificate that a server serves, and what Exchange itself says of an installed one."""

from collections.abc import Iterator

from checker import Collected, NotCollected, Reason
from checker.facts.behind import Served
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.network import NameCertificates, ServerView
from checker.facts.run import Now
from checker.x509 import Certificate, Trust, read
from checks.certificates._words import day, shown

__all__ = ["Installed", "distrusted", "leaf_of", "problems", "unbound"]

Installed = Collected[InstalledCertificates] | NotCollected

_NO_TRUST = frozenset({"none", "unknown"})
"""RootCAType of a certificate whose root is in no store of the server."""


def distrusted(thumbprint: str, installed: Installed) -> str | None:
    """The server that has this certificate and does not know its root either; None when one does, or nobody says."""
    unknown: str | None = None
    for server in installed.items if isinstance(installed, Collected) else ():
        certificate = server.find(thumbprint)
        kind = None if certificate is None else certificate.root_ca_type
        if not isinstance(kind, str):
            continue
        if kind.casefold() not in _NO_TRUST:
            return None
        unknown = unknown or server.server.name
    return unknown


def leaf_of(served: Served) -> Certificate | None:
    """The certificate of the server itself, as far as one could be read."""
    analysis = served.analysis
    return None if isinstance(analysis, NotCollected) or isinstance(analysis.leaf, NotCollected) else analysis.leaf


def unbound(server: str, views: Collected[ServerView], installed: Installed) -> Certificate | None:
    """What a server serves by its own name, when it is none of its certificates with the IIS service."""
    view = next((view for view in views.items if view.server.name == server), None)
    own = installed.items if isinstance(installed, Collected) else ()
    certificates = next((item for item in own if item.server.name == server), None)
    if view is None or certificates is None or isinstance(view.connection, NotCollected):
        return None
    leaf = read(view.connection.certificates[0]) if view.connection.certificates else None
    if not isinstance(leaf, Certificate):
        return None
    found = certificates.find(leaf.thumbprint)
    return leaf if found is None or found.bound_to_iis is False else None


def problems(served: Served, installed: Installed, now: Now) -> Iterator[str | NotCollected]:
    """What is wrong with what a server serves for a name, and what of it cannot be known here."""
    analysis = served.analysis
    if isinstance(analysis, NotCollected):
        yield f"TLS fails when asked for the name: {analysis.sentence}"
        return
    leaf = analysis.leaf
    if isinstance(leaf, NotCollected):
        yield leaf.sentence
        return
    if isinstance(analysis.covers, NotCollected):
        yield analysis.covers
    elif not analysis.covers:
        yield f"{shown(leaf)} {'names it in its CN alone' if analysis.only_in_cn is True else 'does not name it'}"
    yield from _of_chain(analysis, leaf, installed, now)


def _of_chain(
    analysis: NameCertificates, leaf: Certificate, installed: Installed, now: Now
) -> Iterator[str | NotCollected]:
    chain = analysis.chain
    if isinstance(chain, NotCollected):
        yield chain
        return
    for link in chain.dated:
        if now.at < link.not_before:
            yield f"{shown(link)} is not valid before {day(link.not_before)}"
        elif not link.valid_at(now.at):
            yield f"{shown(link)} expired on {day(link.not_after)}"
    if not leaf.serves:
        yield f"{shown(leaf)} is not made for servers"
    match chain.trust:
        case Trust.TRUSTED if chain.from_store:
            yield f"{shown(leaf)} comes without {', '.join(link.label for link in chain.from_store)}"
        case Trust.TRUSTED:
            return
        case Trust.SELF_SIGNED:
            yield f"{shown(leaf)} is self-signed"
        case Trust.BROKEN_SIGNATURE:
            yield f"{chain.concerned} has a broken signature"
        case Trust.NOT_AN_AUTHORITY:
            yield f"{shown(leaf)} is issued by {chain.concerned}, which is no certificate authority"
        case Trust.ISSUER_NOT_SENT:
            yield f"{shown(leaf)} comes without its issuer, {chain.concerned}"
        case Trust.ROOT_UNKNOWN:
            server = distrusted(leaf.thumbprint, installed)
            yield (
                NotCollected(
                    Reason.NOT_SUPPORTED_HERE,
                    f"This machine does not know {chain.concerned} ({analysis.trust_source}); give --ca-file FILE with"
                    " that root if clients trust it.",
                )
                if server is None
                else f"{shown(leaf)} leads to {chain.concerned}, which {server} does not trust either"
            )
        case Trust.NOT_ACCEPTED:
            yield NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"The verifier of this machine does not take the chain ({chain.detail or chain.concerned}), which"
                " Windows may; look at it with certutil -verify.",
            )
