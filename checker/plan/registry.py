"""The registry files that keep one user's Outlook on RPC over HTTP, and let it go again. For tests only."""

from __future__ import annotations

import codecs

__all__ = ["FILES", "registry_file"]

FILES = {"MapiHttpDisabled-1.reg": 1, "MapiHttpDisabled-0.reg": 0}
"""The files, and the value that each sets (KB 2937684)."""

_KEY = "HKEY_CURRENT_USER\\Software\\Microsoft\\Exchange"


def registry_file(value: int) -> bytes:
    """A file as regedit exports and reads it: UTF-16, little endian, with its mark, and CRLF."""
    lines = ("Windows Registry Editor Version 5.00", "", f"[{_KEY}]", f'"MapiHttpDisabled"=dword:{value:08x}', "", "")
    return codecs.BOM_UTF16_LE + "\r\n".join(lines).encode("utf-16-le")
