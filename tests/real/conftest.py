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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
from gufo.snmp import SnmpError
from gufo.snmp.sync import SnmpSession

from lab.mailbox import Mailbox
from monitor.clock import SystemClock

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


class Sshd:
    """OpenSSH's sshd on a free port, in a folder of its own: who runs the tests logs in with `user_key`, nobody else.

    `host_key`: line of its public key; `fingerprint`: as ssh-keygen prints it. `log()`: the end of what it said.
    """

    def __init__(self, sshd: Path, keygen: Path, folder: Path, port: int) -> None:
        self.port, self.user, self._sshd, self._folder = port, getpass.getuser(), sshd, folder
        self._keygen = keygen
        self.user_key = self.new_key("user")
        host = self.new_key("host")
        self.host_key = host.with_suffix(".pub").read_text(encoding="ascii").strip()
        shown = subprocess.run([keygen, "-l", "-E", "sha256", "-f", host], capture_output=True, text=True, check=True)
        self.fingerprint = shown.stdout.split()[1]
        (folder / "authorized_keys").write_text(self.user_key.with_suffix(".pub").read_text())
        home = folder / "home"  # a shell reads the start-up files of who logs in: those of who runs the tests may speak
        home.mkdir()
        self._config = folder / "sshd_config"
        self._config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nPidFile none\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nPermitUserRC no\nSubsystem sftp internal-sftp\nLogLevel VERBOSE\n"
            f"SetEnv HOME={home}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def new_key(self, name: str, kind: str = "ed25519", passphrase: str = "") -> Path:
        """Return the file of a new private key; its public half is beside it."""
        path = self._folder / name
        command = [self._keygen, "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", path]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    def start(self) -> None:
        with (self._folder / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._sshd, "-D", "-e", "-f", self._config], stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as made:
                    if made.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.02)
        pytest.fail(f"sshd did not start: {self.log()}")

    def force(self, command: str) -> None:
        """Let everybody who logs in have `command` and nothing else, from the next log-in on."""
        assert self._process is not None
        with self._config.open("a") as file:
            file.write(f"ForceCommand {command}\n")
        self._process.kill()
        self._process.wait(10)
        self.start()

    def sessions(self) -> list[psutil.Process]:
        """Return the processes of the connections that are open now."""
        if self._process is None:
            return []
        return psutil.Process(self._process.pid).children()

    def running(self) -> set[str]:
        """Return the names of all the programs of the connections that are open now."""
        names = set()
        for session in self.sessions():
            with suppress(psutil.NoSuchProcess):  # a shell that ends while we look
                for process in session.children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        names.add(process.name())
        return names

    def cut(self) -> None:
        """Kill every session, as a power cut would; sshd itself goes on."""
        for session in self.sessions():
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                for process in (*session.children(), session):
                    if process.name().startswith("sshd"):
                        process.kill()

    def stop(self) -> None:
        if self._process is not None:
            self.cut()
            self._process.kill()
            self._process.wait(10)

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-3000:]


PRIVILEGE_SEPARATION = Path("/run/sshd")
"""Without it sshd does not start as root (sshd(8)); the system's own unit makes it at its start."""


@pytest.fixture
def sshd(require: Require, tmp_path: Path, free_port: Callable[..., int]) -> Iterator[Sshd]:
    """An sshd that runs."""
    program, keygen = require("sshd", "openssh-server"), require("ssh-keygen", "openssh-client")
    made_folder = os.geteuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if made_folder:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    folder = tmp_path / "sshd"
    folder.mkdir()
    made = Sshd(program, keygen, folder, free_port())
    made.start()
    yield made
    made.stop()
    if made_folder:
        PRIVILEGE_SEPARATION.rmdir()


PROGRAM = """\
import os, signal, sys, time
name, lives = sys.argv[1], float(sys.argv[2])
def note(what):
    with open(sys.argv[3], "a") as log:
        log.write(f"{what} {name} {os.getpid()}\\n")
def leave(*_):
    note("stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
note("start")
time.sleep(lives)
sys.exit(7)
"""
"""Notes its start and its stop, and ends by itself after a while."""


class Supervisord:
    """supervisord in a folder of its own, on a free port of 127.0.0.1; `config` is what supervisorctl needs.

    `noted()`: what the programs wrote themselves, as (start or stop, name), in order.
    """

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        self.config, self._program, self._folder = folder / "supervisord.conf", program, folder
        self._notes, self._port = folder / "notes", port
        self._notes.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, programs: Mapping[str, Mapping[str, object]]) -> None:
        """Run `programs`: `lives` (seconds, 600), and any key of [program:x]."""
        where = f"127.0.0.1:{self._port}"
        text = (
            f"[inet_http_server]\nport={where}\nusername=releve\npassword=sesame\n"
            f"[supervisorctl]\nserverurl=http://{where}\nusername=releve\npassword=sesame\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisord]\nnodaemon=true\nlogfile={self._folder / 'supervisord.log'}\n"
            f"pidfile={self._folder / 'pid'}\nchildlogdir={self._folder}\n"
        )
        (self._folder / "program.py").write_text(PROGRAM)
        for name, keys in programs.items():
            own = {"startsecs": 0, "startretries": 0, "autorestart": "false", **keys}
            command = [sys.executable, self._folder / "program.py", name, own.pop("lives", 600), self._notes]
            own["command"] = " ".join(str(word) for word in command)
            text += f"[program:{name}]\n" + "".join(f"{key}={value}\n" for key, value in own.items())
        self.config.write_text(text)
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, "-c", self.config], stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self.wait(self._listens)
        starting = [name for name, keys in programs.items() if keys.get("autostart") != "false"]
        self.wait(lambda: sorted(name for what, name in self.noted() if what == "start") == sorted(starting))

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), 1).close()
        except OSError:
            return False
        return True

    def wait(self, holds: Callable[[], bool]) -> None:
        """Return once `holds()`."""
        until = time.monotonic() + READY_WITHIN
        while not holds():
            if time.monotonic() > until:
                pytest.fail(f"supervisord: {self.log()}\nnoted: {self.noted()}")
            time.sleep(0.02)

    def noted(self) -> list[tuple[str, str]]:
        return [(line.split()[0], line.split()[1]) for line in self._notes.read_text().splitlines()]

    def forget(self) -> None:
        """Begin the notes anew."""
        self._notes.write_text("")

    def kill(self, *names: str) -> None:
        """Kill programs (SIGKILL), and wait until supervisord has seen that they ended."""
        running = {line.split()[1]: int(line.split()[2]) for line in self._notes.read_text().splitlines()}
        before = {name: self.log().count(f"exited: {name}") for name in names}
        for name in names:
            os.kill(running[name], signal.SIGKILL)
        self.wait(lambda: all(self.log().count(f"exited: {name}") > count for name, count in before.items()))

    def stop(self) -> None:
        if self._process is not None:
            # It would take its time to end what it runs.
            programs = psutil.Process(self._process.pid).children()
            self._process.kill()
            self._process.wait(10)
            for program in programs:
                with suppress(psutil.NoSuchProcess):
                    program.kill()

    def log(self) -> str:
        path = self._folder / "supervisord.log"
        return path.read_text(errors="replace") if path.exists() else (self._folder / "output").read_text()


@pytest.fixture
def supervisord(require: Require, tmp_path: Path, free_port: Callable[..., int]) -> Iterator[Supervisord]:
    """supervisord, not yet started; call `supervisord.start({name: {}, ...})`."""
    program = require("supervisord", "supervisor")
    require("supervisorctl", "supervisor")
    folder = tmp_path / "supervisord"
    folder.mkdir()
    made = Supervisord(program, folder, free_port())
    yield made
    made.stop()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A mail server that takes everything."""
    box = Mailbox(SystemClock())
    box.open()
    yield box
    await box.close()
