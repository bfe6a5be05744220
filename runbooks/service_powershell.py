"""Services of Windows by PowerShell: no shell on the way reads the script, and the answer is JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from probes.ssh import Ran
from runbooks.service_windows import ABSENT, STATES, proper_windows, refusal_of, senseless, stopped
from runbooks.services import NO_WORDS, Ask, Manager, Refusal, ServiceNow, State, number, words_of

QUIET = "$ProgressPreference='SilentlyContinue';"
"""Else what it says of its progress comes on stderr, as XML."""
LOOK = (
    "$n='{name}';"
    "$s=@(Get-Service -Name $n -ErrorAction SilentlyContinue)"
    "+@(Get-Service -DisplayName $n -ErrorAction SilentlyContinue)|Select-Object -First 1;"
    "if(!$s){{ConvertTo-Json -Compress @{{code=1060}};exit}};"
    "$r=@{{code=0;key=$s.Name;state=[int]$s.Status}};"
    '$w=Get-CimInstance Win32_Service -Filter ("Name=\'"+$s.Name.Replace("\'","\\\'")+"\'")'
    " -ErrorAction SilentlyContinue;"
    "if($w){{$r.pid=$w.ProcessId;$r.mode=$w.StartMode;$r.exit=$w.ExitCode;$r.own=$w.ServiceSpecificExitCode}};"
    "ConvertTo-Json -Compress $r"
)
"""Get-Service finds it under both names and needs few rights; CIM (PowerShell 3) tells more where it is allowed to."""
TRY = (
    "try{{$s=Get-Service -Name '{name}' -ErrorAction Stop;{deed}}}"
    "catch{{$e=$_.Exception;while($e -and $e -isnot [ComponentModel.Win32Exception]){{$e=$e.InnerException}};"
    "$c=-1;if($e){{$c=$e.NativeErrorCode}}}};"
    "ConvertTo-Json -Compress @{{code=$c}}"
)
START = "$s.Start();$c=0"
STOP = "if(@($s.DependentServices|Where-Object{$_.Status -ne 'Stopped'}).Count){$c=1051}else{$s.Stop();$c=0}"
"""Stop() alone would stop all that depend on it too, which nobody asked for; the code is that of sc.exe."""
DISABLED = "Disabled"
"""Win32_Service.StartMode; it is not translated."""


class PowerShell:
    """Manager `powershell`."""

    manager: ClassVar[Manager] = Manager.POWERSHELL

    def proper(self, name: str) -> str:
        """Return `name` if it can be one of Windows, and holds no wildcard of PowerShell. Raises StepFailed."""
        return proper_windows(name, self.manager)

    async def look(self, name: str, ask: Ask, *, closely: bool) -> ServiceNow:
        """Return how it stands, found by its key name or by the name that people see. Raises HostFault, StepFailed."""
        return read_state(name, await ask(command(LOOK.format(name=quoted(self.proper(name))))))

    def start(self, key: str) -> str:
        """Return the command that starts it; it returns before the service runs."""
        return command(TRY.format(name=quoted(self.proper(key)), deed=START))

    def stop(self, key: str) -> str:
        """Return the command that stops it; it returns before the service has ended."""
        return command(TRY.format(name=quoted(self.proper(key)), deed=STOP))

    def refusal(self, key: str, ran: Ran, device: str) -> Refusal | None:
        """Return why it was refused, None for code 0."""
        code = answer_of(ran).get("code")
        if code == 0:
            return None
        if isinstance(code, int) and code > 0:
            return refusal_of(code, key, device)
        return senseless(ran, key, device)


def command(script: str) -> str:
    """Return `script` as no shell can read it: UTF-16LE in base64 (about_PowerShell_exe, -EncodedCommand)."""
    encoded = b64encode((QUIET + script).encode("utf-16-le")).decode("ascii")
    return f"powershell.exe -NoLogo -NoProfile -NonInteractive -EncodedCommand {encoded}"


def quoted(name: str) -> str:
    """Return `name` for between single quotes; the typographic ones count as such (about_Quoting_Rules)."""
    return name.replace("'", "''").replace("\u2019", "\u2019\u2019")


def answer_of(ran: Ran) -> Mapping[str, Any]:
    """Return the JSON object that was printed, empty where there is none."""
    start, end = ran.out.find("{"), ran.out.rfind("}")
    try:
        answer = json.loads(ran.out[start : end + 1]) if start >= 0 else None
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def read_state(name: str, ran: Ran) -> ServiceNow:
    """Return what the script says of the service `name`."""
    answer = answer_of(ran)
    key = answer.get("key") if isinstance(answer.get("key"), str) else name
    if answer.get("code") == ABSENT:
        return ServiceNow(name, State.ABSENT)
    state = STATES.get(number(answer.get("state")) or 0)
    if state is None or answer.get("code") != 0:
        return ServiceNow(name, State.UNKNOWN, detail=words_of(ran))
    marker, detail = "", NO_WORDS
    if state is State.STOPPED:
        state, marker, detail = stopped(number(answer.get("exit")) or 0, number(answer.get("own")) or 0, name)
    return ServiceNow(key or name, state, number(answer.get("pid")), answer.get("mode") == DISABLED, marker, detail)
