"""MAPI uses a name of its own only where that name works."""

from checker import (
    Advice,
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
)
from checker.facts.names import NameInUse, UseKind
from checker.facts.network import NameCertificates, NameResolution

INFO = CheckInfo(
    id="name-shared",
    severity=Severity.ADVICE,
    category=Category.NAMES,
    why=(
        "A name that only MAPI uses needs a DNS record, a place in every certificate and a rule on every balancer of"
        " its own. Where one of them is forgotten, the simplest way is often the name that Outlook Anywhere or"
        " Autodiscover use already: clients reach it today."
    ),
    how=(
        "A name in use that InternalUrl or ExternalUrl of MAPI hold, and neither a host name of Outlook Anywhere nor"
        " AutoDiscoverServiceInternalUri, resolves and is named by the certificate that it is served with. The question"
        " arises only where it does not; the failure itself is told by name-resolves and cert-names-cover, and this is"
        " advice for a shorter way."
    ),
    mend=(
        "Give the MAPI directories the name that works (Set-MapiVirtualDirectory, with the IISAuthenticationMethods"
        " that they have), or give the name what it lacks."
    ),
    undo="Set-MapiVirtualDirectory with the former URLs and the same IISAuthenticationMethods.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
    ),
)
MAPI = frozenset({UseKind.MAPI_INTERNAL_URL, UseKind.MAPI_EXTERNAL_URL})
OTHERS = frozenset({UseKind.OUTLOOK_ANYWHERE_INTERNAL, UseKind.OUTLOOK_ANYWHERE_EXTERNAL, UseKind.AUTODISCOVER_URI})


@check(INFO)
def judge(
    name: NameInUse,
    names: Collected[NameInUse],
    resolutions: Collected[NameResolution] | NotCollected,
    certificates: Collected[NameCertificates] | NotCollected,
) -> Verdict:
    """Fail when the name is MAPI's own, and does not resolve or is not covered, while others are in use."""
    kinds = {use.kind for use in name.uses}
    if not kinds & MAPI:
        return not_applicable("MAPI does not use it")
    if kinds & OTHERS:
        return not_applicable(
            f"MAPI shares it with the {' and the '.join(sorted(kind.value for kind in kinds & OTHERS))}"
        )
    for missing in names.missing:
        need(missing.because)
    others = [other.host for other in names.items if {use.kind for use in other.uses} & OTHERS]
    if not others:
        return not_applicable("no other name is in use")
    problem = _problem(name, resolutions, certificates)
    if problem is None:
        return not_applicable("MAPI has a name of its own, which resolves and is covered")
    return failed(
        f"only MAPI uses this name, and it {problem}",
        found=name.host,
        expected=f"a name that works, such as {others[0]}",
        remedy=[
            Advice(
                "administrator",
                f"If clients reach {others[0]} already, use it for the URLs of /mapi too; otherwise give {name.host}"
                " what it lacks.",
            )
        ],
    )


def _problem(
    name: NameInUse,
    resolutions: Collected[NameResolution] | NotCollected,
    certificates: Collected[NameCertificates] | NotCollected,
) -> str | None:
    for missing in need(resolutions).missing:
        if missing.subject.key == name.subject.key:
            need(missing.because)
    for resolution in need(resolutions).items:
        if resolution.name.host == name.host and isinstance(resolution.resolved, NotCollected):
            return "does not resolve"
    for missing in need(certificates).missing:
        if missing.subject.key == name.subject.key:
            need(missing.because)
    for served in need(certificates).items:
        if served.name.host == name.host and not need(served.covers) and not need(served.only_in_cn):
            return "is not named by the certificate that it is served with"
    return None
