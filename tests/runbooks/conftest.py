"""What tests of runbooks share: a Windows server that answers by SSH as sc.exe and PowerShell do, and a step's `Io`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest

from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from probes.access import SshAccess
from probes.contract import Target
from probes.service import ServiceParams
from probes.ssh import Hosts
from runbooks.contract import CheckOf, Io, Progress, Site, Subject

PASSWORD = "sesame-ouvre-toi"
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
STOPPED, START_PENDING, STOP_PENDING, RUNNING, PAUSED = 1, 2, 3, 4, 7
NAMES = {1: "STOPPED", 2: "START_PENDING", 3: "STOP_PENDING", 4: "RUNNING", 7: "PAUSED"}
ENGLISH_ROWS = ("TYPE", "STATE", "WIN32_EXIT_CODE", "SERVICE_EXIT_CODE", "CHECKPOINT", "WAIT_HINT", "PID", "FLAGS")
FRENCH_ROWS = ("TYPE", "ÉTAT", "CODE_SORTIE_WIN32", "CODE_SORTIE_SERVICE", "CONTRÔLE", "ATTENTE", "ID", "INDICATEURS")
SC = re.compile(r'sc\.exe (\w+) "([^"]*)"')
POWERSHELL = re.compile(r"powershell\.exe -NoLogo -NoProfile -NonInteractive -EncodedCommand (\S+)")
PS_NAME = re.compile(r"(?:\$n=|-Name )'((?:[^']|'')*)'")
FOREVER = float("inf")


@dataclass
class Win:
    """One service. Seconds: it takes `slow` to start and `lazy` to stop, and lives `lives` after it runs.

    `refuses`: code with which a start is refused. `pauses`: it is paused instead of running.
    """

    display: str
    key: str
    running: bool = False
    slow: float = 0.0
    lazy: float = 0.0
    lives: float = FOREVER
    refuses: int = 0
    disabled: bool = False
    pauses: bool = False
    exit: int = 1077
    pid: int = 0
    since: float = 0.0
    stopping: float | None = None

    def state(self, now: float) -> int:
        if not self.running:
            return STOPPED
        if self.stopping is not None and now >= self.stopping + self.lazy:
            self.running, self.exit, self.pid = False, 0, 0
        elif now >= self.since + self.slow + self.lives:
            self.running, self.exit, self.pid = False, 1067, 0
        if not self.running:
            return STOPPED
        if self.stopping is not None:
            return STOP_PENDING
        if now < self.since + self.slow:
            return START_PENDING
        return PAUSED if self.pauses else RUNNING


@dataclass
class Windows:
    """The server. `starts` and `stops`: keys for which one was accepted, in order; `commands`: all that was asked.

    `told`: keys for which a start was asked, whether it was accepted or not.

    `french`: it speaks French, in the code page of its console. `before_answer` may delay or replace any answer.
    """

    french: bool = False
    services: dict[str, Win] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    port: int = 0
    before_answer: Callable[[str], Awaitable[bytes | None]] | None = None
    _pids: Any = field(default_factory=lambda: itertools.count(1000))

    def add(self, display: str, key: str | None = None, *, running: bool = False, **how: Any) -> Win:
        made = Win(display, key or display, **how)
        self.services[made.key] = made
        if running:
            self._run(made)
            made.since -= made.slow
        return made

    def _run(self, service: Win) -> None:
        service.running, service.pid, service.stopping = True, next(self._pids), None
        service.since, service.exit = asyncio.get_running_loop().time(), 0

    def kill(self, key: str) -> None:
        service = self.services[key]
        service.running, service.exit, service.pid = False, 1067, 0

    def find(self, name: str, *, shown: bool = False) -> Win | None:
        names = [(one.display if shown else one.key).casefold() for one in self.services.values()]
        if name.casefold() not in names:
            return None
        return list(self.services.values())[names.index(name.casefold())]

    # What the service control manager does

    def start(self, service: Win) -> int:
        now = asyncio.get_running_loop().time()
        self.told.append(service.key)
        if service.state(now) != STOPPED:
            return 1056
        code = 1058 if service.disabled else service.refuses
        if code == 0:
            self.starts.append(service.key)
            self._run(service)
        return code

    def stop(self, service: Win) -> int:
        now = asyncio.get_running_loop().time()
        if service.state(now) == STOPPED:
            return 1062
        self.stops.append(service.key)
        service.stopping = now
        return 0

    # What sc.exe prints

    def sc(self, verb: str, name: str) -> tuple[str, int]:
        if verb == "GetKeyName":
            service = self.find(name, shown=True)
            if service is None:
                return self._refused("GetServiceKeyName", 1060)
            done, label = ("RÉUSSITE(S)", "Nom") if self.french else ("SUCCESS", "Name")
            return f"[SC] GetServiceKeyName {done}\r\n{label} = {service.key}\r\n", 0
        service = self.find(name)
        if service is None:
            return self._refused("EnumQueryServicesStatus:OpenService", 1060)
        if verb == "qc":
            mode = "4   DISABLED" if service.disabled else "2   AUTO_START"
            rows = ("TYPE               : 10  WIN32_OWN_PROCESS ", f"START_TYPE         : {mode}")
            return f"[SC] QueryServiceConfig SUCCESS\r\n\r\nSERVICE_NAME: {service.key}\r\n" + "".join(
                f"        {row}\r\n" for row in rows
            ), 0
        code = {"start": self.start, "stop": self.stop}.get(verb, lambda service: 0)(service)
        if code:
            return self._refused("StartService" if verb == "start" else "ControlService", code)
        return self._rows(service), 0

    def _refused(self, call: str, code: int) -> tuple[str, int]:
        words = f"[SC] {call} échec(s) {code} :" if self.french else f"[SC] {call} FAILED {code}:"
        return f"{words}\r\n\r\n{'Accès refusé.' if self.french else 'Some words.'}\r\n\r\n", code

    def _rows(self, service: Win) -> str:
        state = service.state(asyncio.get_running_loop().time())
        values = (
            "10  WIN32_OWN_PROCESS  ",
            f"{state}  {NAMES[state]} \r\n                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)",
            f"{service.exit}  ({service.exit:#x})",
            "0  (0x0)",
            "0x0",
            "0x7d0",
            str(service.pid),
            "",
        )
        rows = FRENCH_ROWS if self.french else ENGLISH_ROWS
        lines = [f"        {row:<19}: {value}" for row, value in zip(rows, values, strict=True)]
        return "\r\n".join(["", f"SERVICE_NAME: {service.key} ", *lines, ""])

    # What PowerShell prints

    def powershell(self, script: str) -> tuple[str, int]:
        found = PS_NAME.search(script)
        assert found is not None, script
        name = found[1].replace("''", "'").replace("\u2019\u2019", "\u2019")
        looks = "-DisplayName" in script
        service = self.find(name) or (self.find(name, shown=True) if looks else None)
        if service is None:
            return json.dumps({"code": 1060 if looks else -1}), 0
        if not looks:
            deed = self.start if ".Start()" in script else self.stop
            return json.dumps({"code": deed(service)}), 0
        state = service.state(asyncio.get_running_loop().time())
        answer = {"code": 0, "key": service.key, "state": state, "pid": service.pid, "exit": service.exit, "own": 0}
        return json.dumps({**answer, "mode": "Disabled" if service.disabled else "Auto"}), 0

    async def obey(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.commands.append(command)
        replaced = None if self.before_answer is None else await self.before_answer(command)
        by_sc, by_powershell = SC.fullmatch(command), POWERSHELL.fullmatch(command)
        with contextlib.suppress(BrokenPipeError, asyncssh.Error):
            if replaced is not None:
                process.stdout.write(replaced)
                process.exit(0)
            elif by_sc is not None:
                out, status = self.sc(by_sc[1], by_sc[2])
                process.stdout.write(out.encode("cp850" if self.french else "utf-8"))
                process.exit(status)
            elif by_powershell is not None:
                out, status = self.powershell(base64.b64decode(by_powershell[1]).decode("utf-16-le"))
                process.stdout.write(out.encode() + b"\r\n")
                process.exit(status)
            else:
                process.stderr.write(b"is not recognized as an internal or external command,\r\n")
                process.exit(1)

    def cut_all(self) -> None:
        for connection in self.connections:
            connection.abort()

    def target(self, port: int | None = None) -> Target:
        access = SshAccess.model_validate(
            {
                "user": "releve",
                "password": Secret(PASSWORD),
                "port": port or self.port,
                "host_key": HOST_KEY.get_fingerprint(),
                "platform": "windows",
            }
        )
        return Target(NodeId("hmp"), "127.0.0.1", {"ssh": access})


class _Door(asyncssh.SSHServer):
    def __init__(self, server: Windows) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


@pytest.fixture
async def windows() -> AsyncIterator[Windows]:
    """A Windows server without any service; `windows.add(display, key, ...)` installs one."""
    made = Windows()
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Door(made),
        process_factory=made.obey,
        server_host_keys=[HOST_KEY],
        encoding=None,
    )
    made.port = acceptor.get_port()
    yield made
    acceptor.close()
    made.cut_all()
    await acceptor.wait_closed()


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


@pytest.fixture
def make_io(hosts: Hosts) -> Callable[..., Io]:
    """Return `make_io(look=..., halted=..., token=..., errand=...)`: what a step is handed.

    Nobody is told anything, and nothing is listed.
    """

    async def seen_ok(check: CheckId) -> Verdict:
        return Verdict(Severity.OK, say("it runs"))

    async def tell(to: tuple[str, ...], text: Text) -> bool:
        raise AssertionError(f"nobody was to be told {text}")

    async def ledger() -> Any:
        raise AssertionError("nothing was to be archived")

    def progress(done: Progress) -> None:
        raise AssertionError(f"nothing was to be so long: {done}")

    def make(
        look: Callable[[CheckId], Awaitable[Verdict]] = seen_ok,
        *,
        halted: bool = False,
        token: int | None = None,
        errand: str = "",
    ) -> Io:
        return Io(
            clock=SystemClock(),
            hosts=hosts,
            look=look,
            tell=tell,
            progress=progress,
            halted=lambda: halted,
            ledger=ledger,
            token=token,
            errand=errand,
        )

    return make


@pytest.fixture
def make_subject() -> Callable[..., Subject]:
    """Return `make_subject(target, {check: (name, needs)}, of=check, expected=...)`: services seen by SNMP."""

    def make(
        target: Target,
        services: Mapping[str, tuple[str, tuple[str, ...]]],
        of: str,
        expected: tuple[str, ...] | None = None,
    ) -> Subject:
        vouched = tuple(services) if expected is None else expected
        checks = [
            CheckOf(
                CheckId(check),
                "service",
                target.name,
                target,
                ServiceParams(name=name, expected=check in vouched, via="snmp"),
                tuple(CheckId(one) for one in needs),
            )
            for check, (name, needs) in services.items()
        ]
        return Subject(CheckId(of), Site(checks={one.id: one for one in checks}))

    return make
