"""Services on hosts: how each service manager is asked how one stands, and told to start or stop it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from importlib import import_module
from typing import Any, ClassVar, Final, Protocol

from monitor.core.text import Text, say, verbatim
from probes.access import SshAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.service import ServiceParams
from probes.ssh import WINDOWS, HostFault, Hosts, Ran, is_here
from runbooks.contract import CheckOf, StepFailed

ASK_WITHIN = 20.0
"""Seconds that a host may take to say how a service stands, the connection included."""
TELL_WITHIN = 45.0
"""Seconds that it may take to accept a start: Windows waits 30 s for the program to answer (ServicesPipeTimeout)."""
NO_WORDS: Final = Text("")
LONGEST_WORDS = 300
"""Characters of a manager's own words that are shown."""


class Manager(StrEnum):
    """What runs the services of a host."""

    SC = "sc"
    """Windows by sc.exe, which is on every one."""
    POWERSHELL = "powershell"
    """Windows by PowerShell 3 or later; for names that no shell would leave alone."""
    SYSTEMD = "systemd"
    SUPERVISOR = "supervisor"


class State(StrEnum):
    """How a service stands. UNKNOWN: the manager did not say; FAILED: it ended, and not because it was told to."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    PAUSED = "paused"
    ABSENT = "absent"
    UNKNOWN = "unknown"

    @property
    def moving(self) -> bool:
        """Whether it is on its way to another state."""
        return self in (State.STARTING, State.STOPPING)

    @property
    def down(self) -> bool:
        """Whether it may be started."""
        return self in (State.STOPPED, State.FAILED)


@dataclass(frozen=True, slots=True)
class ServiceNow:
    """How a service stands now.

    `key`: the name by which its manager knows it. `pid`: of its process, None if there is none or it is not told.
    `disabled`: its manager would refuse to start it. `marker`: not the same after a start that was accepted, empty
    where that cannot be told. `detail`: what else the manager says, such as why it ended.
    """

    key: str
    state: State
    pid: int | None = None
    disabled: bool = False
    marker: str = ""
    detail: Text = NO_WORDS


class Why(Enum):
    """Why a manager did not do as it was told, as far as that matters to what is done next."""

    RUNS_ALREADY = "runs already"
    DOES_NOT_RUN = "does not run"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A manager's no: `text` and `remedy` for people."""

    why: Why
    text: Text
    remedy: Text | None = None


Ask = Callable[[str], Awaitable[Ran]]
"""Runs a command on the service's host and returns what came of it; raises HostFault."""


class Dialect(Protocol):
    """How one service manager is spoken to. Stateless; only `look` does IO, by what it is given for it."""

    manager: ClassVar[Manager]

    def proper(self, name: str) -> str:
        """Return `name` if it can be one, and no shell would read more into it. Raises StepFailed."""
        ...

    async def look(self, name: str, ask: Ask, *, closely: bool) -> ServiceNow:
        """Return how the service `name` stands; `closely`: with its marker, where that takes another question."""
        ...

    def start(self, key: str) -> str:
        """Return the command that starts it. Pure."""
        ...

    def stop(self, key: str) -> str:
        """Return the command that stops it. Pure."""
        ...

    def refusal(self, key: str, ran: Ran, device: str) -> Refusal | None:
        """Return why `start` or `stop` was refused, None when it was accepted. Pure."""
        ...


_DIALECTS = {
    Manager.SC: "runbooks.service_sc:Sc",
    Manager.POWERSHELL: "runbooks.service_powershell:PowerShell",
    Manager.SYSTEMD: "runbooks.service_systemd:Systemd",
    Manager.SUPERVISOR: "runbooks.service_supervisor:Supervisor",
}


def dialect_of(manager: Manager, config: str | None = None) -> Dialect:
    """Return how `manager` is spoken to. `config`: path of the configuration of supervisor. Raises StepFailed."""
    module, _, name = _DIALECTS[manager].partition(":")
    made = getattr(import_module(module), name)
    dialect: Dialect = made(config) if manager is Manager.SUPERVISOR else made()
    return dialect


def manager_of(target: Target) -> Manager:
    """Return what runs the services of `target`, by its platform. Raises StepFailed where nobody says."""
    access = target.access.get("ssh")
    if is_here(target):
        return Manager.SYSTEMD
    platform = access.platform if isinstance(access, SshAccess) else None
    if platform is not None and platform.casefold() in (WINDOWS, "linux"):
        return Manager.SC if platform.casefold() == WINDOWS else Manager.SYSTEMD
    raise StepFailed(
        say("nobody says what runs the services of {device}", device=target.name),
        remedy=say("Write platform: windows or platform: linux under ssh of the device, or manager in the runbook"),
    )


def host_of(check: CheckOf) -> Target:
    """Return where the service of `check` is started: what is seen from inside is on this machine."""
    if getattr(check.params, "via", None) == "local":
        return Target(check.target.name, "127.0.0.1")
    return check.target


def name_of(check: CheckOf) -> str:
    """Return the name of the service that `check` watches. Raises StepFailed when it watches something else."""
    if not isinstance(check.params, ServiceParams):
        raise StepFailed(say("{check} watches no service", check=check.id))
    if check.params.name is None:
        raise StepFailed(
            say("{check} watches a program, and only a service can be started", check=check.id),
            remedy=say("Give the check name, the service's name, instead of process"),
        )
    return check.params.name


@dataclass(frozen=True, slots=True)
class Service:
    """One service on its host. `name`: as the inventory has it, until its manager's own `key` is known."""

    hosts: Hosts
    target: Target
    dialect: Dialect
    name: str

    async def look(self, *, closely: bool = False, within: float = ASK_WITHIN) -> ServiceNow:
        """Return how it stands. Raises HostFault, and StepFailed for a name that cannot be."""
        self.dialect.proper(self.name)

        async def ask(command: str) -> Ran:
            return await self.hosts.run(self.target, command, within=within)

        return await self.dialect.look(self.name, ask, closely=closely)

    async def tell(self, command: str, within: float = TELL_WITHIN) -> Ran:
        """Run a command of the dialect. Raises HostFault."""
        return await self.hosts.run(self.target, command, within=within)


def failed(fault: HostFault) -> StepFailed:
    """Return what a fault of the host is to a step that did nothing to it."""
    return StepFailed(fault.text, remedy=fault.remedy)


def words_of(ran: Ran) -> Text:
    """Return what a manager said, on one line: its complaints if there are any."""
    said = ran.err.strip() or ran.out.strip()
    return verbatim(one_line(said, LONGEST_WORDS)) if said else say("nothing")


def refuse_name(name: str, manager: Manager, remedy: Text | None = None) -> StepFailed:
    """Return the refusal of a name that cannot be one, or in which a shell would read more."""
    return StepFailed(
        say("{name} cannot be the name of a service of {manager}", name=one_line(repr(name)), manager=manager.value),
        remedy=remedy or say("Correct the name of the check in the inventory"),
    )


def number(text: Any) -> int | None:
    """Return a decimal number above zero, None for anything else."""
    found = re.fullmatch(r"\s*(\d{1,10})\s*", str(text))
    return int(found[1]) or None if found else None
