"""The protocols that Outlook speaks, without any I/O: bytes in, bytes out; no socket, no TLS, no clock.

    mapihttp        [MS-OXCMAPIHTTP]: PING, Connect, Disconnect, Bind, Unbind
    rpch            [MS-RPCH]: the echo of RPC over HTTP
    autodiscover    [MS-OXDSCLI]: the XML of Autodiscover, question and answer

What a server sent may be anything: each reader gives what it read, or a NotCollected that says what is wrong with it,
and never raises for it.
"""
