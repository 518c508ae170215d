"""The log of a run: JSON lines, complete, without a secret; what comes after the report is told and costs nothing."""

import base64
import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checker.checking import check
from checker.output import OutputError
from checker.password import AccountCredential
from checker.run_log import RunLog, open_sink
from checker.running import deliver
from checker.secrets import Secret
from checker.settings import Settings, SettingsError
from lab.organisation import RunningLab, start

SETTINGS = Settings(server=("ex01.contoso.test",), user="CONTOSO\\audit", mailbox="user1@contoso.test")
CANARY = 'C4nary "Passw0rd\\ü'
TOKEN = "C4nary-token"


def entries(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def checked(lab: RunningLab, config: Path, **more: object) -> int:
    """One audit of a lab as an administrator would have it made."""
    options = {
        "server": list(lab.server_names[:2]),
        "user": lab.user,
        "auth": "basic",
        "scheme": "https",
        "port": lab.powershell_https_port,
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now.isoformat(),
        "only": ["organisation"],
        "output": str(config.parent / "report.json"),
        **more,
    }
    return check(options, config)


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with start("healthy") as running:
        yield running


def test_a_run_is_told_from_its_beginning_to_its_end(
    tmp_path: Path, lab: RunningLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, log = tmp_path / "contoso.toml", tmp_path / "log.jsonl"
    config.write_text('log = "log.jsonl"\nunattended = true\n', encoding="utf-8")
    monkeypatch.setenv("MAPIREADY_PASSWORD", lab.password)
    history = str(tmp_path / "runs.db")
    assert [checked(lab, config, history=history), checked(lab, config, history=history)] == [0, 0]
    told = entries(log)
    events = [entry["event"] for entry in told]
    half = len(events) // 2
    assert events[:half] == events[half:]  # the second run is added
    assert [event for event in events[:half] if event != "step_done"] == [
        *("run_started", "history", "report", "written", "run_ended"),
    ]
    report = next(entry for entry in told if entry["event"] == "report")
    assert report["readiness"] == "partial"
    assert isinstance(report["findings"], dict)
    assert report["findings"]["failed_blockers"] == 0
    assert told[-1]["exit_code"] == 0
    assert all(isinstance(entry["at"], str) and "organisation" not in entry for entry in told)
    assert lab.password not in log.read_text(encoding="ascii")
    assert os.name != "posix" or log.stat().st_mode & 0o077 == 0


def test_neither_a_history_nor_a_mail_server_that_is_down_costs_the_report(
    tmp_path: Path, lab: RunningLab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAPIREADY_PASSWORD", lab.password)
    config = tmp_path / "contoso.toml"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        port = nobody.getsockname()[1]
        config.write_text(
            f"log = 'log'\nhistory = 'postgresql://u:c4nary@127.0.0.1:{port}/mapiready'\n"
            f"[mail]\nfrom = 'a@contoso.test'\nto = ['b@contoso.test']\n"
            f"[mail.smtp]\nhost = '127.0.0.1'\nport = {port}\nsecurity = 'none'\n",
            encoding="utf-8",
        )
        assert checked(lab, config) == 0
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["readiness"] == "partial"
    told = {str(entry["event"]): entry for entry in entries(tmp_path / "log")}
    assert (told["history"]["kept"], told["mail"]["failed"], told["run_ended"]["exit_code"]) == (False, True, 0)
    said = capfd.readouterr().err
    assert "No mail was sent" in said
    assert "c4nary" not in said + (tmp_path / "log").read_text("ascii") + (tmp_path / "report.json").read_text("utf-8")


def test_a_report_that_cannot_be_written_is_told_after_the_rest_is_done(
    tmp_path: Path, lab: RunningLab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAPIREADY_PASSWORD", lab.password)
    config, output = tmp_path / "contoso.toml", tmp_path / "reports"
    config.write_text(
        "log = 'log'\nhistory = 'runs.db'\n[mail]\nwhen = 'failure'\nfrom = 'a@contoso.test'\nto = 'b@contoso.test'\n"
        "[mail.smtp]\nhost = '127.0.0.1'\n",
        encoding="utf-8",
    )
    (output / "mapiready-report.json").mkdir(parents=True)  # a folder where a file is to be
    with pytest.raises(OutputError, match="could not be written"):
        checked(lab, config, output=str(output), format=["json", "html"])
    told = [str(entry["event"]) for entry in entries(tmp_path / "log")]
    assert [event for event in told if event != "step_done"] == [
        *("run_started", "history", "report", "error", "mail", "run_ended"),
    ]
    assert entries(tmp_path / "log")[-1]["exit_code"] == 4
    assert capfd.readouterr().out.startswith("NO BLOCKER FOUND")  # in place of the files


def test_no_form_of_a_secret_is_ever_written() -> None:
    told: list[object] = []
    log = RunLog(told.append, SETTINGS, Secret(CANARY), AccountCredential(Secret("C4nary-account"), Secret(TOKEN)))
    basic = base64.b64encode(f"CONTOSO\\audit:{CANARY}".encode()).decode()
    for text in (CANARY, repr(CANARY), json.dumps(CANARY), basic, "C4nary-account", TOKEN):
        log.write("error", text=f"the library says {text}!", more={"list": [text]})
    written = json.dumps(told)
    assert "C4nary" not in written
    assert basic not in written
    assert written.count("***") == 12


def test_dash_is_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with open_sink("-") as sink:
        RunLog(sink, SETTINGS).close(3)
    shown, beside = capfd.readouterr()
    assert shown == ""
    assert [json.loads(line)["event"] for line in beside.splitlines()] == ["run_started", "run_ended"]


def test_a_log_that_cannot_be_written_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--log"), open_sink(str(tmp_path / "none" / "log")):
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
def test_a_full_disk_costs_the_log_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with open_sink("/dev/full") as sink:
        log = RunLog(sink, SETTINGS)
        log.close(0)
    assert capfd.readouterr().err.count("The log ends early") == 1


def test_the_reason_why_nothing_was_audited_is_logged(tmp_path: Path) -> None:
    config = tmp_path / "contoso.toml"
    config.write_text(
        "server = 'ex01.contoso.test'\nuser = 'CONTOSO\\\\nobody'\nunattended = true\nlog = 'log'\n".replace("'", '"'),
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match="nobody is asked"):
        check({}, config)
    told = entries(tmp_path / "log")
    assert [entry["event"] for entry in told] == ["run_started", "error", "run_ended"]
    assert "nobody is asked" in str(told[1]["text"])
    assert told[2]["exit_code"] == 2


@dataclass(frozen=True)
class Outcome:
    sent: bool
    failed: bool
    sentence: str
    detail: str | None = None


def test_what_comes_after_the_report_is_done_whatever_becomes_of_the_rest() -> None:
    def broken() -> Outcome:
        raise RuntimeError(CANARY)

    told: list[dict[str, object]] = []
    log = RunLog(lambda entry: told.append(dict(entry)), SETTINGS, Secret(CANARY))
    sentences = deliver(
        [
            ("first", broken),
            ("mail", lambda: Outcome(False, True, "No mail was sent: the server is down.")),
            ("quiet", lambda: Outcome(False, False, "No mail: nothing changed.")),
            ("webhook", lambda: Outcome(True, False, "Told.")),
        ],
        log,
    )
    assert sentences == (
        "The first failed: RuntimeError (a defect).",
        "No mail was sent: the server is down.",
        "Told.",
    )
    assert [(entry["event"], entry.get("failed")) for entry in told[1:]] == [
        ("error", None),
        ("mail", True),
        ("quiet", False),
        ("webhook", False),
    ]
    assert "C4nary" not in json.dumps(told)
