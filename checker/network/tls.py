"""The client's side of a TLS handshake that verifies nothing and wants to see everything. Bytes in, bytes out; no I/O.

OpenSSL by pyOpenSSL, because the ssl module of Python before 3.13 does not show the chain as it was sent.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from OpenSSL import SSL

__all__ = ["HandshakeError", "Problem", "TlsClient"]

_READ = 1 << 16
_ALERT = 0x15
_RECORD_TYPES = range(0x14, 0x18)  # RFC 8446, 5.1
_RECORD_HEADER = 5
_ALERTS = {
    10: "unexpected_message",
    40: "handshake_failure",
    47: "illegal_parameter",
    50: "decode_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}


class Problem(Enum):
    """What a failed handshake failed on."""

    PLAIN_HTTP = "plain-http"
    NOT_TLS = "not-tls"
    ALERT = "alert"  # the server refused
    FAILED = "failed"  # this side could not go on


class HandshakeError(Exception):
    """The handshake failed. `detail` is the name of an alert, or the library's word; it is data, never matched on."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(f"{problem.value}: {detail}")
        self.problem = problem
        self.detail = detail


class TlsClient:
    """One handshake: `start`, then `receive` what comes, until `done`. Both give the bytes to send.

    After that `version`, `cipher` and `certificates` (DER, as sent, leaf first) say what was agreed; `end` gives the
    farewell.
    """

    def __init__(self, server_name: str | None) -> None:
        from OpenSSL import SSL

        self._connection = SSL.Connection(_context(), None)
        if server_name is not None:
            self._connection.set_tlsext_host_name(server_name.encode("ascii"))
        self._connection.set_connect_state()
        self._first = b""
        self.done = False

    def start(self) -> bytes:
        """The ClientHello."""
        return self._go_on()

    def receive(self, data: bytes) -> bytes:
        """Takes in what the server sent.

        Raises:
            HandshakeError: there will be no connection.
        """
        if len(self._first) < _RECORD_HEADER + 2:
            self._first += data[: _RECORD_HEADER + 2]
            if self._first.startswith(b"HTTP/"):
                raise HandshakeError(Problem.PLAIN_HTTP, "HTTP")
            if self._first[0] not in _RECORD_TYPES and len(self._first) >= _RECORD_HEADER:
                raise HandshakeError(Problem.NOT_TLS, self._first[:_RECORD_HEADER].hex(" "))
        self._connection.bio_write(data)
        return self._go_on()

    def end(self) -> bytes:
        """The close_notify alert."""
        from OpenSSL import SSL

        try:
            self._connection.shutdown()
        except SSL.Error:
            return b""
        return self._to_send()

    @property
    def version(self) -> str:
        return str(self._connection.get_protocol_version_name())

    @property
    def cipher(self) -> str:
        return self._connection.get_cipher_name() or "none"

    @property
    def certificates(self) -> tuple[bytes, ...]:
        from OpenSSL import crypto

        chain = self._connection.get_peer_cert_chain() or []
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain)

    def _go_on(self) -> bytes:
        from OpenSSL import SSL

        try:
            self._connection.do_handshake()
            self.done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            raise self._explained(error) from error
        return self._to_send()

    def _explained(self, error: SSL.Error) -> HandshakeError:
        if self._first[:1] == bytes((_ALERT,)) and len(self._first) >= _RECORD_HEADER + 2:
            number = self._first[_RECORD_HEADER + 1]
            return HandshakeError(Problem.ALERT, _ALERTS.get(number, f"number {number}"))
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        reasons = [str(entry[-1]) for entry in queue if entry and entry[-1]]
        return HandshakeError(Problem.FAILED, "; ".join(reasons[:3]) or type(error).__name__)

    def _to_send(self) -> bytes:
        from OpenSSL import SSL

        chunks = []
        while True:
            try:
                chunks.append(self._connection.bio_read(_READ))
            except SSL.WantReadError:
                return b"".join(chunks)


@cache
def _context() -> SSL.Context:
    """Takes part in whatever a server can do from TLS 1.0 on: how good that is, others judge."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    context.set_verify(SSL.VERIFY_NONE, lambda *_arguments: True)
    return context
