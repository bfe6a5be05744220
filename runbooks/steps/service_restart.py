"""Step `service-restart`: the failing service, those that it needs and those that need it, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from monitor.core.ids import CheckId
from monitor.core.text import N_, say
from probes.params import Duration, Unfit
from probes.service import ServiceParams
from runbooks.contract import Action, Answer, CheckOf, Effect, Image, Io, Outcome, StepFailed, StepParams, Subject
from runbooks.service_moves import Patience, image_of, known, start, stop, was_started, was_stopped
from runbooks.services import Manager, Service, dialect_of, host_of, manager_of, name_of

LONGEST_SETTLE = timedelta(seconds=30)
"""A start shows by then at the latest: Windows gives a program so long to answer (ServicesPipeTimeout)."""


class ServiceRestartParams(StepParams):
    """Keys of a step `service-restart`."""

    running: Literal["leave", "restart"] = Field(
        default="leave", description=N_("leave: only what does not run is started; restart: all is stopped before")
    )
    starts_within: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        default=timedelta(seconds=60), description=N_("how long a service may take to start, or to stop")
    )
    stays: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        default=timedelta(seconds=10), description=N_("how long it must run to count as started")
    )
    manager: Manager | None = Field(
        default=None, description=N_("what runs the services; absent: sc on Windows, systemd on Linux")
    )
    config: str | None = Field(default=None, description=N_("of supervisor: path of its configuration"))
    check: CheckId | None = Field(
        default=None, description=N_("only the service of this check; absent: that of the incident, in its order")
    )
    verb: Literal["start", "stop"] = Field(default="start", description=N_("with check: what is done to it"))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.verb == "stop" and self.check is None:
            raise Unfit(say("verb: stop needs check: which service is meant"))
        if self.config is not None and self.manager is not Manager.SUPERVISOR:
            raise Unfit(say("config belongs to manager: supervisor"))
        return self


class ServiceRestart:
    """Kind `service-restart`."""

    kind: ClassVar[str] = "service-restart"
    Params: ClassVar[type[ServiceRestartParams]] = ServiceRestartParams

    def actions(self, params: ServiceRestartParams, subject: Subject) -> tuple[Action, ...]:
        """Return one start a service, what is needed first; to restart, one stop each before, in reverse order.

        Only the stops disrupt: to start what does not run interrupts nobody. Raises StepFailed when something in that
        order is no service, cannot be named to its manager, or needs itself.
        """
        if params.check is not None:
            return (_action(params, _check(subject, params.check), params.verb),)
        order = [_check(subject, one) for one in order_of(subject)]
        starts = [_action(params, check, "start") for check in order]
        if params.running == "leave":
            return tuple(starts)
        return (*(_action(params, check, "stop") for check in reversed(order)), *starts)

    async def before(self, params: ServiceRestartParams, subject: Subject, io: Io) -> Image:
        """Return how the service stands. Raises StepFailed when that cannot be seen."""
        service = _service(params, subject, io)
        return image_of(await known(service), service.dialect.manager.value)

    async def apply(self, params: ServiceRestartParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Start or stop it, and wait until it stands so. Raises StepFailed or StepUncertain."""
        service = _service(params, subject, io, str(before["key"]))
        patience = Patience(params.starts_within.total_seconds(), params.stays.total_seconds())
        if params.verb == "stop":
            return await stop(service, patience)
        optional = (params.check or subject.check) not in needed(subject)
        return await start(service, patience, disabled=bool(before["disabled"]), optional=optional)

    async def done(self, params: ServiceRestartParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return whether it was started or stopped since `before`."""
        service = _service(params, subject, io, str(before["key"]))
        was = was_stopped if params.verb == "stop" else was_started
        return await was(service, before, params.starts_within.total_seconds())


def needed(subject: Subject) -> frozenset[CheckId]:
    """Return the subject's check and all that it needs, step by step."""
    return frozenset(_reached(subject.check, {one.id: one.needs for one in subject.site.checks.values()}))


def order_of(subject: Subject) -> tuple[CheckId, ...]:
    """Return the checks whose services are to run: what the subject needs, itself, and what needs it, in that order.

    What needs it is told only where the inventory says `expected: true`: nobody else vouches that it should run.
    Raises StepFailed for a circle.
    """
    checks = subject.site.checks
    needs = {one.id: one.needs for one in checks.values()}
    needing: dict[CheckId, tuple[CheckId, ...]] = {}
    for one in checks.values():
        for other in one.needs:
            needing[other] = (*needing.get(other, ()), one.id)
    before, behind = needed(subject), frozenset(_reached(subject.check, needing))
    near = before | behind
    graph = {one: [other for other in needs.get(one, ()) if other in near] for one in sorted(near)}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ", ".join(str(one) for one in error.args[1])
        raise StepFailed(
            say("services need one another in a circle: {names}", names=circle),
            remedy=say("Correct needs in the inventory"),
        ) from error
    return tuple(one for one in order if one in before or _expected(checks.get(one)))


def _reached(first: CheckId, edges: Mapping[CheckId, tuple[CheckId, ...]]) -> Iterator[CheckId]:
    seen, waiting = {first}, [first]
    while waiting:
        one = waiting.pop()
        yield one
        fresh = [other for other in edges.get(one, ()) if other not in seen]
        seen.update(fresh)
        waiting += fresh


def _expected(check: CheckOf | None) -> bool:
    return check is not None and isinstance(check.params, ServiceParams) and check.params.expected


def _check(subject: Subject, check: CheckId) -> CheckOf:
    found = subject.site.checks.get(check)
    if found is None:
        raise StepFailed(say("the inventory no longer has the check {check}", check=check))
    return found


def _action(params: ServiceRestartParams, check: CheckOf, verb: Literal["start", "stop"]) -> Action:
    """Return what is done to the service of `check`. Raises StepFailed while it can still be corrected."""
    name, host = name_of(check), host_of(check)
    dialect_of(params.manager or manager_of(host), params.config).proper(name)
    own = params.model_copy(update={"check": check.id, "verb": verb})
    if verb == "stop":
        said = say("stop the service {name} on {device}", name=name, device=check.node)
    else:
        said = say("start the service {name} on {device} unless it runs", name=name, device=check.node)
    return Action(
        step=ServiceRestart.kind,
        params=own.model_dump(mode="json", exclude_defaults=True),
        target=check.node,
        effect=Effect.DISRUPTS if verb == "stop" else Effect.CHANGES,
        said=said,
        settle=min(params.starts_within, LONGEST_SETTLE),
    )


def _service(params: ServiceRestartParams, subject: Subject, io: Io, key: str | None = None) -> Service:
    check = _check(subject, params.check or subject.check)
    host = host_of(check)
    dialect = dialect_of(params.manager or manager_of(host), params.config)
    return Service(io.hosts, host, dialect, key or name_of(check))
