"""MAPI virtual directories offer OAuth where modern authentication is on."""

from checker import Category, CheckInfo, Cmdlet, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.organisation import OrganizationConfig

INFO = CheckInfo(
    id="org-modern-authentication-consistent",
    severity=Severity.WARNING,
    category=Category.ORGANISATION,
    why=(
        "With modern authentication on, Autodiscover tells Outlook to sign in by OAuth. On a server whose /mapi does"
        " not offer it, Outlook falls back to a password prompt, or does not connect where passwords are not accepted."
    ),
    how=(
        "OAuth2ClientProfileEnabled of Get-OrganizationConfig is True, and OAuth is among the IISAuthenticationMethods"
        " of each MAPI directory. With modern authentication off the question does not arise."
    ),
    mend=(
        "Add OAuth with Set-MapiVirtualDirectory -IISAuthenticationMethods, and give the methods that are there as"
        " well: the cmdlet replaces the list."
    ),
    undo="Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/microsoft-365/enterprise/configure-exchange-server-for-hybrid-modern-authentication",
    ),
)


@check(INFO)
def judge(directory: MapiVirtualDirectory, organization: OrganizationConfig) -> Verdict:
    """Fail when modern authentication is on and the directory lacks OAuth."""
    if not need(organization.modern_authentication):
        return not_applicable("modern authentication is off (OAuth2ClientProfileEnabled False)")
    offered = need(directory.authentication_methods)
    if "oauth" in {method.casefold() for method in offered}:
        return passed(f"offers {', '.join(offered)}", found=offered)
    return failed(
        "lacks OAuth, while modern authentication is on",
        found=offered,
        expected="OAuth among the methods",
        remedy=[
            Cmdlet(
                "Set-MapiVirtualDirectory",
                Identity=directory.identity,
                IISAuthenticationMethods=(*offered, "OAuth"),
            ).replacing(IISAuthenticationMethods=offered)
        ],
    )
