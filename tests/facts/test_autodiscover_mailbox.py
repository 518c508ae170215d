"""Where Autodiscover leads with the test account, and to whom the account is shown on the way."""

import asyncio
from itertools import pairwise
from xml.sax.saxutils import escape

import pytest
from hypothesis import given as given_examples
from hypothesis import strategies as st

from checker.account import AccountProof, Proof, SignInScheme, TestAccount
from checker.answers import Collected, HttpAnswer, Layer, Missing, Network, NotCollected, Reason, Services
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending, autodiscover_mailbox
from checker.facts.names import NameInUse, UseKind
from checker.facts.run import Vantage, VantagePoint
from checker.facts.servers import ClientAccessService
from checker.protocols.autodiscover import PATH
from tests.factories import client_access_service, missing_server
from tests.factories_autodiscover import (
    ACCOUNT,
    DN,
    EMSMDB,
    EXPR,
    GOOD,
    HOST,
    ID,
    MAILBOX,
    NSPI,
    UNPROVEN,
    Account,
    World,
    error,
    moved,
    redirect_address,
    redirect_url,
    settings,
    signed,
)
from tests.factories_network import answer, challenge, name_in_use, nginx

INSIDE = Vantage(VantagePoint.INSIDE, None)
OUTSIDE = Vantage(VantagePoint.OUTSIDE, None)
PROBE = NotCollected(Reason.NOT_GIVEN, "needs remote PowerShell, which a probe does not use (mapiready check)")
SERVICES = Collected((client_access_service(),), ())
NO_CONNECTION = NotCollected(Reason.REFUSED, "refused.", Layer.CONNECT)
OTHER = "autodiscover2.contoso.test"
MAIL = "mail.contoso.test"
EVIL = "mail.evil.test"


def scp(*hosts: str) -> tuple[NameInUse, ...]:
    return tuple(name_in_use(host, UseKind.AUTODISCOVER_URI) for host in hosts)


def given(*hosts: str) -> tuple[NameInUse, ...]:
    return tuple(name_in_use(host, UseKind.GIVEN, server=None) for host in hosts)


def find(
    world: World,
    names: tuple[NameInUse, ...] = scp(HOST),
    *,
    proof: AccountProof = GOOD,
    account: TestAccount = ACCOUNT,
    services: Collected[ClientAccessService] | NotCollected = SERVICES,
    vantage: Vantage = INSIDE,
) -> AutodiscoverMailbox | NotCollected:
    assert isinstance(world, Network)
    return asyncio.run(
        autodiscover_mailbox(proof, account, Account(world), services, Collected(names, ()), world, vantage)
    )


def found(
    world: World,
    names: tuple[NameInUse, ...] = scp(HOST),
    *,
    proof: AccountProof = GOOD,
    services: Collected[ClientAccessService] | NotCollected = SERVICES,
    vantage: Vantage = INSIDE,
) -> AutodiscoverMailbox:
    result = find(world, names, proof=proof, services=services, vantage=vantage)
    assert isinstance(result, AutodiscoverMailbox), result
    named = {name.host for name in names}
    assert {host for host, *_ in world.shown_to} <= named  # the account is shown to nobody else, whatever happens
    return result


def one(last: HttpAnswer, *, host: str = HOST) -> World:
    return World(open={host: challenge()}, shut={(host, MAILBOX): last})


def probe(world: World, *hosts: str) -> AutodiscoverMailbox:
    return found(world, given(*hosts), services=PROBE, vantage=OUTSIDE)


def endings(mailbox: AutodiscoverMailbox) -> list[Ending]:
    return [journey.ending for journey in mailbox.journeys]


def because(mailbox: AutodiscoverMailbox) -> NotCollected:
    reason = mailbox.journeys[-1].because
    assert reason is not None
    return reason


# --- the good way -----------------------------------------------------------------------------------------------------


def test_settings_at_a_service_connection_point() -> None:
    world = one(settings())
    mailbox = found(world)
    assert endings(mailbox) == [Ending.SETTINGS]
    assert mailbox.user_dn == DN
    assert mailbox.mailbox_id == ID
    assert mailbox.urls == (EMSMDB, NSPI)
    assert mailbox.mapi_hosts == (MAIL,)
    assert world.shown_to == [(HOST, PATH, MAILBOX, SignInScheme.NEGOTIATE)]


def test_every_service_connection_point_is_asked() -> None:
    world = World(open={HOST: challenge(), OTHER: challenge()})
    world.shut = {(HOST, MAILBOX): settings(), (OTHER, MAILBOX): settings(EXPR)}
    mailbox = found(world, scp(HOST, OTHER), services=Collected(SERVICES.items, (missing_server(),)))
    assert endings(mailbox) == [Ending.SETTINGS, Ending.SETTINGS]
    assert mailbox.missing == (missing_server(),)


def test_a_scheme_that_does_not_work_gives_way_to_the_next_of_a_proven_account() -> None:
    world = one(settings())
    world.by_scheme = {SignInScheme.NEGOTIATE: NotCollected(Reason.SIGN_IN_UNAVAILABLE, "No ticket.")}
    assert endings(found(world)) == [Ending.SETTINGS]
    assert [scheme for *_, scheme in world.shown_to] == [SignInScheme.NEGOTIATE, SignInScheme.NTLM]


@pytest.mark.parametrize("dn", ["/o=Größe/cn=jane", "/o=a\nb/cn=jane"])
def test_a_dn_that_is_none_is_not_used(dn: str) -> None:
    body = settings().body.decode().replace(DN, dn).encode()
    assert found(one(answer(200, body))).user_dn is None


# --- no account, no address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proof", [Proof.REJECTED, Proof.DOUBTFUL])
def test_nothing_is_sent_with_an_account_that_was_turned_away(proof: Proof) -> None:
    world = one(settings())
    why = NotCollected(Reason.SIGN_IN_FAILED, "The password is wrong.")
    assert find(world, proof=AccountProof(proof, "ex01", 1, why)) is why
    assert world.shown_to == []


@pytest.mark.parametrize("mailbox", [None, "jane", "jane@192.0.2.1", "@", ""])
def test_without_an_address_there_is_nothing_to_ask_for(mailbox: str | None) -> None:
    result = find(one(settings()), account=TestAccount(given=True, mailbox=mailbox, schemes=ACCOUNT.schemes))
    assert isinstance(result, NotCollected)
    assert result.reason is Reason.NOT_GIVEN


# --- ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("challenged", "ending", "layer"),
    [
        (NO_CONNECTION, Ending.NOT_REACHED, Layer.CONNECT),
        (NotCollected(Reason.TIMED_OUT, "no answer."), Ending.NOT_REACHED, Layer.AUTODISCOVER),
        (nginx(404), Ending.NOT_REACHED, Layer.AUTODISCOVER),
        (moved("https://autodiscover.contoso.test/owa/auth/logon.aspx"), Ending.NOT_REACHED, Layer.AUTODISCOVER),
        (challenge('Basic realm="x"'), Ending.NOT_SIGNED_IN, None),
        (settings(), Ending.NOT_SIGNED_IN, None),
    ],
)
def test_what_stands_before_the_sign_in(
    challenged: HttpAnswer | NotCollected, ending: Ending, layer: Layer | None
) -> None:
    world = World(open={HOST: challenged})
    mailbox = found(world)
    assert endings(mailbox) == [ending]
    assert because(mailbox).layer is layer
    assert world.shown_to == []


def test_a_problem_of_the_name_is_told_by_the_checks_of_the_name() -> None:
    reason = because(found(World(open={HOST: NO_CONNECTION})))
    assert reason.behind is not None
    assert reason.behind.name == HOST


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        (challenge(), Ending.REFUSED),
        (error("500"), Ending.ERROR),
        (answer(200, b"<html><form>Welcome</form></html>"), Ending.NOT_AUTODISCOVER),
        (nginx(502), Ending.NOT_AUTODISCOVER),
        (redirect_url(""), Ending.NOT_FOLLOWED),
        (redirect_address("nobody"), Ending.NOT_AUTODISCOVER),
        (redirect_address(MAILBOX.upper()), Ending.LOOP),
    ],
)
def test_what_stands_behind_the_sign_in(last: HttpAnswer, ending: Ending) -> None:
    mailbox = found(one(last))
    assert endings(mailbox) == [ending]
    assert mailbox.user_dn is None
    assert mailbox.urls == ()


def test_a_refusal_of_an_account_that_nothing_has_proven_names_both_causes() -> None:
    world = one(challenge())
    mailbox = found(world, proof=UNPROVEN)
    assert endings(mailbox) == [Ending.NOT_SIGNED_IN]
    assert because(mailbox).reason is Reason.SIGN_IN_FAILED
    assert "either the credential is wrong, or the way" in because(mailbox).sentence
    assert len(world.shown_to) == 1  # no second attempt with a credential that may be wrong


def test_a_refusal_before_the_credential_was_sent_refuses_nothing() -> None:
    world = World(open={HOST: challenge()}, shut={(HOST, MAILBOX): signed(challenge(), completed=False)})
    assert endings(found(world)) == [Ending.NOT_SIGNED_IN]


def test_an_answer_that_is_cut_off_is_not_known() -> None:
    cut = NotCollected(Reason.RESET, "cut.")
    world = World(open={HOST: challenge()}, shut={(HOST, MAILBOX): signed(cut)})
    mailbox = found(world)
    assert endings(mailbox) == [Ending.NOT_SIGNED_IN]
    assert because(mailbox) is cut


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "redirect",
    [
        redirect_url(f"https://{MAIL}/Autodiscover/Autodiscover.xml"),
        moved(f"https://{MAIL}/autodiscover/autodiscover.xml"),
        moved(f"https://{MAIL}:443/autodiscover/autodiscover.xml", 307),
    ],
)
def test_redirects_are_followed_to_hosts_that_were_named(redirect: HttpAnswer) -> None:
    world = World(open={HOST: challenge(), MAIL: challenge()})
    world.shut = {(HOST, MAILBOX): redirect, (MAIL, MAILBOX): settings()}
    mailbox = found(world, scp(HOST) + given(MAIL))
    assert endings(mailbox) == [Ending.SETTINGS]
    assert [hop.host for hop in mailbox.journeys[0].hops] == [HOST, MAIL]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"https://{EVIL}/autodiscover/autodiscover.xml", Reason.NOT_GIVEN),
        (f"https://{EVIL}:443/autodiscover/autodiscover.xml", Reason.NOT_GIVEN),
        (f"http://{MAIL}/autodiscover/autodiscover.xml", Reason.OTHER),
        (f"https://{MAIL}:8443/autodiscover/autodiscover.xml", Reason.OTHER),
        (f"https://{MAIL}@{EVIL}/autodiscover/autodiscover.xml", Reason.OTHER),
        (f"https://{MAIL}/elsewhere/", Reason.OTHER),
        (f"//{EVIL}/autodiscover/autodiscover.xml", Reason.OTHER),
        (f"https://{MAIL}/a b/autodiscover.xml", Reason.OTHER),
        ("https://[::1/autodiscover/autodiscover.xml", Reason.OTHER),
        ("https://192.0.2.1/autodiscover/autodiscover.xml", Reason.OTHER),
        ("", Reason.OTHER),
    ],
)
@pytest.mark.parametrize("signed_in", [False, True])
def test_no_redirect_leads_the_account_elsewhere(url: str, reason: Reason, signed_in: bool) -> None:
    world = World(open={HOST: challenge() if signed_in else moved(url), EVIL: challenge(), MAIL: challenge()})
    world.shut = {(HOST, MAILBOX): moved(url), (MAIL, MAILBOX): settings()}
    mailbox = found(world, scp(HOST) + given(MAIL))
    assert endings(mailbox) == [Ending.NOT_FOLLOWED]
    assert because(mailbox).reason is reason
    assert {host for host, *_ in world.shown_to} == ({HOST} if signed_in else set())


@pytest.mark.fuzz
@given_examples(
    st.one_of(
        st.text(max_size=80),
        st.builds(
            "{}{}{}{}{}".format,
            st.sampled_from(["https://", "http://", "//", "HTTPS:", "https:/\\\\", "", "\t https://"]),
            st.sampled_from(["", f"{MAIL}@", f"{MAIL}\\@", f"{MAIL}#@", f"{MAIL}.", "\u3002"]),
            st.sampled_from([EVIL, MAIL, HOST, f"{EVIL}\\.{MAIL}", f"{MAIL}\u2024{EVIL}", "[::1]", ""]),
            st.sampled_from(["", ":443", ":80", ":x", "?", "#", "\\", f"/{MAIL}"]),
            st.sampled_from([PATH, "/Autodiscover/AutoDiscover.xml", "/", "", f"{PATH}?a=b#c"]),
        ),
    )
)
def test_no_url_leads_the_account_to_a_host_that_nobody_named(url: str) -> None:
    everybody = {host: challenge() for host in (HOST, MAIL, EVIL, f"{MAIL}.{EVIL}")}
    for redirect in (moved(url), redirect_url(escape(url))):
        world = World(open=dict(everybody), shut={(HOST, MAILBOX): redirect, (MAIL, MAILBOX): settings()})
        world.plain_answers[HOST] = moved(url)
        found(world, scp(HOST) + given(MAIL))  # which sees that it is shown to none but these
        found(world, given(HOST, MAIL), services=PROBE, vantage=OUTSIDE)


def test_a_ring_of_redirects_ends() -> None:
    world = World(open={HOST: challenge(), MAIL: challenge()})
    world.shut = {
        (HOST, MAILBOX): redirect_url(f"https://{MAIL}{PATH}"),
        (MAIL, MAILBOX): redirect_url(f"https://{HOST}{PATH}"),
    }
    mailbox = found(world, scp(HOST) + given(MAIL))
    assert endings(mailbox) == [Ending.LOOP]
    assert len(world.shown_to) == 2


def test_a_chain_of_redirects_ends() -> None:
    hosts = [f"a{number}.contoso.test" for number in range(20)]
    world = World(open=dict.fromkeys(hosts, challenge()))
    world.shut = {(here, MAILBOX): redirect_url(f"https://{there}{PATH}") for here, there in pairwise(hosts)}
    mailbox = found(world, scp(hosts[0]) + given(*hosts[1:]))
    assert endings(mailbox) == [Ending.LOOP]
    assert len(world.shown_to) == 6


@pytest.mark.parametrize(
    ("address", "host"),
    [("jane.dow@contoso.test", HOST), ("jane@fabrikam.test", "autodiscover.fabrikam.test")],
)
def test_another_address_is_asked_for_where_it_belongs(address: str, host: str) -> None:
    world = World(open={HOST: challenge(), host: challenge()})
    world.shut = {(HOST, MAILBOX): redirect_address(address), (host, address): settings()}
    mailbox = found(world, scp(HOST) + (() if host == HOST else given(host)))
    assert endings(mailbox) == [Ending.SETTINGS]
    assert [hop.address for hop in mailbox.journeys[0].hops] == [MAILBOX, address]


def test_an_address_of_another_organisation_is_not_followed() -> None:
    world = one(redirect_address("jane@fabrikam.test"))
    world.open["autodiscover.fabrikam.test"] = challenge()
    mailbox = found(world)
    assert endings(mailbox) == [Ending.NOT_FOLLOWED]
    assert because(mailbox).reason is Reason.NOT_GIVEN


# --- by the domain of the address -------------------------------------------------------------------------------------


def test_from_outside_the_domain_leads() -> None:
    world = one(settings())
    mailbox = probe(world, HOST, MAIL)
    assert endings(mailbox) == [Ending.SETTINGS]
    assert [look.where for look in mailbox.looks] == [
        f"https://contoso.test{PATH}",
        f"https://{HOST}{PATH}",
        f"http://{HOST}{PATH}",
        "_autodiscover._tcp.contoso.test",
    ]


def test_from_outside_service_connection_points_lead_nobody() -> None:
    world = World(open={OTHER: challenge(), HOST: challenge()}, shut={(HOST, MAILBOX): settings()})
    mailbox = found(world, scp(OTHER) + given(HOST), vantage=OUTSIDE)
    assert [hop.host for hop in mailbox.journeys[0].hops] == [HOST]


def test_the_web_site_of_the_domain_is_no_autodiscover() -> None:
    world = one(settings())
    world.open["contoso.test"] = answer(200, b"<html>Welcome</html>")
    assert endings(probe(world, HOST)) == [Ending.SETTINGS]
    assert endings(probe(world, "contoso.test", HOST)) == [Ending.NOT_AUTODISCOVER, Ending.SETTINGS]


def test_from_outside_no_other_check_tells_of_a_missing_challenge() -> None:
    assert endings(probe(World(open={HOST: nginx(403)}), HOST)) == [Ending.NOT_AUTODISCOVER]
    assert endings(probe(World(open={HOST: NO_CONNECTION}), HOST)) == [Ending.NOT_REACHED]


def test_a_plain_redirect_leads_to_a_host_that_was_named() -> None:
    world = one(settings(), host=MAIL)
    world.plain_answers[HOST] = moved(f"https://{MAIL}{PATH}")
    assert endings(probe(world, MAIL)) == [Ending.SETTINGS]
    assert [host for host, *_ in world.shown_to] == [MAIL]


@pytest.mark.parametrize("url", [f"https://{EVIL}{PATH}", f"http://{MAIL}{PATH}", PATH])
def test_a_plain_redirect_leads_nowhere_else(url: str) -> None:
    world = one(settings(), host=MAIL)
    world.plain_answers[HOST] = moved(url)
    assert endings(probe(world, MAIL)) == [Ending.NOT_FOLLOWED]
    assert world.shown_to == []


@pytest.mark.parametrize(
    ("host", "port", "ending"),
    [(MAIL, 443, Ending.SETTINGS), (EVIL, 443, Ending.NOT_FOLLOWED), (MAIL, 444, Ending.NOT_FOLLOWED)],
)
def test_a_service_record_leads_to_a_host_that_was_named(host: str, port: int, ending: Ending) -> None:
    world = one(settings(), host=MAIL)
    world.records["_autodiscover._tcp.contoso.test"] = Services("_autodiscover._tcp.contoso.test", ((host, port),), 0.1)
    assert endings(probe(world, MAIL)) == [ending]


def test_autodiscover_that_nobody_named_is_not_shown_the_account() -> None:
    world = one(settings())
    mailbox = probe(world, MAIL)
    assert endings(mailbox) == [Ending.NOT_FOLLOWED]
    assert because(mailbox).reason is Reason.NOT_GIVEN
    assert f"--name {HOST}" in because(mailbox).sentence
    assert world.shown_to == []


def test_nothing_to_go_to_is_an_input_that_is_missing() -> None:
    result = find(World(), given(MAIL), services=PROBE, vantage=OUTSIDE)
    assert isinstance(result, NotCollected)
    assert result.reason is Reason.NOT_GIVEN


def test_service_connection_points_that_are_not_known_may_have_led_there() -> None:
    unknown = NotCollected(Reason.TIMED_OUT, "EX01 did not answer.")
    assert find(World(), given(MAIL), services=unknown) is unknown
    missing = Missing(client_access_service().subject, unknown)
    assert find(World(), given(MAIL), services=Collected((), (missing,))) is unknown
