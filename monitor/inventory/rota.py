"""Rotas (`rota:`): who is on duty when, in the site's time.

rota:
  astreinte: {members: [awa, ben, eva], handover: lundi 08:00, from: 2026-01-05, holidays: {2026-12-25: ben}}
  bureau:
    shifts:
      - {who: awa, days: [lun, mar, mer, jeu, ven], from: "08:00", until: "18:00"}
      - ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta, tzinfo
from typing import Any, TypeVar

from alerts.agreement import EVERYBODY_TOLD
from monitor.core.rota import LONGEST_TURN, Rota, Rotation, Shift, Shifts
from monitor.core.text import N_, Text, say
from monitor.inventory.maintenance import DAYS, EVERY_DAY, FIRST_YEAR, LAST_YEAR, BadWindow, time_at
from monitor.inventory.problems import NOTHING, Place, nearest
from monitor.inventory.rota_keys import RotaKeys, ShiftKeys
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.yaml_nodes import Entry, ListNode, TableNode

T = TypeVar("T")
DAY_NAMES = (
    say("Monday"), say("Tuesday"), say("Wednesday"), say("Thursday"), say("Friday"), say("Saturday"), say("Sunday"),
)  # fmt: skip
ANY_MONDAY = date(2000, 1, 3)
"""Where the only member of a rota begins a turn: it makes no difference."""
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OF_ROTATION = ("members", "handover", "every", "from")


class BadRota(BadWindow):
    """What was written is no date or no handover; `text` says why, `hint` what to do."""


def rotas(scope: Scope, zone: tzinfo) -> dict[str, Rota]:
    """Return the rotas that are right, times in `zone`; what is wrong with the others is noted."""
    found = {name: _rota(name, entry, scope, zone) for name, entry in scope.sections["rota"].items()}
    return {name: rota for name, rota in found.items() if rota is not None}


def _rota(name: str, entry: Entry, scope: Scope, zone: tzinfo) -> Rota | None:
    where = f"rota.{name}"
    if name == EVERYBODY_TOLD or name in scope.sections["contacts"]:
        message = say("{name} is the name of a contact already", name=name)
        if name == EVERYBODY_TOLD:
            message = say("{name} is reserved: everybody told", name=name)
        scope.problems.error(entry.at, where, message, say("choose another name"))
    keys = shaped(RotaKeys, entry.value, entry.at, where, scope.problems)
    if not isinstance(entry.value, TableNode):
        return None
    table = entry.value.filled()
    _look_at_contacts(table, where, scope)
    if keys is None:
        return None
    if "shifts" in table.entries:
        strange = next((key for key in _OF_ROTATION if key in table.entries), None)
        if strange is not None:
            message = say("{one} and {other} exclude each other", one="shifts", other=strange)
            scope.problems.error(table.entries[strange].at, f"{where}.{strange}", message, say("keep one of them"))
            return None
        pattern: Rotation | Shifts | None = _shifts(table, where, scope)
    else:
        pattern = _rotation(Entry(name, entry.at, table), keys, where, scope)
    holidays = _holidays(table, where, scope)
    return None if pattern is None or holidays is None else Rota(name, zone, pattern, holidays)


def _look_at_contacts(table: TableNode, where: str, scope: Scope) -> None:
    known, absent = scope.sections["contacts"], N_("there is no contact {name}")
    refer(table.get("members"), known, f"{where}.members", absent, scope.problems)
    shifts, holidays = table.get("shifts"), table.get("holidays")
    for n, shift in enumerate(shifts.items if isinstance(shifts, ListNode) else ()):
        if isinstance(shift, TableNode):
            refer(shift.get("who"), known, f"{where}.shifts.{n}.who", absent, scope.problems)
    for day, entry in holidays.entries.items() if isinstance(holidays, TableNode) else ():
        refer(entry.value, known, f"{where}.holidays.{day}", absent, scope.problems)


def _rotation(entry: Entry, keys: Any, where: str, scope: Scope) -> Rotation | None:
    """Contacts in turn; None when that cannot be made out, which is noted."""
    table = entry.value
    if not isinstance(table, TableNode):
        return None
    for key, hint in (("members", say("or shifts")), ("handover", say('as "monday 08:00", or "08:00" for every day'))):
        if key not in table.entries:
            note_missing(key, table, RotaKeys.model_fields, entry.at, where, scope.problems, hint)
            return None
    handover = _noted(scope, table.entries["handover"], f"{where}.handover", lambda: handover_of(keys.handover))
    if handover is None:
        return None
    day, at = handover
    every = keys.every or (_DAY if day is None else _WEEK)
    unit = _DAY if day is None else _WEEK
    if every % unit or every > LONGEST_TURN:
        message = say("a turn is of whole days, {longest} at most", longest=LONGEST_TURN)
        if day is not None:
            message = say("with a handover on a day of the week a turn is of whole weeks")
        scope.problems.error(table.entries["every"].value.at, f"{where}.every", message, say("such as 1 week, 14 d"))
        return None
    first = _first(entry, table, keys, day, where, scope)
    return None if first is None else Rotation(tuple(keys.members), at, first, every // _DAY)


def _first(entry: Entry, table: TableNode, keys: Any, weekday: int | None, where: str, scope: Scope) -> date | None:
    """The day of the first handover to the first member; with a single one it makes no difference."""
    if "from" not in table.entries:
        if len(keys.members) == 1:
            return ANY_MONDAY + timedelta(days=weekday or 0)
        hint = say("the day on which the turn of the first begins, as 2026-01-05")
        note_missing("from", table, RotaKeys.model_fields, entry.at, where, scope.problems, hint)
        return None
    written = table.entries["from"]
    first = _noted(scope, written, f"{where}.from", lambda: date_of(getattr(keys, "from")))
    if first is None or weekday is None or first.weekday() == weekday:
        return first
    before = first - timedelta(days=(first.weekday() - weekday) % 7)
    message = say("{day} is no day of handover: it is a {name}", day=str(first), name=DAY_NAMES[first.weekday()])
    scope.problems.error(written.value.at, f"{where}.from", message, say("write {better}", better=str(before)))
    return None


def _shifts(table: TableNode, where: str, scope: Scope) -> Shifts | None:
    """Fixed shifts that cover the week once; None when they do not, which is noted."""
    node = table.entries["shifts"].value
    items = node.items if isinstance(node, ListNode) else ()
    read = [_shift(item, f"{where}.shifts.{n}", scope) for n, item in enumerate(items)]
    shifts = [shift for shift in read if shift is not None]
    if len(shifts) < len(read):
        return None
    covered = sorted((*span, n) for n, shift in enumerate(shifts) for span in _spans_of_week(shift))
    reached, whole = 0, True
    for start, end, n in [*covered, (_seconds_of(_WEEK), _seconds_of(_WEEK), 0)]:
        if start > reached:
            message = say("nobody is on duty from {start} to {end}", start=_in_week(reached), end=_in_week(start))
            scope.problems.error(table.entries["shifts"].at, f"{where}.shifts", message, say("add a shift"))
        elif start < min(reached, end):
            message = say("two are on duty on {day}", day=_in_week(start))
            scope.problems.error(items[n].at, f"{where}.shifts.{n}", message, say("let one begin as the other ends"))
        whole = whole and start == reached
        reached = max(reached, end)
    return Shifts(tuple(shifts)) if whole else None


def _shift(item: Any, where: str, scope: Scope) -> Shift | None:
    keys: Any = shaped(ShiftKeys, item, item.at, where, scope.problems)
    if keys is None or not isinstance(item, TableNode):
        return None
    begins, ends = (
        _noted(scope, item.entries[key], f"{where}.{key}", _reading_time(getattr(keys, key)))
        for key in ("from", "until")
    )
    words = names_in(item.get("days"))
    wrong = [word for word in words if word.text.lower() not in DAYS]
    for word in wrong:
        message = say("{name} is no day of the week", name=word.text)
        scope.problems.error(word.at, f"{where}.days", message, nearest(word.text.lower(), DAYS))
    if begins is None or ends is None or wrong:
        return None
    days = frozenset(DAYS[word.text.lower()] for word in words) if words else EVERY_DAY
    return Shift(keys.who, days, begins, ends)


def _reading_time(text: str) -> Callable[[], time]:
    return lambda: time_at(text)


def _spans_of_week(shift: Shift) -> Iterator[tuple[int, int]]:
    """From when to when it goes, in seconds since Monday 00:00; what goes past Sunday in two parts."""
    week = _seconds_of(_WEEK)
    begins, ends = (_seconds(at) for at in (shift.begins, shift.ends))
    length = ends - begins if ends > begins else ends - begins + _seconds_of(_DAY)
    for day in shift.days:
        start = day * _seconds_of(_DAY) + begins
        yield start, min(start + length, week)
        if start + length > week:
            yield 0, start + length - week


def _seconds(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _seconds_of(span: timedelta) -> int:
    return int(span.total_seconds())


def _in_week(seconds: int) -> Text:
    day, rest = divmod(seconds % _seconds_of(_WEEK), _seconds_of(_DAY))
    return say("{day} {time}", day=DAY_NAMES[day], time=f"{rest // 3600:02}:{rest % 3600 // 60:02}")


def _holidays(table: TableNode, where: str, scope: Scope) -> dict[date, str] | None:
    node = table.get("holidays")
    found: dict[date, str] = {}
    for key, entry in node.entries.items() if isinstance(node, TableNode) else ():
        try:
            found[date_of(key)] = getattr(entry.value, "text", "")
        except BadRota as error:
            scope.problems.error(entry.at, f"{where}.holidays.{key}", error.text, error.hint)
            return None
    return found


def handover_of(text: str) -> tuple[int | None, time]:
    """Return the day of the week (0 = Monday, None for every day) and the time that `text` writes. Raises BadWindow."""
    *days, at = text.split()
    if not days:
        return None, time_at(at)
    day = DAYS.get(" ".join(days).lower())
    if day is None:
        message = say("{name} is no day of the week", name=" ".join(days))
        raise BadRota(message, nearest(" ".join(days).lower(), DAYS))
    return day, time_at(at)


def date_of(text: str) -> date:
    """Return the date that `text` writes: `2026-12-25`. Raises BadRota."""
    hint = say("write {better}", better="2026-12-25")
    try:
        found = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise BadRota(say("{written} is no date", written=repr(text)), hint)
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise BadRota(say("{written} lies in another century", written=repr(text)), NOTHING)
    return found


def _noted(scope: Scope, entry: Entry, where: str, work: Callable[[], T]) -> T | None:
    """What `work` returns; None when it raises BadWindow, which is noted at the value of `entry`."""
    try:
        return work()
    except BadWindow as error:
        place: Place = entry.value.at
        scope.problems.error(place, where, error.text, error.hint)
        return None
