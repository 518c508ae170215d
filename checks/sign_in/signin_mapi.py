"""The test account can sign in to MAPI over HTTP."""

from checker import Category, CheckInfo, Collected, Layer, NotCollected, Severity, Verdict, check
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.sign_in import MapiSignIns
from checks.sign_in._diagnosis import protection_of
from checks.sign_in._judging import any_works

INFO = CheckInfo(
    id="signin-mapi",
    severity=Severity.BLOCKER,
    category=Category.SIGN_IN,
    why=(
        "A challenge is a promise. Balancers that spread the steps of one NTLM sign-in over several servers, proxies"
        " that sign users in themselves, and Extended Protection behind a certificate that is not the servers' own keep"
        " it from being held: every page without credentials looks well, and Outlook asks for a password for ever."
    ),
    how=(
        "The test account signs in at /mapi/emsmdb/ by each scheme that is offered and that its credential can answer"
        " (Negotiate, NTLM, Bearer, Basic), over TLS that verifies, with channel bindings as Windows sends them: by"
        " each name, and straight at each server behind it, asked by that name. One scheme that lets it in is enough."
        " Before any name is blamed, the credential itself is proved: by the KDC, or at a server asked straight. When"
        " it is rejected there, the password is wrong, which is our input and no fault of the organisation: unknown,"
        " with exit code 3, and nothing more is sent, so that the account is never locked. When nothing could prove it"
        " and a name refuses it, the password or the way may be the cause: unknown, and both are named; what holds"
        " whatever the password is (a sign-in answered by two servers, a connection that is cut, a login page) fails"
        " all the same. A server that cannot be asked straight, or whose certificate is not to be trusted with a"
        " credential, is no subject here: server-mapi-answers and cert-served-by-server tell it."
    ),
    mend=(
        "By the cause that is named: keep a client on one connection to one server for NTLM (balance connections, not"
        " requests); exempt /mapi/* from a sign-in of the proxy's own; with Extended Protection serve the very"
        " certificate of the servers by name; where a server itself refuses, its Security log (event 4625) says why,"
        " and for Kerberos the SPN of the name must lie on the alternate service account that every server has."
    ),
    undo=(
        "Take back the rule of the balancer or proxy; a certificate is put back by enabling the former one; the former"
        " alternate service account is put back with the same script."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
        "https://learn.microsoft.com/exchange/architecture/client-access/kerberos-auth-for-load-balanced-client-access",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmapihttp/d502edcf-0b22-42f2-9500-019f00d60245",
        "https://www.rfc-editor.org/rfc/rfc5929",
    ),
    owns=frozenset({Layer.SIGN_IN}),
)


@check(INFO)
def judge(sign_ins: MapiSignIns, held: Collected[MapiDirectoryInIis] | NotCollected) -> Verdict:
    """Fail when no scheme works with a credential that is known to be good."""
    return any_works(sign_ins, "/mapi", protection_of(sign_ins.place, held))
