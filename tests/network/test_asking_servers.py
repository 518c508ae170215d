"""The live network at the lab: one server behind a name, versions of TLS, several turns, Autodiscover."""

import asyncio
import ssl
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server, socket

import pytest

from checker.answers import Handshake, HttpAnswer, NotCollected, Offer, Reason, Target, TlsVersion
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_resolve
from checker.network.tls import speaks
from lab.organisation import RunningLab, start
from tests.factories_network import issue

MAIL = "mail.contoso.test"
AUTODISCOVER = "autodiscover.contoso.test"


def ask(
    resolve: dict[tuple[str, int], tuple[str, int | None]],
    question: Callable[[LiveNetwork], Awaitable[object]],
    able: Callable[[TlsVersion], bool] = speaks,
) -> object:
    async def run() -> object:
        network = LiveNetwork(NetworkSettings(resolve=resolve, timeout=5), able)
        try:
            return await question(network)
        finally:
            await network.close()

    return asyncio.run(run())


def at(lab: RunningLab) -> dict[tuple[str, int], tuple[str, int | None]]:
    return dict(parse_resolve(entry) for entry in lab.resolve)


def versions(resolve: dict[tuple[str, int], tuple[str, int | None]], target: Target) -> dict[TlsVersion, bool]:
    async def all_of_them(network: LiveNetwork) -> dict[TlsVersion, bool]:
        found = {}
        for version in TlsVersion:
            offer = await network.offers(target, version)
            assert isinstance(offer, Offer), offer
            found[version] = offer.accepted
        return found

    found = ask(resolve, all_of_them)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        (None, {TlsVersion.TLS_1_2, TlsVersion.TLS_1_3}),
        ("tls-old-versions:*", set(TlsVersion)),
        ("tls-old-versions-only:*", {TlsVersion.TLS_1_0, TlsVersion.TLS_1_1}),
    ],
)
def test_versions_of_tls(fault: str | None, accepted: set[TlsVersion]) -> None:
    with start("healthy", faults=[fault] if fault else [], powershell=False) as lab:
        found = versions(at(lab), Target(MAIL))
    assert {version for version, taken in found.items() if taken} == accepted


def test_a_version_left_out_between_two_is_told_by_what_the_server_chooses(tmp_path: Path) -> None:
    with listening_without_1_1(tmp_path) as port:
        found = versions({(MAIL, 443): ("127.0.0.1", port)}, Target(MAIL))
    assert not found[TlsVersion.TLS_1_1]
    assert found[TlsVersion.TLS_1_0]


def test_what_this_machine_cannot_speak_is_not_the_servers_refusal() -> None:
    with start("healthy", powershell=False) as lab:
        found = ask(
            at(lab),
            lambda network: network.offers(Target(MAIL), TlsVersion.TLS_1_0),
            able=lambda version: version is not TlsVersion.TLS_1_0,
        )
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_SUPPORTED_HERE
    assert "TLS 1.0" in found.sentence


def test_this_machine_speaks_today_s_versions() -> None:
    assert speaks(TlsVersion.TLS_1_2)
    assert speaks(TlsVersion.TLS_1_3)


def test_one_server_behind_a_name_is_asked_by_that_name() -> None:
    with start("healthy", faults=["server-certificate-other:EX02"], powershell=False) as lab:
        target = Target(MAIL, via="ex02.contoso.test")

        async def both(network: LiveNetwork) -> tuple[object, ...]:
            return (
                await network.handshake(Target(MAIL)),
                await network.handshake(target),
                await network.get(target, "/rpc/rpcproxy.dll"),
            )

        answers = ask(at(lab), both)
    assert isinstance(answers, tuple)
    by_name, straight, page = answers
    assert isinstance(by_name, Handshake)
    assert isinstance(straight, Handshake)
    assert by_name.certificates[0] != straight.certificates[0]
    assert isinstance(page, HttpAnswer)
    assert page.first("x-feserver") == "EX02"
    assert f'Basic realm="{MAIL}"' in page.all("www-authenticate")  # the Host that the server was asked for


def test_each_turn_is_a_connection_of_its_own() -> None:
    with start("healthy", faults=["name-round-robin"], powershell=False) as lab:

        async def turns(network: LiveNetwork) -> set[str | None]:
            answers = [await network.get(Target(MAIL, turn=turn), "/mapi/emsmdb/") for turn in range(1, 4)]
            return {answer.first("x-feserver") for answer in answers if isinstance(answer, HttpAnswer)}

        assert ask(at(lab), turns) == {"EX01", "EX02", "EX03"}


def test_autodiscover_is_asked_by_post_without_credentials() -> None:
    with start("healthy", powershell=False) as lab:
        answer = ask(at(lab), lambda network: network.autodiscover(Target(AUTODISCOVER)))
        seen = lab.web_journal.entries[-1]
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.method) == (401, "POST")
    assert (seen.method, seen.path) == ("POST", "/autodiscover/autodiscover.xml")
    assert seen.authorization is None


@contextmanager
def listening_without_1_1(folder: Path) -> Iterator[int]:
    """A TLS server with 1.0 and 1.2, but not 1.1."""
    own = issue()
    pem = folder / "own.pem"
    pem.write_bytes(own.key_pem + own.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # an old server is what is wanted
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(pem)
    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(2)
            thread.join(10)


def serve(listener: socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                continue  # a version that is not accepted
