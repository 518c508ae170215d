"""NTLM of the lab's web sites: the example of [MS-NLMP], and that nothing it is sent breaks it."""

from __future__ import annotations

import struct

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st
from spnego.channel_bindings import GssChannelBindings

from lab.ntlm import SIGNATURE, NtlmAcceptor, proof_in

PASSWORDS = {"CONTOSO\\user1": "Lab-Pässw0rd", "user1@contoso.test": "Lab-Pässw0rd"}


def acceptor() -> NtlmAcceptor:
    return NtlmAcceptor("contoso.test", "ex01.contoso.test", PASSWORDS.get)


def exchange(user: str, password: str, **changes: object) -> tuple[NtlmAcceptor, bytes]:
    client = spnego.client(user, password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm, **changes)  # type: ignore[arg-type]
    server = acceptor()
    last = client.step(server.step(client.step() or b""))
    assert last is not None
    return server, last


@pytest.mark.parametrize("user", sorted(PASSWORDS))
def test_pyspnego_is_let_in(user: str) -> None:
    server, last = exchange(user, PASSWORDS[user])
    assert server.step(last) is None
    assert (server.complete, server.client_principal) == (True, user)


def test_what_it_is_bound_to_can_be_read() -> None:
    _, unbound = exchange("CONTOSO\\user1", "x")
    _, bound = exchange("CONTOSO\\user1", "x", channel_bindings=GssChannelBindings(application_data=b"here"))
    assert [len(proof.bindings) for proof in (proof_in(unbound), proof_in(bound)) if proof] == [0, 16]


@pytest.mark.parametrize(("user", "password"), [("CONTOSO\\user1", "wrong"), ("CONTOSO\\nobody", "Lab-Pässw0rd")])
def test_others_are_refused(user: str, password: str) -> None:
    server, last = exchange(user, password)
    with pytest.raises(ValueError, match=r"proof"):
        server.step(last)
    assert not server.complete


def test_a_message_that_was_changed_is_refused() -> None:
    server, last = exchange("CONTOSO\\user1", PASSWORDS["CONTOSO\\user1"])
    flags = bytearray(last)
    flags[60] ^= 0x20
    with pytest.raises(ValueError, match="changed on their way"):
        server.step(bytes(flags))


def test_the_proof_of_one_challenge_is_none_of_another() -> None:
    server, last = exchange("CONTOSO\\user1", PASSWORDS["CONTOSO\\user1"])
    server.step(last)
    with pytest.raises(ValueError, match="due"):
        server.step(last)
    other = acceptor()
    other.step(SIGNATURE + struct.pack("<II", 1, 0xE2088297) + bytes(16))
    with pytest.raises(ValueError, match="proof"):
        other.step(last)


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_nothing_breaks_it(first: bytes, second: bytes) -> None:
    for begun in (first, SIGNATURE + struct.pack("<I", 1) + first):
        server = acceptor()
        try:
            server.step(begun)
            server.step(SIGNATURE + struct.pack("<I", 3) + second)
        except ValueError:
            assert not server.complete
        else:
            pytest.fail("nobody gave a proof")
