"""The https bindings of Exchange's web sites have a certificate of the server, and the back end is on port 444."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.answers import Reason
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.hosts import BACK_END, FRONT_END, HostBindings, WebBinding
from checker.results import Step

INFO = CheckInfo(
    id="host-bindings",
    severity=Severity.BLOCKER,
    category=Category.HOST,
    why=(
        "An https binding without a certificate, or with one that is gone, ends every TLS handshake: Outlook cannot"
        " connect. The front end reaches the mailbox by the site Exchange Back End on port 444; without a certificate"
        " there, or without that port, every protocol fails behind a sign-in that still works."
    ),
    how=(
        f"Each https binding of {FRONT_END} (on client-access servers) and {BACK_END} (on mailbox servers) has a"
        " certificate, and its thumbprint is one that Get-ExchangeCertificate lists for the server; the first has https"
        " on port 443, the second on *:444. Bindings that take their certificate from another store than MY, or from a"
        " central one, are not compared. The bindings come from the collector's export or HealthChecker's XML."
    ),
    mend=(
        "Front end: Enable-ExchangeCertificate -Services IIS with the certificate that is meant. Back end: bind the"
        " server's own certificate (Microsoft Exchange) to https *:444 in IIS Manager; where it is gone, make a new one"
        " with New-ExchangeCertificate first. iisreset is not needed."
    ),
    undo="Bind the former certificate again in IIS Manager, while it is there.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/enable-exchangecertificate",
        "https://learn.microsoft.com/powershell/module/webadministration/get-webbinding",
        "https://learn.microsoft.com/exchange/architecture/client-access/assign-certificates-to-services",
    ),
)


@check(INFO)
def judge(host: HostBindings, installed: Collected[InstalledCertificates] | NotCollected) -> Verdict:
    """Fail when a binding has no certificate, one that is gone, or the port is missing."""
    server = host.server
    certificates = _certificates(server.name, installed)
    problems: list[str] = []
    doubts: list[NotCollected] = []
    judged: list[WebBinding] = []
    sites = [(FRONT_END, "443")] if need(server.is_client_access) else []
    sites += [(BACK_END, "444")] if need(server.is_mailbox) else []
    for site, port in sites:
        there = host.of(site)
        secure = [binding for binding in there if binding.protocol == "https"]
        judged += secure
        if not there:
            doubts.append(_no_site(server.name, site))
        elif not any(binding.port == port and (site == FRONT_END or _everywhere(binding)) for binding in secure):
            problems.append(f"{site} has no https binding on {'*:' if site == BACK_END else 'port '}{port}")
        for binding in secure:
            said = _problem(binding, certificates)
            if isinstance(said, NotCollected):
                doubts.append(said)
            elif said is not None:
                problems.append(f"{site}, {binding.shown} {said}")
    found = [f"{binding.site}: {binding.shown} {_hash_shown(binding)}" for binding in judged]
    if problems:
        return failed(
            "; ".join(problems),
            found=found,
            expected="https on port 443 (front end) and *:444 (back end), each with a certificate of the server",
            remedy=_steps(server.name, problems),
        )
    for doubt in doubts:
        need(doubt)
    return passed(f"{len(judged)} https bindings, each with a certificate of the server", found=found)


def _certificates(
    server: str, installed: Collected[InstalledCertificates] | NotCollected
) -> InstalledCertificates | NotCollected:
    if isinstance(installed, NotCollected):
        return installed
    for item in installed.items:
        if item.server.name == server:
            return item
    return next(
        (entry.because for entry in installed.missing if entry.subject.server == server),
        NotCollected(Reason.OTHER, f"The certificates of {server} were not looked at."),
    )


def _no_site(server: str, site: str) -> NotCollected:
    return NotCollected(
        Reason.NOT_GIVEN,
        f"The export of {server} holds no binding of {site}: it may have been made of another site alone; mapiready"
        " collector exports all.",
    )


def _everywhere(binding: WebBinding) -> bool:
    return binding.address == "*" and not binding.host


def _problem(binding: WebBinding, certificates: InstalledCertificates | NotCollected) -> str | NotCollected | None:
    """What is wrong with the certificate of a binding, or why that is not known."""
    if binding.central:
        return None
    if binding.certificate_hash is None:
        return "has no certificate"
    if isinstance(binding.certificate_hash, NotCollected):
        return binding.certificate_hash
    if binding.store not in (None, "MY"):
        return None
    if isinstance(certificates, NotCollected):
        return certificates
    if certificates.find(binding.certificate_hash) is None:
        return f"has the certificate {binding.certificate_hash}, which the server does not have"
    return None


def _hash_shown(binding: WebBinding) -> str:
    if binding.central:
        return "from the central store"
    return binding.certificate_hash if isinstance(binding.certificate_hash, str) else "no certificate"


def _steps(server: str, problems: list[str]) -> list[Step]:
    steps: list[Step] = [Cmdlet("Get-ExchangeCertificate", Server=server)]
    if any(problem.startswith(FRONT_END) for problem in problems):
        text = (
            "Enable the certificate that clients shall get with Enable-ExchangeCertificate"
            f" -Server {server} -Services IIS."
        )
        steps.append(Advice("administrator", text))
    if any(problem.startswith(BACK_END) for problem in problems):
        text = f"Bind the certificate Microsoft Exchange of {server} to https *:444 of {BACK_END} in IIS Manager."
        steps.append(Advice("administrator", text))
    return steps
