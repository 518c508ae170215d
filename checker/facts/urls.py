"""URLs and host names as administrators configure them: taken apart and compared, never resolved."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from checker.facts.reading import shown

__all__ = ["MapiUrl", "is_single_label", "read_mapi_url", "same_host", "usable_host"]

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class MapiUrl:
    """A configured MAPI URL. `problems` says what is wrong with its form; empty is the form https://NAME/mapi.

    `host` is its DNS name in lower case as A-labels, None when it has none (an address, nothing, nonsense).
    `single_label` (https://ex01/mapi) is no problem of form: whether it is one depends on who shall resolve it.
    """

    host: str | None
    problems: tuple[str, ...]
    single_label: bool


def read_mapi_url(url: str) -> MapiUrl:
    """Judges the form of a URL by the rules of Set-MapiVirtualDirectory: https, a DNS name, the default port, /mapi."""
    if not url.isprintable() or " " in url or "\\" in url:
        return MapiUrl(None, ("holds characters that no URL has",), single_label=False)
    try:
        parts = urlsplit(url)
        port = parts.port
        written = parts.hostname or ""
    except ValueError:
        return MapiUrl(None, ("cannot be read as a URL",), single_label=False)
    if "://" not in url:
        return MapiUrl(None, ("is no full URL",), single_label=False)
    problems = []
    if parts.scheme.casefold() != "https":
        problems.append(f"is {shown(parts.scheme, 20) or 'nothing'}, not https")
    host = usable_host(written)
    if not written:
        problems.append("names no host")
    elif host is None:
        problems.append("names an IP address" if _is_address(written) else "names no valid DNS name")
    if port not in (None, 443):
        problems.append(f"names port {port}")
    if parts.username is not None or parts.password is not None:
        problems.append("holds a user name")
    if parts.path.removesuffix("/").casefold() != "/mapi":
        problems.append("has another path than /mapi")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        problems.append("holds a query or fragment")
    return MapiUrl(host, tuple(problems), host is not None and is_single_label(host))


def usable_host(name: str) -> str | None:
    """A DNS name in lower case as A-labels, without a trailing dot; None for an address or anything that is no name."""
    host = name.strip().casefold().removesuffix(".")
    if not host or len(host) > 253:
        return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").casefold()
        except UnicodeError:
            return None
    labels = host.split(".")
    if _is_address(host) or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return host


def is_single_label(host: str) -> bool:
    """A name without a domain, such as a server's short name."""
    return "." not in host.rstrip(".")


def same_host(one: str, other: str) -> bool:
    """Whether two configured names are the same for DNS."""
    return (usable_host(one) or one.casefold()) == (usable_host(other) or other.casefold())


def _is_address(host: str) -> bool:
    """An IP address in any notation: browsers and .NET take a name whose last label is a number for one."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None
    return True
