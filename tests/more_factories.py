"""More facts for tests: what IIS holds, and mailboxes."""

from checker import NotCollected
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.iis import MapiDirectoryInIis, OutlookAnywhereInIis, TokenChecking
from checker.facts.mailboxes import CasMailbox, MailboxSettings, MailboxSignIns, SignIn
from tests.factories import DOMAIN, mapi_directory, outlook_anywhere


def mapi_in_iis(
    directory: MapiVirtualDirectory | None = None,
    *,
    authentication_methods: tuple[str, ...] | NotCollected = ("Ntlm", "OAuth", "Negotiate"),
    token_checking: TokenChecking | NotCollected = TokenChecking.NONE,
) -> MapiDirectoryInIis:
    return MapiDirectoryInIis(directory or mapi_directory(), authentication_methods, token_checking)


def anywhere_in_iis(
    directory: OutlookAnywhere | None = None, *, token_checking: TokenChecking | NotCollected = TokenChecking.NONE
) -> OutlookAnywhereInIis:
    return OutlookAnywhereInIis(directory or outlook_anywhere(), token_checking)


def cas_mailbox(
    name: str = "ann",
    *,
    mapi_http: bool | None | NotCollected = None,
    mapi_enabled: bool | NotCollected = True,
    blocks_rpc_http: bool | NotCollected = False,
    blocks_external: bool | NotCollected = False,
    blocked_versions: str | None | NotCollected = None,
) -> CasMailbox:
    return CasMailbox(
        f"{name}@{DOMAIN}",
        f"CN={name},CN=Users,DC=contoso,DC=test",
        mapi_http,
        mapi_enabled,
        blocks_rpc_http,
        blocks_external,
        blocked_versions,
    )


def mailbox_settings(
    *notable: CasMailbox, looked_at: int = 120, doubts: tuple[tuple[str, NotCollected], ...] = ()
) -> MailboxSettings:
    return MailboxSettings(looked_at, notable, doubts)


def mailbox_sign_ins(*different: SignIn, looked_at: int = 120, doubt: NotCollected | None = None) -> MailboxSignIns:
    return MailboxSignIns(looked_at, different, doubt)
