"""enable.ps1 and rollback.ps1: a plan as PowerShell for the Exchange Management Shell of Windows PowerShell 5.1.

Straight-line calls and nothing else: no expression is built from text and run, nothing is loaded. Whatever the report
holds stands in single quotes that checker.quoting made, or behind a # in one line of ASCII; the comment-based help at
the top holds nothing of the report. Each change reads the present value first: it is skipped when it is as it is to be,
and stopped when it is neither that nor what the report says.

The scripts are made and parsed here, and never run.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from checker.plan.steps import SHELL, Change, Note, Phase, Plan, Setting, Task
from checker.quoting import powershell_comment, powershell_words, quoted
from checker.results import Cmdlet, Readiness, Report

__all__ = ["enable_script", "rollback_script"]

_WIDTH = 112
_LONGEST = 2_000  # characters of a text in a comment

_ENABLE_HELP = """<#
.SYNOPSIS
    Prepares an Exchange organisation for MAPI over HTTP and, when told so, switches it on.
.DESCRIPTION
    Made by mapiready from a report; read it before you run it. Run it in the Exchange Management Shell (Windows
    PowerShell 5.1) with an account that may change what it sets. Each step reads the present value first. It is skipped
    when the value is as it is to be, and stopped with a warning when it is neither that nor what the report found:
    then audit again and make the plan anew. What no cmdlet can do stands as a comment with who does it.
    Each change is asked for; -Confirm:$false asks nothing, -WhatIf only says what would be done.
    mapiready has parsed this script and never run it.
.PARAMETER SwitchOrganization
    Switches MAPI over HTTP on for all mailboxes without a setting of their own. Without it the switch is left alone.
    It is not thrown when a step before it was stopped.
.EXAMPLE
    .\\enable.ps1 -WhatIf
.EXAMPLE
    .\\enable.ps1 -SwitchOrganization
.LINK
    https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http
#>"""

_ROLLBACK_HELP = """<#
.SYNOPSIS
    Puts back what enable.ps1 changes: the switch of the organisation first, then the rest in reverse order.
.DESCRIPTION
    Made by mapiready from a report; read it before you run it. Run it in the Exchange Management Shell (Windows
    PowerShell 5.1). Each step puts back exactly the value that the report found. It is skipped when that value is there
    already, and stopped with a warning when the present value is neither that nor what enable.ps1 sets. What was done
    by hand stands as a comment: it is taken back by hand.
    Each change is asked for; -Confirm:$false asks nothing, -WhatIf only says what would be done.
    mapiready has parsed this script and never run it.
.EXAMPLE
    .\\rollback.ps1 -WhatIf
.LINK
    https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http
#>"""

_FUNCTIONS = """function ConvertTo-ComparableText {
    param($Value)
    $texts = foreach ($item in @($Value)) {
        if ($null -ne $item) {
            $text = ([string] $item).Trim().TrimEnd('/').ToLowerInvariant()
            if ($text -ne '') { $text }
        }
    }
    return (@($texts | Sort-Object -Unique) -join [char] 10)
}

function Assert-Single {
    param($Objects)
    if (@($Objects).Count -ne 1) { throw 'one object was expected, and there are none or several.' }
}

function Get-SettingState {
    param($Objects, [string] $Name, $Before, $After)
    $property = @($Objects)[0].PSObject.Properties[$Name]
    if ($null -eq $property) { throw ($Name + ' is not told by the server.') }
    $present = ConvertTo-ComparableText -Value $property.Value
    if ($present -ceq (ConvertTo-ComparableText -Value $After)) { return 'done' }
    if ($present -ceq (ConvertTo-ComparableText -Value $Before)) { return 'open' }
    Write-Warning ($Name + ' is neither what was found nor what is wanted, but: ' + (@($property.Value) -join ', '))
    return 'other'
}

function Test-StepOpen {
    param([int] $Step, [string[]] $States)
    if ($States -contains 'other') { throw 'the present value is another one. Audit again and make the plan anew.' }
    if ($States -contains 'open') { return $true }
    Write-Host ('Step ' + $Step + ' is done already.')
    return $false
}"""

_START = """if ($null -eq (Get-Command -Name 'Get-OrganizationConfig' -ErrorAction SilentlyContinue)) {
    throw 'Run this script in the Exchange Management Shell.'
}
$stopped = 0"""

_END = """if ($stopped -gt 0) {
    Write-Warning ('Steps that were stopped: ' + $stopped + '. The warnings above tell why.')
}"""


def enable_script(plan: Plan, report: Report) -> str:
    """What is to be done, in order."""
    head = (
        _ENABLE_HELP,
        "",  # or the next line would be taken for a part of the help
        "#Requires -Version 5.1",
        "[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]",
        "param([switch] $SwitchOrganization)",
    )
    tasks = [_block(task, plan, _forth(task, report.readiness)) for task in plan.tasks]
    return _script(head, report, tasks)


def rollback_script(plan: Plan, report: Report, undos: Mapping[str, str]) -> str:
    """The same backwards, with the values that were found. `undos` (by id of the check) say how work by hand is taken
    back."""
    head = (
        _ROLLBACK_HELP,
        "",
        "#Requires -Version 5.1",
        "[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]",
        "param()",
    )
    backwards = [task for task in reversed(plan.tasks) if not _only_looks(task)]
    return _script(head, report, [_block(task, plan, _back(task, undos)) for task in backwards])


def _only_looks(task: Task) -> bool:
    note = task.step
    looks = isinstance(note, Note) and isinstance(note.what, Cmdlet) and note.what.name.startswith(("Get-", "Test-"))
    return looks or (isinstance(note, Note) and task.phase in (Phase.PILOT, Phase.SWITCH, Phase.VERIFICATION))


def _script(head: Sequence[str], report: Report, tasks: Sequence[Sequence[str]]) -> str:
    about = [
        f"Organisation: {report.organisation or 'not known'}",
        f"Report: {report.headline}, as of {report.judged_at.isoformat(' ', 'seconds')}",
        f"Made by mapiready {report.tool_version}",
    ]
    if report.narrowed or report.interrupted:
        how = ", ".join((*report.narrowed, *(["interrupted"] if report.interrupted else [])))
        about.append(f"The audit was narrowed ({how}): what it did not look at is not in this script.")
    if report.not_proven:
        about.append(f"Not proven by the report: {', '.join(report.not_proven)}")
    blocks = [
        *head,
        "",
        *(line for text in about for line in _comment(text)),
        "",
        _FUNCTIONS,
        "",
        _START,
        *(line for task in tasks for line in ("", *task)),
        "",
        _END,
    ]
    return "\n".join(blocks).replace("\n", "\r\n") + "\r\n"


def _block(task: Task, plan: Plan, body: Iterator[str]) -> list[str]:
    lines = [f"# {'-' * 100}", *_comment(f"Step {task.number} of {len(plan.tasks)}: {task.phase.value}")]
    for why in task.whys:
        lines += _comment(f"Why: {why.check} ({why.severity}) {why.subject}: {why.summary}")
    return [*lines, *body]


# --- the tasks --------------------------------------------------------------------------------------------------------


def _forth(task: Task, readiness: Readiness) -> Iterator[str]:
    step = task.step
    if isinstance(step, Note):
        yield from _by_hand(step)
        return
    settings = [Setting(setting.name, setting.found, setting.wanted) for setting in step.settings]
    if task.phase is not Phase.SWITCH:
        yield from _change(task.number, step, step.forth(), settings, without_archive=task.without_archive)
        return
    yield "if (-not $SwitchOrganization) {"
    yield f"    Write-Warning 'Step {task.number}, the switch, is left alone: it takes -SwitchOrganization.'"
    yield "}"
    yield "elseif ($stopped -gt 0) {"
    yield f"    Write-Warning 'Step {task.number}, the switch, is left alone: a step was stopped.'"
    yield "}"
    yield "else {"
    if readiness is not Readiness.READY:
        yield f"    Write-Warning 'The report behind this script says {readiness.value}.'"
        yield "    Write-Warning 'Better: say no, audit again, make the plan anew, and switch with that.'"
    yield from (f"    {line}" for line in _change(task.number, step, step.forth(), settings))
    yield "}"


def _back(task: Task, undos: Mapping[str, str]) -> Iterator[str]:
    step = task.step
    if isinstance(step, Change):
        if step.found_is_known:
            settings = [Setting(setting.name, setting.wanted, setting.found) for setting in step.settings]
            yield from _change(task.number, step, step.back(), settings)
            return
        yield from _comment(
            "The report does not hold what was found. To turn it back, after a look at the present value:"
        )
        yield from _commented_command(step.back())
        return
    yield from _comment(
        "Nothing here takes this back. Whether that is wanted, if it was done, is for its owner to say:"
    )
    yield from _by_hand(step)
    for check in dict.fromkeys(why.check for why in task.whys):
        if check in undos:
            yield from _comment(f"How ({check}): {undos[check]}")


def _change(
    number: int, change: Change, command: Cmdlet, settings: Sequence[Setting], *, without_archive: bool = False
) -> Iterator[str]:
    """A cmdlet that is run when the present values are those of `settings.found`."""
    yield "try {"
    if without_archive:
        mailbox = Cmdlet("Get-Mailbox", **dict(change.target), ErrorAction="Stop")
        yield f"    $mailbox = @({_line(mailbox)})"
        yield "    Assert-Single -Objects $mailbox"
        yield "    if ([guid] [string] $mailbox[0].ArchiveGuid -ne [guid]::Empty) {"
        yield "        throw 'the mailbox has an archive.'"
        yield "    }"
    look = Cmdlet(change.look.name, where=SHELL, **dict(change.look.parameters), ErrorAction="Stop")
    yield f"    $present = @({_line(look)})"
    yield "    Assert-Single -Objects $present"
    yield "    $states = @()"
    for setting in settings:
        state = Cmdlet("Get-SettingState", Name=setting.name, Before=setting.found, After=setting.wanted)
        yield f"    $states += {_line(state)} -Objects $present"
    names = ", ".join(setting.name for setting in settings)
    asked = f"{quoted(change.subject, ascii_only=True)}, {quoted(f'{change.command} ({names})', ascii_only=True)}"
    yield f"    if ((Test-StepOpen -Step {number} -States $states) -and $PSCmdlet.ShouldProcess({asked})) {{"
    run = Cmdlet(command.name, where=SHELL, **dict(command.parameters), Confirm=False, ErrorAction="Stop")
    yield f"        {_line(run)}"
    yield "    }"
    yield "}"
    yield "catch {"
    yield "    $stopped += 1"
    yield f"    Write-Warning ('Step {number} was stopped: ' + $_.Exception.Message)"
    yield "}"


def _by_hand(note: Note) -> Iterator[str]:
    if isinstance(note.what, str):
        yield from _comment(f"By hand ({note.who}): {note.what}")
        return
    because = f", {note.because}" if note.because else ""
    yield from _comment(f"By hand ({note.who}{because}):")
    yield from _commented_command(note.what)


def _commented_command(command: Cmdlet) -> Iterator[str]:
    """One comment, however long: half of a command could be run."""
    yield f"#     {powershell_comment(_line(command))}"


def _line(command: Cmdlet) -> str:
    return " ".join(powershell_words(command, ascii_only=True))


def _comment(text: str) -> list[str]:
    """A text behind a #, wrapped. Every text begins with a word of ours, and no line that goes on with one of the
    report's is taken for a #Requires or the begin of a signature, which have no blanks before them."""
    shown = powershell_comment(text if len(text) <= _LONGEST else f"{text[:_LONGEST]} (cut)")
    return textwrap.wrap(shown, _WIDTH, initial_indent="# ", subsequent_indent="#     ", break_on_hyphens=False) or [
        "#"
    ]
