"""A certificate names the host; a failure says what it does cover."""

import pytest

from checker import Cmdlet, Status
from checker.answers import NotCollectedError
from checks.certificates.cert_names_cover import judge
from tests.factories_network import HOST, issue, served


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ([HOST], Status.PASS),
        (["*.contoso.test"], Status.PASS),
        (["*.test"], Status.FAIL),  # one label deep only
        (["owa.contoso.test"], Status.FAIL),
        (None, Status.PASS),  # the CN names it, which is another check's warning
    ],
)
def test_names(names: list[str] | None, status: Status) -> None:
    assert judge(served(issue(names=names))).status is status


def test_an_international_name() -> None:
    host = "xn--mnchen-3ya.test"
    assert judge(served(issue(names=[host]), host=host)).status is Status.PASS


def test_a_failure_says_what_is_covered_and_keeps_it() -> None:
    verdict = judge(served(issue("owa.contoso.test", names=["owa.contoso.test", "*.emea.contoso.test"])))
    assert verdict.found == ("owa.contoso.test, *.emea.contoso.test",)
    assert verdict.expected == (HOST,)
    request = verdict.remedy[0]
    assert isinstance(request, Cmdlet)
    assert dict(request.parameters)["DomainName"] == ("owa.contoso.test", "*.emea.contoso.test", HOST)


def test_of_a_hundred_names_not_all_are_printed() -> None:
    names = [f"n{number}.contoso.test" for number in range(100)]
    verdict = judge(served(issue(names=names)))
    assert "and 80 more" in verdict.found[0]


def test_what_cannot_be_read_or_compared_is_unknown_with_a_sentence() -> None:
    with pytest.raises(NotCollectedError, match="cannot be read"):
        judge(served(issue().der[:-20]))
    with pytest.raises(NotCollectedError, match="no host name"):
        judge(served(issue(names=["mail_1.contoso.test"]), host="mail_1.contoso.test"))
