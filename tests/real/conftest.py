"""What tests against real components share: which program they need, a free port, and recorded devices by SNMP."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from gufo.snmp import SnmpError
from gufo.snmp.sync import SnmpSession

SYSTEM_FOLDERS = "/usr/sbin:/sbin:/lib/nut:/usr/lib/nut"
"""Where Debian puts daemons, which an ordinary user's PATH leaves out."""
NUMERIC = re.compile(rb"[0-9.]+\|")
READY_WITHIN = 30.0
"""Seconds that a component may take to start on a busy machine."""

Require = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def require() -> Require:
    """Return `require(program, package)`: the program's path; without it the test is skipped and names the package.

    With RELEVE_REQUIRE_REAL=1 a missing program fails the test. An absolute path is taken as it stands.
    """

    def find(program: str, package: str) -> Path:
        found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")
        if found is not None:
            return Path(found)
        missing = f"{program} is missing: install the Debian package {package}"
        if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)

    return find


@pytest.fixture(scope="session")
def free_port() -> Callable[..., int]:
    """Return `free_port(kind=socket.SOCK_STREAM)`: a port of 127.0.0.1 that nothing listened on a moment ago."""

    def pick(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return pick


class Snmpsim:
    """snmpsim's responder on a free port: one recording of a device for each community."""

    def __init__(self, program: Path, folder: Path, records: Mapping[str, Path], port: int) -> None:
        data = folder / "data"
        data.mkdir()
        for community, record in records.items():
            # Some recordings hide an address as `10.xx.0.32` within an OID, around which snmpsim falls silent.
            lines = record.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if record.suffix != ".snmprec" or NUMERIC.match(line)]
            (data / f"{community}{record.suffix}").write_bytes(b"".join(kept))
        command = [program, f"--cache-dir={folder / 'cache'}", "--logging-method=file:" + str(folder / "log")]
        if os.geteuid() == 0:
            # It would become nobody, who may not read a Python below /root.
            command += ["--process-user=root", "--process-group=root"]
        # The options of one engine must follow its id, else "agent endpoint not specified".
        command += ["--v3-engine-id=auto", f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}"]
        self.port, self._log = port, folder / "output"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self._wait(next(iter(records)))

    def _wait(self, community: str) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                SnmpSession("127.0.0.1", self.port, community=community, timeout=0.3).get_many(["1.3.6.1.2.1.1.2.0"])
            except (TimeoutError, SnmpError):
                # An error is no answer: a socket may get the very port that it asks, and hear itself.
                time.sleep(0.05)
                continue
            return
        self.stop()
        pytest.fail(f"snmpsim did not start: {self._log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="session")
def snmpsim(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]
) -> Iterator[Callable[[Mapping[str, Path]], int]]:
    """Return `snmpsim({community: record, ...})`: the UDP port on which the recordings answer (it takes a second)."""
    program = Path(sys.executable).with_name("snmpsim-command-responder")
    if not program.exists():
        missing = "snmpsim is missing: install the Python packages snmpsim and pysmi"
        if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with ExitStack() as running:

        def serve(records: Mapping[str, Path]) -> int:
            simulator = Snmpsim(program, tmp_path_factory.mktemp("snmpsim"), records, free_port(socket.SOCK_DGRAM))
            running.callback(simulator.stop)
            return simulator.port

        yield serve


class Nut:
    """Network UPS Tools on a free port, in a folder of its own: upsd and one dummy-ups driver a UPS, no root needed."""

    def __init__(self, upsd: Path, driver: Path, folder: Path, port: int) -> None:
        self.port, self._upsd, self._driver, self._folder = port, upsd, driver, folder
        self._etc, self._run = folder / "etc", folder / "run"
        self._etc.mkdir()
        self._run.mkdir()
        self._user = getpass.getuser()
        places = ("NUT_STATEPATH", "NUT_PIDPATH", "NUT_ALTPIDPATH")
        self._env = {**os.environ, "NUT_CONFPATH": str(self._etc), **dict.fromkeys(places, str(self._run))}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, dumps: Mapping[str, str], max_age: int = 15) -> None:
        """Serve each of `dumps` (`upsc` text by name); data older than `max_age` seconds is stale."""
        listen = f"LISTEN 127.0.0.1 {self.port}\nSTATEPATH {self._run}\nMAXAGE {max_age}\n"
        files = {"nut.conf": "MODE=standalone\n", "upsd.conf": listen, "upsd.users": "", "ups.conf": ""}
        for name, text in dumps.items():
            self.write(name, text)
            files["ups.conf"] += f"[{name}]\ndriver = dummy-ups\nport = {self._dump(name)}\nmode = dummy-once\n"
        for name, text in files.items():
            (self._etc / name).write_text(text, encoding="utf-8")
            (self._etc / name).chmod(0o640)
        for name in dumps:
            self.start_driver(name)
        # upsd looks for a driver that is not there yet only every few seconds.
        until = time.monotonic() + READY_WITHIN
        while any(not (self._run / f"dummy-ups-{name}").exists() for name in dumps) and time.monotonic() < until:
            time.sleep(0.01)
        self._spawn("upsd", [str(self._upsd), "-u", self._user, "-D"])

    def start_driver(self, name: str) -> None:
        self._spawn(name, [str(self._driver), "-a", name, "-u", self._user, "-i", "1", "-D"])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the driver of the UPS `name`."""
        self._processes[name].send_signal(number)
        if number is signal.SIGKILL:
            self._processes[name].wait(10)

    def write(self, name: str, text: str) -> None:
        """Let the UPS `name` say `text` from its driver's next look on."""
        fresh = self._dump(name).with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self._dump(name))

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(10)

    def log(self) -> str:
        """Return the end of what every process printed."""
        return "\n".join(path.read_text(errors="replace")[-800:] for path in sorted(self._folder.glob("*.log")))

    def _dump(self, name: str) -> Path:
        return self._etc / f"{name}.dev"

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=self._env
            )


@pytest.fixture
def nut(require: Require, tmp_path: Path, free_port: Callable[..., int]) -> Iterator[Nut]:
    """NUT, not yet started; call `nut.start({name: dump, ...})`."""
    upsd, driver = require("/lib/nut/upsd", "nut-server"), require("/lib/nut/dummy-ups", "nut-server")
    made = Nut(upsd, driver, tmp_path, free_port())
    yield made
    made.stop()
