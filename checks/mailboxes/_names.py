"""How many mailboxes are named: the first ones in the summary, all of them in the evidence."""

from collections.abc import Callable, Iterator, Sequence

from checker import Advice, Cmdlet
from checker.results import Step

__all__ = ["all_of", "count_of", "first_of", "on_each"]

_FIRST = 3
_STEPS = 5
_EVIDENCE = 1_800  # characters of one piece: formats for the eye cut longer ones


def count_of(number: int, looked_at: int) -> str:
    """ "1 of 1 mailbox", "3 of 5,000 mailboxes"."""
    return f"{number:,} of {looked_at:,} mailbox{'' if looked_at == 1 else 'es'}"


def first_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _FIRST
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_FIRST])} and {more:,} more"


def all_of(label: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Evidence that holds every name, in pieces that no format cuts."""
    start, piece, length = 0, list[str](), 0
    for index, name in enumerate(names):
        if piece and length + len(name) > _EVIDENCE:
            yield f"{label} {start + 1} to {index}", ", ".join(piece)
            start, piece, length = index, [], 0
        piece.append(name)
        length += len(name) + 2
    if piece:
        yield (label if start == 0 else f"{label} {start + 1} to {len(names)}"), ", ".join(piece)


def on_each(names: Sequence[str], step: Callable[[str], Cmdlet]) -> list[Step]:
    """A step for each of a few mailboxes; of many, the first as examples and a word about the rest."""
    steps: list[Step] = [step(name) for name in names[:_STEPS]]
    if len(names) > _STEPS:
        rest = len(names) - _STEPS
        steps.append(Advice("administrator", f"Do the same with the {rest:,} others; the evidence names them all."))
    return steps
