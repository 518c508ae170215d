"""What is the same on /mapi and on /rpc: whether the account can sign in at a place at all."""

from collections.abc import Sequence

from checker import NotCollected, Reason, Verdict, failed, need, passed
from checker.account import SignedAnswer
from checker.facts.network import NO_ANSWER
from checker.facts.sign_in import SignIns, Tried, let_in
from checks.sign_in._diagnosis import Diagnosis, Protection, diagnose
from checks.sign_in._evidence import of_proof, of_straight, told, trace

__all__ = ["any_works", "broken", "doubt", "unasked"]


def any_works(sign_ins: SignIns, root: str, protection: Protection) -> Verdict:
    """Pass with the first scheme that lets the account in; fail when none does although the credential is good."""
    working = [one for one in sign_ins.tried if let_in(one.answer)]
    if working:
        ways = ", ".join(_short(one) for one in working)
        return passed(
            f"lets the test account in by {ways}",
            found=[told(one) for one in sign_ins.tried],
            evidence=_evidence(sign_ins, working[0]),
        )
    diagnoses = broken(sign_ins, root, protection)
    if not diagnoses:
        need(unasked(sign_ins.tried))
    if not sign_ins.proof.is_good and not any(found.certain for _, found in diagnoses):
        need(doubt(sign_ins, diagnoses[0][1]))
    if not sign_ins.proof.is_good:
        diagnoses = [(one, found) for one, found in diagnoses if found.certain]
    one, diagnosis = min(diagnoses, key=lambda pair: pair[1].cause)
    untried = _unavailable(sign_ins.tried)
    if untried is not None and diagnosis.kerberos_may_work:
        need(
            NotCollected(
                untried.reason,
                f"{sign_ins.host} does not let NTLM in, and Kerberos could not be tried from here:"
                f" {diagnosis.sentence}. {untried.sentence}",
            )
        )
    return failed(
        diagnosis.sentence,
        found=[told(each) for each in sign_ins.tried],
        expected="one of the schemes that are offered lets the test account in",
        remedy=diagnosis.remedy,
        evidence=[*_evidence(sign_ins, one), ("Extended Protection", str(protection))],
    )


def broken(sign_ins: SignIns, root: str, protection: Protection) -> list[tuple[Tried, Diagnosis]]:
    """The schemes that were answered and did not work, each with its diagnosis."""
    return [
        (one, diagnose(sign_ins, one.answer, root, protection))
        for one in sign_ins.tried
        if isinstance(one.answer, SignedAnswer) and not let_in(one.answer) and _is_answered(one.answer)
    ]


def unasked(tried: Sequence[Tried]) -> NotCollected:
    """Of the reasons why nothing was answered, the one to tell: that of a layer, if there is one."""
    reasons = [one.answer if isinstance(one.answer, NotCollected) else one.answer.answer for one in tried]
    told = [reason for reason in reasons if isinstance(reason, NotCollected)]
    return min(told, key=lambda reason: reason.layer is None)


def doubt(sign_ins: SignIns, likely: Diagnosis) -> NotCollected:
    """Refused by name before anything proved the credential: two causes, and nothing to tell them apart."""
    return NotCollected(
        Reason.SIGN_IN_FAILED,
        f"{sign_ins.host} refuses the test account, and nothing proved its credential before: either the credential is"
        f" wrong, or the way refuses a good one ({likely.sentence}). See that the credential is right, or run where a"
        " server behind the name or the KDC can be asked straight. No password is sent any more in this run.",
    )


def _is_answered(answer: SignedAnswer) -> bool:
    """What the run itself cut off says nothing of the place."""
    return not isinstance(answer.answer, NotCollected) or answer.answer.reason in NO_ANSWER


def _unavailable(tried: Sequence[Tried]) -> NotCollected | None:
    """Why Kerberos could not be tried here."""
    for one in tried:
        if isinstance(one.answer, NotCollected) and one.answer.reason is Reason.SIGN_IN_UNAVAILABLE:
            return one.answer
    return None


def _short(one: Tried) -> str:
    inside = one.answer.mechanism if isinstance(one.answer, SignedAnswer) else None
    return f"{one.scheme.value} ({inside})" if inside not in (None, one.scheme.value) else one.scheme.value


def _evidence(sign_ins: SignIns, one: Tried) -> list[tuple[str, str]]:
    offered = ("offered", ", ".join(sign_ins.offered))
    return [*trace(one.answer), offered, *of_proof(sign_ins.proof), *of_straight(sign_ins.straight)]
