"""Every client-access server has one MAPI virtual directory per web site."""

from collections import Counter

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.directories import ServerDirectories
from checker.facts.servers import SP1, Product
from checker.results import Step
from checks.virtual_directories._remedies import first_host

INFO = CheckInfo(
    id="vdir-mapi-present",
    severity=Severity.BLOCKER,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Autodiscover tells Outlook the URLs of the MAPI virtual directory, and IIS answers /mapi only with it. A"
        " server without one gives 404 to the clients that are sent to it; two in one web site leave open which of"
        " them counts."
    ),
    how=(
        "Get-MapiVirtualDirectory -ADPropertiesOnly names exactly one directory per web site of each client-access"
        " server of Exchange 2013 SP1 or newer. Directories of the back end are not looked at."
    ),
    mend=(
        "Create a missing one with New-MapiVirtualDirectory on that server and check its URLs. Of two in one web site"
        " keep the one that clients use and remove the other with Remove-MapiVirtualDirectory."
    ),
    undo=(
        "Remove-MapiVirtualDirectory takes a new one away. Note URLs and IISAuthenticationMethods before you remove"
        " one: New-MapiVirtualDirectory brings it back with them."
    ),
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/get-mapivirtualdirectory",
        "https://learn.microsoft.com/powershell/module/exchange/new-mapivirtualdirectory",
        "https://learn.microsoft.com/powershell/module/exchange/remove-mapivirtualdirectory",
    ),
)


@check(INFO)
def judge(directories: ServerDirectories) -> Verdict:
    """Fail when there is none, or more than one for a web site."""
    version = need(directories.server.version)
    if version < SP1:
        return not_applicable(f"{Product.of(version).value} ({version}) has no MAPI over HTTP")
    if not directories.mapi:
        return failed(
            "has no MAPI virtual directory", found=None, expected="one per web site", remedy=_create(directories)
        )
    sites = Counter(directory.web_site.casefold() for directory in directories.mapi)
    site, count = sites.most_common(1)[0]
    if count == 1:
        return passed(f"has {', '.join(directory.identity for directory in directories.mapi)}")
    surplus = [directory.identity for directory in directories.mapi if directory.web_site.casefold() == site]
    return failed(
        f"has {count} MAPI virtual directories in one web site",
        found=surplus,
        expected="one per web site",
        remedy=[
            Advice(
                "administrator",
                f"See which of them IIS on {directories.server.name} serves as /mapi, note the URLs and"
                " IISAuthenticationMethods of the others, and remove those with Remove-MapiVirtualDirectory.",
            )
        ],
    )


def _create(directories: ServerDirectories) -> list[Step]:
    """Create it by the names of Outlook Anywhere on the same server, where there are some."""
    of_rpc = directories.outlook_anywhere
    anywhere = () if isinstance(of_rpc, NotCollected) else of_rpc
    internal = first_host(*(directory.internal_hostname for directory in anywhere))
    external = first_host(*(directory.external_hostname for directory in anywhere))
    server = directories.server.name
    if internal is None:
        return [
            Advice(
                "administrator",
                f"Create it with New-MapiVirtualDirectory -Server {server}, with the InternalUrl and ExternalUrl that"
                " clients of this server shall use and -IISAuthenticationMethods NTLM,Negotiate,OAuth.",
            )
        ]
    urls = {"InternalUrl": f"https://{internal}/mapi"}
    if external is not None:
        urls["ExternalUrl"] = f"https://{external}/mapi"
    return [
        Cmdlet(
            "New-MapiVirtualDirectory",
            where=f"Exchange Management Shell on {server}",
            Server=server,
            **urls,
            IISAuthenticationMethods=("NTLM", "Negotiate", "OAuth"),
        )
    ]
