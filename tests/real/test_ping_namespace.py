"""Pings against answers that a kernel would not give, in a network namespace where we are the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RESPONDER = Path(__file__).with_name("icmp_responder.py")
UNPRIVILEGED = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--")
RAW, DATAGRAM = (), UNPRIVILEGED
Ping = Callable[..., dict[str, Any]]
NOTHING_COMES = ("late", "forged")
"""The stories in which waiting longer changes nothing; elsewhere a busy machine gets the time that it needs."""


@pytest.fixture(scope="module")
def namespace(require: Callable[[str, str], Path]) -> list[str]:
    """The command that runs what follows it in a network namespace whose loopback is up."""
    require("unshare", "util-linux")
    require("ip", "iproute2")
    enter = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*enter, "true"], check=False, capture_output=True, text=True)
    if tried.returncode:
        missing = f"user namespaces are not permitted here: {tried.stderr.strip()}"
        if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return enter


@pytest.fixture
def ping(namespace: list[str], project: Path) -> Ping:
    """`ping(story, privilege, *parameters)`: the JSON of one ping while the responder plays that story."""

    def run(story: str, privilege: tuple[str, ...], *keys: str, address: str = "127.0.0.1") -> dict[str, Any]:
        wait = "wait=300ms" if story in NOTHING_COMES else "wait=3s"
        given = [word for key in ("count=3", "interval=20ms", wait, *keys) for word in ("--param", key)]
        releve = [sys.executable, "-m", "monitor", "--lang", "en", "probe", "run", "ping", address, "--json", *given]
        done = subprocess.run(
            [*namespace, sys.executable, str(RESPONDER), story, *privilege, *releve],
            check=False, capture_output=True, text=True, cwd=project, timeout=60,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    return run


def value(result: dict[str, Any], name: str) -> float | None:
    return next((metric["value"] for metric in result["metrics"] if metric["name"] == name), None)


@pytest.mark.parametrize(("privilege", "method"), [(RAW, "icmp-raw"), (DATAGRAM, "icmp-dgram")])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_kernels_answer_is_timed_with_and_without_privilege(ping, privilege, method, address):
    result = ping("kernel", privilege, address=address)
    assert result["facts"]["method"] == method
    assert (result["severity"], value(result, "loss")) == ("ok", 0)
    assert value(result, "rtt") >= 0


@pytest.mark.parametrize("privilege", [RAW, DATAGRAM], ids=["raw", "dgram"])
@pytest.mark.parametrize(
    ("story", "severity", "loss", "said"),
    [
        ("honest", "ok", 0, "answers in"),
        ("doubled", "ok", 0, " duplicates"),
        ("late", "critical", 100, "no answer to 3 requests"),
        ("forged", "critical", 100, "what came back is not what was sent"),
        ("refused", "critical", 100, "127.0.0.1 says: host unreachable"),
        ("filtered", "critical", 100, "127.0.0.1 says: forbidden by a filter"),
        ("refused then honest", "ok", 0, "answers in"),
    ],
)
def test_only_the_true_answer_in_time_counts(ping, privilege, story, severity, loss, said):
    result = ping(story, privilege)
    assert (result["severity"], value(result, "loss")) == (severity, loss)
    assert said in result["summary"]


def test_without_any_permission_a_tcp_port_is_timed_and_the_answer_says_so(ping):
    result = ping("forbidden", UNPRIVILEGED)
    assert (result["severity"], result["facts"]["method"]) == ("ok", "tcp")
    assert "TCP port 80, for ICMP is not permitted" in result["summary"]


def test_without_any_permission_silence_proves_nothing(ping):
    result = ping("forbidden", UNPRIVILEGED, address="192.0.2.1")
    assert result["severity"] == "unknown"
    assert "CAP_NET_RAW" in result["summary"]


def test_a_host_without_a_route_is_down_and_says_why(ping):
    result = ping("kernel", RAW, address="192.0.2.1")
    assert result["severity"] == "critical"
    assert "network unreachable" in result["summary"]
