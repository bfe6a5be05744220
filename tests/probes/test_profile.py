"""A profile is a table: every rule has a table that breaks it, and every table that we ship keeps them all."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from probes.modbus_table import spans_of
from probes.profile import (
    BadProfile,
    UnknownProfile,
    chosen,
    fallbacks,
    modbus_profile,
    parse_profile,
    profiles,
    shipped,
    snmp_profiles,
)
from probes.profile_model import ModbusProfile, SnmpProfile

SNMP = """
profile: box
kind: ups
via: snmp
source: a test
match: {present: [1.3.6.1.4.1.1.1.0]}
read:
  charge: {oid: 1.3.6.1.4.1.1.2.0, unit: "%"}
state:
  status:
    from: {output: 1.3.6.1.4.1.1.1.0}
    say: [{output: 3, say: OL}]
alarms: {column: 1.3.6.1.4.1.1.9, under: 1.3.6.1.4.1.1.10, names: {1: {name: battery bad, say: RB}, 2: hot}}
facts: {model: 1.3.6.1.4.1.1.3.0}
"""
MODBUS = """
profile: box
kind: generator
via: modbus
source: a test
absent_top: 8
read:
  fuel: {address: 1027, unit: "%"}
  mains_voltage: {addresses: {L1: 10, L2: 12}, registers: 2, worst: min, unit: V, scale: 0.1}
state:
  engine: {address: 1408, words: {0: stopped}}
alarm_bits: [{address: 774, bits: {12: {name: shutdown, level: shutdown}}}]
alarms: [{address: 39425, count: 1, levels: {2: warning}, names: [emergency stop]}]
"""


def test_the_tables_that_the_bad_ones_are_made_from_are_good():
    assert isinstance(parse_profile(SNMP, "box"), SnmpProfile)
    assert isinstance(parse_profile(MODBUS, "box"), ModbusProfile)


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        (SNMP, "source: a test\n", "", "source: Field required"),
        (SNMP, "kind: ups", "kind: UPS", "kind: 'UPS' is not a name in small letters"),
        (SNMP, "profile: box", "profile: box2", "it calls itself 'box2'"),
        (SNMP, "via: snmp", "via: telepathy", "telepathy"),
        (SNMP, "facts:", "colour: red\nfacts:", "colour: Extra inputs are not permitted"),
        (SNMP, "kind: ups", "kind: ups\nkind: ups", "key 'kind' is given twice"),
        (SNMP, "kind: ups", "kind: [ups", "box.yaml: while parsing"),
        (SNMP, "kind: ups", "? [kind]\n: ups", "a key must be a word"),
        (SNMP, "match: {present: [1.3.6.1.4.1.1.1.0]}", "match: {}", "match: give sysObjectID or present"),
        (SNMP, "[1.3.6.1.4.1.1.1.0]", "[ifTable]", "'ifTable' is not an OID in figures"),
        (SNMP, "oid: 1.3.6.1.4.1.1.2.0", "oid: .1.3.6.1", "'.1.3.6.1' is not an OID in figures"),
        (SNMP, 'unit: "%"', "unit: percent", "'percent' is no unit that is measured here"),
        (SNMP, 'unit: "%"', 'unit: "%", scale: 0', "scale: 0 would make every value 0"),
        (SNMP, 'unit: "%"', 'unit: "%", range: [100, 0]', "range: the first bound must lie below"),
        (SNMP, 'unit: "%"', 'unit: "%", worst: max', "worst: min or max belongs to oids or a column"),
        (SNMP, 'unit: "%"', 'unit: "%", rows: 1.3.6.1.4.1.1.5.0', "rows belongs to a column"),
        (
            SNMP,
            "{oid: 1.3.6.1.4.1.1.2.0,",
            "{column: 1.3.6.1.4.1.1.2,",
            "worst: min or max belongs to oids or a column",
        ),
        (SNMP, "{oid: 1.3.6.1.4.1.1.2.0,", "{", "give one of oid (one value), oids (by name) and column"),
        (SNMP, "{oid: ", "{column: 1.3.6.1.4.1.1.8, worst: max, oid: ", "give one of oid"),
        (
            SNMP,
            'charge: {oid: 1.3.6.1.4.1.1.2.0, unit: "%"}',
            "charge: []",
            "read.charge: Value should have at least 1",
        ),
        (
            SNMP,
            'charge: {oid: 1.3.6.1.4.1.1.2.0, unit: "%"}',
            'charge: [{oid: 1.3.6.1.4.1.1.2.0, unit: "%"}, {oid: 1.3.6.1.4.1.1.3.0, unit: s}]',
            "read: charge: its alternatives have different units",
        ),
        (SNMP, "say: [{output: 3, say: OL}]", "say: []", "say: Tuple should have at least 1"),
        (SNMP, "{output: 3, say: OL}", "{input: 3, say: OL}", "'input' is not among from: output"),
        (SNMP, "{output: 3, say: OL}", "{output: 3}", "a line says nothing: give say or alarm"),
        (SNMP, "{output: 3, say: OL}", "{say: OL}", "when: Dictionary should have at least 1"),
        (SNMP, "{output: 3, say: OL}", "{output: three, say: OL}", "valid integer"),
        (SNMP, "{output: 3, say: OL}", "{output: 3, say: online}", "'online' is not one or more status words"),
        (SNMP, "{output: 3, say: OL}", "{output: 3, say: true}", "say: Input should be a valid string"),
        (SNMP, "    say:", "    needs: battery\n    say:", "needs: 'battery' is not among from: output"),
        (SNMP, "{output: 1.3.6.1.4.1.1.1.0}", "{output: {oid: 1.3.6.1.4.1.1.1.0, character: 0}}", "character"),
        (SNMP, "names: {1: {name: battery bad, say: RB}, 2: hot}", "names: {}", "alarms.names: Dictionary should"),
        (SNMP, "{1: {name: battery bad, say: RB}", "{bad: {name: battery bad, say: RB}", "valid integer"),
        (SNMP, SNMP[SNMP.index("read:") :], "", "the table is empty: give read, state or facts"),
        (MODBUS, "address: 1027", "address: 70000", "address: Input should be less than or equal to 65535"),
        (MODBUS, "{address: 1027, ", "{", "give either address (one value) or addresses (by name)"),
        (MODBUS, "{address: 1027, ", "{address: 1027, worst: min, ", "worst: min or max belongs to addresses"),
        (MODBUS, "worst: min, ", "", "worst: min or max belongs to addresses"),
        (MODBUS, "registers: 2", "registers: 3", "registers: Input should be 1 or 2"),
        (MODBUS, "L2: 12", "L2: 65535", "a value of two registers cannot start at the last one"),
        (MODBUS, "absent_top: 8", "absent_top: -1", "absent_top: Input should be greater than or equal to 0"),
        (MODBUS, "{0: stopped}", "{}", "words: Dictionary should have at least 1"),
        (MODBUS, "{12: {name", "{16: {name", "less than or equal to 15"),
        (MODBUS, "level: shutdown", "level: awful", "'warning', 'shutdown' or 'trip'"),
        (MODBUS, "names: [emergency stop]", "names: [a, b, c, d, e]", "5 names, but 1 registers hold 4"),
        (MODBUS, "address: 39425, count: 1", "address: 65535, count: 2", "runs past the last register"),
        (MODBUS, MODBUS[MODBUS.index("read:") :], "", "the table is empty: give read or state"),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_by_name_place_and_rule(table, old, new, message):
    assert table.count(old) == 1, "the rule would not be broken where it is meant to be"
    with pytest.raises(BadProfile, match=re.escape(message)) as refusal:
        parse_profile(table.replace(old, new), "box")
    assert str(refusal.value).startswith("box.yaml: ")


def test_a_word_like_off_or_no_is_a_word_and_no_boolean():
    profile = parse_profile(SNMP.replace("say: OL", "say: OFF"), "box")
    assert isinstance(profile, SnmpProfile)
    assert profile.state["status"].say[0].say == "OFF"


def test_every_profile_that_we_ship_keeps_the_rules():
    found = profiles()
    files = {entry.name for entry in shipped().iterdir()}
    assert {f"{name}.yaml" for name in found} == files
    assert {"ups-mib", "apc-powernet", "eaton-mge", "eaton-xups", "socomec", "huawei-ups", "dse", "comap"} <= set(found)
    for profile in found.values():
        if isinstance(profile, ModbusProfile):
            spans = spans_of(profile)
            assert all(before[0] + before[1] <= after[0] for before, after in pairwise(spans))
        elif profile.kind == "ups":
            assert fallbacks(profile)[-1].profile == "ups-mib"
            assert profile.state["status"].needs is not None


def test_a_profile_of_the_users_folder_wins_over_ours_and_may_fall_back_on_ours(tmp_path: Path):
    mine = SNMP.replace("profile: box", "profile: socomec").replace("kind: ups", "kind: ups\nfallback: ups-mib")
    (tmp_path / "socomec.yaml").write_text(mine, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no table", encoding="utf-8")
    (found,) = [profile for profile in snmp_profiles("ups", tmp_path) if profile.profile == "socomec"]
    assert found.source == "a test"
    assert [profile.profile for profile in fallbacks(found, tmp_path)] == ["socomec", "ups-mib"]


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        ("nowhere", "there is no SNMP profile 'nowhere'"),
        ("dse", "no SNMP profile 'dse'"),
        ("box", "leads back to itself"),
    ],
)
def test_a_fallback_that_leads_nowhere_or_in_a_circle_is_refused(tmp_path: Path, fallback, message):
    table = SNMP.replace("kind: ups", f"kind: ups\nfallback: {fallback}")
    (tmp_path / "box.yaml").write_text(table, encoding="utf-8")
    with pytest.raises(BadProfile, match=message):
        profiles(tmp_path)


@pytest.mark.parametrize(
    ("object_id", "present", "name"),
    [
        ("1.3.6.1.4.1.318.1.3.27", (), "apc-powernet"),
        ("1.3.6.1.4.1.705.1", (), "eaton-mge"),
        ("1.3.6.1.4.1.534.1", (), "eaton-xups"),
        ("1.3.6.1.4.1.4555.1.1.7", (), "socomec"),
        ("1.3.6.1.4.1.2011.6.174.4.1.2.4", (), "huawei-ups"),
        ("1.3.6.1.4.1.2011.2.23.1", (), None),
        ("1.3.6.1.4.1.3180.1", (), None),
        ("1.3.6.1.4.1.8072.3.2.10", ("1.3.6.1.4.1.2011.6.174.1.2.101.1.1.1",), "huawei-ups"),
        ("1.3.6.1.4.1.476.1.42", ("1.3.6.1.2.1.33.1.4.1.0",), "ups-mib"),
        ("", ("1.3.6.1.2.1.33.1.4.1.0", "1.3.6.1.4.1.318.1.1.1.4.1.1.0"), "apc-powernet"),
        ("", (), None),
    ],
)
def test_a_device_gets_the_profile_of_its_maker_else_the_one_whose_tables_it_has(object_id, present, name):
    found = chosen(snmp_profiles("ups"), object_id, present)
    assert (found.profile if found else None) == name


def test_of_two_makers_prefixes_the_longer_one_wins():
    short, long = (
        parse_profile(SNMP.replace("{present: [1.3.6.1.4.1.1.1.0]}", "{sysObjectID: " + oid + "}"), "box")
        for oid in ("1.3.6.1.4.1.1", "1.3.6.1.4.1.1.2")
    )
    assert isinstance(short, SnmpProfile)
    assert isinstance(long, SnmpProfile)
    assert chosen((short, long), "1.3.6.1.4.1.1.2.7", ()) is long
    assert chosen((long, short), "1.3.6.1.4.1.1.22.7", ()) is short


def test_an_unknown_register_map_is_answered_by_those_that_there_are():
    with pytest.raises(UnknownProfile, match="no profile 'deepsea'; there are: comap, dse"):
        modbus_profile("deepsea", "generator")
    with pytest.raises(UnknownProfile):
        modbus_profile("ups-mib", "generator")
