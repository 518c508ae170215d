"""The script as text: what it may say, what it must say, and that another parser takes it for PowerShell."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from checker.answers import Asked, CmdletSpec, CmdletUse
from checker.collector import collector_script, left_out
from checker.plugins import Registry, find_checks
from tests.collector.interpreter import parse

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "cmdlets.md"

LANGUAGE = {
    "Export-Clixml",
    "ForEach-Object",
    "Get-Command",
    "Join-Path",
    "Select-Object",
    "Tee-Object",
    "Where-Object",
    "Write-Output",
    "Write-Progress",
}
"""PowerShell's own. Tee-Object keeps a variable, Export-Clixml writes into the script's folder."""
OWN_FOLDER = {"New-Item", "Compress-Archive"}
HOST = {
    "Get-CimInstance",
    "Get-Content",
    "Get-ItemProperty",
    "Get-PSSession",
    "Get-WebAppPoolState",
    "Get-WebApplication",
    "Get-WebBinding",
    "Get-WebConfiguration",
    "Get-WebConfigurationProperty",
    "Test-Path",
}
OWN_FUNCTIONS = {"Get-AnsweringServer", "Get-Failure", "Get-NextCall", "Get-NextItem", "Select-Received"}
# learn.microsoft.com/powershell/module/exchange/…, for what the notes in ../shared leave out.
ALSO_DOCUMENTED = {
    "Get-AcceptedDomain": set(),
    "Get-AuthConfig": set(),
    "Get-AuthenticationPolicy": set(),
    "Get-CASMailbox": {"IgnoreDefaultScope"},
    "Get-HealthReport": {"Identity"},
    "Get-Mailbox": {"Identity", "Archive", "ResultSize", "IgnoreDefaultScope"},
    "Get-MailboxServer": set(),
    "Get-User": {"ResultSize", "RecipientTypeDetails", "IgnoreDefaultScope"},
    "Get-ClientAccessService": {"Identity"},
    "Get-ClientAccessServer": {"Identity"},
    "Test-ServiceHealth": {"Server"},
}


@pytest.fixture(scope="module")
def script() -> str:
    return collector_script(find_checks())


@pytest.fixture(scope="module")
def tree(script: str) -> Any:
    return parse(script)


def nodes(node: Any) -> list[Any]:
    return [node, *(below for child in node.children for below in nodes(child))]


def commands(tree: Any) -> dict[str, set[str]]:
    """Each command with the parameters that it is given anywhere."""
    found: dict[str, set[str]] = {}
    for node in nodes(tree):
        if node.type == "command":
            name = next(child for child in node.children if child.type == "command_name").text.decode()
            given = [each.text.decode()[1:] for each in own_parameters(node)]
            found.setdefault(name, set()).update(given)
    return found


def own_parameters(command: Any) -> list[Any]:
    elements = [child for child in command.children if child.type == "command_elements"]
    return [part for each in elements for part in each.children if part.type == "command_parameter"]


def exchange(tree: Any) -> dict[str, set[str]]:
    others = LANGUAGE | OWN_FOLDER | HOST | OWN_FUNCTIONS
    return {name: given for name, given in commands(tree).items() if name not in others}


def test_it_is_powershell_to_another_parser(tree: Any) -> None:
    assert not tree.has_error
    assert not [node for node in nodes(tree) if node.type == "ERROR" or node.is_missing]


def test_it_can_be_signed(script: str) -> None:
    assert script.isascii()
    assert script.count("\n") == script.count("\r\n") > 500
    assert "\t" not in script
    assert script.endswith("}\r\n")
    assert max(len(line) for line in script.splitlines()) <= 120
    assert not re.search("@@", script)


def test_every_command_is_one_that_only_looks(tree: Any) -> None:
    allowed = {spec.name: set(spec.parameters) for spec in find_checks().allowed()}
    sent = exchange(tree)
    assert sent.keys() == allowed.keys()
    for name, given in sent.items():
        assert given <= allowed[name], name
        assert name.partition("-")[0] in ("Get", "Test")
    verbs = {name.partition("-")[0] for name in commands(tree) if name not in LANGUAGE | OWN_FOLDER}
    assert verbs == {"Get", "Test", "Select"}


def test_nothing_is_run_that_does_not_stand_there(tree: Any) -> None:
    kinds = {node.type for node in nodes(tree)}
    assert not kinds & {"invocation_operator", "sub_expression", "command_invokation_operator", "file_redirection"}
    names = {name.casefold() for name in commands(tree)}
    assert not names & {"invoke-expression", "invoke-command", "iex", "add-type", "new-object", "import-module"}
    # The members that are called: of lists, and of a date.
    called = {node.children[2].text.decode() for node in nodes(tree) if node.type == "invokation_expression"}
    assert called == {"Add", "ToString"}
    types = {node.text.decode() for node in nodes(tree) if node.type == "type_literal"}
    assert types == {
        "[bool]",
        "[hashtable]",
        "[switch]",
        "[datetime]",
        "[pscustomobject]",
        "[string]",
        "[System.Collections.ArrayList]",
        "[System.Management.Automation.ErrorRecord]",
        "[System.Management.Automation.WarningRecord]",
        "[void]",
    }


def test_nothing_leaves_its_own_folder(tree: Any) -> None:
    written = {
        name: node.text.decode()
        for node in nodes(tree)
        if node.type == "command"
        for name in [node.children[0].text.decode()]
        if name in OWN_FOLDER
    }
    assert written["New-Item"].startswith("New-Item -Path $Folder -ItemType Directory")
    assert "-DestinationPath $Zip" in written["Compress-Archive"]
    exports = [node.text.decode() for node in nodes(tree) if node.type == "command"]
    targets = {text.split("-LiteralPath ")[1][:30] for text in exports if text.startswith("Export-Clixml")}
    assert all(target.startswith("(Join-Path ") and "$Folder" in target for target in targets)


def test_every_call_has_a_try_of_its_own(tree: Any) -> None:
    sent = exchange(tree)
    for node in nodes(tree):
        if node.type == "command" and node.children[0].text.decode() in sent:
            above = node
            while above.type != "try_statement":
                above = above.parent
            inside = [each for each in nodes(above) if each.type == "command"]
            assert sum(each.children[0].text.decode() in sent for each in inside) == 1


def test_each_cmdlet_and_parameter_is_documented(tree: Any) -> None:
    if not REFERENCE.is_file():
        if os.environ.get("CI") == "true":
            pytest.fail("../shared/reference is not there, and CI must have it")
        pytest.skip("../shared/reference is not there")
    reference = REFERENCE.read_text("utf-8")
    for name, given in exchange(tree).items():
        also = ALSO_DOCUMENTED.get(name)
        assert also is not None or name in reference, name
        section = "\n".join(part for part in re.split(r"(?m)^## ", reference) if name in part)
        for parameter in given - (also or set()):
            assert f"-{parameter}" in section, f"{name} -{parameter}"


def test_its_help_is_whole(script: str) -> None:
    for part in (".SYNOPSIS", ".DESCRIPTION", ".PARAMETER Path", ".PARAMETER HostOnly", ".PARAMETER Mailboxes"):
        assert f"\r\n{part}\r\n" in script
    assert script.count("\r\n.EXAMPLE\r\n") == 3
    assert script.startswith("#Requires -Version 4.0\r\n<#\r\n")


# --- plugins ----------------------------------------------------------------------------------------------------------


def with_specs(*specs: CmdletSpec) -> Registry:
    """A registry whose facts declare these too."""
    from dataclasses import replace

    registry = find_checks(plugins=False)
    kind = next(kind for kind, source in registry.facts.items() if source.cmdlets)
    source = replace(registry.facts[kind], cmdlets=(*registry.facts[kind].cmdlets, *specs))
    return replace(registry, facts={**registry.facts, kind: source})


def test_a_plugin_s_cmdlets_are_collected_too() -> None:
    use = CmdletUse(asked=Asked.MAILBOX_2013, by="Server", fixed=(("Name", "it's; Remove-Mailbox\n'"), ("Most", 3)))
    registry = with_specs(CmdletSpec("Get-Thing"), CmdletSpec("Test-Other", ("Server", "Name", "Most"), (use,)))
    script = collector_script(registry)
    tree = parse(script)
    assert not tree.has_error
    assert exchange(tree)["Get-Thing"] == set()
    assert exchange(tree)["Test-Other"] == {"Server", "Name", "Most"}
    assert "Remove-Mailbox" not in commands(tree)
    assert left_out(registry) == ()


def test_a_cmdlet_that_does_not_say_how_it_is_sent_is_left_out() -> None:
    registry = with_specs(CmdletSpec("Get-Thing", ("Server",)))
    assert "Get-Thing" not in collector_script(registry)
    assert left_out(registry) == ("Get-Thing",)


@pytest.mark.parametrize("name", ["Get-Thing; Remove-Mailbox", "Get-Th\u0456ng", "Get-Thing\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        collector_script(with_specs(CmdletSpec(name)))
