"""Names that clients use refuse TLS 1.0 and 1.1."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.tls_versions import NEW, OLD, NameTlsVersions

INFO = CheckInfo(
    id="tls-old-versions-refused",
    severity=Severity.ADVICE,
    category=Category.CERTIFICATES,
    why=(
        "TLS 1.0 and 1.1 are retired (RFC 8996): audits and insurers ask for them to be off, and Microsoft switches"
        " them off in Windows. No Outlook that speaks MAPI over HTTP needs them on a supported Windows."
    ),
    how=(
        "Where a newer version was agreed on, one more handshake with TLS 1.0 alone and one with TLS 1.1 alone, at"
        " OpenSSL's lowest security level. An alert, a cut connection or another version is a refusal. What this"
        " machine's TLS library cannot speak is unknown, and says so."
    ),
    mend=(
        "Switch them off for servers under SCHANNEL\\Protocols on each Exchange server, after Microsoft's preparation"
        " (TLS 1.2 on everywhere, .NET and WinHTTP told), and in the balancer's TLS profile. See first that no scanner,"
        " printer or old phone still needs them."
    ),
    undo="Take back the registry values or the balancer's TLS profile, and restart.",
    sources=(
        "https://www.rfc-editor.org/rfc/rfc8996",
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration",
        "https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings",
    ),
)


@check(INFO)
def judge(name: NameTlsVersions) -> Verdict:
    """Fail when one of them is accepted beside a newer one."""
    newer = [name.offers[version] for version in NEW]
    if all(not isinstance(offer, NotCollected) and not offer.accepted for offer in newer):
        return not_applicable("accepts nothing newer, which comes first (tls-1-2-offered)")
    offers = [name.offers[version] for version in OLD]
    accepted = [offer for offer in offers if not isinstance(offer, NotCollected) and offer.accepted]
    if accepted:
        labels = " and ".join(offer.version.label for offer in accepted)
        return failed(
            f"accepts {labels}",
            found=[f"{offer.version.label} ({offer.detail})" for offer in accepted],
            expected="TLS 1.2 and newer alone",
            remedy=[
                Advice(
                    "administrator",
                    f"When no client needs it any more, switch {labels} off on the servers behind {name.name.host}"
                    " (SCHANNEL\\Protocols, Enabled 0) and restart them; on a balancer that ends TLS, in its TLS"
                    " profile.",
                )
            ],
        )
    refused = [need(offer) for offer in offers]
    return passed("refuses TLS 1.0 and 1.1", found=[f"{offer.version.label}: {offer.detail}" for offer in refused])
