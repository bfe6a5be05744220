"""Every interleaving of two Relèves with two faults: one leads in the end, and nothing is lost that was handed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.itself import Ground, Known, Lead, Role, StandBy, Why, next_role
from tests.failover.two_releves_explored import (
    BEGIN,
    TOKENS,
    TTL,
    Broken,
    Is,
    Rules,
    World,
    settled,
    successors,
    wrong,
)


def explore(rules: Rules, begin: World = BEGIN) -> dict[World, tuple[World, str] | None]:
    """Return every state with the one before it. Raises Broken with the way to the first that must not be."""
    came_from: dict[World, tuple[World, str] | None] = {begin: None}
    todo = [begin]
    for world in todo:
        try:
            for step, after in successors(world, rules):
                if after in came_from:
                    continue
                came_from[after] = (world, step)
                why = wrong(after)
                if why:
                    raise Broken(f"{why}: {' / '.join(way(came_from, after))}")
                todo.append(after)
        except Broken as error:
            raise Broken(f"{error}: {' / '.join(way(came_from, world))}") from error
    return came_from


def way(came_from: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    steps = []
    while (before := came_from[world]) is not None:
        world, step = before
        steps.append(step)
    return steps[::-1]


def in_the_end(world: World, rules: Rules) -> World:
    """Return the world after both have done for a while whatever they may, and nothing fails any more."""
    world = world._replace(faults=0, writes=0, orders=0, line=True, voters=(True, True))
    for _turn in range(10 * TTL):
        if settled(world):
            break
        for name in "AB":
            world = everything(world, name, rules)
        world = next(after for step, after in successors(world, rules) if step == "a tick")
    return world


def everything(world: World, name: str, rules: Rules) -> World:
    """Return the world after one site has done everything once that it may, one after the other."""
    done: set[str] = set()
    while True:
        found = next(((s, w) for s, w in successors(world, rules) if s[0] == name and s not in done), None)
        if found is None:
            return world
        done.add(found[0])
        world = found[1]


def never_settled(found: dict[World, tuple[World, str] | None], rules: Rules) -> list[str]:
    """Return the way to a state from which there is never one that leads and one that follows; empty for none."""
    for world in found:
        if world.record is not None and world.record[1] > TOKENS - 2:
            continue  # the model has no tokens left for what comes
        if not settled(in_the_end(world, rules)):
            return [*way(found, world), "..."]
    return []


@pytest.mark.parametrize("limits", [(0, 2, 1), (1, 1, 0)])
def test_one_leads_and_the_other_follows_in_the_end_whatever_happened(limits: tuple[int, int, int]) -> None:
    faults, writes, orders = limits
    found = explore(Rules(), BEGIN._replace(faults=faults, writes=writes, orders=orders))
    seen = {world.sides[x].does for world in found for x in (0, 1)}
    assert seen == (set(Is) if orders else set(Is) - {Is.ENDING})
    assert never_settled(found, Rules()) == []


def at_once(known: Known) -> Role:
    """Go on as soon as one is named."""
    role = next_role(known)
    return Lead(known.token) if isinstance(role, StandBy) and role.why is Why.COMING else role


def deaf(known: Known) -> Role:
    """Go on as soon as the lease is free."""
    role = next_role(known)
    return Lead(known.token) if isinstance(role, StandBy) and role.why is Why.SPEAKS else role


def blind(known: Known) -> Role:
    """Count a damaged copy as none, and go on with what lies beside it."""
    return next_role(replace(known, ground=Ground.OWN) if known.ground is Ground.DAMAGED else known)


WRONG = {
    "an older state is gone on with where the copy of the newer one is damaged": (Rules(next_role=blind), (1, 1, 0)),
    "who is named does not wait for the last of the state": (Rules(next_role=at_once), (0, 2, 1)),
    "who stands by does not listen": (Rules(next_role=deaf), (1, 1, 0)),
    "who was superseded goes on": (Rules(superseded_by=lambda _seen, _token: None), (1, 0, 0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_would_be_found(name: str) -> None:
    rules, (faults, writes, orders) = WRONG[name]
    begin = BEGIN._replace(faults=faults, writes=writes, orders=orders)
    try:
        assert never_settled(explore(rules, begin), rules)
    except Broken:
        return
