"""Active Directory and IIS agree on how MAPI virtual directories let clients sign in."""

from checker import Category, CheckInfo, Cmdlet, Severity, Verdict, check, failed, need, passed
from checker.facts.iis import MapiDirectoryInIis

INFO = CheckInfo(
    id="vdir-mapi-metabase-matches",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Autodiscover tells clients what Active Directory says, and IIS does what its own configuration says. A method"
        " that only one of them has is announced and refused, or there and never used."
    ),
    how=(
        "Get-MapiVirtualDirectory shows the same IISAuthenticationMethods with -ADPropertiesOnly and without, both"
        " read and not empty. Versions of Exchange that show the list of Active Directory in both cases pass here"
        " whatever IIS does: what IIS really offers is told by endpoint-mapi-schemes. Reading IIS takes an account"
        " that may."
    ),
    mend=(
        "Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that clients shall use: it writes both"
        " places. Somebody may have changed IIS by hand; find out why before."
    ),
    undo="Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that Active Directory had.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/get-mapivirtualdirectory",
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
    ),
)


@check(INFO)
def judge(in_iis: MapiDirectoryInIis) -> Verdict:
    """Fail when both lists are known and hold different methods."""
    configured = need(in_iis.directory.authentication_methods)
    offered = need(in_iis.authentication_methods)
    wanted, there = ({method.casefold() for method in methods} for methods in (configured, offered))
    if wanted == there:
        return passed(f"both say {', '.join(configured)}", found=configured)
    lacking = [method for method in configured if method.casefold() not in there]
    added = [method for method in offered if method.casefold() not in wanted]
    told = [f"lacks {' and '.join(lacking)}"] if lacking else []
    told += [f"offers {' and '.join(added)} besides"] if added else []
    return failed(
        f"IIS {' and '.join(told)}",
        found=f"IIS: {', '.join(offered)}",
        expected=f"as in Active Directory: {', '.join(configured)}",
        remedy=[
            Cmdlet(
                "Set-MapiVirtualDirectory",
                Identity=in_iis.directory.identity,
                IISAuthenticationMethods=(*configured, *added),
            )
        ],
    )
