"""The detection matrix: for every fault exactly the expected findings fail, and nothing is unknown without its cause.

The lab does not know what its faults must give; this table does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from checker.results import Finding, Readiness, Severity, Stage, Status
from lab.faults import ACCOUNT_FAULTS, FAULTS
from lab.scenario import Role, load, scenario_names
from tests.lab_audit import audit, key
from tests.test_matrix_directories import ROWS as DIRECTORY_ROWS
from tests.test_matrix_servers import ROWS as SERVER_ROWS

MAIL = "mail.contoso.test"
AUTODISCOVER = "autodiscover.contoso.test"
EX02_MAPI = r"EX02\mapi (Default Web Site)"


@dataclass(frozen=True)
class Row:
    """Faults, the findings that must fail ("check subject"), and the checks of those that must be unknown."""

    faults: tuple[str, ...]
    fails: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    scenario: str = "healthy"
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " + ".join((self.scenario, *self.faults))


def row(fault: str, fails: Sequence[str] = (), unknown: Sequence[str] = (), **more: Any) -> Row:
    return Row((fault,) if fault else (), frozenset(fails), frozenset(unknown), **more)


def of(subject: str, *checks: str) -> list[str]:
    return [f"{check} {subject}" for check in checks]


BY_NAME_BEHIND_TLS = (
    "cert-names-cover",
    "cert-name-only-in-cn",
    "cert-trusted",
    "cert-chain-complete",
    "cert-in-date",
    "cert-expires-soon",
    "cert-strong",
    "tls-1-2-offered",
    "tls-old-versions-refused",
)
COMPARED = ("endpoint-mapi-schemes", "endpoint-same-through-balancer", "endpoint-inactive-server-answers")
"""What is told by comparing the name with the servers behind it."""
MAPI_AND_RPC = (
    "endpoint-mapi-challenge",
    "endpoint-mapi-healthcheck",
    "endpoint-rpc-healthcheck",
    "endpoint-rpc-proxy",
    *COMPARED,
)
BEHIND_CONNECTING = (*BY_NAME_BEHIND_TLS, *MAPI_AND_RPC)
BOTH = (MAIL, AUTODISCOVER)


def both(check: str) -> list[str]:
    return [f"{check} {name}" for name in BOTH]


UNEQUAL = "vdir-mapi-authentication-consistent mail.contoso.test"
"""The servers behind the name offer different methods."""

EX02_UNREACHED = [
    "server-mapi-answers",
    "vdir-extended-protection-certificate",
    "vdir-extended-protection-consistent",
    "vdir-mapi-metabase-matches",
    "cert-bound-to-iis",
    "cert-same-on-all-servers",
    "cert-served-by-server",
    "endpoint-same-through-balancer",
]
"""What is not known when neither this machine nor the server that runs the cmdlets reaches EX02's web site."""

ROWS = [
    # the organisation
    row("mapi-http-off", ["org-mapi-http-enabled Fabrikam"], scenario="enabled", options={"stage": "verify"}),
    row("mapi-http-off", scenario="enabled"),  # auto: then it is the step that is prepared
    row("mapi-http-on"),
    row("mapi-http-setting-absent", [], ["org-mapi-http-enabled"], options={"stage": "verify"}),
    row("modern-authentication-on"),
    row("modern-authentication-off", scenario="enabled"),
    # servers
    row(
        "server-is-2013-cu3:EX03",
        of(
            "EX03",
            "server-supports-mapi-http",
            "server-mailbox-supports-mapi-http",
            "server-in-support",
            "server-build-current",
        ),
    ),
    row("server-is-2010:EX03", of("EX03", "server-in-support")),
    row("server-refused:EX02", [], EX02_UNREACHED),
    row("server-reset:EX02", [], EX02_UNREACHED),
    row("server-silent:EX02", [], EX02_UNREACHED, options={"timeout": 4}),
    row("server-plain-http:EX02", [], EX02_UNREACHED),
    row("server-in-maintenance:EX02", of("EX02", "server-mapi-answers", "server-mapi-components-active")),
    row("mapi-proxy-inactive:EX02", of("EX02", "server-mapi-answers", "server-mapi-components-active")),
    row("rpc-proxy-inactive:EX02", of("EX02", "server-rpc-component-active")),
    row("mapi-application-missing:EX02", of("EX02", "server-mapi-answers")),
    row("mapi-pool-stopped:EX02", of("EX02", "server-mapi-answers")),
    row("mapi-health-dropped:EX02", of("EX02", "server-mapi-answers")),
    row("rpc-application-missing:EX02", of(MAIL, "endpoint-same-through-balancer")),
    row("rpc-pool-stopped:EX02", of(MAIL, "endpoint-same-through-balancer")),
    row("rpc-open:EX02", of(MAIL, "endpoint-same-through-balancer")),
    row("mapi-self-test-failed:EX02", of("EX02", "connectivity-mapi-self-test")),
    row("mapi-self-test-timed-out:EX02", [], ["connectivity-mapi-self-test"]),
    row("mapi-self-test-unknown:EX02", [], ["connectivity-mapi-self-test"]),
    row("mapi-self-test-bare-name:EX02"),
    row("rpc-self-test-failed:EX02", of("EX02", "connectivity-rpc-self-test")),
    row("rpc-self-test-timed-out:EX02", [], ["connectivity-rpc-self-test"]),
    row("rpc-self-test-unknown:EX02", [], ["connectivity-rpc-self-test"]),
    row("rpc-self-test-bare-name:EX02"),
    # virtual directories
    row("mapi-directory-missing:EX02", of("EX02", "vdir-mapi-present", "server-mapi-answers")),
    row("mapi-directory-twice:EX02", of("EX02", "vdir-mapi-present")),
    row("mapi-internal-url-http:EX02", of(EX02_MAPI, "vdir-mapi-internal-url")),
    row("mapi-internal-url-ip:EX02", of(EX02_MAPI, "vdir-mapi-internal-url")),
    row("mapi-internal-url-port:EX02", of(EX02_MAPI, "vdir-mapi-internal-url")),
    row("mapi-internal-url-path:EX02", of(EX02_MAPI, "vdir-mapi-internal-url")),
    row("mapi-internal-url-missing:EX02", of(EX02_MAPI, "vdir-mapi-internal-url-missing")),
    row("mapi-internal-url-single-label:EX02", of(EX02_MAPI, "vdir-mapi-internal-url-missing")),
    row("mapi-urls-missing:EX02", of(EX02_MAPI, "vdir-mapi-internal-url")),
    row("mapi-external-url-http:EX02", of(EX02_MAPI, "vdir-mapi-external-url")),
    row("mapi-external-url-ip:EX02", of(EX02_MAPI, "vdir-mapi-external-url")),
    row("mapi-external-url-port:EX02", of(EX02_MAPI, "vdir-mapi-external-url")),
    row("mapi-external-url-path:EX02", of(EX02_MAPI, "vdir-mapi-external-url")),
    row("mapi-external-url-missing:EX02", of(EX02_MAPI, "vdir-mapi-external-url-missing")),
    row(
        "mapi-external-url-missing:MBX2",
        of(r"MBX2\mapi (Default Web Site)", "vdir-mapi-external-url"),
        scenario="enabled",  # the internal name is another one than the external
    ),
    row("mapi-external-url-single-label:EX02", of(EX02_MAPI, "vdir-mapi-external-url")),
    row("mapi-basic-only:EX02", [*of(EX02_MAPI, "vdir-mapi-authentication"), UNEQUAL]),
    row("mapi-oauth-only:EX02", [*of(EX02_MAPI, "vdir-mapi-authentication"), UNEQUAL]),
    row(
        "mapi-oauth-only:MBX2",  # modern authentication is on, so Outlook can use it
        [
            r"vdir-mapi-authentication-recommended MBX2\mapi (Default Web Site)",
            "vdir-mapi-authentication-consistent outlook.fabrikam.example",
            "vdir-mapi-authentication-consistent mail.fabrikam.example",
        ],
        scenario="enabled",
    ),
    row("mapi-negotiate-only:EX02", [*of(EX02_MAPI, "vdir-mapi-authentication-recommended"), UNEQUAL]),
    row(
        "mapi-authentication-unknown:EX02",
        [],
        [
            "vdir-mapi-authentication",
            "vdir-mapi-authentication-consistent",
            "vdir-mapi-authentication-recommended",
            "vdir-mapi-metabase-matches",
        ],
    ),
    row("mapi-extended-protection:*"),
    row("rpc-ssl-offloading:*"),
    row("rpc-external-hostname-missing:EX02", [r"oa-hostnames EX02\Rpc (Default Web Site)"]),
    row("nothing-published"),
    # names
    row(f"name-nxdomain:{MAIL}", of(MAIL, "name-resolves"), ["endpoint-reachable", *BEHIND_CONNECTING]),
    row(
        f"name-no-address:{AUTODISCOVER}",
        of(AUTODISCOVER, "name-resolves"),
        ["autodiscover-reachable", "endpoint-reachable", *BY_NAME_BEHIND_TLS],
    ),
    row(
        f"name-servfail:{AUTODISCOVER}",
        [],
        ["name-resolves", "autodiscover-reachable", "endpoint-reachable", *BY_NAME_BEHIND_TLS],
    ),
    row(f"name-refused:{MAIL}", of(MAIL, "endpoint-reachable"), BEHIND_CONNECTING),
    row(f"name-reset:{MAIL}", of(MAIL, "endpoint-reachable"), BEHIND_CONNECTING),
    row(f"name-silent:{MAIL}", of(MAIL, "endpoint-reachable"), BEHIND_CONNECTING, options={"timeout": 4}),
    row(f"name-plain-http:{MAIL}", of(MAIL, "endpoint-reachable"), BEHIND_CONNECTING),
    row("name-round-robin"),
    row(
        "name-leads-to:mail.litware.test=OLD10",
        [
            "endpoint-mapi-challenge mail.litware.test",
            "server-supports-mapi-http OLD10",
            "server-in-support OLD10",
        ],
        ["endpoint-mapi-healthcheck", *COMPARED],
        scenario="mixed",
    ),
    # reverse proxies
    row("proxy"),
    row("proxy-strips-headers"),  # a hardened site: nothing is wrong with it
    row("proxy-strips-challenge", of(MAIL, "endpoint-mapi-challenge", "endpoint-rpc-proxy"), COMPARED),
    row("proxy-offers-basic-only", of(MAIL, "endpoint-mapi-challenge"), COMPARED),
    *(
        row(fault, of(MAIL, "endpoint-mapi-challenge"), ["endpoint-mapi-healthcheck", *COMPARED])
        for fault in (
            "proxy-mapi-403",
            "proxy-mapi-404",
            "proxy-mapi-503",
            "proxy-mapi-httpsys-503",
            "proxy-mapi-login-redirect",
            "proxy-mapi-login-page",
        )
    ),
    row("proxy-mapi-basic-only", of(MAIL, "endpoint-mapi-challenge"), ["endpoint-mapi-healthcheck", *COMPARED]),
    row("proxy-nspi-403", of(MAIL, "endpoint-mapi-challenge")),
    row("proxy-mapi-health-403", of(MAIL, "endpoint-mapi-healthcheck")),
    row("proxy-mapi-health-other-body", of(MAIL, "endpoint-mapi-healthcheck")),
    row("proxy-mapi-health-dropped", of(MAIL, "endpoint-mapi-healthcheck")),
    row("proxy-rpc-health-403", of(MAIL, "endpoint-rpc-healthcheck")),
    row("proxy-rpc-health-other-body", of(MAIL, "endpoint-rpc-healthcheck")),
    row("proxy-rpc-health-dropped", of(MAIL, "endpoint-rpc-healthcheck")),
    row("proxy-rpc-404", of(MAIL, "endpoint-rpc-proxy")),
    row("proxy-rpc-open", of(MAIL, "endpoint-rpc-proxy")),
    # certificates
    row("certificate-lacks-name", of(AUTODISCOVER, "cert-names-cover")),
    row("certificate-wildcard"),
    row("certificate-wildcard-too-deep", of("mail.emea.contoso.test", "cert-names-cover")),
    row("certificate-name-only-in-cn", of(MAIL, "cert-name-only-in-cn")),
    row("certificate-self-signed", both("cert-trusted")),
    row("certificate-unknown-root", both("cert-trusted")),  # the server itself does not trust it either
    row("certificate-company-root", [], ["cert-trusted", "cert-chain-complete"]),
    row("certificate-wrong-usage", both("cert-trusted")),
    row("certificate-any-usage"),
    row("certificate-broken-signature", both("cert-trusted")),
    row("certificate-intermediate-not-sent", both("cert-chain-complete"), ["cert-trusted"]),
    row("certificate-with-root"),
    row("certificate-expired", both("cert-in-date")),
    row("certificate-not-yet-valid", both("cert-in-date")),
    row("certificate-expired-intermediate", both("cert-in-date")),
    row("certificate-expires-soon", both("cert-expires-soon")),
    row("certificate-rsa-2048"),
    row("certificate-rsa-1024", both("cert-strong")),
    row("certificate-sha1", both("cert-strong")),
    row("server-certificate-other:EX02", both("cert-same-on-all-servers")),
    *(
        row(
            f"server-certificate-{bad}:EX02",
            of("EX02", "cert-served-by-server"),
            ["cert-same-on-all-servers"],
        )
        for bad in ("expired", "self-signed", "lacks-names", "intermediate-not-sent")
    ),
    row("server-certificate-not-bound:EX02", of("EX02", "cert-bound-to-iis"), ["cert-same-on-all-servers"]),
    row("tls-old-versions:*", both("tls-old-versions-refused")),
    row("tls-old-versions-only:*", both("tls-1-2-offered")),
    # what a proxy or balancer changes
    row("proxy-strips-negotiate", of(MAIL, "endpoint-mapi-schemes")),
    row("proxy-adds-basic", of(MAIL, "endpoint-mapi-schemes")),
    row("proxy-rewrites-host", of(MAIL, "endpoint-same-through-balancer")),
    row("proxy-speaks-http-1-0", of(MAIL, "endpoint-same-through-balancer")),
    row("proxy-pins-health"),
    # Autodiscover
    *(row(f"{scp}:EX02", of("Berlin", "autodiscover-scp-names")) for scp in ("scp-http", "scp-ip", "scp-own-name")),
    row("scp-missing:EX02"),
    row("autodiscover-pool-stopped:*", of("Contoso", "autodiscover-reachable")),
    row("autodiscover-pool-stopped:EX02"),
    *(
        row(f"proxy-autodiscover-{page}:{AUTODISCOVER}", of("Contoso", "autodiscover-reachable"))
        for page in ("403", "login-page", "login-redirect")
    ),
    # faults that mask each other
    Row(
        ("proxy-pins-health", "mapi-proxy-inactive:EX02"),
        frozenset(
            [
                *of("EX02", "server-mapi-answers", "server-mapi-components-active"),
                *of(MAIL, "endpoint-inactive-server-answers"),
            ]
        ),
    ),
    Row(
        ("proxy", "server-certificate-expired:EX02"),
        frozenset(of("EX02", "cert-served-by-server")),
        frozenset({"cert-same-on-all-servers"}),
    ),
    Row(("name-round-robin", "mapi-pool-stopped:EX02"), frozenset(of("EX02", "server-mapi-answers"))),
    # remote PowerShell
    row("powershell-german"),
    row(
        "powershell-denies:Get-OrganizationConfig",
        [],
        [
            "org-mapi-http-enabled",
            "org-auth-certificate-valid",
            "org-authentication-policy",
            "org-modern-authentication-consistent",
            "mailbox-upn-matches-address",
            "mailbox-upn-matches-address-modern",
        ],
        options={"stage": "verify"},
    ),
    row(
        "powershell-denies:Test-OutlookConnectivity",
        [],
        ["connectivity-mapi-self-test", "connectivity-mapi-logon", "connectivity-rpc-self-test"],
    ),
]
"""What each fault must give."""

ABOUT_THE_SESSION = {
    "powershell-as-installed",
    "powershell-user-not-enabled",
    "powershell-throttled",
    "powershell-refused",
    "powershell-silent",
}
"""Faults after which nothing is known of the organisation; tests/test_session_faults.py is about them."""


RIGHTLY_TOLD = {"mixed": {"server-in-support OLD10"}}
"""What a healthy organisation is told all the same: in 2022 nobody supported Exchange 2010."""


def told(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{finding.status.value:8} {key(finding)}: {finding.summary}" for finding in findings)


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_exactly_the_expected_findings(case: Row) -> None:
    report = audit(case.scenario, case.faults, **case.options)
    bad = [finding for finding in report.findings if finding.status in (Status.FAIL, Status.ERROR)]
    unknown = [finding for finding in report.findings if finding.status is Status.UNKNOWN]
    assert {key(finding) for finding in bad} == case.fails, told(bad)
    assert {finding.check for finding in unknown} == case.unknown, told(unknown)
    if case.fails:  # what lies behind a failure points at it
        assert not [finding for finding in unknown if finding.because is None], told(unknown)
        causes = [finding.because for finding in unknown if finding.because]
        assert {f"{cause.check} {cause.subject.name}" for cause in causes} <= case.fails, told(unknown)


def test_every_fault_of_the_lab_is_in_the_matrix() -> None:
    faults = [fault for case in ROWS for fault in case.faults]
    faults += [fault for case in SERVER_ROWS for fault in case.faults]
    faults += [fault for case in DIRECTORY_ROWS for fault in case.faults]
    covered = {fault.partition(":")[0] for fault in faults}
    assert set(FAULTS) - ACCOUNT_FAULTS - covered == ABOUT_THE_SESSION


@pytest.mark.parametrize("scenario", sorted(set(scenario_names()) - {"broken", "large"}))
def test_a_healthy_organisation_has_no_failure_and_nothing_unknown(scenario: str) -> None:
    report = audit(scenario)
    wrong = [f for f in report.findings if f.status in (Status.FAIL, Status.ERROR, Status.UNKNOWN)]
    assert {key(finding) for finding in wrong} == RIGHTLY_TOLD.get(scenario, set()), told(wrong)
    assert report.readiness is Readiness.READY
    assert report.stage is (Stage.VERIFY if load(scenario).organisation.mapi_http_enabled else Stage.PREPARE)
    assert len(report.servers) == len([server for server in load(scenario).servers if Role.EDGE not in server.roles])


def test_the_broken_organisation_is_not_ready_for_many_reasons() -> None:
    report = audit("broken")
    assert report.readiness is Readiness.NOT_READY
    failing = {finding.check for finding in report.findings if finding.status is Status.FAIL}
    assert len(failing) >= 6
    assert any(f.severity is Severity.BLOCKER and f.status is Status.FAIL and f.remedy for f in report.findings)
