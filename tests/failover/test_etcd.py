"""What comes from voters is hostile until it is parsed: servers on loopback that say all sorts of things."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from failover.etcd import LARGEST_ANSWER, Kept, Status, Unanswered, Voters, Written
from failover.lease import Refused, Why
from failover.lease_etcd import EtcdLease
from failover.model import Etcd
from monitor.clock import SystemClock
from monitor.core.text import ENGLISH

HEADER = {"cluster_id": "1", "member_id": "2", "revision": "3", "raft_term": "4"}
RETRY = 3.0


@asynccontextmanager
async def servers(*answers) -> AsyncIterator[Voters]:
    """Yield voters, one for each of `answers`: a status and a body, or a function of the request."""
    runners, ports = [], []
    for answer in answers:

        async def serve(request: web.Request, answer=answer) -> web.StreamResponse:
            if callable(answer):
                return await answer(request)
            status, body = answer
            return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        ports.append(runner.addresses[0][1])
    voters = Voters(Etcd(tuple(f"http://127.0.0.1:{port}" for port in ports)), RETRY, SystemClock())
    try:
        yield voters
    finally:
        await voters.close()
        for runner in runners:
            await runner.cleanup()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


GOOD = (200, {"header": HEADER, "kvs": [{"mod_revision": "7", "value": b64(b"x")}], "count": "1"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>"), "it answers HTTP 200, and not as etcd does"),
        ((200, b"[" * 50_000), "not as etcd does"),
        ((200, b"x" * (LARGEST_ANSWER + 1)), "it does not answer as etcd does"),
        ((200, []), "it does not answer as etcd does"),
        ((200, {}), "it does not answer as etcd does"),
        ((200, {"header": HEADER, "kvs": 5}), "it does not answer as etcd does"),
        ((200, {"header": HEADER, "kvs": [{}, {}]}), "it does not answer as etcd does"),
        ((200, {"header": HEADER, "kvs": [{"mod_revision": "-7", "value": ""}]}), "it does not answer as etcd does"),
        ((200, {"header": HEADER, "kvs": [{"mod_revision": 7, "value": ""}]}), "it does not answer as etcd does"),
        ((200, {"header": HEADER, "kvs": [{"mod_revision": "7", "value": "*"}]}), "it does not answer as etcd does"),
        ((302, b""), "it answers HTTP 302, and not as etcd does"),
        ((503, {"message": "etcdserver: request timed out", "code": 14}), "refuses: etcdserver: request timed out"),
        ((400, {"error": "a\x1b[2Jb" + "c" * 5000}), "it refuses: a [2Jbccc"),
    ],
)
async def test_whatever_is_no_answer_of_etcd_counts_as_none(answer, words):
    async with servers(answer) as voters:
        with pytest.raises(Unanswered) as raised:
            await voters.read(b"key")
    said = ENGLISH.render(raised.value.text)
    assert words in said
    assert said.isprintable()
    assert len(said) < 400


@pytest.mark.parametrize("bad", [{"succeeded": "yes"}, {"responses": []}, {"responses": [5]}, {"succeeded": False}])
async def test_a_transaction_is_carried_out_only_if_the_answer_says_so(bad):
    async with servers((200, {"header": HEADER, **bad})) as voters:
        with pytest.raises(Unanswered):
            await voters.swap(b"key", 0, b"new")


async def test_the_next_voter_is_asked_and_then_asked_first():
    asked = []

    async def refuses(_request: web.Request) -> web.Response:
        asked.append("first")
        return web.Response(status=503, text="{}")

    async with servers(refuses, GOOD) as voters:
        for _ in range(3):
            assert (await voters.read(b"key")).kept == Kept(b"x", 7)
    assert asked == ["first"]


async def test_a_voter_that_keeps_silent_costs_its_share_of_the_time_and_belief_counts_from_the_one_that_answered():
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    clock = SystemClock()
    async with servers(silent, (200, {"header": HEADER, "succeeded": True})) as voters:
        began = clock.boot()
        done = await voters.swap(b"key", 0, b"new")
    assert isinstance(done, Written)
    assert began + RETRY / 3 < done.sent < began + RETRY


async def test_nobody_there_is_told_for_each_voter():
    lease = EtcdLease(
        Voters(Etcd(("http://127.0.0.1:1", "http://127.0.0.1:2")), RETRY, SystemClock()),
        "crm",
        "centre",
        "a1",
        15.0,
        SystemClock(),
    )
    refused = await lease.acquire()
    await lease.close()
    assert isinstance(refused, Refused)
    assert refused.why is Why.UNANSWERED
    said = ENGLISH.render(refused.text)
    assert said.count("no connection: Connection refused") == 2


async def test_a_voter_says_how_it_is():
    answer = {"header": HEADER, "leader": "8", "raftTerm": "4", "raftAppliedIndex": "99", "dbSize": "4096"}
    async with servers((200, {**answer, "errors": ["no\nleader"]})) as voters:
        assert await voters.status(voters.endpoints[0]) == Status(2, 1, 8, 4, 99, 4096, ("no leader",))
    async with servers((200, {**answer, "leader": None})) as voters:
        with pytest.raises(Unanswered):
            await voters.status(voters.endpoints[0])
