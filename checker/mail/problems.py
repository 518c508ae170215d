"""What went wrong with a mail, as one sentence that says what to mend. Told by codes, never by texts of servers, which
are localised; what a server said is kept as `detail`, for the debug log, with every secret blotted out.

    SMTP          RFC 5321 and 3463, and those of Exchange: learn.microsoft.com/exchange/mail-flow-best-practices/
                  non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
    Entra ID      learn.microsoft.com/entra/identity-platform/reference-error-codes
    Graph         learn.microsoft.com/graph/errors
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from checker.obstacles import certificate_problem, chain_of

__all__ = [
    "Claims",
    "MailError",
    "connection_problem",
    "entra_problem",
    "graph_problem",
    "oauth_smtp_problem",
    "smtp_problem",
]


class MailError(Exception):
    """The mail was not sent; the text is the sentence. Never leaves the package.

    `too_large`: it may go without its attachments. `detail`: what the server or library said, for the debug log.
    """

    def __init__(self, sentence: str, *, detail: str | None = None, too_large: bool = False) -> None:
        super().__init__(sentence)
        self.detail = detail
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says of itself; None where it does not let itself be read."""

    audience: str | None
    roles: tuple[str, ...] | None


# --- connection -------------------------------------------------------------------------------------------------------

_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})


def connection_problem(error: BaseException, host: str, port: int) -> MailError:
    """An exception of a socket, of TLS, or of a library above them."""
    where = f"{host}:{port}"
    chain = tuple(chain_of(error))
    detail = " <- ".join(f"{type(link).__name__}" for link in chain)
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            what, do = certificate_problem(
                getattr(link, "verify_code", 0), host, "Give the host by the name that its certificate has"
            )
            do = do.replace("--ca-file", "ca-file in the table of [mail]")
            return MailError(f"The certificate of {where} {what}, so no mail was sent to it. {do}.", detail=detail)
    for link in chain:
        if isinstance(link, ssl.SSLError):
            return MailError(_tls(where, getattr(link, "reason", None)), detail=f"{detail} {link.reason}")
    for link in chain:
        if isinstance(link, TimeoutError):
            return MailError(f"{where} did not answer in time. Check that it runs and is reachable.", detail=detail)
        if isinstance(link, ConnectionRefusedError):
            return MailError(
                f"{where} refused the connection: nothing listens there, or a firewall closes it. Check host and port.",
                detail=detail,
            )
        if type(link).__name__ == "gaierror":
            return MailError(f"{host} cannot be resolved. Check the name of the mail server and DNS.", detail=detail)
    timed_out = any(type(link).__name__.endswith(("Timeout", "TimeoutException")) for link in chain)
    if timed_out:
        return MailError(f"{where} did not answer in time. Check that it runs and is reachable.", detail=detail)
    return MailError(f"The connection to {where} failed or was closed before the mail was taken.", detail=detail)


def _tls(where: str, reason: str | None) -> str:
    if reason in _OLD:
        return f"{where} offers nothing newer than TLS 1.1. Enable TLS 1.2 on the server."
    if reason in _NO_TLS:
        return f"{where} does not speak TLS from the first byte. Take security = starttls, or another port."
    return f"{where} broke off the TLS handshake. Check that it offers TLS 1.2 or newer, and has a certificate."


# --- SMTP -------------------------------------------------------------------------------------------------------------

_ENHANCED = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_TOO_LARGE = frozenset({"5.3.4", "5.2.3", "5.3.5"})
_SMTP: dict[str, str] = {
    "5.7.139": (
        "{where} has SMTP AUTH switched off for {user}. Enable it (Set-CASMailbox -SmtpClientAuthenticationDisabled"
        " $false, and Set-TransportConfig for the organisation; security defaults and authentication policies block it,"
        " too), or send by [mail.graph]"
    ),
    "5.7.57": "{where} takes mail from those who signed in alone. Give a user, or have it relay for this machine",
    "5.7.54": (
        "{where} does not relay to domains that it does not accept mail for. Have a receive connector allow this"
        " machine to relay (ms-Exch-SMTP-Accept-Any-Recipient), or sign in"
    ),
    "5.7.64": "{where} does not know this sender's organisation. Set up an inbound connector for this machine",
    "5.7.60": "{user} may not send as {sender}. Give it Send As on that mailbox, or take its own address as from",
    "5.2.252": "{user} may not send as {sender}. Give it Send As on that mailbox, or take its own address as from",
    "5.7.133": "{recipient} takes mail from senders inside alone. Let it accept mail from unauthenticated senders",
    "5.7.124": "{sender} is not among those from whom {recipient} takes mail",
    "5.7.705": "{where} has reached the limit of what this organisation may send",
    "5.2.2": "the mailbox {recipient} is full",
    "5.1.1": "{where} knows no {recipient}. Check the address",
    "5.1.10": "{where} knows no {recipient}. Check the address",
    "5.1.8": "{where} does not take mail from {sender}. Take the address of a mailbox that exists",
    "5.1.7": "{where} does not take mail from {sender}. Check the address",
}
_RELAY = frozenset({"5.7.1", "5.7.0", "5.7.27", "5.7.51", "5.7.26"})


def smtp_problem(
    code: int, said: bytes, *, step: str, where: str, sender: str, user: str | None = None, recipient: str | None = None
) -> MailError:
    """The answer of an SMTP server that refuses. `step` is "connect", "auth", "from", "to" or "data"."""
    match_ = _ENHANCED.match(said)
    enhanced = match_[1].decode("ascii") if match_ else ""
    shown = f"{code} {enhanced}".strip()
    if (code == 552 and enhanced != "5.2.2") or enhanced in _TOO_LARGE:
        return MailError(
            f"{where} takes no mail of this size ({shown}). Attach fewer formats, or raise the limit.",
            detail=_said(code, said),
            too_large=True,
        )
    sentence = _SMTP.get(enhanced)
    if sentence is None:
        sentence = _by_step(code, enhanced, step)
    text = sentence.format(
        where=where, sender=sender, user=user or "this machine", recipient=recipient or "the recipient"
    )
    text = text[:1].upper() + text[1:] if text.startswith("the ") else text
    return MailError(f"{text} ({shown}).", detail=_said(code, said))


def _by_step(code: int, enhanced: str, step: str) -> str:
    if step == "auth":
        if code == 454 or 400 <= code < 500:
            return "{where} could not check the sign-in of {user} just now. Try again later"
        return "{where} refused the sign-in of {user}. Check user and password, and whether it may sign in by SMTP"
    if code in (530, 538):
        return "{where} takes mail from those who signed in alone. Give a user, or have it relay for this machine"
    if code == 421 or 400 <= code < 500:
        return "{where} takes no mail just now. Try again later"
    if step == "connect":
        return "{where} does not want to talk to this machine. Have it accept connections from here"
    if step == "from":
        return "{where} does not take mail from {sender}. Check from, or have it accept that sender"
    if step == "to":
        if enhanced in _RELAY or code == 551 or not enhanced:
            return (
                "{where} does not relay mail of this machine to {recipient}. Have a receive connector allow it, or"
                " sign in"
            )
        return "{where} does not take mail to {recipient}. Check the address"
    return "{where} took the addresses and refused the mail itself. Look into its protocol log"


def _said(code: int, said: bytes) -> str:
    return f"{code} {said.decode('utf-8', 'replace')}"[:500]


# --- Entra ID ---------------------------------------------------------------------------------------------------------

_ENTRA: dict[int, str] = {
    7000215: (
        "Entra ID says that the client secret is wrong. Give the value of the secret, not its id, of application"
        " {client}"
    ),
    7000222: "The client secret of application {client} has expired. Add a new one under Certificates & secrets",
    700016: (
        "There is no application {client} in tenant {tenant}. Check client-id and tenant, and that an administrator"
        " has consented"
    ),
    7000229: (
        "Application {client} has no service principal in tenant {tenant}. Have an administrator consent to it"
        " (Enterprise applications)"
    ),
    7000112: "Application {client} is disabled. Enable it under Enterprise applications",
    90002: "There is no tenant {tenant}. Check tenant: the directory's id, or a domain of it",
    900023: "{tenant} is no id of a tenant and no domain. Check tenant",
    900971: "Application {client} is not set up to sign in. Check client-id",
    700027: (
        "Entra ID does not know the certificate, or its signature is wrong. Upload the certificate of certificate-file"
        " to application {client}"
    ),
    700024: "The clock of this machine and that of Entra ID differ. Set the clock",
    7000218: "Application {client} needs a secret or certificate. Give client-secret-file or certificate-file",
    65001: "No administrator has consented to application {client}. Grant admin consent under API permissions",
    500011: (
        "Tenant {tenant} does not know the resource that the token is for. Check endpoint or resource, and that the"
        " tenant has Exchange Online"
    ),
    500014: "The resource that the token is for is disabled in tenant {tenant}",
    70011: "Entra ID does not know the scope. Check endpoint or resource",
    1002012: "Entra ID does not know the scope. Check endpoint or resource",
    53003: "A conditional access policy of tenant {tenant} blocks application {client}. Exclude it from the policy",
    50194: "Application {client} belongs to another tenant than {tenant}. Check tenant",
}


def entra_problem(codes: Iterable[int], error: str | None, *, tenant: str, client: str) -> MailError:
    """The answer of the token endpoint that refuses: the AADSTS numbers, and the error of OAuth 2.0."""
    numbers = tuple(codes)
    shown = ", ".join(f"AADSTS{number}" for number in numbers) or error or "no code"
    for number in numbers:
        if number in _ENTRA:
            return MailError(f"{_ENTRA[number].format(tenant=tenant, client=client)} ({shown}).")
    if error == "unauthorized_client":
        sentence = f"Application {client} may not sign in by itself in tenant {tenant}. Grant admin consent"
    elif error == "invalid_client":
        sentence = f"Entra ID refused the secret or certificate of application {client}. Check which one is valid"
    else:
        sentence = f"Entra ID gave no token to application {client} of tenant {tenant}. Look the code up"
    return MailError(f"{sentence} ({shown}).")


def oauth_smtp_problem(failed: MailError, claims: Claims, *, client: str, sender: str, resource: str) -> MailError:
    """SMTP refused a token that Entra ID gave: what of it, as far as the token tells."""
    shown = f"({' '.join((failed.detail or '535').split()[:2])})"
    if claims.audience is not None and claims.audience.rstrip("/") != resource.rstrip("/"):
        sentence = (
            f"The token is for {claims.audience}, and SMTP wants one for {resource}. Check resource in"
            " [mail.smtp-oauth]"
        )
    elif claims.roles is not None and "SMTP.SendAsApp" not in claims.roles:
        sentence = (
            f"The token of application {client} has no SMTP.SendAsApp. Grant that permission of Office 365 Exchange"
            " Online with admin consent, or its role for this mailbox (RBAC for Applications)"
        )
    else:
        sentence = (
            f"Exchange does not let application {client} sign in as {sender}. Register it with New-ServicePrincipal"
            " (the Object ID of the Enterprise Application, not of the App registration), give it the mailbox with"
            " Add-MailboxPermission -AccessRights FullAccess, and check the address of the mailbox"
        )
    return MailError(f"{sentence} {shown}.", detail=failed.detail)


# --- Graph ------------------------------------------------------------------------------------------------------------

_NO_MAILBOX = frozenset(
    {"ErrorInvalidUser", "MailboxNotEnabledForRESTAPI", "Request_ResourceNotFound", "ErrorNonExistentMailbox",
     "ResourceNotFound", "ErrorItemNotFound"}
)  # fmt: skip
_LARGE = frozenset({"ErrorMessageSizeExceeded", "RequestBodyTooLarge", "ErrorRequestSizeExceeded"})
_LIMITS = frozenset({"ErrorExceededMessageLimit", "ErrorSubmissionQuotaExceeded"})


def graph_problem(
    status: int, code: str, claims: Claims, *, host: str, client: str, sender: str, needed: Collection[str]
) -> MailError:
    """The answer of Microsoft Graph that refuses. `needed` are the permissions that the request takes."""
    shown = f"({status} {code})" if code else f"({status})"
    if status == 413 or code in _LARGE:
        return MailError(f"{host} takes no mail of this size {shown}. Attach fewer formats.", too_large=True)
    if code == "ErrorSendAsDenied":
        sentence = f"Application {client} may not send as that address. Take {sender} as from, or give it Send As"
    elif code in _NO_MAILBOX or status == 404:
        sentence = f"{sender} is no mailbox of Exchange Online. Check sender; a mailbox on premises takes [mail.smtp]"
    elif status == 401:
        sentence = f"{host} does not take the token. Check endpoint: it must be of the cloud that the tenant is in"
    elif status == 403:
        missing = [role for role in needed if claims.roles is not None and role not in claims.roles]
        if missing:
            sentence = (
                f"The token of application {client} has no {' and no '.join(missing)}. Grant that application"
                " permission of Graph with admin consent, or its role for this mailbox (RBAC for Applications)"
            )
        else:
            sentence = (
                f"Application {client} may not use the mailbox {sender}. Check that {' and '.join(needed)} has admin"
                " consent, and that the mailbox is in the scope of the application (RBAC for Applications, or an"
                " application access policy)"
            )
    elif code == "ErrorInvalidRecipients":
        sentence = "Exchange Online does not know a recipient. Check to and cc"
    elif code in _LIMITS:
        sentence = f"The mailbox {sender} has sent as much as it may today"
    elif code == "ErrorQuotaExceeded":
        sentence = f"The mailbox {sender} is full"
    elif status == 429:
        sentence = f"{host} takes no more requests just now, for longer than mapiready waits. Try again later"
    elif status >= 500:
        sentence = f"{host} is out of order just now. Try again later"
    else:
        sentence = f"{host} refused the mail. Look the code up"
    return MailError(f"{sentence} {shown}.")
