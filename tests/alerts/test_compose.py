"""What each reader reads: first the three things that matter, and to a client nothing that is not theirs."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.compose import compose
from alerts.context import AnnouncedWork, Conference, Context
from alerts.gsm import LIMIT, septets
from alerts.internal_words import commands
from alerts.language import speech
from alerts.notice import OF_MANY, Audience, Message, NoticeKey, Planned, Step
from alerts.privacy import BLANK
from alerts.wording import KINDS
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import Incident, fold
from monitor.core.services import Leaf, Service, View
from monitor.core.text import Text, say, verbatim
from monitor.core.verdict import Severity

ID = IncidentId("26-0042")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
OPENED = BEGAN + timedelta(minutes=2)
HOST, ADDRESS, CHECK = "srv-onnet-01", "10.20.30.40", "onnet-service"


def happened(
    kind: EventKind,
    at: datetime,
    text: Text | None = None,
    severity: Severity | None = None,
    began: datetime | None = None,
    *,
    actor: str = RELEVE,
    check: str = CHECK,
    name: str = "",
) -> Event:
    return Event(ID, at, kind, actor, text or say("So it is"), CheckId(check), severity, name, began)


def story(*events: Event) -> Incident:
    incident: Incident | None = None
    for event in events:
        incident = fold(incident, event)
    assert incident is not None
    return incident


def opening(kind: str = "service-stopped", severity: Severity = Severity.CRITICAL) -> Event:
    said = say("the service {name} on {address} is stopped", name="Onnet", address=ADDRESS)
    return happened(EventKind.OPENED, OPENED, said, severity, BEGAN, name=kind)


DISRUPTION = happened(EventKind.DISRUPTED, OPENED, began=BEGAN)
OPEN = story(opening(), DISRUPTION)


def context(language: str = "fr", **more: object) -> Context:
    base = Context(
        site="Media Contact Douala",
        speech=speech(language, "Africa/Douala"),
        now=OPENED,
        next_at=BEGAN + timedelta(minutes=60),
        next_to=("att",),
        node=HOST,
        private=(HOST, ADDRESS, CHECK),
        people={"att": "Desk ATT", "dsi": "DSI OCM"},
        audit_head="0123456789abcdef" * 4,
        target=timedelta(minutes=5),
    )
    return replace(base, **more)


def planned(audience: Audience, step: Step, **more: object) -> Planned:
    return replace(Planned(NoticeKey(ID, audience, step, 1, "att"), OPENED), **more)


def first_three(message: Message) -> list[str]:
    return message.text.splitlines()[:3]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "fr",
            [
                "Interruption de service : Arrêt d’un service applicatif, depuis 14 h 05, heure de Douala.",
                "Impact : les appels ne peuvent pas être traités normalement.",
                "Prochain point d’information : 15 h 05, heure de Douala, ou dès le rétablissement du service.",
            ],
        ),
        (
            "en",
            [
                "Service interruption: Application service stopped, since 14:05, Douala time.",
                "Impact: calls cannot be handled normally.",
                "Next update: 15:05, Douala time, or as soon as the service is restored.",
            ],
        ),
    ],
)
def test_the_first_three_lines_say_what_happened_the_impact_and_when_the_next_comes(language, lines):
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), OPEN, context(language))
    assert [re.sub(r"[\u00a0\u202f]", " ", line) for line in first_three(message)] == lines


@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_message_says_cause_action_reference_and_beginning(audience, language):
    message = compose(planned(audience, Step.UPDATE), OPEN, context(language))
    labels = {
        "fr": ["Cause", "Action en cours", "Référence", "Début"],
        "en": ["Cause", "What is being done", "Reference", "Began"],
    }
    for label in labels[language]:
        assert re.search(rf"^{label}\s?: \S", message.text, re.MULTILINE)
        assert label in unescape(message.html)
    assert "26-0042" in message.subject
    assert "26-0042" in message.short


def test_the_subject_stays_the_same_while_the_incident_goes_on():
    steps = (Step.FIRST_NOTICE, Step.UPDATE)
    subjects = {compose(planned(Audience.CLIENT, step), OPEN, context("en")).subject for step in steps}
    assert subjects == {"[Relève] 26-0042 Application service stopped"}


def test_the_end_shows_in_the_subject():
    ended = story(opening(), DISRUPTION, happened(EventKind.RESOLVED, BEGAN + timedelta(minutes=47)))
    message = compose(planned(Audience.CLIENT, Step.RESOLVED), ended, context("en", now=BEGAN + timedelta(minutes=47)))
    assert message.subject == "[Relève] 26-0042 Application service stopped: resolved"
    assert first_three(message) == [
        "Service restored: Application service stopped, over since 14:52, Douala time.",
        "Impact: the service works again; it was interrupted for 47\u00a0min.",
        "Next message: none, unless the interruption comes back.",
    ]


def test_a_stated_cause_is_told_and_an_unknown_one_is_called_so():
    unknown = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en"))
    assert "Cause: not yet known (usual cause: failure of the service)" in unknown.text
    said = happened(EventKind.CAUSE, OPENED, verbatim("panne de mémoire"), actor="awa")
    known = compose(planned(Audience.CLIENT, Step.UPDATE), story(opening(), DISRUPTION, said), context("fr"))
    assert "panne de mémoire" in known.text


def test_a_client_reads_a_persons_cause_without_our_names_and_addresses():
    words = f"{HOST.upper()} ({ADDRESS}) ne répond plus, voir http://intranet/x et \\\\nas\\audio"
    said = happened(EventKind.CAUSE, OPENED, verbatim(words), actor="awa")
    stated = story(opening(), DISRUPTION, said)
    client = compose(planned(Audience.CLIENT, Step.UPDATE), stated, context())
    assert f"{BLANK} ({BLANK} ne répond plus, voir {BLANK} et {BLANK}" in client.text.replace(")", "")
    internal = compose(planned(Audience.INTERNAL, Step.UPDATE), stated, context())
    assert words in internal.text


def test_the_inventory_may_call_a_kind_otherwise():
    own = context("fr", title="Plateau 2 à l’arrêt", usual_cause="disjoncteur du plateau 2")
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), OPEN, own)
    assert message.subject == "[Relève] 26-0042 Plateau 2 à l’arrêt"
    assert "disjoncteur du plateau 2" in message.text


@pytest.mark.parametrize(
    ("kind", "impact"),
    [
        ("of-this-site-only", "Impact: the client's service is interrupted."),
        ("service-stopped", "Impact: the client's service is interrupted (calls cannot be handled normally)."),
    ],
)
def test_our_own_people_read_the_impact_once(kind, impact):
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), story(opening(kind), DISRUPTION), context("en"))
    assert first_three(message)[1] == impact


def test_our_own_people_read_everything_and_what_to_do():
    covered = [
        happened(EventKind.COVERED, OPENED, severity=Severity.CRITICAL, check=f"poste-{n:03}") for n in range(27)
    ]
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), story(opening(), DISRUPTION, *covered), context())
    assert ADDRESS in message.text
    assert re.search(r"Contrôles supprimés \(cause amont\)\s: 27 \(poste-000, ", message.text)
    assert f"{CHECK} sur {HOST}" in message.text
    assert "À faire" in message.text
    assert "  releve incident ack 26-0042\n" in message.text
    assert len(re.findall(r"^  releve ", message.text, re.MULTILINE)) == 3


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ["ack 26-0042", "show 26-0042", 'cause 26-0042 "..."']),
        ([happened(EventKind.ACKNOWLEDGED, OPENED, actor="awa")], ["show 26-0042", 'cause 26-0042 "..."']),
        ([happened(EventKind.CAUSE, OPENED, verbatim("panne"))], ["ack 26-0042", "show 26-0042"]),
        ([happened(EventKind.RESOLVED, OPENED)], ["show 26-0042", 'cause 26-0042 "..."']),
    ],
)
def test_what_to_do_are_complete_commands_and_only_what_is_left_to_do(events, expected):
    assert commands(story(opening(), *events)) == tuple(f"releve incident {words}" for words in expected)


def test_who_has_taken_charge_is_told_by_name_to_us_only():
    taken = story(opening(), DISRUPTION, happened(EventKind.ACKNOWLEDGED, OPENED, actor="awa"))
    client, internal = (compose(planned(audience, Step.UPDATE), taken, context("en")) for audience in Audience)
    assert "an administrator has been working on it since 14:07, Douala time" in client.text
    assert "awa has been working on it since 14:07, Douala time" in internal.text
    assert "awa" not in client.text


def test_a_rehearsal_says_so_and_names_who_would_have_been_told():
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE, instead_of=("att", "dsi")), OPEN, context())
    assert message.subject.startswith("[ESSAI] [Relève] 26-0042")
    assert "Desk ATT, DSI OCM" in message.text
    assert "Desk ATT, DSI OCM" in message.html
    assert message.short.startswith("[ESSAI] ")


def test_missed_updates_are_named():
    gap = (BEGAN + timedelta(minutes=60), BEGAN + timedelta(minutes=120))
    message = compose(planned(Audience.CLIENT, Step.UPDATE, gap=gap), OPEN, context("en"))
    assert "Updates that could not be sent: 15:05, 16:05. This message stands for them." in message.text


def test_updates_that_were_missed_for_days_are_counted_instead_of_named_one_by_one():
    gap = tuple(BEGAN + timedelta(hours=hours) for hours in range(1, 73))
    message = compose(planned(Audience.CLIENT, Step.UPDATE, gap=gap), OPEN, context("en"))
    assert "Updates that could not be sent: 72, from 15:05 to " in message.text


def test_an_uncertain_clock_is_admitted():
    assert "Heure incertaine" in compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context(trusted=False)).text


def test_a_relapse_says_that_it_had_been_reported_as_over():
    ended_at, again_at = BEGAN + timedelta(minutes=20), BEGAN + timedelta(minutes=30)
    again = story(
        opening(),
        DISRUPTION,
        happened(EventKind.RESOLVED, ended_at),
        happened(EventKind.REOPENED, again_at, severity=Severity.CRITICAL, began=again_at - timedelta(minutes=1)),
        happened(EventKind.DISRUPTED, again_at, began=again_at),
    )
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), again, context("en", now=again_at))
    assert first_three(message)[0].startswith("Service interrupted again: ")
    assert first_three(message)[0].endswith("since 14:34, Douala time.")
    assert "This interruption had been reported as over at 14:25, Douala time." in message.text
    internal = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), again, context("en", now=again_at))
    assert "Reopened: episode 2, the one before ended at 14:25, Douala time." in internal.text


def test_a_first_notice_of_what_is_already_over_does_not_say_that_it_goes_on():
    ended = story(opening(), DISRUPTION, happened(EventKind.RESOLVED, BEGAN + timedelta(minutes=9)))
    for audience in Audience:
        message = compose(planned(audience, Step.FIRST_NOTICE), ended, context("en", next_at=None))
        assert "lready over: " in first_three(message)[0]
        assert "from 14:05, Douala time to 14:14, Douala time." in first_three(message)[0]


def test_a_recovery_in_doubt_is_not_called_an_interruption():
    recovered = story(opening(), DISRUPTION, happened(EventKind.RECOVERED, OPENED))
    message = compose(planned(Audience.CLIENT, Step.UPDATE), recovered, context("en"))
    assert first_three(message)[0].startswith("Recovery being verified: ")
    assert "not yet certain" in first_three(message)[1]


def test_a_test_message_says_that_nothing_happened():
    message = compose(planned(Audience.INTERNAL, Step.TEST), None, context("fr", channel="mail"))
    assert message.subject == "[Relève] Message d’essai"
    assert "il ne s’est rien passé" in first_three(message)[1]
    assert "mail" in message.text


@pytest.mark.parametrize(
    ("zone", "language", "shown"),
    [
        ("Africa/Douala", "fr", "14\u00a0h\u00a005, heure de Douala"),
        ("Africa/Abidjan", "fr", "13\u00a0h\u00a005, heure d’Abidjan"),
        ("Africa/Douala", "en", "14:05, Douala time"),
        ("America/New_York", "en", "08:05, New York time"),
        ("UTC", "fr", "13\u00a0h\u00a005 UTC"),
    ],
)
def test_a_time_names_its_zone(zone, language, shown):
    assert context(language, speech=speech(language, zone)).at(BEGAN) == shown


def test_a_time_of_another_day_names_its_day():
    late = context("fr", now=BEGAN + timedelta(days=1))
    assert late.at(BEGAN) == "le 22/11/2026 à 14\u00a0h\u00a005, heure de Douala"


def test_what_a_device_says_breaks_no_line_and_no_markup():
    evil = say("{answer}", answer="line one\r\nSubject: x\n<script>alert(1)</script>" + "x" * 5000)
    said = replace(opening(), text=evil)
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), story(said, DISRUPTION), context("en"))
    assert first_three(message)[1].startswith("Impact: ")
    assert "<script>" not in message.html
    assert len(message.text) < 6000


# --- what the services are able to do leads every message ---------------------------------------------------------


def outlook(
    title: str = "agents able to call", able: float = 62, unsure: float = 0, total: float = 100, *, french: str = ""
) -> Outlook:
    titles = {language: words for language, words in (("en", title), ("fr", french)) if words}
    return Outlook(Service("agents", Leaf(CheckId(CHECK)), titles), View(able, unsure, total), interrupted=False)


CHANNELS = replace(outlook("channels", 18, 0, 30), service=Service("channels", Leaf(CheckId("c")), {"en": "channels"}))


@pytest.mark.parametrize("audience", Audience)
def test_with_services_the_first_line_is_what_they_are_able_to_do_and_the_second_what_happened(audience):
    there = context("en", outlook=(outlook(), CHANNELS))
    first, second, third = first_three(compose(planned(audience, Step.FIRST_NOTICE), OPEN, there))
    assert first.startswith("Agents able to call: 62 of 100; channels: 18 of 30. Impact: ")
    assert "Application service stopped" in second
    assert third.startswith("Next update")


def test_the_service_view_leads_in_the_html_and_in_the_sms_too():
    message = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en", outlook=(outlook(), CHANNELS)))
    assert "<strong>Agents able to call: 62 of 100; channels: 18 of 30." in unescape(message.html)
    assert message.short.startswith("62/100 agents able to call. 26-0042 ")


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (outlook(able=62.5, total=100), "Agents able to call: 62.5 of 100."),
        (outlook("calls possible", able=1, total=1), "Calls possible: yes."),
        (outlook("calls possible", able=0, total=1), "Calls possible: no."),
        (outlook("calls possible", able=0, unsure=1, total=1), "Calls possible: not visible."),
        (outlook(unsure=8), "Agents able to call: 62 to 70 of 100 (8 not visible)."),
        (outlook(unsure=1), "Agents able to call: 62 to 63 of 100 (1 not visible)."),
        (outlook(able=0, unsure=1500, total=1500), "Agents able to call: 0 to 1,500 of 1,500 (1,500 not visible)."),
        (outlook(title="", french="agents"), "Agents: 62 of 100."),
        (outlook(title=""), "Agents: 62 of 100."),
    ],
)
def test_what_a_service_is_able_to_do_is_told_in_whole_numbers_and_in_a_title_that_there_is(seen, line):
    message = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en", outlook=(seen,)))
    assert first_three(message)[0].startswith(line)


def test_what_nobody_can_see_is_told_in_the_sms_as_from_and_to():
    short = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en", outlook=(outlook(unsure=8),))).short
    assert short.startswith("62-70/100 agents able to call. ")


def test_a_service_of_which_there_is_nothing_is_not_told():
    message = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en", outlook=(outlook(able=0, total=0),)))
    assert first_three(message)[0].startswith("Service still interrupted: ")
    assert message.short.startswith("26-0042 ")


def test_of_many_services_the_first_and_those_that_are_not_whole_are_told():
    whole = [outlook(f"service {n}", 10, 0, 10) for n in range(6)]
    there = context("en", outlook=(*whole, outlook("the seventh", 9, 0, 10)))
    first = first_three(compose(planned(Audience.INTERNAL, Step.UPDATE), OPEN, there))[0]
    assert first.startswith("Service 0: 10 of 10; the seventh: 9 of 10. Impact: ")


@pytest.mark.parametrize(
    ("language", "begins"),
    [("en", "Calls to OCM possible: no. 26-0042 "), ("fr", "Appels vers OCM possibles : non. 26-0042 ")],
)
def test_an_sms_begins_with_a_capital_letter(language, begins):
    seen = outlook("calls to OCM possible", able=0, total=1, french="appels vers OCM possibles")
    short = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), OPEN, context(language, outlook=(seen,))).short
    assert short.startswith(begins)


def test_an_sms_to_our_people_says_what_failed_as_far_as_there_is_room():
    short = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), story(opening()), context("en")).short
    assert "Application service stopped (srv-onnet-01): the service Onnet on 10.20.30.40 is stopped. Client's" in short
    long = story(replace(opening(), text=verbatim("a sentence of a device " * 9)))
    cut_off = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), long, context("en")).short
    assert re.search(r"\): a sentence of a device [a-z ]+[a-z]\.\.\. Client's service not interrupted\.$", cut_off)
    ended = story(opening(), happened(EventKind.RESOLVED, OPENED))
    assert "is stopped" not in compose(planned(Audience.INTERNAL, Step.RESOLVED), ended, context("en")).short


@pytest.mark.parametrize("kind", ["other", "blind"])
def test_a_kind_whose_name_says_nothing_of_what_failed_is_told_with_the_check(kind):
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), story(opening(kind)), context("en"))
    assert message.subject.endswith(f"({CHECK})")
    assert f"({CHECK})" in message.short


def test_a_mail_says_which_event_is_a_cause_and_which_is_about_another_check():
    noted = happened(EventKind.CAUSE, OPENED, verbatim("cut by a digger"), actor="awa", check="")
    other = happened(EventKind.NOTE, OPENED, verbatim("no answer"), check="poste-001")
    message = compose(planned(Audience.INTERNAL, Step.UPDATE), story(opening(), noted, other), context("en"))
    assert "- Cause: cut by a digger (awa)\n" in message.text
    assert "- poste-001: no answer\n" in message.text


def test_an_sms_that_has_no_room_for_the_service_view_is_as_it_was_without():
    long = outlook(
        "agents who are able to call customers by the dialler of this centre, as far as it can be seen today"
    )
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), OPEN, context("en", outlook=(long,)))
    assert message.short == compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), OPEN, context("en")).short


def test_a_test_message_is_about_no_service():
    tested = compose(planned(Audience.INTERNAL, Step.TEST), None, context("en", outlook=(outlook(),)))
    assert tested == compose(planned(Audience.INTERNAL, Step.TEST), None, context("en"))


def test_no_client_reads_by_which_check_a_service_is_seen():
    message = compose(planned(Audience.CLIENT, Step.UPDATE), OPEN, context("en", outlook=(outlook(),)))
    assert CHECK not in message.text + message.html + message.short


# --- one incident, one cause -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "said"), [(0, "stopped (fo): "), (1, "(fo), 1 check suppressed: "), (27, "(fo), 27 checks suppressed: ")]
)
def test_the_first_sentence_names_the_cause_and_how_much_it_explains(count, said):
    covered = [happened(EventKind.COVERED, OPENED, severity=Severity.CRITICAL, check=f"p{n}") for n in range(count)]
    incident = story(opening(), *covered)
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), incident, context("en", node="fo"))
    assert said in first_three(message)[0]


@pytest.mark.parametrize(
    ("language", "begins", "short", "subject"),
    [
        ("en", "The announced maintenance is over, and it still fails", "MAINTENANCE IS OVER", "maintenance overruns"),
        ("fr", "La maintenance annoncée est terminée", "MAINTENANCE TERMINÉE", "maintenance prolongée"),
    ],
)
def test_announced_work_that_overruns_is_told_as_that(language, begins, short, subject):
    incident = story(opening(), happened(EventKind.OVERRUN, OPENED + timedelta(hours=1)))
    message = compose(planned(Audience.INTERNAL, Step.OVERRUN), incident, context(language))
    assert first_three(message)[0].startswith(begins)
    assert short in message.short
    assert message.subject.endswith(subject)


def test_what_comes_and_goes_is_told_so_with_what_is_held_back():
    since = OPENED + timedelta(minutes=5)
    incident = story(opening(), happened(EventKind.FLAPPING, since, say("timed out")))
    there = context("en", now=since, next_at=None)
    message = compose(planned(Audience.INTERNAL, Step.FLAPPING), incident, there)
    what, _, following = first_three(message)
    assert what.startswith("It comes and goes: Application service stopped")
    assert what.endswith("since 14:12, Douala time.")
    assert following == "Next message: when it is over for good, or becomes worse."
    assert "each change is held back" in message.text
    assert "14:12 - It comes and goes: timed out" in message.text
    assert "It comes and goes" in message.short
    steady = story(*incident.timeline, happened(EventKind.STEADY, since, say("answers")))
    later = compose(planned(Audience.INTERNAL, Step.WORSENED), steady, there).text
    assert "held back" not in later
    assert "It is steady again: answers" in later


def test_a_client_whose_service_comes_and_goes_is_not_told_that_it_is_down():
    incident = story(opening(), DISRUPTION, happened(EventKind.FLAPPING, OPENED, say("timed out")))
    what, impact, _ = first_three(compose(planned(Audience.CLIENT, Step.UPDATE), incident, context("en")))
    assert what.startswith("Service unstable: ")
    assert impact.startswith("Impact: it comes and goes: ")


HALF_AN_HOUR = OPENED + timedelta(minutes=30)
TAKEN = replace(happened(EventKind.ACKNOWLEDGED, OPENED, actor="awa"), until=HALF_AN_HOUR)


def test_an_acknowledgement_for_a_time_says_until_when():
    message = compose(planned(Audience.INTERNAL, Step.UPDATE), story(opening(), DISRUPTION, TAKEN), context("en"))
    assert "awa is on it until 14:37 (since 14:07, Douala time)" in message.text
    assert "So it is (until 14:37) (awa)" in message.text


def test_an_acknowledgement_that_lapsed_wakes_somebody():
    lapsed = story(opening(), TAKEN, happened(EventKind.UNACKNOWLEDGED, HALF_AN_HOUR))
    there = context("en", now=HALF_AN_HOUR, next_at=None)
    message = compose(planned(Audience.INTERNAL, Step.UNACKNOWLEDGED), lapsed, there)
    assert message.subject.endswith(": nobody is on it any more"), "who reads nothing but subjects must see it"
    assert first_three(message)[0].startswith("Nobody is on it any more: ")
    assert "The acknowledgement by awa ended at 14:37, Douala time." in message.text
    assert "NOBODY IS ON IT" in message.short
    assert "\n  releve incident ack 26-0042\n" in message.text


WORSE = happened(EventKind.SEVERITY, OPENED + timedelta(minutes=3), severity=Severity.CRITICAL)
MILD = opening(severity=Severity.WARNING)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([MILD, TAKEN, WORSE], "The acknowledgement by awa is void: it has become worse since."),
        (
            [MILD, TAKEN, DISRUPTION],
            "The acknowledgement by awa is void: the client's service is interrupted since.",
        ),
        (
            [
                opening(),
                TAKEN,
                happened(EventKind.RESOLVED, OPENED + timedelta(minutes=2)),
                happened(EventKind.REOPENED, OPENED + timedelta(minutes=4), severity=Severity.CRITICAL),
            ],
            "The acknowledgement by awa is void: it was over and has come back.",
        ),
        ([opening(), TAKEN], ""),
        ([opening(), TAKEN, WORSE], ""),
        ([MILD, TAKEN, WORSE, happened(EventKind.ACKNOWLEDGED, HALF_AN_HOUR, actor="awa")], ""),
        ([MILD, WORSE], ""),
        ([MILD, TAKEN, WORSE, happened(EventKind.RESOLVED, HALF_AN_HOUR)], ""),
        (
            [
                MILD,
                replace(TAKEN, until=None),
                happened(EventKind.RESOLVED, OPENED + timedelta(minutes=2)),
                happened(EventKind.REOPENED, OPENED + timedelta(minutes=4), severity=Severity.WARNING),
            ],
            "",
        ),
    ],
)
def test_whose_acknowledgement_is_void_and_why_is_told_as_long_as_nobody_is_on_it(events, said):
    text = compose(planned(Audience.INTERNAL, Step.WORSENED), story(*events), context("en")).text
    assert (said in text) if said else ("The acknowledgement by" not in text)
    assert ("nobody is on it any more" in text) is bool(said)


WORK = AnnouncedWork(f"New fibre to {HOST}", OPENED + timedelta(hours=3))


def announced() -> Incident:
    return story(replace(opening(), window="new-fibre"), DISRUPTION)


def test_what_belongs_to_announced_work_is_told_as_announced_with_its_end():
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), announced(), context("en", work=WORK))
    assert first_three(message)[0].startswith("Announced maintenance, Critical: ")
    assert f"Announced maintenance: New fibre to {HOST}, planned end: 17:07, Douala time" in message.text
    assert "Cause: announced maintenance" in message.text
    assert "  releve maintenance end new-fibre\n" in message.text
    assert "releve incident cause" not in message.text


def test_announced_work_whose_end_has_passed_is_not_ended_once_more():
    late = context("en", work=WORK, now=WORK.until)
    message = compose(planned(Audience.INTERNAL, Step.UPDATE), announced(), late)
    assert "releve maintenance end" not in message.text


def test_a_client_reads_that_it_is_announced_maintenance_until_when_and_nothing_of_its_title():
    message = compose(planned(Audience.CLIENT, Step.FIRST_NOTICE), announced(), context("en", work=WORK))
    assert first_three(message)[0].startswith("Announced maintenance, planned end 17:07, Douala time: ")
    assert "planned end 17:07" in message.short
    assert HOST not in message.text + message.html + message.short
    over = context("en", work=WORK, now=OPENED + timedelta(hours=4))
    late = compose(planned(Audience.CLIENT, Step.UPDATE), announced(), over)
    assert first_three(late)[0].startswith("Announced maintenance, longer than planned (17:07, Douala time): ")
    assert "planned end" not in late.short


def test_what_cannot_be_seen_is_nowhere_called_down():
    blind = story(replace(opening("blind", Severity.UNKNOWN), text=say("the log-in was refused")))
    message = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), blind, context("en", next_at=None))
    assert "not known, because this cannot be seen" in first_three(message)[1]
    for word in ("down", "interrupted", "stopped"):
        assert word not in "\n".join(first_three(message))


# --- whatever happens, a client reads none of this ---------------------------------------------------------------

SECRETS = (HOST, ADDRESS, CHECK, "http://", "\\\\", "uid:1000", "RAW-OUTPUT")
moments = st.integers(0, 400).map(lambda minutes: OPENED + timedelta(minutes=minutes))
hidden = st.sampled_from(
    [
        HOST,
        HOST.upper(),
        ADDRESS,
        f"{ADDRESS}:1433",
        f"http://{HOST}/log?x=1",
        f"\\\\{HOST}\\c$",
        f"https://{ADDRESS}",
        CHECK,
    ]
)
words = st.lists(
    st.sampled_from(["panne", "du", "disque", "D:", "à", "14 h 05", "(câble)", "100 %"]) | hidden, max_size=8
)
raw = st.sampled_from([say("{a}", a=f"RAW-OUTPUT of {HOST} at {ADDRESS}"), verbatim("RAW-OUTPUT uid:1000")])
events = st.lists(
    st.builds(
        happened,
        st.sampled_from([kind for kind in EventKind if kind is not EventKind.OPENED]),
        moments,
        words.map(lambda parts: verbatim(" ".join(parts))) | raw,
        st.sampled_from([None, *Severity]),
        st.none() | moments,
        actor=st.sampled_from([RELEVE, "uid:1000"]),
        check=st.sampled_from([CHECK, HOST]),
    ),
    max_size=8,
)


@given(
    st.sampled_from([*KINDS, "made-up"]),
    events,
    st.sampled_from([Step.FIRST_NOTICE, Step.UPDATE, Step.RESOLVED]),
    st.sampled_from(["fr", "en"]),
    st.booleans(),
    st.none() | moments,
    st.none() | st.just(WORK),
)
def test_no_client_message_holds_a_host_an_address_or_raw_output(
    kind, more, step, language, rehearsal, following, work
):
    incident = story(opening(kind), DISRUPTION, *more)
    causes = [event for event in more if event.kind is EventKind.CAUSE]
    if causes and "RAW-OUTPUT" in incident.cause:
        incident = replace(incident, cause="")
    there = context(language, next_at=following, now=OPENED + timedelta(hours=7), trusted=not rehearsal)
    there = replace(there, work=work, outlook=(outlook(),))
    plan = planned(Audience.CLIENT, step, instead_of=("att",) if rehearsal else (), gap=(OPENED,))
    message = compose(plan, incident, there)
    for part in (message.subject, message.text, unescape(message.html), message.short):
        found = [secret for secret in SECRETS if secret.lower() in part.lower()]
        assert not found
        assert not re.search(r"\d{1,3}(\.\d{1,3}){3}", part)


@given(
    st.sampled_from([*KINDS, "made-up"]),
    events,
    st.sampled_from([step for step in Step if step is not Step.TEST and step not in OF_MANY]),
    st.sampled_from(list(Audience)),
    st.sampled_from(["fr", "en"]),
    st.text(max_size=200),
    st.none() | st.text(max_size=200),
    st.none() | st.just(AnnouncedWork("new fibre", OPENED + timedelta(hours=8))),
)
def test_every_sms_is_one_message_of_the_default_alphabet(kind, more, step, audience, language, title, service, work):
    incident = story(opening(kind), DISRUPTION, *more)
    seen = () if service is None else (outlook(service),)
    there = context(language, title=title, outlook=seen, work=work)
    short = compose(planned(audience, step, instead_of=("att",)), incident, there).short
    taken = septets(short)
    assert taken is not None
    assert taken <= LIMIT
    assert "26-0042" in short


def test_while_the_protocol_is_not_live_our_people_do_not_read_that_the_client_will_be_told():
    told = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), OPEN, context(live=False))
    assert "au client" not in told.text.replace("service du client", "") + told.short
    assert "à l’exploitation à la place de Desk ATT (essai)" in told.text
    assert "Prochain point d’information au client" in compose(
        planned(Audience.INTERNAL, Step.FIRST_NOTICE), OPEN, context()
    ).text.replace("\u00a0", " ")


def of_a_run(kind: EventKind, text: Text, **more: object) -> Event:
    return replace(happened(kind, OPENED, text), run="R26-0012", **more)


def test_a_question_is_the_first_line_and_the_answers_are_the_first_commands():
    question = of_a_run(
        EventKind.CALLED, say("may Relève do this, which interrupts what still works: {what}?", what="X")
    )
    incident = story(opening(), replace(question, asks=True))
    message = compose(planned(Audience.INTERNAL, Step.PERSON_CALLED), incident, context("en"))
    assert first_three(message)[0].startswith("A person is needed: may Relève do this")
    assert "releve runbook approve R26-0012" in message.text
    assert "releve runbook refuse R26-0012" in message.text
    assert "A PERSON IS NEEDED" in message.short
    assert message.subject.endswith(": a person is needed"), "who reads nothing but subjects must see it"
    begun = story(opening(), of_a_run(EventKind.REPAIR, say("it starts")), *incident.timeline[1:])
    text = compose(planned(Audience.INTERNAL, Step.PERSON_CALLED), begun, context("en")).text
    assert "the automatic repair has waited for a person's answer since" in text


def test_a_call_without_question_offers_no_answer():
    incident = story(opening(), of_a_run(EventKind.CALLED, say("Relève could not repair it")))
    message = compose(planned(Audience.INTERNAL, Step.PERSON_CALLED), incident, context("en"))
    assert "approve" not in message.text
    assert f"releve incident ack {ID}" in message.text


def test_a_repair_that_goes_on_is_what_is_being_done_and_the_client_reads_no_machine_in_it():
    incident = story(
        opening(), DISRUPTION, of_a_run(EventKind.REPAIR, say("start {name} on {host}", name="Onnet", host=HOST))
    )
    ours = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), incident, context("en")).text
    assert f"automatic repair: start Onnet on {HOST}" in ours
    theirs = compose(planned(Audience.CLIENT, Step.UPDATE), incident, context("en")).text
    assert "an automatic repair has been under way" in theirs
    assert HOST not in theirs
    asked = story(*incident.timeline, of_a_run(EventKind.CALLED, say("may Relève?"), asks=True))
    waiting = compose(planned(Audience.CLIENT, Step.UPDATE), asked, context("en")).text
    assert "automatic repair" not in waiting, "what waits for a person's answer repairs nothing"
    gone_on = story(*asked.timeline, replace(of_a_run(EventKind.REPAIR, say("yes")), at=OPENED + timedelta(minutes=1)))
    assert "automatic repair" in compose(planned(Audience.CLIENT, Step.UPDATE), gone_on, context("en")).text
    ended = story(*incident.timeline, of_a_run(EventKind.REPAIR_ENDED, say("over")))
    assert "automatic repair" not in compose(planned(Audience.CLIENT, Step.UPDATE), ended, context("en")).text


def test_each_call_is_told_in_its_own_words():
    first = of_a_run(EventKind.CALLED, say("the first"))
    incident = story(opening(), first, of_a_run(EventKind.CALLED, say("the second")))
    second = replace(planned(Audience.INTERNAL, Step.PERSON_CALLED), key=NoticeKey(
        ID, Audience.INTERNAL, Step.PERSON_CALLED, 2, "admin"
    ))  # fmt: skip
    assert "the second" in first_three(compose(second, incident, context("en")))[0]
    said = of_a_run(EventKind.MESSAGE, say("look at the room"), n=12000)
    news = replace(planned(Audience.INTERNAL, Step.RUNBOOK), key=NoticeKey(
        ID, Audience.INTERNAL, Step.RUNBOOK, 12000, "admin"
    ))  # fmt: skip
    message = compose(news, story(opening(), first, said), context("en"))
    assert "look at the room" in first_three(message)[0]
    assert "A person is needed" not in message.text


def test_the_runbook_of_a_kind_is_told_before_it_begins_and_how_it_ended_when_all_is_over():
    early = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), OPEN, context("en", runbook="restart-service")).text
    assert "the runbook restart-service is there for this" in early
    by_hand = replace(OPEN, check=None)
    told = compose(planned(Audience.INTERNAL, Step.FIRST_NOTICE), by_hand, context("en", runbook="restart-service"))
    assert "restart-service" not in told.text, "what no check sees is repaired by people"
    ended = of_a_run(EventKind.REPAIR_ENDED, say("{check} is OK again", check=CHECK))
    over = story(*OPEN.timeline, ended, happened(EventKind.RESOLVED, OPENED, say("over")))
    late = compose(planned(Audience.INTERNAL, Step.RESOLVED), over, context("en", runbook="restart-service")).text
    assert f"Repair: {CHECK} is OK again" in " ".join(late.split())
    theirs = compose(planned(Audience.CLIENT, Step.RESOLVED), over, context("en", runbook="restart-service")).text
    assert CHECK not in theirs


# The conference call


CALL = Conference(BEGAN + timedelta(minutes=70), "+237 000, code 1", ("DSI OCM", "Desk ATT", "Administrateur SI"))


@pytest.mark.parametrize(
    ("language", "what", "subject"),
    [
        (
            "fr",
            "Conférence téléphonique à 15 h 15, heure de Douala, au sujet de : Arrêt d’un service applicatif.",
            "[Relève] 26-0042 Arrêt d’un service applicatif : conférence téléphonique à 15 h 15",
        ),
        (
            "en",
            "Conference call at 15:15, Douala time about: Application service stopped.",
            "[Relève] 26-0042 Application service stopped: conference call at 15:15",
        ),
    ],
)
def test_whoever_is_called_together_reads_when_how_and_what_about(language, what, subject):
    at = context(language, conference=CALL, now=BEGAN + timedelta(minutes=60))
    message = compose(planned(Audience.CLIENT, Step.CONFERENCE), OPEN, at)
    assert message.subject.replace("\xa0", " ") == subject
    assert first_three(message)[0].replace("\xa0", " ") == what
    for word in ("+237 000, code 1", "DSI OCM, Desk ATT, Administrateur SI"):
        assert word in message.text
    assert "+237 000, code 1" in message.short
    assert re.search("15( h |:)15", message.short.replace("\xa0", " "))
    for secret in (HOST, ADDRESS, CHECK):
        assert secret not in message.text


def test_without_a_bridge_the_invitation_says_so():
    at = context("en", conference=replace(CALL, bridge=""))
    message = compose(planned(Audience.CLIENT, Step.CONFERENCE), OPEN, at)
    assert "Dial-in: not in the inventory: ask whoever sent this" in message.text


def test_a_call_that_is_off_says_nothing_of_dialling_in():
    over = story(opening(), DISRUPTION, happened(EventKind.RESOLVED, BEGAN + timedelta(minutes=65)))
    at = context("en", conference=CALL, next_at=None, now=BEGAN + timedelta(minutes=65))
    for audience in Audience:
        message = compose(planned(audience, Step.CONFERENCE_CANCELLED), over, at)
        assert "conference call of 15:15" in message.text.splitlines()[0]
        assert "+237" not in message.text + message.short
        assert "cancelled" in message.subject
        assert "cancelled" in message.short


@pytest.mark.parametrize(
    ("step", "begins"),
    [
        (Step.LONG_SOON, "Soon a long interruption: Application service stopped"),
        (Step.LONG, "Long interruption from now on: Application service stopped"),
    ],
)
def test_a_long_interruption_is_told_as_one(step, begins):
    message = compose(planned(Audience.INTERNAL, step), OPEN, context("en"))
    assert message.text.startswith(begins)
    assert "service interrupted since 14:05" in message.text
    assert "redundant site" in message.short


def test_a_reminder_repeats_the_question_and_how_to_answer_it():
    question = replace(happened(EventKind.CALLED, OPENED, say("may I restart it?")), run="R26-0012", asks=True)
    doing = replace(happened(EventKind.REPAIR, OPENED), run="R26-0012")
    message = compose(planned(Audience.INTERNAL, Step.REMINDER), story(opening(), doing, question), context("en"))
    assert message.text.startswith("A person is still needed, since 14:07, Douala time: may I restart it?")
    assert "a person is needed" in message.subject
    assert "releve runbook approve R26-0012" in message.text
    assert "A PERSON IS NEEDED" in message.short
