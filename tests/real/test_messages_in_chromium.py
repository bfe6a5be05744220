"""Messages as a browser shows them, on a telephone and on a desk, by day and by night."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from alerts.compose import HTML_LAYOUT, compose
from alerts.language import folder
from alerts.sheet import GREEN, GREY, ORANGE, RED
from tests.alerts.first_lines import broken
from tests.alerts.told import READERS, Told, every
from tests.real.chromium import framed

NARROW, WIDE = 360, 800
"""CSS pixels: a telephone held upright, and a window on a desk."""
VIEWS = ((NARROW, "light"), (WIDE, "light"), (NARROW, "dark"))
CANVAS = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 18, 18)"}
"""What a page without a background of its own stands on: proof that the scheme was taken."""
EVERY_NTH = 3
"""Of the messages, so that it stays fast: of each step others, so that every state is seen in both languages."""
LEGIBLE = 4.5
"""Contrast of text (WCAG 2.2, 1.4.3, level AA)."""
LEAD, SECOND = '<p style="margin:0 0 6px;font-size:17px">', '<p style="margin:0 0 6px">{{ line }}</p>'
SPOILT = {
    "a pale line": (SECOND, '<p style="margin:0 0 6px;color:#999">{{ line }}</p>', "contrast"),
    "a line that nobody sees": (SECOND, '<p style="display:none">{{ line }}</p>', "lines"),
    "a line of no height": (SECOND, '<p style="margin:0;height:0;overflow:hidden">{{ line }}</p>', "cut"),
    "a line over another": (SECOND, '<p style="margin:-16px 0 6px">{{ line }}</p>', "overlapping"),
    "a line beside the page": (SECOND, '<p style="margin:0;white-space:nowrap">{{ line }}</p>', "cut"),
    "a page of fixed width": ("max-width:640px", "width:640px", "scrolls"),
    "a greeting before it": (LEAD, "<p>Bonjour,</p>" + LEAD, "lines"),
}
"""Layouts that are to be refused: what is exchanged for what, and what must show it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One message in one view. `cut`, `overlapping`: texts of which something is not to be seen or not to be read.

    `scrolls`: CSS pixels by which the page is wider than the screen. `contrast`: of the text that has the least.
    """

    told: Told
    width: int
    scheme: str
    lines: tuple[str, ...]
    scrolls: float
    cut: tuple[str, ...]
    overlapping: tuple[str, ...]
    contrast: float
    canvas: str

    @property
    def wrong(self) -> dict[str, Any]:
        """What is wrong with it, by the rule that it breaks."""
        found = {
            "lines": broken(self.told, self.lines),
            "scrolls": max(0.0, self.scrolls),
            "cut": self.cut,
            "overlapping": self.overlapping,
            "contrast": self.contrast if self.contrast < LEGIBLE else 0,
        }
        return {rule: what for rule, what in found.items() if what}


def looked_at(chromium: Path, workplace: Path, pages: list[tuple[Told, str]]) -> list[Seen]:
    """Return how each message looks in each of VIEWS, in one start of Chromium."""
    rows = framed(chromium, workplace, [page for _, page in pages], VIEWS)
    return [
        Seen(
            pages[row["message"]][0],
            row["width"],
            row["scheme"],
            tuple(row["lines"]),
            row["scrolls"],
            tuple(row["cut"]),
            tuple(row["overlapping"]),
            row["contrast"],
            row["canvas"],
        )
        for row in rows
    ]


def some() -> list[Told]:
    """Return every nth message of each step and reader, beginning with another one each time."""
    blocks = groupby(every(), lambda told: (told.planned.key.step, told.planned.key.audience))
    return [told for n, (_, block) in enumerate(blocks) for told in list(block)[n % EVERY_NTH :: EVERY_NTH]]


def test_whoever_opens_a_message_sees_the_three_lines_first_whole_and_legible(require, tmp_path):
    pages = [(told, compose(told.planned, told.incident, told.context).html) for told in some()]
    seen = looked_at(require("chromium", "chromium"), tmp_path, pages)
    assert {f"{one.told.name}, {one.width} px, {one.scheme}": one.wrong for one in seen if one.wrong} == {}
    assert {(one.told.planned.key.step, one.width, one.scheme) for one in seen} == set(
        (step, *view) for step, readers in READERS.items() if readers for view in VIEWS
    )
    assert {(one.scheme, one.canvas) for one in seen} == set(CANVAS.items())
    assert all(any(colour in source for _, source in pages) for colour in (RED, ORANGE, GREEN, GREY))


def test_a_layout_that_hides_covers_or_pales_a_line_is_refused(require, tmp_path):
    told, pages = next(every()), []
    for n, (old, new, _) in enumerate(SPOILT.values()):
        layouts = Path(shutil.copytree(folder() / "messages", tmp_path / f"layouts-{n}"))
        text = (layouts / HTML_LAYOUT).read_text("utf-8")
        assert text.count(old) == 1
        (layouts / HTML_LAYOUT).write_text(text.replace(old, new), "utf-8")
        pages.append((told, compose(told.planned, told.incident, told.context, layouts).html))
    seen = looked_at(require("chromium", "chromium"), tmp_path, pages)
    narrow = [one for one in seen if (one.width, one.scheme) == VIEWS[0]]
    passed = [name for one, (name, (*_, rule)) in zip(narrow, SPOILT.items(), strict=True) if rule not in one.wrong]
    assert passed == []
