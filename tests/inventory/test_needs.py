"""`needs:` of any check, and the rings that it may close together with what stands behind what."""

from __future__ import annotations

import pytest

SITE = """\
site: {name: X}
devices:
  ups: {address: 10.0.0.1}
  router: {address: 10.0.0.2, parent: ups}
  hermes: {address: 10.0.0.3, parent: [router, spare]}
  spare: {address: 10.0.0.4, parent: ups}
checks:
  power: {probe: tcp, device: ups, port: 1, gate: true}
  router-ping: {probe: ping, device: router}
  spare-ping: {probe: ping, device: spare}
  sip: {probe: tcp, device: router, port: 5060}
"""


def test_any_check_may_need_others(read, lines):
    loaded = read(SITE + "  crm: {probe: http, device: hermes, port: 80, needs: [sip, power, sip]}\n")
    assert lines(loaded.problems) == []
    assert loaded.inventory.checks["crm"].needs == ("sip", "power")
    assert loaded.inventory.plan.topology.needs == {"crm": ("sip", "power")}


RINGS = {
    "it needs itself": (
        "  crm: {probe: http, device: hermes, port: 80, needs: crm}\n",
        ["12:55 checks.crm.needs: each of these needs the next: crm > crm (take one of them away)"],
    ),
    "three that need one another": (
        "  a: {probe: http, device: hermes, port: 80, needs: b}\n"
        "  b: {probe: http, device: hermes, port: 80, needs: [c]}\n"
        "  c: {probe: http, device: hermes, port: 80, needs: a}\n",
        ["12:53 checks.a.needs: each of these needs the next: a > b > c > a (take one of them away)"],
    ),
    "two rings": (
        "  a: {probe: http, device: hermes, port: 80, needs: b}\n"
        "  b: {probe: http, device: hermes, port: 80, needs: a}\n"
        "  c: {probe: http, device: hermes, port: 80, needs: c}\n",
        [
            "12:53 checks.a.needs: each of these needs the next: a > b > a (take one of them away)",
            "14:53 checks.c.needs: each of these needs the next: c > c (take one of them away)",
        ],
    ),
    "what feeds it needs what it feeds": (
        "  crm: {probe: http, device: hermes, port: 80}\n  gate: {probe: ping, device: ups, needs: crm}\n",
        [
            "13:43 checks.gate.needs: each of these needs the next: gate > crm > router-ping > gate"
            " (take one of them away)"
        ],
    ),
    "a ping needs what stands behind it": (
        "  spare-tcp: {probe: tcp, device: spare, port: 1}\n"
        "  spare-gate: {probe: tcp, device: spare, port: 2, gate: true, needs: [spare-tcp]}\n",
        [
            "13:71 checks.spare-gate.needs: each of these needs the next: spare-gate > spare-tcp > spare-gate"
            " (take one of them away)"
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), RINGS.values(), ids=RINGS)
def test_a_ring_is_refused(read, lines, text, expected):
    assert lines(read(SITE + text).problems) == expected


def test_a_ring_through_a_way_names_only_its_checks(read, lines):
    text = SITE.replace("power: {probe: tcp, device: ups, port: 1, gate: true}",
                        "power: {probe: tcp, device: ups, port: 1, gate: true, needs: crm}")  # fmt: skip
    text += "  crm: {probe: http, device: hermes, port: 80}\n"
    assert lines(read(text).problems) == [
        "8:64 checks.power.needs: each of these needs the next: power > crm > router-ping > power"
        " (take one of them away)"
    ]


def test_devices_in_a_ring_are_told_once_and_hide_no_other_ring(read, lines):
    text = SITE.replace("ups: {address: 10.0.0.1}", "ups: {address: 10.0.0.1, parent: router}")
    text += "  crm: {probe: http, device: hermes, port: 80, needs: crm}\n"
    told = lines(read(text).problems)
    assert len(told) == 2
    assert "stands behind the next: ups > router > ups" in told[0]
    assert "crm > crm" in told[1]


def test_a_check_that_is_wrong_is_there_all_the_same(read, lines):
    text = SITE + (
        "  broken: {probe: tcp, device: hermes, prot: 80}\n"
        "  crm: {probe: http, device: hermes, port: 80, needs: broken}\n"
    )
    assert all("there is no check" not in line for line in lines(read(text).problems))
