"""The example with two sites is right as it stands, and says what each move would do."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from failover.model import Continuity, Mode, SiteId
from failover.phases import Direction
from failover.tasks import tasks_of
from monitor import cli
from monitor.core.text import ENGLISH
from monitor.daemon.peering import ends
from monitor.inventory.json_schema import json_schema
from monitor.inventory.load import Loaded, load
from monitor.inventory.problems import Level, Problems
from monitor.inventory.yaml_nodes import plain_data, read

NAME = "inventory-two-sites.yaml"
VARIABLES = ("RELEVE_MAIL_URL", "RELEVE_SQL_PASSWORD")
PEMS = ("ca.pem", "cert.pem", "key.pem", "etcd-ca.pem", "etcd.pem", "etcd-key.pem")
FILES = (".ssh/releve", *(f".releve/{name}" for name in PEMS))
CENTRE, SECOURS = SiteId("centre"), SiteId("secours")


@pytest.fixture
def loaded(project, monkeypatch, tmp_path) -> Loaded:
    """The example, with its variables set and its keys there."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "mailto://localhost:25")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a key")
    return load(project / NAME)


def test_it_has_no_problem_once_its_secrets_are_there(loaded):
    assert loaded.problems == ()
    found: Continuity = loaded.inventory.continuity
    assert (found.mode, found.here.id) == (Mode.QUORUM, "centre")
    assert found.sites[CENTRE].devices == {"sql-1", "calls-1"}
    both = ends(loaded.inventory)
    assert both is not None, "two Relèves that do not know each other both tell everybody everything"
    assert [site.id for site in both] == [CENTRE, SECOURS]


def test_without_its_secrets_it_only_warns(project, monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert {problem.level for problem in load(project / NAME).problems} == {Level.WARNING}


def test_it_fits_the_json_schema(project):
    node = read("f", (project / NAME).read_bytes(), Problems())
    jsonschema.Draft7Validator(json_schema()).validate(plain_data(node))


@pytest.mark.parametrize(
    ("direction", "source", "target", "first", "last"),
    [
        (Direction.SWITCHOVER, CENTRE, SECOURS, "run systemctl stop dialler on calls-1",
         "run systemctl start dialler on calls-1"),
        (Direction.FAILOVER, CENTRE, SECOURS, "run /usr/local/sbin/cut centre on edge",
         "run /usr/local/sbin/lead secours on edge"),
        (Direction.FAILBACK, SECOURS, CENTRE, "run systemctl stop dialler on calls-2",
         "run systemctl start dialler on calls-2"),
        (Direction.DRILL, CENTRE, SECOURS, "run systemctl start hermes-drill on calls-2",
         "run systemctl stop hermes-drill on calls-2"),
    ],
)  # fmt: skip
def test_each_move_has_its_steps(loaded, direction, source, target, first, last):
    inventory = loaded.inventory
    tasks = tasks_of(inventory.continuity.plans["crm"], direction, source, target, inventory.actionable)
    said = [ENGLISH.render(task.action.said) for task in tasks]
    assert (said[0], said[-1]) == (first, last)


def test_the_command_that_it_names_says_what_a_move_would_do(loaded, project, tmp_path, capsys):
    code = cli.carry_out(
        ["--inventory", str(project / NAME), "--data", str(tmp_path / "d"), "failover", "plan", "--json"]
    )
    course = json.loads(capsys.readouterr().out)
    assert (code, course["to"]["site"], len(course["phases"])) == (0, "secours", 10)


def test_the_mirrors_that_it_shows_in_a_comment_are_right_as_well(loaded, project, tmp_path):
    text = (project / NAME).read_text("utf-8")
    shown = yaml.safe_load("\n".join(line[4:] for line in text.splitlines() if line.startswith("#   ")))
    body = yaml.safe_load(text)
    body["datasets"] |= shown["datasets"]
    body["recordings"] = shown["recordings"]
    body["plans"]["crm"]["data"] += shown["datasets"]
    path = tmp_path / "inventory.yaml"
    path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
    reading = load(path)
    assert reading.problems == ()
    mirrors = reading.inventory.continuity.data["voice"].mirrors
    assert mirrors == {"releve-archive-voice": CENTRE, "releve-archive-voice-back": SECOURS}
