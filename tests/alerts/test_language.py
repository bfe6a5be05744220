"""Every sentence has its French, and none loses a value on the way."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfoNotFoundError

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from alerts.language import folder, speech, translation
from monitor.core.text import say

FLOORS = ("monitor", "probes", "alerts", "runbooks", "failover", "templates", "lab")
WORDS = {"say": None, "_": None, "N_": None, "ngettext": (1, 2)}


@pytest.fixture(scope="module")
def french() -> Catalog:
    with (folder() / "locale/fr/LC_MESSAGES/releve.po").open("rb") as file:
        return read_po(file, locale="fr")


@pytest.fixture(scope="module")
def said(project: Path) -> dict[str, str]:
    """Every sentence that the code says, and where."""
    return dict(_said(project))


def _said(project: Path) -> Iterator[tuple[str, str]]:
    for floor in FLOORS:
        found = extract_from_dir(project / floor, [("**.py", "python")], {"**": {"encoding": "utf-8"}}, WORDS)
        for file, line, message, _, _ in found:
            if message:
                yield one(message), f"{floor}/{file}:{line}"


def one(message: str | tuple[str, ...]) -> str:
    """The sentence, or of one that depends on a number its singular."""
    return message if isinstance(message, str) else message[0]


def forms(message: str | tuple[str, ...]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else message


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_sentence_has_its_french(said, french):
    done = {one(entry.id) for entry in french if entry.id and all(forms(entry.string))}
    missing = [f"{where}: {message}" for message, where in said.items() if message not in done]
    assert not missing, "`make messages`, then translate:\n" + "\n".join(missing)


def test_a_translation_holds_the_same_values(french):
    wrong = [
        f"{said!r} -> {written!r}"
        for entry in french
        if entry.id and all(forms(entry.string))
        for said, written in zip(forms(entry.id), forms(entry.string), strict=True)
        if places(said) != places(written)
    ]
    assert not wrong


def test_no_translation_is_a_guess(french):
    assert not [entry.id for entry in french if entry.id and entry.fuzzy]


def test_the_compiled_catalogue_is_that_of_the_source(french):
    fresh = io.BytesIO()
    write_mo(fresh, french)
    fresh.seek(0)
    with (folder() / "locale/fr/LC_MESSAGES/releve.mo").open("rb") as file:
        kept = GNUTranslations(file)._catalog
    new = GNUTranslations(fresh)._catalog
    assert {key: value for key, value in kept.items() if key} == {key: value for key, value in new.items() if key}, (
        "run `make messages`"
    )


def test_french_is_set_as_french_is(french):
    """A typographic apostrophe; a no-break space before a colon and a narrow one before ; ? ! so that no line begins
    with them."""
    wrong = [
        text
        for entry in french
        if entry.id
        for text in forms(entry.string)
        if re.search(r"[^\W\d_]'[^\W\d_]| [:;?!](\s|$)|\xa0[;?!](\s|$)", text)
    ]
    assert not wrong


def test_a_language_that_we_lack_is_spoken_to_in_english():
    assert speech("de", "Africa/Douala").language == "en"
    assert translation("de")("Critical") == "Critical"


def test_french_is_spoken():
    assert speech("fr").render(say("Critical")) == "Critique"


def test_nothing_said_is_nothing():
    """gettext keeps the catalogue's header under the empty message."""
    assert translation("fr")("") == ""


def test_a_zone_that_does_not_exist_is_an_error():
    with pytest.raises(ZoneInfoNotFoundError):
        speech("fr", "Africa/Nowhere")


def test_speaking_costs_no_heavy_import():
    heavy = "{'babel', 'jinja2', 'apprise', 'pydantic', 'yaml', 'sqlalchemy', 'email', 'asyncio', 'smtplib'}"
    code = (
        f"import sys, alerts.language as l; l.speech('fr', 'Africa/Douala'); print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
