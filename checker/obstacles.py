"""What stands in the way of a sign-in by Kerberos, or of trust in a certificate, told by the libraries' ids.

Shared by everything that signs in. Texts of libraries and systems are localised: they are never matched on, nor shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final

__all__ = ["Obstacle", "certificate_problem", "chain_of", "known_obstacle"]


class Obstacle(Enum):
    """Why Kerberos gave nothing. The values are what to say, of `who` at `server`; `instead` is another way."""

    WRONG = (
        "the domain refused the password of {who}. Check user and password; mapiready does not try again, so that the"
        " account is not locked"
    )
    UNKNOWN_USER = "the domain does not know {who}. Write the user as name@DOMAIN"
    LOCKED = "the account {who} is disabled, locked or expired. Have it unlocked"
    EXPIRED = "the password of {who} has expired. Change it, then run mapiready again"
    CLOCK_SKEW = (
        "the clocks of this machine and of the domain differ by more than five minutes. Set the clock of this machine"
    )
    NO_SPN = (
        "Kerberos knows no service HTTP/{server}. Give the server by the full name under which it is in the domain, not"
        " by address or alias; for a load-balanced name register the SPN (setspn -S HTTP/{server} ACCOUNT)"
    )
    NO_KDC = (
        "no domain controller (KDC) for the domain of {who} can be reached. Check the domain's spelling, DNS and"
        " /etc/krb5.conf"
    )
    NO_TICKET = "there is no Kerberos ticket. Run kinit first, or {instead}"
    TICKET_ENDED = "the Kerberos ticket has expired. Run kinit again, or {instead}"

    def words(self, who: str, server: str, instead: str) -> str:
        """What to say, without a full stop."""
        return self.value.format(who=who, server=server, instead=instead)


# MIT krb5 (krb5.h), as signed numbers
_KRB5: Final[Mapping[int, Obstacle]] = {
    -1765328360: Obstacle.WRONG,  # KRB5KDC_ERR_PREAUTH_FAILED
    -1765328353: Obstacle.WRONG,  # KRB5KRB_AP_ERR_BAD_INTEGRITY
    -1765328378: Obstacle.UNKNOWN_USER,  # KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN
    -1765328366: Obstacle.LOCKED,  # KRB5KDC_ERR_CLIENT_REVOKED
    -1765328383: Obstacle.LOCKED,  # KRB5KDC_ERR_NAME_EXP
    -1765328361: Obstacle.EXPIRED,  # KRB5KDC_ERR_KEY_EXP
    -1765328347: Obstacle.CLOCK_SKEW,  # KRB5KRB_AP_ERR_SKEW
    -1765328351: Obstacle.CLOCK_SKEW,  # KRB5KRB_AP_ERR_TKT_NYV
    -1765328377: Obstacle.NO_SPN,  # KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN
    -1765328228: Obstacle.NO_KDC,  # KRB5_KDC_UNREACH
    -1765328230: Obstacle.NO_KDC,  # KRB5_REALM_UNKNOWN
    -1765328229: Obstacle.NO_KDC,  # KRB5_SERVICE_UNKNOWN
    -1765328164: Obstacle.NO_KDC,  # KRB5_REALM_CANT_RESOLVE
    -1765328160: Obstacle.NO_KDC,  # KRB5_CONFIG_NODEFREALM
    -1765328189: Obstacle.NO_TICKET,  # KRB5_FCC_NOFILE
    -1765328243: Obstacle.NO_TICKET,  # KRB5_CC_NOTFOUND
    -1765328352: Obstacle.TICKET_ENDED,  # KRB5KRB_AP_ERR_TKT_EXPIRED
}
# Windows (winerror.h), as unsigned numbers
_SSPI: Final[Mapping[int, Obstacle]] = {
    0x8009030C: Obstacle.WRONG,  # SEC_E_LOGON_DENIED
    0x80090303: Obstacle.NO_SPN,  # SEC_E_TARGET_UNKNOWN
    0x80090322: Obstacle.NO_SPN,  # SEC_E_WRONG_PRINCIPAL
    0x80090324: Obstacle.CLOCK_SKEW,  # SEC_E_TIME_SKEW
    0x80090311: Obstacle.NO_KDC,  # SEC_E_NO_AUTHENTICATING_AUTHORITY
    0x8009030E: Obstacle.NO_TICKET,  # SEC_E_NO_CREDENTIALS
}


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that stand behind it, nearest first."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        current = todo.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen or len(seen) > 50:
            continue
        seen.add(id(current))
        yield current
        # requests and urllib3 keep the cause as an argument or as `reason`.
        todo += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args[:2]]


def known_obstacle(chain: Iterable[BaseException]) -> Obstacle | None:
    """The obstacle behind exceptions of krb5, gssapi, SSPI and pyspnego; None when it is none of the known."""
    from spnego.exceptions import CredentialsExpiredError, NoCredentialError

    errors = tuple(chain)
    known = _by_code(errors)
    if known is None and any(isinstance(error, CredentialsExpiredError) for error in errors):
        return Obstacle.TICKET_ENDED
    if known is None and any(isinstance(error, NoCredentialError) for error in errors):
        return Obstacle.NO_TICKET
    return known


def _by_code(errors: Iterable[BaseException]) -> Obstacle | None:
    for error in errors:
        for name in ("err_code", "min_code", "maj_code", "winerror"):
            code = getattr(error, name, None)
            if isinstance(code, int):
                unsigned = code & 0xFFFFFFFF
                signed = unsigned - (1 << 32) if unsigned >> 31 else unsigned
                known = _KRB5.get(signed) or _SSPI.get(unsigned)
                if known is not None:
                    return known
        base = getattr(error, "base_error", None)
        known = _by_code((base,)) if isinstance(base, BaseException) else None
        if known is not None:
            return known
    return None


_CERTIFICATE: Final[Mapping[int, str]] = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed and not trusted",
    19: "comes from a certificate authority that this machine does not trust",
    20: "comes from a certificate authority that this machine does not trust",
    21: "comes without its intermediate certificates, or from an authority that this machine does not trust",
    62: "does not name {server}",
    64: "does not name {server}",
}
_OTHER_NAME: Final = frozenset({62, 64})


def certificate_problem(code: int, server: str, by_other_name: str) -> tuple[str, str]:
    """What OpenSSL's code of a failed verification says of a certificate, and what to do; `by_other_name` is what to do
    about another name."""
    what = _CERTIFICATE.get(code, "cannot be verified").format(server=server)
    if code in _OTHER_NAME:
        return what, by_other_name
    return what, "Give the authority's certificate with --ca-file, or mend the certificate"
