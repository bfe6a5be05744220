"""How the command line shows a crisis cell: who is in it, the action plan, what was decided, what is needed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import Context
from monitor.cli.context import print_table
from monitor.cli.shown import at_site, clock_with_seconds, moment, state_word, table_of, unbroken
from monitor.core.text import N_, Quantity, Speech, say

if TYPE_CHECKING:
    from rich.console import Console

ROLE = {"leader": N_("Leads"), "scribe": N_("Keeps the log"), "liaison": N_("Speaks with the client")}
LATE = "late"
STATE = {
    "open": (N_("to be done"), "yellow"),
    LATE: (N_("LATE"), "bold red"),
    "done": (N_("done"), "green"),
    "dropped": (N_("dropped"), "dim"),
}


def is_late(one: dict[str, Any], now: datetime) -> bool:
    """Return whether an action is still to be done although its time is over."""
    due_at = moment(one["due_at"])
    return one["state"] == "open" and due_at is not None and due_at < now


def action_table(found: list[dict[str, Any]], words: Speech, now: datetime, *, named: bool = False) -> Table:
    """Return actions as a table, in the order given; `named`: each with its `incident`."""
    titles = (N_("No."), N_("Action"), N_("Owner"), N_("Due"), N_("State"))
    table = table_of((N_("Incident"), *titles) if named else titles, words)
    for one in found:
        what = f"{one['what']} - {one['result']}" if one["result"] else one["what"]
        cells = (
            str(one["n"]),
            unbroken(what),
            unbroken(one["owner"]),
            unbroken(at_site(one["due_at"], words, now)),
            state_word(STATE, LATE if is_late(one, now) else one["state"], words),
        )
        table.add_row(*((one["incident"], *cells) if named else cells))
    return table


def crisis_part(out: Console, one: dict[str, Any], words: Speech, now: datetime) -> None:
    """Print what the crisis cell of an incident has written down; nothing where that is nothing."""
    grid, since = Table.grid(padding=(0, 2)), at_site(one["crisis_opened_at"], words, now)
    if since:
        grid.add_row(words.translate(N_("Crisis cell")), words.render(say("since {at}", at=since)))
    for role, who in one["roles"].items():
        if who:
            grid.add_row(words.translate(ROLE[role]), unbroken(who))
    _print(out, grid)
    if one["actions"]:
        _print(out, action_table(one["actions"], words, now))
    decided = table_of((N_("Time"), N_("Decision")), words)
    for each in one["decisions"]:
        decided.add_row(clock_with_seconds(each["at"], words, now), unbroken(each["what"]))
    _print(out, decided)
    needed = table_of((N_("No."), N_("Need"), N_("State")), words)
    for each in one["needs"]:
        needed.add_row(str(each["n"]), unbroken(each["what"]), _met(each, words, now))
    _print(out, needed)
    files = table_of((N_("No."), N_("File"), N_("Size"), N_("SHA-256")), words)
    for each in one["attachments"]:
        size = words.quantity(Quantity(each["size"], "By"))
        files.add_row(str(each["n"]), unbroken(each["name"]), unbroken(size), each["sha256"])
    _print(out, files)


def _met(each: dict[str, Any], words: Speech, now: datetime) -> Styled:
    if each["met_at"] is None:
        return unbroken(words.translate(N_("not met")), "yellow")
    met = say("met, {at}", at=clock_with_seconds(each["met_at"], words, now))
    return unbroken(words.render(met), "green")


def _print(out: Console, table: Table) -> None:
    if table.row_count:
        out.print()
        print_table(table, out)


def report_next(one: dict[str, Any], words: Speech, now: datetime) -> list[str]:
    """Return the line that says who reads the next crisis report, and when; none where none is to come."""
    at = moment(one.get("next_report_at"))
    if at is None:
        return []
    to, shown = ", ".join(one["next_report_to"]), Context("", words, now).at(at)
    return [words.render(say("{id}: crisis report to {to}, {at}", id=one["id"], to=to, at=shown))]


def next_action(one: dict[str, Any], now: datetime) -> str:
    """Return the command that says of the action that is due first, if it is late, that it is done; else nothing."""
    late = sorted((each["due_at"], each["n"]) for each in one["actions"] if is_late(each, now))
    return f"releve incident action done {one['id']} {late[0][1]}" if late else ""
