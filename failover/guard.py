"""The guard: it stops dialler and writers of a site whose lease lapses, whatever became of Relève's daemon.

A lease stops Relève, not the dialler. So a process of its own stands at each site. It knows one thing, until when the
site holds the lease of a plan; it does one thing, stop what may run only under that lease; and it never starts
anything. Everything here is a function of what it is told; `guard_loop` gives it time, files and commands.

The contract with who takes over
--------------------------------
*The taker waits.* The guard begins to stop when the lease has lapsed, not before: a stop costs the site its calls, so
none is begun as long as a late answer of the voters can still prolong the lease. What the stop takes is waited for by
the taker instead, once in a failover:

    the taker has no effect before  (it holds the lease)  +  `stops_within`

`stops_within` is one number, the same in the plan and in the guard's file, and the guard refuses a file in which it is
shorter than `worst`:

    worst = TURN + round + HANGS_FOR + STARTS_WITHIN + round  (+ the time of the machine's watchdog, where it is used)

1. TURN: a guard that is well looks so often. From the lapse on it holds for nothing, and begins a round of stopping.
2. round: every command of the target with most of them, each up to its deadline and the time to kill it: the ordered
   stop, a look, then each hard stop with a look after it. Targets are stopped side by side.
3. HANGS_FOR: a guard that stands still (SIGSTOP, a fault) is killed after that by its service manager.
4. STARTS_WITHIN: a guard that was killed, by that or by `kill -9`, stands again, and passive: without a valid lease it
   begins a whole round anew.
5. the machine's watchdog, if used: fed only while the guard turns, and no longer once a round has passed without
   proof. It then resets the machine, and with it all that runs on it.

No instant has two active sites as long as these hold, each for the bound that it stands behind:

- the lease: who is handed a validity until `until` holds the lease until then by the voters' own clock (`Belief`: the
  write's *request* was sent at `until` - ttl + margin), and nobody takes it before; it is given up early only by
  handing `until` = 0 first, or after `stopped` is recorded;
- the clock: CLOCK_BOOTTIME runs at the voters' rate within the margin, and goes on. A virtual machine that is paused
  or put back to a snapshot breaks this, and so may not be a guarded one;
- 1, 2: the machine gives the guard and its commands processor time; a hard stop does stop what it is written for, and
  a look does not say "stopped" of what runs (`exits`: only the one exit code that means it counts);
- 3, 4: the service manager works (the unit's WatchdogSec, WatchdogSignal=SIGKILL, Restart=always), and *one* fault of
  the guard, at any moment, falls into one lapse. Each further one adds HANGS_FOR + STARTS_WITHIN + round;
- 5: where the whole machine hangs only its watchdog helps, and only for what runs on it. Machines that are stopped
  over the network are stopped by the guard that stands again after the reset: no bound covers that boot;
- the guard is enabled and nobody has stopped it by hand; `releve guard status` and its sign of life say so.

Faster than waiting is the record: `stopped`, `token`, `proven`. A token that the guard has begun to stop for is spent:
it never holds again under that one, so "stopped for token N" stays true of every token up to N, also of a copy. Who
was given token N + 1 may act as soon as it has read that N is stopped and proven; and where this guard was let run the
group under N + 1 as well (a planned move, until its fence), that N + 1 is: it is told `until` = 0 for that one first.
For the site itself it means: after a lapse, and to go back, the lease goes on under a new token; and at any time,
nothing is started under a token before the guard says by its sign of life that it is `holding` for that one.

Told from afar: the Relève that keeps the lease may stand at the other site. `across` brings the validity from its clock
to this machine's, and what it hands over is refused where it is older than what stands here, or of a token that is
over: what was sent before the end may come after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

TURN = 0.25
"""Seconds between two looks at the lease."""
HANGS_FOR = 3.0
"""Seconds after which the service manager kills a guard that gave no sign of life: WatchdogSec of the unit."""
STARTS_WITHIN = 2.0
"""Seconds from the death of a guard until the next one has begun to stop: RestartSec of the unit, and a start of some
tenths of a second on a machine that is busy."""
REAP = 0.5
"""Seconds that a command which is killed at its deadline is given to be gone."""


class Phase(StrEnum):
    """HOLDING: the lease is valid, nothing is done. STOPPING: it is not. STOPPED: nor is it, and all was seen to be."""

    HOLDING = "holding"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Round(StrEnum):
    """What commands have come to: IN_HAND as long as some run; NONE before any and after what was told."""

    NONE = "none"
    IN_HAND = "in hand"
    PROVEN = "proven"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Validity:
    """The site holds the lease with `token` until the second `until` of this boot's CLOCK_BOOTTIME."""

    token: int
    until: float


@dataclass(frozen=True, slots=True)
class Command:
    """`argv` is run as it stands, by no shell, and killed after `within` seconds. `exits`: the code that says done."""

    argv: tuple[str, ...]
    within: float
    exits: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """What is stopped: in order (`stop`), then by force (`hard`, one after the other); `check` sees that it is."""

    name: str
    stop: Command
    hard: tuple[Command, ...]
    check: Command

    @property
    def longest(self) -> float:
        """Seconds that one round may take until every command has ended or was killed."""
        looks = self.check.within + REAP
        return sum(command.within + REAP + looks for command in (self.stop, *self.hard))


@dataclass(frozen=True, slots=True)
class State:
    """What the guard knows of one plan.

    `validity` is the best that it was handed since its start; `spent`: the highest token that it stopped for; `since`:
    when the phase began (seconds of CLOCK_BOOTTIME); `held`: the lease was held in this boot, so that something may
    have been started.
    """

    phase: Phase
    spent: int
    since: float
    validity: Validity | None = None
    held: bool = False

    @property
    def token(self) -> int:
        """The token that the phase is about: the one held, or the highest that is stopped for."""
        return self.validity.token if self.phase is Phase.HOLDING and self.validity is not None else self.spent


def judge(state: State, handed: Validity | None, ttl: float, done: Round, now: float) -> State:
    """Return the state at the second `now`; `state` itself where nothing changed but what is known of the lease.

    `handed`: what the source says at present, None when it says nothing: what was handed before stays true. `ttl`:
    seconds that a lease lasts at most; `done`: what the commands of the plan have come to.
    """
    known = _best(state.validity, handed, ttl, now)
    state = state if known == state.validity else replace(state, validity=known)
    valid = _valid(known, state.spent, now)
    if state.phase is Phase.HOLDING:
        return state if valid else _stop(state, now)
    if valid:
        # A command that was given is not taken back: what it stops would be started under it.
        return state if done is Round.IN_HAND else replace(state, phase=Phase.HOLDING, since=now, held=True)
    if _spent(state.spent, known) != state.spent:
        # A later lease came and went meanwhile: what was seen stopped before it proves nothing about it.
        return replace(state, phase=Phase.STOPPING, since=now, spent=_spent(state.spent, known))
    if state.phase is Phase.STOPPING and done is Round.PROVEN:
        return replace(state, phase=Phase.STOPPED, since=now, held=False)
    if state.phase is Phase.STOPPED and done is Round.UNPROVEN:
        return replace(state, phase=Phase.STOPPING, since=now)
    return state


def begin(
    recorded: Phase | None, token: int, *, this_boot: bool, handed: Validity | None, ttl: float, now: float
) -> State:
    """Return the state of a guard that has just started: passive, unless a lease is valid and its token not spent.

    `recorded`, `token`: what the guard before it wrote last; None and 0 when there was none. `this_boot`: that was
    since the machine's last start, so what it held may still run.
    """
    spent = token - 1 if recorded is Phase.HOLDING else token
    held = this_boot and recorded in (Phase.HOLDING, Phase.STOPPING)
    known = _best(None, handed, ttl, now)
    if _valid(known, spent, now):
        return State(Phase.HOLDING, spent, now, known, held=True)
    return State(Phase.STOPPING, _spent(max(spent, token), known), now, known, held)


def round_length(targets: Iterable[Target]) -> float:
    """Return the seconds after which one round is over, whatever its commands do."""
    return max((target.longest for target in targets), default=0.0)


def worst(
    round_takes: float,
    watchdog: float = 0.0,
    *,
    turn: float = TURN,
    hangs_for: float = HANGS_FOR,
    starts_within: float = STARTS_WITHIN,
) -> float:
    """Return the seconds from the lapse until all is stopped with one fault of the guard; `stops_within` is no less.

    `round_takes`: see `round_length`; `watchdog`: seconds of the machine's watchdog, 0 where it is not used. The others
    are this module's, as the unit file has them.
    """
    return turn + 2 * round_takes + hangs_for + starts_within + watchdog


def may_feed(state: State, round_takes: float, now: float) -> bool:
    """Return whether the machine's watchdog may be fed as far as this plan goes.

    Not when the site held the lease in this boot and a whole round brought no proof that all is stopped: the reset is
    the last means. After it the guard is passive and feeds, or a host out of reach would reset the machine for ever.
    """
    return not (state.phase is Phase.STOPPING and state.held and now > state.since + TURN + round_takes)


def _stop(state: State, now: float) -> State:
    return replace(state, phase=Phase.STOPPING, since=now, spent=_spent(state.spent, state.validity))


def _spent(spent: int, known: Validity | None) -> int:
    return spent if known is None else max(spent, known.token)


def _valid(known: Validity | None, spent: int, now: float) -> bool:
    return known is not None and known.token > spent and now < known.until


def _best(known: Validity | None, handed: Validity | None, ttl: float, now: float) -> Validity | None:
    """The validity that counts: a daemon of yesterday that wakes up says nothing new, and none can hold for longer."""
    if handed is None or handed.until > now + ttl or (known is not None and handed.token < known.token):
        return known
    return handed
