"""Machines of the lab: each a network namespace with mounts, a clock and an uptime of its own, and what runs there.

Nothing has a name on this machine: a node ends with the process that holds it, so that labs run side by side.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
"""sched.h."""
PATIENCE = 120.0
"""Seconds that anything may take to start on a busy machine."""
HOLD = """\
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/sshd /run/releve /run/frr /run/lock
mount --bind "$1" /proc/sys/kernel/random/boot_id
# What root's shells do first is no part of the lab, and may wait for a lock that a power cut of ours left.
for start in ~root/.bashrc ~root/.profile; do [ ! -e "$start" ] || mount --bind /dev/null "$start"; done
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
nft -f "$2"
echo ready
exec sleep infinity
"""
FAULTS = """\
table inet faults {
  set refused { type ipv4_addr; }
  set silent { type ifname; }
  chain arriving { type filter hook prerouting priority -300; iifname @silent drop; }
  chain taking { type filter hook input priority -10; ip saddr @refused drop; }
}
"""
"""`refused`: whose packets this node does not get. `silent`: interfaces that are up, and let nothing in."""
TRY = ["unshare", "--net", "--mount", "--ipc", "--time", "--boottime", "10", "--fork", "true"]


def why_not() -> str:
    """Return why no nodes can be made here, empty when they can."""
    if os.geteuid() != 0:
        return "network namespaces with services of several users: only root runs this"
    tried = subprocess.run(TRY, capture_output=True, text=True, check=False, timeout=60)
    return "" if tried.returncode == 0 else f"namespaces are not permitted here: {tried.stderr.strip()}"


class Node:
    """One machine. `uptime`: seconds that its clocks since the boot are ahead of this machine's."""

    def __init__(self, name: str, folder: Path, *, uptime: int = 0) -> None:
        self.name, self.folder = name, folder
        self._started: list[subprocess.Popen[bytes]] = []
        folder.mkdir(mode=0o755)
        self._boot, faults = folder / "boot_id", folder / "faults.nft"
        self.boot()
        faults.write_text(FAULTS)
        spaces = ["--net", "--mount", "--ipc", "--time", "--boottime", str(uptime), "--monotonic", str(uptime)]
        self._holder = subprocess.Popen(
            ["unshare", *spaces, "--fork", "--kill-child", "sh", "-c", HOLD, "sh", self._boot, faults],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None and self._holder.stderr is not None
        ready = self._holder.stdout.readline()
        assert ready == "ready\n", self._holder.stderr.read()
        self._holder.stdout.close()
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        self.pid = int(children[0])
        self._net = Path(f"/proc/{self.pid}/ns/net").stat().st_ino

    @property
    def root(self) -> Path:
        """Return the root of the file system as this node sees it."""
        return Path(f"/proc/{self.pid}/root")

    def boot(self) -> None:
        """Have another boot than before, by its name; the clocks go on, for a namespace keeps its offset."""
        self._boot.write_text(f"{uuid.uuid4()}\n")

    def command(self, *words: str | Path, user: int | None = None) -> list[str]:
        """Return what runs `words` on this node, as `user` if that is said; it dies with whoever starts it."""
        becomes = () if user is None else ("--reuid", str(user), "--regid", str(user), "--clear-groups")
        enter = ["nsenter", "-t", str(self.pid), "--net", "--mount", "--ipc", "--time", "--"]
        return [*enter, "setpriv", *becomes, "--pdeathsig", "KILL", "--", *map(str, words)]

    def start(
        self, name: str, *words: str | Path, user: int | None = None, quiet: bool = False, **further: Any
    ) -> subprocess.Popen[bytes]:
        """Start a program whose words go to `NAME.log`, or nowhere if `quiet`; its process id is its own."""
        where = Path(os.devnull) if quiet else self.folder / f"{name}.log"
        with where.open("ab") as log:
            made = subprocess.Popen(
                self.command(*words, user=user), stdout=log, stderr=log, stdin=subprocess.DEVNULL, **further
            )
        self._started = [one for one in self._started if one.poll() is None]
        self._started.append(made)
        return made

    def run(self, *words: str | Path, given: str | None = None, check: bool = True) -> str:
        """Run a program to its end and return what it said."""
        ran = subprocess.run(
            self.command(*words), input=given, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert not check or ran.returncode == 0, f"{self.name}: {words}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def inside(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in this node's network. Raises what it raises."""
        found: list[T] = []
        failed: list[BaseException] = []

        def enter() -> None:
            try:
                descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
                try:
                    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(descriptor)
                found.append(work())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=enter, name=f"inside {self.name}")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    def processes(self) -> list[int]:
        """Return everything that runs here but what holds the node."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in (self.pid, self._holder.pid):
                with suppress(OSError):
                    if (entry / "ns/net").stat().st_ino == self._net and not _is_dead(entry):
                        found.append(int(entry.name))
        return found

    def kill_all(self) -> None:
        """End everything that runs here, also what left its parent, as a power cut would."""
        until = time.monotonic() + PATIENCE
        while left := self.processes():
            assert time.monotonic() < until, f"{self.name}: {left}"
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def close(self) -> None:
        """End the node with all that runs in it."""
        self.kill_all()
        for process in self._started:
            process.wait(10)
        self._holder.kill()
        self._holder.wait(10)
        if self._holder.stderr is not None:
            self._holder.stderr.close()

    # Faults ---------------------------------------------------------------------------------------------------------

    def refuse(self, *addresses: str) -> None:
        """Get nothing more from these addresses; what this node sends still goes."""
        self._elements("add", "refused", addresses)

    def take_again(self, *addresses: str) -> None:
        """Get what these addresses send."""
        self._elements("delete", "refused", addresses)

    def fall_silent(self, interface: str) -> None:
        """Let nothing come in by an interface that stays up."""
        self._elements("add", "silent", (f'"{interface}"',))

    def hear(self, interface: str) -> None:
        """Let in again what comes by an interface."""
        self._elements("delete", "silent", (f'"{interface}"',))

    def mend(self) -> None:
        """Undo every fault of this node's network."""
        self.run("nft", "flush set inet faults refused; flush set inet faults silent")

    def _elements(self, verb: str, which: str, elements: Sequence[str]) -> None:
        self.run("nft", f"{verb} element inet faults {which} {{ {', '.join(elements)} }}", check=verb == "add")


def _is_dead(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")


def cable(one: Node, its: str, address: str, other: Node, theirs: str, their_address: str) -> None:
    """Lay a cable between two nodes, and give both ends their addresses (`198.18.0.1/24`)."""
    peer = ["type", "veth", "peer", "name", theirs, "netns", str(other.pid)]
    subprocess.run(["ip", "link", "add", its, "netns", str(one.pid), *peer], check=True, timeout=60)
    for node, interface, given in ((one, its, address), (other, theirs, their_address)):
        node.run("ip", "addr", "add", given, "dev", interface)
        node.run("ip", "link", "set", interface, "up")


def until(holds: Callable[[], object], what: Callable[[], str] | str, within: float = PATIENCE) -> None:
    """Wait until `holds()`; fail with `what` when it does not."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        time.sleep(0.02)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of the lab."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/root"), **more}
