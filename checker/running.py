"""One audit from its beginning to its end: gather and judge, keep the history, write the reports, tell people.

Neither the history nor the mail ever costs the report, nor changes the exit code: what fails there is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from checker.audit import audit_organisation
from checker.debug_log import Both
from checker.output import OutputError, OutputPlan
from checker.render import write_all
from checker.results import ExitCode, exit_code
from checker.run_log import RunLog

if TYPE_CHECKING:
    from checker.password import AccountCredential
    from checker.results import Report
    from checker.runner import Progress
    from checker.secrets import Secret
    from checker.settings import Settings

__all__ = ["Delivered", "Ended", "deliver", "deliveries", "run_audit"]


class Delivered(Protocol):
    """How a mail, or what is like it, ended."""

    @property
    def sent(self) -> bool:
        """It went out, to somebody at least."""

    @property
    def failed(self) -> bool:
        """It was wanted, and did not go out, or not to all."""

    @property
    def sentence(self) -> str:
        """What there is to say of it."""

    @property
    def detail(self) -> str | None:
        """What a server said, without secrets, for the log."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a run: the report, the files of it, what else is to be told, and the exit code. `problem` is why a
    report could not be written, which is shown instead; all else has been done."""

    report: Report
    written: tuple[Path, ...]
    told: tuple[str, ...]
    code: ExitCode
    problem: OutputError | None


def run_audit(
    settings: Settings,
    password: Secret | None,
    credential: AccountCredential | None,
    progress: Progress,
    plan: OutputPlan,
    log: RunLog,
) -> Ended:
    """Audits, keeps the run in the history, writes the reports as planned, sends mail.

    Raises:
        UserError: an option that cannot be used, before anything is sent.
        OutputError: the snapshot could not be written.
        KeyboardInterrupt: Ctrl-C before there was anything to report, or a second one.
    """
    if settings.history is not None:
        from checker.history.database import require
        from checker.history.location import parse_location

        require(parse_location(settings.history))
    reports: list[Report] = []
    problem: OutputError | None = None

    def emit(report: Report) -> tuple[Path, ...]:
        nonlocal problem
        report = _remembered(report, settings, log)
        reports.append(report)
        log.report(report)
        try:
            return write_all(report, plan, verbose=settings.verbose)
        except OutputError as error:
            # Told at the end: the mail must not miss this run.
            problem = error
            log.write("error", part="reports", text=str(error))
            return ()

    outcome = audit_organisation(
        settings, password, Both(progress, log), emit, keep=settings.keep, credential=credential
    )
    (report,) = reports
    for file in outcome.written:
        log.write("written", file=str(file))
    for sentence in outcome.left_behind:
        log.write("note", text=sentence)
    told = deliver(deliveries(settings, report), log)
    code = exit_code(report, settings.fail_on) if problem is None else ExitCode.INTERNAL
    return Ended(report, outcome.written, (*outcome.left_behind, *told), code, problem)


def _remembered(report: Report, settings: Settings, log: RunLog) -> Report:
    """The report with its history, where one is kept; what goes wrong there stands in its notes."""
    if settings.history is None:
        return report
    from checker.history.location import parse_location
    from checker.history.remembering import remember

    location = parse_location(settings.history)
    report = remember(report, location, (*settings.server, *settings.name))
    kept = report.history is not None
    log.write("history", kept=kept, text=f"Kept in {location.label}." if kept else report.notes[-1])
    return report


def deliveries(settings: Settings, report: Report) -> tuple[tuple[str, Callable[[], Delivered]], ...]:
    """What is to be sent after a run, by the name that it has in the log. Who interrupts a run waits for no mail."""
    if report.interrupted:
        return ()
    found: list[tuple[str, Callable[[], Delivered]]] = []
    if settings.mail is not None:
        from checker.mail import send_report

        found.append(
            (
                "mail",
                partial(
                    send_report,
                    report,
                    settings.mail,
                    fail_on=settings.fail_on,
                    organisation=settings.organisation,
                ),
            )
        )
    if settings.webhook is not None:
        from checker.webhook import send_webhook

        found.append(
            (
                "webhook",
                partial(
                    send_webhook,
                    report,
                    settings.webhook,
                    fail_on=settings.fail_on,
                    organisation=settings.organisation,
                ),
            )
        )
    return tuple(found)


def deliver(wanted: Sequence[tuple[str, Callable[[], Delivered]]], log: RunLog) -> tuple[str, ...]:
    """Sends one after the other, whatever becomes of the others; gives what is to be told."""
    told = []
    for name, send in wanted:
        try:
            outcome = send()
        except Exception as error:  # noqa: BLE001 - nothing that comes after the report may cost it
            sentence = f"The {name} failed: {type(error).__name__} (a defect)."
            log.write("error", part=name, text=sentence)
            told.append(sentence)
        else:
            log.write(name, sent=outcome.sent, failed=outcome.failed, text=outcome.sentence, detail=outcome.detail)
            if outcome.sent or outcome.failed:
                told.append(outcome.sentence)
    return tuple(told)
