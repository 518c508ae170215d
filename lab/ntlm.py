"""NTLM as a server takes it ([MS-NLMP] 3.2.5): the challenge, and the proof of the password. No I/O.

Only NTLMv2, and nothing is sealed afterwards. The proof is verified over what the client really sent, as Windows does:
pyspnego's acceptor (which `lab.authentication` has for NTLM inside SPNEGO) writes it anew, and refuses clients whose
last four zeros are missing.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_bytes

__all__ = ["SIGNATURE", "NtlmAcceptor", "NtlmProof", "proof_in"]

SIGNATURE = b"NTLMSSP\x00"
_AUTHENTICATE = SIGNATURE + struct.pack("<I", 3)
_UNICODE, _REQUEST_TARGET, _SIGN, _SEAL, _NTLM = 0x1, 0x4, 0x10, 0x20, 0x200
_ALWAYS_SIGN, _DOMAIN, _EXTENDED, _TARGET_INFO = 0x8000, 0x1_0000, 0x8_0000, 0x80_0000
_VERSION, _128, _KEY_EXCHANGE, _56 = 0x200_0000, 0x2000_0000, 0x4000_0000, 0x8000_0000
_KEPT = _REQUEST_TARGET | _SIGN | _SEAL | _ALWAYS_SIGN | _EXTENDED | _128 | _KEY_EXCHANGE | _56
_EOL, _NB_COMPUTER, _NB_DOMAIN, _DNS_COMPUTER, _DNS_DOMAIN, _FLAGS, _TIMESTAMP, _BINDINGS = 0, 1, 2, 3, 4, 6, 7, 10
_HAS_MIC = 0x2
_MIC = slice(72, 88)
_CHALLENGE_HEAD = 56
_BEFORE_AV_PAIRS = 16 + 28  # the proof, and the head of the client's challenge
_WINDOWS = struct.pack("<BBHBBBB", 10, 0, 17763, 0, 0, 0, 15)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NtlmProof:
    """What an AUTHENTICATE_MESSAGE (2.2.1.3) says of who is there, and of what it is bound to."""

    domain: str
    user: str
    response: bytes
    key: bytes  # the session key, as it was sent
    flags: int

    @property
    def account(self) -> str:
        """As the client names it."""
        return f"{self.domain}\\{self.user}" if self.domain else self.user

    @property
    def bindings(self) -> bytes:
        """Empty, or zeros, when it is bound to nothing."""
        return dict(_av_pairs(self.response)).get(_BINDINGS, b"")


def proof_in(token: bytes) -> NtlmProof | None:
    """The last message of NTLM in a token, alone or inside SPNEGO; None when it holds none that can be read."""
    start = token.find(_AUTHENTICATE)
    if start < 0:
        return None
    message = token[start:]
    try:
        response, domain, user, key = (_payload(message, at) for at in (20, 28, 36, 52))
        (flags,) = struct.unpack_from("<I", message, 60)
        encoding = "utf-16-le" if flags & _UNICODE else "latin-1"
        return NtlmProof(domain.decode(encoding), user.decode(encoding), response, key, flags)
    except (struct.error, UnicodeDecodeError):
        return None


def _payload(message: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", message, at)
    return message[offset : offset + length]


def _av_pairs(response: bytes) -> Iterator[tuple[int, bytes]]:
    at = _BEFORE_AV_PAIRS
    while at + 4 <= len(response):
        kind, length = struct.unpack_from("<HH", response, at)
        if kind == _EOL:
            return
        yield kind, response[at + 4 : at + 4 + length]
        at += 4 + length


class NtlmAcceptor:
    """One exchange. `password_of` knows an account, or does not."""

    negotiated_protocol = "ntlm"

    def __init__(self, domain: str, server: str, password_of: Callable[[str], str | None]) -> None:
        self._domain = domain
        self._server = server
        self._password_of = password_of
        self._challenge = b""
        self._sent = b""
        self._received = b""
        self.complete = False
        self.client_principal = ""

    def step(self, token: bytes, channel_bindings: object = None) -> bytes | None:
        """The challenge; then None, once the proof was right.

        Raises:
            ValueError: the token is not the one that is due, or the proof is wrong.
        """
        del channel_bindings  # what it is bound to is for others to look at
        if not self._sent:
            self._received, self._sent = token, self._challenged(token)
            return self._sent
        proof = proof_in(token)
        if proof is None or self.complete:
            raise ValueError("not the message that is due")
        self._verify(proof, token)
        self.complete, self.client_principal = True, proof.account
        return None

    def _challenged(self, token: bytes) -> bytes:
        if not token.startswith(SIGNATURE + struct.pack("<I", 1)) or len(token) < 16:
            raise ValueError("not a NEGOTIATE_MESSAGE")
        (offered,) = struct.unpack_from("<I", token, 12)
        flags = offered & _KEPT | _UNICODE | _NTLM | _DOMAIN | _TARGET_INFO | _VERSION
        short = self._domain.partition(".")[0].upper()
        computer = self._server.partition(".")[0].upper()
        target = short.encode("utf-16-le")
        ticks = (datetime.now(UTC) - _EPOCH).total_seconds() * 10_000_000
        pairs = (
            (_NB_DOMAIN, target),
            (_NB_COMPUTER, computer.encode("utf-16-le")),
            (_DNS_DOMAIN, self._domain.encode("utf-16-le")),
            (_DNS_COMPUTER, self._server.encode("utf-16-le")),
            (_TIMESTAMP, struct.pack("<Q", int(ticks))),
            (_EOL, b""),
        )
        info = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in pairs)
        self._challenge = token_bytes(8)
        return (
            SIGNATURE
            + struct.pack("<IHHII", 2, len(target), len(target), _CHALLENGE_HEAD, flags)
            + self._challenge
            + bytes(8)
            + struct.pack("<HHI", len(info), len(info), _CHALLENGE_HEAD + len(target))
            + _WINDOWS
            + target
            + info
        )

    def _verify(self, proof: NtlmProof, token: bytes) -> None:
        password = self._password_of(proof.account)
        if password is None or len(proof.response) < _BEFORE_AV_PAIRS:
            raise ValueError("nobody of whom this could be a proof")
        hashed = _md4(password.encode("utf-16-le"))
        key = _hmac(hashed, (proof.user.upper() + proof.domain).encode("utf-16-le"))
        expected = _hmac(key, self._challenge + proof.response[16:])
        if not hmac.compare_digest(expected, proof.response[:16]):
            raise ValueError("not the password's proof")
        (flags,) = struct.unpack("<I", dict(_av_pairs(proof.response)).get(_FLAGS, bytes(4))[:4].ljust(4, b"\0"))
        if flags & _HAS_MIC:
            session = _hmac(key, expected)
            if proof.flags & _KEY_EXCHANGE and proof.flags & (_SIGN | _SEAL):
                session = _rc4(session, proof.key)
            unsigned = token[: _MIC.start] + bytes(16) + token[_MIC.stop :]
            if not hmac.compare_digest(_hmac(session, self._received + self._sent + unsigned), token[_MIC]):
                raise ValueError("the messages were changed on their way")


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.md5).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 0xFF
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 0xFF
        j = (j + state[i]) & 0xFF
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) & 0xFF])
    return bytes(out)


def _md4(data: bytes) -> bytes:
    """RFC 1320; the hash module's has gone with OpenSSL 3."""
    data, length = data + b"\x80", len(data) * 8
    data += bytes(-(len(data) + 8) % 64) + struct.pack("<Q", length)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for start in range(0, len(data), 64):
        words = struct.unpack_from("<16I", data, start)
        a, b, c, d = state
        for number in range(48):
            round_, step = divmod(number, 16)
            if round_ == 0:
                mixed, index, shift = (b & c) | (~b & d), step, (3, 7, 11, 19)[step % 4]
            elif round_ == 1:
                mixed, index = (b & c) | (b & d) | (c & d), step % 4 * 4 + step // 4
                mixed, shift = mixed + 0x5A827999, (3, 5, 9, 13)[step % 4]
            else:
                mixed, index = b ^ c ^ d, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)[step]
                mixed, shift = mixed + 0x6ED9EBA1, (3, 9, 11, 15)[step % 4]
            value = (a + mixed + words[index]) & 0xFFFFFFFF
            a, b, c, d = d, (value << shift | value >> (32 - shift)) & 0xFFFFFFFF, b, c
        state = [(old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d), strict=True)]
    return struct.pack("<4I", *state)
