"""The organisation's switch is on."""

import pytest

from checker import Advice, Cmdlet, NotCollected, Reason, Stage, Status
from checker.answers import NotCollectedError
from checker.facts.servers import MapiHttpSupport
from checks.organisation.org_mapi_http_enabled import INFO, judge
from tests.factories import UNKNOWN, organization

ABSENT = NotCollected(Reason.PROPERTY_ABSENT, "EX10 (14.3.123.4) does not know the setting.")
SOMEWHERE = MapiHttpSupport(anywhere=True)
NOWHERE = MapiHttpSupport(anywhere=False)
PERHAPS = MapiHttpSupport(anywhere=UNKNOWN)


@pytest.mark.parametrize(
    ("enabled", "support", "status"),
    [
        (True, SOMEWHERE, Status.PASS),
        (True, UNKNOWN, Status.PASS),
        (False, SOMEWHERE, Status.FAIL),
        (False, UNKNOWN, Status.FAIL),
        (ABSENT, NOWHERE, Status.FAIL),  # no server that could have it
    ],
)
def test_the_switch(enabled: bool | NotCollected, support: MapiHttpSupport | NotCollected, status: Status) -> None:
    assert judge(organization(mapi_http_enabled=enabled), support).status is status


@pytest.mark.parametrize("support", [SOMEWHERE, PERHAPS, UNKNOWN])
def test_a_server_that_does_not_know_the_switch_leaves_it_open(support: MapiHttpSupport | NotCollected) -> None:
    with pytest.raises(NotCollectedError) as raised:
        judge(organization(mapi_http_enabled=ABSENT), support)
    assert raised.value.not_collected is ABSENT


def test_a_switch_that_could_not_be_read_is_not_absent() -> None:
    with pytest.raises(NotCollectedError):
        judge(organization(mapi_http_enabled=UNKNOWN), NOWHERE)


def test_what_to_do() -> None:
    off = judge(organization(mapi_http_enabled=False), SOMEWHERE)
    assert off.remedy == (Cmdlet("Set-OrganizationConfig", MapiHttpEnabled=True),)
    assert (off.found, off.expected) == (("MapiHttpEnabled False",), ("MapiHttpEnabled True",))
    (step,) = judge(organization(mapi_http_enabled=ABSENT), NOWHERE).remedy
    assert isinstance(step, Advice)


def test_it_is_asked_after_the_switch_only() -> None:
    assert INFO.stages == {Stage.VERIFY}
