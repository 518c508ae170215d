"""Takes out of an answer what opens doors: the values of cookies, tokens, and the credential where it is sent back."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from checker.answers import HttpAnswer

__all__ = ["clean", "cookie_values"]

_COOKIES = frozenset({"set-cookie", "set-cookie2", "cookie"})
_CHALLENGES = frozenset({"www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization"})
_TOKEN = re.compile(r"\b([A-Za-z][A-Za-z0-9_-]{0,40})[ \t]+[A-Za-z0-9._~+/-]{8,}={0,2}(?=[ \t]*(?:,|$))")
"""A scheme with a token behind it (RFC 7235, token68), and no parameter."""
_SHORTEST = 4
"""Shorter texts stand anywhere by chance."""
_OUT = "***"


def clean(answer: HttpAnswer, secrets: Iterable[str]) -> HttpAnswer:
    """The answer without values of cookies and without tokens; `secrets` are taken out wherever they stand."""
    known = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    return replace(
        answer,
        reason=_without(answer.reason, known),
        headers=tuple((name, _without(_reduced(name, value), known)) for name, value in answer.headers),
        body=_without_bytes(answer.body, known),
    )


def cookie_values(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The values of the cookies that an answer sets."""
    for name, value in headers:
        if name in _COOKIES:
            yield value.partition(";")[0].partition("=")[2].strip()


def _forms(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST:
        yield from (secret, html.escape(secret), quote(secret, safe=""))


def _reduced(name: str, value: str) -> str:
    if name in _COOKIES:
        return f"{value.partition(';')[0].partition('=')[0].strip()}=…"
    if name in _CHALLENGES:
        return _TOKEN.sub(r"\1", value)
    return value


def _without(text: str, known: Iterable[str]) -> str:
    for secret in known:
        text = text.replace(secret, _OUT)
    return text


def _without_bytes(data: bytes, known: Iterable[str]) -> bytes:
    for secret in known:
        for encoded in (secret.encode(), secret.encode("utf-16-le")):
            data = data.replace(encoded, _OUT.encode())
    return data
