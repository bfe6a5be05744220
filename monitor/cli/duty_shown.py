"""How the command line shows who is on duty: now, next, and in the days that follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table

from monitor.cli.shown import at_site, table_of, unbroken
from monitor.core.text import N_, Speech, Text, say


def duty_table(rotas: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return who is on duty in each rota, until when, and who is next."""
    table = table_of((N_("Rota"), N_("On duty"), N_("Until"), N_("Next"), N_("Until")), words)
    for one in rotas:
        following = one["next"]
        table.add_row(
            unbroken(one["rota"]),
            unbroken(one["name"], "bold"),
            unbroken(at_site(one["until"], words, now)),
            unbroken("" if following is None else following["name"]),
            unbroken("" if following is None else at_site(following["until"], words, now)),
        )
    return table


def spells_table(rotas: list[dict[str, Any]], words: Speech, now: datetime) -> Table:
    """Return who is on duty in the days that were asked for, one spell a line."""
    table = table_of((N_("Rota"), N_("From"), N_("Until"), N_("On duty")), words)
    for one in rotas:
        for spell in one["spells"]:
            begins, ends = (unbroken(at_site(spell[key], words, now)) for key in ("from", "until"))
            table.add_row(unbroken(one["rota"]), begins, ends, unbroken(spell["name"]))
    return table


def duty_lines(rotas: list[dict[str, Any]], words: Speech, now: datetime) -> list[str]:
    """Return who is on duty in a sentence for each rota."""
    return [words.render(_sentence(one, words, now)) for one in rotas]


def _sentence(one: dict[str, Any], words: Speech, now: datetime) -> Text:
    who, rota, following = one["name"], one["rota"], one["next"]
    if following is None:
        return say("On duty ({rota}): {who}.", rota=rota, who=who)
    until = at_site(one["until"], words, now)
    return say(
        "On duty ({rota}): {who} until {until}, then {next}.", rota=rota, who=who, until=until, next=following["name"]
    )
