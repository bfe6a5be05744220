"""Markdown in which nothing that anybody wrote is markup: read back by a parser of CommonMark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from alerts.language import speech
from monitor.core.text import Speech
from monitor.reports.document import printable
from monitor.reports.markdown import escaped, markdown
from monitor.reports.material import Material
from monitor.reports.rex import rex

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"strong", "em", "code_inline", "text", "softbreak"}
"""What a review itself uses within a line."""


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def shown(text: str) -> str:
    """What a reader sees of one line of Markdown."""
    (inline,) = (token for token in PARSER.parse(text) if token.type == "inline")
    return "".join(child.content for child in inline.children or ())


signs = st.text(st.sampled_from(list("ab 1.)-+=#*_`[]()!<>&|~$@\\:/{}'\"^")) | st.characters(codec="utf-8"))


@given(signs)
def test_what_is_escaped_is_shown_as_it_stands(text: str) -> None:
    if line := printable(text):
        assert shown(escaped(line)) == line


@given(signs)
def test_nothing_that_is_escaped_is_markup_anywhere(text: str) -> None:
    line = escaped(printable(text))
    for place in (line, f"- {line}", f"| {line} | x |\n| --- | --- |\n| {line} | y |", f"**{line}**"):
        kinds = {token.type for token in tokens(place)} if line else set()
        assert not kinds & {"html_inline", "html_block", "link_open", "image", "code_block", "fence", "hr"}
        assert not kinds & {"heading_open", "ordered_list_open", "s_open", "blockquote_open"}


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", "FTP://evil.example"])
def test_nothing_becomes_a_link_by_itself(text: str) -> None:
    """GitHub finds links in plain text (GFM 6.9); a sign in their midst keeps it from doing so."""
    line = escaped(text)
    assert shown(line) == text
    assert not re.search(r"(?i)(?<!\\)://|www\.", line)


def test_a_table_of_a_review_has_as_many_cells_in_every_row(material: Material, reader: Speech) -> None:
    found = list(tokens(markdown(rex(material, reader))))
    widths: list[list[int]] = []
    for token in found:
        if token.type == "table_open":
            widths.append([])
        elif token.type == "tr_open":
            widths[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            widths[-1][-1] += 1
    assert widths
    assert all(len(set(table)) == 1 for table in widths)


def test_a_hostile_review_holds_only_our_own_markup(stories: dict[str, Callable[[], Material]], reader: Speech) -> None:
    document = rex(stories["hostile"](), reader)
    found = list(tokens(markdown(document)))
    assert not {token.type for token in found} & {"html_inline", "html_block", "link_open", "image", "s_open"}
    headings = [token for token in found if token.type == "heading_open"]
    assert len([token for token in headings if token.tag == "h2"]) == len(document.sections)
    assert not {token.type.removesuffix("_open").removesuffix("_close") for token in inline(found)} - OURS


def inline(found: list[Token]) -> Iterator[Token]:
    for token in found:
        yield from token.children or ()


def test_a_label_and_its_colon_are_set_as_the_language_does(material: Material) -> None:
    for language, colon in (("fr", "\u00a0:"), ("en", ":")):
        lines = markdown(rex(material, speech(language, "Africa/Douala"))).splitlines()
        assert any(line.startswith(f"- **Site{colon}** ") for line in lines)


@pytest.mark.parametrize(
    ("text", "line"), [("1.1 s", "1.1 s"), ("1. Then", r"1\. Then"), ("7)", r"7\)"), ("12.5%", "12.5%")]
)
def test_a_figure_is_no_list(text: str, line: str) -> None:
    assert escaped(text) == line
