"""What an administrator reads in a terminal: narrow and wide, with colour and without, with hostile servers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from checker.answers import Reason
from checker.quoting import is_hidden
from checker.results import Advice, Cmdlet, FindingRef, Readiness, Report, Severity, Status
from reports.terminal import render
from tests.reports.samples import (
    HOSTILE,
    MAIL,
    SERVERS,
    empty_report,
    finding,
    healthy_report,
    hostile_report,
    large_report,
    report,
    rich_report,
)
from tests.reports.test_quoting import Reader

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def lines(shown: Report, *, width: int = 80, verbose: bool = False, ascii_only: bool = False) -> list[str]:
    return render(shown, width=width, colour=False, verbose=verbose, ascii_only=ascii_only).splitlines()


def one(**changes: object) -> Report:
    item = replace(finding("check-one", MAIL, Status.FAIL, "is not good"), **changes)  # type: ignore[arg-type]
    return report([item], readiness=Readiness.NOT_READY, headline="NOT READY")


def test_the_answer_comes_first() -> None:
    assert "\n".join(lines(rich_report(), width=200)[:5]) == (
        "NOT READY   contoso.test · 3 servers, 2 names · seen from inside · prepare · 41 s\n"
        "\n"
        "  2 blockers\n"
        "  ✗ cert-names-cover         autodiscover.contoso.test "
        "(named by AutoDiscoverServiceInternalUri of EX01, EX02,\n"
        "                             EX03)"
    )


def test_a_failure_is_told_whole_at_80_columns() -> None:
    shown = lines(rich_report())
    start = shown.index("  ✗ cert-names-cover         autodiscover.contoso.test (named by")
    assert shown[start : start + 18] == [
        "  ✗ cert-names-cover         autodiscover.contoso.test (named by",
        "                             AutoDiscoverServiceInternalUri of EX01, EX02, EX03)",
        "      the served certificate does not name it",
        "      found     mail.contoso.test, owa.contoso.test",
        "      expected  autodiscover.contoso.test",
        "      do    1   New-ExchangeCertificate -GenerateRequest:$true `",
        "                    -SubjectName 'CN=mail.contoso.test' `",
        "                    -DomainName 'mail.contoso.test', 'owa.contoso.test', `",
        "                    'autodiscover.contoso.test' `",
        "                    -FriendlyName 'Exchange, all names in use'",
        "            2   certificate authority: Have the request signed by an authority",
        "                that the clients trust.",
        "            3   Enable-ExchangeCertificate `",
        "                    -Thumbprint '<thumbprint of the new certificate>' `",
        "                    -Services 'IIS'",
        "  ✗ endpoint-mapi-challenge  mail.contoso.test",
        "      403 from nginx, while all 3 servers challenge as they should: the proxy",
        "      does not publish /mapi",
    ]


def test_what_lies_behind_a_failure_is_named_under_it_and_nowhere_else() -> None:
    text = render(rich_report(), width=200, colour=False)
    assert "because of this, not looked at: 2 findings (endpoint-mapi-healthcheck, endpoint-rpc-proxy)\n" in text
    assert text.count("endpoint-mapi-healthcheck") == 1
    assert "403 from nginx stands before it" not in text
    assert "403 from nginx stands before it" in render(rich_report(), width=200, colour=False, verbose=True)


def test_one_cause_is_one_block_that_names_its_checks() -> None:
    text = render(rich_report(), width=200, colour=False)
    assert text.count("refused the sign-in") == 1
    block = text[text.index("? unknown   ex02") :]
    for check in ("server-services-running", "server-mapi-components-active", "server-rpc-component-active"):
        assert f"{check} (EX01, EX02, EX03)" in " ".join(block.split())


def test_the_sections_come_in_order_and_the_counts_after_them() -> None:
    text = render(rich_report(), width=200, colour=False)
    words = [
        "  2 blockers\n",
        "  3 warnings\n",
        "  1 piece of advice\n",
        "  ? unknown   ex02",
        "  ? error     the check raised KeyError",
        "  ✓ accepted  accepted until 2027-01-31",
        "  - not run   needs a test account",
        "  2 blockers, 3 warnings, 1 piece of advice, 1 error, 12 unknown, 1 accepted, 2 not run, 10 passed,",
        "  not proven  signin-mapi, protocol-connect\n",
        "  stage       prepare: the organisation's switch MapiHttpEnabled is off\n",
        "  note        1 PowerShell shell on EX02 could not be closed",
    ]
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_passes_are_counted_and_listed_only_on_demand() -> None:
    assert "runs Exchange 2019 CU14" not in render(rich_report(), width=200, colour=False)
    shown = lines(rich_report(), width=200, verbose=True)
    assert "  ✓ server-supports-mapi-http  EX02  runs Exchange 2019 CU14" in shown
    assert "  - org-mapi-http-enabled  contoso.test  the step that this audit prepares" in shown


def test_a_healthy_organisation_is_a_few_lines() -> None:
    assert lines(healthy_report()) == [
        "READY   contoso.test · 3 servers, 2 names · seen from inside · prepare · 41 s",
        "",
        "  10 passed, 1 not applicable, 5 of 60 checks answered",
        "  stage       prepare: the organisation's switch MapiHttpEnabled is off",
    ]


def test_a_run_that_looked_at_nothing_does_not_look_healthy() -> None:
    text = render(empty_report(), width=80, colour=False)
    assert text.startswith("INCONCLUSIVE   organisation not known · 0 servers, 0 names")
    assert "no finding, 0 of 60 checks answered" in text
    assert "stopped by Ctrl-C" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_prose_fits_and_colour_changes_no_word(width: int, colour: bool) -> None:
    text = render(rich_report(), width=width, colour=colour, verbose=True)
    plain = ANSI.sub("", text)
    assert plain == render(rich_report(), width=width, colour=False, verbose=True)
    assert ("\x1b[" in text) is colour
    wide = [line for line in plain.splitlines() if cell_len(line) > width]
    # Only a piece of a command that has no place to break may stand out.
    assert all(re.match(r" {20}[-']|.{16}[A-Z][a-z]+-[A-Z]", line) for line in wide)
    assert not wide or width < 80


def test_the_headline_has_the_colour_of_the_verdict() -> None:
    assert render(rich_report(), width=80, colour=True).startswith("\x1b[1;31mNOT READY")
    assert render(healthy_report(), width=80, colour=True).startswith("\x1b[1;32mREADY")


def _commands(text: str) -> list[str]:
    """The commands as a reader would copy them: from the first word, over the lines that a backtick continues."""
    found = []
    shown = iter(text.splitlines())
    for line in shown:
        match = re.match(r"^ {6}(?:do)? +\d+ +((?:Set|New|Enable)-\S.*)$", line) or re.match(r"^ {16}(Set-\S.*)$", line)
        if match:
            command = [match[1]]
            while command[-1].endswith(" `"):
                command[-1] = command[-1][:-2]
                command.append(next(shown).strip())
            found.append(" ".join(command))
    return found


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("label", [label for label in HOSTILE if label != "long"])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_copied_command_is_the_command(width: int, label: str, ascii_only: bool) -> None:
    value = HOSTILE[label]
    cmdlet = Cmdlet(
        "Set-MapiVirtualDirectory", Identity=value, InternalUrl="https://mail.contoso.test/mapi", Force=True
    )
    text = render(one(remedy=(cmdlet,)), width=width, colour=False, ascii_only=ascii_only)
    (command,) = _commands(text)
    name, parameters = Reader(command).command()
    assert name == "Set-MapiVirtualDirectory"
    assert parameters == {"Identity": (value,), "InternalUrl": ("https://mail.contoso.test/mapi",), "Force": True}


def test_a_command_for_another_shell_says_which() -> None:
    shown = lines(one(remedy=(Cmdlet("Restart-WebAppPool", where="EX03", Name="MSExchangeMapi"),)))
    assert "      do    1   in EX03:" in shown
    assert "                Restart-WebAppPool -Name 'MSExchangeMapi'" in shown


def test_a_command_beyond_all_measure_is_named_only() -> None:
    text = render(one(remedy=(Cmdlet("Set-Thing", Identity="x" * 100_000),)), width=80, colour=False)
    assert "Set-Thing ... (too long to be shown; the JSON report has it)" in text
    assert len(text) < 2_000


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_hostile_text_stays_text(verbose: bool, ascii_only: bool) -> None:
    text = render(hostile_report(), width=80, colour=False, verbose=verbose, ascii_only=ascii_only)
    assert {character for character in text if is_hidden(character)} == {"\n"}
    assert text.isascii() is ascii_only
    assert "[bold red]not markup[/bold red]" in text
    assert ":smile:" in text
    assert "<U+202E>" in text
    assert "<U+001B>[31mred" in text
    assert len(text) < 300_000


def test_hostile_text_with_colour_brings_no_control_of_its_own() -> None:
    text = ANSI.sub("", render(hostile_report(), width=80, colour=True, verbose=True))
    assert {character for character in text if is_hidden(character)} == {"\n"}


@given(st.text(st.one_of(st.characters(), st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp"])), max_size=300))
def test_any_text_is_one_harmless_place(text: str) -> None:
    shown = one(summary=text, found=(text,), remedy=(Advice(text, text),))
    plain = render(shown, width=80, colour=False)
    assert {character for character in plain if is_hidden(character)} == {"\n"}
    assert ANSI.sub("", render(shown, width=80, colour=True)) == plain
    assert plain.encode("utf-8")


def test_a_long_text_is_cut_with_a_note() -> None:
    text = render(one(summary="s" * 100_000), width=80, colour=False)
    assert "(cut: 100,000 characters in all)" in " ".join(text.split())
    assert len(text) < 3_000


def test_a_long_list_is_shortened_unless_verbose() -> None:
    names = tuple(f"name{number}.contoso.test" for number in range(100))
    assert "and 88 more" in render(one(found=names), width=200, colour=False)
    verbose = " ".join(render(one(found=names), width=200, colour=False, verbose=True).split())
    assert ", ".join(names) in verbose


def test_the_same_failure_on_many_servers_is_one_block() -> None:
    items = [finding("endpoint-reachable", server, Status.FAIL, "refuses connections") for server in SERVERS]
    text = render(report(items, readiness=Readiness.NOT_READY, headline="NOT READY"), width=80, colour=False)
    assert "  ✗ endpoint-reachable  EX01, EX02, EX03\n      refuses connections\n" in text


@pytest.mark.parametrize(
    ("status", "severity", "sign", "plain", "word"),
    [
        (Status.FAIL, Severity.BLOCKER, "✗", "x", "1 blocker\n"),
        (Status.FAIL, Severity.WARNING, "✗", "x", "1 warning\n"),
        (Status.FAIL, Severity.ADVICE, "✗", "x", "1 piece of advice\n"),
        (Status.UNKNOWN, Severity.BLOCKER, "?", "?", "? unknown   so it is"),
        (Status.ERROR, Severity.BLOCKER, "?", "?", "? error     so it is"),
        (Status.ACCEPTED, Severity.BLOCKER, "✓", "+", "accepted  so it is"),
        (Status.NOT_RUN, Severity.BLOCKER, "-", "-", "- not run   so it is"),
        (Status.PASS, Severity.BLOCKER, "✓", "+", "check-one  mail.contoso.test  so it is"),
        (Status.NOT_APPLICABLE, Severity.BLOCKER, "-", "-", "check-one  mail.contoso.test  so it is"),
    ],
)
def test_each_status_has_its_sign_and_word(
    status: Status, severity: Severity, sign: str, plain: str, word: str
) -> None:
    shown = one(status=status, severity=severity, summary="so it is")
    text = render(shown, width=80, colour=False, verbose=True)
    assert f"  {sign} " in text
    assert word in text
    assert f"  {plain} " in render(shown, width=80, colour=False, verbose=True, ascii_only=True)


def test_a_finding_whose_cause_is_accepted_still_shows() -> None:
    cause = finding("cause", MAIL, Status.ACCEPTED, "accepted until Friday")
    behind = finding(
        "behind", MAIL, Status.UNKNOWN, "cannot be seen", reason=Reason.HTTP_ERROR, because=FindingRef("cause", MAIL)
    )
    shown = report([cause, behind], readiness=Readiness.INCONCLUSIVE, headline="INCONCLUSIVE")
    assert "? unknown   cannot be seen\n      behind (mail.contoso.test)\n" in render(shown, width=80, colour=False)


def test_a_large_report_is_written_in_a_moment() -> None:
    text = render(large_report(2_000), width=80, colour=False)
    assert text.startswith("NOT READY")
    assert text.count("\n  ✗ ") == 200
