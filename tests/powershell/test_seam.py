"""What the seam relies on in pypsrp and requests beyond what they promise. A change there fails here, by name."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
from pypsrp.complex_objects import ObjectMeta
from pypsrp.messages import ErrorRecordMessage, Message, MessageType, PipelineState, WarningRecord
from pypsrp.negotiate import HTTPNegotiateAuth
from pypsrp.powershell import Fragmenter, PowerShell, RunspacePool
from pypsrp.serializer import Serializer
from pypsrp.wsman import WSMan

from checker.powershell import _pypsrp_seam
from checker.powershell._pypsrp_seam import PsrpSession, SessionOptions
from tests.powershell.conftest import Start


@pytest.fixture
def pool() -> RunspacePool:
    return RunspacePool(WSMan("localhost", port=1, ssl=False, auth="ntlm", username="u", password="p"))


def test_the_known_version() -> None:
    assert version("pypsrp").split(".")[:2] == ["0", "9"]


def test_the_serializer_can_be_replaced(pool: RunspacePool) -> None:
    assert type(pool._serializer) is Serializer
    assert isinstance(pool._fragmenter, Fragmenter)
    assert pool._fragmenter.serializer is pool._serializer
    assert list(inspect.signature(Serializer.deserialize).parameters) == ["self", "element", "metadata", "clear"]


class Recorded(Serializer):
    """Notes how it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, bool]] = []

    def deserialize(self, element: Any, metadata: Any = None, clear: bool = True) -> Any:
        self.calls.append((element, metadata, clear))
        make: Any = WarningRecord
        return make() if metadata else None


@pytest.mark.parametrize(
    ("kind", "read_as"),
    [
        (MessageType.PIPELINE_OUTPUT, None),
        (MessageType.ERROR_RECORD, ErrorRecordMessage),
        (MessageType.WARNING_RECORD, WarningRecord),
        (MessageType.PIPELINE_STATE, PipelineState),
    ],
)
def test_messages_are_read_whole_and_by_their_class(kind: int, read_as: type | None) -> None:
    recorded = Recorded()
    header = (1).to_bytes(4, "little") + kind.to_bytes(4, "little") + bytes(32)
    Message.unpack(header + b"\xef\xbb\xbf<S>x</S>", recorded)
    ((element, metadata, clear),) = recorded.calls
    assert (element, clear) == ("<S>x</S>", True)
    if read_as is None:
        assert metadata is None
    else:
        assert isinstance(metadata, ObjectMeta)
        assert metadata.object is read_as


def test_the_session_can_be_given_before_the_first_message(pool: RunspacePool) -> None:
    transport = pool.connection.transport
    assert transport.session is None
    assert transport.encryption is None
    session = transport._build_session()
    assert isinstance(session, requests.Session)
    assert isinstance(session.auth, HTTPNegotiateAuth)
    assert session.auth.contexts == {}
    assert inspect.getsource(type(transport).send).count("if self.session is None:") == 1


def test_receive_can_ask_once() -> None:
    assert list(inspect.signature(WSMan.receive).parameters) == list(
        inspect.signature(_pypsrp_seam._WSMan.receive).parameters
    )
    assert inspect.signature(WSMan.invoke).parameters["retries_on_read_timeout"].default == 0


def test_stopping_and_polling(pool: RunspacePool) -> None:
    assert "timeout" in inspect.signature(PowerShell.poll_invoke).parameters
    assert "remote_stream_options" in inspect.signature(PowerShell.begin_invoke).parameters
    assert pool.application_private_data is None
    assert pool.shell.opened is False


def test_the_adapter_overrides_what_there_is() -> None:
    for name in ("build_connection_pool_key_attributes", "cert_verify", "send"):
        ours = getattr(_pypsrp_seam._Adapter, name)
        theirs = getattr(requests.adapters.HTTPAdapter, name)
        assert ours is not theirs
        if name != "send":
            assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_lists_in_live_answers_are_decoded(start: Start) -> None:
    """Where pypsrp alone would leave raw XML."""
    from checker.answers import CmdletCall, PSObject
    from checker.secrets import Secret
    from tests.powershell.conftest import PASSWORD, USER

    endpoint = start()
    name = endpoint.settings.server.fqdn
    session = PsrpSession(
        SessionOptions(
            server=name,
            port=80,
            tls=False,
            path="/PowerShell/",
            auth="ntlm",
            user=USER.name,
            password=Secret(PASSWORD),
            ca_file=None,
            timeout=5.0,
            resolve={(name, 80): ("127.0.0.1", endpoint.http_port)},
        )
    )
    session.open()
    try:
        outcome = session.run(CmdletCall.of("Get-MapiVirtualDirectory", Server="EX01"), 5.0)
    finally:
        session.delete(5.0)
    (directory,) = outcome.objects
    assert isinstance(directory, PSObject)
    methods = directory.properties["IISAuthenticationMethods"]
    assert isinstance(methods, PSObject)
    assert isinstance(methods.value, list)
    assert len(methods.value) == 3
    assert endpoint.open_shells == 0


def test_the_password_is_nowhere_in_the_options() -> None:
    from checker.secrets import Secret

    options = SessionOptions("h", 80, False, "/", "ntlm", "u", Secret("canary"), Path("x"), 1.0)
    assert "canary" not in repr(options)
