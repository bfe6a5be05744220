"""Rates that are right or none, states by RFC 2863, and names that hold when indexes move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import Speech
from monitor.core.verdict import Severity
from probes.contract import ProbeFault, TargetFailure
from probes.counters import Admin, Counter, Oper, Sample, compare
from probes.link import LinkParams, LinkProbe, LinkSeen, sample_of

ENTRY, X_ENTRY = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
UP_TIME = "1.3.6.1.2.1.1.3.0"
COUNTER, GAUGE, TICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
GIGABIT = 1e9
FIRST = Sample(
    100.0, "1", "Gi0/0", "GigabitEthernet0/0", "to OCM", Admin.UP, Oper.UP, 6, GIGABIT, 1_000_000, 500, 0,
    {"in_octets": Counter(10**12, 64), "out_octets": Counter(10**11, 64), "in_errors": Counter(7)},
)  # fmt: skip


def after(seconds: float = 60.0, **changes) -> Sample:
    counters = {
        "in_octets": Counter(10**12 + 15_000_000, 64),
        "out_octets": Counter(10**11 + 7_500_000, 64),
        "in_errors": Counter(7),
    }
    later = {"at": 100.0 + seconds, "uptime": 1_000_000 + round(seconds * 100), "counters": counters}
    return replace(FIRST, **{**later, **changes})


def octets(before: int, now: int, bits: int, *, speed: float | None = GIGABIT, nominal=None, kind=6, seconds=60.0):
    one = replace(FIRST, speed=speed, type=kind, counters={"in_octets": Counter(before, bits)})
    two = after(seconds, speed=speed, type=kind, counters={"in_octets": Counter(now, bits)})
    return compare(one, two, nominal).values.get("rate_in")


def words(text) -> str:
    return Speech("en", lambda template: template).render(text)


def judged(seen: LinkSeen, **params):
    return LinkProbe().judge(seen, LinkParams.model_validate({"interface": "Gi0/0", **params}))


def test_occupancy_is_the_share_of_the_contracted_capacity():
    verdict = judged(LinkSeen(after(), FIRST), capacity="4 Mbit/s")
    values = {metric.name: metric.value for metric in verdict.metrics}
    assert (values["rate_in"], values["rate_out"]) == (2e6, 1e6)
    assert (values["occupancy_in"], values["occupancy_out"]) == (50, 25)
    assert verdict.severity is Severity.OK


@pytest.mark.parametrize(
    ("limits", "severity"),
    [
        ({"warning": "80%"}, Severity.OK),
        ({"warning": "40%"}, Severity.WARNING),
        ({"warning": "20%", "critical": "24%"}, Severity.CRITICAL),
        ({"thresholds": {"occupancy_out": {"warning": "20%"}}}, Severity.WARNING),
        ({"thresholds": {"rate_in": {"critical": "1 Mbit/s"}}}, Severity.CRITICAL),
    ],
)
def test_warning_and_critical_judge_the_occupancy_both_ways(limits, severity):
    assert judged(LinkSeen(after(), FIRST), capacity="4 Mbit/s", **limits).severity is severity


@pytest.mark.parametrize(
    ("rate", "arguments"),
    [
        (8 * 1000 / 60, {"before": 2**32 - 500, "now": 500, "bits": 32, "speed": 1e7}),
        (None, {"before": 2**32 - 500, "now": 500, "bits": 64}),
        (None, {"before": 1000, "now": 10, "bits": 32, "speed": 1e7}),
        (None, {"before": 0, "now": 10**12, "bits": 64}),
        (None, {"before": 0, "now": 10**6, "bits": 32, "speed": 1e9}),
        (8 * 10**6 / 60, {"before": 0, "now": 10**6, "bits": 32, "speed": 1e9, "nominal": 4e6}),
        (8 * 10**9 / 60, {"before": 0, "now": 10**9, "bits": 64, "speed": 4e6}),
        (8 * 10**9 / 60, {"before": 0, "now": 10**9, "bits": 64, "speed": 9e3, "kind": 131}),
        (None, {"before": 0, "now": 10**9, "bits": 64, "speed": 2.048e6, "kind": 22}),
        (8 * 10**9 / 60, {"before": 0, "now": 10**9, "bits": 64, "speed": None}),
        (None, {"before": 2**32 - 500, "now": 500, "bits": 32, "speed": None}),
        (8 * 1000 / 60, {"before": 2**32 - 500, "now": 500, "bits": 32, "speed": None, "nominal": 4e6}),
    ],
    ids=[
        "a 32 bit counter wraps",
        "a 64 bit counter does not wrap",
        "a cleared counter is no wrap",
        "more than the medium carries",
        "a gigabit fills 32 bits within the minute",
        "not on a line of 4 Mbit/s",
        "a bandwidth statement is no physics",
        "a tunnel's speed is nominal",
        "an E1 carries no more than an E1",
        "no speed no bound",
        "no speed no wrap",
        "a wrap that fits the contract",
    ],
)
def test_a_rate_is_right_or_there_is_none(rate, arguments):
    assert octets(**arguments) == (None if rate is None else pytest.approx(rate))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (after(uptime=5_000), "the agent restarted"),
        (after(uptime=1_003_000), "the agent restarted"),
        (after(uptime=1_000_000), "stands still"),
        (after(discontinuity=1_000_100), "were reset"),
        (after(0.05), "too close together"),
        (after(index="2"), "first look"),
    ],
)
def test_counters_of_two_lives_give_no_rate(now, said):
    between = compare(FIRST, now)
    assert between.values == {}
    assert said in words(between.why)


def test_the_agents_clock_wraps_after_497_days_without_losing_a_rate():
    between = compare(replace(FIRST, uptime=2**32 - 3000), after(uptime=3000))
    assert between.values["rate_in"] == 2e6


def test_the_span_is_the_agents_own_when_it_keeps_time():
    assert compare(FIRST, after(60.0, uptime=1_000_000 + 5_000)).values["rate_in"] == 15_000_000 * 8 / 50


@pytest.mark.parametrize(
    ("now", "flaps"),
    [
        (after(), 0),
        (after(last_change=900_000), 2),
        (after(oper=Oper.DOWN, last_change=900_000), 1),
        (after(oper=Oper.DOWN), 1),
        (after(last_change=None), 0),
        (after(oper=None), None),
    ],
)
def test_changes_between_two_looks_are_counted_also_when_unseen(now, flaps):
    assert compare(FIRST, now).values.get("flaps") == flaps


def test_a_link_that_was_gone_between_two_looks_is_a_warning():
    verdict = judged(LinkSeen(after(last_change=900_000), FIRST))
    assert verdict.severity is Severity.WARNING
    assert "2 changes of state" in words(verdict.summary)


@pytest.mark.parametrize(
    ("changes", "severity", "down", "said"),
    [
        ({}, Severity.OK, False, "is up"),
        ({"oper": Oper.DOWN}, Severity.CRITICAL, True, "is down"),
        ({"oper": Oper.DOWN, "admin": Admin.DOWN}, Severity.CRITICAL, True, "shut down by an administrator"),
        ({"oper": Oper.UP, "admin": Admin.DOWN}, Severity.CRITICAL, True, "shut down by an administrator"),
        ({"oper": Oper.LOWER_LAYER_DOWN}, Severity.CRITICAL, True, "the one below it"),
        ({"oper": Oper.NOT_PRESENT}, Severity.CRITICAL, True, "missing"),
        ({"oper": Oper.TESTING}, Severity.CRITICAL, True, "in test"),
        ({"oper": Oper.DORMANT}, Severity.WARNING, False, "waits to be woken"),
        ({"oper": Oper.UNKNOWN}, Severity.OK, False, "carries traffic"),
        ({"oper": None}, Severity.OK, False, "carries traffic"),
        ({"oper": None, "counters": {}}, Severity.UNKNOWN, False, "does not say"),
    ],
)
def test_the_state_is_judged_by_rfc_2863(changes, severity, down, said):
    verdict = judged(LinkSeen(after(**changes), FIRST))
    assert (verdict.severity, verdict.down) == (severity, down)
    assert said in words(verdict.summary)


def test_states_are_facts_in_the_words_of_the_mib():
    verdict = judged(LinkSeen(after(oper=Oper.LOWER_LAYER_DOWN), FIRST))
    assert verdict.facts == {
        "oper_status": "lowerLayerDown", "admin_status": "up", "interface": "Gi0/0", "alias": "to OCM",
    }  # fmt: skip


samples = st.builds(
    Sample,
    st.floats(0, 1e9),
    st.sampled_from(["1", "2"]),
    admin=st.none() | st.sampled_from(Admin),
    oper=st.none() | st.sampled_from(Oper),
    type=st.integers(-1, 300),
    speed=st.none() | st.floats(1, 1e12),
    uptime=st.none() | st.integers(-5, 2**33),
    last_change=st.none() | st.integers(-5, 2**33),
    discontinuity=st.none() | st.integers(0, 3),
    counters=st.dictionaries(
        st.sampled_from(["in_octets", "out_octets", "in_errors", "out_errors", "in_discards", "out_discards"]),
        st.builds(Counter, st.integers(-(2**63), 2**65), st.sampled_from([32, 64])),
    ),
)


@given(st.none() | samples, samples, st.none() | st.floats(1, 1e10))
def test_whatever_was_seen_has_a_verdict_and_no_rate_is_negative(before, now, capacity):
    params = LinkParams(interface="x").model_copy(update={"capacity": capacity})
    verdict = LinkProbe().judge(LinkSeen(now, before), params)
    words(verdict.summary)
    assert all(metric.value >= 0 for metric in verdict.metrics)


@given(
    st.dictionaries(
        st.sampled_from([f"{ENTRY}.{n}.1" for n in range(1, 23)] + [f"{X_ENTRY}.{n}.1" for n in range(1, 20)]),
        st.integers() | st.binary() | st.text(),
    )
)
def test_any_answer_makes_a_sample(found):
    sample_of(found, "1", 0.0)


def fill(agent, index=1, *, name="Gi0/0", octets_in=1_000_000, wide=True, uptime=100_000):
    agent.put(UP_TIME, uptime, TICKS)
    agent.put(f"{ENTRY}.2.{index}", f"GigabitEthernet{name[2:]}")
    agent.put(f"{ENTRY}.3.{index}", 6)
    agent.put(f"{ENTRY}.5.{index}", 1_000_000_000, GAUGE)
    agent.put(f"{ENTRY}.7.{index}", 1)
    agent.put(f"{ENTRY}.8.{index}", 1)
    agent.put(f"{ENTRY}.9.{index}", 100, TICKS)
    agent.put(f"{X_ENTRY}.1.{index}", name)
    agent.put(f"{X_ENTRY}.18.{index}", "Liaison vers OCM")
    for column in (14, 20, 13, 19):
        agent.put(f"{ENTRY}.{column}.{index}", 0, COUNTER)
    for wide_column, narrow_column in ((6, 10), (10, 16)):
        if wide:
            agent.put(f"{X_ENTRY}.{wide_column}.{index}", octets_in, COUNTER64)
        agent.put(f"{ENTRY}.{narrow_column}.{index}", octets_in % 2**32, COUNTER)


class Ticking:
    """An agent whose clock and counters move by the same steps with every question."""

    def __init__(self, agent, octets=250_000, ticks=50, index=1):
        self.agent, self.octets, self.ticks, self.index, self.steps = agent, octets, ticks, index, 0
        agent.twist = self

    def __call__(self, request, answer):
        self.steps += 1
        fill(
            self.agent,
            self.index,
            octets_in=1_000_000 + self.steps * self.octets,
            uptime=100_000 + self.steps * self.ticks,
        )
        return [answer]


async def observed(agent, io, interface="Gi0/0", **params):
    model = LinkParams.model_validate({"interface": interface, **params})
    seen = await LinkProbe().observe(agent.target(), model, io)
    return seen, LinkProbe().judge(seen, model)


@pytest.mark.parametrize("interface", ["Gi0/0", "gigabitethernet0/0", "LIAISON VERS OCM"])
async def test_an_interface_is_found_by_name_description_or_alias(agent, make_io, interface):
    fill(agent)
    fill(agent, 2, name="Gi0/1")
    agent.put(f"{X_ENTRY}.18.2", "autre")
    seen, _ = await observed(agent, make_io(0.8), interface)
    assert seen.now.index == "1"


async def test_the_first_observation_takes_two_looks_and_has_rates(agent, make_io):
    fill(agent)
    Ticking(agent)
    _, verdict = await observed(agent, make_io(1.2), capacity="4 Mbit/s")
    values = {metric.name: metric.value for metric in verdict.metrics}
    assert values["rate_in"] == pytest.approx(4e6)
    assert values["occupancy_in"] == pytest.approx(100)


async def test_later_observations_take_one_look_and_no_walk(agent, make_io):
    fill(agent)
    memory = {}
    await observed(agent, make_io(0.8, memory))
    agent.asked.clear()
    seen, _ = await observed(agent, make_io(5.0, memory))
    assert len(agent.asked) == 1
    assert seen.before is not None


async def test_an_interface_is_found_again_when_the_indexes_move(agent, make_io):
    fill(agent, 1)
    memory = {}
    await observed(agent, make_io(0.8, memory))
    agent.objects.clear()
    fill(agent, 1, name="Gi0/9")
    agent.put(f"{X_ENTRY}.18.1", "autre")
    fill(agent, 4)
    seen, verdict = await observed(agent, make_io(0.8, memory))
    assert seen.now.index == "4"
    assert verdict.severity is Severity.OK


async def test_an_interface_that_the_device_does_not_have_is_a_failure_with_the_nearest_names(agent, make_io):
    fill(agent)
    with pytest.raises(TargetFailure) as caught:
        await observed(agent, make_io(), "Gi0/00")
    assert caught.value.down
    assert "rtr has no interface Gi0/00; nearest: Gi0/0" in words(caught.value.text)


async def test_an_interface_missing_from_a_table_that_broke_off_is_a_fault(agent, make_io):
    fill(agent)
    agent.twist = lambda request, answer: [answer] if b"Gi0/0" in answer else [answer[:-3]]
    with pytest.raises(ProbeFault):
        await observed(agent, make_io(1.0), "Gi0/7")


async def test_a_device_without_interfaces_is_a_fault(agent, make_io):
    with pytest.raises(ProbeFault):
        await observed(agent, make_io(1.0))


async def test_two_interfaces_of_one_alias_are_not_guessed_between(agent, make_io):
    fill(agent)
    fill(agent, 2, name="Gi0/1")
    with pytest.raises(ProbeFault) as caught:
        await observed(agent, make_io(1.0), "Liaison vers OCM")
    assert "2 interfaces called" in words(caught.value.text)


async def test_an_old_device_is_read_by_its_32_bit_counters(agent, make_io):
    fill(agent, wide=False)
    seen, _ = await observed(agent, make_io(0.8))
    assert seen.now.counters["in_octets"] == Counter(1_000_000, 32)


async def test_wide_counters_for_show_only_are_not_believed(agent, make_io):
    fill(agent)
    agent.put(f"{X_ENTRY}.6.1", 0, COUNTER64)
    seen, _ = await observed(agent, make_io(0.8))
    assert seen.now.counters["in_octets"] == Counter(1_000_000, 32)
