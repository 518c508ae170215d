"""The checklist as an Excel workbook: one sheet to filter, one row an item. Every text is written as a text."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

from checker.plan.checklist import Checklist, Item, Section, Tick
from checker.plan.state import FILE
from reports.text import visible

__all__ = ["render"]

_COLUMNS = {
    "section": 30,
    "item": 70,
    "state": 16,
    "by": 12,
    "details": 70,
    "owner": 20,
    "date": 14,
    "note": 40,
    "id": 34,
}
_COLOURS = {
    Tick.DONE: "#1A6E36",
    Tick.FAILED: "#B3261E",
    Tick.OPEN: "#6B3FA0",
    Tick.ACCEPTED: "#525C69",
    Tick.NOT_APPLICABLE: "#525C69",
}
_SIGNS = {
    Tick.DONE: "\u2611",
    Tick.FAILED: "\u2717",
    Tick.OPEN: "\u2610",
    Tick.ACCEPTED: "\u2713",
    Tick.NOT_APPLICABLE: "\u2013",
}
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook knows no zones; a fixed one, so that equal lists are equal files
_LONGEST = 32_000  # a cell holds 32,767 characters


def render(checklist: Checklist) -> bytes:
    """The bytes of the .xlsx file."""
    import xlsxwriter

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as workbook:
        workbook.set_properties({"title": "MAPI over HTTP: checklist", "created": _EPOCH})
        sheet = workbook.add_worksheet("Checklist")
        head = workbook.add_format({"bold": True, "bg_color": "#E4E7EC", "bottom": 1})
        text = workbook.add_format({"text_wrap": True, "valign": "top"})
        title = workbook.add_format({"bold": True, "font_size": 14})
        states = {
            tick: workbook.add_format({"bold": True, "font_color": colour, "valign": "top"})
            for tick, colour in _COLOURS.items()
        }
        sheet.write_string(0, 0, visible(f"Checklist of {checklist.organisation or 'an organisation'}"), title)
        about = f"{checklist.headline}, as of {checklist.judged_at}. Kept by hand in {FILE}, not here."
        sheet.write_string(1, 0, visible(about))
        for column, (name, width) in enumerate(_COLUMNS.items()):
            sheet.set_column(column, column, width)
            sheet.write_string(2, column, name, head)
        items = [item for section in Section for item in checklist.of(section)]
        for row, item in enumerate(items, 3):
            for column, cell in enumerate(_cells(item)):
                sheet.write_string(row, column, cell, states[item.tick] if column == 2 else text)
        sheet.freeze_panes(3, 0)
        sheet.autofilter(2, 0, max(2 + len(items), 3), len(_COLUMNS) - 1)
        _print(sheet)
    return file.getvalue()


def _print(sheet: Any) -> None:
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)


def _cells(item: Item) -> tuple[str, ...]:
    return (
        item.section.value,
        visible(item.title),
        f"{_SIGNS[item.tick]} {item.tick.value}",
        "mapiready" if item.judged else "hand",
        "\n".join(visible(detail) for detail in item.details)[:_LONGEST],
        visible(item.hand.owner),
        visible(item.hand.date),
        visible(item.hand.note, lines=True),
        visible(item.id),
    )
