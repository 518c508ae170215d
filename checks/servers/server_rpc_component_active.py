"""The component for Outlook Anywhere, the path back, is in service on client-access servers."""

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.components import WHOLE_SERVER, ComponentState, ServerComponents
from checks.servers import _components

INFO = CheckInfo(
    id="server-rpc-component-active",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "Outlook Anywhere (RPC over HTTP) serves the mailboxes and clients that MAPI over HTTP does not, and everybody"
        " again when the switch is turned back. A server whose component RpcProxy is not Active answers 503 on /rpc."
    ),
    how=(
        "RpcProxy of Get-ServerComponentState is Active. Where the whole server is out of service"
        " (ServerWideOffline), server-mapi-components-active tells it and this check does not repeat it."
    ),
    mend=_components.MEND,
    undo=_components.UNDO,
    sources=_components.SOURCES,
)


@check(INFO)
def judge(server: ServerComponents) -> Verdict:
    """Fail when RpcProxy is not Active, unless the whole server is out of service."""
    component = need(server.state("RpcProxy"))
    if component.active:
        return passed("RpcProxy is Active")
    whole = server.state(WHOLE_SERVER)
    if not component.requesters and isinstance(whole, ComponentState) and not whole.active:
        return not_applicable(f"the whole server is out of service ({_components.told(whole)})")
    return failed(
        f"takes no clients of Outlook Anywhere: {_components.told(component)}",
        found=_components.told(component),
        expected="RpcProxy Active",
        remedy=_components.bring_back(server.server.name, [component]),
    )
