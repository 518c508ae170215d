"""What was seen of a sign-in, leg by leg and step by step, in words."""

from collections.abc import Iterable, Sequence

from checker import HttpAnswer, NotCollected
from checker.account import AccountProof, Proof, SignedAnswer, Timed
from checker.facts.party import Party, described, evidence, party_of
from checker.facts.reading import shown
from checker.facts.sign_in import AtServer, Tried, let_in

__all__ = ["answering", "asked_straight", "lines", "listed", "of_proof", "of_straight", "saw", "told", "trace"]


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: "EX01, EX02 and EX03"; some of them where there are many."""
    if len(names) > 5:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else ""


def asked_straight(names: Sequence[str], one: str, several: str) -> str:
    """What servers do when they are asked straight: "EX01, asked straight, accepts it"."""
    return f"{listed(names)}, asked straight, {one if len(names) == 1 else several}"


def answering(answer: HttpAnswer) -> str:
    """Who answered, and which front end if it says so: "Exchange (EX01)"."""
    party = party_of(answer)
    if party is Party.UNKNOWN and answer.first("x-responsecode") is not None:
        party = Party.EXCHANGE  # of a site that hides its headers
    front_end = answer.first("x-feserver")
    return f"{party.value} ({shown(front_end, 40)})" if front_end else party.value


def saw(answer: HttpAnswer | NotCollected) -> str:
    """An answer in a few words, with the front end that it names."""
    if isinstance(answer, NotCollected):
        return answer.sentence
    front_end = answer.first("x-feserver")
    return f"{described(answer)}{f' ({shown(front_end, 40)})' if front_end else ''}"


def told(one: Tried) -> str:
    """A line for a scheme: "NTLM: refused by Exchange (EX01)"."""
    return f"{one.scheme.value}: {_outcome(one.answer)}"


def _outcome(answer: SignedAnswer | NotCollected) -> str:
    if isinstance(answer, NotCollected):
        return f"not tried: {answer.sentence}"
    inside = f", {answer.mechanism} inside" if answer.mechanism not in (None, answer.scheme.value) else ""
    last = answer.answer
    if let_in(answer):
        by = f" by {answering(last)}" if isinstance(last, HttpAnswer) else ""
        return f"works{inside} (let in{by})"
    if isinstance(last, NotCollected):
        return f"not answered after {len(answer.legs)} steps{inside}: {last.sentence}"
    if last.status == 401:
        how = "refused" if answer.completed else "turned away before the credential was sent"
        return f"{how} by {answering(last)}{inside}"
    return f"{saw(last)}{inside}"


def trace(answer: SignedAnswer | NotCollected) -> list[tuple[str, str]]:
    """The sign-in as evidence: scheme, mechanism, legs, connections, bindings, times."""
    if isinstance(answer, NotCollected):
        return []
    pairs = [("scheme", answer.scheme.value)]
    if answer.mechanism:
        pairs.append(("mechanism", answer.mechanism))
    pairs += [(f"leg {number}", saw(leg)) for number, leg in enumerate(answer.legs, 1)]
    pairs.append(("answer", saw(answer.answer)))
    if isinstance(answer.answer, HttpAnswer):
        pairs.append(("party", answering(answer.answer)))
        pairs += evidence(answer.answer)
    pairs.append(("connections", str(answer.connections)))
    pairs.append(("channel bindings", "sent" if answer.bound else "not sent"))
    return [*pairs, *lines(answer.timings)]


def lines(timings: Iterable[Timed]) -> list[tuple[str, str]]:
    """Times as evidence: ("time connect", "0.012 s")."""
    return [(f"time {timed.step.value}", f"{timed.seconds:.3f} s") for timed in timings]


def of_proof(proof: AccountProof) -> list[tuple[str, str]]:
    """What is known of the credential, as evidence."""
    by = f" ({shown(proof.by, 80)})" if proof.by else ""
    match proof.proof:
        case Proof.KDC:
            said = f"good: the KDC gave a ticket{by}"
        case Proof.SERVER:
            said = f"good: a server, asked straight, let it in{by}"
        case Proof.NAME:
            said = f"good: it was let in{by}"
        case Proof.REJECTED:
            said = f"rejected{by}"
        case Proof.DOUBTFUL:
            said = f"in doubt: refused before anything proved it{by}"
        case Proof.UNPROVEN:
            said = "not proven"
    return [("credential", said)]


def of_straight(servers: Iterable[AtServer]) -> list[tuple[str, str]]:
    """What came of it straight at the servers behind a name, as evidence."""
    pairs = []
    for at in servers:
        key = f"straight at {at.server.name}"
        if isinstance(at.tried, NotCollected):
            pairs.append((key, f"not asked: {at.tried.sentence}"))
        else:
            pairs += [(key, told(one)) for one in at.tried]
    return pairs
