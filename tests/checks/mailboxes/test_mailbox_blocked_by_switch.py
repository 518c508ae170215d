"""Blocks on mailboxes, and what the organisation makes of them."""

import pytest

from checker import Advice, Cmdlet, Collected, NotCollected, Status, Verdict
from checker.answers import NotCollectedError
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.mailboxes import CasMailbox
from checks.mailboxes.mailbox_blocked_by_switch import blocks_capable, judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server, organization
from tests.more_factories import cas_mailbox, mailbox_settings

PUBLISHED = collected(mapi_directory())
NOT_PUBLISHED = collected(mapi_directory(external_url=None))


def of(
    *mailboxes: CasMailbox,
    switch: bool | NotCollected = True,
    directories: Collected[MapiVirtualDirectory] | NotCollected = PUBLISHED,
    doubts: tuple[tuple[str, NotCollected], ...] = (),
) -> Verdict:
    return judge(mailbox_settings(*mailboxes, doubts=doubts), organization(mapi_http_enabled=switch), directories)


@pytest.mark.parametrize(
    ("override", "switch", "status"),
    [
        (None, True, Status.PASS),
        (None, False, Status.FAIL),
        (False, True, Status.FAIL),
        (True, False, Status.PASS),
    ],
)
def test_rpc_blocked(override: bool | None, switch: bool, status: Status) -> None:
    assert of(cas_mailbox(blocks_rpc_http=True, mapi_http=override), switch=switch).status is status
    assert of(cas_mailbox(mapi_http=override), switch=switch).status is Status.PASS


@pytest.mark.parametrize(
    ("versions", "capable"),
    [
        ("-14.0.6129.5000", False),
        ("-11.8010.8036", False),
        ("1.0.0-5.9999.9999; 7.0.0-14.9.9", False),
        ("-15.0.4569.1505", False),
        ("15.0.4569", False),  # one version: sources differ on what it means
        ("16.0.4266", False),
        ("-15.0.4569.1506", True),
        ("-16.0.5000", True),
        ("16.0.0-", True),
        ("15.0.0-15.9.9", True),
        ("7.0.0-", True),
        ("1.0-2.0,16.0-16.1", True),
        ("-", None),
        ("", None),
        ("Outlook 2013", None),
        ("1-2-3", None),
    ],
)
def test_versions(versions: str, capable: bool | None) -> None:
    assert blocks_capable(versions) is capable
    mailbox = cas_mailbox(blocked_versions=versions)
    if capable is None:
        with pytest.raises(NotCollectedError):
            of(mailbox)
    else:
        assert of(mailbox).status is (Status.FAIL if capable else Status.PASS)


@pytest.mark.parametrize(
    ("directories", "status"),
    [(PUBLISHED, Status.FAIL), (NOT_PUBLISHED, Status.PASS), (collected(), Status.PASS)],
)
def test_external_connectivity_blocked(directories: Collected[MapiVirtualDirectory], status: Status) -> None:
    assert of(cas_mailbox(blocks_external=True), directories=directories).status is status


def test_all_blocks_are_told_together() -> None:
    verdict = of(
        cas_mailbox("ann", blocks_rpc_http=True, blocks_external=True),
        cas_mailbox("bob", blocked_versions="16.0-"),
        switch=False,
    )
    assert verdict.summary.startswith("a block counts for 2 of 120 mailboxes: ")
    assert [label for label, _ in verdict.evidence] == [
        "MAPIBlockOutlookRpcHttp",
        "MAPIBlockOutlookVersions",
        "MAPIBlockOutlookExternalConnectivity",
    ]
    first, advice, versions, external = verdict.remedy
    assert first == Cmdlet("Set-CASMailbox", Identity="ann@contoso.test", MAPIBlockOutlookRpcHttp=False)
    assert isinstance(advice, Advice)
    assert versions == Cmdlet("Set-CASMailbox", Identity="bob@contoso.test", MAPIBlockOutlookVersions=None)
    assert external == Cmdlet("Set-CASMailbox", Identity="ann@contoso.test", MAPIBlockOutlookExternalConnectivity=False)


@pytest.mark.parametrize(
    "setting", ["MAPIBlockOutlookRpcHttp", "MAPIBlockOutlookVersions", "MAPIBlockOutlookExternalConnectivity"]
)
def test_a_doubt_leaves_it_open_and_a_failure_stands(setting: str) -> None:
    doubts = ((setting, UNKNOWN),)
    with pytest.raises(NotCollectedError):
        of(doubts=doubts)
    assert of(cas_mailbox(blocked_versions="16.0-"), doubts=doubts).status is Status.FAIL


def test_what_else_must_be_known() -> None:
    for directories in (
        UNKNOWN,
        collected(missing=(missing_server(),)),
        collected(mapi_directory(external_url=UNKNOWN)),
    ):
        with pytest.raises(NotCollectedError):
            of(cas_mailbox(blocks_external=True), directories=directories)
        assert of(directories=directories).status is Status.PASS
    with pytest.raises(NotCollectedError):
        of(cas_mailbox(blocks_rpc_http=True), switch=UNKNOWN)
    assert of(switch=UNKNOWN).status is Status.PASS
    assert judge(mailbox_settings(looked_at=0), UNKNOWN, UNKNOWN).status is Status.NOT_APPLICABLE
