"""Signing in at the web sites of the lab, with pyspnego and the standard library: who is let in, and what it is bound
to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.authentication import Outcome
from lab.organisation import RunningLab
from tests.kdc import Kdc
from tests.lab.client import AUTODISCOVER, EX01, EX02, MAIL, Client, basic, lab_today

EMSMDB, RPC = "/mapi/emsmdb/", "/rpc/rpcproxy.dll"
WRONG = b"tls-server-end-point:" + bytes(32)


def outcomes(lab: RunningLab) -> list[Outcome]:
    return [attempt.outcome for attempt in lab.attempts]


# --- schemes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "protocol"), [("NTLM", "ntlm"), ("Negotiate", "ntlm"), ("Negotiate", "negotiate")])
@pytest.mark.parametrize("name", ["CONTOSO\\user1", "user1@contoso.test", "contoso\\USER1"])
def test_ntlm_lets_the_account_in_and_keeps_it_on_its_connection(scheme: str, protocol: str, name: str) -> None:
    with lab_today() as lab, Client(lab, EX01) as client, Client(lab, EX01) as other:
        first = client.sign_in(EMSMDB, name, lab.account.password, scheme=scheme, protocol=protocol)
        assert first.status == 200
        assert b"Exchange MAPI/HTTP Connectivity Endpoint" in first.body
        assert client.ask("GET", EMSMDB).status == 200
        assert other.ask("GET", EMSMDB).status == 401
        assert outcomes(lab) == [Outcome.SIGNED_IN]
        assert {(attempt.scheme, attempt.where) for attempt in lab.attempts} == {("ntlm", f"https {EX01}/mapi")}


def test_basic_is_taken_where_it_is_offered_and_asked_for_each_time() -> None:
    with lab_today("mapi-offers-basic:EX01") as lab:
        right = basic(lab.account.user, lab.account.password)
        with Client(lab, EX01) as client:
            assert client.ask("GET", EMSMDB, right).status == 200
            assert client.ask("GET", EMSMDB).status == 401
        with Client(lab, EX02) as client:
            assert client.ask("GET", EMSMDB, right).status == 401
            assert client.ask("GET", RPC, basic(lab.account.address, lab.account.password)).status == 200
        assert outcomes(lab) == [Outcome.SIGNED_IN] * 2


def test_bearer_takes_the_labs_token_alone() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.ask("GET", EMSMDB, {"Authorization": f"Bearer {lab.account.token}"}).status == 200
        shown = client.ask("GET", EMSMDB, {"Authorization": "Bearer"})
        refused = client.ask("GET", EMSMDB, {"Authorization": "Bearer other"})
        nowhere = client.ask("GET", RPC, {"Authorization": f"Bearer {lab.account.token}"})
        assert [answer.status for answer in (shown, refused, nowhere)] == [401] * 3
        assert [scheme.partition(" ")[0] for scheme in refused.every("WWW-Authenticate")] == [
            "Negotiate",
            "NTLM",
            "Bearer",
        ]
        assert outcomes(lab) == [Outcome.SIGNED_IN, Outcome.WRONG_TOKEN]


@pytest.mark.parametrize(
    ("fault", "scheme", "status"),
    [
        ("mapi-negotiate-only", "Negotiate", 200),
        ("mapi-negotiate-only", "NTLM", 401),
        ("mapi-iis-lacks-negotiate", "NTLM", 200),
        ("mapi-iis-lacks-negotiate", "Negotiate", 401),
        ("mapi-basic-only", "NTLM", 401),
    ],
)
def test_only_what_is_offered_is_taken(fault: str, scheme: str, status: int) -> None:
    with lab_today(fault) as lab, Client(lab, EX01) as client:
        assert client.sign_in_as_account(lab, EMSMDB, scheme=scheme).status == status


def test_a_refusal_looks_like_the_first_challenge() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        first = client.ask("GET", EMSMDB)
        again = client.sign_in(EMSMDB, lab.account.user, "wrong")
        assert again.status == first.status == 401
        assert again.every("WWW-Authenticate") == first.every("WWW-Authenticate") == ["Negotiate", "NTLM"]
        assert [name for name, _ in again.headers.items()] == [name for name, _ in first.headers.items()]


# --- counting ---------------------------------------------------------------------------------------------------------


def test_wrong_passwords_are_counted_until_a_right_one() -> None:
    with lab_today() as lab:
        for scheme in ("NTLM", "Negotiate"):
            with Client(lab, EX01) as client:
                assert client.sign_in(EMSMDB, lab.account.user, "wrong", scheme=scheme).status == 401
        with Client(lab, EX02) as client:
            assert client.ask("GET", RPC, basic(lab.account.user, "wrong")).status == 401
        assert lab.bad_passwords == 3
        assert outcomes(lab) == [Outcome.WRONG_PASSWORD] * 3
        assert [attempt.scheme for attempt in lab.attempts] == ["ntlm", "ntlm", "basic"]
        with Client(lab, EX01) as client:
            assert client.sign_in_as_account(lab, EMSMDB).status == 200
        assert lab.bad_passwords == 0


def test_who_is_unknown_is_noted_and_counts_for_nobody() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.sign_in(EMSMDB, "CONTOSO\\nobody", "x").status == 401
        assert client.ask("GET", RPC, basic("nobody", "x")).status == 401
        assert outcomes(lab) == [Outcome.UNKNOWN_ACCOUNT] * 2
        assert lab.bad_passwords == 0


def test_a_token_that_is_none_is_no_attempt() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        for authorization in ("NTLM", "NTLM !!", "Negotiate AAAA", "NTLM TlRMTVNTUAADAAAA", "Digest x", ""):
            assert client.ask("GET", EMSMDB, {"Authorization": authorization}).status == 401
        assert lab.attempts == ()


def test_the_last_token_without_the_first_is_no_wrong_password() -> None:
    with lab_today() as lab, Client(lab, EX01) as one, Client(lab, EX02) as two:
        one_ask, asked = one.ask, []

        def elsewhere(*words: object) -> object:
            asked.append(words)
            return (one_ask if len(asked) == 1 else two.ask)(*words)  # type: ignore[arg-type]

        one.ask = elsewhere  # type: ignore[method-assign, assignment]
        assert one.sign_in_as_account(lab, EMSMDB).status == 401
        assert lab.attempts == ()


def test_the_file_of_accounts_is_there_only_for_who_needs_it() -> None:
    before = os.environ.get("NTLM_USER_FILE")
    with lab_today() as lab:
        with Client(lab, EX01) as client:
            client.ask("GET", EMSMDB)
            assert os.environ.get("NTLM_USER_FILE") == before
            client.sign_in_as_account(lab, EMSMDB)
            assert os.environ.get("NTLM_USER_FILE") == before
            client.sign_in_as_account(lab, EMSMDB, scheme="Negotiate", protocol="negotiate")
        path = Path(os.environ["NTLM_USER_FILE"])
        assert path.exists()
    assert not path.exists()
    assert os.environ.get("NTLM_USER_FILE") == before


def test_no_secret_is_shown() -> None:
    with lab_today() as lab:
        shown = f"{lab!r} {lab.account!r} {lab.scenario!r}"
    assert lab.account.password not in shown
    assert lab.account.token not in shown


# --- Extended Protection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [EMSMDB, RPC])
@pytest.mark.parametrize(
    ("protection", "bindings", "status", "outcome"),
    [
        ("None", "none", 200, Outcome.SIGNED_IN),
        ("None", "wrong", 200, Outcome.SIGNED_IN),
        ("Allow", "right", 200, Outcome.SIGNED_IN),
        ("Allow", "none", 200, Outcome.SIGNED_IN),
        ("Allow", "wrong", 401, Outcome.WRONG_BINDINGS),
        ("Require", "right", 200, Outcome.SIGNED_IN),
        ("Require", "none", 401, Outcome.NO_BINDINGS),
        ("Require", "wrong", 401, Outcome.WRONG_BINDINGS),
    ],
)
@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_extended_protection(
    path: str, protection: str, bindings: str, status: int, outcome: Outcome, scheme: str
) -> None:
    directory = "mapi" if path == EMSMDB else "rpc"
    faults = {"None": [], "Allow": [f"{directory}-extended-protection-allow"]}.get(
        protection, [f"{directory}-extended-protection"]
    )
    with lab_today(*faults) as lab, Client(lab, EX01) as client:
        given = {"right": client.bindings, "wrong": WRONG, "none": None}[bindings]
        assert client.sign_in_as_account(lab, path, bindings=given, scheme=scheme).status == status
        assert outcomes(lab) == [outcome]
        assert lab.bad_passwords == 0


def test_the_certificate_of_this_very_connection_counts() -> None:
    """A name with a certificate of its own, served by the same servers to those who ask for it."""
    with lab_today("certificate-rsa-2048:mail.contoso.test", "mapi-extended-protection:*") as lab:
        with Client(lab, MAIL) as by_name, Client(lab, EX01, host=EX01, verified=False) as straight:
            assert by_name.bindings != straight.bindings
            assert by_name.sign_in_as_account(lab, EMSMDB).status == 200
            assert straight.sign_in_as_account(lab, EMSMDB).status == 200
        with Client(lab, MAIL) as by_name, Client(lab, EX01, host=EX01, verified=False) as straight:
            assert by_name.sign_in_as_account(lab, EMSMDB, bindings=straight.bindings).status == 401


@pytest.mark.parametrize(("fault", "status"), [("proxy", 200), ("proxy-own-certificate", 401)])
def test_a_proxy_must_have_the_servers_certificate(fault: str, status: int) -> None:
    with lab_today(fault, "mapi-extended-protection:*") as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == status
        assert lab.bad_passwords == 0


def test_without_extended_protection_a_proxy_may_have_any_certificate() -> None:
    with lab_today("proxy-own-certificate") as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == 200
        assert client.ask("GET", EMSMDB).status == 200


# --- Kerberos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protection", "bindings", "status"),
    [
        ([], "none", 200),
        ([], "right", 200),
        (["mapi-extended-protection"], "right", 200),
        (["mapi-extended-protection"], "none", 401),
        (["mapi-extended-protection"], "wrong", 401),
        (["mapi-extended-protection-allow"], "right", 200),
        (["mapi-extended-protection-allow"], "none", 200),
        (["mapi-extended-protection-allow"], "wrong", 401),
    ],
)
@pytest.mark.parametrize("protocol", ["kerberos", "negotiate"])
def test_kerberos(kerberos: Kdc, protection: list[str], bindings: str, status: int, protocol: str) -> None:
    with lab_today(*protection) as lab, Client(lab, EX01) as client:
        who, password = kerberos.principal("user1"), kerberos.passwords["user1"]
        given = {"right": client.bindings, "wrong": WRONG, "none": None}[bindings]
        more = {"scheme": "Negotiate", "protocol": protocol, "bindings": given}
        assert client.sign_in(EMSMDB, who, password, **more).status == status  # type: ignore[arg-type]
        assert {attempt.scheme for attempt in lab.attempts} == {"kerberos"}
        assert (lab.attempts[0].outcome is Outcome.SIGNED_IN) is (status == 200)
        if status == 200:
            assert client.ask("GET", EMSMDB).status == 200
            assert b"CONTOSO\\user1" in client.ask("GET", EMSMDB).body


def test_autodiscover_has_schemes_of_its_own() -> None:
    with lab_today() as lab, Client(lab, AUTODISCOVER) as client:
        answer = client.ask("GET", "/autodiscover/autodiscover.xml", basic(lab.account.address, lab.account.password))
        assert answer.status == 200


def test_2010_lets_in_too_but_knows_nothing_of_mapi_over_http() -> None:
    with lab_today("mapi-http-on", scenario="mixed") as lab:
        right = basic(lab.account.user, lab.account.password)
        with Client(lab, "old10.litware.test", host="mail.litware.test") as client:
            assert client.ask("GET", RPC).every("WWW-Authenticate") == ['Basic realm="mail.litware.test"', "NTLM"]
            assert client.ask("GET", RPC, right).status == 200
            assert client.ask("GET", EMSMDB, right).status == 404
            assert client.sign_in_as_account(lab, RPC).status == 200
            assert client.sign_in_as_account(lab, RPC, scheme="Negotiate").status == 401
