"""`mapiready check` and `mapiready probe` once the options are known: one organisation, or all those of a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from checker.errors import UserError
from checker.output import OutputPlan, plan_output, print_text, terminal_options, write_report
from checker.results import ExitCode
from checker.run_log import RunLog, open_sink
from checker.settings import Settings, SettingsError, common_output, load_organisations, organisation_names

if TYPE_CHECKING:
    from checker.summary import OrganisationRun, Summary
    from reports import RenderOptions

__all__ = ["audit_one", "check", "gather"]


def check(
    options: Mapping[str, object], config: Path | None, chosen: Sequence[str] = (), *, nagios: bool = False
) -> int:
    """Audits as the options and the file say; shows or writes the reports; gives the exit code. `chosen` are
    organisations of the file: one alone is audited as if there were no others.

    Raises:
        UserError: an option, the file, a secret; or another run of this file is under way.
        OutputError: a file could not be written.
    """
    from checker.locking import only_one_run

    several = config is not None and bool(organisation_names(config)) and len(chosen) != 1
    loaded = load_organisations(options, config, chosen)
    if several and nagios:
        raise SettingsError("--nagios tells of one organisation: pick it with --organisation NAME.")
    with only_one_run(config):
        if several:
            assert config is not None
            return _audit_several(options, config, chosen, loaded[0][1])
        return audit_one(loaded[0][1], nagios=nagios)


def audit_one(settings: Settings, *, nagios: bool = False) -> int:
    """Audits one organisation (or probes its names), shows or writes the report, and gives the exit code.

    Raises:
        UserError: an option or a secret that cannot be used.
        OutputError: a file could not be written.
    """
    from checker.password import find_account_credential, find_password
    from checker.progress import progress_on_terminal
    from checker.running import run_audit

    plan = plan_output(settings.format, settings.output)
    if nagios:
        # The line is what monitoring reads, wherever a file says that reports go.
        plan = OutputPlan(("nagios",), tuple(file for file in plan.files if file[0] != "nagios"))
    with open_sink(settings.log) as sink:
        try:
            password = (
                None
                if settings.user is None
                else find_password(
                    settings.user,
                    settings.password_file,
                    organisation=settings.organisation,
                    unattended=settings.unattended,
                )
            )
            credential = find_account_credential(settings)
        except UserError as error:
            _close(RunLog(sink, settings), ExitCode.USAGE, str(error))
            raise
        log = RunLog(sink, settings, password, credential)
        try:
            # Progress is for somebody who watches.
            watched = sys.stderr.isatty() and not settings.quiet and settings.log != "-"
            with progress_on_terminal(watched) as progress:
                ended = run_audit(settings, password, credential, progress, plan, log)
        except KeyboardInterrupt:
            _close(log, ExitCode.INCONCLUSIVE, "Interrupted before there was anything to report.")
            if nagios:
                raise
            _say("Interrupted before there was anything to report.")
            return ExitCode.INCONCLUSIVE
        except Exception as error:
            _close(log, ExitCode.USAGE if isinstance(error, UserError) else ExitCode.INTERNAL, str(error))
            raise
        if not settings.quiet:
            _say_written(ended.written)
        for sentence in ended.told:
            _say(sentence)
        if ended.problem is not None:
            log.close(ended.code)
            raise ended.problem
        code: int = ended.code
        if nagios:
            from checker.nagios import nagios_state

            code = nagios_state(ended.report)
        log.close(code)
        return code


def gather(settings: Settings, keep: Path) -> int:
    """Gathers what any check could ask into the snapshot `keep`, and gives the exit code.

    Raises:
        UserError: an option or a secret that cannot be used.
        OutputError: the snapshot could not be written.
    """
    from checker.audit import gather_organisation
    from checker.password import find_account_credential, find_password
    from checker.progress import progress_on_terminal

    password = (
        None
        if settings.user is None
        else find_password(settings.user, settings.password_file, unattended=settings.unattended)
    )
    credential = find_account_credential(settings)
    try:
        with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
            done = gather_organisation(settings, password, progress, keep, credential)
    except KeyboardInterrupt:
        _say("Interrupted before there was anything to keep.")
        return ExitCode.INCONCLUSIVE
    stopped = done.gathered.stopped
    for sentence in (*done.notes, *((stopped.sentence,) if stopped else ())):
        _say(sentence)
    if not settings.quiet:
        _say_written((done.written,))
    return ExitCode.INCONCLUSIVE if stopped or not done.gathered.servers else ExitCode.OK


def _close(log: RunLog, code: ExitCode, sentence: str) -> None:
    log.write("error", text=sentence)
    log.close(code)


def _audit_several(options: Mapping[str, object], config: Path, chosen: Sequence[str], common: Settings) -> int:
    from checker.organisations import audit_organisations, with_links_from
    from reports.summary import SUMMARY_FORMATS

    output = common_output(options, config)
    plan = OutputPlan(("terminal",), ())
    if output is not None:
        plan = plan_output(("terminal", "html", "json"), output, SUMMARY_FORMATS, "mapiready-summary")
    shown = terminal_options({}, verbose=common.verbose)

    def begun(name: str) -> None:
        if not common.quiet:
            _say(f"{name}: started")

    def finished(run: OrganisationRun) -> None:
        if not common.quiet:
            _say(f"{run.name}: {run.verdict.headline if run.verdict else ' '.join(run.told)}")

    with open_sink(common.log) as sink:
        terminal = {
            "width": shown.width,
            "colour": shown.colour,
            "verbose": shown.verbose,
            "ascii_only": shown.ascii_only,
        }
        audited = audit_organisations(options, config, chosen, sink, terminal, begun=begun, finished=finished)
        for name, text in audited.shown.items():
            print_text(f"{name}\n{'=' * len(name)}\n{text}\n")
        linked = with_links_from(audited.summary, Path(output or ".").expanduser())

        def render(name: str, options: RenderOptions) -> str:
            summary: Summary = audited.summary if name == "terminal" else linked
            return SUMMARY_FORMATS[name].render(summary, options)

        written = write_report(plan, render, shown)
        if not common.quiet:
            _say_written(written)
        return audited.summary.code


def _say_written(files: Sequence[Path]) -> None:
    for file in files:
        _say(f"Written: {file}")


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
