"""Every message that there may be: each step, to each reader it has, in each language, of incidents in every state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle

from alerts.chase import APART, CHASED
from alerts.context import AnnouncedWork, Conference, Context, CrisisDue
from alerts.language import speech
from alerts.notice import Audience, NoticeKey, Planned, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.impact import Outlook
from monitor.core.incident import BLIND, OTHER, Incident, fold
from monitor.core.services import Leaf, Service, View
from monitor.core.text import LANGUAGES, Text, say, verbatim
from monitor.core.verdict import Severity

ID, ROOT, BEHIND = IncidentId("26-0042"), CheckId("onnet-service"), CheckId("hermes-login")
BEGAN = datetime(2026, 11, 22, 13, 5, tzinfo=UTC)
OPENED = BEGAN + timedelta(minutes=2)
NEXT = BEGAN + timedelta(minutes=60)
BOTH, OURS, CLIENT = frozenset(Audience), frozenset({Audience.INTERNAL}), frozenset({Audience.CLIENT})

READERS: Mapping[Step, frozenset[Audience]] = {
    Step.FIRST_NOTICE: BOTH,
    Step.WORSENED: OURS,
    Step.DISRUPTED: OURS,
    Step.FLAPPING: OURS,
    Step.UNACKNOWLEDGED: OURS,
    Step.UPDATE: CLIENT,
    Step.RESOLVED: BOTH,
    Step.PERSON_CALLED: OURS,
    Step.REMINDER: OURS,
    Step.RUNBOOK: OURS,
    Step.CONFERENCE: BOTH,
    Step.CONFERENCE_CANCELLED: BOTH,
    Step.CONFERENCE_UPDATED: BOTH,
    Step.LONG_SOON: OURS,
    Step.LONG: OURS,
    Step.OVERRUN: OURS,
    Step.MERGED: BOTH,
    Step.DRAFT: OURS,
    Step.CRISIS_OPENED: OURS,
    Step.CRISIS_REPORT: BOTH,
    Step.ESCALATED: OURS,
    Step.REVIEW_HOT: OURS,
    Step.REVIEW_COLD: OURS,
    Step.ACTION_DUE: OURS,
    Step.HANDOVER: frozenset(),  # about no single incident: test_handover looks at it
    Step.STORM: frozenset(),  # nor is this: test_storm does
    Step.DEPLOYMENT_PLAN: frozenset(),  # about a move, as the next one: test_move_words does
    Step.FAILOVER_REPORT: frozenset(),
    Step.TEST: OURS,
}
"""Who reads each step. A step that is new has to be entered here, else a test fails: then every test that takes its
messages from here looks at it too."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message to be: what `compose` is given, and how a failing test calls it."""

    name: str
    planned: Planned
    incident: Incident
    context: Context


def _event(kind: EventKind, minutes: float, text: Text | None = None, **more: object) -> Event:
    at = BEGAN + timedelta(minutes=minutes)
    return replace(Event(ID, at, kind, RELEVE, text or say("So it is"), ROOT), **more)


def _opened(severity: Severity = Severity.CRITICAL, kind: str = "service-stopped", **more: object) -> Event:
    said = say("the service {name} on {address} is stopped", name="Onnet", address="10.20.30.40")
    return _event(EventKind.OPENED, 2, said, severity=severity, kind_name=kind, began_at=BEGAN, **more)


DISRUPTED = _event(EventKind.DISRUPTED, 2, began_at=BEGAN)
OVER = _event(EventKind.RESOLVED, 47)
ACK = _event(EventKind.ACKNOWLEDGED, 5, say("Acknowledged"), actor="awa", until=BEGAN + timedelta(minutes=15))
ASKED = _event(EventKind.CALLED, 6, say("may the service {name} be restarted?", name="Onnet"), run="R1", asks=True)
NEWS = _event(EventKind.MESSAGE, 6, verbatim("the recordings are proven"), run="R1", n=1)
REPAIR = _event(EventKind.REPAIR, 5, say("the service is being restarted"), run="R1")
AGAIN = _event(EventKind.REOPENED, 50, severity=Severity.CRITICAL, began_at=BEGAN + timedelta(minutes=49))
ANEW = _event(EventKind.DISRUPTED, 50, began_at=BEGAN + timedelta(minutes=49))
LONG_WORDS = verbatim("la connexion au serveur " + "srv-enregistrement-principal-01." * 6 + "example.org est refusée")
PLAN = "remplacer le module optique de " + "commutateur-de-distribution-du-deuxieme-etage-cote-nord " * 3
CELL = (
    _event(EventKind.ROLE, 10, data={"role": "leader", "who": "dsi"}),
    _event(EventKind.ACTION, 11, data={"what": "restart srv-onnet-01", "owner": "Awa"}),
    _event(EventKind.ACTION, 11, data={"what": PLAN, "owner": "dsi"}),
    _event(
        EventKind.ACTION, 12, data={"what": "call the carrier", "due_at": (BEGAN + timedelta(minutes=13)).isoformat()}
    ),
    _event(EventKind.ACTION_ENDED, 20, data={"n": 1, "state": "done", "result": "10.20.30.40 answers"}),
    _event(EventKind.DECISION, 21, data={"what": "stay on this site"}),
    _event(EventKind.NEED, 22, data={"what": "the carrier's ticket"}),
)

PLANNED = _event(EventKind.ACTION, 20, actor="awa", data={"n": 1, "what": "appeler OCM", "due_at": NEXT.isoformat()})

STORIES: Mapping[str, tuple[Event, ...]] = {
    "open": (_opened(), DISRUPTED),
    "not the client's": (_opened(Severity.WARNING),),
    "of no kind": (_opened(kind=OTHER),),
    "blind": (_opened(Severity.UNKNOWN, BLIND),),
    "disrupted later": (_opened(Severity.WARNING), replace(DISRUPTED, at=BEGAN + timedelta(minutes=9))),
    "worsened": (_opened(Severity.WARNING), _event(EventKind.SEVERITY, 8, severity=Severity.CRITICAL), DISRUPTED),
    "easing": (_opened(), DISRUPTED, _event(EventKind.SEVERITY, 8, severity=Severity.WARNING)),
    "acknowledged": (_opened(), DISRUPTED, ACK),
    "lapsed": (_opened(), DISRUPTED, ACK, _event(EventKind.UNACKNOWLEDGED, 15)),
    "wavering": (_opened(), DISRUPTED, _event(EventKind.FLAPPING, 9)),
    "covering": (_opened(), DISRUPTED, _event(EventKind.COVERED, 3, check=BEHIND)),
    "asking": (_opened(), DISRUPTED, REPAIR, ASKED, NEWS),
    "of a known cause": (_opened(), DISRUPTED, _event(EventKind.CAUSE, 6, verbatim("panne de mémoire"), actor="awa")),
    "recovering": (_opened(), DISRUPTED, _event(EventKind.RECOVERED, 40)),
    "relapsed": (_opened(), DISRUPTED, _event(EventKind.RECOVERED, 40), _event(EventKind.RELAPSED, 41)),
    "announced": (_opened(window="patch"), DISRUPTED),
    "in many words": (replace(_opened(), text=LONG_WORDS), DISRUPTED),
    "with a crisis cell": (_opened(), DISRUPTED, *CELL),
    "over": (_opened(), DISRUPTED, OVER),
    "over, asked": (_opened(), DISRUPTED, REPAIR, ASKED, NEWS, OVER),
    "over, with a plan": (_opened(), DISRUPTED, PLANNED, OVER),
    "over, not the client's": (_opened(Severity.WARNING), OVER),
    "reopened": (_opened(), DISRUPTED, OVER, AGAIN, ANEW),
    "merged": (_opened(), DISRUPTED, _event(EventKind.MERGED, 20, actor="awa", data={"into": "26-0041"})),
    "over again": (_opened(), DISRUPTED, OVER, AGAIN, ANEW, _event(EventKind.RESOLVED, 55)),
}


def _incident(events: tuple[Event, ...]) -> Incident:
    incident: Incident | None = None
    for event in events:
        incident = fold(incident, event)
    assert incident is not None
    return incident


INCIDENTS = {name: _incident(events) for name, events in STORIES.items()}


def _outlook(name: str, title: str, able: float, total: float) -> Outlook:
    return Outlook(Service(name, Leaf(ROOT), {"en": title, "fr": title}), View(able, 0, total), interrupted=False)


OUTLOOK = (_outlook("agents", "agents able to call", 62, 100), _outlook("channels", "channels", 18, 30))
PLAIN: Mapping[str, object] = {}
VIEWS: Mapping[str, Mapping[str, object]] = {
    "": PLAIN,
    "with services": {"outlook": OUTLOOK},
    "uncertain time": {"trusted": False, "title": "Panne du service d’enregistrement des conversations"},
    "no update to come": {"next_at": None, "next_to": ()},
    "a title in two lines": {"title": "Enregistrement\ndes conversations"},
    "in a rehearsal": {"live": False},
    "with a link": {"ack_link": "https://releve.example.org/ack/" + "MjYtMDA0Mi1hd2E" * 8},
}
"""What else a message may depend on: each is laid over some of the messages in turn. They are an odd number, so that
each meets every step in every language."""


def _context(incident: Incident, language: str, more: Mapping[str, object]) -> Context:
    going = incident.open and incident.disruption_seen_at is not None
    base = Context(
        site="Media Contact Douala",
        speech=speech(language, "Africa/Douala"),
        now=incident.timeline[-1].at,
        next_at=NEXT if going else None,
        next_to=("att",) if going else (),
        node="srv-onnet-01",
        private=("srv-onnet-01", "10.20.30.40", ROOT),
        people={"att": "Desk ATT", "dsi": "DSI OCM"},
        audit_head="0123456789abcdef" * 4,
        target=timedelta(minutes=5),
        work=AnnouncedWork("Mise à jour", NEXT) if incident.window else None,
        conference=Conference(NEXT + timedelta(minutes=10), "+237 000, code 1", ("Desk ATT", "DSI OCM")),
        crisis=CrisisDue(BEGAN, NEXT + timedelta(minutes=5), ("att",), BEGAN + timedelta(hours=6)) if going else None,
    )
    return replace(base, **more)


def every() -> Iterator[Told]:
    """Yield every message: step, reader, language and state in all combinations, and the rest of VIEWS by turns."""
    turns = cycle(VIEWS.items())
    for step, readers in READERS.items():
        for reader in sorted(readers):
            for state, incident in INCIDENTS.items():
                for language in LANGUAGES:
                    view, more = next(turns)
                    n = 1 if step in (Step.PERSON_CALLED, Step.RUNBOOK) else incident.episode
                    n = n * APART + (language == "fr") if step in CHASED else n
                    at = incident.timeline[-1].at
                    planned = Planned(NoticeKey(ID, reader, step, n, "att"), at, unanswered=("dsi",))
                    if view == "in a rehearsal":
                        planned = replace(planned, instead_of=("att", "dsi"), gap=(NEXT,), reports=(NEXT,))
                    told = ", ".join((step.value, reader.value, language, state, *((view,) if view else ())))
                    yield Told(told, planned, incident, _context(incident, language, more))
