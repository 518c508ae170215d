"""What files hold of an organisation, as sources that a run can be handed in place of live ones.

A snapshot (`checker.snapshot`), the collector's export (`checker.collected`) and other people's exports
(`checker.exports`) are each read into a `SavedView`; `checker.judging` puts views together and judges them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checker.account import SignedIn, TestAccount
from checker.answers import CmdletRunner, Network
from checker.facts.run import GivenNames, MailboxScope, ServerSelection, TrustStore, Vantage
from checker.host import HostData
from checker.results import Stage

__all__ = ["SavedView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """What one or several files hold, seen from one place at one time.

    A source that the files do not hold is None; judged, what needs it is NOT_GIVEN. `gathered` is aware, None when no
    file says it. `found` tells the reader what was found in which file, a sentence each; `missing` what the files
    themselves say that they could not get. `incomplete` says in the words of the report how they are less than an
    organisation ("exports of EX01 alone"): such a run never says READY.

    `whole` says that the organisation was asked: what its answers do not hold is not there. Exports of single cmdlets
    may have been made of some servers alone.

    What only snapshots hold: `trust` is what the gathering machine trusted, `stage` the one that was asked for, `asked`
    the servers of remote PowerShell, `interrupted` that the gathering was ended by Ctrl-C.
    """

    files: tuple[str, ...]
    gathered: datetime | None
    vantage: Vantage
    runner: CmdletRunner | None
    network: Network | None
    account: SignedIn | None
    test_account: TestAccount
    hosts: HostData
    given_names: GivenNames
    mailboxes: MailboxScope
    servers: ServerSelection
    found: tuple[str, ...]
    missing: tuple[str, ...]
    incomplete: tuple[str, ...]
    whole: bool = False
    trust: TrustStore | None = None
    stage: Stage | None = None
    asked: tuple[str, ...] = ()
    interrupted: bool = False
