"""The default authentication policy leaves a sign-in to /mapi that the directories offer."""

from checker import (
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.authentication import AuthenticationPolicy
from checker.facts.directories import MapiVirtualDirectory
from checker.results import Step

INFO = CheckInfo(
    id="org-authentication-policy",
    severity=Severity.WARNING,
    category=Category.ORGANISATION,
    why=(
        "An authentication policy (Exchange 2019 CU2 and newer) refuses a way of signing in after the password was"
        " right. When what it leaves is not what /mapi offers, every user without a policy of their own is shut out of"
        " MAPI over HTTP."
    ),
    how=(
        "The default policy (DefaultAuthenticationPolicy of Get-OrganizationConfig) does not block legacy sign-in for"
        " MAPI (BlockLegacyAuthMapi: NTLM, Kerberos, Basic) while a MAPI directory lacks OAuth, and does not block"
        " modern sign-in (BlockModernAuthMapi, from CU13) while a directory offers OAuth alone. Policies of single"
        " users are not looked at."
    ),
    mend=(
        "Let the policy allow what the directories offer (Set-AuthenticationPolicy), or offer what the policy allows"
        " (OAuth added to Set-MapiVirtualDirectory -IISAuthenticationMethods)."
    ),
    undo="Set-AuthenticationPolicy, or Set-MapiVirtualDirectory, with the values that were found.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-authenticationpolicy",
        "https://learn.microsoft.com/powershell/module/exchange/new-authenticationpolicy",
    ),
)


@check(INFO)
def judge(policy: AuthenticationPolicy, directories: Collected[MapiVirtualDirectory]) -> Verdict:
    """Fail when the policy and the directories leave no common sign-in."""
    if not policy.known_here:
        return not_applicable("no server has authentication policies; they came with Exchange 2019 CU2")
    if policy.name is None:
        return passed("there is no default authentication policy, so none blocks anything")
    blocks_legacy, blocks_modern = need(policy.blocks_legacy_mapi), need(policy.blocks_modern_mapi)
    if not blocks_legacy and not blocks_modern:
        return passed(f"the default policy {policy.name} blocks no sign-in for MAPI")
    lacking, alone = [], []
    for directory in directories.items:
        names = {method.casefold() for method in need(directory.authentication_methods)}
        if "oauth" not in names:
            lacking.append(directory)
        elif names == {"oauth"}:
            alone.append(directory)
    shut_out = [directory.identity for directory in (lacking if blocks_legacy else [])]
    shut_out += [directory.identity for directory in (alone if blocks_modern else [])]
    if blocks_legacy and blocks_modern:
        shut_out = [directory.identity for directory in directories.items]
    blocked = " and ".join(word for word, blocks in (("legacy", blocks_legacy), ("modern", blocks_modern)) if blocks)
    if not shut_out:
        return passed(f"the default policy {policy.name} blocks {blocked} sign-in, and the directories offer another")
    return failed(
        f"the default policy {policy.name} blocks {blocked} sign-in, and {len(shut_out)}"
        f" MAPI {'directory offers' if len(shut_out) == 1 else 'directories offer'} no other",
        found=[f"{policy.name} blocks {blocked} sign-in for MAPI", *shut_out],
        expected="a sign-in that the policy allows and the directory offers",
        remedy=_mend(policy.name, lacking if blocks_legacy and not blocks_modern else [], blocks_modern=blocks_modern),
    )


def _mend(policy: str, lacking: list[MapiVirtualDirectory], *, blocks_modern: bool) -> list[Step]:
    """OAuth for directories that lack it; where OAuth itself is blocked, the policy."""
    if blocks_modern:
        step = Cmdlet("Set-AuthenticationPolicy", Identity=policy, BlockModernAuthMapi=False)
        return [step.replacing(BlockModernAuthMapi=True)]
    return [
        Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity=directory.identity,
            IISAuthenticationMethods=(*need(directory.authentication_methods), "OAuth"),
        ).replacing(IISAuthenticationMethods=need(directory.authentication_methods))
        for directory in lacking
    ]
