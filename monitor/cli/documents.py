"""How a command writes a document: in which format, with the site's names where it has any, and into what."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.context import Failure, Settings, warn
from monitor.core.text import N_, say

if TYPE_CHECKING:
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory
    from monitor.reports.document import Document
    from monitor.reports.formats import Format

STDOUT = "-"
FORMATS = ("pdf", "html", "md", "json")
"""Those of `monitor.reports.formats.Format`, which is not imported for the help alone."""
OUTPUT = click.option(
    "-o", "--output", default=STDOUT, metavar="FILE", help=N_("Write into FILE, whole or not at all.")
)


def format_of(wanted: str | None, output: str) -> Format:
    """Return what is asked for, else what the name of the file says. Raises Failure before anything is read."""
    from monitor.reports.formats import SUFFIXES, Format

    by_name = SUFFIXES.get(Path(output).suffix.lower())
    form = Format(wanted) if wanted else Format.MARKDOWN if output == STDOUT else by_name
    if form is None:
        names = ", ".join(sorted(SUFFIXES))
        raise Failure(
            say("the name {path} says no format; end it with {names}, or give --format", path=output, names=names)
        )
    if form.binary and output == STDOUT and sys.stdout.isatty():
        raise Failure(say("a PDF is not for a terminal: write it into a file with -o FILE"))
    return form


def site_of(settings: Settings) -> tuple[Inventory | None, Speech]:
    """Return the inventory, or None where it is wrong: what can be written without names and targets is."""
    from monitor.inventory.load import load

    reading = load(settings.inventory)
    speech = settings.speech(reading.language, reading.zone)
    if reading.inventory is None:
        text = say(
            "{path} cannot be read: the document has no names, targets and thresholds. `releve validate` says what is "
            "wrong",
            path=str(settings.inventory),
        )
        warn(speech.render(text))
    return reading.inventory, speech


def write(document: Document, form: Format, output: str) -> None:
    """Write `document` into the file `output`, or on stdout. Raises Failure."""
    from monitor.reports.formats import rendered
    from monitor.reports.workshop import RenderFailed

    check_target(output)
    try:
        content = rendered(document, form)
    except RenderFailed as error:
        raise Failure(error.text) from error
    put(content, output, binary=form.binary)


def check_target(output: str) -> None:
    """Raise Failure where no file can be written to `output`."""
    target = Path(output)
    if output != STDOUT and not target.parent.is_dir():
        raise Failure(say("There is no folder {path}", path=str(target.parent)))
    if target.is_dir():
        raise Failure(say("{path} is a folder; name a file in it", path=output))


def put(content: bytes, output: str, *, binary: bool = False) -> None:
    """Write what is ready into the file `output`, whole or not at all, or on stdout. Raises Failure."""
    if output != STDOUT:
        _put(Path(output), content)
    elif binary:
        sys.stdout.buffer.write(content)
    else:
        click.echo(content.decode(), nl=False)


def _put(target: Path, content: bytes) -> None:
    from monitor.core.reasons import reason
    from monitor.reports.formats import put

    try:
        put(target, content)
    except OSError as error:  # it names the file that was to take the place of this one
        raise Failure(say("{path}: {why}", path=str(target), why=reason(error))) from error
