"""The files of an inventory: the one that was named and those that it includes, as one tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from monitor.core.reasons import reason
from monitor.core.text import say
from monitor.inventory.problems import NOTHING, Place, Problems, nearest
from monitor.inventory.schema import SECTIONS, InventoryKeys
from monitor.inventory.yaml_nodes import MAX_BYTES, Entry, ListNode, Node, ScalarNode, TableNode, is_null, read

MAX_FILES = 200
"""Files of one inventory, included ones and CSV."""
MAIN = "file"
"""Where a problem of the inventory's own file stands; whoever names that file may name a pipe."""


@dataclass(slots=True)
class Folder:
    """Reads the files of one inventory, all of which lie in or below `root`; remembers what it read."""

    root: Path
    problems: Problems
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """A hash of all that was read: 12 hexadecimal digits."""
        sums = [sha256(raw).digest() for raw in self.contents.values()]
        return sha256(b"".join(sums)).hexdigest()[:12]

    @property
    def named(self) -> dict[str, bytes]:
        """What was read, by its name below the root; what lies elsewhere, through a link, is left out."""
        root = os.path.realpath(self.root)
        found = {os.path.relpath(path, root): raw for path, raw in self.contents.items()}
        return {name: raw for name, raw in found.items() if not name.startswith("..")}

    def path_for(self, written: str, beside: str) -> Path | None:
        """Return the path of `written`, relative to the file `beside`; None when it leads out of the root."""
        path = Path(os.path.normpath(Path(beside).parent / written))
        return path if path.absolute().is_relative_to(os.path.abspath(self.root)) else None  # noqa: PTH100

    def knows(self, path: Path) -> bool:
        """Return whether the file was read before."""
        return os.path.realpath(path) in self.contents

    def bytes_of(self, path: Path, named_at: Place, where: str) -> bytes | None:
        """Return what is in the file; None when it cannot be read or is one too many."""
        key = os.path.realpath(path)
        if key in self.contents:
            return self.contents[key]
        if len(self.contents) >= MAX_FILES:
            message = say("too many files: an inventory has at most {limit}", limit=MAX_FILES)
            self.problems.error(named_at, where, message)
            return None
        if where != MAIN and path.exists() and not path.is_file():  # a pipe would be waited for without end
            self.problems.error(named_at, where, say("{path} is not a plain file", path=str(path)))
            return None
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            self.problems.error(named_at, where, say("cannot read {path}: {why}", path=str(path), why=reason(error)))
            return None
        self.contents[key] = raw
        return raw


def gathered(path: Path, folder: Folder) -> TableNode | None:
    """Return the whole inventory as one tree; None when the file `path` is not one."""
    problems, here = folder.problems, Place(str(path))
    raw = folder.bytes_of(path, here, MAIN)
    if raw is None:
        return None
    root = _table(str(path), raw, problems)
    if root is None:
        return None
    if not root.entries:
        problems.error(here, "file", say("the file is empty"), say("at least site: {{name: ...}} is needed"))
    tree = TableNode(root.at)
    for table in _with_included(root, folder):
        tree = _joined(tree, table, problems)
    return tree


def _table(path: str, raw: bytes, problems: Problems) -> TableNode | None:
    quiet = problems.count
    node = read(path, raw, problems)
    if isinstance(node, TableNode):
        return node
    if node is None and problems.count > quiet:
        return None
    if node is None or is_null(node):
        return TableNode(Place(path))
    problems.error(node.at, "file", say("the file is no table of keys"), say("it starts with a key such as site:"))
    return None


def _with_included(table: TableNode, folder: Folder) -> Iterator[TableNode]:
    """Yield `table` and, behind it, what it includes, and so on; each file once."""
    yield table
    for pattern, at in _patterns(table, folder.problems):
        for path in _matches(pattern, at, folder):
            raw = None if folder.knows(path) else folder.bytes_of(path, at, "include")
            included = None if raw is None else _table(str(path), raw, folder.problems)
            if included is not None:
                yield from _with_included(included, folder)


def _patterns(table: TableNode, problems: Problems) -> Iterator[tuple[str, Place]]:
    node = table.get("include")
    items: tuple[Node, ...] = node.items if isinstance(node, ListNode) else () if node is None else (node,)
    for item in items:
        if isinstance(item, ScalarNode) and isinstance(item.value, str) and item.value:
            yield item.value, item.at
        elif not (isinstance(item, ScalarNode) and item.value is None):
            problems.error(item.at, "include", say("the name of a file is expected here"))


def _matches(pattern: str, at: Place, folder: Folder) -> list[Path]:
    target = folder.path_for(pattern, at.path)
    if target is None:
        message = say("{path} lies outside the inventory's folder", path=pattern)
        folder.problems.error(at, "include", message, say("keep included files beside or below the inventory"))
        return []
    if not any(sign in pattern for sign in "*?["):
        return [target]
    try:
        found = sorted(path for path in folder.root.glob(str(target.relative_to(folder.root))) if path.is_file())
    except (ValueError, OSError, NotImplementedError):
        found = []
    if not found:
        folder.problems.warn(at, "include", say("no file matches {pattern}", pattern=pattern))
    return found


def _joined(tree: TableNode, table: TableNode, problems: Problems) -> TableNode:
    """Return `tree` with the keys of `table`: sections are joined entry by entry, nothing may stand twice."""
    entries = dict(tree.entries)
    for key, entry in table.entries.items():
        first = entries.get(key)
        if key == "include":
            continue
        if key not in InventoryKeys.model_fields:
            hint = nearest(key, InventoryKeys.model_fields)
            problems.error(entry.at, key, say("unknown key {key}", key=key), hint)
        if first is None or is_null(first.value):
            entries[key] = entry
        elif key in SECTIONS and isinstance(first.value, TableNode) and isinstance(entry.value, TableNode):
            entries[key] = Entry(key, first.at, _sections(key, first.value, entry.value, problems))
        elif not is_null(entry.value):
            _twice(entry, first, key, problems)
    return TableNode(tree.at, entries)


def _sections(section: str, one: TableNode, other: TableNode, problems: Problems) -> TableNode:
    entries = dict(one.entries)
    for key, entry in other.entries.items():
        if key in entries:
            _twice(entry, entries[key], f"{section}.{key}", problems)
        else:
            entries[key] = entry
    return TableNode(one.at, entries)


def _twice(entry: Entry, first: Entry, where: str, problems: Problems) -> None:
    message = say(
        "{key} stands twice; first in {path}, line {line}", key=entry.key, path=first.at.path, line=first.at.line
    )
    problems.error(entry.at, where, message, NOTHING)
