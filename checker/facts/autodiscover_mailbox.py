"""What Autodiscover tells of the test account's mailbox, asked as Outlook asks it, signed in.

    AutodiscoverMailbox     all of it: the journeys, and what was looked at without credentials
    Journey                 from one place where Outlook begins, redirect after redirect, to the settings or an end
    Hop                     one signed-in question, or why it was not put
    Look                    one place that was looked at without credentials

The credential goes to hosts that the organisation or the user named, over https, and nowhere else: a redirect that
leads elsewhere is not followed and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from checker.account import SignedAnswer
from checker.answers import HttpAnswer, Missing, NotCollected, Services
from checker.facts.urls import read_mapi_url
from checker.protocols.autodiscover import PoxAnswer, mailbox_id, mapi_urls

__all__ = ["AutodiscoverMailbox", "Ending", "Hop", "Journey", "Look", "Start"]


class Start(Enum):
    """Where Outlook begins, and why."""

    SERVICE_CONNECTION_POINT = "service connection point"
    DOMAIN = "domain of the address"
    AUTODISCOVER_DOMAIN = "autodiscover.DOMAIN"
    PLAIN_REDIRECT = "redirect of http://autodiscover.DOMAIN"
    SERVICE_RECORD = "SRV record _autodiscover._tcp.DOMAIN"


class Ending(Enum):
    """How a journey ended."""

    SETTINGS = "settings"  # the only good one
    NOT_REACHED = "not reached"  # no connection, no Autodiscover, no trust: told by the check of that layer
    REFUSED = "refused"  # the credential was sent and turned away, with every scheme
    NO_SCHEME = "no scheme"  # the account can answer none of those offered, or not from here
    NOT_AUTODISCOVER = "not Autodiscover"  # signed in, answered by something else than Autodiscover's XML
    ERROR = "error"  # Autodiscover's own <Error>
    NOT_FOLLOWED = "not followed"  # a redirect to a host that nobody named, or without TLS
    LOOP = "loop"  # redirects without an end


@dataclass(frozen=True, slots=True)
class Look:
    """A place where Outlook would look, looked at without credentials. `where` is its URL or its name."""

    where: str
    found: HttpAnswer | Services | NotCollected


@dataclass(frozen=True, slots=True)
class Hop:
    """One question: `why` it was put to this host ("service connection point", "redirectUrl of …"), for which address.

    `tried` are the answers by scheme, the last of them is what counts; it is empty where the host answered without a
    sign-in, or where nothing could be sent. `challenge` is the answer without credentials. `said` is what the XML says.
    """

    host: str
    address: str
    why: str
    challenge: HttpAnswer | NotCollected
    tried: tuple[SignedAnswer | NotCollected, ...]
    said: PoxAnswer | NotCollected

    @property
    def answer(self) -> HttpAnswer | NotCollected:
        """The answer that counts."""
        last: SignedAnswer | NotCollected | HttpAnswer = self.tried[-1] if self.tried else self.challenge
        return last.answer if isinstance(last, SignedAnswer) else last


@dataclass(frozen=True, slots=True)
class Journey:
    """From a start to an end. `because` says why there are no settings, None where there are."""

    start: Start
    hops: tuple[Hop, ...]
    ending: Ending
    because: NotCollected | None

    @property
    def settings(self) -> PoxAnswer | None:
        """What Autodiscover said at the end, where that is settings."""
        said = self.hops[-1].said if self.hops else None
        return said if self.ending is Ending.SETTINGS and isinstance(said, PoxAnswer) else None


@dataclass(frozen=True, slots=True)
class AutodiscoverMailbox:
    """What there is to know of the mailbox of the test account by Autodiscover.

    `proven`: the credential is known to be good, so that a refusal is the fault of the way. `missing` are servers
    whose service connection point is unknown.
    """

    mailbox: str
    proven: bool
    journeys: tuple[Journey, ...]
    looks: tuple[Look, ...]
    missing: tuple[Missing, ...]

    @property
    def settings(self) -> PoxAnswer | None:
        """Those of the first journey that found some."""
        return next((found for journey in self.journeys if (found := journey.settings) is not None), None)

    @property
    def user_dn(self) -> str | None:
        """The legacyExchangeDN, for Connect."""
        return self.settings.legacy_dn if self.settings else None

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of MAPI over HTTP that are advertised, each once."""
        found = (url for journey in self.journeys if journey.settings for url in mapi_urls(journey.settings))
        return tuple(dict.fromkeys(found))

    @property
    def mailbox_id(self) -> str | None:
        """The MailboxId of those URLs: <guid>@contoso.test."""
        return next((found for url in self.urls if (found := mailbox_id(url)) is not None), None)

    @property
    def mapi_hosts(self) -> tuple[str, ...]:
        """The hosts of those URLs, each once: they are no more than advertised, and not by that named."""
        return tuple(dict.fromkeys(host for url in self.urls if (host := read_mapi_url(url).host) is not None))
