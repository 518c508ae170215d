"""The formats of a comparison of two reports: found here by name, loaded when first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker.comparing import Comparison
    from reports import RenderOptions

__all__ = ["COMPARISON_FORMATS", "ComparisonFormat"]


@dataclass(frozen=True, slots=True)
class ComparisonFormat:
    """A format: the ending of its files, and its writer."""

    suffix: str
    render: Callable[[Comparison, RenderOptions], str]
    binary: bool = False


def _terminal(comparison: Comparison, options: RenderOptions) -> str:
    from reports.comparison.terminal import render

    return render(
        comparison,
        width=options.width,
        colour=options.colour,
        verbose=options.verbose,
        ascii_only=options.ascii_only,
    )


def _html(comparison: Comparison, _options: RenderOptions) -> str:
    from reports.comparison.html import render

    return render(comparison)


def _json(comparison: Comparison, _options: RenderOptions) -> str:
    from reports.comparison.json_comparison import render

    return render(comparison)


COMPARISON_FORMATS: Mapping[str, ComparisonFormat] = MappingProxyType({
    "terminal": ComparisonFormat(".txt", _terminal),
    "html": ComparisonFormat(".html", _html),
    "json": ComparisonFormat(".json", _json),
})  # fmt: skip
