"""Several organisations of one file: real labs, real processes; one that fails, hangs or dies costs nobody else."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from checker.checking import check
from checker.organisations import Child
from checker.results import ExitCode
from checker.settings import SettingsError
from checker.summary import Ending, worst
from lab.organisation import RunningLab, start

ROOT = Path(__file__).parents[1]
CHECK = (
    "import sys; from pathlib import Path; from checker.checking import check;"
    " sys.exit(check({}, Path(sys.argv[1]), sys.argv[2:]))"
)


def toml(values: dict[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def table(name: str, lab: RunningLab, **more: object) -> str:
    return f"[organisations.{name}]\n" + toml({
        "server": list(lab.server_names[:2]),
        "user": lab.user,
        "auth": "basic",
        "scheme": "https",
        "port": lab.powershell_https_port,
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now.isoformat(),
        "deadline": 60,
        **more,
    })  # fmt: skip


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield listening


def hanging(listening: socket.socket, deadline: float) -> str:
    port = listening.getsockname()[1]
    return "[organisations.hanging]\n" + toml({
        "server": ["ex01.hanging.test"],
        "user": "HANGING\\audit",
        "auth": "basic",
        "scheme": "https",
        "resolve": [f"ex01.hanging.test:443:127.0.0.1:{port}"],
        "deadline": deadline,
        "timeout": 3600,
        "only": ["organisation"],
    })  # fmt: skip


@pytest.fixture(scope="module")
def healthy() -> Iterator[RunningLab]:
    with start("healthy") as lab:
        yield lab


def written(folder: Path, *parts: str) -> Path:
    config = folder / "all.toml"
    config.write_text("\n".join(parts), encoding="utf-8")
    return config


def test_each_has_its_own_report_and_one_that_fails_or_hangs_costs_nobody_else(
    tmp_path: Path,
    healthy: RunningLab,
    silent: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with start("broken") as broken:
        config = written(
            tmp_path,
            toml({
                "output": str(tmp_path / "reports"),
                "log": "log.jsonl",
                "keep": "kept/run.mapiready",
                "unattended": True,
                "format": ["json", "html"],
            }),
            table("contoso", healthy),
            table("fabrikam", broken),
            table("secretless", healthy, user="CONTOSO\\somebody-else"),
            table("elsewhere", healthy, server=["ex01.nowhere.test"], only=["nonsense"]),
            hanging(silent, 2),
        )  # fmt: skip
        monkeypatch.setenv("MAPIREADY_PASSWORD__CONTOSO", healthy.password)
        monkeypatch.setenv("MAPIREADY_PASSWORD__FABRIKAM", broken.password)
        monkeypatch.setenv("MAPIREADY_PASSWORD__ELSEWHERE", healthy.password)
        monkeypatch.setenv("MAPIREADY_PASSWORD__HANGING", "C4nary-hanging")
        monkeypatch.setenv("MAPIREADY_PASSWORD", "C4nary-for-nobody")
        code = check({}, config)
    assert code == ExitCode.USAGE
    reports = tmp_path / "reports"
    summary = json.loads((reports / "mapiready-summary.json").read_text(encoding="utf-8"))
    ends = {run["name"]: (run["ending"], run["exit_code"], run["readiness"]) for run in summary["organisations"]}
    assert ends == {
        "contoso": ("reported", 0, "ready"),
        "fabrikam": ("reported", 1, "not-ready"),
        "secretless": ("failed", 2, None),
        "elsewhere": ("failed", 2, None),
        "hanging": ("reported", 3, "inconclusive"),
    }
    for run in summary["organisations"]:
        for link in (entry["link"] for entry in run["reports"]):
            assert (reports / link).is_file(), link
    assert {entry["link"] for entry in summary["organisations"][0]["reports"]} == {
        "contoso/mapiready-report.json",
        "contoso/mapiready-report.html",
        "../kept/contoso/run.mapiready",
    }
    assert 'href="fabrikam/mapiready-report.html"' in (reports / "mapiready-summary.html").read_text(encoding="utf-8")

    shown, beside = capfd.readouterr()
    assert shown.startswith("5 ORGANISATIONS: 1 not ready, 1 inconclusive, 1 ready, 2 without a report")
    assert "MAPIREADY_PASSWORD__SECRETLESS" in shown
    log = (tmp_path / "log.jsonl").read_text(encoding="ascii")
    entries = [json.loads(line) for line in log.splitlines()]
    ended = {entry["organisation"]: entry["exit_code"] for entry in entries if entry["event"] == "run_ended"}
    assert ended == {"contoso": 0, "fabrikam": 1, "secretless": 2, "elsewhere": 2, "hanging": 3}
    everything = shown + beside + log + "".join(file.read_text("utf-8") for file in reports.rglob("*.*ml"))
    for secret in ("C4nary", healthy.password, broken.password):
        assert secret not in everything


def test_one_that_is_picked_is_audited_as_if_it_were_alone(
    tmp_path: Path, healthy: RunningLab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, 'only = ["organisation"]\n', table("contoso", healthy), table("fabrikam", healthy))
    monkeypatch.setenv("MAPIREADY_PASSWORD__CONTOSO", healthy.password)
    assert check({}, config, ["contoso"]) == 0
    assert capfd.readouterr().out.startswith("NO BLOCKER FOUND")
    with pytest.raises(SettingsError, match="contoso, fabrikam"):
        check({}, config, ["northwind"])


def test_a_monitoring_plugin_has_its_line_on_standard_output_wherever_reports_go(
    tmp_path: Path, healthy: RunningLab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    common = toml({"only": ["organisation"], "output": str(tmp_path / "reports")})
    config = written(tmp_path, common, table("contoso", healthy), table("fabrikam", healthy))
    monkeypatch.setenv("MAPIREADY_PASSWORD__CONTOSO", healthy.password)
    assert check({"format": ["nagios"]}, config, ["contoso"], nagios=True) == 0
    assert capfd.readouterr().out.startswith("MAPIREADY OK")


def test_some_that_are_picked_leave_the_others_out_of_the_verdict(
    tmp_path: Path, healthy: RunningLab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = [table(name, healthy) for name in ("contoso", "fabrikam", "northwind")]
    config = written(tmp_path, 'only = ["organisation"]\nunattended = true\n', *parts)
    monkeypatch.setenv("MAPIREADY_PASSWORD__CONTOSO", healthy.password)
    monkeypatch.setenv("MAPIREADY_PASSWORD__FABRIKAM", healthy.password)
    assert check({}, config, ["contoso", "fabrikam"]) == 0
    shown = capfd.readouterr().out
    assert shown.startswith("contoso\n=======\nNO BLOCKER FOUND")
    assert "3 ORGANISATIONS: 2 looked at in part, 1 not chosen" in shown


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_reports_what_there_is(
    tmp_path: Path, healthy: RunningLab, silent: socket.socket, how: signal.Signals
) -> None:
    config = written(
        tmp_path,
        toml({"output": str(tmp_path / "reports")}),
        table("contoso", healthy),
        hanging(silent, 3600),
    )
    with subprocess.Popen(
        [sys.executable, "-c", CHECK, str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={
            **os.environ,
            "MAPIREADY_PASSWORD__CONTOSO": healthy.password,
            "MAPIREADY_PASSWORD__HANGING": "C4nary",
        },
    ) as process:
        connection, _ = silent.accept()
        with connection:
            assert process.stderr is not None
            for line in process.stderr:
                if line == "contoso: READY\n":
                    break
            process.send_signal(how)
            shown, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INCONCLUSIVE
    assert "2 ORGANISATIONS: 1 inconclusive, 1 ready" in shown
    report = json.loads((tmp_path / "reports" / "hanging" / "mapiready-report.json").read_text(encoding="utf-8"))
    assert report["interrupted"] is True


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_no_process_outlives_a_run_that_was_killed(tmp_path: Path, silent: socket.socket) -> None:
    config = written(tmp_path, toml({"output": str(tmp_path / "reports")}), hanging(silent, 3600))
    with subprocess.Popen(
        [sys.executable, "-c", CHECK, str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "MAPIREADY_PASSWORD__HANGING": "C4nary"},
    ) as process:
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(60)
            assert connection.recv(65536)  # its ClientHello
            process.kill()
            process.wait()
            assert connection.recv(65536) == b""  # whoever held the other end is gone


def child(*program: str, seconds: float = 60) -> Child:
    return Child("contoso", {"name": "contoso"}, seconds, lambda _entry: None, (sys.executable, "-c", *program))


def test_a_process_that_never_ends_is_ended() -> None:
    run, _ = child("import threading; threading.Event().wait()", seconds=0.5).run()
    assert (run.ending, run.code) == (Ending.FAILED, ExitCode.INTERNAL)
    assert "did not end" in run.told[0]


def test_a_process_that_heeds_no_interrupt_is_ended() -> None:
    stubborn = Child(
        "contoso",
        {},
        3600,
        lambda _entry: None,
        (sys.executable, "-c", "import threading; threading.Event().wait()"),
        to_stop=0.2,
    )
    stubborn.stop()
    run, _ = stubborn.run()
    assert run.ending is Ending.FAILED
    assert "Interrupted" in run.told[0]


@pytest.mark.parametrize("program", ["import os; os.kill(os.getpid(), 9)", "import sys; sys.exit(3)", "1/0"])
def test_a_process_that_dies_is_told_of(program: str, capfd: pytest.CaptureFixture[str]) -> None:
    run, _ = child(program).run()
    assert (run.ending, run.code) == (Ending.FAILED, ExitCode.INTERNAL)
    assert "ended" in run.told[0]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((0, 0), 0),
        ((0, 3), 3),
        ((3, 1, 0), 1),
        ((1, 2, 3), 2),
        ((4, 1, 2), 4),
        ((), 3),
    ],
)
def test_the_worst_counts(codes: Sequence[int], expected: int) -> None:
    assert worst(map(ExitCode, codes)) == expected


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("format = ['json']\n[organisations.a]\nserver='x'\n", {}, "output"),
        ("[organisations.a]\nserver='x'\n[organisations.b]\nserver='y'\n", {"server": ["z"]}, "SERVER"),
        ("[organisations.a]\nserver='x'\n[organisations.b]\nserver='y'\n", {"user": "z"}, "--user"),
    ],
)
def test_wrong_use_is_refused_before_anything_starts(
    tmp_path: Path, text: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        check(options, written(tmp_path, text))


def test_a_monitoring_plugin_tells_of_one(tmp_path: Path) -> None:
    config = written(tmp_path, "[organisations.a]\nserver='x'\n[organisations.b]\nserver='y'\n")
    with pytest.raises(SettingsError, match="--organisation NAME"):
        check({}, config, nagios=True)
