"""Who is on duty, for the commands and the API: as JSON, and an override out of what somebody asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from monitor.core.rota import Override, Spell
from monitor.core.text import Text, say
from monitor.core.units import BadUnit, parse_duration
from monitor.inventory.maintenance import BadWindow, end_after, moment_at, span_of
from monitor.inventory.model import Inventory
from monitor.inventory.problems import nearest
from monitor.web.views import when

MOST_DAYS = 366
"""Days of duty that are listed at once."""


@dataclass(frozen=True, slots=True)
class AskedOverride:
    """What somebody asks for: names, and moments and a length as people write them, empty for none."""

    contact: str
    rota: str = ""
    begins: str = ""
    ends: str = ""
    length: str = ""


def duty_json(inventory: Inventory, overrides: Iterable[Override], at: datetime, days: int = 0) -> list[dict[str, Any]]:
    """Return each rota by its name: who is on duty at `at`, `from` and `until` when, and who is `next`.

    `spells`: who is on duty in the `days` that follow. `from` and `until` are None where that lies more than some
    months back, or more than a year ahead.
    """
    roster = inventory.roster(overrides)
    found = []
    for name, rota in sorted(inventory.rotas.items()):
        now, following = rota.now_and_next(roster.overrides, at)
        spells = rota.spells(roster.overrides, at, at + timedelta(days=days)) if days else ()
        found.append(
            {
                "rota": name,
                **_spell(now, inventory),
                "next": None if following is None else _spell(following, inventory),
                "spells": [_spell(one, inventory) for one in spells],
            }
        )
    return found


def _spell(spell: Spell, inventory: Inventory) -> dict[str, Any]:
    contact = inventory.contacts.get(spell.who)
    return {
        "contact": spell.who,
        "name": spell.who if contact is None else contact.name,
        "from": when(spell.start),
        "until": when(spell.end),
    }


def moment_asked(text: str, inventory: Inventory, now: datetime) -> datetime:
    """Return the moment that `text` writes, in site time, of today where it is a time alone; `now` for no text.

    Raises BadWindow.
    """
    zone = inventory.site.timezone
    return moment_at(text, zone, now.astimezone(zone).date()) if text else now


def override_asked(asked: AskedOverride, inventory: Inventory, now: datetime) -> Override:
    """Return what was `asked` for at `now`. Raises BadWindow, which says what is wrong with it."""
    if asked.contact not in inventory.contacts:
        raise BadWindow(
            say("there is no contact {name}", name=asked.contact), nearest(asked.contact, inventory.contacts)
        )
    rota = asked.rota or _only_one(inventory)
    if rota not in inventory.rotas:
        raise BadWindow(say("there is no rota {name}", name=rota), nearest(rota, inventory.rotas))
    start = moment_asked(asked.begins, inventory, now)
    if bool(asked.ends) is bool(asked.length):
        raise BadWindow(say("say how long it lasts, or until when"), say("one of the two"))
    if asked.ends:
        end = end_after(asked.ends, inventory.site.timezone, start)
    else:
        try:
            end = start + parse_duration(asked.length)
        except BadUnit as error:
            raise BadWindow(error.text) from error
    span = span_of(start, end)
    if span.end <= now:
        raise BadWindow(say("it would be over already"))
    return Override(rota, asked.contact, span.start, span.end)


def _only_one(inventory: Inventory) -> str:
    if not inventory.rotas:
        raise BadWindow(say("the inventory has no rota"), say("write rota: {{...}}"))
    if len(inventory.rotas) > 1:
        hint: Text = say("one of: {names}", names=", ".join(sorted(inventory.rotas)))
        raise BadWindow(say("say which rota"), hint)
    return next(iter(inventory.rotas))


def override_json(override: Override, inventory: Inventory) -> dict[str, Any]:
    """Return an override that holds."""
    spell = _spell(Spell(override.who, override.start, override.end), inventory)
    return {"rota": override.rota, **spell, "by": override.by}
