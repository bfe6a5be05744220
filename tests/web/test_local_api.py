"""The API over real sockets: the owner acts on the Unix socket, the network sees health and metrics only."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import ANY

import pytest
from sqlalchemy import event

from monitor.core.attachment import LARGEST
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi, NoDaemon
from monitor.web.server import CROWD, VISITORS, CannotListen, serving, tcp_socket, unix_socket

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [duty]}
rota: {duty: {members: admin, handover: monday 08:00}}
"""


@dataclass
class Served:
    data: Path
    port: int
    daemon: Daemon


@pytest.fixture
async def served(tmp_path):
    """A daemon that serves."""
    path, data = tmp_path / "inventory.yaml", tmp_path / "data"
    path.write_text(SITE, encoding="utf-8")
    daemon = await Daemon.start(load(path).inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        async with asyncio.timeout(10):
            while not (daemon.turning and await aside(answers, data)):
                await asyncio.sleep(0.01)
        yield Served(data, listening.getsockname()[1], daemon)
    daemon.stop()
    async with asyncio.timeout(20):
        await running
        await daemon.close()


def answers(data):
    with contextlib.suppress(NoDaemon):
        return LocalApi(data).get("/healthz")


async def aside(work, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


def fetched(port, path, method="GET", headers=None):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()


async def test_everybody_may_ask_for_health_and_metrics(served):
    port = served.port
    assert await aside(fetched, port, "/healthz") == (200, "ok\n")
    status, body = await aside(fetched, port, "/readyz")
    assert (status, json.loads(body)["ready"]) == (200, True)
    status, body = await aside(fetched, port, "/metrics")
    assert status == 200
    assert "# TYPE releve_incidents_open gauge" in body
    assert 'releve_notices{state="pending"} 0' in body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/incidents"),
        ("POST", "/api/v1/incidents"),
        ("POST", "/api/v1/incidents/26-0001/ack"),
        ("POST", "/api/v1/incidents/26-0001/actions"),
        ("POST", "/api/v1/incidents/26-0001/needs/1/met"),
        ("POST", "/api/v1/incidents/26-0001/attachments"),
        ("GET", "/api/v1/incidents/26-0001/attachments/1"),
        ("GET", "/api/v1/maintenance"),
        ("POST", "/api/v1/maintenance"),
        ("POST", "/api/v1/maintenance/new-switch/end"),
        ("POST", "/api/v1/reload"),
        ("DELETE", "/api/v1/whatever"),
    ],
)
async def test_the_network_gets_nothing_of_the_api(served, method, path):
    port = served.port
    status, _ = await aside(fetched, port, path, method)
    assert status == 401


async def test_a_forged_header_does_not_make_a_peer_of_the_unix_socket(served):
    port = served.port
    forged = {"X-Forwarded-For": "uid", "X-Forwarded-Proto": "http", "Forwarded": "for=uid"}
    status, _ = await aside(fetched, port, "/api/v1/status", "GET", forged)
    assert status == 401


async def test_the_owner_opens_acknowledges_explains_and_resolves(served):
    data = served.data
    api = LocalApi(data, "en")
    opened = await aside(api.post, "/api/v1/incidents", {"text": "smell of smoke", "severity": "warning"})
    name = opened["id"]
    assert [notice["step"] for notice in opened["notices"]] == ["first_notice"]
    acknowledged = await aside(api.post, f"/api/v1/incidents/{name}/ack", {"text": "going to see"})
    assert [notice["step"] for notice in acknowledged["notices"]] == ["first_notice"]
    await aside(api.post, f"/api/v1/incidents/{name}/cause", {"text": "a burnt socket"})
    resolved = await aside(api.post, f"/api/v1/incidents/{name}/resolve", {"text": "replaced"})
    shown = await aside(api.get, f"/api/v1/incidents/{name}")
    assert [notice["key"] for notice in resolved["notices"]] == [notice["key"] for notice in shown["notices"]]
    assert (shown["status"], shown["cause"]) == ("resolved", "a burnt socket")
    assert [line["kind"] for line in shown["timeline"]] == ["opened", "acknowledged", "cause", "resolved"]
    assert {notice["step"] for notice in shown["notices"]} == {"first_notice", "resolved"}
    assert (await aside(api.get, "/api/v1/incidents?open=1")) == []


async def test_the_owner_puts_two_incidents_together(served):
    api = LocalApi(served.data, "en")
    one, other = [
        (await aside(api.post, "/api/v1/incidents", {"text": text, "severity": "warning"}))["id"]
        for text in ("smell of smoke", "a burnt socket")
    ]
    merged = await aside(api.post, f"/api/v1/incidents/{one}/merge", {"into": other})
    assert (merged["id"], merged["status"], merged["merged_into"]) == (other, "open", None)
    shown = await aside(api.get, f"/api/v1/incidents/{one}")
    assert (shown["status"], shown["merged_into"]) == ("resolved", other)
    assert {notice["step"] for notice in shown["notices"]} == {"first_notice", "merged"}
    for path, body in ((f"{one}/merge", {"into": other}), (f"{other}/split", {"check": "door"})):
        with pytest.raises(ApiError) as refused:
            await aside(api.post, f"/api/v1/incidents/{path}", body)
        assert refused.value.status == 409


async def test_the_owner_is_on_it_for_a_time(served):
    api = LocalApi(served.data, "en")
    name = (await aside(api.post, "/api/v1/incidents", {"text": "smell of smoke"}))["id"]
    taken = await aside(api.post, f"/api/v1/incidents/{name}/ack", {"text": "going to see", "for": "2h"})
    since, until = (datetime.fromisoformat(taken[f"acknowledged_{key}"]) for key in ("at", "until"))
    assert until - since == timedelta(hours=2)
    assert taken["timeline"][-1]["data"]["until"] == taken["acknowledged_until"]


async def test_the_owner_announces_work_which_the_status_shows_and_ends_it(served):
    api = LocalApi(served.data, "en")
    body = {"name": "new-switch", "devices": ["server"], "for": "1h", "reason": "replaced"}
    announced = await aside(api.post, "/api/v1/maintenance", body)
    assert (announced["active"], announced["nodes"], announced["concerned"]) == (True, ["server"], 1)
    assert await aside(api.get, "/api/v1/maintenance") == [announced]
    assert (await aside(api.get, "/api/v1/status"))["maintenance"] == [announced]
    with pytest.raises(ApiError) as taken:
        await aside(api.post, "/api/v1/maintenance", body)
    assert taken.value.status == 409
    ended = await aside(api.post, "/api/v1/maintenance/new-switch/end", {})
    assert (ended["active"], ended["coming"], ended["reason"]) == (False, False, "replaced")
    assert datetime.fromisoformat(ended["until"]) < datetime.fromisoformat(announced["until"])


async def test_the_owner_reads_who_is_on_duty_and_lets_somebody_take_over(served):
    api = LocalApi(served.data, "en")
    alone = {"contact": "admin", "name": "Admin", "from": None, "until": None}
    (shown,) = await aside(api.get, "/api/v1/oncall?days=2&at=2026-12-01%2008:00")
    spell = {**alone, "from": "2026-12-01T07:00:00.000Z", "until": "2026-12-03T07:00:00.000Z"}
    assert shown == {"rota": "duty", **alone, "next": None, "spells": [spell]}
    taken = await aside(api.post, "/api/v1/oncall/override", {"contact": "admin", "for": "1h"})
    assert (taken["rota"], taken["contact"], taken["by"]) == ("duty", "admin", f"uid:{os.geteuid()}")
    assert (await aside(api.get, "/api/v1/status"))["on_call"] == [
        {"rota": "duty", **alone, "next": None, "spells": []}
    ]


@pytest.mark.parametrize("query", ["days=x", "days=-1", "days=400", "days=99999", "at=soon", "days=%C2%B2"])
async def test_a_question_about_duty_that_makes_no_sense_is_refused(served, query):
    with pytest.raises(ApiError) as refused:
        await aside(LocalApi(served.data, "en").get, f"/api/v1/oncall?{query}")
    assert refused.value.status == 400


async def test_the_list_of_incidents_asks_once_for_all_their_notices(served):
    api, asked = LocalApi(served.data, "en"), []
    for n in range(5):
        await aside(api.post, "/api/v1/incidents", {"text": f"smell {n}", "severity": "warning"})
    event.listen(served.daemon.journal.store.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    listed = await aside(api.get, "/api/v1/incidents")
    assert len([statement for statement in asked if "notices.incident" in statement.partition("WHERE")[2]]) == 1
    assert len(listed) >= 5
    for one in listed:
        shown = await aside(api.get, f"/api/v1/incidents/{one['id']}")
        assert {notice["key"] for notice in one["notices"]} == {notice["key"] for notice in shown["notices"]} != set()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/incidents", {}, 400),
        ("/api/v1/incidents", {"text": "x", "severity": "dreadful"}, 400),
        ("/api/v1/incidents", {"text": "x", "severity": "ok"}, 400),
        ("/api/v1/incidents/..%2F..%2Fstatus/ack", {}, 404),
        ("/api/v1/incidents", {"text": "x", "kind": "no-such-kind"}, 409),
        ("/api/v1/incidents/26-9999/ack", {}, 409),
        ("/api/v1/incidents/26-9999/dance", {}, 404),
        ("/api/v1/incidents/26-9999/ack", {"for": "soon"}, 400),
        ("/api/v1/incidents/26-9999/ack", {"for": "0s"}, 400),
        ("/api/v1/maintenance", {}, 400),
        ("/api/v1/maintenance", {"name": "x", "devices": "server", "for": "1h"}, 400),
        ("/api/v1/maintenance", {"name": "x", "devices": ["serve"], "for": "1h"}, 400),
        ("/api/v1/maintenance", {"name": "x", "devices": ["server"]}, 400),
        ("/api/v1/maintenance", {"name": "x", "devices": ["server"], "for": "1h", "incident": "flood"}, 400),
        ("/api/v1/maintenance/nothing/end", {}, 409),
        ("/api/v1/oncall/override", {}, 400),
        ("/api/v1/oncall/override", {"contact": "admin"}, 400),
        ("/api/v1/oncall/override", {"contact": "admin", "for": "1h", "rota": "night"}, 400),
        ("/api/v1/oncall/override", {"contact": "nobody", "for": "1h"}, 400),
        ("/api/v1/oncall/override", {"contact": "admin", "for": 3}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason(served, path, body, status):
    data = served.data
    with pytest.raises(ApiError) as refused:
        await aside(LocalApi(data, "en").post, path, body)
    assert refused.value.status == status
    assert len(str(refused.value)) > 10


async def test_visitors_who_dribble_take_no_place_from_the_owner(served):
    data, port = served.data, served.port
    with contextlib.ExitStack() as crowd:
        for _ in range(VISITORS + 8):
            one = crowd.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert (await aside(LocalApi(data, "en").get, "/api/v1/status"))["site"] == "Petit site"


async def test_a_crowd_never_takes_the_files_that_checks_and_messages_need(served):
    def crowded():
        return len([link for link in Path("/proc/self/fd").iterdir() if link.exists()])

    before = crowded()
    with contextlib.ExitStack() as crowd:
        for _ in range(2 * CROWD):
            crowd.enter_context(await aside(socket.create_connection, ("127.0.0.1", served.port)))
        async with asyncio.timeout(10):
            while crowded() - before > 3 * CROWD + 8:  # this process holds the other ends, too
                await asyncio.sleep(0.01)
        assert (await aside(LocalApi(served.data, "en").get, "/api/v1/status"))["site"] == "Petit site"


async def test_a_hundred_words_at_once_are_all_heard(served):
    data = served.data
    api = LocalApi(data, "en")
    name = (await aside(api.post, "/api/v1/incidents", {"text": "smell of smoke"}))["id"]
    path = f"/api/v1/incidents/{name}/note"
    await asyncio.gather(*(aside(api.post, path, {"text": f"note {n}"}) for n in range(100)))
    shown = await aside(api.get, f"/api/v1/incidents/{name}")
    assert {line["text"] for line in shown["timeline"][1:]} == {f"note {n}" for n in range(100)}


async def test_what_only_memory_holds_on_a_full_disk_is_shown_and_can_be_acted_on(served):
    def no_room(_connection, _cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    api, engine = LocalApi(served.data, "en"), served.daemon.journal.store.engine
    event.listen(engine, "before_cursor_execute", no_room)
    name = (await aside(api.post, "/api/v1/incidents", {"text": "smell of smoke"}))["id"]
    await aside(api.post, f"/api/v1/incidents/{name}/ack", {})
    shown = await aside(api.get, f"/api/v1/incidents/{name}")
    assert (shown["status"], [notice["step"] for notice in shown["notices"]]) == ("acknowledged", ["first_notice"])
    assert name in [one["id"] for one in await aside(api.get, "/api/v1/incidents?open=1")]
    event.remove(engine, "before_cursor_execute", no_room)


async def test_what_was_done_is_no_error_because_a_failing_disk_does_not_say_what_was_told(served):
    def fails(_connection, _cursor, statement, *_):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    api, engine = LocalApi(served.data, "en"), served.daemon.journal.store.engine
    event.listen(engine, "before_cursor_execute", fails)
    opened = await aside(api.post, "/api/v1/incidents", {"text": "smell of smoke"})
    acknowledged = await aside(api.post, f"/api/v1/incidents/{opened['id']}/ack", {})
    assert acknowledged["status"] == "acknowledged"
    with pytest.raises(ApiError) as refused:
        await aside(api.get, f"/api/v1/incidents/{opened['id']}")
    assert refused.value.status == 503
    event.remove(engine, "before_cursor_execute", fails)


@pytest.mark.parametrize("body", [b"[" * 60_000, b"\xff\xfe", b"[]", b'{"text": 1}', b"x" * 70_000])
async def test_a_body_that_makes_no_sense_is_refused(served, body):
    data = served.data

    def sent():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(data / SOCKET))
            head = f"POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)
            return sock.recv(100)

    assert (await aside(sent)).startswith(b"HTTP/1.1 400")


async def test_a_crisis_cell_writes_its_plan_over_the_api(served):
    api, at = LocalApi(served.data, "en"), "/api/v1/incidents/26-0001"
    await aside(api.post, "/api/v1/incidents", {"text": "no calls"})
    await aside(api.post, f"{at}/roles", {"role": "leader", "who": "admin"})
    await aside(api.post, f"{at}/actions", {"text": "restart\nthe dialler", "owner": "Paul", "due": "2h"})
    await aside(api.post, f"{at}/actions", {"text": "call the carrier"})
    await aside(api.post, f"{at}/actions/1/done", {"text": "it answers"})
    await aside(api.post, f"{at}/decisions", {"text": "stay on this site"})
    await aside(api.post, f"{at}/needs", {"text": "the carrier's ticket"})
    shown = await aside(api.post, f"{at}/needs/1/met", {})
    first, second = shown["actions"]
    assert (first["n"], first["what"], first["owner"], first["state"]) == (1, "restart the dialler", "Paul", "done")
    assert (first["result"], second["due_at"], second["state"]) == ("it answers", None, "open")
    assert datetime.fromisoformat(first["due_at"]) - datetime.fromisoformat(first["at"]) == timedelta(hours=2)
    assert [one["what"] for one in shown["decisions"]] == ["stay on this site"]
    assert [one["met_at"] is not None for one in shown["needs"]] == [True]
    assert shown["roles"] == {"leader": "admin", "scribe": None, "liaison": None}
    assert [line["kind"] for line in shown["timeline"]][-3:] == ["decision", "need", "need_met"]
    assert await aside(api.get, at) == shown


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("actions", {}, 400),
        ("actions", {"text": "...", "due": ""}, 409),
        ("actions", {"text": "x" * 501}, 409),
        ("actions", {"text": "call", "owner": "x" * 81}, 409),
        ("actions", {"text": "call", "due": "soon"}, 409),
        ("actions", {"text": "call", "due": "2001-01-01 12:00"}, 409),
        ("actions", {"text": "call", "due": 3}, 400),
        ("actions/1/done", {}, 409),
        ("actions/0/done", {}, 409),
        ("actions/" + "9" * 5000 + "/done", {}, 409),
        ("actions/-1/done", {}, 409),
        ("actions/1/finished", {}, 409),
        ("needs/1/met", {}, 409),
        ("roles", {"role": "king", "who": "Paul"}, 409),
        ("roles", {"role": "leader", "who": " "}, 400),
    ],
)
async def test_what_a_crisis_cell_cannot_mean_changes_nothing(served, path, body, status):
    api = LocalApi(served.data, "en")
    opened = await aside(api.post, "/api/v1/incidents", {"text": "no calls"})
    with pytest.raises(ApiError) as refused:
        await aside(api.post, f"/api/v1/incidents/{opened['id']}/{path}", body)
    assert refused.value.status == status
    after = await aside(api.get, f"/api/v1/incidents/{opened['id']}")
    assert {**after, "notices": []} == {**opened, "notices": []}


async def test_a_file_is_attached_over_the_api_as_it_is_and_never_twice(served):
    api, at = LocalApi(served.data, "en"), "/api/v1/incidents/26-0001"
    await aside(api.post, "/api/v1/incidents", {"text": "no calls"})
    data = bytes(range(256)) * 4000
    shown = await aside(api.send, f"{at}/attachments?name=..%2Frouter%20log.txt", data)
    (file,) = shown["attachments"]
    assert (file["name"], file["size"], file["sha256"]) == (
        "router_log.txt",
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    (kept,) = (served.data / "attachments").iterdir()
    assert kept.read_bytes() == data
    assert await aside(api.fetch, f"{at}/attachments/1") == data
    kept.write_bytes(data[:-1])
    for wrong, why in (("1", "SHA-256 differs"), ("2", "has no file 2"), ("x", "x")):
        with pytest.raises(ApiError, match=why):
            await aside(api.fetch, f"{at}/attachments/{wrong}")
    assert shown["timeline"][-1]["data"]["sha256"] == file["sha256"]
    with pytest.raises(ApiError) as refused:
        await aside(api.send, f"{at}/attachments?name=router%20log.txt", data)
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("incident", "size", "status"), [("26-0001", 0, 409), ("26-0001", LARGEST + 1, 400), ("26-0009", 1, 409)]
)
async def test_no_file_is_kept_that_is_empty_too_large_or_of_no_incident(served, incident, size, status):
    api = LocalApi(served.data, "en")
    await aside(api.post, "/api/v1/incidents", {"text": "no calls"})
    with pytest.raises(ApiError) as refused:
        await aside(api.send, f"/api/v1/incidents/{incident}/attachments?name=a", b"x" * size)
    assert refused.value.status == status
    assert not (served.data / "attachments").exists()


async def test_status_names_every_check_and_the_daemon(served):
    data = served.data
    status = await aside(LocalApi(data, "en").get, "/api/v1/status")
    assert status["site"] == "Petit site"
    assert {"door", "releve-store", "releve-clock", "releve-outbox"} <= {one["check"] for one in status["checks"]}
    assert status["daemon"]["ready"] is True


async def test_the_api_describes_itself(served):
    port = served.port
    status, body = await aside(fetched, port, "/api/v1/openapi.json")
    assert status == 200
    described = json.loads(body)
    for route in application(served.daemon).routes:
        if route.path.startswith(
            ("/api/v1/incidents", "/api/v1/maintenance", "/api/v1/status", "/api/v1/checks", "/api/v1/oncall")
        ):
            path = route.path.replace("{action}", "ack")
            assert {method.lower() for method in route.methods - {"HEAD"}} <= set(described["paths"][path])
    named = set(re.findall(r"#/components/schemas/(\w+)", body))
    assert named == set(described["components"]["schemas"])


def test_without_a_daemon_the_client_says_so(tmp_path):
    with pytest.raises(NoDaemon):
        LocalApi(tmp_path).get("/healthz")


def test_where_no_socket_can_be_no_daemon_is(tmp_path):
    long = tmp_path / ("x" * 120)
    long.mkdir()
    with pytest.raises(NoDaemon):
        LocalApi(long).get("/healthz")
    with pytest.raises(CannotListen) as refused:
        unix_socket(long / SOCKET)
    assert "--data" in refused.value.text.template


def test_a_taken_port_is_named_with_a_remedy():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen) as refused:
        tcp_socket(f"127.0.0.1:{taken.getsockname()[1]}")
    assert "--listen" in refused.value.text.template


@pytest.mark.parametrize("written", ["8321", "localhost:", "127.0.0.1:http", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(written):
    with pytest.raises(CannotListen):
        tcp_socket(written)


def test_the_socket_is_for_its_owner_only(tmp_path):
    with unix_socket(tmp_path / SOCKET):
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o600


async def test_a_draft_is_read_given_words_and_cleared_of_them(served):
    inventory = served.data.parent / "inventory.yaml"
    more = """
incidents: {office: {interruption: always}}
protocol: {first_notice: {to: [admin]}, update: {every: 60 min, to: [admin]}}
"""
    inventory.write_text(SITE + more, encoding="utf-8")
    api = LocalApi(served.data, "en")
    assert (await aside(api.post, "/api/v1/reload", {}))["taken"]
    opened = await aside(api.post, "/api/v1/incidents", {"kind": "office", "text": "no light"})
    path = f"/api/v1/incidents/{opened['id']}/draft"
    one = await aside(api.get, path)
    assert (one["step"], one["words"], one["messages"][0]["recipient"]) == ("update", "", "admin")
    given = await aside(api.post, path, {"text": "A technician is on his way.", "due_at": one["due_at"]})
    assert given["words"] == "A technician is on his way."
    assert "A technician is on his way." in given["messages"][0]["text"]
    assert (await aside(api.post, f"{path}/drop", {}))["words"] == ""
    for body, status in (
        ({"text": "x", "due_at": "2026-01-01T00:00:00Z"}, 409),
        ({"text": "x", "due_at": "noon"}, 400),
        ({"text": " "}, 400),
    ):
        with pytest.raises(ApiError) as refused:
            await aside(api.post, path, body)
        assert refused.value.status == status
    with pytest.raises(ApiError) as refused:
        await aside(api.get, "/api/v1/incidents/26-9999/draft")
    assert refused.value.status == 409
    assert await aside(fetched, served.port, path) == (401, ANY)


async def test_a_review_is_written_and_closed_over_the_api(served):
    api = LocalApi(served.data, "en")
    name = (await aside(api.post, "/api/v1/incidents", {"text": "no calls"}))["id"]
    at = f"/api/v1/incidents/{name}"
    await aside(api.post, f"{at}/review/points/why", {"text": "the disk was full"})
    await aside(api.post, f"{at}/review/points/why", {"text": "full of recordings", "n": "1"})
    await aside(api.post, f"{at}/review/points/lesson", {"text": "none"})
    await aside(api.post, f"{at}/review/points/lesson/1/drop", {})
    await aside(api.post, f"{at}/resolve", {})
    done = await aside(api.post, f"{at}/review/close/hot", {})
    assert [one["what"] for one in done["review"]["points"]] == ["full of recordings"]
    assert [part["what"] for part in done["review"]["versions"][0]["parts"]] == ["full of recordings"]
    assert await aside(api.get, at) == done
    for path in ("points/weather", "points/why/x/drop", "points/why/9/drop", "close/hot", "close/warm"):
        with pytest.raises(ApiError) as refused:
            await aside(api.post, f"{at}/review/{path}", {"text": "x"})
        assert refused.value.status == 409
