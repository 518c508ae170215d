"""What stands between a client and the servers, and what it does to those who sign in; and the account that locks."""

from __future__ import annotations

import threading

import pytest
import requests
from requests.auth import AuthBase

from lab.authentication import Outcome
from lab.scenario import Balancing, ScenarioError, parse
from tests.lab.client import EX01, EX02, MAIL, Client, basic, lab_today

EMSMDB, RPC = "/mapi/emsmdb/", "/rpc/rpcproxy.dll"


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_balancing_each_request_breaks_what_belongs_to_a_connection(scheme: str) -> None:
    with lab_today("proxy-balances-per-request") as lab:
        for _ in range(3):
            with Client(lab, MAIL) as client:
                assert client.sign_in_as_account(lab, EMSMDB, scheme=scheme).status == 401
        assert lab.bad_passwords == 0
        assert {attempt.outcome for attempt in lab.attempts} <= {Outcome.SIGNED_IN}
        with Client(lab, MAIL) as client:
            right = basic(lab.account.user, lab.account.password)
            seen = [client.ask("GET", RPC, right) for _ in range(3)]
            assert [answer.status for answer in seen] == [200] * 3
            assert {answer.headers["X-FEServer"] for answer in seen} == {"EX01", "EX02", "EX03"}
        with Client(lab, EX02) as client:
            assert client.sign_in_as_account(lab, EMSMDB, scheme=scheme).status == 200


@pytest.mark.parametrize("fault", ["proxy", "name-round-robin", "proxy-pins-health"])
def test_balancing_connections_does_not(fault: str) -> None:
    with lab_today(fault) as lab:
        for _ in range(4):
            with Client(lab, MAIL) as client:
                assert client.sign_in_as_account(lab, EMSMDB).status == 200
                assert client.ask("GET", EMSMDB).status == 200


def test_one_server_behind_it_is_always_the_same() -> None:
    with lab_today("proxy-balances-per-request", servers=1) as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == 200


def test_http_1_0_behind_a_proxy_loses_the_connection() -> None:
    with lab_today("proxy-asks-in-http-1-0") as lab, Client(lab, MAIL) as client:
        assert client.ask("GET", EMSMDB).status == 401
        assert client.sign_in_as_account(lab, EMSMDB).status == 401
        assert client.ask("GET", RPC, basic(lab.account.user, lab.account.password)).status == 200
        assert lab.bad_passwords == 0


def test_a_proxy_may_keep_the_credentials_to_itself() -> None:
    with lab_today("proxy-withholds-authorization") as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == 401
        assert client.ask("GET", RPC, basic(lab.account.user, lab.account.password)).status == 401
        assert lab.attempts == ()


def test_a_server_that_cannot_ask_its_domain_lets_nobody_in() -> None:
    with lab_today("server-cannot-ask-domain") as lab:
        right = basic(lab.account.user, lab.account.password)
        with Client(lab, EX01) as client:
            assert client.sign_in_as_account(lab, EMSMDB).status == 401
            assert client.ask("GET", RPC, right).status == 401
        with Client(lab, EX02) as client:
            assert client.ask("GET", RPC, right).status == 200
        outcomes = [attempt.outcome for attempt in lab.attempts]
        assert outcomes == [Outcome.NOBODY_ANSWERS, Outcome.NOBODY_ANSWERS, Outcome.SIGNED_IN]
        assert lab.bad_passwords == 0


def test_an_account_locks_and_not_even_its_password_helps() -> None:
    with lab_today("account-locks-after:2") as lab, Client(lab, EX01) as client:
        for _ in range(2):
            assert client.ask("GET", RPC, basic(lab.account.user, "wrong")).status == 401
        assert client.ask("GET", RPC, basic(lab.account.user, lab.account.password)).status == 401
        assert client.sign_in_as_account(lab, EMSMDB).status == 401
        assert client.ask("GET", RPC, basic(lab.user, lab.password)).status == 200
        wrong, locked = Outcome.WRONG_PASSWORD, Outcome.LOCKED
        assert [attempt.outcome for attempt in lab.attempts] == [wrong, wrong, locked, locked, Outcome.SIGNED_IN]
        assert lab.bad_passwords == 2


def test_balancing_each_request_needs_somebody_who_tells_them_apart() -> None:
    text = "now = 2026-03-02T09:00:00Z\n[servers.EX01]\nbuild = '15.2.2562.17'\n[names.'mail.contoso.test']\n"
    with pytest.raises(ScenarioError, match=r"names\.mail\.contoso\.test\.balancing needs a proxy"):
        parse(f"{text}balancing = 'per-request'", "mine")
    scenario = parse(f"{text}balancing = 'per-request'\nproxy = {{}}", "mine")
    assert scenario.names[0].balancing is Balancing.PER_REQUEST


def test_an_account_of_ones_own() -> None:
    text = "now = 2026-03-02T09:00:00Z\n[servers.EX01]\nbuild = '15.2.2562.17'\n[account]\n"
    scenario = parse(f"{text}name = 'probe'\npassword = 'x'\ntoken = 'y'\nlocks_after = 3", "mine")
    assert scenario.account_user.name == "CONTOSO\\probe"
    assert scenario.mailbox("PROBE") is not None
    with pytest.raises(ScenarioError, match=r"account\.name must be an account name"):
        parse(f"{text}name = 'a b'", "mine")


class Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_requests_gets_along_with_it() -> None:
    with lab_today("mapi-offers-basic:*") as lab, requests.Session() as session:
        session.trust_env = False
        port = next(entry.rpartition(":")[2] for entry in lab.resolve if entry.startswith(f"{MAIL}:443:"))
        url = f"https://127.0.0.1:{port}{EMSMDB}"
        for auth in ((lab.account.user, lab.account.password), Bearer(lab.account.token)):
            answer = session.get(url, auth=auth, verify=False, headers={"Host": MAIL})
            assert answer.status_code == 200
            assert "Connectivity Endpoint" in answer.text


def test_what_was_opened_is_gone_when_the_lab_is() -> None:
    threads = set(threading.enumerate())
    lab = lab_today("proxy:autodiscover.contoso.test", "autodiscover-by-http-redirect")
    with Client(lab, EX01) as client, Client(lab, MAIL) as other:
        assert client.sign_in_as_account(lab, EMSMDB).status == 200
        assert other.sign_in_as_account(lab, EMSMDB).status == 200
        lab.stop()
        with pytest.raises((ConnectionError, OSError)):
            client.ask("GET", EMSMDB)
    assert set(threading.enumerate()) == threads
