"""Net-SNMP's own agent, asked in v2c and in v3 with authentication and privacy."""

from __future__ import annotations

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
USERS = {"SHA-256": "sha256", "SHA-512": "sha512", "SHA": "sha1", "MD5": "md5"}
READY_WITHIN = 30


@pytest.fixture(scope="module")
def snmpd(
    require: Callable[[str, str], Path], free_port: Callable[..., int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """The UDP port of an agent with one community and a user for each protocol of authentication."""
    program, folder, port = require("snmpd", "snmpd"), tmp_path_factory.mktemp("snmpd"), free_port(socket.SOCK_DGRAM)
    users = "".join(
        f"createUser {name} {protocol} {AUTH} AES {PRIV}\nrouser {name} authpriv\n" for protocol, name in USERS.items()
    )
    config = folder / "snmpd.conf"
    config.write_text(
        f"agentaddress udp:127.0.0.1:{port}\n[snmp] persistentDir {folder / 'state'}\nrocommunity public 127.0.0.1\n"
        f"{users}sysName hmp-voice\n",
        encoding="utf-8",
    )
    config.chmod(0o600)
    command = [str(program), "-f", "-Lf", str(folder / "log"), "-C", "-c", str(config), "-I", "-smux"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "MIBS": ""})
    until = time.monotonic() + READY_WITHIN
    while not answers(port) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


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


def user(port: int, name: str, protocol: str, auth: str = AUTH, priv: str = PRIV) -> Target:
    return target(
        port,
        version=3,
        community=None,
        user=name,
        auth=Secret(auth),
        auth_protocol=protocol,
        priv=Secret(priv),
        priv_protocol="AES-128",
    )


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "stranger"}, "user"),
        ({"auth": "wrong-password"}, "auth"),
        ({"priv": "wrong-password"}, "priv"),
    ],
)
async def test_a_rejected_log_in_is_told_with_what_to_look_at(snmpd, changes, said):
    keys = {"name": "sha256", "protocol": "SHA-256", **changes}
    seen = await verdict("router", user(snmpd, **keys), timeout=6)
    assert seen.severity is Severity.UNKNOWN
    assert said in ENGLISH.render(seen.summary)
    assert "wrong-password" not in ENGLISH.render(seen.summary)


async def test_a_wrong_community_is_silence_and_says_so(snmpd):
    seen = await verdict("router", target(snmpd, community=Secret("guess")), timeout=4)
    assert seen.severity is Severity.UNKNOWN
    assert "community" in ENGLISH.render(seen.summary)
