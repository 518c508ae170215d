"""A server that sends a password back, in whatever spelling: it is not in the snapshot, and the snapshot says so."""

from __future__ import annotations

import asyncio
import base64
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psrpcore.types import PSCryptoProvider, serialize_clixml

from checker.account import AccountProof, Proof, SignedAnswer, SignInAt, SignInScheme
from checker.answers import CmdletAnswer, CmdletCall, Handshake, HttpAnswer, Keep, NotCollected, Reason, Target
from checker.judging import judge_files
from checker.network.no_account import NoAccount
from checker.powershell.records import Stream, Tap
from checker.results import Status
from checker.secrets import Secret
from checker.settings import Settings
from checker.snapshot.archive import Archive
from checker.snapshot.discretion import Discretion
from checker.snapshot.format import write_json
from checker.snapshot.recording import Recorder
from checker.snapshot.replay import open_snapshot
from tests.faults.test_secrets import forms
from tests.snapshot.making import ABOUT, ORGANIZATION, Pipeline, Seen

PASSWORD = "Tr0ub4dor & <3'_x0041_\u00e9"
TARGET = Target("mail.contoso.test")
CALLS = ("Get-OrganizationConfig", "Get-ExchangeServer", "Get-AcceptedDomain")
AT, NTLM = SignInAt.MAILBOX, SignInScheme.NTLM


class _NoCrypto(PSCryptoProvider):
    """Nothing secret is written by it."""


def clixml(text: str) -> str:
    """The text as PowerShell writes it into an object."""
    whole = serialize_clixml([text], _NoCrypto())
    return whole[whole.index("<S") : whole.rindex("</Objs>")]


class Echoing(Seen):
    """A web site that says a text, in the part that is asked for."""

    def __init__(self, body: bytes, header: str, certificate: bytes) -> None:
        self.body, self.header, self.certificate = body, header, certificate

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:
        answer = await super().get(target, path)
        assert isinstance(answer, HttpAnswer)
        return replace(answer, body=self.body, headers=(*answer.headers, ("x-echo", self.header)))

    async def handshake(self, target: Target) -> Handshake | NotCollected:
        answer = await super().handshake(target)
        assert isinstance(answer, Handshake)
        return replace(answer, certificates=(self.certificate,))


class Proving(NoAccount):
    """A server that gives the password back to the test account."""

    def __init__(self, text: str) -> None:
        self.why = NotCollected(Reason.OTHER, f"It said {text}.")

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        return AccountProof(Proof.DOUBTFUL, None, 1, self.why)

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        return self.why


class Telling(Pipeline):
    """Remote PowerShell whose failures say a text."""

    def __init__(self, says: Mapping[str, Sequence[tuple[Stream, str]]], text: str) -> None:
        super().__init__(says)
        self.text = text

    async def run(
        self, call: CmdletCall, *, keep: Keep | None = None, tap: Tap | None = None
    ) -> CmdletAnswer | NotCollected:
        answer = await super().run(call, keep=keep, tap=tap)
        return replace(answer, sentence=self.text) if isinstance(answer, NotCollected) else answer


def written(
    file: Path,
    *,
    cmdlet: str = "<S>x</S>",
    body: bytes = b"",
    header: str = "",
    certificate: bytes = b"",
    say: str = "",
) -> Path:
    """A snapshot of a run in which servers said these things, and the password of the run was PASSWORD."""

    async def run(recorder: Recorder) -> None:
        says = {
            CALLS[0]: [(Stream.OUTPUT, ORGANIZATION)],
            CALLS[1]: [(Stream.OUTPUT, "<S>first</S>"), (Stream.ERROR, cmdlet), (Stream.OUTPUT, "<S>last</S>")],
        }
        runner = recorder.runner(Telling(says, f"It said {say}."))
        for name in CALLS:
            await runner.run(CmdletCall.of(name))
        seen = recorder.network(Echoing(body, header, certificate))
        await seen.resolve(TARGET)
        await seen.handshake(TARGET)
        await seen.get(TARGET, "/mapi/emsmdb/")
        account = recorder.account(Proving(say))
        await account.prove((), ())
        await account.sign_in(TARGET, AT, NTLM)

    with Recorder(file, [Secret(PASSWORD), Secret("short")]) as recorder:
        asyncio.run(run(recorder))
        return recorder.write(ABOUT, ("A note.", f"A server said {say}.") if say else ("A note.",))


def assert_discreet(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            spelled = (*forms(PASSWORD), json.dumps(PASSWORD)[1:-1].encode())
            assert not [form for form in spelled if form in archive.read(name)], name


def calls(file: Path) -> dict[str, CmdletAnswer | NotCollected]:
    async def ask() -> dict[str, CmdletAnswer | NotCollected]:
        with Archive(file) as archive, open_snapshot(archive) as view:
            assert view.runner is not None
            return {name: await view.runner.run(CmdletCall.of(name)) for name in CALLS}

    return asyncio.run(ask())


def test_without_an_echo_everything_is_kept(tmp_path: Path) -> None:
    file = written(tmp_path / "a.zip", cmdlet=clixml("short of PASSWORD"), body=b"short", say="short")
    answers = calls(file)
    assert isinstance(answers[CALLS[0]], CmdletAnswer)
    assert isinstance(answers[CALLS[1]], CmdletAnswer)
    assert b"refused-by-tool" not in b"".join(archive_parts(file))


def archive_parts(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as archive:
        return [archive.read(name) for name in archive.namelist()]


SPELLINGS = [
    clixml(PASSWORD),
    f"<S>before{clixml(PASSWORD)[3:-4]}after</S>",
    f"<BA>{base64.b64encode(b'x' + PASSWORD.encode()).decode()}</BA>",
    f"<BA>{base64.b64encode(PASSWORD.encode('utf-16-le')).decode()}</BA>",
    f"<S>{PASSWORD.encode().hex()}</S>",
]


@pytest.mark.parametrize("cmdlet", SPELLINGS)
def test_an_answer_of_a_cmdlet_that_holds_it(cmdlet: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.zip", cmdlet=cmdlet)
    assert_discreet(file)
    answers = calls(file)
    assert isinstance(answers[CALLS[0]], CmdletAnswer)  # the others are kept
    why = answers[CALLS[1]]
    assert isinstance(why, NotCollected)
    assert why.reason is Reason.REFUSED_BY_TOOL
    assert why.sentence == (
        "What Get-ExchangeServer gave holds a password or token of the run that gathered it, and is not kept: find out"
        " who sends it back, and change it."
    )
    report = judge_files([str(file)], Settings(server=()))
    (finding,) = (each for each in report.findings if each.check == "server-in-support")
    assert (finding.status, finding.summary) == (Status.UNKNOWN, why.sentence)


@pytest.mark.parametrize("part", ["body", "body in utf-16", "body in base64", "header", "certificate", "utf-16 in it"])
def test_a_look_at_the_network_that_holds_it(part: str, tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    if part == "header":
        written(file, header=f"x={PASSWORD}")
    elif "body" in part:
        coded = PASSWORD.encode("utf-16-le" if "utf-16" in part else "utf-8")
        written(file, body=b"<html>" + (base64.b64encode(coded) if "base64" in part else coded) + b"</html>")
    else:
        written(file, certificate=b"0\x82" + PASSWORD.encode("utf-16-be" if "utf-16" in part else "utf-8"))
    assert_discreet(file)
    with zipfile.ZipFile(file) as archive:
        looks = archive.read("network.jsonl").splitlines()
    assert len(looks) == 3
    assert sum(b"refused-by-tool" in look for look in looks) == 1


def test_what_is_told_of_a_failure_may_hold_it_too(tmp_path: Path) -> None:
    file = written(tmp_path / "a.zip", say=PASSWORD)
    assert_discreet(file)
    with zipfile.ZipFile(file) as archive:
        signed = archive.read("account.jsonl").splitlines()
    assert len(signed) == 2
    assert all(b"refused-by-tool" in line for line in signed)
    failed = calls(file)[CALLS[2]]
    assert isinstance(failed, NotCollected)
    assert failed.reason is Reason.REFUSED_BY_TOOL
    assert judge_files([str(file)], Settings(server=())).findings


@pytest.mark.fuzz
@given(
    secret=st.text(min_size=8, max_size=30),
    before=st.text(max_size=5),
    behind=st.text(max_size=5),
    way=st.sampled_from(["plain", "clixml", "utf-8", "utf-16-le"]),
)
def test_any_password_is_found(secret: str, before: str, behind: str, way: str) -> None:
    whole = before + secret + behind
    if way == "plain":
        line = write_json({"output": whole})
    elif way == "clixml":
        line = write_json({"output": clixml(secret)})
    else:
        line = write_json({"body": base64.b64encode(whole.encode(way, "surrogatepass")).decode()})
    assert Discretion([Secret(secret)]).forbids(line)


def test_it_shows_nothing_itself() -> None:
    assert PASSWORD not in repr(Discretion([Secret(PASSWORD)]))
    assert not Discretion([Secret("short")]).forbids(b"short")
