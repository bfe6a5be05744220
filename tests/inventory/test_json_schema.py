"""The JSON Schema says of an inventory what the loader says of its shape."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from babel.messages.pofile import read_po

from alerts.language import folder
from monitor.core.text import Text
from monitor.inventory.json_schema import json_schema
from monitor.inventory.problems import Problems
from monitor.inventory.yaml_nodes import plain_data, read
from probes.registry import kinds


@cache
def schema() -> Any:
    return json_schema()


def errors(text: str) -> list[str]:
    node = read("f", text.encode(), Problems())
    assert node is not None
    return [
        ".".join(map(str, error.path)) for error in jsonschema.Draft7Validator(schema()).iter_errors(plain_data(node))
    ]


def test_it_is_a_schema():
    jsonschema.Draft7Validator.check_schema(schema())
    assert set(kinds()) == {name.removeprefix("check-") for name in schema()["$defs"] if name.startswith("check-")}


def test_every_word_for_people_goes_through_the_translation():
    told: set[str] = set()
    json_schema(lambda text: told.add(text) or "")
    known = {entry.id for entry in read_po(io.BytesIO((folder() / "locale/fr/LC_MESSAGES/releve.po").read_bytes()))}
    assert told <= known


def test_every_definition_is_used():
    text = json.dumps(schema())
    assert [name for name in schema()["$defs"] if f'"#/$defs/{name}"' not in text] == []


def test_the_reference_inventory_fits(project):
    assert errors((project / "inventory.yaml").read_text(encoding="utf-8")) == []


def test_every_example_in_the_tests_that_the_loader_takes_fits(project):
    source = (Path(__file__).parent / "test_load.py").read_text(encoding="utf-8")
    contract = source.partition('CONTRACT = """\\\n')[2].partition('"""')[0]
    assert contract
    assert errors(contract) == []


@pytest.mark.parametrize(
    "text",
    [
        "site: {name: X}\ndevices: {p: {range: '10.0.0.[1-3]', name: 'p-{n}', role: server}, q: {csv: a.csv}}\n",
        "site: {name: X}\nchecks:\nincidents: {power: {title: Courant, cause: {fr: x}}}\n",
        "site: {name: X}\nrota: {d: {members: [a, b], handover: monday 08:00, from: 2026-01-05}}\n",
        "site: {name: X}\nchecks: {a-ping: {every: 20s}, c: {probe: ping, link: fo, count: 3}}\n",
        "site: {name: X}\ndevices: {a: {address: h, parent: [b, c]}, b: {address: h, parent: a}}\n",
        "site: {name: X}\nservices:\nmaintenance:\n",
        "site: {name: X}\nservices: {a: {all: [fo, {count: ['p-*', {any: [{service: b}]}]}], below: 50%, title: T}}\n",
        "site: {name: X}\nservices: {b: {metric: {check: pbx, name: capacity, of: 30}, below: 3}}\n",
        "site: {name: X}\nmaintenance: {w: {devices: a, title: {fr: T}, from: 2026-12-01 22:00, until: 02:00}}\n",
        "site: {name: X}\nmaintenance: {w: {checks: [a], at: '02:00', for: 2h, days: [sun, lundi], weeks: [1, 3]}}\n",
        "site: {name: X}\nmaintenance: {w: {checks: a, at: 02:00, for: 2 h, days: sun, weeks: 1, incident: power}}\n",
        "site: {name: X}\nchecks: {c: {probe: ping, device: a, flapping: false, needs: [d], hysteresis: 20ms}}\n",
        "site: {name: X}\nchecks: {c: {probe: disk, device: a, mount: C, flapping: {low: 20%, high: 30%},"
        " thresholds: {used: {warning: 80%, hysteresis: 5}}}}\n",
        "site: {name: X}\nprotocol: {reopen_within: 15 min}\n",
    ],
)
def test_what_the_loader_takes_fits(text):
    assert errors(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("devices: {}\n", ""),
        ("site: {name: X, timzone: UTC}\n", "site"),
        ("site: {name: X}\ndevice: {}\n", ""),
        ("site: {name: X}\ndevices: {a: {role: server}}\n", "devices.a"),
        ("site: {name: X}\ndevices: {a: {address: h, range: '1[1-2]'}}\n", "devices.a"),
        ("site: {name: X}\ndevices: {a: {address: h, snmp: {version: 1}}}\n", "devices.a.snmp"),
        ("site: {name: X}\nchecks: {c: {probe: tcp, device: a, prot: 1}}\n", "checks.c"),
        ("site: {name: X}\nchecks: {c: {probe: tcp, device: a, port: 70000}}\n", "checks.c.port"),
        ("site: {name: X}\nchecks: {c: {probe: pingg, device: a}}\n", "checks.c.probe"),
        ("site: {name: X}\nchecks: {c: {probe: ping, device: a, every: 60}}\n", "checks.c.every"),
        ("site: {name: X}\nincidents: {power: {interruption: maybe}}\n", "incidents.power.interruption"),
        ("site: {name: X}\nprotocol: {live: no}\n", "protocol.live"),
        ("site: {name: X}\noperations: {to: []}\n", "operations"),
        ("site: {name: X}\nservices: {a: {all: []}}\n", "services.a"),
        ("site: {name: X}\nservices: {a: {all: [{any: []}]}}\n", "services.a.all"),
        ("site: {name: X}\nservices: {a: {all: [fo], any: [fo]}}\n", "services.a"),
        ("site: {name: X}\nservices: {a: {title: T}}\n", "services.a"),
        ("site: {name: X}\nservices: {a: {all: [fo], below: half}}\n", "services.a.below"),
        ("site: {name: X}\nservices: {a: {all: [fo], belo: 3}}\n", "services.a"),
        ("site: {name: X}\nservices: {a: {metric: {check: fo, name: x, of: 0}}}\n", "services.a.metric.of"),
        ("site: {name: X}\nmaintenance: {w: {checks: a, at: '02:00', for: 2}}\n", "maintenance.w.for"),
        ("site: {name: X}\nmaintenance: {w: {checks: a, at: 2, for: 2 h}}\n", "maintenance.w.at"),
        ("site: {name: X}\nmaintenance: {w: {checks: a, at: '02:00', for: 2 h, weeks: 6}}\n", "maintenance.w.weeks"),
        ("site: {name: X}\nmaintenance: {w: {checks: a, form: 02:00}}\n", "maintenance.w"),
        ("site: {name: X}\nchecks: {c: {probe: ping, device: a, flapping: no}}\n", "checks.c.flapping"),
        ("site: {name: X}\nchecks: {c: {probe: ping, device: a, flapping: {low: 25}}}\n", "checks.c.flapping"),
        ("site: {name: X}\nchecks: {c: {probe: ping, device: a, hysteresis: [1]}}\n", "checks.c.hysteresis"),
        ("site: {name: X}\nprotocol: {reopen_within: 15}\n", "protocol.reopen_within"),
    ],
)
def test_what_the_loader_refuses_in_shape_does_not_fit(text, where):
    assert any(found.startswith(where) for found in errors(text))


def test_what_it_tells_can_be_translated():
    shouted = json.dumps(json_schema(str.upper))
    assert "HOST NAME OR IP ADDRESS, WITHOUT PORT" in shouted
    assert isinstance(Text(""), Text)
