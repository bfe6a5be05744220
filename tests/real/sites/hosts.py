"""sshd on the hosts that Relève acts on, and the services of the two sites."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.real.sites.network import ADDRESS, Network
from tests.real.sites.nodes import until
from tests.real.sites.programs import SSH, write_edge, write_service

WHERE = ("centre", "secours", "core")
SITES = ("centre", "secours")
SERVICES = ("hermes", "dialler")
CONFIG = """\
Port {port}
ListenAddress {address}
HostKey {key}
PidFile none
AuthorizedKeysFile {authorized}
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
PermitUserRC no
MaxStartups 50
SetEnv HOME={home}
LogLevel INFO
"""


class Hosts:
    """The hosts by the name of their node. `notes`: what every step did there, one line a deed, in order."""

    def __init__(self, require: Callable[[str, str], Path], folder: Path, network: Network) -> None:
        self._sshd, self._network, self._folder = require("sshd", "openssh-server"), network, folder
        keygen, sipp = require("ssh-keygen", "openssh-client"), require("sipp", "sip-tester")
        folder.mkdir()
        self.notes = folder / "notes"
        self.key, self._host_key = folder / "key", folder / "host"
        for path in (self.key, self._host_key):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, stdin=subprocess.DEVNULL)
        shown = subprocess.run([keygen, "-lf", self._host_key], capture_output=True, text=True, check=True)
        self.fingerprint = shown.stdout.split()[1]
        shutil.copy(self.key.with_suffix(".pub"), folder / "authorized")
        self.folders = {name: folder / name for name in WHERE}
        for name in WHERE:
            self.folders[name].mkdir()
            config = CONFIG.format(
                port=SSH,
                address=ADDRESS[name],
                key=self._host_key,
                authorized=folder / "authorized",
                home=self.folders[name],
            )
            (self.folders[name] / "sshd_config").write_text(config)
        self.service = {name: write_service(self.folders[name], self.notes, name, sipp) for name in SITES}
        self.edge = write_edge(self.folders["core"], self.notes, {name: ADDRESS[name] for name in SITES})

    def begin(self) -> None:
        """Let every host answer, with nothing running and nothing done."""
        self.notes.write_text("")
        for name in WHERE:
            for path in (*self.folders[name].glob("*.pid"), *self.folders[name].glob("*.token")):
                path.unlink()
            if not self._answers(name):
                self.start(name)

    def start(self, name: str) -> None:
        """Start sshd of a host, and return once it answers."""
        self._network[name].start("sshd", self._sshd, "-D", "-e", "-f", self.folders[name] / "sshd_config")
        until(lambda: self._answers(name), lambda: self.log(name))

    def _answers(self, name: str) -> bool:
        return f"{ADDRESS[name]}:{SSH} " in self._network[name].run("ss", "-H", "-ltn")

    def does(self, site: str, verb: str, service: str, token: int = 0) -> bool:
        """Carry out what a step would at a site; return whether it ended well."""
        command = self._network[site].command("env", f"RELEVE_TOKEN={token}", self.service[site], verb, service)
        ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return ran.returncode == 0

    def noted(self) -> list[str]:
        """Return what every step did: `3 centre start hermes done`."""
        return self.notes.read_text().splitlines()

    def log(self, name: str) -> str:
        """Return the end of what sshd of a host said."""
        return (self._network[name].folder / "sshd.log").read_text(errors="replace")[-1500:]
