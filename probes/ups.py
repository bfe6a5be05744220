"""Is the site on mains or on batteries, and for how long? A UPS by NUT or by SNMP.

What counts is the status, in the words of Network UPS Tools whichever way it came: OL (on line), OB (on battery), LB
(low battery), RB (replace battery), OVER (overload), BYPASS, OFF, TRIM, BOOST, CHRG, DISCHRG, CAL, FSD, ALARM.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say, verbatim
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.contract import Io, ProbeFault, Target
from probes.nut import list_variables
from probes.params import Limits, Params
from probes.phrases import figures, joined
from probes.profile import fallbacks, profiles, snmp_profiles
from probes.profile_model import SnmpProfile
from probes.readings import Decoded, in_figures
from probes.snmp import open_snmp
from probes.snmp_table import Agent, look_up, recognised

METRICS = (("charge", "%"), ("runtime", "s"), ("load", "%"), ("temperature", "Cel"), ("input_voltage", "V"))

PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "charge": (0, 100),
    "runtime": (0, 30 * 86400),
    "load": (0, 250),
    "temperature": (-40, 125),
    "input_voltage": (0, 1000),
}
"""Outside of these a device says "not there" in a number: 255 % and 255 Cel, -60 s, 0xFFFF minutes (45 days)."""

OVERFLOWS = frozenset({65534.0, 65535.0})
"""Seconds of a 16 bit counter at its end: APC's firmware reports them for anything longer, and for "unknown"."""

CHARGED = 10.0
"""Per cent of charge above which 0 s of runtime on mains is no measurement: many UPS compute it only on battery."""

ON_BATTERY: Mapping[str, Limits] = {
    "charge": Limits(warning=Range(50, math.inf), critical=Range(20, math.inf)),
    "runtime": Limits(warning=Range(600, math.inf), critical=Range(300, math.inf)),
}
"""Thresholds that the inventory need not give. They hold while the battery feeds the load, and only then: after a cut
an empty battery that recharges is no alarm. 300 s is the time in which a power incident must be solved (S14)."""

HEAVY = Limits(warning=Range(-math.inf, 90))
"""Per cent of load above which a mains cut may end in an overload, since starting loads draw more."""

SUPPLIED = frozenset({"OL", "OB", "BOOST", "TRIM", "BYPASS", "OFF", "FSD"})
"""Words that say where the load's power comes from; without one of them we do not know."""

PROFILE = "profile"
"""Key of `Io.memory`: the name of the profile that fitted the device at the last observation."""

_PHASE = re.compile(r"(?:input)\.(L[123](?:-(?:N|L[123]))?)\.voltage")
_PHASE_LOAD = re.compile(r"(?:ups|output)\.(L[123])\.(?:load|power\.percent)")


class UpsParams(Params):
    """Keys of a check of kind `ups`; `warning` and `critical` are of the charge."""

    via: Literal["nut", "snmp"] | None = Field(default=None, description=N_("the way, where the device has several"))
    on_battery: Literal["warning", "critical"] = Field(
        default="critical", description=N_("how grave it is that the mains are gone")
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a UPS said: `status` in NUT's words and order; `values` as they came, in the units of METRICS.

    `parts`: of a value by phase (`{"input_voltage": {"L1": 230.0}}`). `alarms`: the device's own words.
    """

    status: tuple[str, ...]
    values: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    model: str = ""


class Ups:
    """Kind `ups`."""

    kind: ClassVar[str] = "ups"
    Params: ClassVar[type[UpsParams]] = UpsParams
    ways: ClassVar[tuple[str, ...]] = ("nut", "snmp")
    metrics: ClassVar[tuple[tuple[str, str], ...]] = METRICS
    judged: ClassVar[frozenset[str]] = frozenset({"charge", "runtime", "load"})
    """Metrics that it judges by thresholds of its own where the inventory gives none."""
    needs: ClassVar[Text] = say(
        "By nut: upsd lets this machine connect (LISTEN, hosts.allow); no account. "
        "By snmp: a community or user that may read the UPS's tables."
    )

    async def observe(self, target: Target, params: UpsParams, io: Io) -> Seen:
        """Ask the UPS once. Raises ProbeFault."""
        way: str | None = params.via or next((way for way in self.ways if way in target.access), None)
        if way is None:
            raise ProbeFault(
                say("{device} has neither nut nor snmp access in the inventory", device=target.name),
                say("Give it nut: (a UPS behind upsd) or snmp: (a network card in the UPS)"),
            )
        if way == "nut":
            return seen_by_nut(await list_variables(target, io))
        return await _by_snmp(target, io)

    def judge(self, seen: Seen, params: UpsParams) -> Verdict:
        """Say what the status and the figures mean."""
        words = frozenset(seen.status)
        values = plausible(seen.values, on_battery="OB" in words)
        metrics = _metrics(seen, values, words, params)
        found = _findings(words, seen.alarms, params)
        severity = worst([*(grave for grave, _ in found), *(metric.severity for metric in metrics)])
        ordered = [text for _, text in sorted(found, key=lambda finding: finding[0], reverse=True)]
        facts = {"status": " ".join(seen.status), "model": seen.model, "alarm": ", ".join(seen.alarms)}
        return Verdict(
            severity,
            joined([*(ordered or [_quiet(words)]), *_shown(values)]),
            metrics,
            {name: fact for name, fact in facts.items() if fact},
            down=_unfed(words),
        )


def seen_by_nut(variables: Mapping[str, str]) -> Seen:
    """Return what upsd's variables say (names: RFC 9271 and docs/nut-names.txt of NUT); what is no number is absent."""
    numbers = {name: in_figures(text) for name, text in variables.items()}
    volts = _by_phase(numbers, _PHASE)
    loads = _by_phase(numbers, _PHASE_LOAD)
    values = {
        "charge": numbers.get("battery.charge"),
        "runtime": numbers.get("battery.runtime"),
        "load": numbers.get("ups.load", max(loads.values(), default=None)),
        "temperature": _first_plausible("temperature", numbers, ("ups.temperature", "battery.temperature")),
        "input_voltage": min(volts.values(), default=numbers.get("input.voltage")),
    }
    alarm = " ".join(variables.get("ups.alarm", "").split())
    model = (variables.get("ups.model") or variables.get("device.model") or "").strip()
    return Seen(
        status=tuple(variables.get("ups.status", "").split()),
        values={name: value for name, value in values.items() if value is not None and not math.isnan(value)},
        parts={"input_voltage": volts} if len(volts) > 1 else {},
        alarms=(alarm,) if alarm else (),
        model=model,
    )


def _by_phase(numbers: Mapping[str, float], pattern: re.Pattern[str]) -> dict[str, float]:
    found = {
        match[1].removesuffix("-N"): value for name, value in numbers.items() if (match := pattern.fullmatch(name))
    }
    return {phase: value for phase, value in sorted(found.items()) if not math.isnan(value)}


def _first_plausible(name: str, numbers: Mapping[str, float], places: Iterable[str]) -> float | None:
    low, high = PLAUSIBLE[name]
    return next((numbers[place] for place in places if low <= numbers.get(place, math.nan) <= high), None)


async def _by_snmp(target: Target, io: Io) -> Seen:
    agent = await open_snmp(target, io)
    profile = await _profile(agent, target, io)
    wanted = (*(name for name, _ in METRICS), "status", "alarms", "model")
    found = await look_up(agent, fallbacks(profile), wanted)
    if not found.values and not found.states:
        io.memory.pop(PROFILE, None)
        raise ProbeFault(
            say(
                "{device} answers SNMP but shows nothing of a UPS ({profile})",
                device=target.name,
                profile=profile.profile,
            ),
            say("Let the community or user read the UPS's tables: {oids}", oids=", ".join(profile.match.present)),
        )
    io.memory[PROFILE] = profile.profile
    return seen_by_snmp(found)


async def _profile(agent: Agent, target: Target, io: Io) -> SnmpProfile:
    kept = profiles().get(io.memory.get(PROFILE, ""))
    if isinstance(kept, SnmpProfile):
        return kept
    candidates = snmp_profiles(Ups.kind)
    found = await recognised(agent, candidates)
    if found is None:
        raise ProbeFault(
            say("{device} answers SNMP but is no UPS that we know", device=target.name),
            say(
                "Let the community or user read its UPS tables; known are: {names}",
                names=", ".join(profile.profile for profile in candidates),
            ),
        )
    return found


def seen_by_snmp(found: Decoded) -> Seen:
    """Return what the device's tables say, in NUT's words."""
    words = [*found.states.get("status", ()), *found.implied, *(["ALARM"] if found.alarms else [])]
    return Seen(tuple(dict.fromkeys(words)), found.values, found.parts, found.alarms, found.facts.get("model", ""))


def plausible(values: Mapping[str, float], *, on_battery: bool) -> dict[str, float]:
    """Return the `values` that are measurements; a number that stands for "not there" is never an alarm."""
    kept = {
        name: value
        for name, value in values.items()
        if name in PLAUSIBLE and PLAUSIBLE[name][0] <= value <= PLAUSIBLE[name][1]
    }
    runtime = kept.get("runtime")
    idle = runtime == 0 and not on_battery and kept.get("charge", 0) > CHARGED
    if runtime in OVERFLOWS or idle:
        del kept["runtime"]
    return kept


def _metrics(seen: Seen, values: Mapping[str, float], words: frozenset[str], params: UpsParams) -> tuple[Metric, ...]:
    defaults: dict[str, Limits] = {"load": HEAVY, **(ON_BATTERY if _discharging(words) else {})}
    found: list[Metric] = []
    for place, (name, unit) in enumerate(METRICS):
        if name not in values:
            continue
        low, high = PLAUSIBLE[name]
        found.append(
            params.metric(
                name,
                values[name],
                unit,
                first=place == 0,
                minimum=0 if low == 0 else None,
                maximum=high if unit == "%" and high == 100 else None,
                default=defaults.get(name),
            )
        )
        parts = seen.parts.get(name, {}).items()
        found += [params.metric(f"{name}.{part}", value, unit) for part, value in parts if low <= value <= high]
    return tuple(found)


def _discharging(words: frozenset[str]) -> bool:
    """Whether the mains are gone; a battery that is emptied to be measured (CAL) is no cut."""
    return "OB" in words and "CAL" not in words


def _unfed(words: frozenset[str]) -> bool:
    """Whether what stands behind the UPS has lost the mains, or is without power altogether."""
    return _discharging(words) or "FSD" in words or ("OFF" in words and "BYPASS" not in words)


def _findings(words: frozenset[str], alarms: tuple[str, ...], params: UpsParams) -> list[tuple[Severity, Text]]:
    """Return what is not as it should be, each with its severity."""
    testing = "CAL" in words
    found = [
        ("FSD" in words, Severity.CRITICAL, say("it is shutting down what it feeds")),
        ("OFF" in words and "BYPASS" not in words, Severity.CRITICAL, say("its output is off")),
        (_discharging(words), Severity[params.on_battery.upper()], say("the mains are gone, it runs on its battery")),
        ("LB" in words and _discharging(words), Severity.CRITICAL, say("its battery is nearly empty")),
        ("LB" in words and "OB" not in words and not testing, Severity.CRITICAL,
         say("its battery is low: it would not carry a mains cut")),
        (testing and bool(words & {"OB", "LB"}), Severity.WARNING, say("its battery is being emptied by a test")),
        ("OVER" in words, Severity.WARNING, say("it is overloaded")),
        ("BYPASS" in words, Severity.WARNING, say("it is on bypass: a mains cut would reach the load")),
        ("RB" in words, Severity.WARNING, say("its battery must be replaced")),
        ("ALARM" in words and not alarms, Severity.WARNING, say("it raises an alarm")),
        (bool(alarms), Severity.WARNING, say("it raises an alarm: {alarm}", alarm=verbatim(", ".join(alarms)))),
        (not words & SUPPLIED, Severity.UNKNOWN, say("it does not say whether it runs on mains")),
    ]  # fmt: skip
    return [(severity, text) for holds, severity, text in found if holds]


def _quiet(words: frozenset[str]) -> Text:
    if "BOOST" in words:
        return say("on mains, raising their low voltage")
    if "TRIM" in words:
        return say("on mains, lowering their high voltage")
    if "CAL" in words:
        return say("on mains, testing its battery")
    return say("on mains, charging") if "CHRG" in words else say("on mains")


def _shown(values: Mapping[str, float]) -> list[Text]:
    """Return the figures that a person asks for first, as one text."""
    texts = {
        "charge": say("charge {value}", value=Quantity(values.get("charge", 0), "%")),
        "runtime": say("{value} left", value=Quantity(values.get("runtime", 0), "s")),
        "load": say("load {value}", value=Quantity(values.get("load", 0), "%")),
    }
    row = figures([text for name, text in texts.items() if name in values])
    return [row] if row else []
