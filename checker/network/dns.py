"""Asks for the addresses of a host and for SRV records: a given DNS server, or the system's own resolver."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass

from checker.answers import Layer, NotCollected, Reason
from checker.facts.urls import usable_host

__all__ = ["ask_for_services", "ask_name_server", "ask_system", "not_resolved"]

# What getaddrinfo says of a name that does not exist or has no address. Windows has numbers of its own
# (WSAHOST_NOT_FOUND, WSANO_DATA), glibc two that other systems lack (EAI_NODATA, EAI_ADDRFAMILY).
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, 11001, 11004, -5, -9, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


def not_resolved(host: str, why: str) -> NotCollected:
    """The name has no address."""
    return NotCollected(Reason.NOT_RESOLVED, f"{host} {why}.", Layer.RESOLVE)


def _not_asked(reason: Reason, host: str, why: str) -> NotCollected:
    return NotCollected(reason, f"DNS could not be asked for {host}: {why}.", Layer.RESOLVE)


# --- a DNS server -----------------------------------------------------------------------------------------------------


async def ask_name_server(host: str, server: tuple[str, int], seconds: float) -> tuple[str, ...] | NotCollected:
    """The A and AAAA records of a host, from one DNS server."""
    import dns.asyncresolver

    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [server[0]]
    resolver.port = server[1]
    resolver.lifetime = seconds
    results = await asyncio.gather(_records(resolver, host, "A"), _records(resolver, host, "AAAA"))
    addresses = [address for result in results if isinstance(result, tuple) for address in result]
    if addresses:
        return tuple(dict.fromkeys(addresses))
    problems = [result for result in results if isinstance(result, NotCollected)]
    gone = [problem for problem in problems if problem.reason is Reason.NOT_RESOLVED]
    if problems:
        return (gone or problems)[0]
    return not_resolved(host, f"has no address, says the DNS server {server[0]}")


async def _records(resolver: object, host: str, kind: str) -> tuple[str, ...] | NotCollected:
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    assert isinstance(resolver, dns.asyncresolver.Resolver)
    server = resolver.nameservers[0]
    try:
        answer = await resolver.resolve(f"{host}.", kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return not_resolved(host, f"does not exist, says the DNS server {server}")
    except dns.exception.Timeout:
        return _not_asked(Reason.TIMED_OUT, host, f"{server} did not answer within {resolver.lifetime:g} s")
    except dns.resolver.NoNameservers:
        return _not_asked(Reason.OTHER, host, f"{server} answered with an error (SERVFAIL, REFUSED or the like)")
    except (dns.exception.DNSException, OSError) as error:
        return _not_asked(Reason.OTHER, host, f"{server}: {type(error).__name__}")
    return tuple(str(record.address) for record in answer.rrset or ())


async def ask_for_services(
    name: str, server: tuple[str, int] | None, seconds: float
) -> tuple[tuple[str, int], ...] | NotCollected:
    """The SRV records of a name (RFC 2782), best first, from one DNS server or those that this machine is set to.

    A target of "." says that there is no such service; one that is no host name is left out.
    """
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.asyncresolver.Resolver(configure=server is None)
    except (dns.exception.DNSException, OSError):
        return NotCollected(
            Reason.NOT_SUPPORTED_HERE,
            f"The SRV records of {name} could not be asked for: which DNS servers this machine uses is not known; give"
            " one with --nameserver.",
            Layer.RESOLVE,
        )
    if server is not None:
        resolver.nameservers, resolver.port = [server[0]], server[1]
    resolver.lifetime = seconds
    asked = f"the DNS server {server[0]}" if server is not None else "this machine's DNS server"
    try:
        answer = await resolver.resolve(f"{name}.", "SRV", raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return not_resolved(name, f"does not exist, says {asked}")
    except dns.exception.Timeout:
        return _not_asked(Reason.TIMED_OUT, name, f"{asked} did not answer within {seconds:g} s")
    except dns.resolver.NoNameservers:
        return _not_asked(Reason.OTHER, name, f"{asked} answered with an error (SERVFAIL, REFUSED or the like)")
    except (dns.exception.DNSException, OSError) as error:
        return _not_asked(Reason.OTHER, name, f"{asked}: {type(error).__name__}")
    records = sorted(answer.rrset or (), key=lambda record: (record.priority, -record.weight))
    hosts = [(usable_host(str(record.target).removesuffix(".")), int(record.port)) for record in records]
    found = tuple((host, port) for host, port in hosts if host is not None and port)
    return tuple(dict.fromkeys(found)) or not_resolved(name, f"has no SRV record with a host, says {asked}")


# --- the system's resolver --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Question:
    """Handed to a thread and back."""

    host: str
    addresses: tuple[str, ...] = ()
    error: OSError | UnicodeError | None = None


async def ask_system(host: str, seconds: float) -> tuple[str, ...] | NotCollected:
    """What the programs of this machine are told (hosts file, search suffixes and all).

    The call cannot be cancelled, so it runs in a daemon thread that nobody waits for at exit; the threads of the
    default executor would be waited for.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[_Question] = loop.create_future()
    question = _Question(host)

    def tell() -> None:
        if not answered.done():
            answered.set_result(question)

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            question.addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            question.error = error
        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:
            return  # The loop is closed: nobody waits for this any more.

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await answered
    except TimeoutError:
        return _not_asked(Reason.TIMED_OUT, host, f"this machine's resolver did not answer within {seconds:g} s")
    error = question.error
    if isinstance(error, UnicodeError):
        return not_resolved(host, "is no name that DNS can hold")
    if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
        return not_resolved(host, "does not exist or has no address, says this machine's resolver")
    if error is not None:
        return _not_asked(Reason.OTHER, host, f"this machine's resolver failed ({error.strerror or error})")
    return question.addresses or not_resolved(host, "has no address, says this machine's resolver")
