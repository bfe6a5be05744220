"""Reading an inventory: a file in, the whole site out, or every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from alerts.agreement import Channel, Contact, Protocol
from monitor.core.ids import CheckId, NodeId
from monitor.core.maintenance import Window
from monitor.core.plan import REOPEN_WITHIN, Plan, Watched
from monitor.core.services import Service
from monitor.core.text import LANGUAGES, Text, say
from monitor.core.topology import Node, Topology
from monitor.inventory.checks import Watching, checks
from monitor.inventory.continuity import continuity
from monitor.inventory.continuity_rules import look_at_titles as look_at_continuity_titles
from monitor.inventory.heartbeat import heartbeat_out
from monitor.inventory.kinds import BUILT_IN, catalogue
from monitor.inventory.maintenance import maintenance
from monitor.inventory.many import Declared, declared_devices
from monitor.inventory.messages import messages
from monitor.inventory.model import Check, Device, Inventory, Kind, Link, Site
from monitor.inventory.needs import look_at_needs
from monitor.inventory.peer import peer
from monitor.inventory.people import Agreed, agreed, channels, contacts
from monitor.inventory.problems import Place, Problem, Problems
from monitor.inventory.public import look_at_titles, public
from monitor.inventory.repairs import actionable, automation, books, look_at_runbooks, recordings
from monitor.inventory.replies import replies
from monitor.inventory.roles import brought_checks, peer_of
from monitor.inventory.rota import rotas
from monitor.inventory.schema import NOT_ACTED_ON, InventoryKeys, SiteKeys
from monitor.inventory.scope import Scope, sections_of
from monitor.inventory.services import figures, look_at_unasked, services
from monitor.inventory.shape import note_missing, shaped
from monitor.inventory.sources import Folder, gathered
from monitor.inventory.things import devices, links, look_for_cycles
from monitor.inventory.yaml_nodes import Node as Written
from monitor.inventory.yaml_nodes import ScalarNode, TableNode
from probes.access import WAYS
from runbooks.book import Book

_GATE_ORDER = ("ping", "link", "ups")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading: no `inventory` when a problem is an error.

    `language` and `zone` are the site's as far as they could be read. `logins`: where each way to each device stands.
    """

    inventory: Inventory | None
    problems: tuple[Problem, ...]
    language: str = ""
    zone: tzinfo = UTC
    logins: Mapping[tuple[NodeId, str], Place] = field(default_factory=dict)


def load(path: Path) -> Loaded:
    """Return the inventory in the file `path`, and all that is wrong or doubtful in it and in what it includes.

    Nothing that a file holds makes it raise. Secrets are not read, only looked for.
    """
    problems = Problems()
    folder = Folder(path.parent, problems)
    tree = gathered(path, folder)
    if tree is None:
        return Loaded(None, problems.listed())
    scope = Scope(tree, folder, problems, sections_of(tree, problems))
    declared = declared_devices(scope)
    scope.devices = {device.name for device in declared}
    scope.nodes = {*scope.devices, *scope.sections["links"]}
    scope.kinds = {*BUILT_IN, *scope.sections["incidents"]}
    known = books(scope)
    scope.books = set(known)
    inventory = _inventory(path, scope, declared, known)
    logins = {
        (NodeId(d.name), way): d.table.entries[way].at for d in declared for way in WAYS if way in d.table.entries
    }
    zone = _zone(tree.get("site"), Problems()) or UTC
    return Loaded(None if problems.fatal else inventory, problems.listed(), _language(tree), zone, logins)


def _inventory(path: Path, scope: Scope, declared: list[Declared], known: Mapping[str, Book]) -> Inventory | None:
    site = _site(path, scope)
    told = _People(channels(scope), contacts(scope), agreed(scope, ZoneInfo("UTC") if site is None else site.timezone))
    kinds = catalogue(scope)
    things = Watching.of(devices(scope, declared), links(scope), declared)
    look_for_cycles(scope, declared)
    _look_at_far_ends(scope)
    brought = brought_checks(scope, declared)
    scope.checks = {*scope.sections["checks"], *brought}
    watched = checks(scope, things, brought)
    topology = topology_of(things.devices, things.links, watched)
    look_at_needs(scope, watched, topology)
    acting = actionable(watched, things.devices, recordings(scope, things.devices))
    look_at_runbooks(scope, kinds, known, acting, watched)
    seen = services(scope, watched)
    look_at_unasked(seen, watched, kinds, topology, scope)
    work = maintenance(scope, topology, UTC if site is None else site.timezone)
    going_on = continuity(
        scope,
        watched,
        things.links,
        acting,
        (Protocol() if told.agreed is None else told.agreed.protocol).long_after,
    )
    _look_at_the_rest(scope)
    policy, sign_of_life, shown = automation(scope), heartbeat_out(scope), public(scope, things.devices)
    own_words, answers = messages(scope), replies(scope)
    duty = rotas(scope, UTC if site is None else site.timezone)
    other = peer(scope, going_on.sites)
    if site is None or told.agreed is None or scope.problems.fatal:
        return None
    inventory = Inventory(
        path=path,
        version=scope.folder.version,
        site=site,
        contacts=told.contacts,
        channels=told.channels,
        devices=things.devices,
        links=things.links,
        checks=watched,
        kinds=kinds,
        protocol=told.agreed.protocol,
        plan=plan(topology, watched, kinds, seen, work, told.agreed.reopen_within),
        books=known,
        actionable=acting,
        automation=policy,
        heartbeat=sign_of_life,
        words=own_words,
        public=shown,
        rotas=duty,
        replies=answers,
        continuity=going_on,
        peer=other,
        files=scope.folder.named,
    )
    look_at_titles(scope, inventory)
    look_at_continuity_titles(scope, inventory)
    return inventory


@dataclass(frozen=True, slots=True)
class _People:
    channels: dict[str, Channel]
    contacts: dict[str, Contact]
    agreed: Agreed | None


def topology_of(
    devices: Mapping[NodeId, Device], links: Mapping[NodeId, Link], checks: Mapping[CheckId, Check]
) -> Topology:
    """Return what stands behind what: a node a device, a link, a link's far end; gates, pings first; all needs."""
    parents = {name: device.parents for name, device in devices.items()}
    parents |= {name: link.parents for name, link in links.items()}
    parents |= {NodeId(peer_of(name)): (name,) for name, link in links.items() if link.peer}
    gates: dict[NodeId, list[Check]] = {}
    for check in checks.values():
        if check.gate:
            gates.setdefault(check.node, []).append(check)
    nodes = {
        name: Node(name, above, tuple(check.id for check in sorted(gates.get(name, []), key=_gate_order)))
        for name, above in parents.items()
    }
    where = {check.id: check.node for check in checks.values()}
    needs = {check.id: check.needs for check in checks.values() if check.needs}
    return Topology(nodes, where, needs)


def plan(
    topology: Topology,
    checks: Mapping[CheckId, Check],
    kinds: Mapping[str, Kind],
    services: Mapping[str, Service] | None = None,
    maintenance: tuple[Window, ...] = (),
    reopen_within: timedelta = REOPEN_WITHIN,
) -> Plan:
    """Return the part of the inventory that decides."""
    return Plan(
        {
            check.id: Watched(check.policy, check.kind, check.flapping, check.every, check.timeout)
            for check in checks.values()
        },
        topology,
        {kind.name: kind.interruption for kind in kinds.values()},
        reopen_within,
        services=services or {},
        maintenance=maintenance,
        figures=figures(services or {}),
    )


def _gate_order(check: Check) -> int:
    return _GATE_ORDER.index(check.probe) if check.probe in _GATE_ORDER else len(_GATE_ORDER)


def _site(path: Path, scope: Scope) -> Site | None:
    entry = scope.tree.entries.get("site")
    if entry is None:
        if scope.tree.entries or not scope.problems.fatal:  # an empty file is told as such
            hint = say("write site: {{name: ..., timezone: Africa/Douala}}")
            at, known = Place(str(path)), InventoryKeys.model_fields
            note_missing("site", scope.tree, known, at, "site", scope.problems, hint)
        return None
    keys = shaped(SiteKeys, entry.value, entry.at, "site", scope.problems)
    zone = _zone(entry.value, scope.problems)
    return None if keys is None or zone is None else Site(keys.name, zone, keys.language, keys.url or "")


def _zone(site: Written | None, problems: Problems) -> ZoneInfo | None:
    node = site.get("timezone") if isinstance(site, TableNode) else None
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return ZoneInfo("UTC")
    try:
        return ZoneInfo(node.value)
    except (KeyError, ValueError, OSError):
        message = say("there is no time zone {name}", name=node.value)
        problems.error(node.at, "site.timezone", message, _nearest_zone(node.value))
        return None


def _nearest_zone(written: str) -> Text:
    """Return the hint that names the zone meant; the city alone is compared where the region is wrong."""
    names = {name.lower(): name for name in available_timezones()}
    cities = {name.rpartition("/")[2]: known for name, known in names.items()}
    close = difflib.get_close_matches(written.lower(), names, n=1)
    if close:
        return say("did you mean {name}?", name=names[close[0]])
    city = difflib.get_close_matches(written.lower().rpartition("/")[2], cities, n=1)
    if city:
        return say("did you mean {name}?", name=cities[city[0]])
    return say("write an IANA name such as Africa/Douala")


def _language(tree: TableNode) -> str:
    site = tree.get("site")
    node = site.get("language") if isinstance(site, TableNode) else None
    return (
        node.text
        if isinstance(node, ScalarNode) and node.text in LANGUAGES
        else str(SiteKeys.model_fields["language"].default)
    )


def _look_at_far_ends(scope: Scope) -> None:
    """The far end of a link is a place of its own: nothing else may have its name."""
    for name, entry in scope.sections["links"].items():
        if isinstance(entry.value, TableNode) and "peer" in entry.value.entries and peer_of(name) in scope.nodes:
            message = say("{name} is the name of the far end of the link {link}", name=peer_of(name), link=name)
            scope.problems.error(entry.at, f"links.{name}", message, say("rename the link or that device"))


def _look_at_the_rest(scope: Scope) -> None:
    """Top-level keys that are not understood were noted file by file; some are understood and not acted on."""
    for key in NOT_ACTED_ON:
        if key in scope.tree.entries:
            scope.not_acted_on(scope.tree.entries[key].at, key)
