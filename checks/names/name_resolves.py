"""Names that clients use resolve."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Layer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    passed,
)
from checker.facts.network import NameResolution

INFO = CheckInfo(
    id="name-resolves",
    severity=Severity.BLOCKER,
    category=Category.NAMES,
    why=(
        "Outlook looks up the host of the MAPI URL that Autodiscover hands it. A name that DNS does not know leads"
        " nowhere: Outlook shows 'Trying to connect' and stays offline, however well the servers do."
    ),
    how=(
        "Each name in use is asked for its IPv4 and IPv6 addresses, of the DNS server of --nameserver or of this"
        " machine's resolver. It fails when DNS says that the name does not exist or has no address. When DNS could not"
        " be asked (no answer, SERVFAIL) nothing is known. An address of --resolve passes, and the finding says so. A"
        " name that only external settings hold is not judged from inside when it does not resolve there, and the other"
        " way round."
    ),
    mend=(
        "Add an A (and AAAA) or CNAME record for the name to the zone that clients at this place ask: the internal DNS"
        " zone inside, the public one outside (split DNS). It points at the load balancer or at the servers. If nobody"
        " is meant to use the name any more, change the URL or host name that holds it instead."
    ),
    undo="Remove the record; clients forget it when its time to live is over.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/client-access",
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/configure-mail-flow-and-client-access",
    ),
    owns=frozenset({Layer.RESOLVE}),
)


@check(INFO)
def judge(name: NameResolution) -> Verdict:
    """Fail when DNS was asked and has no address."""
    resolved = name.resolved
    if isinstance(resolved, NotCollected):
        host = name.name.host
        return failed(
            "does not resolve",
            found=resolved.sentence,
            expected=f"an address for {host}",
            remedy=[
                Advice("DNS", f"Add an A or CNAME record for {host} that points at the load balancer or the servers."),
                Advice(
                    "administrator",
                    f"If {host} is out of use, change the settings that hold it ({name.name.note}).",
                ),
            ],
        )
    addresses = tuple(address.partition("#")[0] for address in resolved.addresses)
    if resolved.given:
        return passed(f"given by --resolve as {addresses[0]}; DNS was not asked", found=addresses)
    return passed(f"resolves to {', '.join(addresses[:4])}", found=addresses)
