"""What may be wrong with an organisation, by name: pure functions from a Scenario to a Scenario.

A fault is written "name" or "name:argument". The argument is, by the kind of the fault,

    a server        EX01, or "*" for every server with a web site; without one, the first such server
    a host          a name that clients use; without one, the first
    a certificate   a host: that name alone gets such a certificate (an SNI binding); without one, "main" does
    mailboxes       how many; without a number, one
    a number        7, or EX01=7, or EX01 alone: a code, a count, on one server or on all ("*=7")

What follows from a fault follows here too: a server without a MAPI directory answers 404 on /mapi, one that offers
Basic alone challenges with Basic alone. What anybody should conclude from that is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from lab.scenario import (
    AS_INSTALLED,
    Authentication,
    AuthenticationPolicy,
    Autodiscover,
    Balancing,
    Certificate,
    Chain,
    Component,
    Hash,
    Issuer,
    Key,
    Mailbox,
    MapiDirectory,
    MapiTrouble,
    Name,
    OutlookAnywhere,
    Page,
    ProbeNaming,
    Proxy,
    Raw,
    Resolution,
    Rule,
    Scenario,
    ScenarioError,
    Server,
    Tls,
    Trouble,
    Vantage,
    Wire,
)

__all__ = ["ACCOUNT_FAULTS", "FAULTS", "Fault", "apply"]

Fault: TypeAlias = Callable[[Scenario, str], Scenario]

EXCHANGE_HEADERS = ("request-id", "X-OWA-Version", "X-FailureContext", "X-FEServer", "X-Powered-By", "Server")


def apply(scenario: Scenario, fault: str) -> Scenario:
    """The scenario with the fault "name" or "name:argument" in it.

    Raises:
        ScenarioError: no such fault, or its argument does not exist here.
    """
    name, _, argument = fault.partition(":")
    if name not in FAULTS:
        raise ScenarioError(f"There is no fault {name!r}; there are {', '.join(sorted(FAULTS))}.")
    changed = FAULTS[name](scenario, argument)
    return replace(changed, faults=(*changed.faults, fault))


# --- whom a fault concerns --------------------------------------------------------------------------------------------


def _web_servers(scenario: Scenario, argument: str) -> tuple[Server, ...]:
    servers = tuple(server for server in scenario.servers if server.answers_clients)
    if argument == "*":
        return servers
    return (scenario.server(argument),) if argument else servers[:1]


def _host(scenario: Scenario, argument: str) -> Name:
    return scenario.name_of(argument) if argument else scenario.names[0]


def _on_server(change: Callable[[Server], Server]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        for server in _web_servers(scenario, argument):
            scenario = scenario.with_server(change(server))
        return scenario

    return fault


def _on_directory(change: Callable[[Scenario, Server, MapiDirectory], MapiDirectory]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        for server in _web_servers(scenario, argument):
            directories = tuple(change(scenario, server, directory) for directory in server.mapi)
            scenario = scenario.with_server(replace(server, mapi=directories))
        return scenario

    return fault


def _on_name(change: Callable[[Name], Name]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        return scenario.with_name(change(_host(scenario, argument)))

    return fault


def _on_certificate(change: Callable[[Certificate], Certificate]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        if not argument or argument in scenario.certificates:
            key = argument or "main"
            return scenario.with_certificate(key, change(scenario.certificates[key]))
        name = _host(scenario, argument)
        scenario, key = _own_certificate(scenario, name)
        return scenario.with_certificate(key, change(scenario.certificates[key]))

    return fault


def _own_certificate(scenario: Scenario, name: Name) -> tuple[Scenario, str]:
    """A certificate that only this name is served with, and its key."""
    served = name.proxy.certificate if name.proxy else name.certificate or scenario.server(name.servers[0]).certificate
    key = f"{name.host} alone"
    certificate = replace(scenario.certificates[served], common_name=name.host, names=(name.host,))
    scenario = scenario.with_certificate(key, certificate)
    if name.proxy:
        return scenario.with_name(replace(name, proxy=replace(name.proxy, certificate=key))), key
    return scenario.with_name(replace(name, certificate=key)), key


# --- the organisation -------------------------------------------------------------------------------------------------


def _switch(value: bool | None) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        return replace(scenario, organisation=replace(scenario.organisation, mapi_http_enabled=value))

    return fault


def _modern_authentication(value: bool | None) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        return replace(scenario, organisation=replace(scenario.organisation, modern_authentication=value))

    return fault


def _policy(name: str, *, legacy: bool = False, modern: bool = False) -> Fault:
    """A default authentication policy for everybody without one of their own."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        policy = AuthenticationPolicy(name, blocks_legacy_mapi=legacy, blocks_modern_mapi=modern)
        return replace(scenario, organisation=replace(scenario.organisation, authentication_policy=policy))

    return fault


def _oauth_certificate(change: Callable[[Certificate], Certificate]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        organisation = scenario.organisation
        changed = replace(organisation, oauth_certificate=change(organisation.oauth_certificate))
        return replace(scenario, organisation=changed)

    return fault


def _no_argument(scenario: Scenario, argument: str) -> None:
    if argument:
        raise ScenarioError(f"{scenario.name}: this fault concerns the whole organisation and takes no {argument!r}.")


# --- servers ----------------------------------------------------------------------------------------------------------


def _becomes_2013_cu3(server: Server) -> Server:
    """Two updates before MAPI over HTTP came."""
    return replace(server, build="15.0.775.38", update="15.0.775.38", mapi=())


def _becomes(build: str, update: str) -> Fault:
    return _on_server(lambda server: replace(server, build=build, update=update))


def _account(account: str | None) -> Fault:
    return _on_server(lambda server: replace(server, alternate_service_account=account))


def _stopped(service: str) -> Fault:
    return _on_server(lambda server: replace(server, stopped_services=(*server.stopped_services, service)))


def _unhealthy(health_set: str) -> Fault:
    return _on_server(lambda server: replace(server, unhealthy=(*server.unhealthy, health_set)))


def _becomes_2010(server: Server) -> Server:
    anywhere = server.outlook_anywhere
    return replace(
        server,
        build="14.3.123.4",
        update="14.3.513.0",
        mapi=(),
        probes=(),
        outlook_anywhere=replace(anywhere, internal_hostname=None) if anywhere else None,
    )


def _held(component: str, requester: str) -> Fault:
    return _on_server(lambda server: replace(server, inactive=(*server.inactive, Component(component, requester))))


def _answers(path: str, page: Page) -> Fault:
    return _on_server(lambda server: replace(server, rules=(Rule(path, page), *server.rules)))


def _server_wire(wire: Wire) -> Fault:
    return _on_server(lambda server: replace(server, wire=wire))


def _probe(probe_name: str, *, result: str | None = None, naming: ProbeNaming | None = None) -> Fault:
    errors = {
        "Failed": "The remote server returned an error: (503) Server Unavailable.",
        "TimedOut": "The operation has timed out.",
    }

    def change(server: Server) -> Server:
        probes = tuple(
            replace(
                probe,
                result=result or probe.result,
                error=errors.get(result or "", probe.error),
                exception=f"System.Net.WebException: {errors[result]}" if result in errors else probe.exception,
                naming=naming or probe.naming,
            )
            if probe.name == probe_name
            else probe
            for probe in server.probes
        )
        return replace(server, probes=probes)

    return _on_server(change)


# --- virtual directories ----------------------------------------------------------------------------------------------


def _second_directory(server: Server) -> Server:
    return replace(server, mapi=(*server.mapi, *(replace(directory, name="mapi2") for directory in server.mapi[:1])))


def _internal_url(make: Callable[[str], str | None]) -> Fault:
    return _on_directory(
        lambda _scenario, _server, directory: replace(directory, internal_url=make(directory.internal_url or ""))
    )


def _external_url(make: Callable[[str], str | None]) -> Fault:
    return _on_directory(
        lambda _scenario, _server, directory: replace(
            directory, external_url=make(directory.external_url or directory.internal_url or "")
        )
    )


def _with_http(url: str) -> str:
    return url.replace("https://", "http://", 1)


def _with_ip(url: str) -> str:
    return f"https://192.0.2.10{_path_of(url)}"


def _with_port(url: str) -> str:
    return f"https://{_host_of(url)}:8443{_path_of(url)}"


def _with_other_path(url: str) -> str:
    return f"https://{_host_of(url)}/mapi/emsmdb"


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _path_of(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2]


def _single_label(attribute: str) -> Fault:
    """The server's short name in a URL. It resolves (the domain's suffix is added) and the certificate names it."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        for server in _web_servers(scenario, argument):
            label = server.name.lower()
            url = f"https://{label}/mapi"
            directories = tuple(
                replace(directory, internal_url=url)
                if attribute == "internal_url"
                else replace(directory, external_url=url)
                for directory in server.mapi
            )
            scenario = scenario.with_server(replace(server, mapi=directories))
            scenario = _also_named(scenario, Name(label, (server.name,), vantage=Vantage.INSIDE), server.certificate)
        return scenario

    return fault


def _also_named(scenario: Scenario, name: Name, certificate_key: str) -> Scenario:
    certificate = scenario.certificates[certificate_key]
    scenario = replace(scenario, names=(*scenario.names, name))
    return scenario.with_certificate(certificate_key, replace(certificate, names=(*certificate.names, name.host)))


def _methods(*methods: str, offered: tuple[str, ...] | None = None) -> Fault:
    return _on_directory(
        lambda _scenario, _server, directory: replace(directory, authentication=methods, offered=offered)
    )


def _extended_protection(value: str) -> Fault:
    return _on_directory(lambda _scenario, _server, directory: replace(directory, extended_protection=value))


def _other_url(attribute: str) -> Fault:
    """One server's URL names a host of its own, which leads there and is covered."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        for server in _web_servers(scenario, argument):
            host = f"{server.name.lower()}-post.{scenario.organisation.domain}"
            url = f"https://{host}/mapi"
            directories = tuple(
                replace(directory, internal_url=url)
                if attribute == "internal_url"
                else replace(directory, external_url=url)
                for directory in server.mapi
            )
            scenario = scenario.with_server(replace(server, mapi=directories))
            scenario = _also_named(scenario, Name(host, (server.name,)), server.certificate)
        return scenario

    return fault


def _own_name(scenario: Scenario, argument: str) -> Scenario:
    """All URLs of /mapi name a host of their own, which leads to all servers and is covered."""
    _no_argument(scenario, argument)
    host = f"mapi.{scenario.organisation.domain}"
    servers = _web_servers(scenario, "*")
    for server in servers:
        directories = tuple(
            replace(directory, internal_url=f"https://{host}/mapi", external_url=f"https://{host}/mapi")
            for directory in server.mapi
        )
        scenario = scenario.with_server(replace(server, mapi=directories))
    for key in dict.fromkeys(server.certificate for server in servers):
        certificate = scenario.certificates[key]
        scenario = scenario.with_certificate(key, replace(certificate, names=(*certificate.names, host)))
    return replace(scenario, names=(*scenario.names, Name(host, tuple(server.name for server in servers))))


def _offers_besides(method: str) -> Fault:
    return _on_directory(
        lambda _scenario, _server, directory: replace(directory, authentication=(*directory.authentication, method))
    )


def _iis_offers(*methods: str) -> Fault:
    return _on_directory(lambda _scenario, _server, directory: replace(directory, offered=methods))


def _on_anywhere(change: Callable[[OutlookAnywhere], OutlookAnywhere]) -> Fault:
    def on_server(server: Server) -> Server:
        anywhere = server.outlook_anywhere
        return replace(server, outlook_anywhere=change(anywhere) if anywhere else None)

    return _on_server(on_server)


def _nothing_published(scenario: Scenario, argument: str) -> Scenario:
    """No way in from outside: neither ExternalUrl nor ExternalHostname, and DNS outside does not know the names."""
    _no_argument(scenario, argument)
    for server in scenario.servers:
        anywhere = server.outlook_anywhere
        scenario = scenario.with_server(
            replace(
                server,
                mapi=tuple(replace(directory, external_url=None) for directory in server.mapi),
                outlook_anywhere=replace(anywhere, external_hostname=None) if anywhere else None,
            )
        )
    used = {_host_of(url) for server in scenario.servers for url in _urls(server)}
    used |= {server.outlook_anywhere.internal_hostname or "" for server in scenario.servers if server.outlook_anywhere}
    names = tuple(replace(name, vantage=Vantage.INSIDE) for name in scenario.names if name.host in used)
    return replace(scenario, names=names)


def _urls(server: Server) -> Iterable[str]:
    for directory in server.mapi:
        yield from (url for url in (directory.internal_url, directory.external_url) if url)
    if server.autodiscover_uri:
        yield server.autodiscover_uri


# --- names, proxies ---------------------------------------------------------------------------------------------------


def _leads_to(scenario: Scenario, argument: str) -> Scenario:
    """HOST=SERVER: whoever stands behind the name now, it is this server alone, and nobody asks for its health."""
    host, _, server = argument.partition("=")
    name = replace(_host(scenario, host), servers=(scenario.server(server).name,), health_checked=False)
    return scenario.with_name(name)


def _behind_proxy(change: Callable[[Proxy], Proxy]) -> Fault:
    """Put a reverse proxy in front of a name, with the certificate that clients saw before, and change it."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        name = _host(scenario, argument)
        served = name.certificate or scenario.server(name.servers[0]).certificate
        return scenario.with_name(replace(name, proxy=change(name.proxy or Proxy(served))))

    return fault


def _proxy_answers(path: str, page: Page) -> Fault:
    return _behind_proxy(lambda proxy: replace(proxy, rules=(Rule(path, page), *proxy.rules)))


def _proxy_strips(*headers: str) -> Fault:
    return _behind_proxy(lambda proxy: replace(proxy, stripped=(*proxy.stripped, *headers)))


def _proxy_own_certificate(scenario: Scenario, argument: str) -> Scenario:
    """The proxy has a certificate of its own: as good as the servers', but another one."""
    name = _host(scenario, argument)
    scenario = _behind_proxy(lambda proxy: proxy)(scenario, name.host)
    scenario, _ = _own_certificate(scenario, scenario.name_of(name.host))
    return scenario


def _pins_health(scenario: Scenario, argument: str) -> Scenario:
    """A proxy that asks the first server for every health page, and looks at nobody's health itself."""
    scenario = _behind_proxy(lambda proxy: proxy)(scenario, argument)
    name = _host(scenario, argument)
    return scenario.with_name(replace(name, balancing=Balancing.PINNED_HEALTH, health_checked=False))


def _resolves(resolution: Resolution) -> Fault:
    return _on_name(lambda name: replace(name, resolution=resolution))


def _name_wire(wire: Wire) -> Fault:
    return _on_name(lambda name: replace(name, wire=wire))


# --- certificates -----------------------------------------------------------------------------------------------------


def _lacks_name(scenario: Scenario, argument: str) -> Scenario:
    """The certificate that a host is served with does not name it; without an argument, the last name."""
    name = _host(scenario, argument or scenario.names[-1].host)
    served = name.proxy.certificate if name.proxy else name.certificate or scenario.server(name.servers[0]).certificate
    certificate = scenario.certificates[served]
    others = tuple(host for host in certificate.names if host != name.host) or (f"www.{scenario.organisation.domain}",)
    return scenario.with_certificate(served, replace(certificate, common_name=others[0], names=others))


def _wildcard(scenario: Scenario, argument: str) -> Scenario:
    """A wildcard for the domain: right for every name one label below it."""
    _no_argument(scenario, argument)
    domain = scenario.organisation.domain
    certificate = replace(scenario.certificates["main"], common_name=f"*.{domain}", names=(f"*.{domain}", domain))
    return scenario.with_certificate("main", certificate)


def _wildcard_too_deep(scenario: Scenario, argument: str) -> Scenario:
    """The host moves one label down (mail.emea.contoso.test), where *.contoso.test does not reach."""
    name = _host(scenario, argument)
    label, _, rest = name.host.partition(".")
    moved = _rehosted(scenario, name.host, f"{label}.emea.{rest}")
    return _wildcard(moved, "")


def _rehosted(scenario: Scenario, old: str, new: str) -> Scenario:
    def url(value: str | None) -> str | None:
        return value.replace(f"://{old}/", f"://{new}/", 1) if value else value

    def host(value: str | None) -> str | None:
        return new if value == old else value

    for server in scenario.servers:
        anywhere = server.outlook_anywhere
        scenario = scenario.with_server(
            replace(
                server,
                autodiscover_uri=url(server.autodiscover_uri),
                mapi=tuple(
                    replace(
                        directory, internal_url=url(directory.internal_url), external_url=url(directory.external_url)
                    )
                    for directory in server.mapi
                ),
                outlook_anywhere=replace(
                    anywhere,
                    internal_hostname=host(anywhere.internal_hostname),
                    external_hostname=host(anywhere.external_hostname),
                )
                if anywhere
                else None,
            )
        )
    names = tuple(replace(name, host=new) if name.host == old else name for name in scenario.names)
    return replace(scenario, names=names)


def _name_only_in_cn(scenario: Scenario, argument: str) -> Scenario:
    name = _host(scenario, argument)
    scenario, key = _own_certificate(scenario, name)
    return scenario.with_certificate(key, replace(scenario.certificates[key], common_name=name.host, names=()))


def _certificate(**changes: object) -> Fault:
    return _on_certificate(lambda certificate: replace(certificate, **changes))  # type: ignore[arg-type]


# --- mailboxes --------------------------------------------------------------------------------------------------------


def _number(scenario: Scenario, argument: str, without: int) -> int:
    if not argument:
        return without
    if not argument.isdecimal() or not argument.isascii():
        raise ScenarioError(f"{scenario.name}: this fault concerns mailboxes and takes their number, not {argument!r}.")
    return int(argument)


def _mailboxes(prefix: str, change: Callable[[Mailbox, str], Mailbox]) -> Fault:
    """Some more mailboxes, each with a setting of its own; the change is told the organisation's domain."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        numbers = range(1, _number(scenario, argument, 1) + 1)
        domain = scenario.organisation.domain
        more = (change(Mailbox(f"{prefix}{number}"), domain) for number in numbers)
        mailboxes = replace(scenario.mailboxes, special=(*scenario.mailboxes.special, *more))
        return replace(scenario, mailboxes=mailboxes)

    return fault


def _so_many(scenario: Scenario, argument: str) -> Scenario:
    """So many mailboxes as created; without a number, more than anybody looks at without being asked to."""
    return replace(scenario, mailboxes=replace(scenario.mailboxes, count=_number(scenario, argument, 5_001)))


def _tls(versions: Tls) -> Fault:
    return _on_server(lambda server: replace(server, tls=versions))


def _own_of_server(**changes: object) -> Fault:
    """The server alone has another certificate than the others, which Exchange knows of."""

    def change(scenario: Scenario, server: Server) -> Scenario:
        scenario, key = _another(scenario, server, **changes)
        return scenario.with_server(replace(server, certificate=key))

    return _in_scenario_of_server(change)


def _another(scenario: Scenario, server: Server, **changes: object) -> tuple[Scenario, str]:
    """A certificate of one server's own: issued a day after the one that it had, with changes."""
    key, had = f"{server.name} alone", scenario.certificates[server.certificate]
    issued = replace(had, not_before=had.not_before + timedelta(days=1))
    return scenario.with_certificate(key, replace(issued, **changes)), key  # type: ignore[arg-type]


def _in_scenario_of_server(change: Callable[[Scenario, Server], Scenario]) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        for server in _web_servers(scenario, argument):
            scenario = change(scenario, server)
        return scenario

    return fault


def _not_bound(scenario: Scenario, server: Server) -> Scenario:
    """IIS was given another certificate by hand."""
    scenario, key = _another(scenario, server)
    return scenario.with_server(replace(server, presents=key))


# --- Autodiscover -----------------------------------------------------------------------------------------------------


def _scp(make: Callable[[str], str | None]) -> Fault:
    return _on_server(lambda server: replace(server, autodiscover_uri=make(server.autodiscover_uri or "")))


def _scp_own_name(scenario: Scenario, server: Server) -> Scenario:
    """As setup leaves it: the server's own FQDN. The certificate names it."""
    certificate = scenario.certificates[server.certificate]
    named = replace(certificate, names=(*certificate.names, server.fqdn))
    uri = f"https://{server.fqdn}/Autodiscover/Autodiscover.xml"
    return scenario.with_certificate(server.certificate, named).with_server(replace(server, autodiscover_uri=uri))


# --- remote PowerShell ------------------------------------------------------------------------------------------------


def _denied(scenario: Scenario, argument: str) -> Scenario:
    """The cmdlet is in no role of any user."""
    if not argument:
        raise ScenarioError(
            f"{scenario.name}: powershell-denies needs a cmdlet: powershell-denies:Get-OutlookAnywhere."
        )
    users = tuple(replace(user, denied=(*user.denied, argument)) for user in scenario.powershell.users)
    return replace(scenario, powershell=replace(scenario.powershell, users=users))


def _not_enabled(scenario: Scenario, argument: str) -> Scenario:
    _no_argument(scenario, argument)
    users = tuple(replace(user, remote_powershell=False) for user in scenario.powershell.users)
    return replace(scenario, powershell=replace(scenario.powershell, users=users))


def _powershell(**changes: object) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        return replace(scenario, powershell=replace(scenario.powershell, **changes))  # type: ignore[arg-type]

    return fault


# --- signing in, and what lies behind it ------------------------------------------------------------------------------


def _numbered(change: Callable[[Server, int], Server], without: int) -> Fault:
    """A change with a number on one server, or on all."""

    def fault(scenario: Scenario, argument: str) -> Scenario:
        server_name, _, number = argument.rpartition("=")
        if argument and not server_name and not _is_number(argument):
            server_name, number = argument, ""
        if number and not _is_number(number):
            raise ScenarioError(f"{scenario.name}: this fault takes a number (7, EX01=0x80070005), not {number!r}.")
        for server in _web_servers(scenario, server_name):
            scenario = scenario.with_server(change(server, int(number, 0) if number else without))
        return scenario

    return fault


def _is_number(text: str) -> bool:
    return re.fullmatch(r"0x[0-9A-Fa-f]{1,8}|0|[1-9][0-9]{0,9}", text) is not None


def _mapi(kind: Trouble, request: str, without: int = 0, page: Page | None = None) -> Fault:
    def change(server: Server, number: int) -> Server:
        trouble = MapiTrouble(kind, request, number, page)
        return replace(server, mapi_troubles=(*server.mapi_troubles, trouble))

    return _numbered(change, without)


def _inside(path: str, page: Page | Raw) -> Fault:
    """What is answered to those who have signed in."""
    return _on_server(lambda server: replace(server, rules=(Rule(path, page, signed_in=True), *server.rules)))


def _autodiscover(change: Callable[[Scenario, Autodiscover], Autodiscover]) -> Fault:
    def on_server(scenario: Scenario, server: Server) -> Scenario:
        return scenario.with_server(replace(server, autodiscover=change(scenario, server.autodiscover)))

    return _in_scenario_of_server(on_server)


def _autodiscover_error(server: Server, number: int) -> Server:
    return replace(server, autodiscover=replace(server.autodiscover, error=number))


def _autodiscover_url(scenario: Scenario, scheme: str = "https", host: str | None = None) -> str:
    return f"{scheme}://{host or scenario.names[-1].host}/autodiscover/autodiscover.xml"


def _autodiscover_location(make: Callable[[Scenario], str]) -> Fault:
    """HTTP 302, to whoever has signed in."""

    def on_server(scenario: Scenario, server: Server) -> Scenario:
        head = f"HTTP/1.1 302 Found\r\nLocation: {make(scenario)}\r\nServer: Microsoft-IIS/10.0\r\n"
        answer = Raw(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        rule = Rule(_AUTODISCOVER, answer, signed_in=True)
        return scenario.with_server(replace(server, rules=(rule, *server.rules)))

    return _in_scenario_of_server(on_server)


def _by_srv(scenario: Scenario, argument: str) -> Scenario:
    """DNS has an SRV record for Autodiscover that leads to this host."""
    name = _host(scenario, argument)
    record = f"_autodiscover._tcp.{scenario.organisation.domain}"
    return replace(scenario, services={**scenario.services, record: (name.host, 443)})


def _by_http_redirect(scenario: Scenario, argument: str) -> Scenario:
    """A plain http site at this host sends everybody to Autodiscover on the first name."""
    name = _host(scenario, argument or scenario.names[-1].host)
    return scenario.with_name(replace(name, http_redirect=_autodiscover_url(scenario, host=scenario.names[0].host)))


def _mailbox_of_account(**changes: object) -> Fault:
    def fault(scenario: Scenario, argument: str) -> Scenario:
        _no_argument(scenario, argument)
        name = scenario.account.name
        own = scenario.mailbox(name) or Mailbox(name)
        others = tuple(mailbox for mailbox in scenario.mailboxes.special if mailbox.name != own.name)
        changed = replace(own, **changes)  # type: ignore[arg-type]
        return replace(scenario, mailboxes=replace(scenario.mailboxes, special=(*others, changed)))

    return fault


def _account_locks(scenario: Scenario, argument: str) -> Scenario:
    """So many wrong passwords in a row lock the test account; without a number, three."""
    return replace(scenario, account=replace(scenario.account, locks_after=_number(scenario, argument, 3)))


def _balances_per_request(scenario: Scenario, argument: str) -> Scenario:
    """A proxy with the servers' certificate that sends each request of a client to the next server."""
    scenario = _behind_proxy(lambda proxy: proxy)(scenario, argument)
    return scenario.with_name(replace(_host(scenario, argument), balancing=Balancing.PER_REQUEST))


def _proxy_withholds(*headers: str) -> Fault:
    return _behind_proxy(lambda proxy: replace(proxy, withheld=(*proxy.withheld, *headers)))


def _proxy_strips_cookies(scenario: Scenario, argument: str) -> Scenario:
    scenario = _proxy_strips("Set-Cookie")(scenario, argument)
    return _proxy_withholds("Cookie")(scenario, argument)


def _proxy_answers_only(path: str, page: Page, *, methods: tuple[str, ...] = (), signed_in: bool = False) -> Fault:
    rule = Rule(path, page, methods=methods, signed_in=signed_in)
    return _behind_proxy(lambda proxy: replace(proxy, rules=(rule, *proxy.rules)))


_AUTODISCOVER = "/autodiscover/autodiscover.xml"
_RPC_VERBS = ("RPC_IN_DATA", "RPC_OUT_DATA")
_ACCESS_DENIED = 0x80070005
_LOGON_FAILED = 0x80040111
_MAPI_HEADERS = ("X-RequestType", "X-RequestId", "X-ResponseCode", "X-ServerApplication", "X-ExpirationInfo")

_MAPI_PROBE = "OutlookMapiHttpSelfTestProbe"
_LOGON_PROBE = "OutlookMapiHttpDeepTestProbe"
_RPC_PROBE = "OutlookRpcSelfTestProbe"
_MAPI_HEALTH = "/mapi/healthcheck.htm"
_RPC_HEALTH = "/rpc/healthcheck.htm"
_RPC_PROXY = "/rpc/rpcproxy.dll"

_OF_ACCOUNT: dict[str, Fault] = {
    # the account
    "account-locks-after": _account_locks,
    "account-mapi-disabled": _mailbox_of_account(mapi_enabled=False),
    "account-mapi-http-off": _mailbox_of_account(mapi_http_enabled=False),
    "account-mapi-http-on": _mailbox_of_account(mapi_http_enabled=True),
    # signing in
    "server-cannot-ask-domain": _on_server(lambda server: replace(server, asks_domain=False)),
    "rpc-extended-protection-allow": _on_anywhere(lambda anywhere: replace(anywhere, extended_protection="Allow")),
    "proxy-balances-per-request": _balances_per_request,
    "proxy-asks-in-http-1-0": _behind_proxy(lambda proxy: replace(proxy, speaks_1_0=True)),
    "proxy-withholds-authorization": _proxy_withholds("Authorization"),
    # MAPI over HTTP
    "mapi-ping-fails": _mapi(Trouble.RESPONSE_CODE, "PING", 1),
    "mapi-connect-fails": _mapi(Trouble.RESPONSE_CODE, "Connect", 1),
    "mapi-connect-fails-late": _mapi(Trouble.LATE_CODE, "Connect", 1),
    "mapi-connect-refused": _mapi(Trouble.ERROR_CODE, "Connect", _ACCESS_DENIED),
    "mapi-connect-status": _mapi(Trouble.STATUS_CODE, "Connect", 1),
    "mapi-disconnect-fails": _mapi(Trouble.RESPONSE_CODE, "Disconnect", 1),
    "mapi-bind-fails": _mapi(Trouble.RESPONSE_CODE, "Bind", 1),
    "mapi-bind-fails-late": _mapi(Trouble.LATE_CODE, "Bind", 1),
    "mapi-bind-refused": _mapi(Trouble.ERROR_CODE, "Bind", _LOGON_FAILED),
    "mapi-bind-status": _mapi(Trouble.STATUS_CODE, "Bind", 1),
    "mapi-unbind-fails": _mapi(Trouble.RESPONSE_CODE, "Unbind", 1),
    "mapi-endpoint-disabled": _mapi(Trouble.RESPONSE_CODE, "*", 16),
    "mapi-nspi-disabled": _mapi(Trouble.RESPONSE_CODE, "nspi/*", 16),
    "mapi-pending": _mapi(Trouble.PENDING, "*", 3),
    "mapi-answers-without-done": _mapi(Trouble.WITHOUT_DONE, "*"),
    "mapi-answers-cut": _mapi(Trouble.CUT, "*"),
    "mapi-sends-no-cookies": _mapi(Trouble.NO_COOKIES, "*"),
    "mapi-forgets-sessions": _mapi(Trouble.FORGETS, "*"),
    "mapi-back-end-refuses": _mapi(Trouble.BACK_END_REFUSES, "*"),
    "mapi-back-end-down": _mapi(Trouble.PAGE, "*", page=Page.EXCHANGE_500),
    "proxy-mapi-login-page-after-sign-in": _proxy_answers_only("/mapi", Page.LOGIN_PAGE, signed_in=True),
    "proxy-strips-cookies": _proxy_strips_cookies,
    "proxy-strips-mapi-headers": _proxy_strips(*_MAPI_HEADERS),
    "proxy-withholds-mapi-headers": _proxy_withholds("X-*"),
    # RPC over HTTP
    "rpc-proxy-error": _numbered(lambda server, number: replace(server, rpc_error=number), 0x6BA),
    "proxy-rpc-verbs-403": _proxy_answers_only("/rpc", Page.NGINX_403, methods=_RPC_VERBS),
    "proxy-rpc-verbs-405": _proxy_answers_only("/rpc", Page.NGINX_405, methods=_RPC_VERBS),
    "proxy-rpc-verbs-dropped": _proxy_answers_only("/rpc", Page.DROPPED, methods=_RPC_VERBS),
    "proxy-rpc-503-after-sign-in": _proxy_answers_only("/rpc", Page.HAPROXY_503, signed_in=True),
    # Autodiscover
    "autodiscover-basic-only": _autodiscover(lambda _, own: replace(own, methods=("Basic",))),
    "autodiscover-lacks-mapi-http": _autodiscover(lambda _, own: replace(own, tells_mapi_http=False)),
    "autodiscover-tells-expr-beside": _autodiscover(lambda _, own: replace(own, tells_expr_beside=True)),
    "autodiscover-tells-other-host": _autodiscover(
        lambda scenario, own: replace(own, host=f"old.{scenario.organisation.domain}")
    ),
    "autodiscover-tells-http": _autodiscover(lambda _, own: replace(own, scheme="http")),
    "autodiscover-tells-other-path": _autodiscover(lambda _, own: replace(own, path="/mapi2")),
    "autodiscover-tells-no-mailbox": _autodiscover(lambda _, own: replace(own, with_mailbox_id=False)),
    "autodiscover-error": _numbered(_autodiscover_error, 600),
    "autodiscover-knows-nobody": _autodiscover(lambda _, own: replace(own, error=500)),
    "autodiscover-login-page-after-sign-in": _inside("/autodiscover", Page.LOGIN_PAGE),
    "autodiscover-redirects-to-http": _autodiscover_location(lambda scenario: _autodiscover_url(scenario, "http")),
    "autodiscover-redirects-elsewhere": _autodiscover_location(
        lambda scenario: _autodiscover_url(scenario, host=f"elsewhere.{scenario.organisation.domain}")
    ),
    "autodiscover-redirect-loop": _autodiscover_location(_autodiscover_url),
    "autodiscover-redirect-url": _autodiscover(
        lambda scenario, own: replace(own, redirect_url=_autodiscover_url(scenario, host=scenario.names[0].host))
    ),
    "autodiscover-redirect-url-to-http": _autodiscover(
        lambda scenario, own: replace(own, redirect_url=_autodiscover_url(scenario, "http"))
    ),
    "autodiscover-redirect-url-loop": _autodiscover(
        lambda scenario, own: replace(own, redirect_url=_autodiscover_url(scenario))
    ),
    "autodiscover-redirect-address": _autodiscover(
        lambda scenario, own: replace(own, redirect_address=f"{scenario.account.name}@elsewhere.test")
    ),
    "autodiscover-by-srv": _by_srv,
    "autodiscover-by-http-redirect": _by_http_redirect,
}

FAULTS: dict[str, Fault] = {
    **_OF_ACCOUNT,
    # the organisation
    "mapi-http-off": _switch(False),
    "mapi-http-on": _switch(True),
    "mapi-http-setting-absent": _switch(None),
    "modern-authentication-on": _modern_authentication(True),
    "modern-authentication-off": _modern_authentication(False),
    "authentication-policy-blocks-legacy": _policy("Block legacy", legacy=True),
    "authentication-policy-blocks-modern": _policy("Block modern", modern=True),
    "authentication-policy-blocks-nothing": _policy("Allow all"),
    "oauth-certificate-expired": _oauth_certificate(
        lambda certificate: replace(certificate, not_after=timedelta(seconds=-1))
    ),
    "oauth-certificate-not-yet-valid": _oauth_certificate(
        lambda certificate: replace(certificate, not_before=timedelta(seconds=1))
    ),
    # servers
    "server-is-2013-cu3": _on_server(_becomes_2013_cu3),
    "server-is-2010": _on_server(_becomes_2010),
    "server-refused": _server_wire(Wire.REFUSED),
    "server-reset": _server_wire(Wire.RESET),
    "server-silent": _server_wire(Wire.SILENT),
    "server-plain-http": _server_wire(Wire.PLAIN_HTTP),
    "server-in-maintenance": _held("ServerWideOffline", "Maintenance"),
    "mapi-proxy-inactive": _held("MapiProxy", "HealthAPI"),
    "rpc-proxy-inactive": _held("RpcProxy", "HealthAPI"),
    "mapi-application-missing": _answers("/mapi", Page.IIS_404),
    "mapi-pool-stopped": _answers("/mapi", Page.HTTPSYS_503),
    "mapi-health-dropped": _answers(_MAPI_HEALTH, Page.DROPPED),
    "rpc-application-missing": _answers("/rpc", Page.IIS_404),
    "rpc-pool-stopped": _answers("/rpc", Page.HTTPSYS_503),
    "rpc-open": _answers(_RPC_PROXY, Page.EMPTY_200),
    "autodiscover-proxy-inactive": _held("AutoDiscoverProxy", "HealthAPI"),
    "server-lacks-security-update": _on_server(lambda server: replace(server, update=server.build)),
    "server-is-2019-cu14": _becomes("15.2.1544.4", "15.2.1544.39"),
    "server-is-2019-cu15": _becomes("15.2.1748.10", "15.2.1748.43"),
    "service-host-stopped": _stopped("MSExchangeServiceHost"),
    "transport-stopped": _stopped("MSExchangeTransport"),
    "mapi-health-set-unhealthy": _unhealthy("OutlookMapiHttp.Protocol"),
    "search-health-set-unhealthy": _unhealthy("Search"),
    "alternate-service-account-missing": _account(None),
    "alternate-service-account-other": _account("OTHER\\OLDASA$"),
    "oauth-certificate-missing": _on_server(lambda server: replace(server, has_oauth_certificate=False)),
    "mapi-self-test-failed": _probe(_MAPI_PROBE, result="Failed"),
    "mapi-self-test-timed-out": _probe(_MAPI_PROBE, result="TimedOut"),
    "mapi-self-test-unknown": _probe(_MAPI_PROBE, naming=ProbeNaming.NONE),
    "mapi-self-test-bare-name": _probe(_MAPI_PROBE, naming=ProbeNaming.BARE),
    "rpc-self-test-failed": _probe(_RPC_PROBE, result="Failed"),
    "rpc-self-test-timed-out": _probe(_RPC_PROBE, result="TimedOut"),
    "rpc-self-test-unknown": _probe(_RPC_PROBE, naming=ProbeNaming.NONE),
    "rpc-self-test-bare-name": _probe(_RPC_PROBE, naming=ProbeNaming.BARE),
    "mapi-logon-failed": _probe(_LOGON_PROBE, result="Failed"),
    "mapi-logon-timed-out": _probe(_LOGON_PROBE, result="TimedOut"),
    "mapi-logon-unknown": _probe(_LOGON_PROBE, naming=ProbeNaming.NONE),
    "mapi-logon-bare-name": _probe(_LOGON_PROBE, naming=ProbeNaming.BARE),
    "iis-unreadable": _on_server(lambda server: replace(server, iis_readable=False)),
    # virtual directories
    "mapi-directory-missing": _on_server(lambda server: replace(server, mapi=())),
    "mapi-directory-twice": _on_server(_second_directory),
    "mapi-internal-url-http": _internal_url(_with_http),
    "mapi-internal-url-ip": _internal_url(_with_ip),
    "mapi-internal-url-port": _internal_url(_with_port),
    "mapi-internal-url-path": _internal_url(_with_other_path),
    "mapi-internal-url-missing": _internal_url(lambda _url: None),
    "mapi-internal-url-single-label": _single_label("internal_url"),
    "mapi-urls-missing": _on_directory(
        lambda _scenario, _server, directory: replace(directory, internal_url=None, external_url=None)
    ),
    "mapi-external-url-http": _external_url(_with_http),
    "mapi-external-url-ip": _external_url(_with_ip),
    "mapi-external-url-port": _external_url(_with_port),
    "mapi-external-url-path": _external_url(_with_other_path),
    "mapi-external-url-missing": _external_url(lambda _url: None),
    "mapi-external-url-single-label": _single_label("external_url"),
    "mapi-basic-only": _methods("Basic"),
    "mapi-oauth-only": _methods("OAuth"),
    "mapi-negotiate-only": _methods("Negotiate"),
    "mapi-lacks-oauth": _methods("Ntlm", "Negotiate"),
    "mapi-offers-basic": _offers_besides("Basic"),
    "mapi-iis-lacks-negotiate": _iis_offers("Ntlm", "OAuth"),
    "mapi-internal-url-other-host": _other_url("internal_url"),
    "mapi-external-url-other-host": _other_url("external_url"),
    "mapi-own-name": _own_name,
    "mapi-authentication-unknown": _methods(offered=AS_INSTALLED),
    "mapi-extended-protection": _extended_protection("Require"),
    "mapi-extended-protection-allow": _extended_protection("Allow"),
    "rpc-extended-protection": _on_anywhere(lambda anywhere: replace(anywhere, extended_protection="Require")),
    "rpc-internal-hostname-missing": _on_anywhere(lambda anywhere: replace(anywhere, internal_hostname=None)),
    "rpc-client-method-not-offered": _on_anywhere(
        lambda anywhere: replace(anywhere, internal_client_authentication="Ntlm", authentication=("Basic", "Negotiate"))
    ),
    "rpc-ssl-offloading": _on_anywhere(lambda anywhere: replace(anywhere, ssl_offloading=True)),
    "rpc-external-hostname-missing": _on_anywhere(lambda anywhere: replace(anywhere, external_hostname=None)),
    "rpc-hostnames-missing": _on_anywhere(
        lambda anywhere: replace(anywhere, internal_hostname=None, external_hostname=None)
    ),
    "rpc-directory-missing": _on_server(lambda server: replace(server, outlook_anywhere=None)),
    "nothing-published": _nothing_published,
    # names
    "name-nxdomain": _resolves(Resolution.NXDOMAIN),
    "name-no-address": _resolves(Resolution.NO_ADDRESS),
    "name-servfail": _resolves(Resolution.SERVFAIL),
    "name-refused": _name_wire(Wire.REFUSED),
    "name-reset": _name_wire(Wire.RESET),
    "name-silent": _name_wire(Wire.SILENT),
    "name-plain-http": _name_wire(Wire.PLAIN_HTTP),
    "name-leads-to": _leads_to,
    "name-round-robin": _on_name(lambda name: replace(name, balancing=Balancing.ROUND_ROBIN)),
    # reverse proxies in front of a name
    "proxy": _behind_proxy(lambda proxy: proxy),
    "proxy-own-certificate": _proxy_own_certificate,
    "proxy-strips-headers": _proxy_strips(*EXCHANGE_HEADERS),
    "proxy-strips-challenge": _proxy_strips("WWW-Authenticate"),
    "proxy-offers-basic-only": _behind_proxy(lambda proxy: replace(proxy, offered=("Basic",))),
    "proxy-strips-negotiate": _behind_proxy(lambda proxy: replace(proxy, offered=("NTLM",))),
    "proxy-adds-basic": _behind_proxy(
        lambda proxy: replace(proxy, offered=("Negotiate", "NTLM", 'Basic realm="proxy"'))
    ),
    "proxy-rewrites-host": _behind_proxy(lambda proxy: replace(proxy, host="exchange.internal.test")),
    "proxy-speaks-http-1-0": _behind_proxy(lambda proxy: replace(proxy, added=(*proxy.added, ("Via", "1.0 proxy")))),
    "proxy-pins-health": _pins_health,
    "proxy-mapi-403": _proxy_answers("/mapi", Page.NGINX_403),
    "proxy-mapi-404": _proxy_answers("/mapi", Page.NGINX_404),
    "proxy-mapi-503": _proxy_answers("/mapi", Page.HAPROXY_503),
    "proxy-mapi-httpsys-503": _proxy_answers("/mapi", Page.HTTPSYS_503),
    "proxy-mapi-login-redirect": _proxy_answers("/mapi", Page.LOGIN_REDIRECT),
    "proxy-mapi-login-page": _proxy_answers("/mapi", Page.LOGIN_PAGE),
    "proxy-mapi-basic-only": _proxy_answers("/mapi", Page.BASIC_ONLY),
    "proxy-nspi-403": _proxy_answers("/mapi/nspi", Page.NGINX_403),
    "proxy-mapi-health-403": _proxy_answers(_MAPI_HEALTH, Page.NGINX_403),
    "proxy-mapi-health-other-body": _proxy_answers(_MAPI_HEALTH, Page.IIS_START_PAGE),
    "proxy-mapi-health-dropped": _proxy_answers(_MAPI_HEALTH, Page.DROPPED),
    "proxy-rpc-health-403": _proxy_answers(_RPC_HEALTH, Page.NGINX_403),
    "proxy-rpc-health-other-body": _proxy_answers(_RPC_HEALTH, Page.IIS_START_PAGE),
    "proxy-rpc-health-dropped": _proxy_answers(_RPC_HEALTH, Page.DROPPED),
    "proxy-rpc-404": _proxy_answers(_RPC_PROXY, Page.NGINX_404),
    "proxy-rpc-open": _proxy_answers(_RPC_PROXY, Page.EMPTY_200),
    # certificates
    "certificate-lacks-name": _lacks_name,
    "certificate-wildcard": _wildcard,
    "certificate-wildcard-too-deep": _wildcard_too_deep,
    "certificate-name-only-in-cn": _name_only_in_cn,
    "certificate-self-signed": _certificate(issuer=Issuer.SELF),
    "certificate-unknown-root": _certificate(issuer=Issuer.UNKNOWN),
    "certificate-wrong-usage": _certificate(usages=("clientAuth",)),
    "certificate-any-usage": _certificate(usages=None),
    "certificate-broken-signature": _certificate(broken_signature=True),
    "certificate-intermediate-not-sent": _certificate(chain=Chain.LEAF_ONLY),
    "certificate-with-root": _certificate(chain=Chain.WITH_ROOT),
    "certificate-expired": _certificate(not_after=timedelta(seconds=-1)),
    "certificate-not-yet-valid": _certificate(not_before=timedelta(seconds=1)),
    "certificate-expired-intermediate": _certificate(issuer=Issuer.EXPIRED_INTERMEDIATE),
    "certificate-expires-soon": _certificate(not_after=timedelta(days=20)),
    "certificate-rsa-2048": _certificate(key=Key.RSA_2048),
    "certificate-rsa-1024": _certificate(key=Key.RSA_1024),
    "certificate-sha1": _certificate(hash=Hash.SHA1),
    "certificate-company-root": _certificate(issuer=Issuer.COMPANY),
    "server-certificate-other": _own_of_server(),
    "server-certificate-expired": _own_of_server(not_after=timedelta(seconds=-1)),
    "server-certificate-self-signed": _own_of_server(issuer=Issuer.SELF, chain=Chain.LEAF_ONLY),
    "server-certificate-lacks-names": _own_of_server(common_name="old.contoso.test", names=("old.contoso.test",)),
    "server-certificate-intermediate-not-sent": _own_of_server(chain=Chain.LEAF_ONLY),
    "server-certificate-not-bound": _in_scenario_of_server(_not_bound),
    # TLS
    "tls-old-versions": _tls(Tls.WITH_OLD),
    "tls-old-versions-only": _tls(Tls.OLD_ONLY),
    # Autodiscover
    "scp-http": _scp(_with_http),
    "scp-ip": _scp(_with_ip),
    "scp-missing": _scp(lambda _uri: None),
    "scp-own-name": _in_scenario_of_server(_scp_own_name),
    "autodiscover-pool-stopped": _answers("/autodiscover", Page.HTTPSYS_503),
    "proxy-autodiscover-403": _proxy_answers("/autodiscover", Page.NGINX_403),
    "proxy-autodiscover-login-page": _proxy_answers("/autodiscover", Page.LOGIN_PAGE),
    "proxy-autodiscover-login-redirect": _proxy_answers("/autodiscover", Page.LOGIN_REDIRECT),
    # mailboxes
    "mailboxes": _so_many,
    "mailbox-mapi-http-off": _mailboxes("off", lambda box, _: replace(box, mapi_http_enabled=False)),
    "mailbox-mapi-http-on": _mailboxes("pilot", lambda box, _: replace(box, mapi_http_enabled=True)),
    "mailbox-mapi-http-on-with-archive": _mailboxes(
        "archived", lambda box, _: replace(box, mapi_http_enabled=True, archive=True)
    ),
    "mailbox-blocks-rpc": _mailboxes("norpc", lambda box, _: replace(box, blocks_rpc_http=True)),
    "mailbox-blocks-external": _mailboxes("inside", lambda box, _: replace(box, blocks_external=True)),
    "mailbox-blocks-new-outlook": _mailboxes("old", lambda box, _: replace(box, blocked_versions="16.0.0-")),
    "mailbox-blocks-old-outlook": _mailboxes("new", lambda box, _: replace(box, blocked_versions="-14.9999.9999.9999")),
    "mailbox-mapi-disabled": _mailboxes("closed", lambda box, _: replace(box, mapi_enabled=False)),
    "mailbox-upn-other-domain": _mailboxes(
        "local", lambda box, domain: replace(box, user_principal_name=f"{box.name}@ad.{domain}")
    ),
    "mailbox-upn-other-name": _mailboxes(
        "alias", lambda box, domain: replace(box, user_principal_name=f"{box.name}.smith@{domain}")
    ),
    # remote PowerShell
    "powershell-as-installed": _powershell(
        http=frozenset({Authentication.KERBEROS}), https=frozenset({Authentication.KERBEROS})
    ),
    "powershell-denies": _denied,
    "powershell-user-not-enabled": _not_enabled,
    "powershell-throttled": _powershell(sessions=0),
    "powershell-german": _powershell(locale="de-DE"),
    "powershell-refused": _powershell(wire=Wire.REFUSED),
    "powershell-silent": _powershell(wire=Wire.SILENT),
}
"""Every fault by its name."""

ACCOUNT_FAULTS = frozenset(_OF_ACCOUNT)
"""Those that matter to who signs in at a web site."""
