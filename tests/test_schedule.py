"""What a scheduler makes of the entries: systemd's own verifier, XML's and the shell's own parsers read them back."""

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from datetime import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import UserError
from checker.locking import lock_folder
from checker.schedule import (
    Every,
    Job,
    ScheduleError,
    Scheduler,
    cron_line,
    job_of,
    job_of_config,
    parse_at,
    parse_every,
    parse_scheduler,
    schedule_text,
    systemd_service,
    systemd_timer,
    task_xml,
    write_schedule,
)

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
HOSTILE = Path('/srv/a b/50% "off" $HOME \\ <&> ümlaut\'s')

letters = st.characters(blacklist_categories=("Cc", "Cs"))
paths = st.text(letters, min_size=1, max_size=30).map(lambda text: Path("/srv") / text.replace("/", "_"))


def job(folder: Path = Path("/srv/audits"), every: Every = Every.DAY) -> Job:
    config = folder / "contoso.toml"
    return Job(
        name="mapiready-contoso",
        command=("/usr/bin/true", "check", "--config", str(config), "--unattended"),
        folder=folder,
        writable=(folder / "reports", Path("/var/lib/mapiready")),
        seconds=1800,
        tickets=False,
        user="root",
        every=every,
        at=time(6, 30),
    )


@pytest.mark.parametrize("every", Every)
@pytest.mark.parametrize("folder", [Path("/srv/audits"), HOSTILE])
def test_systemd_takes_the_units(tmp_path: Path, every: Every, folder: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        assert not os.environ.get("CI"), "CI installs systemd"
        pytest.skip("there is no systemd-analyze here")
    for name, text in schedule_text(job(folder, every), Scheduler.SYSTEMD).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    units = sorted(str(file) for file in tmp_path.iterdir())
    done = subprocess.run([verifier, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "mapiready" in line]
    assert (done.returncode, said) == (0, [])


def test_systemd_expands_nothing_of_a_path() -> None:
    service = systemd_service(job(HOSTILE))
    exec_start = next(line for line in service.splitlines() if line.startswith("ExecStart="))
    assert '"/srv/a b/50%% \\"off\\" $$HOME \\\\ <&> ümlaut\'s/contoso.toml"' in exec_start
    assert "WorkingDirectory=/srv/a b/50%% " in service
    assert 'ReadWritePaths="/srv/a b/50%% \\"off\\" $HOME \\\\ <&> ümlaut\'s/reports" "/var/lib/mapiready"' in service


def test_a_run_that_signs_in_with_tickets_sees_the_cache_below_tmp() -> None:
    assert "PrivateTmp=yes" in systemd_service(job())
    assert "PrivateTmp=no" in systemd_service(replace(job(), tickets=True))


@pytest.mark.parametrize(
    ("every", "calendar", "cron"),
    [
        (Every.HOUR, "*-*-* *:30:00", "30 * * * *"),
        (Every.DAY, "*-*-* 06:30:00", "30 6 * * *"),
        (Every.WEEK, "Mon *-*-* 06:30:00", "30 6 * * 1"),
    ],
)
def test_every_scheduler_is_told_the_same_times(every: Every, calendar: str, cron: str) -> None:
    assert f"OnCalendar={calendar}\n" in systemd_timer(job(every=every))
    assert cron_line(job(every=every)).startswith(cron + " ")
    trigger = _task(job(every=every)).find(f"{TASK}Triggers/{TASK}CalendarTrigger")
    assert trigger is not None
    assert (trigger.find(f"{TASK}ScheduleByWeek") is not None) is (every is Every.WEEK)
    assert (trigger.find(f"{TASK}Repetition") is not None) is (every is Every.HOUR)
    assert str(trigger.findtext(f"{TASK}StartBoundary")).endswith("T06:30:00")


@pytest.mark.fuzz
@given(paths)
def test_the_shell_gets_back_every_word_of_the_cron_line(folder: Path) -> None:
    wanted = job(folder)
    line = cron_line(wanted)
    assert line.count("\n") == 1
    command = line.removeprefix("30 6 * * * ").replace("\\%", "%")
    assert shlex.split(command) == ["cd", str(folder), "&&", *wanted.command]
    assert "%" not in line.replace("\\%", "")


@pytest.mark.fuzz
@given(paths)
def test_a_task_holds_the_paths_as_they_are_in_ascii(folder: Path) -> None:
    wanted = job(folder)
    action = _task(wanted).find(f"{TASK}Actions/{TASK}Exec")
    assert task_xml(wanted).isascii()
    assert action is not None
    assert action.findtext(f"{TASK}WorkingDirectory") == str(folder)
    assert action.findtext(f"{TASK}Command") == wanted.command[0]
    assert action.findtext(f"{TASK}Arguments") == subprocess.list2cmdline(wanted.command[1:])


def test_a_task_is_the_same_in_utf_16() -> None:
    text = task_xml(job(HOSTILE))
    assert ET.tostring(ET.fromstring(text.encode("utf-16"))) == ET.tostring(ET.fromstring(text))


@pytest.mark.parametrize("scheduler", Scheduler)
@pytest.mark.parametrize("folder", ["/srv/a\nb", "/srv/a\x7fb", "/srv/a\udc80b"])
def test_what_no_scheduler_can_express_is_refused(scheduler: Scheduler, folder: str) -> None:
    with pytest.raises(ScheduleError, match="control character"):
        schedule_text(job(Path(folder)), scheduler)


@pytest.mark.parametrize("text", ["6", "24:00", "06:60", "six", "06:00:00"])
def test_a_time_of_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match="--at"):
        parse_at(text)


def test_words_of_the_options_are_told_apart() -> None:
    assert parse_every("week") is Every.WEEK
    assert parse_scheduler("Cron") is Scheduler.CRON
    assert parse_scheduler(None) in Scheduler
    with pytest.raises(ScheduleError, match="--every"):
        parse_every("month")
    with pytest.raises(ScheduleError, match="--for"):
        parse_scheduler("launchd")


def test_the_job_runs_this_configuration_with_absolute_paths(tmp_path: Path) -> None:
    config = tmp_path / "my organisation.toml"
    made = job_of(config, every=Every.DAY, at=parse_at("06:00"), writable=(tmp_path,), seconds=60, tickets=False)
    assert Path(made.command[0]).is_absolute()
    assert made.command[-4:] == ("check", "--config", str(config), "--unattended")
    assert made.folder == tmp_path
    assert list(schedule_text(made, Scheduler.SYSTEMD)) == [
        "mapiready-my_organisation.service",
        "mapiready-my_organisation.timer",
    ]


def _task(wanted: Job) -> ET.Element:
    return ET.fromstring(task_xml(wanted))


# --- of a configuration -----------------------------------------------------------------------------------------------


def configured(folder: Path, text: str) -> Job:
    config = folder / "contoso.toml"
    config.write_text(text, encoding="utf-8")
    return job_of_config(config, Every.DAY, time(6))


def written_by(job: Job) -> set[Path]:
    """Without the folder of the locks, which every run has."""
    return set(job.writable) - {lock_folder().resolve()}


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("", set()),
        ("output = 'reports/'", {"reports"}),
        ("output = 'reports'\nformat = ['html', 'json']", {"reports"}),
        ("output = 'html/report.html'", {"html"}),
        ("output = '-'\nlog = '-'", set()),
        ("log = 'log/runs.jsonl'\nkeep = 'kept/run'\ndebug = 'd/x'", {"log", "kept", "d"}),
        ("history = 'db/runs.db'", {"db"}),
        ("history = 'postgresql://db.contoso.test/mapiready'", set()),
    ],
)
def test_a_run_may_write_where_its_settings_say(tmp_path: Path, text: str, folders: set[str]) -> None:
    job = configured(tmp_path, f"server = 'ex01'\n{text}\n")
    assert written_by(job) == {(tmp_path / folder).resolve() for folder in folders}
    assert lock_folder().resolve() in job.writable


def test_a_run_of_several_writes_for_each_and_has_time_for_all(tmp_path: Path) -> None:
    tables = "".join(f"[organisations.o{number}]\nserver = 'ex01'\nuser = 'x'\n" for number in range(5))
    job = configured(tmp_path, f"output = 'reports'\ndeadline = 600\n{tables}history = 'h/runs.db'\ndeadline = 900\n")
    reports = {tmp_path / "reports", *(tmp_path / "reports" / f"o{number}" for number in range(5))}
    assert written_by(job) == {path.resolve() for path in (*reports, tmp_path / "h")}
    assert (job.seconds, job.tickets) == (900 * 2 + 300, False)


@pytest.mark.parametrize(
    ("text", "tickets"),
    [
        ("", True),
        ("user = 'x'", False),
        ("user = 'x'\nmailbox = 'u@contoso.test'\naccount-ticket = true", True),
    ],
)
def test_a_run_that_signs_in_with_tickets_sees_them(tmp_path: Path, text: str, tickets: bool) -> None:
    job = configured(tmp_path, f"server = 'ex01'\n{text}\n")
    assert job.tickets is tickets
    assert ("PrivateTmp=no" in systemd_service(job)) is tickets


@pytest.mark.parametrize("scheduler", Scheduler)
def test_a_schedule_is_printed_or_written(tmp_path: Path, scheduler: Scheduler) -> None:
    config = tmp_path / "contoso.toml"
    config.write_text("server = 'ex01'\noutput = 'reports/'\n", encoding="utf-8")
    printed, none = write_schedule(config, scheduler, Every.WEEK, time(5, 30), None)
    nothing, files = write_schedule(config, scheduler, Every.WEEK, time(5, 30), tmp_path / "units")
    assert (none, nothing) == ((), "")
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text in printed
        assert len(files) == 1 or f"# --- {file.name}\n" in printed
    assert "--unattended" in printed
    # systemd starts no service whose ReadWritePaths= are not there.
    assert (tmp_path / "reports").is_dir() is (scheduler is Scheduler.SYSTEMD)


def test_what_cannot_run_is_not_scheduled(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SERVER"):
        configured(tmp_path, "sessions = 2\n")
