"""The [mail] and [webhook] tables: what is taken, and what is refused with which sentence."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.mail import read_mail
from checker.mail.settings import (
    EwsSettings,
    GraphSettings,
    MailSettings,
    Security,
    SmtpOauthSettings,
    SmtpSettings,
    When,
)
from checker.webhook import read_webhook

BASE = {"from": "a@contoso.test", "to": ["b@contoso.test"]}
APPLICATION = {"tenant": "contoso.onmicrosoft.test", "client-id": "0000-11"}


def test_a_relay() -> None:
    settings = read_mail(tomllib.loads('from = "a@contoso.test"\nto = "b@contoso.test"\nsmtp.host = "relay.test"\n'))
    assert settings == MailSettings(
        sender="a@contoso.test", to=("b@contoso.test",), transport=SmtpSettings(host="relay.test", port=587)
    )
    assert settings.when is When.ALWAYS
    assert settings.attach == ("html",)
    assert read_mail(settings) is settings


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_the_security(security: str, port: int) -> None:
    transport = read_mail({**BASE, "smtp": {"host": "192.0.2.25", "security": security}}).transport
    assert isinstance(transport, SmtpSettings)
    assert (transport.security, transport.port) == (Security(security), port)


def test_the_other_ways() -> None:
    graph = read_mail({**BASE, "graph": APPLICATION}).transport
    assert isinstance(graph, GraphSettings)
    assert (graph.sender, graph.endpoint) == ("a@contoso.test", "https://graph.microsoft.com")
    assert graph.application.authority == "https://login.microsoftonline.com"
    national = {"authority": "https://login.microsoftonline.us/", "endpoint": "https://graph.microsoft.us"}
    other = read_mail({**BASE, "graph": {**APPLICATION, **national}}).transport
    assert isinstance(other, GraphSettings)
    assert other.application.authority == "https://login.microsoftonline.us"
    oauth = read_mail({**BASE, "smtp-oauth": {**APPLICATION, "sender": "m@contoso.test"}}).transport
    assert isinstance(oauth, SmtpOauthSettings)
    assert (oauth.host, oauth.port, oauth.sender) == ("smtp.office365.com", 587, "m@contoso.test")
    ews = read_mail({**BASE, "ews": {"endpoint": "https://ex01.test/EWS/Exchange.asmx", "user": "C\\u"}}).transport
    assert isinstance(ews, EwsSettings)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("x", "must be a table"),
        (BASE, "says not how to send"),
        ({**BASE, "smtp": {"host": "a.test"}, "graph": APPLICATION}, "has smtp and graph"),
        ({"to": ["b@contoso.test"], "smtp": {"host": "a.test"}}, "needs from"),
        ({"from": "b@contoso.test", "smtp": {"host": "a.test"}}, "needs to"),
        ({**BASE, "smtp": {}}, "needs smtp.host"),
        ({**BASE, "smtp": "a.test"}, "must be a table"),
        ({**BASE, "to": [], "smtp": {"host": "a.test"}}, "to must be a list of addresses"),
        ({**BASE, "to": ["b@contoso.test\r\nBcc: x@evil.test"], "smtp": {"host": "a.test"}}, "to must be"),
        ({**BASE, "to": ["Name <b@contoso.test>"], "smtp": {"host": "a.test"}}, "to must be"),
        ({**BASE, "when": "never", "smtp": {"host": "a.test"}}, "when must be one of always, failure, change"),
        ({**BASE, "attach": ["pdf"], "smtp": {"host": "a.test"}}, "attach must be a list of formats"),
        ({**BASE, "timeout": 0, "smtp": {"host": "a.test"}}, "timeout must be a number of seconds"),
        ({**BASE, "subject": "x", "smtp": {"host": "a.test"}}, "has no use for subject"),
        ({**BASE, "smtp": {"host": "smtp://a.test"}}, "smtp.host must be a host name"),
        ({**BASE, "smtp": {"host": "a.test", "port": 0}}, "smtp.port must be a whole number"),
        ({**BASE, "smtp": {"host": "a.test", "user": "u", "security": "none"}}, "clear text"),
        ({**BASE, "smtp": {"host": "a.test", "password-file": "p"}}, "of no use without smtp.user"),
        ({**BASE, "graph": {"tenant": "x.test"}}, "needs graph.client-id"),
        ({**BASE, "graph": {**APPLICATION, "tenant": "../x"}}, "graph.tenant must be an id"),
        ({**BASE, "graph": {**APPLICATION, "endpoint": "http://graph.test"}}, "must be an https:// address"),
        (
            {**BASE, "graph": {**APPLICATION, "client-secret-file": "a", "certificate-file": "b"}},
            "exclude each other",
        ),
        ({**BASE, "graph": {**APPLICATION, "certificate-key-file": "b"}}, "of no use without graph.certificate-file"),
        (
            {**BASE, "ews": {"endpoint": "https://outlook.office365.com/EWS/Exchange.asmx", "user": "u"}},
            "has switched EWS off",
        ),
    ],
)
def test_what_is_refused(value: object, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_mail(value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {**BASE, "password": "canary", "smtp": {"host": "a.test"}},
        {**BASE, "smtp": {"host": "a.test", "user": "u", "password": "canary"}},
        {**BASE, "graph": {**APPLICATION, "client-secret": "canary"}},
        {**BASE, "smtp": {"host": "a.test", "Token": "canary"}},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(value: object) -> None:
    with pytest.raises(ValueError, match="a secret does not belong in this file") as caught:
        read_mail(value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_webhook() -> None:
    settings = read_webhook({"when": "failure", "url-file": ["a.url", "b.url"], "timeout": 5})
    assert (settings.when, settings.url_file, settings.timeout) == (When.FAILURE, (Path("a.url"), Path("b.url")), 5.0)
    assert read_webhook({"url-file": "a.url"}).url_file == (Path("a.url"),)
    assert read_webhook({}).url_file == ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "must be a table"),
        ({"url": "https://hooks.slack.com/services/canary"}, "is a secret and does not belong in this file"),
        ({"token": "canary"}, "a secret does not belong"),
        ({"when": "often"}, "when must be one of"),
        ({"url-file": [1]}, "url-file must be"),
        ({"timeout": True}, "timeout must be"),
        ({"retries": 3}, "has no use for retries"),
    ],
)
def test_what_a_webhook_refuses(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_webhook(value)
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(["host", "port", "security", "user", "tenant", "client-id", "endpoint", "sender", "authority"])


@pytest.mark.fuzz
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "from": _VALUES,
            "to": _VALUES,
            "attach": _VALUES,
            "when": _VALUES,
            **{way: st.dictionaries(_KEYS, _VALUES) | _VALUES for way in ("smtp", "graph", "smtp-oauth", "ews")},
        },
    )
)
def test_anything_is_read_or_refused_with_a_sentence(value: dict[str, Any]) -> None:
    for read in (read_mail, read_webhook):
        try:
            read(value)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - either is right
