"""The logon probes: which is asked for, by which names, and which results say something."""

import pytest

from checker import CmdletCall, Collected, NotCollected, Reason
from checker.facts.logon_tests import MapiLogonTest, mapi_logon_tests
from checker.facts.servers import SP1, ExchangeServer, Version
from tests.answers import Answer, Reply, Session, ask, error, objects, probe_object
from tests.factories import UNKNOWN, collected, exchange_server, probe_result

HEALTH_SET = "OutlookMapiHttp.Protocol"
DEEP, CTP = "OutlookMapiHttpDeepTestProbe", "OutlookMapiHttpCtpProbe"
NAMES = (f"{HEALTH_SET}\\{DEEP}", DEEP, f"{HEALTH_SET}\\{CTP}", CTP)
ONE = collected(exchange_server("EX01"))
NOT_FOUND = error("Die Sonde wurde nicht gefunden.", None, "Microsoft.Exchange.InvalidMonitorIdentityException")
DEAD = error("Der RPC-Server ist nicht da.", None, "Microsoft.Exchange.Monitoring.ActiveMonitoringServerException")


def looked(reply: Reply, of: Collected[ExchangeServer] = ONE) -> tuple[Collected[MapiLogonTest], Session]:
    session = Session({"Test-OutlookConnectivity": reply})
    found = ask(mapi_logon_tests, session, servers=of)
    assert isinstance(found, Collected)
    return found, session


def identity_of(call: CmdletCall) -> str:
    return str(dict(call.parameters)["ProbeIdentity"])


@pytest.mark.parametrize("known", NAMES)
def test_the_first_name_that_a_server_knows_is_taken(known: str) -> None:
    def reply(call: CmdletCall) -> Answer:
        return objects(probe_object(known)) if identity_of(call) == known else objects(errors=[NOT_FOUND])

    found, session = looked(reply)
    assert found == collected(MapiLogonTest(exchange_server("EX01"), (probe_result(probe=known),)))
    assert tuple(identity_of(call) for call in session.sent) == NAMES[: NAMES.index(known) + 1]
    assert {dict(call.parameters)["RunFromServerId"] for call in session.sent} == {"EX01"}


def test_a_server_without_the_probes_leaves_it_open() -> None:
    found, session = looked(objects(errors=[NOT_FOUND]))
    (missing,) = found.missing
    assert missing.subject.name == "EX01"
    assert DEEP in missing.because.sentence
    assert len(session.sent) == len(NAMES)


def test_a_server_that_cannot_be_reached_is_asked_once() -> None:
    found, session = looked(objects(errors=[DEAD]))
    assert len(found.missing) == len(session.sent) == 1


def test_a_session_that_is_of_no_use_is_told_as_it_is() -> None:
    found, session = looked(UNKNOWN)
    assert [missing.because for missing in found.missing] == [UNKNOWN]
    assert len(session.sent) == 1


def test_a_terminating_error_is_followed_by_the_next_name() -> None:
    def reply(call: CmdletCall) -> Answer:
        if identity_of(call) == NAMES[0]:
            return NotCollected(Reason.CMDLET_ERROR, "EX01 stopped the cmdlet.")
        return objects(probe_object(DEEP))

    assert len(looked(reply)[0].items) == 1


@pytest.mark.parametrize("result", ["TimedOut", "Rejected", "Poisoned", "", None])
def test_other_results_say_nothing(result: str | None) -> None:
    found, _ = looked(objects(probe_object(NAMES[0], result)))
    (missing,) = found.missing
    assert missing.because.reason is Reason.OTHER
    assert (result or "nothing") in missing.because.sentence


def test_one_failure_among_others_counts() -> None:
    found, _ = looked(objects(probe_object(NAMES[0], "TimedOut"), probe_object(NAMES[0], "Failed", Error="401")))
    assert [(result.result, result.error) for result in found.items[0].results] == [("TimedOut", ""), ("Failed", "401")]


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        (exchange_server(version=SP1), True),
        (exchange_server(version=Version(15, 0, 775, 38)), False),
        (exchange_server(version=Version(14, 3, 123, 4)), False),
        (exchange_server(is_mailbox=False), False),
    ],
)
def test_whom_it_concerns(server: ExchangeServer, asked: bool) -> None:
    found, session = looked(objects(probe_object(NAMES[0])), collected(server))
    assert bool(session.sent) is asked
    assert bool(found.items) is asked
    assert not found.missing


def test_a_version_that_is_not_known_leaves_it_open() -> None:
    found, session = looked(objects(probe_object(NAMES[0])), collected(exchange_server(version=UNKNOWN)))
    assert [missing.because for missing in found.missing] == [UNKNOWN]
    assert not session.sent
