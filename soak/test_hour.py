"""An hour of an interruption by the contract's own figures and the machine's own clock, with two kills on the way.

Nothing is scaled: the update is due every 60 minutes, the conference after 60. It takes 63 minutes.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from lab.door import LOOPBACK, Door, Mute
from lab.mailbox import Letter, Mailbox
from lab.proof import KEY
from monitor.cli.demo_daemon import Daemon
from monitor.clock import SystemClock

INVENTORY = """
site: {{name: A real hour, timezone: Africa/Douala, language: fr}}
contacts:
  admin: {{name: Administrateur SI, mail: admin@example.org}}
  att: {{name: Desk ATT, mail: att@example.org}}
  ocm-it: {{name: DSI OCM, mail: dsi@example.org}}
channels: {{mail: {{url: env:RELEVE_MAIL_URL}}}}
devices: {{far: {{address: {host}}}}}
checks: {{far: {{probe: tcp, device: far, port: {port}, every: 5s, confirm: 3, incident: link-unstable}}}}
incidents: {{link-unstable: {{interruption: always}}}}
protocol:
  first_notice: {{to: [att], within: 30s}}
  update: {{every: 60 min, to: [att]}}
  conference: {{after: 60 min, to: [ocm-it, att], bridge: "+237 000, code 1"}}
  resolved: {{to: [all]}}
operations: {{to: [admin]}}
"""
FIRST_WITHIN = timedelta(seconds=30)
"""From the fault to the client's first notice."""
ON_THE_MINUTE = timedelta(seconds=5)
HOUR = timedelta(minutes=60)
BEGINS_WITHIN = timedelta(seconds=10)
"""From the fault to the first look that shows it: one interval, and a probe on a busy machine."""
KILLED_AT = (timedelta(minutes=30), timedelta(minutes=58, seconds=30))
"""Since the fault; the second leaves the daemon a minute and a half to be up again before the hour."""
AWAY = 60.0
"""Seconds for which it is out after the first kill."""
ENDS_AT = timedelta(minutes=62)
END_WITHIN = 60.0
"""Seconds for the end to be told."""
CLOCK = SystemClock()


@asynccontextmanager
async def site() -> AsyncIterator[tuple[Door, Mailbox, Daemon]]:
    """A far end, a mail server, and the daemon that watches the one and writes to the other; none is open yet."""
    far, mailbox = Door(Mute), Mailbox(CLOCK)
    with tempfile.TemporaryDirectory(prefix="releve-hour-") as folder:
        inventory = Path(folder) / "inventory.yaml"
        inventory.write_text(INVENTORY.format(host=LOOPBACK, port=far.port), "utf-8")
        url = f"mailto://{LOOPBACK}:{mailbox.port}?from=releve@example.org"
        daemon = Daemon(inventory, Path(folder) / "data", {"RELEVE_MAIL_URL": url})
        try:
            yield far, mailbox, daemon
        finally:
            await daemon.stop()
            await far.remove()
            await mailbox.close()


async def until(moment: datetime) -> None:
    """Sleep until `moment`."""
    await asyncio.sleep(max(0.0, (moment - CLOCK.now()).total_seconds()))


async def seen_well(daemon: Daemon) -> None:
    """Wait until the daemon has seen the far end open."""
    async with asyncio.timeout(END_WITHIN):
        while True:
            checks = (await daemon.get("/api/v1/status"))["checks"]
            if any(row["check"] == "far" and row["severity"] == "ok" for row in checks):
                return
            await asyncio.sleep(0.2)


def keep(figures: list[str]) -> None:
    """Write what arrived when to the file that RELEVE_FIGURES names."""
    if name := os.environ.get("RELEVE_FIGURES"):
        Path(name).write_text("\n".join([*figures, ""]), "utf-8")


async def told(mailbox: Mailbox, step: str, to: int) -> None:
    """Wait until `to` clients were sent the message of `step`."""
    async with asyncio.timeout(END_WITHIN):
        while len(by_step(mailbox.letters, step)) < to:
            await mailbox.news(len(mailbox.letters))


def by_step(letters: list[Letter], step: str) -> list[Letter]:
    """The client's letters of `step`."""
    return [one for one in letters if one.header(KEY).split("/")[1:3] == ["client", step]]


async def test_a_real_hour_is_told_on_the_minute_although_the_daemon_is_killed_twice():
    async with site() as (far, mailbox, daemon):
        mailbox.open()
        far.open()
        await daemon.start()
        await seen_well(daemon)
        fault_at = CLOCK.now()
        await far.shut()
        await told(mailbox, "first_notice", 1)
        for n, after in enumerate(KILLED_AT):
            await until(fault_at + after)
            assert await daemon.kill()
            await asyncio.sleep(0 if n else AWAY)
            await daemon.start()
        await until(fault_at + ENDS_AT)
        far.open()
        await told(mailbox, "resolved", 2)
        (incident,) = await daemon.get("/api/v1/incidents")
    began_at = datetime.fromisoformat(incident["began_at"])
    letters = mailbox.letters
    figures = [f"{letter.at - fault_at} {letter.header(KEY)}" for letter in letters]
    keep([f"fault at {fault_at}, seen at {began_at}", *figures])
    assert fault_at <= began_at <= fault_at + BEGINS_WITHIN
    assert [one.at - fault_at < FIRST_WITHIN for one in by_step(letters, "first_notice")] == [True]
    for step, to in (("update", {"att@example.org"}), ("conference", {"att@example.org", "dsi@example.org"})):
        found = by_step(letters, step)
        assert {one.to for one in found} == to, figures
        assert all(timedelta() <= one.at - (began_at + HOUR) <= ON_THE_MINUTE for one in found), figures
    assert all(
        any(part.get_content_type() == "text/calendar" for part in one.message.walk())
        for one in by_step(letters, "conference")
    )
    assert {one.to for one in by_step(letters, "resolved")} == {"att@example.org", "dsi@example.org"}
    assert [key for key, count in Counter(one.header(KEY) for one in letters).items() if count > 1] == []
