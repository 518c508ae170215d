"""The commands: parse, call, print, exit code; nothing else lives here. The options are in `checker.options`.

Nothing heavy is imported before a command that needs it runs. Annotations are no strings here: typer would compile
each of them at every start.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker import completion
from checker import options as given

if TYPE_CHECKING:
    from checker.results import Report
    from checker.settings import Settings

__all__ = ["app", "main"]

app = typer.Typer(
    name="mapiready",
    help="Tells whether an Exchange organisation is ready for MAPI over HTTP, and proves it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: mapiready check ex01.contoso.com",
)

_EXAMPLE_CHECK = """Examples:

\b
  mapiready check ex01.contoso.com ex02.contoso.com
  mapiready check ex01.contoso.com --user 'CONTOSO\\audit' --auth ntlm --output report.html
  mapiready check ex01.contoso.com --mailbox test@contoso.com
  mapiready check ex01.contoso.com --only certificates --only names
  mapiready check --config contoso.toml --format terminal --format html --format json --output reports/

Exit codes: 0 ready (or nothing found in a narrowed run), 1 not ready, 2 wrong use, 3 inconclusive, 4 mapiready failed.
"""


def _show_version(value: bool) -> None:
    if value:
        from checker import __version__

        typer.echo(f"mapiready {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


def _options(context: typer.Context, *left_out: str) -> dict[str, object]:
    """The options of a command by their names in the file; a switch that was not set is not given."""
    values = {
        name.replace("_", "-"): value or None if isinstance(value, bool) else value
        for name, value in context.params.items()
        if name not in ("config", "nagios", "no_waivers", "organisation", *left_out)
    }
    if context.params.get("no_waivers"):
        values["waivers"] = False
    if context.params.get("nagios"):
        values["format"] = values["format"] or ["nagios"]
        values["unattended"] = True
    return values


def _file(name: str | None) -> Path | None:
    return Path(name).expanduser() if name else None


@app.command(epilog=_EXAMPLE_CHECK)
def check(
    context: typer.Context,
    server: given.Server = None,
    user: given.User = None,
    password_file: given.PasswordFile = None,
    mailbox: given.Mailbox = None,
    account: given.Account = None,
    account_password_file: given.AccountPasswordFile = None,
    account_token_file: given.AccountTokenFile = None,
    account_ticket: given.AccountTicket = False,
    auth: given.Auth = None,
    scheme: given.Scheme = None,
    port: given.Port = None,
    path: given.Path = None,
    ca_file: given.CaFile = None,
    resolve: given.Resolve = None,
    nameserver: given.Nameserver = None,
    name: given.Name = None,
    vantage: given.VantagePoint = None,
    stage: given.Stage = None,
    only: given.Only = None,
    skip: given.Skip = None,
    servers: given.Servers = None,
    mailboxes: given.Mailboxes = None,
    sessions: given.Sessions = None,
    timeout: given.Timeout = None,
    deadline: given.Deadline = None,
    fail_on: given.FailOn = None,
    format: given.Formats = None,  # noqa: A002 - the option's name
    output: given.Output = None,
    now: given.Now = None,
    certificate_days: given.CertificateDays = None,
    build_table_days: given.BuildTableDays = None,
    no_waivers: given.NoWaivers = False,
    nagios: given.Nagios = False,
    keep: given.Keep = None,
    history: given.History = None,
    config: given.Config = None,
    organisation: given.Organisation = None,
    unattended: given.Unattended = False,
    log: given.Log = None,
    quiet: given.Quiet = False,
    verbose: given.Verbose = False,
    debug: given.Debug = None,
) -> None:
    """Audit an Exchange organisation: is it ready for MAPI over HTTP?"""
    from checker.checking import check as audit

    raise typer.Exit(audit(_options(context), _file(config), tuple(organisation or ()), nagios=nagios))


@app.command(
    epilog="Examples:\n\n\b\n  mapiready probe mail.contoso.com autodiscover.contoso.com\n"
    "  mapiready probe --mailbox test@contoso.com mail.contoso.com autodiscover.contoso.com\n"
    "  mapiready probe mail.contoso.com --vantage outside:home --nameserver 9.9.9.9 --output outside.html"
)
def probe(
    context: typer.Context,
    host: Annotated[list[str] | None, typer.Argument(metavar="HOST…", help="Names that clients use.")] = None,
    mailbox: given.Mailbox = None,
    account: given.Account = None,
    account_password_file: given.AccountPasswordFile = None,
    account_token_file: given.AccountTokenFile = None,
    account_ticket: given.AccountTicket = False,
    ca_file: given.CaFile = None,
    resolve: given.Resolve = None,
    nameserver: given.Nameserver = None,
    vantage: given.VantagePoint = "outside",
    stage: given.Stage = None,
    only: given.Only = None,
    skip: given.Skip = None,
    timeout: given.Timeout = None,
    deadline: given.Deadline = None,
    fail_on: given.FailOn = None,
    format: given.Formats = None,  # noqa: A002 - the option's name
    output: given.Output = None,
    now: given.Now = None,
    nagios: given.Nagios = False,
    keep: given.Keep = None,
    history: given.History = None,
    config: given.Config = None,
    unattended: given.Unattended = False,
    log: given.Log = None,
    quiet: given.Quiet = False,
    verbose: given.Verbose = False,
    debug: given.Debug = None,
) -> None:
    """Look at names from the network alone, without any right on Exchange: from home, from outside, from a partner."""
    from checker.checking import audit_one
    from checker.settings import load_settings

    options = {**_options(context, "host"), "name": host}
    raise typer.Exit(audit_one(load_settings(options, _file(config), probe=True), nagios=nagios))


@app.command(
    epilog="Examples:\n\n\b\n  mapiready gather ex01.contoso.com\n"
    "  mapiready gather ex01.contoso.com --mailboxes all --output contoso.mapiready.zip"
)
def gather(
    context: typer.Context,
    server: given.Server = None,
    user: given.User = None,
    password_file: given.PasswordFile = None,
    mailbox: given.Mailbox = None,
    account: given.Account = None,
    account_password_file: given.AccountPasswordFile = None,
    account_token_file: given.AccountTokenFile = None,
    account_ticket: given.AccountTicket = False,
    auth: given.Auth = None,
    scheme: given.Scheme = None,
    port: given.Port = None,
    path: given.Path = None,
    ca_file: given.CaFile = None,
    resolve: given.Resolve = None,
    nameserver: given.Nameserver = None,
    name: given.Name = None,
    vantage: given.VantagePoint = None,
    servers: given.Servers = None,
    mailboxes: given.Mailboxes = None,
    sessions: given.Sessions = None,
    timeout: given.Timeout = None,
    deadline: given.Deadline = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write.")] = "org.mapiready.zip",
    config: given.Config = None,
    unattended: given.Unattended = False,
    quiet: given.Quiet = False,
    debug: given.Debug = None,
) -> None:
    """Gather all that a check could ask, and judge nothing: mapiready judge does, anywhere, at any time."""
    from checker.checking import gather as gather_one
    from checker.settings import load_settings

    settings = load_settings(_options(context, "output"), _file(config))
    raise typer.Exit(gather_one(settings, Path(output).expanduser()))


@app.command(
    epilog="Examples:\n\n\b\n  mapiready judge org.mapiready.zip --output report.html\n"
    "  mapiready judge inside.zip outside.zip\n"
    "  mapiready judge mapiready-EX01.zip mapiready-EX02.zip\n"
    "  mapiready judge 'HealthChecker-*.xml'"
)
def judge(
    context: typer.Context,
    file: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE…",
            help="Snapshots, what the collector wrote, exports (Export-Clixml, HealthChecker), folders, patterns.",
        ),
    ] = None,
    stage: given.Stage = None,
    only: given.Only = None,
    skip: given.Skip = None,
    servers: given.Servers = None,
    fail_on: given.FailOn = None,
    format: given.Formats = None,  # noqa: A002 - the option's name
    output: given.Output = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge dates as of this time; default: when it was gathered.")
    ] = None,
    certificate_days: given.CertificateDays = None,
    build_table_days: given.BuildTableDays = None,
    no_waivers: given.NoWaivers = False,
    nagios: given.Nagios = False,
    config: given.Config = None,
    quiet: given.Quiet = False,
    verbose: given.Verbose = False,
) -> None:
    """Judge what was gathered, collected or exported before. Makes no connection at all."""
    from checker.judging import judge_files
    from checker.output import plan_output
    from checker.progress import progress_on_terminal
    from checker.render import write_all
    from checker.settings import load_settings

    settings = load_settings(_options(context, "file"), _file(config), saved=True)
    plan = plan_output(settings.format, settings.output)
    with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
        report = judge_files(file or [], settings, progress)
    _say_written(write_all(report, plan, verbose=settings.verbose), quiet=settings.quiet)
    raise typer.Exit(_code(report, settings, nagios=nagios))


@app.command(epilog="Example: mapiready collector --output Collect-MapiReadiness.ps1")
def collector(
    output: Annotated[str | None, typer.Option(metavar="FILE", help="Write the script to this file.")] = None,
) -> None:
    """Give a PowerShell script that writes down, on a server, what a run would ask; judge its zip anywhere."""
    from checker.collector import collector_script, left_out
    from checker.output import print_text, write_atomically
    from checker.plugins import find_checks

    registry = find_checks()
    script = collector_script(registry).encode("ascii")  # bytes: its line ends are those of Windows already
    for problem in registry.problems:
        typer.echo(problem, err=True)
    for name in left_out(registry):
        typer.echo(f"{name} is not in the script: its plugin does not say how it is sent (CmdletSpec.uses).", err=True)
    if output is None:
        print_text(script)
    else:
        write_atomically(Path(output).expanduser(), script)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready render report.json --format html --output report.html\n"
    "  mapiready render inside.json outside.json --output both.html"
)
def render(
    report: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT.json…", help="JSON reports of mapiready; - for standard input. Several views become one."
        ),
    ],
    format: given.Formats = None,  # noqa: A002 - the option's name
    output: given.Output = None,
    quiet: given.QuietFiles = False,
    verbose: given.Verbose = False,
) -> None:
    """Make another format of a report that was kept as JSON; put views from inside and outside into one report."""
    from checker.output import plan_output
    from checker.render import read_report, write_all
    from checker.settings import parse_formats
    from checker.views import merge

    plan = plan_output(parse_formats(format or ()), output)
    _say_written(write_all(merge([read_report(name) for name in report]), plan, verbose=verbose), quiet=quiet)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready diff yesterday.json today.json\n"
    "  mapiready diff before.json after.json --output changes.html\n\n"
    "Exit codes: 0 nothing got worse, 1 something did, 2 wrong use, 4 mapiready failed."
)
def diff(
    before: Annotated[
        str, typer.Argument(metavar="BEFORE.json", help="The earlier JSON report; - for standard input.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER.json", help="The later one, of the same organisation.")],
    format: Annotated[  # noqa: A002 - the option's name
        list[str] | None,
        typer.Option(
            help="terminal (default), html or json. Repeatable with a folder.",
            autocompletion=completion.comparison_formats,
        ),
    ] = None,
    output: given.Output = None,
    quiet: given.QuietFiles = False,
    verbose: given.Verbose = False,
) -> None:
    """Compare two reports: what got better, worse, new and gone."""
    from checker.render import diff as compare_reports

    code, written = compare_reports(before, after, tuple(format or ()), output, verbose=verbose)
    _say_written(written, quiet=quiet)
    raise typer.Exit(code)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready plan report.json -o plan\n"
    "  mapiready plan report.json -o plan --pilot ann@contoso.com"
)
def plan(
    report: Annotated[str, typer.Argument(metavar="REPORT.json", help="A JSON report; - for standard input.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder of the plan; made, or made anew.")] = "plan",
    pilot: Annotated[
        list[str] | None, typer.Option(help="A mailbox without archive that goes first. Repeatable.")
    ] = None,
    quiet: given.QuietFiles = False,
) -> None:
    """Make the plan of a migration: scripts to enable and roll back, registry files, and a checklist."""
    from checker.plan.folder import plan_report

    _say_written(plan_report(report, output, tuple(pilot or ())), quiet=quiet)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready schedule --config contoso.toml\n"
    "  mapiready schedule --config contoso.toml --for cron --every week --at 05:30"
)
def schedule(
    config: Annotated[str, typer.Option(metavar="FILE", help="TOML file of the audits that are to run.")],
    for_: Annotated[
        str | None,
        typer.Option(
            "--for", help="systemd, task-scheduler or cron; default by platform.", autocompletion=completion.schedulers
        ),
    ] = None,
    every: Annotated[str, typer.Option(help="hour, day or week.")] = "day",
    at: Annotated[str, typer.Option(metavar="HH:MM", help="The time of day.")] = "06:00",
    output: Annotated[str | None, typer.Option(metavar="FOLDER", help="Write the files here; else show them.")] = None,
    quiet: given.QuietFiles = False,
) -> None:
    """Give a scheduler's entry that runs this very configuration; installs nothing."""
    from checker.output import print_text
    from checker.schedule import parse_at, parse_every, parse_scheduler, write_schedule

    folder = Path(output).expanduser() if output else None
    text, written = write_schedule(
        Path(config).expanduser(), parse_scheduler(for_), parse_every(every), parse_at(at), folder
    )
    if text:
        print_text(text)
    _say_written(written, quiet=quiet)


history_app = typer.Typer(help="Look into the history of runs that --history kept.", no_args_is_help=True)
app.add_typer(history_app, name="history", epilog="Example: mapiready history list --history runs.db")
mail_app = typer.Typer(help="The mail that [mail] of the file sends.", no_args_is_help=True)
app.add_typer(mail_app, name="mail", epilog="Example: mapiready mail test --config contoso.toml")

Json = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]


@history_app.command("list", epilog="Example: mapiready history list --history runs.db --most 20")
def history_list(
    history: given.History = None,
    config: given.Config = None,
    most: Annotated[int, typer.Option(min=1, help="How many runs, the latest first.")] = 30,
    about: Annotated[str | None, typer.Option("--organisation", help="Only runs of this organisation.")] = None,
    json: Json = False,
) -> None:
    """List the runs that were kept."""
    from checker.history import showing
    from checker.history.choosing import chosen_location
    from checker.history.store import open_history
    from checker.output import print_text, terminal_options

    with open_history(chosen_location(history, _file(config)), create=False) as opened:
        runs = opened.list(most, organisation=about)
    shown = terminal_options({}, verbose=False)
    text = showing.list_text(runs, width=shown.width, colour=shown.colour, ascii_only=shown.ascii_only)
    print_text(showing.list_json(runs) if json else text)


@history_app.command("show", epilog="Example: mapiready history show last --history runs.db --output report.html")
def history_show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, or its beginning, or last.")],
    history: given.History = None,
    config: given.Config = None,
    format: given.Formats = None,  # noqa: A002 - the option's name
    output: given.Output = None,
    quiet: given.QuietFiles = False,
    verbose: given.Verbose = False,
) -> None:
    """Show the report of a run again, in any format."""
    from checker.history.choosing import chosen_location
    from checker.history.store import open_history
    from checker.output import plan_output
    from checker.render import write_all
    from checker.settings import parse_formats

    plan = plan_output(parse_formats(format or ()), output)
    with open_history(chosen_location(history, _file(config)), create=False) as opened:
        report = opened.load(run)
    _say_written(write_all(report, plan, verbose=verbose), quiet=quiet)


@history_app.command("trend", epilog="Example: mapiready history trend cert-expires-soon --history runs.db")
def history_trend(
    of: Annotated[str, typer.Argument(metavar="CHECK|SUBJECT", help="The id of a check, or the name of a subject.")],
    history: given.History = None,
    config: given.Config = None,
    most: Annotated[int, typer.Option(min=1, help="How many runs, the latest last.")] = 30,
    about: Annotated[str | None, typer.Option("--organisation", help="Only runs of this organisation.")] = None,
    json: Json = False,
) -> None:
    """Tell how a check or a subject went over the runs."""
    from checker.history import showing
    from checker.history.choosing import chosen_location
    from checker.history.store import open_history
    from checker.output import print_text, terminal_options

    with open_history(chosen_location(history, _file(config)), create=False) as opened:
        trend = opened.trend(of, most, organisation=about)
    shown = terminal_options({}, verbose=False)
    text = showing.trend_text(trend, width=shown.width, colour=shown.colour, ascii_only=shown.ascii_only)
    print_text(showing.trend_json(trend) if json else text)


@history_app.command("prune", epilog="Example: mapiready history prune --older-than 400d --keep-last 10")
def history_prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="Such as 400d, 12w or 36h.")],
    history: given.History = None,
    config: given.Config = None,
    keep_last: Annotated[int, typer.Option(min=0, help="Keep at least so many runs of each organisation.")] = 0,
) -> None:
    """Forget runs that are older than an age."""
    from datetime import UTC, datetime

    from checker.history import showing
    from checker.history.choosing import chosen_location
    from checker.history.store import open_history
    from checker.output import print_text

    age = showing.parse_age(older_than)
    with open_history(chosen_location(history, _file(config)), create=False) as opened:
        print_text(showing.pruned_text(opened.prune(age, now=datetime.now(UTC), keep_last=keep_last)))


@mail_app.command("test", epilog="Example: mapiready mail test --config contoso.toml")
def mail_test(
    config: Annotated[str, typer.Option(metavar="FILE", help="TOML file with the [mail] table.")],
    organisation: given.Organisation = None,
) -> None:
    """Send a small mail the way that a report goes."""
    from checker.mail import send_test
    from checker.results import ExitCode
    from checker.settings import SettingsError, load_organisations

    failed = False
    for name, settings in load_organisations({}, Path(config).expanduser(), tuple(organisation or ())):
        if settings.mail is None:
            raise SettingsError(f"{config} has no [mail] table{f' for {name}' if name else ''}.")
        outcome = send_test(settings.mail, organisation=settings.organisation)
        typer.echo(f"{name}: {outcome.sentence}" if name else outcome.sentence, err=outcome.failed)
        failed = failed or outcome.failed
    raise typer.Exit(ExitCode.USAGE if failed else ExitCode.OK)


@app.command(epilog="Example: mapiready demo --scenario broken --output .")
def demo(
    scenario: Annotated[
        str,
        typer.Option(
            help="Which organisation to start; 'mapiready lab --list' shows them.", autocompletion=completion.scenarios
        ),
    ] = "broken",
    servers: Annotated[int | None, typer.Option(min=1, max=1000, help="How many servers (scenario large).")] = None,
    output: Annotated[str, typer.Option(help="Folder for the HTML and JSON reports.")] = ".",
    quiet: given.Quiet = False,
    verbose: given.Verbose = False,
    debug: given.Debug = None,
) -> None:
    """Start an Exchange organisation on loopback (the lab), audit it for real, and show the report."""
    from checker.demo import demonstrate

    options = {"quiet": quiet or None, "verbose": verbose or None, "debug": debug}
    raise typer.Exit(demonstrate(scenario, servers, output, options))


@app.command(epilog="Examples:\n\n\b\n  mapiready lab --scenario healthy\n  mapiready lab --scenario enabled --today")
def lab(
    scenario: Annotated[
        str, typer.Option(help="Which organisation to start.", autocompletion=completion.scenarios)
    ] = "broken",
    servers: Annotated[int | None, typer.Option(min=1, max=1000, help="How many servers (scenario large).")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault to add, by name. Repeatable.", autocompletion=completion.faults)
    ] = None,
    today: Annotated[
        bool,
        typer.Option("--today", help="Move the organisation to the present, so that its test account can sign in."),
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show the scenarios and faults, and end.")] = False,
) -> None:
    """Keep an Exchange organisation running on loopback, and show how to audit it."""
    from checker.demo import keep_lab, list_lab

    raise typer.Exit(list_lab() if list_ else keep_lab(scenario, servers, tuple(fault or ()), today=today))


@app.command(name="list", epilog="Example: mapiready list")
def list_checks() -> None:
    """Show every check, what it needs, and the cmdlets that are sent for it."""
    from checker.catalogue import list_text
    from checker.output import print_text
    from checker.plugins import find_checks

    print_text(list_text(find_checks()))


@app.command(epilog="Example: mapiready explain cert-names-cover")
def explain(
    check_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of a check.", autocompletion=completion.check_ids)
    ],
) -> None:
    """Explain a check: why it matters, how it is judged, how to mend it, and where Microsoft says so."""
    from checker.catalogue import explain_text
    from checker.output import print_text
    from checker.plugins import find_checks

    print_text(explain_text(find_checks(), check_id))


def _code(report: "Report", settings: "Settings", *, nagios: bool) -> int:
    if nagios:
        from checker.nagios import nagios_state

        return nagios_state(report)
    from checker.results import exit_code

    return exit_code(report, settings.fail_on)


def _say_written(files: Sequence[Path], *, quiet: bool) -> None:
    for file in () if quiet else files:
        typer.echo(f"Written: {file}", err=True)


def main() -> None:
    """The console script. Every foreseeable mistake ends in one sentence on standard error and its exit code."""
    if "--nagios" in sys.argv[1:]:
        from checker.nagios import as_plugin

        sys.exit(as_plugin(lambda: app(standalone_mode=False)))
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last boundary: no traceback for a user
        from checker.errors import MapireadyError, UserError
        from checker.results import ExitCode

        if isinstance(error, UserError):
            typer.echo(f"mapiready: {error}", err=True)
            sys.exit(ExitCode.USAGE)
        what = str(error) if isinstance(error, MapireadyError) else f"{type(error).__name__}: {error} (a defect)"
        typer.echo(f"mapiready failed: {what}", err=True)
        sys.exit(ExitCode.INTERNAL)
