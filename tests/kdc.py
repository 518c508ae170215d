"""A real Kerberos realm for tests: MIT's KDC on loopback, by k5test.

tests/conftest.py alone imports both fixtures: imported twice they would be two KDCs on the same ports.

`kdc` starts the realm once; `kerberos` is the realm with the process pointed at it for one test. Debian's packages are
krb5-kdc, krb5-admin-server, krb5-user and libkrb5-dev; Python's are k5test and pypsrp[kerberos]. Where they are absent
the tests are skipped, on CI they fail.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Kdc", "kdc", "kerberos"]

REALM = "CONTOSO.TEST"
# No character that a shell would quote.
PASSWORDS = {"admin": "Lab-Adm1n-Passw0rd", "audit": "Lab-Passw0rd", "user1": "Lab-Us3r-Passw0rd"}
HOSTS = (
    "localhost",
    "ex01.contoso.test",
    "ex02.contoso.test",
    "ex03.contoso.test",
    "mail.contoso.test",
    "autodiscover.contoso.test",
)


@dataclass(frozen=True, slots=True)
class Kdc:
    """A running realm. `environment` is what a process needs to use it, acceptors included (KRB5_KTNAME)."""

    realm: str
    passwords: Mapping[str, str] = field(repr=False)
    hosts: tuple[str, ...]
    environment: Mapping[str, str]
    handle: Any = field(repr=False)

    def principal(self, user: str) -> str:
        """user@REALM."""
        return f"{user}@{self.realm}"

    def kinit(self, user: str) -> None:
        """Put a ticket of this user into the environment's cache."""
        self.handle.kinit(self.principal(user), self.passwords[user])


def _missing() -> str | None:
    for program in ("krb5kdc", "kadmin.local", "kinit"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") is None:
            return f"{program} is not installed"
    for module in ("k5test", "gssapi", "krb5"):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module} is not installed"
    return None


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    """The realm CONTOSO.TEST with the users admin, audit and user1 and HTTP/ of a few hosts in one keytab."""
    missing = _missing()
    if missing is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no KDC can be started: {missing}")
        pytest.skip(f"no KDC can be started: {missing}")
    from k5test import K5Realm

    options = {"dns_canonicalize_hostname": "false", "rdns": "false", "dns_lookup_kdc": "false"}
    realm = K5Realm(
        realm=REALM,
        # Below the ephemeral ports, and another range for each process that runs tests at the same time.
        portbase=20000 + os.getpid() % 1000 * 10,
        create_host=False,
        create_user=False,
        get_creds=False,
        start_kadmind=False,
        krb5_conf={"libdefaults": options},
        testdir=str(tmp_path_factory.mktemp("kdc")),
    )
    try:
        for user, password in PASSWORDS.items():
            realm.addprinc(f"{user}@{REALM}", password)
        for host in HOSTS:
            realm.addprinc(f"HTTP/{host}@{REALM}")
            realm.extract_keytab(f"HTTP/{host}@{REALM}", realm.keytab)
        names = ("KRB5_CONFIG", "KRB5_KDC_PROFILE", "KRB5CCNAME", "KRB5_KTNAME", "KRB5_CLIENT_KTNAME", "KRB5RCACHEDIR")
        environment = {name: realm.env[name] for name in names if name in realm.env}
        yield Kdc(REALM, PASSWORDS, HOSTS, environment, realm)
    finally:
        realm.stop()


@pytest.fixture
def kerberos(kdc: Kdc) -> Iterator[Kdc]:
    """The realm, and this process pointed at it for the time of one test; no ticket is left behind."""
    before = {name: os.environ.get(name) for name in kdc.environment}
    os.environ.update(kdc.environment)
    try:
        yield kdc
    finally:
        Path(kdc.environment["KRB5CCNAME"].removeprefix("FILE:")).unlink(missing_ok=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
