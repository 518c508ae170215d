"""/rpc/rpcproxy.dll challenges, and is empty behind a sign-in; a 200 without a sign-in is no good sign."""

from dataclasses import replace

import pytest

from checker import HttpAnswer, NotCollected, Status
from checker.account import NO_ACCOUNT, SignedAnswer
from checker.answers import NotCollectedError
from checker.facts.network import RPC_PROXY
from checks.endpoints.endpoint_rpc_proxy import judge
from tests.factories import collected
from tests.factories_account import refusal, rpc_sign_ins, signed, tried
from tests.factories_network import DROPPED, NOT_LOOKED, answer, challenge, name_in_use, nginx, rpc_answers


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (challenge(), Status.PASS),
        (challenge('Basic realm="mail.contoso.test"', exchange=False), Status.PASS),
        (answer(401), Status.FAIL),
        (answer(200), Status.FAIL),  # open
        (nginx(404), Status.FAIL),
        (DROPPED, Status.FAIL),
    ],
)
def test_proxy(page: HttpAnswer | NotCollected, status: Status) -> None:
    verdict = judge(rpc_answers(proxy=page), NO_ACCOUNT)
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_what_was_not_looked_at_is_not_judged() -> None:
    with pytest.raises(NotCollectedError):
        judge(rpc_answers(proxy=NOT_LOOKED), NO_ACCOUNT)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (signed(answer(200, path=RPC_PROXY)), Status.PASS),
        (signed(refusal()), Status.PASS),  # that is told by signin-rpc
        (signed(answer(200, b"<html>IIS Windows</html>", path=RPC_PROXY)), Status.FAIL),
        (signed(answer(503, path=RPC_PROXY, headers=[("x-feserver", "EX01")])), Status.FAIL),
        (signed(answer(404, path=RPC_PROXY, headers=[("server", "Microsoft-IIS/10.0")])), Status.FAIL),
    ],
)
def test_behind_the_sign_in(one: SignedAnswer, status: Status) -> None:
    verdict = judge(rpc_answers(), collected(rpc_sign_ins(one)))
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_the_sign_in_of_another_name_or_none_changes_nothing() -> None:
    bad = rpc_sign_ins(signed(answer(503, path=RPC_PROXY, headers=[("x-feserver", "EX01")])))
    elsewhere = replace(bad, place=name_in_use("other.contoso.test"))
    assert judge(rpc_answers(), collected(elsewhere)).status is Status.PASS
    assert judge(rpc_answers(), collected(rpc_sign_ins(tried(NO_ACCOUNT)))).status is Status.PASS
