"""What a demonstration shows of a message."""

from __future__ import annotations

import pytest

from alerts.language import speech
from monitor.cli.demo_shown import first_lines
from monitor.core.text import say

HEAD = ["what", "impact", "next message"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_where_a_move_comes_from_is_shown_with_where_it_goes_to(language):
    words = speech(language)
    way = [f"{words.render(label)} {site}" for label, site in ((say("From:"), "Douala"), (say("To:"), "Yaoundé"))]
    assert first_lines("\n\n".join([*HEAD, *way, "Why: works"])) == [*HEAD, *way]


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([*HEAD, "Cause: not yet known", "Began: 14:03"], [*HEAD, "Cause: not yet known"]),
        ([*HEAD, "From: Douala"], [*HEAD, "From: Douala"]),
        (["From: Douala", *HEAD, "To: Yaoundé"], ["From: Douala", *HEAD]),
        (["what", "", "impact"], ["what", "impact"]),
        ([], []),
    ],
)
def test_of_any_other_message_the_first_four_lines_are_shown(lines, shown):
    assert first_lines("\n".join(lines)) == shown
