"""What a run is handed: its sources and the facts that nobody gathers, for live runs and for saved data alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checker import __version__
from checker.account import SignedIn, TestAccount
from checker.answers import CmdletRunner, Network
from checker.builds import load_builds
from checker.facts.builds import BuildTable
from checker.facts.run import GivenNames, MailboxScope, Now, ServerSelection, Thresholds, TrustStore, Vantage
from checker.host import HostData
from checker.plugins import Registry
from checker.results import Stage
from checker.runner import RunRequest, choose
from checker.settings import Settings, SettingsError
from checker.waivers import Waiver, refuse_far_ends

__all__ = ["Sources", "given_facts", "run_request", "selected_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whom a run asks, and what shapes its questions."""

    runner: CmdletRunner
    network: Network
    account: SignedIn
    test_account: TestAccount
    hosts: HostData
    trust: TrustStore
    vantage: Vantage
    given_names: GivenNames
    mailboxes: MailboxScope
    servers: ServerSelection


def given_facts(settings: Settings, sources: Sources, started: datetime) -> dict[type, object]:
    """What `checker.plugins.GIVEN` names, by type. "Now" is the start of the run unless the user gave another."""
    return {
        CmdletRunner: sources.runner,
        Network: sources.network,
        SignedIn: sources.account,
        TestAccount: sources.test_account,
        HostData: sources.hosts,
        TrustStore: sources.trust,
        Vantage: sources.vantage,
        GivenNames: sources.given_names,
        MailboxScope: sources.mailboxes,
        ServerSelection: sources.servers,
        Now: Now(settings.now or started),
        BuildTable: load_builds(),
        Thresholds: Thresholds(settings.certificate_days, settings.build_table_days),
    }


def run_request(
    settings: Settings,
    registry: Registry,
    *,
    started: datetime,
    stage: Stage | None,
    narrowed: tuple[str, ...],
    interrupted: bool = False,
) -> RunRequest:
    """How to run.

    Raises:
        UserError: --only, --skip or a waiver that cannot be used.
    """
    return RunRequest(
        selection=choose(registry, settings.only, settings.skip),
        stage=stage,
        deadline=settings.deadline,
        started=started,
        tool_version=__version__,
        narrowed=narrowed,
        waivers=_waivers(settings, settings.now or started),
        interrupted=interrupted,
    )


def _waivers(settings: Settings, now: datetime) -> tuple[Waiver, ...]:
    if not settings.waivers:
        return ()
    try:
        refuse_far_ends(settings.waiver, now)
    except ValueError as error:
        raise SettingsError(f"A waiver {error}.") from error
    return settings.waiver


def selected_words(settings: Settings) -> tuple[str, ...]:
    """How the user narrowed a run, in the words of the options."""
    chosen = {"--only": settings.only, "--skip": settings.skip, "--servers": settings.servers}
    return tuple(f"{option} {', '.join(values)}" for option, values in chosen.items() if values)
