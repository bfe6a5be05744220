"""Who the other Relève is, what it is sent besides the state, and what the age of its copy means."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from failover.model import Site, SiteId
from monitor.core.text import Quantity, Text, say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.daemon.peer_door import Listening
from monitor.daemon.peer_line import Destination
from monitor.daemon.peer_tls import Identity
from monitor.inventory.model import Inventory, Peer
from monitor.store.errors import translated
from monitor.store.folder import written
from monitor.store.replica import INVENTORY
from monitor.store.whose import superseded

EVERYWHERE = "0.0.0.0"  # noqa: S104 - nobody gets as far as a request without a certificate


def ends(inventory: Inventory) -> tuple[Site, Site] | None:
    """Return the sites of this Relève and of the other one; None where there is no other."""
    here = inventory.continuity.here
    others = [site for site in inventory.continuity.sites.values() if site.releve and site is not here]
    if inventory.peer is None or here is None or not here.releve or len(others) != 1:
        return None
    return here, others[0]


def is_passive(inventory: Inventory, data: Path) -> bool:
    """Return whether the Relève at the other site goes on with the state: its copy in `data` is newer than our own.

    Raises StoreError.
    """
    return ends(inventory) is not None and superseded(data)


def other_end(inventory: Inventory) -> tuple[SiteId, Destination] | None:
    """Return the other site and its Relève; None where there is none."""
    both, to = ends(inventory), destination(inventory)
    return None if both is None or to is None else (both[1].id, to)


def destination(inventory: Inventory) -> Destination | None:
    """Return to whom the state goes; None where it goes to nobody."""
    both = ends(inventory)
    if both is None or inventory.peer is None:
        return None
    return Destination(both[1].releve, _identity(inventory.peer))


def listening(inventory: Inventory) -> Listening | None:
    """Return where the state of the other one is received; None where it is not."""
    both = ends(inventory)
    if both is None or inventory.peer is None:
        return None
    here, other = urlsplit(both[0].releve), urlsplit(both[1].releve)
    host = "::" if ":" in (here.hostname or "") else EVERYWHERE
    return Listening(host, here.port or 443, _identity(inventory.peer), other.hostname or "")


def _identity(peer: Peer) -> Identity:
    return Identity(peer.ca, peer.cert, peer.key)


def peer_verdict(lag: timedelta, trouble: Text | None, peer: Peer) -> Verdict:
    """Return what it means that the other Relève has everything up to `lag` ago. `trouble`: why it gets no further."""
    metric = Metric("lag", round(lag.total_seconds(), 1), "s")
    if lag < peer.warning:
        return Verdict(Severity.OK, say("The Relève at the other site has our state"), (metric,))
    severity = Severity.WARNING if lag < peer.critical else Severity.CRITICAL
    text = say(
        "The Relève at the other site has our state up to {lag} ago; if this one is lost now, it does not know what "
        "happened since: {why}",
        lag=Quantity(round(lag.total_seconds()), "s"),
        why=trouble if trouble is not None else say("the line is too slow"),
    )
    return Verdict(severity, text, (metric,))


def inventory_file(inventory: Inventory) -> bytes:
    """Return the inventory in force as the one file that goes over. It holds secrets by reference only."""
    files = {name: base64.b64encode(raw).decode() for name, raw in sorted(inventory.files.items())}
    return json.dumps({"version": inventory.version, "main": inventory.path.name, "files": files}).encode()


def unfolded(folder: Path) -> Path | None:
    """Write out the inventory that came into the state `folder`; return the path of its file, None if none came.

    Raises StoreError.
    """
    with translated(folder):
        try:
            came = json.loads((folder / INVENTORY).read_bytes())
            main = str(came["main"])
            files = {str(name): base64.b64decode(raw, validate=True) for name, raw in came["files"].items()}
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        if main not in files or not all(map(_stays_below, files)):
            return None
        root = folder / "inventory"
        for name, raw in files.items():
            path = root / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            written(path, raw)
        return root / main


def _stays_below(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not name.startswith("/") and "\0" not in name
