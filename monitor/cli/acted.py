"""How a command ends that did something to an incident."""

from __future__ import annotations

from typing import Any

from monitor.cli.context import ExitCode, Settings, as_typed, console, emit_json, warn
from monitor.cli.reading import site_speech
from monitor.core.text import say


def done(settings: Settings, one: dict[str, Any], *, as_json: bool, daemon: bool) -> int:
    """Print the incident with its state and the last line of its log or, `as_json`, whole; return the exit code."""
    from monitor.cli.shown import state_of
    from monitor.clock import SystemClock

    if as_json:
        emit_json(one)
    else:
        state = state_of(one, site_speech(settings), SystemClock().now())
        console().print(f"{one['id']}  {state}  {one['timeline'][-1]['text']}")
    if not daemon:
        warn_without_daemon(settings)
    return ExitCode.DONE


def warn_without_daemon(settings: Settings) -> None:
    """Say that nobody is told before a daemon runs."""
    from monitor.cli.shown import start_command

    text = say("No daemon runs, so nobody is told yet. `{command}` starts one.", command=as_typed(start_command()))
    warn(site_speech(settings).render(text))
