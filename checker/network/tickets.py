"""Kerberos for the test account: by its password, or by the ticket of the logged-on user. Every call here blocks.

The password goes to the KDC once in a run; what it gave lies in a cache in memory, from which each service gets its
ticket. pyspnego by itself would hand the password to the KDC for each host and, when the KDC refuses it, to the next
server by NTLM: that is how accounts are locked.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from checker.secrets import Secret

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

__all__ = ["SERVICE", "Tickets", "kerberos_is_here", "principal_of"]

SERVICE = "HTTP"
"""MIT's libraries mind the case."""


def kerberos_is_here() -> bool:
    """Whether this machine can do Kerberos at all."""
    if sys.platform == "win32":
        return True
    return all(importlib.util.find_spec(module) is not None for module in ("gssapi", "krb5"))


def principal_of(user: str) -> str | None:
    """The principal of a sign-in name, name@REALM; None when none can be told from it.

    A realm is written in capitals by custom, and MIT's libraries mind it.
    """
    name, at, domain = user.rpartition("@")
    return f"{name}@{domain.upper()}" if at and name and domain and "\\" not in user else None


class Tickets:
    """The tickets of one account; without a password those of the logged-on user."""

    def __init__(self, user: str | None, password: Secret | None) -> None:
        self._user = user
        self._password = password
        self._cache: Any = None
        self._name: str | None = None

    @property
    def possible(self) -> bool:
        """Whether there is any point in asking a KDC."""
        if not kerberos_is_here():
            return False
        return self._password is None or sys.platform == "win32" or principal_of(self._user or "") is not None

    def obtain(self, host: str | None) -> str | None:
        """Puts the credential to the KDC's test and gives the realm; None when that takes a host, and there is none.

        With a host, that of a ticket, too.

        Raises:
            Exception: of krb5, gssapi, pyspnego or SSPI; see `checker.obstacles`.
        """
        if sys.platform == "win32":
            if host is None:
                return None
            self._probe(host, None)
            return (principal_of(self._user or "") or "").rpartition("@")[2] or "the domain"
        if self._password is not None:
            return self._by_password(self._user or "", self._password)
        realm = self._of_the_user()
        if host is not None:
            self._probe(host, None)
        return realm

    def context(self, host: str, bindings: GssChannelBindings | None) -> tuple[ContextProxy, bytes]:
        """A context that signs in to HTTP/host by Kerberos, within SPNEGO, and its first token.

        Raises:
            Exception: as `obtain`; there is no ticket for this service.
        """
        import spnego

        # By itself, for SPNEGO would not say why there is no ticket.
        self._probe(host, bindings)
        context = spnego.client(
            **self._credential(), hostname=host, service=SERVICE, channel_bindings=bindings, protocol="negotiate"
        )
        return context, context.step() or b""

    def close(self) -> None:
        """Forgets the tickets that were obtained by password."""
        if self._cache is not None:
            import krb5

            krb5.cc_destroy(krb5.init_context(), self._cache)
            self._cache = None

    def _probe(self, host: str, bindings: GssChannelBindings | None) -> None:
        import spnego

        context = spnego.client(
            **self._credential(), hostname=host, service=SERVICE, channel_bindings=bindings, protocol="kerberos"
        )
        context.step()

    def _credential(self) -> dict[str, Any]:
        """A credential with which SPNEGO cannot fall back to NTLM."""
        if sys.platform == "win32":
            return {"username": self._user, "password": self._password.reveal() if self._password else None}
        import spnego

        if self._name is None:
            self.obtain(None)
        return {"username": spnego.KerberosCCache(self._name or "")}

    def _of_the_user(self) -> str:
        import krb5
        import spnego

        context = krb5.init_context()
        name = krb5.cc_default_name(context).decode()
        # Reads the cache, and so says what is wrong with it.
        spnego.client(spnego.KerberosCCache(name), hostname="localhost", service=SERVICE, protocol="kerberos")
        self._name = name
        return _realm(krb5.cc_get_principal(context, krb5.cc_resolve(context, name.encode())))

    def _by_password(self, user: str, password: Secret) -> str:
        import krb5

        context = krb5.init_context()
        principal = krb5.parse_name_flags(context, (principal_of(user) or user).encode())
        options = krb5.get_init_creds_opt_alloc(context)
        krb5.get_init_creds_opt_set_canonicalize(options, True)
        given = krb5.get_init_creds_password(context, principal, options, password=password.reveal().encode())
        cache = krb5.cc_new_unique(context, b"MEMORY")
        krb5.cc_initialize(context, cache, given.client)
        krb5.cc_store_cred(context, cache, given)
        self._cache = cache
        self._name = f"MEMORY:{(cache.name or b'').decode()}"
        return _realm(principal)


def _realm(principal: Any) -> str:
    """Of a principal of krb5's."""
    return (principal.name or b"").decode("utf-8", "replace").rpartition("@")[2] or "the domain"
