"""A regular expression on what a device said, within a time: some take years for one line that was made for it.

Python's `re` cannot be stopped, so that it searches in a process of its own, which can.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from monitor.core.ids import NodeId
from monitor.core.text import say
from probes.contract import Target
from probes.params import Unfit
from probes.ssh import HostFault
from probes.ssh_local import run_here
from runbooks.contract import StepFailed

SEARCH_WITHIN = 5.0
"""Seconds that a search may take, the start of its process included; an honest one takes some tens of milliseconds."""
MOST_SEARCHED = 65_536
"""Characters that are searched: the last ones."""
FOUND: Final = "1"
_SEARCH = (
    "import json, re, sys\n"
    "pattern, text = json.loads(sys.stdin.buffer.read())\n"
    "sys.stdout.write('1' if re.search(pattern, text, re.MULTILINE) else '0')\n"
)


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unfit(say("{text} is no regular expression: {why}", text=pattern, why=str(error))) from error
    return pattern


Pattern = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_compiles)]
"""A regular expression as Python writes it; `^` and `$` stand at every line."""


async def matches(pattern: str, text: str, *, within: float = SEARCH_WITHIN) -> bool:
    """Return whether `pattern` is found in the end of `text`. Raises StepFailed when that takes longer than `within`.

    `within`: seconds.
    """
    asked = json.dumps([pattern, text[-MOST_SEARCHED:]])
    command = shlex.join([sys.executable, "-I", "-S", "-c", _SEARCH])
    try:
        ran = await run_here(Target(NodeId("releve"), "127.0.0.1"), command, within=within, stdin=asked)
    except HostFault as fault:
        if not fault.sent:
            raise StepFailed(fault.text) from fault
        raise StepFailed(
            say("searching for {text} took longer than {span}", text=pattern, span=timedelta(seconds=within)),
            remedy=say("Simplify the regular expression: no repetition within a repetition"),
        ) from fault
    if ran.status != 0:
        raise StepFailed(say("searching for {text} failed", text=pattern))
    return ran.out == FOUND
