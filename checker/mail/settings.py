"""The [mail] table of the TOML file -> `MailSettings`. No secret stands in it; `checker.mail.secrets` finds them.

[mail]
when = "change"                      # always (default), failure, change
from = "mapiready@contoso.com"
to = ["exchange-admins@contoso.com"]
attach = ["html", "json"]            # default: html alone

[mail.smtp]                          # or [mail.graph], [mail.smtp-oauth], [mail.ews]: exactly one
host = "relay.contoso.com"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

__all__ = [
    "Application",
    "EwsAuthentication",
    "EwsSettings",
    "GraphSettings",
    "MailSettings",
    "Security",
    "SmtpOauthSettings",
    "SmtpSettings",
    "Transport",
    "When",
    "read_mail",
    "read_when",
    "refuse_secrets",
]

E = TypeVar("E", bound=Enum)

AUTHORITY = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com"
OUTLOOK = "https://outlook.office365.com"
SMTP_HOST = "smtp.office365.com"


class When(Enum):
    """After which runs something is sent."""

    ALWAYS = "always"
    FAILURE = "failure"  # the exit code is not 0
    CHANGE = "change"  # the history says that something changed


class Security(Enum):
    """How an SMTP connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"  # from the first byte


class EwsAuthentication(Enum):
    """How to sign in to Exchange Web Services."""

    NTLM = "ntlm"
    BASIC = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """An SMTP server; without a user it is a relay that knows this machine by its address."""

    host: str
    port: int
    security: Security = Security.STARTTLS
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The application in Entra ID that signs in: with a certificate if there is one, else with a secret."""

    tenant: str
    client_id: str
    client_secret_file: Path | None = None
    certificate_file: Path | None = None
    certificate_key_file: Path | None = None
    authority: str = AUTHORITY
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """Microsoft Graph. `sender` is the mailbox that sends."""

    application: Application
    sender: str
    endpoint: str = GRAPH


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpOauthSettings:
    """SMTP AUTH of Exchange Online. `sender` is the mailbox that signs in; `resource` is what the token is for."""

    application: Application
    sender: str
    host: str = SMTP_HOST
    port: int = 587
    resource: str = OUTLOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class EwsSettings:
    """Exchange Web Services of a server on premises."""

    endpoint: str
    user: str
    sender: str
    auth: EwsAuthentication = EwsAuthentication.NTLM
    password_file: Path | None = None
    ca_file: Path | None = None


Transport: TypeAlias = SmtpSettings | GraphSettings | SmtpOauthSettings | EwsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """To whom the report goes, when, and how. `timeout` bounds the whole sending, in seconds."""

    sender: str
    to: tuple[str, ...]
    transport: Transport
    cc: tuple[str, ...] = ()
    when: When = When.ALWAYS
    attach: tuple[str, ...] = ("html",)
    timeout: float = 120.0


# --- one value --------------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _host(value: object) -> str:
    from checker.facts.urls import usable_host

    host = _text(value)
    if usable_host(host) is None and not _is_address(host):
        raise ValueError("must be a host name such as relay.contoso.com, without scheme or port")
    return host


def _is_address(text: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(value: object) -> str:
    from checker.facts.urls import usable_host

    text = _text(value)
    local, at, domain = text.rpartition("@")
    strange = any(character.isspace() or character in '<>()[],;:\\"@' for character in local)
    if not at or not local or strange or not text.isascii() or usable_host(domain) is None:
        raise ValueError("must be an address such as user@contoso.com, without a name beside it")
    return text


def _addresses(value: object) -> tuple[str, ...]:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not entries:
        raise ValueError("must be a list of addresses such as user@contoso.com")
    return tuple(dict.fromkeys(_address(entry) for entry in entries))


def _path(value: object) -> Path:
    return Path(_text(str(value) if isinstance(value, Path) else value)).expanduser()


def _one_of(kind: type[E]) -> Callable[[object], E]:
    def parse(value: object) -> E:
        for member in kind:
            if isinstance(value, str) and value.strip().casefold() == member.value:
                return member
        raise ValueError("must be one of " + ", ".join(str(member.value) for member in kind))

    return parse


def _port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError("must be a whole number from 1 to 65535")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= 3600:
        raise ValueError("must be a number of seconds from 1 to 3600")
    return float(value)


def _https(value: object) -> str:
    text = _text(value)
    try:
        url = urlsplit(text)
        fits = url.scheme == "https" and bool(url.hostname) and url.username is None and not url.query + url.fragment
        fits = fits and (url.port is None or url.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("must be an https:// address without user and query")
    return text.rstrip("/")


def _id(value: object) -> str:
    text = _text(value)
    if not text.isascii() or not text.replace("-", "").replace(".", "").isalnum():
        raise ValueError("must be an id (a GUID) or a domain, as Entra ID shows it")
    return text


def _formats(value: object) -> tuple[str, ...]:
    from reports import FORMATS

    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or any(name not in FORMATS for name in names):
        raise ValueError("must be a list of formats: " + ", ".join(FORMATS))
    return tuple(dict.fromkeys(names))


# --- tables -----------------------------------------------------------------------------------------------------------

Readers: TypeAlias = Mapping[str, Callable[[object], object]]
_COMMON: Readers = {
    "when": _one_of(When),
    "from": _address,
    "to": _addresses,
    "cc": _addresses,
    "attach": _formats,
    "timeout": _seconds,
}
_APPLICATION: Readers = {
    "tenant": _id,
    "client-id": _id,
    "client-secret-file": _path,
    "certificate-file": _path,
    "certificate-key-file": _path,
    "authority": _https,
    "ca-file": _path,
}
_TRANSPORTS: Mapping[str, Readers] = {
    "smtp": {
        "host": _host,
        "port": _port,
        "security": _one_of(Security),
        "user": _text,
        "password-file": _path,
        "ca-file": _path,
    },
    "graph": {**_APPLICATION, "sender": _address, "endpoint": _https},
    "smtp-oauth": {**_APPLICATION, "sender": _address, "host": _host, "port": _port, "resource": _https},
    "ews": {
        "endpoint": _https,
        "user": _text,
        "auth": _one_of(EwsAuthentication),
        "sender": _address,
        "password-file": _path,
        "ca-file": _path,
    },
}
_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


def read_mail(value: object) -> MailSettings:
    """The [mail] table of a TOML file.

    Raises:
        ValueError: what is wrong with which key, to be put behind the name of the file and "mail".
    """
    if isinstance(value, MailSettings):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("must be a table [mail]")
    ways = [name for name in _TRANSPORTS if name in value]
    if len(ways) != 1:
        said = f"has {' and '.join(ways)}" if ways else "says not how to send"
        raise ValueError(f"{said}: it needs one table of {', '.join(f'[mail.{name}]' for name in _TRANSPORTS)}")
    common = _read({key: entry for key, entry in value.items() if key != ways[0]}, _COMMON, "")
    table = value[ways[0]]
    if not isinstance(table, Mapping):
        raise ValueError(f"{ways[0]} must be a table [mail.{ways[0]}]")
    for key in ("from", "to"):
        _need(common, key, "")
    sender = common.pop("from")
    parts = _read(table, _TRANSPORTS[ways[0]], f"{ways[0]}.")
    transport = _MAKERS[ways[0]](parts, str(sender))
    return MailSettings(sender=str(sender), transport=transport, **common)  # type: ignore[arg-type]


def read_when(value: object) -> When:
    """The value of `when`.

    Raises:
        ValueError: what may stand there.
    """
    return _one_of(When)(value)


def refuse_secrets(table: Mapping[str, object], label: str) -> None:
    """Makes sure that no secret stands in a table.

    Raises:
        ValueError: which key looks like one.
    """
    for key in table:
        folded = str(key).casefold()
        if any(word in folded for word in ("password", "secret", "token")) and not folded.endswith("-file"):
            raise ValueError(
                f"{label}{key}: a secret does not belong in this file; take {key}-file, the variable"
                " MAPIREADY_MAIL_SECRET of the environment, or the keyring of the operating system"
            )


def _read(table: Mapping[str, object], readers: Readers, label: str) -> dict[str, object]:
    refuse_secrets({key: entry for key, entry in table.items() if key not in readers}, label)
    values: dict[str, object] = {}
    for key, entry in table.items():
        if key not in readers:
            raise ValueError(f"has no use for {label}{key}; there are: {', '.join(readers)}")
        try:
            values[key] = readers[key](entry)
        except ValueError as error:
            shown = f"; {entry!r} is not" if isinstance(entry, (str, int, float)) else ""
            raise ValueError(f"{label}{key} {error}{shown}") from None
    return values


def _need(values: Mapping[str, object], key: str, label: str) -> None:
    if key not in values:
        raise ValueError(f"needs {label}{key}")


def _fields(values: Mapping[str, object]) -> dict[str, object]:
    return {key.replace("-", "_"): value for key, value in values.items()}


def _smtp(values: dict[str, object], _sender: str) -> Transport:
    _need(values, "host", "smtp.")
    security = values.setdefault("security", Security.STARTTLS)
    assert isinstance(security, Security)
    values.setdefault("port", _PORTS[security])
    if "user" in values and security is Security.NONE:
        raise ValueError(
            "smtp.user would send its password in clear text with security = none; take starttls or tls, or leave the"
            " user out where the relay knows this machine by its address"
        )
    if "password-file" in values and "user" not in values:
        raise ValueError("smtp.password-file is of no use without smtp.user")
    return SmtpSettings(**_fields(values))  # type: ignore[arg-type]


def _application(values: dict[str, object], label: str) -> Application:
    for key in ("tenant", "client-id"):
        _need(values, key, label)
    if "client-secret-file" in values and "certificate-file" in values:
        raise ValueError(f"{label}client-secret-file and {label}certificate-file exclude each other")
    if "certificate-key-file" in values and "certificate-file" not in values:
        raise ValueError(f"{label}certificate-key-file is of no use without {label}certificate-file")
    own = {key: values.pop(key) for key in _APPLICATION if key in values}
    return Application(**_fields(own))  # type: ignore[arg-type]


def _graph(values: dict[str, object], sender: str) -> Transport:
    application = _application(values, "graph.")
    values.setdefault("sender", sender)
    return GraphSettings(application=application, **_fields(values))  # type: ignore[arg-type]


def _smtp_oauth(values: dict[str, object], sender: str) -> Transport:
    application = _application(values, "smtp-oauth.")
    values.setdefault("sender", sender)
    return SmtpOauthSettings(application=application, **_fields(values))  # type: ignore[arg-type]


def _ews(values: dict[str, object], sender: str) -> Transport:
    for key in ("endpoint", "user"):
        _need(values, key, "ews.")
    values.setdefault("sender", sender)
    settings = EwsSettings(**_fields(values))  # type: ignore[arg-type]
    host = (urlsplit(settings.endpoint).hostname or "").casefold()
    if host.endswith((".office365.com", ".office365.us", ".outlook.com", ".partner.outlook.cn")):
        raise ValueError(
            "ews.endpoint is Exchange Online, which has switched EWS off for applications; take [mail.graph] or"
            " [mail.smtp-oauth]"
        )
    return settings


_MAKERS: Mapping[str, Callable[[dict[str, object], str], Transport]] = {
    "smtp": _smtp,
    "graph": _graph,
    "smtp-oauth": _smtp_oauth,
    "ews": _ews,
}
