"""Scenario files: what they give, and how their errors read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.scenario import (
    AS_INSTALLED,
    Authentication,
    Certificate,
    Role,
    ScenarioError,
    load,
    parse,
    scenario_names,
)

SMALL = """
now = 2026-03-02T09:00:00Z
[servers.EX01]
build = "15.2.2562.17"
"""


def test_shipped_scenarios() -> None:
    assert scenario_names() == ("broken", "enabled", "healthy", "large", "mixed")


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_loads_and_belongs_to_nobody(name: str) -> None:
    scenario = load(name)
    hosts = [name.host for name in scenario.names] + [server.fqdn for server in scenario.servers]
    assert all(host.endswith((".test", ".example")) for host in hosts)
    assert scenario.now.tzinfo is not None
    assert scenario.title
    assert scenario.description
    assert Authentication.BASIC in scenario.powershell.https


def test_a_short_file_gives_everything_as_installed() -> None:
    scenario = parse(SMALL, "small")
    (server,) = scenario.servers
    assert server.fqdn == "ex01.contoso.test"
    assert server.roles == {Role.CLIENT_ACCESS, Role.MAILBOX}
    assert server.mapi[0].authentication == AS_INSTALLED
    assert server.mapi[0].internal_url == "https://mail.contoso.test/mapi"
    assert server.autodiscover_uri == "https://autodiscover.contoso.test/Autodiscover/Autodiscover.xml"
    assert [name.host for name in scenario.names] == ["mail.contoso.test", "autodiscover.contoso.test"]
    assert scenario.certificates["main"].names == ("mail.contoso.test", "autodiscover.contoso.test")
    assert scenario.powershell.http == scenario.powershell.https == {Authentication.KERBEROS}
    assert scenario.organisation.mapi_http_enabled is False
    assert len(server.probes) == 4


def test_generations_differ() -> None:
    scenario = load("mixed")
    old, middle = scenario.server("OLD10"), scenario.server("MID13")
    assert old.mapi == ()
    assert old.probes == ()
    assert not old.knows_mapi_http
    assert old.outlook_anywhere is not None
    assert old.outlook_anywhere.internal_hostname is None
    assert middle.knows_mapi_http
    assert middle.mapi


def test_an_edge_server_has_no_web_site() -> None:
    edge = load("enabled").server("EDGE1")
    assert not edge.answers_clients
    assert edge.mapi == ()
    assert edge.outlook_anywhere is None
    assert edge.autodiscover_uri is None


@pytest.mark.parametrize(("name", "count"), [("healthy", 1), ("healthy", 7), ("large", 500), ("mixed", 6)])
def test_scaling(name: str, count: int) -> None:
    scenario = load(name, servers=count)
    assert len({server.name for server in scenario.servers}) == count
    assert len({server.fqdn for server in scenario.servers}) == count
    known = {server.name for server in scenario.servers}
    assert all(known.issuperset(name.servers) and name.servers for name in scenario.names)


def test_a_copied_2010_server_stands_behind_no_name_as_its_pattern_does_not() -> None:
    scenario = load("mixed", servers=6)
    copies = {server.name for server in scenario.servers if not server.knows_mapi_http}
    assert len(copies) == 2
    assert not copies.intersection(*(name.servers for name in scenario.names))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "now is missing"),
        ("now = 2026-03-02T09:00:00", "now needs an offset"),
        ("now = 2026-03-02", "now must be a date and time"),
        ("now = 1999-03-02T09:00:00Z", "now must lie between"),
        ("now = 2026-03-02T09:00:00Z", "servers is missing"),
        ("now = [", "not TOML"),
        (SMALL + "sight = 'Berlin'", "servers.EX01.sight is not known; did you mean site"),
        (SMALL.replace("15.2.2562.17", "15.2"), "servers.EX01.build must be a build"),
        (SMALL + "roles = ['hub']", "servers.EX01.roles must be one of client_access, mailbox, edge"),
        (SMALL + "certificate = 'other'", "servers.EX01.certificate names no certificate"),
        (SMALL + "mapi = [{internal = 'x'}]", "servers.EX01.mapi[0].internal is not known"),
        (SMALL + "mapi = 3", "servers.EX01.mapi must be a list"),
        (SMALL + "[organisation]\ndomain = 'contoso.com'", "organisation.domain must end in .test or .example"),
        (SMALL + "[organisation]\nmapi_http_enabled = 'yes'", 'must be true, false or "absent"'),
        (SMALL + "[names.'mail.contoso.test']\nservers = ['EX9']", "names.mail.contoso.test.servers names no server"),
        (SMALL + "[names.'mail.contoso.test']\nservers = []", "is empty"),
        (SMALL + "[names.'a b']", "must be a host name"),
        (SMALL + "[certificates.main]\nnot_after = 'soon'", "certificates.main.not_after must be days"),
        (SMALL + "[certificates.main]\nnot_after = -100", "must be later than not_before"),
        (SMALL + "[certificates.main]\nnames = ['päth']", "certificates.main.names must be host names"),
        (SMALL + "[certificates.main]\nusages = ['any']", "certificates.main.usages must be of"),
        (SMALL + "[powershell]\nhttp = ['digest']", "powershell.http must be one of kerberos, ntlm, basic"),
        (SMALL + "[[powershell.users]]\nname = 'x'", "powershell.users[0].password is missing"),
        ("faults = ['nothing']\n" + SMALL, "There is no fault 'nothing'"),
        ("count = 0\n" + SMALL, "at least one server"),
    ],
)
def test_an_error_names_its_key(text: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "mine")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_times_of_certificates() -> None:
    def certificate(line: str) -> Certificate:
        return parse(SMALL + "[certificates.main]\n" + line, "mine").certificates["main"]

    assert certificate("not_after = '1s'").not_after == timedelta(seconds=1)
    assert certificate("not_after = 20").not_after == timedelta(days=20)
    assert certificate("not_before = '-12h'").not_before == timedelta(hours=-12)


def test_no_such_scenario_names_those_that_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"no scenario 'nope'.*healthy"):
        load("nope")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert load(path).name == "mine"
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_passwords_are_not_shown() -> None:
    scenario = load("healthy")
    assert scenario.powershell.users[0].password not in repr(scenario)


_KEYS = st.sampled_from(
    ["now", "title", "servers", "names", "certificates", "powershell", "organisation", "clients", "faults", "count"]
)
_INNER = st.sampled_from(
    ["EX01", "main", "mail.contoso.test", "build", "roles", "mapi", "users", "http", "domain", "not_after", "proxy"]
)
_VALUES = st.sampled_from(
    ["true", "-1", "1.5", "'x'", "''", "[]", "[1]", "['a']", "[{}]", "{}", "{a = 1}", "inf", "2026-01-01", "07:32:00"]
)


@given(st.lists(st.tuples(_KEYS, _VALUES), max_size=4), st.lists(st.tuples(_KEYS, _INNER, _INNER, _VALUES), max_size=3))
def test_broken_values_give_one_sentence_or_a_scenario(
    top: list[tuple[str, str]], deep: list[tuple[str, str, str, str]]
) -> None:
    lines = [f"{key} = {value}" for key, value in top]
    lines += [f"{key}.'{inner}'.'{below}' = {value}" for key, inner, below, value in deep]
    text = "\n".join(("now = 2026-03-02T09:00:00Z", *lines, "[servers.EX77]", 'build = "15.2.2562.17"'))
    said = outcome(text)
    assert said is None or said.startswith(("mine: ", "There is no "))


def outcome(text: str) -> str | None:
    """What the loader says against a text."""
    try:
        parse(text, "mine")
    except ScenarioError as error:
        return str(error)
    return None
