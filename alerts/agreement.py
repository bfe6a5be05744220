"""What was agreed: who is told what, by when, and by which ways they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.escalation import Rung
from alerts.quiet import Quiet
from monitor.core.ids import NodeId
from monitor.secret import Secret

EVERYBODY_TOLD = "all"
"""Reserved in `to`: everybody who was told of the incident."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to tell: `addresses` by channel (`{"mail": ..., "sms": ...}`), tried in this `order`."""

    id: str
    name: str
    addresses: Mapping[str, str]
    order: tuple[str, ...]
    language: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to send. While the node `through` is down, notices start with the contact's next channel."""

    id: str
    url: Secret
    through: NodeId | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """Who is told what, by when; frozen with an incident when it opens.

    `first_to` within `first_within` of the confirmed interruption, `update_to` on every multiple of `update_every`
    since it began, `conference_to` once it has lasted `conference_after`, `resolved_to` at the end; `operations` of
    everything. An empty tuple or None leaves a step out. `bridge`: how one dials in. `rotas`: names that stand for who
    is on duty, where one of them is to be told. `escalation`: who is told while nobody answers. `long_after`: from then
    on an interruption is a long one. `draft_before`: how long before an update our own people are shown its draft, if
    at all. `crisis_to` reads the crisis cell's report on every multiple of `crisis_every`, from when there is a cell.
    `chase`: our own people are reminded of reviews and actions until these are done; not of what was frozen before
    there were any.
    """

    live: bool = True
    first_to: tuple[str, ...] = ()
    first_within: timedelta = timedelta(seconds=30)
    update_to: tuple[str, ...] = ()
    update_every: timedelta | None = None
    resolved_to: tuple[str, ...] = (EVERYBODY_TOLD,)
    operations: tuple[str, ...] = ()
    long_after: timedelta = timedelta(hours=6)
    conference_to: tuple[str, ...] = ()
    conference_after: timedelta | None = None
    bridge: str = ""
    rotas: tuple[str, ...] = ()
    escalation: tuple[Rung, ...] = ()
    quiet: Quiet | None = None
    draft_before: timedelta | None = None
    crisis_to: tuple[str, ...] = ()
    crisis_every: timedelta | None = None
    chase: bool = False

    @property
    def called_together(self) -> tuple[str, ...]:
        """Who is called to the conference, each once."""
        return tuple(dict.fromkeys((*self.conference_to, *self.operations)))
