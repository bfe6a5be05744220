"""What the words and figures of a UPS mean, by tables; and a UPS on SNMP, asked over the wire."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.core.ids import NodeId
from monitor.core.text import Speech
from monitor.core.verdict import Severity, Verdict
from probes.access import NutAccess
from probes.contract import Io, ProbeFault, Target
from probes.readings import Decoded
from probes.ups import METRICS, Seen, Ups, UpsParams, plausible, seen_by_nut, seen_by_snmp

OK, WARNING, UNKNOWN, CRITICAL = Severity
ENGLISH = Speech("en", lambda template: template)
FULL = {"charge": 100.0, "runtime": 2400.0, "load": 40.0, "temperature": 25.0, "input_voltage": 231.0}


def judged(status: str, values: dict[str, float] | None = None, **params: object) -> Verdict:
    seen = Seen(tuple(status.split()), FULL if values is None else values)
    return Ups().judge(seen, UpsParams.model_validate(params))


def words(verdict: Verdict) -> str:
    return ENGLISH.render(verdict.summary)


@pytest.mark.parametrize(
    ("status", "severity", "down", "said"),
    [
        ("OL", OK, False, "on mains;"),
        ("OL CHRG", OK, False, "on mains, charging;"),
        ("OL TRIM", OK, False, "lowering their high voltage"),
        ("OL BOOST", OK, False, "raising their low voltage"),
        ("BOOST", OK, False, "raising their low voltage"),
        ("OL CAL", OK, False, "testing its battery"),
        ("OB", CRITICAL, True, "the mains are gone, it runs on its battery;"),
        ("OB DISCHRG", CRITICAL, True, "the mains are gone"),
        ("OB LB", CRITICAL, True, "the mains are gone, it runs on its battery; its battery is nearly empty;"),
        ("LB OB DISCHRG", CRITICAL, True, "nearly empty"),
        ("OL LB", CRITICAL, False, "its battery is low: it would not carry a mains cut"),
        ("LB OL CHRG", CRITICAL, False, "would not carry"),
        ("OL RB", WARNING, False, "its battery must be replaced"),
        ("OL OVER", WARNING, False, "it is overloaded"),
        ("OL BYPASS", WARNING, False, "it is on bypass"),
        ("BYPASS", WARNING, False, "it is on bypass"),
        ("ALARM OL", WARNING, False, "it raises an alarm"),
        ("OL LB OVER RB BOOST", CRITICAL, False, "would not carry a mains cut; it is overloaded; its battery must"),
        ("OFF", CRITICAL, True, "its output is off"),
        ("OL OFF", CRITICAL, True, "its output is off"),
        ("OFF BYPASS", WARNING, False, "it is on bypass"),
        ("FSD OB LB", CRITICAL, True, "it is shutting down what it feeds"),
        ("FSD OL", CRITICAL, True, "it is shutting down what it feeds"),
        ("OB CAL", WARNING, False, "its battery is being emptied by a test"),
        ("OL CAL LB", WARNING, False, "its battery is being emptied by a test"),
        ("", UNKNOWN, False, "it does not say whether it runs on mains"),
        ("WAIT", UNKNOWN, False, "it does not say whether it runs on mains"),
        ("RB", UNKNOWN, False, "it does not say whether it runs on mains; its battery must be replaced"),
        ("LB", CRITICAL, False, "would not carry a mains cut; it does not say"),
        ("OL ECO NEWWORD", OK, False, "on mains"),
    ],
)
def test_every_status_word_has_its_weight_and_the_worst_is_said_first(status, severity, down, said):
    verdict = judged(status)
    assert (verdict.severity, verdict.down) == (severity, down)
    assert said in words(verdict) + ";"
    assert verdict.facts.get("status", "") == status


@given(st.sets(st.sampled_from(["OL", "LB", "RB", "CHRG", "OVER", "BYPASS", "ALARM", "TRIM", "BOOST", "OFF"])))
def test_a_further_word_of_trouble_never_makes_it_better(status):
    before = judged(" ".join(sorted(status))).severity
    for trouble in ("OB", "LB", "RB", "OVER", "ALARM", "FSD"):
        assert judged(" ".join(sorted(status | {trouble}))).severity >= before


def test_a_mains_cut_may_be_a_warning_where_a_generator_is_expected_but_an_empty_battery_never_is():
    assert judged("OB DISCHRG", on_battery="warning").severity is WARNING
    assert judged("OB DISCHRG", on_battery="warning").down
    assert judged("OB LB", on_battery="warning").severity is CRITICAL
    with pytest.raises(ValidationError):
        UpsParams.model_validate({"on_battery": "ok"})


@pytest.mark.parametrize(
    ("status", "values", "severity"),
    [
        ("OL CHRG", {"charge": 5}, OK),
        ("OL CHRG", {"runtime": 60}, OK),
        ("OB", {"charge": 80, "runtime": 3600}, WARNING),
        ("OB", {"charge": 45, "runtime": 3600}, WARNING),
        ("OB", {"charge": 19}, CRITICAL),
        ("OB", {"charge": 80, "runtime": 299}, CRITICAL),
        ("OB CAL", {"charge": 5, "runtime": 60}, WARNING),
        ("OL", {"load": 90}, OK),
        ("OL", {"load": 91}, WARNING),
    ],
)
def test_a_low_charge_or_runtime_is_an_alarm_by_itself_only_while_the_mains_are_gone(status, values, severity):
    assert judged(status, values, on_battery="warning").severity is severity


@pytest.mark.parametrize(
    ("params", "values", "severity"),
    [
        ({"critical": "30%:"}, {"charge": 29}, CRITICAL),
        ({"warning": "90%:"}, {"charge": 89}, WARNING),
        ({"thresholds": {"runtime": {"critical": "20 min:"}}}, {"runtime": 1199}, CRITICAL),
        ({"thresholds": {"load": {"warning": "60%"}}}, {"load": 61}, WARNING),
        ({"thresholds": {"load": {"warning": "95%"}}}, {"load": 92}, OK),
        ({"thresholds": {"temperature": {"warning": "40"}}}, {"temperature": 41}, WARNING),
        ({"thresholds": {"input_voltage": {"critical": "184:276"}}}, {"input_voltage": 180}, CRITICAL),
        ({"critical": "30%:"}, {"charge": 255}, OK),
        ({"thresholds": {"runtime": {"critical": "20 min:"}}}, {"charge": 100, "runtime": 0}, OK),
    ],
)
def test_the_inventorys_thresholds_hold_always_and_never_for_a_number_that_is_no_measurement(params, values, severity):
    assert judged("OL", values, **params).severity is severity


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("charge", 255), ("charge", -1), ("charge", 100.5), ("charge", 65535),
        ("runtime", -60), ("runtime", 65535), ("runtime", 65534), ("runtime", 65535 * 60), ("runtime", 4294967295 * 60),
        ("runtime", -1), ("runtime", 42949672.95), ("runtime", 0),
        ("load", 251), ("load", 255), ("load", -1), ("load", 65535),
        ("temperature", 255), ("temperature", -272), ("temperature", 127),
        ("input_voltage", -1), ("input_voltage", 6553.5), ("input_voltage", 65535),
        ("charge", math.nan), ("runtime", math.inf), ("temperature", -math.inf),
    ],
)  # fmt: skip
def test_a_number_that_stands_for_not_there_is_not_there(name, number):
    assert name not in plausible({"charge": 80.0, name: number}, on_battery=False)
    verdict = judged("OL", {**FULL, name: number})
    assert verdict.severity is OK
    assert name not in {metric.name for metric in verdict.metrics}


@pytest.mark.parametrize(
    ("values", "on_battery", "kept"),
    [
        ({"charge": 0.0, "runtime": 0.0}, False, True),
        ({"charge": 12.0, "runtime": 0.0}, True, True),
        ({"charge": 12.0, "runtime": 0.0}, False, False),
        ({"runtime": 0.0}, False, True),
    ],
)
def test_no_runtime_left_is_believed_on_battery_or_with_an_empty_one(values, on_battery, kept):
    assert ("runtime" in plausible(values, on_battery=on_battery)) is kept


def test_figures_come_in_the_contracts_order_and_units_and_phases_beside_the_worst():
    parts = {"input_voltage": {"L1": 229.0, "L2": 0.5, "L3": 65535.0}}
    seen = Seen(("OL",), {**FULL, "input_voltage": 0.5}, parts, model="X 10")
    verdict = Ups().judge(seen, UpsParams.model_validate({"thresholds": {"input_voltage": {"warning": "184:276"}}}))
    assert [(metric.name, metric.unit) for metric in verdict.metrics] == [
        *METRICS, ("input_voltage.L1", "V"), ("input_voltage.L2", "V"),
    ]  # fmt: skip
    assert {metric.name: metric.severity for metric in verdict.metrics}["input_voltage.L2"] is WARNING
    assert verdict.severity is WARNING
    assert verdict.facts == {"status": "OL", "model": "X 10"}
    assert words(verdict).endswith("charge 100%, 40\u00a0min left, load 40%")


def test_the_devices_own_alarm_is_passed_on():
    seen = Seen(("ALARM", "OL"), {}, alarms=("Battery bad!", "Building alarm!"))
    verdict = Ups().judge(seen, UpsParams())
    assert words(verdict) == "it raises an alarm: Battery bad!, Building alarm!"
    assert verdict.facts["alarm"] == "Battery bad!, Building alarm!"


@given(
    st.lists(st.text(max_size=12), max_size=6),
    st.dictionaries(st.one_of(st.sampled_from([name for name, _ in METRICS]), st.text(max_size=9)), st.floats()),
    st.dictionaries(st.sampled_from(["input_voltage", "load", "x"]), st.dictionaries(st.text(), st.floats())),
    st.lists(st.text()),
    st.sampled_from(["warning", "critical"]),
)
def test_whatever_was_seen_has_a_verdict_that_can_be_said(status, values, parts, alarms, on_battery):
    seen = Seen(tuple(status), values, parts, tuple(alarms))
    verdict = Ups().judge(seen, UpsParams.model_validate({"on_battery": on_battery}))
    assert ENGLISH.render(verdict.summary)
    assert all(math.isfinite(metric.value) for metric in verdict.metrics)


@pytest.mark.parametrize(
    ("variables", "values", "parts"),
    [
        ({"battery.charge": "100", "battery.runtime": "1032"}, {"charge": 100, "runtime": 1032}, {}),
        ({"ups.load": "027.0"}, {"load": 27.0}, {}),
        ({"ups.load": "  29.3"}, {"load": 29.3}, {}),
        ({"battery.runtime": "65535 #BAD: overflow?", "ups.load": "12 %"}, {}, {}),
        ({"battery.charge": "", "ups.load": "nan", "battery.runtime": "inf", "input.voltage": "1e3"}, {}, {}),
        ({"ups.load": "١٢"}, {}, {}),
        ({"ups.temperature": "255", "battery.temperature": "31"}, {"temperature": 31}, {}),
        ({"ups.temperature": "24", "battery.temperature": "31"}, {"temperature": 24}, {}),
        ({"input.voltage": "235.0"}, {"input_voltage": 235}, {}),
        (
            {"input.L1-N.voltage": "232", "input.L2-N.voltage": "12", "input.L3-N.voltage": "231"},
            {"input_voltage": 12},
            {"L1": 232, "L2": 12, "L3": 231},
        ),
        (
            {"input.L1-L2.voltage": "400", "input.L2-L3.voltage": "399", "input.L3-L1.voltage": "x"},
            {"input_voltage": 399},
            {"L1-L2": 400, "L2-L3": 399},
        ),
        ({"output.L1.power.percent": "20", "output.L2.power.percent": "35"}, {"load": 35}, {}),
        ({"ups.L1.load": "20", "ups.L3.load": "41", "ups.load": "30"}, {"load": 30}, {}),
        ({"input.voltage.nominal": "230", "input.transfer.low": "160"}, {}, {}),
    ],
)
def test_nuts_variables_are_read_strictly(variables, values, parts):
    seen = seen_by_nut(variables)
    assert seen.values == values
    assert seen.parts.get("input_voltage", {}) == parts


def test_nuts_words_and_names_are_kept_as_they_stand():
    seen = seen_by_nut(
        {"ups.status": " ALARM  OL RB ", "ups.alarm": "Battery bad!\tBuilding alarm! ", "device.model": "PXGMS"}
    )
    assert seen == Seen(("ALARM", "OL", "RB"), {}, {}, ("Battery bad! Building alarm!",), "PXGMS")
    assert seen_by_nut({}) == Seen(())


def test_a_devices_alarms_become_the_word_alarm_and_words_of_its_alarm_table_join_its_status():
    found = Decoded({"charge": 5.0}, {}, {"status": ("OL", "LB")}, ("fan failure",), ("LB", "RB"), True, {"model": "M"})
    assert seen_by_snmp(found) == Seen(("OL", "LB", "RB", "ALARM"), {"charge": 5.0}, {}, ("fan failure",), "M")


STANDARD = {
    "1.3.6.1.2.1.33.1.1.2.0": "Model 8",
    "1.3.6.1.2.1.33.1.2.1.0": 2,
    "1.3.6.1.2.1.33.1.2.3.0": 25,
    "1.3.6.1.2.1.33.1.2.4.0": 88,
    "1.3.6.1.2.1.33.1.2.7.0": 31,
    "1.3.6.1.2.1.33.1.3.2.0": 3,
    "1.3.6.1.2.1.33.1.3.3.1.3.1": 231,
    "1.3.6.1.2.1.33.1.3.3.1.3.2": 229,
    "1.3.6.1.2.1.33.1.3.3.1.3.3": 233,
    "1.3.6.1.2.1.33.1.4.1.0": 3,
    "1.3.6.1.2.1.33.1.4.4.1.5.1": 35,
}


async def test_a_ups_of_any_maker_is_read_by_the_standards_tables(agent, make_io: Callable[..., Io]):
    for oid, value in STANDARD.items():
        agent.put(oid, value)
    memory: dict[str, object] = {}
    seen = await Ups().observe(agent.target(), UpsParams(), make_io(memory=memory))
    assert seen == Seen(
        ("OL",),
        {"charge": 88, "runtime": 1500, "load": 35, "temperature": 31, "input_voltage": 229},
        {
            "input_voltage": {"L1": 231, "L2": 229, "L3": 233},
            **{n: {} for n in ("charge", "runtime", "load", "temperature")},
        },
        (),
        "Model 8",
    )
    agent.put("1.3.6.1.2.1.33.1.4.1.0", 5)
    agent.put("1.3.6.1.2.1.33.1.2.1.0", 3)
    agent.put("1.3.6.1.2.1.33.1.6.2.1.2.7", "1.3.6.1.2.1.33.1.6.3.16", tag=0x06)
    agent.put("1.3.6.1.2.1.33.1.6.2.1.2.9", "1.3.6.1.2.1.33.1.6.3.1", tag=0x06)
    asked = len(agent.asked)
    seen = await Ups().observe(agent.target(), UpsParams(), make_io(memory=memory))
    assert seen.status == ("OB", "LB", "RB", "ALARM")
    assert seen.alarms == ("fan failure",)
    assert agent.asked[asked:].count(0xA0) == 1, "one GET for all scalars: the device is recognised once"


async def test_a_device_that_is_no_ups_is_no_verdict_about_the_mains(agent, make_io: Callable[..., Io]):
    agent.put("1.3.6.1.2.1.1.2.0", "1.3.6.1.4.1.9.1.1", tag=0x06)
    with pytest.raises(ProbeFault) as fault:
        await Ups().observe(agent.target(), UpsParams(), make_io())
    assert ENGLISH.render(fault.value.text) == "rtr answers SNMP but is no UPS that we know"
    assert "apc-powernet" in ENGLISH.render(fault.value.remedy)


async def test_a_ups_whose_tables_are_hidden_is_recognised_anew_afterwards(agent, make_io: Callable[..., Io]):
    agent.put("1.3.6.1.2.1.1.2.0", "1.3.6.1.4.1.318.1.3.27", tag=0x06)
    memory: dict[str, object] = {"profile": "apc-powernet"}
    with pytest.raises(ProbeFault) as fault:
        await Ups().observe(agent.target(), UpsParams(), make_io(memory=memory))
    assert "shows nothing of a UPS (apc-powernet)" in ENGLISH.render(fault.value.text)
    assert memory == {}


async def test_a_device_without_any_way_is_told_which_ones_there_are(make_io: Callable[..., Io]):
    with pytest.raises(ProbeFault) as fault:
        await Ups().observe(Target(NodeId("ups"), "127.0.0.1"), UpsParams(), make_io())
    assert ENGLISH.render(fault.value.text) == "ups has neither nut nor snmp access in the inventory"
    only_nut = Target(NodeId("ups"), "127.0.0.1", {"nut": NutAccess(ups="x")})
    with pytest.raises(ProbeFault) as fault:
        await Ups().observe(only_nut, UpsParams(via="snmp"), make_io())
    assert "snmp" in ENGLISH.render(fault.value.text)
