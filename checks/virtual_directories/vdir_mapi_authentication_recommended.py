"""MAPI virtual directories offer NTLM, Negotiate and OAuth, as after setup, and no Basic."""

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
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.organisation import OrganizationConfig
from checker.results import Step

INFO = CheckInfo(
    id="vdir-mapi-authentication-recommended",
    severity=Severity.ADVICE,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "NTLM works everywhere, Negotiate lets Kerberos in, and OAuth is what modern authentication and hybrid setups"
        " need the day they are turned on. Basic sends the password itself with every request, and Outlook does not"
        " need it for MAPI over HTTP."
    ),
    how=(
        "IISAuthenticationMethods is the set that setup makes: NTLM, Negotiate and OAuth, without Basic. Sources"
        " differ: the cmdlet's page names these three and wants OAuth always, Microsoft's page on Kerberos and that"
        " on MAPI over HTTP set Negotiate or NTLM and Negotiate alone, and some sites take Negotiate away where"
        " clients prompt outside. So this is advice. A directory that offers nothing that Outlook can use is told by"
        " vdir-mapi-authentication."
    ),
    mend=(
        "Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that are there and those that lack: the"
        " cmdlet replaces the list. Take Basic away only when no client depends on it."
    ),
    undo="Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/exchange/architecture/client-access/kerberos-auth-for-load-balanced-client-access",
    ),
)
RECOMMENDED = ("NTLM", "Negotiate", "OAuth")


@check(INFO)
def judge(directory: MapiVirtualDirectory, organization: OrganizationConfig | NotCollected) -> Verdict:
    """Fail when one of the three lacks, or Basic is offered."""
    offered = need(directory.authentication_methods)
    names = {method.casefold() for method in offered}
    if "windowsintegrated" in names:
        names |= {"ntlm", "negotiate"}
    if not names & {"ntlm", "negotiate"} and ("oauth" not in names or not _modern(organization)):
        return not_applicable("offers nothing that Outlook can use, which vdir-mapi-authentication judges")
    lacking = tuple(method for method in RECOMMENDED if method.casefold() not in names)
    if not lacking and "basic" not in names:
        return passed(f"offers {', '.join(offered)}", found=offered)
    problems = [f"does not offer {' and '.join(lacking)}"] if lacking else []
    if "basic" in names:
        problems.append("offers Basic")
    remedy: list[Step] = []
    if lacking:
        step = Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity=directory.identity,
            IISAuthenticationMethods=(*offered, *lacking),
        )
        remedy.append(step.replacing(IISAuthenticationMethods=offered))
    if "basic" in names:
        remedy.append(
            Advice(
                "administrator",
                f"When no client signs in to {directory.identity} with Basic, set its IISAuthenticationMethods"
                " without it.",
            )
        )
    return failed(" and ".join(problems), found=offered, expected=", ".join(RECOMMENDED), remedy=remedy)


def _modern(organization: OrganizationConfig | NotCollected) -> bool:
    """Whether modern authentication is known to be on; without that vdir-mapi-authentication has the word."""
    return not isinstance(organization, NotCollected) and organization.modern_authentication is True
