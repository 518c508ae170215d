"""The exceptions that may leave a module, as one tree.

    MapireadyError
      ├─ UserError                  the user can mend it: exit code 2
      │    ├─ SettingsError         an option or a key of the file            (checker.settings)
      │    ├─ AlreadyRunningError   another run of the same file              (checker.locking)
      │    ├─ ScheduleError         what a scheduler cannot be told           (checker.schedule)
      │    ├─ SelectionError        --only, --skip, an id                     (checker.runner)
      │    ├─ TrustError            --ca-file                                 (checker.network.trust)
      │    ├─ LabError              a scenario or fault of the lab            (checker.demo)
      │    ├─ ComparisonError       reports of different organisations        (checker.comparing)
      │    ├─ HistoryLocationError  --history, or an extra that is missing    (checker.history.location)
      │    ├─ RunNotFoundError      a run, check or subject of the history    (checker.history.store)
      │    ├─ AgeError              --older-than                              (checker.history.showing)
      │    ├─ ExportsError          exports that cannot be judged             (checker.exports)
      │    │    └─ NothingKnownError  nothing in them is known                (checker.exports)
      │    ├─ JudgingError          files that cannot be judged, or together  (checker.judging)
      │    ├─ ArchiveError          a zip that is damaged or hostile          (checker.snapshot.archive)
      │    ├─ CollectedError        what is not the collector's               (checker.collected)
      │    ├─ SnapshotError         a snapshot that cannot be read            (checker.snapshot.replay)
      │    ├─ PlanError             a plan, its folder, its checklist.toml    (checker.plan.state)
      │    ├─ ViewsError            reports that are no views of one thing    (checker.views)
      │    └─ ReportFileError       a report file that cannot be read         (reports.json_report)
      ├─ HistoryError               the database of the history fails         (checker.history.database): exit code 4
      ├─ DeclarationError           a check or fact that is declared wrongly  (checker.declare): exit code 4
      └─ OutputError                a report that could not be written        (checker.output): exit code 4

Others never leave the package that raises them: `NotCollectedError` carries "could not be had" from a check to the
runner, `ClixmlError` "this is no CLIXML" from the reader to whoever asked, and those of checker.network and
checker.powershell end where these turn the exceptions of libraries into a NotCollected.
"""

from __future__ import annotations

__all__ = ["MapireadyError", "UserError"]


class MapireadyError(Exception):
    """The root of mapiready's own exceptions; the text is one clear sentence."""


class UserError(MapireadyError):
    """A mistake that the user can mend."""
