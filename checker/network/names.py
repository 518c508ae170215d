"""Reads --resolve HOST:PORT:ADDRESS[:PORT] and --nameserver ADDRESS[:PORT]. Asks nobody."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

from checker.facts.urls import usable_host

__all__ = ["NAMESERVER_PORT", "Resolution", "parse_nameserver", "parse_resolve"]

NAMESERVER_PORT = 53

Resolution: TypeAlias = tuple[tuple[str, int], tuple[str, int | None]]
"""((host, port) as it is used, (address, port) to connect to); without a port, the one that is used."""

_RESOLVE = "must be HOST:PORT:ADDRESS[:PORT], such as mail.contoso.com:443:192.0.2.10 or ex01:443:[2001:db8::10]:8443"
_NAMESERVER = "must be ADDRESS[:PORT], such as 192.0.2.53 or [2001:db8::53]:5353"
_PORT = re.compile(r"[0-9]{1,5}")


def parse_resolve(text: str) -> Resolution:
    """One entry of --resolve. An IPv6 address stands in brackets; without them it must be the last part.

    Raises:
        ValueError: one sentence that says what is wrong with which entry.
    """
    host_text, _, rest = text.strip().partition(":")
    port_text, _, address_text = rest.partition(":")
    host = usable_host(host_text)
    if host is None:
        raise ValueError(f"{_RESOLVE}; {text!r} does not begin with a host name")
    port = _port(port_text)
    if port is None:
        raise ValueError(f"{_RESOLVE}; {text!r} has no port from 1 to 65535 behind the host")
    try:
        return (host, port), _address(address_text)
    except ValueError as error:
        raise ValueError(f"{_RESOLVE}; in {text!r} {error}") from None


def parse_nameserver(text: str) -> tuple[str, int]:
    """The DNS server of --nameserver, with port 53 unless it names another.

    Raises:
        ValueError: one sentence that says what is wrong.
    """
    try:
        address, port = _address(text.strip())
    except ValueError as error:
        raise ValueError(f"{_NAMESERVER}; here {error}") from None
    return address, NAMESERVER_PORT if port is None else port


def _address(text: str) -> tuple[str, int | None]:
    """ADDRESS, ADDRESS:PORT, [ADDRESS6], [ADDRESS6]:PORT, or ADDRESS6 alone."""
    if text.startswith("["):
        inner, bracket, behind = text[1:].partition("]")
        if not bracket or (behind and not behind.startswith(":")):
            raise ValueError("the brackets are not as in [2001:db8::10]:8443")
        return _ip(inner), _port_behind(behind)
    if text.count(":") > 1:
        return _ip(text), None
    address, colon, port = text.partition(":")
    return _ip(address), _port_behind(colon + port)


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address" if text else "the IP address is missing") from None


def _port_behind(text: str) -> int | None:
    if not text:
        return None
    port = _port(text[1:])
    if port is None:
        raise ValueError(f"{text[1:]!r} is not a port from 1 to 65535")
    return port


def _port(text: str) -> int | None:
    return int(text) if _PORT.fullmatch(text) and 1 <= int(text) <= 65535 else None
