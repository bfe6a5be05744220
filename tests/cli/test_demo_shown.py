"""What a demonstration shows of a message."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from alerts.language import speech
from lab.proof_two import Evidence, People
from monitor.cli.demo_shown import Teller, first_lines
from monitor.cli.demo_sites import Told
from monitor.cli.demo_sites_shown import show_end
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


@pytest.mark.parametrize(
    ("language", "rto", "rpo"), [("en", "  RTO: 12", "  RPO: 9"), ("fr", "  DMIA (RTO)", "  PDMA (RPO)")]
)
def test_what_was_reached_has_the_names_of_the_readers_language(language, rto, rpo):
    move = {"rto_s": 12.0, "rpo_s": 9.0, "promised": {"rto_s": 1800.0, "rpo_s": 300.0}}
    out = Console(file=StringIO(), width=200)
    show_end(
        Told("drill", move=move),
        Evidence((), (), (), (), {}, ()),
        People("", "", ""),
        (),
        Teller(out, speech(language)),
        as_json=False,
    )
    assert isinstance(out.file, StringIO)
    lines = out.file.getvalue().splitlines()
    assert [line[: len(start)] for line, start in zip(lines[-3:-1], (rto, rpo), strict=True)] == [rto, rpo]
