"""What there is to read about the checks: the list, the explanation of one, the pages of docs/checks."""

from __future__ import annotations

import sys
from pathlib import Path

from checker.declare import Check
from checker.plugins import Registry, find_checks
from checker.results import Stage
from checker.runner import SelectionError, words

__all__ = ["explain_text", "list_text", "page", "write_pages"]


def list_text(registry: Registry) -> str:
    """Every check by category, with its severity, stages, facts and cmdlets; then the whole allow-list."""
    lines: list[str] = []
    category = None
    for check in sorted(registry.checks.values(), key=lambda check: (check.info.category.value, check.info.id)):
        if check.info.category is not category:
            category = check.info.category
            lines += ["", category.value]
        stages = "" if check.info.stages == frozenset(Stage) else f", {_stages(check)} only"
        lines.append(f"  {check.info.id}  ({check.info.severity.value}{stages})")
        lines.append(f"      {check.title}")
        lines.append(f"      needs {', '.join(words(need.type) for need in check.needs)}")
        cmdlets = sorted({spec.name for source in registry.facts_behind([check]) for spec in source.cmdlets})
        if cmdlets:
            lines.append(f"      sends {', '.join(cmdlets)}")
    lines += ["", "Cmdlets and parameters that may be sent; everything else is refused before it leaves this machine:"]
    for spec in registry.allowed():
        lines.append(f"  {' '.join((spec.name, *(f'-{parameter}' for parameter in spec.parameters)))}")
    lines += [f"! {problem}" for problem in registry.problems]
    return "\n".join(lines).lstrip("\n") + "\n"


def _find(registry: Registry, check_id: str) -> Check:
    check = registry.checks.get(check_id.strip().casefold())
    if check is None:
        import difflib

        near = difflib.get_close_matches(check_id, registry.checks, n=3)
        hint = f" Do you mean {', '.join(near)}?" if near else " 'mapiready list' shows them."
        raise SelectionError(f"There is no check {check_id!r}.{hint}")
    return check


def _stages(check: Check) -> str:
    return " and ".join(stage.value for stage in Stage if stage in check.info.stages)


def _parts(check: Check) -> tuple[tuple[str, str], ...]:
    info = check.info
    return (
        ("Why it matters", info.why),
        ("How it is judged", info.how),
        ("How to mend it", info.mend),
        ("How to undo that", info.undo),
    )


def explain_text(registry: Registry, check_id: str) -> str:
    """The explanation of one check, as plain text.

    Raises:
        SelectionError: there is no such check; the sentence offers the nearest ones.
    """
    import textwrap

    check = _find(registry, check_id)
    lines = [check.info.id, check.title, f"{check.info.severity.value}, {check.info.category.value}, {_stages(check)}"]
    for heading, text in _parts(check):
        lines += ["", heading, *textwrap.wrap(text, 96, initial_indent="  ", subsequent_indent="  ")]
    lines += ["", "Sources", *(f"  {source}" for source in check.info.sources)]
    return "\n".join(lines) + "\n"


def page(check: Check) -> str:
    """The page of a check for docs/checks, as Markdown."""
    info = check.info
    lines = [
        f"# {info.id}",
        "",
        f"**{check.title}**",
        "",
        f"Severity: {info.severity.value} · category: {info.category.value} · stage: {_stages(check)}",
    ]
    for heading, text in _parts(check):
        lines += ["", f"## {heading}", "", text]
    lines += ["", "## Sources", "", *(f"- <{source}>" for source in info.sources)]
    return "\n".join(lines) + "\n"


def write_pages(folder: Path) -> None:
    """Writes the page of each built-in check into a folder, and removes the pages of checks that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    checks = find_checks(plugins=False).checks
    for check in checks.values():
        (folder / f"{check.info.id}.md").write_text(page(check), encoding="utf-8", newline="\n")
    for file in folder.glob("*.md"):
        if file.stem not in checks:
            file.unlink()


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
