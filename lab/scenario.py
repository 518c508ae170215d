"""What an Exchange organisation of the lab looks like: plain frozen data, and the loader of scenario files.

    Scenario
      ├─ Organisation            the switch, modern authentication
      ├─ Server …                build, roles, site, what its web site and its probes do
      │    ├─ MapiDirectory …    none, one, or (by fault) several
      │    ├─ OutlookAnywhere    None where the server has no /rpc
      │    └─ Probe …            what Test-OutlookConnectivity finds
      ├─ Name …                  a host that clients use: who is behind it, a proxy, DNS
      ├─ Certificate …           by key; relative to the scenario's now
      ├─ Mailboxes               how many, and those with settings of their own
      ├─ Account                 the one user with a mailbox whose password tests are given
      └─ PowerShell              who may sign in, how, and what they may run

A scenario is a small TOML file (`lab/scenarios/*.toml` are shipped); whatever it does not say is as Exchange installs
it, or as the `[clients]` table derives it. Faults (`lab.faults`) are functions from a Scenario to a Scenario. Nothing
here opens a socket or reads a clock.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar
from uuid import NAMESPACE_DNS, uuid5

__all__ = [
    "AS_INSTALLED",
    "PROBES",
    "USAGES",
    "Account",
    "Authentication",
    "AuthenticationPolicy",
    "Autodiscover",
    "Balancing",
    "Certificate",
    "Chain",
    "Component",
    "Hash",
    "Issuer",
    "Key",
    "Mailbox",
    "Mailboxes",
    "MapiDirectory",
    "MapiTrouble",
    "Name",
    "Organisation",
    "OutlookAnywhere",
    "Page",
    "PowerShell",
    "Probe",
    "ProbeNaming",
    "Proxy",
    "Raw",
    "Resolution",
    "Role",
    "Rule",
    "Scenario",
    "ScenarioError",
    "Server",
    "Tls",
    "Trouble",
    "User",
    "Vantage",
    "Wire",
    "load",
    "parse",
    "scaled",
    "scenario_names",
]

T = TypeVar("T")
EnumT = TypeVar("EnumT", bound=Enum)

AS_INSTALLED = ("Ntlm", "OAuth", "Negotiate")
"""IISAuthenticationMethods of /mapi after setup (Set-MapiVirtualDirectory's page)."""


USAGES = ("serverAuth", "clientAuth", "anyExtendedKeyUsage")
"""The extended key usages that a certificate may have."""


class ScenarioError(Exception):
    """A scenario cannot be used; the text is one sentence that names the scenario and the key."""


class Role(Enum):
    """Server roles."""

    CLIENT_ACCESS = "client_access"
    MAILBOX = "mailbox"
    EDGE = "edge"


class Authentication(Enum):
    """How the PowerShell endpoint lets users sign in."""

    KERBEROS = "kerberos"
    NTLM = "ntlm"
    BASIC = "basic"


class ProbeNaming(Enum):
    """Under which identity a Managed Availability probe is known to the cmdlet."""

    QUALIFIED = "qualified"  # OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe
    BARE = "bare"  # OutlookMapiHttpSelfTestProbe
    NONE = "none"  # the cmdlet reports an error


class Wire(Enum):
    """What happens at a listener before any HTTP."""

    NORMAL = "normal"
    REFUSED = "refused"  # nobody listens
    RESET = "reset"  # the connection is accepted and reset at once
    SILENT = "silent"  # the connection is accepted, TLS is never answered
    PLAIN_HTTP = "plain-http"  # HTTP without TLS on the TLS port
    CLOSED = "closed"  # TLS is answered by an orderly end
    GARBAGE = "garbage"  # TLS is answered by something else
    CUT = "cut"  # TLS is begun, and ends in its middle
    TRICKLE = "trickle"  # TLS comes a byte at a time
    ENDLESS = "endless"  # TLS begins with alerts that never end


class Page(Enum):
    """An answer that stands in for Exchange's own."""

    IIS_404 = "iis-404"
    HTTPSYS_503 = "httpsys-503"  # the application pool is stopped
    NGINX_403 = "nginx-403"
    NGINX_404 = "nginx-404"
    NGINX_405 = "nginx-405"
    HAPROXY_503 = "haproxy-503"
    LOGIN_REDIRECT = "login-redirect"
    LOGIN_PAGE = "login-page"  # 200 with a form
    BASIC_ONLY = "basic-only"  # a proxy's own 401 that offers Basic alone
    IIS_START_PAGE = "iis-start-page"  # 200 with another body
    EMPTY_200 = "empty-200"  # 200 without a body and without asking who is there
    DROPPED = "dropped"  # the connection ends without an answer
    IIS_403 = "iis-403"
    IIS_500 = "iis-500"
    HTTPSYS_404 = "httpsys-404"
    EXCHANGE_403 = "exchange-403"
    EXCHANGE_404 = "exchange-404"
    EXCHANGE_500 = "exchange-500"
    EXCHANGE_503 = "exchange-503"
    NGINX_500 = "nginx-500"
    HANG = "hang"  # no answer, and no end
    TRICKLED_HEAD = "trickled-head"  # a byte at a time
    TRICKLED_BODY = "trickled-body"
    TRUNCATED = "truncated"  # the connection ends in the middle of the body
    NOT_HTTP = "not-http"
    ENDLESS_HEAD = "endless-head"
    ENDLESS_BODY = "endless-body"
    GZIP_BOMB = "gzip-bomb"


class Resolution(Enum):
    """What DNS says of a name."""

    ADDRESS = "address"
    NXDOMAIN = "nxdomain"
    NO_ADDRESS = "no-address"
    SERVFAIL = "servfail"
    SILENT = "silent"  # no answer
    GARBAGE = "garbage"  # an answer that is no DNS
    LOOP = "loop"  # an alias of itself


class Tls(Enum):
    """The versions of TLS that a listener accepts, oldest and newest."""

    TODAY = "today"  # 1.2 and 1.3
    WITH_OLD = "with-old"  # 1.0 to 1.3
    OLD_ONLY = "old-only"  # 1.0 and 1.1


class Hash(Enum):
    """With which hash a certificate is signed."""

    SHA256 = "sha256"
    SHA1 = "sha1"


class Balancing(Enum):
    """How a balancer chooses among the servers that are up."""

    SOURCE = "source"  # by the client's address: one client always meets the same server, the first of the list
    ROUND_ROBIN = "round-robin"  # the next one for each connection
    PINNED_HEALTH = "pinned-health"  # a reverse proxy: health pages always of the first, the rest round-robin
    PER_REQUEST = "per-request"  # a reverse proxy: the next one for each request, also within one connection


class Vantage(Enum):
    """From where DNS knows a name."""

    BOTH = "both"
    INSIDE = "inside"
    OUTSIDE = "outside"


class Issuer(Enum):
    """Who signed a certificate."""

    INTERMEDIATE = "intermediate"  # of the lab's root
    EXPIRED_INTERMEDIATE = "expired-intermediate"
    ROOT = "root"  # the lab's root itself
    SELF = "self"
    UNKNOWN = "unknown"  # a root that nobody is given
    COMPANY = "company"  # a root that the servers know, and the machine that looks does not


class Key(Enum):
    """The kind of a certificate's key."""

    P256 = "p256"
    RSA_2048 = "rsa-2048"
    RSA_1024 = "rsa-1024"


class Chain(Enum):
    """What a server sends in its handshake."""

    COMPLETE = "complete"  # the leaf and its intermediate
    LEAF_ONLY = "leaf-only"
    WITH_ROOT = "with-root"


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer as it goes over the wire, whatever it holds; the connection ends after it."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is answered on a path and everything below it; "/" is every path. Matched without regard to case."""

    path: str
    page: Page | Raw
    methods: tuple[str, ...] = ()  # of HTTP; none is every one
    signed_in: bool = False  # only once somebody has signed in: who has not is challenged as ever


class Trouble(Enum):
    """What may go wrong with a request of MAPI over HTTP, once somebody has signed in."""

    RESPONSE_CODE = "response-code"  # X-ResponseCode is `number`
    ERROR_CODE = "error-code"  # ErrorCode of a Connect or Bind is
    STATUS_CODE = "status-code"  # StatusCode is
    LATE_CODE = "late-code"  # X-ResponseCode 0 in the head, and `number` after DONE
    PENDING = "pending"  # so often it says that it is still at it
    WITHOUT_DONE = "without-done"  # the answer ends after PROCESSING
    CUT = "cut"  # the connection ends in the middle of the answer
    NO_COOKIES = "no-cookies"  # a session without any
    FORGETS = "forgets"  # the session is gone at once
    PAGE = "page"  # `page` in place of an answer
    BACK_END_REFUSES = "back-end-refuses"  # the server behind the front end answers 401


@dataclass(frozen=True, slots=True)
class MapiTrouble:
    """A trouble of one request type, of an endpoint ("nspi/*"), or of all ("*")."""

    kind: Trouble
    request: str = "*"
    number: int = 0
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Autodiscover:
    """What a server's Autodiscover does that it should not. As created it does all that it should.

    `host` is the host of the URLs of MAPI over HTTP, if not the directory's; `redirect_url` and `redirect_address` are
    told in place of settings; `error` is an ErrorCode in place of them.
    """

    methods: tuple[str, ...] = ("Negotiate", "Ntlm", "Basic", "OAuth")
    tells_mapi_http: bool = True
    tells_expr_beside: bool = False
    scheme: str = "https"
    host: str | None = None
    path: str = "/mapi"
    with_mailbox_id: bool = True
    redirect_url: str | None = None
    redirect_address: str | None = None
    error: int | None = None


@dataclass(frozen=True, slots=True)
class MapiDirectory:
    """A MAPI virtual directory. `offered` is what IIS does when that differs from what Active Directory says."""

    internal_url: str | None
    external_url: str | None
    authentication: tuple[str, ...] = AS_INSTALLED
    offered: tuple[str, ...] | None = None
    extended_protection: str = "None"  # None, Allow, Require
    name: str = "mapi"
    web_site: str = "Default Web Site"

    @property
    def iis_authentication(self) -> tuple[str, ...]:
        """The methods that IIS offers to clients."""
        return self.authentication if self.offered is None else self.offered


@dataclass(frozen=True, slots=True)
class OutlookAnywhere:
    """The /rpc virtual directory. A 2010 server has no InternalHostname and one client method, the external one."""

    internal_hostname: str | None
    external_hostname: str | None
    ssl_offloading: bool = False
    internal_client_authentication: str = "Ntlm"
    external_client_authentication: str = "Negotiate"
    authentication: tuple[str, ...] = ("Basic", "Ntlm", "Negotiate")
    extended_protection: str = "None"


@dataclass(frozen=True, slots=True)
class Probe:
    """A Managed Availability probe, and what Test-OutlookConnectivity says of it."""

    health_set: str  # OutlookMapiHttp.Protocol
    name: str  # OutlookMapiHttpSelfTestProbe
    result: str = "Succeeded"  # Succeeded, Failed, TimedOut, Rejected, Poisoned
    error: str = ""
    exception: str = ""
    naming: ProbeNaming = ProbeNaming.QUALIFIED

    @property
    def identities(self) -> tuple[str, ...]:
        """What -ProbeIdentity may say to get this probe."""
        match self.naming:
            case ProbeNaming.QUALIFIED:
                return (f"{self.health_set}\\{self.name}",)
            case ProbeNaming.BARE:
                return (self.name,)
            case ProbeNaming.NONE:
                return ()


PROBES = (
    Probe("OutlookMapiHttp.Protocol", "OutlookMapiHttpSelfTestProbe"),
    Probe("OutlookMapiHttp.Protocol", "OutlookMapiHttpDeepTestProbe"),
    Probe("Outlook.Protocol", "OutlookRpcSelfTestProbe"),
    Probe("Outlook.Protocol", "OutlookRpcDeepTestProbe"),
)
"""The probes of a mailbox server (Test-OutlookConnectivity's page), all well."""


@dataclass(frozen=True, slots=True)
class Component:
    """A server component that is held Inactive, and who holds it."""

    name: str  # MapiProxy, RpcProxy, ServerWideOffline …
    requester: str = "HealthAPI"


@dataclass(frozen=True, slots=True)
class Server:
    """An Exchange server.

    `build` is what AdminDisplayVersion shows (it stays at the cumulative update); `update` is the full build with its
    security update, as X-OWA-Version shows it.
    """

    name: str  # EX01
    fqdn: str
    build: str
    update: str
    site: str
    dag: str | None
    roles: frozenset[Role]
    certificate: str
    mapi: tuple[MapiDirectory, ...]
    outlook_anywhere: OutlookAnywhere | None
    autodiscover_uri: str | None
    probes: tuple[Probe, ...]
    inactive: tuple[Component, ...] = ()
    rules: tuple[Rule, ...] = ()
    wire: Wire = Wire.NORMAL
    alternate_service_account: str | None = None  # CONTOSO\\EXCHASA$, for Kerberos on shared names
    unhealthy: tuple[str, ...] = ()  # health sets
    stopped_services: tuple[str, ...] = ()
    has_oauth_certificate: bool = True
    presents: str | None = None  # the certificate that IIS was given by hand, whatever Exchange has noted
    tls: Tls = Tls.TODAY
    iis_readable: bool = True  # other servers, and accounts, may read its IIS
    mapi_troubles: tuple[MapiTrouble, ...] = ()
    autodiscover: Autodiscover = Autodiscover()
    rpc_error: int | None = None  # what its RPC proxy says of whom it cannot reach
    asks_domain: bool = True  # it reaches its domain; one that does not lets nobody in

    @property
    def version(self) -> tuple[int, int, int, int]:
        """The build as numbers, to compare."""
        return _version(self.build)

    @property
    def knows_mapi_http(self) -> bool:
        """Whether this build has MAPI over HTTP at all: 2013 SP1 (15.0.847.32) and later."""
        return self.version >= (15, 0, 847, 32)

    @property
    def answers_clients(self) -> bool:
        """Whether it has a web site for clients. From 2016 on every mailbox server has."""
        return Role.CLIENT_ACCESS in self.roles

    def is_inactive(self, component: str) -> bool:
        """Whether the component, or the whole server, is held Inactive."""
        return any(held.name in (component, "ServerWideOffline") for held in self.inactive)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy that ends TLS itself (layer 7) with a certificate of its own.

    `offered` replaces the schemes of every challenge; `stripped` are response headers that it takes away, `added` those
    that it adds; `host` is the Host with which it asks the servers, if not the client's. `withheld` are request headers
    that it does not pass on, and a name that ends in * is the beginning of many. With `speaks_1_0` it asks in HTTP/1.0,
    on a connection for each request.
    """

    certificate: str
    rules: tuple[Rule, ...] = ()
    stripped: tuple[str, ...] = ()
    offered: tuple[str, ...] | None = None
    added: tuple[tuple[str, str], ...] = ()
    host: str | None = None
    withheld: tuple[str, ...] = ()
    speaks_1_0: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A host that clients use. Without a proxy, a layer 4 balancer passes connections on to the servers.

    `health_checked`: the balancer leaves out servers that are down or whose health page would fail, as long as there
    are others. `certificate`: the servers serve this one to clients that ask for the host (an SNI binding of IIS).
    `http_redirect`: where its plain http site on port 80 sends everybody; without it there is no such site.
    """

    host: str
    servers: tuple[str, ...]
    proxy: Proxy | None = None
    resolution: Resolution = Resolution.ADDRESS
    vantage: Vantage = Vantage.BOTH
    wire: Wire = Wire.NORMAL
    health_checked: bool = True
    balancing: Balancing = Balancing.SOURCE
    certificate: str | None = None
    http_redirect: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate to be made. Times are relative to the scenario's now; `usages` None means no such extension."""

    common_name: str | None
    names: tuple[str, ...]
    issuer: Issuer = Issuer.INTERMEDIATE
    not_before: timedelta = timedelta(days=-90)
    not_after: timedelta = timedelta(days=275)
    key: Key = Key.P256
    usages: tuple[str, ...] | None = ("serverAuth",)
    chain: Chain = Chain.COMPLETE
    broken_signature: bool = False
    hash: Hash = Hash.SHA256


@dataclass(frozen=True, slots=True)
class User:
    """A user of remote PowerShell. `denied` are cmdlets that no role of theirs grants."""

    name: str  # CONTOSO\audit
    password: str = field(repr=False)
    remote_powershell: bool = True
    denied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PowerShell:
    """The PowerShell virtual directory of every server. As installed it takes Kerberos alone."""

    users: tuple[User, ...]
    http: frozenset[Authentication] = frozenset({Authentication.KERBEROS})
    https: frozenset[Authentication] = frozenset({Authentication.KERBEROS})
    locale: str = "en-US"  # of error texts: en-US, de-DE
    sessions: int = 18  # PowerShellMaxConcurrency; 0 throttles everyone
    wire: Wire = Wire.NORMAL


OAUTH_CERTIFICATE = Certificate(
    "Microsoft Exchange Server Auth Certificate",
    (),
    issuer=Issuer.SELF,
    not_before=timedelta(days=-400),
    not_after=timedelta(days=1425),
)
"""The certificate that setup makes for OAuth: self-signed, for five years. (Exchange's has an RSA key.)"""


@dataclass(frozen=True, slots=True)
class AuthenticationPolicy:
    """An authentication policy (Exchange 2019 CU2 and later), as far as it concerns /mapi."""

    name: str
    blocks_legacy_mapi: bool = False
    blocks_modern_mapi: bool = False


@dataclass(frozen=True, slots=True)
class Organisation:
    """What Get-OrganizationConfig says, and what else there is once. None: the property is absent, or there is none."""

    name: str
    domain: str
    mapi_http_enabled: bool | None
    modern_authentication: bool | None
    authentication_policy: AuthenticationPolicy | None = None  # the default one
    oauth_certificate: Certificate = OAUTH_CERTIFICATE


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox with settings of its own. `user_principal_name` None is the address, "" none at all."""

    name: str  # ann
    mapi_http_enabled: bool | None = None  # None: as the organisation
    mapi_enabled: bool = True
    blocks_rpc_http: bool = False
    blocks_external: bool = False
    blocked_versions: str | None = None
    archive: bool = False
    user_principal_name: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The test account: a user with a mailbox, who may sign in at the web sites. `locks_after` wrong passwords in a
    row it is locked; 0 is never."""

    name: str = "user1"
    password: str = field(default="Lab-Us3r-Passw0rd", repr=False)
    token: str = field(default="lab-token-of-user1", repr=False)  # what Bearer takes
    locks_after: int = 0


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The mailboxes of the organisation: so many as created (user1, user2 …), and then the special ones."""

    count: int = 12
    special: tuple[Mailbox, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """An organisation of the lab, complete."""

    name: str
    title: str
    description: str
    now: datetime
    organisation: Organisation
    servers: tuple[Server, ...]
    names: tuple[Name, ...]
    certificates: Mapping[str, Certificate]
    powershell: PowerShell
    faults: tuple[str, ...] = ()
    mailboxes: Mailboxes = Mailboxes()
    account: Account = Account()
    services: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # SRV records: name -> host, port

    @property
    def short_domain(self) -> str:
        """The domain's NetBIOS name."""
        return self.organisation.domain.partition(".")[0].upper()

    @property
    def account_user(self) -> User:
        """The test account, as somebody who signs in."""
        return User(f"{self.short_domain}\\{self.account.name}", self.account.password)

    def address_of(self, mailbox: str) -> str:
        """The primary address of a mailbox."""
        return f"{mailbox}@{self.organisation.domain}"

    def legacy_dn_of(self, mailbox: str) -> str:
        """Its legacyExchangeDN."""
        return f"/o={self.organisation.name}/cn=Recipients/cn={mailbox}"

    def mailbox_id_of(self, mailbox: str) -> str:
        """Its MailboxId, as URLs have it: GUID@domain."""
        domain = self.organisation.domain
        return f"{uuid5(NAMESPACE_DNS, f'store.{mailbox}.{domain}')}@{domain}"

    def mailbox(self, name: str) -> Mailbox | None:
        """The mailbox of this name, if there is one."""
        wanted = name.casefold()
        for mailbox in self.mailboxes.special:
            if mailbox.name.casefold() == wanted:
                return mailbox
        number = wanted.removeprefix("user")
        created = number.isascii() and number.isdecimal() and f"user{int(number)}" == wanted
        if wanted == self.account.name.casefold() or (created and 1 <= int(number) <= self.mailboxes.count):
            return Mailbox(wanted)
        return None

    def mapi_http_effective(self, mailbox: Mailbox) -> bool:
        """Whether clients of this mailbox are told of MAPI over HTTP: its own setting, else the organisation's."""
        own = mailbox.mapi_http_enabled
        return bool(self.organisation.mapi_http_enabled if own is None else own)

    def server(self, name: str) -> Server:
        """The server of this name or FQDN.

        Raises:
            ScenarioError: there is none.
        """
        for server in self.servers:
            if name.casefold() in (server.name.casefold(), server.fqdn.casefold()):
                return server
        raise ScenarioError(
            f"{self.name}: there is no server {name!r}; it has {', '.join(server.name for server in self.servers)}."
        )

    def with_server(self, changed: Server) -> Scenario:
        """The same with one server replaced (found by its name)."""
        return replace(
            self, servers=tuple(changed if server.name == changed.name else server for server in self.servers)
        )

    def name_of(self, host: str) -> Name:
        """The name with this host.

        Raises:
            ScenarioError: there is none.
        """
        for name in self.names:
            if name.host.casefold() == host.casefold():
                return name
        raise ScenarioError(f"{self.name}: there is no name {host!r}; it has {', '.join(n.host for n in self.names)}.")

    def with_name(self, changed: Name) -> Scenario:
        """The same with one name replaced (found by its host)."""
        return replace(self, names=tuple(changed if name.host == changed.host else name for name in self.names))

    def with_certificate(self, key: str, changed: Certificate) -> Scenario:
        """The same with one certificate replaced or added."""
        return replace(self, certificates={**self.certificates, key: changed})


# --- loading ----------------------------------------------------------------------------------------------------------


def scenario_names() -> tuple[str, ...]:
    """The shipped scenarios."""
    folder = resources.files("lab") / "scenarios"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load(name: str | Path, *, faults: Sequence[str] = (), servers: int | None = None) -> Scenario:
    """A shipped scenario by its name, or one of your own by its path (ends in .toml), with faults applied in order.

    Raises:
        ScenarioError: no such scenario, a broken file, an unknown fault.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        path = Path(name)
        label = path.stem
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioError(f"The scenario file {path} cannot be read: {error}.") from error
    else:
        label = name
        if name not in scenario_names():
            raise ScenarioError(f"There is no scenario {name!r}; there are {', '.join(scenario_names())}.")
        text = (resources.files("lab") / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")
    return parse(text, label, faults=faults, servers=servers)


def parse(text: str, name: str, *, faults: Sequence[str] = (), servers: int | None = None) -> Scenario:
    """A scenario from the text of its file. Its own faults come first, then those given.

    Raises:
        ScenarioError: the text is not a scenario.
    """
    from lab.faults import apply

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{name}: not TOML: {error}.") from error
    table = _Table(name, "", document)
    listed = table.strings("faults", ())
    count = table.get("count", int, None) if servers is None else servers
    table.skip("count")
    scenario = _scenario(name, table)
    table.finish()
    if count is not None:
        scenario = scaled(scenario, count)
    for fault in (*listed, *faults):
        scenario = apply(scenario, fault)
    return scenario


def scaled(scenario: Scenario, count: int) -> Scenario:
    """The same organisation with `count` servers: the first ones, then copies of them in turn with new names.

    Raises:
        ScenarioError: count is below one.
    """
    if count < 1:
        raise ScenarioError(f"{scenario.name}: an organisation has at least one server, not {count}.")
    have = scenario.servers
    servers = list(have[:count])
    kept = {server.name for server in servers}
    behind = {name.host: [server for server in name.servers if server in kept] for name in scenario.names}
    prefix = have[0].name.rstrip("0123456789") or have[0].name
    digits = max(len(have[0].name) - len(prefix), len(str(count)))
    free = (f"{prefix}{number:0{digits}}" for number in itertools.count(1))
    taken = {server.name for server in have}
    for index in range(len(have), count):
        pattern = have[index % len(have)]
        new_name = next(candidate for candidate in free if candidate not in taken)
        servers.append(_renamed(pattern, new_name))
        for name in scenario.names:
            if pattern.name in name.servers:
                behind[name.host].append(new_name)
    names = tuple(replace(name, servers=tuple(behind[name.host]) or (servers[0].name,)) for name in scenario.names)
    return replace(scenario, servers=tuple(servers), names=names)


def _renamed(pattern: Server, name: str) -> Server:
    fqdn = f"{name.lower()}.{pattern.fqdn.partition('.')[2]}"
    return replace(pattern, name=name, fqdn=fqdn)


class _Table:
    """A TOML table that knows where it stands, so that every error names its key."""

    def __init__(self, scenario: str, path: str, values: Mapping[str, Any]) -> None:
        self.scenario = scenario
        self.path = path
        self.values = dict(values)
        self.asked: set[str] = set()

    def where(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def error(self, key: str, says: str) -> ScenarioError:
        return ScenarioError(f"{self.scenario}: {self.where(key)} {says}.")

    def skip(self, key: str) -> None:
        self.asked.add(key)

    def get(self, key: str, kind: type[T], default: T | None) -> T | None:
        self.asked.add(key)
        if key not in self.values:
            return default
        value = self.values[key]
        # bool is an int in Python, not in TOML.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"must be {_KINDS[kind]}, not {_shown(value)}")
        return value

    def must(self, key: str, kind: type[T]) -> T:
        value = self.get(key, kind, None)
        if value is None:
            raise self.error(key, f"is missing: {_KINDS[kind]} is needed")
        return value

    def text(self, key: str, default: str) -> str:
        value = self.get(key, str, default)
        return default if value is None else value

    def host(self, key: str, default: str | None) -> str | None:
        value = self.get(key, str, default)
        if value is not None and not _HOST.fullmatch(value):
            raise self.error(key, f"must be a host name, not {_shown(value)}")
        return value

    def url(self, key: str, default: str | None) -> str | None:
        """A text, or the default; "" says that there is none."""
        value = self.get(key, str, default)
        return value or None

    def strings(self, key: str, default: Iterable[str]) -> tuple[str, ...]:
        value = self.get(key, list, None)
        if value is None:
            return tuple(default)
        for item in value:
            if not isinstance(item, str):
                raise self.error(key, f"must be a list of texts, not {_shown(value)}")
        return tuple(value)

    def choice(self, key: str, kind: type[EnumT], default: EnumT) -> EnumT:
        value = self.get(key, str, None)
        return default if value is None else self.chosen(key, kind, value)

    def choices(self, key: str, kind: type[EnumT], default: Iterable[EnumT]) -> frozenset[EnumT]:
        if key not in self.values:
            self.asked.add(key)
            return frozenset(default)
        return frozenset(self.chosen(key, kind, value) for value in self.strings(key, ()))

    def chosen(self, key: str, kind: type[EnumT], value: str) -> EnumT:
        for member in kind:
            if member.value == value:
                return member
        raise self.error(key, f"must be one of {', '.join(str(m.value) for m in kind)}, not {_shown(value)}")

    def switch(self, key: str, default: bool | None) -> bool | None:
        """True, false, or "absent" (None)."""
        self.asked.add(key)
        value = self.values.get(key, default)
        if value == "absent" or value is None:
            return None
        if not isinstance(value, bool):
            raise self.error(key, f'must be true, false or "absent", not {_shown(value)}')
        return value

    def duration(self, key: str, default: timedelta) -> timedelta:
        """Days as a number, or a text such as "-90d", "12h", "1s"."""
        self.asked.add(key)
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST_DAYS:
            return timedelta(days=value)
        if isinstance(value, str) and (match := re.fullmatch(r"([+-]?[0-9]{1,9})([dhms])", value)):
            seconds = int(match[1]) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[match[2]]
            if abs(seconds) <= _MOST_DAYS * 86400:
                return timedelta(seconds=seconds)
        raise self.error(key, f'must be days, or a text such as "-90d" or "1s", not {_shown(value)}')

    def table(self, key: str) -> _Table:
        return _Table(self.scenario, self.where(key), self.get(key, dict, {}) or {})

    def tables(self, key: str) -> tuple[_Table, ...]:
        items = self.get(key, list, []) or []
        for item in items:
            if not isinstance(item, dict):
                raise self.error(key, f"must be a list of tables, not {_shown(items)}")
        return tuple(_Table(self.scenario, f"{self.where(key)}[{index}]", item) for index, item in enumerate(items))

    def finish(self) -> None:
        """Refuse keys that nobody asked for: a typing error must not be silent."""
        for key in self.values:
            if key not in self.asked:
                near = difflib.get_close_matches(key, sorted(self.asked), 1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(self.asked))}"
                raise ScenarioError(f"{self.scenario}: {self.where(key)} is not known{hint.rstrip('?')}.")


_MOST_DAYS = 5_000
_FIRST_YEAR, _LAST_YEAR = 2010, 2100
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")
_MOST_MAILBOXES = 1_000_000
_LONGEST_COMMON_NAME = 64  # X.520
_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    datetime: "a date and time with its offset (2026-03-02T09:00:00Z)",
}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _version(build: str) -> tuple[int, int, int, int]:
    major, minor, number, revision = (int(part) for part in build.split("."))
    return major, minor, number, revision


def _scenario(name: str, table: _Table) -> Scenario:
    now = table.must("now", datetime)
    if now.tzinfo is None:
        raise table.error("now", "needs an offset: write 2026-03-02T09:00:00Z")
    if not _FIRST_YEAR <= now.year <= _LAST_YEAR:
        raise table.error("now", f"must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
    organisation = _organisation(table.table("organisation"))
    clients = table.table("clients")
    internal = clients.host("internal", f"mail.{organisation.domain}")
    external = clients.get("external", str, internal) or None
    autodiscover = clients.host("autodiscover", f"autodiscover.{organisation.domain}")
    clients.finish()
    hosts = _Hosts(internal or "", external, autodiscover or "")

    servers_table = table.table("servers")
    if not servers_table.values:
        raise table.error("servers", "is missing: at least one server is needed, such as [servers.EX01]")
    servers = tuple(
        _server(server_name, servers_table.table(server_name), organisation.domain, hosts)
        for server_name in servers_table.values
    )
    names = _names(table.table("names"), servers, hosts)
    certificates = _certificates(table.table("certificates"), names)
    scenario = Scenario(
        name=name,
        title=table.text("title", name),
        description=table.text("description", ""),
        now=now,
        organisation=organisation,
        servers=servers,
        names=names,
        certificates=certificates,
        powershell=_powershell(table.table("powershell"), organisation.domain),
        mailboxes=_mailboxes(table.table("mailboxes")),
        account=_account(table.table("account")),
    )
    _verify(scenario, table)
    return scenario


@dataclass(frozen=True, slots=True)
class _Hosts:
    internal: str
    external: str | None
    autodiscover: str


def _organisation(table: _Table) -> Organisation:
    domain = table.host("domain", "contoso.test") or ""
    if not domain.endswith((".test", ".example")):
        # RFC 2606: these can never be somebody's.
        raise table.error("domain", f"must end in .test or .example, not {_shown(domain)}")
    organisation = Organisation(
        name=table.text("name", domain.partition(".")[0].capitalize()),
        domain=domain,
        mapi_http_enabled=table.switch("mapi_http_enabled", False),
        modern_authentication=table.switch("modern_authentication", False),
        authentication_policy=_policy(table.table("authentication_policy")),
    )
    table.finish()
    return organisation


def _policy(table: _Table) -> AuthenticationPolicy | None:
    if not table.values:
        return None
    policy = AuthenticationPolicy(
        name=table.must("name", str),
        blocks_legacy_mapi=bool(table.get("blocks_legacy_mapi", bool, False)),
        blocks_modern_mapi=bool(table.get("blocks_modern_mapi", bool, False)),
    )
    table.finish()
    return policy


def _server(name: str, table: _Table, domain: str, hosts: _Hosts) -> Server:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,15}", name):
        raise ScenarioError(f"{table.scenario}: {table.path} must be a NetBIOS name of at most 15 characters.")
    build = table.must("build", str)
    update = table.text("update", build)
    for key, value in (("build", build), ("update", update)):
        if not re.fullmatch(r"1[45]\.[0-9]{1,2}\.[0-9]{1,5}\.[0-9]{1,4}", value):
            raise table.error(key, f'must be a build such as "15.2.2562.17", not {_shown(value)}')
    fqdn = table.host("fqdn", f"{name.lower()}.{domain}") or ""
    roles = table.choices("roles", Role, (Role.CLIENT_ACCESS, Role.MAILBOX))
    has_web_site = Role.CLIENT_ACCESS in roles
    knows = _version(build) >= (15, 0, 847, 32)
    server = Server(
        name=name,
        fqdn=fqdn,
        build=build,
        update=update,
        site=table.text("site", "Default-First-Site-Name"),
        dag=table.get("dag", str, None),
        roles=roles,
        certificate=table.text("certificate", "main"),
        mapi=_directories(table, hosts) if has_web_site and knows else (),
        outlook_anywhere=_outlook_anywhere(table, hosts, _version(build)) if has_web_site else None,
        autodiscover_uri=table.url(
            "autodiscover_uri",
            f"https://{hosts.autodiscover}/Autodiscover/Autodiscover.xml" if has_web_site else None,
        ),
        probes=PROBES if Role.MAILBOX in roles and _version(build) >= (15, 0, 0, 0) else (),
        inactive=tuple(_component(item) for item in table.tables("inactive")),
        rules=_rules(table),
        wire=table.choice("wire", Wire, Wire.NORMAL),
        # Setup gives none; a well-kept organisation has one, and most scenarios are of such.
        alternate_service_account=table.url(
            "alternate_service_account",
            f"{domain.partition('.')[0].upper()}\\EXCHASA$" if has_web_site and _version(build)[0] >= 15 else None,
        ),
        unhealthy=table.strings("unhealthy", ()),
        stopped_services=table.strings("stopped_services", ()),
        has_oauth_certificate=bool(table.get("has_oauth_certificate", bool, True)),
        presents=table.get("presents", str, None),
        tls=table.choice("tls", Tls, Tls.TODAY),
        iis_readable=bool(table.get("iis_readable", bool, True)),
    )
    table.finish()
    return server


def _directories(table: _Table, hosts: _Hosts) -> tuple[MapiDirectory, ...]:
    internal = f"https://{hosts.internal}/mapi"
    external = f"https://{hosts.external}/mapi" if hosts.external else None
    if "mapi" not in table.values:
        return (MapiDirectory(internal, external),)
    directories = []
    for item in table.tables("mapi"):
        directories.append(
            MapiDirectory(
                internal_url=item.url("internal_url", internal),
                external_url=item.url("external_url", external),
                authentication=item.strings("authentication", AS_INSTALLED),
                offered=item.strings("offered", ()) if "offered" in item.values else None,
                extended_protection=item.text("extended_protection", "None"),
                name=item.text("name", "mapi"),
                web_site=item.text("web_site", "Default Web Site"),
            )
        )
        item.finish()
    return tuple(directories)


def _outlook_anywhere(table: _Table, hosts: _Hosts, version: tuple[int, int, int, int]) -> OutlookAnywhere | None:
    if table.values.get("outlook_anywhere") is False:
        table.skip("outlook_anywhere")
        return None
    item = table.table("outlook_anywhere")
    anywhere = OutlookAnywhere(
        internal_hostname=item.url("internal_hostname", hosts.internal) if version >= (15, 0, 0, 0) else None,
        external_hostname=item.url("external_hostname", hosts.external),
        ssl_offloading=bool(item.get("ssl_offloading", bool, False)),
        internal_client_authentication=item.text("internal_client_authentication", "Ntlm"),
        external_client_authentication=item.text("external_client_authentication", "Negotiate"),
        authentication=item.strings("authentication", ("Basic", "Ntlm", "Negotiate")),
        extended_protection=item.text("extended_protection", "None"),
    )
    item.finish()
    return anywhere


def _component(table: _Table) -> Component:
    component = Component(table.must("name", str), table.text("requester", "HealthAPI"))
    table.finish()
    return component


def _rules(table: _Table) -> tuple[Rule, ...]:
    rules = table.table("rules")
    return tuple(Rule(path, rules.choice(path, Page, Page.IIS_404)) for path in rules.values)


def _names(table: _Table, servers: Sequence[Server], hosts: _Hosts) -> tuple[Name, ...]:
    behind = tuple(server.name for server in servers if server.answers_clients)
    for host in table.values:
        if not _HOST.fullmatch(host):
            raise table.error(host, "must be a host name")
    known: dict[str, None] = dict.fromkeys(
        host for host in (hosts.internal, hosts.external, hosts.autodiscover, *table.values) if host
    )
    return tuple(_name(host, table.table(host), behind) for host in known)


def _name(host: str, table: _Table, behind: tuple[str, ...]) -> Name:
    name = Name(
        host=host,
        servers=table.strings("servers", behind),
        proxy=_proxy(table.table("proxy")) if "proxy" in table.values else None,
        resolution=table.choice("resolution", Resolution, Resolution.ADDRESS),
        vantage=table.choice("vantage", Vantage, Vantage.BOTH),
        wire=table.choice("wire", Wire, Wire.NORMAL),
        health_checked=bool(table.get("health_checked", bool, True)),
        balancing=table.choice("balancing", Balancing, Balancing.SOURCE),
        certificate=table.get("certificate", str, None),
    )
    table.finish()
    return name


def _proxy(table: _Table) -> Proxy:
    proxy = Proxy(
        certificate=table.text("certificate", "main"),
        rules=_rules(table),
        stripped=table.strings("stripped", ()),
        offered=table.strings("offered", ()) if "offered" in table.values else None,
    )
    table.finish()
    return proxy


def _certificates(table: _Table, names: Sequence[Name]) -> dict[str, Certificate]:
    hosts = tuple(name.host for name in names)
    keys = dict.fromkeys(("main", *table.values))
    return {key: _certificate(table.table(key), hosts) for key in keys}


def _certificate(table: _Table, hosts: tuple[str, ...]) -> Certificate:
    names = table.strings("names", hosts)
    base = Certificate(None, ())
    certificate = Certificate(
        common_name=table.url("common_name", (names or hosts)[0][:_LONGEST_COMMON_NAME]),
        names=names,
        issuer=table.choice("issuer", Issuer, base.issuer),
        not_before=table.duration("not_before", base.not_before),
        not_after=table.duration("not_after", base.not_after),
        key=table.choice("key", Key, base.key),
        usages=table.strings("usages", base.usages or ()) or None,
        chain=table.choice("chain", Chain, base.chain),
        broken_signature=bool(table.get("broken_signature", bool, False)),
        hash=table.choice("hash", Hash, base.hash),
    )
    for name in names:
        if not _HOST.fullmatch(name.removeprefix("*.")):
            raise table.error("names", f"must be host names, not {_shown(name)}")
    if certificate.common_name is not None and len(certificate.common_name) > _LONGEST_COMMON_NAME:
        raise table.error("common_name", f"must be at most {_LONGEST_COMMON_NAME} characters long")
    for usage in certificate.usages or ():
        if usage not in USAGES:
            raise table.error("usages", f"must be of {', '.join(USAGES)}, not {_shown(usage)}")
    if certificate.not_after <= certificate.not_before:
        raise table.error("not_after", "must be later than not_before")
    table.finish()
    return certificate


def _powershell(table: _Table, domain: str) -> PowerShell:
    short = domain.partition(".")[0].upper()
    users = [_user(item) for item in table.tables("users")]
    powershell = PowerShell(
        users=tuple(users) or (User(f"{short}\\audit", "Lab-Passw0rd"),),
        http=table.choices("http", Authentication, (Authentication.KERBEROS,)),
        https=table.choices("https", Authentication, (Authentication.KERBEROS,)),
        locale=table.text("locale", "en-US"),
        sessions=table.get("sessions", int, 18) or 0,
        wire=table.choice("wire", Wire, Wire.NORMAL),
    )
    table.finish()
    return powershell


def _user(table: _Table) -> User:
    user = User(
        name=table.must("name", str),
        password=table.must("password", str),
        remote_powershell=bool(table.get("remote_powershell", bool, True)),
        denied=table.strings("denied", ()),
    )
    table.finish()
    return user


def _mailboxes(table: _Table) -> Mailboxes:
    count = table.get("count", int, Mailboxes().count) or 0
    if not 0 <= count <= _MOST_MAILBOXES:
        raise table.error("count", f"must lie between 0 and {_MOST_MAILBOXES}")
    mailboxes = Mailboxes(count, tuple(_mailbox(item) for item in table.tables("special")))
    table.finish()
    return mailboxes


def _account(table: _Table) -> Account:
    base = Account()
    account = Account(
        name=table.text("name", base.name),
        password=table.text("password", base.password),
        token=table.text("token", base.token),
        locks_after=table.get("locks_after", int, base.locks_after) or 0,
    )
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,20}", account.name):
        raise table.error("name", f"must be an account name of at most 20 characters, not {_shown(account.name)}")
    table.finish()
    return account


def _mailbox(table: _Table) -> Mailbox:
    mailbox = Mailbox(
        name=table.must("name", str),
        mapi_http_enabled=table.get("mapi_http_enabled", bool, None),
        mapi_enabled=bool(table.get("mapi_enabled", bool, True)),
        blocks_rpc_http=bool(table.get("blocks_rpc_http", bool, False)),
        blocks_external=bool(table.get("blocks_external", bool, False)),
        blocked_versions=table.get("blocked_versions", str, None),
        archive=bool(table.get("archive", bool, False)),
        user_principal_name=table.get("user_principal_name", str, None),
    )
    table.finish()
    return mailbox


def _verify(scenario: Scenario, table: _Table) -> None:
    """What refers to something must find it."""
    known = {server.name for server in scenario.servers}
    for server in scenario.servers:
        if server.certificate not in scenario.certificates:
            raise table.error(f"servers.{server.name}.certificate", f"names no certificate: {server.certificate!r}")
        if server.presents is not None and server.presents not in scenario.certificates:
            raise table.error(f"servers.{server.name}.presents", f"names no certificate: {server.presents!r}")
    for name in scenario.names:
        if not name.servers:
            raise table.error(f"names.{name.host}.servers", "is empty: a name has a server behind it")
        if name.balancing is Balancing.PER_REQUEST and name.proxy is None:
            raise table.error(
                f"names.{name.host}.balancing", "needs a proxy, which alone knows one request from the next"
            )
        for server_name in name.servers:
            if server_name not in known:
                raise table.error(f"names.{name.host}.servers", f"names no server: {server_name!r}")
        for key, certificate in (
            ("certificate", name.certificate),
            ("proxy.certificate", name.proxy.certificate if name.proxy else None),
        ):
            if certificate is not None and certificate not in scenario.certificates:
                raise table.error(f"names.{name.host}.{key}", f"names no certificate: {certificate!r}")
