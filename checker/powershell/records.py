"""What a pipeline says besides its objects: error records and warnings, live or from a snapshot; and the tap.

Nothing of pypsrp is known here, and no connection is made.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias

from checker.answers import CmdletCall, CmdletError, Layer, NotCollected, PSObject, PSValue, Reason
from checker.powershell.failures import one_line

__all__ = ["MOST_RECORDS", "Heard", "Stream", "Tap", "read_error", "read_warning", "terminated"]

MOST_RECORDS: Final = 100
"""Errors and warnings of one cmdlet that are read; more tell nothing new."""
_MOST_MESSAGE: Final = 2000


class Stream(Enum):
    """What a message of a pipeline holds (MS-PSRP 2.2.2). The values are permanent: they stand in snapshots."""

    OUTPUT = "output"  # PIPELINE_OUTPUT: one object
    ERROR = "error"  # ERROR_RECORD
    WARNING = "warning"  # WARNING_RECORD
    STATE = "state"  # PIPELINE_STATE: how it ended, with the terminating error


Heard: TypeAlias = Callable[[Stream, str], None]
"""Is told of each message as it came (CLIXML), in the session's thread. It must not raise."""
Tap: TypeAlias = Callable[[], Heard]
"""Called for each attempt at a cmdlet: what an attempt before it said is void."""

# System.Management.Automation.ErrorCategory, by number
_CATEGORIES: Final = (
    "NotSpecified",
    "OpenError",
    "CloseError",
    "DeviceError",
    "DeadlockDetected",
    "InvalidArgument",
    "InvalidData",
    "InvalidOperation",
    "InvalidResult",
    "InvalidType",
    "MetadataError",
    "NotImplemented",
    "NotInstalled",
    "ObjectNotFound",
    "OperationStopped",
    "OperationTimeout",
    "SyntaxError",
    "ParserError",
    "PermissionDenied",
    "ResourceBusy",
    "ResourceExists",
    "ResourceUnavailable",
    "ReadError",
    "WriteError",
    "FromStdErr",
    "SecurityError",
    "ProtocolError",
    "ConnectionError",
    "AuthenticationError",
    "LimitsExceeded",
    "QuotaExceeded",
    "NotEnabled",
)


def read_error(record: PSObject) -> CmdletError:
    """An ErrorRecord, told by its id and category."""
    properties = record.properties
    category = properties.get("ErrorCategory_Category")
    exception = properties.get("Exception")
    message = exception.properties.get("Message") if isinstance(exception, PSObject) else None
    known = isinstance(category, int) and 0 <= category < len(_CATEGORIES)
    target = properties.get("ErrorCategory_TargetName")
    return CmdletError(
        error_id=_text(properties.get("FullyQualifiedErrorId")),
        category=_CATEGORIES[category] if known and isinstance(category, int) else _CATEGORIES[0],
        message=_text(message) or _text(properties.get("ErrorCategory_Message")) or (record.text or "")[:_MOST_MESSAGE],
        target=_text(target) or None,
        exception_types=exception.types[:20] if isinstance(exception, PSObject) else (),
    )


def read_warning(value: PSValue) -> str:
    """The text of a warning."""
    if not isinstance(value, PSObject):
        return str(value)[:_MOST_MESSAGE]
    message = value.properties.get("InformationalRecord_Message")
    return (message if isinstance(message, str) else value.text or "")[:_MOST_MESSAGE]


def _text(value: PSValue) -> str:
    return value[:_MOST_MESSAGE] if isinstance(value, str) else ""


def terminated(call: CmdletCall, server: str, who: str, error: CmdletError | None) -> NotCollected:
    """A terminating error; told by its id, whose first part the engine never translates."""
    kind = error.error_id.partition(",")[0] if error else ""
    if kind == "CommandNotFoundException":
        return NotCollected(
            Reason.CMDLET_UNKNOWN,
            f"{server} does not offer {call.name} to {who}: its version of Exchange does not have it, or no"
            f" management role of the user grants it (Get-ManagementRole -Cmdlet {call.name} tells which would).",
            Layer.CMDLET,
        )
    if kind in ("NamedParameterNotFound", "AmbiguousParameter"):
        names = ", ".join(f"-{name}" for name, _ in call.parameters)
        return NotCollected(
            Reason.PARAMETER_UNKNOWN,
            f"{call.name} on {server} does not have one of the parameters {names}: its version of Exchange does not"
            " know it, or no management role of the user grants it.",
            Layer.CMDLET,
        )
    said = f": {one_line(error.message)}" if error and error.message else ", and did not say why."
    return NotCollected(Reason.CMDLET_ERROR, f"{call.name} failed on {server}{said}", Layer.CMDLET)
