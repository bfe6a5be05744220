"""Net-SNMP's own agent, asked in v2c and in v3 with authentication and privacy."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gufo.snmp import SnmpError
from gufo.snmp.sync import SnmpSession

from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity, Verdict
from monitor.secret import Secret
from probes import registry
from probes.access import SnmpAccess
from probes.contract import Target
from probes.runner import run
from probes.sessions import Sessions

AUTH, PRIV = "authentic-enough", "private-enough"
USERS = {
    "SHA-512": "sha512", "SHA-384": "sha384", "SHA-256": "sha256", "SHA-224": "sha224", "SHA": "sha1", "MD5": "md5",
}  # fmt: skip
CIPHERS = {"AES-128": "AES", "AES-192": "AES-192", "AES-256": "AES-256", "DES": "DES"}
"""Ours, and Net-SNMP's names of them (snmpd.conf(5), createUser)."""
READY_WITHIN = 30


class Snmpd:
    """Net-SNMP's agent on a port of 127.0.0.1, with a community and a user for each protocol and level."""

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        lines = [f"agentaddress udp:127.0.0.1:{port}", f"[snmp] persistentDir {folder / 'state'}"]
        lines += ["rocommunity public 127.0.0.1", "sysName hmp-voice", "createUser open", "rouser open noauth"]
        for protocol, name in USERS.items():
            lines += [f"createUser {name} {protocol} {AUTH} AES {PRIV}", f"rouser {name} authpriv"]
        for ours, theirs in CIPHERS.items():
            lines += [f"createUser {ours.lower()} SHA {AUTH} {theirs} {PRIV}", f"rouser {ours.lower()} authpriv"]
        lines += [f"createUser signed SHA-256 {AUTH}", "rouser signed auth"]
        config = folder / "snmpd.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        config.chmod(0o600)
        self.port, self._output = port, folder / "output"
        self._command = [str(program), "-f", "-Lf", str(folder / "log"), "-C", "-c", str(config), "-I", "-smux"]

    def start(self) -> None:
        with self._output.open("ab") as output:
            environment = {**os.environ, "MIBS": ""}
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output, env=environment)
        until = time.monotonic() + READY_WITHIN
        while not answers(self.port) and self._process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


Make = Callable[[], Snmpd]


@pytest.fixture(scope="module")
def make_snmpd(
    require: Callable[[str, str], Path], free_port: Callable[..., int], tmp_path_factory: pytest.TempPathFactory
) -> Make:
    program = require("snmpd", "snmpd")
    return lambda: Snmpd(program, tmp_path_factory.mktemp("snmpd"), free_port(socket.SOCK_DGRAM))


@pytest.fixture(scope="module")
def snmpd(make_snmpd: Make) -> Iterator[int]:
    """The UDP port of an agent that runs as long as the module's tests."""
    agent = make_snmpd()
    agent.start()
    yield agent.port
    agent.stop()


def answers(port: int) -> bool:
    try:
        SnmpSession("127.0.0.1", port, community="public", timeout=0.3).get("1.3.6.1.2.1.1.5.0")
    except (TimeoutError, OSError, SnmpError):
        return False
    return True


def target(port: int, **changes: Any) -> Target:
    keys = {"version": "2c", "community": Secret("public"), "port": port, **changes}
    access = SnmpAccess.model_validate({key: value for key, value in keys.items() if value is not None})
    return Target(NodeId("hmp"), "127.0.0.1", {"snmp": access})


def user(
    port: int,
    name: str,
    protocol: str = "SHA-256",
    auth: str | None = AUTH,
    priv: str | None = PRIV,
    cipher: str = "AES-128",
) -> Target:
    keys = {"user": name, "auth_protocol": protocol, "priv_protocol": cipher}
    secrets = {"auth": auth and Secret(auth), "priv": priv and Secret(priv)}
    return target(port, version=3, community=None, **keys, **secrets)


async def verdict(kind: str, at: Target, timeout: float = READY_WITHIN, **keys: Any) -> Verdict:
    probe = registry.load(kind)
    async with Sessions() as sessions:
        params = probe.Params.model_validate(keys)
        return (await run(probe, at, params, timeout, sessions, SystemClock(), {})).verdict


async def test_the_root_file_system_is_as_large_as_the_system_says(snmpd):
    seen = await verdict("disk", target(snmpd), via="snmp", mount="/")
    sizes = {metric.name: metric.value for metric in seen.metrics}
    disk = os.statvfs("/")
    assert sizes["size"] == pytest.approx(disk.f_blocks * disk.f_frsize, rel=0.01)
    assert seen.severity is Severity.OK


async def test_a_mount_that_is_not_there_is_unknown_with_the_nearest(snmpd):
    seen = await verdict("disk", target(snmpd), via="snmp", mount="/nowhere")
    assert seen.severity is Severity.UNKNOWN
    assert "Nearest names" in ENGLISH.render(seen.summary)


async def test_the_loopback_interface_is_up(snmpd):
    seen = await verdict("link", target(snmpd), interface="lo")
    assert (seen.severity, seen.facts["oper_status"]) == (Severity.OK, "up")


async def test_the_agent_sees_its_own_program(snmpd):
    seen = await verdict("service", target(snmpd), via="snmp", process="snmpd")
    assert (seen.severity, seen.facts["state"]) == (Severity.OK, "running")


@pytest.mark.parametrize(("protocol", "name"), USERS.items())
async def test_version_3_with_every_protocol_of_authentication(snmpd, protocol, name):
    seen = await verdict("router", user(snmpd, name, protocol))
    assert seen.facts.get("name") == "hmp-voice", ENGLISH.render(seen.summary)


@pytest.mark.parametrize("cipher", CIPHERS)
async def test_version_3_with_every_protocol_of_privacy(snmpd, cipher):
    seen = await verdict("router", user(snmpd, cipher.lower(), "SHA", cipher=cipher))
    assert seen.facts.get("name") == "hmp-voice", ENGLISH.render(seen.summary)


@pytest.mark.parametrize(("name", "auth"), [("open", None), ("signed", AUTH)])
async def test_version_3_at_the_lower_levels(snmpd, name, auth):
    seen = await verdict("router", user(snmpd, name, auth=auth, priv=None))
    assert seen.facts.get("name") == "hmp-voice", ENGLISH.render(seen.summary)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "stranger"}, "does not know user stranger"),
        ({"auth": "wrong-password"}, "Check auth and auth_protocol (SHA-256)"),
        ({"protocol": "SHA-512"}, "Check auth and auth_protocol (SHA-512)"),
        ({"priv": "wrong-password"}, "Check priv and priv_protocol (AES-128)"),
        ({"cipher": "DES"}, "Check priv and priv_protocol (DES)"),
        ({"priv": None}, "hmp lets us read nothing"),
        ({"name": "signed"}, "another security level"),
    ],
)
async def test_a_rejected_log_in_is_told_with_what_to_look_at(snmpd, changes, said):
    seen = await verdict("router", user(snmpd, **{"name": "sha256", **changes}), timeout=2)
    assert seen.severity is Severity.UNKNOWN
    assert said in ENGLISH.render(seen.summary)
    assert "wrong-password" not in ENGLISH.render(seen.summary)


async def test_an_agent_that_restarts_is_read_on_within_the_same_session(make_snmpd):
    agent = make_snmpd()
    probe = registry.load("router")
    async with Sessions() as sessions:
        for _ in range(2):
            agent.start()
            at = user(agent.port, "sha256")
            seen = (await run(probe, at, probe.Params(), READY_WITHIN, sessions, SystemClock(), {})).verdict
            assert seen.facts.get("name") == "hmp-voice", ENGLISH.render(seen.summary)
            agent.stop()
        seen = (await run(probe, at, probe.Params(), 5.0, sessions, SystemClock(), {})).verdict
        assert "nothing listens" in ENGLISH.render(seen.summary)


class Meddler(asyncio.DatagramProtocol):
    """Stands between us and the agent; once `meddles`, it changes the last octet of every answer."""

    def __init__(self, agent: int) -> None:
        self._agent, self._relays, self.meddles = agent, set[asyncio.Task[None]](), False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        relay = asyncio.create_task(self._relay(data, addr))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, data: bytes, addr: Any) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as behind:
            behind.setblocking(False)
            behind.connect(("127.0.0.1", self._agent))
            await loop.sock_sendall(behind, data)
            answer = await asyncio.wait_for(loop.sock_recv(behind, 65_535), READY_WITHIN)
        if self.meddles:
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        self._transport.sendto(answer, addr)


async def test_an_answer_that_was_changed_on_its_way_is_not_believed(snmpd):
    between = Meddler(snmpd)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: between, ("127.0.0.1", 0))
    at, probe = user(transport.get_extra_info("sockname")[1], "signed", priv=None), registry.load("router")
    async with Sessions() as sessions:
        for meddles, said in ((False, "up for"), (True, "are not signed as they must be")):
            between.meddles = meddles
            seen = (await run(probe, at, probe.Params(), 8.0, sessions, SystemClock(), {})).verdict
            assert said in ENGLISH.render(seen.summary)
    transport.close()


async def test_a_wrong_community_is_silence_and_says_so(snmpd):
    seen = await verdict("router", target(snmpd, community=Secret("guess")), timeout=2)
    assert seen.severity is Severity.UNKNOWN
    assert "community" in ENGLISH.render(seen.summary)
