"""Both sides of each protocol, written apart from each other from the specifications, understand one another."""

from uuid import UUID

import pytest

from checker.account import MapiEndpoint
from checker.answers import HttpAnswer, Target
from checker.protocols.autodiscover import PATH, PoxAnswer, mailbox_id, mapi_urls, pox_request, read_pox
from checker.protocols.mapihttp import MapiAnswer, MapiHttpRequest, MapiSession, read_answer
from checker.protocols.rpch import Channel, echo_request, is_echo, rpc_error
from lab.authentication import SignedIn
from lab.autodiscover import autodiscover_answer
from lab.mapi import MapiSessions, mapi_answer
from lab.rpc import rpc_answer
from lab.scenario import Scenario, load
from lab.web import Request, Response

GUID = UUID(int=1)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load("enabled")


def read(host: str, request: Request, response: Response) -> HttpAnswer:
    """What a client makes of it: the chunks put together."""
    return HttpAnswer(
        target=Target(host),
        method=request.method,
        path=request.target,
        address="192.0.2.10",
        status=response.status,
        reason=response.reason,
        http_version="HTTP/1.1",
        headers=tuple((name.lower(), value) for name, value in response.headers),
        body=b"".join(response.chunks or ()) or response.body,
        truncated=False,
        seconds=0.01,
    )


class Conversation:
    """A session at one endpoint of the lab."""

    def __init__(self, scenario: Scenario, endpoint: MapiEndpoint) -> None:
        self.scenario = scenario
        self.sessions = MapiSessions()
        self.session = MapiSession(endpoint, session_guid=GUID, client_guid=GUID)
        self.who = SignedIn(scenario.account.name, scenario.account_user, "ntlm")

    def say(self, request: MapiHttpRequest) -> MapiAnswer:
        headers = tuple((name.lower(), value) for name, value in request.headers)
        sent = Request("POST", self.session.endpoint.value, headers, request.body)
        server = self.scenario.servers[0]
        answer = read(server.fqdn, sent, mapi_answer(self.scenario, server, self.sessions, sent, self.who, ()))
        self.session.received(answer.headers)
        found = read_answer(request.kind, answer)
        assert isinstance(found, MapiAnswer), found
        return found


def test_a_session_of_the_mailbox(scenario: Scenario) -> None:
    talk = Conversation(scenario, MapiEndpoint.MAILBOX)
    session = talk.session
    assert talk.say(session.ping()).is_good
    connected = talk.say(session.connect(scenario.legacy_dn_of(scenario.account.name)))
    assert connected.is_good
    assert connected.body is not None
    assert connected.body.connect is not None
    assert connected.body.connect.display_name == scenario.account.name
    assert len(talk.sessions.entries) == 1
    assert talk.say(session.ping()).is_good
    assert talk.say(session.disconnect()).is_good
    assert not talk.sessions.entries


def test_a_session_of_the_address_book(scenario: Scenario) -> None:
    talk = Conversation(scenario, MapiEndpoint.ADDRESS_BOOK)
    session = talk.session
    bound = talk.say(session.bind())
    assert bound.is_good
    assert bound.body is not None
    assert bound.body.server_guid is not None
    assert talk.say(session.ping()).is_good
    assert talk.say(session.unbind()).is_good
    assert not talk.sessions.entries


def test_an_unknown_mailbox_and_a_session_that_is_none(scenario: Scenario) -> None:
    talk = Conversation(scenario, MapiEndpoint.MAILBOX)
    refused = talk.say(talk.session.connect("/o=Nobody/cn=Recipients/cn=nobody"))
    assert refused.body is not None
    assert refused.body.error_code == 0x3EB
    assert talk.say(talk.session.disconnect()).code == 13


def test_autodiscover(scenario: Scenario) -> None:
    question = pox_request(scenario.address_of(scenario.account.name))
    headers = tuple((name.lower(), value) for name, value in question.headers)
    server = scenario.servers[0]
    request = Request("POST", PATH, headers, question.body)
    found = read_pox(autodiscover_answer(scenario, server, request, ()).body)
    assert isinstance(found, PoxAnswer)
    assert found.legacy_dn == scenario.legacy_dn_of(scenario.account.name)
    urls = mapi_urls(found)
    assert urls
    assert {mailbox_id(url) for url in urls} == {scenario.mailbox_id_of(scenario.account.name)}
    stranger = Request("POST", PATH, headers, pox_request("nobody@nowhere.test").body)
    refused = read_pox(autodiscover_answer(scenario, server, stranger, ()).body)
    assert isinstance(refused, PoxAnswer)
    assert refused.error is not None
    assert refused.error.code == "500"


@pytest.mark.parametrize("channel", Channel)
def test_the_echo(channel: Channel) -> None:
    asked = echo_request(channel)
    request = Request(asked.method, asked.path, (), asked.body)
    assert is_echo(read("mail.contoso.test", request, rpc_answer(request, ())))
    failed = read("mail.contoso.test", request, rpc_answer(request, (), error=0x6BA))
    assert not is_echo(failed)
    assert rpc_error(failed) == 0x6BA
