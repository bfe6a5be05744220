"""`/heartbeat/NAME` over real sockets: who is believed, what is heard, and what is refused without a word too many."""

import asyncio
import contextlib
import http.client
import json
import socket
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import event

from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.app import application
from monitor.web.client import SOCKET, ApiError, LocalApi
from monitor.web.request import LARGEST_BODY
from monitor.web.server import serving, tcp_socket, unix_socket

PATIENCE = 20
TOKEN = "gr8-s3cret-é"
BACKUP = CheckId("backup-night")
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {sql: {address: 127.0.0.1}}
checks:
  backup-night: {probe: heartbeat, device: sql, every: 1 h, within: 26 h, token: "env:TEST_TOKEN"}
  export: {probe: heartbeat, device: sql, every: 1 h, within: 26 h}
  mislaid: {probe: heartbeat, device: sql, every: 1 h, within: 26 h, token: "env:NO_SUCH_TOKEN"}
  door: {probe: tcp, device: sql, port: 1, every: 1 h}
operations: {to: [admin]}
"""


@dataclass
class Served:
    data: Path
    port: int
    daemon: Daemon

    def said(self, check=BACKUP):
        """The severity and the summary of a check as they were seen last."""
        seen = self.daemon.desk.seen.get(check)
        return ("", "") if seen is None else (seen.verdict.severity, ENGLISH.render(seen.verdict.summary))

    def believed(self):
        """What is believed of the check of the backup; None as long as that is nothing."""
        health = self.daemon.desk.state.healths.get(BACKUP)
        return None if health is None else health.confirmed


@contextlib.asynccontextmanager
async def daemon_on(folder):
    path, data = folder / "inventory.yaml", folder / "data"
    path.write_text(SITE, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(data, write=True, ballast=0))
    listening, local = tcp_socket("127.0.0.1:0"), unix_socket(data / SOCKET)
    running = asyncio.create_task(daemon.run())
    async with serving(application(daemon), listening, local):
        await until(lambda: daemon.turning)
        yield Served(data, listening.getsockname()[1], daemon)
    daemon.stop()
    async with asyncio.timeout(PATIENCE):
        await running
        await daemon.close()


@pytest.fixture
async def served(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    async with daemon_on(tmp_path) as one:
        yield one


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def called(served, path, method="POST", body=None, headers=None):
    """Status and JSON of a call over the network."""

    def call():
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            raw = response.read()
            return response.status, json.loads(raw) if raw.startswith(b"{") else raw

    return await asyncio.to_thread(call)


def bearer(token=TOKEN):
    return {"Authorization": b"Bearer " + token.encode()}


def kept(served):
    return served.daemon.journal.store.jobs()


async def test_a_job_with_the_token_is_heard_and_its_check_set_at_once(served):
    await until(lambda: "never reported" in served.said()[1])
    assert served.said()[0] is Severity.OK
    status, answer = await called(served, "/heartbeat/backup-night", body=b"42 files, 3 GB", headers=bearer())
    assert (status, answer["check"], answer["ok"]) == (200, "backup-night", True)
    assert kept(served)[BACKUP].last.text == "42 files, 3 GB"
    await until(lambda: served.said()[1].endswith("ago: 42 files, 3 GB"))
    await until(lambda: served.said()[0] is served.believed() is Severity.OK)


@pytest.mark.parametrize(
    ("path", "method", "ok"),
    [
        ("/heartbeat/backup-night", "GET", True),
        ("/heartbeat/backup-night?status=ok", "POST", True),
        ("/heartbeat/backup-night?status=fail", "GET", False),
        ("/heartbeat/backup-night/fail", "POST", False),
        ("/heartbeat/backup-night/fail?status=ok", "POST", False),
    ],
)
async def test_a_job_says_whether_it_did_its_work(served, path, method, ok):
    path += f"{'&' if '?' in path else '?'}token={quote(TOKEN)}"
    status, answer = await called(served, path, method)
    assert (status, answer["ok"], kept(served)[BACKUP].last.ok) == (200, ok, ok)
    await until(lambda: served.said()[0] is (Severity.OK if ok else Severity.CRITICAL))
    await until(lambda: served.believed() is served.said()[0])
    if not ok:
        await until(lambda: BACKUP in {one.check for one in served.daemon.desk.state.incidents.values()})


HOSTILE = [
    "nobody", "door", "..", "%2e%2e", "..%2F..%2Fetc%2Fpasswd", "backup-night%00", "%1b%5b31m", "%ff%fe", "x" * 5000,
    "backup-night%2Ffail%2Fx", quote("sauvegarde à deux heures"), "BACKUP-NIGHT", "%0d%0aX-Evil:%201",
]  # fmt: skip


async def test_over_the_network_who_has_not_the_token_learns_nothing_not_even_names(served, caplog):
    wrong = [{}, bearer("wrong"), bearer(""), {"Authorization": b"Basic " + TOKEN.encode()}, bearer(TOKEN + "x")]
    answers = [await called(served, f"/heartbeat/{BACKUP}", headers=headers) for headers in wrong]
    answers += [await called(served, f"/heartbeat/{BACKUP}?token={TOKEN[:-1]}")]
    answers += [await called(served, "/heartbeat/export", headers=bearer())]
    answers += [await called(served, "/heartbeat/mislaid", headers=bearer(""))]
    answers += [await called(served, f"/heartbeat/{name}", headers=bearer()) for name in HOSTILE if "%2F" not in name]
    first = answers[0]
    assert first[0] == 403
    assert "write token: env:NAME at its check" in first[1]["error"]
    assert answers == [first] * len(answers)
    assert served.daemon.jobs.refused == len(answers)
    assert {name: job.last for name, job in kept(served).items()} == dict.fromkeys([BACKUP, "export", "mislaid"])
    logged = "".join(str(record.__dict__) for record in caplog.records)
    assert logged.count("heartbeat_refused") == 1, "who tries many tokens does not fill the disk"
    assert TOKEN not in logged
    assert "wrong" not in logged


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_breaks_nothing(served, name):
    status, _ = await called(served, f"/heartbeat/{name}", headers=bearer())
    assert status in (403, 404)
    status, _ = await called(served, f"/heartbeat/{BACKUP}", headers=bearer())
    assert status == 200


async def test_the_owner_needs_no_token_and_is_told_what_there_is_not(served):
    api = LocalApi(served.data, "en")
    assert (await asyncio.to_thread(api.get, "/heartbeat/export"))["check"] == "export"
    assert kept(served)["export"].last.ok
    for name in ("nobody", "door", "%1b"):
        with pytest.raises(ApiError) as refused:
            await asyncio.to_thread(api.get, f"/heartbeat/{name}")
        assert refused.value.status == 404
        assert "of kind heartbeat" in str(refused.value)
        assert str(refused.value).isprintable()
    assert served.daemon.jobs.refused == 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"  \r\n\t ", ""),
        (b"done\r\nX-Evil: 1\x00\x1b[31m red", "done X-Evil: 1 [31m red"),
        ("sauvegarde terminée".encode("cp1252"), "sauvegarde termin\ufffde"),
        (b"{x} {verbatim} %s", "{x} {verbatim} %s"),
        ("\u202eevil\u2028line".encode(), "evil line"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    ],
)
async def test_what_a_job_says_is_kept_as_one_harmless_line(served, body, text):
    status, _ = await called(served, f"/heartbeat/{BACKUP}", body=body, headers=bearer())
    assert (status, kept(served)[BACKUP].last.text) == (200, text)
    await until(lambda: served.said()[0] is Severity.OK)
    assert served.said()[1].endswith(f"ago: {text}" if text else "ago")


async def test_a_long_word_is_cut_and_a_megabyte_is_refused(served):
    status, _ = await called(served, f"/heartbeat/{BACKUP}", body=b"a" * 60_000, headers=bearer())
    text = kept(served)[BACKUP].last.text
    assert (status, text.strip("a"), 900 < len(text) <= 1024) == (200, "…", True)
    head = f"POST /heartbeat/{BACKUP} HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\nAuthorization: Bearer "

    def megabyte():
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as sock:
            sock.sendall(head.encode() + TOKEN.encode() + b"\r\n\r\n" + b"b" * (LARGEST_BODY + 1))
            return sock.recv(100)

    assert (await asyncio.to_thread(megabyte)).startswith(b"HTTP/1.1 413")
    assert kept(served)[BACKUP].last.text == text


async def test_a_stranger_is_refused_before_his_megabyte_is_read(served):
    def stranger():
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as sock:
            sock.sendall(f"POST /heartbeat/{BACKUP} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
            return sock.recv(100)

    assert (await asyncio.to_thread(stranger)).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("status", ["down", "", "OK", "fail%00"])
async def test_a_status_that_is_none_is_refused_with_those_that_are(served, status):
    code, answer = await called(served, f"/heartbeat/{BACKUP}?status={status}", headers=bearer())
    assert (code, answer["error"]) == (400, "status is one of: ok, fail")
    assert kept(served)[BACKUP].last is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_say_nothing(served, method):
    code, _ = await called(served, f"/heartbeat/{BACKUP}", method, headers=bearer())
    assert code == 405


async def test_while_the_disk_cannot_be_written_the_job_is_told_to_call_again(served):
    def no_room(_connection, _cursor, statement, *_):
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    engine = served.daemon.journal.store.engine
    event.listen(engine, "before_cursor_execute", no_room)
    try:
        code, answer = await called(served, f"/heartbeat/{BACKUP}", headers=bearer())
    finally:
        event.remove(engine, "before_cursor_execute", no_room)
    assert code == 503
    assert "call again" in answer["error"]
    assert kept(served)[BACKUP].last is None
    await until(lambda: served.said()[0] is Severity.OK)
    # A belief that was written meanwhile may have found the disk full as well: it is asked again every few seconds.
    await until(lambda: served.daemon.journal.trouble is None)
    code, _ = await called(served, f"/heartbeat/{BACKUP}", headers=bearer())
    assert code == 200
    assert kept(served)[BACKUP].last is not None


async def test_a_restart_keeps_what_was_heard(tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
    async with daemon_on(tmp_path) as served:
        await called(served, f"/heartbeat/{BACKUP}/fail", body=b"no tape", headers=bearer())
        before = kept(served)
    async with daemon_on(tmp_path) as served:
        await until(lambda: served.said()[0] is Severity.CRITICAL)
        assert served.said()[1].endswith("ago: no tape")
        assert kept(served) == before


async def test_a_check_that_leaves_the_inventory_takes_its_job_along(served, tmp_path):
    await called(served, f"/heartbeat/{BACKUP}", headers=bearer())
    (tmp_path / "inventory.yaml").write_text(SITE.replace("backup-night:", "backup:"), encoding="utf-8")
    assert (await served.daemon.reload("uid:0")).inventory is not None
    assert set(kept(served)) == {"backup", "export", "mislaid"}
    assert (await called(served, f"/heartbeat/{BACKUP}", headers=bearer()))[0] == 403
    assert (await called(served, "/heartbeat/backup", headers=bearer()))[0] == 200


async def test_metrics_name_what_was_heard_and_what_was_refused(served):
    await called(served, f"/heartbeat/{BACKUP}", headers=bearer())
    await called(served, f"/heartbeat/{BACKUP}")
    await until(lambda: "releve-checks" in served.daemon.desk.seen)
    _, body = await called(served, "/metrics", "GET")
    lines = body.decode().splitlines()
    at = kept(served)[BACKUP].last.at.timestamp()
    assert f'releve_job_last_report_timestamp_seconds{{check="backup-night"}} {at:.10g}' in lines
    assert {"releve_job_reports_total 1", "releve_job_refusals_total 1", "releve_checks_stale 0"} <= set(lines)
    assert {"releve_results_waiting 0", "releve_scheduler_lag_seconds", "releve_heartbeat_failures_total 0"} <= {
        line if line.endswith(" 0") else line.partition(" ")[0] for line in lines
    }
    assert 'releve_check_severity{check="releve-lag"} 0' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
