"""By name /mapi offers the sign-in methods that the servers are configured for."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    HttpAnswer,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.behind import NameCompared, Page
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.network import EMSMDB
from checker.facts.party import described, evidence
from checker.results import Step
from checks.endpoints._compare import configured, good, iis_offers, named, page_of, scheme_set

INFO = CheckInfo(
    id="endpoint-mapi-schemes",
    severity=Severity.WARNING,
    category=Category.ENDPOINTS,
    why=(
        "A proxy that takes Negotiate or NTLM out of the challenge, or adds Basic, decides how users sign in: Kerberos"
        " is lost without a word, passwords are sent that need not be, and what the administrator configures has no"
        " effect."
    ),
    how=(
        "The schemes of the 401 on /mapi/emsmdb/ by name are those of IISAuthenticationMethods of a MAPI virtual"
        " directory behind the name (Ntlm: NTLM, Negotiate: Negotiate, Basic: Basic). OAuth shows only to clients that"
        " say that they know it, so Bearer is not compared. Each server is asked straight as well, so that the finding"
        " can say whether the proxy or the server does it. No good challenge at all is told by endpoint-mapi-challenge,"
        " IIS and Active Directory that differ by vdir-mapi-metabase-matches, where IIS could be read."
    ),
    mend=(
        "Let the proxy pass WWW-Authenticate on as the servers send it, every line of it, without a sign-in of its own."
        " Where the servers themselves differ, set IISAuthenticationMethods again with Set-MapiVirtualDirectory."
    ),
    undo="Take back the rule of the proxy.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/clients/default-virtual-directory-settings",
        "https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate",
    ),
)


@check(INFO)
def judge(
    compared: NameCompared,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    in_iis: Collected[MapiDirectoryInIis] | NotCollected,
) -> Verdict:
    """Fail when what is offered by name is configured on no server behind it."""
    page = page_of(compared, EMSMDB)
    if page is None:
        return not_applicable("does not serve MAPI over HTTP")
    answer = page.by_name
    if not isinstance(answer, HttpAnswer) or not good(page, answer):
        return need(NotCollected(Reason.SAME_CAUSE, "The name gives no challenge that could be compared.", page.layer))
    servers = {straight.server.name for straight in page.straight}
    if isinstance(directories, NotCollected):
        return need(directories)
    behind = [directory for directory in directories.items if directory.server in servers]
    if not behind:
        if any(use.server is not None and use.kind.serves_mapi for use in compared.name.uses):
            for missing in compared.unknown:
                need(missing.because)
        return not_applicable("no MAPI virtual directory names it, so nothing says what it should offer")
    offered = scheme_set(answer)
    wanted = [
        configured(directory.authentication_methods)
        for directory in behind
        if not isinstance(directory.authentication_methods, NotCollected)
    ]
    if offered in wanted:
        return passed(f"offers {named(offered)}, as configured", found=named(offered), evidence=evidence(answer))
    for directory in behind:
        need(directory.authentication_methods)
    alike = [straight.server.name for straight in page.straight if _offers(straight.answer, offered)]
    if any(iis_offers(server, offered, in_iis) for server in alike):
        return passed(f"offers {named(offered)}, as IIS of {', '.join(alike)} does", found=named(offered))
    return failed(
        _summary(offered, wanted, alike),
        found=[f"by name: {described(answer)}", *_straight(page)],
        expected=" or ".join(dict.fromkeys(named(schemes) for schemes in wanted)),
        remedy=_steps(compared.name.host, alike),
        evidence=evidence(answer),
    )


def _offers(answer: HttpAnswer | NotCollected, schemes: frozenset[str]) -> bool:
    return isinstance(answer, HttpAnswer) and answer.status == 401 and scheme_set(answer) == schemes


def _summary(offered: frozenset[str], wanted: list[frozenset[str]], alike: list[str]) -> str:
    all_wanted = frozenset[str]().union(*wanted)
    lacks, adds = all_wanted - offered, offered - all_wanted
    parts = [f"lacks {named(lacks)}"] if lacks else []
    if adds:
        parts.append(f"adds {named(adds)}")
    what = " and ".join(parts) or "offers another mix than any server"
    whose = f"as {', '.join(alike)} does itself" if alike else "unlike the servers behind it"
    return f"{what}, {whose}"


def _straight(page: Page) -> list[str]:
    return [
        f"{straight.server.name} straight: {described(straight.answer)}"
        for straight in page.straight[:10]
        if isinstance(straight.answer, HttpAnswer)
    ]


def _steps(host: str, alike: list[str]) -> list[Step]:
    if alike:
        return [
            Cmdlet("Get-MapiVirtualDirectory", Server=alike[0]),
            Advice(
                "administrator",
                f"IIS of {', '.join(alike)} offers something else than Active Directory says: set"
                " IISAuthenticationMethods again with Set-MapiVirtualDirectory.",
            ),
        ]
    return [
        Advice(
            "reverse proxy",
            f"Pass /mapi/* of {host} on with its WWW-Authenticate headers as the servers send them, every line, and"
            " without a sign-in of the proxy's own.",
        )
    ]
