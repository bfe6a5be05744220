"""What is proof that it was told and repaired as it should be, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from lab.mailbox import Letter
from lab.modem import Sms
from lab.proof import Client, Expected, Received, Servers, Story, concerned_told, done, faults_of, received
from lab.recorder import Recording
from monitor.core.text import Speech

FAULT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ATT, ADMIN, PHONE = "att@example.org", "admin@example.org", "+237600000000"
STORY = Story(FAULT, FAULT + timedelta(seconds=30), ATT, frozenset({ADMIN, PHONE}))
DAY = timedelta(days=1)
RECORDED = {
    name: Recording(name, 1000, f"hash of {name}", FAULT - age)
    for name, age in {"old": 30 * DAY, "older": 40 * DAY, "young": 6.9 * DAY, "new": -timedelta(seconds=5)}.items()
}
ALL = {name: one.sha256 for name, one in RECORDED.items()}
SERVERS = Servers(
    at=FAULT + timedelta(seconds=60),
    starts={"MSSQLSERVER": 0, "Onnet": 0, "Slave": 0},
    stops={"MSSQLSERVER": 0, "Onnet": 0, "Slave": 0},
    recorded=RECORDED,
    present=ALL | {"live": "hash of live"},
    archived=frozenset(ALL.values()),
    live_is_whole=True,
    disk=42.0,
)
ENGLISH = Speech("en", lambda template: template)


def one(after: float, to: str, step: str, n: int = 1, **changes: object) -> Received:
    audience = "client" if to == ATT else "internal"
    message = Received(
        FAULT + timedelta(seconds=after),
        "mail", to, "26-0001", audience, step, n, f"{to}{step}{n}@id", "26-0001 Link", "Reference: 26-0001",
    )  # fmt: skip
    return replace(message, **changes)


GOOD = (
    one(3, ATT, "first_notice"),
    one(3, ADMIN, "first_notice"),
    one(13, ATT, "update", 1),
    one(26, ATT, "update", 2),
    one(32, ATT, "resolved"),
    one(32, ADMIN, "resolved"),
)


def said(evidence, servers: Servers, story: Story) -> list[str]:
    return [ENGLISH.render(text).replace("\u00a0", " ") for text in faults_of(evidence, servers, story)]


def without(*places: int) -> tuple[Received, ...]:
    return tuple(message for place, message in enumerate(GOOD) if place not in places)


def changed(place: int, **changes: object) -> tuple[Received, ...]:
    return tuple(replace(message, **changes) if n == place else message for n, message in enumerate(GOOD))


def test_a_story_that_was_told_as_it_should_be_has_no_fault():
    assert faults_of(GOOD, SERVERS, STORY) == ()


def test_operations_may_be_told_by_sms():
    sms = Received(FAULT + timedelta(seconds=4), "sms", PHONE, "26-0001", "", "", 0, "note", "", "26-0001 Critical")
    assert faults_of((*without(1), sms), SERVERS, STORY) == ()


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        ((), "one incident was to be told, not 0: "),
        ((*GOOD, one(40, ADMIN, "first_notice", 2, reference="26-0002", text="26-0002")), "not 2: 26-0001, 26-0002"),
        (without(0), "the client received 0 first notices instead of one"),
        ((*GOOD, one(5, ATT, "first_notice", 2)), "the client received 2 first notices instead of one"),
        (without(2, 3), "the client received no update"),
        ((*GOOD, one(27, ATT, "update", 2, message_id="other")), "the client received an update twice"),
        (without(4), "the client received 0 messages of the end instead of one"),
        (changed(0, at=FAULT + timedelta(seconds=31)), "the client's first notice came 31 s after the fault"),
        (changed(2, at=FAULT + timedelta(seconds=2)), "the client's messages came in the wrong order"),
        (changed(3, at=FAULT + timedelta(seconds=33)), "the client's messages came in the wrong order"),
        (changed(4, at=FAULT + timedelta(seconds=29)), "the client was told that it is over before it was"),
        (without(1), "operations were told nothing while it lasted"),
        (without(5), "operations were not told that it is over"),
        ((*GOOD, one(4, "dsi@example.org", "first_notice")), "people were told who are not concerned: dsi@example.org"),
        ((*GOOD, one(4, ADMIN, "update", audience="client")), "the client and our own people were mixed up"),
        ((*GOOD, GOOD[2]), "a Message-ID came twice"),
        (changed(2, text="nothing", subject="nothing"), "a message does not name its reference"),
        (changed(2, text="26-0001 at 127.0.0.1"), "a message to the client names an address of the site"),
    ],
)
def test_every_way_of_telling_it_wrong_is_found(evidence, fault):
    found = said(evidence, SERVERS, STORY)
    assert any(fault in text for text in found), found


def test_an_end_that_never_came_is_no_end():
    found = said(GOOD, SERVERS, replace(STORY, repaired_at=None))
    assert "the client was told that it is over before it was" in found
    assert "it was never mended" in found


REPAIRED = replace(STORY, expected=Expected(client=Client.TOLD, starts={"Onnet": 2}))
TWICE = replace(SERVERS, starts={**SERVERS.starts, "Onnet": 2})


def test_a_repair_that_needed_what_was_done_has_no_fault_with_or_without_an_update():
    assert said(GOOD, TWICE, REPAIRED) == []
    assert said(without(2, 3), TWICE, REPAIRED) == []


@pytest.mark.parametrize(
    ("servers", "fault"),
    [
        (SERVERS, "Onnet was started 0 times instead of 2"),
        (replace(TWICE, starts={**TWICE.starts, "Onnet": 3}), "Onnet was started 3 times instead of 2"),
        (replace(TWICE, starts={**TWICE.starts, "Slave": 1}), "Slave was started 1 times instead of 0"),
        (replace(TWICE, stops={**TWICE.stops, "Slave": 1}), "Slave was stopped 1 times, and nothing called for it"),
    ],
)
def test_every_start_and_stop_that_the_story_does_not_need_is_found(servers, fault):
    assert said(GOOD, servers, REPAIRED) == [fault]


PURGED = replace(STORY, expected=Expected(client=Client.NOT_TOLD, disk_below=80.0))
INWARD = tuple(message for message in GOOD if message.to == ADMIN)
LEFT = replace(SERVERS, present={name: sha for name, sha in SERVERS.present.items() if name not in ("old", "older")})


def test_a_purge_of_what_is_old_and_archived_has_no_fault_and_is_none_of_the_clients_concern():
    assert said(INWARD, LEFT, PURGED) == []
    assert said(GOOD, LEFT, PURGED) == ["the client received 4 messages of what is none of its concern"]


def kept_out(servers: Servers, *names: str) -> Servers:
    return replace(servers, present={name: sha for name, sha in servers.present.items() if name not in names})


@pytest.mark.parametrize(
    ("servers", "faults"),
    [
        (SERVERS, ["no recording was deleted"]),
        (replace(LEFT, disk=80.0), ["the disk of the recordings is still at 80%"]),
        (
            replace(LEFT, archived=LEFT.archived - {"hash of old"}),
            ["recordings deleted of which no copy is archived: 1 (old)"],
        ),
        (
            replace(LEFT, archived=frozenset({"hash of another"})),
            ["recordings deleted of which no copy is archived: 2 (old, older)"],
        ),
        (kept_out(LEFT, "young", "new"), ["recordings deleted that had to be kept: 2 (new, young)"]),
        (
            replace(LEFT, present={**LEFT.present, "young": "another hash"}),
            ["recordings that are no longer what was recorded: 1 (young)"],
        ),
        (replace(LEFT, live_is_whole=False), ["the recording that is being written was touched"]),
    ],
)
def test_every_recording_that_is_not_as_it_should_be_is_found(servers, faults):
    assert said(INWARD, servers, PURGED) == faults


def test_where_nothing_is_to_be_deleted_one_that_is_gone_is_a_fault():
    assert said(GOOD, kept_out(SERVERS, "old"), STORY) == ["recordings deleted, and nothing called for it: 1"]


def test_of_many_names_a_few_are_given():
    many = {f"{n}.wav": Recording(f"{n}.wav", 1, f"hash of {n}", FAULT - 30 * DAY) for n in range(9)}
    (fault,) = said(INWARD, replace(SERVERS, recorded=many, present={}), PURGED)
    assert fault == "recordings deleted of which no copy is archived: 9 (0.wav, 1.wav, 2.wav ...)"


@pytest.mark.parametrize(
    ("servers", "shown"),
    [
        (SERVERS, []),
        (TWICE, ["Onnet was started 2 times"]),
        (LEFT, ["recordings deleted: 2, 2 kB; the archive holds each of them"]),
        (replace(LEFT, archived=frozenset()), []),
    ],
)
def test_what_was_done_is_said_by_what_the_servers_hold(servers, shown):
    assert [ENGLISH.render(text).replace("\u00a0", " ") for text in done(servers)] == shown


def test_those_whom_it_concerns_are_the_client_or_else_operations():
    assert [one.to for one in concerned_told(GOOD, STORY, "resolved")] == [ATT]
    assert [one.to for one in concerned_told(GOOD, PURGED, "resolved")] == [ADMIN]


def test_letters_and_short_messages_become_evidence_in_the_order_of_their_arrival():
    message = EmailMessage()
    message["X-Releve-Key"] = "26-0001/client/update/3/att"
    letter = Letter(FAULT + timedelta(seconds=9), ATT, "Subject", "id@site", "text", message)
    sms = Sms(FAULT, PHONE, "26-0001 Critical: link", "0123")
    stranger = Letter(FAULT + timedelta(seconds=10), "x@y", "Hello", "spam@site", "", EmailMessage())
    first, second, third = received([letter, stranger], [sms])
    assert (first.channel, first.reference, first.message_id) == ("sms", "26-0001", "0123")
    assert (second.reference, second.audience, second.step, second.n) == ("26-0001", "client", "update", 3)
    assert (third.reference, third.step) == ("", "")


DSI = "dsi@example.org"
CALLED = replace(STORY, called=frozenset({ATT, DSI}))


def call(to: str, n: int = 1) -> Received:
    return one(14, to, "conference", n, audience="client")


@pytest.mark.parametrize(
    ("calls", "fault"),
    [
        ((call(ATT), call(DSI)), []),
        ((call(ATT),), [f"{DSI} was called to the conference 0 times instead of once"]),
        ((call(ATT), call(DSI), call(DSI, 2)), [f"{DSI} was called to the conference 2 times instead of once"]),
        (
            (call(ATT), replace(call(DSI), audience="internal")),
            [
                f"{DSI} was called to the conference 0 times instead of once",
                "the client and our own people were mixed up",
            ],
        ),
        (
            (call(ATT), replace(call(DSI), text="26-0001 at 10.20.0.1")),
            ["a message to the client names an address of the site"],
        ),
    ],
)
def test_an_interruption_that_lasts_calls_those_who_are_to_come_once(calls, fault):
    assert said((*GOOD, *calls), SERVERS, CALLED) == fault


def test_one_that_is_short_need_call_nobody():
    short = replace(CALLED, expected=replace(STORY.expected, client=Client.TOLD))
    assert said(without(2, 3), SERVERS, short) == []
