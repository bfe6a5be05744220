"""What a step of a runbook is: it says what it would do, does it, and can tell afterwards whether it was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from monitor.clock import Clock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text
from monitor.core.verdict import Verdict
from monitor.secret import Secret
from probes.contract import Target

if TYPE_CHECKING:
    from probes.ssh import Hosts
    from runbooks.ledger import Ledger

Image = Mapping[str, Any]
"""What was there before an action, JSON-ready: state, process, start time, hash; to tell afterwards what changed."""


class Effect(StrEnum):
    """What an action does to its target. DISRUPTS needs a person, or a policy that was armed for it."""

    READS = "reads"
    CHANGES = "changes"
    DISRUPTS = "disrupts"


class Answer(StrEnum):
    """Whether an action of which only the intent is known was carried out."""

    YES = "yes"
    NO = "no"
    """Provably never accepted, or harmless to repeat."""
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class CheckOf:
    """A check of the inventory as a step sees it: its kind of probe, where it stands, its parameters."""

    id: CheckId
    probe: str
    node: NodeId
    target: Target
    params: Any
    needs: tuple[CheckId, ...] = ()
    """The checks whose services must run before this one's."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Where recordings are written, where they are archived, and how long they stay in any case.

    `folder` and `archive_folder` are as SFTP names them. `match`: file name patterns. `keep`: none is deleted that was
    last written less than this ago. `closed_after`: between the two looks at which a file must not have changed.
    `rate`: bytes a second at most, None for no limit. `every`: how often they are archived. `mirror`: they are no
    recordings but files that change in place: a changed one replaces its copy, and none is ever deleted.
    """

    id: str
    device: Target
    folder: str
    archive: Target
    archive_folder: str
    match: tuple[str, ...] = ("*",)
    keep: timedelta = timedelta(days=7)
    every: timedelta = timedelta(minutes=15)
    closed_after: timedelta = timedelta(seconds=60)
    rate: float | None = None
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What the actions of a run may refer to."""

    checks: Mapping[CheckId, CheckOf] = field(default_factory=dict)
    devices: Mapping[NodeId, Target] = field(default_factory=dict)
    recordings: Mapping[str, Recordings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run is about: the check that fails, at its site."""

    check: CheckId
    site: Site

    @property
    def own(self) -> CheckOf:
        """The check itself. Raises KeyError when the inventory no longer has it."""
        return self.site.checks[self.check]


class StepParams(BaseModel):
    """Keys of a step in a runbook; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    def secrets(self) -> Mapping[str, Secret]:
        """Return the references to secrets among the keys, by what they are for: `validate` looks where they lead."""
        return {}


P = TypeVar("P", bound=StepParams)
P_contra = TypeVar("P_contra", bound=StepParams, contravariant=True)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a run does, whole or not at all as far as its journal is concerned.

    `params`: of the step's model, JSON-ready. `target`: the device that it acts on. `said`: what it does, for the plan
    and the review. `settle`: how long its effect may take to show, should nobody know whether it was carried out.
    `asks`: a person must say yes first, whatever is armed.
    """

    step: str
    params: Mapping[str, Any]
    target: NodeId
    effect: Effect
    said: Text
    settle: timedelta = timedelta(seconds=30)
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """An action that was carried out, or found unnecessary (`changed` False).

    `evidence`: JSON-ready figures for the review; `output`: what the target said, capped and without secrets.
    """

    text: Text
    changed: bool = True
    evidence: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


class StepFailed(Exception):
    """The action did not work, and we know it: it was refused, or its effect did not last."""

    def __init__(
        self, text: Text, *, remedy: Text | None = None, evidence: Image | None = None, output: str = ""
    ) -> None:
        super().__init__(text.template)
        self.text, self.remedy, self.evidence, self.output = text, remedy, evidence or {}, output


class StepUncertain(Exception):
    """The action may have been carried out: it was sent, and no answer came back. `done` is asked after `settle`."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long action is: `done` of `total` in UCUM `unit` (`By`, `{file}`); None where that is not known."""

    done: float
    total: float | None
    unit: str
    text: Text


@dataclass(frozen=True, slots=True)
class Promised:
    """Since `at` (UTC) every commit that the primary acknowledged had waited until the copy `standby` had it.

    `system`, `timeline`: of which database that is said, in which of its lives.
    """

    standby: NodeId
    system: str
    timeline: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Io:
    """All that a step may touch.

    `look` observes a check now, as the schedule would, and returns its verdict. `tell` hands a message about the run to
    contacts (to operations where there is none) and returns whether it is on its way; told twice under the same run
    and action it leaves once. `halted`: a
    person stopped the automation, so a long action ends at its next safe point. `ledger` opens the list of what was
    archived. `token`: of the lease under which the run acts, for resources that refuse older ones; None outside of a
    move. `errand`: names this action in this attempt of this run, the same at each try of it; empty where nobody tries
    twice. `promised`: what is promised of the copies that a move makes the original. `stands_by`: why a folder of
    recordings is not to be copied now, by its name: the files are written where it would be copied to.
    """

    clock: Clock
    hosts: Hosts
    look: Callable[[CheckId], Awaitable[Verdict]]
    tell: Callable[[tuple[str, ...], Text], Awaitable[bool]]
    progress: Callable[[Progress], None]
    halted: Callable[[], bool]
    ledger: Callable[[], Awaitable[Ledger]]
    token: int | None = None
    errand: str = ""
    promised: tuple[Promised, ...] = ()
    stands_by: Callable[[str], Text | None] = lambda recordings: None


class Step(Protocol[P_contra]):
    """One kind of step. `Params` are its keys in a runbook.

    A step is stateless. `actions` and what they say are the dry run: nothing is asked of any host for it.
    """

    kind: ClassVar[str]
    Params: ClassVar[type[StepParams]]

    def actions(self, params: P_contra, subject: Subject) -> tuple[Action, ...]:
        """Return what this step does about `subject`, in order. Pure. Raises StepFailed when it cannot apply here."""
        ...

    async def before(self, params: P_contra, subject: Subject, io: Io) -> Image:
        """Return what is there before the action; it is journaled with the intent. Raises StepFailed."""
        ...

    async def apply(self, params: P_contra, before: Image, subject: Subject, io: Io) -> Outcome:
        """Carry the action out. Raises StepFailed or StepUncertain; a HostFault that was not sent counts as failed."""
        ...

    async def done(self, params: P_contra, before: Image, subject: Subject, io: Io) -> Answer:
        """Return, `settle` after an intent without outcome, whether the action was carried out."""
        ...
