"""Step `always-on-failover` over TDS, against a replica that behaves as Microsoft's documentation says.

No SQL Server was seen: that the views answer so is its documentation's word.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.always_on import failover_statement, state_query
from runbooks.contract import Answer, CheckOf, Effect, Image, Io, Outcome, Site, StepFailed, StepUncertain, Subject
from runbooks.registry import load
from runbooks.steps.always_on_failover import AlwaysOnFailover, AlwaysOnFailoverParams
from tests.runbooks.tds import Hangup, Refusal, Row, SqlServer

STEP = AlwaysOnFailover()
GROUP = "6A1F3B57-0000-4000-8000-000000000001"


@dataclass
class Replica:
    """The replica of `crm` on a server; `told`: the orders that it got. It obeys unless it `refuses` any, or a
    planned one, or `hangs_up`.

    `recovers_after`: questions until the databases can be used after an order.
    """

    role: str = "SECONDARY"
    operational: str | None = "ONLINE"
    mode: str = "SYNCHRONOUS_COMMIT"
    databases: int = 2
    ready: int = 2
    online: int = 0
    broken: str | None = None
    group: str = GROUP
    recovers_after: int = 1
    refuses: Refusal | None = None
    refuses_planned: Refusal | None = None
    hangs_up: bool = False
    raw: Row | None = None
    told: list[str] = field(default_factory=list)

    def answer(self, statement: str) -> Row | None:
        if statement.startswith("use "):
            return None
        if statement.startswith("ALTER "):
            self.told.append(statement)
            return self._obey()
        if self.raw is not None:
            return self.raw
        if "g.name = N'crm'" not in statement:
            return None
        if self.told and self.role == "PRIMARY":
            self.recovers_after -= 1
            self.online = self.databases if self.recovers_after <= 0 else 0
        lagging = "calls" if self.ready < self.databases else None
        return (
            self.group, self.role, self.operational, self.mode, self.databases, self.ready, lagging, self.online,
            self.broken, "2026-11-26T03:04:05.670",
        )  # fmt: skip

    def _obey(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        if self.refuses_planned is not None and self.told[-1].endswith(" FAILOVER"):
            raise self.refuses_planned
        self.role, self.operational = "PRIMARY", "ONLINE"
        if self.hangs_up:
            raise Hangup


@pytest.fixture
def replica() -> Replica:
    return Replica()


@pytest.fixture
async def server(replica: Replica) -> AsyncIterator[SqlServer]:
    made = SqlServer(replica.answer)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def subject(server: SqlServer) -> Subject:
    return subject_at(server.port)


def subject_at(port: int, engine: str = "mssql") -> Subject:
    own = {"engine": engine, "database": "crm", "user": "releve", "password": Secret("sesame"), "port": port}
    target = Target(NodeId("sql-2"), "127.0.0.1", {"sql": SqlAccess.model_validate(own)})
    check = CheckOf(CheckId("base"), "tcp", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


def params(**keys: Any) -> AlwaysOnFailoverParams:
    return AlwaysOnFailoverParams.model_validate({"group": "crm", "within": "20s", **keys})


async def image(wanted: AlwaysOnFailoverParams, subject: Subject, io: Io) -> Image:
    """Return the before-image as it comes out of the journal."""
    found: Image = json.loads(json.dumps(dict(await STEP.before(wanted, subject, io))))
    return found


async def carried(wanted: AlwaysOnFailoverParams, subject: Subject, io: Io) -> Outcome:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    (action,) = STEP.actions(wanted, subject)
    keys = AlwaysOnFailoverParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    return await STEP.apply(keys, await image(keys, subject, io), subject, io)


def said(error: Any) -> str:
    return ENGLISH.render(error.text)


async def test_a_synchronised_secondary_is_told_in_master_and_its_databases_are_waited_for(
    replica: Replica, server: SqlServer, subject: Subject, make_io: Callable[..., Io]
):
    replica.recovers_after = 2
    outcome = await carried(params(), subject, make_io())
    assert said(outcome) == "sql-2 is the primary of crm. Every database was synchronised there: nothing is lost"
    assert replica.told == ["ALTER AVAILABILITY GROUP [crm] FAILOVER"]
    assert set(server.databases) == {"master"}
    # ALTER AVAILABILITY GROUP is refused within a transaction, and nothing is given up half read.
    assert [within for statement, within in server.asked if statement.startswith("ALTER")] == [False]
    assert server.cancelled == 0
    before, after = outcome.evidence["before"], outcome.evidence["after"]
    assert (before["role"], before["ready"], before["group"]) == ("SECONDARY", 2, GROUP)
    assert (after["role"], after["online"]) == ("PRIMARY", 2)


@pytest.mark.parametrize(
    ("ready", "role", "text"),
    [
        (
            1, "SECONDARY",
            "sql-2 is the primary of crm, by force. calls was not in step, 1 of 2 were: what the old primary committed "
            "after 2026-11-26T03:04:05.670 (by its own clock), if anything, is not here.",
        ),
        (
            2, "RESOLVING",
            "sql-2 is the primary of crm, by force. Every database was marked as synchronised: nothing is lost if this "
            "server was up when the old primary was lost.",
        ),
    ],
)  # fmt: skip
async def test_by_force_what_may_be_lost_is_told_and_that_the_others_are_to_be_resumed(
    replica: Replica, subject: Subject, make_io: Callable[..., Io], ready: int, role: str, text: str
):
    replica.ready, replica.role, replica.operational = ready, role, "OFFLINE"
    replica.refuses_planned = Refusal(41122, "Cannot failover availability group 'crm' to this instance.")
    outcome = await carried(params(forced=True), subject, make_io())
    assert said(outcome) == (
        f"{text} The databases of the other replicas are SUSPENDED until somebody resumes them there (ALTER DATABASE "
        "... SET HADR RESUME); what they have and this one lacks is gone then: save it first"
    )
    forced = "ALTER AVAILABILITY GROUP [crm] FORCE_FAILOVER_ALLOW_DATA_LOSS"
    assert replica.told == (["ALTER AVAILABILITY GROUP [crm] FAILOVER", forced] if ready == 2 else [forced])
    assert outcome.evidence["forced"] is True


async def test_nothing_is_forced_that_can_be_done_without_loss(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    outcome = await carried(params(forced=True), subject, make_io())
    assert said(outcome).endswith("Every database was synchronised there: nothing is lost")
    assert replica.told == ["ALTER AVAILABILITY GROUP [crm] FAILOVER"]


@pytest.mark.parametrize(
    ("changes", "forced", "why"),
    [
        ({"ready": 1}, False, "1 of 2 databases of crm are ready on sql-2, calls is not"),
        ({"mode": "ASYNCHRONOUS_COMMIT"}, False, "no commit waits for sql-2 (ASYNCHRONOUS_COMMIT)"),
        ({"databases": 0, "ready": 0}, True, "sql-2 shows no database of crm"),
        ({"broken": "REVERTING"}, True, "a database of crm on sql-2 is REVERTING, and could not be started there"),
        ({"operational": "FAILED_NO_QUORUM", "role": "RESOLVING"}, True, "the Windows cluster of sql-2 has no quorum"),
        ({"role": "NONSENSE"}, True, "sql-2 is no secondary replica of crm: NONSENSE"),
        ({"raw": (GROUP, 1, None, "", 2, 2, None, 0, None, None)}, True, "what SQL Server on sql-2 answers makes no"),
        ({"raw": (GROUP, "SECONDARY", None, "", -2, 2, None, 0, None, None)}, True, "what SQL Server on sql-2 answers"),
        ({"raw": (1, 2)}, True, "what SQL Server on sql-2 answers makes no sense"),
    ],
)
async def test_a_replica_that_is_unfit_is_refused_and_nothing_is_told(
    replica: Replica, subject: Subject, make_io: Callable[..., Io], changes: dict[str, Any], forced: bool, why: str
):
    for name, value in changes.items():
        setattr(replica, name, value)
    with pytest.raises(StepFailed) as caught:
        await carried(params(forced=forced), subject, make_io())
    assert said(caught.value).startswith(why)
    assert replica.told == []


async def test_a_group_that_is_not_there_is_told_with_the_right_to_see_it(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    with pytest.raises(StepFailed) as caught:
        await STEP.before(params(group="crn"), subject, make_io())
    assert said(caught.value) == "sql-2 shows no availability group crn"
    assert caught.value.remedy is not None
    assert "VIEW SERVER STATE" in ENGLISH.render(caught.value.remedy)


async def test_the_primary_is_left_as_it_is(replica: Replica, subject: Subject, make_io: Callable[..., Io]):
    replica.role, replica.online = "PRIMARY", 2
    outcome = await carried(params(), subject, make_io())
    assert (outcome.changed, replica.told) == (False, [])


async def test_a_primary_whose_databases_cannot_be_used_is_waited_for(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    replica.role, replica.online = "PRIMARY", 1
    with pytest.raises(StepUncertain) as caught:
        await carried(params(within="1s"), subject, make_io())
    assert said(caught.value).startswith("sql-2 is the primary of crm, and only 1 of 2 databases can be used")
    assert replica.told == []


@pytest.mark.parametrize("seen", [{"databases": 0, "online": 0}, {"group": "another"}])
async def test_a_primary_that_shows_less_than_before_is_not_taken_for_recovered(
    seen: dict[str, Any], replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    io, wanted = make_io(), params(within="1s")
    before = await image(wanted, subject, io)
    replica.recovers_after = 0
    for name, value in seen.items():
        setattr(replica, name, value)
    with pytest.raises(StepUncertain):
        await STEP.apply(wanted, before, subject, io)


async def test_what_sql_server_refuses_did_not_happen(replica: Replica, subject: Subject, make_io: Callable[..., Io]):
    replica.refuses = Refusal(41142, "The availability replica is not ready to become the primary\x1b[2J replica.")
    with pytest.raises(StepFailed) as caught:
        await carried(params(), subject, make_io())
    assert said(caught.value).startswith("the database of sql-2 refuses: The availability replica is not ready")
    assert "\x1b" not in said(caught.value)


async def test_a_refusal_of_a_replica_that_changed_its_role_is_believed_by_what_it_became(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    before = await image(params(), subject, make_io())
    replica.refuses = Refusal(41131, "Failed to bring availability group online. The operation timed out.")
    replica.role = "RESOLVING"
    with pytest.raises(StepUncertain, match="refuses"):
        await STEP.apply(params(), before, subject, make_io())
    replica.role = "PRIMARY"  # the cluster did it meanwhile
    assert (await STEP.apply(params(), before, subject, make_io())).changed


async def test_an_order_whose_answer_is_lost_is_looked_for_at_the_replica(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    replica.hangs_up = True
    assert (await carried(params(), subject, make_io())).changed
    assert len(replica.told) == 1


async def test_databases_that_are_not_recovered_in_time_leave_doubt(
    replica: Replica, subject: Subject, make_io: Callable[..., Io]
):
    io, wanted = make_io(), params(within="1s")
    before = await image(wanted, subject, io)
    replica.recovers_after = 99
    with pytest.raises(StepUncertain) as caught:
        await STEP.apply(wanted, before, subject, io)
    assert said(caught.value).replace("\u00a0", " ") == (
        "sql-2 is the primary of crm, and only 0 of 2 databases can be used after 1 s"
    )
    assert await STEP.done(wanted, before, subject, io) is Answer.CANNOT_TELL
    replica.recovers_after = 1
    assert await STEP.done(wanted, before, subject, io) is Answer.YES


@pytest.mark.parametrize(
    ("changes", "forced", "answer"),
    [
        ({"role": "SECONDARY"}, False, Answer.NO),
        ({"role": "PRIMARY", "online": 2}, False, Answer.YES),
        ({"role": "PRIMARY", "online": 2, "group": GROUP[::-1]}, False, Answer.CANNOT_TELL),
        ({"role": "RESOLVING"}, False, Answer.CANNOT_TELL),
        ({"role": "RESOLVING"}, True, Answer.NO),
        ({"raw": ("x",)}, True, Answer.CANNOT_TELL),
    ],
)
async def test_after_a_crash_the_replica_tells(
    replica: Replica, subject: Subject, make_io: Callable[..., Io], changes: dict[str, Any], *, forced: bool,
    answer: Answer,
):  # fmt: skip
    io, wanted = make_io(), params(within="1s", forced=forced)
    replica.role = "RESOLVING" if forced else "SECONDARY"
    before = await image(wanted, subject, io)
    for name, value in changes.items():
        setattr(replica, name, value)
    assert await STEP.done(wanted, before, subject, io) is answer
    assert replica.told == []


async def test_a_server_that_is_away_got_nothing_and_cannot_tell(make_io: Callable[..., Io]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away, wanted = subject_at(taken.getsockname()[1]), params(within="1s")
        with pytest.raises(StepFailed, match="cannot log in"):
            await STEP.before(wanted, away, make_io())
        before = {
            "group": GROUP, "role": "SECONDARY", "operational": "ONLINE", "mode": "SYNCHRONOUS_COMMIT", "databases": 1,
            "ready": 1, "lagging": "", "online": 0, "broken": "", "committed_at": "",
        }  # fmt: skip
        assert await STEP.done(wanted, before, away, make_io()) is Answer.CANNOT_TELL


@pytest.mark.parametrize("garbage", [b"\x04\x01\x00\x09\x00\x00\x01\x00\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_server_that_speaks_another_language_is_told(make_io: Callable[..., Io], garbage: bytes):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await reader.read(10)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        with pytest.raises(StepFailed):
            await STEP.before(params(), subject_at(listening.sockets[0].getsockname()[1]), make_io())
    finally:
        listening.close()
        await listening.wait_closed()


def test_a_name_stands_in_the_statements_as_a_name():
    assert failover_statement("a]; DROP DATABASE x--", forced=False) == (
        "ALTER AVAILABILITY GROUP [a]]; DROP DATABASE x--] FAILOVER"
    )
    assert state_query("o'; DROP {x}").rstrip().endswith("WHERE g.name = N'o''; DROP {x}'")


def test_the_dry_run_says_who_becomes_the_primary_and_that_force_may_lose():
    said = [ENGLISH.render(STEP.actions(params(forced=one), subject_at(1))[0].said) for one in (False, True)]
    assert said == [
        "make sql-2 the primary of the availability group crm",
        "make sql-2 the primary of the availability group crm, by force where it must be: data may be lost then",
    ]
    assert STEP.actions(params(), subject_at(1))[0].effect is Effect.DISRUPTS
    with pytest.raises(StepFailed, match="has no SQL Server"):
        STEP.actions(params(), subject_at(1, "postgresql"))


@pytest.mark.parametrize("keys", [{"group": ""}, {"group": "a\nb"}, {"group": "x" * 129}, {"within": "3 h"}, {"by": 1}])
def test_keys_that_make_no_sense_are_refused(keys: dict[str, Any]):
    with pytest.raises(ValidationError):
        params(**keys)


def test_it_is_registered():
    assert isinstance(load("always-on-failover"), AlwaysOnFailover)
