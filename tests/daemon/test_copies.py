"""The first channel is told later, once, what another one took in its place: over real servers, also over a kill."""

import asyncio

import pytest

from alerts.notice import NoticeState
from monitor.core.verdict import Severity
from monitor.daemon.copies import AGAIN_AFTER, Copies
from monitor.daemon.post import Post
from monitor.web.views import notice_json


@pytest.fixture
def site(inventory_of, modem):
    """A site whose administrator is told by mail, else by SMS."""
    return inventory_of(
        ("mail: admin@example.org}", 'mail: admin@example.org, sms: "+237600000000", order: [mail, sms]}'),
        ("channels: {", f'channels: {{sms: {{url: "gammu:{modem}"}}, '),
    )


async def told_by_sms(desk, machine):
    """One notice that mail failed to take, and SMS took."""
    await desk.open("other", Severity.WARNING, "uid:0", "smell of smoke")
    post = Post(desk, desk.journal)
    async with asyncio.timeout(20):
        while not post.sent:
            await post.once()
            machine.pass_(30)
    return post


async def test_a_message_that_went_by_sms_is_mailed_once_when_mail_works_again(
    desk_on, site, mailbox, modem, machine, store
):
    await mailbox.shut()
    desk = desk_on(site)
    post = await told_by_sms(desk, machine)
    (notice,) = store.notices()
    assert (notice.state, notice.channel, notice.first_choice) == (NoticeState.SENT, "sms", "mail")
    copies = Copies(desk, desk.journal, post)
    await copies.once()
    assert store.notices()[0].copy is None
    mailbox.open()
    await copies.once()
    assert mailbox.letters == []
    machine.pass_(AGAIN_AFTER.total_seconds())
    await copies.once()
    (letter,) = mailbox.letters
    assert letter.message_id == f"<{notice.message_id}>"
    assert letter.to == "admin@example.org"
    assert "sms" in letter.text
    machine.pass_(3600)
    await copies.once()
    again = desk_on(site)
    await Copies(again, again.journal, Post(again, again.journal)).once()
    assert len(mailbox.letters) == 1
    assert len(list((modem / "sent").iterdir())) == 1
    told = notice_json(store.notices()[0])
    assert (told["state"], told["channel"], told["copy"]["channel"]) == ("sent", "sms", "mail")
    assert told["copy"]["answer"].startswith("250")
    assert told["queued_at"] <= told["handed_over_at"] <= told["accepted_at"] < told["copy"]["accepted_at"]


async def test_a_copy_that_is_owed_is_given_by_the_daemon_that_comes_after_a_kill(
    desk_on, site, mailbox, machine, store
):
    await mailbox.shut()
    await told_by_sms(desk_on(site), machine)
    mailbox.open()
    again = desk_on(site)
    await Copies(again, again.journal, Post(again, again.journal)).once()
    assert len(mailbox.letters) == 1
    assert store.notices()[0].copy is not None


async def test_a_copy_that_is_given_but_cannot_be_written_is_not_given_twice(
    desk_on, site, mailbox, machine, store, full_disk
):
    await mailbox.shut()
    desk = desk_on(site)
    post = await told_by_sms(desk, machine)
    mailbox.open()
    copies = Copies(desk, desk.journal, post)
    with full_disk(), pytest.raises(Exception, match="full"):
        await copies.once()
    assert len(mailbox.letters) == 1
    assert store.notices()[0].copy is None
    await copies.once()
    assert len(mailbox.letters) == 1
    assert store.notices()[0].copy is not None


async def test_an_address_that_is_refused_for_good_is_not_asked_again(desk_on, site, mailbox, machine, store):
    await mailbox.shut()
    desk = desk_on(site)
    post = await told_by_sms(desk, machine)
    awa = desk.inventory.contacts["admin"]
    desk.inventory.contacts["admin"] = type(awa)(
        awa.id, awa.name, {**awa.addresses, "mail": "no address"}, awa.order, awa.language
    )
    await Copies(desk, desk.journal, post).once()
    told = notice_json(store.notices()[0])
    assert (told["state"], told["copy"]["accepted_at"]) == ("sent", None)
    assert "no mail address" in told["copy"]["answer"]
