"""Files that are mirrored between the two sites of a plan: which way each goes, and which two do not go together."""

from __future__ import annotations

import pytest

from monitor.inventory.problems import Level
from tests.inventory.test_continuity import GOOD

THERE = "{device: sql-1, folder: /calls, archive: {device: sql-2, folder: /calls}, mirror: true}"
BACK = "{device: sql-2, folder: /calls, archive: {device: sql-1, folder: /calls}, mirror: true}"
CHECKS = "[releve-archive-there, releve-archive-back]"


def site(there: str = THERE, back: str = BACK, checks: str = CHECKS, how: str = "files") -> str:
    text = GOOD.replace("crm-db: {title: la base, how: postgresql, rpo: 5 min, checks: lag}",
        f"crm-db: {{title: la base, how: {how}, rpo: 5 min, checks: {checks}}}")  # fmt: skip
    assert text != GOOD
    return f"{text}recordings:\n  there: {there}\n  back: {back}\n"


def test_a_mirror_between_the_two_sites_of_its_plan_goes_one_way(read, lines):
    reading = read(site())
    assert lines(reading.problems) == lines(reading.problems, Level.WARNING) == []
    data = reading.inventory.continuity.data["crm-db"]
    assert data.mirrors == {"releve-archive-there": "centre", "releve-archive-back": "secours"}
    assert data.lost_with("centre").checks == ("releve-archive-there",)
    assert data.lost_with("secours").checks == ("releve-archive-back",)
    assert data.lost_with(None) == data


def test_what_measures_both_ways_counts_whichever_site_is_lost(read):
    data = read(site(checks="[lag, releve-archive-there, releve-archive-back]")).inventory.continuity.data["crm-db"]
    assert data.lost_with("secours").checks == ("lag", "releve-archive-back")


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (THERE.replace(", mirror: true", ""), BACK.replace(", mirror: true", "")),
        (THERE.replace("device: sql-2", "device: sql-1").replace("folder: /calls}", "folder: /copy}"), None),
        (THERE.replace("sql-2", "nas"), BACK.replace("sql-2", "nas")),
    ],
    ids=["archives", "at one site", "from where nobody says"],
)
def test_other_copies_go_no_way_of_a_plan(read, there, back):
    text = site(there, back or BACK.replace("sql-1", "nas"))
    nas = "  nas: {address: 10.0.3.1, ssh: {user: r, key: env:HOME, platform: linux}}\n  router:"
    reading = read(text.replace("  router:", nas))
    assert reading.inventory is not None, reading.problems
    assert reading.inventory.continuity.data["crm-db"].mirrors == {}


ONE_WAY = (
    "26:61 datasets.crm-db.checks: crm-db is mirrored from {} to {} alone: after a move nothing goes back, and nobody "
    "can say what would be lost (the way back needs a mirror of its own: another under recordings:, named here too)"
)


@pytest.mark.parametrize(
    ("checks", "how", "expected"),
    [
        ("[releve-archive-there]", "files", [ONE_WAY.format("centre", "secours")]),
        ("[releve-archive-back]", "files", [ONE_WAY.format("secours", "centre")]),
        ("[releve-archive-there]", "external", []),
        ("[lag]", "files", []),
    ],
)
def test_files_that_go_one_way_alone_are_doubted(read, lines, checks, how, expected):
    reading = read(site(checks=checks, how=how))
    assert lines(reading.problems) == []
    assert lines(reading.problems, Level.WARNING) == expected


def test_a_mirror_of_data_that_no_plan_moves_is_not_judged(read, lines):
    reading = read(site(checks="[releve-archive-there]").replace("    data: [crm-db]\n", ""))
    assert not [one for one in lines(reading.problems, Level.WARNING) if "alone" in one]
    assert reading.inventory.continuity.data["crm-db"].mirrors == {}


def with_folders(text: str, own: str, copy: str) -> str:
    head, _, tail = text.partition("/calls")
    return head + own + tail.replace("/calls", copy)


COPIES = (
    "57:3 recordings.back: there and back would copy copies: what {} brings to {} is taken on by {} (mirror the same "
    "two folders both ways, with folder: and archive: exchanged, or four that lie apart)"
)


@pytest.mark.parametrize(
    ("there", "back", "expected"),
    [
        (("/calls", "/calls"), ("/calls", "/calls"), []),
        (("/calls/", "/copy"), ("/copy", "/calls"), []),
        (("/calls", "/of-1"), ("/calls", "/of-2"), []),
        (("/calls", "/calls"), ("/calls", "/copy"), [COPIES.format("there", "/calls", "back")]),
        (("/calls", "/copy"), ("/calls", "/calls"), [COPIES.format("back", "/calls", "there")]),
        (("/calls", "/srv/copy"), ("/srv", "/calls/old"), [COPIES.format("there", "/srv/copy", "back")]),
        (("/calls", "/srv"), ("/srv/new", "/copy"), [COPIES.format("there", "/srv", "back")]),
    ],
)
def test_a_mirror_that_takes_on_what_the_other_one_has_brought_is_refused(read, lines, there, back, expected):
    text = site(with_folders(THERE, *there), with_folders(BACK, *back))
    assert lines(read(text).problems) == expected


def test_the_second_of_two_is_refused_whichever_copies_the_copies(read, lines):
    """And devices are told apart by where they answer, not by their names."""
    text = site(THERE.replace("folder: /calls}", "folder: /copy}"), BACK.replace("sql-2", "alias").replace(
        "device: alias, folder: /calls", "device: alias, folder: /copy/old"))  # fmt: skip
    alias = "  alias: {address: 10.0.2.1, ssh: {user: r, key: env:HOME, platform: linux}}\n  router:"
    text = text.replace("  router:", alias).replace('["sql-[2-9]"]', '["sql-[2-9]", alias]')
    (line,) = lines(read(text).problems)
    assert "what there brings to /copy is taken on by back" in line


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("there", []),
        (
            "back",
            [
                "44:16 plans.crm.sites.centre.stop.1: back begins at secours, and stands by while centre is stopped "
                "(name the mirror that begins at centre)"
            ],
        ),
    ],
)
def test_the_last_copy_of_a_site_that_stops_is_by_the_mirror_that_begins_there(read, lines, name, expected):
    stop = "stop: [{step: service-restart, check: db-1, verb: stop}]\n        start"
    text = site().replace(stop, f"stop: [{{step: archive, recordings: {name}}}]\n        start")
    assert text != site()
    assert lines(read(text).problems) == expected
