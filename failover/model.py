"""What moves as one, between which sites, by which steps, and what proves that the old site has no further effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import NewType

from monitor.core.ids import CheckId, NodeId
from monitor.secret import Secret
from runbooks.contract import Step, StepParams

SiteId = NewType("SiteId", str)
PlanId = NewType("PlanId", str)
DataSetId = NewType("DataSetId", str)


PROMOTING = frozenset({"pg-promote", "patroni-switchover", "always-on-failover"})
"""Kinds of step after which another site's data is the one that is written: never before the old site is fenced."""


class Mode(StrEnum):
    """Who may decide. SINGLE: one site, only a person. PAIR: two, a person confirms. QUORUM: three voters."""

    SINGLE = "single"
    PAIR = "pair"
    QUORUM = "quorum"


class Start(StrEnum):
    """What begins a failover: the confirmed loss of the site, a person, or the age of the incident (`Plan.by`)."""

    ON_LOSS = "on_loss"
    PERSON = "person"
    BY = "by"


class How(StrEnum):
    """How a data set gets to the other site."""

    POSTGRESQL = "postgresql"
    ALWAYS_ON = "mssql-always-on"
    LOG_SHIPPING = "mssql-log-shipping"
    FILES = "files"
    EXTERNAL = "external"
    """By a job of somebody else's, which reports to `/heartbeat/NAME`."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place. `witness`: it holds a voter and runs nothing. `releve`: the address of the Relève that stands there.

    `devices`: what the inventory says to stand there, which need not be everything. `seen_by`: from where else it is
    looked at, by name, each with the checks that look from there.
    """

    id: SiteId
    title: str
    here: bool = False
    witness: bool = False
    releve: str = ""
    devices: frozenset[NodeId] = frozenset()
    seen_by: Mapping[str, tuple[CheckId, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Etcd:
    """The voters. `endpoints`: their addresses, `https://HOST:PORT`; `cert` and `key` are our own towards them."""

    endpoints: tuple[str, ...]
    ca: Secret | None = None
    cert: Secret | None = None
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Leases:
    """How leases are kept. Without `etcd` they are local to the machine: nothing is decided without a person then.

    A holder looks every `loop`; a voter is given up after `retry`, and asked twice. `ttl`: after that without an answer
    the lease is over.
    """

    etcd: Etcd | None = None
    ttl: timedelta = timedelta(seconds=15)
    loop: timedelta = timedelta(seconds=5)
    retry: timedelta = timedelta(seconds=3)

    @property
    def shortest(self) -> timedelta:
        """The shortest `ttl` with which one lost answer ends nothing: a loop and two tries."""
        return self.loop + 2 * self.retry


@dataclass(frozen=True, slots=True)
class Waits:
    """Whether every commit is to wait for the copy (`wanted`), so that none is lost with a site.

    `devices`: the server at each of the two sites. `degrade_after`: for so long commits wait for a copy that is away.
    """

    devices: Mapping[SiteId, NodeId]
    wanted: bool = False
    degrade_after: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class DataSet:
    """Data that both sites need. `rpo`: how much of it may be lost, as time.

    `checks`: those that measure how far the copy lags behind, and whether it was verified; never none. `waits`: of a
    database, between which two servers every commit may be made to wait for the copy; None where that is not known.
    `mirrors`: of those checks that see files go one way only, between two sites, the site from which they go.
    """

    id: DataSetId
    how: How
    rpo: timedelta
    checks: tuple[CheckId, ...]
    title: str = ""
    waits: Waits | None = None
    mirrors: Mapping[CheckId, SiteId] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """What people call it."""
        return self.title or str(self.id)

    def lost_with(self, site: SiteId | None) -> DataSet:
        """Return the same with those checks alone that measure what would be lost with `site`, perhaps with none.

        What a mirror brings to `site` says nothing of what has left it. None, for nobody knows where the data is
        written: with all.
        """
        if site is None:
            return self
        return replace(self, checks=tuple(one for one in self.checks if self.mirrors.get(one, site) == site))


@dataclass(frozen=True, slots=True)
class Work:
    """One step of a plan with its parameters."""

    step: Step[StepParams]
    params: StepParams


Steps = tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Drill:
    """How the site is brought up beside the one that runs, seen to work, and torn down again."""

    up: Steps
    verify: tuple[CheckId, ...]
    down: Steps


@dataclass(frozen=True, slots=True)
class Part:
    """What is done at one site of a plan. `start`: groups, each begun when the one before it is done."""

    stop: Steps = ()
    promote: Steps = ()
    start: tuple[Steps, ...] = ()
    switch: Steps = ()
    verify: tuple[CheckId, ...] = ()
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class Isolation:
    """Steps, run from elsewhere, after which `site` reaches neither the client nor the data."""

    site: SiteId
    steps: Steps


@dataclass(frozen=True, slots=True)
class Token:
    """A resource at or before `site` that refuses whoever brings an old token. `raise_it` tells it the new one."""

    site: SiteId
    raise_it: Steps


@dataclass(frozen=True, slots=True)
class Guarded:
    """The guard at `site`, which stops dialler and writers within `stops_within` of the end of the site's lease.

    `check`: the one that sees whether the guard runs, where there is one.
    """

    site: SiteId
    stops_within: timedelta
    check: CheckId | None = None


Fence = Isolation | Token | Guarded


@dataclass(frozen=True, slots=True)
class Told:
    """Contacts that are mailed the plan before the first step, and the report after the last."""

    plan: tuple[str, ...] = ()
    report: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How one group moves. It runs at `active` normally, at `standby` when it has to.

    `by`: the age of the incident at which it starts by itself, where `start` is BY. `hold_down`: after a move, none
    starts by itself for so long. `most`: moves by itself a day. `lag_ceiling`: data that may be lost without a person's
    word. `drill_every`: a drill that is older is told. `titles`: what people call its sites.
    """

    id: PlanId
    title: str
    active: SiteId
    standby: SiteId
    parts: Mapping[SiteId, Part]
    fences: tuple[Fence, ...]
    rto: timedelta
    start: Start = Start.PERSON
    by: timedelta | None = None
    kinds: tuple[str, ...] = ()
    data: tuple[DataSetId, ...] = ()
    hold_down: timedelta = timedelta(minutes=10)
    most: int = 1
    lag_ceiling: timedelta = timedelta(0)
    drill_every: timedelta = timedelta(days=90)
    told: Told = field(default_factory=Told)
    titles: Mapping[SiteId, str] = field(default_factory=dict)

    def called(self, site: SiteId) -> str:
        """Return what people call `site`."""
        return self.titles.get(site, str(site))

    def other(self, site: SiteId) -> SiteId:
        """Return the site of the two that `site` is not."""
        return self.standby if site == self.active else self.active

    def fences_of(self, site: SiteId) -> tuple[Fence, ...]:
        """Return what proves that `site` has no further effect."""
        return tuple(fence for fence in self.fences if fence.site == site)

    def guard_of(self, site: SiteId) -> Guarded | None:
        """Return the guard that stops the group at `site`, if the plan names one."""
        return next((fence for fence in self.fences_of(site) if isinstance(fence, Guarded)), None)

    @property
    def guard_checks(self) -> frozenset[CheckId]:
        """The checks that see whether its guards run."""
        guards = (fence for fence in self.fences if isinstance(fence, Guarded))
        return frozenset(guard.check for guard in guards if guard.check is not None)


@dataclass(frozen=True, slots=True)
class Continuity:
    """All that an inventory says about it; empty where it says nothing."""

    sites: Mapping[SiteId, Site] = field(default_factory=dict)
    leases: Leases | None = None
    data: Mapping[DataSetId, DataSet] = field(default_factory=dict)
    plans: Mapping[PlanId, Plan] = field(default_factory=dict)

    @property
    def here(self) -> Site | None:
        """The site where this Relève stands."""
        return next((site for site in self.sites.values() if site.here), None)

    def seen_from(self, site: SiteId) -> Continuity:
        """Return the same as the Relève at `site` reads it: both sites have one inventory, and one of them is here."""
        sites = {name: replace(one, here=name == site) for name, one in self.sites.items()}
        return replace(self, sites=sites)

    @property
    def mode(self) -> Mode:
        """Who may decide."""
        if sum(not site.witness for site in self.sites.values()) < 2:
            return Mode.SINGLE
        voters = self.leases.etcd.endpoints if self.leases is not None and self.leases.etcd is not None else ()
        return Mode.QUORUM if len(voters) >= 3 else Mode.PAIR
