"""Mailboxes: counted as they arrive, and named when a check may have to name them."""

import tracemalloc

import pytest

from checker import CmdletCall, NotCollected, PSObject, Reason
from checker.answers import PSValue
from checker.facts.mailboxes import (
    AUTO_LIMIT,
    AcceptedDomains,
    MailboxArchives,
    MailboxSettings,
    MailboxSignIns,
    SignIn,
    accepted_domains,
    mailbox_archives,
    mailbox_settings,
    mailbox_sign_ins,
    reduce_settings,
)
from checker.facts.run import MailboxMode, MailboxScope
from tests import more_factories
from tests.answers import Answer, Reply, ask, error, objects, without
from tests.factories import UNKNOWN, organization
from tests.more_answers import KeepingSession, accepted_domain_object, cas_mailbox_object, user_object
from tests.more_factories import cas_mailbox

AUTO = MailboxScope(MailboxMode.AUTO)
ALL = MailboxScope(MailboxMode.ALL)
NONE = MailboxScope(MailboxMode.NONE)
ACCEPTED = AcceptedDomains(frozenset({"contoso.test"}))
LITTLE = more_factories.mailbox_settings()


def settings(reply: Reply, scope: MailboxScope = AUTO) -> MailboxSettings:
    found = ask(mailbox_settings, KeepingSession({"Get-CASMailbox": reply}), scope=scope)
    assert isinstance(found, MailboxSettings)
    return found


def sign_ins(reply: Reply, scope: MailboxScope = AUTO, accepted: AcceptedDomains = ACCEPTED) -> MailboxSignIns:
    session = KeepingSession({"Get-User": reply})
    found = ask(mailbox_sign_ins, session, scope=scope, settings=LITTLE, accepted=accepted)
    assert isinstance(found, MailboxSignIns)
    return found


# --- Get-CASMailbox ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"MapiHttpEnabled": False}, cas_mailbox(mapi_http=False)),
        ({"MapiHttpEnabled": True}, cas_mailbox(mapi_http=True)),
        ({"MapiHttpEnabled": "False"}, cas_mailbox(mapi_http=False)),
        ({"MAPIEnabled": False}, cas_mailbox(mapi_enabled=False)),
        ({"MAPIBlockOutlookRpcHttp": True}, cas_mailbox(blocks_rpc_http=True)),
        ({"MAPIBlockOutlookExternalConnectivity": True}, cas_mailbox(blocks_external=True)),
        ({"MAPIBlockOutlookVersions": "-14.9"}, cas_mailbox(blocked_versions="-14.9")),
    ],
)
def test_a_mailbox_with_a_setting_of_its_own_is_named(change: dict[str, PSValue], read: object) -> None:
    found = settings(objects(cas_mailbox_object("bob"), cas_mailbox_object(**change), cas_mailbox_object("cy")))
    assert found == MailboxSettings(3, (read,), ())  # type: ignore[arg-type]


def test_mailboxes_as_created_are_counted_and_not_held() -> None:
    assert settings(objects(cas_mailbox_object("ann"), cas_mailbox_object("bob"))) == MailboxSettings(2, (), ())
    assert reduce_settings(cas_mailbox_object()) is True


@pytest.mark.parametrize(
    "mailbox",
    [cas_mailbox_object(), cas_mailbox_object(MapiHttpEnabled=False), without(cas_mailbox_object(), "MAPIEnabled")],
)
def test_a_reduced_mailbox_is_reduced_to_itself(mailbox: PSObject) -> None:
    def shape(value: PSValue) -> object:
        return value.properties if isinstance(value, PSObject) else value

    once = reduce_settings(mailbox)
    assert shape(reduce_settings(once)) == shape(once)


def test_a_property_that_is_not_there_is_a_doubt_about_it_alone() -> None:
    found = settings(objects(without(cas_mailbox_object(), "MapiHttpEnabled"), cas_mailbox_object(MAPIEnabled=False)))
    because = found.doubt("MapiHttpEnabled")
    assert because is not None
    assert because.reason is Reason.PROPERTY_ABSENT
    assert "newest server" in because.sentence
    assert found.doubt("MAPIEnabled") is None
    assert [mailbox.address for mailbox in found.notable] == ["ann@contoso.test"]


def test_a_value_that_says_nothing_is_no_default() -> None:
    found = settings(objects(cas_mailbox_object(MAPIEnabled=None, MapiHttpEnabled="Perhaps")))
    assert found.doubt("MAPIEnabled") is not None
    assert found.doubt("MapiHttpEnabled") is not None
    assert found.notable == ()


def test_an_error_leaves_a_doubt_about_everything_and_keeps_what_there_is() -> None:
    found = settings(objects(cas_mailbox_object(MapiHttpEnabled=False), errors=[error("kaputt", "CN=dora")]))
    assert len(found.notable) == 1
    because = found.doubt("MAPIEnabled")
    assert because is not None
    assert "CN=dora" in because.sentence


def test_a_mailbox_without_an_address_is_named_by_what_it_has() -> None:
    found = settings(objects(cas_mailbox_object(MAPIEnabled=False, PrimarySmtpAddress=None)))
    assert [mailbox.address for mailbox in found.notable] == ["contoso.test/Users/ann"]


@pytest.mark.parametrize(("scope", "size"), [(AUTO, AUTO_LIMIT + 1), (ALL, "Unlimited")])
def test_the_server_is_asked_for_no_more_than_wanted_of_the_whole_forest(scope: MailboxScope, size: object) -> None:
    session = KeepingSession({"Get-CASMailbox": objects(cas_mailbox_object())})
    ask(mailbox_settings, session, scope=scope)
    (call,) = session.sent
    assert dict(call.parameters) == {"ResultSize": size, "IgnoreDefaultScope": True}


def test_too_many_mailboxes_are_an_input_that_was_not_given() -> None:
    reply = objects(*[cas_mailbox_object()] * (AUTO_LIMIT + 1))
    found = ask(mailbox_settings, KeepingSession({"Get-CASMailbox": reply}), scope=AUTO)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert "5,000" in found.sentence
    assert "--mailboxes all" in found.sentence
    assert settings(objects(*[cas_mailbox_object()] * AUTO_LIMIT)).looked_at == AUTO_LIMIT
    assert settings(reply, ALL).looked_at == AUTO_LIMIT + 1


def test_none_asks_nobody() -> None:
    session = KeepingSession({})
    found = ask(mailbox_settings, session, scope=NONE)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert not session.sent


def test_what_is_held_of_many_mailboxes_is_little() -> None:
    tracemalloc.start()
    kept = [reduce_settings(cas_mailbox_object(f"u{number}", MapiHttpEnabled=False)) for number in range(2_000)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 2_000
    assert held / 2_000 < 1_500  # bytes: 50,000 of them, all with a setting of their own, are 75 MB at most


# --- archives ---------------------------------------------------------------------------------------------------------


def archives(reply: Reply, *names: str, **changes: object) -> tuple[MailboxArchives | NotCollected, KeepingSession]:
    session = KeepingSession({"Get-Mailbox": reply})
    ahead = more_factories.mailbox_settings(*(cas_mailbox(name, mapi_http=True) for name in names))
    wanted: dict[str, object] = {"settings": ahead, "organization": organization(mapi_http_enabled=False), **changes}
    found = ask(mailbox_archives, session, **wanted)
    assert isinstance(found, MailboxArchives | NotCollected)
    return found, session


GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
EMPTY = "00000000-0000-0000-0000-000000000000"


def by_identity(**guids: str) -> Reply:
    def reply(call: CmdletCall) -> Answer:
        name = str(dict(call.parameters)["Identity"]).removeprefix("CN=").partition(",")[0]
        return objects(PSObject((), name, {"ArchiveGuid": guids[name]}))

    return reply


def test_only_those_that_are_ahead_are_asked_for_their_archive() -> None:
    found, session = archives(by_identity(ann=GUID, bob=EMPTY), "ann", "bob")
    assert found == MailboxArchives(2, ("ann@contoso.test",), None)
    assert [dict(call.parameters)["Identity"] for call in session.sent] == [
        "CN=ann,CN=Users,DC=contoso,DC=test",
        "CN=bob,CN=Users,DC=contoso,DC=test",
    ]


def test_nobody_is_asked_when_nobody_is_ahead_or_all_are() -> None:
    for found, session in (
        archives(UNKNOWN),
        archives(UNKNOWN, "ann", organization=organization(mapi_http_enabled=True)),
    ):
        assert found == MailboxArchives(0, (), None)
        assert not session.sent


def test_of_very_many_all_archives_are_asked_for_at_once() -> None:
    names = [f"u{number}" for number in range(501)]
    reply = objects(
        PSObject((), "u7", {"DistinguishedName": "CN=U7,CN=Users,DC=contoso,DC=test"}),
        PSObject((), "else", {"DistinguishedName": "CN=else,CN=Users,DC=contoso,DC=test"}),
    )
    found, session = archives(reply, *names)
    assert found == MailboxArchives(501, ("u7@contoso.test",), None)
    (call,) = session.sent
    assert dict(call.parameters) == {"Archive": True, "ResultSize": "Unlimited", "IgnoreDefaultScope": True}


@pytest.mark.parametrize("reply", [UNKNOWN, objects(), objects(errors=[error("kaputt")]), objects(PSObject((), "ann"))])
def test_an_archive_that_is_not_known_is_a_doubt(reply: Reply) -> None:
    found, _ = archives(reply, "ann")
    assert isinstance(found, MailboxArchives)
    assert found.doubt is not None
    assert not found.addresses


# --- sign-in names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "different"),
    [
        ("ann@contoso.test", None),
        ("Ann@Contoso.test", None),
        ("ann@contoso.local", SignIn("ann@contoso.test", "ann@contoso.local", accepted=False)),
        ("a.smith@contoso.test", SignIn("ann@contoso.test", "a.smith@contoso.test", accepted=True)),
        ("ann", SignIn("ann@contoso.test", "ann", accepted=False)),
        (None, SignIn("ann@contoso.test", None, accepted=False)),
    ],
)
def test_sign_in_names(name: str | None, different: SignIn | None) -> None:
    found = sign_ins(objects(user_object("bob"), user_object("ann", UserPrincipalName=name)))
    assert found == MailboxSignIns(2, (different,) if different else (), None)


def test_a_name_that_is_the_address_in_a_domain_that_is_not_accepted() -> None:
    found = sign_ins(objects(user_object()), accepted=AcceptedDomains(frozenset({"fabrikam.test"})))
    assert [user.accepted for user in found.different] == [False]


@pytest.mark.parametrize("user", [without(user_object(), "UserPrincipalName"), user_object(WindowsEmailAddress="")])
def test_what_cannot_be_compared_is_a_doubt(user: PSObject) -> None:
    found = sign_ins(objects(user))
    assert found.different == ()
    assert found.doubt is not None


def test_only_users_with_a_mailbox_of_their_own_are_asked_for() -> None:
    session = KeepingSession({"Get-User": objects(user_object())})
    ask(mailbox_sign_ins, session, scope=ALL, settings=LITTLE, accepted=ACCEPTED)
    assert dict(session.sent[0].parameters)["RecipientTypeDetails"] == "UserMailbox"


def test_when_there_are_too_many_mailboxes_no_user_is_asked_for() -> None:
    too_many = NotCollected(Reason.NOT_GIVEN, "There are more than 5,000 mailboxes.")
    session = KeepingSession({"Get-User": objects(user_object())})
    assert ask(mailbox_sign_ins, session, scope=AUTO, settings=too_many, accepted=ACCEPTED) is too_many
    assert not session.sent
    found = ask(mailbox_sign_ins, session, scope=AUTO, settings=UNKNOWN, accepted=ACCEPTED)
    assert found == MailboxSignIns(1, (), None)


@pytest.mark.parametrize(
    ("domain", "held"),
    [
        ("contoso.test", True),
        ("CONTOSO.test", True),
        ("emea.contoso.test", False),
        ("fabrikam.test", True),
        ("a.b.fabrikam.test", True),
        ("contoso.local", False),
        ("", False),
        ("test", False),
    ],
)
def test_accepted_domains(domain: str, held: bool) -> None:
    reply = objects(accepted_domain_object("Contoso.test"), accepted_domain_object("*.fabrikam.test"))
    found = ask(accepted_domains, KeepingSession({"Get-AcceptedDomain": reply}))
    assert isinstance(found, AcceptedDomains)
    assert found.holds(domain) is held


@pytest.mark.parametrize("reply", [UNKNOWN, objects(), objects(accepted_domain_object(), errors=[error("kaputt")])])
def test_accepted_domains_that_are_not_all_known(reply: Reply) -> None:
    assert isinstance(ask(accepted_domains, KeepingSession({"Get-AcceptedDomain": reply})), NotCollected)
