"""Each server itself serves a good certificate for the names that lead to it."""

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
from checker.facts.behind import ServerCertificates
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.network import ServerView
from checker.facts.run import Now
from checker.results import Step
from checks.certificates._served import leaf_of, problems, unbound
from checks.certificates._words import shown

INFO = CheckInfo(
    id="cert-served-by-server",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "By name one sees the server that a balancer chooses today. One server of several with an expired or wrong"
        " certificate gives warnings and prompts to some users only, now and then, which is the hardest to find. Behind"
        " a proxy that ends TLS itself clients do not see it, but Extended Protection and the day without the proxy do."
    ),
    how=(
        "Each server whose directories, Outlook Anywhere or Autodiscover URI name a host is connected to at its own"
        " FQDN (or the address of --resolve), and asked for that host by SNI. What it sends must name the host, be in"
        " date, made for servers and trusted, with its intermediates. Where it sends just what clients get by the name,"
        " what is wrong with that is told by the checks of the name. A root that this machine does not know fails only"
        " when Get-ExchangeCertificate says that the server does not know it either (RootCAType None or Unknown)."
    ),
    mend=(
        "Bring the certificate of the other servers to this one: Export-ExchangeCertificate there,"
        " Import-ExchangeCertificate here, then Enable-ExchangeCertificate -Services IIS."
    ),
    undo="Enable-ExchangeCertificate -Services IIS with the thumbprint of the former certificate, while it is there.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://learn.microsoft.com/exchange/architecture/client-access/import-certificates",
        "https://learn.microsoft.com/powershell/module/exchange/enable-exchangecertificate",
    ),
    owns=frozenset({Layer.CERTIFICATE}),
)


@check(INFO)
def judge(
    certificates: ServerCertificates,
    installed: Collected[InstalledCertificates] | NotCollected,
    views: Collected[ServerView],
    now: Now,
) -> Verdict:
    """Fail when a server would give a client another certificate than it should, and that one is bad."""
    server = certificates.server
    found: dict[str, list[str]] = {}
    doubts: list[NotCollected] = []
    told: list[str] = []
    for served in certificates.served:
        for problem in problems(served, installed, now):
            if served.as_by_name:
                told.append(served.name.host)
            elif isinstance(problem, NotCollected):
                doubts.append(problem)
            else:
                found.setdefault(problem, []).append(served.name.host)
    if found:
        other = unbound(server.name, views, installed)
        if other is not None:
            sentence = f"{server.name} serves {shown(other)}, which is not the one that Exchange has enabled for IIS."
            return need(NotCollected(Reason.SAME_CAUSE, sentence, Layer.CERTIFICATE))
        return failed(
            f"serves a bad certificate: {next(iter(found))}",
            found=[f"{', '.join(hosts)}: {problem}" for problem, hosts in found.items()],
            expected="what clients get by name, or another certificate that is as good",
            remedy=_steps(certificates),
        )
    for doubt in doubts:
        need(doubt)
    hosts = ", ".join(dict.fromkeys(served.name.host for served in certificates.served))
    if told:
        named = ", ".join(dict.fromkeys(told))
        return not_applicable(f"serves what {named} is served with, whose faults the checks of the name tell")
    leaves = dict.fromkeys(shown(leaf) for served in certificates.served if (leaf := leaf_of(served)))
    return passed(f"serves {', '.join(leaves)} for {hosts}", found=tuple(leaves))


def _steps(certificates: ServerCertificates) -> list[Step]:
    name = certificates.server.name
    return [
        Cmdlet("Get-ExchangeCertificate", Server=name),
        Advice(
            "administrator",
            f"Bring the certificate of the other servers to {name} (Export-ExchangeCertificate,"
            " Import-ExchangeCertificate), then Enable-ExchangeCertificate -Services IIS with its thumbprint there.",
        ),
    ]
