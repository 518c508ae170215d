"""Servers in front of Exchange 2010 mailboxes offer Outlook Anywhere."""

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
    not_applicable,
    passed,
)
from checker.facts.asking import FIRST_2013
from checker.facts.directories import OutlookAnywhere, ServerDirectories
from checker.facts.servers import ExchangeServer
from checker.results import Step

INFO = CheckInfo(
    id="legacy-mailboxes-keep-outlook-anywhere",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "Mailboxes and public folders on Exchange 2010 never use MAPI over HTTP, whatever the switch says. Their users"
        " come through the newer servers by Outlook Anywhere: without it they are cut off once the names lead there."
    ),
    how=(
        "While there is a mailbox server of Exchange 2010 or 2007, each client-access server of Exchange 2013 or newer"
        " has a directory for Outlook Anywhere with a host name and a method by which clients sign in"
        " (Get-OutlookAnywhere)."
    ),
    mend=(
        "Give Outlook Anywhere of each newer server the name that clients use, with Set-OutlookAnywhere, and keep it"
        " until the last mailbox has left Exchange 2010."
    ),
    undo="Set-OutlookAnywhere with the values that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/mapi-over-http",
    ),
)


@check(INFO)
def judge(server: ServerDirectories, servers: Collected[ExchangeServer]) -> Verdict:
    """Fail for a newer server without usable Outlook Anywhere while there are legacy mailboxes."""
    legacy = _legacy(servers)
    if not legacy:
        return not_applicable("there is no mailbox server older than Exchange 2013")
    if need(server.server.version) < FIRST_2013:
        return not_applicable("is itself older than Exchange 2013")
    name = server.server.name
    directories = need(server.outlook_anywhere)
    if not directories:
        return failed(
            f"has no Outlook Anywhere, while {', '.join(legacy)} {'has' if len(legacy) == 1 else 'have'} mailboxes",
            found=None,
            expected="a directory for /rpc with the name that clients use",
            remedy=[
                Advice(
                    "administrator",
                    f"Make the directory with New-OutlookAnywhere -Server {name}, and give it the name and the methods"
                    " of the other servers.",
                )
            ],
        )
    for directory in directories:
        problem = _problem(directory)
        if problem is not None:
            return failed(
                f"cannot take clients of {', '.join(legacy)} by Outlook Anywhere: {problem}",
                found=problem,
                expected="InternalHostname or ExternalHostname, and a method in IISAuthenticationMethods",
                remedy=_mend(directory),
            )
    return passed(f"offers Outlook Anywhere for the mailboxes of {', '.join(legacy)}")


def _legacy(servers: Collected[ExchangeServer]) -> list[str]:
    """The mailbox servers older than Exchange 2013; raises when there may be one that is not known."""
    found, doubts = [], [missing.because for missing in servers.missing]
    for server in servers.items:
        if isinstance(server.version, NotCollected):
            doubts.append(server.version)
        elif server.version < FIRST_2013 and server.is_mailbox is not False:
            if isinstance(server.is_mailbox, NotCollected):
                doubts.append(server.is_mailbox)
            else:
                found.append(server.name)
    if not found:
        for doubt in doubts:
            need(doubt)
    return found


def _problem(directory: OutlookAnywhere) -> str | None:
    hosts = (directory.internal_hostname, directory.external_hostname)
    if not any(isinstance(host, str) for host in hosts):
        for host in hosts:
            need(host)
        return "neither InternalHostname nor ExternalHostname is set"
    methods = directory.authentication_methods
    if isinstance(methods, NotCollected):
        # An empty list read from the directory alone proves nothing, and a host name is what people forget.
        return None
    usable = {"basic", "ntlm", "negotiate", "windowsintegrated"} & {method.casefold() for method in methods}
    return None if usable else f"IISAuthenticationMethods {', '.join(methods)} hold nothing that Outlook can use"


def _mend(directory: OutlookAnywhere) -> list[Step]:
    methods = directory.authentication_methods
    if not isinstance(methods, NotCollected) and any(
        isinstance(host, str) for host in (directory.internal_hostname, directory.external_hostname)
    ):
        return [
            Cmdlet(
                "Set-OutlookAnywhere",
                Identity=directory.identity,
                IISAuthenticationMethods=(*methods, "Ntlm", "Negotiate"),
            ).replacing(IISAuthenticationMethods=methods)
        ]
    return [
        Advice(
            "administrator",
            f"Give {directory.identity} the name that clients use: Set-OutlookAnywhere -InternalHostname NAME"
            " -InternalClientsRequireSsl $true, and -ExternalHostname where clients come from outside.",
        )
    ]
