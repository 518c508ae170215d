"""Whatever an object looks like, it is recognised, or it is not; nothing raises."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checker.answers import PSObject
from checker.exports.answering import read_from_iis, server_of, without_lost
from checker.exports.healthchecker import read_health_check
from checker.exports.hosts import app_pools, extended_protection, tls_settings, web_bindings
from checker.exports.recognising import CMDLETS, Part, reduced, type_shown, what_is
from checker.exports.values import items, member, said

TYPES = st.sampled_from(
    [
        "Microsoft.Exchange.Data.Directory.Management.ExchangeServer",
        "Selected.Microsoft.Exchange.Data.Directory.Management.CASMailbox",
        "System.Management.Automation.PSCustomObject",
        "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#bindings#binding",
        "HealthChecker.AnalyzedInformation",
        "",
        ".",
    ]
) | st.text(max_size=12)
NAMES = st.sampled_from(
    [
        "Name", "Identity", "ServerName", "HealthCheckerVersion", "HealthCheckerExchangeServer", "ExchangeInformation",
        "ComputerName", "ExtendedProtectionConfiguration", "Registry", "SecurityProtocol", "TLS", "1.2", "protocol",
        "bindingInformation", "IISSettings", "IISWebSite", "Bindings", "ApplicationPools", "MSExchangeXAppPool",
        "VirtualDirectories", "GetMapiVirtualDirectory", "ExchangeCertificates", "CertificateObject", "Thumbprint",
        "RawData", "IISAuthenticationMethods", "Path", "OSInformation", "NETFramework", "RegistryValue",
    ]
)  # fmt: skip
TEXTS = st.text(max_size=8) | st.binary(max_size=4)
LEAVES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.datetimes() | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=5)
        | st.builds(
            PSObject,
            st.lists(TYPES, max_size=2).map(tuple),
            st.none() | st.text(max_size=8),
            st.dictionaries(NAMES, inner, max_size=6),
            inner,
        )
    ),
    max_leaves=25,
)


@given(VALUES, st.text(max_size=20))
def test_nothing_raises(value: Any, stem: str) -> None:
    kind = what_is(value, stem)
    assert kind is None or isinstance(kind, Part) or kind in {*CMDLETS.values(), "Get-ClientAccessServer"}
    assert type_shown(value)
    if kind is not None:
        assert what_is(reduced(value, stem), stem) == kind
    read_health_check(value, "x.xml")
    for read in (app_pools, extended_protection, tls_settings):
        read(value)
    web_bindings(items(value))
    said(member(value, "Name", "Identity"))
    if isinstance(value, PSObject):
        for cmdlet in CMDLETS.values():
            server_of(cmdlet, value)
        read_from_iis(without_lost(value))


@given(st.lists(st.text("abcXYZ.-", min_size=1, max_size=12), min_size=1, max_size=5))
def test_a_list_that_became_text_is_taken_apart(words: list[str]) -> None:
    for text in (" ".join(words), ", ".join(words), "{" + ", ".join(words) + "}"):
        value = without_lost(PSObject((), None, {"IISAuthenticationMethods": text, "Name": text}))
        assert value.properties == {"IISAuthenticationMethods": words, "Name": text}
