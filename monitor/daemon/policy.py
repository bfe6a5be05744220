"""What people allow the automation: whether it is stopped, and which runbooks may interrupt what still works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


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
