"""What had to be told beside what was: nothing that is missing passes for told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alerts.language import speech
from alerts.notice import Audience, NoticeState, Step
from monitor.core.text import ENGLISH
from monitor.reports.material import Material
from monitor.reports.proof import Line, Records, Standing, Why, line_json, proof, totals
from monitor.reports.proof_words import REASONS, STANDINGS, fate_of, reason_of

Stories = dict[str, Callable[[], Material]]
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


NOTHING = Records()


def proved(material: Material, records: Records = NOTHING) -> tuple[Line, ...]:
    return proof(material.incident, material.protocol, material.notices, material.now, records)


def one(lines: tuple[Line, ...], step: Step, n: int = 1, audience: Audience = Audience.CLIENT) -> Line:
    (line,) = [line for line in lines if (line.key.step, line.key.n, line.key.audience) == (step, n, audience)]
    return line


def test_each_message_that_was_due_is_one_line_with_what_became_of_it(stories: Stories) -> None:
    lines = proved(stories["link"]())
    assert [(str(line.key).split("/", 1)[1], line.standing.value, line.late) for line in lines] == [
        ("client/first_notice/1/att", "on_time", timedelta()),
        ("internal/first_notice/1/admin", "on_time", timedelta()),
        ("client/update/1/att", "late", 4 * MINUTE + 10 * SECOND),
        ("client/update/2/att", "missed", timedelta()),
        ("client/resolved/1/att", "on_time", 2 * SECOND),
        ("internal/resolved/1/admin", "refused", timedelta()),
    ]


def test_a_message_that_never_came_into_being_is_missing(stories: Stories) -> None:
    material = stories["link"]()
    for left_out in range(len(material.notices)):
        notices = material.notices[:left_out] + material.notices[left_out + 1 :]
        lines = proved(replace(material, notices=notices))
        (absent,) = [line for line in lines if line.standing is Standing.ABSENT]
        assert absent.key == material.notices[left_out].key
        assert absent.due_at == material.notices[left_out].due_at
        assert (absent.breach, absent.why) == (True, Why.UNKNOWN)


def test_what_is_due_this_very_minute_is_not_missing_yet(stories: Stories) -> None:
    material = stories["link"]()
    before = tuple(event for event in material.incident.timeline if event.at < material.notices[2].due_at)
    open_ = replace(material, incident=replace(material.incident, timeline=before), notices=material.notices[:2])
    due = material.notices[2].due_at
    assert one(proved(replace(open_, now=due + MINUTE)), Step.UPDATE).standing is Standing.WAITING
    assert one(proved(replace(open_, now=due + MINUTE + SECOND)), Step.UPDATE).standing is Standing.ABSENT
    waits = replace(
        open_, notices=(*open_.notices, replace(material.notices[2], sent_at=None, state=NoticeState.PENDING))
    )
    assert one(proved(replace(waits, now=due + MINUTE)), Step.UPDATE).standing is Standing.WAITING
    assert one(proved(replace(waits, now=due + 2 * MINUTE)), Step.UPDATE).standing is Standing.OVERDUE


def test_what_the_row_claims_of_its_time_does_not_count_against_the_log(stories: Stories) -> None:
    material = stories["link"]()
    lied = tuple(replace(notice, due_at=notice.due_at + timedelta(hours=1)) for notice in material.notices)
    assert [line.due_at for line in proved(replace(material, notices=lied))] == [
        line.due_at for line in proved(material)
    ]


def test_without_a_protocol_on_record_the_outbox_is_all_that_can_be_judged(stories: Stories) -> None:
    material = replace(stories["link"](), protocol=None)
    assert {line.key for line in proved(material)} == {notice.key for notice in material.notices}


def test_a_message_that_nobody_demanded_is_shown_as_well_and_a_test_is_none(stories: Stories) -> None:
    material = stories["disk"]()
    extra = replace(material.notices[0], key=replace(material.notices[0].key, step=Step.RUNBOOK))
    trial = replace(extra, key=replace(extra.key, step=Step.TEST))
    keys = {line.key for line in proved(replace(material, notices=(*material.notices, extra, trial)))}
    assert extra.key in keys
    assert trial.key not in keys


@pytest.mark.parametrize(
    ("starts", "untrusted", "why"),
    [
        ((), (), Why.UNKNOWN),
        ((125,), (), Why.OUT),
        ((119,), (), Why.UNKNOWN),
        ((148,), (), Why.UNKNOWN),
        ((), ((100, 140),), Why.CLOCK),
        ((), ((10, 20),), Why.UNKNOWN),
        ((125,), ((100, 140),), Why.OUT),
    ],
)
def test_a_gap_has_the_reason_that_the_record_gives(stories: Stories, starts, untrusted, why) -> None:
    material = stories["link"]()
    began = material.incident.began_at

    def at(minutes: float) -> datetime:
        return began + minutes * MINUTE

    missed = replace(material.notices[3], created_at=at(147))
    material = replace(material, notices=(*material.notices[:3], missed, *material.notices[4:]))
    records = Records(tuple(map(at, starts)), tuple((at(a), at(b)) for a, b in untrusted))
    assert one(proved(material, records), Step.UPDATE, 2).why is why


def test_the_reasons_of_a_message_itself_are_told(stories: Stories) -> None:
    material = stories["link"]()
    lines = proved(replace(material, notices=tuple(replace(n, attempts=3) for n in material.notices)))
    told = [ENGLISH.render(reason_of(line)) for line in lines]
    assert told == ["", "", "accepted at attempt 3", "no reason on record", "", "550 5.1.1 boîte inconnue"]
    nowhere = replace(material.notices[-1], channel="", answer="no channel leads to admin")
    no_way = proved(replace(material, notices=(*material.notices[:-1], nowhere)))[-1]
    assert (no_way.why, ENGLISH.render(reason_of(no_way))) == (Why.NO_WAY, "no channel leads to admin")
    over = replace(material.notices[0], state=NoticeState.SKIPPED, sent_at=None)
    first = proved(replace(material, notices=(over, *material.notices[1:])))[0]
    assert (first.why, ENGLISH.render(fate_of(first))) == (Why.OVER, "missed, never sent")


def test_in_a_rehearsal_nothing_counts_as_told_to_the_client(stories: Stories) -> None:
    material = stories["link"]()
    assert material.protocol is not None
    lines = proved(replace(material, protocol=replace(material.protocol, live=False), notices=()))
    assert {line.key.recipient for line in lines} == {"admin"}
    assert all(line.rehearsal is (line.key.audience is Audience.CLIENT) for line in lines)


def test_the_totals_add_up(stories: Stories) -> None:
    lines = proved(stories["link"]())
    sums = totals(lines)
    assert (sums.due, sums.on_time, sums.late, sums.missed, sums.refused) == (6, 3, 1, 1, 1)
    assert (sums.worst, sums.never_sent, sums.breaches) == (4 * MINUTE + 10 * SECOND, 2, 3)
    assert totals(()).due == totals(()).breaches == 0


def test_a_line_for_programs_has_names_that_are_alike_in_every_language(stories: Stories) -> None:
    found = line_json(proved(stories["link"]())[2])
    assert (found["step"], found["standing"], found["late_s"], found["breach"]) == ("update", "late", 250.0, True)
    assert (found["due_at"], found["sent_at"]) == ("2026-11-23T14:03:12.000Z", "2026-11-23T14:07:22.000Z")


def test_every_fate_and_every_reason_has_words_in_each_language() -> None:
    for language in ("en", "fr"):
        words = speech(language)
        assert all(words.render(STANDINGS[standing]) for standing in Standing)
        assert all(words.render(REASONS[why]) for why in Why if why not in (Why.TRIED, Why.ANSWER))


def test_who_was_on_duty_for_a_rota_is_what_the_outbox_says(stories: Stories) -> None:
    material = stories["link"]()
    assert material.protocol is not None
    protocol = replace(material.protocol, operations=("duty",), rotas=("duty",))
    lines = proved(replace(material, protocol=protocol))
    assert [(line.key, line.due_at, line.standing) for line in lines] == [
        (line.key, line.due_at, line.standing) for line in proved(material)
    ]
    client_only = tuple(notice for notice in material.notices if notice.key.audience is Audience.CLIENT)
    absent = [line for line in proved(replace(material, protocol=protocol, notices=client_only)) if line.notice is None]
    assert [(line.key.recipient, line.standing) for line in absent] == [("duty", Standing.ABSENT)] * 2
