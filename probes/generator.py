"""Would the generator start, does it run when it must, and how long does its fuel last?

The controller is read by Modbus, by the register map that the inventory names; nothing is ever written to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say, verbatim
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict, worst
from probes.contract import Io, ProbeFault, Target
from probes.modbus import modbus_access, read_registers
from probes.modbus_table import Alarm, Controller, decoded, spans_of
from probes.params import Limit, Limits, Params
from probes.phrases import figures, joined
from probes.profile import UnknownProfile, modbus_profile

METRICS = (
    ("fuel", "%"),
    ("battery", "V"),
    ("speed", "1/min"),
    ("frequency", "Hz"),
    ("mains_voltage", "V"),
    ("run_time", "s"),
)

FUEL = Limits(warning=Range(25, math.inf), critical=Range(10, math.inf))
"""Per cent. A tank is usually sized for a day: a quarter leaves the hours that a delivery takes."""

MAINS = Range(184, 276)
"""Volts: 230 V +-20 %; EN 50160 lets a healthy grid stray by 10 %."""

MAINS_FREQUENCY = Range(45, 65)
"""Hertz: beyond any grid of 50 Hz or 60 Hz that could be used."""

BATTERY = {
    12: Limits(warning=Range(11.8, 15.5), critical=Range(11.0, 16.5)),
    24: Limits(warning=Range(23.6, 31.0), critical=Range(22.0, 33.0)),
}
"""Volts by the nominal voltage of the starter battery, at rest or on its charger: a lead battery of 12 V is empty at
11.8 V, and one that stays above 15.5 V is being boiled by its charger."""

BETWEEN_SYSTEMS = 18.0
"""Volts: a battery above is taken for one of 24 V, below for one of 12 V, unless the inventory says."""

TURNING = 100.0
"""Revolutions a minute above which the engine of a controller that does not tell its state is taken to run."""

CARRYING = frozenset({"running"})
COMING = frozenset({"starting", "warming"})
LEFT_OUT = frozenset({"stop", "manual", "off", "configuration"})
"""Modes in which the controller does not start the engine by itself."""

STARTING_FAILED = frozenset({"fail to start"})
"""Alarms that are grave whatever the controller's own level: the generator will not come."""


class GeneratorParams(Params):
    """Keys of a check of kind `generator`; `warning` and `critical` are of the fuel."""

    mains: Limit | None = Field(
        default=None, description=N_("range of the mains voltage, 184:276 by default; outside, the mains are gone")
    )
    measures_mains: bool = Field(
        default=True, description=N_("false where the controller's mains inputs are not connected")
    )
    on_generator: Literal["ok", "warning"] = Field(
        default="warning", description=N_("how grave it is that the generator carries the site instead of the mains")
    )
    battery_nominal: Literal[12, 24] | None = Field(
        default=None,
        description=N_("nominal voltage of the starter battery, 12 or 24; by default guessed from its own"),
    )


@dataclass(frozen=True, slots=True)
class GeneratorSeen:
    """What the controller said: `values` in the units of METRICS and `mains_frequency` in Hz, absent ones left out.

    `mains`: volts of each phase by name. `engine` and `mode`: words of the profile, empty if not told.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    mains: Mapping[str, float] = field(default_factory=dict)
    engine: str = ""
    mode: str = ""
    alarms: tuple[Alarm, ...] = ()


class Generator:
    """Kind `generator`."""

    kind: ClassVar[str] = "generator"
    Params: ClassVar[type[GeneratorParams]] = GeneratorParams
    ways: ClassVar[tuple[str, ...]] = ("modbus",)
    metrics: ClassVar[tuple[tuple[str, str], ...]] = METRICS
    judged: ClassVar[frozenset[str]] = frozenset({"fuel", "battery", "mains_voltage"})
    """Metrics that it judges by thresholds of its own where the inventory gives none."""
    needs: ClassVar[Text] = say(
        "Modbus TCP on the controller or its gateway, open to this machine; it is only read, never written."
    )

    async def observe(self, target: Target, params: GeneratorParams, io: Io) -> GeneratorSeen:
        """Read the controller once. Raises ProbeFault."""
        name = modbus_access(target).profile
        try:
            profile = modbus_profile(name, self.kind)
        except UnknownProfile as unknown:
            raise ProbeFault(
                say("there is no register map {profile} for {device}", profile=name, device=target.name),
                say("Set profile to one of: {names}", names=", ".join(unknown.known)),
            ) from unknown
        return seen_by_controller(decoded(profile, await read_registers(target, spans_of(profile), io)))

    def judge(self, seen: GeneratorSeen, params: GeneratorParams) -> Verdict:
        """Say what the machine's state means for a site that may need it any minute."""
        engine, mains = _engine(seen), _mains_present(seen, params)
        carrying = Severity[params.on_generator.upper()]
        found = [*_power(engine, mains, seen.mode, carrying), *_readiness(engine, seen), *_alarming(seen.alarms)]
        metrics = _metrics(seen, engine, params)
        severity = worst([*(grave for grave, _ in found), *(metric.severity for metric in metrics)])
        ordered = [text for _, text in sorted(found, key=lambda finding: finding[0], reverse=True)]
        facts = {
            "engine": engine,
            "mode": seen.mode,
            "mains": "" if mains is None else "present" if mains else "gone",
            "alarms": ", ".join(dict.fromkeys(alarm.name for alarm in seen.alarms)),
        }
        return Verdict(
            severity,
            joined([*(ordered or [_quiet(engine)]), *_shown(metrics)]),
            metrics,
            {name: fact for name, fact in facts.items() if fact},
        )


def seen_by_controller(found: Controller) -> GeneratorSeen:
    """Return what a controller's registers say."""
    volts = found.values.get("mains_voltage")
    alone = {} if volts is None else {"": volts}
    return GeneratorSeen(
        found.values,
        found.parts.get("mains_voltage") or alone,
        found.states.get("engine", ""),
        found.states.get("mode", ""),
        found.alarms,
    )


def _engine(seen: GeneratorSeen) -> str:
    """Return the engine's state; of a controller that does not tell it, by the engine's speed."""
    speed = seen.values.get("speed")
    if (seen.engine and not seen.engine.startswith("code_")) or speed is None:
        return seen.engine
    return "running" if speed > TURNING else "stopped"


def _mains_present(seen: GeneratorSeen, params: GeneratorParams) -> bool | None:
    """Return whether every phase of the mains is there; None if the controller does not measure it."""
    frequency = seen.values.get("mains_frequency")
    if not params.measures_mains or (not seen.mains and frequency is None):
        return None
    limits = params.mains or MAINS
    return not any(limits.alerts(volts) for volts in seen.mains.values()) and (
        frequency is None or not MAINS_FREQUENCY.alerts(frequency)
    )


Finding = tuple[Severity, Text]


def _power(engine: str, mains: bool | None, mode: str, carrying: Severity) -> list[Finding]:
    """Return what is not normal about who feeds the site."""
    if mains is None:
        if engine in CARRYING and mode != "test":
            return [(Severity.WARNING, say("it runs; whether the mains are there is not measured"))]
        return [] if engine else [(Severity.UNKNOWN, say("it does not say whether its engine runs"))]
    if mains:
        return []
    if engine in CARRYING:
        return [(carrying, say("the mains are gone, the generator carries the site"))]
    if engine in COMING:
        return [(Severity.WARNING, say("the mains are gone, the generator is starting"))]
    if engine == "cooling":
        return [(Severity.CRITICAL, say("the mains are gone and the generator is cooling down"))]
    if not engine:
        return [(Severity.CRITICAL, say("the mains are gone, and whether the generator runs is not known"))]
    return [(Severity.CRITICAL, say("the mains are gone and the generator does not run"))]


def _readiness(engine: str, seen: GeneratorSeen) -> list[Finding]:
    """Return what would keep it from starting."""
    found: list[Finding] = []
    if seen.mode in LEFT_OUT:
        found.append((Severity.WARNING, say("it will not start by itself: its mode is {mode}", mode=seen.mode)))
    if engine == "shutdown":
        found.append((Severity.CRITICAL, say("its engine was shut down by an alarm")))
    elif engine == "not_ready":
        found.append((Severity.WARNING, say("it is not ready to start")))
    elif engine == "emergency_manual":
        found.append((Severity.WARNING, say("its controller has handed the engine over to manual control")))
    return found


def _alarming(alarms: tuple[Alarm, ...]) -> list[Finding]:
    grave = [alarm.name for alarm in alarms if alarm.level != "warning" or alarm.name in STARTING_FAILED]
    mild = [alarm.name for alarm in alarms if alarm.name not in grave]
    found: list[Finding] = []
    if grave:
        found.append((Severity.CRITICAL, say("its controller reports a fault: {alarms}", alarms=_listed(grave))))
    if mild:
        found.append((Severity.WARNING, say("its controller warns of: {alarms}", alarms=_listed(mild))))
    return found


def _listed(names: list[str]) -> Text:
    return verbatim(", ".join(dict.fromkeys(names)))


def _metrics(seen: GeneratorSeen, engine: str, params: GeneratorParams) -> tuple[Metric, ...]:
    found: list[Metric] = []
    for place, (name, unit) in enumerate(METRICS):
        value = seen.values.get(name, math.nan)
        if not math.isfinite(value):
            continue
        default = _default(name, value, engine, params)
        found.append(params.metric(name, value, unit, first=place == 0, minimum=0, default=default))
        if name == "mains_voltage":
            found += [
                params.metric(f"{name}.{phase}", volts, unit, minimum=0)
                for phase, volts in seen.mains.items()
                if phase and math.isfinite(volts)
            ]
    return tuple(found)


def _default(name: str, value: float, engine: str, params: GeneratorParams) -> Limits | None:
    """Return the thresholds that hold where the inventory gives none."""
    if name == "fuel":
        return FUEL
    if name == "battery" and engine != "starting":  # cranking pulls any battery down
        system = params.battery_nominal or (24 if value > BETWEEN_SYSTEMS else 12)
        return BATTERY[system]
    if name == "mains_voltage" and params.measures_mains and not _as_planned(engine, params):
        return Limits(warning=params.mains or MAINS)  # how grave it is depends on the generator
    return None


def _as_planned(engine: str, params: GeneratorParams) -> bool:
    """Whether the generator carries the site and the inventory says that this is no trouble."""
    return engine in CARRYING and params.on_generator == "ok"


def _quiet(engine: str) -> Text:
    match engine:
        case "running":
            return say("it runs although the mains are there, as in an exercise")
        case "starting" | "warming":
            return say("it is starting")
        case "cooling" | "stopping":
            return say("it is cooling down")
        case _:
            return say("it stands ready")


def _shown(metrics: tuple[Metric, ...]) -> list[Text]:
    """Return the figures that a person asks for first, as one text."""
    by_name = {metric.name: Quantity(metric.value, metric.unit) for metric in metrics}
    texts: list[Text] = []
    if "fuel" in by_name:
        texts.append(say("fuel {value}", value=by_name["fuel"]))
    if "battery" in by_name:
        texts.append(say("starter battery {value}", value=by_name["battery"]))
    row = figures(texts)
    return [row] if row else []
