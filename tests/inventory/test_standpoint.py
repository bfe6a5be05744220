"""One inventory at two sites: where a Relève stands is kept beside its state."""

from __future__ import annotations

import pytest

from monitor.core.text import ENGLISH
from monitor.inventory.standpoint import FILE, NotASite, remember, remembered, standing_at

SITES = """\
site: {name: X}
operations:
sites: {centre: {here: true}, secours: {title: Yaoundé}, temoin: {witness: true}}
"""


def test_what_was_kept_is_read_again(tmp_path):
    assert remembered(tmp_path) == ""
    remember(tmp_path, "centre")
    remember(tmp_path, "secours")
    assert remembered(tmp_path) == "secours"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_cannot_be_read_is_no_site_rather_than_the_wrong_one(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(NotASite, match="does not say at which site"):
        remembered(tmp_path)


def test_the_inventory_is_read_at_the_site_that_is_named(read):
    inventory = read(SITES).inventory
    assert standing_at(inventory, "").continuity.here.id == "centre"
    there = standing_at(inventory, "secours").continuity
    assert (there.here.id, there.sites["centre"].here) == ("secours", False)


@pytest.mark.parametrize("name", ["temoin", "nowhere"])
def test_at_a_witness_or_nowhere_none_can_stand(read, name):
    with pytest.raises(NotASite) as refused:
        standing_at(read(SITES).inventory, name)
    assert ENGLISH.render(refused.value.text) == (
        f"no Relève can stand at {name}; it can at: centre, secours. Start it with --site"
    )


def test_where_there_are_no_sites_none_can_be_named(read):
    with pytest.raises(NotASite, match="it has none"):
        standing_at(read("site: {name: X}\noperations:\n").inventory, "centre")
