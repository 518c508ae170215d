"""Properties are read in every shape; what is absent or unreadable is NotCollected, and nothing makes reading raise."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import CmdletAnswer, CmdletCall, NotCollected, PSObject, Reason
from checker.answers import PSValue
from checker.facts.reading import Bag, bags, boolean, shown, strings, text, url, version
from checker.facts.versions import Version
from tests.answers import directory_object, enumeration, methods, server_version, several


def bag(value: PSValue, name: str = "Setting") -> Bag:
    thing = PSObject(("Microsoft.Exchange.Thing",), "thing", {name: value})
    (found,) = bags(CmdletAnswer(CmdletCall.of("Get-Thing"), "EX01", (thing,), (), (), 0.1))
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("EX01", "EX01"),
        ("  EX01 ", "EX01"),
        (None, None),
        ("", None),
        (directory_object("EX01"), "EX01"),
        (PSObject((), None, {"Name": "EX01"}), "EX01"),
        (PSObject((), "", {"name": "EX01"}), "EX01"),
        (enumeration("ServerRole", "Mailbox", 2), "Mailbox"),
        (PSObject((), None, value=2), "2"),
        ({"Value": "EX01"}, "EX01"),
        (several("EX01"), "EX01"),
        (["a", "b"], "a, b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00+00:00"),
    ],
)
def test_text(value: PSValue, expected: str | None) -> None:
    assert text(bag(value), "Setting") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("True", True),
        ("false", False),
        ("$true", True),
        (0, False),
        (1, True),
        (PSObject((), "False", value=False), False),
        (PSObject((), None, value=True), True),
    ],
)
def test_boolean(value: PSValue, expected: bool) -> None:
    assert boolean(bag(value), "Setting") is expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.PROPERTY_ABSENT),
        ("", Reason.MALFORMED),
        ("Ja", Reason.MALFORMED),
        (2, Reason.MALFORMED),
        ([], Reason.MALFORMED),
    ],
)
def test_what_is_neither_yes_nor_no_is_not_no(value: PSValue, reason: Reason) -> None:
    read = boolean(bag(value), "Setting")
    assert isinstance(read, NotCollected)
    assert read.reason is reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (methods("Ntlm", "OAuth", "Negotiate"), ("Ntlm", "OAuth", "Negotiate")),
        (["Ntlm", "OAuth"], ("Ntlm", "OAuth")),
        ("Ntlm, OAuth", ("Ntlm", "OAuth")),
        ("{Ntlm, OAuth}", ("Ntlm", "OAuth")),
        ("Ntlm", ("Ntlm",)),
        (enumeration("ServerRole", "Mailbox, ClientAccess", 6), ("Mailbox", "ClientAccess")),
        (several(), ()),
        ([None, "Ntlm", ""], ("Ntlm",)),
        ([2, 10], ("2", "10")),
        (None, ()),
        ("", ()),
    ],
)
def test_strings(value: PSValue, expected: tuple[str, ...]) -> None:
    assert strings(bag(value), "Setting") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (server_version("Version 15.2 (Build 986.5)"), Version(15, 2, 986, 5)),
        ("Version 15.2 (Build 986.5)", Version(15, 2, 986, 5)),
        ("Version 14.3 (Build 123.4)", Version(14, 3, 123, 4)),
        ("Version 15.1 (Build 32507.6)", Version(15, 1, 2507, 6)),
        ("15.2.986.5", Version(15, 2, 986, 5)),
        ("15.02.0986.005", Version(15, 2, 986, 5)),
        (PSObject((), None, {"Major": 15, "minor": 0, "Build": 847, "Revision": 32}), Version(15, 0, 847, 32)),
        ({"Major": 15, "Minor": 0, "Build": 30847, "Revision": 32}, Version(15, 0, 847, 32)),
    ],
)
def test_version(value: PSValue, expected: Version) -> None:
    assert version(bag(value), "Setting") == expected


@pytest.mark.parametrize("value", [None, "", "15.2", "Version 15", 15, "15.2.986.5.1", {"Major": 15, "Minor": 2}])
def test_half_a_version_is_none(value: PSValue) -> None:
    read = version(bag(value), "Setting")
    assert isinstance(read, NotCollected)
    assert read.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://mail.contoso.test/mapi", "https://mail.contoso.test/mapi"),
        (PSObject(("System.Uri",), "https://mail.contoso.test/mapi"), "https://mail.contoso.test/mapi"),
        (
            {"AbsoluteUri": "https://mail.contoso.test/mapi", "OriginalString": "https://MAIL.contoso.test/mapi"},
            "https://MAIL.contoso.test/mapi",
        ),
        (PSObject((), None, {"AbsoluteUri": "https://mail.contoso.test/mapi"}), "https://mail.contoso.test/mapi"),
        (None, None),
        ("", None),
    ],
)
def test_url(value: PSValue, expected: str | None) -> None:
    assert url(bag(value), "Setting") == expected


READERS: list[Callable[[Bag, str], object]] = [text, boolean, strings, version, url]


@pytest.mark.parametrize("read", READERS)
def test_an_absent_property_says_which_whose_and_where(read: Callable[[Bag, str], object]) -> None:
    absent = read(bag("x", name="Other"), "Setting")
    assert isinstance(absent, NotCollected)
    assert absent.reason is Reason.PROPERTY_ABSENT
    assert all(word in absent.sentence for word in ("Setting", "Get-Thing", "EX01"))


def test_names_of_properties_have_no_case() -> None:
    assert text(bag("x", name="SETTING"), "Setting") == "x"


def test_an_object_that_is_no_object_is_missed_and_not_skipped() -> None:
    answer = CmdletAnswer(CmdletCall.of("Get-Thing"), "EX01", ("EX02", None, several(bag_of("EX03"))), (), (), 0.1)
    assert [text(found, "Name") for found in bags(answer)][2] == "EX03"
    assert all(isinstance(text(found, "Name"), NotCollected) for found in bags(answer)[:2])


def bag_of(name: str) -> PSObject:
    return PSObject((), name, {"Name": name})


def test_a_text_that_no_directory_holds_is_refused() -> None:
    assert isinstance(text(bag("x" * 5000), "Setting"), NotCollected)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("One.\r\nTwo.", "One. Two"),
        ("\x1b[31mred\u202e", "[31mred"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_text_of_a_server_stays_one_visible_line(said: str, expected: str) -> None:
    assert shown(said) == expected


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
)
KEYS = (
    st.sampled_from(["Name", "Value", "AbsoluteUri", "Major", "Minor", "Build", "Revision"]) | st.text() | st.integers()
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(KEYS.filter(lambda key: isinstance(key, str)), inner, max_size=4)
    things = st.builds(PSObject, st.just(("T",)), st.none() | st.text(), properties, inner)
    return st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | things | things.map(_cycle)


def _cycle(thing: PSObject) -> PSObject:
    thing.properties["Name"] = thing
    thing.value = [thing, thing.value]
    return thing


VALUES: st.SearchStrategy[Any] = st.recursive(SCALARS, _objects, max_leaves=12)


@given(VALUES)
def test_no_value_makes_reading_raise(value: PSValue) -> None:
    found = bag(value)
    assert isinstance(text(found, "Setting"), str | None | NotCollected)
    assert isinstance(boolean(found, "Setting"), bool | NotCollected)
    assert isinstance(strings(found, "Setting"), tuple | NotCollected)
    assert isinstance(version(found, "Setting"), Version | NotCollected)
    assert isinstance(url(found, "Setting"), str | None | NotCollected)
    assert isinstance(bags(CmdletAnswer(CmdletCall.of("Get-Thing"), "EX01", (value,), (), (), 0.1)), tuple)


def test_what_has_no_text_or_no_end_is_refused() -> None:
    ring = PSObject((), None)
    ring.value = ring
    heap: list[PSValue] = ["x"] * 1000
    for _ in range(6):
        heap = [heap] * 1000
    for value in (ring, heap, PSObject((), None, {"Name": heap}), timedelta(1), b"\x00", 10**5000):
        assert isinstance(text(bag(value), "Setting"), NotCollected)
