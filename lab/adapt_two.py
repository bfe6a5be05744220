"""The inventory of two sites, made to fit the simulated ones: other addresses and ports, a faster clock, no more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import lab
from lab.adapt import Pace, read, shortened
from lab.door import LOOPBACK
from lab.two_sites import TwoSites
from lab.voters import Voters

MIRRORED_EVERY, CLOSED_AFTER = "3s", "2s"
"""How often the copy of the recordings is brought up to date, and how long a file must stand still for that."""
LEASE = {"ttl": "6s", "loop": "2s", "retry": "2s"}
"""How long a lease lasts, and how often it is renewed: shorter than 15 s, as an hour is shorter here."""
SWIFT = Pace(every=1.0, hour=8.0)
"""The client is told every eight seconds: often enough to see the grid go on from one Relève to the other."""


def two_sites() -> Path:
    """Return the inventory of two sites, which lies beside the code."""
    return Path(lab.__file__).parent / "two-sites.yaml"


def every(pace: Pace = SWIFT) -> timedelta:
    """Return from one message to the client to the next."""
    return timedelta(seconds=pace.hour)


def fitted(text: str, sites: TwoSites, pace: Pace = SWIFT) -> dict[str, Any]:
    """Return the inventory written in `text` as data for `sites`. Both sites have the same.

    What differs from one to the other, the certificate, lies beside each copy.
    """
    data = read(text)
    for name, device in data["devices"].items():
        machine = sites.machines[name]
        device["address"] = LOOPBACK
        device["ssh"] |= {
            "port": machine.sshd.port,
            "key": f"file:{sites.key_file}",
            "host_key": machine.sshd.fingerprint,
        }
    for check in data["checks"].values():
        check["every"] = f"{pace.every:g}s"
        check["port"] = sites.trunk.port if check["probe"] == "http" else sites.machines[check["device"]].sshd.port
    for name, address in sites.lines.items():
        data["sites"][name]["releve"] = address
    data["peer"] = {key: f"file:{key}.pem" for key in data["peer"]}
    for folder in data["recordings"].values():
        folder |= {"every": MIRRORED_EVERY, "closed_after": CLOSED_AFTER}
    shortened(data["protocol"], pace)
    if sites.voters is not None:
        _let_voters_decide(data, sites.voters)
    return data


def _let_voters_decide(data: dict[str, Any], voters: Voters) -> None:
    """Where there are voters nobody has to say anything: the group moves when its site is lost."""
    data["sites"]["temoin"] = {"title": "Témoin", "witness": True}
    identity = {key: f"file:{voters.identity / key}.pem" for key in ("ca", "cert", "key")}
    data["leases"] = {"etcd": {"endpoints": voters.endpoints, **identity}, **LEASE}
    for plan in data["plans"].values():
        plan["start"] = "on_loss"
