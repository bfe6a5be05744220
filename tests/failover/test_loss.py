"""What could be lost now: the lag and the age of its figure, and never "none" where nobody can see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.loss import MISSED, NOTHING, Loss, Measured, loss, loss_of
from failover.model import DataSetId
from monitor.core.text import ENGLISH

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
CRM, FILES = DataSetId("crm-db"), DataSetId("recordings")
EVERY = timedelta(seconds=30)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def ago(count: float) -> datetime:
    return NOW - seconds(count)


@pytest.mark.parametrize(
    ("measured", "at_most", "known"),
    [
        (Measured(CRM, EVERY, seconds(2), ago(8)), 10, True),
        (Measured(CRM, EVERY, seconds(0), ago(8)), 8, True),  # caught up 8 s ago is not "nothing is lost"
        (Measured(CRM, EVERY, seconds(0), ago(0)), 1, True),
        (Measured(CRM, EVERY, seconds(-3), ago(8)), 8, True),  # two clocks that differ give no credit
        (Measured(CRM, EVERY, seconds(2), ago(60)), 62, True),
        (Measured(CRM, EVERY, seconds(2), ago(61)), 63, False),
        (Measured(CRM, EVERY, seconds(0), ago(1), blind=True), 1, False),
        (Measured(CRM, EVERY, seconds(0), ago(-1)), None, False),
        (Measured(CRM, EVERY), None, False),
        (Measured(CRM, EVERY, None, ago(1)), None, False),
    ],
)
def test_what_may_be_lost_is_the_lag_and_the_age_of_its_figure(measured, at_most, known):
    found = loss_of(measured, NOW)
    assert (found.at_most, found.known, found.of) == (None if at_most is None else seconds(at_most), known, (CRM,))
    assert not found.none


@pytest.mark.parametrize(
    ("measured", "none"),
    [
        (Measured(CRM, EVERY, seconds(0), ago(5), synchronous=True, promised_at=ago(60)), True),
        # The primary is lost, and with it all figures: the promise was made before and has not been taken back.
        (Measured(CRM, EVERY, seconds(0), ago(5000), blind=True, synchronous=True, promised_at=ago(6000)), True),
        (Measured(CRM, EVERY, promised_at=ago(60)), True),
        # It says so of itself, and nobody holds it to that.
        (Measured(CRM, EVERY, seconds(0), ago(5), synchronous=True), False),
        # It was seen to degrade after it had promised.
        (Measured(CRM, EVERY, seconds(0), ago(5), synchronous=False, promised_at=ago(60)), False),
        (Measured(CRM, EVERY, seconds(0), ago(60), synchronous=False, promised_at=ago(60)), False),
        # It was seen degraded, and then promised anew.
        (Measured(CRM, EVERY, seconds(0), ago(60), synchronous=False, promised_at=ago(5)), True),
    ],
)
def test_nothing_is_lost_only_where_the_voters_were_told_so_before(measured, none):
    assert loss_of(measured, NOW).none is none


SAFE = Measured(FILES, EVERY, promised_at=ago(60))
FRESH = Measured(CRM, EVERY, seconds(2), ago(8))
STALE = Measured(CRM, EVERY, seconds(2), ago(600))
NEVER = Measured(DataSetId("calls"), EVERY)


@pytest.mark.parametrize(
    ("group", "expected", "text"),
    [
        ([], Loss(None, (), known=False), "nobody can say what would be lost: there is no data set"),
        (
            [SAFE], Loss(NOTHING, (FILES,), known=True),
            "no data would be lost: every change of recordings waits for its copy",
        ),
        (
            [SAFE, FRESH], Loss(seconds(10), (CRM,), known=True, measured_at=ago(8)),
            "at most the last 10 s of crm-db would be lost",
        ),
        (
            [FRESH, Measured(FILES, EVERY, seconds(9), ago(1))],
            Loss(seconds(10), (CRM, FILES), known=True, measured_at=ago(8)),
            "at most the last 10 s of crm-db, recordings would be lost",
        ),
        (
            [SAFE, STALE], Loss(seconds(602), (CRM,), known=False, measured_at=ago(600)),
            "nobody can say what would be lost: crm-db was last measured at 02:50. If the copy is intact, at most the "
            "last 10 min 2 s",
        ),
        (
            # The bound is of the group: what is known to lag more than what is not known counts as well.
            [STALE, Measured(FILES, timedelta(hours=1), seconds(3600), ago(0))],
            Loss(seconds(3600), (CRM,), known=False, measured_at=ago(600)),
            "nobody can say what would be lost: crm-db was last measured at 02:50. If the copy is intact, at most the "
            "last 1 h",
        ),
        (
            [FRESH, STALE, NEVER], Loss(None, (NEVER.data,), known=False),
            "nobody can say what would be lost: there is no figure of calls",
        ),
    ],
)  # fmt: skip
def test_the_group_loses_what_its_worst_data_set_loses(group, expected, text):
    found = loss(group, NOW)
    assert found == expected
    assert ENGLISH.render(found.text).replace("\u00a0", " ") == text


CALLED = replace(FRESH, title="the customers")


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ([replace(SAFE, title="the audio")], "no data would be lost: every change of the audio waits for its copy"),
        ([CALLED], "at most the last 10 s of the customers would be lost"),
        ([CALLED, replace(FRESH, data=FILES)], "at most the last 10 s of the customers, recordings would be lost"),
        ([CALLED, CALLED], "at most the last 10 s of the customers would be lost"),
        ([replace(NEVER, title="the calls")], "nobody can say what would be lost: there is no figure of the calls"),
        (
            [replace(STALE, title="the base")],
            "nobody can say what would be lost: the base was last measured at 02:50. If the copy is intact, at most "
            "the last 10 min 2 s",
        ),
    ],
)
def test_people_read_what_each_data_set_is_called_once(group, text):
    found = loss(group, NOW)
    assert ENGLISH.render(found.text).replace("\u00a0", " ") == text
    assert set(found.of) == {one.data for one in group}


times = st.one_of(st.none(), st.integers(-100, 1000).map(ago))
spans = st.integers(-10, 1000).map(seconds)
anything = st.builds(
    Measured, st.sampled_from([CRM, FILES, NEVER.data]), spans.filter(lambda span: span > NOTHING),
    st.one_of(st.none(), spans), times, st.booleans(), st.one_of(st.none(), st.booleans()), times,
)  # fmt: skip


@given(st.lists(anything, max_size=5))
def test_a_group_is_never_better_off_than_any_of_its_data_sets(group):
    found = loss(group, NOW)
    for one in group:
        alone = loss_of(one, NOW)
        assert alone.known or not found.known
        if found.at_most is not None:
            assert alone.at_most is not None
            assert alone.at_most <= found.at_most
    if found.none:
        assert all(one.promised_at is not None for one in group)
    assert ENGLISH.render(found.text)


@given(anything)
def test_without_a_promise_there_is_no_none_and_nothing_stale_is_known(one):
    found = loss_of(one, NOW)
    if one.promised_at is None:
        assert not found.none
    if found.known and one.promised_at is None:
        assert one.at is not None
        assert NOW - one.at <= MISSED * one.every
