"""The organisation's own settings, from Get-OrganizationConfig."""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import NotCollected
from checker.results import Subject, SubjectKind

__all__ = ["OrganizationConfig"]


@dataclass(frozen=True, slots=True)
class OrganizationConfig:
    """Get-OrganizationConfig.

    `mapi_http_enabled` is the organisation's switch (MapiHttpEnabled); the property does not exist before Exchange 2013
    SP1. `modern_authentication` is OAuth2ClientProfileEnabled. `answered_by` is the server that ran the cmdlet.
    """

    name: str
    mapi_http_enabled: bool | NotCollected
    modern_authentication: bool | NotCollected
    answered_by: str

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.ORGANISATION, self.name)
