"""What the screens say of the work that a move is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.cli.work_shown import move_work_line
from monitor.core.text import ENGLISH

UNTIL = "2026-11-26T14:30:00Z"
HIS = {"checks": ["calls", "web-1"], "until": UNTIL}


@pytest.mark.parametrize(
    ("work", "minute", "said"),
    [
        (HIS, 29, "work of this move, of which nobody is told until {at} at the latest: calls, web-1"),
        (HIS, 30, "since {at} what fails of it is told like anything else: calls, web-1"),
        ({"checks": [], "until": UNTIL}, 29, ""),
        (None, 29, ""),
    ],
)
def test_a_move_says_what_is_its_work_and_until_when(work: Any, minute: int, said: str):
    at = ENGLISH.clock(datetime(2026, 11, 26, 14, 30, tzinfo=UTC))
    line = move_work_line({"work": work}, ENGLISH, datetime(2026, 11, 26, 14, minute, tzinfo=UTC))
    assert line == said.format(at=at)
