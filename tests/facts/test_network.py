"""Facts of the network: layers, vantages, same causes, and who is asked for what."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from checker.answers import (
    Collected,
    Handshake,
    HttpAnswer,
    Layer,
    Missing,
    Network,
    NotCollected,
    Reason,
    Resolved,
    Target,
)
from checker.facts.names import NameInUse, UseKind, mapi_source, missing_names
from checker.facts.network import (
    ANY_SCHEME,
    EMSMDB,
    MAPI_HEALTH,
    NSPI,
    RPC_HEALTH,
    RPC_PROXY,
    accepted_schemes,
    name_certificates,
    name_connections,
    name_mapi_answers,
    name_resolutions,
    name_rpc_answers,
    server_views,
)
from checker.facts.run import Vantage, VantagePoint
from checker.facts.servers import Version
from tests.factories import UNKNOWN, exchange_server, mapi_directory, outlook_anywhere
from tests.factories_network import (
    HOST,
    NOW,
    answer,
    challenge,
    handshake,
    healthy,
    intermediate,
    issue,
    name_in_use,
    nginx,
    trust,
)

T = TypeVar("T")

INSIDE = Vantage(VantagePoint.INSIDE, None)
OUTSIDE = Vantage(VantagePoint.OUTSIDE, None)
EXTERNAL_ONLY = frozenset({VantagePoint.OUTSIDE})
INTERNAL_ONLY = frozenset({VantagePoint.INSIDE})
GONE = NotCollected(Reason.NOT_RESOLVED, "does not exist.", Layer.RESOLVE)
SERVFAIL = NotCollected(Reason.OTHER, "DNS could not be asked.", Layer.RESOLVE)
REFUSED = NotCollected(Reason.REFUSED, "refused.", Layer.CONNECT)
NO_SOCKETS = NotCollected(Reason.OTHER, "this machine has no sockets left.", Layer.CONNECT)
RESET = NotCollected(Reason.RESET, "cut.")
WELL: dict[str, HttpAnswer | NotCollected] = {
    EMSMDB: challenge(),
    NSPI: challenge(path=NSPI),
    MAPI_HEALTH: healthy(),
    RPC_PROXY: challenge('Basic realm="x"', path=RPC_PROXY),
    RPC_HEALTH: healthy(RPC_HEALTH),
}
DIRECTORIES = Collected((mapi_directory(),), ())
ANYWHERE = Collected((outlook_anywhere(),), ())


@dataclass
class Hosts:
    """A second implementation of Network: all is well, except where a table says otherwise."""

    broken: dict[str, NotCollected] = field(default_factory=dict)  # by host: resolving or connecting
    pages: dict[str, HttpAnswer | NotCollected] = field(default_factory=lambda: dict(WELL))
    certificates: tuple[bytes, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def resolve(self, target: Target) -> Resolved | NotCollected:
        problem = self.broken.get(target.host)
        if problem is not None and problem.layer is Layer.RESOLVE:
            return problem
        return Resolved(target, ("192.0.2.10",), given=False, seconds=0.0)

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        return self.broken.get(target.host) or handshake(target.host, certificates=self.certificates)

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        self.asked.append((target.host, path))
        return self.broken.get(target.host) or self.pages[path]

    async def offers(self, target: Target, version: object) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not asked for {version} here.")

    async def autodiscover(self, target: Target) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not asked for Autodiscover here.")

    async def plain(self, target: Target, path: str) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{target.host} is not asked for {path} over http here.")

    async def services(self, name: str) -> NotCollected:
        return NotCollected(Reason.OTHER, f"{name} is not asked for services here.")


def test_the_table_is_a_network() -> None:
    assert isinstance(Hosts(), Network)


def names(*items: NameInUse) -> Collected[NameInUse]:
    return Collected(items or (name_in_use(),), ())


def made(work: Awaitable[Collected[T]]) -> Collected[T]:
    async def run() -> Collected[T]:
        return await work

    return asyncio.run(run())


# --- resolving and connecting -----------------------------------------------------------------------------------------


def test_a_name_that_does_not_resolve_is_a_fact_and_hides_what_is_behind() -> None:
    hosts = Hosts({HOST: GONE})
    (item,) = made(name_resolutions(names(), hosts, INSIDE)).items
    assert item.resolved is GONE
    for fact in (
        made(name_connections(names(), hosts, INSIDE)),
        made(name_certificates(names(), hosts, INSIDE, trust(), NOW)),
        made(name_mapi_answers(names(), DIRECTORIES, hosts, INSIDE)),
        made(name_rpc_answers(names(), ANYWHERE, hosts, INSIDE)),
    ):
        assert fact.items == ()
        assert [missing.because.layer for missing in fact.missing] == [Layer.RESOLVE]
    assert hosts.asked == []


def test_dns_that_could_not_be_asked_is_no_failure_of_the_name() -> None:
    fact = made(name_resolutions(names(), Hosts({HOST: SERVFAIL}), INSIDE))
    assert (fact.items, [missing.because for missing in fact.missing]) == ((), [SERVFAIL])


def test_a_name_that_does_not_connect_is_a_fact_and_hides_what_is_behind() -> None:
    hosts = Hosts({HOST: REFUSED})
    (item,) = made(name_connections(names(), hosts, INSIDE)).items
    assert item.connection is REFUSED
    fact = made(name_certificates(names(), hosts, INSIDE, trust(), NOW))
    assert [missing.because.layer for missing in fact.missing] == [Layer.CONNECT]


def test_what_this_machine_cannot_do_is_no_failure_of_the_endpoint() -> None:
    fact = made(name_connections(names(), Hosts({HOST: NO_SOCKETS}), INSIDE))
    assert (fact.items, [missing.because for missing in fact.missing]) == ((), [NO_SOCKETS])


@pytest.mark.parametrize("problem", [GONE, REFUSED, SERVFAIL], ids=["does not resolve", "refused", "servfail"])
@pytest.mark.parametrize(
    ("meant", "vantage", "there"),
    [(EXTERNAL_ONLY, INSIDE, "outside"), (INTERNAL_ONLY, OUTSIDE, "inside")],
    ids=["external from inside", "internal from outside"],
)
def test_a_name_of_another_vantage_is_looked_at_from_there(
    problem: NotCollected, meant: frozenset[VantagePoint], vantage: Vantage, there: str
) -> None:
    looked = names(name_in_use(vantages=meant))
    fact = made(name_connections(looked, Hosts({HOST: problem}), vantage))
    (missing,) = fact.missing
    assert missing.because.reason is Reason.NOT_GIVEN
    assert f"look from {there}" in missing.because.sentence


def test_a_name_of_another_vantage_that_connects_is_judged() -> None:
    looked = names(name_in_use(vantages=EXTERNAL_ONLY))
    assert len(made(name_connections(looked, Hosts(), INSIDE)).items) == 1


def test_where_names_may_be_missing_facts_about_them_are_too() -> None:
    incomplete = Collected((name_in_use(),), names_missing())
    fact = made(name_resolutions(incomplete, Hosts(), INSIDE))
    assert (len(fact.items), len(fact.missing)) == (1, 1)


def names_missing() -> tuple[Missing, ...]:
    return missing_names(mapi_source(UNKNOWN))


# --- certificates -----------------------------------------------------------------------------------------------------


def test_certificates_are_analysed_or_unreadable() -> None:
    leaf = issue(by=intermediate())
    well = made(name_certificates(names(), Hosts(certificates=(leaf.der, intermediate().der)), INSIDE, trust(), NOW))
    assert well.items[0].covers is True
    junk = made(name_certificates(names(), Hosts(certificates=(leaf.der[:-9],)), INSIDE, trust(), NOW)).items[0]
    for value in (junk.leaf, junk.covers, junk.only_in_cn, junk.chain):
        assert isinstance(value, NotCollected)
        assert value.reason is Reason.MALFORMED


# --- pages ------------------------------------------------------------------------------------------------------------


def test_only_names_that_serve_a_path_are_asked_for_it() -> None:
    looked = names(
        name_in_use("mapi.contoso.test", UseKind.MAPI_INTERNAL_URL),
        name_in_use("rpc.contoso.test", UseKind.OUTLOOK_ANYWHERE_EXTERNAL),
        name_in_use("autodiscover.contoso.test", UseKind.AUTODISCOVER_URI),
        name_in_use("given.contoso.test", UseKind.GIVEN, server=None),
    )
    hosts = Hosts()
    mapi = made(name_mapi_answers(looked, DIRECTORIES, hosts, INSIDE))
    rpc = made(name_rpc_answers(looked, ANYWHERE, hosts, INSIDE))
    assert [item.name.host for item in mapi.items] == ["mapi.contoso.test", "given.contoso.test"]
    assert [item.name.host for item in rpc.items] == ["rpc.contoso.test", "given.contoso.test"]
    assert not [host for host, _ in hosts.asked if host.startswith("autodiscover")]


def test_without_outlook_anywhere_nobody_is_asked_for_it() -> None:
    nowhere = made(name_rpc_answers(names(), Collected((), ()), Hosts(), INSIDE))
    assert nowhere == Collected((), ())


def test_when_outlook_anywhere_is_not_known_that_is_said() -> None:
    given = names(name_in_use(HOST, UseKind.GIVEN))
    fact = made(name_rpc_answers(given, UNKNOWN, Hosts(), INSIDE))
    assert (fact.items, len(fact.missing)) == ((), 1)


@pytest.mark.parametrize(
    ("challenged", "health", "same"),
    [
        (nginx(403), nginx(403), True),
        (nginx(403), nginx(404), False),
        (nginx(403), answer(403), False),  # another party
        (RESET, RESET, True),
        (
            answer(401, headers=[("www-authenticate", "Basic")]),
            answer(401, headers=[("www-authenticate", "Basic")]),
            True,
        ),
        (challenge(), challenge(), False),  # the challenge is well, so the health page fails by itself
        (nginx(403), healthy(), False),
        (answer(200, b"a"), answer(200, b"b"), False),
        (answer(200, b"a"), answer(200, b"a"), True),
    ],
)
def test_a_health_page_that_is_refused_just_as_the_challenge(
    challenged: HttpAnswer | NotCollected, health: HttpAnswer | NotCollected, same: bool
) -> None:
    hosts = Hosts(pages={**WELL, EMSMDB: challenged, NSPI: challenged, MAPI_HEALTH: health})
    (item,) = made(name_mapi_answers(names(), DIRECTORIES, hosts, INSIDE)).items
    folded = isinstance(item.health, NotCollected) and item.health.reason is Reason.SAME_CAUSE
    assert folded is same
    if isinstance(item.health, NotCollected):
        assert item.health.layer is Layer.MAPI


@pytest.mark.parametrize(
    ("methods", "schemes"),
    [
        ([("Ntlm", "OAuth", "Negotiate")], {"ntlm", "bearer", "negotiate", "kerberos"}),
        ([("Ntlm",), ("Basic",)], {"ntlm", "basic"}),  # two directories behind one name
        ([("WindowsIntegrated",)], {"ntlm", "negotiate", "kerberos"}),
        ([("Ntlm",), UNKNOWN], ANY_SCHEME),
        ([("Fba",)], ANY_SCHEME),
        ([], ANY_SCHEME),
    ],
)
def test_accepted_schemes(methods: list[tuple[str, ...] | NotCollected], schemes: set[str]) -> None:
    assert accepted_schemes(methods) == schemes


# --- straight to servers ----------------------------------------------------------------------------------------------

STRAIGHT = "ex01.contoso.test"
SERVERS = Collected((exchange_server(),), ())


def test_a_server_is_asked_by_its_fqdn() -> None:
    hosts = Hosts()
    (view,) = made(server_views(SERVERS, names(), DIRECTORIES, hosts, INSIDE)).items
    assert {host for host, _ in hosts.asked} == {STRAIGHT}
    assert not view.too_old


@pytest.mark.parametrize("problem", [GONE, REFUSED])
def test_a_server_that_is_not_reached_while_its_name_answers_is_not_judged(problem: NotCollected) -> None:
    fact = made(server_views(SERVERS, names(), DIRECTORIES, Hosts({STRAIGHT: problem}), INSIDE))
    (missing,) = fact.missing
    assert HOST in missing.because.sentence
    assert missing.because.reason is problem.reason


def test_a_server_that_is_not_reached_by_any_way_is_judged() -> None:
    hosts = Hosts({STRAIGHT: REFUSED, HOST: REFUSED})
    (view,) = made(server_views(SERVERS, names(), DIRECTORIES, hosts, INSIDE)).items
    assert view.connection is REFUSED


def test_from_outside_servers_are_not_expected_to_be_reached() -> None:
    fact = made(server_views(SERVERS, names(), DIRECTORIES, Hosts({STRAIGHT: GONE, HOST: GONE}), OUTSIDE))
    assert [missing.because.reason for missing in fact.missing] == [Reason.NOT_GIVEN]


def test_who_has_no_mapi_over_http_or_no_clients_is_not_asked() -> None:
    hosts = Hosts()
    servers = Collected(
        (
            exchange_server("OLD10", version=Version(14, 3, 123, 4)),
            exchange_server("MBX1", is_client_access=False),
            exchange_server("EX09", is_client_access=UNKNOWN),
        ),
        (),
    )
    fact = made(server_views(servers, names(), DIRECTORIES, hosts, INSIDE))
    assert [(view.server.name, view.too_old) for view in fact.items] == [("OLD10", True)]
    assert [missing.subject.name for missing in fact.missing] == ["EX09"]
    assert hosts.asked == []
