"""The entry of a scheduler that runs this very configuration: systemd, the Task Scheduler of Windows, cron.

    Job          what is to run, where, when, and as whom
    systemd(…)   a service and its timer
    task_xml(…)  a task for `schtasks /create /xml`
    cron_line(…) one line of a crontab

Text only: nothing is installed. Each quotes in its scheduler's own way, and refuses what that way cannot express.
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from checker.errors import UserError

if TYPE_CHECKING:
    from checker.settings import Settings

__all__ = [
    "Every",
    "Job",
    "ScheduleError",
    "Scheduler",
    "cron_line",
    "job_of",
    "job_of_config",
    "make_folders",
    "parse_at",
    "parse_every",
    "parse_scheduler",
    "schedule_text",
    "systemd_service",
    "systemd_timer",
    "task_xml",
    "write_schedule",
]


class ScheduleError(UserError):
    """A schedule that cannot be written: an option, or a path that a scheduler cannot express."""


class Scheduler(Enum):
    """For whom the entry is."""

    SYSTEMD = "systemd"
    TASK_SCHEDULER = "task-scheduler"
    CRON = "cron"


class Every(Enum):
    """How often. A week's run is on Monday, before people write to the help desk."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One unattended run. `writable` are the folders that it writes to; `seconds` how long it may take at most;
    `tickets`: it signs in with the ticket cache of its user, which may lie below /tmp."""

    name: str
    command: tuple[str, ...]
    folder: Path
    writable: tuple[Path, ...]
    seconds: float
    tickets: bool
    user: str
    every: Every
    at: time


def parse_at(text: str) -> time:
    """ "06:00".

    Raises:
        ScheduleError: it is no time of day.
    """
    try:
        hour, minute = text.split(":")
        return time(int(hour), int(minute))
    except ValueError:
        raise ScheduleError(f"--at must be a time of day such as 06:00; {text!r} is not.") from None


def parse_scheduler(text: str | None) -> Scheduler:
    """ "systemd", "task-scheduler", "cron"; None is the scheduler of this platform.

    Raises:
        ScheduleError: it is none of them.
    """
    if text is None:
        if sys.platform == "win32":
            return Scheduler.TASK_SCHEDULER
        return Scheduler.SYSTEMD if sys.platform == "linux" else Scheduler.CRON
    try:
        return Scheduler(text.strip().casefold())
    except ValueError:
        there_are = ", ".join(scheduler.value for scheduler in Scheduler)
        raise ScheduleError(f"--for must be one of {there_are}; {text!r} is not.") from None


def parse_every(text: str) -> Every:
    """ "hour", "day", "week".

    Raises:
        ScheduleError: it is none of them.
    """
    try:
        return Every(text.strip().casefold())
    except ValueError:
        raise ScheduleError(f"--every must be one of hour, day, week; {text!r} is not.") from None


def job_of(config: Path, *, every: Every, at: time, writable: Sequence[Path], seconds: float, tickets: bool) -> Job:
    """The run of a configuration file by this very installation of mapiready, as the user who asks."""
    config = config.resolve()
    return Job(
        name=f"mapiready-{config.stem}",
        command=(*_this_program(), "check", "--config", str(config), "--unattended"),
        folder=config.parent,
        writable=tuple(dict.fromkeys(path.resolve() for path in writable)),
        seconds=seconds,
        tickets=tickets,
        user=getpass.getuser(),
        every=every,
        at=at,
    )


def job_of_config(config: Path, every: Every, at: time) -> Job:
    """The run of a configuration file, with what its settings say: where it writes, how long it may take, and whether
    it signs in with the tickets of its user.

    Raises:
        UserError: the file cannot be used.
    """
    from checker.locking import lock_folder
    from checker.organisations import AFTER_DEADLINE, AT_ONCE
    from checker.settings import common_output, load_organisations

    config = config.resolve()
    loaded = load_organisations({}, config)
    places = [lock_folder()]
    output = common_output({}, config)
    if len(loaded) > 1 and output is not None:
        places.append(Path(output))  # of the summary
    for _, settings in loaded:
        places += _written_to(settings)
    longest = max(settings.deadline for _, settings in loaded)
    waves = -(-len(loaded) // AT_ONCE)
    return job_of(
        config,
        every=every,
        at=at,
        writable=[config.parent / place.expanduser() for place in places],
        seconds=longest * waves + AFTER_DEADLINE * (waves - 1),
        tickets=any((settings.user is None and settings.server) or settings.account_ticket for _, settings in loaded),
    )


def _written_to(settings: Settings) -> Iterator[Path]:
    """The folders that a run writes to."""
    if settings.output not in (None, "-"):
        output = Path(settings.output)
        is_file = len(settings.format) < 2 and output.suffix and not settings.output.endswith(("/", os.sep))
        yield output.parent if is_file else output
    files = [settings.keep, settings.debug]
    if settings.log not in (None, "-"):
        files.append(Path(settings.log))
    if settings.history is not None:
        from checker.history.location import SqliteFile, parse_location

        location = parse_location(settings.history)
        files.append(location.path if isinstance(location, SqliteFile) else None)
    yield from (file.parent for file in files if file is not None)


def make_folders(job: Job) -> None:
    """Makes what the run writes to: systemd starts no service whose ReadWritePaths= are not there.

    Raises:
        ScheduleError: one of them cannot be made.
    """
    for folder in job.writable:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ScheduleError(f"{folder}, which the run writes to, cannot be made: {error.strerror}.") from error


def write_schedule(
    config: Path, scheduler: Scheduler, every: Every, at: time, output: Path | None
) -> tuple[str, tuple[Path, ...]]:
    """The entry for a configuration file. Gives what is to be printed and the files written: with a folder for them the
    files, else all is printed, under the names of the files.

    Raises:
        UserError: the configuration or a path cannot be used.
        OutputError: a file could not be written.
    """
    from checker.output import write_atomically

    job = job_of_config(config, every, at)
    files = schedule_text(job, scheduler)
    if scheduler is Scheduler.SYSTEMD:
        make_folders(job)
    if output is None:
        if len(files) == 1:
            return next(iter(files.values())), ()
        return "\n".join(f"# --- {name}\n{text}" for name, text in files.items()), ()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScheduleError(f"--output {output} cannot be made: {error.strerror}.") from error
    for name, text in files.items():
        write_atomically(output / name, text)
    return "", tuple(output / name for name in files)


def _this_program() -> tuple[str, ...]:
    """How this program was started, as an absolute path; the interpreter and the module where there is no script."""
    called = Path(sys.argv[0])
    if called.stem == "mapiready":
        found = shutil.which(str(called)) or shutil.which("mapiready")
        if found is not None:
            return (str(Path(found).absolute()),)
    return (sys.executable, "-m", "checker")


def schedule_text(job: Job, scheduler: Scheduler) -> Mapping[str, str]:
    """The files of the entry, by their names; a cron line alone has none that matters.

    Raises:
        ScheduleError: a path holds what the scheduler cannot express.
    """
    match scheduler:
        case Scheduler.SYSTEMD:
            stem = _file_name(job.name)
            return {f"{stem}.service": systemd_service(job), f"{stem}.timer": systemd_timer(job)}
        case Scheduler.TASK_SCHEDULER:
            return {f"{_file_name(job.name)}.xml": task_xml(job)}
        case Scheduler.CRON:
            return {f"{_file_name(job.name)}.cron": cron_line(job)}


def _file_name(name: str) -> str:
    """Letters, digits and "-_." as they are: what every file system and systemd's names of units take."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)


def _refuse_control(job: Job) -> None:
    for text in (*job.command, str(job.folder), *map(str, job.writable), job.user):
        if any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or 0xD800 <= ord(letter) < 0xE000 for letter in text):
            raise ScheduleError(f"{text!r} holds a control character, which no scheduler can be told of; rename it.")


# --- systemd ----------------------------------------------------------------------------------------------------------


def systemd_service(job: Job) -> str:
    """The service (systemd.service(5), systemd.exec(5)), which may write where the run writes, and nowhere else."""
    _refuse_control(job)
    writable = " ".join(_quoted(str(path)) for path in job.writable)
    lines = [
        "# One audit by mapiready. An exit code other than 0 marks the unit as failed: 1 not ready, 3 inconclusive,",
        "# 2 and 4 no audit. OnFailure= can tell somebody.",
        "[Unit]",
        f"Description=MAPI over HTTP readiness audit {_unit_text(job.name)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={_unit_text(job.user)}",
        f"WorkingDirectory={_unit_text(str(job.folder))}",
        f"ExecStart={' '.join(_argument(word) for word in job.command)}",
        f"TimeoutStartSec={int(job.seconds) + 300}",
        # The run itself tells the processes of its organisations to stop, and reports what they know.
        "KillMode=mixed",
        "TimeoutStopSec=60",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        *([f"ReadWritePaths={writable}"] if writable else []),
        f"PrivateTmp={'no' if job.tickets else 'yes'}",
        "PrivateDevices=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectControlGroups=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
    ]
    return "\n".join(lines) + "\n"


def systemd_timer(job: Job) -> str:
    """The timer (systemd.timer(5)). A run that was missed is made up for; many machines do not start at once."""
    clock = f"{job.at:%H:%M}:00"
    when = {
        Every.HOUR: f"*-*-* *:{job.at:%M}:00",
        Every.DAY: f"*-*-* {clock}",
        Every.WEEK: f"Mon *-*-* {clock}",
    }[job.every]
    lines = [
        "[Unit]",
        f"Description=When to run {_unit_text(job.name)}",
        "",
        "[Timer]",
        f"OnCalendar={when}",
        "RandomizedDelaySec=10min",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _unit_text(text: str) -> str:
    """A value that is taken whole: only % is special (systemd.unit(5), specifiers)."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word of a list of words (systemd.syntax(7), quoting)."""
    return '"' + _unit_text(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _argument(word: str) -> str:
    """One word of a command line, where $ is special besides (systemd.service(5), command lines)."""
    return _quoted(word).replace("$", "$$")


# --- Windows ----------------------------------------------------------------------------------------------------------

_TASK = "http://schemas.microsoft.com/windows/2004/02/mit/task"


def task_xml(job: Job) -> str:
    """A task ([MS-TSCH] 2.4). Pure ASCII without a declared encoding, so that it is right in UTF-8 and in UTF-16: the
    redirection of Windows PowerShell makes the latter."""
    _refuse_control(job)
    start = f"2024-01-01T{job.at:%H:%M}:00"  # a Monday, in the past: the first run is the next one
    schedule = {
        Every.HOUR: "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>",
        Every.DAY: "<ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>",
        Every.WEEK: "<ScheduleByWeek><DaysOfWeek><Monday /></DaysOfWeek><WeeksInterval>1</WeeksInterval>"
        "</ScheduleByWeek>",
    }[job.every]
    repetition = (
        "<Repetition><Interval>PT1H</Interval><Duration>P1D</Duration></Repetition>" if job.every is Every.HOUR else ""
    )
    program, *arguments = job.command
    lines = [
        '<?xml version="1.0"?>',
        f'<Task version="1.2" xmlns="{_TASK}">',
        "  <RegistrationInfo>",
        f"    <Description>MAPI over HTTP readiness audit {_xml(job.name)}</Description>",
        "  </RegistrationInfo>",
        "  <Triggers>",
        "    <CalendarTrigger>",
        *([f"      {repetition}"] if repetition else []),
        f"      <StartBoundary>{start}</StartBoundary>",
        "      <Enabled>true</Enabled>",
        "      <RandomDelay>PT10M</RandomDelay>",
        f"      {schedule}",
        "    </CalendarTrigger>",
        "  </Triggers>",
        "  <Principals>",
        '    <Principal id="Author">',
        f"      <UserId>{_xml(job.user)}</UserId>",
        "      <LogonType>Password</LogonType>",
        "      <RunLevel>LeastPrivilege</RunLevel>",
        "    </Principal>",
        "  </Principals>",
        "  <Settings>",
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>",
        "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>",
        "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>",
        "    <StartWhenAvailable>true</StartWhenAvailable>",
        "    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>",
        f"    <ExecutionTimeLimit>PT{int(job.seconds) + 300}S</ExecutionTimeLimit>",
        "  </Settings>",
        '  <Actions Context="Author">',
        "    <Exec>",
        f"      <Command>{_xml(program)}</Command>",
        f"      <Arguments>{_xml(subprocess.list2cmdline(arguments))}</Arguments>",
        f"      <WorkingDirectory>{_xml(str(job.folder))}</WorkingDirectory>",
        "    </Exec>",
        "  </Actions>",
        "</Task>",
    ]
    return "\n".join(lines) + "\n"


def _xml(text: str) -> str:
    return escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")


# --- cron -------------------------------------------------------------------------------------------------------------


def cron_line(job: Job) -> str:
    """One line of a crontab (crontab(5)): the shell's quoting, and % behind a backslash."""
    _refuse_control(job)
    minute, hour = job.at.minute, job.at.hour
    when = {
        Every.HOUR: f"{minute} * * * *",
        Every.DAY: f"{minute} {hour} * * *",
        Every.WEEK: f"{minute} {hour} * * 1",
    }[job.every]
    command = f"cd {shlex.quote(str(job.folder))} && {shlex.join(job.command)}"
    return f"{when} {command.replace('%', chr(92) + '%')}\n"
