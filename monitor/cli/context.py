"""What every command is given, and how it answers: results on stdout, messages on stderr, the contract's exit codes."""

from __future__ import annotations

import gettext
import importlib.util
import os
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from monitor.core.text import LANGUAGES, Text
from monitor.secret import expanded

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from monitor.core.text import Speech

CATALOGUE = "releve"
PIPE_WIDTH = 10_000
"""Characters of a line that no terminal folds."""
DEBUG = "RELEVE_DEBUG"
"""Environment variable: when set, a failure of Relève itself shows its traceback."""


class ExitCode(IntEnum):
    """How a command ends. BROKEN_PIPE is what a shell reports of a process that SIGPIPE ended."""

    DONE = 0
    WRONG = 1
    CANNOT = 2
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Failure(Exception):
    """The command could not do it (usage, inventory, permission): `text` says what, where and what to do next."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options: the inventory's file, the folder of the state, and the language if one was asked for."""

    inventory: Path
    data: Path
    lang: str | None = None

    def speech(self, language: str = "", zone: tzinfo = UTC) -> Speech:
        """Return how this reader is spoken to; `language` and `zone` are the site's, `--lang` goes before."""
        from alerts.language import speech

        return speech(self.lang or language or spoken(), zone)


pass_settings = click.make_pass_decorator(Settings)
"""Decorator of a command: its first argument is the Settings."""


def state_folder() -> Path:
    """Return where the state lies unless told otherwise (XDG Base Directory; FHS for root and who has no home)."""
    configured = os.environ.get("XDG_STATE_HOME", "")
    home = expanded("~")
    if os.geteuid() == 0 or not (configured.startswith("/") or home.is_absolute()):
        return Path("/var/lib/releve")
    return (Path(configured) if configured.startswith("/") else home / ".local/state") / "releve"


def wanted_language() -> str:
    """Return the language of `RELEVE_LANG`, else of the locale, as gettext looks it up; English if we lack it."""
    for name in ("RELEVE_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return value[:2] if value[:2] in LANGUAGES else "en"
    return "en"


def speak(language: str) -> None:
    """Make gettext (and so click's own words) speak `language` from here on."""
    found = importlib.util.find_spec("templates")
    places = found.submodule_search_locations if found is not None else None
    if places:
        gettext.bindtextdomain(CATALOGUE, str(Path(next(iter(places))) / "locale"))
    gettext.textdomain(CATALOGUE)
    os.environ["LANGUAGE"] = language


def spoken() -> str:
    """Return the language that `speak` chose."""
    language = os.environ.get("LANGUAGE", "")[:2]
    return language if language in LANGUAGES else "en"


def _(template: str) -> str:
    """Return `template` in the language spoken; for short words on the command line that are no `Text`."""
    return gettext.gettext(template) if template else ""


def emit_json(data: Any) -> None:
    """Write `data` as JSON on stdout."""
    import json

    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def as_typed(command: str) -> str:
    """Return a command of ours with the inventory and the state that this command line names, so that it can be pasted.

    What an environment variable names is there for the pasted one too.
    """
    here = click.get_current_context(silent=True)
    program, _space, rest = command.partition(" ")
    if here is None or program != "releve":
        return command
    root = here.find_root()
    typed = [
        f"--{name} {shlex.quote(str(root.params[name]))}"
        for name in ("inventory", "data")
        if root.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    return " ".join([program, *typed, rest])


def console(*, messages: bool = False) -> Console:
    """Return rich's console on stdout, or on stderr for `messages`; nothing that it prints is read as markup."""
    from rich.console import Console

    return Console(stderr=messages, markup=False, highlight=False, emoji=False, soft_wrap=not sys.stdout.isatty())


def print_table(table: Table, out: Console | None = None) -> None:
    """Print `table`; in a pipe every row stays one line, whatever its length."""
    out = out or console()
    fixed = out.width
    out.width = fixed if out.is_terminal else PIPE_WIDTH
    out.print(table)
    out.width = fixed


def warn(text: str) -> None:
    """Write one message on stderr."""
    click.echo(text, err=True)


def log_to_stderr() -> None:
    """Let what is logged be seen on stderr in one line each; a traceback only with RELEVE_DEBUG."""
    import logging

    class OneLine(logging.Formatter):
        def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
            return super().formatException(ei) if os.environ.get(DEBUG) else ""

    stderr = logging.StreamHandler()
    stderr.setFormatter(OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if os.environ.get(DEBUG) else logging.CRITICAL, handlers=[stderr])
