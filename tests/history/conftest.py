"""A real PostgreSQL of our own on loopback: Debian's package, its programs below /usr/lib/postgresql."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.reports.needed import missing

PASSWORD = "Hist0ry-Passw0rd"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server; `url` is one without a password."""

    programs: Path
    folder: Path
    port: int
    account: tuple[str, ...]

    @property
    def options(self) -> str:
        # What the machine's own crash would cost is PostgreSQL's business: nothing waits for the disk.
        return f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self.account, str(self.programs / program), *words],
            env={**os.environ, "PGPASSWORD": PASSWORD, "LC_ALL": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout.decode()

    def create(self, database: str) -> str:
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mapiready", database)
        return f"postgresql://mapiready@127.0.0.1:{self.port}/{database}"

    def query(self, url: str, text: str) -> None:
        database = url.rpartition("/")[2]
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "mapiready", "-d", database]
        self.run("psql", *words, "-v", "ON_ERROR_STOP=1", *(word for line in text.split("; ") for word in ("-c", line)))

    def control(self, *words: str) -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", *words)


def _programs() -> Path:
    folders: Sequence[Path] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if folders:
        return folders[-1]
    found = shutil.which("initdb")
    if found is None:
        missing("PostgreSQL (initdb)")
    return Path(str(found)).resolve().parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if os.name != "posix":
        pytest.skip("the private cluster is made as on Linux")
    programs = _programs()
    # PostgreSQL refuses to run as root.
    account: tuple[str, ...] = ()
    folder = Path(tempfile.mkdtemp(prefix="mapiready-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        account = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        shutil.chown(folder, "nobody", "nogroup")
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o644)
    running = Cluster(programs, folder, free_port(), account)
    try:
        data = str(folder / "data")
        running.run(
            "initdb", "-D", data, "-U", "mapiready", "--auth=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        running.control("-o", running.options, "start")
        try:
            yield running
        finally:
            running.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_numbers = count(1)


@pytest.fixture
def postgresql(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database; the password is in the environment."""
    monkeypatch.setenv("MAPIREADY_HISTORY_PASSWORD", PASSWORD)
    return cluster.create(f"history{next(_numbers)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """--history of an empty history, of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "runs.db")
    found = request.getfixturevalue("postgresql")
    assert isinstance(found, str)
    return found
