"""Servers send the intermediates of their certificate."""

from checker import (
    Category,
    CheckInfo,
    Layer,
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
from checker.facts.network import NameCertificates
from checker.x509 import Trust
from checks.certificates._words import chain_steps, shown

INFO = CheckInfo(
    id="cert-chain-complete",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "A server has to send its certificate and every intermediate up to the root (RFC 8446, 4.4.2). Field"
        " knowledge has it that Windows may fetch a missing one from the address in the certificate, when it may"
        " reach the internet; phones, Macs, proxies and Windows behind a strict firewall do not, and then do not"
        " trust the server."
    ),
    how=(
        "The certificates as sent in the handshake, in any order, extra ones allowed; the root need not be sent."
        " Fails when an intermediate of the path to the root was not sent, be it that the store of this machine"
        " completes the path, be it that the leaf comes alone, and its issuer is none of the roots that were given"
        " (--ca-file), or the leaf says that a public authority issued it, which never does so from its root. Where"
        " an issuer that is unknown here might be a root of your own, nothing is known (give --ca-file)."
    ),
    mend=(
        "On the servers import the intermediates into the computer's store 'Intermediate Certification"
        " Authorities' and restart IIS, which sends what it finds there; on a balancer or proxy give the"
        " certificate together with its intermediates. If the issuer is a root itself, nothing is missing: give it"
        " with --ca-file."
    ),
    undo=("Remove the intermediate from the store again."),
    sources=(
        "https://www.rfc-editor.org/rfc/rfc8446",
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://learn.microsoft.com/exchange/architecture/client-access/import-certificates",
    ),
    owns=frozenset({Layer.CHAIN, Layer.TRUST}),
)


@check(INFO)
def judge(certificates: NameCertificates) -> Verdict:
    """Fail when an intermediate is not sent."""
    leaf = need(certificates.leaf)
    chain = need(certificates.chain)
    sent = [f"{len(certificates.sent)} sent", *(shown(link) for link in chain.path[:4])]
    expected = "the certificate and every intermediate, in the handshake"
    steps = chain_steps(certificates.name.host)
    match chain.trust:
        case Trust.TRUSTED if chain.from_store:
            missing = ", ".join(link.label for link in chain.from_store)
            return failed(
                f"does not send {missing}, which only {certificates.trust_source} completes",
                found=sent,
                expected=expected,
                remedy=steps,
            )
        case Trust.TRUSTED:
            return passed(
                f"all of {len(chain.path) - 1} below {chain.concerned} are sent"
                if len(chain.path) > 1
                else "trusted as it is",
                found=sent,
            )
        case Trust.ISSUER_NOT_SENT if certificates.roots_given or leaf.public:
            return failed(
                f"comes alone, without its issuer: {shown(leaf)}",
                found=[*sent, f"issuer {chain.concerned}"],
                expected=expected,
                remedy=steps,
            )
        case Trust.ISSUER_NOT_SENT:
            because = NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"The certificate comes alone, and this machine does not know its issuer, {chain.concerned}: an"
                " intermediate that is not sent, or a root of your own; give --ca-file FILE with your roots.",
            )
        case Trust.SELF_SIGNED:
            return not_applicable("the certificate is self-signed")
        case Trust.BROKEN_SIGNATURE | Trust.NOT_AN_AUTHORITY:
            return not_applicable("the path ends at a signature that is not valid (cert-trusted)")
        case Trust.ROOT_UNKNOWN if chain.path[-1].self_issued:
            return passed(f"everything up to {chain.concerned} is sent", found=sent)
        case Trust.ROOT_UNKNOWN | Trust.NOT_ACCEPTED:
            because = NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"Whether more is missing below {chain.concerned} cannot be told without it; give --ca-file FILE.",
            )
    return need(because)
