"""Relève's own state at the other site: `peer:` of the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from failover.model import Site, SiteId
from monitor.core.text import say
from monitor.inventory.model import Peer
from monitor.inventory.problems import Level
from monitor.inventory.schema import PeerKeys
from monitor.inventory.scope import Scope
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import TableNode, is_null


def peer(scope: Scope, places: Mapping[SiteId, Site]) -> Peer | None:
    """Return how the two Relèves know each other; None where there is no other, or what is wrong with it is noted."""
    entry = scope.tree.entries.get("peer")
    if entry is None or is_null(entry.value):
        return None
    keys = shaped(PeerKeys, entry.value, entry.at, "peer", scope.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return None
    held = {}
    for name in ("ca", "cert", "key"):
        held[name] = anchored(getattr(keys, name), scope.folder.root)
        look_at(held[name], Level.ERROR, entry.value.entries[name].value.at, f"peer.{name}", scope.problems)
    usual = Peer(held["ca"], held["cert"], held["key"])
    read = replace(usual, warning=keys.warning or usual.warning, critical=keys.critical or usual.critical)
    if read.warning >= read.critical:
        at = next(entry.value.entries[key].value.at for key in ("critical", "warning") if key in entry.value.entries)
        message = say("a lag of {lag} is critical here before it is a warning", lag=read.critical)
        scope.problems.error(at, "peer.critical", message, say("let critical be the longer of the two"))
    _look_at_sites(scope, places)
    return read


def _look_at_sites(scope: Scope, places: Mapping[SiteId, Site]) -> None:
    """Exactly two Relèves know each other, each by the address at which the other reaches it."""
    if len(places) < len(scope.sections["sites"]):
        return  # what is wrong with one of them was told
    standing = [site for site in places.values() if site.releve]
    if len(standing) == 2 and any(site.here for site in standing):
        return
    message = say(
        "Relève's state goes from one site to one other; sites with an address of theirs: {count}", count=len(standing)
    )
    hint = say("write releve: https://HOST:PORT at the two sites, also at the one where this Relève stands")
    scope.problems.error(scope.tree.entries["peer"].at, "peer", message, hint)
