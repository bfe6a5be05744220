"""What a row holds, and what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from alerts.notice import Copy, Message, Notice, NoticeKey, NoticeState
from monitor.core.health import Health
from monitor.core.ids import IncidentId
from monitor.core.text import Text, text_from_json, text_to_json
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity


def canonical(data: Any) -> str:
    """Return `data` as the one JSON text that says it: keys sorted, no spaces, ASCII. Raises ValueError for NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(words: str) -> str:
    """Return the SHA-256 of `words` (ASCII) in hexadecimal."""
    return hashlib.sha256(words.encode("ascii")).hexdigest()


def incident_number(incident: IncidentId) -> int | None:
    """Return the number in a name such as `26-0042`; None where there is none."""
    _year, _dash, number = incident.rpartition("-")
    return int(number) if number.isdecimal() else None


def health_to_json(health: Health) -> dict[str, Any]:
    """Return `health` as JSON-ready data; `health_from_json` gives it back equal."""
    return {
        "confirmed": health.confirmed.word,
        "latest": health.latest.word,
        "run": health.run,
        "fails": health.fails,
        "began_at": health.began_at.isoformat(),
        "turned_at": health.turned_at.isoformat(),
        "seen_at": health.seen_at.isoformat(),
        "ok_at": None if health.ok_at is None else health.ok_at.isoformat(),
        "down": health.down,
        "summary": text_to_json(health.summary),
        "changes": health.changes,
        "known": None if health.known is None else health.known.word,
        "flapping": health.flapping,
        "levels": {name: level.word for name, level in health.levels},
        "graded_at": None if health.graded_at is None else health.graded_at.isoformat(),
    }


def health_from_json(data: Mapping[str, Any]) -> Health:
    """Return the health that `health_to_json` wrote. Raises KeyError or ValueError if it did not."""
    ok_at, known, graded_at = data["ok_at"], data.get("known"), data.get("graded_at")
    return Health(
        confirmed=Severity[data["confirmed"].upper()],
        latest=Severity[data["latest"].upper()],
        run=data["run"],
        fails=data["fails"],
        began_at=datetime.fromisoformat(data["began_at"]),
        turned_at=datetime.fromisoformat(data["turned_at"]),
        seen_at=datetime.fromisoformat(data["seen_at"]),
        ok_at=None if ok_at is None else datetime.fromisoformat(ok_at),
        down=data["down"],
        summary=text_from_json(data["summary"]) if "summary" in data else Text(""),
        changes=data.get("changes", 0),
        known=None if known is None else Severity[known.upper()],
        flapping=data.get("flapping", False),
        levels=tuple((name, Severity[word.upper()]) for name, word in data.get("levels", {}).items()),
        graded_at=None if graded_at is None else datetime.fromisoformat(graded_at),
    )


def guard_to_json(guard: Guard) -> dict[str, Any]:
    """Return `guard` as JSON-ready data; `guard_from_json` gives it back equal."""
    return {
        "boot_id": guard.boot_id,
        "boot": guard.boot,
        "at": guard.at.isoformat(),
        "stepped_by": guard.stepped_by.total_seconds(),
        "trusted": guard.trusted,
    }


def guard_from_json(data: Mapping[str, Any]) -> Guard:
    """Return the guard that `guard_to_json` wrote. Raises KeyError or ValueError if it did not."""
    return Guard(
        boot_id=data["boot_id"],
        boot=data["boot"],
        at=datetime.fromisoformat(data["at"]),
        stepped_by=timedelta(seconds=data["stepped_by"]),
        trusted=data["trusted"],
    )


def notice_to_row(notice: Notice) -> dict[str, Any]:
    """Return the columns of `notice`."""
    return {
        "key": str(notice.key),
        "incident": notice.key.incident,
        "due_at": notice.due_at,
        "created_at": notice.created_at,
        "message_id": notice.message_id,
        "message": json.dumps(asdict(notice.message), ensure_ascii=False),
        "channel": notice.channel,
        "address": notice.address,
        "language": notice.language,
        "state": notice.state.value,
        "attempts": notice.attempts,
        "next_try_at": notice.next_try_at,
        "sent_at": notice.sent_at,
        "answer": notice.answer,
        "tried": json.dumps(notice.tried),
        "in_reply_to": notice.in_reply_to,
        "handed_at": notice.handed_at,
        "first_choice": notice.first_choice,
        "copy": None if notice.copy is None else copy_to_text(notice.copy),
    }


def notice_from_row(row: Mapping[str, Any]) -> Notice:
    """Return the notice in the columns of `row`. Raises KeyError, TypeError or ValueError if it is none."""
    return Notice(
        key=NoticeKey.parse(row["key"]),
        due_at=row["due_at"],
        created_at=row["created_at"],
        message_id=row["message_id"],
        message=Message(**json.loads(row["message"])),
        channel=row["channel"],
        address=row["address"],
        language=row["language"],
        state=NoticeState(row["state"]),
        attempts=row["attempts"],
        next_try_at=row["next_try_at"],
        sent_at=row["sent_at"],
        answer=row["answer"],
        tried=tuple(json.loads(row["tried"])),
        in_reply_to=row["in_reply_to"],
        handed_at=row["handed_at"],
        first_choice=row["first_choice"] or "",
        copy=None if row["copy"] is None else _copy_from_text(row["copy"]),
    )


def copy_to_text(copy: Copy) -> str:
    """Return `copy` as its column holds it."""
    at = None if copy.at is None else copy.at.isoformat()
    return json.dumps({"channel": copy.channel, "address": copy.address, "at": at, "answer": copy.answer})


def _copy_from_text(text: str) -> Copy:
    data = json.loads(text)
    at = None if data["at"] is None else datetime.fromisoformat(data["at"])
    return Copy(data["channel"], data["address"], at, data["answer"])
