"""What the script wrote is read as it is; what is damaged costs itself, what is foreign is one clear sentence."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checker.answers import CmdletAnswer, CmdletCall, NotCollected, Reason
from checker.collected import CollectedError, is_collected, open_collected
from checker.errors import UserError
from checker.facts.run import MailboxMode
from checker.host import HostItem
from checker.judging import judge_files
from checker.results import Category, Readiness, Status
from checker.saved import SavedView
from checker.settings import Settings
from lab.collector import host_of
from lab.organisation import RunningLab, start
from tests.collector.collecting import Watched, collect, zipped
from tests.collector.interpreter import RaisedError
from tests.exports.writing import health_check, write

SERVERS = CmdletCall.of("Get-ExchangeServer")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[RunningLab, Watched]]:
    watched = Watched()
    with start("healthy", faults=("powershell-denies:Get-AuthConfig",), around=watched) as lab:
        yield lab, watched


@pytest.fixture
def folder(running: tuple[RunningLab, Watched], tmp_path: Path) -> Path:
    return collect(*running, tmp_path)[1]


def run(view: SavedView, call: CmdletCall) -> CmdletAnswer | NotCollected:
    assert view.runner is not None
    return asyncio.run(view.runner.run(call))


def why(view: SavedView, call: CmdletCall) -> tuple[Reason, str]:
    answer = run(view, call)
    assert isinstance(answer, NotCollected)
    return answer.reason, answer.sentence


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_the_zip_the_folder_and_a_zip_of_the_folder_are_the_same(folder: Path) -> None:
    plain = zipped(folder)
    shutil.copy(plain, plain.with_name("copy.zip"))
    for path in (folder, plain.with_name("copy.zip"), zipped(folder, prefix=f"{folder.name}/")):
        assert is_collected(path)
        with open_collected(path) as view:
            answer = run(view, SERVERS)
            assert isinstance(answer, CmdletAnswer)
            assert (len(answer.objects), answer.server) == (3, "ex01.contoso.test")
            assert view.mailboxes.mode is MailboxMode.AUTO
            assert view.incomplete == view.missing == ()


def test_calls_are_told_by_their_parameters_in_any_order_and_case(folder: Path) -> None:
    with open_collected(folder) as view:
        parameters = (("resultsize", 5001), ("ignoredefaultscope", True))
        assert isinstance(run(view, CmdletCall("get-casmailbox", parameters)), CmdletAnswer)
        assert why(view, CmdletCall.of("Get-CASMailbox"))[0] is Reason.NOT_GIVEN
        assert why(view, CmdletCall.of("Get-ExchangeServer", Identity="EX09"))[0] is Reason.NOT_GIVEN


def test_objects_are_reduced_as_they_come(folder: Path) -> None:
    with open_collected(folder) as view:
        assert view.runner is not None
        answer = asyncio.run(view.runner.run(SERVERS, keep=lambda _: "one"))
        assert isinstance(answer, CmdletAnswer)
        assert answer.objects == ("one", "one", "one")


def test_a_cmdlet_that_the_account_may_not_run_is_unknown_as_live(folder: Path) -> None:
    with open_collected(folder) as view:
        reason, sentence = why(view, CmdletCall.of("Get-AuthConfig"))
        assert reason is Reason.CMDLET_UNKNOWN
        assert sentence.startswith("ex01.contoso.test does not offer Get-AuthConfig to CONTOSO\\audit: ")


def test_only_judged_properties_of_mailboxes_are_written_down(folder: Path) -> None:
    call = CmdletCall.of("Get-User", ResultSize=5001, RecipientTypeDetails="UserMailbox", IgnoreDefaultScope=True)
    with open_collected(folder) as view:
        answer = run(view, call)
        assert isinstance(answer, CmdletAnswer)
        names = {name for item in answer.objects for name in getattr(item, "properties", {})}
        assert names == {"WindowsEmailAddress", "UserPrincipalName"}


def test_it_is_judged_with_what_other_hosts_wrote(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    lab, watched = running
    hosts = []
    for server in lab.scenario.servers:
        leaf = lab.identities[server.certificate].chain[0]
        hosts.append(host_of(server, hashlib.sha1(leaf, usedforsecurity=False).hexdigest().upper()))
        (tmp_path / server.name).mkdir()
    _, first = collect(lab, watched, tmp_path / "EX01", host=hosts[0])
    others = [collect(lab, watched, tmp_path / host.name, host=host, HostOnly=True)[1] for host in hosts[1:]]
    report = judge_files([str(zipped(first)), *map(str, others)], Settings(server=()))
    assert report.judged_at == lab.now
    assert (report.servers, report.narrowed, report.counts.failed_blockers) == (("EX01", "EX02", "EX03"), (), 0)
    told = {(each.check, each.subject.name): each.status for each in report.findings if each.category is Category.HOST}
    for name in report.servers:
        for check in ("host-app-pools", "host-bindings", "host-dotnet"):
            assert told[check, name] is Status.PASS


def test_a_folder_of_everything_is_judged_once(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    """The zip beside the folder that it was made of, a host's folder without its zip, and what else lies about."""
    lab, watched = running
    whole, host = tmp_path / "exports", host_of(lab.scenario.servers[1])
    whole.mkdir()
    _, folder = collect(lab, watched, whole)
    (whole / "EX02").mkdir()
    alone = judge_files([str(zipped(folder))], Settings(server=()))
    collect(lab, watched, whole / "EX02", host=host, HostOnly=True)
    (whole / "settings.xml").write_text("<configuration/>")
    with zipfile.ZipFile(whole / "photos.zip", "w") as archive:
        archive.writestr("photo.jpg", b"x")
    report = judge_files([str(whole)], Settings(server=()))
    notes = "\n".join(report.notes)
    assert notes.count(f"{folder.name}.zip: ") == 1
    assert f"{folder.name}: " not in notes
    assert "photos.zip is left out" in notes
    assert "settings.xml" in notes
    assert [each for each in report.findings if each.category is not Category.HOST] == [
        each for each in alone.findings if each.category is not Category.HOST
    ]
    told = {each.subject.name: each.status for each in report.findings if each.check == "host-dotnet"}
    assert told == {"EX01": Status.PASS, "EX02": Status.PASS, "EX03": Status.NOT_RUN}
    patterns = [f"{whole}/mapiready-*", f"{whole}/EX0*"]
    assert judge_files(patterns, Settings(server=())).findings == report.findings


@pytest.mark.parametrize("days", [-400, 400])
def test_health_checker_beside_it_neither_loses_nor_narrows(
    running: tuple[RunningLab, Watched], tmp_path: Path, days: int
) -> None:
    lab, watched = running
    _, folder = collect(lab, watched, tmp_path)
    alone = judge_files([str(folder)], Settings(server=()))
    check = health_check(2025)
    check.HealthCheckerExchangeServer.GenerationTime = lab.now + timedelta(days=days)
    check.HealthCheckerExchangeServer.OrganizationInformation.GetOrganizationConfig.Name = alone.organisation
    file = write(tmp_path, "HealthChecker-EX01.xml", check)
    for order in ((file, folder), (folder, file)):
        report = judge_files([str(each) for each in order], Settings(server=(), now=lab.now))
        assert (report.servers, report.narrowed) == (("EX01", "EX02", "EX03"), ())
        assert [each for each in report.findings if each.category is not Category.HOST] == [
            each for each in alone.findings if each.category is not Category.HOST
        ]


def test_two_collections_of_one_organisation(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    lab, watched = running
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    _, first = collect(lab, watched, tmp_path / "one")
    _, second = collect(lab, watched, tmp_path / "two", host=host_of(lab.scenario.servers[1]))
    alone = judge_files([str(first)], Settings(server=()))
    # What one of them could not write, the other did.
    (first / "call-00002.xml").unlink()
    report = judge_files([str(first), str(zipped(second))], Settings(server=()))
    assert report.servers == alone.servers
    assert {(each.check, each.subject.name): each.status for each in report.findings if each.check[:5] != "host-"} == {
        (each.check, each.subject.name): each.status for each in alone.findings if each.check[:5] != "host-"
    }


def test_a_host_alone_is_no_organisation(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    _, folder = collect(*running, tmp_path, HostOnly=True)
    assert judge_files([str(folder)], Settings(server=())).readiness is Readiness.INCONCLUSIVE


# --- other ways to run the script -------------------------------------------------------------------------------------


def test_one_host_alone(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    interpreter, folder = collect(*running, tmp_path, HostOnly=True)
    assert interpreter.called == []
    with open_collected(folder) as view:
        assert view.runner is None
        (export,) = view.hosts.exports
        assert (export.server, export.items[HostItem.DOTNET_RELEASE]) == ("EX01", 528040)
        assert export.items[HostItem.EXTENDED_PROTECTION] == {
            "Default Web Site/mapi": "None",
            "Default Web Site/Rpc": "None",
            "Exchange Back End/mapi/emsmdb": "None",
            "Exchange Back End/mapi/nspi": "None",
        }
        tls = export.items[HostItem.TLS_SETTINGS]
        assert isinstance(tls, dict)
        assert tls["TLS 1.0"] == {"ServerEnabled": False, "ServerDisabledByDefault": True}
        assert "TLS 1.1" not in tls


def test_a_host_that_lets_nobody_read_costs_its_own_items(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    lab, watched = running
    host = host_of(lab.scenario.servers[0])
    registry = {key: values for key, values in host.registry.items() if "NDP" not in key}
    pools = tuple(replace(pool, configuration=None) for pool in host.pools[:1]) + host.pools[1:]
    _, folder = collect(lab, watched, tmp_path, host=replace(host, registry=registry, pools=pools))
    with open_collected(folder) as view:
        items = view.hosts.exports[0].items
        missing = items[HostItem.DOTNET_RELEASE]
        assert isinstance(missing, NotCollected)
        assert missing.sentence in view.missing
        configurations = items[HostItem.CLR_CONFIGURATIONS]
        assert isinstance(configurations, dict)
        assert host.pools[0].name not in configurations
        assert host.pools[1].name in configurations


def test_without_the_pools_their_configurations_are_not_known_to_be_none(
    running: tuple[RunningLab, Watched], tmp_path: Path
) -> None:
    lab, watched = running
    _, folder = collect(lab, watched, tmp_path, host=replace(host_of(lab.scenario.servers[0]), iis_readable=False))
    with open_collected(folder) as view:
        items = view.hosts.exports[0].items
        assert isinstance(items[HostItem.APP_POOLS], NotCollected)
        assert isinstance(items[HostItem.CLR_CONFIGURATIONS], NotCollected)
        assert items[HostItem.MEMORY] == 128 << 30


def test_ctrl_c_leaves_what_is_known(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    interpreter, folder = collect(*running, tmp_path, interrupt_at=5)
    assert interpreter.zipped == []
    with open_collected(folder) as view:
        assert isinstance(run(view, SERVERS), CmdletAnswer)
        assert why(view, CmdletCall.of("Test-ServiceHealth", Server="EX01"))[0] is Reason.INTERRUPTED
        assert view.incomplete == (f"a collection that was interrupted ({folder.name})",)
        assert any("interrupted" in sentence for sentence in view.missing)


def test_powershell_4_leaves_the_folder(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    interpreter, folder = collect(*running, tmp_path, version=4)
    assert interpreter.zipped == []
    assert str(folder) in interpreter.said[0]
    assert is_collected(folder)


def test_powershell_5_packs_it(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    interpreter, folder = collect(*running, tmp_path)
    assert interpreter.zipped == [(folder, folder.with_suffix(".zip"))]


def test_a_shell_that_is_none_of_exchange_is_told(running: tuple[RunningLab, Watched], tmp_path: Path) -> None:
    watched = Watched()
    with (
        start("healthy", faults=("powershell-denies:Get-OrganizationConfig",), around=watched) as lab,
        pytest.raises(RaisedError, match="Exchange Management Shell, or with -HostOnly"),
    ):
        collect(lab, watched, tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- damaged, foreign, hostile ----------------------------------------------------------------------------------------


def test_a_file_that_is_cut_costs_its_call(folder: Path) -> None:
    with open_collected(folder) as view:
        file = folder / "call-00001.xml"
        file.write_bytes(file.read_bytes()[:-200])
        reason, sentence = why(view, SERVERS)
        assert reason is Reason.MALFORMED
        assert sentence.startswith(
            f"call-00001.xml in {folder.name}, with what Get-ExchangeServer gave, cannot be read"
        )
        assert isinstance(run(view, CmdletCall.of("Get-MailboxServer")), CmdletAnswer)


def test_objects_that_are_missing_are_noticed(folder: Path) -> None:
    (folder / "call-00001.xml").write_text("<Objs />")
    with open_collected(folder) as view:
        assert "it holds 0 objects, and 3 were written" in why(view, SERVERS)[1]
    (folder / "call-00001.xml").unlink()
    with open_collected(folder) as view:
        assert why(view, SERVERS)[0] is Reason.MALFORMED


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('<I32 N="SchemaVersion">1<', '<I32 N="SchemaVersion">2<', "of a newer mapiready"),
        ('<I32 N="SchemaVersion">1<', '<I32 N="SchemaVersion">0<', "no number that is known"),
        ("mapiready-collector<", "something-else<", "something else's"),
        ("call-00001.xml", "../call-00001.xml", "names a file that the collector never writes"),
        ("call-00001.xml", "C:\\Windows\\win.ini", "names a file that the collector never writes"),
        ('<S N="Cmdlet">Get-ExchangeServer</S>', "", "names a call without its cmdlet"),
        ("</Objs>", "", "not what Export-Clixml writes"),
        ("<Objs ", '<!DOCTYPE x [<!ENTITY a "b">]><Objs ', "not what Export-Clixml writes"),
    ],
)
def test_an_index_that_is_not_the_script_s(folder: Path, old: str, new: str, sentence: str) -> None:
    change(folder / "index.xml", old, new)
    with pytest.raises(CollectedError, match=sentence), open_collected(folder):
        pass


def test_what_a_newer_script_writes_besides_is_passed_over(folder: Path) -> None:
    change(folder / "index.xml", "host-memory.xml", "host-memory-new.xml")
    change(folder / "index.xml", '<S N="Item">memory<', '<S N="Item">memory-new<')
    with open_collected(folder) as view:
        assert HostItem.MEMORY not in view.hosts.exports[0].items


def test_a_zip_that_is_cut_or_none_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    file = zipped(folder)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("../index.xml", (folder / "index.xml").read_bytes())
    nothing = tmp_path / "nothing.zip"
    nothing.write_text("nothing")
    for path in (cut, other, nothing, tmp_path / "absent.zip", tmp_path):
        assert not is_collected(path)
        with pytest.raises(UserError) as caught, open_collected(path):
            pass
        assert str(path) in str(caught.value)


def test_an_entry_that_is_damaged_costs_its_call(folder: Path) -> None:
    file = zipped(folder)
    data = bytearray(file.read_bytes())
    at = data.index(b"call-00001.xml") + len("call-00001.xml") + 200
    data[at : at + 20] = bytes(20)
    file.write_bytes(data)
    with open_collected(file) as view:
        assert why(view, SERVERS)[0] is Reason.MALFORMED


@pytest.mark.fuzz
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_index_is_read_or_refused(folder: Path, data: st.DataObject) -> None:
    index = folder / "index.xml"
    whole = index.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 60))
    new = data.draw(st.one_of(st.binary(max_size=20), st.sampled_from([b"<Nil />", b'<Ref RefId="0" />', b"<LST>"])))
    index.write_bytes(whole[:at] + new + whole[at + length :])
    refusal = str(folder)
    try:
        with open_collected(folder) as view:
            if view.runner is not None:
                run(view, SERVERS)
    except CollectedError as error:
        refusal = str(error)
    finally:
        index.write_bytes(whole)
    assert refusal.startswith(str(folder))
