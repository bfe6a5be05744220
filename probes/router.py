"""How is a router or switch: load, memory, temperature, how long up, which model and software, when last configured?

A device that lacks a part (no sensors, no such MIB) lacks that metric; it is never 0 instead. Cisco's MIBs first for
Cisco's devices, then what any host has (HOST-RESOURCES-MIB, UCD-SNMP-MIB).
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from monitor.core.text import Quantity, Text, say
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.contract import Io, ProbeFault, Target
from probes.params import Limits, Params
from probes.phrases import figures, joined
from probes.sensors import ENTITY, Sensor, Temperature, environment, find_sensors, temperatures_of
from probes.snmp import SYS_UP_TIME, Snmp, Value, as_int, as_text, open_snmp

T = TypeVar("T")

SYS_DESCR, SYS_OBJECT_ID, SYS_NAME = (f"1.3.6.1.2.1.1.{n}.0" for n in (1, 2, 5))
ENGINE_TIME = "1.3.6.1.6.3.10.2.1.3.0"
"""SNMP-FRAMEWORK-MIB snmpEngineTime, seconds: goes on where sysUpTime wraps after 497 days."""
HOST_UP_TIME = "1.3.6.1.2.1.25.1.1.0"
"""HOST-RESOURCES-MIB hrSystemUptime: of the machine, where sysUpTime is of the agent."""
PROCESSOR_LOAD = "1.3.6.1.2.1.25.3.3.1.2"
"""hrProcessorLoad, per cent of the last minute, of each processor."""
CISCO = "1.3.6.1.4.1.9."
CPU_5_MINUTES = ("1.3.6.1.4.1.9.9.109.1.1.1.1.8", "1.3.6.1.4.1.9.9.109.1.1.1.1.5")
"""CISCO-PROCESS-MIB cpmCPUTotal5minRev, and cpmCPUTotal5min of before IOS 12.2(3.5)."""
AVERAGE_BUSY_5 = "1.3.6.1.4.1.9.2.1.58.0"
"""OLD-CISCO-CPU-MIB avgBusy5."""
POOL = "1.3.6.1.4.1.9.9.221.1.1.1.1"
"""CISCO-ENHANCED-MEMPOOL-MIB cempMemPoolEntry: type 2, name 3, used 7, free 8, HC used 18, HC free 20."""
PROCESSOR_MEMORY = 2
OLD_POOL_USED, OLD_POOL_FREE = "1.3.6.1.4.1.9.9.48.1.1.1.5.1", "1.3.6.1.4.1.9.9.48.1.1.1.6.1"
"""CISCO-MEMORY-POOL-MIB, pool 1 (processor); Gauge32, full at 4 GB."""
RUNNING_CHANGED = "1.3.6.1.4.1.9.9.43.1.1.1.0"
"""CISCO-CONFIG-MAN-MIB ccmHistoryRunningLastChanged: sysUpTime at the last change, 0 if there was none."""
UCD_TOTAL, UCD_FREE, UCD_BUFFER, UCD_CACHED = (f"1.3.6.1.4.1.2021.4.{n}.0" for n in (5, 6, 14, 15))
"""UCD-SNMP-MIB memTotalReal, memAvailReal, memBuffer, memCached, kB."""
STORAGE = "1.3.6.1.2.1.25.2.3.1"
"""hrStorageEntry: type 2, size 5, used 6."""
STORAGE_RAM = "1.3.6.1.2.1.25.2.1.2"
FIRST_ENTITY = "1"
CHASSIS = 3
"""entPhysicalClass chassis."""
TICKS = 100
WRAP = 2**32
VERSIONS = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"\bVers(?:ion)?[: ]+([0-9A-Za-z][\w.()\-]*[\w)])",
        r"\bSoftware[: ]+([0-9A-Za-z][\w.()\-]*[\w)])",
        r"^(?:Linux|FreeBSD|OpenBSD) \S+ (\d\S*)",
    )
)
"""How makers write a version into sysDescr; the first that fits."""
LAYOUT = "router"
"""Key of `Io.memory`: what does not change between observations."""
FAILED = "router.failed"
"""Key of `Io.memory`: when the agent last fell silent at a part, on the boot clock."""
LEFT_ALONE = 3600.0
"""Seconds for which such a part is not asked for."""
BUSY = Limits(warning=Range(-math.inf, 80), critical=Range(-math.inf, 95))
SHORT = Limits(warning=Range(-math.inf, 85), critical=Range(-math.inf, 95))
SCALARS = (
    SYS_DESCR, SYS_OBJECT_ID, SYS_UP_TIME, SYS_NAME, ENGINE_TIME, HOST_UP_TIME, AVERAGE_BUSY_5, OLD_POOL_USED,
    OLD_POOL_FREE, RUNNING_CHANGED, UCD_TOTAL, UCD_FREE, UCD_BUFFER, UCD_CACHED,
)  # fmt: skip


class RouterParams(Params):
    """Keys of a check of kind `router`; `warning` and `critical` are of the processor."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a device has: its temperature sensors, its model and software by ENTITY-MIB."""

    sensors: tuple[Sensor, ...] = ()
    model: str = ""
    software: str = ""


@dataclass(frozen=True, slots=True)
class RouterSeen:
    """`cpu`, `memory` in per cent, `uptime` in seconds; None for what the device does not tell."""

    cpu: float | None = None
    memory: float | None = None
    uptime: float | None = None
    temperatures: tuple[Temperature, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class Router:
    """Kind `router`."""

    kind: ClassVar[str] = "router"
    Params: ClassVar[type[RouterParams]] = RouterParams
    ways: ClassVar[tuple[str, ...]] = ("snmp",)
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (
        ("cpu", "%"),
        ("memory", "%"),
        ("temperature", "Cel"),
        ("uptime", "s"),
    )
    judged: ClassVar[frozenset[str]] = frozenset({"cpu", "memory", "temperature"})
    """Metrics that it judges by thresholds of its own where the inventory gives none."""
    needs: ClassVar[Text] = say("By snmp: a community or user that may read everything below 1.3.6.1.")

    async def observe(self, target: Target, params: RouterParams, io: Io) -> RouterSeen:
        """Read the device once. Raises ProbeFault."""
        snmp = await open_snmp(target, io)
        scalars = await snmp.get(SCALARS)
        cisco = as_text(scalars.get(SYS_OBJECT_ID)).startswith(CISCO)
        cpu = await _part("cpu", io, lambda: _cpu(snmp, scalars, cisco=cisco))
        memory = await _part("memory", io, lambda: _memory(snmp, scalars, cisco=cisco))
        layout = io.memory.get(LAYOUT)
        if not isinstance(layout, Layout):
            layout = await _part("layout", io, lambda: _laid_out(snmp, cisco=cisco))
            if layout is not None:
                io.memory[LAYOUT] = layout
        layout = layout or Layout()
        temperatures = await _part("temperature", io, lambda: _temperatures(snmp, layout, cisco=cisco)) or ()
        if layout.sensors and not temperatures:
            # All of them gone: cards were moved, or the device renumbered. Look for them anew next time.
            del io.memory[LAYOUT]
        seen = RouterSeen(cpu, memory, up_time(scalars), temperatures, _facts(scalars, layout, io))
        if seen == RouterSeen():
            raise ProbeFault(
                say("the SNMP agent of {device} answers but shows nothing of the device", device=target.name),
                say("Widen what its community or user may read (its view)"),
            )
        return seen

    def judge(self, seen: RouterSeen, params: RouterParams) -> Verdict:
        """Say what the figures mean; of temperatures, each against its own sensor's limits."""
        metrics = tuple(_metrics(seen, params))
        alarms = [one for one in seen.temperatures if one.alarm is not Severity.OK]
        bad = [metric for metric in metrics if metric.severity is not Severity.OK]
        said = [_complaint(metric) for metric in bad if metric.name != "temperature"]
        said += [say("{name} reports a temperature alarm", name=one.name) for one in alarms]
        severity = worst([*(metric.severity for metric in metrics), *(one.alarm for one in alarms)])
        return Verdict(severity, joined(said) if said else _summary(seen), metrics, seen.facts)


async def _part(name: str, io: Io, look: Callable[[], Awaitable[T]]) -> T | None:
    """Return what `look` sees of one part; None where the agent fails at it, though it answers otherwise.

    Agents fall silent at single tables. A part that did is left alone for a while, lest each observation waits for it.
    """
    failed: dict[str, float] = io.memory.setdefault(FAILED, {})
    if io.clock.boot() < failed.get(name, -math.inf) + LEFT_ALONE:
        return None
    try:
        return await look()
    except ProbeFault:
        failed[name] = io.clock.boot()
        return None


async def _cpu(snmp: Snmp, scalars: Mapping[str, Value], *, cisco: bool) -> float | None:
    load = await _cisco_cpu(snmp, scalars) if cisco else None
    return load if load is not None else await _host_cpu(snmp)


async def _memory(snmp: Snmp, scalars: Mapping[str, Value], *, cisco: bool) -> float | None:
    used = await _cisco_memory(snmp, scalars) if cisco else None
    return used if used is not None else await _host_memory(snmp, scalars)


async def _laid_out(snmp: Snmp, *, cisco: bool) -> Layout:
    sensors = await find_sensors(snmp, cisco=cisco)
    model, software = await _entity(snmp, FIRST_ENTITY)
    if not model:
        classes = await snmp.walk(f"{ENTITY}.5")
        chassis = next((index for index, kind in classes.items() if as_int(kind) == CHASSIS), None)
        if chassis is not None and chassis != FIRST_ENTITY:
            model, software = await _entity(snmp, chassis)
    return Layout(sensors, model, software)


async def _entity(snmp: Snmp, index: str) -> tuple[str, str]:
    model, software = f"{ENTITY}.13.{index}", f"{ENTITY}.10.{index}"
    found = await snmp.get([model, software])
    return as_text(found.get(model)), as_text(found.get(software))


async def _temperatures(snmp: Snmp, layout: Layout, *, cisco: bool) -> tuple[Temperature, ...]:
    if layout.sensors:
        oids = [oid for sensor in layout.sensors for oid in sensor.oids]
        return temperatures_of(layout.sensors, await snmp.get(oids))
    return await environment(snmp) if cisco else ()


async def _cisco_cpu(snmp: Snmp, scalars: Mapping[str, Value]) -> float | None:
    """Return the busiest processor's load over five minutes: a module that is full stops what passes through it."""
    for column in CPU_5_MINUTES:
        loads = [load for value in (await snmp.walk(column)).values() if (load := _share(value)) is not None]
        if loads:
            return max(loads)
    return _share(scalars.get(AVERAGE_BUSY_5))


async def _cisco_memory(snmp: Snmp, scalars: Mapping[str, Value]) -> float | None:
    """Return the share used of the processor pool. Other pools (lsmpi_io, reserve) are full by design."""
    names = await snmp.walk(f"{POOL}.3")
    named = [index for index, name in names.items() if as_text(name).casefold() == "processor"]
    if not named:
        types = await snmp.walk(f"{POOL}.2")
        named = [index for index, kind in types.items() if as_int(kind) == PROCESSOR_MEMORY]
    if not named:
        return _used(as_int(scalars.get(OLD_POOL_USED)), as_int(scalars.get(OLD_POOL_FREE)))
    found = await snmp.get([f"{POOL}.{n}.{index}" for index in named for n in (7, 8, 18, 20)])

    def number(column: int, index: str) -> int | None:
        return as_int(found.get(f"{POOL}.{column}.{index}"))

    wide = [_used(number(18, index), number(20, index)) for index in named]
    narrow = [_used(number(7, index), number(8, index)) for index in named]
    return max((share for share in wide if share is not None), default=None) or max(
        (share for share in narrow if share is not None), default=None
    )


async def _host_cpu(snmp: Snmp) -> float | None:
    loads = [load for value in (await snmp.walk(PROCESSOR_LOAD)).values() if (load := _share(value)) is not None]
    return sum(loads) / len(loads) if loads else None


async def _host_memory(snmp: Snmp, scalars: Mapping[str, Value]) -> float | None:
    """Return the share of memory in use; what the system lends to caches is free (UCD), where it tells."""
    total, *spare = (as_int(scalars.get(oid)) for oid in (UCD_TOTAL, UCD_FREE, UCD_BUFFER, UCD_CACHED))
    if total is not None and total > 0 and spare[0] is not None:
        free = sum(part for part in spare if part is not None)
        return _used(total - free, free)
    types = await snmp.walk(f"{STORAGE}.2")
    ram = next((index for index, kind in types.items() if kind == STORAGE_RAM), None)
    if ram is None:
        return None
    found = await snmp.get([f"{STORAGE}.5.{ram}", f"{STORAGE}.6.{ram}"])
    size, used = as_int(found.get(f"{STORAGE}.5.{ram}")), as_int(found.get(f"{STORAGE}.6.{ram}"))
    return None if size is None or used is None else _used(used, size - used)


def _share(value: Value | None) -> float | None:
    number = as_int(value)
    return float(number) if number is not None and 0 <= number <= 100 else None


def _used(used: int | None, free: int | None) -> float | None:
    """Return the per cent of used + free that is used; None for what cannot be."""
    if used is None or free is None or used < 0 or free < 0 or used + free == 0:
        return None
    return 100 * used / (used + free)


def up_time(scalars: Mapping[str, Value]) -> float | None:
    """Return the seconds that the device has been up, by the clock that says most: the machine's, else the agent's."""
    host, agent = as_int(scalars.get(HOST_UP_TIME)), as_int(scalars.get(SYS_UP_TIME))
    engine = as_int(scalars.get(ENGINE_TIME))
    known = [ticks / TICKS for ticks in (host, agent) if ticks is not None and ticks >= 0]
    if engine is not None and engine >= 0:
        known.append(float(engine))
    return max(known, default=None)


def _facts(scalars: Mapping[str, Value], layout: Layout, io: Io) -> dict[str, str]:
    descr = as_text(scalars.get(SYS_DESCR))
    facts = {
        "name": as_text(scalars.get(SYS_NAME)),
        "model": layout.model,
        "version": version(descr) or layout.software,
        "config_changed_at": _changed_at(scalars, io),
    }
    return {name: fact for name, fact in facts.items() if fact}


def version(descr: str) -> str:
    """Return the version of the software out of sysDescr, empty if it names none."""
    return next((match[1] for shape in VERSIONS if (match := shape.search(descr))), "")


def _changed_at(scalars: Mapping[str, Value], io: Io) -> str:
    """Return when the running configuration last changed (ISO 8601, UTC); empty if never since the device started.

    The agent tells it in its own ticks. They are turned into a time once a change, lest the fact trembles by a second.
    """
    changed, uptime = as_int(scalars.get(RUNNING_CHANGED)), as_int(scalars.get(SYS_UP_TIME))
    if not changed or uptime is None:
        return ""
    ago = timedelta(seconds=(uptime - changed) % WRAP / TICKS)
    known = io.memory.get(RUNNING_CHANGED)
    at: datetime = (io.clock.now() - ago).replace(microsecond=0)
    if isinstance(known, tuple) and known[0] == changed and abs(known[1] - at) < timedelta(minutes=1):
        at = known[1]
    io.memory[RUNNING_CHANGED] = (changed, at)
    return at.isoformat().replace("+00:00", "Z")


def _metrics(seen: RouterSeen, params: RouterParams) -> list[Metric]:
    metrics = []
    if seen.cpu is not None:
        metrics.append(params.metric("cpu", seen.cpu, "%", first=True, minimum=0, maximum=100, default=BUSY))
    if seen.memory is not None:
        metrics.append(params.metric("memory", seen.memory, "%", minimum=0, maximum=100, default=SHORT))
    if seen.temperatures:
        hottest = max(seen.temperatures, key=lambda one: one.value)
        metrics.append(params.metric("temperature", hottest.value, "Cel", default=hottest.limits))
        metrics += [
            params.metric(f"temperature.{one.name}", one.value, "Cel", default=one.limits) for one in seen.temperatures
        ]
    if seen.uptime is not None:
        metrics.append(params.metric("uptime", seen.uptime, "s", minimum=0))
    return metrics


def _complaint(metric: Metric) -> Text:
    name, _, part = metric.name.partition(".")
    value = Quantity(metric.value, metric.unit)
    match name:
        case "cpu":
            return say("processor at {value}", value=value)
        case "memory":
            return say("memory at {value}", value=value)
        case "uptime":
            return say("started {value} ago", value=value)
        case _:
            return say("{name} at {value}", name=part or name, value=value)


def _summary(seen: RouterSeen) -> Text:
    shown = []
    if seen.cpu is not None:
        shown.append(say("processor {value}", value=Quantity(seen.cpu, "%")))
    if seen.memory is not None:
        shown.append(say("memory {value}", value=Quantity(seen.memory, "%")))
    if seen.temperatures:
        hottest = max(one.value for one in seen.temperatures)
        shown.append(say("hottest {value}", value=Quantity(hottest, "Cel")))
    if seen.uptime is not None:
        shown.append(say("up for {value}", value=Quantity(seen.uptime, "s")))
    return figures(shown) if shown else say("the device answers")
