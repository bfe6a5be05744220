"""Who is told, by which channels, and when: contacts, channels, protocol, operations."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from alerts.agreement import EVERYBODY_TOLD, Channel, Contact, Protocol
from alerts.escalation import Rung
from alerts.quiet import Quiet
from monitor.core.ids import NodeId
from monitor.core.plan import REOPEN_WITHIN
from monitor.core.text import N_, say
from monitor.inventory.maintenance import BadWindow, time_at
from monitor.inventory.people_keys import ChannelKeys, ContactKeys, OperationsKeys, ProtocolKeys, RungKeys
from monitor.inventory.problems import Level, Place, nearest
from monitor.inventory.scope import Scope, names_in, refer
from monitor.inventory.secrets_in import anchored, look_at
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, ListNode, Node, TableNode

USUAL_CHANNELS = ("mail", "sms")
"""Keys of a contact that are understood although the inventory has no channel of that name (yet)."""
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_TELEPHONE = re.compile(r"\+?[0-9][0-9 ().-]{2,30}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")
_STEPS = ("first_notice", "update", "conference", "crisis_report", "resolved")


def channels(scope: Scope) -> dict[str, Channel]:
    """Return the channels; what is wrong with one is noted."""
    found: dict[str, Channel] = {}
    for name, entry in scope.sections["channels"].items():
        where = f"channels.{name}"
        keys = shaped(ChannelKeys, entry.value, entry.at, where, scope.problems)
        table = entry.value if isinstance(entry.value, TableNode) else TableNode(entry.at)
        absent = N_("there is no link or device {name}")
        refer(table.get("through"), scope.nodes, f"{where}.through", absent, scope.problems)
        if keys is None:
            continue
        at = table.entries["url"].value.at
        clear = None if keys.url.reference.startswith("gammu:") else Level.WARNING
        url = anchored(keys.url, scope.folder.root)
        look_at(url, clear, at, f"{where}.url", scope.problems)
        if not _URL.fullmatch(keys.url.reference):
            message = say("a channel's URL starts with its kind and a colon")
            hint = say("such as mailto://user:pass@host:port or gammu:/var/spool/gammu")
            scope.problems.error(at, f"{where}.url", message, hint)
        through = None if keys.through is None else NodeId(keys.through)
        found[name] = Channel(name, url, through)
    return found


def contacts(scope: Scope) -> dict[str, Contact]:
    """Return the contacts; what is wrong with one is noted."""
    found: dict[str, Contact] = {}
    for name, entry in scope.sections["contacts"].items():
        where = f"contacts.{name}"
        if name == EVERYBODY_TOLD:
            message = say("{name} is reserved: everybody told", name=name)
            scope.problems.error(entry.at, where, message, say("choose another name"))
        keys = shaped(ContactKeys, entry.value, entry.at, where, scope.problems)
        addresses = _addresses(entry, where, scope)
        if keys is not None:
            order = tuple(dict.fromkeys(keys.order)) if keys.order is not None else tuple(addresses)
            found[name] = Contact(name, keys.name or name, addresses, order, keys.language or "")
    return found


def _addresses(entry: Entry, where: str, scope: Scope) -> dict[str, str]:
    """Return the addresses of a contact by channel, looking at each."""
    if not isinstance(entry.value, TableNode):
        return {}
    found: dict[str, str] = {}
    for key, inner in entry.value.entries.items():
        if key not in ContactKeys.model_fields and _is_channel(key, inner, f"{where}.{key}", scope):
            found[key] = getattr(inner.value, "text", "")
            _look_at_address(key, found[key], inner.value.at, f"{where}.{key}", scope)
    if not found:
        message = say("nobody can be told by this contact: it has no address")
        scope.problems.error(entry.at, where, message, say("give it mail: or sms:"))
    refer(entry.value.get("order"), found, f"{where}.order", N_("this contact has no address {name}"), scope.problems)
    return found


def _is_channel(key: str, entry: Entry, where: str, scope: Scope) -> bool:
    declared = scope.sections["channels"]
    if key in declared:
        return True
    if key in USUAL_CHANNELS:
        message = say("there is no channel {name}: nothing is sent to this address", name=key)
        scope.problems.warn(entry.at, where, message, say("declare it under channels:"))
        return True
    hint = nearest(key, (*declared, *USUAL_CHANNELS, *ContactKeys.model_fields))
    scope.problems.error(entry.at, where, say("unknown key {key}", key=key), hint)
    return False


def _look_at_address(channel: str, address: str, at: Place, where: str, scope: Scope) -> None:
    if channel == "mail" and not _MAIL.fullmatch(address):
        scope.problems.error(at, where, say("{address} is no mail address", address=address))
    if channel == "sms" and not _TELEPHONE.fullmatch(address):
        scope.problems.error(at, where, say("{address} is no telephone number", address=address))


class Agreed(NamedTuple):
    """What `protocol:` says: who is told what, and how long after its end a relapse reopens an incident."""

    protocol: Protocol
    reopen_within: timedelta = REOPEN_WITHIN


def agreed(scope: Scope, zone: ZoneInfo) -> Agreed | None:
    """Return what `protocol:` says, times in `zone`; None when it is wrong. Without it the client is told nothing."""
    ours = _ours(scope, zone)
    entry = scope.tree.entries.get("protocol")
    if entry is None or getattr(entry.value, "value", "") is None:
        silent = replace(ours, resolved_to=(), chase=True)
        _warn_if_nobody(silent, entry, scope)
        return Agreed(silent)
    keys = shaped(ProtocolKeys, entry.value, entry.at, "protocol", scope.problems)
    if isinstance(entry.value, TableNode):
        _look_at_steps(entry.value, scope)
    if keys is None:
        return None
    first, update = keys.first_notice, keys.update
    read = replace(
        ours,
        live=keys.live,
        first_to=() if first is None else tuple(dict.fromkeys(first.to)),
        first_within=Protocol().first_within if first is None else first.within,
        update_to=() if update is None else tuple(dict.fromkeys(update.to)),
        update_every=None if update is None else update.every,
        resolved_to=(EVERYBODY_TOLD,) if keys.resolved is None else tuple(dict.fromkeys(keys.resolved.to)),
        long_after=keys.long_after,
        conference_to=() if keys.conference is None else tuple(dict.fromkeys(keys.conference.to)),
        conference_after=None if keys.conference is None else keys.conference.after,
        bridge="" if keys.conference is None else keys.conference.bridge or "",
        crisis_to=() if keys.crisis_report is None else tuple(dict.fromkeys(keys.crisis_report.to)),
        crisis_every=None if keys.crisis_report is None else keys.crisis_report.every,
        draft_before=None if update is None else update.draft,
        chase=True,
    )
    _warn_if_nobody(read, entry, scope)
    return Agreed(read, keys.reopen_within)


def _ours(scope: Scope, zone: ZoneInfo) -> Protocol:
    """The part of the protocol that concerns our own people, and the names of rotas."""
    entry, rotas = scope.tree.entries.get("operations"), tuple(scope.sections["rota"])
    if entry is None or getattr(entry.value, "value", "") is None:
        return Protocol(rotas=rotas)
    keys = shaped(OperationsKeys, entry.value, entry.at, "operations", scope.problems)
    table = entry.value
    if isinstance(table, TableNode):
        _look_at_names(table.get("to"), "operations.to", scope)
    if keys is None:
        return Protocol(rotas=rotas)
    quiet = None if keys.quiet is None else _quiet(keys.quiet, table, scope, zone)
    ladder = () if keys.escalation is None else _ladder(keys.escalation, table, scope)
    return Protocol(operations=tuple(dict.fromkeys(keys.to)), rotas=rotas, escalation=ladder, quiet=quiet)


def _quiet(keys: Any, operations: Node, scope: Scope, zone: ZoneInfo) -> Quiet | None:
    """The quiet hours; None when a time is none, which is noted, as are hours that never end."""
    table = operations.get("quiet") if isinstance(operations, TableNode) else None
    if not isinstance(table, TableNode):
        return None
    read: dict[str, time] = {}
    for key in ("from", "to"):
        try:
            read[key] = time_at(getattr(keys, key))
        except BadWindow as error:
            scope.problems.error(table.entries[key].value.at, f"operations.quiet.{key}", error.text, error.hint)
    if len(read) < 2:
        return None
    if read["from"] == read["to"]:
        message, hint = say("they never end: warnings would be told to nobody"), say("such as from 22:00 to 07:00")
        scope.problems.error(table.entries["to"].value.at, "operations.quiet.to", message, hint)
    return Quiet(read["from"], read["to"], zone)


def _ladder(rungs: list[RungKeys], operations: Node, scope: Scope) -> tuple[Rung, ...]:
    """Who is told while nobody answers; a rung that is not above the one before it is noted."""
    node = operations.get("escalation") if isinstance(operations, TableNode) else None
    items = node.items if isinstance(node, ListNode) else ()
    found: list[Rung] = []
    for n, (keys, item) in enumerate(zip(rungs, items, strict=False)):
        where = f"operations.escalation.{n}"
        if isinstance(item, TableNode):
            _look_at_names(item.get("to"), f"{where}.to", scope)
        if found and keys.after <= found[-1].after:
            message = say(
                "{span} is not later than the {before} of the one before", span=keys.after, before=found[-1].after
            )
            hint = say("each counts from the moment at which our own people were told")
            scope.problems.error(item.at, f"{where}.after", message, hint)
        found.append(Rung(keys.after, tuple(dict.fromkeys(keys.to))))
    return tuple(found)


def _look_at_steps(table: TableNode, scope: Scope) -> None:
    for step in _STEPS:
        entry = table.entries.get(step)
        if entry is None:
            continue
        if step == "conference" and isinstance(entry.value, TableNode) and "bridge" not in entry.value.entries:
            message = say("whoever is invited does not read how to dial in")
            scope.problems.warn(entry.at, f"protocol.{step}", message, say('give it bridge: "+237..., code ..."'))
        if isinstance(entry.value, TableNode):
            everybody = (EVERYBODY_TOLD,) if step == "resolved" else ()
            _look_at_names(entry.value.get("to"), f"protocol.{step}.to", scope, everybody)


def _look_at_names(node: Node | None, where: str, scope: Scope, reserved: Collection[str] = ()) -> None:
    known: Mapping[str, Entry] = {**scope.sections["contacts"], **scope.sections["rota"]}
    for word in names_in(node):
        if word.text == EVERYBODY_TOLD and word.text not in reserved and word.text not in known:
            message = say("{name} means everybody who was told: only resolved can say so", name=EVERYBODY_TOLD)
            scope.problems.error(word.at, where, message, nearest("", known))
        elif word.text not in known and word.text not in reserved:
            message = say("there is no contact {name}", name=word.text)
            scope.problems.error(word.at, where, message, nearest(word.text, known))


def _warn_if_nobody(read: Protocol, entry: Entry | None, scope: Scope) -> None:
    written = scope.tree.entries.get("operations")
    if read.operations or (written is not None and getattr(written.value, "value", "") is not None):
        return
    at, hint = scope.tree.at if entry is None else entry.at, say("write operations: {{to: [...]}}")
    message = say("nobody would be told of an incident")
    if not read.live:
        message = say("with live: false everything goes to operations, and there is none: nobody would be told")
    elif read.first_to or read.update_to:
        message = say("nobody would be told of warnings, nor that a check is blind")
    scope.problems.warn(at, "operations", message, hint)
