"""Ranges alert as the Monitoring Plugins guidelines say, and are what they print."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.thresholds import BadRange, Range, parse_range
from monitor.core.verdict import Metric, Severity, worst

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "quiet", "alerts"),
    [
        ("10", [0, 5, 10], [-0.1, 10.1, math.inf]),
        ("10:", [10, 1e9, math.inf], [9.99, -math.inf]),
        ("~:10", [-math.inf, -5, 10], [10.01]),
        ("10:20", [10, 15, 20], [9.9, 20.1]),
        ("@10:20", [9.9, 20.1], [10, 15, 20]),
        ("@10", [-1, 10.1], [0, 10]),
        ("-5:-1", [-5, -1], [-5.1, 0]),
        (" .5:1e3 ", [0.5, 1000], [0.4, 1001]),
    ],
)
def test_a_range_alerts_outside_of_itself_or_inside_with_an_at_sign(text, quiet, alerts):
    range_ = parse_range(text)
    assert [value for value in quiet + alerts if range_.alerts(value)] == alerts


@pytest.mark.parametrize(
    "text", ["", " ", ":", "@", "~", "10:~", "a", "1-10", "1,5", "10 20", "20:10", "@20:10", "--1"]
)
def test_what_is_no_range_is_refused_and_quoted(text):
    with pytest.raises(BadRange, match=r"range|starts above") as refused:
        parse_range(text)
    assert repr(text) in str(refused.value)


def test_a_value_that_is_no_number_always_alerts():
    assert parse_range("10").alerts(math.nan)
    assert parse_range("@10:20").alerts(math.nan)


@given(finite | st.just(-math.inf), finite | st.just(math.inf), st.booleans())
def test_a_range_written_and_read_again_is_the_same_range(one, other, inside):
    range_ = Range(min(one, other), max(one, other), inside)
    assert parse_range(str(range_)) == range_


@pytest.mark.parametrize("text", ["10", "10:", "~:10", "10:20", "@10:20", "~:", "0:", "123456789012345:"])
def test_a_range_is_printed_as_people_write_it(text):
    assert str(parse_range(text)) == text


def test_the_vectors_of_other_implementations_hold(corpus):
    vectors = json.loads((corpus / "nagios" / "range_cases.json").read_text())
    for text in vectors["invalid"]:
        with pytest.raises(BadRange):
            parse_range(text)
    for case in vectors["cases"]:
        range_ = parse_range(case["range"])
        found = {value: int(range_.alerts(float(value))) for value in case["alert"]}
        assert found == case["alert"], case["range"]


@pytest.mark.parametrize(
    ("value", "severity"), [(79, Severity.OK), (81, Severity.WARNING), (91, Severity.CRITICAL), (-1, Severity.CRITICAL)]
)
def test_a_figure_is_as_bad_as_the_worst_range_that_alerts(value, severity):
    metric = Metric("used", value, "%", parse_range("80"), parse_range("90"))
    assert metric.severity is severity


def test_without_ranges_a_figure_is_fine_whatever_it_is():
    assert Metric("rtt", math.nan, "ms").severity is Severity.OK


def test_not_seeing_never_outranks_critical():
    assert worst([Severity.UNKNOWN, Severity.CRITICAL, Severity.OK]) is Severity.CRITICAL
    assert worst([]) is Severity.OK
