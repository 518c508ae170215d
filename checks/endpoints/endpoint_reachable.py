"""Names that clients use accept TCP and TLS."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Layer,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    passed,
)
from checker.facts.network import NameConnection

INFO = CheckInfo(
    id="endpoint-reachable",
    severity=Severity.BLOCKER,
    category=Category.ENDPOINTS,
    why=(
        "MAPI over HTTP is HTTPS and nothing else. Where TCP port 443 of a name does not accept connections, or TLS"
        " cannot be agreed on, Outlook cannot connect at all, and no other question about the name can be answered."
    ),
    how=(
        "Connects to port 443 of at most four addresses of the name, one after the other, and shakes hands by TLS 1.0"
        " to 1.3 with the name as SNI, taking any cipher and any certificate (those have checks of their own). Fails"
        " when no address works, and says whether TCP or TLS failed and how: refused, timed out, reset, unreachable,"
        " refused by a TLS alert, plain HTTP instead of TLS."
    ),
    mend=(
        "TCP refused or timed out: see that the address is right, that something listens on 443 there (the virtual"
        " server of the balancer, IIS on the server) and that firewalls let it through. TLS failed: see that the"
        " listener ends TLS with a certificate (the https binding in IIS), and that the server and the balancer have a"
        " TLS version and a cipher in common with clients."
    ),
    undo="Take back the change to the firewall, the balancer or the binding.",
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/deployment-ref/network-ports",
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration",
        "https://www.rfc-editor.org/rfc/rfc8446",
    ),
    owns=frozenset({Layer.CONNECT}),
)


@check(INFO)
def judge(name: NameConnection) -> Verdict:
    """Fail when TCP or TLS works with no address of the name."""
    connection = name.connection
    if isinstance(connection, NotCollected):
        return failed(
            "TLS does not work" if connection.reason is Reason.TLS_FAILED else "does not accept connections",
            found=connection.sentence,
            expected="TCP and TLS on port 443",
            remedy=[Advice(*_advice(connection.reason, name.name.host))],
        )
    address = connection.address.replace("#", " port ")
    failing = [attempt for attempt in connection.attempts if attempt.error is not None]
    also = f"; {len(failing)} other address{'es do' if len(failing) > 1 else ' does'} not" if failing else ""
    return passed(
        f"answers at {address} with {connection.version}{also}",
        found=connection.version,
        evidence=[
            ("time", f"{connection.seconds:.3f} s"),
            *((attempt.address, attempt.error.sentence) for attempt in failing if attempt.error is not None),
        ],
    )


def _advice(reason: Reason, host: str) -> tuple[str, str]:
    match reason:
        case Reason.REFUSED:
            return "load balancer", f"Nothing listens on port 443 where {host} leads: start the virtual server or IIS."
        case Reason.TIMED_OUT | Reason.UNREACHABLE:
            return "network", f"See that firewalls and routes let TCP port 443 through to where {host} leads."
        case Reason.RESET:
            return (
                "load balancer",
                f"See what cuts connections to {host}: no server up, a firewall, a listener without certificate.",
            )
    return (
        "load balancer",
        f"Give the listener of {host} on port 443 a certificate and a TLS version that clients have (1.2 or newer).",
    )
