"""Where the administrator's password comes from: a file, the environment, the OS keyring or a prompt (law 10)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path

from checker.secrets import Secret
from checker.settings import SettingsError

__all__ = ["KEYRING_SERVICE", "VARIABLE", "find_password"]

VARIABLE = "MAPIREADY_PASSWORD"
KEYRING_SERVICE = "mapiready"
_MOST = 4096


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
        return _from_file(file)
    value = (os.environ if environ is None else environ).get(VARIABLE)
    if value:
        return Secret(value)
    kept = _from_keyring(user)
    if kept is not None:
        return kept
    if prompt is None:
        if not sys.stdin.isatty():
            raise SettingsError(
                f"There is no password for {user}, and no terminal to ask on: take --password-file FILE, the variable"
                f" {VARIABLE}, or store it with: keyring set {KEYRING_SERVICE} {user}"
            )
        prompt = getpass
    try:
        entered = prompt(f"Password of {user}: ")
    except (EOFError, OSError) as error:
        raise SettingsError(f"No password for {user} was entered.") from error
    if not entered:
        raise SettingsError(f"No password for {user} was entered.")
    return Secret(entered)


def _from_file(file: Path) -> Secret:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST + 1)
    except OSError as error:
        raise SettingsError(f"--password-file {file} cannot be read: {error.strerror or error}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"--password-file {file} is not UTF-8 text.") from None
    lines = text.splitlines()
    if len(content) > _MOST or len(lines) != 1 or not lines[0]:
        raise SettingsError(f"--password-file {file} must hold the password and nothing else, on one line.")
    return Secret(lines[0])


def _from_keyring(user: str) -> Secret | None:
    """The keyring's entry; a machine without a keyring simply has none."""
    import keyring
    import keyring.errors

    try:
        value = keyring.get_password(KEYRING_SERVICE, user)
    except (keyring.errors.KeyringError, RuntimeError, OSError):
        return None
    return Secret(value) if value else None
