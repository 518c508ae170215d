"""The live Network: asks DNS, shakes hands, gets pages; each of them once, however many ask at the same time.

resolve     given addresses (--resolve), else the DNS server of --nameserver, else the system's resolver
handshake   resolve, then TCP and TLS to one address after the other until one works
offers      handshake, then another one for each version that this did not tell
get         handshake, then one request on a connection of its own, to the address that worked
autodiscover
            the same with the one POST that there is
plain       resolve, then one request over http, without TLS
services    the SRV records of a name

Every exception of a library ends here and becomes a NotCollected with a sentence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from checker import __version__
from checker.answers import (
    Attempt,
    Handshake,
    HttpAnswer,
    NotCollected,
    Offer,
    Reason,
    Resolved,
    Services,
    Target,
    TlsVersion,
)
from checker.network.dns import ask_for_services, ask_name_server, ask_system
from checker.network.sentences import (
    endpoint,
    failed,
    is_address,
    joined,
    of_request,
    of_tcp,
    of_tls,
    reason_of,
    shown,
    words_of,
    worst,
)
from checker.network.tls import HandshakeError, Problem, TlsClient, speaks
from checker.watching import WATCHER, waiting_for

__all__ = ["LiveNetwork", "NetworkSettings"]

T = TypeVar("T")

_MOST_ADDRESSES = 4
_CHUNK = 1 << 14
_FAREWELL = 0.3
_TURNS_TO_CLOSE = 4
"""Turns of the loop in which transports that were cut close their sockets."""
_AUTODISCOVER = "/autodiscover/autodiscover.xml"
_AUTODISCOVER_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>mapiready@{host}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)
"""[MS-OXDSCLI] 2.2.3. The address is nobody's: what is asked is who answers, and how."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """`timeout` is seconds for each step (a DNS question, a TCP connection, a TLS handshake, a request as a whole).

    `resolve` maps (host, port) to the address, and another port if there is one, that the user gave. At most
    `at_once` looks are under way, at most `at_once_per_host` of them at one host. Of a body, `body_limit` bytes count.
    """

    resolve: Mapping[tuple[str, int], tuple[str, int | None]] = field(default_factory=dict)
    nameserver: tuple[str, int] | None = None
    timeout: float = 30.0
    at_once: int = 64
    at_once_per_host: int = 4
    body_limit: int = 64 * 1024


class LiveNetwork:
    """`checker.answers.Network` over real sockets. `close` it inside the loop in which it was used.

    `able` tells which versions of TLS this machine can speak.
    """

    def __init__(self, settings: NetworkSettings, able: Callable[[TlsVersion], bool] = speaks) -> None:
        self._settings = settings
        self._able = able
        self._answers: dict[Hashable, asyncio.Task[Any]] = {}
        self._at_once = asyncio.Semaphore(settings.at_once)
        self._per_host: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._closed = False

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        """The addresses of a host."""
        return await self._once(("resolve", target), target, lambda: self._resolve(target))

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        """The first address with which TCP and TLS work."""
        return await self._once(("handshake", target), target, lambda: self._shake_hands(target))

    async def offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:
        """Whether a version of TLS is accepted.

        The handshake with all versions ends in the newest that both sides have, so only older ones are asked for.
        """
        return await self._once(("offers", target, version), target, lambda: self._offers(target, version))

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """The answer to GET. After a good handshake a failure has no layer: it is the endpoint's answer.

        A 401 that names no scheme is asked for once more with an empty Bearer, which is no credential: Exchange shows
        OAuth only to clients that show that they know it.
        """
        return await self._once(("GET", target, path), target, lambda: self._get(target, path))

    async def autodiscover(self, target: Target) -> HttpAnswer | NotCollected:
        """The answer to Autodiscover's POST."""
        return await self._once(("POST", target), target, lambda: self._autodiscover(target))

    async def plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        """The answer to GET over http."""
        return await self._once(("plain", target, path), target, lambda: self._plain(target, path))

    async def services(self, name: str) -> Services | NotCollected:
        """The SRV records of a name, from the DNS server that is given or those of this machine."""
        return await self._once(("services", name), Target(name), lambda: self._services(name))

    async def close(self) -> None:
        """Ends what is under way, and waits until no task and no socket is left."""
        self._closed = True
        tasks = [task for task in self._answers.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _once(
        self, key: Hashable, target: Target, look: Callable[[], Awaitable[T | NotCollected]]
    ) -> T | NotCollected:
        """The answer that the first who asked got, or gets. Who stops waiting does not take it from the others."""
        if self._closed:
            return NotCollected(Reason.INTERRUPTED, f"{shown(target)} was not looked at: the run is over.")
        if key not in self._answers:
            self._answers[key] = asyncio.ensure_future(_guarded(target, look))
        return await asyncio.shield(self._answers[key])

    def _gate(self, target: Target) -> asyncio.Semaphore:
        key = (target.via or target.host, target.port)
        return self._per_host.setdefault(key, asyncio.Semaphore(self._settings.at_once_per_host))

    # --- DNS ----------------------------------------------------------------------------------------------------------

    async def _resolve(self, target: Target) -> Resolved | NotCollected:
        if target.via is not None or target.turn:
            found_once = await self.resolve(Target(target.via or target.host, target.port))
            return replace(found_once, target=target) if isinstance(found_once, Resolved) else found_once
        given = self._settings.resolve.get((target.host, target.port))
        if given is not None:
            address, port = given
            return Resolved(target, (address if port is None else f"{address}#{port}",), given=True, seconds=0.0)
        if is_address(target.host):
            return Resolved(target, (target.host,), given=False, seconds=0.0)
        begun = time.monotonic()
        async with self._at_once:
            with waiting_for(f"DNS of {target.host}"):
                if self._settings.nameserver is None:
                    found = await ask_system(target.host, self._settings.timeout)
                else:
                    found = await ask_name_server(target.host, self._settings.nameserver, self._settings.timeout)
        if isinstance(found, NotCollected):
            return found
        return Resolved(target, found, given=False, seconds=round(time.monotonic() - begun, 3))

    async def _services(self, name: str) -> Services | NotCollected:
        begun = time.monotonic()
        async with self._at_once:
            with waiting_for(f"SRV records of {name}"):
                found = await ask_for_services(name, self._settings.nameserver, self._settings.timeout)
        if isinstance(found, NotCollected):
            return found
        return Services(name, found, seconds=round(time.monotonic() - begun, 3))

    # --- TCP and TLS --------------------------------------------------------------------------------------------------

    async def _shake_hands(self, target: Target) -> Handshake | NotCollected:
        resolved = await self.resolve(target)
        if isinstance(resolved, NotCollected):
            return resolved
        attempts: list[Attempt] = []
        for address in resolved.addresses[:_MOST_ADDRESSES]:
            begun = time.monotonic()
            async with self._gate(target), self._at_once:
                client = await self._shake_hands_with(target, address)
            if isinstance(client, TlsClient):
                return Handshake(
                    target=target,
                    address=address,
                    version=client.version,
                    cipher=client.cipher,
                    certificates=client.certificates,
                    attempts=(*attempts, Attempt(address, None)),
                    seconds=round(time.monotonic() - begun, 3),
                )
            attempts.append(Attempt(address, client))
        return worst(target, attempts)

    async def _shake_hands_with(self, target: Target, written: str) -> TlsClient | NotCollected:
        opened = await self._open(target, written)
        if isinstance(opened, NotCollected):
            return opened
        where, seconds = self._where(target, written), self._settings.timeout
        client = _client(target, None)
        try:
            with waiting_for(f"TLS of {where}"):
                async with asyncio.timeout(seconds):
                    await _tls(client, *opened)
        except HandshakeError as error:
            return of_tls(error, where)
        except TimeoutError:
            return failed(
                Reason.TIMED_OUT,
                f"{where} accepts TCP connections, but did not answer the TLS handshake within {seconds:g} s.",
            )
        except EOFError:
            return failed(Reason.RESET, f"{where} accepts TCP connections, but closed this one during TLS.")
        except OSError as error:
            reason = reason_of(error)
            return failed(reason, f"{where} accepts TCP connections, but cut this one during TLS ({words_of(error)}).")
        finally:
            opened[1].transport.abort()
        return client

    async def _open(
        self, target: Target, written: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | NotCollected:
        address, port = endpoint(written, target.port)
        where, seconds = self._where(target, written), self._settings.timeout
        try:
            with waiting_for(f"TCP of {where}"):
                async with asyncio.timeout(seconds):
                    return await asyncio.open_connection(address, port, limit=_CHUNK)
        except OSError as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                return failed(Reason.TIMED_OUT, f"{where} did not accept a TCP connection within {seconds:g} s.")
            return of_tcp(error, where)

    @staticmethod
    def _where(target: Target, written: str) -> str:
        return f"{shown(target)} ({joined(*endpoint(written, target.port))})"

    async def _offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:
        if not self._able(version):
            return NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"This machine's TLS library cannot speak {version.label}, so whether {shown(target)} accepts it is"
                " not known; look from a machine whose library can.",
            )
        handshake = await self.handshake(target)
        if isinstance(handshake, NotCollected):
            return handshake
        order = [one.value for one in TlsVersion]
        if handshake.version == version.value:
            return Offer(target, version, True, handshake.cipher)
        if handshake.version in order[: order.index(version.value)]:
            return Offer(target, version, False, f"chose {TlsVersion(handshake.version).label} when offered newer ones")
        async with self._gate(target), self._at_once:
            return await self._offered_alone(target, version, handshake.address)

    async def _offered_alone(self, target: Target, version: TlsVersion, written: str) -> Offer | NotCollected:
        """One version alone, where another one works: an alert or a cut connection is the server's refusal then."""
        opened = await self._open(target, written)
        if isinstance(opened, NotCollected):
            return opened
        client = _client(target, version)
        try:
            with waiting_for(f"{version.label} of {self._where(target, written)}"):
                async with asyncio.timeout(self._settings.timeout):
                    await _tls(client, *opened)
        except HandshakeError as error:
            return _refused(target, version, client, error, self._where(target, written))
        except TimeoutError:
            return failed(
                Reason.TIMED_OUT,
                f"{self._where(target, written)} did not answer a TLS handshake with {version.label} alone in"
                f" {self._settings.timeout:g} s.",
            )
        except (EOFError, ConnectionError):
            return Offer(target, version, False, "closed the connection")
        finally:
            opened[1].transport.abort()
        return Offer(target, version, True, client.cipher)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def _get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        address = await self._address(target)
        if isinstance(address, NotCollected):
            return address
        async with self._gate(target), self._at_once:
            answer = await self._ask(target, path, address, ())
            if isinstance(answer, HttpAnswer) and answer.status == 401 and not answer.all("www-authenticate"):
                again = await self._ask(target, path, address, (("Authorization", "Bearer"),))
                if isinstance(again, HttpAnswer) and again.status == 401 and again.all("www-authenticate"):
                    return again
        return answer

    async def _autodiscover(self, target: Target) -> HttpAnswer | NotCollected:
        address = await self._address(target)
        if isinstance(address, NotCollected):
            return address
        body = _AUTODISCOVER_REQUEST.format(host=target.host).encode("ascii")
        async with self._gate(target), self._at_once:
            return await self._ask(target, _AUTODISCOVER, address, (("Content-Type", "text/xml"),), body)

    async def _plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        resolved = await self.resolve(target)
        if isinstance(resolved, NotCollected):
            return resolved
        attempts: list[Attempt] = []
        for address in resolved.addresses[:_MOST_ADDRESSES]:
            async with self._gate(target), self._at_once:
                opened = await self._open(target, address)
                if not isinstance(opened, NotCollected):
                    opened[1].transport.abort()
                    return await self._ask(target, path, address, (), tls=False)
            attempts.append(Attempt(address, opened))
        return worst(target, attempts)

    async def _address(self, target: Target) -> str | NotCollected:
        """The address that answered the handshake; for a further turn the next one, where the host has several."""
        if target.turn:
            resolved = await self.resolve(target)
            if isinstance(resolved, NotCollected):
                return resolved
            several = resolved.addresses[:_MOST_ADDRESSES]
            return several[target.turn % len(several)]
        handshake = await self.handshake(target)
        return handshake if isinstance(handshake, NotCollected) else handshake.address

    async def _ask(
        self,
        target: Target,
        path: str,
        written: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None = None,
        *,
        tls: bool = True,
    ) -> HttpAnswer | NotCollected:
        from checker.network.http import BadAnswerError, fetch

        address, port = endpoint(written, target.port)
        seconds = self._settings.timeout
        where = self._where(target, written)
        method = "GET" if body is None else "POST"
        common = (("User-Agent", f"mapiready/{__version__}"), ("Accept", "*/*"), ("Accept-Encoding", "gzip"))
        begun = time.monotonic()
        try:
            with waiting_for(f"{method} {path} of {where}"):
                async with asyncio.timeout(seconds):
                    answer = await fetch(
                        target.host,
                        target.port,
                        path,
                        address=address,
                        address_port=port,
                        headers=(*common, *headers),
                        limit=self._settings.body_limit,
                        body=body,
                        tls=tls,
                    )
        except (BadAnswerError, OSError) as error:
            return of_request(error, where, f"{method} {path}", seconds)
        return HttpAnswer(
            target=target,
            method=method,
            path=path,
            address=written,
            status=answer.status,
            reason=answer.reason,
            http_version=answer.http_version,
            headers=answer.headers,
            body=answer.body,
            truncated=answer.truncated,
            seconds=round(time.monotonic() - begun, 3),
        )


async def _guarded(target: Target, look: Callable[[], Awaitable[T | NotCollected]]) -> T | NotCollected:
    try:
        return await look()
    except Exception as error:  # noqa: BLE001 - a host's oddity must cost its own answer only
        if (watcher := WATCHER.get()) is not None:
            watcher.failed(shown(target), error)
        return NotCollected(
            Reason.GATHERER_FAILED, f"{shown(target)} could not be looked at: {type(error).__name__}: {error}."
        )


def _client(target: Target, only: TlsVersion | None) -> TlsClient:
    return TlsClient(None if is_address(target.host) else target.host, only)


async def _tls(client: TlsClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.start())
    while not client.done:
        data = await reader.read(_CHUNK)
        if not data:
            raise EOFError
        writer.write(client.receive(data))
        await writer.drain()
    writer.write(client.end())
    writer.write_eof()
    with suppress(TimeoutError, OSError):
        # What the server still sends (session tickets) is taken in, or closing would be a reset in its log.
        async with asyncio.timeout(_FAREWELL):
            while await reader.read(_CHUNK):
                pass


def _refused(
    target: Target, version: TlsVersion, client: TlsClient, error: HandshakeError, where: str
) -> Offer | NotCollected:
    """What a failed handshake with one version alone says of the server, if anything."""
    if error.problem is Problem.ALERT:
        return Offer(target, version, False, f"alert {error.detail}")
    if client.chosen is version:
        # The server goes along; what failed then is this side's, or another question.
        return Offer(target, version, True, error.detail)
    if client.chosen is not None:
        return Offer(target, version, False, f"chose {client.chosen.label} when offered {version.label} alone")
    return NotCollected(
        Reason.NOT_SUPPORTED_HERE,
        f"Whether {where} accepts {version.label} is not known: this machine could not go on ({error.detail}).",
    )
