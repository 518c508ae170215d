"""The components of client-access servers that MAPI over HTTP needs are in service."""

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.components import MAPI_COMPONENTS, ComponentState, ServerComponents
from checker.facts.versions import SP1
from checks.servers import _components

INFO = CheckInfo(
    id="server-mapi-components-active",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "A server whose component MapiProxy is not Active answers 503 on /mapi and fails its health page. A balancer"
        " that asks for the page leaves it out, one that does not sends clients there; either way the other servers"
        " carry its load."
    ),
    how=(
        "ServerWideOffline, MapiProxy and AutoDiscoverProxy of Get-ServerComponentState are Active. Inactive and"
        " Draining fail alike, also when a maintenance holds them: the finding names the requester, and of each"
        " requester the newest word of RemoteStates (directory) and LocalStates (registry) counts."
    ),
    mend=_components.MEND,
    undo=_components.UNDO,
    sources=_components.SOURCES,
)


@check(INFO)
def judge(server: ServerComponents) -> Verdict:
    """Fail when one of the components is not Active."""
    version = need(server.server.version)
    if version < SP1:
        return not_applicable(f"Exchange 2013 before SP1 ({version}) has no MAPI over HTTP")
    states = [server.state(name) for name in MAPI_COMPONENTS]
    down = [state for state in states if isinstance(state, ComponentState) and not state.active]
    if down:
        return failed(
            f"takes no MAPI clients: {'; '.join(_components.told(state) for state in down)}",
            found=[_components.told(state) for state in down],
            expected=f"{', '.join(MAPI_COMPONENTS)} Active",
            remedy=_components.bring_back(server.server.name, down),
        )
    active = [need(state).name for state in states]
    return passed(f"{', '.join(active)} are Active")
