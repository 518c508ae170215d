"""The lab knows nothing of the tool that audits it (law 19)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).parents[2] / "lab"
TOOL = {"checker", "checks", "reports", "tests"}


def test_no_file_of_the_lab_imports_the_tool() -> None:
    files = sorted(LAB.rglob("*.py"))
    assert len(files) > 8
    found = [
        f"{file.relative_to(LAB)}: {name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in _imported(node)
        if name.partition(".")[0] in TOOL
    ]
    assert found == []


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case _:
            return []


def test_importing_the_scenarios_is_light() -> None:
    code = "import sys, lab.organisation; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=LAB.parent, capture_output=True, text=True, check=True)
    heavy = {"cryptography", "h11", "dns", "psrpcore", "spnego", "httpx", "pypsrp"} | TOOL
    assert heavy.intersection(name.partition(".")[0] for name in done.stdout.split()) == set()
