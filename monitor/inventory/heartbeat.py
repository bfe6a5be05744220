"""Signs of life: the one that Relève gives to a watcher of its own, and what jobs send to be believed."""

from __future__ import annotations

import ipaddress
import re

from monitor.core.text import say
from monitor.inventory.model import HeartbeatOut
from monitor.inventory.problems import Level, Place, Problems
from monitor.inventory.schema import HeartbeatKeys
from monitor.inventory.scope import Scope
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import TableNode, is_null
from monitor.secret import Secret
from probes.params import Params

_URL = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def heartbeat_out(scope: Scope) -> HeartbeatOut | None:
    """Return where Relève gives its own sign of life; None where it gives none, or what is wrong with it is noted."""
    entry = scope.tree.entries.get("heartbeat")
    if entry is None or is_null(entry.value):
        return None
    keys = shaped(HeartbeatKeys, entry.value, entry.at, "heartbeat", scope.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return None
    at, where = entry.value.entries["url"].value.at, "heartbeat.url"
    url = anchored(keys.url, scope.folder.root)
    look_at(url, Level.WARNING, at, where, scope.problems)
    if not url.by_reference and not _URL.fullmatch(url.reference):
        message = say("the address of a watcher starts with https:// or http://")
        scope.problems.error(at, where, message, say("write env:NAME or file:PATH"))
    if keys.source is not None:
        _look_at_source(keys.source, entry.value.entries["source"].value.at, scope.problems)
    return HeartbeatOut(url, keys.every, keys.source or "")


def _look_at_source(source: str, at: Place, problems: Problems) -> None:
    try:
        ipaddress.ip_address(source)
    except ValueError:
        message = say("{address} is no IP address", address=source)
        hint = say("write the address that this machine has on the other link")
        problems.error(at, "heartbeat.source", message, hint)


def with_secrets(params: Params, table: TableNode, where: str, scope: Scope) -> Params:
    """Return a check's `params` with the files of its secrets set below the inventory's folder; one in clear is noted.

    `table`: the check as it was written, at `where`.
    """
    found = {name: anchored(value, scope.folder.root) for name, value in params if isinstance(value, Secret)}
    for name, secret in found.items():
        look_at(secret, Level.ERROR, table.entries[name].value.at, f"{where}.{name}", scope.problems)
    return params.model_copy(update=found) if found else params
