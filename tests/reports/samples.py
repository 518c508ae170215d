"""Reports to write: a rich one with every status, a hostile one, a healthy one, and large ones. Filled by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from checker.answers import Reason
from checker.comparing import compare
from checker.results import (
    Advice,
    Category,
    Change,
    Cmdlet,
    Counts,
    Finding,
    FindingRef,
    PastRun,
    Readiness,
    Report,
    RunHistory,
    Severity,
    SinceLastRun,
    Stage,
    Status,
    Step,
    Subject,
    SubjectKind,
    Timing,
    sort_findings,
)

CONTOSO = Subject(SubjectKind.ORGANISATION, "contoso.test")
MAIL = Subject(SubjectKind.NAME, "mail.contoso.test")
AUTODISCOVER = Subject(
    SubjectKind.NAME,
    "autodiscover.contoso.test",
    note="named by AutoDiscoverServiceInternalUri of EX01, EX02, EX03",
)
SERVERS = tuple(Subject(SubjectKind.SERVER, f"EX{number:02}") for number in range(1, 4))
DIRECTORIES = tuple(
    Subject(SubjectKind.DIRECTORY, rf"EX{number:02}\mapi (Default Web Site)", f"EX{number:02}")
    for number in range(1, 4)
)

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markup": "[bold red]not markup[/bold red] [link=https://evil.test]x[/link] :smile:",
    "subexpression": "$(Remove-Mailbox *); `whoami`",
    "quotes": 'it\'s \u2018so\u2019 "said" \u201ahere\u201b',
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b2J",
    "bidi": "abc\u202egnp.exe\u2066\u200b\u200fend",
    "lines": "one\r\ntwo\nthree\x00four\x7f\u2028five",
    "surrogate": "lone \ud800 and \udfff",
    "template": "{{ 7*7 }} {% raw %} ]]> -->",
    "long": "L" * 100_000,
    "wide": "\u6f22\u5b57" * 60 + " \u0645\u0631\u062d\u0628\u0627",
}


def finding(
    check: str,
    subject: Subject,
    status: Status,
    summary: str,
    *,
    severity: Severity = Severity.BLOCKER,
    category: Category = Category.ENDPOINTS,
    title: str | None = None,
    found: Iterable[str] = (),
    expected: Iterable[str] = (),
    remedy: Iterable[Step] = (),
    evidence: Iterable[tuple[str, str]] = (),
    reason: Reason | None = None,
    because: FindingRef | None = None,
) -> Finding:
    return Finding(
        check=check,
        title=title or TITLES.get(check, f"{check} is as it should be."),
        severity=severity,
        category=category,
        subject=subject,
        status=status,
        summary=summary,
        found=tuple(found),
        expected=tuple(expected),
        remedy=tuple(remedy),
        evidence=tuple(evidence),
        reason=reason,
        because=because,
    )


TITLES = {
    "cert-names-cover": "The certificate that a name serves covers that name.",
    "cert-expires-soon": "Certificates stay valid for a while.",
    "cert-in-date": "Certificates are in date.",
    "endpoint-mapi-challenge": "Each name answers /mapi with a challenge that the directories offer.",
    "endpoint-mapi-healthcheck": "The MAPI health page answers by name.",
    "endpoint-reachable": "Each name in use can be reached.",
    "endpoint-rpc-proxy": "The RPC proxy answers by name.",
    "server-supports-mapi-http": "Every client-access server can speak MAPI over HTTP.",
    "vdir-mapi-authentication": "MAPI virtual directories offer a sign-in that Outlook can use.",
    "vdir-mapi-authentication-recommended": "MAPI virtual directories offer the product's own set of methods.",
    "vdir-mapi-internal-url-missing": "Every MAPI virtual directory has an internal URL.",
    "mailbox-overrides-off": "No mailbox is kept off MAPI over HTTP.",
    "signin-mapi": "A test account signs in to /mapi.",
    "protocol-connect": "A test account opens a mailbox over MAPI over HTTP.",
    "org-mapi-http-enabled": "The organisation's switch is on.",
}

_CHALLENGE = FindingRef("endpoint-mapi-challenge", MAIL)
_CERTIFICATE_TEXT = """subject     CN=mail.contoso.test
issuer      CN=Contoso Issuing CA 1, O=Contoso
valid from  2026-03-01T00:00:00+00:00
valid until 2027-03-01T00:00:00+00:00
SAN         mail.contoso.test, owa.contoso.test"""


def _mess() -> Iterator[Finding]:
    yield finding(
        "cert-names-cover",
        AUTODISCOVER,
        Status.FAIL,
        "the served certificate does not name it",
        category=Category.CERTIFICATES,
        found=("mail.contoso.test", "owa.contoso.test"),
        expected=("autodiscover.contoso.test",),
        remedy=(
            Cmdlet(
                "New-ExchangeCertificate",
                GenerateRequest=True,
                SubjectName="CN=mail.contoso.test",
                DomainName=("mail.contoso.test", "owa.contoso.test", "autodiscover.contoso.test"),
                FriendlyName="Exchange, all names in use",
            ),
            Advice("certificate authority", "Have the request signed by an authority that the clients trust."),
            Cmdlet("Enable-ExchangeCertificate", Thumbprint="<thumbprint of the new certificate>", Services="IIS"),
        ),
        evidence=(("certificate", _CERTIFICATE_TEXT), ("address", "192.0.2.10:443"), ("TLS", "TLSv1.2")),
    )
    yield finding(
        "endpoint-mapi-challenge",
        MAIL,
        Status.FAIL,
        "403 from nginx, while all 3 servers challenge as they should: the proxy does not publish /mapi",
        found=("403 Forbidden, Server: nginx",),
        expected=("401 with Negotiate or NTLM",),
        remedy=(Advice("load balancer", "Publish /mapi/* for mail.contoso.test to the same pool as /owa."),),
        evidence=(("answer", "HTTP/1.1 403 Forbidden\nServer: nginx\nContent-Type: text/html"),),
    )
    for check in ("endpoint-mapi-healthcheck", "endpoint-rpc-proxy"):
        yield finding(
            check,
            MAIL,
            Status.UNKNOWN,
            "403 from nginx stands before it",
            severity=Severity.WARNING,
            reason=Reason.HTTP_ERROR,
            because=_CHALLENGE,
        )
    for directory in DIRECTORIES[:2]:
        yield finding(
            "vdir-mapi-internal-url-missing",
            directory,
            Status.FAIL,
            "has no InternalUrl, only an ExternalUrl",
            severity=Severity.WARNING,
            category=Category.VIRTUAL_DIRECTORIES,
            found=("https://mail.contoso.test/mapi (ExternalUrl)",),
            expected=("InternalUrl https://mail.contoso.test/mapi",),
            remedy=(
                Cmdlet(
                    "Set-MapiVirtualDirectory",
                    Identity=directory.name,
                    InternalUrl="https://mail.contoso.test/mapi",
                    IISAuthenticationMethods=("Ntlm", "OAuth", "Negotiate"),
                ),
            ),
        )
    yield finding(
        "cert-expires-soon",
        MAIL,
        Status.FAIL,
        "expires in 12 days",
        severity=Severity.WARNING,
        category=Category.CERTIFICATES,
        found=("2026-12-03 09:00 UTC",),
        expected=("at least 30 days left",),
        remedy=(Advice("certificate authority", "Renew it with the same names."),),
    )
    yield finding(
        "vdir-mapi-authentication-recommended",
        DIRECTORIES[2],
        Status.FAIL,
        "offers Basic",
        severity=Severity.ADVICE,
        category=Category.VIRTUAL_DIRECTORIES,
        found=("Basic", "Ntlm"),
        expected=("Ntlm", "OAuth", "Negotiate"),
        remedy=(
            Cmdlet("Invoke-Command", where="EX03", ScriptBlock="iisreset"),
            Advice("administrator", "Look first whether an old client still needs Basic."),
        ),
    )
    refused = (
        r"ex02.contoso.test refused the sign-in of CONTOSO\audit by Kerberos. Check the password, or take --auth basic."
    )
    for server in SERVERS:
        for check in ("server-services-running", "server-mapi-components-active", "server-rpc-component-active"):
            yield finding(
                check,
                server,
                Status.UNKNOWN,
                refused,
                severity=Severity.WARNING,
                category=Category.SERVERS,
                reason=Reason.SIGN_IN_FAILED,
            )
    yield finding(
        "mailbox-overrides-off",
        CONTOSO,
        Status.UNKNOWN,
        r"CONTOSO\audit may not run Get-CASMailbox (needs View-Only Recipients)",
        severity=Severity.WARNING,
        category=Category.MAILBOXES,
        reason=Reason.CMDLET_UNKNOWN,
    )
    yield finding(
        "plugin-of-others",
        CONTOSO,
        Status.ERROR,
        "the check raised KeyError at plugin.py, line 7",
        severity=Severity.ADVICE,
        category=Category.OTHER,
    )
    for check in ("signin-mapi", "protocol-connect"):
        yield finding(
            check,
            MAIL,
            Status.NOT_RUN,
            "needs a test account (--test-account)",
            category=Category.SIGN_IN,
            reason=Reason.NOT_GIVEN,
        )
    yield finding(
        "kerberos-asa-present",
        CONTOSO,
        Status.ACCEPTED,
        "accepted until 2027-01-31: no alternate service account before the merger",
        severity=Severity.ADVICE,
        category=Category.SERVERS,
        found=("none",),
        expected=("one alternate service account",),
    )
    yield finding(
        "org-mapi-http-enabled",
        CONTOSO,
        Status.NOT_APPLICABLE,
        "the step that this audit prepares",
        category=Category.ORGANISATION,
    )
    for server in SERVERS:
        yield finding(
            "server-supports-mapi-http",
            server,
            Status.PASS,
            "runs Exchange 2019 CU14",
            category=Category.SERVERS,
            found=("15.2.1544.4",),
            evidence=(("AdminDisplayVersion", "Version 15.2 (Build 1544.4)"),),
        )
    for directory in DIRECTORIES:
        yield finding(
            "vdir-mapi-authentication",
            directory,
            Status.PASS,
            "offers Ntlm, OAuth, Negotiate",
            category=Category.VIRTUAL_DIRECTORIES,
        )
    for name in (MAIL, AUTODISCOVER):
        yield finding("endpoint-reachable", name, Status.PASS, "answers on 192.0.2.10")
        yield finding("cert-in-date", name, Status.PASS, "valid until 2027-03-01", category=Category.CERTIFICATES)


def counted(findings: tuple[Finding, ...], known: int = 60) -> Counts:
    statuses = Counter(item.status for item in findings)
    failures = Counter(item.severity for item in findings if item.status is Status.FAIL)
    answered = {Status.PASS, Status.FAIL, Status.NOT_APPLICABLE, Status.ACCEPTED}
    return Counts(
        total=len(findings),
        passed=statuses[Status.PASS],
        failed_blockers=failures[Severity.BLOCKER],
        failed_warnings=failures[Severity.WARNING],
        failed_advice=failures[Severity.ADVICE],
        not_applicable=statuses[Status.NOT_APPLICABLE],
        unknown=statuses[Status.UNKNOWN],
        error=statuses[Status.ERROR],
        not_run=statuses[Status.NOT_RUN],
        accepted=statuses[Status.ACCEPTED],
        checks=len({item.check for item in findings if item.status in answered}),
        checks_known=known,
    )


def report(findings: Iterable[Finding], *, readiness: Readiness, headline: str) -> Report:
    ordered = sort_findings(findings)
    return Report(
        organisation="contoso.test",
        started=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
        judged_at=datetime(2026, 11, 21, 9, 0, 41, tzinfo=UTC),
        seconds=41.2,
        tool_version="0.1.0",
        vantage="inside",
        stage=Stage.PREPARE,
        stage_reason="the organisation's switch MapiHttpEnabled is off",
        servers=tuple(server.name for server in SERVERS),
        names=(AUTODISCOVER.name, MAIL.name),
        narrowed=(),
        interrupted=False,
        notes=(),
        findings=ordered,
        timings=(Timing("organisation", 0.4), Timing("MAPI virtual directories", 3.25)),
        readiness=readiness,
        headline=headline,
        not_proven=(),
        counts=counted(ordered),
        history=None,
    )


def rich_report() -> Report:
    """Every status, severity, kind of step and way of folding."""
    return replace(
        report(_mess(), readiness=Readiness.NOT_READY, headline="NOT READY"),
        not_proven=("signin-mapi", "protocol-connect"),
        notes=("1 PowerShell shell on EX02 could not be closed; Exchange closes it after 15 minutes.",),
    )


def past_run(day: int, **counts: int) -> PastRun:
    """A run of that day of November."""
    numbers = dict.fromkeys(("failed_blockers", "failed_warnings", "failed_advice", "unanswered", "passed"), 0) | counts
    failed = bool(numbers["failed_blockers"])
    return PastRun(
        run=f"{day:016x}",
        started=datetime(2026, 11, day, 6, 0, tzinfo=UTC),
        readiness=Readiness.NOT_READY if failed else Readiness.READY,
        headline="NOT READY" if failed else "READY",
        tool_version="0.1.0",
        **numbers,
    )


def with_history(now: Report, before: Report, runs: Iterable[PastRun] = ()) -> Report:
    """The report as the history would have told it, after `before`."""
    compared = compare(before, now)
    counts = before.counts
    last = replace(
        past_run(20),
        readiness=before.readiness,
        headline=before.headline,
        failed_blockers=counts.failed_blockers,
        failed_warnings=counts.failed_warnings,
        failed_advice=counts.failed_advice,
        unanswered=counts.unknown + counts.error,
        passed=counts.passed,
    )
    since = SinceLastRun(
        last=last,
        headline=compared.headline,
        readiness=compared.readiness,
        notes=compared.notes,
        differences=compared.differences,
        unchanged=compared.counts[Change.UNCHANGED],
    )
    earlier = (*runs, last)
    return replace(now, history=RunHistory("00c0ffee00c0ffee", len(earlier), earlier, since))


def history_report() -> Report:
    """The rich one, after a week of ups and downs."""
    runs = [past_run(14 + day, failed_blockers=day % 3, failed_warnings=day % 4) for day in range(6)]
    runs[2] = replace(runs[2], readiness=Readiness.INCONCLUSIVE, headline="INCONCLUSIVE")
    return with_history(rich_report(), healthy_report(), runs)


def healthy_report() -> Report:
    passes = (item for item in _mess() if item.status in (Status.PASS, Status.NOT_APPLICABLE))
    return report(passes, readiness=Readiness.READY, headline="READY")


def empty_report() -> Report:
    """A run that looked at nothing."""
    nothing = report((), readiness=Readiness.INCONCLUSIVE, headline="INCONCLUSIVE")
    return replace(nothing, organisation=None, servers=(), names=(), interrupted=True, notes=("stopped by Ctrl-C",))


def hostile_report() -> Report:
    """Every text that a server sends is an attack, in every place where it can stand, under every status."""
    items = [
        finding(
            f"hostile-{label}",
            Subject(SubjectKind.SERVER, f"{label} {status.value} {text}", text, text),
            status,
            f"{label} {number} says {text}",
            title=text,
            severity=list(Severity)[number % 3],
            category=Category.SERVERS,
            found=(text, text),
            expected=(text,),
            remedy=(Cmdlet("Set-Something", where=text, Identity=text, Values=(text, "x")), Advice(text, text)),
            evidence=((text, text),),
        )
        for number, (label, text) in enumerate(HOSTILE.items())
        for status in (Status.FAIL, Status.UNKNOWN, Status.PASS)
    ]
    base = report(items, readiness=Readiness.NOT_READY, headline="NOT READY")
    script = HOSTILE["script"] + HOSTILE["ansi"]
    return replace(
        base,
        organisation=script,
        vantage=f"outside:{script}",
        stage_reason=script,
        servers=tuple(HOSTILE.values()),
        names=tuple(HOSTILE.values()),
        notes=tuple(HOSTILE.values()),
        not_proven=tuple(HOSTILE.values()),
    )


def large_report(total: int, *, failing_every: int = 10) -> Report:
    """As a big organisation gives: so many findings over 500 servers, one in ten failing in full."""
    template = next(_mess())
    categories = [category for category in Category if category is not Category.OTHER]
    servers = tuple(f"EX{number:03}" for number in range(1, 501))
    items: list[Finding] = []
    for number in range(total):
        server = servers[number % len(servers)]
        check = number // len(servers)
        failing = number % failing_every == 0
        status = Status.FAIL if failing else Status.PASS
        items.append(
            replace(
                template,
                check=f"check-{check:02}",
                title=f"Question {check} has a good answer.",
                severity=list(Severity)[check % 3],
                category=categories[check % len(categories)],
                subject=Subject(SubjectKind.SERVER, server, server),
                status=status,
                summary=f"seen on {server} as number {number}",
                remedy=template.remedy if failing else (),
                expected=template.expected if failing else (),
            )
        )
    big = report(items, readiness=Readiness.NOT_READY, headline="NOT READY")
    return replace(big, servers=servers)
