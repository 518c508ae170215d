"""The collector script, run against a lab's servers, and what it wrote, zipped as Compress-Archive would."""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checker.collector import collector_script
from checker.plugins import find_checks
from lab.collector import Host, host_of
from lab.organisation import RunningLab
from lab.powershell.cmdlet import Call, Cmdlets
from lab.scenario import Server
from tests.collector.interpreter import Interpreter

__all__ = ["Watched", "collect", "zipped"]


@dataclass
class Watched:
    """Put around the cmdlets of a lab: keeps them, and what was asked of them."""

    cmdlets: dict[str, Cmdlets] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __call__(self, server: Server, cmdlets: Cmdlets) -> Cmdlets:
        self.cmdlets[server.fqdn] = cmdlets
        return _Listening(cmdlets, self.calls)


@dataclass(frozen=True)
class _Listening:
    inner: Cmdlets
    calls: list[Call]

    def signature(self, name: str, user: Any) -> Any:
        return self.inner.signature(name, user)

    def run(self, call: Call) -> Any:
        self.calls.append(call)
        return self.inner.run(call)


def collect(
    lab: RunningLab, watched: Watched, path: Path, *, host: Host | None = None, **options: Any
) -> tuple[Interpreter, Path]:
    """Runs the script in the shell of the first server, on its host; gives the folder that it wrote."""
    fqdn = lab.server_names[0]
    server = next(server for server in lab.scenario.servers if server.fqdn == fqdn)
    script = collector_script(find_checks())
    parameters = {name: options.pop(name) for name in ("HostOnly", "Mailboxes") if name in options}
    interpreter = Interpreter(
        watched.cmdlets[fqdn],
        lab.scenario.powershell.users[0],
        server=fqdn,
        host=host or host_of(server),
        now=lab.now,
        **options,
    )
    with contextlib.suppress(KeyboardInterrupt):
        interpreter.run(script, Path=str(path), **parameters)
    (folder,) = (entry for entry in path.iterdir() if entry.is_dir())
    return interpreter, folder


def zipped(folder: Path, *, prefix: str = "") -> Path:
    """The zip beside the folder."""
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in sorted(folder.iterdir()):
            archive.write(entry, prefix + entry.name)
    return file
