"""Cmdlets about mailboxes and their users: Get-CASMailbox, Get-Mailbox, Get-User, Get-AcceptedDomain.

The properties are those that the documentation lists and that matter to clients, in the shapes that recorded objects of
Exchange 2016 have; there are fewer of them than in a real session. A mailbox as created is serialised once for a whole
answer: there may be 50,000, and only its name changes (its Guid does not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

from lab.powershell.clixml import Enumeration, Many, Record, Value, write
from lab.powershell.cmdlet import Call, Cmdlets, Notice, Output, Said, Signature
from lab.powershell.problems import Stamp, object_not_found
from lab.scenario import Mailbox, Scenario, Server, User

__all__ = ["MailboxCmdlets"]

_MANAGEMENT = "Microsoft.Exchange.Data.Directory.Management"
_RECIPIENT_TASKS = "Microsoft.Exchange.Management.RecipientTasks"
_BASE = (
    f"{_MANAGEMENT}.ADPresentationObject",
    "Microsoft.Exchange.Data.Directory.ADObject",
    "Microsoft.Exchange.Data.Directory.ADRawEntry",
    "Microsoft.Exchange.Data.ConfigurableObject",
    "System.Object",
)
_ADDRESSES = (
    "Microsoft.Exchange.Data.ProxyAddressCollection",
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_STRINGS = (
    (
        "Microsoft.Exchange.Data.MultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0, Culture=neutral,"
        " PublicKeyToken=b77a5c561934e089]]"
    ),
    "Microsoft.Exchange.Data.MultiValuedPropertyBase",
    "System.Object",
)
_DEFAULT_SIZE = 1_000
_STAND_IN = "\N{WHITE SQUARE}"  # where the name of a mailbox as created goes
_MORE = {
    "en": "There are more results available than are currently displayed. To view them, increase the value for the"
    " ResultSize parameter.",
    "de": "Es sind mehr Ergebnisse verfügbar, als derzeit angezeigt werden. Erhöhen Sie den Wert des Parameters"
    " ResultSize, um sie anzuzeigen.",
}
_COMMON_VALUES = (
    "Identity",
    "Anr",
    "Credential",
    "DomainController",
    "Filter",
    "OrganizationalUnit",
    "ResultSize",
    "SortBy",
)
_COMMON_SWITCHES = ("IgnoreDefaultScope", "ReadFromDomainController")


@dataclass(slots=True)
class MailboxCmdlets:
    """The cmdlets of a scenario, as `answering` has them; what is not here the `others` have."""

    scenario: Scenario
    answering: Server
    others: Cmdlets
    _runspace: UUID = field(default_factory=uuid4)
    _cmdlets: dict[str, tuple[Signature, Callable[[Call], Iterable[Said]]]] = field(init=False)

    def __post_init__(self) -> None:
        positions = ("Identity",)
        self._cmdlets = {
            signature.name.casefold(): (signature, run)
            for signature, run in (
                (
                    Signature(
                        "Get-CASMailbox",
                        _COMMON_VALUES,
                        (*_COMMON_SWITCHES, "Monitoring", "ProtocolSettings", "ActiveSyncDebugLogging"),
                        positions,
                    ),
                    self._cas_mailboxes,
                ),
                (
                    Signature(
                        "Get-Mailbox",
                        (*_COMMON_VALUES, "Database", "Server", "RecipientTypeDetails"),
                        (*_COMMON_SWITCHES, "Archive", "Arbitration", "Monitoring", "PublicFolder"),
                        positions,
                    ),
                    self._mailboxes,
                ),
                (
                    Signature(
                        "Get-User",
                        (*_COMMON_VALUES, "RecipientTypeDetails"),
                        (*_COMMON_SWITCHES, "Arbitration", "PublicFolder"),
                        positions,
                    ),
                    self._users,
                ),
                (Signature("Get-AcceptedDomain", ("Identity", "DomainController"), (), positions), self._domains),
            )
        }

    def signature(self, name: str, user: User) -> Signature | None:
        """The cmdlet, if the user's roles grant it."""
        if name.casefold() not in self._cmdlets:
            return self.others.signature(name, user)
        if name.casefold() in (denied.casefold() for denied in user.denied):
            return None
        return self._cmdlets[name.casefold()][0]

    def run(self, call: Call) -> Iterable[Said]:
        """What the cmdlet says."""
        if call.name.casefold() not in self._cmdlets:
            return self.others.run(call)
        return self._cmdlets[call.name.casefold()][1](call)

    # --- the cmdlets ---

    def _cas_mailboxes(self, call: Call) -> Iterator[Said]:
        return self._of_each(call, self._cas_mailbox, self._all)

    def _mailboxes(self, call: Call) -> Iterator[Said]:
        with_archive = [mailbox for mailbox in self.scenario.mailboxes.special if mailbox.archive]
        return self._of_each(call, self._mailbox, with_archive if call.parameters.get("Archive") else self._all)

    def _users(self, call: Call) -> Iterator[Said]:
        wanted = str(call.parameters.get("RecipientTypeDetails") or "UserMailbox").casefold()
        return self._of_each(call, self._user, self._all if wanted == "usermailbox" else [])

    def _domains(self, _call: Call) -> Iterator[Said]:
        domain = self.scenario.organisation.domain
        kind = "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain"
        name = "Microsoft.Exchange.Data.SmtpDomainWithSubdomains"
        properties: dict[str, Value] = {
            "DomainName": Record(
                (name, "System.Object"),
                domain,
                {
                    "Address": domain,
                    "IncludeSubDomains": False,
                    "Domain": domain,
                    "SmtpDomain": domain,
                    "IsStar": False,
                },
            ),
            "CatchAllRecipientID": None,
            "DomainType": Enumeration("Microsoft.Exchange.Data.AcceptedDomainType", "Authoritative", 0),
            "MatchSubDomains": False,
            "AddressBookEnabled": True,
            "Default": True,
            "Name": domain,
            "IsValid": True,
        }
        yield Output(write(self._top((kind, *_BASE[1:]), domain, properties)))

    # --- parts ---

    @property
    def _all(self) -> Iterable[Mailbox | str]:
        """The names of mailboxes as created, then the special ones."""
        special = {mailbox.name for mailbox in self.scenario.mailboxes.special}
        names = (f"user{number}" for number in range(1, self.scenario.mailboxes.count + 1))
        yield from (name for name in names if name not in special)
        yield from self.scenario.mailboxes.special

    def _of_each(
        self, call: Call, make: Callable[[Mailbox], Record], mailboxes: Iterable[Mailbox | str]
    ) -> Iterator[Said]:
        identity = call.parameters.get("Identity")
        if identity is not None:
            yield from self._one(call, str(identity), make)
            return
        size = str(call.parameters.get("ResultSize") or _DEFAULT_SIZE)
        most = None if size.casefold() == "unlimited" else int(size)
        as_created = write(make(Mailbox(_STAND_IN)))
        for count, mailbox in enumerate(mailboxes):
            if count == most:
                yield Notice(_MORE["de" if self.scenario.powershell.locale.casefold().startswith("de") else "en"])
                return
            if isinstance(mailbox, str):
                yield Output(as_created.replace(_STAND_IN.encode(), mailbox.encode()))
            else:
                yield Output(write(make(mailbox)))

    def _one(self, call: Call, identity: str, make: Callable[[Mailbox], Record]) -> Iterator[Said]:
        # With the switch only the distinguished name will do.
        only_dn = bool(call.parameters.get("IgnoreDefaultScope"))
        for item in self._all:
            mailbox = Mailbox(item) if isinstance(item, str) else item
            known = [self._name_of(mailbox)]
            if not only_dn:
                known += [mailbox.name, self._address(mailbox)]
            if identity.casefold() in (name.casefold() for name in known):
                yield Output(write(make(mailbox)))
                return
        stamp = Stamp(self.answering.name, uuid4(), self.scenario.now)
        task = f"{_RECIPIENT_TASKS}.{call.name.replace('-', '')}"
        controller = f"dc1.{self.scenario.organisation.domain}"
        language = self.scenario.powershell.locale
        yield object_not_found(language, stamp, call.name, task, identity, controller)

    def _address(self, mailbox: Mailbox) -> str:
        return f"{mailbox.name}@{self.scenario.organisation.domain}"

    def _name_of(self, mailbox: Mailbox) -> str:
        labels = ",".join(f"DC={label}" for label in self.scenario.organisation.domain.split("."))
        return f"CN={mailbox.name},OU=Staff,{labels}"

    def _cas_mailbox(self, mailbox: Mailbox) -> Record:
        own: dict[str, Value] = {"MAPIEnabled": mailbox.mapi_enabled}
        if self.answering.knows_mapi_http:
            own["MapiHttpEnabled"] = mailbox.mapi_http_enabled
        own |= {
            "MAPIBlockOutlookNonCachedMode": False,
            "MAPIBlockOutlookVersions": mailbox.blocked_versions,
            "MAPIBlockOutlookRpcHttp": mailbox.blocks_rpc_http,
            "MAPIBlockOutlookExternalConnectivity": mailbox.blocks_external,
        }
        return self._recipient(
            mailbox,
            "CASMailbox",
            {
                "EmailAddresses": Many(_ADDRESSES, [f"SMTP:{self._address(mailbox)}"]),
                "LinkedMasterAccount": "",
                "PrimarySmtpAddress": self._smtp(mailbox),
                "ProtocolSettings": Many(_STRINGS, []),
                "ServerName": self.scenario.servers[0].name.lower(),
                "ActiveSyncAllowedDeviceIDs": Many(_STRINGS, []),
                "ActiveSyncBlockedDeviceIDs": Many(_STRINGS, []),
                "ActiveSyncMailboxPolicyIsDefaulted": True,
                "ActiveSyncEnabled": True,
                "HasActiveSyncDevicePartnership": False,
                "OwaMailboxPolicy": None,
                "OWAEnabled": True,
                "OWAforDevicesEnabled": True,
                "ECPEnabled": True,
                "PopEnabled": True,
                "PopUseProtocolDefaults": True,
                "ImapEnabled": True,
                "ImapUseProtocolDefaults": True,
                **own,
                "EwsEnabled": None,
                "EwsAllowOutlook": None,
                "EwsAllowMacOutlook": None,
                "EwsApplicationAccessPolicy": None,
                "ShowGalAsDefaultView": True,
            },
        )

    def _mailbox(self, mailbox: Mailbox) -> Record:
        archive = uuid5(NAMESPACE_DNS, f"archive.{mailbox.name}") if mailbox.archive else UUID(int=0)
        state = "Local" if mailbox.archive else "None"
        return self._recipient(
            mailbox,
            "Mailbox",
            {
                "Database": "DB1",
                "ArchiveGuid": archive,
                "ArchiveName": Many(_STRINGS, [f"In-Place Archive - {mailbox.name}"] if mailbox.archive else []),
                "ArchiveState": Enumeration(
                    "Microsoft.Exchange.Data.Directory.Recipient.ArchiveState", state, int(mailbox.archive)
                ),
                "UserPrincipalName": self._sign_in(mailbox),
                "PrimarySmtpAddress": self._smtp(mailbox),
                "WindowsEmailAddress": self._smtp(mailbox),
                "EmailAddresses": Many(_ADDRESSES, [f"SMTP:{self._address(mailbox)}"]),
                "RecipientTypeDetails": self._type,
            },
        )

    def _user(self, mailbox: Mailbox) -> Record:
        return self._recipient(
            mailbox,
            "User",
            {
                "IsSecurityPrincipal": True,
                "ResetPasswordOnNextLogon": False,
                "UserPrincipalName": self._sign_in(mailbox),
                "WindowsEmailAddress": self._smtp(mailbox),
                "FirstName": "",
                "LastName": "",
                "RecipientType": Enumeration(
                    "Microsoft.Exchange.Data.Directory.Recipient.RecipientType", "UserMailbox", 1
                ),
                "RecipientTypeDetails": self._type,
            },
        )

    @property
    def _type(self) -> Enumeration:
        return Enumeration("Microsoft.Exchange.Data.Directory.Recipient.RecipientTypeDetails", "UserMailbox", 1)

    def _sign_in(self, mailbox: Mailbox) -> str:
        return self._address(mailbox) if mailbox.user_principal_name is None else mailbox.user_principal_name

    def _smtp(self, mailbox: Mailbox) -> Record:
        kind = "Microsoft.Exchange.Data.SmtpAddress"
        local, domain = mailbox.name, self.scenario.organisation.domain
        properties: dict[str, Value] = {"Local": local, "Domain": domain, "IsUTF8": False, "IsValidAddress": True}
        return Record((kind, "System.ValueType", "System.Object"), self._address(mailbox), properties)

    def _recipient(self, mailbox: Mailbox, kind: str, properties: Mapping[str, Value]) -> Record:
        organisation = self.scenario.organisation
        identity = Record(
            (
                "Microsoft.Exchange.Data.Directory.ADObjectId",
                "Microsoft.Exchange.Data.ObjectId",
                "System.Object",
            ),
            f"{organisation.domain}/Staff/{mailbox.name}",
            {
                "Rdn": f"CN={mailbox.name}",
                "Depth": 4,
                "DistinguishedName": self._name_of(mailbox),
                "IsDeleted": False,
                "DomainId": organisation.domain,
                "Name": mailbox.name,
            },
        )
        created, changed = self.scenario.now - timedelta(days=700), self.scenario.now - timedelta(days=20)
        return self._top(
            (f"{_MANAGEMENT}.{kind}", *_BASE),
            mailbox.name,
            {
                "DisplayName": mailbox.name,
                "Name": mailbox.name,
                "SamAccountName": mailbox.name,
                "LegacyExchangeDN": f"/o={organisation.name}/cn=Recipients/cn={mailbox.name}",
                **properties,
                "IsValid": True,
                "DistinguishedName": self._name_of(mailbox),
                "Identity": identity,
                "Id": identity,
                "Guid": uuid5(NAMESPACE_DNS, f"{mailbox.name}.{organisation.domain}"),
                "ObjectClass": Many(_STRINGS, ["top", "person", "organizationalPerson", "user"]),
                "WhenChanged": changed,
                "WhenCreated": created,
                "WhenChangedUTC": changed.astimezone(UTC),
                "WhenCreatedUTC": created.astimezone(UTC),
                "OriginatingServer": f"dc1.{organisation.domain}",
                "ObjectState": Enumeration("Microsoft.Exchange.Data.ObjectState", "Unchanged", 1),
            },
        )

    def _top(self, type_names: tuple[str, ...], text: str, properties: Mapping[str, Value]) -> Record:
        notes: dict[str, Value] = {
            "PSComputerName": self.answering.fqdn,
            "RunspaceId": self._runspace,
            "PSShowComputerName": False,
        }
        return Record(type_names, text, properties, notes)
