"""How the command line shows incidents and the site to people: colour is also a word, times are the site's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import Context
from monitor.cli.context import as_typed
from monitor.core.text import N_, NARROW_SPACE, NO_BREAK_SPACE, Speech, Text, say

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, OverflowMethod
    from rich.containers import Lines

SEVERITY = {
    "ok": (N_("OK"), "green"),
    "warning": (N_("WARNING"), "yellow"),
    "unknown": (N_("UNKNOWN"), "magenta"),
    "critical": (N_("CRITICAL"), "bold red"),
}
STATUS = {"open": N_("open"), "acknowledged": N_("acknowledged"), "resolved": N_("resolved")}
RUN_STATE = {
    "running": (N_("running"), "yellow"),
    "waiting": (N_("waits for an answer"), "bold yellow"),
    "succeeded": (N_("succeeded"), "green"),
    "failed": (N_("failed"), "bold red"),
    "refused": (N_("refused by a person"), "magenta"),
    "stopped": (N_("stopped"), "magenta"),
    "simulated": (N_("simulated"), "cyan"),
}
WORST_FIRST = ("critical", "unknown", "warning", None, "ok")
SELF = "Relève"
MOST_COMMANDS = 3
OWN_CHECKS = "releve-"
"""Begins the names of the checks by which Relève watches itself; `releve check` knows none of them."""
UNITS = (Path("/etc/systemd/system/releve.service"), Path("/usr/lib/systemd/system/releve.service"))
_SPACES = {NO_BREAK_SPACE: "\ue000", NARROW_SPACE: "\ue001"}
"""Spaces that no line may end at, and signs that stand for them while rich, which does not know that, wraps."""


class _Unbroken(Styled):
    """Text that is wrapped at ordinary spaces only: `0,3 ms` stays in one line."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        text = self.copy()
        for space, sign in _SPACES.items():
            text.plain = text.plain.replace(space, sign)
        lines = text.wrap(console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)
        for line in lines:
            for space, sign in _SPACES.items():
                line.plain = line.plain.replace(sign, space)
        return lines


def unbroken(text: str, style: str = "") -> Styled:
    """Return `text` for a terminal: lines end at ordinary spaces only."""
    return _Unbroken(text, style=style)


def moment(iso: str | None) -> datetime | None:
    """Return the moment that the API wrote."""
    return None if iso is None else datetime.fromisoformat(iso.replace("Z", "+00:00"))


def severity(word: str | None, words: Speech) -> Styled:
    """Return a severity as a coloured word."""
    text, style = SEVERITY.get(word or "", (N_("not seen yet"), "dim"))
    return unbroken(words.translate(text), style)


def at_site(iso: str | None, words: Speech, now: datetime) -> str:
    """Return the time of day at the site, after the day if that is not today; empty for no moment."""
    at = moment(iso)
    if at is None:
        return ""
    day = words.date(at)
    return words.clock(at) if day == words.date(now) else f"{day} {words.clock(at)}"


def state_of(one: dict[str, Any], words: Speech, now: datetime) -> str:
    """Return where an incident stands in a word; of one that somebody is on for a time, also until when."""
    state = words.translate(STATUS[one["status"]])
    if one["status"] != "acknowledged" or not one["acknowledged_until"]:
        return state
    until = at_site(one["acknowledged_until"], words, now)
    return words.render(say("{state} until {until}", state=state, until=until))


def wavering(state: Styled, words: Speech) -> Styled:
    """Return a severity as a word, with that it comes and goes."""
    return state.append(" " + words.translate(N_("(comes and goes)")))


def what_and_how_much(one: dict[str, Any], words: Speech) -> str:
    """Return an incident's cause with what it says, and how many failures it explains."""
    root, title, count = one["root_cause"], one["title"], len(one["suppressed"])
    text = words.render(say("{check}: {summary}", check=root, summary=title)) if root else title
    if one.get("recovered_at") and one["status"] != "resolved":
        text = words.render(say("{text}; gone, being verified", text=text))
    if not count:
        return text
    if count == 1:
        return words.render(say("{text}; 1 check suppressed", text=text))
    return words.render(say("{text}; {count} checks suppressed", text=text, count=count))


def incident_table(found: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return incidents as a table, in the order given; the duration of an open one is that until `now`."""
    table = table_of((N_("Incident"), N_("State"), N_("Severity"), N_("Began"), N_("Duration"), N_("What")), words)
    table.columns[3].max_width = 10  # the day above the time
    for one in found:
        began, ended = moment(one["began_at"]), moment(one["resolved_at"]) or now
        bad = severity(one["severity"], words)
        table.add_row(
            one["id"],
            unbroken(state_of(one, words, now)),
            wavering(bad, words) if one["flapping_since"] and one["status"] != "resolved" else bad,
            unbroken(at_site(one["began_at"], words, now)),
            unbroken("" if began is None else words.duration(max(timedelta(), ended - began))),
            unbroken(what_and_how_much(one, words)),
        )
    return table


def table_of(titles: tuple[str, ...], words: Speech) -> Table:
    """Return an empty table with translated titles."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(words.translate(title), overflow="fold")
    return table


def run_table(runs: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return runs as a table, in the order given."""
    table = table_of(
        (N_("Run"), N_("Runbook"), N_("About"), N_("Incident"), N_("State"), N_("Began"), N_("How it ended")), words
    )
    for run in runs:
        table.add_row(
            run["id"],
            run["runbook"],
            run["subject"],
            run["incident"] or "",
            state_word(RUN_STATE, run["state"], words),
            unbroken(at_site(run["started_at"], words, now)),
            unbroken(run["text"]),
        )
    return table


def state_word(table: dict[str, tuple[str, str]], name: str, words: Speech) -> Styled:
    """Return what `table` calls a state, in its colour."""
    text, style = table.get(name, (name, ""))
    return unbroken(words.translate(text), style)


def clock_with_seconds(iso: str | None, words: Speech, now: datetime) -> str:
    """Return the time of day at the site to the second, after the day if that is not today."""
    at = moment(iso)
    if at is None:
        return ""
    clock, day = at.astimezone(words.zone).strftime("%H:%M:%S"), words.date(at)
    return clock if day == words.date(now) else f"{day} {clock}"


def told_next(one: dict[str, Any], words: Speech, now: datetime) -> str:
    """Return who is told next of an incident, and when or on what."""
    if one["status"] == "resolved":
        return words.render(say("{id}: none, unless it comes back", id=one["id"]))
    at, rung_at = moment(one.get("next_update_at")), moment(one.get("next_escalation_at"))
    if rung_at is not None and (at is None or rung_at < at):
        to, shown = ", ".join(one["next_escalation_to"]), Context("", words, now).at(rung_at)
        return words.render(say("{id}: to {to} if nobody acknowledges it, {at}", id=one["id"], to=to, at=shown))
    if at is not None:
        to = ", ".join(one["next_update_to"])
        shown = Context("", words, now).at(at)
        return words.render(say("{id}: update to {to}, {at}", id=one["id"], to=to, at=shown))
    if one["disrupted_at"] is not None:
        return words.render(say("{id}: as soon as something changes", id=one["id"]))
    if one["flapping_since"]:
        return words.render(
            say("{id}: to operations when it is over for good, or worse (it comes and goes)", id=one["id"])
        )
    return words.render(say("{id}: to operations as soon as something changes (not to the client)", id=one["id"]))


def start_command() -> str:
    """Return what starts the daemon here: its systemd unit where that is installed (as its own user), else `run`."""
    return "systemctl start releve" if any(unit.exists() for unit in UNITS) else "releve run"


def commands_for(
    incidents: list[dict[str, Any]],
    runs: Iterable[dict[str, Any]] = (),
    *,
    stale: Iterable[str] = (),
    moves: Iterable[dict[str, Any]] = (),
    daemon: bool = True,
) -> list[str]:
    """Return at most three complete commands that a person should think of now.

    `incidents`: the worst first. `runs`: those that go on; one that asks goes before everything else. `stale`: checks
    that have given no result for too long. `moves`: those of groups that go on; while one asks, a service runs nowhere.
    """
    acks = [f"releve incident ack {one['id']}" for one in incidents if one["status"] == "open"]
    shows = [f"releve incident show {one['id']}" for one in incidents]
    causes = [f'releve incident cause {one["id"]} "..."' for one in incidents if not one["cause"]]
    start = [] if daemon else [start_command()]
    looks = [f"releve check {name}" for name in stale if daemon and not name.startswith(OWN_CHECKS)][:1]
    rest = [*acks[1:], *looks, *causes, *shows[1:]]
    return [*start, *answers_of_moves(moves), *answers_to(runs), *acks[:1], *shows[:1], *rest][:MOST_COMMANDS]


def no_daemon_said(*, passive: bool) -> Text:
    """Return why what is shown is not of now. `passive`: the Relève here only receives what the other one knows."""
    if passive:
        return say(
            "This Relève is passive, and this is what it knew when it was the active one: ask at the other site. "
            "`{command}` says how both stand.",
            command=as_typed("releve peer status"),
        )
    start = as_typed(start_command())
    return say("No daemon runs: this is what the last one knew. `{command}` starts one.", command=start)


def answers_of_moves(moves: Iterable[dict[str, Any]]) -> list[str]:
    """Return the two answers to the first of `moves` that waits for one; none where none does."""
    waiting = [move["id"] for move in moves if move["state"] == "waiting"]
    return [f"releve failover answer {answer} {move}" for move in waiting[:1] for answer in ("yes", "no")]


def answers_to(runs: Iterable[dict[str, Any]]) -> list[str]:
    """Return the two answers to the first of `runs` that waits for one; none where none does."""
    waiting = [run["id"] for run in runs if run["state"] == "waiting"]
    return [f"releve runbook {answer} {run}" for run in waiting[:1] for answer in ("approve", "refuse")]


def print_what_to_do(
    out: Console, commands: list[str], words: Speech, following: list[str], *, daemon: bool = True
) -> None:
    """Print the end of every page that people read at night: what to do, and who is told next and when."""
    out.print()
    out.print(words.render(say("To do:") if commands else say("To do: nothing.")))
    for command in commands:
        # Never folded: a line break in it would be pasted too.
        out.print(f"  {as_typed(command)}", soft_wrap=True)
    if not daemon:
        out.print(words.render(say("Next messages: none leaves while no daemon runs.")))
    elif following:
        out.print(words.render(say("Next messages:")))
    for line in following:
        out.print(unbroken(f"  {line}"))
