"""Programs started as somebody who may not read everything: root, too, but without that right."""

from __future__ import annotations

import os
import sys

from tests.reports.needed import program

__all__ = ["python"]

_RIGHTS = "-dac_override,-dac_read_search"


def python() -> tuple[str, ...]:
    """The first words of a command: this Python, for which the permissions of files hold."""
    if getattr(os, "geteuid", lambda: 1)() != 0:
        return (sys.executable,)
    setpriv = program("setpriv")
    return (setpriv, f"--inh-caps={_RIGHTS}", f"--bounding-set={_RIGHTS}", "--", sys.executable)
