"""The inventory once it is proven right: frozen, cross-references resolved, nothing left to look up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.agreement import Channel, Contact, Protocol
from alerts.own_words import SiteWords
from failover.model import Continuity
from monitor.core.flapping import FlappingPolicy
from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Interruption
from monitor.core.plan import Plan
from monitor.core.rota import Override, Roster, Rota
from monitor.secret import Secret
from probes.contract import Target
from probes.params import Params
from runbooks.book import Book, Budget
from runbooks.contract import Site as Actionable


@dataclass(frozen=True, slots=True)
class Site:
    """`url`: base of the links in messages, empty when the console is not reachable from outside."""

    name: str
    timezone: ZoneInfo
    language: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the inventory; `target` is how probes see it."""

    id: NodeId
    target: Target
    role: str = ""
    parents: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A link to the client: `capacity` in bit/s as contracted, `interface` on `device`, `peer` at the far end."""

    id: NodeId
    technology: str
    device: NodeId
    interface: str
    capacity: float
    peer: str = ""
    radio: NodeId | None = None
    parents: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One check, complete: `params` validated by its probe, `retry` its pace while a failure is being confirmed.

    `needs`: the checks that must be well for this one to be.
    """

    id: CheckId
    probe: str
    node: NodeId
    target: Target
    params: Params
    every: timedelta
    timeout: timedelta
    retry: timedelta
    policy: ConfirmPolicy
    kind: str
    gate: bool = False
    needs: tuple[CheckId, ...] = ()
    flapping: FlappingPolicy = field(default_factory=FlappingPolicy)


@dataclass(frozen=True, slots=True)
class Kind:
    """An incident kind of the catalogue (S14). `titles` and `causes` by language, where the site gives its own."""

    name: str
    interruption: Interruption
    target: timedelta | None = None
    runbook: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Automation:
    """Whether runbooks act (`live`) or only say what they would do; `per_device`: attempts of all of them on one."""

    live: bool = False
    per_device: Budget = field(default_factory=lambda: Budget(attempts=6))


@dataclass(frozen=True, slots=True)
class HeartbeatOut:
    """The sign of life of Relève itself: what to ask for while it is well, how often, and from which local address."""

    url: Secret
    every: timedelta
    source: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """How the two Relèves know each other: the authority `ca`, our own `cert` and its `key`, each as PEM.

    A copy of our state that is older than `warning`, or `critical`, is told so.
    """

    ca: Secret
    cert: Secret
    key: Secret
    warning: timedelta = timedelta(seconds=60)
    critical: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class PublicFolder:
    """A folder on a host elsewhere, as SFTP names it, into which the public status is sent."""

    device: Target
    folder: str

    @property
    def name(self) -> str:
        """How people call it."""
        return self.device.name

    @property
    def where(self) -> str:
        """What tells it from every other place."""
        return f"{self.device.name}:{self.folder}"


@dataclass(frozen=True, slots=True)
class PublicBucket:
    """A bucket of S3 that the public status is sent into. `prefix`: what begins each object's name, "" or `etat/`.

    `endpoint`: the address of another store that speaks as S3 does, empty for Amazon's.
    """

    bucket: str
    key: Secret
    secret: Secret
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"

    @property
    def name(self) -> str:
        """How people call it."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def where(self) -> str:
        """What tells it from every other place."""
        return f"{self.endpoint} {self.name}"


PublicPlace = PublicFolder | PublicBucket
"""Somewhere that shows the public status and is not this machine."""


@dataclass(frozen=True, slots=True)
class Public:
    """What anybody may read of the service. `titles`: of the page, by language, empty for the site's name.

    `serve`: over HTTP, to everybody. It is written at least `every`. A service of which less than the part
    `degraded_below` (0..1) works is degraded. `push`: where it is sent to.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    every: timedelta = timedelta(minutes=5)
    degraded_below: float = 0.9
    serve: bool = False
    push: tuple[PublicPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Replies:
    """Where answers to messages come in: the mailbox and how often it is visited; the channel `sms`, empty for none."""

    imap: Secret | None = None
    every: timedelta = timedelta(seconds=30)
    sms: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A whole site. `version` is a hash of what was read, so that two readings can be told apart.

    `books`: every runbook by name, those of the library and the site's own. `actionable`: what they may act on.
    `words`: what messages say in the site's own words. `rotas`: who is on duty, by the name that stands for them
    wherever a contact's may. `continuity`: how the service goes on at the other site. `files`: what was read, by its
    name below the folder of `path`.
    """

    path: Path
    version: str
    site: Site
    contacts: Mapping[str, Contact]
    channels: Mapping[str, Channel]
    devices: Mapping[NodeId, Device]
    links: Mapping[NodeId, Link]
    checks: Mapping[CheckId, Check]
    kinds: Mapping[str, Kind]
    protocol: Protocol
    plan: Plan
    books: Mapping[str, Book] = field(default_factory=dict)
    actionable: Actionable = field(default_factory=Actionable)
    automation: Automation = field(default_factory=Automation)
    heartbeat: HeartbeatOut | None = None
    words: SiteWords = field(default_factory=SiteWords)
    public: Public = field(default_factory=Public)
    rotas: Mapping[str, Rota] = field(default_factory=dict)
    replies: Replies | None = None
    continuity: Continuity = field(default_factory=Continuity)
    peer: Peer | None = None
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def roster(self, overrides: Iterable[Override] = ()) -> Roster:
        """Return who is on duty, by the rotas and by those of `overrides` whose contact there still is."""
        return Roster(self.rotas, tuple(override for override in overrides if override.who in self.contacts))
