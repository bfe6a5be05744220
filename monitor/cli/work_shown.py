"""How the command line shows announced work: what, from when to when, on what, and what is told of it meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import person
from monitor.cli.context import as_typed
from monitor.cli.shown import at_site, moment, table_of, unbroken
from monitor.core.text import N_, Speech, say


def work_table(works: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return announced work as a table, in the order given."""
    table = table_of((N_("Work"), N_("State"), N_("From"), N_("Until"), N_("On"), N_("Told as"), N_("By")), words)
    for one in works:
        table.add_row(
            unbroken(named_work(one)),
            work_state(one, words),
            unbroken(at_site(one["from"], words, now)),
            unbroken(at_site(one["until"], words, now)),
            unbroken(", ".join([*one["nodes"], *one["checks"]])),
            one["kind"] or words.translate(N_("nothing")),
            unbroken(announced_by(one, words)),
        )
    return table


def work_state(one: dict[str, Any], words: Speech) -> Styled:
    """Return whether announced work goes on, is to come or is over, as a coloured word."""
    if one["active"]:
        return unbroken(words.translate(N_("going on")), "bold yellow")
    if one["coming"]:
        return unbroken(words.translate(N_("to come")), "cyan")
    return unbroken(words.translate(N_("over")), "dim")


def named_work(one: dict[str, Any]) -> str:
    """Return what announced work is called: its name, with its title where it has one."""
    return str(one["id"]) if one["title"] == one["id"] else f"{one['id']} ({one['title']})"


def announced_by(one: dict[str, Any], words: Speech) -> str:
    """Return who announced the work, and why where that was said."""
    who = person(one["by"]) if one["by"] else words.translate(N_("inventory"))
    return words.render(say("{who}: {why}", who=who, why=one["reason"])) if one["reason"] else who


def work_lines(one: dict[str, Any], words: Speech, now: datetime) -> list[str]:
    """Return what was announced in whole sentences: when, on what, what is told meanwhile, how it ends earlier."""
    span = say(
        "{id}: from {start} to {end}, checks concerned: {count}.",
        id=one["id"],
        start=at_site(one["from"], words, now),
        end=at_site(one["until"], words, now),
        count=one["concerned"],
    )
    told = (
        say("What fails of it is told as one incident, {kind}, announced as maintenance.", kind=one["kind"])
        if one["kind"]
        else say("Nothing of it is told meanwhile; what still fails at the end is told then.")
    )
    ends = say("To end it earlier: {command}", command=as_typed(f"releve maintenance end {one['id']}"))
    return [words.render(text) for text in (span, told, ends)]


def move_work_line(move: dict[str, Any], words: Speech, now: datetime) -> str:
    """Return which failures are the work of a move that goes on, so that nobody is told; empty where all are told."""
    work = move["work"]
    until = moment(work["until"]) if work else None
    if until is None or not work["checks"]:
        return ""
    at, checks = at_site(work["until"], words, now), ", ".join(work["checks"])
    if now < until:
        return words.render(
            say(
                "work of this move, of which nobody is told until {time} at the latest: {checks}",
                time=at,
                checks=checks,
            )
        )
    return words.render(
        say("since {time} what fails of it is told like anything else: {checks}", time=at, checks=checks)
    )
