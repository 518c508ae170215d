"""Every scheme that /mapi offers, and that the test account can answer, signs it in."""

from checker import (
    Category,
    CheckInfo,
    Collected,
    Layer,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.account import SignedAnswer
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.run import Vantage, VantagePoint
from checker.facts.sign_in import MapiSignIns, let_in
from checks.sign_in._diagnosis import protection_of
from checks.sign_in._evidence import of_proof, of_straight, told, trace
from checks.sign_in._judging import broken, unasked

INFO = CheckInfo(
    id="signin-mapi-each-scheme",
    severity=Severity.WARNING,
    category=Category.SIGN_IN,
    why=(
        "Clients choose by themselves among the schemes that are offered: those in the domain take Kerberos, those"
        " outside NTLM. What is offered and does not work prompts some users and not others, and hides as long as the"
        " administrator's own computer takes another scheme."
    ),
    how=(
        "Each scheme that is offered at /mapi/emsmdb/ and that the credential can answer is tried by itself, by name"
        " and straight at each server. One works and another is refused: that fails. Where none works, signin-mapi"
        " tells it. Kerberos that cannot be tried, because no domain controller is in reach or there is no ticket, is"
        " normal outside and left out there; inside it leaves the answer unknown. Negotiate may carry Kerberos or NTLM;"
        " which of them it was is said."
    ),
    mend=(
        "By the cause that is named for the scheme. If Kerberos alone fails: the SPN of the name on the alternate"
        " service account, and that account on every server; if NTLM alone fails: connections that are kept together."
        " A scheme that shall not be used is better not offered: see IISAuthenticationMethods, and keep OAuth there."
    ),
    undo="Take back the rule of the balancer; Set-MapiVirtualDirectory takes the former IISAuthenticationMethods back.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/kerberos-auth-for-load-balanced-client-access",
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
    ),
)


@check(INFO)
def judge(sign_ins: MapiSignIns, held: Collected[MapiDirectoryInIis] | NotCollected, vantage: Vantage) -> Verdict:
    """Fail when one scheme works and another, which was tried too, does not."""
    working = [one for one in sign_ins.tried if let_in(one.answer)]
    diagnoses = broken(sign_ins, "/mapi", protection_of(sign_ins.place, held))
    if not working:
        if not diagnoses:
            need(unasked(sign_ins.tried))
        need(NotCollected(Reason.SIGN_IN_FAILED, "No scheme lets the test account in.", Layer.SIGN_IN))
    found = [told(one) for one in sign_ins.tried]
    if diagnoses:
        one, diagnosis = min(diagnoses, key=lambda pair: pair[1].cause)
        names = ", ".join(each.scheme.value for each in working)
        return failed(
            f"{names} works; {diagnosis.sentence}",
            found=found,
            expected="every scheme that is offered lets the test account in",
            remedy=diagnosis.remedy,
            evidence=[*trace(one.answer), *of_proof(sign_ins.proof), *of_straight(sign_ins.straight)],
        )
    untried = [one for one in sign_ins.tried if not let_in(one.answer)]
    for one in untried:
        because = one.answer.answer if isinstance(one.answer, SignedAnswer) else one.answer
        if isinstance(because, NotCollected) and not (
            vantage.point is VantagePoint.OUTSIDE and because.reason is Reason.SIGN_IN_UNAVAILABLE
        ):
            need(because)
    if len(working) < 2:
        reason = "outside Kerberos cannot be tried, and" if untried else "of the schemes that are offered"
        return not_applicable(f"{reason} the test account can answer {working[0].scheme.value} alone")
    return passed(
        f"{', '.join(one.scheme.value for one in working)} let the test account in",
        found=found,
        evidence=[*trace(working[0].answer), *of_proof(sign_ins.proof)],
    )
