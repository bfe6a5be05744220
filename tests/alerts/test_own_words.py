"""The site's own words: around what every message says, never in its place, and never more than words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.compose import compose
from alerts.notice import Audience, Step
from alerts.own_words import OURS, VARIABLES, OwnWords, SiteWords, Template, Unbalanced, template_of
from alerts.privacy import BLANK
from tests.alerts.first_lines import shown
from tests.alerts.told import every

TOLD = [told for told in every() if told.planned.key.step is not Step.TEST]
CLIENT = next(told for told in TOLD if told.planned.key.audience is Audience.CLIENT)
OWN = OwnWords(
    subject=template_of("ATT-{reference}: {title}"),
    opening=tuple(map(template_of, ("ALERT {what}", "{impact} (contract 12)", ">> {next}", "Ask for {reference}."))),
    closing=(template_of("Hotline 4000, since {began}"),),
    signature=(template_of("IT of {site}"),),
)


@pytest.mark.parametrize("told", TOLD[::7], ids=lambda told: told.name)
def test_the_first_three_lines_are_ours_with_the_site_s_words_around_them(told):
    before = compose(told.planned, told.incident, told.context)
    after = compose(told.planned, told.incident, replace(told.context, own=OWN))
    held = after.text.splitlines()
    lines = "\n".join(held[:3])
    assert "ALERT " in lines
    assert held[2].startswith(">> ")
    for line in before.text.splitlines()[:3]:
        assert all(word in lines for word in line.split())
    assert f"ATT-{told.incident.id}" in after.subject
    assert f"Ask for {told.incident.id}." in held
    assert held.index("IT of Media Contact Douala") == held.index("-- ") + 1
    assert any(line.startswith("Hotline 4000, since ") for line in held[: held.index("-- ")])
    assert {"IT of Media Contact Douala", f"Ask for {told.incident.id}."} <= set(shown(after.html))
    assert after.short == before.short


def test_without_own_words_nothing_changes():
    assert compose(CLIENT.planned, CLIENT.incident, replace(CLIENT.context, own=OwnWords())) == compose(
        CLIENT.planned, CLIENT.incident, CLIENT.context
    )


def test_what_a_person_stated_is_blanked_for_a_client_in_own_words_too():
    told = replace(CLIENT, incident=replace(CLIENT.incident, cause="srv-onnet-01 is down"))
    own = OwnWords(closing=(template_of("Cause: {cause}"),))
    text = compose(told.planned, told.incident, replace(told.context, own=own)).text
    assert f"Cause: {BLANK} is down" in text.splitlines()
    assert "srv-onnet-01" not in text


@pytest.mark.parametrize(
    "text", ["{", "}", "{what", "{}", "{what!r}", "{what:>100}", "{what!r:{title}}", "{ what }}", "a } b"]
)
def test_a_brace_that_holds_no_name_is_no_template(text):
    with pytest.raises(Unbalanced):
        template_of(text)


@pytest.mark.parametrize("text", ["{what.__class__}", "{what[0]}", "{0}", "{self}"])
def test_nothing_but_a_name_is_ever_looked_up(text):
    assert template_of(text).names - set(VARIABLES)


def test_a_doubled_brace_is_a_brace():
    assert template_of("{{{title}}} {{x}}").filled({"title": "{what}"}) == "{{what}} {x}"


@given(st.text())
def test_any_text_is_a_template_or_refused(text):
    try:
        template = template_of(text)
    except Unbalanced:
        return
    assert isinstance(template.filled(dict.fromkeys(template.names, "x")), str)


def test_words_are_found_by_step_reader_and_language_and_the_signature_in_all():
    words = SiteWords({(Step.UPDATE, Audience.CLIENT, "fr"): OWN}, {"fr": (Template((("Signé", ""),)),)})
    assert words.of(Step.UPDATE, Audience.CLIENT, "fr").subject == OWN.subject
    assert words.of(Step.UPDATE, Audience.CLIENT, "en") == OURS
    assert words.of(Step.RESOLVED, Audience.CLIENT, "fr") == OwnWords(signature=words.signatures["fr"])
