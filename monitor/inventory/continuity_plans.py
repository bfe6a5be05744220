"""How groups move between the sites: `plans:` of the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alerts.agreement import EVERYBODY_TOLD
from failover.itself import RECORD
from failover.model import (
    DataSetId,
    Drill,
    Fence,
    Guarded,
    Isolation,
    Part,
    Plan,
    PlanId,
    Site,
    SiteId,
    Token,
    Told,
)
from monitor.core.ids import CheckId
from monitor.core.text import N_, say
from monitor.inventory.continuity_keys import FenceKeys, PartKeys, PlanKeys
from monitor.inventory.continuity_steps import Laid, lay
from monitor.inventory.notation import Names
from monitor.inventory.problems import Place, nearest
from monitor.inventory.scope import Scope, refer
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import Entry, ListNode, Node, ScalarNode, TableNode

STEPS = ("stop", "promote", "start", "switch")
DRILL_STEPS = ("up", "down")


@dataclass(frozen=True, slots=True)
class Drafted:
    """A plan as far as it could be read, with where its steps stand."""

    plan: Plan
    table: TableNode
    laid: Laid

    @property
    def where(self) -> str:
        """The way of keys to it."""
        return f"plans.{self.plan.id}"

    def at(self, *keys: str) -> Place:
        """Return where the value of the last of `keys` stands that is there, each inside the one before."""
        at, node = self.table.at, self.table
        for key in keys:
            entry = node.entries.get(key)
            if entry is None:
                break
            at = entry.at
            if not isinstance(entry.value, TableNode):
                return entry.value.at
            node = entry.value
        return at


def plans(scope: Scope, sites: Mapping[SiteId, Site]) -> list[Drafted]:
    """Return the plans that are right in themselves; what is wrong with the others is noted."""
    found = [_plan(name, entry, scope, sites) for name, entry in scope.sections["plans"].items()]
    return [one for one in found if one is not None]


def _plan(name: str, entry: Entry, scope: Scope, sites: Mapping[SiteId, Site]) -> Drafted | None:
    where, table = f"plans.{name}", entry.value
    before = scope.problems.errors
    if name == RECORD:
        message = say("{name} is the name of the lease of Relève itself", name=name)
        scope.problems.error(entry.at, where, message, say("call the plan something else"))
    keys = shaped(PlanKeys, table, entry.at, where, scope.problems)
    if not isinstance(table, TableNode):
        return None
    _look_at_references(table, where, scope)
    laid = Laid()
    inner = table.get("sites")
    for site, part in inner.entries.items() if isinstance(inner, TableNode) else ():
        _lay_part(part.value, f"{where}.sites.{site}", laid, scope)
    fences = table.get("fences")
    for n, fence in enumerate(fences.items if isinstance(fences, ListNode) else (), 1):
        _lay_fence(fence, f"{where}.fences.{n}", laid, scope)
    if keys is None:
        return None
    _look_at_sites(keys, entry, table, scope, sites)
    if scope.problems.errors > before:
        return None
    return Drafted(_made(name, keys, laid, where, sites), table, laid)


def _made(name: str, keys: PlanKeys, laid: Laid, where: str, sites: Mapping[SiteId, Site]) -> Plan:
    usual = Plan(PlanId(""), "", SiteId(""), SiteId(""), {}, (), keys.rto)
    return Plan(
        id=PlanId(name),
        title=keys.title or name,
        active=SiteId(keys.active),
        standby=SiteId(keys.standby),
        parts={SiteId(site): _part(part, laid, f"{where}.sites.{site}") for site, part in keys.sites.items()},
        fences=tuple(_fence(fence, laid, f"{where}.fences.{n}") for n, fence in enumerate(keys.fences or (), 1)),
        rto=keys.rto,
        start=keys.start.start,
        by=keys.start.at,
        kinds=_once(keys.incident),
        data=tuple(DataSetId(each) for each in _once(keys.data)),
        hold_down=usual.hold_down if keys.hold_down is None else keys.hold_down,
        most=keys.most,
        lag_ceiling=usual.lag_ceiling if keys.lag_ceiling is None else keys.lag_ceiling,
        drill_every=keys.drill_every or usual.drill_every,
        told=Told()
        if keys.tell is None
        else Told(tuple(dict.fromkeys(keys.tell.plan or ())), tuple(dict.fromkeys(keys.tell.report or ()))),
        titles={site: sites[site].title for site in map(SiteId, (keys.active, keys.standby)) if site in sites},
    )


def _once(names: Names | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names or ()))


def _checks(names: Names | None) -> tuple[CheckId, ...]:
    return tuple(CheckId(name) for name in _once(names))


def _part(keys: PartKeys, laid: Laid, where: str) -> Part:
    drill = None
    if keys.drill is not None:
        up, down = (laid.flat(f"{where}.drill.{key}") for key in DRILL_STEPS)
        drill = Drill(up, _checks(keys.drill.verify), down)
    return Part(
        stop=laid.flat(f"{where}.stop"),
        promote=laid.flat(f"{where}.promote"),
        start=laid.of(f"{where}.start"),
        switch=laid.flat(f"{where}.switch"),
        verify=_checks(keys.verify),
        drill=drill,
    )


def _fence(keys: FenceKeys, laid: Laid, where: str) -> Fence:
    """The fence of which exactly one kind was given."""
    if keys.guard is not None:
        watched_by = None if keys.guard.check is None else CheckId(keys.guard.check)
        return Guarded(SiteId(keys.guard.at), keys.guard.stops_within, watched_by)
    if keys.token is not None:
        return Token(SiteId(keys.token.at), laid.flat(f"{where}.token.steps"))
    at = "" if keys.isolation is None else keys.isolation.at
    return Isolation(SiteId(at), laid.flat(f"{where}.isolation.steps"))


def _lay_part(node: Node, where: str, laid: Laid, scope: Scope) -> None:
    if not isinstance(node, TableNode):
        return
    absent = N_("there is no check {name}")
    refer(node.get("verify"), scope.checks, f"{where}.verify", absent, scope.problems)
    for key in STEPS:
        lay(node.get(key), f"{where}.{key}", laid, scope)
    drill = node.get("drill")
    if isinstance(drill, TableNode):
        refer(drill.get("verify"), scope.checks, f"{where}.drill.verify", absent, scope.problems)
        for key in DRILL_STEPS:
            lay(drill.get(key), f"{where}.drill.{key}", laid, scope)


def _lay_fence(node: Node, where: str, laid: Laid, scope: Scope) -> None:
    given = [key for key in FenceKeys.model_fields if isinstance(node, TableNode) and key in node.entries]
    if len(given) != 1:
        message = say("exactly one of these is expected here: {names}", names=", ".join(FenceKeys.model_fields))
        scope.problems.error(node.at, where, message)
    for key in given:
        fence = node.get(key) if isinstance(node, TableNode) else None
        if isinstance(fence, TableNode):
            lay(fence.get("steps"), f"{where}.{key}.steps", laid, scope)
            absent = N_("there is no check {name}")
            refer(fence.get("check"), scope.checks, f"{where}.{key}.check", absent, scope.problems)


def _look_at_references(table: TableNode, where: str, scope: Scope) -> None:
    for key, known, absent in (
        ("active", scope.sections["sites"], N_("there is no site {name}")),
        ("standby", scope.sections["sites"], N_("there is no site {name}")),
        ("incident", scope.kinds, N_("there is no incident kind {name}")),
        ("data", scope.sections["datasets"], N_("there is no data set {name}")),
    ):
        refer(table.get(key), known, f"{where}.{key}", absent, scope.problems)
    tell = table.get("tell")
    if isinstance(tell, TableNode):
        people = {**scope.sections["contacts"], **scope.sections["rota"]}
        absent = N_("there is no contact {name}")
        refer(tell.get("plan"), people, f"{where}.tell.plan", absent, scope.problems)
        refer(tell.get("report"), {*people, EVERYBODY_TOLD}, f"{where}.tell.report", absent, scope.problems)


def _look_at_sites(keys: PlanKeys, entry: Entry, table: TableNode, scope: Scope, sites: Mapping[SiteId, Site]) -> None:
    """A plan has two sites that can run it, and says of each what is done there and what proves it to be isolated."""
    where = f"plans.{entry.key}"
    two = (keys.active, keys.standby)
    for key in ("active", "standby"):
        node = table.get(key)
        site = sites.get(SiteId(getattr(keys, key)))
        if site is not None and site.witness and node is not None:
            message = say("{site} is a witness: it holds a voter and runs nothing", site=site.id)
            scope.problems.error(node.at, f"{where}.{key}", message, say("name a site that can run the group"))
    if keys.active == keys.standby:
        message = say("the group would move from {site} to itself", site=keys.active)
        at = table.entries["standby"].value.at
        scope.problems.error(at, f"{where}.standby", message, say("name two different sites"))
        return
    if not scope.sections["sites"].keys() >= set(two):
        return  # one of them is mistyped: what is said of the right name would be missed here once more
    inner = table.entries["sites"]
    parts = inner.value.entries if isinstance(inner.value, TableNode) else {}
    for site_name, part in parts.items():
        if site_name not in two:
            message = say("{site} is neither active nor standby of this plan", site=site_name)
            scope.problems.error(part.at, f"{where}.sites.{site_name}", message, nearest(site_name, two))
    for site_name in two:
        if site_name not in parts:
            message = say("what is done at {site} is missing", site=site_name)
            scope.problems.error(inner.at, f"{where}.sites", message, say("write {better}", better=f"{site_name}: ..."))
        elif not keys.sites[site_name].verify:
            message = say("nothing verifies that the group works at {site}", site=site_name)
            hint = say("write verify: [...] with checks that are seen from there")
            scope.problems.error(parts[site_name].at, f"{where}.sites.{site_name}", message, hint)
    _look_at_fences(keys, entry, table, scope)


def _look_at_fences(keys: PlanKeys, entry: Entry, table: TableNode, scope: Scope) -> None:
    where = f"plans.{entry.key}.fences"
    two, node = (keys.active, keys.standby), table.get("fences")
    fenced: set[str] = set()
    for n, fence in enumerate(node.items if isinstance(node, ListNode) else (), 1):
        for kind, inner in fence.entries.items() if isinstance(fence, TableNode) else ():
            at = inner.value.get("at") if isinstance(inner.value, TableNode) else None
            if not isinstance(at, ScalarNode):
                continue
            fenced.add(at.text)
            if at.text not in two:
                message = say("{site} is neither active nor standby of this plan", site=at.text)
                scope.problems.error(at.at, f"{where}.{n}.{kind}.at", message, nearest(at.text, two))
    for site in two:
        if site not in fenced:
            message = say(
                "no fence proves that {site} has no further effect: nothing could ever be promoted in its place",
                site=site,
            )
            hint = say("name one under fences: isolation, token or guard, with at: {site}", site=site)
            at_fences = table.entries["fences"].at if "fences" in table.entries else entry.at
            scope.problems.error(at_fences, where, message, hint)
