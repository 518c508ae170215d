"""TAB, as each shell asks for it, and as bash really gets it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND = "import sys; sys.argv[0] = 'mapiready'; from checker.cli import main; main()"


def offered(shell: str, line: str) -> str:
    """What the command answers to a shell that has this line before the cursor."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "_MAPIREADY_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_every_shell_is_offered_the_ids_of_checks(shell: str) -> None:
    answer = offered(shell, "mapiready explain cert-na")
    assert "cert-names-cover" in answer
    assert "cert-name-only-in-cn" in answer
    assert "name-resolves" not in answer


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mapiready de", ["demo"]),
        ("mapiready check --only certif", ["certificates"]),
        ("mapiready check --skip name-res", ["name-resolves"]),
        ("mapiready check --auth k", ["kerberos"]),
        ("mapiready check --scheme https", ["https"]),
        ("mapiready check --stage ", ["auto", "prepare", "verify"]),
        ("mapiready check --vantage ", ["inside", "outside"]),
        ("mapiready check --mailboxes a", ["auto", "all"]),
        ("mapiready check --fail-on w", ["warning"]),
        ("mapiready probe --format j", ["json", "junit"]),
        ("mapiready demo --scenario hea", ["healthy"]),
        ("mapiready lab --fault certificate-expires-", ["certificate-expires-soon"]),
        ("mapiready check --verb", ["--verbose"]),
    ],
)
def test_what_has_a_fixed_list_is_offered(line: str, words: list[str]) -> None:
    assert offered("bash", line).split() == words


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home of its own with the command in its path."""
    command = tmp_path / "bin" / "mapiready"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom checker.cli import main\nmain()\n", encoding="utf-8")
    command.chmod(0o755)
    path = os.pathsep.join((str(command.parent), os.environ["PATH"]))
    return {**os.environ, "HOME": str(tmp_path), "PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="there is no bash here")
def test_installed_completion_answers_in_bash(home: dict[str, str]) -> None:
    installed = subprocess.run(
        ["mapiready", "--install-completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
        env={**home, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert "bash completion installed" in installed.stdout
    script = (
        "source ~/.bashrc; COMP_WORDS=(mapiready explain cert-names-c); COMP_CWORD=2;"
        ' _mapiready_completion mapiready; echo "${COMPREPLY[@]}"; complete -p mapiready'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=home)
    assert done.stdout.split("\n")[0] == "cert-names-cover"
    assert "_mapiready_completion" in done.stdout.split("\n")[1]
