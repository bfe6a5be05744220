"""A code in an SMS: short, one's own, and understood as people type it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.ack_code import DIGITS, Said, code_of, said_in, same_number
from monitor.core.answer import Stage
from monitor.core.ids import IncidentId

KEY, NAME = b"k" * 32, IncidentId("26-0001")


@given(st.integers(1, 999), st.integers(0, 999), st.text(max_size=20))
def test_a_code_has_four_digits_and_is_worked_out_anew(episode, lapses, contact):
    code = code_of(NAME, Stage(episode, lapses), contact, KEY)
    assert len(code) == DIGITS and code.isdecimal()
    assert code == code_of(NAME, Stage(episode, lapses), contact, KEY)
    assert said_in(f"OK {code}") == Said(code, True)


def test_codes_of_contacts_stages_incidents_and_keys_differ():
    stage = Stage(1, 0)
    codes = {
        code_of(NAME, stage, "admin", KEY),
        code_of(NAME, stage, "chef", KEY),
        code_of(NAME, Stage(2, 0), "admin", KEY),
        code_of(NAME, Stage(1, 1), "admin", KEY),
        code_of(IncidentId("26-0002"), stage, "admin", KEY),
        code_of(NAME, stage, "admin", b"o" * 32),
    }
    assert len(codes) == 6


@pytest.mark.parametrize(
    ("text", "code", "acknowledges"),
    [
        ("OK 4821", "4821", True),
        ("ok4821", "4821", True),
        ("4821", "4821", True),
        ("  4821 ok.", "4821", True),
        ("Je m'en occupe 0042", "0042", True),
        ("OK 4821 4821", "4821", True),
        ("OK 4821 ou 4822 ?", "", False),
        ("OK", "", True),
        ("non 4821", "4821", False),
        ("OK 48213", "", False),
        ("appelez le 237600004821", "", False),
        ("", "", True),
        ("OK 4821" + " x" * 1000, "4821", False),
    ],
)
def test_what_people_type(text, code, acknowledges):
    assert said_in(text) == Said(code, acknowledges)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+237600000000", "+237 600 00 00 00", True),
        ("+237600000000", "00237600000000", True),
        ("+237600000000", "237600000000", True),
        ("+237600000000", "+237600000001", False),
        ("+237600000000", "600000000", False),
        ("", "", False),
        ("MTN", "", False),
        ("MTN", "Orange", False),
    ],
)
def test_one_number_has_several_spellings(one, other, same):
    assert same_number(one, other) is same is same_number(other, one)
