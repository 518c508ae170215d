"""Settings: options over file over default; every error names its option or key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.facts.run import Vantage, VantagePoint
from checker.results import FailOn, Stage
from checker.settings import KEYS, Authentication, Scheme, SettingsError, load_settings, parse_vantage

SERVER = {"server": ["ex01.contoso.test"]}


def written(folder: Path, text: str) -> Path:
    file = folder / "contoso.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_are_as_exchange_has_it() -> None:
    settings = load_settings(SERVER, None)
    assert (settings.auth, settings.scheme, settings.powershell_port, settings.path) == (
        Authentication.KERBEROS,
        Scheme.HTTP,
        80,
        "/PowerShell/",
    )
    assert (settings.sessions, settings.stage, settings.fail_on) == (4, None, FailOn.BLOCKER)
    assert load_settings({**SERVER, "scheme": "https"}, None).powershell_port == 443


def test_the_option_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = written(tmp_path, 'server = ["ex09"]\nsessions = 2\nstage = "verify"\nvantage = "outside:home office"\n')
    settings = load_settings({**SERVER, "sessions": "3"}, file)
    assert settings.server == ("ex01.contoso.test",)
    assert (settings.sessions, settings.stage) == (3, Stage.VERIFY)
    assert settings.vantage == Vantage(VantagePoint.OUTSIDE, "home office")


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'server = "ex01"\nca-file = "ca.pem"\n')
    assert load_settings({}, file).ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("server = 3", "server"),
        ("sessions = 9", "sessions"),
        ("sessions = true", "sessions"),
        ('auth = "digest"', "auth"),
        ("deadline = nan", "deadline"),
        ('port = "0"', "port"),
        ("password = 'c4nary'", "a secret does not belong"),
        ("account-token = 'c4nary'", "a secret does not belong"),
        ("mailbox = 'user'", "mailbox"),
        ("mailbox = 'user@mail box'", "mailbox"),
        ("ca_file = 'x'", "do you mean ca-file"),
        ("colour = 'red'", "colour"),
        ("server = [", "is not TOML"),
        ("resolve = ['mail.contoso.test']", "resolve"),
        ("now = 'tomorrow'", "now"),
        ("vantage = 'inside:'", "vantage"),
        ("format = ['pdf']", "format"),
    ],
)
def test_an_error_of_the_file_names_the_file_and_the_key(tmp_path: Path, text: str, named: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(SERVER, file)
    assert str(file) in str(caught.value)
    assert named in str(caught.value)
    assert "c4nary" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "SERVER"),
        ({"server": ["https://ex01"]}, "https://ex01"),
        ({**SERVER, "auth": "basic", "user": "x"}, "clear text"),
        ({**SERVER, "auth": "basic", "scheme": "https"}, "--user"),
        ({**SERVER, "password-file": "x"}, "--user"),
        ({**SERVER, "account": "x"}, "--account"),
        ({**SERVER, "account-ticket": True}, "--mailbox"),
        (
            {**SERVER, "mailbox": "u@contoso.test", "account-ticket": True, "account-token-file": "x"},
            "exclude each other",
        ),
        ({**SERVER, "timeout": "-1"}, "--timeout"),
        ({**SERVER, "path": "http://x/PowerShell"}, "--path"),
    ],
)
def test_an_error_of_an_option_names_the_option(options: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(options, None)
    assert named in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(SERVER, tmp_path / "none.toml")


def test_now_without_an_offset_is_utc() -> None:
    assert load_settings({**SERVER, "now": "2027-01-31T08:00:00"}, None).now == datetime(2027, 1, 31, 8, tzinfo=UTC)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(KEYS)), value=anything)
def test_no_value_whatsoever_gives_another_error_than_ours(key: str, value: object) -> None:
    try:
        load_settings({**SERVER, key: value}, None)
    except SettingsError as error:
        assert str(error)  # noqa: PT017 - that it is ours is what is asserted


@given(label=st.text(min_size=1).filter(lambda text: text == text.strip() and text))
def test_a_vantage_reads_back_as_written(label: str) -> None:
    vantage = Vantage(VantagePoint.OUTSIDE, label)
    assert parse_vantage(str(vantage)) == vantage
