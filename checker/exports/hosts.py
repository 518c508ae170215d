"""What exports tell of a host, put into the shapes of `checker.host`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from checker.answers import NotCollected, PSKey, PSObject, PSValue, Reason
from checker.exports.values import inside, items, member, said
from checker.host import HostItem

__all__ = ["app_pools", "extended_protection", "health_checker_host", "tls_settings", "web_bindings"]

Items: TypeAlias = "dict[HostItem, PSValue | NotCollected]"


def web_bindings(bindings: Iterable[PSValue], site: str | None = None) -> Items:
    """Objects of Get-WebBinding; `site` where they stand below their site."""
    found: list[PSValue] = []
    for binding in bindings:
        read = _binding(binding)
        if read is not None:
            found.append({"Site": site or _site(binding), **read})
    return {HostItem.WEB_BINDINGS: found} if found else {}


def _binding(binding: PSValue) -> dict[PSKey, PSValue] | None:
    protocol, information = said(member(binding, "protocol")), said(member(binding, "bindingInformation"))
    if protocol and information:
        return {
            "Protocol": protocol,
            "BindingInformation": information,
            "CertificateHash": member(binding, "certificateHash"),
            "CertificateStoreName": member(binding, "certificateStoreName"),
            "SslFlags": member(binding, "sslFlags"),
        }
    # At a small depth of the export only the text is left: "https *:443: sslFlags=0".
    words = (said(binding) or "").split()
    if len(words) in (2, 3) and words[0].isalpha() and ":" in words[1]:
        return {"Protocol": words[0], "BindingInformation": words[1], "CertificateHash": None}
    return None


def _site(binding: PSValue) -> str | None:
    match = re.search(r"/site\[@name='([^']*)'", said(member(binding, "ItemXPath")) or "")
    return match[1] if match else None


def app_pools(table: PSValue) -> Items:
    """HealthChecker's hash table of Exchange's app pools, of every version of it."""
    pools: list[PSValue] = []
    configurations: dict[PSKey, PSValue] = {}
    for name, pool in inside(table).items():
        settings = member(pool, "AppSettings")
        state = said(member(settings, "state")) or said(member(pool, "Status")) or said(member(pool, "State"))
        file = said(member(settings, "add", "CLRConfigFile")) or said(member(settings, "CLRConfigFile"))
        pools.append({"Name": name, "State": state, "CLRConfigFile": file})
        configuration = _configuration(pool)
        if configuration is not None:
            configurations[name] = configuration
    found: Items = {}
    if pools:
        found[HostItem.APP_POOLS] = pools
    if configurations:
        found[HostItem.CLR_CONFIGURATIONS] = {**configurations}
    return found


def _configuration(pool: PSValue) -> str | None:
    """The CLR configuration as text: it comes as such, as its lines, or as what HealthChecker read out of it."""
    content = member(pool, "ConfigContent")
    if content is None:
        content = member(pool, "Content")
    lines = [_line(line) for line in items(content)]
    text = "\n".join(line for line in lines if line is not None)
    if text:
        return text
    unknown, server = member(pool, "GCUnknown"), member(pool, "GCServerEnabled")
    if unknown is False and isinstance(server, bool):
        enabled = "true" if server else "false"
        return f'<configuration><runtime><gcServer enabled="{enabled}" /></runtime></configuration>'
    return None


def _line(line: PSValue) -> str | None:
    value = line.value if isinstance(line, PSObject) else line
    return value if isinstance(value, str) else None


def extended_protection(configuration: PSValue) -> Items:
    """The result of HealthChecker's (and the Extended Protection script's) look into applicationHost.config."""
    found: dict[PSKey, PSValue] = {}
    for entry in items(member(configuration, "ExtendedProtectionConfiguration")):
        detail = member(entry, "Configuration")
        path = said(member(detail, "NodePath")) or said(member(entry, "VirtualDirectoryName"))
        checking = said(member(detail, "ExtendedProtection")) or said(member(entry, "ExtendedProtection"))
        if path and checking and member(detail, "ValidPath") is not False:
            found[path] = checking
    return {HostItem.EXTENDED_PROTECTION: {**found}} if found else {}


def tls_settings(settings: PSValue) -> Items:
    """HealthChecker's settings of SCHANNEL: by version, in newer versions of it below Registry and TLS."""
    table = inside(member(settings, "Registry", "TLS")) or inside(settings)
    found: dict[PSKey, PSValue] = {}
    for version, entry in table.items():
        if re.fullmatch(r"1\.[0-9]", version):
            found[f"TLS {version}"] = {
                "ServerEnabled": member(entry, "ServerEnabled"),
                "ServerDisabledByDefault": member(entry, "ServerDisabledByDefault"),
            }
    return {HostItem.TLS_SETTINGS: {**found}} if found else {}


def health_checker_host(told: PSValue, source: str) -> Items:
    """What HealthChecker's object tells of its server's host. What it tried and could not get is NotCollected."""
    exchange, system = member(told, "ExchangeInformation"), member(told, "OSInformation")
    release = member(system, "NETFramework", "RegistryValue")
    if release is None:
        release = member(told, "NetVersionInfo", "NetRegValue")
    memory = member(told, "HardwareInformation", "TotalMemory")
    if memory is None:
        memory = member(told, "HardwareInfo", "TotalMemory")
    pools = member(exchange, "ApplicationPools")
    sites = [
        *items(member(exchange, "IISSettings", "IISWebSite")),
        *items(member(exchange, "IISSettings", "NonExchangeWebSites")),
    ]
    bindings: list[PSValue] = []
    for site in sites:
        below = web_bindings(items(member(site, "Bindings")), said(member(site, "Name"))).get(HostItem.WEB_BINDINGS)
        bindings += below if isinstance(below, list) else []
    settings = member(system, "TLSSettings")
    if settings is None:
        settings = member(told, "OSVersion", "TLSSettings")
    found: Items = {
        **app_pools(pools),
        **extended_protection(member(exchange, "ExtendedProtectionConfig")),
        **tls_settings(settings),
    }
    if bindings:
        found[HostItem.WEB_BINDINGS] = bindings
    for item, number in ((HostItem.DOTNET_RELEASE, release), (HostItem.MEMORY, memory)):
        # Where HealthChecker cannot read one, it writes 0 or -1.
        if not isinstance(number, bool) and isinstance(number, int | float) and number > 0:
            found[item] = int(number)
    for item in (HostItem.DOTNET_RELEASE, HostItem.MEMORY, HostItem.APP_POOLS, HostItem.WEB_BINDINGS):
        found.setdefault(item, _not_in(source, item))
    return found


def _not_in(source: str, item: HostItem) -> NotCollected:
    words = {
        HostItem.DOTNET_RELEASE: "the release of .NET",
        HostItem.MEMORY: "the memory",
        HostItem.APP_POOLS: "the app pools",
        HostItem.WEB_BINDINGS: "the bindings of IIS",
    }
    return NotCollected(
        Reason.NOT_GIVEN,
        f"{source} does not hold {words[item]}: this version of HealthChecker does not write it, or could not read it"
        " there; mapiready collector does.",
    )
