"""The service connection points of an AD site are https and the same."""

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    Missing,
    NotCollected,
    Outcome,
    Severity,
    Subject,
    SubjectKind,
    check,
    failed,
    not_applicable,
    passed,
)
from checker.facts.reading import shown
from checker.facts.servers import ClientAccessService, ExchangeServer
from checker.facts.urls import read_mapi_url
from checker.facts.versions import Version
from checker.results import Step

INFO = CheckInfo(
    id="autodiscover-scp-names",
    severity=Severity.WARNING,
    category=Category.AUTODISCOVER,
    why=(
        "Outlook in the domain asks Active Directory for all service connection points of its site and takes one of"
        " them. One with http, an address or the name of a server that the certificate does not name warns or fails"
        " for some users only; setup gives each new server one with its own FQDN, until somebody changes it."
    ),
    how=(
        "AutoDiscoverServiceInternalUri of every client-access server: within one AD site the same host everywhere, and"
        " https with a DNS name. An empty one publishes nothing, on purpose mostly, and is not compared."
    ),
    mend=(
        "Set-ClientAccessService -AutoDiscoverServiceInternalUri (Set-ClientAccessServer before Exchange 2016) with the"
        " URI of the site's shared name, https://NAME/Autodiscover/Autodiscover.xml."
    ),
    undo="The same cmdlet with the former URI.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/autodiscover",
        "https://learn.microsoft.com/powershell/module/exchange/set-clientaccessservice",
    ),
)

_RENAMED = Version(15, 1, 0, 0)  # Exchange 2016 calls the cmdlet Set-ClientAccessService


@check(INFO)
def judge(services: Collected[ClientAccessService], servers: Collected[ExchangeServer]) -> Iterator[Outcome]:
    """One verdict for each AD site."""
    known = {server.name: server for server in servers.items}
    sites: dict[str, list[ClientAccessService]] = {}
    for service in services.items:
        site = known[service.name].site
        if isinstance(site, NotCollected):
            yield Missing(service.subject, site)
        else:
            sites.setdefault(site, []).append(service)
    for site, members in sites.items():
        yield _of_site(Subject(SubjectKind.SITE, site), members, known)
    if not services.items and not services.missing:
        yield not_applicable("there is no client-access server")


def _of_site(site: Subject, members: list[ClientAccessService], known: dict[str, ExchangeServer]) -> Outcome:
    uris = {service: service.autodiscover_uri for service in members}
    said = {service: uri for service, uri in uris.items() if isinstance(uri, str)}
    problems = {service: problem for service, uri in said.items() if (problem := _problem(uri))}
    hosts = {service: read_mapi_url(uri).host for service, uri in said.items() if service not in problems}
    if problems or len(set(hosts.values())) > 1:
        wanted = _most_common(hosts, said)
        wrong = [
            service
            for service in said
            if said[service] != wanted and (service in problems or _differs(service, hosts, wanted))
        ]
        return failed(
            "service connection points have a wrong form" if problems else "service connection points differ",
            found=[
                f"{service.name}: {shown(uri, 200)}" + (f", which {problems[service]}" if service in problems else "")
                for service, uri in said.items()
            ],
            expected="one https URI with a DNS name on all servers of the site",
            remedy=_steps(site, wrong, wanted, known),
            subject=site,
        )
    for uri in uris.values():
        if isinstance(uri, NotCollected):
            return Missing(site, uri)
    if not said:
        return not_applicable("no server publishes a service connection point", subject=site)
    empty = [service.name for service in members if service not in said]
    without = f"; {', '.join(empty)} has none" if empty else ""
    return passed(f"{', '.join(dict.fromkeys(said.values()))}{without}", subject=site)


def _problem(uri: str) -> str | None:
    """What is wrong with the form, the path aside: that is not MAPI's here."""
    seen = read_mapi_url(uri)
    if seen.host is None:
        return seen.problems[0] if seen.problems else "names no host"
    scheme = urlsplit(uri).scheme.casefold()
    return None if scheme == "https" else f"is {shown(scheme, 20)}, not https"


def _most_common(hosts: dict[ClientAccessService, str | None], said: dict[ClientAccessService, str]) -> str | None:
    """The URI that most servers have, of those that are well; None when no one is ahead."""
    counts = Counter(said[service].casefold() for service in hosts).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return next(said[service] for service in hosts if said[service].casefold() == counts[0][0])


def _differs(service: ClientAccessService, hosts: dict[ClientAccessService, str | None], wanted: str | None) -> bool:
    return wanted is None or hosts.get(service) != read_mapi_url(wanted).host


def _steps(
    site: Subject, wrong: list[ClientAccessService], wanted: str | None, known: dict[str, ExchangeServer]
) -> list[Step]:
    if wanted is None:
        return [
            Advice(
                "administrator",
                f"Choose one name for Autodiscover in {site.name} and set AutoDiscoverServiceInternalUri of all its"
                " servers to https://NAME/Autodiscover/Autodiscover.xml.",
            )
        ]
    steps: list[Step] = []
    for service in wrong:
        version = known[service.name].version
        older = isinstance(version, Version) and version < _RENAMED
        cmdlet = "Set-ClientAccessServer" if older else "Set-ClientAccessService"
        step = Cmdlet(cmdlet, Identity=service.name, AutoDiscoverServiceInternalUri=wanted)
        found = service.autodiscover_uri
        steps.append(step.replacing(AutoDiscoverServiceInternalUri=found) if isinstance(found, str) else step)
    return steps
