"""How generated examples are made: the same few every time in `make test`, many and new ones in `make fuzz`. And the
one KDC of a test process: two of them would fight for the same ports."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.kdc import kdc, kerberos

__all__ = ["kdc", "kerberos"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background deaf to Ctrl-C, and so would be the programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", derandomize=True, max_examples=60, deadline=None, database=None)
settings.register_profile(
    "nightly",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100000")),  # for each test
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test with generated examples is a fuzz test; none has to say so."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.fuzz)


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules live to the end; each search for garbage, of which many tests make one, need
    not look at them."""
    gc.collect()
    gc.freeze()
