"""The generator's controller: Deep Sea's GenComm registers on Modbus TCP, filled from the live state.

Register = page x 256 + offset, from 0; a 32-bit value has its high word first. Sources: the public register lists of
`dbus-modbus-client` (Victron) for DSE controllers and of `genmon`, which agree on every register given here.
"""

from __future__ import annotations

from collections.abc import Callable

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from lab.door import LOOPBACK, bound
from lab.hush import Hushable
from lab.power import GENERATOR_VOLTAGE, MAINS_FREQUENCY, Engine, Look

UNIT = 10
MANUFACTURER, MODEL, SERIAL = 1, 0x7320, 12345
AUTO = 1
"""Control mode (page 3, register 4) in which the controller starts by itself when the mains are gone."""
INACTIVE, SHUTDOWN = 1, 3
"""An alarm's four bits on page 8: 1 inactive, 2 warning, 3 shutdown, 4 electrical trip."""
ALARMS = 28
FAIL_TO_START = 6
"""Place of that alarm among the named ones: the seventh, after under speed and over speed."""

_BLOCKS = {768: 32, 1024: 256, 1408: 8, 1536: 64, 1792: 64, 2048: 1 + ALARMS}
"""First register and length of each range that the controller has; anything else is an illegal address."""


def registers(look: Look) -> dict[int, int]:
    """Return the controller's registers, by address, for what the instruments show."""
    turning = look.engine in (Engine.WARMING, Engine.RUNNING, Engine.COOLING)
    voltage = GENERATOR_VOLTAGE if turning else 0.0
    page3 = {768: MANUFACTURER, 769: MODEL, **_wide(770, SERIAL), 772: AUTO, 774: 0x1000 if look.failed_to_start else 0}
    page4 = {
        1024: 420 if turning else 0,
        1025: 82 if turning else 41,
        1026: 85 if turning else 40,
        1027: round(look.fuel),
        1028: 141 if turning else 0,
        1029: 141 if turning else 98 if look.attempt else 127,
        1030: look.speed,
        1031: round(look.frequency * 10),
        1059: round(MAINS_FREQUENCY * 10) if look.mains_voltage else 0,
    }
    for phase in range(3):
        page4 |= _wide(1032 + 2 * phase, round(voltage * 10))
        page4 |= _wide(1060 + 2 * phase, round(look.mains_voltage * 10))
    page7 = _wide(1792 + 6, 4_212_000 + round(look.ran)) | _wide(1792 + 16, 311)
    return page3 | page4 | {1408: look.engine.value} | page7 | _alarms(look)


def _alarms(look: Look) -> dict[int, int]:
    active = {FAIL_TO_START: SHUTDOWN} if look.failed_to_start else {}
    states = [active.get(place, INACTIVE) for place in range(4 * ALARMS)]
    words = [
        states[i] << 12 | states[i + 1] << 8 | states[i + 2] << 4 | states[i + 3] for i in range(0, len(states), 4)
    ]
    return {2048: ALARMS, **{2049 + i: word for i, word in enumerate(words)}}


def _wide(address: int, value: int) -> dict[int, int]:
    return {address: value >> 16 & 0xFFFF, address + 1: value & 0xFFFF}


class Controller(Hushable):
    """The controller on its port. While `silent` it takes connections and does not answer."""

    def __init__(self, read: Callable[[], Look]) -> None:
        super().__init__()
        self._read = read
        self._server: ModbusTcpServer | None = None
        self.port = 0

    async def start(self) -> None:
        """Answer from now on, on `port`."""
        with bound() as held:
            self.port = held.getsockname()[1]
        blocks = [SimData(at, count=count, values=0, datatype=DataType.REGISTERS) for at, count in _BLOCKS.items()]
        device = SimDevice(id=UNIT, simdata=blocks, action=self._refresh)
        self._server = ModbusTcpServer(device, address=(LOOPBACK, self.port))
        await self._server.serve_forever(background=True)

    async def stop(self) -> None:
        """Answer no more."""
        self.speaks.set()
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None

    async def _refresh(
        self,
        code: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fill the registers just before they are read; nothing here may be written."""
        await self.speaks.wait()
        if written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        for register, value in registers(self._read()).items():
            current[register - start] = value
        return None
