"""Questions about certificates, each with one answer, whatever else is wrong with the certificate."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from checker.x509 import (
    Certificate,
    Trust,
    UncheckableNameError,
    UnreadableCertificate,
    covers,
    only_cn_names,
    read,
    trace,
)
from tests.factories_network import AT, DAY, Issued, intermediate, issue, root, with_negative_serial

SECOND = timedelta(seconds=1)


def certificate(issued: Issued) -> Certificate:
    link = read(issued.der)
    assert isinstance(link, Certificate)
    return link


def traced(*sent: Issued, store: tuple[Issued, ...] = ()) -> tuple[Trust, list[str], list[str]]:
    chain = trace(
        certificate(sent[0]),
        [read(issued.der) for issued in sent[1:]],
        [issued.der for issued in store or (root(),)],
        AT,
    )
    return chain.trust, [link.label for link in chain.path], [link.label for link in chain.from_store]


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (["mail.contoso.test"], "mail.contoso.test", True),
        (["MAIL.Contoso.TEST"], "mail.contoso.test", True),
        (["*.contoso.test"], "mail.contoso.test", True),
        (["*.contoso.test"], "mail.emea.contoso.test", False),  # a wildcard is one label deep
        (["*.contoso.test"], "contoso.test", False),
        (["xn--bcher-kva.test"], "xn--bcher-kva.test", True),
        (["ex01"], "ex01", True),  # a single label
        ([f"n{number}.contoso.test" for number in range(100)], "n99.contoso.test", True),
        (["mail_1.contoso.test", "mail.contoso.test"], "mail.contoso.test", True),  # an odd neighbour does no harm
        (["mail.contoso.test.evil.test"], "mail.contoso.test", False),
        (["other.test"], "mail.contoso.test", False),
        (None, "mail.contoso.test", False),  # in the CN alone
    ],
)
def test_names(names: list[str] | None, host: str, expected: bool) -> None:
    leaf = issue("mail.contoso.test", names=names, first=-900 * DAY, last=-800 * DAY, usages=["1.3.6.1.5.5.7.3.2"])
    assert covers(certificate(leaf), host) is expected


@pytest.mark.parametrize(
    ("common_name", "names", "host", "expected"),
    [
        ("mail.contoso.test", None, "mail.contoso.test", True),
        ("*.contoso.test", None, "mail.contoso.test", True),
        ("mail.contoso.test", None, "other.test", False),
        ("mail.contoso.test", ["other.test"], "mail.contoso.test", False),  # with a SAN the CN does not count
        ("Münchner Post", None, "mail.contoso.test", False),
        (None, None, "mail.contoso.test", False),
    ],
)
def test_the_common_name_counts_only_without_other_names(
    common_name: str | None, names: list[str] | None, host: str, expected: bool
) -> None:
    assert only_cn_names(certificate(issue(common_name, names=names)), host) is expected


def test_a_name_with_an_underscore_is_said_to_be_uncheckable() -> None:
    with pytest.raises(UncheckableNameError, match=r"mail_1\.contoso\.test"):
        covers(certificate(issue(names=["mail_1.contoso.test"])), "mail_1.contoso.test")


def test_what_is_read_is_what_windows_shows() -> None:
    leaf = certificate(issue("mail.contoso.test", names=["mail.contoso.test", "*.contoso.test"], by=intermediate()))
    assert leaf.thumbprint == leaf.thumbprint.upper()
    assert len(leaf.thumbprint) == 40
    assert leaf.dns_names == ("mail.contoso.test", "*.contoso.test")
    assert leaf.issuer == "CN=Test Issuing CA"
    assert (leaf.key, leaf.signature_hash) == ("EC secp256r1", "sha256")
    assert leaf.serves
    assert not leaf.is_authority
    assert not leaf.self_issued


@pytest.mark.parametrize(
    ("usages", "serves"),
    [
        (["1.3.6.1.5.5.7.3.1"], True),
        (["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"], True),
        (["2.5.29.37.0"], True),
        (None, True),  # no extension: any use
        (["1.3.6.1.5.5.7.3.2"], False),
    ],
)
def test_usage(usages: list[str] | None, serves: bool) -> None:
    assert certificate(issue(usages=usages)).serves is serves


@pytest.mark.parametrize(
    ("last", "valid"), [(timedelta(0), True), (-SECOND, False), (SECOND, True)], ids=["to the second", "past", "left"]
)
def test_the_last_second_counts(last: timedelta, valid: bool) -> None:
    assert certificate(issue(last=last)).valid_at(AT + timedelta(microseconds=999_999)) is valid


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x80\x00\x00", b"no certificate", b"\x00" * 100_000])
def test_what_is_no_certificate_is_unreadable_and_nothing_worse(junk: bytes) -> None:
    assert isinstance(read(junk), UnreadableCertificate)


def test_a_negative_serial_number_is_read_or_unreadable_and_never_raises() -> None:
    link = read(with_negative_serial(issue(by=intermediate())))
    if isinstance(link, UnreadableCertificate):  # as the library has it
        assert link.why
    else:
        assert link.serial.startswith("-")
        assert covers(link, "mail.contoso.test")
        assert trace(link, [read(intermediate().der)], [root().der], AT).trust is Trust.BROKEN_SIGNATURE


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_no_damage_makes_reading_or_tracing_raise(place: int, value: int) -> None:
    damaged = bytearray(LEAF.der)
    damaged[place % len(damaged)] = value
    link = read(bytes(damaged))
    if isinstance(link, Certificate):
        trace(link, [read(intermediate().der)], [root().der], AT)


LEAF = issue(by=intermediate())
COMPLETE = ["mail.contoso.test", "Test Issuing CA", "Test Root"]


def test_paths_to_a_root() -> None:
    assert traced(LEAF, intermediate()) == (Trust.TRUSTED, COMPLETE, [])
    assert traced(LEAF, intermediate(), root()) == (Trust.TRUSTED, COMPLETE, [])  # the root sent too
    assert traced(LEAF, root(), intermediate()) == (Trust.TRUSTED, COMPLETE, [])  # in any order
    assert traced(issue(by=root())) == (Trust.TRUSTED, ["mail.contoso.test", "Test Root"], [])


def test_an_intermediate_that_only_the_store_has() -> None:
    trust, _, from_store = traced(LEAF, store=(root(), intermediate()))
    assert (trust, from_store) == (Trust.TRUSTED, ["Test Issuing CA"])


@pytest.mark.parametrize("first_last", [(-900 * DAY, -SECOND), (SECOND, 100 * DAY)], ids=["expired", "not yet valid"])
def test_dates_do_not_break_a_chain(first_last: tuple[timedelta, timedelta]) -> None:
    leaf = issue(by=intermediate(), first=first_last[0], last=first_last[1])
    assert traced(leaf, intermediate()) == (Trust.TRUSTED, COMPLETE, [])


def test_an_expired_cross_certificate_that_nobody_needs_is_not_in_the_path() -> None:
    old_root = issue("Old Root", ca=True, first=-4000 * DAY, last=-10 * DAY)
    cross = issue("Test Root", ca=True, by=old_root, key=root().key, first=-3000 * DAY, last=-10 * DAY)
    assert traced(LEAF, intermediate(), cross) == (Trust.TRUSTED, COMPLETE, [])
    assert traced(LEAF, intermediate(), cross, store=(root(), old_root)) == (Trust.TRUSTED, COMPLETE, [])


def test_an_expired_leaf_still_prefers_intermediates_that_are_valid() -> None:
    expired = issue("Test Issuing CA", ca=True, by=root(), key=intermediate().key, first=-2000 * DAY, last=-DAY)
    leaf = issue(by=intermediate(), first=-90 * DAY, last=-SECOND)
    chain = trace(certificate(leaf), [read(expired.der), read(intermediate().der)], [root().der], AT)
    assert [link.valid_at(AT) for link in chain.path] == [False, True, True]


def test_an_expired_intermediate_that_is_needed_is_in_the_path() -> None:
    expired = issue("Test Issuing CA", ca=True, by=root(), key=intermediate().key, first=-2000 * DAY, last=-DAY)
    chain = trace(certificate(LEAF), [read(expired.der)], [root().der], AT)
    assert chain.trust is Trust.TRUSTED
    assert [link.valid_at(AT) for link in chain.dated] == [True, False]


def test_without_key_identifiers_as_exchange_makes_its_own() -> None:
    own = issue(identifiers=False)
    assert traced(own)[0] is Trust.SELF_SIGNED
    assert traced(own, store=(own,))[0] is Trust.TRUSTED


def test_why_there_is_no_path() -> None:
    unknown = issue("Unknown Root", ca=True)
    broken = bytearray(LEAF.der)
    broken[-1] ^= 1
    link = read(bytes(broken))
    assert isinstance(link, Certificate)
    assert traced(LEAF)[0] is Trust.ISSUER_NOT_SENT
    assert traced(issue(by=unknown), unknown)[0] is Trust.ROOT_UNKNOWN
    assert traced(issue(by=issue("Issuing", ca=True, by=unknown)))[0] is Trust.ISSUER_NOT_SENT
    assert trace(link, [read(intermediate().der)], [root().der], AT).trust is Trust.BROKEN_SIGNATURE
    no_authority = issue("no authority", by=intermediate())
    assert traced(issue(by=no_authority), no_authority, intermediate())[0] is Trust.NOT_AN_AUTHORITY


def test_an_authority_of_the_same_name_with_another_key_is_another_one() -> None:
    renewed = issue("Test Root", ca=True, key=ec.generate_private_key(ec.SECP256R1()))
    assert traced(issue(by=root()), store=(renewed,))[0] is Trust.ISSUER_NOT_SENT


def test_more_certificates_than_anybody_needs_are_not_all_looked_at() -> None:
    many = [issue(f"CA {number}", ca=True) for number in range(40)]
    assert traced(LEAF, intermediate(), *many)[0] is Trust.TRUSTED
