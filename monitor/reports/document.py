"""What a document is before it has a format: sections of paragraphs, tables and figures, already in one language.

Every text in it is harmless: one printable line (several in a `Listing`) of bounded length, whatever a device, a mail
server or a person wrote. `harmless` makes it so, and each format escapes what it gives a meaning to.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from monitor.core.text import NARROW_SPACE, NO_BREAK_SPACE
from monitor.reports.plot import Plot

LONGEST = 600
"""Characters of one text; a sentence that somebody has to read has some 200."""
LONGEST_LISTING = 4000
_SPACES = frozenset({" ", NO_BREAK_SPACE, NARROW_SPACE})


class Tone(StrEnum):
    """How a text stands out. It never says anything that the words do not: documents are printed in black and white."""

    PLAIN = "plain"
    STRONG = "strong"
    GOOD = "good"
    BAD = "bad"
    GAP = "gap"
    """Nobody documented it."""
    CODE = "code"
    """To be typed as it stands."""


@dataclass(frozen=True, slots=True)
class Words:
    """A text and how it stands out."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences."""

    words: Words


@dataclass(frozen=True, slots=True)
class Points:
    """A list of short statements."""

    items: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels and what each of them has; `title` says what they are about to who cannot see them."""

    title: str
    rows: tuple[tuple[str, Words], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head. `shares`: the width of each column in relation to the others. `note`: what was left out."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]
    shares: tuple[int, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing: `said` tells it in words, `note` what there is to know about it."""

    name: str
    title: str
    said: str
    plot: Plot
    note: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a machine said, line by line."""

    title: str
    text: str


Block = Heading | Paragraph | Points | Facts | Table | Figure | Listing


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of the document; `name` is the same in every language."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document. `reference` and `site` stand on every page; `status` says whether it is final.

    `header`: what stands before the reference at the top of every page. `page`: the word for a page. `contents`: what
    the list of sections is called. `data`: the same as figures and ISO times, JSON-ready, for other tools.
    """

    reference: str
    species: str
    title: str
    site: str
    language: str
    status: Words
    facts: Facts
    sections: tuple[Section, ...]
    footer: str
    page: str
    contents: str
    data: dict[str, Any]
    header: str = "REX"


T = TypeVar("T")


def harmless(part: T) -> T:
    """Return a document, or a part of one, with every text in it made printable and cut to a fair length."""
    made = _harmless(part)
    assert isinstance(made, type(part))
    return made


def _harmless(part: Any) -> Any:
    match part:
        case Listing():
            return Listing(printable(part.title), _lines(part.text))
        case StrEnum():
            return part
        case str():
            return printable(part)
        case tuple():
            return tuple(_harmless(each) for each in part)
        case dict():
            return {printable(str(name)): _harmless(value) for name, value in part.items()}
        case list():
            return [_harmless(each) for each in part]
        case _ if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{field.name: _harmless(getattr(part, field.name)) for field in fields(part)})
        case _:
            return part


def printable(text: str, most: int = LONGEST) -> str:
    """Return `text` in one line without control, format (direction marks) and unassigned characters.

    Spaces that no line may end at stay: French needs them. What is cut off shows as an ellipsis.
    """
    if len(text) > 2 * most:
        text = text[: 2 * most]
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() or sign in _SPACES else " " for sign in text)
    text = " ".join(part for part in text.split(" ") if part).strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _lines(text: str) -> str:
    lines = [printable(line) for line in text[: 2 * LONGEST_LISTING].splitlines()]
    whole = "\n".join(lines)
    return whole if len(whole) <= LONGEST_LISTING else whole[: LONGEST_LISTING - 1] + "…"
