"""Who is on duty on the command line, with nobody else writing: the commands act by themselves."""

import json
import os
from datetime import datetime, timedelta

import pytest

from monitor import cli

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts:
  awa: {name: Awa, mail: awa@example.org}
  ben: {name: Ben, mail: ben@example.org}
channels: {mail: {url: "env:NO_MAIL_URL"}}
rota: {duty: {members: [awa, ben], handover: lundi 08:00, from: 2026-01-05}}
operations: {to: [duty]}
"""


@pytest.fixture
def inventory(tmp_path, monkeypatch):
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE, encoding="utf-8")
    monkeypatch.setenv("RELEVE_INVENTORY", str(path))
    monkeypatch.setenv("RELEVE_DATA", str(tmp_path / "data"))
    return path


@pytest.fixture
def releve(inventory, capsys):
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""

    def run(*arguments):
        code = cli.carry_out(["--lang", "en", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_who_is_on_duty_at_a_time_and_who_is_next(releve):
    code, out, _ = releve("oncall", "show", "--at", "2026-01-07 03:00", "--json")
    (one,) = json.loads(out)
    assert code == 0
    assert (one["rota"], one["contact"], one["name"], one["from"], one["until"]) == (
        "duty", "awa", "Awa", "2026-01-05T07:00:00.000Z", "2026-01-12T07:00:00.000Z",
    )  # fmt: skip
    assert (one["next"]["contact"], one["next"]["until"], one["spells"]) == ("ben", "2026-01-19T07:00:00.000Z", [])


def test_the_days_to_come_are_listed(releve):
    code, out, _ = releve("oncall", "show", "--at", "2026-01-07 03:00", "--days", "14", "--json")
    assert code == 0
    assert [one["contact"] for one in json.loads(out)[0]["spells"]] == ["awa", "ben", "awa"]
    table = releve("oncall", "show", "--at", "2026-01-07 03:00", "--days", "14")[1]
    assert [line.split()[-1] for line in table.splitlines()[-3:]] == ["Awa", "Ben", "Awa"]
    assert "08:00" in table


def test_somebody_takes_over_and_status_says_so(releve):
    code, out, _ = releve("oncall", "override", "ben", "--for", "30 d", "--json")
    one = json.loads(out)
    assert (code, one["contact"], one["rota"], one["by"]) == (0, "ben", "duty", f"uid:{os.getuid()}")
    begins, ends = (datetime.fromisoformat(one[key]) for key in ("from", "until"))
    assert timedelta(days=30) - timedelta(seconds=30) < ends - begins <= timedelta(days=30)
    shown = json.loads(releve("oncall", "show", "--json")[1])[0]
    assert (shown["contact"], shown["until"] >= one["until"]) == ("ben", True)
    assert "On duty (duty): Ben until" in releve("status")[1]
    code, out, _ = releve("oncall", "override", "awa", "--to", "2098-01-01 08:00", "--from", "2097-12-24 08:00")
    assert (code, "Awa is on duty (duty) from" in out) == (0, True)
    assert releve("audit", "verify")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bem", "--for", "4h"], "there is no contact bem (did you mean ben?)"),
        (["ben"], "say how long it lasts, or until when"),
        (["ben", "--for", "4h", "--to", "08:00"], "say how long it lasts, or until when"),
        (["ben", "--for", "4h", "--rota", "dut"], "there is no rota dut (did you mean duty?)"),
        (["ben", "--for", "60 d"], "it lasts too long"),
        (["ben", "--for", "soon"], "'soon' is not a duration"),
        (["ben", "--from", "2026-01-05 08:00", "--to", "2026-01-05 09:00"], "it would be over already"),
        (["ben", "--from", "tomorrow", "--for", "4h"], "'tomorrow' is no moment"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_with_a_remedy(releve, arguments, words):
    code, out, err = releve("oncall", "override", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_a_site_without_rotas_says_so(releve, inventory):
    inventory.write_text(SITE.replace("rota:", "baseline:").replace("[duty]", "[awa]"), encoding="utf-8")
    assert releve("oncall", "show")[::2] == (0, "the inventory has no rota\n")
    code, _, err = releve("oncall", "override", "ben", "--for", "4h")
    assert (code, "the inventory has no rota" in err) == (2, True)


def test_where_there_are_several_rotas_one_has_to_be_named(releve, inventory):
    other = "rota: {night: {members: [ben], handover: '20:00'}, duty: "
    inventory.write_text(SITE.replace("rota: {duty: ", other), encoding="utf-8")
    code, _, err = releve("oncall", "override", "ben", "--for", "4h")
    assert (code, "say which rota (one of: duty, night)" in err) == (2, True)
    assert releve("oncall", "override", "ben", "--for", "4h", "--rota", "night")[0] == 0
