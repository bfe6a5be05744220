"""Two incidents as they happen at a centre: a disk full of recordings that a runbook empties, a link that is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerts.agreement import Protocol
from alerts.language import speech
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import Incident
from monitor.core.incident import replay as incidents_of
from monitor.core.text import Quantity, Speech, Text, say, verbatim
from monitor.core.thresholds import Range
from monitor.core.verdict import Severity
from monitor.reports.material import Curve, KindFacts, Material, Relation
from runbooks.contract import Action, Effect
from runbooks.run import Run, RunEvent, RunEventKind, RunId, action_to_json
from runbooks.run import replay as runs_of

ZERO = datetime(2026, 11, 23, 13, 3, 12, tzinfo=UTC)
"""14 h 03 min 12 s at Douala."""
PEOPLE = {"att": "Desk ATT", "ocm-it": "DSI OCM", "admin": "Administrateur SI"}
PROTOCOL = Protocol(
    first_to=("att",),
    update_to=("att",),
    update_every=timedelta(minutes=60),
    operations=("admin",),
    resolved_to=("all",),
)
DISK, LINK = IncidentId("26-0007"), IncidentId("26-0008")


def at(minutes: float, seconds: float = 0) -> datetime:
    return ZERO + timedelta(minutes=minutes, seconds=seconds)


def disk_text(used: float, free: float) -> Text:
    return say(
        "{mount} is {used} full, {free} of {size} are free",
        mount="D:",
        used=Quantity(used, "%"),
        free=Quantity(free, "By"),
        size=Quantity(500e9, "By"),
    )


class Story:
    """Events of one incident, one after the other."""

    def __init__(self, incident: IncidentId, check: str, kind: str) -> None:
        self.incident, self.check, self.kind = incident, CheckId(check), kind
        self.events: list[Event] = []

    def tell(self, when: datetime, kind: EventKind, text: Text, actor: str = RELEVE, **more: object) -> None:
        self.events.append(Event(self.incident, when, kind, actor, text, **more))  # type: ignore[arg-type]

    def opens(self, when: datetime, text: Text, began_at: datetime, severity: Severity = Severity.CRITICAL) -> None:
        more = {"check": self.check, "severity": severity, "kind_name": self.kind, "began_at": began_at}
        self.tell(when, EventKind.OPENED, text, **more)

    def folded(self) -> Incident:
        return incidents_of(self.events)[self.incident]


def notice(
    incident: IncidentId,
    step: Step,
    due: datetime,
    sent: datetime | None,
    to: str,
    *,
    n: int = 1,
    state: NoticeState | None = None,
    answer: str = "250 2.0.0 Ok: queued as 4F1A2B",
) -> Notice:
    audience = Audience.INTERNAL if to == "admin" else Audience.CLIENT
    key = NoticeKey(incident, audience, step, n, to)
    state = state or (NoticeState.PENDING if sent is None else NoticeState.SENT)
    message = Message("sujet", "texte", "<p>texte</p>", "court")
    return Notice(
        key, due, due, key.message_id("site"), message, "mail", f"{to}@example.org", "fr", state, 1, None, sent, answer
    )


BOOK = {
    "runbook": "purge-audio",
    "title": {"fr": "Purger les enregistrements archivés", "en": "Purge archived recordings"},
    "starts_at": "critical",
    "budget": {"attempts": 3, "within": "3600s"},
    "cooldown": "30s",
    "proof": {"within": "120s", "stays": "10s"},
    "steps": [{"step": "archive"}, {"step": "purge", "below": 80}],
}
PLAN = (
    Action(
        "archive", {"of": "audio"}, NodeId("hmp"), Effect.CHANGES, verbatim("Archiver les enregistrements clos de hmp")
    ),
    Action(
        "purge",
        {"of": "audio"},
        NodeId("hmp"),
        Effect.CHANGES,
        verbatim("Supprimer les enregistrements archivés et prouvés, jusqu’à 80 %"),
    ),
)


class Journal:
    """Events of one run, one after the other."""

    def __init__(
        self, run: str, incident: IncidentId | None, began: datetime, *, by: str = RELEVE, live: bool = True
    ) -> None:
        self.run = RunId(run)
        self.events: list[RunEvent] = []
        data = {
            "runbook": "purge-audio",
            "version": "3f9c1a2b4d5e",
            "book": BOOK,
            "subject": "hmp-disk",
            "node": "hmp",
            "incident": incident,
            "plan": [action_to_json(action) for action in PLAN],
            "live": live,
        }
        self.tell(began, RunEventKind.STARTED, verbatim("purge-audio commence"), actor=by, **data)

    def tell(
        self,
        when: datetime,
        kind: RunEventKind,
        text: Text,
        action: int | None = None,
        actor: str = RELEVE,
        **data: object,
    ) -> None:
        self.events.append(RunEvent(self.run, when, kind, actor, text, action, data))

    def folded(self) -> Run:
        return runs_of(self.events)[self.run]


def purge_run() -> Run:
    """Two attempts: the archive breaks off, then works."""
    told = Journal("R26-0012", DISK, at(3, 41))
    told.tell(at(3, 41), RunEventKind.ATTEMPT, verbatim("premier essai"))
    told.tell(at(3, 42), RunEventKind.INTENT, PLAN[0].said, 0, before={"files": 412})
    told.tell(
        at(6, 2),
        RunEventKind.OUTCOME,
        verbatim("la connexion à l’archive a été coupée"),
        0,
        ok=False,
        evidence={
            "seen": 430,
            "closed": 412,
            "proven": 118,
            "size": 31_400_000_000,
            "failures": 1,
            "failed": ["rec-0118.wav"],
        },
        output="sftp> put rec-0118.wav\nConnection closed by remote host\nerror: broken pipe",
    )
    told.tell(at(6, 32), RunEventKind.ATTEMPT, verbatim("deuxième essai"))
    told.tell(at(6, 33), RunEventKind.INTENT, PLAN[0].said, 0, before={"files": 412})
    told.tell(
        at(12, 20),
        RunEventKind.OUTCOME,
        verbatim("294 enregistrements archivés et relus"),
        0,
        ok=True,
        changed=True,
        evidence={"seen": 430, "closed": 294, "proven": 294, "size": 78_200_000_000, "failures": 0, "in_use": 2},
    )
    told.tell(at(12, 21), RunEventKind.INTENT, PLAN[1].said, 1, before={"used": 92.4})
    told.tell(
        at(14, 5),
        RunEventKind.OUTCOME,
        verbatim("412 enregistrements supprimés"),
        1,
        ok=True,
        changed=True,
        evidence={"files": 412, "size": 109_600_000_000, "used_before": 92.4, "used_after": 70.5},
    )
    told.tell(at(14, 20), RunEventKind.PROOF, disk_text(70.5, 147.5e9), ok=True, severity="ok")
    told.tell(at(14, 20), RunEventKind.ENDED, verbatim("D: est redescendu sous le seuil"), state="succeeded")
    return told.folded()


def series(points: Iterable[tuple[float, float]]) -> tuple[tuple[datetime, float], ...]:
    return tuple((at(minute), value) for minute, value in points)


def ramp(minute: int) -> float:
    """How full the disk is: it fills, stays full, is emptied while the purge runs."""
    if minute < 13:
        return min(92.4, 86 + (minute + 30) * 0.14)
    return max(70.5, 92.4 - (minute - 12) * 11)


def disk_full() -> Material:
    """The recordings' disk runs full; the runbook needs two attempts; nobody is interrupted."""
    story = Story(DISK, "hmp-disk", "hmp-disk-full")
    story.opens(at(3), disk_text(91.1, 44.5e9), at(0))
    story.tell(at(5, 20), EventKind.ACKNOWLEDGED, say("Acknowledged: {note}", note="je regarde l’archive"), "paul")
    story.tell(at(9), EventKind.NOTE, verbatim("Facteur : la purge nocturne est arrêtée depuis vendredi"), "paul")
    story.tell(at(14, 20), EventKind.RESOLVED, disk_text(70.5, 147.5e9), check=story.check, severity=Severity.OK)
    notices = (
        notice(DISK, Step.FIRST_NOTICE, at(3, 30), at(3, 1.2), "admin"),
        notice(DISK, Step.RESOLVED, at(14, 20), at(14, 21.1), "admin"),
    )
    limits = {"warning": Range(0, 80), "critical": Range(0, 90)}
    minutes = range(-30, 30)
    return Material(
        incident=story.folded(),
        now=at(95),
        notices=notices,
        runs=(purge_run(),),
        protocol=PROTOCOL,
        protocol_version="5e884898da28047151d0e56f8dc62927",
        site="Media Contact Douala",
        kind=KindFacts(target=timedelta(minutes=20)),
        people=PEOPLE,
        nodes={CheckId("hmp-disk"): NodeId("hmp"), CheckId("hmp-ping"): NodeId("hmp")},
        curves=(
            Curve(CheckId("hmp-disk"), "used", "%", Relation.ROOT, series((m, ramp(m)) for m in minutes), **limits),
            Curve(
                CheckId("hmp-disk"), "free", "By", Relation.ROOT, series((m, 5e9 * (100 - ramp(m))) for m in minutes)
            ),
            Curve(
                CheckId("hmp-ping"), "rtt", "ms", Relation.NEIGHBOUR, series((m, 0.4 + 0.1 * (m % 5)) for m in minutes)
            ),
        ),
        since=at(-30),
        until=at(30),
        inventory_version="1f0c9a77bb",
        audit_head="128-3f9c1a2b4d5e6f70",
        releve_version="0.1.0",
    )


def link_cut() -> Material:
    """The fibre is cut for two and a half hours: the client is told, once late, once not at all."""
    story = Story(LINK, "fo-peer", "link-unstable")
    story.opens(at(1), verbatim("10.20.0.1 ne répond pas"), at(0))
    story.tell(
        at(1), EventKind.DISRUPTED, say("The client's service is interrupted"), check=story.check, began_at=at(0)
    )
    for name in ("ocm-sip", "ocm-app"):
        more = {"check": CheckId(name), "severity": Severity.CRITICAL}
        story.tell(at(1, 10), EventKind.COVERED, verbatim("pas de réponse"), **more)
    story.tell(at(4), EventKind.ACKNOWLEDGED, say("Acknowledged"), "uid:4242424")
    story.tell(at(40), EventKind.CAUSE, verbatim("fibre sectionnée par des travaux de voirie"), "uid:4242424")
    story.tell(at(146), EventKind.RECOVERED, verbatim("10.20.0.1 répond"), check=story.check, severity=Severity.OK)
    for name in ("ocm-sip", "ocm-app"):
        story.tell(at(147), EventKind.UNCOVERED, say("OK again"), check=CheckId(name), severity=Severity.OK)
    story.tell(at(147), EventKind.RESOLVED, say("The root cause is gone and everything behind it was verified"))
    for words in (
        "leçon : demander à OCM la carte des chantiers",
        "Lesson: keep the FH on standby",
        "Action : activer le secours FH ; Paul ; 15/12/2026 ; en cours",
        "action: revoir le contrat FO",
        "bien : Desk ATT prévenu en 12 s",
    ):
        story.tell(at(200), EventKind.NOTE, verbatim(words), "uid:4242424")
    notices = (
        notice(LINK, Step.FIRST_NOTICE, at(1, 30), at(1, 12), "att"),
        notice(LINK, Step.FIRST_NOTICE, at(1, 30), at(1, 2), "admin"),
        notice(LINK, Step.UPDATE, at(60), at(64, 10), "att", n=1),
        notice(LINK, Step.UPDATE, at(120), None, "att", n=2, state=NoticeState.SKIPPED, answer=""),
        notice(LINK, Step.RESOLVED, at(147), at(147, 2), "att"),
        notice(LINK, Step.RESOLVED, at(147), None, "admin", state=NoticeState.DEAD, answer="550 5.1.1 boîte inconnue"),
    )
    loss = [(m, 100.0 if 0 <= m < 146 else 0.0) for m in range(-30, 162)]
    return Material(
        incident=story.folded(),
        now=at(220),
        notices=notices,
        protocol=PROTOCOL,
        protocol_version="5e884898da28047151d0e56f8dc62927",
        site="Media Contact Douala",
        kind=KindFacts(target=timedelta(minutes=60)),
        people=PEOPLE,
        nodes={CheckId("fo-peer"): NodeId("fo")},
        curves=(
            Curve(CheckId("fo-peer"), "loss", "%", Relation.ROOT, series(loss), Range(0, 20), Range(0, 60)),
            Curve(CheckId("fo-peer"), "rtt", "ms", Relation.ROOT, series((m, 4 + m % 3) for m, v in loss if not v)),
            Curve(CheckId("ocm-sip"), "time", "ms", Relation.COVERED, ()),
        ),
        since=at(-30),
        until=at(162),
        inventory_version="1f0c9a77bb",
        audit_head="214-aa9c1a2b4d5e6f70",
        releve_version="0.1.0",
    )


def bare() -> Material:
    """An incident that a person opened and that goes on: no inventory, no protocol, no message, no measurement."""
    story = Story(IncidentId("26-0009"), "", "flood")
    story.tell(
        at(0), EventKind.OPENED, verbatim("odeur de fumée"), "uid:4242424", severity=Severity.WARNING, kind_name="flood"
    )
    return Material(incident=replace(story.folded(), check=None), now=at(12))


NASTY = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "| a | b |\n# no heading\n```\n1. one\n- two\n---\n",
    "[a](javascript:alert(1)) ![b](http://evil.example/x.png) https://evil.example www.evil.example me@evil.example",
    '#import "evil.typ" #read("/etc/passwd") $x^2$ @label <label> *bold* _em_ `code` ~~no~~ \\ & %',
    "{{ 7*7 }} {% raw %} {verbatim} %s {0} ${HOME}",
    "\u202egnp.exe\u202c \u200f\u200e\ufeff end",
    "\x1b[31mred\x1b[0m\x00\x07\r\n\ud800 end",
    "😀👩‍👩‍👧 日本語 עברית العربية \U000e0041",
    "W" * 3000,
    "--> <!-- ]]> </svg></style></title>",
)
"""What a device, a server or a person may write, to break each of the formats."""


def hostile() -> Material:
    """The cut link, with something nasty wherever a word comes from outside."""
    material = link_cut()
    story = Story(LINK, "fo-peer", "link-unstable")
    story.events = list(material.incident.timeline)
    for n, words in enumerate(NASTY):
        story.tell(at(201 + n), EventKind.NOTE, verbatim(words), f"<b>who</b> {words}")
        story.tell(at(201 + n), EventKind.COVERED, verbatim(words), check=CheckId(words))
        story.tell(at(201 + n), EventKind.NOTE, verbatim(f"lesson: {words}"))
        story.tell(at(201 + n), EventKind.NOTE, verbatim(f"action: {words};{words};{words};{words}"))
    story.tell(at(300), EventKind.CAUSE, verbatim(" ".join(NASTY)), "paul")
    curves = tuple(
        replace(material.curves[0], check=CheckId(words), metric=words, unit=words, relation=Relation.COVERED)
        for words in NASTY
    )
    told = Journal("R26-0013", LINK, at(3), by=NASTY[0])
    told.tell(at(3), RunEventKind.ATTEMPT, verbatim(NASTY[1]))
    for n, words in enumerate(NASTY):
        told.tell(at(4 + n), RunEventKind.INTENT, verbatim(words), 0, before={})
        evidence = {words: words, "deep": {"er": [words] * 9}, "none": None, "yes": True, "huge": 10**400}
        outcome = {"ok": False, "evidence": evidence, "output": f"{words}\n" * 500}
        told.tell(at(5 + n), RunEventKind.OUTCOME, verbatim(words), 0, **outcome)
    told.tell(at(30), RunEventKind.ENDED, verbatim(NASTY[3]), state="failed")
    notices = tuple(
        replace(one, answer=words, channel=words) for one, words in zip(material.notices * 2, NASTY, strict=False)
    )
    return replace(
        material,
        incident=story.folded(),
        notices=notices,
        runs=(told.folded(),),
        curves=(*material.curves, *curves),
        site=" ".join(NASTY),
        people={"att": NASTY[0], "admin": NASTY[3]},
        kind=KindFacts({"fr": NASTY[2], "en": NASTY[2]}, {"fr": NASTY[3], "en": NASTY[3]}, timedelta(minutes=60)),
        audit_head=NASTY[9],
    )


@pytest.fixture(scope="session")
def nasty() -> tuple[str, ...]:
    """What may come from outside, to break each of the formats."""
    return NASTY


@pytest.fixture(scope="session")
def stories() -> dict[str, Callable[[], Material]]:
    """Every story by its name."""
    return {"disk": disk_full, "link": link_cut, "bare": bare, "hostile": hostile}


@pytest.fixture(params=["disk", "link", "bare", "hostile"])
def material(request: pytest.FixtureRequest, stories: dict[str, Callable[[], Material]]) -> Material:
    """Each of the stories."""
    return stories[request.param]()


@pytest.fixture(params=["fr", "en"])
def reader(request: pytest.FixtureRequest) -> Speech:
    """A reader at Douala, in each language."""
    return speech(request.param, "Africa/Douala")
