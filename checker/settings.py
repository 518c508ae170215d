"""Options, one TOML file and defaults -> one frozen `Settings`. Every error names the option or the key.

An option on the command line wins over the same name in the file, which wins over the default. A password is never an
option and never a key; `checker.secrets` says where it comes from.

One file may hold several organisations, each a table whose keys win over the common ones:

    output = "reports"
    [mail]
    to = ["audits@contoso.com"]
    [organisations.contoso]
    server = ["ex01.contoso.com"]
    [organisations.fabrikam]
    server = ["mx1.fabrikam.com"]
    mail.to = ["it@fabrikam.com"]

The tables [mail] and [webhook] are put together key by key; any other key of an organisation stands for the common one
as a whole. Paths in the file begin at its folder, but for `output`, which begins where the command is run.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from checker.errors import UserError
from checker.facts.run import MailboxMode, Vantage, VantagePoint
from checker.results import FailOn, Stage
from checker.waivers import Waiver, read_waivers

if TYPE_CHECKING:
    from checker.mail.settings import MailSettings
    from checker.webhook_settings import WebhookSettings

__all__ = [
    "KEYS",
    "Authentication",
    "Scheme",
    "Settings",
    "SettingsError",
    "common_output",
    "load_organisations",
    "load_settings",
    "organisation_names",
    "parse_formats",
    "parse_vantage",
]

E = TypeVar("E", bound=Enum)

_INSIDE = Vantage(VantagePoint.INSIDE, None)


class SettingsError(UserError):
    """An option or a key of the file that cannot be used: one sentence that names it and says what may stand there."""


class Authentication(Enum):
    """How to sign in to remote PowerShell."""

    KERBEROS = "kerberos"
    NEGOTIATE = "negotiate"
    NTLM = "ntlm"
    BASIC = "basic"


class Scheme(Enum):
    """How remote PowerShell is spoken: http with message encryption (as Exchange has it) or https."""

    HTTP = "http"
    HTTPS = "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One audit, whole. Times are seconds. `stage` None is auto; `ca_file` None is the system's trust store;
    `organisation` is its name in a file of several; `log` is a file or "-"; `unattended`: nobody can be asked."""

    server: tuple[str, ...]
    user: str | None = None
    password_file: Path | None = None
    mailbox: str | None = None
    account: str | None = None
    account_password_file: Path | None = None
    account_token_file: Path | None = None
    account_ticket: bool = False
    auth: Authentication = Authentication.KERBEROS
    scheme: Scheme = Scheme.HTTP
    port: int | None = None
    path: str = "/PowerShell/"
    ca_file: Path | None = None
    resolve: tuple[str, ...] = ()
    nameserver: str | None = None
    name: tuple[str, ...] = ()
    vantage: Vantage = _INSIDE
    stage: Stage | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    mailboxes: MailboxMode = MailboxMode.AUTO
    sessions: int = 4
    timeout: float = 30.0
    deadline: float = 1800.0
    fail_on: FailOn = FailOn.BLOCKER
    format: tuple[str, ...] = ()
    output: str | None = None
    now: datetime | None = None
    certificate_days: int = 30
    build_table_days: int = 120
    waiver: tuple[Waiver, ...] = ()
    waivers: bool = True
    quiet: bool = False
    verbose: bool = False
    debug: Path | None = None
    keep: Path | None = None
    history: str | None = field(default=None, repr=False)  # a URL may hold a password
    mail: MailSettings | None = None
    webhook: WebhookSettings | None = None
    log: str | None = None
    unattended: bool = False
    organisation: str | None = None

    @property
    def powershell_port(self) -> int:
        """The port of remote PowerShell: as given, else that of the scheme."""
        return self.port or (443 if self.scheme is Scheme.HTTPS else 80)


# --- one value --------------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of texts")
    return tuple(_text(entry) for entry in value)


def _hosts(value: object) -> tuple[str, ...]:
    from checker.facts.urls import usable_host

    names = _texts(value)
    for name in names:
        if usable_host(name) is None:
            raise ValueError(f"must be host names such as mail.contoso.com, without scheme or path; {name!r} is none")
    return names


def _address(value: object) -> str:
    from checker.facts.urls import usable_host

    text = _text(value)
    local, at, domain = text.rpartition("@")
    if not at or not local or any(character.isspace() for character in text) or usable_host(domain) is None:
        raise ValueError("must be the address of a mailbox, such as user@contoso.com")
    return text


def _path(value: object) -> Path:
    return Path(_text(str(value) if isinstance(value, Path) else value)).expanduser()


def _one_of(kind: type[E]) -> Callable[[object], E]:
    def parse(value: object) -> E:
        for member in kind:
            if value is member or (isinstance(value, str) and value.strip().casefold() == member.value):
                return member
        raise ValueError("must be one of " + ", ".join(str(member.value) for member in kind))

    return parse


def _whole(least: int, most: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return number

    return parse


def _seconds(least: float, most: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"must be a number of seconds from {least:g} to {most:g}")
        return number

    return parse


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _stage(value: object) -> Stage | None:
    if value == "auto":
        return None
    try:
        return _one_of(Stage)(value)
    except ValueError:
        raise ValueError("must be one of auto, prepare, verify") from None


def parse_vantage(value: object) -> Vantage:
    """ "inside", "outside", either with ":LABEL"."""
    if isinstance(value, Vantage):
        return value
    point, colon, label = _text(value).partition(":")
    try:
        parsed = _one_of(VantagePoint)(point)
    except ValueError:
        raise ValueError("must be inside or outside, with :LABEL behind it if you like") from None
    if colon and not label.strip():
        raise ValueError("has a colon without a label behind it")
    return Vantage(parsed, label.strip() or None)


def _now(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise ValueError("must be a date and time such as 2027-01-31T08:00:00+01:00")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _url_path(value: object) -> str:
    path = _text(value)
    if "://" in path or any(character.isspace() for character in path):
        raise ValueError("must be the path alone, such as /PowerShell/")
    return path if path.startswith("/") else "/" + path


def _resolve(value: object) -> tuple[str, ...]:
    from checker.network.names import parse_resolve

    entries = _texts(value)
    for entry in entries:
        parse_resolve(entry)
    return entries


def _nameserver(value: object) -> str:
    from checker.network.names import parse_nameserver

    text = _text(value)
    parse_nameserver(text)
    return text


def _formats(value: object) -> tuple[str, ...]:
    from reports import FORMATS

    names = _texts(value)
    for name in names:
        if name not in FORMATS:
            raise ValueError("must be one of " + ", ".join(FORMATS))
    return tuple(dict.fromkeys(names))


def _history(value: object) -> str:
    from checker.history.location import parse_location

    text = _text(value)
    parse_location(text)
    return text


def _mail(value: object) -> MailSettings:
    from checker.mail.settings import read_mail

    return read_mail(value)


def _webhook(value: object) -> WebhookSettings:
    from checker.webhook_settings import read_webhook

    return read_webhook(value)


KEYS: Mapping[str, Callable[[object], object]] = {
    "server": _texts,
    "user": _text,
    "password-file": _path,
    "mailbox": _address,
    "account": _text,
    "account-password-file": _path,
    "account-token-file": _path,
    "account-ticket": _yes_or_no,
    "auth": _one_of(Authentication),
    "scheme": _one_of(Scheme),
    "port": _whole(1, 65535),
    "path": _url_path,
    "ca-file": _path,
    "resolve": _resolve,
    "nameserver": _nameserver,
    "name": _hosts,
    "vantage": parse_vantage,
    "stage": _stage,
    "only": _texts,
    "skip": _texts,
    "servers": _texts,
    "mailboxes": _one_of(MailboxMode),
    "sessions": _whole(1, 8),
    "timeout": _seconds(0.1, 3600),
    "deadline": _seconds(0.5, 86400),
    "fail-on": _one_of(FailOn),
    "format": _formats,
    "output": _text,
    "now": _now,
    "certificate-days": _whole(1, 825),
    "build-table-days": _whole(1, 3650),
    "waiver": read_waivers,
    "waivers": _yes_or_no,
    "quiet": _yes_or_no,
    "verbose": _yes_or_no,
    "debug": _path,
    "keep": _path,
    "history": _history,
    "mail": _mail,
    "webhook": _webhook,
    "log": _text,
    "unattended": _yes_or_no,
}
"""What may stand in the file and on the command line (with -- before it), and how each is read."""

_PATHS = ("ca-file", "debug", "keep")
_FILE = "-file"  # the ending of the keys that are files, in tables too
_ORGANISATIONS = "organisations"
_ONLY_COMMON = ("log", "unattended", "quiet", "verbose")
"""What a run has once, however many organisations it audits."""
_ONLY_ONE = (
    *("server", "user", "password-file", "mailbox", "account", "account-password-file", "account-token-file"),
    *("account-ticket", "name", "servers", "resolve"),
)
"""Options that are true of one organisation: none is sent to the servers of another."""
_SECRETS = ("password", "token", "secret")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(?<!\.)")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names that Windows gives no folder."""


def load_settings(
    options: Mapping[str, object], config: Path | None, *, probe: bool = False, saved: bool = False
) -> Settings:
    """The settings of a run from the options that were given (None or empty: not given) and the TOML file, if any.
    A probe needs names and no server; what the file says of remote PowerShell is of no concern to it. Nor is
    it to the judging of `saved` data, which needs neither.

    Raises:
        SettingsError: one sentence, naming the option or the file and key.
    """
    content = {} if config is None else _read(config)
    if _ORGANISATIONS in content:
        raise SettingsError(f"{config} holds several organisations, and this command works on one.")
    values = {} if config is None else _of_file(config, content, {}, None)
    return _settings(values, options, probe=probe, saved=saved)


def organisation_names(config: Path) -> tuple[str, ...]:
    """The organisations of a file in its order; none when it is the file of a single one.

    Raises:
        SettingsError: the file cannot be read.
    """
    tables = _read(config).get(_ORGANISATIONS, {})
    return tuple(tables) if isinstance(tables, Mapping) else ()


def load_organisations(
    options: Mapping[str, object], config: Path | None, chosen: Sequence[str] = ()
) -> tuple[tuple[str | None, Settings], ...]:
    """The settings of each organisation of a file, or of those chosen; a single one has no name. Where a common place
    is given for what is written (output, keep, debug), each organisation has a folder of its name in it.

    Raises:
        SettingsError: one sentence, naming the option or the file and key.
    """
    content = {} if config is None else _read(config)
    if config is None or _ORGANISATIONS not in content:
        if chosen:
            raise SettingsError("--organisation picks from the [organisations.NAME] tables of --config; there is none.")
        return ((None, load_settings(options, config)),)
    tables = _tables(config, content[_ORGANISATIONS])
    for name in chosen:
        if name not in tables:
            raise SettingsError(f"--organisation {name}: {config} holds {', '.join(tables)}.")
    for option in _ONLY_ONE:
        if options.get(option) not in (None, (), []):
            label = "SERVER" if option == "server" else f"--{option}"
            raise SettingsError(
                f"{label} is true of one organisation alone; {config} holds several: write it in [organisations.NAME]."
            )
    common = {key: value for key, value in content.items() if key != _ORGANISATIONS}
    loaded = tuple(
        (name, _as_organisation(name, _settings(_of_file(config, common, table, name), options), table, options))
        for name, table in tables.items()
    )
    _refuse_shared_places(config, loaded)
    return tuple((name, settings) for name, settings in loaded if not chosen or name in chosen)


def common_output(options: Mapping[str, object], config: Path) -> str | None:
    """Where the summary of several organisations goes: the output that is none's own."""
    output = options.get("output") or _read(config).get("output")
    return output if isinstance(output, str) and output != "-" else None


def _settings(
    values: Mapping[str, object], options: Mapping[str, object], *, probe: bool = False, saved: bool = False
) -> Settings:
    """Settings of the parsed values of a file and the options as they were given."""
    together = dict(values)
    for key, value in options.items():
        if value is not None and value not in ((), []):
            label = "SERVER" if key == "server" else f"--{key}"
            together[key] = _parse(key, value, label)
    settings = Settings(**{"server": (), **{key.replace("-", "_"): value for key, value in together.items()}})  # type: ignore[arg-type]
    if probe:
        return _as_probe(settings)
    if saved:
        return replace(settings, server=(), user=None, password_file=None, mailbox=None)
    _check(settings)
    return settings


def _of_file(
    config: Path, common: Mapping[str, object], own: Mapping[str, object], name: str | None
) -> dict[str, object]:
    """The parsed values of a file; those of an organisation's table win."""
    values: dict[str, object] = {}
    for key in (*common, *(key for key in own if key not in common)):
        label = f"{config}: {key}" if key not in own else f"{config}: {_ORGANISATIONS}.{name}.{key}"
        value = _rooted(_merged(common.get(key), own[key]) if key in own else common[key], config.parent, key)
        values[key] = _parse(key, value, label)
    return values


def _merged(common: object, own: object) -> object:
    """The own value; a table key by key. Tables within it are alternatives ([mail.smtp], [mail.graph]): the own one
    stands for all of them."""
    if not isinstance(common, Mapping) or not isinstance(own, Mapping):
        return own
    has_tables = any(isinstance(value, Mapping) for value in own.values())
    kept = {key: value for key, value in common.items() if not (has_tables and isinstance(value, Mapping))}
    return {**kept, **own}


def _rooted(value: object, folder: Path, key: str) -> object:
    """A value of the file, in which relative paths begin at the folder of the file."""
    if isinstance(value, Mapping):
        return {name: _rooted(part, folder, str(name)) for name, part in value.items()}
    is_path = key.endswith(_FILE) or key in _PATHS or (key == "log" and value != "-")
    is_path |= key == "history" and isinstance(value, str) and value != "default" and "://" not in value
    if is_path and isinstance(value, list):
        return [_rooted(part, folder, key) for part in value]
    if not is_path or not isinstance(value, str) or not value.strip():
        return value
    path = Path(value.strip()).expanduser()
    return str(path if path.is_absolute() else folder / path)


def _tables(config: Path, value: object) -> Mapping[str, Mapping[str, object]]:
    """The tables of the organisations; names are those of folders and of variables, so that no two may look alike."""
    if not isinstance(value, Mapping) or not value or not all(isinstance(table, Mapping) for table in value.values()):
        raise SettingsError(f"{config}: {_ORGANISATIONS} must be tables: [organisations.contoso].")
    seen: dict[str, str] = {}
    for name, table in value.items():
        where = f"{config}: {_ORGANISATIONS}.{name}"
        if not _NAME.fullmatch(name) or name.split(".")[0].casefold() in _DEVICES:
            raise SettingsError(f"{where}: the name becomes that of a folder; take letters, digits and - _ . alone.")
        alike = seen.setdefault(re.sub(r"[^a-z0-9]", "_", name.casefold()), name)
        if alike != name:
            raise SettingsError(f"{where} and {alike} are too much alike to be told apart everywhere; rename one.")
        _refuse_unknown(where, table)
        for key in table:
            if key in _ONLY_COMMON:
                raise SettingsError(f"{where}: {key} is one for the whole run; write it above the tables.")
    return value


def _as_organisation(
    name: str, settings: Settings, table: Mapping[str, object], options: Mapping[str, object]
) -> Settings:
    """With its name, and its own folder wherever the place is a common one."""

    def own(path: Path | None, key: str) -> Path | None:
        if path is None or (key in table and options.get(key) is None):
            return path
        return path.parent / name / path.name

    output = settings.output
    if output not in (None, "-") and not ("output" in table and options.get("output") is None):
        output = f"{Path(output).expanduser() / name}{os.sep}"  # a folder, there already or not
    return replace(
        settings,
        organisation=name,
        output=output,
        keep=own(settings.keep, "keep"),
        debug=own(settings.debug, "debug"),
    )


def _refuse_shared_places(config: Path, loaded: Sequence[tuple[str, Settings]]) -> None:
    """What two organisations write at once must be two files."""
    seen: dict[Path, str] = {}
    for name, settings in loaded:
        output = None if settings.output in (None, "-") else Path(settings.output)
        for place in (output, settings.keep, settings.debug):
            other = None if place is None else seen.setdefault(place.absolute(), name)
            if other is not None and other != name:
                raise SettingsError(f"{config}: {other} and {name} would both write {place}; give each its own.")


def parse_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats of --format, outside an audit.

    Raises:
        SettingsError: one of them is none.
    """
    parsed = _parse("format", formats, "--format") if formats else ()
    assert isinstance(parsed, tuple)
    return parsed


def _parse(key: str, value: object, label: str) -> object:
    try:
        return KEYS[key](value)
    except UserError as error:  # a sentence already, which shows no more of the value than it may
        raise SettingsError(str(error) if label.startswith("--") else f"{label}: {error}") from error
    except ValueError as error:
        shown = value if isinstance(value, (str, int, float)) else None
        raise SettingsError(f"{label} {error}{f'; {shown!r} is not' if shown is not None else ''}.") from error


def _read(config: Path) -> Mapping[str, object]:
    import tomllib

    try:
        with config.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"--config {config} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} is not TOML: {error}.") from error
    _refuse_unknown(str(config), {key: value for key, value in content.items() if key != _ORGANISATIONS})
    return content


def _refuse_unknown(where: str, table: Mapping[str, object]) -> None:
    for key in table:
        if key not in KEYS and any(word in key.casefold() for word in _SECRETS):
            raise SettingsError(
                f"{where}: {key}: a secret does not belong in this file; take password-file, account-password-file,"
                " account-token-file, the variables of the environment, or the keyring of the operating system."
            )
        if key not in KEYS:
            near = key.replace("_", "-").casefold()
            hint = f"; do you mean {near}?" if near in KEYS else f"; there are: {', '.join(KEYS)}."
            raise SettingsError(f"{where}: there is no setting {key!r}{hint}")


def _as_probe(settings: Settings) -> Settings:
    if not settings.name:
        raise SettingsError("Name at least one host to look at: mapiready probe mail.contoso.com.")
    _check_account(settings)
    return replace(settings, server=(), user=None, password_file=None)


def _check_account(settings: Settings) -> None:
    given = {
        "--account": settings.account,
        "--account-password-file": settings.account_password_file,
        "--account-token-file": settings.account_token_file,
        "--account-ticket": settings.account_ticket or None,
    }
    for option, value in given.items():
        if value is not None and settings.mailbox is None:
            raise SettingsError(f"{option} is of no use without --mailbox ADDRESS, whose mailbox is to be reached.")
    ways = [option for option, value in given.items() if value is not None and option != "--account"]
    if len(ways) > 1:
        raise SettingsError(f"{ways[0]} and {ways[1]} exclude each other: one credential signs in.")


def _check(settings: Settings) -> None:
    """What is wrong only in combination."""
    _check_account(settings)
    if not settings.server:
        raise SettingsError("Name at least one Exchange server to connect to: mapiready check SERVER.")
    for server in settings.server:
        if any(character.isspace() or character in "/:@\\" for character in server.replace("::", "")):
            raise SettingsError(
                f"SERVER {server!r} must be a host name such as ex01.contoso.com; the scheme, port and path have"
                " options of their own."
            )
    if settings.auth is Authentication.BASIC and settings.scheme is Scheme.HTTP:
        raise SettingsError(
            "--auth basic would send the password in clear text over http; take --scheme https with it."
        )
    if settings.auth is Authentication.BASIC and settings.user is None:
        raise SettingsError("--auth basic needs --user.")
    if settings.password_file is not None and settings.user is None:
        raise SettingsError("--password-file is of no use without --user.")
