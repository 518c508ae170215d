"""One certificate behind a name: the same, different, or different because one is bad."""

import pytest

from checker import Layer, Missing, Status
from checker.answers import NotCollectedError
from checker.facts.behind import NameServers
from checker.results import Cmdlet, Verdict
from checks.certificates.cert_same_on_all_servers import judge as judge_servers
from tests.factories import UNKNOWN, collected
from tests.factories_behind import certificate, name_servers, serves
from tests.factories_network import DAY, NOW, intermediate, issue, name_in_use, served

ONE = served()
TWO = served(issue(by=intermediate()), intermediate())
EXPIRED = served(issue(by=intermediate(), last=-DAY), intermediate())


def judge(servers: NameServers) -> Verdict:
    return judge_servers(servers, UNKNOWN, collected(), NOW)


def test_the_same() -> None:
    assert judge(name_servers(serves(ONE), serves(ONE, server="EX02"))).status is Status.PASS


def test_the_same_and_bad_is_the_same() -> None:
    assert judge(name_servers(serves(EXPIRED), serves(EXPIRED, server="EX02"))).status is Status.PASS


def test_different_and_each_good() -> None:
    verdict = judge(name_servers(serves(ONE), serves(ONE, server="EX02"), serves(TWO, server="EX03")))
    assert verdict.status is Status.FAIL
    enable = verdict.remedy[-1]
    assert isinstance(enable, Cmdlet)
    assert dict(enable.parameters) == {"Server": "EX03", "Thumbprint": certificate(ONE).thumbprint, "Services": "IIS"}


def test_no_majority_leaves_the_choice() -> None:
    verdict = judge(name_servers(serves(ONE), serves(TWO, server="EX02")))
    assert verdict.status is Status.FAIL
    assert not [step for step in verdict.remedy if isinstance(step, Cmdlet)]


def test_one_that_is_bad_has_a_finding_of_its_own() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(name_servers(serves(ONE, as_by_name=True), serves(EXPIRED, server="EX02")))
    because = caught.value.not_collected
    assert because.layer is Layer.CERTIFICATE
    assert because.behind is not None
    assert because.behind.name == "EX02"


def test_one_that_is_bad_does_not_hide_that_the_others_differ() -> None:
    shown = name_servers(serves(ONE), serves(TWO, server="EX02"), serves(EXPIRED, server="EX03"))
    assert judge(shown).status is Status.FAIL


def test_one_server() -> None:
    assert judge(name_servers(serves(ONE))).status is Status.NOT_APPLICABLE


def test_a_server_that_could_not_be_asked_leaves_it_open_unless_the_others_differ() -> None:
    missing = (Missing(name_in_use().subject, UNKNOWN),)
    with pytest.raises(NotCollectedError):
        judge(name_servers(serves(ONE), serves(ONE, server="EX02"), unknown=missing))
    assert judge(name_servers(serves(ONE), serves(TWO, server="EX02"), unknown=missing)).status is Status.FAIL
