"""The MAPI virtual directories behind one name offer the same ways to sign in."""

from collections.abc import Iterator

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    Missing,
    NotCollected,
    Outcome,
    Severity,
    Subject,
    SubjectKind,
    check,
    failed,
    passed,
)
from checker.facts.directories import MapiVirtualDirectory
from checker.results import Step
from checks.virtual_directories._groups import by_name, listed, nothing, some

INFO = CheckInfo(
    id="vdir-mapi-authentication-consistent",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "A balancer leads Outlook to any server behind the name. Where one of them does not offer the method that"
        " Outlook uses with the others, Outlook asks for the password, but only now and then."
    ),
    how=(
        "IISAuthenticationMethods is the same set, whatever the order, on all MAPI directories whose InternalUrl or"
        " ExternalUrl names the same host."
    ),
    mend=(
        "Set-MapiVirtualDirectory -IISAuthenticationMethods with every method that one of them offers, on each of them."
        " To offer less, take it away on all of them."
    ),
    undo="Set-MapiVirtualDirectory -IISAuthenticationMethods with the methods that were found on each directory.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
    ),
)


@check(INFO)
def judge(directories: Collected[MapiVirtualDirectory]) -> Iterator[Outcome]:
    """One verdict for each name in a URL."""
    groups = by_name(directories.items)
    for host, group in groups.items():
        yield _of_name(Subject(SubjectKind.NAME, host), group)
    if not groups:
        yield from nothing(directories, "no MAPI virtual directory has a URL with a name")


def _of_name(name: Subject, group: tuple[MapiVirtualDirectory, ...]) -> Outcome:
    known: list[tuple[MapiVirtualDirectory, tuple[str, ...]]] = []
    doubts: list[NotCollected] = []
    for directory in group:
        methods = directory.authentication_methods
        if isinstance(methods, NotCollected):
            doubts.append(methods)
        else:
            known.append((directory, methods))
    every = {method.casefold(): method for _, methods in known for method in methods}
    if len({frozenset(method.casefold() for method in methods) for _, methods in known}) > 1:
        # A step never makes a server less safe than it was: Basic is not spread, only taken away by hand.
        wanted = {key: method for key, method in every.items() if key != "basic"}
        lacking = [(directory, methods) for directory, methods in known if not wanted.keys() <= _set(methods)]
        remedy: list[Step] = [_add(directory, methods, wanted) for directory, methods in lacking]
        with_basic = [directory.identity for directory, methods in known if "basic" in _set(methods)]
        if 0 < len(with_basic) < len(known):
            remedy.append(
                Advice(
                    "administrator",
                    f"Basic is offered on {some(with_basic)} alone: take it away there when nobody needs it.",
                )
            )
        remedy.append(
            Advice("administrator", "To offer less instead, take it away on all of them: the same set is what counts.")
        )
        return failed(
            "the servers behind the name offer different methods",
            found=listed([(", ".join(methods), directory.identity) for directory, methods in known]),
            expected="the same IISAuthenticationMethods on all of them",
            remedy=remedy,
            subject=name,
        )
    if doubts:
        return Missing(name, doubts[0])
    servers = some(directory.server for directory in group)
    return passed(f"{', '.join(known[0][1])} on {servers}", found=known[0][1], subject=name)


def _set(methods: tuple[str, ...]) -> set[str]:
    return {method.casefold() for method in methods}


def _add(directory: MapiVirtualDirectory, methods: tuple[str, ...], every: dict[str, str]) -> Cmdlet:
    more = tuple(method for key, method in every.items() if key not in _set(methods))
    step = Cmdlet("Set-MapiVirtualDirectory", Identity=directory.identity, IISAuthenticationMethods=(*methods, *more))
    return step.replacing(IISAuthenticationMethods=methods)
