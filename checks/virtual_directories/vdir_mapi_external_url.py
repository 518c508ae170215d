"""The ExternalUrl of a published MAPI virtual directory is https://NAME/mapi with a name that is known outside."""

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
from checker.facts.urls import read_mapi_url, same_host
from checks.virtual_directories._remedies import first_host, host_of, set_url

INFO = CheckInfo(
    id="vdir-mapi-external-url",
    severity=Severity.BLOCKER,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Autodiscover gives this URL to Outlook outside. With none, Outlook outside that used Outlook Anywhere until"
        " now is left with an InternalUrl that it cannot reach; with a wrong one it cannot connect either."
    ),
    how=(
        "ExternalUrl is https, names a DNS name with a domain, the default port and the path /mapi (case and a"
        " trailing slash do not matter). It may be missing only where Outlook Anywhere of the same server has no"
        " ExternalHostname, so that nothing is published. Where that ExternalHostname is the host of InternalUrl too,"
        " a missing ExternalUrl is told by vdir-mapi-external-url-missing."
    ),
    mend=(
        "Set-MapiVirtualDirectory with -ExternalUrl, and with all the IISAuthenticationMethods that the directory has:"
        " the cmdlet wants them with each URL and replaces them. Publish /mapi under that name as well."
    ),
    undo="Set-MapiVirtualDirectory with the former ExternalUrl ($null for none) and the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/powershell/module/exchange/get-outlookanywhere",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)
FORM = "https://NAME/mapi with a full DNS name"


@check(INFO)
def judge(directory: MapiVirtualDirectory, outlook_anywhere: Collected[OutlookAnywhere] | NotCollected) -> Verdict:
    """Fail when the URL has another form, or when it is missing although the server is published by another name."""
    url = need(directory.external_url)
    of_rpc = anywhere_of(directory.server, outlook_anywhere)
    if url is not None:
        seen = read_mapi_url(url)
        problems = (*seen.problems, *(("names a host without its domain",) if seen.single_label else ()))
        if not problems:
            return passed(f"ExternalUrl is {url}", found=url)
        names = () if isinstance(of_rpc, NotCollected) else tuple(entry.external_hostname for entry in of_rpc)
        remedy = set_url(directory, "ExternalUrl", first_host(seen.host, *names))
        return failed(f"ExternalUrl {' and '.join(problems)}", found=url, expected=FORM, remedy=remedy)
    internal = need(directory.internal_url)
    if internal is None:
        return not_applicable("has no URL at all, which vdir-mapi-internal-url judges")
    published = [host for host in (need(entry.external_hostname) for entry in need(of_rpc)) if host]
    if not published:
        return not_applicable("is not published: Outlook Anywhere of this server has no ExternalHostname either")
    if any(same_host(host, host_of(internal) or "") for host in published):
        return not_applicable("is published by the name of its InternalUrl: see vdir-mapi-external-url-missing")
    return failed(
        f"has no ExternalUrl, while Outlook Anywhere is published as {published[0]}",
        found=f"InternalUrl {internal}",
        expected=FORM,
        remedy=set_url(directory, "ExternalUrl", first_host(*published)),
    )
