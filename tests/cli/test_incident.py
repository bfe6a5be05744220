"""Incidents on the command line, with nobody else writing: the commands act by themselves."""

import json
import os
import pwd
import shlex
from datetime import datetime, timedelta

import pytest

from monitor import cli

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [admin]}
"""


@pytest.fixture
def opened(releve):
    """The name of an incident opened by hand."""
    _code, out, _err = releve("incident", "open", "smell of smoke", "--severity", "warning", "--json")
    return json.loads(out)["id"]


def test_before_the_first_run_there_is_nothing_to_show(releve):
    code, out, err = releve("incident", "list")
    assert (code, out) == (2, "")
    assert "releve run" in err


def test_an_incident_is_opened_taken_charge_of_explained_and_ended(releve, opened):
    assert releve("incident", "ack", "--note", "going to see")[0] == 0
    assert releve("incident", "cause", opened, "a burnt socket")[0] == 0
    code, out, _ = releve("incident", "show", opened, "--json")
    shown = json.loads(out)
    assert (code, shown["status"], shown["cause"]) == (1, "acknowledged", "a burnt socket")
    assert releve("incident", "resolve", opened, "replaced")[0] == 0
    code, out, _ = releve("incident", "list", "--json")
    assert (code, [one["status"] for one in json.loads(out)]) == (0, ["resolved"])


def test_what_must_be_told_waits_in_the_outbox_for_the_daemon(releve, opened):
    _, out, _ = releve("incident", "show", opened, "--json")
    (notice,) = json.loads(out)["notices"]
    assert (notice["step"], notice["recipient"], notice["state"]) == ("first_notice", "admin", "pending")


def test_every_page_ends_with_complete_commands(releve, opened):
    _, out, _ = releve("incident", "show", opened)
    assert f"releve incident ack {opened}" in out
    _, out, _ = releve("status")
    assert f"releve incident ack {opened}" in out
    assert "releve run" in out


def test_commands_name_the_site_that_was_named_so_that_they_can_be_pasted(releve, opened, tmp_path, capsys):
    elsewhere = tmp_path / "another folder"
    (tmp_path / "data").rename(elsewhere)
    assert cli.carry_out(["--data", str(elsewhere), "--lang", "en", "incident", "show"]) == 1
    pasted = next(line for line in capsys.readouterr().out.splitlines() if "incident ack" in line)
    assert pasted == f"  releve --data '{elsewhere}' incident ack {opened}"
    assert cli.carry_out(shlex.split(pasted)[1:]) == 0


@pytest.mark.parametrize("action", ["cause", "note", "resolve"])
@pytest.mark.parametrize("dots", ["...", "…", " ... "])
def test_the_dots_of_a_command_that_was_pasted_are_not_told_to_anybody(releve, opened, action, dots):
    code, out, err = releve("incident", action, opened, dots)
    assert (code, out) == (2, "")
    assert "your own words" in err
    one = json.loads(releve("incident", "show", "--json")[1])
    assert (one["status"], one["cause"], len(one["timeline"])) == ("open", "", 1)


def test_an_incident_that_is_not_there_is_an_error_without_a_traceback(releve, opened):
    code, _, err = releve("incident", "show", "26-9999")
    assert code == 2
    assert "26-9999" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["été", "a b", "../status", "\udcff", "%2e%2e", "?open=1", "#"])
def test_a_name_that_is_none_is_an_error_whatever_it_holds(releve, opened, name):
    for command in (["show", name], ["note", name, "text"], ["ack", name]):
        code, _, err = releve("incident", *command)
        assert (code, "Traceback" in err, "itself failed" in err) == (2, False, False)


def test_what_is_resolved_is_not_resolved_twice(releve, opened):
    releve("incident", "resolve", opened, "gone")
    code, _, err = releve("incident", "resolve", opened, "gone")
    assert code == 2
    assert "already resolved" in err


def test_with_several_open_the_one_meant_must_be_named(releve, opened):
    releve("incident", "open", "another")
    code, _, err = releve("incident", "ack")
    assert code == 2
    assert opened in err


def test_an_unknown_kind_names_those_that_there_are(releve):
    code, _, err = releve("incident", "open", "x", "--kind", "flood")
    assert code == 2
    assert "service-stopped" in err


def test_a_wrong_inventory_changes_nothing(releve, tmp_path):
    (tmp_path / "inventory.yaml").write_text("site: {name: x}\nchecks: {a: {probe: tpc}}\n", encoding="utf-8")
    code, _, err = releve("incident", "open", "x")
    assert code == 2
    assert "inventory.yaml:2:" in err
    assert not (tmp_path / "data").exists()


def test_acting_on_it_is_written_into_the_audit(releve, opened):
    releve("incident", "ack", opened)
    code, out, _ = releve("audit", "verify")
    assert code == 0
    assert "whole" in out


def test_history_of_a_check_that_measured_nothing_says_so(releve, opened):
    code, _, err = releve("history", "door")
    assert code == 2
    assert "door" in err


def test_a_span_without_a_unit_is_refused(releve, opened):
    code, _, err = releve("history", "door", "--since", "24")
    assert code == 2
    assert "24" in err


def test_without_a_daemon_whoever_acts_is_told_that_nobody_else_is(releve):
    _code, out, err = releve("incident", "open", "smell of smoke", lang="fr")
    assert "ouvert" in out
    assert "personne n’est donc encore prévenu" in err


def test_no_incident_is_said_so(releve, opened):
    releve("incident", "resolve", opened, "gone")
    assert releve("incident", "list", "--open") == (0, "", "no incident is open\n")
    assert opened in releve("incident", "list")[1]
    assert releve("incident", "list", "--open", "--json")[1] == "[]\n"


@pytest.mark.parametrize(
    ("asked", "said"), [(["dor"], "nearest: door"), (["door", "time"], "door has measured nothing")]
)
def test_a_series_that_there_is_not_is_refused_with_what_there_is(releve, opened, asked, said):
    code, _out, err = releve("history", *asked)
    assert code == 2
    assert said in err


def test_who_acted_is_named_in_words_for_people(releve, opened):
    releve("incident", "ack", opened)
    _code, out, _err = releve("incident", "show", opened)
    assert pwd.getpwuid(os.getuid()).pw_name in out
    _code, out, _err = releve("incident", "show", opened, "--json")
    assert json.loads(out)["acknowledged_by"] == f"uid:{os.getuid()}"


def test_of_several_the_only_one_that_nobody_has_taken_is_acknowledged(releve, opened):
    releve("incident", "ack")
    _code, out, _err = releve("incident", "open", "another", "--json")
    other = json.loads(out)["id"]
    code, out, _err = releve("incident", "ack", "--json")
    assert (code, json.loads(out)["id"]) == (0, other)
    assert releve("incident", "ack")[0] == 2


def test_who_is_on_it_for_a_time_says_until_when(releve, opened):
    code, out, _ = releve("incident", "ack", opened, "going to see", "--for", "2h")
    assert code == 0
    assert "acknowledged until " in out
    assert "Acknowledged: going to see" in out
    _, out, _ = releve("incident", "show", opened, "--json")
    shown = json.loads(out)
    since, until = (datetime.fromisoformat(shown[f"acknowledged_{key}"]) for key in ("at", "until"))
    assert until - since == timedelta(hours=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "2"], "--for: '2' has no unit"),
        (["--for", "soon"], "--for: 'soon' is not a duration"),
        (["--for", "0s"], "--for: 0s is over at once"),
        (["--for", "-1h"], "--for: -1h is over at once"),
        (["going to see", "--note", "going to see"], "once"),
    ],
)
def test_an_acknowledgement_that_makes_no_sense_is_refused_and_changes_nothing(releve, opened, arguments, said):
    code, out, err = releve("incident", "ack", opened, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert json.loads(releve("incident", "show", opened, "--json")[1])["status"] == "open"


def test_two_incidents_are_put_together(releve, opened):
    _, out, _ = releve("incident", "open", "a burnt socket", "--json")
    other = json.loads(out)["id"]
    code, out, err = releve("incident", "merge", opened, other)
    assert code == 0
    assert out.startswith(other)
    assert "No daemon runs" in err
    _, out, _ = releve("incident", "show", opened, "--json")
    shown = json.loads(out)
    assert (shown["status"], shown["merged_into"]) == ("resolved", other)
    code, _, err = releve("incident", "merge", opened, other)
    assert code == 2
    assert "already resolved" in err
    code, _, err = releve("incident", "split", other, "door")
    assert code == 2
    assert "does not explain door" in err
