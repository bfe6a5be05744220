"""A plan goes into the journal and comes out of it equal."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from failover.model import DataSetId, Drill, Guarded, Isolation, Part, Plan, PlanId, SiteId, Start, Token, Told, Work
from failover.plan_json import plan_from_json, plan_to_json
from monitor.core.ids import CheckId
from runbooks.registry import UnknownStep, load

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")


def work(kind: str, **params: object) -> Work:
    step = load(kind)
    return Work(step, step.Params.model_validate(params))


def whole_plan() -> Plan:
    ask = work("ask", text="Le commutateur est-il débranché ?")
    wait = work("wait-for-check", check="sql-2", within="90s", stays="5s")
    drill = Drill((wait,), (CheckId("web-2"),), (ask,))
    return Plan(
        id=PlanId("crm"),
        title="CRM et appels",
        active=CENTRE,
        standby=SECOURS,
        parts={
            CENTRE: Part(stop=(ask,), start=((wait,), (ask, wait)), verify=(CheckId("web"),)),
            SECOURS: Part(
                promote=(wait,),
                start=((wait,),),
                switch=(ask,),
                verify=(CheckId("web-2"), CheckId("sql-2")),
                drill=drill,
            ),
        },
        fences=(
            Isolation(CENTRE, (ask,)),
            Token(SECOURS, (wait,)),
            Guarded(CENTRE, timedelta(seconds=10), CheckId("guard")),
        ),
        rto=timedelta(minutes=30),
        start=Start.BY,
        by=timedelta(hours=5),
        kinds=("site-lost",),
        data=(DataSetId("crm-db"),),
        lag_ceiling=timedelta(minutes=5),
        told=Told(("ocm-it",), ("all",)),
        titles={CENTRE: "Douala", SECOURS: "Yaoundé"},
    )


def test_a_plan_comes_out_of_the_journal_as_it_went_in():
    plan = whole_plan()
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_a_plan_of_a_journal_that_had_no_titles_calls_its_sites_by_their_names():
    data = plan_to_json(whole_plan())
    del data["titles"]
    plan = plan_from_json(data)
    assert (plan.called(CENTRE), whole_plan().called(CENTRE)) == ("centre", "Douala")


def test_a_step_that_this_version_does_not_know_is_named():
    data = plan_to_json(whole_plan())
    data["parts"]["centre"]["stop"][0]["step"] = "warp"
    with pytest.raises(UnknownStep, match="warp"):
        plan_from_json(data)


def test_keys_that_a_step_no_longer_has_are_refused():
    data = plan_to_json(whole_plan())
    data["parts"]["centre"]["stop"][0]["params"]["speed"] = 9
    with pytest.raises(ValidationError, match="speed"):
        plan_from_json(data)


def test_a_fence_of_no_known_kind_is_refused():
    data = plan_to_json(whole_plan())
    data["fences"][0]["kind"] = "hedge"
    with pytest.raises(ValueError, match="hedge"):
        plan_from_json(data)
