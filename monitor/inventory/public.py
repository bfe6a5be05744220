"""What anybody may read of the service: `public:` of the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

from alerts.public_words import for_all, plain
from monitor.core.ids import NodeId
from monitor.core.text import say
from monitor.inventory.kinds import by_language
from monitor.inventory.model import Device, Inventory, Public, PublicBucket, PublicFolder, PublicPlace
from monitor.inventory.privacy import machines, people
from monitor.inventory.problems import Level
from monitor.inventory.repairs import look_at_path, reached_by_ssh
from monitor.inventory.schema import PublicKeys, PushKeys, S3Keys, SftpKeys
from monitor.inventory.scope import Scope
from monitor.inventory.secrets_in import anchored, look_at
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
) -> tuple[PublicPlace, ...]:
    """Return the places that can be reached; what is wrong with the others is noted."""
    found: list[PublicPlace] = []
    listed = table.get("push") if isinstance(table, TableNode) else None
    for n, (keys, node) in enumerate(zip(given, listed.items if isinstance(listed, ListNode) else (), strict=True)):
        where = f"public.push.{n}"
        if (keys.sftp is None) is (keys.s3 is None):
            message = say("exactly one of these is expected here: {names}", names="sftp, s3")
            scope.problems.error(node.at, where, message)
        sftp, s3 = (node.get(way) if isinstance(node, TableNode) else None for way in ("sftp", "s3"))
        place: PublicPlace | None = None
        if keys.sftp is not None and isinstance(sftp, TableNode):
            where = f"{where}.sftp"
            place = _folder(keys.sftp, sftp, where, scope, devices)
        elif keys.s3 is not None and isinstance(s3, TableNode):
            where = f"{where}.s3"
            place = _bucket(keys.s3, s3, where, scope)
        if place is not None and place in found:
            message = say("it is sent there already")
            scope.problems.error(node.at, where, message, say("leave this one out"))
        if place is not None:
            found.append(place)
    return tuple(found)


def _folder(
    keys: SftpKeys, table: TableNode, where: str, scope: Scope, devices: Mapping[NodeId, Device]
) -> PublicFolder | None:
    device = reached_by_ssh(table.get("device"), f"{where}.device", scope, devices)
    folder = as_sftp(keys.folder)
    look_at_path(folder, table.get("folder"), f"{where}.folder", scope)
    return None if device is None else PublicFolder(device, folder)


def _bucket(keys: S3Keys, table: TableNode, where: str, scope: Scope) -> PublicBucket:
    at = table.entries["bucket"].at
    if find_spec("s3fs") is None:
        message = say("what speaks with S3 is not installed: {package}", package="s3fs")
        scope.problems.error(
            at, where, message, say("install Relève with its extra: {command}", command="pip install '.[s3]'")
        )
    for name, secret in (("key", keys.key), ("secret", keys.secret)):
        held = anchored(secret, scope.folder.root)
        look_at(held, Level.ERROR, table.entries[name].value.at, f"{where}.{name}", scope.problems)
    if keys.url is not None and not _is_safe(keys.url):
        message = say("{url} is no address of a store: https://, without a path", url=keys.url)
        hint = say("without TLS anybody on the way can change what the public reads; http:// is for this machine alone")
        scope.problems.error(table.entries["url"].value.at, f"{where}.url", message, hint)
    prefix = (keys.folder or "").strip("/")
    return PublicBucket(
        keys.bucket,
        anchored(keys.key, scope.folder.root),
        anchored(keys.secret, scope.folder.root),
        f"{prefix}/" if prefix else "",
        keys.url or "",
        keys.region,
    )


def _is_safe(url: str) -> bool:
    """Whether it is an https address of a host alone, or one of this machine."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))


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
