"""A certificate in DER."""

import pytest
import trustme


@pytest.fixture(scope="session")
def certificate_der() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    leaf = trustme.CA().issue_cert("mail.contoso.test")
    return x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
