"""Whether the credential of the test account is known to be good, before any name may be blamed for refusing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checker.account import NO_ACCOUNT, AccountProof, SignedAnswer, SignedIn, SignInScheme, TestAccount
from checker.answers import Collected, HttpAnswer, NotCollected, Target
from checker.declare import fact
from checker.facts.behind import ServerAsName
from checker.facts.party import Party, party_of, schemes_of

__all__ = ["account_proof", "answerable", "not_taken", "targets_of_proof"]


@fact()
async def account_proof(
    signed_in: SignedIn, account: TestAccount, straight: Collected[ServerAsName] | NotCollected
) -> AccountProof | NotCollected:
    """The credential, put to the test where nothing stands between: by the KDC, or at a server asked straight.

    NOT_GIVEN without an account. What needs a sign-in names this fact first among its needs, and so is NOT_GIVEN too.
    """
    if not account.given:
        return NO_ACCOUNT
    looks = straight.items if isinstance(straight, Collected) else ()
    targets, schemes = targets_of_proof(looks, account)
    return await signed_in.prove(targets, schemes)


def targets_of_proof(
    looks: Iterable[ServerAsName], account: TestAccount
) -> tuple[tuple[Target, ...], tuple[SignInScheme, ...]]:
    """Where the credential is put to the test, best first, and the schemes that all these places offer.

    Good is a server that challenged when asked straight by a name that leads to it; better one whose answer shows that
    it is Exchange's. Without any such server there is the KDC alone, and no offer to keep to.
    """
    pages = sorted(_challenges(looks, account), key=lambda page: party_of(page) is not Party.EXCHANGE)
    if not pages:
        return (), account.schemes
    common = answerable(schemes_of(pages[0]), account)
    for page in pages[1:]:
        common = tuple(scheme for scheme in common if scheme in answerable(schemes_of(page), account)) or common
    chosen = [page for page in pages if set(common) <= set(answerable(schemes_of(page), account))]
    return tuple(dict.fromkeys(page.target for page in chosen)), common


def answerable(offered: Iterable[str], account: TestAccount) -> tuple[SignInScheme, ...]:
    """Of the schemes that a challenge names, those that the credential can answer, in the order of trying.

    Bearer is worth a try wherever there is a challenge: Exchange names it only to clients that show that they know
    OAuth, which a sign-in with a token does before it sends the token; `not_taken` tells what came of it.
    """
    named = {scheme.casefold() for scheme in offered}
    if named:
        named.add("bearer")
    return tuple(scheme for scheme in account.schemes if scheme.value.casefold() in named)


def not_taken(answer: SignedAnswer | NotCollected) -> bool:
    """Whether a token was not sent, because it was not asked for even by a client that knows OAuth."""
    return (
        isinstance(answer, SignedAnswer)
        and answer.scheme is SignInScheme.BEARER
        and not answer.completed
        and isinstance(answer.answer, HttpAnswer)
        and answer.answer.status == 401
        and "bearer" not in {scheme.casefold() for scheme in schemes_of(answer.answer)}
    )


def _challenges(looks: Iterable[ServerAsName], account: TestAccount) -> Iterator[HttpAnswer]:
    for look in looks:
        page = look.emsmdb
        if isinstance(page, HttpAnswer) and page.status == 401 and answerable(schemes_of(page), account):
            yield page
