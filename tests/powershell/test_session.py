"""The live session against a real WSMan and PSRP peer: what is sent, by whom, how often, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from checker.answers import CmdletAnswer, CmdletCall, CmdletSpec, Layer, NotCollected, PSObject, PSValue, Reason
from checker.powershell.session import PowerShellSource
from checker.secrets import Secret
from checker.settings import Authentication, Scheme, SettingsError
from lab.powershell import Endpoint
from lab.scenario import Authentication as LabAuthentication
from lab.scenario import Scenario, Wire
from tests.kdc import Kdc
from tests.powershell.conftest import PASSWORD, USER, Start, Trust, source

T = TypeVar("T")

ORGANISATION = CmdletCall.of("Get-OrganizationConfig")
BASIC: dict[str, Any] = {"auth": Authentication.BASIC, "scheme": Scheme.HTTPS}


def used(asked: PowerShellSource, work: Callable[[PowerShellSource], Coroutine[Any, Any, T]], grace: float = 5.0) -> T:
    """What `work` gives; the source is closed afterwards."""

    async def run() -> T:
        try:
            return await work(asked)
        finally:
            await asked.close(grace)

    return asyncio.run(run())


def one(asked: PowerShellSource, call: CmdletCall = ORGANISATION) -> CmdletAnswer | NotCollected:
    return used(asked, lambda source: source.run(call))


def answer(given: CmdletAnswer | NotCollected) -> CmdletAnswer:
    assert isinstance(given, CmdletAnswer), given
    return given


def missing(given: CmdletAnswer | NotCollected) -> NotCollected:
    assert isinstance(given, NotCollected), given
    return given


def steps(endpoint: Endpoint) -> Counter[str]:
    return Counter(seen.step for seen in endpoint.journal if seen.step)


# --- signing in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "by", "encrypted"),
    [
        ({"auth": Authentication.NTLM}, "NTLM", True),
        ({"auth": Authentication.NEGOTIATE}, "NTLM", True),
        ({"auth": Authentication.NTLM, "scheme": Scheme.HTTPS}, "NTLM", False),
        (BASIC, "Basic", False),
    ],
)
def test_asks(start: Start, trust: Trust, options: dict[str, Any], by: str, encrypted: bool) -> None:
    endpoint = start()
    asked = source(endpoint, trust=trust, **options)
    given = answer(one(asked))
    (organisation,) = given.objects
    assert isinstance(organisation, PSObject)
    assert organisation.properties["MapiHttpEnabled"] is False
    assert (given.server, given.errors, given.warnings) == ("ex01.contoso.test", (), ())
    assert (asked.signed_in_by, asked.answered_by) == (by, "ex01.contoso.test")
    assert {seen.encrypted for seen in endpoint.journal if seen.step} == {encrypted}
    assert steps(endpoint)["create"] == steps(endpoint)["delete"] == 1
    assert endpoint.open_shells == 0


def test_a_fall_to_ntlm_is_told(start: Start) -> None:
    asked = source(start(), auth=Authentication.NEGOTIATE)
    answer(one(asked))
    assert asked.signed_in_by == "NTLM"
    assert "NTLM, not by Kerberos" in asked.notes[0]


@pytest.mark.parametrize("scheme", [Scheme.HTTP, Scheme.HTTPS])
@pytest.mark.parametrize("auth", [Authentication.KERBEROS, Authentication.NEGOTIATE])
@pytest.mark.parametrize("ticket", [True, False])
def test_kerberos(
    start: Start, scenario: Scenario, trust: Trust, kerberos: Kdc, scheme: Scheme, auth: Authentication, ticket: bool
) -> None:
    as_installed = frozenset({LabAuthentication.KERBEROS})
    powershell = replace(scenario.powershell, http=as_installed, https=as_installed)
    endpoint = start(replace(scenario, powershell=powershell))
    if ticket:
        kerberos.kinit("audit")
    user = None if ticket else kerberos.principal("audit")
    password = None if ticket else Secret(kerberos.passwords["audit"])
    asked = source(endpoint, trust=trust, auth=auth, scheme=scheme, user=user, password=password, sessions=2)

    async def twice(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        return await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(2)))

    for given in used(asked, twice):
        answer(given)
    assert asked.signed_in_by == "Kerberos"
    assert asked.notes == ()
    assert {seen.signed_in for seen in endpoint.journal if seen.step} == {"kerberos"}
    assert {seen.encrypted for seen in endpoint.journal if seen.step} == {scheme is Scheme.HTTP}
    assert endpoint.open_shells == 0


@pytest.mark.parametrize(
    ("user", "password", "server", "reason", "words"),
    [
        ("audit", "wrong", "ex01", Reason.SIGN_IN_FAILED, ["refused the password", "does not try again"]),
        ("nobody", "wrong", "ex01", Reason.SIGN_IN_FAILED, ["does not know nobody@CONTOSO.TEST"]),
        (None, None, "ex01", Reason.SIGN_IN_UNAVAILABLE, ["no Kerberos ticket", "kinit", "--user"]),
        ("audit", None, "other", Reason.SIGN_IN_UNAVAILABLE, ["no service HTTP/other.contoso.test", "setspn"]),
    ],
)
def test_kerberos_fails(
    start: Start,
    scenario: Scenario,
    kerberos: Kdc,
    user: str | None,
    password: str | None,
    server: str,
    reason: Reason,
    words: list[str],
) -> None:
    endpoint = start()
    who = kerberos.principal(user) if user else None
    secret = Secret(password or kerberos.passwords["audit"]) if user else None
    name = f"{server}.contoso.test"
    given = missing(
        one(
            source(
                endpoint,
                auth=Authentication.KERBEROS,
                user=who,
                password=secret,
                servers=(name,),
                resolve={(name, 80): ("127.0.0.1", endpoint.http_port)},
            )
        )
    )
    assert given.reason is reason
    assert all(word in given.sentence for word in words), given.sentence
    assert not steps(endpoint)


def test_no_domain_controller(start: Start, kerberos: Kdc) -> None:
    endpoint = start()
    given = missing(one(source(endpoint, auth=Authentication.KERBEROS, user="audit@ELSEWHERE.TEST")))
    assert given.reason is Reason.SIGN_IN_UNAVAILABLE
    assert "no domain controller" in given.sentence


def test_kerberos_never_becomes_ntlm(start: Start, scenario: Scenario, kerberos: Kdc) -> None:
    only_ntlm = replace(scenario.powershell, http=frozenset({LabAuthentication.NTLM}))
    endpoint = start(replace(scenario, powershell=only_ntlm), challenges=("NTLM",))
    given = missing(one(source(endpoint, auth=Authentication.KERBEROS, user=kerberos.principal("audit"))))
    assert given.reason is Reason.SIGN_IN_UNAVAILABLE
    assert "does not take Kerberos; it offers NTLM" in given.sentence
    assert not any(seen.offered.casefold() == "ntlm" for seen in endpoint.journal)


@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_a_rejected_sign_in_is_never_repeated(start: Start, trust: Trust, options: dict[str, Any]) -> None:
    first, second = start(), start(server="EX02")
    asked = source(first, second, trust=trust, password=Secret("wrong-Passw0rd"), **options)

    async def many(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        given = await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(8)))
        return [*given, await asked.run(ORGANISATION)]

    for given in used(asked, many):
        assert missing(given).reason is Reason.SIGN_IN_FAILED
        assert missing(given).layer is Layer.SESSION
        assert "refused the sign-in of CONTOSO\\audit" in missing(given).sentence
    scheme = options["auth"].value
    tries = [seen for seen in first.journal if seen.offered.casefold() in (scheme, "negotiate")]
    assert len(tries) == (1 if scheme == "basic" else 2)  # NTLM takes two messages
    assert second.journal == []


def test_a_scheme_that_is_not_offered(start: Start, scenario: Scenario, trust: Trust) -> None:
    only_basic = replace(scenario.powershell, https=frozenset({LabAuthentication.BASIC}))
    endpoint = start(replace(scenario, powershell=only_basic))
    given = missing(one(source(endpoint, trust=trust, scheme=Scheme.HTTPS)))
    assert given.reason is Reason.SIGN_IN_UNAVAILABLE
    assert "does not take NTLM; it offers Basic" in given.sentence


def test_not_enabled_for_remote_powershell(start: Start, scenario: Scenario) -> None:
    users = (replace(USER, remote_powershell=False),)
    first = start(replace(scenario, powershell=replace(scenario.powershell, users=users)))
    second = start(server="EX02")
    given = missing(one(source(first, second)))
    assert given.reason is Reason.NOT_ENABLED
    assert "RemotePowerShellEnabled" in given.sentence
    assert second.journal == []


# --- what may be sent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        CmdletCall.of("Set-OrganizationConfig", MapiHttpEnabled=True),
        CmdletCall.of("Get-Mailbox"),
        CmdletCall.of("Get-MapiVirtualDirectory", DomainController="dc1"),
        CmdletCall.of("Get-OrganizationConfig; Remove-Mailbox"),
    ],
)
def test_refuses_before_anything_is_sent(start: Start, call: CmdletCall) -> None:
    endpoint = start()
    given = missing(one(source(endpoint), call))
    assert given.reason is Reason.REFUSED_BY_TOOL
    assert "was not sent" in given.sentence
    assert endpoint.journal == []


@pytest.mark.parametrize("name", ["Set-Mailbox", "Remove-X", "Get-X; Remove-X", "getx", "Invoke-Command", ""])
def test_only_get_and_test_can_be_allowed(start: Start, name: str) -> None:
    with pytest.raises(ValueError, match="Get and Test alone"):
        source(start(), allowed=(CmdletSpec(name),))


def test_names_are_compared_as_powershell_does(start: Start) -> None:
    endpoint = start()
    call = CmdletCall.of("get-mapivirtualdirectory", server="EX02", adpropertiesonly=True)
    (directory,) = answer(one(source(endpoint), call)).objects
    assert isinstance(directory, PSObject)
    assert directory.text == "EX02\\mapi (Default Web Site)"
    methods = directory.properties["IISAuthenticationMethods"]
    assert isinstance(methods, PSObject)
    assert isinstance(methods.value, list)
    assert [method.text if isinstance(method, PSObject) else method for method in methods.value] == [
        "Ntlm",
        "OAuth",
        "Negotiate",
    ]
    assert endpoint.calls[0].parameters == {"Server": "EX02", "ADPropertiesOnly": True}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": Authentication.BASIC}, "clear text"),
        ({**BASIC, "user": None}, "--user"),
        ({"servers": ()}, "SERVER"),
        ({"sessions": 0}, "1 to 8"),
        ({"sessions": 9}, "1 to 8"),
    ],
)
def test_settings_that_cannot_be_used(start: Start, options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        source(start(), **options)


# --- what cmdlets say -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
@pytest.mark.parametrize(
    ("call", "reason", "words"),
    [
        (CmdletCall.of("Get-NoSuchCmdlet"), Reason.CMDLET_UNKNOWN, ["version", "role", "Get-ManagementRole"]),
        (
            CmdletCall.of("Get-MapiVirtualDirectory", NoSuchParameter="x"),
            Reason.PARAMETER_UNKNOWN,
            ["-NoSuchParameter", "version", "role"],
        ),
        (CmdletCall.of("Test-OutlookConnectivity"), Reason.CMDLET_ERROR, ["Test-OutlookConnectivity failed"]),
    ],
)
def test_terminating_errors(
    start: Start, scenario: Scenario, locale: str, call: CmdletCall, reason: Reason, words: list[str]
) -> None:
    endpoint = start(replace(scenario, powershell=replace(scenario.powershell, locale=locale)))

    async def then_another(asked: PowerShellSource) -> NotCollected:
        given = missing(await asked.run(call))
        answer(await asked.run(ORGANISATION))
        return given

    given = used(source(endpoint), then_another)
    assert (given.reason, given.layer) == (reason, Layer.CMDLET)
    assert all(word in given.sentence for word in words), given.sentence
    assert steps(endpoint)["create"] == 1, "the session goes on"


def test_a_cmdlet_without_the_right_to_it(start: Start, scenario: Scenario) -> None:
    users = (replace(USER, denied=("Get-OrganizationConfig",)),)
    given = missing(
        one(source(start(replace(scenario, powershell=replace(scenario.powershell, users=users)))), ORGANISATION)
    )
    assert given.reason is Reason.CMDLET_UNKNOWN


def test_errors_that_do_not_terminate(start: Start) -> None:
    given = answer(one(source(start()), CmdletCall.of("Get-MapiVirtualDirectory", Server="EX99")))
    (error,) = given.errors
    assert given.objects == ()
    assert error.category == "NotSpecified"
    assert "ManagementObjectNotFoundException" in error.error_id
    assert error.exception_types[0].endswith("ManagementObjectNotFoundException")
    assert "EX99" in error.message


def test_only_what_is_wanted_is_kept(start: Start) -> None:
    call = CmdletCall.of("Get-ExchangeServer")

    async def names(asked: PowerShellSource) -> CmdletAnswer | NotCollected:
        return await asked.run(call, keep=lambda value: value.text if isinstance(value, PSObject) else None)

    assert answer(used(source(start()), names)).objects == ("EX01", "EX02", "EX03")


def test_who_keeps_wrongly_gets_it_back(start: Start) -> None:
    def keep(_value: PSValue) -> PSValue:
        raise ZeroDivisionError("of the caller")

    async def wrongly_then_rightly(asked: PowerShellSource) -> None:
        with pytest.raises(ZeroDivisionError, match="of the caller"):
            await asked.run(CmdletCall.of("Get-ExchangeServer"), keep=keep)
        (organisation,) = answer(await asked.run(ORGANISATION)).objects
        assert isinstance(organisation, PSObject)

    endpoint = start()
    used(source(endpoint), wrongly_then_rightly)
    assert steps(endpoint)["create"] == 1


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_are_opened_as_there_is_work(start: Start) -> None:
    endpoint = start()

    async def one_after_the_other(asked: PowerShellSource) -> None:
        for _ in range(3):
            answer(await asked.run(ORGANISATION))

    used(source(endpoint), one_after_the_other)
    assert steps(endpoint)["create"] == 1
    assert endpoint.open_shells == 0


@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_many_cmdlets_share_few_sessions(start: Start, trust: Trust, options: dict[str, Any]) -> None:
    endpoint = start(cmdlet_latency=0.3)

    async def eight(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        calls = [CmdletCall.of("Get-MapiVirtualDirectory", Server=f"EX0{n % 3 + 1}") for n in range(8)]
        return await asyncio.gather(*(asked.run(call) for call in calls))

    began = time.monotonic()
    given = used(source(endpoint, trust=trust, **options), eight)
    assert time.monotonic() - began < 8 * 0.3
    for n, found in enumerate(given):
        (directory,) = answer(found).objects
        assert isinstance(directory, PSObject)
        assert directory.text == f"EX0{n % 3 + 1}\\mapi (Default Web Site)"
    assert steps(endpoint)["create"] == 4
    assert endpoint.open_shells == 0


def test_nobody_else_opens_before_the_first(start: Start) -> None:
    endpoint = start(faults=["create:1:slow:0.4"])

    async def many(asked: PowerShellSource) -> None:
        for given in await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(6))):
            answer(given)

    used(source(endpoint), many)
    order = [seen.step for seen in endpoint.journal if seen.step]
    assert order.index("receive") < order.index("create", 1)


def test_throttled_to_fewer_sessions(start: Start, scenario: Scenario) -> None:
    endpoint = start(replace(scenario, powershell=replace(scenario.powershell, sessions=2)), cmdlet_latency=0.1)
    asked = source(endpoint)

    async def many(asked: PowerShellSource) -> None:
        for given in await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(8))):
            answer(given)

    used(asked, many)
    assert "throttles" in asked.notes[0]
    assert len(asked.notes) == 1


def test_throttled_altogether(start: Start, scenario: Scenario) -> None:
    given = missing(one(source(start(replace(scenario, powershell=replace(scenario.powershell, sessions=0))))))
    assert given.reason is Reason.THROTTLED
    assert "--sessions" in given.sentence


# --- faults while opening ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        ("create:1:drop", Reason.RESET, ["ended the connection", "--scheme https"]),
        ("create:1:reset", Reason.RESET, ["ended the connection"]),
        ("create:1:hang:30", Reason.TIMED_OUT, ["does not answer within 1 s"]),
        ("create:1:slow:30", Reason.TIMED_OUT, ["does not answer within 1 s"]),
        ("receive:1:hang:30", Reason.TIMED_OUT, ["does not answer within 1 s"]),
        ("receive:1:drop", Reason.RESET, ["ended the connection"]),
        ("create:1:truncate", Reason.RESET, ["ended the connection"]),
        ("create:1:garbage", Reason.NOT_EXCHANGE, ["login page", "--path"]),
        ("create:1:relates-to", Reason.NOT_EXCHANGE, ["not as Exchange's"]),
        ("create:1:http:403", Reason.FORBIDDEN, ["HTTP 403"]),
        ("create:1:http:403:empty", Reason.FORBIDDEN, ["HTTP 403"]),
        ("create:1:http:404", Reason.NOT_EXCHANGE, ["HTTP 404", "--path"]),
        ("create:1:http:500", Reason.HTTP_ERROR, ["HTTP 500"]),
        ("create:1:http:503", Reason.HTTP_ERROR, ["HTTP 503", "application pool"]),
        ("create:1:http:503:empty", Reason.HTTP_ERROR, ["HTTP 503"]),
        ("create:1:http:429:empty", Reason.THROTTLED, ["HTTP 429"]),
        ("create:1:wsman:2150858811", Reason.NOT_EXCHANGE, ["not Exchange's", "/PowerShell/"]),
        ("create:1:wsman:2150859173", Reason.THROTTLED, ["--sessions"]),
        ("create:1:wsman:2150858793", Reason.TIMED_OUT, ["not ready in time"]),
        ("create:1:wsman:1234567", Reason.OTHER, ["1234567"]),
    ],
)
@pytest.mark.parametrize("second", [False, True])
def test_faults_while_opening(start: Start, fault: str, reason: Reason, words: list[str], second: bool) -> None:
    first = start(faults=[fault])
    endpoints = [first, start(server="EX02")] if second else [first]
    asked = source(*endpoints, timeout=1.0)
    began = time.monotonic()
    given = one(asked)
    assert time.monotonic() - began < 8
    if second:
        assert answer(given).server == "ex02.contoso.test"
        assert all(word in asked.notes[0] for word in words), asked.notes
        assert "ex02.contoso.test was asked instead" in asked.notes[0]
    else:
        assert missing(given).reason is reason
        assert missing(given).layer is Layer.SESSION
        assert all(word in missing(given).sentence for word in words), missing(given).sentence


@pytest.mark.parametrize(
    ("wire", "options", "reason", "words"),
    [
        (Wire.REFUSED, {}, Reason.REFUSED, ["refuses the connection", "--port"]),
        (Wire.RESET, {}, Reason.RESET, ["ended the connection"]),
        (Wire.SILENT, {}, Reason.TIMED_OUT, ["does not answer within 1 s"]),
        (Wire.SILENT, {"scheme": Scheme.HTTPS}, Reason.TIMED_OUT, ["within 1 s"]),
        (Wire.RESET, {"scheme": Scheme.HTTPS}, Reason.RESET, ["ended the connection"]),
        (Wire.PLAIN_HTTP, {"scheme": Scheme.HTTPS}, Reason.TLS_FAILED, ["does not speak TLS", "--scheme http"]),
    ],
)
def test_the_wire(
    start: Start,
    scenario: Scenario,
    trust: Trust,
    wire: Wire,
    options: dict[str, Any],
    reason: Reason,
    words: list[str],
) -> None:
    endpoint = start(replace(scenario, powershell=replace(scenario.powershell, wire=wire)))
    began = time.monotonic()
    given = missing(one(source(endpoint, trust=trust, timeout=1.0, **options)))
    assert time.monotonic() - began < 8
    assert given.reason is reason
    assert all(word in given.sentence for word in words), given.sentence


def test_http_spoken_to_the_port_of_https(start: Start) -> None:
    endpoint = start()
    name = ("ex01.contoso.test", 80)
    given = missing(one(source(endpoint, resolve={name: ("127.0.0.1", endpoint.https_port)})))
    assert given.reason in (Reason.RESET, Reason.HTTP_ERROR)
    assert "--scheme https" in given.sentence


def test_the_wrong_path(start: Start) -> None:
    given = missing(one(source(start(), path="/wrong/")))
    assert given.reason is Reason.NOT_EXCHANGE
    assert "http://ex01.contoso.test:80/wrong/ does not exist" in given.sentence


def test_a_name_that_does_not_resolve(start: Start) -> None:
    given = missing(one(source(start(), servers=("nowhere.invalid",), resolve={})))
    assert given.reason is Reason.NOT_RESOLVED
    assert "nowhere.invalid cannot be resolved" in given.sentence


def test_an_untrusted_certificate(start: Start) -> None:
    given = missing(one(source(start(), **BASIC)))
    assert given.reason is Reason.UNTRUSTED_CERTIFICATE
    assert "--ca-file" in given.sentence


def test_the_credential_does_not_go_to_another_name(start: Start, trust: Trust) -> None:
    endpoint = start()
    asked = source(
        endpoint,
        trust=trust,
        servers=("other.contoso.test",),
        resolve={("other.contoso.test", 443): ("127.0.0.1", endpoint.https_port)},
        **BASIC,
    )
    given = missing(one(asked))
    assert given.reason is Reason.UNTRUSTED_CERTIFICATE
    assert "does not name other.contoso.test" in given.sentence
    assert endpoint.journal == []


def test_all_servers_fail(start: Start, scenario: Scenario) -> None:
    refused = replace(scenario, powershell=replace(scenario.powershell, wire=Wire.REFUSED))
    given = missing(one(source(start(refused), start(server="EX02", faults=["create:*:http:404"]))))
    assert given.reason is Reason.NOT_EXCHANGE
    assert "ex01.contoso.test:80 refuses" in given.sentence
    assert "ex02.contoso.test:80/PowerShell/ does not exist" in given.sentence


# --- faults in mid-run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "command:2:drop",
        "command:2:reset",
        "command:2:http:503",
        "command:2:wsman:2150858843",
        "receive:3:drop",
        "receive:3:reset",
        "receive:3:truncate",
        "receive:3:http:500",
        "receive:3:wsman:2150858843",
    ],
)
@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_the_next_server_takes_over(start: Start, trust: Trust, fault: str, options: dict[str, Any]) -> None:
    first, second = start(faults=[fault]), start(server="EX02")
    asked = source(first, second, trust=trust, sessions=1, timeout=2.0, **options)

    async def two(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        return [await asked.run(ORGANISATION) for _ in range(2)]

    before, after = used(asked, two)
    assert (answer(before).server, answer(after).server) == ("ex01.contoso.test", "ex02.contoso.test")
    assert asked.answered_by == "ex02.contoso.test"
    assert len(asked.notes) == 1
    assert "ex02.contoso.test took over" in asked.notes[0]
    assert (len(second.calls), first.open_shells, second.open_shells) == (1, 0, 0)


def test_the_only_server_gets_a_second_chance(start: Start) -> None:
    endpoint = start(faults=["receive:2:drop"])
    asked = source(endpoint)
    assert answer(one(asked)).server == "ex01.contoso.test"
    assert "A new session was opened" in asked.notes[0]
    assert endpoint.open_shells == 0


def test_a_cmdlet_is_sent_again_once(start: Start) -> None:
    endpoint = start(faults=["command:*:drop"])
    asked = source(endpoint, sessions=1)
    given = missing(one(asked))
    assert (given.reason, given.layer) == (Reason.RESET, Layer.SESSION)
    assert steps(endpoint)["command"] == 2


def test_a_server_that_loses_all_sessions_is_given_up(start: Start) -> None:
    endpoint = start(faults=["command:*:drop"])
    asked = source(endpoint)

    async def many(asked: PowerShellSource) -> None:
        for given in [await asked.run(ORGANISATION) for _ in range(6)]:
            assert missing(given).reason is Reason.RESET

    used(asked, many)
    assert steps(endpoint)["command"] <= 4


@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_a_server_dies_under_many_cmdlets(start: Start, trust: Trust, options: dict[str, Any]) -> None:
    first, second = start(faults=["any:12+:reset"], cmdlet_latency=0.2), start(server="EX02")
    asked = source(first, second, trust=trust, **options)

    async def dying(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        return await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(8)))

    given = used(asked, dying)
    assert {answer(found).server for found in given} <= {"ex01.contoso.test", "ex02.contoso.test"}
    assert asked.answered_by == "ex02.contoso.test"
    moved = [note for note in asked.notes if note.endswith(("ex02.contoso.test took over.", "was asked instead."))]
    assert len(moved) == 1, asked.notes
    assert second.open_shells == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("receive:2:garbage", Reason.MALFORMED),
        ("receive:2:relates-to", Reason.MALFORMED),
        ("receive:2:wsman:1234567", Reason.OTHER),
        ("receive:2:http:403", Reason.FORBIDDEN),
    ],
)
def test_other_faults_cost_their_cmdlet(start: Start, fault: str, reason: Reason) -> None:
    endpoint = start(faults=[fault])

    async def two(asked: PowerShellSource) -> None:
        assert missing(await asked.run(ORGANISATION)).reason is reason
        answer(await asked.run(ORGANISATION))

    if reason is Reason.FORBIDDEN:
        given = one(source(endpoint))
        assert answer(given).server == "ex01.contoso.test"
        return
    used(source(endpoint, sessions=1), two)
    assert endpoint.open_shells == 0


def test_a_credential_that_is_refused_in_mid_run_is_not_sent_again(start: Start, trust: Trust) -> None:
    endpoint = start(faults=["command:2:http:401"])
    asked = source(endpoint, trust=trust, sessions=1, **BASIC)

    async def three(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        return [await asked.run(ORGANISATION) for _ in range(3)]

    first, *others = used(asked, three)
    answer(first)
    assert {missing(given).reason for given in others} == {Reason.SIGN_IN_FAILED}
    assert (steps(endpoint)["create"], steps(endpoint)["command"]) == (1, 2)


def test_a_sign_in_that_the_server_forgot_is_renewed_once(start: Start) -> None:
    endpoint = start(faults=["command:2:http:401"])
    asked = source(endpoint, sessions=1)

    async def three(asked: PowerShellSource) -> None:
        for _ in range(3):
            answer(await asked.run(ORGANISATION))

    used(asked, three)
    assert steps(endpoint)["create"] == 2
    assert "A new session was opened" in asked.notes[0]


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_a_slow_cmdlet_is_stopped(start: Start, trust: Trust, options: dict[str, Any]) -> None:
    endpoint = start(cmdlet_latency={"Get-ExchangeServer": 30.0})

    async def slow_then_fast(asked: PowerShellSource) -> tuple[NotCollected, float]:
        answer(await asked.run(ORGANISATION))
        began = time.monotonic()
        given = missing(await asked.run(CmdletCall.of("Get-ExchangeServer")))
        took = time.monotonic() - began
        answer(await asked.run(ORGANISATION))
        return given, took

    given, took = used(source(endpoint, trust=trust, sessions=1, timeout=1.0, **options), slow_then_fast)
    assert given.reason is Reason.TIMED_OUT
    assert "Get-ExchangeServer did not end within 1 s" in given.sentence
    assert 0.9 < took < 3.2
    assert steps(endpoint)["create"] == 1, "the session was kept"
    assert steps(endpoint)["signal"] >= 3, "the cmdlet was stopped"
    assert endpoint.open_shells == 0


@pytest.mark.parametrize(
    "fault", ["receive:2:hang:30", "command:1:hang:30", "receive:2:slow:30", "receive:2+:hang:30", "signal:*:hang:30"]
)
@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_a_hang_costs_no_more_than_the_deadline(
    start: Start, trust: Trust, fault: str, options: dict[str, Any]
) -> None:
    endpoint = start(faults=[fault])

    async def hanging(asked: PowerShellSource) -> tuple[CmdletAnswer | NotCollected, float]:
        began = time.monotonic()
        given = await asked.run(ORGANISATION)
        return given, time.monotonic() - began

    asked = source(endpoint, trust=trust, timeout=1.0, **options)
    given, took = used(asked, hanging)
    if fault.startswith("signal"):
        answer(given)  # the objects had come
    else:
        assert missing(given).reason is Reason.TIMED_OUT
    assert took < 3.5


def test_a_hang_costs_one_cmdlet(start: Start) -> None:
    endpoint = start(faults=["receive:3:hang:30"])

    async def three(asked: PowerShellSource) -> list[CmdletAnswer | NotCollected]:
        return [await asked.run(ORGANISATION) for _ in range(3)]

    first, second, third = used(source(endpoint, sessions=1, timeout=1.0), three)
    answer(first)
    assert missing(second).reason is Reason.TIMED_OUT
    answer(third)


def test_cancelling_stops_the_cmdlet(start: Start) -> None:
    endpoint = start(cmdlet_latency={"Get-ExchangeServer": 60.0})

    async def cancelled(asked: PowerShellSource) -> float:
        work = asyncio.create_task(asked.run(CmdletCall.of("Get-ExchangeServer")))
        while not endpoint.calls:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        while endpoint.open_shells:
            await asyncio.sleep(0.01)
        answer(await asked.run(ORGANISATION))
        return time.monotonic() - began

    assert used(source(endpoint, sessions=1, timeout=60.0), cancelled) < 3


def test_closing_takes_no_longer_than_its_grace(start: Start) -> None:
    endpoint = start(faults=["delete:*:hang:30"])
    asked = source(endpoint, timeout=20.0)

    async def run() -> float:
        answer(await asked.run(ORGANISATION))
        began = time.monotonic()
        await asked.close(0.5)
        return time.monotonic() - began

    assert asyncio.run(run()) < 1.5
    assert "may be left on ex01.contoso.test" in asked.notes[-1]


def test_abandoning_ends_everything_at_once(start: Start) -> None:
    endpoint = start(cmdlet_latency=60.0)
    asked = source(endpoint, timeout=60.0)

    async def run() -> tuple[list[CmdletAnswer | NotCollected], float]:
        work = [asyncio.create_task(asked.run(ORGANISATION)) for _ in range(6)]
        while len(endpoint.calls) < 4:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        asked.abandon()
        given = await asyncio.gather(*work)
        await asked.close(3)
        return given, time.monotonic() - began

    given, took = asyncio.run(run())
    assert took < 4
    assert {missing(found).reason for found in given} <= {Reason.INTERRUPTED, Reason.TIMED_OUT}
    assert endpoint.open_shells == 0


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [(), ("receive:2:garbage",), ("command:1:drop",), ("create:1:http:500",)])
@pytest.mark.parametrize("options", [{"auth": Authentication.NTLM}, BASIC])
def test_the_password_shows_nowhere(
    start: Start,
    trust: Trust,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    faults: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    import base64

    caplog.set_level(logging.DEBUG)
    canaries = (PASSWORD, base64.b64encode(f"{USER.name}:{PASSWORD}".encode()).decode())
    asked = source(start(faults=faults), trust=trust, timeout=2.0, **options)
    given = one(asked)
    out, err = capfd.readouterr()
    shown = [repr(given), str(given), *asked.notes, repr(asked), caplog.text, out, err, repr(Secret(PASSWORD))]
    shown += [str(record.__dict__) for record in caplog.records]
    assert not [text for text in shown if any(canary in text for canary in canaries)]
    assert not any(record.name.startswith(("pypsrp", "spnego")) for record in caplog.records)


def test_the_settings_do_not_show_the_password(start: Start) -> None:
    asked = source(start())
    assert PASSWORD not in repr(vars(asked))
    with pytest.raises(TypeError, match="not written down"):
        __import__("pickle").dumps(Secret(PASSWORD))
    assert (Secret("a") == Secret("a"), Secret("a") == Secret("b"), f"{Secret('a')}") == (True, False, "***")


# --- the process ------------------------------------------------------------------------------------------------------


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'pypsrp', 'requests', 'spnego', 'cryptography', 'psrpcore', 'truststore', 'urllib3'}"
    code = f"import sys, checker.powershell.session; print({heavy} & set(sys.modules))"
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_proxies_of_the_environment_are_not_used(start: Start) -> None:
    endpoint = start()
    before = {name: os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY")}
    os.environ.update(dict.fromkeys(before, "http://127.0.0.1:1"))
    try:
        answer(one(source(endpoint)))
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def test_no_socket_is_left(start: Start) -> None:
    endpoint = start(faults=["receive:4:drop"])

    async def some(asked: PowerShellSource) -> None:
        await asyncio.gather(*(asked.run(ORGANISATION) for _ in range(6)))

    used(source(endpoint), some)
    gc.collect()  # an unclosed socket is a ResourceWarning, which is an error here
    assert endpoint.open_shells == 0
