"""The commands on saved data and kept runs, as processes, on one lab: each step takes what the one before it wrote."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checker.password import VARIABLE
from lab.organisation import start
from tests.test_cli import mapiready, options


@dataclass(frozen=True)
class Kept:
    """What one audit of the broken organisation left: its words on the command line, and its files."""

    words: list[str]
    password: str
    folder: Path

    @property
    def report(self) -> Path:
        return self.folder / "live.json"

    @property
    def history(self) -> list[str]:
        return ["--history", str(self.folder / "runs.db")]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("kept")
    with start("broken") as lab:
        made = Kept(options(lab, folder), lab.password, folder)
        snapshot = str(folder / "live.mapiready.zip")
        words = ["check", *made.words, "--keep", snapshot, "--output", str(made.report), *made.history]
        done = mapiready(*words, **{VARIABLE: lab.password})
        assert done.returncode == 1, done.stderr
        assert f"Written: {snapshot}" in done.stderr
        yield made


def findings(report: Path) -> list[tuple[str, str, str, str]]:
    content = json.loads(report.read_text(encoding="utf-8"))
    return [
        (finding["check"], finding["subject"]["name"], finding["status"], finding["summary"])
        for finding in content["findings"]
    ]


def test_what_was_kept_is_judged_the_same_without_the_organisation(kept: Kept) -> None:
    judged = kept.folder / "judged.json"
    snapshot = str(kept.folder / "live.mapiready.zip")
    done = mapiready("judge", snapshot, "--config", kept.words[1], "--output", str(judged))
    assert done.returncode == 1, done.stderr
    assert findings(judged) == findings(kept.report)
    compared = mapiready("diff", str(kept.report), str(judged))
    assert compared.returncode == 0, compared.stdout
    assert "worse" not in compared.stdout


def test_gather_judges_nothing_and_judge_shows_what_blocks(kept: Kept) -> None:
    snapshot = kept.folder / "org.mapiready.zip"
    done = mapiready("gather", *kept.words, "-o", str(snapshot), **{VARIABLE: kept.password})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    shown = mapiready("judge", str(snapshot))
    assert shown.returncode == 1
    assert shown.stdout.startswith("NOT READY")
    assert kept.password not in shown.stdout + done.stderr


def test_a_file_that_is_nothing_of_ours_is_one_sentence(kept: Kept) -> None:
    other = kept.folder / "other.zip"
    other.write_bytes(b"PK\x03\x04 and then nothing")
    done = mapiready("judge", str(other))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(other) in done.stderr


def test_the_history_lists_shows_and_tells_of_what_it_kept(kept: Kept) -> None:
    listed = mapiready("history", "list", *kept.history, "--json")
    (run,) = json.loads(listed.stdout)["runs"]
    shown = kept.folder / "shown.json"
    done = mapiready("history", "show", "last", *kept.history, "--output", str(shown))
    assert done.returncode == 0, done.stderr
    assert findings(shown) == findings(kept.report)
    trend = mapiready("history", "trend", "cert-names-cover", *kept.history, COLUMNS="160")
    assert "autodiscover.contoso.test" in trend.stdout
    assert run["run"][:8] in mapiready("history", "list", *kept.history, COLUMNS="160").stdout
    pruned = mapiready("history", "prune", "--older-than", "400d", *kept.history)
    assert (pruned.returncode, pruned.stdout) == (0, "0 runs forgotten.\n")


def test_a_history_that_is_not_there_is_one_sentence(kept: Kept) -> None:
    done = mapiready("history", "list", "--history", str(kept.folder / "none.db"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.db" in done.stderr


def test_a_plan_is_made_of_the_report(kept: Kept) -> None:
    folder = kept.folder / "plan"
    done = mapiready("plan", str(kept.report), "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert {"enable.ps1", "rollback.ps1", "checklist.html", "checklist.toml"} <= {
        file.name for file in folder.iterdir()
    }


def test_the_collector_is_plain_ascii_on_standard_output_and_in_a_file(kept: Kept) -> None:
    file = kept.folder / "Collect-MapiReadiness.ps1"
    assert mapiready("collector", "--output", str(file)).returncode == 0
    script = file.read_bytes()
    assert script.isascii()
    assert mapiready("collector").stdout.splitlines() == script.decode("ascii").splitlines()


def test_a_schedule_runs_this_configuration(kept: Kept) -> None:
    done = mapiready("schedule", *kept.words, "--for", "cron", "--at", "05:30")
    assert done.returncode == 0, done.stderr
    assert f"--config {kept.words[1]} --unattended" in done.stdout
    assert "30 5 * * *" in done.stdout


def test_mail_without_a_table_says_so(kept: Kept) -> None:
    done = mapiready("mail", "test", *kept.words)
    assert done.returncode == 2
    assert "[mail]" in done.stderr


def test_a_monitoring_plugin_gives_one_line_and_its_own_exit_codes(kept: Kept) -> None:
    critical = mapiready("check", *kept.words, "--nagios", **{VARIABLE: kept.password})
    assert (critical.returncode, critical.stdout.split(" - ")[0]) == (2, "MAPIREADY CRITICAL")
    unknown = mapiready("check", "--config", str(kept.folder / "none.toml"), "--nagios")
    assert (unknown.returncode, unknown.stdout.split(" - ")[0]) == (3, "MAPIREADY UNKNOWN")


def test_an_unattended_run_without_a_password_asks_nobody(kept: Kept) -> None:
    done = mapiready("check", *kept.words, "--unattended")
    assert done.returncode == 2
    assert "password" in done.stderr
