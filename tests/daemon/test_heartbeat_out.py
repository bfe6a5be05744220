"""Relève's own sign of life against real watchers: it is given while all is well, and only then."""

import asyncio
import contextlib
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
import trustme
from aiohttp import web

from monitor.clock import SystemClock
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.daemon import Daemon
from monitor.daemon.heartbeat_out import Ailment, SignOfLife, deliver
from monitor.inventory.model import HeartbeatOut
from monitor.secret import Secret

PATIENCE = 20
SECRET = "s3cret-7f3a"


class Watcher:
    """What asks for signs of life: it keeps every request, and answers with `status` after `delay` seconds."""

    def __init__(self):
        self.requests, self.status, self.delay, self.port = [], 200, 0.0, 0

    async def answer(self, request):
        self.requests.append((request.method, request.path, request.remote, dict(request.headers)))
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"}, text="x" * 100_000)

    def heartbeat(self, every=0.05, source="", scheme="http"):
        url = Secret(f"{scheme}://127.0.0.1:{self.port}/ping/{SECRET}")
        return HeartbeatOut(url, timedelta(seconds=every), source)


@contextlib.asynccontextmanager
async def watching(tls=None):
    watcher, application = Watcher(), web.Application()
    application.router.add_route("*", "/{rest:.*}", watcher.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    watcher.port = runner.addresses[0][1]
    try:
        yield watcher
    finally:
        await runner.cleanup()


@pytest.fixture
async def watcher():
    async with watching() as one:
        yield one


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


class Giving:
    """A sign of life being given: what is `wanted`, what is `ailing`, and what was reported."""

    def __init__(self, wanted):
        self.wanted, self.ailing, self.verdicts = wanted, None, []
        self.sign = SignOfLife(lambda: self.wanted, lambda: self.ailing, SystemClock(), self._report, patience=2)

    async def _report(self, verdict, at, elapsed):
        assert at.tzinfo is not None
        assert elapsed >= 0
        self.verdicts.append(verdict)

    async def __aenter__(self):
        self._task = asyncio.create_task(self.sign.run())
        return self

    async def __aexit__(self, *error):
        assert not self._task.done()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def words(verdict):
    return ENGLISH.render(verdict.summary)


async def test_while_all_is_well_the_watcher_hears_of_it_again_and_again(watcher):
    async with Giving(watcher.heartbeat()) as giving:
        await until(lambda: len(watcher.requests) >= 3 and len(giving.verdicts) >= 3)
        assert {verdict.severity for verdict in giving.verdicts} == {Severity.OK}
        assert giving.sign.sent >= 3
        assert giving.sign.failed == 0
        assert giving.sign.sent_at is not None
    method, path, _, headers = watcher.requests[0]
    assert (method, path, headers["User-Agent"]) == ("GET", f"/ping/{SECRET}", "releve")
    assert "Cookie" not in headers


def withheld(caplog):
    """Why signs were held back, in the order of the log."""
    return [record.why for record in caplog.records if getattr(record, "event", "") == "heartbeat_withheld"]


@pytest.mark.parametrize("ailment", Ailment)
async def test_when_anything_ails_nothing_is_given_until_it_is_over(watcher, caplog, ailment):
    async with Giving(watcher.heartbeat(every=0.01)) as giving:
        await until(lambda: watcher.requests)
        giving.ailing = ailment
        await until(lambda: withheld(caplog))  # from here on none is on its way
        before = len(watcher.requests)
        await asyncio.sleep(0.05)
        assert len(watcher.requests) == before
        giving.ailing = None
        await until(lambda: len(watcher.requests) > before)
    assert withheld(caplog) == [ailment.value]


async def test_it_is_sent_from_the_address_that_takes_the_other_link(watcher):
    assert await deliver(watcher.heartbeat(source="127.0.0.7"), 5) is None
    (request,) = watcher.requests
    assert request[2] == "127.0.0.7"


@pytest.mark.parametrize(
    ("source", "said"),
    [("192.0.2.1", "no connection: Cannot assign requested address"), ("::1", "one is IPv4 and the other IPv6")],
)
async def test_an_address_from_which_nothing_can_be_sent_is_told(watcher, source, said):
    trouble = await deliver(watcher.heartbeat(source=source), 5)
    assert said in ENGLISH.render(trouble)
    assert watcher.requests == []


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, None), (204, None), (301, "HTTP 301"), (302, "HTTP 302"), (404, "HTTP 404"), (500, "HTTP 500")],
)
async def test_only_a_status_that_says_so_counts_as_taken(watcher, status, said):
    watcher.status = status
    trouble = await deliver(watcher.heartbeat(), 5)
    assert (trouble is None) is (said is None)
    assert said is None or said in ENGLISH.render(trouble)
    assert len(watcher.requests) == 1, "a redirect is not followed"


async def test_a_watcher_that_is_down_is_told_of_and_tried_sooner_until_it_is_back(caplog):
    async with watching() as watcher:
        wanted = watcher.heartbeat(every=0.4)
    async with Giving(wanted) as giving:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await until(lambda: len(giving.verdicts) >= 3)
        assert {verdict.severity for verdict in giving.verdicts} == {Severity.WARNING}
        assert "Connection refused" in words(giving.verdicts[0])
        assert giving.sign.failed >= 3
        assert loop.time() - begun >= 0.2, "not at once either"
        async with watching() as watcher:
            giving.wanted = watcher.heartbeat()
            giving.sign.swap()
            await until(lambda: giving.verdicts[-1].severity is Severity.OK)
    assert caplog.text.count("no sign of life is given") == 1
    assert SECRET not in caplog.text + "".join(words(verdict) for verdict in giving.verdicts)


async def test_a_watcher_that_does_not_answer_is_given_up_in_time(watcher):
    watcher.delay = 30
    loop = asyncio.get_running_loop()
    begun = loop.time()
    trouble = await deliver(watcher.heartbeat(), 0.2)
    assert "no answer within 0.2" in ENGLISH.render(trouble)
    assert loop.time() - begun < PATIENCE


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with watching(context) as watcher:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # the server's side of it
        trouble = await deliver(watcher.heartbeat(scheme="https"), 5)
        assert "its certificate is not trusted" in ENGLISH.render(trouble)
        assert watcher.requests == []


async def test_a_watcher_without_tls_is_told(watcher):
    trouble = await deliver(watcher.heartbeat(scheme="https"), 5)
    assert "TLS" in ENGLISH.render(trouble)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:NO_SUCH_WATCHER", "a secret is missing"),
        ("ftp://127.0.0.1/s3cret-7f3a", "starts with https:// or http://"),
        ("http://", "starts with https:// or http://"),
        ("http:///s3cret-7f3a", "does not answer in HTTP, or its address is none"),
        ("http://127.0.0.1:99999/s3cret-7f3a", "its address is none"),
        ("http://[::1/s3cret-7f3a", "its address is none"),
    ],
)
async def test_an_address_that_is_none_is_told_without_a_word_of_it(reference, said):
    trouble = ENGLISH.render(await deliver(HeartbeatOut(Secret(reference), timedelta(seconds=1)), 5))
    assert said in trouble
    assert SECRET not in trouble


async def test_what_does_not_speak_http_is_told():
    async def babble(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trouble = await deliver(HeartbeatOut(Secret(f"http://127.0.0.1:{port}/{SECRET}"), timedelta(seconds=1)), 5)
    assert "does not answer in HTTP" in ENGLISH.render(trouble)


class Broken(Secret):
    """A secret that fails in a way that nobody has thought of."""

    def reveal(self):
        raise RuntimeError(f"something with {SECRET}")


async def test_a_bug_ends_nothing_and_tells_nothing_of_the_address(watcher, caplog):
    async with Giving(replace(watcher.heartbeat(), url=Broken("env:X"))) as giving:
        await until(lambda: giving.verdicts)
        assert giving.verdicts[0].severity is Severity.WARNING
        assert "RuntimeError" in words(giving.verdicts[0])
        giving.wanted = watcher.heartbeat()
        await until(lambda: giving.verdicts[-1].severity is Severity.OK)
    assert SECRET not in "".join(str(record.__dict__) for record in caplog.records) + words(giving.verdicts[0])


async def test_a_daemon_gives_it_only_while_its_journal_is_written(inventory_of, store, full_disk, watcher, caplog):
    inventory = replace(inventory_of(), heartbeat=watcher.heartbeat())
    daemon = await Daemon.start(inventory, store)
    assert daemon.ailing() is Ailment.SCHEDULER
    running = asyncio.create_task(daemon.run())
    try:
        await until(lambda: selfcheck.HEARTBEAT in daemon.desk.seen)
        assert daemon.desk.seen[selfcheck.HEARTBEAT].verdict.severity is Severity.OK
        with full_disk():
            await daemon.desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
            await until(lambda: Ailment.JOURNAL.value in withheld(caplog))
            before = len(watcher.requests)
            await asyncio.sleep(0.1)
            assert len(watcher.requests) == before
        await daemon.journal.retry()
        await until(lambda: len(watcher.requests) > before)
    finally:
        daemon.stop()
        async with asyncio.timeout(PATIENCE):
            await running
            await daemon.close()
