"""Failures that no peer on loopback can bring about: told by their codes, as each platform gives them."""

from __future__ import annotations

import ssl

import pytest

from checker.answers import CmdletCall, Reason
from checker.powershell.failures import Next, Place, explain, one_line

PLACE = Place("ex01.contoso.test", 80, False, "/PowerShell/", "kerberos", "audit@CONTOSO.TEST", 30.0)


class CodedError(Exception):
    """An error as krb5, gssapi or Windows raise them."""

    def __init__(self, **codes: object) -> None:
        super().__init__("localised text")
        vars(self).update(codes)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("codes", "reason", "then", "words"),
    [
        ({"err_code": -1765328347}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "clocks"),
        ({"min_code": 2529638949}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "clocks"),
        ({"winerror": -2146893020}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "clocks"),
        ({"min_code": 2529638919}, Reason.SIGN_IN_UNAVAILABLE, Next.ANOTHER_SERVER, "HTTP/ex01.contoso.test"),
        ({"winerror": -2146893053}, Reason.SIGN_IN_UNAVAILABLE, Next.ANOTHER_SERVER, "HTTP/ex01.contoso.test"),
        ({"err_code": -1765328366}, Reason.SIGN_IN_FAILED, Next.NOTHING, "locked"),
        ({"err_code": -1765328361}, Reason.SIGN_IN_FAILED, Next.NOTHING, "has expired"),
        ({"winerror": -2146893044}, Reason.SIGN_IN_FAILED, Next.NOTHING, "does not try again"),
        ({"min_code": 2529638944}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "ticket has expired"),
        ({"err_code": -1765328228}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "no domain controller"),
        ({"winerror": -2146893042}, Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING, "no Kerberos ticket"),
    ],
)
def test_codes(codes: dict[str, object], reason: Reason, then: Next, words: str, wrapped: bool) -> None:
    error: Exception = CodedError(**codes)
    if wrapped:
        from spnego.exceptions import ErrorCode, SpnegoError

        base, error = error, SpnegoError(error_code=ErrorCode.failure)
        error.base_error = base
    failure = explain(error, PLACE)
    assert (failure.reason, failure.then) == (reason, then)
    assert words in failure.sentence
    assert "localised text" not in failure.sentence


def test_kerberos_is_not_installed() -> None:
    failure = explain(ImportError("GSSAPIProxy requires the Python gssapi library"), PLACE)
    assert (failure.reason, failure.then) == (Reason.SIGN_IN_UNAVAILABLE, Next.NOTHING)
    for words in ('pip install "mapiready[kerberos]"', "libkrb5-dev", "macOS"):
        assert words in failure.sentence


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "has expired"),
        (18, "self-signed"),
        (20, "does not trust"),
        (21, "intermediate"),
        (62, "does not name ex01.contoso.test"),
        (99, "cannot be verified"),
    ],
)
def test_certificates(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, "localised text")
    error.verify_code = code
    failure = explain(error, PLACE)
    assert (failure.reason, failure.then) == (Reason.UNTRUSTED_CERTIFICATE, Next.ANOTHER_SERVER)
    assert words in failure.sentence


@pytest.mark.parametrize("call", [None, CmdletCall.of("Get-OrganizationConfig")])
@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("x"), RecursionError(), KeyError("4"), MemoryError(), OSError(28, "No space"), EOFError()],
)
def test_whatever_it_is_there_is_a_sentence(error: Exception, call: CmdletCall | None) -> None:
    import dataclasses

    failure = explain(error, dataclasses.replace(PLACE, call=call))
    assert "ex01.contoso.test" in failure.sentence
    assert failure.sentence.endswith(".")


def test_a_chain_may_be_circular() -> None:
    one, two = ValueError("a"), KeyError("b")
    one.__context__, two.__context__ = two, one
    assert explain(one, PLACE).reason is Reason.NOT_EXCHANGE


def test_one_line() -> None:
    assert one_line("a\r\n\tb\x1b[31m\u202e  c") == "a b [31m c"
    assert len(one_line("x" * 10_000)) == 300
