"""The steps of a plan, read as those of a runbook are, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from failover.model import Work
from monitor.core.text import N_, say
from monitor.inventory.problems import NOTHING, Place
from monitor.inventory.repairs import read_step
from monitor.inventory.scope import Scope, refer
from monitor.inventory.yaml_nodes import ListNode, Node, TableNode
from runbooks.contract import Action, StepFailed, Subject

OF_THE_INCIDENT: Mapping[str, str] = {
    "service-restart": "check",
    "wait-for-check": "check",
    "archive": "recordings",
    "purge": "recordings",
}
"""Keys that a step of a runbook may leave out, because they follow from the check that failed; of others `device`.

In a plan no check has failed, so they are needed."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A step that is right in itself, the way of keys to it, and where it stands."""

    work: Work
    where: str
    at: Place


@dataclass(slots=True)
class Laid:
    """The steps of one plan: `groups` by the way of keys to their list (`plans.crm.sites.secours.start`)."""

    groups: dict[str, tuple[tuple[Placed, ...], ...]] = field(default_factory=dict)

    def of(self, where: str) -> tuple[tuple[Work, ...], ...]:
        """Return the groups under `where`."""
        return tuple(tuple(placed.work for placed in group) for group in self.groups.get(where, ()))

    def flat(self, where: str) -> tuple[Work, ...]:
        """Return the steps under `where`, one after the other."""
        return tuple(work for group in self.of(where) for work in group)

    def placed(self, where: str) -> Iterator[Placed]:
        """Return the steps under `where` with their places."""
        for group in self.groups.get(where, ()):
            yield from group


def lay(node: Node | None, where: str, laid: Laid, scope: Scope) -> None:
    """Read the list `node` of steps, or of groups of them, into `laid`; what is wrong is noted."""
    found: list[tuple[Placed, ...]] = []
    for n, item in enumerate(node.items if isinstance(node, ListNode) else (), 1):
        if isinstance(item, ListNode):
            inner = [_placed(step, f"{where}.{n}.{m}", scope) for m, step in enumerate(item.items, 1)]
        else:
            inner = [_placed(item, f"{where}.{n}", scope)]
        found.append(tuple(placed for placed in inner if placed is not None))
    laid.groups[where] = tuple(found)


def _placed(node: Node, where: str, scope: Scope) -> Placed | None:
    before = scope.problems.errors
    read = read_step(node, where, scope)
    if not isinstance(node, TableNode) or read is None:
        return None
    step, params = read
    for key, known, absent in (
        ("check", scope.checks, N_("there is no check {name}")),
        ("verify", scope.checks, N_("there is no check {name}")),
        ("device", scope.devices, N_("there is no device {name}")),
    ):
        if key in step.Params.model_fields:
            refer(node.get(key), known, f"{where}.{key}", absent, scope.problems)
    lacking = OF_THE_INCIDENT.get(step.kind, "device")
    if lacking in step.Params.model_fields and getattr(params, lacking) is None:
        message = say("{step} needs {key} here: in a plan no check has failed", step=step.kind, key=lacking)
        scope.problems.error(node.at, where, message, say("write {better}", better=f"{lacking}: ..."))
    return Placed(Work(step, params), where, node.at) if scope.problems.errors == before else None


def actions_of(placed: Placed, subject: Subject, scope: Scope) -> tuple[Action, ...]:
    """Return what the step would do; where it can do nothing, that is noted."""
    try:
        return placed.work.step.actions(placed.work.params, subject)
    except StepFailed as error:
        scope.problems.error(placed.at, placed.where, error.text, error.remedy or NOTHING)
        return ()
