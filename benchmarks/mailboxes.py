"""An organisation of 50,000 mailboxes, every one of which is looked at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.audits import audit
from benchmarks.measuring import ROOT, Measure

__all__ = ["fifty_thousand"]

_COUNT = 50_000


def fifty_thousand() -> Iterator[Measure]:
    """Memory, and with it the time, of all checks of mailboxes; without latencies."""
    with tempfile.TemporaryDirectory(prefix="mapiready-bench-") as folder:
        scenario = Path(folder, "mailboxes.toml")
        healthy = (ROOT / "lab/scenarios/healthy.toml").read_text("utf-8")
        scenario.write_text(f"{healthy}\n[mailboxes]\ncount = {_COUNT}\n", encoding="utf-8")
        done = audit(("--scenario", str(scenario)), ("--only", "mailboxes", "--mailboxes", "all"), {"timeout": 600.0})
    summary = next(
        finding["summary"] for finding in done.report["findings"] if finding["check"] == "mailbox-overrides-off"
    )
    if f"{_COUNT:,}" not in summary and str(_COUNT) not in summary:
        raise RuntimeError(f"not all mailboxes were looked at: {summary}")
    yield Measure(
        f"peak memory of the audit of {_COUNT:,} mailboxes",
        done.child.peak_megabytes,
        300,
        unit="MB",
        detail=f"{done.child.seconds:.0f} s",
    )
