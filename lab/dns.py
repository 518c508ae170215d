"""The organisation's DNS server, on UDP and TCP of one loopback port: every name it knows is 127.0.0.1. SRV
records it has where a scenario says so."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lab.scenario import Name, Resolution, Scenario, Vantage
from lab.web import Listener, listen

__all__ = ["NameServer", "answer", "is_seen", "start_name_server", "zone"]

_TTL = 60
_ATTEMPTS = 20


def zone(scenario: Scenario, vantage: Vantage) -> dict[str, Resolution]:
    """What DNS says of each host, seen from inside or outside. A host that is not in it does not exist."""
    hosts = {name.host.casefold(): name.resolution for name in scenario.names if is_seen(name, vantage)}
    if vantage is not Vantage.OUTSIDE:
        hosts |= {server.fqdn.casefold(): Resolution.ADDRESS for server in scenario.servers}
    return hosts


def is_seen(name: Name, vantage: Vantage) -> bool:
    """Whether DNS at this vantage knows the name."""
    return Vantage.BOTH in (name.vantage, vantage) or name.vantage is vantage


def answer(
    hosts: Mapping[str, Resolution], wire: bytes, services: Mapping[str, tuple[str, int]] | None = None
) -> bytes | None:
    """The answer to a message; None when there is none. `services` are SRV records, by their name."""
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR or len(query.question) != 1:
        return None
    question = query.question[0]
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.AA
    asked = question.name.to_text(omit_final_dot=True).casefold()
    service = (services or {}).get(asked)
    if service is not None:
        if question.rdtype == dns.rdatatype.SRV:
            text = f"0 0 {service[1]} {service[0]}."
            record = dns.rrset.from_text(question.name, _TTL, dns.rdataclass.IN, dns.rdatatype.SRV, text)
            response.answer.append(record)
        return response.to_wire()
    match hosts.get(asked):
        case None | Resolution.NXDOMAIN:
            response.set_rcode(dns.rcode.NXDOMAIN)
        case Resolution.SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        case Resolution.NO_ADDRESS:
            pass
        case Resolution.SILENT:
            return None
        case Resolution.GARBAGE:
            return wire[:2] + b"\xff" * 40
        case Resolution.LOOP:
            name = question.name
            response.answer.append(
                dns.rrset.from_text(name, _TTL, dns.rdataclass.IN, dns.rdatatype.CNAME, name.to_text())
            )
        case Resolution.ADDRESS:
            if question.rdtype == dns.rdatatype.A:
                response.answer.append(
                    dns.rrset.from_text(question.name, _TTL, dns.rdataclass.IN, dns.rdatatype.A, "127.0.0.1")
                )
    return response.to_wire()


@dataclass(frozen=True, slots=True)
class NameServer:
    """A running name server."""

    port: int
    datagrams: asyncio.DatagramTransport
    listener: Listener

    async def stop(self) -> None:
        """Close its sockets."""
        self.datagrams.close()
        await self.listener.stop()


async def start_name_server(
    hosts: Mapping[str, Resolution], services: Mapping[str, tuple[str, int]] | None = None
) -> NameServer:
    """Start a name server on a free port.

    Raises:
        OSError: no port is free for both UDP and TCP.
    """
    loop = asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = answer(hosts, await reader.readexactly(length), services)
                if reply is None:
                    return
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()

    failure = OSError("no free port for DNS")
    for _ in range(_ATTEMPTS):
        listener = listen(connected, tls=None)
        address = ("127.0.0.1", listener.port)
        try:
            datagrams, _protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(hosts, services), local_addr=address
            )
        except OSError as error:
            failure = error
            await listener.stop()
        else:
            return NameServer(listener.port, datagrams, listener)
    raise failure


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, hosts: Mapping[str, Resolution], services: Mapping[str, tuple[str, int]] | None) -> None:
        self._hosts = hosts
        self._services = services
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # By contract a datagram transport; asyncio's own classes do not all say so by inheritance.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str | int, ...]) -> None:
        reply = answer(self._hosts, data, self._services)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, address)
