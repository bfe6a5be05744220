"""The command line. `main` is what `releve` runs; everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from monitor.cli.commands import LazyGroup, localized
from monitor.cli.context import (
    DEBUG,
    LANGUAGES,
    ExitCode,
    Failure,
    Settings,
    _,
    speak,
    spoken,
    state_folder,
    wanted_language,
    warn,
)
from monitor.core.text import N_, say


def _choose_language(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        speak(value)
    return value


@click.command(
    cls=LazyGroup,
    help=N_(
        "Relève watches a contact centre, tells whom the contract says on the minute, and keeps the record.\n\n"
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
    callback=_choose_language,
    help=N_("Language of the answers (RELEVE_LANG; default: the site's)."),
)
@click.version_option(package_name="releve", prog_name="releve")
@click.pass_context
def cli(ctx: click.Context, inventory: Path, data: Path | None, lang: str | None) -> None:
    """Gather the global options for the command that follows."""
    ctx.obj = Settings(inventory.expanduser(), (data or state_folder()).expanduser(), lang)


def carry_out(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; nothing that can go wrong is shown as a traceback."""
    speak(wanted_language())
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return ExitCode.BROKEN_PIPE
    except (KeyboardInterrupt, EOFError, click.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:
        return _explain(error)
    return code


def _invoke(arguments: list[str]) -> int:
    try:
        with localized(cli).make_context("releve", arguments) as ctx:
            returned = ctx.command.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    return returned if isinstance(returned, int) else ExitCode.DONE


def _explain(error: Exception) -> int:
    """Say on stderr what went wrong, in the language spoken."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if os.environ.get(DEBUG):
        raise error
    if isinstance(error, Failure):
        text = error.text
    elif isinstance(error, OSError):
        place, why = str(error.filename or ""), error.strerror or str(error)
        text = say("{path}: {why}", path=place, why=why) if place else say("{why}", why=why)
    else:
        name = f"{type(error).__name__}: {error}"
        text = say("Relève itself failed ({error}); set {variable}=1 to see where", error=name, variable=DEBUG)
    speech = Settings(Path(), Path()).speech(spoken())
    warn(_("Error: {message}").format(message=speech.render(text)))
    return ExitCode.CANNOT


def _abandon_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush does not complain about the reader that left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> NoReturn:
    """Run the command line of this process and end it with the exit code."""
    if "_RELEVE_COMPLETE" in os.environ:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "releve", "_RELEVE_COMPLETE", os.environ["_RELEVE_COMPLETE"]))
    sys.exit(carry_out(sys.argv[1:]))
