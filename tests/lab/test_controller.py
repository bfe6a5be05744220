"""The generator's controller against pymodbus's client."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from lab.controller import Controller, registers
from lab.power import Plant, Power, cut, look


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    running = Controller(lambda: look(Power(), 1.0))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(controller: Controller) -> AsyncIterator[AsyncModbusTcpClient]:
    connected = AsyncModbusTcpClient("127.0.0.1", port=controller.port, timeout=1, retries=0)
    await connected.connect()
    yield connected
    connected.close()
    await asyncio.sleep(0)


async def read(client: AsyncModbusTcpClient, address: int, count: int, unit: int = 10) -> list[int]:
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError(), answer
    return answer.registers


async def test_at_rest_it_sees_the_mains_and_its_engine_stands(client):
    assert (await read(client, 1027, 4))[::3] == [78, 0]
    assert await read(client, 1059, 3) == [500, 0, 2296]
    assert await read(client, 1408, 1) == [0]
    assert await read(client, 772, 1) == [1]


async def test_a_register_that_it_does_not_have_is_an_illegal_address(client):
    answer = await client.read_holding_registers(900, count=2, device_id=10)
    assert answer.isError()
    assert answer.exception_code == 2


async def test_nothing_can_be_written(client):
    answer = await client.write_registers(1027, [5], device_id=10)
    assert answer.isError()


async def test_a_silenced_controller_does_not_answer_until_it_speaks_again(controller, client):
    controller.silent = True
    with pytest.raises(ModbusException):
        await client.read_holding_registers(1027, count=1, device_id=10)
    controller.silent = False
    await client.connect()
    assert await read(client, 1027, 1) == [78]


def test_without_mains_it_shows_neither_volts_nor_hertz():
    page = registers(look(cut(Power(), 0.0), 1.0))
    assert [page[register] for register in range(1059, 1066)] == [0] * 7


def test_a_failed_start_is_the_seventh_named_alarm_as_a_shutdown():
    stuck = look(cut(Power(Plant(start_after=1, crank=1, rest=1, failed_attempts=3, attempts=3)), 0.0), 60.0)
    page = registers(stuck)
    assert (page[2048], page[2049], page[2050], page[2051]) == (28, 0x1111, 0x1131, 0x1111)
    assert page[774] == 0x1000


def test_a_running_engine_shows_its_speed_and_its_volts():
    plant = Plant(start_after=1, failed_attempts=0)
    page = registers(look(cut(Power(plant), 0.0), 60.0))
    assert (page[1408], page[1030], page[1031], page[1032] << 16 | page[1033]) == (3, 1500, 500, 2310)
