"""IIS offers the way to sign in that Autodiscover tells the clients of Outlook Anywhere."""

from checker import Category, CheckInfo, Cmdlet, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.answers import Reason
from checker.facts.directories import OutlookAnywhere

INFO = CheckInfo(
    id="oa-authentication",
    severity=Severity.WARNING,
    category=Category.OUTLOOK_ANYWHERE,
    why=(
        "Autodiscover tells Outlook one method for clients inside and one for those outside. When IIS does not offer"
        " it on /rpc, Outlook asks for the password again and again, and the way back from MAPI over HTTP is closed."
    ),
    how=(
        "InternalClientAuthenticationMethod, and ExternalClientAuthenticationMethod where there is an"
        " ExternalHostname, are among IISAuthenticationMethods of the same directory. WindowsIntegrated in IIS stands"
        " for NTLM and Negotiate."
    ),
    mend="Set-OutlookAnywhere -IISAuthenticationMethods with the methods that are there and the one that lacks.",
    undo="Set-OutlookAnywhere -IISAuthenticationMethods with the methods that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
        "https://learn.microsoft.com/powershell/module/exchange/get-outlookanywhere",
    ),
)


@check(INFO)
def judge(anywhere: OutlookAnywhere) -> Verdict:
    """Fail when a client method is not offered."""
    offered = need(anywhere.authentication_methods)
    names = {method.casefold() for method in offered}
    if "windowsintegrated" in names:
        names |= {"ntlm", "negotiate"}
    told = _told(anywhere)
    lacking = {side: method for side, method in told.items() if method.casefold() not in names}
    said = ", ".join(f"{side} clients {method}" for side, method in told.items()) or "no client is told a method"
    if not lacking:
        return passed(f"{said}; IIS offers {', '.join(offered)}", found=offered)
    sides = " and ".join(f"{side} clients are told {method}" for side, method in lacking.items())
    more = tuple(dict.fromkeys(lacking.values()))
    return failed(
        f"{sides}, which IIS does not offer",
        found=f"IISAuthenticationMethods {', '.join(offered)}",
        expected=f"{', '.join(more)} among them",
        remedy=[
            Cmdlet(
                "Set-OutlookAnywhere", Identity=anywhere.identity, IISAuthenticationMethods=(*offered, *more)
            ).replacing(IISAuthenticationMethods=offered)
        ],
    )


def _told(anywhere: OutlookAnywhere) -> dict[str, str]:
    """Which clients are told which method."""
    told: dict[str, str] = {}
    internal = anywhere.internal_client_method
    # Exchange 2010 does not have the property: it tells all clients the external one.
    if not isinstance(internal, NotCollected) or internal.reason is not Reason.PROPERTY_ABSENT:
        method = need(internal)
        if method is not None:
            told["internal"] = method
    if need(anywhere.external_hostname) is not None:
        method = need(anywhere.external_client_method)
        if method is not None:
            told["external"] = method
    return told
