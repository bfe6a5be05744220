"""Carries out what stops: commands without a shell, side by side, each killed at its deadline, then a look."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from failover.guard import REAP, Command, Round, Target
from failover.guard_files import Outcome

SAID = 300
"""Characters of a command's last words that are kept."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for that are given without a folder: a service manager may hand down none."""

# vfork holds the whole interpreter until the program is loaded: one that lies on a disk that hangs would stop every
# other stop along with the judgement. The documentation of `subprocess` names this switch.
subprocess._USE_VFORK = False  # type: ignore[misc]


class Mode(Enum):
    """FIRST: in order, then by force. AGAIN: a look, then by force only. LOOK: a look and nothing else."""

    FIRST = auto()
    AGAIN = auto()
    LOOK = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code (negative: the signal; None: killed at its deadline or never run)."""

    code: int | None
    said: str


def carry_out(command: Command, token: int) -> Ended:
    """Run `command` and return how it ended, within its deadline and the time to kill it. It is told the token."""
    environment = {**os.environ, "RELEVE_TOKEN": str(token)}
    environment.setdefault("PATH", PATH)
    # A pipe would be held open by whatever the command leaves behind; a file in memory is nobody's to wait for.
    with os.fdopen(os.memfd_create("said", os.MFD_CLOEXEC), "w+b", buffering=0) as words:
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument list from a file that only its owner may write
                command.argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environment,
                start_new_session=True, cwd="/",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            return Ended(None, f"{command.argv[0]}: {error}"[:SAID])
        try:
            code: int | None = process.wait(command.within)
        except subprocess.TimeoutExpired:
            code = None
            _kill(process)
        words.seek(0)
        said = words.read(SAID * 4).decode("utf-8", "replace")
    if code is None:
        said = f"{command.argv[0]}: killed after {command.within:g} s; {said}"
    return Ended(code, "".join(sign if sign.isprintable() else " " for sign in said).strip()[:SAID])


def _failed(command: Command, ended: Ended) -> list[str]:
    if ended.code == command.exits:
        return []
    return [ended.said or f"{command.argv[0]}: {ended.code}"]


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The group is the command's own (start_new_session); its number stands as long as the command is not reaped.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # in the kernel's hands: it has been told, and we have others to stop
        process.wait(REAP)


class Stopping:
    """One round over `targets`, for what was started under `token` or before; each target in a thread of its own."""

    def __init__(self, targets: Sequence[Target], token: int, mode: Mode) -> None:
        self.token, self._mode, self._began = token, mode, time.monotonic()
        self._outcomes: dict[str, Outcome] = {}
        self._expected = tuple(target.name for target in targets)
        for target in targets:
            # Daemonic: the end of the guard waits for no command.
            threading.Thread(target=self._one, args=(target,), name=f"stop {target.name}", daemon=True).start()

    @property
    def done(self) -> Round:
        """What it has come to so far."""
        if len(self._outcomes) < len(self._expected):
            return Round.IN_HAND
        return Round.PROVEN if all(one.proven for one in self._outcomes.values()) else Round.UNPROVEN

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """How each target that is done was stopped, in the order of the file."""
        return tuple(self._outcomes[name] for name in self._expected if name in self._outcomes)

    def _one(self, target: Target) -> None:
        said = "it could not be carried out"
        proven = False
        try:
            proven, said = self._stopped(target)
        finally:
            self._outcomes[target.name] = Outcome(target.name, proven, time.monotonic() - self._began, said)

    def _stopped(self, target: Target) -> tuple[bool, str]:
        """Carry out the commands of `target` until a look sees it stopped; return that, and what failed on the way."""
        orders: tuple[Command | None, ...] = {
            Mode.FIRST: (target.stop, *target.hard),
            Mode.AGAIN: (None, *target.hard),
            Mode.LOOK: (None,),
        }[self._mode]
        failed: list[str] = []
        for order in orders:
            if order is not None:
                ended = carry_out(order, self.token)
                failed += _failed(order, ended)
            seen = carry_out(target.check, self.token)
            if seen.code == target.check.exits:
                return True, "; ".join(failed)[:SAID]
        return False, "; ".join(failed + _failed(target.check, seen))[:SAID]
