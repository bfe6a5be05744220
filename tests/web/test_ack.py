"""`/ack/TOKEN` over real sockets: what a reader sees, what the button does, and what nobody can make it do."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.ack_link import LASTS, Claim, read_token, token_of
from alerts.notice import Audience, Step
from monitor.core.answer import Stage
from monitor.core.events import EventKind
from monitor.core.incident import Status
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.store.folder import KEY_FILE
from monitor.web.app import application
from monitor.web.client import SOCKET, LocalApi
from monitor.web.server import serving, tcp_socket, unix_socket
from monitor.web.throttle import MOST_WRONG

PATIENCE = 20
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr, url: "https://noc.example.org/releve"}
contacts:
  admin: {name: "Ann <Admin>", mail: admin@example.org, language: en}
  chef: {name: Chef, mail: chef@example.org}
  att: {name: Desk, mail: att@example.org}
channels: {mail: {url: "env:NO_MAIL_URL"}}
incidents: {link-unstable: {interruption: always}}
protocol: {first_notice: {to: [att]}}
operations: {to: [admin, chef]}
"""


@dataclass
class Served:
    folder: Path
    port: int
    daemon: Daemon

    @property
    def data(self):
        return self.folder / "data"

    async def opened(self, kind="other"):
        return (await self.daemon.desk.open(kind, Severity.CRITICAL, "uid:0", "the D: disk <b>is full</b>")).id

    def incident(self, name):
        return self.daemon.desk.state.incidents[name]

    async def mail(self, name, reader="admin", step=Step.FIRST_NOTICE):
        """The text of the latest such message to our own `reader`."""
        found = await self.daemon.journal.notices(name)
        [*_, last] = [
            notice
            for notice in sorted(found, key=lambda one: one.key.n)
            if (notice.key.recipient, notice.key.step) == (reader, step)
        ]
        return last.message

    async def path(self, name, reader="admin", step=Step.FIRST_NOTICE):
        """Where the link in the latest such message leads, behind the proxy that takes the base off."""
        return paths_in((await self.mail(name, reader, step)).text)[0]

    async def call(self, method, path):
        def call():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
                connection.request(method, path)
                response = connection.getresponse()
                return response.status, dict(response.getheaders()), response.read().decode()

        return await asyncio.to_thread(call)

    def audited(self):
        with contextlib.closing(self.daemon.journal.store.engine.raw_connection()) as connection:
            return connection.cursor().execute("SELECT actor, action, data FROM audit ORDER BY seq").fetchall()


def paths_in(text):
    return [f"/ack/{token}" for token in re.findall(r"https://noc\.example\.org/releve/ack/([\w.-]+)", text)]


@contextlib.asynccontextmanager
async def daemon_on(folder):
    path = folder / "inventory.yaml"
    path.write_text(SITE, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(folder / "data", write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(folder / "data" / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        served = Served(folder, listening.getsockname()[1], daemon)
        await listens(served)
        yield served
    daemon.stop()
    async with asyncio.timeout(PATIENCE):
        await running
        await daemon.close()


async def listens(served):
    """The socket is bound before anybody listens on it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                await served.call("GET", "/healthz")
                return


@pytest.fixture
async def served(tmp_path):
    async with daemon_on(tmp_path) as one:
        yield one


async def test_following_the_link_changes_nothing_and_the_button_acknowledges(served):
    name = await served.opened()
    path = await served.path(name)
    for method in ("GET", "HEAD", "GET"):
        status, _, page = await served.call(method, path)
        assert (status, served.incident(name).status) == (200, Status.OPEN)
    assert "I am on it" in page and "Nobody is on it yet" in page and "Ann &lt;Admin&gt;" in page
    assert "&lt;b&gt;is full" in page and "<b>is full" not in page
    status, headers, _ = await served.call("POST", path)
    assert (status, headers["location"]) == (303, path.rpartition("/")[2])
    incident = served.incident(name)
    assert (incident.status, incident.acknowledged_by) == (Status.ACKNOWLEDGED, "contact:admin")
    status, _, page = await served.call("GET", path)
    assert status == 200 and "You are on it since" in page and "<button" not in page


async def test_the_second_press_and_another_reader_change_nothing_and_read_who_is_on_it(served):
    name = await served.opened()
    mine, other = await served.path(name), await served.path(name, "chef")
    await served.call("POST", mine)
    before = served.incident(name)
    for path, words in ((mine, "You are on it since"), (other, "Ann &lt;Admin&gt;")):
        status, _, page = await served.call("POST", path)
        assert status == 200 and words in page
    assert served.incident(name) == before
    taken = [entry for entry in served.audited() if entry[1] == "ack"]
    assert [(actor, json.loads(data)) for actor, _, data in taken] == [
        ("contact:admin", {"incident": name, "way": "link"})
    ]


async def test_two_presses_at_one_moment_acknowledge_once(served):
    name = await served.opened()
    paths = [await served.path(name), await served.path(name, "chef")] * 4
    answers = await asyncio.gather(*(served.call("POST", path) for path in paths))
    assert sorted({status for status, _, _ in answers}) in ([200, 303], [303])
    kinds = [event.kind for event in served.incident(name).timeline]
    assert kinds.count(EventKind.ACKNOWLEDGED) == 1


async def test_the_timeline_and_the_next_message_name_the_contact_and_the_way(served):
    name = await served.opened()
    await served.call("POST", await served.path(name))
    shown = await asyncio.to_thread(LocalApi(served.data, "en").get, f"/api/v1/incidents/{name}")
    [line] = [line for line in shown["timeline"] if line["kind"] == "acknowledged"]
    assert (line["actor"], line["data"]["way"], line["data"]["name"]) == ("contact:admin", "link", "Ann <Admin>")
    assert line["text"] == "Acknowledged by Ann <Admin>, by the link in a message"
    await served.daemon.desk.resolve(name, "uid:0", "mended")
    assert "by the link in a message (Ann <Admin>)" in (await served.mail(name, step=Step.RESOLVED)).text


async def test_the_page_speaks_the_language_of_its_reader(served):
    name = await served.opened()
    for reader, language in (("admin", "en"), ("chef", "fr")):
        _, _, page = await served.call("GET", await served.path(name, reader))
        assert f'<html lang="{language}">' in page


async def test_only_our_own_people_get_a_link_and_only_while_there_is_something_to_answer(served):
    name = await served.opened("link-unstable")
    notices = await served.daemon.journal.notices(name)
    client = [notice for notice in notices if notice.key.audience is Audience.CLIENT]
    assert client and not any("/ack/" in notice.message.text + notice.message.html for notice in client)
    message = await served.mail(name)
    assert len(paths_in(message.text)) == 1 and paths_in(message.html) == paths_in(message.text)
    await served.call("POST", await served.path(name))
    await served.daemon.desk.resolve(name, "uid:0", "mended")
    assert not paths_in((await served.mail(name, step=Step.RESOLVED)).text)


async def test_once_it_is_over_the_page_says_so_and_the_button_does_nothing(served):
    name = await served.opened()
    path = await served.path(name)
    await served.daemon.desk.resolve(name, "uid:0", "mended")
    before = served.incident(name)
    for method in ("GET", "POST"):
        status, _, page = await served.call(method, path)
        assert status == 410 and "nothing left to do" in page and "<button" not in page
    assert served.incident(name) == before


async def test_a_link_of_before_an_acknowledgement_lapsed_is_out_of_date(served):
    name = await served.opened()
    path = await served.path(name)
    await served.daemon.desk.acknowledge(name, "uid:0", "", timedelta(milliseconds=1))
    async with asyncio.timeout(PATIENCE):
        while served.incident(name).lapses == 0:
            await served.daemon.desk.tick()
    status, _, page = await served.call("POST", path)
    assert status == 410 and "out of date" in page and served.incident(name).status is Status.OPEN
    newer = await served.path(name, step=Step.UNACKNOWLEDGED)
    assert (await served.call("POST", newer))[0] == 303
    assert served.incident(name).status is Status.ACKNOWLEDGED


async def test_a_link_expires(served):
    name = await served.opened()
    key, now = served.daemon.desk.link_key, served.daemon.clock.now()
    claim = read_token((await served.path(name)).rpartition("/")[2], key)
    assert now + LASTS - timedelta(minutes=5) < claim.expires_at <= now + LASTS
    old = Claim(claim.incident, claim.stage, claim.contact, now - timedelta(seconds=2))
    for method in ("GET", "POST"):
        status, _, page = await served.call(method, f"/ack/{token_of(old, key)}")
        assert status == 410 and "valid until" in page
    assert served.incident(name).status is Status.OPEN


async def test_a_token_of_somebody_who_is_no_contact_any_more_does_nothing(served):
    name = await served.opened()
    later = served.daemon.clock.now() + LASTS
    token = token_of(Claim(name, Stage(1, 0), "gone", later), served.daemon.desk.link_key)
    assert (await served.call("POST", f"/ack/{token}"))[0] == 410
    assert served.incident(name).status is Status.OPEN


async def test_forged_cut_and_foreign_tokens_are_refused_alike_and_audited_once(served):
    name = await served.opened()
    path = await served.path(name)
    foreign = token_of(Claim(name, Stage(1, 0), "admin", served.daemon.clock.now() + LASTS), b"x" * 32)
    wrong = [path[:-1], path.replace(".", ".A"), f"/ack/{foreign}", "/ack/x", "/ack/" + "A" * 4000, "/ack/%00%ff"]
    answers = [await served.call("POST", one) for one in wrong]
    assert {status for status, _, _ in answers} == {403}
    assert len({page for _, _, page in answers}) == 1
    assert served.incident(name).status is Status.OPEN
    refused = [entry for entry in served.audited() if entry[1] == "ack refused"]
    assert [(actor, json.loads(data)) for actor, _, data in refused] == [
        ("network:127.0.0.1", {"way": "link", "why": "forged"})
    ]


async def test_who_tries_many_tokens_is_put_off_and_a_right_one_still_works(served):
    name = await served.opened()
    statuses = [(await served.call("GET", f"/ack/guess.{n}"))[0] for n in range(MOST_WRONG + 3)]
    assert statuses == [403] * MOST_WRONG + [429] * 3
    assert (await served.call("POST", await served.path(name)))[0] == 303


async def test_the_page_hands_its_address_to_nobody_and_is_kept_by_nobody(served):
    name = await served.opened()
    path = await served.path(name)
    for method, at in (("GET", path), ("POST", path), ("GET", "/ack/x")):
        _, headers, page = await served.call(method, at)
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"(src|href)=|@import|url\(", page)
    _, headers, page = await served.call("GET", path)
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert headers["content-security-policy"].startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert 'name="viewport"' in page


async def test_a_link_works_after_a_restart(tmp_path):
    async with daemon_on(tmp_path) as first:
        name = await first.opened()
        path = await first.path(name)
    async with daemon_on(tmp_path) as second:
        assert (await second.call("POST", path))[0] == 303
        assert second.incident(name).acknowledged_by == "contact:admin"


async def test_where_no_key_can_be_kept_messages_go_without_a_link(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / KEY_FILE).symlink_to(tmp_path / "elsewhere")
    async with daemon_on(tmp_path) as served:
        name = await served.opened()
        assert "/ack/" not in (await served.mail(name)).text
        token = token_of(Claim(name, Stage(1, 0), "admin", served.daemon.clock.now() + LASTS), b"")
        assert (await served.call("POST", f"/ack/{token}"))[0] == 403
