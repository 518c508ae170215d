"""What is asked with a test account, and what came of it: sign-in, MAPI over HTTP, RPC over HTTP, Autodiscover.

    TestAccount     whether this run was given an account, and whose mailbox it is; never a secret
    SignedIn        the protocol through which facts ask with it: live, or from a snapshot
    AccountProof    whether the credential itself is known to be good, and by whom
    SignedAnswer    one request with its sign-in, leg by leg
    MapiConversation, RpcEcho
                    what was said on an endpoint, request by request

Answers are as received, except that tokens and cookies are taken out: the values of Set-Cookie, and what stands behind
the scheme in WWW-Authenticate where it is a token. What the answers mean is read by `checker.protocols`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from checker.answers import HttpAnswer, NotCollected, Reason, Target

__all__ = [
    "NO_ACCOUNT",
    "AccountProof",
    "MapiConversation",
    "MapiEndpoint",
    "MapiMailbox",
    "MapiRequest",
    "Proof",
    "RpcEcho",
    "SignInAt",
    "SignInScheme",
    "SignedAnswer",
    "SignedIn",
    "Step",
    "TestAccount",
    "Timed",
]

NO_ACCOUNT = NotCollected(
    Reason.NOT_GIVEN, "Needs a test account: --mailbox ADDRESS, with its password, a token or a ticket."
)
"""Why a run without a test account does not know what takes one."""


class SignInScheme(Enum):
    """The schemes of WWW-Authenticate that can be answered, in the order in which they are tried."""

    NEGOTIATE = "Negotiate"
    NTLM = "NTLM"
    BEARER = "Bearer"
    BASIC = "Basic"  # over verified TLS only


class SignInAt(Enum):
    """Where a scheme is tried. The values are the paths."""

    MAILBOX = "/mapi/emsmdb/"  # POST, PING
    ADDRESS_BOOK = "/mapi/nspi/"  # POST, PING
    RPC = "/rpc/rpcproxy.dll"  # GET


class MapiEndpoint(Enum):
    """The two endpoints of MAPI over HTTP ([MS-OXCMAPIHTTP] 2.2.1). The values are the paths."""

    MAILBOX = "/mapi/emsmdb/"
    ADDRESS_BOOK = "/mapi/nspi/"


class Step(Enum):
    """The steps of a signed-in request, in their order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    SIGN_IN = "sign-in"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a step took, in seconds."""

    step: Step
    seconds: float


@dataclass(frozen=True, slots=True)
class TestAccount:
    """The test account of a run. `given` False: there is none, and what needs one is NOT_GIVEN.

    `mailbox` is its address (--mailbox), None when only a sign-in name was given; `schemes` are those that the
    credential can answer (a token: Bearer; a ticket: Negotiate; a password: the others).
    """

    __test__ = False  # pytest must not take it for a test

    given: bool
    mailbox: str | None
    schemes: tuple[SignInScheme, ...]


class Proof(Enum):
    """How the credential is known to be good, or not."""

    KDC = "kdc"  # the KDC gave a ticket for it
    SERVER = "server"  # a server, asked straight, let it in
    NAME = "name"  # a name let it in
    REJECTED = "rejected"  # turned away where nothing but the password can be the cause; nothing more is sent
    DOUBTFUL = "doubtful"  # turned away by a name before anything proved it; no password is sent any more
    UNPROVEN = "unproven"  # it could not be tried


@dataclass(frozen=True, slots=True)
class AccountProof:
    """The state of the credential. `by` is who said so; `because` tells it where it is REJECTED, DOUBTFUL, UNPROVEN.

    `attempts` counts the times that a password was put to the test in this run.
    """

    proof: Proof
    by: str | None
    attempts: int
    because: NotCollected | None

    @property
    def is_good(self) -> bool:
        """Whether a later 401 is the fault of the way, and not of the credential."""
        return self.proof in (Proof.KDC, Proof.SERVER, Proof.NAME)


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """One request and its sign-in.

    `legs` are the 401s that led on (the challenge, NTLM's second message), `answer` is the last: a 401 there is a
    refusal, NotCollected a connection that was cut or not answered. `mechanism` is what really signed in ("Kerberos",
    "NTLM"), where it shows. `completed`: the credential itself was sent (an AP-REQ, NTLM's third message, Basic,
    Bearer), so a 401 after it refuses it. `bound`: channel bindings (tls-server-end-point) were sent with it.
    `connections` counts the TCP connections that the exchange took: more than one means that the peer closed one.
    """

    target: Target
    path: str
    scheme: SignInScheme
    mechanism: str | None
    completed: bool
    bound: bool
    connections: int
    legs: tuple[HttpAnswer, ...]
    answer: HttpAnswer | NotCollected
    timings: tuple[Timed, ...]

    @property
    def is_in(self) -> bool:
        """Whether somebody let the account in: the last answer is neither a 401 nor missing."""
        return isinstance(self.answer, HttpAnswer) and self.answer.status != 401


@dataclass(frozen=True, slots=True)
class MapiMailbox:
    """Whom a conversation is about: the legacyExchangeDN for Connect, and the MailboxId of the URLs; None: not known.

    Without a DN no session of the mailbox is opened: PING alone is sent. Bind needs none.
    """

    user_dn: str | None
    mailbox_id: str | None  # <guid>@contoso.test


@dataclass(frozen=True, slots=True)
class MapiRequest:
    """One request of a conversation and its answer. `kind` is X-RequestType: PING, Connect, Disconnect, Bind, Unbind.
    `in_session`: it was sent with the cookies of the session."""

    kind: str
    in_session: bool
    answer: HttpAnswer | NotCollected
    seconds: float


@dataclass(frozen=True, slots=True)
class MapiConversation:
    """What was said on an endpoint: PING, then Connect or Bind, PING with the cookies, Disconnect or Unbind.

    `sign_in` is the first request, with all its legs; when it was not let in, `requests` is empty.
    """

    target: Target
    endpoint: MapiEndpoint
    path: str  # with the query
    sign_in: SignedAnswer
    requests: tuple[MapiRequest, ...]
    timings: tuple[Timed, ...]


@dataclass(frozen=True, slots=True)
class RpcEcho:
    """RPC_IN_DATA and RPC_OUT_DATA with the echo of [MS-RPCH] 2.1.2.1.6, each with its sign-in."""

    target: Target
    in_channel: SignedAnswer
    out_channel: SignedAnswer


@runtime_checkable
class SignedIn(Protocol):
    """Asks with the test account. Each question is asked once: asking twice gives the same. Never raises for a fault
    of a host; NotCollected says why nothing could be sent (no account, an untrusted certificate, no ticket …).

    A Target is sent a credential only over TLS that verifies for its host; who asks makes sure that the host is one
    that the user or the organisation named.
    """

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        """Puts the credential to the test: by the KDC where Kerberos is possible, else at these targets (servers asked
        straight, best first) with the first of the offered schemes; once in a run, later calls give the same."""
        ...

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        """One scheme at one place."""
        ...

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        """A conversation, which always ends with Disconnect or Unbind where a session was opened."""
        ...

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        """The echo of RPC over HTTP."""
        ...

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        """Autodiscover's POX question with X-MapiHttpCapability: 1. Follows no redirect: who asks decides."""
        ...
