"""The live test account against real sockets: who is sent what, how often, and what comes of it."""

import asyncio
import hashlib
import socket
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from checker.account import (
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignedIn,
    SignInAt,
    SignInScheme,
    Step,
)
from checker.answers import HttpAnswer, Layer, NotCollected, Reason, Resolved, Target
from checker.network.cleaning import clean
from checker.network.signed_in import LiveAccount, schemes_of_credential
from checker.network.verified import end_point, verifying
from checker.network.visit import Credential, Request, Visit
from checker.secrets import Secret
from tests.factories_network import DAY, HOST, issue, trust
from tests.network.peers import Handler, Peer, head, peer, server_tls
from tests.network.signing import (
    NAME,
    PASSWORD,
    STRAIGHT,
    TOKEN,
    USER,
    Leg,
    Site,
    account,
    accounts,
    bound_to,
    read_request,
    server_certificate,
    serving,
    settings,
)

T = TypeVar("T")
WRONG = Secret("Wrong-Horse-7")
DN = "/o=Contoso/ou=Exchange/cn=Recipients/cn=probe"
MAILBOX = MapiMailbox(DN, "11111111-2222-3333-4444-555555555555@contoso.test")
NOT_LOCKED = "not locked"
SHORT = 1.5
"""For what hangs; everything before it must fit in, on a busy machine too."""


@pytest.fixture(autouse=True)
def ntlm_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyspnego's acceptor knows the account, and there is no realm, whatever this machine is set to."""
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts(tmp_path)))
    no_realm = tmp_path / "krb5.conf"
    no_realm.write_text("[libdefaults]\ndns_lookup_kdc = false\ndns_lookup_realm = false\n", encoding="utf-8")
    monkeypatch.setenv("KRB5_CONFIG", str(no_realm))


def run(handler: Handler, folder: Path, ask: Callable[[LiveAccount], Awaitable[T]], **changes: Any) -> T:
    async def all_of_it() -> T:
        async with serving(handler, folder, **changes) as (live, _):
            return await ask(live)

    return asyncio.run(all_of_it())


def sign_in(
    handler: Handler,
    folder: Path,
    scheme: SignInScheme = SignInScheme.NTLM,
    *,
    at: SignInAt = SignInAt.MAILBOX,
    target: Target = NAME,
    **changes: Any,
) -> SignedAnswer | NotCollected:
    return run(handler, folder, lambda live: live.sign_in(target, at, scheme), **changes)


def signed(answer: object) -> SignedAnswer:
    assert isinstance(answer, SignedAnswer), answer
    return answer


# --- each scheme ------------------------------------------------------------------------------------------------------


def test_it_is_a_signed_in() -> None:
    assert isinstance(LiveAccount(settings({})), SignedIn)


@pytest.mark.parametrize(
    ("scheme", "offered", "outcomes", "mechanism", "bound"),
    [
        (SignInScheme.NTLM, ("NTLM",), ["challenged", "unfinished", "in"], "NTLM", True),
        (SignInScheme.NEGOTIATE, ("Negotiate",), ["challenged", "unfinished", "in"], "NTLM", True),
        (SignInScheme.BASIC, ("NTLM", "Basic"), ["challenged", "in"], None, False),
        (SignInScheme.BEARER, ("NTLM", "Bearer"), ["challenged", "in"], None, False),
    ],
)
def test_each_scheme_signs_in_on_one_connection(
    tmp_path: Path,
    scheme: SignInScheme,
    offered: tuple[str, ...],
    outcomes: list[str],
    mechanism: str | None,
    bound: bool,
) -> None:
    site = Site(schemes=offered)
    given: dict[str, Any] = {"password": None, "token": Secret(TOKEN)} if scheme is SignInScheme.BEARER else {}
    answer = signed(sign_in(site, tmp_path, scheme, **given))
    assert site.outcomes == outcomes
    assert (answer.is_in, answer.completed, answer.mechanism, answer.bound) == (True, True, mechanism, bound)
    assert (answer.connections, {leg.connection for leg in site.legs}) == (1, {1})
    assert [leg.status for leg in answer.legs] == [401] * (len(outcomes) - 1)
    assert isinstance(answer.answer, HttpAnswer)
    assert (answer.answer.status, answer.answer.method, answer.answer.path) == (200, "POST", "/mapi/emsmdb/")
    assert [timed.step for timed in answer.timings] == list(Step)
    assert all(timed.seconds >= 0 for timed in answer.timings)


def test_what_is_asked_where(tmp_path: Path) -> None:
    site = Site()

    async def all_three(live: LiveAccount) -> None:
        for at in SignInAt:
            assert signed(await live.sign_in(NAME, at, SignInScheme.NTLM)).is_in

    run(site, tmp_path, all_three)
    last = [leg for leg in site.legs if leg.outcome == "in"]
    assert [(leg.method, leg.path) for leg in last] == [
        ("POST", "/mapi/emsmdb/"),
        ("POST", "/mapi/nspi/"),
        ("GET", "/rpc/rpcproxy.dll"),
    ]
    assert [leg.headers.get("x-requesttype") for leg in last] == ["PING", "PING", None]
    assert {leg.headers["host"] for leg in last} == {HOST}


def test_a_scheme_that_is_not_offered_is_not_sent(tmp_path: Path) -> None:
    site = Site(schemes=("Negotiate",))
    answer = signed(sign_in(site, tmp_path, SignInScheme.BASIC))
    assert (answer.completed, answer.is_in, len(site.legs)) == (False, False, 1)
    assert "authorization" not in site.legs[0].headers


@pytest.mark.parametrize(
    ("scheme", "given"),
    [
        (SignInScheme.BEARER, {}),
        (SignInScheme.NTLM, {"password": None, "token": Secret(TOKEN)}),
        (SignInScheme.BASIC, {"password": None, "ticket": True}),
        (SignInScheme.BEARER, {"password": None, "token": Secret("no token\r\nX-Smuggled: 1")}),
    ],
)
def test_what_the_credential_is_not_for(tmp_path: Path, scheme: SignInScheme, given: dict[str, Any]) -> None:
    site = Site(schemes=("Negotiate", "NTLM", "Basic", "Bearer"))
    answer = sign_in(site, tmp_path, scheme, **given)
    assert isinstance(answer, NotCollected)
    assert answer.reason is Reason.SIGN_IN_UNAVAILABLE
    assert site.legs == []


def test_schemes_of_a_credential() -> None:
    ports: dict[str, int] = {}
    assert schemes_of_credential(settings(ports))[0] is SignInScheme.NEGOTIATE
    assert schemes_of_credential(settings(ports, password=None, ticket=True)) == (SignInScheme.NEGOTIATE,)
    assert schemes_of_credential(settings(ports, password=None, token=Secret(TOKEN))) == (SignInScheme.BEARER,)


# --- Extended Protection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [SignInScheme.NTLM, SignInScheme.NEGOTIATE])
def test_bindings_to_the_served_certificate_are_sent_and_right(tmp_path: Path, scheme: SignInScheme) -> None:
    certificate = server_certificate()
    site = Site(bindings=bound_to(certificate))
    assert signed(sign_in(site, tmp_path, scheme, certificate=certificate)).is_in


def test_bindings_to_another_certificate_are_refused_and_leave_a_doubt(tmp_path: Path) -> None:
    site = Site(bindings=bound_to(server_certificate()))

    async def ask(live: LiveAccount) -> None:
        answer = signed(await live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.NTLM))
        assert (answer.completed, answer.bound, answer.is_in) == (True, True, False)
        proof = await live.prove((), ())
        assert proof.proof is Proof.DOUBTFUL

    run(site, tmp_path, ask)


def test_the_binding_is_the_hash_of_the_certificate() -> None:
    der = server_certificate().der  # signed with SHA-256
    assert end_point(der) == b"tls-server-end-point:" + hashlib.sha256(der).digest()
    assert end_point(b"no certificate") == b"tls-server-end-point:" + hashlib.sha256(b"no certificate").digest()


def test_the_hash_is_that_of_the_signature() -> None:
    key = rsa.generate_private_key(65537, 2048)
    for algorithm, hashed in ((hashes.SHA384(), hashlib.sha384), (hashes.SHA512(), hashlib.sha512)):
        der = _signed_with(key, algorithm)
        assert end_point(der) == b"tls-server-end-point:" + hashed(der).digest()


def _signed_with(key: rsa.RSAPrivateKey, algorithm: hashes.SHA384 | hashes.SHA512) -> bytes:
    nobody = x509.Name([])
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + DAY)
        .sign(key, algorithm)
    )
    return made.public_bytes(Encoding.DER)


# --- trust ------------------------------------------------------------------------------------------------------------

_EXPIRED = {"first": -2000 * DAY, "last": -1500 * DAY}


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (issue(last=4000 * DAY), "self-signed"),
        (issue(by=issue("Other Root", ca=True, last=4000 * DAY), last=4000 * DAY), "does not trust"),
        (server_certificate(**_EXPIRED), "expired"),
        (server_certificate(common_name="owa.contoso.test", names=("owa.contoso.test",)), f"does not name {HOST}"),
        (server_certificate(names=None), f"does not name {HOST}"),
    ],
    ids=["self-signed", "another authority", "expired", "another name", "no name"],
)
@pytest.mark.parametrize("target", [NAME, STRAIGHT], ids=["by name", "straight"])
def test_nothing_is_sent_to_a_certificate_that_does_not_verify(
    tmp_path: Path, certificate: Any, said: str, target: Target
) -> None:
    site = Site(schemes=("Basic",))
    answer = sign_in(site, tmp_path, SignInScheme.BASIC, certificate=certificate, target=target)
    assert isinstance(answer, NotCollected)
    assert (answer.reason, answer.layer) == (Reason.UNTRUSTED_CERTIFICATE, Layer.TRUST)
    assert said in answer.sentence
    assert site.legs == []


def test_no_tls_no_credential(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read(4096))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def ask() -> SignedAnswer | NotCollected:
        async with peer(plain) as here, account({HOST: here.port}) as live:
            return await live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.BASIC)

    answer = asyncio.run(ask())
    assert isinstance(answer, NotCollected)
    assert (answer.reason, answer.layer) == (Reason.TLS_FAILED, Layer.CONNECT)
    assert all(b"Authorization" not in data and data[:1] == b"\x16" for data in seen)


# --- lockout ----------------------------------------------------------------------------------------------------------


async def _everything(live: LiveAccount) -> list[object]:
    """Each question there is, all at once."""
    questions: list[Awaitable[object]] = []
    for target in (NAME, STRAIGHT, Target(HOST, turn=1)):
        for scheme in (SignInScheme.NEGOTIATE, SignInScheme.NTLM, SignInScheme.BASIC):
            questions += [live.sign_in(target, at, scheme) for at in SignInAt]
            questions += [live.mapi(target, endpoint, scheme, MAILBOX) for endpoint in MapiEndpoint]
            questions += [live.rpc_echo(target, scheme), live.autodiscover(target, "/autodiscover/a.xml", USER, scheme)]
    return list(await asyncio.gather(*questions))


@pytest.mark.parametrize("scheme", ["Negotiate", "NTLM", "Basic"])
def test_a_wrong_password_is_sent_once_whatever_is_asked(tmp_path: Path, scheme: str) -> None:
    site = Site(schemes=(scheme,))

    async def ask(live: LiveAccount) -> list[object]:
        proof = await live.prove((STRAIGHT, Target("ex01.contoso.test")), (SignInScheme(scheme),))
        assert (proof.proof, proof.attempts) == (Proof.REJECTED, 1)
        assert proof.because is not None
        assert proof.because.reason is Reason.SIGN_IN_FAILED
        assert NOT_LOCKED in proof.because.sentence
        answers = await _everything(live)
        assert (await live.prove((NAME,), (SignInScheme.BASIC,))) == proof
        return answers

    answers = run(site, tmp_path, ask, password=WRONG)
    assert site.outcomes.count("refused") == 1
    others = [answer for answer in answers if isinstance(answer, NotCollected)]
    assert {answer.reason for answer in others} == {Reason.SIGN_IN_FAILED}
    assert len(others) >= len(answers) - 1  # the question that was the proof has its answer


def test_without_a_server_asked_straight_the_first_refusal_is_a_doubt_and_the_last(tmp_path: Path) -> None:
    site = Site(schemes=("Negotiate", "NTLM", "Basic"))

    async def ask(live: LiveAccount) -> None:
        assert (await live.prove((), ())).proof is Proof.UNPROVEN
        answers = await _everything(live)
        proof = await live.prove((), ())
        assert (proof.proof, proof.attempts) == (Proof.DOUBTFUL, 1)
        assert proof.because is not None
        for cause in ("password", "Extended Protection", "balancing", "proxy"):
            assert cause in proof.because.sentence
        assert sum(isinstance(answer, SignedAnswer) for answer in answers) == 1

    run(site, tmp_path, ask, password=WRONG)
    assert site.outcomes.count("refused") == 1


def test_questions_wait_until_the_first_has_proven_the_password(tmp_path: Path) -> None:
    site = Site(schemes=("Negotiate", "NTLM", "Basic"))

    async def ask(live: LiveAccount) -> None:
        answers = await _everything(live)
        assert all(not isinstance(answer, NotCollected) for answer in answers)
        assert (await live.prove((), ())).proof is Proof.NAME

    run(site, tmp_path, ask)
    first = site.outcomes.index("in")
    tested = [leg.connection for leg in site.legs[: first + 1] if leg.scheme]
    assert set(tested) == {site.legs[first].connection}
    assert "refused" not in site.outcomes


def test_a_server_asked_straight_proves_the_password_and_then_refusals_stop_nothing(tmp_path: Path) -> None:
    certificate = server_certificate()
    site = Site(schemes=("NTLM", "Basic"), bindings=bound_to(certificate))

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (SignInScheme.NTLM,))
        assert (proof.proof, proof.by, proof.attempts) == (Proof.SERVER, f"{HOST} at ex01.contoso.test", 1)
        site.bindings = b"tls-server-end-point:another"
        for turn in (1, 2, 3):
            refused = signed(await live.sign_in(Target(HOST, turn=turn), SignInAt.MAILBOX, SignInScheme.NTLM))
            assert (refused.completed, refused.is_in) == (True, False)
        assert (await live.prove((), ())).proof is Proof.SERVER
        assert signed(await live.sign_in(NAME, SignInAt.RPC, SignInScheme.BASIC)).is_in

    run(site, tmp_path, ask, certificate=certificate)


def test_a_server_that_cannot_be_asked_leaves_the_proof_to_the_next(tmp_path: Path) -> None:
    site = Site()

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((Target(HOST, via="127.0.0.9", port=1), STRAIGHT), (SignInScheme.NTLM,))
        assert proof.proof is Proof.SERVER

    run(site, tmp_path, ask)


def test_answers_that_never_come_count_as_attempts(tmp_path: Path) -> None:
    site = Site(schemes=("Basic",), page=lambda _leg: None)

    async def ask(live: LiveAccount) -> None:
        targets = tuple(Target(HOST, turn=turn) for turn in range(5))
        proof = await live.prove(targets, (SignInScheme.BASIC,))
        assert (proof.proof, proof.attempts) == (Proof.DOUBTFUL, 2)
        await _everything(live)

    run(site, tmp_path, ask)
    assert site.outcomes.count("in") == 2


def test_a_challenge_alone_is_no_attempt(tmp_path: Path) -> None:
    site = Site(schemes=("NTLM",), closes=frozenset({"unfinished"}), forgets=True, page=lambda _leg: None)

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (SignInScheme.BASIC,))
        assert (proof.proof, proof.attempts) == (Proof.UNPROVEN, 0)
        assert proof.because is not None

    run(site, tmp_path, ask)


@pytest.mark.parametrize("scheme", [SignInScheme.BASIC, SignInScheme.NTLM])
def test_what_never_went_out_does_not_count(tmp_path: Path, scheme: SignInScheme) -> None:
    """The connection ends before the credential goes out, and there is no other."""
    before = {SignInScheme.BASIC: "challenged", SignInScheme.NTLM: "unfinished"}[scheme]
    site = Site(schemes=(scheme.value,), closes=frozenset({before}))
    tls = server_tls(tmp_path, server_certificate())

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if site.connections == 0:
            await writer.start_tls(tls)
            await site(reader, writer)

    async def all_of_it() -> None:
        async with peer(once) as here, account({HOST: here.port, "ex01.contoso.test": here.port}) as live:
            proof = await live.prove((STRAIGHT,), (scheme,))
            assert (proof.proof, proof.attempts) == (Proof.UNPROVEN, 0)
            answer = signed(await live.sign_in(STRAIGHT, SignInAt.MAILBOX, scheme))
            assert (answer.completed, answer.is_in, answer.bound) == (False, False, False)

    asyncio.run(all_of_it())


def test_a_token_that_is_refused_is_not_sent_again(tmp_path: Path) -> None:
    site = Site(schemes=("Bearer",))

    async def ask(live: LiveAccount) -> None:
        proof = await live.prove((STRAIGHT,), (SignInScheme.BEARER,))
        assert (proof.proof, proof.attempts) == (Proof.REJECTED, 0)
        again = await live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.BEARER)
        assert isinstance(again, NotCollected)

    run(site, tmp_path, ask, password=None, token=Secret("another.token"))
    assert site.outcomes.count("refused") == 1


@pytest.mark.parametrize(
    ("answer", "proof"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Proof.UNPROVEN),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Proof.UNPROVEN),
        (b"HTTP/1.1 503 Service Unavailable\r\nX-FEServer: EX01\r\nContent-Length: 0\r\n\r\n", Proof.SERVER),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Proof.SERVER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ncut", Proof.SERVER),
        (b"HTTP/1.1 200 OK\r\nConte", Proof.UNPROVEN),
    ],
)
def test_what_somebody_in_between_says_proves_nothing(tmp_path: Path, answer: bytes, proof: Proof) -> None:
    site = Site(schemes=("Basic",), page=lambda _leg: answer, closes=frozenset({"in"}))
    found = run(site, tmp_path, lambda live: live.prove((STRAIGHT,), (SignInScheme.BASIC,)))
    assert found.proof is proof


# --- the way ----------------------------------------------------------------------------------------------------------


def test_each_request_on_another_server_breaks_ntlm(tmp_path: Path) -> None:
    answer = signed(sign_in(Site(schemes=("NTLM",), forgets=True), tmp_path))
    assert (answer.completed, answer.is_in, answer.connections) == (True, False, 1)
    assert [leg.status for leg in answer.legs] == [401, 401]


def test_a_connection_that_ends_between_the_legs_is_counted(tmp_path: Path) -> None:
    site = Site(schemes=("NTLM",), closes=frozenset({"unfinished"}))
    answer = signed(sign_in(site, tmp_path))
    assert (answer.completed, answer.is_in, answer.connections) == (True, False, 2)
    assert [leg.connection for leg in site.legs] == [1, 1, 2]


def test_a_server_asked_straight_that_ends_the_connection_leaves_a_doubt(tmp_path: Path) -> None:
    site = Site(schemes=("NTLM",), closes=frozenset({"unfinished"}))
    proof = run(site, tmp_path, lambda live: live.prove((STRAIGHT,), (SignInScheme.NTLM,)))
    assert proof.proof is Proof.DOUBTFUL


def test_a_connection_that_ends_with_the_challenge_harms_nobody(tmp_path: Path) -> None:
    answer = signed(sign_in(Site(schemes=("NTLM",), closes=frozenset({"challenged"})), tmp_path))
    assert (answer.is_in, answer.connections) == (True, 2)


def test_a_redirect_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://mail.contoso.test/elsewhere\r\nContent-Length: 0\r\n\r\n"
    site = Site(schemes=("Basic",), page=lambda _leg: moved)
    answer = signed(sign_in(site, tmp_path, SignInScheme.BASIC))
    assert isinstance(answer.answer, HttpAnswer)
    assert (answer.answer.status, {leg.path for leg in site.legs}) == (302, {"/mapi/emsmdb/"})


def _after_challenge(data: bytes, *, end: bool = True) -> Handler:
    """Challenges, then answers the second request with these bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader, 0)
        writer.write(
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        await read_request(reader, 0)
        writer.write(data)
        await writer.drain()
        if not end:
            await reader.read()

    return handler


@pytest.mark.parametrize("scheme", [SignInScheme.BASIC, SignInScheme.NTLM])
@pytest.mark.parametrize(
    ("data", "end", "reason"),
    [
        (b"", True, Reason.RESET),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", True, Reason.RESET),
        (b"\x00\x01SSH-2.0-OpenSSH\r\n\r\n", True, Reason.MALFORMED),
        (b"", False, Reason.TIMED_OUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", False, Reason.TIMED_OUT),
    ],
    ids=["cut", "cut body", "garbage", "hang", "hanging body"],
)
def test_what_is_no_whole_answer(tmp_path: Path, scheme: SignInScheme, data: bytes, end: bool, reason: Reason) -> None:
    answer = signed(sign_in(_after_challenge(data, end=end), tmp_path, scheme, timeout=30 if end else SHORT))
    assert isinstance(answer.answer, NotCollected)
    assert (answer.answer.reason, answer.answer.layer) == (reason, None)
    assert answer.completed is (scheme is SignInScheme.BASIC)
    assert not answer.is_in


@pytest.mark.parametrize("token", [b"AAAA", b"TlRMTVNTUAACAAAA", b"TlRMTVNTUAADAAAA"])
def test_a_second_message_of_ntlm_that_cannot_be_read(tmp_path: Path, token: bytes) -> None:
    data = b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM " + token + b"\r\nContent-Length: 0\r\n\r\n"
    answer = signed(sign_in(_after_challenge(data), tmp_path))
    assert (answer.completed, answer.is_in) == (False, False)
    assert isinstance(answer.answer, NotCollected)
    assert answer.answer.reason is Reason.MALFORMED


def test_a_huge_answer_is_cut(tmp_path: Path) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    answer = signed(sign_in(Site(schemes=("Basic",), page=lambda _leg: page), tmp_path, SignInScheme.BASIC))
    assert isinstance(answer.answer, HttpAnswer)
    assert (len(answer.answer.body), answer.answer.truncated) == (65536, True)


def test_a_name_without_an_address(tmp_path: Path) -> None:
    answer = sign_in(Site(), tmp_path, target=Target("not a name"))
    assert isinstance(answer, NotCollected)
    assert answer.layer is Layer.RESOLVE


@pytest.mark.parametrize("path", ["@evil.test/", "", "//evil.test\r\nX: 1", "/a\r\nX: 1", "https://evil.test/"])
def test_what_is_no_path_is_not_asked_for(tmp_path: Path, path: str) -> None:
    site = Site(schemes=("Basic",))
    found = run(site, tmp_path, lambda live: live.autodiscover(NAME, path, USER, SignInScheme.BASIC))
    assert isinstance(found, NotCollected)
    assert (found.reason, site.legs) == (Reason.MALFORMED, [])


def test_the_address_that_takes_connections_is_signed_in_to(tmp_path: Path) -> None:
    site = Site()

    async def all_of_it() -> None:
        async with peer(site, server_tls(tmp_path, server_certificate())) as here:
            resolved = Resolved(NAME, (f"127.0.0.1#{_closed()}", f"127.0.0.1#{here.port}"), given=True, seconds=0.0)
            visit = Visit(
                NAME,
                SignInScheme.NTLM,
                Credential(USER, Secret(PASSWORD), None, _no_kerberos, lambda: None, lambda: None),
                resolved=resolved,
                tls=verifying(trust()),
                seconds=5.0,
                limit=65536,
            )
            async with visit:
                answer = signed(await visit.sign_in(Request("GET", "/rpc/rpcproxy.dll")))
            assert (answer.is_in, answer.connections) == (True, 1)
            assert isinstance(answer.answer, HttpAnswer)
            assert answer.answer.address == f"127.0.0.1#{here.port}"

    asyncio.run(all_of_it())


async def _no_kerberos(_host: str, _bindings: object) -> None:
    return None


def _closed() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_no_more_than_so_many_at_one_host(tmp_path: Path) -> None:
    now, most = [0], [0]
    site = Site(schemes=("Basic",))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        try:
            await site(reader, writer)
        finally:
            now[0] -= 1

    async def ask(live: LiveAccount) -> None:
        assert (await live.prove((STRAIGHT,), (SignInScheme.BASIC,))).proof is Proof.SERVER
        turns = (Target(HOST, turn=turn) for turn in range(8))
        await asyncio.gather(*(live.sign_in(target, SignInAt.RPC, SignInScheme.BASIC) for target in turns))

    run(handler, tmp_path, ask, at_once_per_host=2)
    assert most[0] <= 2


# --- secrets ----------------------------------------------------------------------------------------------------------


def _echo(leg: Leg, secret: str) -> bytes:
    """A page that sends back all that it got, and cookies, as debugging proxies do."""
    told = "".join(f"{name}: {value}\n" for name, value in leg.headers.items())
    body = f"{told}{secret}".encode()
    return (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: MapiContext=Secret-Cookie-Value; path=/\r\nX-Echo: "
        + leg.headers.get("authorization", "").encode()
        + b"\r\nWWW-Authenticate: Negotiate b0RFVG9rZW5Ub2tlblRva2Vu\r\nX-ResponseCode: 0\r\nContent-Length: "
        + str(len(body)).encode()
        + b"\r\n\r\n"
        + body
    )


@pytest.mark.parametrize("scheme", list(SignInScheme))
def test_no_secret_stands_in_what_comes_back(tmp_path: Path, scheme: SignInScheme) -> None:
    secret = TOKEN if scheme is SignInScheme.BEARER else PASSWORD
    site = Site(schemes=("Negotiate", "NTLM", "Basic", "Bearer"), page=lambda leg: _echo(leg, secret))
    given = {"password": None, "token": Secret(TOKEN)} if scheme is SignInScheme.BEARER else {}

    async def ask(live: LiveAccount) -> list[object]:
        return [
            await live.prove((STRAIGHT,), (scheme,)),
            await live.sign_in(NAME, SignInAt.MAILBOX, scheme),
            await live.mapi(NAME, MapiEndpoint.MAILBOX, scheme, MAILBOX),
            await live.rpc_echo(NAME, scheme),
            await live.autodiscover(NAME, "/autodiscover/autodiscover.xml", USER, scheme),
        ]

    answers = run(site, tmp_path, ask, **given)
    shown = repr(answers)
    sent = {leg.headers["authorization"].partition(" ")[2] for leg in site.legs if "authorization" in leg.headers}
    for hidden in {secret, "Secret-Cookie-Value", "b0RFVG9rZW5Ub2tlblRva2Vu", *sent} - {""}:
        assert hidden not in shown
    assert "MapiContext=…" in shown
    assert "***" in shown


def test_settings_and_accounts_show_no_secret() -> None:
    given = settings({}, token=Secret(TOKEN))
    assert PASSWORD not in repr(given)
    assert TOKEN not in repr(given)


def test_challenges_keep_their_parameters(tmp_path: Path) -> None:
    offered = 'Bearer client_id="0000", trusted_issuers="x@y", NTLM'
    site = Site(schemes=(offered, 'Basic realm="mail"'))
    answer = signed(sign_in(site, tmp_path, SignInScheme.NEGOTIATE))
    assert isinstance(answer.answer, HttpAnswer)
    assert answer.answer.all("www-authenticate") == (offered, 'Basic realm="mail"')


SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=30)


@given(
    secret=SECRETS,
    before=st.text(max_size=20),
    cookie=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    scheme=st.sampled_from(["Negotiate", "NTLM", "Bearer"]),
    token=st.binary(min_size=6, max_size=60),
)
def test_whatever_comes_back_holds_no_secret(secret: str, before: str, cookie: str, scheme: str, token: bytes) -> None:
    encoded = b64encode(token).decode()
    headers = (
        ("set-cookie", f"{before}={cookie}; path=/"),
        ("www-authenticate", f"{scheme} {encoded}"),
        ("www-authenticate", f'Basic realm="x", {scheme} {encoded}, NTLM'),
        ("x-any", f"{before}{secret}"),
    )
    body = (before + secret).encode("utf-8", "replace")
    answer = HttpAnswer(
        NAME, "GET", "/", "127.0.0.1", 401, secret, "HTTP/1.1", headers, body, truncated=False, seconds=0
    )
    cleaned = clean(answer, [secret])
    assert secret not in cleaned.reason
    assert cleaned.headers[1] == ("www-authenticate", scheme)
    assert encoded not in cleaned.headers[2][1]
    assert cleaned.headers[0][1].endswith("=…")
    assert secret.encode() not in cleaned.body


# --- MAPI over HTTP ---------------------------------------------------------------------------------------------------


def _mapi(leg: Leg, **late: bytes) -> bytes | None:
    """A mailbox server: cookies with odd names, and a body in chunks where there is one."""
    kind = leg.headers.get("x-requesttype", "")
    if kind in late:
        return late[kind] or None
    cookies = b""
    if kind in ("Connect", "Bind"):
        cookies = b"Set-Cookie: odd.name!=first-cookie-value; path=/mapi\r\nSet-Cookie: X-BackEndCookie=0~second\r\n"
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\nX-RequestType: "
    begun = start + kind.encode() + b"\r\n" + cookies
    body = b"PROCESSING\r\nDONE\r\nX-ElapsedTime: 1\r\n\r\n" + b"\0" * 12
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (body[:12], body[12:]))
    return begun + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def converse(
    site: Site,
    folder: Path,
    endpoint: MapiEndpoint = MapiEndpoint.MAILBOX,
    mailbox: MapiMailbox = MAILBOX,
    **changes: Any,
) -> MapiConversation:
    found = run(site, folder, lambda live: live.mapi(NAME, endpoint, SignInScheme.NTLM, mailbox), **changes)
    assert isinstance(found, MapiConversation), found
    return found


@pytest.mark.parametrize(
    ("endpoint", "kinds"),
    [
        (MapiEndpoint.MAILBOX, ["PING", "Connect", "PING", "Disconnect"]),
        (MapiEndpoint.ADDRESS_BOOK, ["PING", "Bind", "PING", "Unbind"]),
    ],
)
def test_a_conversation(tmp_path: Path, endpoint: MapiEndpoint, kinds: list[str]) -> None:
    site = Site(page=_mapi)
    talk = converse(site, tmp_path, endpoint)
    assert [request.kind for request in talk.requests] == kinds
    assert [request.in_session for request in talk.requests] == [False, False, True, True]
    assert talk.path == f"{endpoint.value}?MailboxId={MAILBOX.mailbox_id}"
    assert site.connections == 1
    spoken = [leg for leg in site.legs if leg.outcome == "in"]
    assert [leg.headers["x-requesttype"] for leg in spoken] == kinds
    assert {leg.path for leg in spoken} == {talk.path}
    both = "odd.name!=first-cookie-value; X-BackEndCookie=0~second"
    assert [leg.headers.get("cookie") for leg in spoken] == [None, None, both, both]
    assert (DN.encode() in spoken[1].body) is (endpoint is MapiEndpoint.MAILBOX)
    assert [timed.step for timed in talk.timings] == list(Step)


@pytest.mark.parametrize(
    ("endpoint", "kinds"),
    [(MapiEndpoint.MAILBOX, ["PING"]), (MapiEndpoint.ADDRESS_BOOK, ["PING", "Bind", "PING", "Unbind"])],
)
def test_connect_needs_a_dn_and_bind_does_not(tmp_path: Path, endpoint: MapiEndpoint, kinds: list[str]) -> None:
    talk = converse(Site(page=_mapi), tmp_path, endpoint=endpoint, mailbox=MapiMailbox(None, None))
    assert ([request.kind for request in talk.requests], talk.path) == (kinds, endpoint.value)


def test_who_is_not_let_in_says_nothing(tmp_path: Path) -> None:
    talk = converse(Site(page=_mapi), tmp_path, password=WRONG)
    assert (talk.requests, talk.sign_in.is_in) == ((), False)


def test_a_server_that_asks_each_time_or_ends_connections_is_signed_in_to_again(tmp_path: Path) -> None:
    for site in (Site(page=_mapi, each_time=True), Site(page=_mapi, closes=frozenset({"in"}))):
        talk = converse(site, tmp_path)
        assert [request.kind for request in talk.requests] == ["PING", "Connect", "PING", "Disconnect"]
        assert all(isinstance(one.answer, HttpAnswer) and one.answer.status == 200 for one in talk.requests)


_NO_COOKIES = b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nContent-Length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-ResponseCode: 16\r\nContent-Length: 0\r\n\r\n"
_ENDLESS = (
    b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nSet-Cookie: MapiContext=half-a-session\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nC\r\nPROCESSING\r\n\r\n"
)


@pytest.mark.parametrize(
    ("late", "kinds"),
    [
        ({"Connect": _REFUSED}, ["PING", "Connect"]),
        ({"Connect": b""}, ["PING", "Connect"]),
        ({"Connect": _ENDLESS}, ["PING", "Connect", "Disconnect"]),
        ({"Connect": _NO_COOKIES}, ["PING", "Connect", "PING", "Disconnect"]),
        ({"PING": b""}, None),
        ({"Disconnect": b""}, ["PING", "Connect", "PING", "Disconnect"]),
        ({"Disconnect": _REFUSED}, ["PING", "Connect", "PING", "Disconnect"]),
    ],
    ids=["refused", "cut", "never done", "no cookies", "not let in", "farewell cut", "farewell refused"],
)
def test_a_session_that_was_opened_is_left(tmp_path: Path, late: dict[str, bytes], kinds: list[str] | None) -> None:
    site = Site(page=lambda leg: _mapi(leg, **late))
    talk = converse(site, tmp_path, timeout=SHORT if _ENDLESS in late.values() else 30)
    if kinds is None:
        assert talk.requests == ()
    else:
        assert [request.kind for request in talk.requests] == kinds


def test_an_error_within_the_session_does_not_keep_from_leaving(tmp_path: Path) -> None:
    site = Site()

    def page(leg: Leg) -> bytes | None:
        return None if leg.headers.get("cookie") and leg.headers["x-requesttype"] == "PING" else _mapi(leg)

    site.page = page
    talk = converse(site, tmp_path)
    assert [request.kind for request in talk.requests] == ["PING", "Connect", "PING", "Disconnect"]
    assert isinstance(talk.requests[2].answer, NotCollected)
    assert isinstance(talk.requests[3].answer, HttpAnswer)
    assert "first-cookie-value" in site.legs[-1].headers["cookie"]


def test_a_run_that_is_over_leaves_its_session(tmp_path: Path) -> None:
    site = Site()
    waiting = asyncio.Event()

    def page(leg: Leg) -> bytes | None:
        if leg.headers.get("cookie") and leg.headers["x-requesttype"] == "PING":
            waiting.set()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"  # and then nothing
        return _mapi(leg)

    site.page = page

    async def all_of_it() -> None:
        async with serving(site, tmp_path, timeout=60) as (live, _):
            asking = asyncio.ensure_future(live.mapi(NAME, MapiEndpoint.MAILBOX, SignInScheme.NTLM, MAILBOX))
            await waiting.wait()
            asking.cancel()
            await live.close()

    asyncio.run(all_of_it())
    assert site.legs[-1].headers["x-requesttype"] == "Disconnect"
    assert site.legs[-1].outcome == "in"


# --- RPC over HTTP, Autodiscover --------------------------------------------------------------------------------------


def test_the_echo_of_both_channels(tmp_path: Path) -> None:
    site = Site(page=lambda _leg: b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: 0\r\n\r\n")
    found = run(site, tmp_path, lambda live: live.rpc_echo(NAME, SignInScheme.NTLM))
    assert isinstance(found, RpcEcho)
    assert (found.in_channel.is_in, found.out_channel.is_in) == (True, True)
    spoken = [(leg.method, leg.path) for leg in site.legs if leg.outcome == "in"]
    assert spoken == [("RPC_IN_DATA", "/rpc/rpcproxy.dll"), ("RPC_OUT_DATA", "/rpc/rpcproxy.dll")]
    assert {leg.headers["user-agent"] for leg in site.legs} == {"MSRPC"}


def test_autodiscover_is_asked_as_outlook_asks(tmp_path: Path) -> None:
    site = Site(schemes=("Basic",))
    path = "/autodiscover/autodiscover.xml"
    found = signed(run(site, tmp_path, lambda live: live.autodiscover(NAME, path, USER, SignInScheme.BASIC)))
    last = site.legs[-1]
    assert (found.is_in, last.method, last.path, last.headers["x-mapihttpcapability"]) == (True, "POST", path, "1")
    assert last.headers["x-clientcanhandle"]
    assert last.headers["content-type"].startswith("text/xml")
    assert USER.encode() in last.body


# --- once, and to the end ---------------------------------------------------------------------------------------------


def test_what_is_asked_twice_at_once_is_sent_once(tmp_path: Path) -> None:
    site = Site(page=_mapi)

    async def ask(live: LiveAccount) -> None:
        one = await asyncio.gather(*(live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.NTLM) for _ in range(5)))
        talks = await asyncio.gather(
            *(live.mapi(NAME, MapiEndpoint.MAILBOX, SignInScheme.NTLM, MAILBOX) for _ in range(5))
        )
        assert len({id(answer) for answer in one}) == len({id(talk) for talk in talks}) == 1

    run(site, tmp_path, ask)
    assert site.connections == 2


def test_after_the_end_nothing_is_sent(tmp_path: Path) -> None:
    site = Site()

    async def ask(live: LiveAccount) -> SignedAnswer | NotCollected:
        await live.close()
        return await live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.NTLM)

    answer = run(site, tmp_path, ask)
    assert isinstance(answer, NotCollected)
    assert (answer.reason, site.legs) == (Reason.INTERRUPTED, [])


def test_a_sign_in_that_is_cut_off_by_the_end_leaves_no_socket(tmp_path: Path) -> None:
    async def hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.Event().wait()

    async def all_of_it() -> None:
        async with serving(hold, tmp_path, timeout=60) as (live, here):
            asking = asyncio.ensure_future(live.sign_in(NAME, SignInAt.MAILBOX, SignInScheme.NTLM))
            await _until(here)
            asking.cancel()

    asyncio.run(all_of_it())


async def _until(here: Peer) -> None:
    while not here.connections:
        await asyncio.sleep(0)
