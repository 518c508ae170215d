"""The report as Markdown of GitHub's kind, for tickets, wikis and merge requests.

Ids, names and commands stand in code, in which nothing is markup; prose is escaped, so that no text of a server becomes
a heading, a link, a table cell, HTML or a mention of somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from checker.quoting import powershell_words
from checker.results import Advice, Cmdlet, Finding, Report, Status, Step
from reports.flat import SHELL
from reports.text import visible
from reports.view import count_words, facts_line, subject_text

__all__ = ["code", "prose", "render"]

_INLINE = re.compile(r"([\\`*_\[\]<>|~&$#])")
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_COMMAND = 20_000


def render(report: Report) -> str:
    """The whole document."""
    return "\n".join(_document(report)) + "\n"


def _document(report: Report) -> Iterator[str]:
    yield f"# {prose(report.headline)}"
    yield ""
    yield " \u00b7 ".join(prose(fact) for fact in facts_line(report))
    yield ""
    yield ", ".join(prose(words) for _, words in count_words(report.counts)) or "Nothing was looked at."
    yield ""
    yield f"- Stage {report.stage.value}: {prose(report.stage_reason)}"
    yield f"- {report.counts.checks:,} of {report.counts.checks_known:,} checks answered"
    if report.not_proven:
        yield f"- Not proven: {', '.join(map(code, report.not_proven))}"
    if report.narrowed:
        yield f"- Narrowed: {', '.join(map(code, report.narrowed))}"
    for note in report.notes:
        yield f"- {prose(note)}"
    yield ""
    yield "## Findings"
    yield ""
    yield "| Status | Severity | Check | Subject | Summary |"
    yield "| --- | --- | --- | --- | --- |"
    for finding in report.findings:
        yield _row(finding)
    failed = [finding for finding in report.findings if finding.status is Status.FAIL]
    if failed:
        yield ""
        yield "## What to do"
    for finding in failed:
        yield from _remedy(finding)
    yield ""
    yield f"mapiready {prose(report.tool_version)}, {report.started.isoformat(' ', 'seconds')}"


def _row(finding: Finding) -> str:
    cells = (
        finding.status.value,
        finding.severity.value,
        code(finding.check, in_table=True),
        code(subject_text(finding.subject), in_table=True),
        prose(finding.summary),
    )
    return f"| {' | '.join(cells)} |"


def _remedy(finding: Finding) -> Iterator[str]:
    yield ""
    yield f"### {code(finding.check)}: {code(subject_text(finding.subject))}"
    yield ""
    yield prose(finding.summary)
    yield ""
    yield from (f"- found: {code(value)}" for value in finding.found)
    yield from (f"- expected: {code(value)}" for value in finding.expected)
    if finding.found or finding.expected:
        yield ""
    for number, step in enumerate(finding.remedy, 1):
        yield from _step(number, step)


def _step(number: int, step: Step) -> Iterator[str]:
    match step:
        case Advice():
            yield f"{number}. {prose(step.who)}: {prose(step.text)}"
        case Cmdlet():
            command = " ".join(powershell_words(step))
            if len(command) > _COMMAND:
                command = f"# {step.name}: too long to be shown; the JSON report has it"
            yield f"{number}. {prose(step.where) if step.where != SHELL else SHELL}:"
            yield ""
            fence = "`" * max(3, _longest_run(command) + 1)
            indent = " " * (len(str(number)) + 2)
            yield from (f"{indent}{line}" for line in (f"{fence}powershell", command, fence))
    yield ""


# --- what keeps a text a text -----------------------------------------------------------------------------------------


def prose(text: str) -> str:
    """Prose on one line, with everything escaped that could be markup there."""
    shown = " ".join(visible(text).split())
    escaped = _INLINE.sub(r"\\\1", shown)
    # What is markup at the start of a line alone: a heading, a list, a rule, a quote.
    if escaped[:1] in ("+", "-", "="):
        escaped = "\\" + escaped
    escaped = re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped)
    return _MENTION.sub("<span>@</span>", escaped)


def code(text: str, *, in_table: bool = False) -> str:
    """A code span that holds exactly this; empty text has none."""
    shown = " ".join(visible(text).split())
    if not shown:
        return ""
    if in_table and "|" in shown:
        # A bar would end the cell, and what escapes it there is itself escaped by a backslash before it.
        return f"<code>{_PUNCTUATION.sub(lambda sign: f'&#{ord(sign[0])};', shown)}</code>"
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
