"""Whatever a device or a probe says, what leaves is printable, bounded, and can be written down."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH, Quantity, Text, say, text_from_json, text_to_json
from monitor.core.thresholds import Range
from monitor.core.verdict import Metric, Severity, Verdict
from probes.cleaning import DEEPEST, LONGEST, MOST_FACTS, MOST_METRICS, cleaned, one_line

FINE = Verdict(
    Severity.WARNING,
    say("{mount} is {used} full since {at}, {n} times", mount="D:", used=Quantity(81.5, "%"), at=timedelta(1), n=3),
    (Metric("used", 81.5, "%", Range(-math.inf, 80), minimum=0, maximum=100, margin=2),),
    {"model": "Smart-UPS 1500  RM"},
    down=True,
)


def test_an_honest_verdict_stays_as_it_is() -> None:
    assert cleaned(FINE) == FINE


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;owned\x07 on line", "]0;owned on line"),
        ("a\x9b31mred", "a 31mred"),
        ("first\r\nsecond\u2028third", "first second third"),
        ("\u202eevil\u2066", "evil"),
        ("half \udcff of a character", "half of a character"),
        ("nul\0byte", "nul byte"),
        ("{x.__class__} {0} {", "{x.__class__} {0} {"),
        ("été à 21\u00a0°C", "été à 21 °C"),
        (None, "None"),
        (b"raw", "b'raw'"),
        ("x" * 10**6, "x" * (LONGEST - 1) + "…"),
    ],
)
def test_a_devices_words_are_one_printable_line(said: object, shown: str) -> None:
    assert one_line(said) == shown
    verdict = cleaned(
        Verdict(Severity.OK, say("it says {words}", words=cast(Any, said)), (), {"fact": cast(Any, said)})
    )
    assert ENGLISH.render(verdict.summary) == f"it says {shown}"
    assert verdict.facts == {"fact": shown}


def test_a_chain_of_any_length_can_be_shown_and_stored() -> None:
    text = say("end")
    for n in range(20 * DEEPEST):
        text = say("{first}; {rest}", first=str(n), rest=text)
    summary = cleaned(Verdict(Severity.OK, text)).summary
    assert ENGLISH.render(summary).startswith(f"{20 * DEEPEST - 1}; ")
    assert text_from_json(json.loads(json.dumps(text_to_json(summary)))) == summary


def test_numbers_are_floats_and_there_is_an_end_to_them() -> None:
    many = [Metric(f"m{n}", 10**400 if n else -(10**400), "1", minimum=cast(Any, "7")) for n in range(MOST_METRICS + 5)]
    facts = {f"f{n}": "x" for n in range(MOST_FACTS + 5)}
    text = say("{a} {b}", a=10**400, b=Quantity(10**400, "", 99))
    verdict = cleaned(Verdict(Severity.OK, text, tuple(many), facts))
    assert [metric.value for metric in verdict.metrics] == [-math.inf] + [math.inf] * (MOST_METRICS - 1)
    assert verdict.metrics[0].minimum == 7
    assert len(verdict.facts) == MOST_FACTS
    assert ENGLISH.render(verdict.summary) == "inf ∞"


@pytest.mark.parametrize(
    "wrong",
    [
        "ok",
        None,
        Verdict(cast(Any, 7), say("x")),
        Verdict(Severity.OK, Text("{")),
        Verdict(Severity.OK, Text("{x.y}", (("x", "z"),))),
        Verdict(Severity.OK, say("x"), (Metric("x", cast(Any, "many"), "1"),)),
    ],
)
def test_what_is_no_verdict_is_a_bug_of_the_probe(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        cleaned(wrong)


def test_a_naive_moment_is_taken_for_utc_and_a_plain_summary_as_it_stands() -> None:
    naive = datetime.fromisoformat("2026-11-23T02:05:00")
    verdict = cleaned(Verdict(Severity.OK, say("at {at}", at=naive)))
    assert ENGLISH.render(verdict.summary) == "at 02:05"
    assert ENGLISH.render(cleaned(Verdict(Severity.OK, cast(Any, "all \x1b[32mwell"))).summary) == "all [32mwell"


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 50))
def test_one_line_is_printable_and_short_and_cleans_only_once(text: str, most: int) -> None:
    line = one_line(text, most)
    assert line.isprintable()
    assert len(line) <= most
    line.encode()
    assert one_line(line, most) == line
