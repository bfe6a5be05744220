"""Whose the copy of the other site's state is, and whether it was found damaged: kept beside it.

A database that is damaged may no longer say whose it was, and who does not know that a newer state was here would go
on with an older one as if nothing had been lost.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.store import feed
from monitor.store.errors import translated
from monitor.store.feed import Standing
from monitor.store.folder import CURRENT, TAKING, written

CONDITION = "condition"
"""The file, in the folder of the copies."""
_MOST_BYTES = 8192
_MOST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of the copy in the folder `copy`: whose it is, and what was found damaged (None: nothing).

    `standing` is None where it was damaged before anybody had read whose it is.
    """

    copy: str
    standing: Standing | None
    damaged: str | None = None


LOST = "its files are gone"
"""What is said of a copy that somebody deleted to make room, or the check of a file system took away."""


def condition_of(folder: Path, copy: str) -> Condition | None:
    """Return what is known of `copy` in `folder`; None where nothing is, or what is written there is none.

    Raises StoreError.
    """
    known = _noted(folder)
    return known if known is not None and known.copy == copy else None


def lost(folder: Path) -> Condition | None:
    """Return whose the copy was that is named as the one in force in `folder`, though there is none; None for none.

    Nobody goes on with something older in its place as if nothing newer had ever come. Raises StoreError.
    """
    with translated(folder):
        if (folder / TAKING).exists() or not (folder / CURRENT).exists():
            return None  # it is where it belongs, or there never was one
    known = _noted(folder)
    return replace(known, damaged=LOST) if known is not None else None


def _noted(folder: Path) -> Condition | None:
    path = folder / CONDITION
    with translated(path):
        try:
            with path.open("rb") as file:
                body = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None
    with suppress(KeyError, TypeError, ValueError):
        data = json.loads(body)
        standing, damaged = data["standing"], data["damaged"]
        known = None if standing is None else feed.standing_from_json(standing)
        if isinstance(data["copy"], str) and (damaged is None or isinstance(damaged, str)):
            return Condition(data["copy"], known, damaged)
    return None


def note(folder: Path, condition: Condition) -> None:
    """Write `condition` down, on the disk when this returns. Raises StoreError."""
    standing, damaged = condition.standing, condition.damaged
    data = {
        "copy": condition.copy,
        "standing": None if standing is None else feed.standing_to_json(standing),
        "damaged": None if damaged is None else damaged[:_MOST_WORDS],
    }
    with translated(folder / CONDITION):
        written(folder / CONDITION, json.dumps(data).encode())
