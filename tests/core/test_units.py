"""A quantity in the inventory carries its unit, and a wrong one says which would do."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.units import BadUnit, parse_duration, parse_rate, parse_share, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5 min", 300), ("1h", 3600), ("3 d", 259200), ("2 j", 172800), ("500 ms", 0.5), (" 1,5 h ", 5400)],
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (parse_rate, "4 Mbit/s", 4e6),
        (parse_rate, "512 kbit/s", 512e3),
        (parse_rate, "2Mbps", 2e6),
        (parse_size, "64 MB", 64e6),
        (parse_size, "2 Go", 2e9),
        (parse_size, "512 MiB", 512 * 2**20),
        (parse_share, "80%", 80),
        (parse_share, "99,5 %", 99.5),
    ],
)
def test_rates_sizes_and_shares_are_read_in_their_base_unit(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (parse_duration, "60", "has no unit: write 60s"),
        (parse_duration, "5 minuts", "'minuts' is no unit of a duration"),
        (parse_duration, "5 min 10 s", "is no unit of a duration"),
        (parse_duration, "soon", "is not a duration: write 60s"),
        (parse_duration, "", "is not a duration"),
        (parse_duration, "99999999999999 d", "longer than any watch"),
        (parse_duration, "9" * 400 + "s", "longer than any watch"),
        (parse_rate, "4 MB", "'MB' is no unit of a rate: write 4 Mbit/s"),
        (parse_size, "4 Mbit/s", "is no unit of a size"),
        (parse_share, "0.8", "has no unit: write 80%"),
    ],
)
def test_a_wrong_quantity_says_what_to_write_instead(read, text, says):
    with pytest.raises(BadUnit) as refused:
        read(text)
    assert says in str(refused.value)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_clear_refusal(text):
    try:
        assert isinstance(parse_duration(text), timedelta)
    except BadUnit as refused:
        assert "write 60s" in str(refused)
