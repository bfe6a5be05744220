"""Many devices out of one entry, many files for one inventory; problems are located in all of them."""

from __future__ import annotations

import pytest

from monitor.inventory.problems import Level

HEAD = "site: {name: X}\noperations:\n"


def test_a_range_is_a_device_an_address(read):
    loaded = read(
        HEAD + 'devices: {p: {range: "10.0.1.[11-110]", name: "poste-{n:03}", parent: sw}, sw: {address: h}}\n'
    )
    assert loaded.inventory is not None
    devices = loaded.inventory.devices
    assert len(devices) == 101
    assert [(d, devices[d].target.address, devices[d].parents) for d in ("poste-001", "poste-100")] == [
        ("poste-001", "10.0.1.11", ("sw",)),
        ("poste-100", "10.0.1.110", ("sw",)),
    ]


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ("range: 10.0.1.[11-12]", ("p-1", "10.0.1.11")),
        ("range: 10.0.1.[11-12], name: 'x{host}'", ("x11", "10.0.1.11")),
        ("range: 'poste[009-010].lan', name: 'x{n}'", ("x1", "poste009.lan")),
    ],
)
def test_names_count_from_one_or_follow_the_address(keys, first, read):
    loaded = read(HEAD + f"devices: {{p: {{{keys}}}}}\n")
    assert loaded.inventory is not None
    device = next(iter(loaded.inventory.devices.values()))
    assert (device.id, device.target.address) == first


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("range: 10.0.1.11", "3:22 devices.p.range: 10.0.1.11 does not have the form that is expected here"),
        (
            "range: 10.0.1.[20-10]",
            "3:22 devices.p.range: a range goes from a number to a larger one, and has 5000 devices at most",
        ),
        (
            "range: 10.0.1.[1-2], name: poste",
            '3:42 devices.p.name: every device of the range would have the same name (write "p-{n:03}")',
        ),
        (
            "range: 10.0.1.[1-2], address: h",
            "3:36 devices.p.address: address, range and csv exclude each other (keep one of them)",
        ),
        (
            "range: 10.0.1.[254-300]",
            "3:22 devices.p.range: 10.0.1.300 is no host name and no IP address",
        ),
        ("range: 10.0.1.[1-9], rol: x", "3:36 devices.p.rol: unknown key rol (did you mean role?)"),
        ("range: 10.0.1.[1-9], parent: x", "3:44 devices.p.parent: there is no device or link x"),
    ],
)
def test_a_problem_of_a_range_is_told_once(keys, message, read, lines):
    found = lines(read(HEAD + f"devices: {{p: {{{keys}}}}}\n").problems)
    assert [line.partition(" (there are")[0] for line in found] == [message]


def test_two_ranges_may_not_make_the_same_name(read, lines):
    loaded = read(HEAD + "devices:\n  p: {range: 10.0.1.[1-2]}\n  p-2: {address: h}\n")
    assert lines(loaded.problems) == ["5:3 devices.p-2: there is a device p-2 already, on line 4"]


@pytest.mark.parametrize(
    "content",
    [
        "name,address,parent\npc-1,10.0.1.11,sw\npc-2,10.0.1.12,\n",
        '\ufeffname;address;parent\r\n"pc-1";10.0.1.11;"sw"\r\n\r\npc-2;10.0.1.12;\r\n',
        "address\tname\tparent\n10.0.1.11\tpc-1\tsw\n10.0.1.12\tpc-2\t",
    ],
)
def test_a_csv_has_a_device_a_line_whatever_separates_its_cells(content, read):
    loaded = read(HEAD + "devices: {p: {csv: pcs.csv, role: server}, sw: {address: h}}\n", **{"pcs.csv": content})
    assert loaded.inventory is not None
    devices = loaded.inventory.devices
    assert [(d.id, d.target.address, d.role, d.parents) for d in devices.values()] == [
        ("pc-1", "10.0.1.11", "server", ("sw",)),
        ("pc-2", "10.0.1.12", "server", ()),
        ("sw", "h", "", ()),
    ]
    assert {"pc-1-ping", "pc-2-ping"} <= set(loaded.inventory.checks)


def test_a_column_may_be_a_key_inside_a_way(read):
    content = "name,address,snmp.version,snmp.community\na,10.0.0.1,2c,env:C\n"
    loaded = read(HEAD + "devices: {p: {csv: a.csv}}\n", **{"a.csv": content})
    assert loaded.inventory is not None
    assert loaded.inventory.devices["a"].target.access["snmp"].version == "2c"


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("name,adress\na,h\n", ["pcs.csv:1:6 devices.p: unknown column adress (did you mean address?)",
                                "pcs.csv:2:1 devices.a: address is missing"]),
        ("address\nh\n", [
            "pcs.csv:1:1 devices.p: the header has no column name (its first line names the keys: name,address)"]),
        ("name,address\n,h\n", ["pcs.csv:2:1 devices.p: this device has no name"]),
        ("name,address\na,h,x\n", ["pcs.csv:2:5 devices.p: this cell stands below no column of the header"]),
        ("name,address,role\na,h,\nb,i,roter\n", [
            "pcs.csv:3:5 devices.b.role: roter is none of: router, switch, server, ups, generator"
            " (did you mean router?)"]),
        ("name,address\na,10.0.0.999\n", [
            "pcs.csv:2:3 devices.a.address: 10.0.0.999 is no host name and no IP address"]),
        ("name,address\na,h\na,i\n", ["pcs.csv:3:1 devices.a: there is a device a already, on line 2"]),
        ('name,address\na,"h\n', ["pcs.csv:2:3 file: a quote that was opened is never closed"]),
        ("name,name,address\na,b,h\n", ["pcs.csv:1:1 devices.p: the column name stands twice",
                                       "pcs.csv:1:6 devices.p: the column name stands twice"]),
        ("name,address\ncaf\xe9,h\n".encode("cp1252"), [
            "pcs.csv:2:4 file: this character is not UTF-8; in Windows-1252 it would be é (save the file as UTF-8)"]),
        ('name,address,parent\n"a\nb",h,\n"c",i,x\n', [
            "pcs.csv:2:1 devices.p: 'a\\nb' is no name (letters, digits, - _ . +, 64 at most)",
            "pcs.csv:4:7 devices.c.parent: there is no device or link x"]),
    ],
)  # fmt: skip
def test_a_problem_of_a_csv_is_told_in_the_csv(content, messages, read, lines):
    found = lines(read(HEAD + "devices: {p: {csv: pcs.csv}}\n", **{"pcs.csv": content}).problems)
    assert [line.partition(" (there are")[0] for line in found] == messages


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("csv: none.csv", "3:20 devices.p.csv: cannot read"),
        ("csv: ../x.csv", "3:20 devices.p.csv: ../x.csv lies outside the inventory's folder (keep it beside or below"),
        ("csv: /etc/passwd", "3:20 devices.p.csv: /etc/passwd lies outside the inventory's folder"),
    ],
)
def test_a_csv_that_cannot_be_read_is_named_where_it_is_asked_for(entry, message, read, lines):
    (found,) = lines(read(HEAD + f"devices: {{p: {{{entry}}}}}\n").problems)
    assert found.startswith(message)


def test_included_files_are_one_inventory(read, lines):
    loaded = read(
        HEAD + "include: [*.yaml, sites/*.yaml]\ndevices: {a: {address: h, parent: b}}\n",
        **{
            "b.yaml": "devices: {b: {address: i}}\n",
            "sites/c.yaml": "include: [../d.yml]\nchecks: {c: {probe: ping, device: a}}\n",
            "d.yml": "\ufeffdevices: {d: {address: j}}\r\n",
            "empty.yaml": "# nothing yet\n",
        },
    )
    assert lines(loaded.problems) == []
    assert loaded.inventory is not None
    assert set(loaded.inventory.devices) == {"a", "b", "d"}
    assert set(loaded.inventory.checks) == {"c"}


def test_files_that_include_one_another_are_read_once(read, lines):
    loaded = read(HEAD + "include: [a.yaml]\n", **{"a.yaml": "include: [inventory.yaml, a.yaml]\n"})
    assert lines(loaded.problems) == []
    assert loaded.inventory is not None


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        ({"a.yaml": "devices: {b: {adress: i}}\n"}, [
            "a.yaml:1:15 devices.b.adress: unknown key adress (did you mean address?)"]),
        ({"a.yaml": "device: {}\n"}, ["a.yaml:1:1 device: unknown key device (did you mean devices?)"]),
        ({"a.yaml": "- x\n"}, ["a.yaml:1:1 file: the file is no table of keys (it starts with a key such as site:)"]),
        ({"a.yaml": "a: [\n"}, [
            "a.yaml:2:1 file: a value or a closing bracket is missing before this"]),
        ({"a.yaml": "include: [/etc/*.yaml]\n"}, [
            "a.yaml:1:11 include: /etc/*.yaml lies outside the inventory's folder"
            " (keep included files beside or below the inventory)"]),
        ({"a.yaml": "include: [../../x.yaml]\n"}, [
            "a.yaml:1:11 include: ../../x.yaml lies outside the inventory's folder"
            " (keep included files beside or below the inventory)"]),
        ({"a.yaml": "include: [{b: c}]\n"}, ["a.yaml:1:11 include: the name of a file is expected here"]),
    ],
)  # fmt: skip
def test_a_problem_of_an_included_file_is_told_there(files, messages, read, lines):
    assert lines(read(HEAD + "include: [a.yaml]\n", **files).problems) == messages


def test_nothing_may_stand_in_two_files(read, lines, tmp_path):
    loaded = read(
        HEAD + "include: [a.yaml]\ndevices: {b: {address: h}}\n",
        **{"a.yaml": "devices: {b: {address: i}}\nsite: {name: Y}\n"},
    )
    first = tmp_path / "inventory.yaml"
    assert lines(loaded.problems) == [
        f"a.yaml:1:11 devices.b: b stands twice; first in {first}, line 4",
        f"a.yaml:2:1 site: site stands twice; first in {first}, line 1",
    ]


def test_an_include_that_is_not_there_is_named(read, lines):
    loaded = read(HEAD + "include: [none.yaml, x/*.yaml]\n")
    (error,) = lines(loaded.problems)
    assert error.startswith("3:11 include: cannot read ")
    assert lines(loaded.problems, Level.WARNING)[1:] == ["3:22 include: no file matches x/*.yaml"]


def test_the_version_changes_with_every_file_that_was_read(read):
    versions = set()
    for main, other in (("", "name,address\na,h\n"), ("", "name,address\na,i\n"), ("# x\n", "name,address\na,i\n")):
        loaded = read(main + HEAD + "devices: {p: {csv: a.csv}}\n", **{"a.csv": other})
        assert loaded.inventory is not None
        versions.add(loaded.inventory.version)
    assert len(versions) == 3


def test_a_slip_among_hundreds_of_names_is_still_recognised(read, lines):
    text = """
site: {name: x}
devices:
  all: {range: "10.0.[1-250].1", name: "poste-{n:03}"}
  x: {address: h, parent: poste-017b}
"""
    assert any("no device or link poste-017b (did you mean poste-017?)" in line for line in lines(read(text).problems))
