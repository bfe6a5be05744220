"""What is to hold of a course once it was played: what is told is what the contract demands, and each comes once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from alerts.context import Context
from alerts.language import speech
from alerts.notice import NoticeState
from tests.scenarios.promise.agreed import Fate, Rules
from tests.scenarios.promise.courses import VARIANTS, Course
from tests.scenarios.promise.play import ZONE, Arrived, Ground, Play, played

GAP = re.compile(r"Updates that could not be sent: (.*)\. This message stands for them\.")
REPORTS = re.compile(r"Crisis reports that could not be sent: (.*)\. This message stands for them\.")
FATES = {NoticeState.SENT: Fate.TOLD, NoticeState.SKIPPED: Fate.MISSED, NoticeState.DEAD: Fate.UNDELIVERABLE}


def wrong(ground: Ground, course: Course, demanded: Sequence[Rules] = VARIANTS) -> list[str]:
    """Return in what the messages of `course` differ from what the contract demands."""
    play = played(ground, course, demanded)
    rows, notices = play.model.rows, play.notices
    found = [f"{key} is missing: {rows[key]}" for key in sorted(rows.keys() - notices.keys())]
    found += [f"{key} is too much: {notices[key].message.text}" for key in sorted(notices.keys() - rows.keys())]
    for key in sorted(rows.keys() & notices.keys()):
        row, notice = rows[key], notices[key]
        fate = FATES.get(notice.state)
        if fate is not row.fate:
            found.append(f"{key} is {notice.state.value} and should be {row.fate}")
        if notice.due_at != row.due:
            found.append(f"{key} was due at {notice.due_at} and should have been at {row.due}")
        for moments, sentence in ((row.gap, GAP), (row.reports, REPORTS)):
            gap, said = _gap(moments, row.at), sentence.search(notice.message.text)
            if (said.group(1) if said else "") != gap:
                found.append(f"{key} stands for {said and said.group(1)!r} and should for {gap!r}")
    return found + _delivered(play)


def _gap(moments: tuple[datetime, ...], at: datetime) -> str:
    """How a message written `at` names the updates that it stands for."""
    reader = Context(site="Site", speech=speech("en", ZONE), now=at)
    named = [reader.day_and_clock(moment) for moment in moments]
    return ", ".join(named) if len(named) <= 24 else f"{len(named)}, from {named[0]} to {named[-1]}"


def _delivered(play: Play) -> list[str]:
    """Nothing is lost, and comes again only where the daemon was killed before it had noted that it was handed over."""
    copies: dict[str, list[Arrived]] = {}
    for arrived in play.arrived:
        copies.setdefault(arrived.key, []).append(arrived)
    told = {key for key, row in play.model.rows.items() if row.fate is Fate.TOLD}
    found = [f"{key} never arrived" for key in sorted(told - copies.keys())]
    found += [f"{key} arrived and should not have" for key in sorted(copies.keys() - told)]
    for key, same in copies.items():
        if len(same) != 1 + play.cut_off[key]:
            found.append(f"{key} arrived {len(same)} times; the daemon was cut off {play.cut_off[key]} times meanwhile")
        if len({(one.message_id, one.text) for one in same}) != 1:
            found.append(f"{key} arrived in two versions")
    if len({same[0].message_id for same in copies.values()}) != len(copies):
        found.append("two messages share a Message-ID")
    return found
