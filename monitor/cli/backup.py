"""`releve backup` and `releve restore`: everything that Relève knows, in one file and back."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.context import ExitCode, Failure, Settings, as_typed, emit_json, pass_settings, warn
from monitor.cli.reading import site_speech
from monitor.core.text import N_, Quantity, say, verbatim

if TYPE_CHECKING:
    from monitor.core.text import Speech, Text
    from monitor.store.putting_back import NewerCopy

JSON = click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON."))


@click.command(
    help=N_(
        "Copy the state of Relève into the new file FILE, also while the daemon runs. It holds addresses and messages: "
        "keep it as safe as the state itself."
    )
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@JSON
@pass_settings
def backup(settings: Settings, file: Path | None, as_json: bool) -> int:
    """Make a backup; without a name it is put into the present folder, named by the time."""
    from monitor.clock import SystemClock
    from monitor.store import StoreError
    from monitor.store.archive import back_up
    from monitor.web.views import when

    now = SystemClock().now()
    try:
        made = back_up(settings.data, file or Path(f"releve-{now:%Y%m%d-%H%M%S}Z.zip"), now)
    except StoreError as error:
        raise Failure(error.text) from error
    words = site_speech(settings)
    if made.left_out is not None:
        text = say("The history of measurements is not in the backup: {why}", why=made.left_out)
        warn(words.render(text))
    if as_json:
        emit_json(
            {
                "path": str(made.path.absolute()),
                "size": made.size,
                "made_at": when(made.made_at),
                "audit_head": made.head,
                "history": made.has_history,
            }
        )
    else:
        text = say("Backup made: {path} ({size})", path=str(made.path), size=Quantity(made.size, "By"))
        click.echo(words.render(text))
    return ExitCode.DONE


@click.command(help=N_("Check the backup FILE and put it back in place. No daemon may run."))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help=N_("Also when there is a state already: its files are set aside."))
@click.option(
    "--over-copy",
    is_flag=True,
    help=N_("Also when a newer copy of the other Relève's state lies here: it is set aside, and no longer counts."),
)
@JSON
@pass_settings
def restore(settings: Settings, file: Path, yes: bool, over_copy: bool, as_json: bool) -> int:
    """Put a backup back."""
    import os

    from monitor.clock import SystemClock
    from monitor.store import StoreError
    from monitor.store.putting_back import NewerCopy, put_back
    from monitor.web.views import when

    actor, words = f"uid:{os.getuid()}", site_speech(settings)
    try:
        done = put_back(settings.data, file, SystemClock().now(), actor=actor, over=yes, over_copy=over_copy)
    except NewerCopy as error:
        for text in _choices(error, file, words):
            warn(words.render(text))
        raise Failure(say("Nothing was done: the copy is newer than the backup. Choose one of these")) from error
    except StoreError as error:
        raise Failure(error.text) from error
    if as_json:
        emit_json(
            {
                "data": str(settings.data.absolute()),
                "made_at": when(done.made_at),
                "audit_head": done.head,
                "history": done.has_history,
                "aside": None if done.aside is None else str(done.aside.absolute()),
                "copy": None if done.copy is None else str(done.copy.absolute()),
            }
        )
        return ExitCode.DONE
    made = words.moment(done.made_at)
    click.echo(words.render(say("The state of {made} is back in place in {path}", made=made, path=str(settings.data))))
    if done.aside is not None:
        click.echo(words.render(say("What was there before lies in {path}", path=str(done.aside))))
    if done.copy is not None:
        text = say(
            "The copy of the other Relève's state lies in {path}, and no longer counts; nor does what that one sends, "
            "unless it leads again",
            path=str(done.copy),
        )
        click.echo(words.render(text))
    return ExitCode.DONE


def _choices(error: NewerCopy, file: Path, words: Speech) -> list[Text]:
    """Return which of the two is the newer one, and what to type for each wish."""
    copy, backup = error.rival.extent.at, error.backup.at
    from_when = say("no moment that is known") if copy is None else verbatim(words.moment(copy))
    said = say(
        "The copy of the other Relève's state here goes up to {copy}; the backup was made on {made}",
        copy=from_when,
        made=words.moment(error.made_at),
    )
    if backup is not None:
        said = say("{said}, and goes up to {backup}", said=said, backup=words.moment(backup))
    if error.rival.broken:
        said = say("{said}. The copy lacks the last of what was sent", said=said)
    if copy is not None and copy < (backup or error.made_at):
        said = say("{said}. Whatever the clocks say, the copy is of who went on later: it is the newer one", said=said)
    quoted = shlex.quote(str(file))
    return [
        said,
        say(
            "- If the Relève at the other site runs, nothing is to be put back, this one gets its state: {command}",
            command=as_typed("releve run"),
        ),
        say(
            "- If that site is lost, to go on with the copy: {command}",
            command=as_typed("releve peer take-over --yes"),
        ),
        say(
            "- To put the backup back all the same, the copy set aside: {command}",
            command=as_typed(f"releve restore {quoted} --yes --over-copy"),
        ),
    ]
