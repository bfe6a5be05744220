"""SMS through the real gammu-smsd, with its dummy modem."""

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.delivery import deliver
from alerts.notice import Audience, Message, Notice, NoticeKey, Step
from alerts.parcel import Parcel, Receipt
from alerts.protocol import Channel
from monitor.core.ids import IncidentId
from monitor.secret import Secret

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
