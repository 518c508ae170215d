"""The commands: parse, call, print, exit code; nothing else lives here.

Nothing heavy is imported before a command that needs it runs. Annotations are no strings here: typer would compile
each of them at every start.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker import completion

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

Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress, and not where files were written.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what passed, and what is folded, in the terminal too.")]
Debug = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write what is done, as JSON lines without secrets, to this file.")
]

Mailbox = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Sign in with a test account, and reach this mailbox as Outlook would."),
]
Account = Annotated[
    str | None,
    typer.Option(help="The test account, as DOMAIN\\user or user@domain; without it, the address of the mailbox."),
]
AccountPasswordFile = Annotated[
    str | None,
    typer.Option(help="File with its password. Else MAPIREADY_ACCOUNT_PASSWORD, the OS keyring, or a prompt."),
]
AccountTokenFile = Annotated[
    str | None, typer.Option(help="File with an OAuth token in place of a password. Else MAPIREADY_ACCOUNT_TOKEN.")
]
AccountTicket = Annotated[
    bool, typer.Option("--account-ticket", help="Sign in with the Kerberos ticket of the logged-on user.")
]

Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        help="terminal (default), html, json, junit, nagios, prometheus, csv, markdown, xlsx or clixml."
        " Repeatable with a folder.",
        autocompletion=completion.formats,
    ),
]
Nagios = Annotated[
    bool,
    typer.Option(
        "--nagios", help="As a monitoring plugin: --format nagios, and exit codes 0 OK to 3 UNKNOWN of that convention."
    ),
]

Keep = Annotated[
    str | None, typer.Option(metavar="FILE", help="Keep what was received in this file, for mapiready judge.")
]

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


@app.command(epilog=_EXAMPLE_CHECK)
def check(
    server: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER…", help="Exchange servers; the first that answers is used.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Who signs in, as DOMAIN\\user or user@domain; without it the logged-on user.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(help="File that holds the password. Else MAPIREADY_PASSWORD, the OS keyring, or a prompt."),
    ] = None,
    mailbox: Mailbox = None,
    account: Account = None,
    account_password_file: AccountPasswordFile = None,
    account_token_file: AccountTokenFile = None,
    account_ticket: AccountTicket = False,
    auth: Annotated[
        str | None,
        typer.Option(help="kerberos (default), negotiate, ntlm or basic.", autocompletion=completion.authentications),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="http (default; messages are encrypted) or https.", autocompletion=completion.schemes),
    ] = None,
    port: Annotated[str | None, typer.Option(help="Port of remote PowerShell; default 80, or 443 with https.")] = None,
    path: Annotated[str | None, typer.Option(help="Path of remote PowerShell; default /PowerShell/.")] = None,
    ca_file: Annotated[
        str | None, typer.Option(help="PEM file of root certificates to trust, in place of the system's store.")
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT:ADDRESS[:PORT]", help="Ask this address for that host, for all connections."),
    ] = None,
    nameserver: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="DNS server to ask in place of the system's.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name in use that no setting tells. Repeatable.")] = None,
    vantage: Annotated[
        str | None,
        typer.Option(
            metavar="inside|outside[:LABEL]", help="From where this machine looks.", autocompletion=completion.vantages
        ),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="auto (default), prepare or verify.", autocompletion=completion.stages)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="Not this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    servers: Annotated[list[str] | None, typer.Option(help="Judge only this server. Repeatable.")] = None,
    mailboxes: Annotated[
        str | None,
        typer.Option(
            help="auto (default: where there are at most 5,000), all or none.", autocompletion=completion.mailbox_modes
        ),
    ] = None,
    sessions: Annotated[str | None, typer.Option(help="PowerShell sessions at once; default 4, at most 8.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Seconds for one step; default 30.")] = None,
    deadline: Annotated[str | None, typer.Option(help="Seconds for the whole run; default 1800.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Least severity for exit code 1: blocker, warning, advice.", autocompletion=completion.fail_on
        ),
    ] = None,
    format: Formats = None,  # noqa: A002 - the option's name
    output: Annotated[
        str | None, typer.Option(help="- for standard output (default), a file, or a folder for several formats.")
    ] = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge dates as of this time, such as the day of the switch.")
    ] = None,
    certificate_days: Annotated[
        str | None, typer.Option(help="Days before its end at which a certificate expires soon; default 30.")
    ] = None,
    build_table_days: Annotated[
        str | None, typer.Option(help="Age at which the table of builds no longer tells the newest; default 120.")
    ] = None,
    no_waivers: Annotated[
        bool, typer.Option("--no-waivers", help="Count accepted findings as the failures that they are.")
    ] = False,
    nagios: Nagios = False,
    keep: Keep = None,
    config: Annotated[str | None, typer.Option(help="TOML file with the same names as these options.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = None,
) -> None:
    """Audit an Exchange organisation: is it ready for MAPI over HTTP?"""
    from checker.settings import load_settings

    settings = load_settings(
        {
            "server": server,
            "user": user,
            "password-file": password_file,
            "mailbox": mailbox,
            "account": account,
            "account-password-file": account_password_file,
            "account-token-file": account_token_file,
            "account-ticket": account_ticket or None,
            "auth": auth,
            "scheme": scheme,
            "port": port,
            "path": path,
            "ca-file": ca_file,
            "resolve": resolve,
            "nameserver": nameserver,
            "name": name,
            "vantage": vantage,
            "stage": stage,
            "only": only,
            "skip": skip,
            "servers": servers,
            "mailboxes": mailboxes,
            "sessions": sessions,
            "timeout": timeout,
            "deadline": deadline,
            "fail-on": fail_on,
            "format": format or (["nagios"] if nagios else None),
            "output": output,
            "now": now,
            "certificate-days": certificate_days,
            "build-table-days": build_table_days,
            "waivers": False if no_waivers else None,
            "keep": keep,
            "quiet": quiet or None,
            "verbose": verbose or None,
            "debug": debug,
        },
        Path(config) if config else None,
    )
    raise typer.Exit(_code(_audit(settings), settings, nagios=nagios))


@app.command(
    epilog="Examples:\n\n\b\n  mapiready probe mail.contoso.com autodiscover.contoso.com\n"
    "  mapiready probe --mailbox test@contoso.com mail.contoso.com autodiscover.contoso.com\n"
    "  mapiready probe mail.contoso.com --vantage outside:home --nameserver 9.9.9.9 --output outside.html"
)
def probe(
    host: Annotated[list[str] | None, typer.Argument(metavar="HOST…", help="Names that clients use.")] = None,
    mailbox: Mailbox = None,
    account: Account = None,
    account_password_file: AccountPasswordFile = None,
    account_token_file: AccountTokenFile = None,
    account_ticket: AccountTicket = False,
    ca_file: Annotated[
        str | None, typer.Option(help="PEM file of root certificates to trust, in place of the system's store.")
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT:ADDRESS[:PORT]", help="Ask this address for that host."),
    ] = None,
    nameserver: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="DNS server to ask in place of the system's.")
    ] = None,
    vantage: Annotated[
        str,
        typer.Option(
            metavar="inside|outside[:LABEL]", help="From where this machine looks.", autocompletion=completion.vantages
        ),
    ] = "outside",
    stage: Annotated[
        str | None,
        typer.Option(
            help="prepare, or verify: after the switch. A probe cannot find out by itself.",
            autocompletion=completion.stages,
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="Not this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="Seconds for one step; default 30.")] = None,
    deadline: Annotated[str | None, typer.Option(help="Seconds for the whole run; default 1800.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Least severity for exit code 1: blocker, warning, advice.", autocompletion=completion.fail_on
        ),
    ] = None,
    format: Formats = None,  # noqa: A002 - the option's name
    output: Annotated[
        str | None, typer.Option(help="- for standard output (default), a file, or a folder for several formats.")
    ] = None,
    now: Annotated[str | None, typer.Option(metavar="TIME", help="Judge dates as of this time.")] = None,
    nagios: Nagios = False,
    keep: Keep = None,
    config: Annotated[str | None, typer.Option(help="TOML file with the same names as these options.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = None,
) -> None:
    """Look at names from the network alone, without any right on Exchange: from home, from outside, from a partner."""
    from checker.settings import load_settings

    settings = load_settings(
        {
            "name": host,
            "mailbox": mailbox,
            "account": account,
            "account-password-file": account_password_file,
            "account-token-file": account_token_file,
            "account-ticket": account_ticket or None,
            "ca-file": ca_file,
            "resolve": resolve,
            "nameserver": nameserver,
            "vantage": vantage,
            "stage": stage,
            "only": only,
            "skip": skip,
            "timeout": timeout,
            "deadline": deadline,
            "fail-on": fail_on,
            "format": format or (["nagios"] if nagios else None),
            "output": output,
            "now": now,
            "keep": keep,
            "quiet": quiet or None,
            "verbose": verbose or None,
            "debug": debug,
        },
        Path(config) if config else None,
        probe=True,
    )
    raise typer.Exit(_code(_audit(settings), settings, nagios=nagios))


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
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = None,
) -> None:
    """Start an Exchange organisation on loopback (the lab), audit it for real, and show the report."""
    from checker.demo import demonstrate

    options = {"quiet": quiet or None, "verbose": verbose or None, "debug": debug}
    raise typer.Exit(demonstrate(scenario, servers, output, options))


@app.command(epilog="Example: mapiready lab --scenario healthy")
def lab(
    scenario: Annotated[
        str, typer.Option(help="Which organisation to start.", autocompletion=completion.scenarios)
    ] = "broken",
    servers: Annotated[int | None, typer.Option(min=1, max=1000, help="How many servers (scenario large).")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault to add, by name. Repeatable.", autocompletion=completion.faults)
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the scenarios and faults, and end.")] = False,
) -> None:
    """Keep an Exchange organisation running on loopback, and show how to audit it."""
    from checker.demo import keep_lab, list_lab

    raise typer.Exit(list_lab() if list_ else keep_lab(scenario, servers, tuple(fault or ())))


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
    format: Formats = None,  # noqa: A002 - the option's name
    output: Annotated[str | None, typer.Option(help="- for standard output (default), a file, or a folder.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show where files were written.")] = False,
    verbose: Verbose = False,
) -> None:
    """Make another format of a report that was kept as JSON; put views from inside and outside into one report."""
    from checker.output import plan_output
    from checker.render import read_report, write_all
    from checker.settings import parse_formats
    from checker.views import merge

    plan = plan_output(parse_formats(format or ()), output)
    written = write_all(merge([read_report(name) for name in report]), plan, verbose=verbose)
    if not quiet:
        _say_written(written)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready gather ex01.contoso.com\n"
    "  mapiready gather ex01.contoso.com --mailboxes all --output contoso.mapiready.zip"
)
def gather(
    server: Annotated[
        list[str] | None, typer.Argument(metavar="SERVER…", help="Exchange servers; the first that answers is used.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Who signs in, as DOMAIN\\user or user@domain; without it the logged-on user.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option(help="File that holds the password. Else MAPIREADY_PASSWORD, the OS keyring, or a prompt."),
    ] = None,
    mailbox: Mailbox = None,
    account: Account = None,
    account_password_file: AccountPasswordFile = None,
    account_token_file: AccountTokenFile = None,
    account_ticket: AccountTicket = False,
    auth: Annotated[
        str | None,
        typer.Option(help="kerberos (default), negotiate, ntlm or basic.", autocompletion=completion.authentications),
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="http (default; messages are encrypted) or https.", autocompletion=completion.schemes),
    ] = None,
    port: Annotated[str | None, typer.Option(help="Port of remote PowerShell; default 80, or 443 with https.")] = None,
    path: Annotated[str | None, typer.Option(help="Path of remote PowerShell; default /PowerShell/.")] = None,
    ca_file: Annotated[
        str | None, typer.Option(help="PEM file of root certificates to trust, in place of the system's store.")
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT:ADDRESS[:PORT]", help="Ask this address for that host, for all connections."),
    ] = None,
    nameserver: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="DNS server to ask in place of the system's.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(help="A name in use that no setting tells. Repeatable.")] = None,
    vantage: Annotated[
        str | None,
        typer.Option(
            metavar="inside|outside[:LABEL]", help="From where this machine looks.", autocompletion=completion.vantages
        ),
    ] = None,
    servers: Annotated[list[str] | None, typer.Option(help="Judge only this server. Repeatable.")] = None,
    mailboxes: Annotated[
        str | None,
        typer.Option(
            help="auto (default: where there are at most 5,000), all or none.", autocompletion=completion.mailbox_modes
        ),
    ] = None,
    sessions: Annotated[str | None, typer.Option(help="PowerShell sessions at once; default 4, at most 8.")] = None,
    timeout: Annotated[str | None, typer.Option(help="Seconds for one step; default 30.")] = None,
    deadline: Annotated[str | None, typer.Option(help="Seconds for the whole run; default 1800.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="The file to write.")] = "org.mapiready.zip",
    config: Annotated[str | None, typer.Option(help="TOML file with the same names as these options.")] = None,
    quiet: Quiet = False,
    debug: Debug = None,
) -> None:
    """Gather all that a check could ask, and judge nothing: mapiready judge does, anywhere, at any time."""
    from checker.audit import gather_organisation
    from checker.password import find_account_credential, find_password
    from checker.progress import progress_on_terminal
    from checker.results import ExitCode
    from checker.settings import load_settings

    settings = load_settings(
        {
            "server": server,
            "user": user,
            "password-file": password_file,
            "mailbox": mailbox,
            "account": account,
            "account-password-file": account_password_file,
            "account-token-file": account_token_file,
            "account-ticket": account_ticket or None,
            "auth": auth,
            "scheme": scheme,
            "port": port,
            "path": path,
            "ca-file": ca_file,
            "resolve": resolve,
            "nameserver": nameserver,
            "name": name,
            "vantage": vantage,
            "servers": servers,
            "mailboxes": mailboxes,
            "sessions": sessions,
            "timeout": timeout,
            "deadline": deadline,
            "quiet": quiet or None,
            "debug": debug,
        },
        Path(config) if config else None,
    )
    password = None if settings.user is None else find_password(settings.user, settings.password_file)
    credential = find_account_credential(settings)
    try:
        with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
            done = gather_organisation(settings, password, progress, Path(output).expanduser(), credential)
    except KeyboardInterrupt:
        typer.echo("Interrupted before there was anything to keep.", err=True)
        raise typer.Exit(ExitCode.INCONCLUSIVE) from None
    for note in done.notes:
        typer.echo(note, err=True)
    stopped = done.gathered.stopped
    if stopped is not None:
        typer.echo(stopped.sentence, err=True)
    if not settings.quiet:
        _say_written((done.written,))
    raise typer.Exit(ExitCode.INCONCLUSIVE if stopped or not done.gathered.servers else ExitCode.OK)


@app.command(
    epilog="Examples:\n\n\b\n  mapiready judge org.mapiready.zip --output report.html\n"
    "  mapiready judge inside.zip outside.zip\n"
    "  mapiready judge mapiready-EX01.zip mapiready-EX02.zip\n"
    "  mapiready judge 'HealthChecker-*.xml'"
)
def judge(
    file: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE…",
            help="Snapshots, what the collector wrote, exports (Export-Clixml, HealthChecker), folders, patterns.",
        ),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="auto (default), prepare or verify.", autocompletion=completion.stages)
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="Not this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
    ] = None,
    servers: Annotated[list[str] | None, typer.Option(help="Judge only this server. Repeatable.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="Least severity for exit code 1: blocker, warning, advice.", autocompletion=completion.fail_on
        ),
    ] = None,
    format: Formats = None,  # noqa: A002 - the option's name
    output: Annotated[
        str | None, typer.Option(help="- for standard output (default), a file, or a folder for several formats.")
    ] = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge dates as of this time; default: when it was gathered.")
    ] = None,
    certificate_days: Annotated[
        str | None, typer.Option(help="Days before its end at which a certificate expires soon; default 30.")
    ] = None,
    build_table_days: Annotated[
        str | None, typer.Option(help="Age at which the table of builds no longer tells the newest; default 120.")
    ] = None,
    no_waivers: Annotated[
        bool, typer.Option("--no-waivers", help="Count accepted findings as the failures that they are.")
    ] = False,
    nagios: Nagios = False,
    config: Annotated[str | None, typer.Option(help="TOML file with the same names as these options.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Judge what was gathered, collected or exported before. Makes no connection at all."""
    from checker.judging import judge_files
    from checker.output import plan_output
    from checker.progress import progress_on_terminal
    from checker.render import write_all
    from checker.settings import load_settings

    settings = load_settings(
        {
            "stage": stage,
            "only": only,
            "skip": skip,
            "servers": servers,
            "fail-on": fail_on,
            "format": format or (["nagios"] if nagios else None),
            "output": output,
            "now": now,
            "certificate-days": certificate_days,
            "build-table-days": build_table_days,
            "waivers": False if no_waivers else None,
            "quiet": quiet or None,
            "verbose": verbose or None,
        },
        Path(config) if config else None,
        saved=True,
    )
    plan = plan_output(settings.format, settings.output)
    with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
        report = judge_files(file or [], settings, progress)
    written = write_all(report, plan, verbose=settings.verbose)
    if not settings.quiet:
        _say_written(written)
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
        write_atomically(Path(output), script)


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
    output: Annotated[str | None, typer.Option(help="- for standard output (default), a file, or a folder.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show where files were written.")] = False,
    verbose: Verbose = False,
) -> None:
    """Compare two reports: what got better, worse, new and gone."""
    from checker.render import diff as compare_reports

    code, written = compare_reports(before, after, tuple(format or ()), output, verbose=verbose)
    if not quiet:
        _say_written(written)
    raise typer.Exit(code)


def _audit(settings: "Settings") -> "Report":
    from checker.audit import audit_organisation
    from checker.output import plan_output
    from checker.password import find_account_credential, find_password
    from checker.progress import progress_on_terminal
    from checker.render import write_all
    from checker.results import ExitCode

    plan = plan_output(settings.format, settings.output)
    password = None if settings.user is None else find_password(settings.user, settings.password_file)
    credential = find_account_credential(settings)
    try:
        with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
            outcome = audit_organisation(
                settings,
                password,
                progress,
                lambda report: write_all(report, plan, verbose=settings.verbose),
                keep=settings.keep,
                credential=credential,
            )
    except KeyboardInterrupt:
        typer.echo("Interrupted before there was anything to report.", err=True)
        raise typer.Exit(ExitCode.INCONCLUSIVE) from None
    if not settings.quiet:
        _say_written(outcome.written)
    for note in outcome.left_behind:
        typer.echo(note, err=True)
    return outcome.report


def _code(report: "Report", settings: "Settings", *, nagios: bool) -> int:
    if nagios:
        from checker.nagios import nagios_state

        return nagios_state(report)
    from checker.results import exit_code

    return exit_code(report, settings.fail_on)


def _say_written(files: tuple[Path, ...]) -> None:
    for file in files:
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
