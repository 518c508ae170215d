"""Trust stores: the file that the user gives, and the system's."""

from pathlib import Path

import pytest

from checker.network.trust import TrustError, load_trust
from tests.factories_network import intermediate, root


def test_a_file_of_one_or_many(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"# our own\n" + root().pem + b"\r\nmore words\n" + intermediate().pem + root().pem)
    store = load_trust(file)
    assert store.roots == (root().der, intermediate().der)
    assert store.source == "ca.pem"


def test_a_file_in_der(tmp_path: Path) -> None:
    file = tmp_path / "root.cer"
    file.write_bytes(root().der)
    assert load_trust(file).roots == (root().der,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "holds no certificate"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate"),
        (b"\x30\x03\x02\x01\x01", "certificate 1 of 1"),
        (root().pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 2 of 2"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "certificate 1 of 1"),
    ],
)
def test_a_bad_file_is_named_and_says_why(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrustError, match=r"--ca-file .*ca\.pem") as caught:
        load_trust(file)
    assert said in str(caught.value)


def test_the_system_has_a_store_or_none_and_nothing_raises() -> None:
    store = load_trust(None)
    assert store.source == "the system's store"
    assert len(set(store.roots)) == len(store.roots)
