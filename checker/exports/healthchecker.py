"""The XML that Microsoft's HealthChecker (CSS-Exchange) writes for each server.

It is an Export-Clixml of one object, whose layout moved over the years:

    2018          HealthCheckerExchangeServer: HardwareInfo, OSVersion and NetVersionInfo beside ExchangeInformation
    2019 – 2022   the same with HardwareInformation, OSInformation, ExchangeInformation, later OrganizationInformation
    since 2021    also within an AnalyzedInformation, in its property HealthCheckerExchangeServer
    since 2023    ExchangeInformation.VirtualDirectories, with GetMapiVirtualDirectory and GetOutlookAnywhere
    since 2025    ExchangeInformation.ExchangeCertificateInformation, OrganizationInformation.GetAuthConfig

Where a cmdlet failed, HealthChecker writes the same as where there was nothing (null, an empty list, False): such a
value says nothing here. That is why its own MapiHttpEnabled, ExchangeServicesNotRunning and AcceptedDomain are never
read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from checker.answers import NotCollected, PSObject, PSValue
from checker.exports.hosts import health_checker_host
from checker.exports.values import items, member, said, short
from checker.host import HostItem

__all__ = ["HealthCheck", "read_health_check"]

_WHERE: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "Get-ExchangeServer",
        (("ExchangeInformation", "GetExchangeServer"), ("ExchangeInformation", "ExchangeServerObject")),
    ),
    ("Get-MapiVirtualDirectory", (("ExchangeInformation", "VirtualDirectories", "GetMapiVirtualDirectory"),)),
    ("Get-OutlookAnywhere", (("ExchangeInformation", "VirtualDirectories", "GetOutlookAnywhere"),)),
    ("Get-MailboxServer", (("ExchangeInformation", "GetMailboxServer"),)),
    ("Get-ServerComponentState", (("ExchangeInformation", "ServerMaintenance", "GetServerComponentState"),)),
    (
        "Get-OrganizationConfig",
        (("OrganizationInformation", "GetOrganizationConfig"), ("ExchangeInformation", "GetOrganizationConfig")),
    ),
    ("Get-AuthConfig", (("OrganizationInformation", "GetAuthConfig"),)),
)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What one HealthChecker file holds. `lacking` names the cmdlets of which it holds nothing."""

    server: str
    version: str | None
    generated: datetime | None
    objects: tuple[tuple[str, tuple[PSObject, ...]], ...]
    lacking: tuple[str, ...]
    host: dict[HostItem, PSValue | NotCollected]


def read_health_check(value: PSValue, source: str) -> HealthCheck | None:
    """What the object of a HealthChecker file says; None when it is only called so."""
    within = member(value, "HealthCheckerExchangeServer")
    told = value if within is None else within
    server = said(member(told, "ServerName"))
    if server is None or member(told, "ExchangeInformation") is None:
        return None
    generated = member(told, "GenerationTime")
    found: list[tuple[str, tuple[PSObject, ...]]] = []
    lacking: list[str] = []
    for cmdlet, places in _WHERE:
        objects = next((read for read in (_objects(member(told, *place)) for place in places) if read), ())
        if objects:
            found.append((cmdlet, objects))
        else:
            lacking.append(cmdlet)
    certificates = tuple(_certificates(member(told, "ExchangeInformation")))
    if certificates:
        found.append(("Get-ExchangeCertificate", certificates))
    else:
        lacking.append("Get-ExchangeCertificate")
    return HealthCheck(
        server=short(server).upper() if "." in server else server,
        version=said(member(told, "HealthCheckerVersion")),
        generated=generated if isinstance(generated, datetime) and generated.tzinfo is not None else None,
        objects=tuple(found),
        lacking=tuple(lacking),
        host=health_checker_host(told, source),
    )


def _objects(value: PSValue) -> tuple[PSObject, ...]:
    """The objects with properties; what the depth of the export made a text of is lost."""
    return tuple(item for item in items(value) if isinstance(item, PSObject) and item.properties)


def _certificates(exchange: PSValue) -> Iterator[PSObject]:
    """Certificates with what stands beside them: through Exchange's own client they are RawData alone."""
    information = member(exchange, "ExchangeCertificateInformation")
    beside = {
        thumbprint.replace(" ", "").upper(): summary
        for summary in _objects(member(information, "CustomCertificates"))
        if (thumbprint := said(member(summary, "Thumbprint"))) is not None
    }
    for certificate in _objects(member(information, "Certificates")):
        yield _with(certificate, beside.get(_thumbprint(certificate) or ""))
    if information is None:
        for summary in _objects(member(exchange, "ExchangeCertificates")):
            certificate_object = member(summary, "CertificateObject")
            certificate = certificate_object if isinstance(certificate_object, PSObject) else PSObject((), None)
            yield _with(certificate, summary)


def _thumbprint(certificate: PSObject) -> str | None:
    told = said(member(certificate, "Thumbprint"))
    raw = member(certificate, "RawData")
    if told is None and isinstance(raw, bytes):
        return hashlib.sha1(raw, usedforsecurity=False).hexdigest().upper()
    return told.replace(" ", "").upper() if told else None


def _with(certificate: PSObject, summary: PSObject | None) -> PSObject:
    """The certificate with what HealthChecker's summary of it adds."""
    if summary is None:
        return certificate
    properties = dict(certificate.properties)
    names = {name.casefold() for name in properties}
    for name in ("Thumbprint", "Services", "Subject"):
        told = member(summary, name)
        if name.casefold() not in names and told is not None:
            properties[name] = told
    named = items(member(summary, "Namespaces"))
    if "certificatedomains" not in names and named and named != ("None",):
        properties["CertificateDomains"] = list(_texts(named))
    return PSObject(certificate.types, certificate.text, properties, certificate.value)


def _texts(values: Iterable[PSValue]) -> Iterator[str]:
    for value in values:
        text = said(member(value, "Unicode")) or said(value)
        if text is not None:
            yield text
