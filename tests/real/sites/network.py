"""Where everything stands and how it is connected: two sites, a witness, the client, and the routers between them.

The centre reaches the rest by two carriers, FH and FO, between two routers that speak OSPF and watch each other by BFD.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.real.sites.nodes import Node, cable, until

FRR = Path("/usr/lib/frr")
DAEMONS = ("zebra", "ospfd", "bfdd")
ADDRESS = {
    "centre": "198.18.0.10",
    "secours": "198.18.3.10",
    "witness": "198.18.4.10",
    "ocm": "198.19.0.10",
    "core": "198.19.0.1",
}
UPTIME = {"centre": 5_000, "secours": 400_000, "witness": 0, "ocm": 0, "core": 0, "edge": 0}
"""The sites were not started at the same moment: whoever took the other's clock for its own would be days off."""
CONFIG = """\
frr defaults traditional
hostname {name}
{interfaces}
router ospf
 ospf router-id {id}
 {redistribute}
"""
INTERFACE = """\
interface {name}
 ip ospf area 0
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 10
 ip ospf retransmit-interval 1
 ip ospf bfd
 ip ospf cost {cost}
"""
BFD = "bfd\n peer {peer} interface {name}\n  detect-multiplier 4\n  receive-interval 400\n  transmit-interval 400\n"
ISOLATION = """\
table inet client {
  set isolated { type ipv4_addr; }
  chain through {
    type filter hook forward priority 0;
    ip saddr @isolated udp dport 5060 drop
    ip saddr @isolated tcp dport 7000 drop
    ip daddr @isolated tcp dport 8000 drop
  }
}
"""
"""What the client's side refuses of a site: its calls, its results, and whoever would use its service."""


class Network:
    """All nodes, cabled; `close()` ends them with all that runs in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.nodes: dict[str, Node] = {}
        try:
            for name, uptime in UPTIME.items():
                self.nodes[name] = Node(name, folder / name, uptime=uptime)
            self._lay()
            self._route()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def _lay(self) -> None:
        edge, core = self["edge"], self["core"]
        cable(self["centre"], "lan", "198.18.0.10/24", edge, "lan", "198.18.0.1/24")
        cable(edge, "fh", "198.18.1.1/30", core, "fh", "198.18.1.2/30")
        cable(edge, "fo", "198.18.2.1/30", core, "fo", "198.18.2.2/30")
        for name, net in (("secours", "198.18.3"), ("witness", "198.18.4"), ("ocm", "198.19.0")):
            cable(self[name], "wan", f"{net}.10/24", core, name, f"{net}.1/24")
            self[name].run("ip", "route", "add", "default", "via", f"{net}.1")
        self["centre"].run("ip", "route", "add", "default", "via", "198.18.0.1")
        core.run("nft", "-f", "-", given=ISOLATION)

    def _route(self) -> None:
        for name, here, there in (("edge", 1, 2), ("core", 2, 1)):
            node = self[name]
            carriers = (("fh", f"198.18.1.{there}", 10), ("fo", f"198.18.2.{there}", 20))
            interfaces = "".join(INTERFACE.format(name=carrier, cost=cost) for carrier, _, cost in carriers)
            watched = "".join(BFD.format(peer=peer, name=carrier) for carrier, peer, _ in carriers)
            config = self._folder / f"{name}.conf"
            text = CONFIG.format(
                name=name, interfaces=interfaces, id=f"198.18.1.{here}", redistribute="redistribute connected"
            )
            config.write_text(text + watched)
            where = Path(f"/run/frr-{name}")
            node.run("install", "-d", "-o", "frr", "-g", "frr", where)
            for daemon in DAEMONS:
                options = ["--vty_socket", where, "-z", where / "zserv", "-i", where / f"{daemon}.pid", "-P", "0"]
                node.start(daemon, FRR / daemon, *options, "-f", "/dev/null", "--log", "stdout")
                until(lambda d=daemon, n=node, w=where: self._vtysh(n, w, "show version", d), f"{name}: no {daemon}")
            # Its name comes first: hellos under another one are a neighbour that is waited for until it is dead.
            named = ("-c", "configure", "-c", "router ospf", "-c", f"ospf router-id 198.18.1.{here}")
            node.run("vtysh", "--vty_socket", where, *named)
            node.run("vtysh", "--vty_socket", where, "-f", config)
        until(lambda: self._reaches("edge", ADDRESS["ocm"]) and self._reaches("core", ADDRESS["centre"]), self.log)

    def _vtysh(self, node: Node, where: Path, line: str, daemon: str) -> bool:
        words = node.command("vtysh", "--vty_socket", where, "-d", daemon, "-c", line)
        return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode == 0

    def _reaches(self, name: str, address: str) -> bool:
        found = subprocess.run(
            self[name].command("ip", "route", "get", address), capture_output=True, text=True, check=False, timeout=60
        )
        return found.returncode == 0 and ("fh" in found.stdout or "fo" in found.stdout or " lan" in found.stdout)

    def carrier(self) -> str:
        """Return by which carrier the centre reaches the client now."""
        return self["edge"].run("ip", "route", "get", ADDRESS["ocm"]).split(" dev ")[1].split()[0]

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two nodes."""
        self.deafen(one, other)
        self.deafen(other, one)

    def deafen(self, who: str, to: str) -> None:
        """Let `who` hear nothing more of `to`, which hears `who` all the same."""
        self[who].refuse(ADDRESS[to])

    def mend(self, one: str, other: str) -> None:
        """Let everything pass between two nodes."""
        self[one].take_again(ADDRESS[other])
        self[other].take_again(ADDRESS[one])

    def alone(self, name: str, others: Iterable[str]) -> None:
        """Cut a node off from all `others`."""
        for other in others:
            self.cut(name, other)

    def carrier_down(self, carrier: str) -> None:
        """Take the light, or the signal, off a carrier of the centre."""
        self["edge"].run("ip", "link", "set", carrier, "down")

    def carrier_up(self, carrier: str) -> None:
        """Give it back."""
        self["edge"].run("ip", "link", "set", carrier, "up")

    def silence(self, carrier: str) -> None:
        """Let nothing through a carrier that stays up."""
        for name in ("edge", "core"):
            self[name].fall_silent(carrier)

    def unsilence(self, carrier: str) -> None:
        """Let everything through it again."""
        for name in ("edge", "core"):
            self[name].hear(carrier)

    def whole(self) -> None:
        """Undo every fault, and what the client refuses of a site."""
        for node in self.nodes.values():
            node.mend()
        for carrier in ("fh", "fo"):
            self.carrier_up(carrier)
        self["core"].run("nft", "flush set inet client isolated")

    def log(self) -> str:
        """Return the end of what the routers said."""
        logs = [self[name].folder / f"{daemon}.log" for name in ("edge", "core") for daemon in DAEMONS]
        return "\n".join(path.read_text(errors="replace")[-800:] for path in logs if path.exists())

    def close(self) -> None:
        """End every node."""
        for node in self.nodes.values():
            node.close()
        shutil.rmtree(self._folder, ignore_errors=True)
