"""Where reports go: standard output or files, decided before anything is audited, whole or not at all."""

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from checker.output import OutputError, OutputPlan, plan_output, print_text, write_atomically, write_report
from checker.settings import SettingsError
from reports import RenderOptions


def test_where_each_format_goes(tmp_path: Path) -> None:
    html, folder = tmp_path / "r.html", str(tmp_path)
    assert plan_output((), None) == OutputPlan(("terminal",), ())
    assert plan_output(("json",), "-") == OutputPlan(("json",), ())
    assert plan_output((), str(html)) == OutputPlan((), (("html", html),))
    assert plan_output(("json",), str(html)) == OutputPlan((), (("json", html),))
    assert plan_output(("terminal", "html", "json"), folder) == OutputPlan(
        ("terminal",), (("html", tmp_path / "mapiready-report.html"), ("json", tmp_path / "mapiready-report.json"))
    )
    new = tmp_path / "reports"
    assert plan_output(("html",), f"{new}/").files == (("html", new / "mapiready-report.html"),)
    assert new.is_dir()


@pytest.mark.parametrize(
    ("formats", "output", "named"),
    [
        (("html", "json"), None, "--output FOLDER"),
        ((), "report.docx", "--format"),
        (("html",), "none/such/report.html", "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_audit(
    tmp_path: Path, formats: tuple[str, ...], output: str | None, named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        plan_output(formats, output and str(tmp_path / output))


def test_a_file_is_written_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old", encoding="utf-8")
    plan = OutputPlan((), (("json", file),))
    assert write_report(plan, lambda name, _options: f"{name} ü \ud800", RenderOptions()) == (file,)
    assert file.read_text(encoding="utf-8") == "json ü \\ud800\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_write_that_fails_leaves_the_old_file_and_says_where(tmp_path: Path) -> None:
    folder = tmp_path / "report.html"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"report\.html"):
        write_atomically(folder, "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_is_shown_and_the_others_are_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone, good = tmp_path / "gone" / "report.html", tmp_path / "report.json"
    plan = OutputPlan((), (("html", gone), ("json", good)))
    with pytest.raises(OutputError, match="gone"):
        write_report(plan, lambda name, _options: f"the report as {name}", RenderOptions())
    assert good.read_text(encoding="utf-8") == "the report as json\n"
    assert capfd.readouterr().out == "the report as terminal\n"


def test_a_pipe_gets_utf_8_whatever_the_locale() -> None:
    pipe = io.BytesIO()
    console = io.TextIOWrapper(pipe, encoding="cp1252")
    with redirect_stdout(console):
        print_text("✗ not ready")
    assert pipe.getvalue() == "✗ not ready\n".encode()


def test_a_reader_that_goes_away_is_no_failure() -> None:
    import subprocess

    program = "from checker.output import print_text; print_text('x' * 1_000_000); print_text('y')"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env={**os.environ},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 0
    assert errors == b""
