"""How a component that is not in service is told and brought back."""

from collections.abc import Iterable

from checker import Advice, Cmdlet
from checker.facts.components import WHOLE_SERVER, ComponentState
from checker.results import Step

__all__ = ["MEND", "SOURCES", "UNDO", "bring_back", "told"]

MAINTENANCE = "maintenance"
SOURCES = (
    "https://learn.microsoft.com/powershell/module/exchange/get-servercomponentstate",
    "https://learn.microsoft.com/powershell/module/exchange/set-servercomponentstate",
)
MEND = (
    "Set-ServerComponentState -State Active with the very requester that holds the component: another requester's word"
    " does not lift it. Held by Maintenance, end the maintenance if it is over. Held by HealthAPI or Sidelined, find"
    " out first what Managed Availability saw (Get-HealthReport), or it takes the component out again."
)
UNDO = "Set-ServerComponentState -State Inactive with the same component and requester."


def told(component: ComponentState) -> str:
    """ "MapiProxy Inactive, held by HealthAPI"."""
    held = f", held by {' and '.join(component.requesters)}" if component.requesters else ""
    return f"{component.name} {component.state}{held}"


def bring_back(server: str, down: Iterable[ComponentState]) -> list[Step]:
    """The steps that bring components into service; what only the whole server holds comes back with it."""
    components = list(down)
    whole = [component for component in components if component.name.casefold() == WHOLE_SERVER.casefold()]
    steps: list[Step] = []
    for component in components:
        if not component.requesters and (component in whole or not whole):
            steps.append(
                Advice(
                    "administrator",
                    f"Find out who holds {component.name} on {server}: Get-ServerComponentState -Identity {server}"
                    f" -Component {component.name} | Format-List LocalStates,RemoteStates.",
                )
            )
        for requester in component.requesters:
            if requester.casefold() == MAINTENANCE:
                steps.append(
                    Advice(
                        "administrator",
                        f"End the maintenance of {server} if it is over: Set-ServerComponentState -Identity {server}"
                        f" -Component {component.name} -State Active -Requester {requester}.",
                    )
                )
            else:
                steps.append(
                    Cmdlet(
                        "Set-ServerComponentState",
                        Identity=server,
                        Component=component.name,
                        State="Active",
                        Requester=requester,
                    ).replacing(State=component.state)
                )
    return steps
