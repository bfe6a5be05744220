"""The simulated voice server's SSH: `sc.exe` on its services, and SFTP onto its drives, as with OpenSSH on Windows."""

from __future__ import annotations

import os
from contextlib import suppress

import asyncssh

from lab.recorder import Recorder
from lab.sc import answer
from lab.scm import Scm, Service
from lab.sshd import Sshd

PROGRAMS = "C:\\Program Files"
SERVICES = (
    Service(
        "MSSQLSERVER",
        "SQL Server (MSSQLSERVER)",
        f'"{PROGRAMS}\\Microsoft SQL Server\\MSSQL14.MSSQLSERVER\\MSSQL\\Binn\\sqlservr.exe" -sMSSQLSERVER',
    ),
    Service("Onnet", "Onnet", f'"{PROGRAMS}\\Vocalcom\\Onnet\\Onnet.exe"', needs=("MSSQLSERVER",)),
    Service("Slave", "Slave", f'"{PROGRAMS}\\Vocalcom\\Slave\\Slave.exe"', needs=("Onnet",)),
)
"""The services that the contact centre lives on (S7, S14), in the order in which they start."""
NO_SHELL = "No shell here: send a command.\r\n"


def voice_host(key: asyncssh.SSHKey, scm: Scm, recorder: Recorder) -> Sshd:
    """Return the SSH server of the machine on which `scm` runs the services and `recorder` writes onto D:."""

    async def carry_out(process: asyncssh.SSHServerProcess[str]) -> None:
        command = process.command
        if command is None:
            process.stderr.write(NO_SHELL)
            process.exit(1)
            return
        said = await answer(command, scm)
        with suppress(BrokenPipeError):  # who asked has gone; what was asked for is done all the same
            process.stdout.write(said.out)
            process.stderr.write(said.err)
        process.exit(said.status)  # asyncssh sends, and reads, no more than the low eight bits of it

    return Sshd(
        key,
        command=carry_out,
        files=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(recorder.root)),
    )
