"""`releve peer`: what is said where there is no other Relève, or nothing of it here."""

import json

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:TEST_MAIL_URL"}}
operations: {to: [admin]}
"""


def test_where_no_other_is_named_nothing_is_received(releve):
    code, _out, err = releve("peer", "receive")
    assert code == 2
    assert "names no other Relève" in err


def test_without_a_copy_that_is_said_and_nothing_can_be_taken_over(releve, tmp_path):
    code, out, _err = releve("peer", "status")
    assert code == 1
    assert "no copy" in out
    code, out, _err = releve("peer", "status", "--json")
    assert code == 1
    nothing = {"role": "stopped", "since": None, "lease": None, "other": None, "copy": None}
    assert json.loads(out) == nothing
    code, _out, err = releve("peer", "take-over")
    assert code == 2
    assert "nothing can be taken over" in err
    assert "--yes" not in err
    code, _out, err = releve("peer", "take-over", "--yes")
    assert code == 2
    assert "There is no copy" in err
    assert not (tmp_path / "data" / "state.db").exists()


def test_only_the_active_one_hands_over(releve):
    code, _out, err = releve("peer", "hand-over", "--yes")
    assert code == 2
    assert "only that one can hand over" in err
