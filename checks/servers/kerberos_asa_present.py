"""Names that several servers share can take Kerberos tickets."""

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
    passed,
)
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.kerberos import AlternateServiceAccount
from checker.facts.names import NameInUse
from checks.servers import _kerberos

INFO = CheckInfo(
    id="kerberos-asa-present",
    severity=Severity.ADVICE,
    category=Category.SERVERS,
    why=(
        "Negotiate means Kerberos only where an account bears the name's SPN. Without an alternate service account"
        " every client falls back to NTLM, which costs a domain controller's answer per connection and breaks behind"
        " balancers that spread the requests of a connection."
    ),
    how=(
        "Negotiate is among the IISAuthenticationMethods of the MAPI directories of a name that two or more servers"
        " use, and at least one of these has an alternate service account; whether all have the same is asked by"
        " kerberos-asa-consistent."
    ),
    mend=_kerberos.MEND,
    undo=_kerberos.UNDO,
    sources=_kerberos.SOURCES,
)


@check(INFO)
def judge(
    name: NameInUse, accounts: Collected[AlternateServiceAccount], directories: Collected[MapiVirtualDirectory]
) -> Verdict:
    """Fail when a shared name offers Negotiate and no server behind it has an account."""
    if not any(use.kind.serves_mapi for use in name.uses):
        return not_applicable("is not used for MAPI over HTTP")
    behind = _kerberos.behind(name, accounts)
    if len(behind) < 2:
        return not_applicable("is used by one server only" if behind else "is used by no server of Exchange 2013+")
    known = [entry for entry in behind.values() if isinstance(entry, AlternateServiceAccount)]
    having = [entry for entry in known if entry.account is not None]
    if having:
        return passed(f"{having[0].server.name} has {having[0].account}")
    if not _offers_negotiate(set(behind), directories):
        return not_applicable("Negotiate is not offered")
    _kerberos.need_all(behind)
    return failed(
        f"Negotiate is offered, and none of {len(known)} servers has an alternate service account",
        found="no alternate service account",
        expected="the same alternate service account on all servers of the name",
        remedy=[
            Advice(
                "administrator",
                f"Deploy an alternate service account to {', '.join(entry.server.name for entry in known)} with"
                f" RollAlternateServiceAccountPassword.ps1, then give it the SPN http/{name.host}.",
            )
        ],
    )


def _offers_negotiate(servers: set[str], directories: Collected[MapiVirtualDirectory]) -> bool:
    doubts: list[NotCollected] = []
    for directory in directories.items:
        if directory.server.casefold() not in servers:
            continue
        methods = directory.authentication_methods
        if isinstance(methods, NotCollected):
            doubts.append(methods)
        elif "negotiate" in {method.casefold() for method in methods}:
            return True
    doubts.extend(
        missing.because for missing in directories.missing if (missing.subject.server or "").casefold() in servers
    )
    for doubt in doubts:
        need(doubt)
    return False
