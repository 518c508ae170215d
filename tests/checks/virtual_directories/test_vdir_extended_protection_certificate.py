"""One certificate from the client to the server."""

from functools import cache

import pytest

from checker import Cmdlet, Collected, Layer, Missing, NotCollected, Reason, Status, Verdict
from checker.answers import NotCollectedError
from checker.facts.behind import NameServers, Served
from checker.facts.directories import OutlookAnywhere
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checker.facts.names import NameInUse
from checker.facts.network import NameCertificates, analysed
from checks.virtual_directories.vdir_extended_protection_certificate import judge
from tests.factories import UNKNOWN, collected, exchange_server, mapi_directory, outlook_anywhere
from tests.factories_network import HOST, NOW, Issued, intermediate, issue, name_in_use, trust
from tests.more_factories import mapi_in_iis

NAME = name_in_use()
OUT = name_in_use("out.contoso.test")
ANYWHERE = collected(outlook_anywhere())
REFUSED = NotCollected(Reason.REFUSED, "mail.contoso.test refused the connection.", Layer.CONNECT)


@cache
def certificate(which: str) -> Issued:
    return issue(which, names=(HOST, "out.contoso.test"), by=intermediate())


def shown(which: str, name: NameInUse = NAME) -> NameCertificates:
    return analysed(name, (certificate(which).der, intermediate().der), trust(), NOW)


def behind(name: NameInUse = NAME, **servers: str | NotCollected) -> NameServers:
    served = tuple(
        Served(exchange_server(server), name, which if isinstance(which, NotCollected) else shown(which, name), False)
        for server, which in servers.items()
    )
    return NameServers(name, served, ())


def on(value: TokenChecking = TokenChecking.REQUIRE, external: str | None = None) -> MapiDirectoryInIis:
    return mapi_in_iis(mapi_directory(external_url=external), token_checking=value)


def verdict(
    in_iis: MapiDirectoryInIis,
    by_name: Collected[NameCertificates] | NotCollected,
    straight: Collected[NameServers] | NotCollected,
    anywhere: Collected[OutlookAnywhere] | NotCollected = ANYWHERE,
) -> Verdict:
    return judge(in_iis, anywhere, by_name, straight)


@pytest.mark.parametrize(
    ("value", "by_name", "straight", "status"),
    [
        (TokenChecking.NONE, "other", "own", Status.NOT_APPLICABLE),
        (TokenChecking.ALLOW, "own", "own", Status.PASS),
        (TokenChecking.REQUIRE, "own", "own", Status.PASS),
        (TokenChecking.ALLOW, "other", "own", Status.FAIL),
        (TokenChecking.REQUIRE, "other", "own", Status.FAIL),
    ],
)
def test_certificates(value: TokenChecking, by_name: str, straight: str, status: Status) -> None:
    assert verdict(on(value), collected(shown(by_name)), collected(behind(EX01=straight))).status is status


def test_when_it_is_off_nothing_else_matters() -> None:
    assert verdict(on(TokenChecking.NONE), UNKNOWN, UNKNOWN, UNKNOWN).status is Status.NOT_APPLICABLE


def test_only_the_leaf_is_compared() -> None:
    alone = analysed(NAME, (certificate("own").der,), trust(), NOW)
    assert verdict(on(), collected(alone), collected(behind(EX01="own"))).status is Status.PASS


def test_offloading_fails_whatever_the_certificates() -> None:
    anywhere = outlook_anywhere(ssl_offloading=True)
    elsewhere = outlook_anywhere("EX02", ssl_offloading=True)
    straight = collected(behind(EX01="own"))
    found = verdict(on(), collected(shown("own")), straight, collected(anywhere))
    assert found.status is Status.FAIL
    assert found.remedy == (Cmdlet("Set-OutlookAnywhere", Identity=anywhere.identity, SSLOffloading=False),)
    assert verdict(on(), UNKNOWN, UNKNOWN, collected(anywhere)).status is Status.FAIL
    assert verdict(on(), collected(shown("own")), straight, collected(elsewhere)).status is Status.PASS


def test_both_certificates_are_shown() -> None:
    found = verdict(on(), collected(shown("other")), collected(behind(EX01="own")))
    assert [line.partition(" (thumbprint")[0] for line in found.found] == [
        "ExtendedProtectionTokenChecking Require",
        "by name: other",
        "EX01 itself: own",
    ]
    assert HOST in found.summary


def test_every_name_of_the_directory_counts() -> None:
    external = "https://out.contoso.test/mapi"
    straight = collected(behind(EX01="own"), behind(OUT, EX01="own"))
    assert verdict(on(external=external), collected(shown("own"), shown("own", OUT)), straight).status is Status.PASS
    assert verdict(on(external=external), collected(shown("own"), shown("other", OUT)), straight).status is Status.FAIL


def test_the_certificate_of_the_own_server_counts() -> None:
    straight = collected(behind(EX02="other", EX01="own"))
    assert verdict(on(), collected(shown("own")), straight).status is Status.PASS


@pytest.mark.parametrize(
    ("by_name", "straight", "anywhere"),
    [
        (UNKNOWN, collected(behind(EX01="own")), ANYWHERE),
        (collected(shown("own")), UNKNOWN, ANYWHERE),
        (collected(shown("own")), collected(behind(EX01=UNKNOWN)), ANYWHERE),
        (collected(shown("own")), collected(behind(EX02="own")), ANYWHERE),
        (collected(), collected(behind(EX01="own")), ANYWHERE),
        (collected(shown("own")), collected(behind(EX01="own")), UNKNOWN),
        (collected(shown("own")), collected(behind(EX01="own")), collected(outlook_anywhere(ssl_offloading=UNKNOWN))),
    ],
)
def test_what_is_not_known_leaves_it_open(
    by_name: Collected[NameCertificates] | NotCollected,
    straight: Collected[NameServers] | NotCollected,
    anywhere: Collected[OutlookAnywhere] | NotCollected,
) -> None:
    with pytest.raises(NotCollectedError):
        verdict(on(), by_name, straight, anywhere)


def test_a_name_that_cannot_be_reached_is_told_at_the_name() -> None:
    with pytest.raises(NotCollectedError) as caught:
        verdict(on(), collected(missing=(Missing(NAME.subject, REFUSED),)), collected(behind(EX01="own")))
    assert caught.value.not_collected.behind == NAME.subject


def test_an_account_that_may_not_read_iis() -> None:
    not_given = NotCollected(Reason.NOT_GIVEN, "It needs an account that may read IIS.")
    with pytest.raises(NotCollectedError) as caught:
        verdict(mapi_in_iis(token_checking=not_given), collected(shown("own")), collected(behind(EX01="own")))
    assert caught.value.not_collected is not_given
