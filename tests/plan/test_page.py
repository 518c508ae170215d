"""The checklist in a browser: no sideways scrolling on a telephone, readable on paper and in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.plan.checklist import make_checklist
from checker.plan.state import Hand
from checker.results import Report
from reports.checklist.html import render
from tests.reports.needed import missing, module
from tests.reports.samples import hostile_report, rich_report
from tests.reports.test_browser import ARGUMENTS, NAMES


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        missing("Chromium")
    with module("playwright.sync_api").sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


@pytest.mark.parametrize("report", [rich_report(), hostile_report()], ids=["rich", "hostile"])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light")])
def test_the_page_fits_and_complains_of_nothing(
    browser: Any, tmp_path: Path, report: Report, width: int, scheme: str
) -> None:
    hand = Hand(True, "Jane Doe", "2026-12-01", "a long note " * 20)
    file = tmp_path / "checklist.html"
    file.write_text(render(make_checklist(report, {"pilot": hand})), encoding="utf-8")
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url) if request.url != file.as_uri() else None)
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".item").count() == len(make_checklist(report, {}).items)
    found = module("axe_playwright_python.sync_playwright").Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()
    assert [complaint for complaint in complaints if not complaint.startswith("data:")] == []
