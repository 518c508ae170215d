"""The [webhook] table of the TOML file -> `WebhookSettings`. No address stands in it; `checker.webhook` finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checker.mail.settings import When, read_when, refuse_secrets

__all__ = ["VARIABLE", "WebhookSettings", "read_webhook"]

VARIABLE = "MAPIREADY_WEBHOOK_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """When it is told, and the files that hold the addresses; none: the environment or the keyring has one."""

    when: When = When.ALWAYS
    url_file: tuple[Path, ...] = ()
    timeout: float = 30.0


def read_webhook(value: object) -> WebhookSettings:
    """The [webhook] table of a TOML file.

    Raises:
        ValueError: what is wrong with which key, to be put behind the name of the file and "webhook".
    """
    if isinstance(value, WebhookSettings):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("must be a table [webhook]")
    known = ("when", "url-file", "timeout")
    if any(str(key).casefold() in ("url", "urls") for key in value):
        raise ValueError(
            f"url: the address of a webhook is a secret and does not belong in this file; take url-file, the variable"
            f" {VARIABLE} of the environment, or the keyring of the operating system"
        )
    refuse_secrets({key: entry for key, entry in value.items() if key not in known}, "")
    for key in value:
        if key not in known:
            raise ValueError(f"has no use for {key}; there are: {', '.join(known)}")
    try:
        when = read_when(value.get("when", "always"))
    except ValueError as error:
        raise ValueError(f"when {error}") from None
    files = value.get("url-file", ())
    entries = [files] if isinstance(files, (str, Path)) else files
    if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, (str, Path)) and entry for entry in entries):
        raise ValueError("url-file must be a file, or a list of files, that hold an address each")
    timeout = value.get("timeout", 30.0)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 1 <= timeout <= 600:
        raise ValueError("timeout must be a number of seconds from 1 to 600")
    return WebhookSettings(
        when=when, url_file=tuple(Path(entry).expanduser() for entry in entries), timeout=float(timeout)
    )
