"""The options of the commands: each declared once, with its help, for all commands that take it.

Annotations are no strings here: typer would compile each of them at every start.
"""

from typing import Annotated

import typer

from checker import completion

__all__ = [
    "Account",
    "AccountPasswordFile",
    "AccountTicket",
    "AccountTokenFile",
    "Auth",
    "BuildTableDays",
    "CaFile",
    "CertificateDays",
    "Config",
    "Deadline",
    "Debug",
    "FailOn",
    "Formats",
    "History",
    "Keep",
    "Log",
    "Mailbox",
    "Mailboxes",
    "Nagios",
    "Name",
    "Nameserver",
    "NoWaivers",
    "Now",
    "Only",
    "Organisation",
    "Output",
    "PasswordFile",
    "Path",
    "Port",
    "Quiet",
    "QuietFiles",
    "Resolve",
    "Scheme",
    "Server",
    "Servers",
    "Sessions",
    "Skip",
    "Stage",
    "Timeout",
    "Unattended",
    "User",
    "VantagePoint",
    "Verbose",
]

Text = str | None
Texts = list[str] | None

Server = Annotated[Texts, typer.Argument(metavar="SERVER…", help="Exchange servers; the first that answers is used.")]
User = Annotated[
    Text, typer.Option(help="Who signs in, as DOMAIN\\user or user@domain; without it the logged-on user.")
]
PasswordFile = Annotated[
    Text, typer.Option(help="File that holds the password. Else MAPIREADY_PASSWORD, the OS keyring, or a prompt.")
]
Mailbox = Annotated[
    Text,
    typer.Option(metavar="ADDRESS", help="Sign in with a test account, and reach this mailbox as Outlook would."),
]
Account = Annotated[
    Text, typer.Option(help="The test account, as DOMAIN\\user or user@domain; without it, the address of the mailbox.")
]
AccountPasswordFile = Annotated[
    Text, typer.Option(help="File with its password. Else MAPIREADY_ACCOUNT_PASSWORD, the OS keyring, or a prompt.")
]
AccountTokenFile = Annotated[
    Text, typer.Option(help="File with an OAuth token in place of a password. Else MAPIREADY_ACCOUNT_TOKEN.")
]
AccountTicket = Annotated[
    bool, typer.Option("--account-ticket", help="Sign in with the Kerberos ticket of the logged-on user.")
]
Auth = Annotated[
    Text,
    typer.Option(help="kerberos (default), negotiate, ntlm or basic.", autocompletion=completion.authentications),
]
Scheme = Annotated[
    Text, typer.Option(help="http (default; messages are encrypted) or https.", autocompletion=completion.schemes)
]
Port = Annotated[Text, typer.Option(help="Port of remote PowerShell; default 80, or 443 with https.")]
Path = Annotated[Text, typer.Option(help="Path of remote PowerShell; default /PowerShell/.")]
CaFile = Annotated[Text, typer.Option(help="PEM file of root certificates to trust, in place of the system's store.")]
Resolve = Annotated[
    Texts,
    typer.Option(metavar="HOST:PORT:ADDRESS[:PORT]", help="Ask this address for that host, for all connections."),
]
Nameserver = Annotated[Text, typer.Option(metavar="ADDRESS[:PORT]", help="DNS server to ask in place of the system's.")]
Name = Annotated[Texts, typer.Option(help="A name in use that no setting tells. Repeatable.")]
VantagePoint = Annotated[
    Text,
    typer.Option(
        metavar="inside|outside[:LABEL]", help="From where this machine looks.", autocompletion=completion.vantages
    ),
]
Stage = Annotated[
    Text,
    typer.Option(
        help="auto (default), prepare or verify: before or after the switch.", autocompletion=completion.stages
    ),
]
Only = Annotated[
    Texts,
    typer.Option(help="Only this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
]
Skip = Annotated[
    Texts,
    typer.Option(help="Not this check or category. Repeatable.", autocompletion=completion.checks_and_categories),
]
Servers = Annotated[Texts, typer.Option(help="Judge only this server. Repeatable.")]
Mailboxes = Annotated[
    Text,
    typer.Option(
        help="auto (default: where there are at most 5,000), all or none.", autocompletion=completion.mailbox_modes
    ),
]
Sessions = Annotated[Text, typer.Option(help="PowerShell sessions at once; default 4, at most 8.")]
Timeout = Annotated[Text, typer.Option(help="Seconds for one step; default 30.")]
Deadline = Annotated[Text, typer.Option(help="Seconds for the whole run; default 1800.")]
FailOn = Annotated[
    Text,
    typer.Option(help="Least severity for exit code 1: blocker, warning, advice.", autocompletion=completion.fail_on),
]
Formats = Annotated[
    Texts,
    typer.Option(
        "--format",
        help="terminal (default), html, json, junit, nagios, prometheus, csv, markdown, xlsx or clixml."
        " Repeatable with a folder.",
        autocompletion=completion.formats,
    ),
]
Output = Annotated[Text, typer.Option(help="- for standard output (default), a file, or a folder for several formats.")]
Now = Annotated[Text, typer.Option(metavar="TIME", help="Judge dates as of this time, such as the day of the switch.")]
CertificateDays = Annotated[
    Text, typer.Option(help="Days before its end at which a certificate expires soon; default 30.")
]
BuildTableDays = Annotated[
    Text, typer.Option(help="Age at which the table of builds no longer tells the newest; default 120.")
]
NoWaivers = Annotated[bool, typer.Option("--no-waivers", help="Count accepted findings as the failures that they are.")]
Nagios = Annotated[
    bool,
    typer.Option(
        "--nagios", help="As a monitoring plugin: --format nagios, and exit codes 0 OK to 3 UNKNOWN of that convention."
    ),
]
Keep = Annotated[Text, typer.Option(metavar="FILE", help="Keep what was received in this file, for mapiready judge.")]
History = Annotated[
    Text,
    typer.Option(metavar="FILE|URL", help="Keep the run in this database: a file of SQLite, or postgresql://…"),
]
Log = Annotated[Text, typer.Option(metavar="FILE|-", help="Tell what happens as JSON lines, to this file or -.")]
Unattended = Annotated[bool, typer.Option("--unattended", help="Nobody is there: ask nothing, show no progress.")]
Organisation = Annotated[
    Texts, typer.Option(metavar="NAME", help="Only this organisation of the file's several. Repeatable.")
]
Config = Annotated[Text, typer.Option(metavar="FILE", help="TOML file with the same names as these options.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress, and not where files were written.")]
QuietFiles = Annotated[bool, typer.Option("--quiet", help="Do not show where files were written.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show what passed, and what is folded, in the terminal too.")]
Debug = Annotated[
    Text, typer.Option(metavar="FILE", help="Write what is done, as JSON lines without secrets, to this file.")
]
