"""Names that clients use accept TLS 1.2 or newer."""

from checker import Advice, Category, CheckInfo, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.tls_versions import NEW, NameTlsVersions

INFO = CheckInfo(
    id="tls-1-2-offered",
    severity=Severity.BLOCKER,
    category=Category.CERTIFICATES,
    why=(
        "Windows 11, current Outlook, phones and Microsoft 365 speak TLS 1.2 or newer only. A server or balancer that"
        " stops at TLS 1.1 is out of reach for them, while an old test machine still connects."
    ),
    how=(
        "A handshake with all versions and ciphers, whatever the policy of this machine says of old ones; what it ends"
        " in is the newest that both sides have. TLS 1.2 or 1.3 must be accepted. What this machine's TLS library"
        " cannot speak (it is tried against itself first) is unknown, never the server's refusal."
    ),
    mend=(
        "Windows Server 2012 and newer have TLS 1.2: see that it is not switched off under SCHANNEL\\Protocols, with"
        " the values of Microsoft's page for .NET and WinHTTP as well, and restart. On a balancer allow TLS 1.2 in its"
        " TLS profile."
    ),
    undo="Take back the registry values or the balancer's TLS profile, and restart.",
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-tls-configuration",
        "https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings",
        "https://www.rfc-editor.org/rfc/rfc8996",
    ),
)


@check(INFO)
def judge(name: NameTlsVersions) -> Verdict:
    """Fail when neither is accepted."""
    offers = [name.offers[version] for version in NEW]
    accepted = [offer.version.label for offer in offers if not isinstance(offer, NotCollected) and offer.accepted]
    if accepted:
        return passed(f"accepts {' and '.join(accepted)}", found=accepted)
    known = [need(offer) for offer in offers]
    return failed(
        "accepts neither TLS 1.2 nor TLS 1.3",
        found=[f"{offer.version.label}: {offer.detail}" for offer in known],
        expected="TLS 1.2 or newer",
        remedy=[
            Advice(
                "administrator",
                f"Allow TLS 1.2 on the servers behind {name.name.host} (SCHANNEL\\Protocols\\TLS 1.2\\Server: Enabled"
                " 1, DisabledByDefault 0) and restart them; on a balancer that ends TLS, in its TLS profile.",
            )
        ],
    )
