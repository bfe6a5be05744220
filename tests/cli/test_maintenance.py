"""Announced work on the command line, with nobody else writing: the commands act by themselves."""

import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest

from monitor import cli

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {switch: {address: 127.0.0.1}, server: {address: 127.0.0.1, parent: switch}}
checks:
  switch-port: {probe: tcp, device: switch, port: 1, every: 1 h}
  door: {probe: tcp, device: server, port: 1, every: 1 h}
maintenance:
  weekly: {at: "IN-SIX-HOURS", for: 1 h, devices: [server], title: {fr: Mises à jour, en: Updates}}
operations: {to: [admin]}
"""


@pytest.fixture
def releve(tmp_path, capsys, monkeypatch):
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""
    inventory = tmp_path / "inventory.yaml"
    at = (datetime.now(UTC) + timedelta(hours=7)).strftime("%H:%M")  # noqa: TID251 - Douala is an hour ahead
    inventory.write_text(SITE.replace("IN-SIX-HOURS", at), encoding="utf-8")
    monkeypatch.setenv("RELEVE_INVENTORY", str(inventory))
    monkeypatch.setenv("RELEVE_DATA", str(tmp_path / "data"))

    def run(*arguments):
        code = cli.carry_out(["--lang", "en", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def listed(releve):
    code, out, err = releve("maintenance", "list", "--json")
    assert (code, err) == (0, "")
    return {one["id"]: one for one in json.loads(out)}


def test_work_is_announced_listed_and_ended(releve):
    code, out, _ = releve(
        "maintenance", "add", "new-switch", "--device", "switch", "--for", "4h", "--reason", "replaced"
    )
    assert code == 0
    assert "Nothing of it is told meanwhile" in out
    assert "checks concerned: 2" in out
    assert "releve maintenance end new-switch" in out
    one = listed(releve)["new-switch"]
    assert (one["active"], one["nodes"], one["concerned"], one["kind"], one["reason"], one["by"]) == (
        True, ["switch"], 2, "", "replaced", f"uid:{os.getuid()}",
    )  # fmt: skip
    begins, ends = (datetime.fromisoformat(one[key]) for key in ("from", "until"))
    assert ends - begins == timedelta(hours=4)
    code, out, _ = releve("maintenance", "end", "new-switch")
    assert (code, "told from now on" in out) == (0, True)
    assert "new-switch" not in listed(releve)
    assert releve("audit", "verify")[0] == 0


def test_work_to_come_is_announced_in_the_sites_time_and_can_be_called_off(releve):
    asked = ["--check", "door", "--from", "2098-12-01 22:00", "--until", "02:00", "--incident", "link-unstable"]
    code, out, _ = releve("maintenance", "add", "radio", *asked, "--json")
    one = json.loads(out)
    assert (code, one["active"], one["coming"], one["kind"]) == (0, False, True, "link-unstable")
    assert (one["from"], one["until"]) == ("2098-12-01T21:00:00.000Z", "2098-12-02T01:00:00.000Z")
    assert releve("maintenance", "end", "radio")[:2] == (0, "radio is called off.\n")
    assert "radio" not in listed(releve)


def test_what_is_told_as_an_incident_says_so(releve):
    _, out, _ = releve("maintenance", "add", "x", "--device", "server", "--for", "1h", "--incident", "power")
    assert "told as one incident, power" in out
    assert "Nothing of it is told" not in out


def test_the_list_for_people_names_what_goes_on_and_the_next_time_of_what_recurs(releve):
    releve("maintenance", "add", "new-switch", "--device", "switch", "--for", "4h")
    code, out, _ = releve("maintenance", "list")
    assert code == 0
    rows = out.splitlines()
    assert rows[1].startswith("new-switch")
    assert "going on" in rows[1]
    weekly = next(row for row in rows if row.startswith("weekly (Updates)"))
    assert re.search(r"to come +(\S+ )?\d\d:\d\d +(\S+ )?\d\d:\d\d +server", weekly)
    assert "inventory" in weekly


def test_the_status_names_the_work_that_goes_on(releve):
    releve("maintenance", "add", "new-switch", "--device", "switch", "--for", "4h")
    assert "new-switch" in releve("status")[1]
    (one, *_) = json.loads(releve("status", "--json")[1])["maintenance"]
    assert (one["id"], one["active"]) == ("new-switch", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--for", "1h"], "--device NAME or --check CHECK"),
        (["x", "--device", "swich", "--for", "1h"], "did you mean switch?"),
        (["x", "--check", "dor", "--for", "1h"], "did you mean door?"),
        (["x", "--device", "switch"], "how long it lasts"),
        (["x", "--device", "switch", "--for", "1h", "--until", "22:00"], "how long it lasts"),
        (["x", "--device", "switch", "--for", "4"], "has no unit"),
        (["x", "--device", "switch", "--for", "0s"], "end before it begins"),
        (["x", "--device", "switch", "--for", "-1h"], "end before it begins"),
        (["x", "--device", "switch", "--for", "90 d"], "it lasts too long"),
        (["x", "--device", "switch", "--from", "tonight", "--for", "1h"], "'tonight' is no moment"),
        (["x", "--device", "switch", "--from", "2020-01-01 22:00", "--for", "1h"], "over already"),
        (["x", "--device", "switch", "--for", "1h", "--incident", "link-unstabel"], "did you mean link-unstable?"),
        (["x", "--device", "switch", "--for", "1h", "--incident", "blind"], "what nobody can see"),
        (["a b", "--device", "switch", "--for", "1h"], "'a b' is no name"),
        (["../x", "--device", "switch", "--for", "1h"], "is no name"),
        (["\udcff", "--device", "switch", "--for", "1h"], "is no name"),
        (["x", "--device", "\udcff", "--for", "1h"], "there is no device or link"),
        (["weekly", "--device", "switch", "--for", "1h"], "already work of the name weekly"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason_and_changes_nothing(releve, arguments, said):
    before = listed_or_none(releve)
    code, out, err = releve("maintenance", "add", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert "itself failed" not in err
    assert listed_or_none(releve) == before


def listed_or_none(releve):
    code, out, _ = releve("maintenance", "list", "--json")
    names = [one["id"] for one in json.loads(out)] if code == 0 else ["weekly"]
    return sorted(names)


@pytest.mark.parametrize("name", ["nothing", "weekly"])
def test_what_does_not_go_on_cannot_be_ended(releve, name):
    releve("maintenance", "add", "x", "--device", "switch", "--for", "1h")
    code, out, err = releve("maintenance", "end", name)
    assert (code, out) == (2, "")
    assert name in err
    assert ("in the inventory" in err) is (name == "weekly")


def test_a_moment_is_not_asked_for_as_a_length(releve):
    _, out, _ = releve("maintenance", "add", "--help")
    assert re.search(r"--from WHEN .*\n", out)
    assert re.search(r"--until WHEN .*\n", out)
    assert re.search(r"--for TIME .*\n", out)


def test_a_name_is_free_again_once_its_work_is_over(releve):
    for _ in range(2):
        assert releve("maintenance", "add", "x", "--device", "switch", "--for", "1h")[0] == 0
        assert releve("maintenance", "end", "x")[0] == 0


def test_a_moment_that_comes_twice_is_doubted_aloud(releve, tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("Africa/Douala", "Europe/Paris"), encoding="utf-8")
    year = datetime.now(UTC).year + 1  # noqa: TID251 - the next autumn, whenever this test runs
    last = max(day for day in range(25, 32) if datetime(year, 10, day, tzinfo=UTC).weekday() == 6)
    code, _, err = releve(
        "maintenance", "add", "x", "--device", "switch", "--from", f"{year}-10-{last} 02:30", "--for", "1h"
    )
    assert code == 0
    assert "comes twice that night" in err
