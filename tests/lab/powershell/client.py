"""pypsrp, as an administrator's program would use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from lab.powershell import Endpoint

__all__ = ["Said", "call", "finished", "session", "wsman"]

COMPLETED, FAILED = 4, 5


@dataclass(frozen=True, slots=True)
class Said:
    """Everything that one pipeline said. Lists in the output are raw XML: pypsrp does not decode them."""

    output: list[Any]
    errors: list[Any]
    warnings: list[str]
    progress: list[Any]
    state: int

    @property
    def texts(self) -> list[str]:
        return [str(item) for item in self.output]


def wsman(endpoint: Endpoint, scheme: str = "https", ca_file: Path | None = None, **options: Any) -> WSMan:
    given: dict[str, Any] = {
        "server": "localhost",
        "port": endpoint.https_port if scheme == "https" else endpoint.http_port,
        "ssl": scheme == "https",
        "auth": "basic" if scheme == "https" else "ntlm",
        "username": "CONTOSO\\audit",
        "password": "Lab-Passw0rd",
        "path": "PowerShell/",
        "cert_validation": str(ca_file) if ca_file else False,
        "no_proxy": True,
        "operation_timeout": 5,
        "read_timeout": 10,
        "connection_timeout": 5,
    }
    return WSMan(**{**given, **options})


@contextmanager
def session(
    endpoint: Endpoint, scheme: str = "http", *, configuration: str = "Microsoft.Exchange", **options: Any
) -> Iterator[RunspacePool]:
    with (
        wsman(endpoint, scheme, **options) as connection,
        RunspacePool(connection, configuration_name=configuration) as opened,
    ):
        yield opened


def call(opened: RunspacePool, cmdlet: str, *arguments: str, **parameters: Any) -> Said:
    """Run one cmdlet; a parameter that is None goes as a switch."""
    pipeline = PowerShell(opened).add_cmdlet(cmdlet)
    for argument in arguments:
        pipeline.add_argument(argument)
    for name, value in parameters.items():
        pipeline.add_parameter(name, value)
    return finished(pipeline)


def finished(pipeline: PowerShell) -> Said:
    """Run a pipeline to its end, whichever that is."""
    output = pipeline.invoke()
    streams = pipeline.streams
    said = Said(
        list(output),
        list(streams.error),
        [str(warning.message) for warning in streams.warning],
        list(streams.progress),
        pipeline.state,
    )
    pipeline.close()
    return said
