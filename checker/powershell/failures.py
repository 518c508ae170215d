"""The one place where what the libraries raise becomes a reason, a sentence and what to do next.

pypsrp lets the exceptions of six libraries through (requests, urllib3, ssl, ElementTree, spnego, krb5), with the cause
sometimes only in `__context__`. They are told apart by type, code and id, never by their text, which is localised.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from checker.answers import CmdletCall, Reason
from checker.obstacles import Obstacle, certificate_problem, chain_of, known_obstacle
from checker.powershell.clixml import ClixmlError

__all__ = [
    "AnswerTooLargeError",
    "Failure",
    "Next",
    "OutOfTimeError",
    "Place",
    "RedirectedError",
    "explain",
    "one_line",
]


class RedirectedError(Exception):
    """The server sends us elsewhere; `args[0]` says where."""


class AnswerTooLargeError(Exception):
    """The server sends more than any answer may be."""


class OutOfTimeError(Exception):
    """A cmdlet was still running when its time was up."""


class Next(Enum):
    """What may be done after a failure."""

    ANOTHER_CMDLET = "another-cmdlet"  # the cmdlet alone failed, the session is well
    NEW_SESSION = "new-session"  # the session is of no more use, the server may be well
    ANOTHER_SERVER = "another-server"  # the server is of no use
    NOTHING = "nothing"  # trying again would lock the account, or give the same


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be had of a server."""

    reason: Reason
    sentence: str
    then: Next


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how it was tried. `call` None is the opening of a session; `offered` the schemes of the last 401,
    `tried` that it was the answer to a credential."""

    server: str
    port: int
    tls: bool
    path: str
    auth: str
    user: str | None
    timeout: float
    call: CmdletCall | None = None
    offered: tuple[str, ...] = ()
    tried: bool = False
    cut: bool = False

    @property
    def address(self) -> str:
        """The server with its port."""
        host = f"[{self.server}]" if ":" in self.server else self.server
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """What was asked."""
        return f"{'https' if self.tls else 'http'}://{self.address}/{self.path.lstrip('/')}"

    @property
    def who(self) -> str:
        """Who signs in."""
        return self.user or "the logged-on user"

    @property
    def by(self) -> str:
        """By which mechanism."""
        return _AUTH_NAMES.get(self.auth, self.auth)


_BETWEEN: Final = "Name the Exchange server itself, without a proxy or portal in between."
_AUTH_NAMES: Final = {"kerberos": "Kerberos", "negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}


def one_line(text: str, most: int = 300) -> str:
    """A text of a server for a sentence: one line, without control characters, bounded."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: most * 4]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def explain(error: BaseException, place: Place) -> Failure:
    """What an exception means. Never raises, and never shows more of it than its type."""
    chain = tuple(chain_of(error))
    for look in (_of_ours, _of_address, _of_time, _of_sign_in, _of_tls, _of_wsman, _of_http, _of_network, _of_content):
        failure = look(chain, place)
        if failure is not None:
            return failure
    kind = type(error).__name__
    return Failure(Reason.OTHER, f"{_doing(place)} ended with {kind}, which is not expected.", Next.NEW_SESSION)


def _doing(place: Place) -> str:
    return f"{place.call.name} on {place.server}" if place.call else f"Opening remote PowerShell on {place.url}"


def _first(chain: tuple[BaseException, ...], *kinds: type[BaseException]) -> Any:
    return next((error for error in chain if isinstance(error, kinds)), None)


# --- ours -------------------------------------------------------------------------------------------------------------


def _of_ours(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    redirected = _first(chain, RedirectedError)
    if redirected is not None:
        to = one_line(str(redirected.args[0]), 100)
        sentence = (
            f"{place.url} redirects to {to or 'another place'} instead of answering; mapiready does not follow, since"
            " the"
            " credential would go along. Name the Exchange server itself, not a portal or a proxy."
        )
        return Failure(Reason.NOT_EXCHANGE, sentence, Next.ANOTHER_SERVER)
    if _first(chain, AnswerTooLargeError) is not None:
        return Failure(
            Reason.MALFORMED,
            f"{_doing(place)} gave more than an answer may be, and was not read on. {_BETWEEN}",
            Next.NEW_SESSION,
        )
    malformed = _first(chain, ClixmlError)
    if malformed is not None:
        return Failure(
            Reason.MALFORMED,
            f"{_doing(place)} gave an answer that cannot be read. {malformed} {_BETWEEN}",
            Next.NEW_SESSION,
        )
    return None


def _of_time(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    import requests
    import urllib3.exceptions

    if _first(chain, OutOfTimeError) is not None:
        return Failure(Reason.TIMED_OUT, _too_slow(place), Next.ANOTHER_CMDLET)
    # urllib3 counts every failure to connect among its time-outs.
    late = tuple(error for error in chain if not isinstance(error, urllib3.exceptions.NewConnectionError))
    if place.cut or _first(late, requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) is not None:
        if place.call is not None:
            return Failure(Reason.TIMED_OUT, _too_slow(place), Next.NEW_SESSION)
        connecting = _first(chain, requests.ConnectTimeout) is not None
        what = "does not accept a connection" if connecting else "does not answer"
        sentence = (
            f"{place.address} {what} within {place.timeout:g} s. Check that the server is up, that no firewall stands"
            " between, and --scheme and --port."
        )
        return Failure(Reason.TIMED_OUT, sentence, Next.ANOTHER_SERVER)
    return None


def _too_slow(place: Place) -> str:
    what = place.call.name if place.call else "Remote PowerShell"
    return (
        f"{what} did not end within {place.timeout:g} s on {place.server} and was given up. Give it longer with"
        " --timeout if the server is known to be slow."
    )


# --- sign-in ----------------------------------------------------------------------------------------------------------

# An obstacle that another server does not have either ends the attempts.
_KERBEROS: Final[Mapping[Obstacle, tuple[Reason, Next]]] = {
    Obstacle.WRONG: (Reason.SIGN_IN_FAILED, Next.NOTHING),
    Obstacle.UNKNOWN_USER: (Reason.SIGN_IN_FAILED, Next.NOTHING),
    Obstacle.LOCKED: (Reason.SIGN_IN_FAILED, Next.NOTHING),
    Obstacle.EXPIRED: (Reason.SIGN_IN_FAILED, Next.NOTHING),
    Obstacle.CLOCK_SKEW: (Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING),
    Obstacle.NO_SPN: (Reason.SIGN_IN_UNAVAILABLE, Next.ANOTHER_SERVER),
    Obstacle.NO_KDC: (Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING),
    Obstacle.NO_TICKET: (Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING),
    Obstacle.TICKET_ENDED: (Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING),
}
_ACCEPTED: Final[Mapping[str, frozenset[str]]] = {
    "basic": frozenset({"basic"}),
    "ntlm": frozenset({"ntlm", "negotiate"}),
    "kerberos": frozenset({"kerberos", "negotiate"}),
    "negotiate": frozenset({"kerberos", "negotiate", "ntlm"}),
}


def _of_sign_in(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    from pypsrp.exceptions import AuthenticationError
    from spnego.exceptions import OperationNotAvailableError, SpnegoError

    if _first(chain, ImportError) is not None and place.auth in ("kerberos", "negotiate"):
        sentence = (
            'Kerberos support is not installed: pip install "mapiready[kerberos]" (which needs, on Debian and Ubuntu:'
            " apt"
            " install gcc python3-dev libkrb5-dev; on macOS: xcode-select --install), or take another --auth."
        )
        return Failure(Reason.SIGN_IN_UNAVAILABLE, sentence, Next.NOTHING)
    offered = {scheme.casefold() for scheme in place.offered}
    rejected = _first(chain, AuthenticationError)
    taken = bool(offered & _ACCEPTED.get(place.auth, frozenset()))
    asked = offered or (rejected is not None and not place.tried)
    if asked and not taken and _first(chain, AuthenticationError, ValueError) is not None:
        schemes = ", ".join(one_line(scheme, 30) for scheme in place.offered[:5]) or "nothing"
        sentence = (
            f"{place.url} does not take {place.by}; it offers {schemes}. Take another --auth, or allow it on the"
            " PowerShell virtual directory."
        )
        return Failure(Reason.SIGN_IN_UNAVAILABLE, sentence, Next.ANOTHER_SERVER)
    known = known_obstacle(chain)
    if known is not None:
        reason, then = _KERBEROS[known]
        text = known.words(place.who, place.server, "give --user")
        return Failure(reason, f"{place.server} cannot be signed in to by {place.by}: {text}.", then)
    if rejected is not None:
        return Failure(Reason.SIGN_IN_FAILED, _rejected(place), Next.NOTHING)
    if _first(chain, OperationNotAvailableError) is not None and place.user is None:
        sentence = f"{place.by} needs a user and a password here: give --user, or take --auth kerberos with a ticket."
        return Failure(Reason.SIGN_IN_UNAVAILABLE, sentence, Next.NOTHING)
    if _first(chain, SpnegoError) is not None or any(type(error).__module__.startswith("krb5") for error in chain):
        sentence = (
            f"{place.server} cannot be signed in to by {place.by}: the sign-in broke off on this side. Check the"
            " clock, DNS"
            " and the Kerberos configuration of this machine."
        )
        return Failure(Reason.SIGN_IN_UNAVAILABLE, sentence, Next.NOTHING)
    return None


def _rejected(place: Place) -> str:
    hint = {
        "ntlm": " Exchange as installed takes Kerberos alone: NTLM may not be allowed at all.",
        "negotiate": " If Kerberos was not possible, NTLM was tried, which Exchange as installed does not take.",
    }.get(place.auth, "")
    return (
        f"{place.server} refused the sign-in of {place.who} by {place.by}. Check user and password; mapiready does"
        " not try"
        f" again, so that the account is not locked.{hint}"
    )


# --- TLS --------------------------------------------------------------------------------------------------------------


def _of_tls(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    import requests
    import urllib3.exceptions

    untrusted = _first(chain, ssl.SSLCertVerificationError)
    if untrusted is not None:
        what, do = certificate_problem(
            getattr(untrusted, "verify_code", 0),
            place.server,
            "Give the server by a name that the certificate covers",
        )
        sentence = (
            f"The certificate of {place.address} {what}, and a credential goes only where it can be verified. {do}."
        )
        return Failure(Reason.UNTRUSTED_CERTIFICATE, sentence, Next.ANOTHER_SERVER)
    if _first(chain, ssl.SSLError, requests.exceptions.SSLError, urllib3.exceptions.SSLError) is not None:
        sentence = (
            f"{place.address} does not speak TLS as this machine does. If the port is that of http, take --scheme http;"
            " otherwise check the TLS versions that the server allows."
        )
        return Failure(Reason.TLS_FAILED, sentence, Next.ANOTHER_SERVER)
    return None


# --- WSMan and HTTP ---------------------------------------------------------------------------------------------------

_ACCESS_DENIED: Final = 5
_WSMAN_TIMED_OUT: Final = 2150858793
_NO_SUCH_RESOURCE: Final = 2150858811
_GONE: Final = frozenset({2150858843, 995, 1726})  # the shell, or the process that carried it
_QUOTA: Final = frozenset(range(2150859172, 2150859177))
_POLICY_PARTS: Final = ("MaxConcurrency", "MaxRunspaces", "MaxCmdlets", "OverBudget")  # never localised


def _of_wsman(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    from pypsrp.exceptions import WSManFaultError

    fault = _first(chain, WSManFaultError)
    if fault is None or fault.code is None:
        return None
    code = fault.code
    text = f"{fault.reason or ''} {fault.provider_fault or ''}"
    on_loss = Next.ANOTHER_SERVER
    if code in _QUOTA or any(part in text for part in _POLICY_PARTS):
        sentence = (
            f"{place.server} throttles {place.who}: too many remote PowerShell sessions or cmdlets are open. Close"
            " others"
            " (a shell left behind ends by itself after some minutes), or take fewer with --sessions."
        )
        return Failure(Reason.THROTTLED, sentence, on_loss)
    if code == _ACCESS_DENIED and place.call is None:
        sentence = (
            f"{place.server} knows {place.who}, but does not let them use remote PowerShell. Enable it (Set-User"
            " -RemotePowerShellEnabled $true) and give them a management role, View-Only Organization Management at"
            " least."
        )
        return Failure(Reason.NOT_ENABLED, sentence, Next.NOTHING)
    if code == _ACCESS_DENIED:
        sentence = f"{_doing(place)} was denied to {place.who}. Give them a management role that has the cmdlet."
        return Failure(Reason.FORBIDDEN, sentence, Next.NEW_SESSION)
    if code == _NO_SUCH_RESOURCE:
        sentence = (
            f"{place.url} is a remote PowerShell endpoint, but not Exchange's. Check --port and --path: Exchange has"
            " port 80"
            " or 443 and /PowerShell/, not WinRM's own 5985 and /wsman."
        )
        return Failure(Reason.NOT_EXCHANGE, sentence, Next.ANOTHER_SERVER)
    if code == _WSMAN_TIMED_OUT:
        sentence = f"{_doing(place)} was not ready in time. Give it longer with --timeout."
        return Failure(Reason.TIMED_OUT, sentence, Next.ANOTHER_SERVER)
    if code in _GONE:
        sentence = (
            f"{place.server} has lost the remote PowerShell session: its application pool may have been recycled."
            " Run mapiready again."
        )
        return Failure(Reason.RESET, sentence, on_loss)
    sentence = (
        f"{_doing(place)} ended with WSMan error {one_line(str(code), 40)}. See the event log of the server (Windows"
        " Remote Management)."
    )
    return Failure(Reason.OTHER, sentence, Next.NEW_SESSION if place.call else on_loss)


def _of_http(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    from pypsrp.exceptions import WinRMTransportError

    error = _first(chain, WinRMTransportError)
    if error is None:
        return None
    status = error.code
    if status == 403:
        sentence = (
            f"{place.url} forbids {place.who} to use it (HTTP 403). Check the SSL settings, IP restrictions and"
            " authentication of the PowerShell virtual directory."
        )
        return Failure(Reason.FORBIDDEN, sentence, Next.ANOTHER_SERVER)
    if status == 404:
        sentence = f"{place.url} does not exist (HTTP 404). Check --path: Exchange has /PowerShell/."
        return Failure(Reason.NOT_EXCHANGE, sentence, Next.ANOTHER_SERVER)
    if status == 429:
        sentence = f"{place.url} asks for fewer requests (HTTP 429). Take fewer with --sessions, or try again later."
        return Failure(Reason.THROTTLED, sentence, Next.ANOTHER_SERVER)
    if status == 400 and not place.tls:
        sentence = f"{place.url} rejects the request (HTTP 400). If the port is that of https, take --scheme https."
        return Failure(Reason.HTTP_ERROR, sentence, Next.ANOTHER_SERVER)
    what = (
        "Check that its application pool MSExchangePowerShellFrontEndAppPool is started"
        if status == 503
        else "See the server's event log"
    )
    sentence = f"{place.url} answers HTTP {status} instead of a session. {what}."
    return Failure(Reason.HTTP_ERROR, sentence, Next.ANOTHER_SERVER)


# --- network ----------------------------------------------------------------------------------------------------------

_NO_ROUTE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, 10051, 10065})


def _of_address(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    import urllib3.exceptions

    then = Next.ANOTHER_SERVER
    if (
        _first(chain, socket.gaierror, urllib3.exceptions.NameResolutionError, urllib3.exceptions.LocationParseError)
        is not None
    ):
        sentence = f"The name {place.server} cannot be resolved. Check its spelling and DNS, or give --resolve."
        return Failure(Reason.NOT_RESOLVED, sentence, then)
    if _first(chain, ConnectionRefusedError) is not None:
        sentence = f"{place.address} refuses the connection. Check that the server is up, and --scheme and --port."
        return Failure(Reason.REFUSED, sentence, then)
    if any(isinstance(error, OSError) and error.errno in _NO_ROUTE for error in chain):
        sentence = f"{place.address} cannot be reached. Check the network, and that the server is up."
        return Failure(Reason.UNREACHABLE, sentence, then)
    return None


def _of_network(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    from http.client import IncompleteRead

    import requests
    import urllib3.exceptions

    if _is_no_http(chain):
        return None
    broken = (
        ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        urllib3.exceptions.HTTPError,
        requests.ConnectionError,
    )
    if _first(chain, *broken) is not None:
        if place.call is not None:
            sentence = (
                f"{place.server} ended the connection while {place.call.name} was running. Run mapiready again, or give"
                " a second SERVER to take over."
            )
        else:
            hint = " Check that --port is that of Exchange's web site."
            hint = hint if place.tls else " If the port is that of https, take --scheme https."
            when = "without an answer" if _first(chain, IncompleteRead) is None else "in the middle of its answer"
            sentence = f"{place.address} ended the connection {when}.{hint}"
        return Failure(Reason.RESET, sentence, Next.ANOTHER_SERVER)
    return None


def _is_no_http(chain: tuple[BaseException, ...]) -> bool:
    """Whether something was answered that is not HTTP, or was not packed as it says."""
    from http.client import HTTPException, IncompleteRead, RemoteDisconnected

    import urllib3.exceptions

    return any(
        isinstance(error, HTTPException | urllib3.exceptions.DecodeError)
        and not isinstance(error, IncompleteRead | RemoteDisconnected)
        for error in chain
    )


def _of_content(chain: tuple[BaseException, ...], place: Place) -> Failure | None:
    from pypsrp.exceptions import WinRMError

    # Whatever else a parser of something unexpected raises.
    unreadable = (
        ParseError,
        WinRMError,
        ValueError,
        LookupError,
        RecursionError,
        AttributeError,
        TypeError,
        struct.error,
    )
    no_http = _is_no_http(chain)
    if _first(chain, *unreadable) is None and not no_http:
        return None
    if place.call is None:
        hint = " If the port is that of https, take --scheme https." if no_http and not place.tls else ""
        sentence = (
            f"{place.url} answers, but not as Exchange's remote PowerShell does: a login page, a proxy or another"
            " service"
            f" may stand there. Name the Exchange server itself and check --path.{hint}"
        )
        return Failure(Reason.NOT_EXCHANGE, sentence, Next.ANOTHER_SERVER)
    return Failure(
        Reason.MALFORMED,
        f"{_doing(place)} gave an answer that is not what the protocol says. {_BETWEEN}",
        Next.NEW_SESSION,
    )
