"""All servers behind a name serve the same certificate."""

from collections import Counter

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
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
from checker.facts.behind import NameServers, Served
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.network import ServerView
from checker.facts.run import Now
from checker.results import Step
from checker.x509 import Certificate
from checks.certificates._served import leaf_of, problems, unbound
from checks.certificates._words import shown

INFO = CheckInfo(
    id="cert-same-on-all-servers",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "Behind a balancer the servers of a name take turns. Different certificates are renewed at different times, so"
        " that one is forgotten; and Extended Protection refuses every sign-in that comes by a balancer which ends TLS"
        " with another certificate than the server's."
    ),
    how=(
        "Each server whose settings name the host is connected to at its own address and asked for the host by SNI; the"
        " thumbprints are compared. A server whose certificate is bad in itself is told by cert-served-by-server or"
        " cert-bound-to-iis and not compared."
    ),
    mend=(
        "Export-ExchangeCertificate with its key on a server that has the right one, Import-ExchangeCertificate on the"
        " others, then Enable-ExchangeCertificate -Services IIS there."
    ),
    undo="Enable-ExchangeCertificate -Services IIS with the thumbprint of the former certificate, while it is there.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
        "https://learn.microsoft.com/powershell/module/exchange/import-exchangecertificate",
    ),
)


@check(INFO)
def judge(
    servers: NameServers,
    installed: Collected[InstalledCertificates] | NotCollected,
    views: Collected[ServerView],
    now: Now,
) -> Verdict:
    """Fail when good certificates differ; one that is bad has its own finding."""
    host = servers.name.host
    if len(servers.served) + len(servers.unknown) < 2:
        return not_applicable("fewer than two servers stand behind it")
    leaves = [(served, leaf) for served in servers.served if (leaf := leaf_of(served))]
    if len({leaf.thumbprint for _, leaf in leaves}) > 1:
        good = [(served, leaf) for served, leaf in leaves if not _told_elsewhere(served, leaf, installed, views, now)]
        if len({leaf.thumbprint for _, leaf in good}) > 1:
            return _different(host, good)
        bad = next(served for served, leaf in leaves if (served, leaf) not in good)
        need(
            NotCollected(
                Reason.SAME_CAUSE,
                f"{bad.server.name} serves another certificate for {host} than the others, which has a finding of its"
                " own.",
                Layer.CERTIFICATE,
                bad.server.subject,
            )
        )
    for missing in servers.unknown:
        need(missing.because)
    for served in servers.served:
        if isinstance(served.analysis, NotCollected):
            need(served.analysis)
        elif isinstance(served.analysis.leaf, NotCollected):
            need(served.analysis.leaf)
    return passed(f"all {len(leaves)} servers serve {shown(leaves[0][1])}", found=shown(leaves[0][1]))


def _told_elsewhere(
    served: Served,
    leaf: Certificate,
    installed: Collected[InstalledCertificates] | NotCollected,
    views: Collected[ServerView],
    now: Now,
) -> bool:
    other = unbound(served.server.name, views, installed)
    if other is not None and other.thumbprint == leaf.thumbprint:
        return True
    return not served.as_by_name and any(isinstance(problem, str) for problem in problems(served, installed, now))


def _different(host: str, leaves: list[tuple[Served, Certificate]]) -> Verdict:
    by_thumbprint: dict[str, list[str]] = {}
    for served, leaf in leaves:
        by_thumbprint.setdefault(leaf.thumbprint, []).append(served.server.name)
    known = {leaf.thumbprint: leaf for _, leaf in leaves}
    return failed(
        f"{len(by_thumbprint)} different certificates are served for it",
        found=[f"{', '.join(names)}: {shown(known[thumbprint])}" for thumbprint, names in by_thumbprint.items()],
        expected="one certificate on all servers",
        remedy=_steps(host, by_thumbprint),
    )


def _steps(host: str, by_thumbprint: dict[str, list[str]]) -> list[Step]:
    counts = Counter({thumbprint: len(names) for thumbprint, names in by_thumbprint.items()})
    (wanted, most), *others = counts.most_common()
    if others and others[0][1] == most:
        return [
            Advice(
                "administrator",
                f"Choose one of the certificates for {host}, import it on every server behind it"
                " (Import-ExchangeCertificate), and enable it for IIS.",
            )
        ]
    steps: list[Step] = []
    for name in (name for thumbprint, names in by_thumbprint.items() if thumbprint != wanted for name in names):
        steps.append(
            Advice(
                "administrator",
                f"Export the certificate with its key on {by_thumbprint[wanted][0]} (Export-ExchangeCertificate) and"
                f" import it on {name} (Import-ExchangeCertificate).",
            )
        )
        steps.append(Cmdlet("Enable-ExchangeCertificate", Server=name, Thumbprint=wanted, Services="IIS"))
    return steps
