"""What is due leaves, by every channel at its own pace."""

import asyncio
import contextlib
import os
from datetime import timedelta

import pytest

from alerts.letter import UNWRITTEN
from alerts.notice import NoticeState
from lab.door import Door, Mute
from monitor.core.events import RELEVE
from monitor.core.verdict import Severity
from monitor.daemon.post import SENDERS, Post

PATIENCE = 20


@pytest.fixture
async def stalled(monkeypatch):
    """A mail server that lets everybody in and never says a word."""
    door = Door(Mute)
    door.open()
    monkeypatch.setenv("NO_MAIL_URL", f"mailto://127.0.0.1:{door.port}?from=releve@example.org&timeout=15s")
    yield door
    await door.remove()


@contextlib.asynccontextmanager
async def running(desk):
    post = Post(desk, desk.journal)
    task = asyncio.create_task(post.run())
    try:
        yield post
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await post.drain(0.1)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_mail_server_that_stalls_does_not_hold_back_an_sms(desk_on, inventory_of, stalled, modem):
    inventory = inventory_of(
        ("{name: Desk ATT, mail: att@example.org}", '{name: Desk ATT, sms: "+237600000000"}'),
        ("channels: {", f'channels: {{sms: {{url: "gammu:{modem}"}}, '),
    )
    desk, many = desk_on(inventory), SENDERS + 4
    for n in range(many):
        await desk.open("office", Severity.CRITICAL, "uid:0", f"number {n}")
    async with running(desk) as post:
        await until(lambda: len(list((modem / "sent").iterdir())) == many)
        await until(lambda: post.sent == many)
        assert post.failed == 0


async def test_everything_that_is_due_leaves_once(desk_on, inventory_of, mailbox, store):
    desk, many = desk_on(inventory_of()), 3 * SENDERS
    for n in range(many):
        await desk.open("office", Severity.CRITICAL, "uid:0", f"number {n}")
    await Post(desk, desk.journal).once()
    assert {notice.state for notice in store.notices()} == {NoticeState.SENT}
    assert len({letter.message_id for letter in mailbox.letters}) == len(mailbox.letters) == 2 * many


async def test_messages_leave_although_the_disk_is_full(desk_on, inventory_of, mailbox, store, full_disk):
    desk = desk_on(inventory_of())
    await desk.open("other", Severity.WARNING, "uid:0", "before")
    with full_disk():
        async with running(desk):
            await until(lambda: len(mailbox.letters) == 1)
            await desk.open("other", Severity.WARNING, "uid:0", "meanwhile")
            await until(lambda: len(mailbox.letters) == 2)
            await until(lambda: desk.journal.waiting == 2)
        assert desk.journal.trouble is not None
    await desk.journal.retry()
    assert [notice.state for notice in store.notices()] == [NoticeState.SENT] * 2
    assert [UNWRITTEN in letter.text for letter in mailbox.letters] == [True, True]


async def test_when_a_mail_server_is_back_one_message_that_leaves_takes_the_others_along(
    desk_on, inventory_of, mailbox, store, machine
):
    desk = desk_on(inventory_of())
    await mailbox.shut()
    for n in range(3):
        await desk.open("other", Severity.WARNING, "uid:0", f"number {n}")
    post = Post(desk, desk.journal)
    for _ in range(12):
        await post.once()
        machine.pass_(20 * 60)
    await post.once()
    mailbox.open()
    machine.pass_(5)
    await post.once()
    assert mailbox.letters == []
    await desk.open("other", Severity.WARNING, "uid:0", "the fourth")
    await post.once()
    await post.once()
    assert {notice.state for notice in store.notices()} == {NoticeState.SENT}


async def test_a_message_refused_just_before_a_kill_makes_our_own_people_look_after_it(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of())
    await desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    other = inventory_of(
        ("channels: {mail:", "channels: {post:"),
        ("  admin: {name: Administrateur, mail: admin@example.org}\n", ""),
        ("mail: att@", "post: att@"),
        ("to: [admin]", "to: [att]"),
    )
    await desk.swap(other, other.plan, RELEVE)
    machine.pass_(10)
    await Post(desk, desk.journal).once()
    assert [notice.state for notice in store.notices()] == [NoticeState.DEAD]
    died_at = machine.now()
    machine.pass_(3)
    again = desk_on(other)
    assert (desk.died_at, again.died_at) == (died_at, died_at)


async def test_a_death_written_before_the_clock_was_set_back_is_not_mourned_longer_than_any_other(
    desk_on, inventory_of, store, machine
):
    desk = desk_on(inventory_of())
    desk.died_at = machine.now() + timedelta(days=1)
    await desk.clock_was_set()
    assert desk.died_at == machine.now()


async def test_a_channel_written_in_another_alphabet_keeps_nothing_from_being_recorded(
    desk_on, inventory_of, store, monkeypatch
):
    monkeypatch.setenv("LATIN", os.fsdecode(b"gammu:/nowhere/caf\xe9"))
    inventory = inventory_of(
        ("{name: Administrateur, mail: admin@example.org}", '{name: Administrateur, sms: "+237600000000"}'),
        ("channels: {", "channels: {sms: {url: env:LATIN}, "),
    )
    desk = desk_on(inventory)
    await desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    await Post(desk, desk.journal).once()
    (notice,) = store.notices()
    assert (notice.state, notice.attempts) == (NoticeState.PENDING, 1)
    assert "caf\ufffd" in notice.answer
