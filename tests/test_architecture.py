"""The laws about who may import what, and about what every check must bring."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from checker.declare import Check
from checker.plugins import find_checks
from checker.results import Cmdlet

ROOT = Path(__file__).parents[1]
CONNECTIONS = {"httpx", "pypsrp", "ssl", "socket", "subprocess", "requests", "urllib3", "OpenSSL", "dns", "spnego"}
CLOCKS = {("time", "time"), ("time", "monotonic"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
REGISTRY = find_checks(plugins=False)


def files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions; type-checking imports too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def own_file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def reach(file: Path) -> dict[str, Path]:
    """Every module that is imported by a file or by our own modules behind it, with the file that imports it."""
    found: dict[str, Path] = {}
    todo = [file]
    seen = set()
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for module in imported(current):
            found.setdefault(module, current)
            own = own_file(module)
            if own is not None:
                todo.append(own)
    return found


@pytest.mark.parametrize(
    "file", files("checks", "reports", "checker/facts"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_judging_and_rendering_reach_no_connection(file: Path) -> None:
    reached = {module: by for module, by in reach(file).items() if module.split(".")[0] in CONNECTIONS}
    assert not reached


@pytest.mark.parametrize(
    "file", files("checks", "reports", "checker/facts"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_judging_and_rendering_read_no_clock(file: Path) -> None:
    calls = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert not calls & CLOCKS


@pytest.mark.parametrize("file", files("lab"), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_lab_knows_nothing_of_the_tool(file: Path) -> None:
    assert not [module for module in imported(file) if module.split(".")[0] in {"checker", "checks", "reports"}]


def test_the_walk_really_finds_a_connection() -> None:
    assert "pypsrp" in {module.split(".")[0] for module in reach(ROOT / "checker" / "powershell" / "session.py")}


@pytest.fixture(params=REGISTRY.checks.values(), ids=lambda check: str(check.info.id))
def check(request: pytest.FixtureRequest) -> Check:
    found = request.param
    assert isinstance(found, Check)
    return found


def test_the_file_of_a_check_bears_its_id_and_lies_in_its_category(check: Check) -> None:
    _, folder, file = check.module.split(".")
    assert file == check.info.id.replace("-", "_")
    assert folder == check.info.category.value.replace("-", "_")


def test_a_check_has_a_test_of_its_own(check: Check) -> None:
    _, folder, file = check.module.split(".")
    assert (ROOT / "tests" / "checks" / folder / f"test_{file}.py").is_file()


def test_a_check_explains_itself(check: Check) -> None:
    module = importlib.import_module(check.module)
    assert module.__doc__
    assert check.title.endswith(".")
    for text in (check.info.why, check.info.how, check.info.mend, check.info.undo):
        assert len(text) > 30
        assert text == text.strip()


def test_the_page_of_a_check_is_as_the_check_says(check: Check) -> None:
    from checker.catalogue import page

    file = ROOT / "docs" / "checks" / f"{check.info.id}.md"
    assert file.is_file(), "run: make docs"
    assert file.read_text(encoding="utf-8") == page(check), "run: make docs"


def test_no_page_is_left_of_a_check_that_is_gone() -> None:
    assert {file.stem for file in (ROOT / "docs" / "checks").glob("*.md")} == set(REGISTRY.checks)


def test_only_get_and_test_cmdlets_are_ever_sent() -> None:
    allowed = REGISTRY.allowed()
    assert {spec.name.split("-")[0] for spec in allowed} == {"Get", "Test"}
    sent = {parameter.casefold() for spec in allowed for parameter in spec.parameters}
    assert "includealternateserviceaccountcredentialpassword" not in sent


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = (
        "{'httpx', 'pypsrp', 'rich', 'cryptography', 'jinja2', 'OpenSSL', 'requests', 'asyncio', 'keyring', 'dns',"
        " 'sqlalchemy', 'alembic', 'spnego', 'cattrs', 'xlsxwriter', 'msal', 'apprise'}"
    )
    program = f"import sys, checker.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = ast.literal_eval(done.stdout)
    by_typer = subprocess.run(
        [sys.executable, "-c", f"import sys, typer; print(sorted({heavy} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert set(loaded) <= set(ast.literal_eval(by_typer.stdout))


def test_a_cmdlet_step_keeps_its_parameters_in_order() -> None:
    step = Cmdlet("Set-MapiVirtualDirectory", Identity="EX01\\mapi", InternalUrl="https://mail.contoso.test/mapi")
    assert [name for name, _ in step.parameters] == ["Identity", "InternalUrl"]
