"""MAPI over HTTP is switched on for the organisation."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    NotCollected,
    Reason,
    Severity,
    Stage,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.facts.organisation import OrganizationConfig
from checker.facts.servers import MapiHttpSupport

INFO = CheckInfo(
    id="org-mapi-http-enabled",
    severity=Severity.BLOCKER,
    category=Category.ORGANISATION,
    why=(
        "Exchange offers MAPI over HTTP to Outlook only where the organisation's switch is on. While it is off, every"
        " mailbox without a setting of its own stays on Outlook Anywhere (RPC over HTTP). What the switch is after"
        " setup depends on which versions were in the organisation, so it is read and never assumed."
    ),
    how=(
        "MapiHttpEnabled of Get-OrganizationConfig is True. A server older than Exchange 2013 SP1 does not know the"
        " setting: answered by such a server the question stays open, unless no client-access server of the"
        " organisation is newer. Before the switch (stage prepare) the question is not asked: it is the step that this"
        " audit prepares."
    ),
    mend=(
        "When everything else passes, run Set-OrganizationConfig -MapiHttpEnabled $true. Outlook moves over after its"
        " next Autodiscover and asks its user once to restart. Try it on single mailboxes first with"
        " Set-CASMailbox -MapiHttpEnabled $true."
    ),
    undo=(
        "Set-OrganizationConfig -MapiHttpEnabled $false takes everybody without a setting of their own back to Outlook"
        " Anywhere, which must still work for that."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/powershell/module/exchange/set-organizationconfig",
    ),
    stages=frozenset({Stage.VERIFY}),
)


@check(INFO)
def judge(organization: OrganizationConfig, support: MapiHttpSupport | NotCollected) -> Verdict:
    """Fail when the switch is off, or when no server is there that has it."""
    enabled = organization.mapi_http_enabled
    if (
        isinstance(enabled, NotCollected)
        and enabled.reason is Reason.PROPERTY_ABSENT
        and isinstance(support, MapiHttpSupport)
        and support.anywhere is False
    ):
        return failed(
            "no client-access server has MAPI over HTTP",
            found="every client-access server is older than Exchange 2013 SP1",
            expected="client-access servers of Exchange 2013 SP1 (15.0.847.32) or newer, and MapiHttpEnabled True",
            remedy=[Advice("administrator", "Install client-access servers of a version that Microsoft supports.")],
        )
    if need(enabled):
        return passed("MapiHttpEnabled is True")
    return failed(
        "the organisation's switch is off",
        found="MapiHttpEnabled False",
        expected="MapiHttpEnabled True",
        remedy=[Cmdlet("Set-OrganizationConfig", MapiHttpEnabled=True).replacing(MapiHttpEnabled=False)],
    )
