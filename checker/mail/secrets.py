"""Where the one secret of the mail comes from: a file, the environment or the OS keyring; nobody is asked (law 10).

It is the password of SMTP or EWS, the secret of the application, or the passphrase of its certificate's key.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from checker.mail.problems import MailError
from checker.secrets import Secret

__all__ = ["KEYRING_SERVICE", "VARIABLE", "Hidden", "find_secret", "secret_from"]

VARIABLE = "MAPIREADY_MAIL_SECRET"
KEYRING_SERVICE = "mapiready-mail"
_MOST = 65536


def find_secret(
    what: str, user: str, file: Path | None, organisation: str | None, environ: Mapping[str, str] | None = None
) -> Secret:
    """The secret of a user or application.

    Raises:
        MailError: there is none, or the file cannot be used.
    """
    found = secret_from(file, VARIABLE, organisation, KEYRING_SERVICE, user, what, environ)
    if found is None:
        raise MailError(
            f"There is no {what} for {user}: name a file in [mail], set {VARIABLE}, or store it with: keyring set"
            f" {KEYRING_SERVICE} {user}"
        )
    return found


def secret_from(
    file: Path | None,
    variable: str,
    organisation: str | None,
    service: str,
    user: str,
    what: str,
    environ: Mapping[str, str] | None = None,
) -> Secret | None:
    """The file's one line, else the variable (that of the organisation first), else the keyring's entry, else None.

    Raises:
        MailError: the file cannot be used.
    """
    if file is not None:
        return _from_file(file, what)
    variables = os.environ if environ is None else environ
    names = ([f"{variable}__{_upper(organisation)}"] if organisation else []) + [variable]
    for name in names:
        if variables.get(name):
            return Secret(variables[name])
    return _from_keyring(service, user)


def _upper(organisation: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", organisation.upper())


def _from_file(file: Path, what: str) -> Secret:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST + 1)
    except OSError as error:
        raise MailError(f"The file of the {what}, {file}, cannot be read: {error.strerror or error}.") from None
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise MailError(f"The file of the {what}, {file}, is not UTF-8 text.") from None
    if len(content) > _MOST or len(lines) != 1 or not lines[0]:
        raise MailError(f"{file} must hold the {what} and nothing else, on one line.")
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


class Hidden:
    """Blots secrets out of the words of servers and libraries."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def add(self, secret: Secret, *users: str) -> None:
        """A secret, in each form in which it may come back."""
        text = secret.reveal()
        forms = {text, repr(text)[1:-1], ascii(text)[1:-1], *(f"\0{user}\0{text}" for user in users)}
        forms |= {f"user={user}\x01auth=Bearer {text}\x01\x01" for user in users}
        self._texts |= forms
        for form in forms:
            with suppress(UnicodeEncodeError):
                self._texts.add(base64.b64encode(form.encode("utf-8")).decode("ascii"))

    def blotted(self, text: str) -> str:
        """The text without any of them."""
        for hidden in _longest_first(self._texts):
            text = text.replace(hidden, "***")
        return text


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted((text for text in texts if text), key=len, reverse=True)
