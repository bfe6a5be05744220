"""What every text of a document is made to be: one printable line of bounded length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.language import speech
from monitor.reports.as_json import as_json
from monitor.reports.document import LONGEST, LONGEST_LISTING, Document, Listing, Paragraph, Words, harmless, printable
from monitor.reports.material import Material
from monitor.reports.rex import rex

SPACES = {"\u00a0", "\u202f"}


@given(st.text())
def test_a_text_is_one_printable_line(text: str) -> None:
    made = printable(text)
    assert all(sign.isprintable() or sign in SPACES for sign in made)
    assert len(made) <= LONGEST
    assert printable(made) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("14\u00a0h\u00a005\u202f; fin", "14\u00a0h\u00a005\u202f; fin"),
        ("a\r\nb\tc\x00d", "a b c d"),
        ("\u202eabc\u200f", "abc"),
        ("  a   b ", "a b"),
        ("x" * 1000, "x" * (LONGEST - 1) + "…"),
        ("\ud800", ""),
        ("é 日本 😀", "é 日本 😀"),
    ],
)
def test_what_no_reader_can_see_is_gone_and_what_is_too_long_is_cut(text: str, made: str) -> None:
    assert printable(text) == made


def test_a_listing_keeps_its_lines_and_nothing_else_does() -> None:
    assert harmless(Listing("a\nb", "c\x1bd\ne")) == Listing("a b", "c d\ne")
    assert harmless(Paragraph(Words("a\nb"))) == Paragraph(Words("a b"))
    assert len(harmless(Listing("t", "line\n" * 10_000)).text) <= LONGEST_LISTING


def test_every_text_of_a_hostile_review_is_harmless(stories: dict[str, Callable[[], Material]]) -> None:
    document: Document = rex(stories["hostile"](), speech("fr", "Africa/Douala"))

    def look(part: Any) -> None:
        match part:
            case dict():
                for name, value in part.items():
                    assert name.isprintable()
                    look(value)
            case list():
                for value in part:
                    look(value)
            case str():
                for line in part.split("\n"):
                    assert printable(line) == line

    look(as_json(document))
