"""MAPI over HTTP opens the mailbox of the test account."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check
from checker.account import TestAccount
from checker.facts.conversations import MailboxConversation
from checker.facts.organisation import OrganizationConfig
from checks.sign_in._protocol import judge_conversation

INFO = CheckInfo(
    id="protocol-emsmdb",
    severity=Severity.BLOCKER,
    category=Category.SIGN_IN,
    why=(
        "This is what Outlook does when it starts: it opens a session on its mailbox and keeps it by cookies. Cookies"
        " or X- headers that a filter takes out, requests of one session that reach several servers, a back end that"
        " does not run, a mailbox for which MAPI is off: all of these let every page and every sign-in look well."
    ),
    how=(
        "POST /mapi/emsmdb/ with the scheme that let the account in, by each name and straight at each server: PING,"
        " Connect for the mailbox of --mailbox (its legacyExchangeDN from Autodiscover, else from Get-Mailbox), PING"
        " with the cookies of the session, Disconnect. The status 200 says nothing: X-ResponseCode must be 0, also one"
        " that follows DONE, and so must the ErrorCode of Connect. The PING before the session proves the endpoint"
        " with 0 and with 'no such session' (6, 10, 13). Nothing is read from the mailbox, and the session is always"
        " left. Without a mailbox Connect cannot be asked for, so the answer is not known. While the organisation's"
        " switch is off, an endpoint that is disabled says no more than that; a mailbox that blocks the version that"
        " mapiready states (15.0.856) cannot answer either."
    ),
    mend=(
        "By the code: 6, 10, 13 and missing cookies mean the balancer (cookies, affinity); 2, 3, 4, 5, 7 a proxy that"
        " changes requests; 11 and 16 the settings of the mailbox or of the organisation; 18 a pool that restarts. An"
        " ErrorCode is the mailbox's own: Get-CASMailbox shows MAPIEnabled and MapiHttpEnabled."
    ),
    undo="Take back the rule of the proxy; Set-CASMailbox takes the former values of the mailbox back.",
    sources=(
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmapihttp/d502edcf-0b22-42f2-9500-019f00d60245",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/powershell/module/exchange/set-casmailbox",
    ),
)


@check(INFO)
def judge(
    conversation: MailboxConversation, account: TestAccount, organization: OrganizationConfig | NotCollected
) -> Verdict:
    """Fail when one of the requests is not answered as it must be."""
    return judge_conversation(conversation, conversation.no_connect, account.mailbox, organization)
