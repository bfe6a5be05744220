"""`messages:`: the site's own words are read, and one bad snippet a rule with its exact message."""

import pytest

from alerts.notice import Audience, Step
from alerts.own_words import NEVER_READ, VARIABLES, SiteWords, template_of
from monitor.inventory.problems import Level
from tests.alerts.told import READERS

SITE = "site: {name: X}\n"
KNOWN = ", ".join(VARIABLES)
WHOLE = """
messages:
  signature: {fr: "Service informatique\\nposte 4000", en: IT desk}
  first_notice:
    client:
      subject: "{reference} {title}"
      opening:
        fr: |
          Madame, Monsieur. {what}
          {impact}

          {next}
          Référence {reference}
      closing: "Hotline: 4000"
"""

ERRORS = {
    "unknown value": (
        'messages: {update: {client: {closing: "{tilte}"}}}\n',
        "2:39 messages.update.client.closing: there is no value tilte for messages (did you mean title?)",
    ),
    "a value like no other": (
        'messages: {signature: "{xyzzy}"}\n',
        f"2:23 messages.signature: there is no value xyzzy for messages (there are: {KNOWN})",
    ),
    "attribute of a value": (
        'messages: {signature: {en: "{site.__class__}"}}\n',
        f"2:28 messages.signature: there is no value site.__class__ for messages (there are: {KNOWN})",
    ),
    "unbalanced brace": (
        'messages: {update: {client: {closing: "{title"}}}\n',
        "2:39 messages.update.client.closing: a brace stands alone, or holds more than a name"
        f" (write {{name}} with one of: {KNOWN}; for a brace itself write {{{{)",
    ),
    "a format": (
        'messages: {signature: "{site:>10}"}\n',
        "2:23 messages.signature: a brace stands alone, or holds more than a name"
        f" (write {{name}} with one of: {KNOWN}; for a brace itself write {{{{)",
    ),
    "subject without its reference": (
        'messages: {resolved: {client: {subject: "It is over"}}}\n',
        "2:41 messages.resolved.client.subject: the subject does not hold {reference}: nobody could say which incident"
        ' it is about (write "{reference} ...")',
    ),
    "opening without the next message": (
        'messages: {update: {internal: {opening: "{what}\\n{impact}\\nGoodbye"}}}\n',
        "2:41 messages.update.internal.opening: the first three lines must hold {what}, {impact} and {next}, one each"
        " and in this order (what happened, its impact and when the next message comes are what every reader looks for"
        " first)",
    ),
    "opening that greets first": (
        'messages: {update: {client: {opening: "Good day\\n{what}\\n{impact}\\n{next}"}}}\n',
        "2:39 messages.update.client.opening: the first three lines must hold {what}, {impact} and {next}, one each"
        " and in this order (what happened, its impact and when the next message comes are what every reader looks for"
        " first)",
    ),
    "wrong language": (
        "messages: {signature: {de: Gruss}}\n",
        "2:24 messages.signature.de: unknown key de (there are: en, fr)",
    ),
    "unknown step": (
        "messages: {updates: {client: {closing: x}}}\n",
        "2:12 messages.updates: unknown key updates (did you mean update?)",
    ),
    "unknown reader": (
        "messages: {update: {clients: {closing: x}}}\n",
        "2:21 messages.update.clients: unknown key clients (did you mean client?)",
    ),
    "control character": (
        'messages: {signature: "a\\e[31mb"}\n',
        "2:23 messages.signature: a control character stands in it (leave it out)",
    ),
    "too long": (
        f"messages: {{signature: {'x' * 2001}}}\n",
        "2:23 messages.signature: longer than 2000 characters",
    ),
}


def test_own_words_are_read_by_step_reader_and_language(read, lines):
    loaded = read(SITE + WHOLE)
    assert lines(loaded.problems) == []
    words = loaded.inventory.words
    french = words.of(Step.FIRST_NOTICE, Audience.CLIENT, "fr")
    assert french.subject == template_of("{reference} {title}")
    assert french.opening == tuple(
        map(template_of, ("Madame, Monsieur. {what}", "{impact}", "{next}", "Référence {reference}"))
    )
    assert french.signature == tuple(map(template_of, ("Service informatique", "poste 4000")))
    english = words.of(Step.FIRST_NOTICE, Audience.CLIENT, "en")
    assert (english.opening, english.closing) == ((), (template_of("Hotline: 4000"),))


@pytest.mark.parametrize("text", ["", "messages:\n", "messages: {}\n", "messages: {update: }\n"])
def test_a_site_without_own_words_has_ours(read, text):
    assert read(SITE + text).inventory.words == SiteWords()


@pytest.mark.parametrize("rule", ERRORS)
def test_what_is_wrong_is_told_with_its_place_and_a_remedy(read, lines, rule):
    snippet, expected = ERRORS[rule]
    loaded = read(SITE + snippet)
    assert lines(loaded.problems) == [expected]
    assert loaded.inventory is None


@pytest.mark.parametrize(("step", "reader"), [("update", "internal"), ("worsened", "client")])
def test_words_that_nobody_would_read_are_warned_of(read, lines, step, reader):
    loaded = read(f"{SITE}messages: {{{step}: {{{reader}: {{closing: x}}}}}}\n")
    (warned,) = [line for line in lines(loaded.problems, Level.WARNING) if "messages" in line]
    assert warned.endswith(f" messages.{step}.{reader}: nobody is told this as {reader}: these words are never read")
    assert loaded.inventory is not None


def test_what_is_never_read_is_read_by_nobody():
    for audience, steps in NEVER_READ.items():
        assert not [step for step in steps if audience in READERS[step]]
