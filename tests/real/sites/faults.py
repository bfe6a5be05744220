"""What happens to a lab: each fault begins at its moment and ends when it is over, and a killed process comes back."""

from __future__ import annotations

import heapq
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tests.real.sites.lab import Lab
from tests.real.sites.network import ADDRESS
from tests.real.sites.schedule import SITES, Fault, Kind, Schedule

STOOD, WENT = 0.45, 0.1
"""Seconds that a process on a slow disk stands and goes, in turn."""
LOOK = 0.02
NETWORK = (Kind.CUT, Kind.DEAF, Kind.ALONE, Kind.CARRIER, Kind.SILENT)


class Faults:
    """Plays a schedule on a lab. `story`: what was done when, in words; `mover`: where a person ordered a move last."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.story: list[str] = []
        self.mover: str | None = None
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._waiting: list[tuple[int, Fault]] = []

    def play(self, schedule: Schedule) -> None:
        """Let everything happen, and return when it is over."""
        began = time.monotonic()
        self._began = began
        for fault in schedule.faults:
            self._at(fault.at, lambda fault=fault: self._begin(fault))
        end = schedule.over
        while self._due or self._elapsed() < end:
            while self._due and self._due[0][0] <= self._elapsed():
                heapq.heappop(self._due)[2]()
            self._look()
            time.sleep(LOOK)
        for _, fault in self._waiting:
            self._say(f"{fault}: never came to that deed")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _at(self, at: float, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, do))

    def _say(self, what: str) -> None:
        self.story.append(f"{self._elapsed():6.2f} {what}")

    def _begin(self, fault: Fault) -> None:
        self._say(f"begins: {fault}")
        if fault.kind in NETWORK:
            self._then(fault, self._break_network(fault))
        elif fault.kind is Kind.STUTTER:
            self._stutter(fault, self._elapsed() + fault.lasts)
        elif fault.kind is Kind.HALF:
            self._waiting.append((len(self._lab.hosts.noted()) + fault.n, fault))
        elif fault.kind in (Kind.MOVE, Kind.FORCE):
            self._order(fault)
        else:
            self._then(fault, self._break_processes(fault))

    def _break_network(self, fault: Fault) -> Callable[[], object]:
        """Begin it, and return what ends it."""
        network, site = self._lab.network, fault.where
        match fault.kind:
            case Kind.CUT:
                network.cut(site, fault.to)
            case Kind.DEAF:
                network.deafen(site, fault.to)
            case Kind.CARRIER:
                network.carrier_down(fault.what)
                return lambda: network.carrier_up(fault.what)
            case Kind.SILENT:
                network.silence(fault.what)
                return lambda: network.unsilence(fault.what)
            case _:
                others = [name for name in ADDRESS if name != site]
                network.alone(site, others)
                return lambda: [network.mend(site, other) for other in others]
        return lambda: network.mend(site, fault.to)

    def _break_processes(self, fault: Fault) -> Callable[[], object]:
        """Begin it, and return what ends it."""
        site = fault.where
        match fault.kind:
            case Kind.FREEZE:
                self._signal(site, fault.what, signal.SIGSTOP)
                return lambda: self._signal(site, fault.what, signal.SIGCONT)
            case Kind.KILL:
                self._signal(site, fault.what, signal.SIGKILL)
                return lambda: self._back(site, fault.what)
            case Kind.GONE:
                self._signal(site, fault.what, signal.SIGKILL)
                return lambda: None
            case Kind.BOTH:
                self._kill_both(site)
                return lambda: self._both_back(site)
            case _:
                self.power_off(site)
                return lambda: self.power_on(site)

    def _then(self, fault: Fault, do: Callable[[], object]) -> None:
        def end() -> None:
            self._say(f"over: {fault}")
            do()

        self._at(self._elapsed() + fault.lasts, end)

    def _look(self) -> None:
        """Kill whoever moves the group, once enough was done."""
        if not self._waiting:
            return
        done = len(self._lab.hosts.noted())
        for entry in [one for one in self._waiting if done >= one[0]]:
            self._waiting.remove(entry)
            fault, site = entry[1], self.mover or "centre"
            self._say(f"kills: {fault.what} at {site}, after {self._lab.hosts.noted()[-1]}")
            if fault.what == "both":
                self._kill_both(site)
                self._then(fault, lambda site=site: self._both_back(site))
            else:
                self._signal(site, "releve", signal.SIGKILL)
                self._then(fault, lambda site=site: self._back(site, "releve"))

    def _order(self, fault: Fault) -> None:
        """A person asks for it where it can be asked, and takes no for an answer."""
        forced = fault.kind is Kind.FORCE
        for site in sorted(SITES, key=lambda site: (site == fault.where) is not forced):
            name, why = self._lab.releves.order(site, "failover" if forced else "switchover", fault.where)
            if name:
                self.mover = site
            self._say(f"ordered at {site}: {name or why}")
            if name:
                return

    def _signal(self, site: str, what: str, number: signal.Signals) -> None:
        lab = self._lab
        if what in ("releve", "guard"):
            lab.releves.send(site, what, number)
        elif what == "voter" and site in lab.voters.running:
            lab.voters.send(site, number)
        elif what == "database" and site in lab.databases.running:
            lab.databases.send(site, number)
            if number is signal.SIGKILL:
                lab.databases.kill(site)
        elif what in ("hermes", "dialler"):
            self._signal_service(site, what, number)

    def _signal_service(self, site: str, what: str, number: signal.Signals) -> None:
        pid = self._lab.hosts.folders[site] / f"{what}.pid"
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.killpg(int(pid.read_text()), number)

    def _stutter(self, fault: Fault, until: float) -> None:
        if self._elapsed() >= until:
            self._say(f"over: {fault}")
            return
        self._signal(fault.where, fault.what, signal.SIGSTOP)

        def go() -> None:
            self._signal(fault.where, fault.what, signal.SIGCONT)
            self._at(self._elapsed() + WENT, lambda: self._stutter(fault, until))

        self._at(self._elapsed() + STOOD, go)

    def _back(self, site: str, what: str) -> None:
        lab = self._lab
        if what in ("releve", "guard"):
            lab.releves.start(site, what)
        elif what == "voter" and site not in lab.voters.running:
            lab.voters.start(site)
        elif what == "database" and site not in lab.databases.running:
            lab.databases.start(site)

    def _kill_both(self, site: str) -> None:
        for what in ("releve", "guard"):
            self._signal(site, what, signal.SIGKILL)

    def _both_back(self, site: str) -> None:
        for what in ("guard", "releve"):
            self._back(site, what)

    def power_off(self, site: str) -> None:
        """Kill all that runs at a site."""
        lab = self._lab
        lab.network[site].kill_all()
        lab.releves.forget(site)
        lab.voters.forget(site)
        lab.databases.forget(site)

    def power_on(self, site: str) -> None:
        """The machine is back, with what starts by itself; its memory is empty, and its clocks begin anew."""
        lab = self._lab
        lab.network[site].boot()
        lab.releves.boot(site)
        lab.hosts.start(site)
        for what in ("voter", "database", "guard", "releve"):
            self._back(site, what)
