"""The summary of a run over several organisations: which of them needs somebody, and where its report is.

`render_terminal`, `render_html` and `render_json` take the same Summary, which says all there is: nothing is counted
or judged here. Links are those of the summary, as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from rich.text import Text

from checker.results import ExitCode
from checker.summary import Ending, OrganisationRun, Summary
from reports import RenderOptions
from reports.html.design import frame, template
from reports.json_report import as_text
from reports.terminal import Page
from reports.text import duration
from reports.view import READINESS_TONE, count_words

__all__ = ["SCHEMA_VERSION", "SUMMARY_FORMATS", "SummaryFormat", "render_html", "render_json", "render_terminal"]

SCHEMA_VERSION = 1

_CODE_TONES = {
    ExitCode.OK: "good",
    ExitCode.NOT_READY: "bad",
    ExitCode.USAGE: "open",
    ExitCode.INCONCLUSIVE: "open",
    ExitCode.INTERNAL: "open",
}
_STYLES = {"good": "bold green", "bad": "bold red", "open": "bold magenta", "quiet": "dim"}
_SIGNS = {"good": ("\u2713", "+"), "bad": ("\u2717", "x"), "open": ("?", "?"), "quiet": ("-", "-")}
_ENDINGS = {
    Ending.FAILED: "NO REPORT",
    Ending.NOT_STARTED: "NOT STARTED",
    Ending.NOT_CHOSEN: "not chosen in this run",
}


def _tone(run: OrganisationRun) -> str:
    """Of the verdict, or of a failure that counts although the verdict is ready (--fail-on)."""
    if run.ending is Ending.NOT_CHOSEN:
        return "quiet"
    if run.code is ExitCode.NOT_READY:
        return "bad"
    return "open" if run.verdict is None else READINESS_TONE[run.verdict.readiness]


def _headline(run: OrganisationRun) -> str:
    return _ENDINGS[run.ending] if run.verdict is None else run.verdict.headline


def _facts(run: OrganisationRun) -> tuple[str, ...]:
    """What else is known of the run, in words."""
    organisation = run.verdict.organisation if run.verdict is not None else None
    facts = [organisation] if organisation and organisation.casefold() != run.name.casefold() else []
    if run.verdict is not None:
        facts += [words for _, words in count_words(run.verdict.counts)]
    return (*facts, *([] if run.seconds is None else [duration(run.seconds)]))


def render_terminal(summary: Summary, *, width: int, colour: bool, ascii_only: bool = False) -> str:
    """The summary for a terminal of this width."""
    page = Page(width, ascii_only=ascii_only, verbose=False)
    page.block(0, page.text(summary.headline, _STYLES[_CODE_TONES[summary.code]]).append("   "), page.text(
        f"exit code {int(summary.code)}, {duration(summary.seconds)}"))  # fmt: skip
    page.blank()
    room = min(max(len(run.name) for run in summary.runs), 30)
    for run in summary.runs:
        tone = _tone(run)
        name = Text(_SIGNS[tone][ascii_only] + " ", _STYLES[tone]).append_text(page.text(run.name.ljust(room), "bold"))
        page.block(2, name.append("  "), page.text(_headline(run), _STYLES[tone]))
        facts = _facts(run)
        if facts:
            page.flow(room + 6, Text(), [page.text(fact) for fact in facts], ", ")
        for sentence in run.told:
            page.block(room + 6, Text(), page.text(sentence))
        for _, link in run.reports:
            page.line(room + 6, page.text(link, "dim"))
    return page.printed(colour=colour)


@dataclass(frozen=True, slots=True)
class _Row:
    """An organisation, as the template shows it."""

    run: OrganisationRun
    tone: str
    sign: str
    headline: str
    facts: tuple[str, ...]


def render_html(summary: Summary) -> str:
    """The page: no request to anywhere, no script."""
    rows = []
    for run in summary.runs:
        tone = _tone(run)
        rows.append(_Row(run, tone, _SIGNS[tone][0], _headline(run), _facts(run)))
    return template("summary.html.j2").render(
        **frame(_CODE_TONES[summary.code], scripted=False), summary=summary, rows=rows, code=int(summary.code)
    )


def render_json(summary: Summary) -> str:
    """The summary as JSON text, ASCII only. A version is only added to."""
    return as_text({
        "schema_version": SCHEMA_VERSION,
        "kind": "summary",
        "headline": summary.headline,
        "exit_code": int(summary.code),
        "started": summary.started.isoformat(),
        "seconds": round(summary.seconds, 3),
        "tool_version": summary.tool_version,
        "organisations": [_object(run) for run in summary.runs],
    }) + "\n"  # fmt: skip


def _object(run: OrganisationRun) -> dict[str, object]:
    verdict = run.verdict
    return {
        "name": run.name,
        "ending": run.ending.value,
        "exit_code": None if run.code is None else int(run.code),
        "organisation": verdict.organisation if verdict else None,
        "readiness": verdict.readiness.value if verdict else None,
        "headline": verdict.headline if verdict else None,
        "counts": asdict(verdict.counts) if verdict else None,
        "seconds": None if run.seconds is None else round(run.seconds, 3),
        "reports": [{"format": name, "link": link} for name, link in run.reports],
        "told": list(run.told),
    }


@dataclass(frozen=True, slots=True)
class SummaryFormat:
    """A format: the ending of its files, and its writer."""

    suffix: str
    render: Callable[[Summary, RenderOptions], str]
    binary: bool = False


SUMMARY_FORMATS: Mapping[str, SummaryFormat] = MappingProxyType({
    "terminal": SummaryFormat(
        ".txt",
        lambda summary, options: render_terminal(
            summary, width=options.width, colour=options.colour, ascii_only=options.ascii_only
        ),
    ),
    "html": SummaryFormat(".html", lambda summary, _options: render_html(summary)),
    "json": SummaryFormat(".json", lambda summary, _options: render_json(summary)),
})  # fmt: skip
