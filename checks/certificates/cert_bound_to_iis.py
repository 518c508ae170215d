"""Servers serve the certificate that Exchange has enabled for IIS."""

from checker import (
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
from checker.facts.certificates_installed import ExchangeCertificate, InstalledCertificates
from checker.facts.network import ServerView
from checker.results import Step
from checker.x509 import Certificate, read
from checks.certificates._words import shown

INFO = CheckInfo(
    id="cert-bound-to-iis",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "Exchange notes for each certificate which services use it, and its tools renew and warn by that. When IIS has"
        " been given another one by hand, or the binding was not changed at the last renewal, the certificate that"
        " clients get is one that nobody watches."
    ),
    how=(
        "The leaf that the server serves when asked straight by its own FQDN is one of those that"
        " Get-ExchangeCertificate -Server gives with IIS among its Services (compared by thumbprint). A binding of IIS"
        " for other names (SNI) is not looked at."
    ),
    mend=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the certificate that is meant, which binds it"
        " to the web site; then look at the https bindings of the Default Web Site in IIS Manager."
    ),
    undo="Enable-ExchangeCertificate -Services IIS with the thumbprint of the former certificate, while it is there.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/enable-exchangecertificate",
        "https://learn.microsoft.com/powershell/module/exchange/get-exchangecertificate",
        "https://learn.microsoft.com/exchange/architecture/client-access/assign-certificates-to-services",
    ),
    owns=frozenset({Layer.CERTIFICATE}),
)


@check(INFO)
def judge(installed: InstalledCertificates, views: Collected[ServerView]) -> Verdict:
    """Fail when what is served is none of the server's certificates for IIS."""
    server = installed.server
    view = next((view for view in views.items if view.server.name == server.name), None)
    if view is None:
        missing = next((entry for entry in views.missing if entry.subject.server == server.name), None)
        return need(
            missing.because if missing else NotCollected(Reason.OTHER, f"{server.name} was not asked by network.")
        )
    if view.too_old:
        return not_applicable("is older than Exchange 2013 SP1, with which MAPI over HTTP came")
    connection = need(view.connection)
    leaf = read(connection.certificates[0]) if connection.certificates else None
    if not isinstance(leaf, Certificate):
        why = leaf.why if leaf else "none was sent"
        return need(NotCollected(Reason.MALFORMED, f"The certificate of {server.name} cannot be read: {why}."))
    found = installed.find(leaf.thumbprint)
    if found is not None and need(found.bound_to_iis):
        return passed(f"serves {shown(leaf)}, as enabled for IIS", found=shown(leaf))
    for_iis = [certificate for certificate in installed.certificates if certificate.bound_to_iis is True]
    how = "is none of the server's certificates" if found is None else "is not enabled for IIS"
    return failed(
        f"serves a certificate that {how}: {shown(leaf)}",
        found=shown(leaf),
        expected=[_named(certificate) for certificate in for_iis] or "a certificate of the server with the service IIS",
        remedy=_steps(server.name, for_iis),
    )


def _named(certificate: ExchangeCertificate) -> str:
    return f"{certificate.subject_name or 'a certificate'} (thumbprint {certificate.thumbprint})"


def _steps(server: str, for_iis: list[ExchangeCertificate]) -> list[Step]:
    look: Step = Cmdlet("Get-ExchangeCertificate", Server=server)
    if len(for_iis) != 1:
        return [look]
    thumbprint = for_iis[0].thumbprint
    return [look, Cmdlet("Enable-ExchangeCertificate", Server=server, Thumbprint=thumbprint, Services="IIS")]
