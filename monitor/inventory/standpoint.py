"""At which site a Relève stands, where both sites have the same inventory: what `releve run --site NAME` was told.

It is kept beside the state, so that every later command, a reload and a restart read the inventory from the same site.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from failover.model import SiteId
from monitor.core.text import Text, say
from monitor.inventory.model import Inventory

FILE = "site"
LONGEST = 256
"""Bytes of the file that are read: a name has 64 characters at most."""


class NotASite(Exception):
    """No Relève can stand there; `text` says why and where it could."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


def remembered(folder: Path) -> str:
    """Return the site that was kept in the data folder; empty for none: the inventory's `here` holds then.

    Raises NotASite when what is there cannot be read: the wrong site might take the other one's lease.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            return file.read(LONGEST).decode().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise NotASite(
            say("{path} does not say at which site this Relève stands: start it with --site NAME", path=str(path))
        ) from error


def remember(folder: Path, site: str) -> None:
    """Keep `site` in the data folder, whole or not at all. Raises OSError."""
    path = folder / FILE
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(f"{site}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def standing_at(inventory: Inventory, site: str) -> Inventory:
    """Return `inventory` as it is read at `site`; as it is, for an empty one. Raises NotASite."""
    if not site:
        return inventory
    known = inventory.continuity.sites
    able = [name for name, one in known.items() if not one.witness]
    if SiteId(site) in able:
        return replace(inventory, continuity=inventory.continuity.seen_from(SiteId(site)))
    if not able:
        raise NotASite(say("the inventory names no site {name}: it has none", name=site))
    names = ", ".join(able)
    raise NotASite(
        say("no Relève can stand at {name}; it can at: {names}. Start it with --site", name=site, names=names)
    )
