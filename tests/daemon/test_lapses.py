"""How a site lost its lease is known until the move from it has begun, over a kill as well, and never longer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from failover.lease import Record, Watched
from failover.lease_etcd import Watching
from failover.model import Plan, PlanId, SiteId, Start
from failover.vantage import LAPSE_LASTS, Kept, Lapsed, still_since
from monitor.clock import SystemClock
from monitor.daemon import lapses
from monitor.daemon.lapses import Lapses

CRM, WEB, CENTRE = PlanId("crm"), PlanId("salle / web"), SiteId("centre")
NOW, TTL = 1000.0, 15.0
STILL = Kept(Record("centre", "a" * 32, 7, TTL), Watched(1, NOW - 16), NOW - 1)
LAPSED = Lapsed("centre", NOW - 16, NOW, 8, 7)
UNTIED = replace(LAPSED, left=0)


def test_a_record_that_stood_still_for_its_time_has_lapsed_and_no_other():
    assert lapses.lapsed(STILL, TTL, NOW) == LAPSED
    assert lapses.lapsed(STILL, TTL, NOW, above=11) == replace(LAPSED, left=12)
    assert lapses.lapsed(STILL, TTL + 2, NOW) is None
    assert lapses.lapsed(replace(STILL, record=replace(STILL.record, held=False)), TTL, NOW) is None
    assert lapses.lapsed(Kept(), TTL, NOW) is None


def test_it_is_read_again_while_it_may_count(tmp_path):
    lapses.write(tmp_path, WEB, LAPSED)
    for later in (1, LAPSE_LASTS + 1, 86400):
        assert lapses.read(tmp_path, {CRM: 7, WEB: 7}, NOW + later) == {WEB: LAPSED}
    assert lapses.read(tmp_path, {CRM: 7}, NOW + 1) == {}
    assert lapses.read(tmp_path, {WEB: 8}, NOW + 1) == {}, "a move has begun under that token"
    assert lapses.read(tmp_path, {WEB: 7}, NOW - 1) == {}, "written in a boot before this one, or by nobody"


def test_one_without_its_token_is_read_again_for_as_long_as_a_decision_takes(tmp_path):
    lapses.write(tmp_path, WEB, UNTIED)
    assert lapses.read(tmp_path, {WEB: 7}, NOW + LAPSE_LASTS) == {WEB: UNTIED}
    assert lapses.read(tmp_path, {WEB: 7}, NOW + LAPSE_LASTS + 1) == {}
    (path,) = tmp_path.iterdir()
    old = json.loads(path.read_text())
    del old["left"], old["token"]  # as a version before this one wrote it
    path.write_text(json.dumps(old))
    assert lapses.read(tmp_path, {WEB: 7}, NOW + 1) == {WEB: replace(UNTIED, token=0)}


@pytest.mark.parametrize(
    "words",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"holder": "centre", "still": 1, "at": 999}',
        '{"boot": "another", "holder": "centre", "still": 1, "at": 1' + 400 * "0" + "}",
        '{"boot": "another", "holder": "centre", "still": 1, "at": 999}',
    ],
)
def test_what_is_not_ours_or_of_another_boot_says_nothing(tmp_path, words):
    lapses.write(tmp_path, CRM, LAPSED)
    (path,) = tmp_path.iterdir()
    path.write_text(words)
    assert lapses.read(tmp_path, {CRM: 0}, NOW) == {}


@pytest.mark.parametrize("left", ["8", 8.0, True, None, [8]])
@pytest.mark.parametrize("name", ["left", "token", "then"])
def test_a_token_that_is_none_says_nothing(tmp_path, name, left):
    lapses.write(tmp_path, CRM, LAPSED)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: left}))
    assert lapses.read(tmp_path, {CRM: 0}, NOW) == {}


def test_a_disk_that_takes_nothing_keeps_nobody_from_moving(tmp_path):
    lapses.write(tmp_path / "gone", CRM, LAPSED)
    assert lapses.read(tmp_path / "gone", {CRM: 0}, NOW) == {}


class Group:
    """What the Relève at secours knows of one group, whose centre has been silent for a while."""

    def __init__(self, folder: Path, start: Start = Start.ON_LOSS) -> None:
        self.clock, self.watching, self.folder = SystemClock(), Watching(), folder
        self.now = self.clock.boot()
        self.lapses = Lapses(folder, self.clock, lambda _plan: self.watching, lambda: TTL, lambda _plan: 7)
        self.plan = Plan(CRM, "CRM", CENTRE, SiteId("secours"), {}, (), None, start=start)
        self.says("centre", 7, ago=16.0)

    def says(self, holder: str, token: int, *, held: bool = True, ago: float = 1.0) -> None:
        """Let the voters say so."""
        record, seen = Record(holder, holder, token, TTL, held), Watched(token, self.now - ago)
        self.watching.kept = replace(self.watching.kept, record=record, seen=seen, heard=self.now)

    def tries(self, token: int) -> None:
        """Take the lease for a move, which is then refused; as `EtcdLease` does, that notes a lapse of its own."""
        before, kept = self.lapses.before(CRM), self.watching.kept
        if kept.record is not None and kept.record.holder == "centre" and kept.record.held:
            noted = Lapsed("centre", kept.seen.since, self.now, token)
            self.watching.kept = replace(kept, lapsed=noted)
        self.says("secours", token)
        self.lapses.taken(CRM, token, before)
        self.says("secours", token, held=False)

    def counts(self, later: float) -> bool:
        """Whether the lapse still counts then, and is read so after a kill."""
        kept = self.watching.kept
        read = lapses.read(self.folder, {CRM: 7}, self.now + later).get(CRM)
        found = [still_since(replace(kept, lapsed=one), CENTRE, self.now + later) for one in (kept.lapsed, read)]
        assert found[0] == found[1]
        return found[0] is not None


def test_a_lapse_goes_on_from_one_try_in_vain_to_the_next(tmp_path):
    group = Group(tmp_path)
    group.tries(8)
    for token in (9, 10, 12):
        assert group.counts(LAPSE_LASTS + 100)
        group.tries(token)
    assert group.watching.kept.lapsed.still == group.now - 16
    assert group.lapses.stands(group.plan)


@pytest.mark.parametrize("held", [True, False], ids=["still ours", "given back"])
def test_a_later_try_whose_answer_is_lost_leaves_it_as_well_whether_it_was_carried_out_or_not(tmp_path, held):
    group = Group(tmp_path)
    group.tries(8)
    group.says("secours", 8, held=held)
    for token in (9, 10):
        group.lapses.before(CRM)
        assert group.counts(LAPSE_LASTS + 100), "killed or unanswered before it was carried out"
        group.says("secours", token)
        assert group.counts(LAPSE_LASTS + 100), "killed or unanswered after it was"
        assert group.lapses.stands(group.plan)
    group.says("secours", 11)
    assert not group.counts(LAPSE_LASTS + 100), "it is held for a group that runs"


def test_who_holds_the_lease_for_a_group_that_runs_ends_it_even_where_nobody_says_so(tmp_path):
    group = Group(tmp_path)
    group.tries(8)
    group.says("secours", 9)  # it always raises the token
    assert not group.counts(LAPSE_LASTS + 1)
    assert not group.lapses.stands(group.plan)
    group.tries(10)
    assert not group.counts(LAPSE_LASTS + 1), "and no later taking carries it on"


def test_once_it_is_ended_nothing_is_left_of_it(tmp_path):
    group = Group(tmp_path)
    group.tries(8)
    group.lapses.end(CRM)
    assert not group.counts(0)
    assert list(tmp_path.iterdir()) == []
    group.lapses.end(CRM)
    group.tries(9)
    assert not group.counts(0)


def test_one_that_was_killed_before_it_could_note_its_token_knows_it_all_the_same(tmp_path):
    group = Group(tmp_path)
    group.lapses.before(CRM)
    read = lapses.read(tmp_path, {CRM: 7}, group.now + 500)[CRM]
    group.says("secours", 8)
    assert still_since(replace(group.watching.kept, lapsed=read), CENTRE, group.now + 500) == group.now - 16
    group.says("centre", 7)
    assert still_since(replace(group.watching.kept, lapsed=read), SiteId("secours"), group.now) is None


def test_a_lease_that_was_given_back_has_not_lapsed_whoever_takes_it(tmp_path):
    group = Group(tmp_path)
    group.says("centre", 7, held=False)
    group.tries(8)
    assert not group.counts(0)


def test_it_stands_in_the_way_of_keeping_the_lease_only_for_a_group_that_moves_by_itself(tmp_path):
    for start, stands in ((Start.ON_LOSS, True), (Start.PERSON, False)):
        group = Group(tmp_path, start)
        assert not group.lapses.stands(group.plan)
        group.tries(8)
        assert group.lapses.stands(group.plan) is stands
        group.watching.kept = Kept(lapsed=group.watching.kept.lapsed)
        assert group.lapses.stands(group.plan) is stands, "nobody has answered since the start"
        group.watching.kept = replace(group.watching.kept, lapsed=UNTIED)
        assert not group.lapses.stands(group.plan)
