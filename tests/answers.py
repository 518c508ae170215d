"""An Exchange session in memory, a second implementation of CmdletRunner, and objects in the shapes of real exports."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from checker import CmdletAnswer, CmdletCall, CmdletRunner, NotCollected, PSObject, Reason
from checker.answers import CmdletError, PSValue
from checker.declare import read_fact
from tests.factories import DOMAIN

MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management"
SETTINGS = "Microsoft.Exchange.Data.Directory.SystemConfiguration"


@dataclass(frozen=True)
class Said:
    """What a cmdlet gives besides nothing: objects and non-terminating errors."""

    objects: tuple[PSValue, ...] = ()
    errors: tuple[CmdletError, ...] = ()


Answer: TypeAlias = Said | NotCollected
Reply: TypeAlias = Answer | Callable[[CmdletCall], Answer]


@dataclass
class Session:
    """Answers from a table by the name of the cmdlet; one that is not in it is unknown, as to an older server."""

    replies: dict[str, Reply]
    server: str = f"ex01.{DOMAIN}"
    sent: list[CmdletCall] = field(default_factory=list)

    async def run(self, call: CmdletCall) -> CmdletAnswer | NotCollected:
        self.sent.append(call)
        reply = self.replies.get(call.name)
        if reply is None:
            return NotCollected(Reason.CMDLET_UNKNOWN, f"{self.server} does not know {call.name}.")
        answer = reply(call) if callable(reply) else reply
        if isinstance(answer, NotCollected):
            return answer
        return CmdletAnswer(call, self.server, answer.objects, answer.errors, (), 0.1)


def ask(function: Callable[..., Any], session: Session, **needs: object) -> Any:
    """Runs a fact function on a session, as the runner would, and sees that it sends only what it declares."""
    source = read_fact(function)
    assert source is not None
    assert isinstance(session, CmdletRunner)
    parameter = next(need.parameter for need in source.needs if need.type is CmdletRunner)
    made = function(**{parameter: session}, **needs)
    result = asyncio.run(made) if inspect.iscoroutine(made) else made
    declared = {spec.name: set(spec.parameters) for spec in source.cmdlets}
    for call in session.sent:
        assert {name for name, _ in call.parameters} <= declared[call.name]
    return result


# --- values as real exports hold them ---------------------------------------------------------------------------------


def directory_object(text: str) -> PSObject:
    """An ADObjectId: a server, a site, an identity."""
    name = text.rsplit("/", 1)[-1]
    return PSObject(
        ("Microsoft.Exchange.Data.Directory.ADObjectId", "Microsoft.Exchange.Data.ObjectId", "System.Object"),
        text,
        {"IsDeleted": False, "Rdn": PSObject((), f"CN={name}"), "Depth": 9, "Name": name},
    )


def enumeration(type_name: str, text: str, number: int) -> PSObject:
    return PSObject((f"{SETTINGS}.{type_name}", "System.Enum", "System.ValueType", "System.Object"), text, value=number)


def several(*items: PSValue) -> PSObject:
    return PSObject(
        ("Microsoft.Exchange.Data.MultiValuedProperty`1", "Microsoft.Exchange.Data.MultiValuedPropertyBase"),
        None,
        value=list(items),
    )


def methods(*names: str) -> PSObject:
    return several(*(enumeration("AuthenticationMethod", name, number) for number, name in enumerate(names, 2)))


def server_version(text: str) -> PSObject:
    """ServerVersion: a text, and its four numbers."""
    numbers = [
        int(number) for number in text.replace("(Build", "").strip(")").replace("Version", "").replace(".", " ").split()
    ]
    parts: dict[str, PSValue] = dict(zip(("Major", "Minor", "Build", "Revision"), numbers, strict=True))
    return PSObject(("Microsoft.Exchange.Data.ServerVersion",), text, {**parts, "FilePatchLevelDescription": None})


def error(message: str, target: str | None = None, *exceptions: str) -> CmdletError:
    return CmdletError("[Server=EX01] 1F2E3D4C,Microsoft.Exchange", "NotSpecified", message, target, exceptions)


# --- objects ----------------------------------------------------------------------------------------------------------


def organisation_object(**changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "Name": "Contoso",
        "MapiHttpEnabled": False,
        "OAuth2ClientProfileEnabled": True,
        "PSComputerName": f"ex01.{DOMAIN}",
    }
    return _object("OrganizationConfig", "Contoso", properties, changes)


def server_object(name: str = "EX01", **changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "Name": name,
        "Fqdn": f"{name.lower()}.{DOMAIN}",
        "IsClientAccessServer": True,
        "IsEdgeServer": False,
        "IsMailboxServer": True,
        "AdminDisplayVersion": server_version("Version 15.2 (Build 1748.10)"),
        "Site": directory_object(f"{DOMAIN}/Configuration/Sites/Vienna"),
        "ServerRole": enumeration("ServerRole", "Mailbox", 2),
    }
    return _object("ExchangeServer", name, properties, changes)


def service_object(name: str = "EX01", **changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "Name": name,
        "Fqdn": f"{name.lower()}.{DOMAIN}",
        "AutoDiscoverServiceInternalUri": f"https://autodiscover.{DOMAIN}/Autodiscover/Autodiscover.xml",
    }
    return _object("ClientAccessServer", name, properties, changes)


def mapi_object(server: str = "EX01", site: str = "Default Web Site", **changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "IISAuthenticationMethods": methods("Ntlm", "OAuth", "Negotiate"),
        "Server": directory_object(server),
        "InternalUrl": f"https://mail.{DOMAIN}/mapi",
        "ExternalUrl": None,
        "Name": f"mapi ({site})",
        "Identity": directory_object(f"{server}\\mapi ({site})"),
    }
    return _object("ADMapiVirtualDirectory", f"{server}\\mapi ({site})", properties, changes)


def anywhere_object(server: str = "EX01", **changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "ServerName": server,
        "SSLOffloading": False,
        "ExternalHostname": PSObject(("Microsoft.Exchange.Data.Hostname",), f"mail.{DOMAIN}"),
        "InternalHostname": PSObject(("Microsoft.Exchange.Data.Hostname",), f"mail.{DOMAIN}"),
        "ExternalClientAuthenticationMethod": enumeration("AuthenticationMethod", "Negotiate", 13),
        "InternalClientAuthenticationMethod": enumeration("AuthenticationMethod", "Ntlm", 2),
        "IISAuthenticationMethods": methods("Basic", "Ntlm", "Negotiate"),
        "Server": directory_object(server),
        "Name": "Rpc (Default Web Site)",
        "Identity": directory_object(f"{server}\\Rpc (Default Web Site)"),
    }
    return _object("ADRpcHttpVirtualDirectory", f"{server}\\Rpc (Default Web Site)", properties, changes)


def probe_object(identity: str, result: PSValue = "Succeeded", **changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {"MonitorIdentity": identity, "Result": result, "Error": "", "Exception": ""}
    return _object("MonitoringProbeResult", identity, properties, changes)


def without(thing: PSObject, *names: str) -> PSObject:
    """The same object from a server that does not know these properties."""
    left = {name: value for name, value in thing.properties.items() if name not in names}
    return PSObject(thing.types, thing.text, left)


def objects(*things: PSValue, errors: Sequence[CmdletError] = ()) -> Said:
    return Said(things, tuple(errors))


def _object(kind: str, text: str, properties: dict[str, PSValue], changes: dict[str, PSValue]) -> PSObject:
    return PSObject((f"{MANAGEMENT}.{kind}", "System.Object"), text, {**properties, **changes})
