"""Two runs of one configuration: the second is refused; a run that was killed blocks nobody."""

import subprocess
import sys
from pathlib import Path

import pytest

from checker.checking import check
from checker.locking import AlreadyRunningError, only_one_run

HOLDER = """
import sys
from pathlib import Path
from checker.locking import only_one_run
with only_one_run(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_of_a_configuration_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    config = tmp_path / "contoso.toml"
    with (
        only_one_run(config, tmp_path / "locks"),
        pytest.raises(AlreadyRunningError, match="Another run") as refused,
        only_one_run(config, tmp_path / "locks"),
    ):
        pass
    assert str(config) in str(refused.value)
    with only_one_run(config, tmp_path / "locks"):
        pass


def test_other_configurations_and_runs_without_one_go_on(tmp_path: Path) -> None:
    with (
        only_one_run(tmp_path / "one.toml", tmp_path / "locks"),
        only_one_run(tmp_path / "two.toml", tmp_path / "locks"),
        only_one_run(None, tmp_path / "locks"),
        only_one_run(None, tmp_path / "locks"),
    ):
        pass


def test_a_run_in_another_process_counts_and_one_that_was_killed_does_not(tmp_path: Path) -> None:
    config, folder = tmp_path / "contoso.toml", tmp_path / "locks"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(config), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(AlreadyRunningError), only_one_run(config, folder):
            pass
        holder.kill()
        holder.wait()
        with only_one_run(config, folder):
            pass


def test_a_folder_that_cannot_hold_locks_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AlreadyRunningError, match="writable"), only_one_run(tmp_path / "x.toml", tmp_path / "file"):
        pass


def test_an_audit_of_a_configuration_that_is_under_way_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    config = tmp_path / "contoso.toml"
    config.write_text("server = 'ex01.contoso.test'\n", encoding="utf-8")
    with only_one_run(config), pytest.raises(AlreadyRunningError, match="Another run"):
        check({}, config)
