"""The public status on hosts elsewhere, by SFTP over real connections: whole files, at once, and never in the way."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import asyncssh
import pytest

from lab.sshd import USER, Sshd, new_key
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.daemon import Daemon
from monitor.daemon.noticeboard import Noticeboard
from monitor.daemon.publishing import Publishing, Timing

PATIENCE = 20
QUICK = Timing(first=0.0, look=0.02, quiet=0.0, retry=0.05, patience=5.0, silent=2.0)
NAMES = ["feed.atom", "index.fr.html", "index.html", "status.json"]


class Host:
    """A host elsewhere, whose web server shows `folder`; what its SFTP server is asked goes through `hindrance`."""

    def __init__(self, folder: Path, key: asyncssh.SSHKey) -> None:
        self.folder, self.renamed, self.refuse, self.lacks_posix, self.stuck = folder, [], "", False, False
        folder.mkdir()
        host = self

        class Files(asyncssh.SFTPServer):
            async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
                if host.lacks_posix:
                    raise asyncssh.SFTPOpUnsupported("unsupported")
                if host.refuse and newpath.decode().endswith(host.refuse):
                    raise asyncssh.SFTPFailure("no room for this one")
                while host.stuck:
                    await asyncio.sleep(0.01)
                host.renamed.append(newpath.decode().rpartition("/")[2])
                super().posix_rename(oldpath, newpath)

            def rename(self, oldpath: bytes, newpath: bytes) -> None:
                host.renamed.append(newpath.decode().rpartition("/")[2])
                super().rename(oldpath, newpath)

        self.sshd = Sshd(key, files=Files)

    def device(self, key: str) -> str:
        ssh = f'{{user: {USER}, port: {self.sshd.port}, key: "file:{key}", host_key: "{self.sshd.fingerprint}"}}'
        return f"{{address: 127.0.0.1, ssh: {ssh}}}"

    def shown(self, name: str = "status.json") -> dict:
        path = self.folder / name
        return json.loads(path.read_bytes()) if path.exists() else {}

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class Sending:
    """What is being sent to two hosts, and what was reported of it."""

    def __init__(self, desk, clock):
        self.desk, self.verdicts = desk, []
        self.publishing = Publishing(Noticeboard(desk, lambda: True, clock), clock, self._report, QUICK)

    async def _report(self, verdict, at: datetime, elapsed: float) -> None:
        assert at.tzinfo is not None
        assert elapsed >= 0
        self.verdicts.append((verdict.severity, ENGLISH.render(verdict.summary)))

    async def __aenter__(self):
        self._task = asyncio.create_task(self.publishing.run())
        return self

    async def __aexit__(self, *error):
        assert not self._task.done()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.publishing.close()


@pytest.fixture
async def hosts(tmp_path):
    key = new_key()
    (tmp_path / "key").write_bytes(key.export_private_key())
    found = [Host(tmp_path / name, key) for name in ("one", "two")]
    for host in found:
        await host.sshd.start()
    yield found
    for host in found:
        host.stuck = False
        await host.sshd.stop()


@pytest.fixture
def site_of(hosts, inventory_of, tmp_path):
    """The inventory of a site that sends to hosts; what `public:` holds beside that."""

    def make(more: str = "every: 1 h", wanted: int = 2):
        devices = [host.device(str(tmp_path / "key")) for host in hosts]
        listed = ", ".join(f"{{sftp: {{device: web-{n}, folder: {hosts[n].folder}}}}}" for n in range(wanted))
        return inventory_of(
            (
                "other: {address: 127.0.0.1}}",
                f"other: {{address: 127.0.0.1}}, web-0: {devices[0]}, web-1: {devices[1]}}}",
            ),
            ("operations: {to: [admin]}", f"operations: {{to: [admin]}}\npublic: {{push: [{listed}], {more}}}"),
        )

    return make


@pytest.fixture
def sending(site_of, desk_on, machine):
    def make(more: str = "every: 1 h", wanted: int = 2):
        return Sending(desk_on(site_of(more, wanted)), machine)

    return make


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_every_host_gets_every_form_whole(hosts, sending):
    async with sending() as sent:
        await until(lambda: [host.names for host in hosts] == [NAMES, NAMES] and sent.publishing.sent == 2)
    for host in hosts:
        status = host.shown()
        assert (status["title"], status["language"]) == ("Petit site", "en")
        for name, language in (("index.html", "en"), ("index.fr.html", "fr")):
            page = ET.fromstring((host.folder / name).read_text().removeprefix("<!DOCTYPE html>\n"))
            assert page.get("lang") == language
            links = {one.get("href") for one in page.findall("body/footer/p/a")}
            assert links == {"feed.atom", "status.json", "index.fr.html" if language == "en" else "index.html"}
        ET.fromstring((host.folder / "feed.atom").read_bytes())
    assert sent.verdicts[-1] == (Severity.OK, "The public status is where it is shown")


async def test_what_changes_for_the_client_is_sent_at_once_and_once(hosts, sending):
    async with sending(wanted=1) as sent:
        await until(hosts[0].shown)
        incident = await sent.desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
        await until(lambda: hosts[0].shown()["incidents"])
        assert hosts[0].shown()["incidents"][0]["reference"] == incident.id
        await sent.desk.note(incident.id, "uid:0", "nobody's business")
        await sent.desk.state_cause(incident.id, "uid:0", "a burnt socket")
        await until(lambda: hosts[0].shown()["incidents"][0]["cause"] == "a burnt socket")
        await until(lambda: sent.publishing.sent == 3)
    assert hosts[0].renamed.count("status.json") == 3
    assert hosts[1].names == []


async def test_what_does_not_change_is_sent_now_and_then_so_that_it_does_not_grow_stale(hosts, sending):
    async with sending("every: 100 ms", wanted=1) as sent:
        await until(lambda: sent.publishing.sent >= 3)
        status = hosts[0].shown()
    written, stale = (datetime.fromisoformat(status[name]) for name in ("written_at", "stale_after"))
    assert stale - written <= timedelta(seconds=1)


async def test_a_host_that_is_down_is_told_and_tried_again_and_holds_no_other_back(hosts, sending):
    await hosts[0].sshd.refuse()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with sending() as sent:
        await until(lambda: sent.publishing.failed >= 2 and hosts[1].names == NAMES)
        severity, words = sent.verdicts[-1]
        assert severity is Severity.WARNING
        assert words.startswith("The public status does not get to web-0, and is out of date there before long: ")
        await hosts[0].sshd.start()
        await until(lambda: hosts[0].names == NAMES and sent.verdicts[-1][0] is Severity.OK)
    doubled = math.log2((loop.time() - begun) / QUICK.retry + 1)  # after twice as long each time
    assert sent.publishing.failed <= doubled + 1


async def test_a_file_that_is_refused_leaves_the_one_before_and_nothing_half(hosts, sending):
    async with sending(wanted=1) as sent:
        await until(lambda: sent.publishing.sent == 1)
        before = hosts[0].shown()
        hosts[0].refuse = "status.json"
        await sent.desk.open("office", Severity.CRITICAL, "uid:0", "smoke")
        await until(lambda: sent.publishing.failed >= 1)
        assert hosts[0].shown() == before
        assert "no room for this one" in sent.verdicts[-1][1]
        hosts[0].refuse = ""
        await until(lambda: hosts[0].shown()["incidents"] and hosts[0].names == NAMES)


async def test_a_server_that_cannot_replace_a_file_at_once_gets_it_all_the_same(hosts, sending):
    hosts[0].lacks_posix = True
    async with sending("every: 100 ms", wanted=1) as sent:
        await until(lambda: sent.publishing.sent >= 2 and hosts[0].names == NAMES)
    assert sent.publishing.failed == 0


async def test_a_server_that_hangs_is_given_up_and_holds_nothing_back(hosts, sending):
    hosts[0].stuck = True
    async with sending() as sent:
        await until(lambda: hosts[1].names == NAMES)
        await until(lambda: sent.publishing.failed >= 1)
    assert "web-0 does not answer any more" in sent.verdicts[-1][1]


async def test_a_folder_that_is_not_there_is_not_made(hosts, sending):
    hosts[0].folder.rmdir()
    async with sending(wanted=1) as sent:
        await until(lambda: sent.verdicts)
    assert not hosts[0].folder.exists()
    assert f"there is no folder {hosts[0].folder} on web-0" in sent.verdicts[0][1]


async def test_a_host_that_shows_another_key_is_told_nothing(hosts, sending):
    sent = sending(wanted=1)
    port = hosts[0].sshd.port
    await hosts[0].sshd.stop()
    async with (
        asyncssh.listen(
            "127.0.0.1", port, server_host_keys=[new_key()], authorized_client_keys=None, sftp_factory=True
        ),
        sent,
    ):
        await until(lambda: sent.verdicts)
    assert "shows another SSH host key than the known one" in sent.verdicts[0][1]
    assert hosts[0].names == []


async def test_a_place_that_leaves_the_inventory_is_sent_nothing_more(hosts, sending, site_of):
    async with sending("every: 100 ms") as sent:
        await until(lambda: [host.names for host in hosts] == [NAMES, NAMES])
        fewer = site_of("every: 100 ms", wanted=1)
        await sent.desk.swap(fewer, sent.desk.plan, "uid:0")
        sent.publishing.swap()
        seen = sent.publishing.sent
        await until(lambda: sent.publishing.sent >= seen + 3)
        count = len(hosts[1].renamed)
        seen = sent.publishing.sent
        await until(lambda: sent.publishing.sent >= seen + 3)
    assert len(hosts[1].renamed) == count


async def test_the_daemon_sends_it_and_its_own_check_says_so(hosts, site_of, store):
    daemon = await Daemon.start(site_of(wanted=1), store)
    running = asyncio.create_task(daemon.run())
    await until(lambda: selfcheck.PUBLIC in daemon.desk.state.healths)
    assert daemon.desk.state.healths[selfcheck.PUBLIC].latest is Severity.OK
    await until(lambda: hosts[0].names == NAMES)
    daemon.stop()
    async with asyncio.timeout(PATIENCE):
        await running
        await daemon.close()


async def test_a_round_without_a_daemon_sends_what_it_saw(hosts, site_of, store):
    daemon = await Daemon.start(site_of(wanted=2), store)
    await daemon.round()
    await daemon.close()
    assert [host.names for host in hosts] == [NAMES, NAMES]
    assert hosts[0].shown()["blind"] is None
