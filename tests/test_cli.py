"""The commands as a user meets them: in a process of their own, by what they print and how they exit."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checker.settings import KEYS
from lab.organisation import RunningLab, start

ROOT = Path(__file__).parents[1]
COMMANDS = (
    *("check", "probe", "gather", "judge", "collector", "render", "diff", "plan", "schedule"),
    *("history", "mail", "demo", "lab", "list", "explain"),
)


def mapiready(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, as a script would: no terminal anywhere."""
    return subprocess.run(
        [sys.executable, "-m", "checker", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", **environment},
        timeout=100,
    )


def options(lab: RunningLab, folder: Path) -> list[str]:
    """A configuration file for a lab that runs, and the words to use it."""
    values = {
        "server": list(lab.server_names[:2]),
        "user": lab.user,
        "auth": "basic",
        "scheme": "https",
        "port": lab.powershell_https_port,
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now.isoformat(),
    }
    config = folder / "lab.toml"
    config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), encoding="utf-8")
    return ["--config", str(config)]


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningLab, list[str]]]:
    with start("healthy") as lab:
        yield lab, options(lab, tmp_path_factory.mktemp("healthy"))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_shows_an_example(command: str) -> None:
    done = mapiready(command, "--help")
    assert done.returncode == 0
    assert f"mapiready {command}" in done.stdout.split("Example")[1]


def test_every_setting_is_an_option_of_check() -> None:
    text = mapiready("check", "--help", COLUMNS="200").stdout
    only_in_the_file = {"server", "waiver", "waivers", "mail", "webhook"}
    assert [key for key in KEYS if key not in only_in_the_file and f"--{key}" not in text] == []
    assert "--no-waivers" in text
    assert "--password " not in text


def test_a_ready_organisation_exits_0_and_stdout_is_the_report_alone(healthy: tuple[RunningLab, list[str]]) -> None:
    lab, words = healthy
    done = mapiready("check", *words, MAPIREADY_PASSWORD=lab.password)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("READY")
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    assert lab.password not in done.stdout


def test_json_on_standard_output_can_be_piped(healthy: tuple[RunningLab, list[str]]) -> None:
    lab, words = healthy
    done = mapiready("check", *words, "--format", "json", MAPIREADY_PASSWORD=lab.password)
    report = json.loads(done.stdout)
    assert report["readiness"] == "ready"
    assert report["schema_version"] == 1
    assert lab.password not in done.stdout


def test_a_wrong_password_is_tried_once_and_is_inconclusive(healthy: tuple[RunningLab, list[str]]) -> None:
    lab, words = healthy
    before = len([seen for seen in lab.journal if seen.authorization])
    done = mapiready("check", *words, MAPIREADY_PASSWORD="not-the-password")
    assert done.returncode == 3
    assert done.stdout.startswith("INCONCLUSIVE")
    assert lab.user in done.stdout
    assert "Traceback" not in done.stderr
    attempts = [seen for seen in lab.journal if seen.authorization][before:]
    assert len(attempts) == 1


def test_a_narrowed_run_is_partial_and_sends_no_more_than_needed(healthy: tuple[RunningLab, list[str]]) -> None:
    lab, words = healthy
    done = mapiready("check", *words, "--only", "vdir-mapi-authentication", MAPIREADY_PASSWORD=lab.password)
    assert done.returncode == 0
    assert done.stdout.startswith("NO BLOCKER FOUND (1 of")


def test_files_are_written_and_named(healthy: tuple[RunningLab, list[str]], tmp_path: Path) -> None:
    lab, words = healthy
    formats = ["--format", "terminal", "--format", "html", "--format", "json", "--output", str(tmp_path)]
    done = mapiready("check", *words, *formats, MAPIREADY_PASSWORD=lab.password)
    assert done.returncode == 0
    assert done.stdout.startswith("READY")
    assert {file.name for file in tmp_path.iterdir()} == {"mapiready-report.html", "mapiready-report.json"}
    assert str(tmp_path / "mapiready-report.html") in done.stderr
    again = mapiready("render", str(tmp_path / "mapiready-report.json"), "--format", "html")
    assert again.stdout == (tmp_path / "mapiready-report.html").read_text(encoding="utf-8")


def test_quiet_does_not_say_where_files_are(healthy: tuple[RunningLab, list[str]], tmp_path: Path) -> None:
    lab, words = healthy
    done = mapiready("check", *words, "--quiet", "--output", str(tmp_path / "r.json"), MAPIREADY_PASSWORD=lab.password)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["readiness"] == "ready"


def test_verbose_shows_what_passed(healthy: tuple[RunningLab, list[str]], tmp_path: Path) -> None:
    lab, words = healthy
    short = mapiready("check", *words, MAPIREADY_PASSWORD=lab.password).stdout
    long = mapiready("check", *words, "--verbose", MAPIREADY_PASSWORD=lab.password).stdout
    assert "vdir-mapi-present" not in short
    assert long.count("vdir-mapi-present") == len(lab.scenario.servers)
    saved = tmp_path / "r.json"
    mapiready("check", *words, "--output", str(saved), MAPIREADY_PASSWORD=lab.password)
    assert "vdir-mapi-present" in mapiready("render", str(saved), "--verbose").stdout


def test_the_demo_exits_0_and_says_what_check_would_have_given(tmp_path: Path) -> None:
    done = mapiready("demo", "--scenario", "broken", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NOT READY")
    assert "exit code 1" in done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"mapiready-report.html", "mapiready-report.json"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("check",), "mapiready check SERVER"),
        (("check", "ex01", "--auth", "digest"), "--auth"),
        (("check", "ex01", "--user", "admin"), "MAPIREADY_PASSWORD"),
        (("check", "ex01", "--only", "nonsense"), "nonsense"),
        (("check", "ex01", "--ca-file", "none.pem"), "none.pem"),
        (("check", "ex01", "--config", "none.toml"), "none.toml"),
        (("check", "ex01", "--resolve", "mail"), "--resolve"),
        (("check", "ex01", "--output", "x/y/z.html"), "x/y/z.html"),
        (("check", "ex01", "--no-such-option"), "--no-such-option"),
        (("probe",), "mapiready probe"),
        (("probe", "https://mail/"), "https://mail/"),
        (("demo", "--scenario", "none"), "none"),
        (("explain", "cert-name-cover"), "cert-names-cover"),
        (("render", "none.json"), "none.json"),
        (("render", "none.json", "--format", "pdf"), "--format"),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_mistake_is_one_clear_sentence_and_exit_code_2(words: tuple[str, ...], named: str) -> None:
    done = mapiready(*words, MAPIREADY_PASSWORD="")
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nobody_answers_is_inconclusive_and_says_why() -> None:
    with start("healthy") as lab:
        ports = [entry for entry in lab.resolve if ":5986:" in entry]
        words = [word for entry in ports for word in ("--resolve", entry)]
    sign_in = ["--user", "admin", "--auth", "basic", "--scheme", "https", "--port", "5986"]
    done = mapiready("check", "ex01.contoso.test", *words, *sign_in, MAPIREADY_PASSWORD="x")
    assert done.returncode == 3
    assert "refuses the connection" in done.stdout
    assert "ex01.contoso.test" in done.stdout


def test_a_probe_needs_no_right_on_exchange_and_says_what_it_could_not_know(tmp_path: Path) -> None:
    with start("healthy") as lab:
        config = tmp_path / "probe.toml"
        words = {"ca-file": str(lab.ca_file), "resolve": list(lab.resolve), "now": lab.now.isoformat()}
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in words.items()), encoding="utf-8")
        done = mapiready("probe", "mail.contoso.test", "--config", str(config), "--vantage", "inside")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("NO BLOCKER FOUND")
        assert "needs remote PowerShell" in done.stdout
        assert "vdir-mapi-present" in done.stdout
        assert not [seen for seen in lab.journal if seen.authorization or "powershell" in seen.listener]


def test_list_shows_what_is_sent_and_explain_says_why() -> None:
    listed = mapiready("list").stdout
    assert "Get-MapiVirtualDirectory -ADPropertiesOnly" in listed
    assert "cert-names-cover" in listed
    explained = mapiready("explain", "cert-names-cover").stdout
    for heading in ("Why it matters", "How it is judged", "How to mend it", "https://"):
        assert heading in explained


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for one process on Windows")
def test_ctrl_c_gives_the_report_of_what_is_known_within_a_second(tmp_path: Path) -> None:
    with start("healthy", latency_per_cmdlet=60.0) as lab:
        words = options(lab, tmp_path)
        with subprocess.Popen(
            [sys.executable, "-m", "checker", "check", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            env={**os.environ, "MAPIREADY_PASSWORD": lab.password},
        ) as process:
            _wait_for_a_cmdlet(lab)
            interrupted = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            first = process.stdout.readline()
            reported = time.monotonic() - interrupted
            rest = process.stdout.read()
            assert process.stderr is not None
            errors = process.stderr.read()
            process.wait(20)
            gone = time.monotonic() - interrupted
    assert first.startswith("INCONCLUSIVE")
    assert "Ctrl-C" in rest
    assert "Traceback" not in errors
    assert process.returncode == 3
    assert reported < 1.0
    assert gone < 5.0


def _wait_for_a_cmdlet(lab: RunningLab) -> None:
    """Until the server has been sent a cmdlet: Create, its Receive, then Command."""
    end = time.monotonic() + 30
    while len([seen for seen in lab.journal if "powershell" in seen.listener]) < 3:
        assert time.monotonic() < end, "no cmdlet was sent"
        time.sleep(0.02)
