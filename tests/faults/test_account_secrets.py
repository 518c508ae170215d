"""The test account's credential: it goes to hosts that were named, over TLS that verifies, and nowhere else; a wrong
password goes out once; nothing of it shows in what a run says, writes or keeps."""

from __future__ import annotations

import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from checker.audit import audit_organisation, gather_organisation
from checker.password import AccountCredential
from checker.results import Category, Finding, Readiness, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import Settings, load_settings
from lab.authentication import Outcome
from lab.organisation import RunningLab, start
from lab.scenario import Scenario, Vantage, load
from reports import FORMATS, RenderOptions
from tests.faults.test_secrets import Watcher, every_log, forms, holds
from tests.lab_audit import settings_for
from tests.reports.reading import words

PASSWORD, TOKEN, ADMINISTRATOR = "Account-Passw0rd-52e8b0", "account-token-7d1f93aa", "Admin-Passw0rd-c3397e"
SECRETS = (*forms(PASSWORD), *forms(TOKEN), *forms(ADMINISTRATOR), b"TlRMTVNTUAADAAAA", b"NTLMSSP\0\3")
"""With NTLM's last message, which holds the answer of the password."""
NTLM_MESSAGES = (b"TlRMTVNTUAAC", b"TlRMTVNTUAAB", b"NTLMSSP")
DOMAIN = "contoso.test"
MAIL, AUTODISCOVER = f"mail.{DOMAIN}", f"autodiscover.{DOMAIN}"
STRANGERS = (DOMAIN, f"elsewhere.{DOMAIN}", f"old.{DOMAIN}", "elsewhere.test", "autodiscover.elsewhere.test")
"""Nobody named these. Redirects, SRV records, advertised URLs and other addresses lead there, and all have a
certificate that verifies."""
OF_ACCOUNT = (Category.SIGN_IN.value, Category.AUTODISCOVER.value)
CHALLENGES = ("Negotiate", "NTLM", 'Basic realm="strange"', 'Bearer realm="strange"')


# --- traps ------------------------------------------------------------------------------------------------------------


@dataclass
class Traps:
    """Hosts that nobody named, and plain http at those that were: each asks everybody for every kind of sign-in.
    `seen` is where something came, and what: only a bare Bearer, which is no credential, is left out of it."""

    challenges: tuple[str, ...] = CHALLENGES
    reached: set[str] = field(default_factory=set)
    seen: list[tuple[str, str]] = field(default_factory=list)
    resolve: list[str] = field(default_factory=list)

    def note(self, where: str, authorization: str, whole: bytes) -> None:
        self.reached.add(where)
        if authorization not in ("", "Bearer"):
            self.seen.append((where, authorization.partition(" ")[0]))
        if any(secret in whole for secret in SECRETS):
            self.seen.append((where, "a secret"))


def _handler(traps: Traps, where: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.challenge
            raise AttributeError(name)

        def challenge(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            whole = f"{self.path} {self.headers.items()}".encode() + body
            traps.note(where, self.headers.get("Authorization", ""), whole)
            self.send_response(401)
            for challenge in traps.challenges:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    """Without a sound when a client goes, or does not agree on TLS."""

    daemon_threads = False

    def __init__(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """A connection that breaks off is none of the test's business."""


@contextmanager
def traps(lab: RunningLab, folder: Path, challenges: tuple[str, ...] = CHALLENGES) -> Iterator[Traps]:
    """Listeners for every stranger, and for plain http at every name."""
    pem = folder / "strange.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(lab.identities["main"].chain_pem + lab.identities["main"].key_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    made = Traps(challenges)
    running = []
    plain = [host for host in (*STRANGERS, MAIL, AUTODISCOVER) if not any(f"{host}:80:" in at for at in lab.resolve)]
    for host, port in (*((host, 443) for host in STRANGERS), *((host, 80) for host in plain)):
        server = _Server(_handler(made, f"{host}:{port}"), tls if port == 443 else None)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        made.resolve.append(f"{host}:{port}:127.0.0.1:{server.server_address[1]}")
    try:
        yield made
    finally:
        for server, thread in running:
            server.shutdown()
            thread.join()
            server.server_close()


# --- runs -------------------------------------------------------------------------------------------------------------


def organisation(*, switched: bool = True, locks_after: int = 2) -> Scenario:
    """Healthy, with secrets that can be looked for, and with a certificate that names strangers too."""
    whole = load("healthy")
    certificate = whole.certificates["main"]
    whole = whole.with_certificate("main", replace(certificate, names=(*certificate.names, *STRANGERS)))
    users = (replace(whole.powershell.users[0], password=ADMINISTRATOR),)
    return replace(
        whole,
        account=replace(whole.account, password=PASSWORD, token=TOKEN, locks_after=locks_after),
        powershell=replace(whole.powershell, users=users),
        organisation=replace(whole.organisation, mapi_http_enabled=switched, modern_authentication=True),
        services={f"_autodiscover._tcp.{DOMAIN}": (f"elsewhere.{DOMAIN}", 443)},
    )


@contextmanager
def running(*faults: str, **options: Any) -> Iterator[RunningLab]:
    vantage = options.pop("vantage", Vantage.BOTH)
    with start(organisation(**options), faults=faults, now=datetime.now(UTC), vantage=vantage) as lab:
        lab.web_journal.watched = forms(ADMINISTRATOR)
        yield lab


def options_of(lab: RunningLab, **options: Any) -> dict[str, Any]:
    return {"mailbox": lab.account.address, "account": lab.account.user, "timeout": 4, "deadline": 40, **options}


def probe_settings(lab: RunningLab, **options: Any) -> Settings:
    return load_settings(
        {
            "name": [MAIL, AUTODISCOVER],
            "vantage": "outside",
            "ca-file": str(lab.ca_file),
            "nameserver": lab.nameserver,
            "resolve": list(lab.resolve),
            **{name.replace("_", "-"): value for name, value in options_of(lab, **options).items()},
        },
        None,
        probe=True,
    )


def audited(lab: RunningLab, settings: Settings, credential: AccountCredential) -> Report:
    password = Secret(lab.password) if settings.server else None
    return audit_organisation(settings, password, NoProgress(), lambda _: (), credential=credential).report


def credential_of(kind: str) -> AccountCredential:
    return AccountCredential(None, Secret(TOKEN)) if kind == "token" else AccountCredential(Secret(PASSWORD), None)


def administrator_went_to_powershell_alone(lab: RunningLab) -> None:
    """And the test account never went there."""
    assert not [seen for seen in lab.web_journal.entries if seen.betrayed]
    for endpoint in lab.endpoints.values():
        for seen in endpoint.journal:
            assert (seen.user == lab.user) is bool(seen.offered), seen


# --- where it goes ----------------------------------------------------------------------------------------------------

REDIRECTS = [
    (),
    ("autodiscover-redirects-to-http:*",),
    ("autodiscover-redirects-elsewhere:*",),
    ("autodiscover-redirect-url-to-http:*",),
    ("autodiscover-redirect-address:*",),
    ("autodiscover-tells-other-host:*",),
    ("autodiscover-tells-http:*",),
    ("autodiscover-by-http-redirect",),
    ("proxy-autodiscover-login-redirect",),
    ("proxy-autodiscover-login-redirect:autodiscover.contoso.test",),
    ("proxy-mapi-login-redirect",),
    ("mapi-basic-only:*", "autodiscover-basic-only:*", "autodiscover-redirects-elsewhere:*"),
    ("name-nxdomain:autodiscover.contoso.test",),
    ("proxy-mapi-basic-only",),
]


@pytest.mark.parametrize("faults", REDIRECTS, ids=lambda faults: ",".join(faults) or "nothing")
@pytest.mark.parametrize("vantage", ["inside", "outside"])
@pytest.mark.parametrize("kind", ["password", "token"])
def test_it_goes_to_nobody_who_was_not_named(faults: tuple[str, ...], vantage: str, kind: str, tmp_path: Path) -> None:
    with running(*faults) as lab, traps(lab, tmp_path) as strange:
        resolve = [*lab.resolve, *strange.resolve]
        settings = settings_for(lab, **options_of(lab, vantage=vantage, only=OF_ACCOUNT, resolve=resolve))
        audited(lab, settings, credential_of(kind))
        administrator_went_to_powershell_alone(lab)
        usable = kind == "password" or "mapi-basic-only:*" not in faults
        assert any(attempt.outcome is Outcome.SIGNED_IN for attempt in lab.attempts) is usable
        assert lab.open_sessions == ()
    assert strange.seen == []
    assert f"{DOMAIN}:443" in strange.reached, "looked at, without any credential"


@pytest.mark.parametrize("challenges", [CHALLENGES, CHALLENGES[2:3]], ids=["everything", "Basic"])
@pytest.mark.parametrize("kind", ["password", "token"])
def test_a_probe_shows_it_to_nobody_who_was_not_named(kind: str, challenges: tuple[str, ...], tmp_path: Path) -> None:
    faults = ("autodiscover-tells-other-host:*",)
    with running(*faults, vantage=Vantage.OUTSIDE) as lab, traps(lab, tmp_path, challenges) as strange:
        resolve = [*lab.resolve, *strange.resolve]
        for names in ([AUTODISCOVER], [MAIL], [MAIL, AUTODISCOVER]):
            for stage in ("prepare", "verify"):
                settings = probe_settings(lab, name=names, stage=stage, resolve=resolve)
                audited(lab, settings, credential_of(kind))
        assert lab.attempts
    assert strange.seen == []
    assert f"{DOMAIN}:443" in strange.reached


OF_ONE_NAME = ("name-plain-http", "certificate-lacks-name", "certificate-name-only-in-cn")
"""What leaves another name as it is, or the servers when they are asked straight."""


@pytest.mark.parametrize(
    "fault",
    [
        *OF_ONE_NAME,
        "certificate-self-signed",
        "certificate-expired",
        "certificate-unknown-root",
        "certificate-wrong-usage",
        "certificate-broken-signature",
    ],
)
def test_it_goes_nowhere_without_tls_that_verifies(fault: str, tmp_path: Path) -> None:
    with running(fault) as lab, traps(lab, tmp_path) as strange:
        resolve = [*lab.resolve, *strange.resolve]
        report = audited(
            lab, settings_for(lab, **options_of(lab, only=OF_ACCOUNT, resolve=resolve)), credential_of("password")
        )
        if fault not in OF_ONE_NAME:
            assert lab.attempts == ()
        for seen in lab.web_journal.entries:
            assert seen.authorization in (None, "Bearer") or seen.listener.startswith("https "), seen
    assert strange.seen == []
    assert not [finding for finding in report.findings if finding.check == "signin-mapi" and fails(finding)]


def fails(finding: Finding) -> bool:
    return finding.status in (Status.FAIL, Status.ERROR)


def test_the_traps_catch(tmp_path: Path) -> None:
    # What is named is asked, with everything: the traps would see it.
    with running() as lab, traps(lab, tmp_path) as strange:
        resolve = [*lab.resolve, *strange.resolve]
        audited(lab, probe_settings(lab, name=[AUTODISCOVER, DOMAIN], resolve=resolve), credential_of("password"))
        audited(lab, probe_settings(lab, name=[AUTODISCOVER, DOMAIN], resolve=resolve), credential_of("token"))
    assert {(f"{DOMAIN}:443", "Negotiate"), (f"{DOMAIN}:443", "Bearer")} <= {*strange.seen}
    assert (f"{DOMAIN}:443", "a secret") in strange.seen


# --- how often --------------------------------------------------------------------------------------------------------

HINDRANCES = [
    (),
    ("mapi-extended-protection:*",),
    ("proxy-own-certificate", "mapi-extended-protection:*"),
    ("proxy-balances-per-request",),
    ("proxy-asks-in-http-1-0",),
    ("name-round-robin",),
    ("mapi-basic-only:*", "autodiscover-basic-only:*"),
    ("mapi-offers-basic:*",),
    ("proxy-adds-basic",),
    ("proxy-withholds-authorization",),
    ("server-cannot-ask-domain:*",),
    ("mapi-answers-cut:*",),
    ("mapi-back-end-refuses:*",),
    ("proxy-mapi-login-page-after-sign-in",),
    ("server-refused:EX01",),
    ("server-certificate-self-signed:EX01", "server-certificate-self-signed:EX02"),
    ("proxy-rpc-verbs-dropped",),
    ("mapi-pool-stopped:*",),
    ("proxy-mapi-403",),
    ("autodiscover-redirect-url:*",),
]
WRONG = AccountCredential(Secret("wrong-Passw0rd"), None)


def password_looked_at(lab: RunningLab) -> list[str]:
    """Every time that somebody looked at the password."""
    return [f"{attempt.scheme} {attempt.where}: {attempt.outcome.value}" for attempt in lab.attempts]


@pytest.mark.parametrize("faults", HINDRANCES, ids=lambda faults: ",".join(faults) or "nothing")
@pytest.mark.parametrize("how", ["check", "check from outside", "probe"])
def test_a_wrong_password_is_tried_once(faults: tuple[str, ...], how: str) -> None:
    vantage = Vantage.OUTSIDE if how == "probe" else Vantage.BOTH
    with running(*faults, vantage=vantage) as lab:
        vantage_of = "outside" if how == "check from outside" else "inside"
        settings = (
            probe_settings(lab, stage="verify")
            if how == "probe"
            else settings_for(lab, **options_of(lab, vantage=vantage_of, only=OF_ACCOUNT))
        )
        report = audited(lab, settings, WRONG)
        assert len(password_looked_at(lab)) <= 1, password_looked_at(lab)
        assert lab.bad_passwords <= 1
        if how == "check":
            administrator_went_to_powershell_alone(lab)
    assert report.readiness is not Readiness.READY


@pytest.mark.parametrize("how", ["check", "probe", "a locked account"])
def test_a_rejected_password_is_told_and_blamed_on_nothing_else(how: str) -> None:
    locked = how == "a locked account"
    with running(vantage=Vantage.OUTSIDE if how == "probe" else Vantage.BOTH, locks_after=1) as lab:
        if locked:
            audited(lab, settings_for(lab, **options_of(lab, only=OF_ACCOUNT)), WRONG)
        settings = probe_settings(lab, stage="verify") if how == "probe" else settings_for(lab, **options_of(lab))
        report = audited(lab, settings, credential_of("password") if locked else WRONG)
        assert len(password_looked_at(lab)) == (2 if locked else 1)
    account = [finding for finding in report.findings if finding.category is Category.SIGN_IN]
    assert {finding.status for finding in account} <= {Status.UNKNOWN, Status.NOT_RUN}
    assert not [finding for finding in report.findings if fails(finding) and finding.category.value in OF_ACCOUNT]
    (unknown,) = {finding.summary for finding in account if finding.check == "signin-mapi" and is_unknown(finding)}
    assert "password" in unknown
    assert "not sent again" in unknown or "does not send the password again" in unknown
    assert report.readiness is Readiness.INCONCLUSIVE


def is_unknown(finding: Finding) -> bool:
    return finding.status is Status.UNKNOWN


def test_gathering_tries_a_wrong_password_once(tmp_path: Path) -> None:
    with running() as lab:
        settings = settings_for(lab, **options_of(lab))
        gather_organisation(settings, Secret(lab.password), NoProgress(), tmp_path / "kept.zip", credential=WRONG)
        assert len(password_looked_at(lab)) == 1
        assert lab.bad_passwords == 1
        administrator_went_to_powershell_alone(lab)


def test_many_servers_and_names_try_a_wrong_password_once() -> None:
    with start("large", servers=12, faults=("account-locks-after:2",), now=datetime.now(UTC)) as lab:
        settings = settings_for(
            lab, **options_of(lab, only=OF_ACCOUNT, name=[lab.server_names[0], lab.server_names[5]])
        )
        audited(lab, settings, WRONG)
        assert len(password_looked_at(lab)) == 1


# --- what is said of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [(), *HINDRANCES[2:4], ("mapi-basic-only:*", "autodiscover-basic-only:*")], ids=str)
@pytest.mark.parametrize("kind", ["password", "token", "wrong"])
def test_it_shows_nowhere(
    faults: tuple[str, ...], kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    credential = AccountCredential(Secret(f"wrong-{PASSWORD}"), None) if kind == "wrong" else credential_of(kind)
    watcher, kept, debug = Watcher(), tmp_path / "kept.zip", tmp_path / "debug.jsonl"
    with running(*faults) as lab, every_log() as lines:
        settings = replace(settings_for(lab, **options_of(lab)), debug=debug)
        outcome = audit_organisation(
            settings, Secret(lab.password), watcher, lambda _: (), keep=kept, credential=credential
        )
    written = {name: form.render(outcome.report, RenderOptions(verbose=True)) for name, form in FORMATS.items()}
    said = [content if isinstance(content, str) else words(name, content) for name, content in written.items()]
    said += [repr(outcome), repr(settings), repr(credential), *watcher.tracebacks, debug.read_text()]
    said += capfd.readouterr()
    assert holds(said, (*SECRETS, *NTLM_MESSAGES)) == []
    assert holds(lines, SECRETS) == []  # httpcore tells the challenges of the servers, which are no secret
    assert secrets_in(kept) == []


def secrets_in(snapshot: Path) -> list[str]:
    """The members of the snapshot that hold a secret."""
    with zipfile.ZipFile(snapshot) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members
    return [
        name for name, content in members.items() if any(secret in content for secret in (*SECRETS, *NTLM_MESSAGES))
    ]


def test_what_is_looked_for_is_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one", f"x{PASSWORD}y")
        archive.writestr("other", "nothing")
    assert secrets_in(tmp_path / "some.zip") == ["one"]
    assert holds(["Authorization: NTLM TlRMTVNTUAADAAAA"], SECRETS)


# --- what does not prove a password -----------------------------------------------------------------------------------

PAGES = {
    "a redirect": (302, "text/html", b""),
    "a login page": (200, "text/html; charset=utf-8", b"<form><input type=password name=p></form>"),
    "not found": (404, "text/html", b"<html>not here</html>"),
    "bad request": (400, "text/html", b"<html>header too long</html>"),
    "nothing": (204, "", b""),
    "out of order": (503, "text/html", b"<html>later</html>"),
}


@contextmanager
def portal(lab: RunningLab, folder: Path, host: str, page: tuple[int, str, bytes]) -> Iterator[list[str]]:
    """A proxy at a name, with a page of its own for everybody who shows Basic, whatever the password is. Gives what
    --resolve says of it."""
    status, kind, body = page

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            shown = self.headers.get("Authorization", "").startswith("Basic")
            self.send_response(status if shown else 401)
            self.send_header("Location", "https://sso.contoso.test/") if status == 302 and shown else None
            self.send_header("WWW-Authenticate", 'Basic realm="portal"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if shown else 0))
            self.end_headers()
            self.wfile.write(body if shown else b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    pem = folder / "portal.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(lab.identities["main"].chain_pem + lab.identities["main"].key_pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    server = _Server(Handler, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        others = [entry for entry in lab.resolve if not entry.startswith(f"{host}:443:")]
        yield [*others, f"{host}:443:127.0.0.1:{server.server_address[1]}"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("host", [MAIL, AUTODISCOVER])
@pytest.mark.parametrize("stage", ["prepare", "verify"])
def test_a_page_of_something_in_between_proves_no_password(page: str, host: str, stage: str, tmp_path: Path) -> None:
    other = MAIL if host == AUTODISCOVER else AUTODISCOVER
    with running(vantage=Vantage.OUTSIDE) as lab, portal(lab, tmp_path, host, PAGES[page]) as resolve:
        alone = audited(lab, probe_settings(lab, name=[host], stage=stage, resolve=resolve), WRONG)
        assert password_looked_at(lab) == []
        report = audited(lab, probe_settings(lab, name=[host, other], stage=stage, resolve=resolve), WRONG)
        assert len(password_looked_at(lab)) <= 1, password_looked_at(lab)
    for finding in (*alone.findings, *report.findings):
        if finding.check == "signin-mapi":
            assert finding.status in (Status.UNKNOWN, Status.NOT_RUN), finding
