"""What a device profile may hold: a table of what to read, in which unit, and what is no value; not a language.

Two ways to a device have tables so far: SNMP (OIDs) and Modbus (registers).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

UNITS = frozenset({"%", "s", "Cel", "V", "A", "Hz", "1/min", "W", "dB", "dBm", "By", "bit/s", "ms", "1"})
"""UCUM units that a table may give; one that is not here is more likely a slip than a new quantity."""

MAX_REGISTERS = 100
"""Registers of one alarm table; a Modbus answer holds 125 at most (Modbus Application Protocol 1.1b3, 6.3)."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PROFILE_NAME = re.compile(r"[a-z][a-z0-9-]*")
_OID = re.compile(r"\d+(\.\d+){2,}")
_WORD = re.compile(r"[A-Z][A-Z0-9]*( [A-Z][A-Z0-9]*)*")


def _shaped(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise ValueError(f"{text!r} is not {what}")
        return text

    return AfterValidator(check)


def _several(value: Any) -> Any:
    """One thing and a list of one are the same."""
    return value if isinstance(value, (list, tuple)) else [value]


def _known_unit(unit: str) -> str:
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is no unit that is measured here: {', '.join(sorted(UNITS))}")
    return unit


Oid = Annotated[str, _shaped(_OID, "an OID in figures, such as 1.3.6.1.2.1.33.1.2.4.0")]
Name = Annotated[str, _shaped(_NAME, "a name in small letters, such as input_voltage")]
ProfileName = Annotated[str, _shaped(_PROFILE_NAME, "a profile's name in small letters, such as ups-mib")]
Words = Annotated[str, _shaped(_WORD, "one or more status words in capitals, such as OB or OL BYPASS")]
Unit = Annotated[str, AfterValidator(_known_unit)]
Integers = Annotated[tuple[int, ...], BeforeValidator(_several), Field(min_length=1)]
Oids = Annotated[tuple[Oid, ...], BeforeValidator(_several), Field(min_length=1)]
Address = Annotated[int, Field(ge=0, le=65535)]
Bounds = tuple[float, float]
Worst = Literal["min", "max"]


class Table(BaseModel):
    """A piece of a profile: unknown keys are errors, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Measured(Table):
    """What makes a raw number a value.

    `absent` are raw numbers that mean "not there", `range` the bounds (in `unit`, after `scale`) outside of which a
    value is none.
    """

    unit: Unit
    scale: float = 1
    absent: Annotated[tuple[int, ...], BeforeValidator(_several)] = ()
    range: Bounds | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Measured:
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value 0")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError("range: the first bound must lie below the second")
        return self


class SnmpReading(Measured):
    """A scalar (`oid`), several by name (`oids`) or the rows of a `column`; of several, `worst` stands for all.

    `rows`: a scalar that says how many rows of the column count; some agents fill three phases whatever there is.
    """

    oid: Oid | None = None
    oids: dict[str, Oid] = Field(default_factory=dict)
    column: Oid | None = None
    rows: Oid | None = None
    worst: Worst | None = None

    @model_validator(mode="after")
    def _one_source(self) -> SnmpReading:
        if [self.oid is not None, bool(self.oids), self.column is not None].count(True) != 1:
            raise ValueError("give one of oid (one value), oids (by name) and column (a table)")
        if (self.oid is None) != (self.worst is not None):
            raise ValueError("worst: min or max belongs to oids or a column, and they need it")
        if self.rows is not None and self.column is None:
            raise ValueError("rows belongs to a column")
        return self


Readings = Annotated[tuple[SnmpReading, ...], BeforeValidator(_several), Field(min_length=1)]


class Source(Table):
    """Where a condition looks: an integer at `oid`, or, with `character`, that character (from 1) of a string."""

    oid: Oid
    character: Annotated[int, Field(ge=1, le=256)] | None = None


def _source(value: Any) -> Any:
    return {"oid": value} if isinstance(value, str) else value


class Line(Table):
    """If every source of `when` has one of its values, the line holds and adds its words, its alarm, or both."""

    when: Annotated[dict[str, Integers], Field(min_length=1)]
    say: Words | None = None
    alarm: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _terse(cls, data: Any) -> Any:
        """`{output: [3, 6], say: OL}` is short for `{when: {output: [3, 6]}, say: OL}`."""
        if not isinstance(data, Mapping) or "when" in data:
            return data
        said = {key: data[key] for key in ("say", "alarm") if key in data}
        return {"when": {key: value for key, value in data.items() if key not in said}, **said}

    @model_validator(mode="after")
    def _says_something(self) -> Line:
        if self.say is None and self.alarm is None:
            raise ValueError("a line says nothing: give say or alarm")
        return self


class States(Table):
    """Words out of several sources: every line that holds adds its own, in the order of the lines.

    `needs`: without an answer of this source the words of the others say too little, and the fallback is asked.
    """

    sources: Annotated[dict[Name, Annotated[Source, BeforeValidator(_source)]], Field(alias="from", min_length=1)]
    needs: Name | None = None
    say: Annotated[tuple[Line, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sources_exist(self) -> States:
        if self.needs is not None and self.needs not in self.sources:
            raise ValueError(f"needs: {self.needs!r} is not among from: {', '.join(self.sources)}")
        for line in self.say:
            for name in line.when:
                if name not in self.sources:
                    raise ValueError(f"say: {name!r} is not among from: {', '.join(self.sources)}")
        return self


class NamedAlarm(Table):
    """What an entry of an alarm table means: its name for people, and the status words that it adds."""

    name: str
    say: Words | None = None


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class AlarmTable(Table):
    """A table whose rows hold, in `column`, the OID of an alarm that is present now.

    `under` is what the OIDs have in common, `names` their last arcs. An alarm outside of it is named by its OID.
    """

    column: Oid
    under: Oid
    names: Annotated[dict[int, Annotated[NamedAlarm, BeforeValidator(_named)]], Field(min_length=1)]
    ignore: Annotated[tuple[int, ...], BeforeValidator(_several)] = ()


class Match(Table):
    """Which devices a profile is for: those below one of these sysObjectIDs, or that have any of these `present`."""

    object_ids: Annotated[tuple[Oid, ...], BeforeValidator(_several), Field(alias="sysObjectID")] = ()
    present: Annotated[tuple[Oid, ...], BeforeValidator(_several)] = ()

    @model_validator(mode="after")
    def _matches_something(self) -> Match:
        if not self.object_ids and not self.present:
            raise ValueError("give sysObjectID or present, or no device ever matches")
        return self


class Profile(Table):
    """What every profile has: `profile` is its name and the file's, `kind` the probe's, `source` where it is from."""

    profile: ProfileName
    kind: Name
    source: Annotated[str, Field(min_length=1)]


class SnmpProfile(Profile):
    """A device on SNMP. What it does not answer is asked of the profile `fallback`, name by name."""

    via: Literal["snmp"]
    match: Match
    fallback: ProfileName | None = None
    absent: Annotated[tuple[int, ...], BeforeValidator(_several)] = ()
    read: dict[Name, Readings] = Field(default_factory=dict)
    state: dict[Name, States] = Field(default_factory=dict)
    alarms: AlarmTable | None = None
    facts: dict[Name, Oids] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> SnmpProfile:
        if not (self.read or self.state or self.facts):
            raise ValueError("the table is empty: give read, state or facts")
        for name, readings in self.read.items():
            if len({reading.unit for reading in readings}) > 1:
                raise ValueError(f"read: {name}: its alternatives have different units")
        return self


class Registers(Measured):
    """Holding registers: one `address`, or `addresses` by name of which `worst` stands for all.

    `registers`: 1 (16 bit) or 2 (32 bit, high word first). `signed`: two's complement.
    """

    address: Address | None = None
    addresses: dict[str, Address] = Field(default_factory=dict)
    worst: Worst | None = None
    registers: Literal[1, 2] = 1
    signed: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Registers:
        if (self.address is None) == (not self.addresses):
            raise ValueError("give either address (one value) or addresses (by name)")
        if bool(self.addresses) != (self.worst is not None):
            raise ValueError("worst: min or max belongs to addresses, and addresses need it")
        places = [self.address] if self.address is not None else list(self.addresses.values())
        if self.registers == 2 and 65535 in places:
            raise ValueError("a value of two registers cannot start at the last one")
        return self


class CodeTable(Table):
    """One register whose number stands for a word."""

    address: Address
    words: Annotated[dict[int, Name], Field(min_length=1)]


Level = Literal["warning", "shutdown", "trip"]


class BitAlarm(Table):
    """An alarm that is one bit of a register."""

    name: str
    level: Level


class BitAlarms(Table):
    """One register, each bit (0 = least significant) an alarm."""

    address: Address
    bits: Annotated[dict[Annotated[int, Field(ge=0, le=15)], BitAlarm], Field(min_length=1)]


class NibbleAlarms(Table):
    """`count` registers from `address` with four alarms each, the first in the top four bits; `levels` by their code.

    `names` in that order; an alarm beyond them is named by its number, from 1.
    """

    address: Address
    count: Annotated[int, Field(ge=1, le=MAX_REGISTERS)]
    levels: Annotated[dict[Annotated[int, Field(ge=0, le=15)], Level], Field(min_length=1)]
    names: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> NibbleAlarms:
        if len(self.names) > 4 * self.count:
            raise ValueError(f"{len(self.names)} names, but {self.count} registers hold {4 * self.count}")
        if self.address + self.count > 65536:
            raise ValueError("the table runs past the last register")
        return self


class ModbusProfile(Profile):
    """A controller on Modbus. `absent_top`: how many values at the top of each width mean "not there" (GenComm: 8)."""

    via: Literal["modbus"]
    absent_top: Annotated[int, Field(ge=0, le=256)] = 0
    read: dict[Name, Registers] = Field(default_factory=dict)
    state: dict[Name, CodeTable] = Field(default_factory=dict)
    alarms: tuple[NibbleAlarms, ...] = ()
    alarm_bits: tuple[BitAlarms, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> ModbusProfile:
        if not (self.read or self.state):
            raise ValueError("the table is empty: give read or state")
        return self
