"""Cmdlets about one server at a time, and about sign-in: components, health, services, certificates, groups, accounts.

They stand in front of the other cmdlets of a scenario and add to what two of those say. The shapes of component states,
service health, OAuth settings and mailbox servers are those of Export-Clixml files of Exchange 2016; those of health
reports and authentication policies follow the documentation. Certificates are as a plain session gives them, with
RawData and with properties.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha1
from uuid import UUID, uuid4

from cryptography import x509

from lab.powershell.clixml import Enumeration, Many, Record, Value, write
from lab.powershell.cmdlet import Call, Cmdlets, Output, Problem, Said, Signature
from lab.powershell.objects import Objects, distinguished_name
from lab.powershell.problems import Stamp, object_not_found
from lab.scenario import Certificate, Issuer, Role, Scenario, Server, User

__all__ = ["ServerCmdlets"]

_TASKS = "Microsoft.Exchange.Management.SystemConfigurationTasks"
_MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management"
_SYSTEM = "Microsoft.Exchange.Data.Directory.SystemConfiguration"
_OBJECT = ("Microsoft.Exchange.Data.ConfigurableObject", "System.Object")
_CONFIGURATION = (
    f"{_SYSTEM}.ADConfigurationObject",
    "Microsoft.Exchange.Data.Directory.ADObject",
    "Microsoft.Exchange.Data.Directory.ADRawEntry",
    *_OBJECT,
)
_STRINGS = (
    (
        "Microsoft.Exchange.Data.MultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral,"
        " PublicKeyToken=b77a5c561934e089]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_REQUESTER = f"{_MANAGEMENT}.ServerComponentStatePresentationObject+RequesterDetails"
_REQUESTERS = (f"System.Collections.Generic.List`1[[{_REQUESTER}, Microsoft.Exchange.Data.Directory]]", "System.Object")
_COMPONENTS = [
    "ServerWideOffline",
    "HubTransport",
    "FrontendTransport",
    "Monitoring",
    "RecoveryActionsEnabled",
    "AutoDiscoverProxy",
    "ActiveSyncProxy",
    "EcpProxy",
    "EwsProxy",
    "ImapProxy",
    "OabProxy",
    "OwaProxy",
    "PopProxy",
    "PushNotificationsProxy",
    "RpsProxy",
    "RwsProxy",
    "RpcProxy",
    "XropProxy",
    "HttpProxyAvailabilityGroup",
    "ForwardSyncDaemon",
    "ProvisioningRps",
    "MapiProxy",
    "EdgeTransport",
    "HighAvailability",
    "SharedCache",
    "MailboxDeliveryProxy",
    "RoutingUpdates",
    "RestProxy",
    "DefaultProxy",
    "Lsass",
    "RoutingService",
    "E4EProxy",
    "CafeLAMv2",
    "LogExportProvider",
]
_ALWAYS_INACTIVE = frozenset({"ForwardSyncDaemon", "ProvisioningRps"})
_NOT_WITH_THE_SERVER = frozenset({"Monitoring", "RecoveryActionsEnabled", "HighAvailability"})
_STATES = {"Inactive": 0, "Active": 1, "Draining": 2}
_EVERY_ROLE = ("IISAdmin", "MSExchangeADTopology", "MSExchangeServiceHost", "W3Svc", "WinRM")
_ROLES = {
    "Mailbox Server Role": (
        "MSExchangeDelivery",
        "MSExchangeIS",
        "MSExchangeMailboxAssistants",
        "MSExchangeRepl",
        "MSExchangeRPC",
        "MSExchangeSubmission",
        "MSExchangeThrottling",
        "MSExchangeTransportLogSearch",
    ),
    "Client Access Server Role": ("MSExchangeMailboxReplication", "MSExchangeRPC"),
    "Hub Transport Server Role": ("MSExchangeEdgeSync", "MSExchangeTransport", "MSExchangeTransportLogSearch"),
}
_IN_GERMAN = {
    "Mailbox Server Role": "Postfachserverrolle",
    "Client Access Server Role": "Clientzugriffsserver-Rolle",
    "Hub Transport Server Role": "Hub-Transport-Serverrolle",
}
_HEALTH_SETS = [
    "ActiveSync",
    "Autodiscover",
    "Autodiscover.Protocol",
    "Autodiscover.Proxy",
    "EWS.Protocol",
    "FrontendTransport",
    "Outlook",
    "Outlook.Protocol",
    "Outlook.Proxy",
    "OutlookMapiHttp",
    "OutlookMapiHttp.Protocol",
    "OutlookMapiHttp.Proxy",
    "OWA.Protocol",
    "Search",
]
_ALERTS = {"Unhealthy": 1, "Healthy": 2}
_ACCOUNT_STATUS = "IncludeAlternateServiceAccountCredentialStatus"


@dataclass(frozen=True, slots=True)
class _Known:
    signature: Signature
    run: Callable[[Call], Iterable[Said]]
    since: tuple[int, int, int, int]


@dataclass(slots=True)
class ServerCmdlets:
    """The cmdlets of a scenario, as `answering` has them; what is not here the `others` have.

    `served` gives the certificate (DER) that a server really presents for a description; without it the cmdlets about
    certificates are not there.
    """

    scenario: Scenario
    answering: Server
    others: Cmdlets
    served: Callable[[Certificate], bytes] | None
    _runspace: UUID = field(default_factory=uuid4)
    _cmdlets: dict[str, _Known] = field(init=False)

    def __post_init__(self) -> None:
        with_2013, with_policies = (15, 0, 0, 0), (15, 2, 397, 3)
        of_identity, of_server = ("Identity",), ("Server",)
        self._cmdlets = {
            signature.name.casefold(): _Known(signature, run, since)
            for signature, run, since in (
                (
                    Signature(
                        "Get-ServerComponentState",
                        ("Identity", "Component", "DomainController"),
                        (),
                        of_identity,
                    ),
                    self._component_states,
                    with_2013,
                ),
                (
                    Signature(
                        "Get-HealthReport",
                        ("Identity", "HealthSet", "MinimumOnlinePercent", "GroupSize"),
                        ("HaImpactingOnly", "RollupGroup"),
                        of_identity,
                    ),
                    self._health_report,
                    with_2013,
                ),
                (
                    Signature(
                        "Test-ServiceHealth",
                        ("Server", "ActiveDirectoryTimeout", "DomainController"),
                        ("MonitoringContext",),
                        of_server,
                    ),
                    self._service_health,
                    (14, 0, 0, 0),
                ),
                (
                    Signature("Get-AuthenticationPolicy", ("Identity",), (), of_identity),
                    self._authentication_policies,
                    with_policies,
                ),
                (
                    Signature("Get-MailboxServer", ("Identity", "DomainController"), ("Status",), of_identity),
                    self._mailbox_servers,
                    (14, 0, 0, 0),
                ),
            )
        }
        if self.served is not None:
            certificates = _Certificates(self, self.served)
            auth_config = Signature("Get-AuthConfig", ("DomainController",))
            self._cmdlets["get-authconfig"] = _Known(auth_config, certificates.auth_config, with_2013)
            installed = Signature(
                "Get-ExchangeCertificate",
                ("Thumbprint", "Server", "Identity", "Instance", "DomainName", "DomainController"),
                (),
                ("Thumbprint",),
            )
            self._cmdlets["get-exchangecertificate"] = _Known(installed, certificates.installed, (14, 0, 0, 0))

    def signature(self, name: str, user: User) -> Signature | None:
        """The cmdlet, if this build has it and the user's roles grant it."""
        known = self._cmdlets.get(name.casefold())
        if known is None:
            return self.others.signature(name, user)
        granted = known.signature.name.casefold() not in (denied.casefold() for denied in user.denied)
        return known.signature if granted and self.answering.version >= known.since else None

    def run(self, call: Call) -> Iterable[Said]:
        """What the cmdlet says."""
        known = self._cmdlets.get(call.name.casefold())
        if known is not None:
            return known.run(call)
        if call.name.casefold() == "get-organizationconfig" and self.answering.version >= (15, 1, 0, 0):
            return self._organisation()
        if call.parameters.get(_ACCOUNT_STATUS):
            return self._accounts(call)
        return self.others.run(call)

    # --- what others say, and more ---

    def _organisation(self) -> Iterator[Said]:
        record = self._objects.organisation()
        policy = self.scenario.organisation.authentication_policy
        default = None if policy is None else _identity(policy.name)
        yield Output(write(_with(record, DefaultAuthenticationPolicy=default)))

    def _accounts(self, call: Call) -> Iterator[Said]:
        servers = self.named(call, "Identity", [server for server in self.scenario.servers if server.answers_clients])
        if isinstance(servers, Problem):
            yield servers
            return
        for server in servers:
            record = self._objects.client_access(server)
            configuration = _account(server.alternate_service_account, self._not_set)
            yield Output(write(_with(record, AlternateServiceAccountConfiguration=configuration)))

    @property
    def _not_set(self) -> str:
        return "<Nicht festgelegt>" if self._german else "<Not set>"

    # --- components, health, services ---

    def _component_states(self, call: Call) -> Iterator[Said]:
        servers = self.named(call, "Identity", self._servers_since_2013)
        if isinstance(servers, Problem):
            yield servers
            return
        wanted = str(call.parameters.get("Component") or "").casefold()
        for server in servers:
            yield from (
                Output(write(self._component(server, name)))
                for name in _COMPONENTS
                if not wanted or name.casefold() == wanted
            )

    def _component(self, server: Server, name: str) -> Record:
        holders = [held.requester for held in server.inactive if held.name == name]
        offline = server.is_inactive("ServerWideOffline")
        inactive = bool(holders) or name in _ALWAYS_INACTIVE or (offline and name not in _NOT_WITH_THE_SERVER)
        kind = f"{_MANAGEMENT}.ServerComponentStatePresentationObject"
        at = self.scenario.now - timedelta(hours=3)
        stamp = f"{at.month}/{at.day}/{at.year} {at:%I:%M:%S %p}"
        states = [
            Record(
                (_REQUESTER, "System.Object"),
                f"Requestor:{holder}; State:Inactive; Timestamp:{stamp}",
                {"Requester": holder, "State": "Inactive", "Timestamp": at, "Component": name},
            )
            for holder in holders
        ]
        return self.top(
            (kind, *_OBJECT),
            kind,
            {
                "ServerFqdn": server.fqdn,
                "Component": name,
                "State": _word("Microsoft.Exchange.Data.ServiceState", _STATES, "Inactive" if inactive else "Active"),
                "ServerWideOfflineIsOffline": offline,
                "RemoteStates": Many(_REQUESTERS, states),
                "LocalStates": Many(_REQUESTERS, states),
                "Identity": _identity(server.name),
                "IsValid": True,
            },
        )

    def _health_report(self, call: Call) -> Iterator[Said]:
        servers = self.named(call, "Identity", self._servers_since_2013)
        if isinstance(servers, Problem):
            yield servers
            return
        for server in servers:
            for health_set in _HEALTH_SETS:
                alert = "Unhealthy" if health_set in server.unhealthy else "Healthy"
                kind = "Microsoft.Exchange.Monitoring.ConsolidatedHealth"
                properties: dict[str, Value] = {
                    "Server": server.name,
                    "State": Enumeration("Microsoft.Exchange.Monitoring.MonitorServerComponentState", "Online", 3),
                    "HealthSet": health_set,
                    "HealthGroup": "CustomerTouchPoints",
                    "AlertValue": _word("Microsoft.Exchange.Monitoring.MonitorAlertState", _ALERTS, alert),
                    "LastTransitionTime": self.scenario.now - timedelta(days=2),
                    "MonitorCount": 4,
                    "HaImpactingMonitorCount": 0,
                    "Identity": None,
                    "IsValid": True,
                }
                yield Output(write(self.top((kind, *_OBJECT), kind, properties)))

    def _service_health(self, call: Call) -> Iterator[Said]:
        servers = self.named(call, "Server", self.scenario.servers) if call.parameters.get("Server") else None
        if isinstance(servers, Problem):
            yield servers
            return
        kind = "Microsoft.Exchange.Monitoring.ExchangeServicesStatus"
        for server in servers or [self.answering]:
            for role, own in _ROLES.items():
                if role.startswith("Client") and not server.answers_clients:
                    continue
                if not role.startswith("Client") and Role.MAILBOX not in server.roles:
                    continue
                services = sorted((*_EVERY_ROLE, *own), key=str.casefold)
                stopped = [service for service in services if service in server.stopped_services]
                running = [service for service in services if service not in server.stopped_services]
                properties: dict[str, Value] = {
                    "Role": _IN_GERMAN[role] if self._german else role,
                    "RequiredServicesRunning": not stopped,
                    "ServicesNotRunning": Many(_STRINGS, stopped),
                    "ServicesRunning": Many(_STRINGS, running),
                    "Identity": None,
                    "IsValid": True,
                }
                yield Output(write(self.top((kind, *_OBJECT), kind, properties)))

    # --- sign-in ---

    def _authentication_policies(self, call: Call) -> Iterator[Said]:
        policy = self.scenario.organisation.authentication_policy
        wanted = call.parameters.get("Identity")
        if policy is None or (wanted is not None and str(wanted).casefold() != policy.name.casefold()):
            if wanted is not None:
                yield self.not_found(call, str(wanted))
            return
        organisation = self.scenario.organisation
        protocols = ["ActiveSync", "Autodiscover", "Imap", "OfflineAddressBook", "Pop", "Rpc", "WebServices"]
        properties: dict[str, Value] = {"Name": policy.name, "Identity": _identity(policy.name)}
        for way, blocks in (("Legacy", policy.blocks_legacy_mapi), ("Modern", policy.blocks_modern_mapi)):
            if way == "Legacy" or self.answering.version >= (15, 2, 1258, 12):
                properties |= {f"Block{way}Auth{protocol}": False for protocol in protocols}
                properties[f"Block{way}AuthMapi"] = blocks
        properties |= {
            "DistinguishedName": distinguished_name(organisation, policy.name, "Auth Policies"),
            "IsValid": True,
        }
        yield Output(write(self.top((f"{_SYSTEM}.AuthPolicy", *_CONFIGURATION), policy.name, properties)))

    # --- groups ---

    def _mailbox_servers(self, call: Call) -> Iterator[Said]:
        mailbox = [server for server in self.scenario.servers if Role.MAILBOX in server.roles]
        servers = self.named(call, "Identity", mailbox) if call.parameters.get("Identity") else mailbox
        if isinstance(servers, Problem):
            yield servers
            return
        for server in servers:
            properties: dict[str, Value] = {
                "Name": server.name,
                "DatabaseAvailabilityGroup": None if server.dag is None else _identity(server.dag),
                "AdminDisplayVersion": "Version {}.{} (Build {}.{})".format(*server.version),
                "Identity": _identity(server.name),
                "IsValid": True,
            }
            yield Output(write(self.top((f"{_MANAGEMENT}.MailboxServer", *_CONFIGURATION), server.name, properties)))

    # --- parts ---

    @property
    def _objects(self) -> Objects:
        return Objects(self.scenario, self.answering, self._runspace)

    @property
    def _german(self) -> bool:
        return self.scenario.powershell.locale.casefold().startswith("de")

    @property
    def _servers_since_2013(self) -> list[Server]:
        return [server for server in self.scenario.servers if server.version >= (15, 0, 0, 0)]

    def named(self, call: Call, parameter: str, servers: Iterable[Server]) -> list[Server] | Problem:
        """The server that a parameter names, or all; a problem when there is none of that name."""
        wanted = call.parameters.get(parameter)
        every = list(servers)
        if wanted is None:
            return every
        text = str(wanted).casefold()
        chosen = [server for server in every if text in (server.name.casefold(), server.fqdn.casefold())]
        return chosen or self.not_found(call, str(wanted))

    def not_found(self, call: Call, identity: str) -> Problem:
        """The error about something that is not there."""
        stamp = Stamp(self.answering.name, uuid4(), self.scenario.now)
        task = f"{_TASKS}.{call.name.replace('-', '')}"
        controller = f"dc1.{self.scenario.organisation.domain}"
        return object_not_found(self.scenario.powershell.locale, stamp, call.name, task, identity, controller)

    def top(self, type_names: tuple[str, ...], text: str, properties: Mapping[str, Value]) -> Record:
        """An object as a cmdlet puts it out, with the notes of remoting."""
        notes: dict[str, Value] = {
            "PSComputerName": self.answering.fqdn,
            "RunspaceId": self._runspace,
            "PSShowComputerName": False,
        }
        return Record(type_names, text, properties, notes)


@dataclass(frozen=True, slots=True)
class _Certificates:
    """The cmdlets about certificates."""

    _of: ServerCmdlets
    _served: Callable[[Certificate], bytes]

    def auth_config(self, _call: Call) -> Iterator[Said]:
        """Get-AuthConfig."""
        name = "Auth Configuration"
        current = _thumbprint(self._served(self._of.scenario.organisation.oauth_certificate))
        properties: dict[str, Value] = {
            "CurrentCertificateThumbprint": current,
            "PreviousCertificateThumbprint": "",
            "NextCertificateThumbprint": "",
            "NextCertificateEffectiveDate": None,
            "ServiceName": "00000002-0000-0ff1-ce00-000000000000",
            "Realm": "",
            "Name": name,
            "Identity": _identity(name),
            "DistinguishedName": distinguished_name(self._of.scenario.organisation, name),
            "IsValid": True,
        }
        yield Output(write(self._of.top((f"{_SYSTEM}.AuthConfig", *_CONFIGURATION), name, properties)))

    def installed(self, call: Call) -> Iterator[Said]:
        """Get-ExchangeCertificate."""
        servers = self._of.named(call, "Server", self._of.scenario.servers) if call.parameters.get("Server") else None
        if isinstance(servers, Problem):
            yield servers
            return
        wanted = str(call.parameters.get("Thumbprint") or "").casefold()
        for server in servers or [self._of.answering]:
            for certificate, services in self._services(server).items():
                der = self._served(certificate)
                if not wanted or _thumbprint(der).casefold() == wanted:
                    yield Output(write(self._certificate(server, certificate, der, services)))

    def _services(self, server: Server) -> dict[Certificate, str]:
        """What a server has, with the services that use it: its own, those of names it serves, and that of OAuth."""
        keys = [server.certificate]
        keys += [
            name.certificate for name in self._of.scenario.names if name.certificate and server.name in name.servers
        ]
        found = {self._of.scenario.certificates[key]: "IIS, SMTP" for key in keys}
        if server.has_oauth_certificate:
            found[self._of.scenario.organisation.oauth_certificate] = "SMTP"
        return found

    def _certificate(self, server: Server, certificate: Certificate, der: bytes, services: str) -> Record:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a serial number that no certificate should have
            read = x509.load_der_x509_certificate(der)
            serial_number = read.serial_number
        now = self._of.scenario.now
        in_date = read.not_valid_before_utc <= now <= read.not_valid_after_utc
        own = certificate.issuer is Issuer.SELF
        authority = "None" if own else "Unknown" if certificate.issuer is Issuer.UNKNOWN else "Enterprise"
        kind = f"{_TASKS}.ExchangeCertificate"
        base = "System.Security.Cryptography.X509Certificates.X509Certificate"
        subject = read.subject.rfc4514_string()
        return self._of.top(
            (kind, f"{base}2", base, "System.Object"),
            f"[Subject]\r\n  {subject}\r\n",
            {
                "RawData": der,
                "Thumbprint": _thumbprint(der),
                "Subject": subject,
                "Issuer": read.issuer.rfc4514_string(),
                "SerialNumber": f"{serial_number:X}",
                "NotBefore": read.not_valid_before_utc,
                "NotAfter": read.not_valid_after_utc,
                "CertificateDomains": Many(_STRINGS, list(certificate.names)),
                "Services": services,
                "IsSelfSigned": own,
                "HasPrivateKey": True,
                "RootCAType": authority,
                "Status": "Valid" if in_date else "DateInvalid",
                "PublicKeySize": 256,
                "Identity": f"{server.fqdn}\\{_thumbprint(der)}",
            },
        )


def _with(record: Record, **properties: Value) -> Record:
    return replace(record, properties={**record.properties, **properties})


def _word(type_name: str, numbers: Mapping[str, int], word: str) -> Enumeration:
    return Enumeration(type_name, word, numbers[word])


def _identity(name: str) -> Record:
    kind = "Microsoft.Exchange.Data.Directory.ADObjectId"
    return Record((kind, "Microsoft.Exchange.Data.ObjectId", "System.Object"), name, {"Name": name})


def _account(account: str | None, not_set: str) -> Record:
    kind = f"{_SYSTEM}.AlternateServiceAccountConfiguration"
    latest = not_set if account is None else f"1/12/2025 10:19:22 AM, {account}"
    return Record((kind, "System.Object"), f"Latest: {latest}\r\nPrevious: {not_set}\r\n", {})


def _thumbprint(der: bytes) -> str:
    return sha1(der, usedforsecurity=False).hexdigest().upper()
