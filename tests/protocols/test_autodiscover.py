"""Autodiscover's XML: the specification's example, its namespaces, its errors, and those who mean harm."""

from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.answers import NotCollected, Reason
from checker.protocols.autodiscover import (
    PoxAction,
    PoxAnswer,
    mailbox_id,
    mapi_urls,
    pox_request,
    read_pox,
)

ID = "416c6368-656d-794a-6f45-57615272456e@contoso.test"
OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
INNER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
EMSMDB = f"https://mail.contoso.test/mapi/emsmdb/?MailboxId={ID}"
NSPI = f"https://mail.contoso.test/mapi/nspi/?MailboxId={ID}"
# The shape of the example of [MS-OXDSCLI] 4.4, with protocols within WEB that are none of the account's.
MAPI_HTTP = f"""<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="{OUTER}">
  <Response xmlns="{INNER}">
    <User>
      <DisplayName>Jane Dow</DisplayName>
      <LegacyDN>/o=contoso/ou=First/cn=Recipients/cn=486021</LegacyDN>
      <AutoDiscoverSMTPAddress>jane@contoso.test</AutoDiscoverSMTPAddress>
    </User>
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
      <Protocol Type="mapiHttp" Version="1">
        <MailStore><InternalUrl>{EMSMDB}</InternalUrl></MailStore>
        <AddressBook><InternalUrl>{NSPI}</InternalUrl></AddressBook>
      </Protocol>
      <Protocol>
        <Type>WEB</Type>
        <External><Protocol><Type>EXPR</Type><ASUrl>https://mail.contoso.test/ews/exchange.asmx</ASUrl></Protocol></External>
        <Internal><Protocol><Type>EXCH</Type><ASUrl>https://mail.contoso.test/ews/exchange.asmx</ASUrl></Protocol></Internal>
      </Protocol>
    </Account>
  </Response>
</Autodiscover>"""


def response(inner: str) -> bytes:
    return f'<Autodiscover xmlns="{OUTER}"><Response xmlns="{INNER}">{inner}</Response></Autodiscover>'.encode()


def read(body: bytes) -> PoxAnswer:
    found = read_pox(body)
    assert isinstance(found, PoxAnswer), found
    return found


def test_the_example_of_the_specification() -> None:
    found = read(MAPI_HTTP.encode())
    assert found.display_name == "Jane Dow"
    assert found.legacy_dn == "/o=contoso/ou=First/cn=Recipients/cn=486021"
    assert found.address == "jane@contoso.test"
    assert found.action is PoxAction.SETTINGS
    assert [(protocol.type, protocol.version) for protocol in found.protocols] == [("mapiHttp", "1"), ("WEB", None)]
    assert mapi_urls(found) == (EMSMDB, NSPI)
    assert found.error is None


def test_namespaces_do_not_matter() -> None:
    plain = MAPI_HTTP.replace(f' xmlns="{OUTER}"', "").replace(INNER, "urn:another")
    assert read(plain.encode()) == read(MAPI_HTTP.encode())


def test_a_client_that_cannot_gets_the_older_protocols() -> None:
    found = read(
        response(
            "<Account><Action>settings</Action>"
            f"<Protocol><Type>EXCH</Type><Server>{ID}</Server></Protocol>"
            "<Protocol><Type>EXPR</Type><Server>mail.contoso.test</Server><SSL>On</SSL><AuthPackage>Ntlm</AuthPackage>"
            "<CertPrincipalName>msstd:mail.contoso.test</CertPrincipalName></Protocol></Account>"
        )
    )
    assert [protocol.type for protocol in found.protocols] == ["EXCH", "EXPR"]
    anywhere = found.protocols[1]
    assert (anywhere.server, anywhere.ssl, anywhere.auth_package, anywhere.cert_principal_name) == (
        "mail.contoso.test",
        "On",
        "Ntlm",
        "msstd:mail.contoso.test",
    )
    assert mapi_urls(found) == ()


def test_redirects() -> None:
    by_address = read(
        response("<Account><Action>redirectAddr</Action><RedirectAddr>jane@mail.test</RedirectAddr></Account>")
    )
    assert (by_address.action, by_address.redirect_address) == (PoxAction.REDIRECT_ADDRESS, "jane@mail.test")
    by_url = read(response("<Account><Action>redirectUrl</Action><RedirectUrl>https://a.test/</RedirectUrl></Account>"))
    assert (by_url.action, by_url.redirect_url) == (PoxAction.REDIRECT_URL, "https://a.test/")


@pytest.mark.parametrize("wrapped", ["{}", "<Account>{}</Account>"])
def test_errors(wrapped: str) -> None:
    error = '<Error Time="10:00:00" Id="1"><ErrorCode>500</ErrorCode><Message>E-Mail-Adresse?</Message></Error>'
    found = read(response(wrapped.format(error)))
    assert found.error is not None
    assert (found.error.code, found.error.message) == ("500", "E-Mail-Adresse?")
    assert found.error.meaning == "the address cannot be found"
    assert found.protocols == ()


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><form><input type='password'></form></html>",
        b"<html/>",
        b"\xff\xfe\x00",
        b"<Autodiscover/>",
        response(""),
        response("<User/>"),
        f'{BOMB}<Autodiscover xmlns="{OUTER}"><Response>&c;</Response></Autodiscover>'.encode(),
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Autodiscover/>',
        b'<?xml version="1.0" encoding="nonsense"?><Autodiscover/>',
        b'<?xml version="1.0" encoding="utf-7"?><Autodiscover/>',
        b"<Autodiscover>" + b"<a>" * 100_000,
        response("<Account/>") + b" " * (1 << 20),
    ],
)
def test_what_is_no_autodiscover_is_told(body: bytes) -> None:
    found = read_pox(body)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.MALFORMED


def test_an_answer_cut_anywhere_is_none() -> None:
    whole = MAPI_HTTP.encode()
    assert all(isinstance(read_pox(whole[:length]), NotCollected) for length in range(len(whole)))


def test_deep_answers_are_read_without_harm() -> None:
    found = read(response("<Account>" + "<Protocol>" * 40_000 + "</Protocol>" * 40_000 + "</Account>"))
    assert len(found.protocols) == 1


@pytest.mark.fuzz
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert isinstance(read_pox(body), NotCollected)


@pytest.mark.fuzz
@given(st.integers(0, len(MAPI_HTTP) - 1), st.binary(min_size=1, max_size=3))
def test_no_change_breaks_the_reader(place: int, change: bytes) -> None:
    whole = MAPI_HTTP.encode()
    assert isinstance(read_pox(whole[:place] + change + whole[place + len(change) :]), NotCollected | PoxAnswer)


def test_the_question() -> None:
    request = pox_request("o'neil&<x>@contoso.test")
    assert ("X-MapiHttpCapability", "1") in request.headers
    root = fromstring(request.body)
    space = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006}"
    assert root.findtext(f"{space}Request/{space}EMailAddress") == "o'neil&<x>@contoso.test"
    assert root.findtext(f"{space}Request/{space}AcceptableResponseSchema") == INNER


@pytest.mark.fuzz
@given(st.text(max_size=60))
def test_any_address_is_one_well_formed_question(address: str) -> None:
    root = fromstring(pox_request(address).body)
    assert len(root) == 1
    assert [child.tag.rpartition("}")[2] for child in root[0]] == ["EMailAddress", "AcceptableResponseSchema"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (EMSMDB, ID),
        (f"https://a.test/?x=1&mailboxid={ID}&y=2", ID),
        ("https://a.test/mapi/emsmdb/", None),
        ("https://a.test/?MailboxId=jane", None),
        (f"https://a.test/?MailboxId={ID}\r\nX: y", None),
        ("", None),
    ],
)
def test_the_mailbox_id_of_a_url(url: str, found: str | None) -> None:
    assert mailbox_id(url) == found
