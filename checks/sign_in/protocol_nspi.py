"""MAPI over HTTP opens the address book for the test account."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check
from checker.account import TestAccount
from checker.facts.conversations import AddressBookConversation
from checker.facts.organisation import OrganizationConfig
from checks.sign_in._protocol import judge_conversation

INFO = CheckInfo(
    id="protocol-nspi",
    severity=Severity.BLOCKER,
    category=Category.SIGN_IN,
    why=(
        "Outlook resolves its own user in the address book before it opens the mailbox for the first time: without"
        " /mapi/nspi/ a new profile cannot be made ('the name cannot be resolved'), while old profiles still work."
        " It has an application pool and an endpoint of its own, and fails by itself."
    ),
    how=(
        "POST /mapi/nspi/ with the scheme that let the account in, by each name and straight at each server: PING,"
        " Bind, PING with the cookies of the session, Unbind. X-ResponseCode must be 0, and so must the ErrorCode of"
        " Bind; the PING before the session proves the endpoint with 0 and with 'no such session' (6, 10, 13). Nothing"
        " is looked up in the address book, and the session is always left."
    ),
    mend=(
        "By the code, as for protocol-emsmdb. When this endpoint alone fails: the application pool"
        " MSExchangeMapiAddressBookAppPool of the mailbox servers, and rules of a proxy that know /mapi/emsmdb only."
    ),
    undo="Take back the rule of the proxy; an application pool need not be taken back.",
    sources=(
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmapihttp/d502edcf-0b22-42f2-9500-019f00d60245",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxnspi/1c845258-b15f-4436-9748-ed4bebb263ce",
    ),
)


@check(INFO)
def judge(
    conversation: AddressBookConversation, account: TestAccount, organization: OrganizationConfig | NotCollected
) -> Verdict:
    """Fail when one of the requests is not answered as it must be."""
    return judge_conversation(conversation, conversation.no_bind, account.mailbox, organization)
