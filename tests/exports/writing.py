"""Writes exports as Export-Clixml and HealthChecker do, by psrpcore's serialiser, which shares nothing with the reader.

HealthChecker's layouts are those of its source over the years (microsoft/CSS-Exchange, Diagnostics/HealthChecker:
Class.ps1, Get-ExchangeInformation.ps1, Get-HealthCheckerDataObject.ps1). What stood deeper than the depth of its
export is text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psrpcore.types import PSCryptoProvider, PSCustomObject, serialize_clixml

DIRECTORY = "Microsoft.Exchange.Data.Directory"
GENERATED = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
THUMBPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"


class _NoSecrets(PSCryptoProvider):
    """Nothing secret is ever written."""


def thing(kind: str | None = None, /, **properties: Any) -> PSCustomObject:
    """An object of a class of Exchange, or without any."""
    made = PSCustomObject(**properties)
    if kind is not None:
        made.PSObject.type_names = [kind, "System.Object"]
    return made


def document(*values: Any) -> bytes:
    """The objects as one document, UTF-8 with its mark."""
    return b"\xef\xbb\xbf" + serialize_clixml(list(values), _NoSecrets()).encode()


def write(folder: Path, name: str, *values: Any, encoding: str | None = None) -> Path:
    file = folder / name
    data = document(*values)
    file.write_bytes(data if encoding is None else data.decode("utf-8-sig").encode(encoding))
    return file


# --- objects of cmdlets, as a depth of 1 leaves them: what stood within them is text ----------------------------------


def server(name: str = "EX01", **changes: Any) -> PSCustomObject:
    return thing(
        f"{DIRECTORY}.Management.ExchangeServer",
        **{
            "Name": name,
            "Fqdn": f"{name.lower()}.contoso.test",
            "IsClientAccessServer": True,
            "IsMailboxServer": True,
            "IsEdgeServer": False,
            "AdminDisplayVersion": "Version 15.2 (Build 1748.10)",
            "Site": "contoso.test/Configuration/Sites/Vienna",
            "ServerRole": "Mailbox",
            **changes,
        },
    )


def mapi(name: str = "EX01", **changes: Any) -> PSCustomObject:
    return thing(
        f"{DIRECTORY}.SystemConfiguration.ADMapiVirtualDirectory",
        **{
            "Name": "mapi (Default Web Site)",
            "Server": name,
            "Identity": f"{name}\\mapi (Default Web Site)",
            "InternalUrl": "https://mail.contoso.test/mapi",
            "ExternalUrl": None,
            "IISAuthenticationMethods": "Ntlm OAuth Negotiate",
            "Path": "",
            **changes,
        },
    )


def anywhere(name: str = "EX01", **changes: Any) -> PSCustomObject:
    return thing(
        f"{DIRECTORY}.SystemConfiguration.ADRpcHttpVirtualDirectory",
        **{
            "Name": "Rpc (Default Web Site)",
            "Server": name,
            "Identity": f"{name}\\Rpc (Default Web Site)",
            "SSLOffloading": False,
            "InternalHostname": "mail.contoso.test",
            "ExternalHostname": None,
            "InternalClientAuthenticationMethod": "Ntlm",
            "ExternalClientAuthenticationMethod": "Negotiate",
            "IISAuthenticationMethods": ["Basic", "Ntlm", "Negotiate"],
            **changes,
        },
    )


def mailbox_server(name: str = "EX01") -> PSCustomObject:
    return thing(f"{DIRECTORY}.Management.MailboxServer", Name=name, DatabaseAvailabilityGroup=None)


def component(name: str, state: str = "Active", of: str = "EX01") -> PSCustomObject:
    kind = f"{DIRECTORY}.Management.ServerComponentStatePresentationObject"
    return thing(kind, Component=name, State=state, Identity=of, ServerFqdn=f"{of.lower()}.contoso.test")


def organisation(**changes: Any) -> PSCustomObject:
    kind = f"{DIRECTORY}.Management.OrganizationConfig"
    properties = {"Name": "Contoso", "MapiHttpEnabled": True, "OAuth2ClientProfileEnabled": False, **changes}
    return thing(kind, **properties)


def certificate(thumbprint: str = THUMBPRINT, **changes: Any) -> PSCustomObject:
    kind = "Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate"
    domains = ["mail.contoso.test", "autodiscover.contoso.test"]
    return thing(
        kind,
        **{
            "Thumbprint": thumbprint,
            "Subject": "CN=mail.contoso.test",
            "Services": "IIS, SMTP",
            "CertificateDomains": domains,
            "NotAfter": GENERATED,
            **changes,
        },
    )


# --- what HealthChecker tells of a host -------------------------------------------------------------------------------


def pool(name: str, state: str = "Started", gc: bool = False, content: Any = None) -> PSCustomObject:
    text = f'<configuration><runtime><gcServer enabled="{str(gc).lower()}" /></runtime></configuration>'
    add = thing(name=name, CLRConfigFile=f"C:\\bin\\{name}_CLRConfig.config")
    return thing(
        ConfigContent=text if content is None else content,
        AppSettings=thing(add=add, state=state),
        GCUnknown=False,
        GCServerEnabled=gc,
    )


def app_pools(**states: str) -> dict[str, Any]:
    names = ("MSExchangeMapiFrontEndAppPool", "MSExchangeMapiMailboxAppPool", "MSExchangeMapiAddressBookAppPool")
    return {name: pool(name, states.get(name, "Started")) for name in names}


def web_site(name: str, *bindings: tuple[str, str, str]) -> PSCustomObject:
    made = [
        thing(protocol=protocol, bindingInformation=information, certificateHash=hashed, certificateStoreName="MY")
        for protocol, information, hashed in bindings
    ]
    return thing(Name=name, Id=1, State="Started", Bindings=made)


def extended_protection(computer: str, mode: str = "None") -> PSCustomObject:
    def entry(path: str) -> PSCustomObject:
        detail = thing(ExtendedProtection=mode, ValidPath=True, NodePath=path)
        return thing(VirtualDirectoryName=path.upper(), Configuration=detail, ExtendedProtection=mode)

    entries = [entry("Default Web Site/mapi"), entry("Default Web Site/Rpc"), entry("Exchange Back End/mapi/emsmdb")]
    return thing(
        ComputerName=computer,
        SupportedVersionForExtendedProtection=True,
        ApplicationHostConfig="<configuration />",
        ExtendedProtectionConfiguration=entries,
    )


def _tls(version: str, *, enabled: bool) -> PSCustomObject:
    return thing(TLSVersion=version, ServerEnabled=enabled, ServerDisabledByDefault=not enabled)


def health_check(layout: int, name: str = "EX01", **parts: Any) -> PSCustomObject:
    """HealthChecker's object as the versions of a year write it; `parts` replace those of ExchangeInformation."""
    exchange: dict[str, Any] = {"BuildInformation": thing(ServerRole="Mailbox")}
    bindings = [
        web_site("Default Web Site", ("http", "*:80:", ""), ("https", ":443:", THUMBPRINT)),
        web_site("Exchange Back End", ("https", "*:444:", THUMBPRINT)),
    ]
    tls = {"1.0": _tls("1.0", enabled=False), "1.2": _tls("1.2", enabled=True)}
    top: dict[str, Any] = {"ServerName": name, "HealthCheckerVersion": f"{layout % 100}.04.01.1200"}
    if layout == 2018:
        exchange |= {"ExchangeServerObject": server(name), "MapiHttpEnabled": False, "ExchangeAppPools": {"x": "y"}}
        top |= {
            "HardwareInfo": thing(TotalMemory=34359738368.0),
            "OSVersion": thing(TLSSettings=tls),
            "NetVersionInfo": thing(NetRegValue=528049, FriendlyName="4.8"),
        }
    else:
        exchange |= {
            "GetExchangeServer": server(name),
            "GetMailboxServer": thing(
                f"{DIRECTORY}.Management.MailboxServer", Name=name, DatabaseAvailabilityGroup=None
            ),
            "ApplicationPools": app_pools(),
            "ServerMaintenance": thing(
                GetServerComponentState=[component(each, of=name) for each in ("ServerWideOffline", "MapiProxy")]
            ),
        }
        top |= {
            "HardwareInformation": thing(TotalMemory=34359738368),
            "OSInformation": thing(
                NETFramework=thing(RegistryValue=528040, FriendlyName="4.8"),
                TLSSettings=tls if layout < 2022 else thing(Registry=thing(TLS=tls, NET={}), SecurityProtocol="Tls12"),
            ),
            "GenerationTime": GENERATED,
        }
    if layout == 2021:
        exchange["GetOrganizationConfig"] = organisation()
    if layout >= 2022:
        top["OrganizationInformation"] = thing(GetOrganizationConfig=organisation(), MapiHttpEnabled=False)
        exchange["IISSettings"] = thing(IISWebSite=bindings)
        exchange["ExtendedProtectionConfig"] = extended_protection(name, "Require")
    if layout >= 2023:
        exchange["VirtualDirectories"] = thing(GetMapiVirtualDirectory=mapi(name), GetOutlookAnywhere=[anywhere(name)])
    if 2021 <= layout < 2025:
        exchange["ExchangeCertificates"] = [
            thing(
                Thumbprint=each,
                Subject="CN=x",
                Services="IIS",
                Namespaces=["mail.contoso.test"],
                CertificateObject="text",
            )
            for each in (THUMBPRINT, "F" * 40)
        ]
    if layout >= 2025:
        both = [certificate(), certificate("F" * 40)]
        exchange["ExchangeCertificateInformation"] = thing(Certificates=both, CustomCertificates=None)
        auth = thing(f"{DIRECTORY}.SystemConfiguration.AuthConfig", CurrentCertificateThumbprint=THUMBPRINT)
        top["OrganizationInformation"] = thing(GetOrganizationConfig=organisation(), GetAuthConfig=auth)
    kind = "HealthChecker.HealthCheckerExchangeServer" if layout < 2024 else None
    told = thing(kind, **top, ExchangeInformation=thing(**{**exchange, **parts}))
    if layout >= 2022:
        return thing("HealthChecker.AnalyzedInformation", HealthCheckerExchangeServer=told, HtmlServerValues={})
    return told
