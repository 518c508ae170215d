"""The runner: each fact once, what is missing is told, failures fold, a stopped run keeps what is known."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from checker import (
    Category,
    CheckInfo,
    Collected,
    Layer,
    Missing,
    NotCollected,
    Over,
    Reason,
    Severity,
    Stage,
    Status,
    Subject,
    SubjectKind,
    Verdict,
    check,
    fact,
    failed,
    gather_each,
    need,
    not_applicable,
    passed,
)
from checker.declare import Check, DeclarationError, FactSource, read_check, read_fact
from checker.facts.organisation import OrganizationConfig
from checker.facts.run import Now, Vantage, VantagePoint
from checker.facts.servers import ExchangeServer, Version
from checker.plugins import Registry
from checker.results import ExitCode, FailOn, Readiness, Report, exit_code
from checker.runner import NoProgress, RunRequest, SelectionError, audit, choose

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Disk:
    """A fact about many subjects, for these tests."""

    name: str
    full: bool | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.SERVER, self.name)


@dataclass(frozen=True, slots=True)
class Power:
    """One fact, for these tests."""

    on: bool


def info(check_id: str, **changes: Any) -> CheckInfo:
    texts: dict[str, Any] = {
        "id": check_id,
        "severity": Severity.BLOCKER,
        "category": Category.OTHER,
        "why": "why",
        "how": "how",
        "mend": "mend",
        "undo": "undo",
        "sources": ("https://example.com/",),
    }
    return CheckInfo(**{**texts, **changes})


def registry(functions: Sequence[Callable[..., Any]]) -> Registry:
    checks: dict[str, Check] = {}
    facts: dict[type, FactSource] = {}
    for function in functions:
        one = read_check(function)
        if one is not None:
            checks[one.info.id] = one
        source = read_fact(function)
        if source is not None:
            facts[source.type] = source
    return Registry(checks, facts, ())


@fact()
def organization() -> OrganizationConfig | NotCollected:
    return OrganizationConfig(
        "Contoso", mapi_http_enabled=False, modern_authentication=False, default_policy=None, answered_by="EX01"
    )


@fact()
def servers() -> Collected[ExchangeServer] | NotCollected:
    one = ExchangeServer("EX01", "ex01.contoso.test", Version(15, 2, 1748, 10), "HQ", True, True)
    return Collected((one,), ())


async def nothing_to_close(_interrupted: bool) -> None:
    """These tests hold nothing open."""


async def run(
    functions: Sequence[Callable[..., Any]],
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    stage: Stage | None = None,
    deadline: float = 30.0,
    narrowed: tuple[str, ...] = (),
) -> Report:
    found = registry([organization, servers, *functions])
    request = RunRequest(
        selection=choose(found, only, skip),
        stage=stage,
        deadline=deadline,
        started=NOW,
        tool_version="0",
        narrowed=narrowed,
        waivers=(),
    )
    given: dict[type, object] = {Now: Now(NOW), Vantage: Vantage(VantagePoint.INSIDE, None)}
    return await audit(found, given, request, progress=NoProgress(), notes=tuple, close=nothing_to_close)


def audited(functions: Sequence[Callable[..., Any]], **options: Any) -> Report:
    return asyncio.run(run(functions, **options))


def outcomes(report: Report) -> list[tuple[str, str, Status]]:
    return sorted((finding.check, finding.subject.name, finding.status) for finding in report.findings)


UNREACHABLE = NotCollected(Reason.UNREACHABLE, "EX02 could not be reached.")
EX02 = Subject(SubjectKind.SERVER, "EX02")


@fact()
def disks() -> Collected[Disk] | NotCollected:
    return Collected((Disk("EX01", full=False), Disk("EX03", full=True)), (Missing(EX02, UNREACHABLE),))


@check(info("disk-not-full"))
def disk_not_full(disk: Disk) -> Verdict:
    return failed("is full", found="100 %", expected="less", remedy=()) if need(disk.full) else passed("has room")


def test_a_check_is_asked_of_each_subject_and_says_unknown_of_the_missing_one() -> None:
    report = audited([disks, disk_not_full])
    assert outcomes(report) == [
        ("disk-not-full", "EX01", Status.PASS),
        ("disk-not-full", "EX02", Status.UNKNOWN),
        ("disk-not-full", "EX03", Status.FAIL),
    ]
    assert report.readiness is Readiness.NOT_READY
    unknown = next(finding for finding in report.findings if finding.status is Status.UNKNOWN)
    assert (unknown.summary, unknown.reason) == ("EX02 could not be reached.", Reason.UNREACHABLE)


def test_a_field_that_could_not_be_had_makes_the_finding_unknown() -> None:
    @fact()
    def half_read() -> Collected[Disk]:
        return Collected((Disk("EX01", full=NotCollected(Reason.PROPERTY_ABSENT, "no property Full")),), ())

    report = audited([half_read, disk_not_full])
    assert outcomes(report) == [("disk-not-full", "EX01", Status.UNKNOWN)]
    assert report.readiness is Readiness.INCONCLUSIVE
    assert exit_code(report) is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    ("over", "full", "status"),
    [
        (Over.EVERY, False, Status.UNKNOWN),  # the one not looked at might be the full one
        (Over.EVERY, True, Status.FAIL),
        (Over.ANY, False, Status.PASS),
        (Over.ANY, True, Status.UNKNOWN),  # the one not looked at might have room
    ],
)
def test_what_a_verdict_over_an_incomplete_set_is_worth(over: Over, full: bool, status: Status) -> None:
    @fact()
    def incomplete() -> Collected[Disk]:
        return Collected((Disk("EX01", full=full),), (Missing(EX02, UNREACHABLE),))

    @check(info("disks", over=over))
    def judge(disks: Collected[Disk]) -> Verdict:
        if any(disk.full for disk in disks.items):
            return failed("one is full", found="EX01", expected="none", remedy=())
        return passed("none is full")

    report = audited([incomplete, judge])
    assert [finding.status for finding in report.findings] == [status]


def test_a_judge_of_a_set_of_which_nothing_was_seen_need_not_say_so() -> None:
    @fact()
    def none_seen() -> Collected[Disk]:
        return Collected((), (Missing(EX02, UNREACHABLE),))

    @check(info("disks-alike"))
    def disks_alike(disks: Collected[Disk]) -> Iterator[Verdict]:
        for disk in disks.items:
            yield passed(f"{disk.name} is there")

    assert outcomes(audited([none_seen, disks_alike])) == [("disks-alike", "EX02", Status.UNKNOWN)]


EX04 = Subject(SubjectKind.SERVER, "EX04")
NOT_GIVEN = NotCollected(Reason.NOT_GIVEN, "look from outside")


@pytest.mark.parametrize(
    ("missing", "status", "readiness"),
    [
        ((Missing(EX04, NOT_GIVEN),), Status.NOT_RUN, Readiness.READY),
        ((Missing(EX04, NOT_GIVEN), Missing(EX02, UNREACHABLE)), Status.UNKNOWN, Readiness.INCONCLUSIVE),
    ],
)
def test_what_could_not_be_looked_at_outweighs_what_lacks_an_input(
    missing: tuple[Missing, ...], status: Status, readiness: Readiness
) -> None:
    @fact()
    def incomplete() -> Collected[Disk]:
        return Collected((Disk("EX01", full=False),), missing)

    @check(info("disks"))
    def judge(disks: Collected[Disk]) -> Verdict:
        return passed("none is full")

    report = audited([incomplete, judge])
    assert [finding.status for finding in report.findings] == [status]
    assert report.readiness is readiness


def test_an_empty_set_that_was_looked_at_is_not_applicable_once() -> None:
    @fact()
    def none() -> Collected[Disk]:
        return Collected((), ())

    report = audited([none, disk_not_full])
    assert outcomes(report) == [("disk-not-full", "Contoso", Status.NOT_APPLICABLE)]


def test_an_input_that_was_not_given_is_not_run_and_not_proven() -> None:
    @fact()
    def not_given() -> Power | NotCollected:
        return NotCollected(Reason.NOT_GIVEN, "needs a test account")

    @check(info("power-on"))
    def judge(power: Power) -> Verdict:
        return passed("on") if power.on else not_applicable("off")

    report = audited([not_given, judge])
    assert outcomes(report) == [("power-on", "Contoso", Status.NOT_RUN)]
    assert report.not_proven == ("power-on",)
    assert (report.readiness, report.headline) == (Readiness.READY, "READY")


@pytest.mark.parametrize("broken", ["raises", "gives nothing", "gives rubbish"])
def test_a_check_that_fails_itself_is_an_error_and_costs_no_other(broken: str) -> None:
    @check(info("broken"))
    def judge(power: Power) -> Iterator[Verdict]:
        if broken == "raises":
            raise RuntimeError("boom")
        if broken == "gives rubbish":
            yield "pass"  # type: ignore[misc]

    @check(info("sound"))
    def sound(power: Power) -> Verdict:
        return passed("on")

    @fact()
    def power() -> Power:
        return Power(on=True)

    report = audited([power, judge, sound])
    assert outcomes(report) == [("broken", "Contoso", Status.ERROR), ("sound", "Contoso", Status.PASS)]
    assert exit_code(report) is ExitCode.INCONCLUSIVE


def test_a_fact_function_that_raises_is_told_and_its_check_is_unknown() -> None:
    @fact()
    def power() -> Power:
        raise KeyError("4")

    @check(info("power-on"))
    def judge(power: Power) -> Verdict:
        return passed("on")

    report = audited([power, judge])
    assert outcomes(report) == [("power-on", "Contoso", Status.UNKNOWN)]
    assert any("KeyError" in note for note in report.notes)


def test_what_lies_behind_a_failure_is_folded_under_it() -> None:
    name = Subject(SubjectKind.NAME, "mail.contoso.test")

    @dataclass(frozen=True, slots=True)
    class Answer:
        subject: Subject

    @fact()
    def answers() -> Collected[Answer]:
        return Collected((), (Missing(name, NotCollected(Reason.NOT_RESOLVED, "does not resolve", Layer.RESOLVE)),))

    @check(info("resolves", owns=frozenset({Layer.RESOLVE})))
    def resolves(disks: Collected[Disk]) -> Verdict:
        return failed("does not resolve", found=None, expected="an address", remedy=(), subject=name)

    def judge(answer: Answer) -> Verdict:
        return passed("answers")

    judge.__annotations__["answer"] = Answer
    answers.__annotations__["return"] = Collected[Answer]
    report = audited([disks, answers, resolves, check(info("answers"))(judge)])
    folded = next(finding for finding in report.findings if finding.check == "answers")
    assert folded.status is Status.UNKNOWN
    assert folded.because is not None
    assert (folded.because.check, folded.because.subject) == ("resolves", name)


def test_each_fact_is_made_once_whoever_asks() -> None:
    made = []

    @fact()
    async def power() -> Power:
        made.append("power")
        await asyncio.sleep(0)
        return Power(on=True)

    @check(info("one"))
    def one(power: Power) -> Verdict:
        return passed("on")

    @check(info("two"))
    def two(power: Power) -> Verdict:
        return passed("on")

    audited([power, one, two])
    assert made == ["power"]


def test_only_what_the_chosen_checks_need_is_gathered() -> None:
    @fact()
    def power() -> Power:
        raise AssertionError("nobody needs this")

    @check(info("power-on"))
    def judge(power: Power) -> Verdict:
        return passed("on")

    report = audited([power, judge, disks, disk_not_full], skip=["power-on"], narrowed=("--skip power-on",))
    assert ("power-on", "Contoso", Status.NOT_RUN) in outcomes(report)
    assert not report.notes


def test_a_narrowed_run_never_says_ready() -> None:
    @fact()
    def power() -> Power:
        return Power(on=True)

    @check(info("power-on"))
    def judge(power: Power) -> Verdict:
        return passed("on")

    report = audited([power, judge, disks, disk_not_full], only=["power-on"], narrowed=("--only power-on",))
    assert (report.readiness, report.headline) == (Readiness.PARTIAL, "NO BLOCKER FOUND (1 of 2 checks)")
    assert exit_code(report) is ExitCode.OK
    assert report.not_proven == ()


def test_a_warning_gives_exit_code_1_only_when_asked() -> None:
    @check(info("disk-not-full", severity=Severity.WARNING))
    def judge(disk: Disk) -> Verdict:
        return failed("is full", found="100 %", expected="less", remedy=()) if disk.full else passed("has room")

    report = audited([disks, judge])
    assert report.readiness is Readiness.READY
    assert exit_code(report) is ExitCode.OK
    assert exit_code(report, FailOn.WARNING) is ExitCode.NOT_READY


@pytest.mark.parametrize(
    ("switch", "asked", "stage"),
    [
        (True, None, Stage.VERIFY),
        (False, None, Stage.PREPARE),
        (NotCollected(Reason.PROPERTY_ABSENT, "absent"), None, Stage.PREPARE),
        (True, Stage.PREPARE, Stage.PREPARE),
    ],
)
def test_the_stage_follows_the_switch_unless_asked(
    switch: bool | NotCollected, asked: Stage | None, stage: Stage
) -> None:
    @fact()
    def config() -> OrganizationConfig:
        return OrganizationConfig(
            "Contoso", switch, modern_authentication=False, default_policy=None, answered_by="EX01"
        )

    @check(info("after", stages=frozenset({Stage.VERIFY})))
    def after(organization: OrganizationConfig) -> Verdict:
        return passed("asked")

    report = audited([config, after], stage=asked)
    assert report.stage is stage
    expected = Status.PASS if stage is Stage.VERIFY else Status.NOT_APPLICABLE
    assert [finding.status for finding in report.findings] == [expected]


def hanging(forever: asyncio.Event) -> Callable[[], Coroutine[Any, Any, Collected[Disk]]]:
    @fact()
    async def some() -> Collected[Disk]:
        async def look(name: str) -> Disk:
            if name == "EX02":
                await forever.wait()
            return Disk(name, full=False)

        return await gather_each("disks", ["EX01", "EX02"], look, lambda name: Subject(SubjectKind.SERVER, name))

    return some


def test_the_deadline_costs_only_what_hangs() -> None:
    async def scenario() -> Report:
        return await run([hanging(asyncio.Event()), disk_not_full], deadline=0.5)

    report = asyncio.run(scenario())
    assert outcomes(report) == [("disk-not-full", "EX01", Status.PASS), ("disk-not-full", "EX02", Status.UNKNOWN)]
    assert {finding.reason for finding in report.findings} == {None, Reason.DEADLINE}
    assert report.seconds < 5


@dataclass(frozen=True, slots=True)
class Lamp:
    """A fact made of another one, for these tests."""

    name: str

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.SERVER, self.name)


def test_what_depends_on_a_fact_that_hangs_gets_what_there_is_of_it() -> None:
    @check(info("lamp-is-there"))
    def lamp_is_there(lamp: Lamp) -> Verdict:
        return passed(f"{lamp.name} is there")

    async def scenario() -> Report:
        forever = asyncio.Event()

        @fact()
        async def lamps(disks: Collected[Disk]) -> Collected[Lamp]:
            async def look(disk: Disk) -> Lamp:
                if disk.name == "EX03":
                    await forever.wait()
                return Lamp(disk.name)

            looked = await gather_each("lamps", disks.items, look, lambda disk: disk.subject)
            return Collected(looked.items, (*looked.missing, *disks.missing))

        @fact()
        async def some() -> Collected[Disk]:
            async def look(name: str) -> Disk:
                if name == "EX02":
                    await forever.wait()
                return Disk(name, full=False)

            names = ["EX01", "EX02", "EX03"]
            return await gather_each("disks", names, look, lambda name: Subject(SubjectKind.SERVER, name))

        return await run([some, lamps, lamp_is_there], deadline=0.5)

    report = asyncio.run(scenario())
    assert outcomes(report) == [
        ("lamp-is-there", "EX01", Status.PASS),
        ("lamp-is-there", "EX02", Status.UNKNOWN),
        ("lamp-is-there", "EX03", Status.UNKNOWN),
    ]
    assert {finding.reason for finding in report.findings} == {None, Reason.DEADLINE}
    assert report.seconds < 2


def test_an_interrupted_run_reports_what_is_known_and_is_inconclusive() -> None:
    async def scenario() -> Report:
        looked = asyncio.Event()

        @fact()
        async def some() -> Collected[Disk]:
            async def look(name: str) -> Disk:
                if name == "EX02":
                    looked.set()
                    await asyncio.Event().wait()
                return Disk(name, full=False)

            return await gather_each("disks", ["EX01", "EX02"], look, lambda name: Subject(SubjectKind.SERVER, name))

        task = asyncio.ensure_future(run([some, disk_not_full]))
        await looked.wait()
        task.cancel()
        return await task

    report = asyncio.run(scenario())
    assert report.interrupted
    assert outcomes(report) == [("disk-not-full", "EX01", Status.PASS), ("disk-not-full", "EX02", Status.UNKNOWN)]
    assert report.readiness is Readiness.INCONCLUSIVE


def test_no_server_judged_is_inconclusive() -> None:
    @fact()
    def no_servers() -> Collected[ExchangeServer] | NotCollected:
        return Collected((), ())

    @fact()
    def power() -> Power:
        return Power(on=True)

    @check(info("power-on"))
    def judge(power: Power) -> Verdict:
        return passed("on")

    assert audited([no_servers, power, judge]).readiness is Readiness.INCONCLUSIVE


@pytest.mark.parametrize(("only", "skip"), [(["nonsense"], []), ([], ["nonsense"])])
def test_a_selection_that_names_nothing_is_refused(only: list[str], skip: list[str]) -> None:
    with pytest.raises(SelectionError, match="nonsense"):
        choose(registry([disks, disk_not_full]), only, skip)


def test_categories_select_too() -> None:
    found = registry([disks, disk_not_full])
    assert list(choose(found, ["other"], []).chosen) == ["disk-not-full"]
    assert choose(found, [], ["other"]).left_out == {"disk-not-full": "--skip other"}


def test_bad_declarations_are_refused_with_the_file() -> None:
    def judge(power: Power = Power(on=True)) -> Verdict:
        return passed("on")

    with pytest.raises(DeclarationError, match=r"test_runner\.py.*default"):
        read_check(check(info("x"))(judge))

    def silent(power) -> Verdict:  # type: ignore[no-untyped-def]
        return passed("on")

    with pytest.raises(DeclarationError, match="annotation"):
        read_check(check(info("x"))(silent))

    def good(power: Power) -> Verdict:
        return passed("on")

    with pytest.raises(DeclarationError, match="why"):
        read_check(check(info("x", why=" "))(good))
    with pytest.raises(DeclarationError, match="https"):
        read_check(check(info("x", sources=("http://example.com/",)))(good))
