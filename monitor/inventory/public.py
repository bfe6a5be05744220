"""What anybody may read of the service: `public:` of the inventory."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.public_words import for_all, plain
from monitor.core.ids import NodeId
from monitor.core.text import say
from monitor.inventory.kinds import by_language
from monitor.inventory.model import Device, Inventory, Public, PublicFolder
from monitor.inventory.privacy import machines, people
from monitor.inventory.repairs import look_at_path, reached_by_ssh
from monitor.inventory.schema import PublicKeys, PushKeys
from monitor.inventory.scope import Scope
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, ListNode, Node, ScalarNode, TableNode, is_null
from runbooks.paths import as_sftp


def public(scope: Scope, devices: Mapping[NodeId, Device]) -> Public:
    """Return what `public:` says; what is wrong with it is noted."""
    usual, entry = Public(), scope.tree.entries.get("public")
    if entry is None or is_null(entry.value):
        return usual
    keys = shaped(PublicKeys, entry.value, entry.at, "public", scope.problems)
    if keys is None:
        return usual
    live = scope.tree.get("protocol")
    live = live.get("live") if isinstance(live, TableNode) else None
    if (keys.serve or keys.push) and isinstance(live, ScalarNode) and live.value is False:
        message = say("while the protocol is a rehearsal, the public reads only that the page is being tried out")
        scope.problems.warn(entry.at, "public", message, say("write live: true under protocol: when it is in force"))
    return Public(
        titles=by_language(keys.title),
        serve=keys.serve,
        push=() if keys.push is None else _push(keys.push, entry.value, scope, devices),
        every=keys.every or usual.every,
        degraded_below=usual.degraded_below if keys.degraded_below is None else keys.degraded_below / 100,
    )


def _push(
    given: list[PushKeys], table: Node, scope: Scope, devices: Mapping[NodeId, Device]
) -> tuple[PublicFolder, ...]:
    """Return the folders that can be reached; what is wrong with the others is noted."""
    found: list[PublicFolder] = []
    listed = table.get("push") if isinstance(table, TableNode) else None
    for n, (keys, node) in enumerate(zip(given, listed.items if isinstance(listed, ListNode) else (), strict=True)):
        where, inner = f"public.push.{n}.sftp", node.get("sftp") if isinstance(node, TableNode) else None
        if not isinstance(inner, TableNode):
            continue
        device = reached_by_ssh(inner.get("device"), f"{where}.device", scope, devices)
        folder = as_sftp(keys.sftp.folder)
        look_at_path(folder, inner.get("folder"), f"{where}.folder", scope)
        if device is None:
            continue
        place = PublicFolder(device, folder)
        if place in found:
            message = say("it is sent there already")
            scope.problems.error(node.at, where, message, say("leave this one out"))
        found.append(place)
    return tuple(found)


def look_at_titles(scope: Scope, inventory: Inventory) -> None:
    """Warn of each title of a service or an incident kind of which strangers would read a part only."""
    if "public" not in scope.tree.entries or is_null(scope.tree.entries["public"].value):
        return
    names = machines(inventory) | people(inventory)
    for section in ("services", "incidents"):
        for name, entry in scope.sections[section].items():
            for node in _titles(entry):
                shown = for_all(node.text, names)
                if shown != plain(node.text):
                    message = say(
                        "this names a machine, an address or a contact; the public reads {shown}", shown=shown
                    )
                    hint = say("choose words that name none")
                    scope.problems.warn(node.at, f"{section}.{name}.title", message, hint)


def _titles(entry: Entry) -> list[ScalarNode]:
    title = entry.value.get("title") if isinstance(entry.value, TableNode) else None
    nodes: list[Node | None] = [title]
    if isinstance(title, TableNode):
        nodes = [inner.value for inner in title.entries.values()]
    return [node for node in nodes if isinstance(node, ScalarNode) and isinstance(node.value, str)]
