"""MAPI virtual directories of published servers have an ExternalUrl."""

from checker import (
    Category,
    CheckInfo,
    Collected,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere, anywhere_of
from checker.facts.urls import same_host
from checks.virtual_directories._remedies import first_host, host_of, set_url

INFO = CheckInfo(
    id="vdir-mapi-external-url-missing",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Without an ExternalUrl Autodiscover names only the InternalUrl. Where both have the same host, Outlook outside"
        " still arrives, but by a URL that is not meant for it: a later change of the internal name cuts it off."
    ),
    how=(
        "ExternalUrl is set where Outlook Anywhere of the same server has an ExternalHostname. This one speaks where"
        " that ExternalHostname is the host of InternalUrl; where it is another, vdir-mapi-external-url does."
    ),
    mend=(
        "Set-MapiVirtualDirectory with -ExternalUrl, and with all the IISAuthenticationMethods that the directory has:"
        " the cmdlet wants them with each URL and replaces them."
    ),
    undo="Set-MapiVirtualDirectory with -ExternalUrl $null and the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)


@check(INFO)
def judge(directory: MapiVirtualDirectory, outlook_anywhere: Collected[OutlookAnywhere] | NotCollected) -> Verdict:
    """Fail when it is missing although the server is published by the name of its InternalUrl."""
    url = need(directory.external_url)
    if url is not None:
        return passed(f"ExternalUrl is {url}", found=url)
    internal = need(directory.internal_url)
    if internal is None:
        return not_applicable("has no URL at all, which vdir-mapi-internal-url judges")
    of_rpc = need(anywhere_of(directory.server, outlook_anywhere))
    published = [host for host in (need(entry.external_hostname) for entry in of_rpc) if host]
    if not published:
        return not_applicable("is not published: Outlook Anywhere of this server has no ExternalHostname either")
    same = [host for host in published if same_host(host, host_of(internal) or "")]
    if not same:
        return not_applicable("is published by another name than its InternalUrl's: see vdir-mapi-external-url")
    return failed(
        f"has no ExternalUrl, while Outlook Anywhere is published as {same[0]}, the host of InternalUrl",
        found=f"InternalUrl {internal}",
        expected="an ExternalUrl as well",
        remedy=set_url(directory, "ExternalUrl", first_host(*same)),
    )
