"""What a report says is to be done, in a safe order: a Plan of numbered tasks.

    Report ─▶ Plan ─┬─▶ enable.ps1     (checker.plan.scripts)
                    └─▶ rollback.ps1   the same tasks backwards, with the values that were found

A Change is a cmdlet that can be checked before it is run and put back afterwards: it is known how to read the setting,
and the report holds the value that was found. Everything else is a Note, which somebody does by hand. What several
findings want of one object becomes one change: its lists hold what is there and what each of them adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from checker.quoting import powershell_line
from checker.results import Advice, Category, Cmdlet, CmdletValue, Finding, Report, Status, Step

__all__ = ["SHELL", "Change", "Note", "Phase", "Plan", "Setting", "Task", "Why", "make_plan"]

SHELL = Cmdlet("Get-Help").where
"""The shell that the scripts are made for; a step for another one is a note."""


class Phase(Enum):
    """The parts of a plan, in the order in which they are done."""

    SERVERS = "servers"
    DNS = "DNS"
    CERTIFICATES = "certificates"
    BALANCER = "load balancer and firewall"
    DIRECTORIES = "directories and authentication"
    MAILBOXES = "mailboxes with settings of their own"
    PILOT = "pilot mailboxes without archive"
    SWITCH = "the switch of the organisation"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True)
class Why:
    """A finding that asks for a task."""

    check: str
    severity: str
    subject: str
    summary: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, the value that was found, and the one that it is to have."""

    name: str
    found: CmdletValue
    wanted: CmdletValue


@dataclass(frozen=True, slots=True)
class Change:
    """A cmdlet that sets something, with what reads it. `target` are the parameters that say of what."""

    command: str
    look: Cmdlet
    target: tuple[tuple[str, str], ...]
    settings: tuple[Setting, ...]
    found_is_known: bool = True  # without it there is a way forth, and none back

    @property
    def subject(self) -> str:
        """What is changed, for people."""
        return ", ".join(value for _, value in self.target) or "the organisation"

    def forth(self) -> Cmdlet:
        """The command with the values that are wanted."""
        return self._with((setting.name, setting.wanted) for setting in self.settings)

    def back(self) -> Cmdlet:
        """The command with the values that were found."""
        return self._with((setting.name, setting.found) for setting in self.settings)

    def _with(self, values: Iterable[tuple[str, CmdletValue]]) -> Cmdlet:
        return Cmdlet(self.command, where=SHELL, **dict((*self.target, *values)))


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody does by hand: a text, or a command that no script should run by itself."""

    who: str
    what: str | Cmdlet
    because: str = ""  # why it is no change, of a command


@dataclass(frozen=True, slots=True)
class Task:
    """One numbered task of the plan."""

    number: int
    phase: Phase
    whys: tuple[Why, ...]
    step: Change | Note
    without_archive: bool = False  # to be done only for a mailbox that has none


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks in their order."""

    tasks: tuple[Task, ...]


# --- which cmdlets can be checked and put back ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Look:
    """How the settings of a Set- cmdlet are read. Those `in_ad` are read as the audit did: from Active Directory."""

    read: str
    settings: frozenset[str]
    target: tuple[str, ...] = ("Identity",)
    asked: tuple[str, ...] = ("Identity",)
    in_ad: frozenset[str] = frozenset()


_METHODS_AND_URLS = frozenset({"InternalUrl", "ExternalUrl", "IISAuthenticationMethods"})
_OF_ANYWHERE = frozenset({"SSLOffloading", "IISAuthenticationMethods"})
_SCP = frozenset({"AutoDiscoverServiceInternalUri"})
_OF_MAILBOXES = frozenset({
    "MapiHttpEnabled", "MAPIBlockOutlookRpcHttp", "MAPIBlockOutlookVersions", "MAPIBlockOutlookExternalConnectivity",
})  # fmt: skip
_LOOKS = {
    "Set-MapiVirtualDirectory": _Look(
        "Get-MapiVirtualDirectory",
        _METHODS_AND_URLS | {"ExtendedProtectionTokenChecking"},
        in_ad=_METHODS_AND_URLS,
    ),
    "Set-OutlookAnywhere": _Look("Get-OutlookAnywhere", _OF_ANYWHERE, in_ad=_OF_ANYWHERE),
    "Set-CASMailbox": _Look("Get-CASMailbox", _OF_MAILBOXES),
    "Set-ClientAccessService": _Look("Get-ClientAccessService", _SCP),
    "Set-ClientAccessServer": _Look("Get-ClientAccessServer", _SCP),
    "Set-AuthenticationPolicy": _Look("Get-AuthenticationPolicy", frozenset({"BlockModernAuthMapi"})),
    "Set-OrganizationConfig": _Look("Get-OrganizationConfig", frozenset({"MapiHttpEnabled"}), (), ()),
    "Set-ServerComponentState": _Look(
        "Get-ServerComponentState",
        frozenset({"State"}),
        ("Identity", "Component", "Requester"),
        ("Identity", "Component"),
    ),
}


def _as_change(cmdlet: Cmdlet) -> Change | str:
    """The change that a cmdlet is, or why it is none."""
    look = _LOOKS.get(cmdlet.name)
    if look is None:
        return "looks only" if cmdlet.name.startswith("Get-") else "mapiready does not know how to put it back"
    if cmdlet.where != SHELL:
        return "it runs elsewhere"
    if cmdlet.undo is None or cmdlet.undo.name != cmdlet.name:
        return "the report does not hold the present value"
    wanted, found = dict(cmdlet.parameters), dict(cmdlet.undo.parameters)
    target = tuple((name, value) for name in look.target if isinstance(value := wanted.pop(name, None), str) and value)
    if len(target) != len(look.target) or target != tuple((name, found.pop(name, None)) for name in look.target):
        return "it does not say of what"
    if not wanted or wanted.keys() != found.keys() or not wanted.keys() <= look.settings:
        return "the report does not hold the present value"
    asked = {name: value for name, value in target if name in look.asked}
    in_ad = {"ADPropertiesOnly": True} if wanted.keys() <= look.in_ad else {}
    settings = tuple(Setting(name, found[name], _with_found(found[name], value)) for name, value in wanted.items())
    return Change(cmdlet.name, Cmdlet(look.read, where=SHELL, **asked, **in_ad), target, settings)


def _with_found(found: CmdletValue, wanted: CmdletValue) -> CmdletValue:
    """A list keeps what is there, whatever the step says; each value once, whatever its case."""
    if not isinstance(found, tuple) or not isinstance(wanted, tuple):
        return wanted
    kept: dict[str, str] = {}
    for value in (*found, *wanted):
        kept.setdefault(value.casefold(), value)
    return tuple(kept.values())


def _joined(first: Change, second: Change) -> Change | None:
    """Both changes of one object in one command; None when they contradict each other."""
    settings = {setting.name: setting for setting in first.settings}
    for setting in second.settings:
        other = settings.setdefault(setting.name, setting)
        if other.found != setting.found:
            return None
        if isinstance(other.wanted, tuple) and isinstance(setting.wanted, tuple):
            settings[setting.name] = replace(other, wanted=_with_found(other.wanted, setting.wanted))
        elif other.wanted != setting.wanted:
            return None
    return replace(first, settings=tuple(settings.values()))


# --- the order --------------------------------------------------------------------------------------------------------

_OF_CATEGORY = {
    Category.ORGANISATION: Phase.DIRECTORIES,
    Category.SERVERS: Phase.SERVERS,
    Category.VIRTUAL_DIRECTORIES: Phase.DIRECTORIES,
    Category.OUTLOOK_ANYWHERE: Phase.DIRECTORIES,
    Category.NAMES: Phase.DNS,
    Category.CERTIFICATES: Phase.CERTIFICATES,
    Category.ENDPOINTS: Phase.BALANCER,
    Category.SIGN_IN: Phase.DIRECTORIES,
    Category.AUTODISCOVER: Phase.DIRECTORIES,
    Category.CONNECTIVITY: Phase.SERVERS,
    Category.MAILBOXES: Phase.MAILBOXES,
    Category.HOST: Phase.SERVERS,
    Category.CLIENTS: Phase.VERIFICATION,
    Category.OTHER: Phase.DIRECTORIES,
}
_OF_OWNER = {
    "dns": Phase.DNS,
    "certificate authority": Phase.CERTIFICATES,
    "load balancer": Phase.BALANCER,
    "reverse proxy": Phase.BALANCER,
    "firewall": Phase.BALANCER,
}
SWITCH_CHECK = "org-mapi-http-enabled"
_CERTIFICATE_CHECK = "org-auth-certificate-valid"
_IS_OFF = "the organisation's switch MapiHttpEnabled is off"
_IS_ON = "the organisation's switch MapiHttpEnabled is on"
"""The reasons of a report's stage, when the switch itself gave it."""
_SWITCH_ON = Cmdlet("Set-OrganizationConfig", MapiHttpEnabled=True)


def _phase(finding: Finding, step: Step) -> Phase:
    if isinstance(step, Advice) and step.who.casefold() in _OF_OWNER:
        return _OF_OWNER[step.who.casefold()]
    if finding.check == _CERTIFICATE_CHECK:
        return Phase.CERTIFICATES
    return _OF_CATEGORY[finding.category]


@dataclass(slots=True)
class _Draft:
    """A task before it has its number."""

    phase: Phase
    step: Change | Note
    whys: list[Why] = field(default_factory=list)
    without_archive: bool = False


def make_plan(report: Report, pilots: Sequence[str] = ()) -> Plan:
    """The tasks of a report. `pilots` are mailboxes that get MAPI over HTTP before all others."""
    drafts: dict[tuple[str, ...], _Draft] = {}
    for finding in report.findings:
        if finding.status is Status.FAIL:
            why = Why(finding.check, finding.severity.value, finding.subject.name, finding.summary)
            for step in finding.remedy:
                if not (isinstance(step, Cmdlet) and step == _SWITCH_ON):
                    _add(drafts, _phase(finding, step), step, why)
    for name in dict.fromkeys(pilots):
        step = Cmdlet("Set-CASMailbox", Identity=name, MapiHttpEnabled=True).replacing(MapiHttpEnabled=None)
        _add(drafts, Phase.PILOT, step, None)
    ordered = [*drafts.values(), *_fixed(report, has_pilots=bool(pilots))]
    place = {phase: number for number, phase in enumerate(Phase)}
    ordered.sort(key=lambda draft: place[draft.phase])
    return Plan(
        tuple(
            Task(number, draft.phase, tuple(dict.fromkeys(draft.whys)), draft.step, draft.without_archive)
            for number, draft in enumerate(ordered, 1)
        )
    )


def _add(drafts: dict[tuple[str, ...], _Draft], phase: Phase, step: Step, why: Why | None) -> None:
    change = _as_change(step) if isinstance(step, Cmdlet) else ""
    pilot = phase is Phase.PILOT
    if isinstance(change, Change):
        in_ad = str(("ADPropertiesOnly", True) in change.look.parameters)
        key = ("change", change.command, in_ad, *(value.casefold() for _, value in change.target))
        before = drafts.get(key)
        joined = _joined(before.step, change) if before and isinstance(before.step, Change) else change
        if joined is not None and (before is None or (not pilot and not before.without_archive)):
            draft = drafts.setdefault(key, _Draft(phase, joined, without_archive=pilot))
            draft.step = joined
        else:
            change = "another finding wants another value, so somebody has to decide"
    if not isinstance(change, Change):
        note = Note(step.where, step, change) if isinstance(step, Cmdlet) else Note(step.who, step.text)
        text = powershell_line(step) if isinstance(step, Cmdlet) else step.text
        draft = drafts.setdefault(("note", phase.value, note.who, text), _Draft(phase, note))
    if why is not None:
        draft.whys.append(why)


def _fixed(report: Report, *, has_pilots: bool) -> Iterator[_Draft]:
    """What every plan has: the pilot, the switch, and what is looked at after it."""
    if not has_pilots:
        text = (
            "Choose a few mailboxes without an archive and let them go first: Set-CASMailbox -Identity MAILBOX"
            " -MapiHttpEnabled $true, or make the plan again with these mailboxes as pilots. (While the organisation's"
            " switch is off, the archive of a mailbox that goes first does not open: KB 3098940.)"
        )
        yield _Draft(Phase.PILOT, Note("administrator", text))
    yield _switch(report)
    for text in (
        (
            "Audit again: mapiready check --stage verify, with a test account. Autodiscover may need some minutes;"
            " recycling MSExchangeAutodiscoverAppPool makes it quicker."
        ),
        (
            "Ask users to restart Outlook when it says so, once. Then look at Connection Status (hold Ctrl and click"
            " the icon of Outlook in the notification area): Protocol is HTTP, no longer RPC/HTTP."
        ),
        "Look at HttpProxy\\Mapi and MAPI Client Access below %ExchangeInstallPath%Logging on each server for errors.",
    ):
        yield _Draft(Phase.VERIFICATION, Note("administrator", text))


def _switch(report: Report) -> _Draft:
    judged = next((finding for finding in report.findings if finding.check == SWITCH_CHECK), None)
    off = any(isinstance(step, Cmdlet) for step in judged.remedy) if judged else False
    if judged is not None and judged.status is Status.FAIL and not off:
        return _Draft(Phase.SWITCH, Note("administrator", "No server of the report can offer MAPI over HTTP yet."))
    if (judged is not None and judged.status is Status.PASS) or report.stage_reason == _IS_ON:
        return _Draft(Phase.SWITCH, Note("administrator", "The switch of the organisation was on already."))
    change = _as_change(_SWITCH_ON.replacing(MapiHttpEnabled=False))
    assert isinstance(change, Change)
    return _Draft(Phase.SWITCH, replace(change, found_is_known=off or report.stage_reason == _IS_OFF))
