"""The machine on which Relève runs, seen from inside: its file systems (statvfs) and its systemd services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from monitor.core.reasons import reason
from monitor.core.text import Text, say
from probes.contract import Io, ProbeFault, TargetFailure
from probes.names import nearest

BOOTED = Path("/run/systemd/system")
"""Exists only where systemd is the init (sd_booted(3))."""
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")
"""systemd.unit(5); no globs, no leading dash."""
SHOWN = ("LoadState", "ActiveState", "SubState", "ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class DiskSeen:
    """A file system in bytes. `free` is what is left to ordinary users, so `used` + `free` may be below `size`.

    The share in use is `used / (used + free)`, as df(1) says it.
    """

    mount: str
    size: float
    used: float
    free: float


class ServiceState(StrEnum):
    """What a service does, whatever runs it."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """A service: its state, for how many seconds it has been running if known, and the words of what runs it."""

    name: str
    state: ServiceState
    uptime: float | None = None
    detail: str = ""


async def disk(mount: str, io: Io) -> DiskSeen:
    """Return the file system mounted at `mount`.

    Raises TargetFailure when it was mounted at the last look and is no more: what is measured then would be the disk
    below it. Raises ProbeFault when nothing was ever seen there or we may not look.
    """
    try:
        mounted, seen, points = await io.blocking(_statvfs, mount)
    except OSError as error:
        raise ProbeFault(say("cannot look at {mount}: {why}", mount=mount, why=reason(error))) from error
    if not mounted:
        if io.memory.get("mounted") == mount:
            raise TargetFailure(say("nothing is mounted at {mount} any more", mount=mount), down=True)
        raise ProbeFault(
            say("{mount} is no mount point", mount=mount), say("There are: {names}", names=nearest(mount, points))
        )
    io.memory["mounted"] = mount
    return seen


def _statvfs(mount: str) -> tuple[bool, DiskSeen, list[str]]:
    """Look at `mount`: blocks for as long as a dead network file system does."""
    if not os.path.ismount(mount):
        import psutil  # noqa: PLC0415 - only for the names in the message

        return False, DiskSeen(mount, 0, 0, 0), [part.mountpoint for part in psutil.disk_partitions(all=True)]
    stat = os.statvfs(mount)
    unit = stat.f_frsize
    return True, DiskSeen(mount, stat.f_blocks * unit, (stat.f_blocks - stat.f_bfree) * unit, stat.f_bavail * unit), []


async def service(name: str, io: Io) -> ServiceSeen:
    """Return the systemd unit `name` of this machine. Raises ProbeFault: no systemd, no such unit, no answer."""
    if not UNIT_NAME.fullmatch(name):
        raise ProbeFault(say("{name} cannot be the name of a systemd unit", name=repr(name)))
    if not await io.blocking(BOOTED.is_dir):
        raise ProbeFault(
            say("this machine does not run systemd"),
            say("Watch the service from outside instead, with a tcp or http check, or with via: snmp"),
        )
    shown = await systemctl("show", f"--property={','.join(SHOWN)}", "--", name)
    seen = service_of(name, properties(shown), time.monotonic())
    if seen is None:
        listed = await systemctl("list-unit-files", "--type=service", "--no-legend", "--plain")
        names = [line.split()[0].removesuffix(".service") for line in listed.splitlines() if line.split()]
        raise ProbeFault(
            say("systemd has no unit {name}", name=name), say("Nearest names: {names}", names=nearest(name, names))
        )
    return seen


async def systemctl(*arguments: str, program: str = "systemctl") -> str:
    """Return what `program` prints for `arguments`; it is killed when the observation ends before it does.

    Raises ProbeFault when it cannot be started or fails.
    """
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    try:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment
        )
    except OSError as error:
        raise ProbeFault(say("cannot run {program}: {why}", program=program, why=reason(error))) from error
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        said = err.decode("utf-8", "replace").strip().splitlines()[:1]
        raise ProbeFault(_refused(program, said[0] if said else f"exit {process.returncode}"))
    return out.decode("utf-8", "replace")


def _refused(program: str, why: str) -> Text:
    return say("{program} refused: {why}", program=program, why=why)


def properties(shown: str) -> dict[str, str]:
    """Return the `Key=value` lines of `systemctl show`."""
    return {key: value for key, equals, value in (line.partition("=") for line in shown.splitlines()) if equals}


_STATES = {
    "active": ServiceState.RUNNING,
    "reloading": ServiceState.RUNNING,
    "refreshing": ServiceState.RUNNING,
    "activating": ServiceState.STARTING,
    "deactivating": ServiceState.STOPPING,
    "maintenance": ServiceState.STOPPING,
    "inactive": ServiceState.STOPPED,
    "failed": ServiceState.FAILED,
}


def service_of(name: str, shown: Mapping[str, str], monotonic: float) -> ServiceSeen | None:
    """Return the service out of the properties of its unit, None when there is no such unit.

    `monotonic`: seconds of CLOCK_MONOTONIC now; systemd's stamps are microseconds of the same clock
    (org.freedesktop.systemd1(5)), 0 when it never happened. Raises ProbeFault for a state that systemd does not have.
    """
    active = shown.get("ActiveState", "")
    if shown.get("LoadState") == "not-found" and active == "inactive":
        return None
    state = _STATES.get(active)
    if state is None:
        raise ProbeFault(say("systemd says nothing that makes sense of {name}: {state}", name=name, state=repr(active)))
    started = _stamp(shown.get("ExecMainStartTimestampMonotonic")) or _stamp(shown.get("ActiveEnterTimestampMonotonic"))
    uptime = max(0.0, monotonic - started) if started and state is ServiceState.RUNNING else None
    words = [active, shown.get("SubState", "")]
    if shown.get("LoadState") not in ("loaded", None):
        words.append(shown["LoadState"])
    return ServiceSeen(name, state, uptime, "/".join(word for word in words if word))


def _stamp(text: str | None) -> float:
    return int(text) / MICROSECONDS if text and text.isdecimal() else 0.0
