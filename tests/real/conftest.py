"""What tests against real components share: which program they need, a free port, and recorded devices by SNMP."""

from __future__ import annotations

import os
import shutil
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
            shutil.copy(record, data / f"{community}{record.suffix}")
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
                SnmpSession("127.0.0.1", self.port, community=community, timeout=0.3).get("1.3.6.1.2.1.1.2.0")
            except TimeoutError:
                continue
            except SnmpError:
                return
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
