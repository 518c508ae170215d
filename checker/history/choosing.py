"""Which history `mapiready history` is about: --history, else that of --config, else the one of the user."""

from __future__ import annotations

from pathlib import Path

from checker.history.location import HistoryLocationError, Location, parse_location

__all__ = ["chosen_location"]


def chosen_location(history: str | None, config: Path | None) -> Location:
    """The place of the history.

    Raises:
        HistoryLocationError: the option does not say where, or the file names none, or several.
        SettingsError: the file cannot be used.
    """
    if history is not None:
        return parse_location(history)
    if config is None:
        return parse_location("default")
    from checker.settings import load_organisations

    named = {settings.history for _, settings in load_organisations({}, config)} - {None}
    if len(named) != 1:
        how_many = "several" if named else "none"
        raise HistoryLocationError(f"{config} names {how_many} for its history: say which with --history FILE|URL.")
    (only,) = named
    assert only is not None
    return parse_location(only)
