"""Checks of others: found by their entry point, with facts and cmdlets of their own; a broken one costs only itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]

PLUGIN = '''
"""The organisation has a name that is not empty."""

from dataclasses import dataclass

from checker import Category, CheckInfo, CmdletCall, CmdletRunner, CmdletSpec, NotCollected, Severity, Verdict
from checker import check, fact, failed, passed

SPEC = CmdletSpec("Get-AcceptedDomain", ("DomainController",))


@dataclass(frozen=True, slots=True)
class Domains:
    count: int


@fact(cmdlets=(SPEC,))
async def domains(shell: CmdletRunner) -> Domains | NotCollected:
    answer = await shell.run(CmdletCall.of("Get-AcceptedDomain"))
    return answer if isinstance(answer, NotCollected) else Domains(len(answer.objects))


INFO = CheckInfo(id="acme-domains", severity=Severity.ADVICE, category=Category.OTHER, why="Mail needs a domain.",
                 how="Counts them.", mend="Add one.", undo="Remove it.", sources=("https://example.com/",))


@check(INFO)
def judge(domains: Domains) -> Verdict:
    if domains.count:
        return passed(f"{domains.count} domains")
    return failed("none", found=None, expected="one", remedy=())
'''


def install(folder: Path, name: str, code: str) -> None:
    """A package as pip leaves it: the module, and its metadata with the entry point."""
    (folder / f"{name}.py").write_text(dedent(code), encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[mapiready.checks]\n{name} = {name}\n", encoding="utf-8")


def found(folder: Path) -> dict[str, list[str]]:
    """What a fresh interpreter finds with this folder installed."""
    program = (
        "import json; from checker.plugins import find_checks; r = find_checks();"
        "print(json.dumps({'checks': list(r.checks), 'problems': list(r.problems),"
        "'allowed': [s.name for s in r.allowed()]}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    result: dict[str, list[str]] = json.loads(done.stdout)
    return result


def test_a_plugin_adds_a_check_with_a_fact_and_a_cmdlet_of_its_own(tmp_path: Path) -> None:
    install(tmp_path, "acme_mapi", PLUGIN)
    result = found(tmp_path)
    assert "acme-domains" in result["checks"]
    assert "Get-AcceptedDomain" in result["allowed"]
    assert result["problems"] == []


def test_a_broken_plugin_is_named_and_costs_only_itself(tmp_path: Path) -> None:
    install(tmp_path, "acme_mapi", PLUGIN)
    install(tmp_path, "acme_broken", "raise RuntimeError('no licence')")
    install(
        tmp_path,
        "acme_writer",
        PLUGIN.replace("Get-AcceptedDomain", "Set-AcceptedDomain").replace("acme-domains", "acme-writes"),
    )
    install(tmp_path, "acme_twin", PLUGIN)
    result = found(tmp_path)
    assert "acme-domains" in result["checks"]
    assert "acme-writes" not in result["checks"]
    assert len(result["problems"]) == 3
    assert any("acme_broken" in problem and "no licence" in problem for problem in result["problems"])
    assert any("acme_writer" in problem and "Get and Test" in problem for problem in result["problems"])
    assert any("acme_twin" in problem and "acme-domains" in problem for problem in result["problems"])


def test_a_foreign_package_in_the_way_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "checker", "list"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "hides mapiready's own" in done.stderr
    assert "pipx" in done.stderr
