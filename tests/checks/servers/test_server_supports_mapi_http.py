"""Client-access servers have MAPI over HTTP; older ones may stand behind newer ones."""

import pytest

from checker import Collected, HttpAnswer, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.behind import NamePool
from checker.facts.names import NameInUse, NameUse, UseKind
from checker.facts.servers import SP1, ExchangeServer, MapiHttpSupport, Version
from checker.results import Verdict
from checks.servers.server_supports_mapi_http import judge as judge_with_pools
from tests.factories import UNKNOWN, collected, exchange_server
from tests.factories_behind import pool
from tests.factories_network import answer, challenge

SOMEWHERE = MapiHttpSupport(anywhere=True)
NOWHERE = MapiHttpSupport(anywhere=False)
PERHAPS = MapiHttpSupport(anywhere=UNKNOWN)
EXCHANGE_2010 = Version(14, 3, 123, 4)
NOT_FOUND = answer(404, headers=[("x-owa-version", "14.3.513.0")])


def judge(
    server: ExchangeServer,
    support: MapiHttpSupport | NotCollected,
    pools: Collected[NamePool] | NotCollected = UNKNOWN,
    *others: ExchangeServer,
) -> Verdict:
    return judge_with_pools(server, support, pools, collected(server, *others))


@pytest.mark.parametrize(
    ("version", "support", "status"),
    [
        (Version(15, 0, 775, 38), SOMEWHERE, Status.FAIL),  # 2013 CU3
        (Version(15, 0, 847, 31), SOMEWHERE, Status.FAIL),
        (Version(15, 0, 516, 32), UNKNOWN, Status.FAIL),  # 2013 as released
        (SP1, SOMEWHERE, Status.PASS),
        (Version(15, 1, 2507, 6), SOMEWHERE, Status.PASS),
        (Version(15, 2, 2562, 17), UNKNOWN, Status.PASS),
        (Version(16, 0, 1, 0), SOMEWHERE, Status.PASS),
        (Version(14, 3, 123, 4), SOMEWHERE, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), PERHAPS, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), UNKNOWN, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), NOWHERE, Status.FAIL),  # nobody proxies for it
        (Version(8, 3, 83, 6), SOMEWHERE, Status.NOT_APPLICABLE),
    ],
)
def test_version(version: Version, support: MapiHttpSupport | NotCollected, status: Status) -> None:
    verdict = judge(exchange_server(version=version), support)
    assert verdict.status is status
    assert str(version) in verdict.summary


def test_mailbox_servers_are_not_asked() -> None:
    server = exchange_server(version=Version(15, 0, 775, 38), is_client_access=False)
    assert judge(server, SOMEWHERE).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("version", "is_client_access"), [(UNKNOWN, True), (SP1, UNKNOWN), (Version(15, 0, 775, 38), UNKNOWN)]
)
def test_what_is_not_known_stays_open(version: Version | NotCollected, is_client_access: bool | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(exchange_server(version=version, is_client_access=is_client_access), SOMEWHERE)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((challenge(),), Status.NOT_APPLICABLE),
        ((NOT_FOUND,), Status.FAIL),
        ((challenge(), challenge(), NOT_FOUND), Status.FAIL),  # some clients meet it
        ((answer(404, headers=[("server", "Microsoft-IIS/10.0")]),), Status.NOT_APPLICABLE),  # somebody else's
        ((answer(401, headers=[("x-owa-version", "14.3.513.0")]),), Status.NOT_APPLICABLE),
    ],
)
def test_a_name_that_leads_to_2010(answers: tuple[HttpAnswer, ...], status: Status) -> None:
    verdict = judge(exchange_server(version=EXCHANGE_2010), SOMEWHERE, collected(pool(*answers)))
    assert verdict.status is status


def test_of_several_2010_servers_those_that_share_the_name_are_meant() -> None:
    sharing, other = exchange_server("OLD1", version=EXCHANGE_2010), exchange_server("OLD2", version=EXCHANGE_2010)
    name = NameInUse("mail.contoso.test", (NameUse(UseKind.OUTLOOK_ANYWHERE_EXTERNAL, "OLD1"),), frozenset())
    met = collected(pool(NOT_FOUND, name=name))
    assert judge(sharing, SOMEWHERE, met, other).status is Status.FAIL
    assert judge(other, SOMEWHERE, met, sharing).status is Status.NOT_APPLICABLE
