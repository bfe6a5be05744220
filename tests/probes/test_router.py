"""A router's figures out of its makers' tables; what a device lacks is absent, never zero."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.core.text import Speech
from monitor.core.verdict import Severity
from probes.contract import ProbeFault
from probes.router import Router, RouterParams, RouterSeen, up_time, version
from probes.sensors import CISCO_SENSOR, SENSOR, Temperature, sensors_of, slug, temperatures_of

OBJECT_ID, GAUGE, TICKS, COUNTER64 = 0x06, 0x42, 0x43, 0x46
ENTITY, ENVMON = "1.3.6.1.2.1.47.1.1.1.1", "1.3.6.1.4.1.9.9.13.1.3.1"
POOL, CPU = "1.3.6.1.4.1.9.9.221.1.1.1.1", "1.3.6.1.4.1.9.9.109.1.1.1.1"
THRESHOLD = "1.3.6.1.4.1.9.9.91.1.2.1.1"


def words(text) -> str:
    return Speech("en", lambda template: template).render(text)


async def observed(agent, io, **params):
    model = RouterParams.model_validate(params)
    seen = await Router().observe(agent.target(), model, io)
    verdict = Router().judge(seen, model)
    return verdict, {metric.name: metric.value for metric in verdict.metrics}


def cisco(agent):
    agent.put(
        "1.3.6.1.2.1.1.1.0", "Cisco IOS Software [Bengaluru], ISR Software, Version 17.6.4, RELEASE SOFTWARE (fc1)"
    )
    agent.put("1.3.6.1.2.1.1.2.0", "1.3.6.1.4.1.9.1.2093", OBJECT_ID)
    agent.put("1.3.6.1.2.1.1.5.0", "rtr-mediacontact")
    agent.put(f"{ENTITY}.13.1", "ISR4321/K9")


async def test_a_cisco_router_is_read_by_ciscos_tables(agent, make_io):
    cisco(agent)
    agent.table(f"{CPU}.8", {1: 12, 2: 37}, GAUGE)
    agent.table(f"{POOL}.3", {"7000.1": "Processor", "7000.2": "reserve Processor", "7000.3": "lsmpi_io"})
    for column, values in ((18, (3_000_000_000, 99, 99)), (20, (9_000_000_000, 1, 1))):
        agent.table(f"{POOL}.{column}", {f"7000.{n}": value for n, value in enumerate(values, 1)}, COUNTER64)
    agent.table(f"{CISCO_SENSOR}.1", {"7001": 8, "7002": 8, "7004": 4, "1094": 8})
    agent.table(f"{CISCO_SENSOR}.2", {"7001": 9, "7002": 9, "7004": 8, "1094": 9})
    agent.table(f"{CISCO_SENSOR}.3", {"7001": 0, "7002": 0, "7004": 0, "1094": 3})
    agent.table(f"{CISCO_SENSOR}.4", {"7001": 28, "7002": 39, "7004": 12_059, "1094": 34_558})
    agent.table(f"{CISCO_SENSOR}.5", {"7001": 1, "7002": 1, "7004": 1, "1094": 1})
    agent.table(f"{ENTITY}.7", {"7001": "Slot 6 - Temp: Internal", "7002": "Slot 6 - Temp: Outlet", "1094": "SFP"})
    verdict, values = await observed(agent, make_io())
    assert values == {
        "cpu": 37,
        "memory": 25,
        "temperature": 39,
        "temperature.slot_6_temp_internal": 28,
        "temperature.slot_6_temp_outlet": 39,
        "temperature.sfp": pytest.approx(34.558),
        "uptime": 1234.56,
    }
    assert verdict.facts == {"name": "rtr-mediacontact", "model": "ISR4321/K9", "version": "17.6.4"}
    assert verdict.severity is Severity.OK


async def test_an_old_router_is_read_by_the_old_tables(agent, make_io):
    cisco(agent)
    agent.put("1.3.6.1.4.1.9.2.1.58.0", 8)
    agent.put("1.3.6.1.4.1.9.9.48.1.1.1.5.1", 30_000_000, GAUGE)
    agent.put("1.3.6.1.4.1.9.9.48.1.1.1.6.1", 10_000_000, GAUGE)
    agent.table(f"{ENVMON}.2", {1: "chassis inlet", 2: "chassis core", 3: "slot 9"})
    agent.table(f"{ENVMON}.3", {1: 35, 2: 67, 3: 0}, GAUGE)
    agent.table(f"{ENVMON}.4", {1: 50, 2: 60, 3: 0})
    agent.table(f"{ENVMON}.6", {1: 1, 2: 2, 3: 5})
    verdict, values = await observed(agent, make_io())
    assert values == {
        "cpu": 8, "memory": 75, "temperature": 67, "temperature.chassis_inlet": 35, "temperature.chassis_core": 67,
        "uptime": 1234.56,
    }  # fmt: skip
    assert verdict.severity is Severity.CRITICAL
    assert words(verdict.summary) == "chassis_core at 67 °C; chassis_core reports a temperature alarm".replace(
        "67 ", "67\u00a0"
    )


async def test_any_host_is_read_by_host_resources(agent, make_io):
    agent.put("1.3.6.1.2.1.1.2.0", "1.3.6.1.4.1.8072.3.2.10", OBJECT_ID)
    agent.put("1.3.6.1.2.1.25.1.1.0", 8_640_000, TICKS)
    agent.table("1.3.6.1.2.1.25.3.3.1.2", {196608: 20, 196609: 40})
    agent.put("1.3.6.1.2.1.25.2.3.1.2.1", "1.3.6.1.2.1.25.2.1.2", OBJECT_ID)
    agent.put("1.3.6.1.2.1.25.2.3.1.2.2", "1.3.6.1.2.1.25.2.1.4", OBJECT_ID)
    agent.table("1.3.6.1.2.1.25.2.3.1.5", {1: 4000, 2: 1})
    agent.table("1.3.6.1.2.1.25.2.3.1.6", {1: 1000, 2: 1})
    _, values = await observed(agent, make_io())
    assert values == {"cpu": 30, "memory": 25, "uptime": 86_400}


async def test_what_linux_lends_to_its_caches_counts_as_free(agent, make_io):
    for n, kilobytes in ((5, 8000), (6, 1000), (14, 1000), (15, 4000)):
        agent.put(f"1.3.6.1.4.1.2021.4.{n}.0", kilobytes)
    _, values = await observed(agent, make_io())
    assert values["memory"] == 25


async def test_a_device_that_shows_only_its_up_time_has_only_that(agent, make_io):
    verdict, values = await observed(agent, make_io())
    assert values == {"uptime": 1234.56}
    assert verdict.severity is Severity.OK


async def test_a_device_that_shows_nothing_is_a_fault(agent, make_io):
    agent.objects.clear()
    with pytest.raises(ProbeFault) as caught:
        await observed(agent, make_io())
    assert "shows nothing" in words(caught.value.text)


async def test_an_agent_that_falls_silent_at_one_table_is_read_for_the_rest_and_not_asked_again(agent, make_io):
    memory = {}
    agent.table("1.3.6.1.2.1.25.3.3.1.2", {1: 20})
    sensors = bytes.fromhex("2b0601020163")
    agent.twist = lambda request, answer: [] if sensors in request else [answer]
    _, values = await observed(agent, make_io(3.0, memory))
    assert values == {"cpu": 20, "uptime": 1234.56}
    agent.asked.clear()
    assert (await observed(agent, make_io(3.0, memory)))[1] == values
    assert len(agent.asked) < 10


async def test_the_last_change_of_the_configuration_is_told_as_a_time_that_does_not_tremble(agent, make_io):
    memory = {}
    agent.put("1.3.6.1.4.1.9.9.43.1.1.1.0", 123_456 - 360_000 + 2**32, TICKS)
    verdict, _ = await observed(agent, make_io(5, memory))
    at = datetime.fromisoformat(verdict.facts["config_changed_at"])
    ago = SystemClock().now() - at
    assert 3590 < ago.total_seconds() < 3700
    agent.put("1.3.6.1.2.1.1.3.0", 123_456 + 180, TICKS)
    assert (await observed(agent, make_io(5, memory)))[0].facts["config_changed_at"] == verdict.facts[
        "config_changed_at"
    ]


async def test_the_layout_of_sensors_is_read_once(agent, make_io):
    cisco(agent)
    memory = {}
    agent.table(f"{SENSOR}.1", {"10": 8})
    agent.table(f"{SENSOR}.4", {"10": 41})
    await observed(agent, make_io(5, memory))
    first = len(agent.asked)
    agent.asked.clear()
    _, values = await observed(agent, make_io(5, memory))
    assert values["temperature"] == 41
    assert len(agent.asked) < first


async def test_sensors_that_moved_are_looked_for_anew(agent, make_io):
    memory = {}
    agent.table(f"{SENSOR}.1", {"10": 8})
    agent.table(f"{SENSOR}.4", {"10": 41})
    await observed(agent, make_io(5, memory))
    agent.objects = {oid: value for oid, value in agent.objects.items() if oid[:9] != (1, 3, 6, 1, 2, 1, 99, 1, 1)}
    agent.table(f"{SENSOR}.1", {"20": 8})
    agent.table(f"{SENSOR}.4", {"20": 42})
    assert "temperature" not in (await observed(agent, make_io(5, memory)))[1]
    assert (await observed(agent, make_io(5, memory)))[1]["temperature"] == 42


@pytest.mark.parametrize(
    ("raw", "scale", "precision", "status", "celsius"),
    [
        (34_558, 9, 3, 1, 34.558),
        (28, 9, 0, 1, 28),
        (31_500, 8, 0, 1, 31.5),
        (3, 10, 2, 1, 30),
        (41, 9, -2, 1, 41),
        (41, None, None, None, 41),
        (41, 9, 0, 2, None),
        (41, 9, 0, 3, None),
        (1_000_000_000, 8, 9, 1, None),
        (-1_000_000_000, 9, 0, 1, None),
        (32_767, 9, 0, 1, None),
        (255, 9, 0, 1, None),
        (-5, 9, 0, 1, -5),
    ],
)
def test_a_sensor_is_scaled_by_rfc_3433_and_what_is_no_value_left_out(raw, scale, precision, status, celsius):
    found = {f"{SENSOR}.{n}.7": value for n, value in ((2, scale), (3, precision)) if value is not None}
    sensors = sensors_of(SENSOR, ["7"], found, [])
    answer = {f"{SENSOR}.{n}.7": value for n, value in ((4, raw), (5, status)) if value is not None}
    measured = [one.value for one in temperatures_of(sensors, answer)]
    assert measured == ([] if celsius is None else [pytest.approx(celsius)])


async def test_a_sensor_is_judged_by_the_limits_of_its_maker(agent, make_io):
    cisco(agent)
    agent.table(f"{CISCO_SENSOR}.1", {"1": 8})
    agent.table(f"{CISCO_SENSOR}.3", {"1": 3})
    agent.table(f"{CISCO_SENSOR}.4", {"1": 86_000})
    agent.table(f"{THRESHOLD}.2", {"1.1": 30, "1.2": 10, "1.3": 10, "11.1": 10})
    agent.table(f"{THRESHOLD}.3", {"1.1": 4, "1.2": 4, "1.3": 2, "11.1": 4})
    agent.table(f"{THRESHOLD}.4", {"1.1": 90_000, "1.2": 85_000, "1.3": -5000, "11.1": 1})
    verdict, _ = await observed(agent, make_io())
    assert verdict.severity is Severity.WARNING
    hottest = next(metric for metric in verdict.metrics if metric.name == "temperature")
    assert (hottest.warning.high, hottest.critical.high) == (85, 90)


def test_sensors_of_one_name_are_told_apart():
    found = {f"{ENTITY}.7.{n}": b"Temp" for n in (1, 2)}
    assert [one.name for one in sensors_of(SENSOR, ["1", "2"], found, [])] == ["temp", "temp_2"]


@pytest.mark.parametrize(
    ("text", "name"),
    [("Slot 6 - Temp: Outlet", "slot_6_temp_outlet"), ("Température", "temperature"), ("温度", ""), ("a.b", "a_b")],
)
def test_a_sensors_name_becomes_the_end_of_a_metrics_name(text, name):
    assert slug(text) == name


@pytest.mark.parametrize(
    ("descr", "said"),
    [
        (
            "Cisco IOS Software, C3560 Software (C3560-IPSERVICESK9-M), Version 12.2(55)SE, RELEASE SOFTWARE",
            "12.2(55)SE",
        ),
        ("Product: GW 8 FXS;SW Version: 6.60A.309.001", "6.60A.309.001"),
        ("SN4971/1E15VHardware Release 3 Version 1, Software R6.10 2017-09-08_RFE2645 H323 RBS SIP.", "R6.10"),
        ("Prod: Integra-E;Vers: 3.17.10;Timestamp: 2020-05-05", "3.17.10"),
        ("Linux joseph 3.10.0-693.17.1.el7.x86_64 #1 SMP", "3.10.0-693.17.1.el7.x86_64"),
        ("Software: Windows Version 6.3 (Build 17763 Multiprocessor Free)", "6.3"),
        ("A box", ""),
    ],
)
def test_the_version_is_found_in_a_makers_description(descr, said):
    assert version(descr) == said


def test_up_time_goes_on_where_the_agents_ticks_wrap():
    assert up_time({"1.3.6.1.2.1.1.3.0": 5_000, "1.3.6.1.6.3.10.2.1.3.0": 43_000_000}) == 43_000_000
    assert up_time({}) is None


@pytest.mark.parametrize(
    ("seen", "params", "severity"),
    [
        (RouterSeen(cpu=79), {}, Severity.OK),
        (RouterSeen(cpu=81), {}, Severity.WARNING),
        (RouterSeen(cpu=96), {}, Severity.CRITICAL),
        (RouterSeen(cpu=50), {"warning": "40%"}, Severity.WARNING),
        (RouterSeen(memory=96), {}, Severity.CRITICAL),
        (RouterSeen(temperatures=(Temperature("a", 90.0),)), {}, Severity.OK),
        (
            RouterSeen(temperatures=(Temperature("a", 90.0),)),
            {"thresholds": {"temperature": {"critical": "60"}}},
            Severity.CRITICAL,
        ),
        (RouterSeen(uptime=60), {"thresholds": {"uptime": {"warning": "10 min:"}}}, Severity.WARNING),
    ],
)
def test_figures_are_judged_by_their_limits(seen, params, severity):
    assert Router().judge(seen, RouterParams.model_validate(params)).severity is severity


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        RouterSeen,
        numbers,
        numbers,
        numbers,
        st.lists(st.builds(Temperature, st.text(), st.floats(-60, 200), alarm=st.sampled_from(Severity))).map(tuple),
    )
)
def test_whatever_was_seen_has_a_verdict(seen):
    words(Router().judge(seen, RouterParams()).summary)
