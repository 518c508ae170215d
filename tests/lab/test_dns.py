"""The lab's DNS server, asked by dnspython."""

from __future__ import annotations

import socket

import dns.exception
import dns.rcode
import dns.resolver
import pytest

from lab.organisation import RunningLab, start
from lab.scenario import Vantage
from tests.lab.asking import look_up

MAIL = "mail.contoso.test"


def lab_with(*faults: str, vantage: Vantage = Vantage.INSIDE) -> RunningLab:
    return start("healthy", faults=faults, powershell=False, vantage=vantage)


def resolver_of(lab: RunningLab) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    address, _, port = lab.nameserver.partition(":")
    resolver.nameservers, resolver.port, resolver.lifetime = [address], int(port), 2.0
    return resolver


@pytest.mark.parametrize("tcp", [False, True])
def test_names_and_servers_have_an_address(tcp: bool) -> None:
    with lab_with() as lab:
        resolver = resolver_of(lab)
        for host in (MAIL, MAIL.upper(), "autodiscover.contoso.test", "ex03.contoso.test"):
            assert [record.to_text() for record in resolver.resolve(host, "A", tcp=tcp)] == ["127.0.0.1"]
        with pytest.raises(dns.resolver.NoAnswer):
            resolver.resolve(MAIL, "AAAA", tcp=tcp)
        with pytest.raises(dns.resolver.NXDOMAIN):
            resolver.resolve("owa.contoso.test", "A", tcp=tcp)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("name-nxdomain", dns.rcode.NXDOMAIN),
        ("name-servfail", dns.rcode.SERVFAIL),
        ("name-no-address", dns.rcode.NOERROR),
    ],
)
def test_a_name_that_does_not_resolve_is_not_told_elsewhere_either(fault: str, code: int) -> None:
    with lab_with(fault) as lab:
        response = look_up(lab, MAIL)
        assert response.rcode() == code
        assert not response.answer
        assert not [entry for entry in lab.resolve if entry.startswith(f"{MAIL}:")]
        assert [entry for entry in lab.resolve if entry.startswith("autodiscover.contoso.test:443:127.0.0.1:")]


def test_outside_nobody_knows_the_servers_and_what_is_not_published() -> None:
    with lab_with(vantage=Vantage.OUTSIDE) as lab:
        assert look_up(lab, MAIL).rcode() == dns.rcode.NOERROR
        assert look_up(lab, "ex01.contoso.test").rcode() == dns.rcode.NXDOMAIN
        assert sorted(entry.partition(":")[0] for entry in lab.resolve) == ["autodiscover.contoso.test", MAIL]
    with lab_with("nothing-published", vantage=Vantage.OUTSIDE) as lab:
        assert look_up(lab, MAIL).rcode() == dns.rcode.NXDOMAIN
        assert lab.resolve == ()


def test_what_is_no_dns_is_not_answered_and_harms_nobody() -> None:
    with lab_with() as lab:
        address, _, port = lab.nameserver.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            for data in (b"", b"x", b"\x00" * 12, b"\xff" * 100):
                client.sendto(data, (address, int(port)))
            with pytest.raises(TimeoutError):
                client.recv(512)
        assert look_up(lab, MAIL).answer
