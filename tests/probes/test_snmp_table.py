"""What a UPS answers by SNMP, turned into values by its maker's table; answers literal in, values literal out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.profile import profiles
from probes.profile_model import SnmpProfile
from probes.snmp_table import Answers, decoded, look_up, recognised, scalars_of

NAMES = ("charge", "runtime", "load", "temperature", "input_voltage", "status", "alarms", "model")
APC, MGE, XUPS, SOCOMEC, HUAWEI = (
    f"1.3.6.1.4.1.{arc}" for arc in ("318.1.1.1", "705.1", "534.1", "4555.1.1.7.1", "2011.6.174.1")
)
UPS = "1.3.6.1.2.1.33.1"


def table(name: str) -> SnmpProfile:
    profile = profiles()[name]
    assert isinstance(profile, SnmpProfile)
    return profile


@pytest.mark.parametrize(
    ("profile", "scalars", "words"),
    [
        ("ups-mib", {f"{UPS}.4.1.0": 3, f"{UPS}.2.1.0": 2}, "OL"),
        ("ups-mib", {f"{UPS}.4.1.0": 5, f"{UPS}.2.1.0": 2}, "OB"),
        ("ups-mib", {f"{UPS}.4.1.0": 5, f"{UPS}.2.1.0": 3}, "OB LB"),
        ("ups-mib", {f"{UPS}.4.1.0": 5, f"{UPS}.2.1.0": 4}, "OB LB"),
        ("ups-mib", {f"{UPS}.4.1.0": 6}, "OL BOOST"),
        ("ups-mib", {f"{UPS}.4.1.0": 7}, "OL TRIM"),
        ("ups-mib", {f"{UPS}.4.1.0": 4}, "BYPASS"),
        ("ups-mib", {f"{UPS}.4.1.0": 2}, "OFF"),
        ("ups-mib", {f"{UPS}.4.1.0": 1, f"{UPS}.2.1.0": 2}, ""),
        ("ups-mib", {f"{UPS}.2.1.0": 3}, ""),
        ("apc-powernet", {f"{APC}.4.1.1.0": 2, f"{APC}.2.1.1.0": 2, f"{APC}.2.2.4.0": 1}, "OL"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 3, f"{APC}.2.1.1.0": 3, f"{APC}.2.2.4.0": 2}, "OB LB RB"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 4}, "OL BOOST"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 12}, "OL TRIM"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 9}, "BYPASS"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 7}, "OFF"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 15}, "OL CAL"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 3, f"{APC}.7.2.6.0": 3}, "OB CAL"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 2, f"{APC}.11.1.1.0": b"00010000100000000010"}, "OL OVER"),
        ("apc-powernet", {f"{APC}.4.1.1.0": 2, f"{APC}.11.1.1.0": b"0001"}, "OL"),
        ("eaton-mge", {f"{MGE}.7.3.0": 2, f"{MGE}.7.9.0": 1}, "OL"),
        ("eaton-mge", {f"{MGE}.7.3.0": 1, f"{MGE}.5.14.0": 1, f"{MGE}.5.16.0": 1}, "OB LB"),
        ("eaton-mge", {f"{MGE}.7.3.0": 2, f"{MGE}.5.11.0": 1, f"{MGE}.7.10.0": 1}, "OL RB OVER"),
        (
            "eaton-mge",
            {f"{MGE}.7.3.0": 2, f"{MGE}.7.4.0": 1, f"{MGE}.7.8.0": 1, f"{MGE}.7.12.0": 1},
            "OL BYPASS BOOST TRIM",
        ),
        ("eaton-mge", {f"{MGE}.7.3.0": 2, f"{UPS}.4.1.0": 2}, "OL OFF"),
        ("eaton-xups", {f"{XUPS}.4.5.0": 3, f"{XUPS}.2.5.0": 1}, "OL CHRG"),
        ("eaton-xups", {f"{XUPS}.4.5.0": 5, f"{XUPS}.2.5.0": 2, f"{XUPS}.2.10.0": 1}, "OB DISCHRG LB"),
        ("eaton-xups", {f"{XUPS}.4.5.0": 10}, "OL"),
        ("eaton-xups", {f"{XUPS}.4.5.0": 11, f"{XUPS}.2.9.0": 1}, "BYPASS RB"),
        ("eaton-xups", {f"{XUPS}.4.5.0": 2}, "OFF"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 3, f"{SOCOMEC}.6.3.15.0": 0, f"{SOCOMEC}.2.1.0": 3}, "OL CHRG"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 3, f"{SOCOMEC}.6.3.15.0": 1, f"{SOCOMEC}.2.1.0": 5}, "OB DISCHRG"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 3, f"{SOCOMEC}.6.3.15.0": 0, f"{SOCOMEC}.2.1.0": 5}, "OB DISCHRG"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 3, f"{SOCOMEC}.6.3.15.0": 1, f"{SOCOMEC}.2.1.0": 6}, "OB LB"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 6, f"{SOCOMEC}.6.3.15.0": 0, f"{SOCOMEC}.2.1.0": 2}, "BYPASS"),
        ("socomec", {f"{SOCOMEC}.4.1.0": 8, f"{SOCOMEC}.6.3.15.0": 0, f"{SOCOMEC}.2.1.0": 2}, "OFF"),
        ("huawei-ups", {f"{HUAWEI}.2.101.1.1.1": 3, f"{HUAWEI}.2.101.1.3.1": 4}, "OL"),
        ("huawei-ups", {f"{HUAWEI}.2.101.1.1.1": 4, f"{HUAWEI}.2.101.1.3.1": 6, f"{UPS}.2.1.0": 3}, "OB DISCHRG LB"),
        ("huawei-ups", {f"{HUAWEI}.2.101.1.1.1": 2}, "BYPASS"),
        ("huawei-ups", {f"{UPS}.2.1.0": 3}, ""),
    ],
)
def test_every_makers_codes_become_the_same_words(profile, scalars, words):
    assert " ".join(decoded(table(profile), Answers(scalars), NAMES).states.get("status", ())) == words


@pytest.mark.parametrize(
    ("profile", "scalars", "values"),
    [
        ("apc-powernet", {f"{APC}.2.2.3.0": 456000}, {"runtime": 4560}),
        ("apc-powernet", {f"{APC}.2.3.1.0": 995, f"{APC}.2.2.1.0": 99}, {"charge": 99.5}),
        ("apc-powernet", {f"{APC}.2.3.1.0": -1, f"{APC}.2.2.1.0": 99}, {"charge": 99}),
        ("apc-powernet", {f"{APC}.2.2.2.0": 255, f"{APC}.2.2.3.0": 4294967295}, {}),
        ("apc-powernet", {f"{APC}.3.3.1.0": 2476, f"{APC}.3.2.1.0": 247}, {"input_voltage": 247.6}),
        ("ups-mib", {f"{UPS}.2.3.0": 25, f"{UPS}.2.7.0": 0}, {"runtime": 1500}),
        ("ups-mib", {f"{UPS}.2.3.0": 4294967295, f"{UPS}.2.4.0": -1}, {}),
        ("ups-mib", {f"{UPS}.2.4.0": b"027.0"}, {"charge": 27}),
        ("ups-mib", {f"{UPS}.2.4.0": b"n/a", f"{UPS}.2.3.0": "1.3.6"}, {}),
        ("socomec", {f"{SOCOMEC}.2.3.0": 65535, f"{SOCOMEC}.2.6.0": 0, f"{SOCOMEC}.2.7.0": 210}, {"temperature": 21}),
        ("huawei-ups", {f"{HUAWEI}.6.100.1.4.1": 5400, f"{HUAWEI}.6.100.1.3.1": 97}, {"runtime": 5400, "charge": 97}),
        ("eaton-mge", {f"{MGE}.5.1.0": 2594}, {"runtime": 2594}),
        ("eaton-xups", {f"{XUPS}.2.1.0": 2594, f"{XUPS}.4.1.0": 31}, {"runtime": 2594, "load": 31}),
    ],
)  # fmt: skip
def test_every_makers_units_become_ours_and_what_is_no_value_is_absent(profile, scalars, values):
    assert decoded(table(profile), Answers(scalars), NAMES).values == values


@pytest.mark.parametrize(
    ("rows", "count", "value", "parts"),
    [
        ({"1": 231, "2": 0, "3": 229}, None, 0, {"L1": 231, "L2": 0, "L3": 229}),
        ({"1": 231, "2": 0, "3": 0}, None, 231, {}),
        ({"1": 0, "2": 0, "3": 0}, None, 0, {"L1": 0, "L2": 0, "L3": 0}),
        ({"1": 0, "2": 231, "3": 231}, None, 0, {"L1": 0, "L2": 231, "L3": 231}),
        ({"1": 231, "2": 0}, None, 0, {"L1": 231, "L2": 0}),
        ({"1": 231, "2": 12, "3": 13}, 1, 231, {}),
        ({"1": 231, "2": 230, "3": 229}, 3, 229, {"L1": 231, "L2": 230, "L3": 229}),
        ({"1": 231, "2": 230, "3": 229}, 0, 229, {"L1": 231, "L2": 230, "L3": 229}),
        ({"2": 230, "10": 229, "1": -1}, None, 229, {"L2": 230, "L3": 229}),
        ({"1": 65535, "2": -1}, None, None, {}),
        ({}, None, None, {}),
    ],
)
def test_a_lost_phase_shows_but_an_unused_row_is_no_lost_phase(rows, count, value, parts):
    scalars = {} if count is None else {f"{UPS}.3.2.0": count}
    found = decoded(table("ups-mib"), Answers(scalars, {f"{UPS}.3.3.1.3": rows}), ("input_voltage",))
    assert found.values.get("input_voltage") == value
    assert found.parts.get("input_voltage", {}) == parts


def test_alarms_that_are_a_status_become_words_and_others_names():
    listed = {"1": f"{UPS}.6.3.1", "2": f"{UPS}.6.3.8", "3": f"{UPS}.6.3.5", "4": "1.3.6.1.4.1.9999.7", "5": b"junk"}
    found = decoded(table("ups-mib"), Answers({}, {f"{UPS}.6.2.1.2": listed}), NAMES)
    assert found.implied == ("RB", "OVER")
    assert found.alarms == ("temperature out of tolerance", "1.3.6.1.4.1.9999.7", "junk")
    assert found.knows_alarms


def test_entries_of_xups_that_are_no_alarms_are_left_out():
    listed = {"1": f"{XUPS}.7.5", "2": f"{XUPS}.7.17", "3": f"{XUPS}.7.33"}
    found = decoded(table("eaton-xups"), Answers({}, {f"{XUPS}.7.2.1.2": listed}), NAMES)
    assert (found.alarms, found.implied) == (("fan failure",), ())


class Recorded:
    """An agent that answers from a dictionary, and remembers what it was asked."""

    def __init__(self, scalars, columns=None):
        self.scalars, self.columns, self.asked = scalars, columns or {}, []

    async def get(self, oids):
        self.asked.append(tuple(oids))
        return {oid: self.scalars[oid] for oid in oids if oid in self.scalars}

    async def walk(self, column):
        self.asked.append(column)
        return self.columns.get(column, {})


async def test_what_a_makers_table_lacks_is_asked_of_the_standards():
    agent = Recorded(
        {f"{MGE}.7.3.0": 1, f"{MGE}.5.1.0": 600, f"{UPS}.2.4.0": 55, f"{UPS}.2.7.0": 30, f"{UPS}.4.1.0": 3},
        {f"{UPS}.3.3.1.3": {"1": 0}},
    )
    found = await look_up(agent, (table("eaton-mge"), table("ups-mib")), NAMES)
    assert found.values == {"runtime": 600, "charge": 55, "temperature": 30, "input_voltage": 0}
    assert found.states["status"] == ("OB",), "the maker's own word stands"
    assert f"{UPS}.6.2.1.2" not in agent.asked, "the maker's table tells alarms already"


async def test_columns_are_walked_only_while_a_value_is_missing():
    agent = Recorded({f"{APC}.4.1.1.0": 2, f"{APC}.4.3.3.0": 176, f"{APC}.3.3.1.0": 2300})
    found = await look_up(agent, (table("apc-powernet"),), ("load", "status"))
    assert found.values == {"load": 17.6}
    assert [question for question in agent.asked if isinstance(question, str)] == []


async def test_a_device_is_recognised_by_one_get():
    everyone = [
        profile for profile in profiles().values() if isinstance(profile, SnmpProfile) and profile.kind == "ups"
    ]
    agent = Recorded({"1.3.6.1.2.1.1.2.0": "1.3.6.1.4.1.4555.1.1.7"})
    found = await recognised(agent, everyone)
    assert found is not None
    assert found.profile == "socomec"
    assert len(agent.asked) == 1
    assert await recognised(Recorded({"1.3.6.1.2.1.1.2.0": b"\xff"}), everyone) is None


@given(st.data())
def test_whatever_an_agent_answers_becomes_numbers_within_reason_or_nothing(data):
    profile = table(
        data.draw(st.sampled_from(["ups-mib", "apc-powernet", "eaton-mge", "eaton-xups", "socomec", "huawei-ups"]))
    )
    value = st.one_of(st.integers(-(2**63), 2**64), st.binary(max_size=70), st.text(max_size=40))
    scalars = {oid: data.draw(value) for oid in scalars_of(profile, NAMES)}
    rows = st.dictionaries(st.from_regex(r"\d{1,3}(\.\d{1,3}){0,2}", fullmatch=True), value, max_size=5)
    readings = [reading for alternatives in profile.read.values() for reading in alternatives]
    columns = {reading.column: data.draw(rows) for reading in readings if reading.column}
    if profile.alarms is not None:
        columns[profile.alarms.column] = data.draw(st.dictionaries(st.text(max_size=3), value, max_size=4))
    found = decoded(profile, Answers(scalars, columns), NAMES)
    assert all(isinstance(number, float | int) for number in found.values.values())
    assert all(word.isupper() for word in found.states.get("status", ()))
