"""What IIS holds: asked of each server, and told apart from what only looks like it."""

import pytest

from checker import CmdletCall, Collected, NotCollected, Reason
from checker.answers import CmdletError, PSValue
from checker.facts.iis import (
    MapiDirectoryInIis,
    OutlookAnywhereInIis,
    TokenChecking,
    mapi_directories_in_iis,
    outlook_anywhere_in_iis,
)
from tests import more_factories
from tests.answers import Answer, Reply, Session, ask, enumeration, mapi_object, methods, objects, several, without
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server, outlook_anywhere
from tests.factories_hosts import NO_HOSTS
from tests.more_answers import anywhere_in_iis, mapi_in_iis

ONE = collected(mapi_directory())
METABASE = "Microsoft.Exchange.Management.Metabase"
IDENTITY = "EX01\\mapi (Default Web Site)"


def looked(reply: Reply) -> Collected[MapiDirectoryInIis]:
    found = ask(mapi_directories_in_iis, Session({"Get-MapiVirtualDirectory": reply}), directories=ONE, hosts=NO_HOSTS)
    assert isinstance(found, Collected)
    return found


def why(reply: Reply) -> NotCollected:
    found = looked(reply)
    assert not found.items
    (missing,) = found.missing
    assert missing.subject == mapi_directory().subject
    return missing.because


def refused(kind: str, category: str = "NotInstalled") -> CmdletError:
    return CmdletError("[Server=EX01] 4B6B88BA,Get", category, "Zugriff verweigert.", IDENTITY, (kind, "System.Object"))


def test_each_server_is_asked_for_itself() -> None:
    def reply(call: CmdletCall) -> Answer:
        return objects(mapi_in_iis(str(dict(call.parameters)["Server"]), "Require"))

    session = Session({"Get-MapiVirtualDirectory": reply})
    directories = collected(mapi_directory("EX01"), mapi_directory("EX02"), missing=(missing_server(),))
    found = ask(mapi_directories_in_iis, session, directories=directories, hosts=NO_HOSTS)
    assert [(item.directory.server, item.token_checking) for item in found.items] == [
        ("EX01", TokenChecking.REQUIRE),
        ("EX02", TokenChecking.REQUIRE),
    ]
    assert found.missing == (missing_server(),)
    assert [call.parameters for call in session.sent] == [(("Server", "EX01"),), (("Server", "EX02"),)]


def test_outlook_anywhere() -> None:
    session = Session({"Get-OutlookAnywhere": objects(anywhere_in_iis("EX01", "Allow"))})
    found = ask(outlook_anywhere_in_iis, session, directories=collected(outlook_anywhere()), hosts=NO_HOSTS)
    assert found == collected(OutlookAnywhereInIis(outlook_anywhere(), TokenChecking.ALLOW))


def test_methods_and_their_spelling() -> None:
    reply = objects(mapi_in_iis(IISAuthenticationMethods=methods("Basic", "Ntlm")))
    assert looked(reply) == collected(more_factories.mapi_in_iis(authentication_methods=("Basic", "Ntlm")))


def test_an_empty_list_of_methods_proves_nothing() -> None:
    (item,) = looked(objects(mapi_in_iis(IISAuthenticationMethods=several()))).items
    assert isinstance(item.authentication_methods, NotCollected)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("None", TokenChecking.NONE),
        ("require", TokenChecking.REQUIRE),
        (2, TokenChecking.REQUIRE),
        (enumeration("ExtendedProtectionTokenCheckingMode", "Allow", 1), TokenChecking.ALLOW),
        (None, None),
        ("Perhaps", None),
        (7, None),
    ],
)
def test_extended_protection(value: PSValue, read: TokenChecking | None) -> None:
    (item,) = looked(objects(mapi_in_iis(ExtendedProtectionTokenChecking=value))).items
    if read is None:
        assert isinstance(item.token_checking, NotCollected)
    else:
        assert item.token_checking is read


@pytest.mark.parametrize(
    "error",
    [
        refused(f"{METABASE}.IISGeneralCOMException"),
        refused("System.UnauthorizedAccessException", "PermissionDenied"),
        refused("System.Exception", "PermissionDenied"),
        refused("System.Security.SecurityException", "SecurityError"),
    ],
)
def test_an_account_that_may_not_read_iis_is_an_input_that_was_not_given(error: CmdletError) -> None:
    because = why(objects(errors=[error]))
    assert because.reason is Reason.NOT_GIVEN
    assert "needs an account that may read IIS, or the collector's export" in because.sentence
    assert "EX01" in because.sentence


@pytest.mark.parametrize(
    "reply",
    [objects(), NotCollected(Reason.FORBIDDEN, "EX01 lets nobody in.")],
    ids=["an empty list", "refused as a whole"],
)
def test_nothing_at_all_is_taken_for_that_too(reply: Reply) -> None:
    assert why(reply).reason is Reason.NOT_GIVEN


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (objects(errors=[refused(f"{METABASE}.IISNotReachableException", "ReadError")]), Reason.CMDLET_ERROR),
        (NotCollected(Reason.TIMED_OUT, "EX01 did not answer."), Reason.TIMED_OUT),
        (objects(mapi_in_iis(Path=None)), Reason.PROPERTY_ABSENT),  # IIS has no such directory
        (objects(mapi_in_iis(Path="")), Reason.PROPERTY_ABSENT),
        (objects(without(mapi_in_iis(), "Path")), Reason.PROPERTY_ABSENT),
        (objects(mapi_object()), Reason.PROPERTY_ABSENT),  # what Active Directory says
        (objects(mapi_in_iis("EX02")), Reason.OTHER),
    ],
)  # fmt: skip
def test_what_else_leaves_it_unknown(reply: Reply, reason: Reason) -> None:
    assert why(reply).reason is reason


def test_one_server_that_fails_costs_only_its_own_directories() -> None:
    def reply(call: CmdletCall) -> Answer:
        server = str(dict(call.parameters)["Server"])
        return UNKNOWN if server == "EX02" else objects(mapi_in_iis(server))

    directories = collected(mapi_directory("EX01"), mapi_directory("EX02"))
    found = ask(
        mapi_directories_in_iis, Session({"Get-MapiVirtualDirectory": reply}), directories=directories, hosts=NO_HOSTS
    )
    assert [item.directory.server for item in found.items] == ["EX01"]
    assert [(entry.subject, entry.because) for entry in found.missing] == [(mapi_directory("EX02").subject, UNKNOWN)]
