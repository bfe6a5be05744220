"""How the command line shows reviews: what is owed until when, and what is overdue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.cli.crisis_shown import is_late
from monitor.cli.shown import at_site, moment, state_word, table_of, unbroken
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from rich.table import Table

    from monitor.core.text import Speech

STAGE = {"hot": N_("hot review"), "cold": N_("cold review")}
OVERDUE, TO_COME = "overdue", "to come"
STATE = {OVERDUE: (N_("OVERDUE"), "bold red"), TO_COME: (N_("to be closed"), "yellow")}


def is_overdue(one: dict[str, Any], now: datetime) -> bool:
    """Return whether a review that is owed should have been closed by now."""
    due_at = moment(one["due_at"])
    return due_at is not None and due_at < now


def owed_table(found: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return the reviews that are owed as a table, in the order given, each with how to close it."""
    table = table_of((N_("Incident"), N_("What"), N_("Review"), N_("Due"), N_("State"), N_("How")), words)
    for one in found:
        table.add_row(
            one["incident"],
            unbroken(one["title"]),
            words.translate(STAGE[one["stage"]]),
            unbroken(at_site(one["due_at"], words, now)),
            state_word(STATE, OVERDUE if is_overdue(one, now) else TO_COME, words),
            f"releve incident review close {one['incident']} {one['stage']}",
        )
    return table


def overdue_line(reviews: int, actions: int, words: Speech) -> str:
    """Return in a line how many reviews and actions should have been done by now; empty where that is none."""
    parts = []
    if reviews:
        text = say("reviews overdue: {count} (`{command}`)", count=reviews, command="releve incident review list")
        parts.append(words.render(text))
    if actions:
        command = "releve incident action list --open"
        parts.append(words.render(say("actions late: {count} (`{command}`)", count=actions, command=command)))
    line = ", ".join(parts)
    return line[:1].upper() + line[1:]


def overdue_among(incidents: list[dict[str, Any]], now: datetime) -> tuple[int, int]:
    """Return how many reviews and how many actions of these incidents should have been done by now."""
    reviews = sum(is_overdue(each, now) for one in incidents for each in one["review"]["owed"])
    return reviews, sum(is_late(each, now) for one in incidents for each in one["actions"])
