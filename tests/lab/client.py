"""A client of the lab's web sites for tests: one TLS connection, http.client on it, tokens by pyspnego."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import spnego
from spnego.channel_bindings import GssChannelBindings

from lab.organisation import RunningLab, start
from tests.lab.asking import port_of

MAIL = "mail.contoso.test"
AUTODISCOVER = "autodiscover.contoso.test"
EX01, EX02, EX03 = (f"ex0{number}.contoso.test" for number in (1, 2, 3))


def lab_today(*faults: str, scenario: str = "healthy", **more: Any) -> RunningLab:
    """A lab whose certificates are valid by the real clock, without remote PowerShell."""
    return start(scenario, faults=faults, powershell=False, now=datetime.now(UTC), **more)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    def every(self, header: str) -> list[str]:
        """Every value of a header."""
        return self.headers.get_all(header) or []


class Client:
    """One connection to a host of a lab, verified where the lab's clock is the real one. Servers are asked by the name
    that clients use, which is what their certificate names."""

    def __init__(self, lab: RunningLab, place: str, *, host: str | None = None, verified: bool = True) -> None:
        host = host or (MAIL if place in (EX01, EX02, EX03) else place)
        context = ssl.create_default_context(cafile=str(lab.ca_file))
        if not verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.host = host
        self._plain = socket.create_connection(("127.0.0.1", port_of(lab, place)), timeout=10)
        self.socket = context.wrap_socket(self._plain, server_hostname=host)
        self.http = http.client.HTTPConnection(host)
        self.http.sock = self.socket

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.socket.close()

    @property
    def bindings(self) -> bytes:
        """tls-server-end-point of this connection; every certificate of the lab is signed with SHA-256."""
        leaf = self.socket.getpeercert(True)
        assert leaf is not None
        return b"tls-server-end-point:" + hashlib.sha256(leaf).digest()

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answer:
        """One request as it is."""
        self.http.request(method, path, body=body, headers=headers or {})
        response = self.http.getresponse()
        return Answer(response.status, response.reason, response.headers, response.read())

    def sign_in(
        self,
        path: str,
        user: str | None,
        password: str | None,
        *,
        scheme: str = "NTLM",
        protocol: str = "ntlm",
        bindings: bytes | None = None,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """A request with a whole exchange of tokens; the last answer."""
        context = spnego.client(
            user,
            password,
            hostname=self.host,
            service="HTTP",
            protocol=protocol,
            channel_bindings=GssChannelBindings(application_data=bindings) if bindings is not None else None,
            options=spnego.NegotiateOptions.none,
        )
        token = context.step()
        while True:
            assert token is not None
            given = {**(headers or {}), "Authorization": f"{scheme} {base64.b64encode(token).decode()}"}
            answer = self.ask(method, path, given, body)
            words = [value.partition(" ") for value in answer.every("WWW-Authenticate")]
            tokens = [token for word, _, token in words if word == scheme and token]
            if answer.status != 401 or not tokens or context.complete:
                return answer
            token = context.step(base64.b64decode(tokens[0]))

    def sign_in_as_account(self, lab: RunningLab, path: str, **more: Any) -> Answer:
        """As the test account, bound to this connection unless told otherwise."""
        given = {"bindings": self.bindings, **more}
        return self.sign_in(path, lab.account.user, lab.account.password, **given)


def basic(user: str, password: str) -> dict[str, str]:
    """The header of Basic."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
