"""The organisation's switch: on, off, or not known to the server that answered, and then why."""

import pytest

from checker import CmdletCall, NotCollected, PSObject, Reason
from checker.answers import PSValue
from checker.facts.organisation import OrganizationConfig, organization_config
from tests.answers import (
    Answer,
    Reply,
    Session,
    ask,
    objects,
    organisation_object,
    server_object,
    server_version,
    without,
)


def organisation(**replies: Reply) -> OrganizationConfig | NotCollected:
    session = Session({name.replace("_", "-"): reply for name, reply in replies.items()}, server="ex10.contoso.test")
    found = ask(organization_config, session)
    assert isinstance(found, OrganizationConfig | NotCollected)
    return found


def test_it_is_read() -> None:
    thing = organisation_object(DefaultAuthenticationPolicy=None)
    assert organisation(Get_OrganizationConfig=objects(thing)) == OrganizationConfig(
        "Contoso",
        mapi_http_enabled=False,
        modern_authentication=True,
        default_policy=None,
        answered_by="ex10.contoso.test",
    )


@pytest.mark.parametrize(
    ("thing", "version", "words"),
    [
        (
            without(organisation_object(), "MapiHttpEnabled"),
            "Version 14.3 (Build 123.4)",
            ("ex10.contoso.test (14.3.123.4)", "does not know the setting", "connect to"),
        ),
        (
            organisation_object(MapiHttpEnabled=None),
            "Version 15.0 (Build 775.38)",
            ("ex10.contoso.test (15.0.775.38)", "does not know the setting", "connect to"),
        ),
        (
            without(organisation_object(), "MapiHttpEnabled"),
            "Version 15.2 (Build 1748.10)",
            ("Get-OrganizationConfig", "ex10.contoso.test", "without the property MapiHttpEnabled"),
        ),
    ],
)
def test_a_switch_that_is_not_there_is_not_off(thing: PSObject, version: str, words: tuple[str, ...]) -> None:
    def server(call: CmdletCall) -> Answer:
        assert dict(call.parameters) == {"Identity": "ex10.contoso.test"}
        return objects(server_object("EX10", AdminDisplayVersion=server_version(version)))

    found = organisation(Get_OrganizationConfig=objects(thing), Get_ExchangeServer=server)
    assert isinstance(found, OrganizationConfig)
    assert isinstance(found.mapi_http_enabled, NotCollected)
    assert found.mapi_http_enabled.reason is Reason.PROPERTY_ABSENT
    assert all(word in found.mapi_http_enabled.sentence for word in words)


def test_a_switch_that_is_not_there_stays_unknown_when_the_version_is() -> None:
    found = organisation(Get_OrganizationConfig=objects(without(organisation_object(), "MapiHttpEnabled")))
    assert isinstance(found, OrganizationConfig)
    assert isinstance(found.mapi_http_enabled, NotCollected)


@pytest.mark.parametrize("things", [(), ("SoloORG",), (organisation_object(Name=None),), ({},)])
def test_no_organisation_is_not_an_organisation_without_settings(things: tuple[PSValue, ...]) -> None:
    assert isinstance(organisation(Get_OrganizationConfig=objects(*things)), NotCollected)


def test_why_it_could_not_be_asked_is_kept() -> None:
    refused = NotCollected(Reason.FORBIDDEN, "CONTOSO\\audit may not sign in; …")
    assert organisation(Get_OrganizationConfig=refused) == refused
