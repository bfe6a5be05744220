"""`releve incident action|decide|need|role`: what the crisis cell of an incident writes down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.acted import warn_without_daemon
from monitor.cli.chosen import chosen_incident, incidents, one_incident
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, warn
from monitor.cli.reading import act, daemon_or_none, legible, segment, site_speech
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.core.events import Event
    from monitor.core.incident import Incident
    from monitor.daemon.desk import Desk

    Said = Callable[[Incident, str, datetime, Desk], Event]
    """The event that somebody makes of an incident at a moment."""

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.group(help=N_("The action plan of an incident: what is to be done, by whom, until when."))
def action() -> None:
    """Group the commands about the action plan."""


@action.command(help=N_("Put an action on the plan; also after the end, for the review."))
@click.argument("name", metavar="ID")
@click.argument("text")
@click.option("--owner", metavar="NAME", default="", help=N_("Who does it: a contact of the inventory, or a name."))
@click.option("--due", metavar="WHEN", default="", help=N_('Until when: 18:00, 2h, 2026-12-01 or "2026-12-01 18:00".'))
@JSON
@pass_settings
def add(settings: Settings, name: str, text: str, owner: str, due: str, as_json: bool) -> int:
    """Add an action."""
    text, owner, due = legible(text), legible(owner), legible(due)

    def said(incident: Incident, who: str, now: datetime, desk: Desk) -> Event:
        from monitor.core.crisis_cell import add_action
        from monitor.web.crisis_asked import due_asked

        until = due_asked(due, desk.inventory.site.timezone, now)
        return add_action(incident, who, now, text, owner, until)

    body = {"text": text, "owner": owner, "due": due}
    return record(settings, name, "actions", body, "action", said, as_json=as_json)


@action.command(help=N_("Say that an action is done, and what came of it."))
@click.argument("name", metavar="ID")
@click.argument("n", metavar="N", type=int)
@click.argument("text", default="")
@JSON
@pass_settings
def done(settings: Settings, name: str, n: int, text: str, as_json: bool) -> int:
    """End an action."""
    return _ended(settings, name, n, "done", text, as_json=as_json)


@action.command(help=N_("Say that an action is not to be done any more, and why."))
@click.argument("name", metavar="ID")
@click.argument("n", metavar="N", type=int)
@click.argument("text", default="")
@JSON
@pass_settings
def drop(settings: Settings, name: str, n: int, text: str, as_json: bool) -> int:
    """Drop an action."""
    return _ended(settings, name, n, "dropped", text, as_json=as_json)


@action.command(help=N_("Say that an action is to be done after all."))
@click.argument("name", metavar="ID")
@click.argument("n", metavar="N", type=int)
@JSON
@pass_settings
def reopen(settings: Settings, name: str, n: int, as_json: bool) -> int:
    """Open an action again."""
    return _ended(settings, name, n, "open", "", as_json=as_json)


def _ended(settings: Settings, name: str, n: int, state: str, text: str, *, as_json: bool) -> int:
    text = legible(text)

    def said(incident: Incident, who: str, now: datetime, desk: Desk) -> Event:
        from monitor.core.crisis import ActionState
        from monitor.core.crisis_cell import end_action

        return end_action(incident, who, now, n, ActionState(state), text)

    return record(settings, name, f"actions/{n}/{state}", {"text": text}, "action end", said, as_json=as_json)


@action.command("list", help=N_("List actions: of one incident, or all of them, newest incident first."))
@click.argument("name", metavar="[ID]", default="")
@click.option("--open", "open_only", is_flag=True, help=N_("Only those that are still to be done."))
@JSON
@pass_settings
def list_(settings: Settings, name: str, open_only: bool, as_json: bool) -> int:
    """Show actions; the exit code says whether one is late."""
    from monitor.cli.crisis_shown import action_table, is_late
    from monitor.clock import SystemClock

    now = SystemClock().now()
    of = [one_incident(settings, legible(name))] if name else incidents(settings, open_only=False)
    found = [{"incident": one["id"], **each} for one in of for each in one["actions"]]
    found = [each for each in found if each["state"] == "open" or not open_only]
    if as_json:
        emit_json(found)
    else:
        words = site_speech(settings)
        if found:
            from monitor.cli.context import print_table

            print_table(action_table(found, words, now, named=not name))
        else:
            warn(words.render(say("there is no action")))
    return ExitCode.WRONG if any(is_late(each, now) for each in found) else ExitCode.DONE


@click.command(help=N_("Write down a decision of the crisis cell."))
@click.argument("name", metavar="ID")
@click.argument("text")
@JSON
@pass_settings
def decide(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """Decide."""
    text = legible(text)

    def said(incident: Incident, who: str, now: datetime, desk: Desk) -> Event:
        from monitor.core import crisis_cell

        return crisis_cell.decide(incident, who, now, text)

    return record(settings, name, "decisions", {"text": text}, "decide", said, as_json=as_json)


@click.command(help=N_("Write down what the crisis cell needs; --met N: it has need N now."))
@click.argument("name", metavar="ID")
@click.argument("text", default="")
@click.option("--met", metavar="N", type=int, help=N_("The number of the need that is met."))
@JSON
@pass_settings
def need(settings: Settings, name: str, text: str, met: int | None, as_json: bool) -> int:
    """Need something, or have it."""
    if (met is None) is (not text):
        raise Failure(say("say what is needed, or --met N, one of the two"))
    text = legible(text)

    def said(incident: Incident, who: str, now: datetime, desk: Desk) -> Event:
        from monitor.core import crisis_cell

        if met is not None:
            return crisis_cell.meet_need(incident, who, now, met)
        return crisis_cell.need(incident, who, now, text)

    if met is not None:
        return record(settings, name, f"needs/{met}/met", {}, "need met", said, as_json=as_json)
    return record(settings, name, "needs", {"text": text}, "need", said, as_json=as_json)


@click.command(
    help=N_("Say who leads the crisis cell (leader), keeps its log (scribe), speaks with the client (liaison).")
)
@click.argument("name", metavar="ID")
@click.argument("part", metavar="ROLE", type=click.Choice(["leader", "scribe", "liaison"]))
@click.argument("who", metavar="NAME")
@JSON
@pass_settings
def role(settings: Settings, name: str, part: str, who: str, as_json: bool) -> int:
    """Appoint."""
    who = legible(who)

    def said(incident: Incident, actor: str, now: datetime, desk: Desk) -> Event:
        from monitor.core.crisis import Role
        from monitor.core.crisis_cell import appoint

        return appoint(incident, actor, now, Role(part), who)

    return record(settings, name, "roles", {"role": part, "who": who}, "role", said, as_json=as_json)


def record(
    settings: Settings, name: str, path: str, body: dict[str, Any], audited: str, said: Said, *, as_json: bool
) -> int:
    """Let the daemon write it down (`path`, `body`), or do so here: `said` makes the event, `audited` names it.

    Returns the exit code, after the line that was written or, `as_json`, the incident was printed. Raises Failure.
    """
    chosen = chosen_incident(settings, name)
    api = daemon_or_none(settings)
    if api is not None:
        one: dict[str, Any] = act(api, f"/api/v1/incidents/{segment(chosen)}/{path}", body)
    else:
        one = offline.act(
            settings,
            lambda desk, who: desk.act(IncidentId(chosen), who, audited, lambda i, now: said(i, who, now, desk)),
        )
    return last_line(settings, one, as_json=as_json, daemon=api is not None)


def last_line(settings: Settings, one: dict[str, Any], *, as_json: bool, daemon: bool) -> int:
    """Print the last line of an incident's log or, `as_json`, the incident; return the exit code."""
    if as_json:
        emit_json(one)
        return ExitCode.DONE
    from monitor.cli.incident_shown import told_line
    from monitor.clock import SystemClock

    words = site_speech(settings)
    console().print(f"{one['id']}  {told_line(one['timeline'][-1], words, SystemClock().now())}", markup=False)
    if not daemon and one["status"] != "resolved":
        warn_without_daemon(settings)
    return ExitCode.DONE
