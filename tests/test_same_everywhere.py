"""Live, kept then judged, collected then judged: the same findings, for organisations with any two faults in them."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from checker.collected import open_collected
from checker.host import HostData
from checker.judging import judge_views
from checker.plugins import find_checks
from checker.results import Report
from checker.settings import Settings
from checker.snapshot.archive import Archive
from checker.snapshot.replay import open_snapshot
from lab.faults import ACCOUNT_FAULTS, FAULTS, apply
from lab.organisation import start
from lab.scenario import Scenario, ScenarioError, load
from tests.collector.collecting import Watched, collect, zipped
from tests.collector.test_same_as_live import told
from tests.lab_audit import settings_for
from tests.snapshot.test_equality import Twice, assert_alike, judged, kept

WAITING = ("silent", "dropped")
"""Faults that take a time-out to be seen."""
POWERSHELL = "powershell-"
"""Faults of remote PowerShell itself: the script runs in a shell that has none of them."""
DRAWN = (
    *sorted(name for name in FAULTS if name not in ACCOUNT_FAULTS and not name.endswith(WAITING)),
    *(
        f"powershell-denies:Get-{noun}"
        for noun in ("ExchangeServer", "OutlookAnywhere", "AcceptedDomain", "CASMailbox")
    ),
)
EXAMPLES = max(6, settings().max_examples // 1000)
NO_HOSTS = HostData(given=False, exports=(), missing=())


def with_faults(name: str, faults: tuple[str, ...]) -> Scenario:
    """The organisation with those faults that can be in it."""
    scenario = load(name)
    for fault in faults:
        try:
            scenario = apply(scenario, fault)
        except (ScenarioError, StopIteration, LookupError):
            assume(False)  # it needs an argument, or what this organisation does not have
    return scenario


def collected(snapshot: Path, collection: Path, now: Settings) -> Report:
    """What remote PowerShell said by the collection, what the network said by the snapshot."""
    with Archive(snapshot) as archive, open_snapshot(archive) as seen, open_collected(collection) as asked:
        views = (replace(seen, runner=None), replace(asked, hosts=NO_HOSTS, mailboxes=seen.mailboxes))
        return judge_views(views, now, find_checks())


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    name=st.sampled_from(["healthy", "mixed", "enabled", "broken"]),
    faults=st.lists(st.sampled_from(DRAWN), min_size=1, max_size=2, unique=True).map(tuple),
)
def test_any_two_faults(name: str, faults: tuple[str, ...]) -> None:
    scenario = with_faults(name, faults)
    watched = Watched()
    with tempfile.TemporaryDirectory() as folder, start(scenario, around=watched) as lab:
        path = Path(folder)
        live = kept(settings_for(lab), lab.password, path / "org.zip")
        assert_alike(Twice(live, judged(path / "org.zip", now=lab.now)))
        if any(fault.startswith(POWERSHELL) and ":" not in fault for fault in faults):
            return
        _, written = collect(lab, watched, path)
        again = collected(path / "org.zip", zipped(written), Settings(server=(), now=lab.now))
        assert told(again) == told(live)
        assert (again.headline, again.readiness, again.servers, again.names) == (
            live.headline,
            live.readiness,
            live.servers,
            live.names,
        )
