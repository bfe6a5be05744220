"""The site as a whole: what a fault does to what answers on its ports."""

import asyncio
import smtplib
from email.message import EmailMessage

import aiohttp
import pytest

from lab.door import Door, Mute
from lab.power import Plant
from lab.site import Site


async def answers(site: Site, name: str) -> bool:
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection("127.0.0.1", site.endpoints[name])
    except (ConnectionRefusedError, TimeoutError):
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_a_cut_link_takes_the_far_side_away_and_only_that(site):
    ports = site.endpoints
    await site.cut_link()
    seen = {name for name in ports if "snmp" not in name and not await answers(site, name)}
    assert seen == {"fo.peer", "ocm-sip.tcp", "ocm-app.http"}
    await site.restore_link()
    assert all([await answers(site, name) for name in sorted(seen)])
    assert site.endpoints == ports


async def test_the_switch_of_the_floor_goes_with_the_mains_and_comes_back_with_the_generator():
    plant = Plant(start_after=0.1, crank=0.1, rest=0.1, warm=0.1, boot=0.3)
    async with Site(plant) as site:
        assert await answers(site, "floor-switch.ping")
        await site.cut_mains()
        assert not site.floor_fed
        assert not await answers(site, "floor-switch.ping")
        assert await answers(site, "hmp.ping")
        await until(lambda: answers(site, "floor-switch.ping"))
        assert site.look().mains_voltage == 0
        assert site.moments["floor_fed"] <= site.now()
        await site.restore_mains()
        assert await answers(site, "floor-switch.ping")


async def test_both_web_pages_are_served_and_a_silenced_one_hangs(site):
    async with aiohttp.ClientSession() as web:
        for name, word in (("hermes.http", "Mot de passe"), ("ocm-app.http", "Application OCM")):
            async with web.get(f"http://127.0.0.1:{site.endpoints[name]}/") as answer:
                assert answer.status == 200
                assert word in await answer.text()
        await site.silence("hermes")
        with pytest.raises(TimeoutError):
            await web.get(f"http://127.0.0.1:{site.endpoints['hermes.http']}/", timeout=aiohttp.ClientTimeout(0.3))


async def test_the_mailbox_keeps_every_message_for_each_recipient(site):
    message = EmailMessage()
    message["Subject"], message["Message-ID"] = "Coupure : liaison", "<one@site>"
    message.set_content("Premier avis é")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", site.endpoints["smtp"]) as smtp:
            smtp.send_message(message, "releve@example.org", ["att@example.org", "admin@example.org"])

    await asyncio.gather(asyncio.to_thread(send), asyncio.wait_for(site.mailbox.news(0), 5))
    assert [(letter.to, letter.subject, letter.message_id) for letter in site.mailbox.letters] == [
        ("att@example.org", "Coupure : liaison", "<one@site>"),
        ("admin@example.org", "Coupure : liaison", "<one@site>"),
    ]
    assert site.mailbox.letters[0].text.strip() == "Premier avis é"


async def test_who_has_no_management_cannot_fall_silent(site):
    with pytest.raises(ValueError, match="floor-switch"):
        await site.silence("floor-switch")


async def test_a_shut_door_keeps_its_number():
    door = Door(Mute)
    door.open()
    port = door.port
    await door.shut()
    assert not door.is_open
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    door.open()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await door.remove()


async def test_a_dark_door_answers_nobody_until_it_opens_again():
    door = Door(Mute)
    door.open()
    port = door.port
    await door.darken()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.open_connection("127.0.0.1", port)
    await door.darken()
    door.open()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    await door.darken()
    await door.shut()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await door.remove()


async def test_two_sites_stand_side_by_side():
    async with Site() as one, Site() as two:
        assert not set(one.endpoints.values()) & set(two.endpoints.values())
        await one.cut_mains()
        assert two.look().mains_voltage > 0
