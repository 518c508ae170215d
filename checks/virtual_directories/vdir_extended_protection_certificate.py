"""Where Extended Protection is on, clients meet the certificate of the server itself."""

from dataclasses import replace

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    Missing,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.answers import Reason
from checker.facts.behind import NameServers
from checker.facts.directories import OutlookAnywhere, anywhere_of
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checker.facts.network import NameCertificates
from checker.results import Step, Subject, SubjectKind
from checker.x509 import Certificate
from checks.virtual_directories._remedies import host_of

INFO = CheckInfo(
    id="vdir-extended-protection-certificate",
    severity=Severity.BLOCKER,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "With Extended Protection the server accepts a sign-in only when it is bound to the server's own TLS"
        " certificate. A balancer or proxy that ends TLS with another one breaks that bond: Outlook asks for the"
        " password without end, while everything looks well without a sign-in. SSL offloading is not supported"
        " together with it."
    ),
    how=(
        "Where ExtendedProtectionTokenChecking of the MAPI directory in IIS is Allow or Require, the certificate that"
        " clients get by the names in its URLs is the one that the server itself serves for that name, and"
        " SSLOffloading of Outlook Anywhere on the server is False (Microsoft supports Extended Protection only so)."
        " None is not judged. With -ADPropertiesOnly the setting always looks off, so IIS is asked: that takes an"
        " account that may read IIS."
    ),
    mend=(
        "Export the certificate of the servers with its private key to the balancer, or the other way round: the same"
        " certificate on every server and on everything in between; or let the balancer pass TLS through. Turn SSL"
        " offloading off. Until then set ExtendedProtectionTokenChecking to None."
    ),
    undo=(
        "Import the former certificate again, and Set-OutlookAnywhere -SSLOffloading $true. Microsoft's script"
        " ExchangeExtendedProtectionManagement.ps1 restores Extended Protection."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
        "https://microsoft.github.io/CSS-Exchange/Security/ExchangeExtendedProtectionManagement/",
    ),
)


@check(INFO)
def judge(
    in_iis: MapiDirectoryInIis,
    outlook_anywhere: Collected[OutlookAnywhere] | NotCollected,
    by_name: Collected[NameCertificates] | NotCollected,
    straight: Collected[NameServers] | NotCollected,
) -> Verdict:
    """Fail when a name is served with another certificate, or TLS is left to the balancer."""
    protection = need(in_iis.token_checking)
    if protection is TokenChecking.NONE:
        return not_applicable("Extended Protection is off (None)")
    directory = in_iis.directory
    problems: list[str] = []
    found: list[str] = [f"ExtendedProtectionTokenChecking {protection.value}"]
    remedy: list[Step] = []
    doubts: list[NotCollected] = []
    anywhere = anywhere_of(directory.server, outlook_anywhere)
    if isinstance(anywhere, NotCollected):
        doubts.append(anywhere)
    else:
        for item in anywhere:
            if isinstance(item.ssl_offloading, NotCollected):
                doubts.append(item.ssl_offloading)
            elif item.ssl_offloading:
                problems.append("SSLOffloading of Outlook Anywhere is on")
                found.append("SSLOffloading True")
                off = Cmdlet("Set-OutlookAnywhere", Identity=item.identity, SSLOffloading=False)
                remedy.append(off.replacing(SSLOffloading=True))
    urls = (directory.internal_url, directory.external_url)
    doubts += [url for url in urls if isinstance(url, NotCollected)]
    for host in dict.fromkeys(host for host in map(host_of, urls) if host is not None):
        seen = _by_name(host, by_name)
        own = _straight(host, directory.server, straight)
        if isinstance(seen, NotCollected) or isinstance(own, NotCollected):
            doubts += [doubt for doubt in (seen, own) if isinstance(doubt, NotCollected)]
        elif seen.sha256 != own.sha256:
            problems.append(f"{host} is served with another certificate than the server's own")
            found += [f"by name: {_shown(seen)}", f"{directory.server} itself: {_shown(own)}"]
            remedy.append(_same(host, directory.server))
    if problems:
        return failed(
            f"Extended Protection is on ({protection.value}), and {' and '.join(problems)}",
            found=found,
            expected="the server's own certificate by every name, and SSLOffloading False",
            remedy=remedy,
        )
    for doubt in doubts:
        need(doubt)
    return passed(f"Extended Protection is on ({protection.value}), and clients meet the server's own certificate")


def _by_name(host: str, certificates: Collected[NameCertificates] | NotCollected) -> Certificate | NotCollected:
    if isinstance(certificates, NotCollected):
        return certificates
    for item in certificates.items:
        if item.name.host == host:
            return item.leaf
    return _missing(host, certificates.missing)


def _straight(host: str, server: str, names: Collected[NameServers] | NotCollected) -> Certificate | NotCollected:
    if isinstance(names, NotCollected):
        return names
    for name in names.items:
        if name.name.host == host:
            for served in name.served:
                if served.server.name == server:
                    return served.analysis if isinstance(served.analysis, NotCollected) else served.analysis.leaf
            return _missing(host, name.unknown)
    return _missing(host, names.missing)


def _missing(host: str, missing: tuple[Missing, ...]) -> NotCollected:
    """Why nothing is known of a name: its own reason before that of others."""
    name = Subject(SubjectKind.NAME, host)
    own = [entry for entry in missing if entry.subject.key == name.key]
    entry = next(iter(own or missing), None)
    if entry is None:
        return NotCollected(Reason.OTHER, f"The certificate served for {host} was not looked at.")
    if entry.because.layer is None or entry.because.behind is not None:
        return entry.because
    return replace(entry.because, behind=entry.subject)


def _shown(certificate: Certificate) -> str:
    return f"{certificate.label} (thumbprint {certificate.thumbprint})"


def _same(host: str, server: str) -> Advice:
    return Advice(
        "load balancer",
        f"Serve {host} with the certificate of {server}, key included, or pass TLS through to the servers.",
    )
