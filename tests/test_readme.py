"""What the README shows is what the tool prints."""

import re
from pathlib import Path

from checker.plugins import find_checks
from reports import FORMATS, RenderOptions
from tests.lab_audit import audit

ROOT = Path(__file__).parents[1]


def steady(line: str) -> str:
    """Without what differs from run to run: times and thumbprints."""
    return re.sub(r"\d+\.\d s\b", "N s", re.sub(r"\b[0-9A-F]{40}\b", "THUMBPRINT", line))


def test_the_output_shown_is_real() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").split("```")[1].strip("\n").splitlines()
    printed = str(FORMATS["terminal"].render(audit("broken"), RenderOptions(width=100))).splitlines()
    assert len(shown) > 20
    assert {steady(line) for line in shown} - {"  …"} <= {steady(line) for line in printed}


def test_the_changelog_counts_the_checks() -> None:
    assert f"{len(find_checks(plugins=False).checks)} checks" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_pages_that_the_readme_names_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\((docs/[^)]+)\)", text):
        assert (ROOT / link).exists(), link
