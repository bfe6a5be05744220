"""`/public` over real sockets: open only where the inventory says so, and cheap however many come."""

import asyncio
import contextlib
import http.client
import json
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from monitor import cli
from monitor.core.ids import CheckId
from monitor.core.text import LANGUAGES
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.daemon.noticeboard import Noticeboard
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, LocalApi
from monitor.web.openapi import description
from monitor.web.public import FRESH, PublicApi, preferred
from monitor.web.server import serving, tcp_socket, unix_socket

PATIENCE = 20
JOB = CheckId("job")
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}, att: {name: Desk, mail: att@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {job: {probe: heartbeat, device: server, every: 1 h, within: 26 h}}
incidents: {office: {interruption: always, title: {fr: Panne du bureau, en: Office down}}}
services: {calls: {title: {fr: appels possibles, en: calls possible}, all: [job]}}
protocol: {first_notice: {to: [att]}}
operations: {to: [admin]}
public: {title: {fr: Service OCM, en: Service of OCM}, serve: %s}
"""
PATHS = ("/public", "/public/status.json", "/public/feed.atom")


@dataclass
class Served:
    path: Path
    data: Path
    port: int
    daemon: Daemon

    async def get(self, path, method="GET", **headers):
        """Status, headers and body of a call over the network."""

        def call():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
                connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
                response = connection.getresponse()
                return response.status, response.headers, response.read()

        return await asyncio.to_thread(call)


@contextlib.asynccontextmanager
async def daemon_on(folder, serve):
    path, data = folder / "inventory.yaml", folder / "data"
    path.write_text(SITE % serve, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        await daemon.jobs.hear(JOB, "done", ok=True)  # so that it is looked at now
        async with asyncio.timeout(PATIENCE):
            while not daemon.watches() or JOB not in daemon.desk.state.healths:
                await asyncio.sleep(0.01)
        yield Served(path, data, listening.getsockname()[1], daemon)
    daemon.stop()
    async with asyncio.timeout(PATIENCE):
        await running
        await daemon.close()


@pytest.fixture
async def served(tmp_path):
    async with daemon_on(tmp_path, "true") as one:
        yield one


async def test_unless_the_inventory_says_so_there_is_nothing_for_the_network(tmp_path):
    async with daemon_on(tmp_path, "false") as served:
        for path in PATHS:
            status, _headers, body = await served.get(path)
            nothing = await served.get("/no/such/thing")
            assert (status, body) == (nothing[0], nothing[2]) == (404, b"Not Found")
        status = await asyncio.to_thread(LocalApi(served.data).get, "/public/status.json")
        assert status["state"] == "normal"  # for the owner, who may try it
        served.path.write_text(SITE % "true", encoding="utf-8")
        await served.daemon.reload("uid:0")
        assert (await served.get("/public"))[0] == 200


async def test_json_is_as_the_description_of_the_api_says(served):
    await served.daemon.desk.open("office", Severity.CRITICAL, "uid:0", "smoke at 192.0.2.1")
    schema = description()["components"]["schemas"]["PublicStatus"]
    for language in LANGUAGES:
        status, headers, body = await served.get(f"/public/status.json?lang={language}")
        told = json.loads(body)
        jsonschema.validate(told, schema)
        assert (status, headers["Content-Type"], headers["Content-Language"]) == (200, "application/json", language)
        assert (told["language"], told["state"], len(told["incidents"])) == (language, "interrupted", 1)
        assert told["services"][0]["state"] == "normal"
        assert b"192.0.2.1" not in body
    assert set(PATHS) <= set(description()["paths"])


async def test_the_feed_and_the_page_are_what_they_say_they_are(served):
    await served.daemon.desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
    _status, headers, body = await served.get("/public/feed.atom")
    assert headers["Content-Type"].startswith("application/atom+xml")
    assert ET.fromstring(body).find("{http://www.w3.org/2005/Atom}entry") is not None
    _status, headers, body = await served.get("/public")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    page = ET.fromstring(body.decode().removeprefix("<!DOCTYPE html>\n"))
    assert [one.get("href") for one in page.findall("body/footer/p/a")] == [
        "public/feed.atom?lang=fr",
        "public/status.json?lang=fr",
        "?lang=en",
    ]


async def asked_again(served, method="GET", **headers_of):
    """The page, and what a visitor gets who asks again with headers made of the first answer; of one rendering."""
    async with asyncio.timeout(PATIENCE):
        while True:
            first = await served.get("/public")
            again = await served.get("/public", method, **{name: made(first[1]) for name, made in headers_of.items()})
            if first[1]["ETag"] == again[1]["ETag"]:
                return first, again


async def test_a_visitor_who_has_it_is_not_sent_it_again(served):
    for known in (
        {"If_None_Match": lambda first: first["ETag"]},
        {"If_None_Match": lambda first: f'"x", W/{first["ETag"]}'},
        {"If_Modified_Since": lambda first: first["Last-Modified"]},
    ):
        (status, headers, _body), again = await asked_again(served, **known)
        assert (status, headers["Cache-Control"], headers["Vary"]) == (200, "public, max-age=5", "Accept-Language")
        assert (again[0], again[2]) == (304, b"")
    for other in (
        {"If_None_Match": lambda first: '"x"', "If_Modified_Since": lambda first: first["Last-Modified"]},
        {"If_Modified_Since": lambda first: "Mon, 23 Nov 2020 13:00:00 GMT"},
        {"If_Modified_Since": lambda first: "yesterday"},
    ):
        first, again = await asked_again(served, **other)
        assert (again[0], again[2]) == (200, first[2])
    first, (status, headers, body) = await asked_again(served, "HEAD")
    assert (status, body, int(headers["Content-Length"])) == (200, b"", len(first[2]))
    assert (await served.get("/public", "POST"))[0] == 405


async def test_the_language_is_the_one_that_is_asked_for(served):
    for path, header, language in (
        ("/public", "en-GB,en;q=0.9", "en"),
        ("/public?lang=fr", "en-GB,en;q=0.9", "fr"),
        ("/public?lang=xx", "", "fr"),
    ):
        _status, headers, body = await served.get(path, Accept_Language=header)
        assert headers["Content-Language"] == language
        assert f'<html lang="{language}">'.encode() in body


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("de-DE,de;q=0.9", "fr"),
        ("de, en;q=0.5, fr;q=0.4", "en"),
        ("en;q=0", "fr"),
        ("en;q=high, fr", "fr"),
        ("EN-us", "en"),
        ("en;q=0.3,fr;q=0.8", "fr"),
        (",;,;q=", "fr"),
        ("x," * 10_000 + "en", "fr"),
    ],
)
def test_what_a_visitor_says_of_languages_is_weighed(header, language):
    assert preferred(header, "fr") == language


async def test_a_thousand_visitors_cost_no_more_than_one(served):
    asked, board = [], served.daemon.board

    class Counted(Noticeboard):
        async def status(self, words):
            asked.append(words.language)
            return await board.status(words)

    desk = served.daemon.desk
    api = PublicApi(Counted(desk, served.daemon.watches, served.daemon.clock))
    (page,) = (route for route in api.routes() if route.path == "/public")
    request = {"type": "http", "method": "GET", "path": "/public", "query_string": b"", "headers": []}

    async def visit():
        sent = []

        async def send(message):
            sent.append(message)

        await page.app(dict(request), None, send)
        return sent[0]["status"]

    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert set(await asyncio.gather(*(visit() for _ in range(1000)))) == {200}
    assert 1 <= len(asked) <= 1 + (loop.time() - begun) / FRESH
    before = len(asked)
    desk.inventory = replace(desk.inventory, public=replace(desk.inventory.public, titles={}))
    assert await visit() == 200
    assert len(asked) == before + 1  # not what another inventory said


async def test_the_command_writes_what_the_daemon_knows(served, capsys):
    def command(*arguments):
        where = ["--inventory", str(served.path), "--data", str(served.data), "--lang", "en"]
        code = cli.carry_out([*where, "report", "public", *arguments])
        return code, capsys.readouterr().out

    code, out = await asyncio.to_thread(command, "--format", "json")
    assert (code, json.loads(out)["services"][0]["text"]) == (0, "yes")
    await served.daemon.desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
    served.daemon.desk.inventory = replace(served.daemon.desk.inventory)  # so that nothing rendered before is given
    code, out = await asyncio.to_thread(command)
    assert (code, 'href="feed.atom"' in out, "Office down" in out) == (1, True, True)
    code, out = await asyncio.to_thread(command, "--format", "atom")
    assert (code, out[:5]) == (1, "<?xml")
