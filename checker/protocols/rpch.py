"""RPC over HTTP ([MS-RPCH]): the echo, with which a client finds out whether a proxy takes part in the protocol.

EchoRequest, echo_request   RPC_IN_DATA or RPC_OUT_DATA with a small body (2.1.2.1.5)
is_echo                     whether an answer is the echo (2.1.2.1.6): 200, application/rpc, the Echo RTS PDU
rpc_error                   the number in the reason "RPC Error: 6ba" (2.1.2.1.3)
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum

from checker.answers import HttpAnswer

__all__ = ["Channel", "EchoRequest", "echo_request", "is_echo", "rpc_error"]


class Channel(StrEnum):
    """The two methods."""

    IN = "RPC_IN_DATA"
    OUT = "RPC_OUT_DATA"


@dataclass(frozen=True, slots=True)
class EchoRequest:
    """A request to send. `headers` are all but those of HTTP itself (Host, Content-Length, Authorization …)."""

    method: Channel
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


_HEADERS = (
    ("Accept", "application/rpc"),
    ("Cache-Control", "no-cache"),
    ("Connection", "Keep-Alive"),
    ("Pragma", "no-cache"),
    ("User-Agent", "MSRPC"),
)
_ECHO_BODY = b"\0\0\0\0"  # random content, 0 to 16 bytes; a proxy ignores it
_RTS = 20
_WHOLE = 0x03  # PFC_FIRST_FRAG, PFC_LAST_FRAG
_LITTLE_ENDIAN = bytes((0x10, 0, 0, 0))
_FLAG_ECHO = 0x0040
_REASON = re.compile(r"RPC Error: *(?:0x)?([0-9a-f]{1,8})\b", re.IGNORECASE)


def echo_request(channel: Channel, path: str = "/rpc/rpcproxy.dll") -> EchoRequest:
    """The echo request."""
    return EchoRequest(channel, path, _HEADERS, _ECHO_BODY)


def is_echo(answer: HttpAnswer) -> bool:
    """Whether this is the answer of a proxy that speaks the protocol."""
    return answer.status == 200 and is_echo_packet(answer.body)


def is_echo_packet(body: bytes) -> bool:
    """The Echo RTS PDU (2.2.4.48): the header of 20 bytes (2.2.3.6.1), no commands."""
    if len(body) != 20:
        return False
    version, minor, kind, flags, drep, length, auth, call, rts_flags, commands = struct.unpack("<BBBB4sHHIHH", body)
    fixed = (version, kind, flags, drep, length, auth, call, rts_flags, commands)
    return minor in (0, 1) and fixed == (5, _RTS, _WHOLE, _LITTLE_ENDIAN, 20, 0, 0, _FLAG_ECHO, 0)


def rpc_error(answer: HttpAnswer) -> int | None:
    """The error of RPC that a proxy tells in the reason of its status line; None when it tells none."""
    found = _REASON.search(answer.reason[:256])
    return int(found[1], 16) if found else None
