"""Where reports go: standard output or files, decided before anything is audited, whole or not at all."""

import io
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from checker.errors import UserError
from checker.output import OutputError, OutputPlan, plan_output, print_text, write_atomically, write_report
from checker.render import diff
from checker.results import ExitCode
from checker.settings import SettingsError
from reports import FORMATS, RenderOptions
from tests.reports.samples import healthy_report, rich_report


def test_where_each_format_goes(tmp_path: Path) -> None:
    html, folder = tmp_path / "r.html", str(tmp_path)
    assert plan_output((), None) == OutputPlan(("terminal",), ())
    assert plan_output(("json",), "-") == OutputPlan(("json",), ())
    assert plan_output((), str(html)) == OutputPlan((), (("html", html),))
    assert plan_output(("json",), str(html)) == OutputPlan((), (("json", html),))
    assert plan_output(("terminal", "html", "json"), folder) == OutputPlan(
        ("terminal",), (("html", tmp_path / "mapiready-report.html"), ("json", tmp_path / "mapiready-report.json"))
    )
    assert plan_output((), folder).files == (
        ("html", tmp_path / "mapiready-report.html"),
        ("json", tmp_path / "mapiready-report.json"),
    )
    new = tmp_path / "reports"
    assert plan_output(("html",), f"{new}/").files == (("html", new / "mapiready-report.html"),)
    assert new.is_dir()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_to_the_file_that_is_named_by_its_ending(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"contoso{FORMATS[name].suffix.upper()}"
    assert plan_output((), str(file)) == OutputPlan((), ((name, file),))


def test_every_format_has_a_file_of_its_own_in_a_folder(tmp_path: Path) -> None:
    plan = plan_output(tuple(FORMATS), str(tmp_path))
    assert plan.stdout == ("terminal",)
    assert len({path for _, path in plan.files}) == len(plan.files) == len(FORMATS) - 1


def test_bytes_are_refused_by_a_terminal_and_pass_through_a_pipe() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with redirect_stdout(Terminal()), pytest.raises(SettingsError, match="--output FILE"):
        plan_output(("xlsx",), None)
    pipe = io.BytesIO()
    console = io.TextIOWrapper(pipe, encoding="cp1252")
    with redirect_stdout(console):
        assert plan_output(("xlsx",), None) == OutputPlan(("xlsx",), ())
        print_text(b"PK\r\n\xff")
    assert pipe.getvalue() == b"PK\r\n\xff"
    with redirect_stdout(io.StringIO()), pytest.raises(OutputError, match="--output FILE"):
        print_text(b"PK")


def test_a_format_that_cannot_be_put_together_is_told_and_the_report_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def render(name: str, _options: RenderOptions) -> str:
        if name == "xlsx":
            raise OSError(28, "No space left on device")
        return "the report"

    with pytest.raises(OutputError, match=r"r\.xlsx could not be written: No space left on device\."):
        write_report(OutputPlan((), (("xlsx", tmp_path / "r.xlsx"),)), render, RenderOptions())
    assert capfd.readouterr().out == "the report\n"


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "report.xlsx"
    write_report(OutputPlan((), (("xlsx", file),)), lambda _name, _options: b"PK\n\r\n", RenderOptions())
    assert file.read_bytes() == b"PK\n\r\n"


def test_csv_keeps_its_line_ends_and_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    write_report(OutputPlan((), (("csv", file),)), lambda _name, _options: "\ufeffa\r\n", RenderOptions())
    assert file.read_bytes() == b"\xef\xbb\xbfa\r\n"


def reports(folder: Path) -> tuple[str, str]:
    from reports.json_report import render

    good, bad = folder / "before.json", folder / "after.json"
    good.write_text(render(healthy_report()), encoding="utf-8")
    bad.write_text(render(rich_report()), encoding="utf-8")
    return str(good), str(bad)


def test_two_files_are_compared(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    good, bad = reports(tmp_path)
    assert diff(good, bad, (), None) == (ExitCode.NOT_READY, ())
    assert capfd.readouterr().out.startswith("WORSE   contoso.test\n")
    assert diff(bad, bad, ("json",), "-") == (ExitCode.OK, ())
    assert '"headline": "UNCHANGED"' in capfd.readouterr().out
    assert diff(good, bad, (), str(tmp_path / "what.html")) == (ExitCode.NOT_READY, (tmp_path / "what.html",))
    _, written = diff(good, bad, ("html", "json"), f"{tmp_path}/both/")
    assert [path.name for path in written] == ["mapiready-diff.html", "mapiready-diff.json"]
    assert '"got_worse": true' in written[1].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("files", "formats", "named"),
    [
        (("-", "-"), (), "Only one of the two reports"),
        (("none.json", "after.json"), (), r"none\.json cannot be read"),
        (("before.json", "after.json"), ("xlsx",), "--format must be one of terminal, html, json; 'xlsx' is not"),
        (("before.json", "text.txt"), (), r"text\.txt: This is no report"),
        (("before.json", "changes.json"), (), r"changes\.json: This is no report but what changed"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    tmp_path: Path, files: tuple[str, str], formats: tuple[str, ...], named: str
) -> None:
    diff(*reports(tmp_path), (), str(tmp_path / "changes.json"))
    (tmp_path / "text.txt").write_text("no report", encoding="utf-8")
    before, after = (file if file == "-" else str(tmp_path / file) for file in files)
    with pytest.raises(UserError, match=named):
        diff(before, after, formats, None)


@pytest.mark.parametrize(
    ("formats", "output", "named"),
    [
        (("html", "json"), None, "--output FOLDER"),
        ((), "report.docx", "--format"),
        ((), "report.xml", "--format"),
        (("docx",), None, "--format must be one of terminal"),
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
