"""Temperatures out of the sensor tables of routers and switches, with the limits that their makers set.

ENTITY-SENSOR-MIB (RFC 3433), CISCO-ENTITY-SENSOR-MIB (the same columns, and thresholds) and the older
CISCO-ENVMON-MIB; names by ENTITY-MIB (RFC 6933).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.core.thresholds import Range
from monitor.core.verdict import Severity
from probes.params import Limits
from probes.snmp import Column, Snmp, Value, as_int, as_text

CISCO_SENSOR, CISCO_THRESHOLD = "1.3.6.1.4.1.9.9.91.1.1.1.1", "1.3.6.1.4.1.9.9.91.1.2.1.1"
"""entSensorValueEntry: type 1, scale 2, precision 3, value 4, status 5; entSensorThresholdEntry: severity 2,
relation 3, value 4."""
SENSOR = "1.3.6.1.2.1.99.1.1.1"
"""entPhySensorEntry: type 1, scale 2, precision 3, value 4, operStatus 5."""
ENVMON = "1.3.6.1.4.1.9.9.13.1.3.1"
"""ciscoEnvMonTemperatureStatusEntry: descr 2, value 3, threshold 4, state 6."""
ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
"""entPhysicalEntry: descr 2, class 5, name 7, softwareRev 10, modelName 13."""
CELSIUS = 8
STATUS_OK = 1
SCALES = {
    1: -24, 2: -21, 3: -18, 4: -15, 5: -12, 6: -9, 7: -6, 8: -3, 9: 0, 10: 3, 11: 6, 12: 9, 13: 12, 14: 18, 15: 15,
    16: 21, 17: 24,
}  # fmt: skip
"""EntitySensorDataScale as a power of ten; exa (14) stands before peta (15) in RFC 3433."""
BEYOND = 1_000_000_000
"""An EntitySensorValue of this size either way says that the true one does not fit (RFC 3433)."""
PLAUSIBLE = (-60.0, 200.0)
"""Degrees Celsius in which electronics can be; an unfitted sensor says 0, 255, 32767 ..., and only some are caught."""
MINOR, MAJOR, CRITICAL = 10, 20, 30
"""entSensorThresholdSeverity."""
ABOVE = frozenset({3, 4})
"""entSensorThresholdRelation greaterThan, greaterOrEqual."""
ENVMON_STATES = {1: Severity.OK, 2: Severity.WARNING, 3: Severity.CRITICAL, 4: Severity.CRITICAL}
"""CiscoEnvMonState normal, warning, critical, shutdown; 5 notPresent and 6 notFunctioning measure nothing."""
MOST_SENSORS = 100


@dataclass(frozen=True, slots=True)
class Sensor:
    """One temperature sensor: where it is read, by what power of ten, under which name; what its maker allows."""

    entry: str
    index: str
    power: int
    name: str
    limits: Limits = field(default_factory=Limits)

    @property
    def oids(self) -> tuple[str, str]:
        """OIDs of the value and of the status."""
        return f"{self.entry}.4.{self.index}", f"{self.entry}.5.{self.index}"


@dataclass(frozen=True, slots=True)
class Temperature:
    """`value` in Celsius; `limits` as the device gives them; `alarm`: what the device itself makes of it."""

    name: str
    value: float
    limits: Limits = field(default_factory=Limits)
    alarm: Severity = Severity.OK


async def find_sensors(snmp: Snmp, *, cisco: bool) -> tuple[Sensor, ...]:
    """Return the temperature sensors of a device, by the first table that lists any. Raises ProbeFault."""
    for entry in (CISCO_SENSOR, SENSOR) if cisco else (SENSOR,):
        types = await snmp.walk(f"{entry}.1")
        indexes = [index for index, kind in types.items() if as_int(kind) == CELSIUS][:MOST_SENSORS]
        if indexes:
            thresholds = [await snmp.walk(f"{CISCO_THRESHOLD}.{n}") for n in (2, 3, 4)] if entry == CISCO_SENSOR else []
            about = [f"{entry}.{n}.{index}" for index in indexes for n in (2, 3)]
            names = [f"{ENTITY}.{n}.{index}" for index in indexes for n in (7, 2)]
            return sensors_of(entry, indexes, await snmp.get(about + names), thresholds)
    return ()


def sensors_of(
    entry: str, indexes: Iterable[str], found: Mapping[str, Value], thresholds: list[Column]
) -> tuple[Sensor, ...]:
    """Return the sensors `indexes` of the table `entry`, named uniquely. Pure and total."""
    sensors: dict[str, Sensor] = {}
    for index in indexes:
        scale, precision = as_int(found.get(f"{entry}.2.{index}")), as_int(found.get(f"{entry}.3.{index}"))
        # A negative precision counts accurate digits and scales nothing (RFC 3433, EntitySensorPrecision).
        power = SCALES.get(scale or 9, 0) - min(9, max(0, precision or 0))
        text = as_text(found.get(f"{ENTITY}.7.{index}")) or as_text(found.get(f"{ENTITY}.2.{index}"))
        name = slug(text) or index
        if name in sensors:
            name = f"{name}_{index}"
        sensors[name] = Sensor(entry, index, power, name, _limits(index, power, thresholds))
    return tuple(sensors.values())


def _limits(index: str, power: int, thresholds: list[Column]) -> Limits:
    if not thresholds:
        return Limits()
    severities, relations, values = thresholds
    upper: dict[int, list[float]] = {}
    for row, raw in values.items():
        value = as_int(raw)
        if row.startswith(f"{index}.") and as_int(relations.get(row)) in ABOVE and value is not None:
            upper.setdefault(as_int(severities.get(row)) or 0, []).append(value * 10.0**power)
    warning = upper.get(MINOR, []) + upper.get(MAJOR, [])
    critical = upper.get(CRITICAL, [])
    return Limits(
        warning=Range(-math.inf, min(warning)) if warning else None,
        critical=Range(-math.inf, min(critical)) if critical else None,
    )


def temperatures_of(sensors: Iterable[Sensor], found: Mapping[str, Value]) -> tuple[Temperature, ...]:
    """Return what the sensors measured; one that is unavailable, broken or beyond all reason is left out."""
    seen = []
    for sensor in sensors:
        value, status = (as_int(found.get(oid)) for oid in sensor.oids)
        if value is None or status not in (None, STATUS_OK) or abs(value) >= BEYOND:
            continue
        degrees = value * 10.0**sensor.power
        if PLAUSIBLE[0] <= degrees <= PLAUSIBLE[1]:
            seen.append(Temperature(sensor.name, degrees, sensor.limits))
    return tuple(seen)


async def environment(snmp: Snmp) -> tuple[Temperature, ...]:
    """Return the temperatures of CISCO-ENVMON-MIB, of routers older than the sensor tables. Raises ProbeFault."""
    names = await snmp.walk(f"{ENVMON}.2")
    indexes = list(names)[:MOST_SENSORS]
    found = await snmp.get([f"{ENVMON}.{n}.{index}" for index in indexes for n in (3, 4, 6)])
    seen: dict[str, Temperature] = {}
    for index in indexes:
        value, limit, state = (as_int(found.get(f"{ENVMON}.{n}.{index}")) for n in (3, 4, 6))
        alarm = ENVMON_STATES.get(state or 1)
        if value is None or alarm is None or not PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
            continue
        name = slug(as_text(names[index])) or index
        critical = Range(-math.inf, limit) if limit is not None and 0 < limit <= PLAUSIBLE[1] else None
        seen[name if name not in seen else f"{name}_{index}"] = Temperature(
            name, float(value), Limits(critical=critical), alarm
        )
    return tuple(Temperature(name, one.value, one.limits, one.alarm) for name, one in seen.items())


def slug(text: str) -> str:
    """Return `text` as the end of a metric's name: `Temp: Outlet` -> `temp_outlet`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
