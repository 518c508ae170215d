"""Passwords with letters of any script sign in by Basic."""

from dataclasses import replace

import pytest

from checker.results import Status
from lab.scenario import load
from tests.lab_audit import audit


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("WINGTIP\\audit", "Passw0rd"),
        ("WINGTIP\\audit", "пароль-7"),
        ("WINGTIP\\audit", "\N{SMILING FACE WITH SUNGLASSES} 7"),
        ("WINGTIP\\prüfer", "пароль-7"),  # both are written alike, though the name alone would fit Latin-1
    ],
)
def test_any_letters_sign_in(user: str, password: str) -> None:
    scenario = load("large", servers=1)
    someone = replace(scenario.powershell.users[0], name=user, password=password)
    powershell = replace(scenario.powershell, users=(someone,))
    report = audit(replace(scenario, powershell=powershell), only=["server-supports-mapi-http"])
    judged = [finding for finding in report.findings if finding.check == "server-supports-mapi-http"]
    assert [finding.status for finding in judged] == [Status.PASS]
