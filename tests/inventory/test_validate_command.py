"""`releve validate` and `releve schema` as a script sees them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli

GOOD = """\
site: {name: X, language: fr}
contacts: {a: {mail: a@example.org}}
channels: {mail: {url: env:HOME}}
operations: {to: [a]}
devices: {d: {address: 127.0.0.1}}
checks: {c: {probe: ping, device: d}}
"""


@pytest.fixture
def validate(tmp_path):
    def run(text: str, *options: str, lang: str = "en") -> Result:
        path = tmp_path / "inventory.yaml"
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(
            cli, ["--inventory", str(path), "--lang", lang, "validate", *options], standalone_mode=False
        )

    return run


def test_a_good_inventory_is_silent_on_stdout(validate):
    result = validate(GOOD)
    assert (result.return_value, result.stdout) == (0, "")
    assert "nothing is wrong (devices: 1, links: 0, checks: 1)" in result.stderr


def test_each_problem_is_a_line_that_editors_follow(validate, tmp_path):
    result = validate(GOOD.replace("device: d", "devise: d, every: 60"))
    place = tmp_path / "inventory.yaml"
    assert result.stdout.splitlines() == [
        f"{place}:6:27: checks.c.devise: unknown key devise (did you mean device?)",
        f"{place}:6:45: checks.c.every: '60' has no unit: write 60s, 5 min, 1 h, 3 d",
    ]
    assert result.return_value == 2
    assert result.stderr.splitlines() == [f"{place}: errors: 2, warnings: 0"]


def test_warnings_alone_end_well(validate):
    result = validate(GOOD + "rounds: {}\n")
    assert result.return_value == 0
    assert result.stdout.endswith(":7:1: rounds: accepted, but this version does not act on it [warning]\n")


def test_json_has_the_keys_of_the_contract(validate, tmp_path):
    result = validate(GOOD + "rounds: {}\nusers: {}\nhost: 1\n", "--json")
    found = json.loads(result.stdout)
    assert result.return_value == 2
    assert [(each["line"], each["level"]) for each in found] == [(7, "warning"), (8, "warning"), (9, "error")]
    assert found[2] == {
        "path": str(tmp_path / "inventory.yaml"),
        "line": 9,
        "column": 1,
        "where": "host",
        "message": "unknown key host",
        "hint": found[2]["hint"],
        "level": "error",
    }
    assert validate(GOOD, "--json").stdout.strip() == "[]"


def test_a_file_that_is_not_there_is_exit_2(tmp_path):
    result = CliRunner().invoke(
        cli, ["--inventory", str(tmp_path / "none.yaml"), "--lang", "en", "validate"], standalone_mode=False
    )
    assert result.return_value == 2
    assert result.stdout.startswith(f"{tmp_path / 'none.yaml'}:1:1: file: cannot read ")


def test_live_tries_each_way_once_and_tells_where_it_stands(validate, unused_tcp_port, tmp_path):
    text = f"""\
site: {{name: X}}
contacts: {{a: {{mail: a@example.org}}}}
channels: {{mail: {{url: env:HOME}}}}
operations: {{to: [a]}}
devices:
  u: {{address: 127.0.0.1, role: ups, nut: {{ups: x, port: {unused_tcp_port}}}}}
"""
    assert validate(text).return_value == 0
    result = validate(text, "--live", "--json")
    (found,) = json.loads(result.stdout)
    assert (found["line"], found["column"], found["where"]) == (6, 38, "devices.u.nut")
    assert found["level"] == "error"
    assert found["message"].startswith("u: ")
    assert result.return_value == 2


def test_schema_is_json(tmp_path):
    result = CliRunner().invoke(cli, ["--lang", "en", "schema"], standalone_mode=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["required"] == ["site"]
