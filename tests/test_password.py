"""Where the password comes from, in which order, and that it never shows."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from checker.password import (
    ACCOUNT_VARIABLE,
    TOKEN_VARIABLE,
    VARIABLE,
    AccountCredential,
    find_account_credential,
    find_password,
)
from checker.secrets import Secret
from checker.settings import Settings, SettingsError

ROOT = Path(__file__).parents[1]
CANARY = "C4nary-Passw0rd"


ACCOUNT = Settings(server=("ex01",), mailbox="user1@contoso.test")


def never(_question: str) -> str:
    raise AssertionError("nobody may be asked")


def test_the_file_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(CANARY + "\n", encoding="utf-8-sig")
    assert find_password("admin", file, environ={VARIABLE: "other"}, prompt=never).reveal() == CANARY


def test_then_the_environment() -> None:
    assert find_password("admin", None, environ={VARIABLE: CANARY}, prompt=never).reveal() == CANARY


def test_then_the_person_is_asked_by_name() -> None:
    questions = []

    def prompt(question: str) -> str:
        questions.append(question)
        return CANARY

    secret = find_password("CONTOSO\\admin", None, environ={}, prompt=prompt)
    assert secret.reveal() == CANARY
    assert questions == ["Password of CONTOSO\\admin: "]
    assert CANARY not in f"{secret!r} {secret}"


@pytest.mark.parametrize("content", ["", "two\nlines\n", "\xff\xfe", "x" * 5000])
def test_a_file_that_holds_something_else_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError) as caught:
        find_password("admin", file, environ={}, prompt=never)
    assert str(file) in str(caught.value)
    assert not content or content not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        find_password("admin", tmp_path / "none", environ={}, prompt=never)


def test_an_empty_answer_is_no_password() -> None:
    with pytest.raises(SettingsError, match="admin"):
        find_password("admin", None, environ={}, prompt=lambda _question: "")


def test_nobody_is_asked_in_an_unattended_run() -> None:
    with pytest.raises(SettingsError, match="unattended"):
        find_password("admin", None, unattended=True, environ={}, prompt=never)
    with pytest.raises(SettingsError, match="unattended"):
        find_account_credential(replace(ACCOUNT, unattended=True), environ={}, prompt=never)


def test_an_organisation_among_several_has_variables_of_its_own() -> None:
    environ = {VARIABLE: "other", f"{VARIABLE}__CONTOSO_WEST": CANARY}
    assert find_password("admin", None, organisation="contoso-west", environ=environ, prompt=never).reveal() == CANARY
    with pytest.raises(SettingsError, match=f"{VARIABLE}__FABRIKAM"):
        find_password("admin", None, organisation="fabrikam", unattended=True, environ=environ)
    account = replace(ACCOUNT, organisation="contoso-west")
    for variable, expected in (
        (ACCOUNT_VARIABLE, AccountCredential(Secret(CANARY), None)),
        (TOKEN_VARIABLE, AccountCredential(None, Secret(CANARY))),
    ):
        environ = {ACCOUNT_VARIABLE: "other", TOKEN_VARIABLE: "other", f"{variable}__CONTOSO_WEST": CANARY}
        assert find_account_credential(account, environ=environ, prompt=never) == expected


LOCKED = """
import threading
import keyring.backend

class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        threading.Event().wait()  # as one that shows a dialog, and nobody is there

    def set_password(self, service, username, password): ...
    def delete_password(self, service, username): ...
"""


def test_a_keyring_that_waits_for_somebody_holds_up_no_unattended_run(tmp_path: Path) -> None:
    (tmp_path / "locked.py").write_text(LOCKED, encoding="utf-8")
    program = "from checker.password import keyring_in_time; print(keyring_in_time('mapiready', 'admin', 0.5))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHON_KEYRING_BACKEND": "locked.Keyring"},
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


CHECK = """
import sys
from pathlib import Path
from checker.checking import check
from checker.errors import UserError
try:
    check({}, Path(sys.argv[1]))
except UserError as error:
    sys.exit(str(error))
"""


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
@pytest.mark.parametrize("unattended", [False, True])
@pytest.mark.parametrize("who", ["user = 'CONTOSO\\audit'", "mailbox = 'user1@contoso.test'"])
def test_an_unattended_run_asks_nothing_even_on_a_terminal(tmp_path: Path, who: str, unattended: bool) -> None:
    import pty

    config = tmp_path / "contoso.toml"
    config.write_text(f"server = 'ex01.contoso.test'\n{who}\nunattended = {str(unattended).lower()}\n", "utf-8")
    person, terminal = pty.openpty()
    with (
        os.fdopen(person, "r+b", buffering=0) as keys,
        subprocess.Popen(
            [sys.executable, "-c", CHECK, str(config)],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
            start_new_session=True,
        ) as process,
    ):
        os.close(terminal)
        assert process.stderr is not None
        said = process.stderr.read(len("Password of "))
        if said == b"Password of ":
            said += process.stderr.read(len("user: "))
            keys.write(b"\n")  # no password
        said += process.stderr.read()
    assert process.returncode == 1
    assert said.startswith(b"Password of ") is not unattended
    assert (b"nobody is asked in an unattended run" in said) is unattended


# --- the test account -------------------------------------------------------------------------------------------------


def test_without_a_mailbox_there_is_no_test_account() -> None:
    environ = {ACCOUNT_VARIABLE: CANARY, TOKEN_VARIABLE: CANARY}
    assert find_account_credential(Settings(server=("ex01",)), environ=environ, prompt=never) is None


def test_the_account_never_takes_the_administrators_password() -> None:
    found = find_account_credential(ACCOUNT, environ={VARIABLE: "other"}, prompt=lambda _question: CANARY)
    assert found == AccountCredential(Secret(CANARY), None)


def test_a_ticket_needs_no_secret_and_asks_nobody() -> None:
    settings = replace(ACCOUNT, account_ticket=True)
    assert find_account_credential(settings, environ={}, prompt=never) == AccountCredential(None, None)


def test_the_accounts_files_come_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(CANARY + "\n", encoding="utf-8")
    environ = {ACCOUNT_VARIABLE: "other", TOKEN_VARIABLE: "other"}
    password = find_account_credential(replace(ACCOUNT, account_password_file=file), environ=environ, prompt=never)
    token = find_account_credential(replace(ACCOUNT, account_token_file=file), environ=environ, prompt=never)
    assert password == AccountCredential(Secret(CANARY), None)
    assert token == AccountCredential(None, Secret(CANARY))


def test_a_token_of_the_environment_comes_before_its_password() -> None:
    environ = {ACCOUNT_VARIABLE: "other", TOKEN_VARIABLE: CANARY}
    assert find_account_credential(ACCOUNT, environ=environ, prompt=never) == AccountCredential(None, Secret(CANARY))


def test_the_person_is_asked_for_the_password_of_the_sign_in_name() -> None:
    questions = []

    def prompt(question: str) -> str:
        questions.append(question)
        return CANARY

    find_account_credential(replace(ACCOUNT, account="CONTOSO\\user1"), environ={}, prompt=prompt)
    assert questions == ["Password of CONTOSO\\user1: "]
