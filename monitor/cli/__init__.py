"""The command line. `main` is what `releve` runs; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from monitor.cli.commands import LazyGroup, localized
from monitor.cli.context import (
    DEBUG,
    ExitCode,
    Failure,
    Settings,
    speak,
    spoken,
    state_folder,
    wanted_language,
    warn,
)
from monitor.core.reasons import reason
from monitor.core.text import LANGUAGES, N_, Text, say
from monitor.secret import expanded

COLLECT_AFTER = 20_000
"""New objects after which the collector looks for garbage. Python's own 700 is met hundreds of times by the imports
alone, a tenth of what a command takes; what stays of it until then are a few megabytes."""


@click.command(
    cls=LazyGroup,
    help=N_(
        "Relève watches a contact centre, tells whom the contract says on the minute, repairs what it may, and keeps "
        "the record.\n\n"
        "Exit status: 0 done and nothing is wrong, 1 done and something is wrong, 2 could not do it."
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    envvar="RELEVE_INVENTORY",
    default=Path("inventory.yaml"),
    metavar="FILE",
    help=N_("The site's inventory (RELEVE_INVENTORY; default: ./inventory.yaml)."),
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="RELEVE_DATA",
    default=None,
    metavar="DIR",
    help=N_("The folder of the state (RELEVE_DATA; default: the platform's state folder)."),
)
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    envvar="RELEVE_LANG",
    is_eager=True,
    help=N_("Language of the answers (RELEVE_LANG; default: the site's)."),
)
@click.version_option(package_name="releve", prog_name="releve")
@click.pass_context
def cli(ctx: click.Context, inventory: Path, data: Path | None, lang: str | None) -> None:
    """Gather the global options for the command that follows."""
    ctx.obj = Settings(expanded(str(inventory)), expanded(str(data or state_folder())), lang)


def carry_out(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; nothing that can go wrong is shown as a traceback."""
    speak(_asked_language(arguments) or wanted_language())
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return ExitCode.BROKEN_PIPE
    except (KeyboardInterrupt, EOFError, click.Abort):
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:  # nobody takes the help, or the last of an answer: a full disk
        _abandon_stdout()
        return _explain(error, Settings(Path(), Path()))
    return code


def _asked_language(arguments: Sequence[str]) -> str:
    """What `--lang` asks for, read before click reads it: its help and its errors come in that language too."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        value = following if word == "--lang" else word[len("--lang=") :] if word.startswith("--lang=") else ""
        if value in LANGUAGES:
            return value
    return ""


def _invoke(arguments: list[str]) -> int:
    try:
        with localized(cli).make_context("releve", arguments) as ctx:
            try:
                returned = ctx.command.invoke(ctx)
            except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError, EOFError):
                raise
            except Exception as error:
                return _explain(error, ctx.obj)
    except click.exceptions.Exit as end:
        return end.exit_code
    return returned if isinstance(returned, int) else ExitCode.DONE


def _explain(error: Exception, settings: Settings) -> int:
    """Say on stderr what went wrong, in the language and the time of the site unless another was asked for."""
    if os.environ.get(DEBUG):
        raise error
    words = settings.speech(spoken())
    if isinstance(error, Failure | OSError):  # anything else may be the very reading of the inventory
        from monitor.cli.reading import site_speech

        words = site_speech(settings)
    warn(words.render(say("Error: {message}", message=_told(error))))
    return ExitCode.CANNOT


def _told(error: Exception) -> Text:
    if isinstance(error, Failure):
        return error.text
    if isinstance(error, OSError):
        return say("{path}: {why}", path=str(error.filename), why=reason(error)) if error.filename else reason(error)
    name = f"{type(error).__name__}: {error}"
    return say("Relève itself failed ({error}); set {variable}=1 to see where", error=name, variable=DEBUG)


def _abandon_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush does not complain about the reader that left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _take_streams_as_they_are() -> None:
    """Answer also on a terminal of another alphabet, and where a stream is closed (`>&-`): then to nobody."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif name == "stdout" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> NoReturn:
    """Run the command line of this process and end it with the exit code."""
    gc.set_threshold(COLLECT_AFTER)
    _take_streams_as_they_are()
    if "_RELEVE_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "releve", "_RELEVE_COMPLETE", os.environ["_RELEVE_COMPLETE"]))
    sys.exit(carry_out(sys.argv[1:]))
