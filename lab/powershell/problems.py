"""The errors of Exchange's remote PowerShell: ids and categories that never change, texts in two languages.

Sources: System.Management.Automation (ids of the engine), [MS-WSMV] and wsmerror.h (fault codes), transcripts of
Exchange 2013 and 2016 for the "[Server=…,RequestId=…,TimeStamp=…] [FailureCategory=…]" prefix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from lab.powershell.cmdlet import Category, Problem

__all__ = [
    "Fault",
    "Stamp",
    "access_denied",
    "command_not_found",
    "command_unknown",
    "iis_refused",
    "iis_unreachable",
    "not_a_configuration",
    "object_not_found",
    "operation_timed_out",
    "parameter_missing",
    "parameter_not_found",
    "probe_not_found",
    "scripts_not_allowed",
    "server_unreachable",
    "shell_not_found",
    "too_many_shells",
    "wsman_fault",
]

_GERMAN: Mapping[str, str] = {
    "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.": (
        "Die Syntax wird von diesem Runspace nicht unterstützt. Der Grund kann sein, dass er sich im"
        " No-Language-Modus befindet."
    ),
    "The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check"
    " the spelling of the name, or if a path was included, verify that the path is correct and try again.": (
        'Die Benennung "{0}" wurde nicht als Name eines Cmdlet, einer Funktion, einer Skriptdatei oder eines'
        " ausführbaren Programms erkannt. Überprüfen Sie die Schreibweise des Namens, oder ob der Pfad korrekt ist"
        " (sofern enthalten), und wiederholen Sie den Vorgang."
    ),
    "A parameter cannot be found that matches parameter name '{0}'.": (
        'Es wurde kein Parameter gefunden, der dem Parameternamen "{0}" entspricht.'
    ),
    "Cannot process command because of one or more missing mandatory parameters: {0}.": (
        "Der Befehl kann nicht verarbeitet werden, da mindestens ein erforderlicher Parameter fehlt: {0}."
    ),
    "The operation couldn't be performed because object '{0}' couldn't be found on '{1}'.": (
        'Der Vorgang konnte nicht durchgeführt werden, da das Objekt "{0}" nicht auf "{1}" gefunden wurde.'
    ),
    "The task wasn't able to connect to IIS on the server '{0}'. Make sure that the server exists and can be reached"
    " from this computer: The RPC server is unavailable.": (
        'Die Aufgabe konnte keine Verbindung mit IIS auf dem Server "{0}" herstellen. Stellen Sie sicher, dass der'
        " Server vorhanden und von diesem Computer aus erreichbar ist: Der RPC-Server ist nicht verfügbar."
    ),
    "An IIS directory entry couldn't be created. The error message is Access is denied.\r\n. HResult = -2147024891": (
        "Ein IIS-Verzeichniseintrag konnte nicht erstellt werden. Die Fehlermeldung lautet Zugriff verweigert\r\n."
        " HRESULT = -2147024891"
    ),
    "An error occurred while trying to run the probe on server '{0}': The RPC server is unavailable.": (
        'Fehler beim Ausführen des Tests auf dem Server "{0}": Der RPC-Server ist nicht verfügbar.'
    ),
    "Could not find the probe '{0}' on server '{1}'.": ('Der Test "{0}" wurde auf dem Server "{1}" nicht gefunden.'),
    "Access is denied.": "Zugriff verweigert",
    "The WS-Management service cannot process the request. This user is allowed a maximum number of {0} concurrent"
    " shells, which has been exceeded. Close existing shells or raise the quota for this user.": (
        "Der WS-Verwaltungsdienst kann die Anforderung nicht verarbeiten. Die maximale Anzahl von {0} gleichzeitigen"
        " Shells für diesen Benutzer wurde überschritten. Schließen Sie vorhandene Shells, oder erhöhen Sie das"
        " Kontingent für diesen Benutzer."
    ),
    "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.": (
        "Der WS-Verwaltungsdienst konnte den Vorgang nicht innerhalb der in OperationTimeout angegebenen Zeit"
        " abschließen."
    ),
    "The request for the Windows Remote Shell with ShellId {0} failed because the shell was not found on the server."
    " Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. Provide the"
    " correct ShellId or create a new shell and retry the operation.": (
        "Fehler bei der Anforderung der Windows-Remoteshell mit der ShellId {0}: Die Shell wurde auf dem Server nicht"
        " gefunden."
    ),
    "The request for the Windows Remote Shell with ShellId {0} failed because the command {1} was not found.": (
        "Fehler bei der Anforderung der Windows-Remoteshell mit der ShellId {0}: Der Befehl {1} wurde nicht gefunden."
    ),
    "The WS-Management service cannot process the request. The resource URI ({0}) was not found in the WS-Management"
    " catalog. The catalog contains the metadata that describes resources, or logical endpoints.": (
        "Die Anforderung kann vom WS-Verwaltungsdienst nicht verarbeitet werden. Der Ressourcen-URI ({0}) wurde im"
        " WS-Verwaltungskatalog nicht gefunden."
    ),
    "The WS-Management service cannot process the request.": (
        "Der WS-Verwaltungsdienst kann die Anforderung nicht verarbeiten."
    ),
}


def _said(language: str, text: str, *values: object) -> str:
    if language.casefold().startswith("de"):
        text = _GERMAN[text]
    return text.format(*values)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who answered which request, and when: the prefix of Exchange's own ids and messages."""

    server: str
    request: UUID
    moment: datetime

    def __str__(self) -> str:
        hour = self.moment.hour % 12 or 12
        moment = f"{self.moment.month}/{self.moment.day}/{self.moment.year} {hour}:{self.moment:%M:%S %p}"
        return f"[Server={self.server},RequestId={self.request},TimeStamp={moment}]"


# --- error records ----------------------------------------------------------------------------------------------------

_RUNTIME = (
    "System.Management.Automation.RuntimeException",
    "System.SystemException",
    "System.Exception",
    "System.Object",
)


def scripts_not_allowed(language: str) -> Problem:
    """A script, in a runspace that has no language."""
    return Problem(
        message=_said(
            language,
            "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
        ),
        error_id="ScriptsNotAllowed",
        category=Category.PARSER_ERROR,
        activity="",
        reason="ParseException",
        exception_types=("System.Management.Automation.ParseException", *_RUNTIME),
        terminating=True,
    )


def command_not_found(language: str, name: str) -> Problem:
    """No such cmdlet; also one that the user's roles do not grant: it is not in the session at all."""
    text = (
        "The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check"
        " the spelling of the name, or if a path was included, verify that the path is correct and try again."
    )
    return Problem(
        message=_said(language, text, name),
        error_id="CommandNotFoundException",
        category=Category.OBJECT_NOT_FOUND,
        activity="",
        reason="CommandNotFoundException",
        exception_types=("System.Management.Automation.CommandNotFoundException", *_RUNTIME),
        target_name=name,
        target_type="String",
        terminating=True,
    )


def _binding(language: str, cmdlet: str, error_id: str, text: str, parameter: str) -> Problem:
    return Problem(
        message=_said(language, text, parameter),
        error_id=f"{error_id},{cmdlet}",
        category=Category.INVALID_ARGUMENT,
        activity=cmdlet,
        reason="ParameterBindingException",
        exception_types=("System.Management.Automation.ParameterBindingException", *_RUNTIME),
        terminating=True,
    )


def parameter_not_found(language: str, cmdlet: str, parameter: str) -> Problem:
    """No such parameter."""
    text = "A parameter cannot be found that matches parameter name '{0}'."
    return _binding(language, cmdlet, "NamedParameterNotFound", text, parameter)


def parameter_missing(language: str, cmdlet: str, parameter: str) -> Problem:
    """A mandatory parameter was not given, and nobody can be asked."""
    text = "Cannot process command because of one or more missing mandatory parameters: {0}."
    return _binding(language, cmdlet, "MissingMandatoryParameter", text, parameter)


def _exchange(stamp: Stamp, cmdlet: str, task: str, exception: str, message: str, category: int) -> Problem:
    """An error that the cmdlet itself reports: the id holds the request, the failure category and a hash."""
    name = exception.rpartition(".")[2]
    code = hashlib.sha256(f"{task}{exception}".encode()).hexdigest()[:8].upper()
    return Problem(
        message=message,
        error_id=f"{stamp} [FailureCategory=Cmdlet-{name}] {code},{task}",
        category=category,
        activity=cmdlet,
        reason=name,
        exception_types=(
            exception,
            "Microsoft.Exchange.Data.Common.LocalizedException",
            "System.Exception",
            "System.Object",
        ),
    )


def object_not_found(language: str, stamp: Stamp, cmdlet: str, task: str, identity: str, controller: str) -> Problem:
    """The identity is not in Active Directory."""
    text = "The operation couldn't be performed because object '{0}' couldn't be found on '{1}'."
    return _exchange(
        stamp,
        cmdlet,
        task,
        "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
        _said(language, text, identity, controller),
        Category.NOT_SPECIFIED,
    )


def iis_unreachable(language: str, stamp: Stamp, cmdlet: str, task: str, server: str) -> Problem:
    """The metabase of a server cannot be read (without -ADPropertiesOnly)."""
    text = (
        "The task wasn't able to connect to IIS on the server '{0}'. Make sure that the server exists and can be"
        " reached from this computer: The RPC server is unavailable."
    )
    return _exchange(
        stamp,
        cmdlet,
        task,
        "Microsoft.Exchange.Management.IISNotReachableException",
        _said(language, text, server),
        Category.INVALID_OPERATION,
    )


def iis_refused(language: str, stamp: Stamp, cmdlet: str, task: str, identity: str) -> Problem:
    """IIS of the server does not let the cmdlet read a directory; no object comes in its place."""
    text = (
        "An IIS directory entry couldn't be created. The error message is Access is denied.\r\n. HResult = -2147024891"
    )
    problem = _exchange(
        stamp,
        cmdlet,
        task,
        "Microsoft.Exchange.Management.Metabase.IISGeneralCOMException",
        _said(language, text),
        Category.NOT_INSTALLED,
    )
    return replace(problem, target_name=identity, target_type="ADObjectId")


def server_unreachable(language: str, stamp: Stamp, cmdlet: str, task: str, server: str) -> Problem:
    """The server that the probe should run on does not answer."""
    text = "An error occurred while trying to run the probe on server '{0}': The RPC server is unavailable."
    return _exchange(
        stamp,
        cmdlet,
        task,
        "Microsoft.Exchange.Monitoring.ActiveMonitoringServerException",
        _said(language, text, server),
        Category.NOT_SPECIFIED,
    )


def probe_not_found(language: str, stamp: Stamp, cmdlet: str, task: str, probe: str, server: str) -> Problem:
    """Managed Availability knows no such probe on the server."""
    text = "Could not find the probe '{0}' on server '{1}'."
    return _exchange(
        stamp,
        cmdlet,
        task,
        "Microsoft.Exchange.Monitoring.InvalidMonitorIdentityException",
        _said(language, text, probe, server),
        Category.INVALID_ARGUMENT,
    )


# --- WSMan faults -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A WSMan fault: its code, its SOAP subcode, its text."""

    code: int
    subcode: str
    text: str
    by_sender: bool = False


def operation_timed_out(language: str) -> Fault:
    """Nothing to receive yet: ask again."""
    text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."
    return Fault(2150858793, "w:TimedOut", _said(language, text))


def not_a_configuration(language: str, resource: str) -> Fault:
    """The resource is not one of this plug-in."""
    text = (
        "The WS-Management service cannot process the request. The resource URI ({0}) was not found in the"
        " WS-Management catalog. The catalog contains the metadata that describes resources, or logical endpoints."
    )
    return Fault(2150858811, "a:DestinationUnreachable", _said(language, text, resource), by_sender=True)


def shell_not_found(language: str, shell: str) -> Fault:
    """The shell is gone, or never was."""
    text = (
        "The request for the Windows Remote Shell with ShellId {0} failed because the shell was not found on the"
        " server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server."
        " Provide the correct ShellId or create a new shell and retry the operation."
    )
    return Fault(2150858843, "w:InvalidSelectors", _said(language, text, shell), by_sender=True)


def command_unknown(language: str, shell: str, command: str) -> Fault:
    """The command is gone, or never was."""
    text = "The request for the Windows Remote Shell with ShellId {0} failed because the command {1} was not found."
    return Fault(2150858843, "w:InvalidSelectors", _said(language, text, shell, command), by_sender=True)


def access_denied(language: str, stamp: Stamp) -> Fault:
    """The user is not enabled for remote PowerShell, or has no management role."""
    return Fault(
        5,
        "w:AccessDenied",
        f"{stamp} [FailureCategory=AuthZ-CmdletAccessDeniedException] {_said(language, 'Access is denied.')}",
        by_sender=True,
    )


def too_many_shells(language: str, stamp: Stamp, most: int) -> Fault:
    """PowerShellMaxConcurrency: ERROR_WSMAN_QUOTA_MAX_SHELLS (…174 is the quota of operations)."""
    text = (
        "The WS-Management service cannot process the request. This user is allowed a maximum number of {0} concurrent"
        " shells, which has been exceeded. Close existing shells or raise the quota for this user."
    )
    return Fault(
        2150859173, "w:QuotaLimit", f"{stamp} [FailureCategory=WSMan-QuotaLimit] {_said(language, text, most)}"
    )


def wsman_fault(language: str, code: int) -> Fault:
    """A fault that was asked for, by its code."""
    if code == operation_timed_out(language).code:
        return operation_timed_out(language)
    return Fault(code, "w:InternalError", _said(language, "The WS-Management service cannot process the request."))
