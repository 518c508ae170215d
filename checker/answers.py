"""What was received, as received, and what could not be had.

Plain frozen data without any library behind it, so that live sessions, saved files and tests make the same objects:

    NotCollected            why something is not known (a `Reason`, a sentence, the layer that failed)
    Collected[T]            what there is of a set, and a `Missing` for each subject that could not be looked at
    PSObject                one deserialised PowerShell object (a property bag)
    CmdletCall/CmdletAnswer one cmdlet, sent and answered
    Resolved, Handshake, Offer, HttpAnswer
                            what DNS, TLS and HTTP said
    CmdletRunner, Network   the two protocols through which facts are gathered, live or from a file

Text in here comes from servers: it is data, never markup and never to be matched on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable
from uuid import UUID

if TYPE_CHECKING:
    from checker.results import Subject

__all__ = [
    "NOT_GIVEN_ERROR",
    "Attempt",
    "CmdletAnswer",
    "CmdletCall",
    "CmdletError",
    "CmdletRunner",
    "CmdletSpec",
    "CmdletUse",
    "Collected",
    "Handshake",
    "HttpAnswer",
    "Keep",
    "Layer",
    "Missing",
    "Network",
    "NotCollected",
    "NotCollectedError",
    "Offer",
    "PSObject",
    "PSValue",
    "Reason",
    "Resolved",
    "Services",
    "Target",
    "TlsVersion",
    "need",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Reason(Enum):
    """Why something could not be had. The values are permanent: they stand in JSON reports and snapshots."""

    NOT_GIVEN = "not-given"  # an input that this run was not given; the finding becomes NOT_RUN
    NOT_RESOLVED = "not-resolved"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TIMED_OUT = "timed-out"
    RESET = "reset"
    TLS_FAILED = "tls-failed"
    UNTRUSTED_CERTIFICATE = "untrusted-certificate"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGN_IN_UNAVAILABLE = "sign-in-unavailable"  # no ticket, no SPN, no Kerberos support, clock skew
    FORBIDDEN = "forbidden"
    NOT_ENABLED = "not-enabled"  # the user is not enabled for remote PowerShell
    NOT_EXCHANGE = "not-exchange"  # something answered, but not Exchange's PowerShell endpoint
    THROTTLED = "throttled"
    CMDLET_UNKNOWN = "cmdlet-unknown"  # the server does not have it, or the role does not grant it
    PARAMETER_UNKNOWN = "parameter-unknown"
    CMDLET_ERROR = "cmdlet-error"
    PROPERTY_ABSENT = "property-absent"  # the object came without the property
    MALFORMED = "malformed"  # an answer that is not what its protocol says
    HTTP_ERROR = "http-error"
    NOT_SUPPORTED_HERE = "not-supported-here"  # this machine cannot look (its TLS library, its trust store …)
    TABLE_TOO_OLD = "table-too-old"
    SAME_CAUSE = "same-cause"  # another finding says it already
    REFUSED_BY_TOOL = "refused-by-tool"  # mapiready did not send it (allow-list)
    INTERRUPTED = "interrupted"  # Ctrl-C
    DEADLINE = "deadline"  # the run's own deadline came first
    GATHERER_FAILED = "gatherer-failed"  # a defect of mapiready or of a plugin
    OTHER = "other"


class Layer(Enum):
    """The steps of a look, in their order. A failure belongs to the check that owns its layer (`CheckInfo.owns`)."""

    RESOLVE = "resolve"
    CONNECT = "connect"  # TCP and the TLS handshake
    CHAIN = "chain"  # the certificates as sent do not make a chain
    CERTIFICATE = "certificate"  # a server, asked straight, serves a certificate that it should not
    MAPI = "mapi"  # HTTP on /mapi
    RPC = "rpc"  # HTTP on /rpc
    TRUST = "trust"  # the certificate by name is none to send a credential to
    SIGN_IN = "sign-in"  # the test account on /mapi
    RPC_SIGN_IN = "rpc-sign-in"  # the test account on /rpc
    AUTODISCOVER = "autodiscover"  # HTTP on Autodiscover
    SESSION = "session"  # remote PowerShell as a whole
    CMDLET = "cmdlet"


@dataclass(frozen=True, slots=True)
class NotCollected:
    """Something that is not known, and why.

    `sentence` is for the reader: what happened, where, what to do; it never holds a secret. `layer` names the step
    that failed: when a check that owns this layer fails on the same subject (or on `behind`), the finding made from
    this is shown folded under it.
    """

    reason: Reason
    sentence: str
    layer: Layer | None = None
    behind: Subject | None = None


class NotCollectedError(Exception):
    """Control flow of `need`: carries a NotCollected from inside a check to the runner, which makes it UNKNOWN."""

    def __init__(self, not_collected: NotCollected) -> None:
        super().__init__(not_collected.sentence)
        self.not_collected = not_collected


def need(value: T | NotCollected) -> T:
    """The value, if it could be had; otherwise the verdict of the calling check becomes UNKNOWN (law 1).

    Raises:
        NotCollectedError: for the runner.
    """
    if isinstance(value, NotCollected):
        raise NotCollectedError(value)
    return value


@dataclass(frozen=True, slots=True)
class Missing:
    """A subject of a set that could not be looked at."""

    subject: Subject
    because: NotCollected


@dataclass(frozen=True, slots=True)
class Collected(Generic[T_co]):
    """A set of subjects: the items that could be read, and one `Missing` for each that could not."""

    items: tuple[T_co, ...]
    missing: tuple[Missing, ...]


# --- PowerShell -------------------------------------------------------------------------------------------------------

PSValue: TypeAlias = (
    "None | bool | int | float | Decimal | str | bytes | datetime | timedelta | UUID"
    " | list[PSValue] | dict[PSKey, PSValue] | PSObject"
)
PSKey: TypeAlias = "str | int | bool | float | UUID"
Keep: TypeAlias = "Callable[[PSValue], PSValue]"
"""Reduces an object to what is wanted of it."""


@dataclass(slots=True, eq=False)
class PSObject:
    """One deserialised PowerShell object (MS-PSRP 2.2.5.2).

    `types` are the type names, most derived first, without the prefix "Deserialized."; `text` is ToString (None when
    none was sent); `properties` the adapted and extended properties, the extended (note) property winning a name;
    `value` what the object wraps, if anything: the number of an enum, the items of a list or dictionary. Not frozen
    only because CLIXML allows cycles; treat it as frozen. Compared by identity for the same reason.
    """

    types: tuple[str, ...]
    text: str | None
    properties: dict[str, PSValue] = field(default_factory=dict)
    value: PSValue = None

    def __repr__(self) -> str:
        return f"<PSObject {self.types[0] if self.types else '?'} with {len(self.properties)} properties>"


class Asked(Enum):
    """About what a fact sends a cmdlet, each time anew."""

    ONCE = "once"
    ANSWERING = "the server that answers"
    CLIENT_ACCESS = "each client-access server"
    CLIENT_ACCESS_2013 = "each client-access server of Exchange 2013 or newer"
    MAILBOX_2013 = "each mailbox server of Exchange 2013 or newer"
    MAILBOXES = "once, all mailboxes of the forest"  # as many as --mailboxes allows: -ResultSize
    AHEAD = "each mailbox that has MAPI over HTTP of its own"  # while there are few of them
    MANY_AHEAD = "once, where there are too many of those"


@dataclass(frozen=True, slots=True, kw_only=True)
class CmdletUse:
    """How a fact sends a cmdlet. The collector script (`checker.collector`) is made from it, so that it sends the same.

    `by` is the parameter that takes the server's name (or the mailbox's); `fixed` are parameters that are always the
    same; `first_of` a parameter and the values that are tried in turn until one gives an object. `instead_of` names the
    cmdlet without which alone this one is sent. `properties` are patterns of all that is written down of each object,
    where that is not all (PowerShell adds no property for a pattern that fits none, and an empty one for a name).
    """

    asked: Asked = Asked.ONCE
    by: str | None = None
    fixed: tuple[tuple[str, str | int | bool], ...] = ()
    first_of: tuple[str, tuple[str, ...]] | None = None
    instead_of: str | None = None
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CmdletSpec:
    """A cmdlet with the parameters that may be sent: one line of the allow-list. Get and Test verbs only.

    `uses` say how they are sent. One without a parameter that names none is sent as it stands, once; one with
    parameters that names none is not in the collector script.
    """

    name: str
    parameters: tuple[str, ...] = ()
    uses: tuple[CmdletUse, ...] = ()


@dataclass(frozen=True, slots=True)
class CmdletCall:
    """One cmdlet to send. `parameters` holds (name, value) pairs; the value True is a switch."""

    name: str
    parameters: tuple[tuple[str, str | int | bool], ...] = ()

    @classmethod
    def of(cls, cmdlet: str, **parameters: str | int | bool) -> CmdletCall:
        return cls(cmdlet, tuple(parameters.items()))

    def __str__(self) -> str:
        words = [self.name]
        for name, value in self.parameters:
            words.append(f"-{name}" if value is True else f"-{name} {value}")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class CmdletError:
    """An ErrorRecord. `error_id` (FullyQualifiedErrorId) and `category` identify it; `message` is localised text."""

    error_id: str
    category: str
    message: str
    target: str | None
    exception_types: tuple[str, ...]


NOT_GIVEN_ERROR: Final = "mapiready.NotGiven"
"""The `error_id` with which saved data say that they hold nothing of the target; `message` is a sentence of ours."""


@dataclass(frozen=True, slots=True)
class CmdletAnswer:
    """What a cmdlet gave: its objects, its non-terminating errors and its warnings; `server` answered."""

    call: CmdletCall
    server: str
    objects: tuple[PSValue, ...]
    errors: tuple[CmdletError, ...]
    warnings: tuple[str, ...]
    seconds: float


@runtime_checkable
class CmdletRunner(Protocol):
    """Sends cmdlets. Remote PowerShell is one implementation, a snapshot another (law 14)."""

    async def run(self, call: CmdletCall, *, keep: Keep | None = None) -> CmdletAnswer | NotCollected:
        """The answer, or why there is none (a terminating error gives none). Never raises for a server's fault.

        `keep` reduces each object to what is wanted of it while the answer arrives, maybe in another thread, so that
        50,000 mailboxes need not be held whole.
        """
        ...


# --- network ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: `host` is the name used for DNS, SNI and the Host header, without trailing dot, as an A-label.

    `via` is the host whose addresses are connected to in its stead: one server behind a name, asked by that name.
    `turn` counts further looks at the same host, each by a connection of its own, for which a balancer may choose anew.
    """

    host: str
    port: int = 443
    via: str | None = None
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """The addresses of a host. `given` is True when the user gave them (--resolve) and DNS was not asked."""

    target: Target
    addresses: tuple[str, ...]  # "192.0.2.1", "2001:db8::1"; with a port behind "#" if --resolve gave another one
    given: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One address that was tried and what it gave; `error` is None for the one that worked."""

    address: str
    error: NotCollected | None


@dataclass(frozen=True, slots=True)
class Handshake:
    """A TCP connection and TLS handshake that worked; nothing is verified here (law 11).

    `certificates` are the DER certificates as sent, leaf first. `version` is OpenSSL's name ("TLSv1.2").
    """

    target: Target
    address: str
    version: str
    cipher: str
    certificates: tuple[bytes, ...]
    attempts: tuple[Attempt, ...]
    seconds: float


class TlsVersion(Enum):
    """Versions of TLS, by OpenSSL's names, oldest first."""

    TLS_1_0 = "TLSv1"
    TLS_1_1 = "TLSv1.1"
    TLS_1_2 = "TLSv1.2"
    TLS_1_3 = "TLSv1.3"

    @property
    def label(self) -> str:
        """As people write it: TLS 1.0."""
        number = self.value.removeprefix("TLSv")
        return f"TLS {number if '.' in number else number + '.0'}"


@dataclass(frozen=True, slots=True)
class Offer:
    """Whether a host takes part in one version of TLS. `detail` says how that showed: the cipher, the alert …"""

    target: Target
    version: TlsVersion
    accepted: bool
    detail: str


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to one request. `body` is cut at a limit (then `truncated`); header names are in lower case."""

    target: Target
    method: str
    path: str
    address: str
    status: int
    reason: str
    http_version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool
    seconds: float

    def all(self, name: str) -> tuple[str, ...]:
        """Each value of a header, in order of arrival."""
        return tuple(value for key, value in self.headers if key == name.lower())

    def first(self, name: str) -> str | None:
        """The first value of a header, None without it."""
        return next(iter(self.all(name)), None)


@dataclass(frozen=True, slots=True)
class Services:
    """The SRV records of a name: (host, port), the best first, hosts without trailing dot."""

    name: str
    targets: tuple[tuple[str, int], ...]
    seconds: float


@runtime_checkable
class Network(Protocol):
    """Looks at hosts. Each answer is gathered once: asking twice gives the same. Never raises for a host's fault."""

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        """DNS or --resolve. NOT_RESOLVED says that the name does not exist or has no address; other reasons that DNS
        itself could not be asked."""
        ...

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        """TCP and TLS with SNI; the NotCollected names its layer (RESOLVE or CONNECT)."""
        ...

    async def offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:
        """Whether this version of TLS is accepted. NOT_SUPPORTED_HERE when this machine cannot speak it."""
        ...

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """GET without credentials, without redirects, without verifying TLS."""
        ...

    async def autodiscover(self, target: Target) -> HttpAnswer | NotCollected:
        """POST /autodiscover/autodiscover.xml, otherwise as `get`: the question that Outlook asks there."""
        ...

    async def plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """GET over http without TLS, otherwise as `get`: where Outlook looks for a redirect. `target.port` is 80."""
        ...

    async def services(self, name: str) -> Services | NotCollected:
        """The SRV records of a name (RFC 2782), best first. NOT_RESOLVED says that there are none."""
        ...
