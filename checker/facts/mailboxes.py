"""Settings of mailboxes: Get-CASMailbox, Get-User, and which of them have an archive.

There may be 50,000 of them. Each object is reduced as it arrives, so that only those that a check may have to name are
held; the rest are counted. A reduced object is reduced to itself, so that saved answers are read as live ones are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from checker.answers import (
    Asked,
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    NotCollected,
    PSObject,
    PSValue,
    Reason,
)
from checker.declare import fact
from checker.facts.organisation import OrganizationConfig
from checker.facts.reading import Bag, bags, boolean, shown, text
from checker.facts.run import MailboxMode, MailboxScope
from checker.facts.servers import missing_because
from checker.gathering import gather_each
from checker.results import Subject, SubjectKind

__all__ = [
    "AUTO_LIMIT",
    "MOST_ONE_BY_ONE",
    "AcceptedDomains",
    "CasMailbox",
    "MailboxArchives",
    "MailboxSettings",
    "MailboxSignIns",
    "SignIn",
    "accepted_domains",
    "mailbox_archives",
    "mailbox_settings",
    "mailbox_sign_ins",
    "reduce_settings",
    "reduce_sign_in",
]

AUTO_LIMIT = 5_000
"""Up to so many mailboxes are looked at without being asked for (--mailboxes auto)."""

MOST_ONE_BY_ONE = 500  # archives: more questions than that are worse than one large answer

# After creation a mailbox has these values: with all of them it needs no word.
_DEFAULTS: dict[str, bool | None] = {
    "MapiHttpEnabled": None,
    "MAPIEnabled": True,
    "MAPIBlockOutlookRpcHttp": False,
    "MAPIBlockOutlookExternalConnectivity": False,
    "MAPIBlockOutlookVersions": None,
}
_TEXTS = frozenset({"MAPIBlockOutlookVersions"})
_NO_WORD = True


@dataclass(frozen=True, slots=True)
class CasMailbox:
    """Get-CASMailbox, one mailbox with a setting that not every mailbox has.

    `address` is its primary address, or its identity when it has none. `mapi_http` is MapiHttpEnabled: None follows the
    organisation. `blocked_versions` is MAPIBlockOutlookVersions as written, None when empty.
    """

    address: str
    distinguished_name: str
    mapi_http: bool | None | NotCollected
    mapi_enabled: bool | NotCollected
    blocks_rpc_http: bool | NotCollected
    blocks_external: bool | NotCollected
    blocked_versions: str | None | NotCollected


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """Get-CASMailbox of all mailboxes: how many were looked at, and those with a setting of their own.

    `doubts` names the properties that some mailbox came without, and why.
    """

    looked_at: int
    notable: tuple[CasMailbox, ...]
    doubts: tuple[tuple[str, NotCollected], ...]

    def doubt(self, setting: str) -> NotCollected | None:
        """Why it is not known of every mailbox; None when it is."""
        return next((because for name, because in self.doubts if name == setting), None)


@dataclass(frozen=True, slots=True)
class MailboxArchives:
    """Which of the mailboxes that have MAPI over HTTP ahead of the organisation have an archive (their addresses)."""

    looked_at: int
    addresses: tuple[str, ...]
    doubt: NotCollected | None


@dataclass(frozen=True, slots=True)
class AcceptedDomains:
    """Get-AcceptedDomain: the domains in lower case; "*.contoso.test" stands for every domain below."""

    domains: frozenset[str]

    def holds(self, domain: str) -> bool:
        """Whether the organisation accepts mail for this domain."""
        name = domain.casefold()
        above = [name.split(".", number)[-1] for number in range(1, name.count(".") + 1)]
        return name in self.domains or f"*.{name}" in self.domains or any(f"*.{d}" in self.domains for d in above)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user whose sign-in name is not the address. `accepted`: its domain is one of the organisation's."""

    address: str
    user_principal_name: str | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class MailboxSignIns:
    """Get-User of all users with a mailbox: how many were looked at, and those whose names differ."""

    looked_at: int
    different: tuple[SignIn, ...]
    doubt: NotCollected | None


# --- Get-CASMailbox ---------------------------------------------------------------------------------------------------


_ALL_SETTINGS = CmdletUse(
    asked=Asked.MAILBOXES,
    fixed=(("IgnoreDefaultScope", True),),
    properties=("MAPI*", "PrimarySmtpAddress*", "Identity*", "DistinguishedName*"),
)


@fact(cmdlets=(CmdletSpec("Get-CASMailbox", ("ResultSize", "IgnoreDefaultScope"), (_ALL_SETTINGS,)),))
async def mailbox_settings(runner: CmdletRunner, scope: MailboxScope) -> MailboxSettings | NotCollected:
    """All mailboxes of the forest, as many as the run may look at."""
    answer = await _of_all(runner, scope, "Get-CASMailbox", reduce_settings)
    if isinstance(answer, NotCollected):
        return answer
    notable: list[CasMailbox] = []
    lacking: dict[str, None] = {}
    absent = {name: _absent(answer, name) for name in _DEFAULTS}
    for item in answer.objects:
        if isinstance(item, PSObject):
            notable.append(_cas_mailbox(item, absent))
            lacking.update(dict.fromkeys(name for name in _DEFAULTS if name not in item.properties))
        elif isinstance(item, str):
            lacking.update(dict.fromkeys(name for name in _DEFAULTS if name in item.split(",")))
    doubts = {name: absent[name] for name in lacking}
    if answer.errors:
        because = missing_because(answer.errors[0], answer, answer.errors[0].target or "a mailbox")
        doubts = dict.fromkeys(_DEFAULTS, because)
    return MailboxSettings(len(answer.objects), tuple(notable), tuple(doubts.items()))


def reduce_settings(value: PSValue) -> PSValue:
    """A mailbox without a setting of its own becomes True, or the names of the properties that it came without; another
    one an object with nothing but what is judged."""
    if value is _NO_WORD or isinstance(value, str):
        return value
    bag = _bag("Get-CASMailbox", value)
    kept: dict[str, PSValue] = {}
    for name in _DEFAULTS:
        read = text(bag, name) if name in _TEXTS else _yes_no_or_nothing(bag, name)
        if not isinstance(read, NotCollected):
            kept[name] = read
    if all(kept[name] == _DEFAULTS[name] for name in kept):
        return ",".join(name for name in _DEFAULTS if name not in kept) or _NO_WORD
    for name in ("PrimarySmtpAddress", "Identity", "DistinguishedName"):
        identified = text(bag, name)
        if isinstance(identified, str):
            kept[name] = identified
    return PSObject((), None, kept)


def _yes_no_or_nothing(bag: Bag, name: str) -> bool | None | NotCollected:
    """A property without a value is None: of MapiHttpEnabled it means "as the organisation"."""
    read = boolean(bag, name)
    if isinstance(read, NotCollected) and name == "MapiHttpEnabled":
        said = text(bag, name)
        return None if said is None else read
    return read


def _cas_mailbox(item: PSObject, absent: dict[str, NotCollected]) -> CasMailbox:
    def said(name: str) -> str | None:
        value = item.properties.get(name)
        return value if isinstance(value, str) else None

    def yes_no(name: str) -> bool | NotCollected:
        value = item.properties.get(name)
        return value if isinstance(value, bool) else absent[name]

    versions = "MAPIBlockOutlookVersions"
    override = item.properties.get("MapiHttpEnabled", absent["MapiHttpEnabled"])
    distinguished_name = said("DistinguishedName") or said("Identity") or ""
    return CasMailbox(
        address=said("PrimarySmtpAddress") or said("Identity") or distinguished_name or "a mailbox without a name",
        distinguished_name=distinguished_name,
        mapi_http=override if isinstance(override, bool | NotCollected) else None,
        mapi_enabled=yes_no("MAPIEnabled"),
        blocks_rpc_http=yes_no("MAPIBlockOutlookRpcHttp"),
        blocks_external=yes_no("MAPIBlockOutlookExternalConnectivity"),
        blocked_versions=said(versions) if versions in item.properties else absent[versions],
    )


def _absent(answer: CmdletAnswer, name: str) -> NotCollected:
    return NotCollected(
        Reason.PROPERTY_ABSENT,
        f"{answer.call.name}, run by {answer.server}, gave mailboxes without a readable {name};"
        " connect to the newest server, which knows it.",
    )


# --- archives ---------------------------------------------------------------------------------------------------------


_ARCHIVE = ("Identity*", "DistinguishedName*", "ArchiveGuid*")
_ARCHIVE_OF_ONE = CmdletUse(
    asked=Asked.AHEAD, by="Identity", fixed=(("IgnoreDefaultScope", True),), properties=_ARCHIVE
)
_ALL_ARCHIVES = CmdletUse(
    asked=Asked.MANY_AHEAD,
    fixed=(("Archive", True), ("ResultSize", "Unlimited"), ("IgnoreDefaultScope", True)),
    properties=_ARCHIVE,
)


@fact(
    cmdlets=(
        CmdletSpec(
            "Get-Mailbox",
            ("Identity", "Archive", "ResultSize", "IgnoreDefaultScope"),
            (_ARCHIVE_OF_ONE, _ALL_ARCHIVES),
        ),
    )
)
async def mailbox_archives(
    runner: CmdletRunner, settings: MailboxSettings, organization: OrganizationConfig
) -> MailboxArchives | NotCollected:
    """Asked only about the mailboxes that are ahead of the organisation; a large organisation has many archives."""
    ahead = [mailbox for mailbox in settings.notable if mailbox.mapi_http is True]
    if not ahead or organization.mapi_http_enabled is True:
        return MailboxArchives(0, (), None)
    if len(ahead) > MOST_ONE_BY_ONE:
        return await _archives_of_all(runner, ahead)

    async def look(mailbox: CasMailbox) -> tuple[str, ...] | NotCollected:
        call = CmdletCall.of("Get-Mailbox", Identity=mailbox.distinguished_name, IgnoreDefaultScope=True)
        answer = await runner.run(call)
        if isinstance(answer, NotCollected):
            return answer
        for bag in bags(answer):
            archive = text(bag, "ArchiveGuid")
            if isinstance(archive, NotCollected):
                return archive
            return (mailbox.address,) if (archive or "").strip("0-{}") else ()
        if answer.errors:
            return missing_because(answer.errors[0], answer, mailbox.address)
        return NotCollected(
            Reason.OTHER,
            f"{answer.call}, run by {answer.server}, gave nothing; run it in the Exchange Management Shell.",
        )

    looked = await gather_each("archives", ahead, look, lambda one: Subject(SubjectKind.MAILBOX, one.address))
    return MailboxArchives(len(ahead), tuple(name for names in looked.items for name in names), _first_doubt(looked))


def _first_doubt(looked: Collected[tuple[str, ...]]) -> NotCollected | None:
    return looked.missing[0].because if looked.missing else None


async def _archives_of_all(runner: CmdletRunner, ahead: Iterable[CasMailbox]) -> MailboxArchives | NotCollected:
    address_of = {mailbox.distinguished_name.casefold(): mailbox.address for mailbox in ahead}

    def keep(value: PSValue) -> PSValue:
        if isinstance(value, str):
            return value
        name = text(_bag("Get-Mailbox", value), "DistinguishedName")
        return name.casefold() if isinstance(name, str) else ""

    call = CmdletCall.of("Get-Mailbox", Archive=True, ResultSize="Unlimited", IgnoreDefaultScope=True)
    answer = await runner.run(call, keep=keep)
    if isinstance(answer, NotCollected):
        return answer
    having = {item for item in answer.objects if isinstance(item, str)}
    doubt = _absent(answer, "DistinguishedName") if "" in having else None
    if answer.errors:
        doubt = missing_because(answer.errors[0], answer, answer.errors[0].target or "a mailbox")
    addresses = tuple(address for name, address in address_of.items() if name in having)
    return MailboxArchives(len(address_of), addresses, doubt)


# --- sign-in names ----------------------------------------------------------------------------------------------------


@fact(cmdlets=(CmdletSpec("Get-AcceptedDomain"),))
async def accepted_domains(runner: CmdletRunner) -> AcceptedDomains | NotCollected:
    """The domains that the organisation accepts mail for."""
    answer = await runner.run(CmdletCall.of("Get-AcceptedDomain"))
    if isinstance(answer, NotCollected):
        return answer
    domains: set[str] = set()
    for bag in bags(answer):
        domain = text(bag, "DomainName")
        if isinstance(domain, NotCollected):
            return domain
        if domain:
            domains.add(domain.casefold())
    if answer.errors:
        return missing_because(answer.errors[0], answer, answer.errors[0].target or "an accepted domain")
    if not domains:
        return NotCollected(
            Reason.MALFORMED,
            f"Get-AcceptedDomain, run by {answer.server}, named no domain; see that the account may view the"
            " organisation's settings (View-Only Organization Management).",
        )
    return AcceptedDomains(frozenset(domains))


_ALL_SIGN_INS = CmdletUse(
    asked=Asked.MAILBOXES,
    fixed=(("RecipientTypeDetails", "UserMailbox"), ("IgnoreDefaultScope", True)),
    properties=("WindowsEmailAddress*", "UserPrincipalName*"),
)


@fact(cmdlets=(CmdletSpec("Get-User", ("RecipientTypeDetails", "ResultSize", "IgnoreDefaultScope"), (_ALL_SIGN_INS,)),))
async def mailbox_sign_ins(
    runner: CmdletRunner, scope: MailboxScope, settings: MailboxSettings | NotCollected, accepted: AcceptedDomains
) -> MailboxSignIns | NotCollected:
    """The users who have a mailbox of their own; shared mailboxes, rooms and linked ones sign in otherwise."""
    if isinstance(settings, NotCollected) and settings.reason is Reason.NOT_GIVEN:
        return settings  # There are too many, or they are not to be looked at: no second look finds less.
    keep = reduce_sign_in(accepted)
    answer = await _of_all(runner, scope, "Get-User", keep, RecipientTypeDetails="UserMailbox")
    if isinstance(answer, NotCollected):
        return answer
    different: list[SignIn] = []
    doubt: NotCollected | None = None
    for item in answer.objects:
        if isinstance(item, PSObject):
            name = item.properties.get("UserPrincipalName")
            address = item.properties.get("WindowsEmailAddress")
            is_accepted = item.properties.get("Accepted")
            different.append(SignIn(str(address), name if isinstance(name, str) else None, is_accepted is True))
        elif isinstance(item, str):
            doubt = doubt or _absent(answer, item)
    if answer.errors:
        doubt = missing_because(answer.errors[0], answer, answer.errors[0].target or "a user")
    return MailboxSignIns(len(answer.objects), tuple(different), doubt)


def reduce_sign_in(accepted: AcceptedDomains) -> Callable[[PSValue], PSValue]:
    """A user whose sign-in name is the address becomes True; one that cannot be read the name of the property."""

    def keep(value: PSValue) -> PSValue:
        if value is _NO_WORD or isinstance(value, str):
            return value
        bag = _bag("Get-User", value)
        address = text(bag, "WindowsEmailAddress")
        if not isinstance(address, str):
            return "WindowsEmailAddress"
        name = text(bag, "UserPrincipalName")
        if isinstance(name, NotCollected):
            return "UserPrincipalName"
        is_accepted = name is not None and accepted.holds(name.rpartition("@")[2])
        if is_accepted and name is not None and name.casefold() == address.casefold():
            return _NO_WORD
        kept: dict[str, PSValue] = {
            "WindowsEmailAddress": shown(address),
            "UserPrincipalName": name if name is None else shown(name),
            "Accepted": is_accepted,
        }
        return PSObject((), None, kept)

    return keep


# --- what both have in common -----------------------------------------------------------------------------------------


async def _of_all(
    runner: CmdletRunner, scope: MailboxScope, cmdlet: str, keep: Callable[[PSValue], PSValue], **parameters: str
) -> CmdletAnswer | NotCollected:
    """The answer about all mailboxes, or why the run may not look at them."""
    if scope.mode is MailboxMode.NONE:
        return NotCollected(Reason.NOT_GIVEN, "Mailboxes are not looked at (--mailboxes none).")
    size: str | int = "Unlimited" if scope.mode is MailboxMode.ALL else AUTO_LIMIT + 1
    # Without the switch only the domain of the server is looked at.
    call = CmdletCall.of(cmdlet, **parameters, ResultSize=size, IgnoreDefaultScope=True)
    answer = await runner.run(call, keep=keep)
    if isinstance(answer, NotCollected):
        return answer
    if scope.mode is MailboxMode.AUTO and len(answer.objects) > AUTO_LIMIT:
        return NotCollected(
            Reason.NOT_GIVEN,
            f"There are more than {AUTO_LIMIT:,} mailboxes; to have them looked at all the same, give --mailboxes all.",
        )
    return answer


def _bag(cmdlet: str, value: PSValue) -> Bag:
    properties = value.properties if isinstance(value, PSObject) else {}
    return Bag(cmdlet, "", {name.casefold(): part for name, part in properties.items()})
