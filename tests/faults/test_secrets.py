"""A canary password and a canary ticket: they reach the PowerShell endpoint, and nothing and nobody else."""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys
import traceback
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from checker.audit import audit_organisation
from checker.results import Report
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import Settings
from lab.organisation import RunningLab, start
from lab.scenario import Authentication, Name, Proxy, Raw, Rule, Scenario, User, load
from reports import FORMATS, RenderOptions
from tests.kdc import Kdc
from tests.lab_audit import settings_for
from tests.reports.reading import words

CANARY = "Canary-Passw0rd-9e41c7"
USER = "CONTOSO\\audit"
EVERY = frozenset(Authentication)


def forms(secret: str | bytes) -> tuple[bytes, ...]:
    """A secret as it may stand somewhere: as it is, quoted, in UTF-16, in hex, in base64 at each alignment."""
    plain = secret.encode() if isinstance(secret, str) else secret
    found = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    if isinstance(secret, str):
        found += [secret.encode("utf-16-le"), urllib.parse.quote(secret).encode(), ascii(secret)[1:-1].encode()]
    for value in tuple(found[:1]) + ((secret.encode("utf-16-le"),) if isinstance(secret, str) else ()):
        for shift in range(3):
            # What does not depend on what stands before and behind it.
            whole = base64.b64encode(b"\0" * shift + value)
            found.append(whole[4 if shift else 0 : (len(value) + shift) // 3 * 4])
    return tuple(dict.fromkeys(found))


PASSWORD_FORMS = forms(CANARY)


@dataclass
class Watcher(NoProgress):
    """Keeps every exception of a run, as a traceback shows it, with its causes."""

    tracebacks: list[str] = field(default_factory=list)

    def failed(self, what: str, error: BaseException) -> None:
        self.tracebacks.append(f"{what}\n{''.join(traceback.format_exception(error))}")
        seen: list[BaseException | None] = [error]
        for current in seen:
            if current is not None and len(seen) < 50:
                self.tracebacks.append(f"{current!r} {current.args!r}")
                seen += [current.__cause__, current.__context__]


class Keeper(logging.Handler):
    """Keeps every record of every logger, with all that it holds."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


@contextmanager
def every_log() -> Iterator[list[str]]:
    """All loggers at DEBUG."""
    root, keeper = logging.getLogger(), Keeper()
    names = [name for name in logging.Logger.manager.loggerDict if not name.startswith("_pytest")]
    loggers = [root, *map(logging.getLogger, names)]
    levels = [logger.level for logger in loggers]
    root.addHandler(keeper)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield keeper.lines
    finally:
        root.removeHandler(keeper)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def healthy(password: str = CANARY) -> Scenario:
    """The healthy organisation with a user whose password is the canary, and every way to sign in."""
    whole = load("healthy")
    powershell = replace(whole.powershell, users=(User(USER, password),), http=EVERY, https=EVERY)
    return replace(whole, powershell=powershell)


def audited(settings: Settings, password: Secret | None, folder: Path) -> tuple[Report, list[str]]:
    """A run with everything on that says something, and all that it said: reports, log, tracebacks, debug file."""
    watcher = Watcher()
    debug = folder / "debug.jsonl"
    with every_log() as lines:
        settings = replace(settings, debug=debug)
        outcome = audit_organisation(settings, password, watcher, lambda _report: ())
    written = {name: form.render(outcome.report, RenderOptions(verbose=True)) for name, form in FORMATS.items()}
    said = [content if isinstance(content, str) else words(name, content) for name, content in written.items()]
    said += [repr(outcome), repr(settings), repr(password), *lines, *watcher.tracebacks, debug.read_text()]
    return outcome.report, said


def holds(texts: Sequence[str], secrets: Sequence[bytes]) -> list[str]:
    """Those of the texts that hold one of the secrets."""
    return [text[:3000] for text in texts if any(secret in text.encode(errors="replace") for secret in secrets)]


def nobody_else_was_told(lab: RunningLab) -> None:
    """Credentials came at the PowerShell endpoint alone, and not even a trace of them elsewhere."""
    for seen in lab.web_journal.entries:
        assert seen.authorization in (None, "Bearer"), seen
        assert not seen.betrayed, seen
    assert not [seen for seen in lab.journal if "steal" in seen.path]


# --- the password -----------------------------------------------------------------------------------------------------


def test_the_forms_find_a_secret() -> None:
    for text in (
        f"x{CANARY}y",
        base64.b64encode(f"{USER}:{CANARY}".encode()).decode(),
        base64.b64encode(f"{USER}x:{CANARY}".encode()).decode(),
        base64.b64encode(f"{USER}xy:{CANARY}".encode()).decode(),
        CANARY.encode().hex(),
    ):
        assert holds([text], PASSWORD_FORMS)
    assert not holds(["Canary-Passw0rd"], PASSWORD_FORMS)


FAULTS = [
    (),
    ("create:*:http:401",),
    ("create:*:echo",),
    ("command:3+:echo",),
    ("receive:4+:echo",),
    ("create:*:http:500",),
    ("create:*:redirect",),
    ("command:3+:redirect",),
    ("create:*:garbage",),
    ("receive:4+:garbage",),
    ("create:*:not-http",),
    ("create:*:login",),
    ("receive:3+:drop",),
    ("receive:3+:reset",),
    ("receive:3+:truncate",),
    ("create:*:hang:60",),
    ("receive:3+:trickle:0.1",),
    ("create:*:wsman:5",),
    ("delete:*:echo",),
]


@pytest.mark.parametrize("faults", FAULTS, ids=lambda faults: ",".join(faults) or "nothing")
@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_the_password_shows_nowhere(
    faults: tuple[str, ...], auth: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with start(healthy(), powershell_faults=faults) as lab:
        lab.web_journal.watched = PASSWORD_FORMS
        settings = settings_for(lab, timeout=1, deadline=3, auth=auth)
        _, said = audited(settings, Secret(CANARY), tmp_path)
        nobody_else_was_told(lab)
    said += capfd.readouterr()
    assert not holds(said, PASSWORD_FORMS)


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "ntlm", "scheme": "http", "port": 80},
        {"auth": "negotiate", "scheme": "http", "port": 80},
        {"auth": "kerberos"},
        {"server": ["nowhere.contoso.test"]},
        {"path": "/elsewhere/"},
        {"port": 443},  # the web site: its certificate does not name the server
        {"ca-file": "other"},
    ],
    ids=str,
)
def test_the_password_shows_nowhere_when_it_cannot_be_used(
    options: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if "ca-file" in options:
        with start("healthy", powershell=False) as other:
            file = tmp_path / "other.pem"
            file.write_bytes(other.ca_file.read_bytes())
        options = {"ca-file": str(file)}
    with start(healthy()) as lab:
        lab.web_journal.watched = PASSWORD_FORMS
        settings = settings_for(lab, timeout=2, deadline=10, **options)
        _, said = audited(settings, Secret(CANARY), tmp_path)
        nobody_else_was_told(lab)
        if "ca-file" in options or options == {"port": 443}:
            assert not [seen for seen in lab.journal if (seen.authorization or "").casefold() == "basic"]
    said += capfd.readouterr()
    assert not holds(said, PASSWORD_FORMS)


def test_a_wrong_password_shows_nowhere_and_is_tried_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with start(healthy("another-Passw0rd")) as lab:
        lab.web_journal.watched = PASSWORD_FORMS
        _, said = audited(settings_for(lab, timeout=2, deadline=10), Secret(CANARY), tmp_path)
        nobody_else_was_told(lab)
        assert len([seen for seen in lab.journal if seen.authorization == "Basic"]) == 1
    said += capfd.readouterr()
    assert not holds(said, PASSWORD_FORMS)


def test_nothing_follows_a_redirect_to_another_host(tmp_path: Path) -> None:
    whole = healthy()
    host = whole.names[0].host
    target = b"Location: https://autodiscover.contoso.test/steal\r\n"
    away = Raw(b"HTTP/1.1 302 Found\r\n" + target + b"WWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
    challenge = Raw(b"HTTP/1.1 401 Unauthorized\r\n" + target + b"WWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
    asking = Name("asking.contoso.test", whole.names[0].servers, Proxy("main", (Rule("/", challenge),)))
    moved = replace(whole.name_of(host), proxy=Proxy("main", (Rule("/", away),)))
    with start(replace(whole.with_name(moved), names=(moved, *whole.names[1:], asking))) as lab:
        lab.web_journal.watched = PASSWORD_FORMS
        _, said = audited(settings_for(lab, timeout=2, name=["asking.contoso.test"]), Secret(CANARY), tmp_path)
        assert any(seen.listener == "proxy asking.contoso.test" for seen in lab.web_journal.entries)
        nobody_else_was_told(lab)
    assert not holds(said, PASSWORD_FORMS)


# --- the ticket -------------------------------------------------------------------------------------------------------


def tickets(cache: Path) -> list[bytes]:
    """A piece of the encrypted part of every ticket in a credential cache (RFC 4120 5.3: APPLICATION 1)."""
    data = cache.read_bytes()
    found = [
        data[match.start() + 80 : match.start() + 128] for match in re.finditer(b"\x61\x82..\x30\x82", data, re.DOTALL)
    ]
    return [piece for piece in found if len(piece) == 48]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("faults", [(), ("create:*:echo",), ("receive:4+:garbage",), ("command:3+:redirect",)])
def test_the_ticket_shows_nowhere(
    kerberos: Kdc, scheme: str, faults: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kerberos.kinit("audit")
    cache = Path(kerberos.environment["KRB5CCNAME"].removeprefix("FILE:"))
    with start(healthy(), powershell_faults=faults) as lab:
        port = 80 if scheme == "http" else lab.powershell_https_port
        settings = settings_for(lab, timeout=8, deadline=25, user=None, auth="kerberos", scheme=scheme, port=port)
        watched = [form for ticket in tickets(cache) for form in forms(ticket)]
        assert watched
        lab.web_journal.watched = tuple(watched)
        report, said = audited(settings, None, tmp_path)
        nobody_else_was_told(lab)
        assert {seen.authorization for seen in lab.journal} & {"Negotiate", "Kerberos"}, "it was used"
    secrets = [form for ticket in tickets(cache) for form in forms(ticket)]
    assert len(secrets) > len(watched), "the ticket for the server is among them"
    if not faults:
        assert report.organisation == "Contoso"
    said += capfd.readouterr()
    assert not holds(said, secrets)


# --- the command ------------------------------------------------------------------------------------------------------


def command_lines() -> list[str]:
    """Those of all processes, where the system shows them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().decode(errors="replace"))
        except OSError:
            continue  # it has ended meanwhile
    return found


@pytest.mark.parametrize("password", [CANARY, "wrong-" + CANARY])
@pytest.mark.parametrize("given", ["environment", "file"])
def test_the_command_shows_the_password_nowhere(password: str, given: str, tmp_path: Path) -> None:
    secrets = forms(password)
    with start(healthy(), latency_per_request=0.05) as lab:
        lab.web_journal.watched = secrets
        words = ["check", *lab.server_names[:1], "--user", USER, "--auth", "basic", "--scheme", "https"]
        words += ["--port", str(lab.powershell_https_port), "--ca-file", str(lab.ca_file)]
        words += [
            "--nameserver",
            lab.nameserver,
            "--timeout",
            "5",
            "--deadline",
            "20",
            "--output",
            str(tmp_path / "out"),
        ]
        words += [word for entry in lab.resolve for word in ("--resolve", entry)]
        for form in ("terminal", "html", "json"):
            words += ["--format", form]
        words += ["--debug", str(tmp_path / "debug.jsonl")]
        environment = {key: value for key, value in os.environ.items() if key != "MAPIREADY_PASSWORD"}
        if given == "environment":
            environment["MAPIREADY_PASSWORD"] = password
        else:
            secret_file = tmp_path / "password"
            secret_file.touch(mode=0o600)
            secret_file.write_text(password)
            words += ["--password-file", str(secret_file)]
        shown: set[str] = set()
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "checker", *words],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            while True:
                shown.update(command_lines())
                with suppress(subprocess.TimeoutExpired):
                    out, err = process.communicate(timeout=0.05)
                    break
        nobody_else_was_told(lab)
    assert process.returncode in ((1, 0, 3) if password == CANARY else (3,)), err
    written = [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert len(written) == 2
    debug = (tmp_path / "debug.jsonl").read_text()
    assert not holds([out, err, debug, *written, *shown], secrets)


def test_the_watch_itself_works(tmp_path: Path) -> None:
    # Each of these must be seen, or the tests above could not fail.
    with start(healthy(), powershell=False) as lab, every_log() as lines:
        lab.web_journal.watched = PASSWORD_FORMS
        host, port = "127.0.0.1", int(next(entry for entry in lab.resolve if entry.startswith("mail.")).split(":")[-1])
        import http.client
        import ssl

        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, context=context)
        token = base64.b64encode(f"{USER}:{CANARY}".encode()).decode()
        connection.request("GET", "/mapi/", headers={"Authorization": f"Basic {token}"})
        connection.getresponse().read()
        connection.close()
        logging.getLogger("somebody.else").debug("signing in with %s", CANARY)
        (seen,) = lab.web_journal.entries
    assert (seen.authorization, seen.betrayed) == ("Basic", True)
    assert holds(lines, PASSWORD_FORMS)
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        watcher = Watcher()
        watcher.failed("this", error)
    assert holds(watcher.tracebacks, PASSWORD_FORMS)
