"""What is written while a run goes: nothing is held whole, nothing secret is kept, a full disk costs the file alone."""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    MapiRequest,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInScheme,
    Step,
    Timed,
)
from checker.answers import (
    Attempt,
    CmdletAnswer,
    CmdletCall,
    HttpAnswer,
    Keep,
    Layer,
    NotCollected,
    Offer,
    PSObject,
    PSValue,
    Reason,
    Resolved,
    Services,
    Target,
    TlsVersion,
)
from checker.audit import audit_organisation
from checker.output import OutputError
from checker.powershell.records import Heard, Stream, Tap
from checker.results import Report, Subject, SubjectKind
from checker.runner import NoProgress
from checker.secrets import Secret
from checker.settings import SettingsError
from checker.snapshot.archive import Archive
from checker.snapshot.format import (
    AccountAnswer,
    AccountExchange,
    AccountLook,
    AccountQuestion,
    NetworkAnswer,
    NetworkExchange,
    NetworkLook,
    NetworkQuestion,
    SavedHandshake,
    read_json,
    structure,
    unstructure,
    write_json,
)
from checker.snapshot.recording import Recorder
from checker.snapshot.replay import open_snapshot
from lab.organisation import start
from tests.faults.test_secrets import CANARY, PASSWORD_FORMS, healthy
from tests.lab_audit import settings_for
from tests.snapshot.making import ABOUT, ORGANIZATION, Pipeline, snapshot

CALL = CmdletCall.of("Get-OrganizationConfig")


def contents(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- as received ------------------------------------------------------------------------------------------------------


def test_the_messages_are_kept_letter_by_letter(tmp_path: Path) -> None:
    odd = "<S>\u00e9 \U0001f600 \ud800 _x000A_ &lt;\t\r\n</S>"
    file = snapshot(tmp_path, says={"Get-OrganizationConfig": [(Stream.OUTPUT, ORGANIZATION), (Stream.STATE, odd)]})
    lines = contents(file)["powershell/000001.jsonl"].splitlines()
    assert [read_json(line) for line in lines] == [{"output": ORGANIZATION}, {"state": odd}]


def test_all_of_an_object_is_kept_though_the_run_wanted_little_of_it(tmp_path: Path) -> None:
    kept: list[PSValue] = []

    def keep(value: PSValue) -> PSValue:
        kept.append(value)
        return True

    async def run(recorder: Recorder) -> CmdletAnswer | NotCollected:
        pipeline = Pipeline({CALL.name: [(Stream.OUTPUT, ORGANIZATION)] * 3})
        return await recorder.runner(pipeline).run(CALL, keep=keep)

    with Recorder(tmp_path / "a.zip") as recorder:
        answer = asyncio.run(run(recorder))
        recorder.write(ABOUT, ())
    assert isinstance(answer, CmdletAnswer)
    assert answer.objects == (True, True, True)
    with Archive(tmp_path / "a.zip") as archive:
        again = asyncio.run(replayed(archive, keep))
        whole = asyncio.run(replayed(archive, None))
    assert (again.objects, len(kept)) == (answer.objects, 6)
    assert [item.properties["Name"] for item in whole.objects if isinstance(item, PSObject)] == ["Contoso"] * 3


async def replayed(archive: Archive, keep: Keep | None) -> CmdletAnswer:
    with open_snapshot(archive) as view:
        assert view.runner is not None
        answer = await view.runner.run(CALL, keep=keep)
    assert isinstance(answer, CmdletAnswer)
    return answer


class Repeating:
    """Remote PowerShell whose server is lost in the midst of an answer, which the next one gives anew."""

    def __init__(self, *attempts: Sequence[str]) -> None:
        self.attempts = attempts

    async def run(
        self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
    ) -> CmdletAnswer | NotCollected:
        assert tap is not None
        late: list[Heard] = []
        for messages in self.attempts:
            heard = tap()
            for each in late:
                each(Stream.OUTPUT, "<S>of a thread that was given up</S>")
            for message in messages:
                heard(Stream.OUTPUT, message)
            late.append(heard)
        return CmdletAnswer(call, "ex02.contoso.test", (), (), (), 0.1)


def test_of_an_answer_that_was_asked_for_again_the_last_counts(tmp_path: Path) -> None:
    async def run(recorder: Recorder) -> None:
        await recorder.runner(Repeating(["<S>a</S>", "<S>b</S>"], ["<S>c</S>"])).run(CALL)

    with Recorder(tmp_path / "a.zip") as recorder:
        asyncio.run(run(recorder))
        recorder.write(ABOUT, ())
    assert contents(tmp_path / "a.zip")["powershell/000001.jsonl"] == write_json({"output": "<S>c</S>"}) + b"\n"


def test_the_same_answers_make_the_same_file_whatever_order_they_came_in(tmp_path: Path) -> None:
    calls = [CmdletCall.of("Get-B", Server=f"EX{number:02}") for number in range(5)] + [CmdletCall.of("Get-A")]

    async def run(recorder: Recorder, order: Sequence[CmdletCall]) -> None:
        runner = recorder.runner(Pipeline({"Get-A": [(Stream.OUTPUT, "<S>a</S>")], "Get-B": []}))
        for call in order:
            await runner.run(call)

    made = []
    for name, order in (("a.zip", calls), ("b.zip", calls[::-1])):
        with Recorder(tmp_path / name) as recorder:
            asyncio.run(run(recorder, order))
            recorder.write(ABOUT, ())
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        made.append({**contents(tmp_path / name), "manifest.json": b""})
    assert list(made[0].items()) == list(made[1].items())


def test_an_answer_of_any_length_is_not_held(tmp_path: Path) -> None:
    one = "<S>" + "x" * 100_000 + "</S>"

    class Long:
        async def run(
            self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
        ) -> CmdletAnswer | NotCollected:
            assert tap is not None
            heard = tap()
            for number in range(1000):
                heard(Stream.OUTPUT, f"{number}{one}")
            return CmdletAnswer(call, "ex01", (), (), (), 1.0)

    async def run(recorder: Recorder) -> None:
        await recorder.runner(Long()).run(CALL)

    tracemalloc.start()
    try:
        with Recorder(tmp_path / "a.zip") as recorder:
            asyncio.run(run(recorder))
            recorder.write(ABOUT, ())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8e6
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.getinfo("powershell/000001.jsonl").file_size > 100e6


# --- where it cannot be written ---------------------------------------------------------------------------------------


def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "a.zip", tmp_path):
        with pytest.raises(SettingsError, match="cannot be written"), Recorder(path):
            pass
    with start("healthy") as lab:
        settings, secret, keep = settings_for(lab), Secret(lab.password), tmp_path / "nowhere" / "a.zip"
        with pytest.raises(SettingsError, match="nowhere"):
            audit_organisation(settings, secret, NoProgress(), lambda _report: (), keep=keep)
        assert not lab.journal


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_a_full_disk_costs_the_snapshot_and_not_the_report(tmp_path: Path) -> None:
    import resource
    import signal

    reports: list[Report] = []

    def emit(report: Report) -> tuple[Path, ...]:
        reports.append(report)
        return ()

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    with start("healthy") as lab:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        try:
            with pytest.raises(OutputError, match="could not be written: File too large"):
                audit_organisation(settings_for(lab), Secret(lab.password), NoProgress(), emit, keep=tmp_path / "a.zip")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
    assert reports[0].readiness.value == "ready"
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_beside_the_snapshot(tmp_path: Path) -> None:
    snapshot(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["org.mapiready.zip"]
    with Recorder(tmp_path / "b.zip"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["org.mapiready.zip"]


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
@pytest.mark.parametrize("faults", [(), ("create:*:echo",), ("command:3+:echo",), ("receive:4+:echo",)])
def test_no_password_is_in_a_snapshot(auth: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    with start(healthy(), powershell_faults=faults) as lab:
        settings = replace(settings_for(lab, timeout=2, deadline=15, auth=auth), user=lab.user)
        audit_organisation(settings, Secret(CANARY), NoProgress(), lambda _report: (), keep=file)
    for name, data in contents(file).items():
        assert not [form for form in PASSWORD_FORMS if form in data], name
        assert b"uthorization" not in data, name


# --- the format -------------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=12)
SECONDS = st.floats(0, 1e6)
TARGETS = st.builds(Target, TEXTS, st.integers(1, 65535), st.none() | TEXTS, st.integers(0, 9))
SUBJECTS = st.builds(Subject, st.sampled_from(SubjectKind), TEXTS, st.none() | TEXTS, st.none() | TEXTS)
UNKNOWN = st.builds(
    NotCollected,
    st.sampled_from(Reason),
    TEXTS,
    st.none() | st.sampled_from(Layer),
    st.none() | SUBJECTS,
)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple)
PAGES = st.builds(
    HttpAnswer, TARGETS, TEXTS, TEXTS, TEXTS, st.integers(100, 599), TEXTS, TEXTS, PAIRS, st.binary(max_size=20),
    st.booleans(), SECONDS,
)  # fmt: skip
ATTEMPTS = st.lists(st.builds(Attempt, TEXTS, st.none() | UNKNOWN), max_size=2).map(tuple)
SEEN = st.one_of(
    UNKNOWN,
    PAGES,
    st.builds(Resolved, TARGETS, st.lists(TEXTS, max_size=2).map(tuple), st.booleans(), SECONDS),
    st.builds(SavedHandshake, TARGETS, TEXTS, TEXTS, TEXTS, st.lists(TEXTS, max_size=2).map(tuple), ATTEMPTS, SECONDS),
    st.builds(Offer, TARGETS, st.sampled_from(TlsVersion), st.booleans(), TEXTS),
    st.builds(Services, TEXTS, st.lists(st.tuples(TEXTS, st.integers(0, 65535)), max_size=2).map(tuple), SECONDS),
)
LOOKS = st.builds(
    NetworkQuestion,
    st.sampled_from(NetworkLook),
    st.none() | TARGETS,
    st.none() | st.sampled_from(TlsVersion),
    st.none() | TEXTS,
    st.none() | TEXTS,
)
TIMINGS = st.lists(st.builds(Timed, st.sampled_from(Step), SECONDS), max_size=2).map(tuple)
SIGNED = st.builds(
    SignedAnswer, TARGETS, TEXTS, st.sampled_from(SignInScheme), st.none() | TEXTS, st.booleans(), st.booleans(),
    st.integers(0, 9), st.lists(PAGES, max_size=2).map(tuple), PAGES | UNKNOWN, TIMINGS,
)  # fmt: skip
REQUESTS = st.lists(st.builds(MapiRequest, TEXTS, st.booleans(), PAGES | UNKNOWN, SECONDS), max_size=2).map(tuple)
GOT = st.one_of(
    UNKNOWN,
    SIGNED,
    st.builds(AccountProof, st.sampled_from(Proof), st.none() | TEXTS, st.integers(0, 9), st.none() | UNKNOWN),
    st.builds(MapiConversation, TARGETS, st.sampled_from(MapiEndpoint), TEXTS, SIGNED, REQUESTS, TIMINGS),
    st.builds(RpcEcho, TARGETS, SIGNED, SIGNED),
)
ASKED = st.builds(
    AccountQuestion,
    st.sampled_from(AccountLook),
    st.none() | TARGETS,
    scheme=st.none() | st.sampled_from(SignInScheme),
    mailbox=st.none() | st.builds(MapiMailbox, st.none() | TEXTS, st.none() | TEXTS),
    path=st.none() | TEXTS,
)


@given(LOOKS, SEEN)
def test_what_the_network_said_comes_back(question: NetworkQuestion, answer: NetworkAnswer) -> None:
    exchange = NetworkExchange(question, answer)
    assert structure(read_json(write_json(unstructure(exchange))), NetworkExchange) == exchange


@given(ASKED, GOT)
def test_what_the_test_account_got_comes_back(question: AccountQuestion, answer: AccountAnswer) -> None:
    exchange = AccountExchange(question, answer)
    assert structure(read_json(write_json(unstructure(exchange))), AccountExchange) == exchange
