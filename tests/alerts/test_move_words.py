"""The deployment plan and the report of a move: three lines that say it all, and no machine's name for the client."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.compose import compose
from alerts.context import Context
from alerts.gsm import LIMIT, septets
from alerts.language import speech
from alerts.moved import Manner, Moved, Part
from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.ids import IncidentId
from monitor.core.text import say

BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
DOUALA = ZoneInfo("Africa/Douala")
MINUTE = timedelta(minutes=1)
REPORT = Step.FAILOVER_REPORT
PLAN = Moved(
    name="F26-0003",
    title="CRM",
    manner=Manner.PLANNED,
    source="Douala",
    target="Yaoundé",
    began_at=BEGAN,
    due_at=BEGAN + 30 * MINUTE,
    parts=(
        Part(say("the old site is stopped"), (say("run systemctl on sql-1"),)),
        Part(say("the new site is started"), (say("run systemctl on sql-2"),)),
    ),
    by="admin",
    reason=say("works on the mains"),
    rto_promised=30 * MINUTE,
    rpo_promised=5 * MINUTE,
)
DONE = replace(
    PLAN,
    parts=tuple(replace(part, took=2 * MINUTE) for part in PLAN.parts),
    ok=True,
    how=say("it runs"),
    runs_at="Yaoundé",
    ended_at=BEGAN + 6 * MINUTE,
    rto=4 * MINUTE,
    rpo=timedelta(0),
)


def text_of(move: Moved, step: Step, audience: Audience = Audience.CLIENT, language: str = "en") -> str:
    return message(move, step, audience, language).text


def message(move: Moved, step: Step, audience: Audience = Audience.CLIENT, language: str = "en"):
    key = NoticeKey(IncidentId(move.name), audience, step, 3, "dsi")
    context = Context("Douala", speech(language, DOUALA), BEGAN + 6 * MINUTE, move=move)
    return compose(Planned(key, BEGAN), None, context)


def lines(move: Moved, step: Step) -> list[str]:
    return [line for line in text_of(move, step).splitlines() if line.strip()][:3]


@pytest.mark.parametrize(
    ("manner", "what", "impact"),
    [
        (Manner.PLANNED, "It moves from Douala", "Impact: the service is interrupted while it moves. No data is lost."),
        (Manner.FORCED, "Douala is lost", "Nobody can say how much of the latest data will be lacking."),
        (Manner.DRILL, "the service goes on at Douala", "Impact: none, nobody is switched."),
    ],
)
def test_the_plan_says_what_happens_what_it_means_and_when_the_next_message_comes(manner, what, impact):
    first, second, third = lines(replace(PLAN, manner=manner), Step.DEPLOYMENT_PLAN)
    assert what in first
    assert impact in second
    assert "the report, as soon as it is over, at 15:30" in third


def test_the_stated_loss_stands_in_the_plan_of_a_forced_move():
    _, second, _ = lines(replace(PLAN, manner=Manner.FORCED, loss=timedelta(seconds=40)), Step.DEPLOYMENT_PLAN)
    assert "At most the last 40\u00a0s of data will be lacking" in second


@pytest.mark.parametrize(
    ("move", "what", "impact"),
    [
        (
            DONE,
            "Move of CRM to Yaoundé: succeeded. It was over at 15:06",
            "The service works at Yaoundé. It was interrupted for 4",
        ),
        (replace(DONE, ok=False, runs_at="Douala"), "Move of CRM to Yaoundé: FAILED", "The service runs at Douala"),
        (replace(DONE, ok=False, runs_at=""), "Move of CRM to Yaoundé: FAILED", "The service runs nowhere"),
        (
            replace(DONE, manner=Manner.DRILL),
            "Exercise of CRM at Yaoundé: succeeded",
            "None, the service went on at Douala",
        ),
    ],
)
def test_the_report_says_how_it_ended_and_where_the_service_runs(move, what, impact):
    first, second, third = lines(move, Step.FAILOVER_REPORT)
    assert what in first
    assert impact.casefold() in second.casefold()
    assert third == "No further message about this move."


def test_nothing_is_said_to_be_lost_only_where_every_change_had_waited():
    forced = replace(PLAN, manner=Manner.FORCED, loss=timedelta(0))
    _, second, _ = lines(replace(forced, kept=True), Step.DEPLOYMENT_PLAN)
    assert second.endswith("No data is lost: every change had waited for its copy.")
    assert "had waited" not in text_of(forced, Step.DEPLOYMENT_PLAN)
    done = replace(DONE, manner=Manner.FORCED)
    assert "nothing was lost: every change had waited for its copy" in text_of(replace(done, kept=True), REPORT)
    assert "nothing was lost" not in text_of(done, REPORT)
    assert "nothing was lost" not in text_of(replace(done, kept=True, rpo=5 * MINUTE), REPORT)


def test_a_report_compares_what_was_reached_with_what_was_promised():
    good = text_of(DONE, Step.FAILOVER_REPORT)
    assert "4\u00a0min, within the promised 30\u00a0min" in good
    assert "0\u00a0s, within the promised 5\u00a0min" in good
    late = text_of(replace(DONE, rto=40 * MINUTE, rpo=None), Step.FAILOVER_REPORT)
    assert "40\u00a0min, MORE than the promised 30\u00a0min" in late
    assert "not known (promised: 5\u00a0min)" in late


@pytest.mark.parametrize("step", [Step.DEPLOYMENT_PLAN, Step.FAILOVER_REPORT])
def test_the_client_reads_phases_and_no_machine_and_our_own_people_read_all(step):
    to_client, to_us = (text_of(DONE, step, audience) for audience in (Audience.CLIENT, Audience.INTERNAL))
    assert "the new site is started" in to_client
    assert not {"sql-1", "sql-2", "systemctl", "works on the mains"} & set(to_client.replace(",", " ").split())
    assert "works on the mains" not in to_client
    assert "run systemctl on sql-2" in to_us
    assert "works on the mains" in to_us


@pytest.mark.parametrize(("ok", "audience", "told"), [
    (False, Audience.INTERNAL, True), (False, Audience.CLIENT, False), (True, Audience.INTERNAL, False),
])  # fmt: skip
def test_after_a_move_that_failed_our_own_people_read_where_to_look(ok, audience, told):
    assert ("releve failover status" in text_of(replace(DONE, ok=ok), REPORT, audience)) is told


def test_every_fact_of_a_report_is_set_off_from_its_name_as_the_language_does():
    told = message(DONE, Step.FAILOVER_REPORT, Audience.INTERNAL, language="fr").text.splitlines()
    assert f"{speech('fr', UTC).render(say('From:'))} Douala" in told
    assert any(line.startswith("1. ") for line in told)
    actions = next(line for line in told if "systemctl" in line)
    assert "\u202f; " in actions
    assert "; " not in actions.replace("\u202f; ", "")


@pytest.mark.parametrize("ok", [True, False])
def test_the_sms_of_a_report_says_how_it_ended(ok):
    short = message(replace(DONE, ok=ok), Step.FAILOVER_REPORT).short
    assert short == f"F26-0003 Move of CRM to Yaoundé: {'succeeded' if ok else 'FAILED'}"


@pytest.mark.parametrize("manner", list(Manner))
@pytest.mark.parametrize("step", [Step.DEPLOYMENT_PLAN, Step.FAILOVER_REPORT])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_message_has_a_subject_with_its_name_and_fits_into_one_sms(manner, step, language):
    one = message(replace(DONE, manner=manner, title="Un nom de groupe très long " * 8), step, language=language)
    assert one.subject.startswith("[Relève] F26-0003 ")
    assert (septets(one.short) or 999) <= LIMIT


def test_a_report_answers_the_plan_so_that_both_are_one_thread():
    plan = NoticeKey(IncidentId("F26-0003"), Audience.CLIENT, Step.DEPLOYMENT_PLAN, 3, "dsi")
    report = replace(plan, step=Step.FAILOVER_REPORT)
    assert (plan.thread_id("x"), report.thread_id("x")) == ("", plan.message_id("x"))
    assert plan.message_id("x") != report.message_id("x")


def test_a_drill_loses_nothing_and_says_what_a_loss_would_have_cost():
    drill = text_of(replace(DONE, manner=Manner.DRILL, rpo=4 * MINUTE), REPORT)
    assert "Data that a loss of the site would have cost (RPO): 4" in drill
    assert "Data lost" not in drill
    assert "Data lost (RPO): 0" in text_of(DONE, REPORT)
