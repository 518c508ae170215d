"""What the tests of mail share: one authority for all of them, made once."""

from pathlib import Path

import pytest
import trustme

from tests.mail.peers import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    file: Path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return Certificates(authority, file)


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring of whoever runs the tests is none of their business."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("MAPIREADY_MAIL_SECRET", "MAPIREADY_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)
