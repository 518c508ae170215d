"""The one module that knows pypsrp: from settings to a session, from a call to what came back. Runs in one thread.

Known to work with pypsrp 0.9 (0.9.1 measured) and requests 2.32 to 2.34; `tests/powershell/test_seam.py` fails when
what is relied on here changes. Not public there, and why it is used all the same:

- `RunspacePool._serializer`, `RunspacePool._fragmenter.serializer`: pypsrp's own decoder leaves every generic list as
  raw XML and then fails with KeyError at references into it; ours reads pipeline output, errors and warnings, bounded.
- `WSMan.transport.session`, `.encryption`: the requests session, built with the first message and without a way to give
  one, needs our adapter (trust, --resolve, limits, no redirects) before that message; after a lost connection the
  security context must be forgotten before anything else can be sent.
- `_TransportHTTP._build_session`: called early for that reason.

What the library raises leaves this module as it is: `checker.powershell.failures` reads it.
"""

from __future__ import annotations

import io
import logging
import math
import select
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import WSManFaultError
from pypsrp.messages import (
    DebugRecord,
    ErrorRecordMessage,
    InformationRecord,
    PipelineState,
    ProgressRecord,
    VerboseRecord,
    WarningRecord,
)
from pypsrp.negotiate import HTTPNegotiateAuth
from pypsrp.powershell import PowerShell, RunspacePool, RunspacePoolWarning
from pypsrp.serializer import Serializer
from pypsrp.wsman import NAMESPACES, SelectorSet, WSMan, WSManAction
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar

from checker.answers import CmdletCall, Keep, PSObject, PSValue
from checker.powershell.clixml import ClixmlError, read_fragment
from checker.powershell.failures import AnswerTooLargeError, OutOfTimeError, RedirectedError
from checker.powershell.records import MOST_RECORDS, Heard, Stream, read_warning
from checker.secrets import Secret

__all__ = ["Outcome", "PsrpSession", "SessionOptions"]

CONFIGURATION: Final = "Microsoft.Exchange"
_MOST_ANSWER: Final = 8 << 20  # an envelope is at most 500 kB
_MOST_OUTPUT: Final = 2 << 30  # bytes on the wire of one cmdlet
_POLL: Final = 5.0  # seconds that the server may hold a Receive
_SHORTEST_POLL: Final = 0.5  # WinRM takes no less
_LAST_WORDS: Final = 1.5  # seconds for stopping a cmdlet whose time is up
_RUNNING: Final = PSInvocationState.RUNNING
_PIECE: Final = 1 << 14
_NO_SUCH_SHELL: Final = 2150858843


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What one session needs to know."""

    server: str
    port: int
    tls: bool
    path: str
    auth: str  # as pypsrp names it
    user: str | None
    password: Secret | None
    ca_file: Path | None
    timeout: float
    resolve: Mapping[tuple[str, int], tuple[str, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pipeline gave. `errors` are ErrorRecords, `failed` that the last of them ended it."""

    objects: tuple[PSValue, ...]
    errors: tuple[PSObject, ...]
    warnings: tuple[str, ...]
    failed: bool
    dropped: int  # errors and warnings beyond those kept
    raised: Exception | None  # by `keep`: the caller's own mistake


# --- HTTP -------------------------------------------------------------------------------------------------------------


class _Wire:
    """What a session's connections have in common: their sockets, their deadline, what the server offered."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self.challenges: tuple[str, ...] = ()
        self.unsure = False  # the last request went out, and nobody knows whether it was carried out
        self.tried = False
        self.received = 0
        self.cut = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def add(self, connected: socket.socket) -> None:
        """A connection was made."""
        with self._lock:
            self._sockets = {known for known in self._sockets if known.fileno() >= 0} | {connected}
            cut = self.cut
        if cut:
            _shut(connected)

    def cut_off(self) -> None:
        """End what is being waited for; called from another thread."""
        with self._lock:
            self.cut = True
            sockets = tuple(self._sockets)
        for connected in sockets:
            _shut(connected)

    def mend(self) -> None:
        """Connections may be made again."""
        with self._lock:
            self.cut = False

    def close(self) -> None:
        """Close what is left: the library forgets the connection of an answer that it could not read."""
        with self._lock:
            for connected in self._sockets:
                connected.close()
            self._sockets.clear()

    def is_intact(self) -> bool:
        """Whether the connection is still there; only for connections without TLS, where nothing comes unasked."""
        with self._lock:
            kept = [known for known in self._sockets if known.fileno() >= 0]
        return bool(kept) and not select.select(kept, [], [], 0)[0]

    def remaining(self) -> float:
        """Seconds that a request may take."""
        return max(0.05, self.deadline - time.monotonic())


def _shut(connected: socket.socket) -> None:
    # Not the method of a TLS socket, which would take off the encryption first. Gone already is what was wanted.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _pool_classes(wire: _Wire) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """urllib3's pools, whose connections tell `wire` of their sockets."""

    class HttpConnection(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            wire.add(self.sock)

        def getresponse(self) -> Any:
            wire.unsure = True
            return super().getresponse()

    class HttpsConnection(urllib3.connection.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            wire.add(self.sock)

        def getresponse(self) -> Any:
            wire.unsure = True
            return super().getresponse()

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = HttpConnection

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = HttpsConnection

    return {"http": HttpPool, "https": HttpsPool}


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Body(io.BytesIO):
    """A body that was read to its end, where requests expects one that is still to be read."""

    def release_conn(self) -> None:
        """The connection has gone back already."""


class _Adapter(HTTPAdapter):
    """Connects where --resolve says, trusts what the user trusts, follows nothing, reads no more than it should."""

    def __init__(self, wire: _Wire, options: SessionOptions, cookies: Any) -> None:
        self._wire = wire
        self._options = options
        self._cookies = cookies
        self._context = _trust(options.ca_file) if options.tls else None
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(wire)

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        # Typed as closed dictionaries there, open ones in urllib3, which takes them.
        host: Any
        pool: Any
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        for key in ("ca_certs", "ca_cert_dir"):
            pool.pop(key, None)
        options = self._options
        host["host"], port = options.resolve.get((options.server.lower(), options.port), (host["host"], None))
        host["port"] = port or options.port
        if self._context is not None:
            pool["ssl_context"] = self._context
            pool["server_hostname"] = options.server
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Only what `_trust` loaded: requests would add the certificates that it brings along.
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        remaining = self._wire.remaining()
        timeout = kwargs.get("timeout")
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        kwargs["timeout"] = (min(connect or remaining, remaining), min(read or remaining, remaining))
        kwargs["proxies"] = {}
        self._wire.unsure = False
        response = super().send(request, *args, **kwargs)
        if not request.body or response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            self._wire.unsure = False
        if response.is_redirect:
            # The credential would go along.
            response.close()
            raise RedirectedError(response.headers.get("location", ""))
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            # Left unread: the channel binding is made from its socket.
            offered = response.raw.headers.getlist("WWW-Authenticate")
            self._wire.tried = "Authorization" in request.headers
            self._wire.challenges = tuple(value.split()[0] for line in offered for value in line.split(",") if value)
        else:
            self._read(request, response)
        return response

    def _read(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        body = bytearray()
        while piece := response.raw.read(_PIECE, decode_content=True):
            body += piece
            if len(body) > _MOST_ANSWER or self._wire.received + len(body) > _MOST_OUTPUT:
                response.close()
                raise AnswerTooLargeError
        self._wire.received += len(body)
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            body = self._without_echo(request, response, body)
        extract_cookies_to_jar(self._cookies, request, response.raw)  # type: ignore[no-untyped-call]
        response.raw = _Body(body)

    def _without_echo(
        self, request: requests.PreparedRequest, response: requests.Response, body: bytearray
    ) -> bytearray:
        """What the library makes an exception's text of. Some servers and proxies show there what they were sent."""
        if response.headers.get("content-type", "").casefold().startswith("text/"):
            return bytearray()
        sent = request.headers.get("Authorization", "").partition(" ")[2]
        return body.replace(sent.encode("latin-1"), b"***") if sent else body


# --- PSRP -------------------------------------------------------------------------------------------------------------


class _WSMan(WSMan):
    """Asks for output once; pypsrp would ask six times before it says that nothing came."""

    def receive(
        self,
        resource_uri: str,
        resource: Any,
        option_set: Any = None,
        selector_set: Any = None,
        timeout: Any = None,
    ) -> Any:
        answer = self.invoke(WSManAction.RECEIVE, resource_uri, resource, option_set, selector_set, timeout)
        return answer.find("s:Body", namespaces=NAMESPACES)


@dataclass(frozen=True, slots=True)
class _Message:
    """A message as far as it is wanted, in the shape that pypsrp expects."""

    MESSAGE_TYPE: int
    value: PSValue


_READ = (ErrorRecordMessage, WarningRecord)
_SKIPPED = (DebugRecord, VerboseRecord, ProgressRecord, InformationRecord)


class _Serializer(Serializer):
    """Reads with our reader what pipelines say; leaves the messages of the session itself to pypsrp."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0
        self.keep: Keep | None = None
        self.heard: Heard | None = None
        self.raised: Exception | None = None

    def deserialize(self, element: Any, metadata: Any = None, clear: bool = True) -> Any:
        if not isinstance(element, str):
            return super().deserialize(element, metadata, clear)
        if metadata is None:
            self._hear(Stream.OUTPUT, element)
            return self._kept(read_fragment(element))
        kind = metadata.object
        if kind in _READ:
            self.records += 1
            if self.records > MOST_RECORDS:
                return _Message(kind.MESSAGE_TYPE, None)
            self._hear(Stream.ERROR if kind is ErrorRecordMessage else Stream.WARNING, element)
            return _Message(kind.MESSAGE_TYPE, read_fragment(element))
        if kind in _SKIPPED:
            return _Message(kind.MESSAGE_TYPE, None)
        if kind is PipelineState:
            self._hear(Stream.STATE, element)
            state = read_fragment(element)
            number = state.properties.get("PipelineState") if isinstance(state, PSObject) else None
            if not isinstance(state, PSObject) or not isinstance(number, int):
                raise ClixmlError("The state of a cmdlet came without its number.")
            record = state.properties.get("ExceptionAsErrorRecord")
            make: Any = PipelineState
            return make(state=number, error_record=_Message(ErrorRecordMessage.MESSAGE_TYPE, record))
        return super().deserialize(element, metadata, clear)

    def _hear(self, stream: Stream, clixml: str) -> None:
        if self.heard is not None:
            self.heard(stream, clixml)

    def _kept(self, value: PSValue) -> PSValue:
        if self.keep is None or self.raised is not None:
            return value
        try:
            return self.keep(value)
        except Exception as error:  # noqa: BLE001 - nothing that the server did: whoever gave `keep` gets it back
            self.raised = error
            return None


class PsrpSession:
    """One shell on one server. All but `cut_off` belong to the thread that opened it."""

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self._wire = _Wire()
        self._pool: Any = None
        self._pipeline: PowerShell | None = None
        self._serializer = _Serializer()

    @property
    def challenges(self) -> tuple[str, ...]:
        """The authentication schemes that the server last offered."""
        return self._wire.challenges

    @property
    def tried(self) -> bool:
        """Whether the last request that was refused for want of a sign-in carried a credential."""
        return self._wire.tried

    @property
    def was_cut(self) -> bool:
        """Whether `cut_off` ended it."""
        return self._wire.cut

    @property
    def signed_in_by(self) -> str | None:
        """What the user really was signed in by: "Kerberos", "NTLM", "Basic"; None if nobody asked."""
        if self.options.auth == "basic":
            return "Basic"
        for context in self._contexts().values():
            name = str(context.negotiated_protocol)
            return _MECHANISMS.get(name, name)
        return None

    @property
    def supported_versions(self) -> str | None:
        """The versions of clients that the server says it supports, where it says so."""
        private = self._pool.application_private_data if self._pool else None
        found = private.data.get("SupportedVersions") if private and isinstance(private.data, dict) else None
        return str(found) if found is not None else None

    def open(self) -> None:
        """Sign in and make the shell. Raises whatever the libraries raise."""
        options = self.options
        self._wire.deadline = time.monotonic() + options.timeout
        user, password = _credential(options)
        # Seconds are typed as int there, and may be broken.
        make: Any = _WSMan
        wsman = make(
            options.server,
            port=options.port,
            ssl=options.tls,
            path=options.path.lstrip("/"),
            auth=options.auth,
            username=user,
            password=password,
            connection_timeout=options.timeout,
            read_timeout=options.timeout + 2,
            operation_timeout=max(1, math.floor(options.timeout)),
            no_proxy=True,
            reconnection_retries=0,
            reconnection_backoff=0,
            negotiate_service="HTTP",
            negotiate_hostname_override=options.server,
        )
        session = wsman.transport._build_session()  # noqa: SLF001
        session.trust_env = False
        session.verify = True
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(self._wire, options, session.cookies))
        wsman.transport.session = session
        pool = RunspacePool(wsman, configuration_name=CONFIGURATION)
        self._serializer = serializer = _Serializer()
        pool._serializer = serializer  # noqa: SLF001
        pool._fragmenter.serializer = serializer  # noqa: SLF001
        self._pool = pool
        pool.open()

    def run(self, call: CmdletCall, seconds: float, keep: Keep | None = None, heard: Heard | None = None) -> Outcome:
        """Send a cmdlet and wait for its end. `keep` reduces each object as it arrives; `heard` gets it as it came.

        Raises:
            OutOfTimeError: it was still running after `seconds`, and was stopped.
            Exception: whatever the libraries raise.
        """
        pool = self._pool
        assert pool is not None
        end = time.monotonic() + seconds
        self._wire.deadline = end + _LAST_WORDS
        self._wire.received = 0
        self._serializer.records = 0
        self._serializer.keep = keep
        self._serializer.heard = heard
        self._serializer.raised = None
        if self._lost():
            self._forget(pool)
        pipeline: Any = PowerShell(pool)
        pipeline.add_cmdlet(call.name)
        for name, value in call.parameters:
            pipeline.add_parameter(name, None if value is True else value)
        pipeline.begin_invoke(remote_stream_options=0)
        self._pipeline = pipeline
        while pipeline.state == _RUNNING and (left := end - time.monotonic()) > 0:
            pipeline.poll_invoke(timeout=round(min(_POLL, max(_SHORTEST_POLL, left)), 3))
        if pipeline.state == _RUNNING:
            pipeline.stop()
            raise OutOfTimeError
        failed = pipeline.state != PSInvocationState.COMPLETED
        errors = [message.value for message in pipeline.streams.error]
        notices = [message.value for message in pipeline.streams.warning]
        return Outcome(
            objects=tuple(pipeline.output),
            errors=tuple(error for error in errors if isinstance(error, PSObject)),
            warnings=tuple(read_warning(value) for value in notices if value is not None),
            failed=failed,
            dropped=max(0, self._serializer.records - MOST_RECORDS),
            raised=self._serializer.raised,
        )

    def tidy(self) -> None:
        """Let the server forget the last cmdlet, so that the next may come. Raises whatever the libraries raise."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            self._wire.deadline = time.monotonic() + self.options.timeout
            pipeline.close()

    def delete(self, seconds: float) -> None:
        """Delete the shell, and with it whatever still runs. Raises whatever the libraries raise.

        A shell of which nobody knows whether the server made it is deleted, too, under the id that it was to have.
        """
        pool, self._pool, self._pipeline = self._pool, None, None
        if pool is None:
            return
        try:
            if pool.shell.opened or self._wire.unsure:
                self._wire.deadline = time.monotonic() + seconds
                if self._wire.cut or self._lost():
                    self._wire.mend()
                    self._forget(pool)
                selectors = SelectorSet()
                selectors.add_option("ShellId", pool.shell.id)
                pool.connection.delete(pool.shell.resource_uri, selector_set=selectors)
        except WSManFaultError as error:
            if error.code != _NO_SUCH_SHELL:
                raise
        finally:
            pool.connection.close()
            self._wire.close()

    def cut_off(self) -> None:
        """End whatever is being waited for, now; called from another thread. Afterwards only `delete` is of use."""
        self._wire.cut_off()

    def _contexts(self) -> dict[str, Any]:
        session = self._pool.connection.transport.session if self._pool else None
        return session.auth.contexts if session and isinstance(session.auth, HTTPNegotiateAuth) else {}

    def _lost(self) -> bool:
        """Whether the key of message encryption is gone with the connection that it was made for."""
        return not self.options.tls and not self._wire.is_intact()

    def _forget(self, pool: Any) -> None:
        """The next request signs in anew."""
        pool.connection.transport.encryption = None
        if isinstance(pool.connection.transport.session.auth, HTTPNegotiateAuth):
            pool.connection.transport.session.auth.contexts.clear()


def _credential(options: SessionOptions) -> tuple[str | bytes | None, str | bytes | None]:
    """User and password; for Basic in UTF-8 (RFC 7617) if there are letters that Latin-1 lacks, in which requests
    writes it."""
    user, password = options.user, options.password.reveal() if options.password is not None else None
    if options.auth == "basic" and user is not None and password is not None:
        try:
            (user + password).encode("latin-1")
        except UnicodeEncodeError:
            return user.encode(), password.encode()
    return user, password


_MECHANISMS: Final = {"kerberos": "Kerberos", "ntlm": "NTLM"}


def _silence() -> None:
    """They log messages with all they hold, and failures with their traceback; nobody is to see them."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if name.partition(".")[0] in ("pypsrp", "spnego", "urllib3") and isinstance(logger, logging.Logger):
            logger.disabled = True
    warnings.filterwarnings("ignore", category=RunspacePoolWarning)


_silence()
