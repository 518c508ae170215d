"""The MAPI virtual directories of an AD site have the same URLs."""

from collections.abc import Iterator, Sequence

from checker import (
    Advice,
    Category,
    CheckInfo,
    Collected,
    Missing,
    NotCollected,
    Outcome,
    Severity,
    Subject,
    SubjectKind,
    check,
    failed,
    passed,
)
from checker.facts.directories import MapiVirtualDirectory, ServerDirectories
from checker.facts.urls import read_mapi_url
from checker.results import Step
from checks.virtual_directories._groups import listed, most_common, nothing, some
from checks.virtual_directories._remedies import set_url

INFO = CheckInfo(
    id="vdir-mapi-urls-consistent",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Autodiscover gives Outlook the URLs of a server of the mailbox's AD site, now of this one, now of that one."
        " Where they differ, Outlook changes its name when the mailbox moves or fails over, may ask for a restart or"
        " a password, and a balancer cannot share the load."
    ),
    how=(
        "Within one AD site all InternalUrls of MAPI directories name one host, and so do all ExternalUrls. A URL"
        " that is missing, or has a wrong form, is told by the checks of that URL and not compared. Directories of"
        " different web sites of IIS may have different URLs."
    ),
    mend=(
        "Choose one name for the site, let it lead to all its servers, and set it with Set-MapiVirtualDirectory,"
        " together with the IISAuthenticationMethods that each directory has: the cmdlet wants them and replaces"
        " them."
    ),
    undo="Set-MapiVirtualDirectory with the former URLs and the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
    ),
)
PARAMETERS = ("InternalUrl", "ExternalUrl")


@check(INFO)
def judge(servers: Collected[ServerDirectories]) -> Iterator[Outcome]:
    """One verdict for each AD site."""
    sites: dict[str, list[MapiVirtualDirectory]] = {}
    for directories in servers.items:
        if not directories.mapi:
            continue
        site = directories.server.site
        if isinstance(site, NotCollected):
            yield Missing(directories.subject, site)
        else:
            sites.setdefault(site, []).extend(directories.mapi)
    for site, mapi in sites.items():
        yield from _of_site(Subject(SubjectKind.SITE, site), mapi)
    if all(not directories.mapi for directories in servers.items):
        yield from nothing(servers, "there is no MAPI virtual directory")


def _of_site(site: Subject, directories: Sequence[MapiVirtualDirectory]) -> Iterator[Outcome]:
    different: list[str] = []
    remedy: list[Step] = []
    for web_site in dict.fromkeys(directory.web_site.casefold() for directory in directories):
        group = [directory for directory in directories if directory.web_site.casefold() == web_site]
        for parameter in PARAMETERS:
            hosts = [(directory, host) for directory in group if (host := _host(_url(directory, parameter)))]
            if len({host for _, host in hosts}) > 1:
                told = listed([(f"{parameter} https://{host}/mapi", directory.server) for directory, host in hosts])
                different.extend(told)
                remedy += _remedy(site, parameter, hosts)
    if different:
        yield failed(
            "URLs differ between the servers of the site",
            found=different,
            expected="one InternalUrl and one ExternalUrl for the site",
            remedy=remedy,
            subject=site,
        )
        return
    doubts = [url for directory in directories for url in _urls(directory) if isinstance(url, NotCollected)]
    if doubts:
        yield Missing(site, doubts[0])
        return
    said = [url for url in dict.fromkeys(url for directory in directories for url in _urls(directory)) if url]
    servers = some(directory.server for directory in directories)
    yield passed(f"{' and '.join(map(str, said)) or 'no URL'} on {servers}", subject=site)


def _remedy(site: Subject, parameter: str, hosts: Sequence[tuple[MapiVirtualDirectory, str]]) -> list[Step]:
    wanted = most_common(host for _, host in hosts)
    if wanted is None:
        return [
            Advice(
                "administrator",
                f"Choose one name for {parameter} of all servers of {site.name} and set it with"
                " Set-MapiVirtualDirectory, with the IISAuthenticationMethods that each directory has.",
            )
        ]
    return [step for directory, host in hosts if host != wanted for step in set_url(directory, parameter, wanted)]


def _url(directory: MapiVirtualDirectory, parameter: str) -> str | None | NotCollected:
    return directory.internal_url if parameter == "InternalUrl" else directory.external_url


def _urls(directory: MapiVirtualDirectory) -> tuple[str | None | NotCollected, ...]:
    return tuple(_url(directory, parameter) for parameter in PARAMETERS)


def _host(url: str | None | NotCollected) -> str | None:
    """The host of a URL whose form is right, None for any other."""
    if not isinstance(url, str):
        return None
    seen = read_mapi_url(url)
    return None if seen.problems or seen.single_label else seen.host
