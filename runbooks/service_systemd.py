"""Services of a Linux host by systemd: properties of the unit are read, and jobs are enqueued without waiting.

Sources: systemctl(1), org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import shlex
from typing import ClassVar

from monitor.core.text import say, verbatim
from probes.contract import ProbeFault
from probes.local import UNIT_NAME, properties, service_of
from probes.ssh import Ran
from runbooks.services import (
    NO_WORDS,
    Ask,
    Manager,
    Refusal,
    ServiceNow,
    State,
    Why,
    number,
    refuse_name,
    words_of,
)

SHOWN = (
    "LoadState",
    "ActiveState",
    "SubState",
    "MainPID",
    "Job",
    "InvocationID",
    "NRestarts",
    "StateChangeTimestampMonotonic",
    "Result",
)
MARKS = ("InvocationID", "NRestarts", "StateChangeTimestampMonotonic")
"""What every start changes; a job that failed before it touched the unit leaves them, and nothing of it is left."""
MASKED = "masked"
NO_RIGHT = ("authentication required", "access denied", "not authorized", "permission denied")
"""What systemctl says when polkit or D-Bus refuses (it is not translated)."""


class Systemd:
    """Manager `systemd`, on this machine or by SSH."""

    manager: ClassVar[Manager] = Manager.SYSTEMD

    def proper(self, name: str) -> str:
        """Return `name` if it can be that of a unit (systemd.unit(5)). Raises StepFailed."""
        if UNIT_NAME.fullmatch(name) is None:
            raise refuse_name(name, self.manager)
        return name

    async def look(self, name: str, ask: Ask, *, closely: bool) -> ServiceNow:
        """Return how the unit stands. Raises HostFault, StepFailed."""
        wanted = f"--property={','.join(SHOWN)}"
        return read_state(name, await ask(command("show", wanted, name=self.proper(name))))

    def start(self, key: str) -> str:
        """Return the command that starts it; it returns once the job is accepted."""
        return command("start", "--no-block", name=self.proper(key))

    def stop(self, key: str) -> str:
        """Return the command that stops it; it returns once the job is accepted."""
        return command("stop", "--no-block", name=self.proper(key))

    def refusal(self, key: str, ran: Ran, device: str) -> Refusal | None:
        """Return why the job was refused, None when it was accepted."""
        if ran.status == 0:
            return None
        said = f"{ran.err}\n{ran.out}".casefold()
        if any(words in said for words in NO_RIGHT):
            return Refusal(
                Why.OTHER,
                say("Relève may not start or stop {name}", name=key),
                say("Let its user on {device} do it, by a rule of polkit for org.freedesktop.systemd1", device=device),
            )
        text = say("systemd refuses for {name}: {why}", name=key, why=words_of(ran))
        return Refusal(Why.OTHER, text, say("Look at systemctl status {name} on {device}", name=key, device=device))


def command(verb: str, option: str, *, name: str) -> str:
    """Return a command for sh, and for this machine where there is none."""
    return f"systemctl --no-ask-password --no-pager {verb} {option} -- {shlex.quote(name)}"


def read_state(name: str, ran: Ran) -> ServiceNow:
    """Return what `systemctl show` says of the unit `name`."""
    shown = properties(ran.out)
    try:
        seen = service_of(name, shown, 0.0)
    except ProbeFault:
        return ServiceNow(name, State.UNKNOWN, detail=words_of(ran))
    if seen is None:
        return ServiceNow(name, State.ABSENT)
    state = State(seen.state.value)
    if state.down and number(shown.get("Job")) is not None:
        state = State.STARTING
    words = NO_WORDS
    if state.down and shown.get("Result", "success") != "success":
        words = verbatim(f"{seen.detail}, {shown['Result']}")
    marker = " ".join(shown.get(mark, "") for mark in MARKS) if all(mark in shown for mark in MARKS) else ""
    return ServiceNow(name, state, number(shown.get("MainPID")), shown.get("LoadState") == MASKED, marker, words)
