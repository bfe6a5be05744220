"""The catalogue of incident kinds (S14): what this version knows, and what the site says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from monitor.core.incident import BLIND, OTHER, Interruption
from monitor.core.text import N_, say
from monitor.inventory.model import Kind
from monitor.inventory.notation import ByLanguage
from monitor.inventory.schema import KindKeys
from monitor.inventory.scope import Scope, refer
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, TableNode

POWER, LINK_UNSTABLE = "power", "link-unstable"
_ALWAYS, _DETECTED, _NEVER = Interruption.ALWAYS, Interruption.DETECTED, Interruption.NEVER


def _minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


BUILT_IN: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("hermes-patch", _ALWAYS, _minutes(240)),
        Kind("server-reboot", _ALWAYS, _minutes(30)),
        Kind("service-stopped", _ALWAYS, _minutes(5)),
        Kind(POWER, _DETECTED, _minutes(5)),
        Kind(LINK_UNSTABLE, _ALWAYS, _minutes(60)),
        Kind("crm-disconnected", _ALWAYS, _minutes(30)),
        Kind("hmp-disk-full", _NEVER, _minutes(20)),
        Kind("data-loss", _ALWAYS),
        Kind(OTHER, _NEVER),
        Kind(BLIND, _NEVER),
    )
}
"""Interruption and target of each kind: the table of S14 in SITE.md, and the times that it leaves to us."""


def catalogue(scope: Scope) -> dict[str, Kind]:
    """Return every kind: the built-in ones, changed and completed by the inventory's `incidents`."""
    kinds = dict(BUILT_IN)
    for name, entry in scope.sections["incidents"].items():
        where = f"incidents.{name}"
        keys = shaped(KindKeys, entry.value, entry.at, where, scope.problems)
        _look_at(name, entry, where, scope)
        if keys is not None:
            kinds[name] = _changed(kinds.get(name, Kind(name, _NEVER)), keys)
    return kinds


def _look_at(name: str, entry: Entry, where: str, scope: Scope) -> None:
    table = entry.value
    if not isinstance(table, TableNode):
        return
    refer(table.get("runbook"), scope.books, f"{where}.runbook", N_("there is no runbook {name}"), scope.problems)
    if name == BLIND and "runbook" in table.entries:
        message = say("what cannot be seen is never repaired: the kind {name} has no runbook", name=name)
        scope.problems.error(table.entries["runbook"].at, f"{where}.runbook", message, say("leave it out"))
    interruption = table.entries.get("interruption")
    if name in (OTHER, BLIND) and interruption is not None and getattr(interruption.value, "value", "") != "never":
        message = say("the kind {name} never interrupts the client's service", name=name)
        hint = say("give these checks a kind of their own")
        scope.problems.error(interruption.value.at, f"{where}.interruption", message, hint)


def _changed(kind: Kind, keys: KindKeys) -> Kind:
    return replace(
        kind,
        interruption=keys.interruption or kind.interruption,
        target=keys.target or kind.target,
        runbook=keys.runbook or kind.runbook,
        titles=by_language(keys.title) or kind.titles,
        causes=by_language(keys.cause) or kind.causes,
    )


def by_language(words: ByLanguage | None) -> dict[str, str]:
    """Return `words` by language, only the languages that they have."""
    return {} if words is None else words.model_dump(exclude_none=True)
