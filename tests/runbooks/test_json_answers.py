"""What a JSON answer holds at a pointer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from monitor.core.text import ENGLISH
from runbooks.json_answers import ABSENT, Answers, at, misfit, parsed

# The document and the pointers of RFC 6901, section 5.
RFC = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/i\\j", 5),
        ('/k"l', 6), ("/ ", 7), ("/m~0n", 8), ("/foo/2", ABSENT), ("/foo/-", ABSENT), ("/foo/01", ABSENT),
        ("/foo/0/x", ABSENT), ("/none", ABSENT),
    ],
)  # fmt: skip
def test_a_pointer_finds_what_the_rfc_says(pointer: str, value: object):
    found = at(pointer, RFC)
    assert found is ABSENT if value is ABSENT else found == value


@pytest.mark.parametrize(
    ("wanted", "body", "said"),
    [
        ({"/state": "active"}, '{"state": "active"}', None),
        ({"/n": 1, "/ok": True, "/x": None}, '{"n": 1.0, "ok": true, "x": null}', None),
        ({"/ok": True}, '{"ok": 1}', "the answer has 1 at /ok instead of true"),
        ({"/n": 1}, '{"n": true}', "the answer has true at /n instead of 1"),
        ({"/state": "active"}, '{"state": "é"}', 'the answer has "é" at /state instead of "active"'),
        ({"/state": "active"}, "{}", "the answer has nothing at /state"),
        ({"/state": "active"}, "<html>", "the answer is no JSON"),
        ({"": 3}, "4", 'the answer has 4 at "" instead of 3'),
        ({"/x": 1}, "[" * 100_000, "the answer is no JSON"),
        ({}, "nonsense", None),
    ],
)
def test_an_answer_fits_or_says_what_does_not(wanted: dict[str, object], body: str, said: str | None):
    found = misfit(TypeAdapter(Answers).validate_python(wanted), parsed(body))
    assert (None if found is None else ENGLISH.render(found)) == said


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_answer_and_no_pointer_is_too_strange(pointer: str, body: str):
    try:
        wanted = TypeAdapter(Answers).validate_python({pointer: "x"})
    except ValidationError:
        return
    misfit(wanted, parsed(body))


@pytest.mark.parametrize("pointer", ["state", "/a~2", "/a~", "#/a"])
def test_what_is_no_pointer_is_refused(pointer: str):
    with pytest.raises(ValidationError):
        TypeAdapter(Answers).validate_python({pointer: 1})
