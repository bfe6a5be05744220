"""A program that carries runs of runbooks out, one job a line on stdin, each in a process that may cut itself off.

A job says at which write of a run's journal, or of one kind of the ledger of recordings, the process kills itself by
SIGKILL, just before or just after the write: what a power cut does. The answer is the process's exit code and how many
writes of each kind it saw.
Each job is a fork of this process, which has imported everything and does nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from monitor.core.ids import CheckId
from monitor.core.topology import upstream
from monitor.daemon.daemon import Daemon
from monitor.inventory.load import load
from monitor.store import Batch, open_store
from probes import registry as probe_kinds
from runbooks import registry as step_kinds
from runbooks.run import RunState

RUN = "run"
"""A write of a run's journal; the other kinds are named after the ledger's methods."""
LEDGER = ("look", "prove", "deleting", "deleted", "doubt")
"""What writes the ledger of recordings."""
BEFORE = (
    "aionut", "alembic.command", "alembic.config", "asyncssh", "gufo.snmp.aio.client", "jinja2", "probes.ssh_sftp",
    "probes.ssh_wire", "probes.wire", "runbooks.recordings_copy", "runbooks.recordings_look",
    "runbooks.recordings_mirror", "runbooks.recordings_purge", "runbooks.recordings_round",
)  # fmt: skip
"""What a job imports when it needs it: imported before the forks, so that no job spends its time on it."""
LOOK = 0.05
LONGEST = 60.0
"""Seconds after which a job that has not ended is a failed one."""


class Cutter:
    """Counts writes, and ends the process on the spot at number `at` of the kind `what` (0: at none)."""

    def __init__(self, what: str, at: int, *, after: bool) -> None:
        self._what, self._at, self._after = what, at, after
        self.counts: Counter[str] = Counter()

    def around(
        self, write: Callable[..., Any], what: str, is_one: Callable[..., bool] = lambda *_: True
    ) -> Callable[..., Any]:
        """Return `write`, cut off before or after it if it is the one; `is_one`: whether a call is a write at all."""

        def cut(*arguments: Any, **named: Any) -> Any:
            if not is_one(*arguments):
                return write(*arguments, **named)
            self.counts[what] += 1
            here = what == self._what and self.counts[what] == self._at
            if here and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = write(*arguments, **named)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return cut


def is_of_a_run(batch: Batch) -> bool:
    """Whether a commit writes the journal of a run."""
    return bool(batch.run_events)


async def carried_out(job: dict[str, Any]) -> dict[str, int]:
    """Start the run, or take it up again, and wait until it is over or asks a person; return how many writes it was."""
    inventory = load(Path(job["inventory"])).inventory
    assert inventory is not None
    store = open_store(Path(job["data"]), write=True, ballast=0)
    cutter = Cutter(job["what"], job["at"], after=job["after"])
    store.commit = cutter.around(store.commit, RUN, is_of_a_run)  # type: ignore[method-assign]
    daemon = await Daemon.start(inventory, store)
    for name in LEDGER:
        setattr(daemon.ledger, name, cutter.around(getattr(daemon.ledger, name), name))
    subject, automation = CheckId(job["subject"]), daemon.automation
    _, _, plan = automation.planned(job["runbook"], subject)
    nodes = inventory.plan.topology.nodes
    gates = {gate for action in plan for gate in nodes[action.target].gates}
    looked_at = {*upstream(inventory.plan.topology, subject), *gates, subject}
    await asyncio.gather(*(daemon.scheduler.look(check) for check in looked_at))
    automation.resume()
    if not automation.runs:  # cut off before anything was written, nothing was begun
        await automation.start(job["runbook"], job["subject"], "uid:0")
    async with asyncio.timeout(LONGEST):
        while any(run.state is RunState.RUNNING for run in automation.runs.values()):
            await asyncio.sleep(LOOK)
    await daemon.close()
    return dict(cutter.counts)


def main() -> None:
    """Do the jobs."""
    logging.disable(logging.CRITICAL)
    for name in BEFORE:
        import_module(name)
    for kind in ("service", "disk", "ping"):
        probe_kinds.load(kind)
    for kind in step_kinds.KINDS:
        step_kinds.load(kind)
    for line in sys.stdin:
        load(Path(json.loads(line)["inventory"]))  # what the first reading brings in, no fork has to bring in again
        gc.freeze()  # no fork has to look through all of that for garbage, and to copy its pages
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            counts = asyncio.run(carried_out(json.loads(line)))
            os.write(writing, json.dumps(counts).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as told:
            counted = told.read()
        _, status = os.waitpid(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "writes": json.loads(counted or "{}")}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
