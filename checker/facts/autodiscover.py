"""What Autodiscover answers where the service connection points of the client-access servers lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checker.answers import Collected, HttpAnswer, Missing, Network, NotCollected, Target
from checker.declare import fact
from checker.facts.names import NameInUse, UseKind
from checker.facts.network import seen_from
from checker.facts.party import schemes_of
from checker.facts.run import Vantage
from checker.facts.servers import ClientAccessService
from checker.gathering import gather_each

__all__ = ["AutodiscoverAnswer", "AutodiscoverAnswers", "autodiscover_answers", "offers_sign_in"]

_XML = re.compile(
    rb"\s*(\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}\?>\s*<Autodiscover\b[^>]{0,300}schemas\.microsoft\.com/exchange"
)


@dataclass(frozen=True, slots=True)
class AutodiscoverAnswer:
    """The answer by one name; NotCollected when there was none."""

    name: NameInUse
    answer: HttpAnswer | NotCollected


@dataclass(frozen=True, slots=True)
class AutodiscoverAnswers:
    """The answers by every name that a service connection point holds; `missing` are servers whose point is unknown."""

    answers: tuple[AutodiscoverAnswer, ...]
    missing: tuple[Missing, ...]


def offers_sign_in(answer: HttpAnswer | NotCollected) -> bool:
    """Whether this is Autodiscover: a challenge, or its own XML. A login page is neither."""
    if isinstance(answer, NotCollected):
        return False
    if answer.status == 401:
        return bool(schemes_of(answer))
    return answer.status == 200 and _XML.match(answer.body) is not None


@fact()
async def autodiscover_answers(
    services: Collected[ClientAccessService], names: Collected[NameInUse], network: Network, vantage: Vantage
) -> AutodiscoverAnswers:
    """Every name of a service connection point, asked with Autodiscover's POST."""
    named = [name for name in names.items if any(use.kind is UseKind.AUTODISCOVER_URI for use in name.uses)]

    async def look(name: NameInUse) -> AutodiscoverAnswer:
        answer = await network.autodiscover(Target(name.host))
        if isinstance(answer, NotCollected) and answer.layer is not None:
            answer = seen_from(name, vantage, answer)
        return AutodiscoverAnswer(name, answer)

    looked = await gather_each("Autodiscover", named, look, lambda name: name.subject)
    return AutodiscoverAnswers(looked.items, (*looked.missing, *services.missing))
