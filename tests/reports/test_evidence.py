"""The figures that an action brought back, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from alerts.language import speech
from monitor.core.verdict import Severity
from monitor.reports.evidence import LABELS, MOST, VALUES, evidence_words
from monitor.reports.material import Material
from monitor.reports.pen import pen_for
from runbooks.recordings import ArchiveReport
from runbooks.recordings_purge import Fit, Purged
from runbooks.services import State


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({}, ""),
        ({"files": 412, "size": 109600000000}, "files: 412; size: 109.6 GB"),
        ({"used_before": 92.4, "used_after": 70.5}, "in use before: 92.4%; in use after: 70.5%"),
        ({"proven": 0, "failures": 0, "in_use": 0, "missing": 0}, "files copied and read back: 0"),
        (
            {"left": {"young": 3, "no copy": 1}},
            "kept because they are recent: 3; kept because their copy is missing: 1",
        ),
        ({"oldest": "2026-11-01T07:30:00+00:00"}, "the oldest of: 2026-11-01 at 08:30"),
        ({"oldest": "2026-11-01T07:30:00"}, "the oldest of: 2026-11-01T07:30:00"),
        ({"state_before": "stopped", "pid_after": 4711}, "state before: not running; process after: 4711"),
        ({"check": "hmp-disk", "severity": "ok"}, "check: hmp-disk; severity: OK"),
        ({"seconds": 104}, "took: 1 min 44 s"),
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
    pen = pen_for(stories["disk"](), speech("en", "Africa/Douala"))
    assert evidence_words(pen, evidence).replace("\u00a0", " ") == words


def test_many_figures_are_counted(stories: dict[str, Callable[[], Material]]) -> None:
    pen = pen_for(stories["disk"](), speech("en"))
    assert evidence_words(pen, {f"n{n}": n for n in range(MOST + 5)}).endswith("n11: 11; 5 more")


def test_every_figure_of_the_steps_that_come_with_releve_has_a_name() -> None:
    archived = set(ArchiveReport("audio").evidence)
    purged = {field.name for field in fields(Purged)} & {"files", "size", "oldest", "newest", "left"}
    left = {f"left {fit.value}" for fit in Fit if fit is not Fit.YES}
    assert archived | purged | left <= set(LABELS)
    assert {state.value for state in State} | {severity.word for severity in Severity} <= set(VALUES)
