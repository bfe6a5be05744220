"""Answers by mail at the desk: what acknowledges, what waits for a reader, and that nothing counts twice."""

import asyncio
import socket
from contextlib import contextmanager
from datetime import timedelta

import pytest

from alerts.mailbox import Filing
from alerts.notice import Audience, NoticeState, Step
from alerts.parked import MOST_PARKED, Parked, Why
from alerts.reply import Kind, Reply
from monitor.core.answer import Way
from monitor.core.events import EventKind
from monitor.core.incident import Status
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.answers import Answers
from monitor.daemon.desk import KEEP
from monitor.daemon.mail_in import MailIn
from monitor.daemon.selfcheck import answers_verdict
from monitor.daemon.settlement import Settlement

KEY = b"k" * 32


@pytest.fixture
async def told(desk_on, inventory_of):
    """A desk with one open incident of which admin and att were told, and what takes answers there."""
    desk = desk_on(inventory_of(("operations: {to: [admin]}", "operations: {to: [admin]}\nreplies: {imap: 'env:X'}")))
    desk.link_key = KEY
    await desk.swap(desk.inventory, desk.plan, "releve")
    incident = await desk.open("service-stopped", Severity.CRITICAL, "uid:0", "full")
    return desk, Answers(desk), incident.id


async def notice_of(desk, name, step=Step.FIRST_NOTICE, audience=Audience.INTERNAL, n=None):
    found = [
        notice
        for notice in await desk.journal.notices(name)
        if (notice.key.step, notice.key.audience) == (step, audience) and n in (None, notice.key.n)
    ]
    return found[-1]


def reply_to(notice, line="ok", sender=None, name="r1@example.org", kind=Kind.ANSWER, failed=""):
    return Reply(name, kind, notice.address if sender is None else sender, (notice.message_id,), line, failed)


async def test_ok_from_whom_we_told_acknowledges_once_and_says_by_which_way(told):
    desk, answers, name = told
    reply = reply_to(await notice_of(desk, name))
    assert [await answers.by_mail(reply) for _ in range(2)] == [Filing.DONE] * 2
    incident = desk.state.incidents[name]
    assert (incident.status, incident.acknowledged_by) == (Status.ACKNOWLEDGED, "contact:admin")
    [said] = [event for event in incident.timeline if event.kind is EventKind.ACKNOWLEDGED]
    assert said.data["way"] == "mail" and "by an answer to a mail" in ENGLISH.render(said.text)
    assert answers.parked == ()


async def test_an_answer_that_a_crash_brings_again_does_not_silence_what_came_back(told, machine):
    desk, answers, name = told
    reply = reply_to(await notice_of(desk, name))
    await answers.by_mail(reply)
    await desk.acknowledge(name, "uid:0", "", timedelta(milliseconds=1))
    machine.pass_(5)
    await desk.tick()
    assert desk.state.incidents[name].status is Status.OPEN
    assert await answers.by_mail(reply) is Filing.DONE
    acknowledged = [e for e in desk.state.incidents[name].timeline if e.actor == "contact:admin"]
    assert len(acknowledged) == 1 and answers.parked == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"line": "who is on it?"}, Why.OTHER_WORDS),
        ({"line": ""}, Why.OTHER_WORDS),
        ({"sender": "stranger@example.net"}, Why.NOT_RECIPIENT),
        ({"sender": "att@example.org"}, Why.NOT_RECIPIENT),
        ({"sender": ""}, Why.NOT_RECIPIENT),
    ],
)
async def test_what_only_a_person_understands_waits_for_one_and_changes_nothing(told, change, why):
    desk, answers, name = told
    before = desk.state.incidents[name]
    reply = reply_to(await notice_of(desk, name), **change)
    assert [await answers.by_mail(reply) for _ in range(2)] == [Filing.PARKED] * 2
    assert [(one.why, one.incident, one.contact) for one in answers.parked] == [(why, name, "admin")]
    assert desk.state.incidents[name] == before


async def test_a_client_acknowledges_nothing(told):
    desk, answers, name = told
    theirs = await notice_of(desk, name, audience=Audience.CLIENT)
    assert await answers.by_mail(reply_to(theirs)) is Filing.DONE
    assert await answers.by_mail(reply_to(theirs, "when is it over?", name="r2@x")) is Filing.PARKED
    assert desk.state.incidents[name].status is Status.OPEN


async def test_a_client_cannot_tell_from_its_message_how_ours_is_called(told):
    desk, _, name = told
    ours, theirs = await notice_of(desk, name), await notice_of(desk, name, audience=Audience.CLIENT)
    opened = desk.state.incidents[name].opened_at.isoformat()
    guess = ours.key.message_id(f"{desk.inventory.site.name}|{opened}")
    assert ours.message_id.partition("@")[0] != guess.partition("@")[0]
    assert ours.message_id != theirs.message_id


async def test_strangers_absences_and_what_is_unreadable_are_left_alone(told):
    desk, answers, name = told
    notice = await notice_of(desk, name)
    left = [
        Reply("1@x", Kind.ANSWER, "stranger@example.net", ("nothing@x",), "ok"),
        Reply("2@x", Kind.ANSWER, "", (), "ok"),
        Reply("3@x", Kind.AUTOMATIC, notice.address, (), ""),
        Reply("4@x", Kind.UNREADABLE),
        Reply("5@x", Kind.BOUNCE, "mailer-daemon@x", ("nothing@x",), failed="a@x"),
    ]
    assert [await answers.by_mail(reply) for reply in left] == [Filing.LEFT] * len(left)
    assert await answers.by_mail(reply_to(notice, kind=Kind.AUTOMATIC)) is Filing.DONE
    assert answers.parked == () and desk.state.incidents[name].status is Status.OPEN


async def test_a_contact_who_writes_without_answering_is_read_by_a_person(told):
    desk, answers, name = told
    sender = (await notice_of(desk, name)).address
    assert await answers.by_mail(Reply("1@x", Kind.ANSWER, sender, (), "ok")) is Filing.PARKED
    assert (answers.parked[0].why, answers.parked[0].contact) == (Why.NO_REFERENCE, "admin")
    assert desk.state.incidents[name].status is Status.OPEN


async def test_a_bounce_names_the_contact_that_was_not_reached(told):
    desk, answers, name = told
    bounce = reply_to(await notice_of(desk, name), "", "", kind=Kind.BOUNCE, failed="gone@example.org")
    assert await answers.by_mail(bounce) is Filing.PARKED
    assert [(one.why, one.contact, one.line) for one in answers.parked] == [(Why.BOUNCED, "admin", "gone@example.org")]


async def sent_by_mail(desk, name):
    """Our own message as it stands once a mail server has taken it."""
    notice = await notice_of(desk, name)
    [taken] = [one for one in await desk.journal.claim(desk.clock.now(), 50) if one.key == notice.key]
    now = desk.clock.now()
    end = Settlement(NoticeState.SENT, now, "250 OK", 1, taken.channel, taken.address, ())
    await desk.journal.settle(taken, end)
    return await notice_of(desk, name)


@pytest.fixture
async def told_by_two(desk_on, inventory_of):
    """The same where admin has a second channel."""
    desk = desk_on(
        inventory_of(
            ("operations: {to: [admin]}", "operations: {to: [admin]}\nreplies: {imap: 'env:X'}"),
            ("channels: {", "channels: {other: {url: 'env:NO_URL'}, "),
            ("mail: admin@example.org", "mail: admin@example.org, other: number-1"),
        )
    )
    desk.link_key = KEY
    await desk.swap(desk.inventory, desk.plan, "releve")
    incident = await desk.open("service-stopped", Severity.CRITICAL, "uid:0", "full")
    return desk, Answers(desk), incident.id


async def test_what_came_back_goes_by_the_next_channel_once(told_by_two):
    desk, answers, name = told_by_two
    notice = await sent_by_mail(desk, name)
    bounce = reply_to(notice, "", "", kind=Kind.BOUNCE, failed="admin@example.org")
    assert [await answers.by_mail(bounce) for _ in range(2)] == [Filing.PARKED] * 2
    again = await notice_of(desk, name)
    assert (again.state, again.channel, again.address) == (NoticeState.PENDING, "other", "number-1")
    assert (again.tried, again.sent_at, again.message_id) == (("mail",), None, notice.message_id)
    await desk.journal.settle(
        again, Settlement(NoticeState.SENT, desk.clock.now(), "OK", 1, "other", "number-1", again.tried)
    )
    second = reply_to(notice, "", "", "r2@x", kind=Kind.BOUNCE, failed="admin@example.org")
    assert await answers.by_mail(second) is Filing.PARKED
    last = await notice_of(desk, name)
    assert (last.state, last.channel) == (NoticeState.SENT, "other")


async def test_what_came_back_long_after_is_not_sent_again(told_by_two, machine):
    desk, answers, name = told_by_two
    notice = await sent_by_mail(desk, name)
    machine.pass_(3700)
    await answers.by_mail(reply_to(notice, "", "", kind=Kind.BOUNCE, failed="admin@example.org"))
    assert (await notice_of(desk, name)).state is NoticeState.SENT


async def test_an_answer_after_the_end_changes_nothing(told):
    desk, answers, name = told
    notice = await notice_of(desk, name)
    await desk.resolve(name, "uid:0", "mended")
    before = desk.state.incidents[name]
    assert await answers.by_mail(reply_to(notice)) is Filing.DONE
    assert desk.state.incidents[name] == before and answers.parked == ()


async def test_what_waits_is_kept_over_a_restart_until_somebody_has_read_it(told, store, machine):
    desk, answers, name = told
    await answers.by_mail(reply_to(await notice_of(desk, name), "\x1b[31mwho?\n\u202eevil" + "x" * 500))
    kept = store.load(machine.now(), KEEP).parked
    assert kept == answers.parked == store.parked()
    assert len(kept[0].line) <= 120 and kept[0].line.isprintable()
    again = Answers(desk, kept)
    assert await again.read(["another"], "uid:0") == 0
    assert await again.read(["r1@example.org"], "uid:0") == 1
    assert store.parked() == () and await again.read(["r1@example.org"], "uid:0") == 0


async def test_so_many_wait_and_no_more(told):
    _, answers, _ = told
    for n in range(MOST_PARKED + 3):
        await answers.park(Parked(str(n), answers._desk.clock.now(), Way.MAIL, Why.OTHER_WORDS))
    assert (len(answers.parked), answers.parked[0].id) == (MOST_PARKED, "3")


async def test_an_answer_is_kept_in_memory_while_the_disk_is_full(told, full_disk):
    desk, answers, name = told
    notice = await notice_of(desk, name)
    with full_disk():
        assert await answers.by_mail(reply_to(notice)) is Filing.DONE
        assert desk.state.incidents[name].status is Status.ACKNOWLEDGED
    await desk.journal.retry()
    stored = desk.journal.store.incident(name)
    assert stored.acknowledged_by == "contact:admin"


@pytest.mark.parametrize(("age", "severity"), [(1, Severity.WARNING), (59, Severity.WARNING), (61, Severity.OK)])
async def test_operations_are_told_for_an_hour_and_not_of_each(told, age, severity):
    now = told[0].clock.now()
    parked = [Parked(str(n), now - timedelta(minutes=age), Way.MAIL, Why.OTHER_WORDS, contact="admin") for n in (1, 2)]
    verdict = answers_verdict(parked, now)
    assert verdict.severity is severity
    assert ("2" in ENGLISH.render(verdict.summary)) is (severity is Severity.WARNING)


@contextmanager
def silent_server():
    """A mailbox that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


async def test_a_mailbox_that_hangs_is_told_and_holds_back_nothing(told, monkeypatch):
    desk, answers, name = told
    reported: list[str] = []
    heard = asyncio.Event()

    async def report(verdict, at, elapsed):
        reported.append(ENGLISH.render(verdict.summary))
        heard.set()

    mail_in = MailIn(desk, answers, report)
    with silent_server() as port:
        monkeypatch.setenv("X", f"imap://a:s3cret@127.0.0.1:{port}?mode=plain&timeout=1s")
        running = asyncio.create_task(mail_in.run())
        await desk.note(name, "uid:0", "the desk goes on meanwhile")
        assert not reported
        async with asyncio.timeout(20):
            await heard.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    mail_in.close()
    assert "timed out" in reported[0] and "s3cret" not in reported[0]
