"""The test account with a real KDC: tickets by password and from the cache, and each way in which there is none."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from checker.account import MapiConversation, MapiEndpoint, MapiMailbox, Proof, SignedAnswer, SignInAt, SignInScheme
from checker.answers import HttpAnswer, NotCollected, Reason, Target
from checker.network.signed_in import LiveAccount
from checker.network.tickets import principal_of
from checker.secrets import Secret
from tests.kdc import Kdc
from tests.network.peers import peer, server_tls
from tests.network.signing import (
    NAME,
    PASSWORD,
    STRAIGHT,
    USER,
    Site,
    account,
    accounts,
    bound_to,
    server_certificate,
    serving,
)

T = TypeVar("T")
AUDIT = "audit@contoso.test"
WRONG = Secret("Wrong-Horse-7")
NEGOTIATE = SignInScheme.NEGOTIATE


def run(site: Site, folder: Path, ask: Callable[[LiveAccount], Awaitable[T]], **changes: Any) -> T:
    async def all_of_it() -> T:
        async with serving(site, folder, **changes) as (live, _):
            return await ask(live)

    return asyncio.run(all_of_it())


def by_password(kdc: Kdc) -> dict[str, Any]:
    return {"user": AUDIT, "password": Secret(kdc.passwords["audit"])}


TICKET: dict[str, Any] = {"user": None, "password": None, "ticket": True}


@pytest.mark.parametrize(
    ("user", "principal"),
    [
        ("probe@contoso.test", "probe@CONTOSO.TEST"),
        ("CONTOSO\\probe", None),
        ("probe", None),
        ("@contoso.test", None),
        ("probe@", None),
    ],
)
def test_principals(user: str, principal: str | None) -> None:
    assert principal_of(user) == principal


# --- by password ------------------------------------------------------------------------------------------------------


def test_the_kdc_proves_a_password_and_nothing_else_is_sent_for_it(kerberos: Kdc, tmp_path: Path) -> None:
    certificate = server_certificate()
    site = Site(schemes=("Negotiate", "NTLM"), bindings=bound_to(certificate))

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (NEGOTIATE,))
        assert (proof.proof, proof.by, proof.attempts) == (Proof.KDC, "CONTOSO.TEST", 1)
        assert site.legs == []
        answer = await live.sign_in(NAME, SignInAt.MAILBOX, NEGOTIATE)
        assert isinstance(answer, SignedAnswer)
        assert (answer.is_in, answer.mechanism, answer.bound, answer.connections) == (True, "Kerberos", True, 1)
        assert site.outcomes == ["challenged", "in"]
        assert (await live.prove((), ())).attempts == 1

    run(site, tmp_path, ask, certificate=certificate, **by_password(kerberos))


def test_a_conversation_by_kerberos_with_a_server_that_asks_each_time(kerberos: Kdc, tmp_path: Path) -> None:
    site = Site(each_time=True)
    box = MapiMailbox("/o=Contoso/cn=audit", None)
    talk = run(
        site, tmp_path, lambda live: live.mapi(NAME, MapiEndpoint.MAILBOX, NEGOTIATE, box), **by_password(kerberos)
    )
    assert isinstance(talk, MapiConversation)
    assert talk.sign_in.mechanism == "Kerberos"
    assert all(isinstance(one.answer, HttpAnswer) and one.answer.status == 200 for one in talk.requests)


def test_a_password_that_the_kdc_refuses_goes_to_no_server(kerberos: Kdc, tmp_path: Path) -> None:
    site = Site(schemes=("Negotiate", "NTLM", "Basic"))

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), tuple(SignInScheme))
        assert (proof.proof, proof.by, proof.attempts) == (Proof.REJECTED, "CONTOSO.TEST", 1)
        assert proof.because is not None
        assert proof.because.reason is Reason.SIGN_IN_FAILED
        for scheme in (NEGOTIATE, SignInScheme.NTLM, SignInScheme.BASIC):
            later = await live.sign_in(NAME, SignInAt.MAILBOX, scheme)
            assert isinstance(later, NotCollected)
            assert later.reason is Reason.SIGN_IN_FAILED

    run(site, tmp_path, ask, user=AUDIT, password=WRONG)
    assert site.legs == []


def test_without_a_proof_asked_for_the_kdc_still_comes_first(kerberos: Kdc, tmp_path: Path) -> None:
    site = Site()

    async def ask(live: LiveAccount) -> None:
        answers = await asyncio.gather(*(live.sign_in(NAME, at, NEGOTIATE) for at in SignInAt))
        assert all(isinstance(answer, NotCollected) for answer in answers)
        assert (await live.prove((), ())).attempts == 1

    run(site, tmp_path, ask, user=AUDIT, password=WRONG)
    assert all(not leg.scheme for leg in site.legs)


def test_who_the_kdc_does_not_know_may_still_be_known_to_the_server(
    kerberos: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kerberos.realm == "CONTOSO.TEST"
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts(tmp_path)))
    site = Site()

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (NEGOTIATE,))
        assert (proof.proof, proof.attempts) == (Proof.SERVER, 1)
        answer = await live.sign_in(STRAIGHT, SignInAt.MAILBOX, NEGOTIATE)
        assert isinstance(answer, SignedAnswer)
        assert answer.mechanism == "NTLM"

    run(site, tmp_path, ask, user=USER, password=Secret(PASSWORD))


def test_without_an_spn_negotiate_falls_to_ntlm_as_windows_does(kerberos: Kdc, tmp_path: Path) -> None:
    host = "owa.contoso.test"
    site = Site()

    async def all_of_it() -> None:
        tls = server_tls(tmp_path, server_certificate(names=(host,)))
        async with peer(site, tls) as here, account({host: here.port}, **by_password(kerberos)) as live:
            assert (await live.prove((), (NEGOTIATE,))).proof is Proof.KDC
            answer = await live.sign_in(Target(host), SignInAt.MAILBOX, NEGOTIATE)
            assert isinstance(answer, SignedAnswer)
            assert answer.mechanism == "NTLM"

    asyncio.run(all_of_it())


def test_no_kdc_leaves_the_proof_to_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdc: Kdc) -> None:
    _unreachable(kdc, tmp_path, monkeypatch)
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts(tmp_path)))
    site = Site()

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (NEGOTIATE,))
        assert (proof.proof, proof.attempts) == (Proof.SERVER, 1)

    run(site, tmp_path, ask)


def _unreachable(kdc: Kdc, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A realm whose KDC nobody answers for."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    config = folder / "krb5.conf"
    config.write_text(
        f"[libdefaults]\ndefault_realm = {kdc.realm}\ndns_lookup_kdc = false\n"
        f"[realms]\n{kdc.realm} = {{\nkdc = 127.0.0.1:{port}\n}}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("KRB5_CONFIG", str(config))


# --- by ticket --------------------------------------------------------------------------------------------------------


def test_a_ticket_cache_signs_in_without_any_password(kerberos: Kdc, tmp_path: Path) -> None:
    kerberos.kinit("audit")
    site = Site()

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (NEGOTIATE,))
        assert (proof.proof, proof.attempts) == (Proof.KDC, 0)
        answer = await live.sign_in(NAME, SignInAt.RPC, NEGOTIATE)
        assert isinstance(answer, SignedAnswer)
        assert (answer.is_in, answer.mechanism) == (True, "Kerberos")

    run(site, tmp_path, ask, **TICKET)


def _hindered(site: Site, folder: Path, target: Target = NAME) -> NotCollected:
    async def ask(live: LiveAccount) -> SignedAnswer | NotCollected:
        await live.prove((), (NEGOTIATE,))
        return await live.sign_in(target, SignInAt.MAILBOX, NEGOTIATE)

    found = run(site, folder, ask, **TICKET)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.SIGN_IN_UNAVAILABLE
    assert all(not leg.scheme for leg in site.legs)
    return found


def test_no_ticket(kerberos: Kdc, tmp_path: Path) -> None:
    assert kerberos.realm
    assert "no Kerberos ticket" in _hindered(Site(), tmp_path).sentence


def test_a_ticket_that_has_expired(kerberos: Kdc, tmp_path: Path) -> None:
    kerberos.kinit("audit")
    _age(Path(kerberos.environment["KRB5CCNAME"].removeprefix("FILE:")))
    assert "expired" in _hindered(Site(), tmp_path).sentence


def _age(cache: Path) -> None:
    """Moves the end of each ticket two days back; the file holds it in seconds, big-endian."""
    krb5 = pytest.importorskip("krb5")
    content = cache.read_bytes()
    for ticket in krb5.cc_resolve(krb5.init_context(), f"FILE:{cache}".encode()):
        end = ticket.times.endtime
        if end:  # 0 in the entries that hold settings of the cache
            content = content.replace(struct.pack(">I", end), struct.pack(">I", end - 2 * 86400))
    cache.write_bytes(content)


def test_a_service_without_an_spn(kerberos: Kdc, tmp_path: Path) -> None:
    kerberos.kinit("audit")
    host = "owa.contoso.test"
    site = Site()

    async def all_of_it() -> SignedAnswer | NotCollected:
        tls = server_tls(tmp_path, server_certificate(names=(host,)))
        async with peer(site, tls) as here, account({host: here.port}, **TICKET) as live:
            assert (await live.prove((Target(host),), (NEGOTIATE,))).proof is Proof.KDC
            return await live.sign_in(Target(host), SignInAt.MAILBOX, NEGOTIATE)

    found = asyncio.run(all_of_it())
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.SIGN_IN_UNAVAILABLE
    assert f"HTTP/{host}" in found.sentence
    assert all(not leg.scheme for leg in site.legs)


def test_a_kdc_that_cannot_be_reached_with_a_ticket(
    kerberos: Kdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kerberos.kinit("audit")
    _unreachable(kerberos, tmp_path, monkeypatch)
    assert "KDC" in _hindered(Site(), tmp_path).sentence


def test_a_service_whose_account_has_another_key_refuses_what_the_kdc_gave(kerberos: Kdc, tmp_path: Path) -> None:
    host = "legacy.contoso.test"
    kerberos.handle.addprinc(f"HTTP/{host}@{kerberos.realm}")  # its key is in no keytab
    kerberos.kinit("audit")
    site = Site(schemes=("Negotiate",))

    async def all_of_it() -> None:
        tls = server_tls(tmp_path, server_certificate(names=(host,)))
        async with peer(site, tls) as here, account({host: here.port}, **TICKET) as live:
            assert (await live.prove((Target(host),), (NEGOTIATE,))).by == "CONTOSO.TEST"
            answer = await live.sign_in(Target(host), SignInAt.MAILBOX, NEGOTIATE)
            assert isinstance(answer, SignedAnswer)
            assert (answer.completed, answer.mechanism, answer.is_in) == (True, "Kerberos", False)
            assert (await live.prove((), ())).proof is Proof.KDC

    asyncio.run(all_of_it())
    assert site.outcomes == ["challenged", "refused"]


def test_a_password_that_a_server_has_proven_goes_to_the_kdc_once(kerberos: Kdc, tmp_path: Path) -> None:
    site = Site(schemes=("Negotiate", "Basic"), password=kerberos.passwords["audit"], user=AUDIT)

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (SignInScheme.BASIC,))
        assert (proof.proof, proof.attempts) == (Proof.SERVER, 1)
        answers = await asyncio.gather(*(live.sign_in(NAME, at, NEGOTIATE) for at in SignInAt))
        assert {answer.mechanism for answer in answers if isinstance(answer, SignedAnswer)} == {"Kerberos"}
        assert (await live.prove((), ())).attempts == 2

    run(site, tmp_path, ask, **by_password(kerberos))
