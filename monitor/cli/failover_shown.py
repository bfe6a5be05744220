"""How the command line shows groups that can move: first whether they are ready, then why not, then the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.text import Text as Styled

from alerts.agreement import EVERYBODY_TOLD
from failover.phases import Direction
from failover.words import WORDS
from monitor.cli.context import as_typed, print_table
from monitor.cli.runs_shown import EFFECT
from monitor.cli.shown import at_site, moment, no_daemon_said, severity, state_word, table_of, unbroken
from monitor.cli.work_shown import move_work_line
from monitor.core.text import N_, Speech, Text, say

if TYPE_CHECKING:
    from rich.console import Console

FENCE = {
    "isolation": N_("isolation of {site} by the steps below"),
    "token": N_("the resource refuses what {site} still writes, by the steps below"),
    "guard": N_("the guard of {site} stops everything within {span} of the end of its lease"),
}
INDENT = "  "


def groups_page(
    out: Console, groups: list[dict[str, Any]], words: Speech, *, daemon: bool, passive: bool = False
) -> None:
    """Print each group: ready or not, why, what would be lost, where it runs, its data.

    `passive`: no daemon runs, for the Relève here only receives.
    """
    for n, group in enumerate(groups):
        if n:
            out.print()
        _group(out, group, words)
    if not daemon:
        out.print()
        out.print(unbroken(words.render(no_daemon_said(passive=passive)), style="bold red"))


def _group(out: Console, group: dict[str, Any], words: Speech) -> None:
    title, to = group["title"], group["to"]["title"]
    if group["moving"]:
        head = (words.translate(N_("MOVES")), "bold yellow")
    else:
        head = (words.translate(N_("READY")), "green") if group["ready"] else (
            words.translate(N_("NOT READY")),
            "bold red" if group["severity"] == "critical" else "yellow",
        )  # fmt: skip
    told = say("{plan}, to {site}", plan=title, site=to)
    if group["moving"]:
        told = say("{plan}: {text}", plan=title, text=group["text"])
    out.print(Styled.assemble(head, "  ", words.render(told)))
    if group["move"] is not None:
        _going(out, group, words)
    if group["held"] is not None:
        _held(out, group, words)
    for reason in group["reasons"]:
        out.print(unbroken(f"{INDENT}- {reason}", style="bold"))
    for line in _lines(group, words) if group["move"] is None else _meanwhile(group):
        out.print(unbroken(f"{INDENT}{words.render(line)}"))
    for remark in group["remarks"]:
        out.print(unbroken(f"{INDENT}({remark})", style="dim"))
    if group["data"]:
        _data(out, group, words)


def _held(out: Console, group: dict[str, Any], words: Speech) -> None:
    """Why it does not move by itself although something speaks for it, and what would lift that."""
    held, now = group["held"], moment(group["at"])
    assert now is not None
    since = at_site(held["since"], words, now)
    lines = [say("does not move by itself since {time}: {why}", time=since, why=held["text"])]
    if held["until"] is not None:
        lines.append(say("that passes by itself at {time}", time=at_site(held["until"], words, now)))
    lines.append(say("what would lift it: {what}", what=held["lifted_by"]))
    for line in lines:
        out.print(unbroken(f"{INDENT}{words.render(line)}", style="bold yellow"))


def _going(out: Console, group: dict[str, Any], words: Speech) -> None:
    """What the move under way does, since when, and what it asks a person."""
    move, now = group["move"], moment(group["at"])
    assert now is not None
    if move["phase"] is not None:
        line = say("{phase}, since {time}", phase=move["text"], time=at_site(move["phase_at"], words, now))
        out.print(unbroken(f"{INDENT}{words.render(line)}"))
    if move["question"]:
        out.print(unbroken(f"{INDENT}{move['question']}", style="bold yellow"))
        out.print(unbroken(INDENT + as_typed(f"releve failover answer yes {move['id']}")))
        out.print(unbroken(INDENT + as_typed(f"releve failover answer no {move['id']}")))
    work = move_work_line(move, words, now)
    if work:
        out.print(unbroken(INDENT + work))


def _meanwhile(group: dict[str, Any]) -> list[Text]:
    """Where the group runs while it moves. What a second move would lose or take is no question then.

    Where it runs nowhere and the move asks, the question says that already.
    """
    move = group["move"]
    if move["runs_at"] is not None:
        return [say("runs at {site}", site=move["titles"][move["runs_at"]])]
    return [] if move["question"] else [say("runs nowhere now, as far as Relève knows")]


def _lines(group: dict[str, Any], words: Speech) -> list[Text]:
    """Where it runs, what would be lost, what a move takes, when it was last tried."""
    now = moment(group["at"])
    assert now is not None
    ran = group["runs_at"]
    where = say("runs at {site}", site=ran["title"]) if ran else say("nobody knows where it runs")
    if ran and ran["site"] != group["normally_at"]["site"]:
        where = say("runs at {site}, normally at {home}", site=ran["title"], home=group["normally_at"]["title"])
    lost = say("if it moved now: {loss}", loss=group["loss"]["text"])
    exercised = at_site(group["exercised_at"], words, now)
    takes = say("takes {rto} at most; never tried yet", rto=timedelta(seconds=group["rto_s"]))
    if exercised:
        takes = say("takes {rto} at most; last tried: {time}", rto=timedelta(seconds=group["rto_s"]), time=exercised)
    return [where, lost, takes]


def _data(out: Console, group: dict[str, Any], words: Speech) -> None:
    now = moment(group["at"])
    assert now is not None
    table = table_of((N_("Data"), N_("Behind"), N_("Allowed"), N_("Measured"), N_("Check"), N_("What it says")), words)
    for data in group["data"]:
        lag = words.duration(timedelta(seconds=data["lag_s"])) if data["lag_s"] is not None else "?"
        behind = Styled(lag, style="" if data["known"] else "magenta")
        measured = at_site(data["measured_at"], words, now)
        rpo = words.duration(timedelta(seconds=data["rpo_s"]))
        for n, check in enumerate(data["checks"]):
            first = (unbroken(data["title"]), behind, rpo, measured) if n == 0 else ("", "", "", "")
            says = severity(None if check["stale"] else check["severity"], words)
            table.add_row(*first, check["check"], Styled.assemble(says, "  ", unbroken(check["summary"])))
    print_table(table, out)


def course_page(out: Console, course: dict[str, Any], words: Speech) -> None:
    """Print what a move would do: its phases in order, the actions of each, where a person is asked."""
    what = words.translate(WORDS[Direction(course["direction"])])
    head = say(
        "{plan}: {direction} from {source} to {site}",
        plan=course["title"],
        direction=what,
        source=course["from"]["title"],
        site=course["to"]["title"],
    )
    out.print(unbroken(words.render(head), style="bold"))
    asked = [action for phase in course["phases"] for action in phase["actions"] if action["asks"]]
    if asked:
        numbers = ", ".join(str(action["n"]) for action in asked)
        out.print(unbroken(words.render(say("A person is asked at: {numbers}", numbers=numbers))))
    for n, phase in enumerate(course["phases"], 1):
        _phase(out, n, phase, words)
    out.print(unbroken(words.render(say("This is a simulation: nothing was asked of any host."))))


def _phase(out: Console, n: int, phase: dict[str, Any], words: Speech) -> None:
    if phase["only_if_not_fenced"]:
        title = say("Only if the old site cannot be fenced: {phase}", phase=phase["text"])
    else:
        title = say("{n}. {phase}", n=n, phase=phase["text"])
    out.print(unbroken(words.render(title), style="bold"))
    for line in _of_phase(phase, words):
        out.print(unbroken(f"{INDENT}{line}"))
    if not phase["actions"]:
        return
    table = table_of((N_("No."), N_("Group"), N_("On"), N_("Action"), N_("Effect")), words)
    for action in phase["actions"]:
        effect = state_word(EFFECT, action["effect"], words)
        if action["asks"]:
            effect = Styled(words.translate(N_("asks a person")), style="bold yellow")
        table.add_row(str(action["n"]), str(action["group"]), action["target"], unbroken(action["said"]), effect)
    print_table(table, out)


def _of_phase(phase: dict[str, Any], words: Speech) -> list[str]:
    """What belongs to a phase beside its actions: who is told, what proves the fence, which checks are asked."""
    found: list[str] = []
    if phase["told"]:
        called = {EVERYBODY_TOLD: words.translate(N_("everybody")), **phase["names"]}
        names = (called.get(name, name) for name in phase["told"])
        found.append(words.render(say("told: {names}", names=", ".join(names))))
    for fence in phase["fences"]:
        span, how = timedelta(seconds=fence["stops_within_s"] or 0), FENCE[fence["kind"]]
        found.append(words.render(say(how, site=fence["title"], span=span)))
    if phase["checks"]:
        found.append(words.render(say("checks: {names}", names=", ".join(phase["checks"]))))
    if not (found or phase["actions"]):
        found.append(words.translate(N_("nothing to do")))
    return found
