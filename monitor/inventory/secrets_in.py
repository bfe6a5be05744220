"""Secrets of the inventory: by reference they are well, in clear they are not."""

from __future__ import annotations

import os
import re
from pathlib import Path

from monitor.core.text import say
from monitor.inventory.problems import Level, Place, Problems
from monitor.secret import Secret, expanded

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def anchored(secret: Secret, folder: Path) -> Secret:
    """Return `secret` with the path of a `file:` that is relative set below `folder`, as the inventory means it."""
    scheme, _, place = secret.reference.partition(":")
    if scheme != "file" or place.startswith(("/", "~")):
        return secret
    return Secret(f"file:{folder.absolute() / place}")


def look_at(secret: Secret, in_clear: Level | None, at: Place, where: str, problems: Problems) -> None:
    """Note a secret in clear (`in_clear`: how bad that is here) and a reference that leads nowhere; reads none."""
    scheme, _, place = secret.reference.partition(":")
    if not secret.by_reference:
        if in_clear is Level.ERROR:
            problems.error(at, where, say("this secret stands here in clear"), say("write env:NAME or file:PATH"))
        elif in_clear is Level.WARNING:
            problems.warn(at, where, say("this stands here in clear"), say("write env:NAME or file:PATH"))
    elif scheme == "env":
        if not _VARIABLE.fullmatch(place):
            problems.error(at, where, say("{name} is no name of an environment variable", name=place or '""'))
        elif place not in os.environ:
            problems.warn(at, where, say("environment variable {name} is not set", name=place))
        elif not os.environ[place]:
            problems.warn(at, where, say("environment variable {name} is empty", name=place))
    elif not place:
        problems.error(at, where, say("file: needs a path"))
    elif not _readable(place):
        problems.warn(at, where, say("the file {path} cannot be read by this user", path=place))


def _readable(place: str) -> bool:
    try:
        return os.access(expanded(place), os.R_OK)
    except ValueError:  # a NUL in it
        return False
