"""The parameters of `probe run`: `KEY=VALUE` words, held to the same rules as the keys of the inventory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from monitor.cli.context import Failure, warn
from monitor.core.text import N_, Speech, Text, say
from monitor.inventory.problems import Place, Problem, Problems
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, ListNode, Node, ScalarNode, TableNode, resolved
from monitor.secret import Secret
from probes.access import WAYS, Access
from probes.contract import Probe
from probes.params import Params

AT = Place("--param")
_IN_CLEAR = N_("{key} stands in clear on the command line, where everybody on this machine can read it: write env:NAME")
Key = tuple[str, ...]
Word = tuple[Key, str]


def parameters(probe: Probe[Any, Any], given: Sequence[str], speech: Speech) -> tuple[Params, dict[str, Access]]:
    """Return the probe's parameters and the ways to the device that `given` (`port=22`, `snmp.version=2c`) writes.

    A value that does not fit as the number or truth value that it looks like is taken as text; a key given twice is a
    list. A password in clear is warned of. Raises Failure with every problem.
    """
    words = [_split(one) for one in given]
    problems = Problems()
    built = _built(probe, words, (), problems)
    if built is None:
        as_text = {tuple(problem.where.split("."))[1:] for problem in problems.listed()}
        built = _built(probe, words, as_text, Problems())
    if built is None:
        raise Failure(_listed(problems.listed()))
    for way, access in built[1].items():
        for name, value in access:
            if isinstance(value, Secret) and not value.by_reference and name != "community":
                warn(speech.render(say(_IN_CLEAR, key=f"{way}.{name}")))
    return built


def _split(word: str) -> Word:
    key, equals, value = word.partition("=")
    if not equals or not all(key.split(".")):
        raise Failure(say("{option}: {word} is not KEY=VALUE", option=AT.path, word=repr(key)))
    return tuple(key.split(".")), value


def _built(
    probe: Probe[Any, Any], words: Iterable[Word], as_text: Collection[Key], problems: Problems
) -> tuple[Params, dict[str, Access]] | None:
    root = TableNode(AT)
    for key, value in words:
        _put(root, key, ScalarNode(AT, value if key in as_text else resolved(value), value))
    own = TableNode(AT, {key: entry for key, entry in root.entries.items() if key not in WAYS})
    params = shaped(probe.Params, own, AT, probe.kind, problems)
    access = {
        way: shaped(model, root.entries[way].value, AT, f"{probe.kind}.{way}", problems)
        for way, model in WAYS.items()
        if way in root.entries
    }
    right = {way: found for way, found in access.items() if found is not None}
    return None if params is None or len(right) < len(access) else (params, right)


def _put(table: TableNode, key: Key, value: ScalarNode) -> None:
    for part in key[:-1]:
        inner = table.entries.setdefault(part, Entry(part, AT, TableNode(AT))).value
        if not isinstance(inner, TableNode):
            raise Failure(_twofold(key))
        table = inner
    before = table.get(key[-1])
    if isinstance(before, TableNode):
        raise Failure(_twofold(key))
    table.entries[key[-1]] = Entry(key[-1], AT, value if before is None else _with(before, value))


def _with(before: Node, value: ScalarNode) -> ListNode:
    items = before.items if isinstance(before, ListNode) else (before,)
    return ListNode(AT, (*items, value))


def _twofold(key: Key) -> Text:
    return say("{option}: {key} is given as a value and as a table", option=AT.path, key=".".join(key))


def _listed(problems: Sequence[Problem]) -> Text:
    """Return the problems in one text, a line each."""
    text = _line(problems[0])
    for problem in problems[1:]:
        text = say("{first}\n{next}", first=text, next=_line(problem))
    return text


def _line(problem: Problem) -> Text:
    if problem.hint:
        return say("{where}: {message} ({hint})", where=problem.where, message=problem.message, hint=problem.hint)
    return say("{where}: {message}", where=problem.where, message=problem.message)
