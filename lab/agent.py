"""An SNMP agent (v2c by community, or v3 by user) that answers from a table made anew from the live state."""

from __future__ import annotations

import asyncio
import socket
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]
from pysnmp.entity import config, engine  # type: ignore[import-untyped]
from pysnmp.entity.rfc3413 import cmdrsp, context  # type: ignore[import-untyped]
from pysnmp.proto import rfc1905  # type: ignore[import-untyped]
from pysnmp.smi import error, instrum  # type: ignore[import-untyped]

from lab.door import bound

Oid = tuple[int, ...]
Table = Mapping[Oid, Any]
"""What an agent knows: each instance's OID and its value, one of pysnmp's SMIv2 types."""
FRESH = 0.1
"""Seconds for which one table answers everybody, so that a walk sees one moment, as an agent's own cache does it."""


@dataclass(frozen=True, slots=True)
class Community:
    """Read access by SNMPv2c."""

    name: str


@dataclass(frozen=True, slots=True)
class User:
    """Read access by SNMPv3, authPriv with HMAC-SHA-256 (RFC 7860) and AES-128 (RFC 3826)."""

    name: str
    auth: str
    priv: str


class Agent:
    """Answers GET, GETNEXT and GETBULK. While `silent` it hears everything and says nothing."""

    def __init__(self, table: Callable[[], Table], access: Community | User) -> None:
        self._view, self._access = _View(table), access
        self._engine: Any = None
        self._transport: _Ear | None = None
        self.port = 0

    @property
    def silent(self) -> bool:
        """Whether it keeps quiet."""
        return self._transport is not None and self._transport.silent

    @silent.setter
    def silent(self, silent: bool) -> None:
        if self._transport is not None:
            self._transport.silent = silent

    async def start(self) -> None:
        """Answer from now on, on `port`."""
        ear = bound(socket.SOCK_DGRAM)
        self.port = ear.getsockname()[1]
        self._engine = await asyncio.to_thread(engine.SnmpEngine)
        self._transport = _Ear()
        config.add_transport(self._engine, udp.DOMAIN_NAME, self._transport.open_server_mode(sock=ear))
        _admit(self._engine, self._access)
        names = context.SnmpContext(self._engine)
        names.unregister_context_name(b"")
        names.register_context_name(b"", self._view)
        for responder in (cmdrsp.GetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder):
            responder(self._engine, names)
        await self._transport.listening()

    async def stop(self) -> None:
        """Answer no more."""
        if self._engine is not None:
            self._engine.close_dispatcher()
            self._engine = None
            await asyncio.sleep(0)


class _Ear(udp.UdpAsyncioTransport):  # type: ignore[misc]
    """The agent's socket, which can play dead."""

    silent = False

    async def listening(self) -> None:
        await self._lport

    def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:  # noqa: N803
        if not self.silent:
            super().datagram_received(datagram, transportAddress)


class _View(instrum.AbstractMibInstrumController):  # type: ignore[misc]
    """What pysnmp's responders read from: a sorted table in place of compiled MIBs."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._make = table
        self._table: Table = {}
        self._order: list[Oid] = []
        self._made_at = float("-inf")

    def read_variables(self, *binds: Any, **scene: Any) -> list[tuple[Any, Any]]:
        """Answer a GET (RFC 3416, 4.2.1)."""
        self._look(binds, scene)
        return [(name, self._table.get(tuple(name), rfc1905.noSuchInstance)) for name, _ in binds]

    def read_next_variables(self, *binds: Any, **scene: Any) -> list[tuple[Any, Any]]:
        """Answer a GETNEXT, or one repetition of a GETBULK (RFC 3416, 4.2.2 and 4.2.3)."""
        self._look(binds, scene)
        return [self._next(name) for name, _ in binds]

    def write_variables(self, *binds: Any, **scene: Any) -> list[tuple[Any, Any]]:
        """Refuse: the lab's devices are for reading."""
        raise error.NotWritableError(name=binds[0][0] if binds else (), idx=0)

    def _next(self, name: Any) -> tuple[Any, Any]:
        place = bisect_right(self._order, tuple(name))
        if place == len(self._order):
            return name, rfc1905.endOfMibView
        following = self._order[place]
        return following, self._table[following]

    def _look(self, binds: tuple[Any, ...], scene: Mapping[str, Any]) -> None:
        if binds:
            scene["acFun"]("read", binds[0], **{**scene, "idx": 0})
        now = asyncio.get_running_loop().time()
        if now - self._made_at > FRESH:
            self._table = self._make()
            self._order = sorted(self._table)
            self._made_at = now


def _admit(snmp: Any, access: Community | User) -> None:
    """Let `access` read everything, and only at the level of security that it stands for."""
    everything = (1, 3, 6)
    if isinstance(access, Community):
        config.add_v1_system(snmp, "lab", access.name)
        config.add_vacm_user(snmp, 2, "lab", "noAuthNoPriv", everything)
        return
    config.add_v3_user(
        snmp, access.name, config.USM_AUTH_HMAC192_SHA256, access.auth, config.USM_PRIV_CFB128_AES, access.priv
    )
    config.add_vacm_user(snmp, 3, access.name, "authPriv", everything)
