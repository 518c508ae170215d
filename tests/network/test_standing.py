"""Which answers to a credential show that it is good."""

import pytest

from checker.network.standing import lets_in

EXCHANGE = (("x-feserver", "EX01"),)
HTML, XML = (("content-type", "text/html; charset=utf-8"),), (("content-type", "text/xml"),)


@pytest.mark.parametrize(
    ("status", "headers", "straight", "by_name"),
    [
        (200, EXCHANGE, True, True),
        (200, (), True, True),
        (200, XML, True, True),
        (200, HTML, True, False),  # a portal's page
        (204, (), True, False),
        (302, (), True, False),
        (404, HTML, True, False),
        (403, (), False, False),
        (403, EXCHANGE, True, True),
        (500, EXCHANGE, True, True),
        (503, (), False, False),
        (401, EXCHANGE, False, False),
        (401, (("x-failurecontext", "FrontEnd;401;VW5hdXRob3JpemVk;;;;"),), False, False),
        (401, (("x-failurecontext", "BackEnd;401;VW5hdXRob3JpemVk;;;;"),), True, True),  # behind who let it in
        (407, (), False, False),
    ],
)
def test_lets_in(status: int, headers: tuple[tuple[str, str], ...], straight: bool, by_name: bool) -> None:
    assert lets_in(status, headers, straight=True) is straight
    assert lets_in(status, headers, straight=False) is by_name
