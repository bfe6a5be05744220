"""What a scrape reads of the site: services, and the checks by which nothing should be judged."""

from datetime import timedelta

import pytest

from monitor.core.ids import CheckId
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.metrics import exposition

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}, other: {address: 127.0.0.1}}
checks:
  door: {probe: tcp, device: server, port: 1, every: 1 h, confirm: 1}
  room: {probe: tcp, device: other, port: 1, every: 1 h, confirm: 1}
  hall: {probe: tcp, device: other, port: 2, every: 1 h, confirm: 1}
services:
  agents: {title: {fr: "agents en mesure d'appeler"}, count: [door, room, hall], below: 1}
  voice: {all: [door], below: 1}
operations: {to: [admin]}
"""


@pytest.fixture
async def daemon(tmp_path):
    """A daemon that was started and does not watch, so that only what the test reports is known."""
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    started = await Daemon.start(reading.inventory, open_store(tmp_path / "data", write=True, ballast=0))
    yield started
    await started.close()


async def test_services_and_checks_that_waver_or_are_silent_are_numbers(daemon):
    desk, now = daemon.desk, daemon.clock.now()
    await desk.take(CheckId("door"), Verdict(Severity.CRITICAL, say("shut")), now, 0.0)
    await desk.take(CheckId("room"), Verdict(Severity.OK, say("open")), now, 0.0)
    text = exposition(daemon, {})
    for line in (
        'releve_service_able{service="agents"} 1',
        'releve_service_unsure{service="agents"} 1',
        'releve_service_total{service="agents"} 3',
        'releve_service_interrupted{service="agents"} 0',
        'releve_service_interrupted{service="voice"} 1',
        'releve_check_flapping{check="door"} 0',
        'releve_check_stale{check="door"} 0',
    ):
        assert line in text.splitlines()


async def test_a_check_that_comes_and_goes_is_one(daemon):
    desk, at = daemon.desk, daemon.clock.now() - timedelta(minutes=30)
    for n in range(20):
        verdict = Verdict(Severity.OK if n % 2 else Severity.CRITICAL, say("now and then"))
        await desk.take(CheckId("door"), verdict, at + timedelta(minutes=n), 0.0)
    assert 'releve_check_flapping{check="door"} 1' in exposition(daemon, {}).splitlines()


async def test_a_check_that_has_been_silent_is_one(daemon):
    long_ago = daemon.clock.now() - timedelta(hours=5)
    await daemon.desk.take(CheckId("door"), Verdict(Severity.OK, say("open")), long_ago, 0.0)
    await daemon.desk.tick()
    lines = exposition(daemon, {}).splitlines()
    assert 'releve_check_stale{check="door"} 1' in lines
    assert 'releve_service_able{service="voice"} 0' in lines
    assert 'releve_service_unsure{service="voice"} 1' in lines
