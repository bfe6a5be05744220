"""What people allow the automation: whether it is stopped, and which runbooks may interrupt what still works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.context import person
from monitor.clock import Clock
from monitor.core.incident import Refused
from monitor.core.text import say
from monitor.daemon.desk import Desk
from monitor.store import AuditEntry


@dataclass(frozen=True, slots=True)
class Policy:
    """`halted_by` empty: not stopped. `armed`: runbook -> until when it may disrupt without asking."""

    halted_by: str = ""
    halted_at: datetime | None = None
    armed: Mapping[str, datetime] = field(default_factory=dict)

    def armed_for(self, runbook: str, now: datetime) -> bool:
        """Return whether `runbook` may disrupt without asking at `now`."""
        until = self.armed.get(runbook)
        return until is not None and now < until

    def without_lapsed(self, now: datetime) -> Policy:
        """Return the policy without what is no longer armed."""
        return replace(self, armed={name: until for name, until in self.armed.items() if now < until})

    def as_json(self) -> dict[str, Any]:
        """Return it JSON-ready; `from_json` gives it back equal."""
        return {
            "halted_by": self.halted_by,
            "halted_at": None if self.halted_at is None else self.halted_at.isoformat(),
            "armed": {name: until.isoformat() for name, until in self.armed.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """Return the policy that `as_json` wrote; nothing allows nothing and stops nothing."""
        at = data.get("halted_at")
        return cls(
            data.get("halted_by", ""),
            None if at is None else datetime.fromisoformat(at),
            {name: datetime.fromisoformat(until) for name, until in data.get("armed", {}).items()},
        )


class Leave:
    """The leave that people give the automation, and take from it: one change at a time, and a stop goes before all."""

    def __init__(self, desk: Desk, clock: Clock, policy: Policy) -> None:
        """Begin with what the last run of Relève left."""
        self._desk, self._clock, self._changing = desk, clock, asyncio.Lock()
        self.policy = policy

    async def stop(self, actor: str) -> None:
        """The emergency stop; nothing is armed after it. Raises Refused when it holds and cannot be written down."""
        at = self._clock.now()
        self.policy = replace(self.policy, halted_by=actor, halted_at=at, armed={})  # at once, whatever the disk says
        async with self._changing:
            stopped = replace(self.policy, halted_by=actor, halted_at=at, armed={})
            await self._set(stopped, actor, "automation stop", {})
            why = self._desk.journal.trouble
        if why is not None:
            text = say(
                "stopped, but Relève would forget it over a restart: {why}. Free the disk and stop it again", why=why
            )
            raise Refused(text)

    async def arm(self, actor: str, runbook: str = "", until: datetime | None = None) -> None:
        """End the stop that `actor` knows of; with `runbook`, let it disrupt without asking, `until` then.

        Raises Refused while that cannot be written down, and when somebody stops the automation meanwhile.
        """
        seen = self.policy.halted_at
        async with self._changing:
            await self._desk.journal.retry()
            if self._desk.journal.trouble is not None:
                raise Refused(say("it stays as it is: {why}", why=self._desk.journal.trouble))
            if self.policy.halted_at != seen:
                raise Refused(say("{who} has stopped the automation meanwhile", who=person(self.policy.halted_by)))
            policy = replace(self.policy, halted_by="", halted_at=None)
            data = {}
            if runbook and until is not None:
                policy = replace(policy, armed={**policy.armed, runbook: until})
                data = {"runbook": runbook, "until": until.isoformat()}
            await self._set(policy, actor, "automation arm", data)

    async def _set(self, policy: Policy, actor: str, action: str, data: Mapping[str, str]) -> None:
        before, policy = self.policy, policy.without_lapsed(self._clock.now())
        await self._desk.set_automation(policy.as_json(), AuditEntry(actor, action, dict(data)))
        if self.policy is before:  # else somebody stopped it meanwhile, which holds, and is written next
            self.policy = policy
