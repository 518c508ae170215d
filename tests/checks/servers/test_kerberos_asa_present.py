"""A shared name that offers Negotiate has an account somewhere."""

import pytest

from checker import NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.names import NameInUse, UseKind
from checks.servers.kerberos_asa_present import judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server
from tests.factories_servers import accounts, asa, name_in_use

BOTH = name_in_use("EX01", "EX02")
NONE = accounts(asa("EX01", None), asa("EX02", None))


@pytest.mark.parametrize(
    ("name", "methods", "having", "status"),
    [
        (BOTH, ("Ntlm", "Negotiate"), (), Status.FAIL),
        (BOTH, ("Ntlm", "OAuth", "Negotiate"), ("EX02",), Status.PASS),
        (BOTH, ("Ntlm", "OAuth"), (), Status.NOT_APPLICABLE),
        (BOTH, UNKNOWN, ("EX01",), Status.PASS),
        (name_in_use("EX01"), ("Negotiate",), (), Status.NOT_APPLICABLE),
        (name_in_use("EX01", "EX02", kind=UseKind.AUTODISCOVER_URI), ("Negotiate",), (), Status.NOT_APPLICABLE),
        (name_in_use("EX01", "EX02", kind=UseKind.MAPI_EXTERNAL_URL), ("Negotiate",), (), Status.FAIL),
        (name_in_use("EX01", "EX05"), ("Negotiate",), (), Status.NOT_APPLICABLE),  # EX05 is Exchange 2010
    ],
)
def test_presence(
    name: NameInUse, methods: tuple[str, ...] | NotCollected, having: tuple[str, ...], status: Status
) -> None:
    known = accounts(*(asa(server) if server in having else asa(server, None) for server in ("EX01", "EX02")))
    directories = collected(*(mapi_directory(server, authentication_methods=methods) for server in ("EX01", "EX02")))
    assert judge(name, known, directories).status is status


def test_what_is_not_known_is_not_missing() -> None:
    directories = collected(mapi_directory("EX01", authentication_methods=UNKNOWN))
    with pytest.raises(NotCollectedError):
        judge(BOTH, NONE, directories)
    unseen = collected(mapi_directory("EX03"), missing=(missing_server("EX01"),))
    with pytest.raises(NotCollectedError):
        judge(BOTH, NONE, unseen)
    doubtful = accounts(asa("EX01", None), missing=(missing_server("EX02"),))
    with pytest.raises(NotCollectedError):
        judge(BOTH, doubtful, collected(mapi_directory("EX01")))
