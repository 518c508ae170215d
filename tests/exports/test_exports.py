"""Single exports and folders of them: what answers which call, of which server, and what is not given."""

from pathlib import Path
from typing import Any

import pytest

from checker import CmdletAnswer, NotCollected, Reason
from checker.answers import NOT_GIVEN_ERROR
from checker.exports import ExportsError, read_exports
from checker.exports.recognising import CMDLETS
from checker.facts.certificates_installed import installed_certificates
from checker.facts.components import server_components
from checker.facts.directories import mapi_virtual_directories, outlook_anywhere, server_directories
from checker.facts.hosts import host_app_pools, host_bindings
from checker.facts.iis import TokenChecking, mapi_directories_in_iis
from checker.facts.kerberos import alternate_service_accounts
from checker.facts.mailboxes import accepted_domains, mailbox_settings, mailbox_sign_ins
from checker.facts.organisation import organization_config
from checker.facts.servers import client_access_services, exchange_servers
from checker.host import HostItem
from checker.plugins import find_checks
from tests.exports.facts import Facts
from tests.exports.writing import (
    DIRECTORY,
    THUMBPRINT,
    anywhere,
    app_pools,
    certificate,
    component,
    extended_protection,
    mapi,
    organisation,
    server,
    thing,
    write,
)

RPS = f"{DIRECTORY}.Management"


def service(name: str = "EX01", **changes: Any) -> Any:
    uri = "https://autodiscover.contoso.test/Autodiscover/Autodiscover.xml"
    properties = {"Name": name, "AutoDiscoverServiceInternalUri": uri, **changes}
    return thing(f"{RPS}.ClientAccessServer", **properties)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_encoding(tmp_path: Path, encoding: str) -> None:
    file = write(tmp_path, "any name.xml", organisation(Name="Contöso 組織"), encoding=encoding)
    assert Facts(file).ask(organization_config).name == "Contöso 組織"


def test_utf_16_with_its_mark_in_either_order(tmp_path: Path) -> None:
    file = write(tmp_path, "x.xml", organisation(), encoding="utf-16-be")
    file.write_bytes(b"\xfe\xff" + file.read_bytes())
    assert Facts(file).ask(organization_config).name == "Contoso"


def test_files_folders_and_patterns_give_the_same(tmp_path: Path) -> None:
    below = tmp_path / "deep" / "er"
    below.mkdir(parents=True)
    write(tmp_path, "a.xml", organisation())
    write(below, "b.CLIXML", server())
    (tmp_path / "notes.txt").write_text("not an export")
    whole = read_exports([tmp_path])
    assert whole.found == ("a.xml: Get-OrganizationConfig (1).", "b.CLIXML: Get-ExchangeServer (1).")
    assert read_exports([tmp_path / "*.xml", below, tmp_path / "a.xml"]).files == whole.files


def test_what_is_no_export_in_a_folder_costs_nothing_but_itself(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", organisation())
    (tmp_path / "web.xml").write_text("<configuration/>")
    (tmp_path / "empty.xml").write_bytes(b"")
    view = read_exports([tmp_path])
    assert len(view.missing) == 2
    assert all(
        "empty" in sentence or "web.xml is not what Export-Clixml writes" in sentence for sentence in view.missing
    )


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    owa = f"{DIRECTORY}.SystemConfiguration.ADOwaVirtualDirectory"
    write(tmp_path, "a.xml", organisation(), thing(owa, Name="x"), thing("System.IO.FileInfo", Name="y"), "text", 5)
    (told,) = read_exports([tmp_path]).found
    assert told == (
        "a.xml: Get-OrganizationConfig (1), ADOwaVirtualDirectory (1), which no check needs,"
        " not recognised: System.IO.FileInfo (1), not recognised: str (1), not recognised: int (1)."
    )


def test_types_of_selected_and_deserialised_objects(tmp_path: Path) -> None:
    for index, prefix in enumerate(("Selected.", "Deserialized.", "Selected.Deserialized.", "Deserialized.Selected.")):
        file = write(tmp_path, f"{index}.xml", thing(f"{prefix}{RPS}.OrganizationConfig", Name="Contoso"))
        assert Facts(file).ask(organization_config).name == "Contoso"


def test_the_name_of_the_file_only_breaks_ties(tmp_path: Path) -> None:
    plain = thing(Name="EX01", Fqdn="ex01.contoso.test", AdminDisplayVersion="Version 15.2 (Build 986.5)")
    (found,) = Facts(write(tmp_path, "my Get-ExchangeServer 2026.xml", plain)).ask(exchange_servers).items
    assert found.name == "EX01"
    with pytest.raises(ExportsError, match="does not hold anything"):
        read_exports([write(tmp_path, "other.xml", plain)])
    with pytest.raises(ExportsError, match="does not hold anything"):
        read_exports([write(tmp_path, "Get-ExchangeServer2.xml", thing(Name="EX01"))])
    named = write(tmp_path, "Get-ExchangeServer3.xml", organisation())
    assert read_exports([named]).found == ("Get-ExchangeServer3.xml: Get-OrganizationConfig (1).",)


def test_two_organisations_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", organisation())
    write(tmp_path, "b.xml", organisation(Name="Fabrikam"))
    with pytest.raises(ExportsError, match=r"more than one organisation: Contoso .* and Fabrikam"):
        read_exports([tmp_path])


# --- what was not given -----------------------------------------------------------------------------------------------


def test_a_cmdlet_of_which_there_is_no_export(tmp_path: Path) -> None:
    facts = Facts(write(tmp_path, "a.xml", organisation()))
    found = facts.run("Get-ExchangeServer")
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert "Get-ExchangeServer | Export-Clixml Get-ExchangeServer.xml" in found.sentence
    assert facts.ask(accepted_domains).reason is Reason.NOT_GIVEN
    assert facts.ask(mailbox_settings).reason is Reason.NOT_GIVEN
    assert facts.view.network is None
    assert facts.view.account is None
    assert not facts.view.test_account.given
    assert not facts.view.hosts.given


def test_a_server_of_which_a_cmdlet_about_all_says_nothing(tmp_path: Path) -> None:
    """An export does not say whether it was made with -Server: it never proves that a server has no directory."""
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"), server("EX10", AdminDisplayVersion="14.3.123.4"))
    write(tmp_path, "mapi.xml", mapi("EX01"))
    write(tmp_path, "rpc.xml", anywhere("EX02"))
    write(tmp_path, "services.xml", service("EX01"))
    facts = Facts(tmp_path)
    mapi_directories = facts.ask(mapi_virtual_directories)
    assert [(entry.subject.server, entry.because.reason) for entry in mapi_directories.missing] == [
        ("EX02", Reason.NOT_GIVEN)
    ]
    rpc = facts.ask(outlook_anywhere)
    assert sorted(entry.subject.name for entry in rpc.missing) == ["EX01", "EX10"]
    both = facts.ask(server_directories, mapi=mapi_directories, outlook_anywhere=rpc)
    assert [entry.server.name for entry in both.items] == ["EX01", "EX10"]
    services = facts.ask(client_access_services)
    assert [entry.because.reason for entry in services.missing] == [Reason.NOT_GIVEN] * 2
    answer = facts.run("Get-MapiVirtualDirectory", ADPropertiesOnly=True)
    assert isinstance(answer, CmdletAnswer)
    assert [error.error_id for error in answer.errors] == [NOT_GIVEN_ERROR]


def test_what_lacks_for_all_servers_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    found = Facts(tmp_path).ask(server_components)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert "Get-ServerComponentState -Identity NAME | Export-Clixml" in found.sentence


# --- of which server --------------------------------------------------------------------------------------------------


def test_servers_by_short_name_and_fqdn(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    write(tmp_path, "states.xml", component("MapiProxy", "Inactive"), component("MapiProxy", of="ex02"))
    facts = Facts(tmp_path)
    states = {each.server.name: each.components[0].state for each in facts.ask(server_components).items}
    assert states == {"EX01": "Inactive", "EX02": "Active"}
    for name in ("EX02", "ex02", "EX02.contoso.test"):
        answer = facts.run("Get-ServerComponentState", Identity=name)
        assert isinstance(answer, CmdletAnswer)
        assert len(answer.objects) == 1
    one = facts.run("Get-ExchangeServer", Identity="ex01.contoso.test")
    assert isinstance(one, CmdletAnswer)
    assert len(one.objects) == 1


TWO = (certificate(), certificate("F" * 40))


def test_nameless_objects_are_those_of_the_only_server(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"))
    write(tmp_path, "certificates.xml", *TWO)
    write(tmp_path, "pools.xml", app_pools())
    facts = Facts(tmp_path)
    assert [each.server.name for each in facts.ask(installed_certificates).items] == ["EX01"]
    assert [each.server.name for each in facts.ask(host_app_pools).items] == ["EX01"]


def test_nameless_objects_of_several_servers_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    write(tmp_path, "certificates.xml", *TWO)
    facts = Facts(tmp_path)
    assert isinstance(facts.ask(installed_certificates), NotCollected)
    assert any("it may be any of EX01, EX02" in sentence for sentence in facts.view.missing)


def test_the_name_of_the_file_or_its_folder_says_of_which_server(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX01-B"))
    (tmp_path / "ex01").mkdir()
    write(tmp_path / "ex01", "pools.xml", app_pools(MSExchangeMapiMailboxAppPool="Stopped"))
    write(tmp_path, "pools-EX01-B.xml", app_pools())
    facts = Facts(tmp_path)
    states = {each.server.name: each.find("MSExchangeMapiMailboxAppPool") for each in facts.ask(host_app_pools).items}
    assert {name: pool.state for name, pool in states.items() if pool} == {"EX01": "Stopped", "EX01-B": "Started"}


def test_a_certificate_that_names_its_server(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    named = [certificate(each, Identity=f"EX02.contoso.test\\{each}") for each in (THUMBPRINT, "F" * 40)]
    write(tmp_path, "certificates.xml", *named)
    found = Facts(tmp_path).ask(installed_certificates)
    assert [each.server.name for each in found.items] == ["EX02"]
    assert [entry.subject.name for entry in found.missing] == ["EX01"]


def test_one_certificate_alone_is_not_the_list_of_a_server(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"))
    write(tmp_path, "certificate.xml", certificate())
    assert isinstance(Facts(tmp_path).ask(installed_certificates), NotCollected)


def test_the_first_of_two_files_about_one_server_counts(tmp_path: Path) -> None:
    first = write(tmp_path, "1.xml", server("EX01"), component("MapiProxy"))
    second = write(tmp_path, "2.xml", component("MapiProxy", "Inactive"), component("RpcProxy"))
    facts = Facts(first, second)
    (found,) = facts.ask(server_components).items
    assert [(each.name, each.state) for each in found.components] == [("MapiProxy", "Active")]
    assert any("the first counts" in sentence for sentence in facts.view.missing)


# --- directories: what Active Directory says and what IIS holds -------------------------------------------------------


def from_iis(**changes: Any) -> Any:
    folder = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\FrontEnd\\HttpProxy\\mapi"
    return mapi(**{"Path": folder, "ExtendedProtectionTokenChecking": "Allow", **changes})


def test_one_export_never_agrees_with_itself(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", server(), from_iis(IISAuthenticationMethods=["Ntlm"]))
    facts = Facts(tmp_path)
    directories = facts.ask(mapi_virtual_directories)
    assert directories.items[0].authentication_methods == ("Ntlm",)
    (in_iis,) = facts.ask(mapi_directories_in_iis, directories=directories).items
    assert in_iis.token_checking is TokenChecking.ALLOW
    assert isinstance(in_iis.authentication_methods, NotCollected)
    assert in_iis.authentication_methods.reason is Reason.NOT_GIVEN


def test_two_exports_can_differ(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", server(), from_iis(IISAuthenticationMethods=["Ntlm"]))
    write(tmp_path, "b.xml", mapi())
    facts = Facts(tmp_path)
    directories = facts.ask(mapi_virtual_directories)
    assert directories.items[0].authentication_methods == ("Ntlm", "OAuth", "Negotiate")
    (in_iis,) = facts.ask(mapi_directories_in_iis, directories=directories).items
    assert in_iis.authentication_methods == ("Ntlm",)


def test_an_export_of_active_directory_says_nothing_of_iis(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", server(), mapi(ExtendedProtectionTokenChecking="None"))
    facts = Facts(tmp_path)
    found = facts.ask(mapi_directories_in_iis, directories=facts.ask(mapi_virtual_directories))
    assert not found.items
    assert found.missing[0].because.reason is Reason.NOT_GIVEN
    write(tmp_path, "b.xml", extended_protection("EX01", "Require"))
    facts = Facts(tmp_path)
    (in_iis,) = facts.ask(mapi_directories_in_iis, directories=facts.ask(mapi_virtual_directories)).items
    assert in_iis.token_checking is TokenChecking.REQUIRE


# --- accounts and mailboxes -------------------------------------------------------------------------------------------


def test_without_the_switch_nobody_knows_the_alternate_service_account(tmp_path: Path) -> None:
    write(tmp_path, "a.xml", server(), service(AlternateServiceAccountConfiguration=None))
    found = Facts(tmp_path).ask(alternate_service_accounts)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert "-IncludeAlternateServiceAccountCredentialStatus" in found.sentence
    text = "Latest: 1/1/2026 1:00:00 PM, CONTOSO\\asa$\r\nPrevious: <Not set>"
    write(tmp_path, "b.xml", service(AlternateServiceAccountConfiguration=text))
    (account,) = Facts(tmp_path).ask(alternate_service_accounts).items
    assert account.account == "CONTOSO\\asa$"


def mailbox(kind: str, name: str, **properties: Any) -> Any:
    dn = f"CN={name},DC=contoso,DC=test"
    return thing(f"{RPS}.{kind}", DistinguishedName=dn, Identity=f"contoso.test/{name}", **properties)


def test_mailboxes(tmp_path: Path) -> None:
    defaults = {
        "MAPIEnabled": True,
        "MAPIBlockOutlookRpcHttp": False,
        "MAPIBlockOutlookExternalConnectivity": False,
        "MAPIBlockOutlookVersions": None,
    }
    ann = mailbox("CASMailbox", "ann", MapiHttpEnabled=False, PrimarySmtpAddress="ann@contoso.test", **defaults)
    bob = mailbox("CASMailbox", "bob", MapiHttpEnabled=None, PrimarySmtpAddress="bob@contoso.test", **defaults)
    write(tmp_path, "cas.xml", ann, bob)
    archive = "11111111-1111-1111-1111-111111111111"
    write(
        tmp_path, "m.xml", mailbox("Mailbox", "ann", ArchiveGuid=archive), mailbox("Mailbox", "bob", ArchiveGuid="0-0")
    )
    user = {"WindowsEmailAddress": "ann@contoso.test", "UserPrincipalName": "ann@corp.test"}
    shared = mailbox("User", "room", RecipientTypeDetails="RoomMailbox", **user)
    write(tmp_path, "u.xml", mailbox("User", "ann", RecipientTypeDetails="UserMailbox", **user), shared)
    write(tmp_path, "d.xml", thing(f"{DIRECTORY}.SystemConfiguration.AcceptedDomain", DomainName="contoso.test"))
    facts = Facts(tmp_path)
    settings = facts.ask(mailbox_settings)
    assert settings.looked_at == 2
    assert [(each.address, each.mapi_http) for each in settings.notable] == [("ann@contoso.test", False)]
    signs = facts.ask(mailbox_sign_ins, settings=settings, accepted=facts.ask(accepted_domains))
    assert (signs.looked_at, [each.user_principal_name for each in signs.different]) == (1, ["ann@corp.test"])
    archives = facts.run("Get-Mailbox", Archive=True)
    assert isinstance(archives, CmdletAnswer)
    assert len(archives.objects) == 1
    one = facts.run("Get-Mailbox", Identity="cn=ANN,DC=contoso,DC=test")
    assert isinstance(one, CmdletAnswer)
    assert len(one.objects) == 1


def test_an_export_that_was_cut_is_not_whole(tmp_path: Path) -> None:
    write(tmp_path, "cas.xml", *(mailbox("CASMailbox", f"m{number}") for number in range(1000)))
    view = read_exports([tmp_path])
    assert any("-ResultSize Unlimited" in sentence for sentence in view.missing)
    assert any("may have been cut" in sentence for sentence in view.incomplete)


# --- hosts ------------------------------------------------------------------------------------------------------------


def test_bindings_of_a_host(tmp_path: Path) -> None:
    kind = "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#bindings#binding"
    path = "/system.applicationHost/sites/site[@name='Exchange Back End' and @id='2']"
    made = thing(
        kind, protocol="https", bindingInformation="*:444:", certificateHash=THUMBPRINT, sslFlags=0, ItemXPath=path
    )
    write(tmp_path, "bindings.xml", made, made)
    write(tmp_path, "servers.xml", server())
    facts = Facts(tmp_path)
    (host,) = facts.ask(host_bindings).items
    assert [each.shown for each in host.of("exchange back end")] == ["https *:444:"] * 2
    assert facts.view.found[0] == "bindings.xml: 2 IIS bindings."
    assert facts.view.hosts.missing == ()
    assert set(facts.view.hosts.exports[0].items) == {HostItem.WEB_BINDINGS}


def test_a_server_without_its_host(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    write(tmp_path, "pools-EX01.xml", app_pools())
    hosts = read_exports([tmp_path]).hosts
    assert [(entry.subject.name, entry.because.reason) for entry in hosts.missing] == [("EX02", Reason.NOT_GIVEN)]


def test_what_is_nobodys_is_told_as_such_and_not_asked_for_again(tmp_path: Path) -> None:
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    write(tmp_path, "certificates.xml", certificate(), certificate("F" * 40))
    write(tmp_path, "pools.xml", app_pools())
    facts = Facts(tmp_path)
    answer = facts.run("Get-ExchangeCertificate", Server="EX01")
    assert isinstance(answer, NotCollected)
    assert answer.sentence == (
        "Nothing says of which server certificates.xml is, with the objects of Get-ExchangeCertificate; put the"
        " server's name into the name of the file."
    )
    assert [entry.because.sentence for entry in facts.ask(host_app_pools).missing] == [
        f"Nothing says of which server pools.xml tells; where it is {name}, put that into the name of the file."
        for name in ("EX01", "EX02")
    ]
    # Of EX02 there is one; whose the other is remains open.
    write(tmp_path, "EX02 certificates.xml", certificate(), certificate("E" * 40))
    facts = Facts(tmp_path)
    assert isinstance(facts.run("Get-ExchangeCertificate", Server="EX02"), CmdletAnswer)
    assert facts.run("Get-ExchangeCertificate", Server="EX01") == answer


def test_nobody_is_told_to_export_what_is_not_read(tmp_path: Path) -> None:
    allowed = {spec.name for spec in find_checks().allowed()}
    answers = Facts(write(tmp_path, "a.xml", organisation()))
    for cmdlet in sorted(allowed - {"Get-OrganizationConfig"}):
        answer = answers.run(cmdlet)
        assert isinstance(answer, NotCollected)
        known = cmdlet in CMDLETS.values() or cmdlet == "Get-ClientAccessServer"
        assert ("| Export-Clixml" in answer.sentence) is known
        assert known or "mapiready collector" in answer.sentence
