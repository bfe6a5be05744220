"""How the command line shows the site to people: first what the services are able to do, then what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import Context
from alerts.service_words import view_text
from failover.phases import Direction
from failover.words import WORDS
from monitor.cli.context import print_table
from monitor.cli.duty_shown import duty_lines
from monitor.cli.review_shown import overdue_line
from monitor.cli.shown import (
    RUN_STATE,
    WORST_FIRST,
    at_site,
    commands_for,
    incident_table,
    moment,
    no_daemon_said,
    print_what_to_do,
    severity,
    state_word,
    table_of,
    told_next,
    unbroken,
    wavering,
)
from monitor.cli.work_shown import move_work_line, work_table
from monitor.core.services import View
from monitor.core.text import N_, Speech, say

if TYPE_CHECKING:
    from rich.console import Console


def status_page(out: Console, status: dict[str, Any], words: Speech, *, passive: bool = False) -> None:
    """Print the site: its state in one word, what its services are able to do, open incidents, announced work, checks.

    It ends with what to do, and with who is told next. `passive`: the Relève here only receives.
    """
    now, daemon = moment(status["at"]), status["daemon"]
    assert now is not None
    head = words.render(say("{site}, {at}", site=status["site"], at=Context("", words, now).at(now)))
    seen = any(one["severity"] is not None for one in status["checks"]) or not status["checks"]
    out.print(Styled.assemble(head, "  ", severity(status["severity"] if seen else None, words)))
    if daemon is None:
        out.print(unbroken(words.render(no_daemon_said(passive=passive))))
    elif daemon["journal"]:
        out.print(unbroken(daemon["journal"], style="bold red"))
    if status["services"]:
        print_table(_service_table(status["services"], words), out)
    incidents = sorted(status["incidents"], key=_worst_first)
    if incidents:
        out.print()
        print_table(incident_table(incidents, words, now), out)
    if status["runs"]:
        out.print()
        print_table(_going_table(status["runs"], words, now), out)
    _going_moves(out, status["moves"], words, now)
    if status["on_call"]:
        out.print()
    for line in duty_lines(status["on_call"], words, now):
        out.print(unbroken(line))
    line = overdue_line(status["overdue"]["reviews"], status["overdue"]["actions"], words)
    if line:
        out.print(unbroken(line, style="bold red"))
    works = _now_and_next(status["maintenance"])
    if works:
        out.print()
        print_table(work_table(works, words, now), out)
    out.print()
    print_table(_check_table(status["checks"], words, now), out)
    following = [told_next(one, words, now) for one in incidents] if daemon is not None else []
    stale = [one["check"] for one in status["checks"] if one["stale"]]
    todo = commands_for(incidents, status["runs"], stale=stale, moves=status["moves"], daemon=daemon is not None)
    commands = ["releve peer status"] if passive else todo
    print_what_to_do(out, commands, words, following, daemon=daemon is not None or passive)


def _service_table(services: list[dict[str, Any]], words: Speech) -> Table:
    """What each service is able to do, and in a word what that means."""
    table = Table.grid(padding=(0, 2))
    for one in services:
        title, seen = one["title"], View(float(one["able"]), float(one["unsure"]), float(one["total"]))
        able = words.render(view_text(seen, words))
        table.add_row(unbroken(title[:1].upper() + title[1:]), unbroken(able), _service_word(one, words))
    return table


def _service_word(one: dict[str, Any], words: Speech) -> Styled:
    if one["interrupted"]:
        text, style = N_("INTERRUPTED"), "bold red"
    elif one["able"] >= one["total"]:
        text, style = N_("OK"), "green"
    elif one["able"] + one["unsure"] >= one["total"]:
        text, style = N_("NOT VISIBLE"), "magenta"
    else:
        text, style = N_("REDUCED"), "yellow"
    return unbroken(words.translate(text), style)


def _now_and_next(works: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The work that goes on, and the next that is to come; they come in that order."""
    going = [one for one in works if one["active"]]
    coming = [one for one in works if not one["active"] and one["coming"]]
    return [*going, *coming[:1]]


def _going_table(runs: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """What Relève is repairing: each run that goes on, with the last that its journal says or what it asks."""
    table = table_of((N_("Run"), N_("Runbook"), N_("About"), N_("State"), N_("Began"), N_("Latest")), words)
    for run in runs:
        latest = run["question"] or (run["log"][-1] if run["log"] else None)
        table.add_row(
            run["id"],
            run["runbook"],
            run["subject"],
            state_word(RUN_STATE, run["state"], words),
            unbroken(at_site(run["started_at"], words, now)),
            unbroken("" if latest is None else latest["text"]),
        )
    return table


def _going_moves(out: Console, moves: list[dict[str, Any]], words: Speech, now: datetime) -> None:
    """Each move of a group that goes on: what it does since when, or what it asks."""
    for move in moves:
        what = words.translate(WORDS[Direction(move["direction"])])
        site = move["titles"][move["to"]]
        head = say("{move}: {what} to {site}: {plan}", move=move["id"], what=what, site=site, plan=move["title"])
        out.print()
        out.print(Styled.assemble(state_word(RUN_STATE, move["state"], words), "  ", unbroken(words.render(head))))
        if move["question"]:
            out.print(unbroken(f"  {move['question']}", style="bold yellow"))
        elif move["phase"] is not None:
            since = say("{phase}, since {time}", phase=move["text"], time=at_site(move["phase_at"], words, now))
            out.print(unbroken(f"  {words.render(since)}"))
        work = move_work_line(move, words, now)
        if work:
            out.print(unbroken(f"  {work}"))


def _worst_first(one: dict[str, Any]) -> tuple[bool, int, str]:
    """What interrupts the client's service before all else, however long something else has been critical."""
    return one["disrupted_at"] is None, WORST_FIRST.index(one["severity"]), one["began_at"]


def _check_table(checks: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    table = table_of((N_("Check"), N_("State"), N_("Since"), N_("What it says")), words)
    table.columns[2].max_width = 10
    for one in sorted(checks, key=lambda one: (_rank(one), one["check"])):
        since = one["seen_at"] if one["stale"] else None if one["severity"] in (None, "ok") else one["since"]
        table.add_row(
            one["check"], _state(one, words), unbroken(at_site(since, words, now)), unbroken(one["summary"] or "")
        )
    return table


def _rank(one: dict[str, Any]) -> int:
    """What gives no result is not well, whatever it last said; what stands by is not to run."""
    if one["stands_by"]:
        return WORST_FIRST.index("ok")
    rank = WORST_FIRST.index(one["severity"])
    return min(rank, WORST_FIRST.index("unknown")) if one["stale"] else rank


def _state(one: dict[str, Any], words: Speech) -> Styled:
    if one["stands_by"]:
        return unbroken(words.translate(N_("STANDS BY")), "dim")
    soft = one["phase"] == "soft"
    state = severity(one["latest"] if soft else one["severity"], words)
    if one["stale"]:
        was, state = state, unbroken(words.translate(N_("STALE")), "magenta")
        if one["severity"] not in (None, "ok"):
            state.append(" (").append(was).append(")")
        return state
    if soft:
        state.append(" " + words.translate(N_("(to be confirmed)")))
    return wavering(state, words) if one["flapping"] else state
