"""What happened to a connection or a request, as a reason and a sentence; and how hosts and addresses are written."""

from __future__ import annotations

import errno
import ipaddress
import ssl

from checker.answers import Attempt, Layer, NotCollected, Reason, Target
from checker.network.tls import HandshakeError, Problem

__all__ = [
    "endpoint",
    "failed",
    "is_address",
    "joined",
    "of_request",
    "of_tcp",
    "of_tls",
    "reason_of",
    "shown",
    "words_of",
    "worst",
]

_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, 1231, 1232}
    | ({errno.EHOSTDOWN} if hasattr(errno, "EHOSTDOWN") else set())
)
_WINDOWS_TIMED_OUT = 121  # ERROR_SEM_TIMEOUT, which overlapped connects give


# --- sentences --------------------------------------------------------------------------------------------------------


def shown(target: Target) -> str:
    """A target as people write it: the name, a port that is not 443, the server behind it."""
    host = target.host if target.port == 443 else joined(target.host, target.port)
    return host if target.via is None else f"{host} at {target.via}"


def joined(host: str, port: int) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def endpoint(written: str, port: int) -> tuple[str, int]:
    """An address as `Resolved` writes it, with its port."""
    address, _, other = written.partition("#")
    return address, int(other) if other else port


def is_address(host: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def failed(reason: Reason, sentence: str) -> NotCollected:
    """A failure to connect."""
    return NotCollected(reason, sentence, Layer.CONNECT)


def worst(target: Target, attempts: list[Attempt]) -> NotCollected:
    """What to say when no address works: the first one's failure, and that the others fail too."""
    errors = [attempt.error for attempt in attempts if attempt.error is not None]
    if not errors:
        return NotCollected(Reason.NOT_RESOLVED, f"{shown(target)} has no address.", Layer.RESOLVE)
    if len(errors) == 1:
        return errors[0]
    return failed(errors[0].reason, " ".join(error.sentence for error in errors))


def reason_of(error: OSError) -> Reason:
    """What an error of a socket is."""
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(error, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
        return Reason.RESET
    if isinstance(error, TimeoutError) or getattr(error, "winerror", None) == _WINDOWS_TIMED_OUT:
        return Reason.TIMED_OUT
    if error.errno in _UNREACHABLE or getattr(error, "winerror", None) in _UNREACHABLE:
        return Reason.UNREACHABLE
    return Reason.OTHER


def words_of(error: OSError) -> str:
    """The system's word for it, or its type."""
    return error.strerror or type(error).__name__


def of_tcp(error: OSError, where: str) -> NotCollected:
    """Why there is no TCP connection."""
    reason = reason_of(error)
    match reason:
        case Reason.REFUSED:
            return failed(reason, f"{where} refused the TCP connection.")
        case Reason.RESET:
            return failed(reason, f"{where} reset the TCP connection.")
        case Reason.TIMED_OUT:
            return failed(reason, f"{where} did not accept a TCP connection in time.")
        case Reason.UNREACHABLE:
            return failed(reason, f"{where} cannot be reached by TCP from here ({words_of(error)}).")
    return failed(reason, f"No TCP connection to {where} could be opened on this machine ({words_of(error)}).")


def of_tls(error: HandshakeError, where: str) -> NotCollected:
    """Why there is no TLS on a connection."""
    match error.problem:
        case Problem.PLAIN_HTTP:
            why = "answers the TLS handshake in plain HTTP: there is no TLS on this port"
        case Problem.NOT_TLS:
            why = f"answers the TLS handshake with something that is not TLS ({error.detail} …)"
        case Problem.ALERT:
            why = f"refused the TLS handshake (alert {error.detail})"
        case Problem.FAILED:
            why = f"could not agree on TLS with this machine ({error.detail})"
    return failed(Reason.TLS_FAILED, f"{where} accepts TCP connections, but {why}.")


def of_request(error: Exception, where: str, what: str, seconds: float) -> NotCollected:
    """What ended a request (`what`: "GET /mapi/") on a connection that was there. It has no layer: it is the answer."""
    from checker.network.http import BadAnswerError

    if isinstance(error, BadAnswerError):
        if error.begun:
            return NotCollected(Reason.RESET, f"{where} ended the connection within its answer to {what}.")
        if error.closed:
            return NotCollected(Reason.RESET, f"{where} closed the connection without answering {what}.")
        return NotCollected(Reason.MALFORMED, f"{where} answered {what} with something that is not HTTP/1.1.")
    if isinstance(error, TimeoutError):
        return NotCollected(Reason.TIMED_OUT, f"{where} did not finish its answer to {what} in {seconds:g} s.")
    if isinstance(error, ssl.SSLError):
        return NotCollected(
            Reason.TLS_FAILED, f"{where} did TLS at first, but not for {what} ({error.reason or 'no reason'})."
        )
    if isinstance(error, OSError):
        return NotCollected(reason_of(error), f"{where} cut the connection of {what} ({words_of(error)}).")
    return NotCollected(Reason.OTHER, f"{what} of {where} ended with {type(error).__name__}, which is not expected.")
