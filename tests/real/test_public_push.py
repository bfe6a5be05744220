"""The public status through OpenSSH's own SFTP server: what a reader of the folder sees is always whole."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon import selfcheck
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import open_store

PATIENCE = 30
SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: fr}}
contacts: {{admin: {{name: Admin, mail: admin@example.org}}, att: {{name: Desk, mail: att@example.org}}}}
channels: {{mail: {{url: "env:NO_MAIL_URL"}}}}
devices:
  web: {{address: 127.0.0.1, ssh: {{user: {user}, key: "file:{key}", port: {port}, host_key: "{fingerprint}"}}}}
incidents: {{office: {{interruption: always, title: {{fr: Panne du bureau, en: Office down}}}}}}
protocol: {{first_notice: {{to: [att]}}}}
operations: {{to: [admin]}}
public: {{title: Service OCM, every: 1 h, push: [{{sftp: {{device: web, folder: {folder}}}}}]}}
"""


async def test_what_openssh_shows_is_whole_and_follows_what_happens(sshd: Any, tmp_path: Path) -> None:
    folder, path = tmp_path / "www", tmp_path / "inventory.yaml"
    folder.mkdir()
    path.write_text(
        SITE.format(user=sshd.user, key=sshd.user_key, port=sshd.port, fingerprint=sshd.fingerprint, folder=folder),
        encoding="utf-8",
    )
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(tmp_path / "data", write=True, ballast=0))
    running = asyncio.create_task(daemon.run())
    status: dict[str, Any] = {}

    def read() -> bool:
        """Read what lies there at this moment, which must be whole."""
        for name in ("index.html", "index.en.html", "feed.atom"):
            if (folder / name).exists():
                ET.fromstring((folder / name).read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>\n"))
        if (folder / "status.json").exists():
            status.update(json.loads((folder / "status.json").read_bytes()))
        return bool(status)

    async with asyncio.timeout(PATIENCE):
        while not read():
            await asyncio.sleep(0.005)
    await daemon.desk.open("office", Severity.CRITICAL, "uid:0", "smoke in room 4")
    async with asyncio.timeout(PATIENCE):
        while not (read() and status["incidents"] and daemon.publishing.sent >= 2):
            await asyncio.sleep(0.005)
    assert status["incidents"][0]["title"] == "Panne du bureau"
    assert {one.name for one in folder.iterdir()} == {"index.html", "index.en.html", "status.json", "feed.atom"}
    seen = daemon.desk.seen[selfcheck.PUBLIC].verdict
    assert (seen.severity, ENGLISH.render(seen.summary)) == (Severity.OK, "The public status is where it is shown")
    daemon.stop()
    async with asyncio.timeout(PATIENCE):
        await running
        await daemon.close()
