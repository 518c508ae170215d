"""What a snapshot holds, and its JSON. No file is opened here; docs/snapshot.md tells the same to others.

    manifest.json           `Manifest`: of what, from where, when, with which questions; the index of the cmdlets
    powershell/NNNNNN.jsonl one cmdlet: a line for each message as it came, {"output": "<Obj …"}
    network.jsonl           one look at the network per line: {"question": …, "answer": …}
    account.jsonl           the same for what was asked with the test account
    certificates/SHA256.der a certificate, named by the others

Made for next year's versions, too: within a schema_version keys and entries are only added, and what is not known is
passed over.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
    TestAccount,
)
from checker.answers import (
    Attempt,
    CmdletCall,
    Handshake,
    HttpAnswer,
    Layer,
    NotCollected,
    Offer,
    Reason,
    Resolved,
    Services,
    Target,
    TlsVersion,
)
from checker.facts.run import GivenNames, MailboxScope, ServerSelection, Vantage
from checker.results import Stage, Subject

if TYPE_CHECKING:
    import cattrs

__all__ = [
    "ACCOUNT",
    "FORMAT",
    "MANIFEST",
    "NETWORK",
    "SCHEMA_VERSION",
    "AccountAnswer",
    "AccountExchange",
    "AccountLook",
    "AccountQuestion",
    "Call",
    "CallKey",
    "FormatError",
    "Manifest",
    "NetworkAnswer",
    "NetworkExchange",
    "NetworkLook",
    "NetworkQuestion",
    "SavedHandshake",
    "Trust",
    "call_key",
    "certificate_entry",
    "read_json",
    "saved",
    "structure",
    "unstructure",
    "write_json",
]

T = TypeVar("T")

FORMAT: Final = "mapiready-snapshot"
SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
NETWORK: Final = "network.jsonl"
ACCOUNT: Final = "account.jsonl"


class FormatError(ValueError):
    """JSON that is not what it should be; the text says where and what."""


# --- what was asked, and what came ------------------------------------------------------------------------------------


class NetworkLook(Enum):
    """The questions of `checker.answers.Network`."""

    RESOLVE = "resolve"
    HANDSHAKE = "handshake"
    OFFERS = "offers"
    GET = "get"
    AUTODISCOVER = "autodiscover"
    PLAIN = "plain"
    SERVICES = "services"


class AccountLook(Enum):
    """The questions of `checker.account.SignedIn`."""

    PROVE = "prove"
    SIGN_IN = "sign-in"
    MAPI = "mapi"
    RPC_ECHO = "rpc-echo"
    AUTODISCOVER = "autodiscover"


@dataclass(frozen=True, slots=True)
class NetworkQuestion:
    """One look at the network; what a question does not have is None."""

    look: NetworkLook
    target: Target | None = None
    version: TlsVersion | None = None
    path: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        where = self.name if self.target is None else f"{self.target.host}:{self.target.port}"
        by_way_of = f" at {self.target.via}" if self.target is not None and self.target.via is not None else ""
        more = self.path or (self.version.label if self.version is not None else "")
        return " ".join(word for word in (self.look.value, more, f"of {where}{by_way_of}") if word)


@dataclass(frozen=True, slots=True)
class AccountQuestion:
    """One question with the test account; what it does not have is None. PROVE has nothing: it is asked once."""

    look: AccountLook
    target: Target | None = None
    at: SignInAt | None = None
    endpoint: MapiEndpoint | None = None
    scheme: SignInScheme | None = None
    mailbox: MapiMailbox | None = None
    path: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        where = f" at {self.target.host}" if self.target is not None else ""
        scheme = f" by {self.scheme.value}" if self.scheme is not None else ""
        return f"the test account's {self.look.value}{scheme}{where}"


@dataclass(frozen=True, slots=True)
class SavedHandshake:
    """A `Handshake` whose certificates are named by their SHA-256."""

    target: Target
    address: str
    version: str
    cipher: str
    certificates: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    seconds: float


NetworkAnswer: TypeAlias = Resolved | SavedHandshake | Offer | HttpAnswer | Services | NotCollected
AccountAnswer: TypeAlias = AccountProof | SignedAnswer | MapiConversation | RpcEcho | NotCollected
CallKey: TypeAlias = tuple[str, frozenset[tuple[str, str | int | bool]]]


@dataclass(frozen=True, slots=True)
class Call:
    """A cmdlet that was sent: what, the entry with what came, who answered in how long, or why nothing was had.

    `objects` counts them. The messages of a cmdlet that failed are kept, too.
    """

    entry: str
    name: str
    parameters: tuple[tuple[str, str | int | bool], ...]
    server: str | None
    seconds: float
    objects: int
    not_collected: NotCollected | None

    @property
    def call(self) -> CmdletCall:
        return CmdletCall(self.name, self.parameters)


@dataclass(frozen=True, slots=True)
class Trust:
    """The root certificates that the gathering machine trusts, by SHA-256, and where they are from."""

    roots: tuple[str, ...]
    source: str
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a snapshot is of. `stopped` tells why the run ended before all was asked.

    `narrowed` tells in the words of the options how the run was less than a whole one. `stage` is the one that was
    asked for, None for auto.
    """

    format: str
    schema_version: int
    tool_version: str
    started: datetime
    ended: datetime
    vantage: Vantage
    given_names: GivenNames
    servers: ServerSelection
    mailboxes: MailboxScope
    stage: Stage | None
    narrowed: tuple[str, ...]
    test_account: TestAccount
    trust: Trust
    has_powershell: bool
    asked: tuple[str, ...]
    stopped: NotCollected | None
    notes: tuple[str, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class NetworkExchange:
    """A question and its answer: a line of network.jsonl."""

    question: NetworkQuestion
    answer: NetworkAnswer


@dataclass(frozen=True, slots=True)
class AccountExchange:
    """A question and its answer: a line of account.jsonl."""

    question: AccountQuestion
    answer: AccountAnswer


def call_key(call: CmdletCall) -> CallKey:
    """What makes two calls the same: PowerShell compares names without regard to case."""
    return call.name.casefold(), frozenset((name.casefold(), value) for name, value in call.parameters)


def saved(handshake: Handshake) -> SavedHandshake:
    """With its certificates by their SHA-256."""
    digests = tuple(hashlib.sha256(der).hexdigest() for der in handshake.certificates)
    return SavedHandshake(
        handshake.target,
        handshake.address,
        handshake.version,
        handshake.cipher,
        digests,
        handshake.attempts,
        handshake.seconds,
    )


def certificate_entry(digest: str) -> str:
    """The entry of a certificate, by its SHA-256 in hexadecimal."""
    return f"certificates/{digest}.der"


# --- JSON -------------------------------------------------------------------------------------------------------------


def write_json(value: object) -> bytes:
    """One line of JSON, ASCII only, in a stable order."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")).encode("ascii")


def read_json(data: bytes) -> Any:
    """A JSON text as it stands.

    Raises:
        FormatError: it is none.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError("is not JSON") from error


def _no_constant(_name: str) -> float:
    raise ValueError


def unstructure(value: object) -> Any:
    """A manifest, a question, an answer … as JSON has it. Certificates are what they are, in base64."""
    return _converter().unstructure(value, type(value))


def structure(value: object, kind: type[T]) -> T:
    """Back again, strictly: nothing is made fit.

    Raises:
        FormatError: a key is missing, or something else stands there.
    """
    import cattrs

    try:
        return _converter().structure(value, kind)
    except cattrs.BaseValidationError as error:
        first = cattrs.transform_error(error, path="")[0]
        what, _, where = first.rpartition(" @ ")
        raise FormatError(f"{where.lstrip('.') or 'the whole'}: {what}") from error
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise FormatError("does not hold what it should") from error


@cache
def _converter() -> cattrs.Converter:
    from cattrs import Converter
    from cattrs.strategies import configure_tagged_union

    converter = Converter(detailed_validation=True)
    for plain in (str, int, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(str | int | bool, _primitive)
    converter.register_unstructure_hook(str | int | bool, lambda value: value)
    converter.register_structure_hook(datetime, _moment)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(bytes, _bytes)
    converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode("ascii"))
    converter.register_structure_hook(NotCollected, _not_collected)
    converter.register_unstructure_hook(NotCollected, _plain_not_collected)
    converter.register_structure_hook(ServerSelection, _selection)
    converter.register_unstructure_hook(ServerSelection, _plain_selection)
    # A list and nothing else: iterating over a text or an object would make something of it.
    converter.register_structure_hook_func(_is_tuple, lambda value, kind: _tuple(converter, value, kind))
    for union in (HttpAnswer | NotCollected, NetworkAnswer, AccountAnswer):
        configure_tagged_union(union, converter, tag_generator=_KINDS.__getitem__, tag_name="kind")
    return converter


_KINDS: Final[Mapping[type, str]] = {
    AccountProof: "account-proof",
    HttpAnswer: "http-answer",
    MapiConversation: "mapi-conversation",
    NotCollected: "not-collected",
    Offer: "offer",
    Resolved: "resolved",
    RpcEcho: "rpc-echo",
    SavedHandshake: "handshake",
    Services: "services",
    SignedAnswer: "signed-answer",
}
"""The names of answers. They are permanent."""


def _is_tuple(kind: object) -> bool:
    return getattr(kind, "__origin__", None) is tuple


def _tuple(converter: cattrs.Converter, value: object, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list")
    inner = kind.__args__
    if len(inner) == 2 and inner[1] is Ellipsis:
        return tuple(converter.structure(item, inner[0]) for item in value)
    if len(inner) != len(value):
        raise ValueError(f"must be a list of {len(inner)}")
    return tuple(converter.structure(item, each) for item, each in zip(value, inner, strict=True))


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    def read(value: Any, _kind: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"must be {_CALLED[kind]}")
        return value

    return read


_CALLED: Final[Mapping[type, str]] = {str: "a text", int: "a whole number", bool: "true or false"}


def _primitive(value: Any, _kind: Any) -> str | int | bool:
    if not isinstance(value, str | int):
        raise ValueError("must be a text, a whole number, true or false")
    return value


def _number(value: Any, _kind: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("must be a number")
    return float(value)


def _moment(value: Any, _kind: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a time with its offset")
    return moment


def _bytes(value: Any, _kind: Any) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except binascii.Error as error:
        raise ValueError("must be base64") from error


# `NotCollected` names `Subject` only for type checkers, so nothing can read it by its annotations.


def _plain_not_collected(value: NotCollected) -> dict[str, Any]:
    return {
        "reason": value.reason.value,
        "sentence": value.sentence,
        "layer": value.layer.value if value.layer else None,
        "behind": None if value.behind is None else unstructure(value.behind),
    }


def _not_collected(value: Any, _kind: Any) -> NotCollected:
    sentence, layer, behind = value["sentence"], value["layer"], value["behind"]
    if not isinstance(sentence, str):
        raise ValueError("must be a sentence")
    return NotCollected(
        Reason(value["reason"]),
        sentence,
        None if layer is None else Layer(layer),
        None if behind is None else _converter().structure(behind, Subject),
    )


def _plain_selection(value: ServerSelection) -> dict[str, Any]:
    return {"names": None if value.names is None else sorted(value.names)}


def _selection(value: Any, _kind: Any) -> ServerSelection:
    names = value["names"]
    if names is None:
        return ServerSelection(None)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("must be a list of names")
    return ServerSelection(frozenset(names))
