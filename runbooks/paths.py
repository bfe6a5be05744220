r"""Paths of folders as SFTP names them (`/D:/Audio` for Win32-OpenSSH), and as the people of that machine do."""

from __future__ import annotations

import re

WINDOWS_DRIVE = re.compile(r"/[A-Za-z]:(/|$)")
"""How Win32-OpenSSH names a folder."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def as_sftp(path: str) -> str:
    r"""Return a path as SFTP names it: `D:\Audio` is `/D:/Audio` (Win32-OpenSSH); others as they stand."""
    if _DRIVE.match(path):
        path = "/" + path.replace("\\", "/")
    return path.rstrip("/") or "/"


def shown_path(path: str) -> str:
    r"""Return a path of SFTP as people write it: `/D:/Audio` is `D:\Audio`; others as they stand."""
    return path[1:].replace("/", "\\") if WINDOWS_DRIVE.match(path) else path
