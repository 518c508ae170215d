"""What the default policy blocks, and what the directories offer beside it."""

import pytest

from checker import Cmdlet, Status
from checker.answers import NotCollectedError
from checker.facts.authentication import AuthenticationPolicy
from checks.organisation.org_authentication_policy import judge
from tests.factories import UNKNOWN, collected, mapi_directory
from tests.factories_servers import policy

ALL, WINDOWS, OAUTH = ("Ntlm", "OAuth", "Negotiate"), ("Ntlm", "Negotiate"), ("OAuth",)


@pytest.mark.parametrize(
    ("default", "methods", "status"),
    [
        (policy(None), WINDOWS, Status.PASS),
        (policy(None, known_here=False), WINDOWS, Status.NOT_APPLICABLE),
        (policy(), WINDOWS, Status.PASS),
        (policy(legacy=True), WINDOWS, Status.FAIL),
        (policy(legacy=True), ALL, Status.PASS),
        (policy(legacy=True), OAUTH, Status.PASS),
        (policy(modern=True), WINDOWS, Status.PASS),
        (policy(modern=True), ALL, Status.PASS),
        (policy(modern=True), OAUTH, Status.FAIL),
        (policy(legacy=True, modern=True), ALL, Status.FAIL),
    ],
)
def test_policy(default: AuthenticationPolicy, methods: tuple[str, ...], status: Status) -> None:
    directories = collected(mapi_directory(), mapi_directory("EX02", authentication_methods=methods))
    assert judge(default, directories).status is status


def test_the_directories_that_shut_users_out_are_named_and_get_oauth() -> None:
    directories = collected(mapi_directory(), mapi_directory("EX02", authentication_methods=WINDOWS))
    verdict = judge(policy(legacy=True), directories)
    assert verdict.found[1:] == ("EX02\\mapi (Default Web Site)",)
    (step,) = verdict.remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters)["IISAuthenticationMethods"] == (*WINDOWS, "OAuth")


def test_where_oauth_is_blocked_the_policy_gives_way() -> None:
    verdict = judge(policy("All", modern=True), collected(mapi_directory(authentication_methods=OAUTH)))
    assert verdict.remedy == (Cmdlet("Set-AuthenticationPolicy", Identity="All", BlockModernAuthMapi=False),)


def test_not_known() -> None:
    with pytest.raises(NotCollectedError):
        judge(policy(legacy=UNKNOWN), collected(mapi_directory()))
    with pytest.raises(NotCollectedError):
        judge(policy(legacy=True), collected(mapi_directory(authentication_methods=UNKNOWN)))
