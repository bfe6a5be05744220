"""Does a service run? By systemd on this machine; on Windows by the LAN Manager MIB, on any host by its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from monitor.core.text import N_, Text, say
from monitor.core.verdict import Severity, Verdict
from probes import local
from probes.contract import Io, ProbeFault, Target
from probes.local import ServiceSeen, ServiceState
from probes.names import folded, nearest
from probes.params import Params
from probes.snmp import Column, Snmp, as_int, as_text, open_snmp

SV_SVC = "1.3.6.1.4.1.77.1.2.3.1"
"""LanMgr-Mib-II-MIB svSvcEntry, as Windows' SNMP service fills it; it lists services that are not stopped."""
SV_NAME, SV_INSTALLED, SV_OPERATING = (f"{SV_SVC}.{n}" for n in (1, 2, 3))
INSTALLED = 4
"""svSvcInstalledState: uninstalled(1), install-pending(2), uninstall-pending(3), installed(4)."""
OPERATING = {
    1: ServiceState.RUNNING,
    2: ServiceState.STARTING,
    3: ServiceState.STOPPING,
    4: ServiceState.STOPPED,
}
"""svSvcOperatingState: active(1), continue-pending(2), pause-pending(3), paused(4)."""
HR_RUN_NAME = "1.3.6.1.2.1.25.4.2.1.2"
"""HOST-RESOURCES-MIB hrSWRunName."""
SEEN_BEFORE = "service"
"""Key of `Io.memory`: the name of the service, once it was seen."""
STATE_WORDS = {
    ServiceState.RUNNING: N_("runs"),
    ServiceState.STARTING: N_("is starting"),
    ServiceState.STOPPING: N_("is stopping"),
    ServiceState.STOPPED: N_("is stopped"),
    ServiceState.FAILED: N_("has failed"),
}


class ServiceParams(Params):
    """Keys of a check of kind `service`."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description=N_("the service's name: on Windows the one shown in its list of services")
    )
    process: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description=N_("by snmp instead of name: a program that must run, such as Onnet.exe")
    )
    expected: bool = Field(
        default=False,
        description=N_("by snmp: it exists under just this name, so that it is stopped if it was never seen running"),
    )
    via: Literal["local", "snmp"] = Field(default="local", description=N_("from where it is seen"))

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.name is None) == (self.process is None):
            raise ValueError("give either name (a service) or process (a program)")
        if self.process is not None and self.via == "local":
            raise ValueError("process is seen by snmp only")
        return self


@dataclass(frozen=True, slots=True)
class Listed:
    """A service or program as an agent lists it; `state` None: not in the list, which is `complete` or cut short.

    `before`: whether it was in the list at an earlier look, or the inventory vouches for its name; `known`: what is in
    the list, to name the nearest.
    """

    name: str
    state: ServiceState | None
    complete: bool = True
    before: bool = False
    known: tuple[str, ...] = ()


class Service:
    """Kind `service`."""

    kind: ClassVar[str] = "service"
    Params: ClassVar[type[ServiceParams]] = ServiceParams
    ways: ClassVar[tuple[str, ...]] = ("snmp", "local")
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (("uptime", "s"),)
    needs: ClassVar[Text] = say(
        "By snmp: a community or user that may read the services (1.3.6.1.4.1.77) or programs (1.3.6.1.2.1.25.4)."
    )

    async def observe(self, target: Target, params: ServiceParams, io: Io) -> ServiceSeen:
        """Return the service's state. Raises ProbeFault: it was never seen there, or we cannot look."""
        if params.via == "local":
            return await local.service(params.name or "", io)
        snmp = await open_snmp(target, io)
        before = params.expected or io.memory.get(SEEN_BEFORE) is not None
        listed = await (_windows(snmp, params.name, before) if params.name else _program(snmp, params, before))
        seen = settled(listed, target)
        if listed.state is not None:
            io.memory[SEEN_BEFORE] = listed.name
        return seen

    def judge(self, seen: ServiceSeen, params: ServiceParams) -> Verdict:
        """Running is OK, on its way is a WARNING, anything else CRITICAL."""
        metrics = () if seen.uptime is None else (params.metric("uptime", seen.uptime, "s", minimum=0),)
        severity = {
            ServiceState.RUNNING: Severity.OK,
            ServiceState.STARTING: Severity.WARNING,
            ServiceState.STOPPING: Severity.WARNING,
        }.get(seen.state, Severity.CRITICAL)
        if severity is Severity.OK and metrics:
            severity = metrics[0].severity
        word = Text(STATE_WORDS[seen.state])
        text = say("the service {name} {state}", name=seen.name, state=word)
        if seen.detail:
            text = say("{what} ({detail})", what=text, detail=seen.detail)
        return Verdict(severity, text, metrics, {"state": seen.state.value}, down=severity is Severity.CRITICAL)


async def _windows(snmp: Snmp, name: str, before: bool) -> Listed:
    names: Column = await snmp.walk(SV_NAME)
    shown = {index: as_text(value) for index, value in names.items()}
    index = next((index for index, one in shown.items() if folded(one) == folded(name)), None)
    if index is None:
        return Listed(name, None, names.complete, before, tuple(shown.values()))
    states = await snmp.get([f"{SV_INSTALLED}.{index}", f"{SV_OPERATING}.{index}"])
    state = OPERATING.get(as_int(states.get(f"{SV_OPERATING}.{index}")) or 1, ServiceState.STOPPED)
    if as_int(states.get(f"{SV_INSTALLED}.{index}")) not in (None, INSTALLED):
        state = ServiceState.STOPPED
    return Listed(shown[index], state, names.complete, before)


async def _program(snmp: Snmp, params: ServiceParams, before: bool) -> Listed:
    wanted = params.process or ""
    names: Column = await snmp.walk(HR_RUN_NAME)
    running = {as_text(value) for value in names.values()}
    found = next((one for one in running if folded(one) == folded(wanted)), None)
    state = None if found is None else ServiceState.RUNNING
    return Listed(found or wanted, state, names.complete, before, tuple(running))


def settled(listed: Listed, target: Target) -> ServiceSeen:
    """Return what a list says of the service.

    Missing from a complete list, one that was seen before is stopped: Windows lists only what is not. One that was
    never seen may be misspelt, unless the inventory says that it is expected: what was seen is forgotten when Relève
    restarts, and after a power cut it restarts together with the servers. A list that was cut short says nothing, nor
    does an empty one: something always runs. Raises ProbeFault for those.
    """
    if listed.state is not None:
        return ServiceSeen(listed.name, listed.state)
    if not listed.complete:
        raise ProbeFault(
            say("{device} did not list all that runs, so {name} may be missing", device=target.name, name=listed.name),
            say("Look whether its SNMP agent is overloaded"),
        )
    if not listed.known:
        raise ProbeFault(
            say("{device} lists nothing that runs", device=target.name),
            say("Let its SNMP agent show the services (on Windows: the SNMP Service feature and its community)"),
        )
    if listed.before:
        return ServiceSeen(listed.name, ServiceState.STOPPED)
    raise ProbeFault(
        say("{device} has never shown {name}: it is stopped, or named otherwise", device=target.name, name=listed.name),
        say(
            "Nearest names: {names}. If the name is right, say expected: true",
            names=nearest(listed.name, listed.known),
        ),
    )
