"""What the shell offers at TAB: ids, categories, scenarios, formats … Each list is loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = [
    "authentications",
    "check_ids",
    "checks_and_categories",
    "comparison_formats",
    "fail_on",
    "faults",
    "formats",
    "mailbox_modes",
    "scenarios",
    "schedulers",
    "schemes",
    "stages",
    "vantages",
]


def _offered(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete


def _check_ids() -> Iterable[str]:
    from checker.plugins import find_checks

    return sorted(find_checks().checks)


def _checks_and_categories() -> Iterable[str]:
    from checker.plugins import find_checks

    checks = find_checks().checks
    return [*dict.fromkeys(check.info.category.value for check in checks.values()), *sorted(checks)]


def _scenarios() -> Iterable[str]:
    from lab.scenario import scenario_names

    return scenario_names()


def _faults() -> Iterable[str]:
    from lab.faults import FAULTS

    return sorted(FAULTS)


def _formats() -> Iterable[str]:
    from reports import FORMATS

    return FORMATS


def _comparison_formats() -> Iterable[str]:
    from reports.comparison import COMPARISON_FORMATS

    return COMPARISON_FORMATS


def _authentications() -> Iterable[str]:
    from checker.settings import Authentication

    return [method.value for method in Authentication]


def _schemes() -> Iterable[str]:
    from checker.settings import Scheme

    return [scheme.value for scheme in Scheme]


def _stages() -> Iterable[str]:
    from checker.results import Stage

    return ["auto", *(stage.value for stage in Stage)]


def _vantages() -> Iterable[str]:
    from checker.facts.run import VantagePoint

    return [point.value for point in VantagePoint]


def _fail_on() -> Iterable[str]:
    from checker.results import FailOn

    return [severity.value for severity in FailOn]


def _mailbox_modes() -> Iterable[str]:
    from checker.facts.run import MailboxMode

    return [mode.value for mode in MailboxMode]


def _schedulers() -> Iterable[str]:
    from checker.schedule import Scheduler

    return [scheduler.value for scheduler in Scheduler]


authentications = _offered(_authentications)
check_ids = _offered(_check_ids)
checks_and_categories = _offered(_checks_and_categories)
comparison_formats = _offered(_comparison_formats)
fail_on = _offered(_fail_on)
faults = _offered(_faults)
formats = _offered(_formats)
mailbox_modes = _offered(_mailbox_modes)
scenarios = _offered(_scenarios)
schedulers = _offered(_schedulers)
schemes = _offered(_schemes)
stages = _offered(_stages)
vantages = _offered(_vantages)
