"""Tokens of Entra ID by OAuth 2.0 client credentials, with Microsoft's own library. Its requests go through httpx, as
all others: one trust, one time-out. It keeps a token until shortly before it expires."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from checker.mail.problems import Claims, MailError, connection_problem, entra_problem
from checker.mail.secrets import Hidden
from checker.mail.settings import Application
from checker.secrets import Secret

if TYPE_CHECKING:
    import httpx
    import msal

__all__ = ["Tokens", "certificate_credential"]


class Tokens:
    """The tokens of an application for one resource."""

    def __init__(
        self, application: Application, resource: str, credential: object, client: httpx.Client, hidden: Hidden
    ) -> None:
        self._application = application
        self._scopes = [resource + "/.default"]
        self._credential = credential
        self._http = _Http(client)
        self._hidden = hidden
        self._app: msal.ConfidentialClientApplication | None = None

    def get(self, *, fresh: bool = False) -> Secret:
        """A token that is valid; `fresh` does not take the one that is kept.

        Raises:
            MailError: Entra ID gives none, and why.
        """
        import httpx

        try:
            if self._app is None:
                self._app = self._make()
            if fresh:
                self._app.remove_tokens_for_client()
            answer: Mapping[str, Any] = self._app.acquire_token_for_client(self._scopes)
        except httpx.HTTPError as error:
            url = urlsplit(self._application.authority)
            raise connection_problem(error, url.hostname or "", url.port or 443) from None
        except (ValueError, RuntimeError, KeyError) as error:
            # msal has said that the tenant, the authority or the credential cannot be; the codes are in the answer.
            raise self._refused(self._http.last, type(error).__name__) from None
        except Exception as error:
            if not type(error).__module__.startswith("msal"):
                raise
            raise self._refused(self._http.last, type(error).__name__) from None
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise self._refused(answer, "")
        secret = Secret(token)
        self._hidden.add(secret)
        return secret

    def claims(self, token: Secret) -> Claims:
        """What the token says of itself, to tell why it was refused; nothing where it cannot be read."""
        parts = token.reveal().split(".")
        try:
            body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        except (IndexError, ValueError, binascii.Error):
            return Claims(None, None)
        if not isinstance(body, dict):
            return Claims(None, None)
        audience, roles = body.get("aud"), body.get("roles", [])
        return Claims(
            audience if isinstance(audience, str) else None,
            tuple(str(role) for role in roles) if isinstance(roles, list) else None,
        )

    def _make(self) -> msal.ConfidentialClientApplication:
        try:
            import msal
        except ImportError:
            raise MailError(
                "Microsoft 365 needs an extra: install mapiready[microsoft365] (pipx inject mapiready msal)."
            ) from None
        return msal.ConfidentialClientApplication(
            self._application.client_id,
            client_credential=self._credential,
            authority=f"{self._application.authority}/{self._application.tenant}",
            http_client=self._http,
            # The authority is the administrator's, of a cloud that Microsoft's public one may not know.
            instance_discovery=False,
        )

    def _refused(self, answer: Mapping[str, Any], what: str) -> MailError:
        codes = answer.get("error_codes")
        numbers = [code for code in codes if isinstance(code, int)] if isinstance(codes, list) else []
        error = answer.get("error")
        known = isinstance(error, str) and error.isascii() and error.replace("_", "").isalnum()
        failed = entra_problem(
            numbers,
            str(error) if known else None,
            tenant=self._application.tenant,
            client=self._application.client_id,
        )
        said = answer.get("error_description")
        failed.detail = self._hidden.blotted(f"{what} {said if isinstance(said, str) else ''}".strip()[:500])
        return failed


class _Http:
    """What msal asks of an HTTP client, done by httpx. `last` is the last answer that was an error."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.last: Mapping[str, Any] = {}

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str | bytes] | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_others: object,
    ) -> httpx.Response:
        if isinstance(data, Mapping):
            # An assertion comes as bytes, which httpx would write as Python does.
            form = {name: value.decode("ascii") if isinstance(value, bytes) else value for name, value in data.items()}
            return self._kept(self._client.post(url, params=params, data=form, headers=headers))
        return self._kept(self._client.post(url, params=params, content=data, headers=headers))

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_others: object,
    ) -> httpx.Response:
        return self._kept(self._client.get(url, params=params, headers=headers))

    def close(self) -> None:
        """The client is closed by who made it."""

    def _kept(self, response: httpx.Response) -> httpx.Response:
        if response.status_code >= 400:
            try:
                body = json.loads(response.text)
            except ValueError:
                body = None
            self.last = body if isinstance(body, dict) else {"error": f"http_{response.status_code}"}
        return response


def certificate_credential(file: Path, key_file: Path | None, passphrase: Secret | None) -> Mapping[str, str]:
    """What msal takes for a certificate: the PEM of key and certificate; it finds the SHA-256 thumbprint itself.

    Raises:
        MailError: a file cannot be read, or is not what it should be.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    certificate_text, key_text = _read(file), _read(key_file or file)
    if file.suffix.casefold() in (".pfx", ".p12"):
        certificate_text, key_text = _from_pfx(file, certificate_text, passphrase)
        passphrase = None
    try:
        certificate = x509.load_pem_x509_certificate(certificate_text)
    except ValueError:
        raise MailError(f"{file} holds no certificate (-----BEGIN CERTIFICATE-----).") from None
    word = passphrase.reveal().encode("utf-8") if passphrase is not None else None
    try:
        key = serialization.load_pem_private_key(key_text, None if b"ENCRYPTED" not in key_text else word)
    except (ValueError, TypeError):
        raise MailError(
            f"{key_file or file} holds no private key that can be read; for an encrypted one set MAPIREADY_MAIL_SECRET"
            " to its passphrase."
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise MailError(f"The private key in {key_file or file} is none of RSA, which Entra ID wants.")
    if key.public_key() != certificate.public_key():
        raise MailError(f"The private key in {key_file or file} is not that of the certificate in {file}.")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "private_key": plain.decode("ascii"),
        "public_certificate": certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
    }


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise MailError(f"{file} cannot be read: {error.strerror or error}.") from None


def _from_pfx(file: Path, content: bytes, passphrase: Secret | None) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(
            content, passphrase.reveal().encode("utf-8") if passphrase is not None else None
        )
    except ValueError:
        raise MailError(
            f"{file} cannot be opened: set MAPIREADY_MAIL_SECRET to its passphrase, or give PEM files."
        ) from None
    if key is None or certificate is None:
        raise MailError(f"{file} must hold a certificate and its private key.")
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
