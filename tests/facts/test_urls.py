"""MAPI URLs are judged by their form: https, a DNS name, the default port, /mapi."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.facts.urls import read_mapi_url, same_host, usable_host


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://mail.contoso.test/mapi", "mail.contoso.test"),
        ("https://mail.contoso.test/mapi/", "mail.contoso.test"),
        ("HTTPS://Mail.Contoso.Test/MAPI", "mail.contoso.test"),
        ("https://mail.contoso.test:443/mapi", "mail.contoso.test"),
        ("https://mail.contoso.test./mapi", "mail.contoso.test"),
        ("https://ma_il.contoso.test/mapi", "ma_il.contoso.test"),
        ("https://bücher.contoso.test/mapi", "xn--bcher-kva.contoso.test"),
        ("https://xn--bcher-kva.contoso.test/mapi", "xn--bcher-kva.contoso.test"),
        ("https://1and1.test/mapi", "1and1.test"),
    ],
)
def test_a_good_url(url: str, host: str) -> None:
    read = read_mapi_url(url)
    assert read.problems == ()
    assert read.host == host
    assert not read.single_label


def test_a_single_label_is_no_problem_of_form() -> None:
    read = read_mapi_url("https://ex01/mapi")
    assert read.problems == ()
    assert read.single_label


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://mail.contoso.test/mapi", "is http, not https"),
        ("mail.contoso.test/mapi", "is no full URL"),
        ("mail.contoso.test:443/mapi", "is no full URL"),
        ("https:///mapi", "names no host"),
        ("https://192.0.2.10/mapi", "names an IP address"),
        ("https://[2001:db8::1]/mapi", "names an IP address"),
        ("https://3221225994/mapi", "names an IP address"),
        ("https://192.0.0x2.0xa/mapi", "names an IP address"),
        ("https://*.contoso.test/mapi", "names no valid DNS name"),
        ("https://mail..contoso.test/mapi", "names no valid DNS name"),
        (f"https://{'a' * 64}.test/mapi", "names no valid DNS name"),
        ("https://mail.contoso.test:8443/mapi", "names port 8443"),
        ("https://mail.contoso.test:99999/mapi", "cannot be read as a URL"),
        ("https://[::1/mapi", "cannot be read as a URL"),
        ("https://user@mail.contoso.test/mapi", "holds a user name"),
        ("https://mail.contoso.test@evil.test/mapi", "holds a user name"),
        ("https://mail.contoso.test/mapi/emsmdb", "has another path than /mapi"),
        ("https://mail.contoso.test", "has another path than /mapi"),
        ("https://mail.contoso.test//mapi", "has another path than /mapi"),
        ("https://mail.contoso.test/mapi?x=1", "holds a query or fragment"),
        ("https://mail.contoso.test/mapi#x", "holds a query or fragment"),
        ("https://mail.contoso.test/mapi?", "holds a query or fragment"),
        ("https://mail.contoso.test/ma pi", "holds characters that no URL has"),
        ("https:\\\\mail.contoso.test\\mapi", "holds characters that no URL has"),
        ("https://mail.contoso.test/mapi\n", "holds characters that no URL has"),
        ("https://mail.contoso.test/mapi\u202e", "holds characters that no URL has"),
    ],
)
def test_a_bad_url(url: str, problem: str) -> None:
    assert read_mapi_url(url).problems == (problem,)


def test_each_problem_is_told() -> None:
    assert len(read_mapi_url("http://192.0.2.10:8080/exchange").problems) == 4


@given(st.text() | st.text().map(lambda tail: "https://" + tail))
def test_no_text_makes_it_raise(url: str) -> None:
    read = read_mapi_url(url)
    assert read.host is None or usable_host(read.host) == read.host


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("mail.contoso.test", "MAIL.contoso.test.", True),
        ("bücher.test", "xn--bcher-kva.test", True),
        ("mail.contoso.test", "owa.contoso.test", False),
        ("", "mail.contoso.test", False),
    ],
)
def test_same_host(one: str, other: str, same: bool) -> None:
    assert same_host(one, other) is same
