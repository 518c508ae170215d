"""Facts for tests: an organisation that is well, one keyword away from what a test is about."""

from typing import TypeVar

from checker import Collected, Missing, NotCollected, Reason, Subject, SubjectKind
from checker.facts.connectivity import ProbeResult
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere, ServerDirectories
from checker.facts.organisation import OrganizationConfig
from checker.facts.run import ServerSelection
from checker.facts.servers import ClientAccessService, ExchangeServer, Version

T = TypeVar("T")

DOMAIN = "contoso.test"
EVERY_SERVER = ServerSelection(None)
EXCHANGE_2019 = Version(15, 2, 1748, 10)
UNKNOWN = NotCollected(Reason.TIMED_OUT, "EX01 did not answer in time; try again.")


def organization(
    *,
    name: str = "Contoso",
    mapi_http_enabled: bool | NotCollected = True,
    modern_authentication: bool | NotCollected = False,
    default_policy: str | None | NotCollected = None,
    answered_by: str = f"ex01.{DOMAIN}",
) -> OrganizationConfig:
    return OrganizationConfig(name, mapi_http_enabled, modern_authentication, default_policy, answered_by)


def exchange_server(
    name: str = "EX01",
    *,
    version: Version | NotCollected = EXCHANGE_2019,
    site: str | NotCollected = "Vienna",
    is_client_access: bool | NotCollected = True,
    is_mailbox: bool | NotCollected = True,
) -> ExchangeServer:
    return ExchangeServer(name, f"{name.lower()}.{DOMAIN}", version, site, is_client_access, is_mailbox)


def client_access_service(
    name: str = "EX01",
    *,
    autodiscover_uri: str | None | NotCollected = f"https://autodiscover.{DOMAIN}/Autodiscover/Autodiscover.xml",
) -> ClientAccessService:
    return ClientAccessService(name, f"{name.lower()}.{DOMAIN}", autodiscover_uri)


def mapi_directory(
    server: str = "EX01",
    *,
    name: str = "mapi",
    web_site: str = "Default Web Site",
    internal_url: str | None | NotCollected = f"https://mail.{DOMAIN}/mapi",
    external_url: str | None | NotCollected = f"https://mail.{DOMAIN}/mapi",
    authentication_methods: tuple[str, ...] | NotCollected = ("Ntlm", "OAuth", "Negotiate"),
) -> MapiVirtualDirectory:
    identity = f"{server}\\{name} ({web_site})"
    return MapiVirtualDirectory(identity, server, web_site, internal_url, external_url, authentication_methods)


def outlook_anywhere(
    server: str = "EX01",
    *,
    internal_hostname: str | None | NotCollected = f"mail.{DOMAIN}",
    external_hostname: str | None | NotCollected = f"mail.{DOMAIN}",
    ssl_offloading: bool | NotCollected = False,
    authentication_methods: tuple[str, ...] | NotCollected = ("Basic", "Ntlm", "Negotiate"),
    internal_client_method: str | None | NotCollected = "Ntlm",
    external_client_method: str | None | NotCollected = "Negotiate",
) -> OutlookAnywhere:
    return OutlookAnywhere(
        f"{server}\\Rpc (Default Web Site)",
        server,
        internal_hostname,
        external_hostname,
        ssl_offloading,
        authentication_methods,
        internal_client_method,
        external_client_method,
    )


def server_directories(
    server: ExchangeServer | None = None,
    *,
    mapi: tuple[MapiVirtualDirectory, ...] | None = None,
    outlook_anywhere: tuple[OutlookAnywhere, ...] | NotCollected = (),
) -> ServerDirectories:
    server = server or exchange_server()
    return ServerDirectories(server, (mapi_directory(server.name),) if mapi is None else mapi, outlook_anywhere)


def probe_result(
    result: str = "Succeeded",
    *,
    server: str = "EX01",
    probe: str = "OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe",
    error: str = "",
    exception: str = "",
) -> ProbeResult:
    return ProbeResult(server, probe, result, error, exception)


def missing_server(name: str = "EX09", because: NotCollected = UNKNOWN) -> Missing:
    return Missing(Subject(SubjectKind.SERVER, name, server=name), because)


def collected(*items: T, missing: tuple[Missing, ...] = ()) -> Collected[T]:
    return Collected(items, missing)
