"""What Exchange's cmdlets put out, made from a scenario: type names, properties and value shapes as recorded.

The shapes of OrganizationConfig, ExchangeServer and the virtual directories are those of Export-Clixml files of
Exchange 2016 (the MAPI directory after its sibling of EWS). What a scenario does not say is as after setup.
SerializationData, with which Exchange's own client makes .NET objects again, is here but holds no object.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5

from lab.powershell.clixml import Byte, Enumeration, Int64, Many, Record, UInt32, Uri, Value
from lab.scenario import MapiDirectory, Organisation, OutlookAnywhere, Probe, Role, Scenario, Server

__all__ = ["Objects", "distinguished_name"]

_SYSTEM = "Microsoft.Exchange.Data.Directory.SystemConfiguration"
_MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management"
_DIRECTORY = (
    "Microsoft.Exchange.Data.Directory.ADObject",
    "Microsoft.Exchange.Data.Directory.ADRawEntry",
    "Microsoft.Exchange.Data.ConfigurableObject",
    "System.Object",
)
_PRESENTATION = (f"{_MANAGEMENT}.ADPresentationObject", *_DIRECTORY)
_VIRTUAL_DIRECTORY = (
    f"{_SYSTEM}.ExchangeVirtualDirectory",
    f"{_SYSTEM}.ADVirtualDirectory",
    f"{_SYSTEM}.ADConfigurationObject",
    *_DIRECTORY,
)
_AD_OBJECT_ID = (
    "Microsoft.Exchange.Data.Directory.ADObjectId",
    "Microsoft.Exchange.Data.ObjectId",
    "System.Object",
)
_GROUP = "Exchange Administrative Group (FYDIBOHF23SPDLT)"
_ASSEMBLY = "Version=15.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
_STRINGS = (
    (
        "Microsoft.Exchange.Data.MultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral,"
        " PublicKeyToken=b77a5c561934e089]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_AUTHENTICATION = f"{_SYSTEM}.AuthenticationMethod"
_METHODS = (
    (
        f"Microsoft.Exchange.Data.Directory.ADMultiValuedProperty`1[[{_AUTHENTICATION},"
        f" Microsoft.Exchange.Data.Directory, {_ASSEMBLY}]]"
    ),
    (
        f"Microsoft.Exchange.Data.MultiValuedProperty`1[[{_AUTHENTICATION}, Microsoft.Exchange.Data.Directory,"
        f" {_ASSEMBLY}]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_PROTECTION_FLAGS = (
    (
        f"Microsoft.Exchange.Data.MultiValuedProperty`1[[{_SYSTEM}.ExtendedProtectionFlag,"
        f" Microsoft.Exchange.Data.Directory, {_ASSEMBLY}]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_ADDRESSES = (
    "Microsoft.Exchange.Data.NetworkAddressCollection",
    (
        f"Microsoft.Exchange.Data.ProtocolAddressCollection`1[[Microsoft.Exchange.Data.NetworkAddress,"
        f" Microsoft.Exchange.Data, {_ASSEMBLY}]]"
    ),
    (
        f"Microsoft.Exchange.Data.MultiValuedProperty`1[[Microsoft.Exchange.Data.NetworkAddress,"
        f" Microsoft.Exchange.Data, {_ASSEMBLY}]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
# AuthenticationMethod: Ntlm, WindowsIntegrated, WSSecurity and OAuth as recorded, the others in the order of the flags
# that Active Directory stores.
_METHOD_NUMBERS = {
    name: number
    for number, name in enumerate(
        [
            "Basic",
            "Digest",
            "Ntlm",
            "Fba",
            "WindowsIntegrated",
            "LiveIdFba",
            "LiveIdBasic",
            "WSSecurity",
            "Certificate",
            "NegoEx",
            "OAuth",
            "Adfs",
            "Kerberos",
            "Negotiate",
        ]
    )
}
_PROTECTION = {"None": 0, "Allow": 1, "Require": 2}


def distinguished_name(organisation: Organisation, *path: str) -> str:
    """The name of something below the organisation's container, outermost last."""
    domain = ",".join(f"DC={label}" for label in organisation.domain.split("."))
    base = (organisation.name, "Microsoft Exchange", "Services", "Configuration")
    return ",".join(f"CN={part}" for part in (*path, *base)) + f",{domain}"


def _serialised(type_name: str) -> bytes:
    """The beginning of .NET's binary format, naming a library and a class; no object follows."""
    library = f"Microsoft.Exchange.Data.Directory, {_ASSEMBLY}".encode()
    name = type_name.encode()[:127]
    head = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00"
    return (
        head + b"\x0c" + struct.pack("<IB", 2, len(library)) + library + b"\x05" + bytes([len(name)]) + name + b"\x0b"
    )


def _method(name: str) -> Enumeration:
    return Enumeration(_AUTHENTICATION, name, _METHOD_NUMBERS.get(name, 1000))


def _methods(names: Sequence[str]) -> Many:
    return Many(_METHODS, [_method(name) for name in names])


def _strings(*values: str) -> Many:
    return Many(_STRINGS, values)


def _flag(type_name: str, text: str, number: int) -> Enumeration:
    return Enumeration(type_name, text, number)


def _object_version(text: str, major: int, minor: int, build: str) -> Record:
    name = "Microsoft.Exchange.Data.ExchangeObjectVersion"
    return Record(
        (name, "System.Object"),
        text,
        {
            "NextMajorVersion": f"{major + 1}.0 (0.0.0.0)",
            "NextMinorVersion": f"{major}.{minor + 1} (0.0.0.0)",
            "Major": Byte(major),
            "Minor": Byte(minor),
            "ExchangeBuild": build,
        },
        {"SerializationData": _serialised(name)},
    )


def _server_version(server: Server) -> Record:
    major, minor, build, revision = server.version
    name = "Microsoft.Exchange.Data.ServerVersion"
    return Record(
        (name, "System.Object"),
        f"Version {major}.{minor} (Build {build}.{revision})",
        {
            "Major": major,
            "Minor": minor,
            "Build": build,
            "Revision": revision,
            "FilePatchLevelDescription": None,
        },
        {"SerializationData": _serialised(name)},
    )


def _span(value: timedelta) -> Record:
    name = "Microsoft.Exchange.Data.EnhancedTimeSpan"
    seconds = int(value.total_seconds())
    hours, minutes = seconds % 86400 // 3600, seconds % 3600 // 60
    days = f"{value.days}." if value.days else ""
    return Record(
        (name, "System.ValueType", "System.Object"),
        f"{days}{hours:02d}:{minutes:02d}:{seconds % 60:02d}",
        {
            "Days": value.days,
            "Hours": hours,
            "Milliseconds": 0,
            "Minutes": minutes,
            "Seconds": seconds % 60,
            "Ticks": Int64(seconds * 10_000_000),
            "TotalDays": seconds / 86400,
            "TotalHours": seconds / 3600,
            "TotalMilliseconds": seconds * 1000.0,
            "TotalMinutes": seconds / 60,
            "TotalSeconds": float(seconds),
            "Sign": 1 if seconds else 0,
        },
        {"SerializationData": _serialised(name)},
    )


def _unlimited() -> Record:
    name = (
        "Microsoft.Exchange.Data.Unlimited`1[[Microsoft.Exchange.Data.ByteQuantifiedSize, Microsoft.Exchange.Data,"
        f" {_ASSEMBLY}]]"
    )
    return Record(
        (name, "System.ValueType", "System.Object"),
        "Unlimited",
        {"IsUnlimited": True},
        {"SerializationData": _serialised(name)},
    )


def _organization_id() -> Record:
    name = "Microsoft.Exchange.Data.Directory.OrganizationId"
    return Record(
        (name, "System.Object"),
        "",
        {"OrganizationalUnit": None, "ConfigurationUnit": None, "IsConsumerOrganization": False, "IdForEventLog": ""},
        {"SerializationData": _serialised(name)},
    )


def _hostname(host: str | None) -> Record | None:
    name = "Microsoft.Exchange.Data.Hostname"
    if host is None:
        return None
    return Record((name, "System.Object"), host, {"HostnameString": host}, {"SerializationData": _serialised(name)})


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one scenario, as one server puts them out in one runspace."""

    scenario: Scenario
    answering: Server
    runspace: UUID

    def organisation(self) -> Record:
        """Get-OrganizationConfig. A server that does not know a setting does not have the property."""
        organisation = self.scenario.organisation
        identity = self._object_id(organisation.name, "Microsoft Exchange", distinguished_name(organisation))
        major, minor, _, _ = self.answering.version
        switches: dict[str, Value] = {}
        if self.answering.knows_mapi_http and organisation.mapi_http_enabled is not None:
            switches["MapiHttpEnabled"] = organisation.mapi_http_enabled
        if major >= 15:
            switches |= {"RealTimeLogServiceEnabled": False, "CustomerLockboxEnabled": False}
            if organisation.modern_authentication is not None:
                switches["OAuth2ClientProfileEnabled"] = organisation.modern_authentication
        return self._top(
            (f"{_MANAGEMENT}.OrganizationConfig", *_PRESENTATION),
            organisation.name,
            {
                "OrganizationId": _organization_id(),
                "Name": organisation.name,
                "Identity": identity,
                "Guid": self._guid(distinguished_name(organisation)),
                "ObjectVersion": {14: 14322, 15: 16223 if minor == 1 else 16763}.get(major, 16763),
                "DefaultPublicFolderAgeLimit": None,
                "DefaultPublicFolderIssueWarningQuota": _unlimited(),
                "DefaultPublicFolderProhibitPostQuota": _unlimited(),
                "DefaultPublicFolderMaxItemSize": _unlimited(),
                "DefaultPublicFolderDeletedItemRetention": _span(timedelta(days=30)),
                "DefaultPublicFolderMovedItemRetention": _span(timedelta(days=7)),
                "PublicFoldersLockedForMigration": False,
                "PublicFoldersEnabled": _flag("Microsoft.Exchange.Data.Directory.PublicFoldersDeployment", "Local", 1),
                "ActivityBasedAuthenticationTimeoutEnabled": True,
                "ActivityBasedAuthenticationTimeoutInterval": _span(timedelta(hours=6)),
                "AppsForOfficeEnabled": True,
                "CustomerFeedbackEnabled": None,
                "DistributionGroupDefaultOU": None,
                "DistributionGroupNameBlockedWordsList": _strings(),
                "EwsAllowEntourage": None,
                "EwsAllowList": None,
                "EwsAllowOutlook": None,
                "EwsApplicationAccessPolicy": None,
                "EwsEnabled": None,
                "ElcProcessingDisabled": False,
                "ExchangeNotificationEnabled": True,
                "Industry": _flag("Microsoft.Exchange.Data.Directory.IndustryType", "NotSpecified", 0),
                "MailTipsAllTipsEnabled": True,
                "MailTipsLargeAudienceThreshold": UInt32(25),
                "ManagedFolderHomepage": "",
                "ReadTrackingEnabled": False,
                "SCLJunkThreshold": 4,
                "HybridConfigurationStatus": _flag(
                    "Microsoft.Exchange.Data.Directory.HybridConfigurationStatusFlags", "None", 0
                ),
                "SharePointUrl": None,
                **switches,
                "LegacyExchangeDN": f"/o={organisation.name}",
                "Heuristics": _flag(f"{_SYSTEM}.HeuristicsFlags", "None", 0),
                "IsMixedMode": False,
                "IsAddressListPagingEnabled": True,
                "RBACConfigurationVersion": _object_version(
                    f"0.1 ({self.answering.build})", 0, 1, self.answering.build
                ),
                "AdminDisplayVersion": _object_version(f"0.20 ({major}.{minor}.0.0)", 0, 20, f"{major}.{minor}.0.0"),
                "WACDiscoveryEndpoint": "",
                "AdfsIssuer": None,
                "AdfsAudienceUris": _strings(),
                "MitigationsEnabled": True,
                "IsValid": True,
                "ExchangeVersion": _object_version("0.20 (15.0.0.0)", 0, 20, "15.0.0.0"),
                "DistinguishedName": distinguished_name(organisation),
                "ObjectCategory": self._schema("ms-Exch-Organization-Container"),
                "ObjectClass": _strings("top", "container", "msExchOrganizationContainer"),
                **self._dates(),
                "Id": identity,
                "OriginatingServer": self._controller,
                "ObjectState": self._unchanged,
            },
        )

    def server(self, server: Server, *, status: bool) -> Record:
        """Get-ExchangeServer. With -Status it asks the server for what Active Directory does not know."""
        organisation = self.scenario.organisation
        is_edge, is_mailbox = Role.EDGE in server.roles, Role.MAILBOX in server.roles
        controllers = _strings(self._controller) if status else _strings()
        legacy = f"/o={organisation.name}/ou={_GROUP}/cn=Configuration/cn=Servers/cn={server.name}"
        current = server.version >= (15, 1, 2375, 0)
        path = f"C:\\Program Files\\Microsoft\\Exchange Server\\V{server.version[0]}\\Mailbox"
        return self._top(
            (f"{_MANAGEMENT}.ExchangeServer", *_PRESENTATION),
            server.name,
            {
                "Name": server.name,
                "DataPath": Record(
                    (
                        "Microsoft.Exchange.Data.LocalLongFullPath",
                        "Microsoft.Exchange.Data.LongPath",
                        "System.Object",
                    ),
                    path,
                    {"PathName": path, "IsLocalFull": True, "IsUnc": False, "DriveName": "C:"},
                    {"SerializationData": _serialised("Microsoft.Exchange.Data.LocalLongFullPath")},
                ),
                "Domain": organisation.domain,
                "Edition": _flag("Microsoft.Exchange.Data.ServerEditionType", "Enterprise", 3),
                "ExchangeLegacyDN": legacy,
                "ExchangeLegacyServerRole": 0,
                "Fqdn": server.fqdn,
                "CustomerFeedbackEnabled": None,
                "InternetWebProxy": None,
                "IsHubTransportServer": is_mailbox,
                "IsClientAccessServer": server.answers_clients,
                "IsExchange2007OrLater": True,
                "IsEdgeServer": is_edge,
                "IsMailboxServer": is_mailbox,
                "IsE14OrLater": True,
                "IsE15OrLater": server.version >= (15, 0, 0, 0),
                "IsProvisionedServer": False,
                "IsUnifiedMessagingServer": is_mailbox and server.version < (15, 2, 0, 0),
                "IsFrontendTransportServer": server.answers_clients and server.version >= (15, 0, 0, 0),
                "NetworkAddress": self._addresses(server),
                "OrganizationalUnit": f"{organisation.domain}/{server.name}",
                "AdminDisplayVersion": _server_version(server),
                "Site": None if is_edge else self._site(server),
                "ServerRole": _role(server),
                "ErrorReportingEnabled": None,
                **({"MitigationsEnabled": True} if current else {}),
                "StaticDomainControllers": _strings(),
                "StaticGlobalCatalogs": _strings(),
                "StaticConfigDomainController": "",
                "MonitoringGroup": "",
                "CurrentDomainControllers": controllers,
                "CurrentGlobalCatalogs": controllers,
                "CurrentConfigDomainController": self._controller if status else "",
                "ProductID": "02064-110-0000000-00000",
                "IsExchangeTrialEdition": False,
                "IsExpiredExchangeTrialEdition": False,
                "RemainingTrialPeriod": _span(timedelta(0)),
                **self._server_entry(server),
            },
        )

    def mapi_directory(self, server: Server, directory: MapiDirectory, *, from_iis: bool) -> Record:
        """Get-MapiVirtualDirectory. What stands in the metabase of IIS only is missing with -ADPropertiesOnly."""
        methods = _methods(directory.authentication)
        name = f"{directory.name} ({directory.web_site})"
        path = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\FrontEnd\\HttpProxy\\mapi"
        return self._directory(
            server,
            f"{_SYSTEM}.ADMapiVirtualDirectory",
            name,
            "ms-Exch-Mapi-Virtual-Directory",
            "msExchMapiVirtualDirectory",
            {
                "IISAuthenticationMethods": methods,
                "MetabasePath": f"IIS://{server.fqdn}/W3SVC/1/ROOT/{directory.name}",
                "Path": path if from_iis else "",
                **self._protection(directory.extended_protection),
                "AdminDisplayVersion": _server_version(server),
                "Server": self._server_id(server),
                "InternalUrl": None if directory.internal_url is None else Uri(directory.internal_url),
                "InternalAuthenticationMethods": methods,
                "ExternalUrl": None if directory.external_url is None else Uri(directory.external_url),
                "ExternalAuthenticationMethods": methods,
            },
        )

    def outlook_anywhere(self, server: Server, anywhere: OutlookAnywhere, *, from_iis: bool) -> Record:
        """Get-OutlookAnywhere. A 2010 server puts out one client method and knows no InternalHostname."""
        major = self.answering.version[0]
        methods = _methods(anywhere.authentication)
        if major < 15:
            clients: dict[str, Value] = {
                "ClientAuthenticationMethod": _method(anywhere.external_client_authentication),
            }
        else:
            clients = {
                "ExternalClientAuthenticationMethod": _method(anywhere.external_client_authentication),
                "InternalClientAuthenticationMethod": _method(anywhere.internal_client_authentication),
            }
        hosts: dict[str, Value] = {"ExternalHostname": _hostname(anywhere.external_hostname)}
        if major >= 15:
            hosts |= {
                "InternalHostname": _hostname(anywhere.internal_hostname),
                "ExternalClientsRequireSsl": anywhere.external_hostname is not None,
                "InternalClientsRequireSsl": False,
            }
        path = f"C:\\Program Files\\Microsoft\\Exchange Server\\V{server.version[0]}\\FrontEnd\\HttpProxy\\rpc"
        return self._directory(
            server,
            f"{_SYSTEM}.ADRpcHttpVirtualDirectory",
            "Rpc (Default Web Site)",
            "ms-Exch-Rpc-Http-Virtual-Directory",
            "msExchRpcHttpVirtualDirectory",
            {
                "ServerName": server.name,
                "SSLOffloading": anywhere.ssl_offloading,
                **hosts,
                **clients,
                "IISAuthenticationMethods": methods,
                "XropUrl": None,
                "MetabasePath": f"IIS://{server.fqdn}/W3SVC/1/ROOT/Rpc",
                "Path": path if from_iis else "",
                **self._protection(anywhere.extended_protection),
                "AdminDisplayVersion": _server_version(server),
                "Server": self._server_id(server),
            },
        )

    def client_access(self, server: Server) -> Record:
        """Get-ClientAccessService and Get-ClientAccessServer: one class under both names."""
        uri = server.autodiscover_uri
        return self._top(
            (f"{_MANAGEMENT}.ClientAccessServer", *_PRESENTATION),
            server.name,
            {
                "Name": server.name,
                "Fqdn": server.fqdn,
                "ClientAccessArray": None,
                "OutlookAnywhereEnabled": server.outlook_anywhere is not None,
                "AutoDiscoverServiceCN": server.name,
                "AutoDiscoverServiceClassName": "ms-Exchange-AutoDiscover-Service",
                "AutoDiscoverServiceInternalUri": None if uri is None else Uri(uri),
                "AutoDiscoverServiceGuid": UUID("77378f46-2c66-4aa9-a6a6-3e7a48b19596"),
                "AutoDiscoverSiteScope": _strings(server.site),
                "AlternateServiceAccountConfiguration": None,
                "IsOutOfService": False,
                "WorkloadManagementPolicy": "DefaultWorkloadManagementPolicy_15.0.825.0",
                "IrmLogEnabled": True,
                **self._server_entry(server),
            },
        )

    def probe_result(self, probe: Probe, identity: str, start: datetime, seconds: float) -> Record:
        """Test-OutlookConnectivity."""
        return self._top(
            (
                "Microsoft.Exchange.Monitoring.MonitoringProbeResult",
                "Microsoft.Exchange.Data.ConfigurableObject",
                "System.Object",
            ),
            "Microsoft.Exchange.Monitoring.MonitoringProbeResult",
            {
                "MonitorIdentity": identity,
                "RequestId": self._guid(f"{identity}{start}"),
                "StartTime": start,
                "EndTime": start + timedelta(seconds=seconds),
                "Result": probe.result,
                "Error": probe.error,
                "Exception": probe.exception,
                "PoisonedCount": 0,
                "ExecutionId": 0,
                "Identity": None,
                "IsValid": True,
                "ObjectState": _flag("Microsoft.Exchange.Data.ObjectState", "New", 0),
            },
        )

    # --- parts ---

    def _top(self, type_names: tuple[str, ...], text: str, properties: Mapping[str, Value]) -> Record:
        return Record(
            type_names,
            text,
            properties,
            {
                "PSComputerName": self.answering.fqdn,
                "RunspaceId": self.runspace,
                "PSShowComputerName": False,
                "SerializationData": _serialised(type_names[0]),
            },
        )

    def _server_entry(self, server: Server) -> dict[str, Value]:
        """What every object that is a server's entry in Active Directory ends with."""
        identity = self._server_id(server)
        name = str(identity.properties["DistinguishedName"])
        return {
            "Identity": identity,
            "IsValid": True,
            "ExchangeVersion": _object_version("0.1 (8.0.535.0)", 0, 1, "8.0.535.0"),
            "DistinguishedName": name,
            "Guid": self._guid(name),
            "ObjectCategory": self._schema("ms-Exch-Exchange-Server"),
            "ObjectClass": _strings("top", "server", "msExchExchangeServer"),
            **self._dates(),
            "OrganizationId": _organization_id(),
            "Id": identity,
            "OriginatingServer": self._controller,
            "ObjectState": self._unchanged,
        }

    def _directory(
        self,
        server: Server,
        type_name: str,
        name: str,
        category: str,
        object_class: str,
        properties: Mapping[str, Value],
    ) -> Record:
        organisation = self.scenario.organisation
        full = distinguished_name(
            organisation, name, "HTTP", "Protocols", server.name, "Servers", _GROUP, "Administrative Groups"
        )
        text = f"{server.name}\\{name}"
        identity = self._object_id(text, "HTTP", full)
        return self._top(
            (type_name, *_VIRTUAL_DIRECTORY),
            text,
            {
                "Name": name,
                **properties,
                "AdminDisplayName": "",
                "ExchangeVersion": _object_version("0.10 (14.0.100.0)", 0, 10, "14.0.100.0"),
                "DistinguishedName": full,
                "Identity": identity,
                "Guid": self._guid(full),
                "ObjectCategory": self._schema(category),
                "ObjectClass": _strings("top", "msExchVirtualDirectory", object_class),
                **self._dates(),
                "OrganizationId": _organization_id(),
                "Id": identity,
                "OriginatingServer": self._controller,
                "IsValid": True,
                "ObjectState": self._unchanged,
            },
        )

    def _protection(self, value: str) -> dict[str, Value]:
        return {
            "ExtendedProtectionTokenChecking": _flag(
                f"{_SYSTEM}.ExtendedProtectionTokenCheckingMode", value, _PROTECTION.get(value, 0)
            ),
            "ExtendedProtectionFlags": Many(_PROTECTION_FLAGS, ()),
            "ExtendedProtectionSPNList": _strings(),
        }

    def _object_id(self, text: str, parent: str, name: str) -> Record:
        return Record(
            _AD_OBJECT_ID,
            text,
            {
                "OrgHierarchyToIgnore": None,
                "IsDeleted": False,
                "Rdn": name.partition(",")[0],
                "Parent": parent,
                "Depth": name.count("CN=") + 1,
                "DistinguishedName": name,
                "IsRelativeDn": False,
                "DomainId": self.scenario.organisation.domain,
                "PartitionGuid": self._guid("partition"),
                "PartitionFQDN": self.scenario.organisation.domain,
                "ObjectGuid": self._guid(name),
                "Name": name.partition(",")[0].removeprefix("CN="),
            },
            {"SerializationData": _serialised(_AD_OBJECT_ID[0])},
        )

    def _server_id(self, server: Server) -> Record:
        name = distinguished_name(self.scenario.organisation, server.name, "Servers", _GROUP, "Administrative Groups")
        return self._object_id(server.name, "Servers", name)

    def _site(self, server: Server) -> Record:
        domain = self.scenario.organisation.domain
        labels = ",".join(f"DC={label}" for label in domain.split("."))
        return self._object_id(
            f"{domain}/Configuration/Sites/{server.site}",
            f"{domain}/Configuration/Sites",
            f"CN={server.site},CN=Sites,CN=Configuration,{labels}",
        )

    def _schema(self, name: str) -> Record:
        domain = self.scenario.organisation.domain
        labels = ",".join(f"DC={label}" for label in domain.split("."))
        return self._object_id(
            f"{domain}/Configuration/Schema/{name}",
            f"{domain}/Configuration/Schema",
            f"CN={name},CN=Schema,CN=Configuration,{labels}",
        )

    def _addresses(self, server: Server) -> Many:
        names = ("Microsoft.Exchange.Data.CustomNetworkAddress", "Microsoft.Exchange.Data.NetworkAddress")
        protocols = ("ncacn_vns_spp", "netbios", "ncacn_np", "ncacn_spx", "ncacn_ip_tcp", "ncalrpc")
        return Many(
            _ADDRESSES,
            [
                Record(
                    (*names, "Microsoft.Exchange.Data.ProtocolAddress", "System.Object"),
                    f"{protocol}:{address}",
                    {"ProtocolType": protocol, "AddressString": address},
                )
                for protocol in protocols
                for address in (server.fqdn if protocol == "ncacn_ip_tcp" else server.name,)
            ],
        )

    def _dates(self) -> dict[str, Value]:
        created, changed = self.scenario.now - timedelta(days=900), self.scenario.now - timedelta(days=200)
        return {
            "WhenChanged": changed,
            "WhenCreated": created,
            "WhenChangedUTC": changed.astimezone(UTC),
            "WhenCreatedUTC": created.astimezone(UTC),
        }

    def _guid(self, name: str) -> UUID:
        return uuid5(NAMESPACE_DNS, f"{name}.{self.scenario.organisation.domain}")

    @property
    def _controller(self) -> str:
        return f"dc1.{self.scenario.organisation.domain}"

    @property
    def _unchanged(self) -> Enumeration:
        return _flag("Microsoft.Exchange.Data.ObjectState", "Unchanged", 1)


def _role(server: Server) -> Enumeration:
    """ServerRole. From 2016 on a server that answers clients says Mailbox alone."""
    kind = f"{_SYSTEM}.ServerRole"
    if Role.EDGE in server.roles:
        return _flag(kind, "Edge", 64)
    if server.version >= (15, 1, 0, 0):
        return _flag(kind, "Mailbox", 2)
    names, number = [], 0
    for role, name, bit in ((Role.MAILBOX, "Mailbox", 2), (Role.CLIENT_ACCESS, "ClientAccess", 4)):
        if role in server.roles:
            names.append(name)
            number |= bit
    if server.version < (15, 0, 0, 0) and Role.MAILBOX in server.roles:
        names.append("HubTransport")
        number |= 32
    return _flag(kind, ", ".join(names), number)
