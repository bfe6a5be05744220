"""What Windows' service control manager says by numbers, whatever its language, and what each means to people.

Sources: winsvc.h (SERVICE_STATUS), "System Error Codes (1000-1299)", learn.microsoft.com.
"""

from __future__ import annotations

import re
from typing import Final

from monitor.core.text import N_, Text, say
from probes.ssh import Ran
from runbooks.services import NO_WORDS, Manager, Refusal, State, Why, refuse_name, words_of

STATES: Final = {
    1: State.STOPPED,
    2: State.STARTING,
    3: State.STOPPING,
    4: State.RUNNING,
    5: State.STARTING,
    6: State.STOPPING,
    7: State.PAUSED,
}
"""SERVICE_STOPPED, _START_PENDING, _STOP_PENDING, _RUNNING, _CONTINUE_PENDING, _PAUSE_PENDING, _PAUSED."""
ABSENT, RUNS_ALREADY, NOT_RUNNING, NEVER_STARTED, OF_ITS_OWN = 1060, 1056, 1062, 1077, 1066
NAME = re.compile(r"[\w(][\w .,:#+()/@'\u2019-]{0,255}")
"""What key names and display names are made of; what cmd.exe or PowerShell read between double quotes is left out."""
WITH_DOLLAR = re.compile(r"[\w(][\w .,:#+()/@'\u2019&$-]{0,255}")
"""Where no shell reads the name: those of named instances have a dollar, such as MSSQL$SQLEXPRESS."""
_CHECK_LOG = N_("Look into the event log of {device} (System, source Service Control Manager)")
_SENTENCES: Final = {
    2: (N_("the program of {name} is not there"), N_("Install it again, or correct its path")),
    3: (N_("the folder of the program of {name} is not there"), N_("Install it again, or correct its path")),
    5: (
        N_("Relève may not start or stop {name}"),
        N_("Give its user on {device} the right to it: an administrator, or sc.exe sdset"),
    ),
    1051: (
        N_("{name} cannot be stopped while services that need it run"),
        N_("Name those services with needs in the inventory, so that they are stopped first"),
    ),
    1052: (N_("{name} cannot be stopped"), _CHECK_LOG),
    1053: (N_("{name} did not answer the request to start in time"), _CHECK_LOG),
    1054: (N_("{name} could not start a thread"), N_("Look whether {device} has memory left")),
    1055: (N_("the service database of {device} is locked"), N_("Another service is being changed: try again later")),
    RUNS_ALREADY: (N_("{name} runs already"), ""),
    1057: (
        N_("the account of {name} is not valid"),
        N_("Set its account and password in its properties (Log On)"),
    ),
    1058: (
        N_("{name} is disabled"),
        N_("Somebody disabled it: if it is to run, set its start type with sc.exe config"),
    ),
    1059: (N_("{name} needs itself in a circle of services"), N_("Correct its dependencies on {device}")),
    ABSENT: (N_("{device} has no service {name}"), N_("Correct the name of the check in the inventory")),
    1061: (N_("{name} takes no orders at this moment"), _CHECK_LOG),
    NOT_RUNNING: (N_("{name} does not run"), ""),
    OF_ITS_OWN: (N_("{name} ended with an error of its own"), _CHECK_LOG),
    1067: (N_("the process of {name} ended unexpectedly"), _CHECK_LOG),
    1068: (N_("a service that {name} needs did not start"), _CHECK_LOG),
    1069: (
        N_("the log-in of the account of {name} failed"),
        N_("Set its account and password in its properties (Log On)"),
    ),
    1070: (N_("{name} hung while it was starting"), _CHECK_LOG),
    1072: (N_("{name} is about to be deleted"), N_("Restart {device}, or install the service again")),
    1075: (N_("a service that {name} needs does not exist"), N_("Correct its dependencies on {device}")),
    1079: (
        N_("the account of {name} is another than that of its process"),
        N_("Set its account and password in its properties (Log On)"),
    ),
}
_WHY = {RUNS_ALREADY: Why.RUNS_ALREADY, NOT_RUNNING: Why.DOES_NOT_RUN}


def refusal_of(code: int, name: str, device: str) -> Refusal:
    """Return what the error `code` means for the service `name`."""
    values = (("name", name), ("device", device))
    if code not in _SENTENCES:
        text = say("Windows refuses with error {code} for {name}", code=code, name=name)
        return Refusal(Why.OTHER, text, Text(_CHECK_LOG, values))
    what, remedy = _SENTENCES[code]
    return Refusal(_WHY.get(code, Why.OTHER), Text(what, values), Text(remedy, values) if remedy else None)


def senseless(ran: Ran, name: str, device: str) -> Refusal:
    """Return what an answer without any number means: the host's shell or its PowerShell did not understand us."""
    return Refusal(
        Why.OTHER,
        say("{device} did not do as it was told with {name}: {why}", device=device, name=name, why=words_of(ran)),
        say("Try the log-in by hand, and check manager in the runbook"),
    )


def proper_windows(name: str, manager: Manager) -> str:
    """Return `name` if it can be one and the way to Windows carries it unharmed. Raises StepFailed."""
    if WITH_DOLLAR.fullmatch(name) is None:
        raise refuse_name(name, manager)
    if manager is Manager.SC and NAME.fullmatch(name) is None:
        remedy = say("Write manager: powershell in the runbook: for sc.exe a shell would read $ and & in the name")
        raise refuse_name(name, manager, remedy)
    return name


def stopped(code: int, own: int, name: str) -> tuple[State, str, Text]:
    """Return state, marker and words of a service that does not run, from its exit `code` and its `own` one.

    1077 says that no start was tried since the boot (ERROR_SERVICE_NEVER_STARTED): the one thing that proves it.
    """
    if code in (0, NEVER_STARTED):
        return State.STOPPED, str(code or ""), NO_WORDS
    if code == OF_ITS_OWN:
        return State.FAILED, "", say("it ended with error {code} of its own", code=own)
    return State.FAILED, "", refusal_of(code, name, "").text
