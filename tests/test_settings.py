"""Settings: options over file over default; every error names its option or key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.facts.run import Vantage, VantagePoint
from checker.mail.settings import SmtpSettings
from checker.results import FailOn, Stage
from checker.settings import (
    KEYS,
    Authentication,
    Scheme,
    Settings,
    SettingsError,
    common_output,
    load_organisations,
    load_settings,
    organisation_names,
    parse_vantage,
)

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


def test_what_is_written_begins_at_the_folder_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "server = 'ex01'\nkeep = 'k'\nhistory = 'h.db'\nlog = 'l'\ndebug = '/d'\n")
    settings = load_settings({}, file)
    assert (settings.keep, settings.debug) == (tmp_path / "k", Path("/d"))
    assert (settings.history, settings.log) == (str(tmp_path / "h.db"), str(tmp_path / "l"))
    assert load_settings({**SERVER, "history": "h.db", "log": "-"}, None).history == "h.db"
    for same in ("default", "postgresql://db.contoso.test/mapiready"):
        assert load_settings({}, written(tmp_path, f"server = 'ex01'\nhistory = '{same}'\n")).history == same
    assert load_settings({}, written(tmp_path, "server = 'ex01'\nlog = '-'\n")).log == "-"


def test_a_password_in_the_url_of_a_history_is_not_shown(tmp_path: Path) -> None:
    file = written(tmp_path, "server = 'ex01'\nhistory = 'postgresql://u:c4nary@host:x/db'\n")
    with pytest.raises(SettingsError, match="history") as caught:
        load_settings({}, file)
    assert str(file) in str(caught.value)
    assert "c4nary" not in str(caught.value)


# --- several organisations --------------------------------------------------------------------------------------------

SEVERAL = """
output = "reports"
timeout = 10
keep = "run.mapiready"
[[waiver]]
check = "cert-expires-soon"
subject = "mail.contoso.test"
reason = "ordered"
until = 2026-12-31
[mail]
from = "mapiready@contoso.test"
to = ["all@contoso.test"]
[mail.smtp]
host = "relay.contoso.test"
password-file = "relay"
user = "relay"
[organisations.contoso]
server = "ex01.contoso.test"
[organisations.fabrikam]
server = "mx1.fabrikam.test"
timeout = 20
output = "elsewhere/"
ca-file = "fabrikam.pem"
waiver = []
mail.to = ["it@fabrikam.test"]
mail.smtp.host = "relay.fabrikam.test"
"""


def several(folder: Path, text: str = SEVERAL, **options: object) -> dict[str | None, Settings]:
    return dict(load_organisations(options, written(folder, text)))


def test_an_organisation_has_the_common_settings_and_its_own_win(tmp_path: Path) -> None:
    loaded = several(tmp_path)
    contoso, fabrikam = loaded["contoso"], loaded["fabrikam"]
    assert list(loaded) == ["contoso", "fabrikam"] == list(organisation_names(tmp_path / "contoso.toml"))
    assert (contoso.organisation, contoso.server, contoso.timeout) == ("contoso", ("ex01.contoso.test",), 10)
    assert (fabrikam.server, fabrikam.timeout, fabrikam.ca_file) == (
        ("mx1.fabrikam.test",),
        20,
        tmp_path / "fabrikam.pem",
    )
    assert [waiver.check for waiver in contoso.waiver] == ["cert-expires-soon"]
    assert fabrikam.waiver == ()
    assert several(tmp_path, timeout="5")["fabrikam"].timeout == 5


def test_the_table_of_the_mail_is_put_together_and_its_way_is_one(tmp_path: Path) -> None:
    loaded = several(tmp_path)
    contoso, fabrikam = loaded["contoso"].mail, loaded["fabrikam"].mail
    assert contoso is not None
    assert fabrikam is not None
    assert (contoso.sender, contoso.to) == ("mapiready@contoso.test", ("all@contoso.test",))
    assert (fabrikam.sender, fabrikam.to) == ("mapiready@contoso.test", ("it@fabrikam.test",))
    assert isinstance(contoso.transport, SmtpSettings)
    assert isinstance(fabrikam.transport, SmtpSettings)
    assert contoso.transport.password_file == tmp_path / "relay"
    assert (fabrikam.transport.host, fabrikam.transport.password_file) == ("relay.fabrikam.test", None)


def test_a_common_place_has_a_folder_for_each(tmp_path: Path) -> None:
    loaded = several(tmp_path)
    assert Path(loaded["contoso"].output or "") == Path("reports/contoso")
    assert loaded["fabrikam"].output == "elsewhere/"
    assert loaded["contoso"].keep == tmp_path / "contoso" / "run.mapiready"
    assert Path(several(tmp_path, output="here")["fabrikam"].output or "") == Path("here/fabrikam")
    assert common_output({}, tmp_path / "contoso.toml") == "reports"
    assert common_output({"output": "here"}, tmp_path / "contoso.toml") == "here"


def test_the_file_of_a_single_one_is_one_without_a_name(tmp_path: Path) -> None:
    ((name, settings),) = load_organisations({}, written(tmp_path, "server = 'ex01'\n"))
    assert (name, settings.organisation) == (None, None)
    with pytest.raises(SettingsError, match="--organisation"):
        load_organisations({}, tmp_path / "contoso.toml", ("contoso",))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("organisations = 3", "[organisations.contoso]"),
        ("[organisations]", "[organisations.contoso]"),
        ("[[organisations]]\nserver = 'x'", "[organisations.contoso]"),
        ("[organisations.'../x']\nserver = 'x'", "folder"),
        ("[organisations.'a.']\nserver = 'x'", "folder"),
        ("[organisations.nul]\nserver = 'x'", "folder"),
        ("[organisations.a-b]\nserver = 'x'\n[organisations.A_B]\nserver = 'x'", "alike"),
        ("[organisations.a]", "SERVER"),
        ("[organisations.a]\nserver = 'x'\nsessions = 9", "organisations.a.sessions"),
        ("sessions = 9\n[organisations.a]\nserver = 'x'", "toml: sessions"),
        ("[organisations.a]\nserver = 'x'\nlog = 'l'", "log"),
        ("[organisations.a]\nserver = 'x'\npassword = 'c4nary'", "a secret does not belong"),
        ("[organisations.a]\nserver = 'x'\nca_file = 'y'", "do you mean ca-file"),
        ("[organisations.a]\nserver = 'x'\norganisations = {}", "no setting"),
        (
            "[organisations.a]\nserver = 'x'\noutput = 'o'\n[organisations.b]\nserver = 'x'\noutput = './o'",
            "both write",
        ),
    ],
)
def test_an_error_of_an_organisation_names_its_table(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        several(tmp_path, text)
    assert named in str(caught.value)
    assert "c4nary" not in str(caught.value)


def test_a_command_that_works_on_one_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="several organisations"):
        load_settings({}, written(tmp_path, SEVERAL))


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
