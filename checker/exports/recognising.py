"""What an exported object is: the cmdlet that gives such objects, or a part of a host. Told by its type names."""

from __future__ import annotations

import re
from enum import Enum

from checker.answers import PSObject, PSValue

__all__ = ["CMDLETS", "Part", "reduced", "type_shown", "what_is"]

CMDLETS = {
    "AcceptedDomain": "Get-AcceptedDomain",
    "ADMapiVirtualDirectory": "Get-MapiVirtualDirectory",
    "ADRpcHttpVirtualDirectory": "Get-OutlookAnywhere",
    "AuthConfig": "Get-AuthConfig",
    "AuthenticationPolicy": "Get-AuthenticationPolicy",
    "CASMailbox": "Get-CASMailbox",
    "ClientAccessServer": "Get-ClientAccessService",
    "ConsolidatedHealth": "Get-HealthReport",
    "ExchangeCertificate": "Get-ExchangeCertificate",
    "ExchangeServer": "Get-ExchangeServer",
    "ExchangeServicesStatus": "Test-ServiceHealth",
    "Mailbox": "Get-Mailbox",
    "MailboxServer": "Get-MailboxServer",
    "OrganizationConfig": "Get-OrganizationConfig",
    "ServerComponentStatePresentationObject": "Get-ServerComponentState",
    "User": "Get-User",
}
"""The classes of Exchange's objects, without their namespaces, and the cmdlets that give them."""

# What tells an object whose type was lost (made by Select-Object, or read from JSON), when the file's name agrees.
_TELLING = {
    "Get-AcceptedDomain": {"domainname"},
    "Get-AuthConfig": {"currentcertificatethumbprint"},
    "Get-AuthenticationPolicy": {"blocklegacyauthmapi"},
    "Get-CASMailbox": {"mapihttpenabled", "mapienabled"},
    "Get-ClientAccessService": {"name", "autodiscoverserviceinternaluri"},
    "Get-ClientAccessServer": {"name", "autodiscoverserviceinternaluri"},
    "Get-ExchangeCertificate": {"thumbprint", "services"},
    "Get-ExchangeServer": {"name", "fqdn", "admindisplayversion"},
    "Get-HealthReport": {"server", "healthset", "alertvalue"},
    "Get-Mailbox": {"archiveguid"},
    "Get-MailboxServer": {"name", "databaseavailabilitygroup"},
    "Get-MapiVirtualDirectory": {"identity", "internalurl"},
    "Get-OrganizationConfig": {"name", "mapihttpenabled"},
    "Get-OutlookAnywhere": {"identity", "externalhostname"},
    "Get-ServerComponentState": {"component", "state"},
    "Get-User": {"userprincipalname", "windowsemailaddress"},
    "Test-ServiceHealth": {"role", "requiredservicesrunning"},
}

# There may be 50,000 of each: nothing is kept of them but what facts ask for.
_KEPT = {
    "Get-CASMailbox": (
        "MapiHttpEnabled MAPIEnabled MAPIBlockOutlookRpcHttp MAPIBlockOutlookExternalConnectivity"
        " MAPIBlockOutlookVersions PrimarySmtpAddress Identity DistinguishedName PSComputerName"
    ),
    "Get-Mailbox": "Identity DistinguishedName ArchiveGuid PrimarySmtpAddress PSComputerName",
    "Get-User": "Identity DistinguishedName WindowsEmailAddress UserPrincipalName RecipientTypeDetails PSComputerName",
}
_KEPT_NAMES = {cmdlet: frozenset(names.casefold().split()) for cmdlet, names in _KEPT.items()}

_NAMESPACES = ("microsoft.exchange.", "microsoft.office.datacenter.")
_PREFIX = re.compile(r"(?i)^(?:(?:selected|deserialized)\.)+")


class Part(Enum):
    """What an object is that no cmdlet of Exchange gives."""

    HEALTH_CHECKER = "HealthChecker"
    WEB_BINDING = "IIS bindings"
    APP_POOLS = "app pools"
    TLS_SETTINGS = "TLS settings"
    EXTENDED_PROTECTION = "Extended Protection of IIS"


def what_is(value: PSValue, stem: str) -> str | Part | None:
    """The cmdlet that gives such an object, or the part of a host that it tells of; None when it is not known.

    `stem` is the name of the file without its ending.
    """
    if not isinstance(value, PSObject):
        return None
    name = _class_of(value)
    if name is not None and name in CMDLETS:
        return CMDLETS[name]
    if any(kind.casefold().startswith("microsoft.iis.") for kind in value.types):
        return Part.WEB_BINDING if _has(value, "protocol", "bindingInformation") else None
    part = _part(value)
    return part or _by_name(value, stem)


def _class_of(value: PSObject) -> str | None:
    """The class of one of Exchange's own objects, without its namespace."""
    first = _PREFIX.sub("", value.types[0]) if value.types else ""
    return first.rpartition(".")[2] if first.casefold().startswith(_NAMESPACES) else None


def _part(value: PSObject) -> Part | None:
    if _has(value, "HealthCheckerExchangeServer") or _has(value, "HealthCheckerVersion", "ServerName"):
        return Part.HEALTH_CHECKER
    if _has(value, "ExtendedProtectionConfiguration", "ComputerName"):
        return Part.EXTENDED_PROTECTION
    if _has(value, "Registry", "SecurityProtocol"):
        return Part.TLS_SETTINGS
    inside = value.value
    if isinstance(inside, dict) and any(isinstance(key, str) and _is_pool(key) for key in inside):
        return Part.APP_POOLS
    return None


def _is_pool(name: str) -> bool:
    lowered = name.casefold()
    return lowered.startswith("msexchange") and lowered.endswith("apppool")


def _by_name(value: PSObject, stem: str) -> str | None:
    """An object without a type of its own, in a file that is called after a cmdlet whose properties it has."""
    if value.types and "PSCustomObject" not in value.types[0].rpartition(".")[2]:
        return None
    names = {name.casefold() for name in value.properties}
    words = re.sub(r"[^a-z]", "", stem.casefold())
    told = [cmdlet for cmdlet, telling in _TELLING.items() if cmdlet.casefold().replace("-", "") in words]
    longest = max(told, key=len, default=None)
    return longest if longest is not None and names >= _TELLING[longest] else None


def _has(value: PSObject, *wanted: str) -> bool:
    names = {name.casefold() for name in value.properties}
    return all(name.casefold() in names for name in wanted)


def reduced(value: PSValue, stem: str) -> PSValue:
    """An object of which there may be tens of thousands, with nothing but what facts ask for."""
    cmdlet = what_is(value, stem)
    kept = _KEPT_NAMES.get(cmdlet) if isinstance(cmdlet, str) else None
    if kept is None or not isinstance(value, PSObject):
        return value
    left: dict[str, PSValue] = {}
    for name, part in value.properties.items():
        if name.casefold() in kept:
            # What stands in the objects within is not asked for, and is most of them.
            left[name] = part.text if isinstance(part, PSObject) and part.text else part
    return PSObject(value.types, value.text, left)


def type_shown(value: PSValue) -> str:
    """What an object calls itself, for the sentence that says that it is not known."""
    if isinstance(value, PSObject):
        return _PREFIX.sub("", value.types[0]).partition("[")[0][:120] if value.types else "an object without a type"
    return type(value).__name__
