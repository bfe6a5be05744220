"""The modem does with its folders what gammu-smsd does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from lab.modem import Modem
from monitor.clock import SystemClock

NAME = "OUTA20261123_045900_00_+237600000000_0123abcd.txt"


@pytest.fixture
async def modem() -> AsyncIterator[Modem]:
    running = Modem(SystemClock())
    running.start()
    yield running
    await running.stop()


async def gone(path) -> None:
    async with asyncio.timeout(5):
        while path.exists():
            await asyncio.sleep(0.02)


async def test_what_lies_in_the_outbox_is_sent(modem):
    path = modem.spool / "outbox" / NAME
    path.write_bytes("26-0001 Coupure é".encode("utf-16"))
    await gone(path)
    (sms,) = modem.messages
    assert (sms.number, sms.text, sms.note) == ("+237600000000", "26-0001 Coupure é", "0123abcd")
    assert (modem.spool / "sent" / NAME).exists()


async def test_a_name_that_gammu_would_not_read_is_an_error(modem):
    path = modem.spool / "outbox" / "OUTnobody.txt"
    path.write_text("x")
    await gone(path)
    assert (modem.spool / "error" / path.name).exists()
    assert not modem.messages


async def test_an_unfinished_file_is_left_alone(modem):
    path = modem.spool / "outbox" / f".{NAME}"
    path.write_text("x")
    whole = modem.spool / "outbox" / NAME
    whole.write_text("y")
    await gone(whole)
    assert path.exists()
    assert [sms.text for sms in modem.messages] == ["y"]


async def test_its_folders_go_with_it():
    modem = Modem(SystemClock())
    modem.start()
    spool = modem.spool
    await modem.stop()
    assert not spool.exists()
    with pytest.raises(RuntimeError):
        _ = modem.spool
