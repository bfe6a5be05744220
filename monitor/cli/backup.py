"""`releve backup` and `releve restore`: everything that Relève knows, in one file and back."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.context import ExitCode, Failure, Settings, emit_json, pass_settings, warn
from monitor.cli.reading import site_speech
from monitor.core.text import N_, Quantity, say

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
@JSON
@pass_settings
def restore(settings: Settings, file: Path, yes: bool, as_json: bool) -> int:
    """Put a backup back."""
    import os

    from monitor.clock import SystemClock
    from monitor.store import StoreError
    from monitor.store.putting_back import put_back
    from monitor.web.views import when

    actor = f"uid:{os.getuid()}"
    try:
        done = put_back(settings.data, file, SystemClock().now(), actor=actor, over=yes)
    except StoreError as error:
        raise Failure(error.text) from error
    words = site_speech(settings)
    if as_json:
        emit_json(
            {
                "data": str(settings.data.absolute()),
                "made_at": when(done.made_at),
                "audit_head": done.head,
                "history": done.has_history,
                "aside": None if done.aside is None else str(done.aside.absolute()),
            }
        )
        return ExitCode.DONE
    made = f"{words.date(done.made_at)} {words.clock(done.made_at)}"
    click.echo(words.render(say("The state of {made} is back in place in {path}", made=made, path=str(settings.data))))
    if done.aside is not None:
        click.echo(words.render(say("What was there before lies in {path}", path=str(done.aside))))
    return ExitCode.DONE
