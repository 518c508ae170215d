"""Autodiscover asked with a real account at a real server: what becomes of it, and to whom the account was shown."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from checker import Collected, NotCollected, Reason, Status
from checker.account import TestAccount
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending, autodiscover_mailbox
from checker.facts.names import NameInUse, NameUse, UseKind
from checker.facts.run import Vantage, VantagePoint
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_nameserver, parse_resolve
from checker.network.signed_in import AccountSettings, LiveAccount, schemes_of_credential
from checker.network.trust import load_trust
from checker.secrets import Secret
from checks.autodiscover.autodiscover_offers_mapi_http import judge
from checks.autodiscover.autodiscover_only_mapi_http import judge as judge_only
from lab.organisation import RunningLab, start
from lab.scenario import Autodiscover, Scenario, load
from tests.factories import organization

NO_SESSION = NotCollected(Reason.NOT_GIVEN, "needs remote PowerShell, which a probe does not use (mapiready check)")


def with_autodiscover(**changes: Any) -> Scenario:
    """The organisation, each server's Autodiscover changed so."""
    scenario = load("enabled")
    for server in scenario.servers:
        scenario = scenario.with_server(replace(server, autodiscover=replace(Autodiscover(), **changes)))
    return scenario


def running(scenario: Scenario) -> RunningLab:
    """The organisation at this very time: who sends a credential verifies certificates by the real clock."""
    return start(scenario, now=datetime.now(UTC))


def names_of(scenario: Scenario, kind: UseKind) -> tuple[NameInUse, ...]:
    host = f"autodiscover.{scenario.organisation.domain}"
    return (NameInUse(host, (NameUse(kind, None),), frozenset(VantagePoint)),)


def ask(
    lab: RunningLab, *, inside: bool = True, address: str | None = None, password: str | None = None
) -> AutodiscoverMailbox | NotCollected:
    mailbox = address or lab.account.address
    resolve = dict(parse_resolve(entry) for entry in lab.resolve)
    nameserver = parse_nameserver(lab.nameserver)
    settings = AccountSettings(
        user=lab.account.user,
        password=Secret(password or lab.account.password),
        token=None,
        ticket=False,
        mailbox=mailbox,
        trust=load_trust(lab.ca_file),
        resolve=resolve,
        nameserver=nameserver,
        timeout=10,
    )
    names = names_of(lab.scenario, UseKind.AUTODISCOVER_URI if inside else UseKind.GIVEN)
    vantage = Vantage(VantagePoint.INSIDE if inside else VantagePoint.OUTSIDE, None)

    async def run() -> AutodiscoverMailbox | NotCollected:
        network = LiveNetwork(NetworkSettings(resolve=resolve, nameserver=nameserver, timeout=10))
        account = LiveAccount(settings)
        given = TestAccount(given=True, mailbox=mailbox, schemes=schemes_of_credential(settings))
        try:
            proof = await account.prove((), ())
            return await autodiscover_mailbox(proof, given, account, NO_SESSION, Collected(names, ()), network, vantage)
        finally:
            await account.close()
            await network.close()

    return asyncio.run(run())


def found(lab: RunningLab, *, inside: bool = True, address: str | None = None) -> AutodiscoverMailbox:
    result = ask(lab, inside=inside, address=address)
    assert isinstance(result, AutodiscoverMailbox), result
    return result


@pytest.mark.parametrize("inside", [True, False])
def test_settings_are_found(inside: bool) -> None:
    with running(load("enabled")) as lab:
        mailbox = found(lab, inside=inside)
        assert [journey.ending for journey in mailbox.journeys] == [Ending.SETTINGS], mailbox.journeys
        assert mailbox.user_dn == lab.account.legacy_dn
        assert mailbox.mailbox_id == lab.account.mailbox_id
        assert set(mailbox.mapi_hosts) == {"outlook.fabrikam.example", "mail.fabrikam.example"}
        assert judge(mailbox, organization()).status is Status.PASS
        assert judge_only(mailbox).status is Status.PASS
        assert lab.bad_passwords == 0


@pytest.mark.parametrize(
    ("changes", "offers", "only"),
    [
        ({"tells_mapi_http": False}, Status.FAIL, Status.NOT_APPLICABLE),
        ({"tells_expr_beside": True}, Status.PASS, Status.FAIL),
    ],
)
def test_what_autodiscover_tells_is_judged(changes: dict[str, Any], offers: Status, only: Status) -> None:
    with running(with_autodiscover(**changes)) as lab:
        mailbox = found(lab)
        assert judge(mailbox, organization()).status is offers
        assert judge_only(mailbox).status is only


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({"redirect_url": "https://mail.evil.test/autodiscover/autodiscover.xml"}, Ending.NOT_FOLLOWED),
        ({"redirect_url": "http://mail.fabrikam.example/autodiscover/autodiscover.xml"}, Ending.NOT_FOLLOWED),
        ({"redirect_url": "https://autodiscover.fabrikam.example/autodiscover/autodiscover.xml"}, Ending.LOOP),
        ({"redirect_address": "somebody@elsewhere.test"}, Ending.NOT_FOLLOWED),
        ({"error": 603}, Ending.ERROR),
    ],
)
def test_other_ends(changes: dict[str, Any], ending: Ending) -> None:
    with running(with_autodiscover(**changes)) as lab:
        mailbox = found(lab)
        assert [journey.ending for journey in mailbox.journeys] == [ending]


def test_an_address_that_nobody_has() -> None:
    with running(load("enabled")) as lab:
        mailbox = found(lab, address="nobody@fabrikam.example")
        assert [journey.ending for journey in mailbox.journeys] == [Ending.ERROR]


def test_a_wrong_password_is_sent_once() -> None:
    with running(load("enabled")) as lab:
        result = ask(lab, password="wrong")
        assert isinstance(result, AutodiscoverMailbox)
        assert [journey.ending for journey in result.journeys] == [Ending.NOT_SIGNED_IN]
        assert lab.bad_passwords == 1
