"""What Relève may repair: runbooks, folders of recordings, whether it acts at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import N_, say
from monitor.inventory.model import Automation, Check, Device, Kind
from monitor.inventory.problems import NOTHING, Level, Place, nearest
from monitor.inventory.schema import AutomationKeys, RecordingsKeys
from monitor.inventory.scope import Scope, look_at_name, names_in, refer
from monitor.inventory.secrets_in import look_at as look_at_secret
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import ListNode, Node, ScalarNode, TableNode, read
from probes.contract import Target
from runbooks.book import Book, BookKeys, library
from runbooks.contract import CheckOf, Recordings, Site, Step, StepFailed, StepParams, Subject
from runbooks.paths import as_sftp
from runbooks.registry import UnknownStep
from runbooks.registry import load as load_step

OWN_FOLDER = "runbooks"
"""Where the runbooks of a site's own lie unless the inventory names another folder."""
SERVICE = "service"
BITS = 8
MIRROR_STILL = timedelta(seconds=2)
"""Servers give times in whole seconds: a file that changes once more within the second of its last change, after it was
copied, would look as it did before."""


def automation(scope: Scope) -> Automation:
    """Return what Relève may do by itself: nothing but saying so, unless the inventory allows more."""
    entry = scope.tree.entries.get("automation")
    if entry is None or getattr(entry.value, "value", "") is None:
        return Automation()
    keys = shaped(AutomationKeys, entry.value, entry.at, "automation", scope.problems)
    if keys is None:
        return Automation()
    return Automation(keys.live, keys.per_device or Automation().per_device)


def books(scope: Scope) -> dict[str, Book]:
    """Return every runbook by name; one of the site's own goes before one of the same name that came with Relève."""
    found = dict(library())
    own: dict[str, Path] = {}
    for path, at in _files(scope):
        raw = scope.folder.bytes_of(path, at, "automation.runbooks")
        node = None if raw is None else read(str(path), raw, scope.problems)
        book = None if node is None else _book(node, scope)
        if book is None:
            continue
        if book.name in own:
            message = say("the runbook {name} stands in {path} already", name=book.name, path=str(own[book.name]))
            scope.problems.error(Place(str(path)), "runbook", message, say("rename one of the two"))
        own[book.name], found[book.name] = path, book
    return found


def _files(scope: Scope) -> list[tuple[Path, Place]]:
    """The files of the site's own runbooks, each with the place that named its folder."""
    root = scope.folder.root
    entry = scope.tree.entries.get("automation")
    node = entry.value.get("runbooks") if entry is not None and isinstance(entry.value, TableNode) else None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return [(path, Place(str(path))) for path in sorted((root / OWN_FOLDER).glob("*.yaml"))]
    folder = scope.folder.path_for(node.value, node.at.path)
    where = "automation.runbooks"
    if folder is None:
        message = say("{path} lies outside the inventory's folder", path=node.value)
        scope.problems.error(node.at, where, message, say("keep the runbooks beside or below the inventory"))
        return []
    if not folder.is_dir():
        scope.problems.error(node.at, where, say("{path} is no folder", path=str(folder)))
        return []
    return [(path, node.at) for path in sorted(folder.glob("*.yaml"))]


def _book(node: Node, scope: Scope) -> Book | None:
    before = scope.problems.errors
    keys = shaped(BookKeys, node, node.at, "runbook", scope.problems)
    if keys is not None:
        look_at_name(keys.runbook, node.at, "runbook", scope.problems)
    steps = node.get("steps") if isinstance(node, TableNode) else None
    if isinstance(steps, ListNode):
        for n, step in enumerate(steps.items, 1):
            read_step(step, f"runbook.steps.{n}", scope)
    return Book(keys) if keys is not None and scope.problems.errors == before else None


def read_step(step: Node, where: str, scope: Scope) -> tuple[Step[StepParams], StepParams] | None:
    """Return the kind of step and its keys; None when something is wrong with them, which is noted."""
    kind = step.get("step") if isinstance(step, TableNode) else None
    if not isinstance(step, TableNode) or not isinstance(kind, ScalarNode) or not isinstance(kind.value, str):
        return None  # what is missing here was noted with the keys of what holds it
    try:
        found = load_step(kind.value)
    except UnknownStep as error:
        message = say("there is no step {name}", name=kind.value)
        scope.problems.error(kind.at, f"{where}.step", message, nearest(kind.value, error.known))
        return None
    own = {key: entry for key, entry in step.entries.items() if key != "step"}
    params = shaped(found.Params, TableNode(step.at, own), step.at, where, scope.problems)
    for name, secret in {} if params is None else params.secrets().items():
        look_at_secret(secret, Level.ERROR, step.at, f"{where}.{name}", scope.problems)
    if "to" in found.Params.model_fields:
        contacts = {**scope.sections["contacts"], **scope.sections["rota"]}
        refer(step.get("to"), contacts, f"{where}.to", N_("there is no contact {name}"), scope.problems)
        for word in names_in(step.get("to")):
            if word.text in _clients(scope):
                message = say("{name} reads for the client, whom the protocol alone tells", name=word.text)
                scope.problems.error(word.at, f"{where}.to", message, say("name our own people, or leave it out"))
    return None if params is None else (found, params)


def _clients(scope: Scope) -> set[str]:
    """The contacts to whom the protocol writes and operations do not: what runbooks say holds hosts and addresses."""
    protocol, operations = scope.tree.get("protocol"), scope.tree.get("operations")
    steps = [entry.value for entry in protocol.entries.values()] if isinstance(protocol, TableNode) else []
    told = {word.text for step in steps if isinstance(step, TableNode) for word in names_in(step.get("to"))}
    own = operations.get("to") if isinstance(operations, TableNode) else None
    return told - {word.text for word in names_in(own)}


def recordings(scope: Scope, devices: Mapping[NodeId, Device]) -> dict[str, Recordings]:
    """Return the folders of recordings that are right; what is wrong with the others is noted."""
    found: dict[str, Recordings] = {}
    for name, entry in scope.sections["recordings"].items():
        where, table = f"recordings.{name}", entry.value
        keys = shaped(RecordingsKeys, table, entry.at, where, scope.problems)
        if not isinstance(table, TableNode):
            continue
        archive = table.get("archive")
        source = reached_by_ssh(table.get("device"), f"{where}.device", scope, devices)
        inner = archive.get("device") if isinstance(archive, TableNode) else None
        copies = reached_by_ssh(inner, f"{where}.archive.device", scope, devices)
        if keys is None or source is None or copies is None:
            continue
        folder, archived = as_sftp(keys.folder), as_sftp(keys.archive.folder)
        _look_at_folders(source, folder, copies, archived, table, where, scope)
        usual = Recordings(name, source, folder, copies, archived)
        found[name] = Recordings(
            id=name,
            device=source,
            folder=folder,
            archive=copies,
            archive_folder=archived,
            match=keys.match or usual.match,
            keep=usual.keep if keys.keep is None else keys.keep,
            every=keys.every or usual.every,
            closed_after=keys.closed_after or usual.closed_after,
            rate=None if keys.rate is None else keys.rate / BITS,
            mirror=keys.mirror,
        )
        _look_at_mirror(keys, found[name], table, where, scope)
    return found


def _look_at_mirror(keys: RecordingsKeys, made: Recordings, table: TableNode, where: str, scope: Scope) -> None:
    """Note what cannot hold of mirrored files: they are kept for ever, and must stand still before they are copied."""
    if not keys.mirror:
        return
    if keys.keep is not None:
        message = say("what is mirrored is never deleted, so that {key} has no meaning", key="keep")
        scope.problems.error(table.entries["keep"].at, f"{where}.keep", message, say("leave it out"))
    if made.closed_after < MIRROR_STILL:
        message = say("{span} are too short: a file may change twice within a second", span=made.closed_after)
        at = table.entries["closed_after"].value.at
        scope.problems.error(at, f"{where}.closed_after", message, say("write at least {span}", span=MIRROR_STILL))


def reached_by_ssh(node: Node | None, where: str, scope: Scope, devices: Mapping[NodeId, Device]) -> Target | None:
    """Return the device that is named, if files can be moved to and from it."""
    refer(node, scope.devices, where, N_("there is no device {name}"), scope.problems)
    if not isinstance(node, ScalarNode) or NodeId(node.text) not in devices:
        return None
    target = devices[NodeId(node.text)].target
    if "ssh" not in target.access:
        message = say("{device} has no ssh:, so that no file can be moved", device=node.text)
        scope.problems.error(node.at, where, message, say("give it under devices.{device}", device=node.text))
        return None
    return target


def _look_at_folders(
    source: Target, folder: str, copies: Target, archived: str, table: TableNode, where: str, scope: Scope
) -> None:
    for key, path, at in (("folder", folder, table), ("archive.folder", archived, table.get("archive"))):
        look_at_path(path, at.get("folder") if isinstance(at, TableNode) else None, f"{where}.{key}", scope)
    if in_one_place(source, folder, copies, archived):
        message = say("the archive lies in the folder of the recordings, or that in the archive")
        scope.problems.error(table.at, where, message, say("an archive is another disk, better another machine"))


def look_at_path(path: str, node: Node | None, where: str, scope: Scope) -> None:
    """Note a folder that is not named from the root: below what it lies depends on who asks."""
    if node is not None and not path.startswith("/"):
        message = say("{path} is no full path", path=path)
        scope.problems.error(node.at, where, message, say("write it from the root, or from the drive"))


def in_one_place(one: Target, folder: str, other: Target, inner: str) -> bool:
    """Return whether `folder` at `one` and `inner` at `other` are one folder, or one of them lies in the other."""
    return one.address == other.address and _port(one) == _port(other) and _nested(folder, inner)


def _port(target: Target) -> int:
    return int(getattr(target.access["ssh"], "port", 0))


def _nested(one: str, other: str) -> bool:
    first, second = (f"{path.rstrip('/').lower()}/" for path in (one, other))
    return first.startswith(second) or second.startswith(first)


def actionable(
    checks: Mapping[CheckId, Check], devices: Mapping[NodeId, Device], folders: Mapping[str, Recordings]
) -> Site:
    """Return what runbooks may act on. The order in which services start is what is left of needs without the others.

    A service that needs a web page which needs a database starts behind the database.
    """
    return Site(
        {
            check.id: CheckOf(
                check.id, check.probe, check.node, check.target, check.params, _services_before(check, checks)
            )
            for check in checks.values()
        },
        {device.id: device.target for device in devices.values()},
        folders,
    )


def _services_before(check: Check, checks: Mapping[CheckId, Check]) -> tuple[CheckId, ...]:
    """The checks of services that `check`, one of a service itself, needs at once or through checks that are none."""
    if check.probe != SERVICE:
        return ()
    found: dict[CheckId, None] = {}
    seen, waiting = {check.id}, list(reversed(check.needs))
    while waiting:
        name = waiting.pop()
        if name in seen or name not in checks:
            continue
        seen.add(name)
        if checks[name].probe == SERVICE:
            found[name] = None
        else:
            waiting += reversed(checks[name].needs)
    return tuple(found)


def look_at_runbooks(
    scope: Scope, kinds: Mapping[str, Kind], known: Mapping[str, Book], site: Site, checks: Mapping[CheckId, Check]
) -> None:
    """Warn of a runbook that could do nothing about a check of its kind, and say why.

    Not while there are errors: what is left out because of them would be missed here once more.
    """
    if scope.problems.fatal:
        return
    for name, entry in scope.sections["incidents"].items():
        kind, table = kinds.get(name), entry.value
        node = table.get("runbook") if isinstance(table, TableNode) else None
        book = None if kind is None else known.get(kind.runbook)
        if node is None or book is None:
            continue
        for check in checks.values():
            if check.kind != name:
                continue
            try:
                book.plan(Subject(check.id, site))
            except StepFailed as error:
                message = say(
                    "{runbook} can do nothing about {check}: {why}", runbook=book.name, check=check.id, why=error.text
                )
                scope.problems.warn(node.at, f"incidents.{name}.runbook", message, error.remedy or NOTHING)
