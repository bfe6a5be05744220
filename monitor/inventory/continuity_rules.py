"""What of sites, data and plans does not go together: looked at when each is right in itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from failover.model import (
    PROMOTING,
    Continuity,
    DataSet,
    DataSetId,
    Guarded,
    Isolation,
    Leases,
    Mode,
    Plan,
    SiteId,
    Start,
    Steps,
    Token,
)
from failover.model import Site as Place
from failover.tasks import subject_of
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import say
from monitor.inventory.continuity_plans import DRILL_STEPS, STEPS, Drafted
from monitor.inventory.continuity_steps import Placed, actions_of
from monitor.inventory.model import Check, Inventory, Link
from monitor.inventory.privacy import private_names
from monitor.inventory.problems import Place as At
from monitor.inventory.scope import Scope, names_in
from monitor.inventory.yaml_nodes import ListNode, ScalarNode, TableNode
from runbooks.contract import Effect, Site


def look_at_order(drafted: Drafted, scope: Scope) -> None:
    """Note each step that promotes where it would do so before the old site is fenced."""
    for placed in _before_the_fence(drafted):
        if placed.work.step.kind in PROMOTING:
            message = say("{step} promotes, and here the old site is not yet fenced", step=placed.work.step.kind)
            hint = say("it belongs under promote: of the site that takes over")
            scope.problems.error(placed.at, placed.where, message, hint)


def _before_the_fence(drafted: Drafted) -> Iterator[Placed]:
    for site in drafted.plan.parts:
        yield from drafted.laid.placed(f"{drafted.where}.sites.{site}.stop")
    for n, _fence in enumerate(drafted.plan.fences, 1):
        for kind in ("isolation", "token"):
            yield from drafted.laid.placed(f"{drafted.where}.fences.{n}.{kind}.steps")


def look_at_start(drafted: Drafted, mode: Mode, long_after: timedelta, site: Site, scope: Scope) -> None:
    """Note a plan that is to begin by itself and could not, or could so only when it is too late."""
    plan, at, where = drafted.plan, drafted.at("start"), f"{drafted.where}.start"
    if plan.start is Start.PERSON:
        return
    if mode is not Mode.QUORUM:
        message = say("without three voters nothing moves by itself: a lost site and a cut link look alike")
        if plan.start is Start.ON_LOSS:
            hint = say("write start: person, or name three voters under leases: etcd")
            scope.problems.error(at, where, message, hint)
        else:
            scope.problems.warn(at, where, message, say("a person is asked at that age of the incident"))
    elif not any(_by_itself(plan, steps, site) for steps in _fences_of(plan, plan.active)):
        message = say("no fence of {site} does without a person, so that nothing can move by itself", site=plan.active)
        scope.problems.error(at, where, message, say("write start: person, or name a fence without a step ask"))
    latest = long_after - plan.rto
    if plan.by is not None and plan.by > latest:
        message = say(
            "a move that begins at {by} and takes {rto} ends when the interruption is long already: that is from "
            "{long} on",
            by=plan.by,
            rto=plan.rto,
            long=long_after,
        )
        hint = say(
            "{long} - rto = {latest}: write {better}, or earlier",
            long=long_after,
            latest=latest,
            better=f"by {latest // timedelta(minutes=1)} min",
        )
        scope.problems.error(at, where, message, hint)


def look_at_guards(drafted: Drafted, leases: Leases | None, scope: Scope) -> None:
    """Note a guard that nobody could tell anything: it would stop its site for good, and prove nothing."""
    if leases is not None and leases.etcd is not None:
        return
    for n, fence in enumerate(drafted.plan.fences, 1):
        if isinstance(fence, Guarded):
            message = say("a guard follows a lease that voters keep, and this inventory names none")
            hint = say("name the voters under leases: etcd, or another fence of {site}", site=fence.site)
            scope.problems.error(_of_list(drafted, "fences", n), f"{drafted.where}.fences.{n}.guard", message, hint)


def _of_list(drafted: Drafted, key: str, n: int) -> At:
    """Where the `n`th of the list under `key` stands, from 1."""
    listed = drafted.table.entries[key].value
    return listed.items[n - 1].at if isinstance(listed, ListNode) else drafted.at(key)


def look_at_incident(drafted: Drafted, continuity: Continuity, checks: Mapping[CheckId, Check], scope: Scope) -> None:
    """Warn of a plan that is to begin by itself, and waits for an incident that the loss of a site does not open.

    What is behind a gate of its own device is covered by that, and opens none. What stands at no site that runs a group
    sees the service wherever it runs.
    """
    plan = drafted.plan
    if plan.start is Start.PERSON or not plan.kinds:
        return
    devices = {site: continuity.sites[site].devices for site in (plan.active, plan.standby)}
    placed = {node for site in continuity.sites.values() if not site.witness for node in site.devices}
    elsewhere = [one for one in checks.values() if one.node not in placed]
    gated = {check.node for check in checks.values() if check.gate}
    for site, there in devices.items():
        first = [one for one in checks.values() if one.node in there and (one.gate or one.node not in gated)]
        if not first or any(one.kind in plan.kinds for one in (*first, *elsewhere)):
            continue
        message = say(
            "the loss of {site} opens no incident of the kind {kinds}, and the plan waits for one to begin by itself",
            site=site,
            kinds=", ".join(plan.kinds),
        )
        if site == plan.active:
            hint = say("write incident: {kind} at {check}", kind=plan.kinds[0], check=first[0].id)
        else:
            hint = say(
                "write incident: {kind} at a check that sees the service wherever it runs; or another kind at {check}, "
                "and that one beside {kind} in the plan: what fails where nothing runs interrupts nobody",
                kind=plan.kinds[0],
                check=first[0].id,
            )
        scope.problems.warn(drafted.at("incident"), f"{drafted.where}.incident", message, hint)


def _fences_of(plan: Plan, site: SiteId) -> Iterator[Steps]:
    """The steps of each fence of the site; the guard has none, for it acts by itself."""
    for fence in plan.fences_of(site):
        match fence:
            case Isolation(_, steps) | Token(_, steps):
                yield steps
            case _:
                yield ()


def _by_itself(plan: Plan, steps: Steps, site: Site) -> bool:
    about = subject_of(plan, plan.standby, site)
    return not any(action.asks for work in steps for action in work.step.actions(work.params, about))


def look_at_steps(drafted: Drafted, continuity: Continuity, site: Site, scope: Scope) -> None:
    """Note each step that can do nothing, and each of a drill that would disturb the site that runs."""
    plan = drafted.plan
    for name in plan.parts:
        for key in STEPS:
            for placed in drafted.laid.placed(f"{drafted.where}.sites.{name}.{key}"):
                actions_of(placed, subject_of(plan, name, site), scope)
        if plan.parts[name].drill is not None:
            _look_at_drill(drafted, name, continuity.sites[plan.other(name)], site, scope)
    for n, fence in enumerate(plan.fences, 1):
        for kind in ("isolation", "token"):
            for placed in drafted.laid.placed(f"{drafted.where}.fences.{n}.{kind}.steps"):
                actions_of(placed, subject_of(plan, plan.other(fence.site), site), scope)


def _look_at_drill(drafted: Drafted, name: SiteId, other: Place, site: Site, scope: Scope) -> None:
    where = f"{drafted.where}.sites.{name}.drill"
    for placed in (one for key in DRILL_STEPS for one in drafted.laid.placed(f"{where}.{key}")):
        for action in actions_of(placed, subject_of(drafted.plan, name, site), scope):
            if action.effect is Effect.DISRUPTS and action.target in other.devices:
                message = say(
                    "in a drill nothing may disrupt {device}: it stands at {site}, where the group runs",
                    device=action.target,
                    site=other.id,
                )
                hint = say("a drill brings up what stands at {site}, isolated", site=name)
                scope.problems.error(placed.at, placed.where, message, hint)
    if not other.devices:
        message = say(
            "nobody can see whether this drill leaves {site} alone: which devices stand there is not said",
            site=other.id,
        )
        hint = say("write {better}", better=f"sites.{other.id}.devices")
        scope.problems.warn(drafted.at("sites", name, "drill"), where, message, hint)


def look_at_verification(
    drafted: Drafted,
    continuity: Continuity,
    checks: Mapping[CheckId, Check],
    links: Mapping[NodeId, Link],
    scope: Scope,
) -> None:
    """Warn of a check that verifies one site and looks at a device of the other."""
    for name, entry in drafted.plan.parts.items():
        other = continuity.sites[drafted.plan.other(name)]
        where = f"{drafted.where}.sites.{name}.verify"
        table = drafted.table.get("sites")
        part = table.get(name) if isinstance(table, TableNode) else None
        words = {word.text: word for word in names_in(part.get("verify") if isinstance(part, TableNode) else None)}
        for check in entry.verify:
            node = checks[check].node
            device = links[node].device if node in links else node
            if device in other.devices and str(check) in words:
                message = say(
                    "{check} looks at {device}, which stands at {other}: it says nothing of {site}",
                    check=check,
                    device=device,
                    other=other.id,
                    site=name,
                )
                hint = say("name a check of a device at {site}", site=name)
                scope.problems.warn(words[str(check)].at, where, message, hint)


def look_at_data(drafted: list[Drafted], data: Mapping[DataSetId, DataSet], scope: Scope) -> None:
    """Warn of data that no plan moves, of plans without data, and of a ceiling above what a data set promises."""
    for one in drafted:
        plan = one.plan
        if not plan.data:
            message = say("this plan names no data: nobody can say what a move would lose")
            hint = say("write data: [...] with names out of datasets:")
            scope.problems.warn(scope.sections["plans"][plan.id].at, f"{one.where}.data", message, hint)
        for needed in (data[name] for name in plan.data):
            if plan.lag_ceiling > needed.rpo:
                message = say(
                    "up to {ceiling} would be lost without a person's word, and of {data} no more than {rpo} may be",
                    ceiling=plan.lag_ceiling,
                    data=needed.id,
                    rpo=needed.rpo,
                )
                hint = say("write {rpo} or less", rpo=needed.rpo)
                scope.problems.warn(one.at("lag_ceiling"), f"{one.where}.lag_ceiling", message, hint)
    moved = {str(name) for one in drafted for name in one.plan.data}
    for name, entry in scope.sections["datasets"].items():
        if name not in moved:
            message = say("no plan moves {data}", data=name)
            hint = say("name it under data: of the plan that needs it")
            scope.problems.warn(entry.at, f"datasets.{name}", message, hint)


def look_at_use(drafted: list[Drafted], continuity: Continuity, scope: Scope) -> None:
    """Warn of each site that could run a group, and of which no plan says that it does; a Relève may stand there."""
    used = {site for one in drafted for site in (one.plan.active, one.plan.standby)}
    for name, site in continuity.sites.items():
        if drafted and not (site.witness or site.releve or name in used):
            message = say("no plan moves anything to {site} or away from it", site=name)
            hint = say("name it in a plan, or write witness: true where it only holds a voter")
            scope.problems.warn(scope.sections["sites"][name].at, f"sites.{name}", message, hint)


def look_at_titles(scope: Scope, inventory: Inventory) -> None:
    """Warn of each title that names a machine or an address: the client reads it in the plan and in the report."""
    names = {name.casefold() for name in private_names(inventory) if name}
    for section in ("sites", "datasets", "plans"):
        for name, entry in scope.sections[section].items():
            title = entry.value.get("title") if isinstance(entry.value, TableNode) else None
            words = title.text if isinstance(title, ScalarNode) else name
            found = next((word for word in _words(words) if word in names), None)
            if found is not None:
                at = entry.at if title is None else title.at
                message = say("the client reads this in the plan and the report, and {name} is a machine", name=found)
                scope.problems.warn(at, f"{section}.{name}.title", message, say("give it a title that names none"))


def _words(text: str) -> Iterator[str]:
    yield text.casefold()
    yield from (word.strip(".,;:!?()") for word in text.casefold().split())
