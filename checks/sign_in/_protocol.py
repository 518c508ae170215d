"""How a conversation in MAPI over HTTP is judged, on both endpoints: the first answer that is not as it must be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checker import Advice, Cmdlet, HttpAnswer, NotCollected, Reason, Verdict, failed, need, passed
from checker.account import MapiConversation, MapiEndpoint, MapiRequest, Timed
from checker.account import Step as AccountStep
from checker.facts.conversations import Conversation
from checker.facts.network import NO_ANSWER
from checker.facts.organisation import OrganizationConfig
from checker.facts.party import Party, evidence, party_of
from checker.facts.reading import shown
from checker.facts.servers import ExchangeServer
from checker.facts.sign_in import let_in, says_exchange
from checker.protocols.mapihttp import MapiAnswer, ResponseCode, error_name, read_answer
from checker.results import Step
from checks.sign_in._evidence import answering, asked_straight, lines, saw

__all__ = ["Problem", "first_problem", "judge_conversation"]

_CLIENT_BLOCKED = 0x000004DF  # ecClientVerDisallowed
_PROTOCOL_DISABLED = frozenset({0x000007D8, 0x0000096C})  # ecProtocolDisabled, ecMailboxDisabled
_NOT_OWNER = frozenset({0x80070005, 0x000003F2, 0x80040111})  # ecAccessDenied, ecLoginPerm, ecLoginFailure
_UNKNOWN_USER = 0x000003EB
_MOVING = frozenset({0x00000478, 0x0000047F, 0x0000050C})  # ecWrongServer, ecServerPaused, ecMailboxInTransit

_NO_SESSION = frozenset({0, 6, 10, 13})
"""What PING may give before there is a session: the endpoint took it, and has no session to tell of."""

_CHANGED_ON_THE_WAY = frozenset(
    {
        ResponseCode.INVALID_VERB,
        ResponseCode.INVALID_PATH,
        ResponseCode.INVALID_HEADER,
        ResponseCode.INVALID_REQUEST_TYPE,
        ResponseCode.MISSING_HEADER,
        ResponseCode.TOO_LARGE,
        ResponseCode.INVALID_REQUEST_BODY,
        ResponseCode.INVALID_SEQUENCE,
        ResponseCode.ANONYMOUS_NOT_ALLOWED,
    }
)
_SESSION_LOST = frozenset(
    {ResponseCode.INVALID_CONTEXT_COOKIE, ResponseCode.CONTEXT_NOT_FOUND, ResponseCode.MISSING_COOKIE}
)
_OPENING = {MapiEndpoint.MAILBOX: "Connect", MapiEndpoint.ADDRESS_BOOK: "Bind"}
_LEAVING = frozenset({"Disconnect", "Unbind"})
_BACK_END_POOLS = {
    MapiEndpoint.MAILBOX: "MSExchangeMapiMailboxAppPool",
    MapiEndpoint.ADDRESS_BOOK: "MSExchangeMapiAddressBookAppPool",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """The first answer that is not as it must be. `code` is X-ResponseCode, `error` the ErrorCode, where there are."""

    kind: str
    in_session: bool
    sentence: str
    code: ResponseCode | int | None
    error: int | None
    answer: HttpAnswer | NotCollected


def judge_conversation(
    conversation: Conversation,
    no_opening: NotCollected | None,
    mailbox: str | None,
    organization: OrganizationConfig | NotCollected,
) -> Verdict:
    """Pass when every request but the last is answered as it must be. `no_opening` says why no session was opened."""
    said = conversation.said
    endpoint = said.endpoint
    problem = first_problem(said)
    pairs = [*_trace(said), *_of_straight(conversation)]
    if mailbox is not None:
        pairs.append(("mailbox", shown(mailbox, 200)))
    if problem is None:
        opening = _OPENING[endpoint]
        opened = next((request for request in said.requests if request.kind == opening), None)
        if opened is None:
            need(
                no_opening
                or NotCollected(Reason.OTHER, f"{conversation.host} was not asked for {opening}; run it once more.")
            )
        named = ", ".join(dict.fromkeys(["PING", *(request.kind for request in said.requests)]))
        by = f" by {answering(opened.answer)}" if opened and isinstance(opened.answer, HttpAnswer) else ""
        return passed(f"{named} are answered well{by}", found=[_line(each) for each in _asked(said)], evidence=pairs)
    if isinstance(problem.answer, NotCollected) and problem.answer.reason not in NO_ANSWER:
        need(problem.answer)
    need(_excuse(conversation.host, problem, organization))
    by_itself = isinstance(conversation.place, ExchangeServer) or bool(_alike(conversation, problem))
    return failed(
        f"{problem.sentence}{_hint(problem, by_itself=by_itself)}{_whose(conversation, problem)}",
        found=[_line(each) for each in _asked(said)],
        expected=_expected(problem, endpoint),
        remedy=_remedy(conversation, problem, mailbox),
        evidence=pairs,
    )


def _excuse(host: str, problem: Problem, organization: OrganizationConfig | NotCollected) -> NotCollected | None:
    """Why this answer proves nothing against the place: the question could not be put as Outlook will put it."""
    if problem.error == _CLIENT_BLOCKED:
        return NotCollected(
            Reason.NOT_GIVEN,
            "The mailbox blocks the version of Outlook that mapiready states (15.0.856) by MAPIBlockOutlookVersions:"
            f" needs a mailbox that does not. {host} and the sign-in are proved by this answer.",
        )
    if problem.code is not ResponseCode.ENDPOINT_DISABLED:
        return None
    disabled = f"{host} says that the endpoint is disabled (X-ResponseCode 16)"
    switch = organization if isinstance(organization, NotCollected) else organization.mapi_http_enabled
    if switch is False:
        return NotCollected(
            Reason.NOT_GIVEN,
            f"{disabled}, as the organisation's switch is off: needs a mailbox for which it is on (Set-CASMailbox"
            " -MapiHttpEnabled $true), or a look after the switch.",
        )
    if isinstance(switch, NotCollected):
        return NotCollected(
            Reason.NOT_ENABLED,
            f"{disabled}: MAPI over HTTP is off for this mailbox, or for the whole organisation, whose switch is not"
            " known here.",
        )
    return None


# --- reading a conversation -------------------------------------------------------------------------------------------


def _asked(said: MapiConversation) -> list[MapiRequest]:
    """Every request, the one that signed in first: it is PING too."""
    if said.requests and said.requests[0].answer == said.sign_in.answer:
        return list(said.requests)
    seconds = sum(timed.seconds for timed in said.sign_in.timings if timed.step is AccountStep.PROTOCOL)
    return [MapiRequest("PING", False, said.sign_in.answer, seconds), *said.requests]


def first_problem(said: MapiConversation) -> Problem | None:
    """What is wrong first. Leaving the session is not judged: it is only politeness."""
    opening = _OPENING[said.endpoint]
    opened = False
    if isinstance(said.sign_in.answer, HttpAnswer) and not let_in(said.sign_in):
        sentence = f"let the test account in a moment ago, and now turns it away: {saw(said.sign_in.answer)}"
        return Problem("PING", False, sentence, None, None, said.sign_in.answer)
    for request in _asked(said):
        if request.kind in _LEAVING:
            continue
        problem = _wrong(request, opened=opened)
        if problem is not None:
            return problem
        opened = opened or request.kind == opening
    return None


def _wrong(request: MapiRequest, *, opened: bool) -> Problem | None:
    kind, answer = request.kind, request.answer
    label = f"{kind} in the session" if request.in_session else kind
    if isinstance(answer, NotCollected):
        return Problem(
            kind, request.in_session, f"{label} is not answered: {answer.sentence.rstrip('.')}", None, None, answer
        )
    read = read_answer(kind, answer)
    if isinstance(read, NotCollected):
        sentence = f"{label} is answered with {saw(answer)}, which is not MAPI over HTTP"
        if answer.status == 200 and says_exchange(answer):
            sentence = f"{sentence}: {read.sentence.rstrip('.')}"
        return Problem(kind, request.in_session, sentence, None, None, answer)
    if kind == "PING" and not opened and read.code in _NO_SESSION:
        return None
    if kind == "PING" and opened and not request.in_session:
        sentence = "the session has no cookies: none came with the answer that opened it"
        return Problem(kind, False, sentence, ResponseCode.MISSING_COOKIE, None, answer)
    if read.code != 0:
        late = ", told after DONE" if read.late else ""
        sentence = f"{label} is answered with X-ResponseCode {_code(read)}{late} by {answering(answer)}"
        return Problem(kind, request.in_session, sentence, read.response or read.code, None, answer)
    if read.body is not None and read.body.status_code != 0:
        sentence = f"{label} fails with StatusCode {read.body.status_code} by {answering(answer)}"
        return Problem(kind, request.in_session, sentence, None, read.body.status_code, answer)
    if read.body is not None and read.body.error_code:
        error = read.body.error_code
        sentence = f"{label} is refused with ErrorCode {error_name(kind, error)} by {answering(answer)}{_why(error)}"
        return Problem(kind, request.in_session, sentence, None, error, answer)
    return None


def _code(read: MapiAnswer) -> str:
    return f"{read.code} ({read.response.meaning})" if read.response else str(read.code)


def _hint(problem: Problem, *, by_itself: bool) -> str:
    """What the code hints at; what it hints at on the way, only where there is a way."""
    code = problem.code
    if not isinstance(code, ResponseCode) or not code.hint or code.number == 0:
        return ""
    if by_itself and code in _CHANGED_ON_THE_WAY | _SESSION_LOST:
        return ""
    return f": {code.hint}"


def _why(error: int) -> str:
    if error in _PROTOCOL_DISABLED:
        return ": MAPI is turned off for this mailbox"
    if error in _NOT_OWNER:
        return ": the account that signed in is not the owner of this mailbox"
    if error == _UNKNOWN_USER:
        return ": the server knows no mailbox by this name"
    if error in _MOVING:
        return ": the mailbox is being moved, or the request reached a server that does not hold it"
    return ""


# --- words ------------------------------------------------------------------------------------------------------------


def _line(request: MapiRequest) -> str:
    """A request and its answer: "Connect: 0 (success), Exchange (EX01), 0.041 s"."""
    label = f"{request.kind} in the session" if request.in_session else request.kind
    answer = request.answer
    if isinstance(answer, NotCollected):
        return f"{label}: {answer.sentence}"
    read = read_answer(request.kind, answer)
    if isinstance(read, NotCollected):
        return f"{label}: {saw(answer)}"
    error = read.body.error_code if read.body else None
    more = f", ErrorCode {error_name(request.kind, error)}" if error else ""
    return f"{label}: X-ResponseCode {_code(read)}{more}, {answering(answer)}"


def _trace(said: MapiConversation) -> list[tuple[str, str]]:
    sign_in = said.sign_in
    pairs = [("path", shown(said.path, 200)), ("scheme", sign_in.scheme.value)]
    if sign_in.mechanism:
        pairs.append(("mechanism", sign_in.mechanism))
    pairs += [(f"leg {number}", saw(leg)) for number, leg in enumerate(sign_in.legs, 1)]
    last = next((each.answer for each in reversed(_asked(said)) if isinstance(each.answer, HttpAnswer)), None)
    if last is not None:
        pairs.append(("party", answering(last)))
        pairs += evidence(last)
        application = last.first("x-serverapplication")
        if application:
            pairs.append(("x-serverapplication", shown(application, 80)))
    pairs += lines(_steps(said))
    for request in _asked(said):
        label = f"{request.kind} in the session" if request.in_session else request.kind
        pairs.append((f"time {label}", f"{request.seconds:.3f} s"))
    return pairs


def _steps(said: MapiConversation) -> Sequence[Timed]:
    """The steps of the conversation; where it has none of its own, those of its sign-in."""
    return said.timings or said.sign_in.timings


def _of_straight(conversation: Conversation) -> Iterator[tuple[str, str]]:
    for at in conversation.straight:
        problem = first_problem(at.said)
        yield f"straight at {at.server.name}", "answers well" if problem is None else problem.sentence


def _alike(conversation: Conversation, problem: Problem) -> list[str]:
    """The servers behind a name that say the same when they are asked straight."""
    problems = [(at.server.name, first_problem(at.said)) for at in conversation.straight]
    return [
        server
        for server, other in problems
        if other is not None and (other.kind, other.code, other.error) == (problem.kind, problem.code, problem.error)
    ]


def _whose(conversation: Conversation, problem: Problem) -> str:
    """Whose fault it is, from what the same gives straight."""
    alike = _alike(conversation, problem)
    if alike:
        return f"; {asked_straight(alike, 'says', 'say')} the same: not the way to it is at fault"
    well = [at.server.name for at in conversation.straight if first_problem(at.said) is None]
    if well:
        return f"; {asked_straight(well, 'answers', 'answer')} well: the way to it is at fault"
    return ""


def _expected(problem: Problem, endpoint: MapiEndpoint) -> str:
    if problem.kind == "PING" and not problem.in_session:
        return "PING: X-ResponseCode 0, or that there is no session yet (6, 10, 13)"
    return f"PING, {_OPENING[endpoint]} and PING in the session: X-ResponseCode 0 and ErrorCode 0"


# --- remedies ---------------------------------------------------------------------------------------------------------


def _remedy(conversation: Conversation, problem: Problem, mailbox: str | None) -> list[Step]:
    host, endpoint = conversation.host, conversation.said.endpoint
    way = f"/mapi/* of {host}"
    if problem.error is not None:
        return _for_error(problem.error, mailbox, endpoint)
    if problem.code in _SESSION_LOST:
        return [
            Advice(
                "load balancer",
                f"Pass the cookies of {way} on, whatever their names, in both directions and unchanged, and send what"
                " belongs to one session to one server (or to servers that share one name and proxy it to the"
                " mailbox's own).",
            ),
            _pool(endpoint),
        ]
    if problem.code in _CHANGED_ON_THE_WAY:
        return [
            Advice(
                "reverse proxy",
                f"Pass the requests to {way} on unchanged: POST, the path, every header that begins with X-, the body"
                " up to 2 GB, each request once.",
            ),
        ]
    if problem.code is ResponseCode.ENDPOINT_DISABLED or problem.code is ResponseCode.NO_PRIVILEGE:
        return [Cmdlet("Get-OrganizationConfig"), *_for_mailbox(mailbox)]
    if problem.code is not None:
        return [_pool(endpoint), _logs(endpoint)]
    answer = problem.answer
    if isinstance(answer, HttpAnswer) and party_of(answer) in (Party.EXCHANGE, Party.IIS, Party.HTTP_SYS):
        servers = [_pool(endpoint), _logs(endpoint)]
        if answer.status != 200 or isinstance(conversation.place, ExchangeServer) or _alike(conversation, problem):
            return servers
        # As from a server, but not as MAPI over HTTP: what is between may have taken out what makes it so.
        unchanged = f"Pass the answers of {way} on unchanged, with every header that begins with X-, and their bodies."
        return [Advice("reverse proxy", unchanged), *servers]
    return [
        Advice(
            "reverse proxy" if isinstance(answer, HttpAnswer) else "load balancer",
            f"Pass {way} on after the sign-in as before it, without a page or a filter of its own, and keep the"
            " connection for the whole of an answer: answers of MAPI over HTTP may take minutes (time-outs of 30"
            " minutes are usual).",
        ),
        _logs(endpoint),
    ]


def _for_error(error: int, mailbox: str | None, endpoint: MapiEndpoint) -> list[Step]:
    if error in _PROTOCOL_DISABLED:
        return _for_mailbox(mailbox)
    if error in _NOT_OWNER:
        return [
            Advice(
                "administrator",
                "Give the test account's own mailbox with --mailbox, or the account full access to the one that is"
                " given (Add-MailboxPermission).",
            )
        ]
    if error == _UNKNOWN_USER:
        named = [Cmdlet("Get-Mailbox", Identity=mailbox)] if mailbox else []
        return [
            *named,
            Advice(
                "administrator",
                "See that the mailbox's LegacyExchangeDN is the one that Autodiscover gives, and that Active Directory"
                " has replicated it.",
            ),
        ]
    return [_logs(endpoint), *_for_mailbox(mailbox)]


def _for_mailbox(mailbox: str | None) -> list[Step]:
    if mailbox is None:
        return [
            Advice(
                "administrator",
                "See with Get-CASMailbox what the test mailbox has for MAPIEnabled and MapiHttpEnabled, or give another"
                " mailbox with --mailbox.",
            )
        ]
    return [
        Cmdlet("Get-CASMailbox", Identity=mailbox),
        Advice(
            "administrator",
            "MAPIEnabled must be True, and MapiHttpEnabled empty (it then follows the organisation) or True; or give"
            " another mailbox with --mailbox.",
        ),
    ]


def _pool(endpoint: MapiEndpoint) -> Step:
    return Advice(
        "administrator",
        f"See on the mailbox servers that the application pools MSExchangeMapiFrontEndAppPool and"
        f" {_BACK_END_POOLS[endpoint]} run and do not restart again and again.",
    )


def _logs(endpoint: MapiEndpoint) -> Step:
    folder = "MAPI Client Access" if endpoint is MapiEndpoint.MAILBOX else "MAPI Address Book Service"
    return Advice(
        "administrator",
        f"See what the servers logged at this time, below %ExchangeInstallPath%Logging: HttpProxy\\Mapi and {folder}.",
    )
