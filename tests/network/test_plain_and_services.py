"""What is asked without TLS (where Outlook looks for a redirect), and SRV records."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from checker.answers import HttpAnswer, Layer, NotCollected, Reason, Services, Target
from checker.network.live import LiveNetwork, NetworkSettings
from tests.network.peers import head, network, peer

NAME = "autodiscover.contoso.test"
HTTP = Target(NAME, 80)
SERVICE = "_autodiscover._tcp.contoso.test"


# --- http -------------------------------------------------------------------------------------------------------------


def test_a_redirect_over_http_is_an_answer_and_no_credential_goes() -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://mail.contoso.test/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def run() -> HttpAnswer | NotCollected:
        async with peer(handler) as here, network(0, resolve={(NAME, 80): ("127.0.0.1", here.port)}) as live:
            first, again = await asyncio.gather(*(live.plain(HTTP, "/autodiscover/autodiscover.xml") for _ in range(2)))
            assert first is again
            return first

    answer = asyncio.run(run())
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.first("location"), answer.method) == (302, "https://mail.contoso.test/", "GET")
    (request,) = seen
    assert request.startswith(b"GET /autodiscover/autodiscover.xml HTTP/1.1\r\n")
    assert f"Host: {NAME}\r\n".encode() in request
    assert b"authorization" not in request.lower()


def test_nobody_listens_on_port_80() -> None:
    async def run() -> HttpAnswer | NotCollected:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            async with network(0, resolve={(NAME, 80): ("127.0.0.1", bound.getsockname()[1])}) as live:
                return await live.plain(HTTP, "/")

    answer = asyncio.run(run())
    assert isinstance(answer, NotCollected)
    assert (answer.reason, answer.layer) == (Reason.REFUSED, Layer.CONNECT)


def test_what_is_no_http_is_malformed() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()

    async def run() -> HttpAnswer | NotCollected:
        async with peer(handler) as here, network(0, resolve={(NAME, 80): ("127.0.0.1", here.port)}) as live:
            return await live.plain(HTTP, "/")

    answer = asyncio.run(run())
    assert isinstance(answer, NotCollected)
    assert answer.reason is Reason.MALFORMED


# --- SRV --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def name_server(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> AsyncIterator[tuple[str, int]]:
    """Answers whatever is asked with these SRV records."""

    class Serving(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, address: tuple[str | int, ...]) -> None:
            query = dns.message.from_wire(data)
            response = dns.message.make_response(query, recursion_available=True)
            response.set_rcode(rcode)
            if records:
                response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "SRV", *records))
            self.transport.sendto(response.to_wire(), address)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Serving, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.close()


def services(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> Services | NotCollected:
    async def run() -> Services | NotCollected:
        async with name_server(*records, rcode=rcode) as server:
            live = LiveNetwork(NetworkSettings(nameserver=server, timeout=3))
            try:
                return await live.services(SERVICE)
            finally:
                await live.close()

    return asyncio.run(run())


def test_services_come_best_first() -> None:
    found = services(
        "20 0 443 backup.contoso.test.", "10 5 443 second.contoso.test.", "10 60 8443 Mail.Contoso.test.", "5 0 443 ."
    )
    assert isinstance(found, Services)
    assert found.name == SERVICE
    assert found.targets == (
        ("mail.contoso.test", 8443),
        ("second.contoso.test", 443),
        ("backup.contoso.test", 443),
    )


@pytest.mark.parametrize(
    ("records", "rcode", "reason"),
    [
        ((), dns.rcode.NXDOMAIN, Reason.NOT_RESOLVED),
        ((), dns.rcode.NOERROR, Reason.NOT_RESOLVED),
        (("0 0 0 .",), dns.rcode.NOERROR, Reason.NOT_RESOLVED),  # "there is no such service", RFC 2782
        ((), dns.rcode.SERVFAIL, Reason.OTHER),
    ],
)
def test_no_services_and_not_known(records: tuple[str, ...], rcode: dns.rcode.Rcode, reason: Reason) -> None:
    found = services(*records, rcode=rcode)
    assert isinstance(found, NotCollected)
    assert (found.reason, found.layer) == (reason, Layer.RESOLVE)
    assert SERVICE in found.sentence


def test_a_silent_name_server_says_nothing_of_the_name() -> None:
    async def run(server: tuple[str, int]) -> Services | NotCollected:
        live = LiveNetwork(NetworkSettings(nameserver=server, timeout=0.5))
        try:
            return await live.services(SERVICE)
        finally:
            await live.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        found = asyncio.run(run(bound.getsockname()))
    assert isinstance(found, NotCollected)
    assert (found.reason, found.layer) == (Reason.TIMED_OUT, Layer.RESOLVE)
