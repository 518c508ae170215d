"""The OAuth certificate of the organisation is on each server and in date."""

from collections.abc import Iterator

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
    not_applicable,
    passed,
)
from checker.facts.authentication import AuthConfig
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.organisation import OrganizationConfig
from checker.facts.run import Now
from checker.results import Step

INFO = CheckInfo(
    id="org-auth-certificate-valid",
    severity=Severity.WARNING,
    category=Category.ORGANISATION,
    why=(
        "Exchange signs its OAuth tokens with one certificate for the organisation. When it is out of date, or a server"
        " does not have it, modern authentication and hybrid features stop working there, and so do Outlook on the web"
        " and the admin center."
    ),
    how=(
        "With modern authentication on (OAuth2ClientProfileEnabled), the certificate that Get-AuthConfig names in"
        " CurrentCertificateThumbprint is among those of each client-access server (Get-ExchangeCertificate) and in"
        " date now. It is self-signed by design."
    ),
    mend=(
        "Out of date: make a new one, name it in Set-AuthConfig with an effective date, publish it, and restart IIS."
        " Missing on a server: publish it again, which copies it to the servers. A hybrid organisation runs the Hybrid"
        " Configuration Wizard afterwards."
    ),
    undo=(
        "The previous certificate stays on the servers; name it again with Set-AuthConfig -NewCertificateThumbprint"
        " while it is in date."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/troubleshoot/administration/cannot-access-owa-or-ecp-if-oauth-expired",
        "https://learn.microsoft.com/powershell/module/exchange/set-authconfig",
    ),
)

_NAME = "Microsoft Exchange Server Auth Certificate"


@check(INFO)
def judge(
    organization: OrganizationConfig,
    config: AuthConfig | NotCollected,
    servers: Collected[InstalledCertificates] | NotCollected,
    now: Now,
) -> Iterator[Verdict]:
    """Fail once when the certificate is out of date, and for each server that lacks it, while OAuth is in use."""
    if not need(organization.modern_authentication):
        yield not_applicable("modern authentication is off (OAuth2ClientProfileEnabled False)")
        return
    thumbprint = need(need(config).current)
    if thumbprint is None:
        yield failed(
            "Get-AuthConfig names no OAuth certificate",
            found=None,
            expected="the thumbprint of a certificate that is in date",
            remedy=_renew(),
        )
        return
    having = {server.server.name: server.find(thumbprint) for server in need(servers).items}
    certificate = next((found for found in having.values() if found is not None), None)
    if certificate is None:
        for missing in need(servers).missing:
            need(missing.because)
        yield failed(
            "no server has the OAuth certificate of the organisation",
            found=None,
            expected=f"the certificate {thumbprint} on each server",
            remedy=_renew(),
        )
        return
    begins, ends = need(certificate.not_before), need(certificate.not_after)
    if not begins <= now.at <= ends:
        when = f"expired on {ends:%Y-%m-%d}" if now.at > ends else f"is valid only from {begins:%Y-%m-%d}"
        yield failed(
            f"the OAuth certificate {when}",
            found=f"{thumbprint}, {begins:%Y-%m-%d} to {ends:%Y-%m-%d}",
            expected="an OAuth certificate that is in date",
            remedy=_renew(),
        )
        return
    lacking = [server for server in need(servers).items if having[server.server.name] is None]
    for server in lacking:
        yield failed(
            "does not have the OAuth certificate of the organisation",
            found=f"{len(server.certificates)} certificates, none of them {thumbprint}",
            expected=f"the certificate {thumbprint}",
            remedy=[
                Cmdlet("Set-AuthConfig", PublishCertificate=True),
                Advice("administrator", "If it does not come, import it, with its key, from a server that has it."),
            ],
            subject=server.subject,
        )
    if not lacking:
        yield passed(f"{len(having)} servers have the OAuth certificate {thumbprint}, in date until {ends:%Y-%m-%d}")


def _renew() -> list[Step]:
    return [
        Cmdlet(
            "New-ExchangeCertificate",
            KeySize=2048,
            PrivateKeyExportable=True,
            SubjectName=f"CN={_NAME}",
            FriendlyName=_NAME,
            DomainName=(),
        ),
        Advice(
            "administrator",
            "Do not let it replace the certificate of SMTP. Name it: Set-AuthConfig -NewCertificateThumbprint"
            " THUMBPRINT -NewCertificateEffectiveDate (Get-Date).",
        ),
        Cmdlet("Set-AuthConfig", PublishCertificate=True),
        Cmdlet("Set-AuthConfig", ClearPreviousCertificate=True),
        Advice("administrator", "Restart IIS on each server (iisreset); it takes the certificate after some hours."),
    ]
