"""The OAuth certificate of the organisation is on each server and in date."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
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
def judge(server: InstalledCertificates, config: AuthConfig, organization: OrganizationConfig, now: Now) -> Verdict:
    """Fail when a server lacks the certificate or has it out of date, while OAuth is in use."""
    if not need(organization.modern_authentication):
        return not_applicable("modern authentication is off (OAuth2ClientProfileEnabled False)")
    thumbprint = need(config.current)
    if thumbprint is None:
        return failed(
            "Get-AuthConfig names no OAuth certificate",
            found=None,
            expected="the thumbprint of a certificate that is in date",
            remedy=_renew(),
        )
    certificate = server.find(thumbprint)
    if certificate is None:
        return failed(
            "does not have the OAuth certificate of the organisation",
            found=f"{len(server.certificates)} certificates, none of them {thumbprint}",
            expected=f"the certificate {thumbprint}",
            remedy=[
                Cmdlet("Set-AuthConfig", PublishCertificate=True),
                Advice(
                    "administrator",
                    "If it does not come, import it (with its private key) from a server that has it.",
                ),
            ],
        )
    begins, ends = need(certificate.not_before), need(certificate.not_after)
    if now.at > ends or now.at < begins:
        when = f"expired on {ends:%Y-%m-%d}" if now.at > ends else f"is valid only from {begins:%Y-%m-%d}"
        return failed(
            f"the OAuth certificate {when}",
            found=f"{thumbprint}, {begins:%Y-%m-%d} to {ends:%Y-%m-%d}",
            expected="an OAuth certificate that is in date",
            remedy=_renew(),
        )
    return passed(f"has the OAuth certificate {thumbprint}, in date until {ends:%Y-%m-%d}")


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
