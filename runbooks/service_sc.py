"""Services of Windows by sc.exe: numbers are read, never words, for it speaks the language of the installation.

Its exit code does not come whole by SSH (asyncssh keeps eight bits of 1060), so the code is read where it is printed.
"""

from __future__ import annotations

import re
from typing import ClassVar

from probes.ssh import Ran
from runbooks.service_windows import ABSENT, STATES, proper_windows, refusal_of, senseless, stopped
from runbooks.services import NO_WORDS, Ask, Manager, Refusal, ServiceNow, State, number, words_of

CODE = re.compile(r"^\[SC\][^\n]*?(\d+)\s*:\s*$", re.MULTILINE)
"""`[SC] StartService FAILED 1058:`, in French `[SC] StartService échec(s) 1058 :`."""
ROW = re.compile(r"^[ \t]+[^:\n]+:[ \t]*(0x[0-9a-fA-F]+|\d+)\b", re.MULTILINE)
"""`        STATE              : 4  RUNNING`, in French `ÉTAT`; the name of the service stands at the margin."""
KEY = re.compile(r"^[ \t]*\w+[ \t]*=[ \t]*(\S[^\n]*?)[ \t]*$", re.MULTILINE)
"""`Name = MSSQLSERVER`, in French `Nom = MSSQLSERVER`."""
TYPE, STATE, EXIT, OWN_EXIT, CHECKPOINT, WAIT_HINT, PID = range(7)
"""Order of the rows of queryex; `start` prints the same, `query` and `stop` without the process."""
START_TYPE, DISABLED = 1, "4"
"""Row of qc, and SERVICE_DISABLED (winsvc.h)."""


class Sc:
    """Manager `sc`."""

    manager: ClassVar[Manager] = Manager.SC

    def proper(self, name: str) -> str:
        """Return `name` if no shell of Windows reads more into it. Raises StepFailed."""
        return proper_windows(name, self.manager)

    async def look(self, name: str, ask: Ask, *, closely: bool) -> ServiceNow:
        """Return how it stands, found by its key name or by the name that people see. Raises HostFault, StepFailed."""
        now = read_state(name, await ask(command("queryex", self.proper(name))))
        if now.state is State.ABSENT:
            key = read_key(await ask(command("GetKeyName", name)))
            if key is None:
                return now
            now = read_state(key, await ask(command("queryex", self.proper(key))))
        if now.state.down and closely:
            disabled = read_disabled(await ask(command("qc", now.key)))
            return ServiceNow(now.key, now.state, now.pid, disabled, now.marker, now.detail)
        return now

    def start(self, key: str) -> str:
        """Return the command that starts it; it returns before the service runs."""
        return command("start", self.proper(key))

    def stop(self, key: str) -> str:
        """Return the command that stops it; it returns before the service has ended."""
        return command("stop", self.proper(key))

    def refusal(self, key: str, ran: Ran, device: str) -> Refusal | None:
        """Return why it was refused: anything but the rows of a service that is on its way is a refusal."""
        code = code_of(ran)
        if code is not None:
            return refusal_of(code, key, device)
        return None if len(rows(ran.out)) > STATE else senseless(ran, key, device)


def command(verb: str, name: str) -> str:
    """Return a command for cmd.exe and PowerShell alike; plain `sc` is another command in PowerShell."""
    return f'sc.exe {verb} "{name}"'


def code_of(ran: Ran) -> int | None:
    """Return the error that sc.exe printed, None when it printed none."""
    found = CODE.search(f"{ran.out}\n{ran.err}")
    return int(found[1]) if found else None


def rows(out: str) -> list[str]:
    """Return the numbers of its rows, in order."""
    return [found[1] for found in ROW.finditer(out)]


def read_state(name: str, ran: Ran) -> ServiceNow:
    """Return what `queryex` says of the service `name`."""
    if code_of(ran) == ABSENT:
        return ServiceNow(name, State.ABSENT)
    found = rows(ran.out)
    state = STATES.get(number(found[STATE]) or 0) if len(found) > OWN_EXIT else None
    if state is None:
        code = code_of(ran)
        return ServiceNow(
            name, State.UNKNOWN, detail=words_of(ran) if code is None else refusal_of(code, name, "").text
        )
    marker, detail = "", NO_WORDS
    if state is State.STOPPED:
        state, marker, detail = stopped(number(found[EXIT]) or 0, number(found[OWN_EXIT]) or 0, name)
    pid = number(found[PID]) if len(found) > PID else None
    return ServiceNow(name, state, pid, marker=marker, detail=detail)


def read_key(ran: Ran) -> str | None:
    """Return the key name that `GetKeyName` found, None when nothing is shown under that name."""
    if code_of(ran) is not None:
        return None
    found = KEY.search(ran.out)
    return found[1] if found else None


def read_disabled(ran: Ran) -> bool:
    """Return whether `qc` says that it is disabled."""
    found = rows(ran.out)
    return len(found) > START_TYPE and found[START_TYPE] == DISABLED
