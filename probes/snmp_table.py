"""A device on SNMP read by its profile: which objects to ask for, and what its answers mean.

`look_up` does the asking, through anything with `get` and `walk`; `decoded` is pure and takes the answers as they came.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from probes.profile import chosen
from probes.profile_model import AlarmTable, SnmpProfile, SnmpReading, Source, States
from probes.readings import Decoded, in_figures, settled

Value = int | bytes | str
"""What an agent answers: numbers, octet strings, object identifiers."""

SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
"""SNMPv2-MIB sysObjectID: what kind of device its maker says it is (RFC 3418)."""

MAX_TEXT = 255
"""Characters of a fact that are kept; a DisplayString has no more (RFC 2579)."""


class Agent(Protocol):
    """What is asked of an SNMP session; `probes.snmp.Snmp` is one."""

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value]:
        """Return the scalars that the agent has, by OID."""
        ...

    async def walk(self, column: str) -> Mapping[str, Value]:
        """Return the rows below `column`, by the rest of their OID."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What an agent said: scalars by OID, and columns by OID with their rows by the rest of it."""

    scalars: Mapping[str, Value] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


async def recognised(agent: Agent, candidates: Iterable[SnmpProfile]) -> SnmpProfile | None:
    """Return the profile that fits the device, None if none does; one GET."""
    order = tuple(candidates)
    asked = dict.fromkeys([SYS_OBJECT_ID, *(oid for profile in order for oid in profile.match.present)])
    got = await agent.get(tuple(asked))
    object_id = got.get(SYS_OBJECT_ID)
    return chosen(order, object_id if isinstance(object_id, str) else "", got)


async def look_up(agent: Agent, chain: Sequence[SnmpProfile], wanted: Collection[str]) -> Decoded:
    """Return `wanted` (names of read, state and facts; `alarms`) as the first profile of `chain` that knows it has it.

    Scalars of one profile are one request; a column is walked only while nothing before it gave the value.
    """
    found = Decoded()
    for profile in chain:
        missing = [name for name in wanted if not found.has(name)]
        if missing:
            found = found.completed(decoded(profile, await _asked(agent, profile, missing), missing))
    return found


async def _asked(agent: Agent, profile: SnmpProfile, names: Collection[str]) -> Answers:
    scalars = dict(await agent.get(scalars_of(profile, names)))
    columns: dict[str, Mapping[str, Value]] = {}
    for name in names:
        for reading in profile.read.get(name, ()):
            if reading.column is not None:
                columns[reading.column] = await agent.walk(reading.column)
            if _read(profile, reading, Answers(scalars, columns)):
                break
    if profile.alarms is not None and "alarms" in names:
        columns[profile.alarms.column] = await agent.walk(profile.alarms.column)
    return Answers(scalars, columns)


def scalars_of(profile: SnmpProfile, names: Collection[str]) -> tuple[str, ...]:
    """Return the OIDs of every scalar that `names` need, each once."""
    oids: list[str | None] = []
    for name in names:
        for reading in profile.read.get(name, ()):
            oids += [reading.oid, reading.rows, *reading.oids.values()]
        if name in profile.state:
            oids += [source.oid for source in profile.state[name].sources.values()]
        oids += profile.facts.get(name, ())
    return tuple(dict.fromkeys(oid for oid in oids if oid is not None))


def decoded(profile: SnmpProfile, answers: Answers, names: Collection[str]) -> Decoded:
    """Return what `answers` mean for each of `names`; what the agent did not answer, or answered by a number that the
    profile calls absent, is not there."""
    values: dict[str, float] = {}
    parts: dict[str, Mapping[str, float]] = {}
    states: dict[str, tuple[str, ...]] = {}
    raised: list[str] = []
    for name in names:
        for reading in profile.read.get(name, ()):
            numbers = _read(profile, reading, answers)
            if numbers:
                values[name], parts[name] = settled(numbers, reading.worst, reading.unit)
                break
        if name in profile.state:
            words, alarms = _words(profile.state[name], answers)
            states |= {name: words} if words else {}
            raised += alarms
    listed, implied = _table(profile.alarms, answers) if "alarms" in names else ([], [])
    facts = {name: text for name in names if (text := _fact(profile.facts.get(name, ()), answers))}
    knows = profile.alarms is not None or any(_tells_alarms(profile.state[name]) for name in states)
    return Decoded(values, parts, states, _once([*raised, *listed]), _once(implied), knows, facts)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _tells_alarms(states: States) -> bool:
    return any(line.alarm is not None for line in states.say)


def _read(profile: SnmpProfile, reading: SnmpReading, answers: Answers) -> dict[str, float]:
    """Return the numbers of a reading by the name of their part; a scalar's only part is ''."""
    if reading.oid is not None:
        raw: Mapping[str, Value | None] = {"": answers.scalars.get(reading.oid)}
    elif reading.oids:
        raw = {part: answers.scalars.get(oid) for part, oid in reading.oids.items()}
    else:
        raw = _rows(reading, answers)
    numbers = {part: _number(value) for part, value in raw.items()}
    absent = {*profile.absent, *reading.absent}
    found = {part: number * reading.scale for part, number in numbers.items() if number not in absent}
    bounds = reading.range or (-math.inf, math.inf)
    return {part: round(value, 6) for part, value in found.items() if bounds[0] <= value <= bounds[1]}


def _rows(reading: SnmpReading, answers: Answers) -> dict[str, Value | None]:
    """Return the rows of a column in the order of their index, named L1, L2, ... as phases are."""
    rows = answers.columns.get(reading.column or "", {})
    ordered = sorted(rows, key=lambda suffix: [int(arc) if arc.isdecimal() else 0 for arc in suffix.split(".")])
    count = _number(answers.scalars.get(reading.rows)) if reading.rows is not None else None
    if count is not None and 1 <= count <= len(ordered):
        ordered = ordered[: int(count)]
    return {f"L{place}": rows[suffix] for place, suffix in enumerate(ordered, 1)}


def _words(states: States, answers: Answers) -> tuple[tuple[str, ...], list[str]]:
    """Return the words and the alarms of the lines that hold; none of them if the source that it needs is silent."""
    seen = {name: _code(source, answers) for name, source in states.sources.items()}
    if states.needs is not None and seen[states.needs] is None:
        return (), []
    held = [line for line in states.say if all(seen[name] in codes for name, codes in line.when.items())]
    words = [word for line in held if line.say for word in line.say.split()]
    return _once(words), [line.alarm for line in held if line.alarm]


def _code(source: Source, answers: Answers) -> int | None:
    value = answers.scalars.get(source.oid)
    if source.character is not None:
        value = _text(value)[source.character - 1 : source.character]
    number = _number(value)
    return int(number) if number.is_integer() else None


def _table(table: AlarmTable | None, answers: Answers) -> tuple[list[str], list[str]]:
    """Return the names of the alarms that are present and no mere status, and the status words that the others say."""
    if table is None:
        return [], []
    names: list[str] = []
    words: list[str] = []
    for value in answers.columns.get(table.column, {}).values():
        oid = _text(value).removeprefix(".")
        under, _, arc = oid.rpartition(".")
        number = int(arc) if under == table.under and arc.isdecimal() else -1
        known = table.names.get(number)
        if known is not None and known.say:
            words += known.say.split()
        elif oid and number not in table.ignore:
            names.append(known.name if known is not None else oid)
    return names, words


def _fact(oids: Sequence[str], answers: Answers) -> str:
    return next((text for oid in oids if (text := _text(answers.scalars.get(oid)))), "")


def _number(value: Value | None) -> float:
    """Return a number, also where a device writes it in figures (`27.0`); NaN for anything else."""
    if isinstance(value, int):
        return float(value)
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return math.nan if text is None else in_figures(text)


def _text(value: Value | None) -> str:
    """Return a device's words on one line without control characters."""
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join(char if char.isprintable() else " " for char in text).strip()[:MAX_TEXT]
