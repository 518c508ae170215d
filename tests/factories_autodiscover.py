"""Autodiscover as the test account meets it: hosts in memory, an account that is shown to some of them, and facts."""

from dataclasses import dataclass, field
from typing import TypeAlias

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
    Step,
    TestAccount,
    Timed,
)
from checker.answers import HttpAnswer, NotCollected, Reason, Services, Target
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending, Hop, Journey, Start
from checker.protocols.autodiscover import PATH, read_pox
from tests.factories_network import answer, challenge

MAILBOX = "jane@contoso.test"
HOST = "autodiscover.contoso.test"
ID = "416c6368-656d-794a-6f45-57615272456e@contoso.test"
EMSMDB = f"https://mail.contoso.test/mapi/emsmdb/?MailboxId={ID}"
NSPI = f"https://mail.contoso.test/mapi/nspi/?MailboxId={ID}"
DN = "/o=contoso/ou=First/cn=Recipients/cn=jane"
ACCOUNT = TestAccount(given=True, mailbox=MAILBOX, schemes=(SignInScheme.NEGOTIATE, SignInScheme.NTLM))
GOOD = AccountProof(Proof.KDC, "dc01.contoso.test", 0, None)
UNPROVEN = AccountProof(Proof.UNPROVEN, None, 0, NotCollected(Reason.OTHER, "Nothing could prove it."))
NOT_FOUND = NotCollected(Reason.NOT_RESOLVED, "There is no such record.")
TIMES = (Timed(Step.CONNECT, 0.01), Timed(Step.TLS, 0.02), Timed(Step.SIGN_IN, 0.03), Timed(Step.PROTOCOL, 0.04))

MAPI = (
    f'<Protocol Type="mapiHttp" Version="1"><MailStore><ExternalUrl>{EMSMDB}</ExternalUrl></MailStore>'
    f"<AddressBook><ExternalUrl>{NSPI}</ExternalUrl></AddressBook></Protocol>"
)
WEB = "<Protocol><Type>WEB</Type><External><Protocol><Type>EXPR</Type></Protocol></External></Protocol>"
EXCH = "<Protocol><Type>EXCH</Type><Server>ex01</Server></Protocol>"
EXPR = "<Protocol><Type>EXPR</Type><Server>mail.contoso.test</Server></Protocol>"


def pox(inner: str) -> HttpAnswer:
    """Autodiscover's answer with this in its Response."""
    space = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
    start = f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{space}">'
    body = f"{start}<Response>{inner}</Response></Autodiscover>"
    return answer(200, body.encode(), path=PATH, host=HOST, headers=[("x-feserver", "EX01")])


def settings(*protocols: str) -> HttpAnswer:
    """Settings with these protocols; well without any."""
    return pox(
        f"<User><LegacyDN>{DN}</LegacyDN></User><Account><Action>settings</Action>"
        f"{''.join(protocols) or MAPI + WEB}</Account>"
    )


def redirect_url(url: str) -> HttpAnswer:
    return pox(f"<Account><Action>redirectUrl</Action><RedirectUrl>{url}</RedirectUrl></Account>")


def redirect_address(address: str) -> HttpAnswer:
    return pox(f"<Account><Action>redirectAddr</Action><RedirectAddr>{address}</RedirectAddr></Account>")


def error(code: str) -> HttpAnswer:
    return pox(f"<Error><ErrorCode>{code}</ErrorCode><Message>Nein.</Message></Error>")


def moved(url: str, status: int = 302) -> HttpAnswer:
    return answer(status, path=PATH, headers=[("location", url)])


def signed(
    last: HttpAnswer | NotCollected,
    *,
    host: str = HOST,
    scheme: SignInScheme = SignInScheme.NTLM,
    completed: bool = True,
    connections: int = 1,
) -> SignedAnswer:
    return SignedAnswer(
        Target(host), PATH, scheme, scheme.value, completed, True, connections, (challenge(),), last, TIMES
    )


# --- a world in memory ------------------------------------------------------------------------------------------------

Unsigned: TypeAlias = HttpAnswer | NotCollected


@dataclass
class World:
    """Network and SignedIn: hosts by name; one that is not in a table does not exist."""

    open: dict[str, Unsigned] = field(default_factory=dict)  # without credentials
    shut: dict[tuple[str, str], HttpAnswer | NotCollected | SignedAnswer] = field(default_factory=dict)  # by address
    plain_answers: dict[str, Unsigned] = field(default_factory=dict)
    records: dict[str, Services] = field(default_factory=dict)
    by_scheme: dict[SignInScheme, HttpAnswer | NotCollected | SignedAnswer] = field(default_factory=dict)
    shown_to: list[tuple[str, str, str, SignInScheme]] = field(default_factory=list)  # host, path, address, scheme

    # Network

    async def resolve(self, target: Target) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not resolved here.")

    async def handshake(self, target: Target) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not connected to here.")

    async def get(self, target: Target, path: str) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host}{path} is not asked for here.")

    async def offers(self, target: Target, version: object) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not asked for {version} here.")

    async def autodiscover(self, target: Target) -> Unsigned:
        return self.open.get(target.host, NOT_FOUND)

    async def plain(self, target: Target, path: str) -> Unsigned:
        assert (target.port, path) == (80, PATH)
        return self.plain_answers.get(target.host, NOT_FOUND)

    async def services(self, name: str) -> Services | NotCollected:
        return self.records.get(name, NOT_FOUND)


@dataclass
class Account:
    """SignedIn of a World."""

    world: World

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        raise AssertionError(f"not to be proven here: {targets} {schemes}")

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        raise AssertionError(f"not to sign in here: {target} {at} {scheme}")

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        raise AssertionError(f"no MAPI here: {target} {endpoint} {scheme} {mailbox}")

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        raise AssertionError(f"no RPC here: {target} {scheme}")

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        self.world.shown_to.append((target.host, path, address, scheme))
        said = self.world.by_scheme.get(scheme) or self.world.shut[target.host, address]
        return signed(said, host=target.host, scheme=scheme) if isinstance(said, HttpAnswer) else said


# --- facts ------------------------------------------------------------------------------------------------------------


def journey(last: HttpAnswer | NotCollected, ending: Ending = Ending.SETTINGS, *, host: str = HOST) -> Journey:
    """A journey of one hop that ended with this answer."""
    said = read_pox(last.body) if isinstance(last, HttpAnswer) else last
    hop = Hop(host, MAILBOX, Start.SERVICE_CONNECTION_POINT.value, challenge(), (signed(last, host=host),), said)
    because = None if ending is Ending.SETTINGS else NotCollected(Reason.OTHER, f"{host}: {ending.value}.")
    return Journey(Start.SERVICE_CONNECTION_POINT, (hop,), ending, because)


def autodiscover_mailbox(*journeys: Journey) -> AutodiscoverMailbox:
    """What is well, unless other journeys are given."""
    return AutodiscoverMailbox(MAILBOX, True, journeys or (journey(settings()),), (), ())
