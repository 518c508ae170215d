"""Loads the root certificates that a run trusts: a file of the user's, else the operating system's store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from checker.errors import UserError
from checker.facts.run import TrustStore

__all__ = ["TrustError", "load_trust"]

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,100000}-----END CERTIFICATE-----")
_LARGEST = 32 * 1024 * 1024
_MOST_FILES = 2000
_SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
_KEYCHAINS = ("/System/Library/Keychains/SystemRootCertificates.keychain", "/Library/Keychains/System.keychain")
_KEYCHAIN_SECONDS = 20


class TrustError(UserError):
    """--ca-file cannot be used; the sentence names the file and says why."""


def load_trust(ca_file: Path | None) -> TrustStore:
    """The trust store of a run: the certificates of `ca_file` alone when it is given, else the system's.

    Raises:
        TrustError: the file cannot be read, or a certificate in it cannot.
    """
    if ca_file is not None:
        return TrustStore(_from_file(ca_file), ca_file.name, given=True)
    return TrustStore(tuple(dict.fromkeys(_of_the_system())), "the system's store", given=False)


def _from_file(file: Path) -> tuple[bytes, ...]:
    from cryptography import x509

    try:
        content = _read(file)
    except OSError as error:
        raise TrustError(f"--ca-file {file} cannot be read: {error.strerror or error}.") from error
    found = tuple(dict.fromkeys(_certificates(content)))
    if not found and content[:1] == b"\x30":
        found = (content,)  # one certificate in DER, as Windows exports it by default
    if not found:
        raise TrustError(f"--ca-file {file} holds no certificate (-----BEGIN CERTIFICATE-----).")
    for number, certificate in enumerate(found, 1):
        try:
            x509.load_der_x509_certificate(certificate)
        except ValueError as error:
            raise TrustError(f"--ca-file {file}: certificate {number} of {len(found)} cannot be read.") from error
    return found


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_LARGEST)


def _certificates(pem: bytes) -> Iterator[bytes]:
    """The certificates of a PEM text in DER, whatever else stands in it."""
    from base64 import b64decode

    for block in _PEM.findall(pem):
        body = b"".join(block.split(b"-----")[2].split())
        try:
            yield b64decode(body, validate=True)
        except ValueError:
            yield body  # no base64, hence no certificate: whoever reads it says so


def _of_the_system() -> Iterable[bytes]:
    match sys.platform:
        case "win32":
            return _of_windows()
        case "darwin":
            return _of_keychains() or tuple(_of_openssl())
    return _of_openssl()


def _of_windows() -> Iterator[bytes]:
    """The machine's and the user's trusted roots, as far as they are trusted for servers."""
    import ssl

    enumerate_store = getattr(ssl, "enum_certificates", None)
    if enumerate_store is None:
        return
    for certificate, encoding, trust in enumerate_store("ROOT"):
        if encoding == "x509_asn" and (trust is True or _SERVER_AUTH in trust):
            yield certificate


def _of_keychains() -> tuple[bytes, ...]:
    """macOS has no call for it in Python; its own tool prints what the system's keychains hold. Empty without it."""
    import subprocess

    command = ["/usr/bin/security", "find-certificate", "-a", "-p", *_KEYCHAINS]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_KEYCHAIN_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(_certificates(done.stdout))


def _of_openssl() -> Iterator[bytes]:
    """Where OpenSSL looks: one file, and a folder of files; SSL_CERT_FILE and SSL_CERT_DIR count."""
    import ssl

    paths = ssl.get_default_verify_paths()
    files = [Path(paths.cafile)] if paths.cafile else []
    if paths.capath:
        files.extend(_files(Path(paths.capath)))
    for file in files:
        try:
            yield from _certificates(_read(file))
        except OSError:
            continue  # a dangling link in the folder is no certificate


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file())[:_MOST_FILES]
    except OSError:
        return []
