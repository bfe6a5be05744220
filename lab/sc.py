"""`sc.exe` of the simulated Windows server: what it is asked, and what it writes, line by line as Windows does.

Source: Microsoft, "sc.exe query", "sc.exe start", "sc.exe stop", "sc.exe qc", "sc.exe getkeyname" and "System Error
Codes (1000-1299)" (learn.microsoft.com); the layout, trailing blanks included, is that of Windows Server 2019.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.scm import Code, Life, Phase, Scm, Service

INVALID_COMMAND_LINE = 1639
NOT_RECOGNIZED = 1
"""Exit code of cmd.exe for a program that is not there (what it gives a child process that asks)."""
NO_PROGRAM = "'{}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
MESSAGES: Mapping[Code, str] = {
    Code.DEPENDENTS_RUN: "A stop control has been sent to a service that other running services are dependent on.",
    Code.ALREADY_RUNNING: "An instance of the service is already running.",
    Code.DISABLED: (
        "The service cannot be started, either because it is disabled or because it has no enabled devices "
        "associated with it."
    ),
    Code.DOES_NOT_EXIST: "The specified service does not exist as an installed service.",
    Code.CANNOT_ACCEPT: "The service cannot accept control messages at this time.",
    Code.NOT_ACTIVE: "The service has not been started.",
    Code.DEPENDENCY_FAILED: "The dependency service or group failed to start.",
}
OPENING = {
    "query": "EnumQueryServicesStatus:OpenService",
    "queryex": "EnumQueryServicesStatus:OpenService",
    "start": "StartService: OpenService",
    "stop": "OpenService",
    "qc": "OpenService",
    "getkeyname": "GetServiceKeyName",
}
"""The call that fails where there is no such service."""
CONTROLS = {
    Phase.START_PENDING: "(NOT_STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)",
    Phase.STOP_PENDING: "(STOPPABLE, PAUSABLE, ACCEPTS_SHUTDOWN)",
    Phase.RUNNING: "(STOPPABLE, PAUSABLE, ACCEPTS_SHUTDOWN)",
}
WAIT_HINT = {Phase.START_PENDING: 2000, Phase.STOP_PENDING: 3000}
"""Milliseconds that a service asks for while it is on its way."""
_WORD = re.compile(r'(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote, and its exit code."""

    out: str
    status: int = 0
    err: str = ""


async def answer(command: str, scm: Scm) -> Answer:
    """Carry out `command`, one line for cmd.exe, and return its answer."""
    words = [quoted or bare for quoted, bare in _WORD.findall(command)]
    program, *rest = words or [""]
    if program.casefold() not in ("sc", "sc.exe"):
        missing = (
            f"'{program}' is not recognized as an internal or external command,\r\noperable program or batch file."
        )
        return Answer("", NOT_RECOGNIZED, f"{missing}\r\n")
    if len(rest) < 2 or rest[0].casefold() not in OPENING:
        return Answer("\r\nERROR:  Unrecognized command\r\n", INVALID_COMMAND_LINE)
    verb, name = rest[0].casefold(), rest[1]
    service = scm.shown(name) if verb == "getkeyname" else scm.find(name)
    if service is None:
        return _refused(OPENING[verb], Code.DOES_NOT_EXIST)
    match verb:
        case "start":
            code = await scm.start(service.key)
            return _refused("StartService", code) if code else Answer(_status(scm, service, process=True))
        case "stop":
            code = await scm.stop(service.key)
            return _refused("ControlService", code) if code else Answer(_status(scm, service, process=False))
        case "qc":
            return Answer(_configuration(service))
        case "getkeyname":
            return Answer(f"[SC] GetServiceKeyName SUCCESS\r\nName = {service.key}\r\n\r\n")
        case _:
            return Answer(_status(scm, service, process=verb == "queryex"))


def _refused(call: str, code: Code) -> Answer:
    return Answer(f"[SC] {call} FAILED {code.value}:\r\n\r\n{MESSAGES[code]}\r\n\r\n", code.value)


def _status(scm: Scm, service: Service, *, process: bool) -> str:
    """Return what `query` writes, with the process where it is asked for."""
    stands, life = scm.phase(service.key), scm.life(service.key)
    code, hint = scm.exit_code(service.key), WAIT_HINT.get(stands, 0)
    lines = [
        "",
        f"SERVICE_NAME: {service.key} ",
        "        TYPE               : 10  WIN32_OWN_PROCESS  ",
        f"        STATE              : {stands.value}  {stands.name} ",
        *([f"                                {CONTROLS[stands]}"] if stands in CONTROLS else []),
        f"        WIN32_EXIT_CODE    : {code.value}  ({code.value:#x})",
        "        SERVICE_EXIT_CODE  : 0  (0x0)",
        f"        CHECKPOINT         : {1 if hint else 0:#x}",
        f"        WAIT_HINT          : {hint:#x}",
    ]
    if process:
        lines += [f"        PID                : {_pid(stands, life)}", "        FLAGS              : "]
    return "\r\n".join([*lines, ""])


def _pid(stands: Phase, life: Life | None) -> int:
    return 0 if life is None or stands is Phase.STOPPED else life.pid


def _configuration(service: Service) -> str:
    """Return what `qc` writes; each dependency after the first one is on a line of its own."""
    first, *others = service.needs or ("",)
    lines = [
        "[SC] QueryServiceConfig SUCCESS",
        "",
        f"SERVICE_NAME: {service.key}",
        "        TYPE               : 10  WIN32_OWN_PROCESS ",
        f"        START_TYPE         : {service.start_type.value}   {service.start_type.name}",
        "        ERROR_CONTROL      : 1   NORMAL",
        f"        BINARY_PATH_NAME   : {service.binary}",
        "        LOAD_ORDER_GROUP   : ",
        "        TAG                : 0",
        f"        DISPLAY_NAME       : {service.display}",
        f"        DEPENDENCIES       : {first}",
        *(f"                           : {other}" for other in others),
        "        SERVICE_START_NAME : LocalSystem",
    ]
    return "\r\n".join([*lines, ""])
