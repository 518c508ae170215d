"""The certificates that each server has (Get-ExchangeCertificate), with the services that use them.

Through Exchange's own client an object holds RawData (DER) alone; a plain session brings text properties. What DER says
counts first: it is neither translated nor rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from checker import x509
from checker.answers import (
    Asked,
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.asking import ask_each_server, binary, moment
from checker.facts.reading import Bag, bags, boolean, strings, text
from checker.facts.servers import ExchangeServer
from checker.results import Subject

__all__ = ["ExchangeCertificate", "InstalledCertificates", "installed_certificates"]


@dataclass(frozen=True, slots=True)
class ExchangeCertificate:
    """One certificate of one server.

    `thumbprint` is in upper case. `services` are the words of Services ("IIS", "SMTP"; none for None), `root_ca_type`
    and `status` those of RootCAType and Status; none of the three is in DER, so they may be NotCollected.
    """

    thumbprint: str
    subject_name: str
    names: tuple[str, ...] | NotCollected
    not_before: datetime | NotCollected
    not_after: datetime | NotCollected
    services: tuple[str, ...] | NotCollected
    root_ca_type: str | None | NotCollected
    status: str | None | NotCollected
    self_signed: bool | NotCollected
    der: bytes | None = field(repr=False)

    @property
    def bound_to_iis(self) -> bool | NotCollected:
        """Whether IIS uses it."""
        if isinstance(self.services, NotCollected):
            return self.services
        return "iis" in {service.casefold() for service in self.services}


@dataclass(frozen=True, slots=True)
class InstalledCertificates:
    """The certificates of one client-access server of Exchange 2013 or newer."""

    server: ExchangeServer
    certificates: tuple[ExchangeCertificate, ...]

    NOTHING = "there is no client-access server of Exchange 2013 or newer"

    @property
    def subject(self) -> Subject:
        return self.server.subject

    def find(self, thumbprint: str) -> ExchangeCertificate | None:
        """The certificate with this thumbprint, in any case."""
        wanted = thumbprint.replace(" ", "").upper()
        return next((certificate for certificate in self.certificates if certificate.thumbprint == wanted), None)


@fact(
    cmdlets=(
        CmdletSpec("Get-ExchangeCertificate", ("Server",), (CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Server"),)),
    )
)
async def installed_certificates(
    runner: CmdletRunner, servers: Collected[ExchangeServer]
) -> Collected[InstalledCertificates] | NotCollected:
    """The certificates of every client-access server, each server asked for itself."""
    return await ask_each_server(
        "installed certificates",
        runner,
        servers,
        lambda server: CmdletCall.of("Get-ExchangeCertificate", Server=server.name),
        _read,
    )


def _read(server: ExchangeServer, answer: CmdletAnswer) -> InstalledCertificates | NotCollected:
    found: list[ExchangeCertificate] = []
    for bag in bags(answer):
        certificate = _certificate(bag)
        if isinstance(certificate, NotCollected):
            return certificate
        found.append(certificate)
    return InstalledCertificates(server, tuple(found))


def _certificate(bag: Bag) -> ExchangeCertificate | NotCollected:
    der = binary(bag, "RawData")
    read = x509.read(der) if der else None
    thumbprint: str | None | NotCollected
    if isinstance(read, x509.Certificate):
        thumbprint, subject_name = read.thumbprint, read.subject
        names: tuple[str, ...] | NotCollected = read.dns_names
        begins: datetime | NotCollected = read.not_before
        ends: datetime | NotCollected = read.not_after
    else:
        thumbprint, names = text(bag, "Thumbprint"), strings(bag, "CertificateDomains")
        told = text(bag, "Subject")
        subject_name = told if isinstance(told, str) else ""
        begins, ends = moment(bag, "NotBefore"), moment(bag, "NotAfter")
    if isinstance(thumbprint, NotCollected):
        return thumbprint
    if thumbprint is None:
        return NotCollected(
            Reason.MALFORMED,
            f"{bag.cmdlet}, run by {bag.server}, gave a certificate with neither RawData nor Thumbprint;"
            f" look at it with {bag.cmdlet} | Format-List.",
        )
    services = strings(bag, "Services")
    if not isinstance(services, NotCollected):
        services = tuple(service for service in services if service.casefold() != "none")
    return ExchangeCertificate(
        thumbprint=thumbprint.replace(" ", "").upper(),
        subject_name=subject_name,
        names=names,
        not_before=begins,
        not_after=ends,
        services=services,
        root_ca_type=text(bag, "RootCAType"),
        status=text(bag, "Status"),
        self_signed=boolean(bag, "IsSelfSigned"),
        der=der,
    )
