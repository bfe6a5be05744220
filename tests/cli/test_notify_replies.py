"""`releve notify replies`: what people answered that a person has to read."""

import json
from datetime import UTC, datetime

import pytest

from alerts.parked import Parked, Why, parked_from_json, parked_to_json
from monitor.cli import carry_out as run
from monitor.core.answer import Way
from monitor.store import Batch, open_store

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ONE = Parked("m1@x", AT, Way.MAIL, Why.OTHER_WORDS, "awa@example.org", "awa", "26-0001", "who is on it?")


@pytest.fixture
def releve(tmp_path, capsys, monkeypatch):
    (tmp_path / "inventory.yaml").write_text(
        "site: {name: Essai, timezone: Africa/Douala}\n"
        'contacts: {awa: {name: Awa, mail: awa@example.org}}\nchannels: {mail: {url: "env:NO_URL"}}\n'
        "operations: {to: [awa]}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("LANGUAGE", "en")

    def call(*arguments):
        code = run(
            ["--inventory", str(tmp_path / "inventory.yaml"), "--data", str(tmp_path / "data"), "--lang", "en",
             *arguments]
        )  # fmt: skip
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_where_nothing_was_ever_answered_nothing_waits(releve):
    assert releve("notify", "replies") == (0, "No answer waits for a reader.\n", "")


def test_what_waits_is_listed_and_forgotten_once_it_was_read(releve, tmp_path):
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        store.commit(Batch(parked=(ONE,)))
    code, out, _ = releve("notify", "replies")
    assert code == 0 and "who is on it?" in out and "it says something else" in out and "26-0001" in out
    code, out, _ = releve("notify", "replies", "--json")
    assert [(one["id"], one["why"], one["at"]) for one in json.loads(out)] == [
        ("m1@x", "other words", "2026-11-23T02:00:00.000Z")
    ]
    code, out, _ = releve("notify", "replies", "--read")
    assert code == 0 and "who is on it?" in out
    assert releve("notify", "replies")[1] == "No answer waits for a reader.\n"


@pytest.mark.parametrize("why", Why)
@pytest.mark.parametrize("way", Way)
def test_what_is_kept_comes_back_equal(way, why):
    one = Parked("1", AT, way, why, "s", "c", "i", "l")
    assert parked_from_json(json.loads(json.dumps(parked_to_json(one)))) == one
