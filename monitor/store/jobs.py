"""Jobs that report themselves: since when each is known, and what it last said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from monitor.core.ids import CheckId
from monitor.store.tables import insert, jobs
from probes.beat import Beat, Job


def put(connection: Connection, changed: Mapping[CheckId, Job], removed: Iterable[CheckId]) -> None:
    """Write the jobs that changed and forget the `removed` ones."""
    rows = [{"check_id": name, "body": json.dumps(_to_json(job))} for name, job in changed.items()]
    if rows:
        statement = insert(jobs, connection.dialect.name)
        statement = statement.on_conflict_do_update(
            index_elements=[jobs.c.check_id], set_={"body": statement.excluded.body}
        )
        connection.execute(statement, rows)
    for name in removed:
        if name not in changed:
            connection.execute(delete(jobs).where(jobs.c.check_id == name))


def get(connection: Connection) -> dict[CheckId, Job]:
    """Return every job that is known."""
    return {CheckId(row.check_id): _from_json(json.loads(row.body)) for row in connection.execute(select(jobs))}


def _to_json(job: Job) -> dict[str, Any]:
    beat = job.last
    last = None if beat is None else {"at": beat.at.isoformat(), "ok": beat.ok, "text": beat.text}
    return {"known_at": job.known_at.isoformat(), "last": last}


def _from_json(data: Mapping[str, Any]) -> Job:
    last = data["last"]
    beat = None if last is None else Beat(datetime.fromisoformat(last["at"]), last["ok"], last["text"])
    return Job(datetime.fromisoformat(data["known_at"]), beat)
