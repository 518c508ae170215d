"""The facts: plain frozen dataclasses, and the functions that make them from answers.

A fact function asks through the protocols CmdletRunner and Network, which it is handed; nothing here opens a
connection, reads a file or a clock.
"""
