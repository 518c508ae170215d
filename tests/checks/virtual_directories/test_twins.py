"""Of two checks that ask one question with two severities, never both fail on the same directory."""

import itertools

import pytest

from checker import Collected, Status, Verdict
from checker.facts.directories import OutlookAnywhere
from checks.virtual_directories import (
    vdir_mapi_external_url,
    vdir_mapi_external_url_missing,
    vdir_mapi_internal_url,
    vdir_mapi_internal_url_missing,
)
from tests.factories import collected, mapi_directory, outlook_anywhere

URLS = (
    None,
    "https://mail.contoso.test/mapi",
    "https://in.contoso.test/mapi",
    "https://ex01/mapi",
    "http://ex01/mapi",
    "http://mail.contoso.test/mapi",
    "https://192.0.2.10/mapi",
    "nonsense",
)
NAMES: tuple[Collected[OutlookAnywhere], ...] = (
    collected(),
    collected(outlook_anywhere(external_hostname=None)),
    collected(outlook_anywhere(external_hostname="mail.contoso.test")),
    collected(outlook_anywhere(external_hostname="ex01")),
)


@pytest.mark.parametrize(("internal", "external"), list(itertools.product(URLS, URLS)))
@pytest.mark.parametrize("names", NAMES)
def test_twins(internal: str | None, external: str | None, names: Collected[OutlookAnywhere]) -> None:
    directory = mapi_directory(internal_url=internal, external_url=external)
    inner = (vdir_mapi_internal_url.judge(directory, names), vdir_mapi_internal_url_missing.judge(directory, names))
    outer = (vdir_mapi_external_url.judge(directory, names), vdir_mapi_external_url_missing.judge(directory, names))
    assert failures(inner) <= 1
    assert failures(outer) <= 1
    if internal is None and external is None:
        assert (failures(inner), failures(outer)) == (1, 0)


def failures(verdicts: tuple[Verdict, ...]) -> int:
    return sum(verdict.status is Status.FAIL for verdict in verdicts)
