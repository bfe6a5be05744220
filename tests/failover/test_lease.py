"""The pure part of leases: beliefs, records, tokens, and the wait before a record may be taken."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.lease import (
    DRIFT,
    LARGEST_RECORD,
    LARGEST_TOKEN,
    LONGEST_TTL,
    Belief,
    Illegible,
    May,
    Record,
    Watched,
    decode,
    encode,
    extended,
    free_in,
    may_act,
    next_token,
    taken,
    watched,
)
from monitor.core.text import ENGLISH

RECORD = Record("centre", "a1", 7, 15.0)
NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=64)
RECORDS = st.builds(
    Record,
    NAMES,
    NAMES,
    st.integers(1, LARGEST_TOKEN),
    st.floats(0, LONGEST_TTL, exclude_min=True),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("belief", "now", "needs", "expected"),
    [
        (None, 0.0, 0.0, May.NOT_HELD),
        (Belief(1, 100.0), 99.9, 0.0, May.ACT),
        (Belief(1, 100.0), 90.0, 9.9, May.ACT),
        (Belief(1, 100.0), 90.0, 10.0, May.TOO_SHORT),
        (Belief(1, 100.0), 99.9, 60.0, May.TOO_SHORT),
        (Belief(1, 100.0), 100.0, 0.0, May.LAPSED),
        (Belief(1, 100.0), 100.0, 60.0, May.LAPSED),
        (Belief(1, 100.0), 1e6, 0.0, May.LAPSED),
    ],
)
def test_an_effect_begins_only_if_it_ends_before_the_belief_does(belief, now, needs, expected):
    assert may_act(belief, now, needs) is expected


def test_every_answer_is_said_in_words_of_its_own():
    assert len({ENGLISH.render(may.text) for may in May}) == len(May)


@given(
    sent=st.floats(0, 1e7),
    on_the_way=st.floats(0, 60),
    arrived_after=st.floats(0, 60),
    ttl=st.floats(0.1, LONGEST_TTL),
    ours=st.floats(1 - DRIFT / 2, 1 + DRIFT / 2),
    theirs=st.floats(1 - DRIFT / 2, 1 + DRIFT / 2),
)
def test_the_old_belief_ends_before_a_taker_has_waited_whatever_the_clocks(
    sent, on_the_way, arrived_after, ttl, ours, theirs
):
    """`ours`, `theirs`: seconds that each clock counts in a true one; the taker saw the write after it was done."""
    believed = (extended(1, sent, ttl).valid_until - sent) / ours
    seen = on_the_way + arrived_after
    waited = seen + free_in(RECORD, Watched(5, 1000.0), ttl, 1000.0) / theirs
    assert believed <= waited + 1e-6 * ttl


def test_a_lost_answer_is_no_part_of_a_belief():
    assert extended(3, 50.0, 15.0) == Belief(3, 50.0 + 15.0 * (1 - DRIFT))


def test_the_wait_begins_anew_with_every_write():
    first = watched(None, 8, 100.0)
    assert watched(first, 8, 110.0) is first
    assert watched(first, 9, 110.0) == Watched(9, 110.0)


@pytest.mark.parametrize(
    ("record", "ttl", "now", "expected"),
    [
        (RECORD, 15.0, 100.0, 15.0),
        (RECORD, 15.0, 114.0, 1.0),
        (RECORD, 15.0, 115.0, 0.0),
        (RECORD, 15.0, 500.0, 0.0),
        (RECORD, 30.0, 100.0, 30.0),  # we are the more patient
        (Record("centre", "a1", 7, 60.0), 15.0, 100.0, 60.0),  # its holder believes for longer than we would
        (Record("centre", "a1", 7, 15.0, held=False), 15.0, 100.0, 0.0),
        (None, 15.0, 100.0, 15.0),  # somebody may just have deleted it
        (None, 15.0, 116.0, 0.0),
    ],
)
def test_a_record_is_free_once_it_stood_still_for_the_longer_of_both_times(record, ttl, now, expected):
    assert free_in(record, Watched(5, 100.0), ttl, now) == pytest.approx(expected)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written_and_fits(record):
    raw = encode(record)
    assert decode(raw) == record
    assert raw == encode(decode(raw))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps(text).encode()))
def test_whatever_else_stands_there_is_illegible(raw):
    with pytest.raises(Illegible):
        decode(raw)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("holder", ""),
        ("holder", "x" * 65),
        ("holder", "a\x1b[2J"),
        ("holder", 5),
        ("session", None),
        ("token", 0),
        ("token", True),
        ("token", 1.0),
        ("token", LARGEST_TOKEN + 1),
        ("ttl", 0.0),
        ("ttl", -1.0),
        ("ttl", LONGEST_TTL + 1),
        ("ttl", math.nan),
        ("ttl", math.inf),
        ("ttl", "15s"),
        ("held", 1),
        ("more", "x"),
    ],
)
def test_a_record_with_one_wrong_value_is_illegible(key, value):
    data = json.loads(encode(RECORD))
    data[key] = value
    with pytest.raises(Illegible):
        decode(json.dumps(data).encode())


@pytest.mark.parametrize("raw", [encode(RECORD) + b" " * LARGEST_RECORD, b"[" * 900, b"\xff" * 10])
def test_a_bomb_is_illegible(raw):
    with pytest.raises(Illegible):
        decode(raw)


@given(known=st.integers(0, 10**9), sites=st.integers(1, 5), data=st.data())
def test_tokens_rise_and_those_of_two_sites_are_never_the_same(known, sites, data):
    rank = data.draw(st.integers(0, sites - 1))
    token = next_token(known, sites, rank)
    assert known < token <= known + sites
    assert token % sites == rank


def test_a_taker_goes_above_both_the_record_and_what_it_has_heard():
    mine = Record("secours", "b2", 0, 15.0)
    assert taken(None, mine, 0).token == 1
    assert taken(RECORD, mine, 0).token == 8
    assert taken(RECORD, mine, 41).token == 42
    assert taken(RECORD, mine, 41).holder == "secours"


def test_tokens_end_where_readers_of_json_do():
    with pytest.raises(OverflowError):
        next_token(LARGEST_TOKEN)
