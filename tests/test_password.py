"""Where the password comes from, in which order, and that it never shows."""

from pathlib import Path

import pytest

from checker.password import VARIABLE, find_password
from checker.settings import SettingsError

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
