"""Is the copy of a database at the other site as new as the database, and is exactly one of the two active?

Both are asked, for each may have taken the other's role since the inventory was written. `lag` and `behind` are what
would be lost if the copy had to do now: changes that are not on its disk. What it has and has not yet replayed is not
lost, but takes its time when the copy takes over: `replay_lag` and `replay_behind`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say
from monitor.core.verdict import Verdict
from probes import mssql, postgresql
from probes.contract import Io, ProbeFault, Target
from probes.mssql_judge import group_verdict, shipping_verdict
from probes.mssql_seen import Group, S, Shipping, Two
from probes.params import Params
from probes.replication_judge import Asked, verdict
from probes.replication_seen import Pair, Role, Server, Silent, Trail, position, stream_of

if TYPE_CHECKING:
    from probes.postgresql import Connection

TRAIL = "trail"
"""Key of `Io.memory`: where the primary was at the last looks."""
SHARE_OF_TIME = 0.6
"""Part of the time left in which both must have answered; the rest is for looking whether the copy gets there."""
CATCHES_UP_WITHIN = 1.0
"""Seconds that a copy has to get where the primary was: both are asked at once, and the change is on its way."""
LOOK_AGAIN = 0.05
Seen = Pair | Group | Shipping
METRICS = (("lag", "s"), ("behind", "By"), ("replay_lag", "s"), ("replay_behind", "By"), ("age", "s"))


class ReplicationParams(Params):
    """Keys of a check of kind `replication`; `warning` and `critical` are of the lag."""

    how: Literal["postgresql", "mssql-always-on", "mssql-log-shipping"] = Field(
        default="postgresql", description=N_("how the data get to the copy")
    )
    standby: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description=N_("the device with the copy; without it, only the database itself is asked")
    )
    application: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        default=None,
        description=N_(
            "application_name by which the copy connects, or the name of its replica, where there are several copies"
        ),
    )
    synchronous: bool = Field(
        default=False, description=N_("every commit should wait for the copy: warn when it does not")
    )


class Replication:
    """Kind `replication`."""

    kind: ClassVar[str] = "replication"
    Params: ClassVar[type[ReplicationParams]] = ReplicationParams
    ways: ClassVar[tuple[str, ...]] = ("sql",)
    engines: ClassVar[Mapping[str, str]] = {
        "postgresql": "postgresql",
        "mssql-always-on": "mssql",
        "mssql-log-shipping": "mssql",
    }
    """How the data get to the copy -> what both databases must be."""
    others: ClassVar[tuple[str, ...]] = ("standby",)
    """Keys of its parameters that name another device, which it reaches by the same way."""
    metrics: ClassVar[tuple[tuple[str, str], ...]] = METRICS
    needs: ClassVar[Text] = say(
        "PostgreSQL: pip install '.[postgres]', and on the database a user of its own: CREATE ROLE releve LOGIN; "
        "GRANT pg_monitor TO releve. pg_hba.conf lets it in on both servers; a copy takes the user over by itself. "
        "SQL Server: pip install '.[mssql]', and on both servers a login with GRANT VIEW SERVER STATE, VIEW ANY "
        "DEFINITION; for log shipping also db_datareader in msdb."
    )

    async def observe(self, target: Target, params: ReplicationParams, io: Io) -> Seen:
        """Ask both; one that does not answer is part of what was seen. Raises ProbeFault where nothing can be tried."""
        standby = target.beside.get("standby")
        if params.standby is not None and standby is None:
            raise ProbeFault(say("there is no device {name}", name=params.standby))
        within = io.remaining() * SHARE_OF_TIME
        both = [one for one in (target, standby) if one is not None]
        match params.how:
            case "mssql-always-on":
                return Two(*await asyncio.gather(*(_of_sql_server(mssql.ask_group, one, io, within) for one in both)))
            case "mssql-log-shipping":
                return Two(
                    *await asyncio.gather(*(_of_sql_server(mssql.ask_shipment, one, io, within) for one in both))
                )
            case _:
                return await self._postgresql(target, standby, params, io, within)

    async def _postgresql(
        self, target: Target, standby: Target | None, params: ReplicationParams, io: Io, within: float
    ) -> Pair:
        async with AsyncExitStack() as stack:
            asked = [_asked(one, io, within, stack) for one in (target, standby) if one is not None]
            answers = await asyncio.gather(*asked)
            servers = [server for server, _ in answers]
            pair = Pair(
                servers[0],
                servers[1] if len(servers) > 1 else None,
                address="" if standby is None else standby.address,
                trail=io.memory.get(TRAIL, Trail()),
            )
            connections = {server.name: connection for server, connection in answers if connection is not None}
            targets = {one.name: one for one in (target, standby) if one is not None}
            pair = await _followed(pair, targets, connections, io)
        pair = _remembered(pair, params)
        io.memory[TRAIL] = pair.trail
        return pair

    def judge(self, seen: Seen, params: ReplicationParams) -> Verdict:
        """Say how far the copy is behind, and whether exactly one of the two is active."""
        asked = Asked(params, params.application, params.synchronous)
        if isinstance(seen, Pair):
            return verdict(seen, asked)
        if params.how == "mssql-always-on":
            return group_verdict(cast("Group", seen), asked)
        return shipping_verdict(cast("Shipping", seen), asked)


async def _of_sql_server(
    ask: Callable[[Target, Io, float], Awaitable[S]], target: Target, io: Io, within: float
) -> S | Silent:
    try:
        return await ask(target, io, within)
    except ProbeFault as fault:
        return _silent(target, fault)


def _silent(target: Target, fault: ProbeFault) -> Silent:
    why = fault.text if fault.remedy is None else say("{what}. {remedy}", what=fault.text, remedy=fault.remedy)
    return Silent(target.name, why)


async def _asked(
    target: Target, io: Io, within: float, stack: AsyncExitStack
) -> tuple[Server | Silent, Connection | None]:
    """Return what the server says and the connection, which lives as long as `stack`."""
    try:
        connection = await stack.enter_async_context(postgresql.opened(target, io, within))
        return await postgresql.ask(connection, target, within), connection
    except ProbeFault as fault:
        return _silent(target, fault), None


async def _followed(
    pair: Pair, targets: Mapping[NodeId, Target], connections: Mapping[NodeId, Connection], io: Io
) -> Pair:
    """Return the pair once the copy has what the primary had, or as it was when it did not get there in time.

    Both were asked at the same moment: what the primary wrote just then is on its way and is no lag.
    """
    primary, standby = pair.of(Role.PRIMARY), pair.of(Role.STANDBY)
    if primary is None or standby is None or standby.system != primary.system:
        return pair
    loop = asyncio.get_running_loop()
    begun, until = loop.time(), loop.time() + min(CATCHES_UP_WITHIN, io.remaining() / 2)
    if max(standby.received, standby.replayed) >= primary.flushed:
        return pair
    while max(standby.received, standby.replayed) < primary.flushed:
        if loop.time() >= until:
            return _with(pair, standby)
        await asyncio.sleep(LOOK_AGAIN)
        try:
            standby = await postgresql.ask(connections[standby.name], targets[standby.name], until - loop.time() + 1)
        except ProbeFault:
            return _with(pair, standby)
        if standby.role is not Role.STANDBY:
            return _with(pair, standby)
    return replace(_with(pair, standby), waited=timedelta(seconds=loop.time() - begun))


def _with(pair: Pair, server: Server) -> Pair:
    """Return the pair with a newer answer of one of the two."""
    if server.name == pair.device.name:
        return replace(pair, device=server)
    return replace(pair, standby=server)


def _remembered(pair: Pair, params: ReplicationParams) -> Pair:
    """Return the pair with this look in its trail; without a primary nothing is known that was not before."""
    primary = pair.of(Role.PRIMARY)
    if primary is None:
        return pair
    stream = stream_of(primary, pair.address, params.application)
    copied = position(pair.of(Role.STANDBY), stream, Trail()).received
    return replace(pair, trail=pair.trail.on(primary, copied))
