"""How a site lost its lease is known for as long as a decision takes, over a kill as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.lease import Record, Watched
from failover.model import PlanId
from failover.vantage import LAPSE_LASTS, Kept, Lapsed
from monitor.daemon import lapses

CRM, WEB = PlanId("crm"), PlanId("salle / web")
NOW, TTL = 1000.0, 15.0
STILL = Kept(Record("centre", "a" * 32, 7, TTL), Watched(1, NOW - 16), NOW - 1)
LAPSED = Lapsed("centre", NOW - 16, NOW)


def test_a_record_that_stood_still_for_its_time_has_lapsed_and_no_other():
    assert lapses.lapsed(STILL, TTL, NOW) == LAPSED
    assert lapses.lapsed(STILL, TTL + 2, NOW) is None
    assert lapses.lapsed(replace(STILL, record=replace(STILL.record, held=False)), TTL, NOW) is None
    assert lapses.lapsed(Kept(), TTL, NOW) is None


def test_it_is_read_again_while_it_counts(tmp_path):
    lapses.write(tmp_path, WEB, LAPSED)
    assert lapses.read(tmp_path, (CRM, WEB), NOW + 1) == {WEB: LAPSED}
    assert lapses.read(tmp_path, (CRM,), NOW + 1) == {}
    assert lapses.read(tmp_path, (WEB,), NOW + LAPSE_LASTS + 1) == {}
    assert lapses.read(tmp_path, (WEB,), NOW - 1) == {}, "written in a boot before this one, or by nobody"


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
    assert lapses.read(tmp_path, (CRM,), NOW) == {}


def test_a_disk_that_takes_nothing_keeps_nobody_from_moving(tmp_path):
    lapses.write(tmp_path / "gone", CRM, LAPSED)
    assert lapses.read(tmp_path / "gone", (CRM,), NOW) == {}
