"""How the command line shows a move: what it would do, what may be lost, what became of it, how long it took."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import person
from failover.phases import Direction, Phase
from failover.words import PHASES, WORDS
from monitor.cli.context import print_table
from monitor.cli.runs_shown import ACTION_STATE, EFFECT, NOT_BEGUN
from monitor.cli.shown import RUN_STATE, at_site, print_what_to_do, state_word, table_of, unbroken
from monitor.core.text import N_, Speech, say

if TYPE_CHECKING:
    from rich.console import Console

MOVE_STATE = {**RUN_STATE, "lease lost": (N_("lease lost"), "bold red")}
NOWHERE = N_("nowhere, as far as Relève knows")


def prepared_page(out: Console, prepared: dict[str, Any], words: Speech) -> None:
    """Print the dry run of a move: from where to where, what may be lost, every action with what it does."""
    what = say(WORDS[Direction(prepared["direction"])])
    head = say(
        "{title} ({plan}): {what} from {source} to {target}",
        title=prepared["title"], plan=prepared["plan"], what=what,
        source=prepared["titles"][prepared["from"]], target=prepared["titles"][prepared["to"]],
    )  # fmt: skip
    out.print(unbroken(words.render(head), style="bold"))
    if prepared["direction"] == Direction.FAILOVER.value:
        out.print(
            unbroken(words.render(say("What may be lost: {loss}", loss=prepared["loss"]["text"])), style="bold red")
        )
    for remark in prepared["remarks"]:
        out.print(unbroken(words.render(say("Note: {text}", text=remark)), style="yellow"))
    table = table_of((N_("No."), N_("Phase"), N_("On"), N_("Action"), N_("Effect")), words)
    for task in prepared["tasks"]:
        if task["phase"] == Phase.BACK.value:
            continue
        effect = state_word(EFFECT, task["effect"], words)
        if task["asks"]:
            effect = Styled(words.translate(N_("asks a person")), style="bold yellow")
        phase = words.translate(PHASES[Phase(task["phase"])])
        table.add_row(str(task["n"]), unbroken(phase), task["target"], unbroken(task["said"]), effect)
    print_table(table, out)


def move_page(out: Console, move: dict[str, Any], words: Speech, now: datetime) -> None:
    """Print one move: how it stands, what was reached, how long each phase took, what became of each action."""
    what = words.translate(WORDS[Direction(move["direction"])])
    out.print(Styled.assemble(move["id"], "  ", state_word(MOVE_STATE, move["state"], words), "  ", move["title"]))
    if move["text"]:
        out.print(unbroken(move["text"]))
    grid = Table.grid(padding=(0, 2))
    for name, value in _facts(move, what, words, now):
        if value:
            grid.add_row(words.translate(name), unbroken(value))
    print_table(grid, out)
    out.print()
    spans = table_of((N_("Phase"), N_("Began"), N_("Took")), words)
    for span in move["phases"]:
        took = "" if span["elapsed_ms"] is None else words.duration(timedelta(milliseconds=span["elapsed_ms"]))
        phase = words.translate(PHASES[Phase(span["phase"])])
        spans.add_row(unbroken(phase), at_site(span["began_at"], words, now), took)
    print_table(spans, out)
    out.print()
    print_table(_tasks(move, words), out)
    print_what_to_do(out, _commands(move), words, [])


def _tasks(move: dict[str, Any], words: Speech) -> Table:
    table = table_of((N_("No."), N_("On"), N_("Action"), N_("State"), N_("What came of it")), words)
    went_back = any(span["phase"] == Phase.BACK.value for span in move["phases"])
    for task in move["tasks"]:
        if task["phase"] == Phase.BACK.value and not went_back:
            continue
        over = task["state"] == "pending" and move["ended_at"] is not None
        state = state_word(ACTION_STATE, NOT_BEGUN if over else task["state"], words)
        table.add_row(str(task["n"]), task["target"], unbroken(task["said"]), state, unbroken(task["text"]))
    return table


def _facts(move: dict[str, Any], what: str, words: Speech, now: datetime) -> tuple[tuple[str, str], ...]:
    question, promised, titles = move["question"], move["promised"], move["titles"]
    return (
        (N_("Kind"), what),
        (N_("From"), titles[move["from"]]),
        (N_("To"), titles[move["to"]]),
        (N_("Runs at"), titles[move["runs_at"]] if move["runs_at"] else words.translate(NOWHERE)),
        (N_("Incident"), move["incident"] or ""),
        (N_("Started by"), person(move["started_by"])),
        (N_("Why"), move["reason"]),
        (N_("Began"), at_site(move["started_at"], words, now)),
        (N_("Ended"), at_site(move["ended_at"], words, now)),
        (N_("RTO"), reached_words(move["rto_s"], promised["rto_s"], words)),
        (N_("RPO"), reached_words(move["rpo_s"], promised["rpo_s"], words)),
        (N_("Question"), question["text"] if question else ""),
    )


def reached_words(reached: float | None, promised: float | None, words: Speech) -> str:
    """Return a time that was reached (seconds), beside the promised one; empty where nobody knows it."""
    if reached is None:
        return ""
    span = timedelta(seconds=reached)
    if promised is None:
        return words.duration(span)
    return words.render(say("{reached} (promised: {promised})", reached=span, promised=timedelta(seconds=promised)))


def _commands(move: dict[str, Any]) -> list[str]:
    if move["state"] == "waiting":
        return [f"releve failover answer yes {move['id']}", f"releve failover answer no {move['id']}"]
    if move["state"] == "running":
        return [f"releve failover stop {move['id']}"]
    if move["state"] == "succeeded" or move["direction"] == Direction.DRILL.value:
        return []
    return [f"releve failover run {move['plan']} --to {move['to']} --forced"]
