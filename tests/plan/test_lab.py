"""The plan from end to end: an audit says what is wrong, the scripts are done to the lab as Exchange would do them, and
the next audit finds it ready; rolled back, the organisation is as it was, value by value.

The scripts are not run: what they say is read with another parser and interpreted here. What is no cmdlet somebody does
by hand; that is the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checker.plan.scripts import enable_script, rollback_script
from checker.plan.steps import Note, make_plan
from checker.results import Readiness, Report, Severity, Stage, Status
from lab.scenario import AS_INSTALLED, Component, Mailbox, Scenario, Server, load
from tests.lab_audit import audit, key
from tests.plan.reading import Command, Step, steps_of

SPELLED = {method.casefold(): method for method in ("Ntlm", "OAuth", "Negotiate", "Basic")}


# --- Exchange, as far as the scripts touch it -------------------------------------------------------------------------


def first(value: Any) -> Any:
    """PowerShell's binder takes a list of one for a text."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def methods(value: Any) -> tuple[str, ...]:
    return tuple(SPELLED[item.casefold()] for item in value)


def server_of(scenario: Scenario, identity: str) -> Server:
    return scenario.server(identity.partition("\\")[0])


def mailbox_of(scenario: Scenario, identity: str) -> Mailbox:
    found = scenario.mailbox(identity.partition("@")[0])
    assert found is not None
    return found


def read(scenario: Scenario, command: Command) -> dict[str, Any]:
    """What a Get- cmdlet of a step answers."""
    identity = first(command.parameters.get("Identity"))
    match command.name:
        case "Get-MapiVirtualDirectory":
            (directory,) = server_of(scenario, identity).mapi
            return {
                "InternalUrl": directory.internal_url,
                "ExternalUrl": directory.external_url,
                "IISAuthenticationMethods": directory.authentication,
                "ExtendedProtectionTokenChecking": directory.extended_protection,
            }
        case "Get-OutlookAnywhere":
            anywhere = server_of(scenario, identity).outlook_anywhere
            assert anywhere is not None
            return {"SSLOffloading": anywhere.ssl_offloading, "IISAuthenticationMethods": anywhere.authentication}
        case "Get-ServerComponentState":
            down = server_of(scenario, identity).is_inactive(first(command.parameters["Component"]))
            return {"State": "Inactive" if down else "Active"}
        case "Get-ClientAccessService":
            return {"AutoDiscoverServiceInternalUri": server_of(scenario, identity).autodiscover_uri}
        case "Get-OrganizationConfig":
            return {"MapiHttpEnabled": scenario.organisation.mapi_http_enabled}
        case "Get-CASMailbox":
            mailbox = mailbox_of(scenario, identity)
            return {
                "MapiHttpEnabled": mailbox.mapi_http_enabled,
                "MAPIBlockOutlookRpcHttp": mailbox.blocks_rpc_http,
                "MAPIBlockOutlookVersions": mailbox.blocked_versions,
                "MAPIBlockOutlookExternalConnectivity": mailbox.blocks_external,
            }
        case "Get-Mailbox":
            return {"ArchiveGuid": mailbox_of(scenario, identity).archive}
    raise AssertionError(f"a step reads with {command.name}")


_DIRECTORY = {
    "InternalUrl": ("internal_url", first),
    "ExternalUrl": ("external_url", first),
    "IISAuthenticationMethods": ("authentication", methods),
    "ExtendedProtectionTokenChecking": ("extended_protection", first),
}
_ANYWHERE = {"SSLOffloading": ("ssl_offloading", first), "IISAuthenticationMethods": ("authentication", methods)}
_MAILBOX = {
    "MapiHttpEnabled": ("mapi_http_enabled", first),
    "MAPIBlockOutlookRpcHttp": ("blocks_rpc_http", first),
    "MAPIBlockOutlookVersions": ("blocked_versions", first),
    "MAPIBlockOutlookExternalConnectivity": ("blocks_external", first),
}


def changed(thing: Any, command: Command, known: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Any:
    values = {
        known[name][0]: known[name][1](value)
        for name, value in command.parameters.items()
        if name not in ("Identity", "Confirm", "ErrorAction")
    }
    return replace(thing, **values)


def run(scenario: Scenario, command: Command) -> Scenario:
    """What a Set- cmdlet of a step does."""
    assert command.parameters["Confirm"] is False
    identity = first(command.parameters.get("Identity"))
    match command.name:
        case "Set-MapiVirtualDirectory":
            if {"InternalUrl", "ExternalUrl"} & command.parameters.keys():
                assert command.parameters["IISAuthenticationMethods"], "the cmdlet wants them with each URL"
            server = server_of(scenario, identity)
            (directory,) = server.mapi
            return scenario.with_server(replace(server, mapi=(changed(directory, command, _DIRECTORY),)))
        case "Set-OutlookAnywhere":
            server = server_of(scenario, identity)
            return scenario.with_server(
                replace(server, outlook_anywhere=changed(server.outlook_anywhere, command, _ANYWHERE))
            )
        case "Set-ServerComponentState":
            server = server_of(scenario, identity)
            held = Component(first(command.parameters["Component"]), first(command.parameters["Requester"]))
            rest = tuple(component for component in server.inactive if component != held)
            inactive = rest if first(command.parameters["State"]) == "Active" else (*rest, held)
            return scenario.with_server(replace(server, inactive=inactive))
        case "Set-ClientAccessService":
            server = server_of(scenario, identity)
            uri = first(command.parameters["AutoDiscoverServiceInternalUri"])
            return scenario.with_server(replace(server, autodiscover_uri=uri))
        case "Set-OrganizationConfig":
            value = command.parameters["MapiHttpEnabled"]
            return replace(scenario, organisation=replace(scenario.organisation, mapi_http_enabled=value))
        case "Set-CASMailbox":
            mailbox = changed(mailbox_of(scenario, identity), command, _MAILBOX)
            known = {entry.name: entry for entry in scenario.mailboxes.special}
            known[mailbox.name] = mailbox
            return replace(scenario, mailboxes=replace(scenario.mailboxes, special=tuple(known.values())))
    raise AssertionError(f"a step runs {command.name}")


def comparable(value: Any) -> frozenset[str]:
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return frozenset(str(item).casefold().rstrip("/") for item in values)


def done(scenario: Scenario, script: str, *, switch: bool = True) -> tuple[Scenario, list[Step]]:
    """The scenario after a script, and the steps that were stopped."""
    stopped: list[Step] = []
    for step in steps_of(script):
        if step.guarded and (not switch or stopped):
            continue
        if step.of("Get-Mailbox") and read(scenario, step.of("Get-Mailbox")[0])["ArchiveGuid"]:
            stopped.append(step)
            continue
        looks = [look for look in step.commands if look.name.startswith("Get-") and look.name != "Get-SettingState"]
        present = read(scenario, looks[-1])
        states = []
        for setting in step.of("Get-SettingState"):
            now = comparable(present[first(setting.parameters["Name"])])
            after, before = comparable(setting.parameters["After"]), comparable(setting.parameters["Before"])
            states.append("done" if now == after else "open" if now == before else "other")
        if "other" in states:
            stopped.append(step)
        elif "open" in states:
            scenario = run(scenario, step.change)
    return scenario, stopped


# --- what people do by hand -------------------------------------------------------------------------------------------


def certificate(scenario: Scenario) -> Scenario:
    """A new one with all names, on the servers and on the proxy."""
    hosts = tuple(name.host for name in scenario.names)
    for label, old in scenario.certificates.items():
        new = replace(old, names=tuple(dict.fromkeys((*old.names, *hosts))), not_after=timedelta(days=300))
        scenario = scenario.with_certificate(label, new)
    return scenario


def published(scenario: Scenario) -> Scenario:
    """The proxy lets /mapi through."""
    for name in scenario.names:
        if name.proxy is not None:
            scenario = scenario.with_name(replace(name, proxy=replace(name.proxy, rules=())))
    return scenario


def pools_run(scenario: Scenario) -> Scenario:
    for server in scenario.servers:
        probes = tuple(replace(probe, result="Succeeded", error="", exception="") for probe in server.probes)
        scenario = scenario.with_server(replace(server, probes=probes))
    return scenario


def updated(scenario: Scenario) -> Scenario:
    newest = scenario.server("EX01")
    return scenario.with_server(replace(scenario.server("EX03"), build=newest.build, update=newest.update))


BY_HAND: dict[str, Callable[[Scenario], Scenario]] = {
    "cert-names-cover": certificate,
    "cert-expires-soon": certificate,
    "endpoint-mapi-challenge": published,
    "connectivity-mapi-self-test": pools_run,
    "server-in-support": updated,
    "server-build-current": updated,
    "server-mapi-answers": lambda scenario: scenario,  # follows from the component, which a cmdlet brings back
    "vdir-mapi-authentication-consistent": lambda scenario: scenario,  # two ways to offer less; nobody has to
}


def by_hand(scenario: Scenario, report: Report) -> Scenario:
    """Does the notes of the plan, each as its check says."""
    checks = [why.check for task in make_plan(report).tasks if isinstance(task.step, Note) for why in task.whys]
    for check in dict.fromkeys(checks):
        scenario = BY_HAND[check](scenario)
    return scenario


# --- from end to end --------------------------------------------------------------------------------------------------


def failing(report: Report, severity: Severity) -> set[str]:
    return {
        key(finding) for finding in report.findings if finding.status is Status.FAIL and finding.severity is severity
    }


def test_from_a_bad_day_to_ready_and_back() -> None:
    before = load("broken")
    report = audit(before)
    assert report.readiness is Readiness.NOT_READY
    plan = make_plan(report)
    enable, rollback = enable_script(plan, report), rollback_script(plan, report, {})

    prepared, stopped = done(before, enable, switch=False)
    assert not stopped
    assert prepared.organisation == before.organisation
    # The lists keep what was there: EX03 had Basic alone.
    assert set(prepared.server("EX03").mapi[0].authentication) == {*AS_INSTALLED, "Basic"}

    mended = by_hand(prepared, report)
    after = audit(mended)
    assert not failing(after, Severity.BLOCKER)
    # Nobody took Basic away; and that EX02 has no ExternalUrl is told once it has an InternalUrl.
    assert failing(after, Severity.WARNING) == {
        "vdir-mapi-authentication-consistent mail.contoso.test",
        "vdir-mapi-external-url-missing EX02\\mapi (Default Web Site)",
    }
    assert after.readiness is Readiness.READY

    # The next report's plan does that, and throws the switch.
    next_plan = make_plan(after)
    switched, stopped = done(mended, enable_script(next_plan, after))
    assert not stopped
    assert switched.organisation.mapi_http_enabled is True
    verified = audit(switched)
    assert verified.stage is Stage.VERIFY
    assert verified.readiness is Readiness.READY
    assert failing(verified, Severity.WARNING) == {"vdir-mapi-authentication-consistent mail.contoso.test"}

    # The way back: the last plan first.
    back, stopped = done(switched, rollback_script(next_plan, after, {}))
    assert not stopped
    assert back == mended
    back, stopped = done(back, rollback)
    assert not stopped
    assert back == by_hand(before, report)
    # Without what was done by hand it is the very first state.
    back, stopped = done(done(before, enable)[0], rollback)
    assert not stopped
    assert back == before


def test_a_second_run_changes_nothing() -> None:
    before = load("broken")
    report = audit(before)
    plan = make_plan(report)
    once, _ = done(before, enable_script(plan, report))
    assert done(once, enable_script(plan, report)) == (once, [])
    assert done(before, rollback_script(plan, report, {})) == (before, [])


def test_what_somebody_changed_since_is_left_alone_and_holds_the_switch_back() -> None:
    before = load("broken")
    report = audit(before)
    server = before.server("EX03")
    other = (replace(server.mapi[0], internal_url="https://new.contoso.test/mapi"),)
    since = before.with_server(replace(server, mapi=other))
    after, stopped = done(since, enable_script(make_plan(report), report))
    assert [step.change.name for step in stopped] == ["Set-MapiVirtualDirectory"]
    assert after.server("EX03").mapi == other
    assert after.organisation.mapi_http_enabled is False


@pytest.mark.parametrize(
    ("archive", "pilot"), [(False, True), (True, None)], ids=["without an archive", "with an archive"]
)
def test_a_pilot(archive: bool, pilot: bool | None) -> None:
    before = load("broken")
    mailboxes = replace(before.mailboxes, special=(Mailbox("ann", archive=archive),))
    before = replace(before, mailboxes=mailboxes)
    report = audit(before)
    plan = make_plan(report, ["ann@contoso.test"])
    after, stopped = done(before, enable_script(plan, report), switch=False)
    assert mailbox_of(after, "ann").mapi_http_enabled is pilot
    assert bool(stopped) is archive
    if not archive:
        back, _ = done(after, rollback_script(plan, report, {}))
        assert mailbox_of(back, "ann").mapi_http_enabled is None


@pytest.mark.parametrize(
    "faults",
    [
        ("mailbox-mapi-http-off:2",),
        ("mailbox-blocks-new-outlook",),
        ("mailbox-blocks-external",),
        ("mapi-lacks-oauth:EX02",),
        ("mapi-external-url-missing:EX02",),
        ("mapi-extended-protection-allow:EX02",),
        ("rpc-proxy-inactive:EX02",),
        ("rpc-ssl-offloading:EX02", "rpc-extended-protection:EX02"),
        ("rpc-client-method-not-offered:EX02",),
        ("scp-http:EX02",),
    ],
    ids=str,
)
def test_there_and_back_for_other_faults(faults: tuple[str, ...]) -> None:
    before = load("healthy", faults=faults)
    report = audit(before)
    plan = make_plan(report)
    after, stopped = done(before, enable_script(plan, report), switch=False)
    assert not stopped
    assert after != before
    assert done(after, rollback_script(plan, report, {})) == (before, [])
