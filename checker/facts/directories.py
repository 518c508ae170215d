"""Virtual directories: MAPI (Get-MapiVirtualDirectory) and Outlook Anywhere (Get-OutlookAnywhere)."""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import NotCollected
from checker.facts.servers import ExchangeServer
from checker.results import Subject, SubjectKind

__all__ = ["MapiVirtualDirectory", "OutlookAnywhere", "ServerDirectories"]


@dataclass(frozen=True, slots=True)
class MapiVirtualDirectory:
    """Get-MapiVirtualDirectory -ADPropertiesOnly, one directory.

    `web_site` is the name in parentheses ("Default Web Site"). URLs are as configured, None when empty.
    `authentication_methods` is IISAuthenticationMethods as spelled by the server; an empty list under
    -ADPropertiesOnly proves nothing and is NotCollected.
    """

    identity: str
    server: str
    web_site: str
    internal_url: str | None | NotCollected
    external_url: str | None | NotCollected
    authentication_methods: tuple[str, ...] | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.DIRECTORY, self.identity, server=self.server)


@dataclass(frozen=True, slots=True)
class OutlookAnywhere:
    """Get-OutlookAnywhere -ADPropertiesOnly, one directory. Host names are as configured, None when empty;
    Exchange 2010 has no InternalHostname (NotCollected, PROPERTY_ABSENT)."""

    identity: str
    server: str
    internal_hostname: str | None | NotCollected
    external_hostname: str | None | NotCollected
    ssl_offloading: bool | NotCollected
    authentication_methods: tuple[str, ...] | NotCollected
    internal_client_method: str | None | NotCollected
    external_client_method: str | None | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.DIRECTORY, self.identity, server=self.server)


@dataclass(frozen=True, slots=True)
class ServerDirectories:
    """A client-access server with the directories that name it."""

    server: ExchangeServer
    mapi: tuple[MapiVirtualDirectory, ...]
    outlook_anywhere: tuple[OutlookAnywhere, ...] | NotCollected

    @property
    def subject(self) -> Subject:
        return self.server.subject
