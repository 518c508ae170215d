"""Where the password comes from, in which order, and that it never shows."""

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

CANARY = "C4nary-Passw0rd"


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


# --- the test account -------------------------------------------------------------------------------------------------

ACCOUNT = Settings(server=("ex01",), mailbox="user1@contoso.test")


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
