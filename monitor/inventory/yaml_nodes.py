"""YAML read strictly, with the line and the column of every key and value.

Only `true` and `false` are truth values (`no` is a word), only decimal numbers are numbers (`12:30` and `007` are
words), no key stands twice. Anchors, aliases and `<<` are understood; what they bring keeps the place where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitor.core.text import say
from monitor.inventory.problems import NOTHING, Place, Problems
from monitor.inventory.yaml_text import Source, decoded, mended, note_escape, prepared, unshielded

MAX_BYTES = 4 * 2**20
MAX_NODES = 300_000
"""Values of one file, aliases counted as often as they are used: a few lines of aliases can mean billions."""
MAX_DEPTH = 32
MAX_MENDINGS = 20
SECRET_KEYS = frozenset({"auth", "community", "enable_password", "key", "password", "priv", "url"})
"""Keys whose values no message repeats."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})?\.\d{1,18}")
_TELEPHONE = re.compile(r"\+\d{6,}")
_CONSTANTS: dict[str, bool | None] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
}  # fmt: skip
_WINDOWS_PATH = re.compile(r'"(?:[A-Za-z]:|\\\\[^\\"\r\n]+)(?P<slash>\\[^\\])')
_SURROGATE = re.compile("[\ud800-\udfff]")
Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value; `text` as it was written, without its quotes."""

    at: Place
    value: Plain
    text: str


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    at: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its place, and its value."""

    key: str
    at: Place
    value: Node


@dataclass(frozen=True, slots=True)
class TableNode:
    """Keys with values."""

    at: Place
    entries: dict[str, Entry] = field(default_factory=dict)

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, None when there is no such key."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def filled(self) -> TableNode:
        """Return this table without the keys that stand there empty: the same as if they were absent."""
        full = {key: entry for key, entry in self.entries.items() if not is_null(entry.value)}
        return self if len(full) == len(self.entries) else TableNode(self.at, full)

    def over(self, below: TableNode) -> TableNode:
        """Return this table with the entries of `below` for the keys that it lacks."""
        return TableNode(self.at, {**below.entries, **self.entries})


Node = ScalarNode | ListNode | TableNode


def is_null(node: Node) -> bool:
    """Return whether nothing stands there."""
    return isinstance(node, ScalarNode) and node.value is None


def plain_data(node: Node) -> Any:
    """Return the value of `node` without places: dict, list, str, int, float, bool or None."""
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [plain_data(item) for item in node.items]
        case TableNode():
            return {key: plain_data(entry.value) for key, entry in node.entries.items()}


def read(path: str, raw: bytes, problems: Problems) -> Node | None:
    """Return the document in `raw`; None when there is none or it cannot be read. What is wrong goes to `problems`."""
    if len(raw) > MAX_BYTES:
        message = say("the file is too large: an inventory has at most {limit} MB", limit=MAX_BYTES // 2**20)
        problems.error(Place(path), "file", message)
        return None
    source = prepared(path, decoded(path, raw, problems), problems)
    for _ in range(MAX_MENDINGS):
        seen = Problems()
        try:
            root = _Composer(source, seen).document()
        except yaml.MarkedYAMLError as error:
            if mended(source, error, problems):
                continue
            root = None
        except _TooMuch as error:
            problems.error(error.at, "file", error.message)
            return None
        problems.take_over(seen)
        return root
    return None


class _TooMuch(Exception):
    """The document is too deep or grows too large."""

    def __init__(self, at: Place, what: str) -> None:
        super().__init__(what)
        self.at = at
        self.message = (
            say("the nesting is too deep: {limit} levels at most", limit=MAX_DEPTH)
            if what == "depth"
            else say("the file means too many values: {limit} at most, aliases included", limit=MAX_NODES)
        )


class _Composer:
    """Builds nodes out of the parser's events; recursion is bounded by MAX_DEPTH, growth by MAX_NODES."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.source, self.problems = source, problems
        self.events: Iterator[Any] = yaml.parse(source.text, Loader=_LOADER)
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.size = 0
        self.way: list[str] = []

    def document(self) -> Node | None:
        """Return the only document of the stream."""
        root: Node | None = None
        documents = 0
        for event in self.events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            documents += 1
            if documents == 2:
                message = say("a second document starts here; an inventory is one document")
                self.problems.error(self.at(event), "file", message, say("delete the line ---"))
            node = self.node(next(self.events))
            root = node if documents == 1 else root
        return root

    def at(self, event: Any) -> Place:
        return self.source.place(event.start_mark.line, event.start_mark.column)

    def where(self) -> str:
        return ".".join(self.way) or "file"

    def told(self, word: str) -> str:
        """Return `word` for a message; a password that starts with `!` or `*` is no password yet to YAML."""
        return "***" if SECRET_KEYS & set(self.way[-1:]) else word

    def node(self, event: Any) -> Node:
        """Return the node that `event` starts."""
        if len(self.way) > MAX_DEPTH:
            raise _TooMuch(self.at(event), "depth")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        before = self.size
        self.grow(event, 1)
        if event.tag not in (None, "!"):
            message = say("the tag {tag} is not understood", tag=self.told(event.tag))
            self.problems.error(self.at(event), self.where(), message, say("leave it out"))
        if isinstance(event, yaml.ScalarEvent):
            node: Node = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.row(event)
        else:
            node = self.table(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.size - before)
        return node

    def grow(self, event: Any, by: int) -> None:
        self.size += by
        if self.size > MAX_NODES:
            raise _TooMuch(self.at(event), "size")

    def alias(self, event: Any) -> Node:
        node, size = self.anchors.get(event.anchor, (None, 1))
        self.grow(event, size)
        if node is not None:
            return node
        message = say("*{name} refers to nothing before it", name=self.told(event.anchor))
        self.problems.error(self.at(event), self.where(), message, say("put a value that starts with * in quotes"))
        return ScalarNode(self.at(event), None, "")

    def scalar(self, event: Any) -> ScalarNode:
        at, text = self.at(event), unshielded(event.value)
        if event.style:
            self.look_for_escapes(event)
            if _SURROGATE.search(text):
                self.problems.error(at, self.where(), say("an escape here stands for no character"))
                text = _SURROGATE.sub("?", text)
            return ScalarNode(at, text, text)
        if _TELEPHONE.fullmatch(text):
            message = say("without quotes {text} is a number and loses its +", text=self.told(text))
            self.problems.error(at, self.where(), message, say('write "{text}"', text=self.told(text)))
            return ScalarNode(at, text, text)
        return ScalarNode(at, resolved(text), text)

    def look_for_escapes(self, event: Any) -> None:
        """A Windows path in double quotes may hold escapes that are allowed: `"C:\\new"` has a line break."""
        start = event.start_mark.index
        if event.style == '"':
            found = _WINDOWS_PATH.match(self.source.text, start)
            if found:
                column = event.start_mark.column + found.start("slash") - start
                at = self.source.place(event.start_mark.line, column)
                note_escape(at, found["slash"], self.where(), self.problems)

    def row(self, event: Any) -> ListNode:
        items: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            self.way.append(str(len(items)))
            items.append(self.node(inner))
            self.way.pop()
        return ListNode(self.at(event), tuple(items))

    def table(self, event: Any) -> TableNode:
        entries: dict[str, Entry] = {}
        merged: list[TableNode] = []
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            key, merging = self.key(inner)
            self.way.append(key)
            value = self.node(next(self.events))
            if merging:
                merged += self.bases(value)
            elif key in entries:
                first = entries[key].at.line
                message = say("the key {key} stands twice; first on line {line}", key=key, line=first)
                self.problems.error(self.at(inner), self.where(), message, say("keep one of them"))
            else:
                entries[key] = Entry(key, self.at(inner), value)
            self.way.pop()
        node = TableNode(self.at(event), entries)
        for below in merged:
            node = node.over(below)
        return node

    def key(self, event: Any) -> tuple[str, bool]:
        """Return the key that `event` starts, and whether it is the `<<` that merges."""
        if isinstance(event, yaml.ScalarEvent):
            self.grow(event, 1)
            return unshielded(event.value), event.value == "<<" and not event.style
        at = self.at(event)
        self.way.append("?")
        node = self.node(event)
        self.way.pop()
        if isinstance(event, yaml.AliasEvent) and isinstance(node, ScalarNode):
            return node.text, False
        message = say("a key must be a word; here stands a list or a table")
        self.problems.error(at, self.where(), message, NOTHING)
        return f"?{at.line}:{at.column}", False

    def bases(self, value: Node) -> list[TableNode]:
        """Return the tables that `<<` merges in, the first one first."""
        items = value.items if isinstance(value, ListNode) else (value,)
        tables = [item for item in items if isinstance(item, TableNode)]
        if len(tables) < len(items):
            message = say("<< merges tables only")
            self.problems.error(value.at, self.where(), message, say("write <<: *name of a table"))
        return tables


def resolved(text: str) -> Plain:
    """Return what the unquoted word `text` means: a constant, a decimal number, or itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text
