"""The report as the output of a monitoring plugin: one line with performance data, then a line for each finding.

https://nagios-plugins.org/doc/guidelines.html: the first line is shown everywhere, a bar parts the text from the
performance data, and the further lines are the long output. So no text of ours or of a server holds a bar or a line
break. Nagios cuts at some thousand characters: only what is not good is told, unless all is asked for.
"""

from __future__ import annotations

from checker.nagios import nagios_state
from checker.results import Finding, Report, Status
from reports.text import number_of, visible
from reports.view import count_words, subject_text

__all__ = ["problem_line", "render"]

_MOST = 40
_LINE = 400
_TOLD = frozenset({Status.FAIL, Status.ERROR, Status.UNKNOWN})


def render(report: Report, *, verbose: bool = False) -> str:
    """The output. `verbose` tells every finding."""
    counts = report.counts
    words = [report.organisation or "organisation not known", *(text for _, text in count_words(counts))]
    first = f"MAPIREADY {nagios_state(report).name} - {_plain(report.headline)}: {_plain(', '.join(words))}"
    figures = (
        f"blockers={counts.failed_blockers};;0;0",
        f"warnings={counts.failed_warnings};0;;0",
        f"advice={counts.failed_advice};;;0",
        f"errors={counts.error};;;0",
        f"unknown={counts.unknown};;;0",
        f"accepted={counts.accepted};;;0",
        f"not_run={counts.not_run};;;0",
        f"passed={counts.passed};;;0",
        f"not_applicable={counts.not_applicable};;;0",
        f"time={report.seconds:.3f}s;;;0",
    )
    told = [finding for finding in report.findings if verbose or _is_told(finding)]
    shown = told if verbose else told[:_MOST]
    lines = [f"{first} | {' '.join(figures)}", *(_line(finding) for finding in shown)]
    if len(told) > len(shown):
        lines.append(f"and {number_of(len(told) - len(shown), 'more finding')}; the HTML and JSON reports have all")
    return "\n".join(lines) + "\n"


def problem_line(sentence: str) -> str:
    """What a plugin says that could not do its work; it ends with NagiosState.UNKNOWN."""
    return f"MAPIREADY UNKNOWN - {_plain(sentence)}"


def _is_told(finding: Finding) -> bool:
    """Not good, and no mere consequence of another finding."""
    return finding.status in _TOLD and finding.because is None


def _line(finding: Finding) -> str:
    head = f"[{finding.status.value} {finding.severity.value}] {_plain(finding.check)}"
    return f"{head} {_plain(subject_text(finding.subject))}: {_plain(finding.summary)}"


def _plain(text: str) -> str:
    """One line without a bar."""
    return visible(text, limit=_LINE).replace("|", "\u00a6")
