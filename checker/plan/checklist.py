"""The checklist of the migration: items that mapiready judged, and items that people tick.

An item of mapiready is a check: ticked only when every finding of it passed, failed when one failed, open when one is
not known or was not run, with the reason. An item of people is ticked when checklist.toml says so. Ids never change:
those of checks are the checks' own, the others are written here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from checker.plan.state import Hand, item_id
from checker.results import Category, Finding, Report, Stage, Status

__all__ = ["BY_HAND", "Checklist", "Item", "Section", "Tick", "make_checklist"]


class Tick(Enum):
    """How an item stands."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"
    ACCEPTED = "accepted"
    NOT_APPLICABLE = "not applicable"


class Section(Enum):
    """The parts of the checklist, in order."""

    PREREQUISITES = "Prerequisites: servers, .NET, clients"
    NAMESPACES = "Namespaces"
    CERTIFICATES = "Certificates"
    BALANCER = "Load balancer and firewall"
    DIRECTORIES = "Directories and authentication"
    TESTS = "Tests"
    COMMUNICATION = "Communication"
    ENABLING = "Enabling"
    VERIFICATION = "Verification"
    ROLLBACK = "Rollback"
    MAILBOXES = "Mailboxes with settings of their own"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist. `details` say what a judged item stands on."""

    id: str
    section: Section
    title: str
    judged: bool
    tick: Tick
    hand: Hand
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checklist:
    """All items, by section, and what they were made from."""

    organisation: str | None
    headline: str
    judged_at: str
    tool_version: str
    items: tuple[Item, ...]

    def of(self, section: Section) -> tuple[Item, ...]:
        """The items of a section, in order."""
        return tuple(item for item in self.items if item.section is section)

    def count(self, tick: Tick) -> int:
        """How many items stand so."""
        return sum(item.tick is tick for item in self.items)


_OF_CATEGORY = {
    Category.ORGANISATION: Section.DIRECTORIES,
    Category.SERVERS: Section.PREREQUISITES,
    Category.VIRTUAL_DIRECTORIES: Section.DIRECTORIES,
    Category.OUTLOOK_ANYWHERE: Section.ROLLBACK,
    Category.NAMES: Section.NAMESPACES,
    Category.CERTIFICATES: Section.CERTIFICATES,
    Category.ENDPOINTS: Section.BALANCER,
    Category.SIGN_IN: Section.TESTS,
    Category.AUTODISCOVER: Section.VERIFICATION,
    Category.CONNECTIVITY: Section.TESTS,
    Category.MAILBOXES: Section.MAILBOXES,
    Category.HOST: Section.PREREQUISITES,
    Category.CLIENTS: Section.PREREQUISITES,
    Category.OTHER: Section.TESTS,
}
_OF_CHECK = {
    "org-mapi-http-enabled": Section.ENABLING,
    "org-auth-certificate-valid": Section.CERTIFICATES,
    "autodiscover-scp-names": Section.NAMESPACES,
    "autodiscover-reachable": Section.BALANCER,
    "client-still-on-rpc": Section.VERIFICATION,
}

BY_HAND: tuple[tuple[str, Section, str], ...] = (
    ("servers-same-update", Section.PREREQUISITES,
     ("All client-access servers run the latest or the previous cumulative update, and all members of a DAG the same."
     " Exchange 2013 needs SP1 (15.0.847.32) or later on every client-access server.")),
    ("servers-dotnet", Section.PREREQUISITES,
     ("Every server has the .NET Framework that its cumulative update needs (Exchange 2013: 4.5.2 or later, because of"
     " KB2995145).")),
    ("servers-sizing", Section.PREREQUISITES,
     ("Exchange 2013: the client-access servers have processors to spare. Microsoft counts half as much again for MAPI"
     " over HTTP (core ratio 3:8 instead of 1:4).")),
    ("clients-outlook-2016", Section.PREREQUISITES,
     "Outlook 2016 and later are at their current build; all of them speak MAPI over HTTP."),
    ("clients-outlook-2013", Section.PREREQUISITES,
     "Outlook 2013 has SP1 (15.0.4569) or later, with updates from December 2015 or later."),
    ("clients-outlook-2010", Section.PREREQUISITES,
     "Outlook 2010 has SP2 with both KB2956191 and KB2965295 (April 2015). Without them it stays on Outlook Anywhere."),
    ("clients-outlook-2007", Section.PREREQUISITES,
     "Outlook 2007 and older are known: they stay on Outlook Anywhere and have no other way."),
    ("clients-applications", Section.PREREQUISITES,
     "Applications that use MAPI/CDO are known: it speaks RPC over HTTP alone and ends with Exchange 2013."),
    ("clients-registry", Section.PREREQUISITES,
     "No client has MapiHttpDisabled=1 below HKCU\\Software\\Microsoft\\Exchange, by hand or by policy."),
    ("clients-tls", Section.PREREQUISITES,
     "Clients on Windows 7 and servers on 2008 R2 or 2012 have TLS 1.2 enabled in SCHANNEL and WinHTTP."),
    ("names-decided", Section.NAMESPACES,
     "The names for /mapi inside and outside are decided; those of Outlook Anywhere and OWA will do."),
    ("names-dns", Section.NAMESPACES,
     "DNS inside and outside knows the names; with Kerberos they are A records, no CNAME."),
    ("certificate-owner", Section.CERTIFICATES,
     "Somebody renews the certificate before it ends, on every server and on whatever ends TLS before them."),
    ("balancer-published", Section.BALANCER,
     ("/mapi/* is published as the other paths of Exchange: no filter on method, size or headers, and time-outs longer"
     " than the 15 minutes that a session lasts.")),
    ("balancer-health", Section.BALANCER,
     "The balancer asks /mapi/healthcheck.htm of each server and takes 200 alone for well."),
    ("balancer-ntlm", Section.BALANCER,
     "A balancer of layer 7 keeps a connection on one server: NTLM is per connection."),
    ("firewall-proxy", Section.BALANCER,
     "Proxies of clients let the names through on port 443 without a sign-in of their own, or are passed by."),
    ("authentication-kerberos", Section.DIRECTORIES,
     "Kerberos on a shared name: the alternate service account is on every server and has the SPNs http/NAME."),
    ("authentication-hybrid", Section.DIRECTORIES,
     "Hybrid or modern authentication: OAuth stays among the methods whenever these are set."),
    ("tests-outlook-connectivity", Section.TESTS,
     ("Test-OutlookConnectivity -RunFromServerId SERVER -ProbeIdentity"
     " OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe says Succeeded on each server.")),
    ("tests-logs", Section.TESTS,
     ("No errors of /mapi in the logs below %ExchangeInstallPath%Logging: HttpProxy\\Mapi, MAPI Client Access, MAPI"
     " Address Book Service.")),
    ("tests-connection-status", Section.TESTS,
     ("A pilot's Connection Status (hold Ctrl, click the icon of Outlook in the notification area) shows Protocol HTTP"
     " for mail and directory; Proxy Server is empty, Authn is what was meant, Req/Fail has no failures to speak of.")),
    ("tests-outside", Section.TESTS,
     "Outlook was tried from outside, by VPN and without, and in a new profile."),
    ("pilot", Section.TESTS,
     "A pilot of mailboxes without archive has worked on MAPI over HTTP for some days."),
    ("communication-restart", Section.COMMUNICATION,
     "Users know that Outlook asks them once to restart it, and that this is meant."),
    ("communication-service-desk", Section.COMMUNICATION,
     "The service desk knows the date, Connection Status, and what to do about a prompt that comes again."),
    ("enabling-window", Section.ENABLING,
     "The time of the switch is agreed, and who decides about going back."),
    ("enabling-whatif", Section.ENABLING,
     "enable.ps1 was read, and run with -WhatIf."),
    ("enabling-done", Section.ENABLING,
     "enable.ps1 -SwitchOrganization was run: MapiHttpEnabled of the organisation is True."),
    ("verification-audit", Section.VERIFICATION,
     "mapiready check --stage verify, with a test account, finds no blocker."),
    ("verification-clients", Section.VERIFICATION,
     "Clients move over: HttpProxy\\Mapi grows, HttpProxy\\RpcHttp shrinks to those that are known to stay."),
    ("verification-load", Section.VERIFICATION,
     "Processors and memory of the servers and the sessions of the balancer are watched for a week."),
    ("rollback-read", Section.ROLLBACK,
     "rollback.ps1 was read, and somebody is able to run it at any hour."),
    ("rollback-outlook-anywhere", Section.ROLLBACK,
     "Outlook Anywhere stays as it is: it is the way back, and what older clients and Exchange 2010 need."),
    ("mailboxes-known", Section.MAILBOXES,
     "Each mailbox with MapiHttpEnabled of its own has a reason that is written down, and an end."),
)  # fmt: skip


def make_checklist(report: Report, hands: Mapping[str, Hand], later: Collection[str] = ()) -> Checklist:
    """The checklist of a report with what is kept by hand. `later` are the checks that are asked only after the switch:
    before it they are open, though the audit had no reason to ask them."""
    by_check: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_check.setdefault(item_id(finding.check), []).append(finding)
    waits = {item_id(check) for check in later} if report.stage is Stage.PREPARE else set()
    items = [
        _judged(check, findings, hands.get(check, Hand()), waits=check in waits)
        for check, findings in sorted(by_check.items())
    ]
    items += [
        Item(name, section, title, judged=False, tick=Tick.DONE if hand.done else Tick.OPEN, hand=hand)
        for name, section, title in BY_HAND
        if name not in by_check
        for hand in (hands.get(name, Hand()),)
    ]
    place = {section: number for number, section in enumerate(Section)}
    items.sort(key=lambda item: place[item.section])
    return Checklist(
        report.organisation,
        report.headline,
        report.judged_at.isoformat(" ", "minutes"),
        report.tool_version,
        tuple(items),
    )


def _judged(check: str, findings: Sequence[Finding], hand: Hand, *, waits: bool) -> Item:
    tick = _tick({finding.status for finding in findings})
    waits = waits and tick is Tick.NOT_APPLICABLE
    section = _OF_CHECK.get(check) or _OF_CATEGORY[findings[0].category]
    details = ["judged after the switch, by an audit of the stage verify"] if waits else list(_details(findings, tick))
    tick = Tick.OPEN if waits else tick
    if hand.done and tick is not Tick.DONE:
        details.append("Said to be done by hand; the report does not bear it out. Audit again.")
    return Item(check, section, findings[0].title, judged=True, tick=tick, hand=hand, details=tuple(details))


def _tick(statuses: set[Status]) -> Tick:
    """Ticked only where nothing speaks against it and something was seen."""
    if Status.FAIL in statuses:
        return Tick.FAILED
    if statuses & {Status.UNKNOWN, Status.ERROR, Status.NOT_RUN}:
        return Tick.OPEN
    if Status.ACCEPTED in statuses:
        return Tick.ACCEPTED
    return Tick.DONE if Status.PASS in statuses else Tick.NOT_APPLICABLE


_SHOWN = {
    Tick.FAILED: (Status.FAIL,),
    Tick.OPEN: (Status.ERROR, Status.UNKNOWN, Status.NOT_RUN),
    Tick.ACCEPTED: (Status.ACCEPTED,),
    Tick.DONE: (),
    Tick.NOT_APPLICABLE: (Status.NOT_APPLICABLE,),
}
_MOST = 10


def _details(findings: Sequence[Finding], tick: Tick) -> Iterable[str]:
    shown = [finding for finding in findings if finding.status in _SHOWN[tick]]
    words = {Status.NOT_RUN: "not run: ", Status.UNKNOWN: "not known: ", Status.ERROR: "error: "}
    for finding in shown[:_MOST]:
        yield f"{finding.subject.name}: {words.get(finding.status, '')}{finding.summary}"
    if len(shown) > _MOST:
        yield f"and {len(shown) - _MOST:,} more, which the report names"
    passed = sum(finding.status is Status.PASS for finding in findings)
    if passed:
        yield f"{passed:,} of {sum(finding.status is not Status.NOT_APPLICABLE for finding in findings):,} passed"
