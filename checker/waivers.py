"""Accepted findings: a failure that the administrator knows of, with a reason and an end date.

A waiver is a table of the TOML file:

    [[waiver]]
    check = "cert-expires-soon"
    subject = "mail.contoso.com"
    reason = "the renewal is ordered"
    until = 2026-12-31

It names one check and one subject, so that it never hides another finding, and it ends: at the end of that day, UTC,
at most 365 days ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from checker.results import Finding, Status

__all__ = ["Waiver", "apply_waivers", "read_waivers", "refuse_far_ends"]

MOST_DAYS = 365


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding; `until` is the last day on which it is accepted."""

    check: str
    subject: str
    reason: str
    until: date


def read_waivers(value: object) -> tuple[Waiver, ...]:
    """The waivers of a TOML file.

    Raises:
        ValueError: what is wrong with which of them, to be put behind the name of the file.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be written as [[waiver]] tables")
    return tuple(_read(entry, number) for number, entry in enumerate(value, 1))


def _read(entry: object, number: int) -> Waiver:
    if isinstance(entry, Waiver):
        return entry
    if not isinstance(entry, Mapping):
        raise ValueError(f"number {number} must be a table")
    unknown = set(entry) - {"check", "subject", "reason", "until"}
    if unknown:
        raise ValueError(f"number {number} has no use for {', '.join(sorted(map(str, unknown)))}")
    texts = {}
    for key in ("check", "subject", "reason"):
        text = entry.get(key)
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"number {number} needs a {key}")
        texts[key] = text.strip()
    until = entry.get("until")
    if isinstance(until, str):
        try:
            until = date.fromisoformat(until)
        except ValueError:
            until = None
    if isinstance(until, datetime):
        until = until.astimezone(UTC).date()
    if not isinstance(until, date):
        raise ValueError(f"number {number} ({texts['check']}) needs an end: until = YYYY-MM-DD")
    return Waiver(texts["check"], texts["subject"], texts["reason"], until)


def refuse_far_ends(waivers: Iterable[Waiver], now: datetime) -> None:
    """Makes sure that no waiver lasts for more than a year from now.

    Raises:
        ValueError: which one does.
    """
    last = now.astimezone(UTC).date() + timedelta(days=MOST_DAYS)
    for waiver in waivers:
        if waiver.until > last:
            raise ValueError(
                f"for {waiver.check} on {waiver.subject} ends on {waiver.until}, more than {MOST_DAYS} days ahead; the"
                f" last day possible is {last}"
            )


def apply_waivers(
    findings: Sequence[Finding], waivers: Sequence[Waiver], now: datetime
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings with the accepted ones among them, and what is to be told of waivers that have no effect."""
    today = now.astimezone(UTC).date()
    notes = []
    valid: dict[tuple[str, str], Waiver] = {}
    for waiver in waivers:
        if waiver.until < today:
            notes.append(f"The waiver of {waiver.check} on {waiver.subject} ended on {waiver.until}; it counts again.")
        else:
            valid[waiver.check, waiver.subject.casefold()] = waiver
    used = set()
    accepted = []
    for finding in findings:
        key = (finding.check, finding.subject.name.casefold())
        match = valid.get(key)
        if match is None or finding.status is not Status.FAIL:
            accepted.append(finding)
            continue
        used.add(key)
        accepted.append(
            replace(
                finding,
                status=Status.ACCEPTED,
                summary=f"{finding.summary} (accepted until {match.until}: {match.reason})",
                evidence=(
                    *finding.evidence,
                    ("accepted until", str(match.until)),
                    ("accepted because", match.reason),
                ),
            )
        )
    notes += [
        f"The waiver of {waiver.check} on {waiver.subject} (until {waiver.until}) accepts nothing: no such failure."
        for key, waiver in valid.items()
        if key not in used
    ]
    return tuple(accepted), tuple(notes)
