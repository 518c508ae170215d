"""What the self tests have in common: whom they concern, and how results become a verdict."""

from collections.abc import Callable, Sequence

from checker import Collected, NotCollected, Verdict, failed, need, not_applicable, passed
from checker.facts.connectivity import MapiSelfTest, ProbeResult, RpcSelfTest
from checker.facts.logon_tests import MapiLogonTest
from checker.facts.servers import ExchangeServer, Product, Version
from checker.results import Step

__all__ = ["not_tested", "results_of", "verdict"]


def not_tested(server: ExchangeServer, has_it: Callable[[Version], bool], what: str) -> Verdict | None:
    """Why a server has no such probe; None when it has."""
    if server.is_mailbox is False:
        return not_applicable("is no mailbox server, and the probe runs on those")
    if not isinstance(server.version, NotCollected) and not has_it(server.version):
        return not_applicable(
            f"is {Product.of(server.version).value} ({server.version}), which has no probe for {what}"
        )
    return None


def results_of(
    server: ExchangeServer, tests: Collected[MapiSelfTest] | Collected[RpcSelfTest] | Collected[MapiLogonTest]
) -> tuple[ProbeResult, ...]:
    """The results of one server.

    Raises:
        NotCollectedError: it could not be tested; for the runner.
    """
    for missing in tests.missing:
        if missing.subject.name == server.name:
            need(missing.because)
    return next(test.results for test in tests.items if test.server.name == server.name)


def verdict(results: Sequence[ProbeResult], note: str, remedy: Sequence[Step]) -> Verdict:
    """Fails when one of the results does; what the server says of it is evidence."""
    failures = [result for result in results if result.failed]
    probes = ", ".join(dict.fromkeys(result.probe for result in failures or results))
    if not failures:
        return passed(f"{probes}: {results[0].result}", found=[result.result for result in results])
    evidence = [
        (label, said)
        for result in failures
        for label, said in (("error", result.error), ("exception", result.exception))
        if said
    ]
    return failed(
        f"{probes} failed{note}",
        found=[result.result for result in results],
        expected="Succeeded",
        remedy=remedy,
        evidence=evidence,
    )
