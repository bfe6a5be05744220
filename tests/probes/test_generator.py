"""What a generator's state means for a site that may need it any minute; and GenComm registers over a real server."""

import math
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from monitor.core.ids import NodeId
from monitor.core.text import Speech
from monitor.core.verdict import Severity, Verdict
from probes.access import ModbusAccess
from probes.contract import Io, ProbeFault, Target
from probes.generator import METRICS, Generator, GeneratorParams, GeneratorSeen, seen_by_controller
from probes.modbus_table import Alarm, Controller, decoded, spans_of
from probes.profile import modbus_profile
from probes.profile_model import Level

OK, WARNING, UNKNOWN, CRITICAL = Severity
ENGLISH = Speech("en", lambda template: template)
HEALTHY = {"fuel": 78.0, "battery": 13.4, "speed": 0.0, "frequency": 0.0, "mains_frequency": 50.0, "run_time": 360000.0}
THERE = {"L1": 231.0, "L2": 229.0, "L3": 232.0}
GONE = {"L1": 0.0, "L2": 0.0, "L3": 0.0}


def judged(
    engine: str = "stopped",
    mode: str = "auto",
    mains: dict[str, float] | None = None,
    alarms: tuple[Alarm, ...] = (),
    params: dict[str, object] | None = None,
    **values: float,
) -> Verdict:
    volts = THERE if mains is None else mains
    figures = {**HEALTHY, **({"mains_voltage": min(volts.values())} if volts else {}), **values}
    if volts == GONE:
        figures["mains_frequency"] = 0.0
    if not volts:
        figures.pop("mains_frequency")
    seen = GeneratorSeen(figures, volts, engine, mode, alarms)
    return Generator().judge(seen, GeneratorParams.model_validate(params or {}))


def words(verdict: Verdict) -> str:
    return ENGLISH.render(verdict.summary)


@pytest.mark.parametrize(
    ("engine", "mode", "mains", "severity", "said"),
    [
        ("stopped", "auto", THERE, OK, "it stands ready"),
        ("stopping", "auto", THERE, OK, "it is cooling down"),
        ("cooling", "auto", THERE, OK, "it is cooling down"),
        ("running", "auto", THERE, OK, "it runs although the mains are there"),
        ("running", "test", THERE, OK, "it runs although the mains are there"),
        ("starting", "test", THERE, OK, "it is starting"),
        ("stopped", "auto", GONE, CRITICAL, "the mains are gone and the generator does not run"),
        ("starting", "auto", GONE, WARNING, "the mains are gone, the generator is starting"),
        ("warming", "auto", GONE, WARNING, "the mains are gone, the generator is starting"),
        ("running", "auto", GONE, WARNING, "the mains are gone, the generator carries the site"),
        ("cooling", "auto", GONE, CRITICAL, "the mains are gone and the generator is cooling down"),
        ("stopping", "auto", GONE, CRITICAL, "the mains are gone and the generator does not run"),
        ("shutdown", "auto", GONE, CRITICAL, "the mains are gone and the generator does not run; its engine was shut"),
        ("stopped", "stop", GONE, CRITICAL, "does not run; it will not start by itself: its mode is stop"),
        ("running", "manual", GONE, WARNING, "the generator carries the site; it will not start by itself"),
        ("stopped", "stop", THERE, WARNING, "it will not start by itself: its mode is stop"),
        ("stopped", "manual", THERE, WARNING, "its mode is manual"),
        ("stopped", "off", THERE, WARNING, "its mode is off"),
        ("stopped", "configuration", THERE, WARNING, "its mode is configuration"),
        ("stopped", "test", THERE, OK, "it stands ready"),
        ("stopped", "", THERE, OK, "it stands ready"),
        ("stopped", "code_9", THERE, OK, "it stands ready"),
        ("not_ready", "auto", THERE, WARNING, "it is not ready to start"),
        ("shutdown", "auto", THERE, CRITICAL, "its engine was shut down by an alarm"),
        ("emergency_manual", "auto", THERE, WARNING, "handed the engine over to manual control"),
        ("running", "auto", {}, WARNING, "it runs; whether the mains are there is not measured"),
        ("running", "test", {}, OK, "it runs"),
        ("stopped", "auto", {}, OK, "it stands ready"),
    ],
)
def test_every_state_of_engine_mode_and_mains_has_its_weight(engine, mode, mains, severity, said):
    verdict = judged(engine, mode, mains)
    assert verdict.severity is severity
    assert said in words(verdict)
    assert not verdict.down
    assert verdict.facts["engine"] == engine
    assert verdict.facts.get("mains") == ({0: None, 3: "gone" if mains == GONE else "present"}[len(mains)])


@pytest.mark.parametrize(("engine", "severity"), [("running", OK), ("warming", WARNING), ("stopped", CRITICAL)])
def test_a_site_may_say_that_a_generator_which_carries_it_is_no_trouble(engine, severity):
    verdict = judged(engine, "auto", GONE, params={"on_generator": "ok"})
    assert (verdict.severity, verdict.facts["mains"]) == (severity, "gone")


@pytest.mark.parametrize(
    ("mains", "frequency", "there"),
    [
        ({"": 230.0}, 50, True),
        ({"": 184.0}, 50, True),
        ({"": 183.9}, 50, False),
        ({"": 276.1}, 50, False),
        ({"L1": 231.0, "L2": 0.0, "L3": 229.0}, 50, False),
        ({"L1": 231.0, "L2": 290.0, "L3": 229.0}, 50, False),
        ({"": 230.0}, 60, True),
        ({"": 230.0}, 44.9, False),
        ({"": 230.0}, 65.1, False),
    ],
)
def test_mains_are_there_when_every_phase_and_the_frequency_are(mains, frequency, there):
    verdict = judged(mains=mains, mains_frequency=frequency)
    assert verdict.facts["mains"] == ("present" if there else "gone")
    assert verdict.severity is (OK if there else CRITICAL)


def test_the_inventory_says_what_the_mains_are_and_whether_they_are_measured():
    low = {"": 118.0}
    assert judged(mains=low).severity is CRITICAL
    assert judged(mains=low, params={"mains": "96:144"}).severity is OK
    unwired = judged(mains=GONE, params={"measures_mains": False})
    assert (unwired.severity, "mains" in unwired.facts) == (OK, False)
    assert judged("running", mains=GONE, params={"measures_mains": False}).severity is WARNING


@pytest.mark.parametrize(
    ("alarms", "severity", "said"),
    [
        ((Alarm("low fuel level", "warning"),), WARNING, "its controller warns of: low fuel level"),
        ((Alarm("fail to start", "warning"),), CRITICAL, "its controller reports a fault: fail to start"),
        ((Alarm("fail to start", "shutdown"),), CRITICAL, "its controller reports a fault: fail to start"),
        ((Alarm("earth fault", "trip"),), CRITICAL, "its controller reports a fault: earth fault"),
        (
            (
                Alarm("battery low voltage", "warning"),
                Alarm("emergency stop", "shutdown"),
                Alarm("emergency stop", "trip"),
            ),
            CRITICAL,
            "its controller reports a fault: emergency stop; its controller warns of: battery low voltage",
        ),
    ],
)
def test_alarms_weigh_by_what_they_do(alarms, severity, said):
    verdict = judged(alarms=alarms)
    assert verdict.severity is severity
    assert said in words(verdict)
    assert verdict.facts["alarms"] == ", ".join(dict.fromkeys(alarm.name for alarm in alarms))


@pytest.mark.parametrize(
    ("values", "params", "severity"),
    [
        ({"fuel": 25}, {}, OK),
        ({"fuel": 24.9}, {}, WARNING),
        ({"fuel": 9.9}, {}, CRITICAL),
        ({"fuel": 24}, {"warning": "20%:"}, OK),
        ({"fuel": 24}, {"critical": "30%:"}, CRITICAL),
        ({"battery": 11.7}, {}, WARNING),
        ({"battery": 10.9}, {}, CRITICAL),
        ({"battery": 15.6}, {}, WARNING),
        ({"battery": 17.0}, {}, CRITICAL),
        ({"battery": 26.8}, {}, OK),
        ({"battery": 23.5}, {}, WARNING),
        ({"battery": 21.9}, {}, CRITICAL),
        ({"battery": 12.6}, {"battery_nominal": 24}, CRITICAL),
        ({"battery": 12.6}, {"thresholds": {"battery": {"critical": "13 V:"}}}, CRITICAL),
        ({"run_time": 4e6}, {"thresholds": {"run_time": {"warning": "1000 h"}}}, WARNING),
    ],
)
def test_fuel_and_battery_have_thresholds_of_their_own_that_the_inventory_may_replace(values, params, severity):
    assert judged(params=params, **values).severity is severity


def test_a_battery_that_cranks_is_not_judged():
    assert judged("starting", battery=8.1).severity is OK
    assert judged("stopped", battery=8.1).severity is CRITICAL


@pytest.mark.parametrize(
    ("engine", "speed", "state"),
    [
        ("", 1500, "running"),
        ("", 0, "stopped"),
        ("", 99, "stopped"),
        ("code_9", 1500, "running"),
        ("cooling", 0, "cooling"),
    ],
)
def test_an_engine_whose_state_is_not_told_is_known_by_its_speed(engine, speed, state):
    assert judged(engine, speed=speed).facts["engine"] == state


def test_a_controller_that_tells_neither_engine_nor_mains_is_unknown():
    verdict = Generator().judge(GeneratorSeen({"fuel": 50.0}), GeneratorParams())
    assert verdict.severity is UNKNOWN
    assert words(verdict) == "it does not say whether its engine runs; fuel 50%"
    verdict = Generator().judge(GeneratorSeen({"fuel": 50.0}, GONE), GeneratorParams())
    assert verdict.severity is CRITICAL
    assert "whether the generator runs is not known" in words(verdict)


def test_figures_come_in_the_contracts_order_and_units():
    metrics = [(metric.name, metric.unit) for metric in judged().metrics]
    assert metrics == [*METRICS[:5], *((f"mains_voltage.{phase}", "V") for phase in THERE), METRICS[5]]


@given(
    st.dictionaries(
        st.one_of(st.sampled_from([*(name for name, _ in METRICS), "mains_frequency"]), st.text()), st.floats()
    ),
    st.dictionaries(st.text(max_size=3), st.floats()),
    st.text(max_size=9),
    st.text(max_size=9),
    st.lists(st.builds(Alarm, st.text(), st.sampled_from(["warning", "shutdown", "trip"])), max_size=4),
)
def test_whatever_was_seen_has_a_verdict_that_can_be_said(values, mains, engine, mode, alarms):
    verdict = Generator().judge(GeneratorSeen(values, mains, engine, mode, tuple(alarms)), GeneratorParams())
    assert ENGLISH.render(verdict.summary)
    assert all(math.isfinite(metric.value) for metric in verdict.metrics)


@pytest.mark.parametrize(
    "params", [{"battery_nominal": 48}, {"mains": "276:184"}, {"colour": 1}, {"measures_mains": "x"}]
)
def test_parameters_that_make_no_sense_are_refused(params):
    with pytest.raises(ValidationError):
        GeneratorParams.model_validate(params)


DSE = modbus_profile("dse", "generator")
COMAP = modbus_profile("comap", "generator")


def raising(**levels: Level) -> GeneratorSeen:
    return GeneratorSeen(alarms=tuple(Alarm(name.replace("_", " "), level) for name, level in levels.items()))


@pytest.mark.parametrize(
    ("registers", "seen"),
    [
        ({1027: 78}, GeneratorSeen({"fuel": 78})),
        ({1027: 130}, GeneratorSeen({"fuel": 130})),
        ({1027: 131}, GeneratorSeen()),
        ({1027: 0xFFFF}, GeneratorSeen()),
        ({1027: 0xFFF8}, GeneratorSeen()),
        ({1029: 254, 1030: 1500, 1031: 501}, GeneratorSeen({"battery": 25.4, "speed": 1500, "frequency": 50.1})),
        (
            {1060: 0, 1061: 2310, 1062: 0, 1063: 2290, 1064: 0, 1065: 2305},
            GeneratorSeen({"mains_voltage": 229.0}, {"L1": 231.0, "L2": 229.0, "L3": 230.5}),
        ),
        ({1060: 0, 1061: 2310, 1062: 0, 1063: 0, 1064: 0, 1065: 0}, GeneratorSeen({"mains_voltage": 231}, {"": 231})),
        ({1060: 0, 1061: 2310, 1062: 0xFFFF, 1063: 0xFFFF}, GeneratorSeen({"mains_voltage": 231}, {"": 231})),
        ({1060: 0, 1061: 0, 1062: 0, 1063: 0, 1064: 0, 1065: 0}, GeneratorSeen({"mains_voltage": 0}, GONE)),
        ({1060: 0xFFFF, 1061: 0xFFFF}, GeneratorSeen()),
        ({1060: 0}, GeneratorSeen()),
        ({1798: 1, 1799: 2}, GeneratorSeen({"run_time": 65538})),
        ({772: 1, 1408: 3}, GeneratorSeen(engine="running", mode="auto")),
        ({772: 4, 1408: 6}, GeneratorSeen(engine="stopping", mode="auto")),
        ({772: 0, 1408: 15}, GeneratorSeen(engine="code_15", mode="stop")),
        ({772: 7, 1408: 0xFFFF}, GeneratorSeen(mode="off")),
        ({774: 0xFFFF}, GeneratorSeen()),
        ({774: 1 << 12}, raising(common_shutdown_or_trip="shutdown")),
        ({774: 3 << 10}, raising(common_warning_or_trip="warning")),
        ({39425: 0x1111, 39428: 0x1211}, raising(fail_to_start="warning")),
        ({39425: 0x3141}, raising(emergency_stop="shutdown", high_coolant_temperature="trip")),
        ({39430: 0x1125, 39444: 0xFFFA}, raising(low_fuel_level="warning", ECU_warning="shutdown")),
        ({39434: 0x2111}, raising(alarm_37="warning")),
        ({2050: 0x1131}, raising(fail_to_start="shutdown")),
        ({2049: 0x3111, 39425: 0x3111}, raising(emergency_stop="shutdown")),
    ],
)  # fmt: skip
def test_gencomm_registers_are_read_as_the_map_says(registers, seen):
    assert seen_by_controller(decoded(DSE, registers)) == seen


@pytest.mark.parametrize(
    ("registers", "seen"),
    [
        ({1004: 1500, 1036: 500, 1053: 240, 1055: 63}, {"fuel": 63, "battery": 24, "speed": 1500, "frequency": 50}),
        ({1004: 0x8000, 1036: 0x8000, 1053: 0x8000, 1055: 0x8000}, {}),
    ],
)
def test_comap_registers_are_read_as_the_map_says(registers, seen):
    assert decoded(COMAP, registers).values == seen


@pytest.mark.parametrize(
    ("code", "engine"), [(1, "stopped"), (4, "starting"), (8, "running"), (10, "cooling"), (12, "shutdown")]
)
def test_comap_states_become_the_same_words(code, engine):
    assert decoded(COMAP, {1298: code, 1382: 2}).states == {"engine": engine, "mode": "auto"}


@given(st.data())
def test_any_registers_decode_to_values_within_reason(data):
    profile = data.draw(st.sampled_from([DSE, COMAP]))
    addresses = [address + place for address, count in spans_of(profile) for place in range(count)]
    registers = data.draw(st.dictionaries(st.sampled_from(addresses), st.integers(0, 0xFFFF)))
    found = decoded(profile, registers)
    assert found.values.get("fuel", 0) <= 130
    assert found.values.get("battery", 0) <= 60
    assert found.values.get("run_time", 0) < 2**32 - 8
    Generator().judge(seen_by_controller(found), GeneratorParams())


class Genset:
    """A GenComm controller: `registers` as an engineer would set them; pages that a small model lacks are not there."""

    def __init__(self) -> None:
        self.registers = {
            772: 1,
            774: 0,
            1027: 78,
            1029: 127,
            1030: 0,
            1031: 0,
            1059: 500,
            1061: 2310,
            1063: 2290,
            1065: 2305,
        }
        self.registers |= {1408: 0, 1799: 7200} | {39425 + place: 0x1111 for place in range(11)}
        self.writes = 0

    async def action(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | None
    ) -> ExcCodes | None:
        self.writes += values is not None
        for place in range(len(registers)):
            registers[place] = self.registers.get(start + place, registers[place])
        return None

    def device(self) -> SimDevice:
        pages = [(768, 32), (1024, 64), (1408, 1), (1792, 32), (39424, 12)]
        data = [SimData(first, count=count, values=0, datatype=DataType.REGISTERS) for first, count in pages]
        return SimDevice(id=10, simdata=data, action=self.action)


@pytest.fixture
async def genset() -> AsyncIterator[tuple[Genset, Target]]:
    made = Genset()
    server = ModbusTcpServer(made.device(), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    yield made, Target(NodeId("genset"), "127.0.0.1", {"modbus": ModbusAccess(port=port, unit=10, profile="dse")})
    await server.shutdown()


async def test_a_mains_cut_is_told_from_the_first_second_to_the_cooling_engine(genset, make_io: Callable[..., Io]):
    machine, target = genset

    async def now() -> Verdict:
        return Generator().judge(await Generator().observe(target, GeneratorParams(), make_io()), GeneratorParams())

    ready = await now()
    assert (ready.severity, words(ready)) == (OK, "it stands ready; fuel 78%, starter battery 12.7\u00a0V")
    assert {metric.name: metric.value for metric in ready.metrics} == {
        "fuel": 78, "battery": 12.7, "speed": 0, "frequency": 0, "mains_voltage": 229, "run_time": 7200,
        "mains_voltage.L1": 231, "mains_voltage.L2": 229, "mains_voltage.L3": 230.5,
    }  # fmt: skip
    machine.registers |= {1059: 0, 1061: 0, 1063: 0, 1065: 0}
    assert (await now()).severity is CRITICAL
    machine.registers |= {1408: 1, 1029: 84}
    assert (await now()).severity is WARNING
    machine.registers |= {1408: 3, 1029: 138, 1030: 1500, 1031: 500}
    carrying = await now()
    assert (carrying.severity, carrying.facts["engine"], carrying.facts["mains"]) == (WARNING, "running", "gone")
    machine.registers |= {1059: 500, 1061: 2310, 1063: 2290, 1065: 2305, 1408: 4}
    assert (await now()).severity is OK
    machine.registers |= {1408: 0, 1030: 0, 39428: 0x1311, 772: 0, 1027: 12}
    left = await now()
    assert left.severity is CRITICAL
    assert left.facts == {"engine": "stopped", "mode": "stop", "mains": "present", "alarms": "fail to start"}
    assert machine.writes == 0


async def test_a_register_map_that_does_not_exist_is_answered_by_those_that_do(make_io: Callable[..., Io]):
    target = Target(NodeId("genset"), "127.0.0.1", {"modbus": ModbusAccess(profile="deepsea")})
    with pytest.raises(ProbeFault) as fault:
        await Generator().observe(target, GeneratorParams(), make_io())
    assert ENGLISH.render(fault.value.text) == "there is no register map deepsea for genset"
    assert ENGLISH.render(fault.value.remedy) == "Set profile to one of: comap, dse"
    with pytest.raises(ProbeFault, match="has no modbus access"):
        await Generator().observe(Target(NodeId("genset"), "127.0.0.1"), GeneratorParams(), make_io())


def test_controllers_without_answers_are_no_controllers():
    assert seen_by_controller(Controller()) == GeneratorSeen()
