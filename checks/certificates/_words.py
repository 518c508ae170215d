"""What the checks on certificates say alike: names of a certificate, dates, how to get another one."""

from datetime import datetime

from checker import Advice, Cmdlet
from checker.results import Step
from checker.x509 import Certificate

__all__ = ["chain_steps", "day", "names_of", "renew", "request", "shown"]

_MOST_NAMES = 20


def shown(certificate: Certificate) -> str:
    """A certificate as administrators find it: its name and thumbprint."""
    return f"{certificate.label} (thumbprint {certificate.thumbprint})"


def names_of(certificate: Certificate) -> str:
    """What it covers, a few of many."""
    names = certificate.names
    if not names:
        return f"no names, but the CN {certificate.common_name}" if certificate.common_name else "no names"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def day(at: datetime) -> str:
    """A date to the second, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def request(leaf: Certificate, host: str) -> list[Step]:
    """A new certificate with what the present one names, and the host."""
    kept = dict.fromkeys(name for name in (*leaf.dns_names, leaf.common_name or "") if "." in name and " " not in name)
    names = tuple(dict.fromkeys((*kept, host)))
    return [
        Cmdlet(
            "New-ExchangeCertificate",
            GenerateRequest=True,
            SubjectName=f"CN={host}",
            DomainName=names,
            PrivateKeyExportable=True,
        ),
        _install(host),
    ]


def renew(certificate: Certificate, host: str) -> list[Step]:
    """The same certificate again."""
    return [
        Advice(
            "certificate authority",
            f"Have {shown(certificate)} issued anew, with the same names ({names_of(certificate)}).",
        ),
        _install(host),
    ]


def _install(host: str) -> Step:
    return Advice(
        "administrator",
        "Have the request signed by an authority that clients trust; then Import-ExchangeCertificate and"
        f" Enable-ExchangeCertificate -Services IIS on each server behind {host}, and the same certificate on a"
        " balancer or proxy that ends TLS itself.",
    )


def chain_steps(host: str) -> list[Step]:
    """What to do when intermediates are not sent."""
    return [
        Advice(
            "administrator",
            f"Import the intermediate certificates into the store 'Intermediate Certification Authorities' of the"
            f" computer on each server behind {host} and restart IIS; on a balancer or proxy that ends TLS itself, give"
            " it the certificate together with its intermediates.",
        )
    ]
