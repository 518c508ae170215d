"""One run of a configuration at a time: the second is refused, with one clear sentence.

The lock is the operating system's, on a file in the user's state folder: it ends with the process that holds it,
however that ends, so a crash leaves nothing that blocks the next run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checker.errors import UserError

__all__ = ["AlreadyRunningError", "lock_folder", "only_one_run"]


class AlreadyRunningError(UserError):
    """Another run of the same configuration is under way."""


def lock_folder() -> Path:
    """Where the locks are: the user's state folder, as the platform has it."""
    import platformdirs

    return platformdirs.user_state_path("mapiready", appauthor=False) / "locks"


@contextmanager
def only_one_run(config: Path | None, folder: Path | None = None) -> Iterator[None]:
    """Holds the lock of a configuration file; runs without one do not exclude each other.

    Raises:
        AlreadyRunningError: another run holds it, or the lock cannot be made.
    """
    if config is None:
        yield
        return
    import filelock

    folder = lock_folder() if folder is None else folder
    config = config.resolve()
    name = hashlib.sha256(str(config).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f"{name}.lock")
        held = lock.acquire(blocking=False)
    except filelock.Timeout:
        raise AlreadyRunningError(
            f"Another run of {config} is under way, so this one did not start. Wait for it, or end it."
        ) from None
    except OSError as error:
        raise AlreadyRunningError(
            f"The lock of {config} cannot be taken in {folder}: {error.strerror or error}."
            " Make that folder writable for this user."
        ) from error
    with held:
        yield
