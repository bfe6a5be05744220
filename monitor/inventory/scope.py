"""What the parts of an inventory need of each other while it is being read: the names that there are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from monitor.core.text import say
from monitor.inventory.problems import Place, Problems, nearest
from monitor.inventory.schema import SECTIONS
from monitor.inventory.sources import Folder
from monitor.inventory.yaml_nodes import Entry, ListNode, Node, ScalarNode, TableNode

_NAME = re.compile(r"\w[\w.+-]{0,63}")


@dataclass(slots=True)
class Scope:
    """The tree of an inventory and the names in it. A name counts even if what it names is wrong: that is told once.

    `nodes`: devices and links together.
    """

    tree: TableNode
    folder: Folder
    problems: Problems
    sections: dict[str, dict[str, Entry]] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    books: set[str] = field(default_factory=set)

    def not_acted_on(self, at: Place, where: str) -> None:
        """Note that a key is accepted and has no effect, so that nobody trusts in it."""
        self.problems.warn(at, where, say("accepted, but this version does not act on it"))


def sections_of(tree: TableNode, problems: Problems) -> dict[str, dict[str, Entry]]:
    """Return the named entries of each section; a section that is absent or empty has none."""
    found: dict[str, dict[str, Entry]] = {}
    for section in SECTIONS:
        node = tree.get(section)
        entries = node.entries if isinstance(node, TableNode) else {}
        if isinstance(node, ListNode) or (isinstance(node, ScalarNode) and node.value is not None):
            problems.error(node.at, section, say("a table of names is expected here"), say("write name: {{...}}"))
        found[section] = {}
        for key, entry in entries.items():
            look_at_name(key, entry.at, section, problems)
            found[section][key] = entry
    return found


def look_at_name(name: str, at: Place, where: str, problems: Problems) -> None:
    """Note a name that commands, notices and file names could not carry; `where` is the section that holds it."""
    if not _NAME.fullmatch(name):
        message = say("{name} is no name", name=repr(name))
        problems.error(at, where, message, say("letters, digits, - _ . +, 64 at most"))


def names_in(node: Node | None) -> list[ScalarNode]:
    """Return the words that `node` holds: itself, or its items."""
    items = node.items if isinstance(node, ListNode) else () if node is None else (node,)
    return [item for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str) and item.value]


def refer(node: Node | None, known: Collection[str], where: str, absent: str, problems: Problems) -> None:
    """Note each name in `node` that is not `known`; `absent` is the template that says so of `{name}`."""
    for word in names_in(node):
        if word.text not in known:
            problems.error(word.at, where, say(absent, name=word.text), nearest(word.text, known))
