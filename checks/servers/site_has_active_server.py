"""Each AD site has a client-access server that is in service for MAPI over HTTP."""

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, passed
from checker.facts.components import MAPI_COMPONENTS, ComponentState, ServerComponents, SiteComponents
from checks.servers import _components

INFO = CheckInfo(
    id="site-has-active-server",
    severity=Severity.BLOCKER,
    category=Category.SERVERS,
    why=(
        "The names that clients use lead to the client-access servers of their AD site. When none of them is in service"
        " for MAPI over HTTP and Autodiscover, Outlook does not connect there at all."
    ),
    how=(
        "In each AD site with client-access servers of Exchange 2013 SP1 or newer, at least one has ServerWideOffline,"
        " MapiProxy and AutoDiscoverProxy all Active (Get-ServerComponentState)."
    ),
    mend=_components.MEND,
    undo=_components.UNDO,
    sources=_components.SOURCES,
)


@check(INFO)
def judge(site: SiteComponents) -> Verdict:
    """Fail when every server of the site is known, and none is in service."""
    active = [server.server.name for server in site.servers if not _down(server) and not _unsaid(server)]
    if active:
        return passed(f"{', '.join(active)} {'is' if len(active) == 1 else 'are'} in service", found=active)
    for missing in site.unknown:
        need(missing.because)
    for server in site.servers:
        if not _down(server):
            for name in MAPI_COMPONENTS:
                need(server.state(name))
    return failed(
        "no client-access server of the site is in service for MAPI over HTTP",
        found=[
            f"{server.server.name}: {'; '.join(_components.told(state) for state in _down(server))}"
            for server in site.servers
        ],
        expected=f"one server with {', '.join(MAPI_COMPONENTS)} Active",
        remedy=[step for server in site.servers for step in _components.bring_back(server.server.name, _down(server))],
    )


def _down(server: ServerComponents) -> list[ComponentState]:
    states = [server.state(name) for name in MAPI_COMPONENTS]
    return [state for state in states if isinstance(state, ComponentState) and not state.active]


def _unsaid(server: ServerComponents) -> bool:
    return not all(isinstance(server.state(name), ComponentState) for name in MAPI_COMPONENTS)
