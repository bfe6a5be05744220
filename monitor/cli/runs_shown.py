"""How the command line shows runbooks and runs to people: colour is also a word, times are the site's."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import person
from monitor.cli.context import as_typed, print_table
from monitor.cli.shown import (
    RUN_STATE,
    SELF,
    at_site,
    clock_with_seconds,
    print_what_to_do,
    start_command,
    state_word,
    table_of,
    unbroken,
)
from monitor.core.events import RELEVE
from monitor.core.text import N_, Quantity, Speech, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

NOT_BEGUN = "not begun"
"""Of an action that was to come in a run that is over."""
ACTION_STATE = {
    "pending": (N_("to come"), "dim"),
    "unknown": (N_("under way"), "yellow"),
    "done": (N_("done"), "green"),
    "failed": (N_("failed"), "bold red"),
    NOT_BEGUN: (N_("not begun"), "dim"),
}
EFFECT = {
    "reads": (N_("changes nothing"), "green"),
    "changes": (N_("changes something"), "yellow"),
    "disrupts": (N_("interrupts what still works"), "bold red"),
}
OUTPUT_LINES = 20
"""Of what a target said, on a page; the JSON has more."""


def book_table(books: list[dict[str, Any]], words: Speech) -> Table:
    """Return runbooks as a table."""
    table = table_of((N_("Runbook"), N_("What it does"), N_("For incidents of kind")), words)
    for book in books:
        table.add_row(book["runbook"], unbroken(book["title"]), ", ".join(book["kinds"]))
    return table


def plan_page(out: Console, plan: dict[str, Any], words: Speech, *, simulated: bool = True) -> None:
    """Print a plan: each action, where, and what it does to it; if that is all, that nothing was done (`simulated`)."""
    head = say(
        "{title} ({runbook}), about {check}:", title=plan["title"], runbook=plan["runbook"], check=plan["subject"]
    )
    out.print(unbroken(words.render(head)))
    table = table_of((N_("No."), N_("On"), N_("Action"), N_("Effect")), words)
    for action in plan["actions"]:
        effect = state_word(EFFECT, action["effect"], words)
        if action["asks"]:
            effect = Styled(words.translate(N_("asks a person")), style="bold yellow")
        table.add_row(str(action["n"]), action["target"], unbroken(action["said"]), effect)
    print_table(table, out)
    if simulated:
        out.print(unbroken(words.render(say("This is a simulation: nothing was asked of any host."))))


def run_page(out: Console, run: dict[str, Any], words: Speech, now: datetime, *, daemon: bool = True) -> None:
    """Print one run: its plan with what became of each action, its journal, and what a person can do."""
    out.print(Styled.assemble(run["id"], "  ", state_word(RUN_STATE, run["state"], words), "  ", run["title"]))
    if run["text"]:
        out.print(unbroken(run["text"]))
    grid = Table.grid(padding=(0, 2))
    for name, value in _facts(run, words, now):
        if value:
            grid.add_row(words.translate(name), unbroken(value))
    print_table(grid, out)
    out.print()
    table = table_of((N_("No."), N_("On"), N_("Action"), N_("State"), N_("What came of it")), words)
    for action in run["actions"]:
        over = action["state"] == "pending" and run["ended_at"] is not None
        state = state_word(ACTION_STATE, NOT_BEGUN if over else action["state"], words)
        table.add_row(str(action["n"]), action["target"], unbroken(action["said"]), state, unbroken(action["text"]))
    print_table(table, out)
    _print_output(out, run, words)
    out.print()
    print_table(_journal(run, words, now), out)
    print_what_to_do(out, _commands(run, daemon=daemon), words, [])


def _facts(run: dict[str, Any], words: Speech, now: datetime) -> tuple[tuple[str, str], ...]:
    proof, question = run["proof"], run["question"]
    by = words.translate(SELF) if run["started_by"] == RELEVE else person(run["started_by"])
    return (
        (N_("About"), run["subject"]),
        (N_("On"), run["device"]),
        (N_("Incident"), run["incident"] or ""),
        (N_("Started by"), by),
        (N_("Began"), at_site(run["started_at"], words, now)),
        (N_("Ended"), at_site(run["ended_at"], words, now)),
        (N_("Attempt"), str(run["attempt"]) if run["attempt"] else ""),
        (N_("Progress"), progress_line(run["progress"], words)),
        (N_("Proof"), proof["text"] if proof else ""),
        (N_("Question"), question["text"] if question else ""),
    )


def progress_line(progress: dict[str, Any] | None, words: Speech) -> str:
    """Return how far a long action is, in one line; empty where it does not say."""
    if progress is None:
        return ""
    done = Quantity(progress["done"], progress["unit"], 0)
    if not progress["total"]:
        return words.render(say("{what}: {done}", what=progress["text"], done=done))
    share = Quantity(100 * progress["done"] / progress["total"], "%", 0)
    total = Quantity(progress["total"], progress["unit"], 0)
    text = say("{what}: {done} of {total} ({share})", what=progress["text"], done=done, total=total, share=share)
    return words.render(text)


def _print_output(out: Console, run: dict[str, Any], words: Speech) -> None:
    for action in run["actions"]:
        lines = action["output"].splitlines()
        if lines:
            out.print()
            out.print(
                unbroken(words.render(say("What {device} said to action {n}:", device=action["target"], n=action["n"])))
            )
            for line in lines[-OUTPUT_LINES:]:
                out.print(Styled(f"  {line}", style="dim"))


def _journal(run: dict[str, Any], words: Speech, now: datetime) -> Table:
    table = table_of((N_("Time"), N_("Who"), N_("What")), words)
    for line in run["log"]:
        who = SELF if line["actor"] == RELEVE else person(line["actor"])
        table.add_row(clock_with_seconds(line["at"], words, now), who, unbroken(_noted(line, words)))
    return table


def _noted(line: dict[str, Any], words: Speech) -> str:
    """One line of the journal: the number of its action, and an arrow before what came of it."""
    text = str(line["text"])
    if line["kind"] == "asked":
        text = words.render(say("Question to a person: {text}", text=text))
    elif line["kind"] in ("outcome", "void"):
        text = f"→ {text}"
    return text if line["action"] is None else f"{line['action']}. {text}"


def _commands(run: dict[str, Any], *, daemon: bool) -> list[str]:
    if run["state"] == "waiting":
        start = [] if daemon else [start_command()]
        return [*start, f"releve runbook approve {run['id']}", f"releve runbook refuse {run['id']}"]
    if run["state"] == "running":
        return [f"releve runbook show {run['id']}"]
    if run["state"] == "simulated":
        return [f"releve runbook run {run['runbook']} --subject {run['subject']}"]
    if run["state"] == "failed":
        again = f"releve runbook run {run['runbook']} --subject {run['subject']}"
        shown = [f"releve incident show {run['incident']}"] if run["incident"] else []
        return [*shown, f"releve check {run['subject']}", again]
    return [f"releve incident show {run['incident']}"] if run["incident"] else []


def policy_page(out: Console, policy: dict[str, Any], words: Speech, now: datetime, *, daemon: bool = True) -> None:
    """Print whether Relève acts by itself, and what is armed; without a daemon nothing acts, whatever is allowed."""
    if policy["halted_by"]:
        who, at = person(policy["halted_by"]), at_site(policy["halted_at"], words, now)
        text = say("STOPPED by {who} ({at}): no runbook starts.", who=who, at=at)
        out.print(unbroken(words.render(text), style="bold red"))
    elif policy["live"]:
        out.print(unbroken(words.render(say("ACTIVE: runbooks act when an incident calls for them.")), style="green"))
    else:
        text = say("SIMULATION: runbooks only say what they would do (automation: {{live: true}} lets them act).")
        out.print(unbroken(words.render(text), style="cyan"))
    if not daemon:
        start = as_typed(start_command())
        text = say("No daemon runs, so nothing acts at the moment. `{command}` starts one.", command=start)
        out.print(unbroken(words.render(text)))
    for name, until in policy["armed"].items():
        text = say("{runbook} may interrupt what still works until {at}", runbook=name, at=at_site(until, words, now))
        out.print(unbroken(words.render(text)))
    commands = ["releve automation arm"] if policy["halted_by"] else ["releve automation stop"]
    print_what_to_do(out, commands, words, [])


class Follower:
    """Tells what a run does while it does it: a line for each event, and on a terminal how far it is."""

    def __init__(self, out: Console, words: Speech, *, quiet: bool) -> None:
        self._out, self._words, self._quiet = out, words, quiet
        self._known = 0
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self._out.is_terminal and not self._quiet:
            self._status = self._out.status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, run: dict[str, Any]) -> None:
        """Tell what is new in `run`."""
        if self._quiet:
            return
        for line in run["log"][self._known :]:
            clock = datetime.fromisoformat(line["at"]).astimezone(self._words.zone).strftime("%H:%M:%S")
            row = Table.grid(padding=(0, 2))  # so that a long line goes on below itself, not below the clock
            row.add_row(Styled(clock, style="dim"), unbroken(_noted(line, self._words)))
            print_table(row, self._out)
        self._known = len(run["log"])
        if self._status is not None:
            self._status.update(progress_line(run["progress"], self._words))
