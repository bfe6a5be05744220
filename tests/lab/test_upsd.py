"""The NUT server against aionut, and by the letter of the protocol."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aionut import AIONUTClient, NUTError

from lab.door import Door
from lab.power import Power, cut, look
from lab.upsd import Upsd, variables


@dataclass
class Room:
    """A UPS that shows what `power` makes it show, behind the door `port`."""

    power: Power
    silent: bool = False
    port: int = 0


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room(Power())
    door = Door(
        lambda: Upsd("onduleur", lambda: variables(look(room.power, 1.0)), "monitor", "lab-nut", lambda: room.silent)
    )
    door.open()
    room.port = door.port
    yield room
    await door.remove()


async def ask(room: Room, *lines: str) -> list[str]:
    """Send each line and return the answers, without that of the LOGOUT that ends them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write("".join(f"{line}\n" for line in (*lines, "LOGOUT")).encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer.decode().splitlines()[:-1]


async def test_aionut_reads_the_ups(room):
    client = AIONUTClient(port=room.port, username="monitor", password="lab-nut")
    assert list(await client.list_ups()) == ["onduleur"]
    seen = await client.list_vars("onduleur")
    assert (seen["ups.status"], seen["battery.charge"], seen["input.voltage"]) == ("OL", "100", "229.6")
    room.power = cut(room.power, 0.5)
    seen = await client.list_vars("onduleur")
    assert (seen["ups.status"], seen["input.voltage"]) == ("OB DISCHRG", "0.0")
    client.shutdown()


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["GET VAR onduleur ups.status"], 'VAR onduleur ups.status "OL"'),
        (["GET VAR onduleur nothing"], "ERR VAR-NOT-SUPPORTED"),
        (["GET VAR other ups.status"], "ERR UNKNOWN-UPS"),
        (["LIST VAR other"], "ERR UNKNOWN-UPS"),
        (["GET UPSDESC onduleur"], 'UPSDESC onduleur "Onduleur de la salle technique"'),
        (["LIST"], "ERR UNKNOWN-COMMAND"),
        (["LIST SOMETHING onduleur"], "ERR INVALID-ARGUMENT"),
        (['GET VAR "onduleur'], "ERR INVALID-ARGUMENT"),
        (["STARTTLS"], "ERR FEATURE-NOT-CONFIGURED"),
        (["LOGIN onduleur"], "ERR USERNAME-REQUIRED"),
        (["USERNAME monitor", "LOGIN onduleur"], "ERR PASSWORD-REQUIRED"),
        (["USERNAME monitor", "PASSWORD wrong", "LOGIN onduleur"], "ERR ACCESS-DENIED"),
        (["USERNAME monitor", "PASSWORD lab-nut", "LOGIN onduleur"], "OK"),
        (["USERNAME monitor", "PASSWORD lab-nut", "LOGIN other"], "ERR UNKNOWN-UPS"),
        (["USERNAME monitor", "PASSWORD lab-nut", "SET VAR onduleur ups.status OL"], "ERR READONLY"),
        (["USERNAME monitor", "PASSWORD lab-nut", "INSTCMD onduleur load.off"], "ERR CMD-NOT-SUPPORTED"),
        (["USERNAME a", "USERNAME b"], "ERR ALREADY-SET-USERNAME"),
        (["LIST CMD onduleur"], "END LIST CMD onduleur"),
    ],
)
async def test_every_line_has_the_answer_that_upsd_gives(room, lines, answer):
    assert (await ask(room, *lines))[-1] == answer


async def test_a_silenced_ups_accepts_and_does_not_answer(room):
    room.silent = True
    client = AIONUTClient(port=room.port, timeout=0.3)
    with pytest.raises(NUTError):
        await client.list_ups()
    room.silent = False
    assert await client.list_ups()
    client.shutdown()
