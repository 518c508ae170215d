"""Who is there: the sign-in of one TCP connection, as IIS does it for /PowerShell/. No I/O, except that pyspnego reads
the accounts of NTLM from a file (see `NtlmAccounts`) and the key of Kerberos from the default keytab.

SPNEGO and NTLM are pyspnego's own Python implementation on every platform; Kerberos is the system's.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from pathlib import Path
from typing import Any

from lab.scenario import Authentication, User

__all__ = ["NtlmAccounts", "Refusal", "SignIn", "SignedIn", "Unfinished"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody is there. `user` is None when they are not of the organisation's users with a role."""

    principal: str
    user: User | None
    scheme: str  # basic, ntlm, kerberos: what really was used
    answer: str | None = None  # the last token, to be sent along
    context: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The next token of the exchange."""

    answer: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nobody, yet: these challenges."""

    challenges: tuple[str, ...]


class SignIn:
    """The sign-in of one connection. It lasts as long as the connection does; Basic is asked for each time.

    `bindings` is what a client must bind its token to (RFC 5929), if it must; `challenges` replaces what follows from
    the methods: some servers offer the bare scheme Kerberos.
    """

    def __init__(
        self,
        methods: frozenset[Authentication],
        users: tuple[User, ...],
        realm: str,
        *,
        bindings: bytes | None = None,
        challenges: tuple[str, ...] | None = None,
    ) -> None:
        self._methods = methods
        self._users = users
        self._realm = realm
        self._bindings = bindings
        self._given = challenges
        self._context: Any = None
        self._signed_in: SignedIn | None = None

    @property
    def challenges(self) -> tuple[str, ...]:
        """What a 401 offers. Kerberos alone is offered as Negotiate, which then takes nothing else."""
        if self._given is not None:
            return self._given
        challenges = []
        if self._methods & {Authentication.KERBEROS, Authentication.NTLM}:
            challenges.append("Negotiate")
        if Authentication.NTLM in self._methods:
            challenges.append("NTLM")
        if Authentication.BASIC in self._methods:
            challenges.append(f'Basic realm="{self._realm}"')
        return tuple(challenges)

    def step(self, authorization: str | None) -> SignedIn | Unfinished | Refusal:
        """What one request's Authorization header makes of it."""
        if authorization is None:
            return self._signed_in or Refusal(self.challenges)
        scheme, _, parameter = authorization.partition(" ")
        try:
            token = base64.b64decode(parameter.strip(), validate=True)
        except (binascii.Error, ValueError):
            return self._refuse()
        match scheme.casefold():
            case "basic" if Authentication.BASIC in self._methods:
                return self._basic(token)
            case "negotiate" | "kerberos" | "ntlm" if self._may(scheme.casefold(), token):
                return self._negotiate(scheme, token)
            case _:
                return self._refuse()

    def _refuse(self) -> Refusal:
        self._context = None
        self._signed_in = None
        return Refusal(self.challenges)

    def _may(self, scheme: str, token: bytes) -> bool:
        if scheme == "kerberos" and Authentication.KERBEROS not in self._methods:
            return False
        # Kerberos tokens never hold this signature: a token that does asks for NTLM now.
        asks_for_ntlm = scheme == "ntlm" or b"NTLMSSP\x00" in token
        return not asks_for_ntlm or Authentication.NTLM in self._methods

    def _basic(self, token: bytes) -> SignedIn | Refusal:
        name, _, password = token.decode(errors="replace").partition(":")
        user = self._find(name)
        if user is None or not compare_digest(user.password.encode(), password.encode()):
            return self._refuse()
        return SignedIn(name, user, "basic")

    def _negotiate(self, scheme: str, token: bytes) -> SignedIn | Unfinished | Refusal:
        import spnego
        from spnego.channel_bindings import GssChannelBindings
        from spnego.exceptions import SpnegoError

        if self._signed_in is not None or self._context is None:
            self._signed_in = None
            bindings = GssChannelBindings(application_data=self._bindings) if self._bindings else None
            self._context = spnego.server(
                protocol="negotiate",
                options=spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.wrapping_winrm,
                channel_bindings=bindings,
            )
        context = self._context
        try:
            answer = context.step(token)
        except (SpnegoError, ValueError, struct.error, IndexError, KeyError):
            # Wrong password, unknown account, no key, or not a token at all: Windows says the same to all of them.
            return self._refuse()
        encoded = f"{scheme} {base64.b64encode(answer).decode()}" if answer else None
        if not context.complete:
            return Unfinished(encoded or scheme)
        protocol = context.negotiated_protocol
        if protocol == "ntlm" and Authentication.NTLM not in self._methods:
            return self._refuse()
        if protocol == "kerberos" and Authentication.KERBEROS not in self._methods:
            return self._refuse()
        principal = context.client_principal
        self._signed_in = SignedIn(principal, self._find(principal), protocol, context=context)
        return SignedIn(principal, self._find(principal), protocol, answer=encoded, context=context)

    def _find(self, principal: str) -> User | None:
        for user in self._users:
            if principal.casefold() in _names(user, self._realm):
                return user
        return None


def _names(user: User, domain: str) -> tuple[str, ...]:
    """What a user may be called: CONTOSO\\audit, audit@contoso.test (also Kerberos' principal), contoso.test\\audit."""
    account = user.name.rpartition("\\")[2].casefold()
    return (user.name.casefold(), f"{account}@{domain}".casefold(), f"{domain}\\{account}".casefold())


class NtlmAccounts:
    """The accounts file that pyspnego's NTLM acceptor looks into; it knows no way to it but the environment.

    One file for the process and all its endpoints: it appears with the first that needs it and goes with the last.
    """

    _VARIABLE = "NTLM_USER_FILE"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: Counter[str] = Counter()
        self._path: Path | None = None
        self._before: str | None = None

    def add(self, users: Iterable[User], domain: str) -> tuple[str, ...]:
        """Let these users sign in; give what is returned to `remove`.

        Raises:
            ValueError: a password cannot stand in the file, or the same user already has another one.
        """
        lines = tuple(line for user in users for line in _lines(user, domain))
        with self._lock:
            known = {line.rpartition(":")[0].casefold(): line for line in self._lines}
            for line in lines:
                if known.get(line.rpartition(":")[0].casefold(), line) != line:
                    raise ValueError("two running endpoints give the same NTLM user different passwords")
            self._lines.update(lines)
            if lines:
                self._write()
        return lines

    def remove(self, lines: tuple[str, ...]) -> None:
        """Take back what `add` returned."""
        with self._lock:
            self._lines -= Counter(lines)
            if self._lines:
                self._write()
            elif self._path is not None:
                self._path.unlink()
                self._path = None
                if self._before is None:
                    os.environ.pop(self._VARIABLE, None)
                else:
                    os.environ[self._VARIABLE] = self._before

    def _write(self) -> None:
        if self._path is None:
            handle, name = tempfile.mkstemp(prefix="mapiready-lab-")
            os.close(handle)
            self._path = Path(name)
            self._before = os.environ.get(self._VARIABLE)
            os.environ[self._VARIABLE] = name
        # An acceptor may be reading: it sees the old lines or the new, never half of them.
        beside = self._path.with_suffix(".new")
        beside.write_text("\n".join(self._lines), encoding="utf-8")
        beside.replace(self._path)


def _lines(user: User, domain: str) -> tuple[str, ...]:
    if ":" in user.password or "\n" in user.password:
        raise ValueError(f"the password of {user.name} holds a colon: the NTLM accounts file cannot")
    short, _, account = user.name.rpartition("\\")
    return tuple(
        f"{of}:{name}:{user.password}"
        for of, name in ((short, account), ("", f"{account}@{domain}"), (domain, account))
    )
