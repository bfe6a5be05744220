"""Margins, flapping and the time in which a relapse reopens, as the inventory writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.core.flapping import FlappingPolicy
from monitor.core.hysteresis import settled
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.inventory.problems import Level
from probes.registry import kinds, load

SITE = """\
site: {name: X}
devices:
  hmp: {address: 10.0.0.1, snmp: {version: 2c, community: env:HOME}}
  ups: {address: 10.0.0.2, nut: {ups: u, user: u, password: env:HOME}}
checks:
"""
DISK = "  disk: {probe: disk, device: hmp, mount: 'D:', "
PING = "  ping: {probe: ping, device: hmp, "


@pytest.mark.parametrize(
    ("keys", "values", "expected"),
    [
        # 80% is a range from 0: far below it nothing alerts, however wide the margin is
        ("warning: 80%, critical: 90%, hysteresis: 5%", (85, 78, 76, 74, 78, 3), "WWWOOO"),
        ("warning: 80%, critical: 90%, hysteresis: 5%", (95, 86, 84, 76, 75, 2), "CCWWOO"),
        ("warning: 80%, critical: 90%, hysteresis: 5%", (95, 2), "CO"),
        ("thresholds: {used: {warning: '20:80', hysteresis: 5}}", (15, 22, 24, 26, 22, 85, 76, 74), "WWWOOWWO"),
        ("warning: 80%, critical: 90%", (85, 79, 85), "WOW"),
    ],
)
def test_a_value_is_back_when_it_is_back_by_its_margin(read, lines, keys, values, expected):
    loaded = read(SITE + DISK + keys + "}\n")
    assert lines(loaded.problems) == []
    params, levels, seen = loaded.inventory.checks["disk"].params, {}, ""
    for value in values:
        metric = params.metric("used", value, "%", first=True, minimum=0, maximum=100)
        verdict, levels = settled(Verdict(metric.severity, say("seen"), (metric,)), levels)
        seen += {Severity.OK: "O", Severity.WARNING: "W", Severity.CRITICAL: "C"}[verdict.severity]
    assert seen == expected


def test_a_margin_in_milliseconds_is_read_like_its_threshold(read):
    text = SITE + PING + "warning: 200ms, hysteresis: 20ms, thresholds: {loss: {hysteresis: 5%}}}\n"
    params = read(text).inventory.checks["ping"].params
    assert (params.hysteresis, params.limits("loss").hysteresis) == (20, 5)


ERRORS = {
    "margin without threshold": (
        DISK + "hysteresis: 5%}",
        "6:61 checks.disk.hysteresis: there is no threshold here to which this could belong"
        " (give warning or critical beside it)",
    ),
    "margin of a metric without threshold": (
        DISK + "warning: 80%, thresholds: {free: {hysteresis: 1 GB}}}",
        "6:95 checks.disk.thresholds.free.hysteresis: there is no threshold here to which this could belong"
        " (give warning or critical beside it)",
    ),
    "margin apart from its threshold": (
        DISK + "warning: 80%, thresholds: {used: {hysteresis: 5%}}}",
        "6:95 checks.disk.thresholds.used.hysteresis: there is no threshold here to which this could belong"
        " (give warning or critical beside it)",
    ),
    "negative margin": (
        DISK + "warning: 80%, hysteresis: -5%}",
        "6:75 checks.disk.hysteresis: '-5%' is too little: a margin is at least 0",
    ),
    "margin that is a range": (
        DISK + "warning: 80%, hysteresis: 5:10}",
        "6:75 checks.disk.hysteresis: '5:10' is no margin such as 5%, 20ms or 2 dB",
    ),
    "mistyped margin": (
        DISK + "warning: 80%, histeresis: 5%}",
        "6:63 checks.disk.histeresis: unknown key histeresis (did you mean hysteresis?)",
    ),
    "flapping that says maybe": (
        PING + "flapping: no}",
        "6:46 checks.ping.flapping: true or false is expected here, not no (write false)",
    ),
    "flapping upside down": (
        PING + "flapping: {low: 40%, high: 30%}}",
        "6:46 checks.ping.flapping: low (40%) must be less than high (30%)"
        " (a check wavers from high on, until it is at low)",
    ),
    "flapping below the usual low": (
        PING + "flapping: {high: 20%}}",
        "6:46 checks.ping.flapping: low (25%) must be less than high (20%)"
        " (a check wavers from high on, until it is at low)",
    ),
    "flapping without unit": (
        PING + "flapping: {low: 25, high: 30%}}",
        "6:52 checks.ping.flapping.low: '25' has no unit: write 80%",
    ),
    "flapping beyond all": (
        PING + "flapping: {high: 130%}}",
        "6:53 checks.ping.flapping.high: 130% is too much: at most 100",
    ),
    "mistyped key of flapping": (
        PING + "flapping: {hihg: 30%}}",
        "6:47 checks.ping.flapping.hihg: unknown key hihg (did you mean high?)",
    ),
    "reopen within nothing": (
        PING + "every: 60s}\nprotocol: {reopen_within: 15}",
        "7:27 protocol.reopen_within: '15' has no unit: write 60s, 5 min, 1 h, 3 d",
    ),
}


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_each_mistake_is_told_once_where_it_stands(read, lines, text, expected):
    assert lines(read(SITE + text + "\n").problems) == [expected]


@pytest.mark.parametrize(
    ("limit", "margin", "told"),
    [("10:20", 6, "10:20"), ("10:20", 5, None), ("80%", "81%", "80"), ("80%", "80%", None), ("10:", 90, None),
     ("@10:20", 50, None)],
)  # fmt: skip
def test_a_margin_that_no_value_could_satisfy_is_a_warning(read, lines, limit, margin, told):
    text = SITE + DISK + f"warning: '{limit}', hysteresis: {margin}}}\n"
    warned = [line for line in lines(read(text).problems, Level.WARNING) if "hysteresis" in line]
    assert [line.partition(": ")[2] for line in warned] == ([] if told is None else [
        f"no value could count as back: this leaves nothing of the range {told} (write a smaller margin)"
    ])  # fmt: skip


@pytest.mark.parametrize("margin", ["thresholds: {charge: {hysteresis: 5%}}", "hysteresis: 5%"])
def test_a_margin_may_belong_to_a_threshold_that_the_probe_brings(read, lines, margin):
    loaded = read(SITE + f"  ups: {{probe: ups, device: ups, {margin}}}\n")
    assert lines(loaded.problems) == []


@pytest.mark.parametrize("kind", kinds())
def test_what_a_probe_judges_unasked_is_something_that_it_measures(kind):
    probe = load(kind)
    assert getattr(probe, "judged", frozenset()) <= {name for name, _unit in probe.metrics}


@pytest.mark.parametrize(
    ("keys", "policy"),
    [
        ("every: 60s", FlappingPolicy()),
        ("flapping: false", FlappingPolicy(enabled=False)),
        ("flapping: true", FlappingPolicy()),
        ("flapping: {low: 10%, high: 50%}", FlappingPolicy(10, 50)),
        ("flapping: {high: 50%}", FlappingPolicy(25, 50)),
        ("flapping: {}", FlappingPolicy()),
    ],
)
def test_a_check_says_from_when_on_it_wavers(read, lines, keys, policy):
    loaded = read(SITE + PING + keys + "}\n")
    assert lines(loaded.problems) == []
    assert loaded.inventory.plan.checks["ping"].flapping == policy


def test_the_plan_knows_the_pace_of_each_check(read):
    text = SITE + PING + "every: 20s, timeout: 3s}\n" + DISK + "warning: 80%}\n"
    plan = read(text).inventory.plan
    assert {name: (watched.every, watched.timeout) for name, watched in plan.checks.items()} == {
        "ping": (timedelta(seconds=20), timedelta(seconds=3)), "disk": (timedelta(seconds=60), timedelta(seconds=10)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("protocol", "minutes"),
    [("", 15), ("protocol:\n", 15), ("protocol: {live: true}\n", 15), ("protocol: {reopen_within: 1 h}\n", 60)],
)
def test_a_relapse_reopens_within_a_quarter_of_an_hour_unless_the_protocol_says_otherwise(read, protocol, minutes):
    assert read("site: {name: X}\n" + protocol).inventory.plan.reopen_within == timedelta(minutes=minutes)
