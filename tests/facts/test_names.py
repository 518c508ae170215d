"""Names in use: who names a host, for whom, and what is said when a source is not there."""

from checker.answers import Collected, Missing, NotCollected, Reason
from checker.facts.names import NameInUse, UseKind, names_in_use
from checker.facts.run import GivenNames, VantagePoint
from checker.results import SubjectKind
from tests.factories import UNKNOWN, client_access_service, exchange_server, mapi_directory, outlook_anywhere

INSIDE, OUTSIDE = frozenset({VantagePoint.INSIDE}), frozenset({VantagePoint.OUTSIDE})
BOTH = frozenset(VantagePoint)
NOBODY: Collected[object] = Collected((), ())


def named(
    mapi: object = NOBODY, anywhere: object = NOBODY, services: object = NOBODY, given: tuple[str, ...] = ()
) -> Collected[NameInUse]:
    return names_in_use(mapi, anywhere, services, GivenNames(given))  # type: ignore[arg-type]


def of(*items: object) -> Collected[object]:
    return Collected(items, ())


def test_every_setting_that_names_a_host() -> None:
    names = named(
        of(mapi_directory(internal_url="https://in.contoso.test/mapi", external_url="https://out.contoso.test/mapi")),
        of(outlook_anywhere(internal_hostname="IN.contoso.test.", external_hostname=None)),
        of(client_access_service()),
        ("extra.contoso.test",),
    )
    found = {name.host: (name.vantages, {use.kind for use in name.uses}) for name in names.items}
    assert found == {
        "in.contoso.test": (INSIDE, {UseKind.MAPI_INTERNAL_URL, UseKind.OUTLOOK_ANYWHERE_INTERNAL}),
        "out.contoso.test": (OUTSIDE, {UseKind.MAPI_EXTERNAL_URL}),
        "autodiscover.contoso.test": (INSIDE, {UseKind.AUTODISCOVER_URI}),
        "extra.contoso.test": (BOTH, {UseKind.GIVEN}),
    }
    assert names.missing == ()


def test_one_host_of_many_servers_is_one_name() -> None:
    names = named(of(*(mapi_directory(f"EX0{number}") for number in range(1, 6))))
    (name,) = names.items
    assert name.vantages == BOTH
    assert name.note == "named by InternalUrl of MAPI, ExternalUrl of MAPI of 5 servers"


def test_what_is_no_name_is_none() -> None:
    urls = ["https://192.0.2.1/mapi", "https://[2001:db8::1]/mapi", "nonsense", "https:///mapi", "", None]
    names = named(of(*(mapi_directory(internal_url=url, external_url=None) for url in urls)), given=("192.0.2.1", " "))
    assert names == Collected((), ())


def test_an_international_name_is_an_a_label() -> None:
    assert [name.host for name in named(given=("Bücher.test",)).items] == ["xn--bcher-kva.test"]


def test_a_source_that_is_missing_is_told_once_with_what_may_be_missing() -> None:
    names = named(UNKNOWN, UNKNOWN, of(client_access_service()))
    assert [name.host for name in names.items] == ["autodiscover.contoso.test"]
    (missing,) = names.missing
    assert missing.subject.kind is SubjectKind.ORGANISATION
    assert "MAPI virtual directories and Outlook Anywhere" in missing.because.sentence
    assert UNKNOWN.sentence in missing.because.sentence
    assert missing.because.reason is UNKNOWN.reason


def test_one_server_or_one_value_that_is_missing() -> None:
    partly = Collected((mapi_directory(),), (Missing(exchange_server("EX09").subject, UNKNOWN),))
    assert len(named(partly).missing) == 1
    assert len(named(of(mapi_directory(internal_url=UNKNOWN))).missing) == 1


def test_a_property_that_exchange_2010_does_not_have_names_nobody() -> None:
    absent = NotCollected(Reason.PROPERTY_ABSENT, "Exchange 2010 has none.")
    assert named(anywhere=of(outlook_anywhere(internal_hostname=absent))).missing == ()
