"""`releve incident`: what is wrong, what was told to whom, and what a person says about it."""

from __future__ import annotations

from datetime import timedelta

import click

from monitor.cli import offline
from monitor.cli.acted import done
from monitor.cli.attach import attach, attachment
from monitor.cli.chosen import chosen_incident, incidents, one_incident
from monitor.cli.context import (
    ExitCode,
    Failure,
    Settings,
    console,
    emit_json,
    pass_settings,
    print_table,
    warn,
)
from monitor.cli.crisis import action, decide, need, role
from monitor.cli.draft import draft
from monitor.cli.joining import merge, split
from monitor.cli.reading import act, daemon_or_none, segment, site_speech
from monitor.cli.review import review
from monitor.core.ids import IncidentId
from monitor.core.text import N_, say

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.group(help=N_("Show incidents and act on them."))
def incident() -> None:
    """Group the commands about incidents."""


incident.add_command(draft)
for command in (action, decide, need, role, attach, attachment, review, merge, split):
    incident.add_command(command)


@incident.command("list", help=N_("List incidents, newest first."))
@click.option("--open", "open_only", is_flag=True, help=N_("Only those that go on."))
@JSON
@pass_settings
def list_(settings: Settings, open_only: bool, as_json: bool) -> int:
    """Show open and resolved incidents."""
    found = incidents(settings, open_only=open_only)
    if as_json:
        emit_json(found)
    else:
        from monitor.cli.review_shown import overdue_among, overdue_line
        from monitor.cli.shown import incident_table
        from monitor.clock import SystemClock

        words, now = site_speech(settings), SystemClock().now()
        if found:
            print_table(incident_table(found, words, now))
            line = overdue_line(*overdue_among(found, now), words)
            if line:
                warn(line)
        else:
            warn(words.render(say("no incident is open") if open_only else say("there has been no incident")))
    return ExitCode.WRONG if any(one["status"] != "resolved" for one in found) else ExitCode.DONE


@incident.command(help=N_("Show one incident: its timeline, who was told what and when."))
@click.argument("name", metavar="[ID]", default="")
@JSON
@pass_settings
def show(settings: Settings, name: str, as_json: bool) -> int:
    """Show one incident whole."""
    one = one_incident(settings, chosen_incident(settings, name, any_status=True))
    if as_json:
        emit_json(one)
    else:
        from monitor.cli.incident_shown import incident_page
        from monitor.cli.status import site_now

        site = site_now(settings)
        running = {each["id"]: each for each in site["incidents"]}.get(one["id"], {})
        told = {key: value for key, value in running.items() if key.startswith("next_")}
        work = next((each for each in site["maintenance"] if each["id"] == one["maintenance"]), None)
        words, daemon = site_speech(settings), site["daemon"] is not None
        incident_page(console(), {**one, **told}, words, site["at"], work=work, daemon=daemon)
    return ExitCode.WRONG if one["status"] != "resolved" else ExitCode.DONE


@incident.command("open", help=N_("Open an incident that no check has seen."))
@click.argument("text")
@click.option("--kind", default="other", show_default=True, help=N_("Its kind in the inventory's catalogue."))
@click.option(
    "--severity", type=click.Choice(["warning", "critical"]), default="critical", show_default=True, help=N_("How bad.")
)
@JSON
@pass_settings
def open_(settings: Settings, text: str, kind: str, severity: str, as_json: bool) -> int:
    """Open an incident by hand."""
    from monitor.core.verdict import Severity

    api = daemon_or_none(settings)
    if api is not None:
        one = act(api, "/api/v1/incidents", {"kind": kind, "severity": severity, "text": text})
    else:
        one = offline.act(settings, lambda desk, who: desk.open(kind, Severity[severity.upper()], who, text))
    return done(settings, one, as_json=as_json, daemon=api is not None)


@incident.command(help=N_("Say that you are on it. Without ID, the only open one."))
@click.argument("name", metavar="[ID]", default="")
@click.argument("words", metavar="[TEXT]", default="")
@click.option("--for", "span", metavar="TIME", default="", help=N_("For how long: 2h. Then somebody else is called."))
@click.option("--note", "text", default="", help=N_("What you are going to do."))
@JSON
@pass_settings
def ack(settings: Settings, name: str, words: str, span: str, text: str, as_json: bool) -> int:
    """Acknowledge."""
    if words and text:
        raise Failure(say("say what you are going to do once: as TEXT, or with --note"))
    length = _length(span)
    chosen, said = chosen_incident(settings, name, untaken_first=True), words or text
    api = daemon_or_none(settings)
    if api is not None:
        body = {"text": said} | ({} if length is None else {"for": f"{length.total_seconds():.3f}s"})
        one = act(api, f"/api/v1/incidents/{segment(chosen)}/ack", body)
    else:
        one = offline.act(settings, lambda desk, who: desk.acknowledge(IncidentId(chosen), who, said, length))
    return done(settings, one, as_json=as_json, daemon=api is not None)


def _length(span: str) -> timedelta | None:
    from monitor.core.units import BadUnit, parse_duration

    if not span:
        return None
    try:
        length = parse_duration(span)
    except BadUnit as error:
        raise Failure(say("{option}: {why}", option="--for", why=error.text)) from error
    if length <= timedelta():
        why = say("{written} is over at once", written=span)
        raise Failure(say("{option}: {why}", option="--for", why=why))
    return length


@incident.command(help=N_("Add a note to the log."))
@click.argument("name", metavar="ID")
@click.argument("text")
@JSON
@pass_settings
def note(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """Note."""
    return _act(settings, name, "note", text, as_json=as_json)


@incident.command(help=N_("State the cause; every later message tells it."))
@click.argument("name", metavar="ID")
@click.argument("text")
@JSON
@pass_settings
def cause(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """State the cause."""
    return _act(settings, name, "cause", text, as_json=as_json)


@incident.command(help=N_("End an incident that no check ends."))
@click.argument("name", metavar="ID")
@click.argument("text", default="")
@JSON
@pass_settings
def resolve(settings: Settings, name: str, text: str, as_json: bool) -> int:
    """Resolve by hand."""
    return _act(settings, name, "resolve", text, as_json=as_json)


def _act(settings: Settings, name: str, action: str, text: str, *, as_json: bool) -> int:
    if not text.strip(". …") and text:
        # The commands that pages and mails offer end with dots, and a stated cause is told to the client.
        raise Failure(say("write your own words in place of {dots}", dots=text))
    chosen = chosen_incident(settings, name)
    api = daemon_or_none(settings)
    if api is not None:
        one = act(api, f"/api/v1/incidents/{segment(chosen)}/{action}", {"text": text})
    else:
        from monitor.daemon.hearing import hear

        one = offline.act(settings, lambda desk, who: hear(desk, action, IncidentId(chosen), who, text))
    return done(settings, one, as_json=as_json, daemon=api is not None)
