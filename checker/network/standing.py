"""What is known of the test account's credential, and whether it may be sent once more.

Accounts are locked by wrong passwords. So until somebody has let the credential in, it is sent by one question at a
time; the first who turns it away ends it for everybody; and an answer that never came counts too: after two of those
nothing more is sent. Once it is known to be good, a refusal is the fault of the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from checker.account import AccountProof, Proof, SignedAnswer, SignInScheme
from checker.answers import Layer, NotCollected, Reason
from checker.network.sentences import shown

__all__ = ["Standing", "lets_in"]

_MOST_OPEN = 2
_BEFORE_SIGN_IN = frozenset({401, 403, 407, 408, 429})
_SIGNS_OF_EXCHANGE = frozenset({"x-feserver", "x-calculatedbetarget", "x-responsecode"})


def lets_in(status: int, headers: Iterable[tuple[str, str]], *, straight: bool) -> bool:
    """Whether the head of an answer to a credential shows that it is good.

    What may come from something in between that never asked who is there (403, 5xx) does so only with a header that
    Exchange alone has. A 401 does so where Exchange says that it was the back end that gave it: the front end asks it
    only for somebody whom it has let in. By a name, where a portal answers whoever shows anything, redirects, pages and
    what is not found are no proof either.
    """
    headers = tuple(headers)
    if status == 401:
        return any(name == "x-failurecontext" and value.casefold().startswith("backend;") for name, value in headers)
    shown_by = dict(headers)
    if not _SIGNS_OF_EXCHANGE.isdisjoint(shown_by):
        return True
    if status >= 500 or status in _BEFORE_SIGN_IN:
        return False
    return straight or (status == 200 and "html" not in shown_by.get("content-type", "").casefold())


class Standing:
    """Of one credential. `who` is the account in sentences; `lock` is held by a question that may be its first test."""

    def __init__(self, who: str, *, password: bool) -> None:
        self._who = who
        self._password = password
        self._proof = Proof.UNPROVEN
        self._by: str | None = None
        self._attempts = 0
        self._open = 0
        self._because: NotCollected | None = None
        self.lock = asyncio.Lock()

    @property
    def now(self) -> AccountProof:
        """What is known by now."""
        return AccountProof(self._proof, self._by, self._attempts, self._because)

    @property
    def is_good(self) -> bool:
        return self.now.is_good

    @property
    def stopped(self) -> NotCollected | None:
        """Why nothing more is sent; None while it is."""
        return self._because if self._proof in (Proof.REJECTED, Proof.DOUBTFUL) else None

    def sending(self) -> None:
        """The credential goes out."""
        self._attempts += int(self._password)
        self._open += 1

    def unsent(self) -> None:
        """It did not go out after all: there was no connection for it."""
        self._attempts -= int(self._password)
        self._open -= 1

    def unproven(self, because: NotCollected) -> None:
        """It could not be tried."""
        if self._proof is Proof.UNPROVEN:
            self._because = because

    def good(self, proof: Proof, by: str) -> None:
        """Somebody let it in."""
        if not self.is_good:
            self._proof, self._by, self._because = proof, by, None

    def rejected(self, sentence: str, by: str) -> None:
        """Nothing but the credential can be the cause."""
        self._stop(Proof.REJECTED, sentence, by)

    def heard(
        self, answer: SignedAnswer, status: int | None, headers: Iterable[tuple[str, str]], *, straight: bool
    ) -> None:
        """Draws the conclusion from a sign-in that was sent before anything was known. Status and headers are those of
        the last answer, also of one that was cut: its head says enough."""
        if not answer.completed or status is None:
            return
        by = shown(answer.target)
        if lets_in(status, headers, straight=straight):
            self.good(Proof.SERVER if straight else Proof.NAME, by)
        elif status == 401:
            whole = answer.connections == 1 or answer.scheme in (SignInScheme.BASIC, SignInScheme.BEARER)
            if straight and whole:
                self.rejected(self._refused(answer, by), by)
            else:
                self._stop(Proof.DOUBTFUL, self._doubtful(answer, by), by)

    def settle(self) -> None:
        """Ends a question that may have been the first test, however it ended."""
        if not self.is_good and self.stopped is None and self._open >= _MOST_OPEN:
            self._stop(
                Proof.DOUBTFUL,
                f"{self._credential} was sent {self._open} times without an answer that tells whether it is good, and"
                " is not sent any more, so that the account is not locked. Mend what the servers answer, then run"
                " mapiready again.",
                None,
            )

    def _stop(self, proof: Proof, sentence: str, by: str | None) -> None:
        if not self.is_good and self.stopped is None:
            self._proof, self._by = proof, by
            self._because = NotCollected(Reason.SIGN_IN_FAILED, sentence, Layer.SIGN_IN)

    @property
    def _credential(self) -> str:
        return f"The {'password' if self._password else 'credential'} of {self._who}"

    def _refused(self, answer: SignedAnswer, by: str) -> str:
        if answer.scheme is SignInScheme.BEARER:
            return (
                f"{by} refused the token of {self._who}: it has expired, was issued for another service, or the server"
                " does not trust its issuer. Get another one; mapiready does not send this one again."
            )
        return (
            f"{by}, asked straight, refused the sign-in of {self._who} by {answer.mechanism or answer.scheme.value}:"
            " the user or the password is wrong, or the account may not sign in (locked, disabled, expired), or this"
            " server alone cannot ask its domain. Check these; mapiready does not send the password again, so that the"
            " account is not locked."
        )

    def _doubtful(self, answer: SignedAnswer, by: str) -> str:
        if answer.scheme is SignInScheme.BEARER:
            return (
                f"{by} refused the token of {self._who} before anything had shown that it is good: either the token is"
                " not good, or the way spoils it (a proxy). It is not sent again."
            )
        return (
            f"{by} refused the sign-in of {self._who} by {answer.mechanism or answer.scheme.value} before anything had"
            " shown that the password is good. Either user or password are wrong, or the way spoils the sign-in"
            " (Extended Protection with another certificate in between, balancing of each request, a proxy). Check the"
            " password, and let mapiready ask a server straight or a domain controller; the password is not sent"
            " again, so that the account is not locked."
        )
