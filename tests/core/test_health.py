"""Belief follows evidence: never early, never twice, whatever the order."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.health import ConfirmPolicy, Health, HealthChanged, Phase, advance, released
from monitor.core.ids import CheckId
from monitor.core.verdict import Severity

OK, WARNING, UNKNOWN, CRITICAL = Severity
CHECK = CheckId("hmp-disk")
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)

results_of_a_day = st.lists(st.sampled_from(Severity), max_size=40)
policies = st.builds(ConfirmPolicy, st.integers(1, 5), st.integers(1, 5))


def minute(n: int) -> datetime:
    return START + timedelta(minutes=n)


def run(results: list[Severity], policy: ConfirmPolicy) -> tuple[Health | None, list[HealthChanged]]:
    """One result a minute."""
    health, changes = None, []
    for n, seen in enumerate(results):
        health, change = advance(CHECK, health, seen, policy, minute(n))
        changes += change
    return health, changes


@pytest.mark.parametrize(
    ("results", "changes"),
    [
        ([CRITICAL, CRITICAL], []),
        ([CRITICAL, CRITICAL, CRITICAL], [(OK, CRITICAL)]),
        ([CRITICAL, OK, CRITICAL, CRITICAL], []),
        ([WARNING, CRITICAL, CRITICAL], [(OK, CRITICAL)]),
        ([CRITICAL, CRITICAL, WARNING], [(OK, WARNING)]),
        ([CRITICAL] * 3 + [WARNING], [(OK, CRITICAL), (CRITICAL, WARNING)]),
        ([CRITICAL] * 3 + [OK], [(OK, CRITICAL), (CRITICAL, OK)]),
        ([UNKNOWN] * 2, []),
        ([UNKNOWN] * 3, [(OK, UNKNOWN)]),
        ([CRITICAL, UNKNOWN, CRITICAL], [(OK, UNKNOWN)]),
        ([UNKNOWN, UNKNOWN, CRITICAL], [(OK, UNKNOWN)]),
        ([UNKNOWN] * 3 + [CRITICAL] * 2, [(OK, UNKNOWN)]),
        ([UNKNOWN] * 3 + [CRITICAL] * 3, [(OK, UNKNOWN), (UNKNOWN, CRITICAL)]),
        ([CRITICAL] * 3 + [UNKNOWN] * 2 + [CRITICAL], [(OK, CRITICAL)]),
        ([CRITICAL] * 3 + [UNKNOWN] * 3, [(OK, CRITICAL), (CRITICAL, UNKNOWN)]),
    ],
)
def test_belief_changes_after_three_results_that_agree_and_one_recovery(results, changes):
    _, seen = run(results, ConfirmPolicy(confirm=3, recover=1))
    assert [(c.before, c.after) for c in seen] == changes


@pytest.mark.parametrize(
    ("results", "began", "told"),
    [
        ([OK, CRITICAL, CRITICAL, CRITICAL], 1, 3),
        ([OK, WARNING, CRITICAL, CRITICAL], 1, 3),
        ([OK, UNKNOWN, CRITICAL, CRITICAL, CRITICAL], 2, 4),
        ([UNKNOWN] * 30 + [CRITICAL] * 3, 30, 32),
    ],
)
def test_a_problem_began_at_its_first_failure_not_at_its_confirmation_nor_while_we_were_blind(results, began, told):
    _, changes = run(results, ConfirmPolicy(confirm=3))
    assert (changes[-1].after, changes[-1].began_at, changes[-1].at) == (CRITICAL, minute(began), minute(told))


def test_getting_worse_keeps_the_beginning():
    health, changes = run([OK] + [WARNING] * 3 + [CRITICAL], ConfirmPolicy(confirm=3))
    assert [c.began_at for c in changes] == [minute(1), minute(1)]
    assert health.began_at == minute(1)


def test_recovery_waits_for_as_many_good_results_as_the_policy_says():
    health, changes = run([CRITICAL, OK, OK, CRITICAL, OK, OK, OK], ConfirmPolicy(confirm=1, recover=3))
    assert [(c.after, c.began_at, c.at) for c in changes] == [
        (CRITICAL, minute(0), minute(0)),
        (OK, minute(4), minute(6)),
    ]
    assert health.phase is Phase.HARD


def test_the_phase_is_soft_while_the_last_result_contradicts_belief():
    assert run([OK, CRITICAL], ConfirmPolicy())[0].phase is Phase.SOFT
    assert run([OK, CRITICAL, CRITICAL, CRITICAL], ConfirmPolicy())[0].phase is Phase.HARD


@pytest.mark.parametrize(
    ("results", "down"),
    [
        ([(CRITICAL, True)], True),
        ([(CRITICAL, False)], False),
        ([(CRITICAL, True), (WARNING, True)], False),
        ([(CRITICAL, True), (CRITICAL, False)], False),
        ([(CRITICAL, True), (UNKNOWN, False)], True),
        ([(CRITICAL, True), (OK, False)], True),
        ([(CRITICAL, True), (OK, False), (OK, False)], False),
        ([(CRITICAL, True), (UNKNOWN, False), (UNKNOWN, False)], True),
    ],
)
def test_a_thing_is_down_while_the_last_bad_result_that_is_still_believed_said_so(results, down):
    health = None
    for n, (seen, said) in enumerate(results):
        health, _ = advance(CHECK, health, seen, ConfirmPolicy(confirm=1, recover=2), minute(n), down=said)
    believed_blind = health.confirmed is UNKNOWN
    assert health.confirmed_down is (down and not believed_blind)


@given(results_of_a_day, policies)
def test_no_alarm_before_as_many_failures_in_a_row_as_the_policy_says(results, policy):
    _, changes = run(results, policy)
    for change in changes:
        if change.before is OK:
            at = round((change.at - START) / timedelta(minutes=1))
            assert at + 1 >= policy.confirm
            assert all(seen is not OK for seen in results[at + 1 - policy.confirm : at + 1])


@given(results_of_a_day, policies)
def test_a_bad_belief_needs_a_bad_result_and_a_good_one_a_good_result(results, policy):
    _, changes = run(results, policy)
    for change in changes:
        last = results[round((change.at - START) / timedelta(minutes=1))]
        assert change.after in (last, UNKNOWN)
        if change.after is UNKNOWN:
            assert last is not OK


@given(results_of_a_day, policies)
def test_changes_form_an_unbroken_chain(results, policy):
    health, changes = run(results, policy)
    beliefs = [OK, *(c.after for c in changes)]
    assert [c.before for c in changes] == beliefs[:-1]
    assert all(before is not after for before, after in pairwise(beliefs))
    assert health is None or health.confirmed is beliefs[-1]
    assert all(c.began_at <= c.at for c in changes)


@given(results_of_a_day, policies, st.integers(0, 40))
def test_stopping_and_going_on_changes_nothing(results, policy, cut):
    """Health is all that is kept: the second half needs nothing of the first but it."""
    whole, changes = run(results, policy)
    half, first = run(results[:cut], policy)
    for n, seen in enumerate(results[cut:], start=min(cut, len(results))):
        half, more = advance(CHECK, half, seen, policy, minute(n))
        first += more
    assert (half, first) == (whole, changes)


@given(st.sampled_from(Severity), policies)
def test_what_lasts_is_believed_in_the_end(seen, policy):
    health, _ = run([seen] * max(policy.confirm, policy.recover), policy)
    assert health.confirmed is seen
    assert health.phase is Phase.HARD


def test_a_released_failure_must_be_confirmed_anew_and_begins_anew():
    health, _ = run([CRITICAL] * 3, ConfirmPolicy(confirm=3))
    health = released(health, minute(10))
    assert health.confirmed is OK
    told = []
    for n in (11, 12, 13):
        health, changes = advance(CHECK, health, CRITICAL, ConfirmPolicy(confirm=3), minute(n))
        told += changes
    assert [(c.began_at, c.at) for c in told] == [(minute(11), minute(13))]
