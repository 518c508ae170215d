"""An Exchange organisation on loopback: real servers and real sockets, to demonstrate on and to test against.

It knows Exchange. It knows neither the tool that audits it, nor what that tool should find.

    lab.scenario       what the organisation looks like (TOML -> frozen data)
    lab.faults         what may be wrong with it, by name (Scenario -> Scenario)
    lab.pki            its certificate authority and its certificates
    lab.iis            the web site of one server, and who signs in at it
    lab.authentication the sign-in of one connection: Negotiate, NTLM, Basic, Bearer, Extended Protection
    lab.ntlm           NTLM by itself
    lab.mapi           MAPI over HTTP, once somebody has signed in
    lab.rpc            RPC over HTTP
    lab.autodiscover   Autodiscover
    lab.balancer       what stands behind a name: a layer 4 balancer, or a reverse proxy
    lab.dns            its DNS server
    lab.powershell     remote PowerShell of one server
    lab.organisation   starts and stops all of it

`python -m lab --scenario healthy` runs one until its standard input ends.
"""
