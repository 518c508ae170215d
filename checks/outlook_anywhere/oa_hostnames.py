"""Outlook Anywhere has host names that clients can reach it by, inside and outside."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.servers import ExchangeServer, Version
from checker.facts.urls import is_single_label, read_mapi_url, usable_host
from checker.results import Step

INFO = CheckInfo(
    id="oa-hostnames",
    severity=Severity.WARNING,
    category=Category.OUTLOOK_ANYWHERE,
    why=(
        "Outlook Anywhere is what old clients use, what mailboxes on Exchange 2010 need, and the way back when MAPI"
        " over HTTP is turned off again. Autodiscover gives Outlook its host names; with none, or one that only the"
        " server's own domain can complete, that way is closed. Microsoft's Remote Connectivity Analyzer goes by them"
        " too."
    ),
    how=(
        "InternalHostname is a name with a domain (Exchange 2010 has no such setting). ExternalHostname is a name"
        " with a domain, or empty while no MAPI directory of the same server has an ExternalUrl: then nothing is"
        " published."
    ),
    mend=(
        "Set-OutlookAnywhere with -InternalHostname or -ExternalHostname. The cmdlet wants with each name whether"
        " clients must use TLS, and with the external one how they sign in."
    ),
    undo="Set-OutlookAnywhere with the former host names, and $null for one that was empty.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
        "https://learn.microsoft.com/powershell/module/exchange/get-outlookanywhere",
    ),
)


@check(INFO)
def judge(
    anywhere: OutlookAnywhere,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    servers: Collected[ExchangeServer],
) -> Verdict:
    """Fail when a name is missing that clients need, or has no domain."""
    problems: list[str] = []
    found: list[str] = []
    remedy: list[Step] = []
    internal, external = anywhere.internal_hostname, need(anywhere.external_hostname)
    if not _is_2010(anywhere.server, servers):
        name = need(internal)
        found.append(f"InternalHostname {name or 'empty'}")
        if name is None or is_single_label(name):
            problems.append("InternalHostname is empty" if name is None else f"InternalHostname {name} has no domain")
            remedy.append(_set_internal(anywhere, _url_host(anywhere, directories, "internal")))
    found.append(f"ExternalHostname {external or 'empty'}")
    if external is not None and is_single_label(external):
        problems.append(f"ExternalHostname {external} has no domain")
        remedy.append(_set_external(anywhere, _url_host(anywhere, directories, "external")))
    elif external is None:
        published = _published(anywhere, directories)
        if isinstance(published, str):
            problems.append(f"ExternalHostname is empty, while /mapi of the server is published as {published}")
            remedy.append(_set_external(anywhere, _url_host(anywhere, directories, "external")))
        elif not problems:
            need(published)
    if not problems:
        return passed(", ".join(found), found=found)
    return failed(
        " and ".join(problems),
        found=found,
        expected="names with a domain, the external one only where something is published",
        remedy=remedy,
    )


def _is_2010(name: str, servers: Collected[ExchangeServer]) -> bool:
    version = next((server.version for server in servers.items if server.name == name), None)
    return isinstance(version, Version) and version < Version(15, 0, 0, 0)


def _published(
    anywhere: OutlookAnywhere, directories: Collected[MapiVirtualDirectory] | NotCollected
) -> str | None | NotCollected:
    """The first ExternalUrl of the server's MAPI directories, or why it is not known whether there is one."""
    if isinstance(directories, NotCollected):
        return directories
    urls = [directory.external_url for directory in directories.items if directory.server == anywhere.server]
    known = next((url for url in urls if isinstance(url, str)), None)
    doubts = [url for url in urls if isinstance(url, NotCollected)]
    doubts += [entry.because for entry in directories.missing if entry.subject.server in (anywhere.server, None)]
    return known or (doubts[0] if doubts else None)


def _url_host(
    anywhere: OutlookAnywhere, directories: Collected[MapiVirtualDirectory] | NotCollected, side: str
) -> str | None:
    """The full name by which clients reach /mapi of the same server."""
    if isinstance(directories, NotCollected):
        return None
    for directory in directories.items:
        url = directory.internal_url if side == "internal" else directory.external_url
        host = read_mapi_url(url).host if directory.server == anywhere.server and isinstance(url, str) else None
        if host is not None and usable_host(host) and not is_single_label(host):
            return host
    return None


def _set_internal(anywhere: OutlookAnywhere, host: str | None) -> Step:
    if host is None:
        return _advice(anywhere, "InternalHostname", "-InternalClientsRequireSsl $true")
    return Cmdlet(
        "Set-OutlookAnywhere", Identity=anywhere.identity, InternalHostname=host, InternalClientsRequireSsl=True
    )


def _set_external(anywhere: OutlookAnywhere, host: str | None) -> Step:
    method = anywhere.external_client_method
    if host is None or not isinstance(method, str):
        return _advice(
            anywhere,
            "ExternalHostname",
            "-ExternalClientsRequireSsl $true -ExternalClientAuthenticationMethod Negotiate",
        )
    return Cmdlet(
        "Set-OutlookAnywhere",
        Identity=anywhere.identity,
        ExternalHostname=host,
        ExternalClientsRequireSsl=True,
        ExternalClientAuthenticationMethod=method,
    )


def _advice(anywhere: OutlookAnywhere, parameter: str, beside: str) -> Advice:
    return Advice(
        "administrator",
        f"Set {parameter} of {anywhere.identity} with Set-OutlookAnywhere to the name that clients shall use, with"
        f" {beside}.",
    )
