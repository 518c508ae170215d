"""Autodiscover of the lab: what it tells whom, by [MS-OXDSCLI]."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import dns.rcode
import httpx
import pytest

from lab.organisation import RunningLab
from tests.lab.asking import look_up, port_of
from tests.lab.client import AUTODISCOVER, MAIL, Answer, Client, basic, lab_today

PATH = "/autodiscover/autodiscover.xml"
REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
A = f"{{{RESPONSE}}}"
CAPABLE = {"X-MapiHttpCapability": "1"}


def body(address: str, schema: str = RESPONSE) -> bytes:
    return (
        f'<Autodiscover xmlns="{REQUEST}"><Request><EMailAddress>{address}</EMailAddress>'
        f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    ).encode()


def ask(
    lab: RunningLab, more: dict[str, str] | None = None, *, content: bytes | None = None, path: str = PATH
) -> Answer:
    headers = {**basic(lab.account.address, lab.account.password), "Content-Type": "text/xml", **(more or {})}
    with Client(lab, AUTODISCOVER) as client:
        return client.ask("POST", path, headers, body(lab.account.address) if content is None else content)


def told(answer: Answer) -> ET.Element:
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    return ET.fromstring(answer.body)


def protocols(answer: Answer) -> list[str]:
    found = told(answer).iter(f"{A}Protocol")
    return [protocol.get("Type") or protocol.findtext(f"{A}Type") or "" for protocol in found]


def error_of(answer: Answer) -> str | None:
    (error,) = (element for element in told(answer).iter() if element.tag.endswith("Error"))
    assert error.get("Time")
    return next(element.text for element in error if element.tag.endswith("ErrorCode"))


def test_mapi_http() -> None:
    with lab_today("mapi-http-on") as lab:
        answer = ask(lab, CAPABLE)
        assert protocols(answer) == ["mapiHttp", "WEB"]
        root = told(answer)
        assert root.findtext(f".//{A}LegacyDN") == lab.account.legacy_dn
        assert root.findtext(f".//{A}AutoDiscoverSMTPAddress") == lab.account.address
        assert root.findtext(f".//{A}Action") == "settings"
        protocol = root.find(f".//{A}Protocol")
        assert protocol is not None
        assert protocol.attrib == {"Type": "mapiHttp", "Version": "1"}
        urls = {element.tag.removeprefix(A): element.text for element in protocol.iter() if element.text}
        assert urls == dict.fromkeys(
            ("InternalUrl", "ExternalUrl"), f"https://{MAIL}/mapi/nspi/?MailboxId={lab.account.mailbox_id}"
        )
        assert protocol.findtext(f"{A}MailStore/{A}InternalUrl") == (
            f"https://{MAIL}/mapi/emsmdb/?MailboxId={lab.account.mailbox_id}"
        )


@pytest.mark.parametrize(
    ("faults", "headers", "kinds"),
    [
        (["mapi-http-on"], {}, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on"], {"X-MapiHttpCapability": "yes"}, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on"], {"X-MapiHttpCapability": "0"}, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on"], {"X-MapiHttpCapability": "2"}, ["mapiHttp", "WEB"]),
        (["mapi-http-on", "account-mapi-http-off"], CAPABLE, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-off"], CAPABLE, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-off", "account-mapi-http-on"], CAPABLE, ["mapiHttp", "WEB"]),
        (["mapi-http-setting-absent"], CAPABLE, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on", "autodiscover-lacks-mapi-http"], CAPABLE, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on", "mapi-urls-missing:*"], CAPABLE, ["EXCH", "EXPR", "WEB"]),
        (["mapi-http-on", "autodiscover-tells-expr-beside"], CAPABLE, ["mapiHttp", "EXCH", "EXPR", "WEB"]),
        ([], {"X-ClientCanHandle": "Negotiate,ExHttpInfo"}, ["EXCH", "EXPR", "EXHTTP", "EXHTTP", "WEB"]),
        (["rpc-directory-missing"], {}, ["EXCH", "WEB"]),
    ],
)
def test_what_is_told_depends_on_who_asks_and_on_the_settings(
    faults: list[str], headers: dict[str, str], kinds: list[str]
) -> None:
    with lab_today(*faults) as lab:
        assert protocols(ask(lab, headers)) == kinds


@pytest.mark.parametrize(
    ("fault", "url"),
    [
        ("autodiscover-tells-other-host", "https://old.contoso.test/mapi/emsmdb/?MailboxId="),
        ("autodiscover-tells-http", f"http://{MAIL}/mapi/emsmdb/?MailboxId="),
        ("autodiscover-tells-other-path", f"https://{MAIL}/mapi2/emsmdb/?MailboxId="),
        ("autodiscover-tells-no-mailbox", f"https://{MAIL}/mapi/emsmdb/"),
    ],
)
def test_wrong_urls(fault: str, url: str) -> None:
    with lab_today("mapi-http-on", fault) as lab:
        shown = told(ask(lab, CAPABLE)).findtext(f".//{A}MailStore/{A}ExternalUrl") or ""
        assert shown.removesuffix(lab.account.mailbox_id) == url


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (body("nobody@contoso.test"), "500"),
        (body("user1@other.test"), "500"),
        (body("user99@contoso.test"), "500"),
        (body("user1@contoso.test", "http://schemas.microsoft.com/other"), "601"),
        (b"", "600"),
        (b"<Autodiscover/>", "600"),
        (b"<!DOCTYPE x [<!ENTITY e 'user1@contoso.test'>]>" + body("&e;"), "600"),
        (b"\xff\xfe not xml", "600"),
    ],
)
def test_errors(content: bytes, code: str) -> None:
    with lab_today("mapi-http-on") as lab:
        assert error_of(ask(lab, CAPABLE, content=content)) == code


def test_another_mailbox_may_be_asked_for() -> None:
    with lab_today("mapi-http-on") as lab:
        answer = ask(lab, CAPABLE, content=body("user2@contoso.test"))
        assert told(answer).findtext(f".//{A}LegacyDN") == "/o=Contoso/cn=Recipients/cn=user2"


@pytest.mark.parametrize(
    ("fault", "action", "where"),
    [
        ("autodiscover-redirect-url", "redirectUrl", f"https://{MAIL}{PATH}"),
        ("autodiscover-redirect-url-loop", "redirectUrl", f"https://{AUTODISCOVER}{PATH}"),
        ("autodiscover-redirect-url-to-http", "redirectUrl", f"http://{AUTODISCOVER}{PATH}"),
        ("autodiscover-redirect-address", "redirectAddr", "user1@elsewhere.test"),
    ],
)
def test_redirects_by_an_answer(fault: str, action: str, where: str) -> None:
    with lab_today(fault) as lab:
        root = told(ask(lab))
        assert root.findtext(f".//{A}Action") == action
        assert root.findtext(f".//{A}{action[0].upper()}{action[1:]}") == where


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ("autodiscover-redirects-to-http", f"http://{AUTODISCOVER}{PATH}"),
        ("autodiscover-redirects-elsewhere", f"https://elsewhere.contoso.test{PATH}"),
        ("autodiscover-redirect-loop", f"https://{AUTODISCOVER}{PATH}"),
    ],
)
def test_redirects_by_http(fault: str, where: str) -> None:
    with lab_today(fault) as lab:
        with Client(lab, AUTODISCOVER) as client:
            assert client.ask("POST", PATH).status == 401
        answer = ask(lab)
        assert (answer.status, answer.headers["Location"]) == (302, where)


def test_other_faults() -> None:
    with lab_today("autodiscover-error:603") as lab:
        assert error_of(ask(lab)) == "603"
    with lab_today("autodiscover-knows-nobody") as lab:
        assert error_of(ask(lab)) == "500"
    with lab_today("autodiscover-login-page-after-sign-in") as lab:
        assert b'type="password"' in ask(lab).body
    with lab_today("autodiscover-basic-only") as lab, Client(lab, AUTODISCOVER) as client:
        assert client.ask("POST", PATH).every("WWW-Authenticate") == [f'Basic realm="{AUTODISCOVER}"']


def test_srv_record() -> None:
    with lab_today("autodiscover-by-srv") as lab:
        for tcp in (False, True):
            response = look_up(lab, "_autodiscover._tcp.contoso.test", "SRV", tcp=tcp)
            assert [record.to_text() for record in response.answer[0]] == [f"0 0 443 {MAIL}."]
        assert not look_up(lab, "_autodiscover._tcp.contoso.test", "A").answer
    with lab_today() as lab:
        assert look_up(lab, "_autodiscover._tcp.contoso.test", "SRV").rcode() == dns.rcode.NXDOMAIN


def test_plain_http_site() -> None:
    with lab_today("autodiscover-by-http-redirect") as lab:
        url = f"http://127.0.0.1:{port_of(lab, AUTODISCOVER, 80)}{PATH}"
        answer = httpx.get(url, headers={"Host": AUTODISCOVER}, trust_env=False)
        assert (answer.status_code, answer.headers["location"]) == (302, f"https://{MAIL}{PATH}")
        assert lab.journal[-1].listener == f"http {AUTODISCOVER}"
    with lab_today() as lab:
        assert not [entry for entry in lab.resolve if entry.startswith(f"{AUTODISCOVER}:80:")]
