"""Where the secrets come from: a file, the environment, the OS keyring or a prompt (law 10).

The administrator's password and the credential of the test account are two things, each with a variable and an entry of
the keyring of its own.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path

from checker.secrets import Secret
from checker.settings import Settings, SettingsError

__all__ = [
    "ACCOUNT_KEYRING_SERVICE",
    "ACCOUNT_VARIABLE",
    "KEYRING_SERVICE",
    "TOKEN_VARIABLE",
    "VARIABLE",
    "AccountCredential",
    "find_account_credential",
    "find_password",
    "keyring_in_time",
]

VARIABLE = "MAPIREADY_PASSWORD"
KEYRING_SERVICE = "mapiready"
ACCOUNT_VARIABLE = "MAPIREADY_ACCOUNT_PASSWORD"
TOKEN_VARIABLE = "MAPIREADY_ACCOUNT_TOKEN"  # noqa: S105 - the name of a variable
ACCOUNT_KEYRING_SERVICE = "mapiready-account"
_MOST_PASSWORD = 4096
_MOST_TOKEN = 65536
_KEYRING_SECONDS = 20.0
"""For the keyring in an unattended run: one that is locked asks on the screen, and waits."""


@dataclass(frozen=True, slots=True)
class AccountCredential:
    """With what the test account signs in: a password, a token, or (both None) the ticket of the logged-on user."""

    password: Secret | None
    token: Secret | None


def find_password(
    user: str,
    file: Path | None,
    *,
    organisation: str | None = None,
    unattended: bool = False,
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> Secret:
    """The password of a user: --password-file, else MAPIREADY_PASSWORD, else the OS keyring, else a prompt.

    `prompt` asks the person; by default on the terminal, and only if there is one. Nobody is asked in an unattended
    run. `organisation` is its name in a file of several: the variable is MAPIREADY_PASSWORD__NAME then.

    Raises:
        SettingsError: there is none, and nobody can be asked; or the file cannot be read.
    """
    if file is not None:
        return _from_file("--password-file", file, "the password", _MOST_PASSWORD)
    source = _Source("--password-file", _variable(VARIABLE, organisation), KEYRING_SERVICE)
    return _found(user, source, environ, prompt, unattended=unattended)


def find_account_credential(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> AccountCredential | None:
    """The credential of the test account, None when the run has none.

    A ticket if --account-ticket says so; else a token from --account-token-file or MAPIREADY_ACCOUNT_TOKEN; else a
    password from --account-password-file, MAPIREADY_ACCOUNT_PASSWORD, the OS keyring or a prompt. The variables of an
    organisation in a file of several end in __NAME.

    Raises:
        SettingsError: as `find_password`.
    """
    if settings.mailbox is None:
        return None
    if settings.account_ticket:
        return AccountCredential(None, None)
    if settings.account_token_file is not None:
        token = _from_file("--account-token-file", settings.account_token_file, "the token", _MOST_TOKEN)
        return AccountCredential(None, token)
    if settings.account_password_file is not None:
        file = settings.account_password_file
        return AccountCredential(_from_file("--account-password-file", file, "the password", _MOST_PASSWORD), None)
    token_value = (os.environ if environ is None else environ).get(_variable(TOKEN_VARIABLE, settings.organisation))
    if token_value:
        return AccountCredential(None, Secret(token_value.strip()))
    user = settings.account or settings.mailbox
    source = _Source(
        "--account-password-file", _variable(ACCOUNT_VARIABLE, settings.organisation), ACCOUNT_KEYRING_SERVICE
    )
    return AccountCredential(_found(user, source, environ, prompt, unattended=settings.unattended), None)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a password may be: the option of its file, its variable, its service in the keyring."""

    option: str
    variable: str
    service: str


def _variable(variable: str, organisation: str | None) -> str:
    """The variable of an organisation in a file of several: one password is never sent to another's servers."""
    if organisation is None:
        return variable
    return f"{variable}__{re.sub('[^A-Z0-9]', '_', organisation.upper())}"


def _found(
    user: str,
    source: _Source,
    environ: Mapping[str, str] | None,
    prompt: Callable[[str], str] | None,
    *,
    unattended: bool,
) -> Secret:
    value = (os.environ if environ is None else environ).get(source.variable)
    if value:
        return Secret(value)
    kept = keyring_in_time(source.service, user) if unattended else _from_keyring(source.service, user)
    if kept is not None:
        return kept
    if unattended or (prompt is None and not sys.stdin.isatty()):
        why = "nobody is asked in an unattended run" if unattended else "no terminal to ask on"
        raise SettingsError(
            f"There is no password for {user}, and {why}: take {source.option} FILE, the variable"
            f" {source.variable}, or store it with: keyring set {source.service} {user}"
        )
    prompt = prompt or getpass
    try:
        entered = prompt(f"Password of {user}: ")
    except (EOFError, OSError) as error:
        raise SettingsError(f"No password for {user} was entered.") from error
    if not entered:
        raise SettingsError(f"No password for {user} was entered.")
    return Secret(entered)


def _from_file(option: str, file: Path, what: str, most: int) -> Secret:
    try:
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise SettingsError(f"{option} {file} cannot be read: {error.strerror or error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{option} {file} is not UTF-8 text.") from None
    lines = text.splitlines()
    if len(content) > most or len(lines) != 1 or not lines[0]:
        raise SettingsError(f"{option} {file} must hold {what} and nothing else, on one line.")
    return Secret(lines[0])


def keyring_in_time(service: str, user: str, seconds: float = _KEYRING_SECONDS) -> Secret | None:
    """As `_from_keyring`; a keyring that waits for somebody to unlock it is left alone."""
    found: list[Secret | None] = []
    asking = threading.Thread(target=lambda: found.append(_from_keyring(service, user)), daemon=True)
    asking.start()
    asking.join(seconds)
    return found[0] if found else None


def _from_keyring(service: str, user: str) -> Secret | None:
    """The keyring's entry; a machine without a keyring simply has none."""
    import keyring
    import keyring.errors

    try:
        value = keyring.get_password(service, user)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None
    return Secret(value) if value else None
