"""Keys and signatures of the leaf and the intermediates; the root does not count."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from checker import Status
from checker.results import Verdict
from checker.x509 import Certificate, Chain
from checks.certificates.cert_strong import judge
from tests.factories_network import Issued, intermediate, issue, served


def changed(key: str = "EC secp256r1", signature_hash: str = "sha256", *, self_signed: bool = False) -> Verdict:
    """The verdict on a leaf with a key or signature that a test could not make."""
    sent: tuple[Issued, ...] = (issue(),) if self_signed else (issue(by=intermediate()), intermediate())
    analysis = served(*sent)
    assert isinstance(analysis.leaf, Certificate)
    assert isinstance(analysis.chain, Chain)
    leaf = replace(analysis.leaf, key=key, signature_hash=signature_hash)
    chain = replace(analysis.chain, path=(leaf, *analysis.chain.path[1:]))
    return judge(replace(analysis, leaf=leaf, chain=chain))


@pytest.mark.parametrize(
    ("key", "signature_hash", "status"),
    [
        ("RSA 2048", "sha256", Status.PASS),
        ("RSA 4096", "sha512", Status.PASS),
        ("RSA 2047", "sha256", Status.FAIL),
        ("RSA 1024", "sha256", Status.FAIL),
        ("EC secp384r1", "sha384", Status.PASS),
        ("EC brainpoolP256r1", "sha256", Status.FAIL),
        ("Ed25519", "1.3.101.112", Status.FAIL),
        ("RSA 2048", "sha1", Status.FAIL),
        ("RSA 2048", "md5", Status.FAIL),
        ("RSA 2048", "1.2.840.113549.1.1.2", Status.FAIL),  # MD2
    ],
)
def test_strength(key: str, signature_hash: str, status: Status) -> None:
    assert changed(key, signature_hash).status is status


def test_a_weak_intermediate_fails_and_is_named() -> None:
    weak = issue("Weak CA", ca=True, by=intermediate(), key=ec.generate_private_key(ec.SECP256K1()))
    verdict = judge(served(issue(by=weak), weak, intermediate()))
    assert verdict.status is Status.FAIL
    assert "Weak CA" in verdict.summary


def test_nobody_relies_on_the_signature_of_a_self_signed_certificate() -> None:
    assert changed(signature_hash="sha1", self_signed=True).status is Status.PASS
