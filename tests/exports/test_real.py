"""Real exports of Exchange 2016 (from the tests of CSS-Exchange), read as somebody would give them, by value."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker import NotCollected, Reason
from checker.errors import UserError
from checker.exports import read_exports
from checker.facts.authentication import auth_config
from checker.facts.availability_groups import group_members
from checker.facts.certificates_installed import installed_certificates
from checker.facts.components import server_components
from checker.facts.health import server_services
from checker.facts.hosts import (
    TlsSetting,
    extended_protection_of,
    host_app_pools,
    host_bindings,
    host_garbage_collection,
    host_tls,
)
from checker.facts.mailboxes import accepted_domains
from checker.facts.organisation import organization_config
from checker.facts.servers import Version, exchange_servers
from checker.facts.token_checking import TokenChecking
from checker.host import HostData, HostItem
from checker.judging import judge_files
from checker.results import Readiness, Status
from checker.settings import Settings
from checks.host import host_app_pools as app_pools_check
from checks.host import host_bindings as bindings_check
from tests.exports.facts import Facts

EXPORTS = Path(__file__).parents[2] / "../shared/data/exchange2016-exports"
NAME = "SOLO-E16A"
BOUND = "B30B89B96AD0351B53D73EC2B5EA7A8B6A746B2B"

pytestmark = pytest.mark.skipif(
    not EXPORTS.is_dir() and os.environ.get("CI") != "true", reason="the real exports are not beside the repository"
)


def given(*names: str) -> Facts:
    return Facts(*(EXPORTS / f"{name}.xml" for name in ("GetExchangeServer", *names)))


def test_the_whole_folder() -> None:
    facts = Facts(EXPORTS)
    assert len(facts.view.found) == len(list(EXPORTS.glob("*.xml"))) == 14
    assert "GetServerComponentState.xml: Get-ServerComponentState (35)." in facts.view.found
    assert "GetOwaVirtualDirectory.xml: ADOwaVirtualDirectory (1), which no check needs." in facts.view.found
    assert facts.view.gathered is None
    # The look at Extended Protection was made on another machine, so that nothing nameless is anybody's for certain.
    assert "Get-ExchangeServer does not name E2k16-1, of which there are other exports" in facts.view.incomplete
    nameless = [sentence for sentence in facts.view.missing if f"it may be any of E2k16-1, {NAME}" in sentence]
    assert [sentence.partition(".xml")[0] for sentence in nameless] == [
        "GetExchangeCertificate",
        "TestServiceHealth",
        "GetAllTlsSettings",
        "GetExchangeAppPoolsInformation",
        "GetWebBinding",
    ]
    assert isinstance(facts.ask(installed_certificates), NotCollected)


def test_each_file_alone() -> None:
    for file in EXPORTS.glob("*.xml"):
        if "VirtualDirectory" not in file.name:
            assert len(read_exports([file]).found) == 1


@pytest.mark.parametrize("file", sorted(EXPORTS.glob("*.xml")), ids=lambda file: file.stem)
def test_each_file_is_judged_alone_or_refused_in_a_sentence(file: Path) -> None:
    if "VirtualDirectory" in file.name:
        with pytest.raises(UserError, match=f"{file.name} does not hold anything that mapiready judges"):
            judge_files([str(file)], Settings(server=()))
        return
    report = judge_files([str(file)], Settings(server=()))
    assert report.notes[0].startswith(f"{file.name}: ")
    assert report.readiness in (Readiness.PARTIAL, Readiness.INCONCLUSIVE)
    # An export alone proves little: nothing fails but what stands in it, and nothing is a defect of the tool.
    assert not [each for each in report.findings if each.status is Status.ERROR]
    failed = {each.check for each in report.findings if each.status is Status.FAIL}
    assert failed <= {"server-in-support", "server-build-current"}
    for each in report.findings:
        if each.status is Status.NOT_RUN and "No export" in each.summary:
            assert "Export-Clixml" in each.summary or "mapiready collector" in each.summary, each.summary


def test_the_folder_is_judged_by_the_names_of_its_files_or_without() -> None:
    whole = judge_files([str(EXPORTS)], Settings(server=()))
    assert (whole.organisation, whole.servers) == ("SoloORG", ("SOLO-E16A",))
    assert whole.findings == judge_files([str(EXPORTS / "*.xml")], Settings(server=(), now=whole.judged_at)).findings
    assert not [each for each in whole.findings if each.status is Status.ERROR]


def test_the_organisation_and_the_server() -> None:
    facts = given("GetOrganizationConfig", "GetAuthConfig", "GetAcceptedDomain", "GetMailboxServer")
    organisation = facts.ask(organization_config)
    assert (organisation.name, organisation.mapi_http_enabled, organisation.modern_authentication) == (
        "SoloORG",
        True,
        False,
    )
    assert organisation.answered_by == "solo-e16a.solo.local"
    (server,) = facts.ask(exchange_servers).items
    assert (server.name, server.fqdn, server.version) == (NAME, "Solo-E16A.Solo.local", Version(15, 1, 2375, 7))
    assert server.site == "Default-First-Site-Name"
    assert facts.ask(auth_config).current == "92E196F3C8D3D753FCFC5B7690C3173AA1C0ABE3"
    assert facts.ask(accepted_domains).domains == {"solo.com", "*.contoso.local", "*.com"}
    (member,) = facts.ask(group_members).items
    assert (member.server.name, member.group) == (NAME, None)


def test_components_services_and_certificates() -> None:
    facts = given("GetServerComponentState", "TestServiceHealth", "GetExchangeCertificate")
    (components,) = facts.ask(server_components).items
    assert len(components.components) == 35
    assert {each.name for each in components.components if not each.active} == {"ForwardSyncDaemon", "ProvisioningRps"}
    (services,) = facts.ask(server_services).items
    assert len(services.roles) == 4
    assert all(role.all_running is True and role.not_running == () for role in services.roles)
    (installed,) = facts.ask(installed_certificates).items
    assert installed.server.name == NAME
    own = installed.find("823884A32609DCDC8C4B5462952586C30D814073")
    assert own is not None
    assert own.subject_name == "CN=Solo-E16A"
    oauth = installed.find("92E196F3C8D3D753FCFC5B7690C3173AA1C0ABE3")
    assert oauth is not None
    assert oauth.not_after == datetime(2023, 10, 29, 0, 34, 3, tzinfo=UTC)


def test_app_pools() -> None:
    facts = given("GetExchangeAppPoolsInformation")
    (host,) = facts.ask(host_app_pools).items
    assert len(host.pools) == 17
    assert {pool.state for pool in host.pools} == {"Started"}
    assert app_pools_check.judge(host).summary == (
        "MSExchangeMapiFrontEndAppPool, MSExchangeMapiMailboxAppPool, MSExchangeMapiAddressBookAppPool started"
    )
    (export,) = facts.view.hosts.exports
    configurations = export.items[HostItem.CLR_CONFIGURATIONS]
    assert isinstance(configurations, dict)
    front = configurations["MSExchangeMapiFrontEndAppPool"]
    assert isinstance(front, str)
    assert front.splitlines()[3].strip() == '<gcServer enabled="false" />'
    assert facts.ask(host_garbage_collection).items == ()  # Exchange 2016


def test_bindings_and_certificates_that_are_from_different_machines() -> None:
    facts = given("GetWebBinding", "GetExchangeCertificate")
    (host,) = facts.ask(host_bindings).items
    assert [(each.site, each.shown, each.certificate_hash) for each in host.bindings] == [
        ("Default Web Site", "http *:80:", None),
        ("Default Web Site", "https *:443:", BOUND),
        ("Default Web Site", "http 127.0.0.1:80:", None),
        ("Default Web Site", "https 127.0.0.1:443:", BOUND),
        ("Exchange Back End", "http *:81:", None),
        ("Exchange Back End", "https *:444:", BOUND),
    ]
    assert {each.store for each in host.bindings} == {"MY", None}
    verdict = bindings_check.judge(host, facts.ask(installed_certificates))
    assert verdict.status.value == "fail"
    assert f"has the certificate {BOUND}, which the server does not have" in verdict.summary


def test_tls() -> None:
    (host,) = given("GetAllTlsSettings").ask(host_tls).items
    assert host.settings == tuple(
        TlsSetting(f"TLS {version}", enabled=True, disabled_by_default=False) for version in ("1.0", "1.1", "1.2")
    )


def test_extended_protection() -> None:
    hosts: HostData = given("GetExtendedProtectionConfiguration").view.hosts
    assert [(export.server, export.source) for export in hosts.exports] == [
        ("E2k16-1", "GetExtendedProtectionConfiguration.xml")
    ]
    for path in ("Default Web Site/mapi", "Default Web Site/Rpc", "Exchange Back End/mapi/emsmdb"):
        assert extended_protection_of("e2k16-1", path, hosts) is TokenChecking.NONE
    assert extended_protection_of(NAME, "Default Web Site/mapi", hosts) is None
    assert [(entry.subject.name, entry.because.reason) for entry in hosts.missing] == [(NAME, Reason.NOT_GIVEN)]
