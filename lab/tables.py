"""What the simulated devices' SNMP agents say: the router (an ISR 4321) and the voice server (Windows Server 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pysnmp.proto.rfc1902 import (  # type: ignore[import-untyped]
    Counter32,
    Counter64,
    Gauge32,
    Integer32,
    ObjectIdentifier,
    OctetString,
    TimeTicks,
)

from lab import wire as fibre
from lab.agent import Oid
from lab.recorder import CAPACITY
from lab.scm import Phase
from lab.wire import Wire

MIB2: Oid = (1, 3, 6, 1, 2, 1)
SYSTEM: Oid = (*MIB2, 1)
IF_ENTRY: Oid = (*MIB2, 2, 2, 1)
"""IF-MIB ifEntry (RFC 2863)."""
IF_X_ENTRY: Oid = (*MIB2, 31, 1, 1, 1)
HOST: Oid = (*MIB2, 25)
"""HOST-RESOURCES-MIB (RFC 2790)."""
ENTITY: Oid = (*MIB2, 47, 1, 1, 1, 1)
"""ENTITY-MIB entPhysicalEntry (RFC 6933)."""
CISCO: Oid = (1, 3, 6, 1, 4, 1, 9, 9)
CPU: Oid = (*CISCO, 109, 1, 1, 1, 1)
"""CISCO-PROCESS-MIB cpmCPUTotalEntry."""
MEMORY: Oid = (*CISCO, 48, 1, 1, 1)
"""CISCO-MEMORY-POOL-MIB ciscoMemoryPoolEntry."""
SENSOR: Oid = (*CISCO, 91, 1, 1, 1, 1)
"""CISCO-ENTITY-SENSOR-MIB entSensorValueEntry."""
CONFIG: Oid = (*CISCO, 43, 1, 1)
"""CISCO-CONFIG-MAN-MIB ccmHistory."""
SERVICES: Oid = (1, 3, 6, 1, 4, 1, 77, 1, 2, 3, 1)
"""LanMgr-Mib-II-MIB svSvcEntry; Windows lists only what runs, by its display name."""

WAN = "GigabitEthernet0/0/0"
LAN = "GigabitEthernet0/0/1"
UP, DOWN = 1, 2
ETHERNET = 6
GIGABIT = 1_000_000_000
ALWAYS_RUNNING = ("DHCP Client", "DNS Client", "SNMP Service", "Windows Time", "Workstation")
DISK_UNIT = 512
"""Bytes of an allocation unit on the disk of the recordings."""
DISK_UNITS = CAPACITY // DISK_UNIT


@dataclass(frozen=True, slots=True)
class Switchboard:
    """The voice server's state: `disk` is the share of D: in use (%), `services` where each stands, by display name."""

    disk: float = 42.0
    services: Mapping[str, Phase] = field(default_factory=dict)


def router(line: Wire, at: float) -> dict[Oid, Any]:
    """Return the router's table at `at` seconds after its start; `line` is the fibre on its WAN port."""
    table = _system(
        "Cisco IOS Software [Bengaluru], ISR Software (X86_64_LINUX_IOSD-UNIVERSALK9-M), "
        "Version 17.6.4, RELEASE SOFTWARE (fc1)",
        (1, 3, 6, 1, 4, 1, 9, 1, 2093),
        "rtr-mediacontact",
        at,
    )
    lan = Wire(since=0.0)
    return table | _port(1, WAN, "FO vers OCM", line, at) | _port(2, LAN, "LAN plateau", lan, at) | _chassis(at)


def _system(description: str, kind: Oid, name: str, at: float) -> dict[Oid, Any]:
    return {
        (*SYSTEM, 1, 0): OctetString(description),
        (*SYSTEM, 2, 0): ObjectIdentifier(kind),
        (*SYSTEM, 3, 0): TimeTicks(_ticks(at + BOOTED_BEFORE)),
        (*SYSTEM, 4, 0): OctetString("si@example.org"),
        (*SYSTEM, 5, 0): OctetString(name),
        (*SYSTEM, 6, 0): OctetString("Douala, salle technique"),
        (*SYSTEM, 7, 0): Integer32(78),
    }


BOOTED_BEFORE = 12 * 86400.0
"""The devices started so many seconds before the lab did."""


def _ticks(seconds: float) -> int:
    """Seconds in hundredths, as TimeTicks counts them, modulo its 32 bits."""
    return int(seconds * 100) % 2**32


def _port(index: int, name: str, alias: str, line: Wire, at: float) -> dict[Oid, Any]:
    received, sent = (fibre.octets(line, mean, at) for mean in (fibre.MEAN_IN, fibre.MEAN_OUT))
    packets_in, packets_out = (int(octets * 8 / fibre.BITS_PER_PACKET) for octets in (received, sent))
    entry = {
        1: Integer32(index),
        2: OctetString(name),
        3: Integer32(ETHERNET),
        4: Integer32(1500),
        5: Gauge32(GIGABIT),
        6: OctetString(bytes((0x00, 0x2A, 0x10, 0x00, 0x00, index))),
        7: Integer32(UP),
        8: Integer32(UP if line.up else DOWN),
        9: TimeTicks(_ticks(line.since + BOOTED_BEFORE) if line.cuts else 4200),
        10: Counter32(received % 2**32),
        11: Counter32(packets_in % 2**32),
        13: Counter32(0),
        14: Counter32(line.cuts * 3),
        16: Counter32(sent % 2**32),
        17: Counter32(packets_out % 2**32),
        19: Counter32(0),
        20: Counter32(0),
    }
    extended = {
        1: OctetString(name.replace("GigabitEthernet", "Gi")),
        6: Counter64(received),
        7: Counter64(packets_in),
        10: Counter64(sent),
        11: Counter64(packets_out),
        15: Gauge32(GIGABIT // 1_000_000),
        18: OctetString(alias),
        19: TimeTicks(0),
    }
    return {(*IF_ENTRY, column, index): value for column, value in entry.items()} | {
        (*IF_X_ENTRY, column, index): value for column, value in extended.items()
    }


def _chassis(at: float) -> dict[Oid, Any]:
    """Processor, memory, temperature, what it is and when its configuration last changed."""
    sensor = 7004
    entities = {
        1: ("Cisco ISR4321 Chassis", 3, "Chassis", "17.6.4", "FDO00000000", "ISR4321/K9"),
        7000: ("Cisco ISR4321 Route Processor", 9, "module R0", "17.6.4", "FDO00000001", "ISR4321/K9"),
        sensor: ("Temp: Inlet 1", 8, "Temp: Inlet 1 R0/4", "", "", ""),
    }
    table: dict[Oid, Any] = {}
    for index, (description, kind, name, version, serial, model) in entities.items():
        texts = {2: description, 7: name, 10: version, 11: serial, 13: model}
        table |= {(*ENTITY, column, index): OctetString(text) for column, text in texts.items()}
        table[*ENTITY, 5, index] = Integer32(kind)
    load = 11 + int(at) % 5
    table |= {
        (*CPU, 2, 1): Integer32(7000),
        (*CPU, 6, 1): Gauge32(load + 2),
        (*CPU, 7, 1): Gauge32(load),
        (*CPU, 8, 1): Gauge32(11),
        (*MEMORY, 2, 1): OctetString("Processor"),
        (*MEMORY, 5, 1): Gauge32(412_000_000),
        (*MEMORY, 6, 1): Gauge32(1_088_000_000),
        (*MEMORY, 7, 1): Gauge32(1_080_000_000),
        (*SENSOR, 1, sensor): Integer32(8),
        (*SENSOR, 2, sensor): Integer32(9),
        (*SENSOR, 3, sensor): Integer32(0),
        (*SENSOR, 4, sensor): Integer32(24 + int(at / 60) % 2),
        (*SENSOR, 5, sensor): Integer32(1),
        (*CONFIG, 1, 0): TimeTicks(_ticks(3 * 86400)),
        (*CONFIG, 2, 0): TimeTicks(_ticks(3 * 86400 + 60)),
        (*CONFIG, 3, 0): TimeTicks(4200),
    }
    return table


def server(state: Switchboard, at: float) -> dict[Oid, Any]:
    """Return the voice server's table at `at` seconds after the lab's start."""
    table = _system(
        "Hardware: Intel64 Family 6 Model 63 Stepping 2 AT/AT COMPATIBLE - "
        "Software: Windows Version 6.3 (Build 17763 Multiprocessor Free)",
        (1, 3, 6, 1, 4, 1, 311, 1, 1, 3, 1, 2),
        "SRV-HMP",
        at,
    )
    storage = {
        1: (4, "C:\\ Label:  Serial Number 10f82425", 4096, 26_056_703, 7_900_201),
        2: (4, "D:\\ Label:Audio  Serial Number 1234abcd", DISK_UNIT, DISK_UNITS, round(DISK_UNITS * state.disk / 100)),
        3: (3, "Virtual Memory", 65536, 301_039, 63_229),
        4: (2, "Physical Memory", 65536, 262_127, 59_527),
    }
    table[*HOST, 1, 1, 0] = TimeTicks(_ticks(at + BOOTED_BEFORE))
    table[*HOST, 1, 6, 0] = Gauge32(96)
    for index, (kind, description, unit, size, used) in storage.items():
        entry = {1: Integer32(index), 2: ObjectIdentifier((*HOST, 2, 1, kind)), 3: OctetString(description)}
        entry |= {4: Integer32(unit), 5: Integer32(size), 6: Integer32(used), 7: Counter32(0)}
        table |= {(*HOST, 2, 3, 1, column, index): value for column, value in entry.items()}
    table |= {(*HOST, 3, 3, 1, 2, index): Integer32(8 + index) for index in range(6, 10)}
    return table | _services({**dict.fromkeys(ALWAYS_RUNNING, Phase.RUNNING), **state.services})


def _services(stand: Mapping[str, Phase]) -> dict[Oid, Any]:
    """One row a service that is not stopped; its index is its name, length first (RFC 2578, 7.7)."""
    table: dict[Oid, Any] = {}
    for name, phase in stand.items():
        if phase is Phase.STOPPED:
            continue
        index = (len(name), *name.encode())
        table[*SERVICES, 1, *index] = OctetString(name)
        for column, value in {2: INSTALLED[phase], **SERVICE_STATE}.items():
            table[*SERVICES, column, *index] = Integer32(value)
    return table


INSTALLED = {Phase.START_PENDING: 2, Phase.STOP_PENDING: 3, Phase.RUNNING: 4}
"""svSvcInstalledState: install-pending, uninstall-pending, installed."""
SERVICE_STATE = {3: 1, 4: 2, 5: 1}
"""svSvcOperatingState active, CanBeUninstalled yes, CanBePaused no."""
