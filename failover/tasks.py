"""What a move does, one action after another: the dry run of a plan, in the order that is fixed for its direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from failover.model import Drill, Guarded, Isolation, Part, Plan, SiteId, Steps, Token
from failover.phases import ORDER, Direction, Phase
from failover.run import Move
from failover.task import Task
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import say
from runbooks import registry
from runbooks.contract import Site, Step, StepFailed, StepParams, Subject

NOTHING = Part()


def subject_of(plan: Plan, site: SiteId, at: Site) -> Subject:
    """Return what a step of the part of `site` is about: the first check that verifies it, for no check has failed.

    Raises StepFailed where the plan has no such check, or the inventory does not.
    """
    verify = plan.parts.get(site, NOTHING).verify
    check = verify[0] if verify else CheckId("")
    if check not in at.checks:
        raise StepFailed(
            say("plan {plan} has no check that verifies {site}", plan=plan.id, site=plan.called(site)),
            remedy=say("Give one under `verify` in the inventory"),
        )
    return Subject(check, at)


def tasks_of(plan: Plan, direction: Direction, source: SiteId, target: SiteId, at: Site) -> tuple[Task, ...]:
    """Return every task of a move of `plan` from `source` to `target`, in order; of a drill, at `target`.

    Those of the phase BACK stand at the end: they take the place of what would follow when the old site is stopped and
    cannot be fenced. `at`: what the inventory has. Raises StepFailed when a step cannot apply.
    """
    phases = ORDER[direction]
    if direction.planned:
        phases = (*phases, Phase.BACK)
    return tuple(task for phase in phases for task in _of(plan, phase, source, target, at))


def _of(plan: Plan, phase: Phase, source: SiteId, target: SiteId, at: Site) -> Iterator[Task]:
    old, new = plan.parts.get(source, NOTHING), plan.parts.get(target, NOTHING)
    drill = new.drill or Drill((), (), ())
    match phase:
        case Phase.STOP:
            yield from _tasks(plan, phase, (old.stop,), source, at)
        case Phase.FENCE:
            yield from _fencing(plan, source, target, at)
        case Phase.PROMOTE:
            yield from _tasks(plan, phase, (new.promote,), target, at)
        case Phase.START:
            yield from _tasks(plan, phase, new.start, target, at)
        case Phase.SWITCH:
            yield from _tasks(plan, phase, (new.switch,), target, at)
        case Phase.BACK:
            yield from _tasks(plan, phase, old.start, source, at)
        case Phase.UP:
            yield from _tasks(plan, phase, (drill.up,), target, at)
        case Phase.DOWN:
            yield from _tasks(plan, phase, (drill.down,), target, at)


def _fencing(plan: Plan, source: SiteId, target: SiteId, at: Site) -> Iterator[Task]:
    """The steps of each fence of the old site. They are run from elsewhere, so they are about the new one."""
    for number, fence in enumerate(plan.fences_of(source)):
        match fence:
            case Isolation(_, steps) | Token(_, steps):
                yield from _tasks(plan, Phase.FENCE, (steps,), target, at, number)
            case Guarded():
                continue


def _tasks(
    plan: Plan, phase: Phase, groups: tuple[Steps, ...], site: SiteId, at: Site, fence: int | None = None
) -> Iterator[Task]:
    if not any(groups):
        return
    subject = subject_of(plan, site, at)
    for number, group in enumerate(groups):
        for work in group:
            for action in work.step.actions(work.params, subject):
                yield Task(phase, number, site, action, fence)


def step_of(move: Move, plan: Plan, task: Task, at: Site) -> tuple[Step[Any], StepParams, Subject]:
    """Return the step of `task` of `move`, its keys and what it is about.

    Raises StepFailed where it would be another by now: what was planned, and perhaps approved, for one device must not
    be done to another that took its name.
    """
    now = tasks_of(plan, move.direction, move.source, move.target, at)
    if all(_meant(task) != _meant(one) for one in now):
        raise StepFailed(
            say("the inventory has changed, and this is not in the plan any more: {what}", what=task.action.said)
        )
    step = registry.load(task.action.step)
    about = move.target if task.phase is Phase.FENCE else task.site
    return step, step.Params.model_validate(dict(task.action.params)), subject_of(plan, about, at)


def _meant(task: Task) -> tuple[Phase, int, SiteId, str, dict[str, Any], NodeId]:
    action = task.action
    return task.phase, task.group, task.site, action.step, dict(action.params), action.target
