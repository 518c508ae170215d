"""Why a sign-in did not work: from its legs, from what the same scheme gives straight at the servers, from settings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from checker import Advice, Cmdlet, Collected, HttpAnswer, NotCollected
from checker.account import SignedAnswer, SignInScheme
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.iis import MapiDirectoryInIis, OutlookAnywhereInIis, TokenChecking
from checker.facts.names import NameInUse
from checker.facts.party import Party, party_of, schemes_of
from checker.facts.reading import shown
from checker.facts.sign_in import AtServer, Place, SignIns, let_in, refused
from checker.results import Step
from checks.sign_in._evidence import answering, asked_straight, listed, saw

__all__ = ["Cause", "Diagnosis", "Protection", "diagnose", "protection_of"]

_SERVERS = (Party.EXCHANGE, Party.IIS, Party.HTTP_SYS)


class Cause(IntEnum):
    """Causes, the most telling first."""

    BALANCED = 1  # the legs of one NTLM sign-in reach several servers or connections
    NOT_KEPT = 2  # the connection does not last over the legs
    BINDINGS = 3  # Extended Protection: the certificate by name is not the server's
    INTERCEPTED = 4  # something in between wants a sign-in of its own, or blocks
    LOST = 5  # what the client sends of the sign-in does not arrive
    CUT = 6  # no answer
    KERBEROS = 7  # the server cannot read the ticket
    SERVER = 8  # the server refuses, asked straight too
    PATH = 9  # straight it works, and nothing tells more


@dataclass(frozen=True, slots=True)
class Protection:
    """Extended Protection of the servers behind a place: the modes that are known, and whether all are."""

    modes: frozenset[TokenChecking]
    complete: bool

    @property
    def is_on(self) -> bool:
        """Some server checks bindings that are sent."""
        return bool(self.modes & {TokenChecking.ALLOW, TokenChecking.REQUIRE})

    @property
    def is_off(self) -> bool:
        """No server checks them."""
        return self.complete and bool(self.modes) and not self.is_on

    def __str__(self) -> str:
        shown_modes = self.modes - {TokenChecking.NONE} or self.modes
        return ", ".join(sorted(mode.value for mode in shown_modes)) if shown_modes else "not known"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`certain`: it holds whatever the password is. `kerberos_may_work`: it is about NTLM alone."""

    cause: Cause
    sentence: str
    certain: bool
    kerberos_may_work: bool
    remedy: tuple[Step, ...]


def protection_of(
    place: Place, held: Collected[MapiDirectoryInIis] | Collected[OutlookAnywhereInIis] | NotCollected
) -> Protection:
    """What IIS says of the servers behind a name, or of a server."""
    servers = {use.server for use in place.uses} if isinstance(place, NameInUse) else {place.name}
    if isinstance(held, NotCollected):
        return Protection(frozenset(), complete=False)
    modes: set[TokenChecking] = set()
    directories: list[MapiVirtualDirectory | OutlookAnywhere] = []
    complete = not any(missing.subject.server in (*servers, None) for missing in held.missing)
    for item in held.items:
        if item.directory.server not in servers:
            continue
        directories.append(item.directory)
        if isinstance(item.token_checking, NotCollected):
            complete = False
        else:
            modes.add(item.token_checking)
    return Protection(frozenset(modes), complete and bool(directories))


def diagnose(sign_ins: SignIns, answer: SignedAnswer, root: str, protection: Protection) -> Diagnosis:
    """Why this one did not work. `root` is "/mapi" or "/rpc"."""
    case = _Case(sign_ins, answer, root, protection)
    for rule in (_cut, _intercepted, _balanced, _not_kept, _lost, _by_server, _bindings):
        found = rule(case)
        if found is not None:
            return found
    return _path(case)


# --- rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Case:
    sign_ins: SignIns
    answer: SignedAnswer
    root: str
    protection: Protection

    @property
    def host(self) -> str:
        return self.sign_ins.host

    @property
    def where(self) -> str:
        """The name or the server that is judged."""
        return self.sign_ins.subject.name

    @property
    def by_name(self) -> bool:
        return isinstance(self.sign_ins.place, NameInUse)

    @property
    def scheme(self) -> str:
        inside = self.answer.mechanism
        return (
            f"{self.answer.scheme.value} ({inside})"
            if inside not in (None, self.answer.scheme.value)
            else (self.answer.scheme.value)
        )

    @property
    def is_kerberos(self) -> bool:
        return self.answer.scheme is SignInScheme.NEGOTIATE and self.answer.mechanism == "Kerberos"

    @property
    def is_ntlm(self) -> bool:
        """Bound to its connection."""
        return self.answer.scheme in (SignInScheme.NTLM, SignInScheme.NEGOTIATE) and not self.is_kerberos

    @property
    def may_be_bound(self) -> bool:
        """Whether Extended Protection may be what refuses it: nobody knows that it is off, nor that the certificate by
        name is the servers' own."""
        same = [at.same_certificate for at in self.sign_ins.straight]
        return self.answer.bound and not self.protection.is_off and not (same and all(same))

    @property
    def works_at(self) -> list[str]:
        return [at.server.name for at, one in self._same() if let_in(one)]

    @property
    def refused_at(self) -> list[str]:
        return [at.server.name for at, one in self._same() if refused(one)]

    def _same(self) -> Iterable[tuple[AtServer, SignedAnswer | NotCollected]]:
        """What the same scheme gave straight."""
        for at in self.sign_ins.straight:
            for one in at.tried if isinstance(at.tried, tuple) else ():
                if one.scheme is self.answer.scheme:
                    yield at, one.answer

    @property
    def on_one_connection(self) -> list[HttpAnswer]:
        """The answers that came by one connection for sure."""
        legs = self.answer.legs if self.answer.connections == 1 else self.answer.legs[-1:]
        return [each for each in (*legs, self.answer.answer) if isinstance(each, HttpAnswer)]

    @property
    def last_two(self) -> list[HttpAnswer]:
        """The answers between which NTLM needs one server and one connection."""
        return [each for each in (*self.answer.legs[-1:], self.answer.answer) if isinstance(each, HttpAnswer)]


def _cut(case: _Case) -> Diagnosis | None:
    answer = case.answer
    if not isinstance(answer.answer, NotCollected):
        return None
    step = "in the middle of the sign-in" if answer.legs else "at the first request of the sign-in"
    if answer.completed:
        step = "once the credential was sent"
    more = ", in which the connection changed" if answer.connections > 1 else ""
    return Diagnosis(
        Cause.CUT,
        f"{case.scheme}: {case.where} does not answer {step}{more}",
        certain=True,
        kerberos_may_work=case.is_ntlm and bool(answer.legs),
        remedy=(
            Advice(
                "load balancer" if case.by_name else "administrator",
                f"See in its log why requests to {case.root}/* of {case.host} end without an answer while somebody"
                " signs in: a filter on the size of headers (a ticket has up to 48 KB), a time-out, a connection that"
                " is not kept.",
            ),
        ),
    )


def _intercepted(case: _Case) -> Diagnosis | None:
    answer = case.answer.answer
    if not isinstance(answer, HttpAnswer):
        return None
    own_sign_in = (
        answer.status == 401
        and case.by_name
        and party_of(answer) not in _SERVERS
        and [scheme.casefold() for scheme in schemes_of(answer)] == ["basic"]
    )
    if answer.status == 401 and not own_sign_in:
        return None
    when = "after the credential was sent" if case.answer.completed else "before the credential was sent"
    what = f"{answering(answer)} asks for a sign-in of its own" if own_sign_in else f"came {saw(answer)}"
    return Diagnosis(
        Cause.INTERCEPTED,
        f"{case.scheme}: {when}, {what}: a proxy before Exchange signs users in itself, or blocks {case.root}",
        # Only with Basic can a proxy know a password, and so turn away a wrong one.
        certain=not (case.answer.completed and case.answer.scheme is SignInScheme.BASIC),
        kerberos_may_work=False,
        remedy=(
            Advice(
                "reverse proxy",
                f"Exempt {case.root}/* of {case.host} from its own sign-in and its filters: Outlook signs in to"
                " Exchange by itself, and can fill in no form.",
            ),
        ),
    )


def _balanced(case: _Case) -> Diagnosis | None:
    if not case.is_ntlm or not case.by_name:
        return None
    front_ends = {name for each in case.on_one_connection if (name := each.first("x-feserver")) is not None}
    if len(front_ends) < 2:
        return None
    named = listed([shown(name, 40) for name in sorted(front_ends)])
    return Diagnosis(
        Cause.BALANCED,
        f"{case.scheme}: one sign-in was answered by {named}: the balancer chooses a server for each request, while"
        " NTLM is bound to its connection",
        certain=True,
        kerberos_may_work=True,
        remedy=_keep_together(case),
    )


def _not_kept(case: _Case) -> Diagnosis | None:
    if not case.is_ntlm:
        return None
    old = [each for each in case.last_two if each.http_version == "HTTP/1.0"]
    closing = any("close" in (leg.first("connection") or "").casefold() for leg in case.answer.legs[-1:])
    if not old and not closing and case.answer.connections < 2:
        return None
    how = (
        "answers come as HTTP/1.0"
        if old
        else "it is closed between the steps"
        if closing
        else f"it took {case.answer.connections} connections"
    )
    return Diagnosis(
        Cause.NOT_KEPT,
        f"{case.scheme}: {case.where} does not keep the connection over a sign-in ({how}), and NTLM is bound to its"
        " connection",
        certain=True,
        kerberos_may_work=True,
        remedy=(
            Advice(
                "reverse proxy" if case.by_name else "administrator",
                f"Speak HTTP/1.1 with keep-alive on {case.root}/* of {case.host}, to the clients and to the servers,"
                " and close no connection after a 401.",
            ),
        ),
    )


def _lost(case: _Case) -> Diagnosis | None:
    if case.answer.completed:
        return None
    works = case.works_at
    straight = f", while {asked_straight(works, 'goes on', 'go on')}" if works else ""
    who = saw(case.answer.answer)
    what = (
        f"the first message of the sign-in is answered with a bare {who}, as if it, or what answers it, had been"
        " taken out"
        if case.answer.legs
        else f"it was offered before, and now came {who}: not every server or proxy behind {case.host} offers the same"
    )
    return Diagnosis(
        Cause.LOST,
        f"{case.scheme}: {what}{straight}",
        certain=True,
        kerberos_may_work=case.is_ntlm,
        remedy=(
            Advice(
                "reverse proxy",
                f"Pass Authorization and WWW-Authenticate of {case.root}/* of {case.host} on unchanged, each client"
                " connection by a server connection of its own.",
            ),
            *_see_server(case),
        )
        if case.by_name
        else _see_server(case),
    )


def _by_server(case: _Case) -> Diagnosis | None:
    """The servers themselves refuse it."""
    refused_at = case.refused_at
    if case.by_name and not refused_at:
        return None
    where = f"also straight at {listed(refused_at)}" if case.by_name else "by the server itself"
    but = f", not at {listed(case.works_at)}" if case.by_name and case.works_at else ""
    who = _who(case)
    if case.is_kerberos:
        return Diagnosis(
            Cause.KERBEROS,
            f"Kerberos: the ticket for HTTP/{case.host} is refused by {who}, {where}{but}: the server cannot read it"
            " (the SPN is on another account than the alternate service account that the servers have)",
            certain=False,
            kerberos_may_work=False,
            remedy=(
                Cmdlet("Get-ClientAccessService", IncludeAlternateServiceAccountCredentialStatus=True),
                Advice(
                    "administrator",
                    f"See with 'setspn -Q http/{case.host}' that one account alone has the name, and with the cmdlet"
                    " above that it is the alternate service account of every server behind it; give it to those that"
                    " lack it with RollAlternateServiceAccountPassword.ps1.",
                ),
            ),
        )
    return Diagnosis(
        Cause.SERVER,
        f"{case.scheme}: refused by {who}, {where}{but}: it is offered and does not work there",
        certain=False,
        kerberos_may_work=case.is_ntlm,
        remedy=_see_server(case),
    )


def _bindings(case: _Case) -> Diagnosis | None:
    """Bound to the certificate by name, which no server behind has."""
    differing = [at.server.name for at in case.sign_ins.straight if at.same_certificate is False]
    if not case.answer.bound or not differing or case.protection.is_off:
        return None
    works = case.works_at
    straight = f", while {asked_straight(works, 'accepts it', 'accept it')}" if works else ""
    all_differ = all(at.same_certificate is False for at in case.sign_ins.straight)
    on = case.protection.is_on
    protection = (
        f"Extended Protection is on ({case.protection}) and {case.host} serves another certificate than"
        if on
        else f"{case.host} serves another certificate than {listed(differing)}, and Extended Protection (whose"
        " setting is not known) refuses what is bound to it; likely"
    )
    subject = f" {listed(differing)}" if on else ""
    return Diagnosis(
        Cause.BINDINGS,
        f"{case.scheme}: the channel binding is refused by {_who(case)} after the last step{straight}:"
        f" {protection}{subject}",
        certain=on and all_differ and case.protection.complete and TokenChecking.NONE not in case.protection.modes,
        kerberos_may_work=False,
        remedy=(
            _one_certificate(case),
            Advice(
                "administrator",
                "Where that cannot be, ExtendedProtectionTokenChecking None on the virtual directories of these"
                " servers lets clients in, at the price of the protection.",
            ),
        ),
    )


def _path(case: _Case) -> Diagnosis:
    works = case.works_at
    straight = (
        f", while {asked_straight(works, 'accepts it', 'accept it')}"
        if works
        else ", and no server behind could be asked straight to compare"
    )
    bound = case.may_be_bound
    protected = (
        f"; or Extended Protection is on at the servers, and {case.host} serves another certificate than they have"
        if bound
        else ""
    )
    if case.is_ntlm:
        return Diagnosis(
            Cause.BALANCED,
            f"{case.scheme}: refused by {_who(case)} after the last step{straight}: most likely the balancer does not"
            f" keep a client on one connection to one server, to which NTLM is bound{protected}",
            certain=False,
            kerberos_may_work=True,
            remedy=(*_keep_together(case), *((_one_certificate(case),) if bound else ())),
        )
    return Diagnosis(
        Cause.PATH,
        f"{case.scheme}: refused by {_who(case)} after the last step{straight}: something on the way changes the"
        f" sign-in{protected}",
        certain=False,
        kerberos_may_work=False,
        remedy=(
            Advice(
                "reverse proxy",
                f"Pass Authorization and WWW-Authenticate of {case.root}/* of {case.host} on unchanged, and sign nobody"
                " in before Exchange does.",
            ),
            *((_one_certificate(case),) if bound else ()),
        ),
    )


def _who(case: _Case) -> str:
    last = case.answer.answer
    return answering(last) if isinstance(last, HttpAnswer) else case.host


def _one_certificate(case: _Case) -> Step:
    return Advice(
        "load balancer",
        f"Serve at {case.host} the very certificate that the servers have, with its key, or pass TLS through to them"
        " unopened: with Extended Protection there must be one certificate from the client to Exchange.",
    )


def _keep_together(case: _Case) -> tuple[Step, ...]:
    return (
        Advice(
            "load balancer",
            f"Keep all requests of one client connection to {case.host} on one connection to one server (HAProxy:"
            " 'option prefer-last-server' and 'http-reuse never'; nginx: 'keepalive' upstreams break NTLM; else balance"
            " at layer 4), in HTTP/1.1 with keep-alive on both sides.",
        ),
    )


def _see_server(case: _Case) -> tuple[Step, ...]:
    servers: Sequence[str] = case.refused_at if case.by_name else [case.sign_ins.subject.name]
    cmdlet = "Get-MapiVirtualDirectory" if case.root == "/mapi" else "Get-OutlookAnywhere"
    return (
        *(Cmdlet(cmdlet, Server=server) for server in servers[:3]),
        Advice(
            "administrator",
            f"Look into the Security log of {listed(servers) or 'the servers'} at this time: event 4625 tells why"
            " a sign-in was refused (0xC000035B channel bindings; 0xC000015B the account may not sign in from the"
            " network; 0xC0000418 NTLM is blocked by policy), and see in IIS which methods are on.",
        ),
    )
