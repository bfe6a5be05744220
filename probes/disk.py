"""How full is a disk? By statvfs on this machine, by HOST-RESOURCES-MIB (RFC 2790) on another."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say
from monitor.core.verdict import Verdict, worst
from probes import local
from probes.contract import Io, ProbeFault, Target, TargetFailure
from probes.local import DiskSeen
from probes.names import nearest
from probes.params import Params
from probes.snmp import Column, Snmp, as_int, as_text, open_snmp

HR_STORAGE = "1.3.6.1.2.1.25.2.3.1"
"""HOST-RESOURCES-MIB hrStorageEntry."""
TYPE, DESCR, UNITS, SIZE, USED = (f"{HR_STORAGE}.{n}" for n in (2, 3, 4, 5, 6))
HR_TYPES = "1.3.6.1.2.1.25.2.1"
MEMORY_TYPES = frozenset(f"{HR_TYPES}.{n}" for n in (2, 3))
"""hrStorageRam and hrStorageVirtualMemory, which stand in the same table. Agents disagree on what is a fixed disk:
flash, RAM disks and unknown file systems are hrStorageOther with some."""
UNSIGNED = 2**32
"""hrStorageSize and hrStorageUsed are Integer32; agents let the count of a large disk run into the sign bit."""
LAST = "disk"
"""Key of `Io.memory`: the mount that was found at the last look."""
METRICS = (("used", "%"), ("free", "By"), ("size", "By"))


class DiskParams(Params):
    """Keys of a check of kind `disk`; `warning` and `critical` are of the share in use."""

    mount: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description=N_("where the file system is mounted: / or /srv; on Windows the drive: D:")
    )
    via: Literal["local", "snmp"] = Field(default="local", description=N_("from where it is seen"))


class Disk:
    """Kind `disk`."""

    kind: ClassVar[str] = "disk"
    Params: ClassVar[type[DiskParams]] = DiskParams
    ways: ClassVar[tuple[str, ...]] = ("snmp", "local")
    metrics: ClassVar[tuple[tuple[str, str], ...]] = METRICS
    needs: ClassVar[Text] = say("By snmp: a community or user that may read the storage table (1.3.6.1.2.1.25.2).")

    async def observe(self, target: Target, params: DiskParams, io: Io) -> DiskSeen:
        """Measure the file system. Raises TargetFailure when it is gone, ProbeFault when we cannot tell."""
        if params.via == "local":
            return await local.disk(params.mount, io)
        snmp = await open_snmp(target, io)
        return await _stored(snmp, params.mount, target, io)

    def judge(self, seen: DiskSeen, params: DiskParams) -> Verdict:
        """Say how much is in use; the share is of what users can have, as df(1) counts it."""
        usable = seen.used + seen.free
        used = 100 * seen.used / usable if usable > 0 else 0.0
        metrics = (
            params.metric("used", used, "%", first=True, minimum=0, maximum=100),
            params.metric("free", seen.free, "By", minimum=0, maximum=seen.size),
            params.metric("size", seen.size, "By", minimum=0),
        )
        text = say(
            "{mount} is {used} full, {free} of {size} are free",
            mount=seen.mount,
            used=Quantity(used, "%"),
            free=Quantity(seen.free, "By"),
            size=Quantity(seen.size, "By"),
        )
        return Verdict(worst(metric.severity for metric in metrics), text, metrics)


async def _stored(snmp: Snmp, mount: str, target: Target, io: Io) -> DiskSeen:
    names = await snmp.walk(DESCR)
    kinds = await snmp.walk(TYPE)
    disks = {index: as_text(value) for index, value in names.items() if _is_disk(kinds, index)}
    found = [index for index, name in disks.items() if is_mounted_at(name, mount)]
    if not found:
        if names.complete and disks and io.memory.get(LAST) == mount:
            raise TargetFailure(say("the disk {mount} is gone", mount=mount), down=True)
        known = [_place(name) for name in disks.values()]
        raise ProbeFault(
            say("{device} shows no disk {mount}", device=target.name, mount=mount),
            say("Nearest names: {names}", names=nearest(mount, known)),
        )
    index = found[0]
    figures = await snmp.get([f"{column}.{index}" for column in (UNITS, SIZE, USED)])
    units, size, used = (as_int(figures.get(f"{column}.{index}")) for column in (UNITS, SIZE, USED))
    if not units or units < 0 or not size or used is None:
        raise ProbeFault(
            say("{device} does not say how large {mount} is", device=target.name, mount=mount),
            say("A drive without a medium has no size; otherwise restart its SNMP agent"),
        )
    io.memory[LAST] = mount
    return measured(mount, units, size, used)


def _is_disk(kinds: Column, index: str) -> bool:
    """An agent that gives no type for a row is taken at its word that it is storage."""
    kind = kinds.get(index)
    return kind is None or str(kind).lstrip(".") not in MEMORY_TYPES


def measured(mount: str, units: int, size: int, used: int) -> DiskSeen:
    """Return a row of hrStorageTable in bytes; a count below 0 has run over 31 bits."""
    whole, taken = (float(count % UNSIGNED) * units for count in (size, used))
    return DiskSeen(mount, whole, taken, max(0.0, whole - taken))


def is_mounted_at(name: str, mount: str) -> bool:
    """Return whether hrStorageDescr `name` is the file system at `mount`.

    Windows writes `D:\\\\ Label:Audio  Serial Number 1a2b3c4d`; a drive is the same with and without its backslash, in
    either case. FreeBSD writes `/srv, type: zfs, dev: srv`. Elsewhere the name is the mount point itself.
    """
    shown = _place(name)
    if len(mount.rstrip("\\/")) == 2 and mount[1] == ":":
        return shown.rstrip("\\/").casefold() == mount.rstrip("\\/").casefold()
    return shown == mount


def _place(name: str) -> str:
    return name.partition(" Label:")[0].partition(", type: ")[0].strip()
