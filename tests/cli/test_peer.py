"""`releve peer`: what is said where there is no other Relève, or nothing of it here."""

import base64
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from monitor.store import AuditEntry, Batch, open_store
from monitor.store.archive import back_up
from monitor.store.replica import Replica

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


def test_a_copy_whose_damage_nobody_has_come_upon_is_not_called_whole_and_a_backup_helps(releve, tmp_path):
    now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    with open_store(tmp_path / "centre", write=True, ballast=0) as store:
        standing = store.feed.start()
        back_up(store.folder, tmp_path / "all.zip", now, history=False)
    with Replica(tmp_path / "data" / "peer") as replica:
        replica.install(standing, tmp_path / "all.zip")
        path = replica.path / "state.db"
    assert releve("peer", "status")[0] == 0
    with closing(sqlite3.connect(path)) as database:
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'")
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"no page" * 500)
    code, out, _err = releve("peer", "status")
    assert code == 1
    assert "damaged on the disk here" in out
    code, out, _err = releve("peer", "status", "--json")
    assert (code, json.loads(out)["whole"]) == (1, False)
    for arguments in ((), ("--yes",)):
        code, _out, err = releve("peer", "take-over", *arguments)
        assert code == 2
        assert "releve restore FILE --yes" in err
    code, out, _err = releve("restore", str(tmp_path / "all.zip"), "--yes")
    assert code == 0
    assert "What was there before lies in" in out
    assert "There is no copy" in releve("peer", "status")[1]


def test_only_the_active_one_hands_over(releve):
    code, _out, err = releve("peer", "hand-over", "--yes")
    assert code == 2
    assert "only that one can hand over" in err


def test_a_backup_beside_a_newer_copy_is_refused_with_the_command_for_each_wish(releve, tmp_path):
    now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    old, data = tmp_path / "old one.zip", tmp_path / "data"
    with open_store(tmp_path / "centre", write=True, ballast=0) as store:
        store.feed.start()
        back_up(store.folder, old, now, history=False)
        store.commit(Batch(audit=(AuditEntry("uid:1", "note", {}, now + timedelta(hours=3)),)))
        back_up(store.folder, tmp_path / "all.zip", now + timedelta(hours=4), history=False)
        standing = store.feed.standing()
    with Replica(data / "peer") as replica:
        replica.install(standing, tmp_path / "all.zip")
    code, out, err = releve("restore", str(old), "--json")
    assert (code, out) == (2, "")
    assert "goes up to 2026-11-23 07:00; the backup was made on 2026-11-23 03:00" in err
    assert "this one gets its state: releve run\n" in err
    assert "to go on with the copy: releve peer take-over --yes\n" in err
    assert f"the copy set aside: releve restore '{old}' --yes --over-copy\n" in err
    assert "Nothing was done: the copy is newer than the backup" in err
    assert not (data / "state.db").exists()
    assert releve("peer", "status")[0] == 0

    code, out, _err = releve("restore", str(old), "--yes", "--over-copy", "--json")
    done = json.loads(out)
    assert code == 0
    assert (tmp_path / done["copy"] / "state.db").exists()
    assert releve("peer", "take-over", "--yes")[0] == 2, "there is no copy any more that would count"
    code, out, _err = releve("restore", str(old), "--yes")
    assert (code, "copy of the other" in out) == (0, False)


def test_what_was_taken_over_is_taken_over_also_where_the_inventory_cannot_be_written_out(releve, tmp_path):
    now, data = datetime(2026, 11, 23, 2, 0, tzinfo=UTC), tmp_path / "data"
    with open_store(tmp_path / "centre", write=True, ballast=0) as store:
        standing = store.feed.start()
        back_up(store.folder, tmp_path / "all.zip", now, history=False)
    body = base64.b64encode(b"x").decode()
    came = {"main": "a/b.yaml", "files": {"a": body, "a/b.yaml": body}}  # one is in the way of the other
    with Replica(data / "peer") as replica:
        replica.install(standing, tmp_path / "all.zip")
        replica.keep_file(standing, "inventory.json", json.dumps(came).encode())
    code, out, err = releve("peer", "take-over", "--yes")
    assert code == 0, err
    assert "is that of this one now" in out
    assert "is not written out" in err
    code, _out, err = releve("peer", "take-over", "--yes")
    assert code == 2
    assert "what was taken over before is in it" in err
