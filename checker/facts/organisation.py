"""The organisation's own settings, from Get-OrganizationConfig."""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import Asked, CmdletCall, CmdletRunner, CmdletSpec, CmdletUse, NotCollected, Reason
from checker.declare import fact
from checker.facts.reading import bags, boolean, text, version
from checker.facts.versions import SP1, Version
from checker.results import Subject, SubjectKind

__all__ = ["OrganizationConfig", "organization_config"]


@dataclass(frozen=True, slots=True)
class OrganizationConfig:
    """Get-OrganizationConfig.

    `mapi_http_enabled` is the organisation's switch (MapiHttpEnabled); the property does not exist before Exchange 2013
    SP1. `modern_authentication` is OAuth2ClientProfileEnabled, `default_policy` DefaultAuthenticationPolicy (None: none
    is set). `answered_by` is the server that ran the cmdlet.
    """

    name: str
    mapi_http_enabled: bool | NotCollected
    modern_authentication: bool | NotCollected
    default_policy: str | None | NotCollected
    answered_by: str

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.ORGANISATION, self.name)


_ANSWERING = CmdletUse(asked=Asked.ANSWERING, by="Identity")


@fact(cmdlets=(CmdletSpec("Get-OrganizationConfig"), CmdletSpec("Get-ExchangeServer", ("Identity",), (_ANSWERING,))))
async def organization_config(runner: CmdletRunner) -> OrganizationConfig | NotCollected:
    """The organisation; when its switch is absent, the version of the server that answered tells why."""
    answer = await runner.run(CmdletCall.of("Get-OrganizationConfig"))
    if isinstance(answer, NotCollected):
        return answer
    bag = next(iter(bags(answer)), None)
    name = text(bag, "Name") if bag else None
    if bag is None or name is None:
        return NotCollected(
            Reason.MALFORMED,
            f"Get-OrganizationConfig, run by {answer.server}, gave no organisation; see that the account may view the"
            " organisation's settings (View-Only Organization Management).",
        )
    if isinstance(name, NotCollected):
        return name
    switch = boolean(bag, "MapiHttpEnabled")
    if isinstance(switch, NotCollected) and switch.reason is Reason.PROPERTY_ABSENT:
        switch = await _why_absent(runner, answer.server, switch)
    return OrganizationConfig(
        name=name,
        mapi_http_enabled=switch,
        modern_authentication=boolean(bag, "OAuth2ClientProfileEnabled"),
        default_policy=text(bag, "DefaultAuthenticationPolicy"),
        answered_by=answer.server,
    )


async def _why_absent(runner: CmdletRunner, server: str, absent: NotCollected) -> NotCollected:
    answer = await runner.run(CmdletCall.of("Get-ExchangeServer", Identity=server))
    if isinstance(answer, NotCollected):
        return absent
    versions = [version(bag, "AdminDisplayVersion") for bag in bags(answer)]
    if len(versions) != 1 or not isinstance(versions[0], Version) or versions[0] >= SP1:
        return absent
    return NotCollected(
        Reason.PROPERTY_ABSENT,
        f"{server} ({versions[0]}) ran Get-OrganizationConfig and does not know the setting MapiHttpEnabled;"
        " connect to a server of Exchange 2013 SP1 or newer.",
    )
