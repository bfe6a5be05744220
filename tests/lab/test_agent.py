"""The SNMP agent against a client that is not of its family: gufo-snmp."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from gufo.snmp import Aes128Key, Sha256Key, SnmpVersion
from gufo.snmp import User as GufoUser
from gufo.snmp.aio import SnmpSession
from pysnmp.proto.rfc1902 import Counter64, Integer32, OctetString

from lab.agent import Agent, Community, User

TABLE = {
    (1, 3, 6, 1, 2, 1, 1, 5, 0): OctetString("rtr"),
    **{(1, 3, 6, 1, 2, 1, 2, 2, 1, 8, index): Integer32(index) for index in range(1, 150)},
    (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6, 1): Counter64(2**40),
}
NAME, STATUS, HIGH = "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.6.1"


@pytest.fixture(params=[Community("secret"), User("releve", "authentication", "encryption")], ids=["v2c", "v3"])
async def agent(request) -> AsyncIterator[Agent]:
    running = Agent(lambda: TABLE, request.param)
    await running.start()
    yield running
    await running.stop()


def session(agent: Agent, secret: str | None = None, timeout: float = 5.0) -> SnmpSession:
    if isinstance(agent._access, Community):
        return SnmpSession(
            "127.0.0.1", port=agent.port, community=secret or "secret", version=SnmpVersion.v2c, timeout=timeout
        )
    user = GufoUser(
        "releve", auth_key=Sha256Key((secret or "authentication").encode()), priv_key=Aes128Key(b"encryption")
    )
    return SnmpSession("127.0.0.1", port=agent.port, user=user, version=SnmpVersion.v3, timeout=timeout)


async def test_get_answers_what_there_is(agent):
    async with session(agent) as client:
        assert await client.get(NAME) == b"rtr"
        assert await client.get_many([NAME, HIGH]) == {NAME: b"rtr", HIGH: 2**40}


async def test_a_walk_by_next_and_one_by_bulk_see_the_whole_column_in_order(agent):
    async with session(agent) as client:
        by_next = [(oid, value) async for oid, value in client.getnext(STATUS)]
        by_bulk = [(oid, value) async for oid, value in client.getbulk(STATUS, max_repetitions=20)]
    assert by_next == by_bulk == [(f"{STATUS}.{index}", index) for index in range(1, 150)]


async def test_a_wrong_secret_reads_nothing(agent):
    with pytest.raises(Exception) as raised:
        async with session(agent, "wrong-secret", timeout=0.5) as client:
            await client.get(NAME)
    assert isinstance(raised.value, (TimeoutError, OSError)) or "auth" in type(raised.value).__name__.lower()


async def test_a_silenced_agent_hears_and_does_not_answer_until_it_speaks_again(agent):
    async with session(agent, timeout=0.3) as client:
        agent.silent = True
        with pytest.raises(TimeoutError):
            await client.get(NAME)
        agent.silent = False
        assert await client.get(NAME) == b"rtr"


async def test_the_table_is_made_anew_for_a_later_request():
    count = 0

    def table():
        nonlocal count
        count += 1
        return {(1, 3, 6, 1, 2, 1, 1, 3, 0): Integer32(count)}

    agent = Agent(table, Community("secret"))
    await agent.start()
    async with session(agent) as client:
        first = await client.get("1.3.6.1.2.1.1.3.0")
        async with asyncio.timeout(5):
            while await client.get("1.3.6.1.2.1.1.3.0") == first:
                await asyncio.sleep(0.02)
    await agent.stop()
