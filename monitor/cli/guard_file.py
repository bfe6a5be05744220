"""The guard's own file: what it stops, how, and within which time. Every mistake has its place and a remedy."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from failover.guard import HANGS_FOR, STARTS_WITHIN, TURN, Command, Target, round_length, worst
from failover.guard_files import USUAL
from failover.guard_loop import FromFile, PlanSpec
from monitor.core.text import LANGUAGES, Quantity, Text, say
from monitor.core.units import BadUnit, parse_duration
from monitor.inventory.problems import NOTHING, Place, Problem, Problems, close_to
from monitor.inventory.yaml_nodes import ListNode, Node, ScalarNode, TableNode, is_null, read

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SSH_FAILED = 255
"""What ssh(1) ends with when it did not get through: no code that proves anything."""
MOST_ARGUMENTS, MOST_HARD, MOST_TARGETS, MOST_PLANS = 64, 8, 100, 50
TOP = ("site", "language", "ttl", "state", "run", "watchdog", "plans")
PLAN = ("lease", "stops_within", "targets")
TARGET = ("stop", "hard", "check", "within", "stopped")
WATCHDOG = ("device", "timeout")


@dataclass(frozen=True, slots=True)
class Guarding:
    """What the file says. `worst`: the seconds that the taker of each plan waits at least; `watchdog`: seconds.

    `leases`: the file by which the lease of each plan is handed over.
    """

    site: str
    language: str
    plans: tuple[PlanSpec, ...]
    worst: Mapping[str, float]
    stops_within: Mapping[str, float]
    leases: Mapping[str, Path]
    device: Path | None = None
    watchdog: int = 0

    def drill_file(self, plan: PlanSpec) -> Path:
        """Return where the last drill of `plan` is recorded."""
        return plan.record.with_name(f"{plan.plan}.drill.json")


def guarding(path: Path) -> tuple[Guarding | None, str, tuple[Problem, ...]]:
    """Return what the file at `path` says, None with an error in it; its language (empty: unsaid); what is wrong.

    Raises OSError when it cannot be read.
    """
    problems = Problems()
    with path.open("rb") as file:
        owner = os.fstat(file.fileno())
        raw = file.read()
    # What stands in it is carried out by root.
    if owner.st_uid not in (0, os.geteuid()) or stat.S_IMODE(owner.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        message = say("somebody else may change this file, and what stands in it is carried out")
        problems.error(Place(str(path)), "file", message, say("chown root: FILE; chmod go-w FILE"))
    reader = _Reader(problems)
    made = reader.whole(read(str(path), raw, problems), Place(str(path)))
    return None if problems.fatal else made, reader.language, problems.listed()


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self.problems, self.language = problems, ""

    def whole(self, root: Node | None, at: Place) -> Guarding | None:
        table = self.table(root, at, "file", TOP, ("site", "ttl", "plans"))
        if table is None:
            return None
        site = self.word(table, "site", "")
        self.language = self.word(table, "language", "")
        if self.language and self.language not in LANGUAGES:
            self.bad(table, "language", say("there are: {names}", names=", ".join(LANGUAGES)))
        ttl = self.span(table, "ttl", "ttl", 0.0)
        state, run = self.folder(table, "state", str(USUAL.state)), self.folder(table, "run", str(USUAL.run))
        device, watchdog = self.watchdog(table)
        plans = self.tables(table, "plans", "plans", MOST_PLANS)
        specs: list[PlanSpec] = []
        waits: dict[str, float] = {}
        promised: dict[str, float] = {}
        leases: dict[str, Path] = {}
        for name, node in plans:
            where = f"plans.{name}"
            keys = self.table(node, node.at, where, PLAN, ("stops_within", "targets"))
            if keys is None:
                continue
            leases[name] = self.folder(keys, "lease", str(USUAL.lease(name)), where)
            targets = tuple(filter(None, (self.target(*one, where) for one in self.tables(
                keys, "targets", f"{where}.targets", MOST_TARGETS))))  # fmt: skip
            promised[name] = self.span(keys, "stops_within", f"{where}.stops_within", 0.0)
            waits[name] = worst(round_length(targets), watchdog)
            self.fits(keys, where, promised[name], waits[name], round_length(targets), watchdog)
            specs.append(
                PlanSpec(name, site, ttl, FromFile(leases[name]), state / f"{name}.json", run / f"{name}.json", targets)
            )
        return Guarding(site, self.language, tuple(specs), waits, promised, leases, device, watchdog)

    def fits(self, keys: TableNode, where: str, promised: float, needed: float, one: float, watchdog: float) -> None:
        if promised >= needed or "stops_within" not in keys.entries or not one:
            return
        parts = f"{TURN:g} + {one:g} + {HANGS_FOR:g} + {STARTS_WITHIN:g} + {one:g}"
        message = say(
            "too short: with one fault of the guard it takes up to {needed} ({parts} s)",
            needed=Quantity(needed, "s"),
            parts=parts + (f" + {watchdog:g}" if watchdog else ""),
        )
        hint = say("write {needed} s here and in the plan, or shorten `within`", needed=math.ceil(needed))
        self.problems.error(keys.entries["stops_within"].value.at, f"{where}.stops_within", message, hint)

    def target(self, name: str, node: Node, above: str) -> Target | None:
        where = f"{above}.targets.{name}"
        table = self.table(node, node.at, where, TARGET, ("stop", "hard", "check"))
        if table is None:
            return None
        within = self.span(table, "within", f"{where}.within", 5.0)
        exits = self.number(table, "stopped", f"{where}.stopped", 0, 0, SSH_FAILED - 1)
        stop = self.argv(table.get("stop"), f"{where}.stop")
        check = self.argv(table.get("check"), f"{where}.check")
        hard = self.several(table.get("hard"), f"{where}.hard")
        if stop is None or check is None or not hard:
            return None
        return Target(
            name,
            Command(stop, within),
            tuple(Command(argv, within) for argv in hard),
            Command(check, within, exits),
        )

    def watchdog(self, table: TableNode) -> tuple[Path | None, int]:
        node = table.get("watchdog")
        if node is None or is_null(node):
            return None, 0
        keys = self.table(node, node.at, "watchdog", WATCHDOG, ("device", "timeout"))
        if keys is None:
            return None, 0
        timeout = self.span(keys, "timeout", "watchdog.timeout", 0.0)
        if timeout and (timeout != int(timeout) or timeout < 2):
            self.bad(keys, "timeout", say("whole seconds, 2 at least"), "watchdog")
        return self.folder(keys, "device", "", "watchdog"), int(timeout)

    def table(
        self, node: Node | None, at: Place, where: str, known: tuple[str, ...], needed: Iterable[str]
    ) -> TableNode | None:
        """The table `node` without its empty keys; what is unknown in it or missing is noted."""
        if not isinstance(node, TableNode):
            where_at = at if node is None else node.at
            self.problems.error(where_at, where, say("here belongs a table with {keys}", keys=", ".join(known)))
            return None
        for key, entry in node.entries.items():
            if key not in known:
                hint = close_to(key, known) or say("there are: {names}", names=", ".join(known))
                self.problems.error(entry.at, self.way(where, key), say("the key {key} is not known", key=key), hint)
        filled = node.filled()
        for key in needed:
            if key not in filled.entries:
                message, hint = say("{key} is missing", key=key), _WHY.get(key, NOTHING)
                self.problems.error(filled.at, where, message, hint)
        return filled

    def tables(self, table: TableNode, key: str, where: str, most: int) -> list[tuple[str, Node]]:
        """Name and value of each entry of the table under `key`; it has one at least."""
        node = table.get(key)
        if node is None:
            return []
        if not isinstance(node, TableNode) or not 0 < len(node.entries) <= most:
            message = say("here belongs a table of names, {most} at most", most=most)
            self.problems.error(node.at, where, message)
            return []
        for name, entry in node.entries.items():
            if not NAME.fullmatch(name):
                message = say("{name} is no name", name=repr(name))
                hint = say("small letters, digits, - and _, 63 at most")
                self.problems.error(entry.at, where, message, hint)
        return [(entry.key, entry.value) for entry in node.entries.values()]

    def word(self, table: TableNode, key: str, default: str, where: str = "") -> str:
        node = table.get(key)
        if node is None:
            return default
        if isinstance(node, ScalarNode) and isinstance(node.value, str | int) and str(node.text).strip():
            return node.text
        self.bad(table, key, say("here belongs a word"), where)
        return default

    def folder(self, table: TableNode, key: str, default: str, where: str = "") -> Path:
        text = self.word(table, key, default, where)
        if not text.startswith("/") or "\0" in text:
            self.bad(table, key, say("here belongs a path from the root on: /..."), where)
        return Path(text)

    def span(self, table: TableNode, key: str, where: str, default: float) -> float:
        """Seconds, more than none and a day at most."""
        node = table.get(key)
        if node is None:
            return default
        message = say("here belongs a duration: {examples}", examples="10s, 1 min")
        if isinstance(node, ScalarNode):
            try:
                seconds = parse_duration(node.text).total_seconds()
            except BadUnit as error:
                message = error.text
            else:
                if 0 < seconds <= 86400:
                    return seconds
                message = say("more than 0 s, a day at most")
        self.problems.error(node.at, where, message)
        return default

    def number(self, table: TableNode, key: str, where: str, default: int, least: int, most: int) -> int:
        node = table.get(key)
        if node is None:
            return default
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        message = say("here belongs a number from {least} to {most}", least=least, most=most)
        hint = say("the exit code by which `check` says that it does not run") if key == "stopped" else NOTHING
        self.problems.error(node.at, where, message, hint)
        return default

    def argv(self, node: Node | None, where: str) -> tuple[str, ...] | None:
        """The words of one command; None, and noted, if it is none."""
        if node is None:
            return None
        items = node.items if isinstance(node, ListNode) else ()
        words = [item.text for item in items if isinstance(item, ScalarNode) and "\0" not in item.text]
        if not words or len(words) != len(items) or len(words) > MOST_ARGUMENTS or not words[0]:
            message = say("here belongs a command as a list of words: {example}", example="[systemctl, stop, dialler]")
            hint = say("no shell reads it: write pipes and the like into a script and name that")
            self.problems.error(node.at, where, message, hint)
            return None
        return tuple(words)

    def several(self, node: Node | None, where: str) -> tuple[tuple[str, ...], ...]:
        """One command, or a list of them."""
        if isinstance(node, ListNode) and any(isinstance(item, ListNode) for item in node.items):
            if len(node.items) > MOST_HARD:
                self.problems.error(node.at, where, say("{most} commands at most", most=MOST_HARD))
            made = [self.argv(item, f"{where}.{n}") for n, item in enumerate(node.items)]
        else:
            made = [self.argv(node, where)]
        return tuple(argv for argv in made if argv is not None)

    def bad(self, table: TableNode, key: str, message: Text, where: str = "") -> None:
        at = table.entries[key].value.at if key in table.entries else table.at
        self.problems.error(at, self.way(where, key), message)

    @staticmethod
    def way(where: str, key: str) -> str:
        return key if where in ("", "file") else f"{where}.{key}"


_WHY: Mapping[str, Text] = {
    "hard": say("what stops it when the ordered stop does not: [[systemctl, kill, -s, KILL, dialler]]"),
    "check": say("what sees that it does not run: [pgrep, -x, dialler] with stopped: 1"),
    "stops_within": say("the same duration as in the plan: the taker waits for it"),
    "ttl": say("the same duration as in the inventory's `leases`: nothing is believed for longer"),
}
"""What a key that is missing is for."""
