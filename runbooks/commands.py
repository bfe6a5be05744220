"""A program and its arguments on a host, exactly as they were written: no shell on the way reads more into them.

By SSH the host's shell gets one line. For Linux each word is quoted as in sh. Windows has two shells and a third way to
take arguments apart, so it gets a script that only PowerShell can decode, which starts the program itself, with its
arguments quoted as the C runtime reads them (CommandLineToArgvW).

The token of the lease is the environment variable RELEVE_TOKEN. It is not sent by SSH's own means, because sshd lets
through only the names under its AcceptEnv: `env` sets it on the host. sudo drops it again, unless it stands under
env_keep or is called as `sudo --preserve-env=RELEVE_TOKEN`; a command forced by authorized_keys finds it in
SSH_ORIGINAL_COMMAND.
"""

from __future__ import annotations

import ntpath
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from monitor.core.text import say
from probes.access import SshAccess
from probes.cleaning import one_line
from probes.contract import Target
from probes.params import Unfit
from probes.ssh import WINDOWS, Hosts, Ran, is_here
from runbooks.contract import StepFailed
from runbooks.service_powershell import command as by_powershell

TOKEN: Final = "RELEVE_TOKEN"  # noqa: S105 - the name of a variable
LINUX: Final = "linux"
LONGEST_LINE = 8000
"""Characters of a line that Windows takes: cmd.exe reads 8191 (learn.microsoft.com, kb 830473)."""
LONGEST_SHOWN = 300
MARK: Final = "releve-exit="
"""What stands before the exit code in the last line of stderr: by SSH only its low eight bits come, and 3010 is 194."""
_MARKED = re.compile(rf"(?:^|\n){MARK}(-?\d{{1,10}})\s*$")
BATCH = (".bat", ".cmd")
SINGLE_QUOTES = re.compile("['\u2018-\u201b]")
READ_BY_CMD = frozenset('"%&|<>^!()')
"""What cmd.exe reads in the arguments of a batch file however they are quoted."""
_SCRIPT = (
    "$p=New-Object Diagnostics.ProcessStartInfo;$p.FileName='{program}';$p.Arguments='{arguments}';"
    "$p.UseShellExecute=$false;{environment}"
    "try{{$x=[Diagnostics.Process]::Start($p)}}catch{{"
    "[Console]::Error.WriteLine($_.Exception.Message);[Console]::Error.WriteLine('{mark}127');exit 127}};"
    "$x.WaitForExit();[Console]::Error.WriteLine('{mark}'+$x.ExitCode);exit $x.ExitCode"
)
NOT_FOUND = 127
"""Exit code where the program could not be started (POSIX, Shell Command Language, 2.8.2)."""


def _proper(words: tuple[str, ...]) -> tuple[str, ...]:
    if not all(word.isprintable() for word in words):
        raise Unfit(say("a command holds no line break and no other character that cannot be shown"))
    if words[0].startswith("-") or "=" in words[0] or not words[0].strip():
        raise Unfit(say("{text} is no name of a program", text=words[0] or '""'))
    return words


Words = Annotated[
    tuple[Annotated[str, Field(max_length=2000)], ...], Field(min_length=1, max_length=100), AfterValidator(_proper)
]
"""A program and its arguments, each a word of its own."""


def shown(words: Sequence[str]) -> str:
    """Return the command as people write it, cut where it is long."""
    return one_line(shlex.join(words), LONGEST_SHOWN)


def platform_of(target: Target) -> str:
    """Return what the device is, `linux` or `windows`. Raises StepFailed where no command can be run.

    This machine itself is one on which there is no shell in between, and words are quoted as in sh.
    """
    if is_here(target):
        return LINUX
    access = target.access.get("ssh")
    if not isinstance(access, SshAccess):
        raise StepFailed(
            say("{device} has no log-in by SSH", device=target.name),
            remedy=say("Give the device a log-in in the inventory: ssh, with user and key"),
        )
    platform = (access.platform or "").casefold()
    if platform in (LINUX, WINDOWS):
        return platform
    if platform:
        raise StepFailed(
            say("{device} ({platform}) has no shell that runs commands", device=target.name, platform=platform),
            remedy=say("Use the step router-config for what is typed into a router"),
        )
    raise StepFailed(
        say("nobody says which shell {device} has", device=target.name),
        remedy=say("Write platform: windows or platform: linux under ssh of the device"),
    )


def line_of(words: Sequence[str], platform: str, token: int | None = None) -> str:
    """Return the line that makes a host of `platform` run `words`. Raises StepFailed where that cannot be."""
    if platform == WINDOWS:
        return _windows_line(words, token)
    return shlex.join(words if token is None else ["env", f"{TOKEN}={token:d}", *words])


def _windows_line(words: Sequence[str], token: int | None) -> str:
    program, arguments = words[0], words[1:]
    if ntpath.basename(program).casefold().rstrip(". ").endswith(BATCH):
        for word in arguments:
            if READ_BY_CMD & set(word):
                raise StepFailed(
                    say(
                        "cmd.exe would read more into {text} than an argument of {program}", text=word, program=program
                    ),
                    remedy=say("Call a program or a PowerShell script instead of the batch file"),
                )
    script = _SCRIPT.format(
        program=_quoted(program),
        arguments=_quoted(subprocess.list2cmdline(arguments)),
        environment="" if token is None else f"$p.EnvironmentVariables['{TOKEN}']='{token:d}';",
        mark=MARK,
    )
    line = by_powershell(script)
    if len(line) > LONGEST_LINE:
        raise StepFailed(
            say("the command is too long for Windows"), remedy=say("Put it into a script on the host, and call that")
        )
    return line


def _quoted(text: str) -> str:
    """Return `text` for between single quotes, of which PowerShell knows five (about_Quoting_Rules)."""
    return SINGLE_QUOTES.sub(r"\g<0>\g<0>", text)


async def run(hosts: Hosts, target: Target, words: Sequence[str], *, token: int | None, within: float) -> Ran:
    """Run `words` on `target` and return how it ended, with all 32 bits on Windows. Raises HostFault, StepFailed.

    `within`: seconds, the connection included.
    """
    platform = platform_of(target)
    ran = await hosts.run(target, line_of(words, platform, token), within=within)
    return _unmarked(ran) if platform == WINDOWS else ran


def _unmarked(ran: Ran) -> Ran:
    """Return what came of a script of ours: where it did not say how its program ended, nobody knows."""
    marked = _MARKED.search(ran.err)
    if marked is None:
        return replace(ran, status=None)
    return replace(ran, status=int(marked[1]), err=ran.err[: marked.start()])
