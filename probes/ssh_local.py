"""A command on this machine: no shell, its output capped, and ended together with what it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal

from monitor.core.text import say
from probes.contract import Target
from probes.ssh_faults import HostFault, flooded, not_started, unfinished
from probes.ssh_output import LINGER, MOST, Kept, Ran

PLAIN = {"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
"""What programs must find in their environment to speak English without colours."""
STDIN, STDERR = 0, 2


class _Program(asyncio.SubprocessProtocol):
    """What is heard of a program. `exited`: it has ended, or prints without end; `over`: its pipes are closed too."""

    def __init__(self) -> None:
        self.out, self.err = Kept(), Kept()
        self.exited, self.over = asyncio.Event(), asyncio.Event()

    @property
    def flooded(self) -> bool:
        return self.out.total + self.err.total > MOST

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.err if fd == STDERR else self.out).add(data)
        if self.flooded:
            self.exited.set()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.exited.set()
        self.over.set()


async def run_here(target: Target, command: str, *, within: float, stdin: str = "") -> Ran:
    """Run `command`, its words quoted as in sh, `within` seconds. Raises HostFault."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise HostFault(say("the command for {device} is not quoted rightly", device=target.name)) from error
    if not words:
        raise HostFault(say("there is no command for {device}", device=target.name))
    loop, pipe, program = asyncio.get_running_loop(), asyncio.subprocess.PIPE, _Program()
    try:
        transport, _ = await loop.subprocess_exec(
            lambda: program,
            *words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **PLAIN},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL among the words
        raise not_started(words[0], error) from error
    try:
        async with asyncio.timeout(within):
            await _exchange(transport, program, stdin.encode())
    except TimeoutError:
        raise unfinished(target, None, within, sent=True) from None
    finally:
        status = transport.get_returncode()
        await _end(transport, program)
    if program.flooded:
        raise flooded(target)
    exit_status = status if status is not None and status >= 0 else None
    return Ran(exit_status, program.out.text(), program.err.text(), program.out.cut or program.err.cut)


async def _exchange(transport: asyncio.SubprocessTransport, program: _Program, stdin: bytes) -> None:
    """Feed it until it has ended; what it leaves running may hold its pipes, and is not waited for."""
    writing = transport.get_pipe_transport(STDIN)
    if isinstance(writing, asyncio.WriteTransport):
        writing.write(stdin)
        writing.close()
    await program.exited.wait()
    if not program.flooded:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await program.over.wait()


async def _end(transport: asyncio.SubprocessTransport, program: _Program) -> None:
    """Kill what is left of it, which is the leader of a session of its own, and close its pipes."""
    if transport.get_returncode() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()
    await program.over.wait()
