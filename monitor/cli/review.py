"""`releve incident review`: what people write for the review of an incident, and the versions that they close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitor.cli.chosen import incidents
from monitor.cli.context import ExitCode, Settings, emit_json, pass_settings, print_table, warn
from monitor.cli.crisis import record
from monitor.cli.reading import legible, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.core.events import Event
    from monitor.core.incident import Incident
    from monitor.daemon.desk import Desk

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
NUMBER = click.option("--n", "n", metavar="N", type=click.IntRange(1, 999_999), help=N_("Say number N in other words."))
TOPICS = ("why", "factor", "well", "badly", "lesson")
"""Those of `monitor.core.review.Topic`, which is not imported for the help alone."""


@click.group(
    help=N_(
        "Write the review of an incident: the five whys, what went well and badly, lessons; and close it.\n\n"
        "The hot review is due 3 days after the end of what interrupted the client's service, the cold one after 30 "
        "days. `releve report rex ID` is the document."
    )
)
def review() -> None:
    """Group the commands about the review."""


@review.command(help=N_("Add one of the five whys: each answers the question that the one before it leaves."))
@click.argument("name", metavar="ID")
@click.argument("text")
@NUMBER
@JSON
@pass_settings
def why(settings: Settings, name: str, text: str, n: int | None, as_json: bool) -> int:
    """Ask why."""
    return _write(settings, name, "why", text, n, as_json=as_json)


@review.command(help=N_("Add what contributed to it without being its cause."))
@click.argument("name", metavar="ID")
@click.argument("text")
@NUMBER
@JSON
@pass_settings
def factor(settings: Settings, name: str, text: str, n: int | None, as_json: bool) -> int:
    """Name a factor."""
    return _write(settings, name, "factor", text, n, as_json=as_json)


@review.command(help=N_("Add what went well."))
@click.argument("name", metavar="ID")
@click.argument("text")
@NUMBER
@JSON
@pass_settings
def well(settings: Settings, name: str, text: str, n: int | None, as_json: bool) -> int:
    """Say what went well."""
    return _write(settings, name, "well", text, n, as_json=as_json)


@review.command(help=N_("Add what went badly."))
@click.argument("name", metavar="ID")
@click.argument("text")
@NUMBER
@JSON
@pass_settings
def badly(settings: Settings, name: str, text: str, n: int | None, as_json: bool) -> int:
    """Say what went badly."""
    return _write(settings, name, "badly", text, n, as_json=as_json)


@review.command(help=N_("Add a lesson."))
@click.argument("name", metavar="ID")
@click.argument("text")
@NUMBER
@JSON
@pass_settings
def lesson(settings: Settings, name: str, text: str, n: int | None, as_json: bool) -> int:
    """Say what was learnt."""
    return _write(settings, name, "lesson", text, n, as_json=as_json)


def _write(settings: Settings, name: str, about: str, text: str, n: int | None, *, as_json: bool) -> int:
    text = legible(text)

    def said(incident: Incident, who: str, now: datetime, _desk: Desk) -> Event:
        from monitor.core.review import Topic
        from monitor.core.reviewing import write_point

        return write_point(incident, who, now, Topic(about), text, n)

    body = {"text": text} | ({} if n is None else {"n": str(n)})
    return record(settings, name, f"review/points/{about}", body, "review", said, as_json=as_json)


@review.command(help=N_("Drop a point of the review; the log keeps it."))
@click.argument("name", metavar="ID")
@click.argument("about", metavar="TOPIC", type=click.Choice(TOPICS))
@click.argument("n", metavar="N", type=click.IntRange(1, 999_999))
@JSON
@pass_settings
def drop(settings: Settings, name: str, about: str, n: int, as_json: bool) -> int:
    """Drop a point."""

    def said(incident: Incident, who: str, now: datetime, _desk: Desk) -> Event:
        from monitor.core.review import Topic
        from monitor.core.reviewing import drop_point

        return drop_point(incident, who, now, Topic(about), n)

    return record(settings, name, f"review/points/{about}/{n}/drop", {}, "review drop", said, as_json=as_json)


@review.command(help=N_("Close the hot or the cold review: what it says now is a version that never changes."))
@click.argument("name", metavar="ID")
@click.argument("stage", metavar="hot|cold", type=click.Choice(["hot", "cold"]))
@JSON
@pass_settings
def close(settings: Settings, name: str, stage: str, as_json: bool) -> int:
    """Close a version."""

    def said(incident: Incident, who: str, now: datetime, _desk: Desk) -> Event:
        from monitor.core.review import Stage
        from monitor.core.reviewing import close as closed
        from monitor.reports.review import parts_in_notes

        return closed(incident, who, now, Stage(stage), parts_in_notes(incident.timeline))

    return record(settings, name, f"review/close/{stage}", {}, "review close", said, as_json=as_json)


@review.command("list", help=N_("List the reviews that are not closed yet, the most overdue first."))
@JSON
@pass_settings
def list_(settings: Settings, as_json: bool) -> int:
    """Show the reviews that are owed; the exit code says whether one is overdue."""
    from monitor.cli.review_shown import is_overdue, owed_table
    from monitor.clock import SystemClock

    now = SystemClock().now()
    found = [
        {"incident": one["id"], "title": one["title"], "resolved_at": one["resolved_at"], **each}
        for one in incidents(settings, open_only=False)
        for each in one["review"]["owed"]
    ]
    found.sort(key=lambda each: str(each["due_at"]))
    if as_json:
        emit_json(found)
    else:
        words = site_speech(settings)
        if found:
            print_table(owed_table(found, words, now))
        else:
            warn(words.render(say("every review is closed")))
    return ExitCode.WRONG if any(is_overdue(each, now) for each in found) else ExitCode.DONE
