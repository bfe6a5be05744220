"""`releve oncall`: who is on duty, now and next; take over from somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from monitor.cli import offline
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings, print_table, warn
from monitor.cli.reading import act, ask, daemon_or_none, inventory_of, legible, site_speech
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.daemon.desk import Desk
    from monitor.store import Store
    from monitor.web.duty import AskedOverride

MOST_DAYS = 366
"""The same as the API allows; that is imported only when it is needed."""
JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.group(help=N_("Show who is on duty; take over from somebody."))
def oncall() -> None:
    """Group the commands about who is on duty."""


@oncall.command(help=N_("Show who is on duty, until when, and who is next."))
@click.option("--at", "at", metavar="WHEN", default="", help=N_('Site time, "2026-12-01 22:00"; default: now.'))
@click.option(
    "--days", type=click.IntRange(0, MOST_DAYS), default=0, metavar="N", help=N_("List that many days as well.")
)
@JSON
@pass_settings
def show(settings: Settings, at: str, days: int, as_json: bool) -> int:
    """Show who is on duty."""
    found = duty(settings, legible(at), days)
    if as_json:
        emit_json(found)
        return ExitCode.DONE
    from monitor.cli.duty_shown import duty_table, spells_table
    from monitor.clock import SystemClock

    words, now = site_speech(settings), SystemClock().now()
    if not found:
        warn(words.render(say("the inventory has no rota")))
        return ExitCode.DONE
    print_table(duty_table(found, words, now))
    if days:
        console().print()
        print_table(spells_table(found, words, now))
    return ExitCode.DONE


def duty(settings: Settings, at: str, days: int) -> list[dict[str, Any]]:
    """Return who is on duty of each rota, as the API answers it: by the daemon, or by what it left. Raises Failure."""
    api = daemon_or_none(settings)
    if api is not None:
        found: list[dict[str, Any]] = ask(api, f"/api/v1/oncall?{urlencode({'at': at, 'days': days})}")
        return found
    from monitor.clock import SystemClock
    from monitor.inventory.maintenance import BadWindow
    from monitor.web.duty import duty_json, moment_asked
    from monitor.web.windows import wrong_text

    inventory, now = inventory_of(settings), SystemClock().now()
    try:
        moment = moment_asked(at, inventory, now)
    except BadWindow as wrong:
        raise Failure(wrong_text(wrong)) from wrong

    def stored(store: Store) -> list[dict[str, Any]]:
        return duty_json(inventory, store.load(now, timedelta()).state.overrides, moment, days)

    return offline.read_or(settings, stored, duty_json(inventory, (), moment, days))


@oncall.command(
    help=N_(
        "Let CONTACT take over the duty, from now or --from, --to then or --for a time.\n\n"
        "What was said last holds: to call it off, let whoever the rota names take over again."
    )
)
@click.argument("contact")
@click.option("--from", "begins", metavar="WHEN", default="", help=N_('Site time, "2026-12-01 22:00"; default: now.'))
@click.option("--to", "ends", metavar="WHEN", default="", help=N_("Until when, like --from."))
@click.option("--for", "span", metavar="TIME", default="", help=N_("For how long: 4h; instead of --to."))
@click.option("--rota", metavar="NAME", default="", help=N_("Which rota; may be left out where there is only one."))
@JSON
@pass_settings
def override(settings: Settings, contact: str, begins: str, ends: str, span: str, rota: str, as_json: bool) -> int:
    """Take over from somebody."""
    from monitor.web.duty import AskedOverride

    one = _taken_over(settings, AskedOverride(*map(legible, (contact, rota, begins, ends, span))))
    if as_json:
        emit_json(one)
        return ExitCode.DONE
    from monitor.cli.shown import at_site
    from monitor.clock import SystemClock

    words = site_speech(settings)
    now = SystemClock().now()
    text = say(
        "{who} is on duty ({rota}) from {start} to {end}. `releve oncall show` says who is when.",
        who=one["name"],
        rota=one["rota"],
        start=at_site(one["from"], words, now),
        end=at_site(one["until"], words, now),
    )
    console().print(words.render(text))
    return ExitCode.DONE


def _taken_over(settings: Settings, asked: AskedOverride) -> dict[str, Any]:
    api = daemon_or_none(settings)
    if api is not None:
        body = {
            "contact": asked.contact,
            "rota": asked.rota,
            "from": asked.begins,
            "to": asked.ends,
            "for": asked.length,
        }
        one: dict[str, Any] = act(api, "/api/v1/oncall/override", body)
        return one
    from monitor.inventory.maintenance import BadWindow
    from monitor.web.duty import override_asked, override_json
    from monitor.web.windows import wrong_text

    async def taken(desk: Desk, who: str) -> dict[str, Any]:
        try:
            asked_for = override_asked(asked, desk.inventory, desk.clock.now())
        except BadWindow as wrong:
            raise Failure(wrong_text(wrong)) from wrong
        return override_json(await desk.take_over(asked_for, who), desk.inventory)

    return offline.at_desk(settings, taken)
