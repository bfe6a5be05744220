"""What Relève and the guards of both sites are told: one inventory, and a file for each guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.real.sites.database import PORT as SQL
from tests.real.sites.hosts import SERVICES, Hosts
from tests.real.sites.network import ADDRESS
from tests.real.sites.pki import Pki
from tests.real.sites.programs import HEALTH, SMTP, SSH
from tests.real.sites.voters import Voters

PLAN = "crm"
SITES = ("centre", "secours")
PEER = 8322
CERT, KEY = "/run/peer/cert.pem", "/run/peer/key.pem"
"""Where each site has its own, under one name: both have the same inventory."""
DEGRADES_AFTER = 6
"""Seconds that commits wait for a copy that is away."""
STOP_WITHIN = 0.5
"""Seconds of each command of a guard: a kill and a look at a lock take some hundredths."""
STOPS_WITHIN = 14
"""Seconds: what `releve guard` itself comes to with STOP_WITHIN, one fault of its own included."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long leases last (`leases:` of the inventory), and how often is looked, in seconds."""

    ttl: float = 4
    loop: float = 1
    retry: float = 1
    every: float = 2


@dataclass(frozen=True, slots=True)
class Paper:
    """Where the files lie."""

    inventory: Path
    guards: Mapping[str, Path]


def write(
    folder: Path,
    hosts: Hosts,
    voters: Voters,
    pki: Pki,
    times: Times,
    plan: Mapping[str, Any],
    *,
    synchronous: bool,
) -> Paper:
    """Write all of it into `folder`. `plan`: keys of the plan that are other than usual."""
    (folder / "password").write_text("none is asked for")
    body = _inventory(folder, hosts, voters, pki, times, synchronous=synchronous)
    body["plans"][PLAN] |= plan
    path = folder / "inventory.yaml"
    path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
    guards = {}
    for site in SITES:
        guards[site] = folder / f"guard-{site}.yaml"
        guards[site].write_text(yaml.safe_dump(_guard(folder, site, hosts, times)), "utf-8")
        guards[site].chmod(0o644)
    return Paper(path, guards)


def _guard(folder: Path, site: str, hosts: Hosts, times: Times) -> dict[str, Any]:
    script = str(hosts.service[site])
    targets = {
        name: {
            "stop": [script, "stop", name],
            "hard": [[script, "kill", name]],
            "check": [script, "stopped", name],
            "within": f"{STOP_WITHIN}s",
        }
        for name in SERVICES
    }
    return {
        "site": site, "ttl": f"{times.ttl}s", "state": str(folder / f"guard-{site}"),
        "plans": {PLAN: {"stops_within": f"{STOPS_WITHIN}s", "targets": targets}},
    }  # fmt: skip


def _inventory(
    folder: Path, hosts: Hosts, voters: Voters, pki: Pki, times: Times, *, synchronous: bool
) -> dict[str, Any]:
    waits = {"synchronous": True, "degrade_after": f"{DEGRADES_AFTER}s"} if synchronous else {}
    ssh = {
        "user": "root", "key": f"file:{hosts.key}", "port": SSH, "host_key": hosts.fingerprint, "platform": "linux",
    }  # fmt: skip
    sql = {
        "engine": "postgresql",
        "database": "postgres",
        "user": "releve",
        "password": f"file:{folder}/password",
        "port": SQL,
    }
    every = {"every": f"{times.every}s", "timeout": "2s", "confirm": 2}
    number = {site: n for n, site in enumerate(SITES, 1)}
    devices: dict[str, Any] = {"edge": {"address": ADDRESS["core"], "ssh": ssh}}
    checks: dict[str, Any] = {}
    for site, n in number.items():
        devices[f"host-{n}"] = {"address": ADDRESS[site], "ssh": ssh}
        devices[f"sql-{n}"] = {"address": ADDRESS[site], "ssh": ssh, "sql": sql}
        checks[f"door-{n}"] = {"probe": "tcp", "device": f"host-{n}", "port": SSH, "gate": True, **every}
        checks[f"hermes-{n}"] = {"probe": "tcp", "device": f"host-{n}", "port": HEALTH, **every}
    # The door's own loss explains that of what stands behind it.
    for name in ("door-1", "hermes-1"):
        checks[name]["incident"] = "site-lost"
    # It interrupts nobody as long as nothing runs there, and lets the group go back by itself once it does.
    for name in ("door-2", "hermes-2"):
        checks[name]["incident"] = "secours-lost"
    checks["copy"] = {"probe": "replication", "device": "sql-1", "standby": "sql-2", **every}
    return {
        "site": {"name": "Douala", "timezone": "Africa/Douala", "language": "en"},
        "contacts": {
            "admin": {"name": "Admin", "mail": "admin@example.org"},
            "ocm-it": {"name": "OCM IT", "mail": "it@example.org"},
        },
        "channels": {"mail": {"url": f"mailto://{ADDRESS['ocm']}:{SMTP}?from=releve@example.org"}},
        "operations": {"to": ["admin"]},
        "devices": devices,
        "checks": checks,
        "incidents": {"site-lost": {"interruption": "always"}, "secours-lost": {}},
        "sites": {
            **{
                site: {
                    "title": site.title(), "devices": [f"host-{n}", f"sql-{n}"],
                    "releve": f"https://{ADDRESS[site]}:{PEER}",
                } | ({"here": True} if n == 1 else {})
                for site, n in number.items()
            },
            "witness": {"title": "Witness", "witness": True},
        },
        "leases": {
            "etcd": {
                "endpoints": voters.endpoints, "ca": f"file:{pki.ca}", "cert": f"file:{voters.identity.cert}",
                "key": f"file:{voters.identity.key}",
            },
            "ttl": f"{times.ttl}s", "loop": f"{times.loop}s", "retry": f"{times.retry}s",
        },
        "datasets": {
            "crm-db": {"title": "the results", "how": "postgresql", "rpo": "5 min", "checks": "copy", **waits}
        },
        "peer": {"ca": f"file:{pki.ca}", "cert": f"file:{CERT}", "key": f"file:{KEY}"},
        "plans": {
            PLAN: {
                "title": "the calls", "active": "centre", "standby": "secours", "start": "on_loss",
                "incident": ["site-lost", "secours-lost"],
                "data": ["crm-db"], "rto": "5 min", "hold_down": "0s", "most": "24 per day",
                "lag_ceiling": "5 min",
                "fences": [fence for site in SITES for fence in _fences(site, hosts)],
                "tell": {"plan": ["ocm-it"], "report": ["all"]},
                "sites": {site: _part(site, n, hosts) for site, n in number.items()},
            }
        },
    }  # fmt: skip


def _fences(site: str, hosts: Hosts) -> list[dict[str, Any]]:
    isolate = _step("edge", (str(hosts.edge), "cut", site), (str(hosts.edge), "is-cut", site))
    guard = {"guard": {"at": site, "stops_within": f"{STOPS_WITHIN}s"}}
    return [{"isolation": {"at": site, "steps": [isolate]}}, guard]


def _part(site: str, n: int, hosts: Hosts) -> dict[str, Any]:
    script, edge = str(hosts.service[site]), str(hosts.edge)

    def serve(verb: str, done: str, name: str) -> dict[str, Any]:
        return _step(f"host-{n}", (script, verb, name), (script, done, name))

    return {
        "stop": [serve("stop", "stopped", name) for name in reversed(SERVICES)],
        "promote": [{"step": "pg-promote", "device": f"sql-{n}", "within": "10s"}],
        "start": [serve("start", "runs", name) for name in SERVICES],
        "switch": [_step("edge", (edge, "lead", site), (edge, "is-led", site))],
        "verify": [f"hermes-{n}"],
    }


def _step(device: str, command: tuple[str, ...], done: tuple[str, ...]) -> dict[str, Any]:
    return {"step": "command", "device": device, "command": list(command), "done": list(done), "within": "10s"}
