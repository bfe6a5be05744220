"""`releve incident draft`: what the next update to the client will say, and a person's words for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.chosen import chosen_incident
from monitor.cli.context import ExitCode, Failure, Settings, as_typed, console, emit_json, pass_settings, warn
from monitor.cli.reading import act, ask, daemon_or_none, legible, segment, site_speech
from monitor.core.ids import IncidentId
from monitor.core.text import LANGUAGES, N_, say

if TYPE_CHECKING:
    from monitor.daemon.desk import Desk

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))
LONGEST_INPUT = 64 * 1024
"""Bytes that are read of what is piped in; far more than a message may hold."""


@click.group(help=N_("Read the next update to the client before it leaves, and add words to it."))
def draft() -> None:
    """Group the commands about drafts."""


@draft.command(help=N_("Show the next update exactly as it will leave, and until when it can be changed."))
@click.argument("name", metavar="[ID]", default="")
@click.option("--lang", "language", type=click.Choice(LANGUAGES), help=N_("Only what is read in this language."))
@JSON
@pass_settings
def show(settings: Settings, name: str, language: str | None, as_json: bool) -> int:
    """Show the draft."""
    one = _shown(settings, chosen_incident(settings, name))
    if language is not None:
        one["messages"] = [each for each in one["messages"] if each["language"] == language]
        if not one["messages"]:
            raise Failure(say("nobody reads this update in {language}", language=language))
    return _print(settings, one, as_json=as_json)


@draft.command(
    help=N_(
        "Add words to the next update; they take the place of those given before.\n\n"
        "Without --text they are written in $EDITOR; --text - reads them from the standard input."
    )
)
@click.argument("name", metavar="[ID]", default="")
@click.option("--text", default=None, help=N_("What the client is to read besides; - for the standard input."))
@JSON
@pass_settings
def edit(settings: Settings, name: str, text: str | None, as_json: bool) -> int:
    """Give words for the draft."""
    chosen = chosen_incident(settings, name)
    due_at = ""
    if text is None or text == "-":
        # Whoever takes his time writes for the update that he saw, not for whichever is next when he is done.
        before = _shown(settings, chosen)
        due_at = before["due_at"]
        text = sys.stdin.read(LONGEST_INPUT) if text == "-" else _written(before["words"])
    words = legible(text).strip()
    if not words:
        raise Failure(
            say(
                "there are no words; `{command}` takes back those given before",
                command=as_typed(f"releve incident draft drop {chosen}"),
            )
        )
    if not words.strip(". …"):
        raise Failure(say("write your own words in place of {dots}", dots=words))
    return _give(settings, chosen, "", {"text": words, "due_at": due_at}, as_json=as_json)


@draft.command(help=N_("Take back the words given for the next update; it leaves without them."))
@click.argument("name", metavar="[ID]", default="")
@JSON
@pass_settings
def drop(settings: Settings, name: str, as_json: bool) -> int:
    """Take the words back."""
    return _give(settings, chosen_incident(settings, name), "/drop", {}, as_json=as_json)


def _written(before: str) -> str:
    """What a person writes in an editor, beginning with the words given before."""
    written = click.edit(before, require_save=True)
    if written is None:
        raise Failure(say("nothing was saved, so nothing was changed"))
    return written


def _shown(settings: Settings, name: str) -> dict[str, Any]:
    from monitor.daemon.drafts import draft_of
    from monitor.web.drafts_json import preview_json

    async def read(desk: Desk, who: str) -> dict[str, Any]:
        return preview_json(draft_of(desk, IncidentId(name)))

    api = daemon_or_none(settings)
    if api is None:
        return offline.at_desk(settings, read)
    one: dict[str, Any] = ask(api, f"/api/v1/incidents/{segment(name)}/draft")
    return one


def _give(settings: Settings, name: str, path: str, body: dict[str, Any], *, as_json: bool) -> int:
    from monitor.cli.shown import moment
    from monitor.daemon.drafts import give_words
    from monitor.web.drafts_json import preview_json

    async def given(desk: Desk, who: str) -> dict[str, Any]:
        meant = moment(body.get("due_at") or None)
        return preview_json(await give_words(desk, IncidentId(name), who, body.get("text", ""), meant))

    api = daemon_or_none(settings)
    if api is not None:
        return _print(settings, act(api, f"/api/v1/incidents/{segment(name)}/draft{path}", body), as_json=as_json)
    code = _print(settings, offline.at_desk(settings, given), as_json=as_json)
    warn(site_speech(settings).render(say("No daemon runs: it leaves once `releve run` is started.")))
    return code


def _print(settings: Settings, one: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        emit_json(one)
        return ExitCode.DONE
    from alerts.context import Context, person
    from monitor.cli.shown import moment
    from monitor.clock import SystemClock

    words, out, due = site_speech(settings), console(), moment(one["due_at"])
    assert due is not None
    site = Context("", words, SystemClock().now())
    text = say("Update of {at}: it leaves by itself; until then it can be changed.", at=site.at(due))
    out.print(words.render(text), markup=False)
    if one["by"]:
        given = moment(one["at"])
        at = "" if given is None else site.at(given)
        out.print(words.render(say("Words by {who}, given at {at}", who=person(one["by"]), at=at)), markup=False)
    groups: dict[tuple[str, str], list[str]] = {}
    for each in one["messages"]:
        groups.setdefault((each["subject"], each["text"]), []).append(f"{each['recipient']} ({each['channel']})")
    for (subject, body), readers in groups.items():
        out.print()
        out.print(words.render(say("To: {names}", names=", ".join(readers))), markup=False)
        click.echo(f"{subject}\n\n{body.rstrip()}")
    return ExitCode.DONE
