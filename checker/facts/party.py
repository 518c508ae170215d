"""Who answered a request: Exchange, a part of Windows, a proxy, a page in between. Pure; evidence, never a verdict.

Hardened sites strip the headers by which Exchange is known, so their absence proves nothing.
"""

from __future__ import annotations

import re
from enum import Enum

from checker.answers import HttpAnswer
from checker.facts.reading import shown

__all__ = ["Party", "described", "evidence", "party_of", "schemes_of"]


class Party(Enum):
    """Who sent an answer, as far as it shows."""

    EXCHANGE = "Exchange"
    LOGIN_PAGE = "a login page"
    BLOCK_PAGE = "a block page"
    HTTP_SYS = "HTTP.sys of Windows"
    IIS = "IIS"
    HAPROXY = "HAProxy"
    NGINX = "nginx"
    APACHE = "Apache"
    UNKNOWN = "an unknown party"


_OF_EXCHANGE = ("x-feserver", "x-failurecontext", "x-calculatedbetarget", "x-beserver", "x-diaginfo", "x-owa-version")
_SHOWN = ("server", "via", "x-feserver", "x-owa-version", "x-failurecontext", "location", "www-authenticate")
_HEALTH = re.compile(rb"\s*200 OK\s*<br\s*/?>\s*[A-Za-z0-9_.-]{1,255}\s*", re.IGNORECASE)
_PASSWORD_FIELD = re.compile(rb"<input[^>]{0,500}type\s*=\s*[\"']?password", re.IGNORECASE)
_LOGIN_PATH = re.compile(r"log-?[io]n|sign-?[io]n|auth|saml|adfs|sso|owa/", re.IGNORECASE)
_BLOCKED = re.compile(
    rb"web application firewall|request (was )?(rejected|blocked)|requested url was rejected|has been blocked"
    rb"|attention required! \| cloudflare|fortiguard|barracuda|incident id|support id",
    re.IGNORECASE,
)
_HAPROXY = re.compile(
    rb"<html><body><h1>\d{3} [A-Za-z -]{2,40}</h1>\s*(no server is available|your browser|request forbidden by"
    rb"|an invalid response|the server didn't respond|you need a valid user)",
    re.IGNORECASE,
)
_PRODUCTS = (
    ("microsoft-httpapi/", Party.HTTP_SYS),
    ("microsoft-iis/", Party.IIS),
    ("nginx", Party.NGINX),
    ("openresty", Party.NGINX),
    ("haproxy", Party.HAPROXY),
    ("apache", Party.APACHE),
)
_MOST_OF_BODY = 16384


def party_of(answer: HttpAnswer) -> Party:
    """Who answered."""
    body = answer.body[:_MOST_OF_BODY]
    if any(answer.first(name) is not None for name in _OF_EXCHANGE) or _HEALTH.fullmatch(body):
        return Party.EXCHANGE
    if _is_login(answer, body):
        return Party.LOGIN_PAGE
    if _BLOCKED.search(body):
        return Party.BLOCK_PAGE
    product = (answer.first("server") or "").casefold()
    for beginning, party in _PRODUCTS:
        if product.startswith(beginning):
            return party
    if _HAPROXY.match(body):
        return Party.HAPROXY
    if b"<center>nginx" in body:
        return Party.NGINX
    if b"<address>Apache" in body:
        return Party.APACHE
    return Party.UNKNOWN


def _is_login(answer: HttpAnswer, body: bytes) -> bool:
    if 300 <= answer.status < 400:
        return _LOGIN_PATH.search(answer.first("location") or "") is not None
    return answer.status < 500 and answer.status != 401 and _PASSWORD_FIELD.search(body) is not None


def schemes_of(answer: HttpAnswer) -> tuple[str, ...]:
    """The schemes of a challenge, as spelled, each once. Several may stand in one header, with parameters behind."""
    found: dict[str, str] = {}
    for value in answer.all("www-authenticate"):
        for part in _outside_quotes(value):
            match = re.match(r"\s*([A-Za-z][A-Za-z0-9_.-]{0,40})(\s+[^\s=]|\s*$)", part)
            if match:
                found.setdefault(match[1].casefold(), match[1])
    return tuple(found.values())


def _outside_quotes(value: str) -> list[str]:
    """Splits at commas that stand in no quoted string."""
    return re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', value[:4096])


def described(answer: HttpAnswer) -> str:
    """An answer in a few words: "403 from nginx", "a redirect (302) to https://… from a login page"."""
    party = party_of(answer)
    if answer.status == 401:
        schemes = schemes_of(answer)
        return f"401 from {party.value}, offering {', '.join(schemes) if schemes else 'no scheme'}"
    if 300 <= answer.status < 400:
        return f"{answer.status}, a redirect to {shown(answer.first('location') or 'nowhere', 120)}, from {party.value}"
    return f"{answer.status} from {party.value}"


def evidence(answer: HttpAnswer) -> tuple[tuple[str, str], ...]:
    """The headers that show who answered, as they came."""
    return tuple((name, shown(value, 200)) for name in _SHOWN for value in answer.all(name)[:5])
