"""Answers by SMS at the desk: whose code counts, from which number, and what guessing brings."""

import asyncio
from datetime import timedelta

import pytest

from alerts.ack_code import MOST_GUESSES, code_of
from alerts.gsm import LIMIT, septets
from alerts.mailbox import Filing
from alerts.notice import Audience, Step
from alerts.parked import Why
from alerts.sms_in import INBOX, Sms
from monitor.core.answer import stage_of
from monitor.core.incident import Status
from monitor.core.text import ENGLISH
from monitor.core.verdict import Severity
from monitor.daemon.answers import Answers
from monitor.daemon.sms_in import SmsIn

KEY = b"k" * 32
ADMIN, ATT = "+237600000001", "+237600000002"


@pytest.fixture
async def told(desk_on, inventory_of, tmp_path):
    """A desk with one open incident of which admin was told, and what takes answers there."""
    inventory = inventory_of(
        ("operations: {to: [admin]}", "operations: {to: [admin]}\nreplies: {sms: modem}"),
        ("channels: {", f'channels: {{modem: {{url: "gammu:{tmp_path}/spool"}}, '),
        ("mail: admin@example.org", f'mail: admin@example.org, modem: "{ADMIN}"'),
        ("mail: att@example.org", f'mail: att@example.org, modem: "{ATT}"'),
    )
    desk = desk_on(inventory)
    desk.link_key = KEY
    await desk.swap(desk.inventory, desk.plan, "releve")
    incident = await desk.open("service-stopped", Severity.CRITICAL, "uid:0", "stopped " * 30)
    return desk, Answers(desk), incident.id


def code_for(desk, name, contact="admin"):
    return code_of(name, stage_of(desk.state.incidents[name]), contact, KEY)


def sms(text, number=ADMIN, name="1"):
    return Sms(f"IN20261126_140503_00_{number}_{name}.txt", number, text)


async def test_ok_and_the_code_from_ones_own_number_acknowledges_once(told):
    desk, answers, name = told
    answer = sms(f"OK {code_for(desk, name)}")
    assert [await answers.by_sms(answer) for _ in range(2)] == [Filing.DONE] * 2
    incident = desk.state.incidents[name]
    assert (incident.status, incident.acknowledged_by) == (Status.ACKNOWLEDGED, "contact:admin")
    said = incident.timeline[-1]
    assert said.data["way"] == "sms" and "by an answer to an SMS" in ENGLISH.render(said.text)
    assert answers.parked == ()


@pytest.mark.parametrize("number", ["00237600000001", "237600000001", "+237 600 00 00 01"])
async def test_the_number_may_be_spelled_otherwise(told, number):
    desk, answers, name = told
    assert await answers.by_sms(sms(code_for(desk, name), number)) is Filing.DONE
    assert desk.state.incidents[name].status is Status.ACKNOWLEDGED


async def test_the_sms_ends_with_the_code_and_is_still_one(told):
    desk, _, name = told
    notices = await desk.journal.notices(name)
    [ours] = [n for n in notices if (n.key.audience, n.key.step) == (Audience.INTERNAL, Step.FIRST_NOTICE)]
    assert ours.message.short.endswith(f"OK {code_for(desk, name)}")
    assert (septets(ours.message.short) or LIMIT + 1) <= LIMIT
    for theirs in (n for n in notices if n.key.audience is Audience.CLIENT):
        assert code_for(desk, name, theirs.key.recipient) not in theirs.message.short


@pytest.mark.parametrize(
    ("text", "number", "why"),
    [
        ("OK", ADMIN, Why.OTHER_WORDS),
        ("non CODE", ADMIN, Why.OTHER_WORDS),
        ("appelle moi", ADMIN, Why.OTHER_WORDS),
        ("OK WRONG", ADMIN, Why.WRONG_CODE),
        ("OK CODE", ATT, Why.WRONG_CODE),
        ("OK THEIRS", ATT, Why.WRONG_CODE),
    ],
)
async def test_all_else_waits_for_a_reader_and_changes_nothing(told, text, number, why):
    desk, answers, name = told
    code, before = code_for(desk, name), desk.state.incidents[name]
    text = text.replace("CODE", code).replace("WRONG", f"{(int(code) + 1) % 10000:04}")
    text = text.replace("THEIRS", code_for(desk, name, "att"))
    assert [await answers.by_sms(sms(text, number)) for _ in range(2)] == [Filing.PARKED] * 2
    assert [one.why for one in answers.parked] == [why]
    assert desk.state.incidents[name] == before


async def test_a_strangers_sms_is_left_alone(told):
    desk, answers, name = told
    assert await answers.by_sms(sms(f"OK {code_for(desk, name)}", "+237699999999")) is Filing.LEFT
    assert await answers.by_sms(sms("Votre credit expire", "MTN")) is Filing.LEFT
    assert answers.parked == () and desk.state.incidents[name].status is Status.OPEN


async def test_who_guesses_is_put_off_for_an_hour_even_with_the_right_code(told, machine):
    desk, answers, name = told
    code = code_for(desk, name)
    for n in range(MOST_GUESSES):
        await answers.by_sms(sms(f"{(int(code) + 1 + n) % 10000:04}", name=str(n)))
    assert await answers.by_sms(sms(code, name="right")) is Filing.PARKED
    assert desk.state.incidents[name].status is Status.OPEN and len(answers.parked) == MOST_GUESSES
    machine.pass_(3601)
    assert await answers.by_sms(sms(code, name="later")) is Filing.DONE
    assert desk.state.incidents[name].status is Status.ACKNOWLEDGED


async def test_the_code_of_before_an_acknowledgement_lapsed_is_out_of_date(told, machine):
    desk, answers, name = told
    old = code_for(desk, name)
    await desk.acknowledge(name, "uid:0", "", timedelta(seconds=1))
    machine.pass_(5)
    await desk.tick()
    assert old != code_for(desk, name)
    assert await answers.by_sms(sms(old)) is Filing.PARKED
    assert [(one.why, one.incident) for one in answers.parked] == [(Why.OUTDATED, name)]
    assert desk.state.incidents[name].status is Status.OPEN
    assert await answers.by_sms(sms(code_for(desk, name), name="2")) is Filing.DONE


async def test_each_of_two_incidents_has_its_own_code(told):
    desk, answers, first = told
    second = (await desk.open("power", Severity.CRITICAL, "uid:0", "mains cut")).id
    await answers.by_sms(sms(code_for(desk, first)))
    assert desk.state.incidents[first].status is Status.ACKNOWLEDGED
    assert desk.state.incidents[second].status is Status.OPEN


async def test_after_the_end_the_code_does_nothing_and_nobody_is_bothered(told):
    desk, answers, name = told
    code = code_for(desk, name)
    await desk.resolve(name, "uid:0", "mended")
    assert await answers.by_sms(sms(code)) is Filing.DONE
    assert answers.parked == () and desk.state.incidents[name].status is Status.RESOLVED


async def test_an_answer_counts_though_its_file_cannot_be_moved_and_so_does_the_next(told, tmp_path):
    desk, answers, first = told
    second = (await desk.open("power", Severity.CRITICAL, "uid:0", "mains cut")).id
    reported = []

    async def report(verdict, at, elapsed):
        reported.append(verdict.severity)

    inbox, today = tmp_path / "spool" / INBOX, f"{desk.clock.now():%Y%m%d}"
    inbox.mkdir(parents=True)
    (tmp_path / "spool" / "releve-done").write_text("in the way")
    for n, name in enumerate((first, second)):
        (inbox / f"IN{today}_14050{n}_00_{ADMIN}_00.txt").write_text(f"OK {code_for(desk, name)}")
    sms_in = SmsIn(desk, answers, report)
    for _ in range(3):
        await sms_in._turn("modem")
    assert [desk.state.incidents[name].status for name in (first, second)] == [Status.ACKNOWLEDGED] * 2
    assert reported[-1] is Severity.WARNING and len(list(inbox.iterdir())) == 2
    (tmp_path / "spool" / "releve-done").unlink()
    await sms_in._turn("modem")
    sms_in.close()
    assert reported[-1] is Severity.OK and list(inbox.iterdir()) == []


async def test_the_inbox_is_emptied_of_answers_and_a_folder_that_is_missing_is_told(told, tmp_path):
    desk, answers, name = told
    reported, heard = [], asyncio.Event()

    async def report(verdict, at, elapsed):
        reported.append((verdict.severity, ENGLISH.render(verdict.summary)))
        heard.set()

    sms_in = SmsIn(desk, answers, report)
    await sms_in._turn("modem")
    assert reported[-1][0] is Severity.WARNING and "spool" in reported[-1][1]
    inbox = tmp_path / "spool" / INBOX
    inbox.mkdir(parents=True)
    today = f"{desk.clock.now():%Y%m%d}"
    (inbox / f"IN{today}_140503_00_{ADMIN}_00.txt").write_text(f"OK {code_for(desk, name)}")
    (inbox / f"IN{today}_140504_00_MTN_00.txt").write_text("credit")
    for _ in range(3):
        await sms_in._turn("modem")
    sms_in.close()
    assert reported[-1][0] is Severity.OK
    assert desk.state.incidents[name].acknowledged_by == "contact:admin"
    assert [entry.name for entry in inbox.iterdir()] == [f"IN{today}_140504_00_MTN_00.txt"]
    assert len(list((tmp_path / "spool" / "releve-done").iterdir())) == 1
