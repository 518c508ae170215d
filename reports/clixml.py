"""The findings as CLIXML, as Export-Clixml writes it: `Import-Clixml` gives an object for each, to be filtered.

    Import-Clixml report.clixml | Where-Object Status -eq 'fail' | Sort-Object Severity | Format-Table Check, Subject

Texts stand as they were received, with what XML cannot hold escaped the way PowerShell does (`_x000A_`). MS-PSRP 2.2.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count
from xml.sax.saxutils import escape

from checker.results import Finding, Report
from reports.flat import step_text, utc
from reports.view import subject_text

__all__ = ["render"]

_START = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_TYPES = (
    ("Mapiready.Finding", "System.Management.Automation.PSCustomObject", "System.Object"),
    ("System.Object[]", "System.Array", "System.Object"),
    ("Mapiready.Evidence", "System.Management.Automation.PSCustomObject", "System.Object"),
)
_FINDING, _LIST, _EVIDENCE = range(3)
# As PowerShell's serialiser: control characters, both kinds of surrogates, and the underscore that would begin an
# escape; beyond it the two characters that XML forbids.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]|_(?=[xX])")


def render(report: Report) -> str:
    """The document, whole."""
    writer = _Writer()
    run = (
        writer.text("Organisation", report.organisation),
        writer.text("Vantage", report.vantage),
        writer.text("Readiness", report.readiness.value),
        writer.moment("Started", report.started),
        writer.moment("JudgedAt", report.judged_at),
    )
    objects = (f"  {writer.finding(finding, run)}" for finding in report.findings)
    return "\n".join((_START, *objects, "</Objs>")) + "\n"


class _Writer:
    """Gives each object its number and tells the names of each type once, as the format has it."""

    def __init__(self) -> None:
        self._numbers = count()
        self._told: set[int] = set()

    def text(self, name: str, value: str | None) -> str:
        return f'<Nil N="{name}" />' if value is None else f'<S N="{name}">{_encoded(value)}</S>'

    def moment(self, name: str, value: datetime) -> str:
        return f'<DT N="{name}">{utc(value).isoformat().replace("+00:00", "Z")}</DT>'

    def texts(self, name: str, values: Iterable[str]) -> str:
        return self._list(name, (f"<S>{_encoded(value)}</S>" for value in values))

    def finding(self, finding: Finding, run: Iterable[str]) -> str:
        number = next(self._numbers)
        head = self._type(_FINDING)
        because = finding.because
        members = (
            self.text("Status", finding.status.value),
            self.text("Severity", finding.severity.value),
            self.text("Category", finding.category.value),
            self.text("Check", finding.check),
            self.text("Subject", subject_text(finding.subject)),
            self.text("SubjectKind", finding.subject.kind.value),
            self.text("SubjectName", finding.subject.name),
            self.text("Server", finding.subject.server),
            self.text("Note", finding.subject.note),
            self.text("Title", finding.title),
            self.text("Summary", finding.summary),
            self.texts("Found", finding.found),
            self.texts("Expected", finding.expected),
            self.texts("Remedy", (step_text(step) for step in finding.remedy)),
            self._list("Evidence", self._evidence(finding)),
            self.text("Reason", finding.reason.value if finding.reason else None),
            self.text("BecauseCheck", because.check if because else None),
            self.text("BecauseSubject", subject_text(because.subject) if because else None),
            *run,
        )
        return f'<Obj RefId="{number}">{head}<MS>{"".join(members)}</MS></Obj>'

    def _evidence(self, finding: Finding) -> Iterator[str]:
        for name, value in finding.evidence:
            number = next(self._numbers)
            head = self._type(_EVIDENCE)
            yield f'<Obj RefId="{number}">{head}<MS>{self.text("Name", name)}{self.text("Value", value)}</MS></Obj>'

    def _list(self, name: str, items: Iterable[str]) -> str:
        number = next(self._numbers)
        return f'<Obj N="{name}" RefId="{number}">{self._type(_LIST)}<LST>{"".join(items)}</LST></Obj>'

    def _type(self, number: int) -> str:
        if number in self._told:
            return f'<TNRef RefId="{number}" />'
        self._told.add(number)
        names = "".join(f"<T>{name}</T>" for name in _TYPES[number])
        return f'<TN RefId="{number}">{names}</TN>'


def _encoded(text: str) -> str:
    return escape(_UNFIT.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    """`_xHHHH_` for each UTF-16 unit."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"_x{units[place]:02X}{units[place + 1]:02X}_" for place in range(0, len(units), 2))
