"""MAPI virtual directories offer a sign-in that Outlook can use."""

from checker import Category, CheckInfo, Cmdlet, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.organisation import OrganizationConfig
from checks.virtual_directories._remedies import OUTLOOK_METHODS, WINDOWS

INFO = CheckInfo(
    id="vdir-mapi-authentication",
    severity=Severity.BLOCKER,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Outlook answers the challenge of /mapi by one of the methods that it offers. With none that Outlook can use it"
        " cannot sign in, or asks for the password again and again."
    ),
    how=(
        "IISAuthenticationMethods holds NTLM or Negotiate, or OAuth where modern authentication is on in the"
        " organisation (OAuth2ClientProfileEnabled). An empty list read from Active Directory alone proves nothing and"
        " leaves the question open."
    ),
    mend=(
        "Add NTLM and Negotiate with Set-MapiVirtualDirectory -IISAuthenticationMethods, and give the methods that are"
        " there as well: the cmdlet replaces the list, and OAuth dropped from it breaks modern authentication and"
        " hybrid setups. After setup the list is NTLM, OAuth, Negotiate."
    ),
    undo="Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/architecture/client-access/kerberos-auth-for-load-balanced-client-access",
    ),
)


@check(INFO)
def judge(directory: MapiVirtualDirectory, organization: OrganizationConfig | NotCollected) -> Verdict:
    """Fail when Outlook could use none of the methods offered."""
    offered = need(directory.authentication_methods)
    names = {method.casefold() for method in offered}
    if names & WINDOWS:
        return passed(f"offers {', '.join(offered)}", found=offered)
    if "oauth" in names and need(need(organization).modern_authentication):
        return passed(f"offers {', '.join(offered)}, with modern authentication on", found=offered)
    return failed(
        "offers nothing that Outlook can use",
        found=offered,
        expected="NTLM or Negotiate (or OAuth with modern authentication)",
        remedy=[
            Cmdlet(
                "Set-MapiVirtualDirectory",
                Identity=directory.identity,
                IISAuthenticationMethods=(*offered, *OUTLOOK_METHODS),
            ).replacing(IISAuthenticationMethods=offered)
        ],
    )
