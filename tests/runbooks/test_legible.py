"""Whatever a step says of its work can be journaled, and does nothing to who reads it."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.text import ENGLISH, Text, say, verbatim
from runbooks.legible import MOST_OUTPUT, legible_data, legible_output, legible_text

EVIL = "a\x1b]0;x\x07\x1b[2J\r\nBcc: x@y\u202e\ud800{name}"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_words_become_one_printable_line_and_keep_what_they_say():
    said = ENGLISH.render(legible_text(say("{name} said {what}", name="sc", what=EVIL)))
    assert said.isprintable()
    assert said.startswith("sc said a ]0;x")


def test_a_sentence_that_cannot_be_filled_in_is_shown_as_it_stands():
    assert ENGLISH.render(legible_text(Text("{x:zz} of it"))) == "{x:zz} of it"


def test_output_keeps_its_lines_and_the_end_of_it():
    assert legible_output("one\ntwo\x1b[2J") == "one\ntwo [2J"
    assert legible_output("x" * 9000 + "end")[-3:] == "end"
    assert len(legible_output("x" * 9000)) == MOST_OUTPUT


@given(st.dictionaries(st.text(st.characters()), VALUES, max_size=4))
def test_figures_are_json_and_printable_whatever_they_were(data):
    found = legible_data(data)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    json.dumps(found, ensure_ascii=False).encode()
    assert legible_data(found) == found


def test_figures_are_left_as_they_are():
    plain = {"files": 3, "used": 74.5, "failed": ["a.wav"], "left": {"young": 2}, "pid": None}
    assert legible_data(plain) == plain
    assert legible_data({"used": math.nan}) == {"used": None}
    assert ENGLISH.render(legible_text(verbatim("SQL Server (MSSQL)"))) == "SQL Server (MSSQL)"
