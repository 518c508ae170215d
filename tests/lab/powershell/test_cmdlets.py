"""What a session says: objects, errors, warnings; asked by pypsrp over a real socket."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypsrp.powershell import PowerShell

from lab.powershell.cmdlet import Call, Notice, Output, Pause, Problem, Progress, Said, Signature
from lab.powershell.cmdlets import ScenarioCmdlets
from lab.scenario import Probe, ProbeNaming, Scenario, User, Wire, load
from tests.lab.powershell.client import COMPLETED, FAILED, call, finished, session
from tests.lab.powershell.conftest import EVERY, USER, Starter, exports
from tests.lab.powershell.test_clixml import read

LOCALES = ("en-US", "de-DE")


def in_language(scenario: Scenario, locale: str) -> Scenario:
    return replace(scenario, powershell=replace(scenario.powershell, locale=locale))


def mixed() -> Scenario:
    scenario = load("mixed")
    return replace(scenario, powershell=replace(scenario.powershell, users=(USER,), http=EVERY, https=EVERY))


def objects(scenario: Scenario, server: str, cmdlet: str, **parameters: str | bool) -> list[Any]:
    """The objects of a cmdlet, read by psrpcore."""
    said = ScenarioCmdlets(scenario, scenario.server(server)).run(Call(cmdlet, parameters, USER.name))
    return read(*(each.clixml for each in said if isinstance(each, Output)))


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", LOCALES)
def test_no_language(start: Starter, scenario: Scenario, locale: str) -> None:
    endpoint = start(in_language(scenario, locale))
    with session(endpoint) as pool:
        for pipeline in (
            PowerShell(pool).add_script("Get-OrganizationConfig"),
            PowerShell(pool).add_script("$x = 1"),
            PowerShell(pool).add_cmdlet("Get-ExchangeServer").add_cmdlet("Get-OrganizationConfig"),
        ):
            said = finished(pipeline)
            assert (said.state, said.output) == (FAILED, [])
            assert said.errors[0].fq_error == "ScriptsNotAllowed"
            assert said.errors[0].category == 17
            assert said.errors[0].reason == "ParseException"
        assert call(pool, "Get-OrganizationConfig").state == COMPLETED
    assert [run.name for run in endpoint.calls] == ["Get-OrganizationConfig"]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("cmdlet", ["Get-Nothing", "Get-OutlookAnywhere", "Where-Object", "Get-Command"])
def test_unknown_and_denied_cmdlets_look_the_same(start: Starter, scenario: Scenario, locale: str, cmdlet: str) -> None:
    scenario = in_language(scenario, locale)
    denied = replace(USER, denied=("get-outlookanywhere",))
    endpoint = start(replace(scenario, powershell=replace(scenario.powershell, users=(denied,))))
    with session(endpoint) as pool:
        said = call(pool, cmdlet)
    assert said.state == FAILED
    (error,) = said.errors
    assert error.fq_error == "CommandNotFoundException"
    assert error.category == 13
    assert error.target_name == cmdlet
    assert error.exception.types[0] == "System.Management.Automation.CommandNotFoundException"
    assert (locale == "en-US") == ("is not recognized" in str(error))
    assert endpoint.calls == []


@pytest.mark.parametrize("locale", LOCALES)
def test_unknown_parameters(start: Starter, scenario: Scenario, locale: str) -> None:
    with session(start(in_language(scenario, locale))) as pool:
        for parameters in ({"ResultSize": "5"}, {"Iden": "x", "Nothing": None}, {"S": "EX01"}):
            said = call(pool, "get-mapivirtualdirectory", **parameters)
            assert said.state == FAILED
            assert said.errors[0].fq_error == "NamedParameterNotFound,Get-MapiVirtualDirectory"
            assert said.errors[0].category == 5
            assert said.errors[0].reason == "ParameterBindingException"
        said = call(pool, "Test-OutlookConnectivity")
        assert said.errors[0].fq_error == "MissingMandatoryParameter,Test-OutlookConnectivity"


@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_not_found_does_not_end_the_pipeline(start: Starter, scenario: Scenario, locale: str) -> None:
    with session(start(in_language(scenario, locale))) as pool:
        for cmdlet, parameters in (
            ("Get-ExchangeServer", {"Identity": "EX99"}),
            ("Get-MapiVirtualDirectory", {"Server": "EX99"}),
            ("Get-OutlookAnywhere", {"Identity": "EX01\\Rpc (Other Web Site)"}),
            ("Get-ClientAccessService", {"Identity": "EX99"}),
        ):
            said = call(pool, cmdlet, **parameters)
            assert (said.state, said.output) == (COMPLETED, [])
            (error,) = said.errors
            assert re.fullmatch(
                r"\[Server=EX01,RequestId=[0-9a-f-]{36},TimeStamp=3/2/2026 9:00:00 AM\]"
                r" \[FailureCategory=Cmdlet-ManagementObjectNotFoundException\] [0-9A-F]{8},"
                r"Microsoft\.Exchange\.Management\.SystemConfigurationTasks\.\w+",
                error.fq_error,
            )
            assert error.reason == "ManagementObjectNotFoundException"
            assert error.category == 0
            assert (locale == "en-US") == ("couldn't be found" in str(error))
        said = call(pool, "Get-ExchangeServer", Identity="EX99", ErrorAction="Stop")
        assert (said.state, len(said.errors)) == (FAILED, 1)


def test_a_server_that_does_not_answer_costs_only_its_own(start: Starter, scenario: Scenario) -> None:
    gone = replace(scenario.server("EX02"), wire=Wire.REFUSED)
    with session(start(scenario.with_server(gone))) as pool:
        said = call(pool, "Get-MapiVirtualDirectory")
        assert said.texts == ["EX01\\mapi (Default Web Site)", "EX03\\mapi (Default Web Site)"]
        assert said.state == COMPLETED
        assert "[FailureCategory=Cmdlet-IISNotReachableException]" in said.errors[0].fq_error
        from_directory = call(pool, "Get-MapiVirtualDirectory", ADPropertiesOnly=None)
        assert (len(from_directory.output), from_directory.errors) == (3, [])


# --- binding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "parameters", "found"),
    [
        ((), {}, 3),
        (("EX01",), {}, 1),
        (("ex02.contoso.test",), {}, 1),
        ((), {"identity": "EX03"}, 1),
        ((), {"Ident": "EX03"}, 1),
        ((), {"Identity": "EX03", "Status": None, "Verbose": True, "WarningAction": "SilentlyContinue"}, 1),
        ((), {"Identity": None}, 3),  # as $null: everything
    ],
)
def test_parameters_are_bound_as_powershell_does(
    start: Starter, arguments: tuple[str, ...], parameters: dict[str, Any], found: int
) -> None:
    with session(start()) as pool:
        assert len(call(pool, "GET-EXCHANGESERVER", *arguments, **parameters).output) == found


# --- objects ----------------------------------------------------------------------------------------------------------


def test_organisation(scenario: Scenario) -> None:
    (config,) = objects(scenario, "EX01", "Get-OrganizationConfig")
    assert config.MapiHttpEnabled is False
    assert config.OAuth2ClientProfileEnabled is False
    assert config.Id is config.Identity
    assert str(config.Identity) == "Contoso"
    names = config.PSObject.type_names
    assert names[0] == "Deserialized.Microsoft.Exchange.Data.Directory.Management.OrganizationConfig"
    assert config.PSComputerName == "ex01.contoso.test"
    assert config.PSShowComputerName is False
    assert config.SerializationData.startswith(b"\x00\x01\x00\x00\x00\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("server", "switch", "mapi", "service", "client_access_warns"),
    [("NEW16", True, True, True, True), ("MID13", True, True, False, False), ("OLD10", False, False, False, False)],
)
def test_each_build_has_what_it_knows(
    start: Starter, server: str, switch: bool, mapi: bool, service: bool, client_access_warns: bool
) -> None:
    with session(start(mixed(), server)) as pool:
        organisation = call(pool, "Get-OrganizationConfig").output[0]
        assert ("MapiHttpEnabled" in organisation.adapted_properties) is switch
        assert (call(pool, "Get-MapiVirtualDirectory").state == COMPLETED) is mapi
        assert (call(pool, "Get-ClientAccessService").state == COMPLETED) is service
        client_access = call(pool, "Get-ClientAccessServer")
        assert len(client_access.output) == 3
        assert bool(client_access.warnings) is client_access_warns
        anywhere = call(pool, "Get-OutlookAnywhere").output[0]
        assert ("InternalHostname" in anywhere.adapted_properties) is (server != "OLD10")
        assert ("ClientAuthenticationMethod" in anywhere.adapted_properties) is (server == "OLD10")
        probe = call(pool, "Test-OutlookConnectivity", ProbeIdentity="Outlook.Protocol\\OutlookRpcSelfTestProbe")
        assert (probe.state == COMPLETED) is (server != "OLD10")


def test_a_switch_that_is_absent(scenario: Scenario) -> None:
    absent = replace(scenario, organisation=replace(scenario.organisation, mapi_http_enabled=None))
    (config,) = objects(absent, "EX01", "Get-OrganizationConfig")
    assert not hasattr(config, "MapiHttpEnabled")


def test_servers() -> None:
    new, middle, old = objects(mixed(), "NEW16", "Get-ExchangeServer")
    assert str(new.AdminDisplayVersion) == "Version 15.1 (Build 2507.6)"
    assert (new.AdminDisplayVersion.Major, new.AdminDisplayVersion.Revision) == (15, 6)
    assert [str(each.ServerRole) for each in (new, middle, old)] == [
        "Mailbox",
        "Mailbox, ClientAccess",
        "Mailbox, ClientAccess, HubTransport",
    ]
    assert [each.IsE15OrLater for each in (new, middle, old)] == [True, True, False]
    assert str(new.Site) == "litware.test/Configuration/Sites/Vienna"
    assert [str(address) for address in new.NetworkAddress][4] == "ncacn_ip_tcp:new16.litware.test"
    assert list(new.CurrentDomainControllers) == []
    (asked,) = objects(mixed(), "NEW16", "Get-ExchangeServer", Identity="NEW16", Status=True)
    assert list(asked.CurrentDomainControllers) == ["dc1.litware.test"]


def test_directories(scenario: Scenario) -> None:
    (mapi,) = objects(scenario, "EX01", "Get-MapiVirtualDirectory", Server="EX02", ADPropertiesOnly=True)
    assert mapi.PSObject.type_names[0].endswith(".SystemConfiguration.ADMapiVirtualDirectory")
    assert [str(method) for method in mapi.IISAuthenticationMethods] == ["Ntlm", "OAuth", "Negotiate"]
    assert mapi.InternalUrl == "https://mail.contoso.test/mapi"
    assert str(mapi.Identity) == "EX02\\mapi (Default Web Site)"
    assert str(mapi.Server) == "EX02"
    assert str(mapi.ExtendedProtectionTokenChecking) == "None"
    assert mapi.Path == ""
    (anywhere,) = objects(scenario, "EX01", "Get-OutlookAnywhere", Server="EX02")
    assert str(anywhere.InternalHostname) == "mail.contoso.test"
    assert str(anywhere.InternalClientAuthenticationMethod) == "Ntlm"
    assert anywhere.SSLOffloading is False
    assert anywhere.Path != ""
    (service,) = objects(scenario, "EX01", "Get-ClientAccessService", Identity="EX02")
    assert service.AutoDiscoverServiceInternalUri == "https://autodiscover.contoso.test/Autodiscover/Autodiscover.xml"
    directory = scenario.server("EX02").mapi[0]
    changed = replace(scenario.server("EX02"), mapi=(replace(directory, internal_url=None, external_url=None),))
    (empty,) = objects(scenario.with_server(changed), "EX01", "Get-MapiVirtualDirectory", Server="EX02")
    assert (empty.InternalUrl, empty.ExternalUrl) == (None, None)


QUALIFIED = "OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe"
BARE = "OutlookMapiHttpSelfTestProbe"


@pytest.mark.parametrize(
    ("naming", "identity", "found"),
    [
        (ProbeNaming.QUALIFIED, QUALIFIED, True),
        (ProbeNaming.QUALIFIED, f"{QUALIFIED}\\DB01", True),
        (ProbeNaming.QUALIFIED, BARE, False),
        (ProbeNaming.BARE, BARE, True),
        (ProbeNaming.BARE, QUALIFIED, False),
        (ProbeNaming.NONE, QUALIFIED, False),
    ],
)
def test_probes(start: Starter, scenario: Scenario, naming: ProbeNaming, identity: str, found: bool) -> None:
    probe = Probe("OutlookMapiHttp.Protocol", BARE, result="Failed", error="no answer", naming=naming)
    server = replace(scenario.server("EX02"), probes=(probe,))
    with session(start(scenario.with_server(server))) as pool:
        said = call(pool, "Test-OutlookConnectivity", identity, RunFromServerId="EX02", TimeOutSeconds="30")
    assert said.state == COMPLETED
    if found:
        (result,) = said.output
        assert result.adapted_properties["Result"] == "Failed"
        assert result.adapted_properties["Error"] == "no answer"
        assert result.adapted_properties["MonitorIdentity"] == identity
        assert [record.description for record in said.progress] == ["Running the probe"]
    else:
        assert said.output == []
        assert "[FailureCategory=Cmdlet-InvalidMonitorIdentityException]" in said.errors[0].fq_error


def test_a_server_without_health_manager(start: Starter) -> None:
    with session(start(mixed(), "NEW16")) as pool:
        said = call(pool, "Test-OutlookConnectivity", QUALIFIED, RunFromServerId="OLD10")
    assert "[FailureCategory=Cmdlet-ActiveMonitoringServerException]" in said.errors[0].fq_error


@pytest.mark.parametrize("locale", LOCALES)
def test_warnings_speak_the_language(start: Starter, scenario: Scenario, locale: str) -> None:
    with session(start(in_language(scenario, locale))) as pool:
        (warning,) = call(pool, "Get-ClientAccessServer").warnings
    assert (locale == "en-US") == ("will be removed" in warning)


# --- replay, other cmdlets --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_exports")
@pytest.mark.parametrize("path", exports(), ids=lambda path: path.stem)
def test_every_export_travels(start: Starter, path: Path) -> None:
    cmdlet = f"{path.stem[:3]}-{path.stem[3:]}" if path.stem.startswith("Get") else f"Test-{path.stem[4:]}"
    with session(start(replay={cmdlet: path})) as pool:
        said = call(pool, cmdlet.lower())
    text = path.read_text(encoding="utf-8-sig")
    whole = read(text[text.index(">") + 1 : text.rindex("</Objs>")].encode())
    assert said.state == COMPLETED
    assert len(said.output) == len(whole)
    for travelled, original in zip(said.output, whole, strict=True):
        names = [member.name for member in original.PSObject.adapted_properties]
        if names:
            assert list(travelled.adapted_properties) == names
            assert travelled.to_string == original.PSObject.to_string


class Given:
    """Cmdlets of a test: Get-Given says what it was given."""

    def __init__(self, said: Iterable[Said]) -> None:
        self.said = said

    def signature(self, name: str, user: User) -> Signature | None:
        return Signature("Get-Given") if name == "Get-Given" and user.name == USER.name else None

    def run(self, call: Call) -> Iterable[Said]:
        return self.said


def test_everything_that_a_cmdlet_can_say(start: Starter) -> None:
    problem = Problem("no", "Id,X", 7, "Get-Given", "Reason", ("System.Exception", "System.Object"), "target", "Kind")
    said_by = (
        Output(b"<S>one</S>"),
        Notice("careful"),
        Progress("doing", "half", 50),
        problem,
        Pause(0.01),
        Output(b"<S>two</S>"),
        problem.as_terminating(),
        Output(b"<S>never</S>"),
    )
    with session(start(cmdlets=Given(said_by))) as pool:
        said = call(pool, "Get-Given")
    assert said.output == ["one", "two"]
    assert said.warnings == ["careful"]
    assert [(record.activity, record.percent_complete) for record in said.progress] == [("doing", 50)]
    assert said.state == FAILED
    assert [error.fq_error for error in said.errors] == ["Id,X", "Id,X"]
    first = said.errors[0]
    assert (first.category, first.reason, first.target_name) == (7, "Reason", "target")
