"""The lab as a whole: built once, and brought back to its beginning before each course."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import SystemClock
from tests.real.postgres import programs
from tests.real.sites import paper
from tests.real.sites.client import Client
from tests.real.sites.database import Databases
from tests.real.sites.hosts import SERVICES, Hosts
from tests.real.sites.judge import Effect, Resource
from tests.real.sites.network import DAEMONS, FRR, Network
from tests.real.sites.nodes import until, why_not
from tests.real.sites.paper import SITES, Times
from tests.real.sites.pki import Pki
from tests.real.sites.releves import Releves
from tests.real.sites.voters import Voters


class Lab:
    """Two sites, a witness and the client, with all that runs there."""

    def __init__(self, require: Callable[[str, str], Path]) -> None:
        for program, package in (("ip", "iproute2"), ("nft", "nftables"), ("ss", "iproute2"), ("vtysh", "frr")):
            require(program, package)
        for daemon in DAEMONS:
            require(str(FRR / daemon), "frr")
        etcd, sipp, postgres = require("etcd", "etcd-server"), require("sipp", "sip-tester"), programs()
        missing = why_not()
        if missing:
            if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
                pytest.fail(missing)
            pytest.skip(missing)
        # A path of a socket must be short, and PostgreSQL's own user has to get there.
        self.folder = Path(tempfile.mkdtemp(prefix=f"rl{os.getpid()}-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.network = Network(self._made("net"))
        try:
            self.pki = Pki(self.folder / "pki")
            self.voters = Voters(etcd, self.network, self.pki)
            self.databases = Databases(postgres, self.folder / "pg", self.network)
            self.client = Client(sipp, self.folder / "ocm", self.network)
            self.hosts = Hosts(require, self.folder / "hosts", self.network)
            self.releves = Releves(self._made("releve"), self.network, self.pki)
        except BaseException:
            self.close()
            raise

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder

    def begin(self, *, synchronous: bool = False, times: Times | None = None, first: bool = False, **plan: Any) -> int:
        """Bring everything back to the beginning: the group runs at the centre. Return the token of its lease.

        `first`: no Relève led ever before, and the first start waits long for one that might; else the one at the
        centre did, and comes back. `plan`: keys of the plan that are other than usual.
        """
        times = times or Times()
        self.network.whole()
        self.releves.end()
        for site in SITES:
            self.network[site].kill_all()
            self.voters.forget(site)
            self.databases.forget(site)
        self.voters.begin()
        self.client.begin()
        self.hosts.begin()
        written = paper.write(
            self.releves.folder, self.hosts, self.voters, self.pki, times, plan, synchronous=synchronous
        )
        self.releves.begin(written)
        if not first:
            for key, value in self.releves.led_before("centre", times.ttl).items():
                self.voters.write(key, value)
        self.releves.start("centre", "releve")  # the first time, it waits until nobody can hold its lease any more
        self.databases.begin()
        stands = "standing_by" if first else '"started"'
        until(lambda: stands in self.releves.log("centre", "releve"), self.log)
        self.releves.start("secours", "releve")  # which is later, and so the passive one
        until(lambda: self.releves.lease("centre")[0] > 0, self.log)
        for site in SITES:
            self.releves.start(site, "guard")
        until(lambda: self.releves.guarded("centre").get("phase") == "holding", self.log)
        token = int(self.releves.guarded("centre")["token"])
        for service in SERVICES:
            assert self.hosts.does("centre", "start", service, token), self.log()
        until(lambda: self.served("centre"), self.log)
        until(lambda: self.releves.copied("secours") and self.releves.measured("centre"), self.log)
        if synchronous:
            until(lambda: self.releves.promised("centre"), self.log)
        return token

    def served(self, site: str | None, *, since: float = 0.0) -> bool:
        """Return whether calls and results of a site arrived after `since` (wall clock)."""
        arrived = {one.resource for one in self.client.effects() if one.site == site and one.at > since}
        return arrived == {Resource.TRUNK, Resource.PORTAL}

    def serving(self, *, within: float = 1.5) -> str | None:
        """Return the site from which both came within the last seconds."""
        since = SystemClock().now().timestamp() - within
        return next((site for site in SITES if self.served(site, since=since)), None)

    def rows(self, site: str) -> list[Effect]:
        """Return every row in the database of a site, in the order in which they were written."""
        found = self.databases.rows(site, "SELECT extract(epoch FROM at)::float8, site, token, n FROM work ORDER BY id")
        return [Effect(Resource.TABLE, at, where, token, n) for at, where, token, n in found]

    def log(self) -> str:
        """Return the end of what everything said, for whoever looks for a fault."""
        parts = ["\n".join(self.hosts.noted()[-40:])]
        for site in SITES:
            parts += [f"--- {what} at {site}\n{self.releves.log(site, what)[-2500:]}" for what in ("releve", "guard")]
        return "\n".join(parts)

    def close(self) -> None:
        """End everything, and leave nothing behind."""
        with suppress(AttributeError):
            self.releves.end()
        self.network.close()
        with suppress(AttributeError):
            self.databases.close()
        shutil.rmtree(self.folder, ignore_errors=True)
