"""Tools that a test needs and a machine may lack: skipped with a word, never where CI=true."""

from __future__ import annotations

import importlib
import os
import shutil
from types import ModuleType

import pytest


def missing(what: str) -> None:
    """Skips the test; in CI it fails instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed, and CI must have it")
    pytest.skip(f"{what} is not installed")


def module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"the Python package {name}")
        raise


def program(name: str) -> str:
    """Where it is."""
    found = shutil.which(name)
    if found is None:
        missing(name)
    return str(found)
