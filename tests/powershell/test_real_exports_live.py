"""Real objects of Exchange, sent by the lab over WSMan and PSRP, arrive as they stand in the files."""

import asyncio
import os
import re
from pathlib import Path

import pytest

from checker.answers import CmdletAnswer, CmdletCall, CmdletSpec, NotCollected, PSObject, PSValue
from checker.powershell.clixml import read_document
from tests.powershell.conftest import Start, source

EXPORTS = Path(__file__).parents[3] / "shared/data/exchange2016-exports"
FILES = sorted(EXPORTS.glob("*.xml"))


def cmdlet_of(file: Path) -> str:
    """GetExchangeServer.xml -> Get-ExchangeServer."""
    return re.sub(r"^(Get|Test)", r"\1-", file.stem)


def alike(live: PSValue, filed: PSValue, seen: set[tuple[int, int]], path: str) -> None:
    """A deep comparison that ends on cycles."""
    assert type(live) is type(filed), path
    if isinstance(live, PSObject) and isinstance(filed, PSObject):
        if (id(live), id(filed)) in seen:
            return
        seen.add((id(live), id(filed)))
        assert (live.types, live.text) == (filed.types, filed.text), path
        alike(live.value, filed.value, seen, f"{path}.value")
        assert list(live.properties) == list(filed.properties), path
        for name, value in live.properties.items():
            alike(value, filed.properties[name], seen, f"{path}.{name}")
    elif isinstance(live, list) and isinstance(filed, list):
        assert len(live) == len(filed), path
        for index, (one, other) in enumerate(zip(live, filed, strict=True)):
            alike(one, other, seen, f"{path}[{index}]")
    elif isinstance(live, dict) and isinstance(filed, dict):
        assert list(live) == list(filed), path
        for key, value in live.items():
            alike(value, filed[key], seen, f"{path}[{key!r}]")
    else:
        assert live == filed, path


@pytest.mark.skipif(
    not FILES and os.environ.get("CI") != "true", reason="the real exports are not beside the repository"
)
def test_each_export_arrives_by_value(start: Start) -> None:
    assert FILES
    replay = {cmdlet_of(file): file for file in FILES}
    asked = source(start(replay=replay), allowed=tuple(CmdletSpec(name) for name in replay))

    async def ask_all() -> list[CmdletAnswer | NotCollected]:
        try:
            return await asyncio.gather(*(asked.run(CmdletCall.of(name)) for name in replay))
        finally:
            await asked.close(5)

    for file, answer in zip(FILES, asyncio.run(ask_all()), strict=True):
        assert isinstance(answer, CmdletAnswer), answer
        filed = list(read_document(file.read_bytes()))
        assert len(answer.objects) == len(filed), file.name
        for index, (live, stored) in enumerate(zip(answer.objects, filed, strict=True)):
            alike(live, stored, set(), f"{file.name}[{index}]")
