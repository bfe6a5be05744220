"""How the command line shows one incident to people: what, its timeline, who was told what, and what to do."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text as Styled

from alerts.context import Context, person
from alerts.internal_words import SAID_OF_ROOT
from monitor.cli.context import print_table
from monitor.cli.crisis_shown import crisis_part, next_action, report_next
from monitor.cli.shown import (
    MOST_COMMANDS,
    OWN_CHECKS,
    SELF,
    STATUS,
    answers_to,
    at_site,
    clock_with_seconds,
    moment,
    print_what_to_do,
    run_table,
    severity,
    start_command,
    table_of,
    told_next,
    unbroken,
)
from monitor.cli.work_shown import announced_by, named_work
from monitor.core.answer import CONTACT
from monitor.core.events import RELEVE
from monitor.core.text import N_, NO_BREAK_SPACE, Speech, Text, say

if TYPE_CHECKING:
    from rich.console import Console

MOST_MISSED = 20
"""Missed deadlines that the page of an incident lists."""
NOTICE_STATE = {
    "pending": (N_("waiting"), "yellow"),
    "sending": (N_("being sent"), "yellow"),
    "sent": (N_("sent"), "green"),
    "dead": (N_("refused"), "bold red"),
    "skipped": (N_("missed"), "bold red"),
}
STEP = {
    "first_notice": N_("first notice"),
    "worsened": N_("worsened"),
    "disrupted": N_("service interrupted"),
    "flapping": N_("comes and goes"),
    "reminder": N_("reminder of a question"),
    "conference": N_("conference call"),
    "conference_cancelled": N_("conference call cancelled"),
    "conference_updated": N_("conference call updated"),
    "long_soon": N_("soon a long interruption"),
    "long": N_("long interruption"),
    "overrun": N_("maintenance overruns"),
    "escalated": N_("not acknowledged"),
    "handover": N_("handover"),
    "storm": N_("much at once"),
    "draft": N_("draft of an update"),
    "unacknowledged": N_("nobody is on it"),
    "update": N_("update"),
    "resolved": N_("resolved notice"),
    "person_called": N_("person called"),
    "runbook": N_("runbook's message"),
    "crisis_opened": N_("crisis cell called for"),
    "crisis_report": N_("crisis report"),
    "merged": N_("followed under another incident"),
    "review_hot": N_("hot review due"),
    "review_cold": N_("cold review due"),
    "action_due": N_("action due"),
    "deployment_plan": N_("deployment plan"),
    "failover_report": N_("report of a move"),
    "test": N_("test"),
}


def incident_page(
    out: Console,
    one: dict[str, Any],
    words: Speech,
    at: str,
    *,
    work: dict[str, Any] | None = None,
    daemon: bool = True,
) -> None:
    """Print one incident as of `at`: what, timeline, who was told, what to do and who is told next.

    `one` may hold `next_update_at` and `next_update_to`, as in the JSON of `status`; `work` is the announced work that
    it belongs to, as in that JSON.
    """
    now = moment(at)
    assert now is not None
    say_, site = words.translate, Context("", words, now)
    out.print(Styled.assemble(one["id"], "  ", severity(one["severity"], words), "  ", say_(STATUS[one["status"]])))
    out.print(unbroken(one["title"]))
    times = {name: moment(one[f"{name}_at"]) for name in ("began", "opened", "acknowledged", "resolved")}
    shown = {name: "" if at is None else site.at(at) for name, at in times.items()}
    if shown["acknowledged"]:
        shown["acknowledged"] += f" ({person(one['acknowledged_by'], _contacts(one))})"
    until, wavers = moment(one["acknowledged_until"]), moment(one["flapping_since"])
    gone = None if one["status"] == "resolved" else moment(one.get("recovered_at"))
    facts = (
        (N_("Kind"), one["kind"]),
        (N_("Root cause"), one["root_cause"] or say_(N_("opened by hand"))),
        (N_("Cause"), _cause(one, words)),
        (N_("Began"), shown["began"]),
        (N_("Confirmed"), shown["opened"]),
        (N_("Announced maintenance"), _work(one, work, words, now)),
        (N_("Comes and goes"), "" if wavers is None else words.render(say("since {at}", at=site.at(wavers)))),
        (
            N_("Being verified"),
            "" if gone is None else words.render(say("the root cause is gone since {at}", at=site.at(gone))),
        ),
        (N_("Acknowledged"), shown["acknowledged"]),
        (N_("Acknowledged until"), "" if until is None or not shown["acknowledged"] else site.at(until)),
        (N_("Resolved"), shown["resolved"]),
        (N_("Suppressed checks"), _suppressed(one["suppressed"])),
    )
    grid = Table.grid(padding=(0, 2))
    for name, value in facts:
        if value:
            grid.add_row(say_(name), unbroken(value))
    print_table(grid, out)
    out.print()
    print_table(_timeline(one, words, now), out)
    out.print()
    print_table(_notices(one, words, now), out)
    for line in _missed(one, words, now):
        out.print(line)
    if one["runs"]:
        out.print()
        print_table(run_table(one["runs"], words, now), out)
    crisis_part(out, one, words, now)
    following = (
        [*_not_yet(one, words, now), told_next(one, words, now), *report_next(one, words, now)] if daemon else []
    )
    todo = commands_about(one, work=work, daemon=daemon, late=next_action(one, now))
    print_what_to_do(out, todo, words, following, daemon=daemon)


def _cause(one: dict[str, Any], words: Speech) -> str:
    if one["cause"]:
        return str(one["cause"])
    return words.render(say("announced maintenance") if one["maintenance"] else say("not yet known"))


def _work(one: dict[str, Any], work: dict[str, Any] | None, words: Speech, now: datetime) -> str:
    """The announced work that an incident belongs to, until when it goes on and who announced it for what."""
    if work is None:
        return one["maintenance"] or ""
    line = named_work(work)
    if work["active"]:
        line = words.render(say("{title}, planned end: {until}", title=line, until=at_site(work["until"], words, now)))
    return words.render(say("{title} ({who})", title=line, who=announced_by(work, words)))


def _suppressed(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else ""


def _timeline(one: dict[str, Any], words: Speech, now: datetime) -> Table:
    table = table_of((N_("Time"), N_("Who"), N_("What")), words)
    for line in one["timeline"]:
        who = SELF if line["actor"] == RELEVE else person(line["actor"], _contacts(one))
        table.add_row(clock_with_seconds(line["at"], words, now), who, unbroken(told_line(line, words, now)))
    return table


def _contacts(one: dict[str, Any]) -> dict[str, str]:
    """Names of the contacts that answered a message, by id."""
    told = (line for line in one["timeline"] if "name" in line["data"])
    return {line["actor"].removeprefix(CONTACT): line["data"]["name"] for line in told}


def told_line(line: dict[str, Any], words: Speech, now: datetime) -> str:
    """Return a line of a timeline with what it is about, and until when, where its own words do not say so."""
    check, text = line["data"].get("check"), line["text"]
    if line["kind"] == "cause":
        return words.render(say("Cause: {cause}", cause=text))
    if line["data"].get("until"):
        return words.render(say("{text} (until {until})", text=text, until=at_site(line["data"]["until"], words, now)))
    if line["data"].get("due_at"):
        return words.render(say("{text}, until {until}", text=text, until=at_site(line["data"]["due_at"], words, now)))
    if not check or line["kind"] == "disrupted":
        return str(text)
    frame = SAID_OF_ROOT.get(line["kind"])
    if frame is not None:
        text = words.render(Text(frame.template, (("summary", text),)))
    if line["kind"] == "covered":
        return words.render(say("{check}: {summary} (because of this, not told by itself)", check=check, summary=text))
    return words.render(say("{check}: {summary}", check=check, summary=text))


def _notices(one: dict[str, Any], words: Speech, now: datetime) -> Table:
    moments = ("due_at", "queued_at", "handed_over_at", "accepted_at")
    whence = (N_("Due"), N_("Queued"), N_("Sent"), N_("Accepted"))
    table = table_of((N_("Message"), N_("To"), *whence, N_("State"), N_("The server said")), words)
    for notice in one["notices"]:
        text, style = NOTICE_STATE[notice["state"]]
        table.add_row(
            unbroken(words.translate(STEP[notice["step"]])),
            unbroken(f"{notice['recipient']}{NO_BREAK_SPACE}({notice['channel']})"),
            *(clock_with_seconds(notice.get(name), words, now) for name in moments),
            Styled(words.translate(text), style=style),
            unbroken(notice["answer"]),
        )
        if notice.get("copy") is not None:
            _copy_row(table, notice["copy"], words, now)
    return table


def _missed(one: dict[str, Any], words: Speech, now: datetime) -> list[Styled]:
    """A line for each deadline that was missed: the table alone does not show a message that never came into being."""
    missed = one.get("breaches", [])
    if not missed:
        return []
    lines = [Styled(words.render(say("Deadlines missed: {count}", count=len(missed))), style="bold red")]
    for each in missed[:MOST_MISSED]:
        text = say(
            "  {message} to {to}, due {at}: {text}",
            message=each["message"],
            to=each["recipient"],
            at=at_site(each["due_at"], words, now),
            text=each["text"],
        )
        lines.append(unbroken(words.render(text)))
    if len(missed) > MOST_MISSED:
        command = f"releve report comms --since {_day(one['began_at'], words)}"
        text = say("  and {count} more: `{command}`", count=len(missed) - MOST_MISSED, command=command)
        lines.append(Styled(words.render(text)))
    return lines


def _day(iso: str, words: Speech) -> str:
    at = moment(iso)
    assert at is not None
    return at.astimezone(words.zone).date().isoformat()


def _copy_row(table: Table, copy: dict[str, Any], words: Speech, now: datetime) -> None:
    """The row of what the first channel was told later, under that of what was told."""
    accepted = clock_with_seconds(copy["accepted_at"], words, now)
    text, style = NOTICE_STATE["sent" if accepted else "dead"]
    title = unbroken(words.render(say("copy by {channel}", channel=copy["channel"])))
    table.add_row(title, "", "", "", "", accepted, Styled(words.translate(text), style=style), unbroken(copy["answer"]))


def _not_yet(one: dict[str, Any], words: Speech, now: datetime) -> list[str]:
    """A line for each message that is due to somebody and has not left."""
    lines = []
    for notice in one["notices"]:
        at = moment(notice["due_at"])
        if at is not None and notice["state"] in ("pending", "sending"):
            step, due = words.translate(STEP[notice["step"]]), Context("", words, now).at(at)
            text = say(
                "{id}: {step} to {to} has not left yet, due {at}",
                id=one["id"],
                step=step,
                to=notice["recipient"],
                at=due,
            )
            lines.append(words.render(text))
    return lines


def commands_about(
    one: dict[str, Any], *, work: dict[str, Any] | None = None, daemon: bool = True, late: str = ""
) -> list[str]:
    """Return at most three complete commands for whoever reads the page of one incident, which belongs to `work`.

    `late`: what ends the action that is late.
    """
    commands = [] if daemon else [start_command()]
    commands += answers_to(one["runs"])
    root = one["root_cause"]
    if one["status"] == "open":
        commands.append(f"releve incident ack {one['id']}")
    commands += [late] if late else []
    failed = [each["recipient"] for each in one["notices"] if each["state"] in ("dead", "pending") and each["answer"]]
    commands += [f"releve notify test {name}" for name in dict.fromkeys(failed)][:1]
    if one["status"] != "resolved" and root and not root.startswith(OWN_CHECKS):
        commands.append(f"releve check {root}")
    if work is not None and work["active"] and one["status"] != "resolved":
        commands.append(f"releve maintenance end {work['id']}")
    if not one["cause"] and not one["maintenance"]:
        commands.append(f'releve incident cause {one["id"]} "..."')
    if one["status"] != "resolved" and not root:
        commands.append(f'releve incident resolve {one["id"]} "..."')
    if one.get("next_update_at"):
        commands.append(f"releve incident draft edit {one['id']}")
    return commands[:MOST_COMMANDS]
