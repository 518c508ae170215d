"""mapiready's framework: the words that a check, and a plugin's author, imports.

They are loaded when first used, so that a command that needs none of them (`mapiready --help`) does not wait for them;
whoever checks types sees them as ordinary imports.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker.answers import (
        CmdletAnswer,
        CmdletCall,
        CmdletRunner,
        CmdletSpec,
        Collected,
        HttpAnswer,
        Layer,
        Missing,
        Network,
        NotCollected,
        PSObject,
        Reason,
        Target,
        need,
    )
    from checker.declare import CheckInfo, Outcome, Over, check, fact
    from checker.gathering import gather_each
    from checker.results import (
        Advice,
        Category,
        Cmdlet,
        Severity,
        Stage,
        Status,
        Subject,
        SubjectKind,
        Verdict,
        failed,
        not_applicable,
        passed,
    )

__version__ = "0.1.0"

__all__ = [
    "Advice",
    "Category",
    "CheckInfo",
    "Cmdlet",
    "CmdletAnswer",
    "CmdletCall",
    "CmdletRunner",
    "CmdletSpec",
    "Collected",
    "HttpAnswer",
    "Layer",
    "Missing",
    "Network",
    "NotCollected",
    "Outcome",
    "Over",
    "PSObject",
    "Reason",
    "Severity",
    "Stage",
    "Status",
    "Subject",
    "SubjectKind",
    "Target",
    "Verdict",
    "check",
    "fact",
    "failed",
    "gather_each",
    "need",
    "not_applicable",
    "passed",
]

_HOMES = ("checker.answers", "checker.declare", "checker.gathering", "checker.results")

if not TYPE_CHECKING:
    # Hidden from type checkers, to which it would make every name one of ours.
    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in __all__:
            for home in map(import_module, _HOMES):
                if name in home.__all__:
                    globals()[name] = value = getattr(home, name)
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
