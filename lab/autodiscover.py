"""Autodiscover as a server speaks it (POX, [MS-OXDSCLI]), to whoever has signed in: /autodiscover/autodiscover.xml."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC
from uuid import NAMESPACE_DNS, uuid5
from xml.sax.saxutils import escape

from lab.scenario import Mailbox, Scenario, Server
from lab.web import Request, Response

__all__ = ["autodiscover_answer"]

_PATH = "/autodiscover/autodiscover.xml"
_REQUEST = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006}"
_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_INVALID_REQUEST, _NOT_FOUND, _NO_PROVIDER = 600, 500, 601
_MESSAGES = {
    _INVALID_REQUEST: "Invalid Request",
    _NOT_FOUND: "The e-mail address can't be found.",
    _NO_PROVIDER: "Provider is not available",
}


def autodiscover_answer(
    scenario: Scenario, server: Server, request: Request, more: tuple[tuple[str, str], ...]
) -> Response:
    """What /autodiscover answers."""
    if request.path.casefold() != _PATH:
        return Response(404, "Not Found", more)
    return Response(200, "OK", (("Content-Type", "text/xml; charset=utf-8"), *more), _xml(scenario, server, request))


def _xml(scenario: Scenario, server: Server, request: Request) -> bytes:
    settings = server.autodiscover
    if settings.error is not None:
        return _error(scenario, settings.error)
    try:
        address, schema = _asked(request)
    except ValueError:
        return _error(scenario, _INVALID_REQUEST)
    if schema != _SCHEMA:
        return _error(scenario, _NO_PROVIDER)
    if settings.redirect_url is not None:
        return _response(_told("redirectUrl", RedirectUrl=settings.redirect_url))
    if settings.redirect_address is not None:
        return _response(_told("redirectAddr", RedirectAddr=settings.redirect_address))
    name, _, domain = address.rpartition("@")
    mailbox = scenario.mailbox(name) if domain.casefold() == scenario.organisation.domain else None
    if mailbox is None:
        return _error(scenario, _NOT_FOUND)
    protocols = "".join(_protocols(scenario, server, mailbox, request))
    user = (
        f"<User><DisplayName>{escape(mailbox.name)}</DisplayName>"
        f"<LegacyDN>{escape(scenario.legacy_dn_of(mailbox.name))}</LegacyDN>"
        f"<AutoDiscoverSMTPAddress>{escape(scenario.address_of(mailbox.name))}</AutoDiscoverSMTPAddress>"
        f"<DeploymentId>{uuid5(NAMESPACE_DNS, scenario.organisation.domain)}</DeploymentId></User>"
    )
    account = f"<Account><AccountType>email</AccountType><Action>settings</Action>{protocols}</Account>"
    return _response(user + account)


def _asked(request: Request) -> tuple[str, str]:
    """The address and the schema that a request is about; ValueError when it is none."""
    if request.method != "POST" or b"<!DOCTYPE" in request.body or b"<!ENTITY" in request.body:
        raise ValueError("not a request")
    try:
        root = ET.fromstring(request.body)  # noqa: S314 - no entities: those were refused above
    except (ET.ParseError, LookupError) as error:
        raise ValueError("not XML") from error
    address = root.findtext(f"{_REQUEST}Request/{_REQUEST}EMailAddress")
    schema = root.findtext(f"{_REQUEST}Request/{_REQUEST}AcceptableResponseSchema")
    if not address or not schema:
        raise ValueError("not a request")
    return address.strip(), schema.strip()


def _told(action: str, **values: str) -> str:
    more = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return f"<Account><Action>{action}</Action>{more}</Account>"


def _response(inner: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\r\n'
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">'
        f'<Response xmlns="{_SCHEMA}">{inner}</Response></Autodiscover>'
    ).encode()


def _error(scenario: Scenario, code: int) -> bytes:
    time = scenario.now.astimezone(UTC).strftime("%H:%M:%S.0000000")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\r\n'
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response>'
        f'<Error Time="{time}" Id="1054084152"><ErrorCode>{code}</ErrorCode>'
        f"<Message>{escape(_MESSAGES.get(code, 'Unknown'))}</Message><DebugData /></Error></Response></Autodiscover>"
    ).encode()


# --- protocols --------------------------------------------------------------------------------------------------------


def _protocols(scenario: Scenario, server: Server, mailbox: Mailbox, request: Request) -> Iterator[str]:
    mapi = _mapi_http(scenario, server, mailbox) if _capable(request) else ""
    if mapi:
        yield mapi
    if not mapi or server.autodiscover.tells_expr_beside:
        yield from _rpc_http(scenario, server, mailbox, request)
    yield _web(server)


def _capable(request: Request) -> bool:
    """Whether the client knows MAPI over HTTP (X-MapiHttpCapability); what is no number counts as absent."""
    value = (request.first("x-mapihttpcapability") or "").strip()
    return value.isascii() and value.isdecimal() and int(value) >= 1


def _mapi_http(scenario: Scenario, server: Server, mailbox: Mailbox) -> str:
    """The protocol mapiHttp; empty where the server does not tell of it."""
    settings = server.autodiscover
    if not (scenario.mapi_http_effective(mailbox) and settings.tells_mapi_http and server.mapi):
        return ""
    directory = server.mapi[0]
    query = f"?MailboxId={scenario.mailbox_id_of(mailbox.name)}" if settings.with_mailbox_id else ""

    def store(element: str, endpoint: str) -> str:
        inner = ""
        for kind, url in (("InternalUrl", directory.internal_url), ("ExternalUrl", directory.external_url)):
            if url is None:
                continue
            host = settings.host or url.partition("://")[2].partition("/")[0]
            inner += f"<{kind}>{escape(f'{settings.scheme}://{host}{settings.path}/{endpoint}/{query}')}</{kind}>"
        return f"<{element}>{inner}</{element}>" if inner else ""

    stores = store("MailStore", "emsmdb") + store("AddressBook", "nspi")
    return f'<Protocol Type="mapiHttp" Version="1">{stores}</Protocol>' if stores else ""


def _rpc_http(scenario: Scenario, server: Server, mailbox: Mailbox, request: Request) -> Iterator[str]:
    anywhere = server.outlook_anywhere
    personal = scenario.mailbox_id_of(mailbox.name)
    organisation = f"/o={scenario.organisation.name}"
    yield (
        f"<Protocol><Type>EXCH</Type><Server>{personal}</Server>"
        f"<ServerDN>{escape(organisation)}/cn=Configuration/cn=Servers/cn={personal}</ServerDN>"
        f"<ServerVersion>{_version(server)}</ServerVersion><AuthPackage>Anonymous</AuthPackage></Protocol>"
    )
    if anywhere is None:
        return
    if anywhere.external_hostname:
        yield _expr("EXPR", anywhere.external_hostname, anywhere.external_client_authentication)
    if "exhttpinfo" in (request.first("x-clientcanhandle") or "").casefold():
        if anywhere.internal_hostname:
            yield _expr("EXHTTP", anywhere.internal_hostname, anywhere.internal_client_authentication)
        if anywhere.external_hostname:
            yield _expr("EXHTTP", anywhere.external_hostname, anywhere.external_client_authentication)


def _expr(kind: str, host: str, package: str) -> str:
    return (
        f"<Protocol><Type>{kind}</Type><Server>{escape(host)}</Server><SSL>On</SSL>"
        f"<AuthPackage>{escape(package)}</AuthPackage><CertPrincipalName>None</CertPrincipalName></Protocol>"
    )


def _version(server: Server) -> str:
    """As ServerVersion has it: 0x73C1840A and the like."""
    major, minor, build, _ = server.version
    return f"{(7 << 28) | (major << 22) | (minor << 16) | (1 << 15) | build:08X}"


def _web(server: Server) -> str:
    internal = f"https://{server.fqdn}/owa/"
    return (
        f'<Protocol><Type>WEB</Type><Internal><OWAUrl AuthenticationMethod="Basic, Fba">{escape(internal)}</OWAUrl>'
        "</Internal></Protocol>"
    )
