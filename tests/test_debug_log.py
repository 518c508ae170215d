"""--debug: what is done is written, whoever may read it, and no secret ever."""

import base64
import io
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.debug_log import DebugLog, open_debug_log
from checker.secrets import Secret
from checker.settings import Settings, load_settings
from lab.organisation import RunningLab, start
from tests.test_cli import mapiready, options

CANARY = "Kanarienvögel-9-\N{SMILING FACE WITH SUNGLASSES}-$(x)"


BASIC = base64.b64encode(f"CONTOSO\\audit:{CANARY}".encode()).decode()


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def of(told: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [entry for entry in told if entry["event"] == event]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with start("healthy") as running:
        yield running


@pytest.fixture(scope="module")
def told(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The entries of an audit that went well; its file is for its owner alone, though it was there before."""
    folder = tmp_path_factory.mktemp("debug")
    file = folder / "debug.jsonl"
    file.write_text("what was there before", encoding="utf-8")
    file.chmod(0o666)
    done = mapiready("check", *options(lab, folder), "--debug", str(file), MAPIREADY_PASSWORD=lab.password)
    assert done.returncode == 0, done.stderr
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret_forms(lab.user, lab.password, file) == []
    return entries(file)


def secret_forms(user: str, password: str, *files: Path) -> list[str]:
    """In which forms the password stands in one of these files."""
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    plain = (password, json.dumps(password)[1:-1], ascii(password)[1:-1])
    encoded = [
        base64.b64encode(part.encode(encoding)).decode("ascii").rstrip("=")
        for part in (password, f"{user}:{password}")
        for encoding in ("utf-8", "utf-16-le")
    ]
    return [form for form in (*plain, *encoded) if form in text]


def test_the_first_entry_says_how_it_was_called(told: list[dict[str, Any]], lab: RunningLab) -> None:
    first = told[0]
    assert first["event"] == "run"
    assert first["settings"]["user"] == lab.user
    assert first["settings"]["server"] == list(lab.server_names[:2])
    assert not [name for name in first["settings"] if "password" in name]


def test_each_cmdlet_is_told_with_its_parameters_its_time_and_what_came(
    told: list[dict[str, Any]], lab: RunningLab
) -> None:
    asked = [entry for entry in of(told, "answer") if entry["source"] == "powershell"]
    sent = sorted(
        (entry["question"][1]["cmdlet"], len(entry["question"][1]["parameters"]))
        for entry in asked
        if "objects" in entry["answer"]
    )
    done = sorted(
        (call.name, sum(value not in (None, False) for value in call.parameters.values()))
        for endpoint in lab.endpoints.values()
        for call in endpoint.calls
    )
    assert sent == done[: len(sent)]
    assert all(entry["took"] >= 0 for entry in asked)
    assert {"Get-ExchangeServer on " + lab.server_names[0]} <= {entry["what"] for entry in of(told, "waited")}


def test_each_look_at_the_network_is_told(told: list[dict[str, Any]]) -> None:
    looked = [entry for entry in of(told, "answer") if entry["source"] == "network"]
    health = next(entry for entry in looked if entry["question"][0] == "get" and "healthcheck" in entry["question"][2])
    assert health["question"][1].endswith(":443")
    assert health["answer"]["status"] == 200
    shaken = next(entry for entry in looked if entry["question"][0] == "handshake")
    assert len(shaken["answer"]["certificates"][0]) == 64


def test_facts_and_the_report_close_it(told: list[dict[str, Any]]) -> None:
    assert {"exchange server", "organization config"} <= {entry["fact"] for entry in of(told, "fact")}
    assert told[-1]["event"] == "report"
    assert told[-1]["readiness"] == "ready"


def test_whatever_is_waited_for_ends(told: list[dict[str, Any]]) -> None:
    begun = sorted(entry["what"] for entry in of(told, "waiting"))
    assert begun == sorted(entry["what"] for entry in of(told, "waited"))


def test_a_refused_sign_in_is_told_with_its_cause_and_without_the_password(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "debug.jsonl"
    words = ["check", *options(lab, tmp_path), "--debug", str(file), "--output", str(tmp_path / "report.json")]
    canary = CANARY.encode("latin-1", "replace").decode("latin-1")
    done = mapiready(*words, MAPIREADY_PASSWORD=canary)
    assert done.returncode == 3
    (failed,) = of(entries(file), "failed")
    assert lab.server_names[0] in failed["what"]
    assert failed["causes"][0]["type"].startswith("pypsrp.")
    assert failed["causes"][0]["raised_in"]
    said = tmp_path / "said"
    said.write_text(done.stdout + done.stderr, encoding="utf-8")
    assert secret_forms(lab.user, canary, file, said, tmp_path / "report.json") == []


def test_a_closed_port_is_told_with_the_error_of_the_system(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "debug.jsonl"
    words = ["probe", "mail.contoso.test", "--resolve", "mail.contoso.test:443:127.0.0.1:9", "--debug", str(file)]
    mapiready(*words)
    causes = [cause["type"] for entry in of(entries(file), "failed") for cause in entry["causes"]]
    assert "builtins.ConnectionRefusedError" in causes
    answers = [entry["answer"] for entry in of(entries(file), "answer") if entry["question"][0] == "handshake"]
    assert {answer["not_collected"] for answer in answers} == {"refused"}


def test_a_place_that_cannot_be_written_to_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    done = mapiready("check", "ex01", "--debug", str(tmp_path))
    assert done.returncode == 2
    assert f"--debug {tmp_path}" in done.stderr
    assert "Traceback" not in done.stderr


def quiet_log(file: io.StringIO) -> DebugLog:
    return DebugLog(file, load_settings({"server": ["ex01"], "user": "CONTOSO\\audit"}, None), Secret(CANARY))


@pytest.mark.parametrize(
    "text",
    [
        f"header 'Basic {BASIC}' is not valid",
        f"could not sign in with {CANARY}",
        f"could not sign in with {CANARY!r}",
        f"could not sign in with {CANARY!a}",
        json.dumps({"password": CANARY}),
    ],
)
def test_words_of_a_library_that_hold_the_password_are_blotted(text: str) -> None:
    file = io.StringIO()
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError("outer: " + text) from error
    except RuntimeError as error:
        quiet_log(file).failed("signing in", error)
    told = file.getvalue()
    assert "***" in told
    assert "builtins.RuntimeError" in told
    assert "builtins.ValueError" in told
    for form in (BASIC, CANARY, json.dumps(CANARY)[1:-1], json.dumps(CANARY[-4:])[1:-1]):
        assert form not in told


def test_a_letter_that_cannot_be_encoded_is_not_told() -> None:
    file = io.StringIO()
    try:
        CANARY.encode("latin-1")
    except UnicodeEncodeError as error:
        quiet_log(file).failed("signing in", error)
    assert "UnicodeEncodeError" in file.getvalue()
    assert "1f60e" not in file.getvalue().casefold()
    assert "d83d" not in file.getvalue().casefold()


def test_a_full_disk_costs_the_log_and_is_told() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log = quiet_log(Full())
    log.finished("exchange server", 1.0)
    assert log.problem is not None
    assert "No space left" in log.problem


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is of Linux")
def test_a_full_disk_costs_the_log_and_not_the_audit() -> None:
    with open_debug_log(Settings(server=("ex01.contoso.test",), debug=Path("/dev/full")), None) as log:
        assert log is not None
        log.write("fact", fact="x")
        assert log.problem is not None
        assert "ends early" in log.problem
