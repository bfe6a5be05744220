"""A whole inventory: the contract's example, ten mistakes at once, what roles and links bring, what covers what."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.agreement import Protocol
from monitor.core.incident import Interruption
from monitor.core.text import ENGLISH
from monitor.inventory.load import load
from monitor.inventory.problems import Level

CONTRACT = """\
site: {name: Media Contact Douala, timezone: Africa/Douala, language: fr}   # url: base of links in messages
contacts:
  admin:  {name: Administrateur SI, mail: admin@example.org, sms: "+237600000000", order: [mail, sms]}
  att:    {name: Desk ATT, mail: att@example.org}
  ocm-it: {name: DSI OCM, mail: dsi@example.org}
  crisis: {name: Cellule de crise, mail: crise@example.org}
channels:
  mail: {url: "env:RELEVE_MAIL_URL", through: fo}   # mailto(s)://user:pass@host:port ; while `fo` is down, start with the next
  sms:  {url: "gammu:/var/spool/gammu"}
devices:
  router: {address: 127.0.0.1, role: router, legacy_crypto: [ssh-rsa],
           snmp: {version: 3, user: releve, auth: "env:A", auth_protocol: SHA-256, priv: "env:P", priv_protocol: AES-128, port: 161},
           ssh: {user: releve, key: "file:~/.ssh/id", platform: cisco_ios}}
  hmp:    {address: 127.0.0.1, parent: router, snmp: {version: 2c, community: "env:C", port: 161}}
  fh-radio: {address: 127.0.0.1, parent: router, snmp: {version: 2c, community: "env:C"}}
  ups:    {address: 127.0.0.1, role: ups, nut: {ups: onduleur, port: 3493, user: monitor, password: "env:N"}}
  genset: {address: 127.0.0.1, role: generator, modbus: {port: 502, unit: 10, profile: dse}}
  sql:    {address: 127.0.0.1, parent: router, winrm: {user: releve, password: "env:W", transport: ntlm},
           sql: {engine: mssql, database: HN_Admin, user: lecture, password: "env:S"}}
  sbc:    {address: 127.0.0.1, parent: router, sip: {port: 5060, transport: udp, user: test, password: "env:T"}}
links:
  fo: {technology: FO, device: router, interface: GigabitEthernet0/0, capacity: 4 Mbit/s, peer: 127.0.0.1}
  fh: {technology: FH, device: router, interface: GigabitEthernet0/1, capacity: 4 Mbit/s, radio: fh-radio}
checks:
  hmp-disk: {probe: disk, device: hmp, via: snmp, mount: "D:", warning: 80%, critical: 90%, every: 60s,
             confirm: 3, incident: hmp-disk-full}
  onnet:    {probe: service, device: hmp, via: snmp, name: Onnet, incident: service-stopped}
incidents:                                    # the catalogue of S14, one entry a kind
  hmp-disk-full: {runbook: purge-audio, target: 20 min, interruption: never}
  service-stopped: {runbook: restart-service, target: 5 min, interruption: always}
protocol:                                     # S15 to S18: the client, only for a CRITICAL incident that interrupts
  live: true                                  # the default; false: everything goes to `operations`, subject [ESSAI], naming who would have been told
  first_notice: {to: [att], within: 30s}
  update: {every: 60 min, to: [att]}
  conference: {after: 60 min, to: [ocm-it, att], bridge: "+237 000, code 1"}
  crisis_report: {every: 60 min, to: [att, ocm-it]}
  resolved: {to: [all]}                       # reserved: everybody told
  long_after: 6h
operations: {to: [admin]}                     # everything else: warnings, kind `other`, kind `blind`
"""  # noqa: E501 - as it stands in the contract

TEN_MISTAKES = """\
site: {name: Douala, timezone: Africa/Doula}
contacts:
  admin: {mail: admin@example.org, sms: +237600000000}
channels:
  mail: {url: env:HOME, trough: fo}
devices:
  router: {address: 192.168.10.1, snmp: {version: 2c, community: env:HOME}}
  hmp: {address: 192.168.10.20, parent: routr}
  a: {address: 10.0.0.1, parent: b}
  b: {address: 10.0.0.2, parent: a}
checks:
  web: {probe: htp, device: hmp}
  door: {probe: tcp, device: hmp, prot: 80}
  hmp: {probe: ping, device: hmp, every: 60, incident: powr}
operations: {to: [amdin]}
"""


def test_the_contracts_example_is_valid(read, lines):
    loaded = read(CONTRACT)
    assert lines(loaded.problems) == []
    inventory = loaded.inventory
    assert inventory is not None
    assert inventory.site.timezone == ZoneInfo("Africa/Douala")
    assert inventory.protocol == Protocol(
        live=True,
        first_to=("att",),
        first_within=timedelta(seconds=30),
        update_to=("att",),
        update_every=timedelta(hours=1),
        resolved_to=("all",),
        operations=("admin",),
        long_after=timedelta(hours=6),
        conference_to=("ocm-it", "att"),
        conference_after=timedelta(hours=1),
        bridge="+237 000, code 1",
        crisis_to=("att", "ocm-it"),
        crisis_every=timedelta(hours=1),
        chase=True,
    )
    assert inventory.contacts["admin"].order == ("mail", "sms")
    assert inventory.links["fo"].capacity == 4e6
    assert inventory.checks["hmp-disk"].kind == "hmp-disk-full"
    assert inventory.kinds["service-stopped"].target == timedelta(minutes=5)


def test_an_update_may_be_shown_to_our_own_people_before_it_leaves(read):
    asked = read(CONTRACT.replace("{every: 60 min, to: [att]}", "{every: 60 min, to: [att], draft: 5 min}")).inventory
    assert asked is not None
    assert asked.protocol.draft_before == timedelta(minutes=5)


def test_the_contracts_example_warns_of_what_is_not_acted_on(read, lines):
    told = [line for line in lines(read(CONTRACT).problems, Level.WARNING) if "does not act" in line]
    assert [line.partition(":")[2].partition(" ")[2].partition(":")[0] for line in told] == [
        "devices.sql.winrm",
        "devices.sbc.sip",
        "links.fh.radio",
    ]


def test_the_contracts_example_says_what_its_runbooks_lack(read, lines):
    (told,) = (line for line in lines(read(CONTRACT).problems, Level.WARNING) if "can do nothing" in line)
    assert "purge-audio can do nothing about hmp-disk: the inventory names no recordings" in told


def test_ten_mistakes_are_ten_located_messages(read, lines):
    loaded = read(TEN_MISTAKES)
    assert lines(loaded.problems) == [
        "1:32 site.timezone: there is no time zone Africa/Doula (did you mean Africa/Douala?)",
        '3:41 contacts.admin.sms: without quotes +237600000000 is a number and loses its + (write "+237600000000")',
        "5:25 channels.mail.trough: unknown key trough (did you mean through?)",
        "8:41 devices.hmp.parent: there is no device or link routr (did you mean router?)",
        "9:34 devices.a.parent: each of these stands behind the next: a > b > a (take one parent away)",
        "12:16 checks.web.probe: there is no probe htp (did you mean http?)",
        "13:35 checks.door.prot: unknown key prot (did you mean port?)",
        "14:42 checks.hmp.every: '60' has no unit: write 60s, 5 min, 1 h, 3 d",
        "14:56 checks.hmp.incident: there is no incident kind powr (did you mean power?)",
        "15:19 operations.to: there is no contact amdin (did you mean admin?)",
    ]
    assert loaded.inventory is None


def test_windows_files_are_read_and_still_located(read, lines):
    raw = b"\xef\xbb\xbf" + TEN_MISTAKES.replace("\n", "\r\n").encode()
    assert lines(read(raw).problems) == lines(read(TEN_MISTAKES).problems)
    assert read(b"\xef\xbb\xbf" + CONTRACT.replace("\n", "\r\n").encode()).inventory is not None


def test_only_the_site_is_required(read):
    inventory = read("site: {name: X}\n").inventory
    assert inventory is not None
    assert (inventory.checks, inventory.devices) == ({}, {})
    assert inventory.protocol == Protocol(resolved_to=(), chase=True)
    assert inventory.kinds["power"].interruption is Interruption.DETECTED


def test_a_role_and_a_link_bring_their_checks(read):
    inventory = read(CONTRACT).inventory
    assert inventory is not None
    brought = {name: (c.probe, c.node, c.target.name, c.kind, c.gate) for name, c in inventory.checks.items()}
    assert brought == {
        "router": ("router", "router", "router", "other", False),
        "router-ping": ("ping", "router", "router", "other", True),
        "ups": ("ups", "ups", "ups", "power", True),
        "genset": ("generator", "genset", "genset", "power", False),
        "fo": ("link", "fo", "router", "link-unstable", True),
        "fo-peer": ("ping", "fo-peer", "fo-peer", "link-unstable", False),
        "fh": ("link", "fh", "router", "link-unstable", True),
        "hmp-disk": ("disk", "hmp", "hmp", "hmp-disk-full", False),
        "onnet": ("service", "hmp", "hmp", "service-stopped", False),
    }


def test_defaults_are_those_of_the_contract(read):
    inventory = read("site: {name: X}\ndevices: {a: {address: h, role: server}}\n").inventory
    assert inventory is not None
    check = inventory.checks["a-ping"]
    assert (check.every, check.timeout, check.retry) == (
        timedelta(seconds=60),
        timedelta(seconds=10),
        timedelta(seconds=15),
    )
    assert (check.policy.confirm, check.policy.recover, check.kind) == (3, 1, "other")


def test_a_check_of_the_same_name_changes_only_the_keys_that_it_gives(read):
    inventory = read(
        "site: {name: X}\ndevices: {a: {address: h, role: server}}\n"
        "checks: {a-ping: {every: 20s, incident: server-reboot}}\n"
    ).inventory
    assert inventory is not None
    check = inventory.checks["a-ping"]
    assert (check.probe, check.node, check.every, check.retry) == (
        "ping",
        "a",
        timedelta(seconds=20),
        timedelta(seconds=5),
    )
    assert check.kind == "server-reboot"


LINKED = """\
site: {name: X}
devices:
  r: {address: 10.0.0.1, role: router, snmp: {version: 2c, community: env:HOME}}
  far: {address: 10.9.0.1, role: server, parent: [fo, fh]}
links:
  fo: {technology: FO, device: r, interface: Gi0/0, capacity: 4 Mbit/s, peer: "10.9.0.2:5060"}
  fh: {technology: FH, device: r, interface: Gi0/1, capacity: 2 Mbit/s}
"""


def test_a_link_stands_behind_its_device_and_its_far_end_behind_the_link(read):
    inventory = read(LINKED).inventory
    assert inventory is not None
    nodes = {node.id: (node.parents, node.gates) for node in inventory.plan.topology.nodes.values()}
    assert nodes == {
        "r": ((), ("r-ping",)),
        "far": (("fo", "fh"), ("far-ping",)),
        "fo": (("r",), ("fo",)),
        "fh": (("r",), ("fh",)),
        "fo-peer": (("fo",), ()),
    }


def test_a_peer_with_a_port_is_timed_by_tcp(read):
    inventory = read(LINKED).inventory
    assert inventory is not None
    check = inventory.checks["fo-peer"]
    assert (check.target.address, check.params.port) == ("10.9.0.2", 5060)


def test_the_far_end_is_a_gate_of_the_link_only_when_asked(read):
    inventory = read(LINKED + "checks: {fo-peer: {gate: true}, far-ping: {gate: false}}\n").inventory
    assert inventory is not None
    nodes = inventory.plan.topology.nodes
    assert nodes["fo"].gates == ("fo-peer", "fo")
    assert nodes["far"].gates == ()
    assert inventory.checks["fo-peer"].node == "fo"


def test_a_link_gives_its_check_interface_and_capacity(read):
    inventory = read(LINKED + "checks: {more: {probe: link, link: fh}, fo: {capacity: 8 Mbit/s}}\n").inventory
    assert inventory is not None
    found = {
        name: (inventory.checks[name].params.interface, inventory.checks[name].params.capacity)
        for name in ("more", "fo")
    }
    assert found == {"more": ("Gi0/1", 2e6), "fo": ("Gi0/0", 8e6)}


def test_the_first_way_with_credentials_is_taken_and_local_only_for_this_machine(read, lines):
    loaded = read(
        "site: {name: X}\ndevices:\n  a: {address: h, snmp: {version: 2c, community: env:HOME}}\n"
        "  b: {address: 127.0.0.1}\n"
        "checks:\n  d: {probe: disk, device: a, mount: '/'}\n  l: {probe: disk, device: a, mount: '/', via: local}\n"
        "  m: {probe: disk, device: b, mount: '/'}\n"
    )
    assert lines(loaded.problems) == []
    assert loaded.inventory is not None
    assert [loaded.inventory.checks[name].params.via for name in ("d", "l", "m")] == ["snmp", "local", "local"]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            "{probe: disk, device: a, mount: /}",
            "3:35 checks.d.device: a has no snmp: to look by"
            " (give it under devices.a; or via: local, if it is this machine)",
        ),
        (
            "{probe: disk, device: a, mount: /, via: snmp}",
            "3:53 checks.d.via: a has no snmp:, so that nothing can be seen that way (give it under devices.a)",
        ),
        (
            "{probe: disk, device: a, mount: /, via: smnp}",
            "3:53 checks.d.via: the probe disk does not look via smnp (did you mean snmp?)",
        ),
        (
            "{probe: generator, device: a}",
            "3:40 checks.d.device: a has no modbus: to look by (give it under devices.a)",
        ),
    ],
)
def test_a_way_without_credentials_is_an_error(check, message, read, lines):
    found = lines(read(f"site: {{name: X}}\ndevices: {{a: {{address: h}}}}\nchecks: {{d: {check}}}\n").problems)
    assert found[0] == message


def test_an_incident_kind_may_be_changed_and_added(read):
    inventory = read(
        "site: {name: X}\nincidents:\n"
        "  power: {target: 10 min, title: Courant, cause: {fr: Coupure, en: Mains cut}}\n"
        "  bus: {interruption: always}\n"
        "devices: {a: {address: h}}\nchecks: {c: {probe: ping, device: a, incident: bus}}\n"
    ).inventory
    assert inventory is not None
    power = inventory.kinds["power"]
    assert (power.interruption, power.target) == (Interruption.DETECTED, timedelta(minutes=10))
    assert (power.titles, power.causes) == (
        {"fr": "Courant", "en": "Courant"},
        {"fr": "Coupure", "en": "Mains cut"},
    )
    assert inventory.plan.interruption["bus"] is Interruption.ALWAYS
    assert inventory.plan.checks["c"].kind == "bus"


def test_short_durations_are_legal_everywhere(read, lines):
    loaded = read(
        "site: {name: X}\ncontacts: {a: {mail: a@b.cm}}\nchannels: {mail: {url: env:HOME}}\noperations: {to: [a]}\n"
        "protocol: {first_notice: {to: [a], within: 1s}, update: {to: [a], every: 2s}, long_after: 5s}\n"
        "devices: {d: {address: h, role: server}}\nchecks: {d-ping: {every: 200 ms, timeout: 100 ms}}\n"
    )
    assert (lines(loaded.problems), lines(loaded.problems, Level.WARNING)) == ([], [])
    assert loaded.inventory is not None
    assert loaded.inventory.protocol.update_every == timedelta(seconds=2)


def test_a_relative_secret_file_lies_beside_the_inventory(read, tmp_path):
    loaded = read("site: {name: X}\nchannels: {mail: {url: 'file:mail.url'}}\n", **{"mail.url": "mailto://x@y\n"})
    assert loaded.inventory is not None
    assert loaded.inventory.channels["mail"].url.reveal() == "mailto://x@y"
    assert not [problem for problem in loaded.problems if "channels" in problem.where]


def test_where_each_login_stands_is_known(read):
    logins = read(LINKED).logins
    assert {key: (at.line, at.column) for key, at in logins.items()} == {("r", "snmp"): (3, 40)}


def test_a_file_that_is_not_there_is_a_problem(tmp_path):
    loaded = load(tmp_path / "none.yaml")
    (problem,) = loaded.problems
    assert (problem.line, problem.column, problem.level) == (1, 1, Level.ERROR)
    assert ENGLISH.render(problem.message) == f"cannot read {tmp_path / 'none.yaml'}: No such file or directory"


def test_a_folder_is_no_inventory(tmp_path):
    assert load(tmp_path).inventory is None
    assert len(load(tmp_path).problems) == 1


SOME_WORDS = """
site name devices links checks contacts channels incidents protocol operations include a b all address parent role
router ups snmp version 2c probe ping link device range 10.0.0.[1-3] csv to first_notice every 60s mail url env:X title
thresholds via fo peer h:80 capacity 4Mbit/s interface technology * << timezone power runbook
"""
WORDS = st.sampled_from(SOME_WORDS.split())
SCALARS = WORDS | st.integers(-5, 70000) | st.booleans() | st.none() | st.text(max_size=5) | st.floats(allow_nan=False)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=25
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(tree=st.dictionaries(WORDS, TREES, max_size=8))
def test_any_tree_is_an_inventory_or_located_problems(tree, tmp_path: Path):
    path = tmp_path / "inventory.yaml"
    path.write_text(json.dumps(tree), encoding="utf-8")
    loaded = load(path)
    assert (loaded.inventory is None) == any(problem.level is Level.ERROR for problem in loaded.problems)
    if loaded.inventory is not None:
        assert set(tree.get("checks") or ()) <= set(loaded.inventory.checks)
        assert set(tree.get("links") or ()) == set(loaded.inventory.links)
    for problem in loaded.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert ENGLISH.render(problem.message)


def test_a_mistake_behind_an_anchor_is_told_once_where_it_stands(read, lines):
    loaded = read(
        "site: {name: X}\nbaseline: {snmp: &snmp {version: 2c, comunity: env:HOME}}\n"
        "devices:\n  a: {address: h, snmp: *snmp}\n  b: {address: i, snmp: {<<: *snmp, port: 1161}}\n"
    )
    assert lines(loaded.problems) == ["2:38 devices.a.snmp.comunity: unknown key comunity (did you mean community?)"]


def test_an_inventory_that_only_includes_nothing_lacks_its_site(read, lines):
    (problem,) = lines(read("include: []\n").problems)
    assert "site: site is missing" in problem
