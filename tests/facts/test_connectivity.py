"""Self tests: on whom, by which name of the probe, and which results say something."""

import pytest

from checker import CmdletCall, Collected, NotCollected, Reason
from checker.answers import PSValue
from checker.facts.connectivity import MapiSelfTest, RpcSelfTest, mapi_self_tests, rpc_self_tests
from checker.facts.servers import SP1, ExchangeServer, Version
from tests.answers import Answer, Reply, Session, ask, enumeration, error, objects, probe_object
from tests.factories import UNKNOWN, collected, exchange_server, missing_server, probe_result

QUALIFIED = "OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe"
BARE = "OutlookMapiHttpSelfTestProbe"
CU3 = Version(15, 0, 775, 38)
ONE = collected(exchange_server("EX01"))
NOT_FOUND = error("Die Sonde wurde nicht gefunden.", None, "Microsoft.Exchange.InvalidMonitorIdentityException")
DEAD = error(
    "Der RPC-Server ist nicht verfügbar.", None, "Microsoft.Exchange.Monitoring.ActiveMonitoringServerException"
)


def mapi(reply: Reply, of: Collected[ExchangeServer] = ONE) -> tuple[Collected[MapiSelfTest], Session]:
    session = Session({"Test-OutlookConnectivity": reply})
    found = ask(mapi_self_tests, session, servers=of)
    assert isinstance(found, Collected)
    return found, session


def known_as(*identities: str) -> Reply:
    """A server on which the probe has these names."""

    def reply(call: CmdletCall) -> Answer:
        identity = str(dict(call.parameters)["ProbeIdentity"])
        return objects(probe_object(identity)) if identity in identities else objects(errors=[NOT_FOUND])

    return reply


def why(reply: Reply) -> NotCollected:
    found, _ = mapi(reply)
    assert not found.items
    (missing,) = found.missing
    assert missing.subject.name == "EX01"
    return missing.because


def test_the_probe_is_run_on_the_server_that_it_is_about() -> None:
    found, session = mapi(known_as(QUALIFIED))
    assert found == collected(MapiSelfTest(exchange_server("EX01"), (probe_result(),)))
    (call,) = session.sent
    assert dict(call.parameters) == {"ProbeIdentity": QUALIFIED, "RunFromServerId": "EX01"}


def test_the_probe_of_rpc() -> None:
    session = Session({"Test-OutlookConnectivity": objects(probe_object("Outlook.Protocol\\OutlookRpcSelfTestProbe"))})
    found = ask(rpc_self_tests, session, servers=ONE)
    assert [test.results[0].probe for test in found.items] == ["Outlook.Protocol\\OutlookRpcSelfTestProbe"]
    assert dict(session.sent[0].parameters)["ProbeIdentity"] == "Outlook.Protocol\\OutlookRpcSelfTestProbe"
    assert isinstance(found.items[0], RpcSelfTest)


def test_older_servers_know_it_by_its_bare_name() -> None:
    found, session = mapi(known_as(BARE))
    assert [test.results for test in found.items] == [(probe_result(probe=BARE),)]
    assert [dict(call.parameters)["ProbeIdentity"] for call in session.sent] == [QUALIFIED, BARE]


def test_a_terminating_error_is_followed_by_the_bare_name_too() -> None:
    def reply(call: CmdletCall) -> Answer:
        identity = dict(call.parameters)["ProbeIdentity"]
        if identity == QUALIFIED:
            return NotCollected(Reason.CMDLET_ERROR, "EX01 stopped the cmdlet.")
        return objects(probe_object(BARE))

    found, _ = mapi(reply)
    assert len(found.items) == 1


def test_a_probe_that_is_known_by_no_name_leaves_the_question_open() -> None:
    because = why(known_as())
    assert because.reason is Reason.CMDLET_ERROR
    assert "Die Sonde wurde nicht gefunden" in because.sentence
    assert "Get-MonitoringItemIdentity -Server EX01 -Identity OutlookMapiHttp.Protocol" in because.sentence


def test_a_server_that_does_not_answer_is_asked_once() -> None:
    _, session = mapi(objects(errors=[DEAD]))
    assert len(session.sent) == 1


def test_nothing_at_all_is_no_success() -> None:
    assert why(objects()).reason is Reason.CMDLET_ERROR
    assert why(objects([])).reason is Reason.CMDLET_ERROR


@pytest.mark.parametrize("reason", [Reason.TIMED_OUT, Reason.CMDLET_UNKNOWN, Reason.THROTTLED])
def test_what_is_no_matter_of_the_name_is_not_asked_again(reason: Reason) -> None:
    found, session = mapi(NotCollected(reason, "Something else."))
    assert found.missing[0].because.reason is reason
    assert len(session.sent) == 1


def test_exchange_2010_as_the_answering_server() -> None:
    because = why(NotCollected(Reason.PARAMETER_UNKNOWN, "No parameter ProbeIdentity."))
    assert because.reason is Reason.PARAMETER_UNKNOWN
    assert "connect to EX01" in because.sentence


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("TimedOut", "TimedOut"),
        ("Rejected", "Rejected"),
        (enumeration("ResultType", "Poisoned", 4), "Poisoned"),
        (None, "the result nothing"),
    ],
)
def test_a_result_that_is_neither_success_nor_failure(value: PSValue, shown: str) -> None:
    because = why(objects(probe_object(QUALIFIED, value, Error="The operation has timed out.")))
    assert shown in because.sentence
    assert "The operation has timed out" in because.sentence


@pytest.mark.parametrize(
    ("results", "judged"),
    [
        (("Succeeded", "Failed"), True),
        (("TimedOut", "Failed"), True),
        (("Succeeded", "succeeded"), True),
        (("Succeeded", "TimedOut"), False),
    ],
)
def test_several_results_are_judged_together(results: tuple[str, ...], judged: bool) -> None:
    found, _ = mapi(objects(*(probe_object(QUALIFIED, result) for result in results)))
    assert bool(found.items) is judged
    assert bool(found.missing) is not judged


def test_what_the_server_says_of_a_failure_is_kept() -> None:
    thing = probe_object(QUALIFIED, "Failed", Error="503\nServer Unavailable", Exception="x" * 5000)
    found, _ = mapi(objects(thing))
    (result,) = found.items[0].results
    assert result.failed
    assert result.error == "503 Server Unavailable"
    assert len(result.exception) == 2000


def test_only_servers_that_have_the_probe_are_asked() -> None:
    servers = collected(
        exchange_server("EX10", version=Version(14, 3, 123, 4)),
        exchange_server("EX13OLD", version=CU3),
        exchange_server("EX13", version=SP1),
        exchange_server("CAS13", version=SP1, is_mailbox=False),
        exchange_server("EX99", version=UNKNOWN),
        missing=(missing_server("EX03"),),
    )
    found, session = mapi(known_as(QUALIFIED), servers)
    assert [test.server.name for test in found.items] == ["EX13"]
    assert [missing.subject.name for missing in found.missing] == ["EX99"]
    assert len(session.sent) == 1
    session = Session({"Test-OutlookConnectivity": known_as("Outlook.Protocol\\OutlookRpcSelfTestProbe")})
    found_rpc = ask(rpc_self_tests, session, servers=servers)
    assert [test.server.name for test in found_rpc.items] == ["EX13OLD", "EX13"]
