"""Where the secrets come from: a file, the environment, the OS keyring or a prompt (law 10).

The administrator's password and the credential of the test account are two things, each with a variable and an entry of
the keyring of its own.
"""

from __future__ import annotations

import os
import sys
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
]

VARIABLE = "MAPIREADY_PASSWORD"
KEYRING_SERVICE = "mapiready"
ACCOUNT_VARIABLE = "MAPIREADY_ACCOUNT_PASSWORD"
TOKEN_VARIABLE = "MAPIREADY_ACCOUNT_TOKEN"  # noqa: S105 - the name of a variable
ACCOUNT_KEYRING_SERVICE = "mapiready-account"
_MOST_PASSWORD = 4096
_MOST_TOKEN = 65536


@dataclass(frozen=True, slots=True)
class AccountCredential:
    """With what the test account signs in: a password, a token, or (both None) the ticket of the logged-on user."""

    password: Secret | None
    token: Secret | None


def find_password(
    user: str,
    file: Path | None,
    *,
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> Secret:
    """The password of a user: --password-file, else MAPIREADY_PASSWORD, else the OS keyring, else a prompt.

    `prompt` asks the person; by default on the terminal, and only if there is one.

    Raises:
        SettingsError: there is none, and nobody can be asked; or the file cannot be read.
    """
    if file is not None:
        return _from_file("--password-file", file, "the password", _MOST_PASSWORD)
    return _found(user, "--password-file", VARIABLE, KEYRING_SERVICE, environ, prompt)


def find_account_credential(
    settings: Settings,
    *,
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> AccountCredential | None:
    """The credential of the test account, None when the run has none.

    A ticket if --account-ticket says so; else a token from --account-token-file or MAPIREADY_ACCOUNT_TOKEN; else a
    password from --account-password-file, MAPIREADY_ACCOUNT_PASSWORD, the OS keyring or a prompt.

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
    token_value = (os.environ if environ is None else environ).get(TOKEN_VARIABLE)
    if token_value:
        return AccountCredential(None, Secret(token_value.strip()))
    user = settings.account or settings.mailbox
    password = _found(user, "--account-password-file", ACCOUNT_VARIABLE, ACCOUNT_KEYRING_SERVICE, environ, prompt)
    return AccountCredential(password, None)


def _found(
    user: str,
    option: str,
    variable: str,
    service: str,
    environ: Mapping[str, str] | None,
    prompt: Callable[[str], str] | None,
) -> Secret:
    value = (os.environ if environ is None else environ).get(variable)
    if value:
        return Secret(value)
    kept = _from_keyring(service, user)
    if kept is not None:
        return kept
    if prompt is None:
        if not sys.stdin.isatty():
            raise SettingsError(
                f"There is no password for {user}, and no terminal to ask on: take {option} FILE, the variable"
                f" {variable}, or store it with: keyring set {service} {user}"
            )
        prompt = getpass
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


def _from_keyring(service: str, user: str) -> Secret | None:
    """The keyring's entry; a machine without a keyring simply has none."""
    import keyring
    import keyring.errors

    try:
        value = keyring.get_password(service, user)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None
    return Secret(value) if value else None
