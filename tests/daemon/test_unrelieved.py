"""Nobody is the active Relève, and the one that stands by tells people: each once, by what works, over restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from alerts.unrelieved import REMIND, Told, due
from failover.itself import Ground, Known, StandBy, next_role
from failover.lease import Seen, Standing
from lab.mailbox import Mailbox
from monitor.core.text import Text
from monitor.daemon.unrelieved import FILE, Alarm, pause
from monitor.inventory.model import Inventory
from monitor.store.folder import PEER
from tests.daemon.conftest import NOW, Hand
from tests.daemon.test_peer import free_port
from tests.daemon.test_standby import OPERATIONS, TWO

PEOPLE = (
    "  admin: {name: Administrateur, mail: admin@example.org}\n",
    "  admin: {name: Administrateur, dead: admin@example.org, mail: admin@example.org}\n"
    "  eva: {name: Eva, mail: eva@example.org, language: fr}\n",
)
CHANNELS = (
    "channels: {mail: {url: env:NO_MAIL_URL}}",
    "channels: {mail: {url: env:NO_MAIL_URL}, dead: {url: env:DEAD_MAIL_URL}}",
)


@pytest.fixture
def inventory(
    inventory_of: Callable[..., Inventory], tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> Inventory:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    monkeypatch.setenv("DEAD_MAIL_URL", "mailto://127.0.0.1:1?from=releve@example.org")
    two = TWO.replace("[admin]", "[admin, eva]").format(port=free_port(), other=free_port(), pems=tmp_path)
    return inventory_of(PEOPLE, CHANNELS, (OPERATIONS, two))


@pytest.fixture
def why() -> Text:
    role = next_role(Known(Ground.DAMAGED, Seen(Standing.FREE, None, 0.0), 20.0, 15.0))
    assert isinstance(role, StandBy)
    return role.text


@asynccontextmanager
async def telling(alarm: Alarm) -> AsyncIterator[None]:
    task = asyncio.create_task(alarm.run())
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def noted(data: Path) -> set[str] | None:
    """Who was told, as it is written down; None where nothing is."""
    return None if (told := times(data)) is None else set(told)


def times(data: Path) -> dict[str, int] | None:
    """How often each was told, as it is written down; None where nothing is."""
    path = data / PEER / FILE
    if not path.exists():
        return None
    return {who: one["times"] for who, one in json.loads(path.read_bytes())["told"].items()}


async def until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0.02)


async def test_everybody_of_operations_is_told_once_in_their_language_by_a_channel_that_works(
    tmp_path: Path, inventory: Inventory, mailbox: Mailbox, machine: Hand, why: Text
) -> None:
    data = tmp_path / "data"
    alarm = Alarm(data, inventory, machine)
    alarm.why = why
    async with telling(alarm):
        await until(lambda: noted(data) == {"admin", "eva"})
    english, french = sorted(mailbox.letters, key=lambda letter: letter.to)
    assert (english.to, french.to) == ("admin@example.org", "eva@example.org")
    assert english.subject == "[Relève] Petit site: nobody watches any more"
    assert "the Relève at Yaoundé gives no sign of life, and the one at Douala cannot go on" in english.text
    assert "put the last backup back (releve restore FILE --yes)" in " ".join(english.text.split())
    assert french.message_id != english.message_id

    again = Alarm(data, inventory, machine)
    again.why = why
    machine.pass_(REMIND.total_seconds() - 1)
    async with telling(again):
        machine.pass_(1)
        await until(lambda: times(data) == {"admin": 2, "eva": 2})
    names = [letter.message_id for letter in mailbox.letters]
    assert len(names) == len(set(names)) == 4, "a reminder is no copy of the first"
    again.over()
    assert not (data / PEER / FILE).exists()


async def test_who_can_still_take_over_what_there_is_is_not_told_to_put_a_backup_back(
    tmp_path: Path, inventory: Inventory, mailbox: Mailbox, machine: Hand
) -> None:
    role = next_role(Known(Ground.BROKEN, Seen(Standing.FREE, None, 0.0), 20.0, 15.0))
    assert isinstance(role, StandBy)
    assert await Alarm(tmp_path / "data", inventory, machine)._tell(role.text)
    text = mailbox.letters[0].text
    assert "releve peer take-over --yes" in " ".join(text.split())
    assert "releve restore" not in text


async def test_who_was_not_reached_is_told_as_soon_as_a_channel_works(
    tmp_path: Path,
    inventory: Inventory,
    mailbox: Mailbox,
    machine: Hand,
    why: Text,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await mailbox.shut()
    alarm = Alarm(tmp_path / "data", inventory, machine)
    alarm.why = why
    async with telling(alarm):
        await until(lambda: sum(one.__dict__.get("event") == "unrelieved_told" for one in caplog.records) == 3)
        await until(lambda: noted(tmp_path / "data") == set())
    mailbox.open()
    again = Alarm(tmp_path / "data", inventory, machine)
    again.why = why
    async with telling(again):
        await until(lambda: len(mailbox.letters) == 2)


async def test_killed_between_telling_and_noting_it_tells_once_more_under_the_same_name(
    tmp_path: Path, inventory: Inventory, mailbox: Mailbox, machine: Hand, why: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    for life in range(2):
        alarm = Alarm(tmp_path / "data", inventory, machine)

        def until_somebody_was_told(
            body: bytes, life: int = life, noting: Callable[[bytes], None] = alarm._keep
        ) -> None:
            if len(mailbox.letters) > life:
                raise Killed
            noting(body)

        monkeypatch.setattr(alarm, "_keep", until_somebody_was_told)
        with pytest.raises(Killed):
            await alarm._tell(why)
        machine.pass_(5)
    assert [letter.to for letter in mailbox.letters] == ["eva@example.org"] * 2
    assert len({letter.message_id for letter in mailbox.letters}) == 1


async def test_while_somebody_is_the_active_one_nobody_is_told(
    tmp_path: Path, inventory: Inventory, mailbox: Mailbox, machine: Hand
) -> None:
    folder = tmp_path / "data" / PEER
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(b"[]")  # as a disk may give it back
    alarm = Alarm(tmp_path / "data", inventory, machine)
    async with telling(alarm):
        alarm.over()
        await asyncio.sleep(0)
    assert not mailbox.letters


def test_a_person_is_told_again_after_an_hour_and_by_a_clock_that_was_set_back() -> None:
    told = {"a": Told(NOW, 1), "b": Told(NOW - REMIND, 2), "c": Told(NOW + 2 * REMIND, 1)}
    assert due(("a", "b", "c", "d"), told, NOW) == ("b", "c", "d")
    assert due(("a",), told, NOW + REMIND - timedelta(seconds=1)) == ()


def test_a_channel_that_takes_messages_and_does_not_say_so_hands_over_a_few_in_an_hour_and_not_a_hundred() -> None:
    assert [pause(n) for n in (0, 1, 2, 3, 6, 99)] == [1.0, 30.0, 60.0, 120.0, 900.0, 900.0]
    at, tries = 0.0, 0
    while at < 3600.0:
        tries += 1
        at += pause(tries)
    assert tries <= 9
