"""Does a link's interface work, how full and how clean is it? By IF-MIB (RFC 2863) on the device that ends it (S1)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.contract import Io, ProbeFault, Target, TargetFailure
from probes.counters import Admin, Between, Counter, Oper, Sample, compare
from probes.names import folded, nearest
from probes.params import Limits, Params, Rate
from probes.phrases import figures, joined
from probes.snmp import SYS_UP_TIME, Column, Snmp, Value, as_int, as_text, open_snmp

IF_ENTRY, IF_X_ENTRY = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
"""IF-MIB ifEntry and ifXEntry."""
IF_DESCR, IF_TYPE, IF_SPEED, IF_ADMIN, IF_OPER, IF_LAST_CHANGE = (f"{IF_ENTRY}.{n}" for n in (2, 3, 5, 7, 8, 9))
IF_NAME, IF_HIGH_SPEED, IF_ALIAS, IF_DISCONTINUITY = (f"{IF_X_ENTRY}.{n}" for n in (1, 15, 18, 19))
IN_OCTETS, OUT_OCTETS = f"{IF_ENTRY}.10", f"{IF_ENTRY}.16"
HC_IN_OCTETS, HC_OUT_OCTETS = f"{IF_X_ENTRY}.6", f"{IF_X_ENTRY}.10"
FAULTS = {
    "in_discards": f"{IF_ENTRY}.13",
    "in_errors": f"{IF_ENTRY}.14",
    "out_discards": f"{IF_ENTRY}.19",
    "out_errors": f"{IF_ENTRY}.20",
}
COLUMNS = (
    IF_DESCR, IF_TYPE, IF_SPEED, IF_ADMIN, IF_OPER, IF_LAST_CHANGE, IF_NAME, IF_HIGH_SPEED, IF_ALIAS, IF_DISCONTINUITY,
    IN_OCTETS, OUT_OCTETS, HC_IN_OCTETS, HC_OUT_OCTETS, *FAULTS.values(),
)  # fmt: skip
FULL_GAUGE_MEGABITS = 4295
"""Mbit/s from which ifSpeed, a Gauge32 in bit/s, is at its end and ifHighSpeed counts (RFC 2863, section 3.1.7)."""
SECOND_LOOK = 2.0
"""Seconds between the two looks of a first observation, so that it has rates too."""
SHORTEST_LOOK = 0.3
LAST = "link"
"""Key of `Io.memory`: the sample of the last observation."""
DIRTY = Limits(warning=Range(-math.inf, 1))
"""More than one error a second is no clean line."""
RESTLESS = Limits(warning=Range(-math.inf, 1))
"""Two changes between looks: the link was gone and came back unseen."""
METRICS = (
    ("occupancy_in", "%"),
    ("occupancy_out", "%"),
    ("rate_in", "bit/s"),
    ("rate_out", "bit/s"),
    ("errors", "/s"),
    ("discards", "/s"),
    ("speed", "bit/s"),
    ("flaps", "{change}"),
)


class LinkParams(Params):
    """Keys of a check of kind `link`; `warning` and `critical` are of the occupancy, either way."""

    interface: Annotated[str, Field(min_length=1)] = Field(
        description=N_("the interface's name, description or alias on the device")
    )
    capacity: Annotated[Rate, Field(gt=0)] | None = Field(
        default=None, description=N_("what the link carries by contract; occupancy is the share of it")
    )


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """The interface as it is, and as it was at an earlier look."""

    now: Sample
    before: Sample | None = None


class LinkProbe:
    """Kind `link`."""

    kind: ClassVar[str] = "link"
    Params: ClassVar[type[LinkParams]] = LinkParams
    ways: ClassVar[tuple[str, ...]] = ("snmp",)
    metrics: ClassVar[tuple[tuple[str, str], ...]] = METRICS
    judged: ClassVar[frozenset[str]] = frozenset({"errors", "flaps"})
    """Metrics that it judges by thresholds of its own where the inventory gives none."""
    needs: ClassVar[Text] = say(
        "By snmp: a community or user that may read the interfaces (1.3.6.1.2.1.2, 1.3.6.1.2.1.31)."
    )

    async def observe(self, target: Target, params: LinkParams, io: Io) -> LinkSeen:
        """Look at the interface; at the first observation twice, for the rates.

        Raises TargetFailure when the device has no such interface, ProbeFault when we cannot tell.
        """
        snmp = await open_snmp(target, io)
        before = io.memory.get(LAST)
        now = await _look(snmp, before.index, io) if isinstance(before, Sample) else None
        if now is None or not now.named(params.interface):
            # Indexes change when a device restarts or is fitted with another card; names do not.
            before, now = None, await _look(snmp, await _find(snmp, params.interface, target), io)
        if before is None and now.oper in (Oper.UP, Oper.UNKNOWN):
            before, now = await _look_again(snmp, now, io)
        io.memory[LAST] = now
        return LinkSeen(now, before)

    def judge(self, seen: LinkSeen, params: LinkParams) -> Verdict:
        """Say whether it works, then how it is used."""
        between = compare(seen.before, seen.now, params.capacity)
        metrics = tuple(_metrics(seen.now, between, params))
        severity, text, down = _state(seen.now, between, params.interface)
        facts = {
            "oper_status": _word(seen.now.oper),
            "admin_status": _word(seen.now.admin),
            "interface": seen.now.name or seen.now.descr,
            "alias": seen.now.alias,
        }
        said = [text, *(_complaint(metric) for metric in metrics if metric.severity is not Severity.OK)]
        if severity is Severity.OK:
            said += [text for text in (_usage(metrics), between.why) if text]
        return Verdict(
            worst([severity, *(metric.severity for metric in metrics)]),
            joined(said),
            metrics,
            {name: fact for name, fact in facts.items() if fact},
            down=down,
        )


async def _find(snmp: Snmp, name: str, target: Target) -> str:
    """Return the index of the interface that is called `name`: by ifName, else ifDescr, else ifAlias."""
    wanted, known, complete = folded(name), dict[str, None](), True
    for column in (IF_NAME, IF_DESCR, IF_ALIAS):
        names: Column = await snmp.walk(column)
        found = [index for index, value in names.items() if folded(as_text(value)) == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise ProbeFault(
                say("{device} has {count} interfaces called {name}", device=target.name, count=len(found), name=name),
                say("Name it by what is unique, such as its description: {names}", names=nearest(name, known)),
            )
        known |= dict.fromkeys(as_text(value) for value in names.values())
        complete = complete and names.complete
    text = say(
        "{device} has no interface {name}; nearest: {names}", device=target.name, name=name, names=nearest(name, known)
    )
    if complete and known:
        raise TargetFailure(text, down=True)
    raise ProbeFault(text, say("Its table of interfaces could not be read to the end"))


async def _look(snmp: Snmp, index: str, io: Io) -> Sample:
    found = await snmp.get([SYS_UP_TIME, *(f"{column}.{index}" for column in COLUMNS)])
    return sample_of(found, index, io.clock.boot())


async def _look_again(snmp: Snmp, first: Sample, io: Io) -> tuple[Sample | None, Sample]:
    wait = min(SECOND_LOOK, io.remaining() / 3)
    if wait < SHORTEST_LOOK:
        return None, first
    await asyncio.sleep(wait)
    return first, await _look(snmp, first.index, io)


def sample_of(found: Mapping[str, Value], index: str, at: float) -> Sample:
    """Return the sample of the interface `index` out of an agent's answer; total, whatever the agent says."""

    def number(column: str) -> int | None:
        return as_int(found.get(f"{column}.{index}"))

    def text(column: str) -> str:
        return as_text(found.get(f"{column}.{index}"))

    counters = {name: Counter(value) for name, oid in FAULTS.items() if (value := number(oid)) is not None}
    return Sample(
        at,
        index,
        text(IF_NAME),
        text(IF_DESCR),
        text(IF_ALIAS),
        Admin(admin) if (admin := number(IF_ADMIN)) in list(Admin) else None,
        Oper(oper) if (oper := number(IF_OPER)) in list(Oper) else None,
        number(IF_TYPE) or 0,
        _speed(number(IF_SPEED), number(IF_HIGH_SPEED)),
        as_int(found.get(SYS_UP_TIME)),
        number(IF_LAST_CHANGE),
        number(IF_DISCONTINUITY),
        counters
        | _octets("in_octets", number(HC_IN_OCTETS), number(IN_OCTETS))
        | _octets("out_octets", number(HC_OUT_OCTETS), number(OUT_OCTETS)),
    )


def _octets(name: str, wide: int | None, narrow: int | None) -> dict[str, Counter]:
    """The 64 bit counter; the 32 bit one where there is no other, or where the wide one is only there for show."""
    if wide is not None and (wide > 0 or not narrow):
        return {name: Counter(wide, 64)}
    return {} if narrow is None else {name: Counter(narrow, 32)}


def _speed(bits: int | None, megabits: int | None) -> float | None:
    if megabits is not None and megabits >= FULL_GAUGE_MEGABITS:
        return megabits * 1e6
    if bits is not None and bits > 0:
        return float(bits)
    return megabits * 1e6 if megabits is not None and megabits > 0 else None


def _metrics(now: Sample, between: Between, params: LinkParams) -> list[Metric]:
    capacity = params.capacity or now.speed
    metrics = []
    for way in ("in", "out"):
        rate = between.values.get(f"rate_{way}")
        if rate is not None and capacity:
            share = 100 * rate / capacity
            metrics.append(params.metric(f"occupancy_{way}", share, "%", first=True, minimum=0))
    for name, unit, default in (
        ("rate_in", "bit/s", None),
        ("rate_out", "bit/s", None),
        ("errors", "/s", DIRTY),
        ("discards", "/s", None),
        ("flaps", "{change}", RESTLESS),
    ):
        value = between.values.get(name)
        if value is not None:
            metrics.append(params.metric(name, value, unit, minimum=0, default=default))
    if now.speed is not None:
        metrics.append(params.metric("speed", now.speed, "bit/s", minimum=0))
    return metrics


def _state(now: Sample, between: Between, name: str) -> tuple[Severity, Text, bool]:
    """Return how the interface is, in words, and whether the link is out of use (RFC 2863, section 3.1.13)."""
    if now.admin is Admin.DOWN:
        return Severity.CRITICAL, say("interface {name} is shut down by an administrator", name=name), True
    match now.oper:
        case Oper.UP:
            return Severity.OK, say("interface {name} is up", name=name), False
        case Oper.DOWN:
            return Severity.CRITICAL, say("interface {name} is down", name=name), True
        case Oper.LOWER_LAYER_DOWN:
            text = say("interface {name} is down because the one below it is down", name=name)
            return Severity.CRITICAL, text, True
        case Oper.NOT_PRESENT:
            text = say("interface {name} is down: its card or module is missing", name=name)
            return Severity.CRITICAL, text, True
        case Oper.TESTING:
            return Severity.CRITICAL, say("interface {name} is in test and carries nothing", name=name), True
        case Oper.DORMANT:
            return Severity.WARNING, say("interface {name} waits to be woken and carries nothing", name=name), False
        case _ if between.values.get("rate_in") or between.values.get("rate_out"):
            return Severity.OK, say("interface {name} carries traffic", name=name), False
        case _:
            return Severity.UNKNOWN, say("interface {name} does not say whether it is up", name=name), False


def _complaint(metric: Metric) -> Text:
    value = Quantity(metric.value, metric.unit)
    match metric.name:
        case "occupancy_in":
            return say("inbound occupancy {value}", value=value)
        case "occupancy_out":
            return say("outbound occupancy {value}", value=value)
        case "errors":
            return say("{value} errors a second", value=Quantity(metric.value, ""))
        case "discards":
            return say("{value} discards a second", value=Quantity(metric.value, ""))
        case "flaps":
            return say("{count} changes of state since the last look", count=round(metric.value))
        case "speed":
            return say("it runs at {value}", value=value)
        case _:
            return say("{name} {value}", name=metric.name, value=value)


def _usage(metrics: tuple[Metric, ...]) -> Text:
    by_name = {metric.name: metric for metric in metrics}
    shown = []
    if (rate := by_name.get("rate_in")) is not None:
        shown.append(say("in {value}", value=Quantity(rate.value, rate.unit)))
    if (rate := by_name.get("rate_out")) is not None:
        shown.append(say("out {value}", value=Quantity(rate.value, rate.unit)))
    return figures(shown)


def _word(state: Admin | Oper | None) -> str:
    """The state as IF-MIB writes it (`lowerLayerDown`)."""
    if state is None:
        return ""
    first, *rest = state.name.lower().split("_")
    return first + "".join(part.title() for part in rest)
