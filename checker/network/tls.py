"""The client's side of a TLS handshake that verifies nothing and wants to see everything. Bytes in, bytes out; no I/O.

`speaks` tells which versions of TLS this machine's library can speak at all.

OpenSSL by pyOpenSSL, because the ssl module of Python before 3.13 does not show the chain as it was sent.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING

from checker.answers import TlsVersion

if TYPE_CHECKING:
    from OpenSSL import SSL

__all__ = ["HandshakeError", "Problem", "TlsClient", "speaks"]

_READ = 1 << 16
_ALERT = 0x15
_RECORD_TYPES = range(0x14, 0x18)  # RFC 8446, 5.1
_RECORD_HEADER = 5
_HANDSHAKE = 0x16
_SERVER_HELLO = 0x02
_CHOICE = slice(9, 11)  # of a ServerHello: behind the record's header, the kind of message and its length
_CHOICES = {b"\x03\x01": TlsVersion.TLS_1_0, b"\x03\x02": TlsVersion.TLS_1_1, b"\x03\x03": TlsVersion.TLS_1_2}
_MOST_FLIGHTS = 10
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
    farewell. `only` leaves one version to agree on.
    """

    def __init__(self, server_name: str | None, only: TlsVersion | None = None) -> None:
        from OpenSSL import SSL

        self._connection = SSL.Connection(_context(only), None)
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
        if len(self._first) < _CHOICE.stop:
            self._first += data[: _CHOICE.stop - len(self._first)]
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
    def chosen(self) -> TlsVersion | None:
        """What the server wants to speak, also where this side did not go on then; None when it did not say.

        From TLS 1.3 on a ServerHello says so elsewhere, and 1.2 here (RFC 8446, 4.1.3).
        """
        if self._first[:1] != bytes((_HANDSHAKE,)) or self._first[_RECORD_HEADER:][:1] != bytes((_SERVER_HELLO,)):
            return None
        return _CHOICES.get(self._first[_CHOICE])

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
            self.done = False
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
def _context(only: TlsVersion | None) -> SSL.Context:
    """Takes part in whatever a server can do from TLS 1.0 on: how good that is, others judge."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    _allow(context, only)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    context.set_verify(SSL.VERIFY_NONE, lambda *_arguments: True)
    return context


def _allow(context: SSL.Context, only: TlsVersion | None) -> None:
    """One version, or all of them, whatever the policy of this machine says of old ones."""
    from OpenSSL import SSL

    numbers = {
        TlsVersion.TLS_1_0: SSL.TLS1_VERSION,
        TlsVersion.TLS_1_1: SSL.TLS1_1_VERSION,
        TlsVersion.TLS_1_2: SSL.TLS1_2_VERSION,
        TlsVersion.TLS_1_3: SSL.TLS1_3_VERSION,
    }
    context.set_min_proto_version(SSL.TLS1_VERSION if only is None else numbers[only])
    if only is not None:
        context.set_max_proto_version(numbers[only])
    context.set_cipher_list(b"ALL:@SECLEVEL=0")


# --- this machine -----------------------------------------------------------------------------------------------------


@cache
def speaks(version: TlsVersion) -> bool:
    """Whether the library of this machine can speak a version: it is tried once, against itself, in memory.

    Systems switch old versions off where SECLEVEL does not reach (a build without them, a policy, FIPS). What the
    library refuses by itself says nothing of a server.
    """
    from OpenSSL import SSL

    server = SSL.Connection(_throw_away(version), None)
    server.set_accept_state()
    client = TlsClient(None, version)
    try:
        to_server = client.start()
        for _ in range(_MOST_FLIGHTS):
            server.bio_write(to_server)
            with suppress(SSL.WantReadError):
                server.do_handshake()
            to_server = client.receive(server.bio_read(_READ))
            if client.done:
                return True
    except (HandshakeError, SSL.Error):
        return False
    return False


@cache
def _throw_away(version: TlsVersion) -> SSL.Context:
    """A server that speaks one version, with a certificate that nobody trusts."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from OpenSSL import SSL

    key = ec.generate_private_key(ec.SECP256R1())
    nobody = x509.Name([])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=1))
        .sign(key, SHA256())
    )
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _allow(context, version)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    return context
