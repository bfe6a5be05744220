"""What the guard reads and leaves behind: the belief that it is handed, its record, its sign of life.

All are small JSON objects, exchanged whole (rename), so that nobody reads half of one. Times are twofold: `boot` and
seconds of CLOCK_BOOTTIME for programs on this machine, wall time for people and for the other site.

Why a file and not a socket: a guard that stands again reads it at once, neither side can hold the other back, and the
daemon's death changes nothing in it. It lies in /run, so that a machine that was started anew has none, and names the
boot, in case it does not. Why the daemon hands it over, and the guard does not ask the voters itself: the lease is
prolonged by the daemon alone, so without the daemon it lapses anyhow, and what was handed lapses at the same second. A
guard with connections, certificates and an own view of the voters would stop a site that holds its lease, and would
have more to break.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from failover.guard import Phase, Validity

SILENT_AFTER = 5.0
"""Seconds without a sign of life after which a guard does not run: it gives one a second."""
MOST_BYTES = 16 * 1024
"""Of one file; a record of a hundred targets is shorter."""
LARGEST_TOKEN = 2**63 - 1
"""etcd counts revisions in int64."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the guard of this machine looks and what it leaves where, unless its file says otherwise; `PLAN.*` each.

    `beliefs`: what it is told (memory); `state`: its records (a local disk); `run`: its sign of life (memory).
    """

    beliefs: Path = Path("/run/releve")
    state: Path = Path("/var/lib/releve-guard")
    run: Path = Path("/run/releve-guard")

    def lease(self, plan: str) -> Path:
        """Return the file by which the guard is told of the lease of `plan`."""
        return self.beliefs / f"{plan}.lease"

    def record(self, plan: str) -> Path:
        """Return the guard's record of `plan`."""
        return self.state / f"{plan}.json"

    def alive(self, plan: str) -> Path:
        """Return the guard's sign of life for `plan`."""
        return self.run / f"{plan}.json"


USUAL = Places()
"""Where things lie unless the guard's file says otherwise; Relève looks there."""


class Unreadable(Exception):
    """The file is there and does not hold what it should; the text says why, in English, for the log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one target was stopped: `proven` by its check; `seconds` since the round began; `said`: a failed command."""

    target: str
    proven: bool
    seconds: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What a guard wrote last about one plan. `token`: the one held, or the highest that was stopped for.

    `at`: since when; `proven`: when the last look saw all stopped, None as long as none did.
    """

    plan: str
    site: str
    phase: Phase
    token: int
    boot: str
    at: datetime
    proven: datetime | None = None
    outcomes: tuple[Outcome, ...] = ()


def hand_over(path: Path, validity: Validity, boot: str) -> None:
    """Tell the guard that reads `path` until when the site holds a lease; the daemon does so after every renewal.

    To give a lease up, hand over `until` = 0 and wait for the guard's record before the voters are told.
    Raises OSError.
    """
    exchange(path, {"boot": boot, "token": validity.token, "until": validity.until})


def handed_over(path: Path, boot: str) -> Validity | None:
    """Return what was handed over in this boot; None when nothing was. Raises Unreadable, OSError."""
    data = read_object(path)
    if data is None or data.get("boot") != boot or not boot:
        return None
    until = data.get("until")
    try:
        if not isinstance(until, int | float) or isinstance(until, bool) or not math.isfinite(until):
            raise Unreadable("until is no number")
        return Validity(_token(data.get("token")), float(until))
    except (ValueError, OverflowError) as error:
        raise Unreadable(str(error)) from error


def write_record(path: Path, record: Record) -> None:
    """Write `record` so that it survives a power cut. Raises OSError."""
    exchange(path, record_json(record), durable=True)


def record_json(record: Record) -> dict[str, Any]:
    """Return `record` as JSON-ready data."""
    return {
        "plan": record.plan,
        "site": record.site,
        "phase": record.phase.value,
        "token": record.token,
        "boot": record.boot,
        "at": record.at.isoformat(),
        "proven": None if record.proven is None else record.proven.isoformat(),
        "targets": [
            {"name": one.target, "proven": one.proven, "seconds": round(one.seconds, 3), "said": one.said}
            for one in record.outcomes
        ],
    }


def read_record(path: Path) -> Record | None:
    """Return what `write_record` wrote, None when there is nothing. Raises Unreadable, OSError."""
    data = read_object(path)
    if data is None:
        return None
    try:
        return Record(
            plan=str(data["plan"]),
            site=str(data["site"]),
            phase=Phase(data["phase"]),
            token=_token(data["token"]),
            boot=str(data["boot"]),
            at=_moment(data["at"]),
            proven=None if data["proven"] is None else _moment(data["proven"]),
            outcomes=tuple(_outcome(one) for one in data["targets"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def stopped_for(record: Record | None, plan: str, site: str) -> int | None:
    """Return the token up to which `record` says that all of `plan` is seen stopped at `site`; None: it does not."""
    if record is None or (record.plan, record.site) != (plan, site):
        return None
    return record.token if record.phase is Phase.STOPPED and record.proven is not None else None


def sign_of_life(path: Path, boot: str, now: float) -> tuple[Phase, int] | None:
    """Return the phase and the token that the guard gave as its last sign of life, if that was of late.

    `now`: CLOCK_BOOTTIME. Raises Unreadable, OSError.
    """
    data = read_object(path)
    if data is None or data.get("boot") != boot or not boot:
        return None
    try:
        seconds = float(data["seconds"])
        if not 0 <= now - seconds <= SILENT_AFTER:
            return None
        return Phase(data["phase"]), _token(data["token"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def exchange(path: Path, data: Mapping[str, Any], *, durable: bool = False) -> None:
    """Put a file with `data` in the place of `path`; `durable`: also after a power cut. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(data, ensure_ascii=False).encode())
            file.flush()
            if durable:
                os.fsync(descriptor)
        fresh.rename(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in `path`, None when there is no file. Raises Unreadable, OSError."""
    try:
        # A pipe that nobody writes to would stand in the way of the next look.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # which `fdopen` leaves open where it refuses a folder, four times a second
        raise Unreadable("no plain file")
    with os.fdopen(descriptor, "rb") as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Unreadable("too large")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable("no JSON") from error
    if not isinstance(data, dict):
        raise Unreadable("no JSON object")
    return data


def _token(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_TOKEN:
        return value
    raise ValueError("token is no number from 0 on")


def _moment(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at


def _outcome(data: Mapping[str, Any]) -> Outcome:
    return Outcome(str(data["name"]), data["proven"] is True, float(data["seconds"]), str(data["said"]))
