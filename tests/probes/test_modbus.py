"""Registers over Modbus TCP: from a real server (pymodbus), and from servers that refuse, lie, hang and die."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from monitor.core.ids import NodeId
from monitor.core.text import Speech
from probes.access import ModbusAccess
from probes.contract import Io, ProbeFault, Target
from probes.modbus import MAX_BLOCK, blocks, read_registers, sound

ENGLISH = Speech("en", lambda template: template)


def target(port: int, unit: int = 10) -> Target:
    access = ModbusAccess(port=port, unit=unit, profile="dse")
    return Target(NodeId("genset"), "127.0.0.1", {"modbus": access})


class Controller:
    """A device with a few registers; `asked` are (address, count) of what it was asked, `refuse` its exception."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.refused: list[int] = []
        """Exception codes of its answers."""
        self.wrote = False
        self.refuse: ExcCodes | None = None
        self.pause: asyncio.Event | None = None

    async def action(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | None
    ) -> ExcCodes | None:
        self.asked.append((address, count))
        self.wrote = self.wrote or function != 3 or values is not None
        if self.pause is not None:
            await self.pause.wait()
        return self.refuse

    def traced(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        if sending and isinstance(pdu, ExceptionResponse):
            self.refused.append(pdu.exception_code)
        return pdu

    async def serve(self, port: int = 0) -> ModbusTcpServer:
        data = [
            SimData(100, values=[1, 2, 3, 4], datatype=DataType.REGISTERS),
            SimData(104, count=3, values=0, datatype=DataType.INVALID),
            SimData(107, values=[7, 8], datatype=DataType.REGISTERS),
            SimData(500, count=150, values=5, datatype=DataType.REGISTERS),
        ]
        device = SimDevice(id=10, simdata=data, action=self.action)
        server = ModbusTcpServer(device, address=("127.0.0.1", port), trace_pdu=self.traced)
        await server.serve_forever(background=True)
        return server


def port_of(server: Any) -> int:
    return int(server.transport.sockets[0].getsockname()[1])


@pytest.fixture
async def controller() -> AsyncIterator[tuple[Controller, int]]:
    made = Controller()
    server = await made.serve()
    yield made, port_of(server)
    await server.shutdown()


Fault = Callable[..., Awaitable[tuple[str, str]]]


@pytest.fixture
def fault(make_io: Callable[..., Io]) -> Fault:
    """`await fault(target, timeout=5.0)`: what reading says, and the remedy."""

    async def read(where: Target, timeout: float = 5.0) -> tuple[str, str]:
        with pytest.raises(ProbeFault) as raised:
            await read_registers(where, [(100, 2)], make_io(timeout))
        assert raised.value.remedy is not None
        return ENGLISH.render(raised.value.text), ENGLISH.render(raised.value.remedy)

    return read


async def test_near_registers_are_one_request_and_those_between_are_not_kept(controller, make_io: Callable[..., Io]):
    device, port = controller
    assert await read_registers(target(port), [(100, 1), (102, 2), (500, 1)], make_io()) == {
        100: 1,
        102: 3,
        103: 4,
        500: 5,
    }
    assert device.asked == [(100, 4), (500, 1)]
    assert not device.wrote


async def test_registers_that_do_not_exist_are_left_out_and_the_others_still_read(
    controller, make_io: Callable[..., Io]
):
    device, port = controller
    spans, there = [(100, 1), (103, 1), (105, 2), (107, 2), (900, 1)], {100: 1, 103: 4, 107: 7, 108: 8}
    memory: dict[str, object] = {}
    assert await read_registers(target(port), spans, make_io(memory=memory)) == there
    device.asked.clear()
    device.refuse = ExcCodes.DEVICE_BUSY
    with pytest.raises(ProbeFault):
        await read_registers(target(port), spans, make_io(memory=memory))
    assert memory == {}, "another controller may have come"
    device.refuse = None
    for _ in range(2):
        device.asked.clear()
        device.refused.clear()
        assert await read_registers(target(port), spans, make_io(memory=memory)) == there
    assert device.asked == [(100, 4), (107, 2)]
    assert device.refused == [], "what was not there is not looked for again"


async def test_a_controller_that_has_none_of_the_registers_is_another_one(controller, make_io: Callable[..., Io]):
    _, port = controller
    with pytest.raises(ProbeFault) as fault:
        await read_registers(target(port), [(900, 1), (40000, 2)], make_io())
    assert ENGLISH.render(fault.value.text) == "genset answers on Modbus but has none of the registers of a dse"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (ExcCodes.ILLEGAL_FUNCTION, "it does not know the function"),
        (ExcCodes.ILLEGAL_VALUE, "it does not accept the request"),
        (ExcCodes.DEVICE_FAILURE, "it has failed inside"),
        (ExcCodes.ACKNOWLEDGE, "it is still at work"),
        (ExcCodes.DEVICE_BUSY, "it is busy"),
        (ExcCodes.GATEWAY_PATH_UNAVIABLE, "the gateway has no path to it"),
        (ExcCodes.GATEWAY_NO_RESPONSE, "it does not answer its gateway"),
        (ExcCodes.MEMORY_PARITY_ERROR, "exception 8"),
    ],
)
async def test_every_exception_has_its_words(controller, fault: Fault, code, what):
    device, port = controller
    device.refuse = code
    said, remedy = await fault(target(port))
    assert said.startswith("genset refuses to be read on Modbus: ")
    assert what in said
    assert "Check unit and profile" in remedy


async def test_a_unit_that_is_not_there_is_silent(fault: Fault):
    def only_unit_10(request: bytes) -> bytes:
        return header(request, b"\x03\x04\x00\x01\x00\x02") if request[6] == 10 else b""

    async with await asyncio.start_server(Liar(only_unit_10).serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said, remedy = await fault(target(port, unit=11), 0.4)
    assert said == f"genset does not answer on Modbus port {port} as unit 11"
    assert remedy.startswith("Check unit")


async def test_a_slow_controller_is_left_before_the_deadline_and_read_again_later(
    controller, fault: Fault, make_io: Callable[..., Io]
):
    device, port = controller
    device.pause = asyncio.Event()
    assert "does not answer" in (await fault(target(port), 0.4))[0]
    device.pause.set()
    assert await read_registers(target(port), [(100, 1)], make_io()) == {100: 1}


async def test_nobody_on_the_port_is_a_refusal_with_the_port(fault: Fault):
    assert await fault(target(1)) == (
        "genset refuses connections on Modbus port 1",
        "Check the port, and that Modbus TCP is switched on and not taken by another master",
    )
    nowhere = Target(NodeId("genset"), "no-such-host.invalid", {"modbus": ModbusAccess(port=1, profile="dse")})
    assert (await fault(nowhere))[0].startswith("no connection to genset on Modbus port 1: ")


async def test_a_device_without_modbus_is_told_what_to_add(fault: Fault):
    what, remedy = await fault(Target(NodeId("genset"), "127.0.0.1"))
    assert (what, remedy) == (
        "genset has no modbus access in the inventory",
        "Give it modbus: with its port, unit and profile",
    )


async def test_the_connection_is_kept_and_made_anew_after_the_controller_was_restarted(make_io: Callable[..., Io]):
    device = Controller()
    server = await device.serve()
    port = port_of(server)
    peers = []
    for _ in range(2):
        assert await read_registers(target(port), [(100, 1)], make_io()) == {100: 1}
        peers.append(tuple(server.active_connections))
    assert peers[0] == peers[1]
    await server.shutdown()
    server = await device.serve(port)
    assert await read_registers(target(port), [(100, 1)], make_io()) == {100: 1}
    await server.shutdown()


async def test_two_checks_at_once_ask_one_after_the_other(controller, make_io: Callable[..., Io]):
    device, port = controller
    reads = [read_registers(target(port), [(100, 1), (500, 1)], make_io()) for _ in range(3)]
    assert await asyncio.gather(*reads) == [{100: 1, 500: 5}] * 3
    assert device.asked == [(100, 1), (500, 1)] * 3


async def test_who_waits_for_a_slow_answer_to_another_is_told_of_silence_and_takes_nothing_from_it(
    fault: Fault, make_io: Callable[..., Io]
):
    begun, go_on, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = header(await reader.read(64), b"\x03\x02\x00\x01")
        writer.write(answer[:9])
        begun.set()
        await go_on.wait()
        writer.write(answer[9:])
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        first = asyncio.create_task(read_registers(target(port), [(100, 1)], make_io()))
        await begun.wait()
        assert "does not answer on Modbus port" in (await fault(target(port), 0.3))[0]
        go_on.set()
        assert await first == {100: 1}
        await over.wait()


async def test_who_waits_for_a_kept_connection_leaves_it_to_who_is_asking(
    controller, fault: Fault, make_io: Callable[..., Io]
):
    device, port = controller
    assert await read_registers(target(port), [(100, 1)], make_io()) == {100: 1}
    device.pause = asyncio.Event()
    first = asyncio.create_task(read_registers(target(port), [(100, 1)], make_io(30.0)))
    async with asyncio.timeout(5):
        while len(device.asked) < 2:
            await asyncio.sleep(0.01)
    assert "does not answer on Modbus port" in (await fault(target(port), 0.3))[0]
    device.pause.set()
    assert await first == {100: 1}
    assert len(device.asked) == 2, "it was not cut off, and had to ask once"


async def test_who_waits_behind_one_that_gives_up_asks_on_a_connection_of_its_own(
    controller, fault: Fault, make_io: Callable[..., Io]
):
    device, port = controller
    device.pause = asyncio.Event()
    first = asyncio.create_task(fault(target(port), 0.5))
    async with asyncio.timeout(5):
        while not device.asked:
            await asyncio.sleep(0.01)
    second = asyncio.create_task(read_registers(target(port), [(100, 1)], make_io()))
    assert "does not answer" in (await first)[0]
    device.pause.set()
    assert await second == {100: 1}


Lie = Callable[[bytes], bytes | None]


class Liar:
    """A server that answers a request by `lie(request)`; None ends the connection."""

    def __init__(self, lie: Lie) -> None:
        self.lie = lie

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.read(64):
                answer = self.lie(request)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def header(request: bytes, body: bytes, unit: int = 10) -> bytes:
    return request[:2] + b"\0\0" + (len(body) + 1).to_bytes(2, "big") + bytes([unit]) + body


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (lambda request: b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "is not Modbus"),
        (lambda request: b"\0" * 260, "is not Modbus"),
        (lambda request: b"\xff" * 200, "is not Modbus"),
        (lambda request: b"\xff" * 4096, "does not answer on Modbus port"),
        (lambda request: header(request, b"\x03\x02\x00\x01"), "is not Modbus"),
        (lambda request: header(request, b"\x03\x05\x00\x01\x00\x02\x03"), "is not Modbus"),
        (lambda request: header(request, b"\x03\x09\x00\x01"), "is not Modbus"),
        (lambda request: header(request, b"\x10\x00\x64\x00\x02"), "is not Modbus"),
        (lambda request: header(request, b"\x83\x02\x00"), "is not Modbus"),
        (lambda request: header(request, b"\x03\x04\x00\x01")[:9], "is not Modbus"),
        (lambda request: header(request, b"\x03\x04\x00\x01\x00\x02", unit=9), "is not Modbus"),
        (lambda request: b"\x77\x77" + header(request, b"\x03\x04\x00\x01\x00\x02")[2:], "is not Modbus"),
        (lambda request: b"", "does not answer on Modbus port"),
        (lambda request: None, "ends the connection on Modbus port"),
    ],
)
async def test_what_is_no_answer_is_called_so_without_a_traceback(fault: Fault, caplog, lie, what):
    async with await asyncio.start_server(Liar(lie).serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with caplog.at_level(logging.WARNING):
            assert what in (await fault(target(port), 0.5))[0]
    assert caplog.records == []


@given(st.sets(st.tuples(st.integers(0, 65000), st.integers(1, 2)), max_size=60))
def test_blocks_hold_every_value_whole_and_stay_within_the_protocol(spans):
    groups = blocks(spans)
    assert [span for group in groups for span in group] == sorted(spans)
    for group in groups:
        assert max(address + count for address, count in group) - group[0][0] <= MAX_BLOCK


@pytest.mark.parametrize(
    ("spans", "count"),
    [
        ([], 0),
        ([(1, 1), (2, 2), (4, 1)], 1),
        ([(1, 1), (14, 1)], 1),
        ([(1, 1), (15, 1)], 2),
        ([(n, 1) for n in range(101)], 2),
    ],
)
def test_blocks_are_as_few_as_gaps_and_length_allow(spans, count):
    assert len(blocks(spans)) == count


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_right_answer_is_sound_at_every_length_on_its_way(cut):
    assert sound(bytes.fromhex("00010000000703040a0b0c0d")[: max(cut, 0)] or b"\0") == (cut < 8)
    assert sound(bytes.fromhex("000100000007" + "0a" + "03040a0b0c0d")[:cut])
    assert sound(bytes.fromhex("000100000003" + "0a" + "8302")[:cut])
    assert sound(bytes.fromhex("000100000003" + "0a" + "8302" + "000200000007" + "0a" + "03040a0b0c0d")[: 9 + cut])


@given(st.binary(max_size=300))
def test_any_bytes_are_sound_or_not(data):
    assert sound(data) in (True, False)
