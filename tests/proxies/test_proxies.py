"""HAProxy and nginx in front of the lab: a right configuration, and the classic wrong ones, each named by its check."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from checker.results import Finding, Report, Status
from lab.organisation import RunningLab, start
from lab.scenario import Certificate, load
from tests.lab_audit import audit_running, key
from tests.proxies.running import Front, back_ends, haproxy, nginx, through

MAIL = "mail.contoso.test"
OTHER = Certificate("proxy.contoso.test", ("proxy.contoso.test",))

PASS_ON = """
    proxy_pass https://exchange;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_buffering off;
    client_max_body_size 0;
"""
FORM = '<form method="post"><input name="user"><input type="password" name="password"></form>'


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with start(load("healthy").with_certificate("other", OTHER)) as running:
        yield running


def front(lab: RunningLab, folder: Path, certificate: str = "main") -> Front:
    pem = folder / "proxy.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(lab.identities[certificate].chain_pem + lab.identities[certificate].key_pem)
    return Front(folder, back_ends(lab), pem)


def seen_through(lab: RunningLab, proxy: AbstractContextManager[int]) -> Report:
    with proxy as port:
        return audit_running(lab, resolve=through(lab, MAIL, port))


def failing(report: Report) -> dict[str, Finding]:
    bad = (Status.FAIL, Status.ERROR)
    return {key(finding): finding for finding in report.findings if finding.status in bad}


def unexplained(report: Report) -> list[str]:
    return [key(finding) for finding in report.findings if finding.status is Status.UNKNOWN and finding.because is None]


def of_mail(*checks: str) -> set[str]:
    return {f"{check} {MAIL}" for check in checks}


HAPROXY = [
    pytest.param("", set(), "", id="right"),
    pytest.param(
        "http-request deny deny_status 404 unless { path_beg -i /owa /ecp /ews /oab /rpc /autodiscover }",
        of_mail("endpoint-mapi-challenge"),
        "404",
        id="path not published",
    ),
    pytest.param(
        "http-request deny if { path_beg -i /mapi }",
        of_mail("endpoint-mapi-challenge"),
        "403 by HAProxy",
        id="path forbidden",
    ),
    pytest.param(
        "http-request set-header Host exchange.internal.test",
        of_mail("endpoint-same-through-balancer"),
        "exchange.internal.test and not for mail.contoso.test",
        id="Host rewritten",
    ),
    pytest.param(
        "http-response del-header WWW-Authenticate",
        of_mail("endpoint-mapi-challenge", "endpoint-rpc-proxy"),
        "no way to sign in",
        id="WWW-Authenticate stripped",
    ),
    pytest.param(
        "http-response replace-header WWW-Authenticate ^Negotiate$ NTLM",
        of_mail("endpoint-mapi-schemes"),
        "lacks Negotiate, unlike the servers",
        id="Negotiate stripped",
    ),
    pytest.param(
        "http-request redirect location https://sso.contoso.test/login unless { req.cook(sso) -m found }",
        of_mail("endpoint-mapi-challenge", "endpoint-rpc-proxy"),
        "302 by a login page",
        id="login page in front",
    ),
    pytest.param(
        "http-request deny if { path -i /mapi/healthcheck.htm }",
        of_mail("endpoint-mapi-healthcheck"),
        "HAProxy refuses the health page",
        id="health page blocked only",
    ),
    pytest.param(
        'http-response set-header Via "1.0 proxy"',
        of_mail("endpoint-same-through-balancer"),
        "HTTP/1.0 is spoken on the way",
        id="HTTP 1.0 on the way",
    ),
]


@pytest.mark.parametrize(("rules", "fails", "said"), HAPROXY)
def test_haproxy(lab: RunningLab, tmp_path: Path, rules: str, fails: set[str], said: str) -> None:
    report = seen_through(lab, haproxy(front(lab, tmp_path), rules))
    found = failing(report)
    assert set(found) == fails
    assert not unexplained(report)
    assert not fails or any(said in finding.summary for finding in found.values())


def test_haproxy_that_passes_tls_on(lab: RunningLab, tmp_path: Path) -> None:
    report = seen_through(lab, haproxy(front(lab, tmp_path), mode="tcp"))
    assert not failing(report)
    assert not unexplained(report)


NGINX = [
    pytest.param(f"location / {{ {PASS_ON} }}", set(), "", id="right"),
    pytest.param(
        f"location ~* ^/(owa|ecp|ews|oab|rpc|autodiscover)/ {{ {PASS_ON} }} location / {{ return 404; }}",
        of_mail("endpoint-mapi-challenge"),
        "404 by nginx",
        id="path not published",
    ),
    pytest.param(
        f"location / {{ {PASS_ON.replace('proxy_set_header Host $host;', '')} }}",
        of_mail("endpoint-same-through-balancer"),
        "the server is asked for exchange and not for mail.contoso.test",
        id="Host rewritten",
    ),
    pytest.param(
        f"location / {{ {PASS_ON} proxy_hide_header WWW-Authenticate; }}",
        of_mail("endpoint-mapi-challenge", "endpoint-rpc-proxy"),
        "no way to sign in",
        id="WWW-Authenticate stripped",
    ),
    pytest.param(
        f"location / {{ {PASS_ON.replace('1.1', '1.0')} add_header Via '1.0 nginx' always; }}",
        of_mail("endpoint-same-through-balancer"),
        "HTTP/1.0 is spoken on the way",
        id="HTTP 1.0 to the back end",
    ),
    pytest.param(
        f"location / {{ default_type text/html; return 200 '{FORM}'; }}",
        of_mail("endpoint-mapi-challenge", "endpoint-rpc-proxy"),
        "200 by a login page",
        id="login page in front",
    ),
    pytest.param(
        f"location / {{ {PASS_ON} }} location = /mapi/healthcheck.htm {{ return 403; }}",
        of_mail("endpoint-mapi-healthcheck"),
        "nginx refuses the health page",
        id="health page blocked only",
    ),
]


@pytest.mark.parametrize(("locations", "fails", "said"), NGINX)
def test_nginx(lab: RunningLab, tmp_path: Path, locations: str, fails: set[str], said: str) -> None:
    report = seen_through(lab, nginx(front(lab, tmp_path), locations))
    found = failing(report)
    assert set(found) == fails
    assert not unexplained(report)
    assert not fails or any(said in finding.summary for finding in found.values())


@pytest.mark.parametrize("run", [haproxy, nginx])
def test_a_wrong_certificate(lab: RunningLab, tmp_path: Path, run: object) -> None:
    shown = front(lab, tmp_path, "other")
    proxy = haproxy(shown) if run is haproxy else nginx(shown, f"location / {{ {PASS_ON} }}")
    report = seen_through(lab, proxy)
    assert set(failing(report)) == of_mail("cert-names-cover")
    assert not unexplained(report)
