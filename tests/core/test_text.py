"""One sentence, said to a French reader and to an English one, with their numbers, units and times."""

import json
import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import Quantity, Speech, Text, say, text_from_json, text_to_json, verbatim

DOUALA = ZoneInfo("Africa/Douala")
FRENCH_WORDS = {"{check} fails since {since}": "{check} est en panne depuis {since}"}
ENGLISH = Speech("en", lambda template: template, DOUALA)
FRENCH = Speech("fr", lambda template: FRENCH_WORDS.get(template, template), DOUALA)
AT = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)


def plain(text: str) -> str:
    """Typographic spaces as spaces, so that a table can be read."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("quantity", "english", "french"),
    [
        (Quantity(3.84e6, "bit/s"), "3.8 Mbit/s", "3,8 Mbit/s"),
        (Quantity(512e3, "bit/s"), "512 kbit/s", "512 kbit/s"),
        (Quantity(74e9, "By"), "74 GB", "74 Go"),
        (Quantity(12, "By"), "12 B", "12 octets"),
        (Quantity(999_960, "By"), "1 MB", "1 Mo"),
        (Quantity(999_940, "By"), "999.9 kB", "999,9 ko"),
        (Quantity(-1500, "By"), "-1.5 kB", "-1,5 ko"),
        (Quantity(91.25, "%"), "91.2%", "91,2 %"),
        (Quantity(21.5, "Cel"), "21.5 °C", "21,5 °C"),
        (Quantity(1500, "1/min"), "1,500 rpm", "1 500 tr/min"),
        (Quantity(12, "d"), "12 d", "12 j"),
        (Quantity(30, "{call}"), "30", "30"),
        (Quantity(-61.3, "dBm"), "-61.3 dBm", "-61,3 dBm"),
        (Quantity(4.4123, "", 2), "4.41", "4,41"),
        (Quantity(12.3456, "ms", 3), "12.346 ms", "12,346 ms"),
        (Quantity(-0.01, "V"), "0 V", "0 V"),
        (Quantity(2700, "s"), "45 min", "45 min"),
        (Quantity(math.nan, "ms"), "? ms", "? ms"),
        (Quantity(math.inf, "s"), "∞ s", "∞ s"),
    ],
)
def test_a_quantity_is_shown_in_the_unit_and_the_numbers_of_the_reader(quantity, english, french):
    assert plain(ENGLISH.quantity(quantity)) == english
    assert plain(FRENCH.quantity(quantity)) == french


@pytest.mark.parametrize(
    ("span", "english", "french"),
    [
        (timedelta(seconds=0.25), "0.2 s", "0,2 s"),
        (timedelta(seconds=45), "45 s", "45 s"),
        (timedelta(seconds=59.7), "1 min", "1 min"),
        (timedelta(minutes=4, seconds=10), "4 min 10 s", "4 min 10 s"),
        (timedelta(hours=2, minutes=5, seconds=7), "2 h 05 min", "2 h 05 min"),
        (timedelta(hours=6), "6 h", "6 h"),
        (timedelta(days=3, hours=4), "3 d 4 h", "3 j 4 h"),
        (timedelta(days=2), "2 d", "2 j"),
        (-timedelta(minutes=2), "-2 min", "-2 min"),
        (timedelta(), "0 s", "0 s"),
    ],
)
def test_a_length_of_time_is_shown_in_its_two_largest_units(span, english, french):
    assert plain(ENGLISH.duration(span)) == english
    assert plain(FRENCH.duration(span)) == french


def test_times_are_those_of_the_site():
    assert plain(FRENCH.clock(AT)) == "14 h 05"
    assert ENGLISH.clock(AT) == "14:05"
    assert (FRENCH.date(AT), ENGLISH.date(AT)) == ("23/11/2026", "2026-11-23")


def test_a_sentence_is_translated_before_it_is_filled():
    sentence = say("{check} fails since {since}", check="hmp-disk", since=AT)
    assert plain(FRENCH.render(sentence)) == "hmp-disk est en panne depuis 14 h 05"
    assert ENGLISH.render(sentence) == "hmp-disk fails since 14:05"


def test_a_sentence_inside_a_sentence_is_translated_too():
    inner = say("{check} fails since {since}", check="ups", since=AT)
    assert plain(FRENCH.render(say("({why})", why=inner))) == "(ups est en panne depuis 14 h 05)"


def test_what_a_device_says_may_hold_braces_and_is_never_translated():
    words = "{check} fails since {since} %s {}"
    assert FRENCH.render(verbatim(words)) == words
    assert FRENCH.render(say("it says: {words}", words=words)) == f"it says: {words}"
    assert FRENCH.render(verbatim("")) == ""
    assert not verbatim("")


def test_a_translation_that_names_a_value_we_no_longer_give_still_leaves():
    assert ENGLISH.render(say("at {where}")) == "at ?"


def test_the_empty_sentence_is_not_looked_up():
    """A gettext catalogue answers its own header for the empty msgid."""
    header = Speech("fr", lambda template: "Project-Id-Version: releve" if template == "" else template)
    assert header.render(Text("")) == ""


@given(st.floats(), st.sampled_from(["s", "By", "bit/s", "%", "ms", "Cel", "{call}", ""]), st.integers(0, 6))
def test_any_figure_can_be_said(value, unit, digits):
    assert FRENCH.quantity(Quantity(value, unit, digits))
    assert ENGLISH.quantity(Quantity(value, unit, digits))


@given(st.floats(-1e12, 1e12), st.integers(0, 4))
def test_a_number_read_back_is_the_number_to_its_decimals(value, digits):
    shown = FRENCH.number(value, digits).replace("\u202f", "").replace(",", ".")
    assert float(shown) == pytest.approx(value, abs=10**-digits)


values = st.recursive(
    st.text()
    | st.integers()
    | st.builds(Quantity, st.floats(allow_nan=False), st.sampled_from(["%", "By", "s"]), st.integers(0, 3))
    | st.timedeltas(-timedelta(days=36500), timedelta(days=36500))
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.builds(
        Text, st.text(), st.dictionaries(st.text(), inner, max_size=3).map(lambda d: (*d.items(),))
    ),
    max_leaves=4,
)


@given(st.builds(Text, st.text(), st.dictionaries(st.text(), values, max_size=3).map(lambda d: (*d.items(),))))
def test_a_sentence_stored_as_json_comes_back_equal(text):
    assert text_from_json(json.loads(json.dumps(text_to_json(text)))) == text
