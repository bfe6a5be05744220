"""A move in the review of the incident that it answered: which belongs to it, what it did, what it reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.language import speech
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from failover.phases import Direction, Phase
from failover.run import Move, MoveEventKind, MoveId, MoveState
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.incident import replay as incidents_of
from monitor.core.text import say, text_to_json, verbatim
from monitor.core.verdict import Severity
from monitor.inventory.load import load
from monitor.reports.document import Facts, Table, Tone, Words
from monitor.reports.gather import material
from monitor.reports.material import Material
from monitor.reports.moved import DONE, answers, story
from monitor.reports.rex import rex
from monitor.reports.rex_moves import MOST_MOVES, STATES
from monitor.store import Batch, open_store
from tests.inventory.test_concern import GROUPS
from tests.inventory.test_continuity import GOOD
from tests.reports.moves import BEGAN, NAME, PLAN, THROUGH, Course, moved

ENGLISH, FRENCH = speech("en", "Africa/Douala"), speech("fr", "Africa/Douala")
INCIDENT = IncidentId("26-0009")
Stories = dict[str, Callable[[], Material]]


def at(seconds: float) -> datetime:
    """So long after the move began."""
    return BEGAN + timedelta(seconds=seconds)


def lasting(began: float, ended: float | None, check: str = "agents", kind: str = "agents-stopped") -> Incident:
    """An incident that lasted from then until then, seconds after the move began."""
    first = Event(
        INCIDENT, at(began), EventKind.OPENED, RELEVE, say("down"), CheckId(check), Severity.CRITICAL, kind, at(began)
    )
    last = [] if ended is None else [Event(INCIDENT, at(ended), EventKind.RESOLVED, RELEVE, say("OK again"))]
    return incidents_of([first, *last])[INCIDENT]


FAILOVER, PLANNED, DRILL = Direction.FAILOVER, Direction.SWITCHOVER, Direction.DRILL


@pytest.mark.parametrize(
    ("move", "incident", "belongs"),
    [
        pytest.param(moved(), lasting(-60, 30), True, id="what verifies the old site failed when it moved"),
        pytest.param(moved(), lasting(-60, 30, "calls"), True, id="what verifies the new one"),
        pytest.param(moved(), lasting(-60, 30, "ups", "calls-lost"), True, id="the plan answers its kind"),
        pytest.param(moved(), lasting(-60, 30, "ups", "power"), False, id="something else failed meanwhile"),
        pytest.param(moved(incident=INCIDENT), lasting(-60, 30, "ups", "power"), True, id="it was begun for it"),
        pytest.param(moved(), lasting(-90, -60), False, id="it was over before"),
        pytest.param(moved(), lasting(60, 90), False, id="it began afterwards"),
        pytest.param(moved(), lasting(10, 90), True, id="it was seen only while the site that was lost was left"),
        pytest.param(moved(PLANNED), lasting(10, 90), False, id="what fails in a planned move began with it"),
        pytest.param(moved(PLANNED), lasting(-60, None), True, id="a planned move out of trouble"),
        pytest.param(moved(DRILL, incident=INCIDENT), lasting(-60, 30), False, id="a drill answers nothing"),
        pytest.param(
            Course().phases(1, (Phase.ANNOUNCE,)).ended(2, MoveState.STOPPED, say("stopped")).folded(),
            lasting(-60, 30), False, id="it did nothing",
        ),
        pytest.param(
            Course(incident=INCIDENT).ended(2, MoveState.STOPPED, say("stopped")).folded(),
            lasting(-60, 30), True, id="it did nothing, but was begun for it",
        ),
    ],
)  # fmt: skip
def test_which_incident_a_move_belongs_to(move: Move, incident: Incident, belongs: bool) -> None:
    assert answers(move, incident, incident.resolved_at or at(3600)) is belongs


def said(move: Move, incident: Incident) -> list[tuple[str, str, str]]:
    return [(one.kind.value, one.actor, ENGLISH.render(one.text)) for one in story(incident, (move,)) if one.run]


def test_a_move_by_itself_is_told_line_by_line_with_the_word_that_it_asked_for() -> None:
    assert said(moved(), lasting(-60, 60)) == [
        ("note", RELEVE, "it begins; plus de courant"),
        ("called", RELEVE, "the move F26-0001 asks: la ligne est-elle coupée ?"),
        ("note", "paul", "answer to the move F26-0001: oui : vu sur place"),
        ("note", RELEVE, "Douala is proven to have no further effect"),
        ("note", RELEVE, "the copy at Yaoundé is the original from now on"),
        ("note", RELEVE, "calls and users are switched to Yaoundé"),
        ("note", RELEVE, "the service is seen to work at Yaoundé"),
        ("note", RELEVE, "the move F26-0001 is over: les appels aboutissent à Yaoundé"),
    ]


@pytest.mark.parametrize(
    ("more", "stated"),
    [
        ({"by": "awa"}, "it begins; plus de courant; stated before: at most the last 8.8\xa0s will be lost"),
        ({"by": "awa", "loss": None}, "it begins; plus de courant; stated before: nobody can say what will be lost"),
        ({"by": "awa", "direction": PLANNED}, "it begins; plus de courant"),
        ({"loss": 8.8}, "it begins; plus de courant"),
    ],
)
def test_what_was_stated_before_the_word_of_a_person_stands_with_it(more: dict[str, Any], stated: str) -> None:
    (first, *_) = said(moved(**more), lasting(-60, 60))
    assert first == ("note", more.get("by", RELEVE), stated)


@pytest.mark.parametrize(
    ("phases", "lines"),
    [
        ((Phase.FENCE,), []),
        ((Phase.FENCE, Phase.BACK), ["Douala is started again"]),
        ((Phase.FENCE, Phase.SYNC, Phase.PROMOTE), ["Douala is proven to have no further effect"]),
        (
            (Phase.PROMOTE, Phase.FENCE, Phase.PROMOTE, Phase.START),
            ["Douala is proven to have no further effect", "the copy at Yaoundé is the original from now on"],
        ),
        ((Phase.START, Phase.SWITCH), []),
    ],
)
def test_only_what_is_done_is_told(phases: tuple[Phase, ...], lines: list[str]) -> None:
    told = said(Course().phases(1, phases).folded(), lasting(-60, None))
    assert [text for _kind, _actor, text in told[1:]] == lines


def test_a_check_that_failed_at_last_verifies_nothing() -> None:
    course = Course().phases(1, THROUGH).seen(20).seen(21, ok=False)
    move = course.ended(30, MoveState.REFUSED, verbatim("non"), "paul").folded()
    told = said(move, lasting(-60, None))
    assert told[-1] == ("note", "paul", "the move F26-0001 is over: non")
    assert not any("seen to work" in text for _kind, _actor, text in told)


def test_what_the_incident_was_told_of_a_move_is_not_told_twice() -> None:
    incident, move = lasting(-60, 60), moved(incident=INCIDENT)
    note = Event(INCIDENT, at(1), EventKind.NOTE, RELEVE, say("so"), run=NAME)
    own = (note, replace(note, kind=EventKind.CALLED, asks=True), replace(note, kind=EventKind.MESSAGE))
    people = replace(note, run="", actor="awa")
    told = replace(incident, timeline=(*incident.timeline, *own, people))
    kept = [one for one in story(told, (move,)) if ENGLISH.render(one.text) == "so"]
    assert [(one.kind, one.actor) for one in kept] == [(EventKind.MESSAGE, RELEVE), (EventKind.NOTE, "awa")]
    assert story(told, ()) == told.timeline


def report_to(who: str, sent: datetime | None) -> Notice:
    key = NoticeKey(IncidentId(NAME), Audience.INTERNAL, Step.FAILOVER_REPORT, 1, who)
    state = NoticeState.PENDING if sent is None else NoticeState.SENT
    words = Message("sujet", "texte", "<p>texte</p>", "court")
    name, to = key.message_id("site"), f"{who}@example.org"
    return Notice(key, at(22), at(22), name, words, "mail", to, "fr", state, 1, None, sent, "250 Ok")


def reviewed(stories: Stories, move: Move, *notices: Notice) -> Material:
    return replace(stories["link"](), moves=(move,), move_reports=notices)


def facts_of(found: Material) -> dict[str, Words]:
    section = next(one for one in rex(found, ENGLISH).sections if one.name == "repair")
    (facts,) = (block for block in section.blocks if isinstance(block, Facts))
    return dict(facts.rows)


def test_the_review_names_the_move_with_its_way_what_it_reached_and_where_its_report_is(stories: Stories) -> None:
    found = reviewed(stories, moved(), report_to("admin", at(23)), report_to("att", at(24)), report_to("x", None))
    facts = facts_of(found)
    assert {label: words.text for label, words in facts.items()} == {
        "Kind": "forced move", "From": "Douala", "To": "Yaoundé", "Started by": "Relève, by itself",
        "Why": "plus de courant", "Began": "14:05:00", "Ended": "14:05:22",
        "How it ended": "the move succeeded: les appels aboutissent à Yaoundé",
        "RTO": "20\xa0s, within the promised 30\xa0min", "RPO": "8.8\xa0s, within the promised 5\xa0min",
        "Report of the move":
            "F26-0001, mailed to Administrateur SI, Desk ATT (the first: 14:05, Douala time)",
    }  # fmt: skip
    document = rex(found, ENGLISH)
    assert "The group appels was moved to Yaoundé (F26-0001)" in str(document.sections[0])
    assert document.data["moves"][0]["rpo_s"] == 8.8
    assert document.data["moments"]["repair_started"] == "2026-11-23T13:05:00.000Z"
    table = next(one for one in document.sections if one.name == "timeline").blocks[0]
    assert isinstance(table, Table)
    steps = [(row[1].text, row[2].text, row[3].text) for row in table.rows]
    assert ("Relève", "Move", "Douala is proven to have no further effect") in steps
    assert ("paul", "Move", "answer to the move F26-0001: oui : vu sur place") in steps


def test_a_move_that_ended_before_it_did_anything_began_no_repair(stories: Stories) -> None:
    vain = Course(incident=INCIDENT).phases(1, (Phase.ANNOUNCE,)).ended(2, MoveState.LEASE_LOST, say("lost")).folded()
    moments = [rex(replace(stories["link"](), moves=moves), ENGLISH).data["moments"] for moves in ((), (vain,))]
    assert moments[1]["repair_started"] == moments[0]["repair_started"] != "2026-11-23T13:05:00.000Z"


def test_a_person_who_gave_no_reason_leaves_no_gap_that_nobody_can_fill(stories: Stories) -> None:
    assert "Why" not in facts_of(reviewed(stories, moved(by="awa", reason=text_to_json(verbatim("")))))


def test_what_a_move_did_not_reach_is_shown_as_such(stories: Stories) -> None:
    course = Course(by="awa").phases(1, THROUGH)
    late = course.ended(9000, MoveState.SUCCEEDED, verbatim("fin"), rto=9000.0).folded()
    facts = facts_of(reviewed(stories, late, report_to("att", None)))
    assert facts["RTO"] == Words("2\xa0h\xa030\xa0min, MORE than the promised 30\xa0min", Tone.BAD)
    assert facts["RPO"] == Words("not known (promised: 5\xa0min)", Tone.GAP)
    assert facts["Report of the move"] == Words("no message left", Tone.GAP)
    assert facts["What may be lost"].text == "stated before: at most the last 8.8\xa0s will be lost"


@pytest.mark.parametrize(
    ("course", "ending"),
    [
        (Course().phases(1, THROUGH), "The move F26-0001 of appels to Yaoundé is under way"),
        (
            Course().phases(1, THROUGH).tell(9, MoveEventKind.ASKED, say("?")),
            "The move F26-0001 of appels to Yaoundé waits for a person's answer",
        ),
        (
            Course().phases(1, THROUGH).ended(9, MoveState.FAILED, say("no")),
            "The move F26-0001 of appels to Yaoundé did not succeed",
        ),
    ],
)
def test_the_summary_says_how_the_move_stands(stories: Stories, course: Course, ending: str) -> None:
    assert ending in str(rex(reviewed(stories, course.folded()), ENGLISH).sections[0])


def test_every_state_of_a_move_has_words() -> None:
    assert set(STATES) == set(MoveState)
    assert set(DONE) <= set(THROUGH) | {Phase.STOP}


@pytest.mark.parametrize("move", [moved(), moved(PLANNED, by="awa"), Course().folded()])
def test_a_review_with_a_move_is_written_in_both_languages(stories: Stories, move: Move) -> None:
    for reader in (ENGLISH, FRENCH):
        assert "F26-0001" in str(rex(reviewed(stories, move), reader))


def test_the_moves_of_an_incident_and_their_reports_are_gathered(tmp_path: Path) -> None:
    incident, course = lasting(-60, 60), Course().phases(1, THROUGH).ended(9, MoveState.FAILED, say("no"))
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        told = (report_to("admin", at(23)), replace(report_to("att", None), key=_plan_key()))
        store.commit(Batch(events=incident.timeline, notices=told, move_events=tuple(course.events)))
        found = material(store, incident, None, at(90))
        assert [(move.id, move.state) for move in found.moves] == [(NAME, MoveState.FAILED)]
        assert [one.key.recipient for one in found.move_reports] == ["admin"]
        assert material(store, lasting(60, 90), None, at(90)).moves == ()
        assert store.moves_during(at(9), at(10)) == list(found.moves)
        assert store.moves_during(at(-9), at(-1)) == store.moves_during(at(10), at(11)) == []


@pytest.mark.parametrize(("check", "belongs"), [("port-1", True), ("port-2", False), ("calls", True)])
def test_what_fails_at_the_site_to_which_a_group_moves_is_not_answered_by_its_kind(
    tmp_path: Path, check: str, belongs: bool
) -> None:
    (tmp_path / "inventory.yaml").write_text(GOOD, "utf-8")
    inventory = load(tmp_path / "inventory.yaml").inventory
    incident, course = lasting(-9000, None, check, "calls-lost"), Course(incident="26-0010").phases(1, THROUGH)
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        store.commit(Batch(events=incident.timeline, move_events=tuple(course.events)))
        assert bool(material(store, incident, inventory, at(90)).moves) is belongs


@pytest.mark.parametrize(
    ("check", "own", "belongs"),
    [
        pytest.param("port-1", None, True, id="a server of the group that moved"),
        pytest.param("sip-1", None, False, id="a server of another group between the same sites"),
        pytest.param("paie-3", None, False, id="a server of a group between other sites"),
        pytest.param("calls", None, True, id="what both groups serve"),
        pytest.param("sip-1", INCIDENT, True, id="the move was begun for it nevertheless"),
    ],
)
def test_of_groups_that_share_a_kind_a_review_tells_the_move_of_its_own(
    tmp_path: Path, check: str, own: IncidentId | None, belongs: bool
) -> None:
    (tmp_path / "inventory.yaml").write_text(GROUPS, "utf-8")
    inventory = load(tmp_path / "inventory.yaml").inventory
    frozen = {**PLAN, "kinds": ["site-lost"], "parts": {}}
    incident = lasting(-9000, None, check, "site-lost")
    course = Course(plan=frozen, incident=own).phases(1, THROUGH)
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        store.commit(Batch(events=incident.timeline, move_events=tuple(course.events)))
        assert bool(material(store, incident, inventory, at(90)).moves) is belongs


def tries(stories: Stories, states: list[MoveState]) -> Material:
    """The review of an incident with that many moves, of which the failed ones did nothing."""
    found = []
    for n, state in enumerate(states):
        phases = THROUGH if state is MoveState.SUCCEEDED else THROUGH[:1]
        move = Course().phases(1, phases).ended(9, state, verbatim("fin")).folded()
        found.append(replace(move, id=MoveId(f"F26-{n:04}"), started_at=at(n)))
    return replace(stories["link"](), moves=tuple(found))


def repair_of(found: Material) -> list[Any]:
    return list(next(one for one in rex(found, ENGLISH).sections if one.name == "repair").blocks)


def test_of_very_many_moves_the_one_that_did_it_is_shown_and_the_others_are_counted(stories: Stories) -> None:
    found = tries(stories, [MoveState.FAILED] * 20 + [MoveState.SUCCEEDED] + [MoveState.FAILED] * 3)
    blocks = repair_of(found)
    shown = [block.title for block in blocks if isinstance(block, Facts) and block.title.startswith("Move ")]
    assert shown == [*(f"Move F26-{n:04}" for n in range(MOST_MOVES - 1)), "Move F26-0020"]
    last = next(block for block in blocks if "Moves not shown" in str(block))
    assert f"Moves not shown: {24 - MOST_MOVES}; all of them: releve report rex" in str(last)
    assert len(rex(found, ENGLISH).data["moves"]) == 24


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "What was done is the move below"), (2, "What was done are the moves below"), (MOST_MOVES, "the moves below")],
)
def test_as_many_as_a_review_has_room_for_are_all_shown(stories: Stories, count: int, words: str) -> None:
    blocks = repair_of(replace(tries(stories, [MoveState.SUCCEEDED] * count), runs=()))
    assert words in str(blocks[0])
    assert sum(isinstance(block, Facts) for block in blocks) == count
    assert "not shown" not in str(blocks)


def _plan_key() -> NoticeKey:
    return NoticeKey(IncidentId(NAME), Audience.CLIENT, Step.DEPLOYMENT_PLAN, 1, "att")
