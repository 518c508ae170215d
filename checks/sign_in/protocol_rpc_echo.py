"""RPC over HTTP answers the echo with its own two methods."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    HttpAnswer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.account import RpcEcho, SignedAnswer
from checker.facts.conversations import RpcEchoes
from checker.facts.network import NO_ANSWER
from checker.facts.party import Party, party_of
from checker.facts.sign_in import let_in
from checker.protocols.rpch import Channel, is_echo, rpc_error
from checker.results import Step
from checks.sign_in._evidence import answering, asked_straight, saw, trace

INFO = CheckInfo(
    id="protocol-rpc-echo",
    severity=Severity.ADVICE,
    category=Category.SIGN_IN,
    why=(
        "Outlook Anywhere uses methods of HTTP that nobody else has, RPC_IN_DATA and RPC_OUT_DATA. Filters drop what"
        " they do not know, and then the way back from MAPI over HTTP is closed although its page and its sign-in look"
        " well."
    ),
    how=(
        "RPC_IN_DATA and RPC_OUT_DATA on /rpc/rpcproxy.dll with the echo of four bytes, signed in with the scheme that"
        " worked for GET. Each must give 200 with the packet of the echo (20 bytes). A method that is refused or cut"
        " while GET is let in was dropped for its name; straight at the servers shows whose doing it is. No connection"
        " to a mailbox is made."
    ),
    mend=(
        "Allow the methods RPC_IN_DATA and RPC_OUT_DATA for /rpc/* in the proxy or firewall, and pass them on without"
        " buffering; a server that does not answer the echo needs the feature RPC over HTTP Proxy and its application"
        " pool MSExchangeRpcProxyFrontEndAppPool."
    ),
    undo="Take the methods out of the rule of the proxy again, once no client uses Outlook Anywhere.",
    sources=(
        "https://learn.microsoft.com/openspecs/windows_protocols/ms-rpch/c0f4c9c5-1a61-4d10-b8e2-005378d1d212",
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
    ),
)


@check(INFO)
def judge(echoes: RpcEchoes) -> Verdict:
    """Fail when one of the two methods does not give the echo."""
    channels = _channels(echoes.echo)
    wrong = [(channel, answer) for channel, answer in channels if not _is_well(answer)]
    for _, answer in wrong:
        if isinstance(answer.answer, NotCollected) and answer.answer.reason not in NO_ANSWER:
            need(answer.answer)
    found = [f"{channel.value}: {_told(answer)}" for channel, answer in channels]
    evidence = [
        *(pair for channel, answer in channels for pair in _marked(channel, trace(answer))),
        *((f"straight at {at.server.name}", _summed(at.echo)) for at in echoes.straight),
    ]
    if not wrong:
        return passed("RPC_IN_DATA and RPC_OUT_DATA give the echo", found=found, evidence=evidence)
    channel, answer = wrong[0]
    both = "RPC_IN_DATA and RPC_OUT_DATA" if len(wrong) > 1 else channel.value
    return failed(
        f"{both}: {_told(answer)}{_whose(echoes)}",
        found=found,
        expected="200 with the echo, for both methods",
        remedy=_remedy(echoes, answer),
        evidence=evidence,
    )


def _channels(echo: RpcEcho) -> list[tuple[Channel, SignedAnswer]]:
    return [(Channel.IN, echo.in_channel), (Channel.OUT, echo.out_channel)]


def _is_well(answer: SignedAnswer) -> bool:
    return isinstance(answer.answer, HttpAnswer) and is_echo(answer.answer)


def _told(answer: SignedAnswer) -> str:
    """What came, in words; whether the method was dropped or the sign-in refused."""
    last = answer.answer
    if isinstance(last, NotCollected):
        return f"cut: {last.sentence.rstrip('.')}"
    if is_echo(last):
        return f"the echo, from {answering(last)}"
    error = rpc_error(last)
    if error is not None:
        return f"RPC error 0x{error:X} from {answering(last)}"
    if last.status == 401 and answer.completed:
        return f"the sign-in is refused by {answering(last)}, while GET is let in"
    if last.status == 200:
        return f"200 from {answering(last)}, but not the echo"
    if let_in(answer):
        return f"{saw(last)}, behind the sign-in"
    return f"{saw(last)}: the method is not let through"


def _summed(echo: RpcEcho) -> str:
    wrong = [answer for _, answer in _channels(echo) if not _is_well(answer)]
    return _told(wrong[0]) if wrong else "the echo"


def _whose(echoes: RpcEchoes) -> str:
    wrong = [at.server.name for at in echoes.straight if not all(_is_well(answer) for _, answer in _channels(at.echo))]
    if wrong:
        return f"; {asked_straight(wrong, 'does', 'do')} not give it either"
    if echoes.straight:
        well = [at.server.name for at in echoes.straight]
        return f"; {asked_straight(well, 'gives', 'give')} it: the way to it is at fault"
    return ""


def _remedy(echoes: RpcEchoes, answer: SignedAnswer) -> list[Step]:
    host = echoes.name.host
    publish = Advice(
        "reverse proxy",
        f"Let the methods RPC_IN_DATA and RPC_OUT_DATA through to /rpc/* of {host}, with their sign-in and without"
        " buffering.",
    )
    server = Advice(
        "administrator",
        f"See on the servers behind {host} that the Windows feature RPC over HTTP Proxy is installed and that the"
        " application pool MSExchangeRpcProxyFrontEndAppPool runs.",
    )
    last = answer.answer
    of_server = isinstance(last, HttpAnswer) and party_of(last) in (Party.EXCHANGE, Party.IIS, Party.HTTP_SYS)
    return [server, publish] if of_server else [publish, server]


def _marked(channel: Channel, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Which of the two methods a line is about; times are those of the first, which a reader of times expects."""
    if channel is Channel.IN:
        return pairs
    return [(f"{channel.value} {name}", value) for name, value in pairs]
