"""The test account against a real KDC: a ticket, a password, and what may be wrong with either, each named rightly."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.audit import audit_organisation
from checker.password import AccountCredential
from checker.results import Finding, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from lab.journal import Seen
from lab.organisation import RunningLab, start
from tests.kdc import Kdc
from tests.lab_audit import settings_for

SIGN_IN = ("signin-mapi", "signin-rpc", "protocol-emsmdb", "protocol-nspi")


@pytest.fixture
def lab() -> Iterator[RunningLab]:
    with start("healthy", now=datetime.now(UTC)) as running:
        yield running


def audited(lab: RunningLab, credential: AccountCredential, **options: object) -> Report:
    def emit(_report: Report) -> tuple[Path, ...]:
        return ()

    settings = settings_for(lab, mailbox=lab.account.address, **options)
    return audit_organisation(settings, Secret(lab.password), NoProgress(), emit, credential=credential).report


def is_site(seen: Seen) -> bool:
    """Whether a server's web site saw it, and not remote PowerShell."""
    return not seen.listener.startswith("powershell")


def of(report: Report, check: str, subject: str = "mail.contoso.test") -> Finding:
    found = [one for one in report.findings if one.check == check and one.subject.name == subject]
    assert found, f"{check} says nothing of {subject}"
    return found[0]


def test_a_ticket_signs_in_by_kerberos_without_any_password(kerberos: Kdc, lab: RunningLab) -> None:
    kerberos.kinit("user1")
    report = audited(lab, AccountCredential(None, None), account_ticket=True)
    assert "Kerberos" in of(report, "signin-mapi").summary
    assert {of(report, check).status for check in SIGN_IN} == {Status.PASS}
    assert {signed for seen in lab.journal if (signed := seen.authorization) and is_site(seen)} == {"Negotiate"}
    assert {attempt.scheme for attempt in lab.attempts} == {"kerberos"}


def test_a_password_is_proven_by_the_kdc_and_signs_in_by_kerberos(kerberos: Kdc, lab: RunningLab) -> None:
    credential = AccountCredential(Secret(kerberos.passwords["user1"]), None)
    report = audited(lab, credential, account=kerberos.principal("user1"), only=["signin-mapi"])
    assert of(report, "signin-mapi").status is Status.PASS
    assert "Kerberos" in of(report, "signin-mapi").summary


def test_a_password_that_the_kdc_rejects_is_sent_to_no_server(kerberos: Kdc, lab: RunningLab) -> None:
    credential = AccountCredential(Secret("wrong-Passw0rd"), None)
    report = audited(lab, credential, account=kerberos.principal("user1"), only=["signin-mapi"])
    findings = [finding for finding in report.findings if finding.check == "signin-mapi"]
    assert {finding.status for finding in findings} == {Status.UNKNOWN}
    assert all("password" in finding.summary for finding in findings)
    assert not [seen for seen in lab.journal if seen.authorization and is_site(seen)]
    assert lab.attempts == ()


def test_without_a_ticket_it_says_what_to_do(kerberos: Kdc, lab: RunningLab) -> None:
    report = audited(lab, AccountCredential(None, None), account_ticket=True, only=["signin-mapi"])
    finding = of(report, "signin-mapi")
    assert finding.status is Status.UNKNOWN
    assert "kinit" in finding.summary


def test_a_name_that_the_kdc_does_not_know_is_named(kerberos: Kdc, lab: RunningLab) -> None:
    kerberos.kinit("user1")
    kerberos.handle.run([kerberos_admin(), "-q", "delprinc -force HTTP/mail.contoso.test"])
    try:
        report = audited(lab, AccountCredential(None, None), account_ticket=True, only=["signin-mapi"])
    finally:
        kerberos.handle.addprinc("HTTP/mail.contoso.test")
        kerberos.handle.extract_keytab("HTTP/mail.contoso.test", kerberos.handle.keytab)
    finding = of(report, "signin-mapi")
    assert finding.status is Status.UNKNOWN
    assert "HTTP/mail.contoso.test" in finding.summary


def kerberos_admin() -> str:
    found = shutil.which("kadmin.local", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found is not None
    return found


def test_a_clock_that_is_wrong_is_named(kerberos: Kdc, lab: RunningLab, tmp_path: Path) -> None:
    faketime = shutil.which("faketime")
    if faketime is None:
        assert os.environ.get("CI") != "true", "CI installs faketime"
        pytest.skip("there is no faketime here")
    # By default MIT's library notices the difference by itself, and takes it into account.
    strict = tmp_path / "krb5.conf"
    strict.write_text("[libdefaults]\n    kdc_timesync = 0\n", encoding="utf-8")
    environment = {**os.environ, "KRB5_CONFIG": f"{strict}:{kerberos.environment['KRB5_CONFIG']}"}
    kerberos.kinit("user1")
    options = ["--mailbox", lab.account.address, "--account-ticket"]
    options += ["--ca-file", str(lab.ca_file), "--only", "signin-mapi"]
    options += ["--nameserver", lab.nameserver, *(word for entry in lab.resolve for word in ("--resolve", entry))]
    command = [faketime, "+1 hour", sys.executable, "-m", "checker", "probe", "mail.contoso.test", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)
    assert "clock" in done.stdout, done.stdout + done.stderr
