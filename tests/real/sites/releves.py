"""Relève and its guard at both sites, and what people ask of them."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from failover.guard_files import read_object
from failover.itself import RECORD
from failover.lease import Record, encode
from failover.lease_etcd import PREFIX
from failover.model import PlanId
from monitor.daemon.tenure import record_name, session_in
from monitor.store import open_store
from monitor.store.folder import PEER
from monitor.store.whose import look_at
from monitor.web.client import ApiError, LocalApi, NoDaemon
from tests.real.sites.network import ADDRESS, Network
from tests.real.sites.nodes import environment
from tests.real.sites.paper import CERT, KEY, PLAN, SITES, Paper
from tests.real.sites.pki import Pki

RELEVE = Path(sys.executable).with_name("releve")
ANSWERS_WITHIN = 8.0


class Releves:
    """The two Relèves and the two guards, by the name of their site."""

    def __init__(self, folder: Path, network: Network, pki: Pki) -> None:
        self.folder, self._network = folder, network
        self.running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        for site in SITES:
            issued = pki.issue(f"peer-{site}", ADDRESS[site])
            place = self._network[site].root / "run/peer"
            place.mkdir(exist_ok=True)
            shutil.copy(issued.cert, place / Path(CERT).name)
            shutil.copy(issued.key, place / Path(KEY).name)

    def state(self, site: str) -> Path:
        """Return where the Relève of a site keeps its state."""
        return self.folder / f"state-{site}"

    def begin(self, paper: Paper) -> None:
        """Forget everything, and use `paper` from now on."""
        self.end()
        self._paper = paper
        for site in SITES:
            shutil.rmtree(self.state(site), ignore_errors=True)
            shutil.rmtree(self.folder / f"guard-{site}", ignore_errors=True)
            self.boot(site)
            for log in (self._network[site].folder / f"{name}.log" for name in ("releve", "guard")):
                log.unlink(missing_ok=True)

    def led_before(self, site: str, ttl: float) -> dict[str, bytes]:
        """Give the Relève of a site an empty state under which it led until a moment ago; return the voters' keys."""
        folder = self.state(site)
        open_store(folder, write=True, ballast=0).close()
        record = encode(Record(site, session_in(folder), 1, ttl))
        return {f"{PREFIX}{name}": record for name in (RECORD, record_name(PlanId(PLAN)))}

    def start(self, site: str, what: str) -> None:
        """Start `releve` or `guard` of a site, unless it runs."""
        if (site, what) in self.running:
            return
        words: list[str | Path] = [
            RELEVE,
            "--lang",
            "en",
            "--inventory",
            self._paper.inventory,
            "--data",
            self.state(site),
        ]
        words += ["run", "--site", site] if what == "releve" else ["guard", "--config", self._paper.guards[site]]
        node = self._network[site]
        self.running[site, what] = node.start(what, *words, env=environment({}))

    def send(self, site: str, what: str, number: signal.Signals) -> None:
        """Send a signal to `releve` or `guard` of a site, if it runs; one that is killed is gone afterwards."""
        process = self.running.get((site, what))
        if process is None:
            return
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait(10)
            del self.running[site, what]

    def forget(self, site: str) -> None:
        """Know that both of a site were killed with their node."""
        for what in ("releve", "guard"):
            if (site, what) in self.running:
                self.running.pop((site, what)).wait(10)

    def boot(self, site: str) -> None:
        """Empty what a site keeps in memory."""
        for name in ("releve", "releve-guard"):
            shutil.rmtree(self._network[site].root / "run" / name, ignore_errors=True)
        (self._network[site].root / "run/releve").mkdir()

    def ended(self) -> list[str]:
        """Return what ended by itself, in words."""
        return [
            f"{what} at {site} ended with {process.returncode}: {self.log(site, what)[-600:]}"
            for (site, what), process in self.running.items()
            if process.poll() is not None
        ]

    def end(self) -> None:
        """Kill all four."""
        for site, what in tuple(self.running):
            self.send(site, what, signal.SIGKILL)

    def lease(self, site: str) -> tuple[int, float]:
        """Return what the guard of a site was handed: token, and until when in seconds of its clock; zeros without."""
        found = read_object(self._network[site].root / f"run/releve/{PLAN}.lease")
        return (0, 0.0) if found is None else (found["token"], found["until"])

    def guarded(self, site: str) -> Mapping[str, Any]:
        """Return the record of the guard of a site; empty without."""
        with suppress(OSError):
            return read_object(self.folder / f"guard-{site}" / f"{PLAN}.json") or {}
        return {}

    def _api(self, site: str) -> LocalApi:
        return LocalApi(self.state(site), "en", ANSWERS_WITHIN)

    def ask(self, site: str, path: str) -> Any:
        """Return what the Relève of a site answers, None where it does not run or does not answer."""
        with suppress(NoDaemon, ApiError, OSError):
            return self._api(site).get(path)
        return None

    def copied(self, site: str) -> bool:
        """Return whether the Relève of a site has a whole copy of the other one's state."""
        seen = look_at(self.state(site) / PEER)
        return seen is not None and seen.reached.cursor is not None

    def measured(self, site: str) -> bool:
        """Return whether the Relève of a site knows how far the copy of the database is behind."""
        return any(group["loss"]["known"] for group in self.ask(site, "/api/v1/plans") or [])

    def promised(self, site: str) -> bool:
        """Return whether the Relève of a site has told the voters that every commit waits for the copy."""
        return '"step": "WriteKey", "done": true' in self.log(site, "releve", most=100_000)

    def moves(self, site: str) -> list[dict[str, Any]]:
        """Return the moves that the Relève of a site knows, newest first."""
        return self.ask(site, "/api/v1/moves") or []

    def order(self, site: str, direction: str, to: str) -> tuple[str, str]:
        """Have a person at a site order a move as the command does; return its name, or why not."""
        api = self._api(site)
        try:
            prepared = api.post(f"/api/v1/plans/{PLAN}/plan", {"direction": direction, "to": to})
            if not prepared["may"]:
                return "", str(prepared["why"])
            loss = prepared["loss"]["at_most_s"] if prepared["loss"]["known"] else None
            body = {"direction": direction, "to": to, "loss_s": loss, "stated_at": prepared["at"], "text": ""}
            if direction == "failover":
                body["word"] = PLAN
            return str(api.post(f"/api/v1/plans/{PLAN}/run", body)["id"]), ""
        except (NoDaemon, ApiError, OSError) as error:
            return "", f"{type(error).__name__}: {error}"

    def answer(self, site: str, move: str, *, yes: bool) -> str:
        """Have a person answer a move; return why that was refused, empty when it was not."""
        try:
            self._api(site).post(f"/api/v1/moves/{move}/answer", {"yes": yes, "text": ""})
            return ""
        except (NoDaemon, ApiError, OSError) as error:
            return f"{type(error).__name__}: {error}"

    def log(self, site: str, what: str, most: int = 4000) -> str:
        """Return the end of what `releve` or `guard` of a site said."""
        path = self._network[site].folder / f"{what}.log"
        return path.read_text(errors="replace")[-most:] if path.exists() else ""
