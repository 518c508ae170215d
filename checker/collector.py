"""The collector: a PowerShell script that writes down, on a server, what a live run would ask.

Its calls are made from the facts' own declarations (`CmdletSpec.uses`), so that script and live run never drift; what
only a host knows, and how it is all written down, stands in data/collector.ps1. What it wrote is read by
`checker.collected`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources

from checker import __version__
from checker.answers import Asked, CmdletSpec, CmdletUse
from checker.facts.mailboxes import AUTO_LIMIT, MOST_ONE_BY_ONE
from checker.plugins import Registry
from checker.quoting import quoted

__all__ = ["FORMAT", "SCHEMA_VERSION", "collector_script", "left_out"]

FORMAT = "mapiready-collector"
SCHEMA_VERSION = 1

_DEPTH = 4  # levels of objects: components hold a list of states, and the alternate account a list of credentials
_SELECTED_DEPTH = 1
_FIRST = "Get-ExchangeServer"  # names the servers that others are asked about
_KEEPS = {(_FIRST, Asked.ONCE): "Servers", ("Get-CASMailbox", Asked.MAILBOXES): "AllMailboxes"}
_LISTS = {
    Asked.CLIENT_ACCESS: "$ClientAccess",
    Asked.CLIENT_ACCESS_2013: "$ClientAccess2013",
    Asked.MAILBOX_2013: "$Mailbox2013",
    Asked.AHEAD: "$Ahead",
}


@dataclass(frozen=True, slots=True)
class _Call:
    """One way in which a cmdlet is sent."""

    cmdlet: str
    use: CmdletUse


def collector_script(registry: Registry) -> str:
    """The script: ASCII, with the line ends of Windows.

    Raises:
        ValueError: a plugin declares a cmdlet or parameter whose name is none.
    """
    calls = tuple(_calls(registry))

    def of(*asked: Asked) -> list[_Call]:
        return [call for call in calls if call.use.asked in asked]

    parts = {
        "VERSION": __version__,
        "FORMAT": FORMAT,
        "SCHEMA": str(SCHEMA_VERSION),
        "LIMIT": f"{AUTO_LIMIT:,}",
        "ONE_MORE": str(AUTO_LIMIT + 1),
        "ORGANISATION": _sent(of(Asked.ONCE, Asked.ANSWERING), 8),
        "SERVERS": _sent(of(Asked.CLIENT_ACCESS, Asked.CLIENT_ACCESS_2013, Asked.MAILBOX_2013), 8),
        "MAILBOXES": _sent(of(Asked.MAILBOXES), 12),
        "AHEAD": "".join(
            f"            if ($Ahead.Count {condition} {MOST_ONE_BY_ONE}) {{\n{_sent(of(asked), 16)}            }}\n"
            for asked, condition in ((Asked.AHEAD, "-le"), (Asked.MANY_AHEAD, "-gt"))
        ),
    }
    text = resources.files("checker").joinpath("data", "collector.ps1").read_text("utf-8")
    for name, part in parts.items():
        text = text.replace(f"@@{name}@@\n" if "\n" in part else f"@@{name}@@", part)
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def left_out(registry: Registry) -> tuple[str, ...]:
    """The cmdlets of plugins that do not say how they are sent, and so are not in the script."""
    every = {spec.name for source in registry.facts_behind(registry.checks.values()) for spec in source.cmdlets}
    return tuple(sorted(every - {call.cmdlet for call in _calls(registry)}))


def _calls(registry: Registry) -> Iterator[_Call]:
    """Each once, those first that others build on, then by name."""
    specs = [spec for source in registry.facts_behind(registry.checks.values()) for spec in source.cmdlets]
    found = dict.fromkeys(_Call(spec.name, use) for spec in specs for use in _uses(spec))
    places = {asked: place for place, asked in enumerate(Asked)}
    yield from sorted(
        found,
        key=lambda call: (
            places[call.use.asked],
            call.cmdlet != _FIRST,
            call.use.instead_of or call.cmdlet,
            call.use.instead_of is not None,
            repr(call.use),
        ),
    )


def _uses(spec: CmdletSpec) -> Iterable[CmdletUse]:
    return spec.uses or (() if spec.parameters else (CmdletUse(),))


# --- text -------------------------------------------------------------------------------------------------------------


def _sent(calls: Iterable[_Call], indent: int) -> str:
    """The statements that send these."""
    lines = [line for call in calls for line in ("", *_statements(call))]
    return "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in (*lines, ""))


def _statements(call: _Call) -> list[str]:
    use = call.use
    values: dict[str, str] = {}
    if use.by is not None:
        values[use.by] = "(Get-AnsweringServer)" if use.asked is Asked.ANSWERING else "$Each"
    if use.first_of is not None:
        values[use.first_of[0]] = "$Value"
    if use.asked is Asked.MAILBOXES:
        values["ResultSize"] = "$MailboxLimit"
    values |= {name: _value(value) for name, value in use.fixed}
    lines = _one_call(call, values)
    if use.first_of is not None:
        lines = [
            "# The first of these that gives an answer.",
            "$Answered = $false",
            "foreach ($Value in @(",
            *(f"        {quoted(value, ascii_only=True)}" for value in use.first_of[1]),
            "    )) {",
            "    if (-not $Answered) {",
            *(f"        {line}" for line in lines),
            "        $Answered = $Call.Objects -gt 0",
            "    }",
            "}",
        ]
    if use.asked in _LISTS:
        lines = [f"foreach ($Each in {_LISTS[use.asked]}) {{", *(f"    {line}" for line in lines), "}"]
    if use.instead_of is not None:
        newer = quoted(_named(use.instead_of), ascii_only=True)
        lines = [
            f"if ($null -eq (Get-Command -Name {newer} -ErrorAction SilentlyContinue)) {{",
            *(f"    {line}" for line in lines),
            "}",
        ]
    return lines


def _one_call(call: _Call, values: dict[str, str]) -> list[str]:
    """The call in its own try, with its entry in the index. The entry and the call are given the same values."""
    cmdlet = _named(call.cmdlet)
    sent = " ".join(
        [cmdlet, *(f"-{name}" if value == "$true" else f"-{name} {value}" for name, value in values.items())]
    )
    stages = [f"{sent} 2>&1 3>&1", "Select-Received"]
    if call.use.properties:
        patterns = ", ".join(quoted(pattern, ascii_only=True) for pattern in call.use.properties)
        stages.append(f"Select-Object -Property {patterns}")
    kept = _KEEPS.get((call.cmdlet, call.use.asked))
    if kept is not None:
        stages.append(f"Tee-Object -Variable {kept}")
    depth = _SELECTED_DEPTH if call.use.properties else _DEPTH
    stages.append(f"Export-Clixml -LiteralPath (Join-Path $Folder $Call.File) -Depth {depth} -Encoding UTF8")
    entry = [f"{_named(name)} = {value}" for name, value in values.items()]
    parameters = ["@{", *(f"    {line}" for line in entry), "}"] if len(entry) > 1 else [f"@{{ {''.join(entry)} }}"]
    return [
        f"$Call = Get-NextCall -Cmdlet {quoted(cmdlet, ascii_only=True)} -Parameters {parameters[0]}",
        *parameters[1:],
        "try {",
        f"    {stages[0]} |",
        *(f"        {stage} |" for stage in stages[1:-1]),
        f"        {stages[-1]}",
        "}",
        "catch {",
        "    $Call.Failed = $true",
        "    [void] $Call.Errors.Add((Get-Failure $_))",
        "}",
        "$Call.Seconds = ([datetime]::UtcNow - $Call.Started).TotalSeconds",
        "[void] $Calls.Add($Call)",
    ]


def _named(name: str) -> str:
    """A cmdlet's or parameter's name, sure to be nothing else."""
    if not name.isascii() or not name.replace("-", "").isalnum():
        raise ValueError(f"{name!r} is no name of a cmdlet or of a parameter.")
    return name


def _value(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "$true" if value else "$false"
    return str(value) if isinstance(value, int) else quoted(value, ascii_only=True)
