"""A file that somebody attached to an incident: what it is called, how large it is, and by which hash it is proven."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LARGEST = 10 * 2**20
"""Bytes of one file: a log or a photograph, no recording of a day."""
MOST_FILES = 50
"""Files of one incident."""
LONGEST_NAME = 120
"""Bytes of a cleaned name; with what is put before it, it stays below the 255 that a file system takes."""
LONGEST_ENDING = 16
NO_NAME = "file"
_ENDING = re.compile(rf"\.[A-Za-z0-9]{{1,{LONGEST_ENDING}}}$")
SHA256 = re.compile(r"[0-9a-f]{64}")
HASH_SHOWN = 12
"""Hexadecimal digits of the hash in the name under which a file is kept."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file, attached by the actor `by` at `at`; `n` from 1, `size` in bytes."""

    n: int
    at: datetime
    by: str
    name: str
    size: int
    sha256: str


def kept_name(incident: str, sha256: str, name: str) -> str:
    """Return the name under which a file of `incident` is kept: of the same file the same, of another another."""
    return f"{incident}-{sha256[:HASH_SHOWN]}-{name}"


def cleaned(name: str) -> str:
    """Return the name of a file without its folders and without what a shell, a terminal or a file system trips over.

    `cleaned(cleaned(name)) == cleaned(name)`, and it is never empty.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in last)
    kept = re.sub(r"_{2,}", "_", kept).strip("._-")
    if len(kept.encode()) <= LONGEST_NAME:
        return kept or NO_NAME
    found = _ENDING.search(kept)
    ending = found[0] if found is not None else ""
    stem = kept.removesuffix(ending).encode()[: LONGEST_NAME - len(ending)].decode(errors="ignore").rstrip("._-")
    return (stem or NO_NAME) + ending


def attached(n: int, at: datetime, by: str, data: Mapping[str, Any]) -> Attachment | None:
    """Return the file that an event's `data` tells of; None where it tells of none."""
    name, size, sha256 = data.get("name"), data.get("size"), data.get("sha256")
    if not isinstance(name, str) or not isinstance(size, int) or not isinstance(sha256, str):
        return None
    if name != cleaned(name) or SHA256.fullmatch(sha256) is None or not 0 < size <= LARGEST:
        return None
    return Attachment(n, at, by, name, size, sha256)
