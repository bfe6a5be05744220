"""The review itself, before any format: what stands in it, what is marked as missing, how long it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerts.language import speech
from alerts.notice import NoticeState, Step
from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId
from monitor.core.incident import BLIND
from monitor.core.incident import replay as incidents_of
from monitor.core.text import Speech, say, verbatim
from monitor.reports import rex_measured, rex_repair, rex_told
from monitor.reports.as_json import as_json
from monitor.reports.document import Document, Facts, Figure, Listing, Points, Table, Tone, Words
from monitor.reports.material import Material, Relation
from monitor.reports.metrics import metric_label
from monitor.reports.rex import rex
from probes.registry import kinds, load
from runbooks.run import RunEventKind, RunId, RunState

ENGLISH = speech("en", "Africa/Douala")
Stories = dict[str, Callable[[], Material]]


def texts(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document with the name of the field in which it stands."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from texts(value, str(key))
    elif isinstance(part, list):
        for value in part:
            yield from texts(value, name)
    elif isinstance(part, str):
        yield name, part


def blocks(document: Document, section: str, kind: type[Any]) -> list[Any]:
    found = next(one for one in document.sections if one.name == section)
    return [block for block in found.blocks if isinstance(block, kind)]


def cells(document: Document) -> Iterator[Words]:
    """Every text that has a tone."""
    yield document.status
    for section in document.sections:
        for block in section.blocks:
            match block:
                case Facts():
                    yield from (words for _label, words in block.rows)
                case Table():
                    yield from (words for row in block.rows for words in row)
                case Points():
                    yield from block.items


def facts_of(document: Document) -> dict[str, str]:
    return {label: words.text for label, words in document.facts.rows}


def written(document: Document, section: str) -> str:
    """All that is written in one section."""
    found = next(one for one in document.sections if one.name == section)
    parts = as_json(document)["sections"][document.sections.index(found)]
    return "\n".join(text for _name, text in texts(parts))


def test_nothing_in_a_review_is_empty(material: Material, reader: Speech) -> None:
    document = rex(material, reader)
    data = as_json(document)
    data.pop("data")
    empty = [name for name, text in texts(data) if not text.strip() and name != "note"]
    assert empty == []
    for section in document.sections:
        assert section.blocks, section.name
        for block in section.blocks:
            if isinstance(block, Table):
                assert block.rows
                assert {len(block.head), len(block.shares)} == {len(row) for row in block.rows} | {len(block.shares)}
            assert not isinstance(block, Facts) or block.rows
            assert not isinstance(block, Points) or block.items


def test_every_review_has_every_part(material: Material, reader: Speech) -> None:
    names = [section.name for section in rex(material, reader).sections]
    parts = "summary times impact timeline told repair measurements causes lessons actions people versions annexes"
    assert names == parts.split()


def test_what_nobody_documented_is_marked_everywhere_and_listed_with_the_command_that_writes_it(
    stories: Stories,
) -> None:
    document = rex(stories["bare"](), ENGLISH)
    assert ("Cause", Words("not documented", Tone.GAP)) in document.facts.rows
    assert ("Site", Words("not documented", Tone.GAP)) in document.facts.rows
    (actions,) = blocks(document, "actions", Table)
    assert actions.rows == ((Words("not documented", Tone.GAP),) * 4,)
    assert written(document, "lessons").count("not documented") == 3
    (missing,) = blocks(document, "people", Table)
    assert [row[0].text for row in missing.rows] == [
        "Established cause",
        "The five whys",
        "Contributing factors",
        "What went well",
        "What is to be improved",
        "Lessons",
        "Corrective actions",
    ]
    assert missing.rows[0][2] == Words('releve incident cause 26-0009 "…"', Tone.CODE)
    assert missing.rows[1][2].text == 'releve incident review why 26-0009 "…"'
    assert missing.rows[-1][2].text == 'releve incident action add 26-0009 "…" --owner "…" --due "…"'
    assert {"Protocol", "Inventory"} <= {
        label for facts in blocks(document, "annexes", Facts) for label, words in facts.rows if words.tone is Tone.GAP
    }
    assert document.data["gaps"] == ["cause", "why", "factor", "went well", "to improve", "lesson", "action"]


def test_what_people_wrote_stands_in_its_part_and_is_no_gap_any_more(stories: Stories) -> None:
    document = rex(stories["link"](), ENGLISH)
    (actions,) = blocks(document, "actions", Table)
    assert [cell.text for cell in actions.rows[0]] == ["activer le secours FH", "Paul", "15/12/2026", "en cours"]
    assert [cell.tone for cell in actions.rows[1]] == [Tone.PLAIN, Tone.GAP, Tone.GAP, Tone.GAP]
    assert "keep the FH on standby (uid:4242424)" in written(document, "lessons")
    assert "fibre sectionnée par des travaux de voirie (uid:4242424, 14:43, Douala time)" in written(document, "causes")
    assert {"cause", "lesson", "action"}.isdisjoint(document.data["gaps"])
    assert document.status.text.startswith("To be completed")


def test_once_everything_is_documented_the_review_says_that_it_is_complete(stories: Stories) -> None:
    material = stories["link"]()
    last = material.incident.timeline[-1]
    notes = [
        replace(last, text=verbatim(words))
        for words in (
            "why: roadworks",
            "factor: one fibre only",
            "went well: told",
            "to improve: FH",
            "lesson: two ways",
            "action: a; b; c; d",
        )
    ]
    incident = incidents_of([*material.incident.timeline, *notes])[material.incident.id]
    document = rex(replace(material, incident=incident), ENGLISH)
    assert document.status == Words("Complete: every part is documented", Tone.GOOD)
    assert document.data["gaps"] == []
    assert "every part is documented" in written(document, "people")


def test_a_review_of_an_incident_that_goes_on_says_so(stories: Stories) -> None:
    document = rex(stories["bare"](), ENGLISH)
    assert document.status == Words("Provisional: the incident is still going on", Tone.BAD)
    assert document.data["provisional"] is True
    assert facts_of(document)["When"].endswith("12\u00a0min so far, still going on")
    assert "still going on" in written(document, "summary")


def test_the_summary_is_three_sentences_that_say_what_it_meant_and_how_it_ended(stories: Stories) -> None:
    disk, link = (written(rex(stories[name](), ENGLISH), "summary") for name in ("disk", "link"))
    assert (
        "Storage of recordings full: from 14:03 to 14:17, Douala time, on 2026-11-23; it lasted 14 min 20 s. "
        "The client's service was not interrupted, so the client was not told. "
        "The runbook purge-audio repaired it at attempt 2; the target of 20 min was met."
    ) in disk.replace("\u00a0", " ")
    assert (
        "The client's service was interrupted for 2 h 27 min (calls and exchanges of data over this link are "
        "interrupted or disturbed); the client was told 12 s after it was confirmed. "
        "It ended without a runbook of Relève; the target of 1 h was exceeded by 1 h 27 min."
    ) in link.replace("\u00a0", " ")


def test_a_french_reader_gets_the_times_and_numbers_of_french(stories: Stories) -> None:
    document = rex(stories["disk"](), speech("fr", "Africa/Douala"))
    assert document.language == "fr"
    assert document.title != rex(stories["disk"](), ENGLISH).title
    whole = " ".join(text for _name, text in texts(as_json(document)))
    assert "14\u00a0h\u00a003" in whole
    assert "heure de Douala" in whole
    assert "70,5\u00a0%" in whole
    assert "109,6\u00a0Go" in whole


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (timedelta(minutes=20), "20 min, met"),
        (timedelta(minutes=10), "10 min, exceeded by 4 min 20 s"),
        (None, "no target set"),
    ],
)
def test_the_target_is_judged_or_said_to_be_none(stories: Stories, target: timedelta | None, said: str) -> None:
    material = stories["disk"]()
    assert material.kind is not None
    document = rex(replace(material, kind=replace(material.kind, target=target)), ENGLISH)
    assert facts_of(document)["Target"].replace("\u00a0", " ") == said


def test_a_kind_that_the_catalogue_does_not_have_has_general_words_and_no_target(stories: Stories) -> None:
    facts = facts_of(rex(replace(stories["disk"](), kind=None), ENGLISH))
    assert (facts["Target"], facts["Incident kind"]) == ("no target set", "Storage of recordings full (hmp-disk-full)")
    unknown = stories["bare"]()
    assert facts_of(rex(unknown, ENGLISH))["Incident kind"] == "Technical incident (flood)"


def test_each_message_is_shown_with_when_it_was_due_and_left_and_what_the_server_said(stories: Stories) -> None:
    document = rex(stories["link"](), ENGLISH)
    client, own, missed = blocks(document, "told", Table)
    assert [(row[0].text, row[3].text) for row in missed.rows] == [
        ("update no. 1", "late by 4\u00a0min\u00a010\u00a0s"),
        ("update no. 2", "missed, never sent"),
        ("resolved notice", "refused, never sent"),
    ]
    rows = [[cell.text for cell in row] for row in client.rows]
    assert rows == [
        [
            "first notice",
            "Desk ATT (mail)",
            "14:04:42",
            "14:04:24",
            "on time",
            "accepted: 250 2.0.0 Ok: queued as 4F1A2B",
        ],
        ["update no. 1", "Desk ATT (mail)", "15:03:12", "15:07:22", "4\u00a0min\u00a010\u00a0s", rows[0][5]],
        ["update no. 2", "Desk ATT (mail)", "16:03:12", "not sent", "–", "missed; the next message says so"],
        ["resolved notice", "Desk ATT (mail)", "16:30:12", "16:30:14", "2\u00a0s", rows[0][5]],
    ]
    assert [row[4].tone for row in client.rows] == [Tone.PLAIN, Tone.BAD, Tone.PLAIN, Tone.PLAIN]
    assert own.rows[-1][5] == Words("refused for good, never sent: 550 5.1.1 boîte inconnue", Tone.BAD)
    assert "Messages accepted: 3 of 4; late: 1, by 4\u00a0min\u00a010\u00a0s at most; never sent: 1." in written(
        document, "told"
    )


def test_a_conference_that_was_to_be_called_is_promised_and_one_that_was_missed_is_named(stories: Stories) -> None:
    material = stories["link"]()
    assert material.protocol is not None
    protocol = replace(material.protocol, conference_to=("att",), conference_after=timedelta(minutes=60))
    key = replace(material.notices[2].key, step=Step.CONFERENCE, n=1)
    missed = replace(material.notices[3], key=key)
    late = replace(material.notices[2], key=replace(key, n=2))
    material = replace(material, protocol=protocol, notices=(*material.notices, missed, late))
    document = rex(material, ENGLISH)
    assert "Conference call with Desk ATT once it has lasted 1\u00a0h." in written(document, "told")
    client, *_ = blocks(document, "told", Table)
    rows = [[cell.text for cell in row] for row in client.rows if row[0].text == "conference call"]
    assert [row[5] for row in rows if row[3] == "not sent"] == ["missed; it was over before it could be sent"]
    assert [row[4] for row in rows if row[3] != "not sent"] == ["4\u00a0min\u00a010\u00a0s"]


def test_a_message_that_never_came_into_being_is_named(stories: Stories) -> None:
    material = stories["link"]()
    document = rex(replace(material, notices=material.notices[:2] + material.notices[3:]), ENGLISH)
    *_, missed = blocks(document, "told", Table)
    assert [cell.text for cell in missed.rows[0]][::3] == ["update no. 1", "missing: it never came into being"]


def test_where_every_deadline_was_met_or_none_is_on_record_that_is_said(stories: Stories) -> None:
    material = stories["disk"]()
    assert "None: every message that the protocol demanded left in time." in written(rex(material, ENGLISH), "told")
    unknown = rex(replace(material, protocol=None), ENGLISH)
    assert "Whether any is missing cannot be said: no protocol is on record." in written(unknown, "told")


def test_a_rehearsal_is_no_proof_that_the_client_was_told(stories: Stories) -> None:
    material = stories["link"]()
    assert material.protocol is not None
    document = rex(replace(material, protocol=replace(material.protocol, live=False)), ENGLISH)
    assert "this was a rehearsal: the client was not told" in written(document, "summary")
    assert "The client was not told." in written(document, "told")
    assert "a rehearsal: not told" in written(document, "times")
    assert document.data["moments"]["told_client"] is None


def test_every_attempt_of_a_runbook_is_shown_with_its_evidence_and_its_proof(stories: Stories) -> None:
    document = rex(stories["disk"](), ENGLISH)
    (steps,) = blocks(document, "repair", Table)
    assert [row[0].text for row in steps.rows] == ["1", "2", "2", "2"]
    assert steps.rows[0][4] == Words("failed: la connexion à l’archive a été coupée", Tone.BAD)
    assert steps.rows[0][5].text == (
        "files seen: 430; files ready to be archived: 412; files copied and read back: 118; size: 31.4\u00a0GB; "
        "files that failed: 1; among them: rec-0118.wav"
    )
    assert steps.rows[2][3].text == "1\u00a0min\u00a044\u00a0s"
    assert steps.rows[3][1].text == "Look at hmp-disk again"
    assert steps.rows[3][4].tone is Tone.GOOD
    (facts,) = blocks(document, "repair", Facts)
    values = dict(facts.rows)
    assert values["Runbook"].text == "purge-audio, version 3f9c1a2b4d5e"
    assert values["Attempts"].text == "2 of at most 3"
    assert values["Proof"].text.startswith("hmp-disk: OK, D: is 70.5% full")
    (listing,) = blocks(document, "repair", Listing)
    assert listing.text.endswith("error: broken pipe")


def test_a_simulation_is_shown_after_what_was_done_and_counts_as_no_repair(stories: Stories) -> None:
    material = stories["disk"]()
    simulated = replace(material.runs[0], state=RunState.SIMULATED, live=False)
    document = rex(replace(material, runs=(simulated,)), ENGLISH)
    assert "simulated: nothing was changed" in written(document, "repair")
    assert "It ended without a runbook" in written(document, "summary")
    assert document.data["moments"]["repair_started"] is None


def test_a_run_that_waits_for_an_answer_shows_the_question_and_is_no_failure(stories: Stories) -> None:
    material = stories["disk"]()
    (run,) = material.runs
    asked = replace(run.log[2], kind=RunEventKind.ASKED, actor="releve", text=verbatim("delete them?"), data={})
    answered = replace(asked, kind=RunEventKind.ANSWERED, actor="paul", text=verbatim("yes"))
    waiting = replace(run, log=(*run.log[:2], asked), state=RunState.WAITING, proof=None, ended_at=None, text=say(""))
    document = rex(replace(material, runs=(waiting,)), ENGLISH)
    (steps,) = blocks(document, "repair", Table)
    assert [cell.text for cell in steps.rows[0]][1:5:3] == [
        "Question to a person: delete them?",
        "the run waits for the answer",
    ]
    (facts,) = blocks(document, "repair", Facts)
    values = dict(facts.rows)
    assert values["How it ended"] == Words("waiting for a person's answer")
    assert values["Proof"] == Words("not yet", Tone.GAP)
    said = replace(waiting, log=(*waiting.log, answered))
    (steps,) = blocks(rex(replace(material, runs=(said,)), ENGLISH), "repair", Table)
    assert [cell.text for cell in steps.rows[1]][1:5:3] == ["Answer of paul", "yes"]


def test_what_failed_before_it_was_begun_and_what_nobody_knows_are_told_apart(stories: Stories) -> None:
    material = stories["disk"]()
    (run,) = material.runs
    intent, failed = run.log[2], run.log[3]
    early = replace(run, log=(*run.log[:2], failed))
    (steps,) = blocks(rex(replace(material, runs=(early,)), ENGLISH), "repair", Table)
    assert steps.rows[0][3:5] == (Words("–"), Words("failed: la connexion à l’archive a été coupée", Tone.BAD))
    void = replace(intent, kind=RunEventKind.VOID, text=say("it was not carried out, or may be repeated"))
    unknown = replace(run, log=(*run.log[:2], intent, void, intent))
    (steps,) = blocks(rex(replace(material, runs=(unknown,)), ENGLISH), "repair", Table)
    assert [row[4].text for row in steps.rows] == [
        "to be done again: it was not carried out, or may be repeated",
        "outcome not on record",
    ]
    refused = replace(run.log[-1], actor="paul", text=verbatim("a person said no"))
    (steps,) = blocks(
        rex(replace(material, runs=(replace(run, log=(*run.log[:2], refused)),)), ENGLISH), "repair", Table
    )
    assert steps.rows[0][1].text == "Answer of paul"


def test_covered_checks_are_counted_in_the_timeline(stories: Stories) -> None:
    table: Table
    (table,) = blocks(rex(stories["link"](), ENGLISH), "timeline", Table)
    told = [row[3].text for row in table.rows]
    assert "2 checks fail because of it, not told by themselves: ocm-sip, ocm-app" in told
    assert len(told) == len(stories["link"]().incident.timeline) - 2


def test_the_timeline_of_ten_thousand_events_is_cut_and_says_how_many_are_missing(stories: Stories) -> None:
    material = stories["link"]()
    note = material.incident.timeline[-1]
    many = [replace(note, at=note.at + timedelta(seconds=n), text=verbatim(f"n° {n}")) for n in range(10_000)]
    incident = incidents_of([*material.incident.timeline, *many])[material.incident.id]
    document = rex(replace(material, incident=incident), ENGLISH)
    (table,) = blocks(document, "timeline", Table)
    assert len(table.rows) == 61
    lines = len(material.incident.timeline) - 2 + 10_000
    assert table.rows[30][3].text == f"Events not shown here: {lines - 60}"
    assert table.rows[-1][3].text == "n° 9999"
    assert "releve incident show 26-0008" in table.note


def test_long_lists_are_cut_with_a_count(stories: Stories) -> None:
    material = stories["link"]()
    many = tuple(
        replace(material.notices[1], key=replace(material.notices[1].key, n=n), state=NoticeState.SENT)
        for n in range(500)
    )
    checks = tuple(CheckId(f"poste-{n:03}") for n in range(100))
    incident = replace(material.incident, suppressed=checks)
    document = rex(replace(material, notices=many, incident=incident), ENGLISH)
    own, _missed = blocks(document, "told", Table)
    assert len(own.rows) == 60
    assert "Messages not shown: 440." in own.note
    assert "100 more checks failed" in written(document, "impact")
    assert "poste-011 and 88 more" in written(document, "impact")


def test_series_without_samples_are_not_drawn_and_their_absence_is_said(stories: Stories) -> None:
    link = stories["link"]()
    (figure,) = blocks(rex(link, ENGLISH), "measurements", Figure)
    titles = ["fo-peer: loss (root cause)", "fo-peer: round-trip time (root cause)"]
    assert [panel.title for panel in figure.plot.panels] == titles
    empty = replace(link, curves=tuple(replace(curve, samples=()) for curve in link.curves))
    assert "No measurement of this time is on record." in written(rex(empty, ENGLISH), "measurements")
    broken = replace(link, curves=(), unmeasured=say("the disk is full"))
    assert "The measurements cannot be read: the disk is full" in written(rex(broken, ENGLISH), "measurements")


def test_the_drawing_shades_the_incident_and_marks_its_moments(stories: Stories) -> None:
    (figure,) = blocks(rex(stories["disk"](), ENGLISH), "measurements", Figure)
    plot = figure.plot
    assert plot.shaded == (30 * 60.0, 30 * 60.0 + 14 * 60 + 20)
    assert [mark.at for mark in plot.marks] == sorted(mark.at for mark in plot.marks)
    assert "A\u00a0began 14:03:12, B\u00a0confirmed 14:06:12, C\u00a0repair started 14:06:53" in figure.note
    assert [(limit.value, limit.severe) for limit in plot.panels[0].limits] == [(80, False), (90, True)]
    assert plot.axis == "Douala time, 2026-11-23"
    assert "from 70.5% to 91.88%" in figure.said


def test_an_incident_in_which_nothing_could_be_seen_claims_nothing_of_the_client(stories: Stories) -> None:
    material = stories["bare"]()
    blind = replace(material, incident=replace(material.incident, kind=BLIND))
    document = rex(blind, ENGLISH)
    assert facts_of(document)["Client's service"] == "not known: nothing could be seen"
    assert "is not known; the client was not told" in written(document, "summary")


def test_no_address_of_a_contact_stands_in_a_review(material: Material, reader: Speech) -> None:
    whole = " ".join(text for _name, text in texts(as_json(rex(material, reader))))
    assert "@example.org" not in whole


def test_every_kind_of_event_has_a_word(stories: Stories) -> None:
    material = stories["bare"]()
    opened = material.incident.timeline[0]
    told = [opened, *(replace(opened, kind=kind, text=say("it")) for kind in EventKind if kind is not EventKind.OPENED)]
    incident = replace(material.incident, timeline=tuple(told))
    (table,) = blocks(rex(replace(material, incident=incident), ENGLISH), "timeline", Table)
    steps = [row[2].text for row in table.rows]
    assert len(steps) == len(EventKind)
    assert not {kind.value for kind in EventKind} & set(steps)


def test_every_message_state_and_measure_has_words() -> None:
    assert set(rex_told.STEPS) == set(Step)
    assert set(rex_told.STATES) == set(NoticeState)
    assert set(rex_repair.STATES) == set(RunState)
    assert set(rex_measured.RELATIONS) == set(Relation)


def test_what_lasted_less_than_a_minute_is_not_told_from_a_time_to_the_same_time(stories: Stories) -> None:
    material = stories["disk"]()
    began = material.incident.began_at.replace(second=1)
    ended = began + timedelta(seconds=12)
    document = rex(replace(material, incident=replace(material.incident, began_at=began, resolved_at=ended)), ENGLISH)
    clock = ENGLISH.clock(began)
    assert f", at {clock}, Douala time: 12" in facts_of(document)["When"]
    assert f"at {clock}, Douala time" in written(document, "summary")
    assert f"from {clock}" not in written(document, "summary") + facts_of(document)["When"]


def test_what_a_probe_measures_is_called_by_words_and_found_by_its_name() -> None:
    for kind in kinds():
        unnamed = [name for name, _unit in load(kind).metrics if metric_label(name) is None]
        assert not unnamed, f"{kind}: say in monitor/reports/metrics.py what these are called"
    assert metric_label("a_plugins_own") is None


def test_a_french_review_names_what_was_measured_in_french(stories: Stories) -> None:
    document = rex(stories["disk"](), speech("fr", "Africa/Douala"))
    table = blocks(document, "measurements", Table)[0]
    assert "taux d’occupation (used)" in [row[1].text for row in table.rows]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RunState.FAILED, "The runbook purge-audio did not repair it"),
        (RunState.WAITING, "The runbook purge-audio waits for a person's answer"),
        (RunState.RUNNING, "The runbook purge-audio is at work"),
        (RunState.SUCCEEDED, "The last of 2 runs of runbooks repaired it: purge-audio"),
    ],
)
def test_after_a_relapse_the_summary_says_what_the_last_run_came_to(
    stories: Stories, state: RunState, said: str
) -> None:
    material = stories["disk"]()
    (first,) = material.runs
    again = replace(first, id=RunId("R26-0099"), started_at=first.started_at + timedelta(hours=1), state=state)
    assert said in written(rex(replace(material, runs=(again, first)), ENGLISH), "summary")


def test_what_wavered_and_who_was_on_it_until_when_stand_in_the_timeline(stories: Stories) -> None:
    material = stories["bare"]()
    opened = material.incident.timeline[0]

    def then(minutes: int, kind: EventKind, text: str, **more: object) -> Event:
        return replace(opened, at=opened.at + timedelta(minutes=minutes), kind=kind, text=say(text), **more)

    told = (
        opened,
        then(1, EventKind.FLAPPING, "timed out", check=CheckId("fo")),
        then(2, EventKind.ACKNOWLEDGED, "Acknowledged", actor="awa", until=opened.at + timedelta(minutes=30)),
        then(30, EventKind.UNACKNOWLEDGED, "The acknowledgement has lapsed: nobody is on it"),
        then(40, EventKind.STEADY, "answers", check=CheckId("fo")),
    )
    document = rex(replace(material, incident=replace(material.incident, timeline=told)), ENGLISH)
    (table,) = blocks(document, "timeline", Table)
    rows = [(row[2].text, row[3].text) for row in table.rows][1:]
    until = ENGLISH.clock(opened.at + timedelta(minutes=30))
    assert rows == [
        ("Instability", "fo: It comes and goes: timed out"),
        ("Acknowledgement", f"Acknowledged (until {until})"),
        ("End of the acknowledgement", "The acknowledgement has lapsed: nobody is on it"),
        ("Stability", "fo: It is steady again: answers"),
    ]
    assert "Acknowledgements that ended before the incident did: 1" in written(document, "lessons")


def test_the_announced_work_that_an_incident_belongs_to_stands_at_its_head(stories: Stories) -> None:
    material = stories["bare"]()
    assert not [label for label, _ in rex(material, ENGLISH).facts.rows if label == "Announced maintenance"]
    opened = replace(material.incident.timeline[0], window="new-fibre")
    again = replace(opened, kind=EventKind.REOPENED, window="radio")
    incident = replace(material.incident, timeline=(opened, again, again), window="radio")
    document = rex(replace(material, incident=incident, works={"new-fibre": {"fr": "Nouvelle fibre"}}), ENGLISH)
    assert ("Announced maintenance", Words("Nouvelle fibre, radio")) in document.facts.rows
    assert document.data["maintenance"] == ["new-fibre", "radio"]
