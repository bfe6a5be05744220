"""SQL on a database of the inventory: statements whole or not at all, within a time, and what came of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

from monitor.core.text import Text, say, verbatim
from probes.access import SqlAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.ssh_output import redacted, secrets_of
from runbooks.contract import StepFailed
from runbooks.sql_text import needs_token

GRACE = 5.0
"""Seconds beyond its own time limit that a database has to say that it was exceeded."""
LONGEST_WORDS = 300
MOST_NOTICES = 20
NO_ROW: Final = object()
"""The value where the last statement returned no row."""
Scalar = str | int | float | bool
DRIVERS: Final = {"postgresql": "runbooks.sql_postgresql", "mssql": "runbooks.sql_mssql"}
"""Engine -> the module that speaks with it, imported when it is first used."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of the last statement.

    `rows`: changed or returned, None where the database does not count; `value`: the first of the first row, plain;
    `row`: that whole row; `notices`: what the database said beside.
    """

    rows: int | None
    value: Any
    row: tuple[Any, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Statements in order. `whole`: in one transaction, which `judge` may still refuse; `within`: seconds for each.

    Outside of a transaction there is one statement, and it stands by itself.
    """

    statements: tuple[str, ...]
    token: int | None
    within: float
    whole: bool
    judge: Callable[[Came], Text | None]


@dataclass(slots=True)
class Reached:
    """How far the work came. `may_stay`: from here on the server may keep it without our hearing of it.

    `over`: nobody waits any more, so that a thread sends nothing more.
    """

    may_stay: bool = False
    over: bool = False


async def carry_out(target: Target, work: Work) -> Came:
    """Carry `work` out on the database of `target`.

    Raises StepFailed when nothing of it stays, StepUncertain when it may stay, Unresolved for the password.
    """
    access = access_of(target)
    if work.token is None and any(needs_token(statement) for statement in work.statements):
        raise StepFailed(
            say("the statement needs :token, and there is none outside of a move"),
            remedy=say(
                "Leave :token out of a runbook: it is the number of the lease under which a site is made active"
            ),
        )
    driver = import_module(DRIVERS[access.engine])
    came: Came = await driver.carry_out(target, access, work)
    return came


def access_of(target: Target) -> SqlAccess:
    """Return how the database of `target` is reached. Raises StepFailed where it has none."""
    access = target.access.get("sql")
    if isinstance(access, SqlAccess):
        return access
    raise StepFailed(
        say("{device} has no database", device=target.name),
        remedy=say("Write sql under the device: engine, database, user, password"),
    )


def plain(value: Any) -> Any:
    """Return a value of a database as JSON has it: what is neither number, text, truth nor nothing becomes a text."""
    match value:
        case None | bool() | int() | float():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case _:
            return one_line(value)


def same(found: Any, wanted: Scalar) -> bool:
    """Whether the plain value `found` is what an author wrote: 1 and true, 1 and '1' are the same."""
    if found is NO_ROW or found is None:
        return False
    if isinstance(wanted, str):
        return found == wanted or str(found) == wanted or (isinstance(found, bool) and str(found).lower() == wanted)
    return isinstance(found, bool | int | float) and found == wanted


def words(target: Target, error: Exception | str) -> Text:
    """Return what a database or its driver said, short and without our secrets.

    python-tds gives an error a second value, and then its text would be that of a tuple.
    """
    first = error.args[0] if isinstance(error, Exception) and error.args else None
    said = re.sub(r"\s+", " ", first if isinstance(first, str) else str(error)).strip() or type(error).__name__
    return verbatim(one_line(redacted(said, secrets_of(target)), LONGEST_WORDS))


def no_driver(extra: str) -> StepFailed:
    """What speaks with the database is not installed."""
    return StepFailed(
        say("what speaks with this database is not installed"),
        remedy=say("install Relève with its extra: {command}", command=f"pip install '.[{extra}]'"),
    )


def unreached(target: Target, error: Exception) -> StepFailed:
    """There is no connection: nothing was sent."""
    return StepFailed(
        say("cannot log in to the database of {device}: {why}", device=target.name, why=words(target, error)),
        remedy=say("Check address, port, user and password under sql of the device, and that the database runs"),
    )


def refused(target: Target, error: Exception) -> StepFailed:
    """The database said no, and nothing stays."""
    return StepFailed(say("the database of {device} refuses: {why}", device=target.name, why=words(target, error)))


def unlike(wrong: Text) -> StepFailed:
    """What came is not what was expected, and the transaction was given up."""
    return StepFailed(say("{what}; nothing was changed", what=wrong))


def too_slow(target: Target, within: float) -> StepFailed:
    """It did not end in time, and nothing stays."""
    span = timedelta(seconds=within)
    return StepFailed(say("the database of {device} did not finish within {span}", device=target.name, span=span))


def lost(target: Target) -> Text:
    """The connection ended when what was done may stay."""
    return say("the database of {device} fell silent before it said whether it was done", device=target.name)
