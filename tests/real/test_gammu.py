"""SMS through the real gammu-smsd, with its dummy modem: out, and back as an answer."""

import asyncio
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.agreement import Channel
from alerts.delivery import deliver
from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from alerts.parcel import Parcel, Receipt
from monitor.core.ids import IncidentId
from monitor.core.verdict import Severity
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.secret import Secret
from monitor.store import open_store

AT = datetime(2026, 11, 22, 13, 5, 7, tzinfo=UTC)
SHORT = "26-0042 Arrêt du CRM. Service interrompu à 14 h 05. [x] €".replace("ê", "e")
CONFIGURATION = """\
[gammu]
model = dummy
connection = none
port = {folder}/modem
gammuloc = /dev/null
[smsd]
service = files
logfile = {folder}/log
debuglevel = 1
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
commtimeout = 1
receivefrequency = 1
sendtimeout = 10
"""


@pytest.fixture
def spool(require, tmp_path: Path):
    """The folder of a gammu-smsd that runs until the test ends."""
    program = require("gammu-smsd", "gammu-smsd")
    for name in ("inbox", "outbox", "sent", "error", "modem"):
        (tmp_path / name).mkdir()
    (tmp_path / "rc").write_text(CONFIGURATION.format(folder=tmp_path))
    daemon = subprocess.Popen(
        [program, "-c", tmp_path / "rc"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    yield tmp_path
    daemon.terminate()
    daemon.wait(20)


def test_an_sms_is_sent_by_the_modem_and_reads_as_it_was_written(spool):
    key = NoticeKey(IncidentId("26-0042"), Audience.INTERNAL, Step.UPDATE, 3, "awa")
    message = Message("s", "t", "h", SHORT)
    notice = Notice(key, AT, AT, key.message_id("s"), message, "sms", "+237 600 00 00 00", "fr")
    parcel = Parcel(notice, Channel("sms", Secret(f"gammu:{spool}?wait=30s")))
    assert deliver(parcel) == Receipt("gammu-smsd: OK")
    assert len(list((spool / "sent").iterdir())) == 1
    until = time.monotonic() + 10
    while "Transmitted" not in (log := (spool / "log").read_text(errors="replace")) and time.monotonic() < until:
        time.sleep(0.1)
    assert f'Found 1 sms to "+237600000000" with text "{SHORT}"' in log
    assert deliver(parcel) == Receipt("gammu-smsd: OK")
    assert len(list((spool / "sent").iterdir())) == 1


RECEIVED = """\
; SMS backup
[SMSBackup000]
#{text}
SMSC = "+237699900929"
Number = "{number}"
State = UnRead
Coding = {coding}
Folder = 1
DateTime = {at:%Y%m%dT%H%M%S}
Class = -1
ReplySMSC = False
Text00 = {units}
"""
"""An SMS in the dummy modem, as `gammu --backupsms` writes it."""
SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: fr}}
contacts: {{admin: {{name: Ann, sms: "+237 600 00 00 00"}}}}
channels: {{sms: {{url: "gammu:{spool}?wait=30s"}}}}
operations: {{to: [admin]}}
replies: {{sms: sms}}
"""


def receive(spool, number, text, n):
    """Let the modem have got an SMS."""
    folder = spool / "modem" / "sms" / "1"
    folder.mkdir(parents=True, exist_ok=True)
    coding = "Default_No_Compression" if text.isascii() else "Unicode_No_Compression"
    at = datetime.now(UTC)  # noqa: TID251 - gammu names files by the machine's day
    units = text.encode("utf-16-be").hex().upper()
    made = folder / f".{n}"
    made.write_text(RECEIVED.format(text=text, number=number, coding=coding, at=at, units=units))
    made.rename(folder / str(n))


@pytest.mark.parametrize("words", ["OK {code}", "Je m\u2019en occupe {code}"])
async def test_the_sms_that_the_modem_sent_is_answered_by_the_code_in_it(spool, tmp_path, words):
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE.format(spool=spool), encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    daemon = await Daemon.start(reading.inventory, open_store(tmp_path / "data", write=True, ballast=0))
    running = asyncio.create_task(daemon.run())
    incident = await daemon.desk.open("other", Severity.CRITICAL, "uid:0", "le disque est plein")
    async with asyncio.timeout(60):
        while not (sent := [one for one in (spool / "sent").iterdir() if one.name.startswith("OUT")]):
            await asyncio.sleep(0.1)
    code = sent[0].read_bytes().decode("utf-16").strip()[-4:]
    assert code.isdecimal()
    receive(spool, "+237611111111", f"OK {code}", 1)
    receive(spool, "+237600000000", words.format(code=code), 2)
    async with asyncio.timeout(60):
        while daemon.desk.state.incidents[incident.id].acknowledged_by != "contact:admin":
            await asyncio.sleep(0.1)
        while not list((spool / "releve-done").glob("*")):
            await asyncio.sleep(0.1)
    assert daemon.desk.state.incidents[incident.id].timeline[-1].data["way"] == "sms"
    assert [one.name.split("_")[3] for one in (spool / "inbox").iterdir()] == ["+237611111111"]
    daemon.stop()
    async with asyncio.timeout(30):
        await running
        await daemon.close()
