"""Who is on duty: rotas in the site's time, and the hours that people take over from each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from monitor.core.incident import Refused
from monitor.core.text import say

LONGEST_TURN = timedelta(days=92)
"""Of one member of a rotation; who is on duty for longer is a contact, not a rota."""
LOOKED_BACK, LOOKED_AHEAD = timedelta(days=100), timedelta(days=400)
"""How far the beginning and the end of a spell of duty are looked for: each turn, and a year of turns to come."""
KEPT = timedelta(days=31)
"""For how long after its end an override is kept: no reason to tell somebody is older when it is found."""
MOST_OVERRIDES = 200
"""Overrides that are kept: who is on duty must stay quick to say."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Each of `members` in turn for `days` days; each day of duty begins at `handover`, the first turn on `first`."""

    members: tuple[str, ...]
    handover: time
    first: date
    days: int

    def turns(self, day: date) -> tuple[Shift, ...]:
        """Return the duty that begins on `day`, of the site: one person until the same time of the next day."""
        who = self.members[(day - self.first).days // self.days % len(self.members)]
        return (Shift(who, frozenset({day.weekday()}), self.handover, self.handover),)


@dataclass(frozen=True, slots=True)
class Shift:
    """`who` is on duty on `days` (0 = Monday) from `begins` to `ends`, which is of the next day if not later."""

    who: str
    days: frozenset[int]
    begins: time
    ends: time

    def end_on(self, day: date) -> date:
        """Return the day on which the shift ends that began on `day`."""
        return day if self.ends > self.begins else day + _DAY


@dataclass(frozen=True, slots=True)
class Shifts:
    """Fixed shifts, which together cover each moment of the week once."""

    shifts: tuple[Shift, ...]

    def turns(self, day: date) -> tuple[Shift, ...]:
        """Return the shifts that begin on `day`, of the site."""
        return tuple(shift for shift in self.shifts if day.weekday() in shift.days)


@dataclass(frozen=True, slots=True)
class Spell:
    """`who` is on duty from `start` to before `end`, UTC; None where that lies further away than anybody looks."""

    who: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Override:
    """`who` takes over the duty of `rota` from `start` to before `end`, as `by` said; the last one made holds."""

    rota: str
    who: str
    start: datetime
    end: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class Rota:
    """Who is on duty when; at each moment exactly one person.

    `holidays`: a date of the site and who has all the duty that begins on it, until it ends: with a handover at 08:00,
    from 08:00 of that day to 08:00 of the next. A handover at a time that a change of the clocks leaves out takes place
    as they jump; at one that comes twice, the first time.
    """

    id: str
    zone: tzinfo
    pattern: Rotation | Shifts
    holidays: Mapping[date, str] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """Everybody whom it names, each once."""
        pattern = self.pattern
        usual = pattern.members if isinstance(pattern, Rotation) else tuple(shift.who for shift in pattern.shifts)
        return tuple(dict.fromkeys((*usual, *self.holidays.values())))

    def _planned(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime, str]]:
        """What is planned from `start` to `end`, without a gap; the first may begin before, the last end after."""
        day, last = (at.astimezone(self.zone).date() for at in (start - 2 * _DAY, end + _DAY))
        found = []
        while day <= last:
            for shift in self.pattern.turns(day):
                begins = instant(day, shift.begins, self.zone)
                ends = instant(shift.end_on(day), shift.ends, self.zone)
                found.append((begins, ends, self.holidays.get(day, shift.who)))
            day += _DAY
        return sorted(one for one in found if one[0] < one[1] and one[1] > start)

    def spells(self, overrides: Iterable[Override], start: datetime, end: datetime) -> tuple[Spell, ...]:
        """Return who is on duty from `start` to `end`, in order and without a gap; one person's hours in one spell.

        The first begins at `start` and the last ends at `end`, whatever is before and after.
        """
        planned = self._planned(start, end)
        own = [override for override in overrides if override.rota == self.id]
        moments = {at for begins, ends, _who in planned for at in (begins, ends)}
        moments |= {at for override in own for at in (override.start, override.end)}
        edges = [start, *sorted(at for at in moments if start < at < end), end]
        found: list[Spell] = []
        place = 0
        for begins, ends in pairwise(edges):
            while planned[place][1] <= begins:
                place += 1
            taken = [override.who for override in own if override.start <= begins < override.end]
            who = taken[-1] if taken else planned[place][2]
            before = found.pop() if found and found[-1].who == who else Spell(who, begins, ends)
            found.append(Spell(who, before.start, ends))
        return tuple(found)

    def on_duty(self, overrides: Iterable[Override], at: datetime) -> str:
        """Return who is on duty at `at`."""
        return self.spells(overrides, at, at + timedelta(microseconds=1))[0].who

    def now_and_next(self, overrides: Iterable[Override], at: datetime) -> tuple[Spell, Spell | None]:
        """Return the spell that goes on at `at` and the next one; None when nobody else comes within a year."""
        first, last = at - LOOKED_BACK, at + LOOKED_AHEAD
        found = self.spells(overrides, first, last)
        place = next(n for n, one in enumerate(found) if one.end is not None and at < one.end)
        now, following = found[place], found[place + 1 : place + 2]
        current = Spell(now.who, _known(now.start, first), _known(now.end, last))
        return current, next((replace(one, end=_known(one.end, last)) for one in following), None)


def _known(edge: datetime | None, horizon: datetime) -> datetime | None:
    return None if edge == horizon else edge


@dataclass(frozen=True, slots=True)
class Roster:
    """Every rota by its name, and what people changed: whom a name in the protocol stands for at a moment."""

    rotas: Mapping[str, Rota] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    def people(self, names: Iterable[str], at: datetime) -> tuple[str, ...]:
        """Return the contacts for which `names` stand at `at`, each once: of a rota, who is on duty then."""
        found = (self.rotas[name].on_duty(self.overrides, at) if name in self.rotas else name for name in names)
        return tuple(dict.fromkeys(found))


def instant(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the moment, UTC, at which the clocks of `zone` reach `at` on `day`: never earlier for a later time.

    A time that comes twice is the first; one that is left out is the moment at which the clocks jump over it.
    """
    local = datetime.combine(day, at, zone)
    first, last = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    if first <= last:  # fold=1 of a time that is left out is taken by the offset after the jump: earlier, not later
        return first
    before, after = last, first
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(microseconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after


def with_override(overrides: Iterable[Override], override: Override, now: datetime) -> tuple[Override, ...]:
    """Return `overrides` and, as the last, `override`, from `now` on at the earliest: what is past stays as it was.

    Those that ended long ago are left out. Raises Refused when there are too many.
    """
    kept = tuple(one for one in overrides if one.end > now - KEPT)
    if len(kept) >= MOST_OVERRIDES:
        raise Refused(say("{count} overrides are enough: change the rota in the inventory", count=len(kept)))
    return (*kept, replace(override, start=max(override.start, now)))


def override_to_json(override: Override) -> dict[str, Any]:
    """Return `override` as JSON-ready data; `override_from_json` gives it back equal."""
    return {
        "rota": override.rota,
        "who": override.who,
        "start": override.start.isoformat(),
        "end": override.end.isoformat(),
        "by": override.by,
    }


def override_from_json(data: Mapping[str, Any]) -> Override:
    """Return the override that `override_to_json` wrote."""
    start, end = (datetime.fromisoformat(data[key]) for key in ("start", "end"))
    return Override(data["rota"], data["who"], start, end, data["by"])
