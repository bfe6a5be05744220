"""The figures that an action brought back, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from alerts.language import speech
from monitor.reports.evidence import MOST, evidence_words
from monitor.reports.material import Material
from monitor.reports.pen import pen_for


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({}, ""),
        ({"deleted": 412, "freed": 109.6e9}, "files deleted: 412; freed: 109.6 GB"),
        ({"used": 70.5}, "used: 70.5%"),
        ({"seconds": 104}, "time: 1 min 44 s"),
        ({"rate": 225e6}, "rate: 225 MB a second"),
        ({"pid": 12345}, "process: 12345"),
        ({"before": {"pid": 1, "state": "stopped"}}, "before pid: 1; before state: stopped"),
        ({"my_own_word": True, "other": False}, "my own word: yes; other: no"),
        ({"nothing": None, "empty": "", "list": [], "table": {}}, ""),
        ({"names": ["a", "b", "c", "d", "e"]}, "names: a, b, c and 2 more"),
        ({"text": "x" * 500}, "text: " + "x" * 120),
        ({"huge": 10**400, "small": -(10**400)}, "huge: 1e+300; small: -1e+300"),
        ({"nan": float("nan")}, "nan: ?"),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "a b c d: {'e': 1}"),
    ],
)
def test_figures_are_said_with_their_names_and_units(
    stories: dict[str, Callable[[], Material]], evidence: dict[str, Any], words: str
) -> None:
    pen = pen_for(stories["disk"](), speech("en"))
    assert evidence_words(pen, evidence).replace("\u00a0", " ") == words


def test_many_figures_are_counted(stories: dict[str, Callable[[], Material]]) -> None:
    pen = pen_for(stories["disk"](), speech("en"))
    assert evidence_words(pen, {f"n{n}": n for n in range(MOST + 5)}).endswith("n11: 11; 5 more")
