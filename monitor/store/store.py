"""The store: what survives a crash, behind one synchronous object that one thread at a time uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from alerts.notice import Copy, Notice, NoticeKey, NoticeState
from alerts.parked import Parked
from alerts.storm import messages_of, told_by_many
from failover.model import PlanId
from failover.run import Move, MoveId
from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.timekeeping import Guard
from monitor.store import audit, believed, jobs, log, moves, outbox, runs
from monitor.store.audit import AuditReport, parse_head
from monitor.store.ballast import Ballast
from monitor.store.batch import Batch, Loaded
from monitor.store.errors import DiskFull, corrupt, gone, translated
from monitor.store.feeding import Feeding
from monitor.store.folder import (
    HIGHEST_FILE,
    STATE_FILE,
    WriterLock,
    identity,
)
from monitor.store.highest import Highest
from monitor.store.history import KEEP, History, Sample, Series
from monitor.store.rows import canonical, digest, incident_number
from probes.beat import Job
from runbooks.run import Run, RunId

logger = logging.getLogger(__name__)
R = TypeVar("R")


class Store:
    """State and history in one folder. Every method may raise StoreError; those on samples HistoryUnavailable."""

    def __init__(
        self, engine: Engine, history: History, folder: Path, ballast: Ballast, lock: WriterLock | None
    ) -> None:
        self.folder = folder
        self.engine = engine
        """The connection to `state.db`, for inspection; changes go through the methods."""
        self._history = history
        self._path = folder / STATE_FILE
        self._file = identity(self._path)
        self._ballast = ballast
        self._lock = lock
        self._highest = Highest(folder / HIGHEST_FILE)
        self.feed = Feeding(self._read, self._change)
        """What the copy at the other site has yet to be told."""
        if lock is not None:
            self._highest.prepare()

    def mend(self) -> None:
        """Take up what the last writer left, an older version of Relève perhaps; `open_store` asks for it."""
        self._transact(self.feed.mend)

    def load(self, now: datetime, keep: timedelta) -> Loaded:
        """Return what is believed: every health, the incidents that are open or ended within `keep` before `now`."""
        return self._read(lambda connection: believed.loaded(connection, now, keep, self._highest.read()))

    def guard(self) -> Guard | None:
        """Return the clock's anchor as it was last written; None before the first time."""
        return self._read(believed.guard)

    def commit(self, batch: Batch) -> None:
        """Write `batch`; once this returns, it survives a power cut.

        On a full disk the ballast is released and the batch tried once more, then DiskFull is raised. A batch whose
        outcome is unknown may be handed in again, before any newer one.
        """
        self._change(lambda connection: believed.write(connection, batch))

    def keep_numbers(self, events: Iterable[Event]) -> None:
        """Let no other incident be given a number that `events` open one under, though they cannot be written yet.

        Any thread may ask, whatever the database is doing.
        """
        opened = (incident_number(event.incident) for event in events if event.kind is EventKind.OPENED)
        self._highest.keep(max((number for number in opened if number is not None), default=0))

    def leave_out(self, token: int, count: int) -> None:
        """Give the next `count` numbers to none: somebody led under the lease `token`, unknown here. Once for each."""
        self._change(lambda connection: log.leave_out_for(connection, token, count))

    def recover_sending(self) -> int:
        """Make notices that were being sent when the last run ended pending again; return how many."""
        return self._change(outbox.recover)

    def being_sent(self) -> list[Notice]:
        """Return the notices that are marked as being sent."""
        return self._read(outbox.being_sent)

    def claim(self, now: datetime, limit: int, but: Collection[str] = ()) -> list[Notice]:
        """Return at most `limit` notices whose time has come, earliest due first, each marked as being sent.

        `but`: channels whose notices are left where they are.
        """
        return self._change(lambda connection: outbox.claim(connection, now, limit, but))

    def ready(self, now: datetime, limit: int, but: Collection[str] = ()) -> list[Notice]:
        """Return what `claim` would, and mark nothing: for a disk that cannot be written."""
        return self._read(lambda connection: outbox.ready(connection, now, limit, but))

    def hurry(self, channel: str | None, now: datetime) -> None:
        """Make every notice that waits for another attempt by `channel` (None: by any) due for it at `now`."""
        self._change(lambda connection: outbox.hurry(connection, channel, now))

    def settle(
        self,
        key: NoticeKey,
        *,
        state: NoticeState,
        at: datetime,
        answer: str,
        attempts: int,
        channel: str,
        address: str,
        tried: tuple[str, ...] = (),
        next_try_at: datetime | None = None,
        handed_at: datetime | None = None,
    ) -> bool:
        """Record how an attempt ended at `at`; return whether that changed the row. What was sent stays sent."""
        values = outbox.settlement(
            state=state,
            at=at,
            answer=answer,
            attempts=attempts,
            channel=channel,
            address=address,
            tried=tried,
            next_try_at=next_try_at,
            handed_at=handed_at,
        )
        return self._change(lambda connection: outbox.settle(connection, key, values))

    def passed_over(self, since: datetime) -> list[IncidentId]:
        """Return the incidents of which something was told since `since` by another channel than the first choice."""
        return self._read(lambda connection: outbox.passed_over(connection, since))

    def send_again(self, bounced: Notice, channel: str, address: str, now: datetime, answer: str) -> bool:
        """Let a notice that came back go by `channel`; return whether that changed the row."""
        return self._change(lambda c: outbox.send_again(c, bounced, channel, address, now, answer))

    def note_copy(self, key: NoticeKey, copy: Copy) -> None:
        """Record what became of the copy that the first choice was given later."""
        self._change(lambda connection: outbox.note_copy(connection, key, copy))

    def notices(self, incident: IncidentId | None = None, *, limit: int = 1000) -> list[Notice]:
        """Return the latest notices of one incident, or of all, in the order in which they are due."""
        return self._read(lambda c: outbox.listed(c, incident, limit))

    def told_by_many(self, incident: Incident) -> list[Notice]:
        """Return what one message about many told of `incident`, as if each had been told by itself."""
        keys = messages_of(incident)
        return told_by_many(incident, self._read(lambda c: outbox.with_keys(c, keys))) if keys else []

    def parked(self) -> tuple[Parked, ...]:
        """Return the answers that a person has to read, oldest first."""
        return self._read(believed.parked)

    def sent_as(self, message_ids: Collection[str]) -> list[Notice]:
        """Return the notices whose Message-ID is one of `message_ids` (without `<>`, some hundred at most)."""
        return self._read(lambda connection: outbox.sent_as(connection, message_ids))

    def headlines(self, incidents: Collection[IncidentId], *, limit: int = 1000) -> dict[IncidentId, list[Notice]]:
        """Return the latest notices of each of `incidents`, their messages reduced to the subject, in one question."""
        return self._read(lambda connection: outbox.headlines(connection, incidents, limit))

    def oldest_pending(self, now: datetime) -> timedelta | None:
        """Return for how long the oldest notice that has not left has been due; None when none is late."""
        return self._read(lambda connection: outbox.overdue(connection, now))

    def notice_counts(self) -> dict[NoticeState, int]:
        """Return how many notices are in each state, every state named."""
        return self._read(outbox.counts)

    def incidents(self, limit: int | None = None, *, open_only: bool = False) -> list[Incident]:
        """Return the latest incidents with their timelines, newest first."""
        found = self._read(lambda c: log.get_incidents(c, log.latest(limit, open_only=open_only)))
        return list(reversed(found.values()))

    def incidents_between(self, since: datetime, until: datetime) -> list[Incident]:
        """Return the incidents that were open at some time from `since` up to `until`, oldest first."""
        return list(self._read(lambda c: log.get_incidents(c, log.between(since, until))).values())

    def interruptions(self, since: datetime, limit: int) -> list[tuple[Incident, Mapping[str, Any] | None]]:
        """Return what may have interrupted the service and ended since then, each with its protocol (JSON-ready)."""

        def read(connection: Connection) -> list[tuple[Incident, Mapping[str, Any] | None]]:
            which = log.interruptions(since, limit)
            protocols = log.get_protocols(connection, which)
            return [(one, protocols.get(name)) for name, one in log.get_incidents(connection, which).items()]

        return self._read(read)

    def incident(self, name: IncidentId) -> Incident | None:
        """Return one incident with its full timeline, or None."""
        return self._read(lambda c: log.get_incidents(c, log.named(name))).get(name)

    def events(self, incident: IncidentId) -> list[Event]:
        """Return the log of one incident, oldest first."""
        return self._read(lambda connection: log.get_events(connection, incident))

    def protocol(self, incident: IncidentId) -> tuple[str, Mapping[str, Any]] | None:
        """Return the version and the body (JSON-ready) of the protocol an incident was opened under; None for none."""
        body = self._read(lambda c: log.get_protocols(c, log.named(incident))).get(incident)
        return None if body is None else (digest(canonical(body)), body)

    def runs(self, incident: IncidentId | None = None, *, limit: int = 100) -> list[Run]:
        """Return the runs about `incident`, or the latest ones of all, oldest first."""
        which = runs.latest(limit) if incident is None else runs.about(incident)
        return list(self._read(lambda c: runs.get(c, which)).values())

    def run(self, name: RunId) -> Run | None:
        """Return one run with its journal, or None."""
        return self._read(lambda connection: runs.get(connection, runs.named(name))).get(name)

    def moves(self, plan: PlanId | None = None, *, limit: int = 100) -> list[Move]:
        """Return the latest moves, of one plan or of all, oldest first."""
        return list(self._read(lambda c: moves.get(c, moves.latest(limit, plan))).values())

    def moves_during(self, since: datetime, until: datetime, *, limit: int = 100) -> list[Move]:
        """Return the latest moves that were under way at some time from `since` to `until` (UTC), oldest first."""
        return list(self._read(lambda c: moves.get(c, moves.during(since, until, limit))).values())

    def move(self, name: MoveId) -> Move | None:
        """Return one move with its journal, or None."""
        return self._read(lambda connection: moves.get(connection, moves.named(name))).get(name)

    def automation(self) -> Mapping[str, Any]:
        """Return what people set of the automation, as in Batch; nothing when nobody has."""
        return self._read(believed.automation)

    def put_jobs(self, changed: Mapping[CheckId, Job], removed: Collection[CheckId] = ()) -> None:
        """Write the jobs that changed and forget the `removed` ones; once this returns, it survives a power cut."""
        self._change(lambda connection: jobs.put(connection, changed, removed))

    def jobs(self) -> dict[CheckId, Job]:
        """Return every job that reports itself, by its check."""
        return self._read(jobs.get)

    def audit_head(self) -> str:
        """Return the head of the audit trail as mails carry it (`128-3f9c1a2b4d5e6f70`)."""
        return self._read(audit.head)

    def told(self, incident: IncidentId) -> set[NoticeKey]:
        """Return the keys of every notice, in any state, of one incident."""
        return self._read(lambda c: log.get_keys(c, log.named(incident))).get(incident, set())

    def starts(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """Return when Relève was started from `since` to `until`, as the audit trail says."""
        return self._read(lambda connection: audit.moments(connection, "start", since, until))

    def verify_audit(self, head: str | None = None) -> AuditReport:
        """Return whether the audit trail is whole and, with the `head` of a mail, still holds it. Raises BadHead."""
        if head is not None:
            parse_head(head)
        return self._read(lambda connection: audit.verify(connection, head))

    def write_samples(self, samples: Iterable[Sample]) -> None:
        """Write samples, all or none. Raises HistoryUnavailable, which harms nothing else."""
        self._history.write(samples)

    def series(self, check: CheckId | None = None) -> list[Series]:
        """Return which metrics there are, of one check or of all."""
        return self._history.series(check)

    def samples(self, check: CheckId, metric: str, since: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """Return the samples with `since` <= at < `until`, oldest first."""
        return self._history.samples(check, metric, since, until)

    def latest_sample(self, check: CheckId, metric: str) -> tuple[datetime, float] | None:
        """Return the newest sample of a metric, however old it is; None where there is none."""
        return self._history.latest(check, metric)

    def prune_samples(self, now: datetime, keep: timedelta = KEEP) -> int:
        """Delete samples older than `keep`; return how many. Called hourly it takes little of the store's time."""
        return self._history.prune(now - keep)

    @property
    def ballast_standing(self) -> bool:
        """Whether room is kept back for the state on a full disk."""
        return self._ballast.standing

    def restore_ballast(self) -> bool:
        """Keep room back again if the disk has enough; return whether it is kept back now."""
        return self._lock is not None and self._ballast.restore()

    def close(self) -> None:
        """Close the files and give the writer's right back."""
        self._history.close()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _read(self, work: Callable[[Connection], R]) -> R:
        try:
            with translated(self._path), self.engine.connect() as connection:
                return work(connection)
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(self._path, f"a row that cannot be read: {error}") from error

    def _change(self, work: Callable[[Connection], R]) -> R:
        if identity(self._path) != self._file:
            raise gone(self._path)
        try:
            return self._transact(work)
        except DiskFull:
            if not self._ballast.release():
                raise
            logger.warning("the disk is full: the ballast is released", extra={"event": "ballast_released"})
        return self._transact(work)

    def _transact(self, work: Callable[[Connection], R]) -> R:
        with translated(self._path), self.engine.begin() as connection:
            done = work(connection)
            self.feed.end(connection)
            return done
