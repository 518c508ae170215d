"""More answers in memory: mailboxes, users and what IIS holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from checker import CmdletAnswer, CmdletCall, NotCollected, PSObject
from checker.answers import PSValue
from tests.answers import MANAGEMENT, Session, anywhere_object, enumeration, mapi_object
from tests.factories import DOMAIN

FOLDER = r"C:\Program Files\Microsoft\Exchange Server\V15\FrontEnd\HttpProxy"


@dataclass
class KeepingSession(Session):
    """Reduces each object as it arrives, as the live session does."""

    async def run(
        self, call: CmdletCall, *, keep: Callable[[PSValue], PSValue] | None = None
    ) -> CmdletAnswer | NotCollected:
        answer = await super().run(call)
        if keep is None or isinstance(answer, NotCollected):
            return answer
        return replace(answer, objects=tuple(keep(item) for item in answer.objects))


def mapi_in_iis(server: str = "EX01", protection: PSValue = "None", **changes: PSValue) -> PSObject:
    """Get-MapiVirtualDirectory with what IIS holds."""
    return _with(mapi_object(server), rf"{FOLDER}\mapi", protection, changes)


def anywhere_in_iis(server: str = "EX01", protection: PSValue = "None", **changes: PSValue) -> PSObject:
    """Get-OutlookAnywhere with what IIS holds."""
    return _with(anywhere_object(server), rf"{FOLDER}\rpc", protection, changes)


def _with(thing: PSObject, folder: str, protection: PSValue, changes: dict[str, PSValue]) -> PSObject:
    if protection in ("None", "Allow", "Require"):
        number = ("None", "Allow", "Require").index(str(protection))
        protection = enumeration("ExtendedProtectionTokenCheckingMode", str(protection), number)
    held: dict[str, PSValue] = {"Path": folder, "ExtendedProtectionTokenChecking": protection}
    return PSObject(thing.types, thing.text, {**thing.properties, **held, **changes})


def cas_mailbox_object(name: str = "ann", /, **changes: PSValue) -> PSObject:
    """Get-CASMailbox: as created, with a few of the many properties that nobody asks for."""
    properties: dict[str, PSValue] = {
        "EmailAddresses": [f"SMTP:{name}@{DOMAIN}"],
        "PrimarySmtpAddress": PSObject(("Microsoft.Exchange.Data.SmtpAddress",), f"{name}@{DOMAIN}", {"Length": 16}),
        "SamAccountName": name,
        "OWAEnabled": True,
        "MapiHttpEnabled": None,
        "MAPIBlockOutlookNonCachedMode": False,
        "MAPIBlockOutlookVersions": None,
        "MAPIBlockOutlookRpcHttp": False,
        "MAPIBlockOutlookExternalConnectivity": False,
        "MAPIEnabled": True,
        "DistinguishedName": f"CN={name},CN=Users,DC=contoso,DC=test",
        "Identity": PSObject((), f"{DOMAIN}/Users/{name}"),
    }
    return PSObject((f"{MANAGEMENT}.CASMailbox", "System.Object"), name, {**properties, **changes})


def user_object(name: str = "ann", /, **changes: PSValue) -> PSObject:
    """Get-User: the sign-in name is the address."""
    properties: dict[str, PSValue] = {
        "UserPrincipalName": f"{name}@{DOMAIN}",
        "WindowsEmailAddress": PSObject(("Microsoft.Exchange.Data.SmtpAddress",), f"{name}@{DOMAIN}"),
        "SamAccountName": name,
        "RecipientTypeDetails": PSObject((), "UserMailbox", value=1),
    }
    return PSObject((f"{MANAGEMENT}.User", "System.Object"), name, {**properties, **changes})


def accepted_domain_object(domain: str = DOMAIN) -> PSObject:
    """Get-AcceptedDomain."""
    properties: dict[str, PSValue] = {"DomainName": PSObject((), domain, {"Domain": domain}), "Name": domain}
    return PSObject((f"{MANAGEMENT}.AcceptedDomain", "System.Object"), domain, properties)
