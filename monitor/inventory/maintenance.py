"""Announced work (`maintenance:`), and what whoever announces some needs: moments of the site's time, spans, windows.

A moment is a text as people write it: `2026-12-01 22:00`, `22:00` (of a day that is known), or ISO 8601 with an offset
or Z. Times without an offset are the site's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, TypeVar

from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import BLIND
from monitor.core.maintenance import LONGEST, Span, Weekly, Window, scope_of
from monitor.core.text import ENGLISH, N_, Text, say
from monitor.core.topology import Topology
from monitor.inventory.kinds import by_language
from monitor.inventory.problems import NOTHING, nearest
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.service_keys import MaintenanceKeys
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.yaml_nodes import Entry, TableNode

T = TypeVar("T")
DAYS: Mapping[str, int] = {
    name: number
    for number, names in enumerate((
        ("mon", "monday", "lun", "lundi"),
        ("tue", "tuesday", "mar", "mardi"),
        ("wed", "wednesday", "mer", "mercredi"),
        ("thu", "thursday", "jeu", "jeudi"),
        ("fri", "friday", "ven", "vendredi"),
        ("sat", "saturday", "sam", "samedi"),
        ("sun", "sunday", "dim", "dimanche"),
    ))
    for name in names
}  # fmt: skip
"""What a day of the week is called -> its number, 0 for Monday."""
EVERY_DAY = frozenset(range(7))
FIRST_YEAR, LAST_YEAR = 2000, 2099
"""A moment in another year was mistyped."""
_MOMENT = re.compile(
    r"(?:(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:T|[ ]+))?(?P<hour>[0-9]{1,2}):(?P<rest>[0-9]{2}(?::[0-9]{2})?)"
    r"[ ]*(?P<offset>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?",
    re.IGNORECASE,
)
_OF_ONE, _OF_WEEKLY = ("from", "until"), ("at", "days", "weeks")


class BadWindow(ValueError):
    """What was written is no moment, or no announced work; `text` says why, `hint` what to do, which may be empty."""

    def __init__(self, text: Text, hint: Text = NOTHING) -> None:
        super().__init__(ENGLISH.render(text))
        self.text, self.hint = text, hint


def moment_at(text: str, zone: tzinfo, today: date | None = None) -> datetime:
    """Return the moment that `text` writes, in UTC; a time alone is of the day `today`, of the site.

    A local time that a change of the clocks leaves out is as much later as the clocks jump, one that comes twice is
    the first: `doubt_at` says so. Raises BadWindow when it is no moment, and for a time alone without `today`.
    """
    written = _read(text, today)
    return (written if written.tzinfo is not None else written.replace(tzinfo=zone)).astimezone(UTC)


def doubt_at(text: str, zone: tzinfo, today: date | None = None) -> Text:
    """Return what is doubtful about a moment that `moment_at` takes, and which one it took; empty when nothing is."""
    written = _read(text, today)
    if written.tzinfo is not None:
        return NOTHING
    first, second = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return NOTHING
    taken = first.astimezone(UTC)
    if taken.astimezone(zone).replace(tzinfo=None, fold=0) != written:
        return say("the clocks of the site jump over {written}: {taken} is taken", written=text, taken=taken)
    offset = first.isoformat(sep=" ", timespec="minutes")
    return say("{written} comes twice that night: the first one is taken, {moment}", written=text, moment=offset)


def end_after(text: str, zone: tzinfo, start: datetime) -> datetime:
    """Return the moment that `text` writes, in UTC; a time alone is the first such time after `start`.

    Raises BadWindow when it is no moment.
    """
    day = start.astimezone(zone).date()
    end = moment_at(text, zone, day)
    return moment_at(text, zone, day + timedelta(days=1)) if end <= start and _is_time(text) else end


def time_at(text: str) -> time:
    """Return the time of day that `text` writes: `02:00`. Raises BadWindow."""
    if not _is_time(text):
        raise BadWindow(say("{written} is no time of day", written=repr(text)), say("write {better}", better='"02:00"'))
    return _read(text, date(FIRST_YEAR, 1, 1)).time()


def span_of(start: datetime, end: datetime) -> Span:
    """Return the span of one piece of work. Raises BadWindow when it ends before it begins, or lasts too long."""
    if end <= start:
        raise BadWindow(say("it would end before it begins"))
    _look_at_length(end - start)
    return Span(start, end)


def weekly_of(
    at: time, length: timedelta, zone: tzinfo, days: Collection[int] = EVERY_DAY, weeks: Collection[int] = ()
) -> Weekly:
    """Return the rule of work that recurs at `at` on `days` (0 = Monday) for `length`; see `Weekly`.

    Raises BadWindow when it lasts too long, or so long that the next one has begun before it ends.
    """
    _look_at_length(length)
    ordered = sorted(days)
    gaps = [(later - day) % 7 or 7 for day, later in zip(ordered, (*ordered[1:], ordered[0]), strict=True)]
    if not weeks and length >= timedelta(days=max(gaps)):
        raise BadWindow(say("it never ends: the next one has begun before"), say("a window is to end"))
    return Weekly(at, frozenset(days), length, zone, frozenset(weeks))


def window_of(
    name: str,
    when: Span | Weekly,
    topology: Topology,
    *,
    nodes: Collection[str] = (),
    checks: Collection[str] = (),
    kind: str = "",
    reason: str = "",
    titles: Mapping[str, str] | None = None,
    by: str = "",
) -> Window:
    """Return the work `name` on devices and links (`nodes`), all that is reached only through these, and `checks`.

    `kind`: the incident kind as which failures are told meanwhile, empty for not at all. `by`: who announced it, empty
    for the inventory. Raises BadWindow for a name that the topology does not have, and when no check is concerned.
    """
    for absent, known, names in (
        (N_("there is no device or link {name}"), {str(node) for node in topology.nodes}, nodes),
        (N_("there is no check {name}"), {str(check) for check in topology.where}, checks),
    ):
        wrong = next((each for each in names if each not in known), None)
        if wrong is not None:
            raise BadWindow(say(absent, name=wrong), nearest(wrong, known))
    on = tuple(dict.fromkeys(NodeId(node) for node in nodes))
    single = tuple(dict.fromkeys(CheckId(check) for check in checks))
    scope = scope_of(topology, on, single)
    if not scope:
        raise BadWindow(say("no check is concerned"), say("name devices that are watched, or checks"))
    return Window(name, scope, when, kind, reason, on, single, by, titles=titles or {})


def maintenance(scope: Scope, topology: Topology, zone: tzinfo) -> tuple[Window, ...]:
    """Return the work that the inventory announces; what is wrong with one is noted.

    None while there are errors: what is left out because of them would be missed here once more.
    """
    entries = scope.sections["maintenance"]
    read = {name: _announced(name, entry, scope, zone) for name, entry in entries.items()}
    if scope.problems.fatal:
        return ()
    made = [_made(entries[name], each, scope, topology) for name, each in read.items() if each is not None]
    return tuple(window for window in made if window is not None)


@dataclass(frozen=True, slots=True)
class _Announced:
    """One entry as it was written, and when it is."""

    keys: Any
    when: Span | Weekly


def _made(entry: Entry, announced: _Announced, scope: Scope, topology: Topology) -> Window | None:
    keys = announced.keys

    def make() -> Window:
        return window_of(
            entry.key,
            announced.when,
            topology,
            nodes=keys.devices or (),
            checks=keys.checks or (),
            kind=keys.incident or "",
            titles=by_language(keys.title),
        )

    return _noted(scope, entry, f"maintenance.{entry.key}", make)


def _announced(name: str, entry: Entry, scope: Scope, zone: tzinfo) -> _Announced | None:
    where = f"maintenance.{name}"
    keys = shaped(MaintenanceKeys, entry.value, entry.at, where, scope.problems)
    if not isinstance(entry.value, TableNode):
        return None
    table = entry.value.filled()
    _look_at_references(table, where, scope)
    if keys is None:
        return None
    if not {"devices", "checks"} & set(table.entries):
        hint = say("or checks: it needs something that it concerns")
        note_missing("devices", table, MaintenanceKeys.model_fields, entry.at, where, scope.problems, hint)
    when = _when(Entry(name, entry.at, table), keys, where, scope, zone)
    return None if when is None else _Announced(keys, when)


def _look_at_references(table: TableNode, where: str, scope: Scope) -> None:
    for key, known, absent in (
        ("devices", scope.nodes, N_("there is no device or link {name}")),
        ("checks", scope.checks, N_("there is no check {name}")),
        ("incident", scope.kinds, N_("there is no incident kind {name}")),
    ):
        refer(table.get(key), known, f"{where}.{key}", absent, scope.problems)
    for word in names_in(table.get("incident")):
        if word.text == BLIND:
            message = say("work cannot be announced as {name}: that is what nobody can see", name=BLIND)
            scope.problems.error(word.at, f"{where}.incident", message, nearest("", scope.kinds - {BLIND}))


def _when(entry: Entry, keys: Any, where: str, scope: Scope, zone: tzinfo) -> Span | Weekly | None:
    """When it is, once (`from`, and `until` or `for`) or again and again (`at`, `for`, `days`, `weeks`)."""
    table = entry.value
    if not isinstance(table, TableNode):
        return None
    if "from" not in table.entries and "at" not in table.entries:
        hint = say("or at, for work that recurs")
        note_missing("from", table, MaintenanceKeys.model_fields, entry.at, where, scope.problems, hint)
        return None
    once = "from" in table.entries
    strange = [key for key in (_OF_WEEKLY if once else _OF_ONE) if key in table.entries]
    if strange:
        _exclude(table, "from" if once else "at", strange[0], where, scope)
        return None
    if once and {"until", "for"} <= set(table.entries):
        _exclude(table, "until", "for", where, scope)
        return None
    ending = [key for key in (("until", "for") if once else ("for",)) if key in table.entries]
    if not ending:
        known, hint = MaintenanceKeys.model_fields, say("how long it lasts: 4 h")
        note_missing("for", table, known, entry.at, where, scope.problems, hint)
        return None
    return _once(table, keys, where, scope, zone) if once else _recurring(table, keys, where, scope, zone)


def _exclude(table: TableNode, one: str, other: str, where: str, scope: Scope) -> None:
    message = say("{one} and {other} exclude each other", one=one, other=other)
    scope.problems.error(table.entries[other].at, f"{where}.{other}", message, say("keep one of them"))


def _once(table: TableNode, keys: Any, where: str, scope: Scope, zone: tzinfo) -> Span | None:
    written, until = getattr(keys, "from"), keys.until
    begins, ends = table.entries["from"], table.entries["until" if until else "for"]
    start = _noted(scope, begins, f"{where}.from", lambda: moment_at(written, zone))
    if start is None:
        return None
    _warn_of_doubt(written, None, begins, where, scope, zone)
    if until is None:
        return _noted(scope, ends, f"{where}.for", lambda: span_of(start, start + getattr(keys, "for")))
    end = _noted(scope, ends, f"{where}.until", lambda: end_after(until, zone, start))
    if end is None:
        return None
    _warn_of_doubt(until, end.astimezone(zone).date(), ends, where, scope, zone)
    return _noted(scope, ends, f"{where}.until", lambda: span_of(start, end))


def _recurring(table: TableNode, keys: Any, where: str, scope: Scope, zone: tzinfo) -> Weekly | None:
    at = _noted(scope, table.entries["at"], f"{where}.at", lambda: time_at(keys.at))
    days = _days(table, where, scope)
    if at is None or days is None:
        return None
    length, weeks = getattr(keys, "for"), keys.weeks or ()
    return _noted(scope, table.entries["for"], f"{where}.for", lambda: weekly_of(at, length, zone, days, weeks))


def _days(table: TableNode, where: str, scope: Scope) -> frozenset[int] | None:
    """The days that are written, each one if none is; None when one of them is no day."""
    words = names_in(table.get("days"))
    if not words:
        return EVERY_DAY
    for word in words:
        if word.text.lower() not in DAYS:
            message = say("{name} is no day of the week", name=word.text)
            scope.problems.error(word.at, f"{where}.days", message, nearest(word.text.lower(), DAYS))
    return frozenset(DAYS[word.text.lower()] for word in words) if all(w.text.lower() in DAYS for w in words) else None


def _warn_of_doubt(text: str, day: date | None, entry: Entry, where: str, scope: Scope, zone: tzinfo) -> None:
    doubt = doubt_at(text, zone, day)
    if doubt:
        hint = say("write it with its offset, as +01:00")
        scope.problems.warn(entry.value.at, f"{where}.{entry.key}", doubt, hint)


def _noted(scope: Scope, entry: Entry, where: str, work: Callable[[], T]) -> T | None:
    """What `work` returns; None when it raises BadWindow, which is noted at the value of `entry`."""
    try:
        return work()
    except BadWindow as error:
        scope.problems.error(entry.value.at, where, error.text, error.hint)
        return None


def _is_time(text: str) -> bool:
    found = _MOMENT.fullmatch(text.strip())
    return found is not None and found["day"] is None and found["offset"] is None


def _read(text: str, today: date | None) -> datetime:
    """The moment as it is written, without a zone where it has no offset. Raises BadWindow."""
    hint = say("write {better}", better='"2026-12-01 22:00"')
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise BadWindow(say("{written} is no moment", written=repr(text)), hint)
    if found["day"] is None and (today is None or found["offset"]):
        raise BadWindow(say("{written} has no date", written=repr(text)), hint)
    day, offset = found["day"] or str(today), (found["offset"] or "").upper()
    try:
        moment = datetime.fromisoformat(f"{day}T{found['hour']:0>2}:{found['rest']}{offset}")
    except ValueError:
        raise BadWindow(say("{written} is no moment", written=repr(text)), hint) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise BadWindow(say("{written} lies in another century", written=repr(text)), hint)
    return moment


def _look_at_length(length: timedelta) -> None:
    if length > LONGEST:
        hint = say("what is to last longer is a change of the inventory")
        raise BadWindow(say("it lasts too long: {longest} at most", longest=LONGEST), hint)
