"""Ways to ask a running lab, with libraries that the lab itself does not use for it."""

from __future__ import annotations

import socket
import ssl

import dns.message
import dns.query
import httpx

from lab.organisation import RunningLab


def port_of(lab: RunningLab, host: str, port: int = 443) -> int:
    """Where a host really listens."""
    entries = [entry.rsplit(":", 3) for entry in lab.resolve]
    found = [int(real) for name, nominal, address, real in entries if (name, nominal) == (host, str(port))]
    assert len(found) == 1, f"{host}:{port} is {len(found)} times in {lab.resolve}"
    return found[0]


def ask(
    lab: RunningLab, host: str, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request of a host, on a connection of its own, without verifying."""
    with httpx.Client(verify=False, trust_env=False, timeout=5) as client:
        return client.request(
            method,
            f"https://127.0.0.1:{port_of(lab, host)}{path}",
            headers={"Host": host, **(headers or {})},
            extensions={"sni_hostname": host},
        )


def chain_of(lab: RunningLab, host: str) -> bytes:
    """The leaf that a host is served with, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname=host) as wrapped,
    ):
        leaf = wrapped.getpeercert(True)
    assert leaf is not None
    return leaf


def look_up(lab: RunningLab, host: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    """What the lab's DNS server says."""
    address, _, port = lab.nameserver.partition(":")
    query = dns.message.make_query(host, kind)
    if tcp:
        return dns.query.tcp(query, address, port=int(port), timeout=5)
    return dns.query.udp(query, address, port=int(port), timeout=5)
