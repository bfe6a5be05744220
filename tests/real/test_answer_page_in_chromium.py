"""The page behind a link in a message as a browser shows it, on a telephone and on a desk, by day and by night."""

from __future__ import annotations

from monitor.web.answer_page import Page, rendered
from tests.real.chromium import framed

VIEWS = ((320, "light"), (360, "dark"), (800, "light"))
"""CSS pixels: a small telephone and a usual one held upright, and a window on a desk."""
LEGIBLE = 4.5
"""Contrast of text (WCAG 2.2, 1.4.3, level AA)."""
LONG = "anticonstitutionnellement" * 6
PAGES = [
    Page(f"26-0042 Stockage plein ({LONG})", ("Critique : disque plein.", LONG), "Je m'en occupe", ("Pour Ann.",), tone)
    for tone in ("", "bad", "good")
] + [Page("Lien périmé", ("Ce lien était valable jusqu’à hier.",))]


def test_nothing_is_cut_off_covered_or_pale_on_a_telephone_and_on_a_desk(require, tmp_path):
    rows = framed(require("chromium", "chromium"), tmp_path, [rendered(page, "fr") for page in PAGES], VIEWS)
    assert len(rows) == len(PAGES) * len(VIEWS)
    wrong = [
        (row["message"], row["width"], row["scheme"], found)
        for row in rows
        if (found := {rule: row[rule] for rule in ("cut", "overlapping") if row[rule]})
        or row["scrolls"] > 0
        or row["contrast"] < LEGIBLE
    ]
    assert wrong == []
