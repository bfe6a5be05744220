"""A controller on Modbus read by its profile: which registers to ask for, and what their numbers mean. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.profile_model import Level, ModbusProfile, NibbleAlarms, Registers
from probes.readings import settled

WORD = 16
"""Bits of a register."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is active: its name in the table, and what it does to the machine."""

    name: str
    level: Level


@dataclass(frozen=True, slots=True)
class Controller:
    """`values` by name in the profile's units, `parts` of a value by name (phases), `states` as words, `alarms`."""

    values: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()


def spans_of(profile: ModbusProfile) -> tuple[tuple[int, int], ...]:
    """Return what to read: (address, number of registers) of each value, which must not be torn apart; in order."""
    spans = {
        (address, reading.registers)
        for reading in profile.read.values()
        for address in ([reading.address] if reading.address is not None else reading.addresses.values())
    }
    spans |= {(table.address, 1) for table in profile.state.values()}
    spans |= {(table.address, 1) for table in profile.alarm_bits}
    spans |= {(table.address + place, 1) for table in profile.alarms for place in range(table.count)}
    return tuple(sorted(spans))


def decoded(profile: ModbusProfile, registers: Mapping[int, int]) -> Controller:
    """Return what `registers` (address -> 0..65535; those that the controller does not have left out) mean."""
    values: dict[str, float] = {}
    parts: dict[str, Mapping[str, float]] = {}
    for name, reading in profile.read.items():
        numbers = _numbers(profile, reading, registers)
        if numbers:
            values[name], parts[name] = settled(numbers, reading.worst, reading.unit)
    states: dict[str, str] = {}
    for name, table in profile.state.items():
        code = registers.get(table.address)
        if code is not None and not _is_absent(profile, code, WORD, signed=False):
            states[name] = table.words.get(code, f"code_{code}")
    alarms = [alarm for table in profile.alarms for alarm in _nibbles(table, registers)]
    return Controller(values, parts, states, tuple(dict.fromkeys([*alarms, *_bits(profile, registers)])))


def _numbers(profile: ModbusProfile, reading: Registers, registers: Mapping[int, int]) -> dict[str, float]:
    places = {"": reading.address} if reading.address is not None else dict(reading.addresses)
    bits = WORD * reading.registers
    bounds = reading.range or (-math.inf, math.inf)
    found: dict[str, float] = {}
    for part, address in places.items():
        words = [registers.get(address + offset) for offset in range(reading.registers)]
        raw = 0
        for word in words:
            raw = raw << WORD | (word or 0)
        if None in words or raw in reading.absent or _is_absent(profile, raw, bits, signed=reading.signed):
            continue
        if reading.signed and raw >= 1 << bits - 1:
            raw -= 1 << bits
        value = round(raw * reading.scale, 6)
        if bounds[0] <= value <= bounds[1]:
            found[part] = value
    return found


def _is_absent(profile: ModbusProfile, raw: int, bits: int, *, signed: bool) -> bool:
    """Return whether `raw` is one of the numbers at the top of its width that the profile reserves."""
    top = 1 << (bits - 1 if signed else bits)
    return top - profile.absent_top <= raw < top


def _nibbles(table: NibbleAlarms, registers: Mapping[int, int]) -> list[Alarm]:
    found: list[Alarm] = []
    for place in range(4 * table.count):
        word = registers.get(table.address + place // 4)
        level = table.levels.get(word >> 12 - 4 * (place % 4) & 0xF) if word is not None else None
        if level is not None:
            found.append(Alarm(table.names[place] if place < len(table.names) else f"alarm {place + 1}", level))
    return found


def _bits(profile: ModbusProfile, registers: Mapping[int, int]) -> list[Alarm]:
    found: list[Alarm] = []
    for table in profile.alarm_bits:
        word = registers.get(table.address)
        if word is not None and not _is_absent(profile, word, WORD, signed=False):
            found += [Alarm(alarm.name, alarm.level) for bit, alarm in table.bits.items() if word >> bit & 1]
    return found
