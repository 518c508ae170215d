"""Entra ID's token endpoint and Microsoft Graph, as their documentation has them, over TLS on loopback."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.mail.peers import Answer, Asked, https

TENANT = "contoso.onmicrosoft.test"
CLIENT = "00000000-1111-2222-3333-444444444444"
SECRET = "canary-secret~value"
SENDER = "mapiready@contoso.test"


def jwt(audience: str, roles: tuple[str, ...], number: int) -> str:
    """A token whose claims can be read, and whose signature is a canary."""

    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims: dict[str, Any] = {"aud": audience, "nonce": number}
    if roles:
        claims["roles"] = list(roles)
    return f"{part({'alg': 'RS256'})}.{part(claims)}.canary-signature-{number}"


@dataclass
class Cloud:
    """What it gives and refuses, and what it was asked. `base` is where it runs."""

    roles: tuple[str, ...] = ("Mail.Send", "Mail.ReadWrite")
    refusal: int | None = None  # AADSTS number, by the token endpoint
    no_tenant: bool = False
    opaque: bool = False
    lifetime: int = 3599
    expired: int = 0  # how many tokens Graph no longer takes
    graph: list[Answer] = field(default_factory=list)  # to be given before the real answers
    at_upload: list[Answer] = field(default_factory=list)
    audience: str | None = None
    base: str = ""
    asked: list[Asked] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if asked.path.endswith("/v2.0/.well-known/openid-configuration"):
            return self._discovery()
        if asked.path.endswith("/oauth2/v2.0/token"):
            return self._token(asked)
        if asked.path.startswith("/upload/"):
            return self._upload(asked)
        return self._graph(asked)

    def _discovery(self) -> Answer:
        if self.no_tenant:
            return _refused("invalid_tenant", 90002)
        there = f"{self.base}/{TENANT}"
        return Answer(
            body={
                "issuer": f"{there}/v2.0",
                "authorization_endpoint": f"{there}/oauth2/v2.0/authorize",
                "token_endpoint": f"{there}/oauth2/v2.0/token",
                "jwks_uri": f"{there}/discovery/v2.0/keys",
            }
        )

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        assert form["grant_type"] == "client_credentials"
        assert form["client_id"] == CLIENT
        if self.refusal is not None:
            return _refused("invalid_client", self.refusal)
        if "client_assertion" not in form and form["client_secret"] != SECRET:
            return _refused("invalid_client", 7000215)
        audience = self.audience or form["scope"].removesuffix("/.default")
        token = jwt(audience, self.roles, len(self.tokens))
        if self.opaque:
            token = f"opaque-canary-{len(self.tokens)}"
        self.tokens.append(token)
        return Answer(body={"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token})

    def _graph(self, asked: Asked) -> Answer:
        assert asked.path.startswith(f"/v1.0/users/{SENDER}/")
        shown = asked.headers["authorization"].removeprefix("Bearer ")
        if shown in self.tokens[: self.expired]:
            return _error(401, "InvalidAuthenticationToken")
        assert shown in self.tokens
        if self.graph:
            return self.graph.pop(0)
        path = asked.path.removeprefix(f"/v1.0/users/{SENDER}")
        match asked.method, path.strip("/").split("/"):
            case "POST", ["sendMail"]:
                if len(asked.body) > 4 * 1024 * 1024:
                    return Answer(413)
                self.sent.append(asked.json["message"])
                return Answer(202)
            case "POST", ["messages"]:
                draft = f"AAMk={len(self.drafts)}"
                self.drafts[draft] = {**asked.json, "attachments": []}
                return Answer(201, {"id": draft})
            case "POST", ["messages", _, "attachments"]:
                assert len(asked.body) <= 4 * 1024 * 1024
                self.drafts["AAMk=0"]["attachments"].append(asked.json["name"])
                return Answer(201, {"id": "a"})
            case "POST", ["messages", _, "attachments", "createUploadSession"]:
                item = asked.json["AttachmentItem"]
                assert item["attachmentType"] == "file"
                self.uploads[item["name"]] = bytearray(item["size"])
                return Answer(201, {"uploadUrl": f"{self.base}/upload/{item['name']}?authtoken=canary-upload"})
            case "POST", ["messages", "AAMk%3D0", "send"]:
                self.sent.append(self.drafts["AAMk=0"])
                return Answer(202)
            case "DELETE", ["messages", draft]:
                self.deleted.append(draft)
                return Answer(204)
        raise AssertionError(f"{asked.method} {asked.path}")

    def _upload(self, asked: Asked) -> Answer:
        assert "authorization" not in asked.headers
        if self.at_upload:
            return self.at_upload.pop(0)
        name = asked.path.removeprefix("/upload/").partition("?")[0]
        piece, _, size = asked.headers["content-range"].removeprefix("bytes ").partition("/")
        first, _, last = piece.partition("-")
        content = self.uploads[name]
        assert int(size) == len(content)
        assert int(last) - int(first) + 1 == len(asked.body) <= 4 * 1024 * 1024
        assert int(last) + 1 == len(content) or len(asked.body) % (320 * 1024) == 0
        content[int(first) : int(last) + 1] = asked.body
        return Answer(201 if int(last) + 1 == len(content) else 200, {"nextExpectedRanges": []})


def _refused(error: str, number: int) -> Answer:
    said = f"AADSTS{number}: text that is localised, with {SECRET} in it. Trace ID: 1"
    return Answer(400, {"error": error, "error_description": said, "error_codes": [number]})


def _error(status: int, code: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, {"error": {"code": code, "message": f"localised, {SECRET}"}}, headers)


error = _error


@contextmanager
def running(cloud: Cloud, tls: ssl.SSLContext) -> Iterator[Cloud]:
    with https(cloud.answer, tls) as port:
        cloud.base = f"https://localhost:{port}"
        yield cloud
