"""Names belong into the SAN."""

import pytest

from checker import Status
from checks.certificates.cert_name_only_in_cn import judge
from tests.factories_network import HOST, issue, served


@pytest.mark.parametrize(
    ("common_name", "names", "status"),
    [
        (HOST, [HOST], Status.PASS),
        ("owa.contoso.test", [HOST], Status.PASS),
        (HOST, None, Status.FAIL),
        (HOST, ["owa.contoso.test"], Status.NOT_APPLICABLE),
        ("owa.contoso.test", None, Status.NOT_APPLICABLE),
    ],
)
def test_where_the_name_is(common_name: str, names: list[str] | None, status: Status) -> None:
    assert judge(served(issue(common_name, names=names))).status is status
