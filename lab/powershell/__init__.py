"""Remote PowerShell of one Exchange server, on loopback: WSMan and PSRP as /PowerShell/ speaks them.

An independent peer: its protocol comes from the specifications and psrpcore's server side, its objects from a writer of
its own, its cmdlets from the scenario.

    start_endpoint     the way in
    service            HTTP, sign-in, WSMan, injected faults
    runspace           PSRP: pools, pipelines, what waits to be received
    cmdlet             the protocol of cmdlets, and binding
    cmdlets, objects   the cmdlets of a scenario and what they put out, recorded output included
    server_cmdlets     those about one server at a time, and about sign-in
    iis_cmdlets        virtual directories as Active Directory has them, and as IIS has them
    mailbox_cmdlets    those about mailboxes and their users
    problems           error records and WSMan faults
    clixml, replay     objects written anew, objects as recorded
    soap, encryption, web, faults, loop
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.powershell.cmdlet import Cmdlets
from lab.powershell.loop import BackgroundLoop
from lab.powershell.service import Endpoint, Seen, Settings
from lab.scenario import Certificate, Scenario, Server

__all__ = ["BackgroundLoop", "Endpoint", "Seen", "start_endpoint"]


def start_endpoint(
    scenario: Scenario,
    server: Server,
    *,
    tls: ssl.SSLContext | None = None,
    certificate: bytes | None = None,
    challenges: tuple[str, ...] | None = None,
    replay: Mapping[str, Path] | None = None,
    cmdlets: Cmdlets | None = None,
    around: Callable[[Cmdlets], Cmdlets] | None = None,
    served: Callable[[Certificate], bytes] | None = None,
    faults: Sequence[str] = (),
    request_latency: float = 0.0,
    cmdlet_latency: Mapping[str, float] | float = 0.0,
    loop: BackgroundLoop | None = None,
) -> Endpoint:
    """Start the endpoint of one server, on ephemeral ports of 127.0.0.1.

    Args:
        scenario: what the organisation is like; its PowerShell settings say who may sign in, and how.
        server: which of its servers answers; its build decides which cmdlets and properties there are.
        tls: the TLS settings of the https listener; without them there is none.
        certificate: the served certificate (DER); given, NTLM over https must be bound to it.
        challenges: what a 401 offers instead of what follows from the scenario, such as ("Kerberos",).
        replay: recorded Export-Clixml files that answer for cmdlets, by the cmdlet's name.
        cmdlets: other cmdlets than the scenario's.
        around: puts something between the endpoint and its cmdlets, such as one of them that answers otherwise.
        served: the certificate (DER) that a server presents for a description; without it no cmdlet tells certificates.
        faults: what goes wrong on the way (`lab.powershell.faults`), such as "receive:2:drop".
        request_latency: seconds that every request takes.
        cmdlet_latency: seconds that every cmdlet takes, or by name.
        loop: a loop shared with other servers, which then is not stopped with this one.

    Raises:
        ValueError: a fault cannot be read, or a password cannot be used for NTLM.
    """
    from lab.powershell.cmdlets import ScenarioCmdlets, with_replay
    from lab.powershell.iis_cmdlets import IisCmdlets
    from lab.powershell.mailbox_cmdlets import MailboxCmdlets
    from lab.powershell.server_cmdlets import ServerCmdlets

    if cmdlets is None:
        cmdlets = IisCmdlets(scenario, server, ScenarioCmdlets(scenario, server))
        cmdlets = MailboxCmdlets(scenario, server, ServerCmdlets(scenario, server, cmdlets, served))
    settings = Settings(
        server=server,
        powershell=scenario.powershell,
        domain=scenario.organisation.domain,
        cmdlets=with_replay(around(cmdlets) if around is not None else cmdlets, replay or {}),
        tls=tls,
        certificate=certificate,
        challenges=challenges,
        faults=tuple(faults),
        request_latency=request_latency,
        cmdlet_latency=cmdlet_latency,
    )
    endpoint = Endpoint(settings, loop)
    endpoint.start()
    return endpoint
