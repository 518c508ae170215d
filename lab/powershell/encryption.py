"""WinRM message encryption ([MS-WSMV] 2.2.9.1): a sealed envelope inside multipart/encrypted. No I/O.

The answers carry a space between the two dashes and the boundary, as those of Exchange do.
"""

from __future__ import annotations

import re
import struct
from typing import Any

__all__ = ["EncryptionError", "is_sealed", "seal", "unseal"]

_BOUNDARY = "Encrypted Boundary"
_PART = b"\tContent-Type: application/octet-stream\r\n"


class EncryptionError(Exception):
    """What arrived cannot be opened."""


def is_sealed(content_type: str) -> bool:
    """Whether a body of this type is sealed."""
    return content_type.casefold().startswith("multipart/encrypted")


def unseal(body: bytes, content_type: str, context: Any) -> tuple[bytes, str]:
    """The envelope inside, and the protocol that sealed it; `context` is a spnego context.

    Raises:
        EncryptionError: the framing is not WinRM's.
        SpnegoError: the seal is broken.
    """
    boundary = re.search(r'boundary="([^"]+)"', content_type)
    protocol = re.search(r'protocol="([^"]+)"', content_type)
    _, found, rest = body.partition(_PART)
    if boundary is None or protocol is None or not found or len(rest) < 4:
        raise EncryptionError("the body is not WinRM's multipart/encrypted")
    sealed = rest[: rest.rfind(b"--" + boundary[1].encode() + b"--")]
    (size,) = struct.unpack("<i", sealed[:4])
    if not 0 <= size <= len(sealed) - 4:
        raise EncryptionError("the length of the signature is wrong")
    return context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :]), protocol[1]


def seal(envelope: bytes, protocol: str, context: Any) -> tuple[bytes, str]:
    """The body that carries the envelope sealed, and its content type."""
    signature, sealed, padding = context.wrap_winrm(envelope)
    head = (
        f"-- {_BOUNDARY}\r\n"
        f"\tContent-Type: {protocol}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(envelope) + padding}\r\n"
        f"-- {_BOUNDARY}\r\n"
    )
    body = head.encode() + _PART + struct.pack("<i", len(signature)) + signature + sealed
    content_type = f'multipart/encrypted;protocol="{protocol}";boundary="{_BOUNDARY}"'
    return body + f"-- {_BOUNDARY}--\r\n".encode(), content_type
