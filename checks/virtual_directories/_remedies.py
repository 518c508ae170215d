"""How the URL of a MAPI directory is mended: with a name that is there already, and with the methods that are set."""

from checker import Advice, Cmdlet, NotCollected, Reason
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.urls import is_single_label, read_mapi_url, usable_host
from checker.results import Step

__all__ = ["OUTLOOK_METHODS", "WINDOWS", "first_host", "host_of", "set_url"]

WINDOWS = frozenset({"ntlm", "negotiate", "windowsintegrated"})
"""The methods, in lower case, one of which every Outlook can use."""

OUTLOOK_METHODS = ("NTLM", "Negotiate")
"""What is added where none of them is offered."""


def set_url(directory: MapiVirtualDirectory, parameter: str, host: str | None) -> list[Step]:
    """The steps that give a directory its InternalUrl or ExternalUrl.

    Set-MapiVirtualDirectory wants IISAuthenticationMethods with each URL and replaces what there was, so the present
    ones are repeated, with what vdir-mapi-authentication adds to them: whichever step is done last, none takes back
    what another gave. When they are not known, leave that check in doubt, or no name is known (None), it is advice.
    """
    methods = directory.authentication_methods
    present = "those that are set" if isinstance(methods, NotCollected) else ", ".join(methods)
    if not isinstance(methods, NotCollected):
        names = {method.casefold() for method in methods}
        if not names & WINDOWS:
            methods = (
                NotCollected(Reason.OTHER, "OAuth alone may be meant.")
                if "oauth" in names
                else (*methods, *OUTLOOK_METHODS)
            )
    if host is not None and not isinstance(methods, NotCollected):
        url = f"https://{host}/mapi"
        step = Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity=directory.identity,
            **{parameter: url},
            IISAuthenticationMethods=methods,
        )
        found = directory.internal_url if parameter == "InternalUrl" else directory.external_url
        before = directory.authentication_methods
        if isinstance(found, NotCollected) or isinstance(before, NotCollected):
            return [step]
        return [step.replacing(**{parameter: found}, IISAuthenticationMethods=before)]
    name = f"https://{host}/mapi" if host else "https://NAME/mapi, where NAME is the one that clients shall use"
    return [
        Advice(
            "administrator",
            f"Set {parameter} of {directory.identity} with Set-MapiVirtualDirectory to {name}, and give in the same"
            f" command all its IISAuthenticationMethods ({present}): the cmdlet wants them and replaces them.",
        )
    ]


def first_host(*candidates: str | None | NotCollected) -> str | None:
    """The first of these that is a full DNS name."""
    for candidate in candidates:
        host = usable_host(candidate) if isinstance(candidate, str) else None
        if host is not None and not is_single_label(host):
            return host
    return None


def host_of(url: str | None | NotCollected) -> str | None:
    """The DNS name in a configured URL."""
    return read_mapi_url(url).host if isinstance(url, str) else None
