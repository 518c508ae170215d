"""Accepted domains, and what IIS holds, in real exports of Exchange 2016."""

from checker import NotCollected
from checker.facts.iis import TokenChecking, mapi_directories_in_iis
from checker.facts.mailboxes import AcceptedDomains, accepted_domains
from tests.answers import Session, ask, objects
from tests.factories import collected, mapi_directory
from tests.factories_hosts import NO_HOSTS
from tests.facts.test_real_exports import export, pytestmark, said

__all__ = ["pytestmark"]


def test_accepted_domains() -> None:
    found = ask(accepted_domains, said("Get-AcceptedDomain", "GetAcceptedDomain"))
    assert found == AcceptedDomains(frozenset({"solo.com", "*.contoso.local", "*.com"}))
    assert found.holds("Solo.com")
    assert found.holds("emea.contoso.local")
    assert not found.holds("nobody.example")


def test_a_directory_that_was_read_from_iis() -> None:
    """The one of EWS: it has the shape of that of MAPI, but for the methods."""
    directory = mapi_directory("SOLO-E16A", name="EWS")
    session = Session({"Get-MapiVirtualDirectory": objects(*export("GetWebServicesVirtualDirectory"))})
    (item,) = ask(mapi_directories_in_iis, session, directories=collected(directory), hosts=NO_HOSTS).items
    assert item.directory == directory
    assert item.token_checking is TokenChecking.NONE
    assert isinstance(item.authentication_methods, NotCollected)
