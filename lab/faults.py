"""What may be wrong with an organisation, by name: pure functions from a Scenario to a Scenario."""

from __future__ import annotations

from collections.abc import Callable

from lab.scenario import Scenario, ScenarioError

__all__ = ["FAULTS", "apply"]

FAULTS: dict[str, Callable[[Scenario, str], Scenario]] = {}


def apply(scenario: Scenario, fault: str) -> Scenario:
    """The scenario with the fault "name" or "name:argument" in it.

    Raises:
        ScenarioError: no such fault, or its argument does not exist here.
    """
    name, _, argument = fault.partition(":")
    if name not in FAULTS:
        raise ScenarioError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
    return FAULTS[name](scenario, argument)
