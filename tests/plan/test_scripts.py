"""What stands in a script: exactly the commands that the plan has, whatever the names of servers are."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.plan.scripts import enable_script, rollback_script
from checker.plan.steps import Change, Note, Phase, Plan, Task, make_plan
from checker.quoting import powershell_comment
from checker.results import (
    Advice,
    Category,
    Cmdlet,
    Finding,
    Readiness,
    Report,
    Severity,
    Stage,
    Status,
    Step,
    Subject,
    SubjectKind,
)
from tests.plan.reading import commands_of, every, names_in, root_of, steps_of
from tests.reports.samples import HOSTILE, empty_report, hostile_report, large_report, rich_report
from tests.reports.test_quoting import TEXTS, as_powershell

NASTY = st.one_of(
    TEXTS,
    st.sampled_from([
        "'; Remove-Mailbox *; '", "\u2019; Remove-Mailbox *; \u2019", '"$(Remove-Mailbox *)"', "a\nRemove-Mailbox *",
        "#> Remove-Mailbox * <#", "`\nRemove-Mailbox", "\0", "\ud800", "\u2028Remove-Mailbox", "\rRemove-Mailbox",
        "@'\n'@",
        "SIG # Begin signature block", "requires -Modules Evil", "--%", "%PATH%", "x" * 3000, "a" * 111 + " # b",
    ]),
)  # fmt: skip


def report_of(*remedies: tuple[Category, Step], status: Status = Status.FAIL, **changes: Any) -> Report:
    """A report in which each remedy is that of a failure."""
    findings = tuple(
        Finding(
            check="vdir-mapi-internal-url",
            title="MAPI virtual directories have an internal URL.",
            severity=Severity.BLOCKER,
            category=category,
            subject=Subject(SubjectKind.DIRECTORY, "EX01"),
            status=status,
            summary="is wrong",
            found=(),
            expected=(),
            remedy=(step,),
            evidence=(),
            reason=None,
            because=None,
        )
        for category, step in remedies
    )
    return replace(empty_report(), findings=findings, **changes)


def url(identity: str, found: str | None, wanted: str, methods: tuple[str, ...] = ("Ntlm",)) -> Cmdlet:
    return Cmdlet(
        "Set-MapiVirtualDirectory", Identity=identity, InternalUrl=wanted, IISAuthenticationMethods=methods
    ).replacing(InternalUrl=found, IISAuthenticationMethods=methods)


def changes_of(plan: Plan) -> list[Change]:
    return [task.step for task in plan.tasks if isinstance(task.step, Change)]


def wanted_names(plan: Plan) -> list[str]:
    """The commands that a script must have: for each change what reads, and what sets."""
    names = []
    for task in plan.tasks:
        if isinstance(task.step, Change):
            names += ["Get-Mailbox"] if task.without_archive else []
            names += [task.step.look.name, task.step.command]
    return names


def as_text(value: Any) -> str:
    """The one text that a parameter is, as .NET has it."""
    (text,) = value
    return as_powershell(text)


def is_safe(script: str) -> None:
    """Nothing that runs text, loads something, or hides behind a comment."""
    root = root_of(script)
    active = {"sub_expression", "expandable_string_literal", "expandable_here_string_literal", "redirection"}
    assert not every(root, *active)
    assert not [node for node in every(root, "command_invokation_operator") if node.text in (b".", b"&")]
    lines = script.split("\r\n")
    assert not any("\n" in line or "\r" in line for line in lines)
    assert [line for line in lines if line.casefold().startswith("#requires")] == ["#Requires -Version 5.1"]
    assert not any(line.startswith("# SIG #") for line in lines)
    assert script.count("<#") - script.count("# <#") >= 1
    assert lines.index("#>") < lines.index("#Requires -Version 5.1")


@pytest.mark.fuzz
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NASTY, NASTY, st.one_of(st.none(), NASTY), st.lists(NASTY, min_size=1, max_size=3), NASTY, NASTY)
def test_no_name_becomes_code(
    identity: str, wanted: str, found: str | None, methods: list[str], who: str, text: str
) -> None:
    step = url(identity, found, wanted, tuple(methods))
    report = report_of(
        (Category.VIRTUAL_DIRECTORIES, step),
        (Category.ENDPOINTS, Advice(who, text)),
        (Category.CERTIFICATES, Cmdlet("New-ExchangeCertificate", SubjectName=wanted, DomainName=tuple(methods))),
        organisation=text,
        headline=who,
    )
    spoken = replace(report.findings[0], check=who, summary=text, subject=Subject(SubjectKind.DIRECTORY, identity))
    report = replace(report, findings=(spoken, *report.findings[1:]))
    plan = make_plan(report, [identity])
    enable, rollback = enable_script(plan, report), rollback_script(plan, report, {who: text})
    for script in (enable, rollback):
        assert script.isascii()
        is_safe(script)
    assert names_in(enable) == wanted_names(plan)
    # Back goes only what is known, and without a look at archives.
    assert sorted(names_in(rollback)) == sorted(
        name for change in changes_of(plan) if change.found_is_known for name in (change.look.name, change.command)
    )
    sets = [step.change for step in steps_of(enable) if step.change.name == "Set-MapiVirtualDirectory"]
    if identity:
        assert as_text(sets[0].parameters["Identity"]) == as_powershell(identity)
        assert as_text(sets[0].parameters["InternalUrl"]) == as_powershell(wanted)


@pytest.mark.parametrize(
    "report",
    [empty_report(), rich_report(), hostile_report(), large_report(300)],
    ids=["empty", "rich", "hostile", "large"],
)
def test_every_report_gives_scripts_that_can_be_read(report: Report) -> None:
    plan = make_plan(report)
    for script in (enable_script(plan, report), rollback_script(plan, report, {})):
        assert script.isascii()
        assert script.endswith("\r\n")
        is_safe(script)
    assert names_in(enable_script(plan, report)) == wanted_names(plan)


@pytest.mark.parametrize("label", list(HOSTILE))
def test_a_comment_stays_a_comment(label: str) -> None:
    shown = powershell_comment(HOSTILE[label])
    assert all(" " <= sign <= "~" for sign in shown)


def test_the_scripts_say_how_they_are_used() -> None:
    report = rich_report()
    for script in (enable_script(make_plan(report), report), rollback_script(make_plan(report), report, {})):
        assert script.startswith("<#\r\n.SYNOPSIS")
        assert "[CmdletBinding(SupportsShouldProcess = $true" in script
        assert "Invoke-Expression" not in script
        assert "never run" in script


def test_each_change_asks_before_it_is_run() -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, url("EX01\\mapi", None, "https://a.test/mapi")))
    for script in (enable_script(make_plan(report), report), rollback_script(make_plan(report), report, {})):
        root = root_of(script)
        asking = [node for node in every(root, "if_statement") if b"ShouldProcess" in node.text.split(b"{")[0]]
        asked = [command.name for node in asking for command in commands_of(node) if command.name.startswith("Set-")]
        assert asked == [name for name in names_in(script) if name.startswith("Set-")]


def test_what_several_findings_want_is_one_change_that_drops_nothing() -> None:
    first = Cmdlet("Set-MapiVirtualDirectory", Identity="EX01\\mapi", IISAuthenticationMethods=("NTLM", "Negotiate"))
    first = first.replacing(IISAuthenticationMethods=("OAuth", "Basic"))
    second = Cmdlet("Set-MapiVirtualDirectory", Identity="ex01\\MAPI", InternalUrl="https://a.test/mapi")
    second = second.replacing(InternalUrl="http://a.test/mapi")
    report = report_of((Category.VIRTUAL_DIRECTORIES, first), (Category.VIRTUAL_DIRECTORIES, second))
    changes = [change for change in changes_of(make_plan(report)) if change.command == "Set-MapiVirtualDirectory"]
    assert [dict(change.forth().parameters) for change in changes] == [
        {
            "Identity": "EX01\\mapi",
            "IISAuthenticationMethods": ("OAuth", "Basic", "NTLM", "Negotiate"),
            "InternalUrl": "https://a.test/mapi",
        }
    ]
    assert dict(changes[0].back().parameters) == {
        "Identity": "EX01\\mapi",
        "IISAuthenticationMethods": ("OAuth", "Basic"),
        "InternalUrl": "http://a.test/mapi",
    }


def test_two_remedies_that_contradict_each_other_are_left_to_people() -> None:
    report = report_of(
        (Category.VIRTUAL_DIRECTORIES, url("EX01", None, "https://a.test/mapi")),
        (Category.VIRTUAL_DIRECTORIES, url("EX01", None, "https://b.test/mapi")),
    )
    steps = [task.step for task in make_plan(report).tasks if task.phase is Phase.DIRECTORIES]
    assert [type(step) for step in steps] == [Change, Note]
    assert isinstance(steps[1], Note)
    assert "decide" in steps[1].because


@pytest.mark.parametrize(
    "step",
    [
        Cmdlet("Set-MapiVirtualDirectory", Identity="EX01", InternalUrl="https://a.test/mapi"),  # found: not known
        Cmdlet("Set-Thing", Identity="EX01", Value="a").replacing(Value="b"),
        Cmdlet("Set-MapiVirtualDirectory", InternalUrl="https://a.test/mapi").replacing(InternalUrl=None),
        Cmdlet("Set-MapiVirtualDirectory", Identity="", InternalUrl="https://a.test/mapi").replacing(InternalUrl=None),
        Cmdlet("Set-MapiVirtualDirectory", Identity="EX01", Path="a").replacing(Path="b"),
        Cmdlet("Set-CASMailbox", where="EX01", Identity="a", MapiHttpEnabled=None).replacing(MapiHttpEnabled=False),
        Cmdlet("Set-CASMailbox", Identity="a", MapiHttpEnabled=None).undone_by(
            Cmdlet("Set-CASMailbox", Identity="b", MapiHttpEnabled=False)
        ),
        Cmdlet("Set-CASMailbox", Identity="a", MapiHttpEnabled=None).undone_by(Cmdlet("Remove-Mailbox", Identity="a")),
        Cmdlet("New-ExchangeCertificate", GenerateRequest=True, DomainName=("a.test",)),
        Cmdlet("Get-ServerHealth", Identity="EX01"),
    ],
    ids=str,
)
def test_what_cannot_be_checked_and_put_back_is_a_comment(step: Cmdlet) -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, step))
    plan = make_plan(report)
    assert [change.command for change in changes_of(plan)] == ["Set-OrganizationConfig"]
    script = enable_script(plan, report)
    assert f"#     {step.name}" in script
    assert step.name not in names_in(script)


def test_the_order_and_its_reverse() -> None:
    report = report_of(
        (
            Category.MAILBOXES,
            Cmdlet("Set-CASMailbox", Identity="a", MapiHttpEnabled=None).replacing(MapiHttpEnabled=False),
        ),
        (Category.VIRTUAL_DIRECTORIES, url("EX01", None, "https://a.test/mapi")),
        (Category.ENDPOINTS, Advice("load balancer", "Publish /mapi.")),
        (Category.CERTIFICATES, Advice("certificate authority", "Renew it.")),
        (Category.NAMES, Advice("DNS", "Add a record.")),
        (Category.ENDPOINTS, Advice("DNS", "Another record.")),
        (Category.SERVERS, Advice("administrator", "Update it.")),
    )
    plan = make_plan(report, ["pilot@a.test"])
    assert [task.phase for task in plan.tasks] == [
        Phase.SERVERS, Phase.DNS, Phase.DNS, Phase.CERTIFICATES, Phase.BALANCER, Phase.DIRECTORIES, Phase.MAILBOXES,
        Phase.PILOT, Phase.SWITCH, Phase.VERIFICATION, Phase.VERIFICATION, Phase.VERIFICATION,
    ]  # fmt: skip
    assert [task.number for task in plan.tasks] == list(range(1, 13))
    forth = [step.change.name for step in steps_of(enable_script(plan, report))]
    assert forth == ["Set-MapiVirtualDirectory", "Set-CASMailbox", "Set-CASMailbox", "Set-OrganizationConfig"]
    known = replace(report, stage_reason="the organisation's switch MapiHttpEnabled is off")
    plan = make_plan(known, ["pilot@a.test"])
    back = [step.change.name for step in steps_of(rollback_script(plan, known, {}))]
    assert back == forth[::-1]


@pytest.mark.parametrize(
    ("reason", "stage", "on", "back"),
    [
        ("the organisation's switch MapiHttpEnabled is off", Stage.PREPARE, True, True),
        ("the organisation's switch MapiHttpEnabled is not known", Stage.PREPARE, True, False),
        ("asked for", Stage.PREPARE, True, False),
        ("the organisation's switch MapiHttpEnabled is on", Stage.VERIFY, False, False),
    ],
)
def test_the_switch_goes_back_only_to_what_was_found(reason: str, stage: Stage, on: bool, back: bool) -> None:
    report = report_of(stage=stage, stage_reason=reason)
    plan = make_plan(report)
    assert ("Set-OrganizationConfig" in names_in(enable_script(plan, report))) is on
    assert ("Set-OrganizationConfig" in names_in(rollback_script(plan, report, {}))) is back


def test_the_switch_takes_a_word_of_its_own() -> None:
    report = report_of()
    steps = steps_of(enable_script(make_plan(report), report))
    assert [(step.change.name, step.guarded) for step in steps] == [("Set-OrganizationConfig", True)]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.FAIL])
def test_only_failures_are_mended(status: Status) -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, url("EX01", None, "https://a.test/mapi")), status=status)
    assert [change.command for change in changes_of(make_plan(report))] == ["Set-OrganizationConfig"]


def test_why_is_told() -> None:
    report = report_of((Category.VIRTUAL_DIRECTORIES, url("EX01", None, "https://a.test/mapi")))
    script = enable_script(make_plan(report), report)
    assert re.search(r"# Why: vdir-mapi-internal-url \(blocker\) EX01: is wrong\r\n", script)
    assert isinstance(make_plan(report).tasks[0], Task)


@pytest.mark.parametrize("readiness", list(Readiness))
def test_a_report_that_is_not_ready_warns_before_the_switch(readiness: Readiness) -> None:
    report = replace(report_of(), readiness=readiness)
    script = enable_script(make_plan(report), report)
    assert ("audit again, make the plan anew" in script) is (readiness is not Readiness.READY)


def test_what_was_not_looked_at_is_told() -> None:
    report = report_of(narrowed=("--only names",), interrupted=True, not_proven=("signin-mapi",))
    script = enable_script(make_plan(report), report)
    assert "# The audit was narrowed (--only names, interrupted)" in script
    assert "# Not proven by the report: signin-mapi" in script


def test_a_step_knows_the_values_that_it_replaces() -> None:
    step = Cmdlet("Set-CASMailbox", Identity="a", MapiHttpEnabled=None)
    assert step.undo is None
    undone = step.replacing(MapiHttpEnabled=False)
    assert undone.undo == Cmdlet("Set-CASMailbox", Identity="a", MapiHttpEnabled=False)
    assert undone == step  # what it does is the same
    for wrong in ({}, {"Other": True}):
        with pytest.raises(ValueError, match="is not what the step sets"):
            step.replacing(**wrong)
