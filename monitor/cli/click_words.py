"""Click's own words that a user of `releve` may read, so that they are in our catalogue; click looks them up itself.

Nothing imports this module: message extraction reads it, and a test holds it to the click that is installed.
"""

from __future__ import annotations

from gettext import ngettext

from monitor.core.text import N_

WORDS = (
    N_("Usage:"),
    N_("Options"),
    N_("Positional arguments"),
    N_("Commands"),
    N_("Show this message and exit."),
    N_("Show the version and exit."),
    N_("%(prog)s, version %(version)s"),
    N_("default: {default}"),
    N_("env var: {var}"),
    N_("Error: {message}"),
    N_("Try '{command} {option}' for help."),
    N_("Missing command."),
    N_("Missing argument"),
    N_("Missing option"),
    N_("Missing parameter"),
    N_("Choose from:\n\t{choices}"),
    N_("No such option {name!r}."),
    N_("No such command {name!r}."),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("Option {name!r} does not take a value."),
    N_("{value!r} is not a valid {number_type}."),
    N_("{value} is not in the range {range}."),
    N_("{name} {filename!r} does not exist."),
    N_("{name} {filename!r} is a file."),
    N_("{name} {filename!r} is a directory."),
    N_("{name} {filename!r} is not readable."),
    N_("{name} {filename!r} is not writable."),
    N_("Could not open file {filename!r}: {message}"),
    N_("file"),
    N_("directory"),
    N_("path"),
)
PLACES = (
    N_("ADDRESS"),
    N_("ARGS"),
    N_("CHECK"),
    N_("COMMAND"),
    N_("CONTACT"),
    N_("DIR"),
    N_("FILE"),
    N_("HEAD"),
    N_("HOST"),
    N_("ID"),
    N_("KEY"),
    N_("KIND"),
    N_("METRIC"),
    N_("NAME"),
    N_("OPTIONS"),
    N_("PORT"),
    N_("TEXT"),
    N_("TIME"),
    N_("VALUE"),
    N_("WHEN"),
)
"""What stands in usage and help for what the user writes; `commands.localized` looks them up."""


def plurals(n: int) -> tuple[str, ...]:
    """Return click's sentences that depend on a number."""
    return (
        ngettext("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", n),
        ngettext("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", n),
        ngettext("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments.", n),
        ngettext("{value!r} is not {choice}.", "{value!r} is not one of {choices}.", n),
    )
