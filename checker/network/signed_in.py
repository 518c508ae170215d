"""The live test account: signs in and speaks the protocols, each question once, on a connection of its own.

prove           the KDC where Kerberos is possible, else the servers that are given, until one has let the account in
sign_in         the request without a credential, then with it, on one connection; see `checker.network.visit`
mapi            the same with PING, then what follows on that connection, and the farewell whatever happens
rpc_echo        the same with the echo's two requests, each on a connection of its own
autodiscover    the same with the question for an address

Passwords are sent as `checker.network.standing` allows. Every exception of a library ends here and becomes a
NotCollected with a sentence.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    MapiRequest,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
    Step,
    Timed,
)
from checker.answers import HttpAnswer, NotCollected, Reason, Target
from checker.facts.run import TrustStore
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.sentences import shown
from checker.network.standing import Standing
from checker.network.tickets import Tickets, kerberos_is_here, principal_of
from checker.network.verified import verifying
from checker.obstacles import Obstacle, chain_of, known_obstacle
from checker.secrets import Secret
from checker.watching import WATCHER, waiting_for

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

    from checker.network.visit import Request, Visit
    from checker.protocols.mapihttp import MapiHttpRequest, MapiSession

__all__ = ["AccountSettings", "LiveAccount", "schemes_of_credential"]

T = TypeVar("T")

_KDC_SECONDS = 60.0
"""Kerberos' own time-outs come first; what is still silent then may hold the password, and counts as an attempt."""
_GRACE = 3.0
"""Within which a session is left, also when the run is over."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+={0,2}")
_INSTEAD = "give the test account a password (--account-password-file)"
_TURNS_TO_CLOSE = 4
_OF_THE_ACCOUNT = frozenset({Obstacle.WRONG, Obstacle.EXPIRED, Obstacle.LOCKED})


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The test account, and how to get to the servers.

    Exactly one of `password` and `token` is given, or `ticket` is True: then the ticket cache or the logon of Windows
    signs in. `user` is the sign-in name (user@domain, DOMAIN\\user), needed with a password. `timeout` is seconds
    for each step; the others are as in `NetworkSettings`.
    """

    user: str | None
    password: Secret | None
    token: Secret | None
    ticket: bool
    mailbox: str | None
    trust: TrustStore
    resolve: Mapping[tuple[str, int], tuple[str, int | None]] = field(default_factory=dict)
    nameserver: tuple[str, int] | None = None
    timeout: float = 30.0
    at_once_per_host: int = 4
    body_limit: int = 64 * 1024

    @property
    def who(self) -> str:
        """The account, in sentences."""
        return self.user or self.mailbox or "the logged-on user"


def schemes_of_credential(settings: AccountSettings) -> tuple[SignInScheme, ...]:
    """The schemes that the credential can answer, in the order of trying."""
    if settings.token is not None:
        return (SignInScheme.BEARER,)
    if settings.password is not None:
        return (SignInScheme.NEGOTIATE, SignInScheme.NTLM, SignInScheme.BASIC)
    return (SignInScheme.NEGOTIATE,) if settings.ticket else ()


class LiveAccount:
    """`checker.account.SignedIn` over real sockets. `close` it inside the loop in which it was used."""

    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings
        self._schemes = schemes_of_credential(settings)
        self._network = LiveNetwork(
            NetworkSettings(resolve=settings.resolve, nameserver=settings.nameserver, timeout=settings.timeout)
        )
        self._standing = Standing(settings.who, password=settings.password is not None)
        self._tickets = Tickets(settings.user, settings.password)
        self._no_kerberos: NotCollected | None = None
        self._asked_kdc = False
        self._kdc = asyncio.Lock()
        self._straight: set[Target] = set()
        self._proving: asyncio.Task[AccountProof] | None = None
        self._answers: dict[Hashable, asyncio.Task[Any]] = {}
        self._gates: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._closed = False

    # --- the questions ------------------------------------------------------------------------------------------------

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        """Puts the credential to the test, once. What names say of an unproven credential later shows here too."""
        if self._proving is None:
            self._straight.update(targets)
            self._proving = asyncio.ensure_future(self._prove(targets, schemes))
        await asyncio.shield(self._proving)
        return self._standing.now

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        """One scheme at one place."""
        await self._proved()
        return await self._signed_in(target, at, scheme)

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        """A conversation; what was opened is left, also after an error and when the run is over."""
        await self._proved()
        key = ("mapi", target, endpoint, scheme, mailbox)
        return await self._once(key, target, lambda: self._converse(target, endpoint, scheme, mailbox))

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        """Both channels' echoes."""
        await self._proved()
        return await self._once(("rpc", target, scheme), target, lambda: self._echo(target, scheme))

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        """Autodiscover's question for an address."""
        await self._proved()
        key = ("autodiscover", target, path, address, scheme)
        return await self._once(key, target, lambda: self._discover(target, path, address, scheme))

    async def close(self) -> None:
        """Ends what is under way: sessions are left, within a short grace, then no task and no socket is left."""
        self._closed = True
        tasks = [task for task in (*self._answers.values(), self._proving) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._network.close()
        self._tickets.close()
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _proved(self) -> None:
        """Lets a proof that is under way come first."""
        if self._proving is not None and not self._proving.done():
            await asyncio.wait([self._proving])

    async def _once(
        self, key: Hashable, target: Target, look: Callable[[], Awaitable[T | NotCollected]]
    ) -> T | NotCollected:
        """The answer that the first who asked got, or gets. Who stops waiting does not take it from the others."""
        if self._closed:
            return NotCollected(Reason.INTERRUPTED, f"{shown(target)} was not signed in to: the run is over.")
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(_guarded(target, look))
        return await asyncio.shield(self._answers[key])

    # --- the proof ----------------------------------------------------------------------------------------------------

    async def _prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        possible = [scheme for scheme in schemes if scheme in self._schemes]
        if SignInScheme.NEGOTIATE in possible or not targets:
            async with self._standing.lock:
                await self._ask_kdc(targets[0].host if targets else None)
        last: NotCollected | None = self._no_kerberos
        for target in targets if possible else ():
            if self._standing.is_good or self._standing.stopped is not None:
                break
            answer = await self._signed_in(target, SignInAt.MAILBOX, possible[0])
            if isinstance(answer, NotCollected):
                last = answer
            elif isinstance(answer.answer, NotCollected):
                last = answer.answer
            else:
                last = NotCollected(
                    Reason.SIGN_IN_UNAVAILABLE,
                    f"{shown(target)} answered {answer.answer.status} and did not take {possible[0].value}, so whether"
                    f" the credential of {self._settings.who} is good is not known.",
                )
        self._standing.unproven(
            last
            or NotCollected(
                Reason.SIGN_IN_UNAVAILABLE,
                f"Nobody could be asked whether the credential of {self._settings.who} is good: no server straight, and"
                " no domain controller (KDC).",
            )
        )
        return self._standing.now

    async def _ask_kdc(self, host: str | None) -> None:
        """Puts the credential to the KDC's test, once in a run. Who asks holds the lock of an unproven password."""
        async with self._kdc:
            if self._asked_kdc or self._settings.token is not None:
                return
            if not self._tickets.possible:
                self._asked_kdc = True
                self._no_kerberos = self._why_no_kerberos()
                return
            await self._test_by_kdc(host)

    async def _test_by_kdc(self, host: str | None) -> None:
        by = (principal_of(self._settings.user or "") or "").rpartition("@")[2] or "the domain"
        try:
            realm = await self._aside("the KDC", lambda: self._tickets.obtain(host))
        except TimeoutError:
            # Whether it has the password is not known.
            self._standing.sending()
            self._standing.settle()
            self._no_kerberos = self._hindered(by, Obstacle.NO_KDC)
        except Exception as error:  # noqa: BLE001 - of krb5, gssapi, pyspnego or SSPI, told by their codes
            self._no_kerberos = self._refused_by_kdc(error, host or by, by)
        else:
            if realm is None:
                return
            self._standing.sending()
            self._standing.good(Proof.KDC, realm)
        self._asked_kdc = True

    def _refused_by_kdc(self, error: Exception, server: str, by: str) -> NotCollected | None:
        known = known_obstacle(chain_of(error))
        problem = self._hindered(server, known)
        password = self._settings.password is not None
        match known:
            case Obstacle.WRONG | Obstacle.EXPIRED | Obstacle.LOCKED if password:
                if known is not Obstacle.LOCKED:
                    self._standing.sending()
                words = known.words(self._settings.who, server, _INSTEAD)
                self._standing.rejected(f"The test account is not let in: {words}.", by)
            case Obstacle.NO_SPN:  # the KDC looked at the credential before it looked for the service
                self._standing.sending()
                self._standing.good(Proof.KDC, by)
                return None
        return problem

    def _hindered(self, server: str, known: Obstacle | None) -> NotCollected:
        words = (
            known.words(self._settings.who, server, _INSTEAD)
            if known is not None
            else "the sign-in broke off on this side. Check clock, DNS and Kerberos configuration of this machine"
        )
        return NotCollected(
            Reason.SIGN_IN_FAILED if known in _OF_THE_ACCOUNT else Reason.SIGN_IN_UNAVAILABLE,
            f"{server} cannot be signed in to by Kerberos: {words}.",
        )

    def _why_no_kerberos(self) -> NotCollected:
        if not kerberos_is_here():
            return NotCollected(
                Reason.SIGN_IN_UNAVAILABLE,
                'Kerberos support is not installed: pip install "mapiready[kerberos]" (which needs, on Debian and'
                " Ubuntu: apt install gcc python3-dev libkrb5-dev; on macOS: xcode-select --install).",
            )
        return NotCollected(
            Reason.SIGN_IN_UNAVAILABLE,
            f"No domain controller (KDC) can be asked for {self._settings.who}: write the account as name@DOMAIN.",
        )

    async def _aside(self, what: str, call: Callable[[], T]) -> T:
        from checker.network.aside import aside

        with waiting_for(what):
            return await aside(what, call, _KDC_SECONDS)

    async def _kerberos(
        self, host: str, bindings: GssChannelBindings
    ) -> tuple[ContextProxy, bytes] | NotCollected | None:
        """What Negotiate has to do with at a host; None is NTLM."""
        password = self._settings.password is not None
        await self._ask_kdc(host)
        if self._no_kerberos is not None:
            return None if password else self._no_kerberos
        try:
            return await self._aside(f"Kerberos of HTTP/{host}", lambda: self._tickets.context(host, bindings))
        except TimeoutError:
            return None if password else self._hindered(host, Obstacle.NO_KDC)
        except Exception as error:  # noqa: BLE001 - as above
            known = known_obstacle(chain_of(error))
            falls_to_ntlm = password and known not in _OF_THE_ACCOUNT
            return None if falls_to_ntlm else self._hindered(host, known)

    # --- signing in ---------------------------------------------------------------------------------------------------

    async def _signed_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        return await self._once(("sign-in", target, at, scheme), target, lambda: self._sign_in(target, at, scheme))

    async def _sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        from checker.network.visit import Request

        match at:
            case SignInAt.RPC:
                request = Request("GET", at.value)
            case SignInAt.MAILBOX | SignInAt.ADDRESS_BOOK:
                request = _posted(_session(MapiEndpoint(at.value)).ping(), at.value)
        return await self._ask(target, scheme, request)

    async def _ask(self, target: Target, scheme: SignInScheme, request: Request) -> SignedAnswer | NotCollected:
        async with self._visit(target, scheme) as visit:
            return visit if isinstance(visit, NotCollected) else await self._let_in(visit, target, scheme, request)

    @asynccontextmanager
    async def _visit(self, target: Target, scheme: SignInScheme) -> AsyncIterator[Visit | NotCollected]:
        from checker.network.visit import Credential, Visit

        cannot = self._cannot(scheme)
        resolved = cannot or await self._network.resolve(target)
        if isinstance(resolved, NotCollected):
            yield resolved
            return
        settings = self._settings
        visit = Visit(
            target,
            scheme,
            Credential(
                settings.user,
                settings.password,
                settings.token,
                self._kerberos,
                self._standing.sending,
                self._standing.unsent,
            ),
            resolved=resolved,
            tls=self._tls,
            seconds=settings.timeout,
            limit=settings.body_limit,
        )
        async with visit:
            yield visit

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return verifying(self._settings.trust)

    def _cannot(self, scheme: SignInScheme) -> NotCollected | None:
        """Why the credential is none for a scheme."""
        if scheme not in self._schemes:
            has = "a token" if self._settings.token else "a password" if self._settings.password else "a ticket"
            return NotCollected(
                Reason.SIGN_IN_UNAVAILABLE, f"The test account has {has}, with which {scheme.value} cannot be answered."
            )
        token = self._settings.token
        if token is not None and not _TOKEN.fullmatch(token.reveal()):
            return NotCollected(
                Reason.SIGN_IN_UNAVAILABLE, "The test account's token holds characters that no token has."
            )
        return None

    async def _let_in(
        self, visit: Visit, target: Target, scheme: SignInScheme, request: Request
    ) -> SignedAnswer | NotCollected:
        """The sign-in of a visit, alone as long as it may be the first test of the credential."""
        standing = self._standing
        if not standing.is_good:
            async with standing.lock:
                if not standing.is_good:
                    return standing.stopped or await self._first_test(visit, target, scheme, request)
        async with self._gate(target):
            return await visit.sign_in(request)

    async def _first_test(
        self, visit: Visit, target: Target, scheme: SignInScheme, request: Request
    ) -> SignedAnswer | NotCollected:
        if scheme is SignInScheme.NEGOTIATE:
            await self._ask_kdc(target.host)
            if self._standing.stopped is not None:
                return self._standing.stopped
        try:
            async with self._gate(target):
                answer = await visit.sign_in(request)
            if isinstance(answer, SignedAnswer):
                self._standing.heard(answer, visit.status, visit.head, straight=target in self._straight)
            return answer
        finally:
            self._standing.settle()

    def _gate(self, target: Target) -> asyncio.Semaphore:
        key = (target.via or target.host, target.port)
        return self._gates.setdefault(key, asyncio.Semaphore(self._settings.at_once_per_host))

    # --- the protocols ------------------------------------------------------------------------------------------------

    async def _converse(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        session = _session(endpoint)
        path = endpoint.value + (f"?MailboxId={mailbox.mailbox_id}" if mailbox.mailbox_id else "")
        ping = session.ping()
        async with self._visit(target, scheme) as visit:
            if isinstance(visit, NotCollected):
                return visit
            signed = await self._let_in(visit, target, scheme, _posted(ping, path))
            if isinstance(signed, NotCollected):
                return signed
            requests: list[MapiRequest] = []
            if signed.is_in and isinstance(signed.answer, HttpAnswer):
                session.received(visit.head)
                requests.append(MapiRequest(ping.kind.value, ping.in_session, signed.answer, signed.answer.seconds))
                may_open = mailbox.user_dn is not None or endpoint is MapiEndpoint.ADDRESS_BOOK
                if signed.answer.status == 200 and may_open:
                    async with self._gate(target):
                        await self._in_session(visit, session, path, mailbox.user_dn or "", requests)
        spoken = sum(request.seconds for request in requests)
        rest = tuple(timed for timed in signed.timings if timed.step is not Step.PROTOCOL)
        timings = (*rest, Timed(Step.PROTOCOL, round(spoken, 3))) if requests else signed.timings
        return MapiConversation(target, endpoint, path, signed, tuple(requests), timings)

    async def _in_session(
        self, visit: Visit, session: MapiSession, path: str, user_dn: str, requests: list[MapiRequest]
    ) -> None:
        """Opens a session, uses it once, and leaves it."""
        mailbox = session.endpoint is MapiEndpoint.MAILBOX

        async def say(request: MapiHttpRequest) -> HttpAnswer | NotCollected:
            begun = time.monotonic()
            answer = await visit.ask(_posted(request, path))
            session.received(visit.head)
            seconds = round(time.monotonic() - begun, 3)
            requests.append(MapiRequest(request.kind.value, request.in_session, answer, seconds))
            return answer

        opened = False
        try:
            answer = await say(session.connect(user_dn) if mailbox else session.bind())
            opened = _opened(answer)
            if opened:
                await say(session.ping())
        finally:
            # An opening whose answer never ended may have opened a session all the same: its cookies tell.
            session.received(visit.head)
            if opened or (session.holds_cookies and _may_have_opened(requests)):
                try:
                    async with asyncio.timeout(_GRACE):
                        await say(session.disconnect() if mailbox else session.unbind())
                except TimeoutError:
                    left = NotCollected(Reason.TIMED_OUT, f"The session could not be left within {_GRACE:g} s.")
                    kind = "Disconnect" if mailbox else "Unbind"
                    requests.append(MapiRequest(kind, True, left, _GRACE))

    async def _echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        from checker.network.visit import Request
        from checker.protocols.rpch import Channel, echo_request

        answers = []
        for channel in (Channel.IN, Channel.OUT):
            echo = echo_request(channel)
            answer = await self._ask(target, scheme, Request(echo.method.value, echo.path, echo.headers, echo.body))
            if isinstance(answer, NotCollected):
                return answer
            answers.append(answer)
        return RpcEcho(target, *answers)

    async def _discover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        from checker.network.visit import Request
        from checker.protocols.autodiscover import pox_request

        question = pox_request(address)
        named = {name.casefold() for name, _ in question.headers}
        can = () if "x-clientcanhandle" in named else (("X-ClientCanHandle", "Negotiate,ExHttpInfo"),)
        return await self._ask(target, scheme, Request("POST", path, (*question.headers, *can), question.body))


def _session(endpoint: MapiEndpoint) -> MapiSession:
    from checker.protocols.mapihttp import MapiSession

    return MapiSession(endpoint, session_guid=uuid4(), client_guid=uuid4())


def _posted(request: MapiHttpRequest, path: str) -> Request:
    from checker.network.visit import Request

    return Request("POST", path, request.headers, request.body)


def _opened(answer: HttpAnswer | NotCollected) -> bool:
    return isinstance(answer, HttpAnswer) and answer.status == 200 and answer.first("x-responsecode") in (None, "0")


def _may_have_opened(requests: list[MapiRequest]) -> bool:
    """Whether the opening was not answered to its end: by time-out, by a cut, or because the run is over."""
    return len(requests) == 1 or isinstance(requests[-1].answer, NotCollected)


async def _guarded(target: Target, look: Callable[[], Awaitable[T | NotCollected]]) -> T | NotCollected:
    try:
        return await look()
    except Exception as error:  # noqa: BLE001 - a host's oddity must cost its own answer only
        if (watcher := WATCHER.get()) is not None:
            watcher.failed(shown(target), error)
        # Not its words: they may hold what was sent.
        return NotCollected(
            Reason.GATHERER_FAILED, f"{shown(target)} could not be signed in to: {type(error).__name__}."
        )
