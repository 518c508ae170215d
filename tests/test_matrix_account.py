"""The detection matrix of what takes a test account: for every fault of sign-in, protocol and Autodiscover exactly the
expected findings, and what lies behind a failure points at it.

Whoever sends a credential verifies certificates by the real clock, so these run at the present; what the present alone
decides (how old the table of builds is, whose support has ended) is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from checker.answers import Reason
from checker.results import Category, Finding, Readiness, Report, Status
from lab.faults import ACCOUNT_FAULTS
from tests.lab_audit import audit, audit_signed_in, key

MAIL = "mail.contoso.test"
SERVERS = ("EX01", "EX02", "EX03")
OF_THE_DAY = {"server-build-current", "server-in-support"}
SIGN_IN = ("signin-mapi", "signin-mapi-each-scheme", "protocol-emsmdb", "protocol-nspi")
BEHIND_SIGN_IN = ("signin-mapi-each-scheme", "protocol-emsmdb", "protocol-nspi")
EVERY_CHECK = (*SIGN_IN, "signin-rpc", "protocol-rpc-echo")
BEHIND_AUTODISCOVER = ("autodiscover-urls-match", "autodiscover-only-mapi-http")


@dataclass(frozen=True)
class Row:
    """Faults, the findings that must fail and those that must be unknown ("check subject"); `said` is what the summary
    of one of the failures must say."""

    faults: tuple[str, ...]
    fails: frozenset[str]
    unknown: frozenset[str]
    said: str
    scenario: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " + ".join((self.scenario, *self.faults, *(f"{name}={value}" for name, value in self.options.items())))


def row(
    *faults: str,
    fails: Sequence[str] = (),
    unknown: Sequence[str] = (),
    said: str = "",
    scenario: str = "healthy",
    **options: Any,
) -> Row:
    return Row(faults, frozenset(fails), frozenset(unknown), said, scenario, options)


def of(subject: str, *checks: str) -> list[str]:
    return [f"{check} {subject}" for check in checks]


def both(*checks: str) -> list[str]:
    """The name, and the server to which the balancer leads us, each speaking for itself."""
    return [*of(MAIL, *checks), *of("EX01", *checks)]


def autodiscover(fault: str, fails: Sequence[str] = (), unknown: Sequence[str] = (), said: str = "") -> Row:
    return row(fault, fails=of("Fabrikam", *fails), unknown=of("Fabrikam", *unknown), said=said, scenario="enabled")


BY_NAME_FAILS: dict[str, Any] = {"fails": of(MAIL, "signin-mapi"), "unknown": of(MAIL, *BEHIND_SIGN_IN)}
TURNED_AWAY: dict[str, Any] = {"unknown": of("Contoso", *EVERY_CHECK)}
PROTOCOLS = ("protocol-emsmdb", "protocol-nspi")
OFFERS = "autodiscover-offers-mapi-http"

ROWS = [
    row(),
    row(scenario="enabled"),
    row(scenario="mixed"),
    # the account
    row("account-locks-after"),
    row(
        "account-mapi-disabled",
        fails=[
            *of(MAIL, "protocol-emsmdb"),
            *(f"protocol-emsmdb {server}" for server in SERVERS),
            "mailbox-mapi-disabled Contoso",
        ],
        said="MAPI is turned off for this mailbox",
    ),
    row("account-mapi-http-off", fails=["mailbox-overrides-off Contoso"]),
    row("account-mapi-http-on"),
    autodiscover("account-mapi-http-off", [OFFERS, "mailbox-overrides-off"]),
    # our own input is wrong: nothing fails
    row(account=r"CONTOSO\nobody", **TURNED_AWAY),
    # a server that turns away a good password cannot be told from a wrong one; nothing fails
    row("server-cannot-ask-domain", **TURNED_AWAY),
    # a 401 of the back end, which is asked only for somebody whom the front end has let in
    row(
        "mapi-back-end-refuses",
        fails=both("signin-mapi"),
        unknown=both(*BEHIND_SIGN_IN),
        said="by the server itself",
    ),
    # signing in
    row("proxy-balances-per-request", **BY_NAME_FAILS, said="the balancer chooses a server for each request"),
    row("proxy-asks-in-http-1-0", **BY_NAME_FAILS, said="does not keep a client on one connection"),
    row(
        "proxy-withholds-authorization",
        fails=of(MAIL, "signin-mapi", "signin-rpc"),
        unknown=of(MAIL, *BEHIND_SIGN_IN, "protocol-rpc-echo"),
        said="had been taken out",
    ),
    row("rpc-extended-protection-allow"),
    row("proxy-own-certificate"),
    row(
        "proxy-own-certificate",
        "mapi-extended-protection",
        fails=[
            *of(MAIL, "signin-mapi", "vdir-extended-protection-consistent"),
            r"vdir-extended-protection-certificate EX01\mapi (Default Web Site)",
        ],
        unknown=of(MAIL, *BEHIND_SIGN_IN),
        said="Extended Protection is on (Require)",
    ),
    row("proxy-mapi-login-page-after-sign-in", **BY_NAME_FAILS, said="a login page"),
    row(
        "certificate-self-signed",
        fails=[*of(MAIL, "cert-trusted"), "cert-trusted autodiscover.contoso.test"],
        unknown=of(MAIL, *EVERY_CHECK),
    ),
    row("proxy-nspi-403", fails=of(MAIL, "endpoint-mapi-challenge"), unknown=of(MAIL, "protocol-nspi")),
    # MAPI over HTTP
    row("mapi-ping-fails", fails=both(*PROTOCOLS), said="PING is answered with X-ResponseCode 1"),
    row("mapi-connect-fails", fails=both("protocol-emsmdb"), said="Connect is answered with X-ResponseCode 1"),
    row("mapi-connect-fails-late", fails=both("protocol-emsmdb"), said="told after DONE"),
    row("mapi-connect-refused", fails=both("protocol-emsmdb"), said="(ecAccessDenied)"),
    row("mapi-connect-status", fails=both("protocol-emsmdb"), said="StatusCode 1"),
    row("mapi-disconnect-fails"),
    row("mapi-bind-fails", fails=both("protocol-nspi"), said="Bind is answered with X-ResponseCode 1"),
    row("mapi-bind-fails-late", fails=both("protocol-nspi"), said="told after DONE"),
    row("mapi-bind-refused", fails=both("protocol-nspi"), said="(LogonFailed)"),
    row("mapi-bind-status", fails=both("protocol-nspi"), said="StatusCode 1"),
    row("mapi-unbind-fails"),
    row("mapi-endpoint-disabled"),  # before the switch that is no more than the switch
    row("mapi-nspi-disabled"),
    row("mapi-endpoint-disabled", "mapi-http-on", fails=both(*PROTOCOLS), said="(endpoint disabled)"),
    row("mapi-pending"),
    row("mapi-answers-without-done", fails=both(*PROTOCOLS), said="ends before DONE"),
    row(
        "mapi-answers-cut",
        fails=both("signin-mapi"),
        unknown=both(*BEHIND_SIGN_IN),
        said="does not answer once the credential was sent",
    ),
    row("mapi-sends-no-cookies", fails=both(*PROTOCOLS), said="the session has no cookies"),
    row("mapi-forgets-sessions", fails=both(*PROTOCOLS), said="(context not found)"),
    row("mapi-back-end-down", fails=both(*PROTOCOLS), said="500 from Exchange"),
    row("proxy-strips-cookies", fails=of(MAIL, *PROTOCOLS), said="the way to it is at fault"),
    row("proxy-strips-mapi-headers", fails=of(MAIL, *PROTOCOLS), said="the way to it is at fault"),
    row("proxy-withholds-mapi-headers", fails=of(MAIL, *PROTOCOLS), said="takes out headers that begin with X-"),
    # RPC over HTTP
    row("rpc-proxy-error", fails=of(MAIL, "protocol-rpc-echo"), said="EX01, asked straight, does not give it either"),
    row("proxy-rpc-verbs-403", fails=of(MAIL, "protocol-rpc-echo"), said="the method is not let through"),
    row("proxy-rpc-verbs-405", fails=of(MAIL, "protocol-rpc-echo"), said="405 from nginx"),
    row("proxy-rpc-verbs-dropped", fails=of(MAIL, "protocol-rpc-echo"), said="the way to it is at fault"),
    row(
        "proxy-rpc-503-after-sign-in",
        fails=of(MAIL, "endpoint-rpc-proxy", "protocol-rpc-echo"),
        said="503 from HAProxy, behind the sign-in",
    ),
    # Autodiscover
    autodiscover("autodiscover-basic-only"),
    autodiscover("autodiscover-lacks-mapi-http", [OFFERS]),
    autodiscover("autodiscover-tells-expr-beside", ["autodiscover-only-mapi-http"]),
    autodiscover("autodiscover-tells-other-host", ["autodiscover-urls-match"]),
    autodiscover("autodiscover-tells-http", ["autodiscover-urls-match"]),
    autodiscover("autodiscover-tells-other-path", ["autodiscover-urls-match"]),
    autodiscover("autodiscover-tells-no-mailbox"),
    autodiscover("autodiscover-error", unknown=[OFFERS, *BEHIND_AUTODISCOVER]),
    autodiscover("autodiscover-knows-nobody", unknown=[OFFERS, *BEHIND_AUTODISCOVER]),
    autodiscover("autodiscover-login-page-after-sign-in", [OFFERS], BEHIND_AUTODISCOVER, "a login page answers"),
    autodiscover("autodiscover-redirects-to-http", unknown=[OFFERS, *BEHIND_AUTODISCOVER]),
    autodiscover("autodiscover-redirects-elsewhere"),
    autodiscover("autodiscover-redirect-loop", [OFFERS], BEHIND_AUTODISCOVER, "without an end"),
    autodiscover("autodiscover-redirect-url", [OFFERS], BEHIND_AUTODISCOVER, "without an end"),
    autodiscover("autodiscover-redirect-url-to-http", unknown=[OFFERS, *BEHIND_AUTODISCOVER]),
    autodiscover("autodiscover-redirect-url-loop", [OFFERS], BEHIND_AUTODISCOVER, "without an end"),
    autodiscover("autodiscover-redirect-address"),
    autodiscover("autodiscover-by-srv"),
    autodiscover("autodiscover-by-http-redirect"),
]


def told(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{key(finding)}: {finding.summary}" for finding in findings)


def seen(report: Report, *statuses: Status) -> list[Finding]:
    return [f for f in report.findings if f.status in statuses and f.check not in OF_THE_DAY]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_exactly_the_expected_findings(case: Row) -> None:
    report = audit_signed_in(case.scenario, case.faults, **case.options)
    failing, unknown = seen(report, Status.FAIL, Status.ERROR), seen(report, Status.UNKNOWN)
    assert {key(finding) for finding in failing} == case.fails, told(failing)
    assert {key(finding) for finding in unknown} == case.unknown, told(unknown)
    assert any(case.said in finding.summary for finding in failing) or not case.said, told(failing)
    if failing:
        behind = [finding.because for finding in unknown]
        assert {f"{each.check} {each.subject.name}" for each in behind if each} <= case.fails
        assert None not in behind, told(unknown)
    account = [f for f in report.findings if f.category is Category.SIGN_IN]
    assert {finding.check for finding in account} == set(EVERY_CHECK)


def test_an_account_that_is_wrong_is_inconclusive_and_tells_it() -> None:
    report = audit_signed_in("healthy", account=r"CONTOSO\nobody")
    assert report.readiness is Readiness.INCONCLUSIVE
    (finding,) = [finding for finding in report.findings if finding.check == "signin-mapi"]
    assert finding.reason is Reason.SIGN_IN_FAILED
    assert "the user or the password is wrong" in finding.summary


def test_without_an_account_each_check_names_the_input_that_it_lacks() -> None:
    report = audit("healthy")
    account = [finding for finding in report.findings if finding.category is Category.SIGN_IN]
    assert {finding.check for finding in account} == set(EVERY_CHECK)
    assert len(account) == len(EVERY_CHECK)
    assert {(finding.status, finding.reason) for finding in account} == {(Status.NOT_RUN, Reason.NOT_GIVEN)}
    assert all("--mailbox" in finding.summary for finding in account)
    assert {"signin-mapi", "protocol-emsmdb", "protocol-nspi"} <= set(report.not_proven)


def test_every_fault_of_the_account_is_in_this_matrix() -> None:
    assert {fault.partition(":")[0] for case in ROWS for fault in case.faults} >= ACCOUNT_FAULTS
