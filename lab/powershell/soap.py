"""The envelopes of WSMan ([MS-WSMV]): requests read, responses and faults written. Text in, text out, no I/O."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4
from xml.sax.saxutils import escape, quoteattr

from lab.powershell.problems import Fault

__all__ = [
    "CONFIGURATION",
    "Request",
    "SoapError",
    "command_created",
    "created",
    "deleted",
    "fault",
    "read",
    "received",
    "sent",
    "shell_state",
    "signalled",
]

CONFIGURATION = "http://schemas.microsoft.com/powershell/Microsoft.Exchange"
"""The resource of Exchange's session configuration."""

_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": _SHELL,
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "psh": "http://schemas.microsoft.com/powershell",
}
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_STEPS = {
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create": "create",
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete": "delete",
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get": "get",
    f"{_SHELL}/Command": "command",
    f"{_SHELL}/Send": "send",
    f"{_SHELL}/Receive": "receive",
    f"{_SHELL}/Signal": "signal",
}


class SoapError(Exception):
    """What arrived is not a WSMan request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A WSMan request; what a step does not have is empty. `step` is "" for an action that is not known here."""

    step: str
    action: str
    message_id: str
    resource: str
    shell_id: str
    command_id: UUID | None
    timeout: float
    envelope_size: int
    data: bytes = field(repr=False)
    signal: str = ""


def read(body: bytes) -> Request:
    """The request in an envelope.

    Raises:
        SoapError: it is none.
    """
    try:
        # What clients of the lab send to loopback; expat fetches nothing from outside.
        envelope = ET.fromstring(body)  # noqa: S314
    except ET.ParseError as error:
        raise SoapError(str(error)) from error
    header, content = envelope.find("s:Header", _NAMESPACES), envelope.find("s:Body", _NAMESPACES)
    if header is None or content is None:
        raise SoapError("there is no header or no body")
    action = header.findtext("a:Action", "", _NAMESPACES)
    command = signal = data = ""
    for path in ("rsp:CommandLine", "rsp:Send/rsp:Stream", "rsp:Receive/rsp:DesiredStream", "rsp:Signal"):
        element = content.find(path, _NAMESPACES)
        if element is not None:
            command = element.get("CommandId", "")
            signal = element.findtext("rsp:Code", "", _NAMESPACES)
    shell = content.find("rsp:Shell", _NAMESPACES)
    for path in ("rsp:Shell/psh:creationXml", "rsp:CommandLine/rsp:Arguments", "rsp:Send/rsp:Stream"):
        data = content.findtext(path, data, _NAMESPACES)
    try:
        return Request(
            step=_STEPS.get(action, ""),
            action=action,
            message_id=header.findtext("a:MessageID", "", _NAMESPACES),
            resource=header.findtext("w:ResourceURI", "", _NAMESPACES),
            shell_id=_selector(header, "ShellId") or (shell.get("ShellId", "") if shell is not None else ""),
            command_id=UUID(command) if command else None,
            timeout=_seconds(header.findtext("w:OperationTimeout", "PT60S", _NAMESPACES)),
            envelope_size=int(header.findtext("w:MaxEnvelopeSize", "512000", _NAMESPACES)),
            data=base64.b64decode(data.strip()),
            signal=signal,
        )
    except ValueError as error:
        raise SoapError(str(error)) from error


def _selector(header: ET.Element, name: str) -> str:
    for selector in header.findall("w:SelectorSet/w:Selector", _NAMESPACES):
        if selector.get("Name", "").casefold() == name.casefold():
            return selector.text or ""
    return ""


def _seconds(duration: str) -> float:
    match = re.fullmatch(r"PT(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9.]+)S)?", duration)
    if match is None:
        raise ValueError(f"{duration!r} is not a time")
    return 3600 * int(match[1] or 0) + 60 * int(match[2] or 0) + float(match[3] or 0)


# --- answers ----------------------------------------------------------------------------------------------------------


def _envelope(action: str, relates_to: str, body: str, language: str) -> str:
    namespaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    return (
        f"<s:Envelope xml:lang={quoteattr(language)}{namespaces}>"
        f"<s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{str(uuid4()).upper()}</a:MessageID>"
        f"<a:To>{_ANONYMOUS}</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def _response(request: Request, relates_to: str, body: str, language: str) -> str:
    return _envelope(f"{request.action}Response", relates_to, body, language)


def created(request: Request, relates_to: str, shell_id: str, address: str, owner: str, language: str) -> str:
    """The answer to Create."""
    body = (
        f"<x:ResourceCreated><a:Address>{escape(address)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{CONFIGURATION}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></x:ResourceCreated>" + _shell(shell_id, owner)
    )
    return _response(request, relates_to, body, language)


def _shell(shell_id: str, owner: str) -> str:
    return (
        f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId><rsp:ResourceUri>{CONFIGURATION}</rsp:ResourceUri>"
        f"<rsp:Owner>{escape(owner)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
        "<rsp:IdleTimeOut>PT900.000S</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams>"
        "<rsp:OutputStreams>stdout</rsp:OutputStreams><rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime>"
        "<rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity><rsp:State>Connected</rsp:State></rsp:Shell>"
    )


def shell_state(request: Request, relates_to: str, shell_id: str, owner: str, language: str) -> str:
    """The answer to Get."""
    return _response(request, relates_to, _shell(shell_id, owner), language)


def command_created(request: Request, relates_to: str, command_id: UUID, language: str) -> str:
    """The answer to Command."""
    body = f"<rsp:CommandResponse><rsp:CommandId>{str(command_id).upper()}</rsp:CommandId></rsp:CommandResponse>"
    return _response(request, relates_to, body, language)


def sent(request: Request, relates_to: str, language: str) -> str:
    """The answer to Send."""
    return _response(request, relates_to, "<rsp:SendResponse />", language)


def received(request: Request, relates_to: str, chunks: Sequence[bytes], *, done: bool | None, language: str) -> str:
    """The answer to Receive: the data, and (of a command) whether that was all."""
    command = "" if request.command_id is None else f' CommandId="{str(request.command_id).upper()}"'
    body = "".join(
        f'<rsp:Stream Name="stdout"{command}>{base64.b64encode(chunk).decode()}</rsp:Stream>' for chunk in chunks
    )
    if done is not None:
        state = f"{_SHELL}/CommandState/{'Done' if done else 'Running'}"
        ending = f'<rsp:CommandState{command} State="{state}"'
        body += f"{ending}><rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>" if done else f"{ending} />"
    return _response(request, relates_to, f"<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>", language)


def signalled(request: Request, relates_to: str, language: str) -> str:
    """The answer to Signal."""
    return _response(request, relates_to, "<rsp:SignalResponse />", language)


def deleted(request: Request, relates_to: str, language: str) -> str:
    """The answer to Delete."""
    return _response(request, relates_to, "", language)


def fault(relates_to: str, what: Fault, machine: str, language: str) -> str:
    """A SOAP fault with WSMan's detail."""
    body = (
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if what.by_sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{what.subcode}</s:Value></s:Subcode></s:Code>"
        f"<s:Reason><s:Text xml:lang={quoteattr(language)}>{escape(what.text)}</s:Text></s:Reason>"
        '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
        f' Code="{what.code}" Machine={quoteattr(machine)}><f:Message>{escape(what.text)}</f:Message>'
        "</f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope(_FAULT_ACTION, relates_to, body, language)
