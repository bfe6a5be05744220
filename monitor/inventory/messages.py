"""The site's own words in messages (`messages:`): read once, so that what is wrong with them is told here."""

from __future__ import annotations

import unicodedata

from alerts.notice import Audience, Step
from alerts.own_words import (
    FIRST_THREE,
    NEVER_READ,
    REFERENCE,
    VARIABLES,
    OwnWords,
    SiteWords,
    Template,
    Unbalanced,
    template_of,
)
from monitor.core.text import LANGUAGES, say
from monitor.inventory.message_keys import STEPS, MessagesKeys, OwnWordsKeys
from monitor.inventory.problems import Place, Problems, close_to
from monitor.inventory.scope import Scope
from monitor.inventory.shape import shaped
from monitor.inventory.yaml_nodes import ScalarNode, TableNode

LONGEST = 2000
"""Characters of one template: a page of small print."""
Said = dict[str, tuple[str, Place]]
"""A template by language, with where it stands."""


def messages(scope: Scope) -> SiteWords:
    """Return the site's own words; what is wrong with them is noted."""
    entry = scope.tree.entries.get("messages")
    if entry is None or getattr(entry.value, "value", "") is None:
        return SiteWords()
    keys = shaped(MessagesKeys, entry.value, entry.at, "messages", scope.problems)
    if keys is None or not isinstance(entry.value, TableNode):
        return SiteWords()
    said: dict[tuple[Step, Audience, str], OwnWords] = {}
    for step in STEPS:
        readers = entry.value.get(step.value)
        for audience in Audience:
            words = readers.get(audience.value) if isinstance(readers, TableNode) else None
            if isinstance(words, TableNode):
                where = f"messages.{step.value}.{audience.value}"
                if step in NEVER_READ[audience]:
                    message = say("nobody is told this as {reader}: these words are never read", reader=audience.value)
                    scope.problems.warn(words.at, where, message)
                said |= {(step, audience, each): own for each, own in _own(words, where, scope.problems).items()}
    signed = _said(entry.value, "signature", "messages", scope.problems)
    return SiteWords(said, {language: _lines(text) for language, (text, _) in signed.items()})


def _own(table: TableNode, where: str, problems: Problems) -> dict[str, OwnWords]:
    """The words of one step for one reader, by language."""
    subjects, openings, closings = (_said(table, key, where, problems) for key in OwnWordsKeys.model_fields)
    for text, at in subjects.values():
        _look_at_subject(text, at, f"{where}.subject", problems)
    for text, at in openings.values():
        _look_at_opening(text, at, f"{where}.opening", problems)
    return {
        language: OwnWords(
            subject=template_of(subjects[language][0]) if language in subjects else None,
            opening=_lines(openings[language][0]) if language in openings else (),
            closing=_lines(closings[language][0]) if language in closings else (),
        )
        for language in LANGUAGES
        if language in {*subjects, *openings, *closings}
    }


def _said(table: TableNode, key: str, where: str, problems: Problems) -> Said:
    """The templates under `key` by language; one in which something is wrong is noted and left out."""
    node = table.get(key)
    if isinstance(node, TableNode):
        found = {language: entry.value for language, entry in node.entries.items()}
    else:
        found = {} if node is None else dict.fromkeys(LANGUAGES, node)
    return {
        language: (one.text, one.at)
        for language, one in found.items()
        if isinstance(one, ScalarNode) and isinstance(one.value, str) and _sound(one, f"{where}.{key}", problems)
    }


def _sound(node: ScalarNode, where: str, problems: Problems) -> bool:
    """Whether `node` is a template that can be filled; else it is noted."""
    known = ", ".join(VARIABLES)
    if len(node.text) > LONGEST:
        problems.error(node.at, where, say("longer than {most} characters", most=LONGEST))
        return False
    if any(sign != "\n" and unicodedata.category(sign) == "Cc" for sign in node.text):
        problems.error(node.at, where, say("a control character stands in it"), say("leave it out"))
        return False
    try:
        strange = sorted(template_of(node.text).names - set(VARIABLES))
    except Unbalanced:
        message = say("a brace stands alone, or holds more than a name")
        hint = say("write {{name}} with one of: {known}; for a brace itself write {{{{", known=known)
        problems.error(node.at, where, message, hint)
        return False
    for name in strange:
        message = say("there is no value {name} for messages", name=name)
        problems.error(node.at, where, message, close_to(name, VARIABLES) or say("there are: {names}", names=known))
    return not strange


def _look_at_subject(text: str, at: Place, where: str, problems: Problems) -> None:
    if REFERENCE not in template_of(text).names:
        message = say("the subject does not hold {{reference}}: nobody could say which incident it is about")
        problems.error(at, where, message, say('write "{{reference}} ..."'))


def _look_at_opening(text: str, at: Place, where: str, problems: Problems) -> None:
    """The first three lines of every message are the contract's, whatever stands around them."""
    held = [line.names & set(FIRST_THREE) for line in _lines(text)]
    wanted = [{name} for name in FIRST_THREE]
    if held[:3] != wanted or any(held[3:]):
        message = say("the first three lines must hold {{what}}, {{impact}} and {{next}}, one each and in this order")
        hint = say("what happened, its impact and when the next message comes are what every reader looks for first")
        problems.error(at, where, message, hint)


def _lines(text: str) -> tuple[Template, ...]:
    return tuple(template_of(line) for line in text.splitlines() if line.strip())
