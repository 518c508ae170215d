"""MAPI virtual directories have an InternalUrl with a full DNS name."""

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
    id="vdir-mapi-internal-url-missing",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Without an InternalUrl clients inside go by the ExternalUrl, and need a way out to it and back in. A name"
        " without a domain (https://ex01/mapi) resolves only where the client adds the right suffix, and public"
        " authorities give no certificate for it."
    ),
    how=(
        "InternalUrl is set wherever a good ExternalUrl is, and its host has a domain. A malformed InternalUrl, or"
        " none at all of the two, is told by vdir-mapi-internal-url; a malformed ExternalUrl by"
        " vdir-mapi-external-url."
    ),
    mend=(
        "Set-MapiVirtualDirectory with -InternalUrl, and with all the IISAuthenticationMethods that the directory has:"
        " the cmdlet wants them with each URL and replaces them."
    ),
    undo="Set-MapiVirtualDirectory with the former InternalUrl ($null for none) and the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)


@check(INFO)
def judge(directory: MapiVirtualDirectory, outlook_anywhere: Collected[OutlookAnywhere] | NotCollected) -> Verdict:
    """Fail when it is missing beside a good ExternalUrl, or has a single label."""
    url = need(directory.internal_url)
    of_rpc = anywhere_of(directory.server, outlook_anywhere)
    names = () if isinstance(of_rpc, NotCollected) else tuple(entry.internal_hostname for entry in of_rpc)
    remedy = set_url(directory, "InternalUrl", first_host(*names, host_of(directory.external_url)))
    if url is None:
        external = need(directory.external_url)
        if external is None:
            return not_applicable("has no URL at all, which vdir-mapi-internal-url judges")
        other = read_mapi_url(external)
        if other.problems or other.single_label:
            return not_applicable("has only an ExternalUrl, which vdir-mapi-external-url judges")
        return failed(
            "has an ExternalUrl and no InternalUrl",
            found=f"ExternalUrl {external}",
            expected="an InternalUrl as well",
            remedy=remedy,
        )
    seen = read_mapi_url(url)
    if seen.problems:
        return not_applicable("has an InternalUrl of another form, which vdir-mapi-internal-url judges")
    if seen.single_label:
        return failed(
            "InternalUrl names a host without its domain", found=url, expected="a full DNS name", remedy=remedy
        )
    return passed(f"InternalUrl is {url}", found=url)
