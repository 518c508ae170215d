"""The InternalUrl of a MAPI virtual directory is https://NAME/mapi."""

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
from checker.facts.urls import read_mapi_url
from checks.virtual_directories._remedies import first_host, host_of, set_url

INFO = CheckInfo(
    id="vdir-mapi-internal-url",
    severity=Severity.BLOCKER,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Autodiscover hands this URL to Outlook as it is. Outlook takes MAPI over HTTP only over https, certificates"
        " name hosts and not IP addresses, and Exchange answers on the default port and under /mapi alone. A directory"
        " without any URL is not advertised at all."
    ),
    how=(
        "InternalUrl is https, names a DNS name, the default port and the path /mapi (case and a trailing slash do not"
        " matter). A directory with neither InternalUrl nor ExternalUrl fails here. An InternalUrl that is missing"
        " beside an ExternalUrl, or a name without a domain, is told by vdir-mapi-internal-url-missing."
    ),
    mend=(
        "Set-MapiVirtualDirectory with -InternalUrl, and with all the IISAuthenticationMethods that the directory has:"
        " the cmdlet wants them with each URL and replaces them. Recycling MSExchangeAutodiscoverAppPool makes"
        " Autodiscover tell the new URL at once."
    ),
    undo="Set-MapiVirtualDirectory with the InternalUrl that was found, and with the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)
FORM = "https://NAME/mapi"


@check(INFO)
def judge(directory: MapiVirtualDirectory, outlook_anywhere: Collected[OutlookAnywhere] | NotCollected) -> Verdict:
    """Fail when the URL has another form, or when there is no URL at all."""
    url = need(directory.internal_url)
    if url is None and need(directory.external_url) is not None:
        return not_applicable("has no InternalUrl beside its ExternalUrl, which vdir-mapi-internal-url-missing judges")
    of_rpc = anywhere_of(directory.server, outlook_anywhere)
    names = () if isinstance(of_rpc, NotCollected) else tuple(entry.internal_hostname for entry in of_rpc)
    host = first_host(host_of(url), *names, host_of(directory.external_url))
    remedy = set_url(directory, "InternalUrl", host)
    if url is None:
        return failed("has neither InternalUrl nor ExternalUrl", found=None, expected=FORM, remedy=remedy)
    problems = read_mapi_url(url).problems
    if problems:
        return failed(f"InternalUrl {' and '.join(problems)}", found=url, expected=FORM, remedy=remedy)
    return passed(f"InternalUrl is {url}", found=url)
