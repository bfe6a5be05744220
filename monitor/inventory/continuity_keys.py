"""The keys of `sites:`, `leases:`, `datasets:` and `plans:`, as the models that check their shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from failover.model import How, Start
from monitor.core.text import N_, say
from monitor.core.units import parse_duration
from monitor.inventory.notation import Names, Part, Span, Word
from probes.access import Hidden
from probes.params import Duration, Unfit
from runbooks.book import StepKeys

MOST_STEPS = 50
"""Steps of one phase: as many as a runbook has at most."""
MOST_VANTAGES = 8
"""Places from which one site is looked at: each is asked when it matters, and a majority of all has to agree."""
_A_DAY = re.compile(r"\s*(\d{1,2})\s+per\s+day\s*")


class PlaceKeys(Part):
    """A site that can run the service, or one that only holds a voter."""

    title: Word | None = Field(default=None, description=N_("what people call it; its name, if absent"))
    here: bool = Field(default=False, description=N_("true at the one where this Relève stands"))
    witness: bool = Field(default=False, description=N_("true: it holds a voter and runs nothing else"))
    releve: Word | None = Field(
        default=None, description=N_("address of the Relève that stands there: https://HOST:PORT")
    )
    devices: Names | None = Field(
        default=None, description=N_("the devices that stand there, by name or by a pattern such as poste-*")
    )
    seen_by: Annotated[Mapping[Word, Names], Field(min_length=1, max_length=MOST_VANTAGES)] | None = Field(
        default=None,
        description=N_("from where else it is seen: a name of yours, and the checks that look at it from there"),
    )


class EtcdKeys(Part):
    """The voters."""

    endpoints: Annotated[list[Word], Field(min_length=1, max_length=9)] = Field(
        description=N_("their addresses: https://HOST:PORT; three, each at a site of its own")
    )
    ca: Hidden | None = Field(default=None, description=N_("what their certificates are signed by, as PEM: file:PATH"))
    cert: Hidden | None = Field(default=None, description=N_("our own certificate towards them, as PEM: file:PATH"))
    key: Hidden | None = Field(default=None, description=N_("the key of that certificate, as PEM: file:PATH"))


class LocalKeys(Part):
    """Leases that this machine keeps by itself: only a person lets the service move then."""


class LeasesKeys(Part):
    """Who may make its site the active one, and for how long without asking again."""

    etcd: EtcdKeys | None = None
    local: LocalKeys | None = None
    ttl: Span | None = Field(
        default=None, description=N_("after that without an answer a lease is over; 15s, if absent")
    )
    loop: Span | None = Field(default=None, description=N_("how often its holder renews it; 5s, if absent"))
    retry: Span | None = Field(default=None, description=N_("how long a voter may take to answer; 3s, if absent"))


class DataSetKeys(Part):
    """Data that both sites need."""

    title: Word | None = Field(default=None, description=N_("what people call it; its name, if absent"))
    how: How = Field(
        description=N_("how it gets to the other site; external: by a job that reports to /heartbeat/NAME")
    )
    rpo: Span = Field(description=N_("how much of it may be lost, as time: 5 min"))
    checks: Names = Field(description=N_("the checks that measure how far the copy lags behind"))
    synchronous: bool = Field(
        default=False,
        description=N_(
            "true: every commit waits for the copy, and the voters know, so that the loss of the site loses nothing. "
            "For postgresql with three voters, and a check of kind replication that names the copy as standby. The "
            "role under sql of both needs GRANT pg_monitor; GRANT EXECUTE ON FUNCTION pg_reload_conf; and GRANT ALTER "
            "SYSTEM ON PARAMETER synchronous_standby_names, before PostgreSQL 15 SUPERUSER. The copy connects under "
            "an application_name of its own"
        ),
    )
    degrade_after: Span | None = Field(
        default=None,
        description=N_(
            "synchronous: for so long commits wait for a copy that is away; then the promise is taken back, and they "
            "go on. 60s, if absent"
        ),
    )


Steps = Annotated[list[StepKeys], Field(min_length=1, max_length=MOST_STEPS)]


def _one_or_group(value: Any) -> str:
    return "group" if isinstance(value, list) else "one"


Groups = Annotated[
    list[Annotated[Annotated[StepKeys, Tag("one")] | Annotated[Steps, Tag("group")], Discriminator(_one_or_group)]],
    Field(min_length=1, max_length=MOST_STEPS),
]


class DrillKeys(Part):
    """How the site is brought up beside the one that runs, seen to work, and torn down again."""

    up: Steps = Field(description=N_("steps that bring it up, isolated from the client and from the data in use"))
    verify: Names = Field(description=N_("checks that must be well then"))
    down: Steps = Field(description=N_("steps that tear down all that up brought up, whatever came of it"))


class PartKeys(Part):
    """What is done at one of the two sites."""

    stop: Steps | None = Field(default=None, description=N_("steps that stop the group there, when a move is planned"))
    promote: Steps | None = Field(
        default=None, description=N_("steps that make the data there the one that is written")
    )
    start: Groups | None = Field(
        default=None,
        description=N_("steps that start the servers, in order; steps in inner brackets begin together"),
    )
    switch: Steps | None = Field(
        default=None, description=N_("steps that lead the client's calls and the users there: routes, trunk, DNS")
    )
    verify: Names | None = Field(default=None, description=N_("checks, seen from there, that must be well afterwards"))
    drill: DrillKeys | None = None


class IsolationKeys(Part):
    """Steps, run from elsewhere, after which a site reaches neither the client nor the data."""

    at: Word = Field(description=N_("the site that is isolated"))
    steps: Steps


class TokenKeys(Part):
    """A resource that refuses whoever brings an old token."""

    at: Word = Field(description=N_("the site whose writers it refuses"))
    steps: Steps = Field(description=N_("steps that tell it the new token"))


class GuardKeys(Part):
    """The guard at a site (`releve guard`), which stops its dialler and writers when the site's lease lapses."""

    at: Word = Field(description=N_("the site where it runs"))
    stops_within: Span = Field(description=N_("how long it takes to stop them, as a drill showed"))
    check: Word | None = Field(default=None, description=N_("the check that sees whether it runs"))


class FenceKeys(Part):
    """What proves that a site has no further effect: exactly one of these keys."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in ("isolation", "token", "guard")]}
    )

    isolation: IsolationKeys | None = None
    token: TokenKeys | None = None
    guard: GuardKeys | None = None


class TellKeys(Part):
    """Who is mailed what."""

    plan: Annotated[list[Word], Field(min_length=1)] | None = Field(
        default=None, description=N_("who reads the plan before the first step")
    )
    report: Annotated[list[Word], Field(min_length=1)] | None = Field(
        default=None, description=N_("who reads the report after the last; all: everybody who was told of the incident")
    )


@dataclass(frozen=True, slots=True)
class Begins:
    """What begins a failover; `at`: the age of the incident, where `start` is BY."""

    start: Start
    at: timedelta | None = None


def _begins(value: Any) -> Any:
    """`person`, `on_loss`, or `by` with a length of time."""
    if isinstance(value, Begins):
        return value
    words = value.split(maxsplit=1) if isinstance(value, str) else []
    if words in (["person"], ["on_loss"]):
        return Begins(Start(words[0]))
    if len(words) == 2 and words[0] == "by":
        at = parse_duration(words[1])
        if at > timedelta(0):
            return Begins(Start.BY, at)
    raise Unfit(say("{value} does not say what begins a failover: write person, on_loss, or by 5 h", value=str(value)))


def _a_day(value: Any) -> Any:
    """A number a day, as `1 per day`: without that nobody could tell whether it is not one an hour."""
    written = _A_DAY.fullmatch(value) if isinstance(value, str) else None
    bare = str(value).strip()
    if written is None and bare.isdecimal():
        raise Unfit(say("{written} has no unit: write {examples}", written=repr(bare), examples=f"{bare} per day"))
    if written is None:
        raise Unfit(say("{value} is no number of moves a day: write 1 per day", value=str(value)))
    return int(written[1])


class PlanKeys(Part):
    """How one group moves from one site to the other."""

    title: Word | None = Field(default=None, description=N_("what people call it; its name, if absent"))
    active: Word = Field(description=N_("the site where the group normally runs"))
    standby: Word = Field(description=N_("the site that takes it over"))
    start: Annotated[
        Begins,
        BeforeValidator(_begins),
        WithJsonSchema({"type": "string", "pattern": r"^\s*(person|on_loss|by\s+\d.*)\s*$"}),
    ] = Field(
        default=Begins(Start.PERSON),
        description=N_("what begins a failover: person, on_loss (by itself), by 5 h (at that age of the incident)"),
    )
    incident: Names | None = Field(default=None, description=N_("kinds of incident that it answers"))
    data: Names | None = Field(default=None, description=N_("the data sets that it needs"))
    rto: Span = Field(description=N_("how long a move may take, as promised or drilled"))
    hold_down: Annotated[Duration, Field(ge=timedelta(0))] | None = Field(
        default=None, description=N_("after a move, none begins by itself for so long; 10 min, if absent")
    )
    most: Annotated[
        int,
        Field(ge=1, le=24),
        BeforeValidator(_a_day),
        WithJsonSchema({"type": "string", "pattern": f"^{_A_DAY.pattern}$"}),
    ] = Field(default=1, description=N_("moves a day that begin by themselves: 1 per day"))
    lag_ceiling: Annotated[Duration, Field(ge=timedelta(0))] | None = Field(
        default=None, description=N_("data that may be lost without a person's word; 0s, if absent")
    )
    drill_every: Span | None = Field(default=None, description=N_("an older drill is told; 90 d, if absent"))
    fences: Annotated[list[FenceKeys], Field(min_length=1, max_length=10)] | None = Field(
        default=None, description=N_("what proves that a site has no further effect; at least one for each of the two")
    )
    tell: TellKeys | None = None
    sites: Mapping[str, PartKeys] = Field(description=N_("what is done at each of the two"))
