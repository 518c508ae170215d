"""Who is there: the sign-in of one TCP connection, as IIS does it. No I/O, except that pyspnego reads the accounts of
NTLM from a file (see `NtlmAccounts`) and the key of Kerberos from the default keytab.

SPNEGO, and NTLM in it, are pyspnego's own Python implementation on every platform; NTLM alone is `lab.ntlm`, unless
messages are to be sealed with it; Kerberos is the system's. What a token is bound to (Extended Protection) is checked
here: pyspnego refuses a token without bindings whenever it knows some, and takes one whose bindings are empty, which is
neither Allow nor Require.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest
from pathlib import Path
from typing import Any

from lab.ntlm import SIGNATURE, NtlmAcceptor, NtlmProof, proof_in
from lab.scenario import Authentication, User

__all__ = [
    "ACCOUNTS",
    "Attempt",
    "Attempts",
    "NtlmAccounts",
    "Outcome",
    "Refusal",
    "SignIn",
    "SignedIn",
    "Unfinished",
    "end_point",
]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody is there. `user` is None when they are not of the organisation's users that the lab knows."""

    principal: str
    user: User | None
    scheme: str  # basic, ntlm, kerberos, bearer: what really was used
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


class Outcome(Enum):
    """What became of an attempt to sign in."""

    SIGNED_IN = "signed-in"
    WRONG_PASSWORD = "wrong-password"
    UNKNOWN_ACCOUNT = "unknown-account"
    WRONG_TOKEN = "wrong-token"
    WRONG_BINDINGS = "wrong-bindings"
    NO_BINDINGS = "no-bindings"
    LOCKED = "locked"
    NOBODY_ANSWERS = "nobody-answers"  # the server cannot ask the domain


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in that came to its end. Tokens of an exchange that never ends are none."""

    account: str  # as the client named it; "" where nobody can tell
    scheme: str  # basic, ntlm, kerberos, bearer
    outcome: Outcome
    where: str  # "https ex01.contoso.test/mapi"


class Attempts:
    """Every attempt to sign in, and how many wrong passwords each user has given since the last right one.

    `locks_after` so many of them a user is locked; 0 is never. May be written and read from any thread.
    """

    def __init__(self, locks_after: int = 0) -> None:
        self._locks_after = locks_after
        self._lock = threading.Lock()
        self._entries: list[Attempt] = []
        self._bad: Counter[str] = Counter()

    @property
    def entries(self) -> tuple[Attempt, ...]:
        """What was attempted so far, in order."""
        with self._lock:
            return tuple(self._entries)

    def bad_passwords(self, user: User) -> int:
        """How many wrong passwords in a row (badPwdCount)."""
        with self._lock:
            return self._bad[user.name]

    def is_locked(self, user: User) -> bool:
        """Whether not even the right password helps."""
        return 0 < self._locks_after <= self.bad_passwords(user)

    def note(self, attempt: Attempt, user: User | None) -> None:
        """Note an attempt, of this user if there is such a one."""
        with self._lock:
            self._entries.append(attempt)
            if user is not None and attempt.outcome is Outcome.WRONG_PASSWORD:
                self._bad[user.name] += 1
            elif user is not None and attempt.outcome is Outcome.SIGNED_IN:
                self._bad[user.name] = 0


class SignIn:
    """The sign-in of one connection. It lasts as long as the connection does; Basic is asked for each time.

    Args:
        methods: what is taken.
        users: who there is.
        realm: their domain.
        bindings: what a client must bind its token to (RFC 5929), if it must.
        bindings_required: False lets in who sends none (Allow); wrong ones are refused all the same.
        challenges: replaces what follows from the methods: some servers offer the bare scheme Kerberos.
        schemes: the words in front of a token that are taken, in lower case; as a rule those of the methods.
        tokens: what Bearer takes, and who that is.
        attempts: where attempts are noted.
        where: the place that is noted with them.
        before_ntlm: called before a token of NTLM inside SPNEGO is looked at.
        server: the FQDN that NTLM tells clients.
        asks_domain: False is a server that cannot reach its domain: it refuses everybody.
        seals: messages will be sealed with the context, which has to be pyspnego's then.
    """

    def __init__(
        self,
        methods: frozenset[Authentication],
        users: tuple[User, ...],
        realm: str,
        *,
        bindings: bytes | None = None,
        bindings_required: bool = True,
        challenges: tuple[str, ...] | None = None,
        schemes: frozenset[str] = frozenset({"negotiate", "kerberos", "ntlm", "basic"}),
        tokens: Mapping[str, User] | None = None,
        attempts: Attempts | None = None,
        where: str = "",
        before_ntlm: Callable[[], None] | None = None,
        server: str = "",
        asks_domain: bool = True,
        seals: bool = True,
    ) -> None:
        self._methods = methods
        self._users = users
        self._realm = realm
        self._bindings = bindings
        self._bindings_required = bindings_required
        self._given = challenges
        self._schemes = schemes
        self._tokens = tokens or {}
        self._attempts = attempts or Attempts()
        self._where = where
        self._before_ntlm = before_ntlm
        self._server = server
        self._asks_domain = asks_domain
        self._seals = seals
        self._context: Any = None
        self._begun = False  # the context has seen a token
        self._proof: NtlmProof | None = None
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
        if scheme.casefold() not in self._schemes:
            return self._refuse()
        if scheme.casefold() == "bearer":
            return self._bearer(parameter.strip())
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
        self._begun = False
        self._proof = None
        self._signed_in = None
        return Refusal(self.challenges)

    def _ended(self, account: str, scheme: str, outcome: Outcome, user: User | None) -> Refusal:
        self._attempts.note(Attempt(account, scheme, outcome, self._where), user)
        return self._refuse()

    def _may(self, scheme: str, token: bytes) -> bool:
        if scheme == "kerberos" and Authentication.KERBEROS not in self._methods:
            return False
        # Kerberos tokens never hold this signature: a token that does asks for NTLM now.
        if SIGNATURE in token:
            return Authentication.NTLM in self._methods
        return scheme != "ntlm"

    # --- what is sent with each request ---

    def _basic(self, token: bytes) -> SignedIn | Refusal:
        name, _, password = token.decode(errors="replace").partition(":")
        user = self._find(name)
        refused = self._against(user)
        if refused is None and (user is None or not compare_digest(user.password.encode(), password.encode())):
            refused = Outcome.WRONG_PASSWORD
        if refused is not None:
            return self._ended(name, "basic", refused, user)
        self._attempts.note(Attempt(name, "basic", Outcome.SIGNED_IN, self._where), user)
        return SignedIn(name, user, "basic")

    def _bearer(self, token: str) -> SignedIn | Refusal:
        if not token:
            return self._refuse()  # it only shows that it knows of OAuth
        for known, user in self._tokens.items():
            if compare_digest(known.encode(), token.encode()):
                self._attempts.note(Attempt(user.name, "bearer", Outcome.SIGNED_IN, self._where), user)
                return SignedIn(user.name, user, "bearer")
        return self._ended("", "bearer", Outcome.WRONG_TOKEN, None)

    def _against(self, user: User | None) -> Outcome | None:
        """What stands against this user, whatever the password is."""
        if not self._asks_domain:
            return Outcome.NOBODY_ANSWERS
        if user is None:
            return Outcome.UNKNOWN_ACCOUNT
        return Outcome.LOCKED if self._attempts.is_locked(user) else None

    # --- exchanges of tokens ---

    def _negotiate(self, scheme: str, token: bytes) -> SignedIn | Unfinished | Refusal:
        from spnego.exceptions import BadBindingsError, SpnegoError

        by_ntlm = SIGNATURE in token
        if by_ntlm and self._before_ntlm is not None and not token.startswith(SIGNATURE):
            self._before_ntlm()
        if self._signed_in is not None or self._context is None:
            self._refuse()
            self._context = self._new_context(token)
        context = self._context
        self._proof = proof_in(token) or self._proof
        user = self._find(self._proof.account) if self._proof is not None else None
        if self._proof is not None and (against := self._against(user)) is not None:
            return self._ended(self._proof.account, "ntlm", against, user)
        begun, self._begun = self._begun, True
        try:
            answer = context.step(token, channel_bindings=None if by_ntlm else self._to_gss())
        except BadBindingsError:
            return self._ended("", "kerberos", Outcome.WRONG_BINDINGS, None)
        except (SpnegoError, ValueError, struct.error, IndexError, KeyError, AttributeError):
            # Wrong password, no key, or not a token at all: Windows says the same to all of them. AttributeError is
            # pyspnego's, when Kerberos answers a token by an error.
            if begun and self._proof is not None:
                return self._ended(self._proof.account, "ntlm", Outcome.WRONG_PASSWORD, user)
            return self._refuse()
        encoded = f"{scheme} {base64.b64encode(answer).decode()}" if answer else None
        if not context.complete:
            return Unfinished(encoded or scheme)
        return self._completed(encoded)

    def _completed(self, encoded: str | None) -> SignedIn | Refusal:
        protocol = self._context.negotiated_protocol
        if protocol == "ntlm" and Authentication.NTLM not in self._methods:
            return self._refuse()
        if protocol == "kerberos" and Authentication.KERBEROS not in self._methods:
            return self._refuse()
        principal = self._context.client_principal
        user = self._find(principal)
        outcome = self._bound(protocol)
        if outcome is Outcome.SIGNED_IN and not self._asks_domain:
            outcome = Outcome.NOBODY_ANSWERS
        if outcome is not Outcome.SIGNED_IN:
            return self._ended(principal, protocol, outcome, user)
        self._attempts.note(Attempt(principal, protocol, outcome, self._where), user)
        self._signed_in = SignedIn(principal, user, protocol, context=self._context)
        return SignedIn(principal, user, protocol, answer=encoded, context=self._context)

    def _bound(self, protocol: str) -> Outcome:
        """Whether the token was bound to this connection, where that matters."""
        if self._bindings is None:
            return Outcome.SIGNED_IN
        if protocol == "kerberos":
            unbound = isinstance(self._context, _Kerberos) and not self._context.is_bound
            return Outcome.NO_BINDINGS if unbound and self._bindings_required else Outcome.SIGNED_IN
        given = self._proof.bindings if self._proof is not None else b""
        if not any(given):
            return Outcome.NO_BINDINGS if self._bindings_required else Outcome.SIGNED_IN
        return Outcome.SIGNED_IN if given == _hashed(self._bindings) else Outcome.WRONG_BINDINGS

    def _new_context(self, token: bytes) -> Any:
        import spnego

        if not self._seals and token.startswith(SIGNATURE):
            return NtlmAcceptor(self._realm, self._server, self._password_of)
        kerberos = None if self._seals or SIGNATURE in token else _Kerberos.made(self._bindings)
        if kerberos is not None:
            return kerberos
        return spnego.server(
            protocol="negotiate",
            options=spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.wrapping_winrm,
        )

    def _password_of(self, account: str) -> str | None:
        user = self._find(account)
        return user.password if user is not None else None

    def _to_gss(self) -> Any:
        from spnego.channel_bindings import GssChannelBindings

        return GssChannelBindings(application_data=self._bindings) if self._bindings is not None else None

    def _find(self, principal: str) -> User | None:
        for user in self._users:
            if principal.casefold() in _names(user, self._realm):
                return user
        return None


def _names(user: User, domain: str) -> tuple[str, ...]:
    """What a user may be called: CONTOSO\\audit, audit@contoso.test (also Kerberos' principal), contoso.test\\audit."""
    account = user.name.rpartition("\\")[2].casefold()
    return (user.name.casefold(), f"{account}@{domain}".casefold(), f"{domain}\\{account}".casefold())


class _Kerberos:
    """Kerberos by the system's own GSSAPI, alone or inside SPNEGO.

    MIT lets in who sends no bindings, and says only by a flag who sent some; pyspnego does not pass that flag on, and
    stumbles over a token that is answered by an error of Kerberos.
    """

    negotiated_protocol = "kerberos"

    def __init__(self, context: Any, flag: int) -> None:
        self._context = context
        self._flag = flag

    @classmethod
    def made(cls, bindings: bytes | None) -> _Kerberos | None:
        """A context; None where the system has no GSSAPI."""
        try:
            import gssapi
            from gssapi.raw import ChannelBindings
        except (ImportError, OSError):
            return None
        to = ChannelBindings(application_data=bindings) if bindings is not None else None
        context = gssapi.SecurityContext(usage="accept", channel_bindings=to)
        # An error is raised at once, and not at whatever comes next: that is how gssapi wants it said.
        setattr(context, "__DEFER_STEP_ERRORS__", False)  # noqa: B010 - not an attribute that its type declares
        return cls(context, int(gssapi.RequirementFlag.channel_bound))

    def step(self, token: bytes, channel_bindings: object = None) -> bytes | None:
        """The next token; the bindings are those that the context was made with."""
        from gssapi.exceptions import BadChannelBindingsError
        from gssapi.raw import GSSError
        from spnego.exceptions import BadBindingsError

        del channel_bindings
        try:
            answer: bytes | None = self._context.step(token)
        except BadChannelBindingsError as error:
            raise BadBindingsError(context_msg="the token is bound to something else") from error
        except GSSError as error:
            raise ValueError("not a token that can be taken") from error
        return answer

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    @property
    def client_principal(self) -> str:
        return str(self._context.initiator_name)

    @property
    def is_bound(self) -> bool:
        """Whether the client sent bindings; if it did they were right, or the step had failed."""
        return bool(int(self._context.actual_flags) & self._flag)


# --- bindings ---------------------------------------------------------------------------------------------------------


def _hashed(bindings: bytes) -> bytes:
    """As NTLM compares them: MD5 of gss_channel_bindings_struct ([MS-NLMP] 2.2.2.1)."""
    packed = struct.pack("<IIIII", 0, 0, 0, 0, len(bindings)) + bindings
    return hashlib.md5(packed, usedforsecurity=False).digest()


def end_point(certificate: bytes) -> bytes:
    """tls-server-end-point of a certificate in DER (RFC 5929 4.1)."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import MD5, SHA1

    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    weak = algorithm is None or isinstance(algorithm, MD5 | SHA1)
    digest = hashlib.new("sha256" if weak or algorithm is None else algorithm.name, certificate)
    return b"tls-server-end-point:" + digest.digest()


class NtlmAccounts:
    """The accounts file that pyspnego's NTLM acceptor looks into; it knows no way to it but the environment.

    One file for the process and all that lets users sign in: it appears with the first that needs it and goes with
    the last.
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


ACCOUNTS = NtlmAccounts()
"""Those of this process."""


def _lines(user: User, domain: str) -> tuple[str, ...]:
    if ":" in user.password or "\n" in user.password:
        raise ValueError(f"the password of {user.name} holds a colon: the NTLM accounts file cannot")
    short, _, account = user.name.rpartition("\\")
    return tuple(
        f"{of}:{name}:{user.password}"
        for of, name in ((short, account), ("", f"{account}@{domain}"), (domain, account))
    )
