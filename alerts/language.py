"""In which words a reader is spoken to: gettext's catalogues, found among the templates by name."""

from __future__ import annotations

import gettext
from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.core.text import LANGUAGES, Speech

DOMAIN = "releve"
"""English is what the code says; every other language is a catalogue."""


def folder() -> Path:
    """Return the folder of the installed templates. Raises ModuleNotFoundError when the installation lacks it."""
    found = find_spec("templates")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package `templates` is missing: install Relève anew", name="templates")
    return Path(next(iter(found.submodule_search_locations)))


@cache
def translation(language: str) -> Callable[[str], str]:
    """Return what turns an English template into `language` (`fr`, `fr_CM`); a language we lack stays English."""
    found = gettext.translation(DOMAIN, folder() / "locale", [language], fallback=True)
    # gettext keeps the catalogue's own header under the empty msgid.
    return lambda template: found.gettext(template) if template else ""


def speech(language: str, zone: tzinfo | str = UTC) -> Speech:
    """Return how a reader of `language` at a site in `zone` (`Africa/Douala`) is spoken to.

    Raises zoneinfo.ZoneInfoNotFoundError for a zone that does not exist.
    """
    known = language if language in LANGUAGES else "en"
    return Speech(known, translation(known), ZoneInfo(zone) if isinstance(zone, str) else zone)
