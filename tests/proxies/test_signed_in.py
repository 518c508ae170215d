"""The test account through HAProxy: Extended Protection behind another certificate, and NTLM shared out by request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checker.results import Report, Status
from lab.organisation import RunningLab, start
from lab.scenario import load
from tests.lab_audit import audit_running, key
from tests.proxies.running import Front, back_ends, haproxy, through

MAIL = "mail.contoso.test"
BY_REQUEST = ("balance roundrobin", "option http-server-close", "http-reuse never")


@contextmanager
def organisation(*faults: str) -> Iterator[RunningLab]:
    """Healthy apart from the faults, now, and with a second certificate for the same names."""
    scenario = load("healthy")
    scenario = scenario.with_certificate(
        "balancer", replace(scenario.certificates["main"], not_after=timedelta(days=300))
    )
    with start(scenario, faults=faults, now=datetime.now(UTC)) as lab:
        yield lab


def front(lab: RunningLab, folder: Path, certificate: str) -> Front:
    pem = folder / "proxy.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(lab.identities[certificate].chain_pem + lab.identities[certificate].key_pem)
    return Front(folder, back_ends(lab), pem)


def failing(report: Report) -> dict[str, str]:
    bad = (Status.FAIL, Status.ERROR)
    return {key(finding): finding.summary for finding in report.findings if finding.status in bad}


def unexplained(report: Report) -> list[str]:
    """What nobody knows and no failing finding explains; the table of builds is older than today's organisation."""
    return [
        f"{key(finding)}: {finding.summary}"
        for finding in report.findings
        if finding.status is Status.UNKNOWN and finding.because is None and finding.check != "server-build-current"
    ]


@pytest.mark.parametrize("faults", [(), ("mapi-extended-protection:*",)], ids=["none", "Require"])
def test_the_same_certificate_lets_extended_protection_work(tmp_path: Path, faults: tuple[str, ...]) -> None:
    with organisation(*faults) as lab, haproxy(front(lab, tmp_path, "main")) as port:
        report = audit_running(lab, signed_in=True, resolve=through(lab, MAIL, port))
    assert failing(report) == {}
    assert unexplained(report) == []


def test_another_certificate_breaks_extended_protection_and_the_account_is_not_blamed(tmp_path: Path) -> None:
    with organisation("mapi-extended-protection:*") as lab, haproxy(front(lab, tmp_path, "balancer")) as port:
        report = audit_running(lab, signed_in=True, resolve=through(lab, MAIL, port))
    found = failing(report)
    directories = {f"vdir-extended-protection-certificate EX0{number}\\mapi (Default Web Site)" for number in (1, 2, 3)}
    assert set(found) == {f"signin-mapi {MAIL}", *directories}
    assert "Extended Protection" in found[f"signin-mapi {MAIL}"]
    assert unexplained(report) == []


def test_another_certificate_is_no_matter_without_extended_protection(tmp_path: Path) -> None:
    with organisation() as lab, haproxy(front(lab, tmp_path, "balancer")) as port:
        report = audit_running(lab, signed_in=True, resolve=through(lab, MAIL, port))
    assert failing(report) == {}
    assert unexplained(report) == []


def test_ntlm_shared_out_by_request_is_named(tmp_path: Path) -> None:
    with organisation() as lab:
        proxy = haproxy(front(lab, tmp_path, "main"), balancing=BY_REQUEST)
        with proxy as port:
            report = audit_running(lab, signed_in=True, resolve=through(lab, MAIL, port))
    found = failing(report)
    assert f"signin-mapi {MAIL}" in found
    assert "request" in found[f"signin-mapi {MAIL}"]
    assert "balanc" in found[f"signin-mapi {MAIL}"]
    assert unexplained(report) == []
