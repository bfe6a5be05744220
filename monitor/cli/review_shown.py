"""How the command line shows reviews: what is owed until when, and what is overdue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.cli.shown import at_site, moment, state_word, table_of, unbroken
from monitor.core.text import N_

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
