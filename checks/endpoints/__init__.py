"""Checks on what answers by name: the connection, /mapi and /rpc, as Outlook would meet them."""
