"""Autodiscover answers where the service connection points lead to."""

from dataclasses import replace

from checker import (
    Advice,
    Category,
    CheckInfo,
    HttpAnswer,
    Layer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.autodiscover import AutodiscoverAnswers, offers_sign_in
from checker.facts.network import NO_ANSWER
from checker.facts.party import described, evidence

INFO = CheckInfo(
    id="autodiscover-reachable",
    severity=Severity.BLOCKER,
    category=Category.AUTODISCOVER,
    why=(
        "Outlook learns from Autodiscover that MAPI over HTTP may be used, and at which URL; inside the domain it asks"
        " where the service connection points in Active Directory lead to. Where none of them answers, new profiles"
        " fail and existing ones never change over."
    ),
    how=(
        "POST of /autodiscover/autodiscover.xml, without credentials, at each host that AutoDiscoverServiceInternalUri"
        " of a client-access server names. One good answer is enough: 401 with a challenge, or 200 with Autodiscover's"
        " own XML. A login page, a redirect or an error is none. A host that does not resolve or connect is told by"
        " the checks of its name."
    ),
    mend=(
        "By who answers: a proxy must publish /autodiscover/* without a sign-in page; 404 or 503 from the server means"
        " the virtual directory or the application pool MSExchangeAutodiscoverAppPool."
    ),
    undo="Take back the rule of the proxy.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/autodiscover",
        "https://learn.microsoft.com/powershell/module/exchange/set-clientaccessservice",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/78530279-d042-4eb0-a1f4-03b18143cd19",
    ),
    owns=frozenset({Layer.AUTODISCOVER}),
)


@check(INFO)
def judge(found: AutodiscoverAnswers) -> Verdict:
    """Fail when no host of a service connection point answers as Autodiscover does."""
    good = [each for each in found.answers if offers_sign_in(each.answer)]
    if good:
        answer = good[0].answer
        assert isinstance(answer, HttpAnswer)
        hosts = ", ".join(each.name.host for each in good)
        return passed(f"answers at {hosts}: {described(answer)}", found=hosts, evidence=evidence(answer))
    for missing in found.missing:
        need(missing.because)
    if not found.answers:
        return not_applicable("no client-access server has a service connection point (AutoDiscoverServiceInternalUri)")
    if all(_never_asked(each.answer) for each in found.answers):
        first = found.answers[0]
        assert isinstance(first.answer, NotCollected)
        return need(replace(first.answer, behind=first.name.subject))
    return failed(
        "no service connection point leads to Autodiscover",
        found=[f"{each.name.host}: {_said(each.answer)}" for each in found.answers],
        expected="401 with a challenge, or Autodiscover's XML, at one of them",
        remedy=[
            Advice(
                "load balancer",
                f"Publish /autodiscover/* of {found.answers[0].name.host} as the other paths of Exchange are, for POST"
                " too and without a sign-in page.",
            ),
            Advice(
                "administrator",
                "Where the server itself answers so, start the application pool MSExchangeAutodiscoverAppPool, and see"
                " Get-AutodiscoverVirtualDirectory.",
            ),
        ],
        evidence=[
            line for each in found.answers if isinstance(each.answer, HttpAnswer) for line in evidence(each.answer)
        ],
    )


def _never_asked(answer: HttpAnswer | NotCollected) -> bool:
    """What failed before HTTP, or says nothing of the host."""
    return isinstance(answer, NotCollected) and (answer.layer is not None or answer.reason not in NO_ANSWER)


def _said(answer: HttpAnswer | NotCollected) -> str:
    return answer.sentence if isinstance(answer, NotCollected) else described(answer)
