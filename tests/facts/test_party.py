"""Who answered, by the evidence of headers and body."""

import pytest

from checker import HttpAnswer
from checker.facts.party import Party, described, evidence, party_of, schemes_of
from tests.factories_network import answer, challenge, healthy, nginx


@pytest.mark.parametrize(
    ("given", "party"),
    [
        (challenge(), Party.EXCHANGE),
        (answer(403, headers=[("server", "nginx"), ("x-feserver", "MS")]), Party.EXCHANGE),  # a proxy in between
        (healthy(), Party.EXCHANGE),  # stripped of its headers
        (challenge(exchange=False), Party.UNKNOWN),
        (answer(404, headers=[("server", "Microsoft-IIS/10.0")]), Party.IIS),
        (answer(503, headers=[("server", "Microsoft-HTTPAPI/2.0")]), Party.HTTP_SYS),
        (nginx(403), Party.NGINX),
        (answer(404, b"<hr><center>nginx</center>"), Party.NGINX),
        (answer(503, b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle"), Party.HAPROXY),
        (answer(404, headers=[("server", "Apache/2.4.62 (Debian)")]), Party.APACHE),
        (answer(302, headers=[("location", "https://adfs.contoso.test/adfs/ls")]), Party.LOGIN_PAGE),
        (answer(302, headers=[("location", "/owa/auth/logon.aspx"), ("server", "x")]), Party.LOGIN_PAGE),
        (answer(301, headers=[("location", "https://www.contoso.test/")]), Party.UNKNOWN),
        (answer(200, b'<input name=p TYPE="password">', headers=[("server", "nginx")]), Party.LOGIN_PAGE),
        (answer(200, b"The requested URL was rejected. Please consult"), Party.BLOCK_PAGE),
        (answer(200), Party.UNKNOWN),
        (answer(200, b"\xff" * 100_000), Party.UNKNOWN),
    ],
)
def test_party(given: HttpAnswer, party: Party) -> None:
    assert party_of(given) is party


@pytest.mark.parametrize(
    ("values", "schemes"),
    [
        (["Negotiate", "NTLM"], ("Negotiate", "NTLM")),
        (["Negotiate,NTLM"], ("Negotiate", "NTLM")),
        (['Basic realm="a, NTLM"'], ("Basic",)),
        (['Bearer client_id="0", token_types="a b", authorization_uri="https://x/y"', "NTLM"], ("Bearer", "NTLM")),
        (["Negotiate YII="], ("Negotiate",)),
        (["ntlm", "NTLM"], ("ntlm",)),
        ([""], ()),
        (['"' * 4000], ()),
        ([], ()),
    ],
)
def test_schemes(values: list[str], schemes: tuple[str, ...]) -> None:
    assert schemes_of(answer(401, headers=[("www-authenticate", value) for value in values])) == schemes


def test_words_are_bounded_and_on_one_line() -> None:
    wild = answer(302, headers=[("location", "https://x/\r\n" + "a" * 5000), ("server", "b" * 5000)])
    assert len(described(wild)) < 300
    assert all(len(value) <= 200 and value.isprintable() for _, value in evidence(wild))
