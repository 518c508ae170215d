"""--resolve and --nameserver, as they are written."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.network.names import parse_nameserver, parse_resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail.contoso.test:443:192.0.2.1", (("mail.contoso.test", 443), ("192.0.2.1", None))),
        ("MAIL.contoso.test.:443:192.0.2.1:8443", (("mail.contoso.test", 443), ("192.0.2.1", 8443))),
        ("ex01:80:[2001:db8::1]", (("ex01", 80), ("2001:db8::1", None))),
        ("ex01:80:[2001:DB8::1]:8080", (("ex01", 80), ("2001:db8::1", 8080))),
        ("ex01:80:2001:db8::1", (("ex01", 80), ("2001:db8::1", None))),  # as curl takes it too
        ("bücher.test:443:192.0.2.1", (("xn--bcher-kva.test", 443), ("192.0.2.1", None))),
        ("mail_1.contoso.test:443:192.0.2.1", (("mail_1.contoso.test", 443), ("192.0.2.1", None))),
    ],
)
def test_resolve(text: str, expected: object) -> None:
    assert parse_resolve(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "host name"),
        (":443:192.0.2.1", "host name"),
        ("a b:443:192.0.2.1", "host name"),
        ("mail", "port"),
        ("mail:https:192.0.2.1", "port"),
        ("mail:0:192.0.2.1", "port"),
        ("mail:65536:192.0.2.1", "port"),
        ("mail:²:192.0.2.1", "port"),
        ("mail:443", "missing"),
        ("mail:443:", "missing"),
        ("mail:443:mail2", "'mail2' is not an IP address"),
        ("mail:443:192.0.2.256", "not an IP address"),
        ("mail:443:192.0.2.1:", "not a port"),
        ("mail:443:192.0.2.1:x", "not a port"),
        ("mail:443:[2001:db8::1", "brackets"),
        ("mail:443:[2001:db8::1]8443", "brackets"),
        ("mail:443:[192.0.2.1]:99999", "not a port"),
    ],
)
def test_what_is_no_resolve_is_told_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^must be HOST:PORT:ADDRESS") as caught:
        parse_resolve(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_nameserver(text: str, expected: tuple[str, int]) -> None:
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize("text", ["", "dns.contoso.test", "192.0.2.53:", "192.0.2.53:0", "[::1", "https://192.0.2.53"])
def test_what_is_no_nameserver(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be ADDRESS"):
        parse_nameserver(text)


ADDRESSES = st.ip_addresses().map(str)
PORTS = st.integers(1, 65535)


@given(port=PORTS, address=ADDRESSES, other=st.none() | PORTS)
def test_what_is_written_well_is_read_as_written(port: int, address: str, other: int | None) -> None:
    written = f"[{address}]" if ":" in address else address
    entry = f"mail.contoso.test:{port}:{written}" + ("" if other is None else f":{other}")
    assert parse_resolve(entry) == (("mail.contoso.test", port), (address, other))


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.from_regex(r"[a-z.:\[\]0-9]{0,40}", fullmatch=True))
def test_anything_else_is_a_value_error(text: str) -> None:
    for parse in (parse_resolve, parse_nameserver):
        with suppress(ValueError):
            parse(text)
