"""Mailboxes, users, accepted domains, and what Active Directory and IIS hold of a directory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.powershell.cmdlet import Call, Category, Notice, Output, Problem
from lab.powershell.cmdlets import ScenarioCmdlets
from lab.powershell.iis_cmdlets import IisCmdlets
from lab.powershell.mailbox_cmdlets import MailboxCmdlets
from lab.scenario import Mailbox, Mailboxes, Scenario, User, load
from tests.lab.powershell.test_clixml import read

USER = "CONTOSO\\audit"


def said(scenario: Scenario, cmdlet: str, **parameters: str | bool) -> tuple[list[Any], list[Any]]:
    """The objects of a cmdlet, read by psrpcore, and whatever else it said."""
    server = scenario.servers[0]
    cmdlets = MailboxCmdlets(scenario, server, IisCmdlets(scenario, server, ScenarioCmdlets(scenario, server)))
    every = list(cmdlets.run(Call(cmdlet, parameters, USER)))
    objects = read(*(each.clixml for each in every if isinstance(each, Output)))
    return objects, [each for each in every if not isinstance(each, Output)]


def with_mailboxes(count: int, *special: Mailbox) -> Scenario:
    return replace(load("healthy"), mailboxes=Mailboxes(count, special))


# --- mailboxes --------------------------------------------------------------------------------------------------------


def test_mailboxes_as_created_and_special_ones() -> None:
    special = Mailbox("ann", mapi_http_enabled=False, mapi_enabled=False, blocked_versions="16.0-")
    objects, others = said(with_mailboxes(2, special), "Get-CASMailbox")
    assert not others
    assert [str(each.PrimarySmtpAddress) for each in objects] == [
        "user1@contoso.test",
        "user2@contoso.test",
        "ann@contoso.test",
    ]
    assert [each.MapiHttpEnabled for each in objects] == [None, None, False]
    assert [each.MAPIEnabled for each in objects] == [True, True, False]
    assert [each.MAPIBlockOutlookVersions for each in objects] == [None, None, "16.0-"]
    assert objects[1].DistinguishedName == "CN=user2,OU=Staff,DC=contoso,DC=test"
    assert str(objects[1].Identity) == "contoso.test/Staff/user2"


@pytest.mark.parametrize("cmdlet", ["Get-CASMailbox", "Get-Mailbox", "Get-User"])
@pytest.mark.parametrize(
    ("size", "count", "more"), [("3", 3, True), ("10", 10, False), ("Unlimited", 10, False), ("50", 10, False)]
)
def test_result_size(cmdlet: str, size: str, count: int, more: bool) -> None:
    objects, others = said(with_mailboxes(10), cmdlet, ResultSize=size)
    assert len(objects) == count
    assert [isinstance(each, Notice) for each in others] == [True] * more


def test_by_default_there_are_a_thousand() -> None:
    objects, others = said(with_mailboxes(1_001), "Get-User")
    assert len(objects) == 1_000
    assert isinstance(others[0], Notice)


def test_one_mailbox_by_its_names() -> None:
    scenario = with_mailboxes(3, Mailbox("ann", archive=True))
    name = "CN=ann,OU=Staff,DC=contoso,DC=test"
    for identity in ("ann", "Ann@contoso.test", name):
        ((box,), others) = said(scenario, "Get-Mailbox", Identity=identity)
        assert not others
        assert box.ArchiveGuid.int
    objects, _ = said(scenario, "Get-Mailbox", Identity=name, IgnoreDefaultScope=True)
    assert len(objects) == 1
    for wanted in ({"Identity": "ann", "IgnoreDefaultScope": True}, {"Identity": "nobody"}):
        objects, (problem,) = said(scenario, "Get-Mailbox", **wanted)
        assert not objects
        assert isinstance(problem, Problem)


def test_archives() -> None:
    scenario = with_mailboxes(3, Mailbox("ann", archive=True), Mailbox("bob"))
    objects, _ = said(scenario, "Get-Mailbox", Archive=True)
    assert [str(each) for each in objects] == ["ann"]
    objects, _ = said(scenario, "Get-Mailbox")
    assert [bool(each.ArchiveGuid.int) for each in objects] == [False, False, False, True, False]


def test_users_and_their_domain() -> None:
    special = (Mailbox("ann", user_principal_name="ann@ad.contoso.test"), Mailbox("bob", user_principal_name=""))
    objects, _ = said(with_mailboxes(1, *special), "Get-User", RecipientTypeDetails="UserMailbox")
    assert [each.UserPrincipalName for each in objects] == ["user1@contoso.test", "ann@ad.contoso.test", ""]
    assert said(with_mailboxes(1), "Get-User", RecipientTypeDetails="SharedMailbox")[0] == []
    ((domain,), _) = said(with_mailboxes(1), "Get-AcceptedDomain")
    assert str(domain.DomainName) == "contoso.test"


def test_an_old_server_does_not_know_the_override() -> None:
    scenario = load("healthy", faults=["server-is-2010:EX01"])
    objects, _ = said(scenario, "Get-CASMailbox")
    assert not hasattr(objects[0], "MapiHttpEnabled")
    assert objects[0].MAPIEnabled is True


def test_a_user_without_the_role_does_not_have_them() -> None:
    scenario = with_mailboxes(1)
    server = scenario.servers[0]
    cmdlets = MailboxCmdlets(scenario, server, ScenarioCmdlets(scenario, server))
    assert cmdlets.signature("get-casmailbox", User(USER, "x")) is not None
    assert cmdlets.signature("Get-CASMailbox", User(USER, "x", denied=("get-casmailbox",))) is None
    assert cmdlets.signature("Get-OrganizationConfig", User(USER, "x")) is not None


# --- IIS --------------------------------------------------------------------------------------------------------------

HELD = ["mapi-extended-protection:EX02", "mapi-iis-lacks-negotiate:EX02", "rpc-extended-protection:EX02"]


def test_only_iis_knows_what_iis_does() -> None:
    scenario = load("healthy", faults=HELD)
    ((stored,), _) = said(scenario, "Get-MapiVirtualDirectory", Server="EX02", ADPropertiesOnly=True)
    ((held,), _) = said(scenario, "Get-MapiVirtualDirectory", Server="EX02")
    assert str(stored.ExtendedProtectionTokenChecking) == "None"
    assert str(held.ExtendedProtectionTokenChecking) == "Require"
    assert [str(method) for method in stored.IISAuthenticationMethods] == ["Ntlm", "OAuth", "Negotiate"]
    assert [str(method) for method in held.IISAuthenticationMethods] == ["Ntlm", "OAuth"]
    assert not stored.Path
    assert held.Path.endswith("mapi")
    ((stored,), _) = said(scenario, "Get-OutlookAnywhere", Server="EX02", ADPropertiesOnly=True)
    ((held,), _) = said(scenario, "Get-OutlookAnywhere", Server="EX02")
    assert str(stored.ExtendedProtectionTokenChecking) == "None"
    assert str(held.ExtendedProtectionTokenChecking) == "Require"


def test_all_servers_at_once() -> None:
    objects, others = said(load("healthy"), "Get-MapiVirtualDirectory")
    assert [str(each.Server) for each in objects] == ["EX01", "EX02", "EX03"]
    assert not others


@pytest.mark.parametrize("cmdlet", ["Get-MapiVirtualDirectory", "Get-OutlookAnywhere"])
def test_iis_that_may_not_be_read_gives_an_error_and_no_object(cmdlet: str) -> None:
    scenario = load("healthy", faults=["iis-unreadable:EX02"])
    objects, others = said(scenario, cmdlet)
    assert [str(each.Server) for each in objects] == ["EX01", "EX03"]
    (problem,) = others
    assert problem.category == Category.NOT_INSTALLED
    assert problem.exception_types[0].endswith(".IISGeneralCOMException")
    assert problem.target_name.startswith("EX02\\")
    assert not problem.terminating
    assert said(scenario, cmdlet, Server="ex02.contoso.test")[0] == []
    assert len(said(scenario, cmdlet, ADPropertiesOnly=True)[0]) == 3
