"""`releve maintenance`: announce work, so that what it brings down wakes nobody; see what is announced; end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table, warn
from monitor.cli.reading import act, ask, daemon_or_none, inventory_of, legible, segment, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.daemon.desk import Desk
    from monitor.store import Store
    from monitor.web.windows import Asked

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.group(help=N_("Announce work, list it, end it."))
def maintenance() -> None:
    """Group the commands about announced work."""


@maintenance.command(
    help=N_(
        "Announce work on devices, on all that is reached only through them, and on checks.\n\n"
        "Without --incident nothing of what fails meanwhile is told; what still fails at the end is told then. "
        "With it, all of it is one incident whose cause is known."
    )
)
@click.argument("name")
@click.option("--device", "devices", metavar="NAME", multiple=True, help=N_("A device or link; more than once."))
@click.option("--check", "checks", metavar="CHECK", multiple=True, help=N_("A check; more than once."))
@click.option("--from", "begins", metavar="WHEN", default="", help=N_('Site time, "2026-12-01 22:00"; default: now.'))
@click.option("--until", "ends", metavar="WHEN", default="", help=N_("Until when, like --from."))
@click.option("--for", "span", metavar="TIME", default="", help=N_("For how long: 4h; instead of --until."))
@click.option("--incident", "kind", metavar="KIND", default="", help=N_("As which kind failures are told."))
@click.option("--reason", default="", help=N_("What is done; it stands in every list."))
@JSON
@pass_settings
def add(
    settings: Settings,
    name: str,
    devices: tuple[str, ...],
    checks: tuple[str, ...],
    begins: str,
    ends: str,
    span: str,
    kind: str,
    reason: str,
    as_json: bool,
) -> int:
    """Announce work."""
    from monitor.web.windows import Asked

    if not devices and not checks:
        raise Failure(say("name what it concerns: --device NAME or --check CHECK"))
    asked = Asked(
        name=legible(name),
        devices=tuple(map(legible, devices)),
        checks=tuple(map(legible, checks)),
        begins=legible(begins),
        ends=legible(ends),
        length=legible(span),
        kind=legible(kind),
        reason=legible(reason),
    )
    one = _announced(settings, asked)
    if as_json:
        emit_json(one)
        return ExitCode.DONE
    from monitor.cli.work_shown import work_lines
    from monitor.clock import SystemClock

    words = site_speech(settings)
    for line in work_lines(one, words, SystemClock().now()):
        console().print(line)
    for doubt in _doubts(settings, asked, one):
        warn(doubt)
    return ExitCode.DONE


def _announced(settings: Settings, asked: Asked) -> dict[str, Any]:
    api = daemon_or_none(settings)
    if api is not None:
        body = {
            "name": asked.name,
            "devices": list(asked.devices),
            "checks": list(asked.checks),
            "from": asked.begins,
            "until": asked.ends,
            "for": asked.length,
            "incident": asked.kind,
            "reason": asked.reason,
        }
        one: dict[str, Any] = act(api, "/api/v1/maintenance", body)
        return one
    from monitor.inventory.maintenance import BadWindow
    from monitor.web.windows import window_asked, window_json, wrong_text

    words = site_speech(settings)

    async def announce(desk: Desk, who: str) -> dict[str, Any]:
        try:
            window = window_asked(asked, desk.inventory, desk.clock.now())
        except BadWindow as wrong:
            raise Failure(wrong_text(wrong)) from wrong
        return window_json(await desk.announce(window, who), words, desk.clock.now())

    return offline.at_desk(settings, announce)


def _doubts(settings: Settings, asked: Asked, one: dict[str, Any]) -> list[str]:
    """What is doubtful about the moments that were written, in a night in which the clocks change."""
    from monitor.cli.shown import moment
    from monitor.inventory.maintenance import doubt_at

    words, start = site_speech(settings), moment(one["from"])
    day = None if start is None else start.astimezone(words.zone).date()
    found = [doubt_at(text, words.zone, day) for text in (asked.begins, asked.ends) if text]
    return [words.render(doubt) for doubt in found if doubt]


@maintenance.command("list", help=N_("List announced work: what goes on, what is to come, what is over."))
@JSON
@pass_settings
def list_(settings: Settings, as_json: bool) -> int:
    """Show announced work."""
    found = _works(settings)
    if as_json:
        emit_json(found)
        return ExitCode.DONE
    from monitor.cli.work_shown import work_table
    from monitor.clock import SystemClock

    words = site_speech(settings)
    if found:
        print_table(work_table(found, words, SystemClock().now()))
    else:
        warn(words.render(say("no work is announced")))
    return ExitCode.DONE


def _works(settings: Settings) -> list[dict[str, Any]]:
    api = daemon_or_none(settings)
    if api is not None:
        found: list[dict[str, Any]] = ask(api, "/api/v1/maintenance")
        return found
    return offline.read(settings, lambda store: _stored(settings, store))


def _stored(settings: Settings, store: Store) -> list[dict[str, Any]]:
    from monitor.clock import SystemClock
    from monitor.web.windows import windows_json

    now, inventory = SystemClock().now(), inventory_of(settings)
    return windows_json(offline.stored_site(store, inventory.plan, now).state.windows, site_speech(settings), now)


@maintenance.command(help=N_("End announced work now, or call off what is to come."))
@click.argument("name")
@JSON
@pass_settings
def end(settings: Settings, name: str, as_json: bool) -> int:
    """End announced work."""
    from monitor.web.windows import window_json

    words, chosen = site_speech(settings), legible(name)
    api = daemon_or_none(settings)

    async def ended(desk: Desk, who: str) -> dict[str, Any]:
        return window_json(await desk.end_work(chosen, who), words, desk.clock.now())

    if api is not None:
        one: dict[str, Any] = act(api, f"/api/v1/maintenance/{segment(chosen)}/end", {})
    else:
        one = offline.at_desk(settings, ended)
    if as_json:
        emit_json(one)
    else:
        begun = one["from"] != one["until"]
        text = (
            say("{id} is over: what still fails of it is told from now on.", id=one["id"])
            if begun
            else say("{id} is called off.", id=one["id"])
        )
        console().print(words.render(text))
    return ExitCode.DONE
