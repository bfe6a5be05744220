"""Whoever is wrong too often is told so, and fills neither memory nor the audit trail."""

import pytest

from monitor.web.throttle import (
    MOST_SOURCES,
    MOST_WRITTEN,
    MOST_WRONG,
    WITHIN,
    WRITTEN_EVERY,
    Throttle,
    source_of,
)


def test_a_source_has_some_refusals_a_minute_and_another_its_own():
    throttle = Throttle()
    assert [throttle.too_many("a", 1.0) for _ in range(MOST_WRONG + 2)] == [False] * MOST_WRONG + [True, True]
    assert not throttle.too_many("b", 1.0)
    assert not throttle.too_many("a", 1.0 + WITHIN)


def test_it_remembers_so_many_sources_and_no_more():
    throttle = Throttle()
    for _ in range(MOST_WRONG + 1):
        throttle.too_many("first", 1.0)
    for n in range(MOST_SOURCES):
        throttle.too_many(str(n), 1.0)
    assert not throttle.too_many("first", 1.0)
    assert throttle.refused == MOST_WRONG + MOST_SOURCES + 2


def test_a_source_is_written_down_once_an_hour_for_each_reason():
    throttle = Throttle()
    assert [throttle.is_news("a", why, 1.0) for why in ("forged", "forged", "expired")] == [True, False, True]
    assert not throttle.is_news("a", "forged", WRITTEN_EVERY)
    assert throttle.is_news("a", "forged", 1.0 + WRITTEN_EVERY)


def test_many_sources_are_not_all_written_down():
    throttle = Throttle()
    assert sum(throttle.is_news(str(n), "forged", 1.0) for n in range(1000)) == MOST_WRITTEN


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("uid", "local"),
        ("", "local"),
    ],
)
def test_one_host_is_one_source(host, source):
    assert source_of(host) == source
