"""Services of a Linux host by supervisor (supervisord.org), as supervisorctl 3 and 4 print them."""

from __future__ import annotations

import re
import shlex
from typing import ClassVar

from monitor.core.text import N_, Text, say, verbatim
from probes.cleaning import one_line
from probes.ssh import Ran
from runbooks.services import (
    LONGEST_WORDS,
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

NAME = re.compile(r"(?!all\Z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,120})?")
"""A program or group:program; `all` and `group:*` would be many."""
PATH = re.compile(r"/[A-Za-z0-9_./-]{1,255}")
STATES = {
    "STOPPED": State.STOPPED,
    "STARTING": State.STARTING,
    "RUNNING": State.RUNNING,
    "BACKOFF": State.STARTING,
    "STOPPING": State.STOPPING,
    "EXITED": State.FAILED,
    "FATAL": State.FAILED,
}
"""supervisord.org, "Process States": in BACKOFF it is started again by itself, in EXITED and FATAL no more."""
LINE = re.compile(r"^(\S+)[ \t]+([A-Z]+)(?:[ \t]+(\S.*?))?[ \t]*$", re.MULTILINE)
PID = re.compile(r"\bpid (\d+)\b")
ERROR = re.compile(r"ERROR \(([^)\n]*)\)")
NEVER_STARTED = "Not started"
"""What is said of a program that was never started since supervisord was; never again after that."""
LOG_TAIL = 32_000
"""Octets of supervisord's own log in which the last start of a program is looked for."""
_ERRORS = {
    "no such process": (
        N_("{device} has no service {name}"),
        N_("Correct the name of the check in the inventory"),
    ),
    "no such group": (N_("{device} has no service {name}"), N_("Correct the name of the check in the inventory")),
    "spawn error": (
        N_("{name} could not be started, or ended at once"),
        N_("Look at supervisorctl tail {name} stderr on {device}"),
    ),
    "abnormal termination": (
        N_("{name} could not be started, or ended at once"),
        N_("Look at supervisorctl tail {name} stderr on {device}"),
    ),
    "no such file": (N_("the program of {name} is not there"), N_("Install it again, or correct its path")),
    "not executable": (N_("the program of {name} may not be executed"), N_("Correct its rights on {device}")),
}
_WHY = {"already started": Why.RUNS_ALREADY, "not running": Why.DOES_NOT_RUN}


class Supervisor:
    """Manager `supervisor`. `config`: path of its configuration, None for the usual places."""

    manager: ClassVar[Manager] = Manager.SUPERVISOR

    def __init__(self, config: str | None = None) -> None:
        """Raises StepFailed for a path that a shell would read more into."""
        if config is not None and PATH.fullmatch(config) is None:
            raise refuse_name(config, self.manager, say("Correct config in the runbook: an absolute path is expected"))
        self._config = config

    def proper(self, name: str) -> str:
        """Return `name` if it can be that of one program. Raises StepFailed."""
        if NAME.fullmatch(name) is None:
            raise refuse_name(name, self.manager)
        return name

    async def look(self, name: str, ask: Ask, *, closely: bool) -> ServiceNow:
        """Return how the program stands; `closely`: with the last start in supervisord's log as its marker."""
        now = read_state(name, await ask(self._command("status", self.proper(name))))
        if not closely or now.state in (State.ABSENT, State.UNKNOWN):
            return now
        marker = read_last_start(name, await ask(self._command("maintail", f"-{LOG_TAIL}"))) or now.marker
        return ServiceNow(name, now.state, now.pid, now.disabled, marker, now.detail)

    def start(self, key: str) -> str:
        """Return the command that starts it; it returns once the program has run for its `startsecs`."""
        return self._command("start", self.proper(key))

    def stop(self, key: str) -> str:
        """Return the command that stops it; it returns once it has ended."""
        return self._command("stop", self.proper(key))

    def refusal(self, key: str, ran: Ran, device: str) -> Refusal | None:
        """Return why it was refused, None for `NAME: started` and `NAME: stopped`."""
        found = ERROR.search(f"{ran.out}\n{ran.err}")
        if found is None and re.search(r": (started|stopped)$", ran.out, re.MULTILINE):
            return None
        error = found[1] if found else ""
        values = (("name", key), ("device", device))
        if error in _ERRORS:
            what, remedy = _ERRORS[error]
            return Refusal(Why.OTHER, Text(what, values), Text(remedy, values))
        text = say("supervisor refuses for {name}: {why}", name=key, why=verbatim(error) if error else words_of(ran))
        return Refusal(_WHY.get(error, Why.OTHER), text)

    def _command(self, verb: str, operand: str) -> str:
        config = "" if self._config is None else f"-c {shlex.quote(self._config)} "
        return f"supervisorctl {config}{verb} {shlex.quote(operand)}"


def read_state(name: str, ran: Ran) -> ServiceNow:
    """Return what `supervisorctl status` says of the program `name`."""
    found = next((line for line in LINE.finditer(ran.out) if line[1] == name), None)
    if found is None or found[2] not in STATES:
        absent = any(error in ran.out + ran.err for error in ("no such process", "no such group"))
        return ServiceNow(name, State.ABSENT if absent else State.UNKNOWN, detail=words_of(ran))
    state, said = STATES[found[2]], found[3] or ""
    pid = PID.search(said)
    detail = verbatim(one_line(f"{found[2]} {said}", LONGEST_WORDS)) if state.down else NO_WORDS
    marker = said if said == NEVER_STARTED else ""
    return ServiceNow(name, state, number(pid[1]) if pid else None, marker=marker, detail=detail)


def read_last_start(name: str, ran: Ran) -> str:
    """Return the last line of supervisord's log in which `name` was spawned or ended, empty when there is none.

    The line has the millisecond and the process, so it is another after every start (supervisord.org, "Activity Log").
    """
    program = re.escape(name.rpartition(":")[2])
    told = re.compile(rf"\b(spawned: '{program}' with pid|(exited|stopped|gave up|spawnerr|success): {program}\b)")
    lines = [line for line in ran.out.splitlines() if told.search(line)]
    return one_line(lines[-1], LONGEST_WORDS) if lines else ""
