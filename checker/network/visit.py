"""One signed-in connection to a target: the sign-in, leg by leg, and the requests behind it.

    Request     what to ask, without the headers of HTTP and of the sign-in
    Credential  what the account has to sign in with
    Visit       one connection, kept for the whole exchange; NTLM is bound to it

The first request goes without any credential, and is repeated with it when it is challenged. Nothing is sent before the
certificate has been verified for the target's host, and nothing but to that host's address.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from checker import __version__
from checker.account import SignedAnswer, SignInScheme, Step, Timed
from checker.answers import Attempt, HttpAnswer, Layer, NotCollected, Reason, Resolved, Target
from checker.facts.party import schemes_of
from checker.network.cleaning import clean, cookie_values
from checker.network.http import BadAnswerError, Channel, Stage
from checker.network.sentences import endpoint, failed, joined, of_request, of_tcp, shown, words_of, worst
from checker.network.tickets import SERVICE
from checker.network.verified import end_point, untrusted
from checker.secrets import Secret
from checker.watching import waiting_for

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

__all__ = ["Credential", "Request", "Visit"]

_MOST_ADDRESSES = 4
_MOST_LEGS = 5
_MOST_SECRET_COOKIE = 8
_BOUND = (SignInScheme.NEGOTIATE, SignInScheme.NTLM)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `headers` are all but those of HTTP itself and of the sign-in."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What the account has. `kerberos` gives a context for a host and its first token, None where NTLM has to do,
    NotCollected where nothing can; `sending` is called when the password or token is about to go out, `unsent` when it
    did not after all; `secrets` must not come back."""

    user: str | None
    password: Secret | None
    token: Secret | None
    kerberos: Callable[[str, GssChannelBindings], Awaitable[tuple[ContextProxy, bytes] | NotCollected | None]]
    sending: Callable[[], None]
    unsent: Callable[[], None]

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(secret.reveal() for secret in (self.password, self.token) if secret is not None)


@dataclass(slots=True)
class _Exchange:
    """What one request and its sign-in came to."""

    legs: list[HttpAnswer] = field(default_factory=list)
    answer: HttpAnswer | NotCollected | None = None
    mechanism: str | None = None
    completed: bool = False
    signing: float = 0.0  # seconds of all but the last request
    last: float = 0.0


class Visit:
    """One connection to a target, at which the account signs in. Use it as a context, which closes the connection."""

    def __init__(
        self,
        target: Target,
        scheme: SignInScheme,
        credential: Credential,
        *,
        resolved: Resolved,
        tls: ssl.SSLContext,
        seconds: float,
        limit: int,
    ) -> None:
        self._target = target
        self._scheme = scheme
        self._credential = credential
        self._resolved = resolved
        self._tls = tls
        self._seconds = seconds
        self._limit = limit
        self._channel: Channel | None = None
        self._address = ""
        self._secrets: set[str] = set(credential.secrets)
        self._signed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._channel is not None:
            await self._channel.__aexit__(kind, error, trace)

    @property
    def head(self) -> tuple[tuple[str, str], ...]:
        """The headers of the last answer as they came, cookies and all, also of an answer that never ended."""
        return self._channel.head if self._channel is not None else ()

    @property
    def status(self) -> int | None:
        """The status of the last answer, also of one that never ended."""
        return self._channel.status if self._channel is not None else None

    async def sign_in(self, request: Request) -> SignedAnswer | NotCollected:
        """The first request. NotCollected says that nothing could be sent, the credential least of all."""
        if not request.path.startswith("/"):
            return _no_path(self._target)
        first = await self._connect(request)
        if isinstance(first, NotCollected):
            return first
        exchange = await self._exchange(request, *first)
        if isinstance(exchange, NotCollected):
            return exchange
        channel = self._open
        self._signed = exchange.completed
        assert exchange.answer is not None
        return SignedAnswer(
            target=self._target,
            path=request.path,
            scheme=self._scheme,
            mechanism=exchange.mechanism,
            completed=exchange.completed,
            bound=exchange.completed and self._scheme in _BOUND,
            connections=channel.opened,
            legs=tuple(self._clean(leg) for leg in exchange.legs),
            answer=self._shown(exchange.answer),
            timings=(
                Timed(Step.RESOLVE, self._resolved.seconds),
                Timed(Step.CONNECT, round(channel.connecting, 3)),
                Timed(Step.TLS, round(channel.shaking, 3)),
                Timed(Step.SIGN_IN, round(exchange.signing, 3)),
                Timed(Step.PROTOCOL, round(exchange.last, 3)),
            ),
        )

    async def ask(self, request: Request) -> HttpAnswer | NotCollected:
        """A further request. Where the server asks who is there (another connection, a server that asks each time), the
        account signs in again, if it did so before."""
        authorization = self._each_time() if self._signed else None
        if authorization is not None:
            self._credential.sending()
        answer = await self._again(request, authorization)
        challenged = isinstance(answer, HttpAnswer) and answer.status == 401
        if not challenged or authorization is not None or not self._signed:
            return self._shown(answer)
        exchange = await self._exchange(request, answer, 0.0)
        if isinstance(exchange, NotCollected):
            return exchange
        assert exchange.answer is not None
        return self._shown(exchange.answer)

    async def _again(self, request: Request, authorization: str | None) -> HttpAnswer | NotCollected:
        """A request on a connection that was used before: the peer may close it just then, and is asked once more."""
        channel = self._open
        before = channel.opened
        answer = await self._leg(request, authorization)
        lost = isinstance(answer, NotCollected) and answer.reason is Reason.RESET
        if lost and channel.opened == before and not channel.received:
            return await self._leg(request, authorization)
        return answer

    # --- the connection -----------------------------------------------------------------------------------------------

    @property
    def _open(self) -> Channel:
        assert self._channel is not None
        return self._channel

    async def _connect(self, request: Request) -> tuple[HttpAnswer | NotCollected, float] | NotCollected:
        """The answer to the request without a credential, from the first address that takes a connection."""
        attempts: list[Attempt] = []
        for written in self._addresses():
            address, port = endpoint(written, self._target.port)
            if self._channel is not None:
                await self._channel.__aexit__(None, None, None)
            self._address = written
            self._channel = Channel(
                self._target.host,
                self._target.port,
                address=address,
                address_port=port,
                tls=self._tls,
                limit=self._limit,
            )
            begun = time.monotonic()
            # An empty Bearer is no credential: Exchange shows OAuth only to clients that show that they know it.
            bearer = "Bearer" if self._scheme is SignInScheme.BEARER else None
            answer = await self._leg(request, bearer)
            if isinstance(answer, HttpAnswer) or self._channel.stage is Stage.HTTP:
                return answer, time.monotonic() - begun - self._channel.connecting - self._channel.shaking
            if answer.layer is None or answer.layer is Layer.TRUST:
                return answer
            attempts.append(Attempt(written, answer))
        return worst(self._target, attempts)

    def _addresses(self) -> tuple[str, ...]:
        several = self._resolved.addresses[:_MOST_ADDRESSES]
        start = self._target.turn % len(several) if several else 0
        return several[start:] + several[:start]

    async def _leg(self, request: Request, authorization: str | None) -> HttpAnswer | NotCollected:
        """One request and its answer, as received."""
        channel = self._open
        what = f"{request.method} {request.path}"
        where = f"{shown(self._target)} ({joined(*endpoint(self._address, self._target.port))})"
        begun = time.monotonic()
        try:
            with waiting_for(f"{what} of {where}, signed in"):
                async with asyncio.timeout(self._seconds):
                    answer = await channel.send(
                        request.method, request.path, _headers(request.headers, authorization), request.body
                    )
        except httpx.InvalidURL:
            return _no_path(self._target)
        except ssl.SSLCertVerificationError as error:
            return untrusted(error, self._target.host, where)
        except (BadAnswerError, OSError) as error:
            return self._failed(error, channel.stage, where, what)
        self._secrets.update(value for value in cookie_values(answer.headers) if len(value) >= _MOST_SECRET_COOKIE)
        return HttpAnswer(
            target=self._target,
            method=request.method,
            path=request.path,
            address=self._address,
            status=answer.status,
            reason=answer.reason,
            http_version=answer.http_version,
            headers=answer.headers,
            body=answer.body,
            truncated=answer.truncated,
            seconds=round(time.monotonic() - begun, 3),
        )

    def _failed(self, error: Exception, stage: Stage, where: str, what: str) -> NotCollected:
        late = isinstance(error, TimeoutError) and error.errno is None
        match stage:
            case Stage.CONNECT if late:
                return failed(Reason.TIMED_OUT, f"{where} did not accept a TCP connection within {self._seconds:g} s.")
            case Stage.CONNECT if isinstance(error, OSError):
                return of_tcp(error, where)
            case Stage.TLS if late:
                return failed(
                    Reason.TIMED_OUT,
                    f"{where} accepts TCP connections, but did not answer the TLS handshake within"
                    f" {self._seconds:g} s.",
                )
            case Stage.TLS if isinstance(error, ssl.SSLError):
                return failed(
                    Reason.TLS_FAILED,
                    f"{where} accepts TCP connections, but does not agree on TLS with what this machine takes for a"
                    f" credential ({error.reason or 'no reason'}).",
                )
            case Stage.TLS if isinstance(error, OSError):
                return failed(
                    Reason.RESET, f"{where} accepts TCP connections, but cut this one during TLS ({words_of(error)})."
                )
        return of_request(error, where, what, self._seconds)

    # --- the sign-in --------------------------------------------------------------------------------------------------

    def _each_time(self) -> str | None:
        """What goes along with every request: these schemes are not bound to the connection."""
        password, token = self._credential.password, self._credential.token
        if self._scheme is SignInScheme.BASIC and password is not None:
            pair = f"{self._credential.user or ''}:{password.reveal()}"
            return self._kept("Basic", b64encode(pair.encode()).decode())
        if self._scheme is SignInScheme.BEARER and token is not None:
            return self._kept("Bearer", token.reveal())
        return None

    def _kept(self, scheme: str, value: str) -> str:
        self._secrets.add(value)
        return f"{scheme} {value}"

    async def _exchange(
        self, request: Request, first: HttpAnswer | NotCollected, seconds: float
    ) -> _Exchange | NotCollected:
        """From the answer without a credential to the last."""
        exchange = _Exchange(answer=first, last=seconds)
        if not isinstance(first, HttpAnswer) or first.status != 401:
            return exchange
        if self._scheme.value.casefold() not in {scheme.casefold() for scheme in schemes_of(first)}:
            return exchange
        if self._scheme in _BOUND:
            return await self._by_tokens(request, exchange)
        authorization = self._each_time()
        if authorization is None:
            return exchange
        await self._last(request, exchange, authorization, counts=True)
        return exchange

    async def _next(self, request: Request, exchange: _Exchange, authorization: str) -> None:
        """One leg more."""
        if isinstance(exchange.answer, HttpAnswer):
            exchange.legs.append(exchange.answer)
        exchange.signing += exchange.last
        begun = time.monotonic()
        exchange.answer = await self._leg(request, authorization)
        exchange.last = time.monotonic() - begun

    async def _last(self, request: Request, exchange: _Exchange, authorization: str, *, counts: bool) -> None:
        """The leg that holds the credential itself. It is out as soon as there is a connection for it, whatever comes
        of it; `counts` is whether it puts the password or token to the test."""
        exchange.completed = True
        if counts:
            self._credential.sending()
        await self._next(request, exchange, authorization)
        if self._open.stage is not Stage.HTTP:
            exchange.completed = False
            if counts:
                self._credential.unsent()

    async def _by_tokens(self, request: Request, exchange: _Exchange) -> _Exchange | NotCollected:
        """Negotiate and NTLM, bound to the certificate of this connection."""
        begun = time.monotonic()
        context = await self._context()
        if isinstance(context, NotCollected):
            return context
        kerberos, spnego, token = context
        exchange.mechanism = "Kerberos" if kerberos else "NTLM"
        exchange.signing += time.monotonic() - begun
        while token and len(exchange.legs) < _MOST_LEGS:
            authorization = self._kept(self._scheme.value, b64encode(token).decode())
            if not exchange.completed and (kerberos or exchange.legs):
                await self._last(request, exchange, authorization, counts=not kerberos)
            else:
                await self._next(request, exchange, authorization)
            answer = exchange.answer
            if not isinstance(answer, HttpAnswer) or answer.status != 401:
                break
            challenge = _token(answer, self._scheme)
            if challenge is None or (exchange.completed and not kerberos):
                break
            token = _step(spnego, challenge)
            if token is None and not exchange.completed:
                exchange.legs.append(answer)
                exchange.answer = NotCollected(
                    Reason.MALFORMED,
                    f"{shown(self._target)} answered the first message of {exchange.mechanism} with one that cannot be"
                    " read.",
                )
        return exchange

    async def _context(self) -> tuple[bool, ContextProxy, bytes | None] | NotCollected:
        """Kerberos where it is possible and the scheme takes it, else NTLM; the first says which, the last is the first
        token."""
        import spnego
        from spnego.channel_bindings import GssChannelBindings

        certificate = self._open.certificate
        assert certificate is not None  # there was an answer over TLS
        bindings = GssChannelBindings(application_data=end_point(certificate))
        if self._scheme is SignInScheme.NEGOTIATE:
            kerberos = await self._credential.kerberos(self._target.host, bindings)
            if kerberos is not None:
                return kerberos if isinstance(kerberos, NotCollected) else (True, *kerberos)
        password = self._credential.password
        if password is None or not self._credential.user:
            return NotCollected(
                Reason.SIGN_IN_UNAVAILABLE, f"{shown(self._target)} can be signed in to by NTLM with a password only."
            )
        # In Negotiate, too, NTLM's messages stand by themselves, as Windows sends them where Kerberos is not possible.
        context = spnego.client(
            self._credential.user,
            password.reveal(),
            hostname=self._target.host,
            service=SERVICE,
            channel_bindings=bindings,
            protocol="ntlm",
        )
        return False, context, _step(context, None)

    # --- what is shown ------------------------------------------------------------------------------------------------

    def _shown(self, answer: HttpAnswer | NotCollected) -> HttpAnswer | NotCollected:
        return self._clean(answer) if isinstance(answer, HttpAnswer) else answer

    def _clean(self, answer: HttpAnswer) -> HttpAnswer:
        return clean(answer, self._secrets)


def _no_path(target: Target) -> NotCollected:
    return NotCollected(Reason.MALFORMED, f"{shown(target)} was not asked: what it was to be asked for is no path.")


def _headers(given: tuple[tuple[str, str], ...], authorization: str | None) -> tuple[tuple[str, str], ...]:
    common = {"User-Agent": f"mapiready/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    named = {name.casefold() for name, _ in given}
    headers = [(name, value) for name, value in common.items() if name.casefold() not in named]
    headers.extend(given)
    if authorization is not None:
        headers.append(("Authorization", authorization))
    return tuple(headers)


def _step(context: ContextProxy, token: bytes | None) -> bytes | None:
    """The next token; None when there is none, or what came cannot be read."""
    try:
        return context.step(token)
    except Exception:  # noqa: BLE001 - whatever hostile bytes make a parser raise
        return None


def _token(answer: HttpAnswer, scheme: SignInScheme) -> bytes | None:
    """The token behind the scheme in a challenge."""
    for value in answer.all("www-authenticate"):
        found = re.search(rf"(?:^|,)\s*{scheme.value}\s+([A-Za-z0-9+/]+={{0,2}})\s*(?:,|$)", value, re.IGNORECASE)
        if found:
            try:
                return b64decode(found[1], validate=True)
            except (BinasciiError, ValueError):
                return None
    return None
