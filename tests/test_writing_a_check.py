"""docs/writing-a-check.md is done to the letter: its files, its commands, in a virtual environment to be thrown away.

Only what would come from the package registry is put in place another way: mapiready itself is the one that is tested.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

from checker.plugins import find_checks

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "writing-a-check.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
PREPARED = ("mkdir", "cd", "python3 -m venv .venv", ".venv/bin/python -m pip install mapiready")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the page's commands are those of a Unix shell")


def files() -> dict[str, str]:
    """The files of the page by their name, which stands in a comment on their first line."""
    found = {}
    for kind, text in BLOCKS:
        first, _, rest = text.partition("\n")
        if kind != "sh":
            name = re.fullmatch(r"(?:#|<!--) (\S+)(?: -->)?", first)
            assert name is not None, f"a block without the name of its file: {first}"
            found[name[1]] = rest if kind == "xml" else text
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the page with its files, and the environment as it is after the first block of commands."""
    folder = tmp_path_factory.mktemp("page") / "acme-owa"
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    library = sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")})
    here = f"{ROOT}\n{sysconfig.get_path('purelib')}\n"
    Path(library, "mapiready.pth").write_text(here, encoding="utf-8")
    metadata = Path(library, "mapiready-0.1.0.dist-info", "METADATA")  # so that pip need not look for it
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: mapiready\nVersion: 0.1.0\n", encoding="utf-8")
    command = folder / ".venv/bin/mapiready"
    command.write_text(f"#!{folder}/.venv/bin/python\nfrom checker.cli import main\nmain()\n", encoding="utf-8")
    command.chmod(0o755)
    return folder


def run(folder: Path, command: str) -> str:
    """What a command of the page prints."""
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))},
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            # "0" says yes: pip reads it the other way round.
            **({"PIP_NO_BUILD_ISOLATION": "0"} if find_spec("hatchling") and find_spec("editables") else {}),
        },
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(240)
def test_the_page_does_what_it_says(folder: Path) -> None:
    printed = {
        command: run(folder, command) for command in COMMANDS if not command.startswith(PREPARED) and command.strip()
    }
    assert list(printed) == [
        ".venv/bin/python -m pip install -e .",
        ".venv/bin/python -m pytest",
        ".venv/bin/mapiready list",
        ".venv/bin/mapiready explain acme-owa-answers",
    ]
    _, tested, listed, explained = printed.values()
    assert "4 passed" in tested
    assert "acme-owa-answers  (warning)" in listed
    assert "Get-OwaVirtualDirectory -ADPropertiesOnly" in listed.split("may be sent")[1]
    assert "Outlook on the web answers under each of its names." in explained
    assert "Publish /owa at the balancer" in explained


def test_nothing_of_the_example_is_built_in() -> None:
    allowed = {spec.name for spec in find_checks(plugins=False).allowed()}
    assert "Get-OwaVirtualDirectory" not in allowed
