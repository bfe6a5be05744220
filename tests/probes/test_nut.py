"""An upsd that answers, refuses, lies, hangs and dies: each on a real socket, each with its own words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import Speech
from monitor.core.verdict import Severity
from probes.access import NutAccess
from probes.contract import Io, ProbeFault, Target
from probes.nut import list_variables
from probes.runner import run
from probes.sessions import Sessions
from probes.ups import Ups, UpsParams

ENGLISH = Speech("en", lambda template: template)
Script = Callable[[str], bytes | None]
"""What upsd sends for a line; None ends the connection."""


class Upsd:
    """A server that speaks by script; `lines` are what clients sent, `open` the connections that have not ended.

    `brief`: it ends the connection after its first answer.
    """

    def __init__(self) -> None:
        self.script: Script = lambda line: b""
        self.brief = False
        self.lines: list[str] = []
        self.open = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while line := (await reader.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                answer = self.script(line.rstrip("\n"))
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if self.brief:
                    break
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def target(self, ups: str = "onduleur", **access: object) -> Target:
        return Target(
            NodeId("ups"),
            "127.0.0.1",
            {"nut": NutAccess.model_validate({"ups": ups, "port": self.port, **access})},
        )


@pytest.fixture
async def upsd() -> AsyncIterator[Upsd]:
    made = Upsd()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


Fault = Callable[..., Awaitable[tuple[str, str]]]


@pytest.fixture
def fault(make_io: Callable[..., Io]) -> Fault:
    """`await fault(target, timeout=5.0)`: what the probe says, and the remedy."""

    async def observe(target: Target, timeout: float = 5.0) -> tuple[str, str]:
        with pytest.raises(ProbeFault) as raised:
            await list_variables(target, make_io(timeout))
        assert raised.value.remedy is not None
        return ENGLISH.render(raised.value.text), ENGLISH.render(raised.value.remedy)

    return observe


def listing(*variables: str, ups: str = "onduleur") -> bytes:
    lines = [f"BEGIN LIST VAR {ups}", *(f"VAR {ups} {variable}" for variable in variables), f"END LIST VAR {ups}"]
    return ("\n".join(lines) + "\n").encode()


async def test_variables_are_read_with_their_quotes_and_escapes_undone(upsd: Upsd, make_io: Callable[..., Io]):
    upsd.script = lambda line: listing('ups.status "OL CHRG"', 'ups.model "Rack 19\\" \\\\ 2U x"', 'ups.id ""')
    found = await list_variables(upsd.target(), make_io())
    assert found == {"ups.status": "OL CHRG", "ups.model": 'Rack 19" \\ 2U x', "ups.id": ""}


@pytest.mark.parametrize("alphabet", ["utf-8", "cp1252"])
async def test_what_people_wrote_with_accents_hides_no_ups(upsd: Upsd, make_io: Callable[..., Io], alphabet: str):
    variables = ('ups.status "OL"', 'device.location "Salle énergie"')
    upsd.script = lambda line: listing(*variables).decode().encode(alphabet)
    assert await list_variables(upsd.target(), make_io()) == {"ups.status": "OL", "device.location": "Salle énergie"}


async def test_neither_name_nor_password_crosses_the_network_and_we_never_log_in(
    upsd: Upsd, make_io: Callable[..., Io]
):
    upsd.script = lambda line: listing('ups.status "OL"')
    await list_variables(upsd.target(user="monitor", password="env:N"), make_io())
    assert upsd.lines == ["LIST VAR onduleur"]


async def test_a_wrong_name_is_answered_by_the_names_that_upsd_has(upsd: Upsd, fault: Fault):
    upsd.script = lambda line: (
        b"ERR UNKNOWN-UPS\n" if line.startswith("LIST VAR")
        else b'BEGIN LIST UPS\nUPS rack1 "In the rack"\nUPS cave ""\nEND LIST UPS\n'
    )  # fmt: skip
    what, remedy = await fault(upsd.target("onduleru"))
    assert what == "upsd on ups has no UPS onduleru"
    assert remedy == "It has: cave, rack1. Correct ups in the inventory"


async def test_an_upsd_without_any_ups_says_so(upsd: Upsd, fault: Fault):
    upsd.script = lambda line: b"ERR UNKNOWN-UPS\n" if "VAR" in line else b"BEGIN LIST UPS\nEND LIST UPS\n"
    assert (await fault(upsd.target()))[1] == "It has none: see ups.conf on ups"


@pytest.mark.parametrize(
    ("answer", "what", "remedy"),
    [
        (b"ERR DATA-STALE\n", "what upsd on ups knows of onduleur is stale", "upsdrvctl start onduleur"),
        (b"ERR DRIVER-NOT-CONNECTED\n", "the driver of onduleur on ups is not running", "upsdrvctl start onduleur"),
        (b"ERR ACCESS-DENIED\n", "upsd on ups does not let this machine read onduleur", "hosts.allow"),
        (b"ERR USERNAME-REQUIRED\n", "upsd on ups does not let this machine read onduleur", "LISTEN"),
        (b"ERR VAR-NOT-SUPPORTED\n", "upsd on ups answers VAR-NOT-SUPPORTED", "journalctl"),
        (b"ERR\n", "is not upsd's language", "3493"),
        (b"SSH-2.0-OpenSSH_9.2\n", "is not upsd's language", "3493"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not upsd's language", "3493"),
        (b"BEGIN LIST VAR onduleur\nVAR onduleur\nEND LIST VAR onduleur\n", "is not upsd's language", "3493"),
        (b"\xff\xfe\x00\n", "is not upsd's language", "3493"),
        (b"BEGIN LIST VAR onduleur\n" + b'VAR onduleur x "1"\n' * 9000, "is not upsd's language", "3493"),
        (b"x" * 200_000, "is not upsd's language", "3493"),
    ],
)  # fmt: skip
async def test_every_refusal_and_every_lie_has_its_words_and_its_remedy(upsd: Upsd, fault: Fault, answer, what, remedy):
    upsd.script = lambda line: answer
    said, advice = await fault(upsd.target())
    assert what in said
    assert remedy in advice


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"", "upsd on ups does not answer on port"),
        (b"BEGIN LIST VAR onduleur\nVAR", "upsd on ups does not answer on port"),
        (b"no end of line", "upsd on ups does not answer on port"),
    ],
)
async def test_an_upsd_that_hangs_is_left_before_the_deadline_and_leaves_no_connection(
    upsd: Upsd, fault: Fault, answer, what
):
    upsd.script = lambda line: answer
    assert what in (await fault(upsd.target(user="u", password="env:P"), 0.5))[0]
    async with asyncio.timeout(10):
        while upsd.open:
            await asyncio.sleep(0.01)


async def test_an_upsd_that_ends_the_connection_is_told_from_one_that_is_not_there(upsd: Upsd, fault: Fault):
    upsd.script = lambda line: None
    assert (await fault(upsd.target()))[0] == "upsd on ups ends the connection"
    upsd.script, upsd.brief = lambda line: b'BEGIN LIST VAR onduleur\nVAR onduleur ups.status "OL"\n', True
    assert (await fault(upsd.target()))[0] == "upsd on ups ends the connection"


async def test_nobody_on_the_port_is_said_with_the_port(fault: Fault, upsd: Upsd):
    with_nobody = Target(NodeId("ups"), "127.0.0.1", {"nut": NutAccess(ups="x", port=1)})
    assert await fault(with_nobody) == (
        "no upsd on ups: port 1 refuses connections",
        "Start nut-server there, and let it LISTEN on an address that this machine reaches",
    )
    unknown = Target(NodeId("ups"), "no-such-host.invalid", {"nut": NutAccess(ups="x", port=1)})
    assert "no connection to upsd on ups, port 1" in (await fault(unknown))[0]


@pytest.mark.parametrize("name", ["a b", "a\nLOGOUT", "", "é", '"x"', "x" * 64])
async def test_a_name_that_would_say_something_else_to_upsd_is_not_sent(upsd: Upsd, fault: Fault, name):
    assert "cannot be the name of a UPS" in (await fault(upsd.target(name)))[0]
    assert upsd.lines == []


async def test_a_device_without_nut_is_told_what_to_add(fault: Fault):
    assert (await fault(Target(NodeId("ups"), "127.0.0.1")))[0] == "ups has no nut access in the inventory"


async def test_stale_data_is_unknown_and_never_a_mains_cut(upsd: Upsd, sessions: Sessions):
    upsd.script = lambda line: b"ERR DATA-STALE\n"
    result = await run(Ups(), upsd.target(), UpsParams(), 5.0, sessions, SystemClock(), {})
    assert result.verdict.severity is Severity.UNKNOWN
    assert not result.verdict.down
    assert "upsdrvctl" in ENGLISH.render(result.verdict.summary)
