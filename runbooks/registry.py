"""Which kinds of step there are. A kind is imported when it is first used, never before."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from runbooks.contract import Step

KINDS: dict[str, str] = {
    "service-restart": "runbooks.steps.service_restart:ServiceRestart",
    "archive": "runbooks.steps.archive:Archive",
    "purge": "runbooks.steps.purge:Purge",
    "wait-for-check": "runbooks.steps.wait_for_check:WaitForCheck",
    "notify": "runbooks.steps.notify:Notify",
    "ask": "runbooks.steps.ask:Ask",
    "command": "runbooks.steps.command:Command",
    "http-call": "runbooks.steps.http_call:HttpCall",
    "sql-statement": "runbooks.steps.sql_statement:SqlStatement",
    "pg-promote": "runbooks.steps.pg_promote:PgPromote",
    "router-config": "runbooks.steps.router_config:RouterConfig",
    "patroni-switchover": "runbooks.steps.patroni_switchover:PatroniSwitchover",
    "always-on-failover": "runbooks.steps.always_on_failover:AlwaysOnFailover",
}


class UnknownStep(LookupError):
    """No step of that name; `known` are those that there are."""

    def __init__(self, kind: str) -> None:
        self.kind, self.known = kind, tuple(KINDS)
        super().__init__(f"no step of kind {kind!r}; there are: {', '.join(self.known)}")


@cache
def load(kind: str) -> Step[Any]:
    """Return the step of that kind. Raises UnknownStep."""
    where = KINDS.get(kind)
    if where is None:
        raise UnknownStep(kind)
    module, _, name = where.partition(":")
    step: Step[Any] = getattr(import_module(module), name)()
    return step
