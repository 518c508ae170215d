"""What to do about a page that is not answered as it should be: by who answered, and how."""

from checker import Advice, Cmdlet, HttpAnswer, NotCollected
from checker.facts.party import Party, described, evidence, party_of
from checker.results import Step

__all__ = ["found", "health_summary", "is_2010", "proof", "remedy"]

_OF_WINDOWS = (Party.EXCHANGE, Party.IIS, Party.HTTP_SYS)
_POOLS = {"/mapi": "MSExchangeMapiFrontEndAppPool", "/rpc": "MSExchangeRpcProxyFrontEndAppPool"}
_DIRECTORIES = {"/mapi": "Get-MapiVirtualDirectory", "/rpc": "Get-OutlookAnywhere"}
_COMPONENTS = {"/mapi": "MapiProxy", "/rpc": "RpcProxy"}


def found(path: str, answer: HttpAnswer | NotCollected) -> str:
    """A line of what was seen."""
    return f"{path}: {answer.sentence if isinstance(answer, NotCollected) else described(answer)}"


def proof(*answers: HttpAnswer | NotCollected) -> tuple[tuple[str, str], ...]:
    """The headers that show who answered."""
    lines = (line for answer in answers if isinstance(answer, HttpAnswer) for line in evidence(answer))
    return tuple(dict.fromkeys(lines))


def is_2010(answer: HttpAnswer | NotCollected) -> bool:
    """Exchange 2010 says so, on /rpc and elsewhere, and has neither health pages nor /mapi."""
    return isinstance(answer, HttpAnswer) and (answer.first("x-owa-version") or "").startswith("14.")


def health_summary(answer: HttpAnswer | NotCollected) -> str:
    """The summary for a health page that is not healthy."""
    if isinstance(answer, NotCollected):
        return "the health page is not answered"
    party = party_of(answer)
    if answer.status == 200:
        return f"the health page is not Exchange's, but from {party.value}"
    if party not in _OF_WINDOWS:
        return f"{party.value} refuses the health page ({answer.status}): a balancer may not use it through this name"
    return f"the health page is answered with {answer.status} by {party.value}"


def remedy(root: str, answer: HttpAnswer | NotCollected, where: str, *, straight: bool = False) -> list[Step]:
    """Steps against a refusal of `root` ("/mapi" or "/rpc"), seen at `where`: a name, or `straight` to a server."""
    if isinstance(answer, NotCollected):
        return [_components(root), _pool(root, where) if straight else _in_between(root, where)]
    party = party_of(answer)
    if is_2010(answer):
        return [Advice("load balancer", f"Take Exchange 2010 out of the servers behind {where}.")]
    if party is Party.LOGIN_PAGE or 300 <= answer.status < 400:
        return [
            Advice(
                "reverse proxy",
                f"Exempt {root}/* of {where} from its sign-in page: Outlook answers a challenge, and no form.",
            )
        ]
    if answer.status == 401:
        return [
            Advice(
                "reverse proxy",
                f"Pass {root}/* of {where} on with its WWW-Authenticate headers as the servers send them, and without"
                " a sign-in of the proxy's own.",
            ),
            Cmdlet(_DIRECTORIES[root], ADPropertiesOnly=True),
        ]
    if party not in _OF_WINDOWS:
        return [_in_between(root, where)]
    if answer.status == 404:
        return [
            Cmdlet(_DIRECTORIES[root], ADPropertiesOnly=True),
            Advice(
                "administrator",
                f"Where a server behind {where} has no {root}, make the virtual directory anew, or take the server out"
                " of the name (Exchange before 2013 SP1 has no /mapi).",
            ),
        ]
    if answer.status == 503:
        start = Cmdlet("Start-WebAppPool", where="PowerShell on the server that answers", Name=_POOLS[root])
        return [start, _components(root)]
    return [
        _components(root),
        Advice("administrator", f"See what the IIS log of the server behind {where} says of {root} at this time."),
    ]


def _components(root: str) -> Step:
    return Advice(
        "administrator",
        f"See with Get-ServerComponentState that {_COMPONENTS[root]} and ServerWideOffline are Active on the servers;"
        " end a maintenance if it is over.",
    )


def _pool(root: str, where: str) -> Step:
    return Advice(
        "administrator",
        f"On {where} see that the application pool {_POOLS[root]} runs, and that nothing between here and the server"
        f" (a firewall, an agent) cuts requests to {root}.",
    )


def _in_between(root: str, where: str) -> Step:
    return Advice(
        "load balancer",
        f"Publish {root}/* of {where} as the other paths of Exchange are: no filter on path, method or size, and the"
        " answers unchanged. See first whether the servers answer when asked straight (server-mapi-answers).",
    )
